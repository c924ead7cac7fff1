/* runtime/modules/connectors/connectors_use.c: links of drivers, and the batches they fill.
 *
 * Records of one loop turn leave as one event; a timer of 0 ms collects them. A driver stops at
 * `window` unacknowledged records by itself, which also bounds the ring of tokens here. */
#include "modules/connectors/connectors_int.h"

#include "base/clock.h"
#include "base/mem.h"

static void put_u32(Buf *buf, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                              (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    buf_add(buf, bytes, 4);
}

static void put_u64(Buf *buf, uint64_t value)
{
    put_u32(buf, (uint32_t)value);
    put_u32(buf, (uint32_t)(value >> 32));
}

static void batch_send(Use *use)
{
    use->queued = false;
    if (!use->batch_count) return;
    Connectors *self = use->self;
    for (uint32_t i = 0; i < 4; i++) use->batch.ptr[i] = (char)(use->batch_count >> (8 * i));
    char subject[CONNECTORS_NAME_MAX + 16];
    Str prefix = STR("data.connect.");
    memcpy(subject, prefix.ptr, prefix.len);
    memcpy(subject + prefix.len, use->key.ptr, use->key.len);
    Status st = bus_publish(self->env.bus, str_slice(subject, prefix.len + use->key.len),
                            buf_view(&use->batch));
    if (st)
        log_error(self->env.log, "connectors", "batch lost",
                  "subscription=%.*s records=%u reason=%s", STR_ARG(use->key), use->batch_count,
                  status_text(st));
    buf_clear(&use->batch);
    use->batch_count = 0;
}

static void on_flush(void *ctx)
{
    Connectors *self = ctx;
    for (Use *use = self->uses; use; use = use->next)
        if (use->queued) batch_send(use);
}

static void on_record(void *ctx, const ConnectRecord *record)
{
    Use *use = ctx;
    Connectors *self = use->self;
    Str payload = record->payload, headers = record->headers;
    bool error = record->error;
    if (use->next_seq - use->acked > use->window) return; /* the driver's own bound failed */
    if (payload.len + record->key.len + headers.len + 64 > BUS_BODY_BYTES_MAX) {
        payload = STR("the message is larger than 1 MiB");
        headers = STR_NONE;
        error = true;
    }
    size_t room = payload.len + record->key.len + headers.len + 64;
    if (use->batch.len + room > BUS_BODY_BYTES_MAX) batch_send(use);
    if (!use->batch_count) {
        use->batch_first = use->next_seq;
        put_u32(&use->batch, 0); /* the count comes last */
        put_u32(&use->batch, 0);
        put_u64(&use->batch, use->batch_first);
    }
    put_u32(&use->batch, error);
    put_u32(&use->batch, (uint32_t)record->key.len);
    put_u32(&use->batch, (uint32_t)payload.len);
    put_u32(&use->batch, (uint32_t)headers.len);
    put_u64(&use->batch, (uint64_t)record->received_ns);
    buf_str(&use->batch, record->key);
    buf_str(&use->batch, payload);
    buf_str(&use->batch, headers);
    if (use->batch.failed) {
        log_error(self->env.log, "connectors", "out of memory, record lost", "subscription=%.*s",
                  STR_ARG(use->key));
        buf_clear(&use->batch);
        use->batch_count = 0;
        return;
    }
    use->tokens[use->next_seq % use->window] = record->token;
    use->next_seq++;
    use->batch_count++;
    if (use->profile) {
        use->profile->records += !error;
        use->profile->errors += error;
        use->profile->bytes += payload.len;
    }
    use->queued = true;
    if (use->batch_count >= CONNECTORS_BATCH_COUNT || use->batch.len >= CONNECTORS_BATCH_BYTES)
        batch_send(use);
    else if (loop_once(self->env.loop, 0, on_flush, self, &self->flush))
        batch_send(use);
}

static void changed_publish(Connectors *self, const Profile *profile)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "name", profile->name);
    json_field_text(&out, "state", connect_state_name(profile->state));
    json_field_text(&out, "error", profile->error);
    json_end(&out);
    if (!body.failed && bus_publish(self->env.bus, STR("connectors.changed"), buf_view(&body)))
        log_warn(self->env.log, "connectors", "event lost", "name=%s", profile->name);
    buf_done(&body);
}

static void profile_state(Connectors *self, Profile *profile, ConnectState state, Str error,
                          uint32_t retry_ms)
{
    size_t len = error.len < sizeof profile->error - 1 ? error.len : sizeof profile->error - 1;
    bool same = profile->state == state && str_is(str_slice(error.ptr, len), profile->error);
    int64_t now = clock_wall_ns();
    profile->next_try_ns = retry_ms ? now + retry_ms * NS_PER_MS : 0;
    /* "connecting" keeps the last reason: a person wants to read it longer than one try takes. */
    if (state != CONNECT_CONNECTING) {
        if (len) memcpy(profile->error, error.ptr, len);
        profile->error[len] = '\0';
    }
    if (same) return;
    if (profile->state != state) profile->since_ns = now;
    profile->state = state;
    changed_publish(self, profile);
}

static void on_state(void *ctx, ConnectState state, Str error, uint32_t retry_ms)
{
    Use *use = ctx;
    bool news = use->state != state;
    use->state = state;
    if (use->kind == USE_TEST) {
        if (state == CONNECT_CONNECTED || state == CONNECT_DEGRADED)
            connectors__test_answer(use, true, error);
        if (state == CONNECT_FAILED) connectors__test_answer(use, false, error);
        return;
    }
    if (news && state == CONNECT_FAILED)
        log_warn(use->self->env.log, "connectors", "connection lost", "use=%.*s reason=\"%.*s\"",
                 STR_ARG(use->key), STR_ARG(error));
    if (use->profile) profile_state(use->self, use->profile, state, error, retry_ms);
}

Use *connectors__use_find(Connectors *self, UseKind kind, Str key)
{
    for (Use *use = self->uses; use; use = use->next)
        if (use->kind == kind && str_eq(use->key, key)) return use;
    return NULL;
}

static Status link_open(Connectors *self, const UseWish *wish, Use *use, Diag *diag)
{
    Arena *arena = arena_new(0, 0);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    ConnectConf conf = {.subscribes = wish->kind == USE_SUBSCRIBE,
                        .purpose = wish->kind == USE_SUBSCRIBE ? wish->key
                                   : wish->kind == USE_WRITE   ? STR("w")
                                                               : STR("test"),
                        .address = wish->address,
                        .sub_options = wish->sub_options,
                        .window = use->window};
    Str kind;
    Status st = ST_OK;
    if (wish->profile) {
        kind = str_from(wish->profile->kind);
        conf.url = wish->profile->url;
        conf.password = wish->profile->password;
        st = json_read(arena, wish->profile->options, &conf.options, diag);
    } else {
        kind = json_str(wish->inline_connection, "kind", STR_NONE);
        conf.url = json_str(wish->inline_connection, "url", STR_NONE);
        conf.options = json_get(wish->inline_connection, "options");
        conf.password = json_str(conf.options, "password", STR_NONE);
    }
    use->driver = connect_driver(kind);
    if (!use->driver) st = diag_set(diag, ST_INVALID, "there is no kind \"%.*s\"", STR_ARG(kind));
    ConnectEvents events = {.state = on_state, .record = on_record, .ctx = use};
    if (!st)
        st = use->driver->open(self->env.loop, self->env.log, &conf, &events, &use->link, diag);
    arena_free(arena);
    return st;
}

static void use_free(Use *use)
{
    if (use->profile && !use->profile->stored) connectors__profile_free(use->profile);
    buf_done(&use->batch);
    mem_free(use->tokens);
    mem_free((char *)(uintptr_t)use->key.ptr);
    mem_free(use);
}

Status connectors__use_open(Connectors *self, const UseWish *wish, Use **ret_use, Diag *diag)
{
    const ConnectorsConf *conf = self->env.conf;
    if (self->use_count >= conf->uses_max)
        return diag_set(diag, ST_LIMIT, "more than %lld connections", (long long)conf->uses_max);
    Use *use = mem_zalloc(1, sizeof *use);
    char *key = mem_alloc(wish->key.len + 1);
    if (!use || !key) {
        mem_free(use);
        mem_free(key);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    if (wish->key.len) memcpy(key, wish->key.ptr, wish->key.len);
    *use = (Use){.self = self,
                 .kind = wish->kind,
                 .profile = wish->profile,
                 .key = str_slice(key, wish->key.len),
                 .window = wish->window ? wish->window : 1,
                 .next_seq = 1,
                 .started_ns = clock_monotonic_ns()};
    if (!wish->profile && wish->kind != USE_TEST)
        use->profile = connectors__profile_new(
            use->key, json_str(wish->inline_connection, "kind", STR_NONE),
            json_str(wish->inline_connection, "url", STR_NONE), STR("{}"), STR_NONE);
    buf_init(&use->batch, BUS_BODY_BYTES_MAX);
    use->tokens = mem_zalloc(use->window, sizeof *use->tokens);
    Status st = use->tokens ? link_open(self, wish, use, diag)
                            : diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (st) {
        use_free(use);
        return st;
    }
    use->next = self->uses;
    if (use->next) use->next->prev = use;
    self->uses = use;
    self->use_count++;
    if (use->profile) use->profile->uses++;
    *ret_use = use;
    return ST_OK;
}

void connectors__use_close(Use *use)
{
    Connectors *self = use->self;
    if (use->req) connectors__test_answer(use, false, STR("the test was stopped"));
    use->driver->close(use->link);
    loop_timer_stop(use->timer);
    if (use->prev)
        use->prev->next = use->next;
    else
        self->uses = use->next;
    if (use->next) use->next->prev = use->prev;
    self->use_count--;
    Profile *profile = use->profile;
    if (profile && --profile->uses == 0) profile_state(self, profile, CONNECT_IDLE, STR_NONE, 0);
    use_free(use);
}

void connectors__profile_uses_close(Connectors *self, Profile *profile)
{
    for (Use *use = self->uses, *next; use; use = next) {
        next = use->next;
        if (use->profile == profile) connectors__use_close(use);
    }
}
