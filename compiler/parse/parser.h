/* compiler/parse/parser.h: shared by the grammar's actions, the feed and the diagnostics of the
 * parser; nobody else includes it.
 *
 * Division of work: lexer -> feed.c (which word is a keyword here, known slips repaired, missing
 * brackets, resynchronising) -> grammar.y (shape) -> build*.c (nodes). */
#ifndef TUTTI_COMPILER_PARSE_PARSER_H
#define TUTTI_COMPILER_PARSE_PARSER_H

#include "compiler/lex/lex.h"
#include "compiler/parse/parse.h"

typedef struct ParseToken {
    Str text;
    Span span;
    uint32_t index; /* in the token list */
} ParseToken;

/* One word or value of a connector or of a stage's options, before build.c sorts them. */
typedef struct ParseAtom {
    AstName word;   /* a bare word, or */
    AstExpr *value; /* a value; (a, b) is an AST_LIST, or */
    AstPick *by;    /* by a, b */
    Span span;
    struct ParseAtom *next;
} ParseAtom;

#define PARSE_LIST(Type, Name)                                                                     \
    typedef struct Name {                                                                          \
        Type *first, *last;                                                                        \
    } Name
PARSE_LIST(AstItem, ItemList);
PARSE_LIST(AstStage, StageList);
PARSE_LIST(AstExpr, ExprList);
PARSE_LIST(AstNames, NameList);
PARSE_LIST(AstTypeField, TypeFieldList);
PARSE_LIST(AstField, FieldList);
PARSE_LIST(AstArg, ArgList);
PARSE_LIST(AstCase, CaseList);
PARSE_LIST(AstLet, LetList);
PARSE_LIST(AstPick, PickList);
PARSE_LIST(AstArm, ArmList);
PARSE_LIST(AstSink, SinkList);
PARSE_LIST(AstPart, PartList);
PARSE_LIST(AstFactor, FactorList);
PARSE_LIST(AstParam, ParamList);
PARSE_LIST(AstCFn, CFnList);
PARSE_LIST(AstMapField, MapFieldList);
PARSE_LIST(AstStep, StepList);
PARSE_LIST(AstBeside, BesideList);
PARSE_LIST(ParseAtom, AtomList);
PARSE_LIST(AstOption, OptionList);

#define LIST_ADD(list, node)                                                                       \
    do {                                                                                           \
        if ((list).last)                                                                           \
            (list).last->next = (node);                                                            \
        else                                                                                       \
            (list).first = (node);                                                                 \
        (list).last = (node);                                                                      \
    } while (0)

typedef struct TypeDetail {
    AstUnit *unit;
    AstExpr *lo, *hi;
} TypeDetail;

typedef struct StopRule {
    bool present;
    double above;
    AstDuration in;
    Span span;
} StopRule;

typedef struct JoinRest {
    AstDuration within;
    AstElse otherwise;
} JoinRest;

typedef struct DecodeRest { /* as FORMAT TYPE option value... */
    AstDecode decode;
    AtomList atoms;
} DecodeRest;

enum { BLOCK_ITEM, BLOCK_STAGES, BLOCK_STEPS, BLOCK_ENUM, BLOCK_OTHER };

typedef struct Block { /* an open bracket */
    uint16_t kind;     /* BLOCK_... */
    uint16_t opener;   /* token kind */
    uint32_t height;   /* of the grammar's stack when it was opened */
    Span span;
} Block;

/* What parse__accepts found since the grammar last moved: the same is asked several times a token.
 */
enum { PARSE_KINDS_MAX = 256 };
typedef struct ParseAnswers {
    uint32_t move;
    uint32_t asked[PARSE_KINDS_MAX]; /* the move at which each kind was asked about */
    bool accepts[PARSE_KINDS_MAX];
} ParseAnswers;

typedef struct Parser {
    Arena *arena;
    const Source *source;
    DiagList *diags;
    const LexToken *tokens;      /* without comments, for looking ahead */
    LexToken *all;               /* with comments; the parser writes kinds and roles */
    const uint32_t *origin;      /* index in `all` of each of `tokens` */
    const uint8_t *keyword_rows; /* what each of `tokens` is in the table of keywords.c */
    uint32_t token_count, at;
    Status failed; /* memory or limit: stop */
    bool stop;     /* a limit was reported: stop, give an empty tree */
    bool broken, item_broken;
    uint32_t item_errors; /* how many there were when the item began */
    ItemList items;
    void *grammar; /* lemon's parser */
    ParseAnswers *answers;

    ParseToken now; /* being fed */
    LexToken now_lex;
    ParseToken prev; /* the last one the grammar took */
    int prev_kind;   /* as the grammar saw it */
    int item_kind;   /* keyword of the current item, 0 between items */
    int stage_kind;  /* keyword of the current stage, 0 */
    ParseToken item_word, stage_word;
    bool recovering;      /* the grammar dropped something: skip to a safe place */
    uint32_t keep_blocks; /* blocks that survive it */
    int32_t turned;       /* index of a token that a slip turned into another kind */
    int turned_kind;
    uint32_t stuck_at; /* token of the last syntax error */
    Block blocks[PARSE_NESTING_MAX + 8];
    uint32_t block_count;
    _Alignas(16) char spare[1024]; /* what new_node gives when memory is out */
} Parser;

/* alias.c: joins `m.name` into one name where `use "..." as m` says what m is. */
MUST Status parse__join_aliases(Parser *p, LexToken *tokens, uint32_t *origin);

/* build.c: nodes. None returns NULL. */
void *parse__node(Parser *p, size_t bytes);
#define NEW(p, Type) ((Type *)parse__node((p), sizeof(Type)))
AstName parse__name(ParseToken token);
Span parse__from(const Parser *p, Span start); /* from start to the last token taken */

AstExpr *parse__expr(Parser *p, AstExprKind kind, Span span);
AstExpr *parse__leaf(Parser *p, AstExprKind kind, ParseToken token);
AstExpr *parse__number(Parser *p, ParseToken token, AstUnit *unit);
AstExpr *parse__binary(Parser *p, AstOp op, ParseToken token, AstExpr *a, AstExpr *b);
AstExpr *parse__becomes(Parser *p, ParseToken token, AstExpr *a, AstExpr *b);
AstExpr *parse__unary(Parser *p, AstOp op, ParseToken token, AstExpr *a);
AstExpr *parse__exists(Parser *p, AstExpr *a, ParseToken token);
AstExpr *parse__field(Parser *p, AstExpr *base, ParseToken name);
AstExpr *parse__index(Parser *p, AstExpr *base, AstExpr *at);
AstExpr *parse__call(Parser *p, ParseToken name, ArgList args);
AstExpr *parse__convert(Parser *p, AstExpr *value, AstUnit *unit, AstName name, AstInteger size);
AstExpr *parse__if(Parser *p, ParseToken word, AstExpr *cond, AstExpr *yes, AstExpr *no);
AstExpr *parse__try(Parser *p, ParseToken word, AstExpr *yes, AstExpr *no);
AstExpr *parse__match(Parser *p, ParseToken word, AstExpr *value, CaseList cases);
AstExpr *parse__record(Parser *p, ParseToken open, FieldList fields);
AstExpr *parse__list(Parser *p, ParseToken open, ExprList items);
AstExpr *parse__range(Parser *p, AstExpr *lo, AstExpr *hi);
/* strings.c: pieces of "..." with their escapes undone. */
AstExpr *parse__string(Parser *p, ParseToken token);
void parse__string_piece(Parser *p, PartList *parts, ParseToken token);
void parse__string_expr(Parser *p, PartList *parts, AstExpr *expr);
AstExpr *parse__string_end(Parser *p, ParseToken head, PartList parts);

AstType *parse__type(Parser *p, AstTypeKind kind, Span start);
AstType *parse__named_type(Parser *p, ParseToken name, TypeDetail detail);
void parse__add_name(Parser *p, NameList *list, ParseToken name);
void parse__add_type_field(Parser *p, TypeFieldList *list, ParseToken name, AstType *type);
AstArg *parse__arg(Parser *p, AstArgKind kind, Span start, AstExpr *value);
AstField *parse__record_field(Parser *p, ParseToken name, AstExpr *value);
AstCase *parse__case(Parser *p, Span start, ExprList patterns, AstExpr *value);
AstUnit *parse__unit(Parser *p, ParseToken open, FactorList factors);
AstFactor *parse__factor(Parser *p, ParseToken name, ParseToken *power, bool negative);
AstPick *parse__pick(Parser *p, AstExpr *path, AstName as);
AstDuration parse__duration(Parser *p, ParseToken token);
AstInteger parse__integer(Parser *p, ParseToken token, int64_t max);
uint64_t parse__size(Parser *p, ParseToken token);
double parse__fraction(Parser *p, ParseToken token);
/* Offers `bare` instead of what is quoted, or says what reads a field that is called so. */
void parse__bare_name(Parser *p, Diagnostic *d, Span span, Str bare);
void parse__quoted_field(Parser *p, ParseToken name);
/* `?` in front of the unit or the range. */
void parse__mark_first(Parser *p, AstType *type, ParseToken mark, TypeDetail detail);

/* build_stage.c: stages, connectors, items. */
ParseAtom *parse__atom(Parser *p, AstName word, AstExpr *value, AstPick *by);
void parse__add_word(Parser *p, AtomList *list, ParseToken word);
void parse__add_value(Parser *p, AtomList *list, AstExpr *value);
AstConnector parse__connector(Parser *p, ParseToken kind, AtomList atoms);
void parse__options(Parser *p, AstConnector *connector, ParseAtom *atoms);
AstStage *parse__stage(Parser *p, AstStageKind kind, ParseToken word);
AstStage *parse__picks(Parser *p, AstStageKind kind, ParseToken word, PickList picks);
AstLet *parse__let(Parser *p, ParseToken name, AstExpr *value);
AstArm *parse__arm(Parser *p, AstArmKind kind, ParseToken word, StageList stages);
AstStage *parse__from_stage(Parser *p, ParseToken word, AstConnector source, DecodeRest rest);
AstStage *parse__time(Parser *p, ParseToken word, AstExpr *field, AtomList atoms);
AstStage *parse__window(Parser *p, ParseToken word, ParseToken kind, AtomList atoms,
                        ParseToken open, LetList lets);
AstStage *parse__join(Parser *p, ParseToken word, AstExpr *on, JoinRest rest);
AstStage *parse__ask(Parser *p, ParseToken word, ParseToken name, AstConnector source,
                     DecodeRest rest, AstElse otherwise);
AstSink *parse__sink(Parser *p, AstConnector to, ParseToken *format, AtomList rest);
AstStage *parse__on(Parser *p, ParseToken word, ParseToken port, AstOnAction action, StopRule stop);
/* `dead` alone: what is behind it would be nobody's (type/connect.c says so). */
bool parse__plain_dead(const AstSink *sink);
AstStage *parse__on_word(Parser *p, ParseToken word, ParseToken port, ParseToken action,
                         StopRule stop);
void parse__expect_word(Parser *p, ParseToken word, const char *wanted);
AstItem *parse__item(Parser *p, AstItemKind kind, ParseToken word, ParseToken *name);
AstItem *parse__table(Parser *p, ParseToken word, ParseToken name, AstConnector from, bool reload,
                      AstType *type);
/* A step of a test; `target` NULL: none. A file step's value is the path of a file. */
AstStep *parse__step(Parser *p, AstStepKind kind, ParseToken word, ParseToken *target,
                     AstExpr *value);
AstStep *parse__in_step(Parser *p, ParseToken word, ParseToken *target, AstExpr *value,
                        BesideList beside);
void parse__beside(Parser *p, BesideList *list, ParseToken word, AstExpr *name, AstExpr *value);
AstStep *parse__file_step(Parser *p, AstStepKind kind, ParseToken word, ParseToken *target,
                          AstExpr *path);
/* `test P from "x" table T "y" expect file "z"`: the steps that it stands for. */
AstItem *parse__test_of_files(Parser *p, ParseToken word, ParseToken name, AstExpr *in,
                              StepList tables, AstExpr *out);
void parse__connection(Parser *p, AstItem *item, AstConnector to);
AstMapField *parse__map_field(Parser *p, ParseToken name, ParseToken type, AtomList atoms,
                              TypeDetail detail, bool optional);
OptionList parse__plain_options(Parser *p, ParseAtom *atoms);

/* probe.inc, in grammar.y */
bool parse__accepts(const Parser *p, int kind);                /* this very token, not as a name */
bool parse__accepts_both(const Parser *p, int kind, int next); /* and then that one */
void parse__expected(const Parser *p, bool *ret_set);          /* one bool a token kind */
uint32_t parse__height(const Parser *p);
uint32_t parse__error_height(const Parser *p); /* of the entry the error rule keeps */

/* keywords.c */
typedef enum WordClass { WORD_NONE, WORD_ITEM, WORD_STAGE, WORD_OPERATOR, WORD_SOFT } WordClass;
typedef struct Keyword {
    const char *word;
    uint8_t len, word_class;
    uint16_t kind;
} Keyword;
const Keyword *parse__keyword(Str word); /* exact, or NULL */
const Keyword *parse__keyword_of_kind(int kind);
MUST Status parse__find_keywords(Parser *p); /* of all tokens, for: */
const Keyword *parse__keyword_at(const Parser *p, uint32_t index);
bool parse__falls_back(int kind); /* a keyword that may stand for a name where only that fits */
/* The closest stage (or item) keyword for a slip, from other languages or mistyped; or NULL. */
const char *parse__stage_like(Str word);
const char *parse__item_like(Str word);

/* slips.c: what people write who come from elsewhere. True when it took care of the token: `*kind`
 * is what the grammar gets, 0 for nothing. */
bool parse__problem(Parser *p, int *kind);
bool parse__slip(Parser *p, int *kind);

/* lost.c: a word left out before this one. As parse__slip. */
bool parse__lost(Parser *p, int *kind);

/* others.c: longer habits from other languages. As parse__slip. */
bool parse__other(Parser *p, int *kind);

/* expect.c: what fits here, in words. */
void parse__syntax_error(Parser *p, int kind);

/* feed.c, for slips.c and expect.c */
ParseToken parse__peek(const Parser *p, uint32_t ahead, int *ret_kind); /* 0: the current one */
int parse__peek_kind(const Parser *p, uint32_t ahead);
bool parse__peek_first(const Parser *p, uint32_t ahead); /* it stands first on its line */
bool parse__is_format(Str word);                         /* json, csv ... */
bool parse__ends_operand(int kind);
bool parse__starts_operand(int kind);
void parse__feed(Parser *p, int kind, ParseToken token);
bool parse__fits(const Parser *p, int kind); /* also as a name */

#endif
