/* runtime/modules/uns/uns.h: what the files of the uns module share; private to them. */
#ifndef TUTTI_UNS_H
#define TUTTI_UNS_H

#include "base/clock.h"
#include "modules/uns/uns_tree.h"
#include "module/module.h"
#include "series/server.h"

#include <stdatomic.h>

enum {
    UNS_SAMPLES_MAX =
        SERIES_BATCH_POINTS_MAX,            /* waiting for the disk; more are dropped and counted */
    UNS_SAMPLES_HOLD = UNS_SAMPLES_MAX / 2, /* publishers of QoS 1 and 2 are held */
    UNS_SAMPLES_BATCH = 8192,               /* that many are handed over at once */
    UNS_WATCHES_MAX = 4096,
    UNS_WATCH_PATHS_MAX = 5000,
    UNS_ADDED_NAMED_MAX = 100,
    UNS_RULES_MAX = 200, /* about how long history is kept */
    UNS_ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX,
};

typedef struct UnsConf {
    int64_t path_count_max, stale_ms, sample_every_ms, keep_ms, retention_ms, meta_bytes_max;
    int64_t alarm_count_max, shelve_max_ms, journal_ms;
    int64_t notify_queue_max, notify_age_ms, notify_retry_ms, notify_retry_max_ms;
    int64_t buffer_points, question_ms;
    Str historian;
    int64_t minutes_retention_ms, hours_retention_ms, upkeep_ms, late_ms;
} UnsConf;

/* A series that the disk does not know yet. */
typedef struct UnsName {
    int64_t series;
    char *path;   /* owned */
    UnsType type; /* of its first value; UNS_NONE: an import named it */
} UnsName;

typedef struct UnsWatch UnsWatch;
typedef struct UnsServer UnsServer;
typedef struct UnsAlarms UnsAlarms; /* uns_alarm.h */
typedef struct UnsNotify UnsNotify; /* uns_notify.h */

typedef struct Uns {
    const ModEnv *env;
    UnsTree tree;
    Arena *arena; /* of one publish */
    Str topic;    /* of the publish being read */
    int64_t received_ns;
    uint64_t publishes, limit_logged;
    uint64_t meta_bytes; /* metadata in memory */
    /* who writes (uns_lineage.c) */
    Map writers;
    struct UnsWriter *writer;       /* of the publish being read; NULL = unknown */
    struct UnsWriter **writer_list; /* owned, and what it lists; a node says place + 1 */
    uint32_t writer_count, writer_cap;
    Str publisher; /* of the publish being read, and its user */
    Str user;
    /* a branch that gets another name (uns_rename.c) */
    struct UnsRename *rename; /* under way; NULL = none */
    bool quiet;               /* what is published now is not looked at */
    /* watches */
    UnsAlarms *alarms; /* owned */
    UnsNotify *notify; /* owned */
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
    SeriesPoint *samples;
    UnsName *names;
    uint32_t sample_count, sample_cap, name_count, name_cap;
    uint64_t mark;    /* of the samples that gather; those before it were handed over */
    uint64_t wanted;  /* up to here publishers wait */
    uint64_t sampled; /* mark of the last sample of the publish being read; 0 = it left none */
    bool writing;     /* samples are on their way: the next ones gather until they are there */
    bool rows_due, flush_posted, holding;
    bool rows_asked;    /* a question waits for them: as many as a round has go at once */
    uint32_t rows_left; /* that this round of last values may still have */
    uint32_t untidied;  /* batches */
    LoopTimer *retry_timer;
    void *retrying;                     /* the batch that waits for it */
    SeriesWork *write_work, *read_work; /* of the store's two threads, made by their first job */
    bool tidying;
    UnsNode *dirty_first, *dirty_last;
    UnsNode *pass_last;   /* when its row is written, those of samples up to pass_segment are */
    int64_t pass_segment; /* of runtime/series */
    LoopTimer *keep_timer;
    uint32_t tidy_count; /* names when memory was given back */
    LoopTimer *trim_timer;
    int64_t trimmed;         /* retention was looked at up to this series */
    int64_t import_until_ns; /* by the monotonic clock: an import runs, nothing is forgotten */
    int64_t series_next;
    uint64_t samples_written, samples_dropped, keep_failures;
    uint64_t keep_tries;           /* of the batch that the disk does not take; 0: it takes them */
    uint32_t jobs;                 /* store jobs under way */
    UnsServer *server;             /* of the history; NULL: the file */
    bool server_full, server_over; /* much waits for it; too much, samples are dropped */
    uint32_t sql_running;
    atomic_bool sql_halting;
    bool keep_now, draining;
    DoneFn *drained;
    void *drained_ctx;
} Uns;

/* Milliseconds as nanoseconds; what lies outside 1677 .. 2262 becomes the end of that time. */
static inline int64_t uns_ns(int64_t ms)
{
    int64_t ns;
    if (__builtin_mul_overflow(ms, NS_PER_MS, &ns)) return ms < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static inline const UnsConf *uns_conf(const Uns *uns)
{
    return uns->env->conf;
}

/* uns_surface.c, uns_migrations.c: tables of the module */
extern const ModOp uns__ops[];
extern const ModPub uns__pubs[];
extern const ModRoute uns__routes[];
extern const StoreMigration uns__migrations[];

/* uns.c */
void uns__op_publish(void *self, Req *req);

/* Fields of a node into an open object. */
void uns__put_node(const Uns *uns, JsonOut *out, const UnsNode *node, bool with_value);
void uns__put_value(JsonOut *out, const UnsValue *value);

/* Tells of nodes that are new since the last call. */
void uns__added(Uns *uns);

/* uns_meta.c */
/* Takes it unless it fails; NULL = none. */
MUST Status uns__meta_give(Uns *uns, UnsNode *node, struct UnsMeta *meta);
MUST Status uns__meta_load(Uns *uns, StoreConn *conn, Diag *diag);
typedef struct UnsStale {
    int64_t after_ms, age_ms;
    bool is, by_source; /* by_source: the age is that of the source's time */
} UnsStale;
UnsStale uns__stale(const Uns *uns, const UnsNode *node);
void uns__op_meta_set(void *self, Req *req);

/* uns_import.c, uns_template.c */
void uns__op_names_import(void *self, Req *req);
void uns__op_names_csv(void *self, Req *req);
void uns__op_names_json(void *self, Req *req);
void uns__op_templates(void *self, Req *req);
void uns__op_instantiate(void *self, Req *req);

/* uns_quality.c */
void uns__op_quality(void *self, Req *req);

/* uns_rename.c */
void uns__op_rename(void *self, Req *req);
void uns__rename_ready(Uns *uns); /* nothing is on its way to the disk: it may begin */

/* uns_lineage.c */
void uns__wrote(Uns *uns, UnsNode *node); /* the publish being read gave it a value */
void uns__writers_free(Uns *uns);
void uns__op_lineage(void *self, Req *req);

/* uns_read.c */
void uns__op_tree(void *self, Req *req);
void uns__op_outline(void *self, Req *req);
void uns__op_get(void *self, Req *req);
void uns__op_search(void *self, Req *req);
void uns__op_changing(void *self, Req *req);
void uns__op_stats(void *self, Req *req);

/* uns_watch.c */
void uns__op_watch(void *self, Req *req);
void uns__op_unwatch(void *self, Req *req);
void uns__op_snapshot(void *self, Req *req);
void uns__watch_added(Uns *uns, UnsNode *node); /* its first value: whose filter fits? */
void uns__watches_close(Uns *uns);
void uns__watches_renew(Uns *uns); /* paths changed: each watch looks for its nodes anew */

/* uns_keep.c: last values and samples to the disk, uns_load.c: and back; uns_series.c: what becomes
 * of the samples */
void uns__keep_value(Uns *uns, UnsNode *node); /* after uns_node_set */
void uns__keep_row(Uns *uns, UnsNode *node);   /* its last value alone, with the next flush */
int64_t uns__sample_time_ns(const Uns *uns, const UnsNode *node); /* of a sample of its value */
MUST Status uns__keep_load(Uns *uns, Diag *diag);
void uns__keep_flush(Uns *uns); /* hands over all that waits */
void uns__keep_soon(Uns *uns);  /* the same after keep_every; without memory the next value does */
/* The same, and fn when it is on the disk or was refused (which is reported there): before a
 * question that must see it. One of `jobs`: its end calls uns__job_done, unless this failed. */
MUST Status uns__keep_then(Uns *uns, StoreDoneFn *fn, void *ctx);
void uns__keep_go(Uns *uns); /* what had to wait for a rename */
void uns__keep_want(void *ctx, uint64_t mark);
void uns__keep_close(Uns *uns);
void uns__job_done(Uns *uns); /* one of `jobs` came back */
void uns__tidy(Uns *uns);
MUST Status uns__write_samples(StoreConn *conn, Uns *uns, SeriesPoint *points, uint32_t count,
                               const UnsName *names, uint32_t name_count, Diag *diag);
/* Samples that an older version wrote, into the series; once. */
MUST Status uns__move_samples(StoreConn *conn, Uns *uns, Diag *diag);

/* uns_rules.c: how long history is kept */
MUST Status uns__rules_start(Uns *uns, Diag *diag); /* blocking, before the loop runs */
void uns__trim(void *ctx);
/* For a job: works out roll-ups for some milliseconds. */
MUST Status uns__roll(StoreConn *conn, Uns *uns, bool *ret_more, Diag *diag);
void uns__op_rules(void *self, Req *req);
void uns__op_rules_set(void *self, Req *req);

/* Gives the node its series, whose name goes with the next samples; false without memory. */
bool uns__name_series(Uns *uns, UnsNode *node);

/* uns_server.c */
MUST Status uns__server_open(Uns *uns, Diag *diag); /* blocking, before the loop runs */
void uns__server_close(Uns *uns);
void uns__server_kick(Uns *uns, uint64_t points); /* so many are new in the file */
/* A round of upkeep of the server; uns_rules.c makes it. */
typedef struct UnsUpkeep {
    Arena *arena; /* holds the rest */
    struct Rules *rules;
    SeriesKeep *series; /* the next thousand */
    uint32_t series_count;
    int64_t now_ns;
    int64_t longest_ns, rolls_longest_ns; /* what the most patient rule keeps: points, roll-ups */
    bool importing;
} UnsUpkeep;
void uns__upkeep_free(UnsUpkeep *round);                                  /* accepts NULL */
void uns__upkeep_policy(void *round, Str path, SeriesPolicy *ret_policy); /* any thread */
void uns__server_upkeep(Uns *uns, UnsUpkeep *round);                      /* takes it */
void uns__server_stats(const Uns *uns, JsonOut *out);
struct SeriesServer *uns__server_base(const Uns *uns);
void uns__server_full(Uns *uns, bool full, bool over); /* uns_keep.c: holds publishers */

/* uns_sql.c */
void uns__op_sql(void *self, Req *req);
void uns__op_sql_csv(void *self, Req *req);

/* uns_csv.c */
void uns__op_export(void *self, Req *req);
void uns__op_import(void *self, Req *req);
void uns__csv_text(Buf *out, Str text); /* in quotes where RFC 4180 wants them */

/* uns_query.c: one path's points, steps, moments */
void uns__op_points(void *self, Req *req);
void uns__op_steps(void *self, Req *req);
void uns__op_moments(void *self, Req *req);
/* uns_when_read to the nanosecond. */
bool uns__when(Str text, int64_t now_ns, int64_t *ret_ns);

/* uns_history.c, uns_record.c */
void uns__op_history(void *self, Req *req);
/* The working memory in *slot, made when it is missing; for jobs of the thread that owns it. */
MUST Status uns__series_work(SeriesWork **slot, Diag *diag);
MUST Status uns__read_work(Uns *uns, Diag *diag); /* that of questions */
void uns__op_record(void *self, Req *req);
void uns__op_tables(void *self, Req *req);
void uns__op_query_table(void *self, Req *req);
bool uns__table_name(Str name);
void uns__op_rows(void *self, Req *req); /* uns_rows.c */

#endif
