/* compiler/type/historian.c: `from historian NAME as { ... }`: which columns of the table that
 * `into historian NAME` keeps, and of what type.
 *
 * Who reads the table gets them as the option `columns`, a line for each: the name and what the
 * column holds (bool int number time text, json for what stands in a text), with a `?` when it may
 * be missing. `since` is the option `since` or, where it is no instant, `age`; both in ns. A table
 * of the same program is held against what is read of it here; any other when it is read. */
#include "compiler/type/flow.h"

enum { COLUMN_BYTES_MAX = 63 };

/* As runtime/modules/engine/out.c writes them. */
static const char *column_type(const Type *type)
{
    if (type_is_integer(type->kind)) return "int";
    if (type_is_number(type->kind)) return "number";
    switch (type->kind) {
    case IR_BOOL: return "bool";
    case IR_TIME: return "time";
    case IR_JSON:
    case IR_LIST: return "json";
    default: return "text";
    }
}

static const char *column_fault(const RecordField *field)
{
    if (field->type.kind == IR_RECORD) return "a column is a single value, not a record";
    if (field->type.kind == IR_TIME && field->type.time_read != IR_TIME_TEXT)
        return "a column of times is read as `time`";
    if (field->name.len > COLUMN_BYTES_MAX) return "a column has a name of at most 63 letters";
    return NULL;
}

static bool no_words(Check *c, const AstConnector *at, const AstDecode *decode)
{
    bool fine = true;
    if (decode->format.text.len) {
        Diagnostic *d = diag_error(c->diags, DIAG_S019, decode->format.span,
                                   "`historian` keeps rows, not texts: it takes no format");
        diag_fix(c->diags, d, "as { ... }", decode->format.span, "");
        fine = false;
    }
    for (const AstOption *o = at->options; o; o = o->next) {
        if (!str_is(o->name.text, "check") && !str_is(o->name.text, "unknown")) continue;
        diag_error(c->diags, DIAG_S010, o->span,
                   "`%.*s` is an option of json and csv, not of a table", STR_ARG(o->name.text));
        fine = false;
    }
    return fine;
}

static void since(IrSource *s)
{
    for (uint32_t i = 0; i < s->option_count; i++)
        if (str_is(s->options[i].name, "since") && s->options[i].type == IR_DURATION)
            s->options[i].name = STR("age");
}

const Record *flow__table(Check *c, const AstConnector *at, const AstDecode *decode, IrSource *s)
{
    bool fine = no_words(c, at, decode);
    s->format = FORMAT_JSON;
    if (!decode->type) {
        diag_error(c->diags, DIAG_S012, at->span,
                   "`historian` needs to know its columns: from historian %.*s as { ... }",
                   STR_ARG(s->address.len ? s->address : STR("NAME")));
        return NULL;
    }
    Type type = check__type(c, decode->type, 0);
    if (type.kind == IR_NONE) return NULL;
    if (type.kind != IR_RECORD || type.optional || type.record->tag) {
        diag_error(c->diags, DIAG_T017, decode->span, "a table gives records, not %.*s",
                   STR_ARG(type_text(c->arena, &type)));
        return NULL;
    }
    Str columns = STR("");
    for (uint32_t i = 0; i < type.record->count; i++) {
        const RecordField *field = &type.record->fields[i];
        const char *fault = column_fault(field);
        if (fault)
            diag_error(c->diags, DIAG_T017, field->span, "`%.*s`: %s", STR_ARG(field->name), fault);
        fine &= fault == NULL;
        columns = check__text(c, "%.*s%.*s %s%s\n", STR_ARG(columns), STR_ARG(field->name),
                              column_type(&field->type), field->type.optional ? "?" : "");
    }
    if (!fine) return NULL;
    since(s);
    uint32_t cap = s->option_count;
    IrOption option = {.name = STR("columns"), .type = IR_STR, .value.text = columns};
    s->options = check__grow(c, s->options, s->option_count, &cap, sizeof(IrOption));
    s->options[s->option_count++] = option;
    return type.record;
}

/* ---- against what the program writes ---- */

typedef struct Column {
    Str name, type;
    bool optional;
} Column;

static bool next_column(Str *rest, Column *ret_column)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!end) return false;
    Str line = {rest->ptr, (size_t)(end - rest->ptr)};
    const char *space = memchr(line.ptr, ' ', line.len);
    if (!space) return false;
    ret_column->name = (Str){line.ptr, (size_t)(space - line.ptr)};
    ret_column->type = str_skip(line, ret_column->name.len + 1);
    ret_column->optional = str_ends(ret_column->type, STR("?"));
    ret_column->type.len -= ret_column->optional;
    *rest = str_skip(*rest, line.len + 1);
    return true;
}

static bool may_be_read_as(Str have, Str wanted)
{
    return str_eq(have, wanted) || (str_is(have, "int") && str_is(wanted, "number")) ||
           (str_is(have, "text") && str_is(wanted, "json")) ||
           (str_is(have, "json") && str_is(wanted, "text"));
}

static void compare(Check *c, const IrSource *source, const IrSink *sink, const IrPipeline *writer)
{
    IrLeaf *leaves;
    uint32_t count;
    Column column;
    Str rest = source->options[source->option_count - 1].value.text;
    Status status = ir_leaves(c->program, sink->schema, c->arena, &leaves, &count);
    if (status) check__leave(c, status);
    while (next_column(&rest, &column))
        for (uint32_t i = 0; i < count; i++) {
            Type type = {.kind = leaves[i].field->type};
            const char *have = column_type(&type);
            if (!str_eq(leaves[i].name, column.name) || may_be_read_as(str_from(have), column.type))
                continue;
            diag_error(c->diags, DIAG_S042, source->span,
                       "column `%.*s` of historian %.*s is %s, as pipeline %.*s writes it, and is "
                       "read as %.*s here",
                       STR_ARG(column.name), STR_ARG(source->address), have, STR_ARG(writer->name),
                       STR_ARG(column.type));
        }
}

void check__tables_read(Check *c)
{
    const IrProgram *all = c->program;
    for (uint32_t p = 0; p < all->pipeline_count; p++)
        for (uint32_t i = 0; i < all->pipelines[p].source_count; i++) {
            const IrSource *source = &all->pipelines[p].sources[i];
            if (!str_is(source->kind, "historian")) continue;
            for (uint32_t w = 0; w < all->pipeline_count; w++)
                for (uint32_t k = 0; k < all->pipelines[w].sink_count; k++) {
                    const IrSink *sink = &all->pipelines[w].sinks[k];
                    if (str_is(sink->kind, "historian") && sink->schema != NO_INDEX &&
                        str_eq(sink->address, source->address))
                        compare(c, source, sink, &all->pipelines[w]);
                }
        }
}
