/* compiler/parse/slips.c: what people write who come from C, SQL, Python or flow editors.
 *
 * A slip is named, with its fix, and then repaired in the token stream, so that the rest of the
 * stage is still checked. Where a repair would be a guess, only the name is given (expect.c). */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

#include <ctype.h>

static Diagnostic *report(Parser *p, DiagCode code, Span span, const char *message)
{
    p->broken = p->item_broken = true;
    return diag_error(p->diags, code, span, "%s", message);
}

static void named(Parser *p, DiagCode code, const char *message, const char *fix)
{
    Diagnostic *d = report(p, code, p->now.span, message);
    if (fix) diag_fix(p->diags, d, NULL, p->now.span, fix);
}

/* ---- what the lexer saw ------------------------------------------------------------------ */

static void single_quotes(Parser *p)
{
    Diagnostic *d = report(p, DIAG_P012, p->now.span, "texts stand in double quotes");
    Str inner = str_slice(p->now.text.ptr + 1, p->now.text.len - 2);
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 arena_printf(p->arena, "\"%.*s\"", STR_ARG(inner)));
}

static Span open_text(const Parser *p);

/* `"{name"`: the quote that ends the text was read as the start of another one. */
static bool open_brace(Parser *p)
{
    const Block *block = p->block_count ? &p->blocks[p->block_count - 1] : NULL;
    if (!block || block->opener != T_STR_HEAD || !parse__ends_operand(p->prev_kind)) return false;
    if (p->now.text.ptr[0] != '"' || p->now_lex.spaced) return false;
    Span at = {p->now.span.file, p->now.span.start, p->now.span.start};
    Diagnostic *d = report(p, DIAG_P011, open_text(p),
                           "the `{` of this text is not closed: write `}`, or `\\{` for a brace");
    diag_fix(p->diags, d, "}", at, "}");
    return true;
}

static void unclosed_string(Parser *p)
{
    if (open_brace(p)) return;
    Span end = {p->now.span.file, p->now.span.end, p->now.span.end};
    Span quote = {p->now.span.file, p->now.span.start, p->now.span.start + 1};
    Diagnostic *d = report(p, DIAG_P009, quote, "this text is not closed on its line");
    Str text = p->now.text;
    bool other = text.ptr[0] == '\'';
    if (other && text.ptr[text.len - 1] == '"')
        diag_fix(p->diags, d, NULL, quote, "\"");
    else if (other)
        diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                     arena_printf(p->arena, "\"%.*s\"", (int)text.len - 1, text.ptr + 1));
    else
        diag_fix(p->diags, d, "\"", end, "\"");
}

/* Endings of durations and sizes, as people write them. */
static const struct {
    const char *theirs, *ours;
} suffixes[] = {
    {"sec", "s"},     {"secs", "s"},   {"second", "s"},  {"seconds", "s"}, {"min", "m"},
    {"mins", "m"},    {"minute", "m"}, {"minutes", "m"}, {"hr", "h"},      {"hrs", "h"},
    {"hour", "h"},    {"hours", "h"},  {"day", "d"},     {"days", "d"},    {"msec", "ms"},
    {"millis", "ms"}, {"usec", "us"},  {"nsec", "ns"},   {"week", "w"},    {"weeks", "w"},
    {"k", "KB"},      {"K", "KiB"},    {"M", "MiB"},     {"G", "GiB"},     {"mb", "MB"},
    {"kb", "KB"},     {"gb", "GB"},    {"Kb", "KB"},     {"Mb", "MB"},     {"Gb", "GB"}};

static void bad_suffix(Parser *p)
{
    Str text = p->now.text;
    size_t at = 0;
    while (at < text.len && !isalpha((unsigned char)text.ptr[at])) at++;
    Str digits = str_slice(text.ptr, at), suffix = str_skip(text, at);
    Diagnostic *d = diag_error(p->diags, DIAG_P028, p->now.span,
                               "`%.*s` is no number: `%.*s` is not a unit of time or size",
                               STR_ARG(text), STR_ARG(suffix));
    p->broken = p->item_broken = true;
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        if (!str_is(suffix, suffixes[i].theirs)) continue;
        diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                     arena_printf(p->arena, "%.*s%s", STR_ARG(digits), suffixes[i].ours));
        return;
    }
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 arena_printf(p->arena, "%.*s [%.*s]", STR_ARG(digits), STR_ARG(suffix)));
}

static void bad_number_dot(Parser *p, bool leading)
{
    Diagnostic *d =
        report(p, DIAG_P029, p->now.span, "a number has digits on both sides of its point");
    Str text = p->now.text;
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 leading ? arena_printf(p->arena, "0%.*s", STR_ARG(text))
                         : arena_printf(p->arena, "%.*s0", STR_ARG(text)));
}

static void bad_instant(Parser *p, bool date)
{
    Diagnostic *d =
        date ? report(p, DIAG_P031, p->now.span, "an instant needs a time of day and a zone")
             : report(p, DIAG_P030, p->now.span, "an instant needs its zone: Z, or +01:00");
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 arena_printf(p->arena, "%.*s%s", STR_ARG(p->now.text), date ? "T00:00:00Z" : "Z"));
}

static void assign_op(Parser *p)
{
    Diagnostic *d = report(p, DIAG_P022, p->now.span,
                           "`let` sets a field; write the whole calculation behind `=`");
    if (p->prev_kind != T_ID) return;
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 arena_printf(p->arena, "= %.*s %c", STR_ARG(p->prev.text), p->now.text.ptr[0]));
}

static void dollar(Parser *p)
{
    int next;
    ParseToken word = parse__peek(p, 1, &next);
    Diagnostic *d = report(p, DIAG_P032, p->now.span,
                           "names stand bare, and as {name} inside a text; there is no `$`");
    if (next == T_ID) {
        diag_fix_str(p->diags, d, STR_NONE, span_join(p->now.span, word.span), word.text);
    }
}

static void pipe_slip(Parser *p)
{
    Diagnostic *d = report(p, DIAG_P017, p->now.span,
                           "stages follow each other without a sign: each is led by its keyword");
    diag_fix(p->diags, d, "the next stage without it", p->now.span, "");
}

static void back_quotes(Parser *p)
{
    Diagnostic *d = report(p, DIAG_P014, p->now.span, "names are written bare");
    parse__bare_name(p, d, p->now.span, str_slice(p->now.text.ptr + 1, p->now.text.len - 2));
}

/* The sign of degrees and the letter behind it are one unit here. */
static bool degrees(Parser *p, int *kind)
{
    int next;
    ParseToken letter = parse__peek(p, 1, &next);
    bool unit = str_is(letter.text, "C") || str_is(letter.text, "F");
    if (!str_is(p->now.text, "\xC2\xB0") || next != T_ID || !unit || !parse__accepts(p, T_ID))
        return false;
    Span both = span_join(p->now.span, letter.span);
    Str ours = str_is(letter.text, "C") ? STR("degC") : STR("degF");
    Diagnostic *d = report(p, DIAG_P034, both, "names and units are written with letters");
    diag_fix_str(p->diags, d, STR_NONE, both, ours);
    p->now.text = ours;
    p->now.span = both;
    p->at++; /* the letter was read with it */
    *kind = T_ID;
    return true;
}

/* From the quote to the last word of a text whose brace is open. */
static Span open_text(const Parser *p)
{
    Span span = p->prev.span;
    uint32_t at = p->block_count;
    while (at && p->blocks[at - 1].opener != T_STR_HEAD) at--;
    return at ? span_join(p->blocks[at - 1].span, span) : span;
}

/* Reports what is wrong with the token itself. True: go on with *kind (0: without the token). */
bool parse__problem(Parser *p, int *kind)
{
    switch ((LexProblem)p->now_lex.problem) {
    case LEX_FINE: return false;
    case LEX_UNCLOSED_STRING: unclosed_string(p); return true;
    case LEX_UNCLOSED_BRACE:
        (void)report(p, DIAG_P011, open_text(p),
                     "the `{` of this text is not closed: write `}`, or `\\{` for a brace");
        return true;
    case LEX_SINGLE_QUOTES: single_quotes(p); return true;
    case LEX_CURLY_QUOTES:
        named(p, DIAG_P013, "texts stand in straight double quotes", NULL);
        return true;
    case LEX_BACK_QUOTES: back_quotes(p); return true;
    case LEX_AMP_AMP: named(p, DIAG_P016, "`and` joins conditions here", "and"); return true;
    case LEX_BAR_BAR: named(p, DIAG_P016, "`or` joins conditions here", "or"); return true;
    case LEX_BANG: named(p, DIAG_P016, "`not` turns a condition round", "not "); return true;
    case LEX_PIPE:
        pipe_slip(p);
        *kind = 0;
        return true;
    case LEX_LESS_GREATER: named(p, DIAG_P023, "different is written `!=`", "!="); return true;
    case LEX_TRIPLE_EQUAL:
        named(p, DIAG_P023, *kind == T_EQ ? "equal is written `==`" : "different is written `!=`",
              *kind == T_EQ ? "==" : "!=");
        return true;
    case LEX_COLON_EQUAL: named(p, DIAG_P021, "a value is set with `=`", "="); return true;
    case LEX_ASSIGN_OP: assign_op(p); return true;
    case LEX_PLUS_PLUS:
        named(p, DIAG_P024, "there is no `++`; texts are put together as \"{a}{b}\"", NULL);
        return true;
    case LEX_STAR_STAR:
        named(p, DIAG_P024, "there is no `**`; a power is pow(x, n)", NULL);
        return true;
    case LEX_RANGE_MARK:
        named(p, DIAG_P058, "a range is written lo..hi, both ends belong to it", "..");
        return true;
    case LEX_DOUBLE_COLON: named(p, DIAG_P046, "a part is named with a point", "."); return true;
    case LEX_BAD_SUFFIX: bad_suffix(p); return true;
    case LEX_LEADING_DOT: bad_number_dot(p, true); return true;
    case LEX_TRAILING_DOT: bad_number_dot(p, false); return true;
    case LEX_NO_ZONE: bad_instant(p, false); return true;
    case LEX_DATE_ONLY: bad_instant(p, true); return true;
    case LEX_DOLLAR:
        dollar(p);
        *kind = 0;
        return true;
    case LEX_NOT_ASCII:
        (void)report(p, DIAG_P033, p->now.span, "names have the letters a-z, A-Z, digits and `_`");
        return true;
    case LEX_BAD_BYTE:
        if (degrees(p, kind)) return true;
        (void)report(p, DIAG_P034, p->now.span, "this character has no meaning outside a text");
        *kind = 0;
        return true;
    case LEX_SLASH_COMMENT: return false;
    }
    return false;
}

/* ---- what the grammar would stumble over -------------------------------------------------- */

static bool one_equal(Parser *p, int *kind)
{
    if (*kind != T_ASSIGN || parse__accepts(p, T_ASSIGN)) return false;
    if (parse__accepts(p, T_COLON)) {
        named(p, DIAG_P044, "a field's value stands behind `:`", ":");
        *kind = T_COLON;
        return true;
    }
    if (!parse__accepts(p, T_EQ)) return false;
    named(p, DIAG_P018, "`=` sets a value; equal is written `==`", "==");
    *kind = T_EQ;
    return true;
}

static bool two_equals(Parser *p, int *kind)
{
    if (*kind != T_EQ || parse__accepts(p, T_EQ) || !parse__accepts(p, T_ASSIGN)) return false;
    named(p, DIAG_P019, "`==` compares; a value is set with `=`", "=");
    *kind = T_ASSIGN;
    return true;
}

/* let x: f64 = 3  and  n: count() */
static bool colon_for_equal(Parser *p, int *kind)
{
    if (*kind != T_COLON || parse__accepts(p, T_COLON) || !parse__accepts(p, T_ASSIGN))
        return false;
    int next, after;
    ParseToken type = parse__peek(p, 1, &next);
    (void)parse__peek(p, 2, &after);
    if (next == T_ID && after == T_ASSIGN) {
        Diagnostic *d = report(p, DIAG_P045, span_join(p->now.span, type.span),
                               "the type is found by itself here");
        diag_fix(p->diags, d, "without the type", span_join(p->now.span, type.span), "");
        p->at++; /* the type is skipped with it */
        *kind = 0;
        return true;
    }
    named(p, DIAG_P045, "a value is set with `=` here", "=");
    *kind = T_ASSIGN;
    return true;
}

/* { a = 1 } and f(on = 80): a label is wanted. */
static bool equal_for_colon(Parser *p, int *kind)
{
    if (*kind != T_ID || parse__peek_kind(p, 1) != T_ASSIGN || !parse__accepts(p, T_LABEL))
        return false;
    ParseToken sign = parse__peek(p, 1, NULL);
    if (parse__accepts(p, T_ID) && p->prev_kind != T_LPAREN && p->prev_kind != T_COMMA)
        return false;
    if (p->block_count == 0) return false;
    Diagnostic *d = report(p, DIAG_P044, sign.span, "a field's value stands behind `:`");
    diag_fix(p->diags, d, ":", sign.span, ":");
    *kind = T_LABEL;
    p->turned = (int32_t)p->at + 1;
    p->turned_kind = T_COLON;
    return true;
}

static bool semicolon(Parser *p, int *kind)
{
    if (*kind != T_SEMI || parse__accepts(p, T_SEMI)) return false;
    if (parse__peek_kind(p, 1) == T_NUM && parse__peek_kind(p, 2) == T_RBRACKET)
        return false; /* T; 3]: see lost.c */
    Diagnostic *d = report(p, DIAG_P020, p->now.span, "nothing ends with `;` here");
    diag_fix(p->diags, d, "the line without it", p->now.span, "");
    *kind = 0;
    return true;
}

static Str lower(Parser *p, Str word)
{
    Str copy = arena_str(p->arena, word);
    if (!copy.ptr) return word;
    char *bytes = arena_alloc(p->arena, word.len + 1);
    if (!bytes) return word;
    for (size_t i = 0; i < word.len; i++) bytes[i] = (char)tolower((unsigned char)word.ptr[i]);
    return str_slice(bytes, word.len);
}

/* WHERE, And, ELSE IF */
static bool upper_case(Parser *p, int *kind)
{
    Str word = p->now.text;
    if (*kind != T_ID || p->now_lex.kind != T_ID || word.len < 2 || word.len > 11) return false;
    if (!isupper((unsigned char)word.ptr[0])) return false;
    if (p->prev_kind == T_AS && parse__is_format(lower(p, word)) && parse__accepts(p, T_FORMAT)) {
        Diagnostic *d = report(p, DIAG_P025, p->now.span, "formats are written small");
        diag_fix_str(p->diags, d, STR_NONE, p->now.span, lower(p, word));
        *kind = T_FORMAT;
        return true;
    }
    const Keyword *keyword = parse__keyword(lower(p, word));
    if (!keyword) return false;

    int next;
    ParseToken after = parse__peek(p, 1, &next);
    bool prefix = (keyword->kind == T_NOT || keyword->kind == T_IF || keyword->kind == T_TRY) &&
                  parse__starts_operand(next) && !parse__keyword(after.text);
    bool leads =
        keyword->word_class == WORD_STAGE && p->now_lex.first && parse__starts_operand(next);
    bool only = !parse__accepts(p, T_ID) && parse__accepts(p, keyword->kind);
    if (!((prefix || leads || only) && parse__accepts(p, keyword->kind))) return false;

    Str fix = str_from(keyword->word);
    Span span = p->now.span;
    if (keyword->kind == T_ELSE && str_is(lower(p, after.text), "if")) {
        Diagnostic *d = report(p, DIAG_P026, span_join(span, after.span),
                               "keywords are written small: `else if`");
        diag_fix(p->diags, d, NULL, span_join(span, after.span), "else if");
    } else {
        Diagnostic *d = diag_error(p->diags, DIAG_P025, span, "keywords are written small: `%s`",
                                   keyword->word);
        diag_fix_str(p->diags, d, STR_NONE, span, fix);
        p->broken = p->item_broken = true;
    }
    *kind = keyword->kind;
    return true;
}

/* `x is null`, `x is not null`: only a plain name can be turned round. */
static void is_null_fix(Parser *p, Diagnostic *d, bool there)
{
    int null;
    Str word = lower(p, parse__peek(p, there ? 2 : 1, NULL).text);
    ParseToken last = parse__peek(p, there ? 2 : 1, &null);
    bool path = p->prev_kind != T_ID ||
                (p->prev.span.start > 0 && p->source->text.ptr[p->prev.span.start - 1] == '.');
    if (!str_is(word, "null") || path) {
        diag_hint(p->diags, d, there ? "x exists" : "not (x exists)");
        return;
    }
    Span span = span_join(p->prev.span, last.span);
    diag_fix_str(
        p->diags, d, STR_NONE, span,
        arena_printf(p->arena, there ? "%.*s exists" : "not (%.*s exists)", STR_ARG(p->prev.text)));
}

/* `x between 1 and 5`. */
static void between_fix(Parser *p, Diagnostic *d)
{
    int low, high;
    ParseToken from = parse__peek(p, 1, &low), to = parse__peek(p, 3, &high);
    bool plain =
        low == T_NUM && high == T_NUM && str_is(lower(p, parse__peek(p, 2, NULL).text), "and");
    if (plain)
        diag_fix_str(p->diags, d, STR_NONE, span_join(p->now.span, to.span),
                     arena_printf(p->arena, "in %.*s..%.*s", STR_ARG(from.text), STR_ARG(to.text)));
    else
        diag_hint(p->diags, d, "in lo..hi");
}

/* Words of other languages where an operator is wanted: those with a plain counterpart go on. */
static bool operator_like(Parser *p, int *kind)
{
    static const struct {
        const char *word, *ours, *message;
        int kind;
    } others[] = {
        {"equals", "==", "equal is written `==`", T_EQ},
        {"eq", "==", "equal is written `==`", T_EQ},
        {"like", "matches", "`matches` compares with a pattern, `contains` looks for a part",
         T_MATCHES},
        {"mod", "%", "the rest of a division is `%`", T_PERCENT},
        {"startswith", "starts_with", "the operator is `starts_with`", T_STARTS_WITH},
        {"endswith", "ends_with", "the operator is `ends_with`", T_ENDS_WITH},
        {"includes", "contains", "the operator is `contains`", T_CONTAINS},
        {"between", "in", "between is written `in lo..hi`", T_IN},
        {"is", "==", "equal is written `==`", T_EQ},
        {"xor", "!=", "`xor` of two conditions is `!=`", T_NE},
    };
    if (*kind != T_ID || p->now_lex.first || parse__peek_kind(p, 1) == T_ASSIGN) return false;
    if (!parse__ends_operand(p->prev_kind) || !parse__accepts(p, T_EQ)) return false;
    Str word = lower(p, p->now.text);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (!str_is(word, others[i].word)) continue;
        int next;
        Str after = lower(p, parse__peek(p, 1, &next).text);
        Diagnostic *d;
        if (str_is(word, "is") && (str_is(after, "null") || str_is(after, "not"))) {
            d = report(p, DIAG_P050, p->now.span,
                       "whether a value is there is asked with `exists`");
            is_null_fix(p, d, str_is(after, "not"));
        } else if (str_is(word, "between")) {
            d = report(p, DIAG_P050, p->now.span, others[i].message);
            between_fix(p, d);
        } else {
            d = report(p, DIAG_P050, p->now.span, others[i].message);
            diag_fix(p->diags, d, NULL, p->now.span, others[i].ours);
        }
        *kind = others[i].kind;
        return true;
    }
    return false;
}

static bool else_like(Parser *p, int *kind)
{
    Str word = p->now.text;
    if (*kind != T_ID || !parse__accepts(p, T_ELSE)) return false;
    if (!str_is(word, "elif") && !str_is(word, "elsif") && !str_is(word, "elseif")) return false;
    Diagnostic *d = report(p, DIAG_P026, p->now.span, "a further condition is `else if`");
    diag_fix(p->diags, d, NULL, p->now.span, "else if");
    parse__feed(p, T_ELSE, p->now);
    *kind = T_IF;
    return true;
}

static bool not_in(Parser *p, int *kind)
{
    if (*kind != T_NOT || parse__accepts(p, T_NOT) || !parse__accepts(p, T_IN)) return false;
    ParseToken in = parse__peek(p, 1, NULL);
    const Keyword *keyword = parse__keyword_at(p, in.index);
    if (!keyword || !parse__accepts(p, keyword->kind)) return false;
    Diagnostic *d = diag_error(p->diags, DIAG_P049, span_join(p->now.span, in.span),
                               "`not` stands before the whole comparison");
    diag_fix_str(p->diags, d, arena_printf(p->arena, "not (x %s ...)", keyword->word), p->now.span,
                 STR(""));
    p->broken = p->item_broken = true;
    *kind = 0;
    return true;
}

static bool names_unit(Str word)
{
    static const struct {
        const char *name;
        bool prefix;
    } units[] = {
#define UNIT(name, m, kg, s, A, K, mol, cd, data, num, den, pi, prefix, text) {name, prefix},
#include "stdlib/units.def"
#undef UNIT
    };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (str_is(word, units[i].name)) return true;
        if (units[i].prefix && word.len > 1 && strchr("numcdhkMGT", word.ptr[0]) &&
            str_is(str_skip(word, 1), units[i].name))
            return true;
    }
    return false;
}

static bool is_numeric_type(Str word)
{
    static const char *const types[] = {"i32", "i64", "u32", "u64", "f32", "f64"};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_is(word, types[i])) return true;
    return false;
}

/* `3 bar`, `temp: f64 degC`. Behind an option's number a word is the next option. */
static bool unit_bare(Parser *p, int *kind)
{
    bool in_lets = p->stage_kind == T_LET || p->stage_kind == T_WINDOW;
    if (*kind != T_ID || p->now_lex.first || !parse__accepts(p, T_LBRACKET)) return false;
    if (p->prev_kind != T_NUM && !is_numeric_type(p->prev.text)) return false;
    int next = parse__peek_kind(p, 1);
    if (next == T_ASSIGN || next == T_COLON || next == T_LPAREN || next == T_DOT) return false;
    if (parse__accepts(p, T_ID) && !in_lets) return false;
    if (!names_unit(p->now.text)) return false;
    p->broken = p->item_broken = true;
    Span before = {p->now.span.file, p->now.span.start, p->now.span.start};
    Diagnostic *d = diag_error(p->diags, DIAG_P077, p->now.span,
                               "a unit stands in brackets: [%.*s]", STR_ARG(p->now.text));
    diag_fix_str(p->diags, d, STR_NONE, p->now.span,
                 arena_printf(p->arena, "[%.*s]", STR_ARG(p->now.text)));
    Span behind = {p->now.span.file, p->now.span.end, p->now.span.end};
    parse__feed(p, T_LBRACKET, (ParseToken){STR("["), before, p->prev.index});
    parse__feed(p, T_ID, p->now);
    parse__feed(p, T_RBRACKET, (ParseToken){STR("]"), behind, p->prev.index});
    *kind = 0;
    return true;
}

/* The ending of a duration that the word means, or NULL. */
static const char *duration_ending(Str word)
{
    static const char *const endings[] = {"ns", "us", "ms", "s", "m", "h", "d", "w"};
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (str_is(word, endings[i])) return endings[i];
    for (size_t i = 0; i < COUNT_OF(suffixes); i++)
        if (str_is(word, suffixes[i].theirs) && islower((unsigned char)suffixes[i].ours[0]))
            return suffixes[i].ours;
    return NULL;
}

/* `window tumble 10 s`: in an expression that may be a number with a unit, elsewhere it is not. */
static bool spaced_duration(Parser *p, int *kind)
{
    int next;
    if (*kind != T_NUM || !parse__accepts(p, T_DUR)) return false;
    ParseToken unit = parse__peek(p, 1, &next);
    const char *ending = next == T_ID ? duration_ending(unit.text) : NULL;
    if (!ending || parse__peek_first(p, 1)) return false;
    const Block *block = p->block_count ? &p->blocks[p->block_count - 1] : NULL;
    bool value = !block || block->kind != BLOCK_STAGES || p->stage_kind == T_LET ||
                 p->stage_kind == T_WHERE || p->stage_kind == T_WHEN || p->stage_kind == T_EACH ||
                 p->stage_kind == T_REPLY;
    if (value && parse__accepts(p, T_NUM)) return false;
    Str text = arena_printf(p->arena, "%.*s%s", STR_ARG(p->now.text), ending);
    Span both = span_join(p->now.span, unit.span);
    Diagnostic *d = report(p, DIAG_P062, both, "a duration has no space in it");
    if (!text.ptr) return false;
    diag_fix_str(p->diags, d, STR_NONE, both, text);
    p->now.text = text;
    p->now.span = both;
    p->at++; /* its ending was read with it */
    *kind = T_DUR;
    return true;
}

/* keep a b */
static bool comma_missing(Parser *p, int *kind)
{
    if (parse__fits(p, *kind) || !parse__accepts(p, T_COMMA)) return false;
    if (*kind != T_ID && !(parse__starts_operand(*kind) && *kind != T_LBRACE)) return false;
    if (!parse__ends_operand(p->prev_kind) || (p->now_lex.first && !p->block_count)) return false;
    if (p->now_lex.first && parse__stage_like(p->now.text)) return false;
    Span gap = {p->prev.span.file, p->prev.span.end, p->prev.span.end};
    Diagnostic *d = diag_error(p->diags, DIAG_P048, span_join(p->prev.span, p->now.span),
                               "a comma is missing between `%.*s` and `%.*s`",
                               STR_ARG(p->prev.text), STR_ARG(p->now.text));
    diag_fix(p->diags, d, ",", gap, ",");
    p->broken = p->item_broken = true;
    ParseToken comma = {STR(","), gap, p->at};
    parse__feed(p, T_COMMA, comma);
    return true;
}

/* A word at the start of a line that an option list would swallow, but that is meant as a stage or
 * as a declaration: `wher temp > 3`. Left alone, the blame would fall on a later token. */
static bool swallowed(Parser *p, int *kind)
{
    static const char *const options[] = {"retry",   "limit", "key",     "zone",  "timeout",
                                          "backoff", "body",  "subject", "table", "unit",
                                          "qos",     "every", "order",   "idle",  "max",
                                          "early",   "using", "per",     "map"};
    if (*kind != T_ID || !p->now_lex.first || p->now_lex.problem) return false;
    bool stage = p->block_count && parse__accepts(p, T_DURABLE);
    bool item = p->block_count == 0 && parse__accepts(p, T_PIPELINE) && parse__accepts(p, T_ID);
    if (!stage && !item) return false;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (str_is(p->now.text, options[i])) return false;
    }
    if (stage && (parse__peek_kind(p, 1) == T_ASSIGN || !parse__stage_like(p->now.text)))
        return false;
    if (item && !parse__item_like(p->now.text)) return false;
    *kind = T_BAD;
    return true;
}

bool parse__slip(Parser *p, int *kind)
{
    bool fits = parse__fits(p, *kind);
    if (upper_case(p, kind) || equal_for_colon(p, kind) || swallowed(p, kind)) return true;
    if (unit_bare(p, kind) || spaced_duration(p, kind)) return true;
    if (fits) return not_in(p, kind) || operator_like(p, kind);
    return one_equal(p, kind) || two_equals(p, kind) || colon_for_equal(p, kind) ||
           semicolon(p, kind) || else_like(p, kind) || operator_like(p, kind) || not_in(p, kind) ||
           comma_missing(p, kind);
}
