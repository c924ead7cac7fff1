/* runtime/deliver/deliver.h: rows to sinks that wait.
 *
 * One Deliver belongs to one sink of one version of a pipeline and to one thread at a time.
 * Nothing is opened before the first row or check. */
#ifndef TUTTI_DELIVER_DELIVER_H
#define TUTTI_DELIVER_DELIVER_H

#include "base/buf.h"
#include "flow/abi.h"

typedef struct Deliver Deliver;

typedef struct DeliverRows { /* lent for the call */
    const char *bytes, *aside;
    const RtRow *rows;
    uint32_t count;
} DeliverRows;

typedef struct DeliverHost {
    Str mail_url, mail_from;    /* the server's own mail settings, or empty */
    bool (*halting)(void *ctx); /* give up, the rows are not delivered */
    /* What is wrong now; NULL: it is over. */
    void (*problem)(void *ctx, const char *text);
    /* The row will never be taken: the host keeps it where failed records go. */
    void (*refused)(void *ctx, uint32_t row, Status status, const char *why);
    void *ctx;
    int64_t patience_ns; /* how long the same row is tried; 0 = for as long as it takes */
} DeliverHost;

/* True for the kinds of this room. */
bool deliver_takes(const RtSinkInfo *sink);
/* False: an e-mail, and nobody said by which server. */
bool deliver_is_set_up(const RtSinkInfo *sink, const DeliverHost *host);
/* The Diag of a failure is the sentence for people. `sink` and `program` must outlive it. */
MUST Status deliver_new(const RtProgram *program, const RtSinkInfo *sink, const DeliverHost *host,
                        Deliver **ret_deliver, Diag *diag);
void deliver_free(Deliver *deliver); /* accepts NULL */
/* Before anything runs. ST_INVALID: the table is not there or does not fit the rows, with what to
 * do about it. Another failure may be over later: the server cannot be reached now. */
MUST Status deliver_check(Deliver *deliver, Diag *diag);
/* All rows, in order. Fails with ST_CANCELLED when halting and, after its patience, with what is
 * wrong; `*ret_done` rows are committed or refused then. */
MUST Status deliver_rows(Deliver *deliver, const DeliverRows *rows, uint32_t *ret_done, Diag *diag);

#endif
