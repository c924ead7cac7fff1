/* tests/mqtt/broker_main.c: the broker alone, for suites that want a process and a port.
 *
 *   mqtt_broker 127.0.0.1:1883 [--keep-alive-max S] [--deny-subscribe TOPIC] [--attach FILTER]
 *               [--steps] [--store FILE]
 *
 * --attach acks every message it gets at once. --steps knows the authentication method TEST:
 * "hello" is answered with "question", and to that "answer" lets in as "tester" with "welcome";
 * "more" asks again, "later" lets in on a later turn, "who" as somebody else, all else is refused.
 * Prints "port N" when it listens. */
#include "base/log.h"
#include "mqtt/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>

static Loop *loop;
static MqttBroker *broker;

static void on_done(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_close((uv_handle_t *)handle, NULL);
    mqtt_broker_close(broker, on_done, NULL);
}

static bool may(void *ctx, Str client_id, Str user, MqttAction action, Str topic)
{
    (void)client_id;
    (void)user;
    const char *denied = ctx;
    if (action == MQTT_MAY_PUBLISH) return !str_starts(topic, STR("$"));
    return !(denied && action == MQTT_MAY_SUBSCRIBE && str_is(topic, denied));
}

static uint64_t later_id;
static int open_states; /* of exchanges: none is left at the end */

static void on_later(void *ctx)
{
    (void)ctx;
    mqtt_broker_step_answer(broker, later_id, MQTT_AUTH_ALLOW, STR("welcome"), STR("tester"));
}

static MqttAuth on_step(void *ctx, const MqttStep *step, Buf *ret_data, Str *ret_user)
{
    (void)ctx;
    if (!str_is(step->method, "TEST")) return MQTT_AUTH_NO_METHOD;
    *ret_user = str_is(step->data, "who") ? STR("somebody") : STR("tester");
    if (step->first != !*step->state) return MQTT_AUTH_DENY;
    if (step->first) {
        open_states++;
        *step->state = &open_states;
    }
    if (str_is(step->data, "hello") || str_is(step->data, "more")) {
        buf_text(ret_data, "question");
        return MQTT_AUTH_MORE;
    }
    if (str_is(step->data, "later")) {
        later_id = step->id;
        return loop_post(loop, on_later, NULL) ? MQTT_AUTH_DENY : MQTT_AUTH_LATER;
    }
    if (step->first) return MQTT_AUTH_DENY;
    buf_text(ret_data, "welcome");
    return str_is(step->data, "answer") || str_is(step->data, "who") ? MQTT_AUTH_ALLOW
                                                                     : MQTT_AUTH_DENY;
}

static void on_step_done(void *ctx, void *state)
{
    (void)ctx;
    (void)state;
    open_states--;
}

static void on_message(void *ctx, const MqttPub *pub, uint64_t token)
{
    (void)ctx;
    (void)pub;
    mqtt_broker_ack(broker, token);
}

static const char *option(int count, char **words, const char *name)
{
    for (int i = 1; i + 1 < count; i++)
        if (str_is(str_from(words[i]), name)) return words[i + 1];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:1883";
    const char *keep = option(argc, argv, "--keep-alive-max");
    const char *filter = option(argc, argv, "--attach");
    const char *denied = option(argc, argv, "--deny-subscribe");
    const char *file = option(argc, argv, "--store");
    Store *store = NULL;
    MqttBrokerConf conf = {.keep_alive_max_s = keep ? (uint32_t)strtoul(keep, NULL, 10) : 0,
                           .may = may,
                           .may_ctx = (void *)(uintptr_t)denied};
    for (int i = 1; i < argc; i++)
        if (str_is(str_from(argv[i]), "--steps")) {
            conf.step = on_step;
            conf.step_done = on_step_done;
        }
    Log *log = log_new(LOG_WARN, false);
    Diag diag = {0};
    uint16_t port = 0;
    if (!log || loop_new(&loop)) return 1;
    if (file && store_sqlite_open(loop, file, &store, &diag)) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    conf.store = store;
    if (mqtt_broker_open(loop, &conf, log, &broker)) return 1;
    if (mqtt_broker_restore(broker, &diag)) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    if (mqtt_broker_listen_tcp(broker, address, &port, &diag)) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    MqttAttach *attach = NULL;
    if (filter &&
        mqtt_broker_attach(broker, str_from(filter), 2, on_message, NULL, 0, &attach, &diag))
        return 1;
    uv_signal_t term, interrupt;
    (void)uv_signal_init(loop_uv(loop), &term);
    (void)uv_signal_start(&term, on_signal, SIGTERM);
    (void)uv_signal_init(loop_uv(loop), &interrupt);
    (void)uv_signal_start(&interrupt, on_signal, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    printf("port %u\n", port);
    fflush(stdout);
    loop_run(loop);
    store_close(store);
    loop_free(loop);
    log_free(log);
    return open_states ? 3 : 0;
}
