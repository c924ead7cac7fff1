/* tests/fuzz/damage_tokens.c: one token of a good program goes wrong: is the blame beside it?
 *
 *   damage_tokens CASES SEED FLOOR [--show N] FILE...
 *
 * Takes the programs in turn and damages one token of each copy: left out, doubled, swapped with
 * its neighbour, or replaced by a token of another place. A damaged program that still compiles
 * proves nothing and does not count. Of the others the first error must stand beside the damage: no
 * whole token may lie between the two. FLOOR is the least share of those, per cent. The seed is
 * printed, so a run can be played again; --show prints the first N cases that missed. */
#include "base/mem.h"
#include "compiler/compile.h"
#include "compiler/lex/lex.h"
#include "parse/grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 64 << 10, TOKENS_MAX = 20000, ARENA_MAX = 256 << 20, FILES_MAX = 200 };

typedef enum Damage {
    DAMAGE_DELETE,
    DAMAGE_DOUBLE,
    DAMAGE_SWAP,
    DAMAGE_REPLACE,
    DAMAGE__COUNT
} Damage;

static const char *const damage_names[] = {"left out", "doubled", "swapped", "replaced"};

typedef struct Program {
    const char *path;
    Str text;
    Span *tokens; /* without comments and the end */
    uint32_t count;
} Program;

typedef struct Score {
    uint32_t wrong, beside; /* damaged programs with an error, and with it in the right place */
} Score;

static uint64_t state;

static uint64_t next_random(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

static uint32_t below(uint32_t count)
{
    return (uint32_t)(next_random() % count);
}

static bool load(Arena *arena, const char *path, Program *ret)
{
    SourceSet set;
    Source *source;
    LexToken *tokens;
    uint32_t count;
    source_set_init(&set, arena);
    *ret = (Program){.path = path};
    if (source_load(&set, path, &source, NULL) ||
        lex_source(arena, source, TOKENS_MAX, &tokens, &count))
        return false;
    ret->text = source->text;
    ret->tokens = arena_many(arena, Span, count);
    for (uint32_t i = 0; ret->tokens && i < count; i++) {
        if (tokens[i].kind == T_COMMENT || tokens[i].kind == 0) continue;
        ret->tokens[ret->count++] = (Span){0, tokens[i].start, tokens[i].end};
    }
    return ret->tokens && ret->count > 2;
}

static Str token_text(const Program *p, uint32_t at)
{
    return str_slice(p->text.ptr + p->tokens[at].start, p->tokens[at].end - p->tokens[at].start);
}

/* The damaged text in `out`, and where in it the damage lies. */
static Span damage(const Program *p, const Program *other, Damage how, Buf *out)
{
    bool swap = how == DAMAGE_SWAP;
    uint32_t at = below(p->count - (swap ? 1 : 0)), last = at + (swap ? 1 : 0);
    Span one = p->tokens[at], two = p->tokens[last];
    Span hit = {0, one.start, one.end};
    buf_clear(out);
    buf_add(out, p->text.ptr, one.start);
    switch (how) {
    case DAMAGE_DELETE: break;
    case DAMAGE_DOUBLE:
        buf_str(out, token_text(p, at));
        buf_char(out, ' ');
        buf_str(out, token_text(p, at));
        break;
    case DAMAGE_SWAP:
        buf_str(out, token_text(p, last));
        buf_add(out, p->text.ptr + one.end, two.start - one.end); /* blanks, and maybe a comment */
        buf_str(out, token_text(p, at));
        break;
    default: buf_str(out, token_text(other, below(other->count))); break;
    }
    hit.end = (uint32_t)out->len;
    buf_add(out, p->text.ptr + two.end, p->text.len - two.end);
    return hit;
}

/* No whole token of the damaged text stands between the two. */
static bool is_beside(Arena *arena, const Source *source, Span hit, Span error)
{
    LexToken *tokens;
    uint32_t count;
    Span a = hit.start <= error.start ? hit : error, b = hit.start <= error.start ? error : hit;
    if (lex_source(arena, source, TOKENS_MAX, &tokens, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (tokens[i].kind == T_COMMENT || tokens[i].kind == 0) continue;
        if (tokens[i].start >= a.end && tokens[i].end <= b.start) return false;
    }
    return true;
}

static void show(const Program *p, Damage how, const Source *source, Span hit,
                 const DiagList *diags)
{
    AUTO_BUF Buf out;
    SourcePlace place = source_place(source, hit.start);
    Str line = source_line(source, place.line);
    buf_init(&out, 1 << 20);
    diag_print(diags, &out);
    Str text = buf_view(&out);
    (void)printf("---- %s, %s at %u:%u\n     %.*s\n%.*s", p->path, damage_names[how], place.line,
                 place.column, STR_ARG(line), (int)(text.len < 900 ? text.len : 900), text.ptr);
}

/* Compiles one damaged text. */
static void judge(const Program *p, Damage how, Str text, Span hit, Score *score, uint32_t *shows)
{
    SourceSet set;
    DiagList diags;
    Source *source;
    IrProgram *program = NULL;
    Diag diag = {0};
    Arena *arena = arena_new(64 << 10, ARENA_MAX);
    if (!arena) return;
    source_set_init(&set, arena);
    diag_list_init(&diags, arena, &set);
    CompileOptions options = {.diag = &diag};
    if (source_add(&set, STR("m.tutti"), text, &source, NULL) == ST_OK &&
        compile_source(arena, source, &diags, &options, &program) == ST_OK &&
        diags.error_count > 0) {
        diag_sort(&diags);
        const Diagnostic *first = diags.first;
        while (first->severity != DIAG_ERROR) first = first->next;
        bool beside = is_beside(arena, source, hit, first->span);
        score->wrong++;
        score->beside += beside;
        if (!beside && *shows) {
            --*shows;
            show(p, how, source, hit, &diags);
        }
    }
    arena_free(arena);
}

static double per_cent(const Score *score)
{
    return score->wrong ? 100.0 * score->beside / score->wrong : 100.0;
}

int main(int argc, char **argv)
{
    Program programs[FILES_MAX];
    Score all = {0}, each[DAMAGE__COUNT] = {{0}};
    uint32_t count = 0, shows = 0;
    if (argc < 5) {
        (void)fputs("usage: damage_tokens CASES SEED FLOOR [--show N] FILE...\n", stderr);
        return 2;
    }
    uint64_t cases = strtoull(argv[1], NULL, 10), seed = strtoull(argv[2], NULL, 10);
    double floor = strtod(argv[3], NULL);
    int first = 4;
    if (strcmp(argv[4], "--show") == 0 && argc > 6) {
        shows = (uint32_t)strtoul(argv[5], NULL, 10);
        first = 6;
    }
    Arena *arena = arena_new(64 << 10, ARENA_MAX);
    for (int i = first; arena && i < argc && count < FILES_MAX; i++) {
        if (!load(arena, argv[i], &programs[count++])) return 2;
    }
    if (!count) return 2;
    state = seed * 0x9E3779B97F4A7C15u + 1;
    AUTO_BUF Buf text;
    buf_init(&text, TEXT_MAX);
    for (uint64_t i = 0; i < cases; i++) {
        const Program *p = &programs[i % count];
        Damage how = (Damage)below(DAMAGE__COUNT);
        Span hit = damage(p, &programs[below(count)], how, &text);
        Score one = {0};
        judge(p, how, buf_view(&text), hit, &one, &shows);
        each[how].wrong += one.wrong, each[how].beside += one.beside;
        all.wrong += one.wrong, all.beside += one.beside;
    }
    (void)printf("seed %llu, %llu damaged programs of %u, %u of them wrong\n",
                 (unsigned long long)seed, (unsigned long long)cases, count, all.wrong);
    for (int how = 0; how < DAMAGE__COUNT; how++)
        (void)printf("  %-9s %6.2f %% beside the damage (%u of %u)\n", damage_names[how],
                     per_cent(&each[how]), each[how].beside, each[how].wrong);
    (void)printf("  %-9s %6.2f %%, at least %.0f %% wanted\n", "all", per_cent(&all), floor);
    bool fine = per_cent(&all) >= floor && all.wrong > 0;
    (void)printf("%d passed, %d failed\n", fine, !fine);
    arena_free(arena);
    return !fine;
}
