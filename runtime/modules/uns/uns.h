/* runtime/modules/uns/uns.h: what the files of the uns module share; private to them. */
#ifndef TUTTI_UNS_H
#define TUTTI_UNS_H

#include "base/clock.h"
#include "modules/uns/uns_tree.h"
#include "module/module.h"

enum {
    UNS_SAMPLES_MAX = 65536,  /* waiting for the disk; more are dropped and counted */
    UNS_SAMPLES_BATCH = 8192, /* that many are handed over at once */
    UNS_WATCHES_MAX = 4096,
    UNS_WATCH_PATHS_MAX = 5000,
    UNS_ADDED_NAMED_MAX = 100,
    UNS_ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX,
};

typedef struct UnsConf {
    int64_t path_count_max, stale_ms, sample_every_ms, keep_ms, retention_ms;
} UnsConf;

typedef struct UnsSample {
    int64_t series, t_ms;
    double value;
    uint8_t quality;
    bool new_series;
    char *path; /* owned; only with new_series */
} UnsSample;

typedef struct UnsWatch UnsWatch;

typedef struct Uns {
    const ModEnv *env;
    UnsTree tree;
    Arena *arena; /* of one publish */
    Str topic;    /* of the publish being read */
    int64_t received_ns;
    uint64_t publishes, limit_logged;
    /* watches */
    UnsWatch *watches;
    uint32_t watch_count;
    uint64_t watch_serial;
    LoopTimer *lease_timer;
    /* news for uns.changed */
    LoopTimer *changed_timer;
    UnsNode *added[UNS_ADDED_NAMED_MAX];
    uint32_t added_count;
    UnsNode *announced; /* last node that existed when news went out */
    /* what waits for the disk */
    UnsSample *samples;
    uint32_t sample_count, sample_cap;
    UnsNode *dirty_first, *dirty_last;
    LoopTimer *keep_timer;
    LoopTimer *trim_timer;
    int64_t series_next;
    uint64_t samples_written, samples_dropped, keep_failures;
    uint32_t jobs; /* store jobs under way */
    bool keep_now, draining;
    DoneFn *drained;
    void *drained_ctx;
} Uns;

static inline const UnsConf *uns_conf(const Uns *uns)
{
    return uns->env->conf;
}

/* Answers with what the writer holds; fails the request when it did not fit. */
void uns__answer(Req *req, Buf *body);
/* Fields of a node into an open object. */
void uns__put_node(const Uns *uns, JsonOut *out, const UnsNode *node, bool with_value);
void uns__put_value(JsonOut *out, const UnsValue *value);

/* uns_read.c */
void uns__op_tree(void *self, Req *req);
void uns__op_get(void *self, Req *req);
void uns__op_search(void *self, Req *req);
void uns__op_stats(void *self, Req *req);

/* uns_watch.c */
void uns__op_watch(void *self, Req *req);
void uns__op_unwatch(void *self, Req *req);
void uns__op_snapshot(void *self, Req *req);
void uns__watch_added(Uns *uns, UnsNode *node); /* its first value: whose filter fits? */
void uns__watches_close(Uns *uns);

/* uns_keep.c: last values and samples to the disk */
void uns__keep_value(Uns *uns, UnsNode *node); /* after uns_node_set */
MUST Status uns__keep_load(Uns *uns, Diag *diag);
void uns__keep_flush(Uns *uns); /* hands over all that waits */
void uns__job_done(Uns *uns);   /* one of `jobs` came back */
void uns__trim(void *ctx);

/* uns_history.c, uns_record.c */
void uns__op_history(void *self, Req *req);
void uns__op_record(void *self, Req *req);
void uns__op_tables(void *self, Req *req);
void uns__op_query_table(void *self, Req *req);

#endif
