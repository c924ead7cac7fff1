/* runtime/alarm/alarm_int.h: what the files of the room share; private to them. */
#ifndef TUTTI_ALARM_ALARM_INT_H
#define TUTTI_ALARM_ALARM_INT_H

#include "alarm/alarm.h"

enum { ALARM_BUCKETS = 16 };
#define ALARM_NEVER     INT64_MAX
#define ALARM_NO_BUCKET INT64_MIN

typedef struct RuleNode {
    AlarmRule rule; /* texts in `arena` */
    Arena *arena;   /* owned */
    struct RuleNode *next;
    struct AlarmPoint *points; /* by next_of_rule */
} RuleNode;

/* The least and the greatest value of each part of a span; parts without a value hold nothing. */
typedef struct AlarmSpan {
    struct {
        int64_t number; /* monotonic time / width; ALARM_NO_BUCKET = empty */
        double least, greatest;
    } bucket[ALARM_BUCKETS + 1];
} AlarmSpan;

struct AlarmPoint {
    RuleNode *rule;
    Str path; /* lent by the owner of the list */
    AlarmPoint **head, *next_of_path, *prev_of_path;
    AlarmPoint *next_of_rule, *prev_of_rule, *next, *prev;
    AlarmKept kept;
    bool holds;         /* the condition, hysteresis included, before delays */
    bool active;        /* after delays */
    int64_t delay_ms;   /* monotonic: when `active` becomes `holds`; ALARM_NEVER */
    int64_t look_ms;    /* monotonic: when a rate or staleness is looked at again; ALARM_NEVER */
    int64_t heard_ms;   /* monotonic: of the last value */
    double last_number; /* of the last good value */
    AlarmSpan *span;    /* owned; of RISES and FALLS */
    uint32_t heap_at;   /* place in the heap plus 1 */
};

typedef struct AlarmDue {
    int64_t when_ms;
    AlarmPoint *point;
} AlarmDue;

struct Alarms {
    AlarmEventFn *fn;
    void *ctx;
    RuleNode *rules; /* by name */
    AlarmPoint *points;
    uint32_t point_count, point_max;
    uint32_t in_state[ALARM__STATES], standing[ALARM_LOW + 1];
    AlarmDue *heap; /* the earliest first */
    uint32_t heap_count, heap_cap;
};

/* due.c: one place in the heap per point. Room for every point is made when it is made. */
MUST Status alarm__heap_room(Alarms *alarms);
void alarm__due_set(Alarms *alarms, AlarmPoint *point, int64_t when_ms); /* ALARM_NEVER takes out */

/* judge.c: does the condition hold? */
bool alarm__judge(AlarmPoint *point, const AlarmValue *value, AlarmTime now);
bool alarm__judge_later(AlarmPoint *point, AlarmTime now); /* by time alone */

/* state.c */
void alarm__plan(Alarms *alarms, AlarmPoint *point, AlarmTime now); /* when to look again */
void alarm__count(Alarms *alarms, const AlarmPoint *point, int by); /* enters (1), leaves (-1) */
/* A point that is new, or whose rule was replaced, looks at the last value of its path. */
void alarm__begin(Alarms *alarms, AlarmPoint *point, const AlarmValue *value, AlarmTime heard);

#endif
