/* compiler/diag/diag.h: what the compiler has to say about a program.
 *
 * A Diagnostic has a code (codes.def), one sentence, the place, notes (where a fact came from),
 * fixes (what to write instead, applicable by a machine) and hints (the same, for people). Phases
 * report into one DiagList; it keeps at most DIAG_ERRORS_MAX of them and, per `stage`, only the
 * first error, because the second one in a stage is mostly an echo of the first. Texts and lists
 * live in the unit's arena.
 *
 *   Diagnostic *d = diag_error(list, DIAG_T014, span, "`%.*s` can be missing here", STR_ARG(name));
 *   diag_note(list, d, decl, "f64? since line %u", line);
 *   diag_fix(list, d, "give a default", at_end, " ?? 0 [bar]");
 *
 * diag_error never fails: with no room left it returns a sink that is not shown, so callers never
 * test for NULL; `list->error_count` still counts. */
#ifndef TUTTI_COMPILER_DIAG_DIAG_H
#define TUTTI_COMPILER_DIAG_DIAG_H

#include "base/buf.h"
#include "compiler/diag/source.h"

enum { DIAG_ERRORS_MAX = 50, DIAG_NOTES_MAX = 8, DIAG_FIXES_MAX = 6 };

typedef enum DiagCode {
#define CODE(id, title, why) DIAG_##id,
#include "compiler/diag/codes.def"
#undef CODE
    DIAG__COUNT
} DiagCode;

typedef enum DiagSeverity { DIAG_ERROR, DIAG_WARNING } DiagSeverity;

typedef struct DiagNote {
    Span span; /* file UINT32_MAX: the note has no place */
    Str text;
    struct DiagNote *next;
} DiagNote;

/* Replaces `span` by `text` (an empty span inserts); with it applied, this error is gone. `label`
 * is what the `write` line shows; when it is empty, the text is shown. */
typedef struct DiagFix {
    Span span;
    Str label, text;
    struct DiagFix *next;
} DiagFix;

/* What to write instead, for people only: where it goes, or what it says, is theirs to know. */
typedef struct DiagHint {
    Str text;
    struct DiagHint *next;
} DiagHint;

typedef struct Diagnostic {
    DiagCode code;
    DiagSeverity severity;
    Span span;
    Str message; /* one sentence, without the full stop */
    Str under;   /* short fact shown beside the carets; may be empty */
    DiagNote *notes, *last_note;
    DiagFix *fixes, *last_fix;
    DiagHint *hints, *last_hint;
    uint32_t note_count, fix_count, hint_count;
    struct Diagnostic *next;
} Diagnostic;

typedef struct DiagList {
    Arena *arena;
    const SourceSet *sources;
    Diagnostic *first, *last;
    uint32_t count, error_count; /* error_count also counts what was not kept */
    /* The stage the caller works on: a second error with the same number (not 0) is not kept.
     * Numbers are the stage's first byte + 1, so that parser and checker mean the same stage. */
    uint32_t stage_file, stage;
    uint64_t *stages_seen; /* open-addressed set of (file, stage) that have had their error */
    uint32_t stages_count, stages_cap;
    Diagnostic sink;
} DiagList;

void diag_list_init(DiagList *list, Arena *arena, const SourceSet *sources);
/* From here on errors belong to the stage that starts at `start`; diag_stage_end ends that. */
void diag_stage_begin(DiagList *list, Span start);
void diag_stage_end(DiagList *list);
/* True when the stage starting at `start` has had an error already (by any phase). */
bool diag_stage_broken(const DiagList *list, Span start);

Diagnostic *diag_error(DiagList *list, DiagCode code, Span span, const char *format, ...)
    PRINTF_LIKE(4, 5);
Diagnostic *diag_warning(DiagList *list, DiagCode code, Span span, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The short fact beside the carets. */
void diag_under(DiagList *list, Diagnostic *d, const char *format, ...) PRINTF_LIKE(3, 4);
void diag_note(DiagList *list, Diagnostic *d, Span span, const char *format, ...) PRINTF_LIKE(4, 5);
/* A fix whose label is the text it writes, or a label of its own. */
void diag_fix(DiagList *list, Diagnostic *d, const char *label, Span span, const char *text);
void diag_fix_str(DiagList *list, Diagnostic *d, Str label, Span span, Str text);
/* Shown behind `write` like a fix, but no machine can apply it. */
void diag_hint(DiagList *list, Diagnostic *d, const char *text);

/* Sorts by file and place (stable); call before printing. */
void diag_sort(DiagList *list);
/* The text form of docs/language.md, one block a diagnostic. */
void diag_print(const DiagList *list, Buf *out);
/* A JSON array: code, severity, message, file, line, column, end, notes, fixes. */
void diag_print_json(const DiagList *list, Buf *out);

typedef struct DiagCodeInfo {
    const char *id, *title, *why;
} DiagCodeInfo;

typedef enum DiagFrame { DIAG_FRAME_NONE, DIAG_FRAME_STAGE, DIAG_FRAME_FILE } DiagFrame;

/* What gives the code, and what to write instead (examples.def). Texts may be empty. */
typedef struct DiagExample {
    DiagFrame frame;
    const char *wrong, *right;
} DiagExample;

const DiagCodeInfo *diag_code_info(DiagCode code);
const DiagExample *diag_code_example(DiagCode code);
/* All codes: as lines `CODE  title`, as a JSON array, as docs/diagnostics.md. */
void diag_codes_text(Buf *out);
void diag_codes_json(Buf *out);
void diag_codes_page(Buf *out);
/* Title, reason and example of one. */
void diag_code_explain(const DiagCodeInfo *info, Buf *out);
/* By its id in any case ("p001"), or NULL. */
const DiagCodeInfo *diag_code_find(Str id);

/* Edit distance with swaps (optimal string alignment), cut off at `max + 1`. */
uint32_t diag_distance(Str a, Str b, uint32_t max);
/* Keeps the best candidate within distance 2 (1 for words of up to 3 letters). Start with
 * best = STR_NONE and distance = UINT32_MAX. */
void diag_suggest(Str word, Str candidate, Str *best, uint32_t *distance);

#endif
