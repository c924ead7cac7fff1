/* compiler/type/flow.h: one pipeline while it is checked; only for the files of compiler/type. */
#ifndef TUTTI_COMPILER_TYPE_FLOW_H
#define TUTTI_COMPILER_TYPE_FLOW_H

#include "compiler/type/check.h"

enum { KIND_IN = 1, KIND_OUT = 2, KIND_BOUNDED = 4 };
typedef enum KindAddress {
    ADDRESS_NONE,
    ADDRESS_TEXT,
    ADDRESS_FIXED,
    ADDRESS_NAME,
    ADDRESS_MAYBE,
    ADDRESS_DURATION
} KindAddress;
typedef enum KindFormat {
    KIND_NONE,
    KIND_DECODE,
    KIND_MAP,
    KIND_TRIGGER,
    KIND_MANUAL,
    KIND_ROWS
} KindFormat;

typedef struct ConnectorKind {
    const char *name;
    uint32_t sides;
    KindAddress address;
    KindFormat format;
    const char *doc;
} ConnectorKind;

enum { FLOW_ARMS_MAX = 64, FLOW_SPLITS_MAX = 16 /* inside each other */ };

/* Of each window, beside IrPipeline.windows: what `on late` needs. */
typedef struct FlowWindow {
    const Record *in; /* what goes into it */
    bool has_late;    /* an `on late` spoke of it */
} FlowWindow;

/* What flow__error_begin interrupts. */
typedef struct ErrorPlace {
    IrBuilder builder;
    Row *row;
} ErrorPlace;

/* What holds where the next stage stands. An arm of a split starts with the one around it. */
typedef struct Place {
    const AstPick *clock_by; /* of the time stage before */
    Str *keys;               /* names of keys that the rows here have: of the window before */
    uint32_t key_count;
    uint32_t *clock_regs; /* where the keys of `clock by` are, or NO_REG */
    uint32_t clock_count;
    bool updates; /* rows may come again: `on late update` */
} Place;

/* A pipeline at hand. Lists grow in the arena; `p` is filled at the end.
 *
 * Code is written into one stage at a time (`builder`). A window ends the stage: what follows goes
 * into the stage of its rows. Inside an arm of a split the stage before must go on behind the arm,
 * so flow__leave keeps its builder and flow__back takes it up again. */
typedef struct Flow {
    Check *c;
    const AstItem *item;
    IrPipeline p;
    Place place;
    uint32_t mem_cap;
    uint32_t source_cap, stage_cap, window_cap, sink_cap, node_cap, wire_cap, error_cap;
    uint32_t error_sink_cap, join_cap;
    const Record **groups; /* what the sources of each group give, by group; the main one is NULL */
    uint32_t group_count, group_cap;
    IrBuilder builder; /* of the stage that grows now */
    IrBuilder *left;   /* of stages that may go on */
    uint32_t left_count, left_cap;
    IrStage **stages; /* by index; the pipeline's list is put together at the end */
    uint32_t stage_count;
    Row *row;
    const Record *in_record;
    uint32_t last_node; /* the records come from there */
    IrPort last_port;
    const AstStage *early; /* the first that stands before any `from` */
    bool has_time, has_window, has_sink, has_on_error, has_error_reply;
    IrBuilder error_builder; /* of the stage of records that failed, while another one grows */
    Row *error_row;
    Local error_local; /* `error` */
    bool in_rows;      /* behind a window: no single record is at hand */
    uint32_t time_reg; /* event time, or NO_REG */
    FlowWindow *windows;
    uint32_t flow_window_cap;
    uint32_t late_from;   /* an `on late` here is about this window and those behind it */
    uint32_t splits;      /* open ones: > 0 inside an arm */
    const AstStage *open; /* the last stage whose records nobody has taken yet, or NULL */
} Flow;

/* connect.c */
const ConnectorKind *flow__kind(Check *c, const AstConnector *at, uint32_t side,
                                uint32_t *ret_connection);
/* Checks the options against connectors.def; key lists and maps are left to the caller. */
void flow__options(Check *c, const AstConnector *at, const ConnectorKind *kind, uint32_t side,
                   IrOption **ret_list, uint32_t *ret_count);
IrFormat flow__format(Check *c, const AstName *name, IrFormat preset);
void flow__source(Flow *f, const AstStage *stage);
/* The source itself, and what its records are; NULL after an error. */
const Record *flow__from(Flow *f, const AstConnector *at, const AstDecode *decode, IrSource *s,
                         bool *ret_bounded);
/* A sink that takes `row` (NULL: error records). NO_INDEX after an error. */
uint32_t flow__sink(Flow *f, const AstSink *sink, const Row *row, uint32_t node);
/* mail.c: the row of a mail, { to, subject, body }; NULL after an error. */
const Row *flow__mail(Check *c, const AstConnector *at, const IrSink *s);
bool flow__is_mail(const Check *c, const AstConnector *at);
/* formats.c: the record a format brings when no type is given, or NULL. */
const Record *flow__format_record(Check *c, IrFormat format, Span span);
/* False (reported): the format cannot carry records of this type. */
bool flow__format_takes(Check *c, IrFormat format, const Record *record, Span span);
/* Reports words of `from` that mean nothing to this format. */
void flow__format_words(Check *c, const AstConnector *at, const AstName *name, IrFormat format);
/* Rows become rows of a table, by their fields. */
bool flow__keeps_rows(const ConnectorKind *kind);
/* proto.c: `proto` and `message` are options of the format protobuf. */
bool flow__proto_option(const AstOption *o);
bool flow__is_sparkplug(const AstName *format); /* by its word; else it is as protobuf */
/* How records of this type stand in the message that the options name; NULL after an error. */
const IrProto *flow__proto(Check *c, const AstConnector *at, const AstName *format,
                           const Record *record, bool out, Span span);
bool flow__sink_format(Check *c, const AstSink *sink, const ConnectorKind *kind, const Row *row,
                       IrFormat format);
/* errors.c: code for records that failed; `error` and its fields are what is at hand. */
ErrorPlace flow__error_begin(Flow *f, uint32_t node);
void flow__error_end(Flow *f, const ErrorPlace *place);
void flow__error_sinks(Flow *f, const AstSink *list);
/* triggers.c: what an http path, a period or a schedule has to be; false: reported. */
/* Of `from historian`; NULL after an error (historian.c). */
const Record *flow__table(Check *c, const AstConnector *at, const AstDecode *decode, IrSource *s);
bool flow__trigger(Check *c, const AstConnector *at, IrSource *s, uint32_t *cap);
/* maps.c: the schema of a register map; NULL after an error. */
const Record *flow__map(Check *c, Str name, Span span, uint32_t *ret_map);

/* pipeline.c */
void flow__one(Flow *f, const AstStage *stage);
uint32_t flow__node(Flow *f, const char *kind, Span span);
uint32_t flow__wire(Flow *f, uint32_t from, uint32_t to, IrPort port, uint32_t schema);
/* The records at hand go to `node`: a wire and its PASS. */
void flow__enter(Flow *f, uint32_t node);
IrStage *flow__stage(Flow *f, IrStageFrom from, uint32_t index, uint32_t schema);
void flow__stage_begin(Flow *f, IrStage *stage, uint32_t node);
void flow__leave(Flow *f);                /* before another stage begins */
void flow__back(Flow *f, IrStage *stage); /* to one that was left */
Str flow__label(Flow *f, Span span);      /* the text, shortened to a line */

/* stages.c, filters.c, each.c, join.c, reply.c, split.c, window.c */
void flow__delay(Flow *f, const AstStage *stage);
/* Another stage begins with `after`: where the clock's keys are in it. */
void flow__move_clock(Flow *f, const Row *before, const Row *after);
void flow__drop_unless(Flow *f, uint32_t cond, uint32_t node, Str reason);
void flow__filter(Flow *f, const AstStage *stage, uint32_t node);
void flow__transform(Flow *f, const AstStage *stage);
void flow__keep(Flow *f, const AstPick *picks);
void flow__each(Flow *f, const AstStage *stage);
void flow__join(Flow *f, const AstStage *stage);
void flow__ask(Flow *f, const AstStage *stage);
void flow__split(Flow *f, const AstStage *stage);
void flow__window(Flow *f, const AstStage *stage);
void flow__into(Flow *f, const AstStage *stage);
void flow__reply(Flow *f, const AstStage *stage);
/* `on error reply CODE e`: a stage that begins with the error record. */
void flow__reply_error(Flow *f, const AstStage *stage);
void flow__on(Flow *f, const AstStage *stage);

#endif
