/* runtime/series/server_roll.c: roll-ups on a PostgreSQL server, as rows that others can read, too.
 *
 * It is the way of roll.c: putting points leaves marks, here one for each hour (tutti_stale), in
 * the same statement; marked hours that are over are worked out anew from the points, by the same
 * code, and replace what was there in one transaction. Where points are gone (tutti_kept, 0 for all
 * series) what was there stays. One thread puts and works out, never both at once. */
#include "series/roll_int.h"
#include "series/server.h"
#include "series/server_int.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_NS ((int64_t)3600000000000)
#define DAY_NS  ((int64_t)86400000000000)
#define ROW                                                                                        \
    "t, first_t, last_t, first, last, least, greatest, mean, width, count, odd, worst,"            \
    " first_quality, last_quality"

/* ---- rows ---- */

enum { ROW_CELLS = 14 };

static Status on_row(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    static const int whole[] = {0, 1, 2, 9, 10, 11, 12, 13}; /* the others are floating */
    RollRows *rows = ctx;
    int64_t number[ROW_CELLS] = {0};
    double real[ROW_CELLS];
    bool good = count == ROW_CELLS && rows->count < ROLL_ROWS_MAX;
    for (uint32_t i = 0; i < ROW_CELLS && good; i++) real[i] = strtod(cells[i].text.ptr, NULL);
    for (size_t i = 0; i < COUNT_OF(whole) && good; i++)
        good = str_to_i64(cells[whole[i]].text, &number[whole[i]]);
    if (!good) return diag_set(diag, ST_CORRUPT, "tutti_rolls has an odd row");
    rows->row[rows->count++] = (SeriesRoll){.t_ns = number[0],
                                            .first_ns = number[1],
                                            .last_ns = number[2],
                                            .first = real[3],
                                            .last = real[4],
                                            .least = real[5],
                                            .greatest = real[6],
                                            .mean = real[7],
                                            .width_ns = real[8],
                                            .count = (uint32_t)number[9],
                                            .odd = (uint32_t)number[10],
                                            .worst = (uint8_t)number[11],
                                            .first_quality = (uint8_t)number[12],
                                            .last_quality = (uint8_t)number[13]};
    return ST_OK;
}

static void put_double(Buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    server__put_cell(out, bits, 8);
}

static void put_row(Buf *out, int64_t series, int level, const SeriesRoll *row)
{
    server__put_be(out, 2 + ROW_CELLS, 2);
    server__put_cell(out, (uint64_t)series, 8);
    server__put_cell(out, (uint64_t)level, 2);
    server__put_cell(out, (uint64_t)row->t_ns, 8);
    server__put_cell(out, (uint64_t)row->first_ns, 8);
    server__put_cell(out, (uint64_t)row->last_ns, 8);
    put_double(out, row->first);
    put_double(out, row->last);
    put_double(out, row->least);
    put_double(out, row->greatest);
    put_double(out, row->mean);
    put_double(out, row->width_ns);
    server__put_cell(out, row->count, 8);
    server__put_cell(out, row->odd, 8);
    server__put_cell(out, row->worst, 2);
    server__put_cell(out, row->first_quality, 2);
    server__put_cell(out, row->last_quality, 2);
}

/* Rows that are there already stay. */
static Status add_rows(Pg *pg, const PgWait *wait, Buf *bytes, int64_t series, int level,
                       const RollRows *rows, Diag *diag)
{
    if (!rows->count) return ST_OK;
    buf_clear(bytes);
    server__put_head(bytes);
    for (uint32_t i = 0; i < rows->count; i++) put_row(bytes, series, level, &rows->row[i]);
    server__put_be(bytes, UINT16_MAX, 2);
    Status st = buf_status(bytes);
    if (!st)
        st = pg_query(pg, wait,
                      "create temporary table if not exists tutti_roll_stage(like tutti_rolls)",
                      NULL, 0, NULL, NULL, diag);
    if (!st) st = pg_query(pg, wait, "truncate tutti_roll_stage", NULL, 0, NULL, NULL, diag);
    if (!st)
        st = pg_copy(pg, wait,
                     "copy tutti_roll_stage(series, level, " ROW ") from stdin (format"
                     " binary)",
                     buf_view(bytes), diag);
    if (st) return st;
    return pg_query(pg, wait,
                    "insert into tutti_rolls(series, level, " ROW ") select series, level, " ROW
                    " from tutti_roll_stage on conflict do nothing",
                    NULL, 0, NULL, NULL, diag);
}

/* ---- questions ---- */

typedef struct Numbers {
    int64_t value[4];
    bool there[4];
    uint32_t rows;
} Numbers;

static Status on_numbers(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    Numbers *numbers = ctx;
    (void)diag;
    numbers->rows++;
    for (uint32_t i = 0; i < count && i < COUNT_OF(numbers->value); i++)
        numbers->there[i] = cells[i].text.ptr && str_to_i64(cells[i].text, &numbers->value[i]);
    return ST_OK;
}

typedef struct Values {
    char text[4][24];
    const char *list[4];
} Values;

static const char *const *values_of(Values *values, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t numbers[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
        (void)snprintf(values->text[i], sizeof values->text[i], "%lld", (long long)numbers[i]);
        values->list[i] = values->text[i];
    }
    return values->list;
}

/* One statement of a question, and whether it found a number. */
static Status ask_number(SeriesServer *server, const char *sql, const char *const *values,
                         uint32_t count, int64_t *ret, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Numbers numbers = {0};
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = pg_query(pg, &wait, sql, values, count, on_numbers, &numbers, diag);
    pg_give(pg);
    if (!st && numbers.there[0]) *ret = numbers.value[0];
    return server__asked(server, st, diag);
}

Status server__raw_from(SeriesServer *server, int64_t series, int64_t *ret_ns, Diag *diag)
{
    Values values;
    *ret_ns = INT64_MIN;
    return ask_number(server,
                      "select max(raw_from) from tutti_kept where series in (0, $1::bigint)",
                      values_of(&values, series, 0, 0, 0), 1, ret_ns, diag);
}

Status server__rolls_from(SeriesServer *server, int64_t series, int level, int64_t *ret_ns,
                          Diag *diag)
{
    Values values;
    *ret_ns = INT64_MAX;
    return ask_number(server,
                      "select min(t) from tutti_rolls where series = $1::bigint and"
                      " level = $2::smallint",
                      values_of(&values, series, level, 0, 0), 2, ret_ns, diag);
}

/* By what the roll-ups say, so that nobody counts millions of rows. */
Status server__count(SeriesServer *server, int64_t series, int level, int64_t from_ns,
                     int64_t to_ns, int64_t *ret_count, Diag *diag)
{
    Values values;
    *ret_count = 0;
    return ask_number(server,
                      "select sum(count)::bigint from tutti_rolls where series = $1::bigint and"
                      " level = $2::smallint and t >= $3::bigint and t <= $4::bigint",
                      values_of(&values, series, level, from_ns, to_ns), 4, ret_count, diag);
}

static Status read_rows(Pg *pg, const PgWait *wait, const char *sql, const char *const *values,
                        RollRows *ret, Diag *diag)
{
    ret->count = 0;
    return pg_query(pg, wait, sql, values, 4, on_row, ret, diag);
}

Status server__rolls(SeriesServer *server, int64_t series, int level, int64_t from_ns,
                     int64_t to_ns, RollRows *ret, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Values values;
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = read_rows(pg, &wait,
                   "select " ROW " from tutti_rolls where series = $1::bigint and"
                   " level = $2::smallint and t >= $3::bigint and t < $4::bigint order by t"
                   " limit 1500",
                   values_of(&values, series, level, from_ns, to_ns), ret, diag);
    pg_give(pg);
    return server__asked(server, st, diag);
}

/* The two newest rows of each level that begin before a time: the newest may know only values
 * behind it. */
static Status newest_rows(Pg *pg, const PgWait *wait, int64_t series, int64_t before_ns,
                          RollRows *ret, Diag *diag)
{
    Values values;
    Status st = ST_OK;
    ret->count = 0;
    for (int level = 0; level < SERIES_LEVELS && !st; level++)
        st = pg_query(pg, wait,
                      "select " ROW " from tutti_rolls where series = $1::bigint and"
                      " level = $2::smallint and t < $3::bigint order by t desc limit 2",
                      values_of(&values, series, level, before_ns, 0), 3, on_row, ret, diag);
    return st;
}

Status server__roll_before(SeriesServer *server, int64_t series, int64_t before_ns, RollRows *rows,
                           Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = newest_rows(pg, &wait, series, before_ns, rows, diag);
    pg_give(pg);
    return server__asked(server, st, diag);
}

typedef struct Marks {
    void (*fn)(void *ctx, int64_t t_ns);
    void *ctx;
} Marks;

static Status on_mark(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    const Marks *marks = ctx;
    int64_t t_ns;
    (void)diag;
    if (count && str_to_i64(cells[0].text, &t_ns)) marks->fn(marks->ctx, t_ns);
    return ST_OK;
}

Status server__stale(SeriesServer *server, int64_t series, void (*fn)(void *ctx, int64_t t_ns),
                     void *ctx, Diag *diag)
{
    Pg *pg = NULL;
    PgWait wait;
    Values values;
    Marks marks = {fn, ctx};
    Status st = server__take(server, true, &wait, &pg, diag);
    if (st) return st;
    st = pg_query(pg, &wait, "select t from tutti_stale where series = $1::bigint order by t",
                  values_of(&values, series, 0, 0, 0), 1, on_mark, &marks, diag);
    pg_give(pg);
    return server__asked(server, st, diag);
}

/* ---- working out ---- */

typedef struct Piece {
    SeriesServer *server;
    SeriesWork *work;
    Pg *pg;
    const PgWait *wait;
    Buf *bytes;
    int64_t series, from_ns, to_ns, raw_from_ns;
    bool real; /* one of its marks is no echo */
    SeriesPolicy policy;
    Diag *diag;
} Piece;

typedef struct First {
    const SeriesRollRound *round;
    Piece *piece;
    bool found;
} First;

static Status on_first(void *ctx, const PgCell *cells, uint32_t count, Diag *diag)
{
    First *first = ctx;
    Piece *piece = first->piece;
    if (count != 4 || !str_to_i64(cells[0].text, &piece->series) ||
        !str_to_i64(cells[1].text, &piece->from_ns))
        return diag_set(diag, ST_CORRUPT, "tutti_stale has an odd row");
    if (!cells[3].text.ptr || !str_to_i64(cells[3].text, &piece->raw_from_ns))
        piece->raw_from_ns = INT64_MIN;
    first->round->policy(first->round->ctx, cells[2].text, &piece->policy);
    first->found = true;
    return ST_OK;
}

/* The oldest mark of an hour that is over, and the others of its series and day. */
static Status find_piece(Piece *piece, const SeriesRollRound *round, bool *ret_found)
{
    Values values;
    First first = {round, piece, false};
    Numbers last = {0};
    Status st = pg_query(piece->pg, piece->wait,
                         "select m.series, m.t, coalesce(s.path, ''), (select max(k.raw_from) from"
                         " tutti_kept k where k.series in (0, m.series)) from tutti_stale m left"
                         " join tutti_series s on s.id = m.series where m.t <= $1::bigint order by"
                         " m.t limit 1",
                         values_of(&values, round->ready_ns - HOUR_NS, 0, 0, 0), 1, on_first,
                         &first, piece->diag);
    *ret_found = first.found;
    if (st || !first.found) return st;
    int64_t day_ns = roll__floor(piece->from_ns, DAY_NS), end_ns;
    if (__builtin_add_overflow(day_ns, DAY_NS - 1, &end_ns)) end_ns = INT64_MAX;
    if (end_ns > round->ready_ns - HOUR_NS) end_ns = round->ready_ns - HOUR_NS;
    st = pg_query(piece->pg, piece->wait,
                  "select max(t), bool_or(not echo)::int from tutti_stale where series ="
                  " $1::bigint and t >= $2::bigint and t <= $3::bigint",
                  values_of(&values, piece->series, piece->from_ns, end_ns, 0), 3, on_numbers,
                  &last, piece->diag);
    if (st) return st;
    if (!last.there[0] || __builtin_add_overflow(last.value[0], HOUR_NS, &piece->to_ns))
        piece->to_ns = INT64_MAX;
    if (piece->from_ns < piece->raw_from_ns)
        piece->to_ns =
            piece->from_ns + HOUR_NS; /* what held before is in roll-ups, not in points */
    piece->real = last.there[1] && last.value[1] != 0;
    return ST_OK;
}

/* series_value_before on the server alone. */
static Status value_before(const Piece *piece, SeriesPoint *ret, bool *ret_found)
{
    RollRows *rows;
    SeriesPoint rolled = {.series = piece->series};
    bool found = false;
    Status st = server__newest(piece->pg, piece->wait, piece->series, piece->from_ns, ret,
                               ret_found, piece->diag);
    if (st || piece->raw_from_ns == INT64_MIN) return st;
    if (*ret_found && ret->t_ns >= piece->raw_from_ns) return ST_OK;
    st = roll__rows(piece->work, 4, &rows, piece->diag);
    if (!st)
        st = newest_rows(piece->pg, piece->wait, piece->series, piece->from_ns, rows, piece->diag);
    if (st) return st;
    roll__newest(rows, piece->from_ns, &rolled, &found);
    if (!found || (*ret_found && ret->t_ns >= rolled.t_ns)) return ST_OK;
    *ret = rolled;
    *ret_found = true;
    return ST_OK;
}

static Status replace_level(const Piece *piece, int level, const RollRows *rows)
{
    Values values;
    int64_t from_ns = piece->from_ns > piece->raw_from_ns ? piece->from_ns : piece->raw_from_ns;
    Status st = pg_query(piece->pg, piece->wait,
                         "delete from tutti_rolls where series = $1::bigint and level ="
                         " $2::smallint and t >= $3::bigint and t < $4::bigint",
                         values_of(&values, piece->series, level, from_ns, piece->to_ns), 4, NULL,
                         NULL, piece->diag);
    if (st) return st;
    return add_rows(piece->pg, piece->wait, piece->bytes, piece->series, level, rows, piece->diag);
}

/* Its marks go; the next bucket weighs its beginning by a value that may be another one now. */
static Status replace_marks(const Piece *piece)
{
    Values values;
    const char *const *list = values_of(&values, piece->series, piece->from_ns, piece->to_ns, 0);
    Status st = pg_query(piece->pg, piece->wait,
                         "delete from tutti_stale where series = $1::bigint and t >= $2::bigint"
                         " and t < $3::bigint",
                         list, 3, NULL, NULL, piece->diag);
    if (st || !piece->real || piece->to_ns == INT64_MAX) return st;
    list = values_of(&values, piece->series, piece->to_ns, 0, 0);
    return pg_query(piece->pg, piece->wait,
                    "insert into tutti_stale(series, t, echo) select $1::bigint,"
                    " tutti_hour(n.t), true from (select t from tutti_points where series ="
                    " $1::bigint and t >= $2::bigint order by t limit 1) n on conflict do nothing",
                    list, 2, NULL, NULL, piece->diag);
}

static Status replace(const Piece *piece, const RollGathers *gathers)
{
    Status st = pg_query(piece->pg, piece->wait, "begin", NULL, 0, NULL, NULL, piece->diag);
    for (int level = 0; level < SERIES_LEVELS && !st; level++)
        if (gathers && gathers->level[level].rows)
            st = replace_level(piece, level, gathers->level[level].rows);
    if (!st) st = replace_marks(piece);
    return server__end(piece->pg, piece->wait, st, piece->diag);
}

/* The minutes of an hour whose points are gone. */
static Status minutes_there(const Piece *piece, RollRows **ret)
{
    Values values;
    Status st = roll__rows(piece->work, 4, ret, piece->diag);
    if (st) return st;
    return read_rows(
        piece->pg, piece->wait,
        "select " ROW " from tutti_rolls where series = $1::bigint and"
        " level = $2::smallint and t >= $3::bigint and t < $4::bigint order by t limit 1500",
        values_of(&values, piece->series, SERIES_MINUTES, piece->from_ns, piece->to_ns), *ret,
        piece->diag);
}

static Status work_out(const Piece *piece)
{
    RollGathers gathers;
    RollLate late;
    RollRows *minutes = NULL;
    SeriesPoint before;
    bool found, gone = piece->from_ns < piece->raw_from_ns;
    SeriesVisitor visitor = {roll__gather, NULL, &gathers};
    if (!piece->policy.roll_ns[SERIES_MINUTES] && !piece->policy.roll_ns[SERIES_HOURS])
        return replace(piece, NULL);
    Status st = value_before(piece, &before, &found);
    if (!st)
        st = roll__gather_begin(piece->work, &piece->policy, found ? &before : NULL, &gathers,
                                piece->diag);
    if (!st && gone) st = minutes_there(piece, &minutes);
    if (!st && gone) {
        roll__late_begin(&late, &gathers, minutes, piece->from_ns);
        visitor = (SeriesVisitor){roll__gather_late, NULL, &late};
    }
    int64_t last_ns = piece->to_ns == INT64_MAX ? INT64_MAX : piece->to_ns - 1;
    if (!st)
        st = server__points(piece->pg, piece->wait, piece->series, piece->from_ns, last_ns,
                            &visitor, piece->diag);
    if (st) return st;
    roll__gather_end(&gathers);
    return replace(piece, &gathers);
}

Status series_server_roll(SeriesServer *server, SeriesWork *work, const SeriesRollRound *round,
                          bool *ret_more, Diag *diag)
{
    PgWait wait;
    Piece piece = {.server = server, .work = work, .wait = &wait, .diag = diag};
    piece.bytes = server__bytes(server);
    Status st = server__take(server, false, &wait, &piece.pg, diag);
    *ret_more = !st;
    while (!st && *ret_more && clock_monotonic_ns() < round->until_ns) {
        st = find_piece(&piece, round, ret_more);
        if (!st && *ret_more) st = work_out(&piece);
    }
    pg_give(piece.pg);
    return st;
}

/* ---- what a file held ---- */

Status series_server_put_rolls(SeriesServer *server, const SeriesRollUnit *unit, Diag *diag)
{
    PgWait wait;
    Pg *pg = NULL;
    Status st = server__take(server, false, &wait, &pg, diag);
    if (!st && unit->rows)
        st =
            add_rows(pg, &wait, server__bytes(server), unit->series, unit->level, unit->rows, diag);
    else if (!st)
        st = server__kept(pg, &wait, unit->series, unit->raw_from_ns, diag);
    pg_give(pg);
    return st;
}

/* ---- retention ---- */

static Status put_ids(Buf *out, const SeriesKeep *list, uint32_t count, const SeriesPolicy *policy)
{
    bool first = true;
    buf_clear(out);
    buf_char(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(&list[i].policy, policy, sizeof *policy) != 0) continue;
        buf_printf(out, "%s%lld", first ? "" : ",", (long long)list[i].series);
        first = false;
    }
    buf_str(out, STR("}"));
    buf_char(out, 0);
    return buf_status(out);
}

/* Series of one policy. A level that is wanted and not there begins with all the points. */
static Status trim_level(Pg *pg, const PgWait *wait, const char *ids, int level, int64_t keep_ns,
                         int64_t now_ns, Diag *diag)
{
    Values values;
    int64_t before_ns = roll__cutoff(now_ns, keep_ns);
    if (!keep_ns) before_ns = INT64_MAX;
    const char *list[] = {ids, NULL, NULL};
    (void)values_of(&values, level, before_ns, 0, 0);
    list[1] = values.text[0];
    list[2] = values.text[1];
    Status st = ST_OK;
    if (before_ns != INT64_MIN)
        st = pg_query(pg, wait,
                      "delete from tutti_rolls where series = any($1::bigint[]) and level ="
                      " $2::smallint and t < $3::bigint",
                      list, 3, NULL, NULL, diag);
    if (st || !keep_ns) return st;
    return pg_query(pg, wait,
                    "insert into tutti_stale(series, t, echo) select distinct p.series,"
                    " tutti_hour(p.t), false from unnest($1::bigint[]) s(id) join tutti_points p"
                    " on p.series = s.id where not exists (select from tutti_rolls r where"
                    " r.series = s.id and r.level = $2::smallint) and not exists (select from"
                    " tutti_stale m where m.series = s.id) on conflict do nothing",
                    list, 2, NULL, NULL, diag);
}

Status series_server_trim(SeriesServer *server, const SeriesKeep *list, uint32_t count,
                          int64_t now_ns, Diag *diag)
{
    PgWait wait;
    Pg *pg = NULL;
    Buf *ids = server__bytes(server);
    Status st = server__take(server, false, &wait, &pg, diag);
    for (uint32_t i = 0; i < count && !st; i++) {
        const SeriesPolicy *policy = &list[i].policy;
        uint32_t same = 0;
        while (memcmp(&list[same].policy, policy, sizeof *policy) != 0) same++;
        if (same < i) continue; /* done with that one */
        st = put_ids(ids, list, count, policy);
        for (int level = 0; level < SERIES_LEVELS && !st; level++)
            st = trim_level(pg, &wait, ids->ptr, level, policy->roll_ns[level], now_ns, diag);
    }
    pg_give(pg);
    return st;
}
