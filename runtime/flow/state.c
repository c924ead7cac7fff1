/* runtime/flow/state.c: windows and event time to bytes and back, between batches.
 *
 *   "TUT1"  u32 windows  i64 watermark  i64 highest
 *   per window: u32 bytes of its name, name, u64 layout, u64 bytes of its body, body
 * The body is window.c's business. Numbers as the machine has them: state moves between versions of
 * a program on one machine, not between machines. Windows are found again by name and layout. */
#include "flow/instance.h"

#include "flow/pipe.h"

#include <string.h>

static int take(Str *bytes, void *to, size_t n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

Status flow_save(const FlowInstance *instance, Buf *out, Diag *diag)
{
    const RtPipe *pipe = &instance->pipe;
    u32 count = pipe->info->window_count;
    buf_add(out, "TUT1", 4);
    buf_add(out, &count, 4);
    buf_add(out, &pipe->watermark_ns, 8);
    buf_add(out, &pipe->highest_ns, 8);
    for (u32 i = 0; i < count; i++) {
        const RtWindowInfo *info = &pipe->info->windows[i];
        u32 name_len = (u32)strlen(info->name);
        u64 body = 0;
        buf_add(out, &name_len, 4);
        buf_add(out, info->name, name_len);
        buf_add(out, &info->layout, 8);
        size_t at = out->len;
        buf_add(out, &body, 8);
        rt_window_save(pipe->windows[i], out);
        if (out->failed) break;
        body = out->len - at - 8;
        memcpy(out->ptr + at, &body, 8);
    }
    Status st = buf_status(out);
    return st ? diag_set(diag, st, "the state does not fit") : ST_OK;
}

MUST static Status load_window(FlowInstance *instance, Str name, u64 layout, Str body,
                               bool *ret_taken, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    *ret_taken = false;
    for (u32 i = 0; i < pipe->info->window_count; i++) {
        const RtWindowInfo *info = &pipe->info->windows[i];
        if (info->layout != layout || !str_is(name, info->name)) continue;
        *ret_taken = true;
        return rt_window_load(pipe->windows[i], &body, diag);
    }
    return ST_OK;
}

Status flow_load(FlowInstance *instance, Str bytes, uint32_t *ret_dropped, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    char magic[4];
    u32 count, dropped = 0;
    i64 watermark, highest;
    if (!take(&bytes, magic, 4) || memcmp(magic, "TUT1", 4) != 0 || !take(&bytes, &count, 4) ||
        !take(&bytes, &watermark, 8) || !take(&bytes, &highest, 8))
        return diag_set(diag, ST_CORRUPT, "not a saved state");
    for (u32 i = 0; i < count; i++) {
        u32 name_len;
        u64 layout, body;
        if (!take(&bytes, &name_len, 4) || bytes.len < name_len)
            return diag_set(diag, ST_CORRUPT, "the saved state ends early");
        Str name = str_slice(bytes.ptr, name_len);
        bytes = str_skip(bytes, name_len);
        if (!take(&bytes, &layout, 8) || !take(&bytes, &body, 8) || bytes.len < body)
            return diag_set(diag, ST_CORRUPT, "the saved state ends early");
        bool taken;
        Status st = load_window(instance, name, layout, str_slice(bytes.ptr, body), &taken, diag);
        if (st) return st;
        dropped += !taken;
        bytes = str_skip(bytes, body);
    }
    pipe->watermark_ns = watermark;
    pipe->highest_ns = highest;
    if (ret_dropped) *ret_dropped = dropped;
    return ST_OK;
}
