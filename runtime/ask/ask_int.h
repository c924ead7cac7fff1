/* runtime/ask/ask_int.h: what the files of this folder share. */
#ifndef TUTTI_ASK_ASK_INT_H
#define TUTTI_ASK_ASK_INT_H

#include "ask/ask.h"
#include "ask/web_client.h"
#include "base/arena.h"

#include <sqlite3.h>

enum { ASK_FILES_MAX = 8, ASK_QUESTIONS_MAX = 64 };

struct Asker {
    char *historian;
    bool (*halting)(void *ctx);
    void *ctx;
    int64_t deadline_ns; /* of the try at hand, by the monotonic clock */
    struct {
        char *path;
        sqlite3 *db;
    } files[ASK_FILES_MAX];
    struct {
        const RtAskInfo *ask;
        sqlite3_stmt *stmt;
    } questions[ASK_QUESTIONS_MAX]; /* prepared */
    struct AskPools *pools;         /* PostgreSQL; NULL until it is asked */
    WebClient *client;              /* once something was asked over HTTP */
    Arena *arena;                   /* its answers are read in it, one after the other */
    Buf url, body, answer;          /* of the HTTP question at hand */
    struct AskPool *pool;           /* once several questions were asked at once */
};

bool ask__over(const Asker *asker); /* the deadline has passed, or everything stops */
/* ST_UNAVAILABLE, ST_BUSY, ST_TIMEOUT: another try may help. */
MUST Status ask__sql(Asker *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                     u32 count, Buf *out, Diag *diag);
void ask__sql_done(Asker *asker);
MUST Status ask__web(Asker *asker, const RtAskInfo *ask, const RtValue *values, u32 count, Buf *out,
                     Diag *diag);
void ask__web_done(Asker *asker);
MUST Status ask__pg(Asker *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                    u32 count, Buf *out, Diag *diag);
void ask__pg_done(Asker *asker);

void ask__pool_free(struct AskPool *pool); /* accepts NULL */

/* One row of an answer: begin, a cell for each field of the schema, end. */
size_t ask__row_begin(Buf *out);
void ask__cell(Buf *out, bool first, Str text); /* STR_NONE: missing */
void ask__row_end(Buf *out, size_t row);

#endif
