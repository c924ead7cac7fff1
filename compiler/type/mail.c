/* compiler/type/mail.c: `into email "a@b" subject "..." body "..."`.
 *
 * What a sink of this kind gets is the mail itself, { to, subject, body }: three texts that are
 * put together where the row is made, by every engine alike. `on error into email` is a stage that
 * begins with the error record, so its texts may say `{error.reason}`. */
#include "compiler/type/flow.h"

/* Commas between addresses, one @ in each; the runtime looks at every letter. */
static bool looks_like_addresses(Str text)
{
    while (text.len) {
        ptrdiff_t comma = str_find_char(text, ',');
        Str one = str_trim(comma < 0 ? text : str_slice(text.ptr, (size_t)comma));
        text = comma < 0 ? STR("") : str_skip(text, (size_t)comma + 1);
        ptrdiff_t at = str_find_char(one, '@');
        if (at < 1 || (size_t)at + 1 == one.len) return false;
        Str host = str_skip(one, (size_t)at + 1);
        if (str_find_char(host, '@') >= 0 || str_find_char(one, ' ') >= 0) return false;
        if (comma >= 0 && !str_trim(text).len) return false;
    }
    return true;
}

static bool add(Check *c, Row *mail, const char *name, const AstExpr *e)
{
    Val v = check__expr(c, e, NULL);
    if (check__bad(&v)) return false;
    check__row_set(c, mail, str_from(name), check__settle(c, v, str_from(name)), e->span);
    return true;
}

const Row *flow__mail(Check *c, const AstConnector *at, const IrSink *s)
{
    const AstOption *subject = ast_option(at, "subject"), *body = ast_option(at, "body");
    const AstExpr *to = at->address;
    Row *mail = NEW(c, Row, 1);
    if (!to || to->kind != AST_STRING || !subject || !subject->value || !body || !body->value ||
        subject->value->kind != AST_STRING || body->value->kind != AST_STRING)
        return NULL; /* reported */
    if (!s->address_is_computed && !looks_like_addresses(s->address)) {
        diag_error(c->diags, DIAG_S011, to->span,
                   "`email` takes addresses with commas between: \"a@b.example, c@d.example\"");
        return NULL;
    }
    bool fine = add(c, mail, "to", to) && add(c, mail, "subject", subject->value) &&
                add(c, mail, "body", body->value);
    return fine ? mail : NULL;
}

bool flow__is_mail(const Check *c, const AstConnector *at)
{
    Str name = at->kind.text;
    for (uint32_t i = 0; i < c->program->connection_count; i++)
        if (str_eq(c->program->connections[i].name, name))
            return str_is(c->program->connections[i].kind, "smtp");
    return str_is(name, "email");
}
