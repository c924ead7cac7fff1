/* tests/sparkplug/test_sparkplug_host.c: edge nodes as a host sees them, with time handed in.
 *
 * Each test writes what the host says as a line of words; what it should be is read off Sparkplug
 * 3.0, chapters 5 and 6, whose statements the names give. */
#include "test.h"

#include "sparkplug/host.h"

#include <stdio.h>

typedef struct Bed {
    SpHost *host;
    Buf told, payload;
    int64_t now;
} Bed;

static void on_value(void *ctx, const SpSample *sample)
{
    Bed *bed = ctx;
    JsonOut out;
    AUTO_BUF Buf text;
    buf_init(&text, 4096);
    json_out_init(&out, &text);
    if (sample->metric->null)
        json_put_null(&out);
    else
        sp_put_json(&out, sample->type, &sample->metric->value);
    buf_printf(&bed->told, "%.*s=%.*s ", STR_ARG(sample->def->path), STR_ARG(buf_view(&text)));
}

static void on_born(void *ctx, const SpUnit *unit, const SpPayload *payload)
{
    (void)payload;
    buf_printf(&((Bed *)ctx)->told, "born:%.*s ", STR_ARG(unit->path));
}

static void on_died(void *ctx, const SpUnit *unit)
{
    buf_printf(&((Bed *)ctx)->told, "died:%.*s ", STR_ARG(unit->path));
}

static void on_ask(void *ctx, const SpNode *node)
{
    buf_printf(&((Bed *)ctx)->told, "ask:%.*s ", STR_ARG(node->key));
}

static void on_note(void *ctx, const SpTopic *topic, const char *why)
{
    (void)ctx;
    (void)topic;
    CHECK(why && why[0]);
}

static const SpHostFns fns = {on_value, on_born, on_died, on_ask, on_note};

static void begin_with(Bed *bed, const SpHostConf *conf)
{
    *bed = (Bed){.now = 1000000};
    buf_init(&bed->told, 1 << 16);
    buf_init(&bed->payload, 1 << 16);
    bed->host = sp_host_new(conf, &fns, bed);
    CHECK(bed->host);
}

static void begin(Bed *bed)
{
    begin_with(bed, &(SpHostConf){0});
}

static void end(Bed *bed)
{
    sp_host_free(bed->host);
    buf_done(&bed->told);
    buf_done(&bed->payload);
}

static void check_told(Bed *bed, const char *want)
{
    CHECK_STR(buf_view(&bed->told), want);
    buf_clear(&bed->told);
}

static void send(Bed *bed, const char *topic)
{
    sp_host_message(bed->host, str_from(topic), buf_view(&bed->payload), bed->now);
    buf_clear(&bed->payload);
}

/* Name, or without one only the alias; seq -1: none. */
static void metric(Bed *bed, const char *name, int alias, int value)
{
    SpMetric is = {.name = str_from(name),
                   .has_alias = alias >= 0,
                   .alias = (uint64_t)(alias < 0 ? 0 : alias),
                   .ts_ms = SP_NO_TIME,
                   .type = name[0] ? SP_INT32 : SP_NO_TYPE,
                   .value = {.form = SP_IN_INT, .bits = (uint32_t)value}};
    sp_put_metric(&bed->payload, &is);
}

static void bdseq(Bed *bed, int value)
{
    SpMetric is = {.name = STR("bdSeq"),
                   .ts_ms = SP_NO_TIME,
                   .type = SP_INT64,
                   .value = {.form = SP_IN_LONG, .bits = (uint64_t)value}};
    sp_put_metric(&bed->payload, &is);
}

static void birth(Bed *bed, int bd)
{
    bdseq(bed, bd);
    metric(bed, "a", 7, 1);
    sp_put_seq(&bed->payload, 0);
    send(bed, "spBv1.0/G/NBIRTH/E");
}

static void data(Bed *bed, int seq, int value)
{
    metric(bed, "", 7, value);
    sp_put_seq(&bed->payload, (uint8_t)seq);
    send(bed, "spBv1.0/G/NDATA/E");
}

static void death(Bed *bed, int bd)
{
    bdseq(bed, bd);
    send(bed, "spBv1.0/G/NDEATH/E");
}

static void after(Bed *bed, int ms)
{
    bed->now += ms;
    sp_host_tick(bed->host, bed->now);
}

TEST(a_birth_gives_names_to_aliases)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 4);
    check_told(&bed, "G/E/a=1 born:G/E ");
    for (int i = 1; i < 600; i++) { /* the sequence number goes round */
        data(&bed, i & 255, i);
        char want[32];
        (void)snprintf(want, sizeof want, "G/E/a=%d ", i);
        check_told(&bed, want);
    }
    CHECK_INT(sp_host_first(bed.host)->bdseq, 4);
    end(&bed);
}

/* tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline */
TEST(a_death_counts_with_the_bdseq_of_the_birth_only)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 4);
    birth(&bed, 5);
    buf_clear(&bed.told);
    death(&bed, 4);
    check_told(&bed, "");
    CHECK_INT(sp_host_first(bed.host)->old_deaths, 1);
    data(&bed, 1, 9);
    check_told(&bed, "G/E/a=9 ");
    death(&bed, 5);
    check_told(&bed, "died:G/E ");
    death(&bed, 5);
    check_told(&bed, "");
    end(&bed);
}

/* tck-id-operational-behavior-host-reordering-success */
TEST(messages_in_another_order_are_put_in_theirs)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    buf_clear(&bed.told);
    data(&bed, 3, 3);
    data(&bed, 2, 2);
    after(&bed, 1900);
    check_told(&bed, "");
    data(&bed, 1, 1);
    check_told(&bed, "G/E/a=1 G/E/a=2 G/E/a=3 ");
    after(&bed, 60000);
    check_told(&bed, "");
    CHECK_INT(sp_host_first(bed.host)->reordered, 2);
    CHECK_INT(sp_host_first(bed.host)->lost, 0);
    end(&bed);
}

/* tck-id-operational-behavior-host-reordering-rebirth */
TEST(a_gap_asks_for_one_rebirth)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    buf_clear(&bed.told);
    data(&bed, 3, 3);
    data(&bed, 4, 4);
    data(&bed, 6, 6);
    after(&bed, 1999);
    check_told(&bed, "");
    after(&bed, 1);
    check_told(&bed, "G/E/a=3 G/E/a=4 G/E/a=6 ask:G/E ");
    CHECK_INT(sp_host_first(bed.host)->lost, 3);
    data(&bed, 7, 7);
    after(&bed, 60000);
    check_told(&bed, "G/E/a=7 ");
    end(&bed);
}

TEST(one_node_is_asked_once_in_a_while)
{
    Bed bed;
    begin(&bed);
    data(&bed, 1, 1);
    check_told(&bed, "ask:G/E ");
    for (int i = 0; i < 50; i++) data(&bed, i, i);
    check_told(&bed, "");
    after(&bed, 9999);
    check_told(&bed, "");
    after(&bed, 1);
    check_told(&bed, "ask:G/E ");
    data(&bed, 9, 9);
    birth(&bed, 0);
    after(&bed, 20000);
    check_told(&bed, "G/E/a=1 born:G/E ");
    CHECK_INT(sp_host_first(bed.host)->rebirths, 2);
    end(&bed);
}

static void device(Bed *bed, const char *kind, const char *name, int alias, int seq, int value)
{
    char topic[64];
    (void)snprintf(topic, sizeof topic, "spBv1.0/G/%s/E/D", kind);
    if (alias >= 0) metric(bed, name, alias, value);
    sp_put_seq(&bed->payload, (uint8_t)seq);
    send(bed, topic);
}

TEST(devices_are_born_and_die_by_themselves)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    buf_clear(&bed.told);
    device(&bed, "DBIRTH", "t/x", 8, 1, 20);
    device(&bed, "DDATA", "", 8, 2, 21);
    device(&bed, "DDATA", "", 7, 3, 1); /* the alias of the node's own metric */
    check_told(&bed, "G/E/D/t/x=20 born:G/E/D G/E/D/t/x=21 ask:G/E ");
    device(&bed, "DDEATH", "", -1, 4, 0);
    data(&bed, 5, 5);
    check_told(&bed, "died:G/E/D G/E/a=5 ");
    device(&bed, "DBIRTH", "t/x", 8, 6, 22);
    death(&bed, 0);
    check_told(&bed, "G/E/D/t/x=22 born:G/E/D died:G/E ");
    CHECK_INT(sp_host_first(bed.host)->devices->life, SP_DEAD);
    end(&bed);
}

TEST(data_of_a_device_without_birth_asks)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    device(&bed, "DDATA", "", 8, 1, 21);
    check_told(&bed, "G/E/a=1 born:G/E ask:G/E ");
    end(&bed);
}

/* tck-id-payloads-dbirth-order: a rebirth brings its devices back, or they are gone. */
TEST(a_device_that_a_rebirth_forgets_is_dead)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    device(&bed, "DBIRTH", "t", 8, 1, 20);
    birth(&bed, 0);
    buf_clear(&bed.told);
    after(&bed, 1999);
    check_told(&bed, "");
    after(&bed, 1);
    check_told(&bed, "died:G/E/D ");
    end(&bed);
}

TEST(what_was_known_before_a_start_is_dead_when_it_does_not_come)
{
    Bed bed;
    begin(&bed);
    CHECK_OK(sp_host_remember(bed.host, STR("G"), STR("E"), STR("D"), bed.now));
    CHECK_OK(sp_host_remember(bed.host, STR("G"), STR("F"), STR(""), bed.now));
    CHECK_INT(sp_host_remember(bed.host, STR("G+"), STR("F"), STR(""), bed.now), ST_INVALID);
    birth(&bed, 3);
    buf_clear(&bed.told);
    after(&bed, 29999);
    check_told(&bed, "died:G/E/D ");
    after(&bed, 1);
    check_told(&bed, "died:G/F ");
    end(&bed);
}

TEST(tables_have_a_maximum)
{
    Bed bed;
    SpHostStats stats;
    begin_with(&bed, &(SpHostConf){.nodes_max = 2, .metrics_max = 4, .devices_max = 1});
    birth(&bed, 0);
    sp_put_seq(&bed.payload, 0);
    send(&bed, "spBv1.0/G/NBIRTH/F");
    sp_put_seq(&bed.payload, 0);
    send(&bed, "spBv1.0/G/NBIRTH/X");
    check_told(&bed, "G/E/a=1 born:G/E born:G/F ");
    sp_host_stats(bed.host, &stats);
    CHECK_INT(stats.over_limit, 1);
    death(&bed, 0);
    sp_put_seq(&bed.payload, 0);
    send(&bed, "spBv1.0/G/NBIRTH/X"); /* in the place of the dead one */
    check_told(&bed, "died:G/E born:G/X ");
    CHECK(!sp_host_node(bed.host, STR("G"), STR("E")));
    for (int i = 0; i < 5; i++) metric(&bed, &"abcde"[i], i, i);
    sp_put_seq(&bed.payload, 0);
    send(&bed, "spBv1.0/G/NBIRTH/X");
    check_told(&bed, "");
    sp_host_stats(bed.host, &stats);
    CHECK_INT(stats.over_limit, 2);
    CHECK_INT(stats.nodes_now, 2);
    CHECK_INT(stats.defs_now, 0);
    end(&bed);
}

TEST(held_messages_have_a_maximum)
{
    Bed bed;
    begin_with(&bed, &(SpHostConf){.held_max = 3});
    birth(&bed, 0);
    buf_clear(&bed.told);
    data(&bed, 5, 5);
    data(&bed, 4, 4);
    data(&bed, 4, 4);
    check_told(&bed, "");
    data(&bed, 3, 3);
    check_told(&bed, "G/E/a=3 G/E/a=4 G/E/a=5 ask:G/E ");
    end(&bed);
}

/* tck-id-payloads-alias-uniqueness: of two with one alias the first keeps it. */
TEST(two_metrics_with_one_alias_and_one_name_twice)
{
    Bed bed;
    begin(&bed);
    bdseq(&bed, 0);
    metric(&bed, "a", 7, 1);
    metric(&bed, "b", 7, 2);
    metric(&bed, "a", 9, 3);
    sp_put_seq(&bed.payload, 0);
    send(&bed, "spBv1.0/G/NBIRTH/E");
    buf_clear(&bed.told);
    data(&bed, 1, 5);
    check_told(&bed, "G/E/a=5 ");
    end(&bed);
}

/* What is against tck-id-payloads-alias-uniqueness is still clear: data names its device. */
TEST(devices_with_one_alias_are_heard_as_what_they_are)
{
    Bed bed;
    begin(&bed);
    birth(&bed, 0);
    device(&bed, "DBIRTH", "x", 7, 1, 20);
    buf_clear(&bed.told);
    device(&bed, "DDATA", "", 7, 2, 21);
    data(&bed, 3, 5);
    device(&bed, "DBIRTH", "y", 8, 4, 22);
    device(&bed, "DDATA", "", 7, 5, 23); /* gone with the birth before */
    data(&bed, 6, 6);
    check_told(&bed, "G/E/D/x=21 G/E/a=5 G/E/D/y=22 born:G/E/D ask:G/E G/E/a=6 ");
    end(&bed);
}

TEST(what_is_no_payload_is_counted)
{
    Bed bed;
    SpHostStats stats;
    begin(&bed);
    buf_text(&bed.payload, "\xff\xff");
    send(&bed, "spBv1.0/G/NBIRTH/E");
    metric(&bed, "a", 1, 1);
    send(&bed, "spBv1.0/G/NBIRTH/E"); /* without sequence number */
    check_told(&bed, "");
    sp_host_stats(bed.host, &stats);
    CHECK_INT(stats.bad, 2);
    CHECK_INT(stats.nodes_now, 0);
    end(&bed);
}
