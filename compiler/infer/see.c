/* compiler/infer/see.c: records one after the other into counts. */
#include "compiler/infer/infer_int.h"

#include "base/rfc3339.h"

Infer *infer_new(Arena *arena)
{
    Infer *in = arena_one(arena, Infer);
    if (in) in->arena = arena;
    return in;
}

uint64_t infer_count(const Infer *in)
{
    return in->root.count;
}

bool infer__is_name(Str t)
{
    if (t.len == 0 || t.len > 64) return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return true;
}

/* A name of an enum; one with digits is rather one of many: press-07, L1. */
static bool is_word(Str t)
{
    if (!infer__is_name(t) || t.len > 32) return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] >= '0' && t.ptr[i] <= '9') return false;
    return true;
}

static bool digits(Str t, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (at + i >= t.len || t.ptr[at + i] < '0' || t.ptr[at + i] > '9') return false;
    return true;
}

/* 2026-11-23, 2026-11-23 10:00:00, 2026-11-23T10:00:00: times that say no zone. */
static bool is_plain_time(Str t)
{
    bool date = t.len >= 10 && digits(t, 0, 4) && t.ptr[4] == '-' && digits(t, 5, 2) &&
                t.ptr[7] == '-' && digits(t, 8, 2);
    if (!date || t.len == 10) return date;
    return t.len >= 19 && (t.ptr[10] == ' ' || t.ptr[10] == 'T') && digits(t, 11, 2) &&
           t.ptr[13] == ':' && digits(t, 14, 2) && t.ptr[16] == ':' && digits(t, 17, 2);
}

Seen *infer__field(Infer *in, Seen *of, Str name, Status *ret_status)
{
    for (Seen *s = of->first; s; s = s->next)
        if (str_eq(s->name, name)) return s;
    *ret_status = ST_LIMIT;
    if (in->field_count >= INFER_FIELDS_MAX) return NULL;
    in->field_count++;
    Seen *s = arena_one(in->arena, Seen);
    if (s) s->name = arena_str(in->arena, name);
    *ret_status = s && s->name.ptr ? ST_OK : ST_NO_MEMORY;
    if (*ret_status) return NULL;
    if (of->last)
        of->last->next = s;
    else
        of->first = s;
    return of->last = s;
}

void infer__number(Seen *s, double value)
{
    bool first = s->ints + s->huge + s->numbers == 0;
    if (first || value < s->lo) s->lo = value;
    if (first || value > s->hi) s->hi = value;
}

void infer__integer(Seen *s, int64_t value)
{
    infer__number(s, (double)value);
    if (!s->ints || value < s->least) s->least = value;
    if (!s->ints || value > s->greatest) s->greatest = value;
    s->ints++;
}

Status infer__text(Infer *in, Seen *s, Str text)
{
    int64_t ns;
    s->texts++;
    if (text.len > s->longest) s->longest = text.len;
    if (rfc3339_get(text, &ns))
        s->times++;
    else if (is_plain_time(text))
        s->plain_times++;
    else if (duration_get(text, &ns))
        s->durations++;
    if (!is_word(text)) s->word_count = INFER_WORDS_MAX + 1;
    for (uint32_t i = 0; i < s->word_count && s->word_count <= INFER_WORDS_MAX; i++)
        if (str_eq(s->words[i], text)) return ST_OK;
    if (s->word_count > INFER_WORDS_MAX) return ST_OK;
    s->words[s->word_count] = arena_str(in->arena, text);
    return s->words[s->word_count++].ptr ? ST_OK : ST_NO_MEMORY;
}

/* Past what fits 64 bits with a sign, but not past 64 bits without. */
static bool is_huge(Str raw)
{
    Str most = STR("18446744073709551615");
    if (!digits(raw, 0, raw.len) || raw.len < 19 || raw.len > most.len) return false;
    return raw.len < most.len || memcmp(raw.ptr, most.ptr, most.len) <= 0;
}

static Status see_object(Infer *in, Seen *into, const Json *object, uint32_t depth);

static Status see(Infer *in, Seen *s, const Json *value, uint32_t depth)
{
    Status st = ST_OK;
    s->count++;
    switch (value->type) {
    case JSON_NULL: s->nulls++; break;
    case JSON_TRUE:
    case JSON_FALSE: s->bools++; break;
    case JSON_INT: infer__integer(s, value->integer); break;
    case JSON_NUMBER:
        infer__number(s, value->number);
        if (is_huge(value->raw))
            s->huge++;
        else
            s->numbers++;
        break;
    case JSON_STRING:
        if (value->raw.ptr) return infer__text(in, s, value->text);
        s->blobs++;
        if (value->text.len > s->longest) s->longest = value->text.len;
        break;
    case JSON_OBJECT:
        s->objects++;
        if (depth + 1 >= INFER_DEPTH_MAX) {
            s->too_deep = true;
            break;
        }
        return see_object(in, s, value, depth + 1);
    case JSON_ARRAY:
        s->lists++;
        if (value->count > s->items_max) s->items_max = value->count;
        if (depth + 1 >= INFER_DEPTH_MAX) {
            s->too_deep = true;
            break;
        }
        if (!s->item && value->first) s->item = arena_one(in->arena, Seen);
        if (!s->item && value->first) return ST_NO_MEMORY;
        for (const Json *one = value->first; one && !st; one = one->next)
            st = see(in, s->item, one, depth + 1);
        break;
    }
    return st;
}

static Status see_object(Infer *in, Seen *into, const Json *object, uint32_t depth)
{
    for (const Json *value = object->first; value; value = value->next) {
        Status st = ST_OK;
        Seen *s = infer__field(in, into, value->key, &st);
        if (!s) return st;
        st = see(in, s, value, depth);
        if (st) return st;
    }
    return ST_OK;
}

Status infer_record(Infer *in, const Json *record)
{
    if (record->type != JSON_OBJECT) return ST_INVALID;
    Status st = see_object(in, &in->root, record, 0);
    if (!st) in->root.count++;
    return st;
}
