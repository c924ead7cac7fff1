/* compiler/driver/cmd_alarms.c: `tutti alarms`: what stands on a server, who is told of it and how
 * that goes, and a test of that. */
#include "compiler/driver/options.h"
#include "compiler/driver/remote.h"

#include <stdio.h>
#include <string.h>

enum { ALARMS_CALL_MS = 60000 };

typedef struct Alarms {
    const Command *self;
    const char *to, *what, *name;
    Remote remote;
} Alarms;

static void cell(const Json *row, const char *name, const char *after)
{
    remote_print(stdout, json_str(row, name, STR("")));
    (void)fputs(after, stdout);
}

static int list_alarms(Alarms *a)
{
    Diag diag = {0};
    const Json *answer;
    Status st =
        remote_call(&a->remote, "alarms?limit=5000", STR_NONE, ALARMS_CALL_MS, &answer, &diag);
    if (st) return remote_failed(a->self, st, &diag);
    const Json *list = json_get(answer, "alarms");
    for (const Json *each = list ? list->first : NULL; each; each = each->next) {
        cell(each, "priority", "\t");
        cell(each, "state", "\t");
        cell(each, "path", "\t");
        cell(each, "rule", "\t");
        cell(each, "message", "\n");
    }
    if (json_bool(answer, "more", false))
        (void)fprintf(stderr, "the most urgent of %lld\n", (long long)json_int(answer, "total", 0));
    return EXIT_FINE;
}

/* Exit code 1: one of them is failing. */
static int list_targets(Alarms *a)
{
    Diag diag = {0};
    const Json *answer;
    bool good = true;
    Status st = remote_call(&a->remote, "alarms/targets", STR_NONE, ALARMS_CALL_MS, &answer, &diag);
    if (st) return remote_failed(a->self, st, &diag);
    const Json *list = json_get(answer, "targets");
    for (const Json *each = list ? list->first : NULL; each; each = each->next) {
        const Json *state = json_get(each, "state");
        bool works = json_bool(state, "working", true);
        good = good && works;
        cell(each, "name", "\t");
        cell(each, "kind", works ? "\tworking\t" : "\tfailing\t");
        (void)printf("%lld waiting\t%lld told\t", (long long)json_int(state, "queued", 0),
                     (long long)json_int(state, "delivered", 0));
        cell(works ? NULL : state, "error", "\n");
    }
    return good ? EXIT_FINE : EXIT_WRONG;
}

/* Exit code 1: the target did not take it. */
static int test_target(Alarms *a)
{
    Diag diag = {0};
    const Json *answer;
    AUTO_BUF Buf path;
    buf_init(&path, 1024);
    buf_text(&path, "alarms/targets/");
    remote_escape(&path, a->name);
    buf_text(&path, "/test");
    Status st = path.failed
                    ? path.failed
                    : remote_call(&a->remote, path.ptr, STR("{}"), ALARMS_CALL_MS, &answer, &diag);
    if (st == ST_NOT_FOUND)
        (void)diag_set(&diag, st, "there is no target `%s`; `tutti alarms targets` lists them",
                       a->name);
    if (st) return remote_failed(a->self, st, &diag);
    if (json_bool(answer, "delivered", false)) {
        (void)printf("%s took it after %lld ms\n", a->name, (long long)json_int(answer, "ms", 0));
        return EXIT_FINE;
    }
    (void)fprintf(stderr, "%s did not take it: ", a->name);
    remote_print(stderr, json_str(answer, "error", STR("")));
    (void)fputc('\n', stderr);
    return EXIT_WRONG;
}

const Option alarms_options[] = {
    OPTION("--to", "URL", OPTION_TEXT, Alarms, to,
           "the server; TUTTI_URL when left out, else http://127.0.0.1:8080"),
    {0}};

static int alarms_word(void *ctx, char *word)
{
    Alarms *a = ctx;
    return options_place(a->self, "`%s` is too much", word, &a->what, &a->name);
}

int cmd_alarms(const Command *self, int argc, char **argv)
{
    Alarms a = {.self = self, .to = remote_preset()};
    int code = options_read(self, argc, argv, &a, alarms_word);
    if (code >= 0) return code;
    if (!a.what) a.what = "list";
    bool testing = strcmp(a.what, "test") == 0, targets = strcmp(a.what, "targets") == 0;
    if (!testing && !targets && strcmp(a.what, "list") != 0)
        return driver_usage(self, "say list, targets or test");
    if (testing != (a.name != NULL))
        return driver_usage(self, testing ? "name the target" : "`%s` is too much",
                            a.name ? a.name : "");
    Diag diag = {0};
    Status st = remote_open(&a.remote, a.to, &diag);
    code = st        ? remote_failed(self, st, &diag)
           : testing ? test_target(&a)
           : targets ? list_targets(&a)
                     : list_alarms(&a);
    remote_close(&a.remote);
    return code;
}
