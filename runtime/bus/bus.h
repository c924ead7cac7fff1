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
 * Events are at most once; per subscriber and subject they keep their order.
 * All functions are called on the loop's thread. */
#ifndef TUTTI_BUS_BUS_H
#define TUTTI_BUS_BUS_H

#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

/* One MiB is what a NATS server takes as a whole message: 4 KiB of it are kept for headers. */
enum {
    BUS_BODY_BYTES_MAX = (1 << 20) - 4096,
    BUS_SUBJECT_BYTES_MAX = 512,
    BUS_CALLER_BYTES_MAX = 2048, /* all texts of a BusCaller together */
    BUS_REQUESTS_MAX = 65536,    /* waiting for an answer, per bus; past it ST_BUSY */
    BUS_ROLES_ALL = 31,          /* every AuthRole: what the system itself has */
};

typedef struct Bus Bus;
typedef struct BusSub BusSub;
typedef struct BusReq BusReq; /* a request waiting for its answer; answered exactly once */

/* Who asks: travels with a request, filled by the edge that authenticated it. All slices are lent.
 * A zeroed one is a stranger without rights; a NULL caller is the system itself and has every role
 * (BUS_ROLES_ALL), so the edge must always pass one. Control characters are refused. */
typedef struct BusCaller {
    Str user; /* user id; empty = nobody signed in, or the system */
    Str org;
    uint32_t roles; /* bit set of AuthRole (module/module.h) */
    Str address;    /* peer address as text, for audit */
    Str name;       /* of the user, for people; may be empty */
} BusCaller;

/* What journals and mails call somebody. */
static inline Str bus_caller_who(const BusCaller *caller)
{
    return caller->name.len ? caller->name : caller->user;
}

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
 * bus_dropped counts; a dropped request is answered ST_BUSY. `group` is needed with
 * BUS_ONE_OF_GROUP and ignored otherwise. ctx must live until bus_unsubscribe returned. */
MUST Status bus_subscribe(Bus *bus, const char *filter, const char *group, uint32_t queue_max,
                          uint32_t flags, BusMsgFn *fn, void *ctx, BusSub **ret_sub);
void bus_unsubscribe(BusSub *sub); /* accepts NULL; no call of fn after it */
uint64_t bus_dropped(const BusSub *sub);

MUST Status bus_publish(Bus *bus, Str subject, Str body);
/* False: nobody in reach would get an event of this subject, so it need not be made. A bus that
 * cannot know says true. */
bool bus_heard(Bus *bus, Str subject);
/* fn is called exactly once, later: answer, ST_TIMEOUT, ST_UNAVAILABLE or ST_CANCELLED. When
 * bus_request itself fails, fn is never called. */
MUST Status bus_request(Bus *bus, Str subject, Str body, const BusCaller *caller,
                        uint32_t timeout_ms, BusAnswerFn *fn, void *ctx);
/* Answers and consumes the request; callable during the handler or any time after, also when the
 * bus or the subscription is gone (then nothing is sent). */
void bus_answer(BusReq *req, Status status, Str body);

/* Words separated by dots, no empty word, no space or control character, at most
 * BUS_SUBJECT_BYTES_MAX; wildcards only in a filter, and only as whole words. Pure. */
bool bus_subject_valid(Str subject);
bool bus_filter_valid(Str filter);
/* True when `subject` is matched by `filter` (pure; for tests and routing tables). */
bool bus_match(Str filter, Str subject);

#endif
