/* runtime/modules/uns/uns_alarm.c: rules meet paths: points, values, time.
 *
 * A path has points from its first value on: one per rule whose filter fits. Values of paths
 * without a point cost one look at a pointer. */
#include "modules/uns/uns_notify.h"

#include "base/mem.h"

static AlarmValue value_of(const UnsNode *node)
{
    const UnsValue value = uns_node_value(node);
    AlarmValue out = {.type = ALARM_NO_VALUE, .bad = value.quality == UNS_BAD};
    switch (value.type) {
    case UNS_BOOL:
        out.type = ALARM_TEXT;
        out.text = value.integer ? STR("true") : STR("false");
        break;
    case UNS_INT:
    case UNS_NUMBER:
        out.type = ALARM_NUMBER;
        out.number = uns_value_number(&value);
        break;
    case UNS_TEXT:
        out.type = ALARM_TEXT;
        out.text = value.text;
        break;
    default: break;
    }
    return out;
}

/* ---- time ---- */

static void on_due(void *ctx)
{
    Uns *uns = ctx;
    alarms_tick(uns->alarms->list, uns_alarm_now());
    uns__alarm_arm(uns);
}

void uns__alarm_arm(Uns *uns)
{
    UnsAlarms *alarms = uns->alarms;
    int64_t due = alarms_due_ms(alarms->list), now = clock_monotonic_ns() / NS_PER_MS;
    if (due == INT64_MAX || (alarms->due_timer && alarms->armed_ms <= due)) return;
    loop_once_stop(&alarms->due_timer);
    alarms->armed_ms = due; /* without memory the next value tries again */
    loop_once(uns->env->loop, (uint64_t)(due > now ? due - now : 0), on_due, uns,
              &alarms->due_timer);
}

/* ---- values ---- */

static void attach(Uns *uns, const AlarmRule *rule, UnsNode *node)
{
    UnsAlarms *alarms = uns->alarms;
    AlarmTime heard = {node->heard_ns / NS_PER_MS, clock_wall_ns() / NS_PER_MS};
    AlarmValue value = value_of(node);
    UnsMore *more = uns_node_more(&uns->tree, node);
    Status st =
        more ? alarms_attach(alarms->list, rule, uns_node_path(node), &more->alarms, &value, heard)
             : ST_NO_MEMORY;
    if (st && !alarms->full_logged++)
        log_error(uns->env->log, "uns", "no room for an alarm", "rule=%.*s path=%s reason=%s",
                  STR_ARG(rule->name), uns_node_path(node).ptr, status_text(st));
}

void uns__alarm_value(Uns *uns, UnsNode *node, bool first)
{
    UnsAlarms *alarms = uns->alarms;
    if (first) {
        const AlarmRule *rule = NULL;
        while ((rule = alarms_next_rule(alarms->list, rule)))
            if (uns__alarm_fits(rule, uns_node_path(node))) attach(uns, rule, node);
        if (uns_node_alarms(node)) uns__alarm_arm(uns);
        return;
    }
    if (!uns_node_alarms(node)) return;
    AlarmValue value = value_of(node);
    alarms_value(alarms->list, uns_node_alarms(node), &value, uns_alarm_now());
    uns__alarm_arm(uns);
}

static bool fits(void *ctx, const AlarmRule *rule, Str path)
{
    (void)ctx;
    return uns__alarm_fits(rule, path);
}

void uns__alarm_moved(Uns *uns, UnsNode *node)
{
    const AlarmRule *rule = NULL;
    if (uns_node_alarms(node)) {
        alarm_notify_moved(uns->notify->routes, alarm_point_path(uns_node_alarms(node)),
                           uns_node_path(node));
        alarms_moved(uns->alarms->list, &node->more->alarms, uns_node_path(node), fits, NULL);
    }
    while (uns_node_has_value(node) && (rule = alarms_next_rule(uns->alarms->list, rule)))
        if (uns__alarm_fits(rule, uns_node_path(node))) attach(uns, rule, node);
    for (uint32_t i = 0; i < uns_child_count(node); i++) uns__alarm_moved(uns, uns_child(node, i));
    uns__alarm_arm(uns);
}

Status uns__alarm_put(Uns *uns, const AlarmRule *rule, Diag *diag)
{
    UnsAlarms *alarms = uns->alarms;
    Status st = alarms_put(alarms->list, rule, fits, NULL);
    if (st) return diag_set(diag, st, "no memory for the alarm");
    const AlarmRule *held = alarms_rule(alarms->list, rule->name);
    for (UnsNode *node = uns->tree.first; node; node = node->next_node)
        if (uns_node_has_value(node) && uns__alarm_fits(held, uns_node_path(node)))
            attach(uns, held, node);
    uns__alarm_arm(uns);
    return ST_OK;
}

/* ---- life ---- */

Status uns__alarms_open(Uns *uns, Diag *diag)
{
    UnsAlarms *alarms = mem_zalloc(1, sizeof *alarms);
    if (alarms)
        alarms->list = alarms_new((uint32_t)uns_conf(uns)->alarm_count_max, uns__alarm_row, uns);
    uns->alarms = alarms;
    return alarms && alarms->list ? uns__notify_open(uns, diag)
                                  : diag_set(diag, ST_NO_MEMORY, "no memory for alarms");
}

static void batch_free(UnsAlarmBatch *batch)
{
    if (batch) arena_free(batch->arena);
}

void uns__alarms_close(Uns *uns)
{
    UnsAlarms *alarms = uns->alarms;
    uns__notify_close(uns);
    if (!alarms) return;
    loop_timer_stop(alarms->due_timer);
    loop_timer_stop(alarms->retry_timer);
    loop_timer_stop(alarms->tell_timer);
    batch_free(alarms->gathering);
    batch_free(alarms->writing);
    alarms_free(alarms->list);
    mem_free(alarms);
    uns->alarms = NULL;
}
