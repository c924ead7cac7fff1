/* tests/module/test_websocket.c: the live protocol of docs/api-live.md, without sockets.
 *
 * The test plays the gateway: it says what a socket says on websocket.from.* and reads what the
 * page would get from websocket.to.*. Values come from the real uns module. */
#include "mod_bed.h"

#include "mqtt/broker.h"

extern const ModuleDef uns_module;
extern const ModuleDef websocket_module;
static const ModuleDef *const both[] = {&uns_module, &websocket_module, NULL};

typedef struct LiveBed {
    ModBed mod;
    MqttBroker *broker;
    BusSub *sub;
    int count;
    const char *wanted; /* stop the loop when a text holds this */
    const Json *got;    /* that text */
} LiveBed;

static void on_to(void *ctx, const BusMsg *msg)
{
    LiveBed *bed = ctx;
    bed->count++;
    if (!bed->wanted || str_find(msg->body, str_from(bed->wanted)) < 0) return;
    Str copy = arena_str(bed->mod.arena, msg->body);
    CHECK_OK(json_read(bed->mod.arena, copy, &bed->got, NULL));
    bed->wanted = NULL;
    loop_stop(bed->mod.loop);
}

static void live_begin(LiveBed *bed)
{
    Diag diag = {0};
    MqttBrokerConf conf = {0};
    *bed = (LiveBed){0};
    bed_begin(&bed->mod);
    CHECK_OK(mqtt_broker_open(bed->mod.loop, &conf, bed->mod.log, &bed->broker));
    HostOptions options = {.loop = bed->mod.loop,
                           .bus = bed->mod.bus,
                           .log = bed->mod.log,
                           .data_dir = bed->mod.dir,
                           .broker = bed->broker,
                           .modules = both};
    CHECK_OK(host_open(&options, &bed->mod.host, &diag));
    CHECK_OK(bus_subscribe(bed->mod.bus, "websocket.to.>", NULL, 1000, 0, on_to, bed, &bed->sub));
    CHECK_OK(bed_ask(&bed->mod, "websocket.open",
                     "{\"conn\":5,\"user\":{\"id\":\"7\",\"name\":\"vi\"},\"roles\":1}"));
    CHECK_STR(json_str(bed->mod.json, "ev", STR_NONE), "hello");
}

static void stop_loop(void *ctx)
{
    loop_stop(((ModBed *)ctx)->loop);
}

static void live_end(LiveBed *bed)
{
    bus_unsubscribe(bed->sub);
    bed_close_host(&bed->mod);
    mqtt_broker_close(bed->broker, stop_loop, &bed->mod);
    bed_run(&bed->mod);
    bed_end(&bed->mod);
}

static void say(LiveBed *bed, const char *what, const char *text)
{
    char subject[64];
    (void)snprintf(subject, sizeof subject, "websocket.from.5.%s", what);
    CHECK_OK(bus_publish(bed->mod.bus, str_from(subject), str_from(text)));
}

/* Runs until a text with this part arrives. */
static const Json *until(LiveBed *bed, const char *part)
{
    bed->wanted = part;
    while (bed->wanted) bed_run(&bed->mod);
    CHECK(bed->got);
    return bed->got;
}

static void publish(LiveBed *bed, const char *topic, const char *payload)
{
    MqttPub pub = {.topic = str_from(topic), .payload = str_from(payload)};
    CHECK_OK(mqtt_broker_publish(bed->broker, &pub, NULL));
}

TEST(a_watch_gets_an_answer_then_frames)
{
    LiveBed bed;
    live_begin(&bed);
    publish(&bed, "a/x", "1");
    say(&bed, "text", "{\"op\":\"watch\",\"id\":3,\"paths\":[\"a/#\"],\"hz\":10}");
    CHECK(json_bool(until(&bed, "\"re\":3"), "ok", false));
    const Json *frame = until(&bed, "\"ev\":\"values\"");
    CHECK_INT((int)json_int(frame, "id", 0), 3);
    CHECK_INT((int)json_int(frame, "seq", 0), 1);
    CHECK(json_bool(frame, "full", false));
    CHECK_STR(json_at(json_at(json_get(frame, "add"), 0), 1)->text, "a/x");
    publish(&bed, "a/x", "2");
    frame = until(&bed, "\"ev\":\"values\"");
    CHECK(!json_bool(frame, "full", true));
    CHECK_INT((int)json_at(json_at(json_get(frame, "v"), 0), 1)->integer, 2);
    live_end(&bed);
}

TEST(a_slow_page_gets_nothing_and_then_a_full_frame)
{
    LiveBed bed;
    live_begin(&bed);
    publish(&bed, "a/x", "1");
    say(&bed, "text", "{\"op\":\"watch\",\"id\":1,\"paths\":[\"a/x\",\"a/y\"],\"hz\":10}");
    (void)until(&bed, "\"ev\":\"values\"");
    say(&bed, "slow", "");
    publish(&bed, "a/x", "2");
    publish(&bed, "a/y", "7");
    int before = bed.count;
    say(&bed, "text", "{\"op\":\"ping\",\"id\":99}");
    (void)until(&bed, "\"re\":99");
    CHECK_INT(bed.count, before + 1);
    say(&bed, "drained", "");
    const Json *frame = until(&bed, "\"ev\":\"values\"");
    CHECK(json_bool(frame, "full", false));
    CHECK_INT((int)json_get(frame, "v")->count, 2);
    live_end(&bed);
}

TEST(what_a_client_may_not_or_cannot_ask_is_answered)
{
    LiveBed bed;
    live_begin(&bed);
    say(&bed, "text", "{\"op\":");
    CHECK(json_get(until(&bed, "\"re\":0"), "error"));
    say(&bed, "text", "{\"op\":\"fly\",\"id\":2}");
    CHECK_STR(json_str(json_get(until(&bed, "\"re\":2"), "error"), "code", STR_NONE), "INVALID");
    say(&bed, "text", "{\"op\":\"watch\",\"id\":3}");
    CHECK(json_get(until(&bed, "\"re\":3"), "error"));
    say(&bed, "text", "{\"op\":\"watch_graph\",\"id\":4,\"pipeline\":\"x\"}");
    CHECK_STR(json_str(json_get(until(&bed, "\"re\":4"), "error"), "code", STR_NONE),
              "UNAVAILABLE");
    static const char *const closed[] = {"auth.setup_done", ">", "websocket.from.>", "uns.values.>",
                                         "engine.wires.1"};
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        char text[120];
        (void)snprintf(text, sizeof text, "{\"op\":\"events\",\"id\":5,\"subjects\":[\"%s\"]}",
                       closed[i]);
        say(&bed, "text", text);
        CHECK_STR(json_str(json_get(until(&bed, "\"re\":5"), "error"), "code", STR_NONE),
                  "FORBIDDEN");
    }
    live_end(&bed);
}

TEST(events_and_presence)
{
    LiveBed bed;
    live_begin(&bed);
    say(&bed, "text", "{\"op\":\"events\",\"id\":1,\"subjects\":[\"uns.changed\"]}");
    (void)until(&bed, "\"re\":1");
    publish(&bed, "new/path", "1");
    const Json *event = until(&bed, "\"ev\":\"event\"");
    CHECK_STR(json_str(event, "subject", STR_NONE), "uns.changed");
    CHECK_INT((int)json_get(json_get(event, "body"), "added")->count, 1);
    CHECK_INT((int)json_get(json_get(event, "body"), "names")->count, 1); /* its parent */
    CHECK_OK(bed_ask(&bed.mod, "websocket.open",
                     "{\"conn\":6,\"user\":{\"id\":\"7\",\"name\":\"vi\"},\"roles\":1}"));
    CHECK_OK(bus_publish(bed.mod.bus, STR("websocket.from.6.text"),
                         STR("{\"op\":\"presence\",\"id\":2,\"page\":\"/uns\"}")));
    (void)until(&bed, "\"ev\":\"presence\"");
    say(&bed, "text", "{\"op\":\"presence\",\"id\":3,\"page\":\"/uns\"}");
    const Json *presence = until(&bed, "\"sockets\":2}],");
    CHECK_INT((int)json_get(presence, "users")->count, 1);
    CHECK_OK(bus_publish(bed.mod.bus, STR("websocket.from.6.gone"), STR_NONE));
    presence = until(&bed, "\"ev\":\"presence\"");
    CHECK_INT((int)json_int(presence, "sockets", 0), 1);
    live_end(&bed);
}
