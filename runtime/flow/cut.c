/* runtime/flow/cut.c: records that stand back to back in a file or a stream.
 *
 * Such a format says itself where a record ends, so there is no line end to go on at behind one
 * that is broken: what follows it is not read, and whoever reads the file says so. A record that
 * the end of the file cuts off costs only itself. */
#include "flow/instance.h"

#include "base/str.h"
#include "flow/pack.h"
#include "flow/pipe.h"

#include <string.h>

uint32_t flow_format(const char *name)
{
    static const char *const names[RT_FORMAT__COUNT] = {"",    "json",    "csv", "text",
                                                        "raw", "msgpack", "cbor"};
    uint32_t i = RT_FORMAT__COUNT - 1;
    while (i && strcmp(names[i], name) != 0) i--;
    return i;
}

bool flow_is_bytes(uint32_t format)
{
    return format >= RT_FORMAT_MSGPACK;
}

/* How long the record at p is: 0 while its end is not here. */
static size_t record_bytes(uint32_t format, const char *p, const char *end, bool *ret_broken)
{
    PackHead why = {0};
    const char *behind = rt_pack_pass(rt_pack_format(format), p, end, RT_DEPTH_MAX, &why);
    if (behind) return (size_t)(behind - p);
    *ret_broken = why.kind == PACK_BAD || why.n > FLOW_RECORD_BYTES_MAX;
    return 0;
}

FlowCut flow_cut(uint32_t format, Str bytes, bool ended, RtRecord *records, uint32_t most)
{
    FlowCut cut = {0};
    while (cut.count < most && cut.bytes < bytes.len && !cut.broken) {
        const char *p = bytes.ptr + cut.bytes;
        size_t left = bytes.len - cut.bytes, n = record_bytes(format, p, p + left, &cut.broken);
        if (!n && !cut.broken && !ended && left <= FLOW_RECORD_BYTES_MAX) break;
        if (!n) { /* an error record of what is here */
            cut.broken |= left > FLOW_RECORD_BYTES_MAX;
            n = left;
        }
        size_t shown = n <= FLOW_BROKEN_BYTES || !cut.broken ? n : FLOW_BROKEN_BYTES;
        records[cut.count++] = (RtRecord){.ptr = p, .len = (uint32_t)shown, .topic = "", .key = ""};
        cut.bytes += n;
    }
    return cut;
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
