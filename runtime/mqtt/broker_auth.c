/* runtime/mqtt/broker_auth.c: enhanced authentication (MQTT 5.0, 4.12).
 *
 * A CONNECT that names a method opens an exchange: the hook sees each message of the client and
 * says go on, in, or out. Until CONNACK only AUTH and DISCONNECT count. The CONNECT is kept
 * meanwhile and taken up when the exchange is won (mqtt__connect_go). Later the client may open
 * another exchange with the same method; losing that one ends the connection. */
#include "mqtt/broker_int.h"

#include "base/clock.h"
#include "base/mem.h"

struct Step {
    Buf hello;    /* the CONNECT, until it is taken up */
    Buf data;     /* what goes along with CONNACK */
    Str method;   /* owned */
    void *state;  /* of the hook, for one exchange */
    bool waiting; /* the hook answers later */
    bool again;   /* an exchange of an open connection is under way */
};

static void state_drop(Conn *c)
{
    const MqttBrokerConf *conf = &c->broker->conf;
    if (c->step->state && conf->step_done) conf->step_done(conf->step_ctx, c->step->state);
    c->step->state = NULL;
}

void mqtt__steps_drop(MqttBroker *b)
{
    for (Conn *c = b->first; c; c = c->next)
        if (c->step) state_drop(c);
}

void mqtt__step_free(Conn *c)
{
    if (!c->step) return;
    state_drop(c);
    buf_done(&c->step->hello);
    buf_done(&c->step->data);
    mem_free((char *)(uintptr_t)c->step->method.ptr);
    mem_free(c->step);
    c->step = NULL;
}

static void put_auth(Conn *c, MqttReason reason, Str data)
{
    Buf *props = &c->broker->scratch;
    size_t start = c->out.len;
    buf_clear(props);
    mqtt_put_prop_text(props, MQTT_P_AUTH_METHOD, c->step->method);
    if (data.len) mqtt_put_prop_text(props, MQTT_P_AUTH_DATA, data);
    mqtt_put_auth(&c->out, (uint8_t)reason, buf_view(props));
    mqtt__conn_dirty(c);
    if (!c->packet_max || c->out.len - start <= c->packet_max) return;
    c->out.len = start; /* it does not take that many bytes */
    mqtt__conn_close(c);
}

/* The CONNECT goes in front of what came behind it, where mqtt__connect_go looks. */
static void take_up(Conn *c, Str user)
{
    buf_str(&c->step->hello, buf_view(&c->in));
    Buf rest = c->in;
    c->in = c->step->hello;
    c->step->hello = rest;
    buf_done(&c->step->hello);
    if (c->in.failed)
        mqtt__conn_close(c);
    else
        mqtt__connect_go(c, true, user);
}

static void settle_first(Conn *c, MqttAuth verdict, Str data, Str user)
{
    switch (verdict) {
    case MQTT_AUTH_MORE:
        c->state = CONN_STEP;
        put_auth(c, MQTT_RC_CONTINUE, data);
        return;
    case MQTT_AUTH_ALLOW:
        state_drop(c);
        buf_str(&c->step->data, data);
        take_up(c, user);
        return;
    case MQTT_AUTH_NO_METHOD: mqtt__refuse(c, MQTT_RC_AUTH_METHOD); return;
    default:
        c->broker->stats.refused_auth++;
        log_warn(c->broker->log, "mqtt", "client refused", "method=%.*s address=%s",
                 STR_ARG(c->step->method), c->address);
        mqtt__refuse(c, MQTT_RC_NOT_AUTHORIZED);
    }
}

static void settle(Conn *c, MqttAuth verdict, Str data, Str user)
{
    if (c->step->waiting) c->opened_ns = clock_monotonic_ns(); /* that was not the client's time */
    c->step->waiting = verdict == MQTT_AUTH_LATER;
    if (c->step->waiting) return;
    if (!c->step->again) {
        settle_first(c, verdict, data, user);
        return;
    }
    bool same = c->session && str_eq(user, c->session->user);
    if (verdict == MQTT_AUTH_MORE) {
        put_auth(c, MQTT_RC_CONTINUE, data);
    } else if (verdict == MQTT_AUTH_ALLOW && same) {
        c->step->again = false;
        state_drop(c);
        put_auth(c, MQTT_RC_OK, data);
    } else
        mqtt__conn_fail(c, MQTT_RC_NOT_AUTHORIZED);
}

static void ask(Conn *c, const MqttPacket *p, Str client_id, bool first)
{
    const MqttBrokerConf *conf = &c->broker->conf;
    Buf data;
    buf_init(&data, 65535);
    MqttStep step = {.id = c->serial,
                     .method = c->step->method,
                     .client_id = client_id,
                     .address = str_from(c->address),
                     .state = &c->step->state,
                     .first = first,
                     .again = c->step->again,
                     .loopback = c->loopback,
                     .websocket = c->websocket};
    if (mqtt_has(&p->props, MQTT_P_AUTH_DATA)) step.data = p->props.text[MQTT_P_AUTH_DATA];
    Str user = c->session ? c->session->user : STR_NONE;
    if (first && !step.again) c->state = CONN_AUTH;
    MqttAuth verdict = MQTT_AUTH_DENY;
    if (conf->step) verdict = conf->step(conf->step_ctx, &step, &data, &user);
    if (verdict == MQTT_AUTH_LATER && !step.again) c->state = CONN_AUTH;
    settle(c, data.failed ? MQTT_AUTH_DENY : verdict, buf_view(&data), user);
    buf_done(&data);
}

void mqtt__step_begin(Conn *c, const MqttPacket *p, Str packet)
{
    if (!c->broker->conf.step) {
        mqtt__refuse(c, MQTT_RC_AUTH_METHOD);
        return;
    }
    Str method = p->props.text[MQTT_P_AUTH_METHOD];
    char *copy = mem_alloc(method.len + 1);
    c->step = mem_zalloc(1, sizeof *c->step);
    if (!copy || !c->step) {
        mem_free(copy);
        mem_free(c->step);
        c->step = NULL;
        mqtt__conn_close(c);
        return;
    }
    if (method.len) memcpy(copy, method.ptr, method.len);
    c->step->method = str_slice(copy, method.len);
    c->packet_max = mqtt_number(&p->props, MQTT_P_MAX_PACKET, 0);
    buf_init(&c->step->hello, c->in.max_bytes);
    buf_init(&c->step->data, 65535);
    buf_str(&c->step->hello, packet);
    ask(c, p, p->client_id, true);
}

void mqtt__step_packet(Conn *c, Str packet, size_t head)
{
    MqttPacket p;
    MqttReason reason = mqtt_decode(packet, head, 5, MQTT_FROM_CLIENT, &p);
    if (!reason && p.type == MQTT_DISCONNECT) {
        mqtt__conn_close(c);
        return;
    }
    bool next = !reason && p.type == MQTT_AUTH && p.reason == MQTT_RC_CONTINUE &&
                mqtt_has(&p.props, MQTT_P_AUTH_METHOD) &&
                str_eq(p.props.text[MQTT_P_AUTH_METHOD], c->step->method);
    if (!next) {
        c->broker->stats.protocol_errors++;
        mqtt__refuse(c, reason ? reason : MQTT_RC_PROTOCOL);
        return;
    }
    size_t hello_head, hello_len;
    MqttPacket hello;
    Str kept = buf_view(&c->step->hello);
    Str client_id = STR_NONE;
    if (mqtt_frame(kept, UINT32_MAX, &hello_head, &hello_len) == MQTT_FRAME_WHOLE &&
        !mqtt_decode(kept, hello_head, 0, MQTT_FROM_CLIENT, &hello))
        client_id = hello.client_id;
    ask(c, &p, client_id, false);
}

void mqtt__step_again(Conn *c, const MqttPacket *p)
{
    Step *s = c->step;
    bool fits = s && !s->waiting && mqtt_has(&p->props, MQTT_P_AUTH_METHOD) &&
                str_eq(p->props.text[MQTT_P_AUTH_METHOD], s->method) &&
                p->reason == (s->again ? MQTT_RC_CONTINUE : MQTT_RC_REAUTH);
    if (!fits) {
        mqtt__conn_fail(c, MQTT_RC_PROTOCOL);
        return;
    }
    bool first = !s->again;
    s->again = true;
    ask(c, p, c->session->id, first);
}

void mqtt__step_connack(Conn *c, Buf *props)
{
    if (!c->step) return;
    mqtt_put_prop_text(props, MQTT_P_AUTH_METHOD, c->step->method);
    if (c->step->data.len) mqtt_put_prop_text(props, MQTT_P_AUTH_DATA, buf_view(&c->step->data));
    buf_done(&c->step->data);
}

void mqtt_broker_step_answer(MqttBroker *broker, uint64_t id, MqttAuth verdict, Str data, Str user)
{
    for (Conn *c = broker->last; c; c = c->prev) {
        if (c->serial != id || !c->step || !c->step->waiting || c->state == CONN_CLOSING) continue;
        settle(c, verdict == MQTT_AUTH_LATER ? MQTT_AUTH_DENY : verdict, data, user);
        mqtt__conn_resume(c);
        return;
    }
}
