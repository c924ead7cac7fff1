/* runtime/modules/uns/uns_notify_queue.c: what waits for each target, and what becomes of it.
 *
 * The first notice goes at once; what comes within `group_ms` of a message waits and goes as one,
 * so a flood is two mails and not two thousand. A failure is tried again after 1, 2, 4 ... times
 * `notify_retry`, spread, up to `notify_retry_max`, until a notice is older than `notify_age_max`.
 * A full queue drops its oldest. Each end is an entry of the journal. */
#include "modules/uns/uns_notify.h"

#include "base/mem.h"
#include "mqtt/broker.h"

#include <sodium.h>
#include <stdio.h>

enum {
    PUBLISH_AT_ONCE = 64,
    TOPIC_BYTES_MAX = 4096,
    SHIFT_MAX = 20,
    EVENTS_BYTES_MAX = 8 << 20 /* of one message: they are read in the same memory */
};

static int64_t now_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

/* ---- the queue ---- */

static void notice_end(UnsTarget *target, UnsNotice **at, bool delivered, const char *text)
{
    UnsNotice *notice = *at;
    (void)uns__notify_op(target->uns, &(UnsNotifyOp){.what = UNS_NOTICE_END,
                                                     .id = notice->id,
                                                     .at_ms = clock_wall_ns() / NS_PER_MS,
                                                     .delivered = delivered,
                                                     .text = str_from(text)});
    *at = notice->next;
    target->queued--;
    if (target->last == notice) {
        target->last = NULL;
        for (UnsNotice *each = target->first; each; each = each->next) target->last = each;
    }
    mem_free(notice);
}

void uns__notices_free(UnsTarget *target)
{
    for (UnsNotice *notice = target->first, *next; notice; notice = next) {
        next = notice->next;
        mem_free(notice);
    }
    target->first = target->last = NULL;
    target->queued = 0;
}

/* The oldest that is not on its way; when all are, there is one more than allowed for a while. */
static void drop_oldest(UnsTarget *target)
{
    int64_t going = target->delivery ? target->delivery->last_id : 0;
    UnsNotice **at = &target->first;
    while (*at && (*at)->id <= going) at = &(*at)->next;
    if (!*at) return;
    target->dropped++;
    notice_end(target, at, false, "dropped: too many wait for this target");
}

UnsNotice *uns__notice_add(UnsTarget *target, int64_t id, int64_t at_ms, Str event)
{
    UnsNotify *notify = target->uns->notify;
    if (target->queued >= uns_conf(target->uns)->notify_queue_max) drop_oldest(target);
    UnsNotice *notice = mem_alloc(sizeof *notice + event.len);
    if (!notice) {
        target->dropped++;
        return NULL;
    }
    memcpy(notice + 1, event.ptr, event.len);
    *notice = (UnsNotice){.id = id ? id : notify->next_id++,
                          .at_ms = at_ms,
                          .event = str_slice((const char *)(notice + 1), event.len)};
    if (target->last)
        target->last->next = notice;
    else
        target->first = notice;
    target->last = notice;
    target->queued++;
    return notice;
}

void uns__notify_stored(Uns *uns, int64_t last_id)
{
    UnsNotify *notify = uns->notify;
    if (last_id > notify->stored_id) notify->stored_id = last_id;
    for (UnsTarget *target = notify->targets; target; target = target->next) uns__pump(target);
}

/* ---- what went, what did not ---- */

static void succeeded(UnsTarget *target, int64_t last_id)
{
    uint32_t count = 0;
    target->tries = 0;
    target->sent++;
    target->sent_ms = now_ms();
    target->success_ms = clock_wall_ns() / NS_PER_MS;
    if (target->troubled)
        log_info(target->uns->env->log, "uns", "alarms are told again", "target=%.*s",
                 STR_ARG(target->conf->name));
    target->troubled = false;
    for (; target->first && target->first->id <= last_id; count++)
        notice_end(target, &target->first, true, "");
    target->delivered += count;
    if (count) target->grouped += count - 1;
}

static void note_error(UnsTarget *target, const char *text)
{
    (void)snprintf(target->error, sizeof target->error, "%s", text);
    target->error_ms = clock_wall_ns() / NS_PER_MS;
    if (!target->troubled)
        log_warn(target->uns->env->log, "uns", "alarms are not told", "target=%.*s reason=%s",
                 STR_ARG(target->conf->name), target->error);
    target->troubled = true;
}

/* Half of it is chance, so that many who wait for one server do not come at once. */
static int64_t pause_ms(const UnsTarget *target)
{
    const UnsConf *conf = uns_conf(target->uns);
    uint32_t shift = target->tries - 1 < SHIFT_MAX ? target->tries - 1 : SHIFT_MAX;
    int64_t most = conf->notify_retry_ms << shift;
    if (most > conf->notify_retry_max_ms) most = conf->notify_retry_max_ms;
    return most - most / 2 + (int64_t)randombytes_uniform((uint32_t)(most / 2) + 1);
}

static void failed(UnsTarget *target, int64_t last_id, Status status, const char *text)
{
    if (status == ST_CANCELLED) return;
    target->failures++;
    note_error(target, text);
    if (status == ST_CONFLICT) {
        target->tries = 0;
        while (target->first && target->first->id <= last_id) {
            target->refused++;
            notice_end(target, &target->first, false, target->error);
        }
        return;
    }
    target->tries++;
    target->next_ms = now_ms() + pause_ms(target);
}

void uns__test_answer(Req *req, Status status, const Diag *diag, int64_t began_ns)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_bool(&out, "delivered", !status);
    json_field_int(&out, "ms", (clock_monotonic_ns() - began_ns) / NS_PER_MS);
    if (status) json_field_text(&out, "error", diag->text[0] ? diag->text : status_text(status));
    json_end(&out);
    req_answer_buf(req, &body);
}

void uns__delivered(UnsDelivery *d)
{
    UnsTarget *target = d->target;
    if (d->req) {
        d->uns->notify->tests--;
        uns__test_answer(d->req, d->status, &d->diag, d->began_ns);
    }
    if (!target) return;
    target->delivery = NULL;
    if (d->status)
        failed(target, d->last_id, d->status,
               d->diag.text[0] ? d->diag.text : status_text(d->status));
    else
        succeeded(target, d->last_id);
    uns__pump(target);
}

/* ---- sending ---- */

Status uns__publish_event(Uns *uns, const UnsTargetConf *conf, Str event, Diag *diag)
{
    AUTO_BUF Buf topic;
    const Json *json = NULL;
    buf_init(&topic, TOPIC_BYTES_MAX);
    if (!uns->env->broker)
        return diag_set(diag, ST_UNAVAILABLE, "there is no broker in this process");
    Arena *arena = arena_new(4096, 1 << 20);
    Status st = arena ? json_read(arena, event, &json, diag) : ST_NO_MEMORY;
    if (!st) uns__fill_in(&topic, conf->topic, json, true);
    arena_free(arena);
    if (!st && buf_status(&topic)) st = diag_set(diag, ST_CONFLICT, "the topic is too long");
    if (st) return st;
    MqttPub pub = {
        .topic = buf_view(&topic), .payload = event, .qos = conf->qos, .retain = conf->retain};
    uns->quiet = true; /* a notice is a message, no value: no names, no history of its fields */
    st = mqtt_broker_publish(uns->env->broker, &pub, diag);
    uns->quiet = false;
    return st == ST_INVALID ? ST_CONFLICT : st; /* a schema does not take it, say */
}

static void on_timer(void *ctx)
{
    UnsTarget *target = ctx;
    uns__pump(target);
}

/* Without memory the next notice tries again. */
static void later(UnsTarget *target, int64_t ms)
{
    loop_once_stop(&target->timer);
    loop_once(target->uns->env->loop, (uint64_t)(ms > 0 ? ms : 0), on_timer, target,
              &target->timer);
}

static void publish_some(UnsTarget *target)
{
    int64_t stored = target->uns->notify->stored_id;
    for (int i = 0; i < PUBLISH_AT_ONCE && target->first && target->first->id <= stored; i++) {
        Diag diag = {0};
        int64_t id = target->first->id;
        Status st = uns__publish_event(target->uns, target->conf, target->first->event, &diag);
        if (st) {
            failed(target, id, st, diag.text[0] ? diag.text : status_text(st));
            break;
        }
        succeeded(target, id);
    }
    int64_t wait = target->next_ms - now_ms();
    if (target->first && target->first->id <= stored) later(target, wait);
}

static void deliver(UnsTarget *target)
{
    Uns *uns = target->uns;
    bool mail = target->conf->kind == UNS_EMAIL;
    uint32_t max = mail ? UNS_MAIL_GROUP_MAX : UNS_WEBHOOK_GROUP_MAX;
    UnsDelivery *d =
        uns__delivery_new(uns, target->conf, max < target->queued ? max : target->queued);
    if (!d) {
        later(target, uns_conf(uns)->notify_retry_ms);
        return;
    }
    d->first_ms = target->first->at_ms;
    const UnsNotice *notice = target->first;
    for (; notice && d->count < max && notice->id <= uns->notify->stored_id;
         notice = notice->next) {
        d->events[d->count] = arena_str(d->arena, notice->event);
        if (!d->events[d->count].ptr) break;
        d->count++;
        d->last_id = notice->id;
        d->last_ms = notice->at_ms;
        if (arena_bytes(d->arena) > EVENTS_BYTES_MAX) break; /* the rest goes with the next one */
    }
    d->id =
        arena_printf(d->arena, "%lld-%lld", (long long)target->first->id, (long long)d->last_id);
    d->target = target;
    target->delivery = d;
    uns__delivery_start(d);
}

static void expire(UnsTarget *target)
{
    char text[UNS_NOTIFY_ERROR_MAX + 32];
    int64_t before = clock_wall_ns() / NS_PER_MS - uns_conf(target->uns)->notify_age_ms;
    while (target->first && target->first->at_ms < before) {
        (void)snprintf(text, sizeof text, "given up: too old. %s", target->error);
        target->expired++;
        notice_end(target, &target->first, false, text);
    }
}

void uns__pump(UnsTarget *target)
{
    Uns *uns = target->uns;
    if (uns->draining || uns->alarms->loading || target->delivery) return;
    if (target->first && target->first->id <= uns->notify->stored_id) expire(target);
    if (!target->first || target->first->id > uns->notify->stored_id) return;
    int64_t now = now_ms(), at = target->sent_ms ? target->sent_ms + target->conf->group_ms : now;
    if (target->next_ms > at) at = target->next_ms;
    if (at > now)
        later(target, at - now);
    else if (target->conf->kind == UNS_MQTT)
        publish_some(target);
    else
        deliver(target);
}
