/* runtime/loop/loop.c: libuv with the three things every room needs: posts, work, timers.
 *
 * Posts are kept in two arrays that swap: callers append to one under the lock, the loop runs the
 * other without it. So a post made while posts run waits for the next turn, and a flood of posts
 * cannot keep sockets from being served. */
#include "loop/loop.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { POSTS_KEPT = 4096 }; /* a larger array is given back after the burst */

typedef struct Post {
    LoopFn *fn;
    void *ctx;
} Post;

typedef struct Posts {
    Post *list; /* owned */
    size_t len, cap;
} Posts;

struct LoopTimer {
    uv_timer_t uv;
    Loop *loop;
    LoopFn *fn;
    void *ctx;
    LoopTimer **slot;        /* of loop_once; NULL = none */
    LoopTimer *next, **link; /* list of the loop */
};

struct Loop {
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t lock; /* guards `waiting` */
    Posts waiting, running;
    LoopTimer *timers; /* started and not yet stopped; freed by loop_free */
    _Atomic bool stop;
};

static void run_posts(Loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    Posts taken = loop->waiting;
    loop->waiting = loop->running;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < taken.len; i++) taken.list[i].fn(taken.list[i].ctx);
    taken.len = 0;
    if (taken.cap > POSTS_KEPT) {
        mem_free(taken.list);
        taken = (Posts){0};
    }
    loop->running = taken;
}

static void on_wake(uv_async_t *wake)
{
    Loop *loop = wake->data;
    run_posts(loop);
    if (atomic_load(&loop->stop)) uv_stop(&loop->uv);
}

Status loop_new(Loop **ret_loop)
{
    Loop *loop = mem_zalloc(1, sizeof *loop);
    if (!loop) return ST_NO_MEMORY;
    if (uv_loop_init(&loop->uv)) {
        mem_free(loop);
        return ST_IO;
    }
    if (uv_async_init(&loop->uv, &loop->wake, on_wake)) {
        (void)uv_loop_close(&loop->uv);
        mem_free(loop);
        return ST_IO;
    }
    loop->wake.data = loop;
    pthread_mutex_init(&loop->lock, NULL);
    *ret_loop = loop;
    return ST_OK;
}

static void close_left(uv_handle_t *handle, void *ctx __attribute__((unused)))
{
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_free(Loop *loop)
{
    if (!loop) return;
    while (loop->timers) loop_timer_stop(loop->timers);
    uv_walk(&loop->uv, close_left, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT)) {
    }
    (void)uv_loop_close(&loop->uv);
    pthread_mutex_destroy(&loop->lock);
    mem_free(loop->waiting.list);
    mem_free(loop->running.list);
    mem_free(loop);
}

void loop_run(Loop *loop)
{
    while (!atomic_load(&loop->stop)) (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    atomic_store(&loop->stop, false);
}

void loop_stop(Loop *loop)
{
    atomic_store(&loop->stop, true);
    (void)uv_async_send(&loop->wake);
}

static bool posts_wait(Loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool some = loop->waiting.len > 0;
    pthread_mutex_unlock(&loop->lock);
    return some;
}

void loop_run_posts(Loop *loop)
{
    while (posts_wait(loop)) run_posts(loop);
}

uv_loop_t *loop_uv(Loop *loop)
{
    return &loop->uv;
}

static Status append(Posts *posts, Post post)
{
    if (posts->len == LOOP_POSTS_MAX) return ST_LIMIT;
    if (posts->len == posts->cap) {
        size_t cap = posts->cap ? posts->cap * 2 : 64;
        Post *list = mem_realloc(posts->list, cap * sizeof *list);
        if (!list) return ST_NO_MEMORY;
        posts->list = list;
        posts->cap = cap;
    }
    posts->list[posts->len++] = post;
    return ST_OK;
}

Status loop_post(Loop *loop, LoopFn *fn, void *ctx)
{
    pthread_mutex_lock(&loop->lock);
    Status st = append(&loop->waiting, (Post){fn, ctx});
    bool first = !st && loop->waiting.len == 1;
    pthread_mutex_unlock(&loop->lock);
    if (first) (void)uv_async_send(&loop->wake);
    return st;
}

typedef struct Work {
    uv_work_t uv;
    LoopFn *work, *done;
    void *ctx;
} Work;

static void work_run(uv_work_t *uv)
{
    Work *work = uv->data;
    work->work(work->ctx);
}

static void work_done(uv_work_t *uv, int status __attribute__((unused)))
{
    Work *work = uv->data;
    LoopFn *done = work->done;
    void *ctx = work->ctx;
    mem_free(work);
    done(ctx);
}

Status loop_work(Loop *loop, LoopFn *fn, LoopFn *done, void *ctx)
{
    Work *work = mem_zalloc(1, sizeof *work);
    if (!work) return ST_NO_MEMORY;
    *work = (Work){.work = fn, .done = done, .ctx = ctx};
    work->uv.data = work;
    if (uv_queue_work(&loop->uv, &work->uv, work_run, work_done)) {
        mem_free(work);
        return ST_IO;
    }
    return ST_OK;
}

static void timer_fire(uv_timer_t *uv)
{
    LoopTimer *timer = uv->data;
    LoopFn *fn = timer->fn;
    void *ctx = timer->ctx;
    if (timer->slot) loop_once_stop(timer->slot);
    fn(ctx);
}

static void timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

Status loop_timer_start(Loop *loop, uint64_t after_ms, uint64_t every_ms, LoopFn *fn, void *ctx,
                        LoopTimer **ret_timer)
{
    LoopTimer *timer = mem_zalloc(1, sizeof *timer);
    if (!timer) return ST_NO_MEMORY;
    *timer = (LoopTimer){.loop = loop, .fn = fn, .ctx = ctx};
    (void)uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
    timer->uv.data = timer;
    timer->next = loop->timers;
    timer->link = &loop->timers;
    if (timer->next) timer->next->link = &timer->next;
    loop->timers = timer;
    /* The cached time may be old when a long computation came before. */
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&timer->uv, timer_fire, after_ms, every_ms);
    *ret_timer = timer;
    return ST_OK;
}

void loop_timer_stop(LoopTimer *timer)
{
    if (!timer) return;
    *timer->link = timer->next;
    if (timer->next) timer->next->link = timer->link;
    uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

Status loop_once(Loop *loop, uint64_t after_ms, LoopFn *fn, void *ctx, LoopTimer **slot)
{
    if (*slot) return ST_OK;
    Status st = loop_timer_start(loop, after_ms, 0, fn, ctx, slot);
    if (!st) (*slot)->slot = slot;
    return st;
}

void loop_once_stop(LoopTimer **slot)
{
    loop_timer_stop(*slot);
    *slot = NULL;
}

/* Neither is worth losing a connection for where the system does not know it. */
void loop_tcp_tune(uv_tcp_t *tcp)
{
    (void)uv_tcp_nodelay(tcp, 1);
    (void)uv_tcp_keepalive(tcp, 1, LOOP_TCP_QUIET_S);
}
