/* compiler/emit_llvm/build.c: the LLVM-C builder behind a handful of short functions. */
#include "compiler/emit_llvm/jit_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void jit_fail(Jit *j, Status status, const char *format, ...)
{
    if (j->failed) return;
    va_list args;
    char text[200];
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    j->failed = diag_set(j->diag, status, "%s", text);
}

static LLVMTypeRef named(Jit *j, const char *name)
{
    LLVMTypeRef type = LLVMGetTypeByName2(j->context, name);
    if (type) return type;
    jit_fail(j, ST_INTERNAL, "the bitcode has no type %s", name);
    return j->type.i64;
}

void jit_types(Jit *j)
{
    JitTypes *t = &j->type;
    LLVMContextRef c = j->context;
    *t = (JitTypes){.i1 = LLVMInt1TypeInContext(c),
                    .i8 = LLVMInt8TypeInContext(c),
                    .i16 = LLVMInt16TypeInContext(c),
                    .i32 = LLVMInt32TypeInContext(c),
                    .i64 = LLVMInt64TypeInContext(c),
                    .f32 = LLVMFloatTypeInContext(c),
                    .f64 = LLVMDoubleTypeInContext(c),
                    .nothing = LLVMVoidTypeInContext(c)};
    t->bytes = LLVMPointerType(t->i8, 0);
    t->text = named(j, "struct.RtText");
    t->value = named(j, "union.RtValue");
    t->values = LLVMPointerType(t->value, 0);
    t->pipe = LLVMPointerType(named(j, "struct.RtPipe"), 0);
    t->batch = LLVMPointerType(named(j, "struct.RtBatch"), 0);
    t->rows = LLVMPointerType(named(j, "struct.RtWindowRow"), 0);
    t->stage = LLVMFunctionType(t->nothing, (LLVMTypeRef[]){t->pipe, t->values, t->bytes, t->i32},
                                4, false);
    t->keeps = LLVMFunctionType(t->i32, (LLVMTypeRef[]){t->pipe, t->values, t->bytes}, 3, false);
    t->learnt = LLVMFunctionType(t->bytes,
                                 (LLVMTypeRef[]){t->pipe, t->bytes, t->bytes, t->i32, t->values,
                                                 t->bytes, LLVMPointerType(t->i64, 0)},
                                 7, false);
    t->feed = LLVMFunctionType(t->nothing, (LLVMTypeRef[]){t->pipe, t->batch}, 2, false);
    t->row = LLVMFunctionType(t->nothing, (LLVMTypeRef[]){t->pipe, t->i32, t->rows}, 3, false);
    t->run = LLVMFunctionType(t->nothing, (LLVMTypeRef[]){t->pipe, t->i32, t->values, t->bytes}, 4,
                              false);
    static const char prof[] = "branch_weights";
    LLVMMetadataRef weights[] = {
        LLVMMDStringInContext2(c, prof, sizeof prof - 1),
        LLVMValueAsMetadata(LLVMConstInt(t->i32, 1, false)),
        LLVMValueAsMetadata(LLVMConstInt(t->i32, 2000, false)),
    };
    j->seldom = LLVMMetadataAsValue(c, LLVMMDNodeInContext2(c, weights, COUNT_OF(weights)));
    j->seldom_kind = LLVMGetMDKindIDInContext(c, "prof", 4);
}

static void attribute(Jit *j, LLVMValueRef function, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAttributeRef attribute = LLVMCreateEnumAttribute(j->context, kind, 0);
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void jit_inline(Jit *j, LLVMValueRef function)
{
    attribute(j, function, "alwaysinline");
}

LLVMValueRef jit_declare(Jit *j, LLVMTypeRef type, bool visible, const char *format, ...)
{
    char name[JIT_NAME_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    LLVMValueRef function = LLVMAddFunction(j->module, name, type);
    attribute(j, function, "nounwind");
    if (!visible) LLVMSetLinkage(function, LLVMInternalLinkage);
    return function;
}

void jit_function(Jit *j, LLVMValueRef function)
{
    j->function = function;
    j->first = LLVMAppendBasicBlockInContext(j->context, function, "");
    j->body = LLVMAppendBasicBlockInContext(j->context, function, "");
    LLVMPositionBuilderAtEnd(j->locals, j->first);
    LLVMPositionBuilderAtEnd(j->builder, j->body);
}

void jit_function_end(Jit *j)
{
    LLVMBuildBr(j->locals, j->body);
}

LLVMValueRef jit_local(Jit *j, LLVMTypeRef type)
{
    return LLVMBuildAlloca(j->locals, type, "");
}

LLVMValueRef jit_local_many(Jit *j, LLVMTypeRef type, uint32_t count)
{
    LLVMValueRef array = jit_local(j, LLVMArrayType(type, count ? count : 1));
    LLVMValueRef zeros[] = {jit_i32(j, 0), jit_i32(j, 0)};
    return LLVMBuildInBoundsGEP2(j->locals, LLVMArrayType(type, count ? count : 1), array, zeros, 2,
                                 "");
}

LLVMValueRef jit_i32(Jit *j, uint64_t value)
{
    return LLVMConstInt(j->type.i32, value, false);
}

LLVMValueRef jit_i64(Jit *j, uint64_t value)
{
    return LLVMConstInt(j->type.i64, value, false);
}

LLVMValueRef jit_f64(Jit *j, double value)
{
    return LLVMConstReal(j->type.f64, value);
}

LLVMValueRef jit_bool(Jit *j, bool value)
{
    return LLVMConstInt(j->type.i1, value, false);
}

LLVMValueRef jit_null(Jit *j)
{
    return LLVMConstNull(j->type.bytes);
}

LLVMValueRef jit_constant(Jit *j, LLVMValueRef value)
{
    LLVMValueRef global = LLVMAddGlobal(j->module, LLVMTypeOf(value), "");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

LLVMValueRef jit_bytes(Jit *j, Str text)
{
    LLVMValueRef global =
        jit_constant(j, LLVMConstStringInContext(j->context, text.len ? text.ptr : "",
                                                 (unsigned)text.len, false));
    LLVMSetAlignment(global, 1);
    return LLVMConstBitCast(global, j->type.bytes);
}

LLVMValueRef jit_name(Jit *j, Str text)
{
    return text.len ? jit_bytes(j, text) : jit_null(j);
}

/* A table by its name (see `table` in object.c), so that the object does not hold its address. */
static LLVMValueRef outside(Jit *j, const char *type, const char *format, ...)
{
    LLVMTypeRef pointer = LLVMPointerType(LLVMGetTypeByName2(j->context, type), 0);
    char name[JIT_NAME_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    LLVMValueRef global = LLVMGetNamedGlobal(j->module, name);
    if (!global) global = LLVMAddGlobal(j->module, j->type.i8, name);
    return LLVMConstBitCast(global, pointer);
}

LLVMValueRef jit_read_schema(Jit *j, uint32_t pipeline, uint32_t group)
{
    return outside(j, "struct.RtSchema", "in_%u_%u", pipeline, group);
}

LLVMValueRef jit_in_schema(Jit *j, uint32_t group)
{
    return jit_read_schema(j, j->index, group);
}

LLVMValueRef jit_field(Jit *j, uint32_t leaf)
{
    return outside(j, "struct.RtField", "field_%u_%u", j->index, leaf);
}

LLVMValueRef jit_schema(Jit *j, uint32_t schema)
{
    return outside(j, "struct.RtSchema", "schema_%u", schema);
}

LLVMValueRef jit_texts(Jit *j, const Str *list, uint32_t count)
{
    LLVMValueRef *texts = arena_many(j->arena, LLVMValueRef, count + 1);
    if (!texts) {
        jit_fail(j, ST_NO_MEMORY, "compiling");
        return jit_null(j);
    }
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef parts[] = {jit_bytes(j, list[i]), jit_i64(j, list[i].len)};
        texts[i] = LLVMConstNamedStruct(j->type.text, parts, 2);
    }
    return jit_constant(j, LLVMConstArray(j->type.text, texts, count));
}

const char *jit_op(const char *prefix, const char *suffix)
{
    static _Thread_local char names[8][JIT_NAME_BYTES];
    static _Thread_local unsigned turn;
    char *out = names[turn++ % 8];
    (void)snprintf(out, JIT_NAME_BYTES, "%s%s", prefix, suffix);
    return out;
}

LLVMValueRef jit_call(Jit *j, const char *name, LLVMValueRef *args, unsigned count)
{
    LLVMTypeRef types[16];
    LLVMValueRef function = LLVMGetNamedFunction(j->module, name);
    LLVMTypeRef type = function ? LLVMGlobalGetValueType(function) : NULL;
    if (!type || LLVMCountParamTypes(type) != count || count > COUNT_OF(types)) {
        jit_fail(j, ST_INTERNAL, "the bitcode has no %s of %u parameters", name, count);
        return LLVMGetUndef(j->type.i32);
    }
    LLVMGetParamTypes(type, types);
    for (unsigned i = 0; i < count; i++)
        if (LLVMTypeOf(args[i]) != types[i] && LLVMGetTypeKind(types[i]) == LLVMPointerTypeKind)
            args[i] = LLVMBuildBitCast(j->builder, args[i], types[i], "");
    return LLVMBuildCall2(j->builder, type, function, args, count, "");
}

LLVMValueRef jit_load(Jit *j, LLVMValueRef pointer)
{
    return LLVMBuildLoad2(j->builder, LLVMGetElementType(LLVMTypeOf(pointer)), pointer, "");
}

void jit_store(Jit *j, LLVMValueRef value, LLVMValueRef pointer)
{
    LLVMBuildStore(j->builder, value, pointer);
}

LLVMValueRef jit_at(Jit *j, LLVMValueRef pointer, uint64_t index)
{
    LLVMValueRef at = jit_i64(j, index);
    if (!index) return pointer;
    return LLVMBuildInBoundsGEP2(j->builder, LLVMGetElementType(LLVMTypeOf(pointer)), pointer, &at,
                                 1, "");
}

LLVMBasicBlockRef jit_block(Jit *j)
{
    return LLVMAppendBasicBlockInContext(j->context, j->function, "");
}

void jit_goto(Jit *j, LLVMBasicBlockRef block)
{
    LLVMBuildBr(j->builder, block);
}

void jit_goto_if(Jit *j, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
    LLVMBuildCondBr(j->builder, condition, yes, no);
}

void jit_goto_if_rare(Jit *j, LLVMValueRef condition, LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
    LLVMValueRef branch = LLVMBuildCondBr(j->builder, condition, yes, no);
    LLVMSetMetadata(branch, j->seldom_kind, j->seldom);
}

void jit_in(Jit *j, LLVMBasicBlockRef block)
{
    LLVMPositionBuilderAtEnd(j->builder, block);
}

void jit_return(Jit *j)
{
    LLVMBuildRetVoid(j->builder);
}
