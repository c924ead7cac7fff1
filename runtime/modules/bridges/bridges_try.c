/* runtime/modules/bridges/bridges_try.c: would a bridge connect? Nothing is stored.
 *
 * Takes what bridges.put takes. A password that is left out is that of the stored bridge of the
 * name, but only for the broker it was stored for: else whoever may test could have it sent to a
 * server of his own. */
#include "modules/bridges/bridges_int.h"

#include "base/clock.h"
#include "base/mem.h"

typedef struct BridgesTry {
    Bridges *self;
    Req *req;
    MqttBridgeTry *attempt;
} BridgesTry;

static BridgesTry **place_of(Bridges *self, const BridgesTry *wanted)
{
    for (size_t i = 0; i < BRIDGES_TRIES_MAX; i++)
        if (self->tries[i] == wanted) return &self->tries[i];
    return NULL;
}

static void on_tried(void *ctx, const MqttBridgeTried *tried)
{
    BridgesTry *one = ctx;
    Req *req = one->req;
    *place_of(one->self, one) = NULL;
    mem_free(one);
    Buf body;
    JsonOut out;
    buf_init(&body, 8192);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_bool(&out, "connected", tried->connected);
    json_field_int(&out, "ms", tried->took_ns / NS_PER_MS);
    json_field_str(&out, "error", tried->reason);
    json_field_int(&out, "error_code", tried->code);
    json_end(&out);
    req_answer_buf(req, &body);
}

static void password_of(const Bridges *self, const Json *in, MqttBridgeConf *conf)
{
    const Item *stored = map_get(&self->items, conf->name);
    conf->password = json_str(in, "password", STR(""));
    if (json_get(in, "password") || !stored) return;
    const MqttBridgeConf *old = &stored->conf;
    if (str_eq(old->host, conf->host) && old->port == conf->port && old->tls == conf->tls &&
        str_eq(old->user, conf->user) && str_eq(old->ca_file, conf->ca_file))
        conf->password = old->password;
}

void bridges__op_test(void *ctx, Req *req)
{
    Bridges *self = ctx;
    Diag diag = {0};
    MqttBridgeConf conf;
    BridgesTry **place = place_of(self, NULL);
    Status st = bridges__read(req->arena, req->in, &conf, &diag);
    if (!st && !self->env->broker)
        st = diag_set(&diag, ST_UNSUPPORTED, "there is no embedded broker to bridge");
    if (!st && !place) st = diag_set(&diag, ST_BUSY, "%d tests run already", BRIDGES_TRIES_MAX);
    conf.self_id = str_from(self->id);
    if (!st) st = mqtt_bridge_check(self->env->broker, &conf, &diag);
    BridgesTry *one = st ? NULL : mem_zalloc(1, sizeof *one);
    if (!st && !one) st = diag_set(&diag, ST_NO_MEMORY, "out of memory");
    if (!st) {
        *one = (BridgesTry){.self = self, .req = req};
        password_of(self, req->in, &conf);
        st = mqtt_bridge_try(self->env->loop, &conf, on_tried, one, &one->attempt, &diag);
    }
    if (st) {
        mem_free(one);
        req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
        return;
    }
    *place = one;
}

void bridges__tries_close(Bridges *self)
{
    for (size_t i = 0; i < BRIDGES_TRIES_MAX; i++) {
        BridgesTry *one = self->tries[i];
        self->tries[i] = NULL;
        if (!one) continue;
        mqtt_bridge_try_close(one->attempt);
        req_fail(one->req, ST_CANCELLED, "the server is stopping");
        mem_free(one);
    }
}
