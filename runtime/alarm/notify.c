/* runtime/alarm/notify.c: calls: what a route does with an alarm, and when.
 *
 * Calls lie in a table by route, rule and path, and those that wait for a moment in a heap by it.
 * A call outlives the alarm's being told, because who was told that it came is also told that it
 * went, and who was not is not. */
#include "alarm/notify.h"

#include "alarm/alarm_int.h"
#include "base/hash.h"
#include "base/mem.h"

typedef struct Route {
    AlarmRoute route; /* texts in `arena` */
    Arena *arena;     /* owned */
} Route;

typedef struct Call {
    AlarmCall kept; /* its texts lie in `key` */
    Str key;        /* owned: route, rule and path, a line each */
    uint32_t heap_at;
} Call;

struct AlarmNotify {
    AlarmNotifyHost host;
    Route *routes[ALARM_ROUTES_MAX]; /* by name */
    uint32_t route_count, call_max;
    uint64_t uncalled;
    Map calls; /* key -> Call */
    Call **heap;
    uint32_t heap_count, heap_cap;
};

/* ---- the heap ---- */

static int64_t due_of(const Call *call)
{
    const AlarmCall *kept = &call->kept;
    int64_t due = kept->first_ms < kept->repeat_ms ? kept->first_ms : kept->repeat_ms;
    return due < kept->escalate_ms ? due : kept->escalate_ms;
}

static void place(AlarmNotify *notify, uint32_t at, Call *call)
{
    notify->heap[at] = call;
    call->heap_at = at + 1;
}

static void sift(AlarmNotify *notify, uint32_t at)
{
    Call *call = notify->heap[at];
    int64_t due = due_of(call);
    for (; at && due_of(notify->heap[(at - 1) / 2]) > due; at = (at - 1) / 2)
        place(notify, at, notify->heap[(at - 1) / 2]);
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= notify->heap_count) break;
        if (child + 1 < notify->heap_count &&
            due_of(notify->heap[child + 1]) < due_of(notify->heap[child]))
            child++;
        if (due_of(notify->heap[child]) >= due) break;
        place(notify, at, notify->heap[child]);
        at = child;
    }
    place(notify, at, call);
}

static void heap_out(AlarmNotify *notify, Call *call)
{
    uint32_t at = call->heap_at;
    if (!at) return;
    call->heap_at = 0;
    Call *last = notify->heap[--notify->heap_count];
    if (last == call) return;
    place(notify, at - 1, last);
    sift(notify, at - 1);
}

/* The call's moments changed. There is room for every call. */
static void replan(AlarmNotify *notify, Call *call)
{
    if (due_of(call) == ALARM_NEVER) {
        heap_out(notify, call);
        return;
    }
    if (!call->heap_at) place(notify, notify->heap_count++, call);
    sift(notify, call->heap_at - 1);
}

static bool heap_room(AlarmNotify *notify)
{
    if (notify->calls.len < notify->heap_cap) return true;
    uint32_t cap = notify->heap_cap ? notify->heap_cap * 2 : 64;
    Call **grown = mem_realloc(notify->heap, cap * sizeof(Call *));
    if (!grown) return false;
    notify->heap = grown;
    notify->heap_cap = cap;
    return true;
}

/* ---- calls ---- */

static Str key_of(Buf *room, Str route, Str rule, Str path)
{
    buf_clear(room);
    buf_str(room, route);
    buf_char(room, '\n');
    buf_str(room, rule);
    buf_char(room, '\n');
    buf_str(room, path);
    return buf_status(room) ? STR_NONE : buf_view(room);
}

static Call *call_find(const AlarmNotify *notify, Str route, Str rule, Str path)
{
    AUTO_BUF Buf room;
    buf_init(&room, 8192);
    return map_get(&notify->calls, key_of(&room, route, rule, path));
}

static void call_free(AlarmNotify *notify, Call *call)
{
    heap_out(notify, call);
    (void)map_remove(&notify->calls, call->key);
    mem_free((void *)(uintptr_t)call->key.ptr);
    mem_free(call);
}

/* NULL: no room. */
static Call *call_make(AlarmNotify *notify, Str route, Str rule, Str path)
{
    AUTO_BUF Buf room;
    buf_init(&room, 8192);
    Str key = key_of(&room, route, rule, path);
    if (!key.len || notify->calls.len >= notify->call_max || !heap_room(notify)) return NULL;
    char *held = mem_alloc(key.len);
    Call *call = mem_zalloc(1, sizeof *call);
    if (held) memcpy(held, key.ptr, key.len);
    if (call && held) {
        call->key = str_slice(held, key.len);
        call->kept = (AlarmCall){.route = str_slice(held, route.len),
                                 .rule = str_slice(held + route.len + 1, rule.len),
                                 .path = str_slice(held + route.len + rule.len + 2, path.len),
                                 .first_ms = ALARM_NEVER,
                                 .repeat_ms = ALARM_NEVER,
                                 .escalate_ms = ALARM_NEVER};
    }
    if (call && held && !map_put(&notify->calls, call->key, call)) return call;
    mem_free(held);
    mem_free(call);
    return NULL;
}

static void forget(AlarmNotify *notify, Call *call)
{
    notify->host.forget(notify->host.ctx, &call->kept);
    call_free(notify, call);
}

static void keep(AlarmNotify *notify, Call *call)
{
    replan(notify, call);
    notify->host.keep(notify->host.ctx, &call->kept);
}

static void tell(const AlarmNotify *notify, const AlarmMessage *message)
{
    AlarmMessage each = *message;
    for (uint32_t i = 0; i < message->route->to_count; i++) {
        each.target = message->route->to[i];
        notify->host.tell(notify->host.ctx, &each);
    }
}

/* ---- what happens ---- */

static void first(AlarmNotify *notify, const AlarmRoute *route, Call *call, int64_t wall_ms)
{
    AlarmCall *kept = &call->kept;
    kept->first_ms = ALARM_NEVER;
    kept->told = 1;
    kept->repeat_ms =
        route->repeat_ms && route->repeat_max ? wall_ms + route->repeat_ms : ALARM_NEVER;
    kept->escalate_ms = route->escalate_ms ? wall_ms + route->escalate_ms : ALARM_NEVER;
    keep(notify, call);
    tell(notify, &(AlarmMessage){.route = route,
                                 .rule = kept->rule,
                                 .path = kept->path,
                                 .news = ALARM_NEWS_RAISED,
                                 .number = 1});
}

static void raised(AlarmNotify *notify, const AlarmRoute *route, Str rule, Str path,
                   int64_t wall_ms)
{
    Call *call = call_find(notify, route->name, rule, path);
    if (!call) call = call_make(notify, route->name, rule, path);
    if (!call) {
        notify->uncalled++;
        tell(notify, &(AlarmMessage){.route = route,
                                     .rule = rule,
                                     .path = path,
                                     .news = ALARM_NEWS_RAISED,
                                     .number = 1});
        return;
    }
    call->kept.told = 0;
    call->kept.escalated = false;
    call->kept.repeat_ms = call->kept.escalate_ms = ALARM_NEVER;
    call->kept.first_ms = wall_ms + route->delay_ms;
    if (route->delay_ms)
        keep(notify, call);
    else
        first(notify, route, call, wall_ms);
}

/* Anything but a raise: the call is quiet from now on, and over when the alarm is. */
static void calmed(AlarmNotify *notify, const AlarmRoute *route, Str rule, Str path, AlarmNews news,
                   AlarmState to)
{
    Call *call = call_find(notify, route->name, rule, path);
    bool told = call && call->kept.told, aside = news >= ALARM_NEWS_SHELVED;
    bool untold = !told && (route->when & 1u << ALARM_NEWS_RAISED) && !aside;
    bool more = route->when & ~(1u << ALARM_NEWS_RAISED); /* there may be something to say yet */
    if (call && (!told || aside || !more || to == ALARM_NORMAL)) {
        forget(notify, call);
    } else if (call) {
        call->kept.first_ms = call->kept.repeat_ms = call->kept.escalate_ms = ALARM_NEVER;
        keep(notify, call);
    }
    if (untold || !(route->when & 1u << news)) return;
    tell(notify,
         &(AlarmMessage){.route = route, .rule = rule, .path = path, .news = news, .number = 1});
}

/* `*` stands for any letters. */
static bool name_fits(Str pattern, Str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

static bool concerns(const AlarmNotify *notify, const AlarmRoute *route, Str rule, Str path,
                     AlarmPriority priority)
{
    bool named = !route->name_count;
    if (route->off || !(route->priorities & 1u << priority)) return false;
    for (uint32_t i = 0; i < route->name_count && !named; i++)
        named = name_fits(route->names[i], rule);
    return named && notify->host.fits(notify->host.ctx, route->on, path);
}

void alarm_notify_event(AlarmNotify *notify, Str rule, Str path, AlarmPriority priority,
                        AlarmState from, AlarmState to, int64_t wall_ms)
{
    AlarmNews news = alarm_news_of(from, to);
    if (news == ALARM_NEWS_NONE) return;
    for (uint32_t i = 0; i < notify->route_count; i++) {
        const AlarmRoute *route = &notify->routes[i]->route;
        if (!concerns(notify, route, rule, path, priority)) continue;
        if (news != ALARM_NEWS_RAISED)
            calmed(notify, route, rule, path, news, to);
        else if (route->when & 1u << ALARM_NEWS_RAISED)
            raised(notify, route, rule, path, wall_ms);
    }
}

/* ---- time ---- */

static void repeat(AlarmNotify *notify, const AlarmRoute *route, Call *call, int64_t wall_ms)
{
    AlarmCall *kept = &call->kept;
    bool again = route->repeat_ms && kept->told <= route->repeat_max;
    kept->told += again;
    kept->repeat_ms =
        again && kept->told <= route->repeat_max ? wall_ms + route->repeat_ms : ALARM_NEVER;
    keep(notify, call);
    if (!again) return;
    AlarmMessage message = {.route = route,
                            .rule = kept->rule,
                            .path = kept->path,
                            .news = ALARM_NEWS_REPEATED,
                            .number = kept->told};
    tell(notify, &message);
    message.target = route->escalate_to;
    if (kept->escalated && message.target.len) notify->host.tell(notify->host.ctx, &message);
}

static void escalate(AlarmNotify *notify, const AlarmRoute *route, Call *call)
{
    AlarmCall *kept = &call->kept;
    kept->escalate_ms = ALARM_NEVER;
    kept->escalated = true;
    keep(notify, call);
    if (!route->escalate_to.len) return;
    notify->host.tell(notify->host.ctx, &(AlarmMessage){.route = route,
                                                        .target = route->escalate_to,
                                                        .rule = kept->rule,
                                                        .path = kept->path,
                                                        .news = ALARM_NEWS_ESCALATED,
                                                        .number = kept->told});
}

static bool waits(const AlarmNotify *notify, const Call *call)
{
    AlarmState state;
    const AlarmCall *kept = &call->kept;
    return notify->host.state(notify->host.ctx, kept->rule, kept->path, &state) &&
           state == ALARM_UNACKED;
}

void alarm_notify_tick(AlarmNotify *notify, int64_t wall_ms)
{
    while (notify->heap_count && due_of(notify->heap[0]) <= wall_ms) {
        Call *call = notify->heap[0];
        AlarmCall *kept = &call->kept;
        const AlarmRoute *route = alarm_notify_route(notify, kept->route);
        if (!route || route->off || !waits(notify, call))
            forget(notify, call);
        else if (kept->first_ms <= wall_ms)
            first(notify, route, call, wall_ms);
        else if (kept->escalate_ms <= wall_ms)
            escalate(notify, route, call);
        else
            repeat(notify, route, call, wall_ms);
    }
}

int64_t alarm_notify_due_ms(const AlarmNotify *notify)
{
    return notify->heap_count ? due_of(notify->heap[0]) : ALARM_NEVER;
}

/* A call of `rule` at `path` that has come as far as that one; NULL: no room. */
static Call *call_like(AlarmNotify *notify, const AlarmCall *kept, Str rule, Str path)
{
    Call *call = call_make(notify, kept->route, rule, path);
    if (!call) return NULL;
    call->kept.first_ms = kept->first_ms;
    call->kept.repeat_ms = kept->repeat_ms;
    call->kept.escalate_ms = kept->escalate_ms;
    call->kept.told = kept->told;
    call->kept.escalated = kept->escalated;
    return call;
}

Status alarm_notify_restore(AlarmNotify *notify, const AlarmCall *kept)
{
    Call *call = call_like(notify, kept, kept->rule, kept->path);
    if (!call) return ST_LIMIT;
    replan(notify, call);
    return ST_OK;
}

static Str said_of(const Call *call, bool rule)
{
    return rule ? call->kept.rule : call->kept.path;
}

/* Calls whose rule, or else path, is `from` go on with `to`. */
static void calls_moved(AlarmNotify *notify, bool rule, Str from, Str to)
{
    MapSlot *slot;
    Call *moved;
    if (!notify->calls.len) return;
    do { /* one at a time: a new call may move the table */
        moved = NULL;
        for (size_t at = 0; !moved && (slot = map_next(&notify->calls, &at));)
            if (str_eq(said_of(slot->value, rule), from)) moved = slot->value;
        if (!moved) return;
        Call *other = call_like(notify, &moved->kept, rule ? to : moved->kept.rule,
                                rule ? moved->kept.path : to);
        if (other) keep(notify, other);
        forget(notify, moved);
    } while (moved);
}

void alarm_notify_moved(AlarmNotify *notify, Str from, Str to)
{
    calls_moved(notify, false, from, to);
}

void alarm_notify_renamed(AlarmNotify *notify, Str from, Str to)
{
    calls_moved(notify, true, from, to);
}

void alarm_notify_sweep(AlarmNotify *notify)
{
    MapSlot *slot;
    AlarmState state;
    for (size_t at = 0; (slot = map_next(&notify->calls, &at));) {
        Call *call = slot->value;
        bool there = notify->host.state(notify->host.ctx, call->kept.rule, call->kept.path, &state);
        if (!there || state == ALARM_NORMAL || state >= ALARM_SHELVED) forget(notify, call);
    }
}

/* ---- routes ---- */

static uint32_t place_of(const AlarmNotify *notify, Str name)
{
    uint32_t at = 0;
    while (at < notify->route_count && str_cmp(notify->routes[at]->route.name, name) < 0) at++;
    return at;
}

static Str copy(Route *into, Str text, bool *good)
{
    Str held = arena_str(into->arena, text);
    *good = *good && held.ptr;
    return held;
}

static void route_free(Route *route)
{
    if (route) arena_free(route->arena);
}

static Route *route_new(const AlarmRoute *from)
{
    bool good = true;
    Arena *arena = arena_new(1024, 1 << 20);
    Route *made = arena ? arena_one(arena, Route) : NULL;
    if (!made) {
        arena_free(arena);
        return NULL;
    }
    *made = (Route){.route = *from, .arena = arena};
    AlarmRoute *route = &made->route;
    route->name = copy(made, from->name, &good);
    route->on = copy(made, from->on, &good);
    route->escalate_to = copy(made, from->escalate_to, &good);
    for (uint32_t i = 0; i < route->name_count; i++)
        route->names[i] = copy(made, from->names[i], &good);
    for (uint32_t i = 0; i < route->to_count; i++) route->to[i] = copy(made, from->to[i], &good);
    if (good) return made;
    route_free(made);
    return NULL;
}

Status alarm_notify_put(AlarmNotify *notify, const AlarmRoute *route)
{
    uint32_t at = place_of(notify, route->name);
    bool there = at < notify->route_count && str_eq(notify->routes[at]->route.name, route->name);
    if (!there && notify->route_count == ALARM_ROUTES_MAX) return ST_LIMIT;
    Route *made = route_new(route);
    if (!made) return ST_NO_MEMORY;
    if (there) {
        route_free(notify->routes[at]);
    } else {
        memmove(&notify->routes[at + 1], &notify->routes[at],
                (notify->route_count - at) * sizeof(Route *));
        notify->route_count++;
    }
    notify->routes[at] = made;
    return ST_OK;
}

bool alarm_notify_drop(AlarmNotify *notify, Str name)
{
    MapSlot *slot;
    uint32_t at = place_of(notify, name);
    if (at == notify->route_count || !str_eq(notify->routes[at]->route.name, name)) return false;
    for (size_t next = 0; (slot = map_next(&notify->calls, &next));) {
        Call *call = slot->value;
        if (str_eq(call->kept.route, name)) forget(notify, call);
    }
    route_free(notify->routes[at]);
    notify->route_count--;
    memmove(&notify->routes[at], &notify->routes[at + 1],
            (notify->route_count - at) * sizeof(Route *));
    return true;
}

const AlarmRoute *alarm_notify_route(const AlarmNotify *notify, Str name)
{
    uint32_t at = place_of(notify, name);
    bool there = at < notify->route_count && str_eq(notify->routes[at]->route.name, name);
    return there ? &notify->routes[at]->route : NULL;
}

const AlarmRoute *alarm_notify_next(const AlarmNotify *notify, const AlarmRoute *route)
{
    uint32_t at = route ? place_of(notify, route->name) + 1 : 0;
    return at < notify->route_count ? &notify->routes[at]->route : NULL;
}

/* ---- life ---- */

AlarmNotify *alarm_notify_new(const AlarmNotifyHost *host, uint32_t call_max)
{
    AlarmNotify *notify = mem_zalloc(1, sizeof *notify);
    if (!notify) return NULL;
    notify->host = *host;
    notify->call_max = call_max;
    map_init(&notify->calls, call_max);
    return notify;
}

void alarm_notify_free(AlarmNotify *notify)
{
    MapSlot *slot;
    if (!notify) return;
    for (size_t at = 0; (slot = map_next(&notify->calls, &at));) call_free(notify, slot->value);
    for (uint32_t i = 0; i < notify->route_count; i++) route_free(notify->routes[i]);
    map_done(&notify->calls);
    mem_free(notify->heap);
    mem_free(notify);
}

uint32_t alarm_notify_calls(const AlarmNotify *notify)
{
    return (uint32_t)notify->calls.len;
}

uint64_t alarm_notify_uncalled(const AlarmNotify *notify)
{
    return notify->uncalled;
}
