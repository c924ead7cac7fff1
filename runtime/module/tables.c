/* runtime/module/tables.c: reads the tables of modules: as JSON, for order, and for mistakes.
 *
 * host_check_tables is what a test runs over all modules, so that a table row without words or a
 * subject declared twice never reaches a user. */
#include "module/host_private.h"

#include "base/hash.h"
#include "module/role.h"

enum { NAMES_MAX = 4096 };

/* ---- JSON ---- */

static const char *role_name(uint32_t role)
{
    for (const Role *named = role_table; named->name; named++)
        if (named->bit == role) return named->name;
    return role == ROLE_NONE ? "none" : role == ROLE_SYSTEM ? "system" : "several";
}

static void put_fields(JsonOut *out, const char *key, const Field *fields)
{
    static const char *const names[] = {"text", "int",    "number", "bool",
                                        "time", "object", "array",  "any"};
    json_key(out, key);
    json_begin_array(out);
    for (; fields && fields->name; fields++) {
        json_begin_object(out);
        json_field_text(out, "name", fields->name);
        json_field_text(out, "type", names[fields->type]);
        json_field_bool(out, "required", fields->flags & FIELD_REQUIRED);
        if (fields->flags & FIELD_SECRET) json_field_bool(out, "secret", true);
        if (fields->min != 0 || fields->max != 0) {
            json_field_number(out, "min", fields->min);
            json_field_number(out, "max", fields->max);
        }
        json_field_text(out, "doc", fields->doc);
        json_end(out);
    }
    json_end(out);
}

static void put_conf(JsonOut *out, const ModConf *row)
{
    static const char *const names[] = {"bool", "int", "text", "ms", "bytes"};
    json_key(out, "conf");
    json_begin_array(out);
    for (; row && row->key; row++) {
        json_begin_object(out);
        json_field_text(out, "key", row->key);
        json_field_text(out, "type", names[row->type]);
        json_field_text(out, "preset", row->flags & CONF_SECRET ? NULL : row->preset);
        json_field_int(out, "min", row->min);
        json_field_int(out, "max", row->max);
        json_field_bool(out, "reload", row->flags & CONF_RELOAD);
        json_field_bool(out, "secret", row->flags & CONF_SECRET);
        json_field_text(out, "doc", row->doc);
        json_end(out);
    }
    json_end(out);
}

static void put_ops(JsonOut *out, const ModOp *op)
{
    json_key(out, "ops");
    json_begin_array(out);
    for (; op && op->subject; op++) {
        json_begin_object(out);
        json_field_text(out, "subject", op->subject);
        json_field_text(out, "role", role_name(op->role));
        json_field_int(out, "timeout_ms", op->timeout_ms);
        json_field_bool(out, "read", op->flags & OP_READ);
        json_field_bool(out, "durable", op->flags & OP_DURABLE);
        json_field_bool(out, "raw", op->flags & OP_RAW);
        put_fields(out, "in", op->in);
        put_fields(out, "out", op->out);
        json_field_text(out, "doc", op->doc);
        json_end(out);
    }
    json_end(out);
}

static void put_events(JsonOut *out, const ModuleDef *def)
{
    json_key(out, "subs");
    json_begin_array(out);
    for (const ModSub *sub = def->subs; sub && sub->subject; sub++) {
        json_begin_object(out);
        json_field_text(out, "subject", sub->subject);
        json_field_int(out, "queue_max", sub->queue_max);
        json_field_text(out, "doc", sub->doc);
        json_end(out);
    }
    json_end(out);
    json_key(out, "pubs");
    json_begin_array(out);
    for (const ModPub *pub = def->pubs; pub && pub->subject; pub++) {
        json_begin_object(out);
        json_field_text(out, "subject", pub->subject);
        put_fields(out, "body", pub->body);
        json_field_text(out, "doc", pub->doc);
        json_end(out);
    }
    json_end(out);
}

static void put_routes(JsonOut *out, const ModRoute *route)
{
    json_key(out, "routes");
    json_begin_array(out);
    for (; route && route->method; route++) {
        json_begin_object(out);
        json_field_text(out, "method", route->method);
        json_field_text(out, "path", route->path);
        json_field_text(out, "op", route->op);
        json_field_text(out, "type", route->type ? route->type : "application/json");
        json_end(out);
    }
    json_end(out);
}

void host_info_json(const ModuleDef *def, Buf *buf)
{
    JsonOut out;
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_field_text(&out, "name", def->name);
    json_field_text(&out, "doc", def->doc);
    json_key(&out, "needs");
    json_begin_array(&out);
    for (const char *const *need = def->needs; need && *need; need++) json_put_text(&out, *need);
    json_end(&out);
    put_conf(&out, def->conf);
    put_ops(&out, def->ops);
    put_events(&out, def);
    put_routes(&out, def->routes);
    json_end(&out);
}

size_t host_op_count(const ModuleDef *def)
{
    size_t count = 0;
    while (def->ops && def->ops[count].subject) count++;
    return count;
}

size_t host_route_count(const ModuleDef *def)
{
    size_t count = 0;
    while (def->routes && def->routes[count].method) count++;
    return count;
}

/* ---- order ---- */

typedef struct Order {
    const ModuleDef *const *list;
    const ModuleDef **out;
    size_t count;
    unsigned char seen[HOST_MODULES_MAX]; /* 1 = being visited, 2 = placed */
    Diag *diag;
} Order;

static Status place(Order *order, size_t index)
{
    const ModuleDef *def = order->list[index];
    if (order->seen[index] == 2) return ST_OK;
    if (order->seen[index] == 1)
        return diag_set(order->diag, ST_CONFLICT, "module %s needs itself in the end", def->name);
    order->seen[index] = 1;
    for (const char *const *need = def->needs; need && *need; need++) {
        for (size_t i = 0; order->list[i]; i++) {
            if (strcmp(order->list[i]->name, *need) != 0) continue;
            Status st = place(order, i); /* at most HOST_MODULES_MAX deep */
            if (st) return st;
        }
    }
    order->seen[index] = 2;
    order->out[order->count++] = def;
    return ST_OK;
}

Status host__order(const ModuleDef *const *list, const ModuleDef **out, size_t *ret_count,
                   Diag *diag)
{
    Order order = {.list = list, .out = out, .diag = diag};
    for (size_t i = 0; list[i]; i++)
        if (i >= HOST_MODULES_MAX) return diag_set(diag, ST_LIMIT, "too many modules");
    for (size_t i = 0; list[i]; i++) {
        Status st = place(&order, i);
        if (st) return st;
    }
    *ret_count = order.count;
    return ST_OK;
}

/* ---- mistakes ---- */

typedef struct Check {
    const ModuleDef *def;
    Map names; /* "op uns.get", "route GET /x" -> module name */
    Arena *arena;
    Diag *diag;
} Check;

static Status wrong(Check *check, const char *what, const char *which)
{
    return diag_set(check->diag, ST_INVALID, "module %s: %s: %s", check->def->name, what,
                    which ? which : "(no name)");
}

static bool empty(const char *text)
{
    return !text || !text[0];
}

static Status once(Check *check, const char *kind, const char *a, const char *b)
{
    Str name = arena_printf(check->arena, "%s %s %s", kind, a, b);
    if (!name.ptr) return ST_NO_MEMORY;
    if (map_get(&check->names, name)) return wrong(check, "declared twice", name.ptr);
    return map_put(&check->names, name, (void *)check->def);
}

static Status check_fields(Check *check, const char *of, const Field *fields)
{
    for (; fields && fields->name; fields++) {
        if (empty(fields->doc)) return wrong(check, "field without doc", fields->name);
        if (fields->min > fields->max) return wrong(check, "field with min over max", of);
    }
    return ST_OK;
}

static bool has_prefix(const char *subject, const char *module)
{
    size_t len = strlen(module);
    return strncmp(subject, module, len) == 0 && subject[len] == '.';
}

static Status check_ops(Check *check)
{
    for (const ModOp *op = check->def->ops; op && op->subject; op++) {
        if (empty(op->doc)) return wrong(check, "op without doc", op->subject);
        if (!op->fn || !op->timeout_ms)
            return wrong(check, "op without fn or timeout", op->subject);
        if (!has_prefix(op->subject, check->def->name) || !bus_subject_valid(str_from(op->subject)))
            return wrong(check, "op's subject must be module.verb", op->subject);
        Status st = once(check, "op", op->subject, "");
        if (!st) st = check_fields(check, op->subject, op->in);
        if (!st) st = check_fields(check, op->subject, op->out);
        if (st) return st;
    }
    return ST_OK;
}

static Status check_events(Check *check)
{
    for (const ModSub *sub = check->def->subs; sub && sub->subject; sub++) {
        if (empty(sub->doc)) return wrong(check, "sub without doc", sub->subject);
        if (!sub->fn || !sub->queue_max || !bus_filter_valid(str_from(sub->subject)))
            return wrong(check, "sub without fn, queue or a valid subject", sub->subject);
        Status st = once(check, "sub", check->def->name, sub->subject);
        if (st) return st;
    }
    for (const ModPub *pub = check->def->pubs; pub && pub->subject; pub++) {
        if (empty(pub->doc)) return wrong(check, "pub without doc", pub->subject);
        Status st = once(check, "pub", pub->subject, "");
        if (!st) st = check_fields(check, pub->subject, pub->body);
        if (st) return st;
    }
    return ST_OK;
}

static Status check_routes(Check *check)
{
    for (const ModRoute *route = check->def->routes; route && route->method; route++) {
        const ModOp *op = check->def->ops;
        while (op && op->subject && strcmp(op->subject, route->op) != 0) op++;
        if (!op || !op->subject)
            return wrong(check, "route to an op it does not have", route->path);
        if (op->role & ROLE_SYSTEM) return wrong(check, "route to a system op", route->path);
        if (empty(route->path) || route->path[0] != '/')
            return wrong(check, "route's path must begin with /", route->path);
        Status st = once(check, "route", route->method, route->path);
        if (st) return st;
    }
    return ST_OK;
}

static Status check_rest(Check *check)
{
    const ModuleDef *def = check->def;
    if (def->abi != MODULE_ABI) return wrong(check, "another ABI", def->name);
    if (empty(def->name) || empty(def->doc)) return wrong(check, "name or doc missing", def->name);
    if (!def->self_bytes || !def->open || !def->close)
        return wrong(check, "self_bytes, open and close are needed", def->name);
    uint32_t version = 0;
    for (const StoreMigration *m = def->migrations; m && m->version; m++)
        if (m->version != ++version || empty(m->name) || empty(m->sql))
            return wrong(check, "migration with a gap, or without name or SQL", m->name);
    for (const ModConf *row = def->conf; row && row->key; row++) {
        int64_t number = 0;
        Str text = STR_NONE;
        size_t bytes = row->type == CONF_STR ? sizeof(Str) : sizeof(int64_t);
        if (empty(row->doc)) return wrong(check, "setting without doc", row->key);
        if (row->offset + bytes > def->conf_bytes)
            return wrong(check, "setting outside the conf struct", row->key);
        Status st = conf_parse(row, str_from(row->preset), &number, &text, check->diag);
        if (st) return diag_wrap(check->diag, st, "module %s: preset", def->name);
    }
    return once(check, "module", def->name, "");
}

Status host_check_tables(const ModuleDef *const *list, Diag *diag)
{
    const ModuleDef *order[HOST_MODULES_MAX];
    size_t count = 0;
    Check check = {.arena = arena_new(0, 0), .diag = diag};
    if (!check.arena) return ST_NO_MEMORY;
    map_init(&check.names, NAMES_MAX);
    Status st = host__order(list, order, &count, diag);
    for (size_t i = 0; list[i] && !st; i++) {
        check.def = list[i];
        st = check_rest(&check);
        if (!st) st = check_ops(&check);
        if (!st) st = check_events(&check);
        if (!st) st = check_routes(&check);
    }
    map_done(&check.names);
    arena_free(check.arena);
    return st;
}
