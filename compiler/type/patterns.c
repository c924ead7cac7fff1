/* compiler/type/patterns.c: `text matches "pattern"`: the pattern becomes an automaton here. */
#include "base/pattern.h"
#include "compiler/type/check.h"

enum { AUTOMATON_BYTES_MAX = 128 << 10 };

/* The constant text of the pattern; false: reported. */
static bool pattern_text(Check *c, const AstExpr *e, Str *ret_text)
{
    Val v;
    if (e->kind == AST_STRING && !ast_string_text(e, ret_text)) {
        Diagnostic *d = diag_error(c->diags, DIAG_T019, e->span,
                                   "braces put a value into a text; a pattern with braces is raw");
        Span before = {e->span.file, e->span.start, e->span.start};
        diag_fix_str(c->diags, d, STR("raw \"...\""), before, STR("raw "));
        return false;
    }
    if (e->kind == AST_NAME && c->row && check__row_find(c->row, e->as.name)) {
        diag_error(c->diags, DIAG_T012, e->span,
                   "a pattern must be known when the program is compiled");
        return false;
    }
    if (!check__constant_expr(c, e, NULL, "a pattern", &v)) return false;
    if (v.type.kind != IR_STR) {
        diag_error(c->diags, DIAG_T003, e->span, "`matches` needs a pattern as text, this is %.*s",
                   STR_ARG(type_text(c->arena, &v.type)));
        return false;
    }
    *ret_text = v.imm.text;
    return true;
}

static bool automaton(Check *c, const AstExpr *e, Str text, Str *ret_table)
{
    AUTO_BUF Buf table;
    Diag diag = {0};
    size_t at;
    buf_init(&table, AUTOMATON_BYTES_MAX);
    Status status = pattern_compile(text, &table, &at, &diag);
    if (status == ST_NO_MEMORY) check__leave(c, status);
    if (status) {
        Diagnostic *d = diag_error(c->diags, DIAG_T019, e->span, "%s", diag.text);
        if (at < text.len) diag_under(c->diags, d, "at `%.*s`", STR_ARG(str_skip(text, at)));
        return false;
    }
    *ret_table = arena_str(c->arena, buf_view(&table));
    if (!ret_table->ptr) check__leave(c, ST_NO_MEMORY);
    return true;
}

Val check__matches(Check *c, const AstExpr *e)
{
    Val a = check__untag(c, check__expr(c, e->as.op.a, NULL), NULL);
    Str text, table;
    bool fine = pattern_text(c, e->as.op.b, &text) && automaton(c, e->as.op.b, text, &table);
    if (check__bad(&a) || !check__present(c, &a, "a text test needs a value") || !fine)
        return check__error_val(e->span);
    if (a.type.kind != IR_STR) {
        diag_error(c->diags, DIAG_T003, a.span, "`matches` needs text, this is %.*s",
                   STR_ARG(type_text(c->arena, &a.type)));
        return check__error_val(e->span);
    }
    uint32_t left = check__reg(c, &a);
    uint32_t right = build_reg(c->b, (IrReg){.type = IR_BYTES, .bytes_max = (uint32_t)table.len});
    build_ins(c->b, IR_CONST, right, NO_REG, NO_REG)->imm.text = table;
    return check__emit2(c, IR_MATCHES, (Type){.kind = IR_BOOL}, left, right, e->span);
}
