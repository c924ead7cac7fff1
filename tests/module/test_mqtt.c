/* tests/module/test_mqtt.c: the broker's door with real clients on loopback: users, tokens, rules.
 *
 * auth, authz and mqtt run under the host; argon2id is set to its cheapest. Where the door's own
 * questions matter it runs alone and the test answers for the other two. */
#include "mod_bed.h"

#include "mqtt/broker.h"
#include "mqtt/client.h"

#include <string.h>

extern const ModuleDef auth_module, authz_module, mqtt_module;
static const ModuleDef *const modules[] = {&auth_module, &authz_module, &mqtt_module, NULL};

typedef struct Bed {
    ModBed mod;
    MqttBroker *broker;
    uint16_t port;
} Bed;

typedef struct Peer {
    Bed *bed;
    MqttClient *client;
    int connects, losses, messages;
    bool answered;
    Status sent;
    char reason[200], topic[200];
} Peer;

static void stop_loop(void *ctx)
{
    loop_stop(((ModBed *)ctx)->loop);
}

static void begin(Bed *bed, const char *anonymous)
{
    MqttBrokerConf none = {0};
    Diag diag = {0};
    const HostConf conf[] = {{"auth", "hash_memory", "8KiB"},
                             {"auth", "hash_rounds", "1"},
                             {"mqtt", "anonymous", anonymous},
                             {0}};
    *bed = (Bed){0};
    bed_begin(&bed->mod);
    CHECK_OK(mqtt_broker_open(bed->mod.loop, &none, bed->mod.log, &bed->broker));
    HostOptions options = {.loop = bed->mod.loop,
                           .bus = bed->mod.bus,
                           .log = bed->mod.log,
                           .data_dir = bed->mod.dir,
                           .broker = bed->broker,
                           .modules = modules,
                           .conf = conf};
    CHECK_OK(host_open(&options, &bed->mod.host, &diag));
    CHECK_OK(bed_ask(&bed->mod, "auth.setup", "{\"password\":\"the boss's\",\"bearer\":true}"));
    CHECK_OK(mqtt_broker_listen_tcp(bed->broker, "127.0.0.1:0", &bed->port, &diag));
}

static void end(Bed *bed)
{
    bed_close_host(&bed->mod);
    mqtt_broker_close(bed->broker, stop_loop, &bed->mod);
    bed_run(&bed->mod);
    bed_end(&bed->mod);
}

static const Json *ask(Bed *bed, const char *op, const char *body)
{
    Status st = bed_ask(&bed->mod, op, body);
    if (st) print_error("%s: %.*s\n", op, STR_ARG(bed->mod.body));
    CHECK_OK(st);
    return bed->mod.json;
}

static void add_user(Bed *bed, const char *name, const char *role)
{
    char body[200];
    (void)snprintf(body, sizeof body,
                   "{\"name\":\"%s\",\"password\":\"secret of %s\",\"roles\":[\"%s\"]}", name, name,
                   role);
    (void)ask(bed, "auth.user_add", body);
}

static void set_rules(Bed *bed, const char *rules)
{
    AUTO_BUF Buf body;
    const Json *now = ask(bed, "authz.rules", "{}");
    buf_init(&body, 10000);
    buf_printf(&body, "{\"version\":%d,\"rules\":%s}", (int)json_int(now, "version", 0), rules);
    (void)ask(bed, "authz.rules_set", body.ptr);
}

/* The user's id, for a body: lives until the bed ends. */
static Str id_of(Bed *bed, const char *name)
{
    const Json *users = json_get(ask(bed, "auth.users", "{}"), "users");
    for (const Json *user = users->first; user; user = user->next)
        if (str_is(json_str(user, "name", STR_NONE), name)) return json_str(user, "id", STR_NONE);
    return STR_NONE;
}

/* ---- clients ---- */

static void on_state(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms)
{
    Peer *peer = ctx;
    (void)retry_ms;
    if (state == MQTT_CLIENT_CONNECTED) peer->connects++;
    if (state == MQTT_CLIENT_WAITING) {
        peer->losses++;
        (void)snprintf(peer->reason, sizeof peer->reason, "%.*s", STR_ARG(reason));
    }
    loop_stop(peer->bed->mod.loop);
}

static void on_message(void *ctx, const MqttClientMsg *msg)
{
    Peer *peer = ctx;
    peer->messages++;
    (void)snprintf(peer->topic, sizeof peer->topic, "%.*s", STR_ARG(msg->topic));
    mqtt_client_ack(peer->client, msg->token);
    loop_stop(peer->bed->mod.loop);
}

static void on_sent(void *ctx, Status status, Str reason)
{
    Peer *peer = ctx;
    (void)reason;
    peer->sent = status;
    peer->answered = true;
    loop_stop(peer->bed->mod.loop);
}

static void knock(Bed *bed, Peer *peer, const char *id, const char *user, const char *password)
{
    Diag diag = {0};
    *peer = (Peer){.bed = bed};
    MqttClientConf conf = {.host = STR("127.0.0.1"),
                           .port = bed->port,
                           .client_id = str_from(id),
                           .user = user ? str_from(user) : STR_NONE,
                           .password = password ? str_from(password) : STR_NONE,
                           .backoff_min_ms = 10,
                           .backoff_max_ms = 20,
                           .on_message = on_message,
                           .on_state = on_state,
                           .ctx = peer};
    CHECK_OK(mqtt_client_open(bed->mod.loop, &conf, &peer->client, &diag));
    while (!peer->connects && !peer->losses) bed_run(&bed->mod);
}

static bool comes_in(Bed *bed, const char *user, const char *password)
{
    Peer peer;
    knock(bed, &peer, "probe", user, password);
    mqtt_client_close(peer.client);
    return peer.connects > 0;
}

static Status publish(Peer *peer, const char *topic)
{
    peer->answered = false;
    CHECK_OK(mqtt_client_publish(peer->client, str_from(topic), STR("1"), 1, false, on_sent, peer));
    while (!peer->answered) bed_run(&peer->bed->mod);
    return peer->sent;
}

/* ---- tests ---- */

TEST(a_name_needs_its_password)
{
    Bed bed;
    begin(&bed, "loopback");
    add_user(&bed, "bob", "operate");
    CHECK(comes_in(&bed, "bob", "secret of bob"));
    CHECK(comes_in(&bed, "bob", "secret of bob")); /* remembered now */
    CHECK(!comes_in(&bed, "bob", "secret of Bob"));
    CHECK(!comes_in(&bed, "bob", NULL));
    CHECK(!comes_in(&bed, "admin", NULL));
    CHECK(comes_in(&bed, "admin", "the boss's"));
    CHECK(comes_in(&bed, NULL, NULL));        /* this machine, anonymous */
    CHECK(comes_in(&bed, "sensor-7", "any")); /* no user of that name: anonymous too */
    end(&bed);
}

TEST(without_anonymous_only_users_come_in)
{
    Bed bed;
    begin(&bed, "off");
    add_user(&bed, "bob", "operate");
    CHECK(!comes_in(&bed, NULL, NULL));
    CHECK(!comes_in(&bed, "sensor-7", "any"));
    CHECK(!comes_in(&bed, "sensor-7", NULL));
    CHECK(comes_in(&bed, "bob", "secret of bob"));
    end(&bed);
}

TEST(an_access_token_is_a_password)
{
    Bed bed;
    begin(&bed, "off");
    const Json *in =
        ask(&bed, "auth.login", "{\"name\":\"admin\",\"password\":\"the boss's\",\"bearer\":true}");
    char token[4096];
    (void)snprintf(token, sizeof token, "%.*s", STR_ARG(json_str(in, "token", STR_NONE)));
    CHECK(comes_in(&bed, "admin", token));
    CHECK(!comes_in(&bed, "bob", token));
    token[strlen(token) - 3] ^= 1;
    CHECK(!comes_in(&bed, "admin", token));
    end(&bed);
}

TEST(roles_and_rules_hold_for_every_publish)
{
    Bed bed;
    Peer viewer, operator;
    begin(&bed, "off");
    add_user(&bed, "vera", "view");
    add_user(&bed, "otto", "operate");
    knock(&bed, &viewer, "v", "vera", "secret of vera");
    knock(&bed, &operator, "o", "otto", "secret of otto");
    CHECK_INT(viewer.connects, 1);
    CHECK_OK(mqtt_client_subscribe(viewer.client, STR("plant/#"), 1, NULL));
    CHECK_INT(publish(&viewer, "plant/a"), ST_FORBIDDEN);
    CHECK_OK(publish(&operator, "plant/a"));
    while (!viewer.messages) bed_run(&bed.mod);
    CHECK_TEXT(viewer.topic, "plant/a");
    CHECK_INT(publish(&operator, "$SYS/x"), ST_FORBIDDEN); /* the broker's own */

    /* New rules hold at once, for who is connected and for what is subscribed. */
    set_rules(&bed,
              "[{\"who\":\"user:vera\",\"may\":\"read\",\"path\":\"plant/b\",\"allow\":false},"
              "{\"who\":\"role:view\",\"may\":\"read\",\"path\":\"#\"},"
              "{\"who\":\"user:otto\",\"may\":\"write\",\"path\":\"plant/+\"}]");
    while (publish(&operator, "other/a") != ST_FORBIDDEN) {
    }
    viewer.messages = 0;
    CHECK_OK(publish(&operator, "plant/b"));
    CHECK_OK(publish(&operator, "plant/c"));
    while (!viewer.messages) bed_run(&bed.mod);
    CHECK_TEXT(viewer.topic, "plant/c"); /* in order: b was left out */

    /* A removed user's session ends. */
    char body[100];
    Str id = id_of(&bed, "vera");
    (void)snprintf(body, sizeof body, "{\"id\":\"%.*s\"}", STR_ARG(id));
    (void)ask(&bed, "auth.user_remove", body);
    viewer.losses = 0;
    while (viewer.losses < 2) bed_run(&bed.mod); /* ended, and not let in again */
    const Json *clients = ask(&bed, "mqtt.clients", "{}");
    CHECK_INT((int)json_int(clients, "total", 0), 1);
    CHECK_STR(json_str(json_at(json_get(clients, "clients"), 0), "user", STR_NONE), "otto");
    mqtt_client_close(viewer.client);
    mqtt_client_close(operator.client);
    end(&bed);
}

TEST(a_changed_password_ends_the_connection)
{
    Bed bed;
    Peer bob;
    begin(&bed, "off");
    add_user(&bed, "bob", "operate");
    knock(&bed, &bob, "b", "bob", "secret of bob");
    CHECK_INT(bob.connects, 1);
    char body[200];
    Str id = id_of(&bed, "bob");
    (void)snprintf(body, sizeof body, "{\"id\":\"%.*s\",\"password\":\"a new one\"}", STR_ARG(id));
    (void)ask(&bed, "auth.password", body);
    while (bob.losses < 2) bed_run(&bed.mod);
    CHECK_INT(bob.connects, 1);
    CHECK(!comes_in(&bed, "bob", "secret of bob"));
    CHECK(comes_in(&bed, "bob", "a new one"));
    mqtt_client_close(bob.client);
    end(&bed);
}

TEST(a_client_can_be_sent_away)
{
    Bed bed;
    Peer peer;
    begin(&bed, "loopback");
    knock(&bed, &peer, "c", NULL, NULL);
    CHECK_INT(bed_ask(&bed.mod, "mqtt.client_end", "{\"client\":\"d\"}"), ST_NOT_FOUND);
    (void)ask(&bed, "mqtt.client_end", "{\"client\":\"c\"}");
    while (!peer.losses) bed_run(&bed.mod);
    CHECK_TEXT(peer.reason, "the server ended the connection");
    BusCaller viewer = {.user = STR("7"), .roles = ROLE_VIEW};
    CHECK_INT(bed_ask_as(&bed.mod, &viewer, "mqtt.client_end", "{\"client\":\"c\"}"), ST_FORBIDDEN);
    CHECK_INT(bed_ask_as(&bed.mod, &viewer, "auth.verify", "{\"name\":\"a\",\"password\":\"b\"}"),
              ST_FORBIDDEN);
    mqtt_client_close(peer.client);
    end(&bed);
}

TEST(rules_are_kept_and_changed_by_one_at_a_time)
{
    Bed bed;
    begin(&bed, "loopback");
    CHECK_INT((int)json_int(ask(&bed, "authz.rules", "{}"), "version", 0), 1);
    CHECK_INT((int)json_get(bed.mod.json, "rules")->count, 4);
    CHECK_INT(bed_ask(&bed.mod, "authz.rules_set", "{\"version\":0,\"rules\":[]}"), ST_CONFLICT);
    CHECK_INT(bed_ask(&bed.mod, "authz.rules_set", "{\"version\":1,\"rules\":[{\"who\":\"x\"}]}"),
              ST_INVALID);
    set_rules(&bed, "[{\"who\":\"anonymous\",\"may\":\"write\",\"path\":\"in/#\"}]");
    const Json *found = ask(&bed, "authz.check", "{\"may\":\"write\",\"path\":\"in/a\"}");
    CHECK(json_bool(found, "allowed", false));
    CHECK_INT((int)json_int(found, "rule", 0), 1);
    found = ask(&bed, "authz.check",
                "{\"user\":\"bob\",\"role\":\"admin\",\"may\":\"write\",\"path\":\"in/a\"}");
    CHECK(!json_bool(found, "allowed", true));
    bed_close_host(&bed.mod);
    Diag diag = {0};
    HostOptions options = {.loop = bed.mod.loop,
                           .bus = bed.mod.bus,
                           .log = bed.mod.log,
                           .data_dir = bed.mod.dir,
                           .broker = bed.broker,
                           .modules = modules};
    CHECK_OK(host_open(&options, &bed.mod.host, &diag));
    CHECK_INT((int)json_int(ask(&bed, "authz.rules", "{}"), "version", 0), 2);
    CHECK_INT((int)json_get(bed.mod.json, "rules")->count, 1);
    end(&bed);
}

/* ---- a start that takes so long that the door's questions are not answered in time ---- */

typedef struct Witness { /* answers for auth or authz, late */
    int fails;           /* so often there is no answer in time */
    int asked;
    const char *answer;
} Witness;

static void on_question(void *ctx, const BusMsg *msg)
{
    Witness *witness = ctx;
    if (++witness->asked <= witness->fails)
        bus_answer(msg->req, ST_TIMEOUT, STR("no answer in time"));
    else
        bus_answer(msg->req, ST_OK, str_from(witness->answer));
}

/* A client knocks all the while, and is let in when both are known, whoever was late. */
static void late_answers(int rules_fail, int users_fail)
{
    static const ModuleDef *const alone[] = {&mqtt_module, NULL};
    Witness rules = {.fails = rules_fail,
                     .answer = "{\"rules\":[{\"who\":\"anonymous\",\"may\":\"write\","
                               "\"path\":\"in/#\"}]}"};
    Witness users = {.fails = users_fail, .answer = "{\"users\":[]}"};
    MqttBrokerConf none = {0};
    BusSub *subs[2];
    Bed bed = {0};
    Peer peer;
    bed_begin(&bed.mod);
    CHECK_OK(mqtt_broker_open(bed.mod.loop, &none, bed.mod.log, &bed.broker));
    Bus *bus = bed.mod.bus;
    CHECK_OK(bus_subscribe(bus, "authz.rules", NULL, 16, 0, on_question, &rules, &subs[0]));
    CHECK_OK(bus_subscribe(bus, "auth.users", NULL, 16, 0, on_question, &users, &subs[1]));
    HostOptions options = {.loop = bed.mod.loop,
                           .bus = bus,
                           .log = bed.mod.log,
                           .data_dir = bed.mod.dir,
                           .broker = bed.broker,
                           .modules = alone};
    CHECK_OK(host_open(&options, &bed.mod.host, NULL));
    CHECK_OK(mqtt_broker_listen_tcp(bed.broker, "127.0.0.1:0", &bed.port, NULL));
    knock(&bed, &peer, "sensor", NULL, NULL);
    CHECK_INT(peer.connects, 0);
    while (!peer.connects) bed_run(&bed.mod); /* its deadline ends a door that stays shut */
    CHECK_OK(publish(&peer, "in/a"));
    CHECK_INT(publish(&peer, "out/a"), ST_FORBIDDEN);
    CHECK_INT(rules.asked, rules_fail + 1); /* what is known is not asked for again */
    CHECK_INT(users.asked, users_fail + 1);
    mqtt_client_close(peer.client);
    bus_unsubscribe(subs[0]);
    bus_unsubscribe(subs[1]);
    end(&bed);
}

TEST(rules_that_did_not_come_in_time_are_asked_for_again)
{
    late_answers(2, 0);
}

TEST(users_that_did_not_come_in_time_are_asked_for_again)
{
    late_answers(0, 2);
}

TEST(rules_and_users_that_did_not_come_in_time_are_asked_for_again)
{
    late_answers(1, 1);
}
