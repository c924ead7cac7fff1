/* runtime/http/answer.c: answers, whole or streamed, and what a handler adds to them.
 *
 * Framing fields are written here and nowhere else. http_set refuses names and values that could
 * break out of their line, so no caller has to think about response splitting. */
#include "http/conn.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <time.h>

static const struct Reason {
    int code;
    const char *text;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http__reason(int code)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].code == code) return reasons[i].text;
    return "Status";
}

static const char *http_date(HttpServer *server)
{
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    if (server->date_s != now_s) {
        static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        time_t seconds = (time_t)now_s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        (void)snprintf(server->date, sizeof server->date, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                       days[tm.tm_wday % 7], tm.tm_mday % 100, months[tm.tm_mon % 12],
                       (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
                       tm.tm_sec % 100);
        server->date_s = now_s;
    }
    return server->date;
}

void http__put_head(HttpServer *server, Buf *out, int code, const char *type, Str fields)
{
    int class = code / 100;
    if (class >= 1 && class <= 5) server->stats.by_class[class]++;
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", code, http__reason(code), http_date(server));
    if (type) buf_printf(out, "Content-Type: %s\r\n", type);
    buf_str(out, fields);
}

void http__exchange_free(HttpExchange *exchange)
{
    buf_done(&exchange->body);
    buf_done(&exchange->fields);
    arena_free(exchange->req.arena);
}

static bool field_safe(const char *name, Str value)
{
    static const char own[][20] = {"content-length", "transfer-encoding", "connection", "date"};
    if (!*name) return false;
    for (const char *at = name; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        if (!letter && !(*at >= '0' && *at <= '9') && *at != '-') return false;
    }
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (http__same_text(str_from(name), own[i])) return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

void http_set(HttpReq *req, const char *name, Str value)
{
    HttpExchange *exchange = (HttpExchange *)req;
    if (!field_safe(name, value)) {
        if (exchange->conn)
            log_error(exchange->conn->server->log, "http", "unsafe field left out", "name=%s",
                      name);
        return;
    }
    buf_printf(&exchange->fields, "%s: %.*s\r\n", name, STR_ARG(value));
}

static void put_connection(HttpExchange *exchange, Buf *head)
{
    HttpConn *conn = exchange->conn;
    if (conn->server->closing || conn->eof) exchange->keep_alive = false;
    if (!exchange->keep_alive)
        buf_text(head, "Connection: close\r\n");
    else if (exchange->minor0)
        buf_text(head, "Connection: keep-alive\r\n");
}

void http_answer(HttpReq *req, int code, const char *type, Str body)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    if (!conn) {
        http__exchange_free(exchange);
        return;
    }
    bool no_body = code == 204 || code == 304;
    Buf head;
    buf_init(&head, HTTP_HEAD_BYTES_MAX + 4096);
    http__put_head(conn->server, &head, code, no_body ? NULL : type, buf_view(&exchange->fields));
    put_connection(exchange, &head);
    if (!no_body) buf_printf(&head, "Content-Length: %zu\r\n", body.len);
    buf_text(&head, "\r\n");
    if (buf_status(&head)) {
        buf_done(&head);
        conn->exchange = NULL;
        http__exchange_free(exchange);
        http__conn_end(conn);
        return;
    }
    http__conn_write(conn, buf_view(&head), no_body || req->is_head ? STR_NONE : body);
    buf_done(&head);
    http__conn_next(conn);
}

void http_answer_static(HttpReq *req, int code, const char *type, Str body)
{
    http_answer(req, code, type, body);
}

void http_begin(HttpReq *req, int code, const char *type, void (*on_drain)(void *ctx),
                void (*on_gone)(void *ctx), void *ctx)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    exchange->begun = true;
    exchange->on_drain = on_drain;
    exchange->on_gone = on_gone;
    exchange->ctx = ctx;
    if (!conn) return;
    Buf head;
    buf_init(&head, HTTP_HEAD_BYTES_MAX + 4096);
    exchange->chunked = !exchange->minor0;
    if (exchange->minor0) exchange->keep_alive = false; /* the close marks the end */
    http__put_head(conn->server, &head, code, type, buf_view(&exchange->fields));
    put_connection(exchange, &head);
    buf_text(&head, exchange->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    http__conn_write(conn, buf_view(&head), STR_NONE);
    buf_done(&head);
}

size_t http_write(HttpReq *req, Str bytes)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    if (!conn) return SIZE_MAX;
    if (bytes.len && !req->is_head) {
        char size[24];
        int len = snprintf(size, sizeof size, "%zx\r\n", bytes.len);
        if (exchange->chunked) {
            http__conn_write(conn, (Str){size, (size_t)len}, bytes);
            http__conn_write(conn, STR("\r\n"), STR_NONE);
        } else {
            http__conn_write(conn, bytes, STR_NONE);
        }
    }
    return http__conn_waiting(conn);
}

void http_end(HttpReq *req)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    if (!conn) {
        http__exchange_free(exchange);
        return;
    }
    if (exchange->chunked && !req->is_head) http__conn_write(conn, STR("0\r\n\r\n"), STR_NONE);
    http__conn_next(conn);
}

void http_abort(HttpReq *req)
{
    HttpExchange *exchange = (HttpExchange *)req;
    HttpConn *conn = exchange->conn;
    if (conn) conn->exchange = NULL;
    http__exchange_free(exchange);
    if (conn) http__conn_close(conn);
}
