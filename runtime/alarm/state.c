/* runtime/alarm/state.c: the state machine of one point (ISA-18.2-2016, figure 3).
 *
 * `under` is the process' own way through the diagram: normal, alarm, acknowledged, returned.
 * Shelve, suppress and out of service lie over it: while one of them holds, the process is followed
 * but nobody is told, and when the last of them ends, an alarm that still holds is a new one. */
#include "alarm/alarm_int.h"

#include <stdio.h>

static AlarmState shown(const AlarmKept *kept)
{
    if (kept->out_of_service) return ALARM_OUT_OF_SERVICE;
    if (kept->suppressed) return ALARM_SUPPRESSED;
    return kept->shelved ? ALARM_SHELVED : kept->under;
}

static bool stands(AlarmState state)
{
    return state == ALARM_UNACKED || state == ALARM_ACKED || state == ALARM_RETURNED ||
           state == ALARM_LATCHED_UNACKED || state == ALARM_LATCHED_ACKED;
}

void alarm__count(Alarms *alarms, const AlarmPoint *point, int by)
{
    alarms->in_state[point->kept.state] += (uint32_t)by;
    if (stands(point->kept.state)) alarms->standing[point->rule->rule.priority] += (uint32_t)by;
}

/* After `under` or a flag was changed: the state that follows, told when somebody should know. */
static void settle(Alarms *alarms, AlarmPoint *point, AlarmTime now, Str who, Str text, bool always)
{
    AlarmState from = point->kept.state, to = shown(&point->kept);
    if (from != to) {
        alarm__count(alarms, point, -1);
        point->kept.state = to;
        point->kept.since_ms = now.wall_ms;
        alarm__count(alarms, point, 1);
    }
    if (from != to || always) alarms->fn(alarms->ctx, &(AlarmEvent){point, from, to, who, text});
}

/* The condition became an alarm, or is over, delays included. */
static void become(Alarms *alarms, AlarmPoint *point, AlarmTime now)
{
    AlarmKept *kept = &point->kept;
    point->active = point->holds;
    point->delay_ms = ALARM_NEVER;
    if (point->active) {
        kept->under = ALARM_UNACKED;
        kept->raised_ms = now.wall_ms;
        kept->raised_value = point->last_number;
        kept->raised_count++;
    } else if (point->rule->rule.latch) {
        kept->under = kept->under == ALARM_ACKED ? ALARM_LATCHED_ACKED : ALARM_LATCHED_UNACKED;
    } else {
        kept->under = kept->under == ALARM_ACKED ? ALARM_NORMAL : ALARM_RETURNED;
    }
    settle(alarms, point, now, STR_NONE, STR_NONE, false);
}

static void judged(Alarms *alarms, AlarmPoint *point, bool holds, AlarmTime now)
{
    const AlarmRule *rule = &point->rule->rule;
    point->holds = holds;
    if (holds == point->active) {
        point->delay_ms = ALARM_NEVER;
        return;
    }
    int64_t delay = holds ? rule->for_ms : rule->clear_ms;
    if (!delay)
        become(alarms, point, now);
    else if (point->delay_ms == ALARM_NEVER)
        point->delay_ms = now.monotonic_ms + delay;
}

static int64_t look_again_ms(const AlarmPoint *point, AlarmTime now)
{
    const AlarmRule *rule = &point->rule->rule;
    if (rule->kind == ALARM_STALE)
        return point->holds ? ALARM_NEVER : point->heard_ms + rule->span_ms;
    bool rate = rule->kind == ALARM_RISES || rule->kind == ALARM_FALLS;
    if (!rate || !point->holds) return ALARM_NEVER;
    return now.monotonic_ms + rule->span_ms / ALARM_BUCKETS + 1;
}

/* A place in the heap that is too early is left: a stale rule would move it with every value. */
void alarm__plan(Alarms *alarms, AlarmPoint *point, AlarmTime now)
{
    point->look_ms = look_again_ms(point, now);
    int64_t when = point->delay_ms < point->look_ms ? point->delay_ms : point->look_ms;
    if (point->kept.shelved) {
        int64_t left = point->kept.shelf_ms - now.wall_ms;
        int64_t end = now.monotonic_ms + (left > 0 ? left : 0);
        if (end < when) when = end;
    }
    if (point->heap_at && when != ALARM_NEVER && alarms->heap[point->heap_at - 1].when_ms <= when)
        return;
    alarm__due_set(alarms, point, when);
}

void alarms_value(Alarms *alarms, AlarmPoint *first, const AlarmValue *value, AlarmTime now)
{
    for (AlarmPoint *point = first; point; point = point->next_of_path) {
        judged(alarms, point, alarm__judge(point, value, now), now);
        alarm__plan(alarms, point, now);
    }
}

/* What lay over the process begins or ends: who knew of the alarm before does not count. */
static void anew(AlarmPoint *point)
{
    point->kept.under = point->active ? ALARM_UNACKED : ALARM_NORMAL;
}

static void shelf_end(Alarms *alarms, AlarmPoint *point, AlarmTime now)
{
    if (!point->kept.shelved || now.wall_ms < point->kept.shelf_ms) return;
    point->kept.shelved = false;
    point->kept.shelf_ms = 0;
    anew(point);
    settle(alarms, point, now, STR_NONE, STR("the shelve ended"), false);
}

void alarms_tick(Alarms *alarms, AlarmTime now)
{
    while (alarms->heap_count && alarms->heap[0].when_ms <= now.monotonic_ms) {
        AlarmPoint *point = alarms->heap[0].point;
        alarm__due_set(alarms, point, ALARM_NEVER);
        if (point->delay_ms <= now.monotonic_ms) become(alarms, point, now);
        shelf_end(alarms, point, now);
        judged(alarms, point, alarm__judge_later(point, now), now);
        alarm__plan(alarms, point, now);
    }
}

/* ---- what operators do ---- */

static Status refuse(Diag *diag, const AlarmPoint *point, const char *why)
{
    return diag_set(diag, ST_CONFLICT, "the alarm is %s: %s", alarm_state_name(point->kept.state),
                    why);
}

static Status acknowledge(AlarmPoint *point, Diag *diag)
{
    switch (point->kept.state) {
    case ALARM_UNACKED: point->kept.under = ALARM_ACKED; return ST_OK;
    case ALARM_RETURNED: point->kept.under = ALARM_NORMAL; return ST_OK;
    case ALARM_LATCHED_UNACKED: point->kept.under = ALARM_LATCHED_ACKED; return ST_OK;
    default: return refuse(diag, point, "there is nothing to acknowledge");
    }
}

static Status reset(AlarmPoint *point, Diag *diag)
{
    if (point->kept.state == ALARM_LATCHED_UNACKED)
        return refuse(diag, point, "acknowledge it first");
    if (point->kept.state != ALARM_LATCHED_ACKED)
        return refuse(diag, point, "only a latched alarm is reset");
    point->kept.under = ALARM_NORMAL;
    return ST_OK;
}

static Status set_flag(AlarmPoint *point, bool *flag, bool value, Diag *diag)
{
    if (*flag == value)
        return refuse(diag, point, value ? "it is so already" : "it is not, so this cannot end");
    *flag = value;
    anew(point);
    return ST_OK;
}

static Status shelve(AlarmPoint *point, int64_t until_ms, AlarmTime now, Diag *diag)
{
    if (until_ms <= now.wall_ms)
        return diag_set(diag, ST_INVALID, "a shelve needs an end that is still to come");
    point->kept.shelved = true;
    point->kept.shelf_ms = until_ms;
    return ST_OK;
}

static Status change(AlarmPoint *point, AlarmAct act, int64_t until_ms, AlarmTime now, Diag *diag)
{
    AlarmKept *kept = &point->kept;
    switch (act) {
    case ALARM_ACK: return acknowledge(point, diag);
    case ALARM_RESET: return reset(point, diag);
    case ALARM_SHELVE: return shelve(point, until_ms, now, diag);
    case ALARM_UNSHELVE: kept->shelf_ms = 0; return set_flag(point, &kept->shelved, false, diag);
    case ALARM_SUPPRESS: return set_flag(point, &kept->suppressed, true, diag);
    case ALARM_UNSUPPRESS: return set_flag(point, &kept->suppressed, false, diag);
    case ALARM_REMOVE_FROM_SERVICE: return set_flag(point, &kept->out_of_service, true, diag);
    case ALARM_RETURN_TO_SERVICE: return set_flag(point, &kept->out_of_service, false, diag);
    case ALARM__ACTS: break;
    }
    return diag_set(diag, ST_INVALID, "unknown act");
}

Status alarms_act(Alarms *alarms, AlarmPoint *point, AlarmAct act, Str who, Str text,
                  int64_t until_ms, AlarmTime now, Diag *diag)
{
    Status st = change(point, act, until_ms, now, diag);
    if (st) return st;
    settle(alarms, point, now, who, text, true);
    alarm__plan(alarms, point, now);
    return ST_OK;
}

/* ---- made, judged at once, put back ---- */

void alarm__begin(Alarms *alarms, AlarmPoint *point, const AlarmValue *value, AlarmTime heard)
{
    point->heard_ms = heard.monotonic_ms;
    if (value) judged(alarms, point, alarm__judge(point, value, heard), heard);
    alarm__plan(alarms, point, heard);
}

void alarm_point_restore(Alarms *alarms, AlarmPoint *point, const AlarmKept *kept, AlarmTime now)
{
    alarm__count(alarms, point, -1);
    point->kept = *kept;
    point->kept.state = shown(kept);
    point->active = point->holds = kept->under == ALARM_UNACKED || kept->under == ALARM_ACKED;
    point->delay_ms = ALARM_NEVER;
    alarm__count(alarms, point, 1);
    alarm__plan(alarms, point, now);
}
