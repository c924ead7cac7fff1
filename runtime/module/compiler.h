/* runtime/module/compiler.h: the one door from the runtime to a compiler, as a function table.
 *
 * The engine links without the compiler: `tutti` hands over the real one, a Lite artifact hands
 * over the programs it carries (program_compiler_prebuilt). Set once, before the host opens
 * modules, and read by the engine module. */
#ifndef TUTTI_MODULE_COMPILER_H
#define TUTTI_MODULE_COMPILER_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

struct RtProgram;
struct FlowProgram;

typedef struct ProgramCompiled {
    bool ok;      /* no errors; false: `problems` says which */
    Str problems; /* JSON list of problems as in docs/api-live.md; empty = none */
    Str graph;    /* JSON object (`tutti graph --json`), empty when the text was not understood */
    /* When linked, one of the three: */
    Str so_path;                   /* the program as a shared object */
    const struct RtProgram *table; /* a program already in this process; constant */
    struct FlowProgram *program;   /* a program made in memory: the receiver's to free */
    bool quick;  /* PROGRAM_QUICK gave an object that PROGRAM_FULL would make faster */
    bool learns; /* `learn` would make it faster where records have other shapes than known */
} ProgramCompiled;

/* Records of one pipeline, as lines: from them the order and spacing of their keys is learnt. */
typedef struct ProgramSample {
    Str pipeline, lines;
} ProgramSample;

/* What a deploy would do, without doing it. */
typedef struct ProgramPreview {
    bool ok; /* the new text has no errors; false: `problems` says which, nothing else is set */
    Str problems; /* as above */
    Str changes;  /* JSON as of `tutti diff --json` */
    Str text;     /* the same in sentences */
} ProgramPreview;

/* A text of type declarations, and one of its types as data. */
typedef struct ProgramSchema {
    bool ok;      /* no errors; false: `problems` says which, nothing else is set */
    Str problems; /* as above */
    Str root;     /* the type's name: what was asked for, or the text's last type */
    Str form;     /* JSON object of compiler/report/report.h: report_form */
    Str alarms;   /* JSON list of rules whose `on` names a field, empty: the topic itself */
} ProgramSchema;

typedef enum ProgramLink { PROGRAM_CHECK, PROGRAM_QUICK, PROGRAM_FULL } ProgramLink;

typedef struct ProgramCompiler {
    /* Any thread, several at once. Results live in `arena`. CHECK links nothing, QUICK wants to run
     * soon, FULL wants the best code. A failure is ours (no compiler, disk full); a wrong program
     * is ST_OK with ok = false. `file` is the program's name without folder. */
    Status (*compile)(void *ctx, Arena *arena, Str file, Str text, ProgramLink link,
                      ProgramCompiled *ret_compiled, Diag *diag);
    /* As PROGRAM_FULL, with what samples teach. NULL: this compiler does not learn. */
    Status (*learn)(void *ctx, Arena *arena, Str file, Str text, const ProgramSample *samples,
                    size_t count, ProgramCompiled *ret_compiled, Diag *diag);
    /* Of `text` over `old`, which runs now; empty: nothing does, or it is not understood any more.
     * NULL: this compiler takes no other programs than it carries. */
    Status (*preview)(void *ctx, Arena *arena, Str file, Str old, Str text,
                      ProgramPreview *ret_preview, Diag *diag);
    /* `text` holds types, units, constants and alarms only; `root` empty: the last type. NULL: as
     * preview.
     */
    Status (*schema)(void *ctx, Arena *arena, Str text, Str root, ProgramSchema *ret_schema,
                     Diag *diag);
    void *ctx;
} ProgramCompiler;

/* `compiler` must live as long as the process. None set: texts are refused (ST_UNSUPPORTED). */
void program_compiler_set(const ProgramCompiler *compiler);
const ProgramCompiler *program_compiler(void);

/* A program that was compiled before: what an artifact carries. All strings are lent forever. */
typedef struct PrebuiltProgram {
    Str file;                      /* "press.tutti" */
    Str text, graph;               /* source; JSON */
    Str so_path;                   /* e.g. /proc/self/fd/N; or empty and ... */
    const struct RtProgram *table; /* ... its table */
} PrebuiltProgram;

/* Sets a compiler that knows exactly these texts and refuses all others. The list is lent. */
void program_compiler_prebuilt(const PrebuiltProgram *list, size_t count);

/* True when `from stdin` may read this process's standard input (`tutti run` in the foreground). */
void program_stdin_allow(bool allowed);
bool program_stdin_allowed(void);

#endif
