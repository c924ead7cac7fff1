/* compiler/parse/keywords.c: the words with a meaning, and what people write instead of them. */
#include "compiler/parse/parser.h"

#include "parse/grammar.h"

#include <ctype.h>
#include <stdlib.h>

/* Sorted by word: found by bisection. */
static const Keyword keywords[] = {
    {"and", T_AND, WORD_OPERATOR},
    {"as", T_AS, WORD_OPERATOR},
    {"ask", T_ASK, WORD_STAGE},
    {"becomes", T_BECOMES, WORD_OPERATOR},
    {"by", T_BY, WORD_OPERATOR},
    {"check", T_CHECK, WORD_ITEM},
    {"clock", T_CLOCK, WORD_SOFT},
    {"connection", T_CONNECTION, WORD_ITEM},
    {"const", T_CONST, WORD_ITEM},
    {"contains", T_CONTAINS, WORD_OPERATOR},
    {"deadband", T_DEADBAND, WORD_STAGE},
    {"dedupe", T_DEDUPE, WORD_STAGE},
    {"delay", T_DELAY, WORD_STAGE},
    {"deploy", T_DEPLOY, WORD_ITEM},
    {"div", T_DIV, WORD_OPERATOR},
    {"drop", T_DROP, WORD_STAGE},
    {"durable", T_DURABLE, WORD_STAGE},
    {"each", T_EACH, WORD_STAGE},
    {"else", T_ELSE, WORD_OPERATOR},
    {"ends_with", T_ENDS_WITH, WORD_OPERATOR},
    {"enum", T_ENUM, WORD_SOFT},
    {"exists", T_EXISTS, WORD_OPERATOR},
    {"expect", T_EXPECT, WORD_SOFT},
    {"extern", T_EXTERN, WORD_ITEM},
    {"false", T_FALSE, WORD_OPERATOR},
    {"fn", T_FN, WORD_ITEM},
    {"from", T_FROM, WORD_STAGE},
    {"if", T_IF, WORD_OPERATOR},
    {"in", T_IN, WORD_OPERATOR},
    {"into", T_INTO, WORD_STAGE},
    {"join", T_JOIN, WORD_STAGE},
    {"keep", T_KEEP, WORD_STAGE},
    {"let", T_LET, WORD_STAGE},
    {"map", T_MAP, WORD_ITEM},
    {"match", T_MATCH, WORD_OPERATOR},
    {"matches", T_MATCHES, WORD_OPERATOR},
    {"not", T_NOT, WORD_OPERATOR},
    {"null", T_NULL, WORD_OPERATOR},
    {"on", T_ON, WORD_STAGE},
    {"or", T_OR, WORD_OPERATOR},
    {"overflow", T_OVERFLOW, WORD_STAGE},
    {"pipeline", T_PIPELINE, WORD_ITEM},
    {"priority", T_PRIORITY, WORD_STAGE},
    {"reply", T_REPLY, WORD_STAGE},
    {"require", T_REQUIRE, WORD_STAGE},
    {"sample", T_SAMPLE, WORD_STAGE},
    {"shards", T_SHARDS, WORD_STAGE},
    {"split", T_SPLIT, WORD_STAGE},
    {"starts_with", T_STARTS_WITH, WORD_OPERATOR},
    {"state", T_STATE, WORD_SOFT},
    {"table", T_TABLE, WORD_ITEM},
    {"tag", T_TAG, WORD_SOFT},
    {"test", T_TEST, WORD_ITEM},
    {"then", T_THEN, WORD_OPERATOR},
    {"throttle", T_THROTTLE, WORD_STAGE},
    {"time", T_TIME, WORD_STAGE},
    {"to", T_TO, WORD_OPERATOR},
    {"true", T_TRUE, WORD_OPERATOR},
    {"try", T_TRY, WORD_OPERATOR},
    {"type", T_TYPE, WORD_ITEM},
    {"unit", T_UNIT, WORD_ITEM},
    {"use", T_USE, WORD_ITEM},
    {"when", T_WHEN, WORD_STAGE},
    {"where", T_WHERE, WORD_STAGE},
    {"window", T_WINDOW, WORD_STAGE},
};

static int by_word(const void *key, const void *row)
{
    return str_cmp(*(const Str *)key, str_from(((const Keyword *)row)->word));
}

const Keyword *parse__keyword(Str word)
{
    if (word.len < 2 || word.len > 11) return NULL;
    return bsearch(&word, keywords, COUNT_OF(keywords), sizeof *keywords, by_word);
}

const Keyword *parse__keyword_of_kind(int kind)
{
    if (kind < T_FROM || kind > T_STATE) return NULL; /* most tokens are signs */
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        if (keywords[i].kind == kind) return &keywords[i];
    }
    return NULL;
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
