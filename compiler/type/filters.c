/* compiler/type/filters.c: stages that remember which records they let pass: dedupe, deadband,
 * throttle, sample, when. Each is a memory that answers with a bool, and a DROP behind it. */
#include "compiler/type/flow.h"

enum { THROTTLE_MAX = 10000 };

static bool positive(Check *c, const AstDuration *d, const char *what)
{
    if (d->ns > 0) return true;
    diag_error(c->diags, DIAG_S011, d->span, "%s is longer than 0", what);
    return false;
}

static Val boolean(Check *c, IrMem mem, const AstPick *by, const Val *inputs, uint32_t count,
                   Span span)
{
    return check__memory_call(c, mem, by, inputs, count, (Type){.kind = IR_BOOL}, false, span);
}

static Val dedupe(Check *c, const AstStage *stage)
{
    IrMem mem = {.kind = MEM_DEDUPE, .span_ns = stage->as.dedupe.within.ns};
    if (!positive(c, &stage->as.dedupe.within, "`within`")) return check__error_val(stage->span);
    return boolean(c, mem, stage->as.dedupe.by, NULL, 0, stage->span);
}

/* The distance: a share, or a difference in the value's unit and type. */
static bool distance(Check *c, const AstExpr *e, Val *x, Val *d, IrMem *mem)
{
    mem->share = e->kind == AST_PERCENT;
    Type want = x->type;
    uint32_t has = x->has;
    if (mem->share) want = (Type){.kind = IR_F64};
    want.optional = false;
    want.unit = check__step_unit(c, want.unit);
    *d = check__expr(c, e, &want);
    if (check__bad(d)) return false;
    if (mem->share && !check__coerce(c, x, IR_F64)) return false;
    x->has = has;
    if (!mem->share && !check__unify(c, x, d, want.unit, e->span)) return false;
    *d = check__settle(c, *d, STR_NONE);
    return true;
}

static Val deadband(Check *c, const AstStage *stage)
{
    IrMem mem = {.kind = MEM_DEADBAND, .span_ns = stage->as.deadband.silence.ns};
    AstArg *x = stage->as.deadband.args;
    if (!check__arrange(c, STR("deadband"), stage->span, &x)) return check__error_val(stage->span);
    const AstArg *d = x ? x->next : NULL;
    Val in[2];
    if (!d || d->next || x->kind != AST_ARG_PLAIN || d->kind != AST_ARG_PLAIN) {
        diag_error(c->diags, DIAG_T004, stage->span,
                   "write deadband(x, 0.5) or deadband(x, 0.5%%): a value and how far it may go");
        return check__error_val(stage->span);
    }
    if (AST_HAS(stage->as.deadband.silence) &&
        !positive(c, &stage->as.deadband.silence, "`max silence`"))
        return check__error_val(stage->span);
    if (!check__input(c, x->value, &in[0], NULL)) return check__error_val(stage->span);
    IrType kind = in[0].type.kind;
    if (!type_is_number(kind) && kind != IR_DURATION) {
        diag_error(c->diags, DIAG_T005, in[0].span, "`deadband` works on numbers, this is %.*s",
                   STR_ARG(type_text(c->arena, &in[0].type)));
        return check__error_val(stage->span);
    }
    if (!distance(c, d->value, &in[0], &in[1], &mem)) return check__error_val(stage->span);
    return boolean(c, mem, NULL, in, 2, stage->span);
}

static Val throttle(Check *c, const AstStage *stage)
{
    int64_t count = stage->as.throttle.count.value;
    IrMem mem = {
        .kind = MEM_THROTTLE, .count = (uint64_t)count, .span_ns = stage->as.throttle.per.ns};
    if (count < 1 || count > THROTTLE_MAX) {
        diag_error(c->diags, DIAG_S011, stage->as.throttle.count.span,
                   "`throttle` lets 1 to %d records pass", THROTTLE_MAX);
        return check__error_val(stage->span);
    }
    if (!positive(c, &stage->as.throttle.per, "`per`")) return check__error_val(stage->span);
    return boolean(c, mem, NULL, NULL, 0, stage->span);
}

static Val sample(Check *c, const AstStage *stage)
{
    IrMem mem = {.kind = MEM_SAMPLE, .span_ns = stage->as.duration.ns};
    if (!positive(c, &stage->as.duration, "`every`")) return check__error_val(stage->span);
    return boolean(c, mem, NULL, NULL, 0, stage->span);
}

void flow__filter(Flow *f, const AstStage *stage, uint32_t node)
{
    Check *c = f->c;
    Val pass;
    switch (stage->kind) {
    case AST_DEDUPE: pass = dedupe(c, stage); break;
    case AST_DEADBAND: pass = deadband(c, stage); break;
    case AST_THROTTLE: pass = throttle(c, stage); break;
    default: pass = sample(c, stage); break;
    }
    if (!check__bad(&pass)) flow__drop_unless(f, pass.reg, node, STR_NONE);
}
