/* runtime/flow/instance.h: load a compiled program, run an instance of one of its pipelines.
 *
 * A host (the engine's shard, `tutti run --batch`, `tutti test`) does, on one thread:
 *     flow_program_load -> flow_instance_new -> feed ... -> take each sink's buffer -> free
 * After every flow_feed, flow_clock, flow_idle and flow_finish the rows made wait in
 * flow_out(instance, sink); the host writes them out and calls flow_out_clear. When a buffer passes
 * `out_bytes` in the middle of a batch, the host's `full` callback takes it then and there, so
 * memory stays bounded whatever one batch makes. A program stays loaded until its last instance is
 * gone; free it only when no thread is inside feed (swap at a batch boundary). */
#ifndef TUTTI_FLOW_INSTANCE_H
#define TUTTI_FLOW_INSTANCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "flow/abi.h"

typedef struct FlowProgram FlowProgram;
typedef struct FlowInstance FlowInstance;

typedef struct FlowLimits {
    uint64_t out_bytes;   /* per sink: `full` is called above it; default 1 MiB */
    uint64_t state_bytes; /* all windows together; beyond: the record fails as overflow; 256 MiB */
    uint64_t keys;        /* per window; default 1,000,000 */
} FlowLimits;

/* Waits for the answer and appends its rows to `out` (ask.h). */
typedef Status FlowAskFn(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                         u32 count, Buf *out, Diag *diag);

/* Where the rows of a table stand instead of its own file. */
typedef struct FlowTable {
    bool replaced;
    const char *path; /* NULL: the text, lines of csv, which must outlive the instance */
    Str text;
} FlowTable;

typedef struct FlowHost {
    /* Takes what is in the sink's buffer (flow_out + flow_out_clear). NULL: buffers grow to
     * 16 x out_bytes and rows beyond are counted as errors. */
    void (*full)(void *ctx, FlowInstance *instance, uint32_t sink);
    void *ctx;
    FlowAskFn *ask; /* NULL: nobody answers */
    void *ask_ctx;
    /* All three or none: several questions at once. ask_begin copies the values and gives a
     * question (NULL: use `ask`); ask_end waits for its answer, exactly once for each; ask_first
     * waits until any with that many others before it (RtAskInfo.asks) is answered and gives the
     * one that was first, NULL: none is left. */
    void *(*ask_begin)(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                       u32 count);
    Status (*ask_end)(void *ctx, void *question, Buf *out, Diag *diag);
    void *(*ask_first)(void *ctx, uint32_t asks);
    const FlowTable *tables; /* one for each of the program, or NULL; for tests */
} FlowHost;

/* Opens a .so made by emit_c and checks its ABI. ST_UNSUPPORTED: made for another ABI. */
MUST Status flow_program_load(const char *path, FlowProgram **ret_program, Diag *diag);
/* A program linked into this executable. */
MUST Status flow_program_static(const RtProgram *table, FlowProgram **ret_program, Diag *diag);
/* A program made in memory; release(ctx) is called when it is freed, not when this fails. */
MUST Status flow_program_made(const RtProgram *table, void (*release)(void *ctx), void *ctx,
                              FlowProgram **ret_program, Diag *diag);
void flow_program_free(FlowProgram *program); /* accepts NULL; no instance may be left */
const RtProgram *flow_program_table(const FlowProgram *program);
/* Index of the pipeline, or -1. */
int flow_program_find(const FlowProgram *program, Str name);

/* `program` must outlive the instance. NULL limits and host take the defaults. */
MUST Status flow_instance_new(FlowProgram *program, uint32_t pipeline, const FlowLimits *limits,
                              const FlowHost *host, FlowInstance **ret_instance, Diag *diag);
void flow_instance_free(FlowInstance *instance); /* accepts NULL */
const RtPipelineInfo *flow_info(const FlowInstance *instance);

/* Runs one batch. Never fails: a record that cannot be worked on is an error record. */
void flow_feed(FlowInstance *instance, const RtBatch *batch);
/* The same for instances of pipelines that share a decoder (flow_share), in the order of its list;
 * NULL: takes no part. */
void flow_feed_shared(const RtShare *share, FlowInstance *const *instances, const RtBatch *batch);
/* What the pipeline shares with others; NULL: nothing, or not on this engine. */
const RtShare *flow_share(const FlowProgram *program, uint32_t pipeline);
/* ---- formats of bytes: msgpack ... ---- */

enum { FLOW_RECORD_BYTES_MAX = 16 << 20, FLOW_BROKEN_BYTES = 64 << 10 };

typedef struct FlowCut {
    size_t bytes;   /* that the records took */
    uint32_t count; /* records */
    bool broken;    /* the last one is not well-formed or too long: nothing behind it can be read */
} FlowCut;

/* RtFormat of a source's or a sink's `format`. */
uint32_t flow_format(const char *name);
/* Records and rows are bytes: no lines, no text. */
bool flow_is_bytes(uint32_t format);
/* Records that stand back to back, at most `most`. What is not whole waits for more bytes, until
 * `ended`; then it is a record, which fails. */
FlowCut flow_cut(uint32_t format, Str bytes, bool ended, RtRecord *records, uint32_t most);
/* For tests: a record as JSON has it, for a source; a row of a sink as JSON. ST_INVALID: the row
 * is not what the sink's schema says. */
MUST Status flow_record_of_json(FlowInstance *instance, uint32_t source, Str text, Arena *arena,
                                Str *ret_record, Diag *diag);
MUST Status flow_json_of_row(FlowInstance *instance, uint32_t sink, Str row, Arena *arena,
                             Str *ret_json);
/* The length in front of a message of protobuf that stands in a file. */
void flow_put_frame(Buf *out, uint64_t bytes);
/* Bytes as text for people and for JSON: base64. */
void flow_put_base64(Buf *out, Str bytes);
MUST Status flow_get_base64(Str text, Arena *arena, Str *ret_bytes);

/* The source could not give a record: a poll that failed, a message too large. It counts as one
 * that came in and failed, with the reason `source_failed`. */
void flow_source_failed(FlowInstance *instance, uint32_t source, Str why, int64_t received_ns);
/* Event time has come to `event_ns` (tests, sources that carry their own watermark): the watermark
 * becomes event_ns - order. Never moves back. */
void flow_clock(FlowInstance *instance, int64_t event_ns);
/* Call about once a second with the wall clock: a source silent for longer than `idle` lets event
 * time go on; windows by arrival time close; the span of `stop above` ends. */
void flow_idle(FlowInstance *instance, int64_t wall_ns);
/* The bounded input has ended: closes all windows. */
void flow_finish(FlowInstance *instance);
/* True once `stop above` fired: feed no more. */
bool flow_stopped(const FlowInstance *instance);

/* What a sink has to write; valid until flow_out_clear or the next feed. */
const RtOut *flow_out(const FlowInstance *instance, uint32_t sink);
void flow_out_clear(FlowInstance *instance, uint32_t sink);
/* Error records when the program names no sink for them: the dead-letter table's rows. */
const RtOut *flow_dead(const FlowInstance *instance);
void flow_dead_clear(FlowInstance *instance);

const RtCounters *flow_counters(const FlowInstance *instance);
/* Rows over a wire so far. */
uint64_t flow_wire_count(const FlowInstance *instance, uint32_t wire);
/* Starts or stops keeping the last row of a wire as JSON. */
void flow_watch(FlowInstance *instance, uint32_t wire, bool on);
/* Last row, or empty; *ret_count grows with every row kept. */
Str flow_tap(const FlowInstance *instance, uint32_t wire, uint64_t *ret_count);
/* The latest event time seen, or INT64_MIN. */
int64_t flow_event_time(const FlowInstance *instance);
/* What went wrong without stopping anything (a table's file that cannot be read again), or "". */
const char *flow_problem(const FlowInstance *instance);
/* Keys that were forgotten because a memory, a join or the clocks were full. */
uint64_t flow_forgotten(const FlowInstance *instance);
uint64_t flow_state_bytes(const FlowInstance *instance);

/* Appends records as lines, for the next version to learn from: the last ones that fitted no learnt
 * layout, then some of those that did; at most 64 KiB. Clears what it gave. */
void flow_sample_take(FlowInstance *instance, Buf *out);

/* Everything that is remembered (windows, memories, clocks) as bytes; between batches only. Layout
 * in state.c. */
MUST Status flow_save(const FlowInstance *instance, Buf *out, Diag *diag);
/* True when it remembers anything: windows, memories, joins. */
bool flow_has_state(const FlowInstance *instance);
/* Into a fresh instance, of the same or of another version: state moves by name and layout, the
 * rest starts empty; `*ret_dropped` counts them (may be NULL). ST_CORRUPT when damaged (throw the
 * instance away then). */
MUST Status flow_load(FlowInstance *instance, Str bytes, uint32_t *ret_dropped, Diag *diag);

#endif
