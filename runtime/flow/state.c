/* runtime/flow/state.c: everything an instance remembers to bytes and back, between batches.
 *
 *   "TUT3"  u32 items, each: u32 bytes of kind, kind, u32 bytes of name, name, u64 layout,
 *                            u64 bytes of the body, body
 * What there is to save is the table `kinds`: who owns a kind of state knows its body. Items are
 * found again by kind, name and layout, so state moves between versions of a program as far as it
 * fits. Numbers as the machine has them: it does not move between machines. */
#include "flow/instance.h"

#include "flow/join.h"
#include "flow/pipe.h"

#include <string.h>

/* ---- the instance itself ---- */

static u32 one(const RtPipe *pipe)
{
    (void)pipe;
    return 1;
}

static const char *no_name(const RtPipe *pipe, u32 index)
{
    (void)pipe;
    (void)index;
    return "";
}

/* The span of `stop above`: how much of it is over. Counters start anew with an instance; whoever
 * moves state adds them up. */
static u64 run_layout(const RtPipe *pipe, u32 index)
{
    (void)index;
    return (u64)pipe->info->stop_in_ns;
}

static void run_save(const RtPipe *pipe, u32 index, Buf *out)
{
    const FlowInstance *host = pipe->host;
    u64 in = pipe->n.in - host->span_in, errors = pipe->n.errors - host->span_errors;
    (void)index;
    buf_add(out, &host->last_input_ns, 8);
    buf_add(out, &host->span_start_ns, 8);
    buf_add(out, &in, 8);
    buf_add(out, &errors, 8);
}

MUST static Status run_load(RtPipe *pipe, u32 index, Str *body, Diag *diag)
{
    FlowInstance *host = rt_host(pipe);
    u64 in, errors;
    (void)index;
    if (!rt_take(body, &host->last_input_ns, 8) || !rt_take(body, &host->span_start_ns, 8) ||
        !rt_take(body, &in, 8) || !rt_take(body, &errors, 8))
        return diag_set(diag, ST_CORRUPT, "the saved span ends early");
    if (host->last_input_ns < 0 || host->span_start_ns < 0) /* wall clock, since 1970 */
        return diag_set(diag, ST_CORRUPT, "the saved span is damaged");
    host->span_in = pipe->n.in - in; /* may lie before 0: only the difference counts */
    host->span_errors = pipe->n.errors - errors;
    return ST_OK;
}

/* Which field each column of the main stream is, when it is CSV: its header was read. */
static u64 csv_layout(const RtPipe *pipe, u32 index)
{
    const RtSchema *in = pipe->info->in;
    u64 h = 1469598103934665603ull;
    (void)index;
    for (u32 i = 0; in && i < in->count; i++)
        for (const char *c = in->fields[i].name;; c++) {
            h = (h ^ (u8)*c) * 1099511628211ull;
            if (!*c) break;
        }
    return h;
}

static void csv_save(const RtPipe *pipe, u32 index, Buf *out)
{
    const FlowInstance *host = pipe->host;
    const RtCsv *csv = &host->csv[0];
    u32 count = csv->schema == pipe->info->in ? csv->count : 0;
    (void)index;
    buf_add(out, &count, 4);
    buf_add(out, csv->columns, sizeof csv->columns[0] * count);
}

MUST static Status csv_load(RtPipe *pipe, u32 index, Str *body, Diag *diag)
{
    RtCsv *csv = &rt_host(pipe)->csv[0];
    u32 count;
    (void)index;
    if (!rt_take(body, &count, 4) || count > RT_LEAVES_MAX ||
        !rt_take(body, csv->columns, sizeof csv->columns[0] * count))
        return diag_set(diag, ST_CORRUPT, "the saved columns are damaged");
    for (u32 i = 0; i < count; i++)
        if (!pipe->info->in || csv->columns[i] >= pipe->info->in->count)
            return diag_set(diag, ST_CORRUPT, "the saved columns are damaged");
    csv->schema = pipe->info->in;
    csv->count = count;
    return ST_OK;
}

/* ---- time ---- */

static u64 time_layout(const RtPipe *pipe, u32 index)
{
    u64 h = 1;
    (void)index;
    for (u32 i = 0; i < pipe->info->clock_keys; i++) h = h * 31 + pipe->info->clock_types[i] + 1;
    return h;
}

static void time_save(const RtPipe *pipe, u32 index, Buf *out)
{
    (void)index;
    buf_add(out, &pipe->watermark_ns, 8);
    buf_add(out, &pipe->highest_ns, 8);
    if (pipe->clock) rt_clock_save(pipe->clock, out);
}

MUST static Status time_load(RtPipe *pipe, u32 index, Str *body, Diag *diag)
{
    (void)index;
    if (!rt_take(body, &pipe->watermark_ns, 8) || !rt_take(body, &pipe->highest_ns, 8))
        return diag_set(diag, ST_CORRUPT, "the saved time ends early");
    return pipe->clock ? rt_clock_load(pipe->clock, body, diag) : ST_OK;
}

/* ---- windows, memories, joins ---- */

#define KIND(word)                                                                                 \
    static u32 word##_count(const RtPipe *pipe)                                                    \
    {                                                                                              \
        return pipe->info->word##_count;                                                           \
    }                                                                                              \
    static const char *word##_name(const RtPipe *pipe, u32 index)                                  \
    {                                                                                              \
        return pipe->info->word##s[index].name;                                                    \
    }                                                                                              \
    static u64 word##_layout(const RtPipe *pipe, u32 index)                                        \
    {                                                                                              \
        return pipe->info->word##s[index].layout;                                                  \
    }                                                                                              \
    static void word##_save(const RtPipe *pipe, u32 index, Buf *out)                               \
    {                                                                                              \
        rt_##word##_save(pipe->word##s[index], out);                                               \
    }                                                                                              \
    MUST static Status word##_load(RtPipe *pipe, u32 index, Str *body, Diag *diag)                 \
    {                                                                                              \
        return rt_##word##_load(pipe->word##s[index], body, diag);                                 \
    }
KIND(window)
KIND(mem)
KIND(join)
#undef KIND

/* Time comes before the windows: their lanes are those of the clocks. */
static const struct {
    const char *kind;
    u32 (*count)(const RtPipe *pipe);
    const char *(*name)(const RtPipe *pipe, u32 index);
    u64 (*layout)(const RtPipe *pipe, u32 index); /* equal where a body fits */
    void (*save)(const RtPipe *pipe, u32 index, Buf *out);
    Status (*load)(RtPipe *pipe, u32 index, Str *body, Diag *diag);
} kinds[] = {{"run", one, no_name, run_layout, run_save, run_load},
             {"csv", one, no_name, csv_layout, csv_save, csv_load},
             {"time", one, no_name, time_layout, time_save, time_load},
             {"window", window_count, window_name, window_layout, window_save, window_load},
             {"memory", mem_count, mem_name, mem_layout, mem_save, mem_load},
             {"join", join_count, join_name, join_layout, join_save, join_load}};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- all of it ---- */

static void put_text(Buf *out, const char *text)
{
    u32 len = (u32)strlen(text);
    buf_add(out, &len, 4);
    buf_add(out, text, len);
}

static void save_item(const RtPipe *pipe, u32 kind, u32 index, Buf *out)
{
    u64 layout = kinds[kind].layout(pipe, index), body = 0;
    put_text(out, kinds[kind].kind);
    put_text(out, kinds[kind].name(pipe, index));
    buf_add(out, &layout, 8);
    size_t at = out->len;
    buf_add(out, &body, 8);
    kinds[kind].save(pipe, index, out);
    if (out->failed) return;
    body = out->len - at - 8;
    memcpy(out->ptr + at, &body, 8);
}

bool flow_has_state(const FlowInstance *instance)
{
    const RtPipelineInfo *info = instance->pipe.info;
    return info->window_count || info->mem_count || info->join_count;
}

Status flow_save(const FlowInstance *instance, Buf *out, Diag *diag)
{
    const RtPipe *pipe = &instance->pipe;
    u32 count = 0;
    for (u32 k = 0; k < KINDS; k++) count += kinds[k].count(pipe);
    buf_add(out, "TUT3", 4);
    buf_add(out, &count, 4);
    for (u32 k = 0; k < KINDS; k++)
        for (u32 i = 0; i < kinds[k].count(pipe) && !out->failed; i++) save_item(pipe, k, i, out);
    Status st = buf_status(out);
    return st ? diag_set(diag, st, "the state does not fit") : ST_OK;
}

static int take_text(Str *bytes, Str *ret_text)
{
    u32 len;
    if (!rt_take(bytes, &len, 4) || bytes->len < len) return 0;
    *ret_text = str_slice(bytes->ptr, len);
    *bytes = str_skip(*bytes, len);
    return 1;
}

MUST static Status load_item(RtPipe *pipe, Str kind, Str name, u64 layout, Str body,
                             bool *ret_taken, Diag *diag)
{
    *ret_taken = false;
    for (u32 k = 0; k < KINDS; k++) {
        if (!str_is(kind, kinds[k].kind)) continue;
        for (u32 i = 0; i < kinds[k].count(pipe); i++) {
            if (kinds[k].layout(pipe, i) != layout || !str_is(name, kinds[k].name(pipe, i)))
                continue;
            *ret_taken = true;
            return kinds[k].load(pipe, i, &body, diag);
        }
    }
    return ST_OK;
}

Status flow_load(FlowInstance *instance, Str bytes, uint32_t *ret_dropped, Diag *diag)
{
    char magic[4];
    u32 count, dropped = 0;
    if (!rt_take(&bytes, magic, 4) || memcmp(magic, "TUT3", 4) != 0 || !rt_take(&bytes, &count, 4))
        return diag_set(diag, ST_CORRUPT, "not a saved state");
    for (u32 i = 0; i < count; i++) {
        Str kind, name;
        u64 layout, body;
        bool taken;
        if (!take_text(&bytes, &kind) || !take_text(&bytes, &name) ||
            !rt_take(&bytes, &layout, 8) || !rt_take(&bytes, &body, 8) || bytes.len < body)
            return diag_set(diag, ST_CORRUPT, "the saved state ends early");
        Status st = load_item(&instance->pipe, kind, name, layout, str_slice(bytes.ptr, body),
                              &taken, diag);
        if (st) return st;
        dropped += !taken;
        bytes = str_skip(bytes, body);
    }
    if (ret_dropped) *ret_dropped = dropped;
    return ST_OK;
}
