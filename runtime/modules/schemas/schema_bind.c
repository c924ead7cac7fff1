/* runtime/modules/schemas/schema_bind.c: which schema a topic has.
 *
 * Bindings are sorted so that the most specific comes first, and the first whose filter fits a
 * topic is the topic's: levels are compared from the left, a name goes before `+`, `+` before `#`,
 * and at equal levels the longer filter first. What a topic has is remembered by topic, so that the
 * list is walked once per topic and change. */
#include "modules/schemas/schemas_int.h"

#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/codec.h"

#include <stdlib.h>

static Str filter_of(const Binding *binding)
{
    return (Str){binding->filter, binding->filter_len};
}

/* ---- the order ---- */

static Str level_cut(Str *rest)
{
    ptrdiff_t slash = str_find_char(*rest, '/');
    Str level = slash < 0 ? *rest : str_slice(rest->ptr, (size_t)slash);
    *rest = str_skip(*rest, slash < 0 ? rest->len : (size_t)slash + 1);
    return level;
}

/* 0: a name, 1: `+`, 2: `#`, 3: no level any more. */
static int rank(Str *rest)
{
    if (!rest->len) return 3;
    Str level = level_cut(rest);
    return str_is(level, "+") ? 1 : str_is(level, "#") ? 2 : 0;
}

static int compare(const void *left, const void *right)
{
    Str a = filter_of(*(Binding *const *)left), b = filter_of(*(Binding *const *)right);
    Str rest_a = a, rest_b = b;
    while (rest_a.len || rest_b.len) {
        int rank_a = rank(&rest_a), rank_b = rank(&rest_b);
        if (rank_a == rank_b) continue;
        /* `a/#` is less specific than `a`, which ends where it goes on. */
        if (rank_a == 3) return rank_b == 2 ? -1 : 1;
        if (rank_b == 3) return rank_a == 2 ? 1 : -1;
        return rank_a - rank_b;
    }
    return str_cmp(a, b);
}

/* What every bound topic begins with: topics that begin otherwise are not looked at. */
static void find_stem(Schemas *self)
{
    self->stem = self->binding_count ? filter_of(self->bindings[0]) : STR("");
    for (uint32_t i = 0; i < self->binding_count; i++) {
        Str filter = filter_of(self->bindings[i]);
        size_t same = 0;
        while (same < self->stem.len && same < filter.len && filter.ptr[same] != '+' &&
               filter.ptr[same] != '#' && filter.ptr[same] == self->stem.ptr[same])
            same++;
        /* "a/#" fits "a" too. */
        if (same < filter.len && filter.ptr[same] == '#' && same) same--;
        self->stem.len = same;
    }
}

/* ---- in memory ---- */

Status schemas__rebind(Schemas *self, Diag *diag)
{
    Status st = ST_OK;
    self->generation++;
    for (uint32_t i = 0; i < self->binding_count; i++) {
        Binding *binding = self->bindings[i];
        binding->now = schemas__version(binding->schema, binding->version);
        Status one = binding->now ? schemas__fit(binding->now, diag) : ST_NOT_FOUND;
        if (!one) continue;
        binding->now = NULL; /* checks nothing, and says so */
        st = one;
    }
    if (self->binding_count && !self->cache) {
        self->cache = mem_zalloc(CACHE_SLOTS, sizeof *self->cache);
        if (!self->cache) st = diag_set(diag, ST_NO_MEMORY, "no memory for bindings");
    }
    qsort(self->bindings, self->binding_count, sizeof(Binding *), compare);
    find_stem(self);
    schemas__hook(self);
    return st;
}

static void binding_free(Binding *binding)
{
    mem_free(binding->filter);
    mem_free(binding);
}

void schemas__bindings_free(Schemas *self)
{
    for (uint32_t i = 0; i < self->binding_count; i++) binding_free(self->bindings[i]);
    self->binding_count = 0;
    for (uint32_t i = 0; self->cache && i < CACHE_SLOTS; i++) mem_free(self->cache[i].topic);
    mem_free(self->cache);
    self->cache = NULL;
}

bool schemas__is_bound(const Schemas *self, const Schema *schema, int64_t version)
{
    for (uint32_t i = 0; i < self->binding_count; i++)
        if (self->bindings[i]->schema == schema &&
            (!version || self->bindings[i]->version == version))
            return true;
    return false;
}

static Binding *binding_named(const Schemas *self, Str filter)
{
    for (uint32_t i = 0; i < self->binding_count; i++)
        if (str_eq(filter_of(self->bindings[i]), filter)) return self->bindings[i];
    return NULL;
}

static Binding *find(const Schemas *self, Str topic)
{
    for (uint32_t i = 0; i < self->binding_count; i++)
        if (mqtt_topic_match(filter_of(self->bindings[i]), topic)) return self->bindings[i];
    return NULL;
}

/* Takes the topic into the slot; false: no memory, the answer is not remembered. */
static bool slot_take(CacheSlot *slot, Str topic)
{
    if (topic.len > slot->cap) {
        uint32_t cap = (uint32_t)(topic.len + 31) / 32 * 32;
        char *grown = mem_realloc(slot->topic, cap);
        if (!grown) return false;
        slot->topic = grown;
        slot->cap = cap;
    }
    memcpy(slot->topic, topic.ptr, topic.len);
    slot->len = (uint32_t)topic.len;
    return true;
}

Binding *schemas__binding_of(Schemas *self, Str topic)
{
    if (!self->cache || !str_starts(topic, self->stem)) return NULL;
    CacheSlot *slot = &self->cache[hash_bytes(topic.ptr, topic.len) & (CACHE_SLOTS - 1)];
    if (slot->generation == self->generation && slot->len == topic.len &&
        memcmp(slot->topic, topic.ptr, topic.len) == 0)
        return slot->binding;
    Binding *found = find(self, topic);
    slot->generation = slot_take(slot, topic) ? self->generation : 0;
    slot->binding = found;
    return found;
}

Status schemas__bindings_load(Schemas *self, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT filter, schema, version, strict, at, by, violations, last"
                              " FROM schema_bindings LIMIT ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, BINDING_COUNT_MAX);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        Str filter = store_str(stmt, 0), by = store_str(stmt, 5);
        Schema *schema = schemas__find(self, store_str(stmt, 1));
        if (!schema || !mqtt_filter_valid(filter)) {
            log_error(self->env->log, "schemas", "a binding names no schema that there is",
                      "filter=%.*s schema=%.*s", STR_ARG(filter), STR_ARG(store_str(stmt, 1)));
            continue;
        }
        Binding *binding = mem_zalloc(1, sizeof *binding);
        char *copy = mem_alloc(filter.len + 1);
        if (!binding || !copy) {
            mem_free(binding);
            mem_free(copy);
            store_reset(stmt);
            return diag_set(diag, ST_NO_MEMORY, "no memory for bindings");
        }
        memcpy(copy, filter.ptr, filter.len);
        copy[filter.len] = 0;
        *binding = (Binding){.filter = copy,
                             .filter_len = filter.len,
                             .schema = schema,
                             .version = store_int(stmt, 2),
                             .strict = store_int(stmt, 3) != 0,
                             .at_ms = store_int(stmt, 4),
                             .violations = (uint64_t)store_int(stmt, 6),
                             .last_ms = store_int(stmt, 7)};
        (void)snprintf(binding->by, sizeof binding->by, "%.*s", STR_ARG(by));
        self->bindings[self->binding_count++] = binding;
    }
    return st;
}

/* ---- reading ---- */

static void put_binding(JsonOut *out, const Binding *binding)
{
    json_field_str(out, "filter", filter_of(binding));
    json_field_text(out, "schema", binding->schema->name);
    json_field_text(out, "mode", binding->strict ? "strict" : "soft");
    json_field_int(out, "version", binding->version);
    json_field_int(out, "now", binding->now ? binding->now->version : 0);
    json_field_int(out, "at", binding->at_ms);
    json_field_text(out, "by", binding->by);
    json_field_int(out, "checked", (int64_t)binding->checked);
    json_field_int(out, "violations", (int64_t)binding->violations);
    json_field_int(out, "last", binding->last_ms);
}

void schemas__op_bindings(void *ctx, Req *req)
{
    const Schemas *self = ctx;
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "bindings");
    json_begin_array(&out);
    for (uint32_t i = 0; i < self->binding_count; i++) {
        json_begin_object(&out);
        put_binding(&out, self->bindings[i]);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* The field of a form that stands `below` its root: "temp", "motor/speed". */
static const Json *form_below(const Json *form, Str below)
{
    while (form && below.len) {
        Str level = level_cut(&below);
        const Json *fields = json_get(form, "fields");
        const Json *at =
            fields && !str_is(json_str(form, "type", STR_NONE), "list") ? fields->first : NULL;
        while (at && !str_eq(json_str(at, "name", STR("")), level)) at = at->next;
        form = at;
    }
    return form;
}

/* Of a name of the tree: its topic's schema, or that of the record one of its parents publishes. */
void schemas__op_of(void *ctx, Req *req)
{
    Schemas *self = ctx;
    Str path = json_str(req->in, "path", STR(""));
    Buf body;
    JsonOut out;
    buf_init(&body, SCHEMA_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "path", path);
    for (size_t len = path.len; len; len--) {
        if (len < path.len && path.ptr[len] != '/') continue;
        Str topic = {path.ptr, len};
        const Binding *binding = find(self, topic);
        Str below = len < path.len ? str_skip(path, len + 1) : STR("");
        const Json *form = binding && binding->now ? form_below(binding->now->json, below) : NULL;
        if (!form) continue;
        json_field_str(&out, "topic", topic);
        json_key(&out, "binding");
        json_begin_object(&out);
        put_binding(&out, binding);
        json_end(&out);
        json_field_str(&out, "root", binding->now->root);
        json_key(&out, "form");
        json_put_raw(&out, form->raw);
        break;
    }
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- changing ---- */

typedef struct Bind {
    Schemas *self;
    Req *req;
    Binding *binding; /* owned until it is put in place; NULL: takes the filter away */
    Str filter;
    Str schema, other; /* names: what it is bound to now, and what it was bound to */
} Bind;

static void bind_free(Bind *bind)
{
    Schemas *self = bind->self;
    if (bind->binding) binding_free(bind->binding);
    mem_free(bind);
    schemas__job_done(self);
}

static Status bind_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Bind *bind = ctx;
    const Binding *binding = bind->binding;
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              binding ? "INSERT OR REPLACE INTO schema_bindings(filter, schema,"
                                        " version, strict, at, by, violations, last)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, 0)"
                                      : "DELETE FROM schema_bindings WHERE filter = ?1",
                              &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, bind->filter);
    if (binding) {
        store_bind_str(stmt, 2, bind->schema); /* the schema itself may go meanwhile */
        store_bind_int(stmt, 3, binding->version);
        store_bind_int(stmt, 4, binding->strict);
        store_bind_int(stmt, 5, binding->at_ms);
        store_bind_str(stmt, 6, str_from(binding->by));
    }
    return store_step(stmt, &row, diag);
}

static void take_out(Schemas *self, Str filter)
{
    Binding *old = binding_named(self, filter);
    uint32_t at = 0;
    if (!old) return;
    while (self->bindings[at] != old) at++;
    self->bindings[at] = self->bindings[--self->binding_count];
    binding_free(old);
}

static void tell_alarms(const Bind *bind)
{
    const Schema *was = schemas__find(bind->self, bind->other),
                 *is = schemas__find(bind->self, bind->schema);
    if (was && was != is) schemas__alarms_tell(bind->self, was);
    if (is) schemas__alarms_tell(bind->self, is);
}

static void on_bound(void *ctx, Status status, const Diag *diag)
{
    Bind *bind = ctx;
    Schemas *self = bind->self;
    Diag why = {0};
    Str name = json_str(bind->req->in, "schema", STR(""));
    if (!status && bind->binding) {
        bind->binding->schema = schemas__find(self, name); /* it may be gone by now */
        if (!bind->binding->schema)
            status = diag_set(&why, ST_NOT_FOUND, "schema \"%.*s\" is gone", STR_ARG(name));
        else if (self->binding_count == BINDING_COUNT_MAX && !binding_named(self, bind->filter))
            status = diag_set(&why, ST_LIMIT, "there are at most %d bindings", BINDING_COUNT_MAX);
    }
    if (status) {
        tell_alarms(bind);
        req_fail(bind->req, status, "%s", why.text[0] ? why.text : diag->text);
        bind_free(bind);
        return;
    }
    bool binds = bind->binding != NULL;
    take_out(self, bind->filter);
    if (binds) self->bindings[self->binding_count++] = bind->binding;
    log_info(self->env->log, "schemas", binds ? "a schema is bound" : "a binding is gone",
             "filter=%.*s schema=%.*s mode=%s by=%.*s", STR_ARG(bind->filter), STR_ARG(name),
             binds && bind->binding->strict ? "strict" : "soft",
             STR_ARG(bus_caller_who(&bind->req->caller)));
    bind->binding = NULL;
    Status st = schemas__rebind(self, &why);
    tell_alarms(bind);
    schemas__changed(self, binds ? "bound" : "unbound", bind->filter);
    if (st)
        req_fail(bind->req, st, "%s", why.text[0] ? why.text : status_text(st));
    else
        req_answer(bind->req, STR("{}"));
    bind_free(bind);
}

static void bind_write(Bind *bind)
{
    Status st = store_write(bind->self->env->store, bind_job, on_bound, bind);
    if (!st) return;
    tell_alarms(bind);
    req_fail(bind->req, st, "%s", status_text(st));
    bind_free(bind);
}

static void on_declared(void *ctx, Status status, Str body)
{
    Bind *bind = ctx;
    if (!status) {
        bind_write(bind);
        return;
    }
    Str why = body.len ? body : str_from(status_text(status));
    req_fail(bind->req, status, "the alarms of schema \"%.*s\" were not taken: %.*s",
             STR_ARG(bind->schema), STR_ARG(why));
    bind_free(bind);
}

/* The alarms of the schema that it is bound to are declared first: when they are refused, nothing
 * is bound. Those of the one before lose the filter when it is done. */
static void bind_alarms(Bind *bind)
{
    const SchemaChange change = {.filter = bind->filter, .binding = bind->binding};
    const Schema *schema = bind->binding ? bind->binding->schema : NULL;
    if (!schema || !schemas__has_alarms(schema, NULL)) {
        bind_write(bind);
        return;
    }
    Status st = schemas__alarms_declare(bind->self, schema, &change, on_declared, bind);
    if (st) on_declared(bind, st, STR_NONE);
}

static void bind_begin(Schemas *self, Req *req, Binding *binding, Str filter)
{
    Bind *bind = mem_alloc(sizeof *bind);
    const Binding *was = binding_named(self, filter);
    if (!bind) {
        if (binding) binding_free(binding);
        req_fail(req, ST_NO_MEMORY, "%s", status_text(ST_NO_MEMORY));
        return;
    }
    *bind = (Bind){.self = self, .req = req, .binding = binding, .filter = filter};
    if (binding) bind->schema = arena_str(req->arena, str_from(binding->schema->name));
    if (was) bind->other = arena_str(req->arena, str_from(was->schema->name));
    self->jobs++;
    bind_alarms(bind);
}

void schemas__op_bind(void *ctx, Req *req)
{
    Schemas *self = ctx;
    Str filter = json_str(req->in, "filter", STR("")), name = json_str(req->in, "schema", STR(""));
    Str mode = json_str(req->in, "mode", STR("soft"));
    int64_t version = json_int(req->in, "version", 0);
    Schema *schema = schemas__find(self, name);
    if (!mqtt_filter_valid(filter) || filter.ptr[0] == '$') {
        req_fail(req, ST_INVALID, "\"%.*s\" is no topic filter", STR_ARG(filter));
        return;
    }
    if (!str_is(mode, "strict") && !str_is(mode, "soft")) {
        req_fail(req, ST_INVALID, "mode is strict or soft");
        return;
    }
    if (!schema || !schemas__version(schema, version)) {
        req_fail(req, ST_NOT_FOUND, "there is no schema \"%.*s\"%s", STR_ARG(name),
                 schema ? " of that version" : "");
        return;
    }
    Binding *binding = mem_zalloc(1, sizeof *binding);
    char *copy = mem_alloc(filter.len + 1);
    if (!binding || !copy) {
        mem_free(binding);
        mem_free(copy);
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return;
    }
    memcpy(copy, filter.ptr, filter.len);
    copy[filter.len] = 0;
    *binding = (Binding){.filter = copy,
                         .filter_len = filter.len,
                         .schema = schema,
                         .version = version,
                         .strict = str_is(mode, "strict"),
                         .at_ms = clock_wall_ns() / NS_PER_MS};
    (void)snprintf(binding->by, sizeof binding->by, "%.*s", STR_ARG(bus_caller_who(&req->caller)));
    bind_begin(self, req, binding, filter);
}

void schemas__op_unbind(void *ctx, Req *req)
{
    Schemas *self = ctx;
    Str filter = json_str(req->in, "filter", STR(""));
    if (!binding_named(self, filter)) {
        req_fail(req, ST_NOT_FOUND, "nothing is bound to \"%.*s\"", STR_ARG(filter));
        return;
    }
    bind_begin(self, req, NULL, filter);
}
