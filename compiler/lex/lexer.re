/* compiler/lex/lexer.re: the words of the language, for re2c.
 *
 * Runs without bounds checks: every Source is followed by NUL bytes (diag/source.c), and NUL is no
 * part of any rule that could run past it. Strings are lexed in pieces: at an opening brace the
 * lexer pushes its brace count and goes on with ordinary tokens until the brace closes. A string
 * never spans lines, so an unclosed one costs its own line and no more. */
#include "compiler/lex/lex.h"

#include "parse/grammar.h"

enum {
    INTERPOLATION_MAX = 64,
    LEX_TOKEN_BYTES = 4 /* of text for each token at least, mostly: room is made for so many */
};

typedef struct Lexer {
    Arena *arena;
    const char *base, *cursor, *marker, *limit;
    LexToken *tokens;
    uint32_t count, cap, count_max;
    uint32_t braces[INTERPOLATION_MAX]; /* open braces inside each open interpolation */
    uint32_t nesting;
    bool first, spaced;
} Lexer;

static Status emit(Lexer *lexer, int kind, LexProblem problem, const char *start)
{
    if (lexer->count >= lexer->count_max) return ST_LIMIT;
    if (lexer->count == lexer->cap) {
        uint32_t cap = lexer->cap ? lexer->cap * 2
                                  : 256 + (uint32_t)(lexer->limit - lexer->base) / LEX_TOKEN_BYTES;
        LexToken *tokens = arena_many(lexer->arena, LexToken, cap);
        if (!tokens) return ST_NO_MEMORY;
        if (lexer->count) memcpy(tokens, lexer->tokens, lexer->count * sizeof(*tokens));
        lexer->tokens = tokens;
        lexer->cap = cap;
    }
    const char *end = lexer->cursor > lexer->limit ? lexer->limit : lexer->cursor;
    lexer->tokens[lexer->count++] = (LexToken){
        .kind = (uint16_t)kind,
        .problem = (uint8_t)problem,
        .first = lexer->first,
        .spaced = lexer->spaced,
        .start = (uint32_t)(start - lexer->base),
        .end = (uint32_t)(end - lexer->base),
    };
    lexer->first = lexer->spaced = false;
    return ST_OK;
}

#define YYCTYPE  unsigned char
#define YYSHIFT(count) (lexer->cursor += (count))
#define YYPEEK() (*(const unsigned char *)lexer->cursor)
#define YYSKIP() (++lexer->cursor)
#define YYBACKUP() (lexer->marker = lexer->cursor)
#define YYRESTORE() (lexer->cursor = lexer->marker)
#define YYBACKUPCTX() (context = lexer->cursor)
#define YYRESTORECTX() (lexer->cursor = context)

/*!re2c
    re2c:flags:input = custom;
    re2c:yyfill:enable = 0;
    re2c:eof = -1;

    nl      = "\r"? "\n";
    digit   = [0-9];
    dec     = digit [0-9_]*;
    hex     = "0" [xX] [0-9a-fA-F_]+;
    exp     = [eE] [+-]? digit+;
    float   = dec "." digit [0-9_]* exp? | dec exp;
    letter  = [A-Za-z_];
    name    = letter [A-Za-z0-9_]*;
    wide    = [\xC3-\xDF][\x80-\xBF];
    tunit   = "ns" | "us" | "ms" | "s" | "m" | "h" | "d" | "w";
    sunit   = "B" | [kKMGT] "B" | [KMGT] "iB";
    date    = digit{4} "-" digit{2} "-" digit{2};
    clock   = digit{2} ":" digit{2} (":" digit{2} ("." digit+)?)?;
    zone    = "Z" | [+-] digit{2} ":" digit{2};
    textch  = [^"\\{\n\r\x00];
    escape  = "\\" [^\n\r\x00];
    unicode = "\\u{" [0-9a-fA-F]* "}";
*/

/* The rest of a string after its opening quote or the brace that closed an interpolation. `kinds`
 * are the token kinds for "ends here" and "an interpolation opens". */
static Status lex_text(Lexer *lexer, const char *start, int whole, int open)
{
    for (;;) {
        const char *here = lexer->cursor;
        /*!re2c
            ["]                 { return emit(lexer, whole, LEX_FINE, start); }
            "{" {
                if (lexer->nesting >= INTERPOLATION_MAX) return ST_LIMIT;
                lexer->braces[lexer->nesting++] = 0;
                return emit(lexer, open, LEX_FINE, start);
            }
            unicode | escape    { continue; }
            textch              { continue; }
            *                   { lexer->cursor = here;
                                  return emit(lexer, whole, LEX_UNCLOSED_STRING, start); }
        */
    }
}

static Status lex_raw(Lexer *lexer, const char *start)
{
    for (;;) {
        const char *here = lexer->cursor;
        /*!re2c
            ["]              { return emit(lexer, T_STR, LEX_FINE, start); }
            escape           { continue; }
            [^"\\\n\r\x00]   { continue; }
            *                { lexer->cursor = here;
                               return emit(lexer, T_STR, LEX_UNCLOSED_STRING, start); }
        */
    }
}

/* Behind a line end with open interpolations: each gets its end here, so that the parser sees
 * balanced strings. */
static Status close_interpolations(Lexer *lexer, const char *at)
{
    const char *cursor = lexer->cursor;
    lexer->cursor = at;
    for (; lexer->nesting; lexer->nesting--) {
        Status st = emit(lexer, T_STR_TAIL, LEX_UNCLOSED_BRACE, at);
        if (st) return st;
    }
    lexer->cursor = cursor;
    return ST_OK;
}

static Status lex_brace(Lexer *lexer, const char *start)
{
    if (lexer->nesting) {
        uint32_t *open = &lexer->braces[lexer->nesting - 1];
        if (*open == 0) {
            lexer->nesting--;
            return lex_text(lexer, start, T_STR_TAIL, T_STR_MID);
        }
        --*open;
    }
    return emit(lexer, T_RBRACE, LEX_FINE, start);
}

/* One token or one stretch of blanks. `ret_more` is false at the end of the text. */
static Status lex_one(Lexer *lexer, bool *ret_more)
{
    const char *start = lexer->cursor, *context = start;
    *ret_more = true;
#define TOKEN(kind)            return emit(lexer, T_##kind, LEX_FINE, start)
#define WRONG(kind, problem)   return emit(lexer, T_##kind, LEX_##problem, start)
    /*!re2c
        [ \t]+          { lexer->spaced = true; return ST_OK; }
        nl              { Status st = close_interpolations(lexer, start);
                          lexer->first = lexer->spaced = true; return st; }
        "\r"            { lexer->spaced = true; return ST_OK; }
        "\xEF\xBB\xBF"  { if (start != lexer->base) WRONG(BAD, BAD_BYTE);
                          return ST_OK; }
        "\x00" {
            if (start < lexer->limit) WRONG(BAD, BAD_BYTE);
            lexer->cursor = start;
            *ret_more = false;
            return close_interpolations(lexer, start);
        }
        "#" [^\n\r\x00]*         { TOKEN(COMMENT); }
        "//" [^\n\r\x00]*        { WRONG(COMMENT, SLASH_COMMENT); }
        "/*" ([^*\x00] | "*" [^/\x00])* "*/" { WRONG(COMMENT, SLASH_COMMENT); }

        "raw" [ \t]* ["]         { return lex_raw(lexer, start); }
        name                     { TOKEN(ID); }
        (letter | wide) ([A-Za-z0-9_] | wide)* { WRONG(ID, NOT_ASCII); }
        "`" [^`\n\r\x00]* "`"    { WRONG(ID, BACK_QUOTES); }

        dec | hex | float        { TOKEN(NUM); }
        (dec ("." digit+)? tunit)+ { TOKEN(DUR); }
        dec ("." digit+)? sunit  { TOKEN(SIZE); }
        (dec | float) "%" / [^A-Za-z0-9_(] { TOKEN(PCT); }
        date "T" clock zone      { TOKEN(INSTANT); }
        date "T" clock           { WRONG(INSTANT, NO_ZONE); }
        date                     { WRONG(INSTANT, DATE_ONLY); }
        (dec | float) letter [A-Za-z0-9_]* { WRONG(NUM, BAD_SUFFIX); }
        "." digit+ exp?          { WRONG(NUM, LEADING_DOT); }
        dec "." / [^.A-Za-z0-9_] { WRONG(NUM, TRAILING_DOT); }

        ["]                      { return lex_text(lexer, start, T_STR, T_STR_HEAD); }
        "'" [^'\n\r\x00]* "'"    { WRONG(STR, SINGLE_QUOTES); }
        "'" [^'\n\r\x00]*        { WRONG(STR, UNCLOSED_STRING); }
        "\xE2\x80" [\x9C-\x9F] [^\xE2\n\r\x00"]* ("\xE2\x80" [\x9C-\x9F] | ["])
                                 { WRONG(STR, CURLY_QUOTES); }

        "{"  { if (lexer->nesting) lexer->braces[lexer->nesting - 1]++;
               TOKEN(LBRACE); }
        "}"  { return lex_brace(lexer, start); }
        "("  { TOKEN(LPAREN); }    ")"  { TOKEN(RPAREN); }
        "["  { TOKEN(LBRACKET); }  "]"  { TOKEN(RBRACKET); }
        ","  { TOKEN(COMMA); }     ":"  { TOKEN(COLON); }    ";"  { TOKEN(SEMI); }
        "."  { TOKEN(DOT); }       ".." { TOKEN(DOTDOT); }   "..." { TOKEN(SPREAD); }
        "="  { TOKEN(ASSIGN); }    "=>" { TOKEN(FAT); }      "->" { TOKEN(ARROW); }
        "==" { TOKEN(EQ); }        "!=" { TOKEN(NE); }       "<"  { TOKEN(LT); }
        "<=" { TOKEN(LE); }        ">"  { TOKEN(GT); }       ">=" { TOKEN(GE); }
        "+"  { TOKEN(PLUS); }      "-"  { TOKEN(MINUS); }    "*"  { TOKEN(STAR); }
        "/"  { TOKEN(SLASH); }     "%"  { TOKEN(PERCENT); }  "^"  { TOKEN(CARET); }
        "?"  { TOKEN(QMARK); }     "??" { TOKEN(COALESCE); } "~"  { TOKEN(TILDE); }

        "&&" | "&"       { WRONG(AND, AMP_AMP); }
        "||"             { WRONG(OR, BAR_BAR); }
        "!"              { WRONG(NOT, BANG); }
        "|>" | "|"       { WRONG(SLIP, PIPE); }
        "<>"             { WRONG(NE, LESS_GREATER); }
        "===" | "!=="    { return emit(lexer, *start == '=' ? T_EQ : T_NE, LEX_TRIPLE_EQUAL, start); }
        ":="             { WRONG(ASSIGN, COLON_EQUAL); }
        [-+*/] "="       { WRONG(ASSIGN, ASSIGN_OP); }
        "++"             { WRONG(PLUS, PLUS_PLUS); }
        "**"             { WRONG(STAR, STAR_STAR); }
        "..=" | "..<"    { WRONG(DOTDOT, RANGE_MARK); }
        "::"             { WRONG(DOT, DOUBLE_COLON); }
        "$"              { WRONG(SLIP, DOLLAR); }
        [\xC2-\xDF][\x80-\xBF] | [\xE0-\xEF][\x80-\xBF]{2} | [\xF0-\xF4][\x80-\xBF]{3}
                         { WRONG(BAD, BAD_BYTE); }
        *                { WRONG(BAD, BAD_BYTE); }
    */
#undef TOKEN
#undef WRONG
}

Status lex_source(Arena *arena, const Source *source, uint32_t count_max,
                  LexToken **ret_tokens, uint32_t *ret_count)
{
    Lexer lexer = {
        .arena = arena,
        .base = source->text.ptr,
        .cursor = source->text.ptr,
        .limit = source->text.ptr + source->text.len,
        .count_max = count_max,
        .first = true,
    };
    for (bool more = true; more;) {
        Status st = lex_one(&lexer, &more);
        if (st) return st;
    }
    Status st = emit(&lexer, 0, LEX_FINE, lexer.limit);
    if (st) return st;
    *ret_tokens = lexer.tokens;
    *ret_count = lexer.count;
    return ST_OK;
}
