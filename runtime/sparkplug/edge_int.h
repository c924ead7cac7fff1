/* runtime/sparkplug/edge_int.h: what the files of the edge node share. */
#ifndef TUTTI_SPARKPLUG_EDGE_INT_H
#define TUTTI_SPARKPLUG_EDGE_INT_H

#include "base/hash.h"
#include "sparkplug/edge.h"

enum {
    SP__EDGE_MESSAGE_BYTES = 64 * 1024, /* a message of data is closed when it has that many */
    SP__EDGE_BIRTH_BYTES_MAX = 8 << 20,
    SP__EDGE_BIRTH_EVERY_MS = 1000, /* what wants births waits: they come together */
    SP__EDGE_KEPT_A_FLUSH = 512 * 1024,
};

typedef struct EdgeMetric {
    Str key, name; /* key: DEVICE/NAME, owned */
    uint32_t device, type;
    SpMetric last; /* its text is owned: room */
    char *room;
    size_t room_bytes;
    int32_t quality, said_quality;
    bool dirty, born; /* dirty: not said yet; born: in the births that hold */
    bool gone;        /* it was good, and only its quality changed since: nobody brings it now */
} EdgeMetric;

_Static_assert(SP_EDGE_DEVICES_MAX <= 64, "a device has a bit in `dirty`");

struct SpEdge {
    Str group, node, primary;
    const SpEdgeFns *fns;
    void *ctx;
    EdgeMetric *metrics;
    uint32_t *order; /* metrics of one message, by time; of as many items as `metrics` */
    Map by_key;
    Str devices[SP_EDGE_DEVICES_MAX]; /* owned; 0 is the edge node itself, empty */
    Buf topic, payload, set;
    Buf kept; /* u32 device, u32 bytes, a metric as bytes; the oldest first */
    size_t kept_max;
    Arena *arena;
    int64_t born_ms, state_ts_ms;
    uint8_t next_seq;
    bool births_due, held;
    bool walks;
    /* A bit a device: it has dirty metrics; a value of it came and its life was not looked at; its
     * DDEATH was said. */
    uint64_t dirty, changed, dead;
    SpEdgeStats stats;
};

/* edge_say.c */
bool sp__edge_births(SpEdge *edge, int64_t now_ms);
void sp__edge_lives(SpEdge *edge, int64_t now_ms); /* deaths and births of single devices */
void sp__edge_data(SpEdge *edge, int64_t now_ms);
void sp__edge_keep(SpEdge *edge, EdgeMetric *metric); /* its value, for later */
void sp__edge_kept(SpEdge *edge, int64_t now_ms);     /* later has come */
bool sp__edge_death(SpEdge *edge, int64_t now_ms);

/* edge_life.c */
/* It has this value already: only what changes is said ([tck-id-principles-rbe-recommended]). */
bool sp__edge_same(const EdgeMetric *metric, const SpMetric *value);
/* Whether nobody brings the metric any more, now that it has this value and quality. */
bool sp__edge_gone(const EdgeMetric *metric, const SpMetric *value, int32_t quality);
bool sp__edge_device_gone(const SpEdge *edge, uint32_t device);
/* Metrics of a device in edge->order, the oldest value first: all, or those that are due as data.
 * Returns how many. */
uint32_t sp__edge_collect(SpEdge *edge, uint32_t device, bool all);

#endif
