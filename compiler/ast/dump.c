/* compiler/ast/dump.c: the tree as text, without places.
 *
 * Two programs with equal dumps mean the same to every later phase; the formatter is held to that.
 * The form is one bracketed list per node and is made for comparing, not for reading back. */
#include "compiler/ast/ast.h"

static void put(Buf *out, const char *text)
{
    buf_text(out, text);
}

static void word(Buf *out, Str text)
{
    buf_char(out, ' ');
    if (text.len)
        buf_str(out, text);
    else
        buf_char(out, '-');
}

static void quoted(Buf *out, Str text)
{
    buf_printf(out, " %zu\"", text.len);
    buf_str(out, text);
    buf_char(out, '"');
}

static void integer(Buf *out, AstInteger value)
{
    if (AST_HAS(value)) buf_printf(out, " %lld", (long long)value.value);
}

static void duration(Buf *out, const char *name, AstDuration value)
{
    if (AST_HAS(value)) buf_printf(out, " (%s %lld)", name, (long long)value.ns);
}

static void unit(Buf *out, const AstUnit *u)
{
    if (!u) return;
    put(out, " [");
    for (const AstFactor *f = u->factors; f; f = f->next) {
        word(out, f->name.text);
        buf_printf(out, "^%d", f->power);
    }
    put(out, "]");
}

static void sub(Buf *out, const char *name, const AstExpr *expr)
{
    if (!expr) return;
    buf_printf(out, " (%s ", name);
    ast_dump_expr(expr, out);
    put(out, ")");
}

/* ---- expressions ------------------------------------------------------------------------- */

static void dump_fields(const AstField *f, Buf *out)
{
    put(out, "(record");
    for (; f; f = f->next) {
        put(out, f->spread ? " (..." : " (");
        word(out, f->name.text);
        sub(out, "is", f->value);
        sub(out, "~", f->tolerance);
        put(out, ")");
    }
    put(out, ")");
}

static void dump_string(const AstExpr *e, Buf *out)
{
    put(out, e->as.string.raw ? "(raw" : "(text");
    for (const AstPart *p = e->as.string.parts; p; p = p->next) {
        if (p->expr)
            sub(out, "in", p->expr);
        else
            quoted(out, p->text);
    }
    put(out, ")");
}

static void dump_call(const AstExpr *e, Buf *out)
{
    static const char *const kinds[] = {"arg", "within", "where"};
    put(out, "(call");
    word(out, e->as.call.name.text);
    for (const AstArg *arg = e->as.call.args; arg; arg = arg->next) {
        if (arg->name.text.len) word(out, arg->name.text);
        sub(out, kinds[arg->kind], arg->value);
    }
    put(out, ")");
}

static void dump_match(const AstExpr *e, Buf *out)
{
    put(out, "(match");
    sub(out, "of", e->as.match.value);
    for (const AstCase *c = e->as.match.cases; c; c = c->next) {
        put(out, " (case");
        for (const AstExpr *pattern = c->patterns; pattern; pattern = pattern->next) {
            sub(out, "or", pattern);
        }
        sub(out, "gives", c->value);
        put(out, ")");
    }
    put(out, ")");
}

static void dump_leaf(const AstExpr *e, Buf *out)
{
    switch (e->kind) {
    case AST_BOOL: put(out, e->as.boolean ? "true" : "false"); break;
    case AST_NUMBER:
        buf_str(out, e->as.number.text);
        unit(out, e->as.number.unit);
        break;
    case AST_DURATION: buf_printf(out, "%lldns", (long long)e->as.ns); break;
    case AST_INSTANT: buf_printf(out, "@%lld", (long long)e->as.ns); break;
    case AST_SIZE: buf_printf(out, "%lluB", (unsigned long long)e->as.bytes); break;
    case AST_PERCENT: buf_printf(out, "%.17g%%", e->as.fraction * 100); break;
    case AST_NAME: buf_str(out, e->as.name); break;
    default: put(out, "null"); break;
    }
}

void ast_dump_expr(const AstExpr *e, Buf *out)
{
    switch (e->kind) {
    case AST_STRING: dump_string(e, out); return;
    case AST_CALL: dump_call(e, out); return;
    case AST_MATCH: dump_match(e, out); return;
    case AST_RECORD: dump_fields(e->as.fields, out); return;
    case AST_FIELD:
        put(out, "(.");
        word(out, e->as.field.name.text);
        sub(out, "of", e->as.field.base);
        break;
    case AST_INDEX:
        put(out, "(at");
        sub(out, "of", e->as.index.base);
        sub(out, "i", e->as.index.at);
        break;
    case AST_UNARY:
    case AST_BINARY:
        buf_printf(out, "(%s", ast_op_text(e->as.op.op));
        sub(out, "a", e->as.op.a);
        sub(out, "b", e->as.op.b);
        break;
    case AST_EXISTS:
        put(out, "(exists");
        sub(out, "a", e->as.op.a);
        break;
    case AST_CONVERT:
        put(out, "(to");
        sub(out, "a", e->as.convert.value);
        unit(out, e->as.convert.unit);
        word(out, e->as.convert.name.text);
        integer(out, e->as.convert.size);
        break;
    case AST_RANGE:
        put(out, "(..");
        sub(out, "lo", e->as.range.lo);
        sub(out, "hi", e->as.range.hi);
        break;
    case AST_IF:
    case AST_TRY:
        put(out, e->kind == AST_IF ? "(if" : "(try");
        sub(out, "c", e->as.branch.cond);
        sub(out, "y", e->as.branch.yes);
        sub(out, "n", e->as.branch.no);
        break;
    case AST_LIST:
        put(out, "(list");
        for (const AstExpr *item = e->as.items; item; item = item->next) sub(out, "i", item);
        break;
    default: dump_leaf(e, out); return;
    }
    put(out, ")");
}

void ast_dump_type(const AstType *t, Buf *out)
{
    static const char *const kinds[] = {"named", "enum", "record", "array", "tag", "state"};
    buf_printf(out, "(%s", kinds[t->kind]);
    word(out, t->name.text);
    integer(out, t->size);
    word(out, t->param.text);
    unit(out, t->unit);
    sub(out, "lo", t->lo);
    sub(out, "hi", t->hi);
    for (const AstNames *v = t->variants; v; v = v->next) word(out, v->name.text);
    for (const AstTypeField *f = t->fields; f; f = f->next) {
        word(out, f->name.text);
        buf_char(out, ':');
        ast_dump_type(f->type, out);
    }
    if (t->of) ast_dump_type(t->of, out);
    put(out, t->optional ? "?)" : ")");
}

/* ---- stages ------------------------------------------------------------------------------ */

static void dump_connector(const AstConnector *c, Buf *out)
{
    put(out, " (at");
    word(out, c->kind.text);
    word(out, c->verb.text);
    sub(out, "address", c->address);
    for (const AstOption *o = c->options; o; o = o->next) {
        word(out, o->name.text);
        sub(out, "=", o->value);
    }
    put(out, ")");
}

static void dump_decode(const AstDecode *d, Buf *out)
{
    word(out, d->format.text);
    if (d->type) ast_dump_type(d->type, out);
}

static void dump_picks(const AstPick *pick, Buf *out)
{
    for (; pick; pick = pick->next) {
        sub(out, "pick", pick->path);
        if (pick->as.text.len) word(out, pick->as.text);
    }
}

static void dump_lets(const AstLet *let, Buf *out)
{
    for (; let; let = let->next) {
        word(out, let->name.text);
        sub(out, "=", let->value);
        sub(out, "reset", let->reset);
    }
}

static void dump_sinks(const AstSink *sink, Buf *out)
{
    for (; sink; sink = sink->next) {
        dump_connector(&sink->to, out);
        word(out, sink->format.text);
    }
}

static void dump_else(AstElse e, Buf *out)
{
    buf_printf(out, " (else %d", (int)e.kind);
    word(out, e.reason.text);
    put(out, ")");
}

static void dump_stages(const AstStage *stage, Buf *out);

static void dump_split(const AstStage *s, Buf *out)
{
    if (s->as.split.all) put(out, " all");
    for (const AstArm *arm = s->as.split.arms; arm; arm = arm->next) {
        buf_printf(out, " (arm %d", (int)arm->kind);
        sub(out, "where", arm->cond);
        dump_picks(arm->picks, out);
        dump_stages(arm->stages, out);
        put(out, ")");
    }
}

static void dump_window(const AstStage *s, Buf *out)
{
    buf_printf(out, " %d", (int)s->as.window.kind);
    duration(out, "size", s->as.window.size);
    duration(out, "every", s->as.window.every);
    duration(out, "max", s->as.window.max);
    duration(out, "early", s->as.window.early);
    integer(out, s->as.window.count);
    word(out, s->as.window.use.text);
    dump_picks(s->as.window.by, out);
    dump_lets(s->as.window.aggregates, out);
}

static void dump_on(const AstStage *s, Buf *out)
{
    word(out, s->as.on.port.text);
    buf_printf(out, " %d", (int)s->as.on.action);
    dump_sinks(s->as.on.sinks, out);
    integer(out, s->as.on.code);
    sub(out, "body", s->as.on.body);
    if (!s->as.on.stops) return;
    buf_printf(out, " stop %.17g", s->as.on.stop_above);
    duration(out, "in", s->as.on.stop_in);
}

static void dump_join(const AstStage *s, Buf *out)
{
    if (s->as.join.last) {
        dump_connector(&s->as.join.source, out);
        dump_decode(&s->as.join.decode, out);
    } else {
        word(out, s->as.join.table.text);
    }
    sub(out, "on", s->as.join.on);
    duration(out, "within", s->as.join.within);
    dump_else(s->as.join.otherwise, out);
}

static void dump_ask(const AstStage *s, Buf *out)
{
    word(out, s->as.ask.name.text);
    dump_connector(&s->as.ask.source, out);
    dump_decode(&s->as.ask.decode, out);
    duration(out, "timeout", s->as.ask.timeout);
    duration(out, "backoff", s->as.ask.backoff);
    integer(out, s->as.ask.retry);
    integer(out, s->as.ask.limit);
    if (s->as.ask.unordered) put(out, " unordered");
    dump_else(s->as.ask.otherwise, out);
}

static void dump_time(const AstStage *s, Buf *out)
{
    word(out, s->as.time.field.text);
    duration(out, "order", s->as.time.order);
    duration(out, "idle", s->as.time.idle);
    duration(out, "ahead", s->as.time.ahead);
    dump_picks(s->as.time.clock_by, out);
}

static void dump_args(const AstArg *arg, Buf *out)
{
    for (; arg; arg = arg->next) sub(out, "arg", arg->value);
}

static void dump_stage(const AstStage *s, Buf *out)
{
    buf_printf(out, "\n(%s", ast_stage_word(s->kind));
    switch (s->kind) {
    case AST_FROM:
        dump_connector(&s->as.from.source, out);
        dump_decode(&s->as.from.decode, out);
        break;
    case AST_TIME: dump_time(s, out); break;
    case AST_WHERE:
    case AST_WHEN:
        sub(out, "is", s->as.where.cond);
        dump_else(s->as.where.otherwise, out);
        break;
    case AST_LET: dump_lets(s->as.lets, out); break;
    case AST_KEEP:
    case AST_DROP:
    case AST_REQUIRE: dump_picks(s->as.picks, out); break;
    case AST_EACH: sub(out, "of", s->as.each); break;
    case AST_SPLIT: dump_split(s, out); break;
    case AST_JOIN: dump_join(s, out); break;
    case AST_ASK: dump_ask(s, out); break;
    case AST_WINDOW: dump_window(s, out); break;
    case AST_DEDUPE:
        dump_picks(s->as.dedupe.by, out);
        duration(out, "within", s->as.dedupe.within);
        break;
    case AST_DEADBAND:
        dump_args(s->as.deadband.args, out);
        duration(out, "silence", s->as.deadband.silence);
        break;
    case AST_THROTTLE:
        integer(out, s->as.throttle.count);
        duration(out, "per", s->as.throttle.per);
        break;
    case AST_SAMPLE:
    case AST_DELAY: duration(out, "d", s->as.duration); break;
    case AST_INTO: dump_sinks(s->as.sinks, out); break;
    case AST_REPLY:
        integer(out, s->as.reply.code);
        sub(out, "body", s->as.reply.body);
        break;
    case AST_ON: dump_on(s, out); break;
    case AST_DURABLE: buf_printf(out, " %llu", (unsigned long long)s->as.durable.max_bytes); break;
    case AST_OVERFLOW:
        word(out, s->as.overflow.policy.text);
        buf_printf(out, " %llu", (unsigned long long)s->as.overflow.bytes);
        break;
    case AST_PRIORITY: word(out, s->as.priority.text); break;
    case AST_SHARDS:
        integer(out, s->as.shards.count);
        dump_picks(s->as.shards.by, out);
        break;
    case AST_STAGE__COUNT: break;
    }
    put(out, ")");
}

static void dump_stages(const AstStage *stage, Buf *out)
{
    for (; stage; stage = stage->next) dump_stage(stage, out);
}

/* ---- items ------------------------------------------------------------------------------- */

static void dump_params(const AstParam *param, Buf *out)
{
    for (; param; param = param->next) {
        word(out, param->name.text);
        ast_dump_type(param->type, out);
    }
}

static void dump_options(const AstOption *o, Buf *out)
{
    for (; o; o = o->next) {
        word(out, o->name.text);
        sub(out, "=", o->value);
    }
}

static void dump_test(const AstItem *item, Buf *out)
{
    quoted(out, item->as.test.text);
    for (const AstStep *step = item->as.test.steps; step; step = step->next) {
        buf_printf(out, "\n(step %d", (int)step->kind);
        word(out, step->target.text);
        sub(out, step->from_file ? "file" : "value", step->value);
        for (const AstBeside *b = step->beside; b; b = b->next) {
            word(out, b->word.text);
            sub(out, "name", b->name);
            sub(out, "=", b->value);
        }
        put(out, ")");
    }
}

static void dump_map(const AstItem *item, Buf *out)
{
    word(out, item->as.map.protocol.text);
    dump_options(item->as.map.options, out);
    for (const AstMapField *f = item->as.map.fields; f; f = f->next) {
        put(out, "\n(field");
        word(out, f->name.text);
        ast_dump_type(f->type, out);
        word(out, f->order.text);
        word(out, f->area.text);
        integer(out, f->address);
        sub(out, "scale", f->scale);
        sub(out, "offset", f->offset);
        put(out, ")");
    }
}

static void dump_extern(const AstItem *item, Buf *out)
{
    word(out, item->as.external.language.text);
    sub(out, "file", item->as.external.path);
    for (const AstCFn *fn = item->as.external.fns; fn; fn = fn->next) {
        put(out, "\n(fn");
        word(out, fn->mode.text);
        word(out, fn->name.text);
        dump_params(fn->params, out);
        ast_dump_type(fn->result, out);
        put(out, ")");
    }
}

static void dump_item(const AstItem *item, Buf *out)
{
    buf_printf(out, "(%s", ast_item_word(item->kind));
    word(out, item->name.text);
    switch (item->kind) {
    case AST_ITEM_TYPE: ast_dump_type(item->as.type, out); break;
    case AST_ITEM_CONNECTION:
        dump_connector(&item->as.connection.to, out);
        sub(out, "settings", item->as.connection.settings);
        break;
    case AST_ITEM_CONST:
        if (item->as.constant.type) ast_dump_type(item->as.constant.type, out);
        sub(out, "=", item->as.constant.value);
        break;
    case AST_ITEM_FN:
        dump_params(item->as.fn.params, out);
        ast_dump_type(item->as.fn.result, out);
        sub(out, "=", item->as.fn.body);
        break;
    case AST_ITEM_UNIT: sub(out, "=", item->as.unit.value); break;
    case AST_ITEM_PIPELINE: dump_stages(item->as.pipeline.stages, out); break;
    case AST_ITEM_TEST: dump_test(item, out); break;
    case AST_ITEM_TABLE:
        dump_connector(&item->as.table.from, out);
        word(out, item->as.table.key.text);
        put(out, item->as.table.reload ? " reload" : "");
        ast_dump_type(item->as.table.type, out);
        break;
    case AST_ITEM_MAP: dump_map(item, out); break;
    case AST_ITEM_EXTERN: dump_extern(item, out); break;
    case AST_ITEM_USE:
        sub(out, "file", item->as.use.path);
        word(out, item->as.use.as.text);
        break;
    case AST_ITEM_DEPLOY:
        word(out, item->as.deploy.target.text);
        sub(out, "settings", item->as.deploy.settings);
        break;
    case AST_ITEM_CHECK:
        for (const AstNames *n = item->as.check.words; n; n = n->next) word(out, n->name.text);
        break;
    case AST_ITEM_ALARM: sub(out, "fields", item->as.alarm.fields); break;
    case AST_ITEM__COUNT: break;
    }
    put(out, ")\n");
}

void ast_dump(const AstFile *file, Buf *out)
{
    for (const AstItem *item = file->items; item; item = item->next) dump_item(item, out);
}
