/* compiler/parse/build.c: nodes of expressions, types and literals.
 *
 * Every constructor gives a node, also when memory is out: then it is the parser's spare one and
 * `failed` is set, which stops the feed after the current token. Depth is counted here, so that no
 * later phase can run out of stack on a hostile program. */
#include "compiler/parse/parser.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *parse__node(Parser *p, size_t bytes)
{
    void *node = arena_alloc(p->arena, bytes);
    if (node) return node;
    p->failed = ST_NO_MEMORY;
    memset(p->spare, 0, sizeof p->spare);
    return p->spare;
}

AstName parse__name(ParseToken token)
{
    Str text = token.text;
    if (text.len >= 2 && (text.ptr[0] == '"' || text.ptr[0] == '`')) {
        text = str_slice(text.ptr + 1, text.len - 2);
    }
    return (AstName){text, token.span};
}

Span parse__from(const Parser *p, Span start)
{
    return span_join(start, p->prev.span);
}

AstExpr *parse__expr(Parser *p, AstExprKind kind, Span span)
{
    AstExpr *expr = NEW(p, AstExpr);
    expr->kind = kind;
    expr->span = span;
    expr->depth = 1;
    return expr;
}

static void deepen(Parser *p, AstExpr *expr, const AstExpr *child)
{
    if (!child || expr->depth > child->depth) return;
    expr->depth = child->depth + 1;
    if (expr->depth <= AST_DEPTH_MAX || p->stop) return;
    p->stop = true;
    (void)diag_error(p->diags, DIAG_P004, expr->span,
                     "this expression is nested more than %d levels deep", AST_DEPTH_MAX);
}

/* ---- literals ---------------------------------------------------------------------------- */

static const struct {
    const char *unit;
    int64_t ns;
} durations[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * (int64_t)1000000000},
    {"h", 3600 * (int64_t)1000000000},
    {"d", 86400 * (int64_t)1000000000},
    {"w", 7 * 86400 * (int64_t)1000000000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

__extension__ typedef unsigned __int128 Wide; /* both compilers have it */

typedef struct Decimal {
    Wide whole;
    uint64_t fraction, divisor; /* fraction / divisor */
} Decimal;

/* Digits with '_' and a fraction of up to nine digits; `*at` moves behind them. */
static Decimal read_decimal(Str text, size_t *at)
{
    Decimal d = {.divisor = 1};
    for (; *at < text.len && (is_digit(text.ptr[*at]) || text.ptr[*at] == '_'); ++*at) {
        if (text.ptr[*at] == '_' || d.whole >> 100) continue;
        d.whole = d.whole * 10 + (unsigned)(text.ptr[*at] - '0');
    }
    if (*at >= text.len || text.ptr[*at] != '.') return d;
    for (++*at; *at < text.len && is_digit(text.ptr[*at]); ++*at) {
        if (d.divisor >= 1000000000) continue;
        d.fraction = d.fraction * 10 + (unsigned)(text.ptr[*at] - '0');
        d.divisor *= 10;
    }
    return d;
}

/* Adds d * scale to *sum; false when it does not fit an i64 or is not whole. */
static bool scale_decimal(Decimal d, uint64_t scale, Wide *sum)
{
    Wide whole = d.whole * scale;
    Wide part = (Wide)d.fraction * scale;
    if (d.whole >> 64 || part % d.divisor) return false;
    *sum += whole + part / d.divisor;
    return *sum <= INT64_MAX;
}

static void too_large(Parser *p, ParseToken token, const char *what)
{
    (void)diag_error(p->diags, DIAG_P038, token.span, "`%.*s` does not fit %s", STR_ARG(token.text),
                     what);
}

static int64_t read_duration(Parser *p, ParseToken token)
{
    Wide sum = 0;
    for (size_t at = 0; at < token.text.len;) {
        Decimal d = read_decimal(token.text, &at);
        size_t start = at;
        while (at < token.text.len && !is_digit(token.text.ptr[at])) at++;
        Str unit = str_slice(token.text.ptr + start, at - start);
        for (size_t i = 0; i < COUNT_OF(durations); i++) {
            if (!str_is(unit, durations[i].unit)) continue;
            if (!scale_decimal(d, (uint64_t)durations[i].ns, &sum)) {
                too_large(p, token, "a duration (whole nanoseconds, at most 292 years)");
                return 0;
            }
        }
    }
    return (int64_t)sum;
}

AstDuration parse__duration(Parser *p, ParseToken token)
{
    return (AstDuration){read_duration(p, token), token.span};
}

uint64_t parse__size(Parser *p, ParseToken token)
{
    size_t at = 0;
    Wide sum = 0;
    Decimal d = read_decimal(token.text, &at);
    Str unit = str_skip(token.text, at);
    uint64_t step = unit.len == 3 ? 1024 : 1000, scale = 1;
    static const char powers[] = "kMGT";
    for (size_t i = 0; unit.len > 1 && i < sizeof powers - 1; i++) {
        scale *= step;
        if (unit.ptr[0] == powers[i] || (i == 0 && unit.ptr[0] == 'K')) break;
    }
    if (scale_decimal(d, scale, &sum)) return (uint64_t)sum;
    too_large(p, token, "a size (whole bytes)");
    return 0;
}

/* The digits without '_', in the arena, so that strtod can read them. */
static Str plain_digits(Parser *p, Str text)
{
    char *copy = parse__node(p, text.len + 1 < 16 ? 16 : text.len + 1);
    if (copy == p->spare) return STR("0");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_') copy[len++] = text.ptr[i];
    }
    return str_slice(copy, len);
}

double parse__fraction(Parser *p, ParseToken token)
{
    Str digits = plain_digits(p, str_slice(token.text.ptr, token.text.len - 1));
    return strtod(digits.ptr, NULL) / 100.0;
}

AstExpr *parse__number(Parser *p, ParseToken token, AstUnit *unit)
{
    AstExpr *expr = parse__expr(p, AST_NUMBER, token.span);
    Str digits = plain_digits(p, token.text);
    bool hex = digits.len > 2 && (digits.ptr[1] == 'x' || digits.ptr[1] == 'X');
    bool whole = true;
    for (size_t i = 0; !hex && i < digits.len; i++) whole = whole && is_digit(digits.ptr[i]);

    expr->as.number.text = digits;
    expr->as.number.unit = unit;
    errno = 0;
    if (whole) expr->as.number.integer = strtoull(digits.ptr, NULL, hex ? 16 : 10);
    expr->as.number.is_int = whole && errno == 0;
    if (hex && errno) too_large(p, token, "64 bits");
    expr->as.number.number = hex ? (double)expr->as.number.integer : strtod(digits.ptr, NULL);
    if (isinf(expr->as.number.number)) too_large(p, token, "f64");
    if (unit) expr->span = span_join(token.span, unit->span);
    return expr;
}

AstInteger parse__integer(Parser *p, ParseToken token, int64_t max)
{
    AstExpr *expr = parse__number(p, token, NULL);
    AstInteger integer = {max > 0, token.span}; /* after a report: a value that causes no echo */
    if (!expr->as.number.is_int || expr->as.number.integer > (uint64_t)max) {
        Diagnostic *d = diag_error(p->diags, DIAG_P038, token.span,
                                   "a whole number from 0 to %lld belongs here, not `%.*s`",
                                   (long long)max, STR_ARG(token.text));
        (void)d;
        return integer;
    }
    integer.value = (int64_t)expr->as.number.integer;
    return integer;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar (H. Hinnant's algorithm). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int64_t two(Str text, size_t at)
{
    return at + 1 < text.len ? (text.ptr[at] - '0') * 10 + (text.ptr[at + 1] - '0') : 0;
}

/* The token has the shape already; this checks the ranges. */
static int64_t read_instant(Parser *p, ParseToken token)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    Str t = token.text;
    int64_t year = two(t, 0) * 100 + two(t, 2), month = two(t, 5), day = two(t, 8);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    bool good =
        month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (month == 2 && leap);
    int64_t seconds = good ? days_from_civil(year, month, day) * 86400 : 0;
    int64_t nanos = 0;

    if (t.len > 11) {
        int64_t hour = two(t, 11), minute = two(t, 14), second = 0, scale = 100000000;
        size_t at = 16;
        if (at < t.len && t.ptr[at] == ':') {
            second = two(t, 17);
            at = 19;
        }
        if (at < t.len && t.ptr[at] == '.') {
            for (at++; at < t.len && is_digit(t.ptr[at]); at++, scale /= 10) {
                nanos += (t.ptr[at] - '0') * scale;
            }
        }
        good = good && hour <= 23 && minute <= 59 && second <= 59;
        seconds += hour * 3600 + minute * 60 + second;
        if (at + 5 < t.len) {
            int64_t shift = two(t, at + 1) * 3600 + two(t, at + 4) * 60;
            seconds -= t.ptr[at] == '-' ? -shift : shift;
        }
    }
    /* The years an i64 of nanoseconds can hold. */
    if (good && year >= 1678 && year <= 2261) return seconds * 1000000000 + nanos;
    (void)diag_error(p->diags, DIAG_P038, token.span, "there is no such time: `%.*s`", STR_ARG(t));
    return 0;
}

AstExpr *parse__leaf(Parser *p, AstExprKind kind, ParseToken token)
{
    AstExpr *expr = parse__expr(p, kind, token.span);
    switch (kind) {
    case AST_NAME: expr->as.name = parse__name(token).text; break;
    case AST_DURATION: expr->as.ns = read_duration(p, token); break;
    case AST_INSTANT: expr->as.ns = read_instant(p, token); break;
    case AST_SIZE: expr->as.bytes = parse__size(p, token); break;
    case AST_PERCENT: expr->as.fraction = parse__fraction(p, token); break;
    default: break;
    }
    return expr;
}

/* ---- expressions ------------------------------------------------------------------------- */

AstExpr *parse__binary(Parser *p, AstOp op, ParseToken token, AstExpr *a, AstExpr *b)
{
    AstExpr *expr = parse__expr(p, AST_BINARY, span_join(a->span, b->span));
    expr->as.op.op = op;
    expr->as.op.op_span = token.span;
    expr->as.op.a = a;
    expr->as.op.b = b;
    deepen(p, expr, a);
    deepen(p, expr, b);
    return expr;
}

/* `E becomes true` is about all of E; any other value belongs to the last operand of `and` and
 * `or`, as with `==`. Brackets are where the span begins before its first operand. */
AstExpr *parse__becomes(Parser *p, ParseToken token, AstExpr *a, AstExpr *b)
{
    bool logic = a->kind == AST_BINARY && (a->as.op.op == AST_OR || a->as.op.op == AST_AND) &&
                 a->span.start == a->as.op.a->span.start;
    bool negated =
        a->kind == AST_UNARY && a->as.op.op == AST_NOT && a->span.start == a->as.op.op_span.start;
    if (b->kind == AST_BOOL || (!logic && !negated))
        return parse__binary(p, AST_BECOMES, token, a, b);
    AstExpr **last = logic ? &a->as.op.b : &a->as.op.a;
    *last = parse__becomes(p, token, *last, b);
    a->span = span_join(a->span, b->span);
    deepen(p, a, *last);
    return a;
}

AstExpr *parse__unary(Parser *p, AstOp op, ParseToken token, AstExpr *a)
{
    AstExpr *expr = parse__expr(p, AST_UNARY, span_join(token.span, a->span));
    expr->as.op.op = op;
    expr->as.op.op_span = token.span;
    expr->as.op.a = a;
    deepen(p, expr, a);
    return expr;
}

AstExpr *parse__exists(Parser *p, AstExpr *a, ParseToken token)
{
    AstExpr *expr = parse__expr(p, AST_EXISTS, span_join(a->span, token.span));
    expr->as.op.op_span = token.span;
    expr->as.op.a = a;
    deepen(p, expr, a);
    return expr;
}

AstExpr *parse__field(Parser *p, AstExpr *base, ParseToken name)
{
    AstExpr *expr = parse__expr(p, AST_FIELD, span_join(base->span, name.span));
    expr->as.field.base = base;
    expr->as.field.name = parse__name(name);
    deepen(p, expr, base);
    return expr;
}

AstExpr *parse__index(Parser *p, AstExpr *base, AstExpr *at)
{
    AstExpr *expr = parse__expr(p, AST_INDEX, parse__from(p, base->span));
    expr->as.index.base = base;
    expr->as.index.at = at;
    deepen(p, expr, base);
    deepen(p, expr, at);
    return expr;
}

AstExpr *parse__call(Parser *p, ParseToken name, ArgList args)
{
    AstExpr *expr = parse__expr(p, AST_CALL, parse__from(p, name.span));
    expr->as.call.name = parse__name(name);
    expr->as.call.args = args.first;
    for (const AstArg *arg = args.first; arg; arg = arg->next) deepen(p, expr, arg->value);
    return expr;
}

AstExpr *parse__convert(Parser *p, AstExpr *value, AstUnit *unit, AstName name, AstInteger size)
{
    AstExpr *expr = parse__expr(p, AST_CONVERT, parse__from(p, value->span));
    expr->as.convert.value = value;
    expr->as.convert.unit = unit;
    expr->as.convert.name = name;
    expr->as.convert.size = size;
    deepen(p, expr, value);
    return expr;
}

AstExpr *parse__if(Parser *p, ParseToken word, AstExpr *cond, AstExpr *yes, AstExpr *no)
{
    AstExpr *expr = parse__expr(p, AST_IF, span_join(word.span, no->span));
    expr->as.branch.cond = cond;
    expr->as.branch.yes = yes;
    expr->as.branch.no = no;
    deepen(p, expr, cond);
    deepen(p, expr, yes);
    deepen(p, expr, no);
    return expr;
}

AstExpr *parse__try(Parser *p, ParseToken word, AstExpr *yes, AstExpr *no)
{
    AstExpr *expr = parse__expr(p, AST_TRY, span_join(word.span, no->span));
    expr->as.branch.yes = yes;
    expr->as.branch.no = no;
    deepen(p, expr, yes);
    deepen(p, expr, no);
    return expr;
}

AstExpr *parse__match(Parser *p, ParseToken word, AstExpr *value, CaseList cases)
{
    AstExpr *expr = parse__expr(p, AST_MATCH, parse__from(p, word.span));
    expr->as.match.value = value;
    expr->as.match.cases = cases.first;
    deepen(p, expr, value);
    for (const AstCase *c = cases.first; c; c = c->next) deepen(p, expr, c->value);
    return expr;
}

AstExpr *parse__record(Parser *p, ParseToken open, FieldList fields)
{
    AstExpr *expr = parse__expr(p, AST_RECORD, parse__from(p, open.span));
    expr->as.fields = fields.first;
    for (const AstField *f = fields.first; f; f = f->next) deepen(p, expr, f->value);
    return expr;
}

AstExpr *parse__list(Parser *p, ParseToken open, ExprList items)
{
    AstExpr *expr = parse__expr(p, AST_LIST, parse__from(p, open.span));
    expr->as.items = items.first;
    for (const AstExpr *e = items.first; e; e = e->next) deepen(p, expr, e);
    return expr;
}

AstExpr *parse__range(Parser *p, AstExpr *lo, AstExpr *hi)
{
    AstExpr *expr = parse__expr(p, AST_RANGE, span_join(lo->span, hi->span));
    expr->as.range.lo = lo;
    expr->as.range.hi = hi;
    deepen(p, expr, lo);
    deepen(p, expr, hi);
    return expr;
}

/* ---- types and units --------------------------------------------------------------------- */

AstType *parse__type(Parser *p, AstTypeKind kind, Span start)
{
    AstType *type = NEW(p, AstType);
    type->kind = kind;
    type->span = parse__from(p, start);
    type->depth = 1;
    return type;
}

AstUnit *parse__unit(Parser *p, ParseToken open, FactorList factors)
{
    AstUnit *unit = NEW(p, AstUnit);
    unit->span = parse__from(p, open.span);
    unit->factors = factors.first;
    Str inside = source_text(p->source, unit->span);
    unit->text = inside.len >= 2 ? str_trim(str_slice(inside.ptr + 1, inside.len - 2)) : inside;
    return unit;
}

AstFactor *parse__factor(Parser *p, ParseToken name, ParseToken *power, bool negative)
{
    AstFactor *factor = NEW(p, AstFactor);
    factor->name = parse__name(name);
    factor->power = 1;
    if (power) factor->power = (int32_t)parse__integer(p, *power, 9).value;
    if (negative) factor->power = -factor->power;
    return factor;
}

AstPick *parse__pick(Parser *p, AstExpr *path, AstName as)
{
    AstPick *pick = NEW(p, AstPick);
    pick->path = path;
    pick->as = as;
    pick->span = as.text.len ? span_join(path->span, as.span) : path->span;
    return pick;
}

static bool is_name(Str text)
{
    bool fine = text.len > 0;
    for (size_t i = 0; i < text.len && fine; i++) {
        char c = text.ptr[i];
        bool digit = c >= '0' && c <= '9';
        fine = (c | 32) >= 'a' && (c | 32) <= 'z' ? true : c == '_' || (digit && i > 0);
    }
    return fine;
}

void parse__bare_name(Parser *p, Diagnostic *d, Span span, Str bare)
{
    if (is_name(bare)) {
        diag_fix_str(p->diags, d, STR_NONE, span, bare);
        return;
    }
    Str hint = arena_printf(p->arena, "json_member(meta.raw, \"%.*s\") to read it",
                            STR_ARG(bare.len < 60 ? bare : STR("...")));
    if (hint.ptr) diag_hint(p->diags, d, hint.ptr);
}

void parse__quoted_field(Parser *p, ParseToken name)
{
    Str bare = parse__name(name).text;
    Diagnostic *d =
        is_name(bare)
            ? diag_error(p->diags, DIAG_P035, name.span, "a field's name is written without quotes")
            : diag_error(p->diags, DIAG_P035, name.span,
                         "\"%.*s\" is no name: those have letters, digits and `_` only",
                         STR_ARG(bare));
    parse__bare_name(p, d, name.span, bare);
    p->item_broken = p->broken = true;
}

void parse__mark_first(Parser *p, AstType *type, ParseToken mark, TypeDetail detail)
{
    Span behind = {mark.span.file, mark.span.end, p->prev.span.end};
    Span whole = span_join(mark.span, behind);
    Str text = str_trim(source_text(p->source, behind));
    Diagnostic *d = diag_error(p->diags, DIAG_P070, mark.span,
                               "`?` stands behind the whole type, with its unit and range");
    Str fixed = arena_printf(p->arena, " %.*s?", STR_ARG(text));
    diag_fix_str(p->diags, d, STR_NONE, whole, fixed);
    type->unit = detail.unit, type->lo = detail.lo, type->hi = detail.hi;
    p->item_broken = p->broken = true;
}

AstType *parse__named_type(Parser *p, ParseToken name, TypeDetail detail)
{
    AstType *type = parse__type(p, AST_TYPE_NAMED, name.span);
    type->name = parse__name(name);
    type->unit = detail.unit;
    type->lo = detail.lo;
    type->hi = detail.hi;
    return type;
}

/* ---- parts of lists ---------------------------------------------------------------------- */

void parse__add_name(Parser *p, NameList *list, ParseToken name)
{
    AstNames *node = NEW(p, AstNames);
    node->name = parse__name(name);
    LIST_ADD(*list, node);
}

void parse__add_type_field(Parser *p, TypeFieldList *list, ParseToken name, AstType *type)
{
    AstTypeField *node = NEW(p, AstTypeField);
    node->name = parse__name(name);
    node->type = type;
    node->span = span_join(name.span, type->span);
    LIST_ADD(*list, node);
}

AstArg *parse__arg(Parser *p, AstArgKind kind, Span start, AstExpr *value)
{
    AstArg *arg = NEW(p, AstArg);
    arg->kind = kind;
    arg->value = value;
    arg->span = span_join(start, value->span);
    return arg;
}

AstField *parse__record_field(Parser *p, ParseToken name, AstExpr *value)
{
    AstField *field = NEW(p, AstField);
    field->name = parse__name(name);
    field->value = value;
    field->span = span_join(name.span, value->span);
    return field;
}

AstCase *parse__case(Parser *p, Span start, ExprList patterns, AstExpr *value)
{
    AstCase *one = NEW(p, AstCase);
    one->patterns = patterns.first;
    one->value = value;
    one->span = span_join(start, value->span);
    return one;
}
