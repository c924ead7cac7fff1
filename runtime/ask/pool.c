/* runtime/ask/pool.c: several questions at once, each on a thread that may wait.
 *
 * A thread has an asker of its own: files and connections are never shared. Threads come as there
 * are more questions on their way than threads, and stay. The lock guards the lists alone; a
 * question belongs to who asked until it is begun, to one thread until it is answered, and then to
 * who asked again. */
#include "ask/ask_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <uv.h>

enum { THREADS_MAX = 256, ANSWER_MAX = 8 << 20, ROWS_KEPT = 64 << 10 };

/* Used again for another question when its answer was taken. */
typedef struct Question {
    struct Question *next;
    const RtAskInfo *ask;
    RtValue *values; /* one piece of memory: values, has, texts */
    size_t values_cap;
    const u8 *has;
    u32 count;
    bool answered;
    Status status;
    Diag diag;
    Buf rows;
} Question;

typedef struct AskPool {
    Asker *asker; /* of who asks: where the threads' askers get their settings */
    uv_mutex_t lock;
    uv_cond_t more, answered;
    Question *waiting, **waiting_end; /* nobody works on them yet */
    Question *done, **done_end;       /* in the order of their answers */
    Question *unused;                 /* of who asks; as many as were on their way at once */
    uint32_t on_their_way;
    bool stopping;
    uint32_t thread_count;
    uv_thread_t threads[THREADS_MAX];
} AskPool;

static void questions_free(Question *q)
{
    for (Question *next; q; q = next) {
        next = q->next;
        buf_done(&q->rows);
        mem_free(q->values);
        mem_free(q);
    }
}

/* ---- a thread ---- */

static void work(void *ctx)
{
    AskPool *pool = ctx;
    Asker *own = NULL;
    const Asker *like = pool->asker;
    Status made = asker_new(like->historian, like->halting, like->ctx, &own);
    uv_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->waiting && !pool->stopping) uv_cond_wait(&pool->more, &pool->lock);
        Question *q = pool->waiting;
        if (!q) break;
        pool->waiting = q->next;
        if (!pool->waiting) pool->waiting_end = &pool->waiting;
        uv_mutex_unlock(&pool->lock);
        q->status =
            made ? made : asker_ask(own, q->ask, q->values, q->has, q->count, &q->rows, &q->diag);
        uv_mutex_lock(&pool->lock);
        q->answered = true;
        q->next = NULL;
        *pool->done_end = q;
        pool->done_end = &q->next;
        uv_cond_broadcast(&pool->answered);
    }
    uv_mutex_unlock(&pool->lock);
    asker_free(own);
}

/* ---- who asks ---- */

static AskPool *pool_of(Asker *asker)
{
    if (asker->pool) return asker->pool;
    AskPool *pool = mem_zalloc(1, sizeof *pool);
    if (!pool) return NULL;
    if (uv_mutex_init(&pool->lock)) {
        mem_free(pool);
        return NULL;
    }
    if (uv_cond_init(&pool->more)) abort(); /* out of memory, a moment after the lock was made */
    if (uv_cond_init(&pool->answered)) abort();
    pool->asker = asker;
    pool->waiting_end = &pool->waiting;
    pool->done_end = &pool->done;
    asker->pool = pool;
    return pool;
}

void ask__pool_free(AskPool *pool)
{
    if (!pool) return;
    uv_mutex_lock(&pool->lock);
    pool->stopping = true;
    uv_cond_broadcast(&pool->more);
    uv_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++) uv_thread_join(&pool->threads[i]);
    questions_free(pool->done);
    questions_free(pool->unused);
    uv_cond_destroy(&pool->more);
    uv_cond_destroy(&pool->answered);
    uv_mutex_destroy(&pool->lock);
    mem_free(pool);
}

static Question *unused_of(AskPool *pool)
{
    Question *q = pool->unused;
    if (q) {
        pool->unused = q->next;
        return q;
    }
    q = mem_zalloc(1, sizeof *q);
    if (q) buf_init(&q->rows, ANSWER_MAX);
    return q;
}

static void unused_add(AskPool *pool, Question *q)
{
    if (q->rows.cap > ROWS_KEPT) { /* one long answer is not kept for ever */
        buf_done(&q->rows);
        buf_init(&q->rows, ANSWER_MAX);
    }
    q->next = pool->unused;
    pool->unused = q;
}

static bool values_room(Question *q, size_t bytes)
{
    if (bytes <= q->values_cap) return true;
    void *values = mem_realloc(q->values, bytes);
    if (!values) return false;
    q->values = values;
    q->values_cap = bytes;
    return true;
}

static Question *copy_of(AskPool *pool, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                         u32 count)
{
    size_t texts = 0;
    for (u32 i = 0; i < count; i++)
        if (has[i] && ask->types[i] == RT_STR) texts += values[i].s.n;
    Question *q = unused_of(pool);
    if (!q) return NULL;
    if (!values_room(q, count * (sizeof *values + 1) + texts + 1)) {
        unused_add(pool, q);
        return NULL;
    }
    q->next = NULL;
    q->answered = false;
    buf_clear(&q->rows);
    q->ask = ask;
    q->count = count;
    u8 *there = (u8 *)(q->values + count);
    q->has = there;
    memcpy(q->values, values, count * sizeof *values);
    memcpy(there, has, count);
    char *at = (char *)there + count;
    for (u32 i = 0; i < count; i++) {
        if (!has[i] || ask->types[i] != RT_STR) continue;
        if (values[i].s.n) memcpy(at, values[i].s.p, values[i].s.n);
        q->values[i].s.p = at;
        at += values[i].s.n;
    }
    return q;
}

void *asker_begin(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has, u32 count)
{
    AskPool *pool = pool_of(ctx);
    if (!pool) return NULL;
    if (pool->on_their_way == pool->thread_count && pool->thread_count < THREADS_MAX &&
        !uv_thread_create(&pool->threads[pool->thread_count], work, pool))
        pool->thread_count++;
    Question *q = pool->thread_count ? copy_of(pool, ask, values, has, count) : NULL;
    if (!q) return NULL;
    pool->on_their_way++;
    uv_mutex_lock(&pool->lock);
    *pool->waiting_end = q;
    pool->waiting_end = &q->next;
    uv_cond_signal(&pool->more);
    uv_mutex_unlock(&pool->lock);
    return q;
}

Status asker_end(void *ctx, void *question, Buf *out, Diag *diag)
{
    AskPool *pool = ((Asker *)ctx)->pool;
    Question *q = question;
    uv_mutex_lock(&pool->lock);
    while (!q->answered) uv_cond_wait(&pool->answered, &pool->lock);
    for (Question **p = &pool->done; *p; p = &(*p)->next) {
        if (*p != q) continue;
        *p = q->next;
        if (!*p) pool->done_end = p;
        break;
    }
    uv_mutex_unlock(&pool->lock);
    pool->on_their_way--;
    Status st = q->status;
    if (st && diag) *diag = q->diag;
    if (!st) {
        buf_add(out, q->rows.ptr, q->rows.len);
        if (q->rows.failed) st = diag_set(diag, ST_LIMIT, "the answer is too long");
    }
    unused_add(pool, q);
    return st;
}

static Question *done_of(const AskPool *pool, u32 asks)
{
    Question *q = pool->done;
    while (q && q->ask->asks != asks) q = q->next;
    return q;
}

void *asker_first(void *ctx, u32 asks)
{
    AskPool *pool = ((Asker *)ctx)->pool;
    if (!pool || !pool->on_their_way) return NULL;
    uv_mutex_lock(&pool->lock);
    Question *first;
    while (!(first = done_of(pool, asks))) uv_cond_wait(&pool->answered, &pool->lock);
    uv_mutex_unlock(&pool->lock);
    return first;
}
