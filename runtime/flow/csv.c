/* runtime/flow/csv.c: a line of CSV (RFC 4180) against a schema.
 *
 * A record is one line: a quoted cell may hold commas and doubled quotes but no line end. When
 * every cell of the first line is the name of a field, it is the header and says the order of the
 * columns; otherwise the columns are in the order of the type. An empty cell is a missing value,
 * except for text that must be there, which it makes the empty text. */
#include "flow/scan.h"

#include "base/num.h"
#include "base/str.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

/* The next cell; *p moves behind its comma, or to NULL at the end of the line. 0 = not CSV. */
static int cell(RtPipe *pipe, const char **p, const char *end, RtValue *ret)
{
    const char *at = *p;
    if (at < end && *at == '"') {
        char *w = rt_scratch(pipe, (u64)(end - at)), *first = w;
        if (!w) return 0;
        for (at++;; at++) {
            if (at >= end) return 0;
            if (*at == '"') {
                if (at + 1 < end && at[1] == '"')
                    at++;
                else
                    break;
            }
            *w++ = *at;
        }
        ret->s.p = first;
        ret->s.n = (u64)(w - first);
        at++;
        if (at < end && *at != ',') return 0;
    } else {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (memchr(at, '"', (size_t)(stop - at))) return 0;
        ret->s.p = at;
        ret->s.n = (u64)(stop - at);
        at = stop;
    }
    *p = at < end ? at + 1 : NULL;
    return 1;
}

/* True when the line names fields only: then it is the header. */
static int header(RtPipe *pipe, RtCsv *csv, const RtSchema *schema, const char *p, const char *end)
{
    u32 count = 0;
    while (p && count < RT_LEAVES_MAX) {
        RtValue text;
        u32 f = 0;
        if (!cell(pipe, &p, end, &text)) break;
        while (f < schema->count && (schema->fields[f].name_len != text.s.n ||
                                     memcmp(schema->fields[f].name, text.s.p, text.s.n) != 0))
            f++;
        if (f == schema->count) break;
        csv->columns[count++] = (u16)f;
    }
    if (!p && count) {
        csv->count = count;
        return 1;
    }
    csv->count = schema->count < RT_LEAVES_MAX ? schema->count : RT_LEAVES_MAX;
    for (u32 i = 0; i < csv->count; i++) csv->columns[i] = (u16)i;
    return 0;
}

static u32 number(const RtField *field, Str text, RtValue *ret)
{
    static const u8 unit_scale[] = {0, 9, 6, 3, 0};
    const char *end = text.ptr + text.len, *stop;
    u32 reason = RT_FINE, scale = field->type == RT_DECIMAL ? field->scale : 0;
    if (field->type == RT_F64 || field->type == RT_F32) {
        stop = num_get_f64(text.ptr, end, &ret->d);
        if (field->type == RT_F32 && stop) ret->d = (f64)(f32)ret->d;
        if (stop && !isfinite(ret->d)) reason = RT_RANGE;
    } else {
        if (field->type == RT_TIME) scale = unit_scale[field->time_read];
        stop = rt_decimal(text.ptr, end, scale, field->type == RT_TIME, &ret->i, &reason);
        if (field->type == RT_I32 && (ret->i < INT32_MIN || ret->i > INT32_MAX)) reason = RT_RANGE;
        if (field->type == RT_U32 && (ret->i < 0 || ret->i > UINT32_MAX)) reason = RT_RANGE;
        if (field->type == RT_U64 && ret->i < 0) reason = RT_RANGE;
    }
    if (stop != end) return field->type == RT_TIME ? RT_BAD_TIME : RT_BAD_NUMBER;
    return reason;
}

static u32 value(RtPipe *pipe, const RtField *field, RtValue text, RtValue *ret)
{
    Str s = {text.s.p, text.s.n};
    u32 reason;
    if (field->type == RT_BOOL) {
        if (!str_is(s, "true") && !str_is(s, "false")) return RT_BAD_VALUE;
        ret->i = str_is(s, "true");
        return RT_FINE;
    }
    if ((field->type >= RT_I32 && field->type <= RT_DECIMAL) ||
        (field->type == RT_TIME && field->time_read))
        reason = number(field, s, ret);
    else if (field->type == RT_JSON) {
        *ret = text;
        reason = rt_skip_value(s.ptr, s.ptr + s.len) == s.ptr + s.len ? RT_FINE : RT_BAD_VALUE;
    } else {
        if (!str_utf8_valid(s)) return RT_BAD_VALUE;
        reason = rt_value_from_text(pipe, field, s.ptr, s.len, ret);
    }
    return reason ? reason : rt_value_check(field, *ret);
}

static void fail(RtScan *scan, const RtField *field, u32 reason)
{
    if (scan->reason && (!field || (scan->field && scan->field->leaf <= field->leaf))) return;
    scan->reason = reason;
    scan->field = field;
    scan->path = field ? field->path : NULL;
}

int rt_csv_line(RtPipe *pipe, RtCsv *csv, const RtSchema *schema, const char *p, const char *end,
                RtScan *scan)
{
    memset(scan->has, 0, schema->leaf_count);
    scan->reason = RT_FINE;
    scan->field = NULL;
    scan->path = NULL;
    if (end > p && end[-1] == '\r') end--;
    if (!csv->count && header(pipe, csv, schema, p, end)) return -1;
    for (u32 column = 0; p; column++) {
        RtValue text, v = {.i = 0};
        if (!cell(pipe, &p, end, &text) || column >= csv->count) {
            scan->field = NULL;
            scan->path = NULL;
            return (int)(scan->reason = RT_BAD_JSON);
        }
        const RtField *field = &schema->fields[csv->columns[column]];
        if (!(field->flags & RT_NEEDED) || field->type == RT_RECORD) continue;
        bool may_be_empty = field->type == RT_STR || field->type == RT_BYTES;
        if (!text.s.n && (!may_be_empty || (field->flags & RT_OPTIONAL))) continue;
        u32 reason = value(pipe, field, text, &v);
        if (reason) fail(scan, field, reason);
        scan->value[field->leaf] = v;
        scan->has[field->leaf] = 1;
    }
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        if ((field->flags & RT_NEEDED) && !(field->flags & RT_OPTIONAL) && !scan->has[field->leaf])
            fail(scan, field, RT_MISSING_FIELD);
    }
    return (int)scan->reason;
}

/* Each stream of a pipeline has its own header. */
int rt_scan_csv(RtPipe *pipe, const RtSchema *schema, const char *p, const char *end, RtScan *scan)
{
    FlowInstance *host = rt_host(pipe);
    u32 i = 0;
    while (i + 1 < FLOW_CSV_MAX && host->csv[i].schema && host->csv[i].schema != schema) i++;
    host->csv[i].schema = schema;
    return rt_csv_line(pipe, &host->csv[i], schema, p, end, scan);
}
