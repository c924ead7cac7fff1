/* runtime/modules/mqtt/rights.c: what a session may publish, subscribe to and receive.
 *
 * Asked for every message, so it is a look-up in memory: the roles of a user by name, then the
 * rules. Most people may read or write everything; that is worked out when rules or users change.
 */
#include "modules/mqtt/mqtt_int.h"

#include "base/mem.h"

#include <stdio.h>

enum { ASK_MS = 10000 };

bool door__may(void *ctx, Str client_id, Str user, MqttAction action, Str topic)
{
    const Door *door = ctx;
    bool own = topic.len && topic.ptr[0] == '$';
    if (own && action == MQTT_MAY_PUBLISH) return false; /* the broker's own topics */
    AccessAct act = action == MQTT_MAY_PUBLISH ? ACCESS_WRITE : ACCESS_READ;
    const Person *person = user.len ? map_get(&door->people, user) : &door->nobody;
    if (!person) return false; /* was removed */
    if (person->all & act && !own) return true;
    AccessWho who = {.user = user, .client_id = client_id, .roles = person->roles};
    return access_may(door->access, &who, act, topic).allowed;
}

static void work_out(const Door *door, Person *person)
{
    AccessWho who = {.user = str_from(person->name), .roles = person->roles};
    person->all = 0;
    if (access_all(door->access, &who, ACCESS_READ)) person->all |= ACCESS_READ;
    if (access_all(door->access, &who, ACCESS_WRITE)) person->all |= ACCESS_WRITE;
}

static void work_out_all(Door *door)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&door->people, &at));) work_out(door, slot->value);
    work_out(door, &door->nobody);
}

/* ---- the rules ---- */

static void take_rules(Door *door, Status status, Str body)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    Access *access = NULL;
    Diag diag = {0};
    if (status)
        diag_set(&diag, status, "%.*s", STR_ARG(body));
    else if (!arena)
        diag_set(&diag, ST_NO_MEMORY, "no memory");
    else if (!json_read(arena, body, &json, &diag))
        (void)!access_read(json_get(json, "rules"), &access, &diag);
    arena_free(arena);
    if (!access)
        log_error(door->env->log, "mqtt",
                  "the rules about paths were not read: nobody may do anything", "error=%s",
                  diag.text);
    access_free(door->access);
    door->access = access;
    work_out_all(door);
}

static void on_rules(void *ctx, Status status, Str body)
{
    Door *door = door__asking_end(ctx);
    if (door) take_rules(door, status, body);
    mem_free(ctx);
}

void door__ask_rules(Door *door)
{
    Asking *asking = door__asking_new(door, sizeof *asking);
    Status st = ST_NO_MEMORY;
    if (asking)
        st = bus_request(door->env->bus, STR("authz.rules"), STR("{}"), NULL, ASK_MS, on_rules,
                         asking);
    if (!st) return;
    if (asking) (void)door__asking_end(asking);
    mem_free(asking);
    take_rules(door, st, str_from(status_text(st)));
}

/* ---- the users ---- */

uint32_t door__roles(const Json *user)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {{"view", ROLE_VIEW},
                 {"operate", ROLE_OPERATE},
                 {"engineer", ROLE_ENGINEER},
                 {"admin", ROLE_ADMIN}};
    uint32_t roles = 0;
    const Json *list = json_get(user, "roles");
    for (const Json *item = list ? list->first : NULL; item; item = item->next)
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (str_is(item->text, names[i].name)) roles |= names[i].bit;
    return roles;
}

static void people_done(Map *people)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(people, &at));) mem_free(slot->value);
    map_done(people);
}

static Status people_read(const Json *users, Map *people)
{
    Status st = users && users->type == JSON_ARRAY ? ST_OK : ST_INVALID;
    for (const Json *user = st ? NULL : users->first; user && !st; user = user->next) {
        Person *person = mem_zalloc(1, sizeof *person);
        if (!person) return ST_NO_MEMORY;
        Str name = json_str(user, "name", STR_NONE), id = json_str(user, "id", STR_NONE);
        (void)snprintf(person->name, sizeof person->name, "%.*s", STR_ARG(name));
        (void)snprintf(person->id, sizeof person->id, "%.*s", STR_ARG(id));
        person->roles = door__roles(user);
        st = map_put(people, str_from(person->name), person);
        if (st) mem_free(person);
    }
    return st;
}

static bool is_of(void *ctx, const MqttClientInfo *info)
{
    return str_is(info->user, ((const Person *)ctx)->name);
}

void door__end_of(Door *door, Str user_id)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&door->people, &at));)
        if (str_is(user_id, ((Person *)slot->value)->id))
            (void)mqtt_broker_end(door->env->broker, false, is_of, slot->value);
}

static bool is_gone(void *ctx, const MqttClientInfo *info)
{
    const Door *door = ctx;
    return info->user.len && !map_get(&door->people, info->user);
}

static void take_people(Door *door, Status status, Str body)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    Map people;
    map_init(&people, DOOR_PEOPLE_MAX);
    if (!status) status = arena ? json_read(arena, body, &json, NULL) : ST_NO_MEMORY;
    if (!status) status = people_read(json_get(json, "users"), &people);
    arena_free(arena);
    if (status) { /* what was known stays: a removed user's password fails anyway */
        log_error(door->env->log, "mqtt", "the users were not read", "error=%s",
                  status_text(status));
        people_done(&people);
        return;
    }
    people_done(&door->people);
    door->people = people;
    door->people_read = true;
    work_out_all(door);
    uint32_t ended = mqtt_broker_end(door->env->broker, true, is_gone, door);
    if (ended)
        log_info(door->env->log, "mqtt", "sessions of removed users are ended", "sessions=%u",
                 ended);
}

static void on_people(void *ctx, Status status, Str body)
{
    Door *door = door__asking_end(ctx);
    if (door) take_people(door, status, body);
    mem_free(ctx);
}

void door__ask_people(Door *door)
{
    Asking *asking = door__asking_new(door, sizeof *asking);
    Status st = ST_NO_MEMORY;
    if (asking)
        st = bus_request(door->env->bus, STR("auth.users"), STR("{}"), NULL, ASK_MS, on_people,
                         asking);
    if (!st) return;
    if (asking) (void)door__asking_end(asking);
    mem_free(asking);
    take_people(door, st, STR_NONE);
}

void door__rights_done(Door *door)
{
    people_done(&door->people);
    access_free(door->access);
}
