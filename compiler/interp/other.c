/* compiler/interp/other.c: batches of the streams that joins remember.
 *
 * They are slow streams beside the main one, so their records are read by the runtime's scanners
 * and run one by one, as rows do; only their counters are those of a source. */
#include "compiler/interp/interp_int.h"

typedef struct Other {
    Interp *in;
    const IrSource *source;
    const RtSchema *schema;
    uint32_t stage;
} Other;

/* -1: a header, nothing to work on; else a reason. */
static int scan(const Other *o, const char *p, const char *end, RtScan *into)
{
    RtPipe *pipe = o->in->pipe;
    switch (o->source->format) {
    case FORMAT_CSV: return interp__rt->scan_csv(pipe, o->schema, p, end, into);
    case FORMAT_TEXT: return interp__rt->scan_text(pipe, o->schema, p, end, into);
    case FORMAT_RAW: return interp__rt->scan_raw(pipe, o->schema, p, end, into);
    case FORMAT_MSGPACK:
    case FORMAT_CBOR:
    case FORMAT_PROTOBUF:
        return interp__rt->scan_bytes(pipe, (u32)o->source->format, o->schema,
                                      (u32)o->source->check, o->source->unknown == UNKNOWN_REJECT,
                                      p, end, into);
    default:
        return interp__rt->scan(pipe, o->schema, (u32)o->source->check,
                                o->source->unknown == UNKNOWN_REJECT, p, end, into);
    }
}

static void one(const Other *o, const char *p, const char *end)
{
    RtPipe *pipe = o->in->pipe;
    RtValue values[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    RtScan into = {.value = values, .has = has};
    pipe->scratch_len = 0;
    pipe->raw = p;
    bool line = !ir_format_is_bytes(o->source->format);
    pipe->raw_len = (u64)(end - p) - (line && end > p && end[-1] == '\r');
    int why = scan(o, p, end, &into);
    if (why < 0) return;
    pipe->n.in++;
    if (why)
        interp__rt->error(pipe, o->source->node, into.reason, into.path, NULL);
    else
        interp__row(o->in, o->stage, values, has);
}

static bool is_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    return p == end;
}

void interp__feed_other(Interp *in, const RtBatch *batch, uint32_t group)
{
    const IrPipeline *ir = in->code->pipeline;
    Other o = {in, &ir->sources[batch->source], in->code->groups[group], 0};
    while (ir->stages[o.stage].from != IR_FROM_SOURCE || ir->stages[o.stage].from_index != group)
        o.stage++;
    RtPipe *pipe = in->pipe;
    in->batch = batch;
    in->records = NULL;
    pipe->received_ns = batch->received_ns;
    pipe->ack = 0;
    pipe->topic = batch->topic;
    pipe->topic_len = batch->topic_len;
    pipe->key_len = pipe->headers_len = 0;
    const char *p = batch->bytes, *end = p ? p + batch->len : NULL;
    while (p && p < end && !pipe->stopped) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop) stop = end;
        if (!is_blank(p, stop)) one(&o, p, stop);
        p = stop + 1;
    }
    for (u32 i = 0; !batch->bytes && i < batch->count && !pipe->stopped; i++) {
        const RtRecord *record = &batch->records[i];
        pipe->received_ns = record->received_ns;
        pipe->ack = record->ack;
        pipe->topic = record->topic;
        pipe->topic_len = record->topic_len;
        pipe->key = record->key;
        pipe->key_len = record->key_len;
        pipe->headers = record->headers;
        pipe->headers_len = record->headers_len;
        one(&o, record->ptr, record->ptr + record->len);
    }
    in->batch = NULL;
}
