/* runtime/flow/abi_data.h: what generated code and the runtime agree on, first part: values,
 * schemas, records in and rows out. See abi.h, which is the rest; who wants one wants both. */
#ifndef TUTTI_FLOW_ABI_DATA_H
#define TUTTI_FLOW_ABI_DATA_H

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT32_TYPE__ i32;
typedef __INT64_TYPE__ i64;
typedef float f32;
typedef double f64;

enum {
    RT_ABI = 25,
    RT_PAD_BYTES = 64, /* readable bytes behind every record or chunk; the first is 0 or '\\n' */
    RT_DEPTH_MAX = 64, /* nesting of records in formats of bytes */
    RT_JSON_DEPTH_MAX = 1024, /* nesting of JSON: what is passed over, or kept as json, unread */
    RT_LEAVES_MAX = 256,
    RT_LAYOUTS = 4, /* learnt layouts of one pipeline */
    RT_FITTED_EVERY = 256,
    RT_SHARE_MAX = 64 /* pipelines with one decoder */
};

#define RT_NO_STAGE 0u /* stage 0 is that of the source */

typedef struct RtText {
    const char *p;
    u64 n; /* bytes */
} RtText;

/* One value outside a register: keys, window rows, taps. Which member holds is told by a type. */
typedef union RtValue {
    i64 i;    /* I32 I64 BOOL TIME DURATION DECIMAL ENUM */
    u64 u;    /* U32 U64 */
    f64 d;    /* F32 F64 */
    RtText s; /* STR BYTES JSON */
} RtValue;

/* An item is a row in memory: RtValue values[leaf_count], then u8 has[leaf_count], padded to 8
 * bytes. A list is items behind each other. */
#define RT_ITEM_BYTES(leaf_count) (16u * (leaf_count) + ((leaf_count) + 7u) / 8u * 8u)

/* The order is the one of IrType in compiler/ir/ir.h. */
typedef enum RtType {
    RT_NONE,
    RT_BOOL,
    RT_I32,
    RT_I64,
    RT_U32,
    RT_U64,
    RT_F32,
    RT_F64,
    RT_DECIMAL,
    RT_STR,
    RT_BYTES,
    RT_TIME,
    RT_DURATION,
    RT_ENUM,
    RT_JSON,
    RT_LIST, /* s: n items behind each other */
    RT_ITEM, /* s: one item */
    RT_RECORD
} RtType;

typedef enum RtReason {
    RT_FINE,
    RT_BAD_JSON,
    RT_BAD_NUMBER,
    RT_BAD_TIME,
    RT_BAD_ENUM,
    RT_BAD_VALUE, /* another JSON type than the field's, where no other reason says it */
    RT_MISSING_FIELD,
    RT_RANGE,
    RT_TOO_LONG,
    RT_UNKNOWN_FIELD,
    RT_FUTURE_TIME,
    RT_OVERFLOW,
    RT_DIV_ZERO,
    RT_NO_MATCH,
    RT_STATE_FULL, /* no room for more keys or open windows */
    RT_BAD_RECORD, /* not well-formed, in a format of bytes */
    RT_NAMED,      /* a reason the program names */
    RT_REASON__COUNT
} RtReason;

/* EARLY: what decides whether the record is kept reads it, see RtScan.keeps. */
enum { RT_NEEDED = 1, RT_OPTIONAL = 2, RT_RANGED = 4, RT_EARLY = 8 };

/* The order is the one of IrFormat. From MSGPACK on records are bytes, not lines. */
typedef enum RtFormat {
    RT_FORMAT_NONE,
    RT_FORMAT_JSON,
    RT_FORMAT_CSV,
    RT_FORMAT_TEXT,
    RT_FORMAT_RAW,
    RT_FORMAT_MSGPACK,
    RT_FORMAT_CBOR,
    RT_FORMAT_PROTOBUF,
    RT_FORMAT__COUNT
} RtFormat;

/* A field of a schema; a nested record follows as `child`. Leaves are numbered in field order. */
typedef struct RtField {
    const char *name;
    u64 word; /* first 8 bytes of name, little end first, zeros behind */
    u16 name_len;
    u8 type, flags; /* RtType; RT_NEEDED ... */
    u8 scale;       /* DECIMAL: digits behind the point */
    u8 time_read;   /* TIME: 0 text, 1 s, 2 ms, 3 us, 4 ns */
    u16 leaf;       /* number of the (first) leaf */
    u32 bytes_max;  /* STR BYTES JSON; LIST: most items */
    u32 name_count; /* ENUM */
    const char *const *names;
    f64 lo, hi;                   /* RT_RANGED: both inclusive */
    const struct RtSchema *child; /* RECORD; LIST: of an item, one field "" = single values */
    const char *path;             /* "a.b", for error records */
} RtField;

typedef struct RtSchema {
    const char *name;
    const RtField *fields;
    u32 count;
    u32 leaf_count;
} RtSchema;

/* ---- how records of a schema stand in messages of protobuf ---- */

typedef enum RtProtoKind {
    RT_PROTO_DOUBLE,
    RT_PROTO_FLOAT,
    RT_PROTO_INT32,
    RT_PROTO_INT64,
    RT_PROTO_UINT32,
    RT_PROTO_UINT64,
    RT_PROTO_SINT32,
    RT_PROTO_SINT64,
    RT_PROTO_FIXED32,
    RT_PROTO_FIXED64,
    RT_PROTO_SFIXED32,
    RT_PROTO_SFIXED64,
    RT_PROTO_BOOL,
    RT_PROTO_ENUM,
    RT_PROTO_STRING,
    RT_PROTO_BYTES,
    RT_PROTO_MESSAGE,
    RT_PROTO_TIMESTAMP, /* google.protobuf.Timestamp, Duration */
    RT_PROTO_DURATION
} RtProtoKind;

enum {
    RT_PROTO_REPEATED = 1,
    RT_PROTO_PACKED = 2,   /* written as one piece */
    RT_PROTO_IMPLICIT = 4, /* what is absent is zero or empty, and the other way round */
    /* Sparkplug B: a value stands in one of several members, and what its bits mean in another
     * field, the data type. Rows have one member; ANY is a matter of reading. */
    RT_PROTO_ANY = 8,      /* a member that is the value of `field`, as others are */
    RT_PROTO_TYPED = 16,   /* read: the data type of those; written: values[0] */
    RT_PROTO_NULL = 32,    /* written: true where `field` is missing */
    RT_PROTO_ENDS = 0xffff /* RtProtoField.field of one that only ends others of its oneof */
};

typedef struct RtProtoField {
    u32 number;
    u8 kind, flags; /* RtProtoKind; RT_PROTO_REPEATED ... */
    u16 field;      /* of the schema, by index */
    u16 oneof;      /* 0 = of none */
    u16 value_count;
    const i32 *values;           /* ENUM: numbers of the names that the field has */
    const struct RtProto *child; /* MESSAGE */
} RtProtoField;

typedef struct RtProto {
    const RtProtoField *fields; /* by number */
    u32 count;
} RtProto;

/* ---- what comes in ---- */

/* One record with its meta data. All pointers belong to the host until feed() returns. */
typedef struct RtRecord {
    const char *ptr; /* RT_PAD_BYTES readable behind */
    u32 len;
    u32 topic_len, key_len;
    u16 headers_len;
    u16 broken; /* no whole record of its format: what there is of it */
    const char *topic, *key;
    const char *headers; /* a JSON object of texts; 0 bytes = none came along */
    i64 received_ns;
    u64 ack; /* the host's own token, handed on to the rows made of the record */
} RtRecord;

/* Either lines (bytes != NULL: ends with '\n' unless it is the end of the input; RT_PAD_BYTES
 * readable behind) or records. */
typedef struct RtBatch {
    u32 source; /* index into RtPipelineInfo.sources */
    u32 count;  /* records */
    const RtRecord *records;
    const char *bytes;
    u64 len;
    i64 received_ns; /* of all lines */
    const char *topic;
    u64 topic_len; /* of all lines: e.g. the file's path */
} RtBatch;

/* ---- what goes out ---- */

/* A row in a sink's buffer. Address (topic, path) and key are texts in `aside`; 0 bytes = none. */
typedef struct RtRow {
    u64 start; /* into RtOut.bytes */
    u32 len;   /* with the line end */
    u32 address_len, key_len;
    u32 order;        /* of the rows of all sinks, as they were made; wraps */
    u64 address, key; /* into RtOut.aside */
    u64 ack;          /* of the record at hand; 0 for rows of windows */
} RtRow;

typedef struct RtOut {
    char *bytes;
    u64 len, cap;
    char *aside;
    u64 aside_len, aside_cap;
    RtRow *rows;
    u64 row_count, row_cap;
    u64 rows_total; /* since open */
} RtOut;

#endif
