/* runtime/modules/sparkplug/sparkplug_edge.h: what the files of the edge node share. */
#ifndef TUTTI_MODULES_SPARKPLUG_EDGE_H
#define TUTTI_MODULES_SPARKPLUG_EDGE_H

#include "modules/sparkplug/sparkplug_int.h"
#include "mqtt/client.h"
#include "sparkplug/edge.h"

enum { SPARKPLUG_MAPS_MAX = 64, SPARKPLUG_REASON_BYTES = 160 };

typedef struct SparkplugMap { /* a part of the namespace; all point into the setting */
    Str filter, stem, device; /* stem: the filter without "/#" */
} SparkplugMap;

typedef struct SparkplugEdge {
    Sparkplug *self;
    SpEdge *edge;
    MqttClient *client;
    Str host; /* of the address; points into the setting */
    uint16_t port;
    SparkplugMap maps[SPARKPLUG_MAPS_MAX];
    uint32_t map_count;
    uint32_t of_row[SP_EDGE_METRICS_MAX]; /* metric of a row of the watch; UINT32_MAX: none */
    char *paths[SP_EDGE_METRICS_MAX];     /* of each metric, owned */
    BusSub *sub;
    LoopTimer *timer, *retry;
    Arena *arena; /* of one frame */
    char watch[24];
    bool watching, leaving, reserving;
    int64_t renewed_ns;
    uint64_t over_limit;
    uint32_t wait_ms;
    uint8_t bdseq;                       /* of the connection there is or will be */
    char reason[SPARKPLUG_REASON_BYTES]; /* why it is not connected */
} SparkplugEdge;

/* sparkplug_watch.c: the values */
void sparkplug__watch(SparkplugEdge *edge); /* makes it, or renews it when it is time */
void sparkplug__watch_end(SparkplugEdge *edge);
/* "plant/a/#=line1; plant/b" */
MUST Status sparkplug__maps_read(SparkplugEdge *edge, Str text, Diag *diag);

#endif
