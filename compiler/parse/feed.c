/* compiler/parse/feed.c: hands the tokens to the grammar, one by one, and keeps order.
 *
 * What an LALR(1) grammar cannot know is decided here: whether a word is a keyword at this place,
 * whether a bracket was forgotten (a stage keyword leads a line inside parentheses, a declaration
 * starts in column 1 inside a pipeline), and where to go on after an error. The grammar is asked
 * before every token whether it fits; so every report is made here, with both neighbours known.
 *
 * After an error the grammar is given BAD, which makes it drop the broken stage (or item). Then
 * tokens are skipped, brackets counted, until a keyword that leads a stage or closes the pipeline.
 */
#include "compiler/parse/parser.h"

#include "base/mem.h"
#include "parse/grammar.h"

void *GrammarAlloc(void *(*alloc)(size_t), Parser *p);
void GrammarFree(void *grammar, void (*release)(void *));
void Grammar(void *grammar, int kind, ParseToken token, Parser *p);

static void move(Parser *p, int kind, ParseToken token)
{
    p->answers->move++;
    Grammar(p->grammar, kind, token, p);
}

/* ---- looking around ---------------------------------------------------------------------- */

ParseToken parse__peek(const Parser *p, uint32_t ahead, int *ret_kind)
{
    uint32_t at = p->at + ahead < p->token_count ? p->at + ahead : p->token_count - 1;
    const LexToken *lex = &p->tokens[at];
    Span span = {p->source->id, lex->start, lex->end};
    if (ret_kind) *ret_kind = lex->kind;
    return (ParseToken){source_text(p->source, span), span, at};
}

int parse__peek_kind(const Parser *p, uint32_t ahead)
{
    uint32_t at = p->at + ahead < p->token_count ? p->at + ahead : p->token_count - 1;
    return p->tokens[at].kind;
}

bool parse__peek_first(const Parser *p, uint32_t ahead)
{
    uint32_t at = p->at + ahead < p->token_count ? p->at + ahead : p->token_count - 1;
    return p->tokens[at].first;
}

static bool peek_word(const Parser *p, uint32_t ahead, const char *word)
{
    int kind;
    ParseToken token = parse__peek(p, ahead, &kind);
    return kind == T_ID && str_is(token.text, word);
}

bool parse__ends_operand(int kind)
{
    switch (kind) {
    case T_ID:
    case T_NUM:
    case T_DUR:
    case T_SIZE:
    case T_PCT:
    case T_INSTANT:
    case T_STR:
    case T_STR_TAIL:
    case T_RPAREN:
    case T_RBRACKET:
    case T_RBRACE:
    case T_TRUE:
    case T_FALSE:
    case T_NULL:
    case T_EXISTS: return true;
    default: return parse__falls_back(kind);
    }
}

bool parse__starts_operand(int kind)
{
    switch (kind) {
    case T_ID:
    case T_NUM:
    case T_DUR:
    case T_SIZE:
    case T_PCT:
    case T_INSTANT:
    case T_STR:
    case T_STR_HEAD:
    case T_LBRACE: return true;
    default: return false;
    }
}

bool parse__fits(const Parser *p, int kind)
{
    if (parse__accepts(p, kind)) return true;
    return parse__falls_back(kind) && parse__accepts(p, T_ID);
}

static const Block *top_block(const Parser *p)
{
    return p->block_count ? &p->blocks[p->block_count - 1] : NULL;
}

static bool in_split(const Parser *p)
{
    return p->block_count >= 2 && top_block(p)->kind == BLOCK_STAGES;
}

/* `where x > 1 =>`: true when `=>` comes before the stage can end. Looks no further than the next
 * word that must lead a stage, so the whole file stays linear. */
static bool leads_arm(const Parser *p)
{
    int depth = 0, before = T_WHERE;
    for (uint32_t ahead = 1;; ahead++) {
        int kind = parse__peek_kind(p, ahead);
        if (kind == 0) return false;
        if (kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE || kind == T_STR_HEAD)
            depth++;
        if (kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE || kind == T_STR_TAIL) {
            if (--depth < 0) return false;
        }
        if (depth == 0 && (kind == T_FAT || kind == T_ARROW)) return true; /* others.c says it */
        if (depth == 0 && kind == T_ID && parse__ends_operand(before)) {
            const Keyword *k = parse__keyword_at(p, p->at + ahead);
            if (k && k->word_class == WORD_STAGE) return false;
            if (k && k->word_class == WORD_OPERATOR) kind = k->kind;
        }
        before = kind;
    }
}

/* ---- which word is a keyword here -------------------------------------------------------- */

bool parse__is_format(Str word)
{
    static const char *const formats[] = {"json",    "csv",  "text",      "raw",
                                          "msgpack", "cbor", "sparkplug", "protobuf"};
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (str_is(word, formats[i])) return true;
    }
    return false;
}

static int soft_word(const Parser *p, Str word)
{
    int next = parse__peek_kind(p, 1);
    if (str_is(word, "within") && (next == T_DUR || next == T_PCT || next == T_NUM))
        return T_WITHIN;
    if (str_is(word, "stop") && peek_word(p, 1, "above")) return T_STOP;
    if (str_is(word, "reset") && peek_word(p, 1, "at")) return T_RESET;
    if (str_is(word, "error") && p->prev_kind == T_ELSE && next == T_ID) return T_ERROR;
    if (p->prev_kind == T_AS && parse__is_format(word)) return T_FORMAT;
    return T_ID;
}

static int operator_word(const Parser *p, const Keyword *keyword)
{
    bool after = parse__ends_operand(p->prev_kind);
    switch (keyword->kind) {
    case T_DIV:
    case T_CONTAINS:
    case T_MATCHES:
    case T_EXISTS:
    case T_BECOMES:
    case T_STARTS_WITH:
    case T_ENDS_WITH: return after ? keyword->kind : T_ID;
    case T_IN: {
        int next = parse__peek_kind(p, 1); /* [in] is the inch */
        bool unit = p->prev_kind == T_LBRACKET && (next == T_RBRACKET || next == T_SLASH);
        return unit ? T_ID : T_IN;
    }
    case T_ELSE: {
        int next = parse__peek_kind(p, 1);
        return next == T_FAT || next == T_ARROW ? T_ELSE_ARM : T_ELSE;
    }
    default: return keyword->kind;
    }
}

static int stage_word(const Parser *p, const Keyword *keyword)
{
    int kind = keyword->kind;
    bool before_is_unknown = p->prev_kind == T_ID && str_is(p->prev.text, "unknown");
    if (kind == T_KEEP && before_is_unknown && !p->now_lex.first) return T_ID; /* the option */
    if (kind == T_SAMPLE && !p->now_lex.first && !peek_word(p, 1, "every")) return T_ID;
    if ((kind == T_DELAY || kind == T_PRIORITY) && !p->now_lex.first) {
        bool leads = top_block(p) && top_block(p)->kind == BLOCK_STAGES &&
                     parse__ends_operand(p->prev_kind) && parse__accepts(p, kind);
        if (!leads) return T_ID;
    }
    if (in_split(p) && (kind == T_WHERE || kind == T_EACH || kind == T_KEEP) && leads_arm(p)) {
        return kind == T_WHERE ? T_ARM_WHERE : kind == T_EACH ? T_ARM_EACH : T_ARM_KEEP;
    }
    return kind;
}

static int classify(const Parser *p)
{
    if (p->now_lex.kind != T_ID || p->now_lex.problem == LEX_BACK_QUOTES) return p->now_lex.kind;
    int next = parse__peek_kind(p, 1);
    if (p->prev_kind == T_DOT) return T_ID;
    if (next == T_COLON && !(p->item_kind == T_TABLE && p->block_count == 0)) return T_LABEL;
    const Keyword *keyword = parse__keyword_at(p, p->now.index);
    if (!keyword || next == T_ASSIGN) return soft_word(p, p->now.text);
    switch (keyword->word_class) {
    case WORD_OPERATOR: return operator_word(p, keyword);
    case WORD_STAGE: return stage_word(p, keyword);
    default: return keyword->kind;
    }
}

/* ---- brackets ---------------------------------------------------------------------------- */

static int closer_of(int opener)
{
    switch (opener) {
    case T_LPAREN: return T_RPAREN;
    case T_LBRACKET: return T_RBRACKET;
    case T_STR_HEAD: return T_STR_TAIL;
    default: return T_RBRACE;
    }
}

static bool is_opener(int kind)
{
    return kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE || kind == T_STR_HEAD;
}

static bool is_closer(int kind)
{
    return kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE || kind == T_STR_TAIL;
}

static uint16_t block_kind(const Parser *p, int opener)
{
    if (opener != T_LBRACE) return BLOCK_OTHER;
    if (p->prev_kind == T_ENUM) return BLOCK_ENUM;
    if (p->block_count == 0 && p->item_kind == T_PIPELINE) return BLOCK_STAGES;
    if (p->block_count == 0 && p->item_kind == T_TEST) return BLOCK_STEPS;
    if (p->stage_kind == T_SPLIT && top_block(p) && top_block(p)->kind == BLOCK_STAGES &&
        (p->prev_kind == T_SPLIT || str_is(p->prev.text, "all"))) {
        return BLOCK_STAGES;
    }
    return BLOCK_OTHER;
}

static void open_block(Parser *p, int kind)
{
    if (p->block_count >= PARSE_NESTING_MAX) {
        (void)diag_error(p->diags, DIAG_P004, p->now.span,
                         "brackets are nested more than %d levels deep", PARSE_NESTING_MAX);
        p->stop = true;
        return;
    }
    uint16_t block = p->recovering ? BLOCK_OTHER : block_kind(p, kind);
    p->blocks[p->block_count++] = (Block){block, (uint16_t)kind, parse__height(p), p->now.span};
}

static void close_block(Parser *p)
{
    p->block_count--;
    if (p->block_count == 0) {
        diag_stage_end(p->diags);
        p->stage_kind = 0;
    } else if (top_block(p)->kind == BLOCK_STAGES &&
               p->blocks[p->block_count].kind == BLOCK_STAGES) {
        p->stage_kind = 0; /* a split is over */
    }
}

static const char *bracket_text(int kind)
{
    switch (kind) {
    case T_LPAREN: return "(";
    case T_RPAREN: return ")";
    case T_LBRACKET: return "[";
    case T_RBRACKET: return "]";
    case T_LBRACE: return "{";
    default: return "}";
    }
}

/* On one line the whole open group is shown; else the word behind which the bracket is missing,
 * because the group may be a page long. */
static Diagnostic *never_closed(Parser *p, const Block *block, bool same_line, const char *why)
{
    const char *opener = bracket_text(block->opener);
    if (same_line) {
        Diagnostic *d = diag_error(p->diags, DIAG_P006, span_join(block->span, p->prev.span),
                                   "this `%s` is never closed", opener);
        diag_note(p->diags, d, p->now.span, "%s, and the `%s` is still open", why, opener);
        return d;
    }
    Diagnostic *d = diag_error(p->diags, DIAG_P006, p->prev.span, "`%s` is missing behind this",
                               bracket_text(closer_of(block->opener)));
    diag_note(p->diags, d, block->span, "this `%s` is still open", opener);
    diag_note(p->diags, d, p->now.span, "%s", why);
    return d;
}

/* Reports the innermost open bracket and gives the grammar its end, if that fits. */
static void close_missing(Parser *p, const char *why)
{
    const Block block = *top_block(p);
    int closer = closer_of(block.opener);
    uint32_t line = source_place(p->source, block.span.start).line;
    Span after = {p->prev.span.file, p->prev.span.end, p->prev.span.end};
    bool same_line = source_place(p->source, p->prev.span.end).line == line;
    Diagnostic *d = never_closed(p, &block, same_line, why);
    diag_fix(p->diags, d, bracket_text(closer), after,
             block.opener != T_LBRACE ? bracket_text(closer)
             : same_line              ? " }"
                                      : "\n}");
    p->broken = p->item_broken = true;
    ParseToken token = {STR(""), after, p->prev.index};
    if (parse__accepts(p, closer)) {
        move(p, closer, token);
        p->prev_kind = closer;
        close_block(p);
        return;
    }
    /* The piece inside is not finished either: drop the stage, and keep those before it. */
    p->keep_blocks = 0;
    uint32_t height = parse__error_height(p);
    while (p->keep_blocks < p->block_count && p->blocks[p->keep_blocks].height < height) {
        p->keep_blocks++;
    }
    move(p, T_BAD, p->now);
    if (p->keep_blocks == p->block_count && parse__accepts(p, closer)) {
        move(p, closer, token);
        p->prev_kind = closer;
    }
    p->block_count = p->keep_blocks < p->block_count ? p->keep_blocks : p->block_count - 1;
}

/* ---- feeding and recovering -------------------------------------------------------------- */

static bool leads_stage(const Parser *p, int kind)
{
    if (kind == T_ARM_WHERE || kind == T_ARM_EACH || kind == T_ARM_KEEP) return true;
    if (kind == T_ELSE_ARM) return in_split(p);
    const Keyword *keyword = parse__keyword_of_kind(kind);
    return keyword && keyword->word_class == WORD_STAGE;
}

static bool leads_item(int kind)
{
    const Keyword *keyword = parse__keyword_of_kind(kind);
    return keyword && keyword->word_class == WORD_ITEM;
}

static bool leads_step(int kind)
{
    return kind == T_IN || kind == T_CLOCK || kind == T_EXPECT;
}

/* A declaration that starts in column 1: believed even inside brackets. */
static bool surely_item(const Parser *p, int kind)
{
    uint32_t start = p->now.span.start;
    if (!leads_item(kind) || !p->now_lex.first) return false;
    if (start > 0 && p->source->text.ptr[start - 1] != '\n') return false;
    int next = parse__peek_kind(p, 1);
    return next == T_ID || ((kind == T_USE || kind == T_EXTERN) && next == T_STR);
}

/* A stage keyword at the start of a line with an operand behind it: no expression goes on so. */
static bool surely_stage(const Parser *p, int kind)
{
    if (!p->now_lex.first || !leads_stage(p, kind)) return false;
    if (kind == T_LET || kind == T_ASK)
        return parse__peek_kind(p, 2) == T_ASSIGN || parse__peek_kind(p, 1) == T_ID;
    if (!parse__starts_operand(parse__peek_kind(p, 1))) return false;
    int after = parse__peek_kind(p, 2);
    if ((after == T_ASSIGN && kind != T_WHERE) || after == T_COLON) return false;
    const Keyword *keyword =
        parse__peek_kind(p, 1) == T_ID ? parse__keyword_at(p, p->at + 1) : NULL;
    if (!keyword || keyword->word_class != WORD_OPERATOR) return true;
    return keyword->kind == T_NOT || keyword->kind == T_IF || keyword->kind == T_BY;
}

void parse__feed(Parser *p, int kind, ParseToken token)
{
    LexRole role = LEX_ROLE_NONE;
    if (p->block_count == 0 && leads_item(kind) && parse__accepts(p, T_PIPELINE)) {
        p->item_kind = kind;
        p->item_word = token;
        p->stage_kind = 0;
        role = LEX_ROLE_ITEM;
    } else if (top_block(p) && top_block(p)->kind == BLOCK_STAGES && leads_stage(p, kind) &&
               parse__accepts(p, kind) &&
               (parse__accepts(p, T_DURABLE) || parse__accepts(p, T_ELSE_ARM))) {
        p->stage_kind = kind;
        p->stage_word = token;
        role = parse__keyword_of_kind(kind) ? LEX_ROLE_STAGE : LEX_ROLE_ARM;
    } else if (top_block(p) && top_block(p)->kind == BLOCK_STEPS && leads_step(kind) &&
               parse__accepts(p, T_CLOCK)) {
        p->stage_kind = kind;
        p->stage_word = token;
        role = LEX_ROLE_STEP;
    }
    if (!parse__accepts(p, kind) && parse__falls_back(kind)) kind = T_ID;
    if (is_opener(kind)) open_block(p, kind);
    if (p->stop) return;
    if (token.text.len) {
        p->all[p->origin[token.index]].kind = (uint16_t)kind;
        p->all[p->origin[token.index]].role = (uint8_t)role;
    }
    move(p, kind, token);
    if (is_closer(kind) && p->block_count) close_block(p);
    /* Only now: what the grammar finished before this token belonged to the stage before, and the
     * item before was finished with its own faults. */
    if (role != LEX_ROLE_NONE) diag_stage_begin(p->diags, token.span);
    if (role == LEX_ROLE_ITEM) {
        p->item_broken = false;
        p->item_errors = p->diags->error_count;
    }
    p->prev = token;
    p->prev_kind = kind;
}

/* The grammar drops what it was working on; tokens are skipped from the current one on. */
static void recover(Parser *p)
{
    uint32_t height = parse__error_height(p), keep = 0;
    while (keep < p->block_count && p->blocks[keep].height < height) keep++;
    p->keep_blocks = keep;
    p->recovering = true;
    p->broken = p->item_broken = true;
    move(p, T_BAD, p->now);
}

/* While recovering: true when parsing goes on with the current token. */
static bool safe_place(Parser *p, int kind)
{
    if (kind == 0) return true;
    if (surely_item(p, kind)) {
        p->block_count = p->keep_blocks;
        return true;
    }
    if (surely_stage(p, kind) && p->keep_blocks) {
        bool round_only = true;
        for (uint32_t i = p->keep_blocks; i < p->block_count; i++) {
            round_only = round_only && p->blocks[i].opener != T_LBRACE;
        }
        if (round_only) p->block_count = p->keep_blocks;
    }
    if (p->block_count > p->keep_blocks) return false;
    if (p->block_count == 0) {
        return leads_item(kind) && (p->now_lex.first || p->prev_kind == T_RBRACE);
    }
    if (kind == T_RBRACE) return true;
    if (top_block(p)->kind == BLOCK_STEPS) return leads_step(kind) && p->now_lex.first;
    if (leads_stage(p, kind)) return parse__ends_operand(p->prev_kind) || p->now_lex.first;
    return false;
}

static void skip(Parser *p, int kind)
{
    if (is_opener(kind)) {
        open_block(p, kind);
    } else if (is_closer(kind) && p->block_count > p->keep_blocks) {
        /* A wrong closer closes too: counting on is better than losing the rest. */
        p->block_count--;
    }
    p->prev = p->now;
    p->prev_kind = kind;
}

/* Ends what is still open, without a word. */
static void close_rest(Parser *p)
{
    for (; p->block_count; p->block_count--) {
        int closer = closer_of(top_block(p)->opener);
        /* What is half written is given up first, so that all before it is kept. */
        if (!parse__accepts(p, closer)) move(p, T_BAD, p->prev);
        if (parse__accepts(p, closer)) move(p, closer, p->prev);
    }
}

/* `name =` inside round or square brackets, behind a whole value: the next one of a `let`. */
static bool leads_value(const Parser *p, int kind)
{
    const Block *block = top_block(p);
    bool round = block && (block->opener == T_LPAREN || block->opener == T_LBRACKET);
    bool lets = p->stage_kind == T_LET || p->stage_kind == T_WINDOW;
    return round && lets && kind == T_ID && parse__peek_kind(p, 1) == T_ASSIGN &&
           p->prev_kind != T_COMMA && parse__accepts(p, closer_of(block->opener));
}

/* A step of a test at the start of a line, inside the record of the step before. */
static bool surely_step(const Parser *p, int kind)
{
    int next = parse__peek_kind(p, 1);
    if (p->item_kind != T_TEST || p->block_count < 2 || !p->now_lex.first) return false;
    if (kind == T_CLOCK) return next == T_INSTANT;
    return (kind == T_IN || kind == T_EXPECT) &&
           (next == T_LBRACE || next == T_ID || next == T_STR);
}

/* Brackets that must have been forgotten before this token. */
static void close_forgotten(Parser *p, int kind)
{
    while (leads_value(p, kind) && !p->stop) close_missing(p, "the next value starts here");
    while (p->block_count > 1 && surely_step(p, kind) && !p->stop) {
        close_missing(p, "the next step starts here");
    }
    while (p->block_count && surely_item(p, kind) && !p->stop) {
        close_missing(p, "a new declaration starts here");
    }
    while (p->block_count > 1 && top_block(p)->kind == BLOCK_OTHER && p->item_kind == T_PIPELINE &&
           surely_stage(p, kind) &&
           !(p->prev_kind == T_LBRACE && parse__peek_kind(p, 1) == T_ID &&
             parse__peek_kind(p, 2) == T_COLON)) {
        close_missing(p, "the next stage starts here");
    }
    while (is_closer(kind) && p->block_count > 1 && closer_of(top_block(p)->opener) != kind) {
        bool deeper = false;
        for (uint32_t i = 0; i < p->block_count; i++) {
            deeper = deeper || closer_of(p->blocks[i].opener) == kind;
        }
        if (!deeper || top_block(p)->kind != BLOCK_OTHER) return;
        close_missing(p, "this closes an outer bracket");
    }
    if (kind == 0 && p->block_count && !p->stop) {
        close_missing(p, "the text ends here");
        close_rest(p); /* one report is enough; the outer ones end with it */
    }
}

/* Inside parentheses and square brackets a line end stands for a comma where one fits. */
static void comma_at_line_end(Parser *p, int kind)
{
    const Block *block = top_block(p);
    if (!block || !p->now_lex.first || block->opener == T_LBRACE ||
        !parse__ends_operand(p->prev_kind))
        return;
    if (parse__fits(p, kind) || !parse__accepts(p, T_COMMA)) return;
    if (!parse__starts_operand(p->now_lex.kind) && kind != T_WITHIN && kind != T_WHERE) return;
    ParseToken comma = {STR(""), {p->prev.span.file, p->prev.span.end, p->prev.span.end}, p->at};
    move(p, T_COMMA, comma);
    p->prev_kind = T_COMMA;
}

/* A keyword that surely leads something new, where the grammar would take it for a name. */
static bool steals(const Parser *p, int kind)
{
    if (parse__accepts(p, kind)) return false;
    if (surely_item(p, kind)) return true;
    return surely_stage(p, kind) && top_block(p) && top_block(p)->kind == BLOCK_STAGES &&
           p->prev_kind != T_BY && p->prev_kind != T_COMMA;
}

/* The token fits behind the round or square bracket that is open. */
static bool fits_outside(const Parser *p, int kind)
{
    const Block *block = top_block(p);
    if (!block || (block->opener != T_LPAREN && block->opener != T_LBRACKET)) return false;
    if (is_closer(kind) || kind == T_COMMA || kind == 0 || !parse__ends_operand(p->prev_kind))
        return false;
    return parse__accepts_both(p, closer_of(block->opener), kind);
}

static void step(Parser *p)
{
    p->now_lex = p->tokens[p->at];
    p->now = parse__peek(p, 0, NULL);
    int kind = p->turned == (int32_t)p->at ? p->turned_kind : classify(p);
    if (p->recovering) {
        if (!safe_place(p, kind)) {
            skip(p, kind);
            p->at++;
            return;
        }
        p->recovering = false;
        if (kind == 0 && p->block_count > p->keep_blocks) close_rest(p); /* reported before */
        kind = classify(p); /* its block is known now */
    }
    close_forgotten(p, kind);
    if (p->stop || p->failed) return;
    comma_at_line_end(p, kind);
    if (parse__problem(p, &kind) || parse__other(p, &kind) || parse__slip(p, &kind) ||
        parse__lost(p, &kind)) {
        if (kind == 0) {
            p->at++;
            return;
        }
    }
    bool stolen = steals(p, kind);
    if (parse__fits(p, kind) && !stolen) {
        parse__feed(p, kind, p->now);
        p->at++;
        return;
    }
    if (!stolen && fits_outside(p, kind)) {
        close_missing(p, "this stands outside of it");
        return;
    }
    bool again = p->stuck_at == p->at + 1;
    p->stuck_at = p->at + 1;
    if (!again) parse__syntax_error(p, kind);
    recover(p);
    if (kind == 0) {
        close_rest(p);
        if (parse__accepts(p, 0)) move(p, 0, p->now);
        p->at++;
    } else if (again) {
        skip(p, kind);
        p->at++;
    }
}

/* ---- the whole file ---------------------------------------------------------------------- */

enum { SLASH_REPORTS_MAX = 3 };

static void *grammar_alloc(size_t bytes)
{
    return mem_alloc(bytes);
}

/* The tokens without comments; comments of other languages are reported on the way. */
static Status strip_comments(Parser *p, LexToken *all, uint32_t count)
{
    LexToken *tokens = arena_many(p->arena, LexToken, count);
    uint32_t *origin = arena_many(p->arena, uint32_t, count);
    if (!tokens || !origin) return ST_NO_MEMORY;
    bool first = false;
    uint32_t slashes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].kind != T_COMMENT) {
            origin[p->token_count] = i;
            tokens[p->token_count] = all[i];
            tokens[p->token_count++].first |= first;
            first = false;
            continue;
        }
        first |= all[i].first;
        if (all[i].problem != LEX_SLASH_COMMENT || ++slashes > SLASH_REPORTS_MAX) continue;
        Span span = {p->source->id, all[i].start, all[i].end};
        Str text = source_text(p->source, span);
        Diagnostic *d =
            diag_error(p->diags, DIAG_P015, (Span){span.file, span.start, span.start + 2},
                       "a comment starts with `#`");
        if (text.ptr[1] == '/') {
            diag_fix(p->diags, d, "# ...", (Span){span.file, span.start, span.start + 2}, "#");
        }
        p->broken = true;
    }
    p->tokens = tokens;
    p->origin = origin;
    p->all = all;
    Status status = parse__join_aliases(p, tokens, origin);
    return status ? status : parse__find_keywords(p);
}

static Status parse_tokens(Parser *p)
{
    p->grammar = GrammarAlloc(grammar_alloc, p);
    if (!p->grammar) return ST_NO_MEMORY;
    while (!p->stop && !p->failed) {
        bool end = p->tokens[p->at].kind == 0;
        uint32_t at = p->at;
        step(p);
        if (end && p->at != at) break;
    }
    diag_stage_end(p->diags);
    GrammarFree(p->grammar, mem_free);
    return p->failed;
}

Status parse_source(Arena *arena, const Source *source, DiagList *diags, AstFile **ret_file)
{
    LexToken *tokens;
    uint32_t count;
    AstFile *file = arena_one(arena, AstFile);
    if (!file) return ST_NO_MEMORY;
    file->source = source;

    Status st = lex_source(arena, source, PARSE_TOKENS_MAX, &tokens, &count);
    if (st == ST_LIMIT) {
        (void)diag_error(diags, DIAG_P003, (Span){source->id, 0, 0},
                         "the file has more than %d words, or braces in texts nested too deeply",
                         PARSE_TOKENS_MAX);
        file->broken = true;
        *ret_file = file;
        return ST_OK;
    }
    if (st) return st;

    Parser *p = mem_zalloc(1, sizeof *p);
    ParseAnswers *answers = arena_one(arena, ParseAnswers);
    if (!p || !answers) {
        mem_free(p);
        return ST_NO_MEMORY;
    }
    p->answers = answers;
    p->arena = arena;
    p->source = source;
    p->diags = diags;
    p->turned = -1;
    diag_stage_end(diags);
    uint32_t errors = diags->error_count;
    st = strip_comments(p, tokens, count);
    if (!st) st = parse_tokens(p);
    if (!st) {
        file->items = p->stop ? NULL : p->items.first;
        file->broken = p->broken || p->stop || diags->error_count != errors;
        file->tokens = tokens;
        file->token_count = count;
        *ret_file = file;
    }
    mem_free(p);
    return st;
}
