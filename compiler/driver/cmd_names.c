/* compiler/driver/cmd_names.c: `tutti names`: a server's names and what is said about them to a
 * file, a file into it, and another name for a branch.
 *
 * An import is all or nothing. A file of more than one request holds goes over in parts, each of
 * which the server takes as a whole; so all of them are looked at before the first one is taken. */
#include "compiler/driver/names_parts.h"
#include "compiler/driver/options.h"
#include "compiler/driver/remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_CALL_MS = 60000, NAMES_ERRORS_MAX = 100 };

typedef struct Names {
    const Command *self;
    const char *to, *prefix, *out, *what, *first, *second; /* operands */
    bool dry;
    Remote remote;
} Names;

static int export_names(Names *n)
{
    Diag diag = {0};
    const Json *answer;
    AUTO_BUF Buf path;
    buf_init(&path, 8192);
    buf_text(&path, "uns/export.json");
    if (n->prefix && n->prefix[0]) {
        buf_text(&path, "?prefix=");
        remote_escape(&path, n->prefix);
    }
    Status st = path.failed
                    ? path.failed
                    : remote_call(&n->remote, path.ptr, STR_NONE, NAMES_CALL_MS, &answer, &diag);
    if (st) return remote_failed(n->self, st, &diag);
    FILE *file = n->out ? fopen(n->out, "wb") : stdout;
    bool good = file && fwrite(answer->raw.ptr, 1, answer->raw.len, file) == answer->raw.len &&
                fputc('\n', file) != EOF && fflush(file) == 0;
    if (!good) st = diag_errno(&diag, errno, "%s", n->out ? n->out : "standard output");
    if (file && n->out && fclose(file) != 0 && !st) st = diag_errno(&diag, errno, "%s", n->out);
    return st ? remote_failed(n->self, st, &diag) : EXIT_FINE;
}

typedef struct Import {
    Names *names;
    NamesPart *parts;
    const NamesPart *stopped; /* the part that was not taken; NULL: none */
    bool json;
    int64_t created, changed, same, errors;
    int64_t made, room; /* created ones and those above them; what the tree still takes */
} Import;

static void print_errors(Import *im, const NamesPart *part, const Json *errors)
{
    const Json *each = errors ? errors->first : NULL;
    for (; each && im->errors < NAMES_ERRORS_MAX; each = each->next, im->errors++) {
        int64_t line = json_int(each, "line", 0), column = json_int(each, "column", 0);
        names_place(part, &line, &column);
        (void)fprintf(stderr, "%s:%lld:%lld: ", im->names->first, (long long)line,
                      (long long)column);
        remote_print(stderr, json_str(each, "text", STR("")));
        (void)fputc('\n', stderr);
    }
}

static void print_rows(const NamesPart *parts)
{
    for (const NamesPart *part = parts; part; part = part->next) {
        const Json *rows = json_get(part->answer, "rows");
        for (const Json *row = rows ? rows->first : NULL; row; row = row->next) {
            remote_print(stdout, json_str(row, "action", STR("")));
            (void)putchar(' ');
            remote_print(stdout, json_str(row, "path", STR("")));
            (void)putchar('\n');
        }
    }
}

/* Rows that are wrong are no failure here: they are told and counted. */
static Status send_part(Import *im, NamesPart *part, bool dry, Diag *diag)
{
    JsonOut json;
    AUTO_BUF Buf text, body;
    buf_init(&text, 2 * NAMES_PART_BYTES);
    buf_init(&body, 4 * NAMES_PART_BYTES);
    buf_str(&text, part->before);
    buf_str(&text, part->rows);
    buf_str(&text, part->after);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_str(&json, "text", buf_view(&text));
    json_field_text(&json, "format", im->json ? "json" : "csv");
    json_field_bool(&json, "dry", dry);
    json_end(&json);
    Status st = text.failed ? text.failed : buf_status(&body);
    if (st) return st;
    st = remote_call(&im->names->remote, "uns/import", buf_view(&body), NAMES_CALL_MS,
                     &part->answer, diag);
    const Json *errors = st ? json_get(part->answer, "errors") : NULL;
    print_errors(im, part, errors);
    return errors && errors->count ? ST_OK : st;
}

/* Looks at all parts, or takes them; stops where enough is wrong. */
static Status send_parts(Import *im, bool dry, Diag *diag)
{
    im->created = im->changed = im->same = im->made = 0;
    for (NamesPart *part = im->parts; part; part = part->next) {
        Status st = send_part(im, part, dry, diag);
        if (!dry && (st || im->errors)) im->stopped = part;
        if (st || im->stopped || im->errors >= NAMES_ERRORS_MAX) return st;
        im->created += json_int(part->answer, "new", 0);
        im->changed += json_int(part->answer, "changed", 0);
        im->same += json_int(part->answer, "same", 0);
        im->made += json_int(part->answer, "made", 0);
        im->room = json_int(part->answer, "room", INT64_MAX);
    }
    return ST_OK;
}

/* Each part had room by itself. A name above two parts is counted twice: then they may fit. */
static Status room_for(const Import *im, Diag *diag)
{
    if (im->created > im->room)
        return diag_set(diag, ST_LIMIT, "%lld names would be new, the tree takes %lld more",
                        (long long)im->created, (long long)im->room);
    if (im->made > im->room)
        (void)fprintf(stderr,
                      "with those above them about %lld names would be new, the tree takes %lld "
                      "more: the last rows may not fit\n",
                      (long long)im->made, (long long)im->room);
    return ST_OK;
}

static void print_what_stands(const Import *im)
{
    if (im->stopped && im->stopped != im->parts)
        (void)fprintf(stderr, "what stands before line %u is imported\n", im->stopped->line);
    else
        (void)fputs("nothing was imported\n", stderr);
}

static int import_names(Names *n)
{
    Diag diag = {0};
    AUTO_BUF Buf text;
    buf_init(&text, NAMES_FILE_BYTES);
    Status st = driver_read(n->first, &text, &diag);
    if (text.failed == ST_LIMIT)
        st = diag_set(&diag, st, "%s has more than %d MiB: import it in parts", n->first,
                      NAMES_FILE_BYTES >> 20);
    if (st) return remote_failed(n->self, st, &diag);
    Str start = str_trim(buf_view(&text));
    Import im = {.names = n, .json = start.len && (start.ptr[0] == '{' || start.ptr[0] == '[')};
    st = names_parts(n->remote.arena, buf_view(&text), im.json, &im.parts, &diag);
    bool wrong = st == ST_INVALID;
    if (wrong) (void)fprintf(stderr, "%s: %s\n", n->first, diag.text);
    if (!st && (n->dry || im.parts->next)) {
        st = send_parts(&im, true, &diag);
        if (!st && !im.errors) st = room_for(&im, &diag);
    }
    if (!st && !im.errors && !n->dry) st = send_parts(&im, false, &diag);
    if (st || im.errors) print_what_stands(&im);
    if (wrong || (!st && im.errors)) return EXIT_WRONG;
    if (st) return remote_failed(n->self, st, &diag);
    if (n->dry) print_rows(im.parts);
    (void)fprintf(stderr, "%s%lld new, %lld changed, %lld as they are\n", n->dry ? "would be " : "",
                  (long long)im.created, (long long)im.changed, (long long)im.same);
    return EXIT_FINE;
}

static int rename_branch(Names *n)
{
    Diag diag = {0};
    const Json *answer;
    JsonOut json;
    AUTO_BUF Buf body;
    buf_init(&body, 64 * 1024);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_text(&json, "from", n->first);
    json_field_text(&json, "to", n->second);
    json_end(&json);
    Status st = body.failed ? body.failed
                            : remote_call(&n->remote, "uns/rename", buf_view(&body), NAMES_CALL_MS,
                                          &answer, &diag);
    if (st) return remote_failed(n->self, st, &diag);
    (void)fprintf(stderr, "%lld names, %lld retained messages moved, %lld had to stay\n",
                  (long long)json_int(answer, "nodes", 0),
                  (long long)json_int(answer, "retained", 0),
                  (long long)json_int(answer, "retained_left", 0));
    return EXIT_FINE;
}

const Option names_options[] = {
    OPTION("--to", "URL", OPTION_TEXT, Names, to,
           "the server; TUTTI_URL when left out, else http://127.0.0.1:8080"),
    OPTION_OF("export", "--prefix", "PATH", OPTION_TEXT, Names, prefix,
              "export: this branch; all when left out"),
    OPTION_OF("export", "-o", "FILE", OPTION_TEXT, Names, out,
              "export: the file to write; standard output"),
    OPTION_OF("import", "--dry", NULL, OPTION_FLAG, Names, dry,
              "import: only say what would change"),
    {0}};

static int names_word(void *ctx, char *word)
{
    Names *n = ctx;
    if (n->what) return options_place(n->self, "`%s` is too much", word, &n->first, &n->second);
    n->what = word;
    return -1;
}

int cmd_names(const Command *self, int argc, char **argv)
{
    Names n = {.self = self, .to = remote_preset()};
    int code = options_read(self, argc, argv, &n, names_word);
    if (code >= 0) return code;
    bool exporting = n.what && strcmp(n.what, "export") == 0;
    bool importing = n.what && strcmp(n.what, "import") == 0;
    if (!exporting && !importing && (!n.what || strcmp(n.what, "rename") != 0))
        return driver_usage(self, "say export, import or rename");
    code = options_verb(self, n.what, &n);
    if (code >= 0) return code;
    const char *extra = exporting ? n.first : importing ? n.second : NULL;
    if (extra) return driver_usage(self, "`%s` is too much", extra);
    if (importing && !n.first) return driver_usage(self, "name a file of CSV or JSON, or -");
    if (!exporting && !importing && !n.second)
        return driver_usage(self, "name the branch, and its new name");
    Diag diag = {0};
    Status st = remote_open(&n.remote, n.to, &diag);
    code = st          ? remote_failed(self, st, &diag)
           : exporting ? export_names(&n)
           : importing ? import_names(&n)
                       : rename_branch(&n);
    remote_close(&n.remote);
    return code;
}
