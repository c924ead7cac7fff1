/* runtime/flow/bytes.c: bytes as text: base64 (RFC 4648 section 4, with padding) and hex. */
#include "base/str.h"
#include "flow/pipe.h"

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

u32 rt_get_base64(char *to, const char *p, u64 n, u64 *ret_bytes)
{
    u8 *w = (u8 *)to;
    if (n % 4) return RT_BAD_VALUE;
    for (u64 i = 0; i < n; i += 4) {
        int a = base64_digit(p[i]), b = base64_digit(p[i + 1]);
        int last = i + 4 == n, pad2 = last && p[i + 2] == '=' && p[i + 3] == '=';
        int pad1 = last && p[i + 3] == '=';
        int c = pad2 ? 0 : base64_digit(p[i + 2]), d = pad1 ? 0 : base64_digit(p[i + 3]);
        if ((a | b | c | d) < 0 || (pad2 && (b & 15)) || (pad1 && !pad2 && (c & 3)))
            return RT_BAD_VALUE;
        *w++ = (u8)(a << 2 | b >> 4);
        if (!pad2) *w++ = (u8)(b << 4 | c >> 2);
        if (!pad1) *w++ = (u8)(c << 6 | d);
    }
    *ret_bytes = (u64)(w - (u8 *)to);
    return RT_FINE;
}

u32 rt_base64(RtPipe *pipe, const char *p, u64 n, RtValue *ret)
{
    char *to = rt_scratch(pipe, n / 4 * 3 + 1);
    if (!to) return RT_TOO_LONG;
    ret->s = (RtText){to, 0};
    return rt_get_base64(to, p, n, &ret->s.n);
}

char *rt_put_base64(char *w, const char *p, u64 n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (u64 i = 0; i < n; i += 3) {
        u32 v = (u32)(u8)p[i] << 16;
        if (i + 1 < n) v |= (u32)(u8)p[i + 1] << 8;
        if (i + 2 < n) v |= (u8)p[i + 2];
        *w++ = digit[v >> 18];
        *w++ = digit[v >> 12 & 63];
        *w++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
        *w++ = i + 2 < n ? digit[v & 63] : '=';
    }
    return w;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    int low = c | 32;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static u32 hex(RtPipe *pipe, RtText in, RtValue *ret)
{
    static const char digit[] = "0123456789abcdef";
    char *w = rt_scratch(pipe, in.n * 2 + 1);
    if (!w) return RT_TOO_LONG;
    ret->s = (RtText){w, in.n * 2};
    for (u64 i = 0; i < in.n; i++) {
        *w++ = digit[(u8)in.p[i] >> 4];
        *w++ = digit[(u8)in.p[i] & 15];
    }
    return RT_FINE;
}

static u32 from_hex(RtPipe *pipe, RtText in, RtValue *ret)
{
    if (in.n % 2) return RT_BAD_VALUE;
    char *w = rt_scratch(pipe, in.n / 2 + 1);
    if (!w) return RT_TOO_LONG;
    ret->s = (RtText){w, in.n / 2};
    for (u64 i = 0; i < in.n; i += 2) {
        int a = hex_digit(in.p[i]), b = hex_digit(in.p[i + 1]);
        if ((a | b) < 0) return RT_BAD_VALUE;
        *w++ = (char)(a << 4 | b);
    }
    return RT_FINE;
}

u32 rt_bytes_call(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret)
{
    RtText in = args[0].s;
    switch (which) {
    case RT_FN_HEX: return hex(pipe, in, ret);
    case RT_FN_FROM_HEX: return from_hex(pipe, in, ret);
    case RT_FN_FROM_BASE64: return rt_base64(pipe, in.p, in.n, ret);
    case RT_FN_UTF8:
        ret->s = in;
        return str_utf8_valid(str_slice(in.p, in.n)) ? RT_FINE : RT_BAD_VALUE;
    default: ret->s = in; return RT_FINE; /* the bytes of a text */
    }
}
