/* tests/bench/ready.c: how long it takes until a program runs.
 *
 *   ready FILE RECORD FOLDER        (compiled objects go to FOLDER, which should be empty)
 *
 * Prints one line per figure, with the limit it is held to by eye; asserts nothing about time.
 * Times are wall time, the least of some rounds: what the work takes when nothing else is in the
 * way. */
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/driver/native.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "compiler/interp/interp.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 20, COMPILED = 5, BIG_LINES = 10000, BIG_BYTES = 8 << 20 };

typedef struct Ready {
    Str text, record;
    char *padded; /* the record, a line */
    const char *folder;
    Diag diag;
} Ready;

static void tell(const char *what, int64_t ns, const char *limit)
{
    printf("%-44s %9.3f ms   (limit %s)\n", what, (double)ns / 1e6, limit);
}

/* From text to IR. */
static IrProgram *front(Ready *r, NativeSet *set, Str text)
{
    Source *source;
    IrProgram *ir = NULL;
    CompileOptions options = {.diag = &r->diag};
    Status st = native_open(set, &r->diag);
    if (!st) st = source_add(&set->front.sources, STR("ready.tutti"), text, &source, &r->diag);
    if (!st) st = bundle_open(source, &r->diag);
    if (!st) st = compile_source(set->front.arena, source, &set->front.diags, &options, &ir);
    return st ? NULL : ir;
}

/* One event through the first pipeline; false: it does not run. */
static bool event(Ready *r, FlowProgram *program)
{
    FlowInstance *instance = NULL;
    if (flow_instance_new(program, 0, NULL, NULL, &instance, &r->diag)) return false;
    RtBatch batch = {.bytes = r->padded, .len = r->record.len + 1, .received_ns = 1};
    flow_feed(instance, &batch);
    flow_instance_free(instance);
    return true;
}

static int64_t interpreted(Ready *r, int64_t *front_ns)
{
    NativeSet set;
    const RtProgram *table;
    int64_t begin = clock_monotonic_ns(), took = -1;
    IrProgram *ir = front(r, &set, r->text);
    *front_ns = clock_monotonic_ns() - begin;
    FlowProgram *program = NULL;
    if (ir && !interp_program(ir, set.front.arena, &table, &r->diag) &&
        !flow_program_static(table, &program, &r->diag) && event(r, program))
        took = clock_monotonic_ns() - begin;
    flow_program_free(program);
    native_close(&set);
    return took;
}

/* Emits, compiles in `quick` or in full, or finds it, loads, and runs an event. `round`: another
 * text for each, so that none is found that was made before. */
static int64_t compiled(Ready *r, bool quick, int round, int64_t *load_ns)
{
    NativeSet set;
    int64_t begin = clock_monotonic_ns(), took = -1, loading = 0;
    IrProgram *ir = front(r, &set, r->text);
    AUTO_BUF Buf text, path;
    buf_init(&text, EMIT_BYTES_MAX);
    buf_init(&path, 4096);
    FlowProgram *program = NULL;
    bool is_quick;
    Status st = ir ? emit_c(ir, NULL, &text, &r->diag) : ST_INVALID;
    buf_printf(&text, "/* %d */\n", round);
    EmitUnits units = {.main = buf_view(&text)};
    if (!st && quick) st = cc_shared_object_quick(&units, r->folder, &path, &is_quick, &r->diag);
    if (!st && !quick) st = cc_shared_object(&units, r->folder, &path, NULL, &r->diag);
    loading = clock_monotonic_ns();
    if (!st) st = flow_program_load(path.ptr, &program, &r->diag);
    *load_ns = clock_monotonic_ns() - loading;
    if (!st && event(r, program)) took = clock_monotonic_ns() - begin;
    flow_program_free(program);
    native_close(&set);
    return took;
}

/* The program, then again and again its pipelines, each under a name of its own. */
static int64_t big(Ready *r, uint32_t *lines)
{
    AUTO_BUF Buf text;
    buf_init(&text, BIG_BYTES);
    *lines = 0;
    for (uint32_t n = 0; *lines < BIG_LINES; n++) {
        const char *p = r->text.ptr, *end = p + r->text.len;
        const char *second = n ? strstr(p, "\npipeline ") : NULL;
        if (second) p = second + 1;
        while (p < end) {
            const char *stop = memchr(p, '\n', (size_t)(end - p));
            stop = stop ? stop + 1 : end;
            bool head = end - p > 9 && memcmp(p, "pipeline ", 9) == 0;
            if (head) buf_printf(&text, "pipeline n%u_", n);
            buf_add(&text, p + (head ? 9 : 0), (size_t)(stop - p) - (head ? 9 : 0));
            ++*lines;
            p = stop;
        }
    }
    NativeSet set;
    int64_t begin = clock_monotonic_ns();
    bool done = front(r, &set, buf_view(&text)) && !set.front.diags.error_count;
    int64_t took = clock_monotonic_ns() - begin;
    native_close(&set);
    return done ? took : -1;
}

static void least(int64_t *best, int64_t ns)
{
    if (!*best || ns < *best) *best = ns;
}

static bool read_text(const char *path, Buf *out)
{
    FILE *file = fopen(path, "rb");
    char part[4096];
    if (!file) return false;
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) buf_add(out, part, n);
    (void)fclose(file);
    return buf_status(out) == ST_OK;
}

int main(int argc, char **argv)
{
    AUTO_BUF Buf text;
    buf_init(&text, BIG_BYTES);
    if (argc != 4 || !read_text(argv[1], &text)) {
        (void)fputs("usage: ready FILE RECORD FOLDER\n", stderr);
        return 2;
    }
    buf_char(&text, '\0'); /* for strstr */
    text.len--;
    Ready r = {.text = buf_view(&text), .record = {argv[2], strlen(argv[2])}, .folder = argv[3]};
    r.padded = mem_zalloc(1, r.record.len + 1 + RT_PAD_BYTES);
    memcpy(r.padded, r.record.ptr, r.record.len);
    r.padded[r.record.len] = '\n';
    int64_t checked = 0, first = 0, load = 0, cached = 0, large = 0, quick = 0, full = 0, ns, part;
    uint32_t lines = 0;
    bool fine = true;
    for (int i = 0; i < ROUNDS; i++) {
        fine &= (ns = interpreted(&r, &part)) > 0;
        least(&checked, part);
        least(&first, ns);
    }
    for (int i = 0; i < COMPILED && fine; i++) {
        fine &= (ns = compiled(&r, true, i, &part)) > 0;
        least(&quick, ns);
        fine &= (ns = compiled(&r, false, i, &part)) > 0;
        least(&full, ns);
    }
    for (int i = 0; i < ROUNDS && fine; i++) {
        fine &= (ns = compiled(&r, false, 0, &part)) > 0;
        least(&load, part);
        least(&cached, ns);
    }
    for (int i = 0; i < 3; i++) {
        ns = big(&r, &lines);
        if (ns > 0) least(&large, ns);
    }
    if (!fine) {
        (void)fprintf(stderr, "ready: it does not run: %s\n", r.diag.text);
        return 1;
    }
    tell("front end", checked, "1 ms for 40 lines");
    tell("text to first event, interpreter", first, "5 ms");
    tell("text to first event, C without optimising", quick, "100 ms");
    tell("text to first event, C in full", full, "none");
    tell("text to first event, C in the cache", cached, "none");
    tell("loading a cached object", load, "1 ms");
    char what[64];
    (void)snprintf(what, sizeof what, "front end, %u lines", lines);
    if (large)
        tell(what, large, "60 ms");
    else
        printf("%s: %s\n", what, r.diag.text);
    mem_free(r.padded);
    return 0;
}
