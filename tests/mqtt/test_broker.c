/* tests/mqtt/test_broker.c: the in-process doors of the broker, and delivery between clients.
 *
 * What foreign clients see is in tests/suites/mqtt.sh; here stands what only this process can see:
 * who acknowledges whom, in which order, and what is freed when. */
#include "bed.h"

#include "base/clock.h"
#include "mqtt/codec.h"

#include <pthread.h>

enum { ATTACH_LOG = 4096 };

typedef struct Sink { /* an attachment and what it got */
    MqttBroker *broker;
    MqttAttach *attach;
    int count, unacked;
    uint64_t tokens[ATTACH_LOG];
    char last[64];
    bool auto_ack;
} Sink;

static void on_sink(void *ctx, const MqttPub *pub, uint64_t token)
{
    Sink *sink = ctx;
    if (sink->count < ATTACH_LOG) sink->tokens[sink->count] = token;
    sink->count++;
    sink->unacked += token != 0;
    text_keep(sink->last, sizeof sink->last, pub->payload);
    if (sink->auto_ack) mqtt_broker_ack(sink->broker, token);
}

static void sink_open(Bed *bed, Sink *sink, const char *filter, uint8_t qos, uint32_t window)
{
    *sink = (Sink){.broker = bed->broker};
    CHECK_OK(mqtt_broker_attach(bed->broker, str_from(filter), qos, on_sink, sink, window,
                                &sink->attach, NULL));
}

static void turn(Bed *bed, int times)
{
    for (int i = 0; i < times; i++) (void)uv_run(loop_uv(bed->loop), UV_RUN_NOWAIT);
}

TEST(three_qualities_between_two_versions)
{
    Bed bed;
    Peer a, b;
    bed_begin(&bed, NULL);
    peer_open(&bed, &a, "a", 5);
    peer_open(&bed, &b, "b", 4);
    peer_subscribe(&b, "t/+", 2);
    bed_until(&bed, a.connects && b.connects);
    for (uint8_t qos = 0; qos < 3; qos++) {
        peer_publish(&a, "t/x", "hello", qos, false);
        bed_until(&bed, b.messages == qos + 1 && a.sent == qos + 1);
        CHECK_TEXT(b.topic, "t/x");
        CHECK_TEXT(b.payload, "hello");
        CHECK_INT(b.qos, qos);
    }
    mqtt_client_close(a.client);
    mqtt_client_close(b.client);
    bed_end(&bed);
}

TEST(a_publisher_is_answered_when_every_attachment_acked)
{
    Bed bed;
    Peer a;
    Sink one, two;
    bed_begin(&bed, NULL);
    sink_open(&bed, &one, "t/#", 1, 0);
    sink_open(&bed, &two, "#", 2, 0);
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.connects);
    for (uint8_t qos = 1; qos < 3; qos++) {
        int before = one.count;
        a.sent = 0;
        peer_publish(&a, "t/x", "v", qos, false);
        bed_until(&bed, one.count == before + 1 && two.count == before + 1);
        turn(&bed, 50);
        CHECK_INT(a.sent, 0);
        mqtt_broker_ack(bed.broker, one.tokens[before]);
        turn(&bed, 50);
        CHECK_INT(a.sent, 0);
        mqtt_broker_ack(bed.broker, two.tokens[before]);
        mqtt_broker_ack(bed.broker, two.tokens[before]); /* twice is once */
        bed_until(&bed, a.sent == 1);
    }
    mqtt_client_close(a.client);
    bed_end(&bed);
}

TEST(answers_keep_the_order_of_arrival)
{
    Bed bed;
    Peer a;
    Sink sink;
    bed_begin(&bed, NULL);
    sink_open(&bed, &sink, "slow/#", 1, 0);
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.connects);
    peer_publish(&a, "slow/1", "1", 1, false);
    peer_publish(&a, "fast/1", "2", 1, false); /* nobody to wait for, but behind the first */
    bed_until(&bed, sink.count == 1);
    turn(&bed, 50);
    CHECK_INT(a.sent, 0);
    mqtt_broker_ack(bed.broker, sink.tokens[0]);
    bed_until(&bed, a.sent == 2);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

TEST(a_full_window_holds_the_publisher_back)
{
    Bed bed;
    Peer a;
    Sink sink;
    MqttBrokerStats stats;
    bed_begin(&bed, NULL);
    sink_open(&bed, &sink, "t", 1, 4);
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.connects);
    for (int i = 0; i < 100; i++) peer_publish(&a, "t", "v", 1, false);
    mqtt_broker_stats(bed.broker, &stats);
    while (!stats.paused_now && !bed.late) {
        (void)uv_run(loop_uv(bed.loop), UV_RUN_ONCE);
        mqtt_broker_stats(bed.broker, &stats);
    }
    CHECK_INT(sink.count, 4);
    CHECK(stats.received < 10); /* the rest stays in the socket */
    sink.auto_ack = true;
    for (int i = 0; i < 4; i++) mqtt_broker_ack(bed.broker, sink.tokens[i]);
    bed_until(&bed, a.sent == 100);
    CHECK_INT(sink.count, 100);
    CHECK_INT(mqtt_attach_dropped(sink.attach), 0);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

/* An old client knows no receive maximum and sends all at once; what was read and kept meanwhile
 * goes on when answers leave one by one. */
TEST(what_was_kept_goes_on_after_slow_answers)
{
    Bed bed;
    Peer a;
    Sink sink;
    MqttBrokerConf conf = {.receive_max = 8};
    bed_begin(&bed, &conf);
    sink_open(&bed, &sink, "t", 1, 0);
    peer_open(&bed, &a, "a", 4);
    bed_until(&bed, a.connects);
    for (int i = 0; i < 100; i++) peer_publish(&a, "t", "v", 1, false);
    for (int i = 0; i < 100 && !bed.late; i++) {
        bed_until(&bed, sink.count > i);
        mqtt_broker_ack(bed.broker, sink.tokens[i]);
        bed_until(&bed, a.sent == i + 1);
    }
    CHECK_INT(a.sent, 100);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

TEST(a_full_window_drops_the_oldest_of_quality_0)
{
    Bed bed;
    Sink sink;
    char text[16];
    bed_begin(&bed, NULL);
    sink_open(&bed, &sink, "t", 1, 2);
    MqttPub pub = {.topic = STR("t"), .payload = STR("x"), .qos = 1};
    CHECK_OK(mqtt_broker_publish(bed.broker, &pub, NULL));
    CHECK_OK(mqtt_broker_publish(bed.broker, &pub, NULL));
    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        pub = (MqttPub){.topic = STR("t"), .payload = str_from(text)};
        CHECK_OK(mqtt_broker_publish(bed.broker, &pub, NULL));
    }
    CHECK_INT(sink.count, 2);
    CHECK_INT(mqtt_attach_dropped(sink.attach), 3);
    sink.auto_ack = true;
    mqtt_broker_ack(bed.broker, sink.tokens[0]);
    mqtt_broker_ack(bed.broker, sink.tokens[1]);
    bed_until(&bed, sink.count == 4);
    CHECK_TEXT(sink.last, "4");
    bed_end(&bed);
}

static void *ack_all(void *ctx)
{
    Sink *sink = ctx;
    for (int i = 0; i < 200; i++) mqtt_broker_ack(sink->broker, sink->tokens[199 - i]);
    return NULL;
}

TEST(acks_of_another_thread_in_any_order)
{
    Bed bed;
    Peer a;
    Sink sink;
    pthread_t thread;
    bed_begin(&bed, NULL);
    sink_open(&bed, &sink, "t", 2, 1000);
    peer_open(&bed, &a, "a", 4);
    bed_until(&bed, a.connects);
    for (int i = 0; i < 200; i++) peer_publish(&a, "t", "v", (uint8_t)(1 + i % 2), false);
    /* 64 in flight is the client's own preset: acks must flow for the rest to come. */
    bed_until(&bed, sink.count == 64);
    for (int i = 0; i < 64; i++) mqtt_broker_ack(bed.broker, sink.tokens[i]);
    bed_until(&bed, sink.count == 128);
    for (int i = 64; i < 128; i++) mqtt_broker_ack(bed.broker, sink.tokens[i]);
    bed_until(&bed, sink.count == 192);
    for (int i = 128; i < 136; i++) mqtt_broker_ack(bed.broker, sink.tokens[i]);
    bed_until(&bed, sink.count == 200);
    CHECK_INT(pthread_create(&thread, NULL, ack_all, &sink), 0);
    bed_until(&bed, a.sent == 200);
    CHECK_INT(pthread_join(thread, NULL), 0);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

TEST(detached_without_accepting_the_message_comes_again)
{
    Bed bed;
    Peer a;
    Sink one, two;
    bed_begin(&bed, NULL);
    sink_open(&bed, &one, "t", 2, 0);
    peer_open(&bed, &a, "+a", 5);
    bed_until(&bed, a.connects);
    peer_publish(&a, "t", "once", 1, false);
    peer_publish(&a, "t", "twice", 2, false);
    bed_until(&bed, one.count == 2);
    mqtt_broker_detach(one.attach, false);
    sink_open(&bed, &two, "t", 2, 0);
    two.auto_ack = true;
    bed_until(&bed, a.sent == 2);
    CHECK_INT(two.count, 2);
    CHECK_INT(a.connects, 2);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

typedef struct Echo {
    MqttBroker *broker;
    int seen, echoed;
} Echo;

static uint64_t on_observe(void *ctx, const MqttPub *pub)
{
    Echo *echo = ctx;
    echo->seen++;
    if (str_is(pub->topic, "in")) {
        MqttPub again = {.topic = STR("out"), .payload = pub->payload, .retain = true};
        CHECK_OK(mqtt_broker_publish(echo->broker, &again, NULL));
    }
    return 0;
}

typedef struct Keeper {
    uint64_t mark, wanted;
    int seen;
} Keeper;

static uint64_t on_kept(void *ctx, const MqttPub *pub)
{
    Keeper *keeper = ctx;
    keeper->seen++;
    return pub->payload.len ? keeper->mark : 0;
}

static void on_want(void *ctx, uint64_t mark)
{
    ((Keeper *)ctx)->wanted = mark;
}

TEST(an_answer_waits_for_the_observer)
{
    Bed bed;
    Peer a;
    Keeper keeper = {.mark = 1};
    bed_begin(&bed, NULL);
    mqtt_broker_observe(bed.broker, on_kept, on_want, &keeper);
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.connects);
    peer_publish(&a, "t", "v", 0, false);
    bed_until(&bed, keeper.seen == 1);
    CHECK_INT(keeper.wanted, 0); /* nobody waits for one of QoS 0 */
    peer_publish(&a, "t", "v", 1, false);
    bed_until(&bed, keeper.wanted == 1);
    keeper.mark = 2;
    peer_publish(&a, "t", "v", 2, false);
    bed_until(&bed, keeper.wanted == 2);
    turn(&bed, 50);
    CHECK_INT(a.sent, 1); /* the one of QoS 0 */
    mqtt_broker_observed(bed.broker, 1);
    bed_until(&bed, a.sent == 2);
    turn(&bed, 50);
    CHECK_INT(a.sent, 2);
    mqtt_broker_observed(bed.broker, 2);
    bed_until(&bed, a.sent == 3);
    mqtt_broker_observe_hold(bed.broker, true);
    for (int i = 0; i < 20; i++) peer_publish(&a, "t", "", 1, false);
    int before = keeper.seen;
    turn(&bed, 200);
    CHECK(keeper.seen <= before + 1); /* held after the next one */
    mqtt_broker_observe_hold(bed.broker, false);
    bed_until(&bed, a.sent == 23);
    mqtt_broker_observe(bed.broker, NULL, NULL, NULL);
    mqtt_client_close(a.client);
    bed_end(&bed);
}

TEST(the_observer_sees_all_and_may_publish)
{
    Bed bed;
    Peer a;
    Sink late;
    bed_begin(&bed, NULL);
    Echo echo = {.broker = bed.broker};
    mqtt_broker_observe(bed.broker, on_observe, NULL, &echo);
    peer_open(&bed, &a, "a", 5);
    peer_subscribe(&a, "out", 0);
    bed_until(&bed, a.connects);
    peer_publish(&a, "in", "7", 1, false);
    bed_until(&bed, a.messages == 1);
    CHECK_TEXT(a.payload, "7");
    CHECK_INT(echo.seen, 2);
    sink_open(&bed, &late, "#", 1, 0); /* gets the retained one, later */
    CHECK_INT(late.count, 0);
    bed_until(&bed, late.count == 1);
    CHECK_TEXT(late.last, "7");
    mqtt_client_close(a.client);
    bed_end(&bed);
}

/* Numbers fit, all else does not. */
static uint8_t on_check(void *ctx, const MqttPub *pub, Str *ret_why)
{
    int *asked = ctx;
    ++*asked;
    if (pub->payload.len && pub->payload.ptr[0] >= '0' && pub->payload.ptr[0] <= '9') return 0;
    *ret_why = STR("no number");
    return MQTT_RC_PAYLOAD;
}

TEST(what_does_not_fit_is_refused_whoever_publishes_it)
{
    Bed bed;
    Peer five, four, reader;
    Sink sink;
    int asked = 0;
    Diag diag = {0};
    MqttBrokerStats stats;
    bed_begin(&bed, NULL);
    mqtt_broker_check(bed.broker, on_check, &asked);
    sink_open(&bed, &sink, "#", 1, 0);
    sink.auto_ack = true;
    peer_open(&bed, &five, "five", 5);
    peer_open(&bed, &four, "four", 4);
    peer_open(&bed, &reader, "reader", 5);
    peer_subscribe(&reader, "t/#", 2);
    bed_until(&bed, five.connects && four.connects && reader.connects);
    turn(&bed, 50);
    for (uint8_t qos = 1; qos < 3; qos++) {
        int before = five.sent;
        peer_publish(&five, "t/x", "rubbish", qos, true);
        bed_until(&bed, five.sent == before + 1 || five.reason[0]);
        CHECK_TEXT(five.reason, "the server refused the message");
        five.reason[0] = 0;
        before = four.sent;
        peer_publish(&four, "t/x", "rubbish", qos, true);
        bed_until(&bed, four.sent == before + 1);
        CHECK_TEXT(four.reason, ""); /* answered as if it was taken */
    }
    MqttPub own = {.topic = STR("t/own"), .payload = STR("rubbish"), .qos = 1};
    CHECK_INT(mqtt_broker_publish(bed.broker, &own, &diag), ST_INVALID);
    CHECK_TEXT(diag.text, "no number");
    own.payload = STR("7");
    CHECK_OK(mqtt_broker_publish(bed.broker, &own, &diag));
    peer_publish(&four, "t/y", "8", 2, false);
    bed_until(&bed, reader.messages == 2 && sink.count == 2);
    CHECK_TEXT(reader.payload, "8");
    mqtt_broker_stats(bed.broker, &stats);
    CHECK_INT(stats.dropped_unfit, 5);
    CHECK_INT(stats.retained_now, 0);
    CHECK_INT(asked, 7);
    mqtt_broker_check(bed.broker, NULL, NULL);
    own.payload = STR("rubbish");
    CHECK_OK(mqtt_broker_publish(bed.broker, &own, &diag)); /* nobody is asked */
    mqtt_client_close(five.client);
    mqtt_client_close(four.client);
    mqtt_client_close(reader.client);
    bed_end(&bed);
}

TEST(a_session_waits_for_its_client)
{
    Bed bed;
    Peer a, b;
    bed_begin(&bed, NULL);
    peer_open(&bed, &b, "+b", 5);
    peer_subscribe(&b, "t", 2);
    bed_until(&bed, b.connects);
    turn(&bed, 50);
    mqtt_client_close(b.client);
    peer_open(&bed, &a, "a", 5);
    bed_until(&bed, a.connects);
    peer_publish(&a, "t", "1", 1, false);
    peer_publish(&a, "t", "2", 2, false);
    peer_publish(&a, "t", "lost", 0, false);
    bed_until(&bed, a.sent == 3);
    peer_open(&bed, &b, "+b", 5);
    bed_until(&bed, b.messages == 2);
    CHECK_TEXT(b.all, "1 2 ");
    /* What it does not acknowledge comes again after a reconnect. */
    b.hold = true;
    peer_publish(&a, "t", "3", 1, false);
    bed_until(&bed, b.messages == 3);
    mqtt_client_close(b.client);
    turn(&bed, 50);
    peer_open(&bed, &b, "+b", 4);
    bed_until(&bed, b.messages == 1);
    CHECK_TEXT(b.all, "3 ");
    mqtt_client_close(a.client);
    mqtt_client_close(b.client);
    bed_end(&bed);
}

/* ---- a byte stream of the HTTP edge ---- */

typedef struct Pipe {
    char bytes[4096];
    size_t len;
    int closes, pauses;
} Pipe;

static size_t pipe_write(void *ctx, const void *bytes, size_t len)
{
    Pipe *pipe = ctx;
    CHECK(pipe->len + len <= sizeof pipe->bytes);
    memcpy(pipe->bytes + pipe->len, bytes, len);
    pipe->len += len;
    return 0;
}

static void pipe_pause(void *ctx, bool paused)
{
    ((Pipe *)ctx)->pauses += paused;
}

static void pipe_close(void *ctx)
{
    ((Pipe *)ctx)->closes++;
}

static const MqttStreamOps pipe_ops = {pipe_write, pipe_pause, pipe_close};

TEST(a_stream_byte_by_byte)
{
    Bed bed;
    Pipe pipe = {0};
    MqttStream *stream;
    static const char hello[] = "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01w"
                                "\x82\x06\x00\x01\x00\x01t\x00"
                                "\x30\x04\x00\x01tx";
    static const char want[] = "\x20\x02\x00\x00\x90\x03\x00\x01\x00\x30\x04\x00\x01tx";
    bed_begin(&bed, NULL);
    CHECK_OK(mqtt_broker_accept_stream(bed.broker, &pipe_ops, &pipe, STR("::1"), true, &stream));
    for (size_t i = 0; i < sizeof hello - 1; i++) {
        mqtt_stream_feed(stream, hello + i, 1);
        turn(&bed, 1);
    }
    turn(&bed, 5);
    CHECK_INT(pipe.len, sizeof want - 1);
    CHECK(!memcmp(pipe.bytes, want, sizeof want - 1));
    mqtt_stream_feed(stream, "\xe0\x00", 2);
    turn(&bed, 5);
    CHECK_INT(pipe.closes, 1);
    /* A second one whose carrier goes away first. */
    CHECK_OK(mqtt_broker_accept_stream(bed.broker, &pipe_ops, &pipe, STR("::1"), true, &stream));
    mqtt_stream_feed(stream, hello, 5);
    mqtt_stream_closed(stream);
    turn(&bed, 5);
    CHECK_INT(pipe.closes, 1);
    /* And one from elsewhere: anonymous is for this machine only. */
    pipe.len = 0;
    CHECK_OK(
        mqtt_broker_accept_stream(bed.broker, &pipe_ops, &pipe, STR("192.0.2.1"), false, &stream));
    mqtt_stream_feed(stream, hello, 15);
    turn(&bed, 5);
    CHECK_INT(pipe.len, 4);
    CHECK(!memcmp(pipe.bytes, "\x20\x02\x00\x05", 4));
    CHECK_INT(pipe.closes, 2);
    bed_end(&bed);
}

/* ---- who may ---- */

typedef struct Gate {
    uint64_t asked;
    char password[32];
} Gate;

static MqttAuth on_auth(void *ctx, const MqttAuthAsk *ask, Str *ret_user)
{
    Gate *gate = ctx;
    (void)ret_user;
    text_keep(gate->password, sizeof gate->password, ask->password);
    if (str_is(ask->user, "known")) {
        gate->asked = ask->id;
        return MQTT_AUTH_LATER;
    }
    return MQTT_AUTH_DENY;
}

static void keep_user(void *ctx, const MqttClientInfo *info)
{
    text_keep(ctx, sizeof((Gate *)0)->password, info->user);
}

TEST(a_password_may_take_its_time)
{
    Bed bed;
    Gate gate = {0};
    Diag diag = {0};
    Peer a = {0};
    MqttBrokerConf conf = {.auth = on_auth, .auth_ctx = &gate, .connect_timeout_ms = 100};
    bed_begin(&bed, &conf);
    MqttClientConf client = {.connect_timeout_ms = BED_DEADLINE_MS,
                             .host = STR("127.0.0.1"),
                             .port = bed.port,
                             .client_id = STR("a"),
                             .user = STR("known"),
                             .password = STR("secret"),
                             .backoff_min_ms = 20,
                             .backoff_max_ms = 50,
                             .on_message = peer_on_message,
                             .on_state = peer_on_state,
                             .ctx = &a};
    CHECK_OK(mqtt_client_open(bed.loop, &client, &a.client, &diag));
    bed_until(&bed, gate.asked);
    /* Longer than a client may take, as hashing on a busy machine: that is not its fault. */
    uint64_t first = gate.asked;
    for (int64_t end = clock_monotonic_ns() + 800 * NS_PER_MS; clock_monotonic_ns() < end;)
        turn(&bed, 1);
    CHECK_INT(a.connects, 0);
    CHECK(gate.asked == first);
    CHECK_TEXT(gate.password, "secret");
    mqtt_broker_auth_answer(bed.broker, gate.asked, true, STR("bob"));
    bed_until(&bed, a.connects == 1);
    mqtt_broker_clients(bed.broker, keep_user, gate.password);
    CHECK_TEXT(gate.password, "bob"); /* the answer says who it is, not the client */
    mqtt_client_close(a.client);
    Peer b;
    peer_open(&bed, &b, "b", 5);
    bed_until(&bed, strcmp(b.reason, "not authorized") == 0);
    mqtt_client_close(b.client);
    bed_end(&bed);
}

TEST(a_client_finds_the_broker_again)
{
    Bed bed;
    Peer a;
    Sink sink;
    char address[32];
    bed_begin(&bed, NULL);
    peer_open(&bed, &a, "a", 5);
    peer_subscribe(&a, "t", 1);
    bed_until(&bed, a.connects == 1);
    bed_broker_close(&bed);
    bed_until(&bed, !mqtt_client_connected(a.client));
    peer_publish(&a, "t", "kept", 1, false); /* while nobody is there */
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", bed.port);
    bed_broker(&bed, NULL, address);
    sink_open(&bed, &sink, "t", 1, 0);
    sink.auto_ack = true;
    bed_until(&bed, a.connects == 2 && a.sent == 1 && a.messages == 1);
    CHECK_TEXT(a.payload, "kept");
    mqtt_client_close(a.client);
    bed_end(&bed);
}
