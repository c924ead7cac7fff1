/* compiler/infer/write.c: from counts to a type: what all values of a field are. */
#include "compiler/infer/infer_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum Shape {
    SHAPE_NOTHING, /* only null was seen */
    SHAPE_BOOL,
    SHAPE_I32,
    SHAPE_I64,
    SHAPE_U64,
    SHAPE_F64,
    SHAPE_TIME,
    SHAPE_TIME_S,
    SHAPE_TIME_MS,
    SHAPE_TIME_US,
    SHAPE_TIME_NS,
    SHAPE_DURATION,
    SHAPE_ENUM,
    SHAPE_STRING,
    SHAPE_BYTES,
    SHAPE_LIST,
    SHAPE_RECORD,
    SHAPE_JSON /* no one type fits */
} Shape;

static bool name_holds(Str name, const char *part)
{
    size_t len = strlen(part);
    for (size_t at = 0; at + len <= name.len; at++) {
        size_t i = 0;
        while (i < len) {
            char c = name.ptr[at + i];
            if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
            if (c != part[i]) break;
            i++;
        }
        if (i == len) return true;
    }
    return false;
}

static bool sounds_like_time(Str name)
{
    static const char *const parts[] = {"time", "date", "stamp", "epoch"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (name_holds(name, parts[i])) return true;
    return str_is(name, "ts") || str_is(name, "t") || str_is(name, "at") ||
           str_ends(name, STR("_ts")) || str_ends(name, STR("_at"));
}

/* Whole numbers of a field that sounds like a time, all between 2001 and 2100 in one unit. */
static Shape epoch(const Seen *s)
{
    const double from = 978307200, to = 4102444800;
    double unit = 1;
    for (Shape shape = SHAPE_TIME_S; shape <= SHAPE_TIME_NS; shape++, unit *= 1000)
        if (s->lo >= from * unit && s->hi < to * unit) return shape;
    return SHAPE_NOTHING;
}

static Shape number_shape(const Seen *s, uint64_t there)
{
    if (s->ints + s->huge != there) return SHAPE_F64;
    if (s->huge) return s->lo >= 0 ? SHAPE_U64 : SHAPE_F64;
    Shape time = sounds_like_time(s->name) ? epoch(s) : SHAPE_NOTHING;
    if (time) return time;
    return s->least >= INT32_MIN && s->greatest <= INT32_MAX ? SHAPE_I32 : SHAPE_I64;
}

static Shape shape_of(const Seen *s)
{
    uint64_t there = s->count - s->nulls;
    if (!there) return SHAPE_NOTHING;
    if (s->too_deep) return SHAPE_JSON;
    if (s->bools == there) return SHAPE_BOOL;
    if (s->ints + s->huge + s->numbers == there) return number_shape(s, there);
    if (s->blobs == there) return SHAPE_BYTES;
    if (s->lists == there) return SHAPE_LIST;
    if (s->objects == there) return s->first ? SHAPE_RECORD : SHAPE_JSON;
    if (s->texts != there) return SHAPE_JSON;
    if (s->times == there) return SHAPE_TIME;
    if (s->durations == there) return SHAPE_DURATION;
    bool few = s->word_count <= INFER_WORDS_MAX && there >= (uint64_t)4 * s->word_count;
    return few ? SHAPE_ENUM : SHAPE_STRING;
}

static uint64_t round_up(uint64_t longest, uint64_t least, uint64_t most)
{
    uint64_t bound = least;
    while (bound < longest * 2 && bound < most) bound *= 2;
    return bound < most ? bound : most;
}

/* A round number at or beyond `value`, away from the other end. */
static double outwards(double value, double span, bool up, bool whole)
{
    double step = span > 0 ? pow(10, floor(log10(span)) - 1) : fabs(value) > 1 ? 1 : 0.1;
    if (whole && step < 1) step = 1;
    double more = value + (up ? 1 : -1) * span / 4;
    if (!up && value >= 0 && more < 0) more = 0;
    if (up && value <= 0 && more > 0) more = 0;
    return up ? ceil(more / step) * step : floor(more / step) * step;
}

static bool is_number(Shape shape)
{
    return shape >= SHAPE_I32 && shape <= SHAPE_F64;
}

/* Few digits where they still lie beyond what was seen. */
static void bound(double value, double seen, bool up, Buf *out)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.12g", value);
    double read = strtod(text, NULL);
    bool beyond = up ? read >= seen : read <= seen;
    if (!beyond || strchr(text, 'e')) (void)snprintf(text, sizeof text, "%.17g", value);
    buf_text(out, text);
}

static void range(const Seen *s, Shape shape, Buf *out)
{
    bool whole = shape != SHAPE_F64;
    double lo = outwards(s->lo, s->hi - s->lo, false, whole);
    double hi = outwards(s->hi, s->hi - s->lo, true, whole);
    if (shape == SHAPE_I32) {
        lo = fmax(lo, INT32_MIN);
        hi = fmin(hi, INT32_MAX);
    }
    if (fabs(lo) > 9e15 || fabs(hi) > 9e15) return; /* doubles are not exact there */
    buf_text(out, " in ");
    bound(lo, s->lo, false, out);
    buf_text(out, "..");
    bound(hi, s->hi, true, out);
}

typedef struct Writer {
    Buf *out;
    bool ranges;
} Writer;

static void fields(const Writer *w, const Seen *of, uint64_t records, uint32_t indent);

static void type(const Writer *w, const Seen *s, uint32_t indent)
{
    static const char *const plain[] = {"json",     "bool",     "i32",      "i64",
                                        "u64",      "f64",      "time",     "time(s)",
                                        "time(ms)", "time(us)", "time(ns)", "duration"};
    Shape shape = shape_of(s);
    switch (shape) {
    case SHAPE_ENUM:
        buf_text(w->out, "enum { ");
        for (uint32_t i = 0; i < s->word_count; i++)
            buf_printf(w->out, "%s%.*s", i ? ", " : "", STR_ARG(s->words[i]));
        buf_text(w->out, " }");
        break;
    case SHAPE_STRING:
        buf_printf(w->out, "string(%llu)",
                   (unsigned long long)round_up(s->longest, 8, UINT64_C(1) << 20));
        break;
    case SHAPE_BYTES:
        buf_printf(w->out, "bytes(%llu)",
                   (unsigned long long)round_up(s->longest, 8, UINT64_C(1) << 20));
        break;
    case SHAPE_JSON: buf_text(w->out, "json"); break;
    case SHAPE_LIST:
        buf_char(w->out, '[');
        if (s->item) {
            type(w, s->item, indent);
            if (s->item->nulls) buf_char(w->out, '?');
        } else {
            buf_text(w->out, "json");
        }
        buf_printf(w->out, "; %llu]",
                   (unsigned long long)round_up(s->items_max, 4, UINT64_C(1) << 20));
        break;
    case SHAPE_RECORD:
        buf_text(w->out, "{\n");
        fields(w, s, s->objects, indent + 2);
        buf_printf(w->out, "%*s}", (int)indent, "");
        break;
    default:
        buf_text(w->out, plain[shape]);
        if (w->ranges && is_number(shape)) range(s, shape, w->out);
        break;
    }
}

/* What a person wants to know before taking the type over. */
static void comment(const Writer *w, const Seen *s, uint64_t records)
{
    Shape shape = shape_of(s);
    uint64_t missing = records - s->count + s->nulls;
    const char *before = "  # ";
    if (is_number(shape) && !w->ranges) {
        buf_printf(w->out, "%sseen %.15g..%.15g", before, s->lo, s->hi);
        before = ", ";
    }
    if (shape == SHAPE_STRING && s->plain_times == s->texts) {
        buf_printf(w->out, "%sa time without its zone: no `time` reads it", before);
        before = ", ";
    }
    if (shape == SHAPE_BYTES || (shape == SHAPE_STRING && s->plain_times != s->texts)) {
        buf_printf(w->out, "%slongest %zu", before, s->longest);
        before = ", ";
    }
    if (shape == SHAPE_LIST && s->items_max) {
        buf_printf(w->out, "%sat most %llu items", before, (unsigned long long)s->items_max);
        before = ", ";
    }
    if (shape == SHAPE_LIST && !s->items_max) {
        buf_printf(w->out, "%salways empty", before);
        before = ", ";
    }
    if (shape == SHAPE_NOTHING) {
        buf_printf(w->out, "%sonly null was seen", before);
        before = ", ";
    }
    if (shape == SHAPE_JSON && s->count > s->nulls) {
        buf_printf(w->out, "%sof different kinds", before);
        before = ", ";
    }
    if (missing)
        buf_printf(w->out, "%smissing in %llu of %llu", before, (unsigned long long)missing,
                   (unsigned long long)records);
}

static void fields(const Writer *w, const Seen *of, uint64_t records, uint32_t indent)
{
    for (const Seen *s = of->first; s; s = s->next) {
        buf_printf(w->out, "%*s", (int)indent, "");
        if (!infer__is_name(s->name)) {
            buf_text(w->out, "# left out, no name of a field: ");
            JsonOut json;
            json_out_init(&json, w->out);
            json_put_str(&json, s->name);
            buf_char(w->out, '\n');
            continue;
        }
        buf_printf(w->out, "%.*s: ", STR_ARG(s->name));
        type(w, s, indent);
        if (s->count < records || s->nulls) buf_char(w->out, '?');
        buf_char(w->out, ',');
        comment(w, s, records);
        buf_char(w->out, '\n');
    }
}

void infer_type(const Infer *in, Str name, bool ranges, Buf *out)
{
    Writer w = {out, ranges};
    buf_printf(out, "# from %llu record%s\ntype %.*s = {\n", (unsigned long long)in->root.count,
               in->root.count == 1 ? "" : "s", STR_ARG(name));
    fields(&w, &in->root, in->root.count, 2);
    buf_text(out, "}\n");
}

/* ---- for machines ------------------------------------------------------------------------- */

static void put_fields(JsonOut *json, const Seen *of, uint64_t records, bool ranges);

static void put_field(JsonOut *json, const Seen *s, uint64_t records, bool ranges)
{
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 20);
    Writer w = {&text, ranges};
    Shape shape = shape_of(s);
    json_begin_object(json);
    json_field_str(json, "name", s->name);
    json_field_bool(json, "usable", infer__is_name(s->name));
    bool record = shape == SHAPE_RECORD;
    if (record)
        buf_text(&text, "record");
    else if (shape != SHAPE_LIST || !s->item || shape_of(s->item) != SHAPE_RECORD)
        type(&w, s, 0);
    else
        buf_text(&text, "list");
    json_field_str(json, "type", buf_view(&text));
    json_field_bool(json, "optional", s->count < records || s->nulls > 0);
    json_field_int(json, "seen", (int64_t)(s->count - s->nulls));
    json_field_int(json, "missing", (int64_t)(records - s->count + s->nulls));
    if (s->ints + s->huge + s->numbers) {
        json_field_number(json, "lo", s->lo);
        json_field_number(json, "hi", s->hi);
    }
    if (s->texts) json_field_int(json, "longest", (int64_t)s->longest);
    if (s->lists) json_field_int(json, "items", (int64_t)s->items_max);
    const Seen *inner = record ? s : s->item && shape_of(s->item) == SHAPE_RECORD ? s->item : NULL;
    if (inner) {
        json_key(json, "fields");
        put_fields(json, inner, inner->objects, ranges);
    }
    json_end(json);
}

static void put_fields(JsonOut *json, const Seen *of, uint64_t records, bool ranges)
{
    json_begin_array(json);
    for (const Seen *s = of->first; s; s = s->next) put_field(json, s, records, ranges);
    json_end(json);
}

void infer_json(const Infer *in, Str name, bool ranges, Buf *out)
{
    JsonOut json;
    AUTO_BUF Buf text;
    buf_init(&text, 4 << 20);
    infer_type(in, name, ranges, &text);
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_str(&json, "name", name);
    json_field_int(&json, "records", (int64_t)in->root.count);
    json_field_str(&json, "text", buf_view(&text));
    json_key(&json, "fields");
    put_fields(&json, &in->root, in->root.count, ranges);
    json_end(&json);
    buf_char(out, '\n');
}
