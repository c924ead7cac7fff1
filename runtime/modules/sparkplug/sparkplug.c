/* runtime/modules/sparkplug/sparkplug.c: Sparkplug B 3.0 in the namespace: life and tables.
 *
 * With TUTTI_SPARKPLUG_HOST this process is a host application on its own broker: metrics of edge
 * nodes become values under PREFIX/GROUP/NODE[/DEVICE]/METRIC. With TUTTI_SPARKPLUG_EDGE it is an
 * edge node of another broker. What both have to remember is in runtime/sparkplug;
 * docs/sparkplug.md tells it in words. */
#include "modules/sparkplug/sparkplug_int.h"

#include "base/mem.h"

/* ---- requests to other modules ---- */

static void on_answer(void *ctx, Status status, Str body)
{
    SparkplugCall *call = ctx;
    Sparkplug *self = call->self;
    if (self) {
        if (call->prev)
            call->prev->next = call->next;
        else
            self->calls = call->next;
        if (call->next) call->next->prev = call->prev;
        self->call_count--;
        if (call->fn) call->fn(self, status, body);
    }
    mem_free(call);
}

bool sparkplug__call(Sparkplug *self, const char *subject, Buf *body, SparkplugCallFn *fn)
{
    SparkplugCall *call =
        self->call_count < SPARKPLUG_CALLS_MAX ? mem_zalloc(1, sizeof *call) : NULL;
    Status st = call ? buf_status(body) : ST_LIMIT;
    if (!st) {
        *call = (SparkplugCall){.self = self, .next = self->calls, .fn = fn};
        st = bus_request(self->env->bus, str_from(subject), buf_view(body), NULL, 30000, on_answer,
                         call);
    }
    buf_done(body);
    if (st) {
        mem_free(call);
        uint64_t lost = ++self->calls_lost;
        if (!(lost & (lost - 1)))
            log_error(self->env->log, "sparkplug", "a request could not be made",
                      "subject=%s lost=%llu reason=%s", subject, (unsigned long long)lost,
                      status_text(st));
        return false;
    }
    if (call->next) call->next->prev = call;
    self->calls = call;
    self->call_count++;
    return true;
}

/* ---- life ---- */

static Status sparkplug_open(void *ctx, const ModEnv *env, Diag *diag)
{
    Sparkplug *self = ctx;
    self->env = env;
    self->conf = env->conf;
    buf_init(&self->text, 512 * 1024);
    buf_init(&self->topic, 4 * SP_ID_BYTES_MAX);
    buf_init(&self->history, SPARKPLUG_HISTORY_BYTES_MAX);
    self->arena = arena_new(4096, 1 << 20);
    return self->arena ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for Sparkplug");
}

static Status sparkplug_start(void *ctx, Diag *diag)
{
    Sparkplug *self = ctx;
    Status st =
        self->conf->host.len || self->conf->aware ? sparkplug__aware_start(self, diag) : ST_OK;
    if (!st && self->conf->host.len) st = sparkplug__host_start(self, diag);
    return st || !self->conf->edge.len ? st : sparkplug__edge_start(self, diag);
}

static void sparkplug_drain(void *ctx, DoneFn *done, void *done_ctx)
{
    Sparkplug *self = ctx;
    self->draining = true;
    sparkplug__edge_stop(self);
    sparkplug__host_stop(self);
    sparkplug__aware_stop(self);
    done(done_ctx);
}

static void sparkplug_close(void *ctx)
{
    Sparkplug *self = ctx;
    if (!self->env) return;
    self->draining = true;
    sparkplug__edge_stop(self);
    sparkplug__host_stop(self);
    sparkplug__aware_stop(self);
    sparkplug__edge_free(self);
    for (SparkplugCall *call = self->calls; call; call = call->next) call->self = NULL;
    sp_host_free(self->host);
    buf_done(&self->text);
    buf_done(&self->topic);
    buf_done(&self->history);
    arena_free(self->arena);
}

/* ---- tables ---- */

#define ID_FIELD(name, flags, doc)                                                                 \
    {                                                                                              \
        name, FIELD_STR, flags, 0, SP_ID_BYTES_MAX, doc                                            \
    }

static const Field list_in[] = {ID_FIELD("group", 0, "only edge nodes of this group"),
                                ID_FIELD("node", 0, "only those of this name"),
                                {0}};
static const Field list_out[] = {
    {"host", FIELD_OBJECT, 0, 0, 0, "id, on, prefix, since; counts of nodes, messages, values"},
    {"edge", FIELD_OBJECT, 0, 0, 0, "our own edge node: on, state, bdseq, seq, counts"},
    {"nodes", FIELD_ARRAY, 0, 0, 0,
     "each: group, node, path, state (unheard, alive, dead), bdseq, seq, births, deaths, lost,"
     " rebirths, times in ms, devices"},
    {0}};
static const Field rebirth_in[] = {ID_FIELD("group", FIELD_REQUIRED, "of the edge node"),
                                   ID_FIELD("node", FIELD_REQUIRED, "its name"),
                                   {0}};
static const Field command_in[] = {
    ID_FIELD("group", FIELD_REQUIRED, "of the edge node"),
    ID_FIELD("node", FIELD_REQUIRED, "its name"),
    ID_FIELD("device", 0, "empty: a metric of the edge node itself"),
    {"metric", FIELD_STR, FIELD_REQUIRED, 1, SP_NAME_BYTES_MAX, "its name, as the birth says it"},
    {"value", FIELD_ANY, FIELD_REQUIRED, 0, 0, "a number, truth or text that fits its type"},
    {0}};

static const ModOp ops[] = {
    {"sparkplug.list", sparkplug__op_list, list_in, list_out, 5000, ROLE_VIEW, OP_READ,
     "edge nodes and their devices"},
    {"sparkplug.rebirth", sparkplug__op_rebirth, rebirth_in, NULL, 5000, ROLE_OPERATE, 0,
     "asks an edge node for its birth certificates"},
    {"sparkplug.command", sparkplug__op_command, command_in, NULL, 5000, ROLE_OPERATE, 0,
     "writes a metric: NCMD or DCMD; the answer does not mean that it was taken"},
    {0}};

static const ModSub subs[] = {{"schemas.changed", sparkplug__on_schemas, 64, BUS_LATEST_WINS,
                               "the types of our own edge node's metrics"},
                              {"sys.up.sparkplug", sparkplug__on_up, 4, 0, "it may say its STATE"},
                              {0}};

static const ModRoute routes[] = {{"GET", "/api/v1/sparkplug", "sparkplug.list", NULL},
                                  {"POST", "/api/v1/sparkplug/rebirth", "sparkplug.rebirth", NULL},
                                  {"POST", "/api/v1/sparkplug/command", "sparkplug.command", NULL},
                                  {0}};

#define ROW(key, type, preset, min, max, field, doc)                                               \
    {                                                                                              \
        key, type, preset, min, max, offsetof(SparkplugConf, field), 0, doc                        \
    }
static const ModConf conf[] = {
    ROW("host", CONF_STR, "", 0, SP_ID_BYTES_MAX, host,
        "id of this process as a host application of Sparkplug; empty: it is none"),
    ROW("prefix", CONF_STR, "sparkplug", 0, 512, prefix,
        "path in the namespace in front of group, edge node, device and metric; may be empty"),
    ROW("reorder", CONF_MS, "2s", 1, 600000, reorder_ms,
        "messages in the wrong order wait so long for those before them"),
    ROW("rebirth_every", CONF_MS, "10s", 100, 3600000, rebirth_ms,
        "between two requests for a rebirth to one edge node"),
    ROW("unheard", CONF_MS, "30s", 100, 3600000, unheard_ms,
        "an edge node known from before a start that is not born again is dead"),
    ROW("nodes", CONF_INT, "1000", 1, 100000, nodes, "edge nodes"),
    ROW("devices", CONF_INT, "10000", 1, 1000000, devices, "devices of all of them"),
    ROW("metrics", CONF_INT, "200000", 1, 10000000, metrics, "metrics of all births"),
    ROW("aware", CONF_BOOL, "false", 0, 0, aware,
        "births are kept, retained, below $sparkplug/certificates/; a host keeps them always"),
    ROW("edge", CONF_STR, "", 0, 1024, edge,
        "mqtt://HOST:PORT or mqtts://HOST:PORT (TLS) of a broker where this process is an edge "
        "node, or several with ; between them: one at a time; empty: it is none"),
    ROW("edge_ca", CONF_STR, "", 0, 1024, edge_ca,
        "PEM file: who may have signed that broker's certificate; empty: whom this machine trusts"),
    ROW("edge_cert", CONF_STR, "", 0, 1024, edge_cert,
        "PEM file: our certificate, for a broker that asks for one"),
    ROW("edge_key", CONF_STR, "", 0, 1024, edge_key, "PEM file: its key"),
    ROW("edge_group", CONF_STR, "", 0, SP_ID_BYTES_MAX, edge_group, "its group"),
    ROW("edge_node", CONF_STR, "", 0, SP_ID_BYTES_MAX, edge_node, "its name"),
    ROW("edge_paths", CONF_STR, "", 0, 8192, edge_paths,
        "what it publishes: plant/line1/#=DEVICE; plant/x (without device: of the node itself)"),
    ROW("edge_primary", CONF_STR, "", 0, SP_ID_BYTES_MAX, edge_primary,
        "id of the host whose STATE it waits for; empty: of none"),
    ROW("edge_user", CONF_STR, "", 0, 256, edge_user, "user at that broker"),
    {"edge_password", CONF_STR, "", 0, 1024, offsetof(SparkplugConf, edge_password), CONF_SECRET,
     "password at that broker"},
    ROW("edge_every", CONF_MS, "200ms", 100, 60000, edge_every_ms,
        "what changed leaves so often; of several values in between the last"),
    ROW("edge_buffer", CONF_BYTES, "16MiB", 65536, 1 << 30, edge_buffer,
        "values kept while nobody may hear them; the oldest are dropped"),
    ROW("edge_writes", CONF_BOOL, "false", 0, 0, edge_writes,
        "commands (NCMD, DCMD) are published in the namespace"),
    {0}};

static const char *const needs[] = {"uns", "mqtt", NULL};

extern const ModuleDef sparkplug_module;
const ModuleDef sparkplug_module = {.abi = MODULE_ABI,
                                    .name = "sparkplug",
                                    .doc = "Sparkplug B: edge nodes in the namespace",
                                    .needs = needs,
                                    .self_bytes = sizeof(Sparkplug),
                                    .conf_bytes = sizeof(SparkplugConf),
                                    .conf = conf,
                                    .migrations = sparkplug__migrations,
                                    .ops = ops,
                                    .subs = subs,
                                    .routes = routes,
                                    .open = sparkplug_open,
                                    .start = sparkplug_start,
                                    .drain = sparkplug_drain,
                                    .close = sparkplug_close};
