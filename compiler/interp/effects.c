/* compiler/interp/effects.c: what records do to the world, replayed one after the other.
 *
 * The steps of a stage have computed everything for all lanes; here each lane in turn has its
 * effects in program order (event time, windows, rows out), up to where it ended, and is then
 * counted. So a window that closes in the middle of a batch closes between the same two records as
 * in the other engines. An effect may itself fail (no room for state): then what the record would
 * have done behind it does not happen, and the wires it was counted on are corrected. */
#include "compiler/interp/interp_int.h"

RtValue interp__value(const Frame *f, const Place *place, uint32_t lane)
{
    RtValue v = {.s = {0, 0}};
    switch ((Cell)place->cell) {
    case CELL_U8: v.i = COLUMN(f, uint8_t, place->column)[lane]; break;
    case CELL_I32: v.i = COLUMN(f, int32_t, place->column)[lane]; break;
    case CELL_U32: v.u = COLUMN(f, uint32_t, place->column)[lane]; break;
    case CELL_I64: v.i = COLUMN(f, int64_t, place->column)[lane]; break;
    case CELL_U64: v.u = COLUMN(f, uint64_t, place->column)[lane]; break;
    case CELL_F32: v.d = (f64)COLUMN(f, float, place->column)[lane]; break;
    case CELL_F64: v.d = COLUMN(f, double, place->column)[lane]; break;
    default: v.s = COLUMN(f, RtText, place->column)[lane]; break;
    }
    return v;
}

void interp__put(Frame *f, const Place *place, uint32_t lane, RtValue v)
{
    switch ((Cell)place->cell) {
    case CELL_U8: COLUMN(f, uint8_t, place->column)[lane] = (uint8_t)v.i; break;
    case CELL_I32: COLUMN(f, int32_t, place->column)[lane] = (int32_t)v.i; break;
    case CELL_U32: COLUMN(f, uint32_t, place->column)[lane] = (uint32_t)v.u; break;
    case CELL_I64: COLUMN(f, int64_t, place->column)[lane] = v.i; break;
    case CELL_U64: COLUMN(f, uint64_t, place->column)[lane] = v.u; break;
    case CELL_F32: COLUMN(f, float, place->column)[lane] = (float)v.d; break;
    case CELL_F64: COLUMN(f, double, place->column)[lane] = v.d; break;
    default: COLUMN(f, RtText, place->column)[lane] = v.s; break;
    }
}

void interp__put_inputs(Frame *f, uint32_t lane, const RtValue *values, const u8 *has)
{
    for (uint32_t i = 0; i < f->code->input_count; i++) {
        const Input *input = &f->code->inputs[i];
        bool none = input->reads_empty && input->value.cell == CELL_TEXT && !has[input->leaf];
        interp__put(f, &input->value, lane, none ? (RtValue){.s = {NULL, 0}} : values[input->leaf]);
        COLUMN(f, uint8_t, input->has)[lane] = has[input->leaf];
    }
}

/* The pipe's record at hand becomes the one of this lane. Rows of windows have none of their own.
 */
void interp__lane_meta(Frame *f, uint32_t lane)
{
    if (!f->of_main) return;
    const Interp *in = f->in;
    RtPipe *pipe = f->pipe;
    pipe->raw = in->start[lane];
    pipe->raw_len = interp__raw_len(in, lane);
    if (!in->records) return; /* all lines have the batch's */
    const RtRecord *record = &in->records[lane];
    pipe->received_ns = record->received_ns;
    pipe->ack = record->ack;
    pipe->topic = record->topic;
    pipe->topic_len = record->topic_len;
    pipe->key = record->key;
    pipe->key_len = record->key_len;
    pipe->headers = record->headers;
    pipe->headers_len = record->headers_len;
}

/* ---- wires ---- */

void interp__row_values(const Frame *f, const Effect *e, uint32_t lane, RtValue *v, u8 *h)
{
    for (uint32_t i = 0; i < e->row_count; i++) {
        const Pair *pair = &e->row[i];
        h[i] = 0;
        v[i].s = (RtText){0, 0};
        if (pair->value.column == NO_COLUMN) continue;
        v[i] = interp__value(f, &pair->value, lane);
        h[i] = pair->has == NO_COLUMN || COLUMN(f, uint8_t, pair->has)[lane];
    }
}

static uint32_t wire_of(const Frame *f, const Effect *pass)
{
    return pass->of_source ? f->in->batch->source : pass->index;
}

/* Counts the lanes below `upto` on every wire they went over. */
static void count_wires(Frame *f, uint32_t upto)
{
    for (uint32_t i = 0; i < f->code->pass_count; i++) {
        const Effect *pass = &f->code->passes[i];
        const uint8_t *on = COLUMN(f, uint8_t, pass->mask);
        uint32_t count = 0;
        for (uint32_t r = 0; r < upto; r++) count += on[r];
        f->pipe->wires[wire_of(f, pass)].count += count;
    }
}

/* The record ended in an effect: it did not come to the wires behind. */
static void uncount_wires(Frame *f, uint32_t order, uint32_t lane)
{
    for (uint32_t i = 0; i < f->code->pass_count; i++) {
        const Effect *pass = &f->code->passes[i];
        if (pass->order > order) COLUMN(f, uint8_t, pass->mask)[lane] = 0;
    }
}

static void taps(Frame *f, uint32_t lane)
{
    RtValue v[RT_LEAVES_MAX];
    u8 h[RT_LEAVES_MAX];
    for (uint32_t i = 0; i < f->code->pass_count; i++) {
        const Effect *pass = &f->code->passes[i];
        uint32_t wire = wire_of(f, pass);
        if (!(f->pipe->watch & 1ull << (wire & 63)) || !pass->row_count ||
            !COLUMN(f, uint8_t, pass->mask)[lane])
            continue;
        interp__row_values(f, pass, lane, v, h);
        f->rt->tap(f->pipe, wire, v, h);
    }
}

/* Runs every item of the list through the stage behind `each`. */
uint32_t interp__each(Frame *f, const Effect *e, uint32_t lane)
{
    RtValue v[RT_LEAVES_MAX], list = {.s = COLUMN(f, RtText, e->at.column)[lane]};
    u8 h[RT_LEAVES_MAX];
    interp__lane_meta(f, lane); /* an item that fails names the record it came with */
    interp__row_values(f, e, lane, v, h);
    uint64_t count = f->rt->each(f->pipe, e->index, e->item, list, v, h, e->row_count);
    if (count && !f->done) f->done = 1;
    return RT_FINE;
}

/* The row becomes the last one of its keys. */
uint32_t interp__remember(Frame *f, const Effect *e, uint32_t lane)
{
    RtValue v[RT_LEAVES_MAX], keys[INTERP_KEYS_MAX];
    u8 h[RT_LEAVES_MAX];
    for (uint32_t k = 0; k < e->key_count; k++) keys[k] = interp__value(f, &e->keys[k], lane);
    interp__row_values(f, e, lane, v, h);
    uint32_t why = f->rt->remember(f->pipe, e->index, f->pipe->received_ns, keys, v, h);
    if (!why) f->done = 2;
    return why;
}

/* ---- the replay ---- */

static void finish(Frame *f, uint32_t lane)
{
    RtPipe *pipe = f->pipe;
    if (f->end[lane] == END_FAILED) {
        const LaneEnd *end = &f->ends[lane];
        interp__lane_meta(f, lane);
        f->rt->error(pipe, end->node, end->reason, end->field, end->name);
        return;
    }
    if (pipe->asked && f->code->asks) {
        pipe->asked = 0;
        return;
    }
    bool of_source = f->of_source || (f->of_ask && !pipe->in_row);
    switch (f->done) {
    case 1: (*(of_source ? &pipe->n.emitted : &pipe->n.row_emitted))++; break;
    case 2: (*(of_source ? &pipe->n.state : &pipe->n.row_state))++; break;
    case 3: (*(of_source ? &pipe->n.late : &pipe->n.row_late))++; break;
    default: (*(of_source ? &pipe->n.filtered : &pipe->n.row_filtered))++;
    }
}

static void lane_effects(Frame *f, uint32_t lane)
{
    const Code *code = f->code;
    f->done = 0;
    for (uint32_t i = 0; i < code->effect_count; i++) {
        const Effect *e = &code->effects[i];
        if (!COLUMN(f, uint8_t, e->mask)[lane]) continue;
        uint32_t why = e->run(f, e, lane);
        if (!RT_RARE(why)) continue;
        uncount_wires(f, e->order, lane);
        f->end[lane] = END_FAILED;
        f->ends[lane] = (LaneEnd){.node = e->node, .reason = why};
        break;
    }
    if (RT_RARE(f->pipe->watch)) taps(f, lane);
    finish(f, lane);
}

void interp__replay(Frame *f)
{
    RtPipe *pipe = f->pipe;
    uint32_t r = 0;
    interp__adds_begin(f);
    /* A pipeline that has stopped takes no more records, but its windows' rows still go out. */
    for (; r < f->n && !(f->of_source && pipe->stopped); r++) {
        if (f->code->window && (r = interp__window_lanes(f, r)) == f->n) break;
        if (f->end[r] == END_SKIPPED) continue;
        if (f->of_main) {
            if (f->in->records) interp__lane_meta(f, r); /* of lines: only who fails or is late */
            pipe->n.in++;
            pipe->n.duplicate_keys += f->in->duplicates[r];
        }
        lane_effects(f, r);
    }
    interp__adds_end(f);
    count_wires(f, r);
}

void interp__row(Interp *in, uint32_t stage, const RtValue *values, const u8 *has)
{
    Frame *f = &in->frames[stage];
    interp__put_inputs(f, 0, values, has);
    f->end[0] = END_RUNS;
    interp__run(f, 1);
    interp__replay(f);
}
