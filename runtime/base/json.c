/* runtime/base/json.c: one pass over the text with an explicit stack, and a writer.
 *
 * The reader keeps the open objects and arrays in a fixed list of JSON_DEPTH_MAX entries instead of
 * recursing, so hostile nesting costs an error and no stack. UTF-8 is checked once for the whole
 * text before the first byte is looked at. Duplicate keys are found by comparing while an object
 * is small and by a hash table when it closes otherwise: a million keys stay linear.
 * Number text follows ECMA-262 Number::toString, so that a browser prints the same. */
#include "base/json.h"

#include "base/hash.h"
#include "base/num.h"

#include <math.h>

enum { KEYS_COMPARED_MAX = 16 };

typedef struct Reader {
    Arena *arena;
    Str text;
    size_t at;
    Json *open[JSON_DEPTH_MAX]; /* containers not yet closed */
    Json *last[JSON_DEPTH_MAX]; /* their last child */
    uint32_t depth;
    Diag *diag;
} Reader;

static Status fail_at(Reader *r, size_t at, const char *what)
{
    size_t line = 1, start = 0;
    if (at > r->text.len) at = r->text.len;
    for (size_t i = 0; i < at; i++) {
        if (r->text.ptr[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    return diag_set(r->diag, ST_INVALID, "JSON line %zu column %zu: %s", line, at - start + 1,
                    what);
}

static Status fail(Reader *r, const char *what)
{
    return fail_at(r, r->at, what);
}

static Status no_memory(Reader *r)
{
    return diag_set(r->diag, ST_NO_MEMORY, "JSON: no memory left for the tree");
}

static int peek(const Reader *r)
{
    return r->at < r->text.len ? (unsigned char)r->text.ptr[r->at] : -1;
}

static void skip_space(Reader *r)
{
    for (int c; (c = peek(r)) == ' ' || c == '\n' || c == '\r' || c == '\t';) r->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(int c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when they are not four hexadecimal digits. */
static int32_t read_hex4(Reader *r)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = hex_value(peek(r));
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Behind "\u": one code point, from a surrogate pair where there is one. Lone surrogates have no
 * UTF-8 and are refused. */
static Status read_unicode(Reader *r, char *to, size_t *len)
{
    size_t start = r->at;
    int32_t high = read_hex4(r);
    if (high < 0) return fail(r, "\\u needs four hexadecimal digits");
    uint32_t c = (uint32_t)high;
    if (high >= 0xdc00 && high <= 0xdfff) return fail_at(r, start, "lone low surrogate");
    if (high >= 0xd800 && high <= 0xdbff) {
        if (peek(r) != '\\' || r->at + 1 >= r->text.len || r->text.ptr[r->at + 1] != 'u')
            return fail_at(r, start, "lone high surrogate");
        r->at += 2;
        int32_t low = read_hex4(r);
        if (low < 0xdc00 || low > 0xdfff) return fail_at(r, start, "lone high surrogate");
        c = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    }
    *len += put_utf8(to + *len, c);
    return ST_OK;
}

static Status read_escape(Reader *r, char *to, size_t *len)
{
    static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    if (c < 0) return fail(r, "the string does not end");
    if (c == 'u') {
        r->at++;
        return read_unicode(r, to, len);
    }
    const char *found = memchr(from, c, sizeof from - 1);
    if (!found) return fail(r, "unknown escape");
    r->at++;
    to[(*len)++] = is[found - from];
    return ST_OK;
}

/* At the opening quote. An escape never gets longer by decoding, so the source length is enough. */
static Status read_string(Reader *r, Str *ret_text)
{
    size_t start = ++r->at, end = start;
    while (end < r->text.len && r->text.ptr[end] != '"') end += r->text.ptr[end] == '\\' ? 2 : 1;
    if (end >= r->text.len) return fail_at(r, start - 1, "the string does not end");
    char *to = arena_alloc(r->arena, end - start + 1);
    if (!to) return no_memory(r);
    size_t len = 0;
    while (r->at < end) {
        int c = peek(r);
        if (c < 0x20) return fail(r, "control character inside a string");
        r->at++;
        if (c != '\\') {
            to[len++] = (char)c;
            continue;
        }
        Status st = read_escape(r, to, &len);
        if (st) return st;
    }
    r->at++;
    *ret_text = (Str){to, len};
    return ST_OK;
}

static void skip_digits(Reader *r)
{
    while (is_digit(peek(r))) r->at++;
}

static Status read_number(Reader *r, Json *json)
{
    size_t start = r->at;
    bool whole = true;
    if (peek(r) == '-') r->at++;
    if (!is_digit(peek(r))) return fail(r, "a digit was expected");
    if (peek(r) == '0')
        r->at++;
    else
        skip_digits(r);
    if (peek(r) == '.') {
        whole = false;
        r->at++;
        if (!is_digit(peek(r))) return fail(r, "a digit was expected behind the point");
        skip_digits(r);
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        whole = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-') r->at++;
        if (!is_digit(peek(r))) return fail(r, "a digit was expected in the exponent");
        skip_digits(r);
    }
    Str source = str_slice(r->text.ptr + start, r->at - start);
    if (!num_get_f64(source.ptr, source.ptr + source.len, &json->number))
        return fail_at(r, start, "not a number");
    if (!isfinite(json->number)) return fail_at(r, start, "the number is out of range");
    json->type = whole && str_to_i64(source, &json->integer) ? JSON_INT : JSON_NUMBER;
    return ST_OK;
}

static Status read_word(Reader *r, Json *json)
{
    static const struct {
        Str word;
        JsonType type;
    } words[] = {{{"null", 4}, JSON_NULL}, {{"false", 5}, JSON_FALSE}, {{"true", 4}, JSON_TRUE}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!str_starts(str_skip(r->text, r->at), words[i].word)) continue;
        json->type = words[i].type;
        r->at += words[i].word.len;
        return ST_OK;
    }
    return fail(r, peek(r) < 0 ? "the text ends too early" : "a value was expected");
}

static Json *first_with_key(const Json *object, Str key)
{
    Json *child = object->first;
    while (child && !str_eq(child->key, key)) child = child->next;
    return child;
}

/* Duplicate keys of an object too large for comparing each with each. */
static Status check_keys(Reader *r, const Json *object)
{
    Map seen;
    Status st = ST_OK;
    map_init(&seen, object->count);
    for (Json *child = object->first; child && !st; child = child->next) {
        if (map_get(&seen, child->key))
            st = fail_at(r, (size_t)(child->raw.ptr - r->text.ptr), "this key is there twice");
        else if (map_put(&seen, child->key, child))
            st = no_memory(r);
    }
    map_done(&seen);
    return st;
}

/* At the quote of a key: reads it and the colon. */
static Status read_key(Reader *r, const Json *object, Str *ret_key)
{
    size_t start = r->at;
    Str key = STR_NONE;
    if (peek(r) != '"') return fail(r, "a key in quotes was expected");
    Status st = read_string(r, &key);
    if (st) return st;
    if (object->count < KEYS_COMPARED_MAX && first_with_key(object, key))
        return fail_at(r, start, "this key is there twice");
    skip_space(r);
    if (peek(r) != ':') return fail(r, "':' was expected");
    r->at++;
    skip_space(r);
    *ret_key = key;
    return ST_OK;
}

static void add_child(Reader *r, Json *child)
{
    uint32_t top = r->depth - 1;
    if (r->last[top])
        r->last[top]->next = child;
    else
        r->open[top]->first = child;
    r->last[top] = child;
    r->open[top]->count++;
}

/* Reads one value or the opening of a container; *ret_opened says which. */
static Status read_value(Reader *r, Str key, bool *ret_opened, Json **ret_json)
{
    Json *json = arena_one(r->arena, Json);
    if (!json) return no_memory(r);
    json->key = key;
    json->raw.ptr = r->text.ptr + r->at;
    int c = peek(r);
    bool opens = c == '{' || c == '[';
    if (opens && r->depth == JSON_DEPTH_MAX) return fail(r, "nested too deeply");
    if (r->depth) add_child(r, json);
    Status st = ST_OK;
    if (opens) {
        json->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        r->at++;
        r->open[r->depth] = json;
        r->last[r->depth++] = NULL;
    } else if (c == '"') {
        json->type = JSON_STRING;
        st = read_string(r, &json->text);
    } else if (c == '-' || is_digit(c)) {
        st = read_number(r, json);
    } else {
        st = read_word(r, json);
    }
    if (st) return st;
    json->raw.len = (size_t)(r->text.ptr + r->at - json->raw.ptr);
    *ret_opened = opens;
    *ret_json = json;
    return ST_OK;
}

/* After a value: closes containers as long as closers follow. True in *ret_more: a next value. */
static Status close_or_comma(Reader *r, bool just_opened, bool *ret_more)
{
    while (r->depth) {
        Json *top = r->open[r->depth - 1];
        skip_space(r);
        int c = peek(r);
        if (c == (top->type == JSON_OBJECT ? '}' : ']')) {
            if (top->type == JSON_OBJECT && top->count > KEYS_COMPARED_MAX) {
                Status st = check_keys(r, top);
                if (st) return st;
            }
            r->at++;
            top->raw.len = (size_t)(r->text.ptr + r->at - top->raw.ptr);
            r->depth--;
            just_opened = false;
            continue;
        }
        if (!just_opened) {
            if (c != ',')
                return fail(r, top->type == JSON_OBJECT ? "',' or '}' was expected"
                                                        : "',' or ']' was expected");
            r->at++;
            skip_space(r);
        }
        *ret_more = true;
        return ST_OK;
    }
    *ret_more = false;
    return ST_OK;
}

Status json_read(Arena *arena, Str text, const Json **ret_json, Diag *diag)
{
    Reader r = {.arena = arena, .text = text, .diag = diag};
    Json *root = NULL;
    bool more = true;
    if (!str_utf8_valid(text)) return fail_at(&r, 0, "the text is not UTF-8");
    skip_space(&r);
    while (more) {
        Str key = STR_NONE;
        Json *json = NULL;
        bool opened = false;
        Status st = ST_OK;
        if (r.depth && r.open[r.depth - 1]->type == JSON_OBJECT)
            st = read_key(&r, r.open[r.depth - 1], &key);
        if (!st) st = read_value(&r, key, &opened, &json);
        if (!root) root = json;
        if (!st) st = close_or_comma(&r, opened, &more);
        if (st) return st;
    }
    skip_space(&r);
    if (r.at != text.len) return fail(&r, "text behind the value");
    *ret_json = root;
    return ST_OK;
}

const Json *json_get(const Json *object, const char *name)
{
    if (!object || object->type != JSON_OBJECT) return NULL;
    return first_with_key(object, str_from(name));
}

const Json *json_at(const Json *array, uint32_t index)
{
    if (!array || array->type != JSON_ARRAY || index >= array->count) return NULL;
    const Json *child = array->first;
    while (child && index--) child = child->next;
    return child;
}

Str json_str(const Json *object, const char *name, Str preset)
{
    const Json *json = json_get(object, name);
    return json && json->type == JSON_STRING ? json->text : preset;
}

int64_t json_int(const Json *object, const char *name, int64_t preset)
{
    const Json *json = json_get(object, name);
    return json && json->type == JSON_INT ? json->integer : preset;
}

double json_number(const Json *object, const char *name, double preset)
{
    const Json *json = json_get(object, name);
    return json && (json->type == JSON_INT || json->type == JSON_NUMBER) ? json->number : preset;
}

bool json_bool(const Json *object, const char *name, bool preset)
{
    const Json *json = json_get(object, name);
    if (!json || (json->type != JSON_TRUE && json->type != JSON_FALSE)) return preset;
    return json->type == JSON_TRUE;
}

/* ---- writer ---- */

void json_out_init(JsonOut *out, Buf *buf)
{
    memset(out, 0, sizeof *out);
    out->buf = buf;
}

static void before_value(JsonOut *out)
{
    if (out->after_key) {
        out->after_key = false;
        return;
    }
    if (out->comma[out->depth]) buf_char(out->buf, ',');
    out->comma[out->depth] = true;
}

static void begin(JsonOut *out, bool is_object)
{
    before_value(out);
    if (out->depth == JSON_DEPTH_MAX) {
        out->buf->failed = ST_LIMIT; /* also stops the matching json_end from being wrong unseen */
        return;
    }
    out->depth++;
    out->comma[out->depth] = false;
    out->is_object[out->depth] = is_object;
    buf_char(out->buf, is_object ? '{' : '[');
}

void json_begin_object(JsonOut *out)
{
    begin(out, true);
}

void json_begin_array(JsonOut *out)
{
    begin(out, false);
}

void json_end(JsonOut *out)
{
    if (!out->depth) return;
    buf_char(out->buf, out->is_object[out->depth] ? '}' : ']');
    out->depth--;
}

/* Bytes of one well-formed UTF-8 character at the start of text, 0 when there is none. */
static size_t utf8_bytes(Str text)
{
    unsigned char c = (unsigned char)text.ptr[0];
    size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return text.len >= want && str_utf8_valid(str_slice(text.ptr, want)) ? want : 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c < 0x80;
}

static void put_control(Buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", named[] = "\b\f\n\r\t", as[] = "bfnrt";
    const char *found = memchr(named, c, sizeof named - 1);
    buf_char(buf, '\\');
    if (c == '"' || c == '\\') {
        buf_char(buf, (char)c);
    } else if (found) {
        buf_char(buf, as[found - named]);
    } else {
        buf_text(buf, "u00");
        buf_char(buf, hex[c >> 4]);
        buf_char(buf, hex[c & 15]);
    }
}

static void put_quoted(Buf *buf, Str text)
{
    size_t start = 0, at = 0;
    buf_char(buf, '"');
    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        if (is_plain(c)) {
            at++;
            continue;
        }
        size_t bytes = c >= 0x80 ? utf8_bytes(str_skip(text, at)) : 0;
        if (bytes) {
            at += bytes;
            continue;
        }
        buf_add(buf, text.ptr + start, at - start);
        if (c >= 0x80)
            buf_text(buf, "\xef\xbf\xbd");
        else
            put_control(buf, c);
        start = ++at;
    }
    if (at > start) buf_add(buf, text.ptr + start, at - start); /* NULL + 0 is not defined in C */
    buf_char(buf, '"');
}

void json_key_str(JsonOut *out, Str name)
{
    before_value(out);
    put_quoted(out->buf, name);
    buf_char(out->buf, ':');
    out->after_key = true;
}

void json_key(JsonOut *out, const char *name)
{
    json_key_str(out, str_from(name));
}

void json_put_str(JsonOut *out, Str text)
{
    before_value(out);
    put_quoted(out->buf, text);
}

void json_put_text(JsonOut *out, const char *text)
{
    if (text)
        json_put_str(out, str_from(text));
    else
        json_put_null(out);
}

void json_put_int(JsonOut *out, int64_t value)
{
    before_value(out);
    buf_i64(out->buf, value);
}

void json_put_uint(JsonOut *out, uint64_t value)
{
    before_value(out);
    buf_u64(out->buf, value);
}

void json_put_number(JsonOut *out, double value)
{
    before_value(out);
    char text[NUM_TEXT_BYTES];
    if (!isfinite(value))
        buf_text(out->buf, "null");
    else
        buf_add(out->buf, text, (size_t)(num_put_f64(text, value) - text));
}

void json_put_bool(JsonOut *out, bool value)
{
    before_value(out);
    buf_text(out->buf, value ? "true" : "false");
}

void json_put_null(JsonOut *out)
{
    before_value(out);
    buf_text(out->buf, "null");
}

void json_put_raw(JsonOut *out, Str json)
{
    before_value(out);
    buf_str(out->buf, json);
}

void json_field_str(JsonOut *out, const char *name, Str text)
{
    json_key(out, name);
    json_put_str(out, text);
}

void json_field_text(JsonOut *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_text(out, text);
}

void json_field_int(JsonOut *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

void json_field_number(JsonOut *out, const char *name, double value)
{
    json_key(out, name);
    json_put_number(out, value);
}

void json_field_bool(JsonOut *out, const char *name, bool value)
{
    json_key(out, name);
    json_put_bool(out, value);
}
