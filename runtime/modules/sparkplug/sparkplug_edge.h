/* runtime/modules/sparkplug/sparkplug_edge.h: what the files of the edge node share. */
#ifndef TUTTI_MODULES_SPARKPLUG_EDGE_H
#define TUTTI_MODULES_SPARKPLUG_EDGE_H

#include "modules/sparkplug/sparkplug_int.h"
#include "mqtt/client.h"
#include "sparkplug/edge.h"

enum { SPARKPLUG_MAPS_MAX = 64, SPARKPLUG_REASON_BYTES = 160, SPARKPLUG_SERVERS_MAX = 8 };

typedef struct SparkplugServer { /* all point into the setting */
    Str address, host;
    uint16_t port;
    bool tls;
} SparkplugServer;

typedef struct SparkplugMap { /* a part of the namespace; all point into the setting */
    Str filter, stem, device; /* stem: the filter without "/#" */
} SparkplugMap;

/* What the namespace declares of a metric. */
typedef struct SparkplugType {
    uint8_t type;   /* of Sparkplug; SP_NO_TYPE: nothing, so each value says it */
    int32_t ms_mul; /* a time as a number, */
    int32_t ms_div; /* times this is milliseconds */
    bool known;     /* it was asked */
} SparkplugType;

typedef struct SparkplugEdge {
    Sparkplug *self;
    SpEdge *edge;
    MqttClient *client;
    SparkplugServer servers[SPARKPLUG_SERVERS_MAX];
    uint32_t server_count, at; /* at: the one it is connected to, or tries next */
    SparkplugMap maps[SPARKPLUG_MAPS_MAX];
    uint32_t map_count;
    uint32_t of_row[SP_EDGE_METRICS_MAX]; /* metric of a row of the watch; UINT32_MAX: none */
    char *paths[SP_EDGE_METRICS_MAX];     /* of each metric, owned */
    SparkplugType types[SP_EDGE_METRICS_MAX];
    /* Types: of those before `asked` they were asked, `asking` answers are on their way, those
     * before `settled` have one, or none was given. */
    uint32_t metric_count, asked, asking, settled;
    bool skipped, catching; /* values came before their types: they are asked for again */
    BusSub *sub;
    LoopTimer *timer, *retry;
    Arena *arena; /* of one frame */
    char watch[24];
    bool watching, leaving, reserving;
    int64_t renewed_ns, connected_ns;
    uint64_t over_limit;
    uint32_t wait_ms;
    uint8_t bdseq;                       /* of the connection there is or will be */
    char reason[SPARKPLUG_REASON_BYTES]; /* why it is not connected */
} SparkplugEdge;

/* sparkplug_watch.c: the values */
void sparkplug__watch(SparkplugEdge *edge); /* makes it, or renews it when it is time */
void sparkplug__watch_end(SparkplugEdge *edge);
/* By its path; false: it is none of ours, or one too many. */
bool sparkplug__metric_of(SparkplugEdge *edge, Str path, uint32_t *ret_metric);

/* sparkplug_type.c: their types */
void sparkplug__types_ask(SparkplugEdge *edge);   /* of new metrics */
void sparkplug__types_frame(SparkplugEdge *edge); /* a frame with all values was taken */
/* A value of the namespace as one of the metric. */
SpMetric sparkplug__typed(const SparkplugEdge *edge, uint32_t metric, const Json *value);
/* "plant/a/#=line1; plant/b" */
/* The next part of a setting that has ; between them, trimmed; false: there is none left. */
bool sparkplug__part_next(Str *rest, Str *ret_part);
MUST Status sparkplug__maps_read(SparkplugEdge *edge, Str text, Diag *diag);

#endif
