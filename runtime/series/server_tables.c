/* runtime/series/server_tables.c: tables and partitions on a PostgreSQL server.
 *
 * Where timescaledb is installed (or may be) the tables become hypertables (server_hyper.c); else
 * weeks are partitions, made when their first point comes. What is there already stays as it is.
 * All of it is one transaction: there is no half of it. */
#include "series/server_int.h"

#include <stdio.h>

#define WEEK_NS ((int64_t)604800000000000)

static Status on_any(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    (void)cells;
    (void)diag;
    *(bool *)ctx = count > 0;
    return ST_OK;
}

Status server__exists(Pg *pg, const PgWait *wait, const char *sql, const char *const *values,
                      uint32_t count, bool *ret, Diag *diag)
{
    *ret = false;
    return pg_query(pg, wait, sql, values, count, on_any, ret, diag);
}

Status server__run_all(Pg *pg, const PgWait *wait, const char *const *list, size_t count,
                       Diag *diag)
{
    Status st = ST_OK;
    for (size_t i = 0; i < count && !st; i++)
        st = pg_query(pg, wait, list[i], NULL, 0, NULL, NULL, diag);
    return st;
}

typedef struct Found {
    bool table, partitioned, rolls, installed, available;
} Found;

static Status on_found(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Found *found = ctx;
    if (count != 5) return diag_set(diag, ST_INTERNAL, "five columns");
    found->table = str_is(cells[0].text, "t");
    found->partitioned = str_is(cells[1].text, "t");
    found->rolls = str_is(cells[2].text, "t");
    found->installed = str_is(cells[3].text, "t");
    found->available = str_is(cells[4].text, "t");
    return ST_OK;
}

/* An extension that is there and not in shared_preload_libraries is of no use: it would end the
 * connection. Its loader shows in its settings (of all settings only the server's own are listed).
 */
static Status look(Pg *pg, const PgWait *wait, Found *ret, Diag *diag)
{
    *ret = (Found){0};
    return pg_query(pg, wait,
                    "select to_regclass('tutti_points') is not null,"
                    " coalesce((select relkind = 'p' from pg_class where oid ="
                    " to_regclass('tutti_points')), false),"
                    " to_regclass('tutti_rolls') is not null, loaded and"
                    " exists (select from pg_extension where extname = 'timescaledb'), loaded and"
                    " exists (select from pg_available_extensions where name = 'timescaledb') from"
                    " (select exists (select from pg_settings where name ="
                    " 'timescaledb.max_background_workers') as loaded) l",
                    NULL, 0, on_found, ret, diag);
}

static Status is_hypertable(Pg *pg, const PgWait *wait, const char *table, bool *ret, Diag *diag)
{
    return server__exists(pg, wait,
                          "select 1 from timescaledb_information.hypertables where"
                          " format('%I.%I', hypertable_schema, hypertable_name)::regclass ="
                          " to_regclass($1)",
                          &table, 1, ret, diag);
}

static Status make_partitioned(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const list[] = {
        "create table tutti_points(series bigint not null, t bigint not null,"
        " value float8 not null, quality smallint not null, primary key(series, t))"
        " partition by range(t)",
        "create index on tutti_points using brin(t)"};
    return server__run_all(pg, wait, list, COUNT_OF(list), diag);
}

/* Roll-ups, their marks, and since when there are points (series 0: of all). `replace` so that it
 * is the one of this version. */
static Status make_rolls(Pg *pg, const PgWait *wait, bool hyper, Diag *diag)
{
    static const char *const list[] = {
        "create table if not exists tutti_rolls(series bigint not null, level smallint not null,"
        " t bigint not null, first_t bigint not null, last_t bigint not null, first float8 not"
        " null, last float8 not null, least float8 not null, greatest float8 not null, mean float8"
        " not null, width float8 not null, count bigint not null, odd bigint not null,"
        " worst smallint not null, first_quality smallint not null, last_quality smallint not"
        " null, primary key(series, level, t))",
        "create table if not exists tutti_stale(series bigint not null, t bigint not null,"
        " echo boolean not null, primary key(series, t))",
        "create index if not exists tutti_stale_t on tutti_stale(t)",
        "create table if not exists tutti_kept(series bigint primary key, raw_from bigint not"
        " null)",
        "create or replace function tutti_hour(bigint) returns bigint language sql immutable as"
        " $$select case when $1 < -9223369200000000000 then -9223372036854775807 - 1 else"
        " $1 - mod(mod($1, 3600000000000) + 3600000000000, 3600000000000) end$$"};
    Status st = server__run_all(pg, wait, list, COUNT_OF(list), diag);
    return st || !hyper ? st : server__hyper_rolls(pg, wait, diag);
}

/* Names, and all of it for people and other programs. */
static Status make_rest(Pg *pg, const PgWait *wait, Diag *diag)
{
#define TIME_OF(t)                                                                                 \
    "to_timestamp(" t " / 1000000000) + (" t " % 1000000000) / 1000 * interval '1 microsecond'"
#define QUALITY(column) "case " column " when 0 then 'good' when 1 then 'uncertain' else 'bad' end"
#define ROLLS(name, level)                                                                         \
    "create or replace view " name " as select s.path, " TIME_OF(                                  \
        "r.t") " as time, case when"                                                               \
               " r.width > 0 then r.mean end as mean, r.least as min, r.greatest as max, "         \
               "r.first, r.last,"                                                                  \
               " r.count, " QUALITY(                                                               \
                   "r.worst") " as quality, (r.count - r.odd)::float8 / r.count as"                \
                              " good_ratio, r.t as t_ns from tutti_rolls r join tutti_series s "   \
                              "on s.id = r.series where"                                           \
                              " r.level = " level
    static const char *const list[] = {
        "create table if not exists tutti_series(id bigint primary key, path text not null)",
        "create or replace view tutti_samples as select s.path, " TIME_OF(
            "p.t") " as time,"
                   " p.value, " QUALITY("p.quality") " as quality,"
                                                     " p.t as t_ns from tutti_points p join "
                                                     "tutti_series s on s.id = p.series",
        ROLLS("tutti_by_minute", "0"), ROLLS("tutti_by_hour", "1"),
        ("create or replace function tutti_ns(timestamptz) returns bigint language sql stable as"
         " $$select (extract(epoch from $1) * 1000000000)::bigint$$")};
    static const char live[] =
        "create or replace view tutti_live_by_minute as select s.path, " TIME_OF(
            "m.t") " as time,"
                   " m.average, m.min, m.max, m.first, m.last, m.count, " QUALITY(
                       "m.quality") " as quality, m.t as t_ns from tutti_minutes m join"
                                    " tutti_series s on s.id = m.series";
#undef TIME_OF
#undef QUALITY
#undef ROLLS
    bool minutes = false;
    Status st = server__run_all(pg, wait, list, COUNT_OF(list), diag);
    if (!st)
        st = server__exists(pg, wait, "select 1 where to_regclass('tutti_minutes') is not null",
                            NULL, 0, &minutes, diag);
    return st || !minutes ? st : pg_query(pg, wait, live, NULL, 0, NULL, NULL, diag);
}

static Status make_all(Pg *pg, const PgWait *wait, const Found *found, Diag *diag)
{
    Status st = pg_query(pg, wait, "begin", NULL, 0, NULL, NULL, diag);
    if (!st && !found->table)
        st = found->installed ? server__hyper_points(pg, wait, diag)
                              : make_partitioned(pg, wait, diag);
    if (!st) st = make_rolls(pg, wait, !found->table && !found->rolls && found->installed, diag);
    if (!st) st = make_rest(pg, wait, diag);
    return server__end(pg, wait, st, diag);
}

Status server__tables(Pg *pg, const PgWait *wait, ServerKind *ret_kind, Diag *diag)
{
    Found found;
    Diag ignored = {0};
    bool hyper = false;
    Status st = look(pg, wait, &found, diag);
    if (!st && !found.table && !found.installed && found.available &&
        !pg_query(pg, wait, "create extension if not exists timescaledb", NULL, 0, NULL, NULL,
                  &ignored))
        found.installed = true; /* else: not ours to decide, partitions do */
    if (!st && found.table && found.installed && !found.partitioned)
        st = is_hypertable(pg, wait, "tutti_points", &hyper, diag);
    if (!st && found.table && !found.partitioned && !hyper)
        st =
            diag_set(diag, ST_INVALID,
                     "tutti_points is neither partitioned nor a hypertable of timescaledb (is it in"
                     " shared_preload_libraries?); make it one of them, or give it another name");
    if (!st) st = make_all(pg, wait, &found, diag);
    if (st) return diag_wrap(diag, st, "tables of the historian");
    bool partitioned = found.table ? found.partitioned : !found.installed;
    *ret_kind = partitioned ? SERVER_PARTITIONS : SERVER_TIMESCALE;
    return ST_OK;
}

Status server__partition(Pg *pg, const PgWait *wait, int64_t week, Diag *diag)
{
    char sql[256];
    int64_t from_ns, to_ns;
    bool first = __builtin_mul_overflow(week, WEEK_NS, &from_ns),
         last = __builtin_add_overflow(week, 1, &to_ns) ||
                __builtin_mul_overflow(week + 1, WEEK_NS, &to_ns);
    char from[24] = "minvalue", to[24] = "maxvalue";
    if (!first) (void)snprintf(from, sizeof from, "%lld", (long long)from_ns);
    if (!last) (void)snprintf(to, sizeof to, "%lld", (long long)to_ns);
    (void)snprintf(sql, sizeof sql,
                   "create table if not exists tutti_points_w%s%lld partition of tutti_points"
                   " for values from (%s) to (%s)",
                   week < 0 ? "m" : "", (long long)(week < 0 ? -week : week), from, to);
    return pg_query(pg, wait, sql, NULL, 0, NULL, NULL, diag);
}

/* ---- retention ---- */

enum { DROPS_MAX = 100 }; /* the next round drops more */

typedef struct Drops {
    int64_t week, list[DROPS_MAX];
    uint32_t count;
} Drops;

static Status on_partition(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Drops *drops = ctx;
    int64_t week;
    Str name = cells[0].text, prefix = STR("tutti_points_w");
    (void)diag;
    if (!count || !str_starts(name, prefix)) return ST_OK;
    name = str_skip(name, prefix.len);
    bool minus = name.len && name.ptr[0] == 'm';
    if (!str_to_i64(str_skip(name, minus), &week)) return ST_OK;
    if (minus) week = -week;
    if (week < drops->week && drops->count < DROPS_MAX) drops->list[drops->count++] = week;
    return ST_OK;
}

static Status drop_weeks(Pg *pg, const PgWait *wait, const Drops *drops, Diag *diag)
{
    char text[160];
    Status st = ST_OK;
    for (uint32_t i = 0; i < drops->count && !st; i++) {
        int64_t each = drops->list[i];
        (void)snprintf(text, sizeof text, "drop table if exists tutti_points_w%s%lld",
                       each < 0 ? "m" : "", (long long)(each < 0 ? -each : each));
        st = pg_query(pg, wait, text, NULL, 0, NULL, NULL, diag);
    }
    return st;
}

Status server__kept(Pg *pg, const PgWait *wait, int64_t series, int64_t raw_from_ns, Diag *diag)
{
    char text[2][24];
    const char *values[] = {text[0], text[1]};
    (void)snprintf(text[0], sizeof text[0], "%lld", (long long)series);
    (void)snprintf(text[1], sizeof text[1], "%lld", (long long)raw_from_ns);
    return pg_query(pg, wait,
                    "insert into tutti_kept(series, raw_from) values ($1::bigint, $2::bigint) on"
                    " conflict(series) do update set raw_from = greatest(tutti_kept.raw_from,"
                    " excluded.raw_from)",
                    values, 2, NULL, NULL, diag);
}

Status server__end(Pg *pg, const PgWait *wait, Status status, Diag *diag)
{
    Diag ignored = {0};
    if (!status) return pg_query(pg, wait, "commit", NULL, 0, NULL, NULL, diag);
    (void)!pg_query(pg, wait, "rollback", NULL, 0, NULL, NULL, &ignored);
    return status;
}

/* Points and the word that they are gone go together. */
static Status drop(Pg *pg, const PgWait *wait, ServerKind kind, const Drops *drops,
                   int64_t before_ns, Diag *diag)
{
    Status st = pg_query(pg, wait, "begin", NULL, 0, NULL, NULL, diag);
    if (!st) st = server__kept(pg, wait, 0, before_ns, diag);
    if (!st)
        st = kind == SERVER_TIMESCALE
                 ? server__hyper_drop(pg, wait, "tutti_points", before_ns, diag)
                 : drop_weeks(pg, wait, drops, diag);
    return server__end(pg, wait, st, diag);
}

static Status old_weeks(Pg *pg, const PgWait *wait, ServerKind kind, int64_t before_ns,
                        Drops *drops, bool *ret_any, Diag *diag)
{
    if (kind == SERVER_TIMESCALE)
        return server__hyper_old(pg, wait, "tutti_points", before_ns, ret_any, diag);
    Status st = pg_query(pg, wait,
                         "select c.relname from pg_inherits i join pg_class c on c.oid ="
                         " i.inhrelid where i.inhparent = to_regclass('tutti_points')",
                         NULL, 0, on_partition, drops, diag);
    *ret_any = drops->count > 0;
    return st;
}

Status server__forget(Pg *pg, const PgWait *wait, ServerKind kind, int64_t week, Diag *diag)
{
    char text[24];
    const char *values[] = {text};
    bool in_the_way = false, any = false;
    Drops drops = {.week = week};
    int64_t before_ns = week * WEEK_NS; /* a week of this time is far from the ends */
    (void)snprintf(text, sizeof text, "%lld", (long long)before_ns);
    Status st = old_weeks(pg, wait, kind, before_ns, &drops, &any, diag);
    if (st || !any) return st;
    st = server__exists(pg, wait, "select 1 from tutti_stale where t < $1::bigint limit 1", values,
                        1, &in_the_way, diag);
    return st || in_the_way ? st : drop(pg, wait, kind, &drops, before_ns, diag);
}

/* Rows of roll-ups go by their series (server_roll.c), chunks without any are left. */
Status server__forget_rolls(Pg *pg, const PgWait *wait, int64_t before_ns, Diag *diag)
{
    bool any;
    Status st = server__hyper_old(pg, wait, "tutti_rolls", before_ns, &any, diag);
    if (st || !any) return st;
    st = pg_query(pg, wait, "begin", NULL, 0, NULL, NULL, diag);
    if (!st) st = server__hyper_drop(pg, wait, "tutti_rolls", before_ns, diag);
    return server__end(pg, wait, st, diag);
}
