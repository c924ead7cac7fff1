/* runtime/modules/schemas/schema_alarms.c: alarms that schemas declare.
 *
 * An alarm stands in a schema's text and is about a field of its type. Bound to topics it is a rule
 * of the namespace under the origin "schema NAME", with one filter per binding: the binding's, and
 * the field below it. A binding that is fixed to a version has that version's alarms, as NAME.vN;
 * all others share the newest one's. The module `uns` is told before a change is stored, and
 * refuses it for both; once the change is in place it is told again what is, so that changes that
 * met are right. */
#include "modules/schemas/schemas_int.h"

#include <stdio.h>

#define ORIGIN "schema "

/* ---- what a schema declares ---- */

static const SchemaVersion *version_of(const Schema *schema, const SchemaChange *change,
                                       int64_t version)
{
    if (!version && change && change->newest) return change->newest;
    return schemas__version(schema, version);
}

static Str binding_filter(const Binding *binding)
{
    return (Str){binding->filter, binding->filter_len};
}

static void put_filter(Str filter, Str field, JsonOut *out)
{
    AUTO_BUF Buf text;
    buf_init(&text, 2 * FILTER_BYTES_MAX);
    buf_str(&text, filter);
    if (field.len) buf_char(&text, '/');
    buf_str(&text, field);
    json_put_str(out, buf_view(&text));
}

/* The filters that the schema is bound to with this version (0: the newest), with the field below
 * them; `out` NULL: how many there are. */
static uint32_t put_filters(const Schemas *self, const Schema *schema, const SchemaChange *change,
                            int64_t version, Str field, JsonOut *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->binding_count; i++) {
        const Binding *binding = self->bindings[i];
        bool changed = change && str_eq(binding_filter(binding), change->filter);
        if (changed || binding->schema != schema || binding->version != version) continue;
        if (out) put_filter(binding_filter(binding), field, out);
        count++;
    }
    const Binding *added = change ? change->binding : NULL;
    if (!added || added->schema != schema || added->version != version) return count;
    if (out) put_filter(change->filter, field, out);
    return count + 1;
}

static void put_alarm(const Schemas *self, const Schema *schema, const SchemaChange *change,
                      int64_t version, const Json *alarm, JsonOut *out)
{
    json_begin_object(out);
    for (const Json *member = alarm->first; member; member = member->next) {
        json_key(out, member->key.ptr);
        if (str_is(member->key, "name") && version) {
            AUTO_BUF Buf name;
            buf_init(&name, 512);
            buf_str(&name, member->text);
            buf_printf(&name, ".v%lld", (long long)version);
            json_put_str(out, buf_view(&name));
        } else if (str_is(member->key, "on")) {
            json_begin_array(out);
            (void)put_filters(self, schema, change, version, member->text, out);
            json_end(out);
        } else {
            json_put_raw(out, member->raw);
        }
    }
    json_end(out);
}

/* The alarms of a version (0: the newest), when something is bound to it. */
static void put_version(const Schemas *self, const Schema *schema, const SchemaChange *change,
                        int64_t number, JsonOut *out)
{
    const SchemaVersion *version = version_of(schema, change, number);
    if (!version || !put_filters(self, schema, change, number, STR(""), NULL)) return;
    for (const Json *alarm = version->alarms ? version->alarms->first : NULL; alarm;
         alarm = alarm->next)
        put_alarm(self, schema, change, number, alarm, out);
}

/* `schema` NULL: the origin has no alarms any more. */
static MUST Status declare(const Schemas *self, Str origin, const Schema *schema,
                           const SchemaChange *change, BusAnswerFn *fn, void *ctx)
{
    AUTO_BUF Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "origin", origin);
    json_key(&out, "alarms");
    json_begin_array(&out);
    if (schema) put_version(self, schema, change, 0, &out);
    for (uint32_t i = 0; schema && i < schema->count; i++)
        put_version(self, schema, change, schema->versions[i]->version, &out);
    json_end(&out);
    json_end(&out);
    if (buf_status(&body)) return ST_LIMIT;
    return bus_request(self->env->bus, STR("uns.alarm_declare"), buf_view(&body), NULL, 15000, fn,
                       ctx);
}

Status schemas__alarms_declare(const Schemas *self, const Schema *schema,
                               const SchemaChange *change, BusAnswerFn *fn, void *ctx)
{
    char origin[sizeof ORIGIN + SCHEMA_NAME_BYTES_MAX];
    (void)snprintf(origin, sizeof origin, ORIGIN "%s", schema->name);
    return declare(self, str_from(origin), schema, change, fn, ctx);
}

bool schemas__has_alarms(const Schema *schema, const SchemaChange *change)
{
    bool any = change && change->newest && change->newest->alarms && change->newest->alarms->first;
    for (uint32_t i = 0; i < schema->count && !any; i++)
        any = schema->versions[i]->alarms && schema->versions[i]->alarms->first;
    return any;
}

/* ---- telling what is ---- */

static void on_told(void *ctx, Status status, Str body)
{
    Schemas *self = ctx;
    if (status == ST_CANCELLED) return;
    if (status)
        log_error(self->env->log, "schemas", "alarms of a schema are not as it declares them",
                  "reason=%.*s", STR_ARG(body.len ? body : str_from(status_text(status))));
}

void schemas__alarms_tell(Schemas *self, const Schema *schema)
{
    if (!schemas__has_alarms(schema, NULL)) return;
    Status st = schemas__alarms_declare(self, schema, NULL, on_told, self);
    if (st) on_told(self, st, STR_NONE);
}

/* Of a schema that is not there, or has none any more. */
static void take_away(Schemas *self, Str origin)
{
    Status st = declare(self, origin, NULL, NULL, on_told, self);
    if (st) on_told(self, st, STR_NONE);
}

static void on_rules(void *ctx, Status status, Str body)
{
    Schemas *self = ctx;
    const Json *json = NULL;
    Arena *arena = status ? NULL : arena_new(0, (size_t)64 << 20);
    if (!arena) return; /* cancelled: the module may be gone */
    if (!json_read(arena, body, &json, NULL)) {
        const Json *rules = json_get(json, "rules");
        for (const Json *at = rules ? rules->first : NULL; at; at = at->next) {
            Str origin = json_str(at, "origin", STR_NONE);
            if (!str_starts(origin, STR(ORIGIN))) continue;
            const Schema *schema = schemas__find(self, str_skip(origin, sizeof ORIGIN - 1));
            if (!schema || !schemas__has_alarms(schema, NULL)) take_away(self, origin);
        }
    }
    arena_free(arena);
}

/* The process may have died between telling and storing. */
void schemas__alarms_start(Schemas *self)
{
    for (uint32_t i = 0; i < self->count; i++) schemas__alarms_tell(self, self->list[i]);
    Status st =
        bus_request(self->env->bus, STR("uns.alarm_rules"), STR("{}"), NULL, 15000, on_rules, self);
    if (st)
        log_warn(self->env->log, "schemas", "alarms were not looked through", "reason=%s",
                 status_text(st));
}
