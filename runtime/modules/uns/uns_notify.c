/* runtime/modules/uns/uns_notify.c: what routes decide becomes notices for targets.
 *
 * An alarm on a path that notifications themselves may be published on is not told by MQTT: its
 * notification could raise the next one, for ever. */
#include "modules/uns/uns_notify.h"

#include "base/mem.h"
#include "mqtt/codec.h"

enum { LOOK_AGAIN_MS = 60000 /* the wall clock may have been set */, IDS_PER_MS = 1000 };

UnsTarget *uns__target(const Uns *uns, Str name)
{
    UnsTarget *target = uns->notify->targets;
    while (target && !str_eq(target->conf->name, name)) target = target->next;
    return target;
}

/* ---- the event ---- */

static void put_event(const Uns *uns, const AlarmMessage *message, const AlarmPoint *point,
                      int64_t id, JsonOut *out)
{
    const AlarmRule *rule = alarm_point_rule(point);
    const AlarmEvent *event = uns->notify->event;
    const UnsNode *node = uns_tree_find(&uns->tree, message->path);
    AlarmKept kept = alarm_point_kept(point);
    bool begun = message->news == ALARM_NEWS_RAISED;
    json_begin_object(out);
    json_field_int(out, "id", id);
    json_field_text(out, "event", alarm_news_name(message->news));
    json_field_str(out, "rule", message->rule);
    json_field_str(out, "path", message->path);
    json_field_str(out, "name", node ? uns_node_name(node) : message->path);
    json_field_text(out, "priority", alarm_priority_name(rule->priority));
    json_field_text(out, "state", alarm_state_name(kept.state));
    json_field_int(out, "time", begun ? kept.since_ms : clock_wall_ns() / NS_PER_MS);
    json_field_int(out, "raised", kept.raised_ms);
    json_key(out, "value");
    UnsValue value = node ? uns_node_value(node) : (UnsValue){.type = UNS_NULL};
    uns__put_value(out, &value);
    uns__alarm_put_message(node, rule, message->path, out);
    json_field_str(out, "action", rule->action);
    json_field_str(out, "who", event ? event->who : STR_NONE);
    json_field_str(out, "text", event ? event->text : STR_NONE);
    json_field_str(out, "route", message->route->name);
    json_field_int(out, "number", message->number);
    json_end(out);
}

/* ---- what the routes say ---- */

static const AlarmPoint *point_of(const Uns *uns, Str rule, Str path)
{
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    return node ? alarm_find(uns_node_alarms(node), rule) : NULL;
}

static bool state(void *ctx, Str rule, Str path, AlarmState *ret_state)
{
    const AlarmPoint *point = point_of(ctx, rule, path);
    if (point) *ret_state = alarm_point_kept(point).state;
    return point != NULL;
}

static bool fits(void *ctx, Str filter, Str path)
{
    (void)ctx;
    return mqtt_topic_match(filter, path);
}

static bool own_topic(const Uns *uns, Str path)
{
    for (const UnsTarget *target = uns->notify->targets; target; target = target->next)
        if (target->conf->kind == UNS_MQTT && mqtt_topic_match(target->conf->filter, path))
            return true;
    return false;
}

static void tell(void *ctx, const AlarmMessage *message)
{
    AUTO_BUF Buf body = {0};
    JsonOut out;
    Uns *uns = ctx;
    UnsNotify *notify = uns->notify;
    UnsTarget *target = uns__target(uns, message->target);
    const AlarmPoint *point = point_of(uns, message->rule, message->path);
    if (!notify->event) notify->serial++;
    if (!target || !point || target->serial == notify->serial) return;
    if (target->conf->kind == UNS_MQTT && own_topic(uns, message->path)) return;
    target->serial = notify->serial;
    int64_t now = clock_wall_ns() / NS_PER_MS;
    buf_init(&body, UNS_EVENT_BYTES_MAX);
    json_out_init(&out, &body);
    put_event(uns, message, point, notify->next_id, &out);
    const UnsNotice *notice =
        buf_status(&body) ? NULL : uns__notice_add(target, 0, now, buf_view(&body));
    if (!notice) {
        log_error(uns->env->log, "uns", "an alarm is not told", "target=%.*s rule=%.*s reason=%s",
                  STR_ARG(message->target), STR_ARG(message->rule),
                  body.failed ? status_text(body.failed) : "no memory");
        return;
    }
    bool kept = uns__notify_op(uns, &(UnsNotifyOp){.what = UNS_NOTICE_KEEP,
                                                   .id = notice->id,
                                                   .at_ms = now,
                                                   .target = message->target,
                                                   .rule = message->rule,
                                                   .path = message->path,
                                                   .event = notice->event,
                                                   .priority = alarm_point_rule(point)->priority,
                                                   .state = alarm_point_kept(point).state});
    if (!kept) notify->stored_id = notice->id; /* better told and not kept than neither */
}

static void keep(void *ctx, const AlarmCall *call)
{
    (void)uns__notify_op(ctx, &(UnsNotifyOp){.what = UNS_CALL_KEEP, .call = *call});
}

static void forget(void *ctx, const AlarmCall *call)
{
    (void)uns__notify_op(ctx, &(UnsNotifyOp){.what = UNS_CALL_DROP, .call = *call});
}

void uns__notify_event(Uns *uns, const AlarmEvent *event)
{
    UnsNotify *notify = uns->notify;
    const AlarmRule *rule = alarm_point_rule(event->point);
    notify->serial++;
    notify->event = event;
    alarm_notify_event(notify->routes, rule->name, alarm_point_path(event->point), rule->priority,
                       event->from, event->to, clock_wall_ns() / NS_PER_MS);
    notify->event = NULL;
    uns__notify_arm(uns);
}

/* ---- time ---- */

static void on_due(void *ctx)
{
    Uns *uns = ctx;
    UnsNotify *notify = uns->notify;
    alarm_notify_tick(notify->routes, clock_wall_ns() / NS_PER_MS);
    uns__notify_arm(uns);
}

void uns__notify_arm(Uns *uns)
{
    UnsNotify *notify = uns->notify;
    int64_t due = alarm_notify_due_ms(notify->routes), now = clock_wall_ns() / NS_PER_MS;
    if (due == INT64_MAX || uns->draining || uns->alarms->loading) return;
    if (notify->timer && notify->armed_ms <= due) return;
    int64_t wait = due > now ? due - now : 0;
    loop_once_stop(&notify->timer);
    notify->armed_ms = due; /* without memory the next change tries again */
    loop_once(uns->env->loop, (uint64_t)(wait < LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS), on_due, uns,
              &notify->timer);
}

/* ---- targets ---- */

Status uns__target_put(Uns *uns, UnsTargetConf *conf, Diag *diag)
{
    UnsNotify *notify = uns->notify;
    UnsTarget *target = uns__target(uns, conf->name);
    if (!target && notify->target_count < UNS_TARGETS_MAX) target = mem_zalloc(1, sizeof *target);
    if (!target) {
        uns__target_conf_free(conf);
        return diag_set(diag, ST_LIMIT, "there are %d targets already", UNS_TARGETS_MAX);
    }
    if (!target->conf) {
        UnsTarget **at = &notify->targets;
        while (*at && str_cmp((*at)->conf->name, conf->name) < 0) at = &(*at)->next;
        target->next = *at;
        target->uns = uns;
        *at = target;
        notify->target_count++;
    }
    uns__target_conf_free(target->conf);
    target->conf = conf;
    target->tries = 0;
    target->next_ms = 0; /* what was wrong may be right now */
    uns__pump(target);
    return ST_OK;
}

void uns__target_drop(UnsTarget *target)
{
    UnsNotify *notify = target->uns->notify;
    UnsTarget **at = &notify->targets;
    while (*at != target) at = &(*at)->next;
    *at = target->next;
    notify->target_count--;
    if (target->delivery) target->delivery->target = NULL;
    loop_timer_stop(target->timer);
    uns__notices_free(target);
    uns__target_conf_free(target->conf);
    mem_free(target);
}

/* ---- life ---- */

Status uns__notify_open(Uns *uns, Diag *diag)
{
    AlarmNotifyHost host = {
        .fits = fits, .state = state, .tell = tell, .keep = keep, .forget = forget, .ctx = uns};
    UnsNotify *notify = mem_zalloc(1, sizeof *notify);
    if (notify) {
        notify->next_id = clock_wall_ns() / NS_PER_MS * IDS_PER_MS;
        notify->routes = alarm_notify_new(&host, (uint32_t)uns_conf(uns)->alarm_count_max);
    }
    uns->notify = notify;
    return notify && notify->routes ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for alarms");
}

void uns__notify_close(Uns *uns)
{
    UnsNotify *notify = uns->notify;
    if (!notify) return;
    atomic_store(&notify->halting, true);
    uns__deliveries_close(uns);
    loop_timer_stop(notify->timer);
    while (notify->targets) {
        notify->targets->delivery = NULL;
        uns__target_drop(notify->targets);
    }
    alarm_notify_free(notify->routes);
    secret_key_wipe(&notify->key);
    mem_free(notify);
    uns->notify = NULL;
}
