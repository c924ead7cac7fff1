/* runtime/bus/bus_nats.c: the bus over a NATS server, for services that run apart.
 *
 * libnats is loaded when this bus is asked for, so a Lite file does not need it. The library calls
 * back on a thread of its own; a callback only copies the message into the core's queues. What it
 * is given is a Feed, which outlives the subscription: the library may still be inside a callback
 * when natsSubscription_Destroy returns, and frees the feed by its completion callback. The lock of
 * Shared makes "no delivery after unsubscribe" true.
 * Requests use one inbox subscription: PREFIX.<id>; callers and statuses travel as headers. NATS
 * says "nobody listens" by an empty message with the header Status: 503. */
#include "bus/bus_core.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <nats/nats.h>
#include <stdio.h>

enum { CONNECT_TIMEOUT_MS = 3000, INBOX_BYTES = 64 };

#define HEADER_USER    "Tutti-User"
#define HEADER_ORG     "Tutti-Org"
#define HEADER_ROLES   "Tutti-Roles"
#define HEADER_ADDRESS "Tutti-Address"
#define HEADER_NAME    "Tutti-Name"
#define HEADER_STATUS  "Tutti-Status"

/* Every function of the library that is used. */
#define NATS_FUNCTIONS(X)                                                                          \
    X(natsOptions_Create)                                                                          \
    X(natsOptions_Destroy)                                                                         \
    X(natsOptions_SetURL)                                                                          \
    X(natsOptions_SetName)                                                                         \
    X(natsOptions_SetTimeout)                                                                      \
    X(natsOptions_SetSendAsap)                                                                     \
    X(natsOptions_SetMaxReconnect)                                                                 \
    X(natsOptions_SetErrorHandler)                                                                 \
    X(natsOptions_UseGlobalMessageDelivery)                                                        \
    X(natsConnection_Connect)                                                                      \
    X(natsConnection_Close)                                                                        \
    X(natsConnection_Destroy)                                                                      \
    X(natsConnection_Publish)                                                                      \
    X(natsConnection_PublishMsg)                                                                   \
    X(natsConnection_Subscribe)                                                                    \
    X(natsConnection_QueueSubscribe)                                                               \
    X(natsSubscription_Unsubscribe)                                                                \
    X(natsSubscription_Destroy)                                                                    \
    X(natsSubscription_SetOnCompleteCB)                                                            \
    X(natsMsg_Create)                                                                              \
    X(natsMsg_Destroy)                                                                             \
    X(natsMsg_GetSubject)                                                                          \
    X(natsMsg_GetReply)                                                                            \
    X(natsMsg_GetData)                                                                             \
    X(natsMsg_GetDataLength)                                                                       \
    X(natsMsg_IsNoResponders)                                                                      \
    X(natsMsgHeader_Set)                                                                           \
    X(natsMsgHeader_Get)                                                                           \
    X(natsInbox_Create)                                                                            \
    X(natsInbox_Destroy)                                                                           \
    X(natsStatus_GetText)

typedef struct NatsLib {
#define X(name) __typeof__(&name) name;
    NATS_FUNCTIONS(X)
#undef X
    void *handle;
} NatsLib;

static NatsLib lib; /* loaded once per process, never unloaded: its threads may still run */

typedef struct NatsBus NatsBus;

/* What feeds and the bus share; freed with the last of them. */
typedef struct Shared {
    _Atomic uint32_t refs;
    pthread_mutex_t lock;
    NatsBus *nats; /* NULL once closed */
} Shared;

typedef struct Feed {
    Shared *shared;
    BusSub *sub; /* NULL = the inbox, or ended */
    bool is_inbox;
    natsSubscription *nats_sub; /* used by the loop's thread only */
} Feed;

struct NatsBus {
    Bus bus;
    natsConnection *conn;
    Shared *shared;
    Feed *inbox;
    char inbox_prefix[INBOX_BYTES];
};

static Status load(Diag *diag)
{
    static const char *const names[] = {"libnats.so.3.4", "libnats.so.3", "libnats.so"};
    NatsLib loaded = {0};
    if (lib.handle) return ST_OK;
    for (size_t i = 0; i < COUNT_OF(names) && !loaded.handle; i++)
        loaded.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!loaded.handle)
        return diag_set(diag, ST_UNSUPPORTED, "a nats:// bus needs libnats (package libnats3.4)");
#define X(name)                                                                                    \
    *(void **)&loaded.name = dlsym(loaded.handle, #name);                                          \
    if (!loaded.name) return diag_set(diag, ST_UNSUPPORTED, "this libnats lacks %s", #name);
    NATS_FUNCTIONS(X)
#undef X
    lib = loaded;
    return ST_OK;
}

static Status status_of(natsStatus st)
{
    switch (st) {
    case NATS_OK: return ST_OK;
    case NATS_NO_MEMORY: return ST_NO_MEMORY;
    case NATS_MAX_PAYLOAD: return ST_LIMIT;
    case NATS_INSUFFICIENT_BUFFER: return ST_BUSY;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT: return ST_INVALID;
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NO_SERVER: return ST_UNAVAILABLE;
    case NATS_TIMEOUT: return ST_TIMEOUT;
    default: return ST_IO;
    }
}

static void shared_unref(Shared *shared)
{
    if (atomic_fetch_sub(&shared->refs, 1) != 1) return;
    pthread_mutex_destroy(&shared->lock);
    mem_free(shared);
}

/* ---- receiving, on the library's thread ---- */

static Str header(natsMsg *msg, const char *key)
{
    const char *value = NULL;
    return lib.natsMsgHeader_Get(msg, key, &value) == NATS_OK ? str_from(value) : STR_NONE;
}

static Str data_of(const natsMsg *msg)
{
    int len = lib.natsMsg_GetDataLength(msg);
    return (Str){lib.natsMsg_GetData(msg), len > 0 ? (size_t)len : 0};
}

static BusMessage *message_of(natsMsg *msg)
{
    const char *reply = lib.natsMsg_GetReply(msg);
    BusCaller caller = {header(msg, HEADER_USER), header(msg, HEADER_ORG), 0,
                        header(msg, HEADER_ADDRESS), header(msg, HEADER_NAME)};
    int64_t roles = 0;
    if (str_to_i64(header(msg, HEADER_ROLES), &roles) && roles >= 0 && roles <= BUS_ROLES_ALL)
        caller.roles = (uint32_t)roles;
    return bus__message(str_from(lib.natsMsg_GetSubject(msg)), data_of(msg), &caller,
                        str_from(reply), reply != NULL);
}

static Status status_by_name(Str name)
{
    if (!name.len) return ST_OK;
    for (int i = 0; i < ST__COUNT; i++)
        if (str_is(name, status_name((Status)i))) return (Status)i;
    return ST_INTERNAL;
}

static void deliver_answer(NatsBus *nats, natsMsg *msg)
{
    Str subject = str_from(lib.natsMsg_GetSubject(msg));
    int64_t id = 0;
    if (!str_to_i64(str_skip(subject, strlen(nats->inbox_prefix) + 1), &id) || id <= 0) return;
    if (lib.natsMsg_IsNoResponders(msg))
        bus__deliver_answer(&nats->bus, (uint64_t)id, ST_UNAVAILABLE, STR("nobody listens"));
    else
        bus__deliver_answer(&nats->bus, (uint64_t)id, status_by_name(header(msg, HEADER_STATUS)),
                            data_of(msg));
}

static void on_message(natsConnection *conn __attribute__((unused)),
                       natsSubscription *nats_sub __attribute__((unused)), natsMsg *msg, void *ctx)
{
    Feed *feed = ctx;
    BusMessage *copy = feed->is_inbox ? NULL : message_of(msg);
    pthread_mutex_lock(&feed->shared->lock);
    NatsBus *nats = feed->shared->nats;
    if (nats && feed->is_inbox)
        deliver_answer(nats, msg);
    else if (nats && feed->sub && copy)
        bus__deliver(feed->sub, copy);
    pthread_mutex_unlock(&feed->shared->lock);
    bus__message_unref(copy);
    lib.natsMsg_Destroy(msg);
}

static void on_complete(void *ctx)
{
    Feed *feed = ctx;
    shared_unref(feed->shared);
    mem_free(feed);
}

/* The library's own handler would print to standard error. Reconnecting is the library's work. */
static void on_error(natsConnection *conn __attribute__((unused)),
                     natsSubscription *sub __attribute__((unused)),
                     natsStatus st __attribute__((unused)), void *ctx __attribute__((unused)))
{
}

/* ---- sending, on the loop's thread (answers of refused requests on the library's) ---- */

static Status feed_start(NatsBus *nats, const char *subject, BusSub *sub, Feed **ret_feed)
{
    Feed *feed = mem_zalloc(1, sizeof *feed);
    if (!feed) return ST_NO_MEMORY;
    *feed = (Feed){.shared = nats->shared, .sub = sub, .is_inbox = !sub};
    natsSubscription *nats_sub = NULL;
    natsStatus st;
    if (sub && sub->group)
        st = lib.natsConnection_QueueSubscribe(&nats_sub, nats->conn, subject, sub->group,
                                               on_message, feed);
    else
        st = lib.natsConnection_Subscribe(&nats_sub, nats->conn, subject, on_message, feed);
    if (st != NATS_OK) {
        mem_free(feed);
        return status_of(st);
    }
    atomic_fetch_add(&nats->shared->refs, 1);
    (void)lib.natsSubscription_SetOnCompleteCB(nats_sub, on_complete, feed);
    feed->nats_sub = nats_sub;
    *ret_feed = feed;
    return ST_OK;
}

static void feed_stop(NatsBus *nats, Feed *feed)
{
    natsSubscription *nats_sub = feed->nats_sub;
    pthread_mutex_lock(&nats->shared->lock);
    feed->sub = NULL;
    pthread_mutex_unlock(&nats->shared->lock);
    /* From here on the library may free the feed at any time. */
    (void)lib.natsSubscription_Unsubscribe(nats_sub);
    lib.natsSubscription_Destroy(nats_sub);
}

static Status nats_subscribe(Bus *bus, BusSub *sub)
{
    Feed *feed = NULL;
    Status st = feed_start((NatsBus *)bus, sub->filter, sub, &feed);
    if (!st) sub->transport = feed;
    return st;
}

static void nats_unsubscribe(Bus *bus, BusSub *sub)
{
    feed_stop((NatsBus *)bus, sub->transport);
}

static Status nats_publish(Bus *bus, Str subject, Str body)
{
    char name[BUS_SUBJECT_BYTES_MAX + 1];
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(subject));
    return status_of(
        lib.natsConnection_Publish(((NatsBus *)bus)->conn, name, body.ptr, (int)body.len));
}

static natsStatus set_header(natsMsg *msg, const char *key, Str value)
{
    char text[BUS_CALLER_BYTES_MAX + 1];
    if (!value.len) return NATS_OK;
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(value));
    return lib.natsMsgHeader_Set(msg, key, text);
}

static natsStatus set_caller(natsMsg *msg, const BusCaller *caller)
{
    static const BusCaller system = {.roles = BUS_ROLES_ALL};
    char roles[16];
    if (!caller) caller = &system;
    (void)snprintf(roles, sizeof roles, "%u", caller->roles);
    natsStatus st = lib.natsMsgHeader_Set(msg, HEADER_ROLES, roles);
    if (st == NATS_OK) st = set_header(msg, HEADER_USER, caller->user);
    if (st == NATS_OK) st = set_header(msg, HEADER_ORG, caller->org);
    if (st == NATS_OK) st = set_header(msg, HEADER_ADDRESS, caller->address);
    if (st == NATS_OK) st = set_header(msg, HEADER_NAME, caller->name);
    return st;
}

static Status nats_request(Bus *bus, uint64_t id, Str subject, Str body, const BusCaller *caller)
{
    NatsBus *nats = (NatsBus *)bus;
    char name[BUS_SUBJECT_BYTES_MAX + 1], reply[INBOX_BYTES + 24];
    natsMsg *msg = NULL;
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(subject));
    (void)snprintf(reply, sizeof reply, "%s.%llu", nats->inbox_prefix, (unsigned long long)id);
    natsStatus st = lib.natsMsg_Create(&msg, name, reply, body.ptr, (int)body.len);
    if (st == NATS_OK) st = set_caller(msg, caller);
    if (st == NATS_OK) st = lib.natsConnection_PublishMsg(nats->conn, msg);
    lib.natsMsg_Destroy(msg);
    return status_of(st);
}

static void nats_answer(Bus *bus, const BusMessage *to, Status status, Str body)
{
    NatsBus *nats = (NatsBus *)bus;
    natsMsg *msg = NULL;
    natsStatus st = lib.natsMsg_Create(&msg, to->reply.ptr, NULL, body.ptr, (int)body.len);
    if (st == NATS_OK && status)
        st = lib.natsMsgHeader_Set(msg, HEADER_STATUS, status_name(status));
    /* An answer that cannot be sent is a timeout for who asked: nothing better can be done. */
    if (st == NATS_OK) (void)lib.natsConnection_PublishMsg(nats->conn, msg);
    lib.natsMsg_Destroy(msg);
}

static void nats_close(Bus *bus)
{
    NatsBus *nats = (NatsBus *)bus;
    if (nats->inbox) feed_stop(nats, nats->inbox);
    pthread_mutex_lock(&nats->shared->lock);
    nats->shared->nats = NULL;
    pthread_mutex_unlock(&nats->shared->lock);
    lib.natsConnection_Close(nats->conn);
    lib.natsConnection_Destroy(nats->conn);
}

static void nats_done(Bus *bus)
{
    shared_unref(((NatsBus *)bus)->shared);
}

static Status connect_to(NatsBus *nats, const char *url, Diag *diag)
{
    natsOptions *opts = NULL;
    natsStatus st = lib.natsOptions_Create(&opts);
    if (st == NATS_OK) st = lib.natsOptions_SetURL(opts, url);
    if (st == NATS_OK) st = lib.natsOptions_SetName(opts, "tutti");
    if (st == NATS_OK) st = lib.natsOptions_SetTimeout(opts, CONNECT_TIMEOUT_MS);
    if (st == NATS_OK) st = lib.natsOptions_SetSendAsap(opts, true);
    if (st == NATS_OK) st = lib.natsOptions_SetMaxReconnect(opts, -1);
    if (st == NATS_OK) st = lib.natsOptions_SetErrorHandler(opts, on_error, NULL);
    /* One delivery thread for all subscriptions, instead of one thread each. */
    if (st == NATS_OK) st = lib.natsOptions_UseGlobalMessageDelivery(opts, true);
    if (st == NATS_OK) st = lib.natsConnection_Connect(&nats->conn, opts);
    lib.natsOptions_Destroy(opts);
    if (st == NATS_OK) return ST_OK;
    Status status = status_of(st) == ST_INVALID ? ST_INVALID : ST_UNAVAILABLE;
    return diag_set(diag, status, "bus %s: %s", url, lib.natsStatus_GetText(st));
}

static Status open_inbox(NatsBus *nats)
{
    natsInbox *inbox = NULL;
    char filter[INBOX_BYTES + 8];
    if (lib.natsInbox_Create(&inbox) != NATS_OK) return ST_NO_MEMORY;
    (void)snprintf(nats->inbox_prefix, sizeof nats->inbox_prefix, "%s", inbox);
    lib.natsInbox_Destroy(inbox);
    (void)snprintf(filter, sizeof filter, "%s.*", nats->inbox_prefix);
    return feed_start(nats, filter, NULL, &nats->inbox);
}

Status bus_nats_open(Loop *loop, const char *url, Bus **ret_bus, Diag *diag)
{
    static const BusTransport transport = {
        .subscribe = nats_subscribe,
        .unsubscribe = nats_unsubscribe,
        .publish = nats_publish,
        .request = nats_request,
        .answer = nats_answer,
        .close = nats_close,
        .done = nats_done,
    };
    Status st = load(diag);
    if (st) return st;
    NatsBus *nats = mem_zalloc(1, sizeof *nats);
    Shared *shared = mem_zalloc(1, sizeof *shared);
    st = nats && shared ? connect_to(nats, url, diag) : ST_NO_MEMORY;
    if (!st) {
        st = bus__init(&nats->bus, &transport, loop);
        if (st) lib.natsConnection_Destroy(nats->conn);
    }
    if (st) {
        mem_free(nats);
        mem_free(shared);
        return st;
    }
    pthread_mutex_init(&shared->lock, NULL);
    shared->refs = 1;
    shared->nats = nats;
    nats->shared = shared;
    st = open_inbox(nats);
    if (st) {
        bus_close(&nats->bus);
        return diag_set(diag, st, "bus %s: no inbox", url);
    }
    *ret_bus = &nats->bus;
    return ST_OK;
}
