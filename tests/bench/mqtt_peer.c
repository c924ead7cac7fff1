/* tests/bench/mqtt_peer.c: sockets and packets of the load; see mqtt_peer.h. */
#include "mqtt_peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, IN_BYTES = 256 * 1024, WAIT_S = 60, PACE = 50, READS_MAX = 4 };

int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void fail(const char *text)
{
    (void)fprintf(stderr, "mqtt_load: %s\n", text);
    exit(1);
}

/* ---- the broker's process ---- */

static size_t read_text(const char *path, char *to, size_t room)
{
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(to, 1, room - 1, file) : 0;
    if (file) (void)fclose(file);
    to[len] = '\0';
    return len;
}

/* schedstat counts what a thread ran in nanoseconds; stat gives the same in ticks of 10 ms. */
double broker_cpu_s(const Bench *bench)
{
    char path[320], text[256];
    double ns = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", bench->broker);
    DIR *tasks = opendir(path);
    if (!tasks) fail("the broker's process is gone");
    for (const struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", bench->broker,
                       task->d_name);
        if (read_text(path, text, sizeof text)) ns += strtod(text, NULL);
    }
    (void)closedir(tasks);
    return ns / 1e9;
}

int64_t broker_kib(const Bench *bench, const char *file, const char *key)
{
    char path[64], text[8192];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", bench->broker, file);
    (void)read_text(path, text, sizeof text);
    const char *at = strstr(text, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

/* ---- output ---- */

static char *room(Peer *peer, size_t bytes)
{
    if (peer->out_at == peer->out_len) peer->out_at = peer->out_len = 0;
    if (peer->out_len + bytes > peer->out_cap) {
        peer->out_cap = (peer->out_len + bytes) * 2;
        peer->out = realloc(peer->out, peer->out_cap);
        if (!peer->out) fail("no memory");
    }
    return peer->out + peer->out_len;
}

static char *put_u16(char *to, size_t value)
{
    *to++ = (char)(value >> 8);
    *to++ = (char)value;
    return to;
}

static char *put_head(char *to, int first, size_t rest)
{
    *to++ = (char)first;
    for (; rest > 127; rest >>= 7) *to++ = (char)(rest | 0x80);
    *to++ = (char)rest;
    return to;
}

static char *put_text(char *to, const char *text)
{
    size_t len = strlen(text);
    to = put_u16(to, len);
    memcpy(to, text, len);
    return to + len;
}

static void put_ack(Peer *peer, int first, const char *id)
{
    char *to = room(peer, 4);
    to[0] = (char)first;
    to[1] = 2;
    to[2] = id[0];
    to[3] = id[1];
    peer->out_len += 4;
}

static uint16_t next_id(Peer *peer)
{
    if (!++peer->id) peer->id = 1;
    return peer->id;
}

static void put_connect(Peer *peer)
{
    char id[40];
    int len = snprintf(id, sizeof id, "load-%d-%u", (int)getpid(), peer->number);
    char *to = room(peer, 64);
    to = put_head(to, 0x10, 12 + (size_t)len);
    memcpy(to, "\0\4MQTT\4\2\2\x58", 10); /* clean, keep alive 600 s */
    to = put_text(to + 10, id);
    peer->out_len = (size_t)(to - peer->out);
}

void peer_subscribe(Peer *peer, const char *const *filters, uint32_t count, int qos)
{
    size_t rest = 2;
    for (uint32_t i = 0; i < count; i++) rest += 3 + strlen(filters[i]);
    char *to = put_u16(put_head(room(peer, rest + 5), 0x82, rest), next_id(peer));
    for (uint32_t i = 0; i < count; i++) {
        to = put_text(to, filters[i]);
        *to++ = (char)qos;
    }
    peer->out_len = (size_t)(to - peer->out);
}

void peer_publish(Peer *peer, const char *topic, int qos, bool retain, int64_t stamp_ns,
                  size_t bytes)
{
    size_t rest = 2 + strlen(topic) + (qos ? 2 : 0) + bytes;
    char *to = put_head(room(peer, rest + 5), 0x30 | qos << 1 | retain, rest);
    to = put_text(to, topic);
    if (qos) to = put_u16(to, next_id(peer));
    memcpy(to, &stamp_ns, 8);
    memcpy(to + 8, &peer->number, 4);
    memcpy(to + 12, &peer->next, 4);
    memset(to + STAMP_BYTES, 'x', bytes - STAMP_BYTES);
    peer->next++;
    peer->flight += qos > 0;
    peer->out_len = (size_t)(to + bytes - peer->out);
}

void peer_ping(Peer *peer)
{
    memcpy(room(peer, 2), "\xc0\0", 2);
    peer->out_len += 2;
    peer->flight++;
}

static void want_out(const Bench *bench, Peer *peer, bool want)
{
    struct epoll_event event = {EPOLLIN | (want ? EPOLLOUT : 0u), {.ptr = peer}};
    if (peer->wants_out == want) return;
    peer->wants_out = want;
    (void)epoll_ctl(bench->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

void peer_flush(const Bench *bench, Peer *peer)
{
    while (peer->out_at < peer->out_len) {
        ssize_t sent = write(peer->fd, peer->out + peer->out_at, peer->out_len - peer->out_at);
        if (sent < 0 && errno == EAGAIN) {
            want_out(bench, peer, true);
            return;
        }
        if (sent < 0) fail("the broker closed a connection");
        peer->out_at += (size_t)sent;
    }
    want_out(bench, peer, false);
}

/* ---- input ---- */

static void count_publish(Bench *bench, Peer *peer, int first, const char *body, size_t len)
{
    int qos = first >> 1 & 3;
    size_t topic = (size_t)((unsigned char)body[0] << 8 | (unsigned char)body[1]);
    const char *id = body + 2 + topic, *stamp = id + (qos ? 2 : 0);
    int64_t at_ns;
    uint32_t publisher, number;
    if (2 + topic + 2 + STAMP_BYTES > len + (qos ? 0 : 2)) fail("a message that nobody published");
    memcpy(&at_ns, stamp, 8);
    memcpy(&publisher, stamp + 8, 4);
    memcpy(&number, stamp + 12, 4);
    bench->tally.delivered++;
    bench->tally.other_qos += qos != bench->qos;
    publisher -= (uint32_t)(bench->publishers - bench->peers);
    if (peer->expected && publisher < bench->publisher_count) {
        uint32_t *expected = &peer->expected[publisher];
        if (number < *expected) {
            bench->tally.doubled++; /* or overtaken: then it was counted as lost before */
        } else {
            bench->tally.lost += number - *expected;
            *expected = number + 1;
        }
        bench->publishers[publisher].pending--;
    }
    if (bench->times && at_ns >= bench->times_from_ns && bench->time_count < bench->time_cap)
        bench->times[bench->time_count++] = now_ns() - at_ns;
    if (qos) put_ack(peer, qos == 1 ? 0x40 : 0x50, id);
}

static void take_packet(Bench *bench, Peer *peer, int first, const char *body, size_t len)
{
    switch (first >> 4) {
    case 2:
        if (len < 2 || body[1]) fail("the broker refused a client");
        bench->tally.connected++;
        return;
    case 3: count_publish(bench, peer, first, body, len); return;
    case 5: put_ack(peer, 0x62, body); return;
    case 6: put_ack(peer, 0x70, body); return;
    case 9:
        for (size_t i = 2; i < len; i++)
            if (body[i] != (char)bench->qos) fail("a subscription was granted another QoS");
        bench->tally.subscribed++;
        return;
    default: peer->flight--; bench->tally.answered++;
    }
}

static size_t take_packets(Bench *bench, Peer *peer)
{
    size_t at = 0;
    for (;;) {
        size_t rest = 0, head = 1;
        bool whole = false;
        while (at + head < peer->in_len && head < 5 && !whole) {
            unsigned char byte = (unsigned char)peer->in[at + head];
            rest |= (size_t)(byte & 0x7f) << (7 * (head - 1));
            whole = !(byte & 0x80);
            head++;
        }
        if (!whole || peer->in_len - at < head + rest) return at;
        take_packet(bench, peer, (unsigned char)peer->in[at], peer->in + at + head, rest);
        at += head + rest;
    }
}

static void take(Bench *bench, Peer *peer)
{
    for (uint32_t i = 0; i < READS_MAX; i++) {
        if (peer->in_len + IN_BYTES / 4 > peer->in_cap) {
            peer->in_cap += peer->expected ? IN_BYTES : IN_BYTES / 4;
            peer->in = realloc(peer->in, peer->in_cap);
            if (!peer->in) fail("no memory");
        }
        size_t free_bytes = peer->in_cap - peer->in_len;
        ssize_t got = read(peer->fd, peer->in + peer->in_len, free_bytes);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) fail("the broker closed a connection");
        peer->in_len += (size_t)got;
        size_t used = take_packets(bench, peer);
        peer->in_len -= used;
        if (used) memmove(peer->in, peer->in + used, peer->in_len);
        if ((size_t)got < free_bytes) return;
    }
}

void bench_turn(Bench *bench, int timeout_ms)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(bench->epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        Peer *peer = events[i].data.ptr;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(bench, peer);
        if (peer->out_at < peer->out_len || events[i].events & EPOLLOUT) peer_flush(bench, peer);
    }
}

void bench_wait(Bench *bench, const uint64_t *counter, uint64_t value, const char *what)
{
    int64_t until = now_ns() + WAIT_S * 1000000000LL;
    while (*counter < value) {
        if (now_ns() > until) fail(what);
        bench_turn(bench, 10);
    }
}

/* ---- connections ---- */

void bench_open(Bench *bench, uint32_t peer_count)
{
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    bench->epoll = epoll_create1(EPOLL_CLOEXEC);
    bench->peers = calloc(peer_count, sizeof *bench->peers);
    bench->peer_count = peer_count;
    if (bench->epoll < 0 || !bench->peers) fail("no memory");
}

static void dial(const Bench *bench, Peer *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(bench->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {EPOLLIN | EPOLLOUT, {.ptr = peer}};
    int one = 1;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) fail("no more sockets: raise the limit of open files");
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(peer->fd, (struct sockaddr *)&at, sizeof at) && errno != EINPROGRESS)
        fail("cannot connect");
    peer->wants_out = true;
    (void)epoll_ctl(bench->epoll, EPOLL_CTL_ADD, peer->fd, &event);
    put_connect(peer);
}

void bench_connect(Bench *bench, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        bench->peers[i].number = i;
        dial(bench, &bench->peers[i]);
        if (i % PACE == PACE - 1 || i + 1 == to)
            bench_wait(bench, &bench->tally.connected, i + 1, "clients were not let in");
    }
}
