/* runtime/module/gateway_route.c: routes of all modules, matching, and one input object per call.
 *
 * Routes are sorted once so that the more exact pattern comes first: per segment a literal beats
 * {name}, and {name} beats {name*}. Matching walks the list; a hundred short comparisons are
 * nothing beside a request. */
#include "module/gateway_int.h"

#include "base/mem.h"

#include <stdlib.h>

/* Rank of the segment at `at`: 0 literal, 1 {name}, 2 {name*}. */
static int segment_rank(const char *at)
{
    if (*at != '{') return 0;
    const char *end = strchr(at, '}');
    return end && end[-1] == '*' ? 2 : 1;
}

static const char *segment_end(const char *at)
{
    while (*at && *at != '/') at++;
    return at;
}

static int compare_routes(const void *left, const void *right)
{
    const GwRoute *first = left, *second = right;
    const char *a = first->path, *b = second->path;
    while (*a == '/' && *b == '/') {
        a++;
        b++;
        int rank_a = segment_rank(a), rank_b = segment_rank(b);
        if (rank_a != rank_b) return rank_a - rank_b;
        const char *end_a = segment_end(a), *end_b = segment_end(b);
        if (!rank_a) {
            int order = str_cmp((Str){a, (size_t)(end_a - a)}, (Str){b, (size_t)(end_b - b)});
            if (order) return order;
        }
        a = end_a;
        b = end_b;
    }
    if (*a != *b) return *a ? -1 : 1;
    return strcmp(first->method, second->method);
}

static Status add_route(Gateway *gateway, const GwRoute *route, Diag *diag)
{
    if (gateway->route_count == GW_ROUTES_MAX)
        return diag_set(diag, ST_LIMIT, "more than %d routes", GW_ROUTES_MAX);
    gateway->routes[gateway->route_count++] = *route;
    return ST_OK;
}

Status gateway__routes_read(Gateway *gateway, Diag *diag)
{
    const Host *host = gateway->conf.host;
    Status st = ST_OK;
    gateway->routes = mem_zalloc(GW_ROUTES_MAX, sizeof *gateway->routes);
    if (!gateway->routes) return diag_set(diag, ST_NO_MEMORY, "no memory for routes");
    for (const GwRoute *own = gateway__own_routes; own->path && !st; own++)
        st = add_route(gateway, own, diag);
    for (size_t m = 0; m < host_module_count(host) && !st; m++) {
        const ModuleDef *def = host_module(host, m);
        for (size_t r = 0; r < host_route_count(def) && !st; r++) {
            const ModRoute *route = &def->routes[r];
            GwRoute row = {.method = route->method, .path = route->path, .type = route->type};
            row.op = host_op(host, route->op);
            if (!row.op)
                return diag_set(diag, ST_INVALID, "route %s names no op: %s", route->path,
                                route->op);
            st = add_route(gateway, &row, diag);
        }
    }
    qsort(gateway->routes, gateway->route_count, sizeof *gateway->routes, compare_routes);
    return st;
}

bool gateway__path_match(const char *pattern, Str path, Str *params)
{
    size_t count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (!path.len || path.ptr[0] != *pattern) return false;
            pattern++;
            path = str_skip(path, 1);
            continue;
        }
        bool rest = segment_rank(pattern) == 2;
        ptrdiff_t slash = rest ? -1 : str_find_char(path, '/');
        size_t len = slash < 0 ? path.len : (size_t)slash;
        if (!len || count == GW_PATH_PARAMS_MAX) return false;
        params[count++] = (Str){path.ptr, len};
        path = str_skip(path, len);
        pattern = strchr(pattern, '}') + 1;
    }
    return path.len == 0;
}

const GwRoute *gateway__route_find(const Gateway *gateway, Arena *arena, Str method, Str path,
                                   Str *params, Str *ret_allow)
{
    const char *matched = NULL;
    Str allow = STR_NONE;
    for (size_t i = 0; i < gateway->route_count; i++) {
        const GwRoute *route = &gateway->routes[i];
        Str other[GW_PATH_PARAMS_MAX];
        if (!gateway__path_match(route->path, path, other)) continue;
        if (str_is(method, route->method)) {
            memcpy(params, other, sizeof other);
            return route;
        }
        if (!matched || strcmp(matched, route->method) != 0)
            allow = arena_printf(arena, "%.*s%s%s", STR_ARG(allow), allow.len ? ", " : "",
                                 route->method);
        matched = route->method;
    }
    *ret_allow = allow;
    return NULL;
}

static const Field *field_named(const Field *fields, Str name)
{
    for (; fields && fields->name; fields++)
        if (str_is(name, fields->name)) return fields;
    return NULL;
}

/* Text of a query or path as the type the schema wants; what does not fit stays text, and the
 * check of the input then says what is wrong with it. */
static void put_text(JsonOut *out, Arena *arena, const Field *field, Str text)
{
    const Json *json = NULL;
    bool fits = false;
    FieldType type = field ? field->type : FIELD_STR;
    if (type != FIELD_STR && type != FIELD_TIME && type != FIELD_ANY && text.len &&
        !json_read(arena, text, &json, NULL)) {
        fits = (type == FIELD_INT && json->type == JSON_INT) ||
               (type == FIELD_NUMBER && (json->type == JSON_INT || json->type == JSON_NUMBER)) ||
               (type == FIELD_BOOL && (json->type == JSON_TRUE || json->type == JSON_FALSE)) ||
               (type == FIELD_ARRAY && json->type == JSON_ARRAY) ||
               (type == FIELD_OBJECT && json->type == JSON_OBJECT);
    }
    if (fits)
        json_put_raw(out, json->raw);
    else
        json_put_str(out, text);
}

static void put_params(const GwCall *call, JsonOut *out)
{
    size_t count = 0;
    const char *at = call->route->path;
    while ((at = strchr(at, '{'))) {
        const char *end = strchr(at, '}');
        size_t len = (size_t)(end - at - 1);
        if (len && end[-1] == '*') len--;
        Str name = {at + 1, len};
        json_key_str(out, name);
        put_text(out, call->req->arena, field_named(call->route->op->in, name),
                 call->params[count++]);
        at = end;
    }
}

/* A field of the body that the address names, too: the same value is said twice, which is no fault
 * (a rule that was read comes back with its name). *ret_known false: the address says nothing. */
static Status compare_param(const GwCall *call, const Json *field, bool *ret_known, Diag *diag)
{
    size_t count = 0;
    const char *at = call->route->path;
    *ret_known = false;
    for (; (at = strchr(at, '{')); count++) {
        const char *end = strchr(at, '}');
        Str name = {at + 1, (size_t)(end - at - 1)};
        if (name.len && end[-1] == '*') name.len--;
        at = end;
        if (!str_eq(name, field->key)) continue;
        Str value = field->type == JSON_STRING ? field->text : field->raw;
        *ret_known = true;
        if (str_eq(value, call->params[count])) return ST_OK;
        return diag_set(diag, ST_INVALID, "%.*s is %.*s in the body and %.*s in the address",
                        STR_ARG(name), STR_ARG(value), STR_ARG(call->params[count]));
    }
    return ST_OK;
}

/* The media type without its parameters. */
static bool is_type(Str type, const char *name)
{
    ptrdiff_t semicolon = str_find_char(type, ';');
    if (semicolon >= 0) type.len = (size_t)semicolon;
    return str_is(str_trim(type), name);
}

Status gateway__input(const GwCall *call, Buf *body, Diag *diag)
{
    const HttpReq *req = call->req;
    const Field *fields = call->route->op->in;
    JsonOut out;
    size_t at = 0;
    bool bad = false;
    Str name, value;
    json_out_init(&out, body);
    json_begin_object(&out);
    put_params(call, &out);
    while (http_query_next(req, &at, &name, &value, &bad)) {
        json_key_str(&out, name);
        put_text(&out, req->arena, field_named(fields, name), value);
    }
    if (bad) return diag_set(diag, ST_INVALID, "the query is not well formed");
    if (req->body.len && field_named(fields, STR("csv")) &&
        is_type(http_field(req, "content-type"), "text/csv")) {
        json_key(&out, "csv"); /* the body is that field as it is */
        json_put_str(&out, req->body);
    } else if (req->body.len) {
        const Json *json;
        if (!is_type(http_field(req, "content-type"), "application/json"))
            return diag_set(diag, ST_INVALID, "the body must be sent as application/json%s",
                            field_named(fields, STR("csv")) ? " or text/csv" : "");
        Status st = json_read(req->arena, req->body, &json, diag);
        if (st) return diag_wrap(diag, ST_INVALID, "body");
        if (json->type != JSON_OBJECT)
            return diag_set(diag, ST_INVALID, "the body must be a JSON object");
        for (const Json *field = json->first; field; field = field->next) {
            bool known;
            st = compare_param(call, field, &known, diag);
            if (st) return st;
            if (known) continue;
            json_key_str(&out, field->key);
            json_put_raw(&out, field->raw);
        }
    }
    if (call->session.len && field_named(fields, STR("session"))) {
        json_key(&out, "session"); /* auth.logout and its like: which session this is */
        json_put_str(&out, call->session);
    }
    json_end(&out);
    if (buf_status(body)) return diag_set(diag, ST_LIMIT, "the request is too large");
    return ST_OK;
}
