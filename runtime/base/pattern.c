/* runtime/base/pattern.c: a pattern's tree as an automaton, and walking a text over it.
 *
 * Thompson's construction over bytes (a class of characters becomes chains of ranges of UTF-8
 * bytes), then the subset construction, once, when the pattern is compiled. A search is the same as
 * a match that may begin at every byte: the start is added to every set. Sets that hold the end of
 * the pattern are one state, because the answer is known there.
 *
 *   u16 states, u16 classes; u8 class of each byte [256]; u8 found at the text's end [states];
 *   u16 next [states x classes], in the machine's order. State 0: never found; 1: found; 2: start.
 */
#include "base/pattern.h"

#include "base/hash.h"
#include "base/pattern_int.h"

#include <string.h>

enum { NODES_MAX = 3000, DEAD = 0, FOUND = 1, START = 2 };

typedef enum NfaKind { NFA_RANGE, NFA_SPLIT, NFA_BEGIN, NFA_END, NFA_MATCH } NfaKind;

typedef struct Nfa {
    NfaKind kind;
    uint8_t lo, hi;   /* RANGE */
    uint32_t to, or ; /* or: SPLIT's second way, or NONE */
} Nfa;

enum { NONE = 0xffff };

typedef struct Build {
    Nfa *nodes;
    uint32_t count;
    bool full;
} Build;

static uint32_t add(Build *b, Nfa n)
{
    if (b->count == NODES_MAX) {
        b->full = true;
        return 0;
    }
    b->nodes[b->count] = n;
    return b->count++;
}

/* ---- a class as chains of bytes, all leading to `to` ---- */

static uint32_t utf8(uint32_t code, uint8_t *out)
{
    if (code < 0x80) return out[0] = (uint8_t)code, 1;
    uint32_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (uint32_t i = n; i-- > 1; code >>= 6) out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)((0xf0u << (4 - n)) | code);
    return n;
}

/* Code points lo..hi, cut where the bytes of their UTF-8 do not form one range a place. */
static uint32_t chains(Build *b, uint32_t lo, uint32_t hi, uint32_t to, uint32_t others)
{
    static const uint32_t lengths[] = {0x7f, 0x7ff, 0xffff};
    for (size_t i = 0; i < 3; i++)
        if (lo <= lengths[i] && hi > lengths[i])
            return chains(b, lo, lengths[i], to, chains(b, lengths[i] + 1, hi, to, others));
    for (uint32_t bits = 6; bits <= 18 && hi > 0x7f; bits += 6) {
        uint32_t low = (1u << bits) - 1;
        if ((lo | low) == (hi | low)) break;
        if (lo & low) return chains(b, lo, lo | low, to, chains(b, (lo | low) + 1, hi, to, others));
        if ((hi & low) != low)
            return chains(b, lo, (hi & ~low) - 1, to, chains(b, hi & ~low, hi, to, others));
    }
    uint8_t first[4], last[4];
    uint32_t n = utf8(lo, first);
    (void)utf8(hi, last);
    for (uint32_t i = n; i-- > 0;)
        to = add(b, (Nfa){.kind = NFA_RANGE, .lo = first[i], .hi = last[i], .to = to, .or = NONE});
    return others == NONE ? to : add(b, (Nfa){.kind = NFA_SPLIT, .to = to, .or = others});
}

/* ---- the tree, back to front: what leads to `to` ---- */

static uint32_t lead(Build *b, const PatternNode *n, uint32_t to)
{
    uint32_t way, at;
    if (b->full) return to;
    switch (n->kind) {
    case PATTERN_EMPTY: return to;
    case PATTERN_BEGIN: return add(b, (Nfa){.kind = NFA_BEGIN, .to = to, .or = NONE});
    case PATTERN_END: return add(b, (Nfa){.kind = NFA_END, .to = to, .or = NONE});
    case PATTERN_THEN: return lead(b, n->a, lead(b, n->b, to));
    case PATTERN_OR:
        way = lead(b, n->b, to);
        return add(b, (Nfa){.kind = NFA_SPLIT, .to = lead(b, n->a, to), .or = way});
    case PATTERN_CLASS:
        if (!n->range_count) /* [^\x00-\x{10FFFF}]: no byte is below 1 and above 2 */
            return add(b, (Nfa){.kind = NFA_RANGE, .lo = 2, .hi = 1, .to = to, .or = NONE});
        way = NONE;
        for (uint32_t i = n->range_count; i-- > 0 && !b->full;)
            way = chains(b, n->ranges[i].lo, n->ranges[i].hi, to, way);
        return way;
    case PATTERN_REPEAT: break;
    }
    if (n->max < 0) { /* a loop behind the ones that must be */
        at = add(b, (Nfa){.kind = NFA_SPLIT, .to = to, .or = to});
        way = lead(b, n->a, at);
        b->nodes[at].to = way;
        to = at;
    }
    for (int i = n->min; i < n->max && !b->full; i++) {
        way = lead(b, n->a, to);
        to = add(b, (Nfa){.kind = NFA_SPLIT, .to = way, .or = to});
    }
    for (int i = 0; i < n->min && !b->full; i++) to = lead(b, n->a, to);
    return to;
}

/* ---- sets of nodes ---- */

typedef struct Dfa {
    const Build *nfa;
    uint32_t start, words; /* words of a set; the last bit: at the begin of the text */
    uint64_t *sets, *next; /* of each state; the set that is being made */
    uint64_t hashes[PATTERN_STATES_MAX];
    uint32_t *stack;
    uint16_t *cells;
    uint32_t count, classes;
    uint8_t class_of[256], byte_of[256], at_end[PATTERN_STATES_MAX];
} Dfa;

/* `set` with what is reached without a byte. True: the end of the pattern is. */
static bool reach(Dfa *d, uint64_t *set, uint32_t from, bool begin, bool end)
{
    uint32_t depth = 0;
    bool found = false;
    d->stack[depth++] = from;
    while (depth) {
        uint32_t at = d->stack[--depth];
        if (set[at / 64] >> (at % 64) & 1) continue;
        set[at / 64] |= 1ull << (at % 64);
        const Nfa *n = &d->nfa->nodes[at];
        if (n->kind == NFA_MATCH) found = true;
        if (n->kind == NFA_SPLIT) d->stack[depth++] = n->or ;
        if (n->kind == NFA_SPLIT || (n->kind == NFA_BEGIN && begin) || (n->kind == NFA_END && end))
            d->stack[depth++] = n->to;
    }
    return found;
}

/* Found when the text ends here: what END leads to from the set. */
static bool found_at_end(Dfa *d, const uint64_t *set, bool begin)
{
    uint64_t *more = d->next + d->words;
    memset(more, 0, d->words * 8);
    for (uint32_t i = 0; i < d->nfa->count; i++)
        if ((set[i / 64] >> (i % 64) & 1) && d->nfa->nodes[i].kind == NFA_END &&
            reach(d, more, d->nfa->nodes[i].to, begin, true))
            return true;
    return false;
}

/* The state of the set in d->next, a new one if need be; NONE: too many. */
static uint32_t state_of(Dfa *d, bool begin)
{
    bool empty = true;
    for (uint32_t i = 0; i < d->words; i++) empty = empty && !d->next[i];
    if (empty) return DEAD;
    if (begin) d->next[d->words - 1] |= 1ull << 63;
    uint64_t hash = hash_bytes(d->next, d->words * 8);
    for (uint32_t s = START; s < d->count; s++)
        if (d->hashes[s] == hash &&
            memcmp(d->sets + (size_t)s * d->words, d->next, d->words * 8) == 0)
            return s;
    if (d->count == PATTERN_STATES_MAX || (d->count + 1) * d->classes > PATTERN_CELLS_MAX)
        return NONE;
    memcpy(d->sets + (size_t)d->count * d->words, d->next, d->words * 8);
    d->hashes[d->count] = hash;
    d->at_end[d->count] = found_at_end(d, d->next, begin);
    return d->count++;
}

static uint32_t step(Dfa *d, uint32_t state, uint8_t byte)
{
    const uint64_t *set = d->sets + (size_t)state * d->words;
    bool found = false;
    memset(d->next, 0, d->words * 8);
    for (uint32_t i = 0; i < d->nfa->count; i++) {
        const Nfa *n = &d->nfa->nodes[i];
        if ((set[i / 64] >> (i % 64) & 1) && n->kind == NFA_RANGE && byte >= n->lo && byte <= n->hi)
            found |= reach(d, d->next, n->to, false, false);
    }
    found |= reach(d, d->next, d->start, false, false);
    if (found) return FOUND;
    /* A start that only waits for the begin of the text waits for nothing any more. */
    for (uint32_t i = 0; i < d->nfa->count; i++)
        if (d->nfa->nodes[i].kind == NFA_BEGIN || d->nfa->nodes[i].kind == NFA_SPLIT)
            d->next[i / 64] &= ~(1ull << (i % 64));
    return state_of(d, false);
}

/* Bytes that no range tells apart are one class. */
static void classes(Dfa *d)
{
    bool edge[257] = {false};
    for (uint32_t i = 0; i < d->nfa->count; i++) {
        const Nfa *n = &d->nfa->nodes[i];
        if (n->kind == NFA_RANGE) edge[n->lo] = edge[n->hi + 1] = true;
    }
    d->classes = 0;
    for (uint32_t byte = 0; byte < 256; byte++) {
        if (byte && edge[byte]) d->classes++;
        d->class_of[byte] = (uint8_t)d->classes;
        d->byte_of[d->classes] = (uint8_t)byte;
    }
    d->classes++;
}

static bool determine(Dfa *d)
{
    classes(d);
    d->count = START;
    d->at_end[FOUND] = 1;
    memset(d->next, 0, d->words * 8);
    bool found = reach(d, d->next, d->start, true, false);
    if (state_of(d, true) == NONE) return false;
    for (uint32_t s = 0; s < d->count; s++)
        for (uint32_t c = 0; c < d->classes; c++) {
            uint32_t to = s < START ? s : s == START && found ? FOUND : step(d, s, d->byte_of[c]);
            if (to == NONE) return false;
            d->cells[s * d->classes + c] = (uint16_t)to;
        }
    if (found) d->at_end[START] = 1;
    return true;
}

static void write(const Dfa *d, Buf *out)
{
    uint16_t head[2] = {(uint16_t)d->count, (uint16_t)d->classes};
    buf_str(out, str_slice((const char *)head, sizeof head));
    buf_str(out, str_slice((const char *)d->class_of, 256));
    buf_str(out, str_slice((const char *)d->at_end, d->count));
    buf_str(out, str_slice((const char *)d->cells, (size_t)d->count * d->classes * 2));
}

Status pattern_compile(Str text, Buf *out, size_t *ret_at, Diag *diag)
{
    Arena *arena = arena_new(64 << 10, 16 << 20);
    const PatternNode *root;
    Build b = {.nodes = arena ? arena_many(arena, Nfa, NODES_MAX) : NULL};
    *ret_at = 0;
    Status st = b.nodes ? pattern__parse(arena, text, &root, ret_at, diag)
                        : diag_set(diag, ST_NO_MEMORY, "a pattern");
    if (!st) {
        Dfa *d = arena_one(arena, Dfa);
        uint32_t match = add(&b, (Nfa){.kind = NFA_MATCH, .to = NONE, .or = NONE});
        uint32_t start = lead(&b, root, match), words = b.count / 64 + 1;
        words += b.count % 64 == 63; /* the last bit of the last word is not a node's */
        if (d) {
            *d = (Dfa){.nfa = &b, .start = start, .words = words};
            d->sets = arena_many(arena, uint64_t, (size_t)words * PATTERN_STATES_MAX);
            d->next = arena_many(arena, uint64_t, (size_t)words * 2);
            d->stack = arena_many(arena, uint32_t, 2 * NODES_MAX + 2);
            d->cells = arena_many(arena, uint16_t, PATTERN_CELLS_MAX + 256);
        }
        if (!d || !d->sets || !d->next || !d->stack || !d->cells)
            st = diag_set(diag, ST_NO_MEMORY, "a pattern");
        else if (b.full || !determine(d))
            st = diag_set(diag, ST_LIMIT, "this pattern needs too large a table");
        else
            write(d, out);
    }
    arena_free(arena);
    return st ? st : buf_status(out);
}

bool pattern_matches(const char *automaton, const char *p, size_t n)
{
    uint16_t states, classes, state = START;
    memcpy(&states, automaton, 2);
    memcpy(&classes, automaton + 2, 2);
    const uint8_t *class_of = (const uint8_t *)automaton + 4, *at_end = class_of + 256;
    const char *cells = (const char *)at_end + states;
    for (size_t i = 0; i < n; i++) {
        memcpy(&state, cells + 2 * ((size_t)state * classes + class_of[(unsigned char)p[i]]), 2);
        if (state < START) return state == FOUND;
    }
    return at_end[state];
}
