/* compiler/type/facts.c: writes down types, meanings and rows while the checker walks. */
#include "compiler/type/facts.h"

#include "compiler/type/check.h"

static Fact *add(Check *c)
{
    Facts *f = c->facts;
    return PUSH(c, f->list, f->count, f->cap);
}

/* A body that is put in place of a call was written down when it was checked by itself. */
static bool wanted(const Check *c, Span at)
{
    return !c->quiet && at.end > at.start;
}

void facts__expr(Check *c, const AstExpr *e, const Val *v, uint32_t mark)
{
    if (!wanted(c, e->span)) return;
    const IrStage *s = c->b->stage;
    *add(c) = (Fact){.at = e->span,
                     .type = v->type,
                     .reasons = mark < s->code_count ? check__reason_bits(c, s, mark) : 0};
}

void facts__name(Check *c, FactKind kind, Span at, Str def, const Type *type)
{
    if (wanted(c, at)) *add(c) = (Fact){.at = at, .kind = kind, .def = def, .type = *type};
}

static const Record *record_of(Check *c, const Row *row, const Record *source)
{
    return row ? check__row_record(c, row) : source;
}

uint32_t facts__stage(Check *c, Span stage, const Row *row, const Record *source)
{
    Facts *f = c->facts;
    *PUSH(c, f->rows, f->row_count, f->row_cap) = (FactRow){stage, record_of(c, row, source), NULL};
    return f->row_count - 1;
}

void facts__stage_end(Check *c, uint32_t at, const Row *row, const Record *source)
{
    c->facts->rows[at].out = record_of(c, row, source);
}

/* A list that keeps what is reported to itself and says that there were errors. */
static DiagList *mute(Check *c)
{
    DiagList *quiet = NEW(c, DiagList, 1);
    diag_list_init(quiet, c->arena, c->diags->sources);
    quiet->error_count = 1;
    return quiet;
}

void facts__broken(Check *c, const AstItem *item, void (*walk)(Check *c, const AstItem *item))
{
    DiagList *outer = c->diags;
    c->diags = mute(c);
    walk(c, item);
    c->diags = outer;
}

void facts__mute(Check *c)
{
    c->diags = mute(c);
}

bool facts_place(const SourceSet *sources, Str text, Span *ret_span)
{
    for (uint32_t i = 0; text.len && i < sources->count; i++) {
        const Source *s = sources->list[i];
        uintptr_t at = (uintptr_t)text.ptr, start = (uintptr_t)s->text.ptr;
        if (at < start || at + text.len > start + s->text.len) continue;
        uint32_t offset = (uint32_t)(at - start);
        *ret_span = (Span){s->id, offset, offset + (uint32_t)text.len};
        return true;
    }
    return false;
}
