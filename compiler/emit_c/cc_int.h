/* compiler/emit_c/cc_int.h: what cc.c needs of the programs it runs; not for other folders. */
#ifndef TUTTI_COMPILER_EMIT_C_CC_INT_H
#define TUTTI_COMPILER_EMIT_C_CC_INT_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { CC_PATH_BYTES = 1024 };

/* Full path of a program in `path` (CC_PATH_BYTES): its own, or that of the first of its name in
 * PATH. */
bool cc__find_program(const char *name, char *path, struct stat *ret_stat);

/* ---- cc_run.c ---- */

/* Runs a program to its end, without a shell: what it says into `log`, its temporary files in
 * `folder`. *ret_fine: it ended with 0. */
MUST Status cc__run(const char *const *argv, const char *folder, const char *log, bool *ret_fine,
                    Diag *diag);
/* Two at once, the second reads what the first writes. */
MUST Status cc__run_piped(const char *const *first, const char *const *second, const char *folder,
                          const char *log, bool *ret_fine, Diag *diag);

/* ---- cc_steps.c ---- */

typedef struct CcCall { /* the driver asked to compile one file */
    const char *const *argv;
    const char *source, *object; /* both among argv */
    const struct stat *compiler;
    const char *folder, *log;
} CcCall;

/* Compiles by the steps that the driver would run; false: the driver has to be asked. */
bool cc__steps(const CcCall *call);
/* The driver could what the steps could not: they are learnt again next time. */
void cc__steps_forget(const CcCall *call);

#endif
