/* compiler/proto/proto.h: `.proto` files: the messages and enums they declare.
 *
 * Syntax proto2 and proto3. What says nothing of how a message stands in bytes (options, services,
 * extensions, reserved ranges once they are checked) is passed over. A file and all it imports is
 * one ProtoSet; paths of imports are seen from the file they stand in, then from the first one.
 * The files of google/protobuf that everybody imports are here (known.c) and never read. Everything
 * lives in the arena; nothing of a set changes after proto_open. */
#ifndef TUTTI_COMPILER_PROTO_PROTO_H
#define TUTTI_COMPILER_PROTO_PROTO_H

#include "compiler/diag/source.h"

enum {
    PROTO_FILES_MAX = 64,   /* of one program's set */
    PROTO_IMPORTS_MAX = 16, /* files inside each other */
    PROTO_LEVELS_MAX = 32,  /* messages inside each other; braces in options */
    PROTO_SYMBOLS_MAX = 1 << 14,
    PROTO_FIELDS_MAX = 1 << 12, /* of one message; names of one enum */
    PROTO_RESERVED_MAX = 1 << 10
};

/* The path under which proto_open has the messages of Sparkplug B: no file's, it holds a colon. */
#define PROTO_SPARKPLUG "sparkplug:"

/* The order up to MESSAGE is that of RtProtoKind in flow/abi.h. */
typedef enum ProtoType {
    PROTO_DOUBLE,
    PROTO_FLOAT,
    PROTO_INT32,
    PROTO_INT64,
    PROTO_UINT32,
    PROTO_UINT64,
    PROTO_SINT32,
    PROTO_SINT64,
    PROTO_FIXED32,
    PROTO_FIXED64,
    PROTO_SFIXED32,
    PROTO_SFIXED64,
    PROTO_BOOL,
    PROTO_ENUM,
    PROTO_STRING,
    PROTO_BYTES,
    PROTO_MESSAGE,
    PROTO_TIMESTAMP, /* google.protobuf.Timestamp, Duration */
    PROTO_DURATION,
    PROTO_GROUP, /* of proto2: never read */
    PROTO_NAMED  /* not looked up yet */
} ProtoType;

typedef enum ProtoLabel { PROTO_PLAIN, PROTO_OPTIONAL, PROTO_REQUIRED, PROTO_REPEATED } ProtoLabel;

struct ProtoMessage;

typedef struct ProtoValue {
    Str name;
    int32_t number;
    Span span;
} ProtoValue;

typedef struct ProtoEnum {
    Str name; /* in full: "acme.State" */
    ProtoValue *values;
    uint32_t count, cap;
    Span span;
} ProtoEnum;

typedef struct ProtoField {
    Str name, json_name; /* flow_rate, flowRate */
    uint32_t number;
    ProtoLabel label;
    ProtoType type;
    Str type_name; /* as written, of a message or an enum */
    const struct ProtoMessage *message;
    const ProtoEnum *names;
    uint32_t oneof;                     /* 0 = of none; numbers count within the message */
    bool packed, packed_said, implicit; /* implicit: absent means zero or empty */
    Span span;
} ProtoField;

typedef struct ProtoRange {
    uint32_t from, to; /* both inclusive */
} ProtoRange;

typedef struct ProtoMessage {
    Str name; /* in full */
    ProtoField *fields;
    uint32_t count, cap, oneof_count;
    ProtoRange *reserved;
    uint32_t reserved_count, reserved_cap;
    Str *reserved_names;
    uint32_t reserved_name_count, reserved_name_cap;
    bool proto3;
    Span span;
} ProtoMessage;

/* A message or an enum by its full name. */
typedef struct ProtoSymbol {
    Str name;
    ProtoMessage *message;
    ProtoEnum *names;
    struct ProtoSymbol *next, *same; /* in the order of files; of one bucket */
} ProtoSymbol;

typedef struct ProtoSet {
    Arena *arena;
    ProtoSymbol *first, *last, *buckets[256];
    uint32_t symbol_count;
    const Source **files; /* the first one is what the program named */
    uint32_t file_count;
} ProtoSet;

/* Why a file cannot be used: at a place in it, or in no file (span.end == 0). */
typedef struct ProtoProblem {
    Status status;
    Span span;
    char text[DIAG_TEXT_BYTES];
} ProtoProblem;

/* The file as `path` is seen from `from`, and all it imports. */
MUST Status proto_open(Arena *arena, const Source *from, Str path, const ProtoSet **ret_set,
                       ProtoProblem *problem);
/* By its full name; without a package's name if no other message ends so. NULL: there is none. */
const ProtoMessage *proto_message(const ProtoSet *set, Str name);
const ProtoField *proto_field(const ProtoMessage *message, Str name); /* or its name in JSON */
const char *proto_type_text(ProtoType type);

#endif
