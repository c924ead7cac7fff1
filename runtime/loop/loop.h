/* runtime/loop/loop.h: one libuv loop, its timers, and the door for other threads.
 *
 * A Loop belongs to the thread that runs it. Only loop_post and loop_stop may be called from other
 * threads; everything else, and every callback, is on the loop's thread. Times are milliseconds. */
#ifndef TUTTI_LOOP_LOOP_H
#define TUTTI_LOOP_LOOP_H

#include "base/status.h"

#include <uv.h>

typedef struct Loop Loop;
typedef struct LoopTimer LoopTimer;
typedef void LoopFn(void *ctx);

MUST Status loop_new(Loop **ret_loop);
/* After loop_run returned: stops what is left. Posts that still wait are forgotten, not run. */
void loop_free(Loop *loop);
/* Runs until loop_stop; a stop asked for before is seen at once. Can be run again afterwards. */
void loop_run(Loop *loop);
void loop_stop(Loop *loop); /* any thread */
/* While the loop does not run: runs what is posted, until nothing waits. For shutting down. */
void loop_run_posts(Loop *loop);
uv_loop_t *loop_uv(Loop *loop);

/* Queues fn(ctx) for a later turn of the loop; any thread; order per caller is kept. ST_LIMIT when
 * more than LOOP_POSTS_MAX wait. Never runs fn inside the call. */
enum { LOOP_POSTS_MAX = 1 << 20 };
MUST Status loop_post(Loop *loop, LoopFn *fn, void *ctx);

/* Runs work(ctx) on a pool thread, then done(ctx) on the loop. For blocking calls and argon2. */
MUST Status loop_work(Loop *loop, LoopFn *work, LoopFn *done, void *ctx);

/* A timer; every_ms 0 = once. loop_timer_stop frees it (also a fired one) and accepts NULL. */
MUST Status loop_timer_start(Loop *loop, uint64_t after_ms, uint64_t every_ms, LoopFn *fn,
                             void *ctx, LoopTimer **ret_timer);
void loop_timer_stop(LoopTimer *timer);
/* Once, and then it is gone: *slot is the timer while it waits, NULL before fn is called and after
 * a failure. One that waits there already stays as it is. Who has another occasion to try again
 * need not look at the answer. loop_once_stop accepts a slot that is NULL. */
Status loop_once(Loop *loop, uint64_t after_ms, LoopFn *fn, void *ctx, LoopTimer **slot);
void loop_once_stop(LoopTimer **slot);

/* For a connection of any protocol, both sides: bytes go at once, and a peer that vanished without
 * a word (power, a gateway that forgot it) is asked for after LOOP_TCP_QUIET_S, so that its socket
 * ends though nobody has anything to say: a client may turn the keep alive of its protocol off. */
enum { LOOP_TCP_QUIET_S = 60 };
void loop_tcp_tune(uv_tcp_t *tcp);

#endif
