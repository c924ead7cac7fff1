/* runtime/base/pattern_parse.c: the text of a pattern as a tree (see pattern.h for the syntax).
 *
 * Recursion is over parentheses only and bounded by DEPTH_MAX; the length of the text bounds the
 * rest. */
#include "base/pattern_int.h"

#include <string.h>

enum { DEPTH_MAX = 60, RANGES_MAX = 512, CODE_MAX = 0x10ffff };

typedef struct Parse {
    Arena *arena;
    Str text;
    size_t at;
    uint32_t depth;
    bool any_case, no_memory;
    const char *wrong;
    size_t wrong_at;
} Parse;

static void *fail(Parse *p, size_t at, const char *what)
{
    if (!p->wrong) p->wrong = what, p->wrong_at = at;
    return NULL;
}

static PatternNode *node(Parse *p, PatternKind kind, const PatternNode *a, const PatternNode *b)
{
    PatternNode *n = arena_one(p->arena, PatternNode);
    if (!n) {
        p->no_memory = true;
        return fail(p, p->at, "no memory");
    }
    *n = (PatternNode){.kind = kind, .a = a, .b = b};
    return n;
}

static int peek(const Parse *p)
{
    return p->at < p->text.len ? (unsigned char)p->text.ptr[p->at] : -1;
}

static bool take(Parse *p, const char *word)
{
    if (!str_starts(str_skip(p->text, p->at), str_from(word))) return false;
    p->at += strlen(word);
    return true;
}

/* One character of UTF-8; the text was checked. */
static uint32_t character(Parse *p)
{
    unsigned char c = (unsigned char)p->text.ptr[p->at++];
    if (c < 0x80) return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t code = c & (0x3fu >> more);
    while (more-- && p->at < p->text.len)
        code = code << 6 | ((unsigned char)p->text.ptr[p->at++] & 0x3f);
    return code;
}

/* ---- classes ---- */

typedef struct Ranges {
    PatternRange list[RANGES_MAX];
    uint32_t count;
} Ranges;

static void put(Parse *p, Ranges *r, uint32_t lo, uint32_t hi)
{
    if (r->count == RANGES_MAX)
        fail(p, p->at, "this class has too many parts");
    else
        r->list[r->count++] = (PatternRange){lo, hi};
}

/* Sorted and apart. */
static void tidy(Ranges *r)
{
    for (uint32_t i = 1; i < r->count; i++) {
        PatternRange x = r->list[i];
        uint32_t at = i;
        for (; at > 0 && r->list[at - 1].lo > x.lo; at--) r->list[at] = r->list[at - 1];
        r->list[at] = x;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        if (kept && r->list[i].lo <= r->list[kept - 1].hi + 1) {
            if (r->list[i].hi > r->list[kept - 1].hi) r->list[kept - 1].hi = r->list[i].hi;
        } else {
            r->list[kept++] = r->list[i];
        }
    }
    r->count = kept;
}

static void invert(Ranges *r)
{
    Ranges out = {.count = 0};
    uint32_t next = 0;
    tidy(r);
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->list[i].lo > next) out.list[out.count++] = (PatternRange){next, r->list[i].lo - 1};
        next = r->list[i].hi + 1;
    }
    if (next <= CODE_MAX && out.count < RANGES_MAX)
        out.list[out.count++] = (PatternRange){next, CODE_MAX};
    *r = out;
}

/* The other case of ASCII letters, too. */
static void both_cases(Parse *p, Ranges *r)
{
    uint32_t count = r->count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t from = 'A'; from <= 'a'; from += 32) {
            uint32_t lo = r->list[i].lo > from ? r->list[i].lo : from,
                     hi = r->list[i].hi < from + 25 ? r->list[i].hi : from + 25;
            if (lo <= hi) put(p, r, lo ^ 32, hi ^ 32);
        }
}

static PatternNode *class_node(Parse *p, Ranges *r, bool inverted)
{
    if (p->any_case) both_cases(p, r);
    if (inverted)
        invert(r);
    else
        tidy(r);
    PatternNode *n = node(p, PATTERN_CLASS, NULL, NULL);
    PatternRange *copy = n ? arena_many(p->arena, PatternRange, r->count + 1) : NULL;
    if (!copy) return n ? fail(p, p->at, "no memory") : NULL;
    memcpy(copy, r->list, r->count * sizeof *copy);
    n->ranges = copy;
    n->range_count = r->count;
    return n;
}

/* d w s, or their inversions in capitals; false: another letter. */
static bool shorthand(Parse *p, int c, Ranges *r)
{
    Ranges one = {.count = 0};
    switch (c | 32) {
    case 'd': put(p, &one, '0', '9'); break;
    case 'w':
        put(p, &one, '0', '9');
        put(p, &one, 'A', 'Z');
        put(p, &one, '_', '_');
        put(p, &one, 'a', 'z');
        break;
    case 's':
        put(p, &one, '\t', '\n');
        put(p, &one, '\f', '\r');
        put(p, &one, ' ', ' ');
        break;
    default: return false;
    }
    if (c < 'a') invert(&one);
    for (uint32_t i = 0; i < one.count; i++) put(p, r, one.list[i].lo, one.list[i].hi);
    return true;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    int low = c | 32;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Behind "\x". */
static uint32_t hex(Parse *p)
{
    size_t start = p->at - 2;
    bool brace = take(p, "{");
    uint32_t code = 0, digits = 0;
    while (hex_digit(peek(p)) >= 0 && digits < (brace ? 6u : 2u)) {
        code = code * 16 + (uint32_t)hex_digit(peek(p));
        p->at++;
        digits++;
    }
    if (!digits || (!brace && digits != 2) || (brace && !take(p, "}")) || code > CODE_MAX)
        fail(p, start, "\\x takes two hex digits, or \\x{...} a code point");
    return code;
}

/* Behind the backslash, no shorthand: the character meant. */
static uint32_t escaped(Parse *p)
{
    static const char from[] = "nrtfv", to[] = "\n\r\t\f\v";
    size_t start = p->at - 1;
    int c = peek(p);
    if (c < 0) {
        fail(p, start, "a backslash at the end");
        return 0;
    }
    p->at++;
    if (c == 'x') return hex(p);
    const char *known = strchr(from, c);
    if (known) return (unsigned char)to[known - from];
    bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80;
    if (word) fail(p, start, "this escape is not known");
    return (uint32_t)c;
}

/* Behind '[': up to its ']'. */
static PatternNode *bracket(Parse *p)
{
    size_t start = p->at - 1;
    Ranges r = {.count = 0};
    bool inverted = take(p, "^"), first = true;
    while (!p->wrong && (first || peek(p) != ']')) {
        if (peek(p) < 0) return fail(p, start, "this `[` has no `]`");
        first = false;
        if (take(p, "[:")) return fail(p, p->at - 2, "classes like [:alpha:] are not known");
        uint32_t lo;
        if (take(p, "\\")) {
            if (peek(p) >= 0 && shorthand(p, peek(p), &r)) {
                p->at++;
                continue;
            }
            lo = escaped(p);
        } else {
            lo = character(p);
        }
        uint32_t hi = lo;
        bool range = peek(p) == '-' && p->at + 1 < p->text.len && p->text.ptr[p->at + 1] != ']';
        if (range) {
            size_t dash = p->at++;
            hi = take(p, "\\") ? escaped(p) : character(p);
            if (hi < lo) return fail(p, dash, "this range is empty");
        }
        put(p, &r, lo, hi);
    }
    p->at++;
    return class_node(p, &r, inverted);
}

/* ---- the rest ---- */

static PatternNode *either(Parse *p);

/* Behind '('. */
static PatternNode *group(Parse *p)
{
    size_t start = p->at - 1;
    if (take(p, "?:")) {
    } else if (peek(p) == '?') {
        return fail(p, start, "of (?...) only (?:...), and (?i) in front of all, are known");
    }
    if (++p->depth > DEPTH_MAX) return fail(p, start, "parentheses nest too deeply");
    PatternNode *inner = either(p);
    p->depth--;
    if (inner && !take(p, ")")) return fail(p, start, "this `(` has no `)`");
    return inner;
}

static PatternNode *one(Parse *p)
{
    Ranges r = {.count = 0};
    size_t start = p->at;
    switch (peek(p)) {
    case '(': p->at++; return group(p);
    case '[': p->at++; return bracket(p);
    case '^': p->at++; return node(p, PATTERN_BEGIN, NULL, NULL);
    case '$': p->at++; return node(p, PATTERN_END, NULL, NULL);
    case '.':
        p->at++;
        put(p, &r, 0, '\n' - 1);
        put(p, &r, '\n' + 1, CODE_MAX);
        return class_node(p, &r, false);
    case '*':
    case '+':
    case '?': return fail(p, start, "nothing stands here that repeats");
    case '\\':
        p->at++;
        if (peek(p) == 'b' || peek(p) == 'B') return fail(p, start, "\\b is not known");
        if (peek(p) >= 0 && shorthand(p, peek(p), &r)) {
            p->at++;
            return class_node(p, &r, false);
        }
        put(p, &r, 0, 0);
        r.list[0].lo = r.list[0].hi = escaped(p);
        return class_node(p, &r, false);
    default:
        put(p, &r, 0, 0);
        r.list[0].lo = r.list[0].hi = character(p);
        return class_node(p, &r, false);
    }
}

/* {2} {2,} {2,5}; false: a brace that means itself. */
static bool counts(Parse *p, int *min, int *max)
{
    size_t at = p->at + 1;
    int values[2] = {0, -1}, which = 0;
    bool digits = false;
    for (; at < p->text.len && p->text.ptr[at] != '}'; at++) {
        char c = p->text.ptr[at];
        if (c == ',' && which == 0 && digits) {
            which = 1;
            digits = false;
        } else if (c >= '0' && c <= '9' && values[which] <= PATTERN_REPEAT_MAX) {
            values[which] = (values[which] < 0 ? 0 : values[which]) * 10 + (c - '0');
            digits = true;
        } else {
            return false;
        }
    }
    if (at >= p->text.len || (!which && !digits)) return false;
    *min = values[0];
    *max = which ? values[1] : values[0];
    if (*min > PATTERN_REPEAT_MAX || *max > PATTERN_REPEAT_MAX || (*max >= 0 && *max < *min))
        fail(p, p->at, "a repetition is {n}, {n,} or {n,m} with n <= m <= 1000");
    p->at = at + 1;
    return true;
}

static PatternNode *repeated(Parse *p)
{
    PatternNode *n = one(p);
    while (n) {
        int min = 0, max = -1;
        int c = peek(p);
        if (c == '*' || c == '+' || c == '?') {
            min = c == '+';
            max = c == '?' ? 1 : -1;
            p->at++;
        } else if (c != '{' || !counts(p, &min, &max)) {
            break;
        }
        take(p, "?"); /* greedy or not: it matches the same texts */
        n = node(p, PATTERN_REPEAT, n, NULL);
        if (n) n->min = min, n->max = max;
    }
    return n;
}

static PatternNode *sequence(Parse *p)
{
    PatternNode *all = node(p, PATTERN_EMPTY, NULL, NULL);
    while (all && !p->wrong && peek(p) >= 0 && peek(p) != '|' && peek(p) != ')') {
        PatternNode *next = repeated(p);
        if (!next) return NULL;
        all = all->kind == PATTERN_EMPTY ? next : node(p, PATTERN_THEN, all, next);
    }
    return all;
}

static PatternNode *either(Parse *p)
{
    PatternNode *all = sequence(p);
    while (all && take(p, "|")) {
        PatternNode *next = sequence(p);
        if (!next) return NULL;
        all = node(p, PATTERN_OR, all, next);
    }
    return all;
}

Status pattern__parse(Arena *arena, Str text, const PatternNode **ret_root, size_t *ret_at,
                      Diag *diag)
{
    Parse p = {.arena = arena, .text = text};
    *ret_at = 0;
    if (text.len > PATTERN_TEXT_MAX)
        return diag_set(diag, ST_LIMIT, "a pattern has at most %d bytes", PATTERN_TEXT_MAX);
    if (!str_utf8_valid(text)) return diag_set(diag, ST_INVALID, "a pattern is UTF-8");
    p.any_case = take(&p, "(?i)");
    PatternNode *root = either(&p);
    if (root && !p.wrong && p.at < text.len) fail(&p, p.at, "this `)` has no `(`");
    if (p.no_memory) return diag_set(diag, ST_NO_MEMORY, "a pattern");
    if (p.wrong) {
        *ret_at = p.wrong_at;
        return diag_set(diag, ST_INVALID, "%s", p.wrong);
    }
    *ret_root = root;
    return ST_OK;
}
