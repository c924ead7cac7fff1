/* compiler/ir/graph_json.c: nodes, ports, types and wires as JSON; the dashboard draws them.
 *
 * "pipelines":[{name, span, nodes:[{id, kind, label, span, type, reasons}],
 *              wires:[{id, from, to, port, type}]}]}; a type is a list of {name, type, ...}. */
#include "base/json.h"
#include "compiler/ir/ir.h"

static void span(JsonOut *json, const Source *source, Span at)
{
    SourcePlace start = source_place(source, at.start), end = source_place(source, at.end);
    json_key(json, "span");
    json_begin_object(json);
    json_field_int(json, "line", start.line);
    json_field_int(json, "column", start.column);
    json_field_int(json, "end_line", end.line);
    json_field_int(json, "end_column", end.column);
    json_end(json);
}

static void fields(JsonOut *json, const IrProgram *program, uint32_t schema, uint32_t depth)
{
    json_begin_array(json);
    const IrSchema *s = &program->schemas[schema];
    for (uint32_t i = 0; i < s->count && depth <= IR_PATH_MAX; i++) {
        const IrField *f = &s->fields[i];
        json_begin_object(json);
        json_field_str(json, "name", f->name);
        json_field_text(json, "type", ir_type_name(f->type));
        if (f->optional) json_field_bool(json, "optional", true);
        if (f->unit.len) json_field_str(json, "unit", f->unit);
        if (f->bytes_max)
            json_field_int(json, f->type == IR_LIST ? "items" : "bytes", f->bytes_max);
        if (f->has_range) {
            json_field_number(json, "lo", f->lo);
            json_field_number(json, "hi", f->hi);
        }
        if (f->type == IR_ENUM) {
            json_key(json, "names");
            json_begin_array(json);
            for (uint32_t n = 0; n < f->names->count; n++) json_put_str(json, f->names->names[n]);
            json_end(json);
        }
        if (f->type == IR_RECORD || f->type == IR_LIST) {
            json_key(json, "fields"); /* of a list: of an item */
            fields(json, program, f->record, depth + 1);
        }
        json_end(json);
    }
    json_end(json);
}

static void type(JsonOut *json, const IrProgram *program, uint32_t schema)
{
    json_key(json, "type");
    if (schema == NO_INDEX)
        json_put_null(json);
    else
        fields(json, program, schema, 0);
}

static void pipeline(JsonOut *json, const IrProgram *program, const IrPipeline *p)
{
    static const char *const ports[] = {"out", "error", "late"};
    json_begin_object(json);
    json_field_str(json, "name", p->name);
    json_field_bool(json, "bounded", p->bounded);
    span(json, program->source, p->span);
    json_key(json, "nodes");
    json_begin_array(json);
    for (uint32_t i = 0; i < p->node_count; i++) {
        const IrNode *n = &p->nodes[i];
        json_begin_object(json);
        json_field_int(json, "id", i);
        json_field_str(json, "kind", n->kind);
        json_field_str(json, "label", n->label);
        span(json, program->source, n->span);
        type(json, program, n->out_schema);
        json_key(json, "reasons");
        json_begin_array(json);
        for (uint32_t r = 0; r < n->reason_count; r++) json_put_str(json, n->reasons[r]);
        json_end(json);
        json_end(json);
    }
    json_end(json);
    json_key(json, "wires");
    json_begin_array(json);
    for (uint32_t i = 0; i < p->wire_count; i++) {
        json_begin_object(json);
        json_field_int(json, "id", i);
        json_field_int(json, "from", p->wires[i].from);
        json_field_int(json, "to", p->wires[i].to);
        json_field_text(json, "port", ports[p->wires[i].port]);
        type(json, program, p->wires[i].schema);
        json_end(json);
    }
    json_end(json);
    json_end(json);
}

void ir_graph_pipelines(const IrProgram *program, struct JsonOut *json)
{
    json_key(json, "pipelines");
    json_begin_array(json);
    for (uint32_t i = 0; i < program->pipeline_count; i++)
        pipeline(json, program, &program->pipelines[i]);
    json_end(json);
}
