/* runtime/mqtt/bridge_open.c: a bridge begins and ends: its configuration, its session, its
 * filters.
 */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

#include <stdio.h>

enum { BEAT_MS = 1000, TOPIC_BYTES_MAX = 70000, HELD_BYTES_MAX = 512 << 20 };

/* ---- the configuration ---- */

static Status conf_check(const MqttBridgeConf *conf, Diag *diag)
{
    if (!conf->name.len || conf->name.len > MQTT_BRIDGE_NAME_MAX)
        return diag_set(diag, ST_INVALID, "a bridge's name has 1 to %d bytes",
                        MQTT_BRIDGE_NAME_MAX);
    if (!conf->host.len || conf->host.len > 255)
        return diag_set(diag, ST_INVALID, "host: a name or an address of 1 to 255 bytes");
    if (conf->topic_count > MQTT_BRIDGE_TOPICS_MAX)
        return diag_set(diag, ST_LIMIT, "topics: at most %d", MQTT_BRIDGE_TOPICS_MAX);
    if (conf->notify.len && (!mqtt_topic_valid(conf->notify) || conf->notify.len > 4096))
        return diag_set(diag, ST_INVALID, "notify: \"%.*s\" is no topic", STR_ARG(conf->notify));
    if (conf->version < 5 && conf->password.len && !conf->user.len)
        return diag_set(diag, ST_INVALID, "password: MQTT 3.1.1 has none without a user");
    return ST_OK;
}

static Status rule_take(MqttBridge *b, BridgeRule *rule, const MqttBridgeTopic *topic, Diag *diag)
{
    *rule = (BridgeRule){.local_prefix = arena_str(b->texts, topic->local_prefix),
                         .remote_prefix = arena_str(b->texts, topic->remote_prefix),
                         .local = arena_join(b->texts, topic->local_prefix, topic->filter),
                         .remote = arena_join(b->texts, topic->remote_prefix, topic->filter),
                         .pair_out = bridge__pair(topic->local_prefix, topic->remote_prefix),
                         .pair_in = bridge__pair(topic->remote_prefix, topic->local_prefix),
                         .directions = topic->directions,
                         .qos = topic->qos,
                         .retained = topic->retained};
    if (!rule->local.ptr || !rule->remote.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    const Str both[] = {rule->local, rule->remote};
    for (size_t i = 0; i < COUNT_OF(both); i++)
        if (!mqtt_filter_valid(both[i]) || both[i].len > b->broker->conf.filter_bytes_max ||
            mqtt_levels(both[i]) > MQTT_LEVELS_MAX || str_starts(both[i], STR("$share/")))
            return diag_set(diag, ST_INVALID, "\"%.*s\" is no topic filter for a bridge",
                            STR_ARG(both[i]));
    const Str fixed[] = {rule->local_prefix, rule->remote_prefix};
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (str_find_char(fixed[i], '+') >= 0 || str_find_char(fixed[i], '#') >= 0)
            return diag_set(diag, ST_INVALID, "the prefix \"%.*s\" has a wildcard",
                            STR_ARG(fixed[i]));
    if (!(topic->directions & 3) || topic->qos > 2 || topic->retained > 2)
        return diag_set(diag, ST_INVALID, "direction, qos or retain of \"%.*s\" is wrong",
                        STR_ARG(topic->filter));
    return ST_OK;
}

static Status conf_copy(MqttBridge *b, const MqttBridgeConf *conf, Diag *diag)
{
    b->texts = arena_new(0, 16 << 20);
    if (!b->texts) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    b->conf = *conf;
    Str *const texts[] = {&b->conf.name,      &b->conf.host,   &b->conf.user,    &b->conf.password,
                          &b->conf.client_id, &b->conf.notify, &b->conf.ca_file, &b->conf.cert_file,
                          &b->conf.key_file,  &b->conf.self_id};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!(*texts[i] = arena_str(b->texts, *texts[i])).ptr)
            return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Str *forget = arena_many(b->texts, Str, conf->forget_count + 1);
    b->rules = arena_many(b->texts, BridgeRule, conf->topic_count + 1);
    if (!forget || !b->rules) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < conf->forget_count; i++)
        if (!(forget[i] = arena_str(b->texts, conf->forget[i])).ptr)
            return diag_set(diag, ST_NO_MEMORY, "out of memory");
    b->conf.forget = forget;
    Status st = ST_OK;
    for (uint32_t i = 0; i < conf->topic_count && !st; i++)
        st = rule_take(b, &b->rules[i], &conf->topics[i], diag);
    b->conf.topics = NULL;
    (void)snprintf(b->remote_id, sizeof b->remote_id, "%.*s", STR_ARG(conf->remote_id));
    if (b->conf.client_id.len) return st;
    b->conf.client_id =
        arena_printf(b->texts, "tutti-%.*s-%.*s", STR_ARG(conf->self_id), STR_ARG(conf->name));
    return b->conf.client_id.ptr ? st : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

/* ---- the session ---- */

static bool rule_exists(const MqttBridge *b, Str filter)
{
    for (uint32_t i = 0; i < b->conf.topic_count; i++)
        if (b->rules[i].directions & MQTT_BRIDGE_OUT && str_eq(b->rules[i].local, filter))
            return true;
    return false;
}

/* The session subscribes to what goes out, and to nothing else. */
static Status filters_set(MqttBridge *b, Diag *diag)
{
    Session *s = b->session;
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&s->subs, &at));) {
        const Sub *sub = slot->value;
        if (!rule_exists(b, sub->filter)) (void)mqtt__unsubscribe(s, sub->filter);
    }
    for (uint32_t i = 0; i < b->conf.topic_count; i++) {
        BridgeRule *rule = &b->rules[i];
        if (!(rule->directions & MQTT_BRIDGE_OUT)) continue;
        rule->fresh = !b->conf.known || !map_get(&s->subs, rule->local);
        MqttFilterRow row = {
            .filter = rule->local, .qos = rule->qos, .no_local = true, .retain_as_published = true};
        if (mqtt__subscribe(s, &row, 0) > 2)
            return diag_set(diag, ST_LIMIT, "the filter %.*s is not taken", STR_ARG(rule->local));
    }
    return ST_OK;
}

static Status session_take(MqttBridge *b, Diag *diag)
{
    MqttBroker *broker = b->broker;
    char id[sizeof MQTT_BRIDGE_SESSION + MQTT_BRIDGE_NAME_MAX];
    (void)snprintf(id, sizeof id, MQTT_BRIDGE_SESSION "%.*s", STR_ARG(b->conf.name));
    Session *s = map_get(&broker->by_id, str_from(id));
    bool fresh = !s;
    if (fresh) s = mqtt__session_new(broker, str_from(id), STR_NONE);
    if (!s) return diag_set(diag, ST_LIMIT, "the broker has no room for another session");
    s->bridge = b;
    b->session = s;
    s->expiry_s = UINT32_MAX;
    if (fresh) {
        s->version = 5;
        s->ends_ns = clock_monotonic_ns() + (int64_t)UINT32_MAX * NS_PER_S;
        mqtt__keep_session(s);
        if (!s->slot) return diag_set(diag, ST_LIMIT, "the broker has no room on the disk for it");
    }
    b->wash = fresh || !b->conf.known;
    return filters_set(b, diag);
}

/* ---- opening and closing ---- */

static void texts_free(MqttBridge *b)
{
    if (b->texts && b->conf.password.len)
        explicit_bzero((char *)(uintptr_t)b->conf.password.ptr, b->conf.password.len);
    arena_free(b->texts);
    b->texts = NULL;
}

static void bridge_free(MqttBridge *b)
{
    tls_client_free(b->tls);
    buf_done(&b->in);
    buf_done(&b->held);
    buf_done(&b->to_local);
    buf_done(&b->props);
    buf_done(&b->topic);
    mem_free(b->aliases);
    mem_free(b->lowered);
    mem_free(b->echoes);
    mem_free(b->rounds);
    texts_free(b);
    b->closed = true;
    if (!b->posts) mem_free(b);
}

Status mqtt_bridge_open(MqttBroker *broker, Loop *loop, const MqttBridgeConf *conf, Log *log,
                        MqttBridge **ret_bridge, Diag *diag)
{
    Status st = conf_check(conf, diag);
    if (st) return st;
    if (!broker->keep.store)
        return diag_set(diag, ST_UNSUPPORTED, "a bridge needs a broker that keeps sessions");
    MqttBridge *b = mem_zalloc(1, sizeof *b);
    if (!b) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    b->broker = broker;
    b->serial = ++broker->serial;
    b->loop = loop;
    b->log = log;
    b->version = conf->version == 4 ? 4 : 5;
    b->info.round_trip_us = -1;
    buf_init(&b->in, 2 * ((size_t)broker->conf.packet_bytes_max + 70000));
    buf_init(&b->held, HELD_BYTES_MAX);
    buf_init(&b->to_local, BRIDGE_LOCAL_IN_BYTES);
    buf_init(&b->props, (size_t)broker->conf.packet_bytes_max + TOPIC_BYTES_MAX);
    buf_init(&b->topic, 2 * TOPIC_BYTES_MAX);
    st = conf_copy(b, conf, diag);
    if (!st) st = loop_timer_start(loop, BEAT_MS, BEAT_MS, bridge__beat, b, &b->beat);
    if (!st) st = session_take(b, diag);
    if (st) {
        if (b->session) b->session->bridge = NULL;
        loop_timer_stop(b->beat);
        bridge_free(b);
        return st;
    }
    b->next = broker->bridges;
    broker->bridges = b;
    bridge__connect_try(b); /* what fails now may be mended: it is tried again */
    *ret_bridge = b;
    return ST_OK;
}

Status mqtt_bridge_check(MqttBroker *broker, const MqttBridgeConf *conf, Diag *diag)
{
    MqttBridge b = {.broker = broker};
    Status st = conf_check(conf, diag);
    if (!st) st = conf_copy(&b, conf, diag);
    if (!st) st = bridge__tls_read(&b, diag);
    tls_client_free(b.tls);
    texts_free(&b);
    return st;
}

static void unlink_it(MqttBridge *b)
{
    MqttBridge **link = &b->broker->bridges;
    while (*link && *link != b) link = &(*link)->next;
    if (*link) *link = b->next;
}

void mqtt_bridge_close(MqttBridge *bridge, bool forget)
{
    MqttBridge *b = bridge;
    if (!b) return;
    if (b->ready) {
        AUTO_BUF Buf props;
        buf_init(&props, 16);
        bridge__state_tell(b, "0");
        if (forget) mqtt_put_prop_number(&props, MQTT_P_SESSION_EXPIRY, 0);
        mqtt_put_disconnect(link_out(b->link), b->version, 0, buf_view(&props));
    }
    b->accepted = b->ready = false;
    link_close(b->link);
    b->link = NULL;
    loop_timer_stop(b->beat);
    Session *s = b->session;
    if (b->stream) {
        MqttStream *stream = b->stream;
        b->stream = NULL;
        mqtt_stream_closed(stream);
        if (s && s->conn == stream) mqtt__session_detach(stream);
    }
    if (s) s->bridge = NULL;
    if (s && forget) mqtt__session_end(s);
    unlink_it(b);
    bridge_free(b);
}

void mqtt_bridge_tidy(MqttBroker *broker, bool (*keep)(void *ctx, Str name), void *ctx)
{
    Str own = STR(MQTT_BRIDGE_SESSION);
    for (Session *s = broker->sessions, *next; s; s = next) {
        next = s->next;
        if (!s->bridge && str_starts(s->id, own) && !keep(ctx, str_skip(s->id, own.len)))
            mqtt__session_end(s);
    }
}
