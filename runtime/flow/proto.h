/* runtime/flow/proto.h: messages of protobuf, by the tables of fields that a program brings.
 *
 * Other than the formats of pack.h a message does not say what is in it: a field is a number and
 * how many bytes it takes. So there is no walk in common with those. Nothing reads behind `end`,
 * and no length from outside is believed before the bytes are there. */
#ifndef TUTTI_FLOW_PROTO_H
#define TUTTI_FLOW_PROTO_H

#include "flow/abi.h"

/* How bytes of a field are told from the next one's. */
enum {
    PROTO_VARINT = 0,
    PROTO_64 = 1,
    PROTO_LEN = 2,
    PROTO_GROUP = 3,
    PROTO_GROUP_END = 4,
    PROTO_32 = 5
};
enum { PROTO_VARINT_BYTES = 10, PROTO_NUMBER_MAX = (1 << 29) - 1 };

/* Behind the number at p; NULL: it does not end before `end`, or not within ten bytes. */
static inline const char *proto_varint(const char *p, const char *end, u64 *ret)
{
    u64 v = 0;
    for (u32 shift = 0; shift < 7 * PROTO_VARINT_BYTES && p < end; shift += 7) {
        u8 byte = (u8)*p++;
        v |= (u64)(byte & 127) << shift;
        if (byte < 128) {
            *ret = v;
            return p;
        }
    }
    return 0;
}

static inline char *proto_put_varint(char *w, u64 v)
{
    for (; v >= 128; v >>= 7) *w++ = (char)(v | 128);
    *w++ = (char)v;
    return w;
}

/* How its values stand on the wire: PROTO_VARINT ... */
u32 rt_proto_wire(u32 kind);
/* There is no lazy check: fields behind the last one needed may replace it. With `check strict`
 * every field is needed. */
int rt_scan_proto(RtPipe *, const RtProto *, const RtSchema *, u32 unknown, const char *p,
                  const char *end, RtScan *scan);
/* A record, leaves as the schema numbers them, in the room of rt_json_bytes. */
char *rt_put_proto(char *w, const RtProto *, const RtSchema *, const RtValue *values,
                   const u8 *has);
/* One value with its number in front. */
char *rt_put_proto_value(char *w, const RtProtoField *f, const RtField *field, RtValue v);
/* Its length in front of what stands from `start` to w, in room for 10 bytes more. */
char *rt_proto_frame(char *start, char *w);
/* A row of a sink in this format. */
void rt_proto_row(RtPipe *, u32 sink, const RtValue *values, const u8 *has, RtValue address);

#endif
