/* compiler/ir/ir.h: what a checked program becomes: a graph of operators, and stages of row code.
 *
 * Two levels in one structure. The graph (nodes, wires) is what a person wrote: it is drawn,
 * counted and explained. The stages are what runs: a stage is a straight piece of code that takes
 * one record from where records wait (a source, a closed window, the late port) to where the next
 * waiting begins; its code is three-address over typed registers (ops.def). Lists are arrays in
 * one arena, references are indexes, so dumps are plain text and copies are cheap.
 *
 * An optional value is two registers: the value and a BOOL that says whether it is there
 * (`IrRow.has`); NO_REG there means "always". Nested records are flattened: a leaf is a path of
 * fields. Who writes: ir/lower*.c. Who reads: ir/verify.c, ir/dump.c, pass/, emit_c/, the graph
 * command. */
#ifndef TUTTI_COMPILER_IR_IR_H
#define TUTTI_COMPILER_IR_IR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "compiler/diag/source.h"

typedef enum IrType {
    IR_NONE,
    IR_BOOL, /* int in C */
    IR_I32,
    IR_I64,
    IR_U32,
    IR_U64,
    IR_F32,
    IR_F64,
    IR_DECIMAL,  /* scaled int64 */
    IR_STR,      /* UTF-8 slice */
    IR_BYTES,    /* slice; base64 at the JSON edge */
    IR_TIME,     /* int64, ns since 1970 UTC */
    IR_DURATION, /* int64, ns */
    IR_ENUM,     /* uint32, index into names */
    IR_JSON,     /* unparsed slice */
    IR_LIST,     /* items behind each other, see RtItem in flow/abi.h */
    IR_ITEM,     /* one row in memory */
    IR_RECORD,   /* schema fields only; never a register */
    IR__COUNT
} IrType;

/* Not an enum: ISO C wants enumerators to fit int. */
#define NO_REG   0xffffffffu
#define NO_INDEX 0xffffffffu

typedef struct IrEnum {
    const Str *names;
    uint32_t count;
} IrEnum;

typedef enum IrTimeRead { IR_TIME_TEXT, IR_TIME_S, IR_TIME_MS, IR_TIME_US, IR_TIME_NS } IrTimeRead;

typedef struct IrField {
    Str name;
    IrType type;
    bool optional;
    uint32_t bytes_max;   /* STR, BYTES, JSON: longer is too_long; LIST: most items */
    uint8_t scale;        /* DECIMAL: digits behind the point */
    IrTimeRead time_read; /* TIME: how the edge writes it */
    const IrEnum *names;  /* ENUM */
    uint32_t record;      /* RECORD, LIST, ITEM: index into IrProgram.schemas */
    bool has_range;       /* `in lo..hi`, both inclusive; checked at the edge */
    double lo, hi;
    Str unit; /* as written, for people; empty = none */
    Span span;
} IrField;

typedef struct IrSchema {
    Str name; /* empty for an anonymous record */
    IrField *fields;
    uint32_t count;
} IrSchema;

/* A scalar inside a schema, addressed by the fields that lead to it. */
enum { IR_PATH_MAX = 8 };
typedef struct IrLeaf {
    uint32_t path[IR_PATH_MAX], path_len; /* field indexes from the schema's root */
    const IrField *field;
    bool optional; /* itself or any record around it */
    bool needed;   /* some code reads it (pass: projection) */
    Str name;      /* "a.b" */
} IrLeaf;

typedef struct IrReg {
    IrType type;
    const IrEnum *names; /* ENUM */
    uint32_t bytes_max;  /* STR, BYTES, JSON: bound, for state and buffers; LIST: most items */
    uint8_t scale;       /* DECIMAL */
    uint32_t record;     /* LIST, ITEM: schema of an item */
    Str name;            /* what the user calls it; empty for a temporary */
} IrReg;

typedef enum IrOp {
#define OP(name, operands, result, effect, text) IR_##name,
#include "compiler/ir/ops.def"
#undef OP
    IR_OP__COUNT
} IrOp;

/* CONV to a decimal with fewer digits: imm.index. NEAREST takes halves away from zero. */
typedef enum IrRound { ROUND_NEAREST, ROUND_FLOOR, ROUND_CEIL, ROUND_TRUNC } IrRound;
enum { META_HEADERS_BYTES = 65535 }; /* RtRecord.headers_len */

typedef enum IrMeta {
    META_TOPIC,
    META_TOPIC_LEVEL,
    META_KEY,
    META_RECEIVED,
    META_RAW,
    META_HEADERS,
    META_KEPT /* RAW where the source says `unknown keep`, else an empty object */
} IrMeta;

typedef union IrImm {
    bool boolean;
    int64_t integer; /* I32, I64, DECIMAL, TIME, DURATION, and ENUM as index */
    uint64_t natural;
    double number; /* F32, F64 */
    Str text;
    uint32_t index, builtin;
    struct {
        IrMeta what;
        uint32_t level;
    } meta;
    struct {
        Str reason, field;
    } fail;
} IrImm;

typedef struct IrIns {
    IrOp op;
    uint32_t dst, a, b, c;    /* registers or NO_REG; FIELD, HAS: a = leaf */
    uint32_t has;             /* BOOL register, also written: dst holds a value; or NO_REG */
    uint32_t args, arg_count; /* into IrStage.pool */
    IrImm imm;
    uint32_t node; /* whose code this is: named by error records, as ... */
    Str field;     /* ... the field whose value it makes; empty: none, or several */
    Span span;
} IrIns;

/* A record as registers: what a wire carries at this point of the code. */
typedef struct IrRow {
    uint32_t schema; /* into IrProgram.schemas */
    uint32_t *value,
        *has; /* one per leaf of the schema, in leaf order; has NO_REG = always there */
    uint32_t count;
} IrRow;

typedef enum IrStageFrom {
    IR_FROM_SOURCE,
    IR_FROM_WINDOW,
    IR_FROM_LATE,
    IR_FROM_EACH,
    IR_FROM_ASK,  /* an EACH over what MEM_ASK gives: runs when the answer is there */
    IR_FROM_ERROR /* a record that failed, as the fields of its error record */
} IrStageFrom;

/* Leaves of a stage from IR_FROM_ERROR: reason, field?, message, pipeline, stage, at, raw? */
enum { IR_ERROR_LEAVES = 7 };

typedef struct IrStage {
    IrStageFrom from;
    uint32_t from_index; /* source group, or window; EACH: the stage that runs it */
    uint32_t schema;     /* of the input */
    uint32_t asks;       /* questions that its records had before */
    IrLeaf *leaves;      /* of the input */
    uint32_t leaf_count;
    IrReg *regs;
    uint32_t reg_count;
    IrIns *code;
    uint32_t code_count;
    uint32_t *pool; /* argument lists; for rows: value0, has0, value1, has1 ... */
    uint32_t pool_count;
} IrStage;

/* How fields of a schema stand in a message of protobuf: RtProto and RtProtoField of flow/abi.h,
 * whose kinds and flags these are. */
typedef struct IrProtoField {
    uint32_t number;
    uint8_t kind, flags;
    uint32_t field;        /* of the schema, or NO_INDEX: it only ends others of its oneof */
    uint32_t oneof;        /* 0 = of none */
    const int32_t *values; /* ENUM: a number for each name of the field */
    uint32_t value_count;
    const struct IrProto *child;
} IrProtoField;

typedef struct IrProto {
    IrProtoField *fields; /* by number */
    uint32_t count;
} IrProto;

/* The order is the one of RtFormat. From MSGPACK on records are bytes, not lines. */
typedef enum IrFormat {
    FORMAT_NONE,
    FORMAT_JSON,
    FORMAT_CSV,
    FORMAT_TEXT,
    FORMAT_RAW,
    FORMAT_MSGPACK,
    FORMAT_CBOR,
    FORMAT_PROTOBUF
} IrFormat;

/* Records are bytes, one behind the other or one a message, and rows too: no lines. */
static inline bool ir_format_is_bytes(IrFormat format)
{
    return format >= FORMAT_MSGPACK;
}
typedef enum IrCheck { CHECK_RECORD, CHECK_LAZY, CHECK_STRICT } IrCheck;
typedef enum IrUnknown { UNKNOWN_IGNORE, UNKNOWN_REJECT, UNKNOWN_KEEP } IrUnknown;

/* An option of a source or sink as the user wrote it: `qos 1`, `retain`, `every 500ms`. */
typedef struct IrOption {
    Str name;
    IrType type; /* BOOL, I64, F64, STR, DURATION */
    IrImm value;
} IrOption;

typedef struct IrSource {
    Str kind;            /* stdin file uns mqtt modbus ... or the kind of the connection */
    uint32_t connection; /* into IrProgram.connections or NO_INDEX */
    Str address;         /* constant */
    IrOption *options;
    uint32_t option_count;
    IrFormat format;
    IrCheck check;
    IrUnknown unknown;
    uint32_t group;       /* 0 = the main stream; each group has one schema and one stage */
    uint32_t map;         /* register map (modbus) or NO_INDEX */
    const IrProto *proto; /* PROTOBUF */
    uint32_t node;
    Span span;
} IrSource;

typedef struct IrSink {
    Str kind; /* stdout file uns historian mqtt dead ... */
    uint32_t connection;
    Str address; /* as written; interpolated ones arrive in EMIT's a register */
    bool address_is_computed;
    IrOption *options;
    uint32_t option_count;
    IrFormat format;
    uint32_t schema;      /* of the rows it takes; NO_INDEX for the error record */
    bool errors;          /* its rows are error records, made by the error stage */
    const IrProto *proto; /* PROTOBUF */
    uint32_t *keys;       /* leaf indexes: `key (...)` */
    uint32_t key_count;
    uint32_t node;
    Span span;
} IrSink;

/* Rows of a sink that stand back to back, each message behind its length. */
static inline bool ir_sink_framed(const IrSink *sink)
{
    return sink->format == FORMAT_PROTOBUF &&
           (str_is(sink->kind, "file") || str_is(sink->kind, "stdout"));
}

typedef enum IrAggKind {
    AGG_COUNT,
    AGG_COUNT_IF,
    AGG_SUM,
    AGG_MEAN,
    AGG_MIN,
    AGG_MAX,
    AGG_FIRST,
    AGG_LAST,
    AGG_STDDEV,
    AGG_QUANTILE,
    AGG_DISTINCT,
    AGG_DELTA,
    AGG_RATE,
    AGG_TIME_WEIGHTED,
    AGG_LIST,
    AGG_REVISION, /* rows made of this window and key before; no input */
    AGG__COUNT
} IrAggKind;

typedef struct IrAgg {
    IrAggKind kind;
    IrType type;      /* of the input */
    double p, within; /* QUANTILE: probability and relative error; DISTINCT: relative error */
    uint32_t out;     /* leaf of the window's output schema */
    uint8_t scale;    /* DECIMAL */
    uint32_t count;   /* LIST: most items */
    bool each;        /* with panes: each window counts it by itself */
} IrAgg;

/* The order is the one of RtMemKind in flow/abi.h. */
typedef enum IrMemKind {
    MEM_PREV,
    MEM_DELTA,
    MEM_RATE,
    MEM_EMA,
    MEM_HYSTERESIS,
    MEM_HELD,
    MEM_BASELINE,
    MEM_EDGE,
    MEM_DEDUPE,
    MEM_DEADBAND,
    MEM_THROTTLE,
    MEM_SAMPLE,
    MEM_CELL, /* a C function; a step function works on the plain bytes of the cell */
    MEM_ASK,  /* no memory but a question, answered by a database or a server */
    MEM__COUNT
} IrMemKind;

/* A question of `ask`. Its values are the memory's inputs. */
typedef struct IrAsk {
    Str name, kind, target; /* historian; sqlite: the file; http: get, post */
    Str text;               /* SQL with ?1 ...; an address with \1 for each value, \2 the body */
    uint32_t schema;        /* of a row */
    uint32_t rows_max, retries;
    int64_t timeout_ns, backoff_ns;
    uint32_t row, stage; /* input of the stage behind it: the record, then the rows */
    uint32_t limit;      /* questions at once */
    uint32_t asks;       /* other questions before it */
    bool single;         /* the first row, which must be there */
    bool unordered;
} IrAsk;

/* One place of a program that remembers: a cell for each key. */
typedef struct IrMem {
    IrMemKind kind;
    Str name;    /* "delta used": what it is and where it stands, for state that moves */
    IrReg *keys; /* type and bound of each key */
    uint32_t key_count;
    IrReg *inputs; /* of each value behind the keys */
    uint32_t input_count;
    bool event_time;   /* no time register: the time at hand is the record's, else its arrival */
    bool resets;       /* DELTA, RATE: the last input is where the counter starts again */
    bool share;        /* DEADBAND: the distance is a share of the value */
    bool starts;       /* EDGE: true before the first record */
    int64_t span_ns;   /* EMA HELD BASELINE DEDUPE THROTTLE SAMPLE; DEADBAND: silence, 0 = any */
    uint64_t count;    /* THROTTLE */
    uint32_t bytes;    /* CELL: size */
    uint32_t external; /* CELL: into IrProgram.externs */
    const IrAsk *ask;  /* ASK */
    bool alone;        /* one cell, whatever the pipeline is keyed by */
    uint32_t node;
} IrMem;

/* The order is the one of RtWindowKind in flow/abi.h. */
typedef enum IrWindowKind {
    WINDOW_TUMBLE,
    WINDOW_COUNT,
    WINDOW_HOP,
    WINDOW_SESSION,
    WINDOW_DELAY /* `delay D`: each record by itself; AGG_FIRST of each leaf */
} IrWindowKind;

typedef struct IrWindow {
    IrWindowKind kind;
    bool event_time;     /* false: arrival time */
    bool own_clock;      /* the keys hold those of `clock by` */
    bool behind;         /* its records are rows of another window */
    bool panes;          /* HOP: what windows share is counted once (pass/panes.c) */
    int64_t size_ns;     /* TUMBLE HOP; SESSION: gap; DELAY */
    int64_t every_ns;    /* HOP */
    int64_t max_ns;      /* SESSION; 0 = no limit */
    int64_t keep_ns;     /* `on late update`: how long closed ones are kept; 0 = not */
    uint64_t size_count; /* COUNT */
    int64_t early_ns;    /* 0 = none */
    IrReg *keys;         /* type and bound of each key */
    uint32_t key_count;
    IrAgg *aggs; /* an expression of several aggregates is computed in the out stage */
    uint32_t agg_count;
    uint32_t in_schema;             /* the whole record at this point, for `on late` */
    uint32_t out_schema;            /* keys, start, end, one leaf per agg: input of the out stage */
    uint32_t out_stage, late_stage; /* NO_INDEX = nothing there */
    bool late_dead; /* late records also go to the dead-letter table, as they came */
    uint32_t node;
    uint32_t asks; /* questions before it */
    Span span;
} IrWindow;

/* `join last`: what is kept of the second stream. */
typedef struct IrJoin {
    Str name; /* of the joined record */
    IrReg *keys;
    uint32_t key_count;
    uint32_t schema;   /* of the row that is kept */
    uint32_t group;    /* of the source */
    int64_t within_ns; /* 0 = for ever */
    uint32_t node;
    Span span;
} IrJoin;

typedef struct IrTime {
    bool present;
    int64_t order_ns, idle_ns, ahead_ns; /* ahead 0 = no limit */
    IrReg *keys;                         /* `clock by` */
    uint32_t key_count;
    uint32_t node;
} IrTime;

/* Nodes and wires are what is drawn. A wire carries one schema. */
typedef struct IrNode {
    Str kind;  /* "from", "where", "let", "window", "into" ... */
    Str label; /* one line for people: the stage as written, shortened */
    Span span;
    uint32_t out_schema; /* or NO_INDEX */
    const Str *reasons;  /* why a record may leave here by the error port */
    uint32_t reason_count;
} IrNode;

/* wires[0 .. source_count) leave the sources, in their order; the first PASS of stages[0] names
 * wire 0 and stands for the wire of the source the record came from. Records on PORT_ERROR wires
 * have no PASS: who makes the error record counts the wires of its node. */
typedef enum IrPort { PORT_OUT, PORT_ERROR, PORT_LATE } IrPort;

typedef struct IrWire {
    uint32_t from, to; /* nodes */
    IrPort port;       /* of `from` */
    uint32_t schema;
} IrWire;

/* What the pass `push` found out about the `where` in front of everything else. */
typedef enum IrPush {
    PUSH_NO_WHERE,     /* the first step is another one */
    PUSH_DONE,         /* the decoder knows it */
    PUSH_FORMAT,       /* records are not JSON */
    PUSH_NOT_PLAIN,    /* asking twice is not the same as asking once, or takes room for a text */
    PUSH_NO_FIELD,     /* it reads none of the record */
    PUSH_NOTHING_ELSE, /* all that is read, it reads */
    PUSH__COUNT
} IrPush;

/* Why a pipeline has a decoder of its own although another one reads the same place. */
typedef enum IrAlone {
    ALONE_NOT,
    ALONE_KIND,    /* such sources are not read in common */
    ALONE_STREAM,  /* it also reads what pipelines of this program write */
    ALONE_SOURCES, /* several sources are one stream */
    ALONE_ASK,     /* records wait for answers */
    ALONE_FORMAT,  /* not JSON */
    ALONE_TYPE,
    ALONE_OPTIONS, /* `check`, `unknown` */
    ALONE__COUNT
} IrAlone;

/* Pipelines whose records are decoded once: their main streams have one source each, the same. */
typedef struct IrShare {
    uint32_t *pipelines, count;
    bool *needed; /* leaves of the source's schema that one of them reads */
} IrShare;

typedef struct IrPipeline {
    Str name;
    Span span;
    IrSource *sources; /* those of group 0 first; all of a group have one schema */
    uint32_t source_count, in_schema;
    IrTime time;
    IrStage *stages; /* stages[0] takes the sources' records */
    uint32_t stage_count;
    /* What decides whether stages[0] keeps a record, for its decoder: code without effects, whose
     * failures mean "ask the stage". `needed` of its leaves: what it reads, and the `time` in front
     * of it. NULL: see `push`. */
    IrStage *filter;
    uint32_t filter_keeps; /* BOOL register of the filter */
    IrPush push;
    uint32_t push_node; /* of the first `where`, when there is one */
    uint32_t share;     /* into IrProgram.shares, or NO_INDEX */
    IrAlone alone;
    uint32_t alone_from; /* the other pipeline */
    IrWindow *windows;
    uint32_t window_count;
    IrMem *mems;
    uint32_t mem_count;
    IrJoin *joins;
    uint32_t join_count;
    IrSink *sinks;
    uint32_t sink_count;
    /* `on error`: sinks (indexes) that take the error record; none and not drop = dead */
    uint32_t *error_sinks;
    uint32_t error_sink_count;
    bool error_drop;
    uint32_t error_stage; /* what needs the fields of error records, or NO_INDEX */
    double stop_above;    /* 0 = never; else share 0..1 of failing records within stop_in_ns */
    int64_t stop_in_ns;
    IrNode *nodes;
    uint32_t node_count;
    IrWire *wires;
    uint32_t wire_count;
    bool bounded; /* all sources end by themselves */
} IrPipeline;

typedef struct IrConnection {
    Str name, kind; /* mqtt, modbus */
    Str url;        /* constant part; may hold env references as ${NAME} */
    IrOption *options;
    uint32_t option_count;
    Span span;
} IrConnection;

typedef struct IrMapField {
    Str name;
    IrType type;      /* F32 F64 I32 U32 ... or BOOL */
    Str wire_type;    /* f32 f64 i16 u16 i32 u32 bool */
    Str order;        /* be le be_swap le_swap */
    Str area;         /* holding input coil discrete */
    uint32_t address; /* as written by the user */
    double scale, offset;
    bool tag;
} IrMapField;

typedef struct IrMap {
    Str name, protocol;
    uint32_t unit_id;
    int64_t every_ns;
    int64_t stale_ns; /* a tag that was not read for so long is bad */
    IrMapField *fields;
    uint32_t field_count, schema;
} IrMap;

/* `table NAME from csv "m.csv" key id`: read when a pipeline starts, looked up by one key. */
typedef struct IrTable {
    Str name, kind, path;
    uint32_t schema, key; /* key: leaf of the schema */
    bool reload;          /* when the file changes */
    Span span;
} IrTable;

/* `test NAME "..." { ... }`: steps in order; the bytes of an `in` are what the source would get. */
typedef enum IrStepKind {
    STEP_IN,
    STEP_IN_FILE, /* each line of a file; who runs the test makes STEP_INs of it */
    STEP_CLOCK,
    STEP_EXPECT,
    STEP_EXPECT_FILE, /* all rows that are left, of these sinks, or of all when there are none */
    STEP_NOTHING
} IrStepKind;
typedef enum IrExpectOn { EXPECT_SINK, EXPECT_LATE, EXPECT_ERROR } IrExpectOn;

typedef struct IrExpectField {
    Str path; /* "a.b" in the row's JSON */
    IrType type;
    bool absent;   /* written as null: must be missing */
    Str json;      /* the value as the JSON edge writes it */
    double number; /* of numeric types, compared when has_tolerance */
    bool has_tolerance;
    double tolerance; /* absolute */
    Span span;
} IrExpectField;

typedef struct IrTestStep {
    IrStepKind kind;
    /* IN: the record; EXPECT: the whole row, when field_count is 0; FILE: the path */
    Str text;
    bool as_json;     /* IN: text is JSON, and the record one in a format of bytes */
    uint32_t source;  /* IN, and what comes beside the record: */
    Str topic, key;   /* ptr NULL: the source's address; none */
    Str headers;      /* a JSON object of texts, or empty */
    int64_t clock_ns; /* CLOCK: the wall clock from here on */
    IrExpectOn on;    /* EXPECT: the next row not yet expected of any of these sinks */
    uint32_t *sinks, sink_count;
    IrExpectField *fields;
    uint32_t field_count;
    Span span;
} IrTestStep;

/* What a table holds in a test: another file, or lines of csv. */
typedef struct IrTestTable {
    uint32_t table;
    Str path, text; /* the path is empty when the text counts */
} IrTestTable;

typedef struct IrTest {
    Str text; /* what it shows */
    uint32_t pipeline;
    IrTestTable *tables;
    uint32_t table_count;
    IrTestStep *steps;
    uint32_t step_count;
    Span span;
} IrTest;

/* `check P ...`: every test of a pipeline again, disturbed; the same bytes have to come out. */
typedef struct IrRepeat {
    uint32_t pipeline;
    bool restart; /* saved and loaded into a new instance behind any record */
    bool split;   /* records in batches of any size */
    bool engines; /* on every engine there is */
    Span span;
} IrRepeat;

/* A function of an `extern c` block. */
typedef struct IrExternParam {
    Str name;
    IrType type, item;  /* item: of a LIST of single values */
    uint32_t bytes_max; /* STR, BYTES; LIST: most items */
} IrExternParam;

typedef struct IrExtern {
    Str name;
    uint32_t file; /* into IrProgram.extern_files */
    bool steps;    /* the first argument is its state */
    Str state;     /* name of the state's type in C */
    uint32_t state_bytes;
    IrExternParam *params; /* without the state */
    uint32_t param_count;
    IrType result;
    Span span;
} IrExtern;

/* `alarm NAME { ... }`: a rule about paths of the namespace, as docs/alarms.md has it. */
typedef struct IrAlarm {
    Str name;
    Str rule; /* one JSON object */
    Str text; /* the condition in words: "above 80 [degC], for 5s" */
    Str on;   /* the filter; in a schema the field, or empty: the topic itself */
    Span span;
} IrAlarm;

typedef struct IrProgram {
    Arena *arena;
    const Source *source;
    const Source **used; /* files it uses, without those of the standard library */
    uint32_t used_count;
    const Source **extern_files; /* C, compiled with the program */
    uint32_t extern_file_count;
    const Source **proto_files; /* of messages, with those they import */
    uint32_t proto_file_count;
    IrExtern *externs;
    uint32_t extern_count;
    const void *extern_code; /* their RtExtern functions, for engines of this process; or NULL */
    IrSchema *schemas;
    uint32_t schema_count;
    IrConnection *connections;
    uint32_t connection_count;
    IrMap *maps;
    uint32_t map_count;
    IrTable *tables; /* that some pipeline looks into */
    uint32_t table_count;
    IrPipeline *pipelines;
    uint32_t pipeline_count;
    IrShare *shares;
    uint32_t share_count;
    IrTest *tests;
    uint32_t test_count;
    IrRepeat *repeats; /* the file's checks */
    uint32_t repeat_count;
    IrAlarm *alarms;
    uint32_t alarm_count;
} IrProgram;

typedef struct IrOpInfo {
    const char *text;
    uint8_t operands, result, effect;
} IrOpInfo;

extern const IrOpInfo ir_op_infos[IR_OP__COUNT];
static inline const IrOpInfo *ir_op_info(IrOp op)
{
    return &ir_op_infos[op < IR_OP__COUNT ? op : 0];
}
const char *ir_type_name(IrType type);
/* Items of this schema are single values: its one field has no name. When that is a record, the
 * items are records that may be missing. */
bool ir_is_scalar_item(const IrProgram *program, uint32_t schema);
const char *ir_mem_kind(IrMemKind kind); /* the word of the language */
/* The port whose records a sink takes: `into`, `on error into`, `on late into`. */
IrPort ir_sink_port(const IrPipeline *pipeline, uint32_t sink);
/* Sources of the main stream; others feed joins. */
uint32_t ir_main_sources(const IrPipeline *pipeline);
/* All leaves of a schema, nested records flattened in field order. */
MUST Status ir_leaves(const IrProgram *program, uint32_t schema, Arena *arena, IrLeaf **ret_list,
                      uint32_t *ret_count);

/* The aggregate of records put together in groups has the bytes of all of them one by one. */
bool ir_agg_shares(IrAggKind kind);

/* False when this instruction cannot fail: float arithmetic, widening conversions. */
bool ir_may_fail(const IrStage *stage, const IrIns *ins);

/* The rules of all alarms as a JSON list; nothing when there are none. */
void ir_put_alarms(const IrProgram *program, Buf *out);

/* ST_INTERNAL and a sentence when the program breaks a rule of this file or of ops.def. */
MUST Status ir_verify(const IrProgram *program, Diag *diag);
void ir_dump(const IrProgram *program, Buf *out);
/* "pipelines": nodes, ports, types and wires of each, inside an object; see compiler/graph. */
struct JsonOut;
void ir_graph_pipelines(const IrProgram *program, struct JsonOut *json);

#endif
