/* compiler/type/proto.c: `as protobuf T proto "machine.proto" message acme.Reading` and
 * `as sparkplug T`: the fields of a type against those of a message.
 *
 * By their names, as the .proto file has them or as JSON does. What the message says of presence
 * holds: a field without presence is always there, absent means zero or empty. So a source may take
 * it as a field that can be missing, but a sink may not write a missing one into it: it would read
 * as zero. */
#include "compiler/proto/proto.h"
#include "compiler/type/flow.h"

#include <stdlib.h>

typedef struct Match {
    Check *c;
    bool out; /* rows of a sink */
    bool sparkplug;
    Span span; /* where nothing better is known */
} Match;

enum { /* RT_PROTO_... of flow/abi.h */
       FLAG_REPEATED = 1,
       FLAG_PACKED = 2,
       FLAG_IMPLICIT = 4,
       FLAG_ANY = 8,
       FLAG_TYPED = 16,
       FLAG_NULL = 32
};

static const IrProto *match(Match *m, const Record *record, const ProtoMessage *message, Str path);

static Span place(const Match *m, const RecordField *f)
{
    return !m->out && f->span.end ? f->span : m->span;
}

/* ---- types ---- */

static bool is_count(ProtoType type)
{
    return (type >= PROTO_INT32 && type <= PROTO_SFIXED64) || type == PROTO_ENUM;
}

static bool read_as(const Type *t, ProtoType from)
{
    bool numbers = type_is_number(t->kind) || (t->kind == IR_TIME && t->time_read != IR_TIME_TEXT);
    if (from == PROTO_ENUM && t->kind == IR_ENUM) return true;
    if (is_count(from)) return numbers;
    switch (from) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT: return numbers && !type_is_integer(t->kind);
    case PROTO_BOOL: return t->kind == IR_BOOL;
    case PROTO_STRING:
        return t->kind == IR_STR || t->kind == IR_ENUM || t->kind == IR_DURATION ||
               t->kind == IR_DECIMAL || (t->kind == IR_TIME && t->time_read == IR_TIME_TEXT);
    case PROTO_BYTES: return t->kind == IR_BYTES;
    case PROTO_TIMESTAMP: return t->kind == IR_TIME;
    case PROTO_DURATION: return t->kind == IR_DURATION;
    default: return false;
    }
}

/* Every value of t is one of `to`. */
static bool written_as(const Type *t, ProtoType to)
{
    bool wide = to == PROTO_INT64 || to == PROTO_SINT64 || to == PROTO_SFIXED64;
    switch (t->kind) {
    case IR_BOOL: return to == PROTO_BOOL;
    case IR_I32:
        return wide || to == PROTO_INT32 || to == PROTO_SINT32 || to == PROTO_SFIXED32 ||
               to == PROTO_DOUBLE;
    case IR_I64: return wide;
    case IR_U32:
        return wide || to == PROTO_UINT32 || to == PROTO_UINT64 || to == PROTO_FIXED32 ||
               to == PROTO_FIXED64 || to == PROTO_DOUBLE;
    case IR_U64: return to == PROTO_UINT64 || to == PROTO_FIXED64;
    case IR_F32: return to == PROTO_FLOAT || to == PROTO_DOUBLE;
    case IR_F64: return to == PROTO_DOUBLE;
    case IR_DECIMAL:
    case IR_STR: return to == PROTO_STRING;
    case IR_BYTES: return to == PROTO_BYTES;
    case IR_TIME: return to == PROTO_TIMESTAMP || to == PROTO_STRING;
    case IR_DURATION: return to == PROTO_DURATION || to == PROTO_STRING;
    case IR_ENUM: return to == PROTO_ENUM || to == PROTO_STRING;
    default: return false;
    }
}

static Str field_text(Check *c, const ProtoField *f)
{
    const char *many = f->label == PROTO_REPEATED ? "repeated " : "";
    if (f->type == PROTO_MESSAGE) return check__text(c, "%s%.*s", many, STR_ARG(f->message->name));
    if (f->type == PROTO_ENUM) return check__text(c, "%senum %.*s", many, STR_ARG(f->names->name));
    return check__text(c, "%s%s", many, proto_type_text(f->type));
}

static void note_field(Match *m, Diagnostic *d, const ProtoField *f)
{
    if (f->span.end) diag_note(m->c->diags, d, f->span, "the message has it so");
}

static void differ(Match *m, const RecordField *f, const ProtoField *p, Str path, const char *hint)
{
    Diagnostic *d = diag_error(
        m->c->diags, DIAG_S039, place(m, f), "`%.*s` is %.*s here and %.*s in the message",
        STR_ARG(path), STR_ARG(type_text(m->c->arena, &f->type)), STR_ARG(field_text(m->c, p)));
    note_field(m, d, p);
    if (hint) diag_hint(m->c->diags, d, hint);
}

/* What would fit, for the commonest slips. */
static const char *fitting(const Match *m, const Type *t, const ProtoField *p)
{
    if (p->label == PROTO_REPEATED && t->kind != IR_LIST) return "a list: [T; n]";
    if (m->out)
        return t->kind == IR_F64 && p->type == PROTO_FLOAT ? "x to f32"
               : t->kind == IR_TIME && is_count(p->type)   ? "unix_ms(x)"
                                                           : NULL;
    switch (p->type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT: return "f64";
    case PROTO_BOOL: return "bool";
    case PROTO_STRING: return "string(n)";
    case PROTO_BYTES: return "bytes(n)";
    case PROTO_TIMESTAMP: return "time";
    case PROTO_DURATION: return "duration";
    case PROTO_MESSAGE: return "a record: { ... }";
    default: return is_count(p->type) && t->kind == IR_TIME ? "time(ms) or time(s)" : NULL;
    }
}

/* ---- enums ---- */

/* STATE_RUN for RUN: names of an enum State often begin with its name. */
static bool is_name(Str full, Str prefix, Str name)
{
    return str_eq(full, name) ||
           (full.len == prefix.len + 1 + name.len && str_starts(full, prefix) &&
            full.ptr[prefix.len] == '_' && str_eq(str_skip(full, prefix.len + 1), name));
}

/* MachineState -> MACHINE_STATE */
static Str upper(Check *c, Str full)
{
    size_t dot = full.len, len = 0;
    while (dot && full.ptr[dot - 1] != '.') dot--;
    Str name = str_skip(full, dot);
    char *text = NEW(c, char, name.len * 2 + 1);
    for (size_t i = 0; i < name.len; i++) {
        char a = name.ptr[i], b = i ? name.ptr[i - 1] : 'A';
        bool is_upper = a >= 'A' && a <= 'Z',
             after = (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9');
        if (is_upper && after) text[len++] = '_';
        text[len++] = a >= 'a' && a <= 'z' ? (char)(a - 'a' + 'A') : a;
    }
    return str_slice(text, len);
}

static const ProtoValue *value_of(const ProtoEnum *e, Str prefix, Str name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (is_name(e->values[i].name, prefix, name)) return &e->values[i];
    return NULL;
}

/* The number of each name of the type; false (reported): the message has none for one. */
static bool enum_values(Match *m, const RecordField *f, const Type *t, const ProtoField *p,
                        Str path, IrProtoField *out)
{
    Check *c = m->c;
    Str prefix = upper(c, p->names->name);
    int32_t *values = NEW(c, int32_t, t->names->count + 1);
    for (uint32_t i = 0; i < t->names->count; i++) {
        const ProtoValue *v = value_of(p->names, prefix, t->names->names[i]);
        if (v) {
            values[i] = v->number;
            continue;
        }
        Diagnostic *d =
            diag_error(c->diags, DIAG_S039, place(m, f),
                       "`%.*s` has the name %.*s, the message's enum %.*s has not", STR_ARG(path),
                       STR_ARG(t->names->names[i]), STR_ARG(p->names->name));
        if (p->names->span.end) diag_note(c->diags, d, p->names->span, "its names are here");
        return false;
    }
    out->values = values;
    out->value_count = t->names->count;
    return true;
}

/* Nothing said and a zero are one for the message, but its zero has no name in the type. */
static bool zero_unnamed(const Type *t, const IrProtoField *out)
{
    if (t->kind != IR_ENUM || !out->value_count) return false;
    for (uint32_t i = 0; i < out->value_count; i++)
        if (!out->values[i]) return false;
    return true;
}

/* ---- fields ---- */

static bool presence(Match *m, const RecordField *f, const ProtoField *p, Str path,
                     const IrProtoField *out)
{
    if (!m->out || !f->type.optional) return true;
    bool zero = p->label == PROTO_REPEATED || (p->implicit && !zero_unnamed(&f->type, out));
    if (!zero && p->label != PROTO_REQUIRED) return true;
    Diagnostic *d = diag_error(m->c->diags, DIAG_S040, place(m, f),
                               zero ? "`%.*s` can be missing, and would read as %s"
                                    : "`%.*s` can be missing, and the message requires it%s",
                               STR_ARG(path),
                               !zero                                               ? ""
                               : p->label == PROTO_REPEATED                        ? "an empty list"
                               : p->type == PROTO_STRING || p->type == PROTO_BYTES ? "an empty text"
                                                                                   : "0");
    note_field(m, d, p);
    diag_hint(m->c->diags, d, check__text(m->c, "%.*s ?? ...", STR_ARG(path)).ptr);
    if (p->implicit)
        diag_hint(m->c->diags, d,
                  check__text(m->c, "optional %s %.*s in the .proto file", proto_type_text(p->type),
                              STR_ARG(p->name))
                      .ptr);
    return false;
}

/* One value, or an item of a list. */
static bool value(Match *m, const RecordField *f, const Type *t, const ProtoField *p, Str path,
                  IrProtoField *out)
{
    if (p->type == PROTO_MESSAGE && t->kind == IR_RECORD)
        return (out->child = match(m, t->record, p->message, path)) != NULL;
    bool ms = m->sparkplug && t->kind == IR_TIME && p->type == PROTO_UINT64;
    bool fits = m->out ? ms || written_as(t, p->type) : read_as(t, p->type);
    if (!fits) {
        differ(m, f, p, path, fitting(m, t, p));
        return false;
    }
    return p->type != PROTO_ENUM || t->kind != IR_ENUM || enum_values(m, f, t, p, path, out);
}

static bool field(Match *m, const RecordField *f, const ProtoField *p, Str path, IrProtoField *out)
{
    bool repeated = p->label == PROTO_REPEATED;
    *out = (IrProtoField){.number = p->number, .kind = (uint8_t)p->type, .oneof = p->oneof};
    out->flags = (uint8_t)((repeated ? FLAG_REPEATED : 0) | (p->packed ? FLAG_PACKED : 0) |
                           (p->implicit ? FLAG_IMPLICIT : 0));
    if (f->type.kind == IR_NONE) return false; /* had an error of its own */
    if (repeated != (f->type.kind == IR_LIST)) {
        differ(m, f, p, path, fitting(m, &f->type, p));
        return false;
    }
    if (!repeated) return value(m, f, &f->type, p, path, out) && presence(m, f, p, path, out);
    Type item = type_item(&f->type);
    if (item.optional) {
        differ(m, f, p, path, "items of a message's list are always there: [T; n]");
        return false;
    }
    return value(m, f, &item, p, path, out) && presence(m, f, p, path, out);
}

static bool lacking(Match *m, const RecordField *f, const ProtoMessage *message, Str path)
{
    Check *c = m->c;
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    if (f->type.optional && !m->out) return true; /* then it is never there */
    Diagnostic *d =
        diag_error(c->diags, DIAG_S038, place(m, f), "the message %.*s has no field `%.*s`",
                   STR_ARG(message->name), STR_ARG(path));
    if (message->span.end) diag_note(c->diags, d, message->span, "its fields are here");
    for (uint32_t i = 0; i < message->count; i++)
        diag_suggest(f->name, message->fields[i].name, &best, &distance);
    if (best.len) diag_hint(c->diags, d, check__text(c, "%.*s", STR_ARG(best)).ptr);
    return false;
}

/* Members of a oneof that the type does not have still end those it has. */
static bool ends_one(const ProtoField *p, const IrProtoField *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].number == p->number) return false;
    for (uint32_t i = 0; i < count; i++)
        if (p->oneof && list[i].oneof == p->oneof) return true;
    return false;
}

/* ---- values of Sparkplug B: a field `value` is whatever member came of the oneof ---- */

enum { NUMBERS = 31, BOOLEAN = 16, TEXT = 32, BYTES = 64, WHOLE = 3 };
static const char *const spark_members[] = {"int_value",    "long_value",    "float_value",
                                            "double_value", "boolean_value", "string_value",
                                            "bytes_value"};

/* The members that a type reads; the one that rows write, with its data type (3.0, 6.4.16). */
static const struct {
    IrType kind;
    uint8_t reads, writes;
    int8_t datatype;
} spark_types[] = {{IR_BOOL, BOOLEAN, 4, 11}, {IR_I32, NUMBERS, 0, 3}, {IR_I64, NUMBERS, 1, 4},
                   {IR_U32, NUMBERS, 0, 7},   {IR_U64, NUMBERS, 1, 8}, {IR_F32, NUMBERS, 2, 9},
                   {IR_F64, NUMBERS, 3, 10},  {IR_TIME, WHOLE, 1, 13}, {IR_STR, TEXT, 5, 12},
                   {IR_ENUM, TEXT, 5, 12},    {IR_BYTES, BYTES, 6, 17}};

/* NULL: values of this message have no type beside them. */
static const ProtoField *spark_type(const Match *m, const ProtoMessage *message)
{
    const ProtoField *of_metric = proto_field(message, STR("datatype"));
    if (!m->sparkplug || !proto_field(message, STR("int_value"))) return NULL;
    return of_metric ? of_metric : proto_field(message, STR("type"));
}

static bool taken(Match *m, const RecordField *f, const ProtoField *p, Str path, const IrProto *out)
{
    for (uint32_t k = 0; k < out->count; k++) {
        if (out->fields[k].number != p->number) continue;
        diag_error(m->c->diags, DIAG_S039, place(m, f),
                   "`%.*s` is the message's `%.*s`, as a field before it", STR_ARG(path),
                   STR_ARG(p->name));
        return true;
    }
    return false;
}

static IrProtoField *find_number(const IrProto *out, uint32_t number)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->fields[i].number == number) return &out->fields[i];
    return NULL;
}

/* The field `value`, number `index` of the record. */
static bool spark_value(Match *m, const RecordField *f, uint32_t index, const ProtoMessage *message,
                        Str path, IrProto *out)
{
    Check *c = m->c;
    bool bad_time = !m->out && f->type.kind == IR_TIME && f->type.time_read == IR_TIME_TEXT;
    uint32_t row = 0;
    if (f->type.kind == IR_NONE) return false; /* had an error of its own */
    while (row < COUNT_OF(spark_types) && spark_types[row].kind != f->type.kind) row++;
    if (row == COUNT_OF(spark_types) || bad_time) {
        Diagnostic *d = diag_error(c->diags, DIAG_S039, place(m, f),
                                   "`%.*s` is %.*s here, and no value of Sparkplug B",
                                   STR_ARG(path), STR_ARG(type_text(c->arena, &f->type)));
        diag_hint(c->diags, d, bad_time ? "time(ms)" : "a number, bool, string(n) or bytes(n)");
        return false;
    }
    uint32_t wanted = m->out ? 1u << spark_types[row].writes : spark_types[row].reads;
    for (uint32_t i = 0; i < COUNT_OF(spark_members); i++) {
        const ProtoField *p = proto_field(message, str_from(spark_members[i]));
        if (!p || !(wanted >> i & 1)) continue;
        if (taken(m, f, p, path, out)) return false;
        out->fields[out->count++] = (IrProtoField){.number = p->number,
                                                   .kind = (uint8_t)p->type,
                                                   .flags = FLAG_ANY,
                                                   .oneof = p->oneof,
                                                   .field = index};
    }
    return true;
}

/* What stands beside a value: its data type, and in rows whether it is missing. */
static void spark_beside(Match *m, const Record *record, const ProtoMessage *message, IrProto *out)
{
    const ProtoField *type = spark_type(m, message), *null = proto_field(message, STR("is_null"));
    IrProtoField *any = NULL;
    for (uint32_t i = 0; i < out->count && type; i++)
        if (out->fields[i].flags & FLAG_ANY) any = &out->fields[i];
    if (!any) return;
    IrProtoField *own = find_number(out, type->number), beside = {.number = type->number};
    const RecordField *f = &record->fields[any->field];
    if (own && !m->out) own->flags |= FLAG_TYPED;
    if (!own) {
        beside.kind = PROTO_UINT32;
        beside.flags = FLAG_TYPED;
        beside.field = NO_INDEX;
        if (m->out) {
            int32_t *number = NEW(m->c, int32_t, 1);
            for (uint32_t i = 0; i < COUNT_OF(spark_types); i++)
                if (spark_types[i].kind == f->type.kind) *number = spark_types[i].datatype;
            beside.values = number;
            beside.value_count = 1;
        }
        out->fields[out->count++] = beside;
    }
    if (m->out && f->type.optional && null && !find_number(out, null->number))
        out->fields[out->count++] = (IrProtoField){
            .number = null->number, .kind = PROTO_BOOL, .flags = FLAG_NULL, .field = any->field};
}

static int by_number(const void *a, const void *b)
{
    const IrProtoField *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool required_there(Match *m, const ProtoMessage *message, const IrProto *out)
{
    for (uint32_t i = 0; m->out && i < message->count; i++) {
        const ProtoField *p = &message->fields[i];
        bool there = p->label != PROTO_REQUIRED;
        for (uint32_t k = 0; k < out->count; k++) there |= out->fields[k].number == p->number;
        if (there) continue;
        Diagnostic *d = diag_error(m->c->diags, DIAG_S038, m->span,
                                   "the message %.*s requires `%.*s`, the rows do not have it",
                                   STR_ARG(message->name), STR_ARG(p->name));
        note_field(m, d, p);
        return false;
    }
    return true;
}

/* NULL after an error, which is reported. */
static const IrProto *match(Match *m, const Record *record, const ProtoMessage *message, Str path)
{
    Check *c = m->c;
    IrProto *out = NEW(c, IrProto, 1);
    out->fields = NEW(c, IrProtoField, record->count + message->count + 1);
    for (uint32_t i = 0; i < record->count; i++) {
        const RecordField *f = &record->fields[i];
        const ProtoField *p = proto_field(message, f->name);
        Str own = path.len ? check__text(c, "%.*s.%.*s", STR_ARG(path), STR_ARG(f->name)) : f->name;
        if (!p && str_is(f->name, "value") && spark_type(m, message)) {
            if (!spark_value(m, f, i, message, own, out)) return NULL;
            continue;
        }
        if (!p) {
            if (!lacking(m, f, message, own)) return NULL;
            continue;
        }
        if (taken(m, f, p, own, out)) return NULL;
        IrProtoField *to = &out->fields[out->count];
        if (!field(m, f, p, own, to)) return NULL;
        to->field = i;
        out->count++;
    }
    spark_beside(m, record, message, out);
    uint32_t own = out->count;
    for (uint32_t i = 0; i < message->count && !m->out; i++) {
        const ProtoField *p = &message->fields[i];
        if (!ends_one(p, out->fields, own)) continue;
        out->fields[out->count++] = (IrProtoField){
            .number = p->number, .kind = (uint8_t)p->type, .oneof = p->oneof, .field = NO_INDEX};
    }
    qsort(out->fields, out->count, sizeof *out->fields, by_number);
    return required_there(m, message, out) ? out : NULL;
}

/* ---- the options ---- */

static void add_files(Check *c, const ProtoSet *set)
{
    IrProgram *p = c->program;
    for (uint32_t i = 0; i < set->file_count; i++) {
        bool there = set->files[i]->kind == SOURCE_BUILTIN;
        for (uint32_t k = 0; k < p->proto_file_count; k++)
            there |= p->proto_files[k] == set->files[i];
        if (!there)
            *PUSH(c, p->proto_files, p->proto_file_count, c->proto_file_cap) = set->files[i];
    }
}

static const ProtoSet *files(Check *c, const AstOption *o, Str *ret_path)
{
    const ProtoSet *set;
    ProtoProblem problem;
    if (!o->value || !ast_string_text(o->value, ret_path) || !ret_path->len) {
        diag_error(c->diags, DIAG_S011, o->span, "`proto` takes the path of a file, a fixed text");
        return NULL;
    }
    Status st = proto_open(c->arena, c->file->source, *ret_path, &set, &problem);
    if (st == ST_NO_MEMORY) check__leave(c, st);
    if (!st) {
        add_files(c, set);
        return set;
    }
    bool inside = problem.span.end != 0;
    Diagnostic *d = diag_error(c->diags, inside ? DIAG_S041 : DIAG_N009, o->value->span,
                               inside ? "`%.*s` cannot be read: %s" : "`%.*s` cannot be used: %s",
                               STR_ARG(*ret_path), problem.text);
    if (inside) diag_note(c->diags, d, problem.span, "here");
    return NULL;
}

/* message acme.Reading, or the same as a text. */
static bool message_name(Check *c, const AstOption *o, Str *ret_name)
{
    bool fine =
        o->value && (ast_string_text(o->value, ret_name) || check__path(c, o->value, ret_name));
    if (!fine || !ret_name->len) {
        diag_error(c->diags, DIAG_S011, o->span, "`message` takes the name of a message");
        return false;
    }
    return true;
}

static const ProtoMessage *message_of(Check *c, const AstOption *o, const ProtoSet *set, Str path)
{
    Str name, best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    if (!message_name(c, o, &name)) return NULL;
    const ProtoMessage *found = proto_message(set, name);
    if (found) return found;
    Diagnostic *d =
        diag_error(c->diags, DIAG_N012, o->value->span, "there is no message `%.*s` in `%.*s`",
                   STR_ARG(name), STR_ARG(path));
    for (const ProtoSymbol *s = set->first; s; s = s->next) {
        if (!s->message) continue;
        diag_suggest(name, s->name, &best, &distance);
        Str tail = s->name;
        for (size_t i = 0; i < tail.len; i++)
            if (tail.ptr[i] == '.') diag_suggest(name, str_skip(tail, i + 1), &best, &distance);
    }
    check__did_you_mean(c, d, o->value->span, best);
    return NULL;
}

bool flow__proto_option(const AstOption *o)
{
    return str_is(o->name.text, "proto") || str_is(o->name.text, "message");
}

bool flow__is_sparkplug(const AstName *format)
{
    return str_is(format->text, "sparkplug");
}

static const IrProto *sparkplug(Check *c, const Record *record, bool out, Span span)
{
    const ProtoSet *set;
    ProtoProblem problem;
    Status st = proto_open(c->arena, c->file->source, STR(PROTO_SPARKPLUG), &set, &problem);
    if (st) check__leave(c, st);
    Match m = {.c = c, .out = out, .sparkplug = true, .span = span};
    return match(&m, record, proto_message(set, STR("sparkplug.Payload")), STR(""));
}

const IrProto *flow__proto(Check *c, const AstConnector *at, const AstName *format,
                           const Record *record, bool out, Span span)
{
    if (flow__is_sparkplug(format)) return sparkplug(c, record, out, span);
    const AstOption *proto = ast_option(at, "proto"), *name = ast_option(at, "message");
    Str path = STR("");
    if (!proto || !name) {
        Diagnostic *d = diag_error(c->diags, DIAG_S012, span, "`protobuf` needs the option `%s`",
                                   proto ? "message" : "proto");
        diag_hint(c->diags, d, "as protobuf T proto \"machine.proto\" message acme.Reading");
        return NULL;
    }
    const ProtoSet *set = files(c, proto, &path);
    const ProtoMessage *message = set ? message_of(c, name, set, path) : NULL;
    if (!message) return NULL;
    Match m = {.c = c, .out = out, .span = span};
    return match(&m, record, message, STR(""));
}
