/* runtime/mqtt/bridge_try.c: would a bridge connect? Asked before it is stored.
 *
 * Connects once as the bridge would, under a client id of its own so that a running bridge is not
 * thrown out, waits for CONNACK, and disconnects: nothing stays at the other broker. The answer is
 * given from the beat, never inside a callback of the link, which is closed then. */
#include "mqtt/bridge_int.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { TRY_BEAT_MS = 20, TRY_CONNECT_MS = 8000, TRY_IN_BYTES = 128 * 1024, TRY_TEXT_BYTES = 65536 };

struct MqttBridgeTry {
    Link *link;
    LoopTimer *beat;
    TlsClient *tls;
    Arena *texts;
    Str client_id, user, password;
    Buf in;
    uint8_t version;
    bool over;
    int64_t began_ns;
    MqttBridgeTried tried;
    char reason[BRIDGE_ERROR_BYTES];
    MqttBridgeTriedFn *fn;
    void *ctx;
};

static void end(MqttBridgeTry *t, bool connected, uint8_t code, const char *reason)
{
    if (t->over) return;
    t->over = true;
    (void)snprintf(t->reason, sizeof t->reason, "%s", reason);
    t->tried = (MqttBridgeTried){.connected = connected,
                                 .code = code,
                                 .reason = str_from(t->reason),
                                 .took_ns = clock_monotonic_ns() - t->began_ns};
}

/* ---- the link ---- */

static void on_up(void *ctx)
{
    MqttBridgeTry *t = ctx;
    MqttConnectOut hello = {.version = t->version, .clean = true, .keep_alive = 30};
    bridge__sign(&hello, t->client_id, t->user, t->password);
    mqtt_put_connect(link_out(t->link), &hello);
    link_flush(t->link);
}

static void connack(MqttBridgeTry *t, const MqttPacket *p)
{
    if (p->reason) {
        char text[BRIDGE_ERROR_BYTES];
        uint8_t code = bridge__refusal(t->version, p->reason);
        (void)snprintf(text, sizeof text, "the server refuses the connection: %s",
                       bridge__reason(code));
        end(t, false, code, text);
        return;
    }
    mqtt_put_disconnect(link_out(t->link), t->version, 0, STR_NONE);
    link_flush(t->link);
    end(t, true, 0, "");
}

static void on_bytes(void *ctx, const char *bytes, size_t len)
{
    MqttBridgeTry *t = ctx;
    size_t head, whole;
    if (t->over) return;
    buf_add(&t->in, bytes, len);
    MqttFrame frame = mqtt_frame(buf_view(&t->in), TRY_IN_BYTES, &head, &whole);
    if (frame == MQTT_FRAME_MORE && !t->in.failed) return;
    MqttPacket p;
    if (t->in.failed || frame != MQTT_FRAME_WHOLE ||
        mqtt_decode(str_slice(t->in.ptr, whole), head, t->version, MQTT_FROM_SERVER, &p) ||
        p.type != MQTT_CONNACK)
        end(t, false, MQTT_RC_MALFORMED, "the server does not answer as an MQTT broker does");
    else
        connack(t, &p);
}

static void on_lost(void *ctx, const char *reason, uint32_t retry_ms)
{
    (void)retry_ms;
    end(ctx, false, 0, reason);
}

static void on_drained(void *ctx)
{
    (void)ctx;
}

static bool on_may(void *ctx)
{
    const MqttBridgeTry *t = ctx;
    return !t->over;
}

/* ---- its life ---- */

static void on_beat(void *ctx)
{
    MqttBridgeTry *t = ctx;
    if (!t->over) return;
    MqttBridgeTriedFn *fn = t->fn;
    void *owner = t->ctx;
    MqttBridgeTried tried = t->tried;
    char reason[BRIDGE_ERROR_BYTES];
    (void)snprintf(reason, sizeof reason, "%s", t->reason);
    tried.reason = str_from(reason);
    mqtt_bridge_try_close(t);
    fn(owner, &tried);
}

static Status texts_take(MqttBridgeTry *t, const MqttBridgeConf *conf, MqttBridgeConf *ret_own)
{
    t->texts = arena_new(0, 2 * TRY_TEXT_BYTES);
    if (!t->texts) return ST_NO_MEMORY;
    *ret_own = *conf;
    Str *const texts[] = {&ret_own->host,    &ret_own->user,      &ret_own->password,
                          &ret_own->ca_file, &ret_own->cert_file, &ret_own->key_file};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!(*texts[i] = arena_str(t->texts, *texts[i])).ptr) return ST_NO_MEMORY;
    t->user = ret_own->user;
    t->password = ret_own->password;
    t->client_id = conf->client_id.len
                       ? arena_printf(t->texts, "%.*s-test", STR_ARG(conf->client_id))
                       : arena_printf(t->texts, "tutti-%.*s-%.*s-test", STR_ARG(conf->self_id),
                                      STR_ARG(conf->name));
    return t->client_id.ptr ? ST_OK : ST_NO_MEMORY;
}

Status mqtt_bridge_try(Loop *loop, const MqttBridgeConf *conf, MqttBridgeTriedFn *fn, void *ctx,
                       MqttBridgeTry **ret_try, Diag *diag)
{
    MqttBridgeConf own;
    MqttBridgeTry *t = mem_zalloc(1, sizeof *t);
    if (!t) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    t->fn = fn;
    t->ctx = ctx;
    t->version = conf->version == 4 ? 4 : 5;
    t->began_ns = clock_monotonic_ns();
    buf_init(&t->in, TRY_IN_BYTES);
    Status st = texts_take(t, conf, &own);
    if (st) diag_set(diag, st, "out of memory");
    if (!st) st = bridge__tls_new(&own, &t->tls, diag);
    if (!st) {
        LinkConf link = {.host = own.host,
                         .port = own.port,
                         .tls = t->tls,
                         .connect_timeout_ms = TRY_CONNECT_MS,
                         .up = on_up,
                         .bytes = on_bytes,
                         .drained = on_drained,
                         .lost = on_lost,
                         .may = on_may,
                         .ctx = t};
        st = link_open(loop, &link, &t->link);
        if (st) diag_set(diag, st, "no connection can be begun");
    }
    if (!st) st = loop_timer_start(loop, TRY_BEAT_MS, TRY_BEAT_MS, on_beat, t, &t->beat);
    if (st) {
        mqtt_bridge_try_close(t);
        return st;
    }
    *ret_try = t;
    return ST_OK;
}

void mqtt_bridge_try_close(MqttBridgeTry *t)
{
    if (!t) return;
    loop_timer_stop(t->beat);
    link_close(t->link);
    tls_client_free(t->tls);
    buf_done(&t->in);
    if (t->password.len) explicit_bzero((char *)(uintptr_t)t->password.ptr, t->password.len);
    arena_free(t->texts);
    mem_free(t);
}
