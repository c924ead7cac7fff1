/* runtime/flow/item.c: rows that outlive their record (see item.h).
 *
 * The recursion goes as deep as lists stand inside lists in the type, which the checker bounds. */
#include "flow/item.h"

#include "flow/dict.h"
#include "flow/list.h"
#include "flow/pipe.h"

#include <string.h>

static u64 padded(u64 bytes)
{
    return (bytes + 15) / 16 * 16;
}

/* Calls for every leaf: nested records are part of the row. */
static u64 parts_bytes(const RtSchema *schema, const RtValue *values, const u8 *has)
{
    u64 bytes = 0;
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD) {
            bytes += parts_bytes(f->child, values, has);
        } else if (has[f->leaf] && rt_is_text(f->type)) {
            bytes += padded(values[f->leaf].s.n);
        } else if (has[f->leaf] && f->type == RT_LIST) {
            u32 leaves = f->child->leaf_count;
            const char *item = values[f->leaf].s.p;
            bytes += padded(values[f->leaf].s.n * RT_ITEM_BYTES(leaves));
            for (u64 n = 0; n < values[f->leaf].s.n; n++, item += RT_ITEM_BYTES(leaves))
                bytes += parts_bytes(f->child, (const RtValue *)(const void *)item,
                                     (const u8 *)item + sizeof(RtValue) * leaves);
        }
    }
    return bytes;
}

u64 rt_pack_bytes(const RtSchema *schema, const RtValue *values, const u8 *has)
{
    return padded(RT_ITEM_BYTES(schema->leaf_count)) + parts_bytes(schema, values, has);
}

/* `values` and `has` are already the copy; what they point to goes to `to`. Returns behind it. */
static char *pack_parts(const RtSchema *schema, RtValue *values, const u8 *has, char *to)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        RtValue *v = &values[f->leaf];
        if (f->type == RT_RECORD) {
            to = pack_parts(f->child, values, has, to);
        } else if (has[f->leaf] && rt_is_text(f->type)) {
            if (v->s.n) memcpy(to, v->s.p, v->s.n);
            v->s.p = to;
            to += padded(v->s.n);
        } else if (has[f->leaf] && f->type == RT_LIST) {
            u32 leaves = f->child->leaf_count;
            char *item = to;
            if (v->s.n) memcpy(to, v->s.p, v->s.n * RT_ITEM_BYTES(leaves));
            v->s.p = to;
            to += padded(v->s.n * RT_ITEM_BYTES(leaves));
            for (u64 n = 0; n < v->s.n; n++, item += RT_ITEM_BYTES(leaves))
                to = pack_parts(f->child, (RtValue *)(void *)item,
                                (u8 *)item + sizeof(RtValue) * leaves, to);
        }
    }
    return to;
}

void rt_pack(const RtSchema *schema, const RtValue *values, const u8 *has, char *to)
{
    u32 leaves = schema->leaf_count;
    memcpy(to, values, sizeof *values * leaves);
    memcpy(to + sizeof *values * leaves, has, leaves);
    (void)pack_parts(schema, (RtValue *)(void *)to, (const u8 *)to + sizeof *values * leaves,
                     to + padded(RT_ITEM_BYTES(leaves)));
}

/* Per leaf: u8 has; when there: 8 bytes, or u32 length and bytes, or u32 items and their leaves. */
void rt_row_save(const RtSchema *schema, const RtValue *values, const u8 *has, Buf *out)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD) {
            rt_row_save(f->child, values, has, out);
            continue;
        }
        const RtValue *v = &values[f->leaf];
        u32 n = (u32)v->s.n;
        buf_add(out, &has[f->leaf], 1);
        if (!has[f->leaf]) continue;
        if (rt_is_text(f->type)) {
            buf_add(out, &n, 4);
            buf_add(out, v->s.p, n);
        } else if (f->type == RT_LIST) {
            u32 leaves = f->child->leaf_count;
            const char *item = v->s.p;
            buf_add(out, &n, 4);
            for (u32 k = 0; k < n; k++, item += RT_ITEM_BYTES(leaves))
                rt_row_save(f->child, (const RtValue *)(const void *)item,
                            (const u8 *)item + sizeof(RtValue) * leaves, out);
        } else {
            buf_add(out, v, 8);
        }
    }
}

static int take(Str *bytes, void *to, u64 n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

static int load_list(RtPipe *pipe, const RtField *f, Str *bytes, RtValue *ret)
{
    u32 n, leaves = f->child->leaf_count;
    if (!take(bytes, &n, 4) || n > f->bytes_max || n > bytes->len) return 0;
    char *item = rt_scratch(pipe, (u64)n * RT_ITEM_BYTES(leaves) + 16);
    if (!item) return 0;
    memset(item, 0, (u64)n * RT_ITEM_BYTES(leaves));
    ret->s.p = item;
    ret->s.n = n;
    for (u32 k = 0; k < n; k++, item += RT_ITEM_BYTES(leaves))
        if (!rt_row_load(pipe, f->child, bytes, (RtValue *)(void *)item,
                         (u8 *)item + sizeof(RtValue) * leaves))
            return 0;
    return 1;
}

int rt_row_load(RtPipe *pipe, const RtSchema *schema, Str *bytes, RtValue *values, u8 *has)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        u32 n;
        if (f->type == RT_RECORD) {
            if (!rt_row_load(pipe, f->child, bytes, values, has)) return 0;
            continue;
        }
        RtValue *v = &values[f->leaf];
        if (!take(bytes, &has[f->leaf], 1) || has[f->leaf] > 1) return 0;
        v->s = (RtText){"", 0};
        if (!has[f->leaf]) continue;
        if (rt_is_text(f->type)) {
            if (!take(bytes, &n, 4) || bytes->len < n || n > f->bytes_max) return 0;
            v->s = (RtText){bytes->ptr, n};
            *bytes = str_skip(*bytes, n);
        } else if (f->type == RT_LIST) {
            if (!load_list(pipe, f, bytes, v)) return 0;
        } else {
            v->u = 0;
            if (!take(bytes, v, 8)) return 0;
            if (f->type == RT_ENUM && v->u >= f->name_count) return 0;
        }
    }
    return 1;
}
