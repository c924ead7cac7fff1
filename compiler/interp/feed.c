/* compiler/interp/feed.c: cuts a batch into lanes and works on them; opens and closes instances.
 *
 * One turn: take up to 256 records, decode them, run the steps of stage 0, replay. A turn whose
 * texts did not fit into the scratch is done again with half the records before anything of it has
 * been seen outside. */
#include "compiler/interp/interp_int.h"

#include "base/mem.h"

static bool is_blank(const char *p, const char *stop)
{
    while (p < stop && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p == stop;
}

/* Bit i: p[i] ends a line. May read all 64 bytes. */
RT_INLINE uint64_t line_ends(const char *p)
{
    uint64_t ends = 0;
#ifdef __SSE2__
    typedef char V16 __attribute__((vector_size(16)));
    typedef V16 V16u __attribute__((may_alias, aligned(1)));
    for (uint32_t i = 0; i < 4; i++) {
        V16 same = (V16)(*(const V16u *)(const void *)(p + 16 * i) == (V16)RT_ALL16('\n'));
        ends |= (uint64_t)(uint32_t)__builtin_ia32_pmovmskb128(same) << (16 * i);
    }
#else
    for (uint32_t i = 0; i < 64; i++) ends |= (uint64_t)(p[i] == '\n') << i;
#endif
    return ends;
}

/* Fills lanes with the next lines; blank ones are passed over. A batch has RT_PAD_BYTES behind it,
 * so 64 bytes may be looked at at once from any place in it. */
static uint32_t take_lines(Interp *in, Cursor *c, uint32_t width)
{
    const char **const start = in->start, **const stop = in->stop;
    const char *p = c->p, *const end = c->end, *const enough = p + INTERP_BATCH_BYTES;
    const char *block = p; /* searched before it, and in it where `ends` has no bit any more */
    uint64_t ends = p < end ? line_ends(p) : 0;
    uint32_t n = 0;
    while (n < width && p < end && (p < enough || !n)) {
        while (!ends && (block += 64) < end) ends = line_ends(block);
        const char *nl = ends ? block + __builtin_ctzll(ends) : end;
        ends &= ends - 1;
        if (RT_RARE(nl > end)) nl = end;
        start[n] = p;
        stop[n] = nl;
        n += !(RT_RARE((unsigned char)*p <= ' ') && is_blank(p, nl));
        p = nl + 1;
    }
    c->p = p;
    return n;
}

static uint32_t take_records(Interp *in, Cursor *c, uint32_t width)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (; n < width && c->record != c->last && bytes < INTERP_BATCH_BYTES; n++) {
        const RtRecord *record = c->record++;
        in->start[n] = record->ptr;
        in->stop[n] = record->ptr + record->len;
        bytes += record->len;
    }
    return n;
}

uint32_t interp__take(Interp *in, Cursor *c, uint32_t width)
{
    in->records = in->batch->bytes ? NULL : c->record;
    uint32_t n = in->batch->bytes ? take_lines(in, c, width) : take_records(in, c, width);
    memset(in->frames[0].end, END_RUNS, n);
    return n;
}

/* One record at a time while it may be the header of a table, which the decoder then remembers. */
uint32_t interp__width(const Interp *in)
{
    bool table = in->code->pipeline->sources[0].format == FORMAT_CSV;
    return (table && !in->pipe->n.in) || in->frames[0].code->alone ? 1 : in->width;
}

/* Batches that make much text get smaller, so that the scratch stays small. */
void interp__adapt(Interp *in)
{
    uint32_t most = in->frames[0].code->lanes;
    if (in->pipe->scratch_len > INTERP_TEXT_BYTES && in->width > 1)
        in->width /= 2;
    else if (in->width < most)
        in->width = in->width * 2 < most ? in->width * 2 : most;
}

Cursor interp__cursor(const RtBatch *batch)
{
    return (Cursor){.p = batch->bytes,
                    .end = batch->bytes ? batch->bytes + batch->len : NULL,
                    .record = batch->records,
                    .last = batch->records ? batch->records + batch->count : NULL};
}

void interp__batch_begin(Interp *in, const RtBatch *batch)
{
    RtPipe *pipe = in->pipe;
    in->batch = batch;
    pipe->received_ns = batch->received_ns;
    pipe->ack = 0;
    pipe->topic = batch->topic;
    pipe->topic_len = batch->topic_len;
    pipe->key_len = pipe->headers_len = 0;
}

void interp__feed(RtPipe *pipe, const RtBatch *batch)
{
    Interp *in = pipe->engine;
    uint32_t group = pipe->info->sources[batch->source].group;
    if (group) {
        interp__feed_other(in, batch, group);
        return;
    }
    Frame *f = &in->frames[0];
    Cursor at = interp__cursor(batch);
    uint32_t width = interp__width(in);
    interp__batch_begin(in, batch);
    while (!pipe->stopped) {
        Cursor before = at;
        pipe->scratch_len = 0;
        uint32_t n = interp__take(in, &at, width);
        if (!n) break;
        interp__decode(in, n);
        interp__run(f, n);
        if (RT_RARE(f->starved) && n > 1 && !f->code->remembers) {
            width = n / 2;
            at = before;
            continue;
        }
        interp__replay(f);
        interp__adapt(in);
        width = interp__width(in);
    }
    in->batch = NULL;
}

/* ---- instances ---- */

static void fill(Frame *f, const Constant *constant)
{
    RtValue v;
    for (uint32_t r = 0; r < f->code->lanes; r++) {
        switch ((Cell)constant->place.cell) {
        case CELL_U8: v.i = constant->value.boolean; break;
        case CELL_U32:
        case CELL_U64: v.u = constant->value.natural; break;
        case CELL_F32:
        case CELL_F64: v.d = constant->value.number; break;
        case CELL_TEXT: v.s = (RtText){constant->value.text.ptr, constant->value.text.len}; break;
        default: v.i = constant->value.integer;
        }
        interp__put(f, &constant->place, r, v);
    }
}

static bool frame_open(Interp *in, Frame *f, const Code *code)
{
    f->in = in;
    f->pipe = in->pipe;
    f->rt = interp__rt;
    f->code = code;
    f->base = mem_zalloc(1, code->bytes + RT_PAD_BYTES);
    if (!f->base) return false;
    f->active = COLUMN(f, uint8_t, code->active);
    f->live = COLUMN(f, uint8_t, code->live);
    f->end = COLUMN(f, uint8_t, code->end);
    f->bad = COLUMN(f, uint8_t, code->bad);
    f->sel = COLUMN(f, uint16_t, code->sel);
    f->ends = COLUMN(f, LaneEnd, code->ends);
    f->of_source = code->stage->from == IR_FROM_SOURCE;
    f->of_ask = code->stage->from == IR_FROM_ASK;
    f->of_main = f == in->frames;
    for (uint32_t i = 0; i < code->constant_count; i++) fill(f, &code->constants[i]);
    return true;
}

static void interp_free(Interp *in)
{
    if (in->common) interp_free(in->common);
    for (uint32_t i = 0; in->frames && i < in->code->pipeline->stage_count; i++)
        mem_free(in->frames[i].base);
    interp__decoder_free(in->decoder);
    mem_free(in->frames);
    mem_free(in->filter.base);
    mem_free(in);
}

Interp *interp__new(const PipeCode *code, RtPipe *pipe)
{
    Interp *in = mem_zalloc(1, sizeof *in);
    if (!in) return NULL;
    in->code = code;
    in->pipe = pipe;
    uint32_t count = code->pipeline->stage_count;
    in->frames = mem_zalloc(count, sizeof *in->frames);
    in->decoder = interp__decoder_new(in);
    bool complete = in->frames && in->decoder;
    for (uint32_t i = 0; complete && i < count; i++)
        complete = frame_open(in, &in->frames[i], &in->code->codes[i]);
    if (complete && in->code->filter) {
        complete = frame_open(in, &in->filter, in->code->filter);
        in->filter.of_main = true; /* its lanes are those of stage 0 */
    }
    if (complete) {
        in->width = in->frames[0].code->lanes;
        return in;
    }
    interp_free(in);
    return NULL;
}

void *interp__open(RtPipe *pipe)
{
    return interp__new(pipe->info->code, pipe);
}

void interp__close(RtPipe *pipe)
{
    if (pipe->engine) interp_free(pipe->engine);
    pipe->engine = NULL;
}
