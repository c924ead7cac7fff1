/* compiler/interp/decode.c: the records of a batch into the columns of stage 0.
 *
 * JSON is read by the layouts learnt so far, item by item over all lanes: compare the constant
 * bytes, convert or pass the value, go on. Lanes that do not fit the first layout try the next, and
 * what fits none is read in any order by the runtime's scanner, which is also the judge of what is
 * wrong. Records that fitted none are kept as a sample, and from time to time the sample is learnt
 * from: a source may change its layout while the pipeline runs. */
#include "compiler/interp/decode.h"

#include "compiler/ir/facts.h"
#include "base/buf.h"
#include "base/mem.h"

enum {
    SAMPLE_BYTES = 64 << 10,
    LEARN_AFTER = 32, /* records that fitted no layout, before the sample is learnt from ... */
    LEARN_AFTER_MAX = 1 << 30, /* ... twice as many each time */
    LEARN_ARENA_BYTES = 8 << 20
};

struct Decoder {
    Interp *in;
    LayoutCode *layouts[LAYOUTS_MAX]; /* most useful first; owned */
    uint64_t hits[LAYOUTS_MAX];       /* since the last learning */
    uint32_t layout_count;
    Buf sample;
    uint64_t misses, learn_at;
    RtValue value[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    Lanes lanes;
};

Decoder *interp__decoder_new(Interp *in)
{
    Decoder *d = mem_zalloc(1, sizeof *d);
    if (!d) return NULL;
    d->in = in;
    d->learn_at = 1;
    buf_init(&d->sample, SAMPLE_BYTES + 1);
    return d;
}

void interp__decoder_free(Decoder *d)
{
    if (!d) return;
    for (uint32_t i = 0; i < d->layout_count; i++) mem_free(d->layouts[i]);
    buf_done(&d->sample);
    mem_free(d);
}

/* ---- learning ---- */

static bool known(const Decoder *d, const LayoutCode *fresh)
{
    for (uint32_t i = 0; i < d->layout_count; i++)
        if (interp__layout_same(d->layouts[i], fresh)) return true;
    return false;
}

/* Takes a free place, or that of the layout that served least. */
static void keep(Decoder *d, LayoutCode *fresh, uint64_t votes)
{
    uint32_t at = d->layout_count;
    if (at == LAYOUTS_MAX) {
        at = 0;
        for (uint32_t i = 1; i < LAYOUTS_MAX; i++)
            if (d->hits[i] < d->hits[at]) at = i;
        if (d->hits[at] >= votes) {
            mem_free(fresh);
            return;
        }
        mem_free(d->layouts[at]);
    } else {
        d->layout_count++;
    }
    d->layouts[at] = fresh;
    d->hits[at] = 0;
}

static void learn(Decoder *d)
{
    const PipeCode *code = d->in->code;
    Arena *arena = arena_new(64 << 10, LEARN_ARENA_BYTES);
    LayoutList found = {0};
    if (arena &&
        !layout_learn(code->ir, code->pipeline->in_schema, ir_group_source(code->pipeline, 0),
                      code->needed, buf_view(&d->sample), arena, &found)) {
        for (uint32_t i = 0; i < found.count; i++) {
            LayoutCode *fresh = interp__layout_code(code, &found.list[i]);
            if (fresh && known(d, fresh)) {
                mem_free(fresh);
                continue;
            }
            if (fresh) keep(d, fresh, found.list[i].votes);
        }
    }
    arena_free(arena);
    buf_clear(&d->sample);
    for (uint32_t i = 0; i < LAYOUTS_MAX; i++) d->hits[i] = 0;
    d->misses = 0;
    d->learn_at = d->learn_at < LEARN_AFTER       ? LEARN_AFTER
                  : d->learn_at < LEARN_AFTER_MAX ? d->learn_at * 2
                                                  : d->learn_at;
}

/* A record no layout fitted; `plain`: it was one line of JSON. */
static void note_miss(Decoder *d, const char *p, uint32_t len)
{
    d->misses++;
    if (d->sample.len + len + 1 > SAMPLE_BYTES || memchr(p, '\n', len)) return;
    buf_add(&d->sample, p, len);
    buf_char(&d->sample, '\n');
}

/* The first records teach the first layouts before any is decoded. */
static void learn_first(Decoder *d, uint32_t n)
{
    for (uint32_t r = 0; r < n; r++)
        if (d->in->frames[0].end[r] == END_RUNS)
            note_miss(d, d->in->start[r], interp__raw_len(d->in, r));
    if (d->misses) learn(d);
}

/* ---- any order ---- */

static int scan(Interp *in, const char *p, const char *end, RtScan *out)
{
    const IrSource *source = &in->code->pipeline->sources[in->pipe->source];
    const RtSchema *schema = in->code->info->in;
    const RtApi *rt = in->frames[0].rt;
    switch (source->format) {
    case FORMAT_CSV: return rt->scan_csv(in->pipe, schema, p, end, out);
    case FORMAT_TEXT: return rt->scan_text(in->pipe, schema, p, end, out);
    case FORMAT_RAW: return rt->scan_raw(in->pipe, schema, p, end, out);
    case FORMAT_MSGPACK:
    case FORMAT_CBOR:
    case FORMAT_PROTOBUF:
        return rt->scan_bytes(in->pipe, (u32)source->format, schema, (u32)source->check,
                              source->unknown == UNKNOWN_REJECT, p, end, out);
    default:
        return rt->scan(in->pipe, schema, (u32)source->check, source->unknown == UNKNOWN_REJECT, p,
                        end, out);
    }
}

/* A filter is dear for one lane. Where the whole record is good and no key came twice its answer
 * would change nothing that shows: the stage drops the record. */
static int scan_asking(Interp *in, uint32_t lane, RtScan *out)
{
    uint64_t duplicates = in->pipe->n.duplicate_keys;
    int why = scan(in, in->start[lane], in->stop[lane], out);
    if (!in->code->filter || (!why && in->pipe->n.duplicate_keys == duplicates)) return why;
    in->pipe->n.duplicate_keys = duplicates;
    out->keeps = interp__filter_one;
    in->asked = lane;
    return scan(in, in->start[lane], in->stop[lane], out);
}

/* Records of JSON, read as the layouts read. */
static bool learns(const Interp *in)
{
    const IrFormat format = in->code->pipeline->sources[0].format;
    return (format == FORMAT_JSON || format == FORMAT_NONE) &&
           !in->pipe->info->sources[in->pipe->source].differs;
}

/* The path of an item ("samples[3]") is in the scratch, and stays there until the replay. */
static void any_order(Decoder *d, uint32_t lane)
{
    Interp *in = d->in;
    Frame *f = &in->frames[0];
    RtScan out = {.value = d->value, .has = d->has};
    uint64_t duplicates = in->pipe->n.duplicate_keys;
    int why = scan_asking(in, lane, &out);
    in->duplicates[lane] = (uint16_t)(in->pipe->n.duplicate_keys - duplicates);
    in->pipe->n.duplicate_keys = duplicates; /* counted when the record is */
    /* Behind what one pipeline needs a key that comes twice is none of its business. */
    bool lazy = in->code->pipeline->sources[0].check == CHECK_LAZY;
    if (in->code->together && lazy && in->duplicates[lane]) why = (int)(out.reason = RT_BAD_JSON);
    if (why < 0) {
        f->end[lane] = END_SKIPPED; /* the header */
        return;
    }
    if (why) {
        f->end[lane] = END_FAILED;
        f->ends[lane] = (LaneEnd){
            .node = in->code->pipeline->sources[0].node, .reason = out.reason, .field = out.path};
        return;
    }
    if (learns(in)) { /* what comes after may learn from it */
        in->pipe->raw = in->start[lane];
        in->pipe->raw_len = interp__raw_len(in, lane);
        f->rt->missed(in->pipe);
    }
    interp__put_inputs(f, lane, d->value, d->has);
}

void interp__decode_alone(Interp *in, uint32_t lane)
{
    in->duplicates[lane] = 0;
    any_order(in->decoder, lane);
}

/* ---- a batch ---- */

/* The layout that took most goes first. */
static void promote(Decoder *d, uint32_t at)
{
    if (!at || d->hits[at] <= d->hits[0]) return;
    LayoutCode *code = d->layouts[at];
    uint64_t hits = d->hits[at];
    d->layouts[at] = d->layouts[0];
    d->hits[at] = d->hits[0];
    d->layouts[0] = code;
    d->hits[0] = hits;
}

static void by_layouts(Decoder *d)
{
    Lanes *l = &d->lanes;
    for (uint32_t i = 0; i < d->layout_count && l->count; i++) {
        uint32_t before = l->count;
        interp__layout_run(d->layouts[i], l);
        d->hits[i] += before - l->count;
        d->in->pipe->n.learnt += before - l->count;
    }
    for (uint32_t i = 1; i < d->layout_count; i++) promote(d, i);
}

void interp__decode(Interp *in, uint32_t n)
{
    Decoder *d = in->decoder;
    Frame *f = &in->frames[0];
    bool json = learns(in);
    Lanes *l = &d->lanes;
    if (json && !d->layout_count && d->learn_at == 1) learn_first(d, n);
    l->frame = f;
    l->count = 0;
    for (uint32_t r = 0; r < n; r++) {
        in->duplicates[r] = 0;
        l->lane[l->count] = (uint16_t)r;
        l->count += f->end[r] == END_RUNS;
    }
    if (json && d->layout_count) by_layouts(d);
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t r = l->lane[i];
        if (json) note_miss(d, in->start[r], interp__raw_len(in, r));
        any_order(d, r);
    }
    if (json && d->misses >= d->learn_at) learn(d);
}
