/* compiler/lsp/context.c: see context.h. */
#include "compiler/lsp/context.h"

#include "parse/grammar.h"

typedef struct Open { /* a bracket that is open at the place */
    uint32_t at;      /* index of its token */
    uint32_t leader;  /* index of the last stage keyword directly inside; NO_INDEX */
    bool stages, steps;
} Open;

typedef struct Scan {
    const Doc *doc;
    const LexToken *tokens;
    uint32_t count; /* of the tokens before the place */
    uint32_t item;  /* index of the declaration's keyword; NO_INDEX */
    Open opens[CONTEXT_NEST_MAX];
    uint32_t open_count;
    bool overflow;
} Scan;

/* ---- tokens ------------------------------------------------------------------------------- */

static Str text_of(const Scan *s, uint32_t at)
{
    return doc_text(s->doc, s->tokens[at].start, s->tokens[at].end);
}

static bool is_comment(const Scan *s, uint32_t at)
{
    return s->tokens[at].kind == T_COMMENT;
}

/* The token before `at` that is no comment, or NO_INDEX. */
static uint32_t before(const Scan *s, uint32_t at)
{
    while (at-- > 0)
        if (!is_comment(s, at)) return at;
    return NO_INDEX;
}

static bool word_is(const Scan *s, uint32_t at, const char *word)
{
    return at != NO_INDEX && str_is(text_of(s, at), word);
}

static bool is_word(const Scan *s, uint32_t at)
{
    char c = s->doc->source->text.ptr[s->tokens[at].start];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int kind_of(const Scan *s, uint32_t at)
{
    return at == NO_INDEX ? 0 : s->tokens[at].kind;
}

static bool ends_operand(const Scan *s, uint32_t at)
{
    static const char *const operators[] = {
        "and",         "or",        "not",     "in",      "to",  "div",
        "if",          "then",      "else",    "match",   "try", "contains",
        "starts_with", "ends_with", "matches", "becomes", "by",  "where"};
    if (at == NO_INDEX) return false;
    switch (s->tokens[at].kind) {
    case T_NUM:
    case T_DUR:
    case T_SIZE:
    case T_PCT:
    case T_INSTANT:
    case T_STR:
    case T_STR_TAIL:
    case T_RPAREN:
    case T_RBRACKET:
    case T_RBRACE: return true;
    default: break;
    }
    if (!is_word(s, at) || s->tokens[at].role != LEX_ROLE_NONE) return false;
    Str word = text_of(s, at);
    for (size_t i = 0; i < COUNT_OF(operators); i++)
        if (str_is(word, operators[i])) return kind_of(s, before(s, at)) == T_DOT;
    return true;
}

static bool is_item_word(Str word)
{
    for (int i = 0; i < AST_ITEM__COUNT; i++)
        if (str_is(word, ast_item_word((AstItemKind)i))) return true;
    return false;
}

static bool is_stage_word(Str word)
{
    for (int i = 0; i < AST_STAGE__COUNT; i++)
        if (str_is(word, ast_stage_word((AstStageKind)i))) return true;
    return false;
}

/* ---- from the declaration to the place ----------------------------------------------------- */

static bool leads_item(const Scan *s, uint32_t at)
{
    const LexToken *t = &s->tokens[at];
    if (t->role == LEX_ROLE_ITEM) return true;
    bool column_1 = t->start == 0 || s->doc->source->text.ptr[t->start - 1] == '\n';
    return column_1 && is_word(s, at) && is_item_word(text_of(s, at));
}

static bool leads_stage(const Scan *s, uint32_t at)
{
    const LexToken *t = &s->tokens[at];
    if (t->role == LEX_ROLE_STAGE || t->role == LEX_ROLE_ARM) return true;
    if (t->role != LEX_ROLE_NONE || !is_word(s, at)) return false;
    bool after_arrow = kind_of(s, before(s, at)) == T_FAT;
    if (!t->first && !after_arrow) return false;
    int next = s->tokens[at + 1].kind;
    return next != T_ASSIGN && next != T_COLON && is_stage_word(text_of(s, at));
}

static bool leads_step(const Scan *s, uint32_t at)
{
    const LexToken *t = &s->tokens[at];
    if (t->role == LEX_ROLE_STEP) return true;
    Str word = text_of(s, at);
    return t->first && (str_is(word, "in") || str_is(word, "clock") || str_is(word, "expect"));
}

static void open_bracket(Scan *s, uint32_t at)
{
    if (s->open_count == CONTEXT_NEST_MAX) {
        s->overflow = true;
        return;
    }
    Open open = {.at = at, .leader = NO_INDEX};
    bool brace = s->tokens[at].kind == T_LBRACE;
    uint32_t prev = before(s, at);
    if (brace && s->open_count == 0) {
        open.stages = word_is(s, s->item, "pipeline");
        open.steps = word_is(s, s->item, "test");
    } else if (brace && s->opens[s->open_count - 1].stages) {
        uint32_t leader = s->opens[s->open_count - 1].leader;
        open.stages = word_is(s, leader, "split") && (prev == leader || word_is(s, prev, "all"));
    }
    s->opens[s->open_count++] = open;
}

static void scan(Scan *s)
{
    uint32_t at = s->count;
    while (at > 0 && !leads_item(s, at - 1)) at--;
    s->item = at ? at - 1 : NO_INDEX;
    for (; at < s->count && s->item != NO_INDEX; at++) {
        switch (s->tokens[at].kind) {
        case T_LBRACE:
        case T_LPAREN:
        case T_LBRACKET:
        case T_STR_HEAD: open_bracket(s, at); break;
        case T_RBRACE:
        case T_RPAREN:
        case T_RBRACKET:
        case T_STR_TAIL:
            if (s->open_count) s->open_count--;
            break;
        case T_COMMENT: break;
        default: {
            Open *top = s->open_count ? &s->opens[s->open_count - 1] : NULL;
            if (top && top->stages && leads_stage(s, at)) top->leader = at;
            if (top && top->steps && leads_step(s, at)) top->leader = at;
            break;
        }
        }
    }
}

static const Open *top(const Scan *s)
{
    return s->open_count ? &s->opens[s->open_count - 1] : NULL;
}

/* The innermost block of stages or steps around the place. */
static const Open *block(const Scan *s)
{
    for (uint32_t i = s->open_count; i > 0; i--)
        if (s->opens[i - 1].stages || s->opens[i - 1].steps) return &s->opens[i - 1];
    return NULL;
}

/* ---- what fits ---------------------------------------------------------------------------- */

static bool numeric_type(Str word)
{
    static const char *const types[] = {"f64", "f32", "i32", "i64", "u32", "u64", "decimal"};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_is(word, types[i])) return true;
    return false;
}

/* `[` behind a number, `to`, or a numeric type: a unit goes in. */
static bool opens_unit(const Scan *s, uint32_t at)
{
    uint32_t prev = before(s, at);
    if (prev == NO_INDEX) return false;
    if (kind_of(s, prev) == T_RPAREN) { /* decimal(2) [ */
        for (int i = 0; i < 3 && prev != NO_INDEX; i++) prev = before(s, prev);
        return prev != NO_INDEX && word_is(s, prev, "decimal");
    }
    return kind_of(s, prev) == T_NUM || word_is(s, prev, "to") ||
           (is_word(s, prev) && numeric_type(text_of(s, prev)));
}

/* The innermost `{` belongs to a record type: `= {` of a type, behind `as`, or a field inside one.
 */
static bool in_type_braces(const Scan *s)
{
    for (uint32_t i = s->open_count; i > 0; i--) {
        const Open *o = &s->opens[i - 1];
        int kind = s->tokens[o->at].kind;
        uint32_t prev = before(s, o->at);
        if (kind == T_LBRACKET && (word_is(s, prev, "as") || kind_of(s, prev) == T_COLON)) continue;
        if (kind != T_LBRACE || o->stages || o->steps) return false;
        if (word_is(s, s->item, "type") && i == 1) return true;
        if (word_is(s, prev, "as") || kind_of(s, prev) == T_FORMAT) return true;
        if (kind_of(s, prev) == T_LBRACKET) continue;
        if (kind_of(s, prev) != T_COLON) {
            uint32_t older = before(s, prev); /* as json { */
            return word_is(s, older, "as");
        }
    }
    return false;
}

static Place value_place(const Scan *s)
{
    uint32_t prev = before(s, s->count);
    if (kind_of(s, prev) == T_DOT) return PLACE_MEMBER;
    return ends_operand(s, prev) ? PLACE_OPERATOR : PLACE_VALUE;
}

static Place connector_place(const Scan *s, Context *c, uint32_t leader)
{
    uint32_t prev = before(s, s->count);
    bool into =
        !word_is(s, leader, "from") && !word_is(s, leader, "join") && !word_is(s, leader, "ask");
    c->in = !into;
    if (word_is(s, prev, "from")) return PLACE_SOURCE;
    if (word_is(s, prev, "into") || (into && word_is(s, prev, "and"))) return PLACE_SINK;
    if (word_is(s, prev, "as")) return PLACE_FORMAT;
    if (kind_of(s, prev) == T_FORMAT || word_is(s, before(s, prev), "as")) return PLACE_TYPE;
    /* The connector is the word behind from, into or and. */
    for (uint32_t at = prev; at != NO_INDEX && at > leader; at = before(s, at)) {
        uint32_t lead = before(s, at);
        bool starts =
            lead == leader || word_is(s, lead, "into") || (into && word_is(s, lead, "and"));
        if (!starts || !is_word(s, at)) continue;
        c->connector = text_of(s, at);
        return PLACE_OPTIONS;
    }
    return PLACE_NONE;
}

static bool leader_is(Str stage, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(stage, list[i])) return true;
    return false;
}

static Place stage_place(const Scan *s, Context *c, uint32_t leader)
{
    static const char *const fields[] = {"keep", "drop", "require", "dedupe"};
    static const char *const values[] = {"where", "let", "each", "when", "reply", "deadband"};
    static const char *const worded[] = {"window",   "on",       "time",     "split",   "sample",
                                         "throttle", "overflow", "priority", "durable", "shards"};
    uint32_t prev = before(s, s->count);
    if (kind_of(s, prev) == T_DOT) return PLACE_MEMBER;
    Str stage = c->stage;
    if (str_is(stage, "from") || str_is(stage, "into")) return connector_place(s, c, leader);
    if (str_is(stage, "on")) {
        for (uint32_t at = prev; at != NO_INDEX && at > leader; at = before(s, at))
            if (word_is(s, at, "into")) return connector_place(s, c, at);
        return PLACE_WORDS;
    }
    if (str_is(stage, "time") && prev == leader) return PLACE_FIELD;
    if (word_is(s, prev, "by")) return PLACE_FIELD;
    if (leader_is(stage, fields, COUNT_OF(fields)))
        return prev == leader || kind_of(s, prev) == T_COMMA ? PLACE_FIELD : PLACE_WORDS;
    if (str_is(stage, "let") && (prev == leader || kind_of(s, prev) == T_COMMA)) return PLACE_NONE;
    if (leader_is(stage, values, COUNT_OF(values))) return value_place(s);
    return leader_is(stage, worded, COUNT_OF(worded)) ? PLACE_WORDS : value_place(s);
}

/* In the braces of an alarm: a field's name, or what is behind its colon. */
static Place alarm_place(const Scan *s, Context *c)
{
    uint32_t prev = before(s, s->count);
    if (kind_of(s, prev) != T_COLON) return PLACE_ALARM_FIELD;
    uint32_t name = before(s, prev);
    if (name != NO_INDEX) c->field = text_of(s, name);
    return PLACE_ALARM_VALUE;
}

/* Inside braces that are neither stages nor steps. */
static Place brace_place(const Scan *s, Context *c, const Open *o)
{
    uint32_t prev = before(s, s->count), opener = before(s, o->at);
    if (word_is(s, opener, "enum")) return PLACE_NONE;
    if (in_type_braces(s)) return kind_of(s, prev) == T_COLON ? PLACE_TYPE : PLACE_NONE;
    if (word_is(s, s->item, "alarm") && s->open_count == 1) return alarm_place(s, c);
    if (word_is(s, s->item, "map") && s->open_count == 1)
        return kind_of(s, prev) == T_COLON ? PLACE_TYPE : PLACE_NONE;
    bool starts = prev == o->at || kind_of(s, prev) == T_COMMA;
    if (c->tally && o == block(s) + 1) return starts ? PLACE_NONE : value_place(s);
    bool step = word_is(s, s->item, "test");
    if (step && (starts || s->tokens[prev].kind != T_COLON)) return PLACE_STEP_FIELD;
    for (uint32_t at = prev; at != NO_INDEX && at > o->at; at = before(s, at))
        if (kind_of(s, at) == T_COLON || kind_of(s, at) == T_FAT) return value_place(s);
    /* match x { : a pattern is a value of x's kind; { a: of a record: a new name */
    return kind_of(s, opener) == T_COLON || kind_of(s, opener) == T_ASSIGN ? PLACE_NONE
                                                                           : value_place(s);
}

static Place paren_place(const Scan *s, Context *c, const Open *o)
{
    uint32_t name = before(s, o->at);
    if (name != NO_INDEX && is_word(s, name)) {
        if (word_is(s, name, "key")) return PLACE_FIELD;
        if (word_is(s, name, "string") || word_is(s, name, "bytes") || word_is(s, name, "decimal"))
            return PLACE_NONE;
    }
    if (word_is(s, s->item, "fn") && s->open_count == 1) /* parameters */
        return kind_of(s, before(s, s->count)) == T_COLON ? PLACE_TYPE : PLACE_NONE;
    uint32_t prev = before(s, s->count);
    if (prev == o->at || kind_of(s, prev) == T_COMMA) c->call = o->at;
    return value_place(s);
}

/* In the braces of a window, and there in the parentheses of an aggregate. */
static void window_part(const Scan *s, Context *c)
{
    const Open *around = block(s), *end = s->opens + s->open_count;
    if (!around || !str_is(c->stage, "window")) return;
    for (const Open *o = around + 1; o < end; o++) {
        int kind = s->tokens[o->at].kind;
        if (o == around + 1 && kind != T_LBRACE) return;
        c->tally = true;
        uint32_t name = before(s, o->at);
        if (kind == T_LPAREN && name != NO_INDEX &&
            word_find(WORD_KIND_AGGREGATE, text_of(s, name)))
            c->aggregate = true;
    }
}

/* Outside of every bracket. */
static Place item_place(const Scan *s, bool first)
{
    uint32_t prev = before(s, s->count);
    if (s->item == NO_INDEX) return first ? PLACE_DECL : PLACE_NONE;
    if (first && (ends_operand(s, prev) || kind_of(s, prev) == T_QMARK)) return PLACE_DECL;
    Str item = text_of(s, s->item);
    if (str_is(item, "test") || str_is(item, "check"))
        return prev == s->item ? PLACE_PIPELINE : PLACE_NONE;
    if (prev == s->item) return PLACE_NONE; /* a new name */
    int kind = kind_of(s, prev);
    if (str_is(item, "type")) return kind == T_ASSIGN ? PLACE_TYPE : PLACE_NONE;
    if (str_is(item, "fn") && kind == T_ARROW) return PLACE_TYPE;
    if (kind == T_COLON) return PLACE_TYPE;
    if (str_is(item, "connection")) return kind == T_ASSIGN ? PLACE_SOURCE : PLACE_NONE;
    if (str_is(item, "const") || str_is(item, "fn")) return value_place(s);
    return PLACE_NONE;
}

static Place place_of(const Scan *s, Context *c, bool first)
{
    const Open *o = top(s), *around = block(s);
    uint32_t prev = before(s, s->count);
    if (around && around->leader != NO_INDEX) {
        c->stage = text_of(s, around->leader);
        c->stage_at = around->leader;
        window_part(s, c);
    }
    if (!o) return item_place(s, first);
    int kind = s->tokens[o->at].kind;
    if (kind == T_LBRACKET) return opens_unit(s, o->at) ? PLACE_UNIT : value_place(s);
    if (kind == T_STR_HEAD) return value_place(s);
    if (kind == T_LPAREN) return paren_place(s, c, o);
    if (o->steps) {
        if (first || around->leader == NO_INDEX) return PLACE_STEP;
        return PLACE_WORDS;
    }
    if (!o->stages) return brace_place(s, c, o);
    c->in_split = s->open_count > 1;
    bool starts = prev == o->at || kind_of(s, prev) == T_FAT || kind_of(s, prev) == T_SEMI;
    bool whole = ends_operand(s, prev) || kind_of(s, prev) == T_QMARK || prev == o->at;
    if (starts || (first && whole)) return PLACE_STAGE;
    return around->leader == NO_INDEX ? PLACE_STAGE : stage_place(s, c, around->leader);
}

bool context_at(const Doc *doc, uint32_t offset, Context *ret_context)
{
    Scan s = {.doc = doc, .tokens = doc->file->tokens};
    *ret_context =
        (Context){.start = offset, .end = offset, .stage_at = NO_INDEX, .call = NO_INDEX};
    uint32_t at = 0;
    while (at < doc->file->token_count && s.tokens[at].kind && s.tokens[at].start < offset) at++;
    s.count = at; /* tokens that start before the place */
    bool first = true;
    if (at) {
        const LexToken *last = &s.tokens[at - 1];
        bool inside = offset < last->end || (offset == last->end && last->kind == T_COMMENT);
        if (last->kind == T_COMMENT && inside) return false;
        bool text = last->kind == T_STR || last->kind == T_STR_HEAD || last->kind == T_STR_MID ||
                    last->kind == T_STR_TAIL;
        if (text && offset < last->end) return false;
        if (last->kind == T_STR && last->problem && offset == last->end) return false;
        if (is_word(&s, at - 1) && offset <= last->end) { /* a word is being written */
            ret_context->start = last->start;
            ret_context->end = last->end;
            s.count = at - 1;
        }
    }
    for (uint32_t i = ret_context->start; i > 0 && first; i--) {
        char c = doc->source->text.ptr[i - 1];
        if (c == '\n') break;
        first = c == ' ' || c == '\t' || c == '\r';
    }
    scan(&s);
    if (s.overflow) return false;
    ret_context->count = s.count;
    if (s.item != NO_INDEX) ret_context->item = text_of(&s, s.item);
    ret_context->place = place_of(&s, ret_context, first);
    return true;
}
