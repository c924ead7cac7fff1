/* runtime/series/server.c: points into PostgreSQL and out of it.
 *
 * A batch is copied into a temporary table and moved from there by one statement, which is the
 * transaction: INSERT ... ON CONFLICT DO UPDATE. Reading goes in pages by time, so that an answer
 * that is cut short leaves nothing to read on the connection. */
#include "series/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "peer/pg.h"
#include "series/server_int.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WAIT_S = 30, /* of what is no question */
    FIRST_PAGE = 1000,
    PAGE = 20000,
    WEEKS_KNOWN = 256,
    PUT_POINTS = 50000
};
#define WEEK_NS ((int64_t)604800000000000)

struct SeriesServer {
    PgPool *pool;
    bool (*halting)(void *ctx);
    void *ctx;
    pthread_mutex_t lock; /* of what follows */
    ServerKind kind;
    int64_t week[WEEKS_KNOWN]; /* whose partition is there; of the writing thread */
    uint32_t week_count;
    Buf rows;
    int64_t question_ns; /* how long a question waits */
    int64_t down_ns;     /* questions fail until then, by the monotonic clock */
    char reason[sizeof(((Diag *)0)->text)];
};

Status series_server_new(const char *url, int64_t question_ms, bool (*halting)(void *ctx),
                         void *ctx, SeriesServer **ret_server, Diag *diag)
{
    PeerLink link = {0};
    SeriesServer *server = mem_zalloc(1, sizeof *server);
    if (!server) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = peer_link_make("historian", url, "{}", &link, diag);
    if (!st) st = pg_pool(&link, &server->pool, diag);
    peer_link_done(&link);
    if (st) {
        mem_free(server);
        return st;
    }
    server->question_ns = question_ms * NS_PER_MS;
    server->halting = halting;
    server->ctx = ctx;
    (void)pthread_mutex_init(&server->lock, NULL);
    buf_init(&server->rows, 64 << 20);
    *ret_server = server;
    return ST_OK;
}

void series_server_free(SeriesServer *server)
{
    if (!server) return;
    pg_pool_unref(server->pool);
    (void)pthread_mutex_destroy(&server->lock);
    buf_done(&server->rows);
    mem_free(server);
}

const char *series_server_kind(const SeriesServer *server)
{
    static const char *const names[] = {"", "partitions", "timescaledb"};
    return names[server->kind];
}

/* The words of a question that has no answer. */
static Status no_answer(SeriesServer *server, Diag *diag)
{
    (void)pthread_mutex_lock(&server->lock);
    Status st = diag_set(diag, ST_UNAVAILABLE,
                         "the PostgreSQL server of the history does not answer: %.200s; what is"
                         " written meanwhile is kept, ask again when it is back",
                         server->reason);
    (void)pthread_mutex_unlock(&server->lock);
    return st;
}

/* What waited long for nothing makes others fail for the same time: not all wait in a row. */
static Status note_away(SeriesServer *server, Status status, int64_t waited_ns, Diag *diag)
{
    if (status != ST_UNAVAILABLE && status != ST_TIMEOUT && status != ST_BUSY) return status;
    (void)pthread_mutex_lock(&server->lock);
    if (waited_ns > server->question_ns) waited_ns = server->question_ns;
    server->down_ns = clock_monotonic_ns() + waited_ns;
    (void)snprintf(server->reason, sizeof server->reason, "%s",
                   diag && diag->text[0] ? diag->text : status_text(status));
    (void)pthread_mutex_unlock(&server->lock);
    return no_answer(server, diag);
}

Status server__asked(SeriesServer *server, Status status, Diag *diag)
{
    return note_away(server, status, server->question_ns, diag);
}

/* A connection to a database that has the tables. */
static Status connect_to(SeriesServer *server, bool read_only, bool known, const PgWait *wait,
                         Pg **ret_pg, Diag *diag)
{
    Status st = pg_take(server->pool, wait, known && read_only, ret_pg, diag);
    if (st || known) return st;
    ServerKind kind = SERVER_UNKNOWN;
    st = server__tables(*ret_pg, wait, &kind, diag);
    if (st) {
        pg_give(*ret_pg);
        *ret_pg = NULL;
        return st;
    }
    (void)pthread_mutex_lock(&server->lock);
    server->kind = kind;
    (void)pthread_mutex_unlock(&server->lock);
    return ST_OK;
}

Status server__take(SeriesServer *server, bool read_only, PgWait *wait, Pg **ret_pg, Diag *diag)
{
    int64_t now_ns = clock_monotonic_ns(),
            wait_ns = read_only ? server->question_ns : WAIT_S * NS_PER_S;
    *wait = (PgWait){now_ns + wait_ns, server->halting, server->ctx};
    (void)pthread_mutex_lock(&server->lock);
    bool known = server->kind != SERVER_UNKNOWN, down = read_only && now_ns < server->down_ns;
    (void)pthread_mutex_unlock(&server->lock);
    if (down) return no_answer(server, diag);
    Status st = connect_to(server, read_only, known, wait, ret_pg, diag);
    if (read_only) return note_away(server, st, clock_monotonic_ns() - now_ns, diag);
    if (st) return st;
    (void)pthread_mutex_lock(&server->lock);
    server->down_ns = 0; /* it is back */
    bool hyper = server->kind == SERVER_TIMESCALE;
    (void)pthread_mutex_unlock(&server->lock);
    if (hyper) st = server__hyper_writes(*ret_pg, wait, diag);
    if (st) {
        pg_give(*ret_pg);
        *ret_pg = NULL;
    }
    return st;
}

Buf *server__bytes(SeriesServer *server)
{
    return &server->rows;
}

/* ---- writing ---- */

void server__put_be(Buf *out, uint64_t value, int bytes)
{
    char text[8];
    for (int i = 0; i < bytes; i++) text[i] = (char)(value >> (8 * (bytes - 1 - i)));
    buf_add(out, text, (size_t)bytes);
}

void server__put_cell(Buf *out, uint64_t value, int bytes)
{
    server__put_be(out, (uint64_t)bytes, 4);
    server__put_be(out, value, bytes);
}

/* PostgreSQL manual, COPY, "Binary Format". */
void server__put_head(Buf *out)
{
    buf_add(out, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}

static void put_rows(Buf *out, const SeriesPoint *points, uint32_t count)
{
    buf_clear(out);
    server__put_head(out);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &points[i].value, sizeof bits);
        server__put_be(out, 5, 2);
        server__put_cell(out, i, 4);
        server__put_cell(out, (uint64_t)points[i].series, 8);
        server__put_cell(out, (uint64_t)points[i].t_ns, 8);
        server__put_cell(out, bits, 8);
        server__put_cell(out, points[i].quality, 2);
    }
    server__put_be(out, UINT16_MAX, 2);
}

static Status put_names(Pg *pg, const PgWait *wait, const SeriesName *names, uint32_t count,
                        Diag *diag)
{
    AUTO_BUF Buf list;
    JsonOut out;
    if (!count) return ST_OK;
    buf_init(&list, 64 << 20);
    json_out_init(&out, &list);
    json_begin_array(&out);
    for (uint32_t i = 0; i < count; i++) {
        json_begin_object(&out);
        json_field_int(&out, "id", names[i].series);
        json_field_text(&out, "path", names[i].path);
        json_end(&out);
    }
    json_end(&out);
    buf_char(&list, 0);
    if (list.failed) return diag_set(diag, list.failed, "names of series");
    const char *values[] = {list.ptr};
    return pg_query(pg, wait,
                    "insert into tutti_series(id, path) select id, path from"
                    " json_to_recordset($1::json) as x(id bigint, path text)"
                    " on conflict(id) do update set path = excluded.path"
                    " where tutti_series.path <> excluded.path",
                    values, 1, NULL, NULL, diag);
}

static int64_t week_of(int64_t t_ns)
{
    int64_t week = t_ns / WEEK_NS;
    return week * WEEK_NS > t_ns ? week - 1 : week;
}

/* The partitions of all points; only the writing thread calls. */
static Status weeks(SeriesServer *server, Pg *pg, const PgWait *wait, const SeriesPoint *points,
                    uint32_t count, Diag *diag)
{
    Status st = ST_OK;
    for (uint32_t i = 0; i < count && !st; i++) {
        int64_t week = week_of(points[i].t_ns);
        uint32_t at = 0;
        if (i && week == week_of(points[i - 1].t_ns)) continue;
        while (at < server->week_count && server->week[at] != week) at++;
        if (at < server->week_count) continue;
        st = server__partition(pg, wait, week, diag);
        if (server->week_count == WEEKS_KNOWN) server->week_count = 0;
        if (!st) server->week[server->week_count++] = week;
    }
    return st;
}

/* Batch by batch: each is whole or not there. */
static Status put_some(SeriesServer *server, Pg *pg, const PgWait *wait, const SeriesPoint *points,
                       uint32_t count, Diag *diag)
{
    Status st = ST_OK;
    if (server->kind == SERVER_PARTITIONS) st = weeks(server, pg, wait, points, count, diag);
    if (!st)
        st = pg_query(pg, wait,
                      "create temporary table if not exists tutti_stage(n int, series bigint,"
                      " t bigint, value float8, quality smallint)",
                      NULL, 0, NULL, NULL, diag);
    if (!st) st = pg_query(pg, wait, "truncate tutti_stage", NULL, 0, NULL, NULL, diag);
    put_rows(&server->rows, points, count);
    if (!st) st = buf_status(&server->rows);
    if (!st)
        st = pg_copy(pg, wait, "copy tutti_stage from stdin (format binary)",
                     buf_view(&server->rows), diag);
    if (st) return st;
    return pg_query(pg, wait,
                    "with points as (insert into tutti_points(series, t, value, quality)"
                    " select distinct on (series, t) series, t, value, quality from tutti_stage"
                    " order by series, t, n desc on conflict(series, t) do update set"
                    " value = excluded.value, quality = excluded.quality)"
                    " insert into tutti_stale(series, t, echo) select distinct series,"
                    " tutti_hour(t), false from tutti_stage on conflict(series, t) do update set"
                    " echo = false where tutti_stale.echo",
                    NULL, 0, NULL, NULL, diag);
}

Status series_server_put(SeriesServer *server, const SeriesPoint *points, uint32_t count,
                         const SeriesName *names, uint32_t name_count, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Status st = server__take(server, false, &wait, &pg, diag);
    if (st) return st;
    st = put_names(pg, &wait, names, name_count, diag);
    for (uint32_t at = 0; at < count && !st; at += PUT_POINTS) {
        uint32_t part = count - at < PUT_POINTS ? count - at : PUT_POINTS;
        st = put_some(server, pg, &wait, points + at, part, diag);
    }
    if (st) server->week_count = 0; /* somebody may have dropped one */
    pg_give(pg);
    return st;
}

/* ---- reading ---- */

typedef struct Page {
    const SeriesVisitor *visitor;
    int64_t last_ns;
    uint32_t count;
    bool stopped, before;
    SeriesPoint point; /* of `before` */
} Page;

static Status on_row(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Page *page = ctx;
    int64_t t_ns, quality;
    if (count != 3 || !str_to_i64(cells[0].text, &t_ns) || !str_to_i64(cells[2].text, &quality))
        return diag_set(diag, ST_CORRUPT, "tutti_points has an odd row");
    double value = strtod(cells[1].text.ptr, NULL); /* libpq ends texts with a NUL */
    page->count++;
    page->last_ns = t_ns;
    if (page->before)
        page->point = (SeriesPoint){1, t_ns, value, (uint8_t)quality};
    else if (!page->stopped)
        page->stopped = !page->visitor->point(page->visitor->ctx, t_ns, value, (uint8_t)quality);
    return ST_OK;
}

static Status read_page(Pg *pg, const PgWait *wait, int64_t series, int64_t from_ns, int64_t to_ns,
                        uint32_t limit, Page *page, Diag *diag)
{
    char text[4][24];
    const char *values[] = {text[0], text[1], text[2], text[3]};
    (void)snprintf(text[0], sizeof text[0], "%lld", (long long)series);
    (void)snprintf(text[1], sizeof text[1], "%lld", (long long)from_ns);
    (void)snprintf(text[2], sizeof text[2], "%lld", (long long)to_ns);
    (void)snprintf(text[3], sizeof text[3], "%u", limit);
    return pg_query(pg, wait,
                    page->before
                        ? "select t, value, quality from tutti_points where series = $1::bigint"
                          " and t >= $2::bigint and t <= $3::bigint order by t desc limit $4::int"
                        : "select t, value, quality from tutti_points where series = $1::bigint"
                          " and t >= $2::bigint and t <= $3::bigint order by t limit $4::int",
                    values, 4, on_row, page, diag);
}

/* Each page has a deadline of its own. */
Status server__points(Pg *pg, const PgWait *wait, int64_t series, int64_t from_ns, int64_t to_ns,
                      const SeriesVisitor *visitor, Diag *diag)
{
    uint32_t limit = FIRST_PAGE;
    Page page = {.visitor = visitor};
    PgWait own = *wait;
    int64_t wait_ns = own.deadline_ns - clock_monotonic_ns();
    Status st = ST_OK;
    while (!st && !page.stopped && from_ns <= to_ns) {
        page.count = 0;
        own.deadline_ns = clock_monotonic_ns() + wait_ns;
        st = read_page(pg, &own, series, from_ns, to_ns, limit, &page, diag);
        if (page.count < limit || page.last_ns == INT64_MAX) break;
        from_ns = page.last_ns + 1;
        limit = PAGE;
    }
    return st;
}

Status series_server_scan(SeriesServer *server, int64_t series, int64_t from_ns, int64_t to_ns,
                          const SeriesVisitor *visitor, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = server__points(pg, &wait, series, from_ns, to_ns, visitor, diag);
    pg_give(pg);
    return server__asked(server, st, diag);
}

Status server__newest(Pg *pg, const PgWait *wait, int64_t series, int64_t before_ns,
                      SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    Page page = {.before = true};
    *ret_found = false;
    if (before_ns == INT64_MIN) return ST_OK;
    Status st = read_page(pg, wait, series, INT64_MIN, before_ns - 1, 1, &page, diag);
    *ret_found = !st && page.count;
    if (*ret_found) *ret_point = page.point;
    return st;
}

Status series_server_before(SeriesServer *server, int64_t series, int64_t before_ns,
                            SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    *ret_found = false;
    if (before_ns == INT64_MIN) return ST_OK;
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = server__newest(pg, &wait, series, before_ns, ret_point, ret_found, diag);
    pg_give(pg);
    return server__asked(server, st, diag);
}

Status series_server_forget(SeriesServer *server, int64_t before_ns, int64_t rolls_before_ns,
                            Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Status st = server__take(server, false, &wait, &pg, diag);
    if (st) return st;
    if (before_ns != INT64_MIN)
        st = server__forget(pg, &wait, server->kind, week_of(before_ns), diag);
    if (!st && rolls_before_ns != INT64_MIN && server->kind == SERVER_TIMESCALE)
        st = server__forget_rolls(pg, &wait, rolls_before_ns, diag);
    server->week_count = 0;
    pg_give(pg);
    return st;
}
