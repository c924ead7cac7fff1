/* tests/alarm/test_alarm.c: the diagram of ISA-18.2-2016 and the conditions, with time handed in.
 *
 * Each test writes what happens as a line of states; what it should be is read off figure 3 of the
 * standard and counted by hand. */
#include "test.h"

#include "alarm/alarm.h"
#include "base/buf.h"

#include <math.h>
#include <stdio.h>

typedef struct Bed {
    Alarms *alarms;
    AlarmPoint *head;
    Arena *arena;
    Buf told; /* "normal>unacknowledged " per event */
    AlarmTime now;
    const char *rule;
} Bed;

static void on_event(void *ctx, const AlarmEvent *event)
{
    Bed *bed = ctx;
    buf_printf(&bed->told, "%s>%s ", alarm_state_name(event->from), alarm_state_name(event->to));
}

static AlarmRule rule_of(Bed *bed, const char *json)
{
    const Json *tree = NULL;
    AlarmRule rule = {0};
    Diag diag = {0};
    CHECK_OK(json_read(bed->arena, str_from(json), &tree, NULL));
    Status st = alarm_rule_read(bed->arena, tree, &rule, &diag);
    if (st) print_message("%s\n", diag.text);
    CHECK_OK(st);
    return rule;
}

static void begin(Bed *bed, const char *json)
{
    *bed = (Bed){.arena = arena_new(0, 0), .now = {1000, 1000000}};
    buf_init(&bed->told, 4096);
    bed->alarms = alarms_new(10, on_event, bed);
    CHECK(bed->alarms);
    AlarmRule rule = rule_of(bed, json);
    CHECK_OK(alarms_put(bed->alarms, &rule, NULL, NULL));
    CHECK_OK(alarms_attach(bed->alarms, alarms_rule(bed->alarms, rule.name), STR("a/b"), &bed->head,
                           NULL, bed->now));
}

static void end(Bed *bed)
{
    alarms_free(bed->alarms);
    CHECK(!bed->head);
    buf_done(&bed->told);
    arena_free(bed->arena);
}

/* Both clocks go on; what became due is looked at when it is due. */
static void pass(Bed *bed, int64_t ms)
{
    AlarmTime end = {bed->now.monotonic_ms + ms, bed->now.wall_ms + ms};
    for (int64_t due; (due = alarms_due_ms(bed->alarms)) <= end.monotonic_ms;) {
        if (due > bed->now.monotonic_ms) {
            bed->now.wall_ms += due - bed->now.monotonic_ms;
            bed->now.monotonic_ms = due;
        }
        alarms_tick(bed->alarms, bed->now);
    }
    bed->now = end;
}

static void number(Bed *bed, double value)
{
    alarms_value(bed->alarms, bed->head, &(AlarmValue){.type = ALARM_NUMBER, .number = value},
                 bed->now);
}

static void text(Bed *bed, const char *value)
{
    alarms_value(bed->alarms, bed->head, &(AlarmValue){.type = ALARM_TEXT, .text = str_from(value)},
                 bed->now);
}

static Status act(Bed *bed, AlarmAct what)
{
    Diag diag;
    return alarms_act(bed->alarms, bed->head, what, STR("eva"), STR("why"), bed->now.wall_ms + 5000,
                      bed->now, &diag);
}

static void check_told(Bed *bed, const char *want)
{
    CHECK_STR(buf_view(&bed->told), want);
    buf_clear(&bed->told);
}

#define HOT "{\"name\":\"hot\",\"on\":\"a/+\",\"when\":{\"above\":80,\"hysteresis\":2"

TEST(alarm_acknowledged_before_it_returns)
{
    Bed bed;
    begin(&bed, HOT "}}");
    number(&bed, 80);
    check_told(&bed, "");
    number(&bed, 80.1);
    check_told(&bed, "normal>unacknowledged ");
    CHECK_OK(act(&bed, ALARM_ACK));
    number(&bed, 79); /* within the hysteresis: 78 ends it */
    check_told(&bed, "unacknowledged>acknowledged ");
    number(&bed, 78);
    check_told(&bed, "acknowledged>normal ");
    CHECK_INT(act(&bed, ALARM_ACK), ST_CONFLICT);
    end(&bed);
}

TEST(alarm_returned_before_it_is_acknowledged)
{
    Bed bed;
    begin(&bed, HOT "}}");
    number(&bed, 81);
    number(&bed, 70);
    number(&bed, 81);
    number(&bed, 70);
    CHECK_OK(act(&bed, ALARM_ACK));
    check_told(&bed, "normal>unacknowledged unacknowledged>returned returned>unacknowledged "
                     "unacknowledged>returned returned>normal ");
    CHECK_INT(alarm_point_kept(bed.head).raised_count, 2);
    end(&bed);
}

TEST(latched_alarm_waits_for_reset)
{
    Bed bed;
    begin(&bed, HOT "},\"latch\":true}");
    number(&bed, 81);
    number(&bed, 70);
    CHECK_INT(act(&bed, ALARM_RESET), ST_CONFLICT);
    CHECK_OK(act(&bed, ALARM_ACK));
    CHECK_OK(act(&bed, ALARM_RESET));
    check_told(&bed, "normal>unacknowledged unacknowledged>latched-unacknowledged "
                     "latched-unacknowledged>latched-acknowledged latched-acknowledged>normal ");
    number(&bed, 81);
    CHECK_OK(act(&bed, ALARM_ACK));
    number(&bed, 70);
    number(&bed, 81); /* a latched alarm whose condition comes back is a new one */
    check_told(&bed, "normal>unacknowledged unacknowledged>acknowledged "
                     "acknowledged>latched-acknowledged latched-acknowledged>unacknowledged ");
    end(&bed);
}

TEST(delays_need_the_condition_all_the_time)
{
    Bed bed;
    begin(&bed, HOT ",\"for_ms\":5000,\"clear_ms\":3000}}");
    number(&bed, 81);
    pass(&bed, 4999);
    check_told(&bed, "");
    number(&bed, 79.5); /* not an alarm yet: the bare limit counts */
    pass(&bed, 1);
    number(&bed, 81);
    pass(&bed, 4999);
    check_told(&bed, "");
    pass(&bed, 1);
    check_told(&bed, "normal>unacknowledged ");
    number(&bed, 70);
    pass(&bed, 2999);
    number(&bed, 79); /* above 78 again before the 3 s were over */
    pass(&bed, 10000);
    check_told(&bed, "");
    number(&bed, 70);
    pass(&bed, 3000);
    check_told(&bed, "unacknowledged>returned ");
    end(&bed);
}

TEST(a_shelve_ends_by_itself_and_what_still_holds_is_a_new_alarm)
{
    Bed bed;
    begin(&bed, HOT "}}");
    number(&bed, 81);
    CHECK_OK(act(&bed, ALARM_ACK));
    CHECK_OK(act(&bed, ALARM_SHELVE)); /* for 5 s */
    check_told(&bed, "normal>unacknowledged unacknowledged>acknowledged acknowledged>shelved ");
    number(&bed, 70);
    number(&bed, 81);
    pass(&bed, 4999);
    check_told(&bed, "");
    pass(&bed, 1);
    check_told(&bed, "shelved>unacknowledged ");
    CHECK_OK(act(&bed, ALARM_SHELVE));
    number(&bed, 70);
    CHECK_OK(act(&bed, ALARM_UNSHELVE));
    check_told(&bed, "unacknowledged>shelved shelved>normal ");
    AlarmRule slow = rule_of(&bed, HOT ",\"for_ms\":1000}}");
    CHECK_OK(alarms_put(bed.alarms, &slow, NULL, NULL));
    CHECK_OK(act(&bed, ALARM_SHELVE));
    number(&bed, 81);
    pass(&bed, 4999); /* its delay was over at 1 s, the shelve is not */
    check_told(&bed, "normal>shelved ");
    number(&bed, 70);
    pass(&bed, 1);
    check_told(&bed, "shelved>normal ");
    CHECK_INT(act(&bed, ALARM_UNSHELVE), ST_CONFLICT);
    pass(&bed, 60000);
    check_told(&bed, "");
    end(&bed);
}

TEST(suppressed_and_out_of_service_lie_over_each_other)
{
    Bed bed;
    begin(&bed, HOT "}}");
    CHECK_OK(act(&bed, ALARM_SUPPRESS));
    CHECK_OK(act(&bed, ALARM_REMOVE_FROM_SERVICE));
    number(&bed, 81);
    CHECK_INT(act(&bed, ALARM_ACK), ST_CONFLICT);
    CHECK_OK(act(&bed, ALARM_UNSUPPRESS)); /* still out of service */
    CHECK_OK(act(&bed, ALARM_RETURN_TO_SERVICE));
    check_told(&bed, "normal>suppressed suppressed>out-of-service "
                     "out-of-service>out-of-service out-of-service>unacknowledged ");
    CHECK_INT(alarms_count(bed.alarms, ALARM_UNACKED), 1);
    CHECK_INT(alarms_standing(bed.alarms, ALARM_MEDIUM), 1);
    CHECK_OK(act(&bed, ALARM_SUPPRESS));
    number(&bed, 70);
    CHECK_OK(act(&bed, ALARM_UNSUPPRESS)); /* over while nobody was told: nothing to acknowledge */
    check_told(&bed, "unacknowledged>suppressed suppressed>normal ");
    end(&bed);
}

/* Twenty rules of stale values on one path, made in no order: each is due in its own second. */
TEST(what_is_due_first_comes_first)
{
    enum { RULES = 20 };
    Bed bed;
    begin(&bed, HOT "}}");
    alarms_free(bed.alarms);
    bed.alarms = alarms_new(RULES, on_event, &bed);
    for (int i = 0; i < RULES; i++) {
        char json[128], name[16];
        (void)snprintf(name, sizeof name, "s%d", i);
        (void)snprintf(json, sizeof json,
                       "{\"name\":\"%s\",\"on\":\"a/b\",\"when\":{\"stale_ms\":%d}}", name,
                       1000 * (1 + i * 7 % RULES));
        AlarmRule rule = rule_of(&bed, json);
        CHECK_OK(alarms_put(bed.alarms, &rule, NULL, NULL));
        CHECK_OK(alarms_attach(bed.alarms, alarms_rule(bed.alarms, str_from(name)), STR("a/b"),
                               &bed.head, NULL, bed.now));
    }
    static const char *const gone[] = {"s0", "s3", "s6", "s9"}; /* 1 s, 2 s, 3 s and 4 s */
    for (size_t i = 0; i < COUNT_OF(gone); i++) CHECK(alarms_drop(bed.alarms, str_from(gone[i])));
    pass(&bed, 4999);
    CHECK_INT(alarms_count(bed.alarms, ALARM_UNACKED), 0);
    for (uint32_t i = 1; i <= RULES - COUNT_OF(gone); i++) {
        pass(&bed, i == 1 ? 1 : 1000);
        CHECK_INT(alarms_count(bed.alarms, ALARM_UNACKED), i);
    }
    end(&bed);
}

TEST(below_and_bad_quality)
{
    Bed bed;
    begin(&bed, "{\"name\":\"low\",\"on\":\"a/b\",\"when\":{\"below\":1,\"hysteresis\":0.5}}");
    number(&bed, 1);
    number(&bed, 0.9);
    alarms_value(bed.alarms, bed.head, &(AlarmValue){ALARM_NUMBER, true, 9, STR_NONE}, bed.now);
    number(&bed, 1.49); /* 1.5 ends it; a bad 9 did not */
    check_told(&bed, "normal>unacknowledged ");
    number(&bed, 1.5);
    check_told(&bed, "unacknowledged>returned ");
    end(&bed);
    begin(&bed, "{\"name\":\"q\",\"on\":\"a/b\",\"when\":{\"quality\":\"bad\"}}");
    alarms_value(bed.alarms, bed.head, &(AlarmValue){ALARM_NUMBER, true, 9, STR_NONE}, bed.now);
    number(&bed, 9);
    check_told(&bed, "normal>unacknowledged unacknowledged>returned ");
    end(&bed);
}

TEST(states_by_word_number_and_truth)
{
    Bed bed;
    begin(&bed, "{\"name\":\"s\",\"on\":\"a/b\",\"when\":{\"is\":[\"FAULT\",3,true]}}");
    text(&bed, "RUN");
    check_told(&bed, "");
    text(&bed, "FAULT");
    text(&bed, "true");
    number(&bed, 3);
    check_told(&bed, "normal>unacknowledged ");
    number(&bed, 2);
    check_told(&bed, "unacknowledged>returned ");
    text(&bed, "3"); /* the text is not the number, but both are the word */
    check_told(&bed, "returned>unacknowledged ");
    end(&bed);
}

TEST(stale_after_its_time_and_well_with_the_next_value)
{
    Bed bed;
    begin(&bed, "{\"name\":\"s\",\"on\":\"a/b\",\"when\":{\"stale_ms\":30000}}");
    pass(&bed, 29000);
    number(&bed, 1);
    pass(&bed, 29999);
    check_told(&bed, "");
    pass(&bed, 1);
    check_told(&bed, "normal>unacknowledged ");
    number(&bed, 1);
    check_told(&bed, "unacknowledged>returned ");
    end(&bed);
}

/* More than 5.5 within 8 s: 2 per 4 s never is; 4 at once on top of it is, until what was low is
 * too long ago. */
TEST(rates_are_about_a_span)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"on\":\"a/b\",\"when\":{\"rises\":5.5,\"within_ms\":8000}}");
    for (int i = 0; i < 20; i++) {
        number(&bed, 2 * i); /* in 8 s and the ragged edge two steps fit: 4 */
        pass(&bed, 4000);
    }
    check_told(&bed, "");
    number(&bed, 40);
    pass(&bed, 500);
    number(&bed, 44);
    check_told(&bed, "normal>unacknowledged ");
    pass(&bed, 9000); /* the span has only 44 in it, and time alone shows that */
    check_told(&bed, "unacknowledged>returned ");
    end(&bed);
    begin(&bed, "{\"name\":\"f\",\"on\":\"a/b\",\"when\":{\"falls\":5,\"within_ms\":8000}}");
    bed.now.monotonic_ms = -700; /* heard before the machine was started */
    number(&bed, 10);
    number(&bed, 5);
    check_told(&bed, "");
    number(&bed, 4.9);
    check_told(&bed, "normal>unacknowledged ");
    end(&bed);
}

TEST(a_replaced_rule_keeps_states_and_counts)
{
    Bed bed;
    begin(&bed, HOT "}}");
    number(&bed, 81);
    CHECK_OK(act(&bed, ALARM_ACK));
    AlarmRule rule = rule_of(&bed, HOT "},\"priority\":\"critical\"}");
    CHECK_OK(alarms_put(bed.alarms, &rule, NULL, NULL));
    CHECK_INT(alarms_standing(bed.alarms, ALARM_MEDIUM), 0);
    CHECK_INT(alarms_standing(bed.alarms, ALARM_CRITICAL), 1);
    CHECK(alarm_point_kept(bed.head).state == ALARM_ACKED);
    CHECK(!alarms_drop(bed.alarms, STR("cold")));
    CHECK(alarms_drop(bed.alarms, STR("hot")));
    CHECK(!bed.head);
    CHECK_INT(alarms_standing(bed.alarms, ALARM_CRITICAL), 0);
    end(&bed);
}

TEST(a_renamed_rule_keeps_its_points_and_its_place_in_the_order)
{
    Bed bed;
    begin(&bed, HOT "}}");
    number(&bed, 81);
    CHECK_OK(act(&bed, ALARM_ACK));
    AlarmRule rule = rule_of(&bed, HOT "}}");
    rule.name = STR("middle");
    CHECK_OK(alarms_put(bed.alarms, &rule, NULL, NULL));
    CHECK(!alarms_rename(bed.alarms, STR("cold"), STR("warm")));
    CHECK(alarms_rename(bed.alarms, STR("hot"), STR("z")));
    const AlarmRule *first = alarms_next_rule(bed.alarms, NULL);
    CHECK(str_is(first->name, "middle"));
    CHECK(str_is(alarms_next_rule(bed.alarms, first)->name, "z"));
    CHECK(alarms_rename(bed.alarms, STR("z"), STR("a")));
    CHECK(str_is(alarms_next_rule(bed.alarms, NULL)->name, "a"));
    CHECK(!alarms_rule(bed.alarms, STR("hot")));
    CHECK(str_is(alarm_point_rule(bed.head)->name, "a"));
    CHECK(alarm_point_kept(bed.head).state == ALARM_ACKED);
    end(&bed);
}

TEST(what_was_kept_comes_back_without_a_word)
{
    Bed bed;
    begin(&bed, HOT "}}");
    AlarmKept kept = {.state = ALARM_SHELVED,
                      .under = ALARM_UNACKED,
                      .shelved = true,
                      .shelf_ms = bed.now.wall_ms - 1, /* ended while nobody was there */
                      .raised_count = 7};
    alarm_point_restore(bed.alarms, bed.head, &kept, bed.now);
    check_told(&bed, "");
    CHECK_INT(alarms_count(bed.alarms, ALARM_SHELVED), 1);
    pass(&bed, 1);
    check_told(&bed, "shelved>unacknowledged ");
    number(&bed, 70);
    check_told(&bed, "unacknowledged>returned ");
    CHECK_INT(alarm_point_kept(bed.head).raised_count, 7);
    end(&bed);
}

TEST(points_have_a_maximum_and_share_a_path)
{
    Bed bed;
    begin(&bed, HOT "}}");
    AlarmPoint *heads[12] = {0};
    const AlarmRule *rule = alarms_rule(bed.alarms, STR("hot"));
    for (int i = 0; i < 9; i++)
        CHECK_OK(alarms_attach(bed.alarms, rule, STR("a/x"), &heads[i], NULL, bed.now));
    CHECK_INT(alarms_attach(bed.alarms, rule, STR("a/x"), &heads[9], NULL, bed.now), ST_LIMIT);
    CHECK_OK(alarms_attach(bed.alarms, rule, STR("a/x"), &heads[3], NULL, bed.now)); /* is there */
    AlarmRule low = rule_of(&bed, "{\"name\":\"low\",\"on\":\"a/b\",\"when\":{\"below\":1}}");
    CHECK_OK(alarms_put(bed.alarms, &low, NULL, NULL));
    CHECK_INT(alarms_attach(bed.alarms, alarms_rule(bed.alarms, STR("low")), STR("a/b"), &bed.head,
                            NULL, bed.now),
              ST_LIMIT);
    end(&bed);
    for (int i = 0; i < 12; i++) CHECK(!heads[i]);
}

/* ---- rules as JSON ---- */

static void check_refused(const char *json, const char *want)
{
    Arena *arena = arena_new(0, 0);
    const Json *tree = NULL;
    AlarmRule rule;
    Diag diag = {0};
    CHECK_OK(json_read(arena, str_from(json), &tree, NULL));
    CHECK_INT(alarm_rule_read(arena, tree, &rule, &diag), ST_INVALID);
    CHECK(str_find(str_from(diag.text), str_from(want)) >= 0);
    arena_free(arena);
}

TEST(a_wrong_rule_is_told_by_its_field)
{
    check_refused("[]", "an object with name, on and when");
    check_refused("{\"name\":\"a b\",\"on\":\"x\",\"when\":{\"above\":1}}", "name is not a word");
    check_refused("{\"name\":\"a\",\"when\":{\"above\":1}}", "on is missing");
    check_refused("{\"name\":\"a\",\"on\":\"x\"}", "when needs exactly one of");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1,\"below\":0}}",
                  "when needs exactly one of");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":\"1\"}}",
                  "when.above is not a number");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"rises\":1}}", "needs within_ms");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1,\"within_ms\":1}}",
                  "when.within_ms does not go with when.above");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1,\"for_ms\":86400001}}",
                  "when.for_ms is not 0 to 86400000");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1,\"hysteresis\":-1}}",
                  "less than 0");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"is\":[]}}", "holds no word");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"quality\":\"good\"}}", "\"bad\" only");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1},\"priority\":\"urgent\"}",
                  "priority is not critical");
    check_refused("{\"name\":\"a\",\"on\":\"x\",\"when\":{\"above\":1},\"prio\":1}",
                  "no field prio");
}

TEST(a_rule_is_written_as_it_was_read)
{
    static const char *const rules[] = {
        "{\"name\":\"a\",\"on\":\"x/#\",\"when\":{\"above\":80,\"hysteresis\":0.5,\"for_ms\":5000,"
        "\"clear_ms\":1},\"priority\":\"high\",\"latch\":true,\"message\":\"m\",\"action\":\"do\"}",
        "{\"name\":\"b\",\"on\":\"x\",\"when\":{\"falls\":1.5,\"within_ms\":60000},"
        "\"priority\":\"low\"}",
        "{\"name\":\"c\",\"on\":\"x\",\"when\":{\"is\":[\"FAULT\",3,\"true\"]},"
        "\"priority\":\"critical\"}",
        "{\"name\":\"d\",\"on\":\"x\",\"when\":{\"stale_ms\":30000},\"priority\":\"medium\"}",
        "{\"name\":\"e\",\"on\":\"x\",\"when\":{\"quality\":\"bad\"},\"priority\":\"medium\"}"};
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        Bed bed = {.arena = arena_new(0, 0)};
        JsonOut out;
        AlarmRule rule = rule_of(&bed, rules[i]);
        buf_init(&bed.told, 4096);
        json_out_init(&out, &bed.told);
        alarm_rule_write(&rule, &out);
        CHECK_STR(buf_view(&bed.told), rules[i]);
        buf_done(&bed.told);
        arena_free(bed.arena);
    }
}
