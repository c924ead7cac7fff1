/* runtime/modules/auth/session.c: sessions of browsers.
 *
 * A session is a random secret of 256 bits that only the browser has; here is its hash, so a stolen
 * data file signs nobody in. It ends by logout, after idle_ms without use, after session_ms, and
 * when its user's password or roles change. The time of last use is written at most once a minute:
 * after a crash a session can only have become older, never younger. */
#include "modules/auth/auth_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdio.h>

enum { SAVE_EVERY_MS = 60000 };

int64_t auth__now_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

static void key_of(Str secret, char key[AUTH_KEY_BYTES])
{
    unsigned char hash[32];
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)secret.ptr, secret.len, NULL,
                             0);
    (void)sodium_bin2hex(key, AUTH_KEY_BYTES, hash, sizeof hash);
}

Status auth__session_add(Auth *auth, const Session *from)
{
    Session *session = mem_alloc(sizeof *session);
    if (!session) return ST_NO_MEMORY;
    *session = *from;
    Status st = map_put(&auth->sessions, str_from(session->key), session);
    if (st) mem_free(session);
    return st;
}

/* ---- store ---- */

typedef enum Kind { INSERT, TOUCH, DELETE } Kind;

typedef struct Write {
    Auth *auth;
    Session session;
    Kind kind;
    AuthDoneFn *done; /* may be NULL */
    void *ctx;
} Write;

static Status run_write(StoreConn *conn, void *ctx, Diag *diag)
{
    static const char insert[] = "INSERT INTO auth_sessions"
                                 "(key,user_id,created_ms,seen_ms,expires_ms)"
                                 " VALUES(?1,?2,?3,?4,?5)";
    static const char *const sql[] = {insert, "UPDATE auth_sessions SET seen_ms=?2 WHERE key=?1",
                                      "DELETE FROM auth_sessions WHERE key=?1"};
    const Write *write = ctx;
    const Session *session = &write->session;
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, sql[write->kind], &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(session->key));
    if (write->kind == TOUCH) store_bind_int(stmt, 2, session->seen_ms);
    if (write->kind == INSERT) {
        store_bind_str(stmt, 2, str_from(session->user_id));
        store_bind_int(stmt, 3, session->created_ms);
        store_bind_int(stmt, 4, session->seen_ms);
        store_bind_int(stmt, 5, session->expires_ms);
    }
    return store_step(stmt, &row, diag);
}

static void write_done(void *ctx, Status status, const Diag *diag)
{
    Write *write = ctx;
    if (status)
        log_error(write->auth->env->log, "auth", "a session was not stored", "error=%s",
                  diag->text);
    else if (write->kind == INSERT)
        status = auth__session_add(write->auth, &write->session);
    if (write->done) write->done(write->auth, write->ctx, status, diag->text);
    mem_free(write);
}

static Status start_write(Write from)
{
    Write *write = mem_alloc(sizeof *write);
    if (!write) return ST_NO_MEMORY;
    *write = from;
    Status st = store_write(from.auth->env->store, run_write, write_done, write);
    if (st) mem_free(write);
    return st;
}

/* ---- life ---- */

static void announce_end(Auth *auth, const Session *session)
{
    char body[AUTH_SECRET_BYTES + 32];
    if (!session->secret[0]) return; /* not used since the start: no socket can be open on it */
    int len = snprintf(body, sizeof body, "{\"session\":\"%s\"}", session->secret);
    (void)!bus_publish(auth->env->bus, STR("auth.session_ended"), (Str){body, (size_t)len});
}

static void end(Auth *auth, Session *session)
{
    (void)map_remove(&auth->sessions, str_from(session->key));
    /* If the store is too busy, the sweep after the next start removes the row by its age. */
    (void)!start_write((Write){.auth = auth, .session = *session, .kind = DELETE});
    announce_end(auth, session);
    mem_free(session);
}

static bool is_over(const Auth *auth, const Session *session, int64_t now)
{
    return now >= session->expires_ms || now - session->seen_ms > auth->conf->idle_ms;
}

void auth__session_new(Auth *auth, const User *user, Session *session,
                       char secret[AUTH_SECRET_BYTES], AuthDoneFn *done, void *ctx)
{
    unsigned char random[32];
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2base64(secret, AUTH_SECRET_BYTES, random, sizeof random,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    *session = (Session){.created_ms = auth__now_ms()};
    session->seen_ms = session->saved_ms = session->created_ms;
    session->expires_ms = session->created_ms + auth->conf->session_ms;
    key_of(str_from(secret), session->key);
    memcpy(session->user_id, user->id, sizeof session->user_id);
    memcpy(session->secret, secret, sizeof session->secret);
    Status st = auth->sessions.len < AUTH_SESSIONS_MAX
                    ? start_write((Write){auth, *session, INSERT, done, ctx})
                    : ST_BUSY;
    if (st) done(auth, ctx, st, status_text(st));
}

static Session *find(Auth *auth, Str secret)
{
    char key[AUTH_KEY_BYTES];
    if (secret.len != AUTH_SECRET_BYTES - 1) return NULL;
    key_of(secret, key);
    return map_get(&auth->sessions,
                   str_from(key)); /* by hash: no timing tells how near a guess is */
}

Session *auth__session_check(Auth *auth, Str secret)
{
    Session *session = find(auth, secret);
    int64_t now = auth__now_ms();
    if (!session) return NULL;
    if (is_over(auth, session, now)) {
        end(auth, session);
        return NULL;
    }
    session->seen_ms = now;
    memcpy(session->secret, secret.ptr, secret.len);
    if (now - session->saved_ms > SAVE_EVERY_MS) {
        session->saved_ms = now;
        (void)!start_write((Write){.auth = auth, .session = *session, .kind = TOUCH});
    }
    return session;
}

void auth__session_end(Auth *auth, Str secret)
{
    Session *session = find(auth, secret);
    if (session) end(auth, session);
}

void auth__sessions_end_of(Auth *auth, const char *user_id)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&auth->sessions, &at));) {
        Session *session = slot->value;
        if (strcmp(session->user_id, user_id) == 0) end(auth, session);
    }
}

void auth__sessions_sweep(Auth *auth)
{
    MapSlot *slot;
    int64_t now = auth__now_ms();
    for (size_t at = 0; (slot = map_next(&auth->sessions, &at));)
        if (is_over(auth, slot->value, now)) end(auth, slot->value);
}
