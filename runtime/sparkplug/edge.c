/* runtime/sparkplug/edge.c: metrics, connections and the primary host of an edge node. */
#include "sparkplug/edge_int.h"

#include "base/mem.h"

/* ---- metrics ---- */

static MUST Status device_of(SpEdge *edge, Str name, uint32_t *ret_device)
{
    if (!name.len) {
        *ret_device = 0;
        return ST_OK;
    }
    for (uint32_t i = 1; i <= edge->stats.devices; i++)
        if (str_eq(edge->devices[i], name)) {
            *ret_device = i;
            return ST_OK;
        }
    if (edge->stats.devices + 1 >= SP_EDGE_DEVICES_MAX || !sp_id_valid(name)) return ST_LIMIT;
    char *copy = mem_alloc(name.len);
    if (!copy) return ST_NO_MEMORY;
    memcpy(copy, name.ptr, name.len);
    edge->devices[++edge->stats.devices] = str_slice(copy, name.len);
    *ret_device = edge->stats.devices;
    return ST_OK;
}

enum { KEY_BYTES_MAX = SP_ID_BYTES_MAX + 1 + SP_NAME_BYTES_MAX };

/* DEVICE/NAME in `room`; empty: there can be no such metric. */
static Str key_of(char *room, Str device, Str name)
{
    if (!name.len || name.len > SP_NAME_BYTES_MAX || device.len > SP_ID_BYTES_MAX) return STR_NONE;
    if (device.len) memcpy(room, device.ptr, device.len);
    room[device.len] = '/';
    memcpy(room + device.len + 1, name.ptr, name.len);
    return str_slice(room, device.len + 1 + name.len);
}

Status sp_edge_metric(SpEdge *edge, Str device, Str name, uint32_t *ret_metric)
{
    char key[KEY_BYTES_MAX];
    uint32_t of;
    Str text = key_of(key, device, name);
    if (!text.len) return ST_LIMIT;
    const EdgeMetric *found = map_get(&edge->by_key, text);
    if (found) {
        *ret_metric = (uint32_t)(found - edge->metrics);
        return ST_OK;
    }
    if (edge->stats.metrics == SP_EDGE_METRICS_MAX) return ST_LIMIT;
    Status st = device_of(edge, device, &of);
    if (st) return st;
    char *copy = mem_alloc(text.len);
    if (!copy) return ST_NO_MEMORY;
    memcpy(copy, text.ptr, text.len);
    EdgeMetric *metric = &edge->metrics[edge->stats.metrics];
    *metric = (EdgeMetric){.key = str_slice(copy, text.len),
                           .name = str_slice(copy + device.len + 1, name.len),
                           .device = of,
                           .last = {.ts_ms = SP_NO_TIME, .null = true},
                           .type = SP_STRING,
                           .quality = SP_GOOD,
                           .said_quality = SP_GOOD};
    st = map_put(&edge->by_key, metric->key, metric);
    if (st) {
        mem_free(copy);
        return st;
    }
    *ret_metric = edge->stats.metrics++;
    edge->births_due = true;
    return ST_OK;
}

static bool text_copy(EdgeMetric *metric, Str text)
{
    if (text.len > metric->room_bytes) {
        char *room = mem_realloc(metric->room, text.len);
        if (!room) return false;
        metric->room = room;
        metric->room_bytes = text.len;
    }
    if (text.len) memcpy(metric->room, text.ptr, text.len);
    metric->last.value.bytes = str_slice(metric->room, text.len);
    return true;
}

void sp_edge_type(SpEdge *edge, uint32_t index, uint32_t type)
{
    EdgeMetric *metric = &edge->metrics[index];
    if (type == metric->type) return;
    metric->type = type;
    metric->born = false;
    edge->births_due = true;
}

void sp_edge_walks(SpEdge *edge, bool walks)
{
    edge->walks = walks;
}

void sp_edge_hold(SpEdge *edge, bool hold)
{
    edge->held = hold;
}

void sp_edge_value(SpEdge *edge, uint32_t index, const SpMetric *value, int32_t quality)
{
    EdgeMetric *metric = &edge->metrics[index];
    if (metric->quality == quality && sp__edge_same(metric, value)) return;
    if (metric->dirty && edge->stats.state != SP_EDGE_BORN) sp__edge_keep(edge, metric);
    metric->gone = sp__edge_gone(metric, value, quality);
    metric->last.ts_ms = value->ts_ms;
    metric->last.null = value->null;
    metric->last.value = value->value;
    metric->quality = quality;
    if (!text_copy(metric, value->value.bytes)) metric->last.null = true;
    if (!value->null) sp_edge_type(edge, index, value->type);
    metric->dirty = true;
    edge->dirty |= 1ull << metric->device;
    edge->changed |= 1ull << metric->device;
}

/* ---- when what is said ---- */

void sp_edge_flush(SpEdge *edge, int64_t now_ms)
{
    if (edge->stats.state != SP_EDGE_BORN || edge->held) return;
    bool waited = now_ms - edge->born_ms >= SP__EDGE_BIRTH_EVERY_MS || now_ms < edge->born_ms;
    if (edge->births_due && (!waited || !sp__edge_births(edge, now_ms))) return;
    if (edge->kept.len) sp__edge_kept(edge, now_ms);
    if (edge->changed && !edge->kept.len) sp__edge_lives(edge, now_ms);
    if (edge->dirty) sp__edge_data(edge, now_ms);
}

static void be_born(SpEdge *edge, int64_t now_ms)
{
    edge->stats.state = SP_EDGE_BORN;
    edge->births_due = true;
    edge->born_ms = 0; /* at once */
    sp_edge_flush(edge, now_ms);
}

void sp_edge_connected(SpEdge *edge, uint8_t bdseq, int64_t now_ms)
{
    edge->stats.bdseq = bdseq;
    edge->stats.state = SP_EDGE_WAITING;
    edge->stats.host_online = false;
    edge->state_ts_ms = INT64_MIN;
    if (!edge->primary.len) be_born(edge, now_ms);
}

/* What was said last may not have arrived: nobody knows, and it is not said again. */
void sp_edge_lost(SpEdge *edge)
{
    edge->stats.state = SP_EDGE_AWAY;
    edge->stats.host_online = false;
}

void sp_edge_stop(SpEdge *edge, int64_t now_ms)
{
    if (edge->stats.state == SP_EDGE_BORN) (void)sp__edge_death(edge, now_ms);
    sp_edge_lost(edge);
}

bool sp_edge_filter(const SpEdge *edge, uint32_t index, Buf *out)
{
    if (index == 2 && edge->primary.len) {
        sp_topic_put(out, SP_STATE, STR_NONE, edge->primary, STR_NONE);
        return true;
    }
    if (index > 1) return false;
    sp_topic_put(out, index ? SP_DCMD : SP_NCMD, edge->group, edge->node,
                 index ? STR("+") : STR_NONE);
    return true;
}

/* [tck-id-operational-behavior-edge-node-birth-sequence-wait], and one whose timestamp is before
 * that of the last is an old one. */
static void on_state(SpEdge *edge, Str payload, int64_t now_ms)
{
    bool online;
    int64_t ts_ms;
    bool read = sp_state_read(edge->arena, payload, &online, &ts_ms);
    arena_reset(edge->arena);
    if (!read || ts_ms < edge->state_ts_ms) return;
    edge->state_ts_ms = ts_ms;
    edge->stats.host_online = online;
    bool born = edge->stats.state == SP_EDGE_BORN;
    if (online && !born) be_born(edge, now_ms);
    if (online || (!born && !edge->walks)) return;
    if (born) (void)sp__edge_death(edge, now_ms);
    sp_edge_lost(edge);
    edge->fns->leave(edge->ctx);
}

/* By its name, else by its alias, which is its number + 1; NULL: that device has none such. */
static const EdgeMetric *metric_of(const SpEdge *edge, Str device, const SpMetric *metric)
{
    char key[KEY_BYTES_MAX];
    if (metric->name.len) return map_get(&edge->by_key, key_of(key, device, metric->name));
    if (!metric->has_alias || !metric->alias || metric->alias > edge->stats.metrics) return NULL;
    const EdgeMetric *own = &edge->metrics[metric->alias - 1];
    return str_eq(edge->devices[own->device], device) ? own : NULL;
}

/* Numbers for numbers, truths for truths, texts for texts; what has no value yet takes any. */
static bool fits(const EdgeMetric *own, const SpMetric *value)
{
    SpForm form = value->value.form;
    if (value->null || own->last.null) return true;
    if (own->type == SP_BOOLEAN) return form == SP_IN_BOOL;
    if (own->type == SP_STRING) return form == SP_IN_STRING;
    return form >= SP_IN_INT && form <= SP_IN_DOUBLE;
}

static void on_command(SpEdge *edge, const SpTopic *topic, const SpMetric *metric)
{
    if (topic->kind == SP_NCMD && str_is(metric->name, "Node Control/Rebirth")) {
        if (metric->value.form == SP_IN_BOOL && metric->value.bits) edge->births_due = true;
        return;
    }
    const EdgeMetric *own = metric_of(edge, topic->device, metric);
    if (!own || !fits(own, metric)) {
        edge->stats.strange++;
        return;
    }
    SpMetric value = *metric;
    value.type = metric->type ? metric->type : own->type;
    edge->stats.commands++;
    edge->fns->command(edge->ctx, (uint32_t)(own - edge->metrics), &value);
}

void sp_edge_message(SpEdge *edge, Str topic, Str payload, int64_t now_ms)
{
    SpTopic is = sp_topic_read(topic);
    SpPayload read;
    SpMetric metric;
    if (edge->stats.state == SP_EDGE_AWAY) return;
    if (is.kind == SP_STATE && str_eq(is.node, edge->primary)) on_state(edge, payload, now_ms);
    if (is.kind != SP_NCMD && is.kind != SP_DCMD) return;
    if (!str_eq(is.group, edge->group) || !str_eq(is.node, edge->node)) return;
    if (sp_payload_read(payload, &read, NULL)) {
        edge->stats.strange++;
        return;
    }
    SpWalk walk = sp_metrics(&read);
    while (sp_metric_next(&walk, &metric)) on_command(edge, &is, &metric);
    sp_edge_flush(edge, now_ms);
}

/* ---- life ---- */

SpEdge *sp_edge_new(Str group, Str node, Str primary, size_t kept_max, const SpEdgeFns *fns,
                    void *ctx)
{
    SpEdge *edge = mem_zalloc(1, sizeof *edge);
    if (!edge) return NULL;
    edge->group = group;
    edge->node = node;
    edge->primary = primary;
    edge->fns = fns;
    edge->ctx = ctx;
    edge->kept_max = kept_max;
    edge->stats.bdseq = -1;
    map_init(&edge->by_key, SP_EDGE_METRICS_MAX);
    buf_init(&edge->topic, 4 * SP_ID_BYTES_MAX);
    buf_init(&edge->payload, SP__EDGE_BIRTH_BYTES_MAX);
    buf_init(&edge->set, 256);
    buf_init(&edge->kept, kept_max);
    edge->metrics = mem_zalloc(SP_EDGE_METRICS_MAX, sizeof *edge->metrics);
    edge->order = mem_zalloc(SP_EDGE_METRICS_MAX, sizeof *edge->order);
    edge->arena = arena_new(1024, 64 * 1024);
    if (edge->metrics && edge->order && edge->arena) return edge;
    sp_edge_free(edge);
    return NULL;
}

void sp_edge_free(SpEdge *edge)
{
    if (!edge) return;
    for (uint32_t i = 0; i < edge->stats.metrics; i++) {
        mem_free((char *)(uintptr_t)edge->metrics[i].key.ptr);
        mem_free(edge->metrics[i].room);
    }
    for (uint32_t i = 1; i <= edge->stats.devices; i++)
        mem_free((char *)(uintptr_t)edge->devices[i].ptr);
    map_done(&edge->by_key);
    buf_done(&edge->topic);
    buf_done(&edge->payload);
    buf_done(&edge->set);
    buf_done(&edge->kept);
    mem_free(edge->metrics);
    mem_free(edge->order);
    arena_free(edge->arena);
    mem_free(edge);
}

void sp_edge_stats(const SpEdge *edge, SpEdgeStats *ret_stats)
{
    *ret_stats = edge->stats;
    ret_stats->kept_bytes = edge->kept.len;
    ret_stats->devices_dead = (uint32_t)__builtin_popcountll(edge->dead);
    for (uint32_t i = 0; i < edge->stats.metrics; i++) ret_stats->unsaid += edge->metrics[i].dirty;
}
