/* compiler/interp/share.c: one batch through several pipelines that read one source.
 *
 * The first of them that takes part lends its room for texts to a decoder whose one stage has all
 * leaves that any of them reads; each pipeline copies the columns it wants and runs its own stage
 * on them. A lane that failed there is read again by each pipeline for itself. */
#include "compiler/interp/interp_int.h"

static const Input *input_of(const Code *code, uint32_t leaf)
{
    for (uint32_t i = 0; i < code->input_count; i++)
        if (code->inputs[i].leaf == leaf) return &code->inputs[i];
    return NULL;
}

/* The lanes from .. from + n of the decoder become those of the pipeline. */
static void copy(Interp *in, const Interp *common, uint32_t from, uint32_t n)
{
    Frame *f = &in->frames[0];
    const Frame *all = &common->frames[0];
    memcpy(in->start, common->start + from, n * sizeof *in->start);
    memcpy(in->stop, common->stop + from, n * sizeof *in->stop);
    memcpy(in->duplicates, common->duplicates + from, n * sizeof *in->duplicates);
    memcpy(f->end, all->end + from, n);
    in->records = common->records ? common->records + from : NULL;
    for (uint32_t i = 0; i < f->code->input_count; i++) {
        const Input *to = &f->code->inputs[i], *of = input_of(all->code, to->leaf);
        size_t bytes = interp__cell_bytes((Cell)to->value.cell);
        memcpy(f->base + to->value.column, all->base + of->value.column + from * bytes, n * bytes);
        memcpy(f->base + to->has, all->base + of->has + from, n);
    }
    for (uint32_t r = 0; r < n; r++) {
        if (f->end[r] != END_FAILED) continue;
        f->end[r] = END_RUNS;
        interp__decode_alone(in, r);
    }
}

/* One turn, in pieces as small as the pipeline wants them. `room`: what the decoder's texts take.
 */
static void turn(Interp *in, const Interp *common, uint32_t n, uint64_t room, bool first)
{
    Frame *f = &in->frames[0];
    RtPipe *pipe = in->pipe;
    uint32_t width = interp__width(in);
    for (uint32_t from = 0; from < n && !pipe->stopped;) {
        uint32_t lanes = n - from < width ? n - from : width;
        uint64_t before = pipe->n.in;
        pipe->scratch_len = room;
        copy(in, common, from, lanes);
        interp__run(f, lanes);
        if (RT_RARE(f->starved) && lanes > 1 && !f->code->remembers) {
            width = lanes / 2;
            continue;
        }
        interp__replay(f);
        for (uint32_t r = 0; !first && r < pipe->n.in - before; r++)
            pipe->n.shared += common->frames[0].end[from + r] != END_FAILED;
        from += lanes;
        interp__adapt(in);
        width = interp__width(in);
    }
}

static Interp *interp_of(RtPipe *pipe)
{
    return pipe && !pipe->stopped ? pipe->engine : NULL;
}

/* With the texts of the first pipeline. */
static void lend(Interp *common, RtPipe *pipe)
{
    common->pipe = common->frames[0].pipe = pipe;
}

static void each_alone(RtPipe *const *pipes, uint32_t count, const RtBatch *batch)
{
    for (uint32_t i = 0; i < count; i++)
        if (interp_of(pipes[i])) interp__feed(pipes[i], batch);
}

static const IrShare *share_of(const PipeCode *code)
{
    return &code->ir->shares[code->pipeline->share];
}

void interp__feed_shared(RtPipe *const *pipes, const RtBatch *batch)
{
    uint32_t first = 0;
    while (!interp_of(pipes[first]))
        if (++first == RT_SHARE_MAX) return;
    Interp *lead = interp_of(pipes[first]);
    uint32_t count = share_of(lead->code)->count;
    if (!lead->common) lead->common = interp__new(lead->code->common, lead->pipe);
    Interp *common = lead->common;
    if (!common) {
        each_alone(pipes, count, batch);
        return;
    }
    Cursor at = interp__cursor(batch);
    for (uint32_t i = 0; i < count; i++)
        if (interp_of(pipes[i])) interp__batch_begin(pipes[i]->engine, batch);
    common->batch = batch;
    for (;;) {
        while (first < count && !interp_of(pipes[first])) first++;
        if (first == count) break;
        lend(common, pipes[first]);
        common->pipe->scratch_len = 0;
        uint32_t n = interp__take(common, &at, interp__width(common));
        if (!n) break;
        interp__decode(common, n);
        uint64_t room = common->pipe->scratch_len;
        for (uint32_t i = first; i < count; i++)
            if (interp_of(pipes[i]))
                turn(pipes[i]->engine, common, n, i == first ? room : 0, i == first);
    }
    for (uint32_t i = 0; i < count; i++)
        if (pipes[i] && pipes[i]->engine) ((Interp *)pipes[i]->engine)->batch = NULL;
}
