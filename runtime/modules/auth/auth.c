/* runtime/modules/auth/auth.c: who may come in: users, passwords, sessions, tokens.
 *
 * The gateway owns the cookie: auth.login and auth.setup answer `session`, which the gateway moves
 * into it; with "bearer":true they answer `token` instead. For each HTTP request the gateway asks
 * auth.check with one of both (see docs/api-live.md). Work that takes long (argon2id, the store)
 * goes on beside the loop; an Act carries the request through it.
 * Files: users.c, session.c, password.c, guard.c (waiting after failures), token.c (JWT). */
#include "modules/auth/auth_int.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { SWEEP_EVERY_MS = 600000, FAILURES_MAX = 20000, ANSWER_BYTES_MAX = 1 << 20 };

/* A request on its way through hashing and storing. Lives in the request's arena; the one without
 * request (the administrator from the environment) lives in the module. */
typedef struct Act {
    Auth *auth;
    Req *req;
    User user;
    Session session;
    char secret[AUTH_SECRET_BYTES];
    Str name, password, address;
    bool bearer, only_verify, is_new, is_setup, known;
} Act;

typedef struct AuthModule {
    Auth auth; /* first */
    LoopTimer *sweep;
    Act from_environment;
} AuthModule;

static void act_fail(Act *act, Status status, const char *text)
{
    if (act->is_setup) act->auth->setting_up = false;
    if (act->req) { /* takes the Act with it: it lives in the request's arena */
        req_fail(act->req, status, "%s", text && text[0] ? text : status_text(status));
        return;
    }
    log_error(act->auth->env->log, "auth", "the first administrator was not made", "error=%s",
              text);
}

/* ---- signing in ---- */

static void answer_signed_in(Act *act, Str token, int64_t expires_ms)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, ANSWER_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    auth__put_user(&out, "user", &act->user);
    json_field_int(&out, "expires", expires_ms);
    if (act->bearer)
        json_field_str(&out, "token", token);
    else
        json_field_text(&out, "session", act->secret);
    json_end(&out);
    req_answer(act->req, buf_view(&buf));
    buf_done(&buf);
}

static void answer_user(Act *act)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, ANSWER_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    auth__put_user(&out, "user", &act->user);
    json_end(&out);
    req_answer(act->req, buf_view(&buf));
    buf_done(&buf);
}

static void on_session(Auth *auth __attribute__((unused)), void *ctx, Status status,
                       const char *text)
{
    Act *act = ctx;
    if (status)
        act_fail(act, status, text);
    else
        answer_signed_in(act, STR_NONE, act->session.expires_ms);
}

static void sign_in(Act *act)
{
    Auth *auth = act->auth;
    if (act->only_verify) {
        answer_user(act);
        return;
    }
    if (!act->bearer) {
        auth__session_new(auth, &act->user, &act->session, act->secret, on_session, act);
        return;
    }
    Str token = STR_NONE;
    int64_t expires_ms = 0;
    Status st = auth__token_make(auth, &act->user, act->req->arena, &token, &expires_ms);
    if (st)
        act_fail(act, st, NULL);
    else
        answer_signed_in(act, token, expires_ms);
}

static Act *act_new(Auth *auth, Req *req)
{
    Act *act = arena_one(req->arena, Act);
    if (!act) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return NULL;
    }
    act->auth = auth;
    act->req = req;
    act->name = json_str(req->in, "name", STR("admin"));
    act->password = json_str(req->in, "password", STR_NONE);
    act->bearer = json_bool(req->in, "bearer", false);
    act->address = req->caller.address;
    return act;
}

static void on_login_hashed(Auth *auth, void *ctx, bool matches,
                            const char *hash __attribute__((unused)))
{
    Act *act = ctx;
    const User *user = auth__user_by_name(auth, act->name); /* may have changed meanwhile */
    if (!act->known || !matches || !user || strcmp(user->hash, act->user.hash) != 0) {
        auth__guard_failed(auth, act->name, act->address);
        log_warn(auth->env->log, "auth", "sign-in refused", "name=%.*s address=%.*s",
                 STR_ARG(act->name), STR_ARG(act->address));
        act_fail(act, ST_UNAUTHENTICATED, "name or password is wrong");
        return;
    }
    auth__guard_passed(auth, act->name, act->address);
    act->user = *user;
    sign_in(act);
}

/* An unknown name costs one hash as a known one does, and gets the same answer. */
static void log_in(Act *act)
{
    Auth *auth = act->auth;
    int64_t wait = auth__guard_wait_ms(auth, act->name, act->address);
    if (wait) {
        req_fail(act->req, ST_BUSY, "too many wrong attempts: try again in %lld s",
                 (long long)(wait + 999) / 1000);
        return;
    }
    const User *user = auth__user_by_name(auth, act->name);
    if (user) act->user = *user;
    act->known = user != NULL;
    Status st = auth__hash(auth, act->password, user ? act->user.hash : NULL, on_login_hashed, act);
    if (st) act_fail(act, st, NULL);
}

static void op_login(void *self, Req *req)
{
    Act *act = act_new(self, req);
    if (act) log_in(act);
}

/* For other doors than the gateway: no session, no token, only who it is. */
static void op_verify(void *self, Req *req)
{
    Act *act = act_new(self, req);
    if (!act) return;
    act->only_verify = true;
    act->address = json_str(req->in, "address", STR_NONE);
    log_in(act);
}

static void op_logout(void *self, Req *req)
{
    auth__session_end(self, json_str(req->in, "session", STR_NONE));
    req_answer(req, STR("{}"));
}

/* ---- making and changing users ---- */

static void on_user_saved(Auth *auth, void *ctx, Status status, const char *text)
{
    Act *act = ctx;
    if (status) {
        act_fail(act, status, text);
        return;
    }
    if (!act->is_new) auth__sessions_end_of(auth, act->user.id);
    if (act->is_setup) {
        auth->setting_up = false;
        log_info(auth->env->log, "auth", "the first administrator is set", "name=%s",
                 act->user.name);
        (void)!bus_publish(auth->env->bus, STR("auth.setup_done"), STR("{}"));
        if (act->req) sign_in(act);
        return;
    }
    answer_user(act);
}

static void on_new_hash(Auth *auth, void *ctx, bool made, const char *hash)
{
    Act *act = ctx;
    if (!made) {
        act_fail(act, ST_NO_MEMORY, "the password could not be hashed");
        return;
    }
    if (!act->is_new) {
        /* Roles may have changed while it was hashed; a removed user stays removed. */
        const User *user = auth__user(auth, str_from(act->user.id));
        if (!user) {
            act_fail(act, ST_NOT_FOUND, "no such user");
            return;
        }
        act->user = *user;
    }
    memcpy(act->user.hash, hash, sizeof act->user.hash);
    act->user.version++;
    auth__user_save(auth, &act->user, act->is_new, on_user_saved, act);
}

/* Checks name and password, fills the new user, starts hashing. */
static void make_user(Act *act, uint32_t roles)
{
    Auth *auth = act->auth;
    unsigned char random[12];
    if (!auth__name_valid(act->name)) {
        act_fail(act, ST_INVALID, "a name is 1 to 64 bytes without spaces");
        return;
    }
    if (act->password.len < AUTH_PASSWORD_MIN || act->password.len > AUTH_PASSWORD_MAX) {
        act_fail(act, ST_INVALID, "a password has 8 to 1024 bytes");
        return;
    }
    if (auth__user_by_name(auth, act->name) || auth->users.len >= AUTH_USERS_MAX) {
        act_fail(act, ST_CONFLICT, "a user of this name exists, or there are too many");
        return;
    }
    act->is_new = true;
    act->user = (User){.roles = roles, .created_ms = auth__now_ms()};
    (void)snprintf(act->user.name, sizeof act->user.name, "%.*s", STR_ARG(act->name));
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2base64(act->user.id, sizeof act->user.id, random, sizeof random,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    Status st = auth__hash(auth, act->password, NULL, on_new_hash, act);
    if (st) act_fail(act, st, NULL);
}

static bool is_loopback(const BusCaller *caller)
{
    static const char *const starts[] = {"127.", "[::1]", "::1", "localhost"};
    if (caller->roles & ROLE_SYSTEM) return true;
    for (size_t i = 0; i < COUNT_OF(starts); i++)
        if (str_starts(caller->address, str_from(starts[i]))) return true;
    return false;
}

enum { ALL_ROLES = ROLE_VIEW | ROLE_OPERATE | ROLE_ENGINEER | ROLE_ADMIN };

static void op_setup(void *self, Req *req)
{
    Auth *auth = self;
    if (auth->users.len || auth->setting_up) {
        req_fail(req, ST_CONFLICT, "an administrator is set already");
        return;
    }
    if (!is_loopback(&req->caller)) {
        req_fail(req, ST_FORBIDDEN, "the first administrator is set on the machine itself");
        return;
    }
    Act *act = act_new(auth, req);
    if (!act) return;
    auth->setting_up = act->is_setup = true;
    make_user(act, ALL_ROLES);
}

static void op_user_add(void *self, Req *req)
{
    Act *act = act_new(self, req);
    if (!act) return;
    bool valid = false;
    uint32_t roles = auth__roles_of(json_get(req->in, "roles"), &valid);
    if (!valid)
        act_fail(act, ST_INVALID, "roles are view, operate, engineer or admin");
    else
        make_user(act, roles);
}

static void op_users(void *self, Req *req)
{
    const Auth *auth = self;
    Buf buf;
    JsonOut out;
    MapSlot *slot;
    buf_init(&buf, ANSWER_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "users");
    json_begin_array(&out);
    for (size_t at = 0; (slot = map_next(&auth->users, &at));)
        auth__put_user(&out, NULL, slot->value);
    json_end(&out);
    json_end(&out);
    if (buf_status(&buf))
        req_fail(req, buf_status(&buf), "too many users for one answer");
    else
        req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

/* The user of the request's `id`; answers itself when there is none. */
static User *target(Auth *auth, Req *req)
{
    User *user = auth__user(auth, json_str(req->in, "id", STR_NONE));
    if (!user) req_fail(req, ST_NOT_FOUND, "no such user");
    return user;
}

static void on_removed(Auth *auth __attribute__((unused)), void *ctx, Status status,
                       const char *text)
{
    Req *req = ctx;
    if (status)
        req_fail(req, status, "%s", text);
    else
        req_answer(req, STR("{}"));
}

static void op_user_remove(void *self, Req *req)
{
    Auth *auth = self;
    const User *user = target(auth, req);
    if (!user) return;
    if (auth__last_admin(auth, user))
        req_fail(req, ST_CONFLICT, "the last administrator cannot be removed");
    else
        auth__user_remove(auth, str_from(user->id), on_removed, req);
}

static void op_user_roles(void *self, Req *req)
{
    Auth *auth = self;
    bool valid = false;
    uint32_t roles = auth__roles_of(json_get(req->in, "roles"), &valid);
    const User *user = target(auth, req);
    if (!user) return;
    if (!valid) {
        req_fail(req, ST_INVALID, "roles are view, operate, engineer or admin");
        return;
    }
    if (!(roles & ROLE_ADMIN) && auth__last_admin(auth, user)) {
        req_fail(req, ST_CONFLICT, "the last administrator must stay one");
        return;
    }
    Act *act = act_new(auth, req);
    if (!act) return;
    act->user = *user;
    act->user.roles = roles;
    act->user.version++;
    auth__user_save(auth, &act->user, false, on_user_saved, act);
}

static void on_old_checked(Auth *auth, void *ctx, bool matches,
                           const char *hash __attribute__((unused)))
{
    Act *act = ctx;
    if (!matches) {
        auth__guard_failed(auth, str_from(act->user.name), act->req->caller.address);
        act_fail(act, ST_FORBIDDEN, "the old password is wrong");
        return;
    }
    Status st = auth__hash(auth, act->password, NULL, on_new_hash, act);
    if (st) act_fail(act, st, NULL);
}

/* Everybody changes the own password with the old one; an administrator sets another's. */
static void op_password(void *self, Req *req)
{
    Auth *auth = self;
    Str id = json_str(req->in, "id", req->caller.user);
    bool own = str_eq(id, req->caller.user), admin = req->caller.roles & ROLE_ADMIN;
    const User *user = auth__user(auth, id);
    if (!user || (!own && !admin)) {
        req_fail(req, admin ? ST_NOT_FOUND : ST_FORBIDDEN, "no such user, or not yours to change");
        return;
    }
    Act *act = act_new(auth, req);
    if (!act) return;
    act->user = *user;
    int64_t wait = auth__guard_wait_ms(auth, str_from(user->name), req->caller.address);
    Status st = wait ? ST_BUSY : ST_OK;
    if (!st && own)
        st = auth__hash(auth, json_str(req->in, "old", STR_NONE), act->user.hash, on_old_checked,
                        act);
    else if (!st)
        st = auth__hash(auth, act->password, NULL, on_new_hash, act);
    if (st) act_fail(act, st, NULL);
}

/* ---- asking ---- */

static void op_state(void *self, Req *req)
{
    const Auth *auth = self;
    const User *user = auth__user(auth, req->caller.user);
    Buf buf;
    JsonOut out;
    buf_init(&buf, 4096);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_bool(&out, "setup", !auth->users.len && !auth->setting_up);
    if (user) {
        auth__put_user(&out, "user", user);
    } else {
        json_key(&out, "user");
        json_put_null(&out);
    }
    json_end(&out);
    req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

static void op_check(void *self, Req *req)
{
    Auth *auth = self;
    const User *user = NULL;
    int64_t expires_ms = 0;
    const Json *token = json_get(req->in, "token");
    if (token && token->type == JSON_STRING) {
        user = auth__token_check(auth, req->arena, token->text, &expires_ms);
    } else {
        const Session *session = auth__session_check(auth, json_str(req->in, "session", STR_NONE));
        if (session) user = auth__user(auth, str_from(session->user_id));
        if (session) expires_ms = session->expires_ms;
    }
    if (!user) {
        req_fail(req, ST_UNAUTHENTICATED, "sign in first");
        return;
    }
    Buf buf;
    JsonOut out;
    buf_init(&buf, 4096);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    auth__put_user(&out, "user", user);
    json_field_text(&out, "org", "");
    json_field_int(&out, "expires", expires_ms);
    json_end(&out);
    req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

static void op_jwks(void *self, Req *req)
{
    Buf buf;
    buf_init(&buf, ANSWER_BYTES_MAX);
    Status st = auth__jwks(self, &buf);
    if (st)
        req_fail(req, st, "%s", status_text(st));
    else
        req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

/* ---- life ---- */

static Status auth_open(void *self, const ModEnv *env, Diag *diag)
{
    Auth *auth = self;
    auth->env = env;
    auth->conf = env->conf;
    auth->waiting_end = &auth->waiting;
    map_init(&auth->users, AUTH_USERS_MAX);
    map_init(&auth->names, AUTH_USERS_MAX);
    map_init(&auth->sessions, AUTH_SESSIONS_MAX);
    map_init(&auth->failures, FAILURES_MAX);
    if (sodium_init() < 0) return diag_set(diag, ST_INTERNAL, "libsodium does not start");
    return ST_OK;
}

static void on_sweep(void *ctx)
{
    auth__sessions_sweep(ctx);
}

/* Hashing would cost a tenth of a second of starting up, so it goes on beside. */
static void admin_from_environment(AuthModule *module)
{
    const char *password = getenv("TUTTI_ADMIN_PASSWORD");
    Auth *auth = &module->auth;
    if (auth->users.len || !password || !password[0]) return;
    Act *act = &module->from_environment;
    *act = (Act){.auth = auth, .name = STR("admin"), .password = str_from(password)};
    auth->setting_up = act->is_setup = true;
    make_user(act, ALL_ROLES);
}

static Status auth_start(void *self, Diag *diag)
{
    AuthModule *module = self;
    Auth *auth = &module->auth;
    Status st = store_run_now(auth->env->store, auth__load, auth, diag);
    if (st) return st;
    auth__sessions_sweep(auth);
    admin_from_environment(module);
    return loop_timer_start(auth->env->loop, SWEEP_EVERY_MS, SWEEP_EVERY_MS, on_sweep, auth,
                            &module->sweep);
}

static void auth_drain(void *self, DoneFn *done, void *ctx)
{
    Auth *auth = self;
    if (!auth->running_count) {
        done(ctx);
        return;
    }
    auth->drain_done = done;
    auth->drain_ctx = ctx;
}

static void auth_close(void *self)
{
    AuthModule *module = self;
    loop_timer_stop(module->sweep);
    auth__hash_close(&module->auth);
    auth__keys_close(&module->auth);
    auth__forget(&module->auth);
}

/* ---- tables ---- */

#define PASSWORD_ROW                                                                               \
    {                                                                                              \
        "password", FIELD_STR, FIELD_REQUIRED | FIELD_SECRET, 1, AUTH_PASSWORD_MAX,                \
            "the password, 8 to 1024 bytes"                                                        \
    }

static const Field setup_in[] = {PASSWORD_ROW,
                                 {"name", FIELD_STR, 0, 1, 64, "name to sign in with: admin"},
                                 {"bearer", FIELD_BOOL, 0, 0, 0, "answer a token, set no cookie"},
                                 {0}};
static const Field login_in[] = {PASSWORD_ROW,
                                 {"name", FIELD_STR, FIELD_REQUIRED, 1, 64, "the user's name"},
                                 {"bearer", FIELD_BOOL, 0, 0, 0, "answer a token, set no cookie"},
                                 {0}};
static const Field verify_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, 64, "the user's name"},
    {"password", FIELD_STR, FIELD_REQUIRED | FIELD_SECRET, 0, AUTH_PASSWORD_MAX, "the password"},
    {"address", FIELD_STR, 0, 0, 64, "where the attempt comes from"},
    {0}};
static const Field session_in[] = {
    {"session", FIELD_STR, FIELD_SECRET, 0, 128, "the session, filled in by the gateway"}, {0}};
static const Field check_in[] = {
    {"session", FIELD_STR, FIELD_SECRET, 0, 4096, "a browser's session"},
    {"token", FIELD_STR, FIELD_SECRET, 0, 65536, "a program's access token"},
    {0}};
static const Field id_in[] = {{"id", FIELD_STR, FIELD_REQUIRED, 1, 64, "the user's id"}, {0}};
static const Field add_in[] = {
    PASSWORD_ROW,
    {"name", FIELD_STR, FIELD_REQUIRED, 1, 64, "the name to sign in with"},
    {"roles", FIELD_ARRAY, FIELD_REQUIRED, 1, 4, "view, operate, engineer, admin"},
    {0}};
static const Field roles_in[] = {
    {"id", FIELD_STR, FIELD_REQUIRED, 1, 64, "the user's id"},
    {"roles", FIELD_ARRAY, FIELD_REQUIRED, 1, 4, "view, operate, engineer, admin"},
    {0}};
static const Field password_in[] = {
    {"id", FIELD_STR, 0, 1, 64, "the user's id; absent: oneself"},
    {"old", FIELD_STR, FIELD_SECRET, 0, AUTH_PASSWORD_MAX, "the old password, to change one's own"},
    {"password", FIELD_STR, FIELD_REQUIRED | FIELD_SECRET, AUTH_PASSWORD_MIN, AUTH_PASSWORD_MAX,
     "the new password, 8 to 1024 bytes"},
    {0}};
static const Field signed_in_out[] = {
    {"user", FIELD_OBJECT, 0, 0, 0, "id, name, roles"},
    {"expires", FIELD_INT, 0, 0, 0, "end in milliseconds since 1970"},
    {"session", FIELD_STR, FIELD_SECRET, 0, 0, "moved into the cookie by the gateway"},
    {"token", FIELD_STR, FIELD_SECRET, 0, 0, "with bearer: the access token"},
    {0}};
static const Field state_out[] = {
    {"setup", FIELD_BOOL, 0, 0, 0, "true: no administrator yet"},
    {"user", FIELD_OBJECT, 0, 0, 0, "who is signed in: id, name, roles; or null"},
    {0}};
static const Field check_out[] = {{"user", FIELD_OBJECT, 0, 0, 0, "id, name, roles"},
                                  {"org", FIELD_STR, 0, 0, 0, "the user's organization"},
                                  {"expires", FIELD_INT, 0, 0, 0, "end in milliseconds since 1970"},
                                  {0}};
static const Field user_out[] = {{"user", FIELD_OBJECT, 0, 0, 0, "id, name, roles"}, {0}};
static const Field users_out[] = {{"users", FIELD_ARRAY, 0, 0, 0, "each: id, name, roles"}, {0}};
static const Field jwks_out[] = {{"keys", FIELD_ARRAY, 0, 0, 0, "public keys (RFC 7517)"}, {0}};

static const ModOp ops[] = {
    {"auth.state", op_state, NULL, state_out, 2000, ROLE_NONE, OP_READ,
     "whether an administrator is set, and who is signed in"},
    {"auth.setup", op_setup, setup_in, signed_in_out, 30000, ROLE_NONE, OP_DURABLE,
     "makes the first administrator; once, from the machine itself"},
    {"auth.login", op_login, login_in, signed_in_out, 30000, ROLE_NONE, OP_DURABLE,
     "signs in by name and password"},
    {"auth.verify", op_verify, verify_in, user_out, 30000, ROLE_SYSTEM, OP_READ,
     "whose name and password these are, for other doors than HTTP"},
    {"auth.logout", op_logout, session_in, NULL, 5000, ROLE_NONE, 0, "ends a session"},
    /* Whoever holds the secret may ask whose it is; no route leads here. */
    {"auth.check", op_check, check_in, check_out, 2000, ROLE_NONE, OP_READ,
     "whose a session or token is"},
    {"auth.jwks", op_jwks, NULL, jwks_out, 5000, ROLE_NONE, OP_READ,
     "the keys that access tokens are signed with"},
    {"auth.users", op_users, NULL, users_out, 5000, ROLE_ADMIN, OP_READ, "all users"},
    {"auth.user_add", op_user_add, add_in, user_out, 30000, ROLE_ADMIN, OP_DURABLE, "adds a user"},
    {"auth.user_remove", op_user_remove, id_in, NULL, 5000, ROLE_ADMIN, OP_DURABLE,
     "removes a user and ends the user's sessions"},
    {"auth.user_roles", op_user_roles, roles_in, user_out, 5000, ROLE_ADMIN, OP_DURABLE,
     "changes what a user may do; ends the user's sessions"},
    {"auth.password", op_password, password_in, user_out, 30000, ROLE_VIEW, OP_DURABLE,
     "changes a password; ends the user's sessions"},
    {0}};

static const Field ended_body[] = {
    {"session", FIELD_STR, FIELD_SECRET, 0, 0, "the session that is over"}, {0}};
static const Field changed_body[] = {{"id", FIELD_STR, 0, 0, 0, "the user's id"}, {0}};
static const ModPub pubs[] = {
    {"auth.session_ended", ended_body, "a session ended: its sockets are to be closed"},
    {"auth.setup_done", NULL, "the first administrator is set"},
    {"auth.users_changed", changed_body, "a user was added, changed or removed"},
    {0}};

static const ModRoute routes[] = {
    {"GET", "/api/v1/auth/state", "auth.state", NULL},
    {"POST", "/api/v1/auth/setup", "auth.setup", NULL},
    {"POST", "/api/v1/auth/login", "auth.login", NULL},
    {"POST", "/api/v1/auth/logout", "auth.logout", NULL},
    {"GET", "/.well-known/jwks.json", "auth.jwks", NULL},
    {"GET", "/api/v1/auth/users", "auth.users", NULL},
    {"POST", "/api/v1/auth/users", "auth.user_add", NULL},
    {"DELETE", "/api/v1/auth/users/{id}", "auth.user_remove", NULL},
    {"PUT", "/api/v1/auth/users/{id}/roles", "auth.user_roles", NULL},
    {"PUT", "/api/v1/auth/users/{id}/password", "auth.password", NULL},
    {"PUT", "/api/v1/auth/password", "auth.password", NULL},
    {0}};

static const ModConf conf[] = {
    {"idle", CONF_MS, "12h", 60000, 31536000000, offsetof(AuthConf, idle_ms), 0,
     "a session not used for so long ends"},
    {"session", CONF_MS, "7d", 60000, 31536000000, offsetof(AuthConf, session_ms), 0,
     "a session ends after so long in any case"},
    {"token", CONF_MS, "1h", 1000, 86400000, offsetof(AuthConf, token_ms), 0,
     "life of an access token"},
    {"key", CONF_MS, "30d", 1000, 31536000000, offsetof(AuthConf, key_ms), 0,
     "after so long a new key signs access tokens"},
    {"hash_memory", CONF_BYTES, "64MiB", 8192, 1 << 30, offsetof(AuthConf, hash_bytes), 0,
     "memory one argon2id takes"},
    {"hash_rounds", CONF_INT, "2", 1, 20, offsetof(AuthConf, hash_rounds), 0,
     "passes of one argon2id"},
    {"hashes_at_once", CONF_INT, "2", 1, 4, offsetof(AuthConf, hashes_at_once), 0,
     "passwords hashed at the same time"},
    {"hashes_waiting", CONF_INT, "64", 1, 10000, offsetof(AuthConf, hashes_waiting), 0,
     "sign-ins that may wait for that; more are refused"},
    {0}};

static const StoreMigration migrations[] = {
    {1, "init",
     "CREATE TABLE auth_users(id TEXT PRIMARY KEY,name TEXT NOT NULL UNIQUE,hash TEXT NOT NULL,"
     "roles INTEGER NOT NULL,version INTEGER NOT NULL,created_ms INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE auth_sessions(key TEXT PRIMARY KEY,"
     "user_id TEXT NOT NULL REFERENCES auth_users(id) ON DELETE CASCADE,"
     "created_ms INTEGER NOT NULL,seen_ms INTEGER NOT NULL,expires_ms INTEGER NOT NULL)"
     " WITHOUT ROWID;"
     "CREATE INDEX auth_sessions_user ON auth_sessions(user_id);"
     "CREATE TABLE auth_keys(kid TEXT PRIMARY KEY,jwk TEXT NOT NULL,created_ms INTEGER NOT NULL)"
     " WITHOUT ROWID;"},
    {0, NULL, NULL}};

const ModuleDef auth_module = {
    .abi = MODULE_ABI,
    .name = "auth",
    .doc = "users, passwords, sessions and access tokens",
    .self_bytes = sizeof(AuthModule),
    .conf_bytes = sizeof(AuthConf),
    .conf = conf,
    .migrations = migrations,
    .ops = ops,
    .pubs = pubs,
    .routes = routes,
    .open = auth_open,
    .start = auth_start,
    .drain = auth_drain,
    .close = auth_close,
};
