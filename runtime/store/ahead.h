/* runtime/store/ahead.h: a log ahead of a store; for this folder only (store.h tells what for).
 *
 * One thread writes records and syncs them, another one has the store's writer take what gathered
 * into the file: when there is enough, after a while, or because somebody wants to read. */
#ifndef TUTTI_STORE_AHEAD_H
#define TUTTI_STORE_AHEAD_H

#include "store/store.h"

typedef struct StoreAhead StoreAhead;

/* Blocking, before the loop runs: takes in what a kill left. `path` is the store's. */
MUST Status store__ahead_open(Store *store, Loop *loop, const char *path, StoreApplyFn *apply,
                              StoreAhead **ret_ahead, Diag *diag);
/* Takes in what there is, if the store lets it; else the next start does. NULL is nothing. */
void store__ahead_close(StoreAhead *ahead);
MUST Status store__ahead_write(StoreAhead *ahead, Str bytes, StoreDoneFn *done, void *ctx);
/* Waits until all that was reported before is in the store. Not on the writer's thread. */
MUST Status store__ahead_settle(StoreAhead *ahead, Diag *diag);

/* sqlite.c: store_run_now without settling. */
MUST Status store__run_now(Store *store, StoreJobFn *job, void *ctx, Diag *diag);

#endif
