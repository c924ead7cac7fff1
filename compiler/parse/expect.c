/* compiler/parse/expect.c: a token that does not fit: what to say about it.
 *
 * Two rules. Never blame a token the user did not write: when the text breaks off (the line or the
 * bracket ends), the last word before it is shown, and what is missing behind it. And no lists of
 * forty tokens: what fits is grouped into words a user knows. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

enum { SET_MAX = 256, TEXT_MAX = 160 };

typedef struct Wanted {
    bool set[SET_MAX];
    bool expression, type, stage, item, step, name;
} Wanted;

static void ask_grammar(const Parser *p, Wanted *wanted)
{
    *wanted = (Wanted){0};
    parse__expected(p, wanted->set);
    const bool *set = wanted->set;
    wanted->expression = set[T_NUM] && set[T_LPAREN] && set[T_IF];
    wanted->type = set[T_ENUM] && set[T_TAG];
    wanted->stage = set[T_DURABLE];
    wanted->item = set[T_PIPELINE];
    wanted->step = set[T_CLOCK];
    wanted->name = set[T_ID] && !wanted->expression && !wanted->type;
}

static const struct {
    int kind;
    const char *text;
} plain[] = {
    {T_RPAREN, "`)`"},      {T_RBRACKET, "`]`"},
    {T_RBRACE, "`}`"},      {T_LBRACE, "`{`"},
    {T_LPAREN, "`(`"},      {T_ASSIGN, "`=`"},
    {T_FAT, "`=>`"},        {T_ARROW, "`->`"},
    {T_COLON, "`:`"},       {T_SEMI, "`;`"},
    {T_DOTDOT, "`..`"},     {T_COMMA, "`,`"},
    {T_THEN, "`then`"},     {T_ELSE, "`else`"},
    {T_BY, "`by`"},         {T_WITHIN, "`within`"},
    {T_AS, "`as`"},         {T_ON, "`on`"},
    {T_FROM, "`from`"},     {T_FN, "`fn`"},
    {T_EXPECT, "`expect`"}, {T_LABEL, "a name with `:`"},
    {T_IN, "`in`"},
};

static void add_text(char *out, size_t *len, const char *text)
{
    for (; *text && *len + 1 < TEXT_MAX; text++) out[(*len)++] = *text;
    out[*len] = '\0';
}

static void add_word(char *out, size_t *len, const char *word)
{
    if (*len) add_text(out, len, ", ");
    add_text(out, len, word);
}

/* "an expression", "a name, `=`", ... ; empty when there is nothing short to say. */
static void describe(const Parser *p, const Wanted *wanted, char *out)
{
    size_t len = 0;
    out[0] = '\0';
    if (wanted->expression) add_word(out, &len, "an expression");
    if (wanted->type) add_word(out, &len, "a type");
    if (wanted->name && !wanted->stage) add_word(out, &len, "a name");
    if (!wanted->expression) {
        if (wanted->set[T_STR] && !wanted->type) add_word(out, &len, "a text");
        if (wanted->set[T_DUR])
            add_word(out, &len, "a duration such as 10s");
        else if (wanted->set[T_NUM] && !wanted->stage)
            add_word(out, &len, "a number");
        if (wanted->set[T_SIZE] && !wanted->set[T_DUR]) add_word(out, &len, "a size such as 64KiB");
        if (wanted->set[T_PCT] && !wanted->set[T_DUR]) add_word(out, &len, "a share such as 5%");
    }
    bool leads = wanted->stage || wanted->item || wanted->step;
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        int kind = plain[i].kind;
        if (!wanted->set[kind] || (wanted->expression && (kind == T_LPAREN || kind == T_LBRACE)))
            continue;
        if (leads &&
            (kind == T_FROM || kind == T_ON || kind == T_IN || kind == T_EXPECT || kind == T_FN))
            continue;
        if (wanted->set[T_EQ] && kind == T_IN) continue;
        if (wanted->type && kind == T_LBRACE) continue;
        add_word(out, &len, plain[i].text);
    }
    if (wanted->set[T_EQ]) add_word(out, &len, "an operator");
    if (wanted->item) add_word(out, &len, "a declaration such as pipeline, type, test");
    if (wanted->stage) add_word(out, &len, "a stage such as where, let, window, into");
    if (wanted->step) add_word(out, &len, "`in`, `clock` or `expect`");
    (void)p;
}

static Diagnostic *say(Parser *p, DiagCode code, Span span, const char *format, Str a, Str b)
{
    p->broken = p->item_broken = true;
    Str text = arena_printf(p->arena, format, STR_ARG(a), STR_ARG(b));
    return diag_error(p->diags, code, span, "%.*s", STR_ARG(text));
}

static bool at_item(Parser *p, int kind, const Wanted *wanted)
{
    if (!wanted->item || p->block_count) return false;
    const Keyword *keyword = kind == T_ID || kind == T_BAD ? NULL : parse__keyword_of_kind(kind);
    if (keyword && keyword->word_class == WORD_STAGE) {
        Diagnostic *d = say(p, DIAG_P056, p->now.span,
                            "`%.*s` leads a stage, and stages stand inside a pipeline%.*s",
                            p->now.text, STR_NONE);
        diag_note(p->diags, d, (Span){UINT32_MAX, 0, 0}, "pipeline NAME { from ... into ... }");
        return true;
    }
    if (kind == T_RBRACE || kind == T_RPAREN || kind == T_RBRACKET) {
        Diagnostic *d =
            say(p, DIAG_P007, p->now.span, "this `%.*s` closes nothing%.*s", p->now.text, STR_NONE);
        diag_fix(p->diags, d, "the line without it", p->now.span, "");
        return true;
    }
    const char *like =
        kind == T_ID || kind == T_BAD || kind == T_LABEL ? parse__item_like(p->now.text) : NULL;
    Diagnostic *d =
        say(p, DIAG_P002, p->now.span, "`%.*s` leads no declaration%.*s", p->now.text, STR_NONE);
    int name, open;
    ParseToken what = parse__peek(p, 1, &name);
    (void)parse__peek(p, 2, &open);
    if (like && str_is(str_from(like), "type") && name == T_ID && open == T_LBRACE)
        diag_fix_str(p->diags, d, STR_NONE, span_join(p->now.span, what.span),
                     arena_printf(p->arena, "type %.*s =", STR_ARG(what.text)));
    else if (like)
        diag_fix(p->diags, d, NULL, p->now.span, like);
    else
        diag_hint(p->diags, d, "pipeline, type, const, fn, unit, connection, test ...");
    return true;
}

static bool group_by(Parser *p)
{
    int next;
    ParseToken by = parse__peek(p, 1, &next);
    if (!str_is(p->now.text, "group") && !str_is(p->now.text, "GROUP")) return false;
    if (!str_is(by.text, "by") && !str_is(by.text, "BY")) return false;
    Diagnostic *d = say(p, DIAG_P027, span_join(p->now.span, by.span),
                        "keys belong to a window: `window tumble 10s by KEY { ... }`%.*s%.*s",
                        STR_NONE, STR_NONE);
    diag_hint(p->diags, d, "window tumble 10s by KEY { n = count() }");
    return true;
}

static bool at_stage(Parser *p, int kind, const Wanted *wanted)
{
    if (!wanted->stage || (kind != T_ID && kind != T_BAD && kind != T_LABEL)) return false;
    if (!p->now_lex.first && p->prev_kind != T_LBRACE && p->prev_kind != T_FAT &&
        !parse__stage_like(p->now.text)) {
        return false;
    }
    if (p->now_lex.first) diag_stage_begin(p->diags, p->now.span); /* meant as a stage of its own */
    if (group_by(p)) return true;
    const char *like = parse__stage_like(p->now.text);
    Diagnostic *d =
        say(p, DIAG_P008, p->now.span, "`%.*s` leads no stage%.*s", p->now.text, STR_NONE);
    if (like)
        diag_fix(p->diags, d, NULL, p->now.span, like);
    else
        diag_hint(p->diags, d, "from, where, let, keep, window, into, on error ...");
    return true;
}

static bool at_step(Parser *p, int kind, const Wanted *wanted)
{
    if (!wanted->step || kind != T_ID || !p->now_lex.first) return false;
    diag_stage_begin(p->diags, p->now.span);
    Diagnostic *d =
        say(p, DIAG_P001, p->now.span, "`%.*s` leads no step of a test%.*s", p->now.text, STR_NONE);
    diag_hint(p->diags, d, "in { ... }, clock INSTANT, expect KIND { ... }, expect nothing else");
    return true;
}

static Str kind_text(Str text)
{
    return text.len ? text : STR("the end of the text");
}

/* `a <` at the end of a line, `(` before `)`, an operator before a stage. */
static bool breaks_off(Parser *p, int kind, const Wanted *wanted)
{
    bool closer = kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE || kind == T_STR_TAIL;
    bool ends = kind == 0 || p->now_lex.first || closer;
    if (!ends || !p->prev.text.len) return false;
    if (kind == T_STR_TAIL && p->prev_kind == T_STR_HEAD) {
        (void)say(p, DIAG_P011, span_join(p->prev.span, p->now.span),
                  "there is nothing between the braces of this text; a brace itself is \\{%.*s%.*s",
                  STR_NONE, STR_NONE);
        return true;
    }
    char text[TEXT_MAX];
    describe(p, wanted, text);
    if (!text[0]) return false;
    (void)say(p, DIAG_P005, p->prev.span, "something is missing behind `%.*s`: %.*s", p->prev.text,
              str_from(text));
    return true;
}

static bool chained(Parser *p, int kind)
{
    bool comparison = kind == T_LT || kind == T_LE || kind == T_GT || kind == T_GE ||
                      kind == T_EQ || kind == T_NE;
    if (!comparison || !parse__ends_operand(p->prev_kind) || !parse__accepts(p, T_AND))
        return false;
    Diagnostic *d =
        say(p, DIAG_P039, p->now.span, "comparisons do not chain%.*s%.*s", STR_NONE, STR_NONE);
    Str text = arena_printf(p->arena, "and %.*s %.*s", STR_ARG(p->prev.text), STR_ARG(p->now.text));
    diag_fix_str(p->diags, d, STR_NONE, p->now.span, text);
    return true;
}

static bool question(Parser *p, int kind)
{
    if (kind != T_QMARK || !parse__ends_operand(p->prev_kind)) return false;
    Diagnostic *d = say(p, DIAG_P047, p->now.span,
                        "a choice is written `if c then a else b`%.*s%.*s", STR_NONE, STR_NONE);
    diag_hint(p->diags, d, "if c then a else b");
    diag_hint(p->diags, d, "x ?? a for a missing x");
    return true;
}

static bool if_parts(Parser *p, int kind, const Wanted *wanted)
{
    if (p->block_count && wanted->set[T_THEN] &&
        (kind == T_LBRACE || kind == T_LPAREN || kind == T_COLON)) {
        Diagnostic *d =
            say(p, DIAG_P043, p->now.span, "the condition of `if` is followed by `then`%.*s%.*s",
                STR_NONE, STR_NONE);
        diag_hint(p->diags, d, "if c then a else b");
        return true;
    }
    if (wanted->set[T_ELSE] && !wanted->set[T_ERROR] && !wanted->stage) {
        Diagnostic *d = say(p, DIAG_P043, p->prev.span,
                            "`if` and `try` always have an `else`%.*s%.*s", STR_NONE, STR_NONE);
        Span end = {p->prev.span.file, p->prev.span.end, p->prev.span.end};
        diag_fix(p->diags, d, "else null", end, " else null");
        return true;
    }
    return false;
}

static bool wrong_closer(Parser *p, int kind, const Wanted *wanted)
{
    if (kind != T_RPAREN && kind != T_RBRACKET && kind != T_RBRACE) return false;
    if (p->block_count == 0) return false;
    const Block *block = &p->blocks[p->block_count - 1];
    int own = block->opener == T_LPAREN     ? T_RPAREN
              : block->opener == T_LBRACKET ? T_RBRACKET
                                            : T_RBRACE;
    if (own == kind || block->opener == T_STR_HEAD) return false;
    (void)wanted;
    if (block->kind == BLOCK_STAGES || block->kind == BLOCK_STEPS) {
        Diagnostic *d =
            say(p, DIAG_P007, p->now.span, "this `%.*s` closes nothing%.*s", p->now.text, STR_NONE);
        diag_fix(p->diags, d, "the line without it", p->now.span, "");
        return true;
    }
    Diagnostic *d = say(p, DIAG_P007, p->now.span, "this `%.*s` does not fit the open `%.*s`",
                        p->now.text, source_text(p->source, block->span));
    diag_note(p->diags, d, block->span, "opened here");
    diag_fix(p->diags, d, NULL, p->now.span, own == T_RPAREN ? ")" : own == T_RBRACKET ? "]" : "}");
    return true;
}

/* sql-ish: join x = a; `split all`; reply without a code; a stage keyword in the wrong place. */
static bool reply_code(Parser *p, int kind)
{
    if (p->prev_kind != T_REPLY || kind == T_NUM) return false;
    Span end = {p->prev.span.file, p->prev.span.end, p->prev.span.end};
    Diagnostic *d = say(p, DIAG_P051, p->prev.span, "`reply` needs a status code first%.*s%.*s",
                        STR_NONE, STR_NONE);
    diag_fix(p->diags, d, "reply 200", end, " 200");
    return true;
}

void parse__syntax_error(Parser *p, int kind)
{
    Wanted wanted;
    ask_grammar(p, &wanted);
    if (at_item(p, kind, &wanted) || reply_code(p, kind) || wrong_closer(p, kind, &wanted)) return;
    if (at_step(p, kind, &wanted)) return;
    if (at_stage(p, kind, &wanted) || chained(p, kind) || question(p, kind)) return;
    if (if_parts(p, kind, &wanted) || breaks_off(p, kind, &wanted)) return;

    char text[TEXT_MAX];
    describe(p, &wanted, text);
    Diagnostic *d = say(p, DIAG_P001, p->now.span, "`%.*s` does not fit behind `%.*s`",
                        kind_text(p->now.text), p->prev.text);
    if (text[0]) diag_note(p->diags, d, (Span){UINT32_MAX, 0, 0}, "here fits: %s", text);
    size_t len = strlen(text);
    if (len == 3 && text[0] == '`' && text[1] < 'a') { /* one sign and nothing else */
        Span before = {p->now.span.file, p->now.span.start, p->now.span.start};
        Str sign = str_slice(text + 1, len - 2);
        diag_fix_str(p->diags, d, sign, before, arena_printf(p->arena, "%.*s ", STR_ARG(sign)));
    }
}
