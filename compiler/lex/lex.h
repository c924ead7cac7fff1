/* compiler/lex/lex.h: from bytes to tokens, comments included.
 *
 * The token list is lossless: what lies between two tokens is only blanks and line ends, so the
 * formatter can give every comment back. The lexer reports nothing itself: what is wrong with a
 * token stands in its `problem`, and the parser says it once the token's stage is known. Words are
 * all T_ID here; which of them are keywords depends on their place and is parse/feed.c's business.
 */
#ifndef TUTTI_COMPILER_LEX_LEX_H
#define TUTTI_COMPILER_LEX_LEX_H

#include "base/arena.h"
#include "compiler/diag/source.h"

typedef enum LexProblem {
    LEX_FINE,
    LEX_UNCLOSED_STRING, /* ends at the line end */
    LEX_UNCLOSED_BRACE,  /* "...{expr without } before the line end */
    LEX_SINGLE_QUOTES,
    LEX_CURLY_QUOTES,
    LEX_BACK_QUOTES,
    LEX_SLASH_COMMENT, /* // and block comments */
    LEX_AMP_AMP,
    LEX_BAR_BAR,
    LEX_BANG,
    LEX_PIPE, /* |> and | */
    LEX_LESS_GREATER,
    LEX_TRIPLE_EQUAL,
    LEX_COLON_EQUAL,
    LEX_ASSIGN_OP, /* += -= *= /= */
    LEX_PLUS_PLUS, /* ++ */
    LEX_STAR_STAR,
    LEX_RANGE_MARK, /* ..= and ..< */
    LEX_DOUBLE_COLON,
    LEX_BAD_SUFFIX,   /* 10sec */
    LEX_LEADING_DOT,  /* .5 */
    LEX_TRAILING_DOT, /* 5. */
    LEX_NO_ZONE,      /* 2026-11-23T10:00:00 */
    LEX_DATE_ONLY,    /* 2026-11-23 */
    LEX_DOLLAR,       /* ${x}, $x */
    LEX_NOT_ASCII,    /* a name with other letters */
    LEX_BAD_BYTE,
} LexProblem;

/* What a token leads or opens, written by the parser for the formatter and for editors. */
typedef enum LexRole {
    LEX_ROLE_NONE,
    LEX_ROLE_ITEM,
    LEX_ROLE_STAGE,
    LEX_ROLE_ARM,
    LEX_ROLE_STEP
} LexRole;

typedef struct LexToken {
    uint16_t kind; /* T_... of the generated grammar.h; after parsing: as the grammar took it */
    uint8_t problem, role;
    bool first;  /* first token on its line */
    bool spaced; /* something blank, or a line end, stands before it */
    uint32_t start, end;
} LexToken;

/* Ends with one T_END token at the end of the text (kind 0). ST_LIMIT past `count_max` tokens or
 * past the nesting of interpolations. */
MUST Status lex_source(Arena *arena, const Source *source, uint32_t count_max,
                       LexToken **ret_tokens, uint32_t *ret_count);

#endif
