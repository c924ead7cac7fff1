/* compiler/proto/parse.c: the declarations of one .proto file.
 *
 * By descent, one function a rule. What is passed over is read as tokens, so a brace in a text or
 * in a comment does not count. Reading stops at the first thing that is wrong. */
#include "compiler/proto/proto_int.h"

#include <string.h>

enum { NUMBER_MAX = (1 << 29) - 1, NUMBERS_OF_OTHERS = 19000, NUMBERS_BEHIND = 20000 };

#define ROOM(r, list, count, cap, most)                                                            \
    ((list) = proto__grow((r), (list), (count), &(cap), sizeof *(list), (most)))

static void message_body(ProtoReader *r, ProtoMessage *m, uint32_t level);

static Str joined(ProtoReader *r, Str a, Str b)
{
    if (!a.len) return b;
    Str text = arena_printf(r->set->arena, "%.*s.%.*s", STR_ARG(a), STR_ARG(b));
    if (!text.ptr) proto__fail(r, r->now.span, "no memory");
    return text.ptr ? text : STR("");
}

/* acme.v1.Reading, .acme.Reading */
static Str dotted(ProtoReader *r, const char *what)
{
    const char *start = r->now.text.ptr, *end;
    if (proto__is(r, ".")) proto__next(r);
    do {
        end = r->now.text.ptr + r->now.text.len;
        (void)proto__name(r, what);
    } while (proto__take(r, ".") && !r->failed);
    if (r->failed) return STR("");
    /* White space between the parts is rare and means nothing. */
    Str text = arena_str(r->set->arena, str_slice(start, (size_t)(end - start)));
    size_t len = 0;
    for (size_t i = 0; text.ptr && i < text.len; i++) {
        char c = text.ptr[i];
        bool part = c == '.' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z');
        if (part) ((char *)(uintptr_t)text.ptr)[len++] = c;
    }
    text.len = len;
    return text;
}

/* Everything up to the brace that closes the one at hand. */
static void skip_block(ProtoReader *r)
{
    uint32_t open = 0;
    do {
        open += proto__is(r, "{");
        open -= proto__is(r, "}");
        if (r->now.kind == PROTO_TOKEN_END) {
            proto__fail(r, r->now.span, "a `}` is missing");
            return;
        }
        proto__next(r);
    } while (open);
}

/* Up to and over the `;`, braces inside and all. */
static void skip_statement(ProtoReader *r)
{
    while (!proto__is(r, ";")) {
        if (proto__is(r, "{")) {
            skip_block(r);
        } else if (r->now.kind == PROTO_TOKEN_END || proto__is(r, "}")) {
            proto__fail(r, r->now.span, "`;` belongs here");
            return;
        } else {
            proto__next(r);
        }
    }
    proto__next(r);
}

/* ---- fields ---- */

/* flow_rate -> flowRate */
static Str json_name(ProtoReader *r, Str name)
{
    char *text = arena_alloc(r->set->arena, name.len + 1);
    size_t len = 0;
    bool up = false;
    if (!text) {
        proto__fail(r, r->now.span, "no memory");
        return name;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_') {
            up = true;
            continue;
        }
        text[len++] = up && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        up = false;
    }
    return str_slice(text, len);
}

/* One option's value: a constant, or what stands in braces. */
static void skip_value(ProtoReader *r)
{
    if (proto__is(r, "{")) {
        skip_block(r);
        return;
    }
    if (!proto__take(r, "-")) (void)proto__take(r, "+");
    bool fits = r->now.kind == PROTO_TOKEN_NAME || r->now.kind == PROTO_TOKEN_NUMBER ||
                r->now.kind == PROTO_TOKEN_FLOAT;
    if (r->now.kind == PROTO_TOKEN_STRING)
        (void)proto__string(r, "a value");
    else if (fits)
        proto__next(r);
    else
        proto__fail(r, r->now.span, "the value of an option belongs here");
}

/* Of its options only those count that say how it stands in bytes, and its name in JSON. */
static void field_options(ProtoReader *r, ProtoField *f)
{
    if (!proto__take(r, "[")) return;
    do {
        Str name = r->now.text;
        bool plain = r->now.kind == PROTO_TOKEN_NAME;
        if (!plain) name = STR("");
        while (!r->failed && (r->now.kind == PROTO_TOKEN_NAME || proto__is(r, "(") ||
                              proto__is(r, ")") || proto__is(r, ".")))
            proto__next(r);
        proto__want(r, "=");
        if (str_is(name, "json_name") && r->now.kind == PROTO_TOKEN_STRING) {
            f->json_name = proto__string(r, "a name");
        } else if (str_is(name, "packed")) {
            f->packed_said = true;
            f->packed = proto__is(r, "true");
            skip_value(r);
        } else {
            skip_value(r);
        }
    } while (proto__take(r, ",") && !r->failed);
    proto__want(r, "]");
}

static bool is_scalar(ProtoReader *r, ProtoType *ret_type)
{
    for (ProtoType type = PROTO_DOUBLE; type <= PROTO_BYTES; type++) {
        if (type == PROTO_ENUM || !proto__is(r, proto_type_text(type))) continue;
        *ret_type = type;
        return true;
    }
    return false;
}

static void field_type(ProtoReader *r, ProtoField *f)
{
    f->type = PROTO_NAMED;
    if (is_scalar(r, &f->type))
        proto__next(r);
    else
        f->type_name = dotted(r, "a type");
}

static ProtoField *add_field(ProtoReader *r, ProtoMessage *m, const ProtoField *f)
{
    for (uint32_t i = 0; i < m->count && !r->failed; i++) {
        if (str_eq(m->fields[i].name, f->name))
            proto__fail(r, f->span, "there is a field `%.*s` already", STR_ARG(f->name));
        else if (m->fields[i].number == f->number)
            proto__fail(r, f->span, "the number %u is that of `%.*s`", f->number,
                        STR_ARG(m->fields[i].name));
    }
    if (r->failed || !ROOM(r, m->fields, m->count, m->cap, PROTO_FIELDS_MAX)) return NULL;
    m->fields[m->count] = *f;
    return &m->fields[m->count++];
}

static void field_number(ProtoReader *r, ProtoField *f)
{
    Span at = r->now.span;
    proto__want(r, "=");
    at = r->now.span;
    f->number = proto__number(r, NUMBER_MAX, "the field's number");
    if (r->failed) return;
    if (!f->number || (f->number >= NUMBERS_OF_OTHERS && f->number < NUMBERS_BEHIND))
        proto__fail(r, at, "a field cannot have the number %u", f->number);
}

/* `group` names its message; nobody reads it. */
static void group(ProtoReader *r, ProtoMessage *m, ProtoField *f)
{
    proto__next(r);
    f->type = PROTO_GROUP;
    f->name = proto__name(r, "the group's name");
    f->json_name = f->name;
    field_number(r, f);
    field_options(r, f);
    if (!proto__is(r, "{")) proto__fail(r, r->now.span, "`{` belongs here");
    skip_block(r);
    (void)add_field(r, m, f);
}

/* What a field is if nothing of it came. */
static void field(ProtoReader *r, ProtoMessage *m, ProtoLabel label, uint32_t oneof)
{
    ProtoField f = {.label = label, .oneof = oneof, .span = r->now.span};
    if (proto__is(r, "group") && !r->proto3) {
        group(r, m, &f);
        return;
    }
    field_type(r, &f);
    f.name = proto__name(r, "the field's name");
    f.json_name = json_name(r, f.name);
    f.span = span_join(f.span, r->now.span);
    field_number(r, &f);
    field_options(r, &f);
    proto__want(r, ";");
    f.implicit = r->proto3 && label == PROTO_PLAIN && !oneof;
    if (!f.packed_said) f.packed = r->proto3;
    (void)add_field(r, m, &f);
}

/* map<string, f64> limits = 4: a list of { key, value }. */
static void map_field(ProtoReader *r, ProtoMessage *m)
{
    ProtoField f = {.label = PROTO_REPEATED, .type = PROTO_MESSAGE, .span = r->now.span};
    ProtoField key = {.name = STR("key"), .json_name = STR("key"), .number = 1},
               value = {.name = STR("value"), .json_name = STR("value"), .number = 2};
    ProtoMessage *entry = arena_many(r->set->arena, ProtoMessage, 1);
    if (!entry) {
        proto__fail(r, r->now.span, "no memory");
        return;
    }
    *entry = (ProtoMessage){.proto3 = true, .span = f.span};
    proto__next(r);
    proto__want(r, "<");
    key.span = r->now.span;
    field_type(r, &key);
    proto__want(r, ",");
    value.span = r->now.span;
    field_type(r, &value);
    proto__want(r, ">");
    f.name = proto__name(r, "the field's name");
    f.json_name = json_name(r, f.name);
    f.span = span_join(f.span, r->now.span);
    field_number(r, &f);
    field_options(r, &f);
    proto__want(r, ";");
    bool takes = key.type >= PROTO_INT32 && key.type <= PROTO_STRING;
    if (!r->failed && !takes) proto__fail(r, key.span, "a map's key is a whole number or a text");
    key.implicit = value.implicit = true; /* an entry without one has its zero */
    (void)add_field(r, entry, &key);
    (void)add_field(r, entry, &value);
    entry->name = joined(r, m->name, joined(r, f.name, STR("entry")));
    f.message = entry;
    proto__declare(r, entry->name, entry, NULL, f.span);
    (void)add_field(r, m, &f);
}

static void oneof(ProtoReader *r, ProtoMessage *m)
{
    proto__next(r);
    (void)proto__name(r, "the name of the oneof");
    proto__want(r, "{");
    uint32_t number = ++m->oneof_count;
    while (!r->failed && !proto__take(r, "}")) {
        if (proto__take(r, ";")) continue;
        if (proto__is(r, "option"))
            skip_statement(r);
        else if (r->now.kind == PROTO_TOKEN_END)
            proto__fail(r, r->now.span, "a `}` is missing");
        else
            field(r, m, PROTO_PLAIN, number);
    }
}

/* reserved 2, 9 to 11, 100 to max;  reserved "old"; */
static void reserved(ProtoReader *r, ProtoMessage *m)
{
    proto__next(r);
    do {
        if (r->now.kind == PROTO_TOKEN_STRING || r->now.kind == PROTO_TOKEN_NAME) {
            Str name = r->now.kind == PROTO_TOKEN_NAME ? proto__name(r, "a name")
                                                       : proto__string(r, "a name");
            if (ROOM(r, m->reserved_names, m->reserved_name_count, m->reserved_name_cap,
                     PROTO_RESERVED_MAX))
                m->reserved_names[m->reserved_name_count++] = name;
            continue;
        }
        ProtoRange range = {.from = proto__number(r, NUMBER_MAX, "a number")};
        range.to = range.from;
        if (proto__take(r, "to"))
            range.to =
                proto__take(r, "max") ? NUMBER_MAX : proto__number(r, NUMBER_MAX, "a number");
        if (ROOM(r, m->reserved, m->reserved_count, m->reserved_cap, PROTO_RESERVED_MAX))
            m->reserved[m->reserved_count++] = range;
    } while (proto__take(r, ",") && !r->failed);
    proto__want(r, ";");
}

static void check_reserved(ProtoReader *r, const ProtoMessage *m)
{
    for (uint32_t i = 0; i < m->count && !r->failed; i++) {
        const ProtoField *f = &m->fields[i];
        for (uint32_t k = 0; k < m->reserved_count; k++)
            if (f->number >= m->reserved[k].from && f->number <= m->reserved[k].to)
                proto__fail(r, f->span, "the number %u is reserved", f->number);
        for (uint32_t k = 0; k < m->reserved_name_count; k++)
            if (str_eq(f->name, m->reserved_names[k]))
                proto__fail(r, f->span, "the name `%.*s` is reserved", STR_ARG(f->name));
    }
}

/* ---- messages and enums ---- */

static void enumeration(ProtoReader *r, Str scope)
{
    ProtoEnum *e = arena_many(r->set->arena, ProtoEnum, 1);
    proto__next(r);
    Span span = r->now.span;
    Str name = joined(r, scope, proto__name(r, "the enum's name"));
    if (!e) {
        proto__fail(r, span, "no memory");
        return;
    }
    *e = (ProtoEnum){.name = name, .span = span};
    proto__declare(r, name, NULL, e, span);
    proto__want(r, "{");
    while (!r->failed && !proto__take(r, "}")) {
        if (proto__take(r, ";")) continue;
        if (proto__is(r, "option") || proto__is(r, "reserved")) {
            skip_statement(r);
            continue;
        }
        ProtoField options = {0};
        ProtoValue v = {.span = r->now.span};
        v.name = proto__name(r, "a name of the enum");
        proto__want(r, "=");
        bool minus = proto__take(r, "-");
        uint32_t number = proto__number(r, minus ? 1u << 31 : INT32_MAX, "the name's number");
        v.number = (int32_t)(minus ? 0 - number : number);
        field_options(r, &options);
        proto__want(r, ";");
        if (!r->failed && ROOM(r, e->values, e->count, e->cap, PROTO_FIELDS_MAX))
            e->values[e->count++] = v;
    }
}

static void message(ProtoReader *r, Str scope, uint32_t level)
{
    ProtoMessage *m = arena_many(r->set->arena, ProtoMessage, 1);
    proto__next(r);
    Span span = r->now.span;
    Str name = joined(r, scope, proto__name(r, "the message's name"));
    if (!m) {
        proto__fail(r, span, "no memory");
        return;
    }
    *m = (ProtoMessage){.name = name, .proto3 = r->proto3, .span = span};
    proto__declare(r, name, m, NULL, span);
    proto__want(r, "{");
    if (level >= PROTO_LEVELS_MAX)
        proto__fail(r, span, "messages stand at most %d inside each other", PROTO_LEVELS_MAX);
    message_body(r, m, level + 1);
    check_reserved(r, m);
}

/* A field whose type is called `message` or `map` begins like a declaration; what follows tells. */
static bool declares(ProtoReader *r, const char *word, const char *behind)
{
    if (!proto__is(r, word)) return false;
    ProtoReader ahead = *r;
    ProtoProblem none = {0};
    ahead.problem = &none;
    proto__next(&ahead); /* the name, or `<` */
    if (*behind == '<') return proto__is(&ahead, "<");
    if (ahead.now.kind != PROTO_TOKEN_NAME) return false;
    proto__next(&ahead);
    return proto__is(&ahead, behind);
}

static void message_body(ProtoReader *r, ProtoMessage *m, uint32_t level)
{
    while (!r->failed && !proto__take(r, "}")) {
        if (proto__take(r, ";")) continue;
        if (r->now.kind == PROTO_TOKEN_END) {
            proto__fail(r, r->now.span, "a `}` is missing");
        } else if (declares(r, "message", "{")) {
            message(r, m->name, level);
        } else if (declares(r, "enum", "{")) {
            enumeration(r, m->name);
        } else if (declares(r, "oneof", "{")) {
            oneof(r, m);
        } else if (declares(r, "map", "<")) {
            map_field(r, m);
        } else if (proto__is(r, "reserved")) {
            reserved(r, m);
        } else if (proto__is(r, "option") || proto__is(r, "extensions")) {
            skip_statement(r);
        } else if (proto__is(r, "extend")) {
            while (!r->failed && !proto__is(r, "{") && r->now.kind != PROTO_TOKEN_END)
                proto__next(r);
            skip_block(r);
        } else if (proto__take(r, "optional")) {
            field(r, m, PROTO_OPTIONAL, 0);
        } else if (proto__take(r, "required")) {
            field(r, m, PROTO_REQUIRED, 0);
        } else if (proto__take(r, "repeated")) {
            field(r, m, PROTO_REPEATED, 0);
        } else {
            field(r, m, PROTO_PLAIN, 0);
        }
    }
}

/* ---- the file ---- */

static void import(ProtoReader *r)
{
    proto__next(r);
    if (!proto__take(r, "public")) (void)proto__take(r, "weak");
    Span span = r->now.span;
    Str path = proto__string(r, "the path of a file");
    proto__want(r, ";");
    uint32_t cap = r->import_cap;
    if (r->failed || !ROOM(r, r->imports, r->import_count, cap, PROTO_FILES_MAX)) return;
    cap = r->import_cap;
    if (!ROOM(r, r->import_spans, r->import_count, cap, PROTO_FILES_MAX)) return;
    r->import_cap = cap;
    r->imports[r->import_count] = path;
    r->import_spans[r->import_count++] = span;
}

static void syntax(ProtoReader *r)
{
    proto__next(r);
    proto__want(r, "=");
    Span span = r->now.span;
    Str text = proto__string(r, "the syntax");
    proto__want(r, ";");
    r->proto3 = str_is(text, "proto3");
    if (!r->failed && !r->proto3 && !str_is(text, "proto2"))
        proto__fail(r, span, "the syntax is proto2 or proto3");
}

void proto__file(ProtoReader *r)
{
    proto__next(r);
    if (proto__is(r, "syntax")) syntax(r);
    while (!r->failed && r->now.kind != PROTO_TOKEN_END) {
        if (proto__take(r, ";")) continue;
        if (proto__is(r, "import")) {
            import(r);
        } else if (proto__take(r, "package")) {
            r->package = dotted(r, "the package's name");
            proto__want(r, ";");
        } else if (proto__is(r, "option")) {
            skip_statement(r);
        } else if (proto__is(r, "message")) {
            message(r, r->package, 0);
        } else if (proto__is(r, "enum")) {
            enumeration(r, r->package);
        } else if (proto__is(r, "service") || proto__is(r, "extend")) {
            while (!r->failed && !proto__is(r, "{") && r->now.kind != PROTO_TOKEN_END)
                proto__next(r);
            skip_block(r);
        } else if (proto__is(r, "edition")) {
            proto__fail(r, r->now.span, "editions are not read: write syntax = \"proto3\";");
        } else {
            proto__fail(r, r->now.span, "a message, an enum or an import belongs here");
        }
    }
}
