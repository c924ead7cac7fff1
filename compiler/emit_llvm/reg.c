/* compiler/emit_llvm/reg.c: registers of the IR as locals, and their way into and out of RtValue.
 */
#include "compiler/emit_llvm/jit_int.h"

/* No default: a new type must be decided here. */
JitKind jit_kind(IrType type)
{
    switch (type) {
    case IR_BOOL: return JIT_BOOL;
    case IR_I32: return JIT_I32;
    case IR_U32:
    case IR_ENUM: return JIT_U32;
    case IR_U64: return JIT_U64;
    case IR_F32: return JIT_F32;
    case IR_F64: return JIT_F64;
    case IR_STR:
    case IR_BYTES:
    case IR_JSON:
    case IR_LIST:
    case IR_ITEM: return JIT_SLICE;
    case IR_NONE:
    case IR_I64:
    case IR_DECIMAL:
    case IR_TIME:
    case IR_DURATION:
    case IR_RECORD:
    case IR__COUNT: break;
    }
    return JIT_I64;
}

bool jit_is_slice(IrType type)
{
    return jit_kind(type) == JIT_SLICE;
}

bool jit_is_text(IrType type)
{
    return type == IR_STR || type == IR_BYTES || type == IR_JSON;
}

bool jit_is_float(IrType type)
{
    return jit_kind(type) == JIT_F32 || jit_kind(type) == JIT_F64;
}

const char *jit_suffix(IrType type)
{
    static const char *const names[] = {"i32", "i32", "i64", "u32", "u64", "f32", "f64", "text"};
    return names[jit_kind(type)];
}

const char *jit_wide_suffix(IrType type)
{
    static const char *const names[] = {"i64", "i64", "i64", "u64", "u64", "f64", "f64", "text"};
    return names[jit_kind(type)];
}

LLVMTypeRef jit_reg_type(Jit *j, IrType type)
{
    switch (jit_kind(type)) {
    case JIT_BOOL: return j->type.i1;
    case JIT_I32:
    case JIT_U32: return j->type.i32;
    case JIT_I64:
    case JIT_U64: return j->type.i64;
    case JIT_F32: return j->type.f32;
    case JIT_F64: return j->type.f64;
    case JIT_SLICE: return j->type.text;
    }
    return j->type.i64;
}

const IrReg *jit_reg(const Jit *j, uint32_t reg)
{
    return &j->stage->regs[reg];
}

LLVMValueRef jit_ptr(const Jit *j, uint32_t reg)
{
    return j->regs[reg];
}

LLVMValueRef jit_get(Jit *j, uint32_t reg)
{
    return jit_is_slice(jit_reg(j, reg)->type) ? j->regs[reg] : jit_load(j, j->regs[reg]);
}

LLVMValueRef jit_get_wide(Jit *j, uint32_t reg)
{
    LLVMValueRef v = jit_get(j, reg);
    switch (jit_kind(jit_reg(j, reg)->type)) {
    case JIT_BOOL:
    case JIT_U32: return LLVMBuildZExt(j->builder, v, j->type.i64, "");
    case JIT_I32: return LLVMBuildSExt(j->builder, v, j->type.i64, "");
    case JIT_F32: return LLVMBuildFPExt(j->builder, v, j->type.f64, "");
    case JIT_I64:
    case JIT_U64:
    case JIT_F64:
    case JIT_SLICE: break;
    }
    return v;
}

LLVMValueRef jit_get_has(Jit *j, uint32_t reg)
{
    return reg == NO_REG ? jit_bool(j, true) : jit_get(j, reg);
}

void jit_set(Jit *j, uint32_t reg, LLVMValueRef value)
{
    if (jit_is_slice(jit_reg(j, reg)->type)) value = jit_load(j, value);
    jit_store(j, value, j->regs[reg]);
}

static LLVMValueRef member(Jit *j, LLVMValueRef value, LLVMTypeRef type)
{
    return LLVMBuildBitCast(j->builder, value, LLVMPointerType(type, 0), "");
}

void jit_to_value(Jit *j, uint32_t reg, LLVMValueRef to)
{
    LLVMValueRef v = jit_get_wide(j, reg);
    if (jit_is_slice(jit_reg(j, reg)->type)) v = jit_load(j, v);
    jit_store(j, v, member(j, to, LLVMTypeOf(v)));
}

void jit_from_value(Jit *j, uint32_t reg, LLVMValueRef from)
{
    IrType type = jit_reg(j, reg)->type;
    JitKind kind = jit_kind(type);
    if (kind == JIT_SLICE) {
        jit_set(j, reg, member(j, from, j->type.text));
        return;
    }
    bool is_float = jit_is_float(type);
    LLVMValueRef v = jit_load(j, member(j, from, is_float ? j->type.f64 : j->type.i64));
    if (kind == JIT_BOOL)
        v = LLVMBuildICmp(j->builder, LLVMIntNE, v, jit_i64(j, 0), "");
    else if (kind == JIT_I32 || kind == JIT_U32)
        v = LLVMBuildTrunc(j->builder, v, j->type.i32, "");
    else if (kind == JIT_F32)
        v = LLVMBuildFPTrunc(j->builder, v, j->type.f32, "");
    jit_set(j, reg, v);
}

void jit_set_has(Jit *j, uint32_t index, LLVMValueRef has)
{
    jit_store(j, LLVMBuildZExt(j->builder, has, j->type.i8, ""), jit_at(j, j->row_h, index));
}

void jit_arrays_at(Jit *j, const uint32_t *pairs, uint32_t count, uint32_t at)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reg = pairs[2 * i];
        LLVMValueRef has = jit_bool(j, false);
        if (reg != NO_REG) {
            jit_to_value(j, reg, jit_at(j, j->row_v, at + i));
            has = jit_get_has(j, pairs[2 * i + 1]);
        }
        jit_set_has(j, at + i, has);
    }
}

void jit_arrays(Jit *j, const uint32_t *pairs, uint32_t count)
{
    jit_arrays_at(j, pairs, count, 0);
}
