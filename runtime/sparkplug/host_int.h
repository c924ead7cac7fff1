/* runtime/sparkplug/host_int.h: what the files of the host share. */
#ifndef TUTTI_SPARKPLUG_HOST_INT_H
#define TUTTI_SPARKPLUG_HOST_INT_H

#include "sparkplug/host.h"

typedef struct SpHeld { /* one allocation with its bytes */
    struct SpHeld *next;
    SpKind kind;
    uint8_t seq;
    Str device, payload;
    char bytes[];
} SpHeld;

struct SpHost {
    SpHostConf conf;
    const SpHostFns *fns;
    void *ctx;
    Map nodes;
    SpNode *first;
    char prefix[SP_PATH_BYTES_MAX];
    char room[SP_PATH_BYTES_MAX];
    SpHostStats stats;
};

/* host_birth.c */
/* Takes the payload's metrics as the unit's: the old ones are gone. ST_LIMIT, ST_NO_MEMORY: it has
 * none then. */
MUST Status sp__birth_read(SpHost *host, SpUnit *unit, const SpPayload *payload,
                           const char **ret_why);
void sp__birth_drop(SpHost *host, SpUnit *unit);
/* By its name, else by its alias; NULL: this unit has no such metric. */
const SpDef *sp__def_of(const SpUnit *unit, const SpMetric *metric);

/* host_node.c */
/* Finds or makes; NULL over a limit or without memory. */
SpNode *sp__node_get(SpHost *host, Str group, Str name, int64_t now_ms);
SpUnit *sp__device_get(SpHost *host, SpNode *node, Str name);
void sp__node_free(SpHost *host, SpNode *node);
void sp__held_drop(SpNode *node);

#endif
