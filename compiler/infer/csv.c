/* compiler/infer/csv.c: lines of CSV (RFC 4180) as records: what runtime/flow/csv.c would read. */
#include "compiler/infer/infer_int.h"

#include <math.h>
#include <stdlib.h>

/* The next cell, its quotes undone in `room`; *rest moves behind its comma, to NULL at the end. */
static bool cell(Str *rest, Buf *room, Str *ret_text)
{
    const char *at = rest->ptr, *end = rest->ptr + rest->len;
    buf_clear(room);
    if (at < end && *at == '"') {
        for (at++;; at++) {
            if (at >= end) return false;
            if (*at == '"' && (at + 1 >= end || at[1] != '"')) break;
            if (*at == '"') at++;
            buf_char(room, *at);
        }
        at++;
        if (at < end && *at != ',') return false;
    } else {
        for (; at < end && *at != ','; at++) {
            if (*at == '"') return false;
            buf_char(room, *at);
        }
    }
    *ret_text = buf_view(room);
    *rest = at < end ? str_slice(at + 1, (size_t)(end - at - 1)) : STR_NONE;
    return !buf_status(room);
}

static bool number(Str text, double *ret_value)
{
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.ptr[i])) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *stop;
    *ret_value = strtod(copy, &stop);
    return *stop == '\0' && isfinite(*ret_value);
}

static Status see_cell(Infer *in, Seen *s, Str text)
{
    int64_t whole;
    double value;
    s->count++;
    if (text.len == 0) { /* an empty cell is missing */
        s->nulls++;
    } else if (str_is(text, "true") || str_is(text, "false")) {
        s->bools++;
    } else if (str_to_i64(text, &whole)) {
        infer__integer(s, whole);
    } else if (number(text, &value)) {
        infer__number(s, value);
        s->numbers++;
    } else {
        return infer__text(in, s, text);
    }
    return ST_OK;
}

static bool taken(const Infer *in, Str name)
{
    for (const Seen *s = in->root.first; s; s = s->next)
        if (str_eq(s->name, name)) return true;
    return false;
}

/* Columns from the first line: its cells when they are different names, else c1, c2 ... */
static Status columns(Infer *in, Str line, bool names, Buf *room)
{
    Str text;
    bool more = true;
    while (more) {
        Status st = ST_OK;
        if (!cell(&line, room, &text)) return ST_INVALID;
        more = line.ptr != NULL;
        if (in->column_count == INFER_COLUMNS_MAX) return ST_LIMIT;
        Str name = names ? text : arena_printf(in->arena, "c%u", in->column_count + 1);
        Seen *s = infer__field(in, &in->root, name, &st);
        if (!s) return st;
        in->columns[in->column_count++] = s;
    }
    return ST_OK;
}

static bool names_only(Infer *in, Str line, Buf *room)
{
    Infer trial = {.arena = in->arena};
    Str text;
    bool more = true;
    while (more) {
        Status st = ST_OK;
        if (!cell(&line, room, &text) || !infer__is_name(text) || taken(&trial, text) ||
            str_is(text, "true") || str_is(text, "false") ||
            !infer__field(&trial, &trial.root, text, &st))
            return false;
        more = line.ptr != NULL;
    }
    return true;
}

static Status values(Infer *in, Str line, Buf *room)
{
    Str text;
    for (uint32_t i = 0; i < in->column_count; i++) {
        if (!line.ptr || !cell(&line, room, &text)) return ST_INVALID;
        Status st = see_cell(in, in->columns[i], text);
        if (st) return st;
    }
    if (line.ptr) return ST_INVALID; /* more cells than columns */
    in->root.count++;
    return ST_OK;
}

/* The whole line must fit before any of its cells counts. */
static bool fits(const Infer *in, Str line, Buf *room)
{
    Str text;
    uint32_t count = 0;
    while (line.ptr) {
        if (!cell(&line, room, &text)) return false;
        count++;
    }
    return count == in->column_count;
}

void infer_next_file(Infer *in)
{
    in->column_count = 0;
    in->has_header = false;
}

Status infer_csv(Infer *in, Str line)
{
    AUTO_BUF Buf room;
    buf_init(&room, (size_t)16 << 20);
    if (!line.ptr) line = STR("");
    if (!in->column_count) {
        in->has_header = names_only(in, line, &room);
        Status st = columns(in, line, in->has_header, &room);
        if (st || in->has_header) return st;
    }
    return fits(in, line, &room) ? values(in, line, &room) : ST_INVALID;
}
