/* runtime/modules/sparkplug/sparkplug_host.c: the host application: its STATE, what it hears, what
 * it asks for.
 *
 * It stands in the process of the broker and takes part without a socket. So its STATE needs no
 * will: when it dies the broker dies with it, and the first thing a new one does, before any client
 * is let in, is to say that it is online ([tck-id-host-topic-phid-birth-required]). When the new
 * one has another id, or is no host, it says first that the old one is offline (sparkplug_keep.c).
 */
#include "modules/sparkplug/sparkplug_int.h"

#include "base/mem.h"

enum { NOTES_MAX = 20, NOTES_SPAN_S = 10, WINDOW = 4096, COMMAND_BYTES_MAX = 64 * 1024 };

static int64_t wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

/* ---- what it says ---- */

static Status say(Sparkplug *self, Str topic, Str payload, bool retain, uint8_t qos, Diag *diag)
{
    MqttPub pub = {.topic = topic, .payload = payload, .retain = retain, .qos = qos};
    return mqtt_broker_publish(self->env->broker, &pub, diag);
}

/* QoS 1 and retained: [tck-id-host-topic-phid-birth-qos], [tck-id-host-topic-phid-birth-retain]. */
void sparkplug__state_say(Sparkplug *self, Str host, bool online, int64_t ts_ms)
{
    AUTO_BUF Buf payload;
    Diag diag = {0};
    buf_init(&payload, 128);
    buf_clear(&self->topic);
    sp_topic_put(&self->topic, SP_STATE, STR_NONE, host, STR_NONE);
    sp_state_put(&payload, online, ts_ms);
    if (say(self, buf_view(&self->topic), buf_view(&payload), true, 1, &diag))
        log_error(self->env->log, "sparkplug", "the STATE is not said",
                  "host=%.*s online=%d reason=%s", STR_ARG(host), online, diag.text);
}

/* [tck-id-payloads-ncmd-qos], [tck-id-payloads-ncmd-retain], and without sequence number. */
static Status command(Sparkplug *self, const SpUnit *unit, const SpMetric *metric, Diag *diag)
{
    AUTO_BUF Buf payload;
    const SpNode *node = unit->node;
    buf_init(&payload, COMMAND_BYTES_MAX);
    buf_clear(&self->topic);
    sp_topic_put(&self->topic, unit->name.len ? SP_DCMD : SP_NCMD, node->group, node->name,
                 unit->name);
    sp_put_begin(&payload, wall_ms());
    sp_put_metric(&payload, metric);
    Status st = buf_status(&payload);
    if (st) return diag_set(diag, st, "the value is too large for a command");
    return say(self, buf_view(&self->topic), buf_view(&payload), false, 0, diag);
}

/* [tck-id-payloads-ncmd-timestamp], [tck-id-operational-behavior-data-commands-rebirth-name] and
 * its value: "Node Control/Rebirth" is true. */
Status sparkplug__ask_rebirth(Sparkplug *self, const SpNode *node, Diag *diag)
{
    SpMetric metric = {.name = STR("Node Control/Rebirth"),
                       .type = SP_BOOLEAN,
                       .ts_ms = wall_ms(),
                       .value = {.form = SP_IN_BOOL, .bits = 1}};
    return command(self, &node->self, &metric, diag);
}

/* By the alias alone where the birth gave one ([tck-id-payloads-alias-data-cmd-requirement]), and
 * it means this metric only. */
Status sparkplug__command(Sparkplug *self, const SpDef *def, const Json *value, Diag *diag)
{
    bool alias = def->has_alias && sp_unit_alias(def->unit, def->alias) == def;
    SpMetric metric = {.name = alias ? STR_NONE : def->name,
                       .has_alias = alias,
                       .alias = def->alias,
                       .ts_ms = wall_ms()};
    Status st = sp_value_from_json(def->type, value, &metric, diag);
    if (!st) st = command(self, def->unit, &metric, diag);
    if (!st) self->commands++;
    return st;
}

/* ---- what it hears ---- */

static void on_born(void *ctx, const SpUnit *unit, const SpPayload *payload)
{
    Sparkplug *self = ctx;
    log_info(self->env->log, "sparkplug", "born", "node=%.*s device=%.*s metrics=%u bdseq=%d",
             STR_ARG(unit->node->key), STR_ARG(unit->name), unit->def_count, unit->node->bdseq);
    sparkplug__units(self, (SpUnit *)(uintptr_t)unit, payload);
    sparkplug__keep(self, unit);
}

static void on_quality(Sparkplug *self, Status status, Str body)
{
    if (status)
        log_error(self->env->log, "sparkplug", "values of a dead node are not marked",
                  "reason=%.*s", STR_ARG(body));
}

/* [tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale] and its
 * like for devices: the last values stay, and are uncertain from now on. */
static void on_died(void *ctx, const SpUnit *unit)
{
    Sparkplug *self = ctx;
    Buf body;
    JsonOut out;
    int64_t time_ns;
    log_info(self->env->log, "sparkplug", "died", "node=%.*s device=%.*s bdseq=%d",
             STR_ARG(unit->node->key), STR_ARG(unit->name), unit->node->bdseq);
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "path", unit->path);
    json_field_text(&out, "quality", "uncertain");
    json_field_int(&out, "until_ns", self->last_ns);
    if (!__builtin_mul_overflow(unit->died_ms, (int64_t)NS_PER_MS, &time_ns))
        json_field_int(&out, "time_ns", time_ns);
    json_end(&out);
    (void)sparkplug__call(self, "uns.quality", &body, on_quality);
    sparkplug__keep(self, unit);
}

static void on_ask(void *ctx, const SpNode *node)
{
    Sparkplug *self = ctx;
    Diag diag = {0};
    Status st = sparkplug__ask_rebirth(self, node, &diag);
    log_warn(self->env->log, "sparkplug", "rebirth requested",
             "node=%.*s reason=\"%s\" lost=%llu%s%s", STR_ARG(node->key),
             node->why ? node->why : "", (unsigned long long)node->lost, st ? " error=" : "",
             st ? diag.text : "");
}

static void on_note(void *ctx, const SpTopic *topic, const char *why)
{
    Sparkplug *self = ctx;
    int64_t now = clock_monotonic_ns();
    if (now - self->notes_ns > NOTES_SPAN_S * NS_PER_S) {
        self->notes_ns = now;
        self->notes = 0;
    }
    if (self->notes > NOTES_MAX) return;
    if (self->notes++ == NOTES_MAX)
        log_warn(self->env->log, "sparkplug", "more of these are not logged for a while",
                 "seconds=%d", NOTES_SPAN_S);
    else
        log_warn(self->env->log, "sparkplug", "something is wrong with a message",
                 "group=%.*s node=%.*s device=%.*s reason=\"%s\"", STR_ARG(topic->group),
                 STR_ARG(topic->node), STR_ARG(topic->device), why);
}

static const SpHostFns fns = {sparkplug__value, on_born, on_died, on_ask, on_note};

/* Somebody says that we are offline, as the will of one who had our id: we say again what we said,
 * with the same timestamp ([tck-id-message-flow-hid-sparkplug-state-message-delivered]). */
static void on_state(Sparkplug *self, const SpTopic *topic, const MqttPub *pub)
{
    bool online;
    int64_t ts_ms;
    if (self->draining || !self->state_ms || !str_eq(topic->node, self->conf->host)) return;
    if (sp_state_read(self->arena, pub->payload, &online, &ts_ms) && !online) {
        log_warn(self->env->log, "sparkplug", "somebody else says that this host is offline",
                 "client=%.*s", STR_ARG(pub->publisher));
        sparkplug__state_say(self, self->conf->host, true, self->state_ms);
    }
    arena_reset(self->arena);
}

static void on_message(void *ctx, const MqttPub *pub, uint64_t token)
{
    Sparkplug *self = ctx;
    SpTopic topic = sp_topic_read(pub->topic);
    int64_t now_ns = clock_wall_ns();
    /* Strictly rising, so that a death does not touch what a birth right after it says. */
    self->last_ns = now_ns > self->last_ns ? now_ns : self->last_ns + 1;
    if (topic.kind == SP_STATE)
        on_state(self, &topic, pub);
    else if (!pub->retain) /* none of them is retained; one that is is of who knows when */
        sp_host_message(self->host, pub->topic, pub->payload, self->last_ns / NS_PER_MS);
    mqtt_broker_ack(self->env->broker, token);
}

static void on_tick(void *ctx)
{
    Sparkplug *self = ctx;
    int64_t now_ns = clock_wall_ns();
    self->last_ns = now_ns > self->last_ns ? now_ns : self->last_ns + 1;
    sp_host_tick(self->host, self->last_ns / NS_PER_MS);
    sparkplug__history_flush(self);
}

/* ---- life ---- */

Status sparkplug__host_start(Sparkplug *self, Diag *diag)
{
    const SparkplugConf *conf = self->conf;
    SpHostConf host = {.nodes_max = (uint32_t)conf->nodes,
                       .devices_max = (uint32_t)conf->devices,
                       .metrics_max = (uint32_t)conf->metrics,
                       .reorder_ms = (uint32_t)conf->reorder_ms,
                       .rebirth_ms = (uint32_t)conf->rebirth_ms,
                       .unheard_ms = (uint32_t)conf->unheard_ms,
                       .prefix = conf->prefix};
    if (!sp_id_valid(conf->host))
        return diag_set(diag, ST_INVALID,
                        "TUTTI_SPARKPLUG_HOST is \"%.*s\": a host's id has none of + / #",
                        STR_ARG(conf->host));
    if (!self->env->broker)
        return diag_set(
            diag, ST_UNSUPPORTED,
            "TUTTI_SPARKPLUG_HOST needs the embedded broker, which this process has not");
    self->host = sp_host_new(&host, &fns, self);
    if (!self->host) return diag_set(diag, ST_NO_MEMORY, "no memory for a Sparkplug host");
    Status st = sparkplug__keep_load(self, diag);
    if (!st)
        st = mqtt_broker_attach(self->env->broker, STR("spBv1.0/#"), 1, on_message, self, WINDOW,
                                &self->attach, diag);
    if (!st)
        st = loop_timer_start(self->env->loop, SPARKPLUG_TICK_MS, SPARKPLUG_TICK_MS, on_tick, self,
                              &self->timer);
    return st;
}

/* All modules are there and see it; nobody was let in yet. */
void sparkplug__on_up(void *ctx, const BusMsg *msg)
{
    Sparkplug *self = ctx;
    Diag diag = {0};
    (void)msg;
    if (self->draining || !self->env->broker) return;
    if (sparkplug__keep_host(self, &diag))
        log_error(self->env->log, "sparkplug", "who this host was is not known", "reason=\"%s\"",
                  diag.text);
    if (!self->host) return;
    self->state_ms = wall_ms();
    sparkplug__state_say(self, self->conf->host, true, self->state_ms);
}

void sparkplug__host_stop(Sparkplug *self)
{
    if (!self->attach) return;
    self->draining = true;
    sparkplug__state_say(self, self->conf->host, false, wall_ms());
    sparkplug__history_flush(self);
    loop_timer_stop(self->timer);
    self->timer = NULL;
    mqtt_broker_detach(self->attach, true);
    self->attach = NULL;
}
