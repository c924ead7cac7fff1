/* runtime/flow/cut.c: records that stand back to back in a file or a stream.
 *
 * Such a format says itself where a record ends, so there is no line end to go on at behind one
 * that is broken: what follows it is not read, and whoever reads the file says so. A record that
 * the end of the file cuts off costs only itself. */
#include "flow/instance.h"

#include "base/str.h"
#include "flow/pack.h"
#include "flow/pack_shape.h"
#include "flow/pipe.h"
#include "flow/proto.h"

#include <string.h>

uint32_t flow_format(const char *name)
{
    static const char *const names[RT_FORMAT__COUNT] = {"",    "json",    "csv",  "text",
                                                        "raw", "msgpack", "cbor", "protobuf"};
    uint32_t i = RT_FORMAT__COUNT - 1;
    while (i && strcmp(names[i], name) != 0) i--;
    return i;
}

bool flow_is_bytes(uint32_t format)
{
    return format >= RT_FORMAT_MSGPACK;
}

/* One record, and what of it is the pipeline's to read. */
typedef struct Piece {
    size_t bytes;  /* that it takes; of what is broken or cut off: all that is left */
    const char *p; /* the record itself */
    size_t len;
    bool whole, broken;
} Piece;

static Piece piece_of(uint32_t format, PackShape *shape, const char *p, const char *end)
{
    PackHead why = {0};
    Piece piece = {(size_t)(end - p), p, (size_t)(end - p), false, false};
    const char *behind = rt_pack_shape_pass(shape, format, p, end);
    if (!behind) {
        behind = rt_pack_pass(rt_pack_format(format), p, end, RT_DEPTH_MAX, &why);
        if (behind) rt_pack_shape_learn(shape, format, p, behind);
    }
    piece.whole = behind != NULL;
    if (behind) piece.bytes = piece.len = (size_t)(behind - p);
    piece.broken = !behind && (why.kind == PACK_BAD || why.n > FLOW_RECORD_BYTES_MAX);
    return piece;
}

/* A message of protobuf does not say where it ends: its length stands in front of it. */
static Piece framed_piece(const char *p, const char *end)
{
    Piece piece = {(size_t)(end - p), p, (size_t)(end - p), false, false};
    u64 n = 0;
    const char *start = proto_varint(p, end, &n);
    piece.broken = start ? n > FLOW_RECORD_BYTES_MAX : end - p >= PROTO_VARINT_BYTES;
    if (!start || piece.broken) return piece;
    piece.p = start;
    piece.len = (size_t)(end - start);
    piece.whole = n <= piece.len;
    if (piece.whole) {
        piece.len = (size_t)n;
        piece.bytes = (size_t)(start - p) + piece.len;
    }
    return piece;
}

FlowCut flow_cut(uint32_t format, Str bytes, bool ended, RtRecord *records, uint32_t most)
{
    FlowCut cut = {0};
    PackShape shape = {.count = 0};
    const char *end = bytes.ptr + bytes.len;
    while (cut.count < most && cut.bytes < bytes.len && !cut.broken) {
        const char *p = bytes.ptr + cut.bytes;
        Piece at =
            format == RT_FORMAT_PROTOBUF ? framed_piece(p, end) : piece_of(format, &shape, p, end);
        bool long_one = !at.whole && (size_t)(end - p) > FLOW_RECORD_BYTES_MAX;
        if (!at.whole && !at.broken && !ended && !long_one) break;
        cut.broken = at.broken || long_one; /* if not whole: an error record of what is here */
        size_t shown = at.len <= FLOW_BROKEN_BYTES || !cut.broken ? at.len : FLOW_BROKEN_BYTES;
        records[cut.count++] = (RtRecord){
            .ptr = at.p, .len = (uint32_t)shown, .broken = !at.whole, .topic = "", .key = ""};
        cut.bytes += at.bytes;
    }
    return cut;
}

void flow_put_frame(Buf *out, uint64_t bytes)
{
    char *w = buf_reserve(out, PROTO_VARINT_BYTES);
    if (w) out->len += (size_t)(proto_put_varint(w, bytes) - w);
}

void flow_put_base64(Buf *out, Str bytes)
{
    char *w = buf_reserve(out, bytes.len / 3 * 4 + 4);
    if (w) out->len += (size_t)(rt_put_base64(w, bytes.ptr, bytes.len) - w);
}

Status flow_get_base64(Str text, Arena *arena, Str *ret_bytes)
{
    char *bytes = arena_alloc(arena, text.len + 1);
    u64 n = 0;
    if (!bytes) return ST_NO_MEMORY;
    if (rt_get_base64(bytes, text.ptr, text.len, &n)) return ST_INVALID;
    *ret_bytes = str_slice(bytes, n);
    return ST_OK;
}
