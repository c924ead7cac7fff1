/* tests/sparkplug/test_sparkplug_edge.c: an edge node, with connections and time handed in.
 *
 * What it publishes is written as a line: kind, device, sequence number, then its metrics as
 * name or #alias, value, and ! for a historical one; what it should be is read off Sparkplug 3.0.
 */
#include "test.h"

#include "sparkplug/edge.h"

#include <stdio.h>

typedef struct Bed {
    SpEdge *edge;
    Buf told;
    int64_t now;
    bool refuse;
} Bed;

static bool on_publish(void *ctx, Str topic, Str payload, uint8_t qos)
{
    static const char *const kinds[] = {"",      "NBIRTH", "NDEATH", "DBIRTH", "DDEATH",
                                        "NDATA", "DDATA",  "NCMD",   "DCMD"};
    Bed *bed = ctx;
    SpPayload read;
    SpMetric metric;
    JsonOut out;
    if (bed->refuse) return false;
    SpTopic is = sp_topic_read(topic);
    CHECK(is.kind != SP_NOT && qos == 0);
    CHECK_OK(sp_payload_read(payload, &read, NULL));
    buf_printf(&bed->told, "%s%s%.*s/%d", kinds[is.kind], is.device.len ? ":" : "",
               STR_ARG(is.device), read.seq);
    SpWalk walk = sp_metrics(&read);
    while (sp_metric_next(&walk, &metric)) {
        if (str_is(metric.name, "Node Control/Rebirth")) continue;
        if (metric.name.len)
            buf_printf(&bed->told, " %.*s=", STR_ARG(metric.name));
        else
            buf_printf(&bed->told, " #%u=", (unsigned)metric.alias);
        json_out_init(&out, &bed->told);
        if (metric.null)
            json_put_null(&out);
        else
            sp_put_json(&out, metric.type, &metric.value);
        if (metric.historical) buf_char(&bed->told, '!');
        if (metric.set.len) buf_char(&bed->told, 'q');
    }
    buf_text(&bed->told, "; ");
    return true;
}

static void on_leave(void *ctx)
{
    buf_text(&((Bed *)ctx)->told, "leave; ");
}

static void on_command(void *ctx, uint32_t metric, const SpMetric *value)
{
    buf_printf(&((Bed *)ctx)->told, "command %u type %u; ", metric, value->type);
}

static const SpEdgeFns fns = {on_publish, on_leave, on_command};

/* Each test has its own edge node, which begins before it and ends behind it. */
static void run(void (*fn)(Bed *bed), const char *primary, size_t kept_max)
{
    Bed bed = {.now = 1000000};
    buf_init(&bed.told, 1 << 16);
    bed.edge = sp_edge_new(STR("G"), STR("E"), str_from(primary), kept_max, &fns, &bed);
    CHECK(bed.edge);
    fn(&bed);
    sp_edge_free(bed.edge);
    buf_done(&bed.told);
}

#define EDGE_TEST_OF(name, primary, kept_max)                                                      \
    static void name(Bed *bed);                                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        run(name, primary, kept_max);                                                              \
    }                                                                                              \
    static void name(Bed *bed)
#define EDGE_TEST(name) EDGE_TEST_OF(name, "", 1 << 16)

static void check_told(Bed *bed, const char *want)
{
    CHECK_STR(buf_view(&bed->told), want);
    buf_clear(&bed->told);
}

static void value_with(Bed *bed, const char *device, const char *name, double number, int quality)
{
    uint32_t metric;
    CHECK_OK(sp_edge_metric(bed->edge, str_from(device), str_from(name), &metric));
    sp_edge_value(bed->edge, metric,
                  &(SpMetric){.type = SP_DOUBLE,
                              .ts_ms = bed->now,
                              .value = {.form = SP_IN_DOUBLE, .number = number}},
                  quality);
}

static void value(Bed *bed, const char *device, const char *name, double number)
{
    value_with(bed, device, name, number, 192);
}

static void after(Bed *bed, int ms)
{
    bed->now += ms;
    sp_edge_flush(bed->edge, bed->now);
}

static void host_says(Bed *bed, bool online, int64_t ts)
{
    Buf payload;
    buf_init(&payload, 100);
    sp_state_put(&payload, online, ts);
    sp_edge_message(bed->edge, STR("spBv1.0/STATE/scada"), buf_view(&payload), bed->now);
    buf_done(&payload);
}

/* What it says then is of no interest. */
static void connected(Bed *bed, uint8_t session)
{
    sp_edge_connected(bed->edge, session, bed->now);
    buf_clear(&bed->told);
}

/* tck-id-payloads-nbirth-bdseq, tck-id-payloads-nbirth-seq, tck-id-payloads-dbirth-seq-inc */
EDGE_TEST(births_come_first_then_what_changes_by_alias)
{
    value(bed, "", "a", 1);
    value(bed, "D", "b/c", 2);
    check_told(bed, "");
    sp_edge_connected(bed->edge, 7, bed->now);
    check_told(bed, "NBIRTH/0 a=1 bdSeq=7; DBIRTH:D/1 b/c=2; ");
    value(bed, "D", "b/c", 3);
    value(bed, "", "a", 4);
    value(bed, "", "a", 5);
    after(bed, 100);
    check_told(bed, "NDATA/2 #1=5; DDATA:D/3 #2=3; ");
    after(bed, 100);
    check_told(bed, "");
}

EDGE_TEST(sequence_numbers_go_round_and_a_refused_message_takes_none)
{
    value(bed, "", "a", 0);
    connected(bed, 0);
    for (int i = 1; i < 600; i++) {
        char want[64];
        value(bed, "", "a", i);
        bed->refuse = i % 7 == 0;
        after(bed, 10);
        bed->refuse = false;
        after(bed, 10);
        (void)snprintf(want, sizeof want, "NDATA/%d #1=%d; ", i & 255, i);
        check_told(bed, want);
    }
}

/* tck-id-operational-behavior-data-commands-rebirth-action-3 */
EDGE_TEST(a_rebirth_is_asked_for_by_a_command)
{
    Buf ask;
    buf_init(&ask, 1000);
    value(bed, "", "a", 1);
    connected(bed, 7);
    SpMetric control = {.name = STR("Node Control/Rebirth"),
                        .type = SP_BOOLEAN,
                        .ts_ms = bed->now,
                        .value = {.form = SP_IN_BOOL, .bits = 1}};
    sp_put_metric(&ask, &control);
    bed->now += 1000;
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), buf_view(&ask), bed->now);
    check_told(bed, "NBIRTH/0 a=1 bdSeq=7; ");
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), buf_view(&ask), bed->now);
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), buf_view(&ask), bed->now);
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/X"), buf_view(&ask), bed->now);
    check_told(bed, "");
    after(bed, 1000);
    check_told(bed, "NBIRTH/0 a=1 bdSeq=7; ");
    buf_done(&ask);
}

EDGE_TEST(commands_are_for_metrics_that_there_are)
{
    Buf ask;
    SpEdgeStats stats;
    buf_init(&ask, 1000);
    value(bed, "", "a", 1);
    value(bed, "D", "a", 1);
    connected(bed, 7);
    SpMetric set = {.name = STR("a"), .ts_ms = bed->now, .value = {.form = SP_IN_DOUBLE}};
    sp_put_metric(&ask, &set);
    set = (SpMetric){.name = STR("x"), .ts_ms = bed->now, .value = {.form = SP_IN_DOUBLE}};
    sp_put_metric(&ask, &set);
    sp_edge_message(bed->edge, STR("spBv1.0/G/DCMD/E/D"), buf_view(&ask), bed->now);
    check_told(bed, "command 1 type 10; ");
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), STR("\xff"), bed->now);
    buf_clear(&ask);
    for (uint64_t alias = 0; alias < 4; alias++) { /* 1 is the node's own, 2 the device's */
        set = (SpMetric){.has_alias = true, .alias = alias, .value = {.form = SP_IN_DOUBLE}};
        set.ts_ms = bed->now;
        sp_put_metric(&ask, &set);
    }
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), buf_view(&ask), bed->now);
    sp_edge_message(bed->edge, STR("spBv1.0/G/DCMD/E/D"), buf_view(&ask), bed->now);
    sp_edge_message(bed->edge, STR("spBv1.0/G/DCMD/E/X"), buf_view(&ask), bed->now);
    check_told(bed, "command 0 type 10; command 1 type 10; ");
    sp_edge_stats(bed->edge, &stats);
    CHECK_INT(stats.commands, 3);
    CHECK_INT(stats.strange, 12);
    buf_done(&ask);
}

/* tck-id-operational-behavior-edge-node-birth-sequence-wait, and its primary host goes */
EDGE_TEST_OF(it_waits_for_its_primary_host, "scada", 1 << 16)
{
    value(bed, "", "a", 1);
    sp_edge_connected(bed->edge, 1, bed->now);
    after(bed, 5000);
    check_told(bed, "");
    host_says(bed, true, 100);
    check_told(bed, "NBIRTH/0 a=1 bdSeq=1; ");
    host_says(bed, false, 99); /* an old will */
    check_told(bed, "");
    host_says(bed, false, 100);
    check_told(bed, "NDEATH/-1 bdSeq=1; leave; ");
    value(bed, "", "a", 2);
    value(bed, "", "a", 3);
    sp_edge_connected(bed->edge, 2, bed->now);
    value(bed, "", "a", 4);
    check_told(bed, "");
    host_says(bed, true, 200);
    check_told(bed, "NBIRTH/0 a=4 bdSeq=2; NDATA/1 #1=2! #1=3!; ");
}

/* is_historical: the oldest are dropped */
EDGE_TEST_OF(what_nobody_hears_is_kept_up_to_a_maximum, "", 2048)
{
    SpEdgeStats stats;
    value(bed, "", "a", 0);
    sp_edge_connected(bed->edge, 1, bed->now);
    sp_edge_lost(bed->edge);
    buf_clear(&bed->told);
    for (int i = 1; i <= 1000; i++) value(bed, "", "a", i);
    sp_edge_stats(bed->edge, &stats);
    CHECK(stats.kept_bytes <= 2048 && stats.kept_bytes > 1024);
    CHECK(stats.kept_lost > 900 && stats.kept_lost < 999);
    sp_edge_connected(bed->edge, 2, bed->now);
    CHECK(str_find(buf_view(&bed->told), STR("NBIRTH/0 a=1000 bdSeq=2; NDATA/1 #1=")) == 0);
    CHECK(str_ends(buf_view(&bed->told), STR(" #1=998! #1=999!; ")));
    sp_edge_stats(bed->edge, &stats);
    CHECK_INT(stats.kept_bytes, 0);
}

EDGE_TEST(a_new_metric_or_type_is_born)
{
    uint32_t metric;
    value(bed, "", "a", 1);
    connected(bed, 1);
    value(bed, "", "b", 2);
    after(bed, 999);
    check_told(bed, "");
    after(bed, 1);
    check_told(bed, "NBIRTH/0 a=1 b=2 bdSeq=1; ");
    CHECK_OK(sp_edge_metric(bed->edge, STR(""), STR("a"), &metric));
    sp_edge_value(bed->edge, metric,
                  &(SpMetric){.type = SP_STRING,
                              .ts_ms = bed->now,
                              .value = {.form = SP_IN_STRING, .bytes = STR("RUN")}},
                  192);
    after(bed, 1000);
    check_told(bed, "NBIRTH/0 b=2 a=\"RUN\" bdSeq=1; ");
}

EDGE_TEST(quality_is_said_until_it_is_good_again)
{
    value(bed, "", "a", 1);
    connected(bed, 1);
    value_with(bed, "", "a", 1, 0);
    after(bed, 10);
    value(bed, "", "a", 2);
    after(bed, 10);
    value(bed, "", "a", 3);
    after(bed, 10);
    check_told(bed, "NDATA/1 #1=1q; NDATA/2 #1=2q; NDATA/3 #1=3; ");
    sp_edge_stop(bed->edge, bed->now);
    check_told(bed, "NDEATH/-1 bdSeq=1; ");
}

/* tck-id-operational-behavior-data-publish-nbirth-order, and -dbirth-order */
EDGE_TEST(values_stand_by_their_time)
{
    static const int at[] = {7, 3, 9, 1, 1, 8, 2, 6, 5, 4};
    char name[8];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "%c", 'a' + i);
        bed->now = 1000000 + at[i];
        value(bed, "D", name, at[i]);
    }
    bed->now = 1000010;
    sp_edge_connected(bed->edge, 0, bed->now);
    check_told(bed, "NBIRTH/0 bdSeq=0; DBIRTH:D/1 d=1 e=1 g=2 b=3 j=4 i=5 h=6 a=7 f=8 c=9; ");
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%c", 'a' + i);
        bed->now = 1000020 - i;
        value(bed, "D", name, i);
    }
    bed->now = 1000030;
    after(bed, 0);
    check_told(bed, "DDATA:D/2 #3=2 #2=1 #1=0; ");
}

/* tck-id-operational-behavior-device-ddeath, tck-id-topics-ddeath-seq-num */
EDGE_TEST(a_device_dies_when_nobody_brings_its_values)
{
    SpEdgeStats stats;
    value(bed, "D", "a", 1);
    value(bed, "D", "b", 2);
    value(bed, "X", "a", 3);
    connected(bed, 0);
    value_with(bed, "D", "a", 1, 500);
    after(bed, 10);
    check_told(bed, "DDATA:D/3 #1=1q; "); /* b is still good */
    value_with(bed, "D", "b", 2, 500);
    after(bed, 10);
    check_told(bed, "DDEATH:D/4; ");
    value_with(bed, "D", "b", 2, 0); /* worse, and nothing new */
    value(bed, "X", "a", 4);
    after(bed, 10);
    check_told(bed, "DDATA:X/5 #3=4; ");
    sp_edge_stats(bed->edge, &stats);
    CHECK_INT(stats.devices_dead, 1);
    value_with(bed, "D", "b", 7, 0); /* another value: somebody measured it */
    after(bed, 10);
    check_told(bed, "DBIRTH:D/6 a=1q b=7q; ");
    value(bed, "D", "a", 1);
    after(bed, 10);
    check_told(bed, "DDATA:D/7 #1=1q; ");
}

/* tck-id-principles-rbe-recommended */
EDGE_TEST(what_is_as_it_was_is_not_said)
{
    SpEdgeStats stats;
    value(bed, "", "a", 1);
    connected(bed, 0);
    value(bed, "", "a", 1);
    after(bed, 10);
    check_told(bed, "");
    sp_edge_lost(bed->edge);
    for (int i = 0; i < 9; i++) value(bed, "", "a", 2);
    sp_edge_stats(bed->edge, &stats);
    CHECK_INT(stats.kept_bytes, 0);
}

EDGE_TEST(a_bad_value_is_no_death)
{
    value(bed, "D", "a", 1);
    connected(bed, 0);
    value_with(bed, "D", "a", 2, 0); /* measured as bad */
    after(bed, 10);
    value_with(bed, "D", "a", 2, 500);
    after(bed, 10);
    check_told(bed, "DDATA:D/2 #1=2q; DDATA:D/3 #1=2q; ");
}

/* One that is gone when a session begins is born with what was kept of it, and dies. */
EDGE_TEST(a_dead_device_in_a_new_session)
{
    value(bed, "D", "a", 1);
    sp_edge_connected(bed->edge, 0, bed->now);
    sp_edge_lost(bed->edge);
    buf_clear(&bed->told);
    value(bed, "D", "a", 2);
    value(bed, "D", "a", 3);
    value_with(bed, "D", "a", 3, 500);
    bed->now += 10;
    sp_edge_connected(bed->edge, 1, bed->now);
    check_told(bed, "NBIRTH/0 bdSeq=1; DBIRTH:D/1 a=3q; DDATA:D/2 #1=2! #1=3!; DDEATH:D/3; ");
    bed->refuse = true; /* what is not taken is said later */
    value(bed, "D", "a", 4);
    after(bed, 10);
    bed->refuse = false;
    after(bed, 10);
    check_told(bed, "DBIRTH:D/4 a=4; ");
}

/* tck-id-operational-behavior-data-commands-dcmd-metric-value */
EDGE_TEST(a_command_of_another_kind_is_refused)
{
    Buf ask;
    SpEdgeStats stats;
    buf_init(&ask, 1000);
    value(bed, "", "a", 1);
    connected(bed, 7);
    SpMetric set = {.name = STR("a"), .type = SP_STRING, .ts_ms = bed->now};
    set.value = (SpValue){.form = SP_IN_STRING, .bytes = STR("x")};
    sp_put_metric(&ask, &set);
    set.type = SP_BOOLEAN;
    set.value = (SpValue){.form = SP_IN_BOOL, .bits = 1};
    sp_put_metric(&ask, &set);
    set.type = SP_INT16;
    set.value = (SpValue){.form = SP_IN_INT, .bits = 1};
    sp_put_metric(&ask, &set);
    sp_edge_message(bed->edge, STR("spBv1.0/G/NCMD/E"), buf_view(&ask), bed->now);
    check_told(bed, "command 0 type 2; ");
    sp_edge_stats(bed->edge, &stats);
    CHECK_INT(stats.strange, 2);
    buf_done(&ask);
}

/* tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk */
EDGE_TEST_OF(with_several_brokers_it_goes_on_from_one_without_its_host, "scada", 1 << 16)
{
    value(bed, "", "a", 1);
    sp_edge_connected(bed->edge, 1, bed->now);
    host_says(bed, false, 100);
    check_told(bed, ""); /* there is no other one */
    sp_edge_walks(bed->edge, true);
    host_says(bed, false, 100);
    check_told(bed, "leave; "); /* never born, so no death */
    sp_edge_connected(bed->edge, 2, bed->now);
    host_says(bed, true, 50); /* each broker has its own timestamps */
    check_told(bed, "NBIRTH/0 a=1 bdSeq=2; ");
}

EDGE_TEST(there_is_a_maximum_of_devices_and_metrics)
{
    uint32_t metric;
    char name[32];
    for (int i = 1; i < SP_EDGE_DEVICES_MAX; i++) {
        (void)snprintf(name, sizeof name, "d%d", i);
        CHECK_OK(sp_edge_metric(bed->edge, str_from(name), STR("a"), &metric));
    }
    CHECK_INT(sp_edge_metric(bed->edge, STR("one more"), STR("a"), &metric), ST_LIMIT);
    CHECK_INT(sp_edge_metric(bed->edge, STR("a+"), STR("a"), &metric), ST_LIMIT);
    for (int i = SP_EDGE_DEVICES_MAX - 1; i < SP_EDGE_METRICS_MAX; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        CHECK_OK(sp_edge_metric(bed->edge, STR(""), str_from(name), &metric));
    }
    CHECK_INT(sp_edge_metric(bed->edge, STR(""), STR("one more"), &metric), ST_LIMIT);
}
