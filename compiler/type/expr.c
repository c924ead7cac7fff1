/* compiler/type/expr.c: expressions: literals, names, fields, text, if, match, try, records. */
#include "compiler/type/flow.h"

bool check__path(Check *c, const AstExpr *e, Str *ret_path)
{
    if (e->kind == AST_NAME) {
        *ret_path = e->as.name;
        return true;
    }
    Str base;
    if (e->kind != AST_FIELD || !check__path(c, e->as.field.base, &base)) return false;
    *ret_path = check__text(c, "%.*s.%.*s", STR_ARG(base), STR_ARG(e->as.field.name.text));
    return true;
}

void check__learn(Check *c, const AstExpr *e, bool truth, Row *row)
{
    Str path;
    if (!row) return;
    if (e->kind == AST_EXISTS && truth) {
        if (check__path(c, e->as.op.a, &path)) check__add_fact(c, row, path);
    } else if (e->kind == AST_UNARY && e->as.op.op == AST_NOT) {
        check__learn(c, e->as.op.a, !truth, row);
    } else if (e->kind == AST_BINARY && e->as.op.op == (truth ? AST_AND : AST_OR)) {
        check__learn(c, e->as.op.a, truth, row);
        check__learn(c, e->as.op.b, truth, row);
    }
}

static Val number(Check *c, const AstExpr *e)
{
    IrImm imm = {0};
    IrType kind = IR_F64;
    if (e->as.number.is_int && e->as.number.integer <= INT64_MAX) {
        kind = IR_I64;
        imm.integer = (int64_t)e->as.number.integer;
    } else if (e->as.number.is_int) {
        kind = IR_U64;
        imm.natural = e->as.number.integer;
    } else {
        imm.number = e->as.number.number;
    }
    Val v = check__constant(kind, imm, e->span);
    v.naked = e->as.number.unit == NULL;
    if (kind == IR_F64) v.written = e->as.number.text;
    if (e->as.number.unit) v.type.unit = check__unit(c, e->as.number.unit);
    return v;
}

/* What stands in braces. */
static Val text_part(Check *c, const AstExpr *e)
{
    Val v = check__expr(c, e, NULL);
    if (check__bad(&v) || !check__present(c, &v, "text needs a value"))
        return check__error_val(e->span);
    if (v.type.kind == IR_RECORD || v.type.kind == IR_LIST) {
        Diagnostic *d = diag_error(c->diags, DIAG_T017, v.span,
                                   v.type.kind == IR_LIST ? "a list has no text, name one item"
                                                          : "a %s has no text, name one field",
                                   type_word(&v.type));
        check__value_fix(c, d, &v);
        return check__error_val(e->span);
    }
    return check__finite(c, v);
}

/* What a record brings into a file name leads nowhere else: with '/' or NUL in it, or a point
 * before it, the record fails. */
static Val path_part(Check *c, Val v)
{
    static const struct {
        IrOp op;
        Str text;
    } wrong[] = {{IR_CONTAINS, {"/", 1}}, {IR_CONTAINS, {"\0", 1}}, {IR_STARTS, {".", 1}}};
    if (check__bad(&v) || v.type.kind != IR_STR || v.constant) return v;
    Str field = v.path;
    v = check__settle(c, v, STR_NONE);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        Val sign = check__constant(IR_STR, (IrImm){.text = wrong[i].text}, v.span);
        Val is = check__emit2(c, wrong[i].op, (Type){.kind = IR_BOOL}, v.reg, check__reg(c, &sign),
                              v.span);
        build_ins(c->b, IR_IF, NO_REG, is.reg, NO_REG);
        IrIns *fail = build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG);
        fail->imm.fail.reason = STR("bad_value");
        fail->imm.fail.field = field;
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
    }
    return v;
}

static Val constant_text(Check *c, const Val *parts, uint32_t count, Span span)
{
    Str all = STR(""), text;
    for (uint32_t i = 0; i < count; i++)
        if (check__constant_text(c, &parts[i], &text)) all = arena_join(c->arena, all, text);
    Val v = check__constant(IR_STR, (IrImm){.text = all}, span);
    v.type.bytes_max = (uint32_t)all.len;
    return v;
}

static Val joined(Check *c, const Val *parts, uint32_t count, Span span)
{
    uint32_t *regs = NEW(c, uint32_t, count + 1);
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        Val v = parts[i];
        uint32_t max = type_text_max(&v.type);
        most += max;
        if (v.type.kind != IR_STR) {
            Type type = {.kind = IR_STR, .bytes_max = max};
            v = check__emit1(c, IR_TEXT, type, check__reg(c, &v), v.span);
        }
        regs[i] = check__reg(c, &v);
    }
    if (most > TYPE_STRING_MAX) most = TYPE_STRING_MAX;
    Type type = {.kind = IR_STR, .bytes_max = (uint32_t)most};
    uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
    build_list(c->b, IR_CONCAT, dst, regs, count)->span = span;
    return (Val){.type = type, .reg = dst, .has = NO_REG, .span = span};
}

static Val text(Check *c, const AstExpr *e)
{
    Str plain;
    if (ast_string_text(e, &plain)) {
        Val v = check__constant(IR_STR, (IrImm){.text = plain}, e->span);
        v.type.bytes_max = (uint32_t)plain.len;
        return v;
    }
    Val *parts = NULL, v;
    uint32_t count = 0, cap = 0;
    bool bad = false, constant = true, in_path = c->in_path;
    c->in_path = false; /* not for texts inside */
    for (const AstPart *part = e->as.string.parts; part; part = part->next) {
        if (!part->expr && part->text.len == 0) continue;
        v = part->expr ? in_path ? path_part(c, text_part(c, part->expr)) : text_part(c, part->expr)
                       : check__constant(IR_STR, (IrImm){.text = part->text}, part->span);
        if (!part->expr) v.type.bytes_max = (uint32_t)part->text.len;
        bad = bad || check__bad(&v);
        constant = constant && v.constant;
        *PUSH(c, parts, count, cap) = v;
    }
    if (bad) return check__error_val(e->span);
    return constant ? constant_text(c, parts, count, e->span) : joined(c, parts, count, e->span);
}

static bool enum_value(Check *c, const Type *want, Str name, Span span, Val *ret_val)
{
    if (!want || want->kind != IR_ENUM) return false;
    for (uint32_t i = 0; i < want->names->count; i++) {
        if (!str_eq(want->names->names[i], name)) continue;
        *ret_val = check__constant(IR_ENUM, (IrImm){.integer = i}, span);
        ret_val->type = *want;
        ret_val->type.optional = false;
        if (c->facts) facts__name(c, FACT_ENUM_NAME, span, want->names->names[i], want);
        return true;
    }
    return false;
}

/* `error.reason` for `reason`, where there is such a record; else nothing. */
static Str error_part(Check *c, Str name)
{
    for (const Local *l = c->locals; l; l = l->next) {
        if (!str_is(l->name, "error") || l->val.type.kind != IR_RECORD) continue;
        const Record *record = l->val.type.record;
        for (uint32_t i = 0; i < record->count; i++)
            if (str_eq(record->fields[i].name, name))
                return check__text(c, "error.%.*s", STR_ARG(name));
    }
    return STR_NONE;
}

static void unknown_name(Check *c, const AstExpr *e, const Type *want)
{
    Str name = e->as.name, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    if (want && want->kind == IR_ENUM) {
        for (uint32_t i = 0; i < want->names->count; i++)
            diag_suggest(name, want->names->names[i], &best, &distance);
        Diagnostic *d = diag_error(c->diags, DIAG_T006, e->span, "`%.*s` is not one of %.*s",
                                   STR_ARG(name), STR_ARG(type_text(c->arena, want)));
        check__did_you_mean(c, d, e->span, best);
        return;
    }
    for (uint32_t i = 0; c->row && i < c->row->count; i++)
        diag_suggest(name, c->row->fields[i].name, &best, &distance);
    for (const Local *l = c->locals; l; l = l->next) diag_suggest(name, l->name, &best, &distance);
    check__suggest_map(&c->scope->consts, name, &best, &distance);
    Diagnostic *d =
        diag_error(c->diags, DIAG_N001, e->span, "there is no `%.*s` here", STR_ARG(name));
    Str part = error_part(c, name);
    if (part.len)
        diag_fix_str(c->diags, d, STR_NONE, e->span, part);
    else
        check__did_you_mean(c, d, e->span, best);
    if (best.len || part.len || !c->row || c->row->count == 0) return;
    Str list = STR_NONE;
    for (uint32_t i = 0; i < c->row->count && i < 12; i++)
        list = check__text(c, "%.*s%s%.*s", STR_ARG(list), i ? ", " : "",
                           STR_ARG(c->row->fields[i].name));
    diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "fields here: %.*s%s", STR_ARG(list),
              c->row->count > 12 ? ", ..." : "");
}

static Val narrowed(Check *c, Val v)
{
    if (v.type.optional && c->row && v.path.len && check__has_fact(c->row, v.path)) {
        v.type.optional = false;
        v.has = NO_REG;
    }
    return v;
}

static Val name(Check *c, const AstExpr *e, const Type *want)
{
    Val v;
    for (const Local *l = c->locals; l; l = l->next) {
        if (!str_eq(l->name, e->as.name)) continue;
        v = l->val;
        v.span = e->span;
        if (c->facts) facts__name(c, FACT_PARAM, e->span, l->name, &v.type);
        return narrowed(c, v);
    }
    const RowField *field = c->row ? check__row_find(c->row, e->as.name) : NULL;
    if (field) {
        v = field->val;
        v.span = e->span;
        v.path = field->name;
        if (c->facts) facts__name(c, FACT_FIELD, e->span, field->name, &v.type);
        return narrowed(c, v);
    }
    if (enum_value(c, want, e->as.name, e->span, &v)) return v;
    const Val *constant = check__const(c, e->as.name);
    if (constant) {
        v = *constant;
        v.span = e->span;
        const Const *found = map_get(&c->scope->consts, e->as.name);
        if (c->facts) facts__name(c, FACT_CONST, e->span, found->item->name.text, &v.type);
        return v;
    }
    unknown_name(c, e, want);
    return check__error_val(e->span);
}

static bool is_meta(const Check *c, const AstExpr *e)
{
    return e->kind == AST_NAME && str_is(e->as.name, "meta") && c->row && !c->in_fn &&
           !check__row_find(c->row, STR("meta"));
}

static Val meta(Check *c, const AstExpr *e, Str what, bool level, uint32_t number_of_level)
{
    static const struct {
        const char *name;
        IrMeta what;
        IrType type;
        uint32_t bytes;
    } known[] = {{"topic", META_TOPIC, IR_STR, 1024},
                 {"key", META_KEY, IR_STR, 1024},
                 {"received", META_RECEIVED, IR_TIME, 0},
                 {"raw", META_RAW, IR_STR, TYPE_STRING_MAX},
                 {"headers", META_HEADERS, IR_JSON, META_HEADERS_BYTES}};
    bool behind = c->b->stage && c->b->stage->from == IR_FROM_WINDOW;
    if (c->agg || behind) {
        diag_error(c->diags, DIAG_S016, e->span, "behind a window there is no one record to ask");
        return check__error_val(e->span);
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (!str_is(what, known[i].name)) continue;
        if (known[i].what == META_RAW && c->flow && c->flow->p.source_count &&
            ir_format_is_bytes(c->flow->p.sources[0].format)) {
            diag_error(c->diags, DIAG_S016, e->span,
                       "meta.raw is text, and these records are bytes");
            return check__error_val(e->span);
        }
        Type type = {.kind = known[i].type, .bytes_max = known[i].bytes};
        uint32_t dst = build_reg(c->b, check__reg_of(&type, STR_NONE));
        IrIns *ins = build_ins(c->b, IR_META, dst, NO_REG, NO_REG);
        ins->imm.meta.what = level ? META_TOPIC_LEVEL : known[i].what;
        ins->imm.meta.level = number_of_level;
        ins->span = e->span;
        return (Val){.type = type, .reg = dst, .has = NO_REG, .span = e->span};
    }
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        diag_suggest(what, str_from(known[i].name), &best, &distance);
    Diagnostic *d = diag_error(
        c->diags, DIAG_N004, e->span,
        "a record's meta data has topic, key, received, raw, headers; not `%.*s`", STR_ARG(what));
    if (best.len)
        diag_note(c->diags, d, (Span){UINT32_MAX, 0, 0}, "did you mean meta.%.*s", STR_ARG(best));
    return check__error_val(e->span);
}

static Val field(Check *c, const AstExpr *e)
{
    const AstName *want = &e->as.field.name;
    if (is_meta(c, e->as.field.base)) return meta(c, e, want->text, false, 0);
    Val base = check__expr(c, e->as.field.base, NULL);
    if (check__bad(&base)) return base;
    if (base.type.kind == IR_JSON) {
        Val v = check__json_member(c, &base, want->text, e->span);
        if (base.path.len)
            v.path = check__text(c, "%.*s.%.*s", STR_ARG(base.path), STR_ARG(want->text));
        return narrowed(c, v);
    }
    if (base.type.kind != IR_RECORD) {
        diag_error(c->diags, DIAG_N004, want->span, "%s has no fields",
                   base.type.null ? "null" : type_text(c->arena, &base.type).ptr);
        return check__error_val(e->span);
    }
    const Record *record = base.type.record;
    for (uint32_t i = 0; i < record->count; i++) {
        if (!str_eq(record->fields[i].name, want->text)) continue;
        Val v = base.fields[i];
        v.type = record->fields[i].type;
        if (base.type.optional && !v.type.optional) {
            v.type.optional = true;
            v.type.span = base.type.span;
        } else if (!base.type.optional && !v.type.optional) {
            v.has = NO_REG;
        }
        v.span = e->span;
        if (c->facts) facts__name(c, FACT_FIELD, want->span, record->fields[i].name, &v.type);
        v.path = base.path.len
                     ? check__text(c, "%.*s.%.*s", STR_ARG(base.path), STR_ARG(want->text))
                     : STR_NONE;
        return narrowed(c, v);
    }
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < record->count; i++)
        diag_suggest(want->text, record->fields[i].name, &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_N004, want->span, "there is no field `%.*s` in %.*s",
                               STR_ARG(want->text), STR_ARG(type_text(c->arena, &base.type)));
    check__did_you_mean(c, d, want->span, best);
    return check__error_val(e->span);
}

static Val index_of(Check *c, const AstExpr *e)
{
    const AstExpr *base = e->as.index.base, *at = e->as.index.at;
    if (base->kind == AST_FIELD && is_meta(c, base->as.field.base) &&
        str_is(base->as.field.name.text, "topic")) {
        if (at->kind == AST_NUMBER && at->as.number.is_int && at->as.number.integer < 64)
            return meta(c, e, STR("topic"), true, (uint32_t)at->as.number.integer);
        diag_error(c->diags, DIAG_T005, at->span, "a topic level is a number from 0 to 63");
        return check__error_val(e->span);
    }
    Val list = check__expr(c, base, NULL);
    if (list.type.kind == IR_JSON) return check__json_index(c, e, &list);
    if (!check__bad(&list)) return check__index(c, e, list);
    check__expr(c, at, NULL);
    return list;
}

uint32_t check__condition(Check *c, const AstExpr *e, const char *what)
{
    Val v = check__expr(c, e, NULL);
    if (check__bad(&v)) return NO_REG;
    bool there = !v.type.optional && !v.type.null;
    const char *needs = there ? "" : check__text(c, "%s needs true or false", what).ptr;
    if (!check__present(c, &v, needs)) return NO_REG;
    if (v.type.kind != IR_BOOL) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_T002, v.span, "%s needs true or false, this is %.*s", what,
                       STR_ARG(type_text(c->arena, &v.type)));
        check__value_fix(c, d, &v);
        return NO_REG;
    }
    return check__reg(c, &v);
}

/* A literal in an arm takes the number type that is wanted, where it fits exactly. */
static Val adapted(Val v, const Type *want)
{
    IrImm imm;
    if (!want || !v.constant || !v.naked || !type_is_number(want->kind) ||
        !type_is_number(v.type.kind) ||
        !(want->kind == IR_DECIMAL ? check__val_to_decimal(&v, want->scale, &imm)
                                   : check__imm_convert(&v.type, v.imm, want, &imm)))
        return v;
    v.imm = imm;
    v.type.kind = want->kind;
    v.type.scale = want->scale;
    return v;
}

static Val branch(Check *c, const AstExpr *e, const Type *want)
{
    uint32_t cond = check__condition(c, e->as.branch.cond, "`if`");
    uint32_t facts = c->row ? c->row->fact_count : 0;
    build_ins(c->b, IR_IF, NO_REG, cond, NO_REG);
    check__learn(c, e->as.branch.cond, true, c->row);
    Val yes = adapted(check__expr(c, e->as.branch.yes, want), want);
    uint32_t mark = c->b->stage->code_count;
    if (c->row) c->row->fact_count = facts;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    check__learn(c, e->as.branch.cond, false, c->row);
    Type hint = want ? *want : yes.type;
    Val no = adapted(check__expr(c, e->as.branch.no, &hint), want);
    if (c->row) c->row->fact_count = facts;
    if (cond == NO_REG) return check__error_val(e->span);
    return check__merge(c, yes, mark, no, IR_END, e->span);
}

/* A register that tells whether `value` fits one pattern of the arm. */
static uint32_t pattern(Check *c, const Val *value, const AstExpr *p)
{
    if (p->kind == AST_RANGE) {
        Val lo = check__expr(c, p->as.range.lo, &value->type),
            hi = check__expr(c, p->as.range.hi, &value->type);
        Val above = check__compare(c, IR_GE, *value, lo, p->span, p->span),
            below = check__compare(c, IR_LE, *value, hi, p->span, p->span);
        if (check__bad(&above) || check__bad(&below)) return NO_REG;
        return check__emit2(c, IR_AND, (Type){.kind = IR_BOOL}, check__reg(c, &above),
                            check__reg(c, &below), p->span)
            .reg;
    }
    Val v = check__expr(c, p, &value->type);
    Val same = check__compare(c, IR_EQ, *value, v, p->span, p->span);
    return check__bad(&same) ? NO_REG : check__reg(c, &same);
}

static Val arms(Check *c, const Val *value, const AstCase *at, const AstExpr *e, const Type *want,
                uint64_t *covered)
{
    if (!at || !at->patterns) {
        if (at) return adapted(check__expr(c, at->value, want), want);
        build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason = STR("no_match");
        return (Val){
            .type = {.kind = IR_NONE, .null = true}, .reg = NO_REG, .has = NO_REG, .span = e->span};
    }
    uint32_t cond = NO_REG;
    for (const AstExpr *p = at->patterns; p; p = p->next) {
        uint32_t one = pattern(c, value, p);
        if (one == NO_REG) return check__error_val(e->span);
        cond = cond == NO_REG
                   ? one
                   : check__emit2(c, IR_OR, (Type){.kind = IR_BOOL}, cond, one, p->span).reg;
        for (uint32_t i = 0; p->kind == AST_NAME && value->type.kind == IR_ENUM && i < 64 &&
                             i < value->type.names->count;
             i++)
            if (str_eq(value->type.names->names[i], p->as.name)) *covered |= (uint64_t)1 << i;
    }
    uint64_t all = value->type.kind == IR_ENUM && value->type.names->count <= 64
                       ? UINT64_MAX >> (64 - value->type.names->count)
                       : 0;
    if (!at->next && all && *covered == all) return check__expr(c, at->value, want);
    build_ins(c->b, IR_IF, NO_REG, cond, NO_REG);
    Val yes = adapted(check__expr(c, at->value, want), want);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_ELSE, NO_REG, NO_REG, NO_REG);
    Type hint = want ? *want : yes.type;
    Val no = arms(c, value, at->next, e, &hint, covered);
    bool fails = no.type.null && !at->next;
    if (!fails) return check__merge(c, yes, mark, no, IR_END, e->span);
    no = yes; /* after FAIL nothing follows: any value of the type */
    if (!yes.constant && yes.type.kind != IR_RECORD) {
        no.has = NO_REG;
        no.type.optional = false;
        no.reg = build_reg(c->b, check__reg_of(&yes.type, STR_NONE));
        IrIns *ins = build_ins(c->b, IR_CONST, no.reg, NO_REG, NO_REG);
        if (yes.type.kind == IR_STR) ins->imm.text = STR("");
    } else if (yes.type.kind == IR_RECORD) {
        diag_error(c->diags, DIAG_T010, e->span, "a match of records needs an `else`");
        return check__error_val(e->span);
    }
    return check__merge(c, yes, mark, no, IR_END, e->span);
}

static Val match(Check *c, const AstExpr *e, const Type *want)
{
    Val value = check__expr(c, e->as.match.value, NULL);
    uint32_t count = 0;
    for (const AstCase *at = e->as.match.cases; at; at = at->next) {
        if (++count > CHECK_CASES_MAX) {
            diag_error(c->diags, DIAG_T018, at->span, "a match has at most %d arms",
                       CHECK_CASES_MAX);
            return check__error_val(e->span);
        }
        if (!at->patterns && at->next) {
            diag_error(c->diags, DIAG_T010, at->span, "`else` is the last arm of a match");
            return check__error_val(e->span);
        }
    }
    if (check__bad(&value) || !check__present(c, &value, "`match` needs a value") || count == 0)
        return check__error_val(e->span);
    if (value.type.kind == IR_RECORD || value.type.kind == IR_LIST) {
        diag_error(c->diags, DIAG_T017, value.span, "%s does not match, name one %s",
                   value.type.kind == IR_LIST ? "a list" : "a record",
                   value.type.kind == IR_LIST ? "item" : "field");
        return check__error_val(e->span);
    }
    value = check__settle(c, value, STR_NONE);
    uint64_t covered = 0;
    return arms(c, &value, e->as.match.cases, e, want, &covered);
}

static Val attempt(Check *c, const AstExpr *e, const Type *want)
{
    build_ins(c->b, IR_TRY, NO_REG, NO_REG, NO_REG);
    Val a = check__expr(c, e->as.branch.yes, want);
    if (a.type.kind != IR_RECORD) a = check__finite(c, a);
    uint32_t mark = c->b->stage->code_count;
    build_ins(c->b, IR_CATCH, NO_REG, NO_REG, NO_REG);
    Type hint = want ? *want : a.type;
    Val b = check__expr(c, e->as.branch.no, &hint);
    return check__merge(c, a, mark, b, IR_ENDTRY, e->span);
}

static void record_put(Check *c, RecordField **fields, Val **vals, uint32_t *count, uint32_t *cap,
                       Str field_name, Val v, Span span)
{
    uint32_t at = 0;
    while (at < *count && !str_eq((*fields)[at].name, field_name)) at++;
    if (at == *count) {
        uint32_t vals_cap = *cap;
        *vals = check__grow(c, *vals, *count, &vals_cap, sizeof(Val));
        *fields = check__grow(c, *fields, *count, cap, sizeof(RecordField));
        ++*count;
    }
    v.path = STR_NONE;
    (*vals)[at] = v;
    (*fields)[at] = (RecordField){field_name, v.type, span};
}

static Val record(Check *c, const AstExpr *e, const Type *want)
{
    RecordField *fields = NULL;
    Val *vals = NULL;
    uint32_t count = 0, cap = 0;
    bool bad = false;
    for (const AstField *f = e->as.fields; f; f = f->next) {
        const RecordField *hint = want && want->kind == IR_RECORD && !f->spread
                                      ? record_find(want->record, f->name.text)
                                      : NULL;
        if (c->facts && hint) facts__name(c, FACT_FIELD, f->name.span, hint->name, &hint->type);
        Val v = check__expr(c, f->value, hint ? &hint->type : NULL);
        if (check__bad(&v)) {
            bad = true;
        } else if (f->spread) {
            if (v.type.kind != IR_RECORD || v.type.optional) {
                diag_error(c->diags, DIAG_T001, v.span, "`...` needs a record that is there");
                bad = true;
                continue;
            }
            for (uint32_t i = 0; i < v.type.record->count; i++) {
                Val part = v.fields[i];
                part.type = v.type.record->fields[i].type;
                if (!part.type.optional) part.has = NO_REG;
                record_put(c, &fields, &vals, &count, &cap, v.type.record->fields[i].name, part,
                           f->span);
            }
        } else if (v.type.null) {
            diag_error(c->diags, DIAG_T009, v.span, "null alone has no type; leave `%.*s` out",
                       STR_ARG(f->name.text));
            bad = true;
        } else {
            record_put(c, &fields, &vals, &count, &cap, f->name.text,
                       check__settle(c, v, f->name.text), f->span);
        }
        if (count > TYPE_LEAVES_MAX) bad = true;
    }
    if (bad || count == 0) {
        if (!bad) diag_error(c->diags, DIAG_T011, e->span, "a record has at least one field");
        if (count > TYPE_LEAVES_MAX)
            diag_error(c->diags, DIAG_T018, e->span, "a record has at most %d values",
                       TYPE_LEAVES_MAX);
        return check__error_val(e->span);
    }
    Record *r = NEW(c, Record, 1);
    *r = (Record){.fields = fields, .count = count, .schema = NO_INDEX};
    return (Val){.type = {.kind = IR_RECORD, .record = r, .span = e->span},
                 .reg = NO_REG,
                 .has = NO_REG,
                 .fields = vals,
                 .span = e->span};
}

static Val exists(Check *c, const AstExpr *e)
{
    Val v = check__expr(c, e->as.op.a, NULL);
    if (check__bad(&v)) return v;
    if (v.has == NO_REG) {
        if (!c->quiet) diag_warning(c->diags, DIAG_T015, e->span, "this is never missing here");
        return check__constant(IR_BOOL, (IrImm){.boolean = true}, e->span);
    }
    return (Val){.type = {.kind = IR_BOOL}, .reg = v.has, .has = NO_REG, .span = e->span};
}

static Val simple(Check *c, const AstExpr *e)
{
    switch (e->kind) {
    case AST_NULL:
        return (Val){
            .type = {.kind = IR_NONE, .null = true}, .reg = NO_REG, .has = NO_REG, .span = e->span};
    case AST_BOOL: return check__constant(IR_BOOL, (IrImm){.boolean = e->as.boolean}, e->span);
    case AST_DURATION: return check__constant(IR_DURATION, (IrImm){.integer = e->as.ns}, e->span);
    case AST_INSTANT: return check__constant(IR_TIME, (IrImm){.integer = e->as.ns}, e->span);
    case AST_SIZE:
        return check__constant(IR_I64, (IrImm){.integer = (int64_t)(e->as.bytes & INT64_MAX)},
                               e->span);
    default: { /* AST_PERCENT */
        Val v = check__constant(IR_F64, (IrImm){.number = e->as.fraction}, e->span);
        v.naked = true;
        return v;
    }
    }
    (void)c;
}

static Val expression(Check *c, const AstExpr *e, const Type *want)
{
    switch (e->kind) {
    case AST_NUMBER: return number(c, e);
    case AST_STRING: return text(c, e);
    case AST_NAME: return name(c, e, want);
    case AST_FIELD: return field(c, e);
    case AST_INDEX: return index_of(c, e);
    case AST_CALL: return check__call(c, e, want);
    case AST_UNARY: return check__unary(c, e, want);
    case AST_BINARY: return check__binary(c, e, want);
    case AST_EXISTS: return exists(c, e);
    case AST_CONVERT: return check__convert(c, e);
    case AST_IF: return branch(c, e, want);
    case AST_MATCH: return match(c, e, want);
    case AST_RECORD: return record(c, e, want);
    case AST_TRY: return attempt(c, e, want);
    case AST_RANGE:
        diag_error(c->diags, DIAG_T001, e->span, "a range lo..hi stands behind `in`");
        return check__error_val(e->span);
    case AST_LIST: return check__list(c, e, want);
    default: return simple(c, e);
    }
}

Val check__expr(Check *c, const AstExpr *e, const Type *want)
{
    if (!e) return check__error_val((Span){0});
    if (c->depth >= CHECK_DEPTH_MAX) {
        diag_error(c->diags, DIAG_T018, e->span, "this expression is nested too deeply");
        return check__error_val(e->span);
    }
    c->depth++;
    Span outer = c->b->span;
    c->b->span = e->span;
    uint32_t mark = c->b->stage->code_count;
    Val v = expression(c, e, want);
    v.span = e->span;
    if (c->facts) facts__expr(c, e, &v, mark);
    c->b->span = outer;
    c->depth--;
    return v;
}

bool check__constant_expr(Check *c, const AstExpr *e, const Type *want, const char *what,
                          Val *ret_val)
{
    IrStage stage = {0};
    IrBuilder builder, *outer = c->b;
    Row *row = c->row;
    struct Flow *flow = c->flow;
    check__builder(c, &builder, &stage, 0);
    c->flow = NULL;
    c->b = &builder;
    c->row = NULL;
    Val v = check__expr(c, e, want);
    c->b = outer;
    c->row = row;
    c->flow = flow;
    if (check__bad(&v)) return false;
    if (!v.constant && !v.type.null) {
        bool many = v.type.kind == IR_LIST || v.type.kind == IR_RECORD;
        diag_error(c->diags, DIAG_T012, v.span,
                   many ? "%s is a single value, not a list or a record"
                        : "%s must be known when the program is compiled",
                   what);
        return false;
    }
    *ret_val = v;
    return true;
}
