/* runtime/bus/bus_local.c: the in-process bus of Lite.
 *
 * Owns nothing but the routing: literal filters in a map, filters with wildcards in a list. Queues
 * and delivery are the core's, so that a handler never runs inside the call that published to it:
 * NATS behaves so and modules must not notice which bus they are on. Of a group, the member that
 * has waited longest gets the next message (NATS picks at random; both are allowed). */
#include "bus/bus_core.h"

#include "base/hash.h"
#include "base/mem.h"

enum { FILTERS_MAX = 1 << 20, GROUPS_TOUCHED_MAX = 256 };

/* All subscriptions of one filter. */
typedef struct BusRoute {
    struct BusRoute *next, **link; /* of those with wildcards */
    Str filter;                    /* owned by the first member that came */
    char *text;                    /* owned: what filter points to */
    struct Member *members;
} BusRoute;

typedef struct Member {
    struct Member *next, **link;
    BusSub *sub;
    BusRoute *route;
    uint64_t served; /* serial of the last message given to this member of a group */
} Member;

static bool is_wild(Str filter)
{
    return str_find_char(filter, '*') >= 0 || str_find_char(filter, '>') >= 0;
}

static BusRoute *route_find(BusLocal *local, Str filter)
{
    if (!is_wild(filter)) return map_get(&local->literal, filter);
    BusRoute *route = local->wild;
    while (route && !str_eq(route->filter, filter)) route = route->next;
    return route;
}

static Status route_new(BusLocal *local, Str filter, BusRoute **ret_route)
{
    BusRoute *route = mem_zalloc(1, sizeof *route);
    char *text = mem_alloc(filter.len);
    Status st = route && text ? ST_OK : ST_NO_MEMORY;
    if (!st) {
        memcpy(text, filter.ptr, filter.len);
        route->text = text;
        route->filter = (Str){text, filter.len};
        if (!is_wild(filter)) st = map_put(&local->literal, route->filter, route);
    }
    if (st) {
        mem_free(route);
        mem_free(text);
        return st;
    }
    if (is_wild(filter)) {
        route->next = local->wild;
        route->link = &local->wild;
        if (route->next) route->next->link = &route->next;
        local->wild = route;
    }
    *ret_route = route;
    return ST_OK;
}

static void route_drop_empty(BusLocal *local, BusRoute *route)
{
    if (route->members) return;
    if (route->link) {
        *route->link = route->next;
        if (route->next) route->next->link = route->link;
    } else {
        (void)map_remove(&local->literal, route->filter);
    }
    mem_free(route->text);
    mem_free(route);
}

static Status local_subscribe(Bus *bus, BusSub *sub)
{
    BusLocal *local = (BusLocal *)bus;
    Member *member = mem_zalloc(1, sizeof *member);
    if (!member) return ST_NO_MEMORY;
    BusRoute *route = route_find(local, str_from(sub->filter));
    Status st = route ? ST_OK : route_new(local, str_from(sub->filter), &route);
    if (st) {
        mem_free(member);
        return st;
    }
    member->sub = sub;
    member->route = route;
    member->next = route->members;
    member->link = &route->members;
    if (member->next) member->next->link = &member->next;
    route->members = member;
    sub->transport = member;
    return ST_OK;
}

static void local_unsubscribe(Bus *bus, BusSub *sub)
{
    Member *member = sub->transport;
    *member->link = member->next;
    if (member->next) member->next->link = member->link;
    route_drop_empty((BusLocal *)bus, member->route);
    mem_free(member);
}

/* The members chosen so far, one per group that matched. */
typedef struct Choice {
    Member *best[GROUPS_TOUCHED_MAX];
    size_t count, delivered;
} Choice;

static void choose(Choice *choice, Member *member)
{
    size_t i = 0;
    while (i < choice->count && strcmp(choice->best[i]->sub->group, member->sub->group) != 0) i++;
    if (i == GROUPS_TOUCHED_MAX) return;
    if (i == choice->count)
        choice->best[choice->count++] = member;
    else if (member->served < choice->best[i]->served)
        choice->best[i] = member;
}

static void offer(BusRoute *route, BusMessage *msg, Choice *choice)
{
    for (Member *member = route->members; member; member = member->next) {
        if (member->sub->group) {
            choose(choice, member);
        } else {
            bus__deliver(member->sub, msg);
            choice->delivered++;
        }
    }
}

/* Returns to how many subscriptions the message went. Delivery only queues, so no list changes
 * while it is walked. */
static size_t route_message(BusLocal *local, BusMessage *msg)
{
    Choice choice = {.count = 0};
    BusRoute *exact = map_get(&local->literal, msg->subject);
    if (exact) offer(exact, msg, &choice);
    for (BusRoute *route = local->wild; route; route = route->next)
        if (bus_match(route->filter, msg->subject)) offer(route, msg, &choice);
    for (size_t i = 0; i < choice.count; i++) {
        choice.best[i]->served = ++local->serial;
        bus__deliver(choice.best[i]->sub, msg);
    }
    return choice.delivered + choice.count;
}

static Status local_publish(Bus *bus, Str subject, Str body)
{
    BusMessage *msg = bus__message(subject, body, NULL, STR_NONE, false);
    if (!msg) return ST_NO_MEMORY;
    (void)route_message((BusLocal *)bus, msg);
    bus__message_unref(msg);
    return ST_OK;
}

static bool local_heard(Bus *bus, Str subject)
{
    BusLocal *local = (BusLocal *)bus;
    bool heard = map_get(&local->literal, subject) != NULL;
    for (const BusRoute *route = local->wild; route && !heard; route = route->next)
        heard = bus_match(route->filter, subject);
    return heard;
}

static Status local_request(Bus *bus, uint64_t id, Str subject, Str body, const BusCaller *caller)
{
    BusMessage *msg = bus__message(subject, body, caller, STR_NONE, true);
    if (!msg) return ST_NO_MEMORY;
    msg->request = id;
    if (!route_message((BusLocal *)bus, msg))
        bus__deliver_answer(bus, id, ST_UNAVAILABLE, STR("nobody listens"));
    bus__message_unref(msg);
    return ST_OK;
}

static void local_answer(Bus *bus, const BusMessage *to, Status status, Str body)
{
    bus__deliver_answer(bus, to->request, status, body);
}

static void local_close(Bus *bus __attribute__((unused))) {}

static void local_done(Bus *bus)
{
    map_done(&((BusLocal *)bus)->literal);
}

const BusTransport bus__local_transport = {
    .subscribe = local_subscribe,
    .unsubscribe = local_unsubscribe,
    .publish = local_publish,
    .heard = local_heard,
    .request = local_request,
    .answer = local_answer,
    .close = local_close,
    .done = local_done,
};

void bus__local_init(BusLocal *local)
{
    map_init(&local->literal, FILTERS_MAX);
}

Status bus_local_open(Loop *loop, Bus **ret_bus)
{
    BusLocal *local = mem_zalloc(1, sizeof *local);
    if (!local) return ST_NO_MEMORY;
    Status st = bus__init(&local->bus, &bus__local_transport, loop);
    if (st) {
        mem_free(local);
        return st;
    }
    bus__local_init(local);
    *ret_bus = &local->bus;
    return ST_OK;
}
