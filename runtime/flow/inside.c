/* runtime/flow/inside.c: members, items and values of a JSON text that was read as it came.
 *
 * A value of type json was looked at when it was read, so only its structure matters here: strings
 * and brackets. Nothing recurses and nothing leaves the text, whatever it is; of one that is no
 * JSON some part comes out, or none. Vectors of the scanner would read behind texts that have
 * nothing behind them, so what it works on is copied first. */
#include "flow/pipe.h"
#include "flow/scan.h"

#include <string.h>

/* p behind the opening quote; at the closing one, or at the end. */
static const char *closing(const char *p, const char *end)
{
    while (p < end && *p != '"') p += *p == '\\' && end - p > 1 ? 2 : 1;
    return p;
}

/* Behind the value at p: at white space, a comma, a closing bracket, or the end. */
static const char *value_end(const char *p, const char *end)
{
    u64 depth = 0;
    while (p < end) {
        char c = *p;
        if (!depth && (c == ',' || c == '}' || c == ']' || (u8)c <= ' ')) break;
        if (c == '"') {
            p = closing(p + 1, end);
            p += p < end;
            if (!depth) break;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        p++;
        if (!depth && (c == '}' || c == ']')) break;
    }
    return p;
}

/* A copy with room behind it. */
static const char *padded(RtPipe *pipe, const char *p, u64 n)
{
    char *copy = rt_scratch(pipe, n + RT_PAD_BYTES);
    if (!copy) return NULL;
    memcpy(copy, p, n);
    memset(copy + n, 0, RT_PAD_BYTES);
    return copy;
}

/* What the string from p to its closing quote at `quote` says. 0: none, or no room. */
static int says(RtPipe *pipe, const char *p, const char *quote, RtText *ret)
{
    u64 n = (u64)(quote - p);
    RtValue text;
    *ret = (RtText){p, n};
    if (!n || !memchr(p, '\\', n)) return 1;
    const char *copy = padded(pipe, p, n + 1);
    if (!copy || !rt_text(pipe, copy, copy + n + 1, &text)) return 0;
    *ret = text.s;
    return 1;
}

static RtText part(const char *p, const char *end)
{
    const char *stop = value_end(p, end);
    u64 n = (u64)(stop - p);
    int null = n == 4 && memcmp(p, "null", 4) == 0;
    return null ? (RtText){"", 0} : (RtText){p, n};
}

/* p behind '{'. */
static RtText member(RtPipe *pipe, const char *p, const char *end, RtText name)
{
    for (;;) {
        p = rt_skip_space(p, end);
        if (p >= end || *p != '"') break;
        const char *key = p + 1, *quote = closing(key, end);
        RtText is;
        if (quote == end) break;
        int fits = says(pipe, key, quote, &is) && is.n == name.n &&
                   (!is.n || memcmp(is.p, name.p, is.n) == 0);
        p = rt_skip_space(quote + 1, end);
        if (p >= end || *p != ':') break;
        p = rt_skip_space(p + 1, end);
        if (fits) return part(p, end);
        p = rt_skip_space(value_end(p, end), end);
        if (p >= end || *p != ',') break;
        p++;
    }
    return (RtText){"", 0};
}

/* p behind '['. */
static RtText item(const char *p, const char *end, i64 index)
{
    p = rt_skip_space(p, end);
    for (; index > 0; index--) {
        p = rt_skip_space(value_end(p, end), end);
        if (p >= end || *p != ',') return (RtText){"", 0};
        p = rt_skip_space(p + 1, end);
    }
    return index < 0 ? (RtText){"", 0} : part(p, end);
}

u32 rt_inside(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret)
{
    const char *p = args[0].s.p, *end = p + args[0].s.n, *copy;
    char first = p < end ? *p : 0;
    RtText text = {"", 0};
    i64 whole;
    switch (which) {
    case RT_FN_JSON_MEMBER:
        if (first == '{') text = member(pipe, p + 1, end, args[1].s);
        break;
    case RT_FN_JSON_ITEM:
        if (first == '[') text = item(p + 1, end, args[1].i);
        break;
    case RT_FN_JSON_TEXT:
        text = args[0].s;
        if (first != '"') break;
        if (args[0].s.n < 2 || closing(p + 1, end) != end - 1 || !says(pipe, p + 1, end - 1, &text))
            return RT_BAD_VALUE;
        break;
    default:
        copy = padded(pipe, p, args[0].s.n);
        if (!copy || !first || rt_integer(copy, copy + args[0].s.n, &whole) != copy + args[0].s.n)
            return RT_BAD_NUMBER;
        ret->i = whole;
        return RT_FINE;
    }
    ret->s = text;
    return RT_FINE;
}
