/* compiler/parse/keywords.c: the words with a meaning, and what people write instead of them. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

#include <ctype.h>

/* Sorted by word: found by bisection. */
#define KEYWORDS(X)                                                                                \
    X("alarm", ALARM, ITEM)                                                                        \
    X("and", AND, OPERATOR)                                                                        \
    X("as", AS, OPERATOR)                                                                          \
    X("ask", ASK, STAGE)                                                                           \
    X("becomes", BECOMES, OPERATOR)                                                                \
    X("by", BY, OPERATOR)                                                                          \
    X("check", CHECK, ITEM)                                                                        \
    X("clock", CLOCK, SOFT)                                                                        \
    X("connection", CONNECTION, ITEM)                                                              \
    X("const", CONST, ITEM)                                                                        \
    X("contains", CONTAINS, OPERATOR)                                                              \
    X("deadband", DEADBAND, STAGE)                                                                 \
    X("dedupe", DEDUPE, STAGE)                                                                     \
    X("delay", DELAY, STAGE)                                                                       \
    X("deploy", DEPLOY, ITEM)                                                                      \
    X("div", DIV, OPERATOR)                                                                        \
    X("drop", DROP, STAGE)                                                                         \
    X("durable", DURABLE, STAGE)                                                                   \
    X("each", EACH, STAGE)                                                                         \
    X("else", ELSE, OPERATOR)                                                                      \
    X("ends_with", ENDS_WITH, OPERATOR)                                                            \
    X("enum", ENUM, SOFT)                                                                          \
    X("exists", EXISTS, OPERATOR)                                                                  \
    X("expect", EXPECT, SOFT)                                                                      \
    X("extern", EXTERN, ITEM)                                                                      \
    X("false", FALSE, OPERATOR)                                                                    \
    X("fn", FN, ITEM)                                                                              \
    X("from", FROM, STAGE)                                                                         \
    X("if", IF, OPERATOR)                                                                          \
    X("in", IN, OPERATOR)                                                                          \
    X("into", INTO, STAGE)                                                                         \
    X("join", JOIN, STAGE)                                                                         \
    X("keep", KEEP, STAGE)                                                                         \
    X("let", LET, STAGE)                                                                           \
    X("map", MAP, ITEM)                                                                            \
    X("match", MATCH, OPERATOR)                                                                    \
    X("matches", MATCHES, OPERATOR)                                                                \
    X("not", NOT, OPERATOR)                                                                        \
    X("null", NULL, OPERATOR)                                                                      \
    X("on", ON, STAGE)                                                                             \
    X("or", OR, OPERATOR)                                                                          \
    X("overflow", OVERFLOW, STAGE)                                                                 \
    X("pipeline", PIPELINE, ITEM)                                                                  \
    X("priority", PRIORITY, STAGE)                                                                 \
    X("reply", REPLY, STAGE)                                                                       \
    X("require", REQUIRE, STAGE)                                                                   \
    X("sample", SAMPLE, STAGE)                                                                     \
    X("shards", SHARDS, STAGE)                                                                     \
    X("split", SPLIT, STAGE)                                                                       \
    X("starts_with", STARTS_WITH, OPERATOR)                                                        \
    X("state", STATE, SOFT)                                                                        \
    X("table", TABLE, ITEM)                                                                        \
    X("tag", TAG, SOFT)                                                                            \
    X("test", TEST, ITEM)                                                                          \
    X("then", THEN, OPERATOR)                                                                      \
    X("throttle", THROTTLE, STAGE)                                                                 \
    X("time", TIME, STAGE)                                                                         \
    X("to", TO, OPERATOR)                                                                          \
    X("true", TRUE, OPERATOR)                                                                      \
    X("try", TRY, OPERATOR)                                                                        \
    X("type", TYPE, ITEM)                                                                          \
    X("unit", UNIT, ITEM)                                                                          \
    X("use", USE, ITEM)                                                                            \
    X("when", WHEN, STAGE)                                                                         \
    X("where", WHERE, STAGE)                                                                       \
    X("window", WINDOW, STAGE)

#define KEYWORD(word, kind, class) {word, sizeof(word) - 1, WORD_##class, T_##kind},
static const Keyword keywords[] = {KEYWORDS(KEYWORD)};

/* The row of each kind, plus one. */
#define KEYWORD_ROW(word, kind, class)     ROW_##kind,
#define KEYWORD_OF_KIND(word, kind, class) [T_##kind] = ROW_##kind + 1,
enum { KEYWORDS(KEYWORD_ROW) };
static const uint8_t rows_of_kinds[] = {KEYWORDS(KEYWORD_OF_KIND)};

const Keyword *parse__keyword(Str word)
{
    if (word.len < 2 || word.len > 11) return NULL;
    for (size_t low = 0, high = COUNT_OF(keywords); low < high;) {
        size_t middle = (low + high) / 2;
        const Keyword *k = &keywords[middle];
        int order = (unsigned char)word.ptr[0] - (unsigned char)k->word[0];
        if (!order) order = str_cmp(word, str_slice(k->word, k->len));
        if (!order) return k;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const Keyword *parse__keyword_of_kind(int kind)
{
    if (kind < T_FROM || kind > T_STATE) return NULL; /* a sign or an operator */
    return rows_of_kinds[kind] ? &keywords[rows_of_kinds[kind] - 1] : NULL;
}

Status parse__find_keywords(Parser *p)
{
    uint8_t *rows = arena_many(p->arena, uint8_t, p->token_count);
    uint8_t first[256] = {0}; /* row of the first word with that letter, plus one */
    if (!rows) return ST_NO_MEMORY;
    for (size_t k = COUNT_OF(keywords); k-- > 0;)
        first[(unsigned char)keywords[k].word[0]] = (uint8_t)(k + 1);
    for (uint32_t i = 0; i < p->token_count; i++) {
        const LexToken *token = &p->tokens[i];
        if (token->kind != T_ID) continue;
        Str word = source_text(p->source, (Span){p->source->id, token->start, token->end});
        uint8_t row = word.len ? first[(unsigned char)word.ptr[0]] : 0;
        for (; row && row <= COUNT_OF(keywords); row++) {
            const Keyword *k = &keywords[row - 1];
            if (k->word[0] != word.ptr[0]) break;
            if (k->len != word.len || memcmp(k->word, word.ptr, word.len) != 0) continue;
            rows[i] = row;
            break;
        }
    }
    p->keyword_rows = rows;
    return ST_OK;
}

const Keyword *parse__keyword_at(const Parser *p, uint32_t index)
{
    return p->keyword_rows[index] ? &keywords[p->keyword_rows[index] - 1] : NULL;
}

bool parse__falls_back(int kind)
{
    if (kind == T_FORMAT || kind == T_LABEL || kind == T_ERROR) return true;
    const Keyword *keyword = parse__keyword_of_kind(kind);
    return keyword && keyword->word_class != WORD_OPERATOR;
}

/* Words of SQL, Flux, scripting languages and flow editors, and the stage that does it here. */
static const struct {
    const char *word, *ours;
} other_stages[] = {
    {"filter", "where"},    {"having", "where"},      {"assert", "where"},
    {"select", "keep"},     {"project", "keep"},      {"pick", "keep"},
    {"omit", "drop"},       {"remove", "drop"},       {"set", "let"},
    {"var", "let"},         {"assign", "let"},        {"derive", "let"},
    {"compute", "let"},     {"mutate", "let"},        {"def", "let"},
    {"group", "window"},    {"aggregate", "window"},  {"summarize", "window"},
    {"reduce", "window"},   {"output", "into"},       {"sink", "into"},
    {"emit", "into"},       {"write", "into"},        {"publish", "into"},
    {"print", "into"},      {"source", "from"},       {"read", "from"},
    {"input", "from"},      {"subscribe", "from"},    {"catch", "on"},
    {"switch", "split"},    {"route", "split"},       {"branch", "split"},
    {"foreach", "each"},    {"for", "each"},          {"explode", "each"},
    {"unnest", "each"},     {"lookup", "join"},       {"call", "ask"},
    {"fetch", "ask"},       {"respond", "reply"},     {"return", "reply"},
    {"distinct", "dedupe"}, {"debounce", "throttle"}, {"watermark", "time"},
};
static const struct {
    const char *word, *ours;
} other_items[] = {
    {"struct", "type"},   {"record", "type"},     {"schema", "type"},  {"class", "type"},
    {"flow", "pipeline"}, {"stream", "pipeline"}, {"job", "pipeline"}, {"function", "fn"},
    {"def", "fn"},        {"func", "fn"},         {"import", "use"},   {"include", "use"},
    {"require", "use"},   {"let", "const"},       {"var", "const"},    {"conn", "connection"},
    {"alert", "alarm"},
};

static const char *like(Str word, WordClass wanted)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        if (keywords[i].word_class != wanted) continue;
        diag_suggest(word, str_from(keywords[i].word), &best, &distance);
    }
    return best.ptr;
}

static bool same_word(Str word, const char *other)
{
    if (word.len != strlen(other)) return false;
    for (size_t i = 0; i < word.len; i++) {
        if (tolower((unsigned char)word.ptr[i]) != other[i]) return false;
    }
    return true;
}

const char *parse__stage_like(Str word)
{
    for (size_t i = 0; i < COUNT_OF(other_stages); i++) {
        if (same_word(word, other_stages[i].word)) return other_stages[i].ours;
    }
    return like(word, WORD_STAGE);
}

const char *parse__item_like(Str word)
{
    for (size_t i = 0; i < COUNT_OF(other_items); i++) {
        if (same_word(word, other_items[i].word)) return other_items[i].ours;
    }
    return like(word, WORD_ITEM);
}
