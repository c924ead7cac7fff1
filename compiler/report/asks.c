/* compiler/report/asks.c: of whom a question is asked, and who waits for the answer meanwhile. */
#include "compiler/report/report_int.h"

/* A text up to the first value that is put into it. */
static Str fixed(Str text)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] > 2) len++;
    return str_slice(text.ptr, len);
}

/* The name of a connection: its target is {"name":"erp",... (compiler/type/ask.c). */
static Str connection(Str target)
{
    static const char head[] = "{\"name\":\"";
    Str name = str_skip(target, sizeof head - 1);
    ptrdiff_t end = str_find_char(name, '"');
    return end < 0 ? name : str_slice(name.ptr, (size_t)end);
}

static void whom(Buf *out, const IrAsk *ask)
{
    if (str_is(ask->kind, "historian"))
        buf_text(out, "the historian");
    else if (str_is(ask->kind, "sqlite"))
        buf_printf(out, "the file %.*s", STR_ARG(ask->target));
    else if (str_is(ask->kind, "http"))
        buf_printf(out, "%.*s%s", STR_ARG(fixed(ask->text)),
                   fixed(ask->text).len < ask->text.len ? "..." : "");
    else
        buf_printf(out, "the database of `%.*s`", STR_ARG(connection(ask->target)));
}

void report__ask(const Report *r, const IrMem *m)
{
    const IrAsk *ask = m->ask;
    buf_text(r->out, "    asks ");
    whom(r->out, ask);
    if (m->input_count)
        buf_printf(r->out, " with %u value%s of the record", m->input_count,
                   m->input_count == 1 ? "" : "s");
    buf_text(r->out, ", waits ");
    report__duration(r->out, ask->timeout_ns);
    buf_text(r->out, " for the answer");
    if (ask->retries)
        buf_printf(r->out, " and asks up to %u time%s more when there is none", ask->retries,
                   ask->retries == 1 ? "" : "s");
    if (ask->limit == 1)
        buf_text(r->out, "\n    one record at a time waits for its answer");
    else
        buf_printf(r->out, "\n    up to %u records wait for their answers at once", ask->limit);
    buf_text(r->out, ", the next one waits in front of the question");
    if (ask->limit > 1)
        buf_text(r->out, ask->unordered ? "; each goes on when its answer is there"
                                        : "; they go on in the order in which they came");
    buf_text(r->out, r->p->bounded ? "\n" : "\n    a restart asks again what had no answer\n");
}
