/* tests/module/test_uns.c: the namespace: payload rules, tree, history, records, restart.
 *
 * The module runs under the host on a local bus with an embedded broker; values arrive the way they
 * do in the product: by publishes. */
#include "uns_bed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "modules/uns/uns_tree.h"
#include "mqtt/broker.h"
#include "store/store.h"

/* ---- pure parts ---- */

static void list_value(void *ctx, Str field, const UnsValue *value)
{
    Buf *out = ctx;
    buf_printf(out, "%.*s=", STR_ARG(field));
    switch (value->type) {
    case UNS_INT: buf_i64(out, value->integer); break;
    case UNS_NUMBER: buf_printf(out, "%g", value->number); break;
    case UNS_BOOL: buf_text(out, value->integer ? "true" : "false"); break;
    case UNS_TEXT: buf_printf(out, "'%.*s'", STR_ARG(value->text)); break;
    default: buf_text(out, "null"); break;
    }
    buf_printf(out, "%s ",
               value->quality == UNS_GOOD  ? ""
               : value->quality == UNS_BAD ? "!bad"
                                           : "!uncertain");
}

static void check_payload(const char *payload, const char *want)
{
    Arena *arena = arena_new(0, 0);
    Buf out;
    buf_init(&out, 4096);
    uns_payload_read(arena, str_from(payload), list_value, &out);
    CHECK_STR(buf_view(&out), want);
    buf_done(&out);
    arena_free(arena);
}

TEST(payload_rules_of_the_namespace)
{
    check_payload("71.25", "=71.25 ");
    check_payload("9223372036854775807", "=9223372036854775807 ");
    check_payload("\"RUN\"", "='RUN' ");
    check_payload("true", "=true ");
    check_payload("null", "=null ");
    check_payload("RUN", "='RUN' ");
    check_payload("{\"value\":5,\"quality\":\"bad\"}", "=5!bad ");
    check_payload("{\"value\":5,\"quality\":\"odd\",\"ts\":\"2026-11-23T10:00:00Z\"}",
                  "=5!uncertain ");
    check_payload("{\"value\":5,\"quality\":\"good\",\"time\":\"2026-11-23T10:00:00Z\"}", "=5 ");
    check_payload("{\"value\":5,\"unit\":\"bar\"}", "value=5 unit='bar' ");
    check_payload(
        "{\"a\":1,\"b\":{\"value\":2,\"quality\":\"uncertain\"},\"c\":[1],\"d\":{\"e\":1}}",
        "a=1 b=2!uncertain ");
    check_payload("{\"a\":1", "='{\"a\":1' ");
    check_payload("[1,2]", "='[1,2]' ");
    check_payload("", "");
}

/* RFC 3339, section 5.8 gives these examples; the numbers are from date(1). */
TEST(times_are_read_and_written)
{
    int64_t ns = 0, ms = 0;
    char room[40];
    CHECK(uns_time_read(STR("1985-04-12T23:20:50.52Z"), &ns));
    CHECK(ns == 482196050520000000);
    CHECK(uns_time_read(STR("1996-12-19T16:39:57-08:00"), &ns));
    CHECK(ns == 851042397000000000);
    CHECK(uns_time_read(STR("1937-01-01T12:00:27.87+00:20"), &ns));
    CHECK(ns == -1041337172130000000);
    CHECK_STR(uns_time_text(482196050520000000, room), "1985-04-12T23:20:50.520Z");
    CHECK_STR(uns_time_text(851042397000000000, room), "1996-12-20T00:39:57Z");
    CHECK_STR(uns_time_text(-1041337172130000000, room), "1937-01-01T11:40:27.870Z");
    CHECK(!uns_time_read(STR("1985-04-12"), &ns));
    CHECK(!uns_time_read(STR("1985-13-12T23:20:50Z"), &ns));
    CHECK(!uns_time_read(STR("1985-04-12T23:20:50"), &ns));
    CHECK(uns_when_read(STR("-15m"), 1000000, &ms));
    CHECK(ms == 100000);
    CHECK(uns_when_read(STR("1500"), 1000000, &ms));
    CHECK(ms == 1500);
    CHECK(!uns_when_read(STR("-15x"), 1000000, &ms));
    CHECK(!uns_when_read(STR("yesterday"), 1000000, &ms));
}

TEST(paths_that_are_no_paths_are_refused)
{
    CHECK(uns_path_valid(STR("a/b c/\xc3\xa4")));
    CHECK(!uns_path_valid(STR("")));
    CHECK(!uns_path_valid(STR("/a")));
    CHECK(!uns_path_valid(STR("a/")));
    CHECK(!uns_path_valid(STR("a//b")));
    CHECK(!uns_path_valid(STR("a/+")));
    CHECK(!uns_path_valid(STR("#")));
    CHECK(!uns_path_valid(STR("a\n")));
    CHECK(!uns_path_valid(STR("a/\xff")));
}

TEST(tree_keeps_order_parents_and_its_maximum)
{
    UnsTree tree;
    UnsNode *node;
    uns_tree_init(&tree, 5);
    CHECK_OK(uns_tree_add(&tree, STR("p/b"), &node));
    CHECK_OK(uns_tree_add(&tree, STR("p/a/x"), &node));
    CHECK_INT((int)tree.count, 4);
    CHECK_STR(uns_node_name(node), "x");
    UnsNode *parent = uns_tree_find(&tree, STR("p"));
    uns_node_sort(parent);
    CHECK_STR(uns_node_name(uns_child(parent, 0)), "a");
    CHECK_OK(uns_tree_add(&tree, STR("q"), &node));
    CHECK_INT(uns_tree_add(&tree, STR("r"), &node), ST_LIMIT);
    CHECK_OK(uns_tree_add(&tree, STR("p/a"), &node));
    uns_tree_done(&tree);
}

/* Nodes and texts lie one behind the other: none may reach into the next, however it grew. */
TEST(texts_of_any_length_stand_beside_each_other)
{
    enum { NODES = 300 };
    static const size_t lens[] = {0, 1, 31, 32, 33, 64, 65, 200, 7, 4095, 4096, 5000};
    static char text[5000];
    char path[32];
    UnsTree tree;
    UnsNode *node;
    uns_tree_init(&tree, 1000);
    for (size_t round = 0; round < COUNT_OF(lens); round++) {
        for (uint32_t i = 0; i < NODES; i++) {
            (void)snprintf(path, sizeof path, "p%u/a%u", i % 7, i);
            memset(text, (int)('a' + i % 26), sizeof text);
            CHECK_OK(uns_tree_add(&tree, str_from(path), &node));
            UnsValue value = {.type = UNS_TEXT, .text = {text, lens[round]}};
            CHECK_OK(uns_node_set(&tree, node, &value, 1));
        }
        size_t len = lens[round] < 4096 ? lens[round] : 4096;
        for (uint32_t i = 0; i < NODES; i++) {
            (void)snprintf(path, sizeof path, "p%u/a%u", i % 7, i);
            node = uns_tree_find(&tree, str_from(path));
            memset(text, (int)('a' + i % 26), sizeof text);
            CHECK(node && node->count == round + 1);
            CHECK_STR(uns_node_path(node), path);
            CHECK(str_eq(uns_node_value(node).text, str_slice(text, len)));
        }
    }
    CHECK_INT(tree.count, NODES + 7);
    uns_tree_done(&tree);
}

/* A source may send a text and a number by turns for years: what a text had comes back. */
TEST(room_of_a_text_is_given_back)
{
    enum { NODES = 20, ROUNDS = 3000, WORDS = 26 };
    char path[32], text[300];
    UnsTree tree;
    UnsNode *node;
    uint64_t before = 0;
    uns_tree_init(&tree, 1000);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round == WORDS) before = mem_calls(); /* every length was there */
        for (uint32_t i = 0; i < NODES; i++) {
            (void)snprintf(path, sizeof path, "a%u", i);
            memset(text, (int)('a' + i % 26), sizeof text);
            CHECK_OK(uns_tree_add(&tree, str_from(path), &node));
            UnsValue value = {.type = UNS_TEXT, .text = {text, 11u * (round % WORDS)}};
            CHECK_OK(uns_node_set(&tree, node, &value, 1));
        }
        for (uint32_t i = 0; i < NODES; i++) {
            (void)snprintf(path, sizeof path, "a%u", i);
            memset(text, (int)('a' + i % 26), sizeof text);
            node = uns_tree_find(&tree, str_from(path));
            CHECK(str_eq(uns_node_value(node).text, str_slice(text, 11u * (round % WORDS))));
            UnsValue number = {.type = UNS_INT, .integer = -(int64_t)round};
            CHECK_OK(uns_node_set(&tree, node, &number, 1));
            CHECK(uns_node_value(node).integer == -(int64_t)round);
        }
    }
    CHECK(mem_calls() == before);
    uns_tree_done(&tree);
}

/* ---- the module ---- */

TEST(published_values_are_listed_found_and_read)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "plant/press-02", "{\"temp\":71.25,\"state\":\"RUN\"}");
    publish(&bed, "plant/press-01/temp", "{\"value\":80,\"quality\":\"uncertain\"}");
    publish(&bed, "plant/a//b", "1");
    publish(&bed, "$SYS/x", "1");
    const Json *tree = ask(&bed, "uns.tree", "{\"prefix\":\"plant\",\"depth\":0}");
    const Json *nodes = json_get(tree, "nodes");
    CHECK_INT((int)nodes->count, 5);
    CHECK_STR(json_str(json_at(nodes, 0), "path", STR_NONE), "plant/press-01");
    CHECK_STR(json_str(json_at(nodes, 1), "path", STR_NONE), "plant/press-01/temp");
    CHECK_STR(json_str(json_at(nodes, 1), "quality", STR_NONE), "uncertain");
    CHECK_STR(json_str(json_at(nodes, 3), "value", STR_NONE), "RUN");
    CHECK_STR(json_str(json_at(nodes, 4), "name", STR_NONE), "temp");
    CHECK(json_number(json_at(nodes, 4), "value", 0) == 71.25);

    tree = ask(&bed, "uns.tree", "{\"prefix\":\"plant\",\"depth\":0,\"limit\":2}");
    CHECK(json_bool(tree, "more", false));
    tree = ask(&bed, "uns.tree",
               "{\"prefix\":\"plant\",\"depth\":0,\"limit\":9,\"after\":\"plant/press-01/temp\"}");
    CHECK_INT((int)json_get(tree, "nodes")->count, 3);
    CHECK(!json_bool(tree, "more", true));
    tree = ask(&bed, "uns.tree", "{}");
    CHECK_INT((int)json_get(tree, "nodes")->count, 1);

    CHECK_INT((int)json_int(ask(&bed, "uns.search", "{\"q\":\"TEMP 02\"}"), "total", 0), 1);
    CHECK_INT((int)json_int(ask(&bed, "uns.stats", "{}"), "rejected_paths", 0), 1);
    const Json *node = ask(&bed, "uns.get", "{\"path\":\"plant/press-02/temp\"}");
    CHECK_INT((int)json_int(node, "count", 0), 1);
    CHECK_INT(bed_ask(&bed.mod, "uns.get", "{\"path\":\"nope\"}"), ST_NOT_FOUND);
    uns_end(&bed);
}

TEST(values_and_samples_survive_a_restart)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "line/speed", "10");
    publish(&bed, "line/name", "\"A\"");
    uns_drain_host(&bed);
    uns_host(&bed);
    const Json *node = ask(&bed, "uns.get", "{\"path\":\"line/speed\"}");
    CHECK_INT((int)json_int(node, "value", 0), 10);
    CHECK(json_bool(node, "sampled", false));
    node = ask(&bed, "uns.get", "{\"path\":\"line/name\"}");
    CHECK_STR(json_str(node, "value", STR_NONE), "A");
    publish(&bed, "line/speed", "11");
    node = ask(&bed, "uns.history", "{\"path\":\"line/speed\",\"from\":\"-1m\"}");
    CHECK_INT((int)json_get(node, "t")->count, 2);
    CHECK_INT((int)json_at(json_get(node, "last"), 1)->integer, 11);
    uns_end(&bed);
}

/* A null says that what was there is bad now: also when it was there before a start. */
TEST(a_null_after_a_restart_is_the_value_before_as_bad)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "line/speed", "10");
    uns_drain_host(&bed);
    uns_host(&bed);
    publish(&bed, "line/speed", "null");
    const Json *node = ask(&bed, "uns.history", "{\"path\":\"line/speed\",\"from\":\"-1m\"}");
    CHECK_INT((int)json_get(node, "t")->count, 2);
    CHECK_INT((int)json_at(json_get(node, "last"), 1)->integer, 10);
    CHECK_INT((int)json_at(json_get(node, "bad"), 1)->integer, 1);
    uns_end(&bed);
}

static Status old_samples(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    Status st = store_exec(conn, "INSERT INTO series(id, path) VALUES(7, 'old/speed')", diag);
    if (!st)
        st = store_exec(conn,
                        "INSERT INTO samples(series, t, v, q) VALUES(7, 1000, 1.5, 0),"
                        " (7, 2000, 2.5, 2)",
                        diag);
    return st;
}

/* The first version kept a row per sample; its samples are in the history of this one. */
TEST(samples_of_an_older_version_are_taken_over)
{
    UnsBed bed;
    Store *store;
    char path[160];
    uns_begin(&bed);
    uns_drain_host(&bed);
    (void)snprintf(path, sizeof path, "%s/history.db", bed.mod.dir);
    CHECK_OK(store_sqlite_open(bed.mod.loop, path, &store, NULL));
    CHECK_OK(store_run_now(store, old_samples, NULL, NULL));
    store_close(store);
    for (int start = 0; start < 2; start++) { /* the second start has nothing to take */
        uns_host(&bed);
        const Json *node =
            ask(&bed, "uns.history", "{\"path\":\"old/speed\",\"from\":\"0\",\"to\":\"9000\"}");
        CHECK_INT((int)json_get(node, "t")->count, 2);
        CHECK_INT((int)json_at(json_get(node, "t"), 1)->integer, 2000);
        CHECK(json_at(json_get(node, "last"), 1)->number == 2.5);
        CHECK_INT((int)json_at(json_get(node, "bad"), 1)->integer, 1);
        uns_drain_host(&bed);
    }
    uns_host(&bed);
    uns_end(&bed);
}

/* 1000 samples one second apart, value = index except one spike; reduced to 10 pixels. */
TEST(history_keeps_a_spike_at_any_zoom)
{
    UnsBed bed;
    char payload[120];
    uns_begin(&bed);
    int64_t now = clock_wall_ns() / NS_PER_S * NS_PER_S - 1200 * NS_PER_S;
    for (int i = 0; i < 1000; i++) {
        char room[40];
        Str ts = uns_time_text(now + i * NS_PER_S, room);
        (void)snprintf(payload, sizeof payload, "{\"value\":%d,\"quality\":\"%s\",\"ts\":\"%.*s\"}",
                       i == 437 ? 99999 : i, i == 3 ? "bad" : "good", STR_ARG(ts));
        publish(&bed, "s/x", payload);
    }
    (void)snprintf(payload, sizeof payload,
                   "{\"path\":\"s/x\",\"from\":\"%lld\",\"to\":\"%lld\",\"pixels\":10}",
                   (long long)(now / NS_PER_MS), (long long)(now / NS_PER_MS + 999999));
    const Json *node = ask(&bed, "uns.history", payload);
    CHECK_INT((int)json_get(node, "t")->count, 10);
    CHECK(!json_bool(node, "raw", true));
    CHECK_INT((int)json_at(json_get(node, "max"), 4)->integer, 99999);
    CHECK_INT((int)json_at(json_get(node, "min"), 4)->integer, 400);
    CHECK_INT((int)json_at(json_get(node, "last"), 9)->integer, 999);
    CHECK_INT((int)json_at(json_get(node, "bad"), 0)->integer, 1);
    for (uint32_t i = 0; i < 10; i++)
        CHECK_INT((int)json_at(json_get(node, "count"), i)->integer, 100);
    CHECK_INT(bed_ask(&bed.mod, "uns.history", "{\"path\":\"s/x\",\"from\":\"soon\"}"), ST_INVALID);
    uns_end(&bed);
}

/* By hand: 4 holds for 2 s, 10 for 4 s, 20 for 4 s: (8 + 40 + 80) / 10; then 20 for 3 s, 0 for 7.
 */
TEST(the_mean_is_by_time)
{
    static const int points[][2] = {{-5, 4}, {2, 10}, {6, 20}, {13, 0}};
    UnsBed bed;
    char payload[120], room[40];
    uns_begin(&bed);
    int64_t now = clock_wall_ns() / NS_PER_S * NS_PER_S - 1200 * NS_PER_S;
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        Str ts = uns_time_text(now + points[i][0] * NS_PER_S, room);
        (void)snprintf(payload, sizeof payload, "{\"value\":%d,\"ts\":\"%.*s\"}", points[i][1],
                       STR_ARG(ts));
        publish(&bed, "m/x", payload);
    }
    (void)snprintf(payload, sizeof payload,
                   "{\"path\":\"m/x\",\"from\":\"%lld\",\"to\":\"%lld\",\"pixels\":2}",
                   (long long)(now / NS_PER_MS), (long long)(now / NS_PER_MS + 19999));
    const Json *node = ask(&bed, "uns.history", payload);
    CHECK(!json_bool(node, "raw", true));
    CHECK_INT((int)json_get(node, "mean")->count, 2);
    CHECK(json_at(json_get(node, "mean"), 0)->number == 12.8);
    CHECK_INT((int)json_at(json_get(node, "mean"), 1)->integer, 6);
    uns_end(&bed);
}

#define COLUMNS                                                                                    \
    "\"table\":\"press_10s\",\"columns\":[{\"name\":\"machine\",\"type\":\"text\"},"               \
    "{\"name\":\"start\",\"type\":\"time\"},{\"name\":\"avg\",\"type\":\"number\"}],"              \
    "\"key\":[\"machine\",\"start\"]"

TEST(records_are_upserted_by_key_and_bad_rows_set_aside)
{
    UnsBed bed;
    uns_begin(&bed);
    const Json *got = ask(&bed, "uns.record",
                          "{" COLUMNS ",\"rows\":[[\"p1\",1000000000,1.5],[\"p2\",1000000000,2],"
                          "[\"p1\",1000000000,7.25],[\"p3\",\"x\",1],[\"p4\",1]]}");
    CHECK_INT((int)json_int(got, "written", 0), 3);
    CHECK_INT((int)json_int(got, "quarantined", 0), 2);
    uns_drain_host(&bed);
    uns_host(&bed);
    got = ask(&bed, "uns.query_table",
              "{\"name\":\"press_10s\",\"column\":\"machine\",\"equals\":\"p1\"}");
    const Json *rows = json_get(got, "rows");
    CHECK_INT((int)rows->count, 1);
    CHECK_STR(json_at(json_at(rows, 0), 1)->text, "1970-01-01T00:00:01Z");
    CHECK(json_at(json_at(rows, 0), 2)->number == 7.25);

    /* a new column widens, a changed type or key does not pass */
    got = ask(&bed, "uns.record",
              "{\"table\":\"press_10s\",\"columns\":[{\"name\":\"machine\",\"type\":\"text\"},"
              "{\"name\":\"start\",\"type\":\"time\"},{\"name\":\"n\",\"type\":\"int\"}],"
              "\"key\":[\"machine\",\"start\"],\"rows\":[[\"p1\",1000000000,5]]}");
    CHECK_INT((int)json_int(got, "written", 0), 1);
    CHECK_INT(bed_ask(&bed.mod, "uns.record",
                      "{\"table\":\"press_10s\",\"columns\":[{\"name\":\"machine\",\"type\":"
                      "\"int\"}],\"key\":[\"machine\"],\"rows\":[]}"),
              ST_CONFLICT);
    CHECK_INT(bed_ask(&bed.mod, "uns.record",
                      "{\"table\":\"a\\\" b\",\"columns\":[],\"key\":[],\"rows\":[]}"),
              ST_INVALID);
    got = ask(&bed, "uns.tables", "{}");
    const Json *table = json_at(json_get(got, "tables"), 0);
    CHECK_INT((int)json_int(table, "rows", 0), 2);
    CHECK_INT((int)json_int(table, "quarantined", 0), 2);
    CHECK_INT((int)json_get(table, "columns")->count, 4);
    got = ask(&bed, "uns.query_table",
              "{\"name\":\"press_10s\",\"order\":\"machine\",\"desc\":true,\"limit\":1,"
              "\"time\":\"start\",\"from\":\"500\",\"to\":\"1500\"}");
    CHECK_STR(json_at(json_at(json_get(got, "rows"), 0), 0)->text, "p2");
    CHECK(json_bool(got, "more", false));
    CHECK_INT(bed_ask(&bed.mod, "uns.query_table",
                      "{\"name\":\"press_10s\",\"order\":\"x; DROP TABLE last\"}"),
              ST_INVALID);
    CHECK_INT(bed_ask(&bed.mod, "uns.query_table", "{\"name\":\"none\"}"), ST_NOT_FOUND);
    uns_end(&bed);
}

static void on_frame(void *ctx, const BusMsg *msg)
{
    UnsBed *bed = ctx;
    bed->frames++;
    bed->frame = arena_str(bed->mod.arena, msg->body);
    loop_stop(bed->mod.loop);
}

static const Json *next_frame(UnsBed *bed)
{
    const Json *json = NULL;
    int before = bed->frames;
    while (bed->frames == before) bed_run(&bed->mod);
    CHECK_OK(json_read(bed->mod.arena, bed->frame, &json, NULL));
    return json;
}

TEST(watches_send_the_latest_value_once_per_frame)
{
    UnsBed bed;
    BusSub *sub;
    uns_begin(&bed);
    publish(&bed, "a/x", "1");
    CHECK_OK(bus_subscribe(bed.mod.bus, "uns.values.*", NULL, 100, 0, on_frame, &bed, &sub));
    const Json *watch = ask(&bed, "uns.watch", "{\"paths\":[\"a/#\",\"b/never\"],\"hz\":10}");
    CHECK_STR(json_str(watch, "watch", STR_NONE), "1");
    const Json *frame = next_frame(&bed);
    CHECK(json_bool(frame, "full", false));
    CHECK_INT((int)json_get(frame, "add")->count, 2);
    const Json *never = json_at(json_get(frame, "v"), 1);
    CHECK_INT((int)json_at(never, 2)->integer, 3);

    for (int i = 0; i < 1000; i++) publish(&bed, "a/x", i == 999 ? "42" : "41");
    publish(&bed, "a/new", "true");
    publish(&bed, "c/other", "1");
    frame = next_frame(&bed);
    CHECK_INT((int)json_int(frame, "seq", 0), 2);
    CHECK_INT((int)json_get(frame, "v")->count, 2);
    CHECK_INT((int)json_at(json_at(json_get(frame, "v"), 0), 1)->integer, 42);
    CHECK_INT((int)json_get(frame, "add")->count, 1);
    publish(&bed, "b/never", "5");
    frame = next_frame(&bed);
    CHECK_INT((int)json_get(frame, "v")->count, 1);
    CHECK_INT((int)json_at(json_at(json_get(frame, "v"), 0), 0)->integer, 1);

    (void)ask(&bed, "uns.snapshot", "{\"watch\":\"1\"}");
    CHECK_INT((int)json_get(next_frame(&bed), "v")->count, 3);
    (void)ask(&bed, "uns.unwatch", "{\"watch\":\"1\"}");
    CHECK_INT(bed_ask(&bed.mod, "uns.snapshot", "{\"watch\":\"1\"}"), ST_NOT_FOUND);
    bus_unsubscribe(sub);
    uns_end(&bed);
}

TEST(what_changes_is_known_of_all_paths)
{
    UnsBed bed;
    uns_begin(&bed);
    for (int again = 0; again < 2; again++) { /* a first value, and one that stays: no change */
        publish(&bed, "a/still", "7");
        publish(&bed, "a/word", "same");
    }
    publish(&bed, "a/moves", "1");
    publish(&bed, "a/says", "on");
    CHECK_INT((int)json_int(ask(&bed, "uns.changing", "{}"), "total", -1), 0);
    publish(&bed, "a/moves", "2");
    publish(&bed, "a/says", "of"); /* as long as before */
    const Json *changing = ask(&bed, "uns.changing", "{\"seconds\":3600}");
    CHECK_INT((int)json_int(changing, "total", -1), 2);
    CHECK_STR(json_at(json_get(changing, "paths"), 0)->text, "a/moves");
    CHECK_STR(json_at(json_get(changing, "paths"), 1)->text, "a/says");
    CHECK(!json_bool(changing, "more", true));
    uns_end(&bed);
}

TEST(a_search_for_what_is_said_leaves_out_what_the_path_says)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "a/oil", "1");
    publish(&bed, "a/t1", "2");
    (void)ask(&bed, "uns.meta_set", "{\"path\":\"a/oil\",\"title\":\"Oil of the gear\"}");
    (void)ask(&bed, "uns.meta_set", "{\"path\":\"a/t1\",\"title\":\"Oil of the gear\"}");
    CHECK_INT((int)json_int(ask(&bed, "uns.search", "{\"q\":\"oil\"}"), "total", 0), 2);
    const Json *said = ask(&bed, "uns.search", "{\"q\":\"oil\",\"meta\":true,\"values\":false}");
    CHECK_INT((int)json_int(said, "total", 0), 1);
    CHECK_STR(json_str(json_at(json_get(said, "nodes"), 0), "path", STR_NONE), "a/t1");
    CHECK(!json_get(json_at(json_get(said, "nodes"), 0), "value"));
    /* One word in the path, the other in what is said. */
    said = ask(&bed, "uns.search", "{\"q\":\"oil t1\",\"meta\":true}");
    CHECK_INT((int)json_int(said, "total", 0), 1);
    uns_end(&bed);
}

/* Questions whose answer is made in the memory of the request. */
TEST(points_and_sql_answer_from_what_was_written)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "line/speed", "10");
    publish(&bed, "line/speed", "11");
    const Json *points = ask(&bed, "uns.points", "{\"path\":\"line/speed\"}");
    CHECK_INT((int)json_get(points, "value")->count, 2);
    CHECK_INT((int)json_at(json_get(points, "value"), 1)->integer, 11);
    const Json *sql = ask(&bed, "uns.sql", "{\"sql\":\"SELECT count(*) AS n FROM samples\"}");
    CHECK_INT((int)json_at(json_at(json_get(sql, "rows"), 0), 0)->integer, 2);
    uns_end(&bed);
}
