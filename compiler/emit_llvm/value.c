/* compiler/emit_llvm/value.c: operations that make a value of values. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

/* ---- constants ---- */

/* An item where there is none: every leaf missing. */
static LLVMValueRef no_item(Jit *j, uint32_t schema)
{
    uint32_t leaves = ir_leaf_count(j->ir, schema);
    LLVMValueRef zeros =
        jit_constant(j, LLVMConstNull(LLVMArrayType(j->type.i64, RT_ITEM_BYTES(leaves) / 8)));
    return LLVMConstBitCast(zeros, j->type.bytes);
}

static LLVMValueRef constant_slice(Jit *j, const IrIns *ins)
{
    const IrReg *dst = jit_reg(j, ins->dst);
    Str text = dst->type == IR_LIST ? STR_NONE : ins->imm.text;
    LLVMValueRef parts[] = {jit_bytes(j, text), jit_i64(j, text.len)};
    if (dst->type == IR_ITEM) {
        parts[0] = no_item(j, dst->record);
        parts[1] = jit_i64(j, 1);
    }
    return LLVMConstNamedStruct(j->type.text, parts, 2);
}

static void constant(Jit *j, const IrIns *ins)
{
    IrType type = jit_reg(j, ins->dst)->type;
    LLVMTypeRef as = jit_reg_type(j, type);
    switch (jit_kind(type)) {
    case JIT_BOOL: jit_set(j, ins->dst, jit_bool(j, ins->imm.boolean)); return;
    case JIT_F32:
    case JIT_F64: jit_set(j, ins->dst, LLVMConstReal(as, ins->imm.number)); return;
    case JIT_U32:
    case JIT_U64:
        jit_set(j, ins->dst,
                LLVMConstInt(as, type == IR_ENUM ? (uint64_t)ins->imm.integer : ins->imm.natural,
                             false));
        return;
    case JIT_I32:
    case JIT_I64: jit_set(j, ins->dst, LLVMConstInt(as, (uint64_t)ins->imm.integer, true)); return;
    case JIT_SLICE: jit_store(j, constant_slice(j, ins), jit_ptr(j, ins->dst)); return;
    }
}

/* ---- arithmetic ---- */

/* A function of ops.c by the type of a: op_NAME_TYPE(a, b, &dst). */
static void checked(Jit *j, const IrIns *ins, const char *prefix)
{
    const char *name = jit_op(prefix, jit_suffix(jit_reg(j, ins->dst)->type));
    LLVMValueRef failed =
        CALL(j, name, jit_get(j, ins->a), jit_get(j, ins->b), jit_ptr(j, ins->dst));
    jit_leave_if(j, ins, failed, RT_OVERFLOW);
}

static uint64_t power10(unsigned n)
{
    uint64_t v = 1;
    while (n--) v *= 10;
    return v;
}

static void arithmetic(Jit *j, const IrIns *ins)
{
    static const char *const names[] = {"op_add_", "op_sub_", "op_mul_"};
    static const LLVMOpcode floats[] = {LLVMFAdd, LLVMFSub, LLVMFMul};
    int which = ins->op == IR_ADD ? 0 : ins->op == IR_SUB ? 1 : 2;
    IrType type = jit_reg(j, ins->dst)->type;
    if (jit_is_float(type))
        jit_set(
            j, ins->dst,
            LLVMBuildBinOp(j->builder, floats[which], jit_get(j, ins->a), jit_get(j, ins->b), ""));
    else
        checked(j, ins, names[which]);
}

static void float_mod(Jit *j, const IrIns *ins)
{
    LLVMValueRef v = CALL(j, "op_fmod", jit_get_wide(j, ins->a), jit_get_wide(j, ins->b));
    if (jit_kind(jit_reg(j, ins->dst)->type) == JIT_F32)
        v = LLVMBuildFPTrunc(j->builder, v, j->type.f32, "");
    jit_set(j, ins->dst, v);
}

static void divide(Jit *j, const IrIns *ins)
{
    bool is_float = jit_is_float(jit_reg(j, ins->dst)->type);
    LLVMValueRef b = jit_get(j, ins->b), zero = LLVMConstNull(LLVMTypeOf(b));
    LLVMValueRef is_zero = is_float ? LLVMBuildFCmp(j->builder, LLVMRealOEQ, b, zero, "")
                                    : LLVMBuildICmp(j->builder, LLVMIntEQ, b, zero, "");
    jit_leave_if(j, ins, is_zero, RT_DIV_ZERO);
    if (!is_float)
        checked(j, ins, ins->op == IR_MOD ? "op_mod_" : "op_idiv_");
    else if (ins->op == IR_MOD)
        float_mod(j, ins);
    else
        jit_set(j, ins->dst, LLVMBuildFDiv(j->builder, jit_get(j, ins->a), b, ""));
}

static void negate(Jit *j, const IrIns *ins)
{
    IrType type = jit_reg(j, ins->dst)->type;
    if (jit_is_float(type)) {
        jit_set(j, ins->dst, LLVMBuildFNeg(j->builder, jit_get(j, ins->a), ""));
        return;
    }
    LLVMValueRef failed =
        CALL(j, jit_op("op_neg_", jit_suffix(type)), jit_get(j, ins->a), jit_ptr(j, ins->dst));
    jit_leave_if(j, ins, failed, RT_OVERFLOW);
}

static void finite(Jit *j, const IrIns *ins)
{
    bool narrow = jit_kind(jit_reg(j, ins->a)->type) == JIT_F32;
    LLVMValueRef v = jit_get(j, ins->a);
    jit_set(j, ins->dst, v);
    jit_leave_if(j, ins, CALL(j, narrow ? "op_not_finite_f32" : "op_not_finite", v), RT_OVERFLOW);
}

/* ---- conversion ---- */

static LLVMValueRef to_f64(Jit *j, uint32_t reg)
{
    const IrReg *from = jit_reg(j, reg);
    LLVMValueRef v = jit_get(j, reg);
    JitKind kind = jit_kind(from->type);
    if (jit_is_float(from->type)) return jit_get_wide(j, reg);
    if (kind == JIT_U32 || kind == JIT_U64 || kind == JIT_BOOL)
        v = LLVMBuildUIToFP(j->builder, v, j->type.f64, "");
    else
        v = LLVMBuildSIToFP(j->builder, v, j->type.f64, "");
    if (from->type == IR_DECIMAL && from->scale)
        v = LLVMBuildFDiv(j->builder, v, jit_f64(j, (double)power10(from->scale)), "");
    return v;
}

static void convert_to_float(Jit *j, const IrIns *ins)
{
    const IrReg *from = jit_reg(j, ins->a), *to = jit_reg(j, ins->dst);
    JitKind kind = jit_kind(from->type);
    bool scaled = from->type == IR_DECIMAL && from->scale;
    LLVMValueRef v;
    if (jit_kind(to->type) == JIT_F64) {
        v = to_f64(j, ins->a);
    } else if (jit_is_float(from->type) || scaled) {
        v = kind == JIT_F32 ? jit_get(j, ins->a)
                            : LLVMBuildFPTrunc(j->builder, to_f64(j, ins->a), j->type.f32, "");
    } else { /* one rounding, not two */
        v = jit_get(j, ins->a);
        v = kind == JIT_U32 || kind == JIT_U64 ? LLVMBuildUIToFP(j->builder, v, j->type.f32, "")
                                               : LLVMBuildSIToFP(j->builder, v, j->type.f32, "");
    }
    jit_set(j, ins->dst, v);
}

/* To an integer exactly, or overflow; to a decimal the nearest. */
static void convert_from_float(Jit *j, const IrIns *ins)
{
    const IrReg *to = jit_reg(j, ins->dst);
    LLVMValueRef x = jit_get_wide(j, ins->a), failed, dst = jit_ptr(j, ins->dst);
    if (to->type == IR_DECIMAL)
        failed = CALL(j, "op_to_decimal", x, jit_i32(j, to->scale), dst);
    else
        failed = CALL(j, jit_op("op_whole_", jit_suffix(to->type)), x, dst);
    jit_leave_if(j, ins, failed, RT_OVERFLOW);
}

static void fit(Jit *j, const IrIns *ins, const char *from, LLVMValueRef value, const char *to,
                LLVMValueRef ret)
{
    char name[JIT_NAME_BYTES] = "op_fit_";
    memcpy(name + 7, from, 3);
    name[10] = '_';
    memcpy(name + 11, to, 3);
    jit_leave_if(j, ins, CALL(j, name, value, ret), RT_OVERFLOW);
}

static void convert(Jit *j, const IrIns *ins)
{
    const IrReg *from = jit_reg(j, ins->a), *to = jit_reg(j, ins->dst);
    unsigned fs = from->type == IR_DECIMAL ? from->scale : 0,
             ts = to->type == IR_DECIMAL ? to->scale : 0;
    if (jit_is_float(to->type)) {
        convert_to_float(j, ins);
        return;
    }
    if (jit_is_float(from->type)) {
        convert_from_float(j, ins);
        return;
    }
    if (from->type == IR_DECIMAL && to->type == IR_DECIMAL && ts < fs) {
        jit_set(j, ins->dst,
                CALL(j, "op_round_decimal", jit_get(j, ins->a), jit_i32(j, fs - ts),
                     jit_i32(j, ins->imm.index)));
        return;
    }
    if (fs == ts) {
        fit(j, ins, jit_suffix(from->type), jit_get(j, ins->a), jit_suffix(to->type),
            jit_ptr(j, ins->dst));
        return;
    }
    /* One side is a decimal, so what is scaled is an i64. */
    LLVMValueRef wide = jit_local(j, j->type.i64), scaled = jit_local(j, j->type.i64);
    fit(j, ins, jit_suffix(from->type), jit_get(j, ins->a), "i64", wide);
    LLVMValueRef failed = CALL(j, ts > fs ? "op_scale_up" : "op_scale_down", jit_load(j, wide),
                               jit_i64(j, power10(ts > fs ? ts - fs : fs - ts)), scaled);
    jit_leave_if(j, ins, failed, RT_OVERFLOW);
    fit(j, ins, "i64", jit_load(j, scaled), jit_suffix(to->type), jit_ptr(j, ins->dst));
}

/* ---- comparison and logic ---- */

static void compare(Jit *j, const IrIns *ins)
{
    static const LLVMIntPredicate sign[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT,
                                            LLVMIntSLE, LLVMIntSGT, LLVMIntSGE},
                                  natural[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntULT,
                                               LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
    static const LLVMRealPredicate real[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                             LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
    int which = (int)(ins->op - IR_EQ);
    IrType type = jit_reg(j, ins->a)->type;
    JitKind kind = jit_kind(type);
    LLVMValueRef a = jit_get(j, ins->a), b = jit_get(j, ins->b), v;
    if (jit_is_float(type)) {
        v = LLVMBuildFCmp(j->builder, real[which], a, b, "");
    } else if (kind != JIT_SLICE) {
        bool is_signed = kind == JIT_I32 || kind == JIT_I64;
        v = LLVMBuildICmp(j->builder, is_signed ? sign[which] : natural[which], a, b, "");
    } else if (ins->op == IR_EQ || ins->op == IR_NE) {
        v = CALL(j, "op_text_eq", a, b);
        if (ins->op == IR_NE) v = LLVMBuildNot(j->builder, v, "");
    } else {
        v = CALL(j, "op_text_compare", a, b);
        v = LLVMBuildICmp(j->builder, sign[which], v, jit_i32(j, 0), "");
    }
    jit_set(j, ins->dst, v);
}

static void logic(Jit *j, const IrIns *ins)
{
    LLVMValueRef a = jit_get(j, ins->a), v;
    if (ins->op == IR_NOT)
        v = LLVMBuildNot(j->builder, a, "");
    else
        v = LLVMBuildBinOp(j->builder, ins->op == IR_AND ? LLVMAnd : LLVMOr, a, jit_get(j, ins->b),
                           "");
    jit_set(j, ins->dst, v);
}

static void search(Jit *j, const IrIns *ins)
{
    const char *name = ins->op == IR_STARTS    ? "op_starts"
                       : ins->op == IR_ENDS    ? "op_ends"
                       : ins->op == IR_MATCHES ? "op_matches"
                                               : "op_contains";
    jit_set(j, ins->dst, CALL(j, name, jit_get(j, ins->a), jit_get(j, ins->b)));
}

/* ---- text and calls ---- */

static void bound(Jit *j, const IrIns *ins)
{
    uint32_t max = jit_reg(j, ins->dst)->bytes_max;
    if (!max) return;
    jit_leave_if(j, ins, CALL(j, "op_too_long", jit_ptr(j, ins->dst), jit_i32(j, max)),
                 RT_TOO_LONG);
}

static void text_of_names(Jit *j, const IrIns *ins, LLVMValueRef names, LLVMValueRef index)
{
    LLVMValueRef at = LLVMBuildInBoundsGEP2(
        j->builder, j->type.text,
        LLVMBuildBitCast(j->builder, names, LLVMPointerType(j->type.text, 0), ""), &index, 1, "");
    jit_set(j, ins->dst, at);
}

/* As JSON out would print it, unquoted. No default: a new type must be decided. */
static void to_text(Jit *j, const IrIns *ins)
{
    static const Str truth[] = {{"false", 5}, {"true", 4}};
    const IrReg *from = jit_reg(j, ins->a);
    LLVMValueRef failed = NULL, dst = jit_ptr(j, ins->dst);
    switch (from->type) {
    case IR_STR:
    case IR_JSON: jit_set(j, ins->dst, jit_get(j, ins->a)); break;
    case IR_BOOL: text_of_names(j, ins, jit_texts(j, truth, 2), jit_get_wide(j, ins->a)); break;
    case IR_ENUM:
        text_of_names(j, ins, jit_texts(j, from->names->names, from->names->count),
                      jit_get_wide(j, ins->a));
        break;
    case IR_I32:
    case IR_I64: failed = CALL(j, "op_text_i64", j->pipe, jit_get_wide(j, ins->a), dst); break;
    case IR_U32:
    case IR_U64: failed = CALL(j, "op_text_u64", j->pipe, jit_get_wide(j, ins->a), dst); break;
    case IR_F32: failed = CALL(j, "op_text_f32", j->pipe, jit_get(j, ins->a), dst); break;
    case IR_F64: failed = CALL(j, "op_text_f64", j->pipe, jit_get(j, ins->a), dst); break;
    case IR_TIME: failed = CALL(j, "op_text_time", j->pipe, jit_get(j, ins->a), dst); break;
    case IR_DURATION: failed = CALL(j, "op_text_duration", j->pipe, jit_get(j, ins->a), dst); break;
    case IR_BYTES: failed = CALL(j, "op_text_bytes", j->pipe, jit_get(j, ins->a), dst); break;
    case IR_DECIMAL:
        failed =
            CALL(j, "op_text_decimal", j->pipe, jit_get(j, ins->a), jit_i32(j, from->scale), dst);
        break;
    case IR_NONE:
    case IR_LIST:
    case IR_ITEM:
    case IR_RECORD:
    case IR__COUNT: jit_fail(j, ST_UNSUPPORTED, "%s as text", ir_type_name(from->type)); return;
    }
    if (failed) jit_leave_if(j, ins, failed, RT_TOO_LONG);
    bound(j, ins);
}

static void concat(Jit *j, const IrIns *ins)
{
    const uint32_t *args = j->stage->pool + ins->args;
    LLVMValueRef n = jit_i64(j, 0), text = jit_local(j, j->type.text);
    uint32_t max = jit_reg(j, ins->dst)->bytes_max;
    for (uint32_t i = 0; i < ins->arg_count; i++)
        n = LLVMBuildAdd(j->builder, n, CALL(j, "op_bytes_of", jit_get(j, args[i])), "");
    if (max)
        jit_leave_if(j, ins, LLVMBuildICmp(j->builder, LLVMIntUGT, n, jit_i64(j, max), ""),
                     RT_TOO_LONG);
    jit_leave_if(j, ins, CALL(j, "op_concat_begin", j->pipe, n, text, j->w), RT_TOO_LONG);
    for (uint32_t i = 0; i < ins->arg_count; i++)
        CALL(j, "op_concat_part", j->w, jit_get(j, args[i]));
    jit_set(j, ins->dst, text);
}

/* imm.builtin counts in the order of builtins.def, the runtime in that of its contract. */
static const u32 builtin_ids[] = {
#define BUILTIN(id, name, args, params, result, unit, bound, reason, doc) RT_FN_##id,
#include "stdlib/builtins.def"
#undef BUILTIN
};

static void call(Jit *j, const IrIns *ins)
{
    const uint32_t *args = j->stage->pool + ins->args;
    LLVMValueRef ret = jit_local(j, j->type.value);
    if (ins->imm.builtin >= COUNT_OF(builtin_ids)) {
        jit_fail(j, ST_INTERNAL, "a call of an unknown function");
        return;
    }
    for (uint32_t i = 0; i < ins->arg_count; i++) jit_to_value(j, args[i], jit_at(j, j->row_v, i));
    LLVMValueRef why = CALL(j, "op_call", j->pipe, jit_i32(j, builtin_ids[ins->imm.builtin]),
                            j->row_v, jit_i32(j, ins->arg_count), ret);
    jit_leave_if_why(j, ins, why);
    jit_from_value(j, ins->dst, ret);
    if (jit_is_text(jit_reg(j, ins->dst)->type)) bound(j, ins);
}

static void meta(Jit *j, const IrIns *ins)
{
    LLVMValueRef dst = jit_ptr(j, ins->dst);
    switch (ins->imm.meta.what) {
    case META_TOPIC: CALL(j, "op_meta_topic", j->pipe, dst); break;
    case META_TOPIC_LEVEL:
        CALL(j, "op_meta_level", j->pipe, jit_i32(j, ins->imm.meta.level), dst);
        break;
    case META_KEY: CALL(j, "op_meta_key", j->pipe, dst); break;
    case META_RECEIVED: jit_set(j, ins->dst, CALL(j, "op_meta_received", j->pipe)); return;
    case META_HEADERS: CALL(j, "op_meta_headers", j->pipe, dst); break;
    case META_KEPT: CALL(j, "op_meta_kept", j->pipe, dst); break;
    case META_RAW: CALL(j, "op_meta_raw", j->pipe, dst); break;
    }
    bound(j, ins);
}

void jit_value_ins(Jit *j, const IrIns *ins)
{
    switch (ins->op) {
    case IR_CONST: constant(j, ins); break;
    case IR_MOVE: jit_set(j, ins->dst, jit_get(j, ins->a)); break;
    case IR_META: meta(j, ins); break;
    case IR_CONV: convert(j, ins); break;
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: arithmetic(j, ins); break;
    case IR_DIV:
    case IR_IDIV:
    case IR_MOD: divide(j, ins); break;
    case IR_NEG: negate(j, ins); break;
    case IR_FINITE: finite(j, ins); break;
    case IR_AND:
    case IR_OR:
    case IR_NOT: logic(j, ins); break;
    case IR_STARTS:
    case IR_ENDS:
    case IR_CONTAINS:
    case IR_MATCHES: search(j, ins); break;
    case IR_TEXT: to_text(j, ins); break;
    case IR_CONCAT: concat(j, ins); break;
    case IR_CALL: call(j, ins); break;
    default: compare(j, ins); break; /* stage.c sends nothing else */
    }
}
