/* compiler/emit_c/feed.c: the loop over a batch of lines or records.
 *
 * Each record is tried in the learnt layouts, the one that fitted last first, and read in any order
 * when none fits; all ways put values into one array, and the first stage, inlined behind them,
 * works on that. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"
#include "compiler/layout/layout.h"

#include <inttypes.h>

static const IrSource *group_source(const Emit *e)
{
    return ir_group_source(e->pipeline, e->group);
}

bool emit_group(Emit *e, uint32_t stage)
{
    const IrStage *s = &e->pipeline->stages[stage];
    e->group = s->from_index;
    if (ir_leaves(e->ir, s->schema, e->arena, (IrLeaf **)&e->leaves, &e->leaf_count) != ST_OK ||
        !(e->needed = arena_many(e->arena, bool, e->leaf_count + 1))) {
        emit_fail(e, ST_NO_MEMORY, "compiling");
        return false;
    }
    layout_needed(s, group_source(e)->check, e->needed, e->leaf_count);
    return true;
}

/* How much of the record, and where it stands. */
static void looked_at(Emit *e, const IrSource *s)
{
    if (ir_group_mixed(e->pipeline, e->group))
        emit_f(e, "from->check, from->reject, p, stop, &scan);\n");
    else
        emit_f(e, "%d, %d, p, stop, &scan);\n", (int)s->check, s->unknown == UNKNOWN_REJECT);
}

static void any_order(Emit *e, IrFormat format)
{
    const IrSource *s = group_source(e);
    uint32_t depth = e->group * EMIT_GROUP_DEPTH;
    bool direct = ir_format_is_bytes(format); /* without layouts nothing else is in them */
    emit_f(e, "        RtScan scan = {.value = %s, .has = %s", direct ? "v" : "wide",
           direct ? "h" : "there");
    if (!e->group && e->pipeline->filter && s->check == CHECK_LAZY)
        emit_f(e, ", .keeps = keeps_%" PRIu32, e->index);
    emit_f(e, "};\n        int why = ");
    switch (format) {
    case FORMAT_CSV:
        emit_f(e, "rt->scan_csv(pipe, &schema_in_%" PRIu32 "_%" PRIu32 "_0, p, stop, &scan);\n",
               e->index, depth);
        break;
    case FORMAT_TEXT:
    case FORMAT_RAW:
        emit_f(e, "rt->scan_%s(pipe, &schema_in_%" PRIu32 "_%" PRIu32 "_0, p, stop, &scan);\n",
               format == FORMAT_TEXT ? "text" : "raw", e->index, depth);
        break;
    case FORMAT_MSGPACK:
    case FORMAT_CBOR:
    case FORMAT_PROTOBUF:
        emit_f(e, "rt->scan_bytes(pipe, %d, &schema_in_%" PRIu32 "_%" PRIu32 "_0, ", (int)format,
               e->index, depth);
        looked_at(e, s);
        break;
    default:
        emit_f(e, "rt->scan(pipe, &schema_in_%" PRIu32 "_%" PRIu32 "_0, ", e->index, depth);
        looked_at(e, s);
    }
    if (format == FORMAT_CSV)
        emit_f(e, "        if (why < 0) { p = next; continue; } /* the header */\n");
    emit_f(e, "        pipe->n.in++;\n");
    emit_f(e,
           "        if (why) { rt->error(pipe, %" PRIu32
           ", scan.reason, scan.path, 0); p = next; continue; }\n",
           s->node);
    for (uint32_t i = 0; i < e->leaf_count && !direct; i++)
        if (e->needed[i])
            emit_f(e,
                   "        v[%" PRIu32 "] = wide[%" PRIu32 "]; h[%" PRIu32 "] = there[%" PRIu32
                   "];\n",
                   i, i, i, i);
}

/* Where all records of a batch miss, not each one is tried. Leaves `next` behind the record's last
 * byte looked at, or NULL. */
void emit_try_layouts(Emit *e, uint32_t count)
{
    const char *worth = ir_group_mixed(e->pipeline, e->group)
                            ? "!from->differs && RT_LIKELY(misses < 32 || misses % 16 == 0)"
                            : "RT_LIKELY(misses < 32 || misses % 16 == 0)";
    emit_f(e, "        next = 0;\n");
    if (count == 1) {
        emit_f(e,
               "        if (%s) next = learnt_%" PRIu32 "_0(pipe, p, end, lines, v, h, bet);\n"
               "        if (next) {\n            pipe->n.layout[0]++;\n",
               worth, e->index);
        return;
    }
    emit_f(e, "        u32 turn = 0;\n        if (%s) do {\n", worth);
    emit_f(e, "            switch (pipe->layout[turn]) {\n");
    for (uint32_t i = 0; i < count; i++)
        emit_f(e,
               "            case %" PRIu32 ": next = learnt_%" PRIu32 "_%" PRIu32
               "(pipe, p, end, lines, v, h, bet); break;\n",
               i, e->index, i);
    emit_f(e,
           "            }\n        } while (!next && ++turn < %" PRIu32 ");\n"
           "        if (next) {\n            rt_layout_hit(pipe, turn);\n",
           count);
}

static void begin(Emit *e)
{
    uint32_t leaves = e->leaf_count ? e->leaf_count : 1;
    emit_f(e,
           "static void feed_%" PRIu32 "_%" PRIu32 "(RtPipe *pipe, const RtBatch *batch)\n{\n"
           "    const char *p = batch->bytes, *end = p ? p + batch->len : p;\n"
           "    const RtRecord *record = batch->records, *const last = record ? record + "
           "batch->count : record;\n"
           "    const u32 lines = p != 0, source = batch->source;\n"
           "    u32 misses = 0;\n"
           "    RtValue v[%" PRIu32 "], wide[%" PRIu32 "];\n    u8 h[%" PRIu32 "], there[%" PRIu32
           "];\n    u64 bet[%" PRIu32 "] = {0};\n",
           e->index, e->group, leaves, leaves, leaves, leaves, e->bets + 1);
    if (ir_group_mixed(e->pipeline, e->group))
        emit_f(e, "    const RtSourceInfo *const from = &pipe->info->sources[source];\n");
    emit_f(e,
           "    pipe->received_ns = batch->received_ns; pipe->ack = 0;\n"
           "    pipe->topic = batch->topic; pipe->topic_len = batch->topic_len;\n"
           "    pipe->key_len = pipe->headers_len = 0;\n"
           "    for (u32 i = 0; i < %" PRIu32 "; i++) h[i] = 0, v[i].u = 0;\n",
           leaves);
    emit_f(e, "    while (!pipe->stopped) {\n"
              "        const char *next, *stop;\n"
              "        if (!lines) {\n"
              "            if (record == last) return;\n"
              "            p = record->ptr; end = p + record->len;\n"
              "            pipe->received_ns = record->received_ns; pipe->ack = record->ack;\n"
              "            pipe->topic = record->topic; pipe->topic_len = record->topic_len;\n"
              "            pipe->key = record->key; pipe->key_len = record->key_len;\n"
              "            pipe->headers = record->headers;\n"
              "            pipe->headers_len = record->headers_len;\n"
              "            record++;\n"
              "        } else if (p >= end) return;\n"
              "        pipe->scratch_len = 0;\n        pipe->raw = p;\n");
}

/* Streams of joins are read in any order: they are slow ones, and a learnt layout is code. */
void emit_feed(Emit *e, uint32_t stage, Str sample)
{
    const IrSource *source = group_source(e);
    bool json = source->format == FORMAT_JSON || source->format == FORMAT_NONE;
    bool lazy = source->check == CHECK_LAZY;
    e->bets = 0;
    uint32_t layouts = json && !e->group ? emit_layouts(e, sample) : 0;
    if (!e->group) emit_f(e, "enum { layouts_%" PRIu32 " = %" PRIu32 " };\n", e->index, layouts);
    begin(e);
    if (layouts) {
        emit_try_layouts(e, layouts);
        if (lazy)
            emit_f(e,
                   "            if (lines) next = rt_steady(next, rt_line_end(next, end), "
                   "&bet[%" PRIu32 "]);\n"
                   "            else next = end;\n"
                   "            pipe->raw_len = (u64)(next - p) - (next[-1] == '\\r');\n"
                   "            next++;\n",
                   e->bets);
        else
            emit_f(e, "            pipe->raw_len = (u64)(next - p);\n"
                      "            next += 1 + (RT_RARE(*next == '\\r') ? 1 : 0);\n");
        emit_f(
            e,
            "            misses = 0;\n            pipe->n.in++;\n            pipe->n.learnt++;\n"
            "            if (RT_RARE(pipe->n.learnt %% RT_FITTED_EVERY == 0)) rt->fitted(pipe);\n"
            "        } else {\n");
    } else {
        emit_f(e, "        {\n");
    }
    emit_f(e, "        stop = lines ? rt_line_end(p, end) : end;\n"
              "        next = stop + 1;\n"
              "        if (lines) {\n"
              "            const char *q = p;\n"
              "            while (q < stop && (*q == ' ' || *q == '\\t' || *q == '\\r')) q++;\n"
              "            if (q == stop) { p = next; continue; } /* blank line */\n"
              "        }\n"
              "        pipe->raw_len = (u64)(stop - p)");
    if (!ir_format_is_bytes(source->format)) emit_f(e, " - (stop > p && stop[-1] == '\\r')");
    emit_f(e, ";\n");
    any_order(e, source->format);
    if (json && !e->group)
        emit_f(e, "        %smisses++, rt->missed(pipe);\n",
               ir_group_mixed(e->pipeline, e->group) ? "if (!from->differs) " : "");
    emit_f(e,
           "        }\n        stage_%" PRIu32 "_%" PRIu32 "(pipe, v, h%s);\n        p = next;\n",
           e->index, stage, stage ? "" : ", source");
    emit_f(e, "    }\n}\n");
}
