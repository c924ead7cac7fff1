/* runtime/flow/asking.c: a ring of records that wait for their answers; see asking.h. */
#include "flow/asking.h"

#include "base/mem.h"
#include "flow/ask.h"
#include "flow/item.h"
#include "flow/pipe.h"

#include <string.h>

enum { WAITING_MAX = 256 };

typedef struct Waiting {
    const RtMemInfo *mem;
    void *question; /* of the host; NULL: asked when its turn comes, or this place is empty */
    char *row;      /* packed, with the question's values behind each other in front */
    u64 row_cap;
    u8 used, as_row; /* as_row: counted as a row, its record is counted elsewhere */
    /* of the pipe, when its record came */
    i64 watermark_ns, highest_ns, event_ns, received_ns;
    u32 lane;
    u8 in_row;
    u64 ack;
    const char *raw, *topic, *key;
    u64 raw_len, topic_len, key_len;
} Waiting;

struct RtAsking {
    RtPipe *pipe;
    Waiting ring[WAITING_MAX];
    u32 first, count; /* places from the oldest that waits to the newest, with gaps: unordered */
    u32 waiting, running;
    const Waiting *newest; /* handed over last */
    u64 *outcome;          /* where it was counted; NULL: it has not run, or is a row */
    u32 asks;
    const RtMemInfo *mem[];
};

RtAsking *rt_asking_new(RtPipe *pipe)
{
    u32 count = 0;
    for (u32 i = 0; i < pipe->info->mem_count; i++) count += pipe->info->mems[i].ask != NULL;
    RtAsking *a = mem_zalloc(1, sizeof *a + count * sizeof *a->mem);
    if (!a) return NULL;
    a->pipe = pipe;
    for (u32 i = 0; i < pipe->info->mem_count; i++)
        if (pipe->info->mems[i].ask) a->mem[a->asks++] = &pipe->info->mems[i];
    return a;
}

void rt_asking_free(RtAsking *a)
{
    if (!a) return;
    for (u32 i = 0; i < WAITING_MAX; i++) mem_free(a->ring[i].row);
    mem_free(a);
}

/* ---- in and out of the ring ---- */

static void remember(Waiting *w, const RtPipe *pipe)
{
    w->watermark_ns = pipe->watermark_ns;
    w->highest_ns = pipe->highest_ns;
    w->event_ns = pipe->event_ns;
    w->received_ns = pipe->received_ns;
    w->lane = pipe->lane;
    w->in_row = pipe->in_row;
    w->ack = pipe->ack;
    w->raw = pipe->raw;
    w->raw_len = pipe->raw_len;
    w->topic = pipe->topic;
    w->topic_len = pipe->topic_len;
    w->key = pipe->key;
    w->key_len = pipe->key_len;
}

static void recall(const Waiting *w, RtPipe *pipe)
{
    pipe->watermark_ns = w->watermark_ns;
    pipe->highest_ns = w->highest_ns;
    pipe->event_ns = w->event_ns;
    pipe->received_ns = w->received_ns;
    pipe->lane = w->lane;
    pipe->in_row = w->in_row;
    pipe->ack = w->ack;
    pipe->raw = w->raw;
    pipe->raw_len = w->raw_len;
    pipe->topic = w->topic;
    pipe->topic_len = w->topic_len;
    pipe->key = w->key;
    pipe->key_len = w->key_len;
}

/* Of five counters exactly one has grown: how the record ended. */
static u64 *grown(RtCounters *now, const RtCounters *before)
{
    if (now->errors != before->errors) return &now->errors;
    if (now->emitted != before->emitted) return &now->emitted;
    if (now->state != before->state) return &now->state;
    if (now->late != before->late) return &now->late;
    return &now->filtered;
}

/* The second half of one record, with the answer behind its row. */
static void run(RtAsking *a, Waiting *w, char *question)
{
    RtPipe *pipe = a->pipe;
    const RtAskInfo *ask = w->mem->ask;
    u32 inputs = w->mem->inputs, leaves = ask->row->leaf_count;
    Waiting outside;
    u64 used = pipe->scratch_len;
    const char *scratch = pipe->scratch;
    RtValue *values = (RtValue *)(void *)question, *v = values + inputs;
    u8 *has = (u8 *)(v + leaves), *h = has + inputs;
    u8 asked = pipe->asked;
    remember(&outside, pipe);
    recall(w, pipe);
    pipe->asked = 0;
    if (w->as_row) {
        pipe->n.rows++;
        if (!pipe->in_row) pipe->in_row = 2;
    }
    a->running++;
    if (!pipe->closing && pipe->watermark_ns >= pipe->close_ns) rt_close(pipe);
    rt_ask_answer(pipe, w->mem, w->question, values, has, &v[leaves - 1], &h[leaves - 1]);
    RtCounters before = pipe->n;
    pipe->info->run(pipe, ask->stage, v, h);
    a->running--;
    if (w == a->newest) a->outcome = w->as_row || w->in_row ? NULL : grown(&pipe->n, &before);
    recall(&outside, pipe);
    pipe->asked = asked;
    pipe->scratch_len = pipe->scratch == scratch ? used : 0;
}

/* A question is answered whether or not its record is still wanted. */
static void run_waiting(RtAsking *a, Waiting *w)
{
    w->used = 0;
    a->waiting--;
    if (a->pipe->stopped)
        rt_ask_forget(a->pipe, w->question);
    else
        run(a, w, w->row);
    w->question = NULL;
}

static void run_first(RtAsking *a)
{
    Waiting *w = &a->ring[a->first];
    a->first = (a->first + 1) % WAITING_MAX;
    a->count--;
    if (w->used) run_waiting(a, w);
}

/* The one that was answered first, wherever it stands. */
static void run_any(RtAsking *a)
{
    void *question = rt_ask_first(a->pipe);
    for (u32 i = 0; question && i < a->count; i++) {
        Waiting *w = &a->ring[(a->first + i) % WAITING_MAX];
        if (!w->used || w->question != question) continue;
        run_waiting(a, w);
        break;
    }
    if (!question) run_first(a);
    while (a->count && !a->ring[a->first].used) {
        a->first = (a->first + 1) % WAITING_MAX;
        a->count--;
    }
}

static void run_one(RtAsking *a)
{
    bool all = true;
    for (u32 i = 0; i < a->count && all; i++) {
        const Waiting *w = &a->ring[(a->first + i) % WAITING_MAX];
        all = !w->used || (w->mem->ask->unordered && w->question);
    }
    if (all)
        run_any(a);
    else
        run_first(a);
}

void rt_asking_finish(RtPipe *pipe)
{
    RtAsking *a = rt_host(pipe)->asking;
    if (!a || a->running || !a->count) return;
    i64 watermark = pipe->watermark_ns;
    while (a->count) run_one(a);
    /* What second halves put into windows may be due by now. */
    if (!pipe->closing && watermark >= pipe->close_ns) rt_close(pipe);
}

void rt_asking_failed(RtPipe *pipe)
{
    RtAsking *a = rt_host(pipe)->asking;
    if (!a) return;
    rt_asking_finish(pipe);
    if (pipe->asked && a->outcome) --*a->outcome;
    pipe->asked = 0;
}

/* ---- a record ---- */

static u64 packed(u64 bytes)
{
    return (bytes + 15) / 16 * 16;
}

/* values, row; has of both; then the texts of both. 0: no memory. */
static int pack(Waiting *w, const RtValue *values, const u8 *has, const RtValue *v, const u8 *h)
{
    const RtAskInfo *ask = w->mem->ask;
    u32 inputs = w->mem->inputs, leaves = ask->row->leaf_count;
    u64 head = packed((inputs + leaves) * (sizeof *v + 1)), texts = 0;
    for (u32 i = 0; i < inputs; i++)
        if (has[i] && ask->types[i] == RT_STR) texts += values[i].s.n;
    texts = packed(texts);
    u64 need = head + texts + rt_pack_bytes(ask->row, v, h);
    if (need > w->row_cap) {
        char *more = mem_alloc(need * 2);
        if (!more) return 0;
        mem_free(w->row);
        w->row = more;
        w->row_cap = need * 2;
    }
    RtValue *to = (RtValue *)(void *)w->row;
    u8 *to_has = (u8 *)(to + inputs + leaves);
    char *text = w->row + head, *item = text + texts;
    memcpy(to, values, inputs * sizeof *to);
    memcpy(to_has, has, inputs);
    for (u32 i = 0; i < inputs; i++) {
        if (!has[i] || ask->types[i] != RT_STR) continue;
        if (values[i].s.n) memcpy(text, values[i].s.p, values[i].s.n);
        to[i].s.p = text;
        text += values[i].s.n;
    }
    rt_pack(ask->row, v, h, item);
    memcpy(to + inputs, item, leaves * sizeof *to);
    memcpy(to_has + inputs, item + leaves * sizeof *to, leaves);
    return 1;
}

static const RtMemInfo *asker_of(const RtAsking *a, u32 stage)
{
    for (u32 i = 0; i < a->asks; i++)
        if (a->mem[i]->ask->stage == stage) return a->mem[i];
    return NULL;
}

/* Behind another question, and in the row of a window, there is nothing to be ahead of: it is
 * asked and waited for at once. Its rows are in nobody's ring then. */
static void at_once(RtAsking *a, Waiting *w)
{
    a->newest = w;
    run(a, w, w->row);
    mem_free(w->row);
}

int rt_asking_take(RtPipe *pipe, u32 stage, RtValue list, const RtValue *v, const u8 *h, u32 row)
{
    RtAsking *a = rt_host(pipe)->asking;
    const RtMemInfo *mem = asker_of(a, stage);
    if (!mem) return 0;
    const RtValue *values = (const RtValue *)(const void *)list.s.p;
    const u8 *has = (const u8 *)(values + mem->inputs);
    RtValue whole[RT_LEAVES_MAX];
    u8 whole_has[RT_LEAVES_MAX];
    memcpy(whole, v, row * sizeof *v);
    memcpy(whole_has, h, row);
    whole_has[row] = 0;
    Waiting here = {.mem = mem, .used = 1, .as_row = pipe->asked};
    bool now = a->running || pipe->in_row == 1;
    while (!now && a->waiting >= mem->ask->limit) run_one(a);
    if (!now && a->count == WAITING_MAX) run_first(a);
    Waiting *w = now ? &here : &a->ring[(a->first + a->count) % WAITING_MAX];
    if (!now) {
        w->mem = mem;
        w->as_row = pipe->asked;
    }
    remember(w, pipe);
    if (row + 1 != mem->ask->row->leaf_count || !pack(w, values, has, whole, whole_has)) {
        pipe->out_of_memory = 1;
        return 1;
    }
    a->outcome = NULL;
    if (now) {
        at_once(a, w);
    } else {
        w->used = 1;
        a->newest = w;
        a->count++;
        a->waiting++;
        w->question = rt_ask_begin(pipe, mem, values, has);
    }
    pipe->asked = 1; /* its second half tells how it ends */
    return 1;
}
