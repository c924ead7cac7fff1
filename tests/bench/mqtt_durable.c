/* tests/bench/mqtt_durable.c: how fast a broker acknowledges what it has to keep.
 *
 *   mqtt_durable -p PORT [-P 10] [-q 1] [-w 100] [-d 5] [-s 200] [-D 1] [-n] [-R PID]
 *   mqtt_durable ... -R PID -k FILE      ends with kill -9 of PID; FILE: how many were acknowledged
 *   mqtt_durable -p PORT -c FILE         and afterwards: is all of it there, once and in order?
 *
 * -P publishers, each with -w unanswered at most, to load/0, load/1 ...; -D durable subscribers of
 * load/# that are away meanwhile, so every message has to be stored for each; -n payloads are
 * numbers (a namespace keeps them as history) instead of -s bytes. Prints acknowledged messages a
 * second, the time from PUBLISH to acknowledgement, and the CPU time of the process -R. Then each
 * subscriber comes back and everything acknowledged must arrive, in order of its publisher, once.
 * With -k payloads are numbers, and those of load/0 are retained. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PUBLISHERS_MAX = 1000,
    WINDOW_MAX = 10000,
    IN_BYTES = 1 << 16,
    TIMES_MAX = 4000000,
    DRAIN_S = 20,
};

typedef struct Client {
    int fd;
    char in[IN_BYTES], out[IN_BYTES];
    size_t in_len, out_len;
    uint32_t next, acked, flight;
    int64_t sent_ns[65536]; /* by packet identifier */
} Client;

static struct {
    uint16_t port;
    int publishers, qos, window, seconds, bytes, durable, pid;
    bool numbers;
    const char *kill, *check; /* files */
} want = {1883, 10, 1, 100, 5, 200, 1, 0, false, NULL, NULL};
static Client *clients;
static int64_t *times;
static size_t time_count;

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double cpu_of(int pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid ? fopen(path, "r") : NULL;
    if (!file) return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    if (at)
        (void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void fail(const char *text)
{
    (void)fprintf(stderr, "mqtt_durable: %s\n", text);
    exit(1);
}

static void send_all(int fd, const void *bytes, size_t len)
{
    for (const char *at = bytes; len;) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) fail("the broker closed");
        at += sent;
        len -= (size_t)sent;
    }
}

static int hello(const char *id, bool clean)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(want.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned char packet[64] = "\x10\0\0\4MQTT\4\0\x02\x58\0";
    size_t len = strlen(id);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at)) fail("cannot connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    packet[1] = (unsigned char)(12 + len);
    packet[9] = clean ? 2 : 0;
    packet[13] = (unsigned char)len;
    memcpy(packet + 14, id, len);
    send_all(fd, packet, 14 + len);
    if (recv(fd, packet, 4, MSG_WAITALL) != 4 || packet[3]) fail("refused");
    return fd;
}

static int subscriber(int number, bool subscribe)
{
    char id[24], answer[5];
    (void)snprintf(id, sizeof id, "load-sub%d", number);
    int fd = hello(id, false);
    unsigned char packet[] = "\x82\x0b\0\1\0\6load/#\0";
    packet[12] = (unsigned char)want.qos;
    if (!subscribe) return fd;
    send_all(fd, packet, 13);
    if (recv(fd, answer, 5, MSG_WAITALL) != 5) fail("not subscribed");
    send_all(fd, "\xe0\0", 2);
    (void)close(fd);
    return -1;
}

static size_t put_publish(char *to, int publisher, uint32_t number, uint16_t id)
{
    static char filler[32768];
    char topic[24], text[16];
    int topic_len = snprintf(topic, sizeof topic, "load/%d", publisher);
    int text_len = snprintf(text, sizeof text, want.numbers ? "%u" : "%010u", number);
    size_t body = want.numbers ? (size_t)text_len : (size_t)want.bytes;
    size_t rest = 2 + (size_t)topic_len + 2 + body, len = 0;
    to[len++] = (char)(0x30 | want.qos << 1 | (want.kill && publisher == 0));
    for (; rest > 127; rest >>= 7) to[len++] = (char)(rest | 0x80);
    to[len++] = (char)rest;
    to[len++] = 0;
    to[len++] = (char)topic_len;
    memcpy(to + len, topic, (size_t)topic_len);
    len += (size_t)topic_len;
    to[len++] = (char)(id >> 8);
    to[len++] = (char)id;
    memcpy(to + len, filler, body);
    memcpy(to + len, text, (size_t)text_len < body ? (size_t)text_len : body);
    return len + body;
}

static void fill(Client *c, int publisher, int64_t now)
{
    while (c->flight < (uint32_t)want.window &&
           c->out_len + (size_t)want.bytes + 64 < sizeof c->out) {
        uint16_t id = (uint16_t)(c->next % 65535 + 1);
        c->sent_ns[id] = now;
        c->out_len += put_publish(c->out + c->out_len, publisher, c->next++, id);
        c->flight++;
    }
}

static void flush(Client *c)
{
    ssize_t sent = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (sent < 0 && errno != EAGAIN) fail("the broker closed");
    if (sent <= 0) return;
    c->out_len -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_len);
}

static void take_acks(Client *c, size_t got, int64_t now)
{
    size_t at = 0;
    c->in_len += got;
    for (; at + 4 <= c->in_len; at += 4) {
        const unsigned char *packet = (unsigned char *)c->in + at;
        uint16_t id = (uint16_t)(packet[2] << 8 | packet[3]);
        if (packet[0] == 0x50) { /* PUBREC */
            const char rel[4] = {0x62, 2, (char)(id >> 8), (char)id};
            memcpy(c->out + c->out_len, rel, 4);
            c->out_len += 4;
            continue;
        }
        if (time_count < TIMES_MAX) times[time_count++] = now - c->sent_ns[id];
        c->acked++;
        c->flight--;
    }
    c->in_len -= at;
    memmove(c->in, c->in + at, c->in_len);
}

static void take(Client *c, int64_t now)
{
    ssize_t got = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) fail("the broker closed");
    if (got > 0) take_acks(c, (size_t)got, now);
}

/* What it acknowledged before it died may still be on the way. */
static void end_broker(void)
{
    if (kill(want.pid, SIGKILL)) fail("no such process");
    FILE *file = fopen(want.kill, "w");
    if (!file) fail("cannot write the file");
    for (int i = 0; i < want.publishers; i++) {
        Client *c = &clients[i];
        for (ssize_t got; (got = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0)) > 0;)
            take_acks(c, (size_t)got, now_ns());
        (void)fprintf(file, "%u\n", c->acked);
    }
    if (fclose(file)) fail("cannot write the file");
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static uint64_t load(void)
{
    struct pollfd *polls = calloc((size_t)want.publishers, sizeof *polls);
    if (!polls) fail("no memory");
    int64_t begin = now_ns(), end = begin + want.seconds * 1000000000LL;
    double cpu = cpu_of(want.pid);
    for (uint64_t open = 1; open;) {
        int64_t now = now_ns();
        if (want.kill && now >= end) break;
        open = 0;
        for (int i = 0; i < want.publishers; i++) {
            if (now < end) fill(&clients[i], i, now);
            flush(&clients[i]);
            polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
            if (clients[i].out_len) polls[i].events |= POLLOUT;
            open += clients[i].flight;
        }
        if (!open || poll(polls, (nfds_t)want.publishers, 20000) <= 0) break;
        now = now_ns();
        for (int i = 0; i < want.publishers; i++)
            if (polls[i].revents & POLLIN) take(&clients[i], now);
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    uint64_t acked = 0;
    cpu = cpu_of(want.pid) - cpu;
    if (want.kill) end_broker();
    for (int i = 0; i < want.publishers; i++) acked += clients[i].acked;
    qsort(times, time_count, sizeof *times, by_value);
    printf("%d publishers qos %d window %d, %d durable: %.0f acknowledged/s", want.publishers,
           want.qos, want.window, want.durable, (double)acked / seconds);
    if (time_count)
        printf(", answered in %.2f ms (99 %%: %.2f)", (double)times[time_count / 2] / 1e6,
               (double)times[time_count * 99 / 100] / 1e6);
    if (want.pid) printf(", broker %.2f us of CPU a message", cpu * 1e6 / (double)acked);
    printf("\n");
    free(polls);
    return acked;
}

/* One PUBLISH of the drain; returns whether it was the next of its publisher. */
static bool is_next(const unsigned char *body, size_t len, uint32_t *expected)
{
    int topic = body[0] << 8 | body[1];
    char text[11] = {0};
    if (topic < 6 || topic > 10) return false;
    memcpy(text, body + 2 + 5, (size_t)topic - 5);
    int publisher = (int)strtol(text, NULL, 10);
    memset(text, 0, sizeof text);
    size_t digits = len - 4 - (size_t)topic;
    memcpy(text, body + 2 + topic + 2, digits < 10 ? digits : 10);
    uint32_t number = (uint32_t)strtoul(text, NULL, 10);
    if (publisher >= want.publishers || number != expected[publisher]) return false;
    expected[publisher]++;
    return true;
}

/* Until `count` came, or (count 0) as many of each publisher as `least` says. */
static bool drained(uint64_t finished, uint64_t count, const uint32_t *expected,
                    const uint32_t *least)
{
    if (count) return finished >= count;
    for (int i = 0; i < want.publishers; i++)
        if (expected[i] < least[i]) return false;
    return true;
}

static void drain(int number, uint64_t count, const uint32_t *least)
{
    static unsigned char in[1 << 20];
    uint32_t expected[PUBLISHERS_MAX] = {0};
    size_t len = 0;
    uint64_t got = 0, wrong = 0, finished = 0;
    int64_t begin = now_ns();
    int fd = subscriber(number, false);
    struct timeval patience = {DRAIN_S, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (!drained(finished, count, expected, least)) {
        ssize_t more = recv(fd, in + len, sizeof in - len, 0);
        if (more <= 0) fail("acknowledged messages are missing, or the broker closed");
        len += (size_t)more;
        static unsigned char acks[1 << 20];
        size_t at = 0, ack_len = 0;
        while (len - at >= 4) {
            size_t rest = 0, head = 1;
            do rest |= (size_t)(in[at + head] & 0x7f) << (7 * (head - 1));
            while (in[at + head++] & 0x80);
            if (head + rest > len - at) break;
            const unsigned char *body = in + at + head, *id = body;
            unsigned char answer = 0x70; /* to a PUBREL */
            if (in[at] >> 4 == 3) {
                wrong += !is_next(body, rest, expected);
                got++;
                id = body + 2 + (body[0] << 8 | body[1]);
                answer = want.qos == 1 ? 0x40 : 0x50;
            }
            finished += answer != 0x50;
            const unsigned char packet[4] = {answer, 2, id[0], id[1]};
            memcpy(acks + ack_len, packet, 4);
            ack_len += 4;
            at += head + rest;
        }
        send_all(fd, acks, ack_len);
        len -= at;
        memmove(in, in + at, len);
    }
    (void)close(fd);
    double seconds = (double)(now_ns() - begin) / 1e9;
    printf("  subscriber %d: %llu in %.2f s (%.0f/s), %llu out of order, lost or doubled\n", number,
           (unsigned long long)got, seconds, (double)got / seconds, (unsigned long long)wrong);
    if (wrong) exit(1);
}

/* What is retained of load/0 is the last acknowledged one or a later one. */
static void check_retained(uint32_t acked)
{
    static const char subscribe[] = "\x82\x0b\0\1\0\6load/0\0";
    char in[64] = {0};
    int fd = hello("load-retained", true);
    send_all(fd, subscribe, sizeof subscribe - 1);
    size_t len = 0;
    while (len < 7 || len < 7 + (size_t)(unsigned char)in[6]) { /* SUBACK, then PUBLISH */
        ssize_t got = recv(fd, in + len, sizeof in - 1 - len, 0);
        if (got <= 0) fail("nothing is retained");
        len += (size_t)got;
    }
    in[7 + (unsigned char)in[6]] = '\0';
    unsigned long value = strtoul(in + 7 + 2 + 6, NULL, 10);
    printf("  retained: %lu, acknowledged: %u\n", value, acked);
    if (in[5] != 0x31 || value + 1 < acked) fail("an acknowledged retained message is lost");
    (void)close(fd);
}

static void check_all(void)
{
    uint32_t least[PUBLISHERS_MAX] = {0};
    FILE *file = fopen(want.check, "r");
    char line[32];
    if (!file) fail("cannot read the file");
    for (want.publishers = 0; want.publishers < PUBLISHERS_MAX && fgets(line, sizeof line, file);)
        least[want.publishers++] = (uint32_t)strtoul(line, NULL, 10);
    (void)fclose(file);
    drain(0, 0, least);
    check_retained(least[0]);
}

int main(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "p:P:q:w:d:s:D:R:nk:c:")) != -1;) {
        int value = optarg ? (int)strtol(optarg, NULL, 10) : 0;
        switch (o) {
        case 'p': want.port = (uint16_t)value; break;
        case 'P': want.publishers = value; break;
        case 'q': want.qos = value; break;
        case 'w': want.window = value; break;
        case 'd': want.seconds = value; break;
        case 's': want.bytes = value; break;
        case 'D': want.durable = value; break;
        case 'R': want.pid = value; break;
        case 'n': want.numbers = true; break;
        case 'k':
            want.kill = optarg;
            want.numbers = true;
            break;
        case 'c': want.check = optarg; break;
        default: fail("see the head of its source");
        }
    }
    if (want.publishers < 1 || want.publishers > PUBLISHERS_MAX || want.window < 1 ||
        want.window > WINDOW_MAX || want.bytes < 10 || want.bytes > 32768 || want.qos < 1 ||
        want.qos > 2)
        fail("a number is out of its range");
    clients = calloc((size_t)want.publishers, sizeof *clients);
    times = calloc(TIMES_MAX, sizeof *times);
    if (!clients || !times) fail("no memory");
    if (want.check) {
        check_all();
        return 0;
    }
    for (int i = 0; i < want.durable; i++) (void)subscriber(i, true);
    for (int i = 0; i < want.publishers; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "load-pub%d", i);
        clients[i].fd = hello(id, true);
    }
    uint64_t acked = load();
    for (int i = 0; i < want.durable && !want.numbers; i++) drain(i, acked, NULL);
    free(clients);
    free(times);
    return 0;
}
