/* runtime/deliver/table.c: rows as tables see them: columns by name, values by their JSON.
 *
 * A nested record is one column for each of its fields, "a.b"; a list or json is its own text.
 * Error records have the columns that docs/language.md names. */
#include "deliver/deliver_int.h"

#include "peer/pg.h"

static const RtField error_fields[] = {
    {.name = "reason", .type = RT_STR},
    {.name = "field", .type = RT_STR, .flags = RT_OPTIONAL},
    {.name = "message", .type = RT_STR, .flags = RT_OPTIONAL},
    {.name = "pipeline", .type = RT_STR},
    {.name = "stage", .type = RT_STR},
    {.name = "at", .type = RT_TIME},
    {.name = "raw", .type = RT_STR, .flags = RT_OPTIONAL},
};
static const RtSchema error_schema = {"error", error_fields, COUNT_OF(error_fields),
                                      COUNT_OF(error_fields)};

MUST static Status add(Deliver *d, const RtSchema *schema, DeliverColumn *at, Str before,
                       Diag *diag)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        DeliverColumn one = *at;
        if (one.depth == COUNT_OF(one.path) || d->column_count == DELIVER_COLUMNS_MAX)
            return diag_set(diag, ST_LIMIT, "the rows have too many columns");
        one.path[one.depth++] = field;
        one.name = before.len ? arena_printf(d->arena, "%.*s.%s", STR_ARG(before), field->name)
                              : str_from(field->name);
        if (!one.name.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
        if (field->type == RT_RECORD) {
            Status st = add(d, field->child, &one, one.name, diag);
            if (st) return st;
            continue;
        }
        d->columns[d->column_count++] = one;
    }
    return ST_OK;
}

Status deliver__columns(Deliver *d, Diag *diag)
{
    DeliverColumn top = {.depth = 0};
    const Json *keys = NULL;
    d->columns = arena_many(d->arena, DeliverColumn, DELIVER_COLUMNS_MAX);
    if (!d->columns) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = add(d, d->sink->schema ? d->sink->schema : &error_schema, &top, STR(""), diag);
    if (st) return st;
    if (d->sink->keys && json_read(d->arena, str_from(d->sink->keys), &keys, NULL)) keys = NULL;
    for (const Json *key = keys ? keys->first : NULL; key; key = key->next)
        for (uint32_t i = 0; i < d->column_count; i++) {
            if (!str_eq(d->columns[i].name, key->text) || d->columns[i].key) continue;
            d->columns[i].key = true;
            d->key_count++;
        }
    return ST_OK;
}

Str deliver__row(const DeliverRows *rows, uint32_t index)
{
    const RtRow *row = &rows->rows[index];
    Str text = {rows->bytes + row->start, row->len};
    if (text.len && text.ptr[text.len - 1] == '\n') text.len--;
    return text;
}

const Json *deliver__value(const DeliverColumn *column, const Json *row)
{
    for (uint32_t i = 0; row && i < column->depth; i++) row = json_get(row, column->path[i]->name);
    return row && row->type != JSON_NULL ? row : NULL;
}

const RtField *deliver__field(const DeliverColumn *column)
{
    return column->path[column->depth - 1];
}

size_t deliver__bytes(Str text, unsigned char *out)
{
    uint32_t bits = 0, have = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        char c = text.ptr[i];
        uint32_t v = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
                     : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 26
                     : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 52
                     : c == '+'             ? 62
                                            : 63;
        bits = (bits << 6 | v) & 0xffffff;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[len++] = (unsigned char)(bits >> have);
    }
    return len;
}

void deliver__put_names(const Deliver *d, Buf *out, bool keys_only)
{
    bool first = true;
    for (uint32_t i = 0; i < d->column_count; i++) {
        if (keys_only && !d->columns[i].key) continue;
        if (!first) buf_text(out, ", ");
        pg_put_name(out, d->columns[i].name);
        first = false;
    }
}

void deliver__put_updates(const Deliver *d, Buf *out)
{
    bool first = true;
    for (uint32_t i = 0; i < d->column_count; i++) {
        if (d->columns[i].key) continue;
        buf_text(out, first ? " do update set " : ", ");
        pg_put_name(out, d->columns[i].name);
        buf_text(out, " = excluded.");
        pg_put_name(out, d->columns[i].name);
        first = false;
    }
    if (first) buf_text(out, " do nothing");
}
