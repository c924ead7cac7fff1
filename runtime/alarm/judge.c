/* runtime/alarm/judge.c: does the condition of a rule hold, for a value or after some time.
 *
 * Hysteresis (deadband) is for alarms that are there already: one ends only when the value is back
 * by more than the limit; while a delay still runs the bare limit counts. */
#include "alarm/alarm_int.h"

static int64_t width_ms(const AlarmRule *rule)
{
    int64_t width = rule->span_ms / ALARM_BUCKETS;
    return width ? width : 1;
}

/* The least (or the greatest) value of the span that ends now. */
static double extreme(const AlarmPoint *point, AlarmTime now, bool least)
{
    int64_t number = now.monotonic_ms / width_ms(&point->rule->rule);
    double found = point->last_number;
    for (uint32_t i = 0; i <= ALARM_BUCKETS; i++) {
        if (point->span->bucket[i].number < number - ALARM_BUCKETS) continue;
        double one = least ? point->span->bucket[i].least : point->span->bucket[i].greatest;
        if (least ? one < found : one > found) found = one;
    }
    return found;
}

static void remember(AlarmPoint *point, double value, AlarmTime now)
{
    int64_t number = now.monotonic_ms / width_ms(&point->rule->rule);
    /* Not negative, also where the monotonic clock began after the value. */
    uint32_t at =
        (uint32_t)((number % (ALARM_BUCKETS + 1) + ALARM_BUCKETS + 1) % (ALARM_BUCKETS + 1));
    if (point->span->bucket[at].number != number) {
        point->span->bucket[at].number = number;
        point->span->bucket[at].least = point->span->bucket[at].greatest = value;
        return;
    }
    if (value < point->span->bucket[at].least) point->span->bucket[at].least = value;
    if (value > point->span->bucket[at].greatest) point->span->bucket[at].greatest = value;
}

static bool over(const AlarmPoint *point, double value)
{
    const AlarmRule *rule = &point->rule->rule;
    return point->active ? value > rule->limit - rule->hysteresis : value > rule->limit;
}

static bool under(const AlarmPoint *point, double value)
{
    const AlarmRule *rule = &point->rule->rule;
    return point->active ? value < rule->limit + rule->hysteresis : value < rule->limit;
}

static bool moved(const AlarmPoint *point, AlarmTime now)
{
    bool rises = point->rule->rule.kind == ALARM_RISES;
    double was = extreme(point, now, rises);
    return over(point, rises ? point->last_number - was : was - point->last_number);
}

static bool is_word(const AlarmRule *rule, const AlarmValue *value)
{
    for (uint32_t i = 0; i < rule->word_count; i++) {
        bool same = value->type == ALARM_NUMBER ? value->number == rule->numbers[i]
                                                : str_eq(rule->words[i], value->text);
        if (same) return true;
    }
    return false;
}

bool alarm__judge(AlarmPoint *point, const AlarmValue *value, AlarmTime now)
{
    const AlarmRule *rule = &point->rule->rule;
    point->heard_ms = now.monotonic_ms;
    if (rule->kind == ALARM_QUALITY) return value->bad;
    if (rule->kind == ALARM_STALE) return false;
    bool number = value->type == ALARM_NUMBER;
    if (value->bad || (rule->kind == ALARM_IS ? value->type == ALARM_NO_VALUE : !number))
        return point->holds;
    point->last_number = value->number;
    switch (rule->kind) {
    case ALARM_ABOVE: return over(point, value->number);
    case ALARM_BELOW: return under(point, value->number);
    case ALARM_IS: return is_word(rule, value);
    default: break;
    }
    remember(point, value->number, now);
    return moved(point, now);
}

bool alarm__judge_later(AlarmPoint *point, AlarmTime now)
{
    const AlarmRule *rule = &point->rule->rule;
    if (rule->kind == ALARM_STALE) return now.monotonic_ms - point->heard_ms >= rule->span_ms;
    bool rate = rule->kind == ALARM_RISES || rule->kind == ALARM_FALLS;
    return rate && point->holds ? moved(point, now) : point->holds;
}
