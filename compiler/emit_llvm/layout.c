/* compiler/emit_llvm/layout.c: a learnt layout as straight code, like emit_c/layout.c: behind the
 * record's '}', with `check lazy` behind the last needed value.
 *
 * Constant parts are compared eight bytes at a time, values the program needs are converted, the
 * rest is checked. Anything else gives up (NULL): the record is then read again in any order. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"
typedef struct Fit {
    Jit *j;
    LLVMValueRef p, end; /* p: a local that holds the place to read at */
    LLVMValueRef bet;
    LLVMBasicBlockRef give_up;
    const IrLeaf *leaves;
    const bool *needed;
} Fit;

static uint64_t word(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static void give_up_if(Fit *f, LLVMValueRef failed)
{
    LLVMBasicBlockRef next = jit_block(f->j);
    jit_goto_if_rare(f->j, failed, f->give_up, next);
    jit_in(f->j, next);
}

/* near_ or far_, see bitcode/ops.c. */
static const char *reader(const Fit *f, const char *name)
{
    return jit_op(f->j->quick ? "far_" : "near_", name);
}

/* The value read since p stood at `from` mostly has one length: bet on it. */
static void bet(Fit *f, const LayoutItem *it, LLVMValueRef from)
{
    Jit *j = f->j;
    if (it->steady) CALL(j, "in_steady", from, f->p, jit_at(j, f->bet, j->bets++));
}

static LLVMValueRef load_at(Fit *f, LLVMValueRef p, uint64_t at, LLVMTypeRef type)
{
    Jit *j = f->j;
    LLVMValueRef from =
        LLVMBuildBitCast(j->builder, jit_at(j, p, at), LLVMPointerType(type, 0), "");
    LLVMValueRef v = LLVMBuildLoad2(j->builder, type, from, "");
    LLVMSetAlignment(v, 1);
    return v;
}

/* Bits that differ from `n` (1, 4 or 8) constant bytes at p + at, as an i64. */
static LLVMValueRef differs(Fit *f, LLVMValueRef p, Str text, size_t at, size_t n)
{
    Jit *j = f->j;
    LLVMTypeRef type = n == 8 ? j->type.i64 : n == 4 ? j->type.i32 : j->type.i8;
    LLVMValueRef v = load_at(f, p, at, type);
    v = LLVMBuildXor(j->builder, v, LLVMConstInt(type, word(text.ptr + at, n), false), "");
    return n == 8 ? v : LLVMBuildZExt(j->builder, v, j->type.i64, "");
}

/* At most 64 bytes; the last word may overlap the one before. */
static void expect_part(Fit *f, Str text)
{
    Jit *j = f->j;
    size_t n = text.len, step = n >= 8 ? 8 : n >= 4 ? 4 : 1;
    LLVMValueRef p = jit_load(j, f->p), any = NULL;
    for (size_t at = 0; at < n; at += step) {
        LLVMValueRef d = differs(f, p, text, at + step <= n ? at : n - step, step);
        any = any ? LLVMBuildOr(j->builder, any, d, "") : d;
    }
    jit_store(j, jit_at(j, p, n), f->p);
    give_up_if(f, LLVMBuildICmp(j->builder, LLVMIntNE, any, jit_i64(j, 0), ""));
}

static void expect(Fit *f, Str text)
{
    for (; text.len > 64; text = str_skip(text, 64)) expect_part(f, str_slice(text.ptr, 64));
    if (text.len) expect_part(f, text);
}

static void set_has(Fit *f, uint32_t leaf, bool has)
{
    jit_store(f->j, LLVMConstInt(f->j->type.i8, has, false), jit_at(f->j, f->j->h, leaf));
}

static LLVMValueRef value_ptr(Fit *f, uint32_t leaf, LLVMTypeRef as)
{
    return LLVMBuildBitCast(f->j->builder, jit_at(f->j, f->j->v, leaf), LLVMPointerType(as, 0), "");
}

/* ---- enums: names with their closing quote, compared as words ---- */

enum { NAME_BYTES_MAX = 72 };

static LLVMValueRef is_name(Fit *f, LLVMValueRef p, Str text)
{
    Jit *j = f->j;
    if (text.len > 8) {
        LLVMValueRef n = jit_i64(j, text.len);
        return CALL(j, "in_same", p, jit_bytes(j, text), n);
    }
    LLVMTypeRef type = text.len == 4 ? j->type.i32 : j->type.i64;
    LLVMValueRef v = load_at(f, p, 0, type);
    if (text.len != 4 && text.len != 8)
        v = LLVMBuildAnd(j->builder, v, jit_i64(j, ((uint64_t)1 << (8 * text.len)) - 1), "");
    return LLVMBuildICmp(j->builder, LLVMIntEQ, v,
                         LLVMConstInt(type, word(text.ptr, text.len), false), "");
}

static void enum_value(Fit *f, const IrField *field, uint32_t leaf)
{
    Jit *j = f->j;
    LLVMValueRef p = jit_load(j, f->p), to = value_ptr(f, leaf, j->type.i64);
    LLVMBasicBlockRef done = jit_block(j);
    for (uint32_t i = 0; i < field->names->count; i++) {
        Str name = field->names->names[i];
        char text[NAME_BYTES_MAX];
        if (name.len + 1 > sizeof text) continue;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '"';
        LLVMBasicBlockRef yes = jit_block(j), no = jit_block(j);
        jit_goto_if(j, is_name(f, p, str_slice(text, name.len + 1)), yes, no);
        jit_in(j, yes);
        jit_store(j, jit_i64(j, i), to);
        jit_store(j, jit_at(j, p, name.len), f->p);
        jit_goto(j, done);
        jit_in(j, no);
    }
    jit_goto(j, f->give_up);
    jit_in(j, done);
    set_has(f, leaf, true);
}

/* ---- values ---- */

static void range(Fit *f, const IrField *field, uint32_t leaf)
{
    Jit *j = f->j;
    if (!field->has_range) return;
    JitKind kind = jit_kind(field->type);
    LLVMValueRef x;
    if (jit_is_float(field->type)) {
        x = jit_load(j, value_ptr(f, leaf, j->type.f64));
    } else {
        x = jit_load(j, value_ptr(f, leaf, j->type.i64));
        x = kind == JIT_U32 || kind == JIT_U64 ? LLVMBuildUIToFP(j->builder, x, j->type.f64, "")
                                               : LLVMBuildSIToFP(j->builder, x, j->type.f64, "");
    }
    if (field->type == IR_DECIMAL) {
        double power = 1;
        for (unsigned i = 0; i < field->scale; i++) power *= 10;
        x = LLVMBuildFDiv(j->builder, x, jit_f64(j, power), "");
    }
    give_up_if(f, CALL(j, "in_range", x, jit_f64(j, field->lo), jit_f64(j, field->hi)));
}

/* What no inlined reader knows: bytes, durations, json. */
static void called_value(Fit *f, const LayoutItem *it)
{
    Jit *j = f->j;
    give_up_if(f, CALL(j, "in_value", j->pipe, jit_field(j, it->leaf), f->p, f->end,
                       jit_i32(j, it->depth), jit_at(j, j->v, it->leaf),
                       jit_i32(j, it->kind == LAYOUT_TEXT)));
    set_has(f, it->leaf, true);
}

static void text_value(Fit *f, const LayoutItem *it, const IrField *field)
{
    Jit *j = f->j;
    LLVMValueRef to = jit_at(j, j->v, it->leaf);
    if (field->type == IR_STR) {
        LLVMValueRef from = jit_load(j, f->p), max = jit_i32(j, field->bytes_max);
        give_up_if(f, CALL(j, reader(f, "text"), j->pipe, f->p, f->end, to, max));
        bet(f, it, from);
        set_has(f, it->leaf, true);
    } else if (field->type == IR_ENUM) {
        enum_value(f, field, it->leaf);
    } else if (field->type == IR_TIME) {
        const char *name = it->len == 24 ? reader(f, "time") : "far_time";
        give_up_if(f, CALL(j, name, j->pipe, f->p, f->end, to));
        set_has(f, it->leaf, true);
        range(f, field, it->leaf);
    } else {
        called_value(f, it);
    }
}

/* No default: a new type must be decided. */
static void number_value(Fit *f, const LayoutItem *it, const IrField *field)
{
    static const unsigned scale[] = {0, 9, 6, 3, 0};
    Jit *j = f->j;
    LLVMValueRef to = jit_at(j, j->v, it->leaf), failed = NULL, from = jit_load(j, f->p);
    switch (field->type) {
    case IR_F32:
    case IR_F64:
        failed = CALL(j, reader(f, it->minus ? "f64" : "plus_f64"), f->p, f->end, to);
        break;
    case IR_I32:
    case IR_I64:
    case IR_U32:
    case IR_U64:
        failed = CALL(j, reader(f, it->minus ? "i64" : "plus_i64"), f->p, f->end, to);
        break;
    case IR_DECIMAL:
        failed = CALL(j, "in_decimal", f->p, f->end, to, jit_i32(j, field->scale), jit_i32(j, 0));
        break;
    case IR_TIME:
        failed = CALL(j, "in_decimal", f->p, f->end, to, jit_i32(j, scale[field->time_read]),
                      jit_i32(j, 1));
        break;
    case IR_NONE:
    case IR_BOOL:
    case IR_STR:
    case IR_BYTES:
    case IR_DURATION:
    case IR_ENUM:
    case IR_JSON:
    case IR_LIST:
    case IR_ITEM:
    case IR_RECORD:
    case IR__COUNT: break;
    }
    if (!failed) {
        called_value(f, it);
        return;
    }
    give_up_if(f, failed);
    if (field->type != IR_DECIMAL && field->type != IR_TIME) bet(f, it, from);
    JitKind kind = jit_kind(field->type);
    if (kind == JIT_F32 || kind == JIT_I32 || kind == JIT_U32 || kind == JIT_U64)
        give_up_if(f, CALL(j, jit_op("in_", jit_suffix(field->type)), to));
    set_has(f, it->leaf, true);
    range(f, field, it->leaf);
}

/* A list takes what the any-order scanner takes. */
static void list_value(Fit *f, const LayoutItem *it, const IrField *field)
{
    Jit *j = f->j;
    const IrSource *s = ir_group_source(j->pipeline, 0);
    give_up_if(f, CALL(j, "in_list", j->pipe, jit_schema(j, field->record),
                       jit_i32(j, field->bytes_max), jit_i32(j, s->check),
                       jit_i32(j, s->unknown == UNKNOWN_REJECT), f->p, f->end,
                       jit_i32(j, it->depth), jit_at(j, j->v, it->leaf)));
    set_has(f, it->leaf, true);
}

/* A value nobody converts: checked only. */
static void pass_over(Fit *f, const LayoutItem *it)
{
    Jit *j = f->j;
    LLVMValueRef from = jit_load(j, f->p);
    const char *number = it->minus ? "pass_number" : "plus_number";
    switch (it->kind) {
    case LAYOUT_TEXT:
        give_up_if(f, CALL(j, reader(f, "text_end"), f->p, f->end));
        bet(f, it, from);
        break;
    case LAYOUT_NUMBER:
        give_up_if(f, CALL(j, reader(f, number), f->p, f->end));
        bet(f, it, from);
        break;
    case LAYOUT_BOOL: give_up_if(f, CALL(j, "in_bool", f->p, jit_null(j))); break;
    case LAYOUT_NULL: expect(f, STR("null")); break;
    case LAYOUT_OPAQUE:
        give_up_if(f, CALL(j, "in_opaque", f->p, f->end, jit_i32(j, it->depth)));
        break;
    }
}

static void bool_value(Fit *f, const LayoutItem *it)
{
    Jit *j = f->j;
    give_up_if(f, CALL(j, "in_bool", f->p, jit_at(j, j->v, it->leaf)));
    set_has(f, it->leaf, true);
}

static void item(Fit *f, const LayoutItem *it)
{
    const IrField *field =
        it->leaf != NO_INDEX && f->needed[it->leaf] ? f->leaves[it->leaf].field : NULL;
    expect(f, it->before);
    if (!field || it->kind == LAYOUT_NULL) {
        pass_over(f, it);
        return;
    }
    if (field->type == IR_JSON) {
        called_value(f, it);
        return;
    }
    switch (it->kind) {
    case LAYOUT_TEXT: text_value(f, it, field); break;
    case LAYOUT_NUMBER: number_value(f, it, field); break;
    case LAYOUT_BOOL: bool_value(f, it); break;
    case LAYOUT_OPAQUE: list_value(f, it, field); break;
    case LAYOUT_NULL: break;
    }
}

/* Up to which value the layout is looked at. With `check lazy` that is the last needed one, unless
 * a needed leaf is not in the layout: such a record is looked at to its end, where the leaf might
 * be. */
static uint32_t looked_at(const Fit *f, const Layout *layout, uint32_t leaf_count, bool *ret_whole)
{
    uint32_t last = 0, found = 0, needed = 0;
    for (uint32_t i = 0; i < leaf_count; i++) needed += f->needed[i];
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->items[i].leaf == NO_INDEX || !f->needed[layout->items[i].leaf]) continue;
        last = i + 1;
        found++;
    }
    *ret_whole =
        ir_group_source(f->j->pipeline, 0)->check != CHECK_LAZY || found < needed || !needed;
    return *ret_whole ? layout->count : last;
}

/* All that the filter reads is there: a record it does not keep is not looked at any further. */
static void ask(Fit *f, const LayoutItem *it)
{
    Jit *j = f->j;
    LLVMValueRef args[] = {j->pipe, j->v, j->h};
    LLVMValueRef keeps = LLVMBuildCall2(j->builder, j->type.keeps, j->keeps, args, 3, "");
    LLVMBasicBlockRef dropped = jit_block(j), next = jit_block(j);
    jit_goto_if(j, CALL(j, "in_dropped", j->pipe, keeps), dropped, next);
    jit_in(j, dropped);
    if (it->kind == LAYOUT_NUMBER) give_up_if(f, CALL(j, "in_no_end", jit_load(j, f->p)));
    LLVMBuildRet(j->builder, jit_load(j, f->p));
    jit_in(j, next);
}

static void all_items(Fit *f, const Layout *layout, uint32_t leaf_count, LLVMValueRef lines)
{
    Jit *j = f->j;
    bool whole;
    uint32_t count = looked_at(f, layout, leaf_count, &whole);
    for (uint32_t i = 0; i < leaf_count; i++)
        if (f->needed[i] && f->leaves[i].optional) set_has(f, i, false);
    uint32_t asked_at = layout_asked_at(layout, j->pipeline, count);
    for (uint32_t i = 0; i < count; i++) {
        item(f, &layout->items[i]);
        if (i + 1 == asked_at) ask(f, &layout->items[i]);
    }
    if (whole) {
        expect(f, layout->after);
        give_up_if(f, CALL(j, "in_not_at_end", jit_load(j, f->p), f->end, lines));
    } else if (layout->items[count - 1].kind == LAYOUT_NUMBER) { /* nothing behind is compared */
        give_up_if(f, CALL(j, "in_no_end", jit_load(j, f->p)));
    }
    LLVMBuildRet(j->builder, jit_load(j, f->p));
}

LLVMValueRef jit_layout(Jit *j, const Layout *layout, const IrLeaf *leaves, const bool *needed,
                        uint32_t leaf_count, uint32_t serial)
{
    LLVMValueRef function = jit_declare(j, j->type.learnt, false, "learnt_%u_%u", j->index, serial);
    if (!j->quick) jit_inline(j, function);
    jit_function(j, function);
    j->pipe = LLVMGetParam(function, 0);
    j->v = LLVMGetParam(function, 4);
    j->h = LLVMGetParam(function, 5);
    Fit f = {.j = j,
             .p = jit_local(j, j->type.bytes),
             .end = LLVMGetParam(function, 2),
             .bet = LLVMGetParam(function, 6),
             .give_up = jit_block(j),
             .leaves = leaves,
             .needed = needed};
    jit_store(j, LLVMGetParam(function, 1), f.p);
    all_items(&f, layout, leaf_count, LLVMGetParam(function, 3));
    jit_in(j, f.give_up);
    LLVMBuildRet(j->builder, jit_null(j));
    jit_function_end(j);
    return function;
}
