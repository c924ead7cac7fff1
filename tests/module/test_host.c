/* tests/module/test_host.c: what the host promises modules and their callers, with toy modules. */
#include "mod_bed.h"

#include "modules/modules.h"

typedef struct ToyConf {
    int64_t size, wait_ms, on;
    Str name;
} ToyConf;

typedef struct Toy {
    const ModEnv *env;
    Req *kept;
    int events;
    DoneFn *drain_done;
    void *drain_ctx;
} Toy;

static char trail[256]; /* what happened, in order */

static void leave(const char *what)
{
    size_t len = strlen(trail);
    (void)snprintf(trail + len, sizeof trail - len, "%s ", what);
}

static Toy *toy; /* of the running test */

static Status toy_open(void *self, const ModEnv *env, Diag *diag __attribute__((unused)))
{
    toy = self;
    toy->env = env;
    leave("a.open");
    return ST_OK;
}

static Status toy_start(void *self __attribute__((unused)), Diag *diag __attribute__((unused)))
{
    leave("a.start");
    return ST_OK;
}

static void toy_close(void *self __attribute__((unused)))
{
    leave("a.close");
}

static void op_echo(void *self __attribute__((unused)), Req *req)
{
    Buf buf;
    JsonOut out;
    buf_init(&buf, 4096);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_str(&out, "text", json_str(req->in, "text", STR("none")));
    json_field_int(&out, "n", json_int(req->in, "n", -1));
    json_field_str(&out, "user", req->caller.user);
    json_end(&out);
    req_answer(req, buf_view(&buf));
    buf_done(&buf);
}

static void op_keep(void *self, Req *req)
{
    ((Toy *)self)->kept = req;
}

static void op_fail(void *self __attribute__((unused)), Req *req)
{
    req_fail(req, ST_CONFLICT, "it is %s", "there");
}

static void on_event(void *self, const BusMsg *msg)
{
    Toy *me = self;
    me->events++;
    CHECK_STR(msg->body, "hello");
    loop_stop(me->env->loop);
}

static const Field echo_in[] = {{"text", FIELD_STR, FIELD_REQUIRED, 1, 8, "some text"},
                                {"n", FIELD_INT, 0, 0, 100, "a number"},
                                {"when", FIELD_TIME, 0, 0, 0, "a time"},
                                {0}};

static const ModOp toy_ops[] = {
    {"a.echo", op_echo, echo_in, NULL, 1000, ROLE_VIEW, OP_READ, "gives back what came"},
    {"a.open", op_echo, echo_in, NULL, 1000, ROLE_NONE, OP_READ, "the same for strangers"},
    {"a.inner", op_echo, echo_in, NULL, 1000, ROLE_SYSTEM, OP_READ, "the same for modules"},
    {"a.keep", op_keep, NULL, NULL, 100, ROLE_NONE, 0, "never answers by itself"},
    {"a.fail", op_fail, NULL, NULL, 1000, ROLE_NONE, 0, "always refuses"},
    {0}};
static const ModSub toy_subs[] = {{"data.>", on_event, 10, 0, "counts"}, {0}};
static const ModRoute toy_routes[] = {{"GET", "/api/v1/a", "a.echo", NULL}, {0}};
static const ModConf toy_conf[] = {
    {"size", CONF_BYTES, "2MiB", 1, 1 << 30, offsetof(ToyConf, size), 0, "a size"},
    {"wait", CONF_MS, "30s", 1, 100000, offsetof(ToyConf, wait_ms), 0, "a time"},
    {"on", CONF_BOOL, "true", 0, 0, offsetof(ToyConf, on), 0, "a switch"},
    {"name", CONF_STR, "x", 0, 0, offsetof(ToyConf, name), CONF_SECRET, "a text"},
    {0}};
static const StoreMigration toy_migrations[] = {{1, "init", "CREATE TABLE a(n)"}, {0, NULL, NULL}};

static const ModuleDef toy_module = {.abi = MODULE_ABI,
                                     .name = "a",
                                     .doc = "a toy",
                                     .self_bytes = sizeof(Toy),
                                     .conf_bytes = sizeof(ToyConf),
                                     .conf = toy_conf,
                                     .migrations = toy_migrations,
                                     .ops = toy_ops,
                                     .subs = toy_subs,
                                     .routes = toy_routes,
                                     .open = toy_open,
                                     .start = toy_start,
                                     .close = toy_close};

static Status other_open(void *self __attribute__((unused)),
                         const ModEnv *env __attribute__((unused)),
                         Diag *diag __attribute__((unused)))
{
    leave("b.open");
    return ST_OK;
}

static void other_close(void *self __attribute__((unused)))
{
    leave("b.close");
}

static void other_drain(void *self __attribute__((unused)), DoneFn *done, void *ctx)
{
    leave("b.drain");
    done(ctx);
}

static const char *const other_needs[] = {"a", NULL};
static const ModuleDef other_module = {.abi = MODULE_ABI,
                                       .name = "b",
                                       .doc = "needs the toy",
                                       .needs = other_needs,
                                       .self_bytes = 1,
                                       .open = other_open,
                                       .drain = other_drain,
                                       .close = other_close};

static const ModuleDef *const both[] = {&other_module, &toy_module, NULL};

static void begin(ModBed *bed)
{
    trail[0] = '\0';
    bed_begin(bed);
    Diag diag = {0};
    Status st = bed_open(bed, both, NULL, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void on_drained(void *ctx)
{
    leave("drained");
    loop_stop(((ModBed *)ctx)->loop);
}

TEST(host_opens_by_needs_and_closes_in_reverse)
{
    ModBed bed;
    begin(&bed);
    CHECK(host_ready(bed.host));
    CHECK_INT(host_module_count(bed.host), 2);
    host_drain(bed.host, BED_DEADLINE_MS, on_drained, &bed);
    CHECK(!host_ready(bed.host));
    bed_run(&bed);
    bed_close_host(&bed);
    CHECK_TEXT(trail, "a.open a.start b.open b.drain drained b.close a.close ");
    bed_end(&bed);
}

TEST(host_checks_inputs_against_the_schema)
{
    static const char *const bad[] = {"[]",
                                      "{\"text\":\"\"}",
                                      "{\"text\":\"123456789\"}",
                                      "{\"text\":1}",
                                      "{}",
                                      "{\"text\":null}",
                                      "{\"text\":\"x\",",
                                      "{\"text\":\"x\",\"n\":101}",
                                      "{\"text\":\"x\",\"n\":1.5}",
                                      "{\"text\":\"x\",\"other\":1}",
                                      "{\"text\":\"x\",\"when\":\"yesterday\"}",
                                      "{\"text\":\"x\",\"when\":\"2026-13-01T00:00:00Z\"}"};
    ModBed bed;
    begin(&bed);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (bed_ask(&bed, "a.echo", bad[i]) != ST_INVALID) print_error("%s\n", bad[i]);
        CHECK_INT(bed.status, ST_INVALID);
        CHECK(bed.body.len > 0);
    }
    CHECK_OK(bed_ask(&bed, "a.echo",
                     "{\"text\":\"x\",\"n\":null,\"when\":\"2026-11-23T23:59:60.5+01:00\"}"));
    CHECK_STR(bed.body, "{\"text\":\"x\",\"n\":-1,\"user\":\"\"}");
    CHECK_INT(bed_ask(&bed, "a.fail", ""), ST_CONFLICT);
    CHECK_STR(bed.body, "it is there");
    CHECK_INT(bed_ask(&bed, "a.none", "{}"), ST_UNAVAILABLE);
    bed_end(&bed);
}

TEST(host_checks_roles)
{
    static const char body[] = "{\"text\":\"x\"}";
    BusCaller stranger = {0}, viewer = {.user = STR("1"), .roles = ROLE_VIEW},
              operator_only = {.user = STR("1"), .roles = ROLE_OPERATE},
              admin = {.user = STR("1"), .roles = ROLE_ADMIN};
    ModBed bed;
    begin(&bed);
    CHECK_INT(bed_ask_as(&bed, &stranger, "a.echo", body), ST_UNAUTHENTICATED);
    CHECK_INT(bed_ask_as(&bed, &operator_only, "a.echo", body), ST_FORBIDDEN);
    CHECK_OK(bed_ask_as(&bed, &viewer, "a.echo", body));
    CHECK_OK(bed_ask_as(&bed, &admin, "a.echo", body));
    CHECK_OK(bed_ask_as(&bed, &stranger, "a.open", body));
    CHECK_INT(bed_ask_as(&bed, &admin, "a.inner", body), ST_FORBIDDEN);
    CHECK_OK(bed_ask(&bed, "a.inner", body));
    bed_end(&bed);
}

TEST(host_answers_for_a_module_that_does_not)
{
    ModBed bed;
    begin(&bed);
    CHECK_INT(bed_ask(&bed, "a.keep", "{}"), ST_TIMEOUT);
    req_answer(toy->kept, STR("{}")); /* too late: consumed, and nothing happens */
    CHECK_OK(
        bus_request(bed.bus, STR("a.keep"), STR("{}"), NULL, BED_DEADLINE_MS, bed_on_answer, &bed));
    toy->kept = NULL;
    while (!toy->kept) (void)uv_run(loop_uv(bed.loop), UV_RUN_ONCE);
    bed_close_host(&bed); /* cancels it */
    bed_run(&bed);
    CHECK_INT(bed.status, ST_CANCELLED);
    CHECK_INT(bed.answers, 2);
    bed_end(&bed);
}

TEST(host_delivers_events_and_tells_about_modules)
{
    ModBed bed;
    begin(&bed);
    CHECK_OK(bus_publish(bed.bus, STR("data.x"), STR("hello")));
    bed_run(&bed);
    CHECK_INT(toy->events, 1);
    CHECK_OK(bed_ask(&bed, "sys.info.a", ""));
    CHECK_STR(json_str(bed.json, "name", STR("")), "a");
    CHECK_INT(json_get(bed.json, "ops")->count, 5);
    CHECK_STR(json_str(json_at(json_get(bed.json, "ops"), 0), "subject", STR("")), "a.echo");
    CHECK_OK(bed_ask(&bed, "sys.health.a", ""));
    CHECK_STR(json_str(bed.json, "state", STR("")), "up");
    CHECK(host_op(bed.host, "a.echo"));
    CHECK(!host_op(bed.host, "a.nothing"));
    bed_end(&bed);
}

TEST(host_fills_settings_from_preset_environment_and_override)
{
    static const HostConf conf[] = {{"a", "wait", "90s"}, {"a", "name", "override"}, {0}};
    static const HostConf unknown[] = {{"a", "colour", "red"}, {0}};
    static const HostConf outside[] = {{"a", "wait", "2h"}, {0}};
    ModBed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_INT(setenv("TUTTI_A_NAME", "environment", 1), 0);
    CHECK_INT(setenv("TUTTI_A_ON", "off", 1), 0);
    CHECK_OK(bed_open(&bed, both, conf, &diag));
    unsetenv("TUTTI_A_NAME");
    unsetenv("TUTTI_A_ON");
    const ToyConf *got = toy->env->conf;
    CHECK(got->size == 2 << 20);
    CHECK(got->wait_ms == 90000);
    CHECK_INT(got->on, 0);
    CHECK_STR(got->name, "override");
    bed_close_host(&bed);
    CHECK_INT(bed_open(&bed, both, unknown, &diag), ST_INVALID);
    CHECK(strstr(diag.text, "colour"));
    CHECK_INT(bed_open(&bed, both, outside, &diag), ST_INVALID);
    bed_end(&bed);
}

TEST(host_refuses_tables_with_mistakes)
{
    static const char *const needs_b[] = {"b", NULL};
    ModuleDef loop_a = toy_module, twice = toy_module, silent = toy_module;
    ModOp no_doc[] = {{"a.x", op_echo, NULL, NULL, 1, 0, 0, NULL}, {0}};
    Diag diag = {0};
    loop_a.needs = needs_b;
    twice.name = "c"; /* its ops are still a.* */
    silent.ops = no_doc;
    silent.routes = NULL;
    CHECK_OK(host_check_tables(both, &diag));
    const ModuleDef *const cycle[] = {&loop_a, &other_module, NULL};
    CHECK_INT(host_check_tables(cycle, &diag), ST_CONFLICT);
    const ModuleDef *const doubled[] = {&toy_module, &toy_module, NULL};
    CHECK_INT(host_check_tables(doubled, &diag), ST_INVALID);
    CHECK(strstr(diag.text, "twice"));
    const ModuleDef *const foreign[] = {&twice, NULL};
    CHECK_INT(host_check_tables(foreign, &diag), ST_INVALID);
    const ModuleDef *const undocumented[] = {&silent, NULL};
    CHECK_INT(host_check_tables(undocumented, &diag), ST_INVALID);
}

TEST(tables_of_all_modules_are_whole)
{
    Diag diag = {0};
    Status st = host_check_tables(modules_all(), &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}
