/* compiler/link/link.c: the tables of pipelines in memory; see link.h.
 *
 * The order of things follows emit_c/table.c, whose output must be the same. */
#include "compiler/link/link_int.h"

#include "compiler/ir/facts.h"

#include <inttypes.h>

void *link__alloc(Link *link, size_t count, size_t bytes)
{
    void *p = arena_array(link->arena, count, bytes);
    link->failed |= !p;
    return p;
}

const char *link__text(Link *link, Str text)
{
    if (!text.len) return "";
    Str copy = arena_str(link->arena, text);
    link->failed |= !copy.ptr;
    return copy.ptr ? copy.ptr : "";
}

const char *const *link__names(Link *link, const IrEnum *names)
{
    const char **out = names ? link__alloc(link, names->count + 1, sizeof *out) : NULL;
    for (uint32_t i = 0; out && i < names->count; i++) out[i] = link__text(link, names->names[i]);
    return out;
}

static const char *buffer_text(Link *link, Buf *text)
{
    link->failed |= buf_status(text) != ST_OK;
    return link__text(link, buf_view(text));
}

static const char *options(Link *link, const IrOption *list, uint32_t count, const IrMap *map)
{
    if (!count && !map) return "{}";
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 20);
    ir_put_options(&text, list, count, map);
    return buffer_text(link, &text);
}

static const char *connection(Link *link, uint32_t index)
{
    return index == NO_INDEX ? "" : link__text(link, link->ir->connections[index].name);
}

static const RtProto *proto(Link *link, const IrProto *from)
{
    RtProto *out = from ? link__alloc(link, 1, sizeof *out) : NULL;
    RtProtoField *list = out ? link__alloc(link, from->count + 1, sizeof *list) : NULL;
    if (!list) return NULL;
    *out = (RtProto){list, from->count};
    for (uint32_t i = 0; i < from->count; i++) {
        const IrProtoField *f = &from->fields[i];
        i32 *values = f->value_count ? link__alloc(link, f->value_count, sizeof *values) : NULL;
        for (uint32_t k = 0; values && k < f->value_count; k++) values[k] = f->values[k];
        list[i] = (RtProtoField){.number = f->number,
                                 .kind = f->kind,
                                 .flags = f->flags,
                                 .field = f->field == NO_INDEX ? RT_PROTO_ENDS : (u16)f->field,
                                 .oneof = (u16)f->oneof,
                                 .value_count = (u16)f->value_count,
                                 .values = values,
                                 .child = proto(link, f->child)};
    }
    return out;
}

static void sources(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtSourceInfo *list = link__alloc(link, p->source_count + 1, sizeof *list);
    info->sources = list;
    info->source_count = p->source_count;
    for (uint32_t i = 0; list && i < p->source_count; i++) {
        const IrSource *s = &p->sources[i];
        list[i] = (RtSourceInfo){
            .kind = link__text(link, s->kind),
            .connection = connection(link, s->connection),
            .address = link__text(link, s->address),
            .options = options(link, s->options, s->option_count,
                               s->map == NO_INDEX ? NULL : &link->ir->maps[s->map]),
            .format = ir_format_name(s->format),
            .node = s->node,
            .group = s->group,
            .bounded = ir_source_bounded(s),
            .check = (u8)s->check,
            .reject = s->unknown == UNKNOWN_REJECT,
            .keeps = s->unknown == UNKNOWN_KEEP,
            .headers = ir_reads_headers(p),
            .differs = ir_source_differs(p, s),
            .proto = proto(link, s->proto),
        };
    }
}

static void sinks(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtSinkInfo *list = link__alloc(link, p->sink_count + 1, sizeof *list);
    info->sinks = list;
    info->sink_count = p->sink_count;
    for (uint32_t i = 0; list && i < p->sink_count; i++) {
        const IrSink *s = &p->sinks[i];
        AUTO_BUF Buf keys;
        buf_init(&keys, 65536);
        link->failed |= ir_put_keys(&keys, link->ir, s, link->arena) != ST_OK;
        list[i] = (RtSinkInfo){
            .kind = link__text(link, s->kind),
            .connection = connection(link, s->connection),
            .address = link__text(link, s->address),
            .options = options(link, s->options, s->option_count, NULL),
            .format = ir_format_name(s->format),
            .keys = buffer_text(link, &keys),
            .node = s->node,
            .flags = (u32)((s->address_is_computed ? RT_SINK_ADDRESS : 0) |
                           (ir_sink_takes_errors(p, i) ? RT_SINK_ERROR : 0) |
                           (ir_sink_framed(s) ? RT_SINK_FRAMED : 0)),
            .schema = s->schema == NO_INDEX ? NULL : link->out->schemas[s->schema],
            .proto = proto(link, s->proto),
        };
    }
}

static void graph(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtNodeInfo *nodes = link__alloc(link, p->node_count + 1, sizeof *nodes);
    RtWireInfo *wires = link__alloc(link, p->wire_count + 1, sizeof *wires);
    info->nodes = nodes;
    info->node_count = p->node_count;
    info->wires = wires;
    info->wire_count = p->wire_count;
    for (uint32_t i = 0; nodes && i < p->node_count; i++) {
        SourcePlace at = {0, 0};
        if (link->ir->source) at = source_place(link->ir->source, p->nodes[i].span.start);
        nodes[i] = (RtNodeInfo){link__text(link, p->nodes[i].kind),
                                link__text(link, p->nodes[i].label), at.line, at.column};
    }
    for (uint32_t i = 0; wires && i < p->wire_count; i++) {
        const IrWire *w = &p->wires[i];
        bool rows = w->schema != NO_INDEX && w->port != PORT_ERROR;
        wires[i] =
            (RtWireInfo){w->from, w->to, (u32)w->port, rows ? link->out->schemas[w->schema] : NULL};
    }
}

/* ---- windows ---- */

uint32_t link_agg_bytes(const RtAggInfo *agg)
{
    static const uint8_t bytes[] = {
        [RT_AGG_COUNT] = sizeof(RtCount),     [RT_AGG_COUNT_IF] = sizeof(RtCount),
        [RT_AGG_SUM] = sizeof(RtSum),         [RT_AGG_MEAN] = sizeof(RtSum),
        [RT_AGG_MIN] = sizeof(RtPick),        [RT_AGG_MAX] = sizeof(RtPick),
        [RT_AGG_FIRST] = sizeof(RtPick),      [RT_AGG_LAST] = sizeof(RtPick),
        [RT_AGG_STDDEV] = sizeof(RtVariance), [RT_AGG_QUANTILE] = sizeof(RtSketch),
        [RT_AGG_DISTINCT] = sizeof(RtSet),    [RT_AGG_DELTA] = sizeof(RtEnds),
        [RT_AGG_RATE] = sizeof(RtEnds),       [RT_AGG_TIME_WEIGHTED] = sizeof(RtArea),
        [RT_AGG_LIST] = sizeof(RtItems),      [RT_AGG_REVISION] = sizeof(RtCount)};
    bool picks = agg->kind >= RT_AGG_MIN && agg->kind <= RT_AGG_LAST;
    bool text = agg->type == RT_STR || agg->type == RT_BYTES || agg->type == RT_JSON;
    return bytes[agg->kind] + (picks && text ? (agg->bytes_max / 8 + 1) * 8 : 0);
}

/* The aggregates of a slot lie behind each other, each on 8 bytes; one word ends it. */
static void aggregates(Link *link, const IrWindow *w, RtWindowInfo *info)
{
    IrLeaf *leaves = NULL;
    uint32_t count = 0, offset = 0;
    RtAggInfo *list = link__alloc(link, w->agg_count + 1, sizeof *list);
    link->failed |= ir_leaves(link->ir, w->out_schema, link->arena, &leaves, &count) != ST_OK;
    info->aggs = list;
    info->agg_count = w->agg_count;
    for (uint32_t a = 0; list && leaves && a < w->agg_count; a++) {
        const IrAgg *agg = &w->aggs[a];
        const IrField *f = agg->out < count ? leaves[agg->out].field : NULL;
        list[a] = (RtAggInfo){
            .kind = (u8)agg->kind,
            .type = (u8)agg->type,
            .scale = agg->scale,
            .bits = (u8)ir_agg_bits(agg),
            .offset = offset,
            .bytes_max = ir_agg_text_max(agg, f),
            .count = agg->count,
            .each = agg->each,
            .p = agg->p,
            .name = f ? link__text(link, f->name) : "",
        };
        offset += link_agg_bytes(&list[a]);
    }
    info->slot_bytes = offset + 8;
}

static void keys(Link *link, const IrWindow *w, RtWindowInfo *info)
{
    u8 *types = link__alloc(link, w->key_count + 1, sizeof *types);
    u32 *bytes_max = link__alloc(link, w->key_count + 1, sizeof *bytes_max);
    u8 *scales = link__alloc(link, w->key_count + 1, sizeof *scales);
    const char *const **names = link__alloc(link, w->key_count + 1, sizeof *names);
    info->key_count = w->key_count;
    info->key_types = types;
    info->key_bytes_max = bytes_max;
    info->key_scales = scales;
    info->key_names = names;
    for (uint32_t k = 0; !link->failed && k < w->key_count; k++) {
        types[k] = (u8)w->keys[k].type;
        bytes_max[k] = w->keys[k].bytes_max;
        scales[k] = w->keys[k].scale;
        names[k] = w->keys[k].type == IR_ENUM ? link__names(link, w->keys[k].names) : NULL;
    }
}

static void windows(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtWindowInfo *list = link__alloc(link, p->window_count + 1, sizeof *list);
    info->windows = list;
    info->window_count = p->window_count;
    for (uint32_t i = 0; list && i < p->window_count; i++) {
        const IrWindow *w = &p->windows[i];
        Str name = arena_printf(link->arena, "%.*s.%" PRIu32, STR_ARG(p->name), i);
        list[i] = (RtWindowInfo){
            .name = link__text(link, name),
            .layout = ir_window_layout(w),
            .kind = (u8)w->kind,
            .event_time = w->event_time,
            .late_dead = w->late_dead,
            .own_clock = w->own_clock,
            .panes = w->panes,
            .every_ns = w->every_ns,
            .max_ns = w->max_ns,
            .early_ns = w->early_ns,
            .keep_ns = w->keep_ns,
            .size_ns = w->size_ns ? w->size_ns : 1,
            .size_count = w->size_count,
            .node = w->node,
            .asks = w->asks,
        };
        keys(link, w, &list[i]);
        aggregates(link, w, &list[i]);
    }
}

static const RtAskInfo *ask(Link *link, const IrMem *m)
{
    const IrAsk *a = m->ask;
    RtAskInfo *out = a ? link__alloc(link, 1, sizeof *out) : NULL;
    u8 *types = out ? link__alloc(link, m->input_count + 1, sizeof *types) : NULL;
    if (!types) return NULL;
    for (uint32_t i = 0; i < m->input_count; i++) types[i] = (u8)m->inputs[i].type;
    *out = (RtAskInfo){.name = link__text(link, a->name),
                       .kind = link__text(link, a->kind),
                       .target = link__text(link, a->target),
                       .text = link__text(link, a->text),
                       .schema = link->out->schemas[a->schema],
                       .types = types,
                       .rows_max = a->rows_max,
                       .retries = a->retries,
                       .timeout_ns = a->timeout_ns,
                       .backoff_ns = a->backoff_ns,
                       .row = link->out->schemas[a->row],
                       .stage = a->stage,
                       .limit = a->limit,
                       .asks = a->asks,
                       .single = a->single,
                       .unordered = a->unordered};
    return out;
}

static void mems(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtMemInfo *list = link__alloc(link, p->mem_count + 1, sizeof *list);
    info->mems = list;
    info->mem_count = p->mem_count;
    for (uint32_t i = 0; list && i < p->mem_count; i++) {
        const IrMem *m = &p->mems[i];
        u8 *types = link__alloc(link, m->key_count + 1, sizeof *types);
        u32 *bytes_max = link__alloc(link, m->key_count + 1, sizeof *bytes_max);
        for (uint32_t k = 0; types && bytes_max && k < m->key_count; k++) {
            types[k] = (u8)m->keys[k].type;
            bytes_max[k] = m->keys[k].bytes_max;
        }
        list[i] = (RtMemInfo){
            .name = link__text(link, m->name),
            .layout = ir_mem_layout(m),
            .kind = (u8)m->kind,
            .type = (u8)(m->input_count ? m->inputs[0].type : IR_NONE),
            .flags = (u8)ir_mem_flags(m),
            .bytes_max = ir_mem_bytes_max(m),
            .external = m->external,
            .inputs = m->input_count,
            .key_count = m->key_count,
            .key_types = types,
            .key_bytes_max = bytes_max,
            .span_ns = m->span_ns,
            .count = m->count,
            .node = m->node,
            .ask = ask(link, m),
        };
    }
}

static void joins(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    RtJoinInfo *list = link__alloc(link, p->join_count + 1, sizeof *list);
    u32 *looks = link__alloc(link, link->ir->table_count + 1, sizeof *looks);
    info->joins = list;
    info->join_count = p->join_count;
    info->tables = looks;
    info->table_count = looks ? ir_tables_of(link->ir, p, looks) : 0;
    for (uint32_t i = 0; list && i < p->join_count; i++) {
        const IrJoin *j = &p->joins[i];
        u8 *types = link__alloc(link, j->key_count + 1, sizeof *types);
        u32 *bytes_max = link__alloc(link, j->key_count + 1, sizeof *bytes_max);
        for (uint32_t k = 0; types && bytes_max && k < j->key_count; k++) {
            types[k] = (u8)j->keys[k].type;
            bytes_max[k] = j->keys[k].bytes_max;
        }
        Str name = arena_printf(link->arena, "%.*s.%.*s", STR_ARG(p->name), STR_ARG(j->name));
        list[i] = (RtJoinInfo){
            .name = name.ptr ? name.ptr : "",
            .layout = ir_join_layout(link->ir, j),
            .schema = link->out->schemas[j->schema],
            .key_count = j->key_count,
            .node = j->node,
            .key_types = types,
            .key_bytes_max = bytes_max,
            .within_ns = j->within_ns,
        };
    }
}

/* ---- the program ---- */

/* The schemas of what other streams read, for the engines that read them. */
static const RtSchema **groups(Link *link, const IrPipeline *p, const RtSchema *in)
{
    const RtSchema **list = link__alloc(link, p->source_count + 1, sizeof *list);
    if (!list) return NULL;
    list[0] = in;
    for (uint32_t i = 0; i < p->source_count; i++)
        for (uint32_t s = 1; p->sources[i].group && s < p->stage_count; s++)
            if (p->stages[s].from == IR_FROM_SOURCE &&
                p->stages[s].from_index == p->sources[i].group)
                list[p->sources[i].group] = link__record_schema(link, p, i, p->stages[s].schema);
    return list;
}

static void pipeline(Link *link, const IrPipeline *p, RtPipelineInfo *info)
{
    u32 *errors = link__alloc(link, p->error_sink_count + 1, sizeof *errors);
    *info = (RtPipelineInfo){
        .name = link__text(link, p->name),
        .error_sinks = errors,
        .error_sink_count = p->error_sink_count,
        .error_drop = p->error_drop,
        .error_stage = p->error_stage == NO_INDEX ? RT_NO_STAGE : p->error_stage,
        .bounded = p->bounded,
        .has_time = p->time.present,
        .order_ns = p->time.order_ns,
        .idle_ns = p->time.idle_ns,
        .ahead_ns = p->time.ahead_ns,
        .stop_above = p->stop_above,
        .stop_in_ns = p->stop_in_ns,
    };
    u8 *types = link__alloc(link, p->time.key_count + 1, sizeof *types);
    u32 *bytes_max = link__alloc(link, p->time.key_count + 1, sizeof *bytes_max);
    for (uint32_t i = 0; types && bytes_max && i < p->time.key_count; i++) {
        types[i] = (u8)p->time.keys[i].type;
        bytes_max[i] = p->time.keys[i].bytes_max;
    }
    info->clock_keys = p->time.key_count;
    info->clock_types = types;
    info->clock_bytes_max = bytes_max;
    for (uint32_t i = 0; errors && i < p->error_sink_count; i++) errors[i] = p->error_sinks[i];
    sources(link, p, info);
    sinks(link, p, info);
    graph(link, p, info);
    windows(link, p, info);
    mems(link, p, info);
    joins(link, p, info);
    info->in = link__record_schema(link, p, 0, p->in_schema);
    link->out->groups[p - link->ir->pipelines] = groups(link, p, info->in);
}

static void connections(Link *link)
{
    const IrProgram *ir = link->ir;
    RtConnectionInfo *list = link__alloc(link, ir->connection_count + 1, sizeof *list);
    link->out->program.connections = list;
    link->out->program.connection_count = ir->connection_count;
    for (uint32_t i = 0; list && i < ir->connection_count; i++) {
        const IrConnection *c = &ir->connections[i];
        list[i] = (RtConnectionInfo){link__text(link, c->name), link__text(link, c->kind),
                                     link__text(link, c->url),
                                     options(link, c->options, c->option_count, NULL)};
    }
}

static void tables(Link *link)
{
    const IrProgram *ir = link->ir;
    RtTableInfo *list = link__alloc(link, ir->table_count + 1, sizeof *list);
    link->out->program.tables = list;
    link->out->program.table_count = ir->table_count;
    for (uint32_t i = 0; list && i < ir->table_count; i++) {
        const IrTable *t = &ir->tables[i];
        list[i] = (RtTableInfo){link__text(link, t->name), link__text(link, t->path),
                                link->out->schemas[t->schema], t->key, t->reload};
    }
}

/* Without their feed: whoever runs programs in common sets it. */
static void shares(Link *link)
{
    const IrProgram *ir = link->ir;
    RtShare *list = link__alloc(link, ir->share_count + 1, sizeof *list);
    const RtSchema **schemas = link__alloc(link, ir->share_count + 1, sizeof *schemas);
    link->out->shares = list;
    link->out->shared_schemas = schemas;
    link->out->program.shares = list;
    link->out->program.share_count = list && schemas ? ir->share_count : 0;
    for (uint32_t i = 0; list && schemas && i < ir->share_count; i++) {
        const IrShare *share = &ir->shares[i];
        u32 *pipelines = link__alloc(link, share->count, sizeof *pipelines);
        for (uint32_t k = 0; pipelines && k < share->count; k++) pipelines[k] = share->pipelines[k];
        list[i] = (RtShare){.pipelines = pipelines, .count = pipelines ? share->count : 0};
        uint32_t schema = ir->pipelines[share->pipelines[0]].in_schema;
        schemas[i] = link__shared_schema(link, schema, share->needed);
    }
}

static void bind_nothing(const RtApi *api)
{
    (void)api;
}

static void alarms(Link *link)
{
    enum { BYTES_MAX = 64 << 20 };
    AUTO_BUF Buf rules;
    buf_init(&rules, BYTES_MAX);
    ir_put_alarms(link->ir, &rules);
    if (buf_status(&rules)) link->failed = true;
    link->out->program.alarms = link__text(link, buf_view(&rules));
}

/* FNV-1a of the source: names a version. */
static const char *hash(Link *link)
{
    uint64_t h = 1469598103934665603ull;
    Str text = link->ir->source ? link->ir->source->text : STR("");
    for (size_t i = 0; i < text.len; i++) h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211ull;
    Str hex = arena_printf(link->arena, "%016" PRIx64, h);
    return hex.ptr ? hex.ptr : "";
}

static void program(Link *link)
{
    const IrProgram *ir = link->ir;
    RtProgram *out = &link->out->program;
    Str name = ir->source ? ir->source->path : STR("program");
    const char *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
    if (slash) name = str_skip(name, (size_t)(slash + 1 - name.ptr));
    out->abi = RT_ABI;
    out->name = link__text(link, name);
    out->hash = hash(link);
    out->bind = bind_nothing;
    out->externs = ir->extern_code;
    if (link->ir->alarm_count) alarms(link);
    connections(link);
    link->out->schemas = link__alloc(link, ir->schema_count + 1, sizeof *link->out->schemas);
    link->out->schema_count = ir->schema_count;
    for (uint32_t i = 0; !link->failed && i < ir->schema_count; i++)
        link->out->schemas[i] = link__row_schema(link, i);
    if (link->failed) return;
    tables(link);
    shares(link);
    link->out->groups = link__alloc(link, ir->pipeline_count + 1, sizeof *link->out->groups);
    link->out->pipelines = link__alloc(link, ir->pipeline_count + 1, sizeof(RtPipelineInfo));
    out->pipelines = link->out->pipelines;
    out->pipeline_count = ir->pipeline_count;
    for (uint32_t i = 0; !link->failed && i < ir->pipeline_count; i++)
        pipeline(link, &ir->pipelines[i], &link->out->pipelines[i]);
}

Status link_program(const IrProgram *ir, Arena *arena, Linked **ret_linked, Diag *diag)
{
    Link link = {.ir = ir, .arena = arena};
    link.out = link__alloc(&link, 1, sizeof *link.out);
    if (link.out) program(&link);
    if (link.failed) return diag_set(diag, ST_NO_MEMORY, "no memory for a program's tables");
    *ret_linked = link.out;
    return ST_OK;
}
