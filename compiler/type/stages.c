/* compiler/type/stages.c: the stages that work on one record at a time, and `into` and `on`. */
#include "compiler/type/flow.h"

/* The record goes on when `cond` holds; else it leaves with the reason, or is filtered out. */
void flow__drop_unless(Flow *f, uint32_t cond, uint32_t node, Str reason)
{
    Check *c = f->c;
    if (cond == NO_REG) return;
    Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, cond, c->b->span);
    build_ins(c->b, IR_IF, NO_REG, no.reg, NO_REG);
    if (reason.len)
        build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason = reason;
    else
        build_ins(c->b, IR_DROP, NO_REG, NO_REG, NO_REG)->imm.index = node;
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
}

static void where(Flow *f, const AstStage *stage, uint32_t node)
{
    Check *c = f->c;
    const AstExpr *e = stage->as.where.cond;
    uint32_t cond = check__condition(c, e, stage->kind == AST_WHEN ? "`when`" : "`where`");
    const AstElse *other = &stage->as.where.otherwise;
    if (other->kind == AST_ELSE_NULL)
        diag_error(c->diags, DIAG_S004, other->span,
                   "behind `where` stands `else error REASON` or `else drop`");
    flow__drop_unless(f, cond, node, other->kind == AST_ELSE_ERROR ? other->reason.text : STR_NONE);
    check__learn(c, e, true, f->row);
}

static void let(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    for (const AstLet *l = stage->as.lets; l; l = l->next) {
        c->target = c->b->field = l->name.text;
        const RowField *old = check__row_find(f->row, l->name.text);
        Type hint = old ? old->val.type : (Type){0};
        Val v = l->reset ? check__reset(c, l->value, l->reset)
                         : check__expr(c, l->value, old && hint.kind == IR_ENUM ? &hint : NULL);
        if (v.type.null) {
            diag_error(c->diags, DIAG_T009, l->span, "null alone has no type");
            v = check__error_val(l->span);
        }
        if (!check__bad(&v)) {
            /* A missing value is not looked at: FINITE only where it is there. */
            if (v.wild && v.has != NO_REG) {
                build_ins(c->b, IR_IF, NO_REG, v.has, NO_REG);
                build_ins(c->b, IR_FINITE, v.reg, v.reg, NO_REG);
                build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
                v.wild = false;
            }
            uint32_t has = v.has;
            v = check__settle(c, v, l->name.text);
            if (v.type.kind != IR_RECORD) v.has = has;
            v.type.has_range = false;
            v.type.span = l->span;
        }
        c->target = c->b->field = STR_NONE;
        check__row_set(c, f->row, l->name.text, v, l->span);
        c->row = f->row;
    }
}

static Str last_name(const AstExpr *e)
{
    return e->kind == AST_FIELD  ? e->as.field.name.text
           : e->kind == AST_NAME ? e->as.name
                                 : STR("");
}

void flow__keep(Flow *f, const AstPick *picks)
{
    Check *c = f->c;
    Row *row = NEW(c, Row, 1);
    for (const AstPick *pick = picks; pick; pick = pick->next) {
        Str path;
        if (!check__path(c, pick->path, &path)) {
            diag_error(c->diags, DIAG_S018, pick->span, "`keep` takes names of fields");
            continue;
        }
        Val v = check__expr(c, pick->path, NULL);
        if (check__bad(&v)) continue;
        Str name = pick->as.text.len ? pick->as.text : last_name(pick->path);
        const RowField *old = check__row_find(row, name);
        if (old) {
            Diagnostic *d =
                diag_error(c->diags, DIAG_S005, pick->span, "`%.*s` is kept twice", STR_ARG(name));
            diag_note(c->diags, d, old->span, "first here");
            continue;
        }
        v = check__settle(c, v, STR_NONE);
        check__row_set(c, row, name, v, pick->span);
    }
    if (row->count == 0) return;
    f->row = c->row = row;
}

static void drop(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    Row *row = check__row_copy(c, f->row);
    check__row_own(c, row);
    for (const AstPick *pick = stage->as.picks; pick; pick = pick->next) {
        if (pick->path->kind != AST_NAME || pick->as.text.len) {
            diag_error(c->diags, DIAG_S018, pick->span, "`drop` takes names of whole fields");
            continue;
        }
        if (check__row_find(f->row, pick->path->as.name) == NULL) {
            check__expr(c, pick->path, NULL); /* names the slip */
            continue;
        }
        uint32_t kept = 0;
        for (uint32_t i = 0; i < row->count; i++)
            if (!str_eq(row->fields[i].name, pick->path->as.name))
                row->fields[kept++] = row->fields[i];
        row->count = kept;
    }
    if (row->count == 0) {
        diag_error(c->diags, DIAG_S018, stage->span, "`drop` leaves no field");
        return;
    }
    f->row = c->row = row;
}

static void require(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    for (const AstPick *pick = stage->as.picks; pick; pick = pick->next) {
        Str path;
        Val v = check__expr(c, pick->path, NULL);
        if (check__bad(&v)) continue;
        if (!check__path(c, pick->path, &path)) {
            diag_error(c->diags, DIAG_S018, pick->span, "`require` takes names of fields");
            continue;
        }
        if (v.has == NO_REG) {
            diag_warning(c->diags, DIAG_T015, pick->span, "`%.*s` is never missing here",
                         STR_ARG(path));
            continue;
        }
        Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, v.has, pick->span);
        build_ins(c->b, IR_IF, NO_REG, no.reg, NO_REG);
        IrIns *ins = build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG);
        ins->imm.fail.reason = STR("missing_field");
        ins->imm.fail.field = path;
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        check__add_fact(c, f->row, path);
    }
}

/* A watermark for each key. Returns how many keys there are. */
static uint32_t clock_by(Flow *f, const AstPick *picks, IrReg **ret_keys)
{
    enum { CLOCK_KEYS_MAX = 16 };
    Check *c = f->c;
    IrReg *keys = NEW(c, IrReg, CLOCK_KEYS_MAX);
    uint32_t *regs = NEW(c, uint32_t, CLOCK_KEYS_MAX), count = 0;
    for (const AstPick *pick = picks; pick; pick = pick->next) {
        Val v = check__expr(c, pick->path, NULL);
        if (!check__key(c, &v, pick->span)) continue;
        if (count == CLOCK_KEYS_MAX) {
            diag_error(c->diags, DIAG_T018, pick->span, "a clock has at most %d keys",
                       CLOCK_KEYS_MAX);
            break;
        }
        keys[count] = check__reg_of(&v.type, last_name(pick->path));
        regs[count++] = v.reg;
    }
    build_list(c->b, IR_CLOCK, NO_REG, regs, count)->a = f->time_reg;
    f->place.clock_by = picks;
    f->place.clock_regs = regs;
    f->place.clock_count = count;
    *ret_keys = keys;
    return count;
}

static void time_stage(Flow *f, const AstStage *stage, uint32_t node)
{
    Check *c = f->c;
    const AstName *field = &stage->as.time.field;
    if (f->has_time) {
        diag_error(c->diags, DIAG_S005, stage->keyword, "this pipeline has its `time` already");
        return;
    }
    if (f->has_window) {
        diag_error(c->diags, DIAG_S004, stage->keyword, "`time` stands before the window");
        return;
    }
    f->has_time = true;
    AstExpr name = {.kind = AST_NAME, .span = field->span, .as.name = field->text};
    Val v = check__expr(c, &name, NULL);
    if (check__bad(&v)) return;
    if (v.type.kind != IR_TIME) {
        Diagnostic *d = diag_error(c->diags, DIAG_S006, field->span,
                                   "`time` needs a field of type time, `%.*s` is %.*s",
                                   STR_ARG(field->text), STR_ARG(type_text(c->arena, &v.type)));
        if (type_is_integer(v.type.kind))
            diag_note(c->diags, d, v.type.span, "write time(ms), time(s), time(us) or time(ns)");
        return;
    }
    if (!check__present(c, &v, "`time` needs it in every record")) return;
    f->time_reg = check__reg(c, &v);
    IrReg *keys = NULL;
    uint32_t key_count = 0;
    if (stage->as.time.clock_by)
        key_count = clock_by(f, stage->as.time.clock_by, &keys);
    else
        build_ins(c->b, IR_WATERMARK, NO_REG, f->time_reg, NO_REG);
    f->p.time = (IrTime){.present = true,
                         .order_ns = stage->as.time.order.ns,
                         .idle_ns = AST_HAS(stage->as.time.idle) ? stage->as.time.idle.ns
                                                                 : INT64_C(30000000000),
                         .ahead_ns = stage->as.time.ahead.ns,
                         .keys = keys,
                         .key_count = key_count,
                         .node = node};
}

void flow__transform(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, ast_stage_word(stage->kind), stage->span);
    flow__enter(f, node);
    f->row = c->row = check__row_copy(c, f->row);
    switch (stage->kind) {
    case AST_WHERE:
    case AST_WHEN: where(f, stage, node); break;
    case AST_LET: let(f, stage); break;
    case AST_KEEP: flow__keep(f, stage->as.picks); break;
    case AST_DROP: drop(f, stage); break;
    case AST_REQUIRE: require(f, stage); break;
    case AST_TIME: time_stage(f, stage, node); break;
    case AST_DEDUPE:
    case AST_DEADBAND:
    case AST_THROTTLE:
    case AST_SAMPLE: flow__filter(f, stage, node); break;
    default: break; /* one_stage sends no other here */
    }
    if (check__row_leaf_count(f->row) > TYPE_LEAVES_MAX)
        diag_error(c->diags, DIAG_T018, stage->span, "a record has at most %d values",
                   TYPE_LEAVES_MAX);
    f->last_node = node;
    f->last_port = PORT_OUT;
    if (stage->kind != AST_TIME) f->open = stage;
}

void flow__into(Flow *f, const AstStage *stage)
{
    f->has_sink = true;
    f->open = NULL;
    for (const AstSink *sink = stage->as.sinks; sink; sink = sink->next) {
        uint32_t node = flow__node(f, "into", sink->span);
        flow__enter(f, node);
        flow__sink(f, sink, f->row, node);
    }
}

static bool is_dead(const AstSink *sink)
{
    return str_is(sink->to.kind.text, "dead");
}

/* The stage that takes what comes too late for one window. */
static void late_stage(Flow *f, const AstSink *sinks, uint32_t window)
{
    Check *c = f->c;
    IrWindow *w = &f->p.windows[window];
    IrBuilder keep_builder = f->builder;
    Row *keep_row = f->row;
    uint32_t last = f->last_node;
    IrPort port = f->last_port;
    w->late_stage = f->stage_count;
    IrStage *late = flow__stage(f, IR_FROM_LATE, window, w->in_schema);
    late->asks = w->asks;
    flow__stage_begin(f, late, w->node);
    f->row = c->row = check__load(c, f->windows[window].in);
    f->last_node = w->node;
    f->last_port = PORT_LATE;
    for (const AstSink *sink = sinks; sink; sink = sink->next) {
        if (is_dead(sink)) continue;
        uint32_t node = flow__node(f, "into", sink->span);
        uint32_t out = f->p.nodes[w->node].out_schema;
        flow__enter(f, node);
        f->p.nodes[w->node].out_schema = out;
        flow__sink(f, sink, f->row, node);
    }
    f->builder = keep_builder;
    c->b = &f->builder;
    f->row = c->row = keep_row;
    f->last_node = last;
    f->last_port = port;
}

/* About every window before it that no other `on late` spoke of; in an arm about the arm's own. */
static void on_late(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t count = f->p.window_count, taken = 0;
    if (f->late_from == count) {
        diag_error(c->diags, DIAG_S008, stage->keyword,
                   "records are late for a window, and there is none before this `on late`");
        return;
    }
    AstOnAction action = stage->as.on.action;
    if (action == AST_ON_REPLY) {
        diag_error(c->diags, DIAG_S004, stage->span,
                   "`on late` takes `into ...`, `dead`, `update` or `drop`");
        return;
    }
    bool dead = action == AST_ON_DEAD, rows = false;
    for (const AstSink *sink = stage->as.on.sinks; sink; sink = sink->next) {
        dead |= is_dead(sink);
        rows |= !is_dead(sink);
        if (is_dead(sink) && (sink->to.address || sink->to.options || sink->format.text.len))
            diag_error(c->diags, DIAG_S010, sink->span, "`dead` takes nothing behind it");
    }
    for (uint32_t i = f->late_from; i < count; i++) {
        if (f->windows[i].has_late) continue;
        f->windows[i].has_late = true;
        taken++;
        f->p.windows[i].late_dead = dead;
        if (rows) late_stage(f, stage->as.on.sinks, i);
    }
    if (!taken) diag_error(c->diags, DIAG_S005, stage->keyword, "`on late` stands here twice");
}

static void on_error(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    bool reply = stage->as.on.action == AST_ON_REPLY;
    bool twice = reply ? f->has_error_reply : f->has_on_error;
    if (twice) {
        diag_error(c->diags, DIAG_S005, stage->keyword, "`on error%s` stands here twice",
                   reply ? " reply" : "");
        return;
    }
    *(reply ? &f->has_error_reply : &f->has_on_error) = true;
    if (!reply || !f->has_on_error) /* a reply alone is all that happens */
        f->p.error_drop = reply || stage->as.on.action == AST_ON_DROP;
    if (stage->as.on.stops) {
        f->p.stop_above = stage->as.on.stop_above;
        f->p.stop_in_ns = stage->as.on.stop_in.ns;
        if (!(f->p.stop_above > 0 && f->p.stop_above < 1) || f->p.stop_in_ns <= 0)
            diag_error(c->diags, DIAG_S011, stage->as.on.stop_span,
                       "`stop above` takes a share between 0%% and 100%% and a time above 0");
    }
    if (stage->as.on.action == AST_ON_REPLY) {
        flow__reply_error(f, stage);
        return;
    }
    if (stage->as.on.action == AST_ON_UPDATE) {
        diag_error(c->diags, DIAG_S004, stage->span,
                   "`on error` takes `into ...`, `dead`, `drop` or `reply`");
        return;
    }
    if (stage->as.on.action != AST_ON_INTO) return;
    flow__error_sinks(f, stage->as.on.sinks);
}

void flow__on(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    const AstName *port = &stage->as.on.port;
    if (stage->as.on.stops && !str_is(port->text, "error"))
        diag_error(c->diags, DIAG_S004, stage->as.on.stop_span,
                   "`stop above` belongs to `on error`");
    else if (str_is(port->text, "late"))
        on_late(f, stage);
    else if (str_is(port->text, "error"))
        on_error(f, stage);
    else
        diag_error(c->diags, DIAG_S004, port->span, "behind `on` stands `late` or `error`");
}
