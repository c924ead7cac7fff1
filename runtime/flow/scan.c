/* runtime/flow/scan.c: a whole JSON record against a schema, keys in any order.
 *
 * Walked from a table instead of generated: the learnt layout takes nearly all records, and one
 * table walker is one thing to test and to fuzz (measured cost of the table: a tenth). A key finds
 * its field by a hash (keys.h); values in their usual spelling are read by the inlined readers that
 * the learnt layout uses, all others by value.c. */
#include "flow/scan.h"

#include "base/num.h"
#include "base/str.h"
#include "flow/hot.h"
#include "flow/keys.h"
#include "flow/pipe.h"

#include <string.h>

typedef struct Scan {
    RtPipe *pipe;
    const char *end;
    RtScan *out;
    u32 check, unknown;
    /* check lazy: leaves still to come, the needed ones in the lower half; in the upper half, when
     * there is a filter to ask, the early ones. Else more than there can be. */
    u32 wanted;
    u32 early_failed, dropped;
} Scan;

/* Nothing is awaited in one half. */
static inline u32 complete(const Scan *s)
{
    return (s->wanted - 0x00010001u) & ~s->wanted & 0x80008000u;
}

/* Of several failures the field declared first counts, so that the answer does not depend on the
 * order of keys in the record. */
static void fail(Scan *s, const RtField *field, u32 reason)
{
    RtScan *out = s->out;
    if (!field || (field->flags & RT_EARLY)) s->early_failed = 1;
    if (out->reason && (!field || (out->field && out->field->leaf <= field->leaf))) return;
    out->reason = reason;
    out->field = field;
    out->path = field ? field->path : NULL;
}

/* All that was awaited in one half has come: whether the rest does not matter. */
static __attribute__((noinline)) int enough(Scan *s)
{
    if (!(s->wanted >> 16)) {
        s->wanted |= 0xffff0000u;
        s->dropped = !s->early_failed && !s->out->keeps(s->pipe, s->out->value, s->out->has);
        if (s->dropped && !s->pipe->watch) s->wanted = 0xffff0000u;
    }
    return !(s->wanted & 0xffff);
}

static const char *object(Scan *s, const RtSchema *schema, const char *p, u32 depth);
static const char *list(Scan *s, const RtField *field, const char *p, u32 depth);

/* Over a value that nobody reads. A number that goes on behind its digits is looked at again. */
static inline const char *skip(const char *p, const char *end, u32 depth)
{
    const char *q = NULL;
    if (*p == '"')
        q = rt_plain(p + 1);
    else if ((unsigned)(*p - '0') <= 9 || *p == '-')
        q = rt_pass_number(p);
    if (__builtin_expect(!q, 0)) return rt_skip_levels(p, end, RT_JSON_DEPTH_MAX - depth);
    if (*p == '"') return q + 1;
    return (*q | 32) == 'e' ? rt_number_end(p, end) : q;
}

static int enum_is(const char *name, const char *p, u64 n)
{
    u64 i = 0;
    while (i < n && name[i] == p[i]) i++;
    return i == n && !name[n];
}

/* The usual spellings of the usual types, by the readers of the learnt layout. p behind the quote.
 * NULL: look closer. */
static inline const char *quick_text(Scan *s, const RtKey *key, const char *p, RtValue *ret)
{
    if (key->quick == RT_QUICK_TIME)
        return p[24] == '"' && rt_time24(&s->pipe->day, p, &ret->i) ? p + 25 : NULL;
    if (key->quick < RT_QUICK_STR) return NULL;
    const char *q = rt_plain(p);
    if (__builtin_expect(!q, 0)) return NULL;
    u64 n = (u64)(q - p);
    if (key->quick == RT_QUICK_STR) {
        ret->s = (RtText){p, n};
        return !key->field->bytes_max || n <= key->field->bytes_max ? q + 1 : NULL;
    }
    for (u32 i = 0; i < key->field->name_count; i++) {
        if (!enum_is(key->field->names[i], p, n)) continue;
        ret->i = i;
        return q + 1;
    }
    return NULL;
}

static inline const char *quick_number(const RtKey *key, const char *p, RtValue *ret)
{
    const char *q = NULL;
    if (key->quick == RT_QUICK_F64) {
        q = rt_short_f64(p, &ret->d);
        return q && (*q | 32) != 'e' ? q : NULL;
    }
    if (key->quick == RT_QUICK_INT)
        q = rt_short_int(p, &ret->i);
    else if (key->quick == RT_QUICK_UINT)
        q = rt_plus_int(p, &ret->i);
    return q && (*q | 32) != 'e' && *q != '.' ? q : NULL;
}

/* Whatever quick_* gave up on. */
static __attribute__((noinline)) const char *slow_value(Scan *s, const RtField *field,
                                                        const char *p, u32 depth)
{
    RtValue v;
    u32 reason = RT_FINE;
    if (field->type == RT_RECORD && *p == '{') return object(s, field->child, p + 1, depth + 1);
    if (field->type == RT_LIST && *p == '[') return list(s, field, p + 1, depth + 1);
    if (*p == 'n' && memcmp(p, "null", 4) == 0) {
        if (!(field->flags & RT_OPTIONAL)) fail(s, field, RT_MISSING_FIELD);
        return p + 4;
    }
    p = rt_value(s->pipe, field, p, s->end, RT_JSON_DEPTH_MAX - depth, &v, &reason);
    if (p && reason) fail(s, field, reason);
    if (!p || reason) return p;
    s->out->value[field->leaf] = v;
    s->out->has[field->leaf] = 1;
    return p;
}

/* The value of a needed field at p. NULL: not JSON. */
static inline __attribute__((always_inline)) const char *value(Scan *s, const RtKey *key,
                                                               const char *p, u32 depth)
{
    RtValue *to = &s->out->value[key->leaf];
    const char *q = NULL;
    if (*p == '"')
        q = quick_text(s, key, p + 1, to);
    else if ((unsigned)(*p - '0') <= 9 || *p == '-')
        q = quick_number(key, p, to);
    if (__builtin_expect(!q, 0)) return slow_value(s, key->field, p, depth);
    u32 reason = key->flags & RT_RANGED ? rt_value_check(key->field, *to) : RT_FINE;
    s->out->has[key->leaf] = !reason;
    if (__builtin_expect(reason, 0)) fail(s, key->field, reason);
    return q;
}

/* Fields that must be there and were not, one word of them. */
static __attribute__((noinline)) void fail_missing(Scan *s, const RtSchema *schema, u32 word,
                                                   u64 gaps)
{
    for (; gaps; gaps &= gaps - 1)
        fail(s, &schema->fields[64 * word + (u32)__builtin_ctzll(gaps)], RT_MISSING_FIELD);
}

static inline void missing(Scan *s, const RtKeys *keys, const u64 *seen, u32 words)
{
    const u64 *must = s->check == RT_CHECK_STRICT ? keys->required : keys->needed;
    for (u32 i = 0; i < words; i++)
        if (__builtin_expect((must[i] & ~seen[i]) != 0, 0))
            fail_missing(s, keys->schema, i, must[i] & ~seen[i]);
}

/* The value of a member that has no field, or is not wanted. */
static inline const char *other(Scan *s, u32 slot, const char *p, u32 depth)
{
    if (!slot && s->unknown == RT_UNKNOWN_REJECT) fail(s, NULL, RT_UNKNOWN_FIELD);
    return skip(p, s->end, depth);
}

static inline const char *space(const char *p, const char *end)
{
    if ((u8)*p > ' ') return p;
    return *p == ' ' && (u8)p[1] > ' ' ? p + 1 : rt_skip_space(p, end);
}

/* At a key's quote: finds its field, *ret_slot, by the hash. Behind the closing quote, or NULL. */
static inline const char *find_key(Scan *s, const RtKeys *keys, const char *p, u32 *ret_slot)
{
    const char *q = rt_plain(p + 1);
    RtValue key = {.s = {p + 1, (u64)(q - p - 1)}};
    if (__builtin_expect(!q, 0)) {
        q = rt_text(s->pipe, p + 1, s->end, &key);
        if (!q) return NULL;
    }
    *ret_slot = rt_key_find(keys, key.s.p, key.s.n);
    return q + 1;
}

/* p at a key: behind it, its colon and white space. The key expected is the one that followed the
 * same key last time; where that is mostly wrong (doubt), it is not tried. */
static inline __attribute__((always_inline)) const char *next_key(Scan *s, RtKeys *keys,
                                                                  const char *p, u32 *slot)
{
    u32 last = *slot, likely = keys->after[last];
    if (*p != '"') return NULL;
    if (likely && keys->doubt < RT_DOUBT && rt_key_is(&keys->list[likely], p + 1)) {
        *slot = likely;
        p += keys->list[likely].name_len + 2;
        if (__builtin_expect(keys->doubt, 0)) keys->doubt--;
    } else {
        if (!(p = find_key(s, keys, p, slot))) return NULL;
        keys->doubt += keys->doubt < RT_DOUBT_MAX;
        if (*slot) keys->after[last] = (u16)*slot;
    }
    p = space(p, s->end);
    return *p == ':' ? space(p + 1, s->end) : NULL;
}

/* p behind '{'. Only white space and the end of the record are looked for at `end`: the byte there
 * is 0 or a line end, at which every reader stops. `words`: of `seen`, which stays in a register
 * when there is but one. */
static inline __attribute__((always_inline)) const char *members(Scan *s, RtKeys *keys,
                                                                 const char *p, u32 depth,
                                                                 u32 words)
{
    const char *end = s->end;
    u64 seen[RT_SEEN_WORDS] = {0};
    u32 slot = 0, last = 0, all = s->check == RT_CHECK_STRICT;
    p = space(p, end);
    if (*p == '}') {
        missing(s, keys, seen, words);
        return p + 1;
    }
    for (;;) {
        slot = last;
        if (!(p = next_key(s, keys, p, &slot))) return NULL;
        const RtKey *key = &keys->list[slot];
        u64 *in = words == 1 ? seen : &seen[key->seen];
        u64 twice = *in & key->bit; /* the first wins; the bit of no field is 0 */
        *in |= key->bit;
        if (__builtin_expect(twice != 0, 0)) {
            s->pipe->n.duplicate_keys++;
            p = skip(p, end, depth);
        } else if (!(key->flags & RT_NEEDED) && !(all && slot)) {
            p = other(s, slot, p, depth);
        } else {
            s->wanted -= key->counts;
            p = value(s, key, p, depth);
            if (__builtin_expect(complete(s) != 0, 0)) {
                if (!p) return NULL;
                if (enough(s)) return end; /* in outer ones too */
            }
        }
        if (!p) return NULL;
        if (slot) last = slot;
        p = space(p, end);
        if (*p != ',') break;
        p = space(p + 1, end);
    }
    if (*p != '}') return NULL;
    missing(s, keys, seen, words);
    return p + 1;
}

static const char *object(Scan *s, const RtSchema *schema, const char *p, u32 depth)
{
    RtKeys *keys = rt_keys(rt_host(s->pipe), schema);
    if (depth > RT_JSON_DEPTH_MAX || !keys) return NULL;
    if (keys->doubt) keys->doubt--;
    return keys->words > 1 ? members(s, keys, p, depth, RT_SEEN_WORDS)
                           : members(s, keys, p, depth, 1);
}

/* One item at p, into the row that s->out points to. */
static const char *item(Scan *s, const RtKeys *keys, const char *p, u32 depth)
{
    const RtSchema *schema = keys->schema;
    const RtField *field = schema->fields;
    int null = s->end - p >= 4 && memcmp(p, "null", 4) == 0;
    memset(s->out->has, 0, schema->leaf_count);
    if (!field->name_len && !null) return value(s, &keys->list[1], p, depth);
    if (field->name_len && *p == '{') return object(s, schema, p + 1, depth + 1);
    if (field->name_len || !(field->flags & RT_OPTIONAL)) {
        fail(s, field, null ? RT_MISSING_FIELD : RT_BAD_VALUE);
        if (field->name_len) s->out->path = ""; /* the item itself */
    }
    return null ? p + 4 : skip(p, s->end, depth);
}

/* "samples[3]", "lines[3].quantity", "matrix[2][1]". */
const char *rt_item_path(RtPipe *pipe, const char *of, u64 index, const char *inside)
{
    if (!inside) return NULL;
    u64 left = strlen(of), right = strlen(inside);
    char *path = rt_scratch(pipe, left + right + 24), *w = path;
    if (!path) return of;
    memcpy(w, of, left);
    w += left;
    *w++ = '[';
    w = num_put_u64(w, index);
    *w++ = ']';
    if (right && *inside != '[') *w++ = '.';
    memcpy(w, inside, right + 1);
    return path;
}

typedef struct Items {
    char *bytes;
    u64 count, cap, stride;
} Items;

static int room_for_item(RtPipe *pipe, Items *items, u32 most)
{
    if (items->count < items->cap) return 1;
    u64 cap = items->cap ? items->cap * 2 : 8;
    if (cap > most) cap = most;
    char *more =
        rt_scratch_grow(pipe, items->bytes, items->count * items->stride, cap * items->stride);
    if (!more) return 0;
    items->bytes = more;
    items->cap = cap;
    return 1;
}

/* p behind '['. The first item that is wrong fails the field, with its own place as path; what
 * follows it is only looked at as JSON. */
static const char *list(Scan *s, const RtField *field, const char *p, u32 depth)
{
    const RtSchema *schema = field->child;
    const RtKeys *keys = rt_keys(rt_host(s->pipe), schema);
    Items items = {NULL, 0, 0, RT_ITEM_BYTES(schema->leaf_count)};
    RtScan inner = {0};
    Scan sub = {s->pipe, s->end, &inner, s->check, s->unknown, UINT32_MAX, 0, 0};
    u32 reason = RT_FINE;
    const char *path = field->path;
    if (depth > RT_JSON_DEPTH_MAX || !keys) return NULL;
    p = rt_skip_space(p, s->end);
    int empty = p < s->end && *p == ']';
    while (!empty) {
        if (p >= s->end) return NULL;
        if (!reason &&
            (items.count == field->bytes_max || !room_for_item(s->pipe, &items, field->bytes_max)))
            reason = RT_TOO_LONG;
        if (reason) {
            p = skip(p, s->end, depth);
        } else {
            char *at = items.bytes + items.count * items.stride;
            sub.wanted = UINT32_MAX;
            inner.value = (RtValue *)(void *)at;
            inner.has = (u8 *)at + 16 * (u64)schema->leaf_count;
            p = item(&sub, keys, p, depth);
            if (inner.reason) path = rt_item_path(s->pipe, field->path, items.count, inner.path);
            reason = inner.reason;
            items.count++;
        }
        if (!p) return NULL;
        p = rt_skip_space(p, s->end);
        if (p >= s->end || (*p != ',' && *p != ']')) return NULL;
        if (*p == ']') break;
        p = rt_skip_space(p + 1, s->end);
    }
    if (reason) {
        const RtField *before = s->out->field;
        fail(s, path ? field : NULL, reason);
        if (s->out->field != before) s->out->path = path;
        return p + 1;
    }
    s->out->value[field->leaf].s.p = items.bytes ? items.bytes : "";
    s->out->value[field->leaf].s.n = items.count;
    s->out->has[field->leaf] = 1;
    return p + 1;
}

/* Both counters of Scan.wanted. */
static u32 count_wanted(const RtSchema *schema)
{
    u32 count = 0;
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if (!(field->flags & RT_NEEDED)) continue;
        if (field->type == RT_RECORD)
            count += count_wanted(field->child);
        else
            count += field->flags & RT_EARLY ? RT_COUNT_NEEDED + RT_COUNT_EARLY : RT_COUNT_NEEDED;
    }
    return count;
}

/* Taps show a row of values where a leaf must be there: what could not be read is 0 or empty. */
static void fill_gaps(RtScan *out, const RtSchema *schema, u32 optional)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        u32 may_miss = optional | (field->flags & RT_OPTIONAL);
        if (!(field->flags & RT_NEEDED)) continue;
        if (field->type == RT_RECORD) {
            fill_gaps(out, field->child, may_miss);
        } else if (!out->has[field->leaf]) {
            out->value[field->leaf].s = (RtText){NULL, 0};
            out->has[field->leaf] = !may_miss;
        }
    }
}

/* A record that has ended before its filter could be asked, or that is dropped: what is wrong with
 * fields that only a kept one needs does not count. */
static void ask_filter(Scan *s, const RtSchema *schema)
{
    RtScan *out = s->out;
    if (!s->dropped && out->reason && out->reason != RT_BAD_JSON && !s->early_failed)
        s->dropped = !out->keeps(s->pipe, out->value, out->has);
    if (!s->dropped) return;
    out->reason = RT_FINE;
    out->field = NULL;
    out->path = NULL;
    if (s->pipe->watch) fill_gaps(out, schema, 0);
}

int rt_scan_json(RtPipe *pipe, const RtSchema *schema, u32 check, u32 unknown, const char *p,
                 const char *end, RtScan *scan)
{
    Scan s = {pipe, end, scan, check, unknown, UINT32_MAX, 0, 0};
    scan->reason = RT_FINE;
    scan->field = NULL;
    scan->path = NULL;
    memset(scan->has, 0, schema->leaf_count);
    u32 wanted = check == RT_CHECK_LAZY ? count_wanted(schema) : 0,
        early = scan->keeps ? wanted >> 16 : 0;
    if (wanted) s.wanted = early ? wanted : wanted | 0xffff0000u;
    p = rt_skip_space(p, end);
    p = p < end && *p == '{' ? object(&s, schema, p + 1, 1) : NULL;
    if (!p || rt_skip_space(p, end) < end) {
        scan->reason = RT_BAD_JSON;
        scan->field = NULL;
        scan->path = NULL;
    }
    if (early && __builtin_expect(scan->reason || s.dropped, 0)) ask_filter(&s, schema);
    return (int)scan->reason;
}

const char *rt_scan_list(RtPipe *pipe, const RtSchema *item, u32 items_max, u32 check, u32 unknown,
                         const char *p, const char *end, u32 depth, RtValue *ret)
{
    u8 has = 0;
    RtScan scan = {.value = ret, .has = &has};
    Scan s = {pipe, end, &scan, check, unknown, UINT32_MAX, 0, 0};
    RtField field = {.type = RT_LIST, .bytes_max = items_max, .child = item, .path = ""};
    p = p < end && *p == '[' ? list(&s, &field, p + 1, depth + 1) : NULL;
    return scan.reason ? NULL : p;
}

/* ---- formats of one value ---- */

static int plain(const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    const RtField *field = schema->count ? schema->fields : NULL;
    RtValue v = {.s = {p, (u64)(end - p)}};
    scan->reason = RT_FINE;
    scan->field = field;
    scan->path = field ? field->path : NULL;
    memset(scan->has, 0, schema->leaf_count);
    if (!field) return RT_FINE;
    if (field->type == RT_JSON && rt_skip_value(p, end) != end) {
        scan->field = NULL;
        scan->path = NULL;
        return (int)(scan->reason = RT_BAD_JSON);
    }
    /* Well-formed it must be even when nobody reads it, as with json. */
    if (field->type == RT_STR && !str_utf8_valid(str_slice(p, v.s.n)))
        scan->reason = RT_BAD_VALUE;
    else if (field->flags & RT_NEEDED)
        scan->reason = rt_value_check(field, v);
    scan->value[field->leaf] = v;
    scan->has[field->leaf] = 1;
    return (int)scan->reason;
}

/* A line or message without the line end behind it. */
int rt_scan_text(RtPipe *pipe, const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    (void)pipe;
    if (end > p && end[-1] == '\n') end--;
    if (end > p && end[-1] == '\r') end--;
    return plain(schema, p, end, scan);
}

/* Every byte as it came; only around JSON white space means nothing. */
int rt_scan_raw(RtPipe *pipe, const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    (void)pipe;
    if (schema->count && schema->fields[0].type == RT_JSON) {
        p = rt_skip_space(p, end);
        while (end > p && rt_skip_space(end - 1, end) == end) end--;
    }
    return plain(schema, p, end, scan);
}
