/* runtime/flow/asking.c: queues of records that wait for their answers; see asking.h.
 *
 * One queue for each number of questions that lie before: what waits in a deeper one came earlier.
 * Invariant: code that runs with `level` L (L questions lie before it) hands over to queue L or a
 * deeper one, and runs what waits there; all that can be on the stack at once is thus one second
 * half a level, and no window is touched while a row of its own is being made. */
#include "flow/asking.h"

#include "base/mem.h"
#include "flow/ask.h"
#include "flow/clock.h"
#include "flow/item.h"
#include "flow/pipe.h"

#include <string.h>

enum { WAITING_MAX = 256, WITH_TICKS_MAX = 1024 };

/* A record and its question, or (mem NULL) a tick: event time goes on for the windows behind. */
typedef struct Waiting {
    const RtMemInfo *mem;
    void *question; /* of the host; NULL: asked when its turn comes, or this place is empty */
    char *row;      /* packed, with the question's values behind each other in front */
    u64 row_cap;
    u64 record; /* whose end is counted there; 0: a row that is counted by itself */
    u8 used, as_row;
    u8 closing; /* its row was made while windows were being advanced */
    u32 tick_lane;
    i64 tick_ns, tick_highest_ns;
    i64 lane_highest_ns;
    /* of the pipe, when its record came */
    i64 watermark_ns, highest_ns, event_ns, received_ns;
    u32 lane;
    u8 in_row;
    u64 ack;
    const char *raw, *topic, *key, *headers;
    u64 raw_len, topic_len, key_len, headers_len;
} Waiting;

typedef struct Queue {
    Waiting *ring;
    u32 first, count; /* places from the oldest that waits to the newest, with gaps: unordered */
} Queue;

struct RtAsking {
    RtPipe *pipe;
    Queue *queues; /* by the questions that lie before */
    u32 depth, ring_size;
    u32 level, count; /* of what runs; places of all queues */
    bool ticks[2]; /* windows behind a question must see each step: of the pipeline, of a clock */
    i64 lane_highest_ns; /* of the record that runs again */
    u64 records;         /* numbers that were given */
    RtTurn first_half, *turn;
    u32 asks;
    struct {
        const RtMemInfo *mem;
        u32 waiting;
    } ask[];
};

/* ---- making and freeing ---- */

/* What a window behind a question must be told of, beside what its records bring. */
static void look_at_windows(RtAsking *a)
{
    const RtPipelineInfo *info = a->pipe->info;
    for (u32 i = 0; i < info->window_count; i++) {
        const RtWindowInfo *w = &info->windows[i];
        if (!w->asks || !w->event_time) continue;
        if (w->own_clock) a->ticks[1] = true;
        if (!w->own_clock && (info->clock_keys || w->early_ns)) a->ticks[0] = true;
    }
}

RtAsking *rt_asking_new(RtPipe *pipe)
{
    const RtPipelineInfo *info = pipe->info;
    u32 count = 0;
    for (u32 i = 0; i < info->mem_count; i++) count += info->mems[i].ask != NULL;
    RtAsking *a = mem_zalloc(1, sizeof *a + count * sizeof *a->ask);
    if (!a) return NULL;
    a->pipe = pipe;
    a->turn = &a->first_half;
    for (u32 i = 0; i < info->mem_count; i++) {
        const RtAskInfo *ask = info->mems[i].ask;
        if (!ask) continue;
        a->ask[a->asks++].mem = &info->mems[i];
        if (ask->asks >= a->depth) a->depth = ask->asks + 1;
    }
    look_at_windows(a);
    a->ring_size = a->ticks[0] || a->ticks[1] ? WITH_TICKS_MAX : WAITING_MAX;
    a->queues = mem_zalloc(a->depth, sizeof *a->queues);
    bool complete = a->queues != NULL;
    for (u32 d = 0; complete && d < a->depth; d++) {
        a->queues[d].ring = mem_zalloc(a->ring_size, sizeof(Waiting));
        complete = a->queues[d].ring != NULL;
    }
    if (complete) return a;
    rt_asking_free(a);
    return NULL;
}

void rt_asking_free(RtAsking *a)
{
    if (!a) return;
    for (u32 d = 0; a->queues && d < a->depth; d++) {
        for (u32 i = 0; a->queues[d].ring && i < a->ring_size; i++)
            mem_free(a->queues[d].ring[i].row);
        mem_free(a->queues[d].ring);
    }
    mem_free(a->queues);
    mem_free(a);
}

/* ---- how a record ends ---- */

static void read_ends(const RtPipe *pipe, u64 *ends)
{
    memcpy(ends, &pipe->n, RT_ENDS * sizeof *ends);
}

void rt_turn_begin(RtPipe *pipe, RtTurn *turn)
{
    RtAsking *a = rt_host(pipe)->asking;
    *turn = (RtTurn){.outer = a->turn};
    read_ends(pipe, turn->began);
    memcpy(turn->own, turn->began, sizeof turn->own);
    a->turn = turn;
}

void rt_turn_next(RtTurn *turn)
{
    turn->record = 0;
    turn->outcome = NULL;
}

/* What was counted meanwhile is nothing that the turn around it has done. */
void rt_turn_end(RtPipe *pipe, const RtTurn *turn)
{
    u64 now[RT_ENDS];
    read_ends(pipe, now);
    for (u32 i = 0; i < RT_ENDS; i++) turn->outer->own[i] += now[i] - turn->began[i];
    rt_host(pipe)->asking->turn = turn->outer;
}

/* Where this turn's record, or its row, was counted; NULL: it waits for another answer. */
static u64 *counted(RtPipe *pipe, const RtTurn *turn)
{
    RtCounters *n = &pipe->n;
    u64 *const of_record[] = {&n->errors, &n->emitted, &n->state, &n->late, &n->filtered};
    u64 *const of_row[] = {&n->row_errors, &n->row_emitted, &n->row_state, &n->row_late,
                           &n->row_filtered};
    for (u32 i = 0; i < COUNT_OF(of_record); i++) {
        u64 *end = pipe->in_row ? of_row[i] : of_record[i];
        if (*end > turn->own[end - (u64 *)n]) return end;
    }
    return NULL;
}

/* Code that handed this record over, and still runs, may yet fail. */
static void tell(RtAsking *a, const Waiting *w, u64 *end)
{
    for (RtTurn *turn = a->turn; end && w->record && turn; turn = turn->outer)
        if (turn->record == w->record) turn->outcome = end;
}

/* ---- the time at hand ---- */

/* What a record that waits has of the pipe, both ways. */
#define AT_HAND(FIELD)                                                                             \
    FIELD(closing)                                                                                 \
    FIELD(watermark_ns)                                                                            \
    FIELD(highest_ns)                                                                              \
    FIELD(event_ns)                                                                                \
    FIELD(received_ns)                                                                             \
    FIELD(lane)                                                                                    \
    FIELD(in_row)                                                                                  \
    FIELD(ack)                                                                                     \
    FIELD(raw)                                                                                     \
    FIELD(raw_len)                                                                                 \
    FIELD(topic)                                                                                   \
    FIELD(topic_len)                                                                               \
    FIELD(key)                                                                                     \
    FIELD(key_len)                                                                                 \
    FIELD(headers)                                                                                 \
    FIELD(headers_len)

static void remember(const RtAsking *a, Waiting *w)
{
    const RtPipe *pipe = a->pipe;
    w->lane_highest_ns = rt_asking_highest(pipe, pipe->lane);
#define REMEMBER(field) w->field = pipe->field;
    AT_HAND(REMEMBER)
#undef REMEMBER
}

static void recall(RtAsking *a, const Waiting *w)
{
    RtPipe *pipe = a->pipe;
    a->lane_highest_ns = w->lane_highest_ns;
#define RECALL(field) pipe->field = w->field;
    AT_HAND(RECALL)
#undef RECALL
}

i64 rt_asking_highest(const RtPipe *pipe, u32 lane)
{
    const RtAsking *a = ((const FlowInstance *)pipe->host)->asking;
    if (!lane || !pipe->clock) return pipe->highest_ns;
    return a && a->level && lane == pipe->lane ? a->lane_highest_ns : rt_clock_highest(pipe, lane);
}

bool rt_asking_clear(const RtPipe *pipe, u32 asks)
{
    const RtAsking *a = ((const FlowInstance *)pipe->host)->asking;
    if (!a) return true;
    for (u32 d = a->level; d < asks && d < a->depth; d++)
        if (a->queues[d].count) return false;
    return asks >= a->level;
}

bool rt_asking_behind(const RtPipe *pipe, u32 asks)
{
    const RtAsking *a = ((const FlowInstance *)pipe->host)->asking;
    return a && asks >= a->level;
}

bool rt_asking_all_steps(const RtPipe *pipe)
{
    const RtAsking *a = ((const FlowInstance *)pipe->host)->asking;
    return a && a->count && a->ticks[0];
}

/* ---- second halves ---- */

static void answered(RtAsking *a, Waiting *w)
{
    RtPipe *pipe = a->pipe;
    const RtAskInfo *ask = w->mem->ask;
    u32 inputs = w->mem->inputs, leaves = ask->row->leaf_count;
    RtValue *values = (RtValue *)(void *)w->row, *v = values + inputs;
    u8 *has = (u8 *)(v + leaves), *h = has + inputs;
    if (!pipe->closing && pipe->watermark_ns >= pipe->close_ns) rt_close(pipe);
    RtTurn turn;
    rt_turn_begin(pipe, &turn);
    turn.record = w->record;
    if (w->as_row) {
        pipe->n.rows++;
        if (!pipe->in_row) pipe->in_row = 2;
    }
    rt_ask_answer(pipe, w->mem, w->question, values, has, &v[leaves - 1], &h[leaves - 1]);
    pipe->info->run(pipe, ask->stage, v, h);
    u64 *end = w->record ? counted(pipe, &turn) : NULL;
    rt_turn_end(pipe, &turn);
    tell(a, w, end);
}

/* With the time, and all else the pipe has at hand, as it was for its record. */
static void run(RtAsking *a, u32 depth, Waiting *w)
{
    RtPipe *pipe = a->pipe;
    Waiting outside;
    u64 used = pipe->scratch_len;
    const char *scratch = pipe->scratch;
    u8 asked = pipe->asked;
    u32 level = a->level;
    i64 lane_highest_ns = a->lane_highest_ns;
    remember(a, &outside);
    recall(a, w);
    pipe->asked = 0;
    a->level = depth + 1;
    if (w->mem)
        answered(a, w);
    else if (w->tick_lane)
        rt_window_advance(pipe, w->tick_lane, w->tick_ns, w->tick_highest_ns);
    else
        rt_close(pipe);
    a->level = level;
    recall(a, &outside);
    a->lane_highest_ns = lane_highest_ns;
    pipe->asked = asked;
    pipe->scratch_len = pipe->scratch == scratch ? used : 0;
}

static u32 *waiting_of(RtAsking *a, const RtMemInfo *mem)
{
    u32 i = 0;
    while (a->ask[i].mem != mem) i++;
    return &a->ask[i].waiting;
}

static u64 *read_as(RtPipe *pipe, u8 in_row)
{
    return in_row ? &pipe->n.rows : &pipe->n.in;
}

/* A question is answered whether or not its record is still wanted: when the pipeline has stopped,
 * the record is one that was not read. */
static void run_waiting(RtAsking *a, u32 depth, Waiting *w)
{
    w->used = 0;
    if (w->mem) --*waiting_of(a, w->mem);
    if (a->pipe->stopped) {
        rt_ask_forget(a->pipe, w->question);
        if (w->mem && w->record) --*read_as(a->pipe, w->in_row);
    } else {
        run(a, depth, w);
    }
    w->question = NULL;
}

static void pass_first(RtAsking *a, Queue *q)
{
    q->first = (q->first + 1) % a->ring_size;
    q->count--;
    a->count--;
}

static void run_first(RtAsking *a, u32 depth)
{
    Queue *q = &a->queues[depth];
    Waiting *w = &q->ring[q->first];
    pass_first(a, q);
    if (w->used) run_waiting(a, depth, w);
}

/* The one that was answered first, wherever it stands. */
static void run_any(RtAsking *a, u32 depth)
{
    Queue *q = &a->queues[depth];
    void *question = rt_ask_first(a->pipe, depth);
    for (u32 i = 0; question && i < q->count; i++) {
        Waiting *w = &q->ring[(q->first + i) % a->ring_size];
        if (!w->used || w->question != question) continue;
        run_waiting(a, depth, w);
        break;
    }
    if (!question) run_first(a, depth);
    while (q->count && !q->ring[q->first].used) pass_first(a, q);
}

/* Up to the next tick all may go on as their answers come? */
static bool any_order(const RtAsking *a, const Queue *q)
{
    u32 questions = 0;
    for (u32 i = 0; i < q->count; i++) {
        const Waiting *w = &q->ring[(q->first + i) % a->ring_size];
        if (!w->used) continue;
        if (!w->mem) break;
        if (!w->mem->ask->unordered || !w->question) return false;
        questions++;
    }
    return questions > 0;
}

static void run_one(RtAsking *a, u32 depth)
{
    if (any_order(a, &a->queues[depth]))
        run_any(a, depth);
    else
        run_first(a, depth);
}

/* The first queue behind the code at hand in which somebody waits; depth: there is none. */
static u32 somebody(const RtAsking *a)
{
    u32 d = a->level;
    while (d < a->depth && !a->queues[d].count) d++;
    return d;
}

/* The youngest first: their next questions are then on their way together. */
void rt_asking_finish(RtPipe *pipe)
{
    RtAsking *a = rt_host(pipe)->asking;
    if (!a || !a->count) return;
    while (somebody(a) < a->depth) {
        for (u32 d; (d = somebody(a)) < a->depth;) run_one(a, d);
        /* What second halves put into windows may be due by now. */
        if (!pipe->closing && pipe->watermark_ns >= pipe->close_ns) rt_close(pipe);
    }
}

void rt_asking_failed(RtPipe *pipe)
{
    RtAsking *a = rt_host(pipe)->asking;
    if (!a) return;
    rt_asking_finish(pipe);
    if (pipe->asked && a->turn->outcome)
        --*a->turn->outcome;
    else if (pipe->asked && pipe->stopped && a->turn->record)
        ++*read_as(pipe, pipe->in_row); /* it was given up meanwhile */
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

static u32 ask_of(const RtAsking *a, u32 stage)
{
    u32 i = 0;
    while (i < a->asks && a->ask[i].mem->ask->stage != stage) i++;
    return i;
}

/* The place behind the newest. */
static Waiting *place(RtAsking *a, u32 depth)
{
    Queue *q = &a->queues[depth];
    while (q->count == a->ring_size) run_first(a, depth);
    return &q->ring[(q->first + q->count) % a->ring_size];
}

static void takes(RtAsking *a, u32 depth, Waiting *w)
{
    w->used = 1;
    a->queues[depth].count++;
    a->count++;
}

void rt_asking_tick(RtPipe *pipe, u32 lane, i64 watermark_ns, i64 highest_ns)
{
    RtAsking *a = rt_host(pipe)->asking;
    u32 d = somebody(a);
    if (!a->ticks[lane > 0] || d == a->depth) return;
    Waiting *w = place(a, d);
    w->mem = NULL;
    remember(a, w);
    w->closing = 0;
    if (lane) {
        w->lane = lane;
        w->lane_highest_ns = highest_ns;
    }
    w->tick_lane = lane;
    w->tick_ns = watermark_ns;
    w->tick_highest_ns = highest_ns;
    takes(a, d, w);
}

/* A record's own end is counted behind the first question it comes to. */
static u64 record_of(RtAsking *a)
{
    RtTurn *turn = a->turn;
    if (a->pipe->asked) return 0;
    if (!turn->outer) turn->record = 0; /* of the record before */
    if (!turn->record) turn->record = ++a->records;
    turn->outcome = NULL;
    return turn->record;
}

int rt_asking_take(RtPipe *pipe, u32 stage, RtValue list, const RtValue *v, const u8 *h, u32 row)
{
    RtAsking *a = rt_host(pipe)->asking;
    u32 at = ask_of(a, stage);
    if (at == a->asks) return 0;
    const RtMemInfo *mem = a->ask[at].mem;
    u32 depth = mem->ask->asks;
    const RtValue *values = (const RtValue *)(const void *)list.s.p;
    const u8 *has = (const u8 *)(values + mem->inputs);
    RtValue whole[RT_LEAVES_MAX];
    u8 whole_has[RT_LEAVES_MAX];
    memcpy(whole, v, row * sizeof *v);
    memcpy(whole_has, h, row);
    whole_has[row] = 0;
    while (a->ask[at].waiting >= mem->ask->limit) run_one(a, depth);
    Waiting *w = place(a, depth);
    w->mem = mem;
    w->as_row = pipe->asked;
    remember(a, w);
    if (row + 1 != mem->ask->row->leaf_count || !pack(w, values, has, whole, whole_has)) {
        pipe->out_of_memory = 1;
        return 1;
    }
    w->record = record_of(a);
    takes(a, depth, w);
    a->ask[at].waiting++;
    w->question = rt_ask_begin(pipe, mem, values, has);
    if (rt_asking_all_steps(pipe)) pipe->close_ns = INT64_MIN;
    pipe->asked = 1; /* its second half tells how it ends */
    return 1;
}
