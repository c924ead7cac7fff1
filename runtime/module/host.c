/* runtime/module/host.c: opens modules in the order of their needs and closes them in reverse.
 *
 * Per module: settings, store and migrations, open, subscriptions, start. Messages arrive on later
 * turns of the loop, so nothing reaches a module before host_open returned.
 * Closing: subscriptions first, so nothing new comes; then the stores, which finish every accepted
 * job and report it; then the modules, which may still hold unanswered requests; those are
 * cancelled last. So a callback of a store never meets a closed module. */
#include "module/host_private.h"

#include "base/mem.h"

#include <stdio.h>

enum { OP_QUEUE_MAX = 4096, SYS_QUEUE_MAX = 64, PATH_BYTES = 4096, SYS_SUBS = 2 };
enum { INFO_BYTES_MAX = 1 << 19 };

static size_t sub_total(const ModuleDef *def)
{
    size_t count = host_op_count(def) + SYS_SUBS;
    for (const ModSub *sub = def->subs; sub && sub->subject; sub++) count++;
    return count;
}

/* ---- sys.info and sys.health ---- */

static void on_info(void *ctx, const BusMsg *msg)
{
    HostSub *sub = ctx;
    Buf buf;
    if (!msg->req) return;
    buf_init(&buf, INFO_BYTES_MAX);
    host_info_json(sub->mod->def, &buf);
    Status st = buf_status(&buf);
    bus_answer(msg->req, st, st ? str_from(status_text(st)) : buf_view(&buf));
    buf_done(&buf);
}

/* Only where something is wrong with the file. */
static void put_store(JsonOut *out, const Store *store)
{
    const StoreSalvaged *salvaged = store_salvaged(store);
    if (store_is_damaged(store)) json_field_text(out, "store", "damaged: restart to salvage it");
    if (!salvaged) return;
    json_key(out, "salvaged");
    json_begin_object(out);
    json_field_int(out, "rows", (int64_t)salvaged->rows);
    json_field_int(out, "lost", (int64_t)salvaged->lost);
    json_field_text(out, "kept", salvaged->aside);
    json_end(out);
}

static void tell_salvaged(const Host *host)
{
    for (size_t i = 0; i < host->store_count; i++) {
        const StoreSalvaged *salvaged = store_salvaged(host->stores[i].store);
        if (salvaged)
            log_error(host->options.log, "host",
                      "a file was damaged: what is readable was salvaged",
                      "file=%s rows=%llu lost=%llu kept=%s", host->stores[i].file,
                      (unsigned long long)salvaged->rows, (unsigned long long)salvaged->lost,
                      salvaged->aside);
    }
}

static void on_health(void *ctx, const BusMsg *msg)
{
    const HostMod *mod = ((HostSub *)ctx)->mod;
    if (!msg->req) return;
    const char *state = !mod->started ? "starting" : mod->host->draining ? "draining" : "up";
    Buf buf;
    JsonOut out;
    buf_init(&buf, 256);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_text(&out, "module", mod->def->name);
    json_field_text(&out, "state", state);
    put_store(&out, mod->env.store);
    json_end(&out);
    bus_answer(msg->req, buf_status(&buf), buf_view(&buf));
    buf_done(&buf);
}

static void on_event(void *ctx, const BusMsg *msg)
{
    HostSub *sub = ctx;
    sub->sub->fn(sub->mod->self, msg);
}

/* ---- opening ---- */

static Status subscribe(HostMod *mod, const char *subject, uint32_t queue_max, uint32_t flags,
                        BusMsgFn *fn, HostSub what)
{
    HostSub *sub = &mod->subs[mod->sub_count];
    *sub = what;
    sub->mod = mod;
    Status st = bus_subscribe(mod->host->options.bus, subject, mod->def->name, queue_max, flags, fn,
                              sub, &sub->bus_sub);
    if (!st) mod->sub_count++;
    return st;
}

static Status subscribe_all(HostMod *mod, Diag *diag)
{
    char subject[BUS_SUBJECT_BYTES_MAX];
    const ModuleDef *def = mod->def;
    Status st = ST_OK;
    mod->subs = mem_zalloc(sub_total(def), sizeof *mod->subs);
    if (!mod->subs) return diag_set(diag, ST_NO_MEMORY, "module %s", def->name);
    for (const ModOp *op = def->ops; op && op->subject && !st; op++)
        st = subscribe(mod, op->subject, OP_QUEUE_MAX, BUS_ONE_OF_GROUP, host__on_request,
                       (HostSub){.op = op});
    for (const ModSub *sub = def->subs; sub && sub->subject && !st; sub++)
        st = subscribe(mod, sub->subject, sub->queue_max, sub->flags, on_event,
                       (HostSub){.sub = sub});
    (void)snprintf(subject, sizeof subject, "sys.info.%s", def->name);
    if (!st) st = subscribe(mod, subject, SYS_QUEUE_MAX, BUS_ONE_OF_GROUP, on_info, (HostSub){0});
    (void)snprintf(subject, sizeof subject, "sys.health.%s", def->name);
    if (!st) st = subscribe(mod, subject, SYS_QUEUE_MAX, BUS_ONE_OF_GROUP, on_health, (HostSub){0});
    return st ? diag_set(diag, st, "module %s: a subscription was refused", def->name) : ST_OK;
}

static Status open_store(Host *host, const ModuleDef *def, Store **ret_store, Diag *diag)
{
    char path[PATH_BYTES];
    const char *file = def->store_file ? def->store_file : "tutti.db";
    for (size_t i = 0; i < host->store_count; i++) {
        if (strcmp(host->stores[i].file, file) != 0) continue;
        *ret_store = host->stores[i].store;
        return ST_OK;
    }
    if (host->store_count == HOST_STORES_MAX) return diag_set(diag, ST_LIMIT, "too many stores");
    int len = snprintf(path, sizeof path, "%s/%s", host->options.data_dir, file);
    if (len < 0 || (size_t)len >= sizeof path)
        return diag_set(diag, ST_LIMIT, "the data folder's path is too long");
    Store *store = NULL;
    uint32_t page_bytes = def->store_file ? def->store_page_bytes : 0;
    Loop *loop = host->options.loop;
    Status st = def->store_file && def->store_salvages
                    ? store_sqlite_open_salvaging(loop, path, page_bytes, NULL, &store, diag)
                    : store_sqlite_open_paged(loop, path, page_bytes, &store, diag);
    if (st) return st;
    host->stores[host->store_count++] = (HostStore){file, store};
    *ret_store = store;
    return ST_OK;
}

static Status prepare_store(HostMod *mod, Diag *diag)
{
    const ModuleDef *def = mod->def;
    if (!def->migrations) return ST_OK;
    Status st = open_store(mod->host, def, &mod->env.store, diag);
    return st ? st : store_migrate(mod->env.store, def->name, def->migrations, diag);
}

static Status prepare_mod(HostMod *mod, Diag *diag)
{
    const HostOptions *options = &mod->host->options;
    mod->self = mem_zalloc(1, mod->def->self_bytes);
    mod->conf = mem_zalloc(1, mod->def->conf_bytes);
    mod->conf_texts = arena_new(256, 0);
    if (!mod->self || !mod->conf || !mod->conf_texts)
        return diag_set(diag, ST_NO_MEMORY, "module %s", mod->def->name);
    mod->env = (ModEnv){.loop = options->loop,
                        .bus = options->bus,
                        .log = options->log,
                        .conf = mod->conf,
                        .data_dir = options->data_dir,
                        .broker = options->broker,
                        .host = mod->host};
    Status st = host__conf_fill(mod, diag);
    return st ? st : prepare_store(mod, diag);
}

static void announce(HostMod *mod, const char *what)
{
    char subject[BUS_SUBJECT_BYTES_MAX];
    int len = snprintf(subject, sizeof subject, "sys.%s.%s", what, mod->def->name);
    /* A lost announcement is found out by asking sys.health. */
    if (len > 0) (void)!bus_publish(mod->host->options.bus, str_from(subject), STR("{}"));
}

static Status open_mod(Host *host, const ModuleDef *def, Diag *diag)
{
    HostMod *mod = &host->mods[host->count++];
    mod->host = host;
    mod->def = def;
    Status st = prepare_mod(mod, diag);
    if (st) return st;
    mod->opened = true; /* close() is called also after a failed open() */
    st = def->open(mod->self, &mod->env, diag);
    if (!st) st = subscribe_all(mod, diag);
    if (!st && def->start) st = def->start(mod->self, diag);
    if (st) return diag_wrap(diag, st, "module %s", def->name);
    mod->started = true;
    announce(mod, "up");
    return ST_OK;
}

static bool wanted(const HostOptions *options, const ModuleDef *def)
{
    if (!options->only) return true;
    for (const char *const *name = options->only; *name; name++)
        if (strcmp(*name, def->name) == 0) return true;
    return false;
}

static Status check_names(const HostOptions *options, Diag *diag)
{
    for (const char *const *name = options->only; name && *name; name++) {
        const ModuleDef *const *def = options->modules;
        while (*def && strcmp((*def)->name, *name) != 0) def++;
        if (!*def) return diag_set(diag, ST_NOT_FOUND, "there is no module %s", *name);
    }
    return ST_OK;
}

Status host_open(const HostOptions *options, Host **ret_host, Diag *diag)
{
    const ModuleDef *order[HOST_MODULES_MAX];
    size_t count = 0;
    Status st = check_names(options, diag);
    if (!st) st = host__order(options->modules, order, &count, diag);
    if (st) return st;
    Host *host = mem_zalloc(1, sizeof *host);
    if (!host) return diag_set(diag, ST_NO_MEMORY, "no memory for the host");
    host->options = *options;
    for (size_t i = 0; i < count && !st; i++)
        if (wanted(options, order[i])) st = open_mod(host, order[i], diag);
    tell_salvaged(host);
    if (st) {
        host_close(host);
        return st;
    }
    *ret_host = host;
    return ST_OK;
}

/* ---- looking ---- */

size_t host_module_count(const Host *host)
{
    return host->count;
}

const ModuleDef *host_module(const Host *host, size_t index)
{
    return index < host->count ? host->mods[index].def : NULL;
}

bool host_ready(const Host *host)
{
    for (size_t i = 0; i < host->count; i++)
        if (!host->mods[i].started) return false;
    return !host->draining;
}

const ModOp *host_op(const Host *host, const char *subject)
{
    for (size_t i = 0; i < host->count; i++)
        for (const ModOp *op = host->mods[i].def->ops; op && op->subject; op++)
            if (strcmp(op->subject, subject) == 0) return op;
    return NULL;
}

/* ---- draining and closing ---- */

static void drain_end(Host *host)
{
    DoneFn *done = host->drain_done;
    loop_timer_stop(host->drain_timer);
    host->drain_timer = NULL;
    host->drain_done = NULL;
    if (done) done(host->drain_ctx);
}

static void drain_late(void *ctx)
{
    Host *host = ctx;
    size_t at = host->drain_left;
    log_warn(host->options.log, "host", "a module did not drain in time", "module=%s",
             at < host->count ? host->mods[at].def->name : "?");
    drain_end(host);
}

static void drain_next(void *ctx)
{
    Host *host = ctx;
    if (!host->drain_done) return; /* it was late, and the host did not wait */
    while (host->drain_left) {
        HostMod *mod = &host->mods[--host->drain_left];
        /* Those that need this one were drained before it. */
        if (host->drain_left + 1 < host->count) host->mods[host->drain_left + 1].drained = true;
        if (!mod->def->drain) continue;
        mod->def->drain(mod->self, drain_next, host);
        return;
    }
    drain_end(host);
}

static void drain_begin(void *ctx)
{
    drain_next(ctx);
}

void host_drain(Host *host, uint32_t timeout_ms, DoneFn *done, void *ctx)
{
    host->draining = true;
    host->drain_left = host->count;
    host->drain_done = done;
    host->drain_ctx = ctx;
    Status st =
        loop_timer_start(host->options.loop, timeout_ms, 0, drain_late, host, &host->drain_timer);
    /* Without memory for a timer or a post nothing can be waited for: the stop goes on. */
    if (!st) st = loop_post(host->options.loop, drain_begin, host);
    if (st) drain_end(host);
}

static void unsubscribe_all(HostMod *mod)
{
    for (size_t i = 0; i < mod->sub_count; i++) bus_unsubscribe(mod->subs[i].bus_sub);
    mod->sub_count = 0;
}

static void close_mod(HostMod *mod)
{
    if (mod->opened) mod->def->close(mod->self);
    host__cancel_requests(mod);
    mem_free(mod->subs);
    mem_free(mod->self);
    mem_free(mod->conf);
    arena_free(mod->conf_texts);
}

void host_close(Host *host)
{
    if (!host) return;
    loop_timer_stop(host->drain_timer);
    host->drain_timer = NULL;
    host->drain_done = NULL;
    host->draining = true;
    for (size_t i = host->count; i--;) {
        if (host->mods[i].started) announce(&host->mods[i], "down");
        unsubscribe_all(&host->mods[i]);
    }
    for (size_t i = host->store_count; i--;) store_close(host->stores[i].store);
    /* Reports of jobs come now, and what they would hand over anew has nowhere to go. */
    for (size_t i = host->count; i--;) host->mods[i].env.store = NULL;
    loop_run_posts(host->options.loop);
    for (size_t i = host->count; i--;) close_mod(&host->mods[i]);
    mem_free(host);
}
