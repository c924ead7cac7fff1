/* compiler/parse/others.c: longer habits from other languages, where the grammar stumbles only at
 * their second word.
 *
 * As lost.c: when what was meant is certain, reading goes on as if it stood there; else the rest of
 * the stage is passed over. Nothing here looks at a token that fits. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

#include <ctype.h>

static Diagnostic *found(Parser *p, DiagCode code, Span span, const char *message)
{
    p->broken = p->item_broken = true;
    return diag_error(p->diags, code, span, "%s", message);
}

static Span before_now(const Parser *p)
{
    return (Span){p->now.span.file, p->now.span.start, p->now.span.start};
}

static void put_word(Parser *p, const char *word)
{
    ParseToken token = {str_from(word), before_now(p), p->prev.index};
    parse__feed(p, T_ID, token);
}

/* into "out.ndjson" */
static bool kind_missing(Parser *p, const int *kind)
{
    bool leads = (p->prev_kind == T_INTO || p->prev_kind == T_FROM) && p->stage_kind;
    if (!leads || (*kind != T_STR && *kind != T_STR_HEAD)) return false;
    Diagnostic *d = found(p, DIAG_P071, p->now.span,
                          "the kind is missing in front of this address: file, mqtt, uns ...");
    diag_fix(p->diags, d, "file in front of it", before_now(p), "file ");
    put_word(p, "file");
    return true;
}

/* window 10s, sample 10s */
static bool word_missing(Parser *p, const int *kind)
{
    if (*kind != T_DUR) return false;
    if (p->prev_kind == T_WINDOW) {
        Diagnostic *d =
            found(p, DIAG_P037, p->now.span, "a window says its kind first: tumble, hop ...");
        diag_fix(p->diags, d, "tumble in front of it", before_now(p), "tumble ");
        put_word(p, "tumble");
        return true;
    }
    if (p->prev_kind != T_SAMPLE) return false;
    Diagnostic *d = found(p, DIAG_P042, p->now.span, "`sample` is followed by `every`");
    diag_fix(p->diags, d, "every in front of it", before_now(p), "every ");
    put_word(p, "every");
    return true;
}

/* throttle 5/s */
static bool per_second(Parser *p, int *kind)
{
    static const char *const units[] = {"s", "sec", "second", "m", "min", "minute", "h", "hour"};
    int next;
    ParseToken unit = parse__peek(p, 1, &next);
    if (*kind != T_SLASH || p->prev_kind != T_NUM || p->stage_kind != T_THROTTLE) return false;
    for (size_t i = 0; next == T_ID && i < COUNT_OF(units); i++) {
        if (!str_is(unit.text, units[i])) continue;
        Diagnostic *d = found(p, DIAG_P042, span_join(p->now.span, unit.span),
                              "the span stands behind `per`, with its number");
        diag_fix_str(p->diags, d, STR_NONE, span_join(p->now.span, unit.span),
                     arena_printf(p->arena, " per 1%c", units[i][0]));
        *kind = T_BAD;
        return true;
    }
    return false;
}

/* window ... { count() } */
static bool name_missing(Parser *p, int *kind)
{
    bool call = *kind == T_LPAREN && p->prev_kind == T_ID &&
                (p->stage_kind == T_WINDOW || p->stage_kind == T_LET);
    if (!call || parse__accepts(p, T_LPAREN) || !parse__accepts(p, T_ASSIGN)) return false;
    Span before = {p->prev.span.file, p->prev.span.start, p->prev.span.start};
    Diagnostic *d = found(p, DIAG_P072, p->prev.span, "every value has a name of its own here");
    diag_fix_str(p->diags, d, STR_NONE, before,
                 arena_printf(p->arena, "%.*s = ", STR_ARG(p->prev.text)));
    *kind = T_BAD;
    return true;
}

/* let a.b = 1 */
static bool part_of_field(Parser *p, int *kind)
{
    if (*kind != T_DOT || p->prev_kind != T_ID || p->stage_kind != T_LET) return false;
    if (parse__accepts(p, T_DOT) || !parse__accepts(p, T_ASSIGN)) return false;
    Diagnostic *d = found(p, DIAG_P073, span_join(p->prev.span, p->now.span),
                          "`let` sets whole fields: write the record anew, with what it had");
    Str hint = arena_printf(p->arena, "%.*s = { ...%.*s, %.*s: value }", STR_ARG(p->prev.text),
                            STR_ARG(p->prev.text), STR_ARG(parse__peek(p, 1, NULL).text));
    if (hint.ptr) diag_hint(p->diags, d, hint.ptr);
    *kind = T_BAD;
    return true;
}

/* name.startsWith("a") */
static bool method(Parser *p, int *kind)
{
    static const struct {
        const char *name, *ours;
    } known[] = {{"startsWith", "x starts_with \"a\""},
                 {"startswith", "x starts_with \"a\""},
                 {"endsWith", "x ends_with \"a\""},
                 {"endswith", "x ends_with \"a\""},
                 {"includes", "x contains \"a\""},
                 {"contains", "x contains \"a\""},
                 {"length", "len(x)"},
                 {"toUpperCase", "upper(x)"},
                 {"toLowerCase", "lower(x)"},
                 {"toString", "\"{x}\""}};
    const char *text = p->source->text.ptr;
    uint32_t at = p->prev.span.start;
    if (*kind != T_LPAREN || p->prev_kind != T_ID || at == 0 || text[at - 1] != '.') return false;
    if (parse__accepts(p, T_LPAREN)) return false;
    Diagnostic *d =
        found(p, DIAG_P074, p->prev.span, "a function stands in front of its values: f(x)");
    const char *ours = NULL;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_is(p->prev.text, known[i].name)) ours = known[i].ours;
    diag_hint(p->diags, d, ours ? ours : "f(x)");
    *kind = T_BAD;
    return true;
}

/* f"{a}", r"\d" */
static bool letter(Parser *p, int *kind)
{
    bool text = *kind == T_STR || *kind == T_STR_HEAD;
    if (!text || p->prev_kind != T_ID || p->prev.text.len != 1 ||
        p->prev.span.end != p->now.span.start || parse__accepts(p, *kind))
        return false;
    bool raw = p->prev.text.ptr[0] == 'r';
    Diagnostic *d = found(p, DIAG_P075, p->prev.span,
                          raw ? "a text without values in it is written raw \"...\""
                              : "every text takes values in braces: no letter stands before it");
    diag_fix(p->diags, d, raw ? "raw" : "the text without it", p->prev.span, raw ? "raw " : "");
    *kind = T_BAD;
    return true;
}

/* from mqtt plant/+/press */
static bool bare_address(Parser *p, int *kind)
{
    bool side = p->stage_kind == T_FROM || p->stage_kind == T_INTO || p->stage_kind == T_ON;
    if (*kind != T_SLASH || p->prev_kind != T_ID || !side || parse__accepts(p, T_SLASH))
        return false;
    Str all = p->source->text;
    Span word = p->prev.span;
    while (word.end < all.len && !isspace((unsigned char)all.ptr[word.end])) word.end++;
    Diagnostic *d = found(p, DIAG_P076, word, "an address is a text");
    diag_fix_str(p->diags, d, STR_NONE, word,
                 arena_printf(p->arena, "\"%.*s\"", STR_ARG(source_text(p->source, word))));
    *kind = T_BAD;
    return true;
}

/* where a > 1 -> into ... */
static bool thin_arrow(Parser *p, int *kind)
{
    if (*kind != T_ARROW || parse__accepts(p, T_ARROW) || !parse__accepts(p, T_FAT)) return false;
    Diagnostic *d = found(p, DIAG_P042, p->now.span, "an arm goes on behind `=>`");
    diag_fix(p->diags, d, NULL, p->now.span, "=>");
    *kind = T_FAT;
    return true;
}

bool parse__other(Parser *p, int *kind)
{
    if (parse__fits(p, *kind)) return false;
    return kind_missing(p, kind) || word_missing(p, kind) || per_second(p, kind) ||
           name_missing(p, kind) || part_of_field(p, kind) || method(p, kind) || letter(p, kind) ||
           bare_address(p, kind) || thin_arrow(p, kind);
}
