/* runtime/modules/uns/uns_notify_send.c: a delivery's life: made, told its mail server, a thread of
 * its own, done. The module engine has the mail server's settings, as `into email` uses them. */
#include "modules/uns/uns_notify.h"

#include <poll.h>

enum { DELIVERY_BYTES_MAX = 64 << 20, ASK_MS = 5000, NAP_MS = 20 };

UnsDelivery *uns__delivery_new(Uns *uns, const UnsTargetConf *conf, uint32_t room)
{
    Arena *arena = arena_new(4096, DELIVERY_BYTES_MAX);
    UnsDelivery *d = arena ? arena_one(arena, UnsDelivery) : NULL;
    UnsTargetConf *held = NULL;
    if (d) {
        *d = (UnsDelivery){.uns = uns, .arena = arena, .events = arena_many(arena, Str, room)};
        if (d->events && !uns__target_copy(conf, &held)) {
            d->conf = held;
            return d;
        }
    }
    arena_free(arena);
    return NULL;
}

static void delivery_free(UnsDelivery *d)
{
    uns__target_conf_free((UnsTargetConf *)(uintptr_t)d->conf);
    secret_wipe(d->mail_url);
    arena_free(d->arena);
}

static void end(UnsDelivery *d)
{
    Uns *uns = d->uns;
    UnsDelivery **at = &uns->notify->deliveries;
    while (*at != d) at = &(*at)->next;
    *at = d->next;
    uns__delivered(d);
    delivery_free(d);
    uns__job_done(uns);
}

static void on_done(void *ctx)
{
    UnsDelivery *d = ctx;
    (void)uv_thread_join(&d->thread);
    d->running = false;
    end(d);
}

/* On the thread. */
static void work(void *ctx)
{
    UnsDelivery *d = ctx;
    d->status =
        d->conf->kind == UNS_EMAIL ? uns__deliver_mail(d, &d->diag) : uns__deliver_web(d, &d->diag);
    while (loop_post(d->uns->env->loop, on_done, d) && !uns__delivery_halts(d))
        (void)poll(NULL, 0, NAP_MS);
}

static void begin(UnsDelivery *d)
{
    d->running = true;
    if (!uv_thread_create(&d->thread, work, d)) return;
    d->running = false;
    d->status = diag_set(&d->diag, ST_UNAVAILABLE, "no thread");
    end(d);
}

static void on_server(void *ctx, Status status, Str body)
{
    UnsDelivery *d = ctx;
    const Json *json = NULL;
    if (!d->uns) { /* the module was closed meanwhile */
        delivery_free(d);
        return;
    }
    if (!status) status = json_read(d->arena, body, &json, &d->diag);
    if (status) {
        d->status = diag_set(&d->diag, status == ST_CANCELLED ? status : ST_UNAVAILABLE,
                             "the module engine does not tell its mail server");
        end(d);
        return;
    }
    d->mail_url = arena_str(d->arena, json_str(json, "url", STR_NONE));
    d->mail_from = arena_str(d->arena, json_str(json, "from", STR_NONE));
    if (d->mail_url.ptr && d->mail_from.ptr) {
        begin(d);
        return;
    }
    d->status = diag_set(&d->diag, ST_NO_MEMORY, "no memory");
    end(d);
}

void uns__delivery_start(UnsDelivery *d)
{
    Uns *uns = d->uns;
    d->next = uns->notify->deliveries;
    uns->notify->deliveries = d;
    uns->jobs++;
    d->began_ns = clock_monotonic_ns();
    if (d->conf->kind != UNS_EMAIL)
        begin(d);
    else if (bus_request(uns->env->bus, STR("engine.mail_server"), STR("{}"), NULL, ASK_MS,
                         on_server, d))
        on_server(d, ST_UNAVAILABLE, STR_NONE);
}

/* The threads give up soon, because `halting` is set. */
void uns__deliveries_close(Uns *uns)
{
    for (UnsDelivery *d = uns->notify->deliveries, *next; d; d = next) {
        next = d->next;
        if (d->running) {
            (void)uv_thread_join(&d->thread);
            delivery_free(d);
        } else {
            d->uns = NULL; /* the bus still has it */
        }
    }
    uns->notify->deliveries = NULL;
}
