/* runtime/module/access.c: the rules about paths, compiled into an array that is walked in order.
 */
#include "module/access.h"

#include "base/arena.h"
#include "base/mem.h"
#include "module/role.h"
#include "mqtt/codec.h"

typedef enum RuleWho { WHO_EVERYONE, WHO_ANONYMOUS, WHO_USER, WHO_ROLE } RuleWho;

typedef struct Rule {
    RuleWho who;
    Str user;
    uint32_t role;
    uint32_t acts; /* bits of AccessAct */
    Str path;
    bool allow;
} Rule;

struct Access {
    Arena *arena; /* everything, this struct too */
    Rule *rules;
    uint32_t count;
};

/* ---- reading ---- */

static bool read_who(Arena *arena, Str text, Rule *rule)
{
    if (str_is(text, "everyone")) {
        rule->who = WHO_EVERYONE;
        return true;
    }
    if (str_is(text, "anonymous")) {
        rule->who = WHO_ANONYMOUS;
        return true;
    }
    if (str_starts(text, STR("user:"))) {
        rule->who = WHO_USER;
        rule->user = arena_str(arena, str_skip(text, 5));
        return rule->user.len > 0 && rule->user.len <= ACCESS_NAME_BYTES_MAX;
    }
    if (!str_starts(text, STR("role:"))) return false;
    const Role *role = role_named(str_skip(text, 5));
    rule->who = WHO_ROLE;
    if (role) rule->role = role->bit;
    return role != NULL;
}

static bool read_acts(Str text, Rule *rule)
{
    if (str_is(text, "read"))
        rule->acts = ACCESS_READ;
    else if (str_is(text, "write"))
        rule->acts = ACCESS_WRITE;
    else if (str_is(text, "read write"))
        rule->acts = ACCESS_READ | ACCESS_WRITE;
    return rule->acts != 0;
}

static Status read_rule(Arena *arena, const Json *item, uint32_t number, Rule *rule, Diag *diag)
{
    if (item->type != JSON_OBJECT)
        return diag_set(diag, ST_INVALID, "rule %u is not an object", number);
    for (const Json *field = item->first; field; field = field->next)
        if (!str_is(field->key, "who") && !str_is(field->key, "may") &&
            !str_is(field->key, "path") && !str_is(field->key, "allow"))
            return diag_set(diag, ST_INVALID,
                            "rule %u has \"%.*s\": there are who, may, path, allow", number,
                            STR_ARG(field->key));
    const Json *allow = json_get(item, "allow");
    Str who = json_str(item, "who", STR_NONE), may = json_str(item, "may", STR_NONE);
    Str path = json_str(item, "path", STR_NONE);
    if (!read_who(arena, who, rule))
        return diag_set(diag, ST_INVALID,
                        "rule %u is about \"%.*s\": write everyone, anonymous, user:NAME or "
                        "role:view, role:operate, role:engineer, role:admin",
                        number, STR_ARG(who));
    if (!read_acts(may, rule))
        return diag_set(diag, ST_INVALID,
                        "rule %u has may \"%.*s\": write read, write or \"read write\"", number,
                        STR_ARG(may));
    if (!mqtt_filter_valid(path) || path.len > ACCESS_PATH_BYTES_MAX ||
        mqtt_levels(path) > MQTT_LEVELS_MAX)
        return diag_set(diag, ST_INVALID,
                        "the path of rule %u is no topic filter of at most %d bytes", number,
                        ACCESS_PATH_BYTES_MAX);
    if (allow && allow->type != JSON_TRUE && allow->type != JSON_FALSE)
        return diag_set(diag, ST_INVALID, "allow of rule %u is true or false", number);
    rule->allow = json_bool(item, "allow", true);
    rule->path = arena_str(arena, path);
    return rule->path.ptr ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for the rules");
}

Status access_read(const Json *rules, Access **ret_access, Diag *diag)
{
    if (!rules || rules->type != JSON_ARRAY)
        return diag_set(diag, ST_INVALID, "the rules are not a list");
    if (rules->count > ACCESS_RULES_MAX)
        return diag_set(diag, ST_LIMIT, "at most %d rules, these are %u", ACCESS_RULES_MAX,
                        (unsigned)rules->count);
    Arena *arena = arena_new(0, 0);
    Access *access = arena ? arena_one(arena, Access) : NULL;
    if (access) access->rules = arena_many(arena, Rule, rules->count + 1);
    if (!access || !access->rules) {
        arena_free(arena);
        return diag_set(diag, ST_NO_MEMORY, "no memory for the rules");
    }
    access->arena = arena;
    for (const Json *item = rules->first; item; item = item->next) {
        Rule *rule = &access->rules[access->count];
        *rule = (Rule){0};
        Status st = read_rule(arena, item, access->count + 1, rule, diag);
        if (st) {
            arena_free(arena);
            return st;
        }
        access->count++;
    }
    *ret_access = access;
    return ST_OK;
}

void access_free(Access *access)
{
    if (access) arena_free(access->arena);
}

/* ---- deciding ---- */

typedef struct Levels {
    Str rest;
    bool more;
} Levels;

static Str next_level(Levels *levels)
{
    ptrdiff_t slash = str_find_char(levels->rest, '/');
    Str level = slash < 0 ? levels->rest : str_slice(levels->rest.ptr, (size_t)slash);
    levels->more = slash >= 0;
    levels->rest = str_skip(levels->rest, slash < 0 ? levels->rest.len : (size_t)slash + 1);
    return level;
}

/* What a level of the rule stands for. A name that could be a wildcard or more than a level
 * stands for nothing: false. */
static bool stands_for(Str level, const AccessWho *who, Str *ret_name)
{
    *ret_name = level;
    if (!str_is(level, "%u") && !str_is(level, "%c")) return true;
    *ret_name = level.ptr[1] == 'u' ? who->user : who->client_id;
    return ret_name->len && str_find_char(*ret_name, '/') < 0 &&
           str_find_char(*ret_name, '+') < 0 && str_find_char(*ret_name, '#') < 0;
}

/* True when every topic that `wanted` matches is matched by the rule's path; for a topic name,
 * which is a filter without wildcards, when the path matches it. */
static bool covers(Str path, const AccessWho *who, Str wanted)
{
    bool wild = path.len && (path.ptr[0] == '+' || path.ptr[0] == '#');
    if (wild && wanted.len && wanted.ptr[0] == '$') return false;
    Levels ours = {path, true}, theirs = {wanted, true};
    while (ours.more) {
        Str name, level = next_level(&ours);
        if (str_is(level, "#")) return true;
        if (!theirs.more) return false;
        Str their = next_level(&theirs);
        if (str_is(their, "#")) return false;
        if (!str_is(level, "+") &&
            (str_is(their, "+") || !stands_for(level, who, &name) || !str_eq(name, their)))
            return false;
        /* "a/#" is about "a" too. */
        if (!theirs.more && ours.more && str_is(ours.rest, "#")) return true;
    }
    return !theirs.more;
}

static bool is_about(const Rule *rule, const AccessWho *who)
{
    switch (rule->who) {
    case WHO_EVERYONE: return true;
    case WHO_ANONYMOUS: return !who->user.len;
    case WHO_USER: return str_eq(rule->user, who->user);
    case WHO_ROLE: return who->user.len && who->roles & rule->role;
    }
    return false;
}

AccessAnswer access_may(const Access *access, const AccessWho *who, AccessAct act, Str path)
{
    for (uint32_t i = 0; access && i < access->count; i++) {
        const Rule *rule = &access->rules[i];
        if (rule->acts & act && is_about(rule, who) && covers(rule->path, who, path))
            return (AccessAnswer){rule->allow, i + 1};
    }
    return (AccessAnswer){false, 0};
}

bool access_all(const Access *access, const AccessWho *who, AccessAct act)
{
    for (uint32_t i = 0; access && i < access->count; i++) {
        const Rule *rule = &access->rules[i];
        if (!(rule->acts & act) || !is_about(rule, who)) continue;
        if (!rule->allow) return false; /* cuts something out, or all of it */
        if (str_is(rule->path, "#")) return true;
    }
    return false;
}
