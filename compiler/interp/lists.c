/* compiler/interp/lists.c: translates operations on lists and items, MEM, LOOKUP and RECALL. */
#include "compiler/interp/translate.h"

#include "compiler/ir/facts.h"

enum { MEM_ARGS_MAX = 32 }; /* as in list.c */

/* The results come as columns; `has` may be one, too. */
static void finish(Translate *t, const IrIns *ins, StepFn *run, Args *args)
{
    bool second = ins->has != NO_REG;
    Result r = interp__result_begin(t, ins->dst), h = {0};
    if (second) h = interp__result_begin(t, ins->has);
    const IrReg *dst = &t->stage->regs[ins->dst];
    args->dst = (Place){r.column, (uint8_t)r.cell, (uint8_t)dst->type, dst->scale};
    args->has = second ? h.column : NO_COLUMN;
    Step *s = interp__step(t, run, ins);
    s->dst = r.column;
    s->more = args;
    interp__result_end(t, ins, r);
    if (second) interp__result_end(t, ins, h);
}

static Args *arguments(Translate *t, uint32_t count)
{
    Args *args = interp__alloc(t, 1, sizeof *args);
    Pair *list = interp__alloc(t, count + 1, sizeof *list);
    if (!args || !list) return NULL;
    args->list = list;
    args->count = count;
    args->time.column = NO_COLUMN;
    return args;
}

static Pair pair(Translate *t, uint32_t value, uint32_t has)
{
    return (Pair){interp__place(t, value), interp__column(t, has)};
}

static void list_of(Translate *t, const IrIns *ins)
{
    const uint32_t *pool = t->stage->pool + ins->args;
    Args *args = arguments(t, ins->arg_count / 2);
    if (!args) return;
    args->item = t->schemas[t->stage->regs[ins->dst].record];
    for (uint32_t i = 0; i < args->count; i++)
        ((Pair *)args->list)[i] = pair(t, pool[2 * i], pool[2 * i + 1]);
    args->space = (t->bytes + 63) / 64 * 64;
    t->bytes = args->space + (args->count + 1) * (uint32_t)(sizeof(RtValue) + 1);
    t->bytes = (t->bytes + 63) / 64 * 64;
    finish(t, ins, interp__list_of, args);
}

void interp__list(Translate *t, const IrIns *ins)
{
    if (ins->op == IR_LIST_OF) {
        list_of(t, ins);
        return;
    }
    if (ins->op == IR_COUNT_OF) {
        Result r = interp__result_begin(t, ins->dst);
        Step *s = interp__step(t, interp__count_of, ins);
        s->dst = r.column;
        s->a = interp__column(t, ins->a);
        interp__result_end(t, ins, r);
        return;
    }
    static StepFn *const kernels[IR_OP__COUNT] = {[IR_INDEX] = interp__index,
                                                  [IR_ITEM_FIELD] = interp__item_field,
                                                  [IR_LIST_HAS] = interp__list_has,
                                                  [IR_LIST_AGG] = interp__list_agg};
    Args *args = arguments(t, 2);
    if (!args) return;
    Pair *list = (Pair *)args->list;
    list[0] = pair(t, ins->a, NO_REG);
    if (ins->b != NO_REG) list[1] = pair(t, ins->b, NO_REG);
    args->item = t->schemas[t->stage->regs[ins->a].record];
    args->index = ins->imm.index;
    finish(t, ins, kernels[ins->op], args);
}

void interp__find(Translate *t, const IrIns *ins)
{
    const uint32_t *pool = t->stage->pool + ins->args;
    Args *args = arguments(t, ins->arg_count);
    if (!args) return;
    if (args->count > MEM_ARGS_MAX) {
        interp__refuse(t, ST_UNSUPPORTED, "more than %d keys of a join", MEM_ARGS_MAX);
        return;
    }
    for (uint32_t k = 0; k < args->count; k++) ((Pair *)args->list)[k] = pair(t, pool[k], NO_REG);
    args->index = ins->imm.index;
    finish(t, ins, ins->op == IR_LOOKUP ? interp__lookup : interp__recall, args);
}

void interp__memory(Translate *t, const IrIns *ins)
{
    const IrMem *mem = &t->pipeline->mems[ins->imm.index];
    const uint32_t *pool = t->stage->pool + ins->args;
    Args *args = arguments(t, mem->key_count + mem->input_count);
    if (!args) return;
    if (args->count > MEM_ARGS_MAX) {
        interp__refuse(t, ST_UNSUPPORTED, "more than %d keys and inputs of a memory", MEM_ARGS_MAX);
        return;
    }
    Pair *list = (Pair *)args->list;
    for (uint32_t k = 0; k < mem->key_count; k++) list[k] = pair(t, pool[k], NO_REG);
    for (uint32_t i = 0; i < mem->input_count; i++) {
        const uint32_t *at = pool + mem->key_count + 2 * i;
        list[mem->key_count + i] = pair(t, at[0], at[1]);
    }
    args->index = ins->imm.index;
    args->event_time = mem->event_time;
    args->time = interp__place(t, ins->a);
    /* Behind WATERMARK the record's event time is known before it is replayed. */
    if (ins->a == NO_REG && mem->event_time) args->time = t->time;
    t->code->remembers = true;
    t->code->alone |= t->may_end;
    finish(t, ins, interp__mem, args);
}
