/* runtime/module/lite.c: puts a Lite process together, keeps it running, takes it apart.
 *
 * Order up: data folder and its lock, loop, bus, broker (without listener), modules, stored
 * pipelines, programs given at start, and only then the listeners. An MQTT publisher that
 * reconnects after a crash therefore never finds the broker without the pipelines that must see its
 * messages. Order down: the broker stops reading (else it would acknowledge what no pipeline takes
 * any more), HTTP edge, modules (accepted records are finished), broker, loop. A second signal does
 * not wait. */
#include "module/lite.h"

#include "base/clock.h"
#include "base/mem.h"
#include "module/gateway.h"
#include "module/host.h"
#include "mqtt/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GATEWAY_GRACE_MS = 2000, DRAIN_MS = 8000, DEPLOY_MS = 120000 };

const char lite_help[] = "  --data DIR         all state; created; default ./tutti-data\n"
                         "  --http ADDR        UI, API, metrics; default 127.0.0.1:8080\n"
                         "  --mqtt ADDR        embedded broker; default 127.0.0.1:1883\n"
                         "  --log text|json    log lines on standard error\n";

typedef struct Lite {
    const LiteOptions *options;
    Log *log;
    Loop *loop;
    Bus *bus;
    MqttBroker *broker;
    Store *mqtt_store; /* sessions and retained messages */
    Host *host;
    Gateway *gateway;
    uv_signal_t signals[2];
    size_t deploying; /* index of the program at hand */
    int exit_code, lock_fd;
    bool stopping, up;
    uint16_t http_port, mqtt_port;
    int64_t begin_ns;
} Lite;

/* ---- the data folder ---- */

static Status open_folder(Lite *lite, Diag *diag)
{
    const char *dir = lite->options->data_dir;
    if (mkdir(dir, 0700) && errno != EEXIST) {
        return diag_errno(diag, errno, "cannot create the data folder %s", dir);
    }
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/lock", dir);
    if (path.failed) {
        return diag_set(diag, ST_LIMIT, "the name of the data folder is too long");
    }
    lite->lock_fd = open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lite->lock_fd < 0) {
        return diag_errno(diag, errno, "cannot use the data folder %s", dir);
    }
    if (flock(lite->lock_fd, LOCK_EX | LOCK_NB)) {
        return diag_set(diag, ST_CONFLICT, "another process uses the data folder %s", dir);
    }
    return ST_OK;
}

/* ---- going down ---- */

static void on_broker_closed(void *ctx)
{
    Lite *lite = ctx;
    for (size_t i = 0; i < COUNT_OF(lite->signals); i++) {
        uv_signal_stop(&lite->signals[i]);
    }
    loop_stop(lite->loop);
}

static void close_modules(void *ctx)
{
    Lite *lite = ctx;
    host_close(lite->host);
    lite->host = NULL;
    if (lite->broker) {
        MqttBroker *broker = lite->broker;
        lite->broker = NULL;
        mqtt_broker_close(broker, on_broker_closed, lite);
    } else {
        on_broker_closed(lite);
    }
}

static void on_host_drained(void *ctx)
{
    Lite *lite = ctx;
    /* Not inside the host's own call. */
    if (loop_post(lite->loop, close_modules, lite)) {
        loop_stop(lite->loop);
    }
}

static void on_gateway_closed(void *ctx)
{
    Lite *lite = ctx;
    lite->gateway = NULL;
    host_drain(lite->host, DRAIN_MS, on_host_drained, lite);
}

static void stop(Lite *lite, int exit_code)
{
    if (lite->stopping) {
        return;
    }
    lite->stopping = true;
    lite->exit_code = exit_code;
    if (lite->broker) mqtt_broker_quiesce(lite->broker);
    if (lite->gateway) {
        gateway_close(lite->gateway, GATEWAY_GRACE_MS, on_gateway_closed, lite);
    } else {
        on_gateway_closed(lite);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    Lite *lite = handle->data;
    if (lite->stopping) {
        _exit(128 + number);
    }
    log_info(lite->log, "lite", "stopping", "signal=%d", number);
    stop(lite, 0);
}

static Status watch_signals(Lite *lite)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        lite->signals[i].data = lite;
        if (uv_signal_init(loop_uv(lite->loop), &lite->signals[i]) ||
            uv_signal_start(&lite->signals[i], on_signal, numbers[i])) {
            return ST_NO_MEMORY;
        }
        uv_unref((uv_handle_t *)&lite->signals[i]);
    }
    return ST_OK;
}

/* ---- coming up ---- */

static void fail(Lite *lite, int exit_code, const char *text)
{
    (void)fprintf(stderr, "tutti: %s\n", text);
    stop(lite, exit_code);
}

static void print_ready(const Lite *lite)
{
    const LiteOptions *options = lite->options;
    log_info(lite->log, "lite", "ready", "ms=%lld http_port=%u mqtt_port=%u",
             (long long)((clock_monotonic_ns() - lite->begin_ns) / NS_PER_MS), lite->http_port,
             lite->mqtt_port);
    if (options->quiet) {
        return;
    }
    printf("Tutti runs:  http://%.*s:%u/   MQTT port %u   data %s\n",
           (int)(strrchr(options->http, ':') - options->http), options->http, lite->http_port,
           lite->mqtt_port, options->data_dir);
    printf("Stop it with ctrl-C (or SIGTERM); it finishes what it accepted.\n");
    (void)fflush(stdout);
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static void on_door_open(void *ctx, Status status, Str body)
{
    Lite *lite = ctx;
    Diag diag = {0};
    const LiteOptions *options = lite->options;
    if (lite->stopping) return;
    if (status && status != ST_UNAVAILABLE) { /* unavailable: no module mqtt */
        (void)fprintf(stderr, "tutti: %.*s\n", STR_ARG(body));
        stop(lite, 2);
        return;
    }
    GatewayConf conf = {.loop = lite->loop,
                        .bus = lite->bus,
                        .host = lite->host,
                        .log = lite->log,
                        .broker = lite->broker,
                        .address = options->http,
                        .tls_address = setting("TUTTI_HTTP_TLS"),
                        .tls = {.cert_file = setting("TUTTI_HTTP_TLS_CERT"),
                                .key_file = setting("TUTTI_HTTP_TLS_KEY")},
                        .version = options->version,
                        .mode = "lite"};
    if (gateway_open(&conf, &lite->gateway, &lite->http_port, &diag)) {
        fail(lite, 2, diag.text);
        return;
    }
    lite->up = true;
    print_ready(lite);
}

static void listen_all(Lite *lite)
{
    Diag diag = {0};
    if (mqtt_broker_listen_tcp(lite->broker, lite->options->mqtt, &lite->mqtt_port, &diag))
        fail(lite, 2, diag.text);
    else if (bus_request(lite->bus, STR("mqtt.listen"), STR("{}"), NULL, DEPLOY_MS, on_door_open,
                         lite))
        fail(lite, 2, "the broker's listeners cannot be opened");
}

static void deploy_next(Lite *lite);

static void print_problems(Str body)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    if (!arena || json_read(arena, body, &json, NULL) || json->type != JSON_OBJECT) {
        (void)fprintf(stderr, "%.*s\n", STR_ARG(body));
    } else {
        (void)fprintf(stderr, "%.*s\n",
                      STR_ARG(json_str(json_get(json, "error"), "text", STR("it is wrong"))));
    }
    arena_free(arena);
}

static void on_deployed(void *ctx, Status status, Str body)
{
    Lite *lite = ctx;
    if (lite->stopping) {
        return;
    }
    if (status) {
        print_problems(body);
        stop(lite, status == ST_INVALID || status == ST_CONFLICT ? 1 : 70);
        return;
    }
    lite->deploying++;
    deploy_next(lite);
}

static void deploy_next(Lite *lite)
{
    const LiteOptions *options = lite->options;
    if (lite->deploying >= options->program_count) {
        listen_all(lite);
        return;
    }
    const LiteProgram *program = &options->programs[lite->deploying];
    AUTO_BUF Buf body;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "file", program->file);
    json_field_str(&out, "text", program->text);
    json_end(&out);
    if (body.failed || bus_request(lite->bus, STR("engine.deploy"), buf_view(&body), NULL,
                                   DEPLOY_MS, on_deployed, lite)) {
        fail(lite, 2, "a program is too long");
    }
}

static void on_restored(void *ctx, Status status, Str body)
{
    Lite *lite = ctx;
    if (lite->stopping) {
        return;
    }
    if (status) {
        (void)fprintf(stderr, "tutti: the stored pipelines cannot be started: %.*s\n",
                      STR_ARG(body));
        stop(lite, 70);
        return;
    }
    deploy_next(lite);
}

static Status open_broker(Lite *lite, Diag *diag)
{
    AUTO_BUF Buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/mqtt.db", lite->options->data_dir);
    Status st = buf_status(&path);
    if (!st) {
        st = mqtt_store_open(lite->loop, path.ptr, lite->log, &lite->mqtt_store, diag);
    }
    if (st) {
        return st;
    }
    MqttBrokerConf broker = {.store = lite->mqtt_store};
    st = mqtt_broker_open(lite->loop, &broker, lite->log, &lite->broker);
    if (st) {
        return diag_set(diag, st, "the broker cannot start: %s", status_text(st));
    }
    return ST_OK;
}

static Status open_parts(Lite *lite, Diag *diag)
{
    const LiteOptions *options = lite->options;
    Status st = loop_new(&lite->loop);
    if (!st) {
        st = watch_signals(lite);
    }
    if (!st) {
        st = bus_local_open(lite->loop, &lite->bus);
    }
    if (st) {
        return diag_set(diag, st, "cannot start: %s", status_text(st));
    }
    st = open_broker(lite, diag);
    if (st) {
        return st;
    }
    HostOptions host = {.loop = lite->loop,
                        .bus = lite->bus,
                        .log = lite->log,
                        .data_dir = options->data_dir,
                        .broker = lite->broker,
                        .modules = options->modules};
    st = host_open(&host, &lite->host, diag);
    if (!st) { /* now: the module mqtt has set the limits that hold for it too */
        st = mqtt_broker_restore(lite->broker, diag);
    }
    if (st) {
        return st;
    }
    st = bus_request(lite->bus, STR("engine.restored"), STR("{}"), NULL, DEPLOY_MS, on_restored,
                     lite);
    return st ? diag_set(diag, st, "cannot ask the engine") : ST_OK;
}

static void free_parts(Lite *lite)
{
    if (lite->host) {
        host_close(lite->host);
    }
    if (lite->broker) {
        mqtt_broker_close(lite->broker, on_broker_closed, lite);
        loop_run(lite->loop);
    }
    store_close(lite->mqtt_store);
    if (lite->bus) {
        bus_close(lite->bus);
    }
    if (lite->loop) {
        loop_run_posts(lite->loop);
        loop_free(lite->loop);
    }
    if (lite->lock_fd >= 0) {
        close(lite->lock_fd);
    }
    log_free(lite->log);
}

int lite_main(const LiteOptions *given)
{
    LiteOptions options = *given;
    options.data_dir = options.data_dir ? options.data_dir : "./tutti-data";
    options.http = options.http ? options.http : "127.0.0.1:8080";
    options.mqtt = options.mqtt ? options.mqtt : "127.0.0.1:1883";
    options.version = options.version ? options.version : "0";
    Lite lite = {.options = &options, .lock_fd = -1, .begin_ns = clock_monotonic_ns()};
    Diag diag = {0};
    umask(077);
    lite.log = log_new(LOG_INFO, options.log_json);
    Status st = lite.log ? open_folder(&lite, &diag) : diag_set(&diag, ST_NO_MEMORY, "no memory");
    if (!st) {
        st = open_parts(&lite, &diag);
    }
    if (st) {
        (void)fprintf(stderr, "tutti: %s\n", diag.text[0] ? diag.text : status_text(st));
        lite.exit_code = st == ST_NO_MEMORY || st == ST_INTERNAL ? 70 : 2;
    } else {
        loop_run(lite.loop);
    }
    free_parts(&lite);
    return lite.exit_code;
}

/* ---- options ---- */

Status lite_take(LiteOptions *options, const char *name, const char *value, Diag *diag)
{
    bool http = strcmp(name, "--http") == 0, mqtt = strcmp(name, "--mqtt") == 0;
    bool json = strcmp(value, "json") == 0, text = strcmp(value, "text") == 0;
    if (!value[0]) {
        return diag_set(diag, ST_INVALID, "%s needs a value", name);
    }
    if ((http || mqtt) && !strrchr(value, ':')) {
        return diag_set(diag, ST_INVALID, "%s takes address:port, for example 127.0.0.1:8080",
                        name);
    }
    if (http) {
        options->http = value;
    } else if (mqtt) {
        options->mqtt = value;
    } else if (strcmp(name, "--data") == 0) {
        options->data_dir = value;
    } else if (!json && !text) {
        return diag_set(diag, ST_INVALID, "--log is json or text");
    } else {
        options->log_json = json;
    }
    return ST_OK;
}

bool lite_option(LiteOptions *options, int argc, char **argv, int *at, Diag *diag)
{
    static const char *const names[] = {"--data", "--http", "--mqtt", "--log"};
    diag->status = ST_OK;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t len = strlen(names[i]);
        const char *arg = argv[*at], *value = "";
        int used = 1;
        if (strncmp(arg, names[i], len) != 0 || (arg[len] && arg[len] != '=')) {
            continue;
        }
        if (arg[len] == '=') {
            value = arg + len + 1;
        } else if (*at + 1 < argc) {
            value = argv[*at + 1];
            used = 2;
        }
        if (lite_take(options, names[i], value, diag)) {
            return false;
        }
        *at += used;
        return true;
    }
    return false;
}
