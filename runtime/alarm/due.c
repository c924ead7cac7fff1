/* runtime/alarm/due.c: which point has to be looked at next: a binary heap, the earliest first. */
#include "alarm/alarm_int.h"

#include "base/mem.h"

static void place(Alarms *alarms, uint32_t at, AlarmDue due)
{
    alarms->heap[at] = due;
    due.point->heap_at = at + 1;
}

static void sift(Alarms *alarms, uint32_t at)
{
    AlarmDue due = alarms->heap[at];
    while (at && alarms->heap[(at - 1) / 2].when_ms > due.when_ms) {
        place(alarms, at, alarms->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= alarms->heap_count) break;
        if (child + 1 < alarms->heap_count &&
            alarms->heap[child + 1].when_ms < alarms->heap[child].when_ms)
            child++;
        if (alarms->heap[child].when_ms >= due.when_ms) break;
        place(alarms, at, alarms->heap[child]);
        at = child;
    }
    place(alarms, at, due);
}

Status alarm__heap_room(Alarms *alarms)
{
    if (alarms->point_count < alarms->heap_cap) return ST_OK;
    uint32_t cap = alarms->heap_cap ? alarms->heap_cap * 2 : 64;
    AlarmDue *grown = mem_realloc(alarms->heap, cap * sizeof *grown);
    if (!grown) return ST_NO_MEMORY;
    alarms->heap = grown;
    alarms->heap_cap = cap;
    return ST_OK;
}

void alarm__due_set(Alarms *alarms, AlarmPoint *point, int64_t when_ms)
{
    uint32_t at = point->heap_at;
    if (when_ms == ALARM_NEVER) {
        if (!at) return;
        point->heap_at = 0;
        AlarmDue last = alarms->heap[--alarms->heap_count];
        if (last.point == point) return;
        place(alarms, at - 1, last);
        sift(alarms, at - 1);
        return;
    }
    if (!at) at = ++alarms->heap_count;
    alarms->heap[at - 1] = (AlarmDue){when_ms, point};
    sift(alarms, at - 1);
}

int64_t alarms_due_ms(const Alarms *alarms)
{
    return alarms->heap_count ? alarms->heap[0].when_ms : ALARM_NEVER;
}
