/* runtime/sparkplug/host.h: what a host application of Sparkplug 3.0 knows of its edge nodes.
 *
 * Pure: no I/O, no clock, no thread. Messages and the time are handed in; values, deaths and wishes
 * for a rebirth come out through SpHostFns. For each edge node: its last birth certificate with the
 * aliases in it, the bdSeq that a death has to match, the sequence number that comes next, and
 * messages that came before one that is missing.
 *
 *   unheard --NBIRTH--> alive --NDEATH with its bdSeq--> dead --NBIRTH--> alive
 *   unheard: known from before a start, or by a message without birth; after unheard_ms: dead
 *
 * A message out of order waits for those before it at most reorder_ms
 * ([tck-id-operational-behavior-host-reordering-param]); then what came is taken as it is, what is
 * missing is counted, and a rebirth is asked for
 * ([tck-id-operational-behavior-host-reordering-rebirth]). One node is asked at most once in
 * rebirth_ms, however much goes wrong. Every table has a maximum; what is over it is refused,
 * counted and told. */
#ifndef TUTTI_SPARKPLUG_HOST_H
#define TUTTI_SPARKPLUG_HOST_H

#include "base/hash.h"
#include "sparkplug/payload.h"
#include "sparkplug/topic.h"

typedef enum SpLife { SP_UNHEARD, SP_ALIVE, SP_DEAD } SpLife;

struct SpUnit;

typedef struct SpDef { /* a metric as its birth said it */
    struct SpUnit *unit;
    Str name, path; /* path: in the namespace */
    uint64_t alias;
    uint32_t type;
    bool has_alias;
    bool hidden; /* of the protocol, or the definition of a template: no value for anybody */
} SpDef;

typedef struct SpUnit { /* an edge node itself, or one of its devices */
    struct SpNode *node;
    struct SpUnit *next;
    Str name; /* of the device; empty: the edge node itself. With a NUL behind it */
    Str path;
    SpLife life;
    Arena *arena; /* of the birth: metrics, their texts, aliases; NULL: none */
    SpDef *defs;
    uint32_t def_count;
    Map by_name;
    const SpDef **aliases; /* a power of two of slots; NULL: it has none */
    uint32_t alias_slots;
    int64_t born_ms, died_ms, heard_ms; /* wall clock; 0: never. A death is nothing heard of it */
    uint64_t births, deaths, messages;
    uint64_t mark; /* the owner's: what it noted of the last birth */
} SpUnit;

typedef struct SpNode {
    struct SpNode *next;
    Str key, group; /* key: GROUP/NODE */
    Str name;
    SpUnit self;
    SpUnit *devices;
    Map by_name;   /* of the devices */
    int32_t bdseq; /* -1: its birth had none */
    uint8_t expected;
    struct SpHeld *held; /* by distance from `expected` */
    uint32_t held_count;
    size_t held_bytes;
    int64_t gap_ms;      /* since when something is missing; 0: nothing is */
    int64_t unheard_ms;  /* since when it is unheard */
    int64_t asked_ms;    /* 0: never */
    bool wanted;         /* a rebirth, as soon as it may be asked for */
    const char *why;     /* it was last asked for */
    uint64_t lost;       /* messages, by their sequence numbers */
    uint64_t reordered;  /* came late and were put in order */
    uint64_t rebirths;   /* asked for */
    uint64_t old_deaths; /* with another bdSeq */
    uint64_t unknown;    /* messages before a birth, metrics that are in none */
} SpNode;

typedef struct SpSample {
    const SpDef *def;
    const SpMetric *metric;
    uint32_t type;
    int64_t ts_ms; /* of the metric, else of the payload, else now */
    bool birth;
} SpSample;

typedef struct SpHostFns {
    void (*value)(void *ctx, const SpSample *sample);
    void (*born)(void *ctx, const SpUnit *unit, const SpPayload *payload); /* after its values */
    void (*died)(void *ctx, const SpUnit *unit); /* at died_ms; an edge node: with its devices */
    void (*ask)(void *ctx, const SpNode *node);  /* a rebirth */
    /* Something is wrong with what it sent; `why` is a sentence. */
    void (*note)(void *ctx, const SpTopic *topic, const char *why);
} SpHostFns;

/* All 0 = preset (right column). */
typedef struct SpHostConf {
    uint32_t nodes_max;   /* 1,000 edge nodes; of those that are dead the oldest gives way */
    uint32_t devices_max; /* 10,000 of all nodes */
    uint32_t metrics_max; /* 200,000 of all births */
    uint32_t held_max;    /* 64 messages of one node that wait for one before them */
    uint32_t held_bytes;  /* 1 MiB of them */
    uint32_t reorder_ms;  /* 2 s */
    uint32_t rebirth_ms;  /* 10 s between two requests to one node */
    uint32_t unheard_ms;  /* 30 s */
    Str prefix;           /* of paths; copied */
} SpHostConf;

typedef struct SpHostStats {
    uint64_t messages, bad, over_limit, metrics;
    uint32_t nodes_now, devices_now, defs_now;
} SpHostStats;

typedef struct SpHost SpHost;

/* NULL without memory. fns and ctx live longer than the host. */
SpHost *sp_host_new(const SpHostConf *conf, const SpHostFns *fns, void *ctx);
void sp_host_free(SpHost *host); /* accepts NULL */
/* A message of the topic spBv1.0/#; what is not for a host is passed over. now_ms: wall clock. */
void sp_host_message(SpHost *host, Str topic, Str payload, int64_t now_ms);
/* Looks for what became due; often, as ten times a second. */
void sp_host_tick(SpHost *host, int64_t now_ms);
/* Known from before a start. */
MUST Status sp_host_remember(SpHost *host, Str group, Str node, Str device, int64_t now_ms);
SpNode *sp_host_first(const SpHost *host);
SpNode *sp_host_node(const SpHost *host, Str group, Str node);
const SpUnit *sp_node_unit(const SpNode *node, Str device); /* "" is the node itself */
const SpDef *sp_unit_def(const SpUnit *unit, Str metric);
/* The metric that this alias means there; NULL: none. */
const SpDef *sp_unit_alias(const SpUnit *unit, uint64_t alias);
void sp_host_stats(const SpHost *host, SpHostStats *ret_stats);
const char *sp_life_name(SpLife life);

#endif
