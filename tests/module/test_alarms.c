/* tests/module/test_alarms.c: alarms of the namespace: rules over paths, acts, journal, restart.
 *
 * What a state should be is read off the diagram of ISA-18.2 (tests/alarm has the whole of it);
 * here it is about paths, people and the disk. */
#include "uns_bed.h"

#include "base/clock.h"

#include <stdio.h>

static const Json *put(UnsBed *bed, const char *rule)
{
    return ask(bed, "uns.alarm_put", rule);
}

static const BusCaller operator_ = {.user = {"u-eva", 5}, .roles = ROLE_VIEW | ROLE_OPERATE};

/* The state of one alarm; "" when it is not there. */
static Str state_of(UnsBed *bed, const char *rule, const char *path)
{
    const Json *all = json_get(ask(bed, "uns.alarms", "{\"state\":\"all\"}"), "alarms");
    for (const Json *each = all->first; each; each = each->next)
        if (str_is(json_str(each, "rule", STR_NONE), rule) &&
            str_is(json_str(each, "path", STR_NONE), path))
            return json_str(each, "state", STR_NONE);
    return STR_NONE;
}

static const Json *act(UnsBed *bed, const char *what, const char *rule, const char *path)
{
    char body[400];
    (void)snprintf(body, sizeof body,
                   "{\"act\":\"%s\",\"alarms\":[{\"rule\":\"%s\",\"path\":\"%s\"}],"
                   "\"text\":\"seen\",\"until\":%lld}",
                   what, rule, path, (long long)(clock_wall_ns() / NS_PER_MS + 600000));
    CHECK_OK(bed_ask_as(&bed->mod, &operator_, "uns.alarm_act", body));
    return bed->mod.json;
}

static const char hot[] = "{\"name\":\"hot\",\"on\":\"plant/+/temp\",\"when\":{\"above\":80},"
                          "\"priority\":\"high\",\"message\":\"{path} at {value}, {odd}\"}";

TEST(a_rule_finds_paths_that_are_there_and_that_come)
{
    UnsBed bed;
    uns_begin(&bed);
    publish(&bed, "plant/a/temp", "81");
    put(&bed, hot);
    publish(&bed, "plant/b/temp", "79");
    publish(&bed, "plant/b/speed", "99");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "unacknowledged");
    CHECK_STR(state_of(&bed, "hot", "plant/b/temp"), "normal");
    CHECK_STR(state_of(&bed, "hot", "plant/b/speed"), "");
    publish(&bed, "plant/b", "{\"temp\":{\"value\":90,\"quality\":\"good\"}}");
    const Json *all = ask(&bed, "uns.alarms", "{}");
    CHECK_INT((int)json_int(all, "total", 0), 2);
    CHECK_INT((int)json_int(json_get(all, "standing"), "high", 0), 2);
    const Json *rows = json_get(all, "alarms"); /* both may be of one millisecond */
    bool first = str_is(json_str(json_at(rows, 0), "path", STR_NONE), "plant/b/temp");
    CHECK_STR(json_str(json_at(rows, first ? 0 : 1), "message", STR_NONE),
              "plant/b/temp at 90, {odd}");
    CHECK_INT((int)json_int(ask(&bed, "uns.alarms", "{\"prefix\":\"plant/a\"}"), "total", 0), 1);
    CHECK_INT((int)json_int(ask(&bed, "uns.alarms", "{\"priority\":\"low\"}"), "total", 9), 0);
    uns_end(&bed);
}

/* The most urgent first, of those the newest. */
TEST(the_list_is_in_order_of_priority_then_time)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, "{\"name\":\"low\",\"on\":\"#\",\"when\":{\"above\":0},\"priority\":\"low\"}");
    put(&bed, "{\"name\":\"top\",\"on\":\"+\",\"when\":{\"above\":5},\"priority\":\"critical\"}");
    publish(&bed, "a", "6");
    (void)state_of(&bed, "low", "a"); /* a turn of the loop */
    publish(&bed, "b", "1");
    const Json *list = json_get(ask(&bed, "uns.alarms", "{}"), "alarms");
    CHECK_INT((int)list->count, 3);
    CHECK_STR(json_str(json_at(list, 0), "rule", STR_NONE), "top");
    CHECK_STR(json_str(json_at(list, 0), "priority", STR_NONE), "critical");
    CHECK(json_int(json_at(list, 1), "since", 0) >= json_int(json_at(list, 2), "since", 0));
    CHECK(json_bool(ask(&bed, "uns.alarms", "{\"limit\":2}"), "more", false));
    uns_end(&bed);
}

TEST(acts_are_told_refused_and_in_the_journal)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    publish(&bed, "plant/a/temp", "81");
    CHECK_INT((int)json_int(act(&bed, "acknowledge", "hot", "plant/a/temp"), "done", 0), 1);
    const Json *refused = json_get(act(&bed, "acknowledge", "hot", "plant/a/temp"), "refused");
    CHECK_STR(json_str(json_at(refused, 0), "reason", STR_NONE),
              "the alarm is acknowledged: there is nothing to acknowledge");
    refused = json_get(act(&bed, "acknowledge", "hot", "plant/x/temp"), "refused");
    CHECK_STR(json_str(json_at(refused, 0), "reason", STR_NONE), "there is no such alarm");
    publish(&bed, "plant/a/temp", "70");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "normal");
    (void)act(&bed, "shelve", "hot", "plant/a/temp"); /* answered when all before is on the disk */
    const Json *entries = json_get(ask(&bed, "uns.alarm_journal", "{\"rule\":\"hot\"}"), "entries");
    static const char *const want[][3] = {{"normal", "shelved", "u-eva"},
                                          {"acknowledged", "normal", ""},
                                          {"unacknowledged", "acknowledged", "u-eva"},
                                          {"normal", "unacknowledged", ""}};
    CHECK_INT((int)entries->count, COUNT_OF(want));
    for (uint32_t i = 0; i < COUNT_OF(want); i++) {
        CHECK_STR(json_str(json_at(entries, i), "from", STR_NONE), want[i][0]);
        CHECK_STR(json_str(json_at(entries, i), "to", STR_NONE), want[i][1]);
        CHECK_STR(json_str(json_at(entries, i), "who", STR_NONE), want[i][2]);
    }
    CHECK(json_number(json_at(entries, 3), "value", 0) == 81);
    CHECK_STR(json_str(json_at(entries, 2), "text", STR_NONE), "seen");
    char older[64];
    (void)snprintf(older, sizeof older, "{\"before\":%lld,\"limit\":1}",
                   (long long)json_int(json_at(entries, 1), "id", 0));
    const Json *page = ask(&bed, "uns.alarm_journal", older);
    CHECK_STR(json_str(json_at(json_get(page, "entries"), 0), "to", STR_NONE), "acknowledged");
    CHECK(json_bool(page, "more", false));
    page = ask(&bed, "uns.alarm_journal", "{\"prefix\":\"plant/b\"}");
    CHECK_INT((int)json_get(page, "entries")->count, 0);
    uns_end(&bed);
}

static void check_refused(UnsBed *bed, const char *body, Status status, const char *text)
{
    CHECK_INT(bed_ask_as(&bed->mod, &operator_, "uns.alarm_act", body), status);
    CHECK(str_find(bed->mod.body, str_from(text)) >= 0);
}

TEST(who_may_do_what_and_for_how_long)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    publish(&bed, "plant/a/temp", "81");
    check_refused(&bed, "{\"act\":\"suppress\",\"alarms\":[{}]}", ST_FORBIDDEN, "an engineer");
    check_refused(&bed, "{\"act\":\"remove-from-service\",\"alarms\":[{}]}", ST_FORBIDDEN,
                  "an engineer");
    check_refused(&bed, "{\"act\":\"shelve\",\"alarms\":[{}],\"text\":\"x\",\"until\":5}",
                  ST_INVALID, "within the next 480 minutes");
    check_refused(&bed, "{\"act\":\"forget\",\"alarms\":[{}]}", ST_INVALID, "no such act");
    char body[160];
    (void)snprintf(body, sizeof body, "{\"act\":\"shelve\",\"alarms\":[{}],\"until\":%lld}",
                   (long long)(clock_wall_ns() / NS_PER_MS + 60000));
    check_refused(&bed, body, ST_INVALID, "needs a reason");
    ask(&bed, "uns.alarm_act",
        "{\"act\":\"suppress\",\"alarms\":[{\"rule\":\"hot\",\"path\":\"plant/a/temp\"}]}");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "suppressed");
    CHECK_INT((int)json_int(json_get(ask(&bed, "uns.alarms", "{}"), "states"), "suppressed", 0), 1);
    uns_end(&bed);
}

TEST(states_rules_and_journal_survive_a_restart)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    put(&bed, "{\"name\":\"old\",\"on\":\"plant/#\",\"when\":{\"stale_ms\":86400000}}");
    publish(&bed, "plant/a/temp", "81");
    publish(&bed, "plant/b/temp", "81");
    publish(&bed, "plant/c/temp", "20");
    (void)act(&bed, "acknowledge", "hot", "plant/a/temp");
    (void)act(&bed, "shelve", "old", "plant/b/temp");
    uns_drain_host(&bed);
    uns_host(&bed);
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "acknowledged");
    CHECK_STR(state_of(&bed, "hot", "plant/b/temp"), "unacknowledged");
    CHECK_STR(state_of(&bed, "old", "plant/b/temp"), "shelved");
    CHECK_STR(state_of(&bed, "hot", "plant/c/temp"), "normal");
    CHECK_INT((int)json_int(json_get(ask(&bed, "uns.alarms", "{}"), "standing"), "high", 0), 2);
    CHECK_INT((int)json_get(ask(&bed, "uns.alarm_journal", "{}"), "entries")->count, 4);
    publish(&bed, "plant/a/temp", "20");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "normal");
    uns_end(&bed);
}

TEST(a_rule_is_changed_and_goes)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    publish(&bed, "plant/a/temp", "81");
    put(&bed, "{\"name\":\"hot\",\"on\":\"plant/a/temp\",\"when\":{\"above\":90}}");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "returned"); /* judged by the new limit */
    publish(&bed, "plant/b/temp", "99");
    CHECK_STR(state_of(&bed, "hot", "plant/b/temp"), "");
    const Json *rules = json_get(ask(&bed, "uns.alarm_rules", "{}"), "rules");
    CHECK_INT((int)rules->count, 1);
    CHECK(json_number(json_get(json_get(json_at(rules, 0), "alarm"), "when"), "above", 0) == 90);
    ask(&bed, "uns.alarm_drop", "{\"name\":\"hot\"}");
    CHECK_STR(state_of(&bed, "hot", "plant/a/temp"), "");
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_drop", "{\"name\":\"hot\"}"), ST_NOT_FOUND);
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_put",
                      "{\"name\":\"x\",\"on\":\"a/#/+\",\"when\":{\"above\":1}}"),
              ST_INVALID);
    uns_drain_host(&bed);
    uns_host(&bed);
    CHECK_INT((int)json_get(ask(&bed, "uns.alarm_rules", "{}"), "rules")->count, 0);
    uns_end(&bed);
}

TEST(a_program_owns_its_rules)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    ask(&bed, "uns.alarm_declare",
        "{\"origin\":\"program press\",\"alarms\":["
        "{\"name\":\"p1\",\"on\":\"x\",\"when\":{\"above\":1}},"
        "{\"name\":\"p2\",\"on\":\"x\",\"when\":{\"below\":1}}]}");
    publish(&bed, "x", "2");
    (void)act(&bed, "acknowledge", "p1", "x");
    ask(&bed, "uns.alarm_declare",
        "{\"origin\":\"program press\",\"alarms\":["
        "{\"name\":\"p1\",\"on\":\"x\",\"when\":{\"above\":1.5}}]}");
    CHECK_STR(state_of(&bed, "p1", "x"), "acknowledged"); /* the state goes over */
    CHECK_STR(state_of(&bed, "p2", "x"), "");
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_drop", "{\"name\":\"p1\"}"), ST_CONFLICT);
    CHECK(str_find(bed.mod.body, STR("declared by the program press")) >= 0);
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_declare",
                      "{\"origin\":\"oven\",\"alarms\":["
                      "{\"name\":\"hot\",\"on\":\"x\",\"when\":{\"above\":1}}]}"),
              ST_CONFLICT);
    ask(&bed, "uns.alarm_declare", "{\"origin\":\"program press\",\"alarms\":[]}");
    CHECK_INT((int)json_get(ask(&bed, "uns.alarm_rules", "{}"), "rules")->count, 1);
    uns_end(&bed);
}

TEST(a_rule_may_have_several_filters_and_names_behind_the_hash)
{
    static const char *const fits[] = {"a/x/temp", "b/temp", "b/c/d/temp", "z"};
    static const char *const others[] = {"a/temp", "b", "b/c/temperature", "b/ctemp", "z/temp"};
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, "{\"name\":\"m\",\"on\":[\"a/+/temp\",\"b/#/temp\",\"z\"],\"when\":{\"above\":1}}");
    for (size_t i = 0; i < COUNT_OF(fits); i++) publish(&bed, fits[i], "2");
    for (size_t i = 0; i < COUNT_OF(others); i++) publish(&bed, others[i], "2");
    for (size_t i = 0; i < COUNT_OF(fits); i++)
        CHECK_STR(state_of(&bed, "m", fits[i]), "unacknowledged");
    for (size_t i = 0; i < COUNT_OF(others); i++) CHECK_STR(state_of(&bed, "m", others[i]), "");
    put(&bed, "{\"name\":\"any\",\"on\":\"#/temp\",\"when\":{\"above\":1}}");
    publish(&bed, "temp", "2");
    CHECK_STR(state_of(&bed, "any", "temp"), "unacknowledged");
    CHECK_STR(state_of(&bed, "any", "b/c/d/temp"), "unacknowledged");
    CHECK_STR(state_of(&bed, "any", "b/ctemp"), "");
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_put",
                      "{\"name\":\"x\",\"on\":[\"a\",\"b/#/c#\"],\"when\":{\"above\":1}}"),
              ST_INVALID);
    CHECK_INT(
        bed_ask(&bed.mod, "uns.alarm_put", "{\"name\":\"x\",\"on\":[],\"when\":{\"above\":1}}"),
        ST_INVALID);
    uns_drain_host(&bed);
    uns_host(&bed);
    CHECK_STR(state_of(&bed, "m", "b/temp"), "unacknowledged"); /* after a restart too */
    uns_end(&bed);
}

/* Named rNNN, above `limit`. */
static void declare_many(UnsBed *bed, int count, int limit)
{
    Buf body;
    buf_init(&body, 1 << 20);
    buf_text(&body, "{\"origin\":\"program many\",\"alarms\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&body, "%s{\"name\":\"r%d\",\"on\":\"x\",\"when\":{\"above\":%d}}", i ? "," : "",
                   i, limit);
    buf_text(&body, "]}");
    buf_char(&body, 0);
    ask(bed, "uns.alarm_declare", body.ptr);
    buf_done(&body);
}

/* 1,000 rules are the limit: a version that replaces them all does not count twice. */
TEST(a_version_replaces_as_many_rules_as_there_may_be)
{
    UnsBed bed;
    uns_begin(&bed);
    declare_many(&bed, 1000, 1);
    declare_many(&bed, 1000, 2);
    CHECK_INT((int)json_get(ask(&bed, "uns.alarm_rules", "{}"), "rules")->count, 1000);
    CHECK_INT(bed_ask(&bed.mod, "uns.alarm_put", hot), ST_LIMIT);
    declare_many(&bed, 999, 2);
    put(&bed, hot);
    uns_end(&bed);
}

/* Twelve at once are a flood (ISA-18.2: more than ten in ten minutes); the worst is named. */
TEST(floods_and_the_worst_are_counted)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, hot);
    for (int i = 0; i < 9; i++) {
        char topic[32];
        (void)snprintf(topic, sizeof topic, "plant/%d/temp", i);
        publish(&bed, topic, "81");
    }
    for (int i = 0; i < 2; i++) {
        publish(&bed, "plant/3/temp", "20");
        publish(&bed, "plant/3/temp", "81");
        if (i) break;
        (void)act(&bed, "acknowledge", "hot", "plant/0/temp");
        CHECK(!json_bool(ask(&bed, "uns.alarm_stats", "{}"), "flood", true));
    }
    (void)act(&bed, "acknowledge", "hot", "plant/1/temp");
    const Json *stats = ask(&bed, "uns.alarm_stats", "{}");
    CHECK_INT((int)json_int(stats, "ten_minutes", 0), 11);
    CHECK(json_bool(stats, "flood", false));
    const Json *worst = json_at(json_get(stats, "worst"), 0);
    CHECK_STR(json_str(worst, "path", STR_NONE), "plant/3/temp");
    CHECK_INT((int)json_int(worst, "count", 0), 3);
    CHECK_INT((int)json_get(stats, "per_hour")->count, 24);
    CHECK_INT((int)json_at(json_get(stats, "per_hour"), 23)->integer, 11);
    uns_end(&bed);
}

/* An alarm by time alone: the module's own timer. */
static void on_news(void *ctx, const BusMsg *msg)
{
    (void)msg;
    ++*(int *)ctx;
}

TEST(what_is_due_comes_by_itself_and_is_told)
{
    UnsBed bed;
    BusSub *sub;
    int told = 0;
    uns_begin(&bed);
    CHECK_OK(bus_subscribe(bed.mod.bus, "uns.alarms_changed", NULL, 16, 0, on_news, &told, &sub));
    put(&bed, "{\"name\":\"old\",\"on\":\"a\",\"when\":{\"stale_ms\":20}}");
    publish(&bed, "a", "1");
    told = 0;
    while (!str_is(state_of(&bed, "old", "a"), "unacknowledged") || !told) {
        CHECK(!bed.mod.late); /* each question turns the loop */
    }
    bus_unsubscribe(sub);
    uns_end(&bed);
}

/* A point lends the path of its node, which a rename frees: the sanitizer looks over this. */
TEST(alarms_go_along_with_a_branch_that_is_renamed)
{
    UnsBed bed;
    uns_begin(&bed);
    put(&bed, "{\"name\":\"all\",\"on\":\"#\",\"when\":{\"above\":80},\"priority\":\"high\"}");
    put(&bed, "{\"name\":\"was\",\"on\":\"a/#\",\"when\":{\"above\":80},\"priority\":\"high\"}");
    put(&bed, "{\"name\":\"is\",\"on\":\"b/#\",\"when\":{\"above\":80},\"priority\":\"high\"}");
    publish(&bed, "a/x/temp", "90");
    ask(&bed, "uns.rename", "{\"from\":\"a\",\"to\":\"b/c\"}");
    CHECK_STR(state_of(&bed, "all", "b/c/x/temp"), "unacknowledged");
    CHECK_STR(state_of(&bed, "is", "b/c/x/temp"), "unacknowledged");
    CHECK_INT((int)json_int(ask(&bed, "uns.alarms", "{}"), "total", 0), 2);
    publish(&bed, "b/c/x/temp", "20");
    publish(&bed, "a/x/temp", "90");
    CHECK_INT((int)json_int(ask(&bed, "uns.alarms", "{}"), "total", 0), 4);
    uns_end(&bed);
}
