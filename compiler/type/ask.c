/* compiler/type/ask.c: `ask op = historian sql "select ..." as { ... } timeout 2s else error R`.
 *
 * A question is a memory without cells: what it gives is the values of the question, as a list of
 * one item. A stage of its own begins behind it, run with the answer once that is there
 * (runtime/flow/asking.h), so that up to `limit` records wait at once. The fields in the question's
 * braces are values beside it, never a part of its text. An answer is a list of rows; a single
 * record is the first of them. */
#include "base/json.h"
#include "compiler/ir/facts.h"
#include "compiler/type/flow.h"

enum {
    ROWS_MAX = 10000,
    TRIES_MAX = 10,
    TEXT_MAX = 16 << 10,
    LIMIT = 16,
    LIMIT_MAX = 256,
    BEHIND_MAX = 16
};

static const int64_t wait_max_ns = INT64_C(60000000000);

typedef struct Question {
    IrAsk ask;
    Val values[CHECK_PARAMS_MAX];
    uint32_t count;
    bool sql, numbered; /* numbered: values are $1, not ?1 */
} Question;

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_';
}

/* 1d in a question to the historian is a number: its times are ns since 1970. */
static Str spans_as_ns(Check *c, Str text)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", 1000000},
                 {"s", 1000000000},
                 {"m", 60000000000},
                 {"h", 3600000000000},
                 {"d", 86400000000000}};
    Str out = STR("");
    size_t from = 0, i = 0;
    bool quoted = false;
    while (i < text.len) {
        char ch = text.ptr[i];
        char before = i ? text.ptr[i - 1] : ' ';
        bool word = is_word(before) || before == '.' || before == '?';
        if (ch == '\'' || ch == '"') quoted = !quoted;
        size_t end = i;
        while (end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9') end++;
        if (quoted || word || end == i || end - i > 9) {
            i = end > i ? end : i + 1;
            continue;
        }
        size_t stop = end;
        while (stop < text.len && is_word(text.ptr[stop])) stop++;
        int64_t number = 0;
        Str unit = str_slice(text.ptr + end, stop - end);
        for (size_t u = 0; u < COUNT_OF(units); u++) {
            if (!str_is(unit, units[u].unit) ||
                !str_to_i64(str_slice(text.ptr + i, end - i), &number))
                continue;
            out = arena_join(c->arena, out, str_slice(text.ptr + from, i - from));
            out = arena_join(c->arena, out,
                             check__text(c, "%lld", (long long)(number * units[u].ns)));
            from = stop;
        }
        i = stop;
    }
    return arena_join(c->arena, out, str_skip(text, from));
}

/* A value beside the question, of a type that a database knows, or text for a URL. */
static bool value(Check *c, Question *q, const AstExpr *e)
{
    AstPart part = {.expr = (AstExpr *)(uintptr_t)e, .span = e->span};
    AstExpr whole = {.kind = AST_STRING, .span = e->span};
    whole.as.string.parts = &part;
    if (q->count == CHECK_PARAMS_MAX) {
        diag_error(c->diags, DIAG_T018, e->span, "a question has at most %d values",
                   CHECK_PARAMS_MAX);
        return false;
    }
    Val v = check__expr(c, q->sql ? e : &whole, NULL);
    if (check__bad(&v)) return false;
    Tagged tag = {0};
    v = check__untag(c, v, &tag);
    if (check__bad(&v)) return false;
    if (q->sql && v.type.kind != IR_STR && v.type.kind != IR_BOOL && v.type.kind != IR_TIME &&
        v.type.kind != IR_DURATION) {
        uint32_t has = v.has;
        bool number =
            type_is_number(v.type.kind) && v.type.kind != IR_DECIMAL && v.type.kind != IR_U64;
        if (number && !check__coerce(c, &v, type_is_float(v.type.kind) ? IR_F64 : IR_I64))
            return false;
        if (!number) v = check__expr(c, &whole, NULL); /* its text */
        if (check__bad(&v)) return false;
        if (number) v.has = has;
    }
    v = check__settle(c, v, STR_NONE);
    if (!v.type.optional) v.has = NO_REG;
    q->values[q->count++] = v;
    return true;
}

/* Appends a text with braces to the question: \1 (a number of SQL) stands for each value. */
static bool pieces(Check *c, Question *q, const AstExpr *e, bool historian)
{
    if (!e || e->kind != AST_STRING) return false;
    for (const AstPart *part = e->as.string.parts; part; part = part->next) {
        Str text = historian && !part->expr ? spans_as_ns(c, part->text) : part->text;
        if (part->expr && !value(c, q, part->expr)) return false;
        if (part->expr)
            text = q->sql ? check__text(c, "%c%u", q->numbered ? '$' : '?', q->count) : STR("\1");
        q->ask.text = arena_join(c->arena, q->ask.text, text);
    }
    if (!q->ask.text.len || q->ask.text.len > TEXT_MAX) {
        diag_error(c->diags, DIAG_S011, e->span, "a question has 1 to %d bytes", TEXT_MAX);
        return false;
    }
    return true;
}

static bool needs_text(Check *c, Span span, const char *how)
{
    diag_error(c->diags, DIAG_S012, span, "%s", how);
    return false;
}

static bool only(Check *c, const AstConnector *at, const char *known)
{
    for (const AstOption *o = at->options; o; o = o->next) {
        if (str_is(o->name.text, known)) continue;
        diag_error(c->diags, DIAG_S010, o->name.span, "`ask` of this kind has no option `%.*s`",
                   STR_ARG(o->name.text));
        return false;
    }
    return true;
}

/* The declared connection as one text; see runtime/peer/link.h. */
static Str link_text(Check *c, const IrConnection *link)
{
    AUTO_BUF Buf text;
    JsonOut json;
    buf_init(&text, 1 << 16);
    json_out_init(&json, &text);
    json_begin_object(&json);
    json_field_str(&json, "name", link->name);
    json_field_str(&json, "url", link->url);
    json_key(&json, "options");
    AUTO_BUF Buf options;
    buf_init(&options, 1 << 16);
    ir_put_options(&options, link->options, link->option_count, NULL);
    json_put_raw(&json, buf_view(&options));
    json_end(&json);
    if (text.failed || options.failed) check__leave(c, ST_LIMIT);
    Str kept = arena_str(c->arena, buf_view(&text));
    if (!kept.ptr) check__leave(c, ST_NO_MEMORY);
    return kept;
}

static const IrConnection *link_named(const Check *c, Str name)
{
    for (uint32_t i = 0; i < c->program->connection_count; i++)
        if (str_eq(c->program->connections[i].name, name)) return &c->program->connections[i];
    return NULL;
}

static bool question(Check *c, const AstConnector *at, Question *q)
{
    Str kind = at->kind.text;
    const AstExpr *text = at->address;
    const char *known = "";
    const IrConnection *link = link_named(c, kind);
    q->ask.text = STR("");
    q->ask.target = STR("");
    q->ask.kind = kind;
    if (str_is(kind, "historian")) {
        q->sql = true;
        if (!str_is(at->verb.text, "sql") || !text || text->kind != AST_STRING)
            return needs_text(c, at->span, "write: ask NAME = historian sql \"select ...\"");
    } else if (str_is(kind, "sqlite")) {
        const AstOption *sql = ast_option(at, "sql");
        q->sql = true;
        known = "sql";
        if (!text || !ast_string_text(text, &q->ask.target) || !q->ask.target.len || !sql ||
            !sql->value || sql->value->kind != AST_STRING)
            return needs_text(c, at->span,
                              "write: ask NAME = sqlite \"file.db\" sql \"select ...\"");
        text = sql->value;
    } else if (str_is(kind, "http")) {
        const AstOption *body = ast_option(at, "body");
        q->ask.target = at->verb.text;
        bool post = str_is(at->verb.text, "post");
        known = post ? "body" : "";
        if ((!post && !str_is(at->verb.text, "get")) || !text || text->kind != AST_STRING ||
            (body && (!post || !body->value || body->value->kind != AST_STRING)))
            return needs_text(
                c, at->span,
                "write: ask NAME = http get \"http://...\", or http post \"http://...\" "
                "body \"...\"");
        if (!only(c, at, known)) return false;
        if (!pieces(c, q, text, false)) return false;
        if (!body) return true;
        q->ask.text = arena_join(c->arena, q->ask.text, STR("\2"));
        return pieces(c, q, body->value, false);
    } else if (link && str_is(link->kind, "postgres")) {
        q->sql = q->numbered = true;
        q->ask.kind = link->kind;
        q->ask.target = link_text(c, link);
        if (!str_is(at->verb.text, "sql") || !text || text->kind != AST_STRING)
            return needs_text(
                c, at->span,
                check__text(c, "write: ask NAME = %.*s sql \"select ...\"", STR_ARG(kind)).ptr);
    } else {
        /* A connection of a kind that does not exist was reported there. */
        if (!link && map_get(&c->scope->connections, kind)) return false;
        diag_error(c->diags, DIAG_A006, at->kind.span,
                   "`ask` cannot reach `%.*s` yet; it asks historian, sqlite, http and connections "
                   "to postgres",
                   STR_ARG(kind));
        return false;
    }
    return only(c, at, known) && pieces(c, q, text, str_is(kind, "historian"));
}

static bool waits(Check *c, const AstStage *stage, IrAsk *ask)
{
    const AstDuration *timeout = &stage->as.ask.timeout, *backoff = &stage->as.ask.backoff;
    ask->timeout_ns = AST_HAS(*timeout) ? timeout->ns : INT64_C(5000000000);
    ask->backoff_ns = AST_HAS(*backoff) ? backoff->ns : INT64_C(100000000);
    ask->retries = (uint32_t)stage->as.ask.retry.value;
    if (ask->timeout_ns <= 0 || ask->timeout_ns > wait_max_ns || ask->backoff_ns < 0 ||
        ask->backoff_ns > wait_max_ns) {
        diag_error(c->diags, DIAG_S011, AST_HAS(*timeout) ? timeout->span : stage->span,
                   "`timeout` and `backoff` are at most 1m, `timeout` is above 0");
        return false;
    }
    if (stage->as.ask.retry.value < 0 || stage->as.ask.retry.value > TRIES_MAX) {
        diag_error(c->diags, DIAG_S011, stage->as.ask.retry.span, "`retry` is 0 to %d", TRIES_MAX);
        return false;
    }
    const AstInteger *limit = &stage->as.ask.limit;
    ask->limit = AST_HAS(*limit) ? (uint32_t)limit->value : LIMIT;
    ask->unordered = stage->as.ask.unordered;
    if (AST_HAS(*limit) && (limit->value < 1 || limit->value > LIMIT_MAX)) {
        diag_error(c->diags, DIAG_S011, limit->span, "`limit` is 1 to %d", LIMIT_MAX);
        return false;
    }
    return true;
}

/* The rows' record; *ret_list: all of them. */
static const Record *answer(Check *c, const AstStage *stage, Question *q, Type *ret_list,
                            bool *ret_many)
{
    const AstDecode *decode = &stage->as.ask.decode;
    if (!decode->type) {
        needs_text(c, stage->span, "an answer needs its type: as { name: string(40) }");
        return NULL;
    }
    Type type = check__type(c, decode->type, 0);
    if (type.kind == IR_NONE) return NULL;
    *ret_many = type.kind == IR_LIST;
    bool rows = (type.kind == IR_RECORD || (*ret_many && type.record->fields[0].name.len)) &&
                !type.optional;
    for (uint32_t i = 0; rows && i < type.record->count; i++) {
        IrType kind = type.record->fields[i].type.kind;
        rows = kind != IR_RECORD && kind < IR_LIST && kind != IR_JSON;
    }
    if (!rows || (*ret_many && type.bytes_max > ROWS_MAX)) {
        diag_error(c->diags, DIAG_T001, decode->type->span,
                   "an answer is a record of single values, or a list of at most %d of them: "
                   "as [{ name: string(40) }; 100]",
                   ROWS_MAX);
        return NULL;
    }
    *ret_list = *ret_many ? type : check__list_type(c, &type, 1, type.span);
    q->ask.rows_max = *ret_many ? type.bytes_max : 1;
    q->ask.single = !*ret_many;
    q->ask.schema = ret_list->record->schema;
    return type.record;
}

static void leave_unless(Flow *f, const AstStage *stage, uint32_t has, uint32_t node)
{
    Check *c = f->c;
    const AstElse *other = &stage->as.ask.otherwise;
    Val no = check__emit1(c, IR_NOT, (Type){.kind = IR_BOOL}, has, stage->span);
    build_ins(c->b, IR_IF, NO_REG, no.reg, NO_REG);
    if (other->kind == AST_ELSE_DROP)
        build_ins(c->b, IR_DROP, NO_REG, NO_REG, NO_REG)->imm.index = node;
    else
        build_ins(c->b, IR_FAIL, NO_REG, NO_REG, NO_REG)->imm.fail.reason =
            other->kind == AST_ELSE_ERROR ? other->reason.text : STR("no_answer");
    build_ins(c->b, IR_END, NO_REG, NO_REG, NO_REG);
}

/* Hands the row over with its question, and begins the stage behind the answer: its input is the
 * row, then the rows of the answer. */
static Val cut(Flow *f, Question *q, const Val *ticket, const Record *item, Span span)
{
    Check *c = f->c;
    const Record *row = check__row_record(c, f->row);
    Record *input = NEW(c, Record, 1);
    *input = (Record){
        .fields = NEW(c, RecordField, row->count + 1), .count = row->count + 1, .schema = NO_INDEX};
    memcpy(input->fields, row->fields, row->count * sizeof(RecordField));
    input->fields[row->count] = item->fields[0];
    uint32_t *args, count = check__flatten(c, f->row, &args), index = f->stage_count;
    IrIns *ins = build_list(c->b, IR_EACH, NO_REG, args, count);
    ins->a = ticket->reg;
    ins->imm.index = index;
    ins->span = span;
    q->ask.stage = index;
    q->ask.asks = f->builder.stage->asks;
    q->ask.row = check__schema(c, input);
    uint32_t node = c->b->node;
    IrStage *next = flow__stage(f, IR_FROM_ASK, f->p.mem_count - 1, q->ask.row);
    flow__leave(f);
    flow__stage_begin(f, next, node);
    Row *loaded = check__load(c, input);
    for (uint32_t i = 0; i < f->row->fact_count; i++) check__add_fact(c, loaded, f->row->facts[i]);
    Val answer = loaded->fields[--loaded->count].val;
    loaded->keeps_unknown = f->row->keeps_unknown;
    flow__move_clock(f, f->row, loaded);
    f->row = c->row = loaded;
    f->time_reg = NO_REG; /* of the stage before; the runtime knows the time at hand */
    answer.path = STR_NONE;
    return answer;
}

/* What the question's memory gives: one item, in which the answer will be. */
static Type ticket_type(Check *c, const Type *rows, const Record **ret_item)
{
    Record *item = NEW(c, Record, 1);
    *item = (Record){.fields = NEW(c, RecordField, 1), .count = 1, .schema = NO_INDEX};
    item->fields[0] = (RecordField){.name = STR("(answer)"), .type = *rows, .span = rows->span};
    item->fields[0].type.optional = true;
    *ret_item = item;
    Type type = {.kind = IR_RECORD, .record = item, .span = rows->span};
    return check__list_type(c, &type, 1, type.span);
}

void flow__ask(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    uint32_t node = flow__node(f, "ask", stage->span);
    Type list;
    bool many = false, missing = stage->as.ask.otherwise.kind == AST_ELSE_NULL;
    Question *q = NEW(c, Question, 1);
    flow__enter(f, node);
    f->row = c->row = check__row_copy(c, f->row);
    f->last_node = node;
    f->last_port = PORT_OUT;
    f->open = stage;
    q->ask.name = stage->as.ask.name.text;
    const Record *record = answer(c, stage, q, &list, &many);
    if (!record || !question(c, &stage->as.ask.source, q) || !waits(c, stage, &q->ask)) return;
    if (f->builder.stage->asks == BEHIND_MAX) {
        diag_error(c->diags, DIAG_T018, stage->keyword,
                   "at most %d questions stand behind each other: ask for more in one of them",
                   BEHIND_MAX);
        return;
    }
    if (record_leaf_count(check__row_record(c, f->row)) + 1 > TYPE_LEAVES_MAX) {
        diag_error(c->diags, DIAG_T018, stage->span, "a record has at most %d values",
                   TYPE_LEAVES_MAX);
        return;
    }
    const Record *item;
    Type ticket = ticket_type(c, &list, &item);
    IrMem mem = {.kind = MEM_ASK, .name = q->ask.name, .ask = &q->ask, .alone = true};
    Val v = check__memory_call(c, mem, NULL, q->values, q->count, ticket, false, stage->span);
    if (check__bad(&v)) return;
    v = cut(f, q, &v, item, stage->span);
    if (!missing) leave_unless(f, stage, v.has, node);
    if (many) {
        if (!missing) v.has = NO_REG;
        v.type.optional = missing;
    } else {
        uint32_t first_row = build_reg(c->b, (IrReg){.type = IR_ITEM, .record = q->ask.schema});
        Val first = check__constant(IR_I64, (IrImm){.integer = 0}, stage->span);
        build_ins(c->b, IR_INDEX, first_row, v.reg, check__reg(c, &first))->span = stage->span;
        v = missing ? check__item_if(c, record, first_row, v.has, stage->span)
                    : check__item(c, record, first_row, stage->span);
    }
    check__row_set(c, f->row, q->ask.name, v, stage->span);
    if (record_leaf_count(check__row_record(c, f->row)) > TYPE_LEAVES_MAX)
        diag_error(c->diags, DIAG_T018, stage->span, "a record has at most %d values",
                   TYPE_LEAVES_MAX);
}
