/* tests/http/test_http_head.c: request heads, targets and chunks, byte by byte.
 *
 * Expectations come from RFC 9112 (section named at each test) and RFC 3986. */
#include "test.h"

#include "http/head.h"

#include <stdio.h>

static int parse(const char *text, HttpHead *head, HttpFrame *frame)
{
    size_t at = 0;
    Str bytes = str_from(text);
    ptrdiff_t end = http__head_end(bytes.ptr, bytes.len, &at);
    if (end < 0) return 400;
    if (end == 0) return -1;
    int code = http__head_lex((Str){bytes.ptr, (size_t)end}, head);
    return code ? code : http__frame(head, frame);
}

static int code_of(const char *text)
{
    static HttpHead head;
    HttpFrame frame;
    return parse(text, &head, &frame);
}

TEST(a_head_is_cut_into_its_pieces)
{
    HttpHead head;
    HttpFrame frame;
    CHECK_INT(
        parse("POST /a?b=c HTTP/1.1\r\nHost: x:80\r\nContent-Length:  12 \r\nX-Y:\r\n\r\nrest",
              &head, &frame),
        0);
    CHECK_STR(head.method, "POST");
    CHECK_STR(head.target, "/a?b=c");
    CHECK_INT(head.minor, 1);
    CHECK_INT(head.field_count, 3);
    CHECK_STR(head.fields[1].value, "12");
    CHECK_STR(head.fields[2].name, "X-Y");
    CHECK_STR(head.fields[2].value, "");
    CHECK_INT((int)frame.content_length, 12);
    CHECK(frame.keep_alive);
    CHECK_STR(frame.host, "x:80");
}

/* Section 2.2: bare CR and bare LF are no line ends; 5.1: no blank before the colon; 5.2: obs-fold.
 */
TEST(what_is_not_exactly_a_head_is_400)
{
    CHECK_INT(code_of("GET / HTTP/1.1\nHost: h\n\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), 400);
    CHECK_INT(code_of("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / http/1.1\r\nHost: h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET /\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: h\r\n"), -1);
}

/* Section 3.2: exactly one valid Host in 1.1. */
TEST(host_is_there_once_and_is_a_host)
{
    CHECK_INT(code_of("GET / HTTP/1.1\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.0\r\n\r\n"), 0);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 0);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400);
    CHECK_INT(code_of("GET / HTTP/1.1\r\nHost: h:port\r\n\r\n"), 400);
}

/* Section 6: the ways a length can be ambiguous. */
TEST(framing_that_two_readers_could_differ_on_is_refused)
{
    static const char *const bad[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \"chunked\"",
    };
    char text[512];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", bad[i]);
        CHECK_INT(code_of(text), 400);
    }
    CHECK_INT(code_of("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
    CHECK_INT(code_of("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    CHECK_INT(code_of("POST / HTTP/1.1\r\nHost: h\r\nExpect: something\r\n\r\n"), 417);
}

static int target(const char *text, Str *ret_path, Str *ret_query)
{
    static Arena *arena;
    if (!arena) arena = arena_new(0, 0);
    return http__target(arena, str_from(text), STR("h"), ret_path, ret_query);
}

TEST(targets_are_decoded_once_and_checked_after)
{
    Str path, query;
    CHECK_INT(target("/a%20b/c?x=%20", &path, &query), 0);
    CHECK_STR(path, "/a b/c");
    CHECK_STR(query, "x=%20");
    CHECK_INT(target("http://H/x", &path, &query), 0);
    CHECK_STR(path, "/x");
    CHECK_INT(target("http://h", &path, &query), 0);
    CHECK_STR(path, "/");
    CHECK_INT(target("http://other/x", &path, &query), 400);
    CHECK_INT(target("h:80", &path, &query), 400);
    CHECK_INT(target("/../etc", &path, &query), 400);
    CHECK_INT(target("/a/%2e%2E/b", &path, &query), 400);
    CHECK_INT(target("/a/..", &path, &query), 400);
    CHECK_INT(target("/a/...", &path, &query), 0);
    CHECK_INT(target("/%252e", &path, &query), 0);
    CHECK_STR(path, "/%2e");
    CHECK_INT(target("/%00", &path, &query), 400);
    CHECK_INT(target("/%", &path, &query), 400);
    CHECK_INT(target("/%2", &path, &query), 400);
    CHECK_INT(target("/%zz", &path, &query), 400);
    CHECK_INT(target("/%c0%ae", &path, &query), 400); /* overlong */
    CHECK_INT(target("/a#b", &path, &query), 400);
    CHECK_INT(target("*", &path, &query), 400);
}

TEST(query_and_cookies)
{
    HttpField fields[] = {{STR("Cookie"), STR("a=1; tutti_session=x=y;b=2")}};
    HttpReq req = {.arena = arena_new(0, 0),
                   .query = STR("q=press+temp%21&&empty&n=5"),
                   .fields = fields,
                   .field_count = 1};
    Str value;
    CHECK(http_query(&req, "q", &value));
    CHECK_STR(value, "press temp!");
    CHECK(http_query(&req, "empty", &value));
    CHECK_STR(value, "");
    CHECK(http_query(&req, "n", &value));
    CHECK(!http_query(&req, "zz", &value));
    req.query = STR("a=%f");
    CHECK(!http_query(&req, "a", &value));
    CHECK_STR(http_cookie(&req, "tutti_session"), "x=y");
    CHECK_STR(http_cookie(&req, "b"), "2");
    CHECK(!http_cookie(&req, "session").ptr);
    arena_free(req.arena);
}

/* Feeds the text in pieces of `step` bytes. */
static int chunks(const char *text, size_t step, Buf *body, size_t *ret_rest)
{
    HttpChunks state = {0};
    Str all = str_from(text);
    size_t at = 0;
    bool done = false;
    buf_clear(body);
    while (at < all.len && !done) {
        size_t used = 0, len = all.len - at < step ? all.len - at : step;
        int code = http__chunks(&state, all.ptr + at, len, body, &used, &done);
        if (code) return code;
        at += used;
    }
    *ret_rest = all.len - at;
    return done ? 0 : -1;
}

/* Section 7.1, its grammar; the bad ones are known smuggling vectors. */
TEST(chunks_are_joined_and_nothing_else_passes)
{
    static const char *const bad[] = {"-1\r\n",
                                      "0x1\r\nA\r\n0\r\n\r\n",
                                      "+1\r\n",
                                      "1 \r\nA\r\n0\r\n\r\n",
                                      "\r\n",
                                      "1\nA\n",
                                      "1\r\nAXX0\r\n\r\n",
                                      "1;a\nb\r",
                                      "1_0\r\n",
                                      "10000000000000001\r\n",
                                      "1\rA\r",
                                      "5\r\nabc\r\n0\r\n\r\n",
                                      "0\r\n X: y\r\n",
                                      "0\r\nno colon\r\n\r\n"};
    Buf body;
    size_t rest = 0;
    buf_init(&body, 20);
    for (size_t step = 1; step < 40; step++) {
        CHECK_INT(chunks("4;ext=\"x\"\r\nWiki\r\n5\r\npedia\r\n0\r\nX-Sum: 1\r\n\r\nGET", step,
                         &body, &rest),
                  0);
        CHECK_STR(buf_view(&body), "Wikipedia");
        CHECK_INT((int)rest, 3);
        for (size_t i = 0; i < COUNT_OF(bad); i++)
            CHECK_INT(chunks(bad[i], step, &body, &rest), 400);
        CHECK_INT(chunks("15\r\n", step, &body, &rest), 413);
    }
    buf_done(&body);
}

/* RFC 9110, section 5.3: fields of one name are one, their values joined in their order. */
TEST(fields_are_walked_once_each)
{
    static char big[9000];
    memset(big, 'x', sizeof big);
    HttpField fields[] = {{STR("Accept"), STR("text/a")},
                          {STR("X-Long"), {big, sizeof big}},
                          {STR("ACCEPT"), STR("")},
                          {STR("x-long"), {big, sizeof big}},
                          {STR("accept"), STR("b, c")}};
    HttpReq req = {.arena = arena_new(0, 0), .fields = fields, .field_count = COUNT_OF(fields)};
    Str name, value;
    uint32_t at = 0;
    CHECK(http_field_next(&req, &at, &name, &value));
    CHECK_STR(name, "accept");
    CHECK_STR(value, "text/a, , b, c");
    CHECK(http_field_next(&req, &at, &name, &value));
    CHECK_STR(name, "x-long");
    CHECK_INT(value.len, 2 * sizeof big + 2);
    CHECK(!http_field_next(&req, &at, &name, &value));
    arena_free(req.arena);
}
