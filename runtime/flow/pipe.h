/* runtime/flow/pipe.h: what the files of this folder share; hosts use instance.h. */
#ifndef TUTTI_FLOW_PIPE_H
#define TUTTI_FLOW_PIPE_H

#include "flow/abi.h"
#include "flow/instance.h"
#include "flow/scan.h"
#include "flow/clock.h"
#include "flow/mem.h"
#include "flow/window.h"

enum {
    FLOW_RETIRED_MAX = 32,
    FLOW_SCRATCH_MAX = 64 << 20,
    FLOW_SAMPLE_BYTES = 16 << 10,
    FLOW_KEYS_MAX = 256, /* schemas whose keys are hashed at a time */
    FLOW_CSV_MAX = 17
};

typedef struct FlowSample {
    char *half[2]; /* of one block: the one at hand, and the one before */
    uint32_t len[2], at;
    uint32_t rarely; /* 0: each is kept; 15: one of 16 */
} FlowSample;

struct FlowInstance {
    RtPipe pipe; /* first: pipe.host == this */
    FlowProgram *program;
    uint32_t index;
    FlowLimits limits;
    FlowHost host;
    RtOut dead;
    void *retired[FLOW_RETIRED_MAX]; /* scratch blocks grown out of during this batch */
    uint32_t retired_count;
    uint32_t row_order;    /* of the next row of any sink */
    uint64_t state_bytes;  /* of all windows */
    uint32_t format;       /* RtFormat of the batch at hand */
    const char *broken;    /* its last record, when that is no whole one; else NULL */
    int64_t last_input_ns; /* arrival of the last record */
    int64_t span_start_ns; /* `stop above`: the span at hand and what was counted before it */
    uint64_t span_in, span_errors;
    FlowSample missed, fitted;          /* sample.c */
    struct RtKeys *keys[FLOW_KEYS_MAX]; /* keys.h */
    RtCsv csv[FLOW_CSV_MAX];            /* one a stream, found by its schema */
    int64_t tables_seen_ns;             /* when the files of tables were last looked at */
    struct RtAsking *asking;            /* NULL: nothing is ever asked */
    Buf answer;                         /* to the question at hand, as the host gave it */
    char problem[DIAG_TEXT_BYTES];      /* of a table that could not be read again; empty = fine */
};

static inline FlowInstance *rt_host(RtPipe *pipe)
{
    return (FlowInstance *)pipe->host;
}

/* Bytes that live until the next record; NULL when there is no memory or one record wants more than
 * FLOW_SCRATCH_MAX. */
char *rt_scratch(RtPipe *pipe, u64 bytes);
/* As much as `bytes` of which `used` are filled: p itself where it is the last piece of scratch. */
char *rt_scratch_grow(RtPipe *pipe, char *p, u64 used, u64 bytes);

char *rt_row_begin(RtPipe *pipe, u32 sink, u64 bytes_max);
void rt_row_end(RtPipe *pipe, u32 sink, char *w, RtValue address, RtValue key);
void rt_tap(RtPipe *pipe, u32 wire, const RtValue *values, const u8 *has);
void rt_error(RtPipe *pipe, u32 node, u32 reason, const char *field, const char *name);
/* As rt_error, with a reason and a text of the caller. */
void rt_failed(RtPipe *pipe, u32 node, const char *name, const char *text, const char *field);
void rt_late(RtPipe *pipe, u32 node); /* the record at hand, to the dead-letter table */
void rt_csv_row(RtPipe *pipe, u32 sink, const RtValue *values, const u8 *has, RtValue address);
void rt_missed(RtPipe *pipe);
void rt_fitted(RtPipe *pipe);
void rt_samples_free(FlowInstance *instance);
void rt_stop_check(RtPipe *pipe, int span_ended);

char *rt_put_text(char *w, const char *p, u64 n);
char *rt_put_csv(char *w, const char *p, u64 n);
char *rt_put_base64(char *w, const char *p, u64 n);
/* Base64 with padding and no bits left over, so that writing gives the same text again. */
u32 rt_base64(RtPipe *pipe, const char *p, u64 n, RtValue *ret);
/* Into n / 4 * 3 bytes; a RtReason. */
u32 rt_get_base64(char *to, const char *p, u64 n, u64 *ret_bytes);
char *rt_put_decimal(char *w, i64 v, u32 scale);
/* A value as JSON writes it (text in quotes when `quoted`). */
char *rt_put_value(char *w, const RtField *field, RtValue v, int quoted);
u64 rt_value_bytes(const RtField *field, RtValue v); /* room rt_put_value needs */
/* A record; leaves as its schema numbers them. */
char *rt_put_json(char *w, const RtSchema *schema, const RtValue *values, const u8 *has);
/* Any leaf of a record that may be missing. */
int rt_any_there(const RtSchema *schema, const u8 *has);
u64 rt_json_bytes(const RtSchema *schema, const RtValue *values, const u8 *has);

/* What RtApi says of to_decimal and round_decimal. */
u32 rt_to_decimal(f64 x, u32 scale, i64 *ret);
i64 rt_round_decimal(i64 v, u32 digits, u32 how);
u32 rt_bytes_call(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret); /* of rt_builtin */
u32 rt_builtin(RtPipe *pipe, u32 which, const RtValue *args, u32 count, RtValue *ret);
void rt_meta_level(RtPipe *pipe, u32 level, RtValue *ret);

extern const RtApi rt_api;
extern const char *const rt_reason_names[RT_REASON__COUNT],
    *const rt_reason_texts[RT_REASON__COUNT];

#endif
