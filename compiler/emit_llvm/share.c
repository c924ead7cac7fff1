/* compiler/emit_llvm/share.c: one decoder for pipelines that read the same source
 * (compiler/pass/share.c), like emit_c/share.c.
 *
 * The loop is loop_shared_feed of loop.h; here it gets the decoders for the union of the fields,
 * and a table of who takes the records. Stages are called through that table: which of them run is
 * known when a batch comes. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

/* A JitTaker for each pipeline of the share. */
static LLVMValueRef takers(Jit *j, const IrShare *share)
{
    LLVMTypeRef schema = LLVMPointerType(LLVMGetTypeByName2(j->context, "struct.RtSchema"), 0),
                stage = LLVMPointerType(j->type.stage, 0),
                keeps = LLVMPointerType(j->type.keeps, 0);
    LLVMTypeRef types[] = {stage, keeps, schema, j->type.i32},
                taker = LLVMStructTypeInContext(j->context, types, COUNT_OF(types), false);
    LLVMValueRef list[RT_SHARE_MAX];
    for (uint32_t i = 0; i < share->count; i++) {
        uint32_t n = share->pipelines[i];
        const IrSource *source = &j->ir->pipelines[n].sources[0];
        LLVMValueRef members[] = {j->made[n].stage, jit_asked(j, source, j->made[n].keeps),
                                  jit_read_schema(j, n, 0), jit_i32(j, source->node)};
        list[i] = LLVMConstStructInContext(j->context, members, COUNT_OF(members), false);
    }
    return jit_constant(j, LLVMConstArray(taker, list, share->count));
}

static LLVMValueRef constants(Jit *j, const IrShare *share, JitLoop *loop)
{
    LLVMTypeRef type = LLVMGetTypeByName2(j->context, "struct.JitShare");
    LLVMValueRef list = LLVMConstBitCast(takers(j, share), LLVMStructGetTypeAtIndex(type, 1));
    LLVMValueRef members[] = {jit_loop_constants(j, loop, NULL), list, jit_i32(j, share->count)};
    return jit_constant(j, LLVMConstNamedStruct(type, members, COUNT_OF(members)));
}

/* The pipelines are compiled: j->made knows their stages. */
void jit_share(Jit *j, uint32_t number, Str sample)
{
    const IrShare *share = &j->ir->shares[number];
    IrPipeline common = j->ir->pipelines[share->pipelines[0]];
    JitLoop loop = {.leaves = ir_leaf_count(j->ir, common.in_schema), .near = !j->quick};
    common.filter = NULL; /* one drops what another one wants */
    j->pipeline = &common;
    j->keeps = NULL;
    j->index = j->ir->pipeline_count + number;
    j->bets = 0;
    loop.layouts = jit_decoders(j, share->needed, sample, loop.learnt);
    LLVMTypeRef pipes = LLVMPointerType(j->type.pipe, 0);
    LLVMTypeRef type =
        LLVMFunctionType(j->type.nothing, (LLVMTypeRef[]){pipes, j->type.batch}, 2, false);
    LLVMValueRef function = jit_declare(j, type, true, "shared_%u", number);
    jit_function(j, function);
    LLVMValueRef batch = LLVMGetParam(function, 1), with = constants(j, share, &loop),
                 v = jit_local_many(j, j->type.value, loop.leaves),
                 h = jit_local_many(j, j->type.i8, loop.leaves),
                 own_v = jit_local_many(j, j->type.value, loop.leaves),
                 own_h = jit_local_many(j, j->type.i8, loop.leaves),
                 bet = jit_local_many(j, j->type.i64, j->bets + 1);
    if (j->quick)
        CALL(j, "far_shared", LLVMGetParam(function, 0), batch, with, v, h, own_v, own_h, bet);
    else
        CALL(j, "near_shared", LLVMGetParam(function, 0), batch, with, v, h, own_v, own_h, bet,
             jit_i32(j, loop.layouts), jit_i32(j, j->bets),
             jit_i32(j, common.sources[0].check == CHECK_LAZY), loop.learnt[0], loop.learnt[1],
             loop.learnt[2], loop.learnt[3]);
    jit_return(j);
    jit_function_end(j);
    j->pipeline = NULL;
}
