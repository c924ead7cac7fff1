/* runtime/flow/scan.h: JSON by RFC 8259, strictly, against a schema, with keys in any order.
 *
 * The reading of record for the whole product: the learnt layout in generated code may only accept
 * what this accepts, with the same values. All functions stay between p and end, except that
 * vectors may touch the RT_PAD_BYTES behind end. They return the place behind what they read, or
 * NULL. */
#ifndef TUTTI_FLOW_SCAN_H
#define TUTTI_FLOW_SCAN_H

#include "flow/abi.h"

const char *rt_skip_space(const char *p, const char *end);
const char *rt_number_end(const char *p, const char *end); /* grammar only */
/* p behind the opening quote; at the closing one. Checks escapes, surrogates and UTF-8. */
const char *rt_string_end(const char *p, const char *end, u32 *ret_escapes);
/* A whole value with at most `levels` (up to RT_JSON_DEPTH_MAX) objects and arrays inside each
 * other. */
const char *rt_skip_levels(const char *p, const char *end, u32 levels);
const char *rt_skip_value(const char *p, const char *end); /* of a field of the record */
const char *rt_text(RtPipe *pipe, const char *p, const char *end, RtValue *ret);
/* A number as a whole multiple of 10^-scale. *ret_reason: 0, RT_BAD_NUMBER (not exact, unless
 * `cut`) or RT_RANGE. NULL: not a JSON number. */
const char *rt_decimal(const char *p, const char *end, u32 scale, int cut, i64 *ret,
                       u32 *ret_reason);
const char *rt_integer(const char *p, const char *end, i64 *ret);
/* `day` remembers a date and a minute for the next text: from rt_day_begin on those of a real time,
 * so that nothing else can be equal to them. */
void rt_day_begin(struct RtDay *day);
int rt_time_text(struct RtDay *day, const char *p, u64 len, i64 *ret);

int rt_scan_json(RtPipe *, const RtSchema *, u32 check, u32 unknown, const char *p, const char *end,
                 RtScan *scan);
/* Which field each column is; all zero: the first line was not seen yet. */
typedef struct RtCsv {
    const RtSchema *schema; /* whose lines these are */
    u16 columns[RT_LEAVES_MAX];
    u32 count;
} RtCsv;
int rt_csv_line(RtPipe *pipe, RtCsv *csv, const RtSchema *schema, const char *p, const char *end,
                RtScan *scan);
int rt_scan_csv(RtPipe *, const RtSchema *, const char *p, const char *end, RtScan *scan);
/* One field is the whole line or message: as text without its line end, or every byte of it. */
int rt_scan_text(RtPipe *, const RtSchema *, const char *p, const char *end, RtScan *scan);
int rt_scan_raw(RtPipe *, const RtSchema *, const char *p, const char *end, RtScan *scan);

const char *rt_scan_list(RtPipe *, const RtSchema *item, u32 items_max, u32 check, u32 unknown,
                         const char *p, const char *end, u32 depth, RtValue *ret);

/* "samples[3]", "lines[3].quantity": what is wrong `inside` the item of that index. */
const char *rt_item_path(RtPipe *pipe, const char *of, u64 index, const char *inside);

/* The value at p, neither null nor the record or list of a field that is one; *ret_reason: a
 * RtReason. NULL: not JSON. */
const char *rt_value(RtPipe *pipe, const RtField *field, const char *p, const char *end, u32 levels,
                     RtValue *ret, u32 *ret_reason);
/* args: a record's text, names each with a line end: the members that are not named, each with a
 * comma before it, as they came (a line end between tokens becomes a space). */
u32 rt_unknown_fields(RtPipe *pipe, const RtValue *args, RtValue *ret);
/* RT_FN_JSON_...: parts of a JSON text (inside.c). */
u32 rt_inside(RtPipe *pipe, u32 which, const RtValue *args, RtValue *ret);
/* Decoded text to a value of the field's type; returns a RtReason. Shared by JSON and CSV. */
u32 rt_value_from_text(RtPipe *pipe, const RtField *field, const char *p, u64 n, RtValue *ret);
/* The number at p as the field's type has it; NULL: not the grammar of a JSON number. */
const char *rt_value_number(const RtField *field, const char *p, const char *end, RtValue *ret,
                            u32 *ret_reason);
u32 rt_wrong_type(const RtField *field); /* the reason of a value of another type */
/* Range and length of a decoded value; returns a RtReason. */
u32 rt_value_check(const RtField *field, RtValue v);

#endif
