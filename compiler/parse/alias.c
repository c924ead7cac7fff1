/* compiler/parse/alias.c: `m.name` of `use "..." as m` becomes one name before the grammar sees it.
 *
 * A type, a function, a const, a connection, a map and a table of another file stand wherever a
 * plain name may stand, so the grammar need not know about dots there. `m` means the file in all of
 * its text; a field of that name cannot be reached. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

enum { ALIASES_MAX = 64 };

static Str text_of(const Parser *p, const LexToken *token)
{
    return str_slice(p->source->text.ptr + token->start, token->end - token->start);
}

static bool is(const Parser *p, uint32_t at, const char *word)
{
    return str_is(text_of(p, &p->tokens[at]), word); /* keywords are told apart later */
}

/* `use` TEXT `as` NAME: a text may be several tokens, so the first `as` of the line counts. */
static uint32_t find(const Parser *p, Str *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->token_count && count < ALIASES_MAX; i++) {
        if (!p->tokens[i].first || !is(p, i, "use")) continue;
        uint32_t at = i + 1;
        while (at < p->token_count && !p->tokens[at].first && !is(p, at, "as")) at++;
        if (at + 1 < p->token_count && !p->tokens[at].first)
            list[count++] = text_of(p, &p->tokens[at + 1]);
    }
    return count;
}

static bool is_word(const Parser *p, const LexToken *token)
{
    char c = token->end > token->start ? p->source->text.ptr[token->start] : 0;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool joins(const Parser *p, const LexToken *at, const Str *list, uint32_t count)
{
    if (!is_word(p, at) || at[1].kind != T_DOT || at[1].spaced || at[2].spaced ||
        !is_word(p, &at[2]))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (str_eq(text_of(p, at), list[i])) return true;
    return false;
}

Status parse__join_aliases(Parser *p, LexToken *tokens, uint32_t *origin)
{
    Str list[ALIASES_MAX];
    uint32_t count = find(p, list), kept = 0;
    if (!count) return ST_OK;
    for (uint32_t i = 0; i < p->token_count; i++) {
        bool behind_dot = kept && tokens[kept - 1].kind == T_DOT;
        tokens[kept] = tokens[i];
        origin[kept] = origin[i];
        if (!behind_dot && i + 2 < p->token_count && joins(p, &tokens[i], list, count)) {
            tokens[kept].kind = T_ID;
            tokens[kept].end = tokens[i + 2].end;
            p->all[origin[i]].kind = p->all[origin[i + 2]].kind = T_ID;
            i += 2;
        }
        kept++;
    }
    p->token_count = kept;
    return ST_OK;
}
