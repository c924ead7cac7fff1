/* compiler/ir/facts.c: facts of a program that its tables state; see facts.h. */
#include "compiler/ir/facts.h"

#include <inttypes.h>
#include <math.h>

uint32_t ir_leaf_count(const IrProgram *program, uint32_t schema)
{
    const IrSchema *s = &program->schemas[schema];
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        count += s->fields[i].type == IR_RECORD ? ir_leaf_count(program, s->fields[i].record) : 1;
    return count;
}

static uint64_t name_bytes(const IrProgram *ir, uint32_t schema)
{
    uint64_t bytes = 8;
    for (uint32_t i = 0; i < ir->schemas[schema].count; i++) {
        const IrField *field = &ir->schemas[schema].fields[i];
        bytes += field->name.len * 2 + 8;
        if (field->type == IR_RECORD) bytes += name_bytes(ir, field->record);
        if (field->type == IR_ENUM && field->names)
            for (uint32_t n = 0; n < field->names->count; n++) bytes += field->names->names[n].len;
    }
    return bytes;
}

uint64_t ir_row_bytes(const IrProgram *program, uint32_t schema)
{
    return name_bytes(program, schema) + 16;
}

uint32_t ir_reason_number(Str reason)
{
    static const char *const known[] = {
#define REASON(id, text, doc) text,
#include "compiler/type/reasons.def"
#undef REASON
    };
    for (uint32_t i = 1; i < COUNT_OF(known); i++) /* 0 is none */
        if (str_is(reason, known[i])) return i;
    return COUNT_OF(known);
}

bool ir_source_bounded(const IrSource *source)
{
    return str_is(source->kind, "stdin") || str_is(source->kind, "file");
}

bool ir_sink_takes_errors(const IrPipeline *pipeline, uint32_t sink)
{
    bool takes = pipeline->sinks[sink].schema == NO_INDEX || pipeline->sinks[sink].errors;
    for (uint32_t i = 0; i < pipeline->error_sink_count; i++)
        takes |= pipeline->error_sinks[i] == sink;
    return takes;
}

const char *ir_format_name(IrFormat format)
{
    static const char *const names[] = {"",    "json",    "csv",  "text",
                                        "raw", "msgpack", "cbor", "protobuf"};
    return names[format];
}

unsigned ir_sketch_bits(double within)
{
    unsigned bits = 1;
    while (bits < 12 && 1.0 / (double)(2u << bits) > within) bits++;
    return bits;
}

unsigned ir_distinct_bits(double within)
{
    unsigned bits = 7;
    while (bits < 20 && 3 * 1.04 / sqrt((double)(1u << bits)) > within) bits++;
    return bits;
}

unsigned ir_agg_bits(const IrAgg *agg)
{
    return agg->kind == AGG_QUANTILE   ? ir_sketch_bits(agg->within)
           : agg->kind == AGG_DISTINCT ? ir_distinct_bits(agg->within)
                                       : 0;
}

bool ir_agg_holds_text(const IrAgg *agg)
{
    bool text = agg->type == IR_STR || agg->type == IR_BYTES || agg->type == IR_JSON;
    return text && agg->kind >= AGG_MIN && agg->kind <= AGG_LAST;
}

uint32_t ir_agg_text_max(const IrAgg *agg, const IrField *out)
{
    return ir_agg_holds_text(agg) && out ? out->bytes_max : 0;
}

bool ir_window_plain(const IrWindow *w)
{
    bool classical = true;
    for (uint32_t i = 0; i < w->agg_count; i++) {
        bool text = w->aggs[i].type == IR_STR || w->aggs[i].type == IR_BYTES;
        bool ordered = w->aggs[i].kind == AGG_MIN || w->aggs[i].kind == AGG_MAX;
        classical = classical && w->aggs[i].kind <= AGG_QUANTILE && !(text && ordered);
    }
    return classical && (w->kind == WINDOW_TUMBLE || w->kind == WINDOW_COUNT) && !w->early_ns &&
           !w->keep_ns && !w->own_clock && !w->behind;
}

bool ir_agg_can_fail(const IrAgg *agg)
{
    bool is_float = agg->type == IR_F64 || agg->type == IR_F32;
    return agg->kind == AGG_QUANTILE || (agg->kind == AGG_SUM && !is_float) ||
           (agg->kind == AGG_MEAN && agg->type == IR_DECIMAL);
}

uint32_t ir_last_to_fail(const IrWindow *w)
{
    uint32_t a = w->agg_count;
    while (a && !ir_agg_can_fail(&w->aggs[a - 1])) a--;
    return a ? a - 1 : NO_INDEX;
}

bool ir_stage_asks(const IrPipeline *pipeline, const IrStage *stage)
{
    for (uint32_t i = 0; i < stage->code_count; i++)
        if (stage->code[i].op == IR_EACH &&
            pipeline->stages[stage->code[i].imm.index].from == IR_FROM_ASK)
            return true;
    return false;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* A type, with the names where the value is an index into them. */
static uint64_t mix_reg(uint64_t h, const IrReg *reg)
{
    h = mix(mix(h, (uint64_t)reg->type), reg->scale);
    for (uint32_t n = 0; reg->names && n < reg->names->count; n++)
        for (size_t c = 0; c < reg->names->names[n].len; c++)
            h = mix(h, (unsigned char)reg->names->names[n].ptr[c]);
    return h;
}

uint64_t ir_window_layout(const IrWindow *w)
{
    uint64_t h = mix(1, (uint64_t)w->kind);
    h = mix(h, (uint64_t)w->size_ns);
    h = mix(h, w->size_count);
    h = mix(h, w->event_time);
    h = mix(mix(h, (uint64_t)w->every_ns), (uint64_t)w->max_ns);
    h = mix(mix(h, (uint64_t)w->keep_ns), (uint64_t)w->early_ns);
    h = mix(mix(h, w->own_clock), w->panes);
    for (uint32_t i = 0; i < w->key_count; i++) h = mix_reg(h, &w->keys[i]);
    for (uint32_t i = 0; i < w->agg_count; i++) {
        uint64_t within;
        memcpy(&within, &w->aggs[i].within, 8);
        h = mix(mix(h, (uint64_t)w->aggs[i].kind), (uint64_t)w->aggs[i].type);
        h = mix(mix(mix(h, within), w->aggs[i].scale), w->aggs[i].count);
    }
    return h;
}

unsigned ir_mem_flags(const IrMem *m)
{
    return (unsigned)m->resets | (unsigned)m->share << 1 | (unsigned)m->starts << 2;
}

uint32_t ir_mem_bytes_max(const IrMem *m)
{
    if (m->kind == MEM_CELL) return m->bytes;
    return m->input_count ? m->inputs[0].bytes_max : 0;
}

uint64_t ir_mem_layout(const IrMem *m)
{
    uint64_t h = mix(2, (uint64_t)m->kind);
    h = mix(mix(h, ir_mem_flags(m)), m->count);
    h = mix(mix(h, ir_mem_bytes_max(m)), (uint64_t)m->span_ns);
    for (uint32_t i = 0; i < m->key_count; i++) h = mix_reg(h, &m->keys[i]);
    for (uint32_t i = 0; i < m->input_count && m->kind != MEM_CELL; i++)
        h = mix_reg(h, &m->inputs[i]);
    return h;
}

/* Not a strict one where there are others: it needs fields that nobody else does. */
const IrSource *ir_group_source(const IrPipeline *p, uint32_t group)
{
    const IrSource *found = NULL;
    for (uint32_t i = 0; i < p->source_count; i++) {
        const IrSource *s = &p->sources[i];
        if (s->group != group) continue;
        if (!found || (found->check == CHECK_STRICT && s->check != CHECK_STRICT)) found = s;
    }
    return found;
}

bool ir_reads_headers(const IrPipeline *pipeline)
{
    for (uint32_t s = 0; s < pipeline->stage_count; s++)
        for (uint32_t i = 0; i < pipeline->stages[s].code_count; i++) {
            const IrIns *ins = &pipeline->stages[s].code[i];
            if (ins->op == IR_META && ins->imm.meta.what == META_HEADERS) return true;
        }
    return false;
}

bool ir_source_differs(const IrPipeline *p, const IrSource *s)
{
    const IrSource *of = ir_group_source(p, s->group);
    return s->check != of->check ||
           (s->unknown == UNKNOWN_REJECT) != (of->unknown == UNKNOWN_REJECT);
}

bool ir_group_mixed(const IrPipeline *p, uint32_t group)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].group == group && ir_source_differs(p, &p->sources[i])) return true;
    return false;
}

uint32_t ir_tables_of(const IrProgram *program, const IrPipeline *pipeline, uint32_t *list)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < program->table_count; t++) {
        bool used = false;
        for (uint32_t s = 0; s < pipeline->stage_count && !used; s++)
            for (uint32_t i = 0; i < pipeline->stages[s].code_count && !used; i++) {
                const IrIns *ins = &pipeline->stages[s].code[i];
                used = ins->op == IR_LOOKUP && ins->imm.index == t;
            }
        if (used) list[count++] = t;
    }
    return count;
}

uint64_t ir_schema_layout(const IrProgram *program, uint32_t schema, uint64_t h)
{
    const IrSchema *s = &program->schemas[schema];
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        h = mix(mix(h, (uint64_t)f->type), f->scale);
        for (size_t c = 0; c < f->name.len; c++) h = mix(h, (unsigned char)f->name.ptr[c]);
        for (uint32_t n = 0; f->names && n < f->names->count; n++)
            for (size_t c = 0; c < f->names->names[n].len; c++)
                h = mix(h, (unsigned char)f->names->names[n].ptr[c]);
        if (f->type == IR_RECORD || f->type == IR_LIST)
            h = ir_schema_layout(program, f->record, mix(h, 7));
    }
    return mix(h, s->count);
}

uint64_t ir_join_layout(const IrProgram *program, const IrJoin *join)
{
    uint64_t h = mix(3, join->key_count);
    for (uint32_t i = 0; i < join->key_count; i++) h = mix_reg(h, &join->keys[i]);
    return ir_schema_layout(program, join->schema, h);
}

/* ---- options as JSON text ---- */

static void json_text(Buf *out, Str text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 32)
            buf_printf(out, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\') buf_char(out, '\\');
            buf_char(out, (char)c);
        }
    }
    buf_char(out, '"');
}

/* A register map as the Modbus driver reads it (runtime/modules/connectors/README.md). */
static void map_members(Buf *out, const IrMap *map, bool has_unit)
{
    static const char *const orders[][2] = {
        {"be", "ABCD"}, {"le", "DCBA"}, {"be_swap", "BADC"}, {"le_swap", "CDAB"}};
    if (!has_unit) buf_printf(out, "\"unit\":%" PRIu32 ",", map->unit_id);
    buf_printf(out, "\"every_ms\":%" PRIi64 ",\"stale_ms\":%" PRIi64 ",\"registers\":[",
               map->every_ns / 1000000, map->stale_ns / 1000000);
    for (uint32_t i = 0; i < map->field_count; i++) {
        const IrMapField *f = &map->fields[i];
        const char *order = "ABCD";
        for (size_t k = 0; k < COUNT_OF(orders); k++)
            if (str_is(f->order, orders[k][0])) order = orders[k][1];
        buf_text(out, i ? ",{\"name\":" : "{\"name\":");
        json_text(out, f->name);
        buf_text(out, ",\"type\":");
        json_text(out, f->wire_type);
        buf_text(out, ",\"area\":");
        json_text(out, f->area);
        buf_printf(out, ",\"address\":%" PRIu32 ",\"order\":\"%s\",\"scale\":%.17g", f->address,
                   order, f->scale);
        if (f->offset != 0) buf_printf(out, ",\"offset\":%.17g", f->offset);
        buf_text(out, f->tag ? ",\"tag\":true}" : "}");
    }
    buf_char(out, ']');
}

void ir_put_options(Buf *out, const IrOption *list, uint32_t count, const IrMap *map)
{
    bool has_unit = false;
    buf_char(out, '{');
    for (uint32_t i = 0; i < count; i++) has_unit |= str_is(list[i].name, "unit");
    if (map) {
        map_members(out, map, has_unit);
        if (count) buf_char(out, ',');
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_char(out, ',');
        json_text(out, list[i].name);
        buf_char(out, ':');
        switch (list[i].type) {
        case IR_BOOL: buf_text(out, list[i].value.boolean ? "true" : "false"); break;
        case IR_STR: json_text(out, list[i].value.text); break;
        case IR_F64: buf_printf(out, "%.17g", list[i].value.number); break;
        default: buf_i64(out, list[i].value.integer); break; /* durations in ns */
        }
    }
    buf_char(out, '}');
}

Status ir_put_keys(Buf *out, const IrProgram *program, const IrSink *sink, Arena *arena)
{
    IrLeaf *leaves = NULL;
    uint32_t count = 0;
    if (sink->key_count && sink->schema != NO_INDEX) {
        Status status = ir_leaves(program, sink->schema, arena, &leaves, &count);
        if (status) return status;
    }
    buf_char(out, '[');
    for (uint32_t k = 0; k < sink->key_count && sink->keys[k] < count; k++) {
        if (k) buf_char(out, ',');
        json_text(out, leaves[sink->keys[k]].name);
    }
    buf_char(out, ']');
    return ST_OK;
}

bool ir_reads_empty(const IrStage *stage, uint32_t leaf)
{
    if (leaf >= stage->leaf_count || !stage->leaves[leaf].optional) return false;
    return stage->from != IR_FROM_ASK || leaf + 1 != stage->leaf_count;
}
