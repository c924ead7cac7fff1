/* compiler/driver/remote.h: a running server, by its REST API (docs/api-live.md). */
#ifndef TUTTI_COMPILER_DRIVER_REMOTE_H
#define TUTTI_COMPILER_DRIVER_REMOTE_H

#include "ask/web_client.h"
#include "base/json.h"

#include <stdio.h>

typedef struct Remote {
    WebClient *client;
    Arena *arena;      /* answers live here */
    Str url;           /* without a slash at its end */
    const char *token; /* of `arena` */
} Remote;

/* Signs in: by TUTTI_TOKEN, or TUTTI_USER (admin when left out) and TUTTI_PASSWORD. */
MUST Status remote_open(Remote *remote, Arena *arena, const char *url, Diag *diag);
void remote_close(Remote *remote);
/* `body` empty: GET. `ret_json` is the answer also when the server refused it (ST_INVALID and the
 * like, with its sentence in the Diag), or NULL. */
MUST Status remote_call(Remote *remote, const char *path, Str body, int64_t timeout_ms,
                        const Json **ret_json, Diag *diag);
/* What a server says goes to a terminal: no control characters. */
void remote_print(FILE *file, Str text);

#endif
