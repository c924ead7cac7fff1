/* compiler/driver/cmd_history.c: `tutti history`: a server's history to a file, a file into it, and
 * a question in SQL.
 *
 * An export is asked page by page and written as it comes; an import is sent in parts of whole
 * records, each answered when it is on disk. Both need the memory of one part, and both may be
 * started again: points are known by path and time. */
#include "compiler/driver/options.h"
#include "compiler/driver/remote.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PART_BYTES = 384 * 1024, /* of CSV in one request; as JSON it must fit into 1 MiB */
    RECORD_BYTES_MAX = 128 * 1024,
    CALL_MS = 60000,
    ARENA_BYTES_MAX = 32 << 20,
};

typedef struct History {
    const Command *self;
    const char *to, *filter, *from, *until, *out, *what, *operand;
    Remote remote;
    Arena *page; /* of one answer */
    int64_t points, refused;
    bool tty;
} History;

static int tell(const History *h, Status st, const Diag *diag)
{
    if (h->tty && h->points) (void)fputc('\n', stderr);
    return remote_failed(h->self, st, diag);
}

static void progress(const History *h, const char *word, Str where)
{
    if (!h->tty) return;
    (void)fprintf(stderr, "\r%lld %s  %-60.60s", (long long)h->points, word,
                  where.len ? arena_str(h->page, where).ptr : "");
}

/* The answer lives until the next call. */
static Status call(History *h, const char *path, Str body, const Json **ret_json, Diag *diag)
{
    arena_reset(h->page);
    Arena *own = h->remote.arena;
    h->remote.arena = h->page;
    Status st = remote_call(&h->remote, path, body, CALL_MS, ret_json, diag);
    h->remote.arena = own;
    return st;
}

/* ---- export ---- */

static void put_query(Buf *out, const char *name, const char *value)
{
    if (!value) return;
    buf_printf(out, "%c%s=", str_find_char(buf_view(out), '?') < 0 ? '?' : '&', name);
    remote_escape(out, value);
}

/* Lines of the text, and the path of the last. */
static int64_t count_lines(Str text, Str *ret_last)
{
    int64_t lines = 0;
    size_t begin = 0;
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == '\n') {
            lines++;
            begin = i + 1;
        }
    Str line = str_skip(text, begin);
    ptrdiff_t comma = str_find_char(line, ',');
    *ret_last = comma > 0 ? str_slice(line.ptr, (size_t)comma) : STR_NONE;
    return lines + (text.len > 0);
}

static Status export_pages(History *h, FILE *file, Diag *diag)
{
    char next[256] = "";
    do {
        const Json *page;
        Str where;
        AUTO_BUF Buf path;
        buf_init(&path, 8192);
        buf_text(&path, "historian/export/page");
        put_query(&path, "filter", h->filter);
        put_query(&path, "from", h->from ? h->from : "0");
        put_query(&path, "to", h->until);
        if (next[0]) put_query(&path, "after", next);
        if (path.failed) return diag_set(diag, ST_LIMIT, "the question is too long");
        Status st = call(h, path.ptr, STR_NONE, &page, diag);
        if (st) return st;
        Str text = json_str(page, "text", STR_NONE), after = json_str(page, "next", STR_NONE);
        if (fwrite(text.ptr ? text.ptr : "", 1, text.len, file) != text.len)
            return diag_errno(diag, errno, "%s", h->out ? h->out : "standard output");
        h->points += count_lines(text, &where) - !next[0];
        if (after.len >= sizeof next) return diag_set(diag, ST_INVALID, "an odd answer");
        if (after.len) memcpy(next, after.ptr, after.len);
        next[after.len] = 0;
        progress(h, "points", where);
    } while (next[0]);
    return fflush(file) == 0 ? ST_OK
                             : diag_errno(diag, errno, "%s", h->out ? h->out : "standard output");
}

static int export_all(History *h)
{
    Diag diag = {0};
    FILE *file = h->out ? fopen(h->out, "wb") : stdout;
    if (!file) {
        Status st = diag_errno(&diag, errno, "%s", h->out);
        return tell(h, st, &diag);
    }
    Status st = export_pages(h, file, &diag);
    if (h->out && fclose(file) != 0 && !st) st = diag_errno(&diag, errno, "%s", h->out);
    if (st) return tell(h, st, &diag);
    if (h->tty || h->out) (void)fprintf(stderr, "\r%lld points%60s\n", (long long)h->points, "");
    return EXIT_FINE;
}

/* ---- import ---- */

/* One record with its line end, a line end in quotes being none; false: the end, or too long. */
static bool read_record(FILE *file, Buf *out, int64_t *lines, bool *ret_long)
{
    bool quoted = false;
    size_t begin = out->len;
    int c;
    while ((c = getc(file)) != EOF) {
        buf_char(out, (char)c);
        if (c == '"') quoted = !quoted;
        if (c == '\n') {
            (*lines)++;
            if (!quoted) return true;
        }
        if (out->len - begin > RECORD_BYTES_MAX || out->failed) {
            *ret_long = true;
            return false;
        }
    }
    return out->len > begin;
}

static Status send_part(History *h, const Buf *part, int64_t line, Diag *diag)
{
    const Json *answer;
    JsonOut json;
    AUTO_BUF Buf body;
    buf_init(&body, 2 << 20);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_str(&json, "csv", buf_view(part));
    json_field_int(&json, "line", line);
    json_end(&json);
    if (body.failed) return diag_set(diag, body.failed, "a part of the file");
    Status st = call(h, "historian/import", buf_view(&body), &answer, diag);
    if (st) return st;
    h->points += json_int(answer, "written", 0);
    h->refused += json_int(answer, "refused", 0);
    const Json *errors = json_get(answer, "errors");
    for (const Json *each = errors ? errors->first : NULL; each; each = each->next) {
        (void)fprintf(stderr, "%s%s:%lld: ", h->tty ? "\r" : "", h->operand,
                      (long long)json_int(each, "line", 0));
        remote_print(stderr, json_str(each, "text", STR("")));
        (void)fputc('\n', stderr);
    }
    progress(h, "points written", STR_NONE);
    return ST_OK;
}

static Status import_parts(History *h, FILE *file, Diag *diag)
{
    AUTO_BUF Buf part;
    int64_t lines = 0, first;
    bool too_long = false, more;
    buf_init(&part, PART_BYTES + 2 * RECORD_BYTES_MAX + 16);
    more = read_record(file, &part, &lines, &too_long);
    size_t header = part.len;
    Status st = ST_OK;
    while (more && !st) {
        first = lines + 1;
        while (part.len - header < PART_BYTES &&
               (more = read_record(file, &part, &lines, &too_long))) {
        }
        if (too_long) break;
        if (part.len > header || first == lines + 1) st = send_part(h, &part, first, diag);
        if (!st && part.len == header) break;
        part.len = header;
    }
    if (!st && too_long)
        st = diag_set(diag, ST_LIMIT,
                      "%s:%lld: a line of more than %d bytes, or a quote that does "
                      "not close",
                      h->operand, (long long)lines, RECORD_BYTES_MAX);
    return !st && ferror(file) ? diag_errno(diag, errno, "%s", h->operand) : st;
}

static int import_all(History *h)
{
    Diag diag = {0};
    FILE *file;
    Status st = driver_open(h->operand, &file, &diag);
    if (st) return tell(h, st, &diag);
    st = import_parts(h, file, &diag);
    if (file != stdin) (void)fclose(file);
    if (st) return tell(h, st, &diag);
    (void)fprintf(stderr, "\r%lld points written, %lld lines left out%30s\n", (long long)h->points,
                  (long long)h->refused, "");
    return h->refused ? EXIT_WRONG : EXIT_FINE;
}

/* ---- SQL ---- */

static void print_cell(const Json *cell, bool first)
{
    bool quote = false;
    if (!first) (void)putchar(',');
    if (cell->type == JSON_NULL) return;
    Str text = cell->type == JSON_STRING ? cell->text : cell->raw;
    for (size_t i = 0; i < text.len; i++) quote = quote || strchr(",\"\r\n", text.ptr[i]);
    if (quote) (void)putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') (void)putchar('"');
        (void)putchar(text.ptr[i]);
    }
    if (quote) (void)putchar('"');
}

static void print_row(const Json *row)
{
    for (const Json *cell = row ? row->first : NULL; cell; cell = cell->next)
        print_cell(cell, cell == row->first);
    (void)fputs("\r\n", stdout);
}

static int ask_sql(History *h)
{
    Diag diag = {0};
    const Json *answer;
    JsonOut json;
    AUTO_BUF Buf body;
    buf_init(&body, 1 << 20);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_text(&json, "sql", h->operand);
    json_field_int(&json, "limit", 10000);
    json_field_int(&json, "timeout", 30000);
    json_end(&json);
    Status st =
        body.failed ? body.failed : call(h, "historian/sql", buf_view(&body), &answer, &diag);
    if (st) return tell(h, st, &diag);
    print_row(json_get(answer, "columns"));
    const Json *rows = json_get(answer, "rows");
    for (const Json *row = rows ? rows->first : NULL; row; row = row->next) print_row(row);
    if (json_bool(answer, "more", false))
        (void)fputs("there are more rows: ask for less\n", stderr);
    return EXIT_FINE;
}

/* ---- command ---- */

static int work(History *h)
{
    Diag diag = {0};
    h->page = arena_new(64 << 10, ARENA_BYTES_MAX);
    Status st = h->page ? remote_open(&h->remote, h->to, &diag) : ST_NO_MEMORY;
    int code = st                               ? tell(h, st, &diag)
               : strcmp(h->what, "export") == 0 ? export_all(h)
               : strcmp(h->what, "import") == 0 ? import_all(h)
                                                : ask_sql(h);
    remote_close(&h->remote);
    arena_free(h->page);
    return code;
}

const Option history_options[] = {
    OPTION("--to", "URL", OPTION_TEXT, History, to,
           "the server; TUTTI_URL when left out, else http://127.0.0.1:8080"),
    OPTION_OF("export", "--filter", "PATH", OPTION_TEXT, History, filter,
              "export: which paths, acme/+/temp or acme/#; all when left out"),
    OPTION_OF("export", "--from", "TIME", OPTION_TEXT, History, from,
              "export: RFC 3339, or counted back from now: -7d; from the beginning"),
    OPTION_OF("export", "--until", "TIME", OPTION_TEXT, History, until,
              "export: up to and with it; up to now"),
    OPTION_OF("export", "-o", "FILE", OPTION_TEXT, History, out,
              "export: the file to write; standard output"),
    {0}};

static int history_word(void *ctx, char *word)
{
    History *h = ctx;
    return options_place(h->self, "`%s` is too much", word, &h->what, &h->operand);
}

int cmd_history(const Command *self, int argc, char **argv)
{
    History h = {.self = self, .to = remote_preset(), .tty = isatty(STDERR_FILENO) != 0};
    int code = options_read(self, argc, argv, &h, history_word);
    if (code >= 0) return code;
    bool exporting = h.what && strcmp(h.what, "export") == 0;
    bool importing = h.what && strcmp(h.what, "import") == 0;
    if (!exporting && !importing && (!h.what || strcmp(h.what, "sql") != 0))
        return driver_usage(self, "say export, import or sql");
    code = options_verb(self, h.what, &h);
    if (code >= 0) return code;
    if (exporting && h.operand) return driver_usage(self, "`%s` is too much", h.operand);
    if (!exporting && !h.operand)
        return driver_usage(self, importing ? "name a file of CSV, or -" : "write a select");
    return work(&h);
}
