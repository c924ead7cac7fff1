/* runtime/peer/pg_pool.c: connections to PostgreSQL, shared by all who name the same server. */
#include "peer/pg_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

enum {
    POOL_PRESET = 4,
    POOL_MAX = 64,
    POOLS_MAX = 64,
    NAP_MS = 20,
    AGAIN_FIRST_MS = 50,
    AGAIN_LAST_MS = 1000
};

struct PgPool {
    PgPool *next;
    const PqLib *lib;
    PeerLink link;
    const char *user, *password;
    int64_t connect_ns; /* longest wait for a connection */
    uint32_t refs, limit;
    Pg places[POOL_MAX];
    int64_t again_ns; /* no try to connect before it */
    uint32_t failed;  /* tries in a row */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static PgPool *pools;
static uint32_t pool_count;

const PqLib *pg__lib(const PgPool *pool)
{
    return pool->lib;
}

Status pg__say(Diag *diag, Status status, const char *before, const char *text)
{
    char line[400];
    size_t n = 0;
    for (const char *p = text ? text : ""; *p && n + 2 < sizeof line; p++) {
        bool space = *p == '\n' || *p == '\t' || *p == ' ';
        if (space && (!n || line[n - 1] == ' ')) continue;
        line[n++] = *p == '\n' || *p == '\t' ? ' ' : *p;
    }
    while (n && line[n - 1] == ' ') n--;
    line[n] = 0;
    return diag_set(diag, status, "%s%s%s", before, before[0] ? ": " : "",
                    n ? line : status_text(status));
}

Status pg__poll(int fd, bool write, const PgWait *wait)
{
    for (;;) {
        if (wait->halting && wait->halting(wait->ctx)) return ST_CANCELLED;
        int64_t left_ms = (wait->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms < 0) return ST_TIMEOUT;
        struct pollfd one = {.fd = fd, .events = (short)(POLLIN | (write ? POLLOUT : 0))};
        int n = poll(&one, 1, left_ms < NAP_MS ? (int)left_ms + 1 : NAP_MS);
        if (n > 0) return ST_OK;
    }
}

/* ---- pools ---- */

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

MUST static Status pool_make(const PeerLink *link, PgPool **ret_pool, Diag *diag)
{
    PgPool *pool = mem_zalloc(1, sizeof *pool);
    if (!pool) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    int64_t limit = json_int(link->options, "pool", POOL_PRESET);
    int64_t connect_ns = json_int(link->options, "timeout", 5 * NS_PER_S);
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 16);
    if (link->options) buf_str(&text, link->options->raw);
    buf_char(&text, 0);
    Status st = pq_lib(&pool->lib, diag);
    if (!st) st = peer_link_make(link->name, link->url, text.ptr, &pool->link, diag);
    if (!st) st = peer_link_text(&pool->link, "user", &pool->user, diag);
    if (!st) st = peer_link_text(&pool->link, "password", &pool->password, diag);
    if (st) {
        peer_link_done(&pool->link);
        mem_free(pool);
        return st;
    }
    pool->limit = limit < 1 ? 1 : limit > POOL_MAX ? POOL_MAX : (uint32_t)limit;
    pool->connect_ns = connect_ns < NS_PER_MS ? NS_PER_MS : connect_ns;
    *ret_pool = pool;
    return ST_OK;
}

static void pool_free(PgPool *pool)
{
    for (uint32_t i = 0; i < POOL_MAX; i++)
        if (pool->places[i].conn) pool->lib->finish(pool->places[i].conn);
    peer_link_done(&pool->link);
    mem_free(pool);
}

Status pg_pool(const PeerLink *link, PgPool **ret_pool, Diag *diag)
{
    PgPool *made = NULL;
    Status st = pool_make(link, &made, diag);
    if (st) return st;
    (void)pthread_mutex_lock(&lock);
    PgPool *found = pools;
    while (found && !(same(found->link.url, made->link.url) && same(found->user, made->user) &&
                      same(found->password, made->password)))
        found = found->next;
    if (!found && pool_count == POOLS_MAX) {
        st = diag_set(diag, ST_LIMIT, "more than %d PostgreSQL servers", POOLS_MAX);
    } else if (!found) {
        found = made;
        made = NULL;
        found->next = pools;
        pools = found;
        pool_count++;
    }
    if (found) {
        found->refs++;
        /* Who names it last says how many there may be: a new version of a program. */
        if (made) found->limit = made->limit;
        *ret_pool = found;
    }
    (void)pthread_mutex_unlock(&lock);
    if (made) pool_free(made);
    return st;
}

void pg_pool_unref(PgPool *pool)
{
    if (!pool) return;
    (void)pthread_mutex_lock(&lock);
    bool last = --pool->refs == 0;
    for (PgPool **at = &pools; last && *at; at = &(*at)->next) {
        if (*at != pool) continue;
        *at = pool->next;
        pool_count--;
        break;
    }
    (void)pthread_mutex_unlock(&lock);
    if (last) pool_free(pool);
}

/* ---- one connection ---- */

MUST static Status greet(Pg *pg, const PgWait *wait, Diag *diag)
{
    /* How values are written as text; see ask/pg.c and deliver/pg_table.c, which read and write
     * them. */
    static const char sql[] =
        "select set_config('datestyle', 'ISO, YMD', false), set_config('timezone', 'UTC', false), "
        "set_config('intervalstyle', 'iso_8601', false), "
        "set_config('bytea_output', 'hex', false), "
        "set_config('extra_float_digits', '1', false), "
        "set_config('standard_conforming_strings', 'on', false)";
    return pg_query(pg, wait, sql, NULL, 0, NULL, NULL, diag);
}

MUST static Status dial(Pg *pg, const PgWait *wait, Diag *diag)
{
    const PgPool *pool = pg->pool;
    const PqLib *lib = pool->lib;
    const char *const names[] = {
        "dbname", "user", "password", "client_encoding", "fallback_application_name", NULL};
    const char *const values[] = {pool->link.url, pool->user, pool->password,
                                  "UTF8",         "tutti",    NULL};
    Status st = ST_OK;
    PgWait own = *wait;
    int64_t latest_ns = clock_monotonic_ns() + pool->connect_ns;
    if (own.deadline_ns > latest_ns) own.deadline_ns = latest_ns;
    PqConn *conn = lib->connectStartParams(names, values, 1);
    if (!conn) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    int step = PQ_POLLING_WRITING;
    if (lib->status(conn) == 1) step = PQ_POLLING_FAILED;
    while (!st && step != PQ_POLLING_OK && step != PQ_POLLING_FAILED) {
        struct pollfd one = {.fd = lib->socket(conn),
                             .events = step == PQ_POLLING_READING ? POLLIN : POLLOUT};
        if (own.halting && own.halting(own.ctx)) st = ST_CANCELLED;
        if (clock_monotonic_ns() > own.deadline_ns) st = ST_TIMEOUT;
        if (!st && poll(&one, 1, NAP_MS) > 0) step = lib->connectPoll(conn);
    }
    if (st == ST_TIMEOUT)
        st = diag_set(diag, ST_TIMEOUT, "connection %s: the server does not answer",
                      pool->link.name);
    else if (!st && step == PQ_POLLING_FAILED) {
        char before[120];
        (void)snprintf(before, sizeof before, "connection %.100s", pool->link.name);
        st = pg__say(diag, ST_UNAVAILABLE, before, lib->errorMessage(conn));
    }
    if (!st) (void)lib->setnonblocking(conn, 1);
    if (st) {
        lib->finish(conn);
        return st;
    }
    pg->conn = conn;
    pg->prepared_count = 0;
    pg->read_only = -1;
    pg->timeout_ms = -1;
    pg->broken = pg->begun = false;
    return greet(pg, &own, diag);
}

/* A server that went away has closed its end. */
static bool alive(const Pg *pg)
{
    const PqLib *lib = pg->pool->lib;
    struct pollfd one = {.fd = lib->socket(pg->conn), .events = POLLIN};
    if (poll(&one, 1, 0) > 0 && !lib->consumeInput(pg->conn)) return false;
    return lib->status(pg->conn) == PQ_CONNECTION_OK;
}

static void hang_up(Pg *pg)
{
    if (pg->conn) pg->pool->lib->finish(pg->conn);
    pg->conn = NULL;
}

/* With the lock held: a place nobody uses, best one that is connected. */
static Pg *free_place(PgPool *pool)
{
    Pg *found = NULL;
    for (uint32_t i = 0; i < pool->limit; i++) {
        Pg *pg = &pool->places[i];
        if (pg->taken) continue;
        if (!found || (pg->conn && !found->conn)) found = pg;
    }
    if (found) found->taken = true;
    return found;
}

MUST static Status wait_for_place(PgPool *pool, const PgWait *wait, Pg **ret_pg, Diag *diag)
{
    Status st = ST_OK;
    (void)pthread_mutex_lock(&lock);
    while (!st && !(*ret_pg = free_place(pool))) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NAP_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&given, &lock, &until);
        if (wait->halting && wait->halting(wait->ctx)) st = ST_CANCELLED;
        if (clock_monotonic_ns() > wait->deadline_ns)
            st = diag_set(diag, ST_BUSY, "all %u connections of %s are in use", pool->limit,
                          pool->link.name);
    }
    (void)pthread_mutex_unlock(&lock);
    return st;
}

/* After a failed try others wait with us, so that a server that is down is not stormed. */
MUST static Status wait_for_turn(PgPool *pool, const PgWait *wait)
{
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        int64_t again_ns = pool->again_ns;
        (void)pthread_mutex_unlock(&lock);
        int64_t now_ns = clock_monotonic_ns();
        if (now_ns >= again_ns || now_ns >= wait->deadline_ns) return ST_OK;
        if (wait->halting && wait->halting(wait->ctx)) return ST_CANCELLED;
        int64_t nap_ms = (again_ns - now_ns) / NS_PER_MS + 1;
        (void)poll(NULL, 0, nap_ms < NAP_MS ? (int)nap_ms : NAP_MS);
    }
}

static void note_try(PgPool *pool, bool failed)
{
    (void)pthread_mutex_lock(&lock);
    int64_t pause_ms = AGAIN_FIRST_MS << (pool->failed < 5 ? pool->failed : 5);
    pool->failed = failed ? pool->failed + 1 : 0;
    if (pause_ms > AGAIN_LAST_MS) pause_ms = AGAIN_LAST_MS;
    pool->again_ns = failed ? clock_monotonic_ns() + pause_ms * NS_PER_MS : 0;
    (void)pthread_mutex_unlock(&lock);
}

MUST static Status set_up(Pg *pg, const PgWait *wait, bool read_only, Diag *diag)
{
    int64_t left_ms = (wait->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    /* Rounded up to what is not set anew for each statement. */
    int64_t timeout_ms = left_ms < 100 ? 100 : (left_ms + 99) / 100 * 100;
    if (pg->read_only == (int)read_only && pg->timeout_ms == timeout_ms) return ST_OK;
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)timeout_ms);
    const char *values[] = {text, read_only ? "on" : "off"};
    Status st = pg_query(pg, wait,
                         "select set_config('statement_timeout', $1, false), "
                         "set_config('default_transaction_read_only', $2, false)",
                         values, 2, NULL, NULL, diag);
    if (!st) {
        pg->read_only = read_only;
        pg->timeout_ms = timeout_ms;
    }
    return st;
}

Status pg_take(PgPool *pool, const PgWait *wait, bool read_only, Pg **ret_pg, Diag *diag)
{
    Pg *pg = NULL;
    Status st = wait_for_place(pool, wait, &pg, diag);
    if (st) return st;
    pg->pool = pool;
    if (pg->conn && !alive(pg)) hang_up(pg);
    if (!pg->conn) {
        st = wait_for_turn(pool, wait);
        if (!st) {
            st = dial(pg, wait, diag);
            note_try(pool, st != ST_OK);
        }
    }
    if (!st) st = set_up(pg, wait, read_only, diag);
    if (st) {
        pg->broken = true;
        pg_give(pg);
        return st;
    }
    *ret_pg = pg;
    return ST_OK;
}

void pg_give(Pg *pg)
{
    if (!pg) return;
    if (pg->broken) hang_up(pg);
    (void)pthread_mutex_lock(&lock);
    pg->taken = false;
    (void)pthread_cond_broadcast(&given);
    (void)pthread_mutex_unlock(&lock);
}
