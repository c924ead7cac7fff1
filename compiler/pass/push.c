/* compiler/pass/push.c: the `where` in front of everything else becomes a question of the decoder.
 *
 * A record that the first `where` drops has nobody who reads its other fields. So the conditions of
 * all `where` at the head of stage 0 are copied into a piece of code of their own,
 * IrPipeline.filter, over the fields they read: the decoder asks it as soon as these (and those of
 * a `time` in front of a `where`) have come. The stage stays as it is and drops the record itself,
 * once more: it counts, moves the watermark and shows wires, so a filter may only ever say "it will
 * be dropped" too seldom. It says "keep" where an operation fails, and the stage then fails with
 * its reason.
 *
 * Code that asked twice would not answer the same, or that writes texts, is no filter: memories,
 * tables, joins, now(). Nor is anything behind a step that may fail or do something by itself. */
#include "compiler/pass/pass.h"

typedef struct Push {
    Arena *arena;
    IrPipeline *p;
    IrStage *from, *to;
    uint32_t *conditions, condition_count;  /* registers: true = dropped */
    uint32_t *times, time_count, time_used; /* registers of WATERMARK and CLOCK; used: before a
                                             * condition */
    bool stuck;                             /* an operation was met that cannot be asked twice */
} Push;

static bool is_long(IrType type)
{
    return type == IR_STR || type == IR_BYTES || type == IR_JSON || type == IR_LIST ||
           type == IR_ITEM;
}

/* The same answer each time, and no room taken. */
static bool plain(const IrStage *s, const IrIns *ins)
{
    switch (ins->op) {
    case IR_CONST:
    case IR_MOVE:
    case IR_FIELD:
    case IR_HAS:
    case IR_INDEX:
    case IR_ITEM_FIELD: return true;
    case IR_META: return ins->imm.meta.what != META_RAW;
    case IR_CALL:
        return ins->imm.builtin != BUILTIN_NOW && ins->imm.builtin != BUILTIN_UNKNOWN_FIELDS &&
               !is_long(s->regs[ins->dst].type);
    case IR_TEXT:
    case IR_CONCAT:
    case IR_LIST_OF:
    case IR_LOOKUP:
    case IR_RECALL: return false;
    default: return ir_op_info(ins->op)->effect <= 1 && !is_long(s->regs[ins->dst].type);
    }
}

static bool is_where(const IrStage *s, uint32_t at)
{
    return at + 2 < s->code_count && s->code[at].op == IR_IF && s->code[at + 1].op == IR_DROP &&
           s->code[at + 2].op == IR_END;
}

/* Behind the IF at `at` and its END when all inside is plain, else 0. */
static uint32_t behind_if(const IrStage *s, uint32_t at)
{
    uint32_t depth = 0;
    for (uint32_t i = at; i < s->code_count; i++) {
        IrOp op = s->code[i].op;
        if (op == IR_IF)
            depth++;
        else if (op == IR_END && --depth == 0)
            return i + 1;
        else if (op != IR_ELSE && op != IR_END && !plain(s, &s->code[i]))
            return 0;
    }
    return 0;
}

static void time_of(Push *x, const IrIns *ins)
{
    x->times[x->time_count++] = ins->a;
    for (uint32_t i = 0; i < ins->arg_count; i++)
        x->times[x->time_count++] = x->from->pool[ins->args + i];
}

/* Copies the head of the stage up to its last `where`. */
static void head(Push *x)
{
    const IrStage *s = x->from;
    uint32_t kept = 0, at = 0;
    while (at < s->code_count) {
        const IrIns *ins = &s->code[at];
        if (is_where(s, at)) {
            x->conditions[x->condition_count++] = ins->a;
            x->time_used = x->time_count;
            x->to->code_count = kept;
            if (x->condition_count == 1) x->p->push_node = s->code[at + 1].node;
            at += 3;
        } else if (ins->op == IR_PASS) {
            at++;
        } else if (ins->op == IR_WATERMARK || ins->op == IR_CLOCK) {
            time_of(x, ins);
            at++;
        } else if (ins->op == IR_IF) {
            uint32_t behind = behind_if(s, at);
            if (!behind) break;
            while (at < behind) x->to->code[kept++] = s->code[at++];
        } else if (plain(s, ins)) {
            x->to->code[kept++] = *ins;
            at++;
        } else {
            break;
        }
    }
    x->stuck = !x->condition_count && at < s->code_count;
}

/* A `where` stands first, whatever it asks. */
static bool where_first(Push *x)
{
    for (uint32_t i = 0; i < x->from->code_count; i++) {
        const IrIns *ins = &x->from->code[i];
        Str kind = x->p->nodes[ins->node].kind;
        if (str_is(kind, "from") || str_is(kind, "time")) continue;
        x->p->push_node = ins->node;
        return str_is(kind, "where");
    }
    return false;
}

static IrIns *append(IrStage *s, IrOp op, uint32_t a, uint32_t b, uint32_t node)
{
    IrIns *ins = &s->code[s->code_count++];
    s->regs[s->reg_count] = (IrReg){.type = IR_BOOL};
    *ins = (IrIns){
        .op = op, .dst = s->reg_count++, .a = a, .b = b, .c = NO_REG, .has = NO_REG, .node = node};
    return ins;
}

static void mark_leaves(const IrStage *code, IrLeaf *leaves)
{
    for (uint32_t i = 0; i < code->code_count; i++)
        if (code->code[i].op == IR_FIELD || code->code[i].op == IR_HAS)
            leaves[code->code[i].a].needed = true;
}

/* keeps = not c0 and not c1 ...; then nothing that this does not need. */
MUST static Status conclude(Push *x)
{
    IrStage *f = x->to, times = *f;
    bool *used = arena_many(x->arena, bool, f->reg_count + 2 * x->condition_count + 1);
    IrIns *copy = arena_many(x->arena, IrIns, f->code_count + 1);
    if (!used || !copy) return ST_NO_MEMORY;
    memcpy(copy, f->code, f->code_count * sizeof *copy);
    times.code = copy;
    pass__dead_code(&times, used, x->times, x->time_used);
    uint32_t keeps = NO_REG, node = x->p->push_node;
    for (uint32_t i = 0; i < x->condition_count; i++) {
        uint32_t one = append(f, IR_NOT, x->conditions[i], NO_REG, node)->dst;
        keeps = keeps == NO_REG ? one : append(f, IR_AND, keeps, one, node)->dst;
    }
    pass__dead_code(f, used, &keeps, 1);
    for (uint32_t i = 0; i < f->leaf_count; i++) f->leaves[i].needed = false;
    mark_leaves(f, f->leaves);
    bool reads = false;
    for (uint32_t i = 0; i < f->leaf_count; i++) reads |= f->leaves[i].needed;
    mark_leaves(&times, f->leaves);
    bool all = true;
    for (uint32_t i = 0; i < f->leaf_count; i++)
        all &= f->leaves[i].needed || !x->from->leaves[i].needed;
    x->p->push = !reads ? PUSH_NO_FIELD : all ? PUSH_NOTHING_ELSE : PUSH_DONE;
    if (x->p->push != PUSH_DONE) return ST_OK;
    x->p->filter = f;
    x->p->filter_keeps = keeps;
    return ST_OK;
}

MUST static Status push(Arena *arena, IrPipeline *p)
{
    IrStage *s = &p->stages[0];
    uint32_t wheres = s->code_count / 3; /* each gives three instructions' room and takes two */
    Push x = {.arena = arena, .p = p, .from = s, .to = arena_one(arena, IrStage)};
    x.conditions = arena_many(arena, uint32_t, wheres + 1);
    x.times = arena_many(arena, uint32_t, s->code_count + s->pool_count + 1);
    if (!x.to || !x.conditions || !x.times) return ST_NO_MEMORY;
    *x.to = *s;
    x.to->code_count = 0;
    x.to->code = arena_many(arena, IrIns, s->code_count + 1);
    x.to->regs = arena_many(arena, IrReg, s->reg_count + 2 * wheres + 1);
    x.to->leaves = arena_many(arena, IrLeaf, s->leaf_count + 1);
    if (!x.to->code || !x.to->regs || !x.to->leaves) return ST_NO_MEMORY;
    if (s->reg_count) memcpy(x.to->regs, s->regs, s->reg_count * sizeof *s->regs);
    if (s->leaf_count) memcpy(x.to->leaves, s->leaves, s->leaf_count * sizeof *s->leaves);
    head(&x);
    if (!x.condition_count) {
        p->push = x.stuck && where_first(&x) ? PUSH_NOT_PLAIN : PUSH_NO_WHERE;
        return ST_OK;
    }
    IrFormat format = p->sources[0].format;
    if (format != FORMAT_JSON && format != FORMAT_NONE) {
        p->push = PUSH_FORMAT;
        return ST_OK;
    }
    return conclude(&x);
}

Status pass_push(IrProgram *program)
{
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        Status st = push(program->arena, &program->pipelines[i]);
        if (st) return st;
    }
    return ST_OK;
}
