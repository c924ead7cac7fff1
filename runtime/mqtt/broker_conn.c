/* runtime/mqtt/broker_conn.c: bytes in, bytes out, and the end of connections.
 *
 * Output is collected per connection and written once per loop turn by the prepare handle; what the
 * socket does not take flies in one uv_write at a time. A connection is only marked when it has to
 * end; the same handle later detaches its session, flushes and frees it, so nobody up the stack
 * holds a dead pointer. */
#include "mqtt/broker_int.h"

#include "base/mem.h"

enum { CLOSE_WAIT_S = 5, LINGER_S = 2, PARTIAL_GRACE_S = 30, OUT_BYTES_MAX = 300 * 1024 * 1024 };

Conn *mqtt__conn_new(MqttBroker *b)
{
    Conn *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    c->broker = b;
    c->serial = ++b->serial;
    c->version = 4;
    c->opened_ns = c->heard_ns = c->progress_ns = clock_monotonic_ns();
    buf_init(&c->in, (size_t)b->conf.packet_bytes_max + 2 * READ_BYTES);
    buf_init(&c->out, OUT_BYTES_MAX);
    buf_init(&c->flying, OUT_BYTES_MAX);
    c->prev = b->last;
    if (c->prev)
        c->prev->next = c;
    else
        b->first = c;
    b->last = c;
    b->conn_count++;
    b->new_count++;
    b->stats.connections_now++;
    mqtt__tick_start(b);
    return c;
}

static void conn_free(Conn *c)
{
    MqttBroker *b = c->broker;
    if (c->prev)
        c->prev->next = c->next;
    else
        b->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        b->last = c->prev;
    for (Conn **link = &b->dirty; *link; link = &(*link)->dirty_next)
        if (*link == c) {
            *link = c->dirty_next;
            break;
        }
    mqtt__keep_ungate(c);
    for (uint32_t i = 0; c->alias_in && i < b->conf.topic_alias_max; i++) mem_free(c->alias_in[i]);
    mem_free(c->alias_in);
    mem_free(c->alias_in_bytes);
    mem_free(c->alias_out);
    mqtt__step_free(c);
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->flying);
    tls_conn_free(c->tls);
    if (c->held) b->held_count--;
    b->conn_count--;
    b->stats.connections_now--;
    mem_free(c);
}

void mqtt__conn_dirty(Conn *c)
{
    if (c->dirty) return;
    c->dirty = true;
    c->dirty_next = c->broker->dirty;
    c->broker->dirty = c;
}

bool mqtt__conn_congested(const Conn *c)
{
    return c->out.len + c->flying.len + c->carried > OUT_HIGH_BYTES;
}

void mqtt__conn_close(Conn *c)
{
    if (c->state == CONN_CLOSING) return;
    if (c->state != CONN_OPEN) c->broker->new_count--;
    c->state = CONN_CLOSING;
    c->progress_ns = clock_monotonic_ns();
    mqtt__conn_dirty(c);
}

void mqtt__conn_fail(Conn *c, MqttReason reason)
{
    if (c->state == CONN_OPEN && c->version == 5) {
        mqtt_put_disconnect(&c->out, 5, (uint8_t)reason, STR_NONE);
        c->linger = true;
    }
    mqtt__conn_close(c);
}

/* Reasons not to look at more input now. */
static bool blocked(const Conn *c)
{
    if (c->state == CONN_CLOSING || c->state == CONN_AUTH || c->held) return true;
    if (c->broker->quiet) return true;
    /* Two brokers that wait for each other to read would wait for ever; what a bridge brings in
     * costs no more output than acknowledgements. */
    if (!c->own && c->out.len + c->flying.len + c->carried > OUT_STOP_BYTES) return true;
    const Session *s = c->session;
    return s && c->version < 5 && s->pending_count >= c->broker->conf.receive_max;
}

static void parse_failed(Conn *c, MqttFrame frame)
{
    c->broker->stats.protocol_errors++;
    mqtt__conn_fail(c, frame == MQTT_FRAME_BAD ? MQTT_RC_MALFORMED : MQTT_RC_TOO_LARGE);
}

/* Handles whole packets from the front; returns the bytes used. */
static size_t parse(Conn *c, const char *bytes, size_t len)
{
    MqttBroker *b = c->broker;
    size_t used = 0;
    while (used < len && !blocked(c)) {
        Str rest = str_slice(bytes + used, len - used);
        size_t head, whole;
        bool fresh = c->state == CONN_NEW;
        if (fresh && (uint8_t)rest.ptr[0] >> 4 != MQTT_CONNECT) {
            b->stats.protocol_errors++;
            mqtt__conn_close(c);
            return len;
        }
        bool unknown = fresh || c->state == CONN_STEP;
        uint32_t max = unknown ? b->conf.connect_bytes_max : b->conf.packet_bytes_max;
        MqttFrame frame = mqtt_frame(rest, max, &head, &whole);
        if (frame == MQTT_FRAME_MORE) break;
        if (frame != MQTT_FRAME_WHOLE) {
            parse_failed(c, frame);
            return len;
        }
        b->must_hold = false;
        mqtt__handle(c, str_slice(rest.ptr, whole), head);
        used += whole;
        if (b->must_hold && !c->held && c->state == CONN_OPEN) {
            c->held = true;
            b->held_count++;
        }
        b->must_hold = false;
    }
    return used;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    Conn *c = handle->data;
    *buf = uv_buf_init(c->broker->read_buf, READ_BYTES);
}

/* Whoever lets it go on may have no other reason to look at what was kept. */
static void pause_set(Conn *c)
{
    bool want = blocked(c) && c->state != CONN_CLOSING;
    if (c->paused == want || c->state == CONN_CLOSING) return;
    c->paused = want;
    if (!want && c->in.len) mqtt__conn_resume(c); /* what was kept comes before what is read */
    if (c->ops) {
        if (c->ops->pause) c->ops->pause(c->ops_ctx, want);
    } else if (c->tcp_used) {
        if (want)
            (void)uv_read_stop((uv_stream_t *)&c->tcp);
        else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read))
            mqtt__conn_close(c);
    }
}

static void keep_rest(Conn *c, const char *bytes, size_t len)
{
    bool had = c->in.len > 0;
    buf_add(&c->in, bytes, len);
    if (c->in.failed) mqtt__conn_fail(c, MQTT_RC_TOO_LARGE);
    if (len && !had) c->partial_ns = c->heard_ns;
}

/* Works off what was kept. The buffer is taken out of the connection meanwhile. */
static void parse_kept(Conn *c)
{
    if (!c->in.len || blocked(c)) return;
    c->broker->wall_ns = clock_wall_ns();
    Buf kept = c->in;
    buf_init(&c->in, kept.max_bytes);
    size_t used = parse(c, kept.ptr, kept.len);
    if (used < kept.len && c->state != CONN_CLOSING) {
        if (c->in.len) {
            keep_rest(c, kept.ptr + used, kept.len - used);
        } else {
            if (used) c->partial_ns = c->heard_ns;
            buf_consume(&kept, used);
            buf_done(&c->in); /* a CONNECT lay there for a while */
            c->in = kept;
            return;
        }
    }
    if (!c->in.ptr && kept.cap <= READ_BYTES) {
        buf_clear(&kept);
        c->in = kept;
    } else
        buf_done(&kept);
}

void mqtt__conn_input(Conn *c, const char *bytes, size_t len)
{
    if (c->state == CONN_CLOSING) return;
    c->heard_ns = clock_monotonic_ns();
    c->broker->wall_ns = clock_wall_ns();
    if (c->in.len || blocked(c)) {
        keep_rest(c, bytes, len);
        parse_kept(c);
    } else {
        size_t used = parse(c, bytes, len);
        if (used < len && c->state != CONN_CLOSING) keep_rest(c, bytes + used, len - used);
    }
    pause_set(c);
    if (c->out.len) mqtt__conn_dirty(c);
}

void mqtt__conn_resume(Conn *c)
{
    c->hurry = true;
    mqtt__conn_dirty(c);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    conn_free(handle->data);
}

void mqtt__conn_force(Conn *c)
{
    mqtt__conn_close(c);
    buf_clear(&c->out);
    mqtt__keep_written(c, SIZE_MAX);
    if (c->tcp_used && !c->closing_tcp) {
        c->closing_tcp = true;
        if (c->session) mqtt__session_detach(c);
        uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
    }
}

static void on_written(uv_write_t *write, int status)
{
    Conn *c = write->data;
    c->writing = false;
    buf_clear(&c->flying);
    if (c->flying.cap > OUT_STOP_BYTES) buf_done(&c->flying);
    if (c->closing_tcp) return;
    c->progress_ns = clock_monotonic_ns();
    if (status < 0) {
        buf_clear(&c->out);
        mqtt__conn_close(c);
    }
    c->hurry = true;
    mqtt__conn_dirty(c);
}

static void fly(Conn *c)
{
    uv_buf_t buf = uv_buf_init(c->flying.ptr, (unsigned)c->flying.len);
    c->write.data = c;
    c->writing = true;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written)) {
        c->writing = false;
        buf_clear(&c->flying);
        mqtt__conn_close(c);
    }
}

static void out_taken(Conn *c, size_t bytes)
{
    mqtt__keep_written(c, bytes);
    if (bytes == c->out.len)
        buf_clear(&c->out);
    else
        buf_consume(&c->out, bytes);
}

/* Writes what it can of the first `ready` bytes of `from` now; the rest of them flies. */
static void write_tcp(Conn *c, Buf *from, size_t ready)
{
    uv_buf_t buf = uv_buf_init(from->ptr, (unsigned)ready);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        buf_clear(from);
        mqtt__conn_close(c);
        return;
    }
    if (sent > 0) c->progress_ns = clock_monotonic_ns();
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done < ready && ready == from->len) {
        Buf free_one = c->flying;
        c->flying = *from;
        *from = free_one;
        buf_clear(from);
        buf_consume(&c->flying, done);
        if (from == &c->out) mqtt__keep_written(c, ready);
        fly(c);
        return;
    }
    if (done < ready) buf_add(&c->flying, from->ptr + done, ready - done);
    if (from == &c->out)
        out_taken(c, ready); /* what is behind it waits for the disk */
    else
        buf_clear(from);
    if (c->flying.len) fly(c);
}

static void write_out(Conn *c)
{
    if (c->out.failed) {
        mqtt__conn_close(c);
        buf_clear(&c->out);
    }
    Buf *from = &c->out;
    size_t ready = mqtt__keep_writable(c);
    if (c->tls) {
        if (c->writing) return;
        if (ready && tls_conn_output(c->tls, c->out.ptr, ready)) mqtt__conn_close(c);
        out_taken(c, ready);
        from = tls_conn_wire(c->tls);
        ready = from->len;
    }
    if (!ready) return;
    if (c->ops) {
        c->carried = c->ops->write(c->ops_ctx, c->out.ptr, ready);
        out_taken(c, ready);
        c->progress_ns = clock_monotonic_ns();
    } else if (c->tcp_used && !c->closing_tcp) {
        if (!c->writing) write_tcp(c, from, ready);
    } else
        buf_clear(&c->out);
    if (!c->out.len && c->out.cap > OUT_STOP_BYTES) buf_done(&c->out);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status; /* the end comes with the peer's FIN, or with the tick */
}

/* Closing a socket with unread input resets it, and the peer may lose the DISCONNECT that says why.
 * So: our FIN, then read and forget until the peer's, at most LINGER_S. */
static bool linger(Conn *c)
{
    if (c->shut) return true;
    c->shut = true;
    c->progress_ns = clock_monotonic_ns();
    (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    return uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) == 0;
}

void mqtt__conn_flush(Conn *c)
{
    if (c->closing_tcp) return;
    if (c->hurry && c->state != CONN_CLOSING) {
        c->hurry = false;
        parse_kept(c);
        pause_set(c);
    }
    write_out(c);
    if (c->state == CONN_OPEN && !c->writing && c->session) {
        mqtt__pump(c->session);
        if (c->out.len) write_out(c);
    }
    if (c->state == CONN_OPEN) pause_set(c);
    if (c->state != CONN_CLOSING) return;
    if (c->session) mqtt__session_detach(c);
    write_out(c);
    if (c->tls && !c->writing && !c->out.len) {
        if (!c->shut) tls_conn_end(c->tls);
        write_out(c);
    }
    if (c->writing || c->out.len) return;
    if (c->tcp_used) {
        if (!c->linger || !linger(c)) mqtt__conn_force(c);
        return;
    }
    if (c->ops) c->ops->close(c->ops_ctx);
    conn_free(c);
}

static void on_plain(void *ctx, const char *bytes, size_t len)
{
    mqtt__conn_input(ctx, bytes, len);
}

static void input_tls(Conn *c, const char *bytes, size_t len)
{
    Status st = tls_conn_input(c->tls, bytes, len, on_plain, c);
    if (tls_conn_wire(c->tls)->len) mqtt__conn_dirty(c);
    if (!st) return;
    if (st != ST_UNAVAILABLE && c->state != CONN_CLOSING) {
        c->broker->stats.protocol_errors++;
        log_warn(c->broker->log, "mqtt", "TLS with a client failed", "address=%s error=%s",
                 c->address, tls_conn_error(c->tls));
    }
    mqtt__conn_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    Conn *c = stream->data;
    if (len > 0 && c->tls) {
        input_tls(c, buf->base, (size_t)len);
    } else if (len > 0) {
        mqtt__conn_input(c, buf->base, (size_t)len);
    } else if (len < 0) {
        (void)uv_read_stop(stream);
        if (c->shut)
            mqtt__conn_force(c);
        else
            mqtt__conn_close(c);
    }
}

static bool is_loopback(const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static void peer_name(Conn *c)
{
    struct sockaddr_storage peer = {0};
    int len = sizeof peer;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &len)) return;
    c->loopback = is_loopback(&peer);
    if (peer.ss_family == AF_INET)
        (void)uv_ip4_name((struct sockaddr_in *)&peer, c->address, sizeof c->address);
    else
        (void)uv_ip6_name((struct sockaddr_in6 *)&peer, c->address, sizeof c->address);
}

/* One too many that did not say who it is: the oldest of them gives way, so that a crowd of silent
 * connections cannot keep others out. */
static void oldest_unknown_drop(MqttBroker *b)
{
    for (Conn *c = b->first; c; c = c->next)
        if (c->state == CONN_NEW || c->state == CONN_AUTH || c->state == CONN_STEP) {
            b->stats.refused_limit++;
            mqtt__conn_force(c);
            return;
        }
}

void mqtt__on_listen(uv_stream_t *server, int status)
{
    Listener *listener = server->data;
    MqttBroker *b = listener->broker;
    if (status || b->closing || b->quiet) return;
    if (b->new_count >= b->conf.unauthenticated_max) oldest_unknown_drop(b);
    Conn *c = mqtt__conn_new(b);
    if (!c) return;
    if (uv_tcp_init(server->loop, &c->tcp)) {
        mqtt__conn_close(c);
        return;
    }
    c->tcp.data = c;
    c->tcp_used = true;
    bool full = b->conn_count > b->conf.connections_max;
    if (uv_accept(server, (uv_stream_t *)&c->tcp) || full) {
        b->stats.refused_limit += full;
        mqtt__conn_force(c);
        return;
    }
    if (listener->tls) {
        c->tls = tls_conn_new(listener->tls, OUT_BYTES_MAX);
        if (!c->tls) {
            mqtt__conn_force(c);
            return;
        }
    }
    loop_tcp_tune(&c->tcp);
    peer_name(c);
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read)) mqtt__conn_force(c);
}

Status mqtt_broker_accept_stream(MqttBroker *broker, const MqttStreamOps *ops, void *ctx,
                                 Str address, bool loopback, MqttStream **ret_stream)
{
    if (broker->closing || broker->quiet) return ST_UNAVAILABLE;
    if (broker->conn_count >= broker->conf.connections_max) {
        broker->stats.refused_limit++;
        return ST_LIMIT;
    }
    Conn *c = mqtt__conn_new(broker);
    if (!c) return ST_NO_MEMORY;
    c->ops = ops;
    c->ops_ctx = ctx;
    c->websocket = true;
    c->loopback = loopback;
    size_t len = address.len < sizeof c->address - 1 ? address.len : sizeof c->address - 1;
    if (len) memcpy(c->address, address.ptr, len);
    *ret_stream = c;
    return ST_OK;
}

void mqtt_stream_feed(MqttStream *stream, const void *bytes, size_t len)
{
    mqtt__conn_input(stream, bytes, len);
}

void mqtt_stream_writable(MqttStream *stream)
{
    stream->carried = 0;
    mqtt__conn_resume(stream);
}

void mqtt_stream_closed(MqttStream *stream)
{
    stream->ops = NULL;
    mqtt__conn_close(stream);
    mqtt__conn_dirty(stream);
}

static void conn_tick(Conn *c, int64_t now)
{
    const MqttBrokerConf *conf = &c->broker->conf;
    if (c->state == CONN_CLOSING) {
        if (now - c->progress_ns > (c->shut ? LINGER_S : CLOSE_WAIT_S) * NS_PER_S)
            mqtt__conn_force(c);
        return;
    }
    if (c->state == CONN_AUTH) return; /* we think: the client has done its part */
    if (c->state != CONN_OPEN) {
        if (now - c->opened_ns > conf->connect_timeout_ms * NS_PER_MS) mqtt__conn_force(c);
        return;
    }
    bool stalled = c->writing && now - c->progress_ns > conf->stalled_ms * NS_PER_MS;
    int64_t partial = c->in.len && !c->paused ? now - c->partial_ns : 0;
    bool trickle =
        partial > PARTIAL_GRACE_S * NS_PER_S && (int64_t)c->in.len * 10 < partial / NS_PER_S * 1024;
    if (stalled || trickle) {
        mqtt__conn_force(c);
        return;
    }
    if (c->keep_alive_ns && !c->paused &&
        now - c->heard_ns > c->keep_alive_ns + c->keep_alive_ns / 2)
        mqtt__conn_fail(c, MQTT_RC_KEEP_ALIVE);
}

void mqtt__conns_tick(MqttBroker *b, int64_t now_ns)
{
    for (Conn *c = b->first, *next; c; c = next) {
        next = c->next;
        conn_tick(c, now_ns);
    }
}
