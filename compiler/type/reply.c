/* compiler/type/reply.c: `reply CODE e` and `on error reply CODE e`: answers to requests.
 *
 * A reply is a sink of kind `reply` whose address is the code; the engine brings its row to the
 * caller whose request the record came with. */
#include "compiler/type/flow.h"

static bool has_http(const Flow *f)
{
    for (uint32_t i = 0; i < f->p.source_count; i++)
        if (str_is(f->p.sources[i].kind, "http")) return true;
    return false;
}

static bool code_fits(Flow *f, const AstInteger *code, Span keyword)
{
    if (!has_http(f)) {
        diag_error(f->c->diags, DIAG_S021, keyword,
                   "`reply` answers requests: the pipeline needs `from http post ...`");
        return false;
    }
    if (code->value >= 200 && code->value <= 599) return true;
    diag_error(f->c->diags, DIAG_S011, code->span, "a reply's code is from 200 to 599");
    return false;
}

/* Emits the record `e` (NULL: no body) to a sink of its own. */
static void answer(Flow *f, const AstInteger *code, const AstExpr *e, Span span, uint32_t node)
{
    Check *c = f->c;
    Row *row = NEW(c, Row, 1);
    if (e) {
        Val v = check__expr(c, e, NULL);
        if (check__bad(&v)) return;
        if (v.type.kind != IR_RECORD || v.type.optional) {
            diag_error(c->diags, DIAG_T001, v.span, "a reply is a record: reply %lld { ok: true }",
                       (long long)code->value);
            return;
        }
        for (uint32_t i = 0; i < v.type.record->count; i++) {
            Val part = v.fields[i];
            part.type = v.type.record->fields[i].type;
            check__row_set(c, row, v.type.record->fields[i].name, part, span);
        }
    }
    IrSink s = {.kind = STR("reply"),
                .connection = NO_INDEX,
                .address = check__text(c, "%lld", (long long)code->value),
                .format = FORMAT_JSON,
                .schema = check__row_schema(c, row),
                .node = node,
                .span = span};
    uint32_t *args, count = check__flatten(c, row, &args);
    build_list(c->b, IR_EMIT, NO_REG, args, count)->imm.index = f->p.sink_count;
    *PUSH(c, f->p.sinks, f->p.sink_count, f->sink_cap) = s;
}

void flow__reply(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    f->has_sink = true;
    f->open = NULL;
    if (!code_fits(f, &stage->as.reply.code, stage->keyword)) return;
    if (f->in_rows) {
        diag_error(c->diags, DIAG_S016, stage->keyword,
                   "behind a window there is no one request to answer");
        return;
    }
    uint32_t node = flow__node(f, "reply", stage->span);
    flow__enter(f, node);
    answer(f, &stage->as.reply.code, stage->as.reply.body, stage->span, node);
}

void flow__reply_error(Flow *f, const AstStage *stage)
{
    if (!code_fits(f, &stage->as.on.code, stage->keyword)) return;
    uint32_t node = flow__node(f, "reply", stage->span);
    ErrorPlace place = flow__error_begin(f, node);
    answer(f, &stage->as.on.code, stage->as.on.body, stage->span, node);
    flow__error_end(f, &place);
}
