/* runtime/flow/ask.c: from a question to rows; see ask.h. */
#include "flow/ask.h"

#include "flow/asking.h"

#include "base/buf.h"
#include "flow/pipe.h"
#include "flow/scan.h"
#include "flow/table.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 8 << 20, ANSWER_BYTES_KEPT = 64 << 10 };

typedef struct Answer {
    RtPipe *pipe;
    const RtAskInfo *ask;
    RtCsv csv;
    char *items;
    u32 count;
} Answer;

/* The cells stand in the order of the type, so there is no header to look for. */
static void columns(Answer *a)
{
    const RtSchema *schema = a->ask->schema;
    for (u32 i = 0; i < schema->count && a->csv.count < RT_LEAVES_MAX; i++)
        if (schema->fields[i].type != RT_RECORD) a->csv.columns[a->csv.count++] = (u16)i;
}

MUST static Status add_row(Answer *a, Str line, Diag *diag)
{
    RtValue values[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    RtScan scan = {.value = values, .has = has};
    const RtSchema *schema = a->ask->schema;
    u32 leaves = schema->leaf_count;
    if (a->count == a->ask->rows_max)
        return a->ask->single ? ST_OK : diag_set(diag, ST_LIMIT, "more than %u rows", a->count);
    if (rt_csv_line(a->pipe, &a->csv, schema, line.ptr, line.ptr + line.len, &scan))
        return diag_set(diag, ST_INVALID, "row %u: %s%s%s", a->count + 1,
                        rt_reason_names[scan.reason], scan.path ? " in " : "",
                        scan.path ? scan.path : "");
    char *item = a->items + (size_t)a->count++ * RT_ITEM_BYTES(leaves);
    memcpy(item, values, leaves * sizeof *values);
    memcpy(item + leaves * sizeof *values, has, leaves);
    return ST_OK;
}

/* Texts point into `text`, which is scratch like the items. */
MUST static Status read_rows(Answer *a, Str rows, Diag *diag)
{
    u32 count = 0, len;
    for (Str at = rows; at.len >= sizeof len; at = str_skip(at, sizeof len + len)) {
        memcpy(&len, at.ptr, sizeof len);
        count++;
    }
    if (count > a->ask->rows_max) count = a->ask->rows_max;
    char *text = rt_scratch(a->pipe, rows.len + RT_PAD_BYTES);
    size_t bytes = (size_t)count * RT_ITEM_BYTES(a->ask->schema->leaf_count);
    if (!text || !(a->items = rt_scratch(a->pipe, bytes + 8)))
        return diag_set(diag, ST_LIMIT, "the answer is too long");
    memcpy(text, rows.ptr, rows.len);
    memset(text + rows.len, 0, RT_PAD_BYTES);
    memset(a->items, 0, bytes);
    columns(a);
    Status st = ST_OK;
    for (Str at = {text, rows.len}; !st && at.len >= sizeof len; at = str_skip(at, len)) {
        memcpy(&len, at.ptr, sizeof len);
        at = str_skip(at, sizeof len);
        st = add_row(a, str_slice(at.ptr, len), diag);
    }
    return st;
}

static void note(FlowInstance *host, const RtAskInfo *ask, const char *why)
{
    char head[100];
    int len = snprintf(head, sizeof head, "ask %.80s: ", ask->name);
    if (why)
        (void)snprintf(host->problem, sizeof host->problem, "%s%.300s", head, why);
    else if (strncmp(host->problem, head, (size_t)len) == 0)
        host->problem[0] = 0;
}

u32 rt_ask(RtPipe *pipe, const RtMemInfo *info, const RtValue *values, const u8 *has, RtValue *ret)
{
    char *copy = rt_scratch(pipe, info->inputs * (sizeof *values + 1) + 1);
    if (!copy) return RT_TOO_LONG;
    memcpy(copy, values, info->inputs * sizeof *values);
    memcpy(copy + info->inputs * sizeof *values, has, info->inputs);
    ret->s.p = copy;
    ret->s.n = 1;
    return RT_FINE;
}

void *rt_ask_begin(RtPipe *pipe, const RtMemInfo *info, const RtValue *values, const u8 *has)
{
    const FlowHost *host = &rt_host(pipe)->host;
    if (!host->ask_begin) return NULL;
    return host->ask_begin(host->ask_ctx, info->ask, values, has, info->inputs);
}

void *rt_ask_first(RtPipe *pipe, u32 asks)
{
    const FlowHost *host = &rt_host(pipe)->host;
    return host->ask_first ? host->ask_first(host->ask_ctx, asks) : NULL;
}

/* Empty, with the room of the answer before. */
static Buf *answer_of(FlowInstance *instance)
{
    Buf *rows = &instance->answer;
    if (rows->cap > ANSWER_BYTES_KEPT) buf_done(rows);
    if (!rows->cap) buf_init(rows, ANSWER_BYTES_MAX);
    buf_clear(rows);
    return rows;
}

void rt_ask_forget(RtPipe *pipe, void *question)
{
    FlowInstance *instance = rt_host(pipe);
    const FlowHost *host = &instance->host;
    if (question) (void)!host->ask_end(host->ask_ctx, question, answer_of(instance), NULL);
}

void rt_ask_answer(RtPipe *pipe, const RtMemInfo *info, void *question, const RtValue *values,
                   const u8 *has, RtValue *ret, u8 *ret_has)
{
    FlowInstance *instance = rt_host(pipe);
    const FlowHost *host = &instance->host;
    Answer answer = {.pipe = pipe, .ask = info->ask};
    Diag diag = {0};
    Buf *rows = answer_of(instance);
    Status st = ST_UNSUPPORTED;
    if (question)
        st = host->ask_end(host->ask_ctx, question, rows, &diag);
    else if (host->ask)
        st = host->ask(host->ask_ctx, info->ask, values, has, info->inputs, rows, &diag);
    else
        diag_set(&diag, st, "nobody here answers questions");
    if (!st && rows->failed) st = diag_set(&diag, ST_LIMIT, "the answer is too long");
    if (!st && rows->len) st = read_rows(&answer, buf_view(rows), &diag);
    if (!st && info->ask->single && !answer.count)
        st = diag_set(&diag, ST_NOT_FOUND, "the answer has no row");
    note(instance, info->ask, st ? diag.text : NULL);
    *ret_has = st == ST_OK;
    ret->s.p = st ? rt_no_item : answer.items;
    ret->s.n = st ? info->ask->single : answer.count;
}
