/* runtime/base/str.c: comparing, searching and checking slices of bytes. Owns nothing. */
#include "base/str.h"

int str_cmp(Str a, Str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order) return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

ptrdiff_t str_find(Str hay, Str needle)
{
    if (needle.len == 0) return 0;
    if (hay.len < needle.len) return -1;
    const char *at = memmem(hay.ptr, hay.len, needle.ptr, needle.len);
    return at ? at - hay.ptr : -1;
}

ptrdiff_t str_find_char(Str hay, char needle)
{
    const char *at = hay.len ? memchr(hay.ptr, needle, hay.len) : NULL;
    return at ? at - hay.ptr : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

Str str_trim(Str a)
{
    while (a.len && is_space(a.ptr[0])) a = str_skip(a, 1);
    while (a.len && is_space(a.ptr[a.len - 1])) a.len--;
    return a;
}

/* Bytes of the sequence that starts at p (1-4), or 0 when it is not well-formed. The second byte
 * carries the extra limits of Unicode table 3-7; all further ones are 80..BF. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0], lo = 0x80, hi = 0xBF;
    if (lead < 0x80) return 1;
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < want) return 0;
    if (lead == 0xE0) lo = 0xA0;
    if (lead == 0xED) hi = 0x9F;
    if (lead == 0xF0) lo = 0x90;
    if (lead == 0xF4) hi = 0x8F;
    if (p[1] < lo || p[1] > hi) return 0;
    for (size_t i = 2; i < want; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return want;
}

bool str_utf8_valid(Str a)
{
    const unsigned char *p = (const unsigned char *)a.ptr;
    for (size_t i = 0; i < a.len;) {
        uint64_t word;
        if (a.len - i >= sizeof word) {
            memcpy(&word, p + i, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                i += sizeof word;
                continue;
            }
        }
        size_t step = utf8_sequence(p + i, a.len - i);
        if (step == 0) return false;
        i += step;
    }
    return true;
}

bool str_to_i64(Str a, int64_t *ret_value)
{
    bool negative = a.len && a.ptr[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, value = 0;
    if (negative) a = str_skip(a, 1);
    if (a.len == 0 || a.len > 19) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] < '0' || a.ptr[i] > '9') return false;
        value = value * 10 + (uint64_t)(a.ptr[i] - '0');
    }
    if (value > limit) return false;
    *ret_value = (int64_t)(negative ? 0 - value : value);
    return true;
}
