/* compiler/type/circles.c: pipelines that feed each other by `stream` or by a table of
 * the historian: never in a circle.
 *
 * A record could go round for ever, and no order of closing would let the last one out. Of every
 * circle one stage is reported, an `into` of the pipeline that is declared first. */
#include "compiler/type/check.h"

typedef struct Walk {
    const IrProgram *program;
    uint32_t *queue; /* pipelines reached, nearest first */
    uint32_t *from;  /* by pipeline: who feeds it on the shortest way; NO_INDEX: not reached */
    uint32_t count;
} Walk;

/* What is written there comes out again. */
static bool is_passage(Str kind)
{
    return str_is(kind, "stream") || str_is(kind, "historian");
}

static const IrSink *way_to(const IrPipeline *p, const IrPipeline *other)
{
    for (uint32_t s = 0; s < p->sink_count; s++)
        for (uint32_t i = 0; i < other->source_count; i++)
            if (is_passage(p->sinks[s].kind) && str_eq(p->sinks[s].kind, other->sources[i].kind) &&
                str_eq(p->sinks[s].address, other->sources[i].address))
                return &p->sinks[s];
    return NULL;
}

static bool comes_back(Walk *w, uint32_t start)
{
    uint32_t all = w->program->pipeline_count, tail = 0;
    for (uint32_t i = 0; i < all; i++) w->from[i] = NO_INDEX;
    w->queue[tail++] = start;
    for (uint32_t head = 0; head < tail && w->from[start] == NO_INDEX; head++) {
        const IrPipeline *p = &w->program->pipelines[w->queue[head]];
        for (uint32_t i = 0; i < all; i++) {
            if (w->from[i] != NO_INDEX || !way_to(p, &w->program->pipelines[i])) continue;
            w->from[i] = w->queue[head];
            if (i != start) w->queue[tail++] = i;
        }
    }
    return w->from[start] != NO_INDEX;
}

/* Written from its end to its beginning. */
static void report(Check *c, const Walk *w, uint32_t start, bool *told)
{
    const IrPipeline *all = c->program->pipelines;
    Str way = all[start].name;
    uint32_t at = start;
    const IrSink *first = NULL;
    bool table = false;
    do {
        first = way_to(&all[w->from[at]], &all[at]);
        table |= str_is(first->kind, "historian");
        at = w->from[at];
        told[at] = true;
        way = check__text(c, "%.*s to %.*s", STR_ARG(all[at].name), STR_ARG(way));
    } while (at != start);
    diag_error(c->diags, DIAG_S037, first->span, "%s lead in a circle: %.*s",
               table ? "tables that are written and read" : "streams", STR_ARG(way));
}

void check__circles(Check *c)
{
    uint32_t count = c->program->pipeline_count, passages = 0;
    bool *told = NEW(c, bool, count + 1);
    Walk w = {.program = c->program,
              .queue = NEW(c, uint32_t, count + 1),
              .from = NEW(c, uint32_t, count + 1)};
    for (uint32_t i = 0; i < count; i++) {
        const IrPipeline *p = &c->program->pipelines[i];
        for (uint32_t s = 0; s < p->source_count; s++) passages += is_passage(p->sources[s].kind);
    }
    for (uint32_t i = 0; passages && i < count; i++)
        if (!told[i] && comes_back(&w, i)) report(c, &w, i, told);
}
