/* compiler/driver/batch_out.c: rows of a batch run to files and to standard output. */
#include "compiler/driver/batch_out.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 64 << 20, WRITE_BYTES = 256 << 10 };

/* ---- bytes ---- */

static void write_all(BatchOut *o, int fd, const char *p, size_t n)
{
    while (n && !o->failed) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            o->failed = diag_errno(o->diag, errno, "writing rows");
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

static void flush(BatchOut *o)
{
    if (o->line.failed) o->failed = diag_set(o->diag, ST_NO_MEMORY, "out of memory");
    if (o->line.len) write_all(o, o->fd, o->line.ptr, o->line.len);
    buf_clear(&o->line);
}

static void put(BatchOut *o, int fd, const char *p, size_t n)
{
    if (fd != o->fd || o->line.len >= WRITE_BYTES) flush(o);
    o->fd = fd;
    if (n >= WRITE_BYTES && !o->line.len)
        write_all(o, fd, p, n);
    else
        buf_add(&o->line, p, n);
}

/* ---- files ---- */

static bool option_on(const IrSink *sink, const char *name)
{
    for (uint32_t i = 0; i < sink->option_count; i++)
        if (str_is(sink->options[i].name, name)) return true;
    return false;
}

/* The CSV header, at the top of an empty file. */
static void header(BatchOut *o, uint32_t sink, int fd)
{
    const RtSinkInfo *info = &flow_info(o->instance)->sinks[sink];
    struct stat st;
    if (strcmp(info->format, "csv") != 0 || !info->schema) return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) return;
    for (uint32_t i = 0; i < info->schema->count; i++) {
        if (i) put(o, fd, ",", 1);
        put(o, fd, info->schema->fields[i].name, strlen(info->schema->fields[i].name));
    }
    put(o, fd, "\n", 1);
}

/* Takes the place of an open file where `file` is the same one, else empties it. */
static Status file_join(BatchFiles *files, BatchFile *file, bool append)
{
    struct stat st;
    if (fstat(file->fd, &st)) return ST_IO;
    file->device = st.st_dev;
    file->node = st.st_ino;
    for (uint32_t i = 0; i < files->count; i++) {
        const BatchFile *other = &files->list[i];
        if (other->device != st.st_dev || other->node != st.st_ino) continue;
        close(file->fd);
        file->fd = other->fd;
        file->owned = false;
        return ST_OK;
    }
    file->owned = true;
    bool empty = append || !S_ISREG(st.st_mode) || !st.st_size;
    return empty || ftruncate(file->fd, 0) == 0 ? ST_OK : ST_IO;
}

static int file_new(BatchOut *o, uint32_t sink, Str path)
{
    BatchFiles *files = o->files;
    if (files->count == BATCH_FILES_MAX || path.len >= sizeof files->list->path) {
        o->failed = diag_set(o->diag, ST_LIMIT,
                             "more than %d output files at once, or a path of "
                             "more than %zu bytes",
                             BATCH_FILES_MAX, sizeof files->list->path - 1);
        return -1;
    }
    BatchFile *file = &files->list[files->count];
    (void)snprintf(file->path, sizeof file->path, "%.*s", STR_ARG(path));
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
    if (file->fd < 0) {
        o->failed = diag_errno(o->diag, errno, "%s", file->path);
        return -1;
    }
    if (file_join(files, file, option_on(&o->ir->sinks[sink], "append"))) {
        o->failed = diag_errno(o->diag, errno, "%s", file->path);
        close(file->fd);
        return -1;
    }
    files->last = files->count++;
    if (file->owned) header(o, sink, file->fd);
    return file->fd;
}

static int file_of(BatchOut *o, uint32_t sink, Str path)
{
    BatchFiles *files = o->files;
    if (files->count && str_is(path, files->list[files->last].path))
        return files->list[files->last].fd;
    for (uint32_t i = 0; i < files->count; i++)
        if (str_is(path, files->list[i].path)) return files->list[files->last = i].fd;
    return file_new(o, sink, path);
}

/* ---- rows ---- */

static Str address_of(const BatchOut *o, uint32_t sink, const RtOut *rows, const RtRow *row)
{
    return row->address_len ? str_slice(rows->aside + row->address, row->address_len)
                            : o->ir->sinks[sink].address;
}

/* A line's text; raw rows have no line end of ours, bytes are shown in base64. */
static void put_text(JsonOut *json, const IrSink *sink, Str text)
{
    bool line = sink->format != FORMAT_RAW && text.len && text.ptr[text.len - 1] == '\n';
    if (!ir_format_is_bytes(sink->format)) {
        json_put_str(json, str_slice(text.ptr, text.len - line));
        return;
    }
    AUTO_BUF Buf shown;
    buf_init(&shown, text.len * 2 + 8);
    flow_put_base64(&shown, text);
    json_put_str(json, buf_view(&shown));
}

static void put_wrapped(BatchOut *o, uint32_t sink, const RtOut *rows, const RtRow *row)
{
    const IrSink *ir = &o->ir->sinks[sink];
    AUTO_BUF Buf name;
    buf_init(&name, 65536);
    buf_printf(&name, "%.*s %.*s", STR_ARG(ir->kind), STR_ARG(address_of(o, sink, rows, row)));
    put(o, STDOUT_FILENO, "", 0);
    JsonOut json;
    json_out_init(&json, &o->line);
    json_begin_object(&json);
    if (o->name) json_field_text(&json, "pipeline", o->name);
    json_field_str(&json, "sink", str_trim(buf_view(&name)));
    json_key(&json, "row");
    Str text = str_slice(rows->bytes + row->start, row->len);
    if (ir->format == FORMAT_JSON)
        json_put_raw(&json, str_trim(text));
    else
        put_text(&json, ir, text);
    json_end(&json);
    buf_char(&o->line, '\n');
}

static void put_framed(BatchOut *o, const RtOut *rows, const RtRow *row)
{
    put(o, STDOUT_FILENO, "", 0);
    flow_put_frame(&o->line, row->len);
    put(o, STDOUT_FILENO, rows->bytes + row->start, row->len);
}

/* One row where each has a place or a frame of its own. */
static void put_row(BatchOut *o, uint32_t sink, const RtOut *rows, const RtRow *row)
{
    if (o->sinks[sink].how == BATCH_WRAPPED) {
        put_wrapped(o, sink, rows, row);
    } else if (o->sinks[sink].how == BATCH_FRAMED) {
        put_framed(o, rows, row);
    } else {
        int fd = file_of(o, sink, address_of(o, sink, rows, row));
        if (fd >= 0) put(o, fd, rows->bytes + row->start, row->len);
    }
}

/* Rows [from, to): they lie behind each other. */
static void put_rows(BatchOut *o, uint32_t sink, const RtOut *rows, uint64_t from, uint64_t to)
{
    BatchHow how = o->sinks[sink].how;
    bool whole =
        how == BATCH_PLAIN || (how == BATCH_FILE && !o->ir->sinks[sink].address_is_computed);
    if (!whole) {
        for (uint64_t i = from; i < to && !o->failed; i++) put_row(o, sink, rows, &rows->rows[i]);
        return;
    }
    const RtRow *last = &rows->rows[to - 1];
    uint64_t start = rows->rows[from].start;
    int fd = how == BATCH_PLAIN ? STDOUT_FILENO : file_of(o, sink, o->ir->sinks[sink].address);
    if (fd >= 0) put(o, fd, rows->bytes + start, last->start + last->len - start);
}

Status batch_out_write(BatchOut *o, uint32_t sink, const RtOut *rows)
{
    if (rows->row_count) put_rows(o, sink, rows, 0, rows->row_count);
    flush(o);
    return o->failed;
}

/* Row numbers of a long run begin anew. */
static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The sink whose next row was made first, and the row at which another one's turn comes. */
static bool next_sink(BatchOut *o, FlowInstance *instance, uint32_t *ret_sink, bool *ret_ends,
                      uint32_t *ret_end)
{
    bool found = false, more = false;
    uint32_t first = 0, second = 0;
    for (uint32_t i = 0; i < o->ir->sink_count; i++) {
        const RtOut *rows = flow_out(instance, i);
        if (!o->sinks[i].mixed || o->sinks[i].next >= rows->row_count) continue;
        uint32_t order = rows->rows[o->sinks[i].next].order;
        if (!found || before(order, first)) {
            more = found;
            second = first;
            first = order;
            *ret_sink = i;
        } else if (!more || before(order, second)) {
            more = true;
            second = order;
        }
        found = true;
    }
    *ret_ends = more;
    *ret_end = second;
    return found;
}

Status batch_out_mixed(BatchOut *o, FlowInstance *instance)
{
    uint32_t sink = 0, end = 0;
    bool ends = false;
    while (!o->failed && next_sink(o, instance, &sink, &ends, &end)) {
        const RtOut *rows = flow_out(instance, sink);
        uint64_t from = o->sinks[sink].next, to = from + 1;
        while (to < rows->row_count && (!ends || before(rows->rows[to].order, end))) to++;
        put_rows(o, sink, rows, from, to);
        o->sinks[sink].next = to;
    }
    flush(o);
    for (uint32_t i = 0; i < o->ir->sink_count; i++) {
        if (!o->sinks[i].mixed) continue;
        flow_out_clear(instance, i);
        o->sinks[i].next = 0;
    }
    return o->failed;
}

/* ---- a run ---- */

void batch_out_open(BatchOut *o, BatchSink *sinks, BatchFiles *files, const IrPipeline *ir,
                    Diag *diag)
{
    *o = (BatchOut){.files = files, .ir = ir, .sinks = sinks, .fd = -1, .diag = diag};
    buf_init(&o->line, LINE_BYTES_MAX);
}

/* Both may write to one place. */
static bool meet(const BatchOut *o, uint32_t a, uint32_t b)
{
    BatchHow x = o->sinks[a].how, y = o->sinks[b].how;
    const IrSink *p = &o->ir->sinks[a], *q = &o->ir->sinks[b];
    if (x == BATCH_ELSEWHERE || y == BATCH_ELSEWHERE) return false;
    if (x != BATCH_FILE || y != BATCH_FILE) return x != BATCH_FILE && y != BATCH_FILE;
    return p->address_is_computed || q->address_is_computed || str_eq(p->address, q->address);
}

Status batch_out_begin(BatchOut *o, const FlowInstance *instance)
{
    o->instance = instance;
    for (uint32_t i = 0; i < o->ir->sink_count; i++) {
        for (uint32_t k = 0; k < o->ir->sink_count; k++)
            o->sinks[i].mixed |= k != i && meet(o, i, k);
        if (str_is(o->ir->sinks[i].kind, "stdout")) header(o, i, STDOUT_FILENO);
    }
    flush(o);
    return o->failed;
}

Status batch_out_finish(BatchOut *o)
{
    for (uint32_t i = 0; i < o->ir->sink_count && !o->failed; i++) {
        const IrSink *sink = &o->ir->sinks[i];
        if (str_is(sink->kind, "file") && !sink->address_is_computed)
            (void)file_of(o, i, sink->address);
    }
    flush(o);
    return o->failed;
}

void batch_out_close(BatchOut *o)
{
    buf_done(&o->line);
}

void batch_files_close(BatchFiles *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        if (files->list[i].owned) close(files->list[i].fd);
}
