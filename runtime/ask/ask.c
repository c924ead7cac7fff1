/* runtime/ask/ask.c: tries, and waits between them. */
#include "ask/ask_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <time.h>

enum { NAP_MS = 20 };

Status asker_new(const char *historian, bool (*halting)(void *ctx), void *ctx, Asker **ret_asker)
{
    Asker *asker = mem_zalloc(1, sizeof *asker);
    if (!asker) return ST_NO_MEMORY;
    asker->halting = halting;
    asker->ctx = ctx;
    if (historian) {
        size_t len = strlen(historian) + 1;
        asker->historian = mem_alloc(len);
        if (!asker->historian) {
            mem_free(asker);
            return ST_NO_MEMORY;
        }
        memcpy(asker->historian, historian, len);
    }
    *ret_asker = asker;
    return ST_OK;
}

void asker_free(Asker *asker)
{
    if (!asker) return;
    ask__pool_free(asker->pool);
    ask__sql_done(asker);
    ask__web_done(asker);
    ask__pg_done(asker);
    mem_free(asker->historian);
    mem_free(asker);
}

static bool stops(const Asker *asker)
{
    return asker->halting && asker->halting(asker->ctx);
}

bool ask__over(const Asker *asker)
{
    return stops(asker) || clock_monotonic_ns() > asker->deadline_ns;
}

static void pause_ns(const Asker *asker, int64_t ns)
{
    int64_t until = clock_monotonic_ns() + ns;
    while (!stops(asker)) {
        int64_t left = until - clock_monotonic_ns();
        if (left <= 0) return;
        if (left > NAP_MS * NS_PER_MS) left = NAP_MS * NS_PER_MS;
        struct timespec nap = {.tv_nsec = (long)left};
        (void)nanosleep(&nap, NULL);
    }
}

Status asker_ask(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has, u32 count,
                 Buf *out, Diag *diag)
{
    Asker *asker = ctx;
    bool web = str_is(str_from(ask->kind), "http"), pg = str_is(str_from(ask->kind), "postgres");
    Status st = ST_OK;
    int64_t wait_ns = ask->backoff_ns;
    for (u32 tries = 0;; tries++) {
        buf_clear(out);
        asker->deadline_ns = clock_monotonic_ns() + ask->timeout_ns;
        st = web  ? ask__web(asker, ask, values, count, out, diag)
             : pg ? ask__pg(asker, ask, values, has, count, out, diag)
                  : ask__sql(asker, ask, values, has, count, out, diag);
        bool again = st == ST_UNAVAILABLE || st == ST_BUSY || st == ST_TIMEOUT;
        if (!again || tries == ask->retries || stops(asker)) return st;
        pause_ns(asker, wait_ns);
        wait_ns = wait_ns < INT64_C(30000000000) ? wait_ns * 2 : wait_ns;
    }
}

size_t ask__row_begin(Buf *out)
{
    size_t at = out->len;
    (void)buf_reserve(out, sizeof(u32));
    buf_add(out, "\0\0\0\0", sizeof(u32));
    return at;
}

void ask__cell(Buf *out, bool first, Str text)
{
    if (!first) buf_char(out, ',');
    if (!text.ptr) return;
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, text.ptr[i]);
    }
    buf_char(out, '"');
}

void ask__row_end(Buf *out, size_t row)
{
    u32 len = (u32)(out->len - row - sizeof(u32));
    if (!out->failed) memcpy(out->ptr + row, &len, sizeof len);
}
