/* compiler/interp/filter.c: asks the filter of stage 0 (compiler/pass/push.c) which records to
 * decode.
 *
 * The filter is a stage without effects and has a frame of its own; the columns it reads are copied
 * from those of stage 0, which the decoder has filled by then, and its answer is a column. A lane
 * that fails is kept: the stage fails too, and says why. */
#include "compiler/interp/interp_int.h"

static const Input *input_of(const Code *code, uint32_t leaf)
{
    for (uint32_t i = 0; i < code->input_count; i++)
        if (code->inputs[i].leaf == leaf) return &code->inputs[i];
    return NULL;
}

bool interp__filter_keeps(const Interp *in, uint32_t lane)
{
    const Frame *f = &in->filter;
    return f->end[lane] != END_RUNS || COLUMN(f, uint8_t, in->code->keeps)[lane];
}

void interp__filter_run(Interp *in, uint32_t n)
{
    Frame *f = &in->filter;
    const Frame *from = &in->frames[0];
    for (uint32_t i = 0; i < f->code->input_count; i++) {
        const Input *to = &f->code->inputs[i], *of = input_of(from->code, to->leaf);
        size_t bytes = (size_t)interp__cell_bytes((Cell)to->value.cell) * n;
        memcpy(f->base + to->value.column, from->base + of->value.column, bytes);
        memcpy(f->base + to->has, from->base + of->has, n);
    }
    interp__run(f, n);
}

u32 interp__filter_one(RtPipe *pipe, const RtValue *values, const u8 *has)
{
    Interp *in = pipe->engine;
    Frame *f = &in->filter;
    uint32_t lane = in->asked;
    interp__put_inputs(f, lane, values, has);
    memset(f->end, END_FILTERED, lane);
    f->end[lane] = END_RUNS;
    interp__run(f, lane + 1);
    return interp__filter_keeps(in, lane);
}
