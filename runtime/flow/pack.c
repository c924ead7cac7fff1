/* runtime/flow/pack.c: a record in a format of bytes against a schema, keys in any order.
 *
 * The same rules as for JSON (scan.c): the first of equal keys counts, of several failures that of
 * the field declared first is reported, and a record that is not well-formed is nothing but that.
 * A key that is no text is one that no field has. The key expected is the one that followed the
 * same key last time. */
#include "flow/pack.h"

#include "flow/keys.h"
#include "flow/list.h"
#include "flow/pack_quick.h"
#include "flow/pipe.h"
#include "flow/proto.h"

#include <string.h>

typedef struct Pack {
    RtPipe *pipe;
    const PackFormat *format;
    const char *end;
    RtScan *out;
    u32 number; /* RtFormat */
    u32 check, unknown;
    u32 wanted; /* check lazy: needed leaves still to come; else more than there can be */
} Pack;

const PackFormat *rt_pack_format(u32 format)
{
    static const PackFormat *const formats[RT_FORMAT__COUNT] = {
        [RT_FORMAT_MSGPACK] = &rt_msgpack, [RT_FORMAT_CBOR] = &rt_cbor};
    return format < RT_FORMAT__COUNT ? formats[format] : NULL;
}

const char *rt_pack_rest(const PackFormat *format, const PackHead *head, const char *p,
                         const char *end, u32 levels, PackHead *ret_why)
{
    PackHead all = {0};
    if (head->kind != PACK_LIST && head->kind != PACK_MAP) {
        if (!head->open) return p;
        p = format->join(head, p, end, &all, NULL);
        if (!p && ret_why) *ret_why = all;
        return p;
    }
    u64 each = head->kind == PACK_MAP ? 2 : 1;
    if (!levels) {
        if (ret_why) ret_why->kind = PACK_BAD;
        return NULL;
    }
    for (u64 i = 0; p && pack_more(head, i, &p, end); i++)
        for (u64 k = 0; p && k < each; k++) p = rt_pack_pass(format, p, end, levels - 1, ret_why);
    return p;
}

const char *rt_pack_pass(const PackFormat *format, const char *p, const char *end, u32 levels,
                         PackHead *ret_why)
{
    PackHead head = {0};
    p = format->head(p, end, &head);
    if (p) return rt_pack_rest(format, &head, p, end, levels, ret_why);
    if (ret_why) *ret_why = head;
    return NULL;
}

static void fail(Pack *s, const RtField *field, u32 reason)
{
    RtScan *out = s->out;
    if (out->reason && (!field || (out->field && out->field->leaf <= field->leaf))) return;
    out->reason = reason;
    out->field = field;
    out->path = field ? field->path : NULL;
}

static const char *skip(const Pack *s, const char *p, u32 depth)
{
    return rt_pack_pass(s->format, p, s->end, RT_DEPTH_MAX - depth, NULL);
}

/* The head of the item at p; what came in parts is put together. */
static const char *next(const Pack *s, const char *p, PackHead *h)
{
    p = s->format->head(p, s->end, h);
    if (!p || !h->open || (h->kind != PACK_TEXT && h->kind != PACK_BYTES)) return p;
    PackHead all = {0};
    if (!s->format->join(h, p, s->end, &all, NULL)) return NULL;
    char *to = rt_scratch(s->pipe, all.n + 8); /* a key is looked at eight bytes at a time */
    p = s->format->join(h, p, s->end, &all, to);
    *h = all;
    if (!to) h->kind = PACK_OTHER;
    return p;
}

static const char *object(Pack *s, const RtSchema *schema, const PackHead *head, const char *p,
                          u32 depth);
static const char *list(Pack *s, const RtField *field, const PackHead *head, const char *p,
                        u32 depth);

/* A list that is a decimal number: what is in it, and how many items. */
static const char *fraction(Pack *s, const RtField *field, const PackHead *head, const char *p,
                            u32 depth)
{
    PackHead part[2] = {{0}, {0}};
    RtValue v;
    u64 n = 0;
    for (; pack_more(head, n, &p, s->end); n++) {
        const char *at = p;
        if (!(p = skip(s, p, depth + 1))) return NULL;
        if (n < 2) (void)next(s, at, &part[n]);
    }
    u32 reason = n == 2 ? rt_pack_fraction(field, &part[0], &part[1], &v) : rt_wrong_type(field);
    if (reason) {
        fail(s, field, reason);
        return p;
    }
    s->out->value[field->leaf] = v;
    s->out->has[field->leaf] = 1;
    return p;
}

/* The item at p for a needed field. NULL: not well-formed. */
static const char *value(Pack *s, const RtField *field, const char *p, u32 depth)
{
    PackHead head = {0};
    RtValue v;
    p = next(s, p, &head);
    if (!p) return NULL;
    if (head.kind == PACK_LIST && head.mark == PACK_MARK_FRACTION && field->type != RT_LIST)
        return depth < RT_DEPTH_MAX ? fraction(s, field, &head, p, depth) : NULL;
    if (field->type == RT_RECORD && head.kind == PACK_MAP)
        return object(s, field->child, &head, p, depth + 1);
    if (field->type == RT_LIST && head.kind == PACK_LIST)
        return list(s, field, &head, p, depth + 1);
    if (head.kind == PACK_NIL) {
        if (!(field->flags & RT_OPTIONAL)) fail(s, field, RT_MISSING_FIELD);
        return p;
    }
    u32 reason = rt_pack_value(s->pipe, field, &head, &v);
    if (!reason) {
        s->out->value[field->leaf] = v;
        s->out->has[field->leaf] = 1;
        return p;
    }
    p = rt_pack_rest(s->format, &head, p, s->end, RT_DEPTH_MAX - depth, NULL);
    if (p) fail(s, field, reason);
    return p;
}

static void missing(Pack *s, const RtKeys *keys, const u64 *seen)
{
    const u64 *must = s->check == RT_CHECK_STRICT ? keys->required : keys->needed;
    for (u32 i = 0; i < keys->words; i++)
        for (u64 gaps = must[i] & ~seen[i]; gaps; gaps &= gaps - 1)
            fail(s, &keys->schema->fields[64 * i + (u32)__builtin_ctzll(gaps)], RT_MISSING_FIELD);
}

static inline int key_is(const RtKey *key, const char *p, u64 n)
{
    if (key->name_len != n) return 0;
    return n < 8 ? !((RT_8(p) ^ key->word) << (64 - 8 * n)) : !memcmp(key->field->name, p, n);
}

/* Behind the key at p, and which field it is: 0 is none. */
static const char *next_key(const Pack *s, RtKeys *keys, const char *p, u32 depth, u32 *slot)
{
    PackHead head = {0};
    u32 likely = keys->after[*slot];
    p = next(s, p, &head);
    if (!p) return NULL;
    if (head.kind != PACK_TEXT) {
        *slot = 0;
        return rt_pack_rest(s->format, &head, p, s->end, RT_DEPTH_MAX - depth, NULL);
    }
    if (likely && head.n && key_is(&keys->list[likely], head.p, head.n)) {
        *slot = likely;
        return p;
    }
    u32 found = rt_key_find(keys, head.p, head.n);
    if (found) keys->after[*slot] = (u16)found;
    *slot = found;
    return p;
}

static const char *object(Pack *s, const RtSchema *schema, const PackHead *head, const char *p,
                          u32 depth)
{
    RtKeys *keys = rt_keys(rt_host(s->pipe), schema);
    PackPairs at = {
        .left = head->open ? 0 : head->n, .all = s->check == RT_CHECK_STRICT, .wanted = s->wanted};
    u64 *seen = at.seen;
    if (depth > RT_DEPTH_MAX || !keys) return NULL;
    for (u64 i = 0;; i++) {
        if (at.left) {
            p = rt_pack_pairs(s->pipe, s->number, keys, s->out, p, s->end, &at);
            s->wanted = at.wanted;
            if (!s->wanted) return s->end; /* in outer ones too */
            i = head->n - at.left;
        }
        if (!pack_more(head, i, &p, s->end)) break;
        if (at.left) at.left--;
        u32 slot = at.last;
        if (!(p = next_key(s, keys, p, depth, &slot))) return NULL;
        const RtKey *key = &keys->list[slot];
        u64 twice = seen[key->seen] & key->bit; /* the bit of no field is 0 */
        seen[key->seen] |= key->bit;
        if (slot) at.last = slot;
        if (twice) {
            s->pipe->n.duplicate_keys++;
            p = skip(s, p, depth);
        } else if (!(key->flags & RT_NEEDED) && !(at.all && slot)) {
            if (!slot && s->unknown == RT_UNKNOWN_REJECT) fail(s, NULL, RT_UNKNOWN_FIELD);
            p = skip(s, p, depth);
        } else {
            s->wanted -= key->counts;
            p = value(s, key->field, p, depth);
            if (!s->wanted) return p ? s->end : NULL;
        }
        if (!p) return NULL;
        at.wanted = s->wanted;
    }
    missing(s, keys, seen);
    return p;
}

/* ---- lists, as scan.c lays them out ---- */

/* One item at p, into the row that s->out points to. */
static const char *item(Pack *s, const RtSchema *schema, const char *p, u32 depth)
{
    const RtField *field = schema->fields;
    PackHead head = {0};
    memset(s->out->has, 0, schema->leaf_count);
    if (rt_nameless_item(schema)) {
        const char *q = rt_pack_one(s->pipe, s->number, field, p, s->end, s->out->value);
        s->out->has[0] = q != NULL;
        return q ? q : value(s, field, p, depth);
    }
    p = s->format->head(p, s->end, &head);
    if (!p) return NULL;
    if (head.kind == PACK_MAP) return object(s, schema, &head, p, depth + 1);
    fail(s, field, head.kind == PACK_NIL ? RT_MISSING_FIELD : RT_BAD_VALUE);
    s->out->path = ""; /* the item itself */
    return rt_pack_rest(s->format, &head, p, s->end, RT_DEPTH_MAX - depth, NULL);
}

/* Takes place for one more item; 0: there are too many, or no memory. */
static int grow(const Pack *s, char **items, u64 count, u64 *cap, u64 stride, u32 most)
{
    if (count < *cap) return 1;
    u64 more = *cap ? *cap * 2 : 8;
    if (more > most) more = most;
    if (count >= more) return 0;
    char *bytes = rt_scratch_grow(s->pipe, *items, count * stride, more * stride);
    if (!bytes) return 0;
    *items = bytes;
    *cap = more;
    return 1;
}

/* The first item that is wrong fails the field, with its own place as path; what follows it is
 * only passed over. */
static const char *list(Pack *s, const RtField *field, const PackHead *head, const char *p,
                        u32 depth)
{
    const RtSchema *schema = field->child;
    u64 stride = RT_ITEM_BYTES(schema->leaf_count), cap = 0;
    char *items = NULL;
    RtScan inner = {0};
    Pack sub = {s->pipe, s->format, s->end, &inner, s->number, s->check, s->unknown, UINT32_MAX};
    u32 reason = RT_FINE;
    const char *path = field->path;
    if (depth > RT_DEPTH_MAX) return NULL;
    u64 i = 0;
    for (; pack_more(head, i, &p, s->end); i++) {
        if (!reason && !grow(s, &items, i, &cap, stride, field->bytes_max)) reason = RT_TOO_LONG;
        if (reason) {
            p = skip(s, p, depth);
        } else {
            char *at = items + i * stride;
            inner.value = (RtValue *)(void *)at;
            inner.has = (u8 *)at + 16 * (u64)schema->leaf_count;
            p = item(&sub, schema, p, depth);
            if (inner.reason) path = rt_item_path(s->pipe, field->path, i, inner.path);
            reason = inner.reason;
        }
        if (!p) return NULL;
    }
    if (reason) {
        const RtField *before = s->out->field;
        fail(s, path ? field : NULL, reason);
        if (s->out->field != before) s->out->path = path;
        return p;
    }
    s->out->value[field->leaf].s = (RtText){items ? items : "", i};
    s->out->has[field->leaf] = 1;
    return p;
}

/* ---- a record ---- */

static u32 count_wanted(const RtSchema *schema)
{
    u32 count = 0;
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if (!(field->flags & RT_NEEDED)) continue;
        count += field->type == RT_RECORD ? count_wanted(field->child) : 1;
    }
    return count;
}

/* A message that was cut off may look like a whole one. */
static int proto(RtPipe *pipe, const RtSchema *schema, u32 unknown, const char *p, const char *end,
                 RtScan *scan)
{
    const RtProto *fields = pipe->info->sources[pipe->source].proto;
    if (rt_host(pipe)->broken == p) fields = NULL;
    return rt_scan_proto(pipe, fields, schema, unknown, p, end, scan);
}

int rt_scan_bytes(RtPipe *pipe, u32 format, const RtSchema *schema, u32 check, u32 unknown,
                  const char *p, const char *end, RtScan *scan)
{
    if (format == RT_FORMAT_PROTOBUF) return proto(pipe, schema, unknown, p, end, scan);
    Pack s = {pipe, rt_pack_format(format), end, scan, format, check, unknown, UINT32_MAX};
    PackHead head = {0};
    scan->reason = RT_FINE;
    scan->field = NULL;
    scan->path = NULL;
    memset(scan->has, 0, schema->leaf_count);
    u32 wanted = check == RT_CHECK_LAZY ? count_wanted(schema) : 0;
    if (wanted) s.wanted = wanted;
    p = s.format ? s.format->head(p, end, &head) : NULL;
    if (p) p = head.kind == PACK_MAP ? object(&s, schema, &head, p, 1) : NULL;
    if (p != end) {
        scan->reason = RT_BAD_RECORD;
        scan->field = NULL;
        scan->path = NULL;
    }
    return (int)scan->reason;
}
