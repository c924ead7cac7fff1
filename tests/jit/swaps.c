/* tests/jit/swaps.c: makes and frees the code of one program many times, as a server does that gets
 * change after change, and says what it costs in time and what stays of it in memory.
 *   jit_swaps PLUGIN PROGRAM.tutti COUNT quick|full [LIMIT_KB]
 * Prints one line. With a limit: exit 1 when the resident memory grew by more behind the first
 * tenth (LLVM and the allocator warm up). Built without sanitizers: their allocators keep what is
 * freed. */
#include "compiler/compile.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/emit_llvm/object.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, COUNT_MAX = 1000000 };

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    if (file) (void)fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int failed(const char *what)
{
    (void)fprintf(stderr, "jit_swaps: %s\n", what);
    return 2;
}

static IrProgram *checked(const char *path, Arena *arena, Diag *diag)
{
    static char text[FILE_MAX];
    SourceSet sources;
    DiagList diags;
    Source *source;
    IrProgram *ir = NULL;
    CompileOptions options = {.diag = diag};
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    if (file) (void)fclose(file);
    source_set_init(&sources, arena);
    if (source_add(&sources, str_from(path), str_slice(text, len), &source, diag)) return NULL;
    diag_list_init(&diags, arena, &sources);
    if (compile_source(arena, source, &diags, &options, &ir)) return NULL;
    return ir;
}

/* One change: tables, code, and the old code freed. */
static int swap(const JitPlugin *plugin, const IrProgram *ir, JitSpeed speed, Diag *diag)
{
    Linked *linked;
    JitCode *code = NULL;
    Arena *arena = arena_new(0, 64 << 20);
    Status st = arena ? link_program(ir, arena, &linked, diag) : ST_NO_MEMORY;
    AUTO_BUF Buf object;
    buf_init(&object, 64 << 20);
    if (!st)
        st = plugin->compile(ir, linked, NULL, speed, jit_object_reach(), "", &object, NULL, diag);
    if (!st)
        st = jit_object_link(buf_view(&object), linked,
                             jit_object_reach() == JIT_FAR ? plugin : NULL, &code, diag);
    jit_object_free(code);
    arena_free(arena);
    return st ? failed(diag->text) : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    Diag diag = {0};
    if (argc < 5) return failed("usage: PLUGIN PROGRAM.tutti COUNT quick|full [LIMIT_KB]");
    long count = strtol(argv[3], NULL, 10);
    if (count < 10 || count > COUNT_MAX) return failed("COUNT is 10 to 1000000");
    JitSpeed speed = strcmp(argv[4], "full") == 0 ? JIT_FULL : JIT_QUICK;
    Arena *arena = arena_new(0, 64 << 20);
    double *took = arena ? arena_many(arena, double, (size_t)count) : NULL;
    if (!took) return failed("out of memory");
    double begin = cpu_ms();
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    const JitPlugin *plugin = library ? dlsym(library, "tutti_jit") : NULL;
    if (!plugin) return failed(library ? "not a plug-in" : dlerror());
    double opened = cpu_ms() - begin;
    const IrProgram *ir = checked(argv[2], arena, &diag);
    if (!ir) return failed(diag.text[0] ? diag.text : "the program is wrong");
    long before = 0;
    for (long i = 0; i < count; i++) {
        if (i == count / 10) before = resident_kb();
        begin = cpu_ms();
        if (swap(plugin, ir, speed, &diag)) return 2;
        took[i] = cpu_ms() - begin;
    }
    long after = resident_kb();
    double first = took[0];
    qsort(took, (size_t)count, sizeof *took, by_value);
    (void)printf(
        "%ld swaps %s: opening LLVM %.1f ms, first %.1f ms, median %.1f ms of CPU; resident "
        "%ld KiB, %ld KiB more than at the beginning\n",
        count, argv[4], opened, first, took[count / 2], after, after - before);
    arena_free(arena);
    return argc > 5 && after - before > strtol(argv[5], NULL, 10);
}
