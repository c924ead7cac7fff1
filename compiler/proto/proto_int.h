/* compiler/proto/proto_int.h: what the files of this folder share. */
#ifndef TUTTI_COMPILER_PROTO_PROTO_INT_H
#define TUTTI_COMPILER_PROTO_PROTO_INT_H

#include "compiler/proto/proto.h"

typedef enum ProtoTokenKind {
    PROTO_TOKEN_END,
    PROTO_TOKEN_NAME,
    PROTO_TOKEN_NUMBER, /* whole: `number`, if it has 64 bits */
    PROTO_TOKEN_FLOAT,
    PROTO_TOKEN_STRING,
    PROTO_TOKEN_MARK, /* one character */
    PROTO_TOKEN_BAD
} ProtoTokenKind;

typedef struct ProtoToken {
    ProtoTokenKind kind;
    Str text; /* STRING: without quotes, as written */
    uint64_t number;
    bool too_big;
    Span span;
    const char *why; /* BAD */
} ProtoToken;

typedef struct ProtoReader {
    ProtoSet *set;
    const Source *source;
    ProtoProblem *problem;
    const char *at; /* behind the token at hand */
    ProtoToken now;
    Str package;
    bool proto3;
    uint32_t depth; /* of imports */
    Str *imports;
    Span *import_spans;
    uint32_t import_count, import_cap;
    Status failed; /* the first one */
} ProtoReader;

/* lex.c: the next token. */
void proto__next(ProtoReader *r);
bool proto__is(const ProtoReader *r, const char *text); /* a name or a mark */
bool proto__take(ProtoReader *r, const char *text);     /* and goes on behind it */
/* Notes the first failure, at `span`; what is read from then on is END. */
void proto__fail(ProtoReader *r, Span span, const char *format, ...) PRINTF_LIKE(3, 4);
void proto__want(ProtoReader *r, const char *text);
Str proto__name(ProtoReader *r, const char *what);
Str proto__string(ProtoReader *r, const char *what);
uint32_t proto__number(ProtoReader *r, uint32_t most, const char *what);
/* Room for one more; NULL: no memory, or `most` are there. */
void *proto__grow(ProtoReader *r, void *list, uint32_t count, uint32_t *cap, size_t bytes,
                  uint32_t most);

/* parse.c */
void proto__file(ProtoReader *r);
/* open.c: declares a message or an enum under its full name. */
void proto__declare(ProtoReader *r, Str name, ProtoMessage *message, ProtoEnum *names, Span span);
ProtoSymbol *proto__find(const ProtoSet *set, Str name);
/* known.c: the text of a file of google/protobuf, or an empty one. */
Str proto__known(Str path);
Str proto__sparkplug(void);

#endif
