/* runtime/bus/bus_core.c: queues, delivery and waiting requests, the same for every bus.
 *
 * One uv_async wakes the loop; its turn first hands out answers, then lets each subscription that
 * has messages run at most BATCH of them, so one flood cannot starve the others. A subscription
 * still full stays in the ready list for the next turn. Handlers may unsubscribe anybody, also
 * themselves: the list is walked by popping, and `current` says whether the sub still exists. */
#include "bus/bus_core.h"

#include "base/mem.h"

#include <assert.h>

enum { BATCH = 64, PENDING_FIRST = 64, SLOT_BITS = 16 };

static bool word_char(char c, bool *wild)
{
    if (c == '*' || c == '>') *wild = true;
    return (unsigned char)c > 0x20 && c != 0x7f;
}

static bool words_valid(Str text, bool wildcards)
{
    if (!text.len || text.len > BUS_SUBJECT_BYTES_MAX) return false;
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') continue;
        bool wild = false;
        if (i == start) return false;
        for (size_t k = start; k < i; k++)
            if (!word_char(text.ptr[k], &wild)) return false;
        if (wild && (!wildcards || i - start != 1)) return false;
        if (wild && text.ptr[start] == '>' && i != text.len) return false;
        start = i + 1;
    }
    return true;
}

bool bus_subject_valid(Str subject)
{
    return words_valid(subject, false);
}

bool bus_filter_valid(Str filter)
{
    return words_valid(filter, true);
}

bool bus_match(Str filter, Str subject)
{
    size_t f = 0, s = 0;
    while (f < filter.len) {
        if (filter.ptr[f] == '>') return s < subject.len;
        if (filter.ptr[f] == '*') {
            size_t start = s;
            while (s < subject.len && subject.ptr[s] != '.') s++;
            if (s == start) return false;
            f++;
        } else {
            while (f < filter.len && filter.ptr[f] != '.') {
                if (s >= subject.len || subject.ptr[s] != filter.ptr[f]) return false;
                f++, s++;
            }
        }
        bool filter_ends = f >= filter.len, subject_ends = s >= subject.len;
        if (filter_ends || subject_ends) return filter_ends && subject_ends;
        if (filter.ptr[f] != '.' || subject.ptr[s] != '.') return false;
        f++, s++;
    }
    return false;
}

static bool text_valid(Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    return true;
}

bool bus__caller_valid(const BusCaller *caller)
{
    if (!caller) return true;
    size_t bytes = caller->user.len + caller->org.len + caller->address.len + caller->name.len;
    return bytes <= BUS_CALLER_BYTES_MAX && text_valid(caller->user) && text_valid(caller->org) &&
           text_valid(caller->address) && text_valid(caller->name);
}

static Str copy_text(char **at, Str text)
{
    char *to = *at;
    if (text.len) memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    *at += text.len + 1;
    return (Str){to, text.len};
}

BusMessage *bus__message(Str subject, Str body, const BusCaller *caller, Str reply, bool is_request)
{
    static const BusCaller system = {.roles = BUS_ROLES_ALL};
    if (!caller) caller = &system;
    size_t bytes = subject.len + body.len + caller->user.len + caller->org.len +
                   caller->address.len + caller->name.len + reply.len + 7;
    BusMessage *msg = mem_alloc(sizeof *msg + bytes);
    if (!msg) return NULL;
    char *at = (char *)(msg + 1);
    *msg = (BusMessage){.refs = 1, .roles = caller->roles, .is_request = is_request};
    msg->subject = copy_text(&at, subject);
    msg->body = copy_text(&at, body);
    msg->user = copy_text(&at, caller->user);
    msg->org = copy_text(&at, caller->org);
    msg->address = copy_text(&at, caller->address);
    msg->name = copy_text(&at, caller->name);
    msg->reply = copy_text(&at, reply);
    return msg;
}

void bus__message_unref(BusMessage *msg)
{
    if (msg && atomic_fetch_sub(&msg->refs, 1) == 1) mem_free(msg);
}

/* ---- queues ---- */

static bool ring_grow(BusSub *sub)
{
    uint32_t cap = sub->ring_cap ? sub->ring_cap * 2 : 16;
    BusEntry *ring = mem_alloc(cap * sizeof *ring);
    if (!ring) return false;
    for (uint32_t i = 0; i < sub->len; i++) ring[i] = sub->ring[(sub->head + i) % sub->ring_cap];
    mem_free(sub->ring);
    sub->ring = ring;
    sub->ring_cap = cap;
    sub->head = 0;
    return true;
}

static BusEntry ring_pop(BusSub *sub)
{
    BusEntry entry = sub->ring[sub->head];
    sub->head = (sub->head + 1) % sub->ring_cap;
    sub->len--;
    return entry;
}

static void ready_add(Bus *bus, BusSub *sub)
{
    if (sub->is_ready) return;
    sub->is_ready = true;
    sub->next_ready = NULL;
    sub->prev_ready = bus->ready_last;
    *(bus->ready_last ? &bus->ready_last->next_ready : &bus->ready_first) = sub;
    bus->ready_last = sub;
    bus->ready_count++;
}

static void ready_remove(Bus *bus, BusSub *sub)
{
    if (!sub->is_ready) return;
    sub->is_ready = false;
    *(sub->prev_ready ? &sub->prev_ready->next_ready : &bus->ready_first) = sub->next_ready;
    *(sub->next_ready ? &sub->next_ready->prev_ready : &bus->ready_last) = sub->prev_ready;
    bus->ready_count--;
}

static void req_link(Bus *bus, BusReq *req)
{
    req->bus = bus;
    req->next = bus->reqs;
    req->link = &bus->reqs;
    if (req->next) req->next->link = &req->next;
    bus->reqs = req;
}

static void req_unlink(BusReq *req)
{
    if (!req->bus) return;
    *req->link = req->next;
    if (req->next) req->next->link = req->link;
    req->bus = NULL;
}

/* A message that will not be delivered: its sender is told when it waits. */
static void refuse(Bus *bus, BusEntry entry, Status status, const char *why)
{
    if (entry.req) bus->transport->answer(bus, entry.msg, status, str_from(why));
    mem_free(entry.req);
    bus__message_unref(entry.msg);
}

void bus__deliver(BusSub *sub, BusMessage *msg)
{
    Bus *bus = sub->bus;
    BusEntry entry = {msg, NULL}, lost = {0};
    if (msg->is_request) {
        entry.req = mem_zalloc(1, sizeof *entry.req);
        if (!entry.req) return; /* the sender gets its timeout */
        entry.req->msg = msg;
    }
    atomic_fetch_add(&msg->refs, 1);
    pthread_mutex_lock(&bus->lock);
    if (sub->len >= sub->queue_max && (sub->flags & BUS_LATEST_WINS)) lost = ring_pop(sub);
    bool room = sub->len < sub->queue_max && (sub->len < sub->ring_cap || ring_grow(sub));
    if (room) {
        sub->ring[(sub->head + sub->len++) % sub->ring_cap] = entry;
        ready_add(bus, sub);
    } else {
        lost = entry;
    }
    pthread_mutex_unlock(&bus->lock);
    if (lost.msg) {
        atomic_fetch_add(&sub->dropped, 1);
        refuse(bus, lost, ST_BUSY, "the queue of this subscription is full");
    }
    (void)uv_async_send(&bus->wake);
}

static bool next_entry(Bus *bus, BusSub *sub, BusEntry *entry)
{
    pthread_mutex_lock(&bus->lock);
    bool some = sub->len > 0;
    if (some) *entry = ring_pop(sub);
    pthread_mutex_unlock(&bus->lock);
    return some;
}

static void call_handler(BusSub *sub, BusEntry entry)
{
    BusMessage *msg = entry.msg;
    if (entry.req) {
        /* The queue's reference stays with the request; the handler's own is taken here. */
        atomic_fetch_add(&msg->refs, 1);
        req_link(sub->bus, entry.req);
    }
    BusMsg view = {.subject = msg->subject,
                   .body = msg->body,
                   .caller = {msg->user, msg->org, msg->roles, msg->address, msg->name},
                   .req = entry.req};
    sub->fn(sub->ctx, &view);
    bus__message_unref(msg);
}

static void run_sub(Bus *bus, BusSub *sub)
{
    BusEntry entry;
    bus->current = sub;
    for (int i = 0; i < BATCH && bus->current == sub && next_entry(bus, sub, &entry); i++)
        call_handler(sub, entry);
    if (bus->current != sub) return;
    bus->current = NULL;
    pthread_mutex_lock(&bus->lock);
    bool more = sub->len > 0;
    if (more) ready_add(bus, sub);
    pthread_mutex_unlock(&bus->lock);
    if (more) (void)uv_async_send(&bus->wake);
}

/* ---- waiting requests ---- */

static Status pending_grow(Bus *bus)
{
    uint32_t cap = bus->pending_cap ? bus->pending_cap * 2 : PENDING_FIRST;
    if (bus->pending_cap >= BUS_REQUESTS_MAX) return ST_BUSY;
    BusPending **list = mem_realloc(bus->pending, cap * sizeof *list);
    if (!list) return ST_NO_MEMORY;
    bus->pending = list;
    for (; bus->pending_cap < cap; bus->pending_cap++) {
        BusPending *slot = mem_zalloc(1, sizeof *slot);
        if (!slot) return bus->pending_free == UINT32_MAX ? ST_NO_MEMORY : ST_OK;
        slot->bus = bus;
        slot->next_free = bus->pending_free;
        list[bus->pending_cap] = slot;
        bus->pending_free = bus->pending_cap;
    }
    return ST_OK;
}

static void pending_release(Bus *bus, BusPending *slot)
{
    uint32_t index = (uint32_t)(slot->id & ((1u << SLOT_BITS) - 1));
    loop_timer_stop(slot->timer);
    slot->timer = NULL;
    slot->id = 0;
    slot->next_free = bus->pending_free;
    bus->pending_free = index;
    bus->pending_count--;
}

static void pending_end(Bus *bus, BusPending *slot, Status status, Str body)
{
    BusAnswerFn *fn = slot->fn;
    void *ctx = slot->ctx;
    pending_release(bus, slot);
    fn(ctx, status, body);
}

static void on_timeout(void *ctx)
{
    BusPending *slot = ctx;
    pending_end(slot->bus, slot, ST_TIMEOUT, STR("no answer in time"));
}

static BusPending *pending_find(Bus *bus, uint64_t id)
{
    uint32_t index = (uint32_t)(id & ((1u << SLOT_BITS) - 1));
    if (index >= bus->pending_cap || bus->pending[index]->id != id) return NULL;
    return bus->pending[index];
}

void bus__deliver_answer(Bus *bus, uint64_t id, Status status, Str body)
{
    BusAnswer *answer = mem_alloc(sizeof *answer + body.len + 1);
    if (!answer) return; /* the sender gets its timeout */
    char *at = (char *)(answer + 1);
    *answer = (BusAnswer){.id = id, .status = status};
    answer->body = copy_text(&at, body);
    pthread_mutex_lock(&bus->lock);
    *(bus->answers_last ? &bus->answers_last->next : &bus->answers_first) = answer;
    bus->answers_last = answer;
    pthread_mutex_unlock(&bus->lock);
    (void)uv_async_send(&bus->wake);
}

static BusAnswer *take_answers(Bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    BusAnswer *first = bus->answers_first;
    bus->answers_first = bus->answers_last = NULL;
    pthread_mutex_unlock(&bus->lock);
    return first;
}

static BusSub *pop_ready(Bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    BusSub *sub = bus->ready_first;
    if (sub) ready_remove(bus, sub);
    pthread_mutex_unlock(&bus->lock);
    return sub;
}

static void on_wake(uv_async_t *wake)
{
    Bus *bus = wake->data;
    if (bus->closing) return;
    for (BusAnswer *answer = take_answers(bus), *next; answer; answer = next) {
        next = answer->next;
        BusPending *slot = pending_find(bus, answer->id);
        if (slot) pending_end(bus, slot, answer->status, answer->body);
        mem_free(answer);
    }
    pthread_mutex_lock(&bus->lock);
    uint32_t count = bus->ready_count;
    pthread_mutex_unlock(&bus->lock);
    for (BusSub *sub; count-- && (sub = pop_ready(bus));) run_sub(bus, sub);
}

/* ---- the public face ---- */

Status bus__init(Bus *bus, const BusTransport *transport, Loop *loop)
{
    bus->transport = transport;
    bus->loop = loop;
    bus->pending_free = UINT32_MAX;
    if (uv_async_init(loop_uv(loop), &bus->wake, on_wake)) return ST_IO;
    bus->wake.data = bus;
    pthread_mutex_init(&bus->lock, NULL);
    return ST_OK;
}

static char *copy_c(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mem_alloc(bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

static void sub_free(BusSub *sub)
{
    mem_free(sub->filter);
    mem_free(sub->group);
    mem_free(sub->ring);
    mem_free(sub);
}

Status bus_subscribe(Bus *bus, const char *filter, const char *group, uint32_t queue_max,
                     uint32_t flags, BusMsgFn *fn, void *ctx, BusSub **ret_sub)
{
    bool grouped = flags & BUS_ONE_OF_GROUP;
    if (!bus_filter_valid(str_from(filter)) || !queue_max) return ST_INVALID;
    if (grouped && !bus_subject_valid(str_from(group))) return ST_INVALID;
    BusSub *sub = mem_zalloc(1, sizeof *sub);
    if (!sub) return ST_NO_MEMORY;
    sub->bus = bus;
    sub->flags = flags;
    sub->queue_max = queue_max;
    sub->fn = fn;
    sub->ctx = ctx;
    sub->filter = copy_c(filter);
    sub->group = grouped ? copy_c(group) : NULL;
    Status st = sub->filter && (sub->group || !grouped) ? ST_OK : ST_NO_MEMORY;
    if (!st) st = bus->transport->subscribe(bus, sub);
    if (st) {
        sub_free(sub);
        return st;
    }
    sub->next = bus->subs;
    sub->link = &bus->subs;
    if (sub->next) sub->next->link = &sub->next;
    bus->subs = sub;
    *ret_sub = sub;
    return ST_OK;
}

void bus_unsubscribe(BusSub *sub)
{
    if (!sub) return;
    Bus *bus = sub->bus;
    BusEntry entry;
    bus->transport->unsubscribe(bus, sub);
    if (bus->current == sub) bus->current = NULL;
    pthread_mutex_lock(&bus->lock);
    ready_remove(bus, sub);
    pthread_mutex_unlock(&bus->lock);
    while (next_entry(bus, sub, &entry))
        refuse(bus, entry, ST_UNAVAILABLE, "the listener went away");
    *sub->link = sub->next;
    if (sub->next) sub->next->link = sub->link;
    sub_free(sub);
}

uint64_t bus_dropped(const BusSub *sub)
{
    return atomic_load(&sub->dropped);
}

Status bus_publish(Bus *bus, Str subject, Str body)
{
    if (!bus_subject_valid(subject)) return ST_INVALID;
    if (body.len > BUS_BODY_BYTES_MAX) return ST_LIMIT;
    if (bus->closing) return ST_CANCELLED;
    return bus->transport->publish(bus, subject, body);
}

bool bus_heard(Bus *bus, Str subject)
{
    return !bus->closing && (!bus->transport->heard || bus->transport->heard(bus, subject));
}

Status bus_request(Bus *bus, Str subject, Str body, const BusCaller *caller, uint32_t timeout_ms,
                   BusAnswerFn *fn, void *ctx)
{
    if (!bus_subject_valid(subject) || !bus__caller_valid(caller)) return ST_INVALID;
    if (body.len > BUS_BODY_BYTES_MAX) return ST_LIMIT;
    if (bus->closing) return ST_CANCELLED;
    Status st = bus->pending_free == UINT32_MAX ? pending_grow(bus) : ST_OK;
    if (st) return st;
    uint32_t index = bus->pending_free;
    BusPending *slot = bus->pending[index];
    st = loop_timer_start(bus->loop, timeout_ms, 0, on_timeout, slot, &slot->timer);
    if (st) return st;
    bus->pending_free = slot->next_free;
    bus->pending_count++;
    slot->id = ++bus->pending_serial << SLOT_BITS | index;
    slot->fn = fn;
    slot->ctx = ctx;
    st = bus->transport->request(bus, slot->id, subject, body, caller);
    if (st) pending_release(bus, slot);
    return st;
}

void bus_answer(BusReq *req, Status status, Str body)
{
    Bus *bus = req->bus;
    if (bus && body.len > BUS_BODY_BYTES_MAX) {
        status = ST_LIMIT;
        body = STR("the answer is larger than a message may be");
    }
    if (bus) bus->transport->answer(bus, req->msg, status, body);
    req_unlink(req);
    bus__message_unref(req->msg);
    mem_free(req);
}

static void on_closed(uv_handle_t *handle)
{
    Bus *bus = handle->data;
    bus->transport->done(bus);
    for (uint32_t i = 0; i < bus->pending_cap; i++) mem_free(bus->pending[i]);
    mem_free(bus->pending);
    pthread_mutex_destroy(&bus->lock);
    mem_free(bus);
}

void bus_close(Bus *bus)
{
    if (!bus) return;
    assert(!bus->current); /* never from inside a handler */
    bus->closing = true;
    for (uint32_t i = 0; i < bus->pending_cap; i++)
        if (bus->pending[i]->id)
            pending_end(bus, bus->pending[i], ST_CANCELLED, STR("the bus is closing"));
    while (bus->subs) bus_unsubscribe(bus->subs);
    while (bus->reqs) req_unlink(bus->reqs);
    bus->transport->close(bus);
    for (BusAnswer *answer = take_answers(bus), *next; answer; answer = next) {
        next = answer->next;
        mem_free(answer);
    }
    uv_close((uv_handle_t *)&bus->wake, on_closed);
}
