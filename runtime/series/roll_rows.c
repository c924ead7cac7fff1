/* runtime/series/roll_rows.c: rows of roll-ups as bytes, and their table.
 *
 * Each column is a block like those of points (block.h) over the same times, so counts, widths and
 * places inside a bucket, which mostly repeat, take next to nothing. A mean of decimals has endless
 * digits, their sum has few: what lies there is mean times width, to at least twelve digits. */
#include "series/roll_int.h"
#include "series/server_int.h"

#include "base/mem.h"

#include <math.h>

enum {
    COLUMNS = 10,
    SIZE_BYTES = 4,
    IS_AREA = 1 /* quality of the column of areas: older: means */
};
enum { COLUMN_COUNT = 0, COLUMN_FIRST = 4, COLUMN_LAST = 5, COLUMN_AREA = 8, COLUMN_WIDTH = 9 };

static const int64_t width_ns[SERIES_LEVELS] = {60000000000, 3600000000000},
                     span_ns[SERIES_LEVELS] = {86400000000000, 64 * 86400000000000};

int64_t series_roll_ns(int level)
{
    return width_ns[level];
}

int64_t roll__span_ns(int level)
{
    return span_ns[level];
}

Status roll__rows(SeriesWork *work, int index, RollRows **ret_rows, Diag *diag)
{
    if (!work->rolls[index]) work->rolls[index] = mem_zalloc(1, sizeof *work->rolls[index]);
    *ret_rows = work->rolls[index];
    return *ret_rows ? ST_OK : diag_set(diag, ST_NO_MEMORY, "roll-ups of the history");
}

/* Value times seconds: the decimal with the fewest digits behind the point that is within what
 * summing up may have rounded. */
static double area_of(const SeriesRoll *row)
{
    double area = row->mean * (row->width_ns / 1e9), scale = 1;
    for (int digits = 0; digits <= 12; digits++, scale *= 10) {
        double scaled = area * scale, whole = nearbyint(scaled);
        if (!(fabs(scaled) < 1e15)) break;
        if (fabs(whole - scaled) <= fabs(scaled) * 1e-13) return whole / scale;
    }
    return area;
}

static double mean_of(double area, double known_ns)
{
    return known_ns > 0 ? area / (known_ns / 1e9) : 0;
}

static double column_get(const SeriesRoll *row, int column)
{
    switch (column) {
    case 0: return row->count;
    case 1: return row->odd;
    case 2: return (double)(row->first_ns - row->t_ns);
    case 3: return (double)(row->last_ns - row->t_ns);
    case 4: return row->first;
    case 5: return row->last;
    case 6: return row->least;
    case 7: return row->greatest;
    case COLUMN_AREA: return area_of(row);
    default: return row->width_ns;
    }
}

/* Three columns bring the three qualities of a row; the others have none. */
static uint8_t *column_quality(SeriesRoll *row, int column)
{
    switch (column) {
    case COLUMN_COUNT: return &row->worst;
    case COLUMN_FIRST: return &row->first_quality;
    case COLUMN_LAST: return &row->last_quality;
    default: return NULL;
    }
}

/* A place in a bucket; what damaged bytes say stays in it. */
static int64_t place(double offset)
{
    return offset > 0 && offset < 3.6e12 ? (int64_t)offset : 0;
}

static void column_set(SeriesRoll *row, int column, double value)
{
    switch (column) {
    case 0: row->count = value >= 0 && value <= UINT32_MAX ? (uint32_t)value : 0; break;
    case 1: row->odd = value >= 0 && value <= UINT32_MAX ? (uint32_t)value : 0; break;
    case 2: row->first_ns = row->t_ns + place(value); break;
    case 3: row->last_ns = row->t_ns + place(value); break;
    case 4: row->first = value; break;
    case 5: row->last = value; break;
    case 6: row->least = value; break;
    case 7: row->greatest = value; break;
    case COLUMN_AREA: row->mean = value; break; /* a mean when all is read */
    default: row->width_ns = value;
    }
}

static void put_size(Buf *out, size_t at)
{
    uint32_t bytes = (uint32_t)(out->len - at - SIZE_BYTES);
    if (out->failed) return;
    for (int i = 0; i < SIZE_BYTES; i++) out->ptr[at + (size_t)i] = (char)(bytes >> (8 * i));
}

static void encode(SeriesWork *work, RollRows *rows, Buf *out)
{
    SeriesColumns *block = &work->rolled;
    block->count = rows->count;
    for (uint32_t i = 0; i < rows->count; i++) block->t_ns[i] = rows->row[i].t_ns;
    for (int column = 0; column < COLUMNS; column++) {
        size_t at = out->len;
        buf_add(out, "\0\0\0", SIZE_BYTES);
        for (uint32_t i = 0; i < rows->count; i++) {
            SeriesRoll *row = &rows->row[i];
            const uint8_t *quality = column_quality(row, column);
            block->value[i] = column_get(row, column);
            block->quality[i] = quality ? *quality : column == COLUMN_AREA ? IS_AREA : 0;
        }
        series_block_put(out, block, &work->scratch);
        put_size(out, at);
    }
}

Status roll__decode(SeriesWork *work, Str bytes, RollRows *rows, Diag *diag)
{
    bool areas = false;
    SeriesColumns *block = &work->rolled;
    for (int column = 0; column < COLUMNS; column++) {
        size_t size = 0;
        if (bytes.len < SIZE_BYTES) return diag_set(diag, ST_CORRUPT, "a roll-up is damaged");
        for (int i = 0; i < SIZE_BYTES; i++) size |= (size_t)(unsigned char)bytes.ptr[i] << (8 * i);
        bytes = str_skip(bytes, SIZE_BYTES);
        if (size > bytes.len ||
            series_block_get(str_slice(bytes.ptr, size), block, &work->scratch) ||
            block->count > ROLL_ROWS_MAX || (column && block->count != rows->count))
            return diag_set(diag, ST_CORRUPT, "a roll-up is damaged");
        rows->count = block->count;
        for (uint32_t i = 0; i < rows->count; i++) {
            SeriesRoll *row = &rows->row[i];
            if (!column) *row = (SeriesRoll){.t_ns = block->t_ns[i]};
            uint8_t *quality = column_quality(row, column);
            if (quality) *quality = block->quality[i];
            column_set(row, column, block->value[i]);
            if (column == COLUMN_AREA) areas = block->quality[i] == IS_AREA;
            if (column == COLUMN_WIDTH && areas) row->mean = mean_of(row->mean, row->width_ns);
        }
        bytes = str_skip(bytes, size);
    }
    return ST_OK;
}

Status roll__load(StoreConn *conn, SeriesWork *work, int64_t series, int level, int64_t t_ns,
                  bool exactly, RollRows *ret, bool *ret_found, Diag *diag)
{
    static const char exact[] = "SELECT data FROM series_rolls WHERE series = ?1 AND level = ?2"
                                " AND t_first = ?3",
                      next[] = "SELECT data FROM series_rolls WHERE series = ?1 AND level = ?2"
                               " AND t_first >= ?3 ORDER BY t_first LIMIT 1";
    StoreStmt *stmt;
    ret->count = 0;
    *ret_found = false;
    Status st = store_prepare(conn, exactly ? exact : next, &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, level);
    store_bind_int(stmt, 3, t_ns);
    st = store_step(stmt, ret_found, diag);
    if (st || !*ret_found) return st;
    st = roll__decode(work, store_str(stmt, 0), ret, diag);
    store_reset(stmt);
    return st;
}

Status roll__store(StoreConn *conn, SeriesWork *work, int64_t series, int level, int64_t span_at,
                   RollRows *rows, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn,
                              rows->count ? "INSERT OR REPLACE INTO series_rolls(series, level,"
                                            " t_first, data) VALUES(?1, ?2, ?3, ?4)"
                                          : "DELETE FROM series_rolls WHERE series = ?1 AND"
                                            " level = ?2 AND t_first = ?3",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    store_bind_int(stmt, 2, level);
    store_bind_int(stmt, 3, span_at);
    if (rows->count) {
        buf_clear(&work->bytes);
        encode(work, rows, &work->bytes);
        st = buf_status(&work->bytes);
        if (st) return diag_set(diag, st, "a roll-up of the history");
        store_bind_blob(stmt, 4, buf_view(&work->bytes));
    }
    return store_step(stmt, &more, diag);
}

Status roll__raw_from(StoreConn *conn, const SeriesWork *work, int64_t series, int64_t *ret_ns,
                      Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    if (work->base) return server__raw_from(work->base, series, ret_ns, diag);
    *ret_ns = INT64_MIN;
    Status st =
        store_prepare(conn, "SELECT raw_from FROM series_kept WHERE series = ?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, series);
    st = store_step(stmt, &row, diag);
    if (st || !row) return st;
    *ret_ns = store_int(stmt, 0);
    store_reset(stmt);
    return ST_OK;
}

/* Of a bucket its last point, or its first when the time is between the two. */
void roll__newest(const RollRows *rows, int64_t before_ns, SeriesPoint *ret, bool *found)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const SeriesRoll *row = &rows->row[i];
        bool last = row->last_ns < before_ns;
        if (!last && row->first_ns >= before_ns) continue;
        int64_t t_ns = last ? row->last_ns : row->first_ns;
        if (*found && t_ns <= ret->t_ns) continue;
        ret->t_ns = t_ns;
        ret->value = last ? row->last : row->first;
        ret->quality = last ? row->last_quality : row->first_quality;
        *found = true;
    }
}

Status roll__before(StoreConn *conn, SeriesWork *work, int64_t series, int64_t before_ns,
                    SeriesPoint *ret_point, bool *ret_found, Diag *diag)
{
    RollRows *rows;
    StoreStmt *stmt;
    bool row = false;
    *ret_found = false;
    Status st = roll__rows(work, 4, &rows, diag);
    if (!st && work->base) {
        st = server__roll_before(work->base, series, before_ns, rows, diag);
        if (!st) roll__newest(rows, before_ns, ret_point, ret_found);
        return st;
    }
    for (int level = 0; level < SERIES_LEVELS && !st; level++) {
        /* two spans: the newest one may begin with a bucket behind the time */
        st = store_prepare(conn,
                           "SELECT data FROM series_rolls WHERE series = ?1 AND level = ?2 AND"
                           " t_first < ?3 ORDER BY t_first DESC LIMIT 2",
                           &stmt, diag);
        if (st) return st;
        store_bind_int(stmt, 1, series);
        store_bind_int(stmt, 2, level);
        store_bind_int(stmt, 3, before_ns);
        while (!(st = store_step(stmt, &row, diag)) && row) {
            st = roll__decode(work, store_str(stmt, 0), rows, diag);
            if (st) break;
            roll__newest(rows, before_ns, ret_point, ret_found);
        }
        store_reset(stmt);
    }
    return st;
}
