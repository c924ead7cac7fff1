/* runtime/flow/rows.c: rows out: text of values, sink buffers, taps, error records.
 *
 * A writer asks for the most a row can need, writes without checks, and gives the end back. Buffers
 * never shrink, so steady state allocates nothing; above limits.out_bytes the host takes them. */
#include "flow/asking.h"
#include "flow/pipe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "flow/list.h"

#include <string.h>

const char *const rt_reason_names[RT_REASON__COUNT] = {
    "",         "bad_json",    "bad_number",    "bad_time",
    "bad_enum", "bad_value",   "missing_field", "range",
    "too_long", "unknown_key", "future_time",   "overflow",
    "div_zero", "no_match",    "state_full",    "bad_record",
    ""};

const char *const rt_reason_texts[RT_REASON__COUNT] = {
    "",
    "the record is not well-formed",
    "not a number, or not a whole one where the type is",
    "not a time",
    "not one of the names of the enum",
    "another type than the field's, text that is not UTF-8, or no part of a file name",
    "a field that must be there is missing or null",
    "outside `in lo..hi`, of what the type holds, or of what a function takes",
    "text or a list longer than its bound",
    "a field the type does not have",
    "further ahead than `max ahead` allows",
    "a result that does not fit its type, or is not finite",
    "division by zero",
    "no arm of a `match` fits",
    "no room for more keys or open windows",
    "the record is not well-formed, in a format of bytes such as msgpack",
    "the program says so"};

char *rt_scratch(RtPipe *pipe, u64 bytes)
{
    FlowInstance *host = rt_host(pipe);
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > pipe->scratch_cap - pipe->scratch_len) {
        u64 cap = pipe->scratch_cap ? pipe->scratch_cap * 2 : 64 << 10;
        while (cap < bytes && cap < FLOW_SCRATCH_MAX) cap *= 2;
        if (cap < bytes || cap > FLOW_SCRATCH_MAX || host->retired_count == FLOW_RETIRED_MAX)
            return NULL;
        char *more = mem_alloc(cap + RT_PAD_BYTES);
        if (!more) return NULL;
        if (pipe->scratch) host->retired[host->retired_count++] = pipe->scratch;
        pipe->scratch = more;
        pipe->scratch_cap = cap;
        pipe->scratch_len = 0;
    }
    char *p = pipe->scratch + pipe->scratch_len;
    pipe->scratch_len += bytes;
    return p;
}

char *rt_scratch_grow(RtPipe *pipe, char *p, u64 used, u64 bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    u64 start = (u64)p - (u64)pipe->scratch; /* of an older block: far outside */
    if (used && start <= pipe->scratch_len && pipe->scratch_len - start == (used + 15) / 16 * 16 &&
        bytes <= pipe->scratch_cap - start) {
        pipe->scratch_len = start + bytes;
        return p;
    }
    char *more = rt_scratch(pipe, bytes);
    if (more && used) memcpy(more, p, used);
    return more;
}

/* ---- text of values ---- */

char *rt_put_text(char *w, const char *p, u64 n)
{
    static const char hex[] = "0123456789abcdef";
    for (u64 i = 0; i < n; i++) {
        u8 c = (u8)p[i];
        if (c >= 32 && c != '"' && c != '\\') {
            *w++ = (char)c;
            continue;
        }
        *w++ = '\\';
        switch (c) {
        case '"':
        case '\\': *w++ = (char)c; break;
        case '\b': *w++ = 'b'; break;
        case '\f': *w++ = 'f'; break;
        case '\n': *w++ = 'n'; break;
        case '\r': *w++ = 'r'; break;
        case '\t': *w++ = 't'; break;
        default:
            memcpy(w, "u00", 3);
            w[3] = hex[c >> 4];
            w[4] = hex[c & 15];
            w += 5;
        }
    }
    return w;
}

char *rt_put_csv(char *w, const char *p, u64 n)
{
    int quote = n == 0;
    for (u64 i = 0; i < n && !quote; i++)
        quote = p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r';
    if (!quote) {
        memcpy(w, p, n);
        return w + n;
    }
    *w++ = '"';
    for (u64 i = 0; i < n; i++) {
        if (p[i] == '"') *w++ = '"';
        *w++ = p[i];
    }
    *w++ = '"';
    return w;
}

char *rt_put_decimal(char *w, i64 v, u32 scale)
{
    char digits[24];
    u64 rest = v < 0 ? 0 - (u64)v : (u64)v, unit = 1;
    for (u32 i = 0; i < scale; i++) unit *= 10;
    if (v < 0) *w++ = '-';
    w = num_put_u64(w, rest / unit);
    rest %= unit;
    if (!rest) return w;
    u64 n = (u64)(num_put_u64(digits, rest) - digits);
    *w++ = '.';
    memset(w, '0', scale - n);
    memcpy(w + scale - n, digits, n);
    w += scale;
    while (w[-1] == '0') w--;
    return w;
}

u64 rt_value_bytes(const RtField *field, RtValue v)
{
    if (field->type == RT_STR || field->type == RT_BYTES || field->type == RT_JSON)
        return v.s.n * 6 + 8;
    if (field->type == RT_ENUM)
        return v.u < field->name_count ? strlen(field->names[v.u]) * 2 + 8 : 8;
    if (field->type == RT_LIST) return rt_list_bytes(field->child, &v);
    return 64;
}

char *rt_put_value(char *w, const RtField *field, RtValue v, int quoted)
{
    int quotes =
        quoted && (field->type == RT_STR || field->type == RT_BYTES || field->type == RT_TIME ||
                   field->type == RT_DURATION || field->type == RT_ENUM);
    if (quotes) *w++ = '"';
    switch (field->type) {
    case RT_BOOL: memcpy(w, v.i ? "true" : "false", 5), w += v.i ? 4 : 5; break;
    case RT_I32:
    case RT_I64: w = num_put_i64(w, v.i); break;
    case RT_U32:
    case RT_U64: w = num_put_u64(w, v.u); break;
    case RT_F32: w = num_put_f32(w, (f32)v.d); break;
    case RT_F64: w = num_put_f64(w, v.d); break;
    case RT_DECIMAL: w = rt_put_decimal(w, v.i, field->scale); break;
    case RT_TIME: w = rfc3339_put(w, v.i); break;
    case RT_DURATION: w = duration_put(w, v.i); break;
    case RT_ENUM: {
        u64 n = v.u < field->name_count ? strlen(field->names[v.u]) : 0;
        if (n) memcpy(w, field->names[v.u], n);
        w += n;
        break;
    }
    case RT_STR:
        if (quoted)
            w = rt_put_text(w, v.s.p, v.s.n);
        else if (v.s.n)
            memcpy(w, v.s.p, v.s.n), w += v.s.n;
        break;
    case RT_BYTES: w = rt_put_base64(w, v.s.p, v.s.n); break;
    case RT_LIST: w = rt_put_list(w, field->child, &v); break;
    default:
        if (v.s.n) memcpy(w, v.s.p, v.s.n);
        w += v.s.n;
    }
    if (quotes) *w++ = '"';
    return w;
}

/* ---- rows of a schema, walked ---- */

int rt_any_there(const RtSchema *schema, const u8 *has)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD ? !(f->flags & RT_OPTIONAL) || rt_any_there(f->child, has)
                                 : has[f->leaf])
            return 1;
    }
    return 0;
}

u64 rt_json_bytes(const RtSchema *schema, const RtValue *values, const u8 *has)
{
    u64 bytes = 4;
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        bytes += f->name_len * 6u + 4;
        if (f->type == RT_RECORD)
            bytes += rt_json_bytes(f->child, values, has);
        else if (has[f->leaf])
            bytes += rt_value_bytes(f, values[f->leaf]);
    }
    return bytes;
}

char *rt_put_json(char *w, const RtSchema *schema, const RtValue *values, const u8 *has)
{
    char separator = '{';
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD ? (f->flags & RT_OPTIONAL) && !rt_any_there(f->child, has)
                                 : !has[f->leaf])
            continue;
        if (!f->name_len) { /* whole members, each with its comma: `unknown keep` */
            u64 n = values[f->leaf].s.n;
            memcpy(w, n ? values[f->leaf].s.p : "", n);
            if (n && separator == '{') *w = '{';
            if (n) separator = ',';
            w += n;
            continue;
        }
        *w++ = separator;
        separator = ',';
        *w++ = '"';
        w = rt_put_text(w, f->name, f->name_len);
        *w++ = '"';
        *w++ = ':';
        w = f->type == RT_RECORD ? rt_put_json(w, f->child, values, has)
                                 : rt_put_value(w, f, values[f->leaf], 1);
    }
    if (separator == '{') *w++ = '{';
    *w++ = '}';
    return w;
}

void rt_tap(RtPipe *pipe, u32 wire, const RtValue *values, const u8 *has)
{
    RtWire *at = &pipe->wires[wire];
    const RtSchema *schema = pipe->info->wires[wire].schema;
    if (!schema || !at->tap_cap) return; /* another wire of the same bit is watched */
    u64 need = rt_json_bytes(schema, values, has);
    if (need > at->tap_cap) {
        char *more = need < 1 << 20 ? mem_realloc(at->tap, need) : NULL;
        if (!more) return;
        at->tap = more;
        at->tap_cap = (u32)need;
    }
    at->tap_len = (u32)(rt_put_json(at->tap, schema, values, has) - at->tap);
    at->tap_count++;
}

static char *put_csv_fields(char *w, const RtSchema *schema, const RtValue *values, const u8 *has,
                            int *first)
{
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD) {
            w = put_csv_fields(w, f->child, values, has, first);
            continue;
        }
        if (!*first) *w++ = ',';
        *first = 0;
        if (!has[f->leaf]) continue;
        if (f->type == RT_STR || f->type == RT_JSON)
            w = rt_put_csv(w, values[f->leaf].s.p, values[f->leaf].s.n);
        else
            w = rt_put_value(w, f, values[f->leaf], 0);
    }
    return w;
}

void rt_csv_row(RtPipe *pipe, u32 sink, const RtValue *values, const u8 *has, RtValue address)
{
    const RtSchema *schema = pipe->info->sinks[sink].schema;
    char *w = rt_row_begin(pipe, sink, rt_json_bytes(schema, values, has));
    int first = 1;
    if (!w) return;
    w = put_csv_fields(w, schema, values, has, &first);
    *w++ = '\n';
    RtValue none = {.s = {"", 0}};
    rt_row_end(pipe, sink, w, address, none);
}

/* ---- sink buffers ---- */

static int room(char **bytes, u64 len, u64 *cap, u64 more, u64 first)
{
    if (more <= *cap - len) return 1;
    u64 want = *cap ? *cap * 2 : first;
    while (want < len + more) want *= 2;
    char *grown = mem_realloc(*bytes, want);
    if (!grown) return 0;
    *bytes = grown;
    *cap = want;
    return 1;
}

static RtOut *out_of(RtPipe *pipe, u32 sink)
{
    return sink < pipe->info->sink_count ? &pipe->out[sink] : &rt_host(pipe)->dead;
}

char *rt_row_begin(RtPipe *pipe, u32 sink, u64 bytes_max)
{
    FlowInstance *host = rt_host(pipe);
    RtOut *out = out_of(pipe, sink);
    if (out->len + bytes_max > host->limits.out_bytes * 16 && out->len) {
        pipe->out_of_memory = 1;
        return NULL;
    }
    if (!room(&out->bytes, out->len, &out->cap, bytes_max, 64 << 10)) {
        pipe->out_of_memory = 1;
        return NULL;
    }
    return out->bytes + out->len;
}

void rt_row_end(RtPipe *pipe, u32 sink, char *w, RtValue address, RtValue key)
{
    FlowInstance *host = rt_host(pipe);
    RtOut *out = out_of(pipe, sink);
    u64 aside = address.s.n + key.s.n;
    if (out->row_count == out->row_cap) {
        u64 cap = out->row_cap ? out->row_cap * 2 : 256;
        RtRow *rows = mem_realloc(out->rows, cap * sizeof *rows);
        if (!rows) {
            pipe->out_of_memory = 1;
            return;
        }
        out->rows = rows;
        out->row_cap = cap;
    }
    if (aside && !room(&out->aside, out->aside_len, &out->aside_cap, aside, 4096)) {
        pipe->out_of_memory = 1;
        return;
    }
    RtRow *row = &out->rows[out->row_count++];
    row->start = out->len;
    row->len = (u32)((u64)(w - out->bytes) - out->len);
    row->address = out->aside_len;
    row->address_len = (u32)address.s.n;
    row->key = out->aside_len + address.s.n;
    row->key_len = (u32)key.s.n;
    row->order = host->row_order++;
    row->ack = pipe->in_row == 1 ? 0 : pipe->ack;
    if (address.s.n) memcpy(out->aside + row->address, address.s.p, address.s.n);
    if (key.s.n) memcpy(out->aside + row->key, key.s.p, key.s.n);
    out->aside_len += aside;
    out->len = (u64)(w - out->bytes);
    out->rows_total++;
    if (out->len >= host->limits.out_bytes && host->host.full)
        host->host.full(host->host.ctx, host, sink);
}

/* ---- error records ---- */

static char *put_member(char *w, const char *name, const char *text, u64 n)
{
    *w++ = ',';
    *w++ = '"';
    w = rt_put_text(w, name, strlen(name));
    memcpy(w, "\":\"", 3);
    w = rt_put_text(w + 3, text, n);
    *w++ = '"';
    return w;
}

/* Bytes of the character at p; 0: that byte is no UTF-8. */
static u64 character(const char *p, u64 n)
{
    u64 len = 1;
    u8 c = (u8)*p;
    if (c >= 0xc2 && c < 0xf5) len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return len <= n && (c < 0x80 || len > 1) && str_utf8_valid(str_slice(p, len)) ? len : 0;
}

/* With U+FFFD in place of every byte that is not UTF-8: up to 3 n bytes. */
static char *put_utf8(char *w, const char *p, u64 n)
{
    for (u64 i = 0, len; i < n; i += len ? len : 1) {
        len = character(p + i, n - i);
        memcpy(w, len ? p + i : "\xef\xbf\xbd", len ? len : 3);
        w += len ? len : 3;
    }
    return w;
}

/* As rt_put_text, of the same. */
static char *put_raw(char *w, const char *p, u64 n)
{
    if (str_utf8_valid(str_slice(p, n))) return rt_put_text(w, p, n);
    for (u64 i = 0, len; i < n; i += len ? len : 1) {
        len = character(p + i, n - i);
        w = rt_put_text(w, len ? p + i : "\xef\xbf\xbd", len ? len : 3);
    }
    return w;
}

/* What came beside the record, for who runs it again: {"topic":...,"key":...,"headers":{...}}, or
 * nothing. It stands where other rows have their address, and only dead letters have it. */
static RtText beside(RtPipe *pipe, u32 sink)
{
    const RtPipelineInfo *info = pipe->info;
    bool dead = sink == info->sink_count || strcmp(info->sinks[sink].kind, "dead") == 0;
    if (!dead || !pipe->raw_len || !(pipe->topic_len | pipe->key_len | pipe->headers_len))
        return (RtText){"", 0};
    char *start = rt_scratch(pipe, 6 * (pipe->topic_len + pipe->key_len) + pipe->headers_len + 64);
    char *w = start;
    if (!w) return (RtText){"", 0};
    memcpy(w, "{\"topic\":\"", 10);
    w = put_raw(w + 10, pipe->topic_len ? pipe->topic : "", pipe->topic_len);
    memcpy(w, "\",\"key\":\"", 9);
    w = put_raw(w + 9, pipe->key_len ? pipe->key : "", pipe->key_len);
    *w++ = '"';
    if (pipe->headers_len) {
        memcpy(w, ",\"headers\":", 11);
        memcpy(w + 11, pipe->headers, pipe->headers_len);
        w += 11 + pipe->headers_len;
    }
    *w++ = '}';
    return (RtText){start, (u64)(w - start)};
}

static void error_row(RtPipe *pipe, u32 sink, u32 node, const char *reason, const char *text,
                      const char *field, const char *key)
{
    const RtPipelineInfo *info = pipe->info;
    const char *stage = node < info->node_count ? info->nodes[node].kind : "";
    u64 bytes = 512 + 6 * (strlen(reason) + strlen(text) + strlen(info->name) + strlen(stage) +
                           (field ? strlen(field) : 0) + pipe->raw_len);
    char *w = rt_row_begin(pipe, sink, bytes), at[RFC3339_BYTES];
    if (!w) return;
    memcpy(w, "{\"reason\":\"", 11);
    w = rt_put_text(w + 11, reason, strlen(reason));
    *w++ = '"';
    if (field) w = put_member(w, "field", field, strlen(field));
    w = put_member(w, "message", text, strlen(text));
    w = put_member(w, "pipeline", info->name, strlen(info->name));
    w = put_member(w, "stage", stage, strlen(stage));
    w = put_member(w, "at", at, (u64)(rfc3339_put(at, pipe->received_ns) - at));
    memcpy(w, ",\"raw\":\"", 8);
    if (flow_is_bytes(rt_host(pipe)->format))
        w = rt_put_base64(w + 8, pipe->raw, pipe->raw_len);
    else
        w = put_raw(w + 8, pipe->raw_len ? pipe->raw : "", pipe->raw_len);
    memcpy(w, "\"}\n", 3);
    RtValue came = {.s = beside(pipe, sink)}, mark = {.s = {key, strlen(key)}};
    rt_row_end(pipe, sink, w + 3, came, mark);
}

/* Not an error: nothing is counted here. The row's key tells it from one that failed. */
void rt_late(RtPipe *pipe, u32 node)
{
    rt_asking_finish(pipe);
    error_row(pipe, pipe->info->sink_count, node, "late", "its window has closed", NULL, "late");
}

void rt_stop_check(RtPipe *pipe, int span_ended)
{
    FlowInstance *host = rt_host(pipe);
    u64 in = pipe->n.in - host->span_in, errors = pipe->n.errors - host->span_errors;
    if (pipe->info->stop_above <= 0) return;
    if ((span_ended || in >= 1000) && (f64)errors > pipe->info->stop_above * (f64)in)
        pipe->stopped = 1;
    if (!span_ended) return;
    host->span_in = pipe->n.in;
    host->span_errors = pipe->n.errors;
    host->span_start_ns = pipe->received_ns;
}

static RtText text_of(const char *text)
{
    return (RtText){text ? text : "", text ? strlen(text) : 0};
}

/* The record at hand as text: bytes in base64, what is no UTF-8 as put_raw shows it. */
static RtText raw_text(RtPipe *pipe)
{
    u64 n = pipe->raw_len;
    bool bytes = flow_is_bytes(rt_host(pipe)->format);
    if (!n) return (RtText){"", 0};
    if (!bytes && str_utf8_valid(str_slice(pipe->raw, n))) return (RtText){pipe->raw, n};
    char *w = rt_scratch(pipe, bytes ? n / 3 * 4 + 4 : n * 3);
    if (!w) return (RtText){"", 0};
    char *end = bytes ? rt_put_base64(w, pipe->raw, n) : put_utf8(w, pipe->raw, n);
    return (RtText){w, (u64)(end - w)};
}

/* What stands behind `on error` and needs the error record's fields: they come as a row. What fails
 * there cannot say so itself: the record is kept with the dead letters. */
static void error_stage(RtPipe *pipe, u32 node, const char *reason, const char *text,
                        const char *field)
{
    const RtPipelineInfo *info = pipe->info;
    u8 before = pipe->in_row;
    u8 has[] = {1, field != NULL, 1, 1, 1, 1, 1};
    RtValue values[7];
    values[0].s = text_of(reason);
    values[1].s = text_of(field);
    values[2].s = text_of(text);
    values[3].s = text_of(info->name);
    values[4].s = text_of(node < info->node_count ? info->nodes[node].kind : "");
    values[5].i = pipe->received_ns;
    values[6].s = raw_text(pipe);
    if (!before) pipe->in_row = 2;
    pipe->in_error = 1;
    pipe->n.rows++;
    info->run(pipe, info->error_stage, values, has);
    bool lost = pipe->in_error == 2;
    pipe->in_error = 0;
    pipe->in_row = before;
    if (lost) error_row(pipe, info->sink_count, node, reason, text, field, "");
}

void rt_error(RtPipe *pipe, u32 node, u32 reason, const char *field, const char *name)
{
    const char *text = reason < RT_REASON__COUNT ? rt_reason_texts[reason] : "";
    if (!name) name = reason < RT_REASON__COUNT ? rt_reason_names[reason] : "";
    rt_failed(pipe, node, name, text, field);
}

void rt_failed(RtPipe *pipe, u32 node, const char *name, const char *text, const char *field)
{
    const RtPipelineInfo *info = pipe->info;
    rt_asking_failed(pipe);
    if (pipe->in_row)
        pipe->n.row_errors++;
    else
        pipe->n.errors++;
    for (u32 i = 0; i < info->wire_count; i++)
        if (info->wires[i].from == node && info->wires[i].port == 1) pipe->wires[i].count++;
    if (pipe->in_error) {
        pipe->in_error = 2;
        return;
    }
    rt_stop_check(pipe, 0);
    if (info->error_stage != RT_NO_STAGE) error_stage(pipe, node, name, text, field);
    if (info->error_drop) return;
    for (u32 i = 0; i < info->error_sink_count; i++)
        error_row(pipe, info->error_sinks[i], node, name, text, field, "");
    if (!info->error_sink_count) error_row(pipe, info->sink_count, node, name, text, field, "");
}
