/* compiler/type/join.c: `join TABLE on ...` and `join last SOURCE on ... within D`.
 *
 * Both add one field to the record: the row of the table, or the last record of another stream,
 * with equal keys. `on` is one or more equalities joined by `and`; one side of each is a field of
 * what is joined, the other side is anything about the record at hand. */
#include "compiler/type/flow.h"

enum { JOIN_KEYS_MAX = 8, JOINS_MAX = 16 };

typedef struct Pair {
    const AstExpr *theirs, *ours; /* theirs: name.field */
} Pair;

typedef struct Pairs {
    Pair list[JOIN_KEYS_MAX];
    uint32_t count;
} Pairs;

/* name.field... */
static bool is_theirs(Check *c, const AstExpr *e, Str name)
{
    Str path;
    return check__path(c, e, &path) && e->kind == AST_FIELD && str_starts(path, name) &&
           path.len > name.len && path.ptr[name.len] == '.';
}

/* Neither side names the joined record: a bare name that one of its fields has is likely meant. */
static void fix_theirs(Check *c, Diagnostic *d, const AstExpr *on, Str name, const Record *record)
{
    if (on->kind != AST_BINARY || on->as.op.op != AST_EQ) return;
    const AstExpr *sides[] = {on->as.op.a, on->as.op.b};
    for (uint32_t i = 0; i < 2; i++) {
        Str path;
        if (sides[i]->kind != AST_NAME || !check__path(c, sides[i], &path) ||
            !record_find(record, path))
            continue;
        diag_fix_str(c->diags, d, STR_NONE, sides[i]->span,
                     check__text(c, "%.*s.%.*s", STR_ARG(name), STR_ARG(path)));
        return;
    }
}

static bool pairs_of(Check *c, const AstExpr *e, Str name, const Record *record, Pairs *out)
{
    if (e->kind == AST_BINARY && e->as.op.op == AST_AND)
        return pairs_of(c, e->as.op.a, name, record, out) &&
               pairs_of(c, e->as.op.b, name, record, out);
    if (e->kind == AST_BINARY && e->as.op.op == AST_EQ) {
        const AstExpr *a = e->as.op.a, *b = e->as.op.b;
        bool left = is_theirs(c, a, name);
        if (left != is_theirs(c, b, name)) {
            if (out->count == JOIN_KEYS_MAX) {
                diag_error(c->diags, DIAG_T018, e->span, "a join has at most %d keys",
                           JOIN_KEYS_MAX);
                return false;
            }
            out->list[out->count++] = left ? (Pair){a, b} : (Pair){b, a};
            return true;
        }
    }
    Diagnostic *d =
        diag_error(c->diags, DIAG_S020, e->span,
                   "`on` compares a field of `%.*s` with one of the record", STR_ARG(name));
    fix_theirs(c, d, e, name, record);
    return false;
}

/* Our side of a key, as the type of theirs. False: reported. */
static bool our_key(Check *c, const Pair *pair, const Type *type, uint32_t *ret_reg)
{
    Str path;
    (void)check__path(c, pair->theirs, &path);
    Val v = check__expr(c, pair->ours, type);
    Type want = *type;
    want.optional = false;
    if (check__bad(&v) || !check__present(c, &v, "a key is always there") ||
        !check__fit(c, &v, &want, "the key", path))
        return false;
    v = check__finite(c, v);
    *ret_reg = check__reg(c, &v);
    return true;
}

/* Puts what was found into the row, and says what happens when nothing was. */
static void found(Flow *f, const AstStage *stage, Str name, const Record *record, uint32_t item,
                  uint32_t has, uint32_t node)
{
    Check *c = f->c;
    const AstElse *other = &stage->as.join.otherwise;
    Val v;
    if (other->kind == AST_ELSE_ERROR || other->kind == AST_ELSE_DROP) {
        Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, has, stage->span);
        build_ins(c->b, IR_IF, NO_REG, no.reg, NO_REG);
        if (other->kind == AST_ELSE_ERROR)
            build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason = other->reason.text;
        else
            build_ins(c->b, IR_DROP, NO_REG, NO_REG, NO_REG)->imm.index = node;
        build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
        v = check__item(c, record, item, stage->span);
    } else {
        v = check__item_if(c, record, item, has, stage->span);
    }
    check__row_set(c, f->row, name, v, stage->span);
}

static bool name_is_free(Flow *f, const AstStage *stage, Str name, Span span)
{
    if (!check__row_find(f->row, name)) return true;
    diag_error(f->c->diags, DIAG_S005, span, "the record has a field `%.*s` already; drop it first",
               STR_ARG(name));
    (void)stage;
    return false;
}

static void join_table(Flow *f, const AstStage *stage, uint32_t node)
{
    Check *c = f->c;
    const AstName *at = &stage->as.join.table;
    const Table *table = check__table(c, at->text);
    if (!table) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        check__suggest_map(&c->scope->tables, at->text, &best, &distance);
        Diagnostic *d = diag_error(c->diags, DIAG_N011, at->span, "there is no table `%.*s`",
                                   STR_ARG(at->text));
        check__did_you_mean(c, d, at->span, best);
        return;
    }
    if (AST_HAS(stage->as.join.within))
        diag_error(c->diags, DIAG_S004, stage->as.join.within.span,
                   "`within` belongs to `join last`: a table has no age");
    Pairs pairs = {0};
    if (!table->record || !pairs_of(c, stage->as.join.on, at->text, table->record, &pairs)) return;
    const Str *key = &table->item->as.table.key.text;
    const AstExpr *theirs = pairs.list[0].theirs;
    if (pairs.count != 1 || theirs->as.field.base->kind != AST_NAME ||
        !str_eq(theirs->as.field.name.text, *key)) {
        diag_error(c->diags, DIAG_S020, stage->as.join.on->span,
                   "rows of `%.*s` are found by their key: %.*s.%.*s == ...", STR_ARG(at->text),
                   STR_ARG(at->text), STR_ARG(*key));
        return;
    }
    uint32_t reg;
    if (!name_is_free(f, stage, at->text, at->span) ||
        !our_key(c, &pairs.list[0], &record_find(table->record, *key)->type, &reg))
        return;
    IrReg item = {.type = IR_ITEM, .record = c->program->tables[table->index].schema};
    uint32_t dst = build_reg(c->b, item), has = build_temp(c->b, IR_BOOL);
    IrIns *ins = build_list(c->b, IR_LOOKUP, dst, &reg, 1);
    ins->imm.index = table->index;
    ins->has = has;
    found(f, stage, at->text, table->record, dst, has, node);
}

/* ---- the last record of another stream ---- */

/* The type's name with a small first letter: `as json Order` is `order`. */
static Str joined_name(Check *c, const AstStage *stage)
{
    const AstType *type = stage->as.join.decode.type;
    if (!type || type->kind != AST_TYPE_NAMED) {
        diag_error(c->diags, DIAG_S012, stage->as.join.source.span,
                   "what is joined needs a name: declare its type and write `as json NAME`");
        return STR_NONE;
    }
    Str name = type->name.text;
    bool big = name.len && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
    return big ? check__text(c, "%c%.*s", name.ptr[0] - 'A' + 'a', STR_ARG(str_skip(name, 1)))
               : name;
}

/* The stage of the other stream: its keys, and the record as it is. Fills the join's keys. */
static bool remember(Flow *f, const AstStage *stage, const Pairs *pairs, IrJoin *join,
                     const Record *record, uint32_t source_node, uint32_t node, Type *ret_types)
{
    Check *c = f->c;
    IrBuilder keep_builder = f->builder;
    Row *keep_row = f->row;
    IrStage *own = flow__stage(f, IR_FROM_SOURCE, join->group, join->schema);
    flow__stage_begin(f, own, source_node);
    Row *row = check__load(c, record);
    f->row = c->row = row;
    uint32_t last = f->last_node;
    IrPort port = f->last_port;
    f->last_node = source_node;
    f->last_port = PORT_OUT;
    flow__enter(f, node);
    bool fine = true;
    uint32_t *args = NULL, count = 0, cap = 0, key_cap = 0;
    Val whole = {.type = {.kind = IR_RECORD, .record = record},
                 .reg = NO_REG,
                 .has = NO_REG,
                 .fields = NEW(c, Val, record->count + 1)};
    for (uint32_t i = 0; i < record->count; i++) whole.fields[i] = row->fields[i].val;
    Local local = {join->name, whole, NULL};
    c->locals = &local;
    for (uint32_t i = 0; i < pairs->count; i++) {
        Val v = check__expr(c, pairs->list[i].theirs, NULL);
        bool single = v.type.kind != IR_RECORD && v.type.kind != IR_LIST && v.type.kind != IR_JSON;
        if (!check__bad(&v) && !single)
            diag_error(c->diags, DIAG_S013, v.span, "a key is a single value, this is %.*s",
                       STR_ARG(type_text(c->arena, &v.type)));
        if (check__bad(&v) || !single || !check__present(c, &v, "a key is always there")) {
            fine = false;
            break;
        }
        ret_types[i] = v.type;
        *PUSH(c, join->keys, join->key_count, key_cap) = check__reg_of(&v.type, STR_NONE);
        uint32_t reg = check__reg(c, &v);
        *PUSH(c, args, count, cap) = reg;
    }
    c->locals = NULL;
    uint32_t *leaves, leaf_count = check__flatten(c, row, &leaves);
    for (uint32_t i = 0; i < leaf_count; i++) *PUSH(c, args, count, cap) = leaves[i];
    if (fine) build_list(c->b, IR_REMEMBER, NO_REG, args, count)->imm.index = f->p.join_count;
    (void)stage;
    f->builder = keep_builder;
    c->b = &f->builder;
    f->row = c->row = keep_row;
    f->last_node = last;
    f->last_port = port;
    return fine;
}

static void join_last(Flow *f, const AstStage *stage, uint32_t node)
{
    Check *c = f->c;
    bool bounded;
    Pairs pairs = {0};
    IrSource s = {.map = NO_INDEX, .span = stage->as.join.source.span, .group = f->group_count};
    IrJoin join = {.group = f->group_count,
                   .within_ns = stage->as.join.within.ns,
                   .node = node,
                   .span = stage->span};
    if (f->p.join_count == JOINS_MAX) {
        diag_error(c->diags, DIAG_T018, stage->keyword, "a pipeline has at most %d `join last`",
                   JOINS_MAX);
        return;
    }
    if (f->splits || f->in_rows) {
        diag_error(c->diags, DIAG_S004, stage->keyword,
                   "`join last` stands at the top of a pipeline, before windows");
        return;
    }
    const Record *record =
        flow__from(f, &stage->as.join.source, &stage->as.join.decode, &s, &bounded);
    join.name = record ? joined_name(c, stage) : STR_NONE;
    if (!join.name.len || !pairs_of(c, stage->as.join.on, join.name, record, &pairs) ||
        !name_is_free(f, stage, join.name, stage->as.join.source.span))
        return;
    if (AST_HAS(stage->as.join.within) && join.within_ns <= 0) {
        diag_error(c->diags, DIAG_S011, stage->as.join.within.span,
                   "`within` is longer than 0; leave it out to keep records for ever");
        return;
    }
    uint32_t group_cap = f->group_cap;
    f->groups = check__grow(c, f->groups, f->group_count, &group_cap, sizeof(Record *));
    f->group_cap = group_cap;
    f->groups[f->group_count++] = record;
    join.schema = check__schema(c, record);
    s.node = flow__node(f, "from", s.span);
    *PUSH(c, f->p.sources, f->p.source_count, f->source_cap) = s;
    Type types[JOIN_KEYS_MAX];
    if (!remember(f, stage, &pairs, &join, record, s.node, node, types)) return;
    uint32_t regs[JOIN_KEYS_MAX];
    for (uint32_t i = 0; i < pairs.count; i++)
        if (!our_key(c, &pairs.list[i], &types[i], &regs[i])) return;
    uint32_t dst = build_reg(c->b, (IrReg){.type = IR_ITEM, .record = join.schema}),
             has = build_temp(c->b, IR_BOOL);
    IrIns *ins = build_list(c->b, IR_RECALL, dst, regs, pairs.count);
    ins->imm.index = f->p.join_count;
    ins->has = has;
    *PUSH(c, f->p.joins, f->p.join_count, f->join_cap) = join;
    found(f, stage, join.name, record, dst, has, node);
}

void flow__join(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, "join", stage->span);
    flow__enter(f, node);
    f->row = c->row = check__row_copy(c, f->row);
    if (stage->as.join.last)
        join_last(f, stage, node);
    else
        join_table(f, stage, node);
    if (record_leaf_count(check__row_record(c, f->row)) > TYPE_LEAVES_MAX)
        diag_error(c->diags, DIAG_T018, stage->span, "a record has at most %d values",
                   TYPE_LEAVES_MAX);
    f->last_node = node;
    f->last_port = PORT_OUT;
    f->open = stage;
}
