/* tests/flow/test_state_full.c: a record that finds no room is in no window and no aggregate, and
 * one that finds room is in all of them. What must be in each window is kept beside it here, as a
 * list of the records that were taken. Tables are made by hand; the limit of state is met at many
 * places, as each aggregate grows in steps of its own. */
#include "base/mem.h"
#include "test.h"
#include "window_bed.h"

#include <stdio.h>
#include <string.h>

enum { RECORDS = 1200, KEYS = 3, TEXT_BYTES = 90, AGGS = 7, BEYOND_MAX = 8 };

typedef struct State { /* of a slot */
    RtCount n;
    RtItems texts, again;
    RtSet set;
    RtSketch top;
    RtSum sum;
    RtItems numbers;
} State;

/* In which order aggregates are asked decides which of them is the one without room. */
#define N                                                                                          \
    {                                                                                              \
        .kind = RT_AGG_COUNT, .name = "n"                                                          \
    }
#define TEXTS                                                                                      \
    {                                                                                              \
        .kind = RT_AGG_LIST, .type = RT_STR, .count = RECORDS, .offset = offsetof(State, texts),   \
        .name = "texts"                                                                            \
    }
#define AGAIN                                                                                      \
    {                                                                                              \
        .kind = RT_AGG_LIST, .type = RT_STR, .count = RECORDS, .offset = offsetof(State, again),   \
        .name = "again"                                                                            \
    }
#define SET                                                                                        \
    {                                                                                              \
        .kind = RT_AGG_DISTINCT, .type = RT_I64, .bits = 14, .offset = offsetof(State, set),       \
        .name = "set"                                                                              \
    }
#define TOP                                                                                        \
    {                                                                                              \
        .kind = RT_AGG_QUANTILE, .type = RT_F64, .bits = 6, .p = 1,                                \
        .offset = offsetof(State, top), .name = "top"                                              \
    }
#define SUM                                                                                        \
    {                                                                                              \
        .kind = RT_AGG_SUM, .type = RT_I64, .offset = offsetof(State, sum), .name = "sum"          \
    }
#define NUMBERS                                                                                    \
    {                                                                                              \
        .kind = RT_AGG_LIST, .type = RT_I64, .count = RECORDS, .offset = offsetof(State, numbers), \
        .name = "numbers"                                                                          \
    }
static const RtAggInfo texts_first[AGGS] = {N, TEXTS, SET, TOP, SUM, AGAIN, NUMBERS};
static const RtAggInfo texts_last[AGGS] = {NUMBERS, TOP, SET, SUM, N, AGAIN, TEXTS};

#define WINDOW(aggs_, ...)                                                                         \
    {                                                                                              \
        .name = "w", .event_time = 1, .key_count = 1, .agg_count = AGGS, .key_types = key_types,   \
        .key_bytes_max = key_bytes, .aggs = aggs_, .slot_bytes = sizeof(State), __VA_ARGS__        \
    }
static const RtWindowInfo windows[] = {
    WINDOW(texts_first, .kind = RT_WINDOW_TUMBLE, .size_ns = 500),
    WINDOW(texts_last, .kind = RT_WINDOW_TUMBLE, .size_ns = 500),
    WINDOW(texts_first, .kind = RT_WINDOW_HOP, .size_ns = 400, .every_ns = 100),
    WINDOW(texts_last, .kind = RT_WINDOW_HOP, .size_ns = 400, .every_ns = 100),
    WINDOW(texts_first, .kind = RT_WINDOW_SESSION, .size_ns = 5),
    WINDOW(texts_last, .kind = RT_WINDOW_SESSION, .size_ns = 5)};
enum { WINDOWS = sizeof windows / sizeof *windows };

/* ---- what was taken ---- */

typedef struct Record {
    i64 ns, key;
    bool taken;
    char text[TEXT_BYTES + 1];
} Record;

static Record records[RECORDS];
static u64 rows;
static u64 seen_in; /* records of all rows */

/* Blocks of three: the third one comes between the other two, so that sessions become one. */
static void make(u32 i)
{
    static const i64 steps[] = {0, 8, 4};
    Record *r = &records[i];
    *r = (Record){.ns = (i64)(i / KEYS / 3 * 13 + i / 90 * 40) + steps[i / KEYS % 3],
                  .key = i % KEYS};
    (void)snprintf(r->text, sizeof r->text, "%0*u", (int)(1 + i * 37 % TEXT_BYTES), i);
}

static u32 add(FlowInstance *instance, u32 window, u32 i)
{
    const Record *r = &records[i];
    const RtWindowInfo *info = &windows[window];
    RtValue keys[1] = {{.i = r->key}}, values[AGGS] = {{0}};
    u8 has[AGGS] = {1, 1, 1, 1, 1, 1, 1};
    u32 reason = 0;
    for (u32 a = 0; a < AGGS; a++) {
        if (info->aggs[a].type == RT_STR)
            values[a].s = (RtText){r->text, strlen(r->text)};
        else if (info->aggs[a].type == RT_F64)
            values[a].d = i + 1.0;
        else
            values[a].i = i;
    }
    u32 out = rt_window_add(&instance->pipe, window, r->ns, keys, values, has, &reason);
    CHECK(reason || !out); /* none is late */
    return reason;
}

typedef struct Want {
    i64 n, sum, last;
} Want;

static bool is_in(const Record *r, i64 key, const RtWindowRow *made)
{
    return r->taken && r->key == key && r->ns >= made->start_ns && r->ns < made->end_ns;
}

static Want wanted(i64 key, const RtWindowRow *made)
{
    Want want = {0};
    for (u32 i = 0; i < RECORDS; i++) {
        if (!is_in(&records[i], key, made)) continue;
        want.n++;
        want.sum += i;
        want.last = i;
    }
    return want;
}

/* Items in any order: those of sessions that became one stand behind each other. */
static void same_items(const RtAggInfo *agg, RtValue list, i64 key, const RtWindowRow *made)
{
    for (u64 k = 0; k < list.s.n; k++) {
        RtValue item;
        u32 i;
        memcpy(&item, list.s.p + k * RT_ITEM_BYTES(1), sizeof item);
        if (agg->type == RT_STR) {
            char text[TEXT_BYTES + 1] = {0};
            CHECK(item.s.n <= TEXT_BYTES);
            memcpy(text, item.s.p, item.s.n);
            CHECK_INT(sscanf(text, "%u", &i), 1);
            CHECK(i < RECORDS);
            CHECK_TEXT(text, records[i].text);
        } else {
            i = (u32)item.i;
        }
        CHECK(i < RECORDS && is_in(&records[i], key, made));
    }
}

static void row(RtPipe *pipe, u32 window, const RtWindowRow *made)
{
    i64 key = made->values[0].i;
    Want want = wanted(key, made);
    rows++;
    seen_in += (u64)want.n;
    CHECK(want.n > 0);
    for (u32 a = 0; a < AGGS; a++) {
        const RtAggInfo *agg = &windows[window].aggs[a];
        RtValue v = made->values[3 + a];
        CHECK(made->has[3 + a]);
        switch ((RtAggKind)agg->kind) {
        case RT_AGG_COUNT:
        case RT_AGG_DISTINCT: CHECK_INT(v.i, want.n); break;
        case RT_AGG_SUM: CHECK_INT(v.i, want.sum); break;
        case RT_AGG_QUANTILE: /* the middle of the largest one's bucket */
            CHECK(v.d > (double)(want.last + 1) * 0.98 && v.d < (double)(want.last + 1) * 1.02);
            break;
        default: CHECK_INT((i64)v.s.n, want.n); same_items(agg, v, key, made);
        }
    }
    pipe->n.row_emitted++;
}

WINDOW_PROGRAM(table, windows, row);

/* How many windows of a record there are; of sessions 1. */
static u64 windows_of(const RtWindowInfo *info)
{
    return info->kind == RT_WINDOW_HOP ? (u64)(info->size_ns / info->every_ns) : 1;
}

/* Returns how many records had no room. */
static u32 fill(FlowProgram *program, u32 window, u64 limit)
{
    FlowInstance *instance;
    FlowLimits limits = {.state_bytes = limit};
    u32 full = 0, beyond = 0;
    rows = seen_in = 0;
    CHECK_OK(flow_instance_new(program, 0, &limits, NULL, &instance, NULL));
    for (u32 i = 0; i < RECORDS; i++) {
        make(i);
        u64 calls = mem_calls(), bytes = flow_state_bytes(instance);
        u32 why = add(instance, window, i);
        beyond += mem_calls() > calls && flow_state_bytes(instance) == bytes;
        CHECK(why == RT_FINE || why == RT_STATE_FULL);
        records[i].taken = !why;
        full += why == RT_STATE_FULL;
        CHECK(flow_state_bytes(instance) <= limit);
    }
    CHECK(beyond <= BEYOND_MAX);
    flow_finish(instance);
    CHECK_INT(seen_in, (RECORDS - full) * windows_of(&windows[window]));
    CHECK(!instance->pipe.out_of_memory);
    flow_instance_free(instance);
    return full;
}

TEST(a_record_without_room_is_in_no_window_and_in_no_aggregate)
{
    FlowProgram *program;
    CHECK_OK(flow_program_static(&table, &program, NULL));
    for (u32 window = 0; window < WINDOWS; window++) {
        CHECK_INT(fill(program, window, 64 << 20), 0);
        for (u64 limit = 40 << 10; limit < 250 << 10; limit += 5003) {
            u32 full = fill(program, window, limit);
            CHECK(full > 0 && full < RECORDS);
        }
    }
    flow_program_free(program);
}

/* Two lists find the same last piece of room, and what one of them then takes beyond the limit is a
 * piece: were it a page of pieces, the next records would find room in it, and so on for ever. */
TEST(what_goes_in_beyond_the_limit_makes_no_room_for_more)
{
    enum { LIMIT = 300 << 10, LONG = 2000 };
    static const RtAggInfo agg = {.kind = RT_AGG_LIST, .type = RT_STR, .count = 4096};
    static char text[LONG];
    FlowInstance host = {.limits = {.state_bytes = LIMIT}};
    RtPipe pipe = {.host = &host};
    RtAggMemory memory = {.pipe = &pipe, .pool = {.pipe = &pipe}};
    RtItems lists[2] = {{0}};
    RtValue v = {.s = {text, 8}};
    memset(text, 'x', sizeof text);
    u64 beyond = 0, taken = 0;
    for (u32 i = 0; i < 1500; i++) {
        if (i == 600) { /* both lists have room for more items, but not for texts like these */
            v.s.n = LONG;
            CHECK(!rt_agg_try(&memory, &agg, &lists[0], v));
            rt_agg_take(&memory, &agg, &lists[0], v, 0); /* an odd number of pieces is left */
        }
        u64 calls = mem_calls(), bytes = host.state_bytes;
        u32 why = rt_agg_try(&memory, &agg, &lists[0], v);
        if (!why) why = rt_agg_try(&memory, &agg, &lists[1], v);
        CHECK(why == RT_FINE || (i >= 600 && why == RT_STATE_FULL));
        for (u32 k = 0; k < 2 && !why; k++) rt_agg_take(&memory, &agg, &lists[k], v, 0);
        taken += !why;
        beyond += mem_calls() > calls && host.state_bytes == bytes;
    }
    CHECK(taken > 600 && taken < 700);
    CHECK(beyond <= 1);
    CHECK(!pipe.out_of_memory);
    for (u32 k = 0; k < 2; k++) rt_agg_release(&memory, &agg, &lists[k]);
    rt_agg_memory_done(&memory);
}
