/* compiler/emit_llvm/feed.c: the functions of a pipeline that the runtime calls: feed, which runs a
 * batch of records, row, which runs a closed row of a window, run, for rows made of one record. The
 * loop itself is native (native_feed); here it gets its constants, its decoder and its stage. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

#include <stdio.h>

/* What stage 0 reads; NULL: no memory. */
static bool *needed_of(Jit *j, uint32_t leaf_count)
{
    const IrPipeline *p = j->pipeline;
    bool *needed = arena_many(j->arena, bool, leaf_count + 1);
    if (needed)
        layout_needed(&p->stages[0], ir_group_source(p, 0)->check, needed, leaf_count);
    else
        jit_fail(j, ST_NO_MEMORY, "compiling");
    return needed;
}

static void no_decoders(Jit *j, LLVMValueRef *learnt)
{
    for (uint32_t i = 0; i < RT_LAYOUTS; i++)
        learnt[i] = LLVMConstNull(LLVMPointerType(j->type.learnt, 0));
}

uint32_t jit_decoders(Jit *j, const bool *needed, Str sample, LLVMValueRef *learnt)
{
    const IrPipeline *p = j->pipeline;
    const IrSource *source = ir_group_source(p, 0);
    IrLeaf *leaves = NULL;
    uint32_t count = 0;
    LayoutList layouts = {.count = 0};
    no_decoders(j, learnt);
    if (!needed || (source->format != FORMAT_JSON && source->format != FORMAT_NONE)) return 0;
    Status st = ir_leaves(j->ir, p->in_schema, j->arena, &leaves, &count);
    if (!st) st = layout_learn(j->ir, p->in_schema, source, needed, sample, j->arena, &layouts);
    if (st) {
        jit_fail(j, ST_NO_MEMORY, "compiling");
        return 0;
    }
    for (uint32_t i = 0; i < layouts.count; i++)
        learnt[i] = jit_layout(j, &layouts.list[i], leaves, needed, count, i);
    return layouts.count;
}

_Static_assert((int)LAYOUTS_MAX == (int)RT_LAYOUTS, "as many as the runtime keeps in order");

LLVMValueRef jit_asked(Jit *j, const IrSource *source, LLVMValueRef keeps)
{
    return keeps && source->check == CHECK_LAZY ? keeps
                                                : LLVMConstNull(LLVMPointerType(j->type.keeps, 0));
}

LLVMValueRef jit_loop_constants(Jit *j, JitLoop *f, LLVMValueRef stage)
{
    const IrSource *source = ir_group_source(j->pipeline, f->group);
    bool json = source->format == FORMAT_JSON || source->format == FORMAT_NONE;
    LLVMTypeRef type = LLVMGetTypeByName2(j->context, "struct.JitFeed"),
                decoder = LLVMPointerType(j->type.learnt, 0);
    LLVMValueRef learnt = f->near ? LLVMConstNull(LLVMArrayType(decoder, RT_LAYOUTS))
                                  : LLVMConstArray(decoder, f->learnt, RT_LAYOUTS);
    LLVMValueRef members[] = {learnt,
                              f->near || !stage ? LLVMConstNull(LLVMPointerType(j->type.stage, 0))
                                                : stage,
                              jit_asked(j, source, f->group ? NULL : j->keeps),
                              jit_in_schema(j, f->group),
                              jit_i32(j, f->layouts),
                              jit_i32(j, f->layouts ? j->bets : 0),
                              jit_i32(j, f->leaves),
                              jit_i32(j, json && !f->group),
                              jit_i32(j, source->format),
                              jit_i32(j, source->check),
                              jit_i32(j, source->unknown == UNKNOWN_REJECT),
                              jit_i32(j, source->node),
                              jit_i32(j, ir_group_mixed(j->pipeline, f->group))};
    return LLVMConstNamedStruct(type, members, COUNT_OF(members));
}

/* The loop for the records of one group; building goes on behind it. */
static void loop(Jit *j, JitLoop *f)
{
    LLVMValueRef pipe = LLVMGetParam(j->function, 0), batch = LLVMGetParam(j->function, 1),
                 v = jit_local_many(j, j->type.value, f->leaves),
                 h = jit_local_many(j, j->type.i8, f->leaves),
                 bet = jit_local_many(j, j->type.i64, j->bets + 1),
                 constants = jit_constant(j, jit_loop_constants(j, f, j->stages[f->stage]));
    if (!f->near)
        CALL(j, "far_feed", pipe, batch, constants, v, h, bet);
    else
        CALL(j, "near_feed", pipe, batch, constants, v, h, bet, jit_i32(j, f->layouts),
             jit_i32(j, j->bets), jit_i32(j, ir_group_source(j->pipeline, 0)->check == CHECK_LAZY),
             j->stages[0], f->learnt[0], f->learnt[1], f->learnt[2], f->learnt[3]);
}

/* Streams of joins, by their group. */
static void other_groups(Jit *j)
{
    const IrPipeline *p = j->pipeline;
    LLVMBasicBlockRef main_stream = jit_block(j);
    LLVMValueRef group =
        CALL(j, "in_group", LLVMGetParam(j->function, 0), LLVMGetParam(j->function, 1));
    LLVMValueRef branch = LLVMBuildSwitch(j->builder, group, main_stream, 4);
    for (uint32_t i = 1; i < p->stage_count; i++) {
        const IrStage *s = &p->stages[i];
        if (s->from != IR_FROM_SOURCE) continue;
        JitLoop f = {.stage = i, .group = s->from_index, .leaves = ir_leaf_count(j->ir, s->schema)};
        LLVMBasicBlockRef one = jit_block(j);
        no_decoders(j, f.learnt);
        LLVMAddCase(branch, jit_i32(j, f.group), one);
        jit_in(j, one);
        loop(j, &f);
        jit_return(j);
    }
    jit_in(j, main_stream);
}

/* How many layouts were learnt, for who links the object. */
static void tell_layouts(Jit *j, uint32_t count)
{
    char name[JIT_NAME_BYTES];
    (void)snprintf(name, sizeof name, "layouts_%u", j->index);
    LLVMValueRef global = LLVMAddGlobal(j->module, j->type.i32, name);
    LLVMSetInitializer(global, jit_i32(j, count));
    LLVMSetGlobalConstant(global, true);
}

void jit_feed(Jit *j, Str sample)
{
    JitLoop f = {.leaves = ir_leaf_count(j->ir, j->pipeline->in_schema), .near = !j->quick};
    j->bets = 0;
    f.layouts = jit_decoders(j, needed_of(j, f.leaves), sample, f.learnt);
    jit_function(j, jit_declare(j, j->type.feed, true, "feed_%u", j->index));
    if (ir_main_sources(j->pipeline) < j->pipeline->source_count) other_groups(j);
    loop(j, &f);
    jit_return(j);
    jit_function_end(j);
    tell_layouts(j, f.layouts);
}

typedef struct Choice {
    LLVMValueRef branch;
    LLVMBasicBlockRef none;
} Choice;

static Choice choice_begin(Jit *j, LLVMValueRef number)
{
    LLVMBasicBlockRef none = jit_block(j);
    return (Choice){LLVMBuildSwitch(j->builder, number, none, 4), none};
}

static void choice_add(Jit *j, Choice *c, uint32_t number, uint32_t stage, LLVMValueRef *args)
{
    LLVMBasicBlockRef one = jit_block(j);
    LLVMAddCase(c->branch, jit_i32(j, number), one);
    jit_in(j, one);
    LLVMBuildCall2(j->builder, j->type.stage, j->stages[stage], args, 4, "");
    jit_return(j);
}

static void choice_end(Jit *j, Choice *c)
{
    jit_in(j, c->none);
    jit_return(j);
    jit_function_end(j);
}

void jit_rows(Jit *j)
{
    const IrPipeline *p = j->pipeline;
    LLVMValueRef function = jit_declare(j, j->type.row, true, "row_%u", j->index);
    jit_function(j, function);
    LLVMValueRef row = LLVMGetParam(function, 2);
    LLVMValueRef args[] = {LLVMGetParam(function, 0), CALL(j, "in_row_values", row),
                           CALL(j, "in_row_has", row), jit_i32(j, 0)};
    Choice choice = choice_begin(j, LLVMGetParam(function, 1));
    for (uint32_t i = 0; i < p->window_count; i++)
        if (p->windows[i].out_stage != NO_INDEX)
            choice_add(j, &choice, i, p->windows[i].out_stage, args);
    choice_end(j, &choice);
}

/* What begins behind `each`, or with an error record: the runtime names the stage. */
void jit_run(Jit *j)
{
    const IrPipeline *p = j->pipeline;
    LLVMValueRef function = jit_declare(j, j->type.run, true, "run_%u", j->index);
    jit_function(j, function);
    LLVMValueRef args[] = {LLVMGetParam(function, 0), LLVMGetParam(function, 2),
                           LLVMGetParam(function, 3), jit_i32(j, 0)};
    Choice choice = choice_begin(j, LLVMGetParam(function, 1));
    for (uint32_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].from == IR_FROM_EACH || p->stages[i].from == IR_FROM_ASK ||
            p->stages[i].from == IR_FROM_ERROR)
            choice_add(j, &choice, i, i, args);
    choice_end(j, &choice);
}
