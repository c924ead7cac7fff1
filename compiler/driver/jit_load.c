/* compiler/driver/jit_load.c: see jit_load.h. The plug-in stays open: LLVM keeps state of the whole
 * process. */
#include "compiler/driver/jit_load.h"

#include "base/mem.h"
#include "compiler/driver/jit_store.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/link/link.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TABLES_BYTES_MAX = 256 << 20 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const JitPlugin *plugin;
static Diag failure;

/* ---- the plug-in ---- */

static void open_file(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const JitPlugin *found = library ? dlsym(library, "tutti_jit") : NULL;
    if (!library) {
        (void)diag_set(&failure, ST_UNSUPPORTED,
                       "the engine jit cannot open its plug-in: %s (LLVM, where it is not part of "
                       "it, is in the Debian package libllvm14)",
                       dlerror());
    } else if (!found || strcmp(found->build, JIT_BUILD) != 0) {
        (void)diag_set(&failure, ST_UNSUPPORTED,
                       "%s belongs to another build of tutti: put the two files of one build "
                       "beside each other",
                       path);
        dlclose(library);
    } else {
        plugin = found;
    }
}

static void open_once(void)
{
    static const char *const places[] = {"tutti-jit.so", "../lib/tutti/tutti-jit.so"};
    const char *named = getenv("TUTTI_JIT");
    char folder[4096], path[4200];
    if (named && *named) {
        open_file(named);
        return;
    }
    ssize_t len = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[len > 0 ? len : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        if (access(path, F_OK) != 0) continue;
        open_file(path);
        return;
    }
    (void)diag_set(&failure, ST_NOT_FOUND,
                   "the engine jit needs its plug-in tutti-jit.so, which is not in %s: install "
                   "llvm-14-dev and clang-14 and build tutti again",
                   folder);
}

Status jit_ready(Diag *diag)
{
    (void)pthread_once(&once, open_once);
    return plugin ? ST_OK : diag_set(diag, failure.status, "%s", failure.text);
}

/* ---- programs ---- */

typedef struct JitProgram {
    Arena *arena; /* of the tables */
    JitCode *code;
} JitProgram;

static void release(void *ctx)
{
    JitProgram *program = ctx;
    plugin->free(program->code);
    arena_free(program->arena);
    mem_free(program);
}

static void complete(Linked *linked, const JitCode *code)
{
    linked->program.bind = code->bind;
    for (u32 i = 0; i < linked->program.pipeline_count; i++) {
        linked->pipelines[i].layout_count = code->pipelines[i].layout_count;
        linked->pipelines[i].feed = code->pipelines[i].feed;
        linked->pipelines[i].row = code->pipelines[i].row;
        linked->pipelines[i].run = code->pipelines[i].run;
    }
}

Status jit_load(const IrProgram *ir, const Str *samples, bool quick, const char *folder,
                FlowProgram **ret_program, Diag *diag)
{
    Linked *linked;
    JitStore store;
    Status st = jit_ready(diag);
    if (st) return st;
    JitProgram *program = mem_zalloc(1, sizeof *program);
    if (!program) return diag_set(diag, ST_NO_MEMORY, "compiling");
    const JitCache *cache = jit_store(&store, folder, plugin);
    program->arena = arena_new(0, TABLES_BYTES_MAX);
    st = program->arena ? link_program(ir, program->arena, &linked, diag)
                        : diag_set(diag, ST_NO_MEMORY, "compiling");
    if (!st)
        st = plugin->compile(ir, linked, samples, quick ? JIT_QUICK : JIT_FULL, cache,
                             &program->code, diag);
    jit_store_done(&store);
    if (!st) {
        complete(linked, program->code);
        st = flow_program_made(&linked->program, release, program, ret_program, diag);
    }
    if (st) release(program);
    return st;
}
