/* compiler/ast/ast.h: the program as the user wrote it.
 *
 * Nodes live in the unit's arena and point into the source text where they can; nothing is freed
 * alone. Lists are linked by `next` in source order, and a head of NULL is an empty list. Every
 * node has its Span. What has errors is left out: an AstItem with `broken` set lost at least one
 * part, so later phases must not report what seems to be missing from it. Expressions are at most
 * AST_DEPTH_MAX deep, so recursion over the tree is safe. */
#ifndef TUTTI_COMPILER_AST_AST_H
#define TUTTI_COMPILER_AST_AST_H

#include "base/arena.h"
#include "base/buf.h"
#include "compiler/diag/source.h"

enum { AST_DEPTH_MAX = 800 };

typedef struct AstExpr AstExpr;
typedef struct AstType AstType;
typedef struct AstStage AstStage;

typedef struct AstName {
    Str text; /* empty: absent */
    Span span;
} AstName;

typedef struct AstNames {
    AstName name;
    struct AstNames *next;
} AstNames;

/* A duration where the grammar wants a literal; span.end == 0 means absent. */
typedef struct AstDuration {
    int64_t ns;
    Span span;
} AstDuration;

typedef struct AstInteger { /* a whole number where the grammar wants one; span.end == 0: absent */
    int64_t value;
    Span span;
} AstInteger;

#define AST_HAS(literal) ((literal).span.end != 0)

/* kW/bar, m^3/h: factors with exponents; "1" and "%" are factors too. */
typedef struct AstFactor {
    AstName name;
    int32_t power; /* negative behind '/' */
    struct AstFactor *next;
} AstFactor;

typedef struct AstUnit {
    Span span; /* with the brackets */
    Str text;  /* between the brackets, as written */
    AstFactor *factors;
} AstUnit;

/* ---- types ------------------------------------------------------------------------------- */

typedef enum AstTypeKind {
    AST_TYPE_NAMED,  /* i32, f64, string(16), decimal(2), time(ms), json, or a declared name */
    AST_TYPE_ENUM,   /* enum { A, B } */
    AST_TYPE_RECORD, /* { a: T, b: U? } */
    AST_TYPE_ARRAY,  /* [T; n] */
    AST_TYPE_TAG,    /* tag T */
    AST_TYPE_STATE,  /* state Kurt(64): only a parameter of a step fn */
} AstTypeKind;

typedef struct AstTypeField {
    AstName name;
    AstType *type;
    Span span;
    struct AstTypeField *next;
} AstTypeField;

struct AstType {
    AstTypeKind kind;
    Span span;
    bool optional;        /* T? */
    Span optional_span;   /* of the '?' */
    AstName name;         /* NAMED, STATE */
    AstInteger size;      /* string(n), bytes(n), decimal(s), [T; n], state S(n) */
    AstName param;        /* time(ms): ms */
    AstUnit *unit;        /* or NULL */
    AstExpr *lo, *hi;     /* `in lo..hi`, both or none: literals, maybe with unit or minus */
    AstNames *variants;   /* ENUM */
    AstTypeField *fields; /* RECORD */
    AstType *of;          /* ARRAY, TAG */
    uint32_t depth;
};

/* ---- expressions ------------------------------------------------------------------------- */

typedef enum AstExprKind {
    AST_NULL,
    AST_BOOL,
    AST_NUMBER,   /* 12, 0xFF, 1.5e3 with an optional unit */
    AST_STRING,   /* parts; one text part when nothing is interpolated */
    AST_DURATION, /* 1h30m */
    AST_SIZE,     /* 64KiB */
    AST_PERCENT,  /* 5% */
    AST_INSTANT,  /* 2026-11-23T10:00:00Z */
    AST_NAME,     /* a field, a const, an enum value, a declaration: names are resolved later */
    AST_FIELD,    /* a.b */
    AST_INDEX,    /* a[b] */
    AST_CALL,     /* name(args) */
    AST_UNARY,    /* -a, not a */
    AST_BINARY,   /* a OP b */
    AST_EXISTS,   /* a exists */
    AST_CONVERT,  /* a to [unit], a to name */
    AST_RANGE,    /* lo..hi: right of `in` and in patterns */
    AST_IF,
    AST_MATCH,
    AST_RECORD,
    AST_LIST,
    AST_TRY, /* try a else b */
} AstExprKind;

typedef enum AstOp {
    AST_OR,
    AST_AND,
    AST_NOT,
    AST_EQ,
    AST_NE,
    AST_LT,
    AST_LE,
    AST_GT,
    AST_GE,
    AST_IN,
    AST_STARTS_WITH,
    AST_ENDS_WITH,
    AST_CONTAINS,
    AST_MATCHES,
    AST_BECOMES,
    AST_COALESCE,
    AST_ADD,
    AST_SUB,
    AST_MUL,
    AST_DIV,
    AST_INT_DIV,
    AST_MOD,
    AST_NEG,
    AST_OP__COUNT
} AstOp;

typedef struct AstPart { /* of a string: text, or an expression between braces */
    Str text;            /* unescaped; used when expr is NULL */
    AstExpr *expr;
    Span span;
    struct AstPart *next;
} AstPart;

typedef enum AstArgKind {
    AST_ARG_PLAIN,  /* f(x), f(name: x) */
    AST_ARG_WITHIN, /* quantile(x, 0.95, within 1%) */
    AST_ARG_WHERE,  /* count(where e) */
} AstArgKind;

typedef struct AstArg {
    AstArgKind kind;
    AstName name; /* of a named argument */
    AstExpr *value;
    Span span;
    struct AstArg *next;
} AstArg;

typedef struct AstField { /* of a record expression */
    AstName name;
    AstExpr *value;     /* with spread: the record behind `...` */
    AstExpr *tolerance; /* `~ x`, only in `expect`; or NULL */
    bool spread;
    Span span;
    struct AstField *next;
} AstField;

typedef struct AstCase { /* A or B => value; patterns NULL: else */
    AstExpr *patterns;   /* linked by AstExpr.next */
    AstExpr *value;
    Span span;
    struct AstCase *next;
} AstCase;

struct AstExpr {
    AstExprKind kind;
    uint32_t depth;
    Span span;
    AstExpr *next; /* in lists: items, patterns */
    union {
        bool boolean;
        struct {
            Str text;    /* as written, without '_' */
            bool is_int; /* no '.', no exponent, fits u64 */
            uint64_t integer;
            double number;
            AstUnit *unit; /* or NULL */
        } number;
        struct {
            AstPart *parts;
            bool raw; /* raw "..." */
        } string;
        int64_t ns;      /* DURATION, INSTANT (since 1970-01-01T00:00:00Z) */
        uint64_t bytes;  /* SIZE */
        double fraction; /* PERCENT: 0.05 for 5% */
        Str name;        /* NAME */
        struct {
            AstExpr *base;
            AstName name;
        } field;
        struct {
            AstExpr *base, *at;
        } index;
        struct {
            AstName name;
            AstArg *args;
        } call;
        struct {
            AstOp op;
            Span op_span;
            AstExpr *a, *b;
        } op; /* UNARY (b NULL), BINARY, EXISTS */
        struct {
            AstExpr *value;
            AstUnit *unit;
            AstName name;
            AstInteger size; /* to decimal(2), to string(16) */
        } convert;
        struct {
            AstExpr *lo, *hi;
        } range;
        struct {
            AstExpr *cond, *yes, *no;
        } branch; /* IF; TRY uses yes and no */
        struct {
            AstExpr *value;
            AstCase *cases;
        } match;
        AstField *fields; /* RECORD */
        AstExpr *items;   /* LIST */
    } as;
};

/* ---- connectors -------------------------------------------------------------------------- */

typedef struct AstOption { /* qos 1, zone "x", key (a, b), retain */
    AstName name;
    AstExpr *value; /* NULL: a flag. A bare word is an AST_NAME, (a, b) an AST_LIST */
    Span span;
    struct AstOption *next;
} AstOption;

/* KIND [VERB] [ADDRESS] option value... : mqtt "plant/+" qos 1; http post "/x"; erp sql "select";
 * historian press_10s key (a, b); stdin; every 10s. */
typedef struct AstConnector {
    AstName kind;
    AstName verb;     /* post, sql; may be absent */
    AstExpr *address; /* string, duration or bare name; or NULL */
    AstOption *options;
    Span span;
} AstConnector;

typedef struct AstDecode { /* as FORMAT TYPE; both may be absent */
    AstName format;
    AstType *type;
    Span span;
} AstDecode;

typedef struct AstSink {
    AstConnector to;
    AstName format; /* as csv */
    Span span;
    struct AstSink *next;
} AstSink;

typedef enum AstElseKind {
    AST_ELSE_NONE,
    AST_ELSE_NULL,
    AST_ELSE_ERROR,
    AST_ELSE_DROP
} AstElseKind;

typedef struct AstElse { /* else null | else error REASON | else drop */
    AstElseKind kind;
    AstName reason;
    Span span;
} AstElse;

/* ---- stages ------------------------------------------------------------------------------ */

typedef enum AstStageKind {
    AST_FROM,
    AST_TIME,
    AST_WHERE,
    AST_LET,
    AST_KEEP,
    AST_DROP,
    AST_REQUIRE,
    AST_EACH,
    AST_SPLIT,
    AST_JOIN,
    AST_ASK,
    AST_WINDOW,
    AST_DEDUPE,
    AST_DEADBAND,
    AST_WHEN,
    AST_THROTTLE,
    AST_SAMPLE,
    AST_DELAY,
    AST_INTO,
    AST_REPLY,
    AST_ON,
    AST_DURABLE,
    AST_OVERFLOW,
    AST_PRIORITY,
    AST_SHARDS,
    AST_STAGE__COUNT
} AstStageKind;

typedef struct AstLet { /* name = value, in `let` and in a window's braces */
    AstName name;
    AstExpr *value;
    AstExpr *reset; /* `reset at x`, or NULL */
    Span span;
    struct AstLet *next;
} AstLet;

typedef struct AstPick { /* a.b [as c], in keep, drop, require, by, key */
    AstExpr *path;
    AstName as;
    Span span;
    struct AstPick *next;
} AstPick;

typedef enum AstArmKind { AST_ARM_WHERE, AST_ARM_ELSE, AST_ARM_EACH_TAG, AST_ARM_KEEP } AstArmKind;

typedef struct AstArm {
    AstArmKind kind;
    AstExpr *cond;  /* WHERE */
    AstPick *picks; /* KEEP */
    AstStage *stages;
    Span span;
    struct AstArm *next;
} AstArm;

typedef enum AstWindowKind {
    AST_WINDOW_TUMBLE,
    AST_WINDOW_HOP,
    AST_WINDOW_SESSION,
    AST_WINDOW_COUNT
} AstWindowKind;

typedef enum AstOnAction {
    AST_ON_INTO,
    AST_ON_DROP,
    AST_ON_UPDATE,
    AST_ON_DEAD,
    AST_ON_REPLY
} AstOnAction;

struct AstStage {
    AstStageKind kind;
    Span span;    /* the whole stage */
    Span keyword; /* its leading word */
    AstStage *next;
    union {
        struct {
            AstConnector source;
            AstDecode decode;
        } from;
        struct {
            AstName field;
            AstDuration order, idle, ahead;
            AstPick *clock_by;
        } time;
        struct {
            AstExpr *cond;
            AstElse otherwise;
        } where; /* WHERE; WHEN uses cond */
        AstLet *lets;
        AstPick *picks; /* KEEP, DROP, REQUIRE */
        AstExpr *each;
        struct {
            bool all;
            AstArm *arms;
        } split;
        struct {
            bool last; /* join last SOURCE: source and decode; else table */
            AstName table;
            AstConnector source;
            AstDecode decode;
            AstExpr *on;
            AstDuration within;
            AstElse otherwise;
        } join;
        struct {
            AstName name;
            AstConnector source; /* options timeout, retry, backoff, limit are taken out of it */
            AstDecode decode;
            AstDuration timeout, backoff;
            AstInteger retry, limit;
            bool unordered;
            AstElse otherwise;
        } ask;
        struct {
            AstWindowKind kind;
            AstDuration size;  /* tumble D, hop D, session gap D */
            AstDuration every; /* hop D every D */
            AstDuration max;   /* session gap D max D */
            AstInteger count;  /* count N */
            AstPick *by;
            AstName use; /* using good|any */
            AstDuration early;
            AstLet *aggregates;
            Span body; /* the braces */
        } window;
        struct {
            AstPick *by;
            AstDuration within;
        } dedupe;
        struct {
            AstArg *args;
            AstDuration silence;
        } deadband;
        struct {
            AstInteger count;
            AstDuration per;
        } throttle;
        AstDuration duration; /* SAMPLE (every), DELAY */
        AstSink *sinks;       /* INTO */
        struct {
            AstInteger code;
            AstExpr *body;
        } reply;
        struct {
            AstName port; /* late | error */
            AstOnAction action;
            AstSink *sinks;
            AstInteger code; /* REPLY */
            AstExpr *body;   /* REPLY, or NULL */
            bool stops;
            double stop_above; /* fraction */
            AstDuration stop_in;
            Span stop_span;
        } on;
        struct {
            uint64_t max_bytes;
            Span max_span;
        } durable; /* max_span.end == 0: absent */
        struct {
            AstName policy;
            uint64_t bytes;
            Span bytes_span;
        } overflow;       /* block, drop, spill */
        AstName priority; /* high | low */
        struct {
            AstInteger count;
            AstPick *by;
        } shards;
    } as;
};

/* ---- items ------------------------------------------------------------------------------- */

typedef enum AstItemKind {
    AST_ITEM_TYPE,
    AST_ITEM_CONNECTION,
    AST_ITEM_CONST,
    AST_ITEM_FN,
    AST_ITEM_UNIT,
    AST_ITEM_PIPELINE,
    AST_ITEM_TEST,
    AST_ITEM_TABLE,
    AST_ITEM_MAP,
    AST_ITEM_EXTERN,
    AST_ITEM_USE,
    AST_ITEM_DEPLOY,
    AST_ITEM_CHECK,
    AST_ITEM_ALARM,
    AST_ITEM__COUNT
} AstItemKind;

typedef struct AstParam {
    AstName name;
    AstType *type;
    Span span;
    struct AstParam *next;
} AstParam;

typedef struct AstCFn { /* pure fn / step fn of an extern block */
    AstName mode, name; /* mode: pure | step */
    AstParam *params;
    AstType *result;
    Span span;
    struct AstCFn *next;
} AstCFn;

typedef struct AstMapField { /* u: f32 be at holding 40001 scale 0.1 [V] in 0..500 */
    AstName name;
    AstType *type; /* with unit and range */
    AstName order; /* be, le, be_swap, le_swap; may be absent */
    AstName area;  /* holding, input, coil, discrete */
    AstInteger address;
    AstExpr *scale, *offset; /* number literals, or NULL */
    Span tag;                /* of the word `tag`; end == 0: a plain value */
    Span span;
    struct AstMapField *next;
} AstMapField;

typedef enum AstStepKind {
    AST_STEP_TABLE,   /* table NAME "file", table NAME { ... } : target, value */
    AST_STEP_IN,      /* in { ... }, in raw "..." : value */
    AST_STEP_CLOCK,   /* clock INSTANT */
    AST_STEP_EXPECT,  /* expect KIND { ... } : target, value */
    AST_STEP_NOTHING, /* expect nothing else */
} AstStepKind;

/* What comes beside a record: topic "a/b", key "k", header "x-line" "A". */
typedef struct AstBeside {
    AstName word;
    AstExpr *name, *value; /* strings; name: of a header, else NULL */
    Span span;
    struct AstBeside *next;
} AstBeside;

typedef struct AstStep {
    AstStepKind kind;
    AstName
        target; /* EXPECT: uns, file, error, late...; IN: the source it goes to, may be absent */
    AstExpr *value; /* record or string; CLOCK: instant or duration */
    bool from_file; /* IN, EXPECT: the value names a file; EXPECT without target: of all sinks */
    struct AstBeside *beside; /* IN */
    Span span;
    struct AstStep *next;
} AstStep;

typedef struct AstItem {
    AstItemKind kind;
    bool broken; /* lost a part to an error */
    Span span, keyword;
    AstName name; /* empty for extern, use, deploy */
    struct AstItem *next;
    union {
        AstType *type;
        struct {
            AstConnector to;
            AstExpr *settings;
        } connection; /* settings: record or NULL */
        struct {
            AstType *type;
            AstExpr *value;
        } constant; /* type may be NULL */
        struct {
            AstParam *params;
            AstType *result;
            AstExpr *body;
        } fn;
        struct {
            AstExpr *value;
        } unit; /* unit rev = 1; unit rpm = 1 [rev/min] */
        struct {
            AstStage *stages;
            Span body;
        } pipeline;
        struct {
            Str text; /* what it shows */
            Span text_span;
            AstStep *steps;
        } test;
        struct {
            AstConnector from;
            AstName key;
            bool reload;
            AstType *type;
        } table;
        struct {
            AstName protocol;
            AstOption *options; /* unit 3, every 500ms */
            AstMapField *fields;
        } map;
        struct {
            AstName language;
            AstExpr *path;
            AstCFn *fns;
        } external;
        struct {
            AstExpr *path;
            AstName as;
        } use;
        struct {
            AstName target;
            AstExpr *settings;
        } deploy;
        struct {
            AstNames *words;
        } check; /* every word of `check P restart anywhere, ...` */
        struct {
            AstExpr *fields; /* a record */
        } alarm;
    } as;
} AstItem;

/* ---- the file ---------------------------------------------------------------------------- */

typedef struct AstFile {
    const Source *source;
    AstItem *items;
    const struct LexToken *tokens; /* lossless with comments; see lex/lex.h */
    uint32_t token_count;
    bool broken; /* some item or part of it was left out */
} AstFile;

const char *ast_op_text(AstOp op);             /* "starts_with", "+" */
const char *ast_stage_word(AstStageKind kind); /* "from" */
const char *ast_item_word(AstItemKind kind);   /* "pipeline" */

/* Finds an option by name; NULL when it is not there. */
const AstOption *ast_option(const AstConnector *connector, const char *name);
/* The text of a string without interpolation, else false. */
bool ast_string_text(const AstExpr *expr, Str *ret_text);

/* The tree as text without places: equal texts mean equal programs (used by fmt and its tests). */
void ast_dump(const AstFile *file, Buf *out);
void ast_dump_expr(const AstExpr *expr, Buf *out);
void ast_dump_type(const AstType *type, Buf *out);

#endif
