/* runtime/modules/uns/uns_csv.c: history as CSV (RFC 4180): pages out, and lines in.
 *
 * Out: a page is some hundred KiB and a cursor (series and time) where the next one goes on, so an
 * export of any length needs the memory of one page. In: a line that is wrong is left out and told
 * with its number; the others are written in one commit. As points are known by series and time the
 * same file can be imported again after it was mended. */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "base/num.h"
#include "mqtt/codec.h"

#include <math.h>
#include <stdio.h>

enum {
    PAGE_BYTES = 400 * 1024,
    PAGE_MS = 300,
    ERRORS_TOLD_MAX = 100,
    IMPORT_POINTS_MAX = 65536, /* of one request; its body is not longer than 1 MiB */
    IMPORT_PAUSE_S = 60,
};

/* ---- cells ---- */

void uns__csv_text(Buf *out, Str text)
{
    bool quote = false;
    for (size_t i = 0; i < text.len && !quote; i++)
        quote =
            text.ptr[i] == ',' || text.ptr[i] == '"' || text.ptr[i] == '\r' || text.ptr[i] == '\n';
    if (!quote) {
        buf_str(out, text);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, text.ptr[i]);
    }
    buf_char(out, '"');
}

/* Takes one cell off the line; *ret_end: it was the last. False: quotes that do not close. The
 * text may lie in `room`, which has as many bytes as the line. */
static bool take_cell(Str *text, char *room, Str *ret_cell, bool *ret_end)
{
    size_t at = 0, len = 0;
    bool quoted = text->len && text->ptr[0] == '"';
    if (quoted) {
        for (at = 1;; at++) {
            if (at == text->len) return false;
            if (text->ptr[at] != '"') {
                room[len++] = text->ptr[at];
            } else if (at + 1 < text->len && text->ptr[at + 1] == '"') {
                room[len++] = '"';
                at++;
            } else {
                break;
            }
        }
        at++;
        *ret_cell = str_slice(room, len);
    }
    size_t begin = at;
    while (at < text->len && text->ptr[at] != ',' && text->ptr[at] != '\n') at++;
    if (quoted && str_trim(str_slice(text->ptr + begin, at - begin)).len) return false;
    if (!quoted) *ret_cell = str_trim(str_slice(text->ptr, at));
    *ret_end = at == text->len || text->ptr[at] == '\n';
    *text = str_skip(*text, at + 1);
    return true;
}

/* ---- out ---- */

typedef struct Export {
    Uns *uns;
    Req *req;
    Buf text;
    Str filter;
    int64_t from_ns, to_ns, until_ns;
    int64_t series, t_ns; /* where it goes on */
    Str path;             /* of the series at hand */
    bool full;
} Export;

static bool put_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    static const char *const names[] = {"good", "uncertain", "bad"};
    Export *export = ctx;
    char room[40], number[NUM_TEXT_BYTES];
    if (export->text.len >= PAGE_BYTES) {
        export->t_ns = t_ns;
        export->full = true;
        return false;
    }
    uns__csv_text(&export->text, export->path);
    buf_char(&export->text, ',');
    buf_str(&export->text, uns_time_text(t_ns, room));
    buf_char(&export->text, ',');
    buf_add(&export->text, number, (size_t)(num_put_f64(number, value) - number));
    buf_char(&export->text, ',');
    buf_text(&export->text, names[quality < COUNT_OF(names) ? quality : UNS_BAD]);
    buf_text(&export->text, "\r\n");
    return true;
}

/* The next series that the filter names, from export->series on; *ret_found false: no more. */
static Status next_series(StoreConn *conn, Export *export, char room[UNS_PATH_BYTES_MAX + 1],
                          bool *ret_found, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st =
        store_prepare(conn, "SELECT id, path FROM series WHERE id >= ?1 ORDER BY id", &stmt, diag);
    *ret_found = false;
    if (st) return st;
    store_bind_int(stmt, 1, export->series);
    while (!(st = store_step(stmt, &row, diag)) && row) {
        Str path = store_str(stmt, 1);
        if (path.len > UNS_PATH_BYTES_MAX || !mqtt_topic_match(export->filter, path)) continue;
        if (store_int(stmt, 0) != export->series) export->t_ns = export->from_ns;
        export->series = store_int(stmt, 0);
        memcpy(room, path.ptr, path.len);
        export->path = str_slice(room, path.len);
        *ret_found = true;
        break;
    }
    store_reset(stmt);
    return st;
}

static Status export_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Export *export = ctx;
    char room[UNS_PATH_BYTES_MAX + 1];
    bool found = true;
    SeriesVisitor visitor = {put_point, NULL, export};
    export->until_ns = clock_monotonic_ns() + PAGE_MS * NS_PER_MS;
    Status st = uns__read_work(export->uns, diag);
    while (!st && !export->full) {
        st = next_series(conn, export, room, &found, diag);
        if (st || !found) break;
        st = series_scan(conn, export->uns->read_work, export->series, export->t_ns, export->to_ns,
                         &visitor, diag);
        if (st || export->full) break;
        export->series++;
        export->t_ns = export->from_ns;
        export->full = clock_monotonic_ns() > export->until_ns;
    }
    if (!found) export->series = 0;
    return st ? st : buf_status(&export->text);
}

static void put_page(const Export *export, Buf *body)
{
    JsonOut out;
    char next[64];
    buf_init(body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, body);
    json_begin_object(&out);
    json_field_str(&out, "text", buf_view(&export->text));
    (void)snprintf(next, sizeof next, "%lld:%lld", (long long)export->series,
                   (long long)export->t_ns);
    json_field_text(&out, "next", export->series ? next : NULL);
    json_end(&out);
}

/* The export lives in the request's arena, which goes with the answer. */
static void on_exported(void *ctx, Status status, const Diag *diag)
{
    Export *export = ctx;
    Uns *uns = export->uns;
    Req *req = export->req;
    Buf body;
    if (!status) put_page(export, &body);
    buf_done(&export->text);
    if (status)
        req_fail(req, status, "%s", diag ? diag->text : "");
    else
        req_answer_buf(req, &body);
    uns__job_done(uns);
}

static bool read_cursor(Export *export, Str after)
{
    ptrdiff_t colon = str_find_char(after, ':');
    return colon > 0 && str_to_i64(str_slice(after.ptr, (size_t)colon), &export->series) &&
           str_to_i64(str_skip(after, (size_t)colon + 1), &export->t_ns) && export->series > 0;
}

static bool export_read(Export *export)
{
    Req *req = export->req;
    int64_t now_ns = clock_wall_ns();
    Str from = json_str(req->in, "from", STR("-1h")), to = json_str(req->in, "to", STR_NONE),
        after = json_str(req->in, "after", STR_NONE);
    export->filter = json_str(req->in, "filter", STR("#"));
    export->to_ns = now_ns;
    export->series = 1;
    if (!mqtt_filter_valid(export->filter)) {
        req_fail(req, ST_INVALID, "filter \"%.*s\" is no filter like acme/+/temp or acme/#",
                 STR_ARG(export->filter));
        return false;
    }
    if (!uns__when(from, now_ns, &export->from_ns) ||
        (to.len && !uns__when(to, now_ns, &export->to_ns))) {
        req_fail(req, ST_INVALID, "from and to must be RFC 3339, milliseconds, now, or like -15m");
        return false;
    }
    export->t_ns = export->from_ns;
    if (!after.len || read_cursor(export, after)) return true;
    req_fail(req, ST_INVALID, "after is what an answer before said as next");
    return false;
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    Export *export = ctx;
    (void)status;
    (void)diag;
    Status st = store_read(export->uns->env->store, export_job, on_exported, export);
    if (!st) return;
    Uns *uns = export->uns;
    buf_done(&export->text);
    req_fail(export->req, st, "too many questions at once");
    uns__job_done(uns);
}

void uns__op_export(void *self, Req *req)
{
    Uns *uns = self;
    Export *export = arena_one(req->arena, Export);
    if (!export) {
        req_fail(req, ST_NO_MEMORY, "no memory for an export");
        return;
    }
    *export = (Export){.uns = uns, .req = req};
    if (!export_read(export)) return;
    buf_init(&export->text, PAGE_BYTES + 8192);
    if (!json_get(req->in, "after")) buf_text(&export->text, "path,time,value,quality\r\n");
    Status st = uns__keep_then(uns, on_written, export);
    if (!st) return;
    buf_done(&export->text);
    req_fail(req, st, "too many questions at once");
}

/* ---- in ---- */

typedef enum Cell { CELL_PATH, CELL_TIME, CELL_VALUE, CELL_QUALITY, CELLS } Cell;
static const char *const cell_names[CELLS] = {"path", "time", "value", "quality"};
enum { COLUMNS_MAX = 32 };

typedef struct Import {
    Uns *uns;
    Req *req;
    SeriesPoint *points; /* owned */
    UnsName *names;      /* owned, and so are the paths */
    uint32_t count, name_count, name_cap, columns;
    int cell[COLUMNS_MAX]; /* of a column; -1: not ours */
    char *room;            /* of a line's cells */
    int64_t line, lines, refused;
    Buf errors;
    JsonOut out;
    bool settles; /* no value waits for its row: a start has nothing to look for in these points */
} Import;

static void refuse(Import *import, const char *text, Str what)
{
    if (import->refused++ >= ERRORS_TOLD_MAX) return;
    if (what.len > 80) what.len = 80;
    Str sentence = arena_printf(import->req->arena, text, STR_ARG(what));
    json_begin_object(&import->out);
    json_field_int(&import->out, "line", import->line);
    json_field_str(&import->out, "text", sentence);
    json_end(&import->out);
}

/* The header says which column is what. */
static const char *read_header(Import *import, Str *text)
{
    bool end = false, has[CELLS] = {false};
    Str cell;
    while (!end) {
        if (import->columns == COLUMNS_MAX) return "the header has too many columns";
        if (!take_cell(text, import->room, &cell, &end)) return "the header has an open quote";
        int *column = &import->cell[import->columns++];
        *column = -1;
        for (int i = 0; i < CELLS; i++) {
            if (!str_is(cell, cell_names[i])) continue;
            if (has[i]) return "the header names a column twice";
            has[i] = true;
            *column = i;
        }
    }
    return has[CELL_PATH] && has[CELL_TIME] && has[CELL_VALUE]
               ? NULL
               : "the first line must name the columns path, time, value and may name quality";
}

static bool read_value(Str text, double *ret)
{
    if (str_is(text, "true") || str_is(text, "false")) {
        *ret = str_is(text, "true");
        return true;
    }
    return text.len && num_get_f64(text.ptr, text.ptr + text.len, ret) == text.ptr + text.len &&
           isfinite(*ret);
}

static bool read_quality(Str text, uint8_t *ret)
{
    static const char *const names[] = {"good", "uncertain", "bad"};
    *ret = 0;
    if (!text.len) return true;
    for (uint8_t i = 0; i < COUNT_OF(names); i++)
        if (str_is(text, names[i])) {
            *ret = i;
            return true;
        }
    return false;
}

/* The series of a path, made when it is new; its name goes along with the points. */
static int64_t series_of(Import *import, Str path)
{
    Uns *uns = import->uns;
    UnsNode *node;
    if (!uns_path_valid(path)) {
        refuse(import, "\"%.*s\" is no path", path);
        return 0;
    }
    if (uns_tree_add(&uns->tree, path, &node) || !uns__name_series(uns, node)) {
        refuse(import, "%.*s: the namespace is full", path);
        return 0;
    }
    int64_t series = uns_node_series(node);
    for (uint32_t i = import->name_count; i > 0 && i + 64 > import->name_count; i--)
        if (import->names[i - 1].series == series) return series;
    if (import->name_count == import->name_cap) {
        uint32_t cap = import->name_cap ? import->name_cap * 2 : 64;
        UnsName *grown = mem_realloc(import->names, cap * sizeof *grown);
        if (!grown) return 0;
        import->names = grown;
        import->name_cap = cap;
    }
    char *copy = mem_alloc(path.len + 1);
    if (!copy) return 0;
    memcpy(copy, path.ptr, path.len);
    copy[path.len] = 0;
    import->names[import->name_count++] = (UnsName){series, copy, UNS_NONE};
    return series;
}

static void take_point(Import *import, const Str cells[CELLS])
{
    SeriesPoint point = {0};
    if (!uns__when(cells[CELL_TIME], 0, &point.t_ns) ||
        (cells[CELL_TIME].len && cells[CELL_TIME].ptr[0] == '-')) {
        refuse(import, "time \"%.*s\" is neither RFC 3339 nor milliseconds since 1970",
               cells[CELL_TIME]);
        return;
    }
    if (!read_value(cells[CELL_VALUE], &point.value)) {
        refuse(import, "value \"%.*s\" is no number", cells[CELL_VALUE]);
        return;
    }
    if (!read_quality(cells[CELL_QUALITY], &point.quality)) {
        refuse(import, "quality \"%.*s\" is none of good, uncertain, bad", cells[CELL_QUALITY]);
        return;
    }
    point.series = series_of(import, cells[CELL_PATH]);
    if (point.series) import->points[import->count++] = point;
}

static void skip_line(Str *text)
{
    ptrdiff_t end = str_find_char(*text, '\n');
    *text = end < 0 ? str_skip(*text, text->len) : str_skip(*text, (size_t)end + 1);
}

static void read_line(Import *import, Str *text)
{
    Str cells[CELLS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}}, cell, whole = *text;
    char *room = import->room;
    uint32_t column = 0;
    bool end = false;
    while (!end) {
        if (!take_cell(text, room, &cell, &end)) {
            refuse(import, "an open quote%.*s", STR_NONE);
            *text = whole;
            skip_line(text);
            return;
        }
        if (cell.ptr == room) room += cell.len;
        if (column < import->columns && import->cell[column] >= 0)
            cells[import->cell[column]] = cell;
        column++;
    }
    if (column == 1 && !cell.len) return; /* an empty line */
    import->lines++;
    if (column != import->columns)
        refuse(import, "not as many cells as the first line%.*s", STR_NONE);
    else if (import->count == IMPORT_POINTS_MAX)
        refuse(import, "too many lines at once: send the file in parts%.*s", STR_NONE);
    else
        take_point(import, cells);
}

static void import_free(Import *import)
{
    for (uint32_t i = 0; i < import->name_count; i++) mem_free(import->names[i].path);
    mem_free(import->names);
    mem_free(import->points);
    buf_done(&import->errors);
}

static Status import_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Import *import = ctx;
    int64_t segment;
    Status st = uns__write_samples(conn, import->uns, import->points, import->count, import->names,
                                   import->name_count, diag);
    if (st || !import->settles) return st;
    st = series_segment_now(conn, &segment, diag);
    return st ? st : series_settle(conn, segment, diag);
}

static void put_import(const Import *import, Buf *body)
{
    JsonOut out;
    buf_init(body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, body);
    json_begin_object(&out);
    json_field_int(&out, "lines", import->lines);
    json_field_int(&out, "written", import->count);
    json_field_int(&out, "refused", import->refused);
    json_key(&out, "errors");
    json_put_raw(&out, buf_view(&import->errors));
    json_end(&out);
}

/* The import lives in the request's arena, which goes with the answer. */
static void on_imported(void *ctx, Status status, const Diag *diag)
{
    Import *import = ctx;
    Uns *uns = import->uns;
    Req *req = import->req;
    uint64_t points = import->count;
    Buf body;
    if (!status) put_import(import, &body);
    import_free(import);
    if (status) {
        req_fail(req, status, "%s", diag ? diag->text : "");
    } else {
        req_answer_buf(req, &body);
        if (!uns->draining) uns__tidy(uns);
        uns__server_kick(uns, points);
    }
    uns__job_done(uns);
}

static Import *import_new(Uns *uns, Req *req, size_t bytes)
{
    Import *import = arena_one(req->arena, Import);
    if (!import) return NULL;
    *import = (Import){.uns = uns, .req = req};
    import->room = arena_alloc(req->arena, bytes + 1);
    import->points = mem_alloc(IMPORT_POINTS_MAX * sizeof *import->points);
    buf_init(&import->errors, 256 * 1024);
    if (import->room && import->points) return import;
    import_free(import);
    return NULL;
}

void uns__op_import(void *self, Req *req)
{
    Uns *uns = self;
    Str text = json_str(req->in, "csv", STR_NONE);
    Import *import = import_new(uns, req, text.len);
    if (!import) {
        req_fail(req, ST_NO_MEMORY, "no memory for an import");
        return;
    }
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = str_skip(text, 3);
    const char *wrong = read_header(import, &text);
    if (wrong) {
        import_free(import);
        req_fail(req, ST_INVALID, "%s", wrong);
        return;
    }
    uns->import_until_ns = clock_monotonic_ns() + IMPORT_PAUSE_S * NS_PER_S;
    json_out_init(&import->out, &import->errors);
    json_begin_array(&import->out);
    for (import->line = json_int(req->in, "line", 2); text.len; import->line++)
        read_line(import, &text);
    json_end(&import->out);
    import->settles = !uns->dirty_first && !uns->writing;
    Status st = store_write(uns->env->store, import_job, on_imported, import);
    if (!st) {
        uns->jobs++;
        return;
    }
    import_free(import);
    req_fail(req, st, "too many writes wait");
}
