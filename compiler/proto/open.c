/* compiler/proto/open.c: a file with all it imports, and its names looked up. */
#include "compiler/proto/proto_int.h"

#include "base/hash.h"
#include "compiler/use.h"

#include <stdio.h>
#include <string.h>

const char *proto_type_text(ProtoType type)
{
    static const char *const texts[] = {"double",
                                        "float",
                                        "int32",
                                        "int64",
                                        "uint32",
                                        "uint64",
                                        "sint32",
                                        "sint64",
                                        "fixed32",
                                        "fixed64",
                                        "sfixed32",
                                        "sfixed64",
                                        "bool",
                                        "enum",
                                        "string",
                                        "bytes",
                                        "message",
                                        "google.protobuf.Timestamp",
                                        "google.protobuf.Duration",
                                        "group",
                                        "message"};
    return texts[type];
}

static ProtoSymbol **bucket(const ProtoSet *set, Str name)
{
    return (ProtoSymbol **)(uintptr_t)&set->buckets[hash_bytes(name.ptr, name.len) & 255];
}

ProtoSymbol *proto__find(const ProtoSet *set, Str name)
{
    ProtoSymbol *s = *bucket(set, name);
    while (s && !str_eq(s->name, name)) s = s->same;
    return s;
}

void proto__declare(ProtoReader *r, Str name, ProtoMessage *message, ProtoEnum *names, Span span)
{
    ProtoSet *set = r->set;
    if (r->failed) return;
    if (proto__find(set, name)) {
        proto__fail(r, span, "`%.*s` is declared twice", STR_ARG(name));
        return;
    }
    ProtoSymbol *s = arena_many(set->arena, ProtoSymbol, 1);
    if (!s || set->symbol_count >= PROTO_SYMBOLS_MAX) {
        proto__fail(r, span, s ? "there are too many messages" : "no memory");
        return;
    }
    ProtoSymbol **at = bucket(set, name);
    *s = (ProtoSymbol){.name = name, .message = message, .names = names, .same = *at};
    *at = s;
    if (set->last)
        set->last->next = s;
    else
        set->first = s;
    set->last = s;
    set->symbol_count++;
}

/* ---- files ---- */

static Status refuse(ProtoProblem *problem, Status status, Span span, const char *text)
{
    problem->status = status;
    problem->span = span;
    (void)snprintf(problem->text, sizeof problem->text, "%s", text);
    return status;
}

/* The source of a path, read once; those everybody has are never read from a disk. */
static Status source_of(ProtoSet *set, const Source *from, Str path, Source **ret_source, Diag *why)
{
    Str known = proto__known(path);
    if (known.len) {
        *ret_source = source_find(from->set, path);
        if (*ret_source && (*ret_source)->kind == SOURCE_BUILTIN) return ST_OK;
        Status st = source_add(from->set, path, known, ret_source, why);
        if (!st) (*ret_source)->kind = SOURCE_BUILTIN;
        return st;
    }
    Status st = use_text(set->arena, from, path, ret_source, why);
    if (st != ST_NOT_FOUND && st != ST_FORBIDDEN) return st;
    const Source *root = set->file_count ? set->files[0] : from;
    Status again = use_text(set->arena, root, path, ret_source, why);
    return again ? st : ST_OK;
}

static Status load(ProtoSet *set, Source *source, uint32_t depth, ProtoProblem *problem);

static Status imports(ProtoReader *r, uint32_t depth)
{
    for (uint32_t i = 0; i < r->import_count; i++) {
        Diag why = {0};
        Source *source;
        Span span = r->import_spans[i];
        if (depth >= PROTO_IMPORTS_MAX)
            return refuse(r->problem, ST_LIMIT, span, "files import each other at most 16 deep");
        Status st = source_of(r->set, r->source, r->imports[i], &source, &why);
        if (st)
            return refuse(r->problem, st, span,
                          st == ST_NOT_FOUND ? "there is no such file" : why.text);
        st = load(r->set, source, depth + 1, r->problem);
        if (st) return st;
    }
    return ST_OK;
}

/* Types are looked for from the innermost message outwards, as in C++. */
static ProtoSymbol *look_up(const ProtoSet *set, Str scope, Str name, char *room, size_t bytes)
{
    if (name.len && name.ptr[0] == '.') return proto__find(set, str_skip(name, 1));
    for (;;) {
        int n = snprintf(room, bytes, "%.*s%s%.*s", STR_ARG(scope), scope.len ? "." : "",
                         STR_ARG(name));
        if (n > 0 && (size_t)n < bytes) {
            ProtoSymbol *s = proto__find(set, str_slice(room, (size_t)n));
            if (s) return s;
        }
        if (!scope.len) return NULL;
        while (scope.len && scope.ptr[scope.len - 1] != '.') scope.len--;
        if (scope.len) scope.len--;
    }
}

static bool packs(ProtoType type)
{
    return type <= PROTO_ENUM;
}

static Status resolve_field(const ProtoSet *set, Str scope, ProtoField *f, ProtoProblem *problem)
{
    char room[1024], text[256];
    if (f->type == PROTO_NAMED) {
        const ProtoSymbol *s = look_up(set, scope, f->type_name, room, sizeof room);
        if (!s) {
            (void)snprintf(text, sizeof text, "there is no type `%.*s`", STR_ARG(f->type_name));
            return refuse(problem, ST_INVALID, f->span, text);
        }
        f->message = s->message;
        f->names = s->names;
        f->type = s->names ? PROTO_ENUM : PROTO_MESSAGE;
        if (s->message && str_is(s->name, "google.protobuf.Timestamp")) f->type = PROTO_TIMESTAMP;
        if (s->message && str_is(s->name, "google.protobuf.Duration")) f->type = PROTO_DURATION;
    }
    if (f->type >= PROTO_MESSAGE) f->implicit = false;
    f->packed = f->packed && f->label == PROTO_REPEATED && packs(f->type);
    return ST_OK;
}

/* Names in a file may stand before what they name, so this comes last. */
static Status resolve(const ProtoSet *set, ProtoProblem *problem)
{
    for (const ProtoSymbol *s = set->first; s; s = s->next)
        for (uint32_t i = 0; s->message && i < s->message->count; i++) {
            Status st = resolve_field(set, s->name, &s->message->fields[i], problem);
            if (st) return st;
        }
    return ST_OK;
}

static Status load(ProtoSet *set, Source *source, uint32_t depth, ProtoProblem *problem)
{
    for (uint32_t i = 0; i < set->file_count; i++)
        if (set->files[i] == source) return ST_OK;
    if (set->file_count >= PROTO_FILES_MAX)
        return refuse(problem, ST_LIMIT, (Span){source->id, 0, 0}, "at most 64 files are read");
    set->files[set->file_count++] = source;
    ProtoReader r = {.set = set,
                     .source = source,
                     .problem = problem,
                     .at = source->text.ptr,
                     .now.span = {source->id, 0, 0},
                     .package = STR("")};
    proto__file(&r);
    return r.failed ? r.failed : imports(&r, depth);
}

Status proto_open(Arena *arena, const Source *from, Str path, const ProtoSet **ret_set,
                  ProtoProblem *problem)
{
    Diag why = {0};
    Source *source;
    ProtoSet *set = arena_many(arena, ProtoSet, 1);
    *problem = (ProtoProblem){0};
    if (!set) return refuse(problem, ST_NO_MEMORY, problem->span, "no memory");
    *set = (ProtoSet){.arena = arena, .files = arena_many(arena, const Source *, PROTO_FILES_MAX)};
    if (!set->files) return refuse(problem, ST_NO_MEMORY, problem->span, "no memory");
    Status st = source_of(set, from, path, &source, &why);
    if (st)
        return refuse(problem, st, problem->span,
                      st == ST_NOT_FOUND ? "there is no such file" : why.text);
    st = load(set, source, 0, problem);
    if (!st) st = resolve(set, problem);
    if (!st) *ret_set = set;
    return st;
}

const ProtoMessage *proto_message(const ProtoSet *set, Str name)
{
    const ProtoSymbol *s = proto__find(set, name), *only = NULL;
    if (s) return s->message;
    for (s = set->first; s; s = s->next) {
        Str tail = s->name;
        bool ends = tail.len > name.len && tail.ptr[tail.len - name.len - 1] == '.' &&
                    str_eq(str_skip(tail, tail.len - name.len), name);
        if (!ends || !s->message) continue;
        if (only) return NULL;
        only = s;
    }
    return only ? only->message : NULL;
}

const ProtoField *proto_field(const ProtoMessage *message, Str name)
{
    const ProtoField *found = NULL;
    for (uint32_t i = 0; i < message->count; i++) {
        if (str_eq(message->fields[i].name, name)) return &message->fields[i];
        if (!found && str_eq(message->fields[i].json_name, name)) found = &message->fields[i];
    }
    return found;
}
