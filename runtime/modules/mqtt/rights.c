/* runtime/modules/mqtt/rights.c: what a session may publish, subscribe to and receive.
 *
 * Asked for every message, so it is a look-up in memory: the roles of a user by name, then the
 * rules. Most people may read or write everything; that is worked out when rules or users change.
 */
#include "modules/mqtt/mqtt_int.h"

#include "base/mem.h"
#include "module/role.h"
#include "mqtt/codec.h"

#include <stdio.h>

enum { ASK_MS = 10000, AGAIN_MS = 1000 };

bool door__may(void *ctx, Str client_id, Str user, MqttAction action, Str topic)
{
    const Door *door = ctx;
    bool own = topic.len && topic.ptr[0] == '$'; /* the broker's own topics */
    if (own && action == MQTT_MAY_PUBLISH && !mqtt_is_bridge_state(topic)) return false;
    AccessAct act = action == MQTT_MAY_PUBLISH ? ACCESS_WRITE : ACCESS_READ;
    const Person *person = user.len ? map_get(&door->people, user) : &door->nobody;
    if (!person) return false; /* was removed */
    if (person->all & act && (!own || act == ACCESS_WRITE)) return true;
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

/* ---- asking another module ---- */

typedef void TakeFn(Door *door, Status status, Str body);

typedef struct Question {
    Asking asking;
    TakeFn *take;
} Question;

static void on_answer(void *ctx, Status status, Str body)
{
    Question *question = ctx;
    Door *door = door__asking_end(&question->asking);
    if (door) question->take(door, status, body);
    mem_free(question);
}

static void ask(Door *door, Str subject, TakeFn *take)
{
    Question *question = door__asking_new(door, sizeof *question);
    Status st = ST_NO_MEMORY;
    if (question) {
        question->take = take;
        st = bus_request(door->env->bus, subject, STR("{}"), NULL, ASK_MS, on_answer, question);
    }
    if (!st) return;
    if (question) (void)door__asking_end(&question->asking);
    mem_free(question);
    take(door, st, str_from(status_text(st)));
}

static void on_again(void *ctx)
{
    Door *door = ctx;
    if (!door->access) door__ask_rules(door);
    if (door->people_stale) door__ask_people(door);
}

/* A start that took long (a large file that was damaged) leaves no time for the answer. */
static void again_later(Door *door)
{
    if (loop_once(door->env->loop, AGAIN_MS, on_again, door, &door->again_timer))
        log_error(door->env->log, "mqtt", "no timer: rules and users are not asked for again", "%s",
                  "");
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
    if (!access) again_later(door);
    access_free(door->access);
    door->access = access;
    work_out_all(door);
}

void door__ask_rules(Door *door)
{
    ask(door, STR("authz.rules"), take_rules);
}

/* ---- the users ---- */

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
        person->roles = roles_listed(json_get(user, "roles"));
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
        door->people_stale = true;
        again_later(door);
        return;
    }
    people_done(&door->people);
    door->people = people;
    door->people_read = true;
    door->people_stale = false;
    work_out_all(door);
    uint32_t ended = mqtt_broker_end(door->env->broker, true, is_gone, door);
    if (ended)
        log_info(door->env->log, "mqtt", "sessions of removed users are ended", "sessions=%u",
                 ended);
}

void door__ask_people(Door *door)
{
    ask(door, STR("auth.users"), take_people);
}

void door__rights_done(Door *door)
{
    loop_once_stop(&door->again_timer);
    people_done(&door->people);
    access_free(door->access);
}
