/* runtime/series/server_tables.c: tables and partitions on a PostgreSQL server.
 *
 * Where timescaledb is installed (or may be) the table becomes a hypertable with compression after
 * a week and a continuous aggregate by minutes; else weeks are partitions, made when their first
 * point comes. What is there already stays as it is. */
#include "series/server_int.h"

#include <stdio.h>

#define WEEK_NS ((int64_t)604800000000000)

static Status run_all(Pg *pg, const PgWait *wait, const char *const *list, size_t count, Diag *diag)
{
    Status st = ST_OK;
    for (size_t i = 0; i < count && !st; i++)
        st = pg_query(pg, wait, list[i], NULL, 0, NULL, NULL, diag);
    return st;
}

typedef struct Found {
    bool table, partitioned, installed, available;
} Found;

static Status on_found(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Found *found = ctx;
    if (count != 4) return diag_set(diag, ST_INTERNAL, "four columns");
    found->table = str_is(cells[0].text, "t");
    found->partitioned = str_is(cells[1].text, "t");
    found->installed = str_is(cells[2].text, "t");
    found->available = str_is(cells[3].text, "t");
    return ST_OK;
}

static Status look(Pg *pg, const PgWait *wait, Found *ret, Diag *diag)
{
    *ret = (Found){0};
    return pg_query(pg, wait,
                    "select to_regclass('tutti_points') is not null,"
                    " coalesce((select relkind = 'p' from pg_class where oid ="
                    " to_regclass('tutti_points')), false),"
                    " exists (select from pg_extension where extname = 'timescaledb'),"
                    " exists (select from pg_available_extensions where name = 'timescaledb')",
                    NULL, 0, on_found, ret, diag);
}

static Status make_hypertable(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const list[] = {
        "create table tutti_points(series bigint not null, t bigint not null,"
        " value float8 not null, quality smallint not null, primary key(series, t))",
        "select create_hypertable('tutti_points', 't', chunk_time_interval => 604800000000000)",
        "create or replace function tutti_now() returns bigint language sql stable as"
        " $$select (extract(epoch from now()) * 1000000000)::bigint$$",
        "select set_integer_now_func('tutti_points', 'tutti_now')",
        "alter table tutti_points set (timescaledb.compress,"
        " timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 't')",
        "select add_compression_policy('tutti_points', bigint '604800000000000')",
        "create materialized view tutti_minutes with (timescaledb.continuous) as select series,"
        " time_bucket(bigint '60000000000', t) as t, count(*) as count, min(value) as min,"
        " max(value) as max, first(value, t) as first, last(value, t) as last,"
        " max(quality) as quality from tutti_points group by 1, 2 with no data",
        "select add_continuous_aggregate_policy('tutti_minutes', bigint '604800000000000',"
        " bigint '60000000000', interval '1 minute')"};
    return run_all(pg, wait, list, sizeof list / sizeof *list, diag);
}

static Status make_partitioned(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const list[] = {
        "create table tutti_points(series bigint not null, t bigint not null,"
        " value float8 not null, quality smallint not null, primary key(series, t))"
        " partition by range(t)",
        "create index on tutti_points using brin(t)"};
    return run_all(pg, wait, list, sizeof list / sizeof *list, diag);
}

/* Names, and all of it for people and other programs. */
static Status make_rest(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const list[] = {
        "create table if not exists tutti_series(id bigint primary key, path text not null)",
        "create or replace view tutti_samples as select s.path, to_timestamp(p.t / 1000000000) +"
        " (p.t % 1000000000) / 1000 * interval '1 microsecond' as time, p.value,"
        " case p.quality when 0 then 'good' when 1 then 'uncertain' else 'bad' end as quality,"
        " p.t as t_ns from tutti_points p join tutti_series s on s.id = p.series"};
    return run_all(pg, wait, list, sizeof list / sizeof *list, diag);
}

Status server__tables(Pg *pg, const PgWait *wait, ServerKind *ret_kind, Diag *diag)
{
    Found found;
    Diag ignored = {0};
    Status st = look(pg, wait, &found, diag);
    if (!st && !found.table && !found.installed && found.available &&
        !pg_query(pg, wait, "create extension if not exists timescaledb", NULL, 0, NULL, NULL,
                  &ignored))
        found.installed = true; /* else: not ours to decide, partitions do */
    if (!st && !found.table)
        st = found.installed ? make_hypertable(pg, wait, diag) : make_partitioned(pg, wait, diag);
    if (!st) st = make_rest(pg, wait, diag);
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

Status server__forget(Pg *pg, const PgWait *wait, ServerKind kind, int64_t week, int64_t before_ns,
                      Diag *diag)
{
    char text[160];
    Drops drops = {.week = week};
    if (kind == SERVER_TIMESCALE) {
        (void)snprintf(text, sizeof text, "select drop_chunks('tutti_points', bigint '%lld')",
                       (long long)before_ns);
        return pg_query(pg, wait, text, NULL, 0, NULL, NULL, diag);
    }
    Status st = pg_query(pg, wait,
                         "select c.relname from pg_inherits i join pg_class c on c.oid ="
                         " i.inhrelid where i.inhparent = to_regclass('tutti_points')",
                         NULL, 0, on_partition, &drops, diag);
    for (uint32_t i = 0; i < drops.count && !st; i++) {
        int64_t each = drops.list[i];
        (void)snprintf(text, sizeof text, "drop table if exists tutti_points_w%s%lld",
                       each < 0 ? "m" : "", (long long)(each < 0 ? -each : each));
        st = pg_query(pg, wait, text, NULL, 0, NULL, NULL, diag);
    }
    return st;
}
