/* compiler/interp/interp_int.h: what the files of this folder share.
 *
 * A Code is a translated stage: constant, shared by all instances. A Frame is its memory in one
 * instance: columns (one value a lane, a lane is a record of the batch at hand) behind each other
 * in one block; a column is named by its byte offset there. A mask is a column of bytes, 0 or 1.
 *
 *   active   lanes that run the instruction at hand
 *   live[l]  lanes not yet ended inside the l-th open TRY or ARM; live[0]: the record runs
 *   end      how the record ended: not at all, filtered, failed
 *
 * Values of lanes that are not active are garbage: kernels on numbers may compute with them (their
 * results are garbage too), kernels on texts must not look at them. */
#ifndef TUTTI_COMPILER_INTERP_INTERP_INT_H
#define TUTTI_COMPILER_INTERP_INTERP_INT_H

#include "compiler/interp/interp.h"
#include "compiler/layout/layout.h"
#include "compiler/link/link.h"
#include "flow/abi.h"
#include "flow/hot.h"

enum {
    INTERP_LANES_MAX = 256,
    INTERP_FRAME_BYTES = 192 << 10, /* more columns than fit: fewer lanes */
    INTERP_BATCH_BYTES = 256 << 10, /* input of one batch, unless one record is longer */
    INTERP_TEXT_BYTES = 1 << 20,    /* texts one batch may make before batches get smaller */
    INTERP_KEYS_MAX = 16
};
#define NO_COLUMN 0xffffffffu

typedef struct Frame Frame;
typedef struct Step Step;
typedef struct Effect Effect;
typedef struct Interp Interp;
typedef void StepFn(Frame *f, const Step *s);

/* How the values of a type lie in a column. */
typedef enum Cell {
    CELL_U8,
    CELL_I32,
    CELL_U32,
    CELL_I64,
    CELL_U64,
    CELL_F32,
    CELL_F64,
    CELL_TEXT,
    CELL__COUNT
} Cell;

typedef struct Place { /* of a register */
    uint32_t column;   /* NO_COLUMN: not computed */
    uint8_t cell, type, scale;
} Place;

typedef struct Pair { /* a leaf of a row */
    Place value;
    uint32_t has; /* NO_COLUMN: always there, when value is */
} Pair;

struct Step {
    StepFn *run;
    uint32_t dst, a, b, c;
    uint32_t target;     /* control: the step to go on with when no lane is left */
    uint16_t floor, top; /* a failure ends the lane in live[floor .. top] ... */
    uint32_t caught;     /* ... and marks it here; NO_COLUMN: the record ends */
    uint32_t node;
    uint32_t count, reason;
    const char *field; /* whose value it makes; NULL: none */
    uint64_t number;
    const void *more;
};

typedef struct FailText {
    const char *field, *name; /* NULL: none */
} FailText;

/* The arguments of an operation of several: places, and a schema where items are meant. */
typedef struct Args {
    const Pair *list;
    uint32_t count, keys; /* keys: of a MEM, at the front */
    const RtSchema *item;
    uint32_t index; /* memory; kind of aggregate; leaf */
    Place dst, time;
    uint32_t has;   /* second result, or NO_COLUMN */
    uint32_t space; /* LIST_OF: a column for the values of one lane, has behind them */
    bool event_time;
} Args;

typedef struct MetaWhat {
    IrMeta what;
    uint32_t level;
} MetaWhat;

/* ---- effects ---- */

typedef enum AddKind { /* of an aggregate, by what its column holds */
                       ADD_COUNT,
                       ADD_COUNT_IF,
                       ADD_F64, /* sum and mean */
                       ADD_I64,
                       ADD_U64,
                       ADD_MIN_F64,
                       ADD_MAX_F64,
                       ADD_FIRST_F64,
                       ADD_LAST_F64,
                       ADD_MIN_I64,
                       ADD_MAX_I64,
                       ADD_FIRST_I64,
                       ADD_LAST_I64,
                       ADD_MIN_U64,
                       ADD_MAX_U64,
                       ADD_FIRST_U64,
                       ADD_LAST_U64,
                       ADD_FIRST_TEXT,
                       ADD_LAST_TEXT,
                       ADD_VARIANCE,
                       ADD_SKETCH
} AddKind;

typedef struct Add {
    AddKind kind;
    Place value;
    uint32_t has, offset, bits;
} Add;

typedef enum PieceKind {
    PIECE_LITERAL,
    PIECE_VALUE,
    PIECE_IF,     /* `has` unset: goes on `skip` pieces further */
    PIECE_IF_ANY, /* none of `has_list` set: the same */
    PIECE_OPEN,   /* notes where an object starts whose first field may be missing */
    PIECE_CLOSE   /* turns the first comma of that object into its brace */
} PieceKind;

typedef struct Piece {
    PieceKind kind;
    const char *text; /* written first; 16 readable bytes behind */
    uint32_t text_len;
    Place value;
    uint32_t has, skip, mark;
    const uint32_t *has_list;
    uint32_t has_count;
    const RtText *names;    /* ENUM */
    const RtSchema *schema; /* LIST: of an item */
} Piece;

typedef struct RowCode { /* how a row of an EMIT is written */
    IrFormat format;
    const Piece *pieces;
    uint32_t piece_count;
    uint64_t room;      /* of all but texts */
    const Piece *texts; /* the texts and lists of the row: value, has, schema */
    uint32_t text_count;
} RowCode;

struct Effect {
    /* 0, or the reason why the record fails here. */
    uint32_t (*run)(Frame *f, const Effect *e, uint32_t lane);
    uint32_t mask, node, order;
    uint32_t index; /* window, sink or wire */
    Place at;       /* time, address */
    const Pair *row;
    uint32_t row_count;
    const Place *keys;
    uint32_t key_count;
    const Add *adds;
    uint32_t add_count;
    const RowCode *code;
    bool of_source;  /* PASS: the wire of the source the record came from */
    bool event_time; /* WINDOW */
    bool counts;     /* WINDOW of a number of records */
    uint32_t late_stage;
    int64_t order_ns;     /* WATERMARK */
    int64_t size_ns;      /* WINDOW: of a tumbling one with at most one key, found inline; else 0 */
    const RtSchema *item; /* EACH */
    bool may_wait;        /* WINDOW: its adds may be done later (window.c) */
    bool can_fail;        /* WINDOW: one of its adds */
};

/* ---- a translated stage ---- */

typedef struct Input { /* a leaf that is read */
    uint32_t leaf;     /* number in the row that comes in */
    Place value;
    uint32_t has;
    bool optional, reads_empty; /* where it is missing, see ir_reads_empty */
} Input;

typedef struct Constant {
    Place place;
    IrImm value;
} Constant;

typedef struct Code {
    const IrStage *stage;
    const Step *steps;
    uint32_t step_count;
    const Effect *effects; /* without PASS */
    uint32_t effect_count;
    const Effect *passes;
    uint32_t pass_count;
    const Input *inputs;
    uint32_t input_count;
    const Constant *constants;
    uint32_t constant_count;
    bool asks;                                  /* some of its records wait for an answer */
    uint32_t lanes, bytes;                      /* of a frame */
    uint32_t active, live, end, ends, bad, sel; /* columns */
    uint32_t spare;       /* a column for values that are checked but not used (`check strict`) */
    uint32_t add_bytes;   /* of state the adds of one lane can take at most, beside the slot */
    bool remembers;       /* has MEM: a batch cannot be done again */
    bool alone;           /* has MEM behind an effect that may fail: one lane at a time */
    const Effect *window; /* nothing but a window whose adds may wait, behind a WATERMARK ... */
    const Effect *watermark; /* ... or none (NULL); NULL: has other effects (window.c) */
    const uint32_t *notes;   /* the masks of effects and passes */
    uint32_t note_count;
} Code;

typedef struct PipeCode PipeCode;
struct PipeCode {
    const IrProgram *ir;
    const IrPipeline *pipeline;
    const RtPipelineInfo *info;
    const Code *codes;             /* of the stages */
    const RtSchema *const *groups; /* what sources read, by group */
    const bool *needed;
    uint32_t leaf_count; /* of the source's schema */
    const Code *filter;  /* with `check lazy`, or NULL: asked by the decoder (decode.c) */
    uint32_t keeps;      /* its column */
    /* Decodes records for several pipelines: one stage, of the leaves that one of them reads. NULL:
     * the pipeline shares its source with none. */
    const PipeCode *common;
    bool together; /* this is such a one */
};

/* ---- one instance ---- */

enum { END_RUNS, END_FILTERED, END_FAILED, END_SKIPPED };

typedef struct LaneEnd {
    uint32_t node, reason;
    const char *field, *name;
} LaneEnd;

struct Frame {
    Interp *in;
    RtPipe *pipe;
    const RtApi *rt;
    const Code *code;
    char *base;
    uint8_t *active, *live, *end, *bad;
    LaneEnd *ends;
    uint16_t *sel; /* the active lanes, made when asked for */
    uint32_t sel_count, n, pc;
    uint32_t done; /* the record at hand: 0 nothing, 1 emitted, 2 in state, 3 late */
    bool sel_fresh, starved, of_source, of_ask;
    bool of_main; /* of stage 0: lanes are records of the batch at hand */
};

#define COLUMN(f, Type, column) ((Type *)(void *)((f)->base + (column)))

/* decode.c: the records of a batch as columns of the frame of stage 0. */
typedef struct Decoder Decoder;

/* Lanes whose adds to a window are still to be done (window.c). */
typedef struct Adds {
    const Effect *effect;
    uint32_t count;
    bool open;                           /* adds may wait, in this batch */
    uint16_t lane[INTERP_LANES_MAX + 1]; /* one to spare: written before it is counted */
    char *slot[INTERP_LANES_MAX + 1];
} Adds;

struct Interp {
    const PipeCode *code;
    RtPipe *pipe;
    Frame *frames; /* of the stages */
    Frame filter;  /* base NULL: there is none */
    Interp
        *common; /* the decoder for several pipelines, while this is the first; made when needed */
    uint32_t asked; /* the lane whose record is read in any order */
    Decoder *decoder;
    const RtBatch *batch;    /* at hand */
    const RtRecord *records; /* of the lanes at hand, when the batch is records */
    const char *start[INTERP_LANES_MAX], *stop[INTERP_LANES_MAX]; /* of the lanes at hand */
    uint16_t duplicates[INTERP_LANES_MAX];
    uint32_t width; /* lanes to take at once */
    Adds adds;
};

extern const RtApi *interp__rt;

/* ---- translate.c and its parts ---- */

Cell interp__cell(IrType type);
uint32_t interp__cell_bytes(Cell cell);
uint32_t interp__item_leaf(const IrPipeline *pipeline, const IrStage *stage, uint32_t leaf);
MUST Status interp__translate(const IrProgram *ir, const Linked *linked, const IrPipeline *pipeline,
                              uint32_t stage, Arena *arena, Code *ret_code, Diag *diag);
MUST Status interp__translate_filter(const IrProgram *ir, const Linked *linked,
                                     const IrPipeline *pipeline, uint32_t lanes, Arena *arena,
                                     Code *ret_code, uint32_t *ret_keeps, Diag *diag);

/* A stage that is none of the pipeline's, of many lanes. */
MUST Status interp__translate_common(const IrProgram *ir, const Linked *linked,
                                     const IrPipeline *pipeline, const IrStage *stage, Arena *arena,
                                     Code *ret_code, Diag *diag);

/* number.c: NULL when there is no such kernel. */
StepFn *interp__binary(IrOp op, Cell cell);
StepFn *interp__unary(IrOp op, Cell cell);
StepFn *interp__move(Cell cell, bool masked);
/* *ret_number: the power of ten it multiplies by or divides by, or the digits (Step.number). */
StepFn *interp__convert(const IrReg *from, const IrReg *to, uint64_t *ret_number);

/* text.c */
StepFn *interp__text_binary(IrOp op);
StepFn *interp__to_text(IrType from);
StepFn interp__concat, interp__call, interp__meta;

/* list.c: Step.more is Args */
StepFn interp__list_of, interp__index, interp__count_of, interp__item_field, interp__list_has,
    interp__list_agg, interp__mem, interp__lookup, interp__recall;

/* control.c */
StepFn interp__if, interp__else, interp__end, interp__filter, interp__drop, interp__fail,
    interp__try, interp__catch, interp__note, interp__ahead;
/* The record at `lane` fails in step `s`, or goes to the CATCH around. */
void interp__lane_fail(Frame *f, const Step *s, uint32_t lane, uint32_t reason);
/* Every active lane marked in f->bad fails. */
void interp__fail_bad(Frame *f, const Step *s, uint32_t reason);
/* The active lanes, ascending. */
const uint16_t *interp__lanes(Frame *f, uint32_t *ret_count);
/* Runs the steps: n lanes, those with end = END_RUNS. */
void interp__run(Frame *f, uint32_t n);

/* window.c */
uint32_t interp__watermark(Frame *f, const Effect *e, uint32_t lane);
uint32_t interp__clock(Frame *f, const Effect *e, uint32_t lane);
uint32_t interp__window(Frame *f, const Effect *e, uint32_t lane);
uint32_t interp__window_any(Frame *f, const Effect *e, uint32_t lane);
/* Lanes of a stage that has Code.window, from `lane` on: up to which one all is done. That one
 * needs the long way (interp__replay). */
uint32_t interp__window_lanes(Frame *f, uint32_t lane);
void interp__adds_begin(Frame *f);
void interp__adds_end(Frame *f);

/* effects.c */
/* A row as the runtime takes it: values and has, leaf by leaf. */
void interp__row_values(const Frame *f, const Effect *e, uint32_t lane, RtValue *v, u8 *h);
uint32_t interp__each(Frame *f, const Effect *e, uint32_t lane);
uint32_t interp__remember(Frame *f, const Effect *e, uint32_t lane);
void interp__replay(Frame *f);
/* Runs a row (of a window, late) through a stage. */
void interp__row(Interp *in, uint32_t stage, const RtValue *values, const u8 *has);
/* Bytes of the record of a lane, without the line end. */
static inline uint32_t interp__raw_len(const Interp *in, uint32_t lane)
{
    const char *start = in->start[lane], *stop = in->stop[lane];
    bool line = !ir_format_is_bytes(in->code->pipeline->sources[0].format);
    return (uint32_t)(stop - start) - (line && stop > start && stop[-1] == '\r');
}
RtValue interp__value(const Frame *f, const Place *place, uint32_t lane);
void interp__put(Frame *f, const Place *place, uint32_t lane, RtValue value);
/* The leaves that are read of a row, `values` and `has` by leaf, into a lane. */
void interp__put_inputs(Frame *f, uint32_t lane, const RtValue *values, const u8 *has);
void interp__lane_meta(Frame *f, uint32_t lane);

/* row.c */
/* `regs`: the registers of the row, value and has of each leaf. */
MUST Status interp__row_code(const IrProgram *ir, const RtSchema *const *schemas,
                             const IrSink *sink, const Pair *row, uint32_t count,
                             const IrStage *stage, const uint32_t *regs, Arena *arena,
                             RowCode *ret_code, Diag *diag);
uint32_t interp__emit(Frame *f, const Effect *e, uint32_t lane);

/* decode.c */
Decoder *interp__decoder_new(Interp *in);    /* NULL: out of memory */
void interp__decoder_free(Decoder *decoder); /* accepts NULL */
/* Decodes n lanes (start, raw_len) into the columns of stage 0; sets `end` of those that fail. */
void interp__decode(Interp *in, uint32_t n);

/* filter.c: which records the stage will drop, before all of them is decoded. */
/* Asks for the lanes whose `end` in the filter's frame is END_RUNS, below n; those are then dropped
 * where interp__filter_keeps says so. */
void interp__filter_run(Interp *in, uint32_t n);
bool interp__filter_keeps(const Interp *in, uint32_t lane);
/* As RtScan.keeps: the record of the lane in->asked, which is read in any order. */
u32 interp__filter_one(RtPipe *pipe, const RtValue *values, const u8 *has);

/* other.c: a batch of another stream than the main one. */
void interp__feed_other(Interp *in, const RtBatch *batch, uint32_t group);

/* Reads the lane again in any order, into stage 0; it had failed for another pipeline. */
void interp__decode_alone(Interp *in, uint32_t lane);

/* feed.c */
/* Where the next lane of the batch comes from. */
typedef struct Cursor {
    const char *p, *end; /* lines */
    const RtRecord *record, *last;
} Cursor;
Cursor interp__cursor(const RtBatch *batch);
/* The pipeline's meta data of a batch. */
void interp__batch_begin(Interp *in, const RtBatch *batch);
/* Fills lanes of stage 0 with the next records: how many. */
uint32_t interp__take(Interp *in, Cursor *at, uint32_t width);
/* How many lanes a turn may have; and for the next turns, after one that made much text. */
uint32_t interp__width(const Interp *in);
void interp__adapt(Interp *in);
/* Memory of an instance of `code`; NULL: out of memory. */
Interp *interp__new(const PipeCode *code, RtPipe *pipe);
/* share.c: one batch through all pipelines of a RtShare. */
void interp__feed_shared(RtPipe *const *pipes, const RtBatch *batch);
void interp__feed(RtPipe *pipe, const RtBatch *batch);
void *interp__open(RtPipe *pipe);
void interp__close(RtPipe *pipe);

#endif
