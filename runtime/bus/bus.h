/* runtime/bus/bus.h: how modules talk: requests, events, and nothing else.
 *
 * Subjects are dot-separated words: MODULE.verb asks, MODULE.past tells, data.PATH carries values,
 * sys.up|down|health.MODULE the life cycle. Filters take `*` for one word and a last `>` for the
 * rest, as NATS does. Five rules hold on every bus (the reasons are in docs/decisions):
 *   1. A handler never runs inside the call that sent to it, only on a later turn of the loop.
 *   2. Only bytes cross, at most BUS_BODY_BYTES_MAX; a body is lent until the handler returns.
 *   3. A request nobody listens to is answered at once with ST_UNAVAILABLE.
 *   4. Handlers run on the thread of the Loop the bus was opened with.
 *   5. Nothing is batched in the sender: a message leaves on the same turn.
 * Events are at most once; per subscriber and subject they keep their order. */
#ifndef TUTTI_BUS_BUS_H
#define TUTTI_BUS_BUS_H

#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

enum { BUS_BODY_BYTES_MAX = 1 << 20, BUS_SUBJECT_BYTES_MAX = 512 };

typedef struct Bus Bus;
typedef struct BusSub BusSub;
typedef struct BusReq BusReq; /* a request waiting for its answer; answered exactly once */

/* Who asks: travels with a request, filled by the edge that authenticated it. All slices are lent. */
typedef struct BusCaller {
    Str user;     /* user id; empty = the system itself */
    Str org;
    uint32_t roles; /* bit set of AuthRole (module/module.h) */
    Str address;  /* peer address as text, for audit */
} BusCaller;

typedef struct BusMsg {
    Str subject, body;
    BusCaller caller; /* requests only */
    BusReq *req;      /* NULL for an event */
} BusMsg;

typedef void BusMsgFn(void *ctx, const BusMsg *msg);
/* `status` ST_OK: body is the answer. Otherwise body is a text that explains. */
typedef void BusAnswerFn(void *ctx, Status status, Str body);

enum {
    BUS_LATEST_WINS = 1,  /* a full queue drops the oldest event instead of the newest */
    BUS_ONE_OF_GROUP = 2, /* of all subscribers of one group only one gets a message */
};

MUST Status bus_local_open(Loop *loop, Bus **ret_bus);
/* A NATS server (URL nats://host:port). Same promises; needs the library at run time. */
MUST Status bus_nats_open(Loop *loop, const char *url, Bus **ret_bus, Diag *diag);
void bus_close(Bus *bus); /* pending requests are answered ST_CANCELLED first */

/* queue_max counts undelivered messages of this subscription; past it the policy acts and
 * bus_dropped counts. ctx must live until bus_unsubscribe returned. */
MUST Status bus_subscribe(Bus *bus, const char *filter, const char *group, uint32_t queue_max,
                          uint32_t flags, BusMsgFn *fn, void *ctx, BusSub **ret_sub);
void bus_unsubscribe(BusSub *sub); /* accepts NULL; no call of fn after it */
uint64_t bus_dropped(const BusSub *sub);

MUST Status bus_publish(Bus *bus, Str subject, Str body);
/* fn is called exactly once, later: answer, ST_TIMEOUT, ST_UNAVAILABLE or ST_CANCELLED. When
 * bus_request itself fails, fn is never called. */
MUST Status bus_request(Bus *bus, Str subject, Str body, const BusCaller *caller,
                        uint32_t timeout_ms, BusAnswerFn *fn, void *ctx);
/* Answers and consumes the request; callable during the handler or any time after. */
void bus_answer(BusReq *req, Status status, Str body);

/* True when `subject` is matched by `filter` (pure; for tests and routing tables). */
bool bus_match(Str filter, Str subject);

#endif
