/* runtime/flow/unknown.c: fields that a record's type does not name, for `unknown keep`.
 *
 * The record was read before, so this is a second, short walk over its top level; it runs only
 * where a row of such a record is written. */
#include "flow/pipe.h"
#include "flow/scan.h"

#include <string.h>

/* `names` are lines. */
static int is_named(RtText names, RtText key)
{
    for (u64 at = 0; at < names.n;) {
        const char *line = names.p + at, *end = memchr(line, '\n', names.n - at);
        u64 n = end ? (u64)(end - line) : names.n - at;
        if (n == key.n && memcmp(line, key.p, n) == 0) return 1;
        at += n + 1;
    }
    return 0;
}

static char *put(char *w, const char *p, const char *end)
{
    for (; p < end; p++) *w++ = *p == '\n' || *p == '\r' ? ' ' : *p;
    return w;
}

u32 rt_unknown_fields(RtPipe *pipe, const RtValue *args, RtValue *ret)
{
    const char *p = args[0].s.p, *end = p + args[0].s.n;
    char *w = rt_scratch(pipe, args[0].s.n + 2),
         *first = w; /* a member with its comma fits its own */
    if (!w) return RT_TOO_LONG;
    p = rt_skip_space(p, end);
    if (p >= end || *p != '{') return RT_BAD_JSON;
    p = rt_skip_space(p + 1, end);
    while (p < end && *p == '"') {
        u32 escapes;
        const char *start = p, *quote = rt_string_end(p + 1, end, &escapes);
        if (!quote) return RT_BAD_JSON;
        RtValue key = {.s = {p + 1, (u64)(quote - p - 1)}};
        if (escapes && !rt_text(pipe, p + 1, end, &key)) return RT_BAD_JSON;
        p = rt_skip_space(quote + 1, end);
        if (p >= end || *p != ':') return RT_BAD_JSON;
        const char *value = rt_skip_space(p + 1, end);
        p = rt_skip_value(value, end);
        if (!p) return RT_BAD_JSON;
        if (!is_named(args[1].s, key.s)) {
            *w++ = ',';
            w = put(w, start, quote + 1);
            *w++ = ':';
            w = put(w, value, p);
        }
        p = rt_skip_space(p, end);
        if (p < end && *p == ',') p = rt_skip_space(p + 1, end);
    }
    ret->s = (RtText){first, (u64)(w - first)};
    return RT_FINE;
}
