/* runtime/flow/hot.h: the few primitives worth inlining into generated code.
 *
 * Pasted behind abi.h into every generated file, so it includes nothing; 16-byte vectors are the
 * compilers' own (SSE2 is the base of x86-64), elsewhere every such primitive takes the called
 * path. They serve the learnt layout: each answers NULL or 0 for anything unusual, and the record
 * is then read again by the any-order scanner, so they may give up but never accept what is wrong.
 * What follows a number is always compared with a constant next, so its end needs no check here.
 *
 * With RT_QUICK (code compiled without optimising, to run soon) most are calls of what the runtime
 * has compiled well: less to compile, and faster than the same text unoptimised. */
#ifndef TUTTI_FLOW_HOT_H
#define TUTTI_FLOW_HOT_H

#ifndef TUTTI_FLOW_ABI_H
#include "flow/abi.h" /* never in generated text: it stands above there */
#endif

typedef u64 RtLoad8 __attribute__((may_alias, aligned(1)));
typedef u32 RtLoad4 __attribute__((may_alias, aligned(1)));
typedef u16 RtLoad2 __attribute__((may_alias, aligned(1)));
#define RT_8(p) (*(const RtLoad8 *)(const void *)(p))
#define RT_4(p) (*(const RtLoad4 *)(const void *)(p))
#define RT_2(p) (*(const RtLoad2 *)(const void *)(p))
#define RT_ALL16(c)                                                                                \
    {                                                                                              \
        c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c                                             \
    }
#ifdef RT_QUICK
#define RT_RARE(x)                 (x)
#define RT_LIKELY(x)               (x)
#define RT_INLINE                  static inline __attribute__((unused))
#define rt_steady(p, behind, last) (behind) /* no bets where the processor has no time to win */
#define rt_plain                   rt->hot->plain
#define rt_line_end                rt->hot->line_end
#define rt_at_end                  rt->hot->at_end
#define rt_plus_number             rt->hot->plus_number
#define rt_pass_number             rt->hot->pass_number
#define rt_plus_f64                rt->hot->plus_f64
#define rt_short_f64               rt->hot->short_f64
#define rt_plus_int                rt->hot->plus_int
#define rt_short_int               rt->hot->short_int
#define rt_time24                  rt->hot->time24
#define rt_put_plain               rt->hot->put_plain
#define rt_watermark               rt->hot->watermark
#define rt_seen_words              rt->hot->seen_words
#define rt_seen_text               rt->hot->seen_text
#define rt_add_sketch              rt->hot->add_sketch
#else
#define RT_RARE(x)   __builtin_expect(!!(x), 0)
#define RT_LIKELY(x) __builtin_expect(!!(x), 1)
#define RT_INLINE    static inline __attribute__((unused, always_inline))

/* At the closing quote of a plain text of at most 15 bytes; NULL: longer, escaped, or not ASCII.
 * With bit 1 turned round, '"' is 32, a blank is not, and what was below 32 still is: so one signed
 * compare finds quotes, control characters and bytes above 127 at once. */
RT_INLINE const char *rt_plain(const char *p)
{
#ifdef __SSE2__
    typedef char V16 __attribute__((vector_size(16)));
    typedef V16 V16u __attribute__((may_alias, aligned(1)));
    V16 v = *(const V16u *)(const void *)p;
    V16 odd = (V16)((V16)RT_ALL16(33) > (v ^ (V16)RT_ALL16(2)));
    V16 slash = (V16)(v == (V16)RT_ALL16(92));
    u32 mask = (u32)__builtin_ia32_pmovmskb128(odd | slash);
    if (RT_RARE(!mask)) return 0;
    p += (u32)__builtin_ctz(mask);
    return RT_RARE(*p != '"') ? 0 : p;
#else
    for (u32 i = 0; i < 16; i++) {
        if (p[i] == '"') return p + i;
        if ((u8)p[i] < 32 || (u8)p[i] > 126 || p[i] == '\\') return 0;
    }
    return 0;
#endif
}

/* Behind a value that mostly has the length of the one before it: a compare instead of an addition,
 * which the processor guesses, so that it need not wait for the value's end before it reads on. The
 * empty asm keeps the compiler from seeing that both ways give the same pointer. */
RT_INLINE const char *rt_steady(const char *p, const char *behind, u64 *last)
{
    const char *guess = p + *last, *same = guess;
    __asm__("" : "+r"(same));
    if (RT_RARE(same != behind)) {
        __asm__ volatile(""); /* a branch: a conditional move would wait for what is compared */
        *last = (u64)(behind - p);
        return behind;
    }
    return guess;
}

/* The end of a line: at '\n' or at `end`, which it may read 31 bytes behind. */
RT_INLINE const char *rt_line_end(const char *p, const char *end)
{
#ifdef __SSE2__
    typedef char V16 __attribute__((vector_size(16)));
    typedef V16 V16u __attribute__((may_alias, aligned(1)));
    for (; p < end; p += 32) {
        V16 a = (V16)(*(const V16u *)(const void *)p == (V16)RT_ALL16(10));
        V16 b = (V16)(*(const V16u *)(const void *)(p + 16) == (V16)RT_ALL16(10));
        u32 mask = (u32)__builtin_ia32_pmovmskb128(a) | (u32)__builtin_ia32_pmovmskb128(b) << 16;
        if (!mask) continue;
        p += __builtin_ctz(mask);
        return p < end ? p : end;
    }
    return end;
#else
    p = __builtin_memchr(p, '\n', (u64)(end - p));
    return p ? p : end;
#endif
}

/* p is behind the record; in lines a CR may stand before the line end. */
RT_INLINE u32 rt_at_end(const char *p, const char *end, u32 lines)
{
    return p == end || (lines && (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'))));
}

/* Of 8 bytes, each ^ '0': the highest bit of each that is no digit. A point is one. */
RT_INLINE u64 rt_others(u64 x)
{
    return ((x + 0x7676767676767676ull) | x) & 0x8080808080808080ull;
}

/* How many digits there are in front of the first other byte; 0: none, or a leading zero. */
RT_INLINE u32 rt_whole(u64 x, u64 other)
{
    u32 whole = (u32)__builtin_ctzll(other) >> 3;
    return RT_RARE(!(x & 0xf0ff) && whole > 1) ? 0 : whole;
}

/* Each number has two readers: rt_plus_* is for where no '-' was ever seen and takes none. They
 * take digits and at most one point, less than 8 bytes together. */

/* A JSON number that is not converted. */
RT_INLINE const char *rt_plus_number(const char *p)
{
    u64 x = RT_8(p) ^ 0x3030303030303030ull, other = rt_others(x);
    if (RT_RARE(!other)) return 0;
    u32 whole = rt_whole(x, other);
    if (RT_RARE(!whole)) return 0;
    if (p[whole] != '.') return p + whole;
    other &= other - 1;
    if (RT_RARE(!other)) return 0;
    u32 all = (u32)__builtin_ctzll(other) >> 3;
    return RT_RARE(all == whole + 1) ? 0 : p + all;
}

RT_INLINE const char *rt_pass_number(const char *p)
{
    return rt_plus_number(p + (*p == '-'));
}

/* Up to 8 digits, right-aligned in x as values 0..9 with the first digit in the lowest byte. */
RT_INLINE u32 rt_sum8(u64 x)
{
    x = x * 10 + (x >> 8);
    return (u32)(((x & 0x000000ff000000ffull) * 0x000f424000000064ull +
                  ((x >> 16) & 0x000000ff000000ffull) * 0x0000271000000001ull) >>
                 32);
}

static const f64 rt_tens[8] __attribute__((unused)) = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};

/* Both parts of the division are exact, so one rounding. */
RT_INLINE const char *rt_plus_f64(const char *p, f64 *ret)
{
    u64 x = RT_8(p) ^ 0x3030303030303030ull, other = rt_others(x);
    if (RT_RARE(!other)) return 0;
    u32 whole = rt_whole(x, other);
    if (RT_RARE(!whole)) return 0;
    if (RT_RARE(p[whole] != '.')) {
        *ret = (f64)rt_sum8(x << (64 - 8 * whole));
        return p + whole;
    }
    u64 less = other - 1, below = (other ^ less) >> 8, up = x >> 8; /* below: the whole digits */
    other &= less;
    if (RT_RARE(!other)) return 0;
    u32 end = (u32)__builtin_ctzll(other), all = end >> 3; /* end: 8 all + 7 */
    if (RT_RARE(all == whole + 1)) return 0;
    x = ((x ^ up) & below) ^ up; /* close up over the point */
    *ret = (f64)rt_sum8(x << (79 - end)) / rt_tens[all - whole - 1];
    return p + all;
}

/* -?digits[.digits] */
RT_INLINE const char *rt_short_f64(const char *p, f64 *ret)
{
    u32 minus = *p == '-';
    union {
        f64 d;
        u64 u;
    } value;
    p = rt_plus_f64(p + minus, &value.d);
    if (RT_RARE(!p)) return 0;
    value.u ^= (u64)minus << 63; /* no branch: signs are hard to predict */
    *ret = value.d;
    return p;
}

/* digits */
RT_INLINE const char *rt_plus_int(const char *p, i64 *ret)
{
    u64 x = RT_8(p) ^ 0x3030303030303030ull, other = rt_others(x);
    if (RT_RARE(!other)) return 0;
    u32 n = rt_whole(x, other);
    if (RT_RARE(!n)) return 0;
    *ret = rt_sum8(x << (64 - 8 * n));
    return p + n;
}

/* -?digits */
RT_INLINE const char *rt_short_int(const char *p, i64 *ret)
{
    i64 sign = -(i64)(*p == '-'), value;
    p = rt_plus_int(p - sign, &value);
    if (RT_RARE(!p)) return 0;
    *ret = (value ^ sign) - sign;
    return p;
}

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" (24 bytes), when the minute is the one seen last. */
RT_INLINE u32 rt_time24(const struct RtDay *day, const char *p, i64 *ret)
{
    u64 y = RT_8(p + 16) ^ 0x5a3030302e30303aull; /* :SS.mmmZ, with tens of seconds below 6 */
    if (RT_RARE((RT_8(p) ^ day->a) | (RT_8(p + 8) ^ day->minute) |
                (((y + 0x0006060600060a00ull) | y) & 0xfff0f0f0fff0f0ffull)))
        return 0;
    u64 tens = y * 10 + (y >> 8); /* seconds in byte 1, hundredths in byte 4 */
    u32 ms = (u32)(tens >> 8 & 0xff) * 1000 + (u32)(tens >> 32 & 0xff) * 10 + (u32)(y >> 48);
    *ret = day->minute_ns + (i64)ms * 1000000;
    return 1;
}

#endif /* RT_QUICK */

/* ---- items ---- */

RT_INLINE const RtValue *rt_item_value(RtText item, u32 leaf)
{
    return (const RtValue *)(const void *)item.p + leaf;
}

RT_INLINE u8 rt_item_has(RtText item, u32 leaf_count, u32 leaf)
{
    return (u8)item.p[16 * (u64)leaf_count + leaf];
}

#ifndef RT_QUICK

/* ---- rows ---- */

/* Text into a JSON string: 16 bytes at a time while nothing needs an escape. Room: 6 n + 16. */
RT_INLINE char *rt_put_plain(const RtApi *rt, char *w, const char *p, u64 n)
{
#ifdef __SSE2__
    typedef char V16 __attribute__((vector_size(16)));
    typedef unsigned char W16 __attribute__((vector_size(16)));
    typedef V16 V16u __attribute__((may_alias, aligned(1)));
    while (n >= 16) {
        V16 v = *(const V16u *)(const void *)p;
        V16 control = (V16)((W16)v < (W16)RT_ALL16(32));
        V16 quote = (V16)(v == (V16)RT_ALL16(34));
        V16 slash = (V16)(v == (V16)RT_ALL16(92));
        if (RT_RARE(__builtin_ia32_pmovmskb128(control | quote | slash))) break;
        *(V16u *)(void *)w = v;
        p += 16;
        w += 16;
        n -= 16;
    }
#endif
    for (; n; p++, n--) {
        u8 c = (u8)*p;
        if (RT_RARE(c < 32 || c == '"' || c == '\\')) return rt->put_text(w, p, n);
        *w++ = (char)c;
    }
    return w;
}

#endif /* RT_QUICK */

/* ---- layouts ---- */

/* The record fitted the layout tried as number `turn` of this record: it is the first one next
 * time. */
RT_INLINE void rt_layout_hit(RtPipe *pipe, u32 turn)
{
    u8 which = pipe->layout[turn];
    pipe->n.layout[which]++;
    for (; turn; turn--) pipe->layout[turn] = pipe->layout[turn - 1];
    pipe->layout[0] = which;
}

/* meta.headers */
RT_INLINE RtText rt_headers(const RtPipe *pipe)
{
    return pipe->headers_len ? (RtText){pipe->headers, pipe->headers_len} : (RtText){"{}", 2};
}

#ifndef RT_QUICK

/* ---- event time ---- */

/* The `time` stage: 0 = too far ahead. `limit`: the latest event time allowed. */
RT_INLINE u32 rt_watermark(RtPipe *pipe, const RtApi *rt, i64 ns, i64 order, i64 limit)
{
    if (RT_RARE(ns > limit)) return 0;
    pipe->event_ns = ns;
    if (ns > pipe->highest_ns) {
        pipe->highest_ns = ns;
        if (ns - order > pipe->watermark_ns) pipe->watermark_ns = ns - order;
        if (RT_RARE(pipe->watermark_ns >= pipe->close_ns)) rt->close(pipe);
    }
    return 1;
}

/* ---- slots of windows ---- */

/* A text of at most 16 bytes as two words, different for different texts of one length. */
RT_INLINE void rt_key_words(const char *p, u64 n, u64 *ret_a, u64 *ret_b)
{
    *ret_b = 0;
    if (n >= 8) {
        *ret_a = RT_8(p);
        *ret_b = RT_8(p + n - 8);
    } else if (n >= 4) {
        *ret_a = RT_4(p) | (u64)RT_4(p + n - 4) << 32;
    } else {
        *ret_a = n ? (u8)p[0] | (u64)(u8)p[n / 2] << 8 | (u64)(u8)p[n - 1] << 16 : 0;
    }
}

/* The first of the two places a key may be in. */
RT_INLINE RtSeen *rt_seen_at(const RtSeenTable *table, u64 a, u64 b)
{
    u64 h = (a ^ (b << 23 | b >> 41)) * 0x9e3779b97f4a7c15ull; /* a == b when a text has 8 bytes */
    return table->list + ((h ^ h << 29) >> table->shift);
}

/* The slot of a key in the tumbling window of `ns`, when it was found before; else 0: RtApi.slot
 * looks for it then. `event_time`: the window may have closed meanwhile. */
RT_INLINE void *rt_seen_words(RtPipe *pipe, u32 window, i64 ns, i64 size, u32 event_time, u64 a,
                              u64 b, u64 len)
{
    const RtSeen *at = rt_seen_at(&pipe->seen[window], a, b);
    if (RT_RARE((at->a ^ a) | (at->b ^ b) | (at->len ^ (len + 1)))) {
        at++;
        if ((at->a ^ a) | (at->b ^ b) | (at->len ^ (len + 1))) return 0;
    }
    u32 which = (u64)ns - (u64)at->start_ns[0] >= (u64)size;
    i64 start_ns = at->start_ns[which];
    void *slot = at->slot[which];
    if (RT_RARE((u64)ns - (u64)start_ns >= (u64)size)) return 0;
    if (event_time && RT_RARE(start_ns + size <= pipe->watermark_ns)) return 0;
    if (RT_RARE(!slot)) return 0;
    RtSlotHead *head = (RtSlotHead *)slot - 1;
    head->count++;
    head->last_ns = ns;
    return slot;
}

RT_INLINE void *rt_seen_text(RtPipe *pipe, u32 window, i64 ns, i64 size, u32 event_time, RtText key)
{
    u64 a, b;
    if (RT_RARE(key.n > 16)) return 0;
    rt_key_words(key.p, key.n, &a, &b);
    return rt_seen_words(pipe, window, ns, size, event_time, a, b, key.n);
}

#endif /* RT_QUICK */

/* ---- aggregates ---- */

RT_INLINE void rt_add_f64(RtSum *s, f64 x)
{
    s->n++;
    s->sum.d += x;
}

/* 0 = overflow: nothing is added */
RT_INLINE u32 rt_add_i64(RtSum *s, i64 x)
{
    i64 sum;
    if (__builtin_add_overflow(s->sum.i, x, &sum)) return 0;
    s->n++;
    s->sum.i = sum;
    return 1;
}

RT_INLINE u32 rt_add_u64(RtSum *s, u64 x)
{
    u64 sum;
    if (__builtin_add_overflow(s->sum.u, x, &sum)) return 0;
    s->n++;
    s->sum.u = sum;
    return 1;
}

/* Whether it fits, before anything of the record is added. */
RT_INLINE u32 rt_fits_i64(const RtSum *s, i64 x)
{
    i64 sum;
    return !__builtin_add_overflow(s->sum.i, x, &sum);
}

RT_INLINE u32 rt_fits_u64(const RtSum *s, u64 x)
{
    u64 sum;
    return !__builtin_add_overflow(s->sum.u, x, &sum);
}

#define RT_PICK(name, type, member, test)                                                          \
    RT_INLINE void name(RtPick *s, type x)                                                         \
    {                                                                                              \
        if (!s->n || (test)) s->value.member = x;                                                  \
        s->n++;                                                                                    \
    }
RT_PICK(rt_min_f64, f64, d, x < s->value.d)
RT_PICK(rt_max_f64, f64, d, x > s->value.d)
RT_PICK(rt_first_f64, f64, d, 0)
RT_PICK(rt_last_f64, f64, d, 1)
RT_PICK(rt_min_i64, i64, i, x < s->value.i)
RT_PICK(rt_max_i64, i64, i, x > s->value.i)
RT_PICK(rt_first_i64, i64, i, 0)
RT_PICK(rt_last_i64, i64, i, 1)
RT_PICK(rt_min_u64, u64, u, x < s->value.u)
RT_PICK(rt_max_u64, u64, u, x > s->value.u)
RT_PICK(rt_first_u64, u64, u, 0)
RT_PICK(rt_last_u64, u64, u, 1)

/* text: bytes behind the RtPick, room for bytes_max */
RT_INLINE void rt_keep_text(RtPick *s, char *text, RtValue x, u32 replace)
{
    if (!s->n || replace) {
        __builtin_memcpy(text, x.s.p, x.s.n);
        s->value.s.n = x.s.n;
    }
    s->n++;
}

RT_INLINE void rt_add_variance(RtVariance *s, f64 x)
{
    f64 d = x - s->mean;
    s->n++;
    s->mean += d / (f64)s->n;
    s->m2 += d * (x - s->mean);
}

#ifndef RT_QUICK
/* Makes room for one more; 0 = there is none */
RT_INLINE u32 rt_room_sketch(RtPipe *pipe, const RtApi *rt, u32 window, RtSketch *s, f64 x,
                             u32 bits)
{
    return x == 0 || s->used < s->cap || rt->sketch_room(pipe, window, s, bits);
}

/* 0 = no room for more state */
RT_INLINE u32 rt_add_sketch(RtPipe *pipe, const RtApi *rt, u32 window, RtSketch *s, f64 x, u32 bits)
{
    union {
        f64 d;
        u64 u;
    } v = {x};
    if (RT_RARE(x == 0)) {
        s->n++;
        s->zeros++;
        return 1;
    }
    if (RT_RARE(s->used == s->cap) && !rt->sketch_room(pipe, window, s, bits)) return 0;
    s->list[s->used++] = (u32)(v.u >> (52 - bits));
    return 1;
}
#endif /* RT_QUICK */

#endif
