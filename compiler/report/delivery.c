/* compiler/report/delivery.c: what is promised of the rows of a sink, in one sentence.
 *
 * A record's way has three parts: whether its sender repeats what a crash loses, whether it waits
 * in a window (which a crash leaves, docs/durability.md), and what the sink does with a row it gets
 * twice. */
#include "compiler/report/report_int.h"

#include "compiler/ir/facts.h"

typedef enum Sender {
    SENDER_REPEATS, /* not acknowledged before every sink has its rows */
    SENDER_ONCE,    /* what is lost stays lost */
    SENDER_BOUNDED  /* a run starts again from the beginning */
} Sender;

static int64_t option(const IrOption *list, uint32_t count, const char *name, int64_t preset)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_is(list[i].name, name) && list[i].type == IR_I64) return list[i].value.integer;
    return preset;
}

static Sender sender(const IrPipeline *p)
{
    Sender found = SENDER_REPEATS;
    bool bounded = true;
    for (uint32_t i = 0; i < p->source_count; i++) {
        const IrSource *s = &p->sources[i];
        if (s->group) continue;
        bounded = bounded && ir_source_bounded(s);
        if (str_is(s->kind, "historian")) continue; /* goes on behind the last row that is kept */
        bool mqtt = str_is(s->kind, "mqtt") || str_is(s->kind, "uns");
        if (!mqtt || option(s->options, s->option_count, "qos", 1) == 0) found = SENDER_ONCE;
    }
    return bounded ? SENDER_BOUNDED : found;
}

/* True when the rows of the sink come out of a window; or, of a record that failed. */
bool report__comes_from(const IrPipeline *p, uint32_t sink, IrStageFrom from)
{
    for (uint32_t i = 0; i < p->stage_count; i++) {
        const IrStage *s = &p->stages[i];
        if (s->from != from) continue;
        for (uint32_t n = 0; n < s->code_count; n++)
            if (s->code[n].op == IR_EMIT && s->code[n].imm.index == sink) return true;
    }
    return false;
}

static bool has_dedupe(const IrPipeline *p)
{
    for (uint32_t i = 0; i < p->mem_count; i++)
        if (p->mems[i].kind == MEM_DEDUPE) return true;
    return false;
}

static bool reads_tables(const IrPipeline *p)
{
    bool all = p->source_count > 0;
    for (uint32_t i = 0; i < p->source_count; i++)
        all = all && (p->sources[i].group || str_is(p->sources[i].kind, "historian"));
    return all;
}

static void twice(const Report *r, const IrSink *s)
{
    Buf *out = r->out;
    bool table =
        str_is(s->kind, "historian") || str_is(s->kind, "sqlite") || str_is(s->kind, "postgres");
    if (table && s->key_count)
        buf_text(out, "; one that comes again replaces itself by its key");
    else if (str_is(s->kind, "email"))
        buf_text(out, "; after a crash, or an answer that was lost, a mail may come twice");
    else if (s->key_count)
        buf_text(out, "; one that comes again carries the same key");
    else if (str_is(s->kind, "uns"))
        buf_text(out, "; the last value of a path holds");
    else if (str_is(s->kind, "mqtt") && !option(s->options, s->option_count, "qos", 1))
        buf_text(out, "; at qos 0 the broker may lose it");
    else
        buf_text(out, "; one that comes again stands there twice");
}

void report__delivery(const Report *r, uint32_t index)
{
    const IrPipeline *p = r->p;
    const IrSink *s = &p->sinks[index];
    Buf *out = r->out;
    if (str_is(s->kind, "reply")) {
        buf_text(out, report__comes_from(p, index, IR_FROM_ERROR)
                          ? "    answers the request of a record that failed"
                          : "    answers the request that the record came with");
        buf_text(out, "; whoever waits while a crash comes sees the connection end, and gets no "
                      "answer\n");
        return;
    }
    if (ir_sink_takes_errors(p, index)) {
        buf_text(out, "    takes the error records, in the order in which records failed\n");
        return;
    }
    switch (sender(p)) {
    case SENDER_BOUNDED:
        buf_text(out, "    each row once and in order; a run that breaks off begins anew\n");
        return;
    case SENDER_ONCE:
        buf_text(out, "    at most once: its source does not send again what a crash loses");
        if (str_is(s->kind, "email"))
            buf_text(out, "; a mail whose answer was lost may come twice");
        break;
    case SENDER_REPEATS:
        buf_text(out, reads_tables(p)
                          ? "    at least once: reading goes on behind the last row whose results "
                            "are there"
                          : "    at least once: a message of qos 1 or 2 is acknowledged when the "
                            "row is there");
        twice(r, s);
        break;
    }
    if (report__comes_from(p, index, IR_FROM_WINDOW))
        buf_text(out, sender(p) == SENDER_REPEATS && !has_dedupe(p) && !reads_tables(p)
                          ? "; windows that are open are there again after a crash, and a message "
                            "that comes again counts again"
                          : "; windows that are open are there again after a crash");
    buf_char(out, '\n');
}
