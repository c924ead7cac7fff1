/* compiler/emit_c/table.c: what a program is, as constant tables: schemas, sources, sinks, nodes,
 * wires, windows. The runtime and the engine read them; generated code itself only needs the
 * schemas. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"

#include <inttypes.h>

static uint64_t name_word(Str name)
{
    uint64_t v = 0;
    memcpy(&v, name.ptr, name.len < 8 ? name.len : 8);
    return v;
}

void emit_names(Emit *e, const IrEnum *names)
{
    if (!names) {
        emit_f(e, "0");
        return;
    }
    emit_f(e, "(const char *const[]){");
    for (uint32_t i = 0; i < names->count; i++) {
        emit_literal(e, names->names[i]);
        emit_f(e, ", ");
    }
    emit_f(e, "}");
}

static void field_row(Emit *e, const IrField *f, uint32_t leaf, bool needed, bool early, Str path,
                      uint32_t depth)
{
    emit_f(e, "    {.name = ");
    emit_literal(e, f->name);
    emit_f(e,
           ", .word = 0x%" PRIx64
           "ull, .name_len = %zu, .type = %d, .flags = %s%s%s%s0, .leaf = %" PRIu32,
           name_word(f->name), f->name.len, (int)f->type, needed ? "RT_NEEDED | " : "",
           early ? "RT_EARLY | " : "", f->optional ? "RT_OPTIONAL | " : "",
           f->has_range ? "RT_RANGED | " : "", leaf);
    if (f->scale) emit_f(e, ", .scale = %u", f->scale);
    if (f->type == IR_TIME) emit_f(e, ", .time_read = %d", (int)f->time_read);
    if (f->bytes_max) emit_f(e, ", .bytes_max = %" PRIu32, f->bytes_max);
    if (f->type == IR_ENUM && f->names) {
        emit_f(e, ", .name_count = %" PRIu32 ", .names = ", f->names->count);
        emit_names(e, f->names);
    }
    if (f->has_range) emit_f(e, ", .lo = %a, .hi = %a", f->lo, f->hi);
    if (f->type == IR_LIST) {
        emit_f(e, ", .child = &schema_%" PRIu32, f->record);
    } else if (f->type == IR_RECORD && needed) {
        emit_f(e, ", .child = &schema_in_%" PRIu32 "_%" PRIu32 "_%" PRIu32, e->index, depth + 1,
               leaf);
    } else if (f->type == IR_RECORD) {
        emit_f(e, ", .child = &schema_%" PRIu32, f->record);
    }
    emit_f(e, ", .path = ");
    emit_literal(e, path);
    emit_f(e, "},\n");
}

/* In front of the paths of a record's fields; an item has no name. */
static Str inside(Emit *e, Str path, Str name)
{
    return name.len ? arena_printf(e->arena, "%.*s%.*s.", STR_ARG(path), STR_ARG(name)) : path;
}

/* The plain schema `index`: leaves from 0, for rows out and for the items of lists. Children first,
 * each leaf numbered from where it stands in its own record's parent, so nested ones are written
 * per use. */
static void out_schema(Emit *e, uint32_t schema, uint32_t leaf, Str path, uint32_t root,
                       uint32_t *serial)
{
    const IrSchema *s = &e->ir->schemas[schema];
    uint32_t mine = (*serial)++, children[256], at = leaf;
    for (uint32_t i = 0; i < s->count && i < 256; i++) {
        const IrField *f = &s->fields[i];
        children[i] = *serial;
        if (f->type == IR_RECORD)
            out_schema(e, f->record, at, inside(e, path, f->name), root, serial);
        at += f->type == IR_RECORD ? ir_leaf_count(e->ir, f->record) : 1;
    }
    emit_f(e, "static const RtField fields_%" PRIu32 "_%" PRIu32 "[] = {\n", root, mine);
    at = leaf;
    for (uint32_t i = 0; i < s->count && i < 256; i++) {
        const IrField *f = &s->fields[i];
        Str name = arena_printf(e->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(f->name));
        if (f->type == IR_RECORD) {
            emit_f(e, "    {.name = ");
            emit_literal(e, f->name);
            emit_f(e,
                   ", .word = 0x%" PRIx64
                   "ull, .name_len = %zu, .type = %d, .flags = RT_NEEDED%s, .leaf = %" PRIu32
                   ", .child = &child_%" PRIu32 "_%" PRIu32 ", .path = ",
                   name_word(f->name), f->name.len, (int)IR_RECORD,
                   f->optional ? " | RT_OPTIONAL" : "", at, root, children[i]);
            emit_literal(e, name);
            emit_f(e, "},\n");
            at += ir_leaf_count(e->ir, f->record);
        } else {
            field_row(e, f, at, true, false, name, 0);
            at++;
        }
    }
    emit_f(e, "    {0}};\n");
    if (mine)
        emit_f(e, "static const RtSchema child_%" PRIu32 "_%" PRIu32, root, mine);
    else
        emit_f(e, "static const RtSchema schema_%" PRIu32, root);
    emit_f(e, " = {");
    emit_literal(e, s->name);
    emit_f(e, ", fields_%" PRIu32 "_%" PRIu32 ", %" PRIu32 ", %" PRIu32 "};\n", root, mine,
           s->count, ir_leaf_count(e->ir, schema));
}

void emit_schemas(Emit *e)
{
    for (uint32_t i = 0; i < e->ir->schema_count; i++) {
        uint32_t serial = 0;
        out_schema(e, i, 0, STR(""), i, &serial);
    }
}

/* The source's schema, with what is needed marked. Returns whether any leaf of it is. */
static bool any_needed(const Emit *e, uint32_t leaf, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (e->needed[leaf + i]) return true;
    return false;
}

static bool any_early(const Emit *e, uint32_t leaf, uint32_t count)
{
    const IrStage *filter = e->group ? NULL : e->pipeline->filter;
    for (uint32_t i = 0; filter && i < count; i++)
        if (filter->leaves[leaf + i].needed) return true;
    return false;
}

static void in_schema(Emit *e, uint32_t schema, uint32_t leaf, Str path, uint32_t depth)
{
    const IrSchema *s = &e->ir->schemas[schema];
    uint32_t at = leaf;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        uint32_t count = f->type == IR_RECORD ? ir_leaf_count(e->ir, f->record) : 1;
        if (f->type == IR_RECORD && any_needed(e, at, count))
            in_schema(e, f->record, at, inside(e, path, f->name), depth + 1);
        at += count;
    }
    emit_f(e, "static const RtField fields_in_%" PRIu32 "_%" PRIu32 "_%" PRIu32 "[] = {\n",
           e->index, depth, leaf);
    at = leaf;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        uint32_t count = f->type == IR_RECORD ? ir_leaf_count(e->ir, f->record) : 1;
        field_row(e, f, at, any_needed(e, at, count), any_early(e, at, count),
                  arena_printf(e->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(f->name)), depth);
        at += count;
    }
    emit_f(e, "    {0}};\nstatic const RtSchema schema_in_%" PRIu32 "_%" PRIu32 "_%" PRIu32 " = {",
           e->index, depth, leaf);
    emit_literal(e, s->name);
    emit_f(e, ", fields_in_%" PRIu32 "_%" PRIu32 "_%" PRIu32 ", %" PRIu32 ", %" PRIu32 "};\n",
           e->index, depth, leaf, s->count, ir_leaf_count(e->ir, schema));
}

static void put_options(Emit *e, const IrOption *list, uint32_t count, const IrMap *map)
{
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 20);
    ir_put_options(&text, list, count, map);
    emit_literal(e, buf_view(&text));
}

void emit_options(Emit *e, const IrOption *list, uint32_t count)
{
    put_options(e, list, count, NULL);
}

static void connection_name(Emit *e, uint32_t connection)
{
    emit_literal(e, connection == NO_INDEX ? STR("") : e->ir->connections[connection].name);
}

/* The tables of a message and of those inside it, the inner ones first: `proto_PLACE_SERIAL`. Gives
 * its serial. */
static uint32_t put_proto(Emit *e, const IrProto *proto, const char *place, uint32_t *serial)
{
    uint32_t *children = arena_many(e->arena, uint32_t, proto->count + 1);
    if (!children) {
        emit_fail(e, ST_NO_MEMORY, "compiling");
        return 0;
    }
    for (uint32_t i = 0; i < proto->count; i++)
        if (proto->fields[i].child)
            children[i] = put_proto(e, proto->fields[i].child, place, serial);
    uint32_t mine = (*serial)++;
    emit_f(e, "static const RtProto proto_%s_%" PRIu32 " = {(const RtProtoField[]){\n", place,
           mine);
    for (uint32_t i = 0; i < proto->count; i++) {
        const IrProtoField *f = &proto->fields[i];
        emit_f(e, "    {.number = %" PRIu32 ", .kind = %d, .flags = %d, .field = %" PRIu32,
               f->number, f->kind, f->flags, f->field == NO_INDEX ? 0xffffu : f->field);
        if (f->oneof) emit_f(e, ", .oneof = %" PRIu32, f->oneof);
        if (f->value_count) {
            emit_f(e, ", .value_count = %" PRIu32 ", .values = (const i32[]){", f->value_count);
            for (uint32_t k = 0; k < f->value_count; k++)
                emit_f(e, "%" PRId64 ", ", (int64_t)f->values[k]);
            emit_f(e, "}");
        }
        if (f->child) emit_f(e, ", .child = &proto_%s_%" PRIu32, place, children[i]);
        emit_f(e, "},\n");
    }
    emit_f(e, "    {0}}, %" PRIu32 "};\n", proto->count);
    return mine;
}

/* `proto_PLACE` names the last one, or 0 for none. */
static Str proto_of(Emit *e, const IrProto *proto, const char *side, uint32_t at)
{
    uint32_t serial = 0;
    if (!proto) return STR("0");
    Str place = arena_printf(e->arena, "%s_%" PRIu32 "_%" PRIu32, side, e->index, at);
    if (!place.ptr) return STR("0");
    uint32_t last = put_proto(e, proto, place.ptr, &serial);
    return arena_printf(e->arena, "&proto_%.*s_%" PRIu32, STR_ARG(place), last);
}

static void sources(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    Str *protos = arena_many(e->arena, Str, p->source_count + 1);
    for (uint32_t i = 0; protos && i < p->source_count; i++)
        protos[i] = proto_of(e, p->sources[i].proto, "in", i);
    if (!protos) emit_fail(e, ST_NO_MEMORY, "compiling");
    emit_f(e, "static const RtSourceInfo sources_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->source_count; i++) {
        const IrSource *s = &p->sources[i];
        emit_f(e, "    {");
        emit_literal(e, s->kind);
        emit_f(e, ", ");
        connection_name(e, s->connection);
        emit_f(e, ", ");
        emit_literal(e, s->address);
        emit_f(e, ", ");
        put_options(e, s->options, s->option_count,
                    s->map == NO_INDEX ? NULL : &e->ir->maps[s->map]);
        emit_f(e, ", \"%s\", %" PRIu32 ", %" PRIu32 ", %d, %d, %d, %d, %d, %d, %.*s},\n",
               ir_format_name(s->format), s->node, s->group, ir_source_bounded(s), (int)s->check,
               s->unknown == UNKNOWN_REJECT, s->unknown == UNKNOWN_KEEP, ir_reads_headers(p),
               ir_source_differs(p, s), STR_ARG(protos ? protos[i] : STR_NONE));
    }
    emit_f(e, "    {0}};\n");
}

static void sinks(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    Str *protos = arena_many(e->arena, Str, p->sink_count + 1);
    for (uint32_t i = 0; protos && i < p->sink_count; i++)
        protos[i] = proto_of(e, p->sinks[i].proto, "out", i);
    if (!protos) emit_fail(e, ST_NO_MEMORY, "compiling");
    emit_f(e, "static const RtSinkInfo sinks_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->sink_count; i++) {
        const IrSink *s = &p->sinks[i];
        emit_f(e, "    {");
        emit_literal(e, s->kind);
        emit_f(e, ", ");
        connection_name(e, s->connection);
        emit_f(e, ", ");
        emit_literal(e, s->address);
        emit_f(e, ", ");
        emit_options(e, s->options, s->option_count);
        emit_f(e, ", \"%s\", ", ir_format_name(s->format));
        AUTO_BUF Buf keys;
        buf_init(&keys, 65536);
        if (ir_put_keys(&keys, e->ir, s, e->arena)) emit_fail(e, ST_NO_MEMORY, "compiling");
        emit_literal(e, buf_view(&keys));
        emit_f(e, ", %" PRIu32 ", %s%s%s, ", s->node,
               s->address_is_computed ? "RT_SINK_ADDRESS | " : "",
               ir_sink_framed(s) ? "RT_SINK_FRAMED | " : "",
               ir_sink_takes_errors(p, i) ? "RT_SINK_ERROR" : "0");
        if (s->schema == NO_INDEX)
            emit_f(e, "0");
        else
            emit_f(e, "&schema_%" PRIu32, s->schema);
        emit_f(e, ", %.*s},\n", STR_ARG(protos ? protos[i] : STR_NONE));
    }
    emit_f(e, "    {0}};\n");
}

static void graph(Emit *e)
{
    const IrPipeline *p = e->pipeline;
    emit_f(e, "static const RtNodeInfo nodes_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->node_count; i++) {
        SourcePlace at = {0, 0};
        if (e->ir->source) at = source_place(e->ir->source, p->nodes[i].span.start);
        emit_f(e, "    {");
        emit_literal(e, p->nodes[i].kind);
        emit_f(e, ", ");
        emit_literal(e, p->nodes[i].label);
        emit_f(e, ", %" PRIu32 ", %" PRIu32 "},\n", at.line, at.column);
    }
    emit_f(e, "    {0}};\nstatic const RtWireInfo wires_%" PRIu32 "[] = {\n", e->index);
    for (uint32_t i = 0; i < p->wire_count; i++) {
        const IrWire *w = &p->wires[i];
        emit_f(e, "    {%" PRIu32 ", %" PRIu32 ", %d, ", w->from, w->to, (int)w->port);
        if (w->schema == NO_INDEX || w->port == PORT_ERROR)
            emit_f(e, "0},\n");
        else
            emit_f(e, "&schema_%" PRIu32 "},\n", w->schema);
    }
    emit_f(e, "    {0}};\n");
}

/* Schemas of groups keep apart by their depth, which is never that large. */
void emit_in_schema(Emit *e, uint32_t group, uint32_t schema)
{
    in_schema(e, schema, 0, STR(""), group * EMIT_GROUP_DEPTH);
}

void emit_tables(Emit *e)
{
    sources(e);
    sinks(e);
    graph(e);
    emit_windows(e);
    emit_mems(e);
    emit_joins(e);
    emit_f(e, "static const u32 error_sinks_%" PRIu32 "[] = {", e->index);
    for (uint32_t i = 0; i < e->pipeline->error_sink_count; i++)
        emit_f(e, "%" PRIu32 ", ", e->pipeline->error_sinks[i]);
    emit_f(e, "0};\n");
}
