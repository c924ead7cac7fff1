/* runtime/modules/sparkplug/sparkplug_watch.c: the part of the namespace that our edge node
 * publishes: a watch of `uns`, whose frames have what changed since the last one. */
#include "modules/sparkplug/sparkplug_edge.h"

#include "base/mem.h"
#include "mqtt/codec.h"

#include <stdio.h>

enum { RENEW_S = 20 };

/* ---- the setting ---- */

static MUST Status map_read(SparkplugMap *map, Str text, Diag *diag)
{
    ptrdiff_t at = str_find_char(text, '=');
    Str path = str_trim(at < 0 ? text : str_slice(text.ptr, (size_t)at));
    *map = (SparkplugMap){.device = at < 0 ? STR_NONE : str_trim(str_skip(text, (size_t)at + 1))};
    map->filter = path;
    map->stem = str_ends(path, STR("/#")) ? str_slice(path.ptr, path.len - 2) : path;
    if (!mqtt_topic_valid(map->stem))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_SPARKPLUG_EDGE_PATHS: \"%.*s\" is no path, or a path and /#",
                        STR_ARG(path));
    if (at >= 0 && !sp_id_valid(map->device))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_SPARKPLUG_EDGE_PATHS: \"%.*s\" is no name of a device",
                        STR_ARG(map->device));
    return ST_OK;
}

bool sparkplug__part_next(Str *rest, Str *ret_part)
{
    *ret_part = STR_NONE;
    while (rest->len && !ret_part->len) {
        ptrdiff_t at = str_find_char(*rest, ';');
        *ret_part = str_trim(at < 0 ? *rest : str_slice(rest->ptr, (size_t)at));
        *rest = at < 0 ? STR_NONE : str_skip(*rest, (size_t)at + 1);
    }
    return ret_part->len > 0;
}

Status sparkplug__maps_read(SparkplugEdge *edge, Str text, Diag *diag)
{
    for (Str one; sparkplug__part_next(&text, &one);) {
        if (edge->map_count == SPARKPLUG_MAPS_MAX)
            return diag_set(diag, ST_LIMIT, "TUTTI_SPARKPLUG_EDGE_PATHS: at most %d parts",
                            SPARKPLUG_MAPS_MAX);
        Status st = map_read(&edge->maps[edge->map_count++], one, diag);
        if (st) return st;
    }
    return edge->map_count ? ST_OK
                           : diag_set(diag, ST_INVALID,
                                      "TUTTI_SPARKPLUG_EDGE_PATHS says which part of the namespace "
                                      "to publish, as plant/line1/#=line1; plant/line2/#=line2");
}

/* The first that fits. A branch's own value has the name of its last level. */
static bool map_of(const SparkplugEdge *edge, Str path, Str *ret_device, Str *ret_name)
{
    for (uint32_t i = 0; i < edge->map_count; i++) {
        const SparkplugMap *map = &edge->maps[i];
        if (!mqtt_topic_match(map->filter, path)) continue;
        size_t from = map->stem.len + 1;
        if (path.len == map->stem.len)
            for (from = path.len; from > 0 && path.ptr[from - 1] != '/';) from--;
        *ret_device = map->device;
        *ret_name = str_skip(path, from);
        return true;
    }
    return false;
}

/* ---- frames ---- */

bool sparkplug__metric_of(SparkplugEdge *edge, Str path, uint32_t *ret_metric)
{
    Str device, name;
    if (!map_of(edge, path, &device, &name)) return false;
    if (sp_edge_metric(edge->edge, device, name, ret_metric)) {
        if (!edge->over_limit++)
            log_warn(edge->self->env->log, "sparkplug", "a name is not published: too many",
                     "path=%.*s", STR_ARG(path));
        return false;
    }
    if (*ret_metric >= edge->metric_count) edge->metric_count = *ret_metric + 1;
    return true;
}

static void new_row(SparkplugEdge *edge, const Json *row)
{
    const Json *index = json_at(row, 0), *path = json_at(row, 1);
    uint32_t metric;
    if (!index || !path || index->integer < 0 || index->integer >= SP_EDGE_METRICS_MAX) return;
    edge->of_row[index->integer] = UINT32_MAX;
    if (!sparkplug__metric_of(edge, path->text, &metric)) return;
    edge->of_row[index->integer] = metric;
    if (edge->paths[metric]) return;
    char *copy = mem_alloc(path->text.len + 1);
    if (!copy) return;
    memcpy(copy, path->text.ptr, path->text.len);
    copy[path->text.len] = 0;
    edge->paths[metric] = copy;
}

static void take_row(SparkplugEdge *edge, const Json *row, int64_t time_ms)
{
    static const int32_t codes[] = {SP_GOOD, SP_STALE, SP_BAD}; /* good, uncertain, bad */
    const Json *index = json_at(row, 0), *value = json_at(row, 1), *quality = json_at(row, 2),
               *age = json_at(row, 3);
    if (!age || index->integer < 0 || index->integer >= SP_EDGE_METRICS_MAX) return;
    uint32_t metric = edge->of_row[index->integer];
    if (metric == UINT32_MAX || quality->integer < 0 || quality->integer > 2) return;
    if (!edge->types[metric].known) {
        edge->skipped = true;
        return;
    }
    SpMetric is = sparkplug__typed(edge, metric, value);
    is.ts_ms = time_ms - (age->integer > 0 ? age->integer : 0);
    bool fits = !is.null || value->type == JSON_NULL;
    sp_edge_value(edge->edge, metric, &is, fits ? codes[quality->integer] : SP_BAD);
}

static void on_frame(void *ctx, const BusMsg *msg)
{
    SparkplugEdge *edge = ctx;
    const Json *frame;
    if (!json_read(edge->arena, msg->body, &frame, NULL)) {
        int64_t time_ms = json_int(frame, "time", clock_wall_ns() / NS_PER_MS);
        const Json *add = json_get(frame, "add"), *rows = json_get(frame, "v");
        for (const Json *row = add ? add->first : NULL; row; row = row->next) new_row(edge, row);
        sparkplug__types_ask(edge);
        for (const Json *row = rows ? rows->first : NULL; row; row = row->next)
            take_row(edge, row, time_ms);
        if (json_bool(frame, "full", false)) sparkplug__types_frame(edge);
        sp_edge_flush(edge->edge, clock_wall_ns() / NS_PER_MS);
    }
    arena_reset(edge->arena);
}

/* ---- the watch ---- */

static void on_watch(Sparkplug *self, Status status, Str body)
{
    SparkplugEdge *edge = self->edge;
    const Json *answer;
    char subject[64];
    if (!edge) return;
    edge->watching = false;
    if (status || json_read(edge->arena, body, &answer, NULL)) {
        log_error(self->env->log, "sparkplug", "the namespace is not watched", "reason=%.*s",
                  STR_ARG(body));
        return;
    }
    (void)snprintf(edge->watch, sizeof edge->watch, "%.*s",
                   STR_ARG(json_str(answer, "watch", STR(""))));
    if (json_bool(answer, "truncated", false))
        log_warn(self->env->log, "sparkplug", "not all names are published: too many", "max=%d",
                 SP_EDGE_METRICS_MAX);
    arena_reset(edge->arena);
    (void)snprintf(subject, sizeof subject, "uns.values.%s", edge->watch);
    edge->renewed_ns = clock_monotonic_ns();
    if (bus_subscribe(self->env->bus, subject, NULL, 64, 0, on_frame, edge, &edge->sub))
        log_error(self->env->log, "sparkplug", "the namespace is not watched", "subject=%s",
                  subject);
}

static void on_renewed(Sparkplug *self, Status status, Str body)
{
    (void)body;
    if (!self->edge) return;
    self->edge->watching = false;
    if (status == ST_NOT_FOUND) sparkplug__watch_end(self->edge); /* the next turn makes another */
}

static void put_paths(const SparkplugEdge *edge, JsonOut *out)
{
    json_key(out, "paths");
    json_begin_array(out);
    for (uint32_t i = 0; i < edge->map_count; i++) json_put_str(out, edge->maps[i].filter);
    json_end(out);
}

void sparkplug__watch(SparkplugEdge *edge)
{
    Buf body;
    JsonOut out;
    bool fresh = !edge->watch[0];
    if (edge->watching) return;
    if (!fresh && clock_monotonic_ns() - edge->renewed_ns < RENEW_S * NS_PER_S) return;
    edge->renewed_ns = clock_monotonic_ns();
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    if (fresh) {
        put_paths(edge, &out);
        json_field_number(&out, "hz", 1000.0 / (double)edge->self->conf->edge_every_ms);
    } else {
        json_field_text(&out, "watch", edge->watch);
    }
    json_end(&out);
    edge->watching = sparkplug__call(edge->self, "uns.watch", &body, fresh ? on_watch : on_renewed);
}

void sparkplug__watch_end(SparkplugEdge *edge)
{
    bus_unsubscribe(edge->sub);
    edge->sub = NULL;
    edge->watch[0] = 0;
}
