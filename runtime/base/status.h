/* runtime/base/status.h: what a function that can fail returns.
 *
 * Status says what a caller may do about it; a Diag, passed by the caller and optional (NULL is
 * accepted everywhere), says the rest in words. Library code never logs: the one who gives up does.
 */
#ifndef TUTTI_BASE_STATUS_H
#define TUTTI_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define MUST                   __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum Status {
#define ERR(name, http, retry, text) ST_##name,
#include "errors.def"
#undef ERR
    ST__COUNT
} Status;

enum { DIAG_TEXT_BYTES = 480 };

/* What went wrong, in words. Plain bytes without ownership, so that it can live on a stack. */
typedef struct Diag {
    Status status;
    char text[DIAG_TEXT_BYTES]; /* NUL-terminated, cut when too long */
} Diag;

/* Name ("NOT_FOUND"), text, HTTP code, and whether the same call may work later. */
const char *status_name(Status status);
const char *status_text(Status status);
int status_http(Status status);
bool status_retry(Status status);

/* Fills `diag` (if not NULL) and returns `status`, so that `return diag_set(...)` reads well. */
Status diag_set(Diag *diag, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "format: " before the text that is already there and returns `status`. */
Status diag_wrap(Diag *diag, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* As diag_set, with ": <strerror(error)>" behind the text. */
Status diag_errno(Diag *diag, int error, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
