/* tests/flow/test_join.c: the last rows of another stream, by hand-made tables: what is found, how
 * old it may be, which key is forgotten, and that state moves whole or not at all. */
#include "base/mem.h"
#include "flow/instance.h"
#include "flow/item.h"
#include "flow/join.h"
#include "flow/pipe.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

/* { id: string(40), n: i64?, tags: [{ name: string(20), v: f64? }; 4] } */
static const RtField tag_fields[] = {
    {.name = "name", .name_len = 4, .type = RT_STR, .leaf = 0, .bytes_max = 20},
    {.name = "v", .name_len = 1, .type = RT_F64, .flags = RT_OPTIONAL, .leaf = 1}};
static const RtSchema tag = {"", tag_fields, 2, 2};
static const RtField row_fields[] = {
    {.name = "id", .name_len = 2, .type = RT_STR, .leaf = 0, .bytes_max = 40},
    {.name = "n", .name_len = 1, .type = RT_I64, .flags = RT_OPTIONAL, .leaf = 1},
    {.name = "tags", .name_len = 4, .type = RT_LIST, .leaf = 2, .bytes_max = 4, .child = &tag}};
static const RtSchema row = {"", row_fields, 3, 3};

static const u8 key_types[] = {RT_STR, RT_I32};
static const u32 key_bytes[] = {40, 0};
static const RtJoinInfo joins[] = {{"p.order", 7, &row, 2, 0, key_types, key_bytes, 3600000000000}};
static const RtPipelineInfo pipelines[] = {
    {.name = "p", .error_stage = RT_NO_STAGE, .joins = joins, .join_count = 1, .in = &row}};

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

typedef struct Bed {
    FlowProgram *program;
    FlowInstance *instance;
    RtPipe *pipe;
} Bed;

static Bed bed(u64 keys, u64 state_bytes)
{
    Bed b;
    Diag diag = {0};
    FlowLimits limits = {.keys = keys, .state_bytes = state_bytes};
    CHECK_OK(flow_program_static(&table, &b.program, &diag));
    CHECK_OK(flow_instance_new(b.program, 0, &limits, NULL, &b.instance, &diag));
    b.pipe = &b.instance->pipe;
    return b;
}

static void done(Bed *b)
{
    flow_instance_free(b->instance);
    flow_program_free(b->program);
}

static u32 put(Bed *b, const char *id, i32 line, i64 n, u64 tags)
{
    static char items[4 * RT_ITEM_BYTES(2)];
    for (u64 i = 0; i < tags; i++) {
        RtValue *v = (RtValue *)(void *)(items + i * RT_ITEM_BYTES(2));
        u8 *h = (u8 *)(v + 2);
        v[0].s = (RtText){"tag number x", 11 + i % 2};
        v[1].d = (f64)n + (f64)i;
        h[0] = 1;
        h[1] = i != 1;
    }
    RtValue values[3] = {{.s = {id, strlen(id)}}, {.i = n}, {.s = {items, tags}}};
    u8 has[3] = {1, n >= 0, 1};
    RtValue keys[2] = {{.s = {id, strlen(id)}}, {.i = line}};
    return rt_remember(b->pipe, 0, b->pipe->received_ns, keys, values, has);
}

/* n of the row, -1 when it has none, -2 when there is no row. */
static i64 get(Bed *b, const char *id, i32 line)
{
    RtValue keys[2] = {{.s = {id, strlen(id)}}, {.i = line}}, item;
    u8 has;
    rt_recall(b->pipe, 0, b->pipe->received_ns, keys, &item, &has);
    const RtValue *v = (const RtValue *)(const void *)item.s.p;
    const u8 *h = (const u8 *)(v + 3);
    if (!has) {
        CHECK(!h[0] && !h[1] && !h[2]); /* an item all the same: everything missing */
        return -2;
    }
    CHECK_INT(v[0].s.n, strlen(id));
    CHECK(memcmp(v[0].s.p, id, strlen(id)) == 0);
    for (u64 i = 0; i < v[2].s.n; i++) {
        const RtValue *t = (const RtValue *)(const void *)(v[2].s.p + i * RT_ITEM_BYTES(2));
        const u8 *th = (const u8 *)(t + 2);
        CHECK_INT(t[0].s.n, 11 + i % 2);
        CHECK(memcmp(t[0].s.p, "tag number x", t[0].s.n) == 0);
        CHECK_INT(th[1], i != 1);
        if (th[1] && h[1]) CHECK(t[1].d == (f64)v[1].i + (f64)i);
    }
    return h[1] ? v[1].i : -1;
}

TEST(the_last_row_of_each_key)
{
    Bed b = bed(0, 0);
    CHECK_INT(put(&b, "press", 1, 5, 0), RT_FINE);
    CHECK_INT(put(&b, "press", 2, 6, 4), RT_FINE);
    CHECK_INT(put(&b, "a name that is longer than sixteen", 1, -1, 2), RT_FINE);
    CHECK_INT(put(&b, "press", 1, 7, 3), RT_FINE);
    CHECK_INT(get(&b, "press", 1), 7);
    CHECK_INT(get(&b, "press", 2), 6);
    CHECK_INT(get(&b, "press", 3), -2);
    CHECK_INT(get(&b, "a name that is longer than sixteen", 1), -1);
    done(&b);
}

TEST(not_older_than_within)
{
    Bed b = bed(0, 0);
    b.pipe->received_ns = 1000;
    CHECK_INT(put(&b, "x", 0, 1, 0), RT_FINE);
    b.pipe->received_ns = 1000 + 3600000000000;
    CHECK_INT(get(&b, "x", 0), 1); /* exactly as old as it may be */
    b.pipe->received_ns++;
    CHECK_INT(get(&b, "x", 0), -2);
    b.pipe->received_ns = 0; /* a clock that went back */
    CHECK_INT(get(&b, "x", 0), 1);
    done(&b);
}

TEST(the_key_of_the_oldest_row_goes_first)
{
    Bed b = bed(3, 0);
    for (i32 i = 0; i < 3; i++) CHECK_INT(put(&b, "x", i, i, 1), RT_FINE);
    CHECK_INT(put(&b, "x", 0, 10, 1), RT_FINE); /* now 1 is the oldest */
    CHECK_INT(put(&b, "x", 3, 3, 4), RT_FINE);
    CHECK_INT(get(&b, "x", 1), -2);
    CHECK_INT(get(&b, "x", 0), 10);
    CHECK_INT(get(&b, "x", 2), 2);
    CHECK_INT(get(&b, "x", 3), 3);
    CHECK_INT(rt_join_forgotten(b.pipe), 1);
    /* Keys that come and go settle: no memory is asked for, and none leaks. */
    for (i32 i = 4; i < 100; i++) CHECK_INT(put(&b, "x", i, i, 4), RT_FINE);
    u64 bytes = flow_state_bytes(b.instance), calls = mem_calls();
    for (i32 i = 100; i < 1100; i++) CHECK_INT(put(&b, "x", i, i, (u64)i % 5), RT_FINE);
    CHECK_INT(flow_state_bytes(b.instance), bytes);
    CHECK_INT(mem_calls(), calls);
    done(&b);
}

TEST(state_has_a_limit)
{
    Bed b = bed(0, 64 << 10);
    u32 refused = 0;
    for (i32 i = 0; i < 5000; i++) refused += put(&b, "x", i, i, 4) != RT_FINE;
    CHECK(flow_state_bytes(b.instance) <= 64 << 10);
    CHECK_INT(refused, 0); /* older keys made room */
    CHECK(rt_join_forgotten(b.pipe) > 4000);
    CHECK_INT(get(&b, "x", 4999), 4999);
    done(&b);
}

TEST(state_moves_whole_or_not_at_all)
{
    Bed a = bed(0, 0);
    Diag diag;
    AUTO_BUF Buf saved;
    buf_init(&saved, 1 << 20);
    a.pipe->received_ns = 50;
    CHECK_INT(put(&a, "press", 1, 5, 4), RT_FINE);
    a.pipe->received_ns = 60;
    CHECK_INT(put(&a, "weld", -3, -1, 0), RT_FINE);
    CHECK_INT(put(&a, "a name that is longer than sixteen", 9, 8, 2), RT_FINE);
    CHECK_OK(flow_save(a.instance, &saved, &diag));
    Bed b = bed(2, 0);
    u32 dropped = 9;
    CHECK_OK(flow_load(b.instance, buf_view(&saved), &dropped, &diag));
    CHECK_INT(dropped, 0);
    b.pipe->received_ns = 70;
    CHECK_INT(get(&b, "press", 1), -2); /* only two keys fit here: the oldest went */
    CHECK_INT(get(&b, "weld", -3), -1);
    CHECK_INT(get(&b, "a name that is longer than sixteen", 9), 8);
    b.pipe->received_ns = 60 + 3600000000001;
    CHECK_INT(get(&b, "weld", -3), -2); /* its age came along */
    done(&b);
    for (size_t cut = 0; cut < saved.len; cut++) { /* cut anywhere: refused, never read past */
        char *part = mem_alloc(cut ? cut : 1);
        memcpy(part, saved.ptr, cut);
        b = bed(0, 0);
        CHECK(flow_load(b.instance, str_slice(part, cut), NULL, &diag) == ST_CORRUPT);
        done(&b);
        mem_free(part);
    }
    for (size_t at = 24; at < saved.len; at++) { /* damaged anywhere: fine or refused */
        saved.ptr[at] = (char)(saved.ptr[at] ^ 0x81);
        b = bed(0, 0);
        (void)!flow_load(b.instance, buf_view(&saved), NULL, &diag);
        done(&b);
        saved.ptr[at] = (char)(saved.ptr[at] ^ 0x81);
    }
    done(&a);
}
