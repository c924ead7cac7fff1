/* runtime/modules/schemas/schema_diff.c: what a new version of a schema changes, in sentences.
 *
 * Compatible means: every payload that fitted the old version fits the new one, and every field
 * still means what it meant, so neither publishers nor readers have to change. A field that goes, a
 * unit that changes and a bound that gets tighter are therefore incompatible; fields that may be
 * missing, wider bounds and more names of an enum are not. */
#include "modules/schemas/schemas_int.h"

typedef struct Compare {
    JsonOut *out;
    bool any, breaks;
} Compare;

static void say(Compare *c, Str path, bool fine, Str text)
{
    c->any = true;
    if (!fine) c->breaks = true;
    json_begin_object(c->out);
    json_field_str(c->out, "field", path);
    json_field_bool(c->out, "compatible", fine);
    json_field_str(c->out, "text", text);
    json_end(c->out);
}

#define SAY(c, path, fine, ...)                                                                    \
    do {                                                                                           \
        char said[400];                                                                            \
        int len = snprintf(said, sizeof said, __VA_ARGS__);                                        \
        say(c, path, fine, (Str){said, len < 400 ? (size_t)len : 399});                            \
    } while (0)

static const Json *field_named(const Json *fields, Str name)
{
    for (const Json *field = fields ? fields->first : NULL; field; field = field->next)
        if (str_eq(json_str(field, "name", STR("")), name)) return field;
    return NULL;
}

/* Whole numbers that fit another type too. */
static bool widens(Str old, Str new)
{
    static const char *const wider[][2] = {{"i32", "i64"}, {"i32", "f64"}, {"u32", "u64"},
                                           {"u32", "i64"}, {"u32", "f64"}, {"f32", "f64"}};
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
        if (str_is(old, wider[i][0]) && str_is(new, wider[i][1])) return true;
    return false;
}

static void bounds(Compare *c, Str path, const Json *old, const Json *new)
{
    int64_t was = json_int(old, "max", 0), is = json_int(new, "max", 0);
    if (was != is)
        SAY(c, path, !is || (was && is > was), "its bound changes from %lld to %lld",
            (long long)was, (long long)is);
    bool had = json_get(old, "lo") != NULL, has = json_get(new, "lo") != NULL;
    double lo = json_number(new, "lo", 0), hi = json_number(new, "hi", 0);
    double old_lo = json_number(old, "lo", 0), old_hi = json_number(old, "hi", 0);
    if (had && !has)
        SAY(c, path, true, "its range goes away");
    else if (has && !had)
        SAY(c, path, false, "it gets a range, %g..%g: what lies outside does not fit any more", lo,
            hi);
    else if (has && (lo != old_lo || hi != old_hi))
        SAY(c, path, lo <= old_lo && hi >= old_hi, "its range changes from %g..%g to %g..%g",
            old_lo, old_hi, lo, hi);
}

static bool has_name(const Json *names, Str name)
{
    for (const Json *at = names ? names->first : NULL; at; at = at->next)
        if (str_eq(at->text, name)) return true;
    return false;
}

static void names(Compare *c, Str path, const Json *old, const Json *new)
{
    const Json *was = json_get(old, "names"), *is = json_get(new, "names");
    for (const Json *at = was ? was->first : NULL; at; at = at->next)
        if (!has_name(is, at->text))
            SAY(c, path, false, "%.*s is no name of it any more", STR_ARG(at->text));
    for (const Json *at = is ? is->first : NULL; at; at = at->next)
        if (!has_name(was, at->text))
            SAY(c, path, true, "%.*s is a new name of it", STR_ARG(at->text));
}

static void fields(Compare *c, Str path, const Json *old, const Json *new);

static void field(Compare *c, Str path, const Json *old, const Json *new)
{
    Str was = json_str(old, "type", STR_NONE), is = json_str(new, "type", STR_NONE);
    if (!str_eq(was, is)) {
        bool fine = widens(was, is);
        SAY(c, path, fine, "its type changes from %.*s to %.*s", STR_ARG(was), STR_ARG(is));
        if (!fine) return;
    }
    Str unit = json_str(old, "unit", STR("")), new_unit = json_str(new, "unit", STR(""));
    if (!str_eq(unit, new_unit))
        SAY(c, path, !unit.len, "its unit changes from %.*s to %.*s",
            STR_ARG(unit.len ? unit : STR("none")), STR_ARG(new_unit.len ? new_unit : STR("none")));
    bool could = json_bool(old, "optional", false), can = json_bool(new, "optional", false);
    if (could != can)
        SAY(c, path, can, can ? "it may be missing now" : "it may not be missing any more");
    if (json_int(old, "scale", 0) != json_int(new, "scale", 0))
        SAY(c, path, false, "it has another number of digits behind the point");
    if (!str_eq(json_str(old, "read", STR("text")), json_str(new, "read", STR("text"))))
        SAY(c, path, false, "its time is written in another way");
    bounds(c, path, old, new);
    names(c, path, old, new);
    if (str_is(is, "record") || str_is(is, "list")) fields(c, path, old, new);
}

static Str below(Str path, Str name, char room[512])
{
    int len = snprintf(room, 512, "%.*s%s%.*s", STR_ARG(path), path.len && name.len ? "." : "",
                       STR_ARG(name));
    return (Str){room, len < 512 ? (size_t)len : 511};
}

static void fields(Compare *c, Str path, const Json *old, const Json *new)
{
    const Json *was = json_get(old, "fields"), *is = json_get(new, "fields");
    char room[512];
    for (const Json *at = was ? was->first : NULL; at; at = at->next) {
        Str name = json_str(at, "name", STR(""));
        const Json *now = field_named(is, name);
        if (now)
            field(c, below(path, name, room), at, now);
        else
            SAY(c, below(path, name, room), false, "it goes away: who reads it finds nothing");
    }
    for (const Json *at = is ? is->first : NULL; at; at = at->next) {
        Str name = json_str(at, "name", STR(""));
        if (field_named(was, name)) continue;
        bool fine = json_bool(at, "optional", false);
        SAY(c, below(path, name, room), fine, "it is new%s",
            fine ? " and may be missing" : ": payloads without it do not fit");
    }
}

static const Json *alarm_named(const Json *alarms, Str name)
{
    for (const Json *alarm = alarms ? alarms->first : NULL; alarm; alarm = alarm->next)
        if (str_eq(json_str(alarm, "name", STR("")), name)) return alarm;
    return NULL;
}

/* Payloads fit as before, so none of it is incompatible. */
static void alarms(Compare *c, const Json *old, const Json *new)
{
    for (const Json *is = new ? new->first : NULL; is; is = is->next) {
        Str name = json_str(is, "name", STR("")), on = json_str(is, "on", STR(""));
        const Json *was = alarm_named(old, name);
        if (!was)
            SAY(c, on, true, "the alarm %.*s is new", STR_ARG(name));
        else if (!str_eq(was->raw, is->raw))
            SAY(c, on, true, "the alarm %.*s changes", STR_ARG(name));
    }
    for (const Json *was = old ? old->first : NULL; was; was = was->next) {
        Str name = json_str(was, "name", STR(""));
        if (!alarm_named(new, name))
            SAY(c, json_str(was, "on", STR("")), true, "the alarm %.*s goes away", STR_ARG(name));
    }
}

bool schemas__diff(const SchemaVersion *old, const SchemaVersion *new, JsonOut *out, bool *ret_any)
{
    Compare c = {.out = out};
    json_begin_array(out);
    field(&c, STR(""), old->json, new->json);
    if (old->closed != new->closed)
        SAY(&c, STR(""), old->closed,
            new->closed ? "members that no field names are refused now"
                        : "members that no field names are let through now");
    alarms(&c, old->alarms, new->alarms);
    json_end(out);
    *ret_any = c.any;
    return !c.breaks;
}
