/* compiler/emit_c/emit.c: the whole text of a program: contract, tables, stages. */
#include "compiler/emit_c/emit_int.h"
#include "compiler/layout/layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* The texts of abi.h and hot.h, pasted in front of everything generated. */
#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n.global " #name "\n" #name ":\n.incbin \"" file                     \
            "\"\n.byte 0\n.previous\n");                                                           \
    extern const char name[]
EMBED(emit_text_abi, EMIT_ABI_FILE);
EMBED(emit_text_hot, EMIT_HOT_FILE);

void emit_f(Emit *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *room = n < 0 ? NULL : buf_reserve(e->out, (size_t)n + 1);
    if (room) {
        vsnprintf(room, (size_t)n + 1, format, again);
        e->out->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void emit_fail(Emit *e, Status status, const char *format, ...)
{
    if (e->failed) return;
    va_list args;
    char text[200];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->failed = diag_set(e->diag, status, "%s", text);
}

void emit_literal(Emit *e, Str text)
{
    buf_char(e->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(e->out, "\\%c", c);
        else if (c < 32 || c > 126 || c == '?')
            buf_printf(e->out, "\\%03o", c); /* '?': trigraphs */
        else
            buf_char(e->out, (char)c);
    }
    buf_char(e->out, '"');
}

/* Which feed a batch takes; those of joins are written here. */
static void other_groups(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    uint32_t groups = 0;
    for (uint32_t i = 1; i < p->stage_count; i++) {
        if (p->stages[i].from != IR_FROM_SOURCE || !emit_group(e, i)) continue;
        emit_in_schema(e, e->group, p->stages[i].schema);
        emit_feed(e, i, STR_NONE);
        groups++;
    }
    emit_f(e, "static void feed_%" PRIu32 "(RtPipe *pipe, const RtBatch *batch)\n{\n", e->index);
    if (groups) emit_f(e, "    switch (sources_%" PRIu32 "[batch->source].group) {\n", e->index);
    for (uint32_t g = 1; g <= groups; g++)
        emit_f(e, "    case %" PRIu32 ": feed_%" PRIu32 "_%" PRIu32 "(pipe, batch); return;\n", g,
               e->index, g);
    emit_f(e, "%s    feed_%" PRIu32 "_0(pipe, batch);\n}\n", groups ? "    }\n" : "", e->index);
}

static void rows(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    emit_f(e,
           "static void row_%" PRIu32
           "(RtPipe *pipe, u32 window, const RtWindowRow *row)\n{\n    switch (window) {\n",
           e->index);
    for (uint32_t i = 0; i < p->window_count; i++)
        if (p->windows[i].out_stage != NO_INDEX)
            emit_f(e,
                   "    case %" PRIu32 ": stage_%" PRIu32 "_%" PRIu32
                   "(pipe, row->values, row->has); break;\n",
                   i, e->index, p->windows[i].out_stage);
    emit_f(e, "    }\n}\n");
}

/* What begins behind `each`, or with an error record: the runtime names the stage. */
static void run(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    emit_f(e,
           "static void run_%" PRIu32
           "(RtPipe *pipe, u32 stage, const RtValue *v, const u8 *h)\n{\n    switch (stage) {\n",
           e->index);
    for (uint32_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].from == IR_FROM_EACH || p->stages[i].from == IR_FROM_ASK ||
            p->stages[i].from == IR_FROM_ERROR)
            emit_f(e, "    case %" PRIu32 ": stage_%" PRIu32 "_%" PRIu32 "(pipe, v, h); break;\n",
                   i, e->index, i);
    emit_f(e, "    }\n}\n");
}

static void pipeline(Emit *e, Str sample)
{
    const IrPipeline *p = e->pipeline;
    if (!emit_group(e, 0)) return;
    emit_f(e, "\n/* ==== pipeline %.*s ==== */\n", STR_ARG(p->name));
    emit_slots(e);
    emit_in_schema(e, 0, p->in_schema);
    emit_tables(e);
    for (uint32_t i = 1; i < p->stage_count; i++)
        emit_f(e,
               "static void stage_%" PRIu32 "_%" PRIu32
               "(RtPipe *pipe, const RtValue *v, const u8 *h);\n",
               e->index, i);
    for (uint32_t i = p->stage_count; i-- > 0;) emit_stage(e, i);
    if (p->filter) emit_filter(e);
    emit_f(e, "#line 1 \"generated\"\n");
    emit_feed(e, 0, sample);
    other_groups(e);
    rows(e);
    run(e);
}

/* FNV-1a: names a version; the cache's key is cryptographic (cc.c). */
static uint64_t emit_hash(Str text)
{
    uint64_t h = 1469598103934665603ull;
    for (size_t i = 0; i < text.len; i++) h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211ull;
    return h;
}

static void program_table(Emit *e)
{
    const IrProgram *ir = e->ir;
    emit_f(e, "\nstatic const RtConnectionInfo connections[] = {\n");
    for (uint32_t i = 0; i < ir->connection_count; i++) {
        const IrConnection *c = &ir->connections[i];
        emit_f(e, "    {");
        emit_literal(e, c->name);
        emit_f(e, ", ");
        emit_literal(e, c->kind);
        emit_f(e, ", ");
        emit_literal(e, c->url);
        emit_f(e, ", ");
        emit_options(e, c->options, c->option_count);
        emit_f(e, "},\n");
    }
    emit_f(e, "    {0}};\n");
    emit_file_tables(e);
    emit_f(e, "static const RtPipelineInfo pipelines[] = {\n");
    for (uint32_t i = 0; i < ir->pipeline_count; i++) {
        const IrPipeline *p = &ir->pipelines[i];
        emit_f(e, "    {.name = ");
        emit_literal(e, p->name);
        emit_f(e,
               ", .sources = sources_%" PRIu32 ", .sinks = sinks_%" PRIu32
               ", .nodes = nodes_%" PRIu32 ", .wires = wires_%" PRIu32
               ", .windows = windows_%" PRIu32 ", .mems = mems_%" PRIu32 ",\n",
               i, i, i, i, i, i);
        emit_f(e,
               "     .source_count = %" PRIu32 ", .sink_count = %" PRIu32 ", .node_count = %" PRIu32
               ", .wire_count = %" PRIu32 ", .window_count = %" PRIu32 ", .mem_count = %" PRIu32
               ",\n",
               p->source_count, p->sink_count, p->node_count, p->wire_count, p->window_count,
               p->mem_count);
        emit_f(e,
               "     .error_sinks = error_sinks_%" PRIu32 ", .error_sink_count = %" PRIu32
               ", .error_drop = %d, .error_stage = %" PRIu32 "u, .bounded = %d, .has_time = %d,\n",
               i, p->error_sink_count, p->error_drop,
               p->error_stage == NO_INDEX ? 0 : p->error_stage, p->bounded, p->time.present);
        emit_f(e, "     .clock_keys = %" PRIu32 ", .clock_types = (const u8[]){",
               p->time.key_count);
        for (uint32_t k = 0; k < p->time.key_count; k++)
            emit_f(e, "%d, ", (int)p->time.keys[k].type);
        emit_f(e, "0}, .clock_bytes_max = (const u32[]){");
        for (uint32_t k = 0; k < p->time.key_count; k++)
            emit_f(e, "%" PRIu32 ", ", p->time.keys[k].bytes_max);
        emit_f(e, "0},\n");
        emit_f(e,
               "     .order_ns = %" PRId64 "ll, .idle_ns = %" PRId64 "ll, .ahead_ns = %" PRId64
               "ll, .stop_above = %a, .stop_in_ns = %" PRId64 "ll,\n",
               p->time.order_ns, p->time.idle_ns, p->time.ahead_ns, p->stop_above, p->stop_in_ns);
        emit_f(e,
               "     .joins = joins_%" PRIu32 ", .join_count = %" PRIu32
               ", .tables = looks_%" PRIu32 ", .table_count = looks_%" PRIu32 "_count,\n",
               i, p->join_count, i, i);
        emit_f(e,
               "     .in = &schema_in_%" PRIu32 "_0_0, .layout_count = layouts_%" PRIu32
               ", .feed = feed_%" PRIu32 ", .row = row_%" PRIu32 ", .run = run_%" PRIu32 "},\n",
               i, i, i, i, i);
    }
    Str name = ir->source ? ir->source->path : STR("program");
    for (size_t i = name.len; i-- > 0;)
        if (name.ptr[i] == '/') {
            name = str_skip(name, i + 1);
            break;
        }
    emit_f(e,
           "    {0}};\nstatic void bind(const RtApi *api) { if (rt != api) rt = api; }\n"
           "extern const RtProgram tutti_program;\n"
           "__attribute__((visibility(\"default\"))) const RtProgram tutti_program = {.abi = "
           "RT_ABI, .pipeline_count = %" PRIu32 ", .name = ",
           ir->pipeline_count);
    emit_literal(e, name);
    emit_f(e,
           ", .hash = \"%016" PRIx64
           "\", .pipelines = pipelines, .connections = connections, .connection_count = %" PRIu32
           ", .tables = tables, .table_count = %" PRIu32
           ", .shares = shares, .share_count = %" PRIu32 ", .externs = %s, .bind = bind};\n",
           emit_hash(buf_view(e->out)), ir->connection_count, ir->table_count, ir->share_count,
           ir->extern_count ? "tutti_externs" : "0");
}

Status emit_c(const IrProgram *program, const Str *samples, Buf *out, Diag *diag)
{
    Emit e = {.ir = program, .out = out, .diag = diag};
    e.arena = arena_new(64 << 10, 256 << 20);
    if (!e.arena) return diag_set(diag, ST_NO_MEMORY, "compiling");
    buf_init(&e.literal, EMIT_BYTES_MAX);
    emit_f(&e, "/* Generated by tutti; do not edit. */\n");
    buf_text(out, emit_text_abi);
    buf_text(out, emit_text_hot);
    emit_f(&e, "static const RtApi *rt;\n");
    if (program->extern_count) emit_f(&e, "extern const RtExtern tutti_externs[];\n");
    emit_schemas(&e);
    for (uint32_t i = 0; i < program->pipeline_count && !e.failed; i++) {
        e.pipeline = &program->pipelines[i];
        e.index = i;
        pipeline(&e, samples ? samples[i] : STR_NONE);
    }
    emit_shares(&e, samples);
    program_table(&e);
    buf_done(&e.literal);
    arena_free(e.arena);
    if (e.failed) return e.failed;
    return buf_status(out) ? diag_set(diag, buf_status(out), "the generated text is too long")
                           : ST_OK;
}
