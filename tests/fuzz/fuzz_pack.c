/* tests/fuzz/fuzz_pack.c: any bytes as a record in each format of bytes, and as a file of them.
 *
 * The first byte chooses the format and how it is read. What is read is written and read again: the
 * same bytes. A record that can be read is one that can be cut out of a file, and the other way
 * round what cannot be passed over is never a record. */
#include "base/mem.h"
#include "flow/keys.h"
#include "flow/pack.h"
#include "flow/pipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES = 14 };

#define NAMED(text, i)                                                                             \
    .name = (text), .word = (text)[0] | (u64)(text)[1] << 8, .name_len = sizeof(text) - 1,         \
    .flags = RT_NEEDED | RT_OPTIONAL, .leaf = (i), .path = (text)

static const char *const names[] = {"RUN", "IDLE"};
static const RtField single[] = {
    {.name = "", .type = RT_I32, .flags = RT_NEEDED | RT_OPTIONAL, .path = ""}};
static const RtSchema single_schema = {"", single, 1, 1};
static const RtField item[] = {
    {NAMED("q", 0), .type = RT_F64},
    {NAMED("n", 1), .type = RT_LIST, .bytes_max = 5, .child = &single_schema}};
static const RtSchema item_schema = {"", item, 2, 2};
static const RtField inner[] = {{NAMED("x", 11), .type = RT_F32}, {NAMED("y", 12), .type = RT_U64}};
static const RtSchema inner_schema = {"", inner, 2, 2};
static const RtField fields[] = {
    {NAMED("i", 0), .type = RT_I64},
    {NAMED("f", 1), .type = RT_F64},
    {NAMED("s", 2), .type = RT_STR, .bytes_max = 16},
    {NAMED("b", 3), .type = RT_BYTES, .bytes_max = 16},
    {NAMED("t", 4), .type = RT_TIME},
    {NAMED("m", 5), .type = RT_TIME, .time_read = 2},
    {NAMED("d", 6), .type = RT_DECIMAL, .scale = 2},
    {NAMED("e", 7), .type = RT_ENUM, .name_count = 2, .names = names},
    {NAMED("o", 8), .type = RT_BOOL},
    {NAMED("u", 9), .type = RT_DURATION},
    {NAMED("l", 10), .type = RT_LIST, .bytes_max = 5, .child = &item_schema},
    {NAMED("in", 11), .type = RT_RECORD, .child = &inner_schema},
    {NAMED("k", 13), .type = RT_U32}};
static const RtSchema schema = {"", fields, COUNT_OF(fields), LEAVES};

/* What was read is written, read again and written: the same bytes. */
static void again(RtPipe *pipe, u32 format, const RtScan *read)
{
    u64 room = rt_json_bytes(&schema, read->value, read->has);
    char *first = mem_zalloc(1, room + RT_PAD_BYTES), *second = mem_zalloc(1, room + RT_PAD_BYTES);
    if (!first || !second) abort();
    RtValue values[LEAVES];
    u8 has[LEAVES];
    RtScan back = {.value = values, .has = has};
    const PackFormat *how = rt_pack_format(format);
    char *end = rt_put_pack(first, how, &schema, read->value, read->has);
    assert((u64)(end - first) <= room);
    assert(!rt_scan_bytes(pipe, format, &schema, RT_CHECK_STRICT, RT_UNKNOWN_REJECT, first, end,
                          &back));
    char *end2 = rt_put_pack(second, how, &schema, values, has);
    assert(end2 - second == end - first && !memcmp(first, second, (size_t)(end - first)));
    mem_free(first);
    mem_free(second);
}

/* The second time its keys are known, so it is read another way: the same comes of it. */
static void alike(RtPipe *pipe, u32 format, u32 check, u32 unknown, const char *p, const char *end,
                  const RtScan *first, int why)
{
    RtValue values[LEAVES];
    u8 has[LEAVES];
    RtScan second = {.value = values, .has = has};
    const PackFormat *how = rt_pack_format(format);
    assert(rt_scan_bytes(pipe, format, &schema, check, unknown, p, end, &second) == why);
    assert(second.field == first->field);
    if (why) return;
    assert(!memcmp(has, first->has, LEAVES));
    u64 room = rt_json_bytes(&schema, values, has);
    char *one = mem_zalloc(2, room + RT_PAD_BYTES), *two = one + room + RT_PAD_BYTES;
    if (!one) abort();
    char *one_end = rt_put_pack(one, how, &schema, first->value, first->has);
    char *two_end = rt_put_pack(two, how, &schema, values, has);
    assert(one_end - one == two_end - two && !memcmp(one, two, (size_t)(one_end - one)));
    mem_free(one);
}

/* A record three times: the second and third are cut out by the shape of the first, damaged ones
 * as they would be without it. */
static void by_shape(u32 format, Str bytes, u8 damage)
{
    RtRecord records[8], other[8];
    size_t n = bytes.len;
    char *all = mem_zalloc(1, 3 * n + RT_PAD_BYTES);
    if (!all) abort();
    for (size_t i = 0; i < 3; i++) memcpy(all + i * n, bytes.ptr, n);
    all[n + damage % n] ^= (char)damage;
    FlowCut cut = flow_cut(format, str_slice(all, 3 * n), true, records, COUNT_OF(records));
    for (uint32_t i = 0, at = 0; i < cut.count && i < COUNT_OF(records); at += records[i++].len) {
        FlowCut alone = flow_cut(format, str_slice(all + at, 3 * n - at), true, other, 1);
        assert(alone.count == 1 && other[0].len == records[i].len &&
               other[0].ptr == records[i].ptr);
    }
    mem_free(all);
}

static void as_file(u32 format, Str bytes)
{
    RtRecord records[8];
    size_t at = 0;
    for (FlowCut cut = {.count = 1}; cut.count && !cut.broken; at += cut.bytes) {
        cut = flow_cut(format, str_skip(bytes, at), true, records, COUNT_OF(records));
        const char *next = bytes.ptr + at;
        for (u32 i = 0; i < cut.count; next += records[i++].len) assert(records[i].ptr == next);
    }
    assert(at <= bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096) return 0;
    u32 format = RT_FORMAT_MSGPACK + data[0] % (RT_FORMAT_CBOR - RT_FORMAT_MSGPACK + 1);
    FlowInstance *host = mem_zalloc(1, sizeof *host);
    char *bytes = mem_zalloc(1, size + RT_PAD_BYTES);
    if (!host || !bytes) abort();
    memcpy(bytes, data + 1, size - 1);
    RtPipe *pipe = &host->pipe;
    pipe->host = host;
    RtValue values[LEAVES];
    u8 has[LEAVES];
    RtScan scan = {.value = values, .has = has};
    const char *end = bytes + size - 1;
    int whole = rt_pack_pass(rt_pack_format(format), bytes, end, RT_DEPTH_MAX, NULL) == end;
    for (u32 check = RT_CHECK_RECORD; check <= RT_CHECK_STRICT; check++) {
        int why = rt_scan_bytes(pipe, format, &schema, check, data[0] >> 7, bytes, end, &scan);
        if (why != RT_BAD_RECORD && check != RT_CHECK_LAZY) assert(whole);
        if (!why) again(pipe, format, &scan);
        alike(pipe, format, check, data[0] >> 7, bytes, end, &scan, why);
        pipe->scratch_len = 0;
    }
    as_file(format, str_slice(bytes, size - 1));
    if (size > 1) by_shape(format, str_slice(bytes, size - 1), data[0] >> 1);
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(pipe->scratch);
    rt_keys_free(host);
    mem_free(host);
    mem_free(bytes);
    return 0;
}
