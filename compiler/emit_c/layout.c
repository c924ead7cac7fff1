/* compiler/emit_c/layout.c: the expected layout of a source's records, as code.
 *
 * From sample lines the order of keys, the spacing and the kind of each value are learnt (the shape
 * seen most often wins); without a sample the declared order, compact, is the guess. The code
 * compares the constant parts eight bytes at a time, converts what the program needs and checks the
 * rest without converting it. It may give up (0) on anything; the record is then read again in any
 * order. So a layout can be wrong, never unsafe: every value it accepts is checked as strictly as
 * there. */
#include "compiler/emit_c/emit_int.h"

#include <inttypes.h>

enum { ITEMS_MAX = 256, SHAPES_MAX = 8, SAMPLE_LINES = 200 };

typedef struct Item {
    Str before;    /* constant bytes in front of the value, the string's quote included */
    char kind;     /* s string, n number, t true or false, 0 null, o object or array */
    uint32_t leaf; /* NO_INDEX: not in the schema */
    size_t len;    /* bytes of a string */
} Item;

typedef struct Shape {
    Item items[ITEMS_MAX];
    uint32_t count;
    Str after;
} Shape;

typedef struct Learn {
    Emit *e;
    Shape *shape;
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

/* Over an object or array without looking inside; the generated code checks it. */
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

static uint32_t leaves_of(const IrProgram *ir, uint32_t schema)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ir->schemas[schema].count; i++) {
        const IrField *field = &ir->schemas[schema].fields[i];
        count += field->type == IR_RECORD ? leaves_of(ir, field->record) : 1;
    }
    return count;
}

static void object(Learn *l, uint32_t schema, uint32_t first_leaf);

static void item(Learn *l, char kind, uint32_t leaf, const char *value, size_t len)
{
    if (l->shape->count == ITEMS_MAX) {
        l->bad = true;
        return;
    }
    l->shape->items[l->shape->count++] =
        (Item){str_slice(l->mark, (size_t)(value - l->mark)), kind, leaf, len};
}

static void value(Learn *l, const IrField *field, uint32_t leaf)
{
    if (l->p >= l->end) {
        l->bad = true;
        return;
    }
    char c = *l->p;
    const char *start = l->p;
    if (c == '{' && field && field->type == IR_RECORD) {
        object(l, field->record, leaf);
        return;
    }
    if (field && field->type == IR_RECORD) field = NULL, leaf = NO_INDEX;
    if (c == '"') {
        Str text = string(l, false);
        item(l, 's', leaf, start + 1, text.len);
        l->mark = l->p - 1; /* the closing quote belongs to the next constant */
        return;
    }
    if (c == '{' || c == '[')
        opaque(l);
    else
        while (l->p < l->end && *l->p != ',' && *l->p != '}' && *l->p != ']' && *l->p != ' ')
            l->p++;
    char kind = c == '{' || c == '[' ? 'o' : c == 't' || c == 'f' ? 't' : c == 'n' ? '0' : 'n';
    if (l->p == start) l->bad = true;
    item(l, kind, leaf, start, 0);
    l->mark = l->p;
}

static const IrField *find(Learn *l, uint32_t schema, Str key, uint32_t *leaf)
{
    const IrSchema *s = &l->e->ir->schemas[schema];
    for (uint32_t i = 0; i < s->count; i++) {
        if (str_eq(s->fields[i].name, key)) return &s->fields[i];
        *leaf += s->fields[i].type == IR_RECORD ? leaves_of(l->e->ir, s->fields[i].record) : 1;
    }
    *leaf = NO_INDEX;
    return NULL;
}

static void object(Learn *l, uint32_t schema, uint32_t first_leaf)
{
    if (++l->depth > 8) l->bad = true;
    l->p++;
    for (;;) {
        space(l);
        if (l->bad || l->p >= l->end || *l->p != '"') break;
        Str key = string(l, true);
        space(l);
        if (l->p >= l->end || *l->p != ':') break;
        l->p++;
        space(l);
        uint32_t leaf = first_leaf;
        const IrField *field = find(l, schema, key, &leaf);
        value(l, field, leaf);
        space(l);
        if (l->bad || l->p >= l->end) break;
        if (*l->p == ',') {
            l->p++;
            continue;
        }
        if (*l->p != '}') break;
        l->p++;
        l->depth--;
        return;
    }
    l->bad = true;
}

/* Usable: every leaf at most once, every needed leaf that must be there is. */
static bool usable(const Emit *e, const Shape *shape)
{
    bool seen[ITEMS_MAX] = {false};
    for (uint32_t i = 0; i < shape->count; i++) {
        uint32_t leaf = shape->items[i].leaf;
        if (leaf == NO_INDEX) {
            if (e->pipeline->sources[0].unknown != UNKNOWN_IGNORE) return false;
            continue;
        }
        if (leaf >= ITEMS_MAX || seen[leaf]) return false;
        seen[leaf] = true;
    }
    for (uint32_t i = 0; i < e->leaf_count && i < ITEMS_MAX; i++)
        if (e->needed[i] && !e->leaves[i].optional && !seen[i]) return false;
    return e->leaf_count <= ITEMS_MAX;
}

static bool learn(Emit *e, Str line, Shape *shape)
{
    Learn l = {e, shape, line.ptr, line.ptr + line.len, line.ptr, false, 0};
    shape->count = 0;
    if (!line.len || *l.p != '{') return false;
    object(&l, e->pipeline->in_schema, 0);
    shape->after = str_slice(l.mark, (size_t)(l.p - l.mark));
    if (l.p < l.end && *l.p == '\r') l.p++;
    return !l.bad && l.p == l.end && shape->count && usable(e, shape);
}

static bool same(const Shape *a, const Shape *b)
{
    if (a->count != b->count || !str_eq(a->after, b->after)) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->items[i].kind != b->items[i].kind || !str_eq(a->items[i].before, b->items[i].before))
            return false;
    return true;
}

/* The shape most lines have. */
static const Shape *most_common(Emit *e, Str sample)
{
    Shape *shapes = arena_many(e->arena, Shape, SHAPES_MAX + 1);
    uint32_t votes[SHAPES_MAX] = {0}, count = 0, best = 0;
    if (!shapes) return NULL;
    for (int line = 0; line < SAMPLE_LINES && sample.len; line++) {
        ptrdiff_t nl = str_find_char(sample, '\n');
        if (nl < 0) break; /* the last line may be cut */
        Shape *at = &shapes[count < SHAPES_MAX ? count : SHAPES_MAX];
        if (learn(e, str_slice(sample.ptr, (size_t)nl), at)) {
            uint32_t i = 0;
            while (i < count && !same(&shapes[i], at)) i++;
            if (i < count)
                votes[i]++;
            else if (count < SHAPES_MAX)
                votes[count++] = 1;
        }
        sample = str_skip(sample, (size_t)nl + 1);
    }
    for (uint32_t i = 1; i < count; i++)
        if (votes[i] > votes[best]) best = i;
    return count ? &shapes[best] : NULL;
}

/* Declared order, compact: written as a sample line and learnt like any other. */
static void guess(Emit *e, uint32_t schema, Buf *line)
{
    const IrSchema *s = &e->ir->schemas[schema];
    buf_char(line, '{');
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        if (i) buf_char(line, ',');
        buf_char(line, '"');
        buf_str(line, f->name);
        buf_text(line, "\":");
        switch (f->type) {
        case IR_RECORD: guess(e, f->record, line); break;
        case IR_BOOL: buf_text(line, "true"); break;
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

/* ---- code ---- */

static uint64_t word(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

/* Compares `n` constant bytes at p + at. */
static void expect_part(Emit *e, Str text)
{
    size_t n = text.len, at = 0;
    emit_f(e, "    if (RT_RARE(");
    if (n >= 8) {
        for (; at + 8 <= n; at += 8)
            emit_f(e, "%s(RT_8(p + %zu) ^ 0x%" PRIx64 "ull)", at ? " | " : "", at,
                   word(text.ptr + at, 8));
        if (at < n)
            emit_f(e, " | (RT_8(p + %zu) ^ 0x%" PRIx64 "ull)", n - 8, word(text.ptr + n - 8, 8));
    } else if (n >= 4) {
        emit_f(e, "(RT_4(p) ^ 0x%" PRIx64 "u)", word(text.ptr, 4));
        if (n > 4)
            emit_f(e, " | (RT_4(p + %zu) ^ 0x%" PRIx64 "u)", n - 4, word(text.ptr + n - 4, 4));
    } else {
        for (; at < n; at++) emit_f(e, "%s(p[%zu] ^ %d)", at ? " | " : "", at, text.ptr[at]);
    }
    emit_f(e, ")) return 0;\n    p += %zu;\n", n);
}

static void expect(Emit *e, Str text)
{
    emit_f(e, "    /* ");
    for (size_t i = 0; i < text.len; i++) /* a comment must not end early */
        emit_f(e, "%c", text.ptr[i] == '*' || text.ptr[i] == '\\' ? '.' : text.ptr[i]);
    emit_f(e, " */\n");
    while (text.len > 64) {
        expect_part(e, str_slice(text.ptr, 64));
        text = str_skip(text, 64);
    }
    if (text.len) expect_part(e, text);
}

static void text_end(Emit *e)
{
    emit_f(e, "    { const char *q = rt_plain(p); if (RT_RARE(!q) && !(q = rt->pass_text(p, end))) "
              "return 0; p = q; }\n");
}

/* Enum names with their closing quote, compared as words. */
static void enum_value(Emit *e, const IrField *field, uint32_t leaf)
{
    emit_f(e, "    ");
    for (uint32_t i = 0; i < field->names->count; i++) {
        Str name = field->names->names[i];
        char text[72];
        size_t n = name.len + 1;
        if (n > sizeof text) continue;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '"';
        emit_f(e, "%sif (", i ? "    else " : "");
        if (n == 4)
            emit_f(e, "RT_4(p) == 0x%" PRIx64 "u", word(text, 4));
        else if (n == 8)
            emit_f(e, "RT_8(p) == 0x%" PRIx64 "ull", word(text, 8));
        else if (n < 8)
            emit_f(e, "(RT_8(p) & 0x%" PRIx64 "ull) == 0x%" PRIx64 "ull",
                   ((uint64_t)1 << (8 * n)) - 1, word(text, n));
        else {
            emit_f(e, "!__builtin_memcmp(p, ");
            emit_literal(e, str_slice(text, n));
            emit_f(e, ", %zu)", n);
        }
        emit_f(e, ") { v[%" PRIu32 "].i = %" PRIu32 "; p += %zu; }\n", leaf, i, name.len);
    }
    emit_f(e, "    else return 0;\n    h[%" PRIu32 "] = 1;\n", leaf);
}

static void range(Emit *e, const IrField *field, uint32_t leaf)
{
    if (!field->has_range) return;
    emit_f(e, "    if (RT_RARE(!((f64)v[%" PRIu32 "].%s", leaf, emit_member(field->type));
    if (field->type == IR_DECIMAL) emit_f(e, " / 1e%u", field->scale);
    emit_f(e, " >= %a && (f64)v[%" PRIu32 "].%s", field->lo, leaf, emit_member(field->type));
    if (field->type == IR_DECIMAL) emit_f(e, " / 1e%u", field->scale);
    emit_f(e, " <= %a))) return 0;\n", field->hi);
}

static void string_value(Emit *e, const Item *it, const IrField *field)
{
    uint32_t leaf = it->leaf;
    switch (field->type) {
    case IR_STR:
        emit_f(e,
               "    { const char *q = rt_plain(p); if (RT_RARE(!q)) { if (!(q = rt->text(pipe, p, "
               "end, &v[%" PRIu32 "]))) return 0; }\n    else v[%" PRIu32
               "].s = (RtText){p, (u64)(q - p)};\n    p = q; h[%" PRIu32 "] = 1; }\n",
               leaf, leaf, leaf);
        if (field->bytes_max)
            emit_f(e, "    if (RT_RARE(v[%" PRIu32 "].s.n > %" PRIu32 "u)) return 0;\n", leaf,
                   field->bytes_max);
        return;
    case IR_ENUM: enum_value(e, field, leaf); return;
    case IR_TIME:
        if (field->time_read != IR_TIME_TEXT) break;
        emit_f(e, "    h[%" PRIu32 "] = 1;\n    ", leaf);
        if (it->len == 24)
            emit_f(e, "if (rt_time24(&pipe->day, p, &v[%" PRIu32 "].i)) p += 24;\n    else ", leaf);
        emit_f(e,
               "{ const char *q = rt->pass_text(p, end); if (!q || !rt->time(&pipe->day, p, "
               "(u64)(q - p), &v[%" PRIu32 "].i)) return 0; p = q; }\n",
               leaf);
        range(e, field, leaf);
        return;
    default: break;
    }
    emit_f(e, "    return 0;\n"); /* durations, bytes, or another type: any order knows */
}

static void number_value(Emit *e, const IrField *field, uint32_t leaf)
{
    switch (field->type) {
    case IR_F64:
    case IR_F32:
        emit_f(e, "    { f64 d; const char *q = rt_short_f64(p, &d); if (RT_RARE(!q) && (!(q = "
                  "rt->number(p, end, &d)) "
                  "|| !(d - d == 0))) return 0;\n    p = q; ");
        emit_f(e, field->type == IR_F32 ? "d = (f64)(f32)d; if (!(d - d == 0)) return 0; " : "");
        emit_f(e, "v[%" PRIu32 "].d = d; }\n", leaf);
        break;
    case IR_I32:
    case IR_I64:
    case IR_U32:
    case IR_U64:
        emit_f(e, "    { i64 n; const char *q = rt_short_int(p, &n); if (RT_RARE(!q || *q == '.' "
                  "|| *q == 'e' || *q == "
                  "'E') && !(q = rt->integer(p, end, &n))) return 0;\n    p = q; ");
        if (field->type == IR_I32) emit_f(e, "if (RT_RARE(n != (i32)n)) return 0; ");
        if (field->type == IR_U32) emit_f(e, "if (RT_RARE(n != (i64)(u32)n)) return 0; ");
        if (field->type == IR_U64) emit_f(e, "if (RT_RARE(n < 0)) return 0; ");
        emit_f(e, "v[%" PRIu32 "].i = n; }\n", leaf);
        break;
    case IR_DECIMAL:
    case IR_TIME: {
        static const unsigned scale[] = {0, 9, 6, 3, 0};
        if (field->type == IR_TIME && field->time_read == IR_TIME_TEXT) {
            emit_f(e, "    return 0;\n");
            return;
        }
        emit_f(e,
               "    { u32 why; p = rt->decimal(p, end, %u, %d, &v[%" PRIu32
               "].i, &why); if (RT_RARE(!p || why)) return 0; }\n",
               field->type == IR_DECIMAL ? field->scale : scale[field->time_read],
               field->type == IR_TIME, leaf);
        break;
    }
    default: emit_f(e, "    return 0;\n"); return;
    }
    emit_f(e, "    h[%" PRIu32 "] = 1;\n", leaf);
    range(e, field, leaf);
}

static void opaque_value(Emit *e)
{
    emit_f(e, "    { const char *line = __builtin_memchr(p, '\\n', (u64)(end - p)); p = "
              "rt->skip(p, line ? line : end); if (!p) return 0; }\n");
}

static void item_code(Emit *e, const Item *it)
{
    bool needed = it->leaf != NO_INDEX && e->needed[it->leaf];
    const IrField *field = needed ? e->leaves[it->leaf].field : NULL;
    expect(e, it->before);
    switch (it->kind) {
    case 's':
        if (needed)
            string_value(e, it, field);
        else
            text_end(e);
        return;
    case 'n':
        if (needed)
            number_value(e, field, it->leaf);
        else
            emit_f(e, "    { const char *q = rt_pass_number(p); if (RT_RARE(!q) && !(q = "
                      "rt->pass_number(p, end))) return 0; p = q; }\n");
        return;
    case 't':
        emit_f(e, "    { u32 yes = RT_4(p) == 0x65757274u; if (!yes && ((RT_8(p) & "
                  "0xffffffffffull) != 0x65736c6166ull)) return 0;\n");
        if (needed && field->type == IR_BOOL)
            emit_f(e, "    v[%" PRIu32 "].i = yes; h[%" PRIu32 "] = 1;\n", it->leaf, it->leaf);
        else if (needed)
            emit_f(e, "    return 0;\n");
        emit_f(e, "    p += yes ? 4 : 5; }\n");
        return;
    case '0':
        expect(e, STR("null"));
        if (needed && !e->leaves[it->leaf].optional) emit_f(e, "    return 0;\n");
        return;
    default:
        if (needed)
            emit_f(e, "    return 0;\n"); /* json values: any order slices them */
        else
            opaque_value(e);
    }
}

bool emit_layout(Emit *e, Str sample)
{
    const IrSource *source = &e->pipeline->sources[0];
    const Shape *shape = most_common(e, sample);
    if (!shape) {
        Buf line;
        buf_init(&line, EMIT_BYTES_MAX);
        guess(e, e->pipeline->in_schema, &line);
        buf_char(&line, '\n');
        Str text = arena_str(e->arena, buf_view(&line));
        buf_done(&line);
        shape = text.ptr ? most_common(e, text) : NULL;
    }
    if (!shape) return false;
    uint32_t last = 0;
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->items[i].leaf != NO_INDEX && e->needed[shape->items[i].leaf]) last = i + 1;
    bool lazy = source->check == CHECK_LAZY;
    emit_f(e, "/* the expected layout; 0 = another one, read in any order then */\n");
    emit_f(e,
           "RT_INLINE const char *learnt_%" PRIu32
           "(RtPipe *pipe, const char *p, const char *end, RtValue *v, u8 *h)\n{\n",
           e->index);
    for (uint32_t i = 0; i < e->leaf_count; i++)
        if (e->needed[i] && e->leaves[i].optional) emit_f(e, "    h[%" PRIu32 "] = 0;\n", i);
    for (uint32_t i = 0; i < (lazy ? last : shape->count); i++) item_code(e, &shape->items[i]);
    if (lazy) {
        if (last && shape->items[last - 1].kind == 'n') /* nothing behind it is compared */
            emit_f(e, "    if (RT_RARE(*p != ',' && *p != '}')) return 0;\n");
        emit_f(e, "    { const char *q = __builtin_memchr(p, '\\n', (u64)(end - p)); return q ? q "
                  ": end; }\n}\n");
    } else {
        expect(e, shape->after);
        emit_f(e, "    return p;\n}\n");
    }
    return true;
}
