/* runtime/flow/fit.c: one text against one type, with an instance that runs nothing.
 *
 * The scanner wants bytes behind a text that it may touch, so texts are copied: 100 bytes cost
 * less than looking whether they stand at the end of somebody's buffer. A root that is no record is
 * read as the only field of one; that the text is one JSON value, and nothing that would end that
 * record, is seen first. */
#include "flow/fit.h"

#include "base/mem.h"
#include "flow/keys.h"
#include "flow/pipe.h"

struct FlowFit {
    FlowInstance host; /* its pipe has no program: the scanner needs memory and keys only */
    RtField root;
    RtSchema around;
    const RtSchema *schema; /* of the text: the root's own, or `around` */
    u32 unknown;
    char *text; /* owned */
    size_t room;
    RtValue value[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
};

static const char before[] = "{\"value\":";

Status flow_fit_new(const RtField *root, bool closed, FlowFit **ret_fit)
{
    bool record = root->type == RT_RECORD;
    if (record && root->child->leaf_count > RT_LEAVES_MAX) return ST_LIMIT;
    FlowFit *fit = mem_zalloc(1, sizeof *fit);
    if (!fit) return ST_NO_MEMORY;
    fit->host.pipe.host = &fit->host;
    fit->unknown = closed ? RT_UNKNOWN_REJECT : RT_UNKNOWN_IGNORE;
    fit->root = *root;
    fit->root.name = "value";
    fit->root.name_len = 5;
    memcpy(&fit->root.word, "value\0\0\0", 8);
    fit->root.path = "";
    fit->root.flags |= RT_NEEDED;
    fit->around = (RtSchema){"", &fit->root, 1, 1};
    fit->schema = record ? root->child : &fit->around;
    *ret_fit = fit;
    return ST_OK;
}

static void scratch_drop(FlowInstance *host)
{
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    host->pipe.scratch_len = 0;
}

void flow_fit_free(FlowFit *fit)
{
    if (!fit) return;
    scratch_drop(&fit->host);
    mem_free(fit->host.pipe.scratch);
    rt_keys_free(&fit->host);
    mem_free(fit->text);
    mem_free(fit);
}

static bool make_room(FlowFit *fit, size_t bytes)
{
    if (bytes <= fit->room) return true;
    size_t room = fit->room ? fit->room : 1024;
    while (room < bytes) room *= 2;
    char *text = mem_realloc(fit->text, room);
    if (!text) return false;
    fit->text = text;
    fit->room = room;
    return true;
}

static bool unfit(u32 reason, const char *path, FlowUnfit *ret_unfit)
{
    *ret_unfit = (FlowUnfit){rt_reason_names[reason], rt_reason_texts[reason], path ? path : ""};
    return false;
}

/* True when the text is one value: what stands around it cannot change what it means. */
static bool one_value(const char *p, const char *end)
{
    p = rt_skip_space(p, end);
    p = p < end ? rt_skip_value(p, end) : NULL;
    return p && rt_skip_space(p, end) == end;
}

bool flow_fit(FlowFit *fit, Str text, FlowUnfit *ret_unfit)
{
    bool wrapped = fit->schema == &fit->around;
    size_t at = wrapped ? sizeof before - 1 : 0;
    if (text.len > FLOW_FIT_BYTES_MAX) return unfit(RT_TOO_LONG, NULL, ret_unfit);
    if (!make_room(fit, at + text.len + 1 + RT_PAD_BYTES))
        return unfit(RT_STATE_FULL, NULL, ret_unfit);
    char *p = fit->text, *end = p + at + text.len;
    if (text.len) memcpy(p + at, text.ptr, text.len);
    memset(end, 0, RT_PAD_BYTES);
    if (wrapped) {
        if (!one_value(p + at, end)) return unfit(RT_BAD_JSON, NULL, ret_unfit);
        memcpy(p, before, sizeof before - 1);
        *end++ = '}';
        *end = 0;
    }
    RtScan scan = {.value = fit->value, .has = fit->has};
    scratch_drop(&fit->host);
    int reason =
        rt_scan_json(&fit->host.pipe, fit->schema, RT_CHECK_RECORD, fit->unknown, p, end, &scan);
    return reason ? unfit((u32)reason, scan.path, ret_unfit) : true;
}

FlowUnfit flow_unfit_of(Str reason)
{
    FlowUnfit found = {"unknown", "", ""};
    for (u32 i = 0; i < RT_REASON__COUNT; i++)
        if (rt_reason_names[i] && str_is(reason, rt_reason_names[i])) (void)unfit(i, NULL, &found);
    return found;
}
