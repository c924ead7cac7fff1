/* compiler/type/check.h: inside the checker. Nobody outside compiler/type includes this.
 *
 * Checking and lowering are one walk over the tree: what is emitted is exactly what was checked.
 * A Val is an expression's value: its type and the registers that hold it, or a constant that is
 * emitted where it is used. After an error the walk goes on with type IR_NONE, which fits
 * everything; the IR is thrown away at the end.
 *
 * Memory is the unit's arena. When it ends, or a hard limit is passed, check__leave jumps to the
 * one door in check_file: no function in between owns anything but arena memory, so nothing leaks.
 */
#ifndef TUTTI_COMPILER_TYPE_CHECK_H
#define TUTTI_COMPILER_TYPE_CHECK_H

#include "base/hash.h"
#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/build.h"
#include "compiler/type/builtins.h"
#include "compiler/type/facts.h"
#include "compiler/type/type.h"

#include <setjmp.h>

enum {
    CHECK_DEPTH_MAX = 1000,  /* of expressions, calls of fn included */
    CHECK_INLINE_MAX = 32,   /* calls of fn inside fn */
    CHECK_PARAMS_MAX = 16,   /* inputs of a memory, parameters of a C function */
    CHECK_CASES_MAX = 200,   /* arms of a match, items of a list */
    CHECK_NODES_MAX = 2000,  /* stages of a pipeline */
    CHECK_ITEMS_MAX = 20000, /* declarations of a kind */
};

typedef struct Val {
    Type type;
    uint32_t reg, has;  /* has NO_REG: always there */
    struct Val *fields; /* RECORD: one per field; a field's has covers the records around it */
    bool constant;      /* imm holds it; reg is NO_REG */
    bool naked;         /* constant number without a unit: fits any unit beside a constant */
    bool wild;          /* float that may be NaN or infinite: FINITE before it is looked at */
    IrImm imm;
    Str written; /* the literal a constant float comes from; of no account when imm is another */
    Str path;    /* "a.b" when it is a plain field; else empty */
    Span span;   /* of the expression */
} Val;

typedef struct RowField {
    Str name;
    Val val;
    Span span; /* where it was made */
} RowField;

typedef struct Row {
    RowField *fields;
    uint32_t count, cap;
    bool lent; /* another row has the same list: it is copied before a field in it changes */
    bool keeps_unknown; /* `unknown keep`: fields the type does not name go to JSON sinks */
    Str *facts;         /* paths known to be there */
    uint32_t fact_count, fact_cap;
} Row;

typedef struct Local {
    Str name;
    Val val;
    struct Local *next;
} Local;

/* What one file may name: its own declarations, and those of files it uses (plain, or as `m.name`).
 * Whatever is declared knows its home, so that it is checked there. */
typedef struct ScopeUse {
    struct Scope *scope;
    const AstItem *use; /* that says so */
} ScopeUse;

typedef struct Scope {
    const AstFile *file;
    Map types, consts, fns, units;    /* NamedType, Const, Fn, Unit */
    Map connections, maps, pipelines; /* Named */
    Map tables;                       /* Table */
    Map externs;                      /* Extern */
    Map alarms;                       /* Named */
    ScopeUse *used;                   /* in their order */
    uint32_t used_count, used_cap;
    bool active; /* its `use`s are being followed */
} Scope;

typedef struct Named {
    const AstItem *item;
    Scope *home;
} Named;

typedef struct Table {
    const AstItem *item;
    Scope *home;
    const Record *record; /* of its rows; NULL: not checked yet, or wrong */
    uint32_t index;       /* into IrProgram.tables, or NO_INDEX */
    bool checked;
} Table;

/* A function of an `extern c` block. */
typedef struct Extern {
    const AstItem *item;
    Scope *home;
    const AstCFn *fn;
    Type *params, result; /* without the state */
    uint32_t index;       /* into IrProgram.externs */
    bool good;            /* false: not checked yet, or wrong */
} Extern;

typedef struct Fn {
    const AstItem *item;
    Scope *home;
    Type *params, result;
    uint32_t param_count;
    bool checked, broken, active;
} Fn;

typedef struct Const {
    const AstItem *item;
    Scope *home;
    Val val;
    bool done, active;
} Const;

typedef struct NamedType {
    const AstItem *item;
    Scope *home;
    Type type;
    bool done, active;
} NamedType;

/* Open while the braces of a window are checked. */
typedef struct AggScope {
    IrBuilder *in; /* where inputs are computed */
    Row *in_row;
    Str use;          /* `using good|any`, or empty */
    uint32_t in_time; /* Flow.time_reg of the inputs */
    IrAgg *aggs;
    uint32_t *inputs; /* value and has of each */
    Str *names;
    IrField *outs; /* type of each result */
    uint32_t count, cap;
    uint32_t first_leaf;
    uint32_t node;
} AggScope;

typedef struct CheckList CheckList;

typedef struct Check {
    Arena *arena;
    CheckList *lists; /* of builders, to be used again */
    DiagList *diags;
    const AstFile *file; /* of the scope at hand */
    IrProgram *program;
    Facts *facts;    /* what editors want to know; NULL: nobody asks */
    bool schema;     /* the text is one: its alarms are on fields of ... */
    Str schema_root; /* ... this type; empty: not looked at */
    jmp_buf door;
    Status left;            /* why check__leave was called */
    Scope *scope, **scopes; /* at hand; all, the program's own first */
    uint32_t scope_count, scope_cap;
    uint32_t schema_cap, connection_cap, map_cap, table_cap, pipeline_cap, test_cap, repeat_cap;
    uint32_t extern_cap, extern_file_cap, proto_file_cap;
    /* the expression at hand */
    IrBuilder *b;
    Row *row;
    Local *locals;
    AggScope *agg;
    bool in_path; /* a text that names a file: see path_part in expr.c */
    bool in_agg;  /* inside an aggregate's argument */
    bool in_fn, quiet;
    Str target;            /* the name a `let` computes, for messages */
    bool *units_begun;     /* while units are declared: which of the file's, in its order */
    uint32_t units_ahead;  /* how many of those are made of each other at the moment */
    const Unit *unit_like; /* while `x to [unit]` is read: the unit of x, for suggestions */
    const AstStage *stage;
    struct Flow *flow; /* the pipeline at hand, or NULL */
    Row *call_row;     /* inside a fn: the row where it is called */
    uint32_t depth, inlined;
} Check;

/* ---- memory and the door: check.c ---- */
_Noreturn void check__leave(Check *c, Status status);
void *check__alloc(Check *c, size_t count, size_t bytes);
#define NEW(c, Type, count) ((Type *)check__alloc((c), (count), sizeof(Type)))
void *check__grow(Check *c, void *list, uint32_t count, uint32_t *cap, size_t bytes);
/* Room for one more at list[count]. */
#define PUSH(c, list, count, cap)                                                                  \
    ((list) = check__grow((c), (list), (count), &(cap), sizeof(*(list))), &(list)[(count)++])
/* A list with room for `count` from the start, so that it does not move while it is filled. */
#define ROOM(c, list, count, cap)                                                                  \
    ((cap) = (count) > 0 ? (count) : 1, (list) = check__alloc((c), (cap), sizeof(*(list))))
Str check__text(Check *c, const char *format, ...) PRINTF_LIKE(2, 3);
void check__builder(Check *c, IrBuilder *b, IrStage *stage, uint32_t node);
void check__settle_code(Check *c, IrStage *stage); /* nothing is appended any more */
uint32_t check__line(const Check *c, Span span);

/* ---- scopes: scope.c ---- */
/* Of the program and of all files it uses, with everything declared. False: names may be missing,
 * because a file is broken or could not be read; that is said. */
bool check__scopes(Check *c, const AstFile *file);
void check__scopes_done(Check *c);
/* Names are looked up in `scope` from here on; returns the scope before. */
/* Of a file that uses no other: its names, declared at the first call. */
Scope *check__scope_of(Check *c, const AstFile *file);
Scope *check__enter(Check *c, Scope *scope);

/* ---- names: names.c ---- */
/* Puts what the file at hand declares into the scope at hand. */
void check__declare(Check *c);
/* Checks the types and consts of the scope at hand. */
void check__resolve(Check *c);
/* A unit that the file declares further down, while its units are declared; or NULL. */
const Unit *check__unit_ahead(Check *c, Str name);
const NamedType *check__named_type(Check *c, Str name);
const Val *check__const(Check *c, Str name);
Fn *check__fn(Check *c, Str name);
/* Best of the map's names for a mistyped one (starts with STR_NONE, UINT32_MAX). */
void check__suggest_map(const Map *map, Str word, Str *best, uint32_t *distance);
/* "did you mean" as a fix that replaces `span`. */
void check__did_you_mean(Check *c, Diagnostic *d, Span span, Str best);

/* ---- types: typeexpr.c, rows.c ---- */
Type check__type(Check *c, const AstType *ast, uint32_t depth);
Type check__list_type(Check *c, const Type *item, uint32_t most, Span span);
const Unit *check__unit(Check *c, const AstUnit *ast); /* NULL after an error too */
uint32_t check__schema(Check *c, const Record *record);
const Record *check__row_record(Check *c, const Row *row);
uint32_t check__row_schema(Check *c, const Row *row);
/* Registers of all leaves: value, has, value, has ... */
uint32_t check__flatten(Check *c, const Row *row, uint32_t **ret_list);
void check__flatten_val(Check *c, const Val *v, bool present, uint32_t **list, uint32_t *count,
                        uint32_t *cap);
/* The leaves of an ITEM register (or of any item-shaped result) as a record. */
Val check__item(Check *c, const Record *record, uint32_t item, Span span);
/* The same where there may be none: `has` says so. */
Val check__item_if(Check *c, const Record *record, uint32_t item, uint32_t has, Span span);
/* Loads the leaves of a record from the stage's input as a row. */
Row *check__load(Check *c, const Record *record);
/* BOOL register: a record that may be missing is there; NO_REG: always. */
uint32_t check__record_has(Check *c, const Val *v);
Row *check__row_copy(Check *c, const Row *row);
void check__row_own(Check *c, Row *row); /* before something is written to its list */
uint32_t check__row_leaf_count(const Row *row);
RowField *check__row_find(const Row *row, Str name);
void check__row_set(Check *c, Row *row, Str name, Val val, Span span);
void check__add_fact(Check *c, Row *row, Str path);
bool check__has_fact(const Row *row, Str path);

/* ---- values: vals.c ---- */
Val check__error_val(Span span);
bool check__bad(const Val *v);
Val check__constant(IrType kind, IrImm imm, Span span);
uint32_t check__reg(Check *c, const Val *v); /* emits constants */
Val check__emit1(Check *c, IrOp op, Type type, uint32_t a, Span span);
Val check__emit2(Check *c, IrOp op, Type type, uint32_t a, uint32_t b, Span span);
Val check__finite(Check *c, Val v);
/* Into another numeric kind; constants at once. False (reported): a constant does not fit. */
bool check__coerce(Check *c, Val *v, IrType kind);
bool check__imm_convert(const Type *from, IrImm imm, const Type *to, IrImm *ret_imm);
double check__imm_number(IrType kind, IrImm imm); /* of a decimal: the scaled integer */
/* As check__coerce; a decimal to the scale of `want`. */
bool check__coerce_to(Check *c, Val *v, const Type *want);
/* Makes v fit `want` (numbers widen, literals adapt), or reports T001 about `what`. */
bool check__fit(Check *c, Val *v, const Type *want, const char *what, Str name);
/* Reports T014 when v may be missing; what needs it is the let at hand or `needs`. */
bool check__present(Check *c, const Val *v, const char *needs);
extern const char check__key_needs[]; /* as `needs` of keys that stand in a list `by a, b` */
IrReg check__reg_of(const Type *type, Str name);
/* IF/TRY arms: a holds code up to `mark`; the value of both in one place. */
/* Registers for a value of that type; every leaf has a `has` when anything around is optional. */
Val check__place(Check *c, const Type *type, bool optional, Span span);
Val check__absent(Check *c, const Type *type, Span span); /* one that is missing */
Val check__merge(Check *c, Val a, uint32_t mark, Val b, IrOp end, Span span);
/* The type both fit; literals give way to what has a type. */
Type check__joined(const Val *a, const Val *b);
/* Into registers to stay there: finite, a missing one not looked at. */
Val check__bind(Check *c, Val v, Str name);
/* Puts constants into registers, recursively. */
Val check__settle(Check *c, Val v, Str name);

/* ---- expressions: expr.c, operators.c, calls.c ---- */
Val check__expr(Check *c, const AstExpr *e, const Type *want);
/* A BOOL register, or NO_REG after an error. */
uint32_t check__condition(Check *c, const AstExpr *e, const char *what);
Val check__binary(Check *c, const AstExpr *e, const Type *want);
Val check__unary(Check *c, const AstExpr *e, const Type *want);
Val check__arith(Check *c, IrOp op, Val a, Val b, Span span, Span op_span);
Val check__compare(Check *c, IrOp op, Val a, Val b, Span span, Span op_span);
Val check__convert(Check *c, const AstExpr *e);
/* As JSON out would print it, unquoted; false: such a constant has no text. */
bool check__constant_text(Check *c, const Val *v, Str *ret_text);
Val check__call(Check *c, const AstExpr *e, const Type *want);
/* arguments.c: the call with its arguments in the order of the parameters and without names; NULL:
 * reported. */
const AstExpr *check__arranged(Check *c, const AstExpr *call);
/* The same of a list of arguments; false: reported. */
bool check__arrange(Check *c, Str function, Span span, AstArg **args);
void check__agg_room(Check *c, AggScope *s); /* for one more */
uint32_t check__agg_leaf(Check *c, IrAgg agg, uint32_t value, uint32_t has, const Type *type);
Val check__aggregate(Check *c, const AstExpr *e, bool *ret_known);
/* The type that + gives, or *: decimals add their digits there. */
Type check__number_type(IrOp op, const Val *a, const Val *b);
/* library.c: a function of the standard library, or NULL */
Fn *check__library_fn(Check *c, Str name);
void check__suggest_library(Str word, Str *best, uint32_t *distance);
/* inside.c: parts of a json value, json again; and `to`, which `convert` does from there. */
Val check__json_member(Check *c, const Val *j, Str name, Span span);
Val check__json_index(Check *c, const AstExpr *e, const Val *j);
Val check__from_json(Check *c, const AstExpr *e, const Val *j,
                     Val (*convert)(Check *c, const AstExpr *e, Val v));
/* patterns.c */
Val check__matches(Check *c, const AstExpr *e);
/* decimal.c */
#define NO_DIGITS 0xffffffffu
int64_t check__power10(uint32_t n);
/* Digits behind the point that hold v; NO_DIGITS: only as a float. */
uint32_t check__digits(const Val *v);
double check__val_number(const Val *v); /* of a constant */
bool check__imm_to_decimal(const Type *from, IrImm imm, uint32_t scale, IrImm *ret_imm);
bool check__val_to_decimal(const Val *v, uint32_t scale, IrImm *ret_imm);  /* of a constant */
bool check__imm_from_decimal(const Type *from, IrImm imm, IrImm *ret_imm); /* whole, as i64 */
void check__put_decimal(Buf *out, int64_t value, uint32_t scale);
Val check__round_decimal(Check *c, Val v, uint32_t scale, IrRound how, Span span);
Val check__to_decimal(Check *c, const AstExpr *e, Val v);
/* tags.c: the worst quality and the latest time of the tags that went into a value */
typedef struct Tagged {
    bool any;
    uint32_t quality, time, time_has; /* time_has NO_REG: always there */
} Tagged;
static inline bool check__is_tag(const Type *type)
{
    return type->kind == IR_RECORD && type->record->tag;
}
Type check__tag_type(Check *c, const Type *value, Span span);
Val check__tag_value(const Val *v);
uint32_t check__tag_quality(const Val *v); /* ENUM register: 0 good, 1 uncertain, 2 bad */
/* A tag's value, the rest noted in `t` (or dropped: NULL); any other value as it is. */
Val check__untag(Check *c, Val v, Tagged *t);
/* The result of what was computed from them: a tag when any of them was. */
Val check__retag(Check *c, Val v, const Tagged *t);
Type check__quality_type(void);
uint32_t check__tag_good(Check *c, const Val *v, Span span); /* BOOL register: is it good */
/* As check__retag, of a value that may be missing. */
Val check__retag_optional(Check *c, Val v, const Tagged *t);
Val check__as_tag(Check *c, Val v); /* a plain value: good, without time */
void check__value_fix(Check *c, Diagnostic *d, const Val *v); /* "x.value" where v is a tag */
/* lists.c */
Val check__list(Check *c, const AstExpr *e, const Type *want);
Val check__index(Check *c, const AstExpr *e, Val base);
Val check__count_of(Check *c, const Val *list, Span span);
Val check__list_has(Check *c, Val list, Val item, Span span);
/* sum(xs), mean(xs) ...; *ret_is_list false: the argument is no list, nothing was reported. */
Val check__list_agg(Check *c, const AstExpr *e, IrAggKind kind, bool *ret_is_list);
/* memory.c: a call of a function with memory; `x becomes v`; delta(x) `reset at` y. */
Val check__memory(Check *c, const AstExpr *e, bool *ret_known);
Val check__becomes(Check *c, const AstExpr *e);
Val check__reset(Check *c, const AstExpr *e, const AstExpr *reset);
/* Of differences: 2 [degC] more are 2 [K]. */
const Unit *check__step_unit(Check *c, const Unit *unit);
/* x per second: of a plain number 1/s. False (reported): too long. */
bool check__rate_unit(Check *c, const Val *v, const Unit **ret_unit);
const char *check__memory_name(uint32_t index); /* NULL past the last */
/* A MEM of the pipeline at hand; inputs are settled, `by` NULL takes the keys of the place. */
Val check__memory_call(Check *c, IrMem mem, const AstPick *by, const Val *inputs, uint32_t count,
                       Type result, bool optional, Span span);
/* A value that a memory takes: single, finite, in a register; missing ones are not looked at. */
/* With `t` a tag's value is taken out of it. */
bool check__input(Check *c, const AstExpr *e, Val *v, Tagged *t);
/* Brings both into the type in which they compare; x may be missing. `unit`: of x, or of a
 * difference. */
bool check__unify(Check *c, Val *x, Val *limit, const Unit *unit, Span span);
/* Settles a value that is to be a key, or reports why it is none. */
bool check__key(Check *c, Val *v, Span span);
/* "a.b" when e is a plain path of names. */
bool check__path(Check *c, const AstExpr *e, Str *ret_path);
/* Adds to the row's facts what holds when e is `truth`. */
void check__learn(Check *c, const AstExpr *e, bool truth, Row *row);
/* A value without any record at hand; not constant: reported. */
bool check__constant_expr(Check *c, const AstExpr *e, const Type *want, const char *what,
                          Val *ret_val);

/* ---- pipelines: pipeline.c, stages.c, window.c, connect.c, tests.c, maps.c ---- */
void check__fns(Check *c);
void check__connections(Check *c);
void check__tables(Check *c); /* of the scope at hand */
/* external.c */
void check__externs(Check *c); /* of the scope at hand */
void check__declare_extern(Check *c, const AstItem *item);
Val check__extern_call(Check *c, const AstExpr *e, const Extern *fn);
Table *check__table(Check *c, Str name);
void check__pipelines(Check *c);
void check__circles(Check *c);     /* circles.c */
void check__tables_read(Check *c); /* historian.c */
void check__alarms(Check *c);      /* alarms.c */
void check__tests(Check *c);
/* reasons.c: why records may leave each node by the error port. */
/* `in`: what the sources give, by group. */
void check__reasons(Check *c, IrPipeline *p, const Record *const *in);
/* Reasons that the code from `mark` on may fail with, one bit each. */
uint32_t check__reason_bits(Check *c, const IrStage *s, uint32_t mark);

/* ---- facts.c: only called when c->facts is there ---- */
void facts__expr(Check *c, const AstExpr *e, const Val *v, uint32_t mark);
void facts__name(Check *c, FactKind kind, Span at, Str def, const Type *type);
/* `source`: what stands for the row before the first stage that works on it. */
uint32_t facts__stage(Check *c, Span stage, const Row *row, const Record *source);
void facts__stage_end(Check *c, uint32_t at, const Row *row, const Record *source);
/* Nothing is reported from here on. */
void facts__mute(Check *c);
/* Walks a pipeline that lost a stage: nothing is reported, nothing enters the program. */
void facts__broken(Check *c, const AstItem *item, void (*walk)(Check *c, const AstItem *item));

#endif
