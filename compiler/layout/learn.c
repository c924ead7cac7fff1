/* compiler/layout/learn.c: sample lines to layouts.
 *
 * A line is walked once with the schema at hand; what is between two values is constant. Lines that
 * are not plain JSON objects, or could never be accepted, have no vote. Most lines look like the
 * one before: they are compared with its layout, and walked only when they differ. */
#include "compiler/layout/layout.h"

#include "base/buf.h"
#include "compiler/ir/facts.h"

enum { SHAPES_MAX = 16, SAMPLE_LINES = 1000, RARE = 100, DEPTH_MAX = 8, GUESS_BYTES_MAX = 1 << 20 };

typedef struct Learn {
    const IrProgram *ir;
    const bool *needed; /* of the leaves */
    uint32_t schema, leaf_count;
    bool refuse_unknown;
    Layout *layout;
    const char *p, *end, *mark; /* mark: start of the constant at hand */
    bool bad;
    uint32_t depth;
} Learn;

static void space(Learn *l)
{
    while (l->p < l->end && (*l->p == ' ' || *l->p == '\t')) l->p++;
}

/* At a quote: behind the closing one. Only plain ASCII will do for keys. */
static Str string(Learn *l, bool plain)
{
    const char *start = ++l->p;
    while (l->p < l->end && *l->p != '"') {
        if (*l->p == '\\') {
            if (plain) l->bad = true;
            l->p++;
        } else if (plain && ((unsigned char)*l->p < 32 || (unsigned char)*l->p > 126)) {
            l->bad = true;
        }
        l->p++;
    }
    if (l->p >= l->end) {
        l->bad = true;
        return STR_NONE;
    }
    Str text = str_slice(start, (size_t)(l->p - start));
    l->p++;
    return text;
}

/* Over an object or array without looking inside; the decoder checks it. */
static void opaque(Learn *l)
{
    int depth = 0;
    do {
        if (l->p >= l->end) {
            l->bad = true;
            return;
        }
        if (*l->p == '"') {
            string(l, false);
            continue;
        }
        if (*l->p == '{' || *l->p == '[') depth++;
        if (*l->p == '}' || *l->p == ']') depth--;
        l->p++;
    } while (depth > 0);
}

static void item(Learn *l, LayoutKind kind, uint32_t leaf, const char *value, size_t len)
{
    if (l->layout->count == LAYOUT_ITEMS_MAX) {
        l->bad = true;
        return;
    }
    Str before = str_slice(l->mark, (size_t)(value - l->mark));
    l->layout->items[l->layout->count++] = (LayoutItem){.before = before,
                                                        .kind = kind,
                                                        .leaf = leaf,
                                                        .len = (uint32_t)len,
                                                        .depth = l->depth,
                                                        .minus = *value == '-',
                                                        .lead = 1};
}

static void object(Learn *l, uint32_t schema, uint32_t first_leaf);

/* A number, or one of the three words; anything else has no vote. */
static LayoutKind scalar(Learn *l)
{
    const char *start = l->p;
    while (l->p < l->end && *l->p != ',' && *l->p != '}' && *l->p != ']' && *l->p != ' ') l->p++;
    Str text = str_slice(start, (size_t)(l->p - start));
    if (str_is(text, "true") || str_is(text, "false")) return LAYOUT_BOOL;
    if (str_is(text, "null")) return LAYOUT_NULL;
    if (!text.len || (*start != '-' && (*start < '0' || *start > '9'))) l->bad = true;
    return LAYOUT_NUMBER;
}

/* Somebody reads the field, or a leaf of the record it is. */
static bool wanted(const Learn *l, const IrField *field, uint32_t leaf)
{
    uint32_t count = field->type == IR_RECORD ? ir_leaf_count(l->ir, field->record) : 1;
    for (uint32_t i = 0; i < count && leaf + i < l->leaf_count; i++)
        if (l->needed[leaf + i]) return true;
    return false;
}

/* What the values of a field look like. */
static LayoutKind kind_of(const IrField *field)
{
    switch (field->type) {
    case IR_STR:
    case IR_BYTES:
    case IR_DURATION:
    case IR_ENUM: return LAYOUT_TEXT;
    case IR_TIME: return field->time_read == IR_TIME_TEXT ? LAYOUT_TEXT : LAYOUT_NUMBER;
    case IR_BOOL: return LAYOUT_BOOL;
    case IR_LIST: return LAYOUT_OPAQUE;
    default: return LAYOUT_NUMBER;
    }
}

/* A record whose needed field has a value of another kind is an error, whatever else it looks like:
 * no decoder for it. */
static bool fits(const IrField *field, LayoutKind kind, char first)
{
    if (kind == LAYOUT_NULL) return field->optional;
    if (field->type == IR_JSON) return true;
    return kind == kind_of(field) && (kind != LAYOUT_OPAQUE || first == '[');
}

/* A value that is not an object to look into; `field` is NULL where there is no leaf. */
static void plain_value(Learn *l, const IrField *field, uint32_t leaf)
{
    const char *start = l->p;
    LayoutKind kind = LAYOUT_OPAQUE;
    if (*start == '"') {
        kind = LAYOUT_TEXT;
        Str text = string(l, false);
        item(l, LAYOUT_TEXT, leaf, start + 1, text.len);
        l->mark = l->p - 1; /* the closing quote belongs to the next constant */
    } else {
        if (*start == '{' || *start == '[')
            opaque(l);
        else
            kind = scalar(l);
        item(l, kind, leaf, start, (size_t)(l->p - start));
        l->mark = l->p;
    }
    if (field && wanted(l, field, leaf) && !fits(field, kind, *start)) l->bad = true;
}

static void value(Learn *l, const IrField *field, uint32_t leaf)
{
    if (l->p >= l->end) {
        l->bad = true;
    } else if (field && field->type == IR_RECORD && *l->p == '{') {
        object(l, field->record, leaf);
    } else if (field && field->type == IR_RECORD) {
        /* null, or what no decoder takes; there is no leaf to give it to */
        if (wanted(l, field, leaf) && !(field->optional && *l->p == 'n')) l->bad = true;
        plain_value(l, NULL, NO_INDEX);
    } else {
        if (!field && l->refuse_unknown) l->bad = true;
        plain_value(l, field, leaf);
    }
}

/* Number of the field in its schema, or NO_INDEX; *leaf moves on to its first leaf. */
static uint32_t find(const Learn *l, const IrSchema *s, Str key, uint32_t *leaf)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (str_eq(s->fields[i].name, key)) return i;
        *leaf += s->fields[i].type == IR_RECORD ? ir_leaf_count(l->ir, s->fields[i].record) : 1;
    }
    *leaf = NO_INDEX;
    return NO_INDEX;
}

/* A key, its colon and its value. */
static void member(Learn *l, const IrSchema *s, uint32_t first_leaf, bool *seen)
{
    Str key = string(l, true);
    space(l);
    if (l->p >= l->end || *l->p != ':') {
        l->bad = true;
        return;
    }
    l->p++;
    space(l);
    uint32_t leaf = first_leaf, at = find(l, s, key, &leaf);
    if (at != NO_INDEX) {
        if (seen[at]) l->bad = true; /* the second one would have to be ignored and counted */
        seen[at] = true;
    }
    value(l, at == NO_INDEX ? NULL : &s->fields[at], leaf);
}

/* What must be there is. */
static void complete(Learn *l, const IrSchema *s, uint32_t leaf, const bool *seen)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *field = &s->fields[i];
        if (!seen[i] && !field->optional && wanted(l, field, leaf)) l->bad = true;
        leaf += field->type == IR_RECORD ? ir_leaf_count(l->ir, field->record) : 1;
    }
}

static void object(Learn *l, uint32_t schema, uint32_t first_leaf)
{
    const IrSchema *s = &l->ir->schemas[schema];
    bool seen[LAYOUT_ITEMS_MAX] = {false}, more = true;
    if (++l->depth > DEPTH_MAX || s->count > LAYOUT_ITEMS_MAX) l->bad = true;
    l->p++;
    while (more && !l->bad) {
        space(l);
        if (l->p >= l->end || *l->p != '"') {
            l->bad = true;
            return;
        }
        member(l, s, first_leaf, seen);
        space(l);
        more = l->p < l->end && *l->p == ',';
        if (!more && (l->p >= l->end || *l->p != '}')) l->bad = true;
        l->p++;
    }
    complete(l, s, first_leaf, seen);
    l->depth--;
}

/* Whether the line is one the decoder could take; *layout is how it looks. */
static bool learn_line(const Learn *with, Str line, Layout *layout)
{
    Learn l = *with;
    l.layout = layout;
    l.p = l.mark = line.ptr;
    l.end = line.ptr + line.len;
    layout->count = 0;
    layout->votes = 1;
    if (!line.len || *l.p != '{') return false;
    object(&l, l.schema, 0);
    if (l.bad) return false;
    layout->after = str_slice(l.mark, (size_t)(l.p - l.mark));
    if (l.p < l.end && *l.p == '\r') l.p++;
    return l.p == l.end && layout->count;
}

static bool same(const Layout *a, const Layout *b)
{
    if (a->count != b->count || !str_eq(a->after, b->after)) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->items[i].kind != b->items[i].kind || !str_eq(a->items[i].before, b->items[i].before))
            return false;
    return true;
}

/* Copies the layout with its texts, so that the sample may go. */
MUST static Status keep(const Layout *from, Arena *arena, Layout *ret)
{
    *ret = *from;
    ret->items = arena_many(arena, LayoutItem, from->count);
    ret->after = arena_str(arena, from->after);
    if (!ret->items || !ret->after.ptr) return ST_NO_MEMORY;
    for (uint32_t i = 0; i < from->count; i++) {
        ret->items[i] = from->items[i];
        ret->items[i].before = arena_str(arena, from->items[i].before);
        if (!ret->items[i].before.ptr) return ST_NO_MEMORY;
    }
    return ST_OK;
}

typedef struct Votes {
    Layout shapes[SHAPES_MAX + 1]; /* the last one is the line at hand when all are taken */
    uint32_t count, lines;
    uint32_t last; /* of the line before */
} Votes;

/* One more line of a known shape; `len` follows the majority (Boyer and Moore's vote). */
static void add_line(Layout *layout, const Layout *fresh)
{
    layout->votes++;
    for (uint32_t i = 0; i < layout->count; i++) {
        LayoutItem *to = &layout->items[i];
        const LayoutItem *from = &fresh->items[i];
        to->minus |= from->minus;
        to->lead += to->len == from->len ? 1 : -1;
        if (to->lead < 0) to->len = from->len, to->lead = 1;
    }
}

/* Behind a value of that kind whose end is plain to see, or NULL. */
static const char *value_end(LayoutKind kind, const char *p, const char *end)
{
    const char *q = p;
    if (kind == LAYOUT_OPAQUE) return NULL;
    if (kind == LAYOUT_TEXT) {
        q = memchr(p, '"', (size_t)(end - p));
        return q && !memchr(p, '\\', (size_t)(q - p)) ? q : NULL;
    }
    while (q < end && *q != ',' && *q != '}' && *q != ']' && *q != ' ') q++;
    Str text = str_slice(p, (size_t)(q - p));
    bool fits = kind == LAYOUT_BOOL   ? str_is(text, "true") || str_is(text, "false")
                : kind == LAYOUT_NULL ? str_is(text, "null")
                                      : text.len && (*p == '-' || (*p >= '0' && *p <= '9'));
    return fits ? q : NULL;
}

/* Whether learn_line would give this layout; then the values' lengths are in `fresh`. False: it is
 * to be asked. */
static bool follows(const Layout *layout, Str line, Layout *fresh)
{
    const char *p = line.ptr, *end = line.ptr + line.len;
    for (uint32_t i = 0; i < layout->count; i++) {
        const LayoutItem *item = &layout->items[i];
        if ((size_t)(end - p) < item->before.len || memcmp(p, item->before.ptr, item->before.len))
            return false;
        p += item->before.len;
        const char *behind = value_end(item->kind, p, end);
        if (!behind) return false;
        fresh->items[i].len = (uint32_t)(behind - p);
        fresh->items[i].minus = *p == '-';
        p = behind;
    }
    if ((size_t)(end - p) < layout->after.len || memcmp(p, layout->after.ptr, layout->after.len))
        return false;
    p += layout->after.len;
    return p == end || (*p == '\r' && p + 1 == end);
}

/* `fresh` is shapes[count]. When all places are taken, one that was seen once gives way. */
static void count_line(Votes *votes, Layout *fresh)
{
    uint32_t i = 0;
    votes->lines++;
    while (i < votes->count && !same(&votes->shapes[i], fresh)) i++;
    if (i < votes->count) {
        add_line(&votes->shapes[i], fresh);
        votes->last = i;
        return;
    }
    if (votes->count < SHAPES_MAX) {
        votes->count++; /* it stands there already */
        return;
    }
    for (i = 0; i < votes->count && votes->shapes[i].votes > 1;) i++;
    if (i == votes->count) return;
    Layout swap = votes->shapes[i];
    votes->shapes[i] = *fresh;
    *fresh = swap; /* keeps its list of items for the next line */
}

/* Declared order, compact: written as a sample line and learnt like any other. */
static void guess(const IrProgram *ir, uint32_t schema, Buf *line)
{
    const IrSchema *s = &ir->schemas[schema];
    buf_char(line, '{');
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        if (i) buf_char(line, ',');
        buf_char(line, '"');
        buf_str(line, f->name);
        buf_text(line, "\":");
        switch (f->type) {
        case IR_RECORD: guess(ir, f->record, line); break;
        case IR_BOOL: buf_text(line, "true"); break;
        case IR_LIST:
        case IR_ITEM:
        case IR_JSON: buf_text(line, "[]"); break;
        case IR_TIME:
            buf_text(line, f->time_read == IR_TIME_TEXT ? "\"2026-11-23T10:00:00.000Z\"" : "0");
            break;
        case IR_STR:
        case IR_BYTES:
        case IR_DURATION:
        case IR_ENUM: buf_text(line, "\"\""); break;
        default: buf_char(line, '0');
        }
    }
    buf_char(line, '}');
}

void layout_needed(const IrStage *stage, IrCheck check, bool *needed, uint32_t leaf_count)
{
    for (uint32_t i = 0; i < leaf_count; i++) needed[i] = check == CHECK_STRICT;
    for (uint32_t i = 0; i < stage->code_count; i++) {
        const IrIns *ins = &stage->code[i];
        if ((ins->op == IR_FIELD || ins->op == IR_HAS) && ins->a < leaf_count)
            needed[ins->a] = true;
    }
}

/* Most topics have one shape: room for the others is taken when they come. */
static bool has_items(Layout *layout, Arena *arena)
{
    if (!layout->items) layout->items = arena_many(arena, LayoutItem, LAYOUT_ITEMS_MAX);
    return layout->items != NULL;
}

MUST static Status take_most(Votes *votes, Arena *arena, LayoutList *ret)
{
    while (ret->count < LAYOUTS_MAX) {
        Layout *best = NULL;
        for (uint32_t i = 0; i < votes->count; i++)
            if (votes->shapes[i].votes && (!best || votes->shapes[i].votes > best->votes))
                best = &votes->shapes[i];
        if (!best || best->votes * RARE < votes->lines) break; /* not worth a try each record */
        for (uint32_t i = 0; i < best->count; i++) /* nine of ten lead the tenth by eight */
            best->items[i].steady = (uint64_t)best->items[i].lead * 10 >= (uint64_t)best->votes * 8;
        Status st = keep(best, arena, &ret->list[ret->count++]);
        if (st) return st;
        best->votes = 0;
    }
    return ST_OK;
}

MUST static Status learn_guess(const Learn *with, Votes *votes, Arena *arena, LayoutList *list)
{
    AUTO_BUF Buf line;
    buf_init(&line, GUESS_BYTES_MAX);
    guess(with->ir, with->schema, &line);
    Layout *at = &votes->shapes[0];
    if (buf_status(&line) || !learn_line(with, buf_view(&line), at)) return ST_OK;
    at->votes = 0;
    for (uint32_t i = 0; i < at->count; i++) at->items[i].minus = true; /* nobody has looked */
    return keep(at, arena, &list->list[list->count++]);
}

uint32_t layout_looked_at(const Layout *layout, IrCheck check, const bool *needed,
                          uint32_t leaf_count)
{
    uint32_t wanted = 0, found = 0, last = 0;
    for (uint32_t i = 0; i < leaf_count; i++) wanted += needed[i];
    for (uint32_t i = 0; i < layout->count; i++) {
        uint32_t leaf = layout->items[i].leaf;
        if (leaf == NO_INDEX || !needed[leaf]) continue;
        last = i + 1;
        found++;
    }
    return check == CHECK_LAZY && found && found == wanted ? last : layout->count;
}

uint32_t layout_asked_at(const Layout *layout, const IrPipeline *pipeline, uint32_t looked_at)
{
    const IrStage *filter = pipeline->filter;
    uint32_t wanted = 0, found = 0, last = 0;
    if (!filter || pipeline->sources[0].check != CHECK_LAZY) return 0;
    for (uint32_t i = 0; i < filter->leaf_count; i++) wanted += filter->leaves[i].needed;
    for (uint32_t i = 0; i < looked_at; i++) {
        uint32_t leaf = layout->items[i].leaf;
        if (leaf == NO_INDEX || !filter->leaves[leaf].needed) continue;
        last = i + 1;
        found++;
    }
    return found == wanted && last < looked_at ? last : 0;
}

Status layout_learn(const IrProgram *ir, uint32_t schema, const IrSource *source,
                    const bool *needed, Str sample, Arena *arena, LayoutList *ret_list)
{
    LayoutList list = {.count = 0};
    Learn with = {.ir = ir,
                  .schema = schema,
                  .needed = needed,
                  .leaf_count = ir_leaf_count(ir, schema),
                  .refuse_unknown = source->unknown == UNKNOWN_REJECT};
    Votes *votes = arena_one(arena, Votes);
    if (!votes) return ST_NO_MEMORY;
    if (!has_items(&votes->shapes[0], arena)) return ST_NO_MEMORY;
    for (int line = 0; line < SAMPLE_LINES && sample.len; line++) {
        ptrdiff_t nl = str_find_char(sample, '\n');
        if (nl < 0) break; /* the last line may be cut */
        Layout *at = &votes->shapes[votes->count];
        if (!has_items(at, arena)) return ST_NO_MEMORY;
        Str text = str_slice(sample.ptr, (size_t)nl);
        Layout *known = votes->count ? &votes->shapes[votes->last] : NULL;
        if (known && known != at && follows(known, text, at)) {
            add_line(known, at);
            votes->lines++;
        } else if (learn_line(&with, text, at)) {
            count_line(votes, at);
        }
        sample = str_skip(sample, (size_t)nl + 1);
    }
    Status st = take_most(votes, arena, &list);
    if (!st && !votes->lines) st = learn_guess(&with, votes, arena, &list);
    if (!st) *ret_list = list;
    return st;
}
