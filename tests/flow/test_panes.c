/* tests/flow/test_panes.c: hop windows that share panes, by hand-made tables: the limit of state
 * holds, what failed there is not counted, and saved panes go on as if nothing had been. */
#include "test.h"
#include "window_bed.h"

#include <string.h>

enum { SIZE = 10, EVERY = 3 }; /* ns: windows begin at 0, 3, 6 ... and end at 10, 13, 16 ... */

typedef struct State { /* of a slot */
    RtCount n;
    RtSum sum;
    RtSketch half;
    u64 end;
} State;

static const RtAggInfo aggs[] = {
    {.kind = RT_AGG_COUNT, .name = "n"},
    {.kind = RT_AGG_SUM, .type = RT_F64, .each = 1, .offset = offsetof(State, sum), .name = "s"},
    {.kind = RT_AGG_QUANTILE,
     .type = RT_F64,
     .bits = 6,
     .p = 0.5,
     .offset = offsetof(State, half),
     .name = "q"}};
static const RtWindowInfo windows[] = {{.name = "p.0",
                                        .kind = RT_WINDOW_HOP,
                                        .event_time = 1,
                                        .panes = 1,
                                        .size_ns = SIZE,
                                        .every_ns = EVERY,
                                        .key_count = 1,
                                        .agg_count = 3,
                                        .key_types = key_types,
                                        .key_bytes_max = key_bytes,
                                        .aggs = aggs,
                                        .slot_bytes = sizeof(State)}};

static u64 rows;
static i64 counted;
static double summed;

static void row(RtPipe *pipe, u32 window, const RtWindowRow *made)
{
    (void)window;
    rows++;
    counted += made->values[3].i;
    summed += made->values[4].d;
    CHECK(made->has[5] && made->values[5].d > 0);
    pipe->n.row_emitted++;
}

WINDOW_PROGRAM(table, windows, row);

static FlowProgram *program;

static FlowInstance *fresh(u64 state_bytes)
{
    FlowInstance *instance;
    FlowLimits limits = {.state_bytes = state_bytes};
    if (!program) CHECK_OK(flow_program_static(&table, &program, NULL));
    CHECK_OK(flow_instance_new(program, 0, &limits, NULL, &instance, NULL));
    rows = 0;
    counted = 0;
    summed = 0;
    return instance;
}

/* Its reason; a record that is late gives UINT32_MAX. */
static u32 add(FlowInstance *instance, i64 ns, i64 key, double x)
{
    RtValue keys[1] = {{.i = key}}, values[3] = {{0}, {.d = x}, {.d = x}};
    u8 has[3] = {1, 1, 1};
    u32 reason = 0, out = rt_window_add(&instance->pipe, 0, ns, keys, values, has, &reason);
    return out && !reason ? UINT32_MAX : reason;
}

/* A record at 9 is in the windows that begin at 0, 3, 6 and 9; one at 10 in those at 3, 6 and 9. */
TEST(each_record_is_in_all_its_windows)
{
    FlowInstance *instance = fresh(1 << 20);
    CHECK_INT(add(instance, 9, 1, 2.0), 0);
    CHECK_INT(add(instance, 10, 1, 4.0), 0);
    flow_finish(instance);
    CHECK_INT(rows, 4);
    CHECK_INT(counted, 4 + 3);
    CHECK(summed == 4 * 2.0 + 3 * 4.0);
    flow_instance_free(instance);
}

TEST(state_ends_at_its_limit_and_rows_still_come)
{
    enum { LIMIT = 200 << 10 };
    FlowInstance *instance = fresh(LIMIT);
    i64 taken = 0;
    for (i64 key = 0; key < 20000; key++) {
        u32 why = add(instance, 9, key, 1.0);
        CHECK(why == 0 || why == RT_STATE_FULL);
        taken += why == 0;
        CHECK(flow_state_bytes(instance) <= LIMIT);
    }
    CHECK(taken > 50 && taken < 2000);
    flow_finish(instance);
    CHECK_INT(rows, (u64)taken * 4);
    CHECK_INT(counted, taken * 4);
    CHECK(summed == (double)taken * 4);
    CHECK(flow_state_bytes(instance) <= LIMIT);
    /* The room is there again. */
    CHECK_INT(add(instance, 1000, 7, 1.0), 0);
    flow_instance_free(instance);
}

TEST(saved_panes_go_on)
{
    Buf saved;
    FlowInstance *whole = fresh(1 << 20), *first = fresh(1 << 20), *second = fresh(1 << 20);
    for (i64 i = 0; i < 40; i++) CHECK_INT(add(whole, i % 7 + i / 2, i % 3, (double)i + 0.1), 0);
    flow_finish(whole);
    u64 want_rows = rows;
    i64 want_counted = counted;
    double want_summed = summed;
    rows = 0;
    counted = 0;
    summed = 0;
    for (i64 i = 0; i < 21; i++) CHECK_INT(add(first, i % 7 + i / 2, i % 3, (double)i + 0.1), 0);
    buf_init(&saved, 1 << 20);
    CHECK_OK(flow_save(first, &saved, NULL));
    CHECK_OK(flow_load(second, buf_view(&saved), NULL, NULL));
    for (i64 i = 21; i < 40; i++) CHECK_INT(add(second, i % 7 + i / 2, i % 3, (double)i + 0.1), 0);
    flow_finish(second);
    CHECK_INT(rows, want_rows);
    CHECK_INT(counted, want_counted);
    CHECK(summed == want_summed);
    /* Whatever is cut off is damage, and is told. */
    for (size_t len = 0; len < saved.len; len += 7) {
        FlowInstance *third = fresh(1 << 20);
        Status st = flow_load(third, str_slice(saved.ptr, len), NULL, NULL);
        CHECK(st != ST_OK || len == 0);
        flow_instance_free(third);
    }
    buf_done(&saved);
    flow_instance_free(whole);
    flow_instance_free(first);
    flow_instance_free(second);
}
