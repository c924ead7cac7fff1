/* runtime/mqtt/link.c: see link.h.
 *
 * The socket has its own allocation, so that its close callback and a write that is under way can
 * outlive the next attempt and the Link. Output is two buffers: `out` gathers, what the socket did
 * not take at once moves to `flying` until libuv wrote it; they change places, so the steady state
 * allocates nothing. A loss is told on a later turn, from the timer: never inside a call of the
 * owner. */
#include "mqtt/link.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>

enum {
    LINK_READ_BYTES = 65536,
    LINK_OUT_BYTES_MAX = 300 << 20,
    LINK_KEEP_BYTES = 1 << 20, /* a buffer that grew larger is given back */
    LINK_REASON_BYTES = 200,
    LINK_MAY_MS = 50,
    LINK_STEADY_S = 10, /* a connection that held so long was a good one: back-off starts anew */
};

typedef struct Sock {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_connect_t connect;
    Buf flying; /* owned */
    Link *link; /* NULL once given up */
    bool writing;
    char read_buf[LINK_READ_BYTES];
} Sock;

struct Link {
    Loop *loop;
    LinkConf conf;
    Sock *sock;
    TlsConn *tls; /* owned; of this connection */
    LoopTimer *timer;
    Buf out;
    bool resolving, up, accepted, paused, closed, soon;
    uint32_t attempt;
    int64_t heard_ns, up_ns;
    char host[256], reason[LINK_REASON_BYTES];
};

static void attempt(void *ctx);

static const char *file_of(Str path)
{
    return path.len ? path.ptr : NULL;
}

Status link_tls_new(const LinkFiles *files, TlsClient **ret_tls, Diag *diag)
{
    TlsClientConf conf = {.ca_file = file_of(files->ca),
                          .cert_file = file_of(files->cert),
                          .key_file = file_of(files->key)};
    return tls_client_new(&conf, ret_tls, diag);
}

static void sock_free(uv_handle_t *handle)
{
    Sock *sock = handle->data;
    buf_done(&sock->flying);
    mem_free(sock);
}

static void sock_drop(Link *k)
{
    if (!k->sock) return;
    k->sock->link = NULL;
    uv_close((uv_handle_t *)&k->sock->tcp, sock_free);
    k->sock = NULL;
    tls_conn_free(k->tls);
    k->tls = NULL;
}

static void timer_set(Link *k, uint64_t ms, LoopFn *fn)
{
    loop_timer_stop(k->timer);
    k->timer = NULL;
    /* Without memory for a timer there is no next try; the owner sees that nothing happens. */
    if (loop_timer_start(k->loop, ms, 0, fn, k, &k->timer)) k->timer = NULL;
}

static void on_lost(void *ctx)
{
    Link *k = ctx;
    uint32_t shift = k->attempt < 16 ? k->attempt : 16;
    uint64_t wait = (uint64_t)k->conf.backoff_min_ms << shift;
    if (wait > k->conf.backoff_max_ms) wait = k->conf.backoff_max_ms;
    int64_t now = clock_monotonic_ns();
    uint64_t dice = hash_bytes(&now, sizeof now);
    wait = k->soon ? 0 : wait / 2 + dice % (wait / 2 + 1);
    if (!k->soon) k->attempt++;
    k->soon = false;
    timer_set(k, wait, attempt);
    k->conf.lost(k->conf.ctx, k->reason, (uint32_t)wait);
}

void link_drop(Link *link, const char *reason, bool soon)
{
    Link *k = link;
    if (k->closed || (!k->sock && k->reason[0])) return;
    if (k->up && clock_monotonic_ns() - k->up_ns > LINK_STEADY_S * NS_PER_S) k->attempt = 0;
    (void)snprintf(k->reason, sizeof k->reason, "%s", reason);
    if (k->up) link_flush(k); /* a farewell */
    sock_drop(k);
    buf_clear(&k->out);
    k->up = k->accepted = k->paused = false;
    k->soon = soon;
    timer_set(k, 0, on_lost);
}

/* ---- out ---- */

static void on_sent(uv_write_t *write, int status)
{
    Sock *sock = write->data;
    Link *k = sock->link;
    (void)status; /* a broken socket shows itself on the reading side */
    sock->writing = false;
    buf_clear(&sock->flying);
    if (sock->flying.cap > LINK_KEEP_BYTES) buf_done(&sock->flying);
    if (!k) return;
    link_flush(k);
    if (!sock->writing && k->up) k->conf.drained(k->conf.ctx);
}

/* Sends the front of `from` now, and swaps what is left of it into the air. */
static void send_now(Sock *sock, Buf *from)
{
    uv_buf_t buf = uv_buf_init(from->ptr, (unsigned)from->len);
    int sent = uv_try_write((uv_stream_t *)&sock->tcp, &buf, 1);
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == from->len || (sent < 0 && sent != UV_EAGAIN)) {
        buf_clear(from);
        return;
    }
    Buf swap = sock->flying;
    sock->flying = *from;
    *from = swap;
    buf = uv_buf_init(sock->flying.ptr + done, (unsigned)(sock->flying.len - done));
    sock->write.data = sock;
    sock->writing = !uv_write(&sock->write, (uv_stream_t *)&sock->tcp, &buf, 1, on_sent);
}

void link_flush(Link *link)
{
    Link *k = link;
    if (!k->sock || !k->up || k->sock->writing) return;
    if (k->conf.tls && !k->tls) return; /* tls_in is at it, and flushes afterwards */
    if (k->out.failed) {
        buf_clear(&k->out);
        link_drop(k, "too much waits to be sent", false);
        return;
    }
    if (k->tls) {
        if (k->out.len && tls_conn_output(k->tls, k->out.ptr, k->out.len)) {
            link_drop(k, tls_conn_error(k->tls), false);
            return;
        }
        buf_clear(&k->out);
        if (tls_conn_wire(k->tls)->len) send_now(k->sock, tls_conn_wire(k->tls));
    } else if (k->out.len) {
        send_now(k->sock, &k->out);
    }
}

Buf *link_out(Link *link)
{
    return &link->out;
}

size_t link_waiting(const Link *link)
{
    size_t wire = link->tls ? tls_conn_wire(link->tls)->len : 0;
    return link->out.len + wire + (link->sock ? link->sock->flying.len : 0);
}

/* ---- in ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    Sock *sock = handle->data;
    *buf = uv_buf_init(sock->read_buf, LINK_READ_BYTES);
}

static void on_plain(void *ctx, const char *bytes, size_t len)
{
    Link *k = ctx;
    if (k->sock) k->conf.bytes(k->conf.ctx, bytes, len);
}

static void begin(Link *k)
{
    k->up = true;
    k->up_ns = clock_monotonic_ns();
    k->conf.up(k->conf.ctx);
}

static void tls_in(Link *k, const char *bytes, size_t len)
{
    Sock *sock = k->sock;
    TlsConn *tls = k->tls;
    k->tls = NULL; /* the owner may drop the link in the middle of it */
    bool was_up = tls_conn_up(tls);
    Status st = tls_conn_input(tls, bytes, len, on_plain, k);
    if (k->sock != sock) {
        tls_conn_free(tls);
        return;
    }
    k->tls = tls;
    Buf *wire = tls_conn_wire(tls);
    if (wire->len && !sock->writing) send_now(sock, wire);
    if (st) {
        link_drop(k,
                  st == ST_UNAVAILABLE ? "the server closed the connection" : tls_conn_error(tls),
                  false);
    } else if (!was_up && tls_conn_up(tls)) {
        begin(k);
    } else {
        link_flush(k); /* what was written meanwhile found no TLS */
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    Sock *sock = stream->data;
    Link *k = sock->link;
    if (!k) return;
    if (len > 0) {
        k->heard_ns = clock_monotonic_ns();
        if (k->tls)
            tls_in(k, buf->base, (size_t)len);
        else
            k->conf.bytes(k->conf.ctx, buf->base, (size_t)len);
    } else if (len < 0) {
        link_drop(k, len == UV_EOF ? "the server closed the connection" : uv_strerror((int)len),
                  false);
    }
}

void link_pause(Link *link, bool paused)
{
    Link *k = link;
    if (!k->sock || k->paused == paused) return;
    k->paused = paused;
    if (paused)
        (void)uv_read_stop((uv_stream_t *)&k->sock->tcp);
    else if (uv_read_start((uv_stream_t *)&k->sock->tcp, on_alloc, on_read))
        link_drop(k, "cannot read", false);
}

void link_tls(Link *link, TlsClient *tls)
{
    link->conf.tls = tls;
}

int64_t link_heard_ns(const Link *link)
{
    return link->heard_ns;
}

/* ---- connecting ---- */

static void on_timeout(void *ctx)
{
    Link *k = ctx;
    link_drop(k, k->resolving ? "the name server does not answer" : "no answer in time", false);
}

void link_accepted(Link *link)
{
    link->accepted = true;
    loop_timer_stop(link->timer);
    link->timer = NULL;
}

static void on_connected(uv_connect_t *request, int status)
{
    Sock *sock = request->data;
    Link *k = sock->link;
    if (!k) return;
    if (status < 0) {
        link_drop(k, uv_strerror(status), false);
        return;
    }
    loop_tcp_tune(&sock->tcp);
    k->heard_ns = clock_monotonic_ns();
    if (uv_read_start((uv_stream_t *)&sock->tcp, on_alloc, on_read)) {
        link_drop(k, "cannot read", false);
        return;
    }
    if (!k->conf.tls) {
        begin(k);
        return;
    }
    k->tls = tls_conn_to(k->conf.tls, k->host, LINK_OUT_BYTES_MAX);
    if (!k->tls)
        link_drop(k, "no memory for TLS", false);
    else
        send_now(sock, tls_conn_wire(k->tls));
}

static void connect_to(Link *k, const struct sockaddr *address)
{
    Sock *sock = mem_zalloc(1, sizeof *sock);
    if (!sock || uv_tcp_init(loop_uv(k->loop), &sock->tcp)) {
        mem_free(sock);
        link_drop(k, "no socket", false);
        return;
    }
    buf_init(&sock->flying, LINK_OUT_BYTES_MAX);
    sock->link = k;
    sock->tcp.data = sock->connect.data = sock;
    k->sock = sock;
    int bad = uv_tcp_connect(&sock->connect, &sock->tcp, address, on_connected);
    if (bad) link_drop(k, uv_strerror(bad), false);
}

static void link_free(Link *k)
{
    buf_done(&k->out);
    mem_free(k);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    Link *k = request->data;
    mem_free(request);
    k->resolving = false;
    if (k->closed)
        link_free(k);
    else if (k->reason[0])
        ; /* given up meanwhile */
    else if (status < 0 || !found)
        link_drop(k, "the host name is not known", false);
    else
        connect_to(k, found->ai_addr);
    uv_freeaddrinfo(found);
}

static void attempt(void *ctx)
{
    Link *k = ctx;
    if (k->resolving || (k->conf.may && !k->conf.may(k->conf.ctx))) {
        timer_set(k, LINK_MAY_MS, attempt);
        return;
    }
    k->reason[0] = '\0';
    timer_set(k, k->conf.connect_timeout_ms, on_timeout);
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (!uv_ip4_addr(k->host, k->conf.port, &four)) {
        connect_to(k, (struct sockaddr *)&four);
        return;
    }
    if (!uv_ip6_addr(k->host, k->conf.port, &six)) {
        connect_to(k, (struct sockaddr *)&six);
        return;
    }
    char port[8];
    (void)snprintf(port, sizeof port, "%u", k->conf.port);
    uv_getaddrinfo_t *request = mem_zalloc(1, sizeof *request);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (request) request->data = k;
    if (!request || uv_getaddrinfo(loop_uv(k->loop), request, on_resolved, k->host, port, &hints)) {
        mem_free(request);
        link_drop(k, "cannot look up the host name", false);
        return;
    }
    k->resolving = true;
}

Status link_open(Loop *loop, const LinkConf *conf, Link **ret_link)
{
    if (!conf->host.len || conf->host.len > 255) return ST_INVALID;
    Link *k = mem_zalloc(1, sizeof *k);
    if (!k) return ST_NO_MEMORY;
    k->loop = loop;
    k->conf = *conf;
    memcpy(k->host, conf->host.ptr, conf->host.len);
    if (!k->conf.connect_timeout_ms) k->conf.connect_timeout_ms = 10000;
    if (!k->conf.backoff_min_ms) k->conf.backoff_min_ms = 500;
    if (!k->conf.backoff_max_ms) k->conf.backoff_max_ms = 30000;
    buf_init(&k->out, LINK_OUT_BYTES_MAX);
    timer_set(k, 0, attempt);
    if (!k->timer) {
        mem_free(k);
        return ST_NO_MEMORY;
    }
    *ret_link = k;
    return ST_OK;
}

void link_close(Link *link)
{
    Link *k = link;
    if (!k) return;
    if (k->up) link_flush(k);
    k->closed = true;
    loop_timer_stop(k->timer);
    k->timer = NULL;
    sock_drop(k);
    if (!k->resolving) link_free(k); /* else when the name server answered */
}
