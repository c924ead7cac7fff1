/* compiler/diag/diag.c: collecting findings: limits, one error a stage, suggestions.
 *
 * Nothing here can fail towards the caller: a finding that finds no room goes to the sink, and
 * is only counted. How findings look is in print.c. */
#include "compiler/diag/diag.h"

#include "base/hash.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void diag_list_init(DiagList *list, Arena *arena, const SourceSet *sources)
{
    *list = (DiagList){.arena = arena, .sources = sources};
}

/* ---- one error a stage ------------------------------------------------------------------- */

static uint64_t stage_key(uint32_t file, uint32_t stage)
{
    return ((uint64_t)file << 32) | stage;
}

static bool stage_seen(const DiagList *list, uint64_t key)
{
    if (!list->stages_cap) return false;
    for (uint64_t at = key * 0x9E3779B97F4A7C15u >> 32;; at++) {
        uint64_t have = list->stages_seen[at & (list->stages_cap - 1)];
        if (have == key) return true;
        if (!have) return false;
    }
}

static void stage_put(DiagList *list, uint64_t key)
{
    for (uint64_t at = key * 0x9E3779B97F4A7C15u >> 32;; at++) {
        uint64_t *slot = &list->stages_seen[at & (list->stages_cap - 1)];
        if (*slot && *slot != key) continue;
        list->stages_count += *slot == 0;
        *slot = key;
        return;
    }
}

static void stage_remember(DiagList *list, uint64_t key)
{
    if (list->stages_count * 2 >= list->stages_cap) {
        uint32_t old_cap = list->stages_cap, cap = old_cap ? old_cap * 2 : 64;
        uint64_t *old = list->stages_seen, *slots = arena_many(list->arena, uint64_t, cap);
        if (!slots) return; /* an echo more is better than no report */
        list->stages_seen = slots;
        list->stages_cap = cap;
        list->stages_count = 0;
        for (uint32_t i = 0; i < old_cap; i++) {
            if (old[i]) stage_put(list, old[i]);
        }
    }
    stage_put(list, key);
}

void diag_stage_begin(DiagList *list, Span start)
{
    list->stage_file = start.file;
    list->stage = start.start + 1;
}

void diag_stage_end(DiagList *list)
{
    list->stage = 0;
}

bool diag_stage_broken(const DiagList *list, Span start)
{
    return stage_seen(list, stage_key(start.file, start.start + 1));
}

/* ---- findings ---------------------------------------------------------------------------- */

static Diagnostic *sink(DiagList *list)
{
    list->sink = (Diagnostic){0};
    list->sink.note_count = DIAG_NOTES_MAX;
    list->sink.fix_count = list->sink.hint_count = DIAG_FIXES_MAX;
    return &list->sink;
}

static Diagnostic *add(DiagList *list, DiagSeverity severity, DiagCode code, Span span,
                       const char *format, va_list args)
{
    if (list->count >= DIAG_ERRORS_MAX) return sink(list);
    Diagnostic *d = arena_one(list->arena, Diagnostic);
    if (!d) return sink(list);
    *d = (Diagnostic){.code = code, .severity = severity, .span = span};
    d->message = arena_vprintf(list->arena, format, args);
    for (const Diagnostic *old = list->first; old; old = old->next) /* in a file used twice */
        if (old->code == code && old->span.file == span.file && old->span.start == span.start &&
            old->span.end == span.end && str_eq(old->message, d->message))
            return sink(list);
    if (list->last)
        list->last->next = d;
    else
        list->first = d;
    list->last = d;
    list->count++;
    return d;
}

Diagnostic *diag_error(DiagList *list, DiagCode code, Span span, const char *format, ...)
{
    list->error_count++;
    if (list->stage) {
        uint64_t key = stage_key(list->stage_file, list->stage);
        if (stage_seen(list, key)) return sink(list);
        stage_remember(list, key);
    }
    va_list args;
    va_start(args, format);
    Diagnostic *d = add(list, DIAG_ERROR, code, span, format, args);
    va_end(args);
    return d;
}

Diagnostic *diag_warning(DiagList *list, DiagCode code, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Diagnostic *d = add(list, DIAG_WARNING, code, span, format, args);
    va_end(args);
    return d;
}

void diag_under(DiagList *list, Diagnostic *d, const char *format, ...)
{
    if (d == &list->sink) return;
    va_list args;
    va_start(args, format);
    d->under = arena_vprintf(list->arena, format, args);
    va_end(args);
}

void diag_note(DiagList *list, Diagnostic *d, Span span, const char *format, ...)
{
    if (d->note_count >= DIAG_NOTES_MAX) return;
    DiagNote *note = arena_one(list->arena, DiagNote);
    if (!note) return;
    va_list args;
    va_start(args, format);
    *note = (DiagNote){.span = span, .text = arena_vprintf(list->arena, format, args)};
    va_end(args);
    if (d->last_note)
        d->last_note->next = note;
    else
        d->notes = note;
    d->last_note = note;
    d->note_count++;
}

void diag_fix_str(DiagList *list, Diagnostic *d, Str label, Span span, Str text)
{
    if (d->fix_count >= DIAG_FIXES_MAX) return;
    DiagFix *fix = arena_one(list->arena, DiagFix);
    if (!fix) return;
    *fix = (DiagFix){
        .span = span, .label = arena_str(list->arena, label), .text = arena_str(list->arena, text)};
    if (d->last_fix)
        d->last_fix->next = fix;
    else
        d->fixes = fix;
    d->last_fix = fix;
    d->fix_count++;
}

void diag_fix(DiagList *list, Diagnostic *d, const char *label, Span span, const char *text)
{
    diag_fix_str(list, d, str_from(label), span, str_from(text));
}

void diag_hint(DiagList *list, Diagnostic *d, const char *text)
{
    if (d->hint_count >= DIAG_FIXES_MAX) return;
    DiagHint *hint = arena_one(list->arena, DiagHint);
    if (!hint) return;
    *hint = (DiagHint){.text = arena_str(list->arena, str_from(text))};
    if (d->last_hint)
        d->last_hint->next = hint;
    else
        d->hints = hint;
    d->last_hint = hint;
    d->hint_count++;
}

/* ---- order ------------------------------------------------------------------------------- */

static int by_place(const void *left, const void *right)
{
    const Diagnostic *a = *(Diagnostic *const *)left, *b = *(Diagnostic *const *)right;
    if (a->span.file != b->span.file) return a->span.file < b->span.file ? -1 : 1;
    if (a->span.start != b->span.start) return a->span.start < b->span.start ? -1 : 1;
    return a->span.end < b->span.end ? -1 : a->span.end > b->span.end;
}

void diag_sort(DiagList *list)
{
    Diagnostic *all[DIAG_ERRORS_MAX];
    uint32_t count = 0;
    for (Diagnostic *d = list->first; d && count < DIAG_ERRORS_MAX; d = d->next) all[count++] = d;
    if (count < 2) return;
    /* Insertion sort: stable, and there are at most DIAG_ERRORS_MAX of them. */
    for (uint32_t i = 1; i < count; i++) {
        Diagnostic *d = all[i];
        uint32_t at = i;
        for (; at > 0 && by_place(&all[at - 1], &d) > 0; at--) all[at] = all[at - 1];
        all[at] = d;
    }
    for (uint32_t i = 0; i < count; i++) all[i]->next = i + 1 < count ? all[i + 1] : NULL;
    list->first = all[0];
    list->last = all[count - 1];
}

/* ---- suggestions ------------------------------------------------------------------------- */

enum { WORD_BYTES_MAX = 64 };

uint32_t diag_distance(Str a, Str b, uint32_t max)
{
    if (a.len > WORD_BYTES_MAX || b.len > WORD_BYTES_MAX) return max + 1;
    uint32_t rows[3][WORD_BYTES_MAX + 1]; /* the row before last, the last, the current */
    uint32_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (uint32_t j = 0; j <= b.len; j++) last[j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            bool same =
                tolower((unsigned char)a.ptr[i - 1]) == tolower((unsigned char)b.ptr[j - 1]);
            uint32_t best = last[j - 1] + !same;
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        uint32_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.len] > max ? max + 1 : last[b.len];
}

void diag_suggest(Str word, Str candidate, Str *best, uint32_t *distance)
{
    uint32_t limit = word.len <= 3 ? 1 : 2;
    uint32_t d = diag_distance(word, candidate, limit);
    if (d > limit || d >= *distance || d >= candidate.len) return;
    *best = candidate;
    *distance = d;
}
