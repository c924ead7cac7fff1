/* runtime/flow/api.c: the table handed to generated code. */
#include "flow/hot.h"
#include "flow/pack.h"
#include "flow/pipe.h"

#include "base/num.h"
#include "base/pattern.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/list.h"
#include "flow/join.h"
#include "flow/scan.h"
#include "flow/table.h"

#include <math.h>
#include <string.h>

static const char *api_pass_text(const char *p, const char *end)
{
    u32 escapes;
    return rt_string_end(p, end, &escapes);
}

static const char *api_skip(const char *p, const char *end, u32 depth)
{
    return rt_skip_levels(p, end, RT_JSON_DEPTH_MAX - depth);
}

static const char *api_value(RtPipe *pipe, const RtField *field, const char *p, const char *end,
                             u32 depth, RtValue *ret)
{
    u32 reason;
    if (*p == 'n') return NULL; /* null is a missing value, or an error */
    p = rt_value(pipe, field, p, end, RT_JSON_DEPTH_MAX - depth, ret, &reason);
    return p && !reason ? p : NULL;
}

static char *put_f64(char *w, f64 v)
{
    return num_put_f64(w, v);
}

static int contains(const char *a, u64 an, const char *b, u64 bn)
{
    return str_find(str_slice(a, an), str_slice(b, bn)) >= 0;
}

static int matches(const char *automaton, const char *p, u64 n)
{
    return pattern_matches(automaton, p, n);
}

static int compare(const char *a, u64 an, const char *b, u64 bn)
{
    return str_cmp(str_slice(a, an), str_slice(b, bn));
}

static const RtHot hot = {
    .plain = rt_plain,
    .line_end = rt_line_end,
    .at_end = rt_at_end,
    .plus_number = rt_plus_number,
    .pass_number = rt_pass_number,
    .plus_f64 = rt_plus_f64,
    .short_f64 = rt_short_f64,
    .plus_int = rt_plus_int,
    .short_int = rt_short_int,
    .time24 = rt_time24,
    .put_plain = rt_put_plain,
    .watermark = rt_watermark,
    .seen_words = rt_seen_words,
    .seen_text = rt_seen_text,
    .add_sketch = rt_add_sketch,
};

const RtApi rt_api = {
    .abi = RT_ABI,
    .bytes = sizeof(RtApi),
    .number = num_get_f64,
    .integer = rt_integer,
    .decimal = rt_decimal,
    .pass_number = rt_number_end,
    .pass_text = api_pass_text,
    .text = rt_text,
    .skip = api_skip,
    .time = rt_time_text,
    .value = api_value,
    .scan = rt_scan_json,
    .scan_csv = rt_scan_csv,
    .scan_text = rt_scan_text,
    .scan_raw = rt_scan_raw,
    .scan_bytes = rt_scan_bytes,
    .missed = rt_missed,
    .fitted = rt_fitted,
    .put_f64 = put_f64,
    .put_f32 = num_put_f32,
    .put_i64 = num_put_i64,
    .put_u64 = num_put_u64,
    .put_time = rfc3339_put,
    .put_duration = duration_put,
    .put_decimal = rt_put_decimal,
    .put_text = rt_put_text,
    .put_csv = rt_put_csv,
    .put_base64 = rt_put_base64,
    .row_begin = rt_row_begin,
    .row_end = rt_row_end,
    .tap = rt_tap,
    .error = rt_error,
    .other_row = rt_other_row,
    .close = rt_close,
    .slot = rt_slot,
    .slot_full = rt_slot_full,
    .slot_back = rt_slot_back,
    .sketch_room = rt_window_room,
    .scratch = rt_scratch,
    .contains = contains,
    .compare = compare,
    .matches = matches,
    .meta_level = rt_meta_level,
    .builtin = rt_builtin,
    .fmod = fmod,
    .base64 = rt_base64,
    .to_decimal = rt_to_decimal,
    .round_decimal = rt_round_decimal,
    .list = rt_list,
    .index = rt_index,
    .list_has = rt_list_has,
    .list_agg = rt_list_agg,
    .scan_list = rt_scan_list,
    .put_list = rt_put_list,
    .list_bytes = rt_list_bytes,
    .lookup = rt_lookup,
    .remember = rt_remember,
    .recall = rt_recall,
    .each = rt_each,
    .window_add = rt_window_add,
    .clock = rt_clock,
    .mem = rt_mem,
    .hot = &hot,
};
