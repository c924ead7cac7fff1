/* compiler/driver/cmd_deploy.c: `tutti deploy FILE...`: to a running server, after showing what it
 * would change there.
 *
 * Programs are checked here first, so mistakes are shown in the user's own files; the server checks
 * again with its own compiler. Nothing is sent for good before every program's preview was fine. */
#include "compiler/driver/remote.h"

#include "base/clock.h"
#include "compiler/driver/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    DEPLOY_PATHS_MAX = 256,
    DEPLOY_PREVIEW_MS = 30000,
    DEPLOY_MS = 90000,     /* the server's own limit is 60 s */
    DEPLOY_RUN_MS = 60000, /* until the pipelines have a state that lasts */
    DEPLOY_LOOK_MS = 100,
    DEPLOY_BODY_BYTES = 1 << 20,
    DEPLOY_OUT_BYTES = 64 << 20,
};

typedef struct Deploy {
    const Command *self;
    const char *to, **paths; /* those of the command line */
    size_t path_count;
    bool yes, only_diff, json;
    Front front;
    Str *texts;
    Remote remote;
    const Json **previews; /* of each program */
    Buf out;               /* with --json: what is told at the end */
    JsonOut report;
} Deploy;

static int exit_of(const Deploy *deploy, Status st, const Diag *diag)
{
    int code = driver_failed(deploy->self, st, diag);
    bool ours = st == ST_NO_MEMORY || st == ST_INTERNAL || st == ST_CORRUPT;
    return ours ? code : EXIT_USAGE;
}

static Str file_name(const Deploy *deploy, uint32_t i)
{
    Str path = deploy->front.programs[i]->path;
    const char *slash = memrchr(path.ptr, '/', path.len);
    return slash ? str_skip(path, (size_t)(slash - path.ptr) + 1) : path;
}

static Status send_text(Deploy *deploy, uint32_t i, const char *path, int64_t timeout_ms,
                        const Json **ret_json, Diag *diag)
{
    AUTO_BUF Buf body;
    JsonOut json;
    buf_init(&body, DEPLOY_BODY_BYTES);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_str(&json, "file", file_name(deploy, i));
    json_field_str(&json, "text", deploy->texts[i]);
    json_end(&json);
    *ret_json = NULL;
    if (body.failed)
        return diag_set(diag, ST_LIMIT, "%.*s is too long for one request",
                        STR_ARG(deploy->front.programs[i]->path));
    return remote_call(&deploy->remote, path, buf_view(&body), timeout_ms, ret_json, diag);
}

/* Problems the server's compiler has, which ours had not. */
static void put_problems(const Deploy *deploy, uint32_t i, const Json *list)
{
    for (const Json *at = list ? list->first : NULL; at; at = at->next) {
        (void)fprintf(stderr, "%.*s:%lld:%lld: ", STR_ARG(deploy->front.programs[i]->path),
                      (long long)json_int(at, "line", 0), (long long)json_int(at, "column", 0));
        remote_print_lines(stderr, json_str(at, "severity", STR("error")));
        (void)fputs(" ", stderr);
        remote_print_lines(stderr, json_str(at, "code", STR("")));
        (void)fputs(": ", stderr);
        remote_print_lines(stderr, json_str(at, "text", STR("")));
        (void)fputs("\n", stderr);
    }
}

static int preview(Deploy *deploy, uint32_t i)
{
    Diag diag = {0};
    const Json *json = NULL;
    Status st = send_text(deploy, i, "pipelines/preview", DEPLOY_PREVIEW_MS, &json, &diag);
    if (st) return exit_of(deploy, st, &diag);
    deploy->previews[i] = json;
    if (!json_bool(json, "ok", false)) {
        put_problems(deploy, i, json_get(json, "problems"));
        (void)fprintf(stderr, "tutti deploy: the server does not take %.*s\n",
                      STR_ARG(file_name(deploy, i)));
        return EXIT_WRONG;
    }
    const Json *taken = json_get(json, "taken");
    for (const Json *at = taken ? taken->first : NULL; at; at = at->next) {
        (void)fputs("tutti deploy: pipeline ", stderr);
        remote_print_lines(stderr, json_str(at, "pipeline", STR("")));
        (void)fputs(" belongs to ", stderr);
        remote_print_lines(stderr, json_str(at, "by", STR("")));
        (void)fputs(" there: remove that first, or give it another name\n", stderr);
    }
    return taken && taken->count ? EXIT_WRONG : EXIT_FINE;
}

static void show(const Deploy *deploy, uint32_t i)
{
    const Json *json = deploy->previews[i];
    int64_t version = json_int(json, "version", 0);
    (void)printf("%.*s", STR_ARG(file_name(deploy, i)));
    if (json_bool(json, "same", false))
        (void)printf(": this text runs already, as version %lld\n", (long long)version);
    else if (version)
        (void)printf(" over version %lld:\n", (long long)version);
    else
        (void)printf(", new there:\n");
    if (!json_bool(json, "same", false))
        remote_print_lines(stdout, json_str(json, "text", STR("")));
}

/* True when somebody said yes. */
static int ask(const Deploy *deploy)
{
    char line[64];
    if (deploy->yes) return EXIT_FINE;
    (void)printf("deploy to %.*s? [y/N] ", STR_ARG(deploy->remote.url));
    (void)fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {
        (void)printf("\n");
        return driver_usage(deploy->self, "nobody answered: say --yes");
    }
    Str answer = str_trim(str_from(line));
    if (str_is(answer, "y") || str_is(answer, "yes")) return EXIT_FINE;
    (void)printf("nothing was changed\n");
    return EXIT_STOPPED;
}

/* ---- deploying ---------------------------------------------------------------------------- */

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_nsec = (long)(ms * NS_PER_MS)};
    (void)nanosleep(&time, NULL);
}

static void put_state(Deploy *deploy, Str name, const Json *seen, bool last)
{
    Str state = json_str(seen, "state", STR("unknown"));
    Str error = json_str(seen, "error", STR(""));
    if (deploy->json && last) {
        json_begin_object(&deploy->report);
        json_field_str(&deploy->report, "pipeline", name);
        json_field_str(&deploy->report, "state", state);
        json_field_int(&deploy->report, "version", json_int(seen, "version", 0));
        if (error.len) json_field_str(&deploy->report, "error", error);
        json_end(&deploy->report);
    } else if (!deploy->json) {
        (void)printf("%.*s: version %lld, ", STR_ARG(name),
                     (long long)json_int(seen, "version", 0));
        remote_print_lines(stdout, state);
        if (error.len) (void)printf(": ");
        remote_print_lines(stdout, error);
        (void)printf("\n");
        (void)fflush(stdout);
    }
}

/* Looks until the pipeline has a state that lasts; tells each one it sees. */
static int follow(Deploy *deploy, Str name)
{
    char path[256], before[32] = "";
    int64_t end_ns = clock_monotonic_ns() + (int64_t)DEPLOY_RUN_MS * NS_PER_MS;
    (void)snprintf(path, sizeof path, "pipelines/%.*s", (int)(name.len < 200 ? name.len : 200),
                   name.ptr);
    for (;;) {
        Diag diag = {0};
        const Json *seen = NULL;
        Status st = remote_call(&deploy->remote, path, STR_NONE, DEPLOY_PREVIEW_MS, &seen, &diag);
        if (st) return exit_of(deploy, st, &diag);
        Str state = json_str(seen, "state", STR(""));
        bool lasts = str_is(state, "running") || str_is(state, "stopped") ||
                     str_is(state, "failed") || clock_monotonic_ns() > end_ns;
        if (lasts || !str_is(state, before)) put_state(deploy, name, seen, lasts);
        if (lasts) return str_is(state, "failed") ? EXIT_WRONG : EXIT_FINE;
        (void)snprintf(before, sizeof before, "%.*s", (int)(state.len < 31 ? state.len : 31),
                       state.ptr);
        pause_ms(DEPLOY_LOOK_MS);
    }
}

static int deploy_one(Deploy *deploy, uint32_t i)
{
    Diag diag = {0};
    const Json *json = NULL;
    int code = EXIT_FINE;
    Status st = send_text(deploy, i, "pipelines", DEPLOY_MS, &json, &diag);
    if (st == ST_INVALID && json_get(json, "problems")) {
        put_problems(deploy, i, json_get(json, "problems"));
        return EXIT_WRONG;
    }
    if (st) return exit_of(deploy, st, &diag);
    const Json *names = json_get(json, "deployed");
    for (const Json *at = names ? names->first : NULL; at; at = at->next) {
        int one = at->type == JSON_STRING ? follow(deploy, at->text) : EXIT_OURS;
        if (one) code = one;
    }
    return code;
}

static void report_begin(Deploy *deploy, uint32_t i)
{
    const Json *json = deploy->previews[i], *changes = json_get(json, "changes");
    json_begin_object(&deploy->report);
    json_field_str(&deploy->report, "file", file_name(deploy, i));
    json_field_bool(&deploy->report, "same", json_bool(json, "same", false));
    json_field_int(&deploy->report, "version", json_int(json, "version", 0));
    json_key(&deploy->report, "changes");
    json_put_raw(&deploy->report, changes ? changes->raw : STR("null"));
    json_key(&deploy->report, "deployed");
    json_begin_array(&deploy->report);
}

static int deploy_all(Deploy *deploy, bool sending)
{
    int code = EXIT_FINE;
    for (uint32_t i = 0; i < deploy->front.count; i++) {
        if (deploy->json) report_begin(deploy, i);
        bool same = json_bool(deploy->previews[i], "same", false);
        int one = sending && !same && code != EXIT_USAGE ? deploy_one(deploy, i) : EXIT_FINE;
        if (one) code = one;
        if (!deploy->json) continue;
        json_end(&deploy->report);
        json_end(&deploy->report);
    }
    return code;
}

static int work(Deploy *deploy)
{
    bool news = false;
    int code = EXIT_FINE;
    deploy->previews = arena_many(deploy->remote.arena, const Json *, deploy->front.count);
    if (!deploy->previews) return driver_failed(deploy->self, ST_NO_MEMORY, NULL);
    for (uint32_t i = 0; i < deploy->front.count; i++) {
        int one = preview(deploy, i);
        if (one) code = one;
        if (one == EXIT_USAGE) break;
    }
    if (code) return code;
    for (uint32_t i = 0; i < deploy->front.count; i++) {
        if (!deploy->json) show(deploy, i);
        news = news || !json_bool(deploy->previews[i], "same", false);
    }
    if (deploy->only_diff || !news) return deploy_all(deploy, false);
    code = ask(deploy);
    return code ? code : deploy_all(deploy, true);
}

static int connect_and_work(Deploy *deploy)
{
    Diag diag = {0};
    buf_init(&deploy->out, DEPLOY_OUT_BYTES);
    json_out_init(&deploy->report, &deploy->out);
    json_begin_array(&deploy->report);
    Status st = remote_open(&deploy->remote, deploy->to, &diag);
    int code = st ? exit_of(deploy, st, &diag) : work(deploy);
    json_end(&deploy->report);
    if (deploy->json) (void)printf("%.*s\n", (int)deploy->out.len, deploy->out.ptr);
    remote_close(&deploy->remote);
    buf_done(&deploy->out);
    return code;
}

const Option deploy_options[] = {
    OPTION("--to", "URL", OPTION_TEXT, Deploy, to,
           "the server; TUTTI_URL when left out, else http://127.0.0.1:8080"),
    OPTION("--yes", NULL, OPTION_FLAG, Deploy, yes, "do not ask"),
    OPTION("--diff", NULL, OPTION_FLAG, Deploy, only_diff,
           "show what it would change, and change nothing"),
    OPTION("--json", NULL, OPTION_FLAG, Deploy, json,
           "what changed and what runs as JSON; with --yes or --diff"),
    {0}};

static int deploy_word(void *ctx, char *word)
{
    Deploy *deploy = ctx;
    if (word[0] == '-')
        return driver_usage(deploy->self, "name files: who is asked needs standard input");
    if (deploy->path_count == DEPLOY_PATHS_MAX)
        return driver_usage(deploy->self, "more than %d files", DEPLOY_PATHS_MAX);
    deploy->paths[deploy->path_count++] = word;
    return -1;
}

int cmd_deploy(const Command *self, int argc, char **argv)
{
    const char *paths[DEPLOY_PATHS_MAX];
    Diag diag = {0};
    Deploy deploy = {.self = self, .to = remote_preset(), .paths = paths};
    int code = options_read(self, argc, argv, &deploy, deploy_word);
    if (code >= 0) return code;
    if (!deploy.path_count) return driver_usage(self, "name a file or a folder");
    if (deploy.json && !deploy.yes && !deploy.only_diff)
        return driver_usage(self, "with --json nobody is asked: say --yes or --diff");
    if (front_open(&deploy.front, &diag)) return driver_failed(self, ST_NO_MEMORY, &diag);
    code = driver_texts(self, &deploy.front, paths, deploy.path_count, &deploy.texts);
    if (code == EXIT_FINE) code = connect_and_work(&deploy);
    front_close(&deploy.front);
    return code;
}
