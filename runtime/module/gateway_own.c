/* runtime/module/gateway_own.c: addresses the gateway answers itself: modules, system, metrics and
 * the OpenAPI description. All of it is read from tables and counters of others. */
#include "module/gateway_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "module/metrics.h"
#include "mqtt/broker.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

enum { METRICS_BYTES_MAX = 1 << 20, STATS_TIMEOUT_MS = 2000 };

static uint64_t rss_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    int got = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file);
    return got == 2 ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void own_system(GwCall *call)
{
    const Gateway *gateway = call->gateway;
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "name", "tutti");
    json_field_text(&out, "version", gateway->conf.version ? gateway->conf.version : "");
    json_field_text(&out, "mode", gateway->conf.mode ? gateway->conf.mode : "lite");
    json_field_int(&out, "started", gateway->started_ns / NS_PER_MS);
    json_field_int(&out, "uptime_s", (clock_wall_ns() - gateway->started_ns) / NS_PER_S);
    json_field_int(&out, "rss_bytes", (int64_t)rss_bytes());
    json_field_int(&out, "sockets", gateway->socket_count);
    json_end(&out);
    gateway__json(call->req, 200, buf_view(&body));
    buf_done(&body);
}

static void own_modules(GwCall *call)
{
    const Host *host = call->gateway->conf.host;
    Buf body;
    JsonOut out;
    buf_init(&body, 256 * 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "modules");
    json_begin_array(&out);
    for (size_t m = 0; m < host_module_count(host); m++) {
        const ModuleDef *def = host_module(host, m);
        json_begin_object(&out);
        json_field_text(&out, "name", def->name);
        json_field_text(&out, "doc", def->doc);
        json_field_text(&out, "state", host_ready(host) ? "up" : "starting");
        json_field_int(&out, "ops", (int64_t)host_op_count(def));
        json_field_int(&out, "routes", (int64_t)host_route_count(def));
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    gateway__json(call->req, 200, buf_view(&body));
    buf_done(&body);
}

/* ---- metrics ---- */

typedef struct Metrics {
    GwCall *call;
    Buf text;
    uint32_t waiting;
} Metrics;

typedef struct MetricsAsk {
    Metrics *metrics;
    const char *module;
} MetricsAsk;

static void put(Metrics *metrics, MetricKind kind, const char *name, const char *help, double value)
{
    metrics_put(&metrics->text, kind, str_from(name), str_from(help), value);
}

static void metrics_check(Metrics *metrics)
{
    if (metrics->waiting) return;
    HttpReq *req = metrics->call->req;
    gateway__secure_fields(req);
    http_set(req, "Cache-Control", STR("no-store"));
    http_answer(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&metrics->text));
    buf_done(&metrics->text);
    mem_free(metrics);
}

static void on_stats(void *ctx, Status status, Str body)
{
    MetricsAsk *ask = ctx;
    Metrics *metrics = ask->metrics;
    Gateway *gateway = metrics->call->gateway;
    Arena *arena = arena_new(0, 0);
    const Json *stats = NULL;
    if (!status && arena && !json_read(arena, body, &stats, NULL)) {
        for (const Json *field = stats->first; field; field = field->next) {
            if (field->type != JSON_INT && field->type != JSON_NUMBER) continue;
            Str name = arena_printf(arena, "tutti_%s_%.*s", ask->module, STR_ARG(field->key));
            metrics_put(&metrics->text, METRIC_GAUGE, name,
                        arena_printf(arena, "%s of module %s", name.ptr, ask->module),
                        field->number);
        }
    }
    arena_free(arena);
    gateway->pending--;
    metrics->waiting--;
    metrics_check(metrics);
    gateway__check_done(gateway);
}

static void put_http(Metrics *metrics)
{
    const Gateway *gateway = metrics->call->gateway;
    HttpStats stats;
    http_server_stats(gateway->http, &stats);
    put(metrics, METRIC_COUNTER, "tutti_http_requests_total", "complete requests",
        (double)stats.requests);
    put(metrics, METRIC_COUNTER, "tutti_http_connections_total", "accepted connections",
        (double)stats.connections);
    put(metrics, METRIC_GAUGE, "tutti_http_connections", "open connections",
        (double)stats.connections_now);
    put(metrics, METRIC_COUNTER, "tutti_http_bad_requests_total", "requests that broke a rule",
        (double)stats.bad_requests);
    put(metrics, METRIC_COUNTER, "tutti_http_timeouts_total", "connections that were too slow",
        (double)stats.timeouts);
    put(metrics, METRIC_COUNTER, "tutti_http_refused_total", "connections over a limit",
        (double)stats.refused_limit);
    put(metrics, METRIC_COUNTER, "tutti_http_received_bytes_total", "bytes received",
        (double)stats.bytes_in);
    put(metrics, METRIC_COUNTER, "tutti_http_sent_bytes_total", "bytes sent",
        (double)stats.bytes_out);
    put(metrics, METRIC_GAUGE, "tutti_live_sockets", "pages with live data",
        (double)gateway->socket_count);
    put(metrics, METRIC_COUNTER, "tutti_live_frames_skipped_total",
        "frames left out because a page did not keep up", (double)gateway->frames_skipped);
    Str name = STR("tutti_http_answers_total");
    metrics_head(&metrics->text, METRIC_COUNTER, name, STR("answers by class of code"));
    for (int class = 1; class <= 5; class ++) {
        char label[4] = {(char)('0' + class), 'x', 'x', '\0'};
        metrics_put_label(&metrics->text, name, "class", str_from(label),
                          (double)stats.by_class[class]);
    }
}

static void put_broker(Metrics *metrics)
{
    MqttBrokerStats stats;
    if (!metrics->call->gateway->conf.broker) return;
    mqtt_broker_stats(metrics->call->gateway->conf.broker, &stats);
    put(metrics, METRIC_GAUGE, "tutti_mqtt_connections", "MQTT connections now",
        (double)stats.connections_now);
    put(metrics, METRIC_GAUGE, "tutti_mqtt_sessions", "MQTT sessions now",
        (double)stats.sessions_now);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_received_total", "publishes from clients",
        (double)stats.received);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_published_own_total", "publishes of this process",
        (double)stats.published_own);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_sent_total", "publishes to clients",
        (double)stats.sent);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_dropped_total", "messages dropped, all reasons",
        (double)(stats.dropped_qos0 + stats.dropped_full + stats.dropped_expired +
                 stats.dropped_denied));
    put(metrics, METRIC_COUNTER, "tutti_mqtt_protocol_errors_total", "clients that broke a rule",
        (double)stats.protocol_errors);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_stored_batches_total", "commits of durable changes",
        (double)stats.stored_batches);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_store_failures_total",
        "commits that the disk refused; they are tried again", (double)stats.store_failures);
    put(metrics, METRIC_COUNTER, "tutti_mqtt_damaged_total", "stored records set aside",
        (double)stats.damaged);
    put(metrics, METRIC_GAUGE, "tutti_mqtt_queued", "messages waiting for clients",
        (double)stats.queued_now);
    put(metrics, METRIC_GAUGE, "tutti_mqtt_retained", "retained messages",
        (double)stats.retained_now);
}

/* Numbers of a module are the numeric fields of its op MODULE.stats, where it has one. */
static void ask_module(Metrics *metrics, const ModuleDef *def)
{
    GwCall *call = metrics->call;
    char subject[GW_SUBJECT_MAX];
    (void)snprintf(subject, sizeof subject, "%s.stats", def->name);
    const ModOp *op = host_op(call->gateway->conf.host, subject);
    MetricsAsk *ask = op ? arena_one(call->req->arena, MetricsAsk) : NULL;
    if (!ask) return;
    *ask = (MetricsAsk){metrics, def->name};
    BusCaller system = {.roles = ROLE_SYSTEM | ROLE_ADMIN};
    if (bus_request(call->gateway->conf.bus, str_from(op->subject), STR("{}"), &system,
                    STATS_TIMEOUT_MS, on_stats, ask))
        return;
    metrics->waiting++;
    call->gateway->pending++;
}

void gateway__metrics(GwCall *call)
{
    const Host *host = call->gateway->conf.host;
    if (!call->req->loopback && !gateway__has_role(call, ROLE_VIEW)) {
        gateway__fail(call->req, ST_UNAUTHENTICATED, 0, NULL);
        return;
    }
    Metrics *metrics = mem_zalloc(1, sizeof *metrics);
    if (!metrics) {
        gateway__fail(call->req, ST_NO_MEMORY, 0, NULL);
        return;
    }
    metrics->call = call;
    buf_init(&metrics->text, METRICS_BYTES_MAX);
    put(metrics, METRIC_GAUGE, "process_start_time_seconds", "start, seconds since 1970",
        (double)call->gateway->started_ns / 1e9);
    put(metrics, METRIC_GAUGE, "process_resident_memory_bytes", "resident memory",
        (double)rss_bytes());
    put_http(metrics);
    put_broker(metrics);
    for (size_t m = 0; m < host_module_count(host); m++) ask_module(metrics, host_module(host, m));
    metrics_check(metrics);
}

/* ---- OpenAPI 3.1, from the tables ---- */

static void put_schema(JsonOut *out, const Field *field)
{
    static const char *const types[] = {
        [FIELD_STR] = "string",   [FIELD_INT] = "integer", [FIELD_NUMBER] = "number",
        [FIELD_BOOL] = "boolean", [FIELD_TIME] = "string", [FIELD_OBJECT] = "object",
        [FIELD_ARRAY] = "array",  [FIELD_ANY] = NULL};
    json_key(out, "schema");
    json_begin_object(out);
    if (types[field->type]) json_field_text(out, "type", types[field->type]);
    if (field->type == FIELD_TIME) json_field_text(out, "format", "date-time");
    bool number = field->type == FIELD_INT || field->type == FIELD_NUMBER;
    if (number && field->min < field->max) {
        json_field_number(out, "minimum", field->min);
        json_field_number(out, "maximum", field->max);
    } else if (field->type == FIELD_STR && field->max > 0) {
        json_field_number(out, "minLength", field->min);
        json_field_number(out, "maxLength", field->max);
    }
    json_end(out);
}

static bool in_path(const char *path, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = path; (at = strchr(at, '{')); at++)
        if (strncmp(at + 1, name, len) == 0 && (at[1 + len] == '}' || at[1 + len] == '*'))
            return true;
    return false;
}

static void put_parameters(JsonOut *out, const GwRoute *route, bool query)
{
    json_key(out, "parameters");
    json_begin_array(out);
    for (const Field *field = route->op->in; field && field->name; field++) {
        bool path = in_path(route->path, field->name);
        if (!path && !query) continue;
        json_begin_object(out);
        json_field_text(out, "name", field->name);
        json_field_text(out, "in", path ? "path" : "query");
        json_field_bool(out, "required", path || (field->flags & FIELD_REQUIRED));
        if (field->doc) json_field_text(out, "description", field->doc);
        put_schema(out, field);
        json_end(out);
    }
    json_end(out);
}

static void put_body(JsonOut *out, const GwRoute *route)
{
    json_key(out, "requestBody");
    json_begin_object(out);
    json_key(out, "content");
    json_begin_object(out);
    json_key(out, "application/json");
    json_begin_object(out);
    json_key(out, "schema");
    json_begin_object(out);
    json_field_text(out, "type", "object");
    json_field_bool(out, "additionalProperties", false);
    json_key(out, "properties");
    json_begin_object(out);
    for (const Field *field = route->op->in; field && field->name; field++) {
        if (in_path(route->path, field->name)) continue;
        json_key(out, field->name);
        json_begin_object(out);
        if (field->doc) json_field_text(out, "description", field->doc);
        put_schema(out, field);
        json_end(out);
    }
    for (int i = 0; i < 5; i++) json_end(out);
}

static void put_operation(JsonOut *out, const GwRoute *route)
{
    bool get = strcmp(route->method, "GET") == 0 || strcmp(route->method, "DELETE") == 0;
    char method[16] = {0};
    for (size_t i = 0; route->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    json_key(out, method);
    json_begin_object(out);
    json_field_text(out, "operationId", route->op->subject);
    json_field_text(out, "summary", route->op->doc);
    put_parameters(out, route, get);
    if (!get) put_body(out, route);
    json_key(out, "responses");
    json_begin_object(out);
    json_key(out, "200");
    json_begin_object(out);
    json_field_text(out, "description", "the answer");
    json_end(out);
    json_key(out, "default");
    json_begin_object(out);
    json_field_text(out, "description", "{\"error\":{\"code\",\"text\"}}");
    json_end(out);
    json_end(out);
    json_end(out);
}

void gateway__openapi(GwCall *call)
{
    const Gateway *gateway = call->gateway;
    Buf body;
    JsonOut out;
    buf_init(&body, 4 << 20);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "openapi", "3.1.0");
    json_key(&out, "info");
    json_begin_object(&out);
    json_field_text(&out, "title", "Tutti");
    json_field_text(&out, "version", gateway->conf.version ? gateway->conf.version : "");
    json_end(&out);
    json_key(&out, "paths");
    json_begin_object(&out);
    const char *open = NULL;
    for (size_t i = 0; i < gateway->route_count; i++) {
        const GwRoute *route = &gateway->routes[i];
        if (!route->op) continue;
        if (!open || strcmp(open, route->path) != 0) {
            if (open) json_end(&out);
            open = route->path;
            char path[256];
            size_t len = 0;
            for (const char *at = open; *at && len < sizeof path - 1; at++)
                if (*at != '*') path[len++] = *at;
            path[len] = '\0';
            json_key(&out, path);
            json_begin_object(&out);
        }
        put_operation(&out, route);
    }
    if (open) json_end(&out);
    json_end(&out);
    json_end(&out);
    if (buf_status(&body))
        gateway__fail(call->req, ST_INTERNAL, 0, NULL);
    else
        gateway__json(call->req, 200, buf_view(&body));
    buf_done(&body);
}

const GwRoute gateway__own_routes[] = {
    {.method = "GET", .path = "/api/v1/modules", .own = own_modules, .role = ROLE_VIEW},
    {.method = "GET", .path = "/api/v1/system", .own = own_system, .role = ROLE_VIEW},
    {.method = "GET", .path = "/api/v1/openapi.json", .own = gateway__openapi, .role = ROLE_VIEW},
    {.method = "GET", .path = "/metrics", .own = gateway__metrics, .role = ROLE_NONE},
    {0}};
