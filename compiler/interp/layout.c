/* compiler/interp/layout.c: a learnt layout, run item by item over many records.
 *
 * Each item is a loop over lanes: its constants stay in registers, and the work of one record does
 * not wait for that of another. A lane that gives up points at `nowhere`, zeros that no constant
 * equals, so later items need no test for it; it is read in any order afterwards. The primitives
 * are those of hot.h and of the scanner: what they accept, the scanner accepts. */
#include "compiler/interp/decode.h"

#include "compiler/ir/facts.h"
#include "base/mem.h"
#include "flow/scan.h"

enum { WORDS_MAX = 64 }; /* longer constants: any order */

typedef struct Item Item;
typedef void ItemFn(const Item *item, Lanes *lanes);

struct Item {
    ItemFn *run;
    char first[16]; /* of the constant; zeros behind */
    uint64_t mask[2];
    uint32_t len;
    const char *more;     /* of the constant behind 16 bytes */
    const IrField *field; /* of a value that is needed */
    const RtField *check;
    const RtText *names;
    const uint64_t *name_words; /* word and mask of each name with its closing quote */
    Place value;
    uint32_t has;
    uint32_t scale;
    uint32_t text_len; /* of a text in the sample */
    uint32_t depth;    /* records around the value */
};

struct LayoutCode {
    uint32_t count;
    uint32_t asked_at;      /* items behind which the filter is asked; 0: it is not */
    bool to_the_end;        /* all items; else (check lazy) only up to the last needed one */
    const Input **optional; /* these start as missing */
    uint32_t optional_count;
    uint64_t hash; /* of the layout, to know it again */
    Item after;
    Item items[];
};

static const char nowhere[64 + RT_PAD_BYTES];

/* ---- the loop ---- */

#ifdef __SSE2__
typedef char V16 __attribute__((vector_size(16)));
typedef V16 V16u __attribute__((may_alias, aligned(1)));
#endif

/* The constant in registers: what is stored in a loop may be anywhere, so the compiler would read
 * it again for each lane. */
typedef struct Before {
#ifdef __SSE2__
    V16 bytes;
    uint32_t mask;
#else
    uint64_t word[2], mask[2];
#endif
    uint32_t len;
    const char *more;
} Before;

RT_INLINE Before before_of(const Item *item)
{
    Before b = {.len = item->len, .more = item->more};
#ifdef __SSE2__
    memcpy(&b.bytes, item->first, 16);
    b.mask = (uint32_t)item->mask[0];
#else
    memcpy(b.word, item->first, 16);
    memcpy(b.mask, item->mask, 16);
#endif
    return b;
}

/* What is behind 16 bytes; they are equal so far. */
static bool differs_behind(const char *more, uint32_t len, const char *p)
{
    for (uint32_t i = 16; i < len; i += 8) {
        uint32_t rest = len - i;
        uint64_t mask = rest >= 8 ? ~0ull : (1ull << (8 * rest)) - 1;
        if ((RT_8(p + i) ^ RT_8(more + (i - 16))) & mask) return true;
    }
    return false;
}

RT_INLINE bool differs(const Before *b, const char *p)
{
#ifdef __SSE2__
    V16 same = (V16)(*(const V16u *)(const void *)p == b->bytes);
    if (RT_RARE(~(uint32_t)__builtin_ia32_pmovmskb128(same) & b->mask)) return true;
#else
    if (RT_RARE(((RT_8(p) ^ b->word[0]) & b->mask[0]) | ((RT_8(p + 8) ^ b->word[1]) & b->mask[1])))
        return true;
#endif
    return RT_RARE(b->len > 16) && differs_behind(b->more, b->len, p);
}

/* Between ITEM_LOOP and ITEM_END p is behind the constant and is moved behind the value; GIVE_UP
 * leaves the lane. OUT names the column. */
#define OUT(T) T *restrict out = COLUMN(l->frame, T, item->value.column)
#define ITEM_LOOP                                                                                  \
    Frame *const f = l->frame;                                                                     \
    const Before before = before_of(item);                                                         \
    const char **restrict at = l->at;                                                              \
    const char *const *const stops = f->in->stop;                                                  \
    const uint16_t *const lanes = l->lane;                                                         \
    const uint32_t count = l->count;                                                               \
    uint8_t *restrict has = COLUMN(f, uint8_t, item->has);                                         \
    (void)stops;                                                                                   \
    (void)has;                                                                                     \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        const char *p = at[i];                                                                     \
        const uint32_t r = lanes[i];                                                               \
        (void)r;                                                                                   \
        if (RT_RARE(differs(&before, p))) {                                                        \
            at[i] = nowhere;                                                                       \
            continue;                                                                              \
        }                                                                                          \
        p += before.len;
#define ITEM_END                                                                                   \
    at[i] = p;                                                                                     \
    continue;                                                                                      \
    give_up:                                                                                       \
    at[i] = nowhere;                                                                               \
    }
#define GIVE_UP goto give_up
#define STOP    (stops[r])
#define PUT(v)  (out[r] = (v), has[r] = 1)

/* ---- texts ---- */

static void text_value(const Item *item, Lanes *l)
{
    uint32_t max = item->field->bytes_max ? item->field->bytes_max : UINT32_MAX;
    OUT(RtText);
    ITEM_LOOP
    RtValue v;
    const char *q = rt_plain(p);
    if (RT_RARE(!q)) {
        if (!(q = f->rt->text(f->pipe, p, STOP, &v))) GIVE_UP;
    } else {
        v.s = (RtText){p, (u64)(q - p)};
    }
    if (RT_RARE(v.s.n > max)) GIVE_UP;
    PUT(v.s);
    p = q;
    ITEM_END
}

/* Up to four names of less than 8 bytes: one compare of the name and its quote each, and no branch,
 * because which name comes is hard to predict. */
static void few_enum(const Item *item, Lanes *l)
{
    const uint32_t names_count = item->field->names->count;
    uint64_t word[4], mask[4];
    uint32_t len[4];
    for (uint32_t k = 0; k < 4; k++) { /* filled up with the first name, which is found last */
        word[k] = item->name_words[k < names_count ? 2 * k : 0];
        mask[k] = item->name_words[k < names_count ? 2 * k + 1 : 1];
        len[k] = k < names_count ? (uint32_t)item->names[k].n : 0;
    }
    OUT(uint32_t);
    ITEM_LOOP
    const uint64_t w = RT_8(p);
    uint32_t found = 4;
    found = (w ^ word[3]) & mask[3] ? found : 3;
    found = (w ^ word[2]) & mask[2] ? found : 2;
    found = (w ^ word[1]) & mask[1] ? found : 1;
    found = (w ^ word[0]) & mask[0] ? found : 0;
    if (RT_RARE(found >= names_count)) GIVE_UP;
    PUT(found);
    p += len[found];
    ITEM_END
}

/* As few_enum, with more names. */
static void short_enum(const Item *item, Lanes *l)
{
    uint32_t names_count = item->field->names->count;
    const uint64_t *words = item->name_words;
    const RtText *names = item->names;
    OUT(uint32_t);
    ITEM_LOOP
    uint64_t w = RT_8(p);
    uint32_t found = names_count;
    for (uint32_t k = 0; k < names_count; k++)
        found = ((w ^ words[2 * k]) & words[2 * k + 1]) == 0 ? k : found;
    if (RT_RARE(found == names_count)) GIVE_UP;
    PUT(found);
    p += names[found].n;
    ITEM_END
}

static void enum_value(const Item *item, Lanes *l)
{
    uint32_t names_count = item->field->names->count;
    OUT(uint32_t);
    ITEM_LOOP
    uint32_t k = 0;
    for (; k < names_count; k++) {
        RtText name = item->names[k];
        if ((RT_8(p) ^ item->name_words[2 * k]) & item->name_words[2 * k + 1]) continue;
        if (memcmp(p, name.p, name.n) == 0 && p[name.n] == '"') break;
    }
    if (RT_RARE(k == names_count)) GIVE_UP;
    PUT(k);
    p += item->names[k].n;
    ITEM_END
}

/* Any other type that is text on the edge, as the scanner reads it. */
static void other_text(const Item *item, Lanes *l)
{
    ITEM_LOOP
    RtValue v = {.i = 0};
    const char *q = f->rt->text(f->pipe, p, STOP, &v);
    if (RT_RARE(!q || rt_value_from_text(f->pipe, item->check, v.s.p, v.s.n, &v) ||
                rt_value_check(item->check, v)))
        GIVE_UP;
    interp__put(f, &item->value, r, v);
    has[r] = 1;
    p = q;
    ITEM_END
}

/* The field's range in locals: stores in the loop may be anywhere. */
#define RANGE                                                                                      \
    const bool ranged = item->field->has_range;                                                    \
    const double lo = item->field->lo, hi = item->field->hi
#define IN_RANGE(v) (!ranged || ((double)(v) >= lo && (double)(v) <= hi))

static void time_value(const Item *item, Lanes *l)
{
    const bool short_form = item->text_len == 24;
    struct RtDay *const day = &l->frame->pipe->day;
    RANGE;
    OUT(int64_t);
    ITEM_LOOP
    i64 ns;
    if (short_form && rt_time24(day, p, &ns)) {
        p += 24;
    } else {
        const char *q = f->rt->pass_text(p, STOP);
        if (!q || !f->rt->time(day, p, (u64)(q - p), &ns)) GIVE_UP;
        p = q;
    }
    if (RT_RARE(!IN_RANGE(ns))) GIVE_UP;
    PUT(ns);
    ITEM_END
}

/* ---- numbers ---- */

/* One text or number that nobody needs. */
static void skip_text(const Item *item, Lanes *l)
{
    ITEM_LOOP
    const char *q = rt_plain(p);
    if (RT_RARE(!q) && !(q = f->rt->pass_text(p, STOP))) GIVE_UP;
    p = q;
    ITEM_END
}

#define SKIP_NUMBER(name, reader)                                                                  \
    static void name(const Item *item, Lanes *l)                                                   \
    {                                                                                              \
        ITEM_LOOP                                                                                  \
        const char *q = reader(p);                                                                 \
        if (RT_RARE(!q) && !(q = f->rt->pass_number(p, STOP))) GIVE_UP;                            \
        p = q;                                                                                     \
        ITEM_END                                                                                   \
    }
SKIP_NUMBER(skip_number, rt_pass_number)
SKIP_NUMBER(skip_plus_number, rt_plus_number)

/* Where no '-' was seen in the sample, the reader without signs is tried first. */
#define F64_VALUE(name, reader)                                                                    \
    static void name(const Item *item, Lanes *l)                                                   \
    {                                                                                              \
        OUT(double);                                                                               \
        ITEM_LOOP                                                                                  \
        double d;                                                                                  \
        const char *q = reader(p, &d);                                                             \
        if (RT_RARE(!q) && (!(q = f->rt->number(p, STOP, &d)) || !(d - d == 0))) GIVE_UP;          \
        PUT(d);                                                                                    \
        p = q;                                                                                     \
        ITEM_END                                                                                   \
    }
F64_VALUE(f64_value, rt_short_f64)
F64_VALUE(f64_plus_value, rt_plus_f64)

static void f64_ranged(const Item *item, Lanes *l)
{
    double lo = item->field->lo, hi = item->field->hi;
    OUT(double);
    ITEM_LOOP
    double d;
    const char *q = rt_short_f64(p, &d);
    if (RT_RARE(!q) && !(q = f->rt->number(p, STOP, &d))) GIVE_UP;
    if (RT_RARE(!(d - d == 0) || !(d >= lo && d <= hi))) GIVE_UP;
    PUT(d);
    p = q;
    ITEM_END
}

static void f32_value(const Item *item, Lanes *l)
{
    RANGE;
    OUT(float);
    ITEM_LOOP
    double d;
    const char *q = rt_short_f64(p, &d);
    if (RT_RARE(!q) && !(q = f->rt->number(p, STOP, &d))) GIVE_UP;
    d = (double)(float)d;
    if (RT_RARE(!(d - d == 0) || !IN_RANGE(d))) GIVE_UP;
    PUT((float)d);
    p = q;
    ITEM_END
}

#define WHOLE_VALUE(name, T, fits)                                                                 \
    static void name(const Item *item, Lanes *l)                                                   \
    {                                                                                              \
        RANGE;                                                                                     \
        OUT(T);                                                                                    \
        ITEM_LOOP                                                                                  \
        i64 n;                                                                                     \
        const char *q = rt_short_int(p, &n);                                                       \
        if (RT_RARE(!q || *q == '.' || *q == 'e' || *q == 'E') &&                                  \
            !(q = f->rt->integer(p, STOP, &n)))                                                    \
            GIVE_UP;                                                                               \
        if (RT_RARE(!(fits) || !IN_RANGE(n))) GIVE_UP;                                             \
        PUT((T)n);                                                                                 \
        p = q;                                                                                     \
        ITEM_END                                                                                   \
    }
WHOLE_VALUE(i32_value, int32_t, n == (i32)n)
WHOLE_VALUE(u32_value, uint32_t, n == (i64)(u32)n)
WHOLE_VALUE(i64_value, int64_t, true)
WHOLE_VALUE(u64_value, uint64_t, n >= 0)

/* Decimals, and times as numbers. */
static void scaled_value(const Item *item, Lanes *l)
{
    bool time = item->field->type == IR_TIME;
    OUT(int64_t);
    ITEM_LOOP
    i64 n;
    u32 why;
    RtValue v;
    p = f->rt->decimal(p, STOP, item->scale, time, &n, &why);
    if (RT_RARE(!p || why)) GIVE_UP;
    v.i = n;
    if (RT_RARE(rt_value_check(item->check, v))) GIVE_UP;
    PUT(n);
    ITEM_END
}

/* ---- the rest ---- */

static void bool_value(const Item *item, Lanes *l)
{
    bool needed = item->value.column != NO_COLUMN;
    OUT(uint8_t);
    ITEM_LOOP
    bool yes = RT_4(p) == 0x65757274u; /* true, false as words */
    if (!yes && (RT_8(p) & 0xffffffffffull) != 0x65736c6166ull) GIVE_UP;
    if (needed) PUT(yes);
    p += yes ? 4 : 5;
    ITEM_END
}

static void null_value(const Item *item, Lanes *l)
{
    ITEM_LOOP
    if (RT_4(p) != 0x6c6c756eu) GIVE_UP;
    p += 4;
    ITEM_END
}

static void skip_value(const Item *item, Lanes *l)
{
    ITEM_LOOP
    if (!(p = f->rt->skip(p, STOP, item->depth))) GIVE_UP;
    ITEM_END
}

/* What the scanner takes as a list. */
static void list_value(const Item *item, Lanes *l)
{
    const IrSource *source = ir_group_source(l->frame->in->code->pipeline, 0);
    OUT(RtText);
    ITEM_LOOP
    RtValue v;
    p = f->rt->scan_list(f->pipe, item->check->child, item->field->bytes_max, (u32)source->check,
                         source->unknown == UNKNOWN_REJECT, p, STOP, item->depth, &v);
    if (RT_RARE(!p)) GIVE_UP;
    PUT(v.s);
    ITEM_END
}

/* A JSON value that is passed on as it is. `more` of the constant ends with its quote, if it is a
 * text. */
static void json_value(const Item *item, Lanes *l)
{
    uint32_t max = item->field->bytes_max ? item->field->bytes_max : UINT32_MAX;
    uint32_t quote = item->scale; /* 1: the value is a text and began in the constant */
    OUT(RtText);
    ITEM_LOOP
    const char *from = p - quote;
    if (RT_RARE(*from == 'n')) GIVE_UP; /* null is a missing value */
    const char *q = f->rt->skip(from, STOP, item->depth);
    if (RT_RARE(!q || (u64)(q - from) > max)) GIVE_UP;
    if (RT_RARE(memchr(from, '\n', (u64)(q - from)) || memchr(from, '\r', (u64)(q - from))))
        GIVE_UP; /* a row is one line: the scanner makes it so */
    PUT(((RtText){from, (u64)(q - from)}));
    p = q - quote; /* the next constant begins with the closing quote */
    ITEM_END
}

/* ---- which loop for which item ---- */

static ItemFn *text_loop(const IrField *field)
{
    switch (field->type) {
    case IR_STR: return text_value;
    case IR_ENUM: return enum_value;
    case IR_TIME: return field->time_read == IR_TIME_TEXT ? time_value : NULL;
    case IR_BYTES:
    case IR_DURATION: return other_text;
    case IR_JSON: return json_value;
    default: return NULL;
    }
}

static ItemFn *number_loop(const IrField *field, bool minus)
{
    switch (field->type) {
    case IR_F64: return field->has_range ? f64_ranged : minus ? f64_value : f64_plus_value;
    case IR_F32: return f32_value;
    case IR_I32: return i32_value;
    case IR_U32: return u32_value;
    case IR_I64: return i64_value;
    case IR_U64: return u64_value;
    case IR_DECIMAL: return scaled_value;
    case IR_TIME: return field->time_read == IR_TIME_TEXT ? NULL : scaled_value;
    case IR_JSON: return json_value;
    default: return NULL;
    }
}

static ItemFn *loop_of(const LayoutItem *from, const IrField *field, bool optional)
{
    switch (from->kind) {
    case LAYOUT_TEXT: return field ? text_loop(field) : skip_text;
    case LAYOUT_NUMBER:
        if (!field) return from->minus ? skip_number : skip_plus_number;
        return number_loop(field, from->minus);
    case LAYOUT_BOOL:
        if (field && field->type == IR_JSON) return json_value;
        return field && field->type != IR_BOOL ? NULL : bool_value;
    case LAYOUT_NULL: return field && !optional ? NULL : null_value;
    case LAYOUT_OPAQUE:
        if (field && field->type == IR_JSON) return json_value;
        if (field && field->type == IR_LIST) return list_value;
        return field ? NULL : skip_value;
    }
    return NULL;
}

static void constant(Item *item, Str text, char **room)
{
    memcpy(item->first, text.ptr, text.len < 16 ? text.len : 16);
    item->len = (uint32_t)text.len;
#ifdef __SSE2__
    item->mask[0] = text.len >= 16 ? 0xffff : (1u << text.len) - 1; /* bits of bytes */
#else
    for (uint32_t i = 0; i < 2; i++) {
        size_t n = text.len > 8 * i ? text.len - 8 * i : 0;
        item->mask[i] = n >= 8 ? ~0ull : (1ull << (8 * n)) - 1;
    }
#endif
    if (text.len <= 16) return;
    memcpy(*room, text.ptr + 16, text.len - 16);
    item->more = *room;
    *room += (text.len - 16 + 15) / 8 * 8; /* read 8 bytes at a time */
}

static const RtField *table_field(const RtSchema *schema, uint32_t leaf)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type != RT_RECORD && f->leaf == leaf) return f;
        if (f->type != RT_RECORD || leaf < f->leaf || leaf >= f->leaf + f->child->leaf_count)
            continue;
        return table_field(f->child, leaf);
    }
    return NULL;
}

/* The names, and the first word of each with its closing quote. */
static void enum_words(Item *item, char **room)
{
    enum { SHORT_MAX = 8 }; /* more names than this are searched, not all compared */
    const IrEnum *names = item->field->names;
    RtText *texts = (RtText *)(void *)*room;
    *room += sizeof *texts * names->count;
    uint64_t *words = (uint64_t *)(void *)*room;
    *room += 2 * sizeof *words * names->count;
    for (uint32_t i = 0; i < names->count; i++) {
        Str name = names->names[i];
        char text[8] = {0};
        texts[i] = (RtText){name.ptr, name.len};
        memcpy(text, name.ptr, name.len < 8 ? name.len : 8);
        if (name.len < 8) text[name.len] = '"';
        memcpy(&words[2 * i], text, 8);
        words[2 * i + 1] = name.len < 7 ? (1ull << (8 * (name.len + 1))) - 1 : ~0ull;
    }
    item->names = texts;
    item->name_words = words;
    bool all_short = names->count <= SHORT_MAX;
    for (uint32_t i = 0; i < names->count; i++) all_short &= names->names[i].len < 8;
    if (all_short) item->run = names->count <= 4 ? few_enum : short_enum;
}

static const Input *input_of(const PipeCode *code, uint32_t leaf)
{
    const Code *stage = &code->codes[0];
    for (uint32_t i = 0; i < stage->input_count; i++)
        if (stage->inputs[i].leaf == leaf) return &stage->inputs[i];
    return NULL;
}

/* False when no lane could ever fit. */
static bool make_item(const PipeCode *code, const LayoutItem *from, Item *item, char **room)
{
    static const uint8_t unit_scale[] = {0, 9, 6, 3, 0};
    bool needed = from->leaf != NO_INDEX && code->needed[from->leaf];
    const IrLeaf *leaf = needed ? &code->codes[0].stage->leaves[from->leaf] : NULL;
    const Input *input = needed ? input_of(code, from->leaf) : NULL;
    item->value.column = NO_COLUMN;
    constant(item, from->before, room);
    item->run = loop_of(from, leaf ? leaf->field : NULL, leaf && leaf->optional);
    item->text_len = from->len;
    item->depth = from->depth;
    if (!leaf) return item->run;
    item->field = leaf->field;
    item->check = table_field(code->info->in, from->leaf);
    item->value = input ? input->value : (Place){.column = code->codes[0].spare};
    if (!input) item->value.cell = (uint8_t)interp__cell(leaf->field->type);
    item->has = input ? input->has : code->codes[0].spare;
    if (leaf->field->type == IR_DECIMAL) item->scale = leaf->field->scale;
    if (leaf->field->type == IR_TIME) item->scale = unit_scale[leaf->field->time_read];
    if (item->run == json_value) item->scale = from->kind == LAYOUT_TEXT;
    if (item->run == enum_value) enum_words(item, room);
    return item->run;
}

static size_t room_of(const PipeCode *code, const Layout *layout)
{
    size_t bytes = layout->after.len + 32;
    for (uint32_t i = 0; i < layout->count; i++) {
        const LayoutItem *item = &layout->items[i];
        bytes += item->before.len + 32;
        if (item->leaf == NO_INDEX) continue;
        const IrEnum *names = code->codes[0].stage->leaves[item->leaf].field->names;
        if (names) bytes += names->count * (sizeof(RtText) + 16) + 16;
    }
    return bytes + code->codes[0].input_count * sizeof(Input *);
}

static uint64_t layout_hash(const Layout *layout)
{
    uint64_t h = 1469598103934665603ull;
    for (uint32_t i = 0; i <= layout->count; i++) {
        Str text = i < layout->count ? layout->items[i].before : layout->after;
        for (size_t k = 0; k < text.len; k++)
            h = (h ^ (unsigned char)text.ptr[k]) * 1099511628211ull;
        if (i < layout->count) h = (h ^ (256u + layout->items[i].kind)) * 1099511628211ull;
    }
    return h;
}

LayoutCode *interp__layout_code(const PipeCode *code, const Layout *layout)
{
    uint32_t count = layout_looked_at(layout, ir_group_source(code->pipeline, 0)->check,
                                      code->needed, code->leaf_count);
    size_t items = sizeof(LayoutCode) + sizeof(Item) * count;
    LayoutCode *out = mem_zalloc(1, items + room_of(code, layout));
    if (!out) return NULL;
    char *room = (char *)out + items;
    const Code *stage = &code->codes[0];
    out->optional = (const Input **)(void *)room;
    for (uint32_t i = 0; i < stage->input_count; i++)
        if (stage->inputs[i].optional) out->optional[out->optional_count++] = &stage->inputs[i];
    room += stage->input_count * sizeof(Input *);
    out->count = count;
    out->asked_at = code->filter ? layout_asked_at(layout, code->pipeline, count) : 0;
    out->to_the_end = count == layout->count;
    out->hash = layout_hash(layout);
    for (uint32_t i = 0; i < count; i++) {
        if (make_item(code, &layout->items[i], &out->items[i], &room)) continue;
        mem_free(out);
        return NULL;
    }
    constant(&out->after, layout->after, &room);
    return out;
}

bool interp__layout_same(const LayoutCode *a, const LayoutCode *b)
{
    return a->hash == b->hash;
}

/* A value has ended where nothing is compared behind it. */
static bool ended(const char *p)
{
    return p != nowhere && (*p == ',' || *p == '}' || *p == '"' || *p == ' ');
}

/* Lanes that read to their end are done; the others stay. */
static void sort_out(const LayoutCode *code, Lanes *l)
{
    const Before after = before_of(&code->after);
    const char *const *stops = l->frame->in->stop;
    const uint32_t count = l->count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *p = l->at[i], *stop = stops[l->lane[i]];
        bool done;
        if (!code->to_the_end) { /* a number must have ended, too */
            done = ended(p);
        } else if ((done = !differs(&after, p))) {
            p += after.len;
            done = p == stop || (p + 1 == stop && *p == '\r');
        }
        l->lane[kept] = l->lane[i];
        kept += !done;
    }
    l->count = kept;
}

/* Lanes whose records will be dropped are done. */
static void ask(Lanes *l)
{
    Interp *in = l->frame->in;
    uint32_t count = l->count, kept = 0, n = count ? l->lane[count - 1] + 1u : 0;
    memset(in->filter.end, END_FILTERED, n);
    for (uint32_t i = 0; i < count; i++)
        if (l->at[i] != nowhere) in->filter.end[l->lane[i]] = END_RUNS;
    interp__filter_run(in, n);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t lane = l->lane[i];
        const char *p = l->at[i];
        bool dropped = ended(p) && !interp__filter_keeps(in, lane);
        l->lane[kept] = lane;
        l->at[kept] = p;
        kept += !dropped;
    }
    l->count = kept;
}

void interp__layout_run(const LayoutCode *code, Lanes *l)
{
    Frame *f = l->frame;
    for (uint32_t k = 0; k < code->optional_count; k++) {
        const Input *input = code->optional[k];
        uint8_t *has = COLUMN(f, uint8_t, input->has);
        for (uint32_t i = 0; i < l->count; i++) has[l->lane[i]] = 0;
        if (input->value.cell != CELL_TEXT) continue;
        RtText *text = COLUMN(f, RtText, input->value.column);
        for (uint32_t i = 0; i < l->count; i++) text[l->lane[i]] = (RtText){NULL, 0};
    }
    const char *const *starts = f->in->start;
    const uint32_t count = l->count;
    for (uint32_t i = 0; i < count; i++) l->at[i] = starts[l->lane[i]];
    for (uint32_t i = 0; i < code->count; i++) {
        const Item *item = &code->items[i];
        if (i && i == code->asked_at && !f->pipe->watch) ask(l);
        item->run(item, l);
    }
    sort_out(code, l);
}
