/* runtime/alarm/notify.h: who is told of an alarm, when, and how often; no I/O.
 *
 * A route says which alarms go to which targets: on what changes, after what delay, again until
 * somebody acknowledges, and to whom else when nobody does. A call is one alarm that a route is
 * about, from the moment it was raised until it is normal or put aside. What a target is, and how a
 * message gets there, is the owner's to know.
 *
 * Times are of the wall clock, in milliseconds: calls outlive the program, the owner keeps them.
 * An alarm that is over, acknowledged, or put aside before its delay ran out was never told to
 * anybody, and nothing more is said about it. */
#ifndef TUTTI_ALARM_NOTIFY_H
#define TUTTI_ALARM_NOTIFY_H

#include "alarm/alarm.h"

enum {
    ALARM_ROUTES_MAX = 200,
    ALARM_ROUTE_TARGETS_MAX = 8,
    ALARM_ROUTE_NAMES_MAX = 32,
    ALARM_REPEATS_MAX = 1000,
    ALARM_REPEATS_PRESET = 10,
};

/* What happened to an alarm; the last two are of a route's own making. */
typedef enum AlarmNews {
    ALARM_NEWS_RAISED,
    ALARM_NEWS_CLEARED, /* the condition is over */
    ALARM_NEWS_ACKNOWLEDGED,
    ALARM_NEWS_RESET, /* of a latched alarm */
    ALARM_NEWS_SHELVED,
    ALARM_NEWS_SUPPRESSED,
    ALARM_NEWS_OUT_OF_SERVICE,
    ALARM_NEWS_RESTORED, /* no longer put aside, and normal */
    ALARM_NEWS_REPEATED, /* still unacknowledged */
    ALARM_NEWS_ESCALATED,
    ALARM_NEWS__COUNT,
    ALARM_NEWS_NONE
} AlarmNews;

typedef struct AlarmRoute {
    Str name, on;                     /* on: topic filter of the paths */
    Str names[ALARM_ROUTE_NAMES_MAX]; /* of rules, with *; none: all */
    uint32_t name_count;
    uint32_t priorities; /* bit 1 << AlarmPriority */
    uint32_t when;       /* bit 1 << AlarmNews, up to RESTORED */
    Str to[ALARM_ROUTE_TARGETS_MAX], escalate_to;
    uint32_t to_count;
    int64_t delay_ms, repeat_ms, escalate_ms; /* repeat, escalate: 0 = never */
    uint32_t repeat_max;
    bool off;
} AlarmRoute;

typedef struct AlarmCall {
    Str route, rule, path;                    /* lent for the call of a function */
    int64_t first_ms, repeat_ms, escalate_ms; /* when due; INT64_MAX = not */
    uint32_t told;                            /* how often; 0 = nobody knows of it */
    bool escalated;
} AlarmCall;

/* What a route decided; all slices are lent for the call. */
typedef struct AlarmMessage {
    const AlarmRoute *route;
    Str target, rule, path;
    AlarmNews news;
    uint32_t number; /* 1, then more with each repeat */
} AlarmMessage;

typedef struct AlarmNotifyHost {
    bool (*fits)(void *ctx, Str filter, Str path);
    bool (*state)(void *ctx, Str rule, Str path, AlarmState *ret_state); /* false: no such alarm */
    void (*tell)(void *ctx, const AlarmMessage *message);
    void (*keep)(void *ctx, const AlarmCall *call); /* it is new or has changed */
    void (*forget)(void *ctx, const AlarmCall *call);
    void *ctx;
} AlarmNotifyHost;

typedef struct AlarmNotify AlarmNotify;

/* NULL: no memory. At most call_max calls: an alarm beyond that is told at once, and once. */
AlarmNotify *alarm_notify_new(const AlarmNotifyHost *host, uint32_t call_max);
void alarm_notify_free(AlarmNotify *notify); /* accepts NULL */

AlarmNews alarm_news_of(AlarmState from, AlarmState to); /* NONE: nothing anybody is told of */
const char *alarm_news_name(AlarmNews news);
/* Reads a route from JSON (docs/alarms.md); texts live in `arena`. The Diag begins with the name of
 * the field. `on` is not looked at but for being there. */
MUST Status alarm_route_read(Arena *arena, const Json *json, AlarmRoute *ret_route, Diag *diag);
void alarm_route_write(const AlarmRoute *route, JsonOut *out);
/* A word of at most ALARM_NAME_BYTES_MAX letters, digits, _ . and -. */
bool alarm_name_valid(Str name);

/* Adds a route (copied) or replaces the one of that name, whose calls go on by the new one.
 * ST_LIMIT: ALARM_ROUTES_MAX. */
MUST Status alarm_notify_put(AlarmNotify *notify, const AlarmRoute *route);
bool alarm_notify_drop(AlarmNotify *notify, Str name); /* and its calls; false: there is none */
const AlarmRoute *alarm_notify_route(const AlarmNotify *notify, Str name);
/* In order of names: NULL begins and ends. */
const AlarmRoute *alarm_notify_next(const AlarmNotify *notify, const AlarmRoute *route);

/* An alarm changed. */
void alarm_notify_event(AlarmNotify *notify, Str rule, Str path, AlarmPriority priority,
                        AlarmState from, AlarmState to, int64_t wall_ms);
/* What is due by now; when the next is due, INT64_MAX = nothing waits. */
void alarm_notify_tick(AlarmNotify *notify, int64_t wall_ms);
int64_t alarm_notify_due_ms(const AlarmNotify *notify);
/* Puts back a call that was kept, without telling anybody. */
MUST Status alarm_notify_restore(AlarmNotify *notify, const AlarmCall *call);
/* A path has another name: its calls go on under it. */
void alarm_notify_moved(AlarmNotify *notify, Str from, Str to);
/* A rule has another name: its calls go on under it. Routes that name it are the owner's to change.
 */
void alarm_notify_renamed(AlarmNotify *notify, Str from, Str to);
/* Rules changed: calls of alarms that are not there any more, or normal, go. */
void alarm_notify_sweep(AlarmNotify *notify);
uint32_t alarm_notify_calls(const AlarmNotify *notify);
uint64_t alarm_notify_uncalled(const AlarmNotify *notify); /* told once for want of room */

#endif
