/* compiler/type/errors.c: the stage of records that failed.
 *
 * Error sinks with a fixed address need no code: the runtime writes the error record to each. What
 * needs its fields (`on error reply`, mails, a computed address, a table's columns and keys, other
 * formats than json) is compiled into one stage that gets them as a row. */
#include "compiler/type/flow.h"

/* In the order of IR_ERROR_LEAVES. */
static const Record *error_record(Check *c)
{
    static const struct {
        const char *name;
        IrType type;
        uint32_t bytes;
        bool optional;
    } fields[IR_ERROR_LEAVES] = {
        {"reason", IR_STR, 128, false},        {"field", IR_STR, 1024, true},
        {"message", IR_STR, 256, false},       {"pipeline", IR_STR, 256, false},
        {"stage", IR_STR, 64, false},          {"at", IR_TIME, 0, false},
        {"raw", IR_STR, TYPE_STRING_MAX, true}};
    Record *record = NEW(c, Record, 1);
    *record = (Record){.fields = NEW(c, RecordField, IR_ERROR_LEAVES),
                       .count = IR_ERROR_LEAVES,
                       .schema = NO_INDEX};
    for (uint32_t i = 0; i < IR_ERROR_LEAVES; i++)
        record->fields[i] = (RecordField){.name = str_from(fields[i].name),
                                          .type = {.kind = fields[i].type,
                                                   .bytes_max = fields[i].bytes,
                                                   .optional = fields[i].optional}};
    return record;
}

ErrorPlace flow__error_begin(Flow *f, uint32_t node)
{
    Check *c = f->c;
    ErrorPlace place = {.builder = f->builder, .row = f->row};
    if (f->p.error_stage == NO_INDEX) {
        const Record *record = error_record(c);
        f->p.error_stage = f->stage_count;
        flow__stage_begin(f, flow__stage(f, IR_FROM_ERROR, 0, check__schema(c, record)), node);
        f->error_row = check__load(c, record);
        Val *whole = &f->error_local.val;
        *whole = (Val){.type = {.kind = IR_RECORD, .record = record},
                       .reg = NO_REG,
                       .has = NO_REG,
                       .fields = NEW(c, Val, record->count)};
        for (uint32_t i = 0; i < record->count; i++) whole->fields[i] = f->error_row->fields[i].val;
        f->error_local.name = STR("error");
    } else {
        f->builder = f->error_builder;
        f->builder.node = node;
        c->b = &f->builder;
    }
    c->locals = &f->error_local;
    f->row = c->row = NEW(c, Row, 1); /* nothing of the record itself is there */
    return place;
}

void flow__error_end(Flow *f, const ErrorPlace *place)
{
    Check *c = f->c;
    c->locals = NULL;
    f->error_builder = f->builder;
    f->builder = place->builder;
    c->b = &f->builder;
    f->row = c->row = place->row;
}

/* Rows by columns, another format than json, or an address that is put together. */
static bool needs_fields(const Check *c, const AstSink *sink)
{
    static const char *const tables[] = {"historian", "sqlite", "postgres"};
    Str name = sink->to.kind.text, plain;
    const AstExpr *e = sink->to.address;
    if (sink->format.text.len && !str_is(sink->format.text, "json")) return true;
    for (uint32_t i = 0; i < c->program->connection_count; i++)
        if (str_eq(c->program->connections[i].name, name)) name = c->program->connections[i].kind;
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        if (str_is(name, tables[i])) return true;
    return e && e->kind == AST_STRING && !ast_string_text(e, &plain);
}

/* A mail is put together from the error record and is none itself. */
static void in_stage(Flow *f, const AstSink *sink, uint32_t node)
{
    ErrorPlace place = flow__error_begin(f, node);
    uint32_t index = flow__sink(f, sink, f->error_row, node);
    flow__error_end(f, &place);
    if (index != NO_INDEX) f->p.sinks[index].errors = !flow__is_mail(f->c, &sink->to);
}

void flow__error_sinks(Flow *f, const AstSink *list)
{
    Check *c = f->c;
    for (const AstSink *sink = list; sink; sink = sink->next) {
        uint32_t node = flow__node(f, "into", sink->span);
        if (flow__is_mail(c, &sink->to) || needs_fields(c, sink)) {
            in_stage(f, sink, node);
            continue;
        }
        uint32_t index = flow__sink(f, sink, NULL, node);
        if (index != NO_INDEX)
            *PUSH(c, f->p.error_sinks, f->p.error_sink_count, f->error_sink_cap) = index;
    }
    /* Without a sink of its own the runtime would take the dead letters. */
    f->p.error_drop = f->p.error_sink_count == 0;
}
