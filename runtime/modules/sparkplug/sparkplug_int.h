/* runtime/modules/sparkplug/sparkplug_int.h: what the files of this module share. */
#ifndef TUTTI_MODULES_SPARKPLUG_INT_H
#define TUTTI_MODULES_SPARKPLUG_INT_H

#include "base/clock.h"
#include "module/module.h"
#include "mqtt/broker.h"
#include "sparkplug/host.h"

enum {
    SPARKPLUG_CALLS_MAX = 4096,            /* requests to other modules under way */
    SPARKPLUG_HISTORY_BYTES_MAX = 8 << 20, /* late values waiting for the history, as CSV */
    SPARKPLUG_TICK_MS = 100,
};

typedef struct SparkplugConf {
    Str host, prefix;
    int64_t reorder_ms, rebirth_ms, unheard_ms;
    int64_t nodes, devices, metrics;
    int64_t aware;
    Str edge, edge_group, edge_node, edge_paths, edge_primary, edge_user, edge_password;
    Str edge_ca, edge_cert, edge_key; /* files */
    int64_t edge_every_ms, edge_buffer, edge_writes;
} SparkplugConf;

struct Sparkplug;
typedef void SparkplugCallFn(struct Sparkplug *self, Status status, Str body);

/* A request on its way. An answer may come after the module was closed: then `self` is NULL. */
typedef struct SparkplugCall {
    struct Sparkplug *self;
    struct SparkplugCall *next, *prev;
    SparkplugCallFn *fn;
} SparkplugCall;

typedef struct Sparkplug {
    const ModEnv *env;
    const SparkplugConf *conf;
    SpHost *host;               /* NULL: no host application */
    struct SparkplugEdge *edge; /* owned; NULL: no edge node */
    MqttAttach *attach;         /* of the host */
    MqttAttach *births[2];      /* of who keeps births: those of nodes, of devices */
    LoopTimer *timer;
    Arena *arena; /* of one message */
    SparkplugCall *calls;
    uint32_t call_count;
    int64_t state_ms; /* timestamp of our STATE */
    int64_t last_ns;  /* of the last message: times of messages rise */
    Buf text, topic;  /* of one value */
    Buf history;      /* late values as CSV without the header */
    bool history_busy, draining;
    uint32_t notes; /* logged in this span of time */
    int64_t notes_ns;
    uint64_t values, historical, historical_lost, refused, calls_lost, commands;
    uint64_t certificates, uncertified; /* births kept, and those that could not be */
} Sparkplug;

/* sparkplug.c */
/* Asks another module; fn may be NULL. False: too much is under way, and it was counted. */
bool sparkplug__call(Sparkplug *self, const char *subject, Buf *body, SparkplugCallFn *fn);

/* sparkplug_host.c */
MUST Status sparkplug__host_start(Sparkplug *self, Diag *diag);
void sparkplug__host_stop(Sparkplug *self); /* says that it is offline */
void sparkplug__on_up(void *self, const BusMsg *msg);
void sparkplug__state_say(Sparkplug *self, Str host, bool online, int64_t ts_ms);
MUST Status sparkplug__ask_rebirth(Sparkplug *self, const SpNode *node, Diag *diag);
MUST Status sparkplug__command(Sparkplug *self, const SpDef *def, const Json *value, Diag *diag);

/* sparkplug_aware.c */
MUST Status sparkplug__aware_start(Sparkplug *self, Diag *diag);
void sparkplug__aware_stop(Sparkplug *self);

/* sparkplug_value.c */
void sparkplug__value(void *ctx, const SpSample *sample);
void sparkplug__units(Sparkplug *self, SpUnit *unit, const SpPayload *payload);
void sparkplug__history_flush(Sparkplug *self);

/* sparkplug_keep.c */
extern const StoreMigration sparkplug__migrations[];
MUST Status sparkplug__keep_load(Sparkplug *self, Diag *diag);
/* The host that this process is from now on; one that it was before, and is not, is offline. */
MUST Status sparkplug__keep_host(Sparkplug *self, Diag *diag);
void sparkplug__keep(Sparkplug *self, const SpUnit *unit); /* whether it is alive, to the disk */

/* sparkplug_edge.c */
MUST Status sparkplug__edge_start(Sparkplug *self, Diag *diag);
void sparkplug__edge_stop(Sparkplug *self); /* says NDEATH and disconnects */
void sparkplug__edge_free(Sparkplug *self);
void sparkplug__edge_put(const Sparkplug *self, JsonOut *out);
void sparkplug__on_schemas(void *self, const BusMsg *msg); /* they changed */

/* sparkplug_ops.c */
void sparkplug__op_list(void *ctx, Req *req);
void sparkplug__op_rebirth(void *ctx, Req *req);
void sparkplug__op_command(void *ctx, Req *req);

#endif
