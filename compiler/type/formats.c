/* compiler/type/formats.c: what a format asks of the type beside it.
 *
 * json carries any record, csv a flat one. `text` and `raw` carry one value: the line or message
 * itself, as text or as bytes; without a type behind them they bring a record of their own, so
 * `as text` alone is enough to read a log file. The formats of bytes carry all but json, which is
 * a text. */
#include "compiler/type/flow.h"

#include "compiler/ir/facts.h"

enum { PLAIN_BYTES_MAX = 64 << 10 }; /* of the record a plain format brings */

static bool is_plain(IrFormat format)
{
    return format == FORMAT_TEXT || format == FORMAT_RAW;
}

static bool fits_plain(IrFormat format, IrType kind)
{
    return kind == IR_STR || (format == FORMAT_RAW && (kind == IR_BYTES || kind == IR_JSON));
}

const Record *flow__format_record(Check *c, IrFormat format, Span span)
{
    if (!is_plain(format)) return NULL;
    bool text = format == FORMAT_TEXT;
    Record *record = NEW(c, Record, 1);
    *record = (Record){.fields = NEW(c, RecordField, 1), .count = 1, .schema = NO_INDEX};
    record->fields[0] = (RecordField){
        .name = text ? STR("text") : STR("raw"),
        .type = {.kind = text ? IR_STR : IR_BYTES, .bytes_max = PLAIN_BYTES_MAX, .span = span},
        .span = span};
    return record;
}

/* A field of type json in the record or in one of its records. */
static bool holds_json(const Record *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const Type *t = &record->fields[i].type;
        if (t->kind == IR_JSON) return true;
        if ((t->kind == IR_RECORD || t->kind == IR_LIST) && holds_json(t->record)) return true;
    }
    return false;
}

bool flow__format_takes(Check *c, IrFormat format, const Record *record, Span span)
{
    if (format == FORMAT_CSV)
        for (uint32_t i = 0; i < record->count; i++)
            if (record->fields[i].type.kind == IR_RECORD ||
                record->fields[i].type.kind == IR_LIST) {
                diag_error(c->diags, DIAG_T017, span, "csv has no records or lists inside records");
                return false;
            }
    if (ir_format_is_bytes(format) && holds_json(record)) {
        Diagnostic *d = diag_error(c->diags, DIAG_S019, span, "`as %s` carries no field of json",
                                   ir_format_name(format));
        diag_hint(c->diags, d, "name what is in it: a record, a list, or bytes");
        return false;
    }
    if (!is_plain(format)) return true;
    const Type *only = record->count == 1 ? &record->fields[0].type : NULL;
    if (only && only->kind == IR_NONE) return true; /* had an error of its own */
    if (only && fits_plain(format, only->kind) && !only->optional) return true;
    Type whole = {.kind = IR_RECORD, .record = record};
    Diagnostic *d = diag_error(
        c->diags, DIAG_S019, span, "`as %s` carries one field that is %s and always there",
        ir_format_name(format), format == FORMAT_TEXT ? "text" : "text or bytes");
    diag_under(c->diags, d, "%.*s", STR_ARG(type_text(c->arena, &whole)));
    return false;
}

void flow__format_words(Check *c, const AstConnector *at, const AstName *name, IrFormat format)
{
    bool of_file = format == FORMAT_PROTOBUF && !flow__is_sparkplug(name);
    for (const AstOption *o = at->options; o && !of_file; o = o->next)
        if (flow__proto_option(o))
            diag_error(c->diags, DIAG_S010, o->span, "`%.*s` is an option of `as protobuf`",
                       STR_ARG(o->name.text));
    if (!is_plain(format)) return;
    for (const AstOption *o = at->options; o; o = o->next)
        if (str_is(o->name.text, "check") || str_is(o->name.text, "unknown"))
            diag_error(c->diags, DIAG_S010, o->span,
                       "`%.*s` is an option of json and csv, not of %s", STR_ARG(o->name.text),
                       ir_format_name(format));
}

bool flow__keeps_rows(const ConnectorKind *kind)
{
    static const char *const list[] = {"historian", "sqlite", "postgres"};
    for (size_t i = 0; i < COUNT_OF(list); i++)
        if (str_is(str_from(kind->name), list[i])) return true;
    return false;
}

bool flow__sink_format(Check *c, const AstSink *sink, const ConnectorKind *kind, const Row *row,
                       IrFormat format)
{
    bool fixed = flow__keeps_rows(kind) || str_is(str_from(kind->name), "dead") ||
                 str_is(str_from(kind->name), "email");
    if (format != FORMAT_JSON && (fixed || !row)) {
        diag_error(c->diags, DIAG_S019, sink->format.span,
                   fixed ? "`%s` keeps rows, not texts: it takes no format"
                         : "error records are written as json, to `%s` too",
                   kind->name);
        return false;
    }
    for (uint32_t i = 0; row && i < row->count; i++)
        if (check__bad(&row->fields[i].val)) return true; /* reported where it was made */
    return !row || flow__format_takes(c, format, check__row_record(c, row), sink->span);
}
