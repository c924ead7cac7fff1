/* tests/fuzz/fuzz_proto_file.c: any text as a .proto file: read or refused with a place, and what
 * is read is whole. */
#include "compiler/proto/proto.h"

#include <assert.h>
#include <stdlib.h>

static void walk(const ProtoSet *set)
{
    for (const ProtoSymbol *s = set->first; s; s = s->next) {
        assert(!!s->message != !!s->names);
        assert(!s->message || proto_message(set, s->name) == s->message);
        for (uint32_t i = 0; s->message && i < s->message->count; i++) {
            const ProtoField *f = &s->message->fields[i];
            assert(f->number && f->number < 1u << 29 && f->type != PROTO_NAMED);
            assert(proto_field(s->message, f->name) == f);
            assert((f->type == PROTO_ENUM) == (f->names != NULL));
            assert(f->type != PROTO_MESSAGE || f->message);
            assert(!f->packed || f->label == PROTO_REPEATED);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16384) return 0;
    Arena *arena = arena_new(0, 0);
    SourceSet sources;
    Source *program, *file;
    const ProtoSet *set;
    ProtoProblem problem;
    if (!arena) abort();
    source_set_init(&sources, arena);
    sources.sealed = true; /* an import reads nothing from the disk */
    if (source_add(&sources, STR("p.tutti"), STR(""), &program, NULL) ||
        source_add(&sources, STR("x.proto"), str_slice((const char *)data, size), &file, NULL))
        abort();
    Status st = proto_open(arena, program, STR("x.proto"), &set, &problem);
    if (!st) walk(set);
    if (st) assert(problem.text[0] && problem.span.end <= size + 4096);
    arena_free(arena);
    return 0;
}
