/* compiler/driver/jit_load.c: see jit_load.h. The plug-in is opened for the first program
 * that is not among the kept objects, and stays open: LLVM keeps state of the whole process. */
#include "compiler/driver/jit_load.h"

#include "base/mem.h"
#include "compiler/driver/jit_store.h"
#include "compiler/emit_c/emit.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/emit_llvm/object.h"
#include "compiler/link/link.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLES_BYTES_MAX = 256 << 20 };

static pthread_once_t once = PTHREAD_ONCE_INIT, found_once = PTHREAD_ONCE_INIT;
static char folder_of_tutti[4096], file[4200]; /* file: the plug-in; empty = there is none */
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

/* TUTTI_JIT, or the first place where one is; `folder` is left for the message. */
static void find_file(void)
{
    static const char *const places[] = {"tutti-jit.so", "../lib/tutti/tutti-jit.so"};
    const char *named = getenv("TUTTI_JIT");
    if (named && *named) {
        (void)snprintf(file, sizeof file, "%s", named);
        return;
    }
    ssize_t len = readlink("/proc/self/exe", folder_of_tutti, sizeof folder_of_tutti - 1);
    folder_of_tutti[len > 0 ? len : 0] = 0;
    char *slash = strrchr(folder_of_tutti, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        (void)snprintf(file, sizeof file, "%s/%s", folder_of_tutti, places[i]);
        if (access(file, F_OK) == 0) return;
    }
    file[0] = 0;
}

Status jit_found(Diag *diag)
{
    (void)pthread_once(&found_once, find_file);
    if (file[0] && access(file, F_OK) == 0) return ST_OK;
    return diag_set(diag, ST_NOT_FOUND,
                    "the engine jit needs its plug-in tutti-jit.so, which is not %s%s: install "
                    "llvm-14-dev and clang-14 and build tutti again",
                    file[0] ? "" : "in ", file[0] ? file : folder_of_tutti);
}

static void open_once(void)
{
    if (!jit_found(&failure)) open_file(file);
}

Status jit_ready(Diag *diag)
{
    (void)pthread_once(&once, open_once);
    return plugin ? ST_OK : diag_set(diag, failure.status, "%s", failure.text);
}

/* ---- the cache ---- */

/* What this processor has beyond the base of its kind and code is better with: instructions for
 * bits. No fused multiplications: they round once where the language rounds twice. */
static const char *cpu(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("popcnt"))
        return "+bmi,+bmi2,+popcnt";
#endif
    return "";
}

/* Where the object of the program is, or would be, kept; false: nowhere. */
static bool object_path(const IrProgram *ir, const Str *samples, bool quick, const char *folder,
                        char *path)
{
    struct stat st;
    AUTO_BUF Buf text;
    buf_init(&text, EMIT_BYTES_MAX);
    (void)pthread_once(&found_once, find_file);
    if (!folder || !file[0] || stat(file, &st)) return false;
    int64_t identity[] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, quick,
                          jit_object_reach()};
    if (emit_c_rest(ir, samples, &text, &(Diag){0})) return false; /* C cannot say it */
    const Str parts[] = {STR(JIT_BUILD), str_from(cpu()),
                         str_slice((const char *)identity, sizeof identity), buf_view(&text)};
    return jit_store_path(folder, parts, COUNT_OF(parts), path);
}

/* ---- programs ---- */

typedef struct JitProgram {
    Arena *arena; /* of the tables */
    JitCode *code;
} JitProgram;

static void release(void *ctx)
{
    JitProgram *program = ctx;
    jit_object_free(program->code);
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
    for (u32 i = 0; i < linked->program.share_count; i++) linked->shares[i].feed = code->shares[i];
}

/* Which plug-in links, if that is not done here. */
MUST static Status linker(const JitPlugin **ret_plugin, Diag *diag)
{
    *ret_plugin = NULL;
    if (jit_object_reach() == JIT_NEAR) return ST_OK;
    Status st = jit_ready(diag);
    if (!st) *ret_plugin = plugin;
    return st;
}

/* The code from the cache, or compiled and put there. */
MUST static Status code_of(const IrProgram *ir, const Linked *linked, const Str *samples,
                           bool quick, const char *folder, JitCode **ret_code, Diag *diag)
{
    AUTO_BUF Buf object;
    char path[JIT_PATH_BYTES];
    const JitPlugin *by;
    buf_init(&object, JIT_OBJECT_BYTES_MAX);
    Status st = linker(&by, diag);
    if (st) return st;
    bool kept = object_path(ir, samples, quick, folder, path);
    if (kept && jit_store_find(path, &object) &&
        !jit_object_link(buf_view(&object), linked, by, ret_code, &(Diag){0}))
        return ST_OK;
    buf_clear(&object);
    st = jit_ready(diag);
    if (!st)
        st = plugin->compile(ir, linked, samples, quick ? JIT_QUICK : JIT_FULL, jit_object_reach(),
                             cpu(), &object, NULL, diag);
    if (!st) st = jit_object_link(buf_view(&object), linked, by, ret_code, diag);
    if (!st && kept) jit_store_keep(path, buf_view(&object));
    return st;
}

Status jit_load(const IrProgram *ir, const Str *samples, bool quick, const char *folder,
                FlowProgram **ret_program, Diag *diag)
{
    Linked *linked;
    JitProgram *program = mem_zalloc(1, sizeof *program);
    if (!program) return diag_set(diag, ST_NO_MEMORY, "compiling");
    program->arena = arena_new(0, TABLES_BYTES_MAX);
    Status st = program->arena ? link_program(ir, program->arena, &linked, diag)
                               : diag_set(diag, ST_NO_MEMORY, "compiling");
    if (!st) st = code_of(ir, linked, samples, quick, folder, &program->code, diag);
    if (!st) {
        complete(linked, program->code);
        st = flow_program_made(&linked->program, release, program, ret_program, diag);
    }
    if (st) release(program);
    return st;
}
