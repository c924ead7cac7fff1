/* compiler/emit_c/layout.c: decoders of the learnt layouts of a source's records.
 *
 * The code compares the constant parts of a learnt layout eight bytes at a time, converts what the
 * program needs and checks the rest without converting it. It may give up (0) on anything; the
 * record is then read again in any order. So a layout can be wrong, never unsafe: every value it
 * accepts is checked as strictly as there. */
#include "compiler/emit_c/emit_int.h"
#include "compiler/ir/facts.h"
#include "compiler/layout/layout.h"

#include <inttypes.h>

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

/* q is behind the value at p: a bet on its length where that mostly is one. */
static void bet(Emit *e, const LayoutItem *it)
{
    if (it->steady) emit_f(e, "q = rt_steady(p, q, &bet[%" PRIu32 "]); ", e->bets++);
}

static void text_end(Emit *e, const LayoutItem *it)
{
    emit_f(e, "    { const char *q = rt_plain(p); if (RT_RARE(!q) && !(q = rt->pass_text(p, end))) "
              "return 0; ");
    bet(e, it);
    emit_f(e, "p = q; }\n");
}

static void number_end(Emit *e, const LayoutItem *it)
{
    emit_f(e,
           "    { const char *q = rt_%s_number(p); if (RT_RARE(!q) && !(q = rt->pass_number(p, "
           "end))) return 0; ",
           it->minus ? "pass" : "plus");
    bet(e, it);
    emit_f(e, "p = q; }\n");
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

/* The table row of a leaf's field: `fields_in_PIPELINE_DEPTH_LEAF[n]`, see table.c. */
static void field_row(Emit *e, uint32_t leaf)
{
    const IrLeaf *l = &e->leaves[leaf];
    uint32_t schema = e->pipeline->in_schema, first = 0, at = 0;
    for (uint32_t i = 0; i < l->path_len; i++) {
        const IrSchema *s = &e->ir->schemas[schema];
        if (i) first = at;
        for (uint32_t n = 0; n < l->path[i]; n++)
            at += s->fields[n].type == IR_RECORD ? ir_leaf_count(e->ir, s->fields[n].record) : 1;
        schema = s->fields[l->path[i]].record;
    }
    emit_f(e, "&fields_in_%" PRIu32 "_%" PRIu32 "_%" PRIu32 "[%" PRIu32 "]", e->index,
           l->path_len - 1, first, l->path[l->path_len - 1]);
}

/* What no inlined reader knows: bytes, durations, json. A text's p is behind its quote. */
static void called_value(Emit *e, const LayoutItem *it)
{
    bool text = it->kind == LAYOUT_TEXT;
    emit_f(e, "    { const char *q = rt->value(pipe, ");
    field_row(e, it->leaf);
    emit_f(e,
           ", p%s, end, %" PRIu32 ", &v[%" PRIu32
           "]); if (RT_RARE(!q)) return 0;\n    p = q%s; h[%" PRIu32 "] = 1; }\n",
           text ? " - 1" : "", it->depth, it->leaf, text ? " - 1" : "", it->leaf);
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

enum { PLAIN_BYTES_MAX = 15 }; /* what rt_plain takes */

static void text_bound(Emit *e, const IrField *field, uint32_t leaf)
{
    if (field->bytes_max)
        emit_f(e, " if (RT_RARE(v[%" PRIu32 "].s.n > %" PRIu32 "u)) return 0;", leaf,
               field->bytes_max);
}

static void text_value(Emit *e, const LayoutItem *it, const IrField *field)
{
    uint32_t leaf = it->leaf;
    emit_f(e,
           "    { const char *q = rt_plain(p); if (RT_RARE(!q)) { if (!(q = rt->text(pipe, p, "
           "end, &v[%" PRIu32 "]))) return 0;",
           leaf);
    text_bound(e, field, leaf);
    emit_f(e, " }\n    else { ");
    bet(e, it);
    emit_f(e, "v[%" PRIu32 "].s = (RtText){p, (u64)(q - p)};", leaf);
    if (field->bytes_max < PLAIN_BYTES_MAX) text_bound(e, field, leaf);
    emit_f(e, " }\n    p = q; h[%" PRIu32 "] = 1; }\n", leaf);
}

static void string_value(Emit *e, const LayoutItem *it, const IrField *field)
{
    uint32_t leaf = it->leaf;
    switch (field->type) {
    case IR_STR: text_value(e, it, field); return;
    case IR_ENUM: enum_value(e, field, leaf); return;
    case IR_TIME:
        emit_f(e, "    h[%" PRIu32 "] = 1;\n    ", leaf);
        if (it->len == 24)
            emit_f(e, "if (rt_time24(&pipe->day, p, &v[%" PRIu32 "].i)) p += 24;\n    else ", leaf);
        emit_f(e,
               "{ const char *q = rt->pass_text(p, end); if (!q || !rt->time(&pipe->day, p, "
               "(u64)(q - p), &v[%" PRIu32 "].i)) return 0; p = q; }\n",
               leaf);
        range(e, field, leaf);
        return;
    default: called_value(e, it); return;
    }
}

/* What is less than 8 bytes long fits all types but those without a sign. A number that is not
 * followed by what this layout has behind it may have a point or an exponent: it is read again. */
static void integer_value(Emit *e, const LayoutItem *it, IrType type, Str behind)
{
    emit_f(e, "    { i64 n; const char *q = rt_%s_int(p, &n); if (RT_RARE(!q || ",
           it->minus ? "short" : "plus");
    if (behind.len)
        emit_f(e, "*q != %d", behind.ptr[0]);
    else
        emit_f(e, "*q == '.' || *q == 'e' || *q == 'E'");
    emit_f(e, ")) { if (!(q = rt->integer(p, end, &n))");
    if (type == IR_I32) emit_f(e, " || n != (i32)n");
    if (type == IR_U32) emit_f(e, " || n != (i64)(u32)n");
    if (type == IR_U64) emit_f(e, " || n < 0");
    emit_f(e, ") return 0; }\n    ");
    if (it->minus && (type == IR_U32 || type == IR_U64))
        emit_f(e, "if (RT_RARE(n < 0)) return 0; ");
    bet(e, it);
    emit_f(e, "p = q; v[%" PRIu32 "].i = n; }\n", it->leaf);
}

/* `behind`: the constant bytes behind it. */
static void number_value(Emit *e, const LayoutItem *it, const IrField *field, Str behind)
{
    uint32_t leaf = it->leaf;
    const char *reader = it->minus ? "short" : "plus";
    switch (field->type) {
    case IR_F64:
    case IR_F32:
        emit_f(e,
               "    { f64 d; const char *q = rt_%s_f64(p, &d); if (RT_RARE(!q) && (!(q = "
               "rt->number(p, end, &d)) || !(d - d == 0))) return 0;\n    ",
               reader);
        bet(e, it);
        emit_f(e, "p = q; ");
        emit_f(e, field->type == IR_F32 ? "d = (f64)(f32)d; if (!(d - d == 0)) return 0; " : "");
        emit_f(e, "v[%" PRIu32 "].d = d; }\n", leaf);
        break;
    case IR_I32:
    case IR_I64:
    case IR_U32:
    case IR_U64: integer_value(e, it, field->type, behind); break;
    case IR_DECIMAL:
    case IR_TIME: {
        static const unsigned scale[] = {0, 9, 6, 3, 0};
        emit_f(e,
               "    { u32 why; p = rt->decimal(p, end, %u, %d, &v[%" PRIu32
               "].i, &why); if (RT_RARE(!p || why)) return 0; }\n",
               field->type == IR_DECIMAL ? field->scale : scale[field->time_read],
               field->type == IR_TIME, leaf);
        break;
    }
    default: called_value(e, it); return;
    }
    emit_f(e, "    h[%" PRIu32 "] = 1;\n", leaf);
    range(e, field, leaf);
}

static void opaque_value(Emit *e, const LayoutItem *it)
{
    emit_f(e, "    p = rt->skip(p, rt_line_end(p, end), %" PRIu32 "); if (!p) return 0;\n",
           it->depth);
}

/* A list takes what the any-order scanner takes. */
static void list_value(Emit *e, const LayoutItem *it, const IrField *field)
{
    const IrSource *s = ir_group_source(e->pipeline, 0);
    emit_f(e,
           "    p = rt->scan_list(pipe, &schema_%" PRIu32 ", %" PRIu32
           ", %d, %d, p, rt_line_end(p, end), %" PRIu32 ", &v[%" PRIu32
           "]); if (!p) return 0;\n    h[%" PRIu32 "] = 1;\n",
           field->record, field->bytes_max, (int)s->check, s->unknown == UNKNOWN_REJECT, it->depth,
           it->leaf, it->leaf);
}

static void bool_value(Emit *e, const LayoutItem *it, bool needed)
{
    emit_f(e, "    { u32 yes = RT_4(p) == 0x65757274u; if (!yes && ((RT_8(p) & "
              "0xffffffffffull) != 0x65736c6166ull)) return 0;\n");
    if (needed) emit_f(e, "    v[%" PRIu32 "].i = yes; h[%" PRIu32 "] = 1;\n", it->leaf, it->leaf);
    emit_f(e, "    p += yes ? 4 : 5; }\n");
}

static void item_code(Emit *e, const LayoutItem *it, Str behind)
{
    const IrField *field =
        it->leaf != NO_INDEX && e->needed[it->leaf] ? e->leaves[it->leaf].field : NULL;
    expect(e, it->before);
    if (field && field->type == IR_JSON && it->kind != LAYOUT_NULL) {
        called_value(e, it);
        return;
    }
    switch (it->kind) {
    case LAYOUT_TEXT: field ? string_value(e, it, field) : text_end(e, it); return;
    case LAYOUT_NUMBER: field ? number_value(e, it, field, behind) : number_end(e, it); return;
    case LAYOUT_BOOL: bool_value(e, it, field != NULL); return;
    case LAYOUT_NULL: expect(e, STR("null")); return;
    case LAYOUT_OPAQUE: field ? list_value(e, it, field) : opaque_value(e, it); return;
    }
}

/* Behind an item that nothing is compared behind: a number has ended. */
static void number_ended(Emit *e, const LayoutItem *it)
{
    if (it->kind == LAYOUT_NUMBER)
        emit_f(e, "    if (RT_RARE(*p != ',' && *p != '}' && *p != ' ')) return 0;\n");
}

/* All that the filter reads is there: a record it does not keep is not looked at any further. While
 * somebody watches a wire all is read, to be shown. */
static void ask(Emit *e, const LayoutItem *it)
{
    emit_f(e, "    if (!keeps_%" PRIu32 "(pipe, v, h) && !pipe->watch) {\n", e->index);
    number_ended(e, it);
    emit_f(e, "    return p;\n    }\n");
}

/* One layout's decoder: behind the record's '}', with `check lazy` behind the last needed value. */
static void decoder(Emit *e, const Layout *layout, uint32_t number)
{
    uint32_t count =
        layout_looked_at(layout, ir_group_source(e->pipeline, 0)->check, e->needed, e->leaf_count);
    if (layout->votes)
        emit_f(e, "/* %" PRIu32 " sample records looked like this; 0 = another layout */\n",
               layout->votes);
    else
        emit_f(e, "/* the order of the declaration; 0 = another layout */\n");
    emit_f(e,
           "RT_INLINE const char *learnt_%" PRIu32 "_%" PRIu32
           "(RtPipe *pipe, const char *p, const char *end, u32 lines, RtValue *v, u8 *h, u64 "
           "*bet)\n{\n",
           e->index, number);
    for (uint32_t i = 0; i < e->leaf_count; i++)
        if (e->needed[i] && e->leaves[i].optional) emit_f(e, "    h[%" PRIu32 "] = 0;\n", i);
    uint32_t asked_at = layout_asked_at(layout, e->pipeline, count);
    for (uint32_t i = 0; i < count; i++) {
        item_code(e, &layout->items[i],
                  i + 1 < layout->count ? layout->items[i + 1].before : layout->after);
        if (i + 1 == asked_at) ask(e, &layout->items[i]);
    }
    if (count == layout->count) {
        expect(e, layout->after);
        emit_f(e, "    if (RT_RARE(!rt_at_end(p, end, lines))) return 0;\n");
    } else {
        number_ended(e, &layout->items[count - 1]);
    }
    emit_f(e, "    return p;\n}\n");
}

uint32_t emit_layouts(Emit *e, Str sample)
{
    LayoutList layouts;
    if (layout_learn(e->ir, e->pipeline->in_schema, ir_group_source(e->pipeline, 0), e->needed,
                     sample, e->arena, &layouts)) {
        emit_fail(e, ST_NO_MEMORY, "compiling");
        return 0;
    }
    for (uint32_t i = 0; i < layouts.count; i++) decoder(e, &layouts.list[i], i);
    return layouts.count;
}
