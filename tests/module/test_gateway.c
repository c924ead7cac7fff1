/* tests/module/test_gateway.c: routes, identity, origin, cookies and sockets of the HTTP edge.
 *
 * A toy auth module stands for the real one: session "good-viewer" may view, "good-admin" may all;
 * a raw client on another thread speaks HTTP written by hand. */
#include "mod_bed.h"

#include "module/gateway.h"
#include "module/gateway_int.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Toy {
    const ModEnv *env;
} Toy;

static bool toy_setup;
static char toy_said[256]; /* what a socket said */

static Status toy_open(void *self, const ModEnv *env, Diag *diag __attribute__((unused)))
{
    ((Toy *)self)->env = env;
    return ST_OK;
}

static void toy_close(void *self __attribute__((unused))) {}

static void op_state(void *self __attribute__((unused)), Req *req)
{
    req_answer(req, toy_setup ? STR("{\"setup\":true}") : STR("{\"setup\":false}"));
}

static void op_check(void *self __attribute__((unused)), Req *req)
{
    Str session = json_str(req->in, "session", STR_NONE),
        token = json_str(req->in, "token", session);
    if (str_is(token, "good-viewer"))
        req_answer(req, STR("{\"user\":{\"id\":\"7\",\"name\":\"vi\",\"roles\":[\"view\"]}}"));
    else if (str_is(token, "good-admin"))
        req_answer(req, STR("{\"user\":{\"id\":\"1\",\"name\":\"ad\",\"roles\":[\"admin\"]}}"));
    else
        req_fail(req, ST_UNAUTHENTICATED, "sign in first");
}

static void op_login(void *self __attribute__((unused)), Req *req)
{
    if (str_is(json_str(req->in, "password", STR_NONE), "right"))
        req_answer(req, STR("{\"user\":{\"id\":\"1\"},\"session\":\"good-admin\"}"));
    else
        req_fail(req, ST_UNAUTHENTICATED, "name or password is wrong");
}

static void op_thing(void *self __attribute__((unused)), Req *req)
{
    Buf out;
    buf_init(&out, 4096);
    buf_printf(&out, "{\"in\":%.*s,\"user\":\"%.*s\"}", STR_ARG(req->in->raw),
               STR_ARG(req->caller.user));
    req_answer(req, buf_view(&out));
    buf_done(&out);
}

static void op_socket(void *self __attribute__((unused)), Req *req)
{
    req_answer(req, STR("{\"ev\":\"hello\"}"));
}

/* Echoes what the socket says and ends it when it says "end". */
static void on_said(void *self, const BusMsg *msg)
{
    Toy *toy = self;
    (void)snprintf(toy_said, sizeof toy_said, "%.*s %.*s", STR_ARG(msg->subject),
                   STR_ARG(msg->body));
    if (!str_ends(msg->subject, STR(".text"))) return;
    char subject[100];
    (void)snprintf(subject, sizeof subject, "websocket.to.%.*s.frame",
                   (int)(msg->subject.len - strlen("websocket.from..text")),
                   msg->subject.ptr + strlen("websocket.from."));
    CHECK_OK(bus_publish(toy->env->bus, str_from(subject), msg->body));
    char *end = strrchr(subject, '.');
    (void)snprintf(end, 6, ".end");
    CHECK_OK(bus_publish(toy->env->bus, str_from(subject), STR("{\"code\":4001}")));
}

static const Field check_in[] = {
    {"session", FIELD_STR, 0, 0, 0, "cookie"}, {"token", FIELD_STR, 0, 0, 0, "bearer"}, {0}};
static const Field login_in[] = {{"password", FIELD_STR, FIELD_REQUIRED, 1, 100, "secret"}, {0}};
static const Field thing_in[] = {{"name", FIELD_STR, FIELD_REQUIRED, 1, 100, "which"},
                                 {"n", FIELD_INT, 0, 0, 100, "number"},
                                 {"on", FIELD_BOOL, 0, 0, 0, "switch"},
                                 {0}};
static const Field socket_in[] = {{"conn", FIELD_INT, FIELD_REQUIRED, 0, 0, "id"},
                                  {"user", FIELD_OBJECT, 0, 0, 0, "who"},
                                  {"roles", FIELD_INT, 0, 0, 0, "bits"},
                                  {0}};
static const ModOp auth_ops[] = {
    {"auth.state", op_state, NULL, NULL, 1000, ROLE_NONE, 0, "state"},
    {"auth.check", op_check, check_in, NULL, 1000, ROLE_NONE, 0, "check"},
    {"auth.login", op_login, login_in, NULL, 1000, ROLE_NONE, 0, "login"},
    {0}};
static const ModRoute auth_routes[] = {{"GET", "/api/v1/auth/state", "auth.state", NULL},
                                       {"POST", "/api/v1/auth/login", "auth.login", NULL},
                                       {0}};
static const ModuleDef auth_toy = {.abi = MODULE_ABI,
                                   .name = "auth",
                                   .doc = "toy",
                                   .self_bytes = sizeof(Toy),
                                   .ops = auth_ops,
                                   .routes = auth_routes,
                                   .open = toy_open,
                                   .close = toy_close};
static const ModOp thing_ops[] = {
    {"thing.get", op_thing, thing_in, NULL, 1000, ROLE_VIEW, 0, "reads"},
    {"thing.put", op_thing, thing_in, NULL, 1000, ROLE_ENGINEER, 0, "writes"},
    {0}};
static const ModRoute thing_routes[] = {{"GET", "/api/v1/thing/{name*}", "thing.get", NULL},
                                        {"PUT", "/api/v1/thing/{name*}", "thing.put", NULL},
                                        {0}};
static const ModuleDef thing_toy = {.abi = MODULE_ABI,
                                    .name = "thing",
                                    .doc = "toy",
                                    .self_bytes = sizeof(Toy),
                                    .ops = thing_ops,
                                    .routes = thing_routes,
                                    .open = toy_open,
                                    .close = toy_close};
static const ModOp socket_ops[] = {
    {"websocket.open", op_socket, socket_in, NULL, 1000, ROLE_SYSTEM, 0, "open"}, {0}};
static const ModSub socket_subs[] = {{"websocket.from.>", on_said, 100, 0, "sockets"}, {0}};
static const ModuleDef socket_toy = {.abi = MODULE_ABI,
                                     .name = "websocket",
                                     .doc = "toy",
                                     .self_bytes = sizeof(Toy),
                                     .ops = socket_ops,
                                     .subs = socket_subs,
                                     .open = toy_open,
                                     .close = toy_close};
static const ModuleDef *const toys[] = {&auth_toy, &thing_toy, &socket_toy, NULL};

typedef struct GwBed {
    ModBed mod;
    Gateway *gateway;
    uint16_t port;
    const char *send;
    size_t send_len;
    char got[65536];
    size_t len;
} GwBed;

static void *client(void *ctx)
{
    GwBed *bed = ctx;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(bed->port)};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    bed->len = 0;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        send(fd, bed->send, bed->send_len, MSG_NOSIGNAL) > 0)
        for (ssize_t n; (n = recv(fd, bed->got + bed->len, sizeof bed->got - 1 - bed->len, 0)) > 0;)
            bed->len += (size_t)n;
    close(fd);
    bed->got[bed->len] = '\0';
    loop_stop(bed->mod.loop);
    return NULL;
}

static const char *talk_bytes(GwBed *bed, const char *bytes, size_t len)
{
    pthread_t thread;
    bed->send = bytes;
    bed->send_len = len;
    CHECK_INT(pthread_create(&thread, NULL, client, bed), 0);
    loop_run(bed->mod.loop);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(!bed->mod.late);
    return bed->got;
}

/* One request; `fields` end with CR LF each. */
static const char *talk(GwBed *bed, const char *line, const char *fields, const char *body)
{
    static char text[8192];
    int len = snprintf(text, sizeof text,
                       "%s HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n%s"
                       "Content-Length: %zu\r\n\r\n%s",
                       line, fields, strlen(body), body);
    return talk_bytes(bed, text, (size_t)len);
}

static void gw_begin(GwBed *bed, bool setup)
{
    Diag diag = {0};
    toy_setup = setup;
    memset(bed, 0, sizeof *bed);
    bed_begin(&bed->mod);
    CHECK_OK(bed_open(&bed->mod, toys, NULL, &diag));
    GatewayConf conf = {.loop = bed->mod.loop,
                        .bus = bed->mod.bus,
                        .host = bed->mod.host,
                        .log = bed->mod.log,
                        .address = "127.0.0.1:0"};
    CHECK_OK(gateway_open(&conf, &bed->gateway, &bed->port, &diag));
}

static void stop(void *ctx)
{
    loop_stop(((GwBed *)ctx)->mod.loop);
}

static void gw_end(GwBed *bed)
{
    gateway_close(bed->gateway, 1000, stop, bed);
    bed_run(&bed->mod);
    bed_end(&bed->mod);
}

static bool has(const char *got, const char *part)
{
    if (strstr(got, part)) return true;
    print_error("no \"%s\" in: %s\n", part, got);
    return false;
}

static GwBed bed;
#define VIEWER "Cookie: tutti_session=good-viewer\r\n"
#define ADMIN  "Cookie: tutti_session=good-admin\r\n"
#define JSON   "Content-Type: application/json\r\n"
#define OWN    "Origin: http://localhost:1\r\n"

TEST(patterns_match_whole_paths)
{
    Str params[GW_PATH_PARAMS_MAX];
    CHECK(gateway__path_match("/a/{x}/b", STR("/a/1/b"), params));
    CHECK_STR(params[0], "1");
    CHECK(!gateway__path_match("/a/{x}/b", STR("/a//b"), params));
    CHECK(!gateway__path_match("/a/{x}", STR("/a/1/2"), params));
    CHECK(gateway__path_match("/a/{x*}", STR("/a/1/2"), params));
    CHECK_STR(params[0], "1/2");
    CHECK(!gateway__path_match("/a/{x*}", STR("/a/"), params));
    CHECK(!gateway__path_match("/a", STR("/a/"), params));
}

TEST(path_query_and_body_become_one_input)
{
    gw_begin(&bed, false);
    const char *got = talk(&bed, "GET /api/v1/thing/a/b?n=5&on=true", VIEWER, "");
    CHECK(has(got, "HTTP/1.1 200 "));
    CHECK(has(got, "{\"in\":{\"name\":\"a/b\",\"n\":5,\"on\":true},\"user\":\"7\"}"));
    CHECK(has(got, "X-Content-Type-Options: nosniff"));
    CHECK(has(got, "Cache-Control: no-store"));
    got = talk(&bed, "PUT /api/v1/thing/x", ADMIN JSON OWN, "{\"n\":7}");
    CHECK(has(got, "{\"in\":{\"name\":\"x\",\"n\":7},\"user\":\"1\"}"));
    CHECK(has(talk(&bed, "GET /api/v1/thing/a?n=x", VIEWER, ""), " 400 "));
    CHECK(has(talk(&bed, "GET /api/v1/thing/a?zz=1", VIEWER, ""), " 400 "));
    CHECK(has(talk(&bed, "GET /api/v1/thing/a?n=1&n=2", VIEWER, ""), " 400 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/x", ADMIN OWN, "{\"n\":7}"), " 400 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/x", ADMIN JSON OWN, "[1]"), " 400 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/x", ADMIN JSON OWN, "{\"name\":\"y\"}"),
              "name is y in the body and x in the address"));
    got = talk(&bed, "PUT /api/v1/thing/x", ADMIN JSON OWN, "{\"name\":\"x\",\"n\":7}");
    CHECK(has(got, " 200 ") && has(got, "\"n\":7"));
    gw_end(&bed);
}

TEST(roles_methods_and_unknown_addresses)
{
    gw_begin(&bed, false);
    const char *got = talk(&bed, "GET /api/v1/thing/a", "", "");
    CHECK(has(got, " 401 "));
    CHECK(has(got, "{\"error\":{\"code\":\"UNAUTHENTICATED\""));
    CHECK(has(talk(&bed, "GET /api/v1/thing/a", "Cookie: tutti_session=old\r\n", ""), " 401 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", VIEWER JSON OWN, "{}"), " 403 "));
    CHECK(has(talk(&bed, "GET /api/v1/thing/a", "Authorization: Bearer good-viewer\r\n", ""),
              " 200 "));
    got = talk(&bed, "DELETE /api/v1/thing/a", ADMIN OWN, "");
    CHECK(has(got, " 405 "));
    CHECK(has(got, "Allow: GET, PUT\r\n"));
    CHECK(has(talk(&bed, "GET /api/v1/nope", ADMIN, ""), " 404 "));
    CHECK(has(talk(&bed, "GET /healthz", "", ""), "\r\n\r\nok\n"));
    CHECK(has(talk(&bed, "GET /readyz", "", ""), " 200 "));
    CHECK(has(talk(&bed, "GET /metrics", "", ""), "\ntutti_http_requests_total "));
    CHECK(has(talk(&bed, "GET /api/v1/openapi.json", ADMIN, ""),
              "\"/api/v1/thing/{name}\":{\"get\":{\"operationId\":\"thing.get\""));
    CHECK(has(talk(&bed, "GET /api/v1/modules", VIEWER, ""), "\"name\":\"thing\""));
    gw_end(&bed);
}

TEST(a_foreign_page_cannot_use_the_cookie)
{
    gw_begin(&bed, false);
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", ADMIN JSON, "{}"), " 403 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", ADMIN JSON "Origin: http://evil\r\n", "{}"),
              " 403 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", ADMIN JSON "Origin: null\r\n", "{}"), " 403 "));
    CHECK(has(
        talk(&bed, "PUT /api/v1/thing/a", ADMIN JSON "Sec-Fetch-Site: cross-site\r\n" OWN, "{}"),
        " 403 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", ADMIN JSON "Sec-Fetch-Site: same-origin\r\n", "{}"),
              " 200 "));
    CHECK(has(talk(&bed, "PUT /api/v1/thing/a", "Authorization: Bearer good-admin\r\n" JSON, "{}"),
              " 200 "));
    CHECK(has(talk(&bed, "POST /api/v1/auth/login", JSON "Origin: http://evil\r\n",
                   "{\"password\":\"right\"}"),
              " 403 "));
    gw_end(&bed);
}

TEST(the_session_goes_into_the_cookie_only)
{
    gw_begin(&bed, false);
    const char *got = talk(&bed, "POST /api/v1/auth/login", JSON, "{\"password\":\"right\"}");
    CHECK(has(got, "Set-Cookie: tutti_session=good-admin; Path=/; HttpOnly; SameSite=Strict\r\n"));
    CHECK(has(got, "\r\n\r\n{\"user\":{\"id\":\"1\"}}"));
    got = talk(&bed, "POST /api/v1/auth/login", JSON, "{\"password\":\"wrong\"}");
    CHECK(has(got, " 401 "));
    CHECK(!strstr(got, "Set-Cookie"));
    gw_end(&bed);
}

/* DNS rebinding: a page of another name that resolves to 127.0.0.1. */
TEST(before_setup_only_the_loopbacks_own_names_are_served)
{
    gw_begin(&bed, true);
    CHECK(has(talk(&bed, "GET /api/v1/auth/state", "", ""), "{\"setup\":true}"));
    static const char rebound[] =
        "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    CHECK(has(talk_bytes(&bed, rebound, sizeof rebound - 1), " 421 "));
    CHECK_OK(bus_publish(bed.mod.bus, STR("auth.setup_done"), STR("{}")));
    (void)talk(&bed, "GET /healthz", "", "");
    CHECK(has(talk_bytes(&bed, rebound, sizeof rebound - 1), " 200 "));
    gw_end(&bed);
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: localhost:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"       \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(sockets_are_carried_over_the_bus)
{
    static const char hello[] = UPGRADE VIEWER "\r\n\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x0f\xa1";
    static const char nobody[] = UPGRADE "Connection: close\r\n\r\n";
    gw_begin(&bed, false);
    toy_said[0] = '\0';
    const char *got = talk_bytes(&bed, hello, sizeof hello - 1);
    CHECK(has(got, "HTTP/1.1 101 "));
    const char *frames = strstr(got, "\r\n\r\n");
    CHECK(frames && memcmp(frames + 4, "\x81\x0e{\"ev\":\"hello\"}", 16) == 0);
    CHECK(has(talk_bytes(&bed, nobody, sizeof nobody - 1), " 401 "));
    gw_end(&bed);
    CHECK(has(toy_said, "websocket.from.1.gone"));
}
