/* runtime/flow/state.c: what an instance remembers to bytes and back, between batches.
 *
 *   "TUT2"  u32 parts  i64 watermark  i64 highest
 *   per part: u32 bytes of its name, name, u64 layout, u64 bytes of its body, body
 * A part is a window, a memory or a join; the table of kinds below knows where they are and who
 * writes their bodies. Numbers as the machine has them: state moves between versions of a program
 * on one machine, not between machines. Parts are found again by name and layout. */
#include "flow/instance.h"

#include "flow/join.h"
#include "flow/mem.h"
#include "flow/pipe.h"

#include <string.h>

typedef struct Part {
    const char *name;
    u64 layout;
} Part;

typedef struct Kind {
    u32 (*count)(const RtPipe *pipe);
    Part (*part)(const RtPipe *pipe, u32 index);
    void (*save)(const RtPipe *pipe, u32 index, Buf *out);
    Status (*load)(RtPipe *pipe, u32 index, Str *bytes, Diag *diag);
} Kind;

#define KIND(word, Word)                                                                           \
    static u32 word##_count(const RtPipe *pipe)                                                    \
    {                                                                                              \
        return pipe->info->word##_count;                                                           \
    }                                                                                              \
    static Part word##_part(const RtPipe *pipe, u32 index)                                         \
    {                                                                                              \
        const Rt##Word##Info *info = &pipe->info->word##s[index];                                  \
        return (Part){info->name, info->layout};                                                   \
    }                                                                                              \
    static void word##_save(const RtPipe *pipe, u32 index, Buf *out)                               \
    {                                                                                              \
        rt_##word##_save(pipe->word##s[index], out);                                               \
    }                                                                                              \
    MUST static Status word##_load(RtPipe *pipe, u32 index, Str *bytes, Diag *diag)                \
    {                                                                                              \
        return rt_##word##_load(pipe->word##s[index], bytes, diag);                                \
    }
KIND(window, Window)
KIND(mem, Mem)
KIND(join, Join)
#undef KIND

static const Kind kinds[] = {{window_count, window_part, window_save, window_load},
                             {mem_count, mem_part, mem_save, mem_load},
                             {join_count, join_part, join_save, join_load}};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static int take(Str *bytes, void *to, size_t n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

bool flow_has_state(const FlowInstance *instance)
{
    u32 count = 0;
    for (u32 k = 0; k < KIND_COUNT; k++) count += kinds[k].count(&instance->pipe);
    return count > 0;
}

static void save_part(const RtPipe *pipe, const Kind *kind, u32 index, Buf *out)
{
    Part part = kind->part(pipe, index);
    u32 name_len = (u32)strlen(part.name);
    u64 body = 0;
    buf_add(out, &name_len, 4);
    buf_add(out, part.name, name_len);
    buf_add(out, &part.layout, 8);
    size_t at = out->len;
    buf_add(out, &body, 8);
    kind->save(pipe, index, out);
    if (out->failed) return;
    body = out->len - at - 8;
    memcpy(out->ptr + at, &body, 8);
}

Status flow_save(const FlowInstance *instance, Buf *out, Diag *diag)
{
    const RtPipe *pipe = &instance->pipe;
    u32 count = 0;
    for (u32 k = 0; k < KIND_COUNT; k++) count += kinds[k].count(pipe);
    buf_add(out, "TUT2", 4);
    buf_add(out, &count, 4);
    buf_add(out, &pipe->watermark_ns, 8);
    buf_add(out, &pipe->highest_ns, 8);
    for (u32 k = 0; k < KIND_COUNT; k++)
        for (u32 i = 0; i < kinds[k].count(pipe) && !out->failed; i++)
            save_part(pipe, &kinds[k], i, out);
    Status st = buf_status(out);
    return st ? diag_set(diag, st, "the state does not fit") : ST_OK;
}

MUST static Status load_part(FlowInstance *instance, Str name, u64 layout, Str body,
                             bool *ret_taken, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    *ret_taken = false;
    for (u32 k = 0; k < KIND_COUNT; k++)
        for (u32 i = 0; i < kinds[k].count(pipe); i++) {
            Part part = kinds[k].part(pipe, i);
            if (part.layout != layout || !str_is(name, part.name)) continue;
            *ret_taken = true;
            return kinds[k].load(pipe, i, &body, diag);
        }
    return ST_OK;
}

Status flow_load(FlowInstance *instance, Str bytes, uint32_t *ret_dropped, Diag *diag)
{
    RtPipe *pipe = &instance->pipe;
    char magic[4];
    u32 count, dropped = 0;
    i64 watermark, highest;
    if (!take(&bytes, magic, 4) || memcmp(magic, "TUT2", 4) != 0 || !take(&bytes, &count, 4) ||
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
        Status st = load_part(instance, name, layout, str_slice(bytes.ptr, body), &taken, diag);
        if (st) return st;
        dropped += !taken;
        bytes = str_skip(bytes, body);
    }
    pipe->watermark_ns = watermark;
    pipe->highest_ns = highest;
    if (ret_dropped) *ret_dropped = dropped;
    return ST_OK;
}
