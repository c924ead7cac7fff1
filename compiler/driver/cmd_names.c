/* compiler/driver/cmd_names.c: `tutti names`: a server's names and what is said about them to a
 * file, a file into it, and another name for a branch.
 *
 * A file goes over in one request, because an import is all or nothing; so it is not longer than a
 * request may be (about 1 MB). Branches of larger trees go by --prefix. */
#include "compiler/driver/options.h"
#include "compiler/driver/remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_BYTES_MAX = 900 * 1024, NAMES_CALL_MS = 60000 };

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

static void print_table(const Names *n, const Json *answer)
{
    const Json *rows = json_get(answer, "rows"), *errors = json_get(answer, "errors");
    for (const Json *each = errors ? errors->first : NULL; each; each = each->next) {
        (void)fprintf(stderr, "%s:%lld:%lld: ", n->first, (long long)json_int(each, "line", 0),
                      (long long)json_int(each, "column", 0));
        remote_print(stderr, json_str(each, "text", STR("")));
        (void)fputc('\n', stderr);
    }
    if (errors && errors->count) return;
    for (const Json *row = n->dry && rows ? rows->first : NULL; row; row = row->next) {
        remote_print(stdout, json_str(row, "action", STR("")));
        (void)putchar(' ');
        remote_print(stdout, json_str(row, "path", STR("")));
        (void)putchar('\n');
    }
    (void)fprintf(stderr, "%s%lld new, %lld changed, %lld as they are\n", n->dry ? "would be " : "",
                  (long long)json_int(answer, "new", 0), (long long)json_int(answer, "changed", 0),
                  (long long)json_int(answer, "same", 0));
}

static int import_names(Names *n)
{
    Diag diag = {0};
    const Json *answer = NULL;
    JsonOut json;
    AUTO_BUF Buf text, body;
    buf_init(&text, NAMES_BYTES_MAX);
    buf_init(&body, 2 << 20);
    Status st = driver_read(n->first, &text, &diag);
    if (text.failed == ST_LIMIT)
        st = diag_set(&diag, st, "%s is longer than %d bytes: import it in parts", n->first,
                      NAMES_BYTES_MAX);
    if (st) return remote_failed(n->self, st, &diag);
    Str start = str_trim(buf_view(&text));
    bool is_json = start.len && (start.ptr[0] == '{' || start.ptr[0] == '[');
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_str(&json, "text", buf_view(&text));
    json_field_text(&json, "format", is_json ? "json" : "csv");
    json_field_bool(&json, "dry", n->dry);
    json_end(&json);
    st = body.failed ? body.failed
                     : remote_call(&n->remote, "uns/import", buf_view(&body), NAMES_CALL_MS,
                                   &answer, &diag);
    const Json *errors = json_get(answer, "errors");
    if (!st || (errors && errors->count)) print_table(n, answer);
    if (st && errors && errors->count) {
        (void)fputs("nothing was imported\n", stderr);
        return EXIT_WRONG;
    }
    return st ? remote_failed(n->self, st, &diag) : EXIT_FINE;
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
