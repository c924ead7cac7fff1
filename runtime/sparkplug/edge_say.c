/* runtime/sparkplug/edge_say.c: the messages of an edge node.
 *
 * The alias of a metric is its number, for as long as the edge node lives, so that a value that was
 * kept can be written down as it will be said. Sequence numbers are taken only by messages that
 * were taken: the next one that is has no gap before it. */
#include "sparkplug/edge_int.h"

static Str unit_topic(SpEdge *edge, SpKind of_node, SpKind of_device, uint32_t device)
{
    buf_clear(&edge->topic);
    sp_topic_put(&edge->topic, device ? of_device : of_node, edge->group, edge->node,
                 edge->devices[device]);
    return buf_view(&edge->topic);
}

/* Closes the payload and says it; the sequence number counts on when it was taken. */
static bool say(SpEdge *edge, Str topic)
{
    sp_put_seq(&edge->payload, edge->next_seq);
    if (buf_status(&edge->payload) ||
        !edge->fns->publish(edge->ctx, topic, buf_view(&edge->payload), 0))
        return false;
    edge->stats.seq = edge->next_seq++;
    edge->stats.messages++;
    return true;
}

static void put_metric(SpEdge *edge, Buf *out, const EdgeMetric *metric, bool birth, bool late,
                       int64_t now_ms)
{
    SpMetric is = metric->last;
    if (is.ts_ms == SP_NO_TIME || is.ts_ms > now_ms) is.ts_ms = now_ms;
    is.name = birth ? metric->name : STR_NONE;
    is.has_alias = true;
    is.alias = (uint64_t)(metric - edge->metrics) + 1;
    is.type = metric->type;
    is.historical = late;
    buf_clear(&edge->set);
    if (metric->quality != SP_GOOD || (!birth && metric->said_quality != SP_GOOD))
        sp_put_property_int(&edge->set, "Quality", metric->quality);
    is.set = buf_view(&edge->set);
    sp_put_metric(out, &is);
}

static void said(EdgeMetric *metric)
{
    metric->dirty = false;
    metric->said_quality = metric->quality;
}

/* ---- births and deaths ---- */

/* Each metric of a birth has a timestamp; that of a will is of a time to come. */
static void put_bdseq(Buf *out, uint8_t bdseq, int64_t ts_ms)
{
    SpMetric is = {.name = STR("bdSeq"),
                   .ts_ms = ts_ms,
                   .type = SP_INT64,
                   .value = {.form = SP_IN_LONG, .bits = bdseq}};
    sp_put_metric(out, &is);
}

void sp_edge_will(const SpEdge *edge, uint8_t bdseq, int64_t now_ms, Buf *topic, Buf *payload)
{
    sp_topic_put(topic, SP_NDEATH, edge->group, edge->node, STR_NONE);
    sp_put_begin(payload, now_ms);
    put_bdseq(payload, bdseq, SP_NO_TIME);
}

bool sp__edge_death(SpEdge *edge, int64_t now_ms)
{
    buf_clear(&edge->topic);
    buf_clear(&edge->payload);
    sp_edge_will(edge, (uint8_t)edge->stats.bdseq, now_ms, &edge->topic, &edge->payload);
    return edge->fns->publish(edge->ctx, buf_view(&edge->topic), buf_view(&edge->payload), 0);
}

/* The oldest value first; what is of now, last:
 * [tck-id-operational-behavior-data-publish-nbirth-order]. */
static bool unit_birth(SpEdge *edge, uint32_t device, int64_t now_ms)
{
    SpMetric control = {.name = STR("Node Control/Rebirth"),
                        .ts_ms = now_ms,
                        .type = SP_BOOLEAN,
                        .value = {.form = SP_IN_BOOL}};
    uint32_t count = sp__edge_collect(edge, device, true);
    buf_clear(&edge->payload);
    sp_put_begin(&edge->payload, now_ms);
    for (uint32_t i = 0; i < count; i++)
        put_metric(edge, &edge->payload, &edge->metrics[edge->order[i]], true, false, now_ms);
    if (!device) {
        put_bdseq(&edge->payload, (uint8_t)edge->stats.bdseq, now_ms);
        sp_put_metric(&edge->payload, &control);
    }
    return say(edge, unit_topic(edge, SP_NBIRTH, SP_DBIRTH, device));
}

static void unit_born(SpEdge *edge, uint32_t device)
{
    for (uint32_t i = 0; i < edge->stats.metrics; i++) {
        if (edge->metrics[i].device != device) continue;
        edge->metrics[i].born = true;
        said(&edge->metrics[i]);
    }
    edge->dirty &= ~(1ull << device);
    edge->dead &= ~(1ull << device);
}

/* False: not all were taken; they are said again from the first. A device that is gone is born as
 * well, with its last values and what was kept of it, and dies then. */
bool sp__edge_births(SpEdge *edge, int64_t now_ms)
{
    edge->next_seq = 0; /* [tck-id-payloads-nbirth-seq] */
    edge->born_ms = now_ms;
    for (uint32_t device = 0; device <= edge->stats.devices; device++)
        if (!unit_birth(edge, device, now_ms)) return false;
    for (uint32_t device = 0; device <= edge->stats.devices; device++) unit_born(edge, device);
    edge->changed = UINT64_MAX;
    edge->births_due = false;
    edge->stats.births++;
    return true;
}

/* [tck-id-operational-behavior-device-ddeath]: a payload without metrics. */
static bool unit_dies(SpEdge *edge, uint32_t device, int64_t now_ms)
{
    buf_clear(&edge->payload);
    sp_put_begin(&edge->payload, now_ms);
    if (!say(edge, unit_topic(edge, SP_NDEATH, SP_DDEATH, device))) return false;
    edge->dead |= 1ull << device;
    edge->stats.deaths++;
    return true;
}

void sp__edge_lives(SpEdge *edge, int64_t now_ms)
{
    for (uint32_t device = 1; device <= edge->stats.devices; device++) {
        if (!(edge->changed >> device & 1)) continue;
        bool gone = sp__edge_device_gone(edge, device), dead = edge->dead >> device & 1;
        if (gone && !dead && !unit_dies(edge, device, now_ms)) return;
        if (!gone && dead) {
            if (!unit_birth(edge, device, now_ms)) return;
            unit_born(edge, device);
        }
        edge->changed &= ~(1ull << device);
    }
    edge->changed = 0;
}

/* ---- data ---- */

static bool unit_data(SpEdge *edge, uint32_t device, int64_t now_ms)
{
    uint32_t count = sp__edge_collect(edge, device, false), at = 0;
    while (at < count) {
        uint32_t first = at;
        buf_clear(&edge->payload);
        sp_put_begin(&edge->payload, now_ms);
        for (; at < count && edge->payload.len < SP__EDGE_MESSAGE_BYTES; at++)
            put_metric(edge, &edge->payload, &edge->metrics[edge->order[at]], false, false, now_ms);
        if (!say(edge, unit_topic(edge, SP_NDATA, SP_DDATA, device))) return false;
        for (uint32_t i = first; i < at; i++) said(&edge->metrics[edge->order[i]]);
        edge->stats.values += at - first;
    }
    return true;
}

/* A dead device says nothing: its birth will. */
void sp__edge_data(SpEdge *edge, int64_t now_ms)
{
    for (uint32_t device = 0; device <= edge->stats.devices; device++) {
        if (!((edge->dirty & ~edge->dead) >> device & 1)) continue;
        if (!unit_data(edge, device, now_ms)) return;
        edge->dirty &= ~(1ull << device);
    }
}

/* ---- values nobody may hear yet ---- */

static void forget_oldest(SpEdge *edge)
{
    size_t at = 0;
    while (at < edge->kept.len && at < edge->kept_max / 8) {
        uint32_t head[2];
        memcpy(head, edge->kept.ptr + at, sizeof head);
        at += sizeof head + head[1];
        edge->stats.kept_lost++;
    }
    buf_consume(&edge->kept, at);
}

void sp__edge_keep(SpEdge *edge, EdgeMetric *metric)
{
    uint32_t head[2] = {metric->device, 0};
    buf_clear(&edge->payload);
    put_metric(edge, &edge->payload, metric, false, true, INT64_MAX);
    head[1] = (uint32_t)edge->payload.len;
    if (buf_status(&edge->payload) || sizeof head + head[1] > edge->kept_max / 8) {
        edge->stats.kept_lost++;
        return;
    }
    if (edge->kept.len + sizeof head + head[1] > edge->kept_max) forget_oldest(edge);
    size_t start = edge->kept.len;
    buf_add(&edge->kept, head, sizeof head);
    buf_str(&edge->kept, buf_view(&edge->payload));
    if (!edge->kept.failed) return;
    edge->kept.failed = ST_OK;
    edge->kept.len = start;
    edge->stats.kept_lost++;
}

/* Those of one device that follow each other, as many as a message takes. */
static size_t kept_message(SpEdge *edge, size_t from, int64_t now_ms)
{
    uint32_t head[2], device = 0, count = 0;
    size_t at = from;
    buf_clear(&edge->payload);
    sp_put_begin(&edge->payload, now_ms);
    for (; at < edge->kept.len && edge->payload.len < SP__EDGE_MESSAGE_BYTES; count++) {
        memcpy(head, edge->kept.ptr + at, sizeof head);
        if (count && head[0] != device) break;
        device = head[0];
        buf_add(&edge->payload, edge->kept.ptr + at + sizeof head, head[1]);
        at += sizeof head + head[1];
    }
    if (!say(edge, unit_topic(edge, SP_NDATA, SP_DDATA, device))) return from;
    edge->stats.values += count;
    return at;
}

void sp__edge_kept(SpEdge *edge, int64_t now_ms)
{
    size_t at = 0;
    while (at < edge->kept.len && at < SP__EDGE_KEPT_A_FLUSH) {
        size_t next = kept_message(edge, at, now_ms);
        if (next == at) break;
        at = next;
    }
    buf_consume(&edge->kept, at);
}
