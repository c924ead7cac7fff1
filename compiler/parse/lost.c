/* compiler/parse/lost.c: a word that must have been left out before this one.
 *
 * The grammar stumbles where it can read no further, which is often behind the gap: a word is taken
 * for a name, an option or an operand, and the blame falls on what follows it. Here the next word
 * is looked at too, and when only a missing word explains both, the place before the first is named
 * (the words written on both sides of it, never a word that is not there). Where what was meant is
 * certain, reading goes on as if it stood there, so the rest of the stage is still checked. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

static Diagnostic *lost(Parser *p, DiagCode code, Span span, const char *message)
{
    p->broken = p->item_broken = true;
    return diag_error(p->diags, code, span, "%s", message);
}

static Span behind_prev(const Parser *p)
{
    return (Span){p->prev.span.file, p->prev.span.end, p->prev.span.end};
}

static Span before_now(const Parser *p)
{
    return (Span){p->now.span.file, p->now.span.start, p->now.span.start};
}

static bool in_lets(const Parser *p)
{
    return p->stage_kind == T_LET || p->stage_kind == T_WINDOW;
}

static bool is_sink(Str word)
{
    static const char *const sinks[] = {"stdout", "historian", "dead", "file", "uns", "mqtt"};
    for (size_t i = 0; i < COUNT_OF(sinks); i++)
        if (str_is(word, sinks[i])) return true;
    return false;
}

/* `a = x ??` and on the next line `b = 1`: the right side of `??` is missing. */
static bool operand(Parser *p, int *kind)
{
    bool leads =
        *kind == T_ID && p->now_lex.first && parse__peek_kind(p, 1) == T_ASSIGN && in_lets(p);
    if (!leads || parse__ends_operand(p->prev_kind) || p->prev_kind == T_COMMA) return false;
    if (!parse__accepts(p, T_NULL) || parse__accepts_both(p, T_ID, T_ASSIGN)) return false;
    p->broken = p->item_broken = true;
    (void)diag_error(p->diags, DIAG_P005, p->prev.span, "a value is missing behind `%.*s`",
                     STR_ARG(p->prev.text));
    ParseToken nothing = {STR(""), behind_prev(p), p->prev.index};
    parse__feed(p, T_NULL, nothing);
    return true;
}

/* `x exists  y > 2`: what follows a value on its line is no new name unless `=` follows it. */
static bool operator_before(Parser *p, int *kind)
{
    if (*kind != T_ID || p->now_lex.first || !in_lets(p) || !parse__ends_operand(p->prev_kind))
        return false;
    if (!parse__accepts_both(p, T_ID, T_ASSIGN)) return false;
    int next = parse__peek_kind(p, 1);
    if (next == T_ASSIGN || next == T_COLON || next == T_EQ) return false;
    if (!parse__starts_operand(next) && !parse__ends_operand(next) && next != T_LPAREN &&
        !parse__accepts_both(p, T_OR, T_ID))
        return false;
    p->broken = p->item_broken = true;
    Diagnostic *d = diag_error(p->diags, DIAG_P063, span_join(p->prev.span, p->now.span),
                               "an operator is missing between `%.*s` and `%.*s`",
                               STR_ARG(p->prev.text), STR_ARG(p->now.text));
    diag_hint(p->diags, d, "and, or, +, -, *, /, ==, <, ??");
    return true;
}

/* `{ a: b: 1 }`, `in a: 1 }`: a name with `:` where a value, a `{` or something else must stand. */
static bool before_label(Parser *p, int *kind)
{
    if (*kind != T_LABEL || parse__accepts(p, T_LABEL)) return false;
    if (!parse__accepts(p, T_ID) || parse__accepts_both(p, T_ID, T_COLON) ||
        parse__accepts_both(p, T_ID, T_ASSIGN))
        return false;
    if (parse__accepts_both(p, T_LBRACE, T_LABEL)) {
        Diagnostic *d = lost(p, DIAG_P064, span_join(p->prev.span, p->now.span),
                             "`{` is missing before this: a record is written { name: value }");
        if (p->block_count == 1) /* a step of a test: its end is written already */
            diag_fix(p->diags, d, "{", before_now(p), "{ ");
        else
            diag_hint(p->diags, d, "{ name: value }");
        ParseToken brace = {STR("{"), before_now(p), p->prev.index};
        parse__feed(p, T_LBRACE, brace);
        return true;
    }
    if (!parse__accepts(p, T_NULL)) return false;
    p->broken = p->item_broken = true;
    (void)diag_error(p->diags, DIAG_P005, p->prev.span, "a value is missing behind `%.*s`",
                     STR_ARG(p->prev.text));
    ParseToken nothing = {STR(""), behind_prev(p), p->prev.index};
    parse__feed(p, T_NULL, nothing);
    return true;
}

/* `on into stdout`: without its port. */
static bool port(Parser *p, int *kind)
{
    if (p->prev_kind != T_ON || p->stage_kind != T_ON) return false;
    if (*kind != T_INTO && *kind != T_DROP && *kind != T_REPLY) return false;
    int next = parse__peek_kind(p, 1);
    if (*kind == T_DROP && next == T_INTO) return false;
    Diagnostic *d = lost(p, DIAG_P065, span_join(p->prev.span, p->now.span),
                         "`on` is followed by `error` or `late`");
    diag_fix(p->diags, d, "on error", behind_prev(p), " error");
    ParseToken word = {STR("error"), behind_prev(p), p->prev.index};
    parse__feed(p, T_ID, word);
    return true;
}

/* A line that starts with what stands behind `into`, `from` or `on`. An option list before it would
 * take the word, and the blame would fall on what follows. */
static bool stage_word(Parser *p, int *kind)
{
    Str word = p->now.text;
    if (*kind != T_ID || !p->now_lex.first || !p->block_count || !parse__accepts(p, T_DURABLE))
        return false;
    int next = parse__peek_kind(p, 1);
    Str after = parse__peek(p, 1, NULL).text;
    bool acts = str_is(after, "into") || str_is(after, "drop") || str_is(after, "dead") ||
                str_is(after, "reply");
    const char *missing = NULL;
    if ((str_is(word, "error") || str_is(word, "late")) && acts) missing = "on ";
    bool address = next == T_STR || next == T_STR_HEAD || next == T_RBRACE || str_is(after, "as") ||
                   parse__peek_first(p, 1) || str_is(word, "historian");
    if (!missing && is_sink(word) && address) missing = "into ";
    if (!missing) return false;
    diag_stage_begin(p->diags, p->now.span);
    p->broken = p->item_broken = true;
    Diagnostic *d = diag_error(p->diags, DIAG_P066, p->now.span,
                               "`%.*s` leads no stage: `%.*s` is missing before it", STR_ARG(word),
                               (int)strlen(missing) - 1, missing);
    diag_fix(p->diags, d, NULL, before_now(p), missing);
    ParseToken keyword = {str_slice(missing, strlen(missing) - 1), before_now(p), p->prev.index};
    parse__feed(p, missing[0] == 'o' ? T_ON : T_INTO, keyword);
    return true;
}

/* `on error file "x"`: without `into`. `on error dead` needs none. */
static bool into(Parser *p, int *kind)
{
    if (*kind != T_ID || p->stage_kind != T_ON || p->prev_kind != T_ID || !is_sink(p->now.text) ||
        str_is(p->now.text, "dead") || !parse__accepts(p, T_INTO))
        return false;
    Diagnostic *d =
        lost(p, DIAG_P066, span_join(p->prev.span, p->now.span), "`into` is missing here");
    diag_fix(p->diags, d, NULL, before_now(p), "into ");
    ParseToken word = {STR("into"), before_now(p), p->prev.index};
    parse__feed(p, T_INTO, word);
    return true;
}

/* `where (starts_with "a")`, `by { ... }`: nothing stands where a value or keys must. */
static bool nothing_before(Parser *p, int *kind)
{
    if (p->prev_kind == T_BY && *kind == T_LBRACE && p->stage_kind == T_WINDOW) {
        (void)lost(p, DIAG_P005, span_join(p->prev.span, p->now.span),
                   "keys are missing behind `by`");
        ParseToken name = {STR("key"), behind_prev(p), p->prev.index};
        parse__feed(p, T_ID, name);
        return true;
    }
    const Keyword *word = *kind == T_ID ? parse__keyword_at(p, p->now.index) : NULL;
    int next = parse__peek_kind(p, 1);
    bool binary = word && word->word_class == WORD_OPERATOR && word->kind != T_EXISTS &&
                  parse__starts_operand(next) && next != T_LBRACE;
    if (!binary || !parse__accepts(p, T_NULL) || parse__accepts(p, word->kind)) return false;
    p->broken = p->item_broken = true;
    (void)diag_error(p->diags, DIAG_P005, span_join(p->prev.span, p->now.span),
                     "a value is missing before `%s`", word->word);
    ParseToken nothing = {STR(""), behind_prev(p), p->prev.index};
    parse__feed(p, T_NULL, nothing);
    *kind = word->kind;
    return true;
}

/* `id, x, y` at the start of a line: a list without `keep`. */
static bool list_word(Parser *p, int *kind)
{
    if (*kind != T_ID || !p->now_lex.first || !p->block_count || parse__peek_kind(p, 1) != T_COMMA)
        return false;
    if (!parse__accepts(p, T_DURABLE) || !parse__ends_operand(p->prev_kind)) return false;
    diag_stage_begin(p->diags, p->now.span);
    p->broken = p->item_broken = true;
    Diagnostic *d =
        diag_error(p->diags, DIAG_P066, p->now.span,
                   "`%.*s` leads no stage: `keep` is missing before it", STR_ARG(p->now.text));
    diag_fix(p->diags, d, NULL, before_now(p), "keep ");
    ParseToken word = {STR("keep"), before_now(p), p->prev.index};
    parse__feed(p, T_KEEP, word);
    return true;
}

/* `{ id i64, x: f64 }`: a name without `:` in a record or its type. */
static bool colon(Parser *p, int *kind)
{
    if (*kind != T_ID || parse__accepts(p, T_ID) || parse__peek_kind(p, 1) == T_ASSIGN)
        return false;
    if (!parse__accepts_both(p, T_LABEL, T_COLON)) return false;
    int next = parse__peek_kind(p, 1);
    if (next == T_COMMA || next == T_RBRACE) return false;
    p->broken = p->item_broken = true;
    Diagnostic *d = diag_error(p->diags, DIAG_P069, p->now.span, "`:` is missing behind `%.*s`",
                               STR_ARG(p->now.text));
    Span end = {p->now.span.file, p->now.span.end, p->now.span.end};
    bool value = parse__starts_operand(next) || next == T_LBRACKET;
    if (value) diag_fix(p->diags, d, ":", end, ":");
    parse__feed(p, T_LABEL, p->now);
    ParseToken sign = {STR(":"), end, p->prev.index};
    parse__feed(p, T_COLON, sign);
    *kind = 0;
    return true;
}

/* `(a, b)`: a call without its name, or a list in the wrong brackets. */
static bool call_name(Parser *p, int *kind)
{
    const Block *block = p->block_count ? &p->blocks[p->block_count - 1] : NULL;
    if (*kind != T_COMMA || !block || block->opener != T_LPAREN || parse__accepts(p, T_COMMA))
        return false;
    if (!parse__accepts(p, T_RPAREN) || !parse__ends_operand(p->prev_kind)) return false;
    Diagnostic *d = lost(p, DIAG_P067, span_join(block->span, p->now.span),
                         "parentheses hold one value: a call has a name before them, a list is "
                         "written [a, b]");
    diag_hint(p->diags, d, "name(a, b)");
    diag_hint(p->diags, d, "[a, b]");
    *kind = T_BAD;
    return true;
}

/* `T; 3]`: the list's `[` is missing. */
static bool list_open(Parser *p, int *kind)
{
    if (*kind != T_SEMI || parse__accepts(p, T_SEMI) || parse__peek_kind(p, 1) != T_NUM ||
        parse__peek_kind(p, 2) != T_RBRACKET)
        return false;
    Diagnostic *d = lost(p, DIAG_P068, span_join(p->prev.span, p->now.span),
                         "`[` is missing before this type: a list is written [T; 3]");
    Span at = {p->prev.span.file, p->prev.span.start, p->prev.span.start};
    if (p->prev_kind == T_ID) diag_fix(p->diags, d, "[", at, "[");
    p->at += 2; /* `; 3 ]` was read with it */
    *kind = 0;
    return true;
}

/* `[i32]` and `[i32, 3]`: a list type without its number, or with the wrong sign before it. */
static bool list_length(Parser *p, int *kind)
{
    const Block *block = p->block_count ? &p->blocks[p->block_count - 1] : NULL;
    if ((*kind != T_RBRACKET && *kind != T_COMMA) || !block || block->opener != T_LBRACKET ||
        parse__accepts(p, *kind) || !parse__accepts(p, T_SEMI))
        return false;
    Diagnostic *d = lost(p, DIAG_P068, span_join(block->span, p->now.span),
                         "a list says how many items it holds at most: [T; 3]");
    if (*kind == T_COMMA) {
        diag_fix(p->diags, d, ";", p->now.span, ";");
        *kind = T_SEMI;
        return true;
    }
    diag_fix(p->diags, d, "; 100", before_now(p), "; 100");
    parse__feed(p, T_SEMI, (ParseToken){STR(";"), before_now(p), p->prev.index});
    parse__feed(p, T_NUM, (ParseToken){STR("100"), before_now(p), p->prev.index});
    return true;
}

bool parse__lost(Parser *p, int *kind)
{
    return list_length(p, kind) || call_name(p, kind) || operand(p, kind) ||
           operator_before(p, kind) || before_label(p, kind) || port(p, kind) || into(p, kind) ||
           stage_word(p, kind) || list_word(p, kind) || nothing_before(p, kind) || colon(p, kind) ||
           list_open(p, kind);
}
