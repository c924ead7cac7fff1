/* compiler/proto/lex.c: tokens of a .proto file. The text ends with zero bytes (source.h), so
 * nothing here looks for its end. */
#include "compiler/proto/proto_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void proto__fail(ProtoReader *r, Span span, const char *format, ...)
{
    va_list args;
    r->now = (ProtoToken){.kind = PROTO_TOKEN_END, .text = STR(""), .span = r->now.span};
    if (r->failed) return;
    r->failed = r->problem->status = ST_INVALID;
    r->problem->span = span;
    va_start(args, format);
    (void)vsnprintf(r->problem->text, sizeof r->problem->text, format, args);
    va_end(args);
}

/* Behind white space and comments; NULL: a comment has no end. */
static const char *skip_space(const char *p)
{
    for (;;) {
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            p++;
        } else if (p[0] == '/' && p[1] == '/') {
            while (*p && *p != '\n') p++;
        } else if (p[0] == '/' && p[1] == '*') {
            p = strstr(p + 2, "*/");
            if (!p) return NULL;
            p += 2;
        } else {
            return p;
        }
    }
}

static const char *number(ProtoToken *t, const char *p)
{
    unsigned base = 10;
    t->kind = PROTO_TOKEN_NUMBER;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    } else if (p[0] == '0') {
        base = 8;
    }
    for (;; p++) {
        unsigned digit = is_digit(*p)             ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                         : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A') + 10
                                                  : 99;
        if (digit >= base) break;
        t->too_big |= t->number > (UINT64_MAX - digit) / base;
        t->number = t->number * base + digit;
    }
    while (is_digit(*p) || is_letter(*p) || *p == '.' ||
           ((*p == '-' || *p == '+') && (p[-1] == 'e' || p[-1] == 'E'))) {
        t->kind = PROTO_TOKEN_FLOAT;
        p++;
    }
    return p;
}

static const char *string(ProtoToken *t, const char *p)
{
    char quote = *p++;
    const char *start = p;
    while (*p && *p != quote && *p != '\n') p += *p == '\\' && p[1] && p[1] != '\n' ? 2 : 1;
    if (*p != quote) {
        t->kind = PROTO_TOKEN_BAD;
        t->why = "the text has no end on its line";
        return p;
    }
    t->kind = PROTO_TOKEN_STRING;
    t->text = str_slice(start, (size_t)(p - start));
    return p + 1;
}

void proto__next(ProtoReader *r)
{
    const char *text = r->source->text.ptr, *start, *p;
    ProtoToken t = {.text = STR(""), .span = r->now.span};
    if (r->failed) return;
    start = skip_space(r->at);
    if (!start) {
        proto__fail(r, r->now.span, "the comment behind this has no end");
        return;
    }
    p = start;
    if (!*p) {
        t.kind = (size_t)(p - text) < r->source->text.len ? PROTO_TOKEN_BAD : PROTO_TOKEN_END;
        t.why = "a byte 0 stands here";
    } else if (is_letter(*p)) {
        t.kind = PROTO_TOKEN_NAME;
        while (is_letter(*p) || is_digit(*p)) p++;
    } else if (is_digit(*p)) {
        p = number(&t, p);
    } else if (*p == '"' || *p == '\'') {
        p = string(&t, p);
    } else {
        bool plain = strchr(";=.,{}[]()<>-+:/", *p) != NULL;
        t.kind = plain ? PROTO_TOKEN_MARK : PROTO_TOKEN_BAD;
        t.why = "such a character has no meaning here";
        p++;
    }
    if (t.kind != PROTO_TOKEN_STRING) t.text = str_slice(start, (size_t)(p - start));
    t.span = (Span){r->source->id, (uint32_t)(start - text), (uint32_t)(p - text)};
    r->at = p;
    r->now = t;
    if (t.kind == PROTO_TOKEN_BAD) proto__fail(r, t.span, "%s", t.why);
}

bool proto__is(const ProtoReader *r, const char *text)
{
    return (r->now.kind == PROTO_TOKEN_NAME || r->now.kind == PROTO_TOKEN_MARK) &&
           str_is(r->now.text, text);
}

bool proto__take(ProtoReader *r, const char *text)
{
    if (!proto__is(r, text)) return false;
    proto__next(r);
    return true;
}

void proto__want(ProtoReader *r, const char *text)
{
    if (!proto__take(r, text)) proto__fail(r, r->now.span, "`%s` belongs here", text);
}

Str proto__name(ProtoReader *r, const char *what)
{
    Str text = r->now.text;
    if (r->now.kind != PROTO_TOKEN_NAME) {
        proto__fail(r, r->now.span, "%s belongs here", what);
        return STR("");
    }
    proto__next(r);
    return text;
}

/* Pieces behind each other are one text; escapes stay as they are. */
Str proto__string(ProtoReader *r, const char *what)
{
    Str text = r->now.text;
    if (r->now.kind != PROTO_TOKEN_STRING) {
        proto__fail(r, r->now.span, "%s belongs here, a text in quotes", what);
        return STR("");
    }
    proto__next(r);
    while (r->now.kind == PROTO_TOKEN_STRING) {
        text = arena_printf(r->set->arena, "%.*s%.*s", STR_ARG(text), STR_ARG(r->now.text));
        if (!text.ptr) {
            proto__fail(r, r->now.span, "no memory");
            return STR("");
        }
        proto__next(r);
    }
    return text;
}

uint32_t proto__number(ProtoReader *r, uint32_t most, const char *what)
{
    uint64_t number = r->now.number;
    if (r->now.kind != PROTO_TOKEN_NUMBER || r->now.too_big || number > most) {
        proto__fail(r, r->now.span, "%s belongs here, a whole number up to %u", what, most);
        return 0;
    }
    proto__next(r);
    return (uint32_t)number;
}

void *proto__grow(ProtoReader *r, void *list, uint32_t count, uint32_t *cap, size_t bytes,
                  uint32_t most)
{
    if (count >= most) {
        proto__fail(r, r->now.span, "there are more than %u of these", most);
        return NULL;
    }
    if (count < *cap) return list;
    uint32_t more = *cap ? *cap * 2 : 8;
    void *grown = arena_array(r->set->arena, more, bytes);
    if (!grown) {
        proto__fail(r, r->now.span, "no memory");
        return NULL;
    }
    if (count) memcpy(grown, list, count * bytes);
    *cap = more;
    return grown;
}
