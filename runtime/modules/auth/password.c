/* runtime/modules/auth/password.c: argon2id on pool threads, a few at a time.
 *
 * One hash takes tens of MiB and about a tenth of a second on purpose. So only hashes_at_once run,
 * hashes_waiting may wait, and more are refused: a flood of sign-ins can cost neither the memory
 * nor the loop. The work owns a copy of the password and wipes it. */
#include "modules/auth/auth_int.h"

#include "base/mem.h"

#include <sodium.h>

struct Hashing {
    Hashing *next, **link; /* running or waiting */
    Auth *auth;            /* NULL when the module closed meanwhile */
    char password[AUTH_PASSWORD_MAX];
    size_t password_bytes;
    char hash[AUTH_HASH_BYTES]; /* compared with, or made */
    bool is_new, matches;
    unsigned long long rounds;
    size_t bytes;
    AuthHashedFn *done;
    void *ctx;
};

_Static_assert((int)AUTH_HASH_BYTES == (int)crypto_pwhash_STRBYTES, "room for a hash");

static void work(void *ctx)
{
    Hashing *job = ctx;
    if (job->is_new)
        job->matches = crypto_pwhash_str(job->hash, job->password, job->password_bytes, job->rounds,
                                         job->bytes) == 0;
    else
        job->matches = crypto_pwhash_str_verify(job->hash, job->password, job->password_bytes) == 0;
    sodium_memzero(job->password, sizeof job->password);
}

static void unlink_job(Hashing *job)
{
    *job->link = job->next;
    if (job->next) job->next->link = job->link;
}

static void start_waiting(Auth *auth);

static void finish(void *ctx)
{
    Hashing *job = ctx;
    Auth *auth = job->auth;
    if (auth) {
        unlink_job(job);
        auth->running_count--;
        job->done(auth, job->ctx, job->matches, job->hash);
        start_waiting(auth);
    }
    sodium_memzero(job, sizeof *job);
    mem_free(job);
}

static void start_waiting(Auth *auth)
{
    while (auth->waiting && auth->running_count < auth->conf->hashes_at_once) {
        Hashing *job = auth->waiting;
        auth->waiting = job->next;
        if (!auth->waiting) auth->waiting_end = &auth->waiting;
        auth->waiting_count--;
        job->next = auth->running;
        job->link = &auth->running;
        if (job->next) job->next->link = &job->next;
        auth->running = job;
        auth->running_count++;
        if (!loop_work(auth->env->loop, work, finish, job)) continue;
        unlink_job(job);
        auth->running_count--;
        job->done(auth, job->ctx, false, "");
        mem_free(job);
    }
    if (!auth->drain_done || auth->running_count) return;
    DoneFn *done = auth->drain_done;
    auth->drain_done = NULL;
    done(auth->drain_ctx);
}

Status auth__hash(Auth *auth, Str password, const char *against, AuthHashedFn *done, void *ctx)
{
    if (password.len > AUTH_PASSWORD_MAX) return ST_INVALID;
    if (auth->waiting_count >= auth->conf->hashes_waiting) return ST_BUSY;
    Hashing *job = mem_zalloc(1, sizeof *job);
    if (!job) return ST_NO_MEMORY;
    job->auth = auth;
    memcpy(job->password, password.ptr, password.len);
    job->password_bytes = password.len;
    job->is_new = !against;
    if (against) memcpy(job->hash, against, sizeof job->hash);
    job->rounds = (unsigned long long)auth->conf->hash_rounds;
    job->bytes = (size_t)auth->conf->hash_bytes;
    job->done = done;
    job->ctx = ctx;
    *auth->waiting_end = job;
    auth->waiting_end = &job->next;
    auth->waiting_count++;
    start_waiting(auth);
    return ST_OK;
}

void auth__hash_close(Auth *auth)
{
    for (Hashing *job = auth->running; job; job = job->next) job->auth = NULL;
    for (Hashing *job = auth->waiting, *next; job; job = next) {
        next = job->next;
        sodium_memzero(job, sizeof *job);
        mem_free(job);
    }
    auth->running = auth->waiting = NULL;
}
