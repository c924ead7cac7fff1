/* runtime/modules/schemas/schema_form.c: a type as the compiler described it, as the scanner's
 * tables.
 *
 * The form comes out of our own store, but a file can be damaged: everything is looked at again.
 * Leaves are numbered over the whole record; items of a list begin at 0, as they do in programs. */
#include "modules/schemas/schemas_int.h"

typedef struct Form {
    Arena *arena;
    uint32_t leaves;
    Diag *diag;
} Form;

static uint8_t type_named(Str word)
{
    static const struct {
        const char *word;
        uint8_t type;
    } types[] = {
        {"bool", RT_BOOL},   {"i32", RT_I32},         {"i64", RT_I64},   {"u32", RT_U32},
        {"u64", RT_U64},     {"f32", RT_F32},         {"f64", RT_F64},   {"string", RT_STR},
        {"bytes", RT_BYTES}, {"decimal", RT_DECIMAL}, {"time", RT_TIME}, {"duration", RT_DURATION},
        {"enum", RT_ENUM},   {"json", RT_JSON},       {"list", RT_LIST}, {"record", RT_RECORD}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_is(word, types[i].word)) return types[i].type;
    return RT_NONE;
}

static uint8_t time_read(Str word)
{
    static const char *const words[] = {"text", "s", "ms", "us", "ns"};
    for (uint8_t i = 0; i < 5; i++)
        if (str_is(word, words[i])) return i;
    return 0;
}

static Status names_of(Form *form, const Json *json, RtField *field)
{
    const Json *names = json_get(json, "names");
    if (!names || names->type != JSON_ARRAY || !names->count)
        return diag_set(form->diag, ST_CORRUPT, "an enum without names");
    const char **list = arena_many(form->arena, const char *, names->count);
    if (!list) return ST_NO_MEMORY;
    uint32_t i = 0;
    for (const Json *name = names->first; name; name = name->next) {
        if (name->type != JSON_STRING) return diag_set(form->diag, ST_CORRUPT, "a name is no text");
        list[i] = arena_str(form->arena, name->text).ptr;
        if (!list[i++]) return ST_NO_MEMORY;
    }
    field->names = list;
    field->name_count = names->count;
    return ST_OK;
}

static Status read_field(Form *form, const Json *json, Str inside, uint32_t depth, RtField *field);

static Status read_fields(Form *form, const Json *json, Str inside, uint32_t depth,
                          const RtSchema **ret_schema)
{
    const Json *list = json_get(json, "fields");
    if (!list || list->type != JSON_ARRAY || !list->count || list->count > RT_LEAVES_MAX)
        return diag_set(form->diag, ST_CORRUPT, "a record without fields, or with too many");
    RtSchema *schema = arena_one(form->arena, RtSchema);
    RtField *fields = arena_many(form->arena, RtField, list->count);
    if (!schema || !fields) return ST_NO_MEMORY;
    uint32_t before = form->leaves, i = 0;
    for (const Json *one = list->first; one; one = one->next) {
        Status st = read_field(form, one, inside, depth, &fields[i++]);
        if (st) return st;
    }
    *schema = (RtSchema){"", fields, list->count, form->leaves - before};
    *ret_schema = schema;
    return ST_OK;
}

/* Items are rows of their own: their leaves and paths begin anew. */
static Status read_items(Form *form, const Json *json, uint32_t depth, const RtSchema **ret_schema)
{
    uint32_t outer = form->leaves;
    form->leaves = 0;
    Status st = read_fields(form, json, STR(""), depth, ret_schema);
    form->leaves = outer;
    return st;
}

static Status read_field(Form *form, const Json *json, Str inside, uint32_t depth, RtField *field)
{
    Str name = json_str(json, "name", STR(""));
    uint8_t type = type_named(json_str(json, "type", STR_NONE));
    if (depth > SCHEMA_DEPTH_MAX || type == RT_NONE || name.len > UINT16_MAX)
        return diag_set(form->diag, ST_CORRUPT, "no type of a field is as in the form");
    Str path = arena_printf(form->arena, "%.*s%.*s", STR_ARG(inside), STR_ARG(name));
    const char *copy = arena_str(form->arena, name).ptr;
    if (!path.ptr || !copy) return ST_NO_MEMORY;
    *field = (RtField){.name = copy,
                       .name_len = (u16)name.len,
                       .type = type,
                       .flags = RT_NEEDED,
                       .scale = (u8)json_int(json, "scale", 0),
                       .time_read = time_read(json_str(json, "read", STR_NONE)),
                       .leaf = (u16)form->leaves,
                       .bytes_max = (u32)json_int(json, "max", 0),
                       .lo = json_number(json, "lo", 0),
                       .hi = json_number(json, "hi", 0),
                       .path = path.ptr};
    memcpy(&field->word, copy, name.len < 8 ? name.len : 8);
    if (json_bool(json, "optional", false)) field->flags |= RT_OPTIONAL;
    if (json_get(json, "lo")) field->flags |= RT_RANGED;
    if (type == RT_ENUM) {
        Status st = names_of(form, json, field);
        if (st) return st;
    }
    if (type == RT_RECORD) {
        Str below = name.len ? arena_printf(form->arena, "%.*s.", STR_ARG(path)) : path;
        return below.ptr ? read_fields(form, json, below, depth + 1, &field->child) : ST_NO_MEMORY;
    }
    if (++form->leaves > RT_LEAVES_MAX)
        return diag_set(form->diag, ST_LIMIT, "more than %d values in a record", RT_LEAVES_MAX);
    return type == RT_LIST ? read_items(form, json, depth + 1, &field->child) : ST_OK;
}

Status schemas__form_field(Arena *arena, const Json *json, RtField *ret_field, Diag *diag)
{
    Form form = {.arena = arena, .diag = diag};
    return read_field(&form, json, STR(""), 0, ret_field);
}

Status schemas__fit(SchemaVersion *version, Diag *diag)
{
    if (version->fit) return ST_OK;
    Status st = flow_fit_new(&version->field, version->closed, &version->fit);
    return st ? diag_set(diag, st, "no decoder for schema %s: %s", version->schema->name,
                         status_text(st))
              : ST_OK;
}
