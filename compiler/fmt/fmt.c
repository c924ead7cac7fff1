/* compiler/fmt/fmt.c: tokens to lines, lines to columns.
 *
 * First pass (write_tokens): every token is put on a line with its blanks and its indent; a line
 * may carry one mark, the place where neighbours of the same kind are lined up: `=` in let, `=>` in
 * arms, what follows `on late` and `on error`, types of map fields. Second pass (write_lines): runs
 * of marked lines get their common column. Everything depends on tokens and line breaks alone,
 * which the output keeps; that makes the layout stable under itself. */
#include "compiler/fmt/fmt.h"

#include "compiler/lex/lex.h"
#include "compiler/parse/parse.h"
#include "parse/grammar.h"

enum { INDENT = 2, CONTINUE = 4, NEST_MAX = PARSE_NESTING_MAX + 64, ALIGN_MAX = 40 };

typedef enum Mark { MARK_NONE, MARK_LET, MARK_ARM, MARK_ON, MARK_MAP } Mark;

typedef struct Line {
    uint32_t start, end; /* in the text buffer, without indent */
    uint32_t indent, mark_at;
    uint8_t mark;
    bool blank_before;
} Line;

typedef struct Open {
    uint32_t indent; /* of the line it stands on */
    uint16_t kind;
    bool unit, stages, map;
} Open;

typedef struct Fmt {
    const AstFile *file;
    Buf text;
    Line *lines;
    uint32_t line_count, line_cap;
    Open opens[NEST_MAX];
    uint32_t open_count;
    uint16_t item;              /* keyword of the item */
    uint16_t stage;             /* keyword of the stage */
    uint16_t prev, before_prev; /* kinds; 0 at the start */
    Str prev_text;
    bool type_parens; /* the last ')' closed the parameter of a numeric type */
} Fmt;

/* ---- classes of tokens ------------------------------------------------------------------- */

static Str text_of(const Fmt *f, const LexToken *token)
{
    return str_slice(f->file->source->text.ptr + token->start, token->end - token->start);
}

static bool is_open(int kind)
{
    return kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE || kind == T_STR_HEAD;
}

static bool is_close(int kind)
{
    return kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE || kind == T_STR_TAIL;
}

static bool ends_operand(int kind)
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
    case T_QMARK:
    case T_EXISTS: return true;
    default: return false;
    }
}

static bool numeric_type(Str word)
{
    static const char *const types[] = {"f64", "f32", "i32", "i64", "u32", "u64", "decimal"};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_is(word, types[i])) return true;
    }
    return false;
}

static const Open *top(const Fmt *f)
{
    return f->open_count ? &f->opens[f->open_count - 1] : NULL;
}

static bool in_unit(const Fmt *f)
{
    return f->open_count && top(f)->unit;
}

/* ---- blanks between two tokens of a line -------------------------------------------------- */

static bool opens_unit(const Fmt *f)
{
    if (f->prev == T_NUM || f->prev == T_TO) return true;
    if (f->prev == T_ID) return numeric_type(f->prev_text);
    return f->prev == T_RPAREN && f->type_parens;
}

static uint32_t before_paren(const Fmt *f)
{
    if (f->prev == T_ID) return str_is(f->prev_text, "key") ? 1 : 0;
    return f->prev == T_DEADBAND ? 0 : 1;
}

/* How many blanks stand before `token`, which is not the first on its line. */
static uint32_t gap(const Fmt *f, const LexToken *token, const LexToken *next)
{
    int kind = token->kind;
    if (kind == T_COMMENT) return 2;
    if (in_unit(f)) return 0;
    if (f->prev == T_STR_HEAD || f->prev == T_STR_MID || kind == T_STR_MID || kind == T_STR_TAIL) {
        return 0;
    }
    switch (kind) {
    case T_COMMA:
    case T_SEMI:
    case T_RPAREN:
    case T_RBRACKET:
    case T_QMARK:
    case T_DOT:
    case T_DOTDOT: return 0;
    case T_COLON: return f->prev == T_LABEL || f->item != T_TABLE ? 0 : 1;
    case T_RBRACE: return f->prev == T_LBRACE ? 0 : 1;
    case T_LPAREN:
        if (ends_operand(f->prev) || f->prev == T_DEADBAND) return before_paren(f);
        break;
    case T_LBRACKET:
        if (opens_unit(f)) return 1;
        if (ends_operand(f->prev)) return 0;
        break;
    default: break;
    }
    switch (f->prev) {
    case T_LPAREN:
    case T_LBRACKET:
    case T_DOT:
    case T_DOTDOT:
    case T_SPREAD: return 0;
    case T_MINUS: return ends_operand(f->before_prev) ? 1 : 0;
    default: break;
    }
    /* Two settings on one line stand apart: n = count()  avg = mean(x) */
    if (kind == T_ID && next && next->kind == T_ASSIGN && ends_operand(f->prev)) return 2;
    return 1;
}

/* ---- indent of a line --------------------------------------------------------------------- */

static bool starts_entry(const Fmt *f, const LexToken *token, const LexToken *next)
{
    if (f->prev == T_LBRACE || f->prev == T_COMMA || token->kind == T_LABEL) return true;
    if (token->kind == T_SPREAD || token->kind == T_COMMENT) return true;
    if (!ends_operand(f->prev)) return false;
    if (next && (next->kind == T_ASSIGN || next->kind == T_FAT)) return true;
    return token->kind == T_ID || token->kind == T_STR || token->kind == T_ELSE_ARM;
}

static uint32_t indent_of(const Fmt *f, const LexToken *token, const LexToken *next)
{
    const Open *open = top(f);
    if (is_close(token->kind) && open) return open->indent;
    if (!open) {
        return token->role == LEX_ROLE_ITEM || token->kind == T_COMMENT || f->prev == 0 ? 0
                                                                                        : INDENT;
    }
    uint32_t base = open->indent + INDENT;
    if (open->stages) {
        bool arm = f->open_count > 1;
        if (token->role == LEX_ROLE_ARM || token->role == LEX_ROLE_STEP) return base;
        if (token->role == LEX_ROLE_STAGE) return arm ? base + INDENT : base;
        if (token->kind == T_COMMENT) return f->stage == T_LET && !arm ? base + CONTINUE : base;
        return base + CONTINUE;
    }
    if (open->kind != T_LBRACE) return open->indent + CONTINUE;
    return starts_entry(f, token, next) ? base : base + CONTINUE;
}

/* ---- first pass --------------------------------------------------------------------------- */

static Line *add_line(Arena *arena, Fmt *f)
{
    if (f->line_count == f->line_cap) {
        uint32_t cap = f->line_cap ? f->line_cap * 2 : 256;
        Line *lines = arena_many(arena, Line, cap);
        if (!lines) return NULL;
        if (f->line_count) memcpy(lines, f->lines, f->line_count * sizeof(*lines));
        f->lines = lines;
        f->line_cap = cap;
    }
    Line *line = &f->lines[f->line_count++];
    *line = (Line){.start = (uint32_t)f->text.len, .end = (uint32_t)f->text.len};
    return line;
}

static void mark(Fmt *f, Line *line, const LexToken *token, const LexToken *next)
{
    if (line->mark) return;
    uint32_t at = (uint32_t)f->text.len - line->start;
    bool in_stages = f->open_count && top(f)->stages;
    if (token->kind == T_ASSIGN && in_stages && f->stage == T_LET && f->before_prev != T_COMMA) {
        line->mark = MARK_LET;
        line->mark_at = at;
    } else if (token->kind == T_FAT && in_stages) {
        line->mark = MARK_ARM;
        line->mark_at = at;
    } else if (f->prev == T_COLON && f->open_count == 1 && top(f)->map) {
        line->mark = MARK_MAP;
        line->mark_at = at;
    } else if (f->before_prev == T_ON && f->stage == T_ON && next) {
        line->mark = MARK_ON;
        line->mark_at = at;
    }
}

static void open_bracket(Fmt *f, const LexToken *token, uint32_t indent, bool unit)
{
    if (f->open_count >= NEST_MAX) return;
    bool stages = token->kind == T_LBRACE && f->open_count == 0 &&
                  (f->item == T_PIPELINE || f->item == T_TEST);
    if (token->kind == T_LBRACE && f->open_count && top(f)->stages && f->stage == T_SPLIT &&
        (f->prev == T_SPLIT || str_is(f->prev_text, "all"))) {
        stages = true;
    }
    bool map = token->kind == T_LBRACE && f->open_count == 0 && f->item == T_MAP;
    f->opens[f->open_count++] = (Open){indent, token->kind, unit, stages, map};
}

/* A stage of a pipeline and a declaration start a line, also when the writer put two on one; only
 * `into` may follow what it writes: each rows into file "x". */
static bool must_break(const Fmt *f, const LexToken *token)
{
    if (token->role == LEX_ROLE_ITEM) return f->prev != 0;
    bool outer = f->open_count == 1 && top(f)->stages;
    if (outer && f->prev != T_COMMENT) {
        if (token->role == LEX_ROLE_STAGE) return token->kind != T_INTO;
        if (token->role == LEX_ROLE_STEP) return true;
        if (token->kind == T_RBRACE && f->prev != T_LBRACE) return true;
    }
    return false;
}

static uint32_t newlines_between(const Fmt *f, uint32_t start, uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t i = start; i < end; i++) count += f->file->source->text.ptr[i] == '\n';
    return count;
}

static void note_keyword(Fmt *f, const LexToken *token)
{
    if (token->role == LEX_ROLE_ITEM) {
        f->item = token->kind;
        f->stage = 0;
    } else if (token->role == LEX_ROLE_STAGE || token->role == LEX_ROLE_ARM) {
        f->stage = token->kind;
    }
}

/* The indent of a comment line is that of the line it stands before. */
static uint32_t comment_indent(const Fmt *f, const LexToken *tokens, uint32_t at, uint32_t count)
{
    uint32_t ahead = at;
    while (ahead < count && tokens[ahead].kind == T_COMMENT) ahead++;
    if (ahead >= count || !tokens[ahead].kind) return 0;
    if (is_close(tokens[ahead].kind) && top(f)) return top(f)->indent + INDENT;
    return indent_of(f, &tokens[ahead], ahead + 1 < count ? &tokens[ahead + 1] : NULL);
}

static Status write_tokens(Arena *arena, Fmt *f)
{
    const LexToken *tokens = f->file->tokens;
    uint32_t count = f->file->token_count, last_end = 0;
    Line *line = NULL;
    for (uint32_t i = 0; i < count && tokens[i].kind; i++) {
        const LexToken *token = &tokens[i], *next = i + 1 < count ? &tokens[i + 1] : NULL;
        if (!line || token->first || must_break(f, token)) {
            uint32_t gaps = line ? newlines_between(f, last_end, token->start) : 0;
            line = add_line(arena, f);
            if (!line) return ST_NO_MEMORY;
            line->blank_before = gaps > 1 && f->prev != T_LBRACE && token->kind != T_RBRACE;
            line->indent = token->kind == T_COMMENT ? comment_indent(f, tokens, i, count)
                                                    : indent_of(f, token, next);
            note_keyword(f, token);
            mark(f, line, token, next);
        } else {
            note_keyword(f, token);
            bool before_sign = token->kind == T_ASSIGN || token->kind == T_FAT;
            if (before_sign) mark(f, line, token, next);
            for (uint32_t n = gap(f, token, next); n; n--) buf_char(&f->text, ' ');
            if (!before_sign) mark(f, line, token, next);
        }
        buf_str(&f->text,
                token->kind == T_COMMENT ? str_trim(text_of(f, token)) : text_of(f, token));
        line->end = (uint32_t)f->text.len;
        if (token->kind == T_RPAREN && f->open_count) f->type_parens = top(f)->unit;
        if (is_open(token->kind)) {
            bool unit = token->kind == T_LBRACKET && opens_unit(f);
            if (token->kind == T_LPAREN && f->prev == T_ID && numeric_type(f->prev_text))
                unit = true;
            open_bracket(f, token, line->indent, unit);
        } else if (is_close(token->kind) && f->open_count) {
            f->open_count--;
            if (f->open_count && f->opens[f->open_count].stages) f->stage = 0;
        }
        if (token->kind != T_COMMENT) {
            f->before_prev = f->prev;
            f->prev = token->kind;
            f->prev_text = text_of(f, token);
        }
        last_end = token->end;
    }
    return buf_status(&f->text);
}

/* ---- second pass -------------------------------------------------------------------------- */

static uint32_t width_of(const Fmt *f, const Line *line)
{
    uint32_t width = line->indent;
    for (uint32_t i = 0; i < line->mark_at; i++) {
        width += ((unsigned char)f->text.ptr[line->start + i] & 0xC0) != 0x80;
    }
    return width;
}

/* One past the last line of the run that starts at `at`, and the column its marks share. `let` and
 * the lines below it have different indents but one column. */
static uint32_t run_end(const Fmt *f, uint32_t at, uint32_t *ret_column)
{
    uint32_t low = UINT32_MAX, high = 0, end = at;
    for (; end < f->line_count; end++) {
        const Line *line = &f->lines[end];
        if (line->mark != f->lines[at].mark || (end > at && line->blank_before)) break;
        uint32_t width = width_of(f, line);
        if (width < low) low = width;
        if (width > high) high = width;
        if (high - low > ALIGN_MAX) break;
    }
    *ret_column = 0;
    for (uint32_t i = at; i < end; i++) {
        uint32_t width = width_of(f, &f->lines[i]);
        if (width > *ret_column) *ret_column = width;
    }
    return end > at ? end : at + 1;
}

static void write_lines(Fmt *f, Buf *out)
{
    uint32_t run = 0, column = 0;
    for (uint32_t i = 0; i < f->line_count; i++) {
        const Line *line = &f->lines[i];
        if (line->mark && i >= run) run = run_end(f, i, &column);
        if (line->blank_before) buf_char(out, '\n');
        Str text = str_slice(f->text.ptr + line->start, line->end - line->start);
        for (uint32_t n = 0; n < line->indent; n++) buf_char(out, ' ');
        if (line->mark) {
            buf_str(out, str_slice(text.ptr, line->mark_at));
            for (uint32_t n = width_of(f, line); n < column; n++) buf_char(out, ' ');
            text = str_skip(text, line->mark_at);
        }
        buf_str(out, text);
        buf_char(out, '\n');
    }
}

Status fmt_file(Arena *arena, const AstFile *file, Buf *out)
{
    if (file->broken) return ST_INVALID;
    Fmt f = {.file = file};
    buf_init(&f.text, (size_t)SOURCE_BYTES_MAX * 4);
    Status st = write_tokens(arena, &f);
    if (!st) write_lines(&f, out);
    buf_done(&f.text);
    return st ? st : buf_status(out);
}
