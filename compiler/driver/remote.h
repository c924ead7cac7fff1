/* compiler/driver/remote.h: a running server, by its REST API (docs/api-live.md). */
#ifndef TUTTI_COMPILER_DRIVER_REMOTE_H
#define TUTTI_COMPILER_DRIVER_REMOTE_H

#include "ask/web_client.h"
#include "base/json.h"
#include "compiler/driver/driver.h"

typedef struct Remote {
    WebClient *client;
    Arena *arena;      /* owned; answers live here */
    Str url;           /* without a slash at its end */
    const char *token; /* of `arena` */
} Remote;

/* The server when no --to names one. */
const char *remote_preset(void);
/* Signs in: by TUTTI_TOKEN, or TUTTI_USER (admin when left out) and TUTTI_PASSWORD. To be closed
 * also when it fails. */
MUST Status remote_open(Remote *remote, const char *url, Diag *diag);
void remote_close(Remote *remote);
/* A level of a call's path, or a value in its query: what a URL does not take as %XX. */
void remote_escape(Buf *out, const char *text);
/* `body` empty: GET. `ret_json` is the answer also when the server refused it (ST_INVALID and the
 * like, with its sentence in the Diag), or NULL. */
MUST Status remote_call(Remote *remote, const char *path, Str body, int64_t timeout_ms,
                        const Json **ret_json, Diag *diag);
/* What a server says goes to a terminal: no control characters. */
void remote_print(FILE *file, Str text);
void remote_print_lines(FILE *file, Str text); /* but line ends */
/* Says what failed. The server, the question or a file is at fault, seldom we: an exit code. */
int remote_failed(const Command *self, Status st, const Diag *diag);

#endif
