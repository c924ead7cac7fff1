/* runtime/module/host_private.h: what the files of the host share; for this folder only. */
#ifndef TUTTI_MODULE_HOST_PRIVATE_H
#define TUTTI_MODULE_HOST_PRIVATE_H

#include "module/host.h"

enum { HOST_MODULES_MAX = 64, HOST_STORES_MAX = 16, HOST_REQ_ARENA_BYTES_MAX = 32 << 20 };

typedef struct HostReq HostReq;

/* One subscription and what it stands for: an op, an event stream, or one of the sys subjects. */
typedef struct HostSub {
    struct HostMod *mod;
    const ModOp *op;
    const ModSub *sub;
    BusSub *bus_sub;
} HostSub;

typedef struct HostMod {
    Host *host;
    const ModuleDef *def;
    void *self, *conf; /* owned */
    Arena *conf_texts; /* owned: texts the conf struct points to */
    ModEnv env;
    HostSub *subs; /* owned */
    size_t sub_count;
    HostReq *reqs; /* not yet answered by the module */
    bool opened, started, drained;
} HostMod;

typedef struct HostStore {
    const char *file;
    Store *store;
} HostStore;

struct Host {
    HostOptions options;
    HostMod mods[HOST_MODULES_MAX];
    size_t count;
    HostStore stores[HOST_STORES_MAX];
    size_t store_count;
    bool draining;
    size_t drain_left; /* modules before this index are still to be drained */
    LoopTimer *drain_timer;
    DoneFn *drain_done;
    void *drain_ctx;
};

/* conf.c: fills mod->conf from presets, environment and overrides. */
MUST Status host__conf_fill(HostMod *mod, Diag *diag);
/* req.c: handler of every op subscription; ctx is a HostSub. */
void host__on_request(void *ctx, const BusMsg *msg);
/* Answers what the module left unanswered, after its close. */
void host__cancel_requests(HostMod *mod);
/* order.c: fills `order` so that needs come first; ST_CONFLICT names a cycle. */
MUST Status host__order(const ModuleDef *const *list, const ModuleDef **order, size_t *ret_count,
                        Diag *diag);

#endif
