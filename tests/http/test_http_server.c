/* tests/http/test_http_server.c: the server on a loop, talked to by a raw socket on another thread.
 *
 * The client thread sends bytes written by hand and reads until the server closes (or until it has
 * what it waits for); every read has a deadline, so a hanging server fails instead of hanging. */
#include "test.h"

#include "http/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Case {
    Loop *loop;
    HttpServer *server;
    uint16_t port;
    Str send, until; /* until: stop reading when this was seen; empty = until the peer closes */
    char got[65536];
    size_t len;
    bool timed_out;
    HttpReq *waiting; /* of /later */
    WsConn *ws;
    uint16_t ws_code;
} Case;

static void on_message(void *ctx, WsType type, Str bytes)
{
    (void)ws_send(((Case *)ctx)->ws, type, bytes);
}

static void on_close(void *ctx, uint16_t code)
{
    ((Case *)ctx)->ws_code = code;
}

static void answer_later(void *ctx)
{
    Case *c = ctx;
    http_answer(c->waiting, 200, "text/plain", STR("late"));
}

static void handle(void *ctx, HttpReq *req)
{
    Case *c = ctx;
    if (str_is(req->path, "/echo")) {
        http_answer(req, 200, "text/plain", req->body);
    } else if (str_is(req->path, "/later")) {
        c->waiting = req;
        CHECK_OK(loop_post(c->loop, answer_later, c));
    } else if (str_is(req->path, "/fields")) {
        http_set(req, "X-Good", STR("yes"));
        http_set(req, "X-Bad", STR("a\r\nSet-Cookie: b"));
        http_set(req, "Content-Length", STR("1"));
        http_answer(req, 204, "text/plain", STR_NONE);
    } else if (str_is(req->path, "/stream")) {
        http_begin(req, 200, "text/plain", NULL, NULL, NULL);
        (void)http_write(req, STR("Wiki"));
        (void)http_write(req, STR("pedia in \r\n\r\nchunks"));
        http_end(req);
    } else if (str_is(req->path, "/ws")) {
        Diag diag;
        WsConf conf = {.on_message = on_message, .on_close = on_close, .ctx = c};
        Status st = ws_accept(req, &conf, &c->ws, &diag);
        if (st)
            http_answer(req, st == ST_UNSUPPORTED ? 426 : status_http(st), "text/plain",
                        str_from(diag.text));
    } else {
        http_answer(req, 404, "text/plain", req->path);
    }
}

static bool seen(const Case *c)
{
    return c->until.len && str_find((Str){c->got, c->len}, c->until) >= 0;
}

static void *client(void *ctx)
{
    Case *c = ctx;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        for (size_t at = 0; at < c->send.len;) {
            ssize_t n = send(fd, c->send.ptr + at, c->send.len - at, MSG_NOSIGNAL);
            if (n <= 0) break;
            at += (size_t)n;
        }
        while (!seen(c)) {
            ssize_t n = recv(fd, c->got + c->len, sizeof c->got - 1 - c->len, 0);
            if (n <= 0) {
                c->timed_out = n < 0;
                break;
            }
            c->len += (size_t)n;
        }
    }
    close(fd);
    c->got[c->len] = '\0';
    loop_stop(c->loop);
    return NULL;
}

static void stop(void *ctx)
{
    loop_stop(((Case *)ctx)->loop);
}

/* One round: server up, client talks, server drains. `head_ms`: how long a head may take. */
static Case *talk_within(Str send, const char *until, uint32_t head_ms)
{
    static Case c;
    pthread_t thread;
    c = (Case){.send = send, .until = str_from(until)};
    HttpConf conf = {.handle = handle, .ctx = &c, .head_timeout_ms = head_ms};
    CHECK_OK(loop_new(&c.loop));
    CHECK_OK(http_server_open(c.loop, &conf, NULL, &c.server));
    CHECK_OK(http_server_listen(c.server, "127.0.0.1:0", &c.port, NULL));
    CHECK_INT(pthread_create(&thread, NULL, client, &c), 0);
    loop_run(c.loop);
    CHECK_INT(pthread_join(thread, NULL), 0);
    http_server_close(c.server, 100, stop, &c);
    loop_run(c.loop);
    loop_free(c.loop);
    CHECK(!c.timed_out);
    return &c;
}
static Case *talk(Str send, const char *until)
{
    return talk_within(send, until, 60000);
}
#define TALK(lit, until) talk(STR(lit), until)

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) n++;
    return n;
}

TEST(answers_one_request_and_closes_when_asked)
{
    Case *c = TALK("GET /x%20y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "");
    CHECK(strstr(c->got, "HTTP/1.1 404 Not Found\r\nDate: ") == c->got);
    CHECK(strstr(c->got, "\r\nContent-Length: 4\r\n"));
    CHECK(strstr(c->got, "\r\n\r\n/x y"));
}

TEST(pipelined_answers_keep_their_order)
{
    Case *c = TALK("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
                   "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                   "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                   "Connection: close\r\n\r\n3\r\nxyz\r\n0\r\n\r\n",
                   "");
    const char *late = strstr(c->got, "late"), *abc = strstr(c->got, "abc");
    CHECK(late && abc && late < abc && abc < strstr(c->got, "xyz"));
    CHECK_INT(count(c->got, "HTTP/1.1 200 OK"), 3);
}

TEST(smuggled_request_is_never_answered)
{
    Case *c = TALK("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n",
                   "");
    CHECK(strstr(c->got, "HTTP/1.1 400 ") == c->got);
    CHECK_INT(count(c->got, "HTTP/1.1"), 1);
    CHECK(strstr(c->got, "Connection: close"));
}

TEST(head_has_no_body_and_http10_closes)
{
    Case *c = TALK("HEAD /abc HTTP/1.0\r\n\r\n", "");
    CHECK(strstr(c->got, "Content-Length: 4\r\n"));
    CHECK(!strstr(c->got, "/abc"));
}

TEST(expect_continue_gets_its_100_first)
{
    Case *c = TALK("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                   "Content-Length: 2\r\n\r\n",
                   "\r\n\r\n");
    CHECK_TEXT(c->got, "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(own_fields_cannot_break_the_framing)
{
    Case *c = TALK("GET /fields HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "");
    CHECK(strstr(c->got, "\r\nX-Good: yes\r\n"));
    CHECK(!strstr(c->got, "Set-Cookie"));
    CHECK(!strstr(c->got, "Content-Length"));
}

TEST(stream_is_chunked)
{
    Case *c = TALK("GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "");
    CHECK(strstr(c->got, "\r\n\r\n4\r\nWiki\r\n13\r\npedia in \r\n\r\nchunks\r\n0\r\n\r\n"));
}

TEST(limits_have_their_codes)
{
    static char big[40000];
    size_t len = (size_t)snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    memset(big + len, 'a', 20000);
    CHECK(strstr(talk((Str){big, len + 20000}, "")->got, "HTTP/1.1 431 ") != NULL);
    memset(big, 'a', 20000);
    CHECK(strstr(talk((Str){big, 20000}, "")->got, "HTTP/1.1 414 ") != NULL);
    len = (size_t)snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(big + len, sizeof big - len, "X%d: y\r\n", i);
    len += (size_t)snprintf(big + len, sizeof big - len, "\r\n");
    CHECK(strstr(talk((Str){big, len}, "")->got, "HTTP/1.1 431 ") != NULL);
    CHECK(
        strstr(TALK("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "")->got,
               "HTTP/1.1 413 ") != NULL);
}

TEST(half_a_head_ends_in_408)
{
    Case *c = talk_within(STR("GET / HTTP/1.1\r\nHost"), "", 200);
    CHECK(strstr(c->got, "HTTP/1.1 408 ") == c->got);
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"   \
    "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(websocket_echoes_and_closes_with_the_peers_code)
{
    Case *c =
        TALK(UPGRADE KEY "Origin: http://H:1\r\n\r\n"
                         "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* RFC 6455, section 5.7 */
                         "\x88\x82\0\0\0\0\x03\xe8",
             "");
    CHECK(strstr(c->got, "HTTP/1.1 101 ") == c->got);
    CHECK(strstr(c->got, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    const char *frames = strstr(c->got, "\r\n\r\n");
    CHECK(frames && memcmp(frames + 4, "\x81\x05Hello\x88\x02\x03\xe8", 11) == 0);
    CHECK_INT(c->ws_code, 1000);
}

TEST(websocket_handshake_is_checked)
{
    CHECK(strstr(TALK(UPGRADE "Sec-WebSocket-Key: x\r\n\r\n", "\n")->got, " 400 "));
    CHECK(strstr(TALK(UPGRADE KEY "Origin: http://evil\r\n\r\n", "\n")->got, " 403 "));
    CHECK(strstr(TALK(UPGRADE KEY "Origin: null\r\n\r\n", "\n")->got, " 403 "));
    CHECK(strstr(TALK("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", "\n")->got, " 426 "));
}

TEST(websocket_error_closes_with_its_code)
{
    Case *c = TALK(UPGRADE KEY "\r\n\x81\x05Hello", "");
    const char *frames = strstr(c->got, "\r\n\r\n");
    CHECK(frames && memcmp(frames + 4, "\x88\x02\x03\xea", 4) == 0);
    CHECK_INT(c->ws_code, 1002);
}
