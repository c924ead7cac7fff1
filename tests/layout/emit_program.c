/* tests/layout/emit_program.c: a program as C text, with what a sample teaches, for targets that
 * link the generated code:  emit_program PROGRAM.tutti SAMPLE.ndjson OUT.c */
#include "base/buf.h"
#include "compiler/compile.h"
#include "compiler/emit_c/emit.h"

#include <stdio.h>

static bool read_file(const char *path, Buf *out)
{
    FILE *in = fopen(path, "rb");
    char part[4096];
    if (!in) return false;
    for (size_t n; (n = fread(part, 1, sizeof part, in)) > 0;) buf_add(out, part, n);
    (void)fclose(in);
    return !buf_status(out);
}

static bool write_file(const char *path, Str text)
{
    FILE *out = fopen(path, "wb");
    if (!out) return false;
    bool fine = fwrite(text.ptr, 1, text.len, out) == text.len;
    return fclose(out) == 0 && fine;
}

int main(int argc, char **argv)
{
    Arena *arena = arena_new(0, (size_t)256 << 20);
    AUTO_BUF Buf sample, c;
    buf_init(&sample, EMIT_SAMPLE_BYTES);
    buf_init(&c, EMIT_BYTES_MAX);
    SourceSet sources;
    Source *source;
    DiagList diags;
    Diag diag = {0};
    IrProgram *ir = NULL;
    if (argc != 4 || !arena || !read_file(argv[2], &sample)) {
        (void)fprintf(stderr, "usage: emit_program PROGRAM.tutti SAMPLE.ndjson OUT.c\n");
        return 2;
    }
    source_set_init(&sources, arena);
    Status st = source_load(&sources, argv[1], &source, &diag);
    diag_list_init(&diags, arena, &sources);
    CompileOptions options = {.diag = &diag};
    if (!st) st = compile_source(arena, source, &diags, &options, &ir);
    Str *samples = ir ? arena_many(arena, Str, ir->pipeline_count) : NULL;
    for (uint32_t i = 0; samples && i < ir->pipeline_count; i++) samples[i] = buf_view(&sample);
    if (!st && !diags.error_count) st = emit_c(ir, samples, &c, &diag);
    if (st || diags.error_count || !write_file(argv[3], buf_view(&c))) {
        (void)fprintf(stderr, "emit_program: %s: %s\n", argv[1],
                      diags.error_count ? "the program has errors" : diag.text);
        return 1;
    }
    arena_free(arena);
    return 0;
}
