/* runtime/modules/uns/uns_watch.c: live values for somebody who looks, batched.
 *
 * A watch is a list of nodes and the tree's `seq` it has seen. Its timer sends one event with what
 * changed since, so a value published a thousand times between two frames costs one row, and with
 * nobody watching a publish costs nothing here. A watch that is not renewed ends by itself. */
#include "modules/uns/uns.h"

#include "base/mem.h"

#include <stdio.h>

enum { LEASE_MS = 60000, LEASE_CHECK_MS = 10000, HZ_PRESET = 5, FIRST_FRAME_MS = 20 };

struct UnsWatch {
    Uns *uns;
    UnsWatch *next, *prev;
    uint64_t id;
    Str *filters; /* owned, in one block with their bytes */
    uint32_t filter_count;
    UnsNode **nodes; /* owned; NULL until somebody publishes there */
    Str *names;      /* path of each, for those without node: points into filters */
    uint32_t node_count, node_cap, told; /* told: indexes the watcher knows already */
    uint64_t seen, frames;
    uint32_t every_ms; /* 0 = paused */
    int64_t renewed_ns;
    LoopTimer *timer;
    bool full, truncated;
};

static bool is_wild(Str filter)
{
    return str_is(filter, "#") || str_ends(filter, STR("/#"));
}

static bool matches(Str filter, Str path)
{
    if (str_is(filter, "#")) return true;
    if (!is_wild(filter)) return str_eq(filter, path);
    Str stem = {filter.ptr, filter.len - 2};
    return str_starts(path, stem) && (path.len == stem.len || path.ptr[stem.len] == '/');
}

static void watch_put(UnsWatch *watch, Str name, UnsNode *node)
{
    if (watch->node_count == UNS_WATCH_PATHS_MAX) {
        watch->truncated = true;
        return;
    }
    if (watch->node_count == watch->node_cap) {
        uint32_t cap = watch->node_cap ? watch->node_cap * 2 : 16;
        UnsNode **nodes = mem_realloc(watch->nodes, cap * sizeof(UnsNode *));
        if (nodes) watch->nodes = nodes;
        Str *names = nodes ? mem_realloc(watch->names, cap * sizeof(Str)) : NULL;
        if (names) watch->names = names;
        if (!names) {
            watch->truncated = true;
            return;
        }
        watch->node_cap = cap;
    }
    watch->names[watch->node_count] = name;
    watch->nodes[watch->node_count++] = node;
}

static bool watch_has(const UnsWatch *watch, const UnsNode *node)
{
    for (uint32_t i = 0; i < watch->node_count; i++)
        if (watch->nodes[i] == node) return true;
    return false;
}

/* Appends the nodes of one filter. Two filters of one watch may overlap: a node comes once. */
static void expand(UnsWatch *watch, Str filter, bool check)
{
    const UnsTree *tree = &watch->uns->tree;
    if (!is_wild(filter)) {
        UnsNode *node = filter.len ? uns_tree_find(tree, filter) : NULL;
        if (!node || !check || !watch_has(watch, node)) watch_put(watch, filter, node);
        return;
    }
    for (UnsNode *node = tree->first; node && !watch->truncated; node = node->next_node) {
        if (!uns_node_has_value(node)) continue; /* only a folder: comes with its first value */
        if (matches(filter, uns_node_path(node)) && (!check || !watch_has(watch, node)))
            watch_put(watch, uns_node_path(node), node);
    }
}

void uns__watch_added(Uns *uns, UnsNode *node)
{
    Str path = uns_node_path(node);
    for (UnsWatch *watch = uns->watches; watch; watch = watch->next) {
        for (uint32_t f = 0; f < watch->filter_count; f++) {
            if (!matches(watch->filters[f], path)) continue;
            uint32_t i = 0;
            while (i < watch->node_count && !(!watch->nodes[i] && str_eq(watch->names[i], path)))
                i++;
            if (i < watch->node_count)
                watch->nodes[i] = node;
            else if (!watch_has(watch, node))
                watch_put(watch, path, node);
            break;
        }
    }
}

/* ---- frames ---- */

static void put_row(const Uns *uns, JsonOut *out, uint32_t index, const UnsNode *node)
{
    UnsValue value = {.type = UNS_NONE, .quality = UNS_NEVER};
    if (node) value = uns_node_value(node);
    json_begin_array(out);
    json_put_int(out, index);
    uns__put_value(out, &value);
    json_put_int(out, value.quality);
    json_put_int(out, value.type != UNS_NONE ? uns__stale(uns, node).age_ms : -1);
    json_end(out);
}

static bool has_news(const UnsWatch *watch)
{
    if (watch->full || watch->told < watch->node_count) return true;
    if (watch->seen == watch->uns->tree.seq) return false;
    for (uint32_t i = 0; i < watch->node_count; i++)
        if (watch->nodes[i] && watch->nodes[i]->seq > watch->seen) return true;
    return false;
}

/* When its value is stale, where that is another age than everybody's. */
static void put_limit(const Uns *uns, JsonOut *out, const UnsNode *node)
{
    int64_t after_ms = node ? uns__stale(uns, node).after_ms : uns_conf(uns)->stale_ms;
    if (after_ms != uns_conf(uns)->stale_ms) json_put_int(out, after_ms);
}

static void put_frame(UnsWatch *watch, JsonOut *out)
{
    uint32_t from = watch->full ? 0 : watch->told;
    json_begin_object(out);
    json_key(out, "seq");
    json_put_uint(out, ++watch->frames);
    json_field_int(out, "time", clock_wall_ns() / NS_PER_MS);
    json_field_bool(out, "full", watch->full);
    json_key(out, "add");
    json_begin_array(out);
    for (uint32_t i = from; i < watch->node_count; i++) {
        json_begin_array(out);
        json_put_int(out, i);
        json_put_str(out, watch->names[i]);
        put_limit(watch->uns, out, watch->nodes[i]);
        json_end(out);
    }
    json_end(out);
    json_key(out, "v");
    json_begin_array(out);
    for (uint32_t i = 0; i < watch->node_count; i++) {
        const UnsNode *node = watch->nodes[i];
        if (i >= from || (node && node->seq > watch->seen)) put_row(watch->uns, out, i, node);
    }
    json_end(out);
    json_end(out);
}

static void send_frame(void *ctx)
{
    UnsWatch *watch = ctx;
    Uns *uns = watch->uns;
    char subject[64];
    Buf body;
    JsonOut out;
    if (!has_news(watch)) {
        watch->seen = uns->tree.seq;
        return;
    }
    (void)snprintf(subject, sizeof subject, "uns.values.%llu", (unsigned long long)watch->id);
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    put_frame(watch, &out);
    Status st = buf_status(&body);
    if (!st) st = bus_publish(uns->env->bus, str_from(subject), buf_view(&body));
    if (!st) {
        watch->full = false;
        watch->told = watch->node_count;
        watch->seen = uns->tree.seq;
    } else if (st == ST_LIMIT) { /* too long texts: watch less, and say so */
        watch->node_count /= 2;
        watch->truncated = watch->full = true;
    }
    buf_done(&body);
}

/* ---- life of a watch ---- */

static UnsWatch *watch_find(const Uns *uns, const Json *in)
{
    int64_t id;
    if (!str_to_i64(json_str(in, "watch", STR_NONE), &id)) return NULL;
    UnsWatch *watch = uns->watches;
    while (watch && watch->id != (uint64_t)id) watch = watch->next;
    return watch;
}

static void watch_free(UnsWatch *watch)
{
    Uns *uns = watch->uns;
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        uns->watches = watch->next;
    if (watch->next) watch->next->prev = watch->prev;
    uns->watch_count--;
    loop_timer_stop(watch->timer);
    mem_free(watch->filters);
    mem_free(watch->nodes);
    mem_free(watch->names);
    mem_free(watch);
}

static void check_leases(void *ctx)
{
    Uns *uns = ctx;
    int64_t now = clock_monotonic_ns();
    for (UnsWatch *watch = uns->watches, *next; watch; watch = next) {
        next = watch->next;
        if (now - watch->renewed_ns > LEASE_MS * NS_PER_MS) watch_free(watch);
    }
    if (uns->watches) return;
    loop_timer_stop(uns->lease_timer);
    uns->lease_timer = NULL;
}

static Status set_rate(UnsWatch *watch, double hz)
{
    uint32_t every_ms = hz <= 0 ? 0 : hz < 0.1 ? 10000 : (uint32_t)(1000 / hz);
    if (every_ms == watch->every_ms && (watch->timer || !every_ms)) return ST_OK;
    loop_timer_stop(watch->timer);
    watch->timer = NULL;
    watch->every_ms = every_ms;
    if (!every_ms) return ST_OK;
    watch->full = true;
    return loop_timer_start(watch->uns->env->loop, FIRST_FRAME_MS, every_ms, send_frame, watch,
                            &watch->timer);
}

/* Filters are copied behind their own table: one block, one owner. */
static Status copy_filters(UnsWatch *watch, const Json *paths)
{
    size_t bytes = 0;
    for (const Json *path = paths->first; path; path = path->next) {
        if (path->type != JSON_STRING || !path->text.len || path->text.len > UNS_PATH_BYTES_MAX)
            return ST_INVALID;
        bytes += path->text.len;
    }
    watch->filters = mem_alloc(paths->count * sizeof(Str) + bytes + 1);
    if (!watch->filters) return ST_NO_MEMORY;
    char *to = (char *)(watch->filters + paths->count);
    for (const Json *path = paths->first; path; path = path->next) {
        memcpy(to, path->text.ptr, path->text.len);
        watch->filters[watch->filter_count++] = (Str){to, path->text.len};
        to += path->text.len;
    }
    return ST_OK;
}

static Status watch_new(Uns *uns, const Json *in, UnsWatch **ret_watch)
{
    const Json *paths = json_get(in, "paths");
    if (!paths) return ST_INVALID;
    if (uns->watch_count >= UNS_WATCHES_MAX) return ST_BUSY;
    UnsWatch *watch = mem_zalloc(1, sizeof *watch);
    if (!watch) return ST_NO_MEMORY;
    *watch = (UnsWatch){.uns = uns, .next = uns->watches, .id = ++uns->watch_serial};
    if (watch->next) watch->next->prev = watch;
    uns->watches = watch;
    uns->watch_count++;
    watch->full = true;
    watch->renewed_ns = clock_monotonic_ns();
    Status st = copy_filters(watch, paths);
    for (uint32_t i = 0; i < watch->filter_count && !st; i++)
        expand(watch, watch->filters[i], i > 0 && watch->node_count < 1000);
    if (!st) st = set_rate(watch, json_number(in, "hz", HZ_PRESET));
    if (!st && !uns->lease_timer)
        st = loop_timer_start(uns->env->loop, LEASE_CHECK_MS, LEASE_CHECK_MS, check_leases, uns,
                              &uns->lease_timer);
    if (st) {
        watch_free(watch);
        return st;
    }
    *ret_watch = watch;
    return ST_OK;
}

void uns__op_watch(void *self, Req *req)
{
    Uns *uns = self;
    UnsWatch *watch = NULL;
    Status st = ST_OK;
    if (json_get(req->in, "watch")) {
        watch = watch_find(uns, req->in);
        if (!watch) {
            req_fail(req, ST_NOT_FOUND, "no such watch: it ended");
            return;
        }
        watch->renewed_ns = clock_monotonic_ns();
        if (json_get(req->in, "hz")) st = set_rate(watch, json_number(req->in, "hz", HZ_PRESET));
    } else {
        st = watch_new(uns, req->in, &watch);
    }
    if (st) {
        req_fail(req, st, "the watch could not be made: %s", status_text(st));
        return;
    }
    char body[96];
    int len = snprintf(body, sizeof body, "{\"watch\":\"%llu\",\"truncated\":%s}",
                       (unsigned long long)watch->id, watch->truncated ? "true" : "false");
    req_answer(req, (Str){body, (size_t)len});
}

void uns__op_unwatch(void *self, Req *req)
{
    UnsWatch *watch = watch_find(self, req->in);
    if (watch) watch_free(watch);
    req_answer(req, STR("{}"));
}

void uns__op_snapshot(void *self, Req *req)
{
    UnsWatch *watch = watch_find(self, req->in);
    if (!watch) {
        req_fail(req, ST_NOT_FOUND, "no such watch: it ended");
        return;
    }
    watch->full = true;
    req_answer(req, STR("{}"));
}

void uns__watches_renew(Uns *uns)
{
    for (UnsWatch *watch = uns->watches; watch; watch = watch->next) {
        watch->node_count = watch->told = 0;
        watch->full = true;
        for (uint32_t i = 0; i < watch->filter_count; i++)
            expand(watch, watch->filters[i], i > 0 && watch->node_count < 1000);
    }
}

void uns__watches_close(Uns *uns)
{
    while (uns->watches) watch_free(uns->watches);
    loop_timer_stop(uns->lease_timer);
    uns->lease_timer = NULL;
}
