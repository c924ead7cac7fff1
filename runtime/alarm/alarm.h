/* runtime/alarm/alarm.h: alarms by ISA-18.2-2016 (IEC 62682): rules, states, time; no I/O.
 *
 * A rule says when the values of a path are abnormal; a point is one rule on one path and holds the
 * state. Whoever owns the values tells them (alarms_value), says how late it is (alarms_tick), and
 * passes on what operators do (alarms_act); every change of a state is told to one function. Which
 * paths a rule's pattern fits is the owner's to know: alarms_attach.
 *
 * Delays are counted on the time that is handed in (monotonic); shelves end by the wall clock, so
 * that they end also when the program did not run. Values of bad quality never start or end a
 * limit, rate or state alarm: what is not known changes nothing (a rule about the quality does). */
#ifndef TUTTI_ALARM_ALARM_H
#define TUTTI_ALARM_ALARM_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"

enum {
    ALARM_NAME_BYTES_MAX = 63,
    ALARM_TEXT_BYTES_MAX = 500, /* message, action, reason, comment */
    ALARM_FILTER_BYTES_MAX = 1024,
    ALARM_ON_BYTES_MAX = 8192,   /* of all filters of a rule */
    ALARM_WORDS_MAX = 32,        /* of a state rule */
    ALARM_SPAN_MS_MAX = 86400000 /* of delays and rates: a day */
};

typedef enum AlarmKind {
    ALARM_ABOVE,  /* value > limit; ends at limit - hysteresis */
    ALARM_BELOW,  /* value < limit; ends at limit + hysteresis */
    ALARM_RISES,  /* value is more than limit over the least one within the span */
    ALARM_FALLS,  /* value is more than limit under the greatest one within the span */
    ALARM_IS,     /* value is one of the words */
    ALARM_STALE,  /* no value for the span */
    ALARM_QUALITY /* quality is bad */
} AlarmKind;

typedef enum AlarmPriority {
    ALARM_CRITICAL = 1,
    ALARM_HIGH,
    ALARM_MEDIUM,
    ALARM_LOW
} AlarmPriority;

/* ISA-18.2, 5.2.3: the states of the alarm state transition diagram, by its names. */
typedef enum AlarmState {
    ALARM_NORMAL,
    ALARM_UNACKED,         /* unacknowledged alarm */
    ALARM_ACKED,           /* acknowledged alarm */
    ALARM_RETURNED,        /* returned to normal, unacknowledged */
    ALARM_LATCHED_UNACKED, /* the condition is gone, the rule latches: waits for ack and reset */
    ALARM_LATCHED_ACKED,   /* waits for reset */
    ALARM_SHELVED,
    ALARM_SUPPRESSED, /* suppressed by design */
    ALARM_OUT_OF_SERVICE,
    ALARM__STATES
} AlarmState;

/* What an operator does to a point. */
typedef enum AlarmAct {
    ALARM_ACK,
    ALARM_RESET, /* of a latched alarm */
    ALARM_SHELVE,
    ALARM_UNSHELVE,
    ALARM_SUPPRESS,
    ALARM_UNSUPPRESS,
    ALARM_REMOVE_FROM_SERVICE,
    ALARM_RETURN_TO_SERVICE,
    ALARM__ACTS
} AlarmAct;

typedef struct AlarmRule {
    Str name;   /* unique */
    Str on;     /* topic filters of the paths it is about, a line each: alarm_on_next */
    Str origin; /* who declared it: "" = people; else "program NAME" or "schema NAME" */
    Str message, action;
    AlarmKind kind;
    AlarmPriority priority;
    bool latch;
    double limit, hysteresis;
    int64_t for_ms, clear_ms, span_ms; /* delay on, delay off, rate or staleness */
    Str words[ALARM_WORDS_MAX];
    double numbers[ALARM_WORDS_MAX]; /* of words that are numbers; else NaN */
    uint32_t word_count;
} AlarmRule;

/* A value as alarms see it. */
typedef struct AlarmValue {
    enum { ALARM_NO_VALUE, ALARM_NUMBER, ALARM_TEXT } type; /* a bool is the text true or false */
    bool bad;                                               /* quality */
    double number;
    Str text; /* lent */
} AlarmValue;

typedef struct AlarmPoint AlarmPoint;
typedef struct Alarms Alarms;

/* What changed a state; all slices are lent for the call. */
typedef struct AlarmEvent {
    const AlarmPoint *point;
    AlarmState from, to;
    Str who;  /* user of an act; "" = the process */
    Str text; /* comment or reason */
} AlarmEvent;
typedef void AlarmEventFn(void *ctx, const AlarmEvent *event);

/* Now, on both clocks, in milliseconds. */
typedef struct AlarmTime {
    int64_t monotonic_ms, wall_ms;
} AlarmTime;

/* What the store keeps of a point, and what pages show. */
typedef struct AlarmKept {
    AlarmState state, under; /* `under`: the process' own state, below shelve, suppress, service */
    int64_t since_ms;        /* wall: of `state` */
    int64_t raised_ms;       /* wall: when the condition last became an alarm; 0 = never */
    int64_t shelf_ms;        /* wall: end of a shelve; 0 = none */
    double raised_value;     /* what raised it, where that was a number */
    uint64_t raised_count;
    bool shelved, suppressed, out_of_service;
} AlarmKept;

/* NULL: no memory. At most point_max points; events are told to fn on the caller's thread. */
Alarms *alarms_new(uint32_t point_max, AlarmEventFn *fn, void *ctx);
void alarms_free(Alarms *alarms); /* accepts NULL */

/* Reads a rule from JSON (the form of the API: docs/alarms.md); texts live in `arena`. The Diag
 * names the field. `on` is not looked at but for being there. */
MUST Status alarm_rule_read(Arena *arena, const Json *json, AlarmRule *ret_rule, Diag *diag);
void alarm_rule_write(const AlarmRule *rule, JsonOut *out);
/* for (Str rest = rule->on, filter; alarm_on_next(&rest, &filter);) */
bool alarm_on_next(Str *rest, Str *ret_filter);
const char *alarm_state_name(AlarmState state);
const char *alarm_act_name(AlarmAct act);
const char *alarm_priority_name(AlarmPriority priority);
bool alarm_state_read(Str name, AlarmState *ret_state);
bool alarm_act_read(Str name, AlarmAct *ret_act);
bool alarm_priority_read(Str name, AlarmPriority *ret_priority);

/* Adds a rule (copied) or replaces the one of that name. A replaced rule keeps the points whose
 * paths `fits` still accepts (NULL: all) and their states; its delays begin anew with the next
 * value or alarms_attach. */
typedef bool AlarmFitsFn(void *ctx, const AlarmRule *rule, Str path);
MUST Status alarms_put(Alarms *alarms, const AlarmRule *rule, AlarmFitsFn *fits, void *ctx);
bool alarms_drop(Alarms *alarms, Str name); /* and its points; false: there is none */
/* The rule is called `to` (no other is) from now on, and keeps its points; false: there is no
 * `from`, or no memory. */
bool alarms_rename(Alarms *alarms, Str from, Str to);
const AlarmRule *alarms_rule(const Alarms *alarms, Str name);
/* for (const AlarmRule *rule = NULL; (rule = alarms_next_rule(alarms, rule));) in order of names */
const AlarmRule *alarms_next_rule(const Alarms *alarms, const AlarmRule *rule);

/* Makes the point of `rule` (one of the list's) on `path` (lent; must live as long as the list) in
 * the owner's list at *head, unless it is there, and judges the path's last value (NULL: none yet),
 * which came at `heard`. ST_LIMIT: point_max. */
MUST Status alarms_attach(Alarms *alarms, const AlarmRule *rule, Str path, AlarmPoint **head,
                          const AlarmValue *value, AlarmTime heard);
/* The path whose list begins at *head has another name (lent, as above): its points keep their
 * states, but for those of rules that it does not fit any more, which go. */
void alarms_moved(Alarms *alarms, AlarmPoint **head, Str path, AlarmFitsFn *fits, void *ctx);
/* A new value of the path whose list begins with `first`. */
void alarms_value(Alarms *alarms, AlarmPoint *first, const AlarmValue *value, AlarmTime now);
/* What is due by now; when the next is due (monotonic ms), INT64_MAX = nothing waits. */
void alarms_tick(Alarms *alarms, AlarmTime now);
int64_t alarms_due_ms(const Alarms *alarms);

/* ST_CONFLICT: not possible in this state (the Diag says why). until_ms (wall) is for a shelve. */
MUST Status alarms_act(Alarms *alarms, AlarmPoint *point, AlarmAct act, Str who, Str text,
                       int64_t until_ms, AlarmTime now, Diag *diag);

AlarmPoint *alarm_next(const AlarmPoint *point); /* of the same path */
AlarmPoint *alarm_find(AlarmPoint *first, Str rule);
const AlarmPoint *alarm_rule_point(const AlarmRule *rule); /* one of the list's; any, or NULL */
const AlarmRule *alarm_point_rule(const AlarmPoint *point);
Str alarm_point_path(const AlarmPoint *point);
AlarmKept alarm_point_kept(const AlarmPoint *point);
/* Puts back what was kept, without telling anybody; a shelve that ended meanwhile ends at the next
 * tick. */
void alarm_point_restore(Alarms *alarms, AlarmPoint *point, const AlarmKept *kept, AlarmTime now);
/* All points, in no order: NULL begins and ends. */
AlarmPoint *alarms_next_point(const Alarms *alarms, const AlarmPoint *point);
uint32_t alarms_count(const Alarms *alarms, AlarmState state); /* points in it */
uint32_t alarms_standing(const Alarms *alarms,
                         AlarmPriority priority); /* unacked, acked, latched */

#endif
