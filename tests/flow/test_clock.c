/* tests/flow/test_clock.c: `clock by` with more keys than there is room for: which clock is
 * forgotten, that it is counted, and that a restart changes neither. */
#include "flow/clock.h"
#include "flow/instance.h"
#include "flow/pipe.h"
#include "test.h"

#include <string.h>

static const u8 key_types[] = {RT_I64};
static const u32 key_bytes[] = {0};
static const RtSchema row = {"", NULL, 0, 0};
static const RtPipelineInfo pipelines[] = {{.name = "p",
                                            .error_stage = RT_NO_STAGE,
                                            .has_time = 1,
                                            .clock_keys = 1,
                                            .clock_types = key_types,
                                            .clock_bytes_max = key_bytes,
                                            .in = &row}};

static void bind(const RtApi *api)
{
    (void)api;
}

static const RtProgram table = {.abi = RT_ABI,
                                .name = "p",
                                .hash = "",
                                .pipelines = pipelines,
                                .pipeline_count = 1,
                                .bind = bind};

static FlowInstance *open_instance(FlowProgram **ret_program)
{
    FlowInstance *instance;
    FlowLimits limits = {.keys = 3};
    Diag diag = {0};
    CHECK_OK(flow_program_static(&table, ret_program, &diag));
    CHECK_OK(flow_instance_new(*ret_program, 0, &limits, NULL, &instance, &diag));
    return instance;
}

/* A record of that key at `ns`; the highest time its clock has seen. */
static i64 heard(FlowInstance *instance, i64 key, i64 ns)
{
    RtPipe *pipe = &instance->pipe;
    RtValue keys[] = {{.i = key}};
    CHECK_INT(rt_clock(pipe, ns, keys), RT_FINE);
    return rt_clock_highest(pipe, pipe->lane);
}

static void restart(FlowInstance **instance, FlowProgram **program)
{
    Diag diag = {0};
    AUTO_BUF Buf saved;
    buf_init(&saved, 1 << 20);
    CHECK_OK(flow_save(*instance, &saved, &diag));
    flow_instance_free(*instance);
    flow_program_free(*program);
    *instance = open_instance(program);
    CHECK_OK(flow_load(*instance, buf_view(&saved), NULL, &diag));
}

static void the_longest_silent_goes(bool restarts)
{
    FlowProgram *program;
    FlowInstance *instance = open_instance(&program);
    for (i64 key = 1; key <= 3; key++) CHECK_INT(heard(instance, key, 1000 * key), 1000 * key);
    CHECK_INT(heard(instance, 1, 500), 1000); /* now 2 was silent for longest, then 3 */
    if (restarts) restart(&instance, &program);
    CHECK_INT(heard(instance, 4, 4000), 4000); /* takes the place of 2 */
    CHECK_INT(flow_forgotten(instance), 1);
    CHECK_INT(heard(instance, 1, 1), 1000);
    CHECK_INT(heard(instance, 3, 1), 3000);
    CHECK_INT(heard(instance, 2, 1), 1); /* a new clock, in the place of 4 */
    CHECK_INT(flow_forgotten(instance), 2);
    CHECK_INT(heard(instance, 4, 1), 1);
    CHECK_INT(flow_forgotten(instance), 3);
    flow_instance_free(instance);
    flow_program_free(program);
}

TEST(the_clock_that_was_silent_for_longest_is_forgotten)
{
    the_longest_silent_goes(false);
}

TEST(a_restart_keeps_the_order_of_forgetting)
{
    the_longest_silent_goes(true);
}

TEST(a_damaged_order_is_refused)
{
    FlowProgram *program, *other;
    FlowInstance *instance = open_instance(&program);
    Diag diag = {0};
    AUTO_BUF Buf saved;
    buf_init(&saved, 1 << 20);
    CHECK_INT(heard(instance, 1, 1000), 1000);
    CHECK_OK(flow_save(instance, &saved, &diag));
    u32 lane = 9; /* the order is the end of the time's item, here the last one */
    memcpy(saved.ptr + saved.len - 4, &lane, 4);
    FlowInstance *fresh = open_instance(&other);
    CHECK_INT(flow_load(fresh, buf_view(&saved), NULL, &diag), ST_CORRUPT);
    flow_instance_free(fresh);
    flow_instance_free(instance);
    flow_program_free(other);
    flow_program_free(program);
}
