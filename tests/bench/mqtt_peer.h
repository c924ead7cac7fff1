/* tests/bench/mqtt_peer.h: many MQTT 3.1.1 clients on one thread, cheap enough not to be the limit.
 *
 * Raw sockets and epoll, no library: a peer costs a read for what came and a write for what goes.
 * A PUBLISH carries its publisher, its number and a time, so that who receives it can tell what was
 * lost, doubled or overtaken, and how old it is. Errors end the process with a sentence. */
#ifndef TUTTI_BENCH_MQTT_PEER_H
#define TUTTI_BENCH_MQTT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STAMP_BYTES = 16, FILTERS_MAX = 50 };

typedef struct Peer {
    int fd;
    char *in, *out; /* owned */
    size_t in_len, in_cap, out_at, out_len, out_cap;
    uint32_t number, flight, next; /* flight: unanswered; next: of its messages */
    int64_t pending;               /* deliveries of its messages that did not come yet */
    uint16_t id;
    bool wants_out;
    uint32_t *expected; /* owned; by publisher: the number that comes next */
} Peer;

typedef struct Tally {
    uint64_t connected, subscribed, answered, delivered, delivered_bytes;
    uint64_t lost, doubled, other_qos; /* lost: numbers that were passed over */
} Tally;

typedef struct Bench {
    uint16_t port;
    int epoll, qos, broker; /* broker: its process */
    Tally tally;
    Peer *peers, *publishers; /* publishers: where they begin among the peers */
    uint32_t peer_count, publisher_count;
    int64_t *times; /* owned; NULL: not wanted */
    size_t time_count, time_cap;
    int64_t times_from_ns; /* older stamps are not counted */
} Bench;

int64_t now_ns(void);
/* Ends the process. */
_Noreturn void fail(const char *text);
/* CPU time of all threads of the broker's process, user and system. */
double broker_cpu_s(const Bench *bench);
/* Of /proc/PID/FILE, in KiB. */
int64_t broker_kib(const Bench *bench, const char *file, const char *key);

void bench_open(Bench *bench, uint32_t peer_count);
/* Connects peers [from, to) and waits until they are in. */
void bench_connect(Bench *bench, uint32_t from, uint32_t to);
/* One turn: reads what came, writes what goes. */
void bench_turn(Bench *bench, int timeout_ms);
void bench_wait(Bench *bench, const uint64_t *counter, uint64_t value, const char *what);

void peer_subscribe(Peer *peer, const char *const *filters, uint32_t count, int qos);
/* Into its buffer; numbered by its own count. */
void peer_publish(Peer *peer, const char *topic, int qos, bool retain, int64_t stamp_ns,
                  size_t bytes);
void peer_ping(Peer *peer); /* is answered as a message is */
void peer_flush(const Bench *bench, Peer *peer);

#endif
