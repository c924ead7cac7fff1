/* compiler/interp/layout.c: a learnt layout, run item by item over many records.
 *
 * Each item is a loop over lanes: its constants stay in registers, and the work of one record does
 * not wait for that of another. A lane that gives up points at `nowhere`, zeros that no constant
 * equals, so later items need no test for it; it is read in any order afterwards. The primitives
 * are those of hot.h and of the scanner: what they accept, the scanner accepts. */
#include "compiler/interp/decode.h"

#include "base/mem.h"
#include "flow/scan.h"

enum { WORDS_MAX = 64 }; /* longer constants: any order */

typedef struct Item Item;
typedef void ItemFn(const Item *item, Lanes *lanes);

struct Item {
    ItemFn *run;
    uint64_t word[2], mask[2]; /* the first 16 bytes of the constant */
    uint32_t at1, len;         /* where the second word stands; bytes */
    const char *more;          /* what is behind 16 bytes */
    const IrField *field;      /* of a value that is needed */
    const RtField *check;
    const RtText *names;
    const uint64_t *name_words; /* word and mask of each name with its closing quote */
    Place value;
    uint32_t has;
    uint32_t scale;
    uint32_t text_len; /* of a text in the sample */
};

struct LayoutCode {
    uint32_t count;
    bool to_the_end;          /* all items; else (check lazy) only up to the last needed one */
    const uint32_t *optional; /* has columns that start as 0 */
    uint32_t optional_count;
    uint64_t hash; /* of the layout, to know it again */
    Item after;
    Item items[];
};

static const char nowhere[64 + RT_PAD_BYTES];

/* ---- the loop ---- */

static inline bool differs(const Item *item, const char *p)
{
    uint64_t x = ((RT_8(p) ^ item->word[0]) & item->mask[0]) |
                 ((RT_8(p + item->at1) ^ item->word[1]) & item->mask[1]);
    if (RT_RARE(x)) return true;
    for (uint32_t i = 16; i < item->len; i += 8) { /* rare: a long constant; equal so far */
        uint32_t rest = item->len - i;
        uint64_t mask = rest >= 8 ? ~0ull : (1ull << (8 * rest)) - 1;
        if ((RT_8(p + i) ^ RT_8(item->more + (i - 16))) & mask) return true;
    }
    return false;
}

/* BODY has p behind the constant and moves it behind the value; GIVE_UP leaves the lane. */
#define ITEM_LOOP                                                                                  \
    Frame *f = l->frame;                                                                           \
    for (uint32_t i = 0; i < l->count; i++) {                                                      \
        const char *p = l->at[i];                                                                  \
        const uint32_t r = l->lane[i];                                                             \
        (void)f;                                                                                   \
        (void)r;                                                                                   \
        if (RT_RARE(differs(item, p))) {                                                           \
            l->at[i] = nowhere;                                                                    \
            continue;                                                                              \
        }                                                                                          \
        p += item->len;
#define ITEM_END                                                                                   \
    l->at[i] = p;                                                                                  \
    continue;                                                                                      \
    give_up:                                                                                       \
    l->at[i] = nowhere;                                                                            \
    }
#define GIVE_UP     goto give_up
#define STOP        (f->in->stop[r])
#define HAS(yes)    (COLUMN(f, uint8_t, item->has)[r] = (yes))
#define PUT(T, v)   (COLUMN(f, T, item->value.column)[r] = (T)(v))
#define PUT_TEXT(v) (COLUMN(f, RtText, item->value.column)[r] = (v))

/* ---- texts ---- */

static void skip_text(const Item *item, Lanes *l)
{
    ITEM_LOOP
    const char *q = rt_plain(p);
    if (RT_RARE(!q) && !(q = f->rt->pass_text(p, STOP))) GIVE_UP;
    p = q;
    ITEM_END
}

static void text_value(const Item *item, Lanes *l)
{
    uint32_t max = item->field->bytes_max ? item->field->bytes_max : UINT32_MAX;
    ITEM_LOOP
    RtValue v;
    const char *q = rt_plain(p);
    if (RT_RARE(!q)) {
        if (!(q = f->rt->text(f->pipe, p, STOP, &v))) GIVE_UP;
    } else {
        v.s = (RtText){p, (u64)(q - p)};
    }
    if (RT_RARE(v.s.n > max)) GIVE_UP;
    PUT_TEXT(v.s);
    HAS(1);
    p = q;
    ITEM_END
}

static void enum_value(const Item *item, Lanes *l)
{
    uint32_t count = item->field->names->count;
    ITEM_LOOP
    uint64_t w = RT_8(p);
    uint32_t k = 0;
    for (; k < count; k++) {
        if ((w ^ item->name_words[2 * k]) & item->name_words[2 * k + 1]) continue;
        RtText name = item->names[k];
        if (name.n < 8 || (memcmp(p, name.p, name.n) == 0 && p[name.n] == '"')) break;
    }
    if (RT_RARE(k == count)) GIVE_UP;
    PUT(uint32_t, k);
    HAS(1);
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
    HAS(1);
    p = q;
    ITEM_END
}

static bool in_range(const IrField *field, double v)
{
    return !field->has_range || (v >= field->lo && v <= field->hi);
}

static void time_value(const Item *item, Lanes *l)
{
    ITEM_LOOP
    i64 ns;
    struct RtDay *day = &f->pipe->day;
    if (item->text_len == 24 && rt_time24(day, p, &ns)) {
        p += 24;
    } else {
        const char *q = f->rt->pass_text(p, STOP);
        if (!q || !f->rt->time(day, p, (u64)(q - p), &ns)) GIVE_UP;
        p = q;
    }
    if (RT_RARE(!in_range(item->field, (double)ns))) GIVE_UP;
    PUT(int64_t, ns);
    HAS(1);
    ITEM_END
}

/* ---- numbers ---- */

static void skip_number(const Item *item, Lanes *l)
{
    ITEM_LOOP
    const char *q = rt_pass_number(p);
    if (RT_RARE(!q) && !(q = f->rt->pass_number(p, STOP))) GIVE_UP;
    p = q;
    ITEM_END
}

static void f64_value(const Item *item, Lanes *l)
{
    double lo = item->field->has_range ? item->field->lo : -__builtin_inf(),
           hi = item->field->has_range ? item->field->hi : __builtin_inf();
    ITEM_LOOP
    double d;
    const char *q = rt_short_f64(p, &d);
    if (RT_RARE(!q) && (!(q = f->rt->number(p, STOP, &d)) || !(d - d == 0))) GIVE_UP;
    if (RT_RARE(!(d >= lo && d <= hi))) GIVE_UP;
    PUT(double, d);
    HAS(1);
    p = q;
    ITEM_END
}

static void f32_value(const Item *item, Lanes *l)
{
    ITEM_LOOP
    double d;
    const char *q = rt_short_f64(p, &d);
    if (RT_RARE(!q) && !(q = f->rt->number(p, STOP, &d))) GIVE_UP;
    d = (double)(float)d;
    if (RT_RARE(!(d - d == 0) || !in_range(item->field, d))) GIVE_UP;
    PUT(float, d);
    HAS(1);
    p = q;
    ITEM_END
}

static void whole_value(const Item *item, Lanes *l)
{
    IrType type = item->field->type;
    ITEM_LOOP
    i64 n;
    const char *q = rt_short_int(p, &n);
    if (RT_RARE(!q || *q == '.' || *q == 'e' || *q == 'E') && !(q = f->rt->integer(p, STOP, &n)))
        GIVE_UP;
    if (type == IR_I32) {
        if (RT_RARE(n != (i32)n)) GIVE_UP;
        PUT(int32_t, n);
    } else if (type == IR_U32) {
        if (RT_RARE(n != (i64)(u32)n)) GIVE_UP;
        PUT(uint32_t, n);
    } else {
        if (RT_RARE(type == IR_U64 && n < 0)) GIVE_UP;
        PUT(int64_t, n);
    }
    if (RT_RARE(!in_range(item->field, (double)n))) GIVE_UP;
    HAS(1);
    p = q;
    ITEM_END
}

/* Decimals, and times as numbers. */
static void scaled_value(const Item *item, Lanes *l)
{
    bool time = item->field->type == IR_TIME;
    ITEM_LOOP
    i64 n;
    u32 why;
    RtValue v;
    p = f->rt->decimal(p, STOP, item->scale, time, &n, &why);
    if (RT_RARE(!p || why)) GIVE_UP;
    v.i = n;
    if (RT_RARE(rt_value_check(item->check, v))) GIVE_UP;
    PUT(int64_t, n);
    HAS(1);
    ITEM_END
}

/* ---- the rest ---- */

static void bool_value(const Item *item, Lanes *l)
{
    bool needed = item->value.column != NO_COLUMN;
    ITEM_LOOP
    bool yes = RT_4(p) == 0x65757274u; /* true, false as words */
    if (!yes && (RT_8(p) & 0xffffffffffull) != 0x65736c6166ull) GIVE_UP;
    if (needed) {
        PUT(uint8_t, yes);
        HAS(1);
    }
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
    if (!(p = f->rt->skip(p, STOP))) GIVE_UP;
    ITEM_END
}

/* What the scanner takes as a list. */
static void list_value(const Item *item, Lanes *l)
{
    const IrSource *source = &l->frame->in->code->pipeline->sources[0];
    ITEM_LOOP
    RtValue v;
    p = f->rt->scan_list(f->pipe, item->check->child, item->field->bytes_max, (u32)source->check,
                         source->unknown == UNKNOWN_REJECT, p, STOP, &v);
    if (RT_RARE(!p)) GIVE_UP;
    PUT_TEXT(v.s);
    HAS(1);
    ITEM_END
}

/* A JSON value that is passed on as it is. `more` of the constant ends with its quote, if it is a
 * text. */
static void json_value(const Item *item, Lanes *l)
{
    uint32_t max = item->field->bytes_max ? item->field->bytes_max : UINT32_MAX;
    uint32_t quote = item->scale; /* 1: the value is a text and began in the constant */
    ITEM_LOOP
    const char *from = p - quote;
    if (RT_RARE(*from == 'n')) GIVE_UP; /* null is a missing value */
    const char *q = f->rt->skip(from, STOP);
    if (RT_RARE(!q || (u64)(q - from) > max)) GIVE_UP;
    if (RT_RARE(memchr(from, '\n', (u64)(q - from)) || memchr(from, '\r', (u64)(q - from))))
        GIVE_UP; /* a row is one line: the scanner makes it so */
    PUT_TEXT(((RtText){from, (u64)(q - from)}));
    HAS(1);
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

static ItemFn *number_loop(const IrField *field)
{
    switch (field->type) {
    case IR_F64: return f64_value;
    case IR_F32: return f32_value;
    case IR_I32:
    case IR_U32:
    case IR_I64:
    case IR_U64: return whole_value;
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
    case LAYOUT_NUMBER: return field ? number_loop(field) : skip_number;
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
    char first[16] = {0};
    memcpy(first, text.ptr, text.len < 16 ? text.len : 16);
    item->len = (uint32_t)text.len;
    item->at1 = text.len > 8 ? 8 : 0;
    for (uint32_t i = 0; i < 2; i++) {
        size_t from = 8 * (size_t)i, n = text.len > from ? text.len - from : 0;
        memcpy(&item->word[i], first + from, 8);
        item->mask[i] = n >= 8 ? ~0ull : (1ull << (8 * n)) - 1;
    }
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

static void enum_words(Item *item, char **room)
{
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
    return bytes + code->codes[0].input_count * sizeof(uint32_t);
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

/* With `check lazy` what follows the last needed value is not looked at, when every needed leaf is
 * in the layout: else one might stand there. */
static uint32_t last_needed(const PipeCode *code, const Layout *layout)
{
    uint32_t last = 0, found = 0, wanted = 0;
    for (uint32_t i = 0; i < code->leaf_count; i++) wanted += code->needed[i];
    for (uint32_t i = 0; i < layout->count; i++) {
        uint32_t leaf = layout->items[i].leaf;
        if (leaf == NO_INDEX || !code->needed[leaf]) continue;
        last = i + 1;
        found++;
    }
    return found == wanted && found ? last : layout->count;
}

LayoutCode *interp__layout_code(const PipeCode *code, const Layout *layout)
{
    bool lazy = code->pipeline->sources[0].check == CHECK_LAZY;
    uint32_t count = lazy ? last_needed(code, layout) : layout->count;
    size_t items = sizeof(LayoutCode) + sizeof(Item) * count;
    LayoutCode *out = mem_zalloc(1, items + room_of(code, layout));
    if (!out) return NULL;
    char *room = (char *)out + items;
    uint32_t *optional = (uint32_t *)(void *)room;
    const Code *stage = &code->codes[0];
    for (uint32_t i = 0; i < stage->input_count; i++)
        if (stage->inputs[i].optional) optional[out->optional_count++] = stage->inputs[i].has;
    room += (stage->input_count * sizeof(uint32_t) + 7) / 8 * 8;
    out->optional = optional;
    out->count = count;
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

/* Lanes that read to their end are done; the others stay. */
static void sort_out(const LayoutCode *code, Lanes *l)
{
    const Frame *f = l->frame;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const char *p = l->at[i], *stop = f->in->stop[l->lane[i]];
        bool done;
        if (!code->to_the_end) { /* a number must have ended, too */
            done = p != nowhere && (*p == ',' || *p == '}' || *p == '"' || *p == ' ');
        } else if ((done = !differs(&code->after, p))) {
            p += code->after.len;
            done = p == stop || (p + 1 == stop && *p == '\r');
        }
        l->lane[kept] = l->lane[i];
        kept += !done;
    }
    l->count = kept;
}

void interp__layout_run(const LayoutCode *code, Lanes *l)
{
    Frame *f = l->frame;
    for (uint32_t k = 0; k < code->optional_count; k++) {
        uint8_t *has = COLUMN(f, uint8_t, code->optional[k]);
        for (uint32_t i = 0; i < l->count; i++) has[l->lane[i]] = 0;
    }
    for (uint32_t i = 0; i < l->count; i++) l->at[i] = f->in->start[l->lane[i]];
    for (uint32_t i = 0; i < code->count; i++) code->items[i].run(&code->items[i], l);
    sort_out(code, l);
}
