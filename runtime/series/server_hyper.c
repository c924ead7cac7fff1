/* runtime/series/server_hyper.c: tables on a server that has the extension timescaledb.
 *
 * Points and roll-ups are hypertables: chunks of a week and of four, compressed when they are over
 * that long, by series. What comes late for a compressed chunk is written into it all the same; the
 * compression's own job tidies that up. tutti_minutes, a continuous aggregate, is for others: it
 * follows the points, also where they are replaced, come late, or are dropped. It leaves
 * out the first and the last minute of all time, which it cannot count. Under the license "apache",
 * and in builds that know no other, there are hypertables and nothing else. */
#include "series/server_int.h"

#include <stdio.h>

/* The extension may lie in a schema that the connection does not look into: for this transaction
 * it does. */
static Status look_into(Pg *pg, const PgWait *wait, Diag *diag)
{
    return pg_query(pg, wait,
                    "select set_config('search_path', current_setting('search_path') || ', ' ||"
                    " quote_ident(n.nspname), true) from pg_extension e join pg_namespace n on"
                    " n.oid = e.extnamespace where e.extname = 'timescaledb'",
                    NULL, 0, NULL, NULL, diag);
}

/* Compression and continuous aggregates are not in every build. */
static Status has_more(Pg *pg, const PgWait *wait, bool *ret, Diag *diag)
{
    return server__exists(
        pg, wait, "select 1 where current_setting('timescaledb.license', true) = 'timescale'", NULL,
        0, ret, diag);
}

/* What every build knows, and what only some do. */
static Status make(Pg *pg, const PgWait *wait, const char *const *plain, size_t plain_count,
                   const char *const *more, size_t more_count, Diag *diag)
{
    bool all = false;
    Status st = look_into(pg, wait, diag);
    if (!st) st = has_more(pg, wait, &all, diag);
    if (!st) st = server__run_all(pg, wait, plain, plain_count, diag);
    return st || !all ? st : server__run_all(pg, wait, more, more_count, diag);
}

Status server__hyper_points(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const plain[] = {
        "create table tutti_points(series bigint not null, t bigint not null,"
        " value float8 not null, quality smallint not null, primary key(series, t))",
        "select create_hypertable('tutti_points', 't', chunk_time_interval => 604800000000000,"
        " create_default_indexes => false)",
        "create index on tutti_points using brin(t)",
        "create or replace function tutti_now() returns bigint language sql stable as"
        " $$select (extract(epoch from now()) * 1000000000)::bigint$$",
        "select set_integer_now_func('tutti_points', 'tutti_now')"};
    static const char *const more[] = {
        "alter table tutti_points set (timescaledb.compress,"
        " timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 't')",
        "select add_compression_policy('tutti_points', bigint '604800000000000')",
        "create materialized view tutti_minutes with (timescaledb.continuous,"
        " timescaledb.materialized_only = false) as select series,"
        " time_bucket(bigint '60000000000', t) as t, count(*) as count, min(value) as min,"
        " max(value) as max, avg(value) as average, first(value, t) as first,"
        " last(value, t) as last, max(quality) as quality from tutti_points"
        " where t >= -9223372020000000000 and t < 9223372020000000000 group by 1, 2"
        " with no data",
        "select add_continuous_aggregate_policy('tutti_minutes', null, bigint '60000000000',"
        " interval '5 minutes')"};
    return make(pg, wait, plain, COUNT_OF(plain), more, COUNT_OF(more), diag);
}

Status server__hyper_rolls(Pg *pg, const PgWait *wait, Diag *diag)
{
    static const char *const plain[] = {
        "select create_hypertable('tutti_rolls', 't', chunk_time_interval => 2419200000000000,"
        " create_default_indexes => false)",
        "select set_integer_now_func('tutti_rolls', 'tutti_now')"};
    static const char *const more[] = {
        "alter table tutti_rolls set (timescaledb.compress,"
        " timescaledb.compress_segmentby = 'series, level', timescaledb.compress_orderby = 't')",
        "select add_compression_policy('tutti_rolls', bigint '2419200000000000')"};
    return make(pg, wait, plain, COUNT_OF(plain), more, COUNT_OF(more), diag);
}

/* What is written may meet any number of points in compressed chunks; which chunks and which
 * segments of them a statement is about is only seen in its values, so it is planned with them. */
Status server__hyper_writes(Pg *pg, const PgWait *wait, Diag *diag)
{
    return pg_query(pg, wait,
                    "select set_config(name, value, false) from (values"
                    " ('timescaledb.max_tuples_decompressed_per_dml_transaction', '0'),"
                    " ('plan_cache_mode', 'force_custom_plan')) s(name, value)"
                    " where current_setting(name, true) <> value",
                    NULL, 0, NULL, NULL, diag);
}

Status server__hyper_old(Pg *pg, const PgWait *wait, const char *table, int64_t before_ns,
                         bool *ret_any, Diag *diag)
{
    char text[24];
    const char *values[] = {table, text};
    (void)snprintf(text, sizeof text, "%lld", (long long)before_ns);
    return server__exists(pg, wait,
                          "select 1 from timescaledb_information.chunks where"
                          " format('%I.%I', hypertable_schema, hypertable_name)::regclass ="
                          " to_regclass($1) and range_end_integer <= $2::bigint limit 1",
                          values, 2, ret_any, diag);
}

Status server__hyper_drop(Pg *pg, const PgWait *wait, const char *table, int64_t before_ns,
                          Diag *diag)
{
    char text[24];
    const char *values[] = {table, text};
    (void)snprintf(text, sizeof text, "%lld", (long long)before_ns);
    Status st = look_into(pg, wait, diag);
    if (st) return st;
    return pg_query(pg, wait, "select drop_chunks($1::text::regclass, $2::bigint)", values, 2, NULL,
                    NULL, diag);
}
