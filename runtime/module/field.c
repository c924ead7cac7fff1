/* runtime/module/field.c: checks an input object against a list of fields.
 *
 * Strict on purpose: a field nobody knows is a spelling mistake that would otherwise be ignored.
 * A null stands for an absent field, as JavaScript callers write it. */
#include "module/host.h"

static const char *const type_names[] = {"text",          "a whole number",   "a number",
                                         "true or false", "an RFC 3339 time", "an object",
                                         "a list",        "anything"};

static bool two_digits(const char *p, int least, int most)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    int value = (p[0] - '0') * 10 + (p[1] - '0');
    return value >= least && value <= most;
}

/* RFC 3339 section 5.6: date-time, form only (a 31st of February is the reader's to refuse). */
static bool is_time(Str text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t at = sizeof shape - 1;
    if (text.len < at + 1) return false;
    for (size_t i = 0; i < at; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (shape[i] == 'd' ? !digit : (text.ptr[i] & ~0x20) != (shape[i] & ~0x20)) return false;
    }
    if (!two_digits(text.ptr + 5, 1, 12) || !two_digits(text.ptr + 8, 1, 31) ||
        !two_digits(text.ptr + 11, 0, 23) || !two_digits(text.ptr + 14, 0, 59) ||
        !two_digits(text.ptr + 17, 0, 60))
        return false;
    if (text.ptr[at] == '.') {
        size_t start = ++at;
        while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9') at++;
        if (at == start) return false;
    }
    Str zone = str_skip(text, at);
    if (zone.len == 1) return (zone.ptr[0] & ~0x20) == 'Z';
    return zone.len == 6 && (zone.ptr[0] == '+' || zone.ptr[0] == '-') && zone.ptr[3] == ':' &&
           two_digits(zone.ptr + 1, 0, 23) && two_digits(zone.ptr + 4, 0, 59);
}

static bool type_fits(FieldType type, const Json *json)
{
    switch (type) {
    case FIELD_STR: return json->type == JSON_STRING;
    case FIELD_INT: return json->type == JSON_INT;
    case FIELD_NUMBER: return json->type == JSON_INT || json->type == JSON_NUMBER;
    case FIELD_BOOL: return json->type == JSON_TRUE || json->type == JSON_FALSE;
    case FIELD_TIME: return json->type == JSON_STRING && is_time(json->text);
    case FIELD_OBJECT: return json->type == JSON_OBJECT;
    case FIELD_ARRAY: return json->type == JSON_ARRAY;
    case FIELD_ANY: return true;
    }
    return false;
}

static Status check_bounds(const Field *field, const Json *json, Diag *diag)
{
    double size;
    const char *unit;
    if (field->min == 0 && field->max == 0) return ST_OK;
    switch (json->type) {
    case JSON_INT:
    case JSON_NUMBER: size = json->number, unit = ""; break;
    case JSON_STRING: size = (double)json->text.len, unit = " bytes"; break;
    case JSON_ARRAY: size = (double)json->count, unit = " items"; break;
    default: return ST_OK;
    }
    if (size >= field->min && size <= field->max) return ST_OK;
    return diag_set(diag, ST_INVALID, "%s must be from %.15g to %.15g%s", field->name, field->min,
                    field->max, unit);
}

static const Field *find(const Field *fields, Str name)
{
    for (; fields && fields->name; fields++)
        if (str_is(name, fields->name)) return fields;
    return NULL;
}

Status field_check(const Field *fields, const Json *object, Diag *diag)
{
    if (object->type != JSON_OBJECT) return diag_set(diag, ST_INVALID, "an object was expected");
    for (const Json *json = object->first; json; json = json->next) {
        const Field *field = find(fields, json->key);
        if (!field)
            return diag_set(diag, ST_INVALID, "unknown field '%.*s'",
                            (int)(json->key.len > 100 ? 100 : json->key.len), json->key.ptr);
        if (json->type == JSON_NULL) continue;
        if (!type_fits(field->type, json))
            return diag_set(diag, ST_INVALID, "%s must be %s", field->name,
                            type_names[field->type]);
        Status st = check_bounds(field, json, diag);
        if (st) return st;
    }
    for (const Field *field = fields; field && field->name; field++) {
        if (!(field->flags & FIELD_REQUIRED)) continue;
        const Json *json = json_get(object, field->name);
        if (!json || (json->type == JSON_NULL && field->type != FIELD_ANY))
            return diag_set(diag, ST_INVALID, "%s is missing", field->name);
    }
    return ST_OK;
}
