/* runtime/modules/uns/uns_rules.c: how long history is kept: rules by pattern, and their upkeep.
 *
 * A rule names paths by a topic filter and says how long points, minutes and hours are kept; the
 * first that fits decides, the module's settings for the rest. Rules lie in the store and are read
 * by the job that needs them, so nothing is shared between threads. When a change makes roll-ups
 * wanted they are worked out from all points there are; when it makes them unwanted they go.
 *
 * Every minute the next thousand series are looked at. What is neither sealed nor rolled up yet is
 * never forgotten: it is sealed first, and the next round forgets it. */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "modules/uns/uns_alarm.h"
#include "mqtt/codec.h"
#include "series/roll.h"

#include <stdio.h>

enum { SERIES_PER_ROUND = 1000, RULES_ARENA_BYTES_MAX = 4 << 20, ROLL_MS = 20 };

typedef struct Rule {
    Str pattern;
    SeriesPolicy policy;
} Rule;

typedef struct Rules {
    Rule *list; /* the last one is for all the rest */
    uint32_t count;
} Rules;

/* ---- lengths of time as text ---- */

static const struct Unit {
    char name;
    int64_t ns;
} units[] = {{'y', 365 * (int64_t)86400000000000},
             {'d', (int64_t)86400000000000},
             {'h', (int64_t)3600000000000}};

/* "90d", "2y", "12h", "forever", "none". */
static bool keep_read(Str text, int64_t *ret_ns)
{
    int64_t count;
    if (str_is(text, "forever")) {
        *ret_ns = INT64_MAX;
        return true;
    }
    if (str_is(text, "none")) {
        *ret_ns = 0;
        return true;
    }
    if (text.len < 2 || !str_to_i64(str_slice(text.ptr, text.len - 1), &count) || count < 1)
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (units[i].name == text.ptr[text.len - 1])
            return !__builtin_mul_overflow(count, units[i].ns, ret_ns);
    return false;
}

static void keep_put(JsonOut *out, const char *name, int64_t ns)
{
    char room[32];
    size_t unit = COUNT_OF(units) - 1;
    if (!ns || ns == INT64_MAX) {
        json_field_text(out, name, ns ? "forever" : "none");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (ns % units[i].ns == 0) {
            unit = i;
            break;
        }
    (void)snprintf(room, sizeof room, "%lld%c", (long long)(ns / units[unit].ns), units[unit].name);
    json_field_text(out, name, room);
}

/* ---- rules of the store ---- */

static SeriesPolicy presets(const Uns *uns)
{
    const UnsConf *conf = uns_conf(uns);
    return (SeriesPolicy){uns_ns(conf->retention_ms),
                          {uns_ns(conf->minutes_retention_ms), uns_ns(conf->hours_retention_ms)}};
}

static Status rules_read(StoreConn *conn, Arena *arena, const SeriesPolicy *rest, Rules *ret,
                         Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    ret->list = arena_many(arena, Rule, UNS_RULES_MAX + 1);
    ret->count = 0;
    if (!ret->list) return diag_set(diag, ST_NO_MEMORY, "no memory for the rules of the history");
    Status st = store_prepare(conn,
                              "SELECT pattern, raw, minutes, hours FROM history_rules WHERE"
                              " place > 0 ORDER BY place",
                              &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row && ret->count < UNS_RULES_MAX) {
        Rule *rule = &ret->list[ret->count++];
        rule->pattern = arena_str(arena, store_str(stmt, 0));
        rule->policy = (SeriesPolicy){store_int(stmt, 1), {store_int(stmt, 2), store_int(stmt, 3)}};
        if (!rule->pattern.ptr) st = diag_set(diag, ST_NO_MEMORY, "no memory for the rules");
    }
    ret->list[ret->count++] = (Rule){STR("#"), *rest};
    return st;
}

static const SeriesPolicy *rule_for(const Rules *rules, Str path)
{
    uint32_t at = 0;
    while (at + 1 < rules->count && !mqtt_topic_match(rules->list[at].pattern, path)) at++;
    return &rules->list[at].policy;
}

/* SeriesPolicyFn; ctx is Rules. */
static Status policy_of(void *ctx, StoreConn *conn, int64_t series, SeriesPolicy *ret, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT path FROM series WHERE id = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    st = store_step(stmt, &row, diag);
    if (st) return st;
    *ret = *rule_for(ctx, row ? store_str(stmt, 0) : STR_NONE);
    if (row) store_reset(stmt);
    return ST_OK;
}

/* ---- rolling up and forgetting, as jobs ---- */

Status uns__roll(StoreConn *conn, Uns *uns, bool *ret_more, Diag *diag)
{
    if (uns->server) { /* they are on the server: the file holds only what is on its way */
        *ret_more = false;
        return store_exec(conn, "DELETE FROM series_stale", diag);
    }
    Rules rules;
    SeriesPolicy rest = presets(uns);
    int64_t until_ns = clock_monotonic_ns() + ROLL_MS * NS_PER_MS;
    Arena *arena = arena_new(4096, RULES_ARENA_BYTES_MAX);
    Status st = arena ? rules_read(conn, arena, &rest, &rules, diag) : ST_NO_MEMORY;
    *ret_more = true;
    while (!st && *ret_more && clock_monotonic_ns() < until_ns)
        st = series_roll(conn, uns->write_work, policy_of, &rules, ret_more, diag);
    arena_free(arena);
    return st;
}

typedef struct Trim {
    Uns *uns;
    int64_t after, now_ns; /* series up to `after` were looked at */
    bool wait, importing;
    UnsUpkeep *upkeep; /* of a server: filled here, worked on there; NULL = the file has it all */
} Trim;

void uns__upkeep_free(UnsUpkeep *round)
{
    if (round) arena_free(round->arena);
}

void uns__upkeep_policy(void *ctx, Str path, SeriesPolicy *ret_policy)
{
    const UnsUpkeep *round = ctx;
    *ret_policy = *rule_for(round->rules, path);
}

static UnsUpkeep *upkeep_new(const Trim *trim)
{
    Arena *arena = arena_new(4096, RULES_ARENA_BYTES_MAX);
    UnsUpkeep *round = arena ? arena_one(arena, UnsUpkeep) : NULL;
    Rules *rules = round ? arena_one(arena, Rules) : NULL;
    SeriesKeep *series = rules ? arena_many(arena, SeriesKeep, SERIES_PER_ROUND) : NULL;
    if (!series) {
        arena_free(arena);
        return NULL;
    }
    *round = (UnsUpkeep){.arena = arena,
                         .rules = rules,
                         .series = series,
                         .now_ns = trim->now_ns,
                         .importing = trim->importing};
    return round;
}

/* The next thousand series and what is kept of them. */
static Status next_series(StoreConn *conn, Trim *trim, const Rules *rules, SeriesKeep *list,
                          uint32_t *ret_count, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    *ret_count = 0;
    Status st = store_prepare(
        conn, "SELECT id, path FROM series WHERE id > ?1 ORDER BY id LIMIT ?2", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, trim->after);
    store_bind_int(stmt, 2, SERIES_PER_ROUND);
    while (!(st = store_step(stmt, &row, diag)) && row)
        list[(*ret_count)++] =
            (SeriesKeep){store_int(stmt, 0), *rule_for(rules, store_str(stmt, 1))};
    trim->after = *ret_count == SERIES_PER_ROUND ? list[*ret_count - 1].series : 0;
    return st;
}

static Status trim_series(StoreConn *conn, Trim *trim, const Rules *rules, Arena *arena, Diag *diag)
{
    SeriesKeep *list = arena_many(arena, SeriesKeep, SERIES_PER_ROUND);
    uint32_t count;
    if (!list) return diag_set(diag, ST_NO_MEMORY, "no memory to look after history");
    Status st = next_series(conn, trim, rules, list, &count, diag);
    for (uint32_t i = 0; i < count && !st; i++)
        st = series_forget(conn, list[i].series, &list[i].policy, trim->now_ns, &trim->wait, diag);
    if (!st && trim->wait) st = series_seal(conn, trim->uns->write_work, diag);
    return st;
}

static Status fill_upkeep(StoreConn *conn, Trim *trim, const SeriesPolicy *rest, Diag *diag)
{
    UnsUpkeep *round = trim->upkeep;
    Status st = rules_read(conn, round->arena, rest, round->rules, diag);
    for (uint32_t i = 0; i < round->rules->count && !st; i++) {
        const SeriesPolicy *policy = &round->rules->list[i].policy;
        if (policy->raw_ns > round->longest_ns) round->longest_ns = policy->raw_ns;
        for (int level = 0; level < SERIES_LEVELS; level++)
            if (policy->roll_ns[level] > round->rolls_longest_ns)
                round->rolls_longest_ns = policy->roll_ns[level];
    }
    return st ? st
              : next_series(conn, trim, round->rules, round->series, &round->series_count, diag);
}

static Status trim_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Trim *trim = ctx;
    Rules rules;
    SeriesPolicy rest = presets(trim->uns);
    Arena *arena = arena_new(4096, RULES_ARENA_BYTES_MAX);
    Status st = arena ? uns__series_work(&trim->uns->write_work, diag) : ST_NO_MEMORY;
    if (!st)
        st =
            uns__alarm_trim(conn, trim->now_ns / NS_PER_MS - uns_conf(trim->uns)->journal_ms, diag);
    if (!st && trim->upkeep) {
        st = fill_upkeep(conn, trim, &rest, diag);
    } else if (!st && !trim->importing) {
        st = rules_read(conn, arena, &rest, &rules, diag);
        if (!st) st = trim_series(conn, trim, &rules, arena, diag);
    }
    arena_free(arena);
    return st;
}

static void on_trim(void *ctx, Status status, const Diag *diag)
{
    Trim *trim = ctx;
    Uns *uns = trim->uns;
    if (status)
        log_warn(uns->env->log, "uns", "old samples stay", "reason=%s", diag ? diag->text : "");
    else
        uns->trimmed = trim->after;
    if (trim->upkeep && !status)
        uns__server_upkeep(uns, trim->upkeep);
    else
        uns__upkeep_free(trim->upkeep);
    uns__server_kick(uns, 0);
    if (trim->wait && !uns->draining) uns__tidy(uns);
    mem_free(trim);
    uns__job_done(uns);
}

/* While an import runs a bucket that is half there would be closed for the other half. */
void uns__trim(void *ctx)
{
    Uns *uns = ctx;
    bool importing = clock_monotonic_ns() < uns->import_until_ns;
    Trim *trim = uns->draining ? NULL : mem_alloc(sizeof *trim);
    if (!trim) return;
    *trim = (Trim){uns, uns->trimmed, clock_wall_ns(), false, importing, NULL};
    if (uns->server && !(trim->upkeep = upkeep_new(trim))) {
        mem_free(trim);
        return;
    }
    if (store_write(uns->env->store, trim_job, on_trim, trim)) {
        uns__upkeep_free(trim->upkeep);
        mem_free(trim);
    } else {
        uns->jobs++;
    }
}

/* ---- changes ---- */

static bool wants(const SeriesPolicy *policy, int level)
{
    return policy->roll_ns[level] != 0;
}

/* What a change of rules means for each series: marks, or roll-ups that go. */
static Status apply(StoreConn *conn, const Rules *old, const Rules *now, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    int64_t after = 0;
    for (;;) { /* one at a time: other statements of this table run between */
        Status st = store_prepare(
            conn, "SELECT id, path FROM series WHERE id > ?1 ORDER BY id LIMIT 1", &stmt, diag);
        if (st) return st;
        store_bind_int(stmt, 1, after);
        st = store_step(stmt, &row, diag);
        if (st || !row) return st;
        after = store_int(stmt, 0);
        const SeriesPolicy *was = rule_for(old, store_str(stmt, 1)),
                           *is = rule_for(now, store_str(stmt, 1));
        store_reset(stmt);
        bool begins = false, ends = false, wait = false;
        for (int level = 0; level < SERIES_LEVELS; level++) {
            begins = begins || (wants(is, level) && !wants(was, level));
            ends = ends || (!wants(is, level) && wants(was, level));
        }
        SeriesPolicy only_rolls = *is;
        only_rolls.raw_ns = INT64_MAX;
        if (ends) st = series_forget(conn, after, &only_rolls, clock_wall_ns(), &wait, diag);
        if (!st && begins) st = series_mark_all(conn, after, diag);
        if (st) return st;
    }
}

static Status rule_write(StoreConn *conn, int64_t place, const Rule *rule, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO history_rules(place, pattern, raw, minutes,"
                              " hours) VALUES(?1, ?2, ?3, ?4, ?5)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, place);
    store_bind_str(stmt, 2, rule->pattern);
    store_bind_int(stmt, 3, rule->policy.raw_ns);
    store_bind_int(stmt, 4, rule->policy.roll_ns[SERIES_MINUTES]);
    store_bind_int(stmt, 5, rule->policy.roll_ns[SERIES_HOURS]);
    return store_step(stmt, &row, diag);
}

/* At place 0 lies what the settings said the last time; written only when it is something else, so
 * that a start needs no room on the disk. */
static Status presets_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Uns *uns = ctx;
    Rules old, now;
    SeriesPolicy rest = presets(uns), was = rest;
    StoreStmt *stmt;
    bool row = false;
    Arena *arena = arena_new(4096, RULES_ARENA_BYTES_MAX);
    Status st = arena ? store_prepare(conn,
                                      "SELECT raw, minutes, hours FROM history_rules WHERE"
                                      " place = 0",
                                      &stmt, diag)
                      : ST_NO_MEMORY;
    if (!st) st = store_step(stmt, &row, diag);
    if (!st && row) {
        was = (SeriesPolicy){store_int(stmt, 0), {store_int(stmt, 1), store_int(stmt, 2)}};
        store_reset(stmt);
    }
    bool same = memcmp(&was, &rest, sizeof was) == 0;
    if (!st) st = rules_read(conn, arena, &was, &old, diag);
    if (!st) st = rules_read(conn, arena, &rest, &now, diag);
    if (!st && !same) st = apply(conn, &old, &now, diag);
    if (!st && !(row && same)) st = rule_write(conn, 0, &now.list[now.count - 1], diag);
    arena_free(arena);
    return st;
}

Status uns__rules_start(Uns *uns, Diag *diag)
{
    return store_run_now(uns->env->store, presets_job, uns, diag);
}

/* ---- ops ---- */

typedef struct Asked {
    Uns *uns;
    Req *req;
    Rules rules;
} Asked;

static void answer(Asked *asked)
{
    Buf body;
    JsonOut out;
    const Rules *rules = &asked->rules;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "rules");
    json_begin_array(&out);
    for (uint32_t i = 0; i < rules->count; i++) {
        if (i + 1 == rules->count) {
            json_end(&out);
            json_key(&out, "rest");
        }
        json_begin_object(&out);
        if (i + 1 < rules->count) json_field_str(&out, "pattern", rules->list[i].pattern);
        keep_put(&out, "raw", rules->list[i].policy.raw_ns);
        keep_put(&out, "minutes", rules->list[i].policy.roll_ns[SERIES_MINUTES]);
        keep_put(&out, "hours", rules->list[i].policy.roll_ns[SERIES_HOURS]);
        json_end(&out);
    }
    json_end(&out);
    req_answer_buf(asked->req, &body);
}

static void on_rules(void *ctx, Status status, const Diag *diag)
{
    Asked *asked = ctx;
    Uns *uns = asked->uns;
    if (status)
        req_fail(asked->req, status, "%s", diag ? diag->text : "");
    else
        answer(asked);
    if (!uns->draining) uns__tidy(uns); /* there may be marks */
    uns__job_done(uns);
}

static Status read_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Asked *asked = ctx;
    SeriesPolicy rest = presets(asked->uns);
    return rules_read(conn, asked->req->arena, &rest, &asked->rules, diag);
}

static Status set_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Asked *asked = ctx;
    Rules old;
    SeriesPolicy rest = presets(asked->uns);
    Status st = rules_read(conn, asked->req->arena, &rest, &old, diag);
    if (!st) st = store_exec(conn, "DELETE FROM history_rules WHERE place > 0", diag);
    for (uint32_t i = 0; i + 1 < asked->rules.count && !st; i++)
        st = rule_write(conn, i + 1, &asked->rules.list[i], diag);
    return st ? st : apply(conn, &old, &asked->rules, diag);
}

static Asked *asked_new(Uns *uns, Req *req)
{
    Asked *asked = arena_one(req->arena, Asked);
    if (!asked) {
        req_fail(req, ST_NO_MEMORY, "no memory for the rules");
        return NULL;
    }
    *asked = (Asked){.uns = uns, .req = req};
    return asked;
}

void uns__op_rules(void *self, Req *req)
{
    Uns *uns = self;
    Asked *asked = asked_new(uns, req);
    if (!asked) return;
    Status st = store_read(uns->env->store, read_job, on_rules, asked);
    if (st)
        req_fail(req, st, "too many questions at once");
    else
        uns->jobs++;
}

/* Reads one rule; says what is wrong with it. */
static bool rule_read(const Json *json, Rule *ret, Req *req, uint32_t number)
{
    static const char *const names[] = {"raw", "minutes", "hours"};
    int64_t *into[] = {&ret->policy.raw_ns, &ret->policy.roll_ns[SERIES_MINUTES],
                       &ret->policy.roll_ns[SERIES_HOURS]};
    Str group, filter;
    ret->pattern = json_str(json, "pattern", STR_NONE);
    if (ret->pattern.len > UNS_PATH_BYTES_MAX || !mqtt_filter_valid(ret->pattern) ||
        !mqtt_share_split(ret->pattern, &group, &filter) || group.len) {
        req_fail(req, ST_INVALID,
                 "rule %u: pattern \"%.*s\" is no pattern like acme/+/temp or "
                 "acme/#",
                 number, STR_ARG(ret->pattern));
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const Json *text = json_get(json, names[i]);
        if (text && text->type == JSON_STRING && keep_read(text->text, into[i])) continue;
        req_fail(req, ST_INVALID,
                 "rule %u: %s must be a time like \"12h\", \"90d\", \"2y\", or \"forever\" or "
                 "\"none\"",
                 number, names[i]);
        return false;
    }
    if (ret->policy.raw_ns || wants(&ret->policy, 0) || wants(&ret->policy, 1)) return true;
    req_fail(req, ST_INVALID, "rule %u keeps nothing: points, minutes or hours must be kept",
             number);
    return false;
}

void uns__op_rules_set(void *self, Req *req)
{
    Uns *uns = self;
    uint32_t number = 0;
    Asked *asked = asked_new(uns, req);
    if (!asked) return;
    Rules *rules = &asked->rules;
    rules->list = arena_many(req->arena, Rule, UNS_RULES_MAX + 1);
    if (!rules->list) {
        req_fail(req, ST_NO_MEMORY, "no memory for the rules");
        return;
    }
    for (const Json *each = json_get(req->in, "rules")->first; each; each = each->next)
        if (!rule_read(each, &rules->list[rules->count++], req, ++number)) return;
    rules->list[rules->count++] = (Rule){STR("#"), presets(uns)};
    Status st = store_write(uns->env->store, set_job, on_rules, asked);
    if (st)
        req_fail(req, st, "too many writes wait");
    else
        uns->jobs++;
}
