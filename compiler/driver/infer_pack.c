/* compiler/driver/infer_pack.c: records of msgpack and cbor as `tutti infer` looks at them.
 *
 * Each becomes the tree that JSON of it would be, but for bytes, which JSON has not (infer.h). A
 * key that is no text is left out, as no field has one. */
#include "compiler/driver/infer_pack.h"

#include "base/num.h"
#include "base/rfc3339.h"
#include "flow/instance.h"
#include "flow/pack.h"

#include <math.h>
#include <string.h>

enum { READ_BYTES = 1 << 20, CUT_RECORDS = 64 };

typedef struct Tree {
    const PackFormat *format;
    Arena *arena;
    const char *end;
    bool failed; /* no memory */
} Tree;

static const char *tree(Tree *t, const char *p, Json *ret, u32 levels);

static Str number_text(Tree *t, const PackHead *h)
{
    char *text = arena_alloc(t->arena, PACK_TEXT_BYTES), *w = text;
    t->failed |= !text;
    if (!text) return STR("0");
    if (h->negative) *w++ = '-';
    w = num_put_u64(w, h->n + (h->negative && h->n < UINT64_MAX));
    return str_slice(text, (size_t)(w - text));
}

static void whole(Tree *t, const PackHead *h, Json *ret)
{
    ret->type = h->n <= INT64_MAX ? JSON_INT : JSON_NUMBER;
    ret->integer = h->negative ? -1 - (int64_t)h->n : (int64_t)h->n;
    ret->number = h->negative ? -1 - (double)h->n : (double)h->n;
    ret->raw = number_text(t, h);
}

static void time_text(Tree *t, int64_t ns, Json *ret)
{
    char *text = arena_alloc(t->arena, RFC3339_BYTES + 1);
    t->failed |= !text;
    ret->type = JSON_STRING;
    if (text) ret->text = ret->raw = str_slice(text, (size_t)(rfc3339_put(text, ns) - text));
}

static void text(const PackHead *h, Json *ret)
{
    ret->type = JSON_STRING;
    ret->text = str_slice(h->p, (size_t)h->n);
    if (h->kind == PACK_TEXT) ret->raw = ret->text;
}

/* What came in parts is put together. */
static const char *joined(Tree *t, const char *p, PackHead *h)
{
    PackHead all = {0};
    if (!h->open || (h->kind != PACK_TEXT && h->kind != PACK_BYTES)) return p;
    if (!t->format->join(h, p, t->end, &all, NULL)) return NULL;
    char *to = arena_alloc(t->arena, all.n + 1);
    t->failed |= !to;
    if (!to) return NULL;
    p = t->format->join(h, p, t->end, &all, to);
    *h = all;
    return p;
}

static const char *items(Tree *t, const PackHead *h, const char *p, Json *ret, u32 levels)
{
    Json **last = &ret->first;
    ret->type = h->kind == PACK_MAP ? JSON_OBJECT : JSON_ARRAY;
    if (!levels) return NULL;
    for (u64 i = 0; p && pack_more(h, i, &p, t->end); i++) {
        Json *one = arena_one(t->arena, Json), key = {0};
        t->failed |= !one;
        if (!one) return NULL;
        if (h->kind == PACK_MAP && !(p = tree(t, p, &key, levels - 1))) return NULL;
        p = tree(t, p, one, levels - 1);
        one->key = key.text;
        if (h->kind == PACK_MAP && (key.type != JSON_STRING || !key.raw.ptr)) continue;
        *last = one;
        last = &one->next;
        ret->count++;
    }
    return p;
}

/* Seconds since 1970 that a tag says of a number. */
static void epoch(Tree *t, const PackHead *h, Json *ret)
{
    double s = h->kind == PACK_FLOAT ? h->d : h->negative ? -1 - (double)h->n : (double)h->n;
    bool fits = s > -9e9 && s < 9e9;
    time_text(t, fits ? (int64_t)(s * 1e9) : 0, ret);
}

/* The item at p; NULL: not well-formed. */
static const char *tree(Tree *t, const char *p, Json *ret, u32 levels)
{
    PackHead h = {0};
    *ret = (Json){.type = JSON_NULL};
    p = t->format->head(p, t->end, &h);
    if (p) p = joined(t, p, &h);
    if (!p) return NULL;
    bool number = h.kind == PACK_INT || h.kind == PACK_FLOAT;
    if (h.mark == PACK_MARK_EPOCH && number) {
        epoch(t, &h, ret);
        return p;
    }
    switch (h.kind) {
    case PACK_BOOL: ret->type = h.n ? JSON_TRUE : JSON_FALSE; break;
    case PACK_INT: whole(t, &h, ret); break;
    case PACK_FLOAT:
        ret->type = isfinite(h.d) ? JSON_NUMBER : JSON_NULL; /* no field holds others */
        ret->number = h.d;
        ret->raw = STR("0.5");
        break;
    case PACK_TEXT:
    case PACK_BYTES: text(&h, ret); break;
    case PACK_TIME: time_text(t, h.ns, ret); break;
    case PACK_LIST:
    case PACK_MAP: return items(t, &h, p, ret, levels);
    default: break;
    }
    return p;
}

static Status one(Infer *in, Arena *scratch, uint32_t format, const RtRecord *record, Diag *why)
{
    Tree t = {rt_pack_format(format), scratch, record->ptr + record->len, false};
    Json json;
    arena_reset(scratch);
    const char *behind = tree(&t, record->ptr, &json, RT_DEPTH_MAX);
    if (t.failed || behind != t.end)
        return diag_set(why, ST_INVALID, t.failed ? "a record too large" : "not well-formed");
    Status st = infer_record(in, &json);
    return st == ST_INVALID ? diag_set(why, st, "a record is a map") : st;
}

static Status all(Infer *in, uint32_t format, FILE *file, InferLeft *left, Buf *buf, Arena *scratch)
{
    Status st = ST_OK;
    bool ended = false, broken = false;
    for (uint64_t number = 0; !st && !broken && (!ended || buf->len);) {
        RtRecord records[CUT_RECORDS];
        char *room = buf_reserve(buf, READ_BYTES + RT_PAD_BYTES);
        if (!room) return ST_NO_MEMORY;
        size_t n = ended ? 0 : fread(room, 1, READ_BYTES, file);
        ended |= n == 0;
        buf->len += n;
        memset(buf->ptr + buf->len, 0, RT_PAD_BYTES);
        size_t done = 0;
        for (FlowCut cut = {.count = 1}; cut.count && !st && !cut.broken; done += cut.bytes) {
            cut = flow_cut(format, str_skip(buf_view(buf), done), ended, records, CUT_RECORDS);
            broken = cut.broken;
            for (uint32_t i = 0; i < cut.count && !st; i++) {
                Diag why = {0};
                st = one(in, scratch, format, &records[i], &why);
                number++;
                if (st == ST_INVALID) st = left->add(left, number, why.text);
            }
        }
        buf_consume(buf, done);
    }
    return st;
}

Status infer_packed(Infer *in, uint32_t format, FILE *file, InferLeft *left)
{
    AUTO_BUF Buf buf;
    Arena *scratch = arena_new(64 << 10, 256 << 20);
    buf_init(&buf, (size_t)FLOW_RECORD_BYTES_MAX * 2 + 2 * READ_BYTES);
    Status st = scratch ? all(in, format, file, left, &buf, scratch) : ST_NO_MEMORY;
    arena_free(scratch);
    return st;
}

uint32_t infer_sniff(FILE *file)
{
    int first = getc(file);
    if (first == EOF) return RT_FORMAT_NONE;
    (void)ungetc(first, file);
    if ((first >= 0x80 && first < 0x90) || first == 0xde || first == 0xdf) return RT_FORMAT_MSGPACK;
    return (first >= 0xa0 && first < 0xc0) || first == 0xd9 ? RT_FORMAT_CBOR : RT_FORMAT_NONE;
}
