/* compiler/driver/cmd_bridge.c: `tutti bridge`: a server's bridges to other brokers: looked at, put
 * from a file, switched on and off, removed. */
#include "compiler/driver/options.h"
#include "compiler/driver/remote.h"

#include <stdio.h>
#include <string.h>

enum { BRIDGE_FILE_BYTES = 256 * 1024, BRIDGE_CALL_MS = 20000 };

typedef struct BridgeCall {
    const Command *self;
    const char *to, *what, *operand;
    bool json;
    Remote remote;
} BridgeCall;

static void say_number(const char *word, int64_t number)
{
    (void)printf("  %s %lld", word, (long long)number);
}

static void print_bridge(const Json *bridge)
{
    remote_print(stdout, json_str(bridge, "name", STR("")));
    (void)fputs("  ", stdout);
    remote_print(stdout, json_str(bridge, "state", STR("")));
    (void)fputs("  ", stdout);
    remote_print(stdout, json_str(bridge, "host", STR("")));
    (void)printf(":%lld", (long long)json_int(bridge, "port", 0));
    say_number("queued", json_int(bridge, "queued", 0));
    say_number("sent", json_int(bridge, "sent", 0));
    say_number("received", json_int(bridge, "received", 0));
    const Json *dropped = json_get(bridge, "dropped");
    for (const Json *why = dropped ? dropped->first : NULL; why; why = why->next) {
        if (!why->integer) continue;
        (void)fputs("  dropped ", stdout);
        remote_print(stdout, why->key);
        (void)printf(" %lld", (long long)why->integer);
    }
    (void)putchar('\n');
    Str error = json_str(bridge, "error", STR(""));
    if (!error.len) return;
    (void)fputs("    last error: ", stdout);
    remote_print(stdout, error);
    (void)putchar('\n');
}

static int list(BridgeCall *call)
{
    Diag diag = {0};
    const Json *answer;
    Status st = remote_call(&call->remote, "bridges", STR_NONE, BRIDGE_CALL_MS, &answer, &diag);
    if (st) return remote_failed(call->self, st, &diag);
    const Json *bridges = json_get(answer, "bridges");
    if (call->json) {
        (void)printf("%.*s\n", (int)answer->raw.len, answer->raw.ptr);
        return EXIT_FINE;
    }
    for (const Json *at = bridges ? bridges->first : NULL; at; at = at->next) print_bridge(at);
    return EXIT_FINE;
}

static int put(BridgeCall *call)
{
    Diag diag = {0};
    const Json *answer;
    AUTO_BUF Buf text;
    buf_init(&text, BRIDGE_FILE_BYTES);
    Status st = driver_read(call->operand, &text, &diag);
    if (!st)
        st = remote_call(&call->remote, "bridges", buf_view(&text), BRIDGE_CALL_MS, &answer, &diag);
    return st ? remote_failed(call->self, st, &diag) : EXIT_FINE;
}

static int change(BridgeCall *call)
{
    Diag diag = {0};
    const Json *answer;
    AUTO_BUF Buf path;
    buf_init(&path, 1024);
    buf_text(&path, "bridges/");
    remote_escape(&path, call->operand);
    bool remove = strcmp(call->what, "remove") == 0;
    buf_text(&path, remove ? "/remove" : "/enable");
    Str body = remove                              ? STR("{}")
               : strcmp(call->what, "enable") == 0 ? STR("{\"enabled\":true}")
                                                   : STR("{\"enabled\":false}");
    Status st = path.failed
                    ? path.failed
                    : remote_call(&call->remote, path.ptr, body, BRIDGE_CALL_MS, &answer, &diag);
    return st ? remote_failed(call->self, st, &diag) : EXIT_FINE;
}

const Option bridge_options[] = {
    OPTION("--to", "URL", OPTION_TEXT, BridgeCall, to,
           "the server; TUTTI_URL when left out, else http://127.0.0.1:8080"),
    OPTION_OF("list", "--json", NULL, OPTION_FLAG, BridgeCall, json,
              "list: configuration, state and counters as JSON"),
    {0}};

static int bridge_word(void *ctx, char *word)
{
    BridgeCall *call = ctx;
    return options_place(call->self, "`%s` is too much", word, &call->what, &call->operand);
}

int cmd_bridge(const Command *self, int argc, char **argv)
{
    static const struct {
        const char *what;
        int (*fn)(BridgeCall *call);
        const char *operand; /* NULL: it has none */
    } rows[] = {{"list", list, NULL},
                {"put", put, "name a file with a bridge in JSON, or -"},
                {"enable", change, "name the bridge"},
                {"disable", change, "name the bridge"},
                {"remove", change, "name the bridge"}};
    BridgeCall call = {.self = self, .to = remote_preset()};
    int code = options_read(self, argc, argv, &call, bridge_word);
    if (code >= 0) return code;
    size_t row = call.what ? 0 : COUNT_OF(rows);
    while (row < COUNT_OF(rows) && strcmp(rows[row].what, call.what) != 0) row++;
    if (row == COUNT_OF(rows))
        return driver_usage(self, "say list, put, enable, disable or remove");
    code = options_verb(self, call.what, &call);
    if (code >= 0) return code;
    if (!rows[row].operand && call.operand)
        return driver_usage(self, "`%s` is too much", call.operand);
    if (rows[row].operand && !call.operand) return driver_usage(self, "%s", rows[row].operand);
    Diag diag = {0};
    Status st = remote_open(&call.remote, call.to, &diag);
    code = st ? remote_failed(self, st, &diag) : rows[row].fn(&call);
    remote_close(&call.remote);
    return code;
}
