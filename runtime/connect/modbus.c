/* runtime/connect/modbus.c: a Modbus TCP device, polled.
 *
 * libmodbus blocks, so each link has a thread of its own: one slow device cannot hold up another.
 * The thread owns the connection and the poll clock; what it learns is posted to the loop. Polls
 * that come while `window` records are unacknowledged are skipped and counted. close() wakes the
 * thread by shutting its socket and joins it, so nothing of a link is left behind.
 *
 * A tag is good when this poll read it. Where the device refuses its registers, or holds no number
 * there, it is bad and shows the last value; where the device does not answer at all, the last
 * value is uncertain until it is `stale_ms` old, then bad. A tag that was never read is left out. A
 * record with plain values cannot say any of that and fails instead. */
#include "connect/connect.h"
#include "connect/modbus_lib.h"
#include "connect/modbus_map.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

enum { BACKOFF_MIN_MS = 500, BACKOFF_MAX_MS = 30000, REASON_BYTES = 512, VALUE_BYTES = 48 };

typedef struct LastValue {    /* of a tag */
    char text[VALUE_BYTES];   /* as JSON; empty: never read */
    int64_t wall_ns, read_ns; /* when: for people, and by the steady clock */
} LastValue;

struct ConnectLink {
    ConnectEvents events;
    char host[256], port[8], unit_text[8];
    int unit;
    uint32_t timeout_ms, every_ms, stale_ms, window;
    bool subscribes, closed; /* closed: loop's thread only */
    ModbusMap map;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;  /* under lock */
    int socket; /* under lock; -1 = none */
    _Atomic uint32_t unacked;
    uv_async_t async;          /* wakes the loop for `notes` */
    struct Note *first, *last; /* under lock; bounded by window plus a few states per try */
    uint64_t skipped;          /* thread only */
    LastValue last_values[MODBUS_POINTS_MAX]; /* thread only */
    uint64_t next_token;                      /* loop only */
};

typedef struct Note { /* from the thread to the loop */
    struct Note *next;
    bool is_record, error;
    ConnectState state;
    uint32_t retry_ms;
    int64_t received_ns;
    size_t bytes;
    char text[];
} Note;

static void link_free(ConnectLink *link)
{
    for (Note *note = link->first, *next; note; note = next) {
        next = note->next;
        mem_free(note);
    }
    pthread_mutex_destroy(&link->lock);
    pthread_cond_destroy(&link->wake);
    mem_free(link);
}

static void on_async_closed(uv_handle_t *handle)
{
    link_free(handle->data);
}

static void note_tell(ConnectLink *link, const Note *note)
{
    Str text = str_slice(note->text, note->bytes);
    if (!note->is_record) {
        link->events.state(link->events.ctx, note->state, text, note->retry_ms);
        return;
    }
    ConnectRecord record = {.key = str_from(link->unit_text),
                            .payload = text,
                            .received_ns = note->received_ns,
                            .token = ++link->next_token,
                            .error = note->error};
    link->events.record(link->events.ctx, &record);
}

static void on_async(uv_async_t *async)
{
    ConnectLink *link = async->data;
    pthread_mutex_lock(&link->lock);
    Note *note = link->first;
    link->first = link->last = NULL;
    pthread_mutex_unlock(&link->lock);
    for (Note *next; note; note = next) {
        next = note->next;
        if (!link->closed) note_tell(link, note); /* a callback may close the link */
        mem_free(note);
    }
}

static void note_post(ConnectLink *link, const Note *head, Str text)
{
    Note *note = mem_alloc(sizeof *note + text.len);
    if (!note) return;
    *note = *head;
    note->next = NULL;
    note->bytes = text.len;
    if (text.len) memcpy(note->text, text.ptr, text.len);
    pthread_mutex_lock(&link->lock);
    if (link->last)
        link->last->next = note;
    else
        link->first = note;
    link->last = note;
    pthread_mutex_unlock(&link->lock);
    (void)uv_async_send(&link->async);
}

static void say_state(ConnectLink *link, ConnectState state, const char *reason, uint32_t retry_ms)
{
    note_post(link, &(Note){.state = state, .retry_ms = retry_ms}, str_from(reason));
}

static void say_record(ConnectLink *link, Str text, bool error)
{
    atomic_fetch_add(&link->unacked, 1);
    note_post(link, &(Note){.is_record = true, .error = error, .received_ns = clock_wall_ns()},
              text);
}

/* Waits until `until_ns` (monotonic) or stop; true = stop. */
static bool wait_until(ConnectLink *link, int64_t until_ns)
{
    struct timespec at = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    pthread_mutex_lock(&link->lock);
    while (!link->stop && clock_monotonic_ns() < until_ns)
        if (pthread_cond_timedwait(&link->wake, &link->lock, &at) == ETIMEDOUT) break;
    bool stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

static bool socket_set(ConnectLink *link, int fd)
{
    pthread_mutex_lock(&link->lock);
    link->socket = fd;
    bool stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

static int range_read(const ModbusLib *lib, ModbusCtx *ctx, const ModbusRange *r, uint16_t *words)
{
    uint8_t bits[2048];
    int got;
    switch (r->area) {
    case MODBUS_HOLDING: return lib->read_registers(ctx, r->address, r->count, words);
    case MODBUS_INPUT: return lib->read_input_registers(ctx, r->address, r->count, words);
    case MODBUS_COIL: got = lib->read_bits(ctx, r->address, r->count, bits); break;
    default: got = lib->read_input_bits(ctx, r->address, r->count, bits);
    }
    for (int i = 0; i < got && i < (int)sizeof bits; i++) words[i] = bits[i];
    return got;
}

static const char *const area_names[] = {"holding", "input", "coil", "discrete"};

/* The value of a tag that was read just now; false: there is no number. */
static bool keep_value(LastValue *last, const ModbusPoint *p, const uint16_t *words)
{
    AUTO_BUF Buf text;
    JsonOut out;
    buf_init(&text, VALUE_BYTES);
    json_out_init(&out, &text);
    connect__modbus_value(p, words, &out);
    if (buf_status(&text) || str_is(buf_view(&text), "null")) return false;
    memcpy(last->text, text.ptr, text.len);
    last->text[text.len] = 0;
    last->wall_ns = clock_wall_ns();
    last->read_ns = clock_monotonic_ns();
    return true;
}

static void put_tag(const ModbusPoint *p, const LastValue *last, const char *quality, JsonOut *out)
{
    char time[RFC3339_BYTES];
    if (!last->text[0]) return;
    json_key(out, p->name);
    json_begin_object(out);
    json_key(out, "value");
    json_put_raw(out, str_from(last->text));
    json_field_text(out, "quality", quality);
    json_field_str(out, "time", str_slice(time, (size_t)(rfc3339_put(time, last->wall_ns) - time)));
    json_end(out);
}

/* `words`: what was read, or NULL: it was refused. */
static void put_range(ConnectLink *link, uint32_t range, const uint16_t *words, JsonOut *out)
{
    for (uint32_t i = 0; i < link->map.point_count; i++) {
        const ModbusPoint *p = &link->map.points[i];
        LastValue *last = &link->last_values[i];
        if (p->range != range) continue;
        if (p->tag) {
            bool good = words && keep_value(last, p, words + p->offset);
            put_tag(p, last, good ? "good" : "bad", out);
        } else {
            json_key(out, p->name);
            connect__modbus_value(p, words + p->offset, out);
        }
    }
}

typedef enum Polled {
    POLL_FINE,
    POLL_PARTLY,  /* the device refused some tags; there is a record */
    POLL_REFUSED, /* it refused plain values: none */
    POLL_GONE     /* the connection cannot be used any more */
} Polled;

/* One round of requests. */
static Polled poll_once(ConnectLink *link, const ModbusLib *lib, ModbusCtx *ctx, Buf *json,
                        char *reason)
{
    static _Thread_local uint16_t words[2048];
    const ModbusMap *map = &link->map;
    Polled polled = POLL_FINE;
    JsonOut out;
    buf_clear(json);
    json_out_init(&out, json);
    json_begin_object(&out);
    for (uint32_t r = 0; r < map->range_count; r++) {
        const ModbusRange *range = &map->ranges[r];
        errno = 0;
        bool read = range_read(lib, ctx, range, words) == range->count;
        if (!read) {
            int error = errno;
            (void)snprintf(reason, REASON_BYTES, "%s %u..%u: %s", area_names[range->area],
                           range->address, range->address + range->count - 1u,
                           lib->strerror(error));
            /* libmodbus numbers the exceptions of the protocol from 112345678 upwards; those are
             * answers, everything else means the stream cannot be trusted any more. */
            bool answer = error > 112345678 && error < 112345678 + 12;
            if (!answer || !range->tags) return answer ? POLL_REFUSED : POLL_GONE;
            polled = POLL_PARTLY;
        }
        put_range(link, r, read ? words : NULL, &out);
    }
    json_end(&out);
    return polled;
}

/* The device does not answer: a record of tags says so itself. False: it has plain values, or
 * nothing was ever read. */
static bool put_unread(ConnectLink *link, Buf *json)
{
    const ModbusMap *map = &link->map;
    JsonOut out;
    bool any = false;
    int64_t now = clock_monotonic_ns();
    buf_clear(json);
    json_out_init(&out, json);
    json_begin_object(&out);
    for (uint32_t r = 0; r < map->range_count; r++) {
        if (!map->ranges[r].tags) return false;
        for (uint32_t i = 0; i < map->point_count; i++) {
            const LastValue *last = &link->last_values[i];
            if (map->points[i].range != r) continue;
            bool old = now - last->read_ns >= link->stale_ms * NS_PER_MS;
            put_tag(&map->points[i], last, old ? "bad" : "uncertain", &out);
            any |= last->text[0] != 0;
        }
    }
    json_end(&out);
    return any && !json->failed;
}

/* Polls until something breaks or stop. True = stop; else `reason` says what broke. */
static bool poll_on(ConnectLink *link, const ModbusLib *lib, ModbusCtx *ctx, Buf *json,
                    char *reason)
{
    /* A device that takes calls and never answers is not there: its first answer says so. */
    bool degraded = false, answered = !link->subscribes;
    Polled polled;
    int64_t every = link->every_ms * NS_PER_MS, due = clock_monotonic_ns();
    if (answered) say_state(link, CONNECT_CONNECTED, "", 0);
    for (;;) {
        if (!link->subscribes) due = clock_monotonic_ns() + NS_PER_S;
        if (wait_until(link, due)) return true;
        due += every;
        int64_t now = clock_monotonic_ns();
        if (due < now) due = now; /* a slow device is polled as fast as it can, not in bursts */
        if (!link->subscribes) continue;
        if (atomic_load(&link->unacked) >= link->window) {
            link->skipped++;
            continue;
        }
        polled = poll_once(link, lib, ctx, json, reason);
        if (polled == POLL_GONE) return false;
        if (polled == POLL_REFUSED)
            say_record(link, str_from(reason), true);
        else if (!json->failed)
            say_record(link, buf_view(json), false);
        bool bad = polled != POLL_FINE;
        if (bad && !degraded) say_state(link, CONNECT_DEGRADED, reason, 0);
        if (!bad && (degraded || !answered)) say_state(link, CONNECT_CONNECTED, "", 0);
        degraded = bad;
        answered = true;
    }
}

static bool session(ConnectLink *link, const ModbusLib *lib, Buf *json, char *reason, bool *ret_up)
{
    ModbusCtx *ctx = lib->new_tcp_pi(link->host, link->port);
    *ret_up = false;
    if (!ctx) {
        (void)snprintf(reason, REASON_BYTES, "no memory for the connection");
        return false;
    }
    bool stop = false;
    (void)lib->set_slave(ctx, link->unit);
    (void)lib->set_response_timeout(ctx, link->timeout_ms / 1000, link->timeout_ms % 1000 * 1000);
    errno = 0;
    if (lib->connect(ctx)) {
        (void)snprintf(reason, REASON_BYTES, "cannot connect to %s:%s: %s", link->host, link->port,
                       lib->strerror(errno));
    } else {
        *ret_up = true;
        stop = socket_set(link, lib->get_socket(ctx)) || poll_on(link, lib, ctx, json, reason);
        stop |= socket_set(link, -1);
        lib->close(ctx);
    }
    lib->free(ctx);
    return stop;
}

static void *run(void *ctx)
{
    ConnectLink *link = ctx;
    const ModbusLib *lib;
    Diag diag = {0};
    char reason[REASON_BYTES] = "";
    Buf json;
    buf_init(&json, 256 * 1024);
    if (connect__modbus_lib(&lib, &diag)) {
        say_state(link, CONNECT_FAILED, diag.text, 0);
        return NULL;
    }
    for (uint32_t attempt = 0;;) {
        bool up;
        say_state(link, CONNECT_CONNECTING, "", 0);
        if (session(link, lib, &json, reason, &up)) break;
        attempt = up ? 0 : attempt + 1;
        uint32_t wait = (uint32_t)BACKOFF_MIN_MS << (attempt < 6 ? attempt : 6);
        if (wait > BACKOFF_MAX_MS) wait = BACKOFF_MAX_MS;
        int64_t now = clock_monotonic_ns();
        wait = wait / 2 + (uint32_t)(hash_bytes(&now, sizeof now) % (wait / 2 + 1));
        if (link->subscribes && atomic_load(&link->unacked) < link->window) {
            bool tags = put_unread(link, &json);
            say_record(link, tags ? buf_view(&json) : str_from(reason), !tags);
        }
        say_state(link, CONNECT_FAILED, reason, wait);
        if (wait_until(link, now + wait * NS_PER_MS)) break;
    }
    buf_done(&json);
    return NULL;
}

static Status link_conf(ConnectLink *link, const ConnectConf *conf, Diag *diag)
{
    Str host;
    uint16_t port;
    Status st = connect_url(conf->url, "modbus", 502, &host, &port, diag);
    if (st) return st;
    int64_t unit = json_int(conf->options, "unit", 1);
    int64_t timeout = json_int(conf->options, "timeout_ms", 1000);
    int64_t every = json_int(conf->sub_options, "every_ms", 1000);
    int64_t stale = json_int(conf->sub_options, "stale_ms", every * 10);
    if (stale < 0 || stale > UINT32_MAX) stale = UINT32_MAX;
    if (unit < 0 || unit > 255 || timeout < 10 || timeout > 60000 || every < 10 || every > 86400000)
        return diag_set(diag, ST_INVALID,
                        "unit is 0 to 255, timeout_ms 10 to 60000, every_ms 10 to 86400000");
    memcpy(link->host, host.ptr, host.len);
    (void)snprintf(link->port, sizeof link->port, "%u", port);
    (void)snprintf(link->unit_text, sizeof link->unit_text, "%d", (int)unit);
    link->unit = (int)unit;
    link->timeout_ms = (uint32_t)timeout;
    link->every_ms = (uint32_t)every;
    link->stale_ms = (uint32_t)stale;
    link->window = conf->window;
    link->subscribes = conf->subscribes;
    if (!conf->subscribes) return ST_OK;
    return connect__modbus_map(json_get(conf->sub_options, "registers"), &link->map, diag);
}

static Status modbus_open(Loop *loop, Log *log, const ConnectConf *conf,
                          const ConnectEvents *events, ConnectLink **ret_link, Diag *diag)
{
    (void)log;
    ConnectLink *link = mem_zalloc(1, sizeof *link);
    if (!link) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    link->events = *events;
    link->socket = -1;
    Status st = link_conf(link, conf, diag);
    if (st) {
        mem_free(link);
        return st;
    }
    pthread_condattr_t attr;
    pthread_mutex_init(&link->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&link->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (uv_async_init(loop_uv(loop), &link->async, on_async)) {
        link_free(link);
        return diag_set(diag, ST_IO, "no wake-up handle for the device");
    }
    link->async.data = link;
    if (pthread_create(&link->thread, NULL, run, link)) {
        uv_close((uv_handle_t *)&link->async, on_async_closed);
        return diag_set(diag, ST_NO_MEMORY, "no thread for the device");
    }
    *ret_link = link;
    return ST_OK;
}

static void modbus_ack(ConnectLink *link, uint64_t token)
{
    if (token) atomic_fetch_sub(&link->unacked, 1);
}

static void modbus_close(ConnectLink *link)
{
    link->closed = true;
    pthread_mutex_lock(&link->lock);
    link->stop = true;
    if (link->socket >= 0) (void)shutdown(link->socket, SHUT_RDWR);
    pthread_cond_signal(&link->wake);
    pthread_mutex_unlock(&link->lock);
    (void)pthread_join(link->thread, NULL);
    uv_close((uv_handle_t *)&link->async, on_async_closed);
}

static const ConnectField options[] = {{"unit", "1", "unit identifier, 0 to 255"},
                                       {"timeout_ms", "1000", "longest wait for an answer"},
                                       {0}};
static const ConnectField sub_options[] = {
    {"every_ms", "1000", "time between polls"},
    {"stale_ms", "", "age at which a tag that cannot be read becomes bad; ten polls if left out"},
    {"registers", "", "list of {name, type, area, address, order, scale, offset, tag}"},
    {0}};

const ConnectDriver connect_modbus = {.kind = "modbus",
                                      .doc = "Modbus TCP device, polled",
                                      .options = options,
                                      .sub_options = sub_options,
                                      .open = modbus_open,
                                      .ack = modbus_ack,
                                      .close = modbus_close};
