/* runtime/modules/auth/auth_int.h: what the files of this module share.
 *
 * Users and sessions are kept in memory and written through to the store: a check costs no I/O.
 * What is in memory was committed before, so an answer never promises more than the disk holds. */
#ifndef TUTTI_MODULES_AUTH_INT_H
#define TUTTI_MODULES_AUTH_INT_H

#include "base/hash.h"
#include "module/module.h"

enum {
    AUTH_ID_BYTES = 24,
    AUTH_NAME_BYTES = 65,
    AUTH_HASH_BYTES = 128,  /* crypto_pwhash_STRBYTES */
    AUTH_SECRET_BYTES = 44, /* 32 random bytes as base64url, and a NUL */
    AUTH_KEY_BYTES = 65,    /* hash of a session's secret in hex, and a NUL */
    AUTH_KID_BYTES = 24,
    AUTH_PASSWORD_MIN = 8,
    AUTH_PASSWORD_MAX = 1024,
    AUTH_USERS_MAX = 10000,
    AUTH_SESSIONS_MAX = 50000,
    AUTH_KEYS_MAX = 64,
};

typedef struct AuthConf {
    int64_t idle_ms, session_ms, token_ms, key_ms; /* limits of life */
    int64_t hash_bytes, hash_rounds;               /* cost of one argon2id */
    int64_t hashes_at_once, hashes_waiting;
} AuthConf;

typedef struct User {
    char id[AUTH_ID_BYTES], name[AUTH_NAME_BYTES], hash[AUTH_HASH_BYTES];
    uint32_t roles;
    int64_t version; /* grows with each change of password or roles: older tokens end */
    int64_t created_ms;
} User;

typedef struct Session {
    char key[AUTH_KEY_BYTES], user_id[AUTH_ID_BYTES];
    /* In memory only, once the browser showed it: the gateway knows its sockets by it, so it is
     * named when the session has ended and is worth nothing any more. */
    char secret[AUTH_SECRET_BYTES];
    int64_t created_ms, seen_ms, saved_ms, expires_ms;
} Session;

typedef struct AuthKey {
    char kid[AUTH_KID_BYTES];
    int64_t created_ms;
    void *jwk; /* cjose_jwk_t, owned */
} AuthKey;

typedef struct Hashing Hashing;

typedef struct Auth {
    const ModEnv *env;
    const AuthConf *conf;
    Map users, names; /* id -> User (owned), name -> the same */
    Map sessions;     /* key -> Session, owned */
    Map failures;     /* "name|address" -> Failure, owned */
    AuthKey keys[AUTH_KEYS_MAX];
    size_t key_count;
    Hashing *running, *waiting, **waiting_end;
    int64_t running_count, waiting_count;
    bool setting_up; /* the first administrator is being made */
    DoneFn *drain_done;
    void *drain_ctx;
} Auth;

int64_t auth__now_ms(void);

/* users.c */
MUST Status auth__load(StoreConn *conn, void *auth, Diag *diag);
void auth__forget(Auth *auth); /* frees users, sessions, failures */
User *auth__user(const Auth *auth, Str id);
User *auth__user_by_name(const Auth *auth, Str name);
bool auth__name_valid(Str name);
bool auth__last_admin(const Auth *auth, const User *user);
uint32_t auth__roles_of(const Json *list, bool *ret_valid); /* names to bits, lower ones included */
void auth__put_user(JsonOut *out, const char *key, const User *user);
/* Writes the user (insert or update) and then, on the loop, puts it into memory and calls
 * done(ctx, status). ctx is the caller's. */
typedef void AuthDoneFn(Auth *auth, void *ctx, Status status, const char *text);
void auth__user_save(Auth *auth, const User *user, bool is_new, AuthDoneFn *done, void *ctx);
void auth__user_remove(Auth *auth, Str id, AuthDoneFn *done, void *ctx);

/* session.c */
MUST Status auth__session_add(Auth *auth, const Session *session); /* memory only */
/* Makes a session, stores it, then calls done; `secret` is what the browser keeps. */
void auth__session_new(Auth *auth, const User *user, Session *ret_session,
                       char secret[AUTH_SECRET_BYTES], AuthDoneFn *done, void *ctx);
/* The live session of a secret, or NULL. Counts as use. */
Session *auth__session_check(Auth *auth, Str secret);
void auth__session_end(Auth *auth, Str secret);
void auth__sessions_end_of(Auth *auth, const char *user_id);
void auth__sessions_sweep(Auth *auth); /* ends what is too old */

/* password.c: argon2id beside the loop */
typedef void AuthHashedFn(Auth *auth, void *ctx, bool matches, const char *hash);
/* `against` NULL makes a new hash (matches is then true when it worked). ST_BUSY when too many
 * wait. done is called once, or never when the module closes before. */
MUST Status auth__hash(Auth *auth, Str password, const char *against, AuthHashedFn *done,
                       void *ctx);
void auth__hash_close(Auth *auth);

/* guard.c: waiting time after failed attempts */
int64_t auth__guard_wait_ms(Auth *auth, Str name, Str address);
void auth__guard_failed(Auth *auth, Str name, Str address);
void auth__guard_passed(Auth *auth, Str name, Str address);

/* token.c: ES256 JWT */
MUST Status auth__token_make(Auth *auth, const User *user, Arena *arena, Str *ret_token,
                             int64_t *ret_expires_ms);
/* The user a token speaks for, or NULL: alg, key, signature, issuer, audience, times, version. */
const User *auth__token_check(Auth *auth, Arena *arena, Str token, int64_t *ret_expires_ms);
MUST Status auth__jwks(Auth *auth, Buf *out);
MUST Status auth__key_add(Auth *auth, Str kid, Str jwk, int64_t created_ms);
void auth__keys_close(Auth *auth);

#endif
