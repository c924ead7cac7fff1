/* runtime/sparkplug/edge.h: an edge node of Sparkplug 3.0: what it has to say, and when.
 *
 * Pure as host.h: connections, values, messages and the time are handed in, payloads come out. It
 * waits for its primary host, if it has one, publishes births of itself and its devices, then what
 * changes, by aliases. The last value of a metric is in its birth. Those before it that nobody
 * could hear are kept, the oldest are dropped and counted when there are too many, and follow the
 * births as historical ones.
 *
 * A device dies ([tck-id-operational-behavior-device-ddeath]) when nobody brings its values any
 * more: all that have one were good, and became worse without another value. It is born again with
 * the first that is good or has another value.
 *
 *   away --connected--> waiting --STATE online, or no primary host--> born --lost--> away
 *                                                   born --STATE offline--> NDEATH, leave --> away
 */
#ifndef TUTTI_SPARKPLUG_EDGE_H
#define TUTTI_SPARKPLUG_EDGE_H

#include "sparkplug/payload.h"
#include "sparkplug/topic.h"

enum { SP_EDGE_DEVICES_MAX = 64, SP_EDGE_METRICS_MAX = 5000 };
enum { SP_GOOD = 192, SP_STALE = 500, SP_BAD = 0 }; /* qualities: 6.4.15 */

typedef enum SpEdgeState { SP_EDGE_AWAY, SP_EDGE_WAITING, SP_EDGE_BORN } SpEdgeState;

typedef struct SpEdgeFns {
    /* False: not now; it will be said again. */
    bool (*publish)(void *ctx, Str topic, Str payload, uint8_t qos);
    void (*leave)(void *ctx); /* the primary host is offline: disconnect, to the next broker */
    void (*command)(void *ctx, uint32_t metric, const SpMetric *value); /* NCMD, DCMD */
} SpEdgeFns;

typedef struct SpEdgeStats {
    uint64_t births, messages, values, kept_lost, commands;
    uint64_t strange; /* commands for what there is not, or of another kind than its type */
    uint64_t deaths;  /* of devices */
    size_t kept_bytes;
    uint32_t metrics, devices, devices_dead;
    uint32_t unsaid; /* metrics whose last value was not said yet */
    int32_t bdseq;
    uint8_t seq; /* of the last message */
    bool host_online;
    SpEdgeState state;
} SpEdgeStats;

typedef struct SpEdge SpEdge;

/* primary: id of the host that is waited for, or empty. kept_max: bytes. Slices live as long as the
 * edge node. NULL without memory. */
SpEdge *sp_edge_new(Str group, Str node, Str primary, size_t kept_max, const SpEdgeFns *fns,
                    void *ctx);
void sp_edge_free(SpEdge *edge); /* accepts NULL */

/* Finds or makes; device "" is the edge node itself. ST_LIMIT: there are too many. */
MUST Status sp_edge_metric(SpEdge *edge, Str device, Str name, uint32_t *ret_metric);
/* The type that its values will have. Another one than before is another metric: births are due. */
void sp_edge_type(SpEdge *edge, uint32_t metric, uint32_t type);
/* There are other brokers: one where the primary host is offline is left, not waited at
 * ([tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk]). */
void sp_edge_walks(SpEdge *edge, bool walks);
/* Nothing is said while it is held: what types there are is being asked. */
void sp_edge_hold(SpEdge *edge, bool hold);
/* A value: type, value or null, ts_ms, historical is not looked at. quality: 192, 500 or 0. */
void sp_edge_value(SpEdge *edge, uint32_t metric, const SpMetric *value, int32_t quality);
/* Says what is due: after values came, and often, as ten times a second. */
void sp_edge_flush(SpEdge *edge, int64_t now_ms);

/* NDEATH for the will of the connection that will have this bdSeq, and its topic. */
void sp_edge_will(const SpEdge *edge, uint8_t bdseq, int64_t now_ms, Buf *topic, Buf *payload);
/* With that will; what the filters below ask for was subscribed to. */
void sp_edge_connected(SpEdge *edge, uint8_t bdseq, int64_t now_ms);
void sp_edge_lost(SpEdge *edge);
/* NDEATH, before a disconnect that is wanted
 * ([tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath]). */
void sp_edge_stop(SpEdge *edge, int64_t now_ms);
/* Filter 0 .. ; false: there is none. NCMD, DCMD, and STATE of the primary host. */
bool sp_edge_filter(const SpEdge *edge, uint32_t index, Buf *out);
void sp_edge_message(SpEdge *edge, Str topic, Str payload, int64_t now_ms);
void sp_edge_stats(const SpEdge *edge, SpEdgeStats *ret_stats);

#endif
