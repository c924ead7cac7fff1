/* compiler/type/split.c: `split`: arms that take records aside, while the stream goes on behind it.
 *
 * First match: each condition stands in the ELSE of the one before, so what comes later is not even
 * computed for a record that was taken. `split all` asks every condition. Arms without condition
 * (`keep`) take what comes to them and let it go on to the arms behind. An arm sees the record as
 * it was before the split; whatever it makes of it ends with it. */
#include "compiler/type/flow.h"

typedef struct Split {
    const AstStage *stage;
    uint32_t node;
    uint32_t taken; /* `split all` with an `else`: BOOL, an arm's condition held */
    uint32_t open;  /* IFs to close */
    Str tag;        /* `each tag`: the one at hand */
} Split;

static bool shape(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t count = 0, wheres = 0;
    if (f->splits == FLOW_SPLITS_MAX) {
        diag_error(c->diags, DIAG_T018, stage->keyword, "at most %d splits inside each other",
                   FLOW_SPLITS_MAX);
        return false;
    }
    for (const AstArm *arm = stage->as.split.arms; arm; arm = arm->next) {
        const char *wrong = NULL;
        wheres += arm->kind == AST_ARM_WHERE;
        if (++count > FLOW_ARMS_MAX) {
            diag_error(c->diags, DIAG_T018, arm->span, "a split has at most %d arms",
                       FLOW_ARMS_MAX);
            return false;
        }
        if (arm->kind == AST_ARM_ELSE && arm->next) wrong = "`else` is the last arm of a split";
        if (arm->kind == AST_ARM_ELSE && !wheres)
            wrong = "`else` takes what no `where` before it took, and there is none";
        if (!wrong) continue;
        diag_error(c->diags, DIAG_S004, arm->span, "%s", wrong);
        return false;
    }
    if (count) return true;
    diag_error(c->diags, DIAG_S018, stage->keyword,
               "a split needs arms: `where ... => stages`, `else => stages`");
    return false;
}

/* The arm as it is drawn: a node of its own, labelled by what stands before its arrow. */
static uint32_t arm_node(Flow *f, const Split *split, const AstArm *arm)
{
    uint32_t node = flow__node(f, "arm", arm->span);
    Span head = arm->span;
    if (arm->kind == AST_ARM_WHERE) head.end = arm->cond->span.end;
    for (const AstPick *pick = arm->picks; pick; pick = pick->next) head.end = pick->span.end;
    f->p.nodes[node].label = arm->kind == AST_ARM_ELSE ? STR("else")
                             : arm->kind == AST_ARM_EACH_TAG
                                 ? check__text(f->c, "each tag: %.*s", STR_ARG(split->tag))
                                 : flow__label(f, head);
    return node;
}

static void arm_stages(Flow *f, const AstArm *arm)
{
    Check *c = f->c;
    f->has_sink = false;
    f->open = NULL;
    for (const AstStage *s = arm->stages; s; s = s->next) {
        diag_stage_begin(c->diags, s->span);
        flow__one(f, s);
    }
    diag_stage_begin(c->diags, arm->span);
    if (!f->has_sink)
        diag_error(c->diags, DIAG_S017, arm->span,
                   "nothing takes the records of this arm: no `into` in it");
    else if (f->open)
        diag_error(c->diags, DIAG_S017, f->open->keyword,
                   "nothing takes what leaves this `%s`: no `into` behind it in the arm",
                   ast_stage_word(f->open->kind));
}

/* One arm, from ARM to ENDARM; `row` is what it begins with. */
static void arm_body(Flow *f, const Split *split, const AstArm *arm, Row *row)
{
    Check *c = f->c;
    IrStage *stage = f->builder.stage;
    Flow outer = *f;
    build_ins(c->b, IR_ARM, NO_REG, NO_REG, NO_REG);
    f->row = c->row = row;
    f->late_from = f->p.window_count;
    uint32_t node = arm_node(f, split, arm);
    flow__enter(f, node);
    if (arm->kind == AST_ARM_KEEP) flow__keep(f, arm->picks);
    f->last_node = node;
    f->last_port = PORT_OUT;
    arm_stages(f, arm);
    flow__back(f, stage);
    f->builder.node = split->node;
    build_ins(c->b, IR_ENDARM, NO_REG, NO_REG, NO_REG);
    f->row = c->row = outer.row;
    f->late_from = outer.late_from;
    f->last_node = outer.last_node;
    f->last_port = outer.last_port;
    f->time_reg = outer.time_reg;
    f->in_rows = outer.in_rows;
    f->place = outer.place;
    c->stage = split->stage;
}

static void or_into(Check *c, uint32_t dst, uint32_t b)
{
    build_ins(c->b, IR_OR, dst, dst, b);
}

static void arm_where(Flow *f, Split *split, const AstArm *arm)
{
    Check *c = f->c;
    diag_stage_begin(c->diags, arm->span);
    uint32_t cond = check__condition(c, arm->cond, "`where`");
    if (cond == NO_REG) cond = build_temp(c->b, IR_BOOL); /* after an error; thrown away */
    if (split->taken != NO_REG) or_into(c, split->taken, cond);
    Row *row = check__row_copy(c, f->row);
    check__learn(c, arm->cond, true, row);
    build_ins(c->b, IR_IF, NO_REG, cond, NO_REG);
    arm_body(f, split, arm, row);
    if (split->stage->as.split.all) {
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        return;
    }
    if (!arm->next) {
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        return;
    }
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    split->open++;
    check__learn(c, arm->cond, false, f->row);
}

static void arm_else(Flow *f, Split *split, const AstArm *arm)
{
    Check *c = f->c;
    bool all = split->stage->as.split.all;
    if (all) {
        Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, split->taken, arm->span);
        build_ins(c->b, IR_IF, NO_REG, no.reg, NO_REG);
    }
    arm_body(f, split, arm, check__row_copy(c, f->row));
    if (all) build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
}

/* The record of one tag: its name, and what it holds. */
static Row *tag_row(Check *c, const RowField *field)
{
    static const char *const names[] = {"value", "quality", "time"};
    Row *row = NEW(c, Row, 1);
    Val name = check__constant(IR_STR, (IrImm){.text = field->name}, field->span);
    name.type.bytes_max = (uint32_t)field->name.len;
    check__row_set(c, row, STR("name"), check__settle(c, name, STR("name")), field->span);
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        Val v = field->val.fields[i];
        if (i < 2) v.has = NO_REG; /* the arm runs where the tag is there */
        if (i < 2) v.type.optional = false;
        v.path = STR_NONE;
        check__row_set(c, row, str_from(names[i]), v, field->span);
    }
    return row;
}

/* The arm once for each tag of the record, in their order: types and units differ, so the stages
 * are checked for each. */
static void arm_each_tag(Flow *f, Split *split, const AstArm *arm)
{
    Check *c = f->c;
    uint32_t errors = c->diags->error_count, tags = 0;
    for (uint32_t i = 0; i < f->row->count && c->diags->error_count == errors; i++) {
        const RowField *field = &f->row->fields[i];
        if (!check__is_tag(&field->val.type)) continue;
        tags++;
        split->tag = field->name;
        uint32_t has = field->val.has;
        if (has != NO_REG) build_ins(c->b, IR_IF, NO_REG, has, NO_REG);
        arm_body(f, split, arm, tag_row(c, field));
        if (has != NO_REG) build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    }
    if (!tags && c->diags->error_count == errors)
        diag_error(c->diags, DIAG_T005, arm->span,
                   "`each tag` takes the record's tags apart, and it has none here");
}

void flow__split(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    Split split = {.stage = stage, .taken = NO_REG};
    split.node = flow__node(f, "split", stage->span);
    f->p.nodes[split.node].label = stage->as.split.all ? STR("split all") : STR("split");
    flow__enter(f, split.node);
    f->last_node = split.node;
    f->last_port = PORT_OUT;
    f->has_sink = true;
    f->open = NULL;
    if (!shape(f, stage)) return;
    bool has_else = false;
    for (const AstArm *arm = stage->as.split.arms; arm; arm = arm->next)
        has_else = has_else || arm->kind == AST_ARM_ELSE;
    if (stage->as.split.all && has_else) {
        split.taken = build_temp(c->b, IR_BOOL);
        build_ins(c->b, IR_CONST, split.taken, NO_REG, NO_REG)->imm.boolean = false;
    }
    Row *before = f->row;
    f->row = c->row = check__row_copy(c, before); /* learns what no arm so far took */
    f->splits++;
    for (const AstArm *arm = stage->as.split.arms; arm; arm = arm->next) {
        switch (arm->kind) {
        case AST_ARM_WHERE: arm_where(f, &split, arm); break;
        case AST_ARM_ELSE: arm_else(f, &split, arm); break;
        case AST_ARM_KEEP: arm_body(f, &split, arm, check__row_copy(c, f->row)); break;
        case AST_ARM_EACH_TAG: arm_each_tag(f, &split, arm); break;
        }
    }
    f->splits--;
    while (split.open--) build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    f->row = c->row = before;
    f->has_sink = true;
    f->open = NULL;
}
