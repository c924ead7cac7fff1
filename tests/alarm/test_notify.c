/* tests/alarm/test_notify.c: who is told of an alarm and when, with time handed in.
 *
 * What should be told is counted by hand from the route; "raised>shift" is one notice. */
#include "test.h"

#include "alarm/notify.h"
#include "base/buf.h"

#include <stdio.h>

typedef struct Bed {
    AlarmNotify *notify;
    Arena *arena;
    Buf told, kept; /* kept: what the disk would have, as changes */
    AlarmState state;
    bool there;
    int64_t now;
    AlarmCall last; /* the call that was kept last */
    char texts[3][64];
} Bed;

static bool fits(void *ctx, Str filter, Str path)
{
    (void)ctx;
    return str_is(filter, "#") || str_eq(filter, path);
}

static bool state_of(void *ctx, Str rule, Str path, AlarmState *ret_state)
{
    const Bed *bed = ctx;
    (void)rule, (void)path;
    *ret_state = bed->state;
    return bed->there;
}

static void tell(void *ctx, const AlarmMessage *m)
{
    Bed *bed = ctx;
    buf_printf(&bed->told, "%s%s>%.*s ", alarm_news_name(m->news), m->number > 1 ? "+" : "",
               STR_ARG(m->target));
}

static void keep(void *ctx, const AlarmCall *call)
{
    Bed *bed = ctx;
    const Str texts[] = {call->route, call->rule, call->path};
    Str *into[] = {&bed->last.route, &bed->last.rule, &bed->last.path};
    bed->last = *call;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(bed->texts[i], sizeof bed->texts[i], "%.*s", STR_ARG(texts[i]));
        *into[i] = str_from(bed->texts[i]);
    }
    buf_text(&bed->kept, "k");
}

static void forget(void *ctx, const AlarmCall *call)
{
    Bed *bed = ctx;
    (void)call;
    buf_text(&bed->kept, "f");
}

static void make(Bed *bed, uint32_t call_max)
{
    AlarmNotifyHost host = {
        .fits = fits, .state = state_of, .tell = tell, .keep = keep, .forget = forget, .ctx = bed};
    bed->notify = alarm_notify_new(&host, call_max);
    CHECK(bed->notify);
}

static Status read_route(Bed *bed, const char *json, AlarmRoute *route, Diag *diag)
{
    const Json *tree = NULL;
    CHECK_OK(json_read(bed->arena, str_from(json), &tree, diag));
    return alarm_route_read(bed->arena, tree, route, diag);
}

static void put(Bed *bed, const char *json)
{
    AlarmRoute route;
    Diag diag = {0};
    Status st = read_route(bed, json, &route, &diag);
    if (st) print_message("%s\n", diag.text);
    CHECK_OK(st);
    CHECK_OK(alarm_notify_put(bed->notify, &route));
}

static void begin(Bed *bed, const char *route)
{
    *bed = (Bed){.arena = arena_new(0, 0), .now = 1000000, .there = true};
    buf_init(&bed->told, 4096);
    buf_init(&bed->kept, 4096);
    make(bed, 10);
    if (route) put(bed, route);
}

static void end(Bed *bed)
{
    alarm_notify_free(bed->notify);
    buf_done(&bed->told);
    buf_done(&bed->kept);
    arena_free(bed->arena);
}

/* The alarm goes on to `to`, as the diagram has it. */
static void becomes_at(Bed *bed, AlarmState to, const char *rule, const char *path)
{
    AlarmState from = bed->state;
    bed->state = to;
    alarm_notify_event(bed->notify, str_from(rule), str_from(path), ALARM_HIGH, from, to, bed->now);
}

static void becomes(Bed *bed, AlarmState to)
{
    becomes_at(bed, to, "hot", "a/b");
}

/* The clock goes on; each moment that is due is looked at when it comes. */
static void wait_ms(Bed *bed, int64_t ms)
{
    int64_t until = bed->now + ms;
    for (;;) {
        int64_t due = alarm_notify_due_ms(bed->notify);
        if (due > until) break;
        bed->now = due > bed->now ? due : bed->now;
        alarm_notify_tick(bed->notify, bed->now);
    }
    bed->now = until;
}

static void check_told(Bed *bed, const char *want)
{
    CHECK_STR(buf_view(&bed->told), want);
    buf_clear(&bed->told);
}

TEST(without_a_delay_it_is_told_at_once_and_what_is_not_asked_for_is_not)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"shift\",\"erp\"]}");
    becomes(&bed, ALARM_UNACKED);
    check_told(&bed, "raised>shift raised>erp ");
    becomes(&bed, ALARM_ACKED);
    becomes(&bed, ALARM_NORMAL);
    wait_ms(&bed, 1000000);
    check_told(&bed, "");
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    end(&bed);
}

TEST(an_alarm_that_is_over_acknowledged_or_put_aside_within_the_delay_is_not_told)
{
    static const AlarmState ends[] = {ALARM_RETURNED,       ALARM_ACKED,
                                      ALARM_SHELVED,        ALARM_SUPPRESSED,
                                      ALARM_OUT_OF_SERVICE, ALARM_LATCHED_UNACKED};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        Bed bed;
        begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":5000,"
                    "\"when\":[\"raised\",\"cleared\",\"acknowledged\"]}");
        for (int chatter = 0; chatter < 10; chatter++) {
            becomes(&bed, ALARM_UNACKED);
            wait_ms(&bed, 4999);
            becomes(&bed, ends[i]);
            wait_ms(&bed, 10000);
        }
        check_told(&bed, "");
        CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
        becomes(&bed, ALARM_UNACKED);
        wait_ms(&bed, 4999);
        check_told(&bed, "");
        wait_ms(&bed, 1);
        check_told(&bed, "raised>x ");
        end(&bed);
    }
}

TEST(who_was_told_that_it_came_is_told_that_it_went)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":10,"
                "\"when\":[\"raised\",\"cleared\",\"acknowledged\",\"reset\"]}");
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 10);
    becomes(&bed, ALARM_ACKED);
    becomes(&bed, ALARM_NORMAL);
    check_told(&bed, "raised>x acknowledged>x cleared>x ");
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 10);
    becomes(&bed, ALARM_RETURNED);
    becomes(&bed, ALARM_NORMAL);
    check_told(&bed, "raised>x cleared>x acknowledged>x ");
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 10);
    becomes(&bed, ALARM_LATCHED_UNACKED);
    becomes(&bed, ALARM_LATCHED_ACKED);
    becomes(&bed, ALARM_NORMAL);
    check_told(&bed, "raised>x cleared>x acknowledged>x reset>x ");
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    end(&bed);
}

TEST(a_route_without_raised_tells_what_it_says)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"when\":[\"cleared\",\"shelved\",\"restored\"]}");
    becomes(&bed, ALARM_UNACKED);
    becomes(&bed, ALARM_RETURNED);
    becomes(&bed, ALARM_SHELVED);
    becomes(&bed, ALARM_NORMAL);
    check_told(&bed, "cleared>x shelved>x restored>x ");
    becomes(&bed, ALARM_SHELVED);
    becomes(&bed, ALARM_UNACKED); /* what still holds is a new alarm, not a restored one */
    check_told(&bed, "shelved>x ");
    end(&bed);
}

TEST(it_is_told_again_until_somebody_takes_it_and_no_oftener_than_allowed)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"repeat_ms\":60000,\"repeat_max\":3}");
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 59999);
    check_told(&bed, "raised>x ");
    wait_ms(&bed, 1);
    check_told(&bed, "repeated+>x ");
    wait_ms(&bed, 120000);
    check_told(&bed, "repeated+>x repeated+>x ");
    wait_ms(&bed, 10000000);
    check_told(&bed, "");
    becomes(&bed, ALARM_RETURNED);
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 60000);
    check_told(&bed, "raised>x repeated+>x ");
    becomes(&bed, ALARM_ACKED);
    wait_ms(&bed, 10000000);
    check_told(&bed, "");
    end(&bed);
}

TEST(unacknowledged_for_long_it_goes_to_somebody_else_too)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000,\"repeat_ms\":60000,"
                "\"escalate_ms\":90000,\"escalate_to\":\"boss\"}");
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 1000 + 89999);
    check_told(&bed, "raised>x repeated+>x ");
    wait_ms(&bed, 1);
    check_told(&bed, "escalated+>boss ");
    wait_ms(&bed, 30000);
    check_told(&bed, "repeated+>x repeated+>boss ");
    becomes(&bed, ALARM_ACKED);
    becomes(&bed, ALARM_NORMAL);
    becomes(&bed, ALARM_UNACKED);
    wait_ms(&bed, 61000);
    check_told(&bed, "raised>x repeated+>x "); /* a new alarm begins anew */
    end(&bed);
}

TEST(only_what_a_route_is_about)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"on\":\"a/b\",\"alarms\":[\"press_*_hot\",\"p\"],"
                "\"priorities\":[\"critical\",\"high\"]}");
    static const struct {
        const char *rule, *path, *told;
    } cases[] = {{"press_7_hot", "a/b", "raised>x "},
                 {"press__hot", "a/b", "raised>x "},
                 {"p", "a/b", "raised>x "},
                 {"pp", "a/b", ""},
                 {"press_hot", "a/b", ""},
                 {"press_7_hot_", "a/b", ""},
                 {"press_7_hot", "a/c", ""},
                 {"press_a_hot_b_hot", "a/b", "raised>x "}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed.state = ALARM_NORMAL;
        becomes_at(&bed, ALARM_UNACKED, cases[i].rule, cases[i].path);
        check_told(&bed, cases[i].told);
    }
    alarm_notify_event(bed.notify, STR("p"), STR("a/b"), ALARM_LOW, ALARM_NORMAL, ALARM_UNACKED, 0);
    check_told(&bed, "");
    put(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"off\":true}");
    alarm_notify_event(bed.notify, STR("q"), STR("a/b"), ALARM_HIGH, ALARM_NORMAL, ALARM_UNACKED,
                       0);
    check_told(&bed, "");
    end(&bed);
}

/* A program that ended and began again: what was kept goes on where it was. */
TEST(calls_go_on_after_a_restart)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000,\"repeat_ms\":60000}");
    becomes(&bed, ALARM_UNACKED);
    AlarmCall kept = bed.last;
    CHECK_INT((int)(kept.first_ms - bed.now), 1000);
    alarm_notify_free(bed.notify);
    make(&bed, 10);
    put(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000,\"repeat_ms\":60000}");
    CHECK_OK(alarm_notify_restore(bed.notify, &kept));
    bed.now += 500000; /* it was away for long: told once, late, then at its pace */
    alarm_notify_tick(bed.notify, bed.now);
    check_told(&bed, "raised>x ");
    wait_ms(&bed, 60000);
    check_told(&bed, "repeated+>x ");
    kept = bed.last;
    CHECK_INT((int)kept.told, 2);
    alarm_notify_free(bed.notify);
    make(&bed, 10);
    put(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000,\"repeat_ms\":60000}");
    CHECK_OK(alarm_notify_restore(bed.notify, &kept));
    bed.state = ALARM_ACKED; /* taken meanwhile */
    wait_ms(&bed, 500000);
    check_told(&bed, "");
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    end(&bed);
}

TEST(a_route_or_an_alarm_that_goes_takes_its_calls_along)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000}");
    becomes(&bed, ALARM_UNACKED);
    CHECK(alarm_notify_drop(bed.notify, STR("r")));
    CHECK(!alarm_notify_drop(bed.notify, STR("r")));
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    CHECK_STR(buf_view(&bed.kept), "kf");
    put(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000}");
    bed.state = ALARM_NORMAL;
    becomes(&bed, ALARM_UNACKED);
    bed.there = false;
    alarm_notify_sweep(bed.notify);
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    wait_ms(&bed, 10000);
    check_told(&bed, "");
    end(&bed);
}

TEST(a_path_with_another_name_is_told_under_it)
{
    Bed bed;
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000}");
    becomes(&bed, ALARM_UNACKED);
    alarm_notify_moved(bed.notify, STR("a/b"), STR("c"));
    CHECK_STR(bed.last.path, "c");
    CHECK_INT((int)alarm_notify_calls(bed.notify), 1);
    wait_ms(&bed, 1000);
    check_told(&bed, "raised>x ");
    becomes_at(&bed, ALARM_ACKED, "hot", "c");
    becomes_at(&bed, ALARM_NORMAL, "hot", "c");
    CHECK_INT((int)alarm_notify_calls(bed.notify), 0);
    end(&bed);
}

TEST(without_room_for_a_call_it_is_told_at_once)
{
    Bed bed;
    char path[16];
    begin(&bed, "{\"name\":\"r\",\"to\":[\"x\"],\"delay_ms\":1000}");
    for (int i = 0; i < 12; i++) {
        (void)snprintf(path, sizeof path, "p%d", i);
        bed.state = ALARM_NORMAL;
        becomes_at(&bed, ALARM_UNACKED, "hot", path);
    }
    check_told(&bed, "raised>x raised>x ");
    CHECK_INT((int)alarm_notify_uncalled(bed.notify), 2);
    wait_ms(&bed, 1000);
    check_told(&bed, "raised>x raised>x raised>x raised>x raised>x raised>x raised>x raised>x "
                     "raised>x raised>x ");
    end(&bed);
}

TEST(the_earliest_is_told_first)
{
    Bed bed;
    char route[96], want[400];
    size_t len = 0;
    begin(&bed, NULL);
    for (int i = 0; i < 10; i++) { /* 3, 6, 9, 2, 5, 8, 1, 4, 7, 10 seconds */
        int rank = (3 * (i + 1)) % 10 + 10 * (i == 9);
        (void)snprintf(route, sizeof route, "{\"name\":\"r%d\",\"to\":[\"t%d\"],\"delay_ms\":%d}",
                       i, rank, rank * 1000);
        put(&bed, route);
    }
    becomes(&bed, ALARM_UNACKED);
    for (int i = 1; i <= 10; i++) {
        wait_ms(&bed, 1000);
        len += (size_t)snprintf(want + len, sizeof want - len, "raised>t%d ", i);
        CHECK_STR(buf_view(&bed.told), want);
    }
    end(&bed);
}

TEST(a_route_is_written_as_it_was_read)
{
    Bed bed;
    AlarmRoute route;
    Diag diag = {0};
    AUTO_BUF Buf text;
    JsonOut out;
    const char *whole =
        "{\"name\":\"night.1\",\"on\":\"acme/#\",\"alarms\":[\"p*\"],\"priorities\":[\"critical\","
        "\"low\"],\"when\":[\"raised\",\"out-of-service\"],\"to\":[\"a\",\"b\"],\"delay_ms\":1,"
        "\"repeat_ms\":2,\"repeat_max\":3,\"escalate_ms\":4,\"escalate_to\":\"c\",\"off\":true}";
    begin(&bed, NULL);
    CHECK_OK(read_route(&bed, whole, &route, &diag));
    buf_init(&text, 4096);
    json_out_init(&out, &text);
    alarm_route_write(&route, &out);
    CHECK_STR(buf_view(&text), whole);
    end(&bed);
}

TEST(what_is_wrong_with_a_route_is_said_with_its_field_first)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"to\":[\"a\"]}", "name is not a word"},
        {"{\"name\":\"1\",\"to\":[\"a\"]}", "name is not a word"},
        {"{\"name\":\"r\"}", "to holds no target"},
        {"{\"name\":\"r\",\"to\":\"a\"}", "to is not a list"},
        {"{\"name\":\"r\",\"to\":[7]}", "to holds something"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"priorities\":[\"urgent\"]}",
         "priorities holds \"urgent\""},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"when\":[\"repeated\"]}", "when holds \"repeated\""},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"delay_ms\":-1}", "delay_ms is not a whole number"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"delay_ms\":1.5}", "delay_ms is not a whole number"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"escalate_ms\":5}", "escalate_to is missing"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"escalate_to\":\"b\"}", "escalate_ms is missing"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"when\":[\"cleared\"],\"repeat_ms\":5}",
         "when does not hold"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"off\":1}", "off is not true or false"},
        {"{\"name\":\"r\",\"to\":[\"a\"],\"colour\":1}", "a route has no field colour"},
    };
    Bed bed;
    begin(&bed, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AlarmRoute route;
        Diag diag = {0};
        CHECK_INT(read_route(&bed, cases[i].json, &route, &diag), ST_INVALID);
        if (!str_starts(str_from(diag.text), str_from(cases[i].text)))
            print_error("%s: %s\n", cases[i].json, diag.text);
        CHECK(str_starts(str_from(diag.text), str_from(cases[i].text)));
    }
    end(&bed);
}
