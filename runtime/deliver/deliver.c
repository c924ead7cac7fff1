/* runtime/deliver/deliver.c: again and again, until all rows are there or set aside. */
#include "deliver/deliver_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <poll.h>
#include <stdio.h>

enum { AGAIN_FIRST_MS = 100, AGAIN_LAST_MS = 5000, NAP_MS = 20 };

static const DeliverDriver *const drivers[] = {&deliver__sqlite, &deliver__postgres,
                                               &deliver__email};

static const DeliverDriver *driver_of(const RtSinkInfo *sink)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (str_is(str_from(sink->kind), drivers[i]->kind)) return drivers[i];
    return NULL;
}

bool deliver_takes(const RtSinkInfo *sink)
{
    return driver_of(sink) != NULL;
}

bool deliver_is_set_up(const RtSinkInfo *sink, const DeliverHost *host)
{
    bool mail = str_is(str_from(sink->kind), "email");
    return !mail || sink->connection[0] || host->mail_url.len > 0;
}

MUST static Status find_link(Deliver *d, const RtProgram *program, Diag *diag)
{
    const char *name = d->sink->connection;
    for (u32 i = 0; name && name[0] && i < program->connection_count; i++) {
        const RtConnectionInfo *info = &program->connections[i];
        if (str_eq(str_from(info->name), str_from(name)))
            return peer_link_make(info->name, info->url, info->options, &d->link, diag);
    }
    return ST_OK;
}

Status deliver_new(const RtProgram *program, const RtSinkInfo *sink, const DeliverHost *host,
                   Deliver **ret_deliver, Diag *diag)
{
    const DeliverDriver *driver = driver_of(sink);
    Deliver *d = mem_zalloc(1, sizeof *d);
    if (!d) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    d->driver = driver;
    d->sink = sink;
    d->host = *host;
    d->arena = arena_new(0, 8 << 20);
    d->row = arena_new(0, (size_t)256 << 20);
    d->self = mem_zalloc(1, driver->self_bytes);
    Status st = ST_OK;
    if (!d->arena || !d->row || !d->self) st = diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (!st && sink->options[0] && json_read(d->arena, str_from(sink->options), &d->options, NULL))
        d->options = NULL;
    if (!st) st = find_link(d, program, diag);
    if (!st) st = driver->open(d, diag);
    if (st)
        deliver_free(d);
    else
        *ret_deliver = d;
    return st;
}

void deliver_free(Deliver *d)
{
    if (!d) return;
    if (d->self) d->driver->close(d);
    mem_free(d->self);
    peer_link_done(&d->link);
    arena_free(d->row);
    arena_free(d->arena);
    mem_free(d);
}

Status deliver_check(Deliver *d, Diag *diag)
{
    return d->driver->check(d, diag);
}

bool deliver__halts(const Deliver *d)
{
    return d->host.halting && d->host.halting(d->host.ctx);
}

Str deliver__option(const Deliver *d, const char *name)
{
    return json_str(d->options, name, STR(""));
}

static void tell(Deliver *d, const char *text)
{
    if (!text && !d->troubled) return;
    d->troubled = text != NULL;
    if (d->host.problem) d->host.problem(d->host.ctx, text);
}

/* False: it is time to give up. */
static bool pause_ms(const Deliver *d, int64_t ms)
{
    int64_t until_ns = clock_monotonic_ns() + ms * NS_PER_MS;
    while (!deliver__halts(d)) {
        int64_t left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0) return true;
        (void)poll(NULL, 0, left_ms < NAP_MS ? (int)left_ms : NAP_MS);
    }
    return false;
}

Status deliver_rows(Deliver *d, const DeliverRows *rows, uint32_t *ret_done, Diag *diag)
{
    uint32_t from = 0, tries = 0;
    int64_t since_ns = clock_monotonic_ns();
    *ret_done = 0;
    while (from < rows->count) {
        uint32_t done = 0;
        Diag why = {0};
        arena_reset(d->row);
        Status st = deliver__halts(d) ? ST_CANCELLED : d->driver->some(d, rows, from, &done, &why);
        if (st == ST_CONFLICT) {
            d->host.refused(d->host.ctx, from, st, why.text);
            done = 1;
            st = ST_OK;
        }
        if (!st) {
            tell(d, NULL);
            *ret_done = from += done;
            tries = 0;
            since_ns = clock_monotonic_ns();
            continue;
        }
        if (st == ST_CANCELLED) return diag_set(diag, st, "stopped");
        const char *text = why.text[0] ? why.text : status_text(st);
        tell(d, text);
        if (d->host.patience_ns && clock_monotonic_ns() - since_ns > d->host.patience_ns)
            return diag_set(diag, st, "%s", text);
        int64_t wait_ms = (int64_t)AGAIN_FIRST_MS << (tries < 6 ? tries : 6);
        tries++;
        if (!pause_ms(d, wait_ms < AGAIN_LAST_MS ? wait_ms : AGAIN_LAST_MS))
            return diag_set(diag, ST_CANCELLED, "stopped");
    }
    return ST_OK;
}
