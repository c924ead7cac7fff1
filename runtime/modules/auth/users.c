/* runtime/modules/auth/users.c: users in memory, written through to the store.
 *
 * A change is committed first and put into memory afterwards, on the loop. */
#include "modules/auth/auth_int.h"

#include "base/mem.h"
#include "module/role.h"

#include <stdio.h>

static void copy_text(char *to, size_t room, Str text)
{
    (void)snprintf(to, room, "%.*s", STR_ARG(text));
}

User *auth__user(const Auth *auth, Str id)
{
    return map_get(&auth->users, id);
}

User *auth__user_by_name(const Auth *auth, Str name)
{
    return map_get(&auth->names, name);
}

bool auth__name_valid(Str name)
{
    if (!name.len || name.len >= AUTH_NAME_BYTES || !str_utf8_valid(name)) return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= 0x20 || name.ptr[i] == 0x7f) return false;
    return true;
}

bool auth__last_admin(const Auth *auth, const User *user)
{
    MapSlot *slot;
    if (!(user->roles & ROLE_ADMIN)) return false;
    for (size_t at = 0; (slot = map_next(&auth->users, &at));) {
        const User *other = slot->value;
        if (other != user && other->roles & ROLE_ADMIN) return false;
    }
    return true;
}

uint32_t auth__roles_of(const Json *list, bool *ret_valid)
{
    uint32_t bits = 0;
    *ret_valid = list && list->count > 0;
    for (const Json *item = list ? list->first : NULL; item; item = item->next) {
        const Role *role = item->type == JSON_STRING ? role_named(item->text) : NULL;
        if (!role) *ret_valid = false;
        bits |= role ? role->bits : 0;
    }
    return bits;
}

void auth__put_user(JsonOut *out, const char *key, const User *user)
{
    if (key) json_key(out, key);
    json_begin_object(out);
    json_field_text(out, "id", user->id);
    json_field_text(out, "name", user->name);
    json_key(out, "roles");
    json_begin_array(out);
    for (const Role *role = role_table; role->name; role++)
        if (user->roles & role->bit) json_put_text(out, role->name);
    json_end(out);
    json_end(out);
}

/* ---- memory ---- */

static void remove_user(Auth *auth, Str id)
{
    User *user = map_remove(&auth->users, id);
    if (!user) return;
    (void)map_remove(&auth->names, str_from(user->name));
    mem_free(user);
}

static Status put_user(Auth *auth, const User *from)
{
    User *user = auth__user(auth, str_from(from->id));
    if (user) {
        *user = *from; /* the name never changes: the maps' keys stay right */
        return ST_OK;
    }
    user = mem_alloc(sizeof *user);
    if (!user) return ST_NO_MEMORY;
    *user = *from;
    Status st = map_put(&auth->users, str_from(user->id), user);
    if (!st) st = map_put(&auth->names, str_from(user->name), user);
    if (!st) return ST_OK;
    (void)map_remove(&auth->users, str_from(user->id));
    mem_free(user);
    return st;
}

static void free_values(Map *map)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(map, &at));) mem_free(slot->value);
    map_done(map);
}

void auth__forget(Auth *auth)
{
    map_done(&auth->names);
    free_values(&auth->users);
    free_values(&auth->sessions);
    free_values(&auth->failures);
}

/* ---- store ---- */

static Status load_users(StoreConn *conn, Auth *auth, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = true;
    Status st = store_prepare(conn, "SELECT id,name,hash,roles,version,created_ms FROM auth_users",
                              &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        User user = {.roles = (uint32_t)store_int(stmt, 3),
                     .version = store_int(stmt, 4),
                     .created_ms = store_int(stmt, 5)};
        copy_text(user.id, sizeof user.id, store_str(stmt, 0));
        copy_text(user.name, sizeof user.name, store_str(stmt, 1));
        copy_text(user.hash, sizeof user.hash, store_str(stmt, 2));
        st = put_user(auth, &user);
    }
    return st;
}

static Status load_sessions(StoreConn *conn, Auth *auth, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = true;
    Status st = store_prepare(
        conn, "SELECT key,user_id,created_ms,seen_ms,expires_ms FROM auth_sessions", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        Session session = {.created_ms = store_int(stmt, 2),
                           .seen_ms = store_int(stmt, 3),
                           .saved_ms = store_int(stmt, 3),
                           .expires_ms = store_int(stmt, 4)};
        copy_text(session.key, sizeof session.key, store_str(stmt, 0));
        copy_text(session.user_id, sizeof session.user_id, store_str(stmt, 1));
        st = auth__session_add(auth, &session);
    }
    return st;
}

static Status load_keys(StoreConn *conn, Auth *auth, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = true;
    Status st = store_prepare(conn, "SELECT kid,jwk,created_ms FROM auth_keys ORDER BY created_ms",
                              &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row)
        st = auth__key_add(auth, store_str(stmt, 0), store_str(stmt, 1), store_int(stmt, 2));
    return st;
}

Status auth__load(StoreConn *conn, void *ctx, Diag *diag)
{
    Status st = load_users(conn, ctx, diag);
    if (!st) st = load_sessions(conn, ctx, diag);
    return st ? st : load_keys(conn, ctx, diag);
}

typedef struct Change {
    Auth *auth;
    User user;
    bool is_new, removes;
    AuthDoneFn *done;
    void *ctx;
} Change;

static Status write_user(StoreConn *conn, const Change *change, Diag *diag)
{
    static const char *const insert =
        "INSERT INTO auth_users(id,name,hash,roles,version,created_ms) VALUES(?1,?2,?3,?4,?5,?6)";
    static const char *const update =
        "UPDATE auth_users SET name=?2,hash=?3,roles=?4,version=?5,created_ms=?6 WHERE id=?1";
    const User *user = &change->user;
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, change->is_new ? insert : update, &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(user->id));
    store_bind_str(stmt, 2, str_from(user->name));
    store_bind_str(stmt, 3, str_from(user->hash));
    store_bind_int(stmt, 4, user->roles);
    store_bind_int(stmt, 5, user->version);
    store_bind_int(stmt, 6, user->created_ms);
    return store_step(stmt, &row, diag);
}

static Status run_change(StoreConn *conn, void *ctx, Diag *diag)
{
    const Change *change = ctx;
    StoreStmt *stmt = NULL;
    bool row = false;
    if (!change->removes) return write_user(conn, change, diag);
    Status st = store_prepare(conn, "DELETE FROM auth_users WHERE id=?1", &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(change->user.id));
    return store_step(stmt, &row, diag); /* the user's sessions go by their foreign key */
}

static void tell_changed(Auth *auth, const User *user)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "id", user->id);
    json_end(&out);
    if (buf_status(&body) ||
        bus_publish(auth->env->bus, STR("auth.users_changed"), buf_view(&body)))
        log_warn(auth->env->log, "auth", "a change of users was not told", "id=%s", user->id);
    buf_done(&body);
}

static void change_done(void *ctx, Status status, const Diag *diag)
{
    Change *change = ctx;
    Auth *auth = change->auth;
    const char *text = diag->text;
    if (!status && change->removes)
        remove_user(auth, str_from(change->user.id));
    else if (!status)
        status = put_user(auth, &change->user);
    else if (status == ST_CONFLICT)
        text = "a user of this name exists";
    if (!status) tell_changed(auth, &change->user);
    change->done(auth, change->ctx, status, text);
    mem_free(change);
}

static void start_change(Change change)
{
    Change *copy = mem_alloc(sizeof *copy);
    Status st = ST_NO_MEMORY;
    if (copy) {
        *copy = change;
        st = store_write(change.auth->env->store, run_change, change_done, copy);
    }
    if (!st) return;
    mem_free(copy);
    change.done(change.auth, change.ctx, st, status_text(st));
}

void auth__user_save(Auth *auth, const User *user, bool is_new, AuthDoneFn *done, void *ctx)
{
    start_change((Change){.auth = auth, .user = *user, .is_new = is_new, .done = done, .ctx = ctx});
}

void auth__user_remove(Auth *auth, Str id, AuthDoneFn *done, void *ctx)
{
    Change change = {.auth = auth, .removes = true, .done = done, .ctx = ctx};
    copy_text(change.user.id, sizeof change.user.id, id);
    auth__sessions_end_of(auth, change.user.id);
    start_change(change);
}
