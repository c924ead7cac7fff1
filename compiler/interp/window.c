/* compiler/interp/window.c: event time, and records into windows.
 *
 * The aggregates of a window are fed lane by lane, or, where nothing can tell the difference, all
 * lanes that are waiting aggregate by aggregate: one loop for each, whose loads do not wait for
 * each other. They wait at most until a window may close, a slot must be searched for, or the batch
 * ends; and only in a window that is the stage's last effect, whose aggregates cannot fail. */
#include "compiler/interp/interp_int.h"

#include "flow/pipe.h"

static void flush(Frame *f);

uint32_t interp__watermark(Frame *f, const Effect *e, uint32_t lane)
{
    int64_t ns = COLUMN(f, int64_t, e->at.column)[lane];
    if (RT_RARE(ns - e->order_ns >= f->pipe->close_ns)) flush(f);
    (void)rt_watermark(f->pipe, f->rt, ns, e->order_ns, INT64_MAX);
    return RT_FINE;
}

/* ---- one value into one aggregate ---- */

static double number_of(const Frame *f, const Add *add, uint32_t lane)
{
    switch ((Cell)add->value.cell) {
    case CELL_F64: return COLUMN(f, double, add->value.column)[lane];
    case CELL_F32: return (double)COLUMN(f, float, add->value.column)[lane];
    case CELL_U32: return (double)COLUMN(f, uint32_t, add->value.column)[lane];
    case CELL_U64: return (double)COLUMN(f, uint64_t, add->value.column)[lane];
    case CELL_U8: return (double)COLUMN(f, uint8_t, add->value.column)[lane];
    case CELL_I32: return (double)COLUMN(f, int32_t, add->value.column)[lane];
    default: return (double)COLUMN(f, int64_t, add->value.column)[lane];
    }
}

static void add_pick(Frame *f, const Add *add, uint32_t lane, void *state)
{
    RtPick *pick = state;
    RtValue v = interp__value(f, &add->value, lane);
    switch (add->kind) {
    case ADD_MIN_F64: rt_min_f64(pick, v.d); break;
    case ADD_MAX_F64: rt_max_f64(pick, v.d); break;
    case ADD_FIRST_F64: rt_first_f64(pick, v.d); break;
    case ADD_LAST_F64: rt_last_f64(pick, v.d); break;
    case ADD_MIN_I64: rt_min_i64(pick, v.i); break;
    case ADD_MAX_I64: rt_max_i64(pick, v.i); break;
    case ADD_FIRST_I64: rt_first_i64(pick, v.i); break;
    case ADD_LAST_I64: rt_last_i64(pick, v.i); break;
    case ADD_MIN_U64: rt_min_u64(pick, v.u); break;
    case ADD_MAX_U64: rt_max_u64(pick, v.u); break;
    case ADD_FIRST_U64: rt_first_u64(pick, v.u); break;
    case ADD_LAST_U64: rt_last_u64(pick, v.u); break;
    default: rt_keep_text(pick, (char *)(pick + 1), v, add->kind == ADD_LAST_TEXT); break;
    }
}

static void add_one(Frame *f, const Effect *e, const Add *add, uint32_t lane, void *state)
{
    switch (add->kind) {
    case ADD_COUNT: ((RtCount *)state)->n++; break;
    case ADD_COUNT_IF:
        ((RtCount *)state)->n += COLUMN(f, uint8_t, add->value.column)[lane] != 0;
        break;
    case ADD_F64: rt_add_f64(state, number_of(f, add, lane)); break;
    case ADD_I64: (void)rt_add_i64(state, interp__value(f, &add->value, lane).i); break;
    case ADD_U64: (void)rt_add_u64(state, interp__value(f, &add->value, lane).u); break;
    case ADD_VARIANCE: rt_add_variance(state, number_of(f, add, lane)); break;
    case ADD_SKETCH:
        (void)rt_add_sketch(f->pipe, f->rt, e->index, state, number_of(f, add, lane), add->bits);
        break;
    default: add_pick(f, add, lane, state); break;
    }
}

static bool is_there(const Frame *f, const Add *add, uint32_t lane)
{
    return add->has == NO_COLUMN || COLUMN(f, uint8_t, add->has)[lane];
}

/* Nothing is added yet: a record is in all aggregates or in none. */
static uint32_t try_all(Frame *f, const Effect *e, uint32_t lane, char *slot)
{
    for (uint32_t a = 0; a < e->add_count; a++) {
        const Add *add = &e->adds[a];
        void *state = slot + add->offset;
        if (!is_there(f, add, lane)) continue;
        if (add->kind == ADD_I64 && !rt_fits_i64(state, interp__value(f, &add->value, lane).i))
            return RT_OVERFLOW;
        if (add->kind == ADD_U64 && !rt_fits_u64(state, interp__value(f, &add->value, lane).u))
            return RT_OVERFLOW;
        if (add->kind == ADD_SKETCH &&
            !rt_room_sketch(f->pipe, f->rt, e->index, state, number_of(f, add, lane), add->bits))
            return RT_STATE_FULL;
    }
    return RT_FINE;
}

/* ---- all that wait ---- */

/* Each loop has what it needs in locals: its stores may be anywhere. */
#define WAITING(T, v)                                                                              \
    do {                                                                                           \
        char *const *slot = w->slot;                                                               \
        const uint16_t *lane = w->lane;                                                            \
        const uint32_t count = w->count, offset = add->offset;                                     \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            T *state = (T *)(void *)(slot[i] + offset);                                            \
            const uint32_t r = lane[i];                                                            \
            v;                                                                                     \
        }                                                                                          \
    } while (0)

static void add_numbers(Frame *f, const Adds *w, const Add *add)
{
    const double *v = COLUMN(f, double, add->value.column);
    RtPipe *pipe = f->pipe;
    const RtApi *rt = f->rt;
    const uint32_t window = w->effect->index, bits = add->bits;
    switch (add->kind) {
    case ADD_F64: WAITING(RtSum, rt_add_f64(state, v[r])); break;
    case ADD_MIN_F64: WAITING(RtPick, rt_min_f64(state, v[r])); break;
    case ADD_MAX_F64: WAITING(RtPick, rt_max_f64(state, v[r])); break;
    case ADD_SKETCH: /* there is room: adds_begin has looked */
        WAITING(RtSketch, (void)rt_add_sketch(pipe, rt, window, state, v[r], bits));
        break;
    default: WAITING(void, add_one(f, w->effect, add, r, state));
    }
}

static void flush(Frame *f)
{
    Adds *w = &f->in->adds;
    if (!w->count || !f->of_main) return;
    for (uint32_t a = 0; a < w->effect->add_count; a++) {
        const Add *add = &w->effect->adds[a];
        if (add->has != NO_COLUMN) {
            const uint8_t *has = COLUMN(f, uint8_t, add->has);
            WAITING(void, if (has[r]) add_one(f, w->effect, add, r, state));
        } else if (add->kind == ADD_COUNT) {
            WAITING(RtCount, state->n++; (void)r);
        } else if (add->value.cell == CELL_F64) {
            add_numbers(f, w, add);
        } else {
            WAITING(void, add_one(f, w->effect, add, r, state));
        }
    }
    w->count = 0;
}

/* May the adds of this batch wait? Not when the state's limit is near: the record that meets it
 * must be the same one as in the other engines. */
void interp__adds_begin(Frame *f)
{
    if (!f->of_main) return;
    Adds *w = &f->in->adds;
    const FlowInstance *host = rt_host(f->pipe);
    uint64_t bytes = (uint64_t)f->code->add_bytes * f->n;
    w->count = 0;
    w->open = host->limits.state_bytes - host->state_bytes > bytes;
}

void interp__adds_end(Frame *f)
{
    flush(f);
}

/* ---- a record into a window ---- */

static void late(Frame *f, const Effect *e, uint32_t lane)
{
    RtPipe *pipe = f->pipe;
    if (e->late_stage != NO_INDEX && e->row_count) {
        RtValue v[RT_LEAVES_MAX];
        u8 h[RT_LEAVES_MAX], before = pipe->in_row;
        interp__row_values(f, e, lane, v, h);
        pipe->in_row = 1;
        pipe->n.rows++;
        interp__row(f->in, e->late_stage, v, h);
        pipe->in_row = before;
    }
    if (f->done != 2) f->done = 3;
}

/* Where the key's slot was found before; NULL: not known. */
RT_INLINE void *seen(Frame *f, const Effect *e, int64_t ns, uint32_t lane)
{
    if (e->key_count == 0)
        return rt_seen_words(f->pipe, e->index, ns, e->size_ns, e->event_time, 0, 0, 0);
    if (e->keys[0].cell == CELL_TEXT)
        return rt_seen_text(f->pipe, e->index, ns, e->size_ns, e->event_time,
                            COLUMN(f, RtText, e->keys[0].column)[lane]);
    return rt_seen_words(f->pipe, e->index, ns, e->size_ns, e->event_time,
                         interp__value(f, &e->keys[0], lane).u, 0, 0);
}

/* Finds or makes the slot; before that nothing may wait. */
static void *search(Frame *f, const Effect *e, int64_t ns, uint32_t lane, u32 *ret_why)
{
    RtValue keys[INTERP_KEYS_MAX];
    for (uint32_t k = 0; k < e->key_count; k++) keys[k] = interp__value(f, &e->keys[k], lane);
    flush(f);
    interp__lane_meta(f, lane); /* a late record may go out as it came */
    return f->rt->slot(f->pipe, e->index, ns, keys, ret_why);
}

RT_INLINE int64_t time_of(const Frame *f, const Effect *e, uint32_t lane)
{
    return e->at.column != NO_COLUMN ? COLUMN(f, int64_t, e->at.column)[lane]
           : e->event_time           ? f->pipe->event_ns
                                     : f->pipe->received_ns;
}

/* `clock by`: whatever its clock closes is closed. */
uint32_t interp__clock(Frame *f, const Effect *e, uint32_t lane)
{
    RtValue keys[INTERP_KEYS_MAX];
    for (uint32_t k = 0; k < e->key_count; k++) keys[k] = interp__value(f, &e->keys[k], lane);
    flush(f);
    interp__lane_meta(f, lane); /* its arrival is when the clock was heard */
    return f->rt->clock(f->pipe, COLUMN(f, int64_t, e->at.column)[lane], keys);
}

/* Any window that is not plain: the runtime adds. */
uint32_t interp__window_any(Frame *f, const Effect *e, uint32_t lane)
{
    RtValue keys[INTERP_KEYS_MAX], in[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    u32 why = RT_FINE;
    for (uint32_t k = 0; k < e->key_count; k++) keys[k] = interp__value(f, &e->keys[k], lane);
    for (uint32_t a = 0; a < e->add_count; a++) {
        const Add *add = &e->adds[a];
        has[a] = add->has == NO_COLUMN || COLUMN(f, uint8_t, add->has)[lane];
        if (add->value.column != NO_COLUMN) in[a] = interp__value(f, &add->value, lane);
    }
    flush(f);
    interp__lane_meta(f, lane);
    if (f->rt->window_add(f->pipe, e->index, time_of(f, e, lane), keys, in, has, &why)) {
        if (!why) late(f, e, lane);
        return why;
    }
    f->done = 2; /* also when another window found it late */
    return RT_FINE;
}

uint32_t interp__window(Frame *f, const Effect *e, uint32_t lane)
{
    Adds *w = &f->in->adds;
    u32 why = RT_FINE;
    int64_t ns = time_of(f, e, lane);
    char *slot = e->size_ns ? seen(f, e, ns, lane) : NULL;
    if (RT_RARE(!slot)) slot = search(f, e, ns, lane, &why);
    if (RT_RARE(!slot)) {
        if (!why) late(f, e, lane);
        return why;
    }
    if (e->may_wait && w->open) {
        f->done = 2;
        w->effect = e;
        w->lane[w->count] = (uint16_t)lane;
        w->slot[w->count++] = slot;
        return RT_FINE;
    }
    why = e->can_fail ? try_all(f, e, lane, slot) : RT_FINE;
    if (RT_RARE(why)) {
        f->rt->slot_back(f->pipe, e->index, slot);
        return why;
    }
    f->done = 2;
    for (uint32_t a = 0; a < e->add_count; a++) {
        const Add *add = &e->adds[a];
        if (is_there(f, add, lane)) add_one(f, e, add, lane, slot + add->offset);
    }
    if (e->counts) f->rt->slot_full(f->pipe, e->index, slot);
    return RT_FINE;
}

uint32_t interp__window_lanes(Frame *f, uint32_t lane)
{
    const Effect *e = f->code->window, *mark = f->code->watermark;
    RtPipe *const pipe = f->pipe;
    Adds *const w = &f->in->adds;
    const uint8_t *const end = f->end, *const on = COLUMN(f, uint8_t, e->mask);
    const uint8_t *const marked = mark ? COLUMN(f, uint8_t, mark->mask) : NULL;
    const int64_t *const times = mark ? COLUMN(f, int64_t, mark->at.column) : NULL;
    const int64_t order = mark ? mark->order_ns : 0;
    const uint16_t *const duplicates = f->in->duplicates;
    const uint32_t n = f->n;
    if (!w->open || !f->of_main || !f->of_source || pipe->watch) return lane;
    w->effect = e;
    for (uint32_t r = lane; r < n; r++) {
        char *slot = NULL;
        if (RT_RARE(end[r] > END_FILTERED)) return r;
        if (f->in->records) interp__lane_meta(f, r);
        if (marked && marked[r]) {
            if (RT_RARE(times[r] - order >= pipe->close_ns)) return r;
            (void)rt_watermark(pipe, f->rt, times[r], order, INT64_MAX);
        }
        if (on[r]) {
            slot = seen(f, e, time_of(f, e, r), r);
            if (RT_RARE(!slot))
                return r; /* the time is told again there: nothing changes by that */
        }
        pipe->n.in++;
        pipe->n.duplicate_keys += duplicates[r];
        *(slot ? &pipe->n.state : &pipe->n.filtered) += 1;
        w->lane[w->count] = (uint16_t)r;
        w->slot[w->count] = slot;
        w->count += slot != NULL;
    }
    return n;
}
