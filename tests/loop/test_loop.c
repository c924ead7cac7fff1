/* tests/loop/test_loop.c: posts from threads, timers, pool work, stop and free in every state. */
#include "test.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <pthread.h>

enum { DEADLINE_MS = 60000, THREADS = 4, POSTS = 20000 };

static void stop(void *ctx)
{
    loop_stop(ctx);
}

/* A loop with a deadline; the test fails when it is reached. */
typedef struct Bed {
    Loop *loop;
    LoopTimer *deadline;
    bool late;
    int count;
    int order[8];
} Bed;

static void on_deadline(void *ctx)
{
    Bed *bed = ctx;
    bed->late = true;
    loop_stop(bed->loop);
}

static void bed_init(Bed *bed)
{
    *bed = (Bed){0};
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, DEADLINE_MS, 0, on_deadline, bed, &bed->deadline));
}

static void bed_run(Bed *bed)
{
    loop_run(bed->loop);
    CHECK(!bed->late);
}

typedef struct Sender {
    Bed *bed;
    pthread_t thread;
    int sent, seen;
    bool disordered;
} Sender;

typedef struct Token {
    Sender *sender;
    int number;
} Token;

static void on_token(void *ctx)
{
    Token *token = ctx;
    Sender *sender = token->sender;
    if (token->number != sender->seen++) sender->disordered = true;
    if (++sender->bed->count == THREADS * POSTS) loop_stop(sender->bed->loop);
    mem_free(token);
}

static void *send_all(void *ctx)
{
    Sender *sender = ctx;
    for (int i = 0; i < POSTS; i++) {
        Token *token = mem_alloc(sizeof *token);
        if (!token) return NULL;
        *token = (Token){sender, i};
        if (loop_post(sender->bed->loop, on_token, token)) return NULL;
        sender->sent++;
    }
    return NULL;
}

TEST(loop_posts_of_threads_all_arrive_in_order)
{
    Bed bed;
    Sender senders[THREADS] = {0};
    bed_init(&bed);
    for (int i = 0; i < THREADS; i++) {
        senders[i].bed = &bed;
        CHECK_INT(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    bed_run(&bed);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(senders[i].thread, NULL);
        CHECK_INT(senders[i].seen, POSTS);
        CHECK(!senders[i].disordered);
    }
    loop_free(bed.loop);
}

static void second(void *ctx)
{
    Bed *bed = ctx;
    bed->order[bed->count++] = 2;
    loop_stop(bed->loop);
}

static void first(void *ctx)
{
    Bed *bed = ctx;
    CHECK_OK(loop_post(bed->loop, second, bed));
    bed->order[bed->count++] = 1;
}

TEST(loop_post_never_runs_inside_the_call)
{
    Bed bed;
    bed_init(&bed);
    CHECK_OK(loop_post(bed.loop, first, &bed));
    CHECK_INT(bed.count, 0);
    bed_run(&bed);
    CHECK_INT(bed.count, 2);
    CHECK_INT(bed.order[0], 1);
    CHECK_INT(bed.order[1], 2);
    loop_free(bed.loop);
}

static void tick(void *ctx)
{
    Bed *bed = ctx;
    if (++bed->count == 3) loop_stop(bed->loop);
}

TEST(loop_timer_repeats_and_stops)
{
    Bed bed;
    LoopTimer *timer = NULL, *never = NULL;
    bed_init(&bed);
    CHECK_OK(loop_timer_start(bed.loop, 1, 1, tick, &bed, &timer));
    CHECK_OK(loop_timer_start(bed.loop, 0, 0, tick, &bed, &never));
    loop_timer_stop(never);
    bed_run(&bed);
    CHECK_INT(bed.count, 3);
    loop_timer_stop(NULL);
    loop_free(bed.loop); /* the repeating timer is still there */
}

static LoopTimer *self_stopping;

static void stop_itself(void *ctx)
{
    loop_timer_stop(self_stopping);
    loop_stop(ctx);
}

TEST(loop_timer_may_stop_itself)
{
    Bed bed;
    bed_init(&bed);
    CHECK_OK(loop_timer_start(bed.loop, 0, 5, stop_itself, bed.loop, &self_stopping));
    bed_run(&bed);
    loop_free(bed.loop);
}

static pthread_t work_thread;

static void work(void *ctx)
{
    work_thread = pthread_self();
    ((Bed *)ctx)->order[0] = 7;
}

static void work_done(void *ctx)
{
    Bed *bed = ctx;
    bed->order[1] = bed->order[0];
    loop_stop(bed->loop);
}

/* ---- once ---- */

typedef struct Later {
    Bed *bed;
    LoopTimer *timer;
    bool gone; /* before each call */
    int calls;
} Later;

static void on_later(void *ctx)
{
    Later *later = ctx;
    later->gone = !later->timer;
    if (++later->calls < 2)
        CHECK_OK(loop_once(later->bed->loop, 1, on_later, later, &later->timer));
    else
        loop_stop(later->bed->loop);
}

TEST(loop_once_is_gone_before_it_calls)
{
    Bed bed;
    bed_init(&bed);
    Later later = {.bed = &bed};
    CHECK_OK(loop_once(bed.loop, 1, on_later, &later, &later.timer));
    const LoopTimer *first = later.timer;
    CHECK(first);
    CHECK_OK(loop_once(bed.loop, DEADLINE_MS * 2, stop, bed.loop, &later.timer)); /* one waits */
    CHECK(later.timer == first);
    bed_run(&bed);
    CHECK(later.gone && !later.timer);
    CHECK_INT(later.calls, 2);
    CHECK_OK(loop_once(bed.loop, 1, on_later, &later, &later.timer));
    loop_once_stop(&later.timer);
    CHECK(!later.timer);
    loop_once_stop(&later.timer);
    CHECK_OK(loop_timer_start(bed.loop, 5, 0, stop, bed.loop, &later.timer));
    bed_run(&bed);
    CHECK_INT(later.calls, 2);
    loop_timer_stop(later.timer);
    loop_free(bed.loop);
}

TEST(loop_work_runs_beside_and_reports_on_the_loop)
{
    Bed bed;
    bed_init(&bed);
    CHECK_OK(loop_work(bed.loop, work, work_done, &bed));
    bed_run(&bed);
    CHECK_INT(bed.order[1], 7);
    CHECK(!pthread_equal(work_thread, pthread_self()));
    loop_free(bed.loop);
}

TEST(loop_stop_before_run_is_seen)
{
    Bed bed;
    bed_init(&bed);
    loop_stop(bed.loop);
    bed_run(&bed);
    CHECK_OK(loop_post(bed.loop, stop, bed.loop)); /* and it can run again */
    bed_run(&bed);
    CHECK_OK(loop_post(bed.loop, tick, &bed));
    loop_run_posts(bed.loop);
    CHECK_INT(bed.count, 1);
    loop_free(bed.loop);
}

TEST(loop_survives_an_empty_heap)
{
    Loop *loop = NULL;
    LoopTimer *timer = NULL;
    mem_fail_at(1);
    CHECK_INT(loop_new(&loop), ST_NO_MEMORY);
    CHECK(!loop);
    CHECK_OK(loop_new(&loop));
    mem_fail_at(1);
    CHECK_INT(loop_post(loop, stop, loop), ST_NO_MEMORY);
    mem_fail_at(1);
    CHECK_INT(loop_work(loop, stop, stop, loop), ST_NO_MEMORY);
    mem_fail_at(1);
    CHECK_INT(loop_timer_start(loop, 0, 0, stop, loop, &timer), ST_NO_MEMORY);
    mem_fail_at(0);
    loop_free(loop);
}
