/* runtime/base/status.c: names and texts of every status, and the Diag that carries the words.
 *
 * The table comes from errors.def, so a code cannot exist without text and HTTP code. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct StatusInfo {
    const char *name, *text;
    int http;
    bool retry;
} infos[] = {
#define ERR(name, http, retry, text) [ST_##name] = {#name, text, http, retry},
#include "base/errors.def"
#undef ERR
};
_Static_assert(sizeof infos / sizeof *infos == ST__COUNT, "one row per status");

static const struct StatusInfo *info(Status status)
{
    return &infos[(unsigned)status < ST__COUNT ? status : ST_INTERNAL];
}

const char *status_name(Status status)
{
    return info(status)->name;
}

const char *status_text(Status status)
{
    return info(status)->text;
}

int status_http(Status status)
{
    return info(status)->http;
}

bool status_retry(Status status)
{
    return info(status)->retry;
}

Status diag_set(Diag *diag, Status status, const char *format, ...)
{
    if (diag) {
        va_list args;
        va_start(args, format);
        diag->status = status;
        (void)vsnprintf(diag->text, sizeof diag->text, format, args);
        va_end(args);
    }
    return status;
}

Status diag_wrap(Diag *diag, Status status, const char *format, ...)
{
    if (diag) {
        char inner[DIAG_TEXT_BYTES];
        memcpy(inner, diag->text, sizeof inner);
        inner[sizeof inner - 1] = '\0';
        va_list args;
        va_start(args, format);
        int len = vsnprintf(diag->text, sizeof diag->text, format, args);
        va_end(args);
        if (len >= 0 && (size_t)len < sizeof diag->text && /* cut when too long */
            snprintf(diag->text + len, sizeof diag->text - (size_t)len, ": %s", inner) < 0)
            diag->text[len] = '\0';
        diag->status = status;
    }
    return status;
}

Status diag_errno(Diag *diag, int error, const char *format, ...)
{
    if (diag) {
        va_list args;
        va_start(args, format);
        int len = vsnprintf(diag->text, sizeof diag->text, format, args);
        va_end(args);
        if (len >= 0 && (size_t)len < sizeof diag->text)
            (void)snprintf(diag->text + len, sizeof diag->text - (size_t)len, ": %s",
                           strerror(error));
        diag->status = ST_IO;
    }
    return ST_IO;
}
