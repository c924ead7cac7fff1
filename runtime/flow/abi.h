/* runtime/flow/abi.h: what generated code and the runtime agree on.
 *
 * The text of this file (with abi_data.h before and hot.h behind it) stands at the top of every
 * generated C file, so it includes nothing and defines its own integer names; a standard header
 * would cost gcc more time than the pipeline itself. Generated code is thin: control flow, offsets
 * and constants. Everything else is called through RtApi, a table of functions handed over at load,
 * so that any executable can load any pipeline without exported symbols. Change anything here and
 * RT_ABI must grow.
 *
 * Who owns what: the host owns RtPipe (instance.h makes it); the .so owns only constants and code,
 * never state, so two instances of one .so may run at once on two threads. */
#ifndef TUTTI_FLOW_ABI_H
#define TUTTI_FLOW_ABI_H

#ifndef TUTTI_FLOW_ABI_DATA_H
#include "flow/abi_data.h" /* never in generated text: it stands above there */
#endif

/* ---- what a program is ---- */

typedef struct RtSourceInfo {
    const char *kind, *connection, *address; /* connection: name or "" */
    const char *options;                     /* JSON object as text */
    const char *format;                      /* json csv text raw msgpack cbor protobuf */
    u32 node;
    u32 group; /* 0 = the main stream */
    u8 bounded;
    u8 check, reject; /* how much is looked at: RtCheck; 1: unknown fields are an error */
    u8 keeps;         /* unknown fields are kept */
    u8 headers;       /* somebody reads meta.headers */
    u8 differs;       /* its check or reject is not the one that learnt layouts go by */
    const RtProto *proto;
} RtSourceInfo;

enum {
    RT_SINK_ADDRESS = 1, /* computed per row */
    RT_SINK_ERROR = 2,
    RT_SINK_LATE = 4,
    RT_SINK_FRAMED = 8 /* protobuf in a file: the length in front of each row */
};

typedef struct RtSinkInfo {
    const char *kind, *connection, *address, *options, *format;
    const char *keys; /* JSON list of field paths: `key (...)`; "[]" = none */
    u32 node, flags;
    const RtSchema *schema; /* of its rows; NULL for error records */
    const RtProto *proto;
} RtSinkInfo;

typedef struct RtNodeInfo {
    const char *kind, *label;
    u32 line, column; /* in the .tutti file, from 1 */
} RtNodeInfo;

typedef struct RtWireInfo {
    u32 from, to; /* nodes */
    u32 port;     /* 0 out, 1 error, 2 late */
    const RtSchema *schema;
} RtWireInfo;

typedef enum RtAggKind {
    RT_AGG_COUNT,
    RT_AGG_COUNT_IF,
    RT_AGG_SUM,
    RT_AGG_MEAN,
    RT_AGG_MIN,
    RT_AGG_MAX,
    RT_AGG_FIRST,
    RT_AGG_LAST,
    RT_AGG_STDDEV,
    RT_AGG_QUANTILE,
    RT_AGG_DISTINCT,
    RT_AGG_DELTA, /* the latest value minus the earliest */
    RT_AGG_RATE,  /* DELTA per second between the two */
    RT_AGG_TIME_WEIGHTED,
    RT_AGG_LIST,
    RT_AGG_REVISION /* rows made of this slot before: `on late update` */
} RtAggKind;

/* State of one aggregate of one key in one window; generated code lays them out in a struct. All
 * zero is empty. */
typedef struct RtCount {
    u64 n;
} RtCount;
typedef struct RtSum { /* SUM: of the member the type says; MEAN: d */
    RtValue sum;
    u64 n;
} RtSum;
typedef struct RtPick { /* MIN MAX FIRST LAST */
    RtValue value;      /* of texts: n bytes at `text` of the RtPickText */
    u64 n;              /* values seen */
} RtPick;
typedef struct RtEnds { /* DELTA RATE */
    RtValue first, last;
    i64 first_ns, last_ns;
    u64 n;
} RtEnds;
typedef struct RtArea { /* TIME_WEIGHTED: value times ns up to the last one, which holds on */
    f64 area, last;
    i64 first_ns, last_ns;
    u64 n;
} RtArea;
typedef struct RtSet { /* DISTINCT: hashes, open addressed, until there are too many for its bits;
                          then one byte each of 1 << bits registers */
    u64 *hashes;
    u8 *registers;
    u64 used, cap;
} RtSet;
typedef struct RtItems { /* LIST: items as RT_ITEM_BYTES(1) lays them out, texts owned */
    char *items;
    u64 n, cap;
} RtItems;
typedef struct RtVariance { /* Welford */
    u64 n;
    f64 mean, m2;
} RtVariance;
/* Counts of values in buckets of a fixed relative width: each power of two is cut into 1 << bits
 * equal parts, so a bucket's middle is within 1 / (2 << bits) of every value in it. */
typedef struct RtChunk {
    struct RtChunk *next;
    u32 octave; /* sign and exponent bits of its values */
    u32 used;
    u32 count[];
} RtChunk;
/* Its latest values wait in a list, which is short and near; when it is full they are counted all
 * at once. Few values need no counts at all. */
typedef struct RtSketch {
    u64 n, zeros;    /* counted already: zeros, and those in chunks; `used` more are not */
    u32 *list;       /* the bucket of each: its sign, exponent and highest `bits` bits */
    u32 used, cap;   /* of the list; RT_SKETCH_LIST_MAX at most */
    RtChunk **table; /* 16, by RT_OCTAVE_AT; NULL: nothing was counted */
} RtSketch;

enum { RT_SKETCH_LIST_MAX = 256 };

/* Values of one size and both signs have places of their own: temperatures around zero. */
#define RT_OCTAVE_AT(octave) (((octave) ^ (octave) >> 8) & 15)

/* What generated code keeps up itself of a slot it found in RtSeen: in front of the aggregates. */
typedef struct RtSlotHead {
    u64 count;
    i64 first_ns, last_ns; /* of the records in it, by arrival */
} RtSlotHead;

/* The slots a key was last found to have, by the words of the key (rt_key_words in hot.h): what the
 * inlined look-up reads. Around a border two windows of a key are open: one in each place. */
typedef struct RtSeen {
    u64 a, b;        /* key */
    u64 len;         /* of a text, plus 1; 0 = nothing here */
    i64 start_ns[2]; /* of the windows */
    void *slot[2];   /* their aggregates; NULL = nothing known */
    u64 unused;      /* 64 bytes */
} RtSeen;
typedef struct RtSeenTable {
    RtSeen *list; /* 1 << bits, and one more; NULL: not for keys like these */
    u32 shift;    /* 64 - bits */
} RtSeenTable;

typedef struct RtAggInfo {
    u8 kind, type; /* RtAggKind; RtType of the input */
    u8 scale;      /* DECIMAL */
    u8 bits;       /* QUANTILE: buckets per power of two, DISTINCT: registers; both 1 << bits */
    u8 each;       /* with panes: each window counts it by itself */
    u32 offset;    /* of its state in the slot; sizes by rt_agg_bytes in window.h */
    u32 bytes_max; /* FIRST, LAST, MIN, MAX of text */
    u32 count;     /* LIST: most items */
    f64 p;         /* QUANTILE */
    const char *name;
} RtAggInfo;

typedef enum RtWindowKind {
    RT_WINDOW_TUMBLE,
    RT_WINDOW_COUNT,
    RT_WINDOW_HOP,
    RT_WINDOW_SESSION,
    RT_WINDOW_DELAY /* each record by itself, until its time plus size_ns */
} RtWindowKind;

typedef struct RtWindowInfo {
    const char *name; /* stable between versions: state moves by name and layout */
    u64 layout;       /* hash of everything that must be equal for state to move */
    u8 kind;          /* RtWindowKind */
    u8 event_time;
    u8 late_dead; /* a late record goes to the dead-letter table */
    u8 own_clock; /* its keys hold those of `clock by`: each key has its own watermark */
    u8 panes;     /* HOP: what overlaps is counted once (pane.c) */
    i64 size_ns;  /* TUMBLE HOP; SESSION: the gap; DELAY */
    i64 every_ns; /* HOP: from start to start */
    i64 max_ns;   /* SESSION: longest; 0 = no limit */
    i64 early_ns; /* rows of open windows this often; 0 = none */
    i64 keep_ns;  /* `on late update`: closed ones are kept so long; 0 = not */
    u64 size_count;
    u32 key_count, agg_count;
    const u8 *key_types;
    const u32 *key_bytes_max;
    const u8 *key_scales;                /* DECIMAL: digits behind the point */
    const char *const *const *key_names; /* names of the keys that are enums */
    const RtAggInfo *aggs;
    u32 slot_bytes; /* aggregates of one key in one window */
    u32 node;
    u32 asks; /* questions that its records had before */
} RtWindowInfo;

/* Functions and stages that remember something of earlier records, a cell for each key. */
typedef enum RtMemKind {
    RT_MEM_PREV,
    RT_MEM_DELTA,
    RT_MEM_RATE,
    RT_MEM_EMA,
    RT_MEM_HYSTERESIS,
    RT_MEM_HELD,
    RT_MEM_BASELINE,
    RT_MEM_EDGE, /* `x becomes v` */
    RT_MEM_DEDUPE,
    RT_MEM_DEADBAND,
    RT_MEM_THROTTLE,
    RT_MEM_SAMPLE,
    RT_MEM_CELL, /* a function in C and, when it steps, its state: plain bytes */
    RT_MEM_ASK,  /* a question to a database or a server */
    RT_MEM__COUNT
} RtMemKind;

enum {
    RT_MEM_RESETS = 1, /* DELTA, RATE: a second input, where the counter starts again */
    RT_MEM_SHARE = 2,  /* DEADBAND: the distance is a share of the value */
    RT_MEM_STARTS = 4  /* EDGE: true before the first record */
};

/* `ask`. Its values are the memory's inputs, its answer a list of rows: the last leaf of `row`,
 * which is what the stage behind it begins with. */
typedef struct RtAskInfo {
    const char *name, *kind; /* historian, sqlite, http */
    const char *target;      /* sqlite: the file; http: get, post */
    const char *text;        /* SQL with ?1 ...; an address with \1 for each value, \2 the body */
    const RtSchema *schema;  /* of a row, all of it needed */
    const u8 *types;         /* of the values */
    u32 rows_max, retries;
    i64 timeout_ns, backoff_ns;
    const RtSchema *row;
    u32 stage, limit; /* questions at once */
    u32 asks;         /* other questions that its records had before */
    u8 single;        /* the first row; without one there is no answer */
    u8 unordered;     /* records go on as their answers come */
} RtAskInfo;

typedef struct RtMemInfo {
    const char *name; /* stable between versions: state moves by name and layout */
    u64 layout;
    u8 kind, type, flags; /* RtMemKind; RtType of the first input */
    u32 bytes_max;        /* PREV of text; CELL: size */
    u32 inputs;           /* behind the keys */
    u32 key_count;
    const u8 *key_types;
    const u32 *key_bytes_max;
    u32 external; /* CELL: into RtProgram.externs */
    i64 span_ns;  /* EMA HELD BASELINE DEDUPE THROTTLE SAMPLE; DEADBAND: longest silence, 0 = any */
    u64 count;    /* THROTTLE */
    u32 node;
    const RtAskInfo *ask; /* ASK */
} RtMemInfo;
/* `join last`: the last row of each key of another stream. */
typedef struct RtJoinInfo {
    const char *name; /* stable between versions: state moves by name and layout */
    u64 layout;
    const RtSchema *schema; /* of the row */
    u32 key_count, node;
    const u8 *key_types;
    const u32 *key_bytes_max;
    i64 within_ns; /* 0 = for ever */
} RtJoinInfo;

/* A file of reference data, read when an instance starts. */
typedef struct RtTableInfo {
    const char *name, *path;
    const RtSchema *schema; /* of a row, all of it needed */
    u32 key;                /* leaf */
    u8 reload;              /* when the file changes */
} RtTableInfo;

struct RtPipe;
struct RtApi;

/* A closed window's row, handed to RtPipelineInfo.row. values: keys, start, end, aggregates, in the
 * order of the window's output schema; has[i] = 0: no value (mean of nothing). */
typedef struct RtWindowRow {
    const RtValue *values;
    const u8 *has;
    i64 start_ns, end_ns;
} RtWindowRow;

typedef struct RtPipelineInfo {
    const char *name;
    const RtSourceInfo *sources;
    const RtSinkInfo *sinks;
    const RtNodeInfo *nodes;
    const RtWireInfo *wires;
    const RtWindowInfo *windows;
    const RtMemInfo *mems;
    const RtJoinInfo *joins;
    const u32 *tables; /* into RtProgram.tables: those it looks into */
    u32 source_count, sink_count, node_count, wire_count, window_count, mem_count;
    u32 join_count, table_count;
    const u32 *error_sinks; /* none and not error_drop: the dead-letter table */
    u32 error_sink_count;
    u32 error_stage; /* runs for every record that fails; RT_NO_STAGE = none */
    u8 error_drop, bounded, has_time;
    u32 clock_keys; /* `clock by`: a watermark for each key; 0 = one for all */
    const u8 *clock_types;
    const u32 *clock_bytes_max;
    i64 order_ns, idle_ns, ahead_ns; /* ahead 0 = no limit */
    f64 stop_above;                  /* 0 = never */
    i64 stop_in_ns;
    const RtSchema *in;
    u32 layout_count; /* learnt layouts compiled in */
    /* Runs the records of one batch through the pipeline. */
    void (*feed)(struct RtPipe *pipe, const RtBatch *batch);
    /* Runs one closed row of a window through what follows it. NULL without windows. */
    void (*row)(struct RtPipe *pipe, u32 window, const RtWindowRow *row);
    /* Runs a row through a stage that begins behind `each`; has[leaf] = 0: missing. */
    void (*run)(struct RtPipe *pipe, u32 stage, const RtValue *values, const u8 *has);
    /* For an engine without a .so: what feed and row work from, and its memory in one instance,
     * which open gives (NULL: out of memory) and close frees. All NULL in compiled programs. */
    const void *code;
    void *(*open)(struct RtPipe *pipe);
    void (*close)(struct RtPipe *pipe);
} RtPipelineInfo;

typedef struct RtConnectionInfo {
    const char *name, *kind, *url, *options;
} RtConnectionInfo;

/* Functions a program may call, by the IDs of stdlib/builtins.def. */
typedef enum RtBuiltin {
    RT_FN_SQRT,
    RT_FN_POW,
    RT_FN_EXP,
    RT_FN_LOG,
    RT_FN_LOG10,
    RT_FN_LOG2,
    RT_FN_SIN,
    RT_FN_COS,
    RT_FN_TAN,
    RT_FN_ATAN2,
    RT_FN_ROUND,
    RT_FN_FLOOR,
    RT_FN_CEIL,
    RT_FN_TRUNC,
    RT_FN_ROUND_TO,
    RT_FN_LEN,
    RT_FN_UPPER,
    RT_FN_LOWER,
    RT_FN_TRIM,
    RT_FN_SUBSTR,
    RT_FN_REPLACE,
    RT_FN_SPLIT_PART,
    RT_FN_PARSE_INT,
    RT_FN_PARSE_FLOAT,
    RT_FN_PARSE_DURATION,
    RT_FN_PARSE_DECIMAL,
    RT_FN_UNKNOWN_FIELDS,
    RT_FN_JSON_MEMBER,
    RT_FN_JSON_ITEM,
    RT_FN_JSON_TEXT,
    RT_FN_JSON_INT,
    RT_FN_PARSE_TIME,
    RT_FN_HEX,
    RT_FN_FROM_HEX,
    RT_FN_FROM_BASE64,
    RT_FN_UTF8,
    RT_FN_TO_UTF8,
    RT_FN_NOW,
    RT_FN_YEAR,
    RT_FN_MONTH,
    RT_FN_DAY,
    RT_FN_HOUR,
    RT_FN_MINUTE,
    RT_FN_SECOND,
    RT_FN_WEEKDAY,
    RT_FN_YEARDAY,
    RT_FN_BUCKET,
    RT_FN_SECONDS,
    RT_FN_UNIX_MS,
    RT_FN_FROM_UNIX_MS
} RtBuiltin;

/* A function of an `extern c` block behind its wrapper: its state (8-aligned), the arguments, the
 * result. Other than 0: the result is not finite. */
typedef u32 (*RtExtern)(void *state, const RtValue *args, RtValue *ret);

/* Pipelines whose main streams have one source, the same: one decoder for all. */
typedef struct RtShare {
    const u32 *pipelines;
    u32 count;
    /* Runs the records of one batch through all; of its source, each pipeline's first. pipes[i]:
     * NULL or stopped: takes no part. NULL: this engine feeds each by itself. */
    void (*feed)(struct RtPipe *const *pipes, const RtBatch *batch);
} RtShare;

/* The one symbol a .so exports: `const RtProgram tutti_program`. */
typedef struct RtProgram {
    u32 abi; /* RT_ABI, checked before anything else is read */
    u32 pipeline_count;
    const char *name; /* of the .tutti file, without folder */
    const char *hash; /* of the generated text */
    const RtPipelineInfo *pipelines;
    const RtConnectionInfo *connections;
    const RtTableInfo *tables;
    const RtExtern *externs; /* C functions of the program, by RtMemInfo.external */
    const RtShare *shares;
    const char *alarms; /* JSON list of rules (docs/alarms.md), or NULL */
    u32 connection_count, table_count, share_count;
    void (*bind)(const struct RtApi *api); /* called once after dlopen */
} RtProgram;

/* ---- what runs ---- */

/* in == emitted + state + filtered + late + errors, at every end of feed(). Each record ends in
 * exactly one way: it reached a sink, went into a window's state, was filtered, late or failed.
 * Rows made by windows and by `each` are counted apart: rows == row_emitted + row_state +
 * row_filtered + row_late + row_errors. A record that `each` made rows of counts as emitted. */
typedef struct RtCounters {
    u64 in, emitted, state, filtered, late, errors;
    u64 rows, row_emitted, row_state, row_filtered, row_late, row_errors;
    u64 bytes_in, learnt;   /* learnt: records that fitted a learnt layout */
    u64 layout[RT_LAYOUTS]; /* the same for each */
    u64 missed;             /* good records that fitted none */
    u64 duplicate_keys;
    u64 shared; /* records that came decoded: another pipeline's turn was the decoder's */
} RtCounters;

typedef struct RtWire {
    u64 count; /* records that went over it */
    char *tap; /* last row as JSON while watched; owned by the instance */
    u32 tap_len, tap_cap;
    u64 tap_count; /* rows written to tap, to see that it changed */
} RtWire;

struct RtWindow; /* window.h */
struct RtMem;    /* mem.h */
struct RtTable;  /* table.h */
struct RtJoin;   /* join.h */
struct RtClock;  /* clock.h */

/* One running instance of a pipeline. Generated code reads and writes the first part directly. */
typedef struct RtPipe {
    RtCounters n;
    RtWire *wires;
    RtOut *out; /* one per sink */
    struct RtWindow **windows;
    RtSeenTable *seen; /* per window */
    struct RtMem **mems;
    struct RtTable **tables; /* by index of the program; NULL where it does not look */
    struct RtJoin **joins;
    struct RtClock *clock; /* NULL without `clock by` */
    u64 watch;             /* bit (wire & 63) set: somebody looks at that wire */
    i64 event_ns;          /* event time of the record at hand */
    i64 watermark_ns, highest_ns;
    i64 close_ns;          /* the earliest end of an open window: one compare per record */
    i64 received_ns;       /* of the record at hand */
    u32 source;            /* of the record at hand */
    u32 lane;              /* of the clock of the record at hand; 0 = the pipeline's */
    u8 layout[RT_LAYOUTS]; /* numbers of the learnt layouts, the one that fitted last first */
    u64 ack;               /* of the record at hand */
    const char *raw;       /* the record at hand, for error records and meta.raw */
    u64 raw_len;
    const char *topic, *key, *headers;
    u64 topic_len, key_len, headers_len;
    char *scratch; /* text made while one record is worked on; grows up to a maximum */
    u64 scratch_len, scratch_cap;
    u8 stopped;  /* `stop above` fired */
    u8 in_error; /* in the stage of an error record; 2: something failed there */
    u8 in_row;   /* working on a row, not on an input record: 1 of a window, 2 of that record */
    u8 out_of_memory;
    u8 asked;   /* the record at hand waits for an answer: it is counted when it has come */
    u8 closing; /* windows are being advanced to the watermark, one after the other */
    struct RtDay {
        u64 a, minute; /* bytes 0 to 7 and 8 to 15 of a time text: date, hour and minute */
        i64 minute_ns;
        u32 b; /* bytes 7 to 10 */
        i64 ns;
    } day; /* of the time text seen last: rt_day_begin */
    const RtPipelineInfo *info;
    void *engine; /* what info->open gave */
    void *host;   /* the instance */
} RtPipe;

/* What the any-order scanner found: value[leaf] and has[leaf] for needed leaves. Of several
 * failures the one of the field declared first is reported; bad_json goes before all. */
typedef struct RtScan {
    RtValue *value;
    u8 *has;
    /* `check lazy`, of a stage that begins with a `where`: 0 = the stage will drop the record.
     * Asked when the fields that are RT_EARLY have come and are good. Of such a record no more is
     * looked at (but for taps while a wire is watched), and nothing that is wrong with it counts.
     */
    u32 (*keeps)(RtPipe *, const RtValue *, const u8 *); /* NULL: keeps all */
    const RtField *field;                                /* that failed; NULL = the whole record */
    u32 reason;                                          /* RtReason */
    const char *path; /* of what failed: "a.b", "samples[3]"; NULL = the whole record */
} RtScan;

enum { RT_CHECK_RECORD, RT_CHECK_LAZY, RT_CHECK_STRICT };
enum { RT_UNKNOWN_IGNORE, RT_UNKNOWN_REJECT };

/* The primitives of hot.h as functions, for code that was compiled without optimising. */
typedef struct RtHot {
    const char *(*plain)(const char *p);
    const char *(*line_end)(const char *p, const char *end);
    u32 (*at_end)(const char *p, const char *end, u32 lines);
    const char *(*plus_number)(const char *p);
    const char *(*pass_number)(const char *p);
    const char *(*plus_f64)(const char *p, f64 *ret);
    const char *(*short_f64)(const char *p, f64 *ret);
    const char *(*plus_int)(const char *p, i64 *ret);
    const char *(*short_int)(const char *p, i64 *ret);
    u32 (*time24)(const struct RtDay *day, const char *p, i64 *ret);
    char *(*put_plain)(const struct RtApi *rt, char *w, const char *p, u64 n);
    u32 (*watermark)(RtPipe *, const struct RtApi *rt, i64 ns, i64 order, i64 limit);
    void *(*seen_words)(RtPipe *, u32 window, i64 ns, i64 size, u32 event_time, u64 a, u64 b,
                        u64 len);
    void *(*seen_text)(RtPipe *, u32 window, i64 ns, i64 size, u32 event_time, RtText key);
    u32 (*add_sketch)(RtPipe *, const struct RtApi *rt, u32 window, RtSketch *, f64 x, u32 bits);
} RtHot;

/* Functions the runtime lends to generated code. Scanners take a pointer to the first byte of a
 * value and return the one behind it, or NULL when it is not what it should be; they may read up to
 * RT_PAD_BYTES behind the record. Writers take the place to write to, return the one behind it. */
typedef struct RtApi {
    u32 abi, bytes;
    /* JSON in, for what the inline primitives of hot.h gave up on */
    const char *(*number)(const char *p, const char *end, f64 *ret);
    const char *(*integer)(const char *p, const char *end, i64 *ret); /* whole, by value */
    /* a multiple of 10^-scale; `cut`: further digits are cut off instead of refused */
    const char *(*decimal)(const char *p, const char *end, u32 scale, int cut, i64 *ret,
                           u32 *reason);
    const char *(*pass_number)(const char *p, const char *end);
    const char *(*pass_text)(const char *p, const char *end); /* behind '"' -> at the closing '"' */
    const char *(*text)(RtPipe *, const char *p, const char *end, RtValue *ret); /* and unescapes */
    /* One whole value, checked. `depth`, here and below: records around it, at least 1. */
    const char *(*skip)(const char *p, const char *end, u32 depth);
    int (*time)(struct RtDay *day, const char *p, u64 len, i64 *ret);
    /* Any value of a field of the record (but of records and lists), quotes and all, range and
     * length checked. NULL: look again in any order. */
    const char *(*value)(RtPipe *, const RtField *, const char *p, const char *end, u32 depth,
                         RtValue *ret);
    /* Any order: a whole record. 0 = fine, else a RtReason (also in scan, with the field). */
    int (*scan)(RtPipe *, const RtSchema *, u32 check, u32 unknown, const char *p, const char *end,
                RtScan *scan);
    int (*scan_csv)(RtPipe *, const RtSchema *, const char *p, const char *end,
                    RtScan *scan); /* -1: header */
    int (*scan_text)(RtPipe *, const RtSchema *, const char *p, const char *end, RtScan *scan);
    int (*scan_raw)(RtPipe *, const RtSchema *, const char *p, const char *end, RtScan *scan);
    /* A record in a format of bytes, as scan. */
    int (*scan_bytes)(RtPipe *, u32 format, const RtSchema *, u32 check, u32 unknown, const char *p,
                      const char *end, RtScan *scan);
    /* The record at hand is good but fitted no learnt layout: counts, keeps it as a sample. */
    void (*missed)(RtPipe *);
    /* One of RT_FITTED_EVERY that fitted: keeps it as a sample. */
    void (*fitted)(RtPipe *);
    /* text out; 32 bytes are enough for any number or time */
    char *(*put_f64)(char *w, f64 v);
    char *(*put_f32)(char *w, f32 v);
    char *(*put_i64)(char *w, i64 v);
    char *(*put_u64)(char *w, u64 v);
    char *(*put_time)(char *w, i64 ns);
    char *(*put_duration)(char *w, i64 ns); /* up to 48 bytes */
    char *(*put_decimal)(char *w, i64 v, u32 scale);
    char *(*put_text)(char *w, const char *p, u64 n); /* escaped, without quotes: up to 6 n bytes */
    char *(*put_csv)(char *w, const char *p, u64 n);  /* quoted when needed: up to 2 n + 2 bytes */
    char *(*put_base64)(char *w, const char *p, u64 n);
    /* rows */
    char *(*row_begin)(RtPipe *, u32 sink, u64 bytes_max); /* room, or NULL: no memory */
    void (*row_end)(RtPipe *, u32 sink, char *w, RtValue address, RtValue key);
    void (*tap)(RtPipe *, u32 wire, const RtValue *values, const u8 *has);
    /* The record at hand failed: counts, makes the error record. Texts may be NULL. */
    void (*error)(RtPipe *, u32 node, u32 reason, const char *field, const char *name);
    /* A row of a sink in csv or a format of bytes. */
    void (*other_row)(RtPipe *, u32 sink, u32 format, const RtValue *values, const u8 *has,
                      RtValue address);
    /* time and windows */
    void (*close)(RtPipe *); /* closes every window that ends at or before pipe->watermark_ns */
    /* State of (keys, window of `ns`). NULL: late when *reason is 0, else that failure. */
    void *(*slot)(RtPipe *, u32 window, i64 ns, const RtValue *keys, u32 *reason);
    void (*slot_full)(RtPipe *, u32 window, void *slot); /* count windows: after each add */
    /* The record fails before anything of it was added: the slot is as if it had not come. */
    void (*slot_back)(RtPipe *, u32 window, void *slot);
    /* The sketch's list is full: makes room in it. 0: there is none. */
    u32 (*sketch_room)(RtPipe *, u32 window, RtSketch *, u32 bits);
    /* texts of one record, in pipe->scratch; NULL: longer than max */
    char *(*scratch)(RtPipe *, u64 bytes);
    int (*contains)(const char *a, u64 an, const char *b, u64 bn);
    int (*compare)(const char *a, u64 an, const char *b, u64 bn); /* by bytes: <0, 0, >0 */
    int (*matches)(const char *automaton, const char *p, u64 n);  /* base/pattern.h */
    void (*meta_level)(RtPipe *, u32 level, RtValue *ret); /* of the topic, from 0; or empty */
    u32 (*builtin)(RtPipe *, u32 which, const RtValue *args, u32 count,
                   RtValue *ret); /* a reason */
    f64 (*fmod)(f64 a, f64 b);
    u32 (*base64)(RtPipe *, const char *p, u64 n, RtValue *ret); /* to bytes; a RtReason */
    /* decimals: the multiple of 10^-scale nearest to x, halves away from zero; a RtReason */
    u32 (*to_decimal)(f64 x, u32 scale, i64 *ret);
    /* without its last `digits` digits; how: 0 nearest, halves away from zero; 1 floor, 2 ceil,
     * 3 towards zero */
    i64 (*round_decimal)(i64 v, u32 digits, u32 how);
    /* lists. `item` is the schema of an item; results are a RtReason (0 = fine) */
    u32 (*list)(RtPipe *, const RtSchema *item, const RtValue *values, const u8 *has, u32 count,
                RtValue *ret); /* count items, their leaves one after the other; in scratch */
    /* args: list, index. Single values come with their `has`, others as an ITEM. */
    u32 (*index)(RtPipe *, const RtSchema *item, const RtValue *args, RtValue *ret, u8 *ret_has);
    u32 (*list_has)(RtPipe *, const RtSchema *item, const RtValue *args,
                    RtValue *ret); /* args: list, value; ret.i */
    /* kind: RtAggKind SUM to STDDEV, of the items that are there */
    u32 (*list_agg)(RtPipe *, const RtSchema *item, u32 kind, const RtValue *list, RtValue *ret);
    /* A JSON array at p, for the learnt layout: NULL: look again in any order. */
    const char *(*scan_list)(RtPipe *, const RtSchema *item, u32 items_max, u32 check, u32 unknown,
                             const char *p, const char *end, u32 depth, RtValue *ret);
    char *(*put_list)(char *w, const RtSchema *item, const RtValue *list);
    u64 (*list_bytes)(const RtSchema *item, const RtValue *list); /* room put_list needs */
    /* Row of a table with that key. Without one the item is all missing, *ret_has 0. */
    void (*lookup)(RtPipe *, u32 table, const RtValue *key, RtValue *ret, u8 *ret_has);
    /* The row is the last one of these keys; a reason. `ns`: when the record at hand arrived. */
    u32 (*remember)(RtPipe *, u32 join, i64 ns, const RtValue *keys, const RtValue *v, const u8 *h);
    /* The last row of these keys, not older than `within`, as lookup gives it. */
    void (*recall)(RtPipe *, u32 join, i64 ns, const RtValue *keys, RtValue *ret, u8 *ret_has);
    /* Runs every item of a list through `stage`: v[0 .. row) and h are there, the item's leaves
     * come behind them. Returns how many items. */
    u64 (*each)(RtPipe *, u32 stage, const RtSchema *item, RtValue list, RtValue *v, u8 *h,
                u32 row);
    /* Any record into any window: a value and has for each aggregate. 1: late when *reason is 0. */
    u32 (*window_add)(RtPipe *, u32 window, i64 ns, const RtValue *keys, const RtValue *values,
                      const u8 *has, u32 *reason);
    u32 (*clock)(RtPipe *, i64 ns, const RtValue *keys); /* CLOCK: a reason */
    /* MEM: args are the keys, then the inputs; has[i] = 0: missing. Result and a reason. */
    u32 (*mem)(RtPipe *, u32 mem, i64 ns, const RtValue *args, const u8 *has, RtValue *ret,
               u8 *ret_has);
    const RtHot *hot;
} RtApi;

#endif
