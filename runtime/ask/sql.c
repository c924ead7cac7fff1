/* runtime/ask/sql.c: questions in SQL, to SQLite files and to the historian's.
 *
 * Files are opened read-only; what the historian's shows is told in historian.h. */
#include "ask/ask_int.h"
#include "ask/historian.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rfc3339.h"

enum { STEPS_BETWEEN_LOOKS = 1000 };

static int on_progress(void *ctx)
{
    return ask__over(ctx);
}

static bool is_historian(const RtAskInfo *ask)
{
    return str_is(str_from(ask->kind), "historian");
}

static Status sql_failed(sqlite3 *db, Diag *diag)
{
    int code = sqlite3_errcode(db) & 0xff;
    Status st = code == SQLITE_BUSY || code == SQLITE_LOCKED ? ST_BUSY
                : code == SQLITE_INTERRUPT                   ? ST_TIMEOUT
                : code == SQLITE_CANTOPEN                    ? ST_UNAVAILABLE
                : code == SQLITE_NOMEM                       ? ST_NO_MEMORY
                                                             : ST_INVALID;
    return diag_set(diag, st, "%s", st == ST_TIMEOUT ? "no answer in time" : sqlite3_errmsg(db));
}

/* A file that others use is waited for, up to the deadline of the question. */
static void wait_when_busy(const Asker *asker, sqlite3 *db)
{
    int64_t left_ms = (asker->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    (void)sqlite3_busy_timeout(db, left_ms < 1 ? 1 : (int)left_ms);
}

MUST static Status open_file(Asker *asker, const char *path, bool historian, sqlite3 **ret_db,
                             Diag *diag)
{
    sqlite3 *db = NULL;
    size_t at = 0;
    while (at < ASK_FILES_MAX && asker->files[at].path && strcmp(asker->files[at].path, path) != 0)
        at++;
    if (at == ASK_FILES_MAX)
        return diag_set(diag, ST_LIMIT, "a pipeline asks at most %d files", ASK_FILES_MAX);
    if (asker->files[at].path) {
        *ret_db = asker->files[at].db;
        return ST_OK;
    }
    size_t len = strlen(path) + 1;
    char *copy = mem_alloc(len);
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code || !copy) {
        Status st = !db || !copy
                        ? diag_set(diag, ST_NO_MEMORY, "no memory for %s", path)
                        : diag_set(diag, ST_UNAVAILABLE, "%s: %s", path, sqlite3_errmsg(db));
        (void)sqlite3_close(db);
        mem_free(copy);
        return st;
    }
    wait_when_busy(asker, db); /* who opens a file first may have to look after its log */
    Status st = historian           ? historian_tables(db, diag)
                : historian_now(db) ? ST_OK
                                    : diag_set(diag, ST_NO_MEMORY, "no memory for %s", path);
    if (st) {
        (void)sqlite3_close(db);
        mem_free(copy);
        return st;
    }
    memcpy(copy, path, len);
    asker->files[at].path = copy;
    asker->files[at].db = *ret_db = db;
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, on_progress, asker);
    return ST_OK;
}

MUST static Status prepare(Asker *asker, const RtAskInfo *ask, u32 count, sqlite3 **ret_db,
                           sqlite3_stmt **ret_stmt, Diag *diag)
{
    const char *path = is_historian(ask) ? asker->historian : ask->target, *rest = "";
    size_t at = 0;
    if (!path)
        return diag_set(diag, ST_UNSUPPORTED, "there is no historian here (run with --data)");
    Status st = open_file(asker, path, is_historian(ask), ret_db, diag);
    if (st) return st;
    while (at < ASK_QUESTIONS_MAX && asker->questions[at].ask && asker->questions[at].ask != ask)
        at++;
    if (at == ASK_QUESTIONS_MAX) return diag_set(diag, ST_LIMIT, "too many questions");
    if (!asker->questions[at].ask) {
        sqlite3_stmt *stmt = NULL;
        st = is_historian(ask) ? historian_views(*ret_db, diag) : ST_OK;
        if (!st && sqlite3_prepare_v2(*ret_db, ask->text, -1, &stmt, &rest))
            st = sql_failed(*ret_db, diag);
        if (!st && (!stmt || !sqlite3_stmt_readonly(stmt) || str_trim(str_from(rest)).len))
            st = diag_set(diag, ST_INVALID, "a question is one `select`");
        if (!st && (u32)sqlite3_bind_parameter_count(stmt) != count)
            st = diag_set(diag, ST_INVALID, "a field between quotes is text and no value");
        if (st) {
            (void)sqlite3_finalize(stmt);
            return st;
        }
        asker->questions[at].ask = ask;
        asker->questions[at].stmt = stmt;
    }
    *ret_stmt = asker->questions[at].stmt;
    return ST_OK;
}

static void bind_values(sqlite3_stmt *stmt, const RtAskInfo *ask, const RtValue *values,
                        const u8 *has, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        int at = (int)i + 1;
        if (!has[i])
            (void)sqlite3_bind_null(stmt, at);
        else if (ask->types[i] == RT_STR)
            (void)sqlite3_bind_text64(stmt, at, values[i].s.p ? values[i].s.p : "", values[i].s.n,
                                      SQLITE_STATIC, SQLITE_UTF8);
        else if (ask->types[i] == RT_F64)
            (void)sqlite3_bind_double(stmt, at, values[i].d);
        else
            (void)sqlite3_bind_int64(stmt, at, values[i].i);
    }
}

/* Of the answer, for a field; -1: none. */
static int column_of(sqlite3_stmt *stmt, const RtField *field)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++)
        if (strcmp(sqlite3_column_name(stmt, i), field->name) == 0) return i;
    return -1;
}

static Str cell_text(sqlite3_stmt *stmt, int column, const RtField *field, char *room)
{
    int type = sqlite3_column_type(stmt, column);
    if (type == SQLITE_NULL) return STR_NONE;
    if (type == SQLITE_INTEGER && field->type == RT_BOOL)
        return sqlite3_column_int64(stmt, column) ? STR("true") : STR("false");
    if (type == SQLITE_INTEGER && field->type == RT_TIME && !field->time_read) {
        *rfc3339_put(room, sqlite3_column_int64(stmt, column)) = 0;
        return str_from(room);
    }
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return (Str){text ? text : "", (size_t)sqlite3_column_bytes(stmt, column)};
}

MUST static Status put_row(sqlite3_stmt *stmt, const RtSchema *schema, Buf *out, Diag *diag)
{
    char room[40];
    bool first = true;
    size_t row = ask__row_begin(out);
    for (u32 i = 0; i < schema->count; i++) {
        const RtField *field = &schema->fields[i];
        int column = column_of(stmt, field);
        if (column < 0)
            return diag_set(diag, ST_INVALID, "the answer has no column %s", field->name);
        Str text = cell_text(stmt, column, field, room);
        if (!text.ptr && !(field->flags & RT_OPTIONAL))
            return diag_set(diag, ST_INVALID, "%s is null, and its type says it is always there",
                            field->name);
        ask__cell(out, first, text);
        first = false;
    }
    ask__row_end(out, row);
    return ST_OK;
}

Status ask__sql(Asker *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has, u32 count,
                Buf *out, Diag *diag)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    Status st = prepare(asker, ask, count, &db, &stmt, diag);
    if (st) return st;
    wait_when_busy(asker, db);
    bind_values(stmt, ask, values, has, count);
    u32 rows = 0;
    int code = SQLITE_ROW;
    while (!st && rows <= ask->rows_max && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        st = put_row(stmt, ask->schema, out, diag);
        rows++;
        if (ask->single) break;
    }
    if (!st && code != SQLITE_ROW && code != SQLITE_DONE) st = sql_failed(db, diag);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return st;
}

void ask__sql_done(Asker *asker)
{
    for (size_t i = 0; i < ASK_QUESTIONS_MAX; i++) (void)sqlite3_finalize(asker->questions[i].stmt);
    for (size_t i = 0; i < ASK_FILES_MAX; i++) {
        (void)sqlite3_close(asker->files[i].db);
        mem_free(asker->files[i].path);
    }
}
