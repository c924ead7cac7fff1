/* tests/fuzz/fuzz_proto.c: any bytes as a message of protobuf, and as a file of them.
 *
 * What is read is written and read again: the same bytes (not of values of Sparkplug B, which are
 * read from more members than one writes). What could not be passed over as a file's
 * record is the whole rest, and nothing is read twice. */
#include "base/mem.h"
#include "flow/instance.h"
#include "flow/keys.h"
#include "flow/pipe.h"
#include "flow/proto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES = 16 };

#define NAMED(text, i)                                                                             \
    .name = (text), .name_len = sizeof(text) - 1, .flags = RT_NEEDED | RT_OPTIONAL, .leaf = (i),   \
    .path = (text)

static const char *const names[] = {"RUN", "IDLE"};
static const i32 numbers[] = {1, -2};
static const RtField single[] = {{.name = "", .type = RT_I32, .flags = RT_NEEDED, .path = ""}};
static const RtSchema single_schema = {"", single, 1, 1};
static const RtField item[] = {
    {NAMED("q", 0), .type = RT_F64},
    {NAMED("n", 1), .type = RT_LIST, .bytes_max = 12, .child = &single_schema}};
static const RtSchema item_schema = {"", item, 2, 2};
static const RtField inner[] = {{NAMED("x", 11), .type = RT_F32}, {NAMED("y", 12), .type = RT_U64}};
static const RtSchema inner_schema = {"", inner, 2, 2};
static const RtField fields[] = {
    {NAMED("i", 0), .type = RT_I64},
    {NAMED("f", 1), .type = RT_F64},
    {NAMED("s", 2), .type = RT_STR, .bytes_max = 16},
    {NAMED("b", 3), .type = RT_BYTES, .bytes_max = 16},
    {NAMED("t", 4), .type = RT_TIME},
    {NAMED("z", 5), .type = RT_I32},
    {NAMED("c", 6), .type = RT_U32},
    {NAMED("e", 7), .type = RT_ENUM, .name_count = 2, .names = names},
    {NAMED("o", 8), .type = RT_BOOL},
    {NAMED("u", 9), .type = RT_DURATION},
    {NAMED("l", 10), .type = RT_LIST, .bytes_max = 5, .child = &item_schema},
    {NAMED("in", 11), .type = RT_RECORD, .child = &inner_schema},
    {NAMED("k", 13), .type = RT_I64},
    {NAMED("p", 14), .type = RT_LIST, .bytes_max = 9, .child = &single_schema},
    {NAMED("m", 15), .type = RT_F32}};
static const RtSchema schema = {"", fields, COUNT_OF(fields), LEAVES};

static const RtProtoField item_proto_fields[] = {
    {.number = 1, .kind = RT_PROTO_DOUBLE, .flags = RT_PROTO_IMPLICIT, .field = 0},
    {.number = 2,
     .kind = RT_PROTO_SINT32,
     .flags = RT_PROTO_REPEATED | RT_PROTO_PACKED,
     .field = 1}};
static const RtProto item_proto = {item_proto_fields, COUNT_OF(item_proto_fields)};
static const RtProtoField inner_proto_fields[] = {
    {.number = 1, .kind = RT_PROTO_FLOAT, .field = 0},
    {.number = 9, .kind = RT_PROTO_FIXED64, .flags = RT_PROTO_IMPLICIT, .field = 1}};
static const RtProto inner_proto = {inner_proto_fields, COUNT_OF(inner_proto_fields)};
static const RtProtoField proto_fields[] = {
    {.number = 1, .kind = RT_PROTO_INT64, .flags = RT_PROTO_IMPLICIT, .field = 0},
    {.number = 2, .kind = RT_PROTO_DOUBLE, .flags = RT_PROTO_IMPLICIT, .field = 1},
    {.number = 3, .kind = RT_PROTO_STRING, .field = 2, .oneof = 1},
    {.number = 4, .kind = RT_PROTO_BYTES, .field = 3, .oneof = 1},
    {.number = 5, .kind = RT_PROTO_TIMESTAMP, .field = 4},
    {.number = 6, .kind = RT_PROTO_SFIXED32, .field = 5},
    {.number = 7, .kind = RT_PROTO_UINT32, .flags = RT_PROTO_IMPLICIT, .field = 6},
    {.number = 8,
     .kind = RT_PROTO_ENUM,
     .flags = RT_PROTO_IMPLICIT,
     .field = 7,
     .value_count = 2,
     .values = numbers},
    {.number = 9, .kind = RT_PROTO_BOOL, .field = 8},
    {.number = 10, .kind = RT_PROTO_DURATION, .field = 9},
    {.number = 11,
     .kind = RT_PROTO_MESSAGE,
     .flags = RT_PROTO_REPEATED,
     .field = 10,
     .child = &item_proto},
    {.number = 12, .kind = RT_PROTO_MESSAGE, .field = 11, .child = &inner_proto, .oneof = 1},
    {.number = 13, .kind = RT_PROTO_BOOL, .field = RT_PROTO_ENDS, .oneof = 1},
    {.number = 100, .kind = RT_PROTO_SINT64, .field = 12},
    {.number = 101, .kind = RT_PROTO_INT32, .flags = RT_PROTO_REPEATED, .field = 13},
    {.number = 536870911, .kind = RT_PROTO_FLOAT, .field = 14}};
static const RtProto proto = {proto_fields, COUNT_OF(proto_fields)};

/* A payload of Sparkplug B: metrics with a name, a data type and a value. */
static const RtField metric[] = {{NAMED("name", 0), .type = RT_STR, .bytes_max = 16},
                                 {NAMED("datatype", 1), .type = RT_U32},
                                 {NAMED("value", 2), .type = RT_I64}};
static const RtSchema metric_schema = {"", metric, COUNT_OF(metric), 3};
static const RtField payload[] = {
    {NAMED("metrics", 0), .type = RT_LIST, .bytes_max = 5, .child = &metric_schema}};
static const RtSchema payload_schema = {"", payload, COUNT_OF(payload), 1};
#define MEMBER(at, what)                                                                           \
    {                                                                                              \
        .number = (at), .kind = (what), .flags = RT_PROTO_ANY, .field = 2, .oneof = 1              \
    }
static const RtProtoField metric_proto_fields[] = {
    {.number = 1, .kind = RT_PROTO_STRING, .field = 0},
    {.number = 4, .kind = RT_PROTO_UINT32, .flags = RT_PROTO_TYPED, .field = 1},
    MEMBER(10, RT_PROTO_UINT32),
    MEMBER(11, RT_PROTO_UINT64),
    MEMBER(12, RT_PROTO_FLOAT),
    MEMBER(13, RT_PROTO_DOUBLE),
    MEMBER(14, RT_PROTO_BOOL),
    {.number = 15, .kind = RT_PROTO_STRING, .field = RT_PROTO_ENDS, .oneof = 1}};
static const RtProto metric_proto = {metric_proto_fields, COUNT_OF(metric_proto_fields)};
static const RtProtoField payload_proto_fields[] = {{.number = 2,
                                                     .kind = RT_PROTO_MESSAGE,
                                                     .flags = RT_PROTO_REPEATED,
                                                     .field = 0,
                                                     .child = &metric_proto}};
static const RtProto payload_proto = {payload_proto_fields, COUNT_OF(payload_proto_fields)};

static void as_payload(RtPipe *pipe, const char *p, const char *end)
{
    RtValue list;
    u8 has;
    RtScan scan = {.value = &list, .has = &has};
    if (rt_scan_proto(pipe, &payload_proto, &payload_schema, RT_UNKNOWN_IGNORE, p, end, &scan))
        return;
    for (u64 i = 0; i < list.s.n; i++) {
        const char *item = list.s.p + i * RT_ITEM_BYTES(3);
        for (u32 k = 0; k < 3; k++) assert((u8)item[16 * 3 + k] <= 1);
    }
}

static void again(RtPipe *pipe, const RtScan *read)
{
    u64 room = rt_json_bytes(&schema, read->value, read->has) + PROTO_VARINT_BYTES;
    char *first = mem_zalloc(1, room + RT_PAD_BYTES), *second = mem_zalloc(1, room + RT_PAD_BYTES);
    if (!first || !second) abort();
    RtValue values[LEAVES];
    u8 has[LEAVES];
    RtScan back = {.value = values, .has = has};
    char *end = rt_put_proto(first, &proto, &schema, read->value, read->has);
    assert((u64)(end - first) <= room);
    assert(!rt_scan_proto(pipe, &proto, &schema, RT_UNKNOWN_REJECT, first, end, &back));
    char *end2 = rt_put_proto(second, &proto, &schema, values, has);
    assert(end2 - second == end - first && !memcmp(first, second, (size_t)(end - first)));
    mem_free(first);
    mem_free(second);
}

static void as_file(Str bytes)
{
    RtRecord records[8];
    size_t at = 0;
    for (FlowCut cut = {.count = 1}; cut.count && !cut.broken; at += cut.bytes) {
        cut = flow_cut(RT_FORMAT_PROTOBUF, str_skip(bytes, at), true, records, COUNT_OF(records));
        for (u32 i = 0; i < cut.count; i++) {
            const char *p = records[i].ptr;
            assert(p >= bytes.ptr + at && p + records[i].len <= bytes.ptr + at + cut.bytes);
        }
    }
    assert(at <= bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096) return 0;
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
    int why = rt_scan_proto(pipe, &proto, &schema, data[0] & 1, bytes, end, &scan);
    if (!why) again(pipe, &scan);
    as_payload(pipe, bytes, end);
    as_file(str_slice(bytes, size - 1));
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(pipe->scratch);
    rt_keys_free(host);
    mem_free(host);
    mem_free(bytes);
    return 0;
}
