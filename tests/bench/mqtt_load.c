/* tests/bench/mqtt_load.c: what a broker spends on the same work, whichever broker it is.
 *
 *   mqtt_load fan -p PORT -R PID -P 50 -S 1 -q 0 -s 64 -n 200000 -w 100
 *       -P publishers to b/0, b/1 ..., -S subscribers of b/+. At most -w messages of a publisher
 * are unanswered, and at most -w are on their way to each subscriber, so no queue limit is met. -n
 * deliveries are measured after a quarter as many; all must come, once and in order. mqtt_load fan
 * ... -r RATE -d SECONDS RATE messages a second whatever comes back: latency, from the time a
 * message was due. mqtt_load idle -p PORT -R PID -n 10000      memory of connections that say
 * nothing mqtt_load retain -p PORT -R PID -n 100000 -s 64 -w 100 -q 1    retained topics, and their
 * replay mqtt_load wild -p PORT -R PID -n 10000 -P 100 -m 100000        wildcard filters, of -P
 * clients
 *
 *   mqtt_load fan ... -T PORT    subscribers are at that port: of another broker, over a bridge
 *
 * -R is the broker's process, whose CPU time and memory are counted. Prints one line of JSON. */
#include "mqtt_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    SECONDS_MAX = 20,
    STALL_S = 20,
    SETTLE_STEPS_MAX = 20,
    BURST = 256,
    OUT_HIGH = 65536,
    TOPIC_BYTES = 64
};

static struct {
    uint32_t publishers, subscribers, messages;
    uint64_t count;
    int64_t window;
    double rate, seconds;
    size_t bytes;
    uint16_t subscriber_port; /* 0: the same */
} want = {1, 1, 100000, 200000, 100, 0, 5, 64, 0};
static Bench bench;

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* True as long as deliveries come. */
static bool goes_on(void)
{
    static uint64_t seen;
    static int64_t seen_ns;
    uint64_t progress = bench.tally.delivered + bench.tally.answered;
    int64_t now = now_ns();
    if (progress != seen || !seen_ns) {
        seen = progress;
        seen_ns = now;
    }
    return now - seen_ns < STALL_S * 1000000000LL;
}

/* ---- fan-in, fan-out ---- */

static void fan_open(void)
{
    static const char *const filter[] = {"b/+"};
    bench_open(&bench, want.subscribers + want.publishers);
    bench.publishers = bench.peers + want.subscribers;
    bench.publisher_count = want.publishers;
    uint16_t port = bench.port;
    if (want.subscriber_port) bench.port = want.subscriber_port;
    bench_connect(&bench, 0, want.subscribers);
    bench.port = port;
    for (uint32_t i = 0; i < want.subscribers; i++) {
        Peer *peer = &bench.peers[i];
        peer->expected = calloc(want.publishers, sizeof *peer->expected);
        if (!peer->expected) fail("no memory");
        peer_subscribe(peer, filter, 1, bench.qos);
        peer_flush(&bench, peer);
    }
    bench_wait(&bench, &bench.tally.subscribed, want.subscribers, "no answer to a subscription");
    bench_connect(&bench, want.subscribers, bench.peer_count);
}

static void fan_publish(uint32_t publisher, int64_t stamp_ns)
{
    char topic[TOPIC_BYTES];
    Peer *peer = &bench.publishers[publisher];
    (void)snprintf(topic, sizeof topic, "b/%u", publisher);
    peer_publish(peer, topic, bench.qos, false, stamp_ns, want.bytes);
    peer->pending += want.subscribers;
}

/* Fills every publisher's window; true when something went out. */
static bool fan_fill(int64_t now)
{
    bool any = false;
    for (uint32_t i = 0; i < want.publishers; i++) {
        Peer *peer = &bench.publishers[i];
        uint32_t sent = 0;
        while (sent < BURST && peer->out_len - peer->out_at < OUT_HIGH &&
               (!bench.qos || peer->flight < want.window) &&
               peer->pending < want.window * want.subscribers) {
            fan_publish(i, now);
            sent++;
        }
        if (sent) peer_flush(&bench, peer);
        any |= sent > 0;
    }
    return any;
}

static uint64_t fan_total(void)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < want.publishers; i++) total += bench.publishers[i].next;
    return total * want.subscribers;
}

/* What was published and did not come is lost, in the end. */
static void fan_drain(void)
{
    uint64_t total = fan_total();
    while (bench.tally.delivered < total && goes_on()) bench_turn(&bench, 10);
    if (bench.tally.delivered < total) bench.tally.lost = total - bench.tally.delivered;
    for (uint32_t i = 0; i < want.publishers && bench.qos; i++)
        while (bench.publishers[i].flight && goes_on()) bench_turn(&bench, 10);
}

static void print_fan(uint64_t delivered, double seconds, double cpu)
{
    printf("{\"delivered\":%llu,\"seconds\":%.3f,\"cpu_s\":%.4f,\"per_cpu_s\":%.0f,"
           "\"lost\":%llu,\"doubled\":%llu,\"other_qos\":%llu,\"own_cpu_s\":%.3f",
           (unsigned long long)delivered, seconds, cpu, cpu > 0 ? (double)delivered / cpu : 0,
           (unsigned long long)bench.tally.lost, (unsigned long long)bench.tally.doubled,
           (unsigned long long)bench.tally.other_qos, (double)clock() / CLOCKS_PER_SEC);
    if (bench.time_count) {
        qsort(bench.times, bench.time_count, sizeof *bench.times, by_value);
        printf(",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f",
               (double)bench.times[bench.time_count / 2] / 1e3,
               (double)bench.times[bench.time_count * 99 / 100] / 1e3,
               (double)bench.times[bench.time_count * 999 / 1000] / 1e3);
    }
    printf("}\n");
}

static void fan_closed(void)
{
    uint64_t begin = want.count / 4, end = 0;
    int64_t from_ns = 0, until_ns = now_ns() + 2 * SECONDS_MAX * 1000000000LL;
    double cpu = 0;
    while ((!end || bench.tally.delivered < end) && goes_on()) {
        int64_t now = now_ns();
        if (!end && bench.tally.delivered >= begin) {
            cpu = broker_cpu_s(&bench);
            begin = bench.tally.delivered;
            end = begin + want.count;
            from_ns = now;
            until_ns = now + SECONDS_MAX * 1000000000LL;
        }
        if (now > until_ns) break;
        bench_turn(&bench, fan_fill(now) ? 0 : 1);
    }
    cpu = broker_cpu_s(&bench) - cpu;
    double seconds = (double)(now_ns() - from_ns) / 1e9;
    uint64_t delivered = bench.tally.delivered - begin;
    if (!end) fail("the broker did not get through the warm-up");
    fan_drain();
    print_fan(delivered, seconds, cpu);
}

static void fan_paced(void)
{
    double step_ns = 1e9 / want.rate;
    int64_t start = now_ns(), from = start + 1000000000LL;
    int64_t end = from + (int64_t)(want.seconds * 1e9);
    uint64_t sent = 0, delivered = 0;
    double cpu = 0;
    bool measuring = false;
    bench.time_cap = (size_t)(want.rate * want.subscribers * (want.seconds + 2));
    bench.times = calloc(bench.time_cap, sizeof *bench.times);
    if (!bench.times) fail("no memory");
    bench.times_from_ns = from;
    for (int64_t now; (now = now_ns()) < end && goes_on();) {
        if (!measuring && now >= from) {
            measuring = true;
            cpu = broker_cpu_s(&bench);
            delivered = bench.tally.delivered;
        }
        while ((double)sent * step_ns <= (double)(now - start)) {
            uint32_t publisher = (uint32_t)(sent % want.publishers);
            fan_publish(publisher, start + (int64_t)((double)sent++ * step_ns));
            peer_flush(&bench, &bench.publishers[publisher]);
        }
        int64_t wait = start + (int64_t)((double)sent * step_ns) - now_ns();
        struct timespec timeout = {0, wait > 0 ? wait : 0};
        struct epoll_event event;
        if (epoll_pwait2(bench.epoll, &event, 1, &timeout, NULL) > 0) bench_turn(&bench, 0);
    }
    cpu = broker_cpu_s(&bench) - cpu;
    delivered = bench.tally.delivered - delivered;
    fan_drain();
    print_fan(delivered, (double)(now_ns() - from) / 1e9, cpu);
}

/* ---- memory of connections ---- */

static void idle(void)
{
    int64_t before = broker_kib(&bench, "smaps_rollup", "Pss:");
    int64_t from = now_ns();
    double cpu = broker_cpu_s(&bench);
    bench_open(&bench, (uint32_t)want.count);
    bench_connect(&bench, 0, bench.peer_count);
    double seconds = (double)(now_ns() - from) / 1e9;
    cpu = broker_cpu_s(&bench) - cpu;
    int64_t until = now_ns() + (int64_t)(want.seconds * 1e9);
    double idle_cpu = broker_cpu_s(&bench);
    while (now_ns() < until) bench_turn(&bench, 100);
    idle_cpu = broker_cpu_s(&bench) - idle_cpu;
    int64_t after = broker_kib(&bench, "smaps_rollup", "Pss:");
    printf("{\"connections\":%u,\"connect_s\":%.3f,\"cpu_s\":%.3f,\"idle_cpu_share\":%.5f,"
           "\"base_kib\":%lld,\"bytes_each\":%.0f}\n",
           bench.peer_count, seconds, cpu, idle_cpu / want.seconds, (long long)before,
           (double)(after - before) * 1024 / bench.peer_count);
}

/* ---- retained topics ---- */

static void retain_load(Peer *peer)
{
    char topic[TOPIC_BYTES];
    uint64_t sent = 0;
    while (goes_on() && (sent < want.count || peer->flight)) {
        uint32_t burst = 0;
        while (sent < want.count && burst < BURST && peer->out_len - peer->out_at < OUT_HIGH &&
               peer->flight < want.window) {
            (void)snprintf(topic, sizeof topic, "ret/area%u/mach%u/s%u", (unsigned)(sent % 100),
                           (unsigned)(sent / 100 % 100), (unsigned)(sent / 10000));
            peer_publish(peer, topic, bench.qos, true, now_ns(), want.bytes);
            burst++;
            /* Nothing answers QoS 0, but a ping behind the last one. */
            if (++sent == want.count) peer_ping(peer);
        }
        if (burst) peer_flush(&bench, peer);
        bench_turn(&bench, burst ? 0 : 1);
    }
    if (sent < want.count || peer->flight) fail("the broker stands still");
}

/* What nobody waits for goes to the disk, second by second, and counts too: until the broker is
 * quiet for a second and a half. */
static void settle(void)
{
    const struct timespec step = {1, 500000000};
    for (int i = 0; i < SETTLE_STEPS_MAX; i++) {
        double cpu = broker_cpu_s(&bench);
        (void)nanosleep(&step, NULL);
        if (broker_cpu_s(&bench) - cpu < 0.01) return;
    }
}

static void retain(void)
{
    static const char *const filter[] = {"ret/#"};
    bench_open(&bench, 2);
    bench_connect(&bench, 0, 1);
    int64_t before = broker_kib(&bench, "smaps_rollup", "Pss:"), from = now_ns();
    double cpu = broker_cpu_s(&bench);
    retain_load(&bench.peers[0]);
    double seconds = (double)(now_ns() - from) / 1e9;
    settle();
    cpu = broker_cpu_s(&bench) - cpu;
    int64_t after = broker_kib(&bench, "smaps_rollup", "Pss:");
    bench.qos = 0;
    bench_connect(&bench, 1, 2);
    double replay_cpu = broker_cpu_s(&bench);
    from = now_ns();
    peer_subscribe(&bench.peers[1], filter, 1, 0);
    peer_flush(&bench, &bench.peers[1]);
    while (bench.tally.delivered < want.count && goes_on()) bench_turn(&bench, 10);
    if (bench.tally.delivered != want.count) bench.tally.lost = 1;
    printf("{\"topics\":%llu,\"load_s\":%.3f,\"cpu_s\":%.3f,\"bytes_each\":%.0f,"
           "\"replayed\":%llu,\"replay_s\":%.3f,\"replay_cpu_s\":%.3f}\n",
           (unsigned long long)want.count, seconds, cpu,
           (double)(after - before) * 1024 / (double)want.count,
           (unsigned long long)bench.tally.delivered, (double)(now_ns() - from) / 1e9,
           broker_cpu_s(&bench) - replay_cpu);
}

/* ---- wildcards ---- */

/* Of a hundred filters one has five wildcards, nineteen end in '#', the rest have one '+'. */
static void wild_filter(uint64_t i, char *to)
{
    if (i % 100 == 99)
        (void)snprintf(to, TOPIC_BYTES, "+/+/+/+/pressure");
    else if (i % 5 == 4)
        (void)snprintf(to, TOPIC_BYTES, "plant/+/m%u/s1/#", (unsigned)i);
    else
        (void)snprintf(to, TOPIC_BYTES, "plant/a%u/m%u/+/temp", (unsigned)(i % 100), (unsigned)i);
}

static void wild_subscribe(void)
{
    static char texts[FILTERS_MAX][TOPIC_BYTES];
    const char *filters[FILTERS_MAX];
    uint64_t asked = 0;
    for (uint32_t c = 0; c < want.publishers; c++) {
        uint32_t count = 0;
        for (uint64_t i = c; i < want.count; i += want.publishers) {
            wild_filter(i, texts[count]);
            filters[count] = texts[count];
            if (++count < FILTERS_MAX && i + want.publishers < want.count) continue;
            peer_subscribe(&bench.peers[c], filters, count, bench.qos);
            asked++;
            count = 0;
        }
        peer_flush(&bench, &bench.peers[c]);
        bench_wait(&bench, &bench.tally.subscribed, asked, "no answer to a subscription");
    }
}

/* Publishes to topics in random order; returns how many deliveries they make. */
static uint64_t wild_publish(Peer *peer, uint32_t messages)
{
    static uint64_t random = 88172645463325252u;
    char topic[TOPIC_BYTES];
    uint64_t expected = 0;
    bench.tally.delivered = 0;
    for (uint32_t sent = 0; (sent < messages || bench.tally.delivered < expected) && goes_on();) {
        uint32_t burst = 0;
        while (sent < messages && burst < BURST &&
               (int64_t)(expected - bench.tally.delivered) < want.window &&
               (!bench.qos || peer->flight < want.window)) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            uint64_t i = random % want.count;
            (void)snprintf(topic, sizeof topic, "plant/a%u/m%u/s1/temp", (unsigned)(i % 100),
                           (unsigned)i);
            peer_publish(peer, topic, bench.qos, false, now_ns(), want.bytes);
            expected += i % 100 != 99;
            sent++;
            burst++;
        }
        if (burst) peer_flush(&bench, peer);
        bench_turn(&bench, burst ? 0 : 1);
    }
    if (bench.tally.delivered != expected) bench.tally.lost = 1;
    return expected;
}

/* Measured once most topics were seen, as everywhere after some time. */
static void wild(void)
{
    bench_open(&bench, want.publishers + 1);
    bench_connect(&bench, 0, want.publishers);
    wild_subscribe();
    bench_connect(&bench, want.publishers, bench.peer_count);
    Peer *peer = &bench.peers[want.publishers];
    (void)wild_publish(peer, (uint32_t)want.count * 2);
    int64_t from = now_ns();
    double cpu = broker_cpu_s(&bench);
    uint64_t expected = wild_publish(peer, want.messages);
    cpu = broker_cpu_s(&bench) - cpu;
    printf("{\"filters\":%llu,\"messages\":%u,\"delivered\":%llu,\"expected\":%llu,"
           "\"seconds\":%.3f,\"cpu_s\":%.3f,\"us_each\":%.3f}\n",
           (unsigned long long)want.count, want.messages, (unsigned long long)bench.tally.delivered,
           (unsigned long long)expected, (double)(now_ns() - from) / 1e9, cpu,
           cpu * 1e6 / want.messages);
}

/* ---- start ---- */

static void options(int argc, char **argv)
{
    optind = 2;
    for (int o; (o = getopt(argc, argv, "p:T:R:P:S:q:s:n:w:r:d:m:")) != -1;) {
        double value = optarg ? strtod(optarg, NULL) : 0;
        if (value < 0 || value > 1e9) fail("a number is out of its range");
        switch (o) {
        case 'p': bench.port = (uint16_t)value; break;
        case 'T': want.subscriber_port = (uint16_t)value; break;
        case 'R': bench.broker = (int)value; break;
        case 'P': want.publishers = (uint32_t)value; break;
        case 'S': want.subscribers = (uint32_t)value; break;
        case 'q': bench.qos = (int)value; break;
        case 's': want.bytes = (size_t)value; break;
        case 'n': want.count = (uint64_t)value; break;
        case 'w': want.window = (int64_t)value; break;
        case 'r': want.rate = value; break;
        case 'd': want.seconds = value; break;
        case 'm': want.messages = (uint32_t)value; break;
        default: fail("see the head of its source");
        }
    }
    if (want.bytes < STAMP_BYTES || want.bytes > 1 << 20 || bench.qos > 2 || !want.publishers ||
        !want.subscribers || !want.count || want.window < 1 || want.window > 60000)
        fail("a number is out of its range");
}

int main(int argc, char **argv)
{
    if (argc < 2) fail("see the head of its source");
    options(argc, argv);
    (void)prctl(PR_SET_TIMERSLACK, 1);
    const char *mode = argv[1];
    if (strcmp(mode, "fan") == 0) {
        fan_open();
        if (want.rate > 0)
            fan_paced();
        else
            fan_closed();
    } else if (strcmp(mode, "idle") == 0) {
        idle();
    } else if (strcmp(mode, "retain") == 0) {
        retain();
    } else if (strcmp(mode, "wild") == 0) {
        wild();
    } else {
        fail("fan, idle, retain or wild?");
    }
    return bench.tally.lost || bench.tally.doubled || bench.tally.other_qos ? 3 : 0;
}
