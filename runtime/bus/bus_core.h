/* runtime/bus/bus_core.h: what every bus shares, for the files of this folder only.
 *
 * The core owns subscriptions and their queues, requests that wait for an answer, and the turn of
 * the loop that delivers both. A transport (local, NATS, sim) only finds out who gets a message and
 * calls bus__deliver or bus__deliver_answer, from any thread. So the rules of bus.h are written
 * once and hold on every bus. */
#ifndef TUTTI_BUS_CORE_H
#define TUTTI_BUS_CORE_H

#include "base/hash.h"
#include "bus/bus.h"

#include <pthread.h>
#include <stdatomic.h>

/* A message on its way, shared by all queues it is in. Its texts lie behind the struct. */
typedef struct BusMessage {
    _Atomic uint32_t refs;
    Str subject, body, user, org, address, name;
    Str reply; /* transport's own: where the answer goes; empty for an event */
    uint32_t roles;
    uint64_t request; /* local bus: id of the waiting request; 0 = none */
    bool is_request;
} BusMessage;

typedef struct BusEntry {
    BusMessage *msg;
    BusReq *req;
} BusEntry;

struct BusSub {
    Bus *bus;
    char *filter; /* owned, as is group */
    char *group;  /* NULL = every subscriber gets it */
    uint32_t flags, queue_max;
    BusMsgFn *fn;
    void *ctx;
    BusSub *next, **link;            /* all subscriptions of the bus */
    BusSub *next_ready, *prev_ready; /* those with undelivered messages */
    bool is_ready;
    BusEntry *ring; /* owned; guarded by the lock, as len and head */
    uint32_t ring_cap, head, len;
    _Atomic uint64_t dropped;
    void *transport; /* the transport's part of a subscription */
};

struct BusReq {
    Bus *bus;        /* NULL once the bus closed */
    BusMessage *msg; /* reference: knows where the answer goes */
    BusReq *next, **link;
};

typedef struct BusTransport {
    Status (*subscribe)(Bus *bus, BusSub *sub);
    void (*unsubscribe)(Bus *bus, BusSub *sub); /* no bus__deliver to it afterwards */
    Status (*publish)(Bus *bus, Str subject, Str body);
    bool (*heard)(Bus *bus, Str subject); /* NULL: cannot know */
    /* Sends; the answer comes back through bus__deliver_answer(id). */
    Status (*request)(Bus *bus, uint64_t id, Str subject, Str body, const BusCaller *caller);
    void (*answer)(Bus *bus, const BusMessage *to, Status status, Str body);
    void (*close)(Bus *bus); /* stops all deliveries; the memory goes by `done` */
    void (*done)(Bus *bus);  /* frees what the transport owns; the core frees the Bus itself */
} BusTransport;

typedef struct BusPending {
    uint64_t id; /* 0 = free slot */
    BusAnswerFn *fn;
    void *ctx;
    Bus *bus;
    LoopTimer *timer;
    uint32_t next_free;
} BusPending;

typedef struct BusAnswer {
    struct BusAnswer *next;
    uint64_t id;
    Status status;
    Str body; /* behind the struct */
} BusAnswer;

/* A transport's struct begins with this one. */
struct Bus {
    const BusTransport *transport;
    Loop *loop;
    uv_async_t wake;
    pthread_mutex_t lock; /* guards queues, ready list, answers */
    BusSub *subs;
    BusSub *ready_first, *ready_last;
    uint32_t ready_count;
    BusAnswer *answers_first, *answers_last;
    BusReq *reqs;         /* handed out and not answered */
    BusPending **pending; /* owned list of owned slots, so that timers can point at them */
    uint32_t pending_cap, pending_free, pending_count;
    uint64_t pending_serial;
    BusSub *current; /* whose handler runs; NULL when it unsubscribed itself */
    bool closing;
};

/* The local bus, here so that the sim can put faults in front of it. */
typedef struct BusLocal {
    Bus bus;
    Map literal;           /* filter -> BusRoute */
    struct BusRoute *wild; /* filters with wildcards */
    uint64_t serial;
} BusLocal;

extern const BusTransport bus__local_transport;
void bus__local_init(BusLocal *local); /* after bus__init */

/* Takes `bus` (zeroed, from the heap, beginning with a Bus) and starts its core. */
MUST Status bus__init(Bus *bus, const BusTransport *transport, Loop *loop);
/* NULL when out of memory. `caller` NULL = the system. Starts with one reference. */
BusMessage *bus__message(Str subject, Str body, const BusCaller *caller, Str reply,
                         bool is_request);
void bus__message_unref(BusMessage *msg);
/* Any thread; takes its own reference. */
void bus__deliver(BusSub *sub, BusMessage *msg);
void bus__deliver_answer(Bus *bus, uint64_t id, Status status, Str body);
bool bus__caller_valid(const BusCaller *caller);

#endif
