/* compiler/ir/explain.c: `tutti explain FILE`: stages, reasons, keys, bounds, delivery. */
#include "compiler/ir/explain.h"

static void duration(Buf *out, int64_t ns)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
                 {"ms", 1000000},       {"us", 1000},         {"ns", 1}};
    if (ns == 0) buf_text(out, "0s");
    for (size_t i = 0; i < COUNT_OF(units) && ns > 0; i++) {
        if (ns < units[i].ns) continue;
        buf_printf(out, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
        ns %= units[i].ns;
    }
}

/* A quantile's buckets for one power of two: 2^bits counters, as fine as `within` asks. */
static uint64_t octave_bytes(double within)
{
    uint32_t bits = 1;
    while (bits < 12 && 1.0 / (double)(2u << bits) > within) bits++;
    return 16 + ((uint64_t)4 << bits);
}

uint64_t ir_window_bytes(const IrWindow *w)
{
    uint64_t bytes = 64; /* the slot's own head: hash, times, count */
    for (uint32_t i = 0; i < w->key_count; i++)
        bytes += w->keys[i].type == IR_STR ? w->keys[i].bytes_max : 8;
    for (uint32_t i = 0; i < w->agg_count; i++)
        bytes += w->aggs[i].kind == AGG_QUANTILE ? 32 : w->aggs[i].kind == AGG_STDDEV ? 24 : 16;
    return bytes;
}

static void window(const IrPipeline *p, const IrWindow *w, Buf *out)
{
    if (w->kind == WINDOW_TUMBLE) {
        buf_text(out, "    every ");
        duration(out, w->size_ns);
        buf_text(out, w->event_time ? " of event time" : " of arrival time");
    } else {
        buf_printf(out, "    every %llu records", (unsigned long long)w->size_count);
    }
    buf_text(out, w->key_count ? ", one row for each " : ", one row for all");
    for (uint32_t i = 0; i < w->key_count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(w->keys[i].name));
    buf_printf(out, "\n    state: at most %llu bytes a key and window",
               (unsigned long long)ir_window_bytes(w));
    if (w->event_time && w->kind == WINDOW_TUMBLE && w->size_ns > 0)
        buf_printf(out, ", %lld windows open at once in a stream without gaps",
                   (long long)(p->time.order_ns / w->size_ns + 2));
    for (uint32_t i = 0; i < w->agg_count; i++)
        if (w->aggs[i].kind == AGG_QUANTILE)
            buf_printf(out, "\n    and %llu for each power of two that a quantile's values span",
                       (unsigned long long)octave_bytes(w->aggs[i].within));
    buf_text(out, w->late_stage != NO_INDEX ? "\n    late records go where `on late` says\n"
                  : w->late_dead            ? "\n    late records go to the dead-letter table\n"
                                            : "\n    late records are counted\n");
}

static void time_of(const IrTime *t, Buf *out)
{
    buf_text(out, "    the watermark is the highest time seen minus ");
    duration(out, t->order_ns);
    buf_text(out, "; a source silent for ");
    duration(out, t->idle_ns);
    buf_text(out, " lets it advance");
    if (t->ahead_ns) {
        buf_text(out, "; more than ");
        duration(out, t->ahead_ns);
        buf_text(out, " ahead of the clock is an error");
    }
    buf_char(out, '\n');
}

static const char *delivery(const IrSink *s)
{
    if (str_is(s->kind, "historian"))
        return "each row once: its key names it, writing it again replaces it";
    if (str_is(s->kind, "stdout") || str_is(s->kind, "file"))
        return "in order; after a crash the rows since the last checkpoint may stand twice";
    if (str_is(s->kind, "dead")) return "at least once; kept until it is replayed or removed";
    if (str_is(s->kind, "uns")) return "at least once; the last value of a path wins";
    return s->key_count ? "each row once by its key"
                        : "at least once: acknowledged upstream only after it is delivered";
}

static void node(const IrProgram *program, const IrPipeline *p, uint32_t index, Buf *out)
{
    const IrNode *n = &p->nodes[index];
    SourcePlace at = source_place(program->source, n->span.start);
    buf_printf(out, "  line %u  %.*s\n", at.line, STR_ARG(n->label));
    if (p->time.present && p->time.node == index) time_of(&p->time, out);
    for (uint32_t i = 0; i < p->window_count; i++)
        if (p->windows[i].node == index) window(p, &p->windows[i], out);
    for (uint32_t i = 0; i < p->sink_count; i++)
        if (p->sinks[i].node == index) buf_printf(out, "    %s\n", delivery(&p->sinks[i]));
    if (n->reason_count) {
        buf_text(out, "    may fail: ");
        for (uint32_t r = 0; r < n->reason_count; r++)
            buf_printf(out, "%s%.*s", r ? ", " : "", STR_ARG(n->reasons[r]));
        buf_char(out, '\n');
    }
}

static void errors(const IrPipeline *p, Buf *out)
{
    if (p->error_sink_count)
        buf_text(out, "  records that fail go where `on error` says");
    else
        buf_text(out, p->error_drop ? "  records that fail are counted and dropped"
                                    : "  records that fail go to the dead-letter table");
    if (p->stop_above > 0) {
        buf_printf(out, "; the pipeline stops above %g%% in ", p->stop_above * 100);
        duration(out, p->stop_in_ns);
    }
    buf_char(out, '\n');
}

static void needs(const IrPipeline *p, Buf *out)
{
    const IrStage *s = &p->stages[0];
    uint32_t needed = 0;
    for (uint32_t i = 0; i < s->leaf_count; i++) needed += s->leaves[i].needed;
    buf_printf(out, "  decodes %u of %u fields:", needed, s->leaf_count);
    for (uint32_t i = 0; i < s->leaf_count; i++)
        if (s->leaves[i].needed) buf_printf(out, " %.*s", STR_ARG(s->leaves[i].name));
    buf_char(out, '\n');
}

void ir_explain(const IrProgram *program, Str pipeline, Buf *out)
{
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        const IrPipeline *p = &program->pipelines[i];
        if (pipeline.len && !str_eq(pipeline, p->name)) continue;
        buf_printf(out, "pipeline %.*s%s\n", STR_ARG(p->name),
                   p->bounded ? " (ends with its input)" : "");
        needs(p, out);
        for (uint32_t n = 0; n < p->node_count; n++) node(program, p, n, out);
        errors(p, out);
    }
}

void ir_graph_text(const IrProgram *program, Str pipeline, Buf *out)
{
    static const char *const ports[] = {"", " error", " late"};
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        const IrPipeline *p = &program->pipelines[i];
        if (pipeline.len && !str_eq(pipeline, p->name)) continue;
        buf_printf(out, "pipeline %.*s\n", STR_ARG(p->name));
        for (uint32_t n = 0; n < p->node_count; n++)
            buf_printf(out, "  %u %.*s\n", n, STR_ARG(p->nodes[n].label));
        for (uint32_t w = 0; w < p->wire_count; w++)
            buf_printf(out, "  %u -> %u%s\n", p->wires[w].from, p->wires[w].to,
                       ports[p->wires[w].port]);
    }
}
