/* tests/mqtt/client_main.c: our client as a program, led by lines, against any server.
 *
 *   mqtt_client PORT [--v4] [--no-fallback] [--id ID] [--user NAME] [--password WORD] [--keep]
 *               [--expiry S] [--keep-alive S] [--receive-max N] [--inflight N] [--hold]
 *
 * Lines in: "sub QOS FILTER", "unsub FILTER", "pub QOS RETAIN TOPIC TEXT", "flood COUNT TOPIC" (QoS
 * 1, 60 on the way), "ack N" (the N-th message received; with --hold none is acked by itself),
 * "quit". Lines out: "state ...", "msg N QOS TOPIC TEXT", "sent TEXT: STATUS", "flooded", "refused
 * ...". */
#include "base/buf.h"
#include "base/mem.h"
#include "mqtt/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 8192, MESSAGES_MAX = 4096, FLOOD_WINDOW = 60 };

static Loop *loop;
static MqttClient *client;
static bool hold;
static uint64_t tokens[MESSAGES_MAX];
static uint32_t message_count;
static char flood_topic[256];
static long flood_left, flood_open;

static void on_message(void *ctx, const MqttClientMsg *msg)
{
    (void)ctx;
    uint32_t n = message_count++;
    tokens[n % MESSAGES_MAX] = msg->token;
    printf("msg %u %u %.*s %.*s\n", n, msg->qos, STR_ARG(msg->topic), STR_ARG(msg->payload));
    if (!hold && msg->token) mqtt_client_ack(client, msg->token);
}

static void on_state(void *ctx, MqttClientState state, Str reason, uint32_t retry_ms)
{
    static const char *const names[] = {"connecting", "connected", "waiting"};
    (void)ctx;
    (void)retry_ms;
    printf("state %s %.*s\n", names[state], STR_ARG(reason));
}

static void on_sent(void *ctx, Status status, Str reason)
{
    char *text = ctx;
    printf("sent %s: %s %.*s\n", text, status_text(status), STR_ARG(reason));
    mem_free(text);
}

static void flood(void);

static void on_flooded(void *ctx, Status status, Str reason)
{
    (void)ctx;
    (void)reason;
    flood_open--;
    if (!status) flood();
    if (!flood_left && !flood_open) printf("flooded\n");
}

static void flood(void)
{
    while (flood_left && flood_open < FLOOD_WINDOW) {
        flood_left--;
        flood_open++;
        if (mqtt_client_publish(client, str_from(flood_topic), STR("x"), 1, false, on_flooded,
                                NULL))
            flood_open--;
    }
}

static void on_quit(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

static void publish(char *words)
{
    char *save = NULL;
    const char *qos = strtok_r(words, " ", &save), *retain = strtok_r(NULL, " ", &save);
    const char *topic = strtok_r(NULL, " ", &save), *text = strtok_r(NULL, "", &save);
    if (!topic) return;
    size_t len = text ? strlen(text) : 0;
    char *copy = mem_alloc(len + 1);
    if (!copy) return;
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    Status st = mqtt_client_publish(client, str_from(topic), str_slice(copy, len),
                                    (uint8_t)(qos[0] - '0'), *retain == '1', on_sent, copy);
    if (!st) return;
    printf("refused %s\n", status_text(st));
    mem_free(copy);
}

static void obey(char *line)
{
    char *save = NULL;
    Diag diag = {0};
    const char *verb = strtok_r(line, " ", &save);
    char *rest = strtok_r(NULL, "", &save);
    if (!verb) return;
    if (str_is(str_from(verb), "quit")) {
        mqtt_client_close(client);
        if (loop_post(loop, on_quit, NULL)) loop_stop(loop);
        return;
    }
    if (!rest) return;
    if (str_is(str_from(verb), "pub")) {
        publish(rest);
    } else if (str_is(str_from(verb), "sub")) {
        if (mqtt_client_subscribe(client, str_from(rest + 2), (uint8_t)(rest[0] - '0'), &diag))
            printf("refused %s\n", diag.text);
    } else if (str_is(str_from(verb), "unsub")) {
        mqtt_client_unsubscribe(client, str_from(rest));
    } else if (str_is(str_from(verb), "ack")) {
        mqtt_client_ack(client, tokens[strtoul(rest, NULL, 10) % MESSAGES_MAX]);
    } else if (str_is(str_from(verb), "flood")) {
        flood_left = strtol(strtok_r(rest, " ", &save), NULL, 10);
        (void)snprintf(flood_topic, sizeof flood_topic, "%s", strtok_r(NULL, " ", &save));
        flood();
    }
}

static char pending[LINE_MAX_BYTES];
static size_t pending_bytes;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(pending + pending_bytes, (unsigned)(sizeof pending - pending_bytes - 1));
}

static void on_input(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    if (len < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    pending_bytes += (size_t)len;
    char *at = pending, *end;
    while ((end = memchr(at, '\n', pending_bytes - (size_t)(at - pending)))) {
        *end = '\0';
        obey(at);
        at = end + 1;
    }
    pending_bytes -= (size_t)(at - pending);
    memmove(pending, at, pending_bytes);
}

static const char *option(int count, char **words, const char *name)
{
    for (int i = 2; i + 1 < count; i++)
        if (str_is(str_from(words[i]), name)) return words[i + 1];
    return NULL;
}

static bool flag(int count, char **words, const char *name)
{
    for (int i = 2; i < count; i++)
        if (str_is(str_from(words[i]), name)) return true;
    return false;
}

static uint32_t number(int count, char **words, const char *name)
{
    const char *text = option(count, words, name);
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static Str text(int count, char **words, const char *name)
{
    const char *found = option(count, words, name);
    return found ? str_from(found) : STR_NONE;
}

int main(int argc, char **argv)
{
    if (argc < 2 || loop_new(&loop)) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    hold = flag(argc, argv, "--hold");
    MqttClientConf conf = {.host = STR("127.0.0.1"),
                           .port = (uint16_t)strtoul(argv[1], NULL, 10),
                           .client_id = text(argc, argv, "--id"),
                           .user = text(argc, argv, "--user"),
                           .password = text(argc, argv, "--password"),
                           .version = flag(argc, argv, "--v4") ? 4 : 5,
                           .no_fallback = flag(argc, argv, "--no-fallback"),
                           .keep_session = flag(argc, argv, "--keep"),
                           .session_expiry_s = number(argc, argv, "--expiry"),
                           .keep_alive_s = (uint16_t)number(argc, argv, "--keep-alive"),
                           .receive_max = (uint16_t)number(argc, argv, "--receive-max"),
                           .inflight_max = number(argc, argv, "--inflight"),
                           .backoff_min_ms = 10,
                           .backoff_max_ms = 20,
                           .on_message = on_message,
                           .on_state = on_state};
    Diag diag = {0};
    if (mqtt_client_open(loop, &conf, &client, &diag)) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    uv_pipe_t in;
    (void)uv_pipe_init(loop_uv(loop), &in, 0);
    if (uv_pipe_open(&in, 0) || uv_read_start((uv_stream_t *)&in, on_alloc, on_input)) return 1;
    loop_run(loop);
    loop_free(loop);
    return 0;
}
