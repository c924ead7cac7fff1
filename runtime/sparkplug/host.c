/* runtime/sparkplug/host.c: messages of edge nodes, in their order; see host.h for the picture. */
#include "sparkplug/host_int.h"

#include "base/mem.h"

typedef struct Now {
    SpHost *host;
    SpNode *node;
    const SpTopic *topic;
    int64_t ms;
} Now;

static void note(const Now *now, const char *why)
{
    now->host->fns->note(now->host->ctx, now->topic, why);
}

/* ---- rebirths ---- */

static void ask_if_due(SpHost *host, SpNode *node, int64_t now_ms)
{
    if (!node->wanted) return;
    if (node->asked_ms && now_ms - node->asked_ms < host->conf.rebirth_ms &&
        now_ms >= node->asked_ms)
        return;
    node->wanted = false;
    node->asked_ms = now_ms;
    node->rebirths++;
    host->fns->ask(host->ctx, node);
}

static void want_rebirth(const Now *now, const char *why)
{
    now->node->wanted = true;
    now->node->why = why;
    ask_if_due(now->host, now->node, now->ms);
}

/* ---- values ---- */

static void tell(const Now *now, const SpUnit *unit, const SpPayload *payload, bool birth)
{
    SpMetric metric;
    SpWalk walk = sp_metrics(payload);
    bool strange = false;
    while (sp_metric_next(&walk, &metric)) {
        const SpDef *def = sp__def_of(unit, &metric);
        now->host->stats.metrics++;
        if (!def) {
            now->node->unknown++;
            strange = true;
            continue;
        }
        if (def->hidden) continue;
        int64_t ts = metric.ts_ms != SP_NO_TIME ? metric.ts_ms : payload->ts_ms;
        SpSample sample = {.def = def,
                           .metric = &metric,
                           .type = metric.type ? metric.type : def->type,
                           .ts_ms = ts != SP_NO_TIME ? ts : now->ms,
                           .birth = birth};
        now->host->fns->value(now->host->ctx, &sample);
    }
    if (strange && !birth) want_rebirth(now, "a metric that is not in the birth");
}

static void unit_dies(SpUnit *unit, int64_t at_ms)
{
    unit->life = SP_DEAD;
    unit->died_ms = at_ms;
    unit->deaths++;
}

static void device_gone(const Now *now, SpUnit *unit, int64_t at_ms)
{
    unit_dies(unit, at_ms);
    now->host->fns->died(now->host->ctx, unit);
}

/* [tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline]: when the
 * edge node says, which knows it; but not before its birth and not in a time to come. */
static void device_death(const Now *now, SpUnit *unit, const SpPayload *payload)
{
    int64_t at_ms = payload->ts_ms;
    if (at_ms == SP_NO_TIME || at_ms > now->ms || at_ms < unit->born_ms) at_ms = now->ms;
    device_gone(now, unit, at_ms);
}

/* With its devices, which is said once. */
static void node_gone(const Now *now)
{
    SpNode *node = now->node;
    unit_dies(&node->self, now->ms);
    for (SpUnit *unit = node->devices; unit; unit = unit->next)
        if (unit->life != SP_DEAD) unit_dies(unit, now->ms);
    now->host->fns->died(now->host->ctx, &node->self);
}

static bool unit_born(const Now *now, SpUnit *unit, const SpPayload *payload)
{
    const char *why = "";
    unit->births++;
    if (sp__birth_read(now->host, unit, payload, &why)) {
        now->host->stats.over_limit++;
        unit->life = SP_UNHEARD;
        note(now, why);
        return false;
    }
    unit->life = SP_ALIVE;
    unit->born_ms = now->ms;
    tell(now, unit, payload, true);
    now->host->fns->born(now->host->ctx, unit, payload);
    return true;
}

/* ---- messages in their order ---- */

static void device_data(const Now *now, Str device, const SpPayload *payload)
{
    SpUnit *unit = (SpUnit *)(uintptr_t)sp_node_unit(now->node, device);
    if (!unit || unit->life != SP_ALIVE) {
        now->node->unknown++;
        want_rebirth(now, "data of a device without birth");
        return;
    }
    unit->heard_ms = now->ms;
    unit->messages++;
    tell(now, unit, payload, false);
}

static void apply(const Now *now, SpKind kind, Str device, const SpPayload *payload)
{
    if (kind == SP_NDATA) {
        tell(now, &now->node->self, payload, false);
        return;
    }
    if (kind == SP_DDATA) {
        device_data(now, device, payload);
        return;
    }
    SpUnit *unit = sp__device_get(now->host, now->node, device);
    if (!unit) {
        now->host->stats.over_limit++;
        note(now, "there are too many devices: raise TUTTI_SPARKPLUG_DEVICES");
        return;
    }
    unit->messages++;
    if (kind == SP_DBIRTH) {
        unit->heard_ms = now->ms;
        (void)unit_born(now, unit, payload);
    } else if (unit->life != SP_DEAD) {
        device_death(now, unit, payload);
    }
}

static void apply_held(const Now *now)
{
    SpNode *node = now->node;
    SpHeld *held = node->held;
    SpPayload payload;
    node->held = held->next;
    node->held_count--;
    node->held_bytes -= held->payload.len;
    node->expected = (uint8_t)(held->seq + 1);
    if (!sp_payload_read(held->payload, &payload, NULL))
        apply(now, held->kind, held->device, &payload);
    mem_free(held);
}

/* What is missing will not come: what came after it is taken, and the node has to say again what
 * it is. */
static void give_up(const Now *now)
{
    SpNode *node = now->node;
    while (node->held) {
        node->lost += (uint8_t)(node->held->seq - node->expected);
        apply_held(now);
    }
    node->gap_ms = 0;
    note(now, "messages are missing: their sequence numbers have a gap");
    want_rebirth(now, "a gap in the sequence numbers");
}

static void hold(const Now *now, uint8_t seq, Str payload)
{
    SpNode *node = now->node;
    const SpTopic *topic = now->topic;
    SpHeld **link = &node->held;
    uint8_t distance = (uint8_t)(seq - node->expected);
    while (*link && (uint8_t)((*link)->seq - node->expected) < distance) link = &(*link)->next;
    if (*link && (*link)->seq == seq) return; /* it is here already */
    SpHeld *held = mem_alloc(sizeof *held + topic->device.len + payload.len);
    if (!held) return;
    *held = (SpHeld){.next = *link, .kind = topic->kind, .seq = seq};
    memcpy(held->bytes, payload.ptr, payload.len);
    held->payload = str_slice(held->bytes, payload.len);
    if (topic->device.len) memcpy(held->bytes + payload.len, topic->device.ptr, topic->device.len);
    held->device = str_slice(held->bytes + payload.len, topic->device.len);
    *link = held;
    node->held_count++;
    node->held_bytes += payload.len;
    if (!node->gap_ms) node->gap_ms = now->ms;
    if (node->held_count >= now->host->conf.held_max ||
        node->held_bytes >= now->host->conf.held_bytes)
        give_up(now);
}

static void in_order(const Now *now, const SpPayload *payload)
{
    SpNode *node = now->node;
    if (node->self.life != SP_ALIVE) {
        node->unknown++;
        want_rebirth(now, "a message before its birth");
        return;
    }
    if (payload->seq < 0) {
        now->host->stats.bad++;
        note(now, "it has no sequence number");
        return;
    }
    if (payload->seq != node->expected) {
        hold(now, (uint8_t)payload->seq, payload->bytes);
        return;
    }
    node->expected++;
    apply(now, now->topic->kind, now->topic->device, payload);
    while (node->held && node->held->seq == node->expected) {
        node->reordered++;
        apply_held(now);
    }
    if (!node->held) node->gap_ms = 0;
}

/* ---- births and deaths of edge nodes ---- */

/* -1: there is none. */
static int32_t bdseq_of(const SpPayload *payload)
{
    SpMetric metric;
    SpWalk walk = sp_metrics(payload);
    while (sp_metric_next(&walk, &metric))
        if (str_is(metric.name, "bdSeq") && metric.value.form <= SP_IN_LONG && !metric.null)
            return metric.value.form == SP_IN_NOTHING ? 0
                                                      : (int32_t)(metric.value.bits & 0x7fffffff);
    return -1;
}

static void node_birth(const Now *now, const SpPayload *payload)
{
    SpNode *node = now->node;
    sp__held_drop(node);
    node->wanted = false;
    node->bdseq = bdseq_of(payload);
    node->expected = (uint8_t)(payload->seq + 1);
    node->unheard_ms = now->ms;
    if (node->bdseq < 0)
        note(now, "a birth without bdSeq: any death will be taken for this node's");
    /* Its devices are born again, too: [tck-id-payloads-dbirth-order]. */
    for (SpUnit *unit = node->devices; unit; unit = unit->next) {
        sp__birth_drop(now->host, unit);
        if (unit->life == SP_ALIVE) unit->life = SP_UNHEARD;
    }
    (void)unit_born(now, &node->self, payload);
}

static void node_death(const Now *now, const SpPayload *payload)
{
    SpNode *node = now->node;
    int32_t bdseq = bdseq_of(payload);
    /* [tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline] */
    if (node->self.life == SP_ALIVE && node->bdseq >= 0 && bdseq != node->bdseq) {
        node->old_deaths++;
        note(now, "a death with another bdSeq than the birth: it is an old one");
        return;
    }
    if (node->self.life == SP_DEAD) return;
    sp__held_drop(node);
    node->wanted = false;
    node_gone(now);
}

void sp_host_message(SpHost *host, Str topic, Str payload, int64_t now_ms)
{
    SpTopic is = sp_topic_read(topic);
    SpPayload read;
    Diag diag = {0};
    Now now = {.host = host, .topic = &is, .ms = now_ms};
    if (is.kind == SP_NOT || is.kind >= SP_NCMD) return;
    host->stats.messages++;
    if (sp_payload_read(payload, &read, &diag)) {
        host->stats.bad++;
        note(&now, diag.text);
        return;
    }
    if (is.kind == SP_NBIRTH && read.seq < 0) {
        host->stats.bad++;
        note(&now, "a birth without sequence number");
        return;
    }
    now.node = sp__node_get(host, is.group, is.node, now_ms);
    if (!now.node) {
        host->stats.over_limit++;
        note(&now, "there are too many edge nodes: raise TUTTI_SPARKPLUG_NODES");
        return;
    }
    if (is.kind != SP_NDEATH) now.node->self.heard_ms = now_ms; /* it is the broker that says it */
    now.node->self.messages++;
    if (is.kind == SP_NBIRTH)
        node_birth(&now, &read);
    else if (is.kind == SP_NDEATH)
        node_death(&now, &read);
    else
        in_order(&now, &read);
}

/* ---- time ---- */

static void node_tick(SpHost *host, SpNode *node, int64_t now_ms)
{
    SpTopic is = {.group = node->group, .node = node->name};
    Now now = {host, node, &is, now_ms};
    if (now_ms < node->gap_ms) node->gap_ms = now_ms; /* the wall clock was put back */
    if (node->gap_ms && now_ms - node->gap_ms >= host->conf.reorder_ms) give_up(&now);
    if (node->self.life == SP_UNHEARD && now_ms - node->unheard_ms >= host->conf.unheard_ms)
        node_gone(&now);
    /* Devices that its new birth did not bring back. */
    if (node->self.life == SP_ALIVE && now_ms - node->self.born_ms >= host->conf.reorder_ms)
        for (SpUnit *unit = node->devices; unit; unit = unit->next)
            if (unit->life == SP_UNHEARD) device_gone(&now, unit, now_ms);
    ask_if_due(host, node, now_ms);
}

void sp_host_tick(SpHost *host, int64_t now_ms)
{
    for (SpNode *node = host->first; node; node = node->next) node_tick(host, node, now_ms);
}

/* ---- life ---- */

static void preset(uint32_t *field, uint32_t value)
{
    if (!*field) *field = value;
}

SpHost *sp_host_new(const SpHostConf *conf, const SpHostFns *fns, void *ctx)
{
    SpHost *host = mem_zalloc(1, sizeof *host);
    if (!host) return NULL;
    host->conf = *conf;
    host->fns = fns;
    host->ctx = ctx;
    preset(&host->conf.nodes_max, 1000);
    preset(&host->conf.devices_max, 10000);
    preset(&host->conf.metrics_max, 200000);
    preset(&host->conf.held_max, 64);
    preset(&host->conf.held_bytes, 1 << 20);
    preset(&host->conf.reorder_ms, 2000);
    preset(&host->conf.rebirth_ms, 10000);
    preset(&host->conf.unheard_ms, 30000);
    size_t len = conf->prefix.len < sizeof host->prefix ? conf->prefix.len : sizeof host->prefix;
    if (len) memcpy(host->prefix, conf->prefix.ptr, len);
    host->conf.prefix = str_slice(host->prefix, len);
    map_init(&host->nodes, host->conf.nodes_max);
    return host;
}

void sp_host_free(SpHost *host)
{
    if (!host) return;
    while (host->first) sp__node_free(host, host->first);
    map_done(&host->nodes);
    mem_free(host);
}

Status sp_host_remember(SpHost *host, Str group, Str node, Str device, int64_t now_ms)
{
    if (!sp_id_valid(group) || !sp_id_valid(node) || (device.len && !sp_id_valid(device)))
        return ST_INVALID;
    SpNode *is = sp__node_get(host, group, node, now_ms);
    if (!is) return ST_LIMIT;
    return !device.len || sp__device_get(host, is, device) ? ST_OK : ST_LIMIT;
}
