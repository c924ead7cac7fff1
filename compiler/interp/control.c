/* compiler/interp/control.c: masks: who runs, who is done, who failed.
 *
 * IF and its kin never jump for a lane: they change `active`. They do jump for all lanes together,
 * over an arm that no lane takes. A lane that ends (FAIL, DROP, a failing kernel) leaves `active`
 * and the `live` mask of every TRY and ARM it ends in, so that END gives back only those that still
 * run. What the masks mean stands in interp_int.h. */
#include "compiler/interp/interp_int.h"

static uint8_t *mask(const Frame *f, uint32_t column)
{
    return COLUMN(f, uint8_t, column);
}

static uint8_t *live(const Frame *f, uint32_t level)
{
    return f->live + (size_t)level * f->code->lanes;
}

static bool any(const uint8_t *m, uint32_t n)
{
    uint8_t some = 0;
    for (uint32_t r = 0; r < n; r++) some |= m[r];
    return some;
}

const uint16_t *interp__lanes(Frame *f, uint32_t *ret_count)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    if (!f->sel_fresh) {
        uint32_t count = 0;
        for (uint32_t r = 0; r < n; r++) {
            f->sel[count] = (uint16_t)r;
            count += f->active[r];
        }
        f->sel_count = count;
        f->sel_fresh = true;
    }
    *ret_count = f->sel_count;
    return f->sel;
}

/* The mask has changed; without a lane left, goes on at `target`. */
static void changed(Frame *f, const Step *s)
{
    f->sel_fresh = false;
    if (!any(f->active, f->n)) f->pc = s->target;
}

/* ---- IF: dst = lanes before, c = lanes of the first arm, a = condition ---- */

void interp__if(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    uint8_t *restrict before = mask(f, s->dst), *restrict first = mask(f, s->c);
    uint8_t *restrict active = f->active;
    const uint8_t *cond = mask(f, s->a);
    for (uint32_t r = 0; r < n; r++) {
        before[r] = active[r];
        first[r] = active[r] & cond[r];
        active[r] = first[r];
    }
    changed(f, s);
}

void interp__else(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    const uint8_t *before = mask(f, s->dst), *first = mask(f, s->c), *runs = live(f, s->top);
    uint8_t *restrict active = f->active;
    for (uint32_t r = 0; r < n; r++) active[r] = (uint8_t)(before[r] & (first[r] ^ 1) & runs[r]);
    changed(f, s);
}

/* END, ENDTRY and ENDARM give back who ran before and still does. */
void interp__end(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    const uint8_t *before = mask(f, s->dst), *runs = live(f, s->top);
    uint8_t *restrict active = f->active;
    for (uint32_t r = 0; r < n; r++) active[r] = before[r] & runs[r];
    changed(f, s);
}

/* ---- ends of records ---- */

void interp__lane_fail(Frame *f, const Step *s, uint32_t lane, uint32_t reason)
{
    for (uint32_t l = s->floor; l <= s->top; l++) live(f, l)[lane] = 0;
    f->active[lane] = 0;
    f->sel_fresh = false;
    if (s->caught != NO_COLUMN) {
        mask(f, s->caught)[lane] = 1;
        return;
    }
    const FailText *text = s->run == interp__fail ? s->more : NULL;
    f->end[lane] = END_FAILED;
    f->ends[lane] =
        (LaneEnd){s->node, reason, text ? text->field : s->field, text ? text->name : NULL};
}

void interp__fail_bad(Frame *f, const Step *s, uint32_t reason)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    for (uint32_t r = 0; r < n; r++)
        if (f->bad[r] & f->active[r]) interp__lane_fail(f, s, r, reason);
}

void interp__fail(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    for (uint32_t r = 0; r < n; r++)
        if (f->active[r]) interp__lane_fail(f, s, r, s->reason);
    changed(f, s);
}

/* Lanes in `gone` are filtered out: of the arm around (floor > 0), or as records. */
static void drop(Frame *f, const Step *s, const uint8_t *gone)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    uint8_t *restrict active = f->active, *restrict end = f->end;
    for (uint32_t l = s->floor; l <= s->top; l++) {
        uint8_t *restrict runs = live(f, l);
        for (uint32_t r = 0; r < n; r++) runs[r] &= gone[r] ^ 1;
    }
    if (s->floor == 0)
        for (uint32_t r = 0; r < n; r++) end[r] = gone[r] ? END_FILTERED : end[r];
    for (uint32_t r = 0; r < n; r++) active[r] &= gone[r] ^ 1;
    changed(f, s);
}

void interp__drop(Frame *f, const Step *s)
{
    memcpy(f->bad, f->active, f->n);
    drop(f, s, f->bad);
}

/* IF a; DROP; END at once: the common `where`. */
void interp__filter(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    const uint8_t *cond = mask(f, s->a);
    uint8_t *restrict gone = f->bad;
    const uint8_t *active = f->active;
    for (uint32_t r = 0; r < n; r++) gone[r] = active[r] & cond[r];
    drop(f, s, gone);
}

/* ---- TRY and ARM: dst = lanes before; top = the new level ---- */

void interp__try(Frame *f, const Step *s)
{
    memcpy(mask(f, s->dst), f->active, f->n);
    memcpy(live(f, s->top), f->active, f->n);
    if (s->caught != NO_COLUMN) memset(mask(f, s->caught), 0, f->n);
}

void interp__catch(Frame *f, const Step *s)
{
    const uint32_t n = f->n; /* bytes written below may alias it */
    const uint8_t *caught = mask(f, s->caught), *runs = live(f, s->top);
    uint8_t *restrict active = f->active;
    for (uint32_t r = 0; r < n; r++) active[r] = caught[r] & runs[r];
    changed(f, s);
}

/* ---- effects: who will have them ---- */

void interp__note(Frame *f, const Step *s)
{
    memcpy(mask(f, s->dst), f->active, f->n);
}

/* The part of WATERMARK that may fail: a clock too far ahead (s->number) of the arrival. */
void interp__ahead(Frame *f, const Step *s)
{
    const int64_t *ns = COLUMN(f, int64_t, s->a);
    int64_t ahead = (int64_t)s->number;
    uint32_t count;
    const uint16_t *lanes = interp__lanes(f, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = lanes[i];
        int64_t received =
            f->in->records && f->of_main ? f->in->records[r].received_ns : f->pipe->received_ns;
        if (RT_RARE(ns[r] > received + ahead)) interp__lane_fail(f, s, r, RT_FUTURE_TIME);
    }
}

void interp__run(Frame *f, uint32_t n)
{
    const Code *code = f->code;
    f->n = n;
    uint8_t *restrict active = f->active;
    const uint8_t *end = f->end;
    f->starved = f->sel_fresh = false;
    for (uint32_t r = 0; r < n; r++) active[r] = end[r] == END_RUNS;
    memcpy(f->live, f->active, n);
    for (uint32_t i = 0; i < code->note_count; i++) memset(mask(f, code->notes[i]), 0, n);
    for (f->pc = 0; f->pc < code->step_count;) {
        const Step *s = &code->steps[f->pc++];
        s->run(f, s);
    }
}
