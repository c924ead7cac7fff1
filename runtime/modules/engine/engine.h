/* runtime/modules/engine/engine.h: what the files of the engine share; nobody else includes it.
 *
 * Two kinds of threads meet here. The loop's thread (the "main" side) owns pipelines, sources,
 * versions and everything a person asks for. Each shard is a thread with a loop of its own and owns
 * the running instances. They share nothing but the queue of a pipeline (queue.c), its numbers
 * (EngLive, under a lock) and posted messages. One batch goes this way:
 *
 *   broker, connector, reader --push--> EngQueue --take--> shard: flow_feed --> files, stdout
 *        ^                                                   | EngOut (rows for the others)
 *        +------ ack after commit <---- main: broker, historian, connectors, dead letters
 *
 * A source's message is acknowledged when every sink of its batch has committed or the record lies
 * in the dead-letter table. Order of files to read: engine.c, deploy.c, pipe.c, shard.c, out.c. */
#ifndef TUTTI_MODULES_ENGINE_ENGINE_H
#define TUTTI_MODULES_ENGINE_ENGINE_H

#include "ask/ask.h"
#include "base/cron.h"
#include "base/hash.h"
#include "flow/instance.h"
#include "module/module.h"
#include "module/compiler.h"
#include "mqtt/broker.h"

#include <stdatomic.h>

enum {
    ENGINE_BATCH_ITEMS = 1024,
    ENGINE_BATCH_BYTES = 1 << 20,  /* a batch takes no more records above it */
    ENGINE_RECORD_BYTES = 4 << 20, /* of one record */
    ENGINE_QUEUE_BATCHES = 16,     /* waiting for a shard, per pipeline */
    ENGINE_FLIGHT_MAX = 8,         /* batches whose sinks have not all committed, per pipeline */
    ENGINE_WINDOW = 1024,          /* unacknowledged messages per source */
    ENGINE_SHARDS_MAX = 8,
    ENGINE_PIPES_MAX = 1000,
    ENGINE_SOURCES_MAX = 32, /* of one pipeline */
    ENGINE_WIRES_MAX = 512,
    ENGINE_TEXT_BYTES_MAX = 512 << 10,
    ENGINE_NAME_BYTES_MAX = 128,
    ENGINE_OUT_BYTES = 64 << 20, /* rows of one piece for one sink: one row always fits */
    ENGINE_OUT_ROLL = 4 << 20,   /* above it a batch's rows go on in pieces */
    ENGINE_PIECES_MAX = 64,      /* of batches, made and not committed, per pipeline */
    ENGINE_HOOKS_MAX = 1024,     /* requests that wait for their answers */
    ENGINE_FILES_MAX = 16,       /* open for writing, per pipeline */
    ENGINE_TAP_BYTES = 2048,
    ENGINE_WATCHES_MAX = 1000,
    ENGINE_WATCH_LEASE_MS = 60000,
    ENGINE_DRAIN_MS = 5000,
    ENGINE_SETTLE_MS = 2000, /* for the dead-letter table, once the shard has let go */
};

/* Where rows of `into stream` go in the broker; clients cannot publish there. */
#define ENGINE_STREAMS "$tutti/streams/"

typedef struct Engine Engine;
typedef struct EngPipe EngPipe;
typedef struct EngOut EngOut;
typedef struct EngShard EngShard;
typedef struct EngCarrier EngCarrier;

/* ---- what waits for a shard (queue.c) ---- */

typedef enum EngTokenKind {
    TOKEN_NONE,
    TOKEN_MQTT,
    TOKEN_SEQ,
    TOKEN_DEAD,
    TOKEN_HTTP,
    TOKEN_ROW,    /* of a table: its number, */
    TOKEN_ROW_OLD /* or the row id behind it, of a row without a number */
} EngTokenKind;

typedef struct EngToken { /* how a record is acknowledged */
    uint64_t value;  /* broker token, connector sequence, row of the dead-letter table, request */
    uint32_t serial; /* SEQ, ROW: of the subscription, because slots are used again */
    uint8_t kind;
    uint8_t slot; /* source slot of the pipeline */
    bool failed;  /* no record but why there is none */
} EngToken;

typedef struct EngItem {
    size_t at; /* payload, topic, key and headers lie behind each other in the batch's bytes */
    uint32_t len, topic_len, key_len;
    uint16_t headers_len;
    int64_t received_ns;
    EngToken token;
} EngItem;

typedef struct EngRecord { /* one on its way into the queue, which copies it */
    Str payload, topic, key;
    Str headers; /* a JSON object or empty; longer than an item can say it is dropped */
    int64_t received_ns;
} EngRecord;

typedef struct EngBatch {
    struct EngBatch *next;
    Buf bytes; /* RT_PAD_BYTES more are reserved behind */
    EngItem *items;
    uint32_t count;
    bool lines;  /* bytes are lines of source slot `slot`; no items */
    bool end;    /* the source in `slot` has ended */
    bool tokens; /* an item must be acknowledged: never dropped */
    uint8_t slot;
    int64_t received_ns;
} EngBatch;

typedef struct EngQueue {
    uv_mutex_t lock;
    uv_cond_t room;
    EngBatch *head, *tail, *spare;
    uint32_t batches, spares;
    bool woken, closed;
    uint64_t dropped;
} EngQueue;

MUST Status engine__queue_init(EngQueue *queue);
void engine__queue_done(EngQueue *queue);
/* Copies the record. A record without token makes room by dropping the oldest batch without
 * tokens, or is dropped itself; both are counted. *ret_wake: the shard must be posted to. */
MUST Status engine__queue_push(EngQueue *queue, const EngRecord *record, EngToken token,
                               bool *ret_wake);
/* Blocks while the queue is full: for reader threads. False: closed, stop reading. */
bool engine__queue_push_lines(EngQueue *queue, uint8_t slot, Str lines, bool end, bool *ret_wake);
/* Oldest batch, or NULL, and then the next push wakes again. */
EngBatch *engine__queue_take(EngQueue *queue);
void engine__queue_give(EngQueue *queue, EngBatch *batch); /* a taken one, done with */
/* How many items of the oldest batch are, from the front, the same records as those of `batch`, all
 * from the first source. */
uint32_t engine__queue_same(EngQueue *queue, const uint32_t *slot_source, const EngBatch *batch);
/* The oldest batch, of which what is behind the first `count` items stays; NULL: no memory. */
EngBatch *engine__queue_take_some(EngQueue *queue, uint32_t count);
/* What is behind the first `count` items of a taken batch goes back to the front. */
MUST bool engine__queue_keep(EngQueue *queue, EngBatch *batch, uint32_t count);
/* True when the caller must post: something waits and nobody is on the way. */
bool engine__queue_wake(EngQueue *queue);
void engine__queue_sleep(EngQueue *queue); /* the shard stops looking although something waits */
/* Waits before a sink is tried again; a closing queue ends it early. */
void engine__queue_pause(EngQueue *queue, uint32_t ms);
void engine__queue_close(EngQueue *queue); /* readers stop */
bool engine__queue_empty(EngQueue *queue);

/* ---- how far a pipeline has come in tables it reads (place.c) ---- */

enum { ENGINE_PLACE_HASH = 16 };

typedef struct EngPlace { /* behind row `n`; n is 0: rows without a number, from id `next` on */
    int64_t n, next;
} EngPlace;

#define ENGINE_PLACE_FIRST ((EngPlace){.next = INT64_MIN})

typedef struct EngPlaceKept { /* of one source */
    unsigned char hash[ENGINE_PLACE_HASH];
    bool used, dirty, left;
    uint64_t serial; /* of the entry in the file */
    EngPlace at;     /* what was made of the rows up to here is kept, by the sinks or the journal */
    EngPlace safe;   /* what the file says */
    EngPlace ahead;  /* left: this far was read when it was stopped; the rest waits in the queue */
} EngPlaceKept;

typedef struct EngPlaces { /* DATA/engine/NAME.places */
    uv_mutex_t lock;
    int fd;
    bool read;
    EngPlaceKept list[ENGINE_SOURCES_MAX];
} EngPlaces;

MUST Status engine__places_init(EngPlaces *places);
void engine__places_done(EngPlaces *places);
void engine__place_hash(Str identity, unsigned char ret_hash[ENGINE_PLACE_HASH]);
void engine__places_open(EngPipe *pipe); /* once; on main, before the first row */
/* Where a source goes on. */
EngPlace engine__place_start(EngPipe *pipe, const unsigned char *hash);
/* Where there is no place yet it is `at`, kept at once: an age is counted once. */
void engine__place_begin(EngPipe *pipe, const unsigned char *hash, EngPlace at);
/* Any thread. `safe`: the rows are with their sinks, so the file may say it. */
void engine__place_reached(EngPipe *pipe, const unsigned char *hash, EngPlace at, bool safe);
/* The source stops with rows in the queue, which the next start of this process finds there. */
void engine__place_left(EngPipe *pipe, const unsigned char *hash, EngPlace ahead);
void engine__place_forget(EngPipe *pipe, const unsigned char *hash);
/* Writes what is safe; `all`: everything, synced, because the journal goes. Returns errno. */
MUST int engine__places_write(EngPipe *pipe, bool all);
void engine__places_remove(const EngPipe *pipe);

/* ---- a compiled program (version.c) ---- */

typedef struct EngVersion { /* main counts references; freed on main */
    FlowProgram *program;
    atomic_int refs;
    uint32_t number;              /* of the program's text, from 1 */
    bool quick;                   /* made to run soon; tune.c replaces it by better code */
    bool learns;                  /* learn.c: from samples */
    const ProgramSample *samples; /* what it has learnt from; of `arena` */
    size_t sample_count;
    Str file, text, graph, problems; /* of `arena` */
    char hash[65];
    Arena *arena;
} EngVersion;

/* Compiles and loads, on a pool thread. *ret_version is NULL when the text is wrong; it does not
 * own `arena` yet. */
MUST Status engine__version_make(const ProgramCompiler *compiler, Arena *arena, Str file, Str text,
                                 ProgramLink link, const ProgramSample *samples,
                                 size_t sample_count, ProgramCompiled *ret_compiled,
                                 EngVersion **ret_version, Diag *diag);
/* ST_CONFLICT: with it streams would lead in a circle through pipelines of other programs. */
struct Engine;
MUST Status engine__circle(const struct Engine *engine, const RtProgram *program, Str file,
                           Diag *diag);
/* ---- alarms of programs (alarms.c) ---- */

/* All of a program, for those that the namespace has of it; NULL: none. `fn` as of bus_request. */
MUST Status engine__alarms_declare(const struct Engine *engine, Str file, const char *alarms,
                                   BusAnswerFn *fn, void *ctx);
/* Of the version that is in place; NULL: none. */
const char *engine__alarms_of(const struct Engine *engine, Str file);
void engine__alarms_back(const struct Engine *engine,
                         Str file);               /* a change of them came to nothing */
void engine__alarms_sweep(struct Engine *engine); /* those of programs that are not there */
/* deploy.c: the job at work is this program's. */
bool engine__job_is_about(const struct Engine *engine, Str file);

EngVersion *engine__version_ref(EngVersion *version);
void engine__version_unref(EngVersion *version); /* any thread; accepts NULL */

/* ---- a running instance: main makes it, then it is the shard's ---- */

typedef struct EngRun {
    EngPipe *pipe;
    EngVersion *version;
    FlowInstance *instance;
    Asker *asker;
    const RtPipelineInfo *info;
    const RtShare *share; /* pipelines of this program with one decoder; NULL = none */
    uint32_t share_at;    /* its place among them */
    EngOut *out;          /* what the batch at hand makes */
    bool rolled;          /* pieces of it have gone on already */
    bool answers;         /* it has requests to answer */
    bool muted;           /* fed again: its rows are with their sinks already */
    uint64_t seq;         /* of the batch at hand in the journal; 0 = none */
    int64_t time_ns; /* it was told that no record came before: what waited until then came then */
    uint32_t slot_source[ENGINE_SOURCES_MAX]; /* source slot -> index in info; UINT32_MAX = gone */
    struct EngRunPlace {                      /* by slot: of a table */
        uint32_t serial;                      /* 0: none */
        unsigned char hash[ENGINE_PLACE_HASH];
    } places[ENGINE_SOURCES_MAX];
    uint32_t ends_wanted, ends_seen;
    uint64_t *wire_before; /* counts one second ago */
    uint64_t *wire_base;   /* counts of the same version before it was tuned */
    RtRecord *records;     /* scratch of one batch */
} EngRun;

MUST Status engine__run_new(EngPipe *pipe, EngVersion *version, EngRun **ret_run, Diag *diag);
void engine__run_free(EngRun *run); /* accepts NULL */
void engine__run_feed(EngRun *run, const EngBatch *batch);
/* One batch through several runs of one share, each of which has the same records. */
void engine__run_feed_together(EngRun *const *runs, uint32_t count, const EngBatch *batch);
/* True when all that is in it comes from the source that the run's share is about. */
bool engine__run_can_share(const EngRun *run, const EngBatch *batch);
/* FlowHost.full: a sink's rows go on in the middle of a batch (shard.c). */
void engine__rows_full(void *run, FlowInstance *instance, uint32_t sink);
void engine__add_counters(RtCounters *sum, const RtCounters *n);

/* ---- rows on their way to sinks (out.c) ---- */

typedef struct EngPart {    /* the rows of one batch for one sink */
    const RtSinkInfo *sink; /* NULL: the dead-letter table */
    Buf bytes, aside;
    RtRow *rows;
    uint32_t count, cap;
    uint32_t next, waiting; /* rows sent, answers missing (main) */
    size_t written;         /* local sinks: bytes that are in the file */
    int64_t base;           /* and how long it was before; -1 = not known */
    EngOut *out;
    LoopTimer *retry;
    uint32_t tries;
    struct EngPart *behind; /* waits for the same carrier */
    uint8_t *refused;       /* carry.c: a bit for each row; heap */
    uint32_t refused_count;
    char why[200]; /* of the last one */
} EngPart;

struct EngOut {
    EngOut *next;
    EngPipe *pipe;
    EngVersion *version;
    EngPart *parts;
    uint32_t part_count; /* sinks + 1 */
    uint32_t pending;    /* parts not committed */
    Buf notes;           /* answers to requests (hook.c) */
    EngToken *tokens;
    uint32_t token_count;
    bool chained;    /* an earlier piece of its batch may not be committed yet */
    uint64_t seq;    /* in the journal, of the last piece of a batch that made rows */
    const char *why; /* local rows come to main only to be refused, with this reason */
};

MUST Status engine__out_new(EngRun *run, EngOut **ret_out);
void engine__out_free(EngOut *out);
void engine__out_commit(void *out);                              /* on main: LoopFn */
MUST Status engine__part_take(EngPart *part, const RtOut *rows); /* copies, all or nothing */

/* ---- sinks that wait (carry.c) ---- */

bool engine__carry_takes(const RtSinkInfo *sink);
/* Given back to engine__part_carried (LoopFn on main) when its rows are there or refused. */
MUST Status engine__carry(EngPart *part);
void engine__part_carried(void *part);
void engine__carriers_close(EngPipe *pipe); /* waits for their threads */
/* ST_INVALID: a table does not fit; on a thread that may wait. */
MUST Status engine__carry_check(const EngVersion *version, Diag *diag);

/* ---- files and standard output (local.c), on the shard ---- */

typedef struct EngFile {
    char *path; /* heap; NULL = free */
    int fd;
    bool regular;
} EngFile;

bool engine__local_takes(const RtSinkInfo *sink);
/* Goes on where the last call stopped; 0 or errno (EAGAIN: its reader is slow), with the sink's
 * name. Parts that are done are empty then. */
MUST int engine__local_write(EngPipe *pipe, EngOut *out, const char **ret_what);
/* What was not written will not be: `next` of its parts is the first row that is not whole. */
void engine__local_give_up(EngPipe *pipe, EngOut *out);
void engine__local_close(EngPipe *pipe); /* all handles */

/* ---- what a pipeline remembers (journal.c, state_file.c), on the shard ---- */

#define JOURNAL_ANY UINT64_MAX

typedef struct EngJournal { /* DATA/engine/NAME.journal */
    uv_mutex_t lock;        /* marks come from main */
    int fd;                 /* -1: this pipeline has none */
    uint64_t generation;    /* of the checkpoint it follows */
    uint64_t seq;           /* of the last batch in it */
    int64_t idle_ns;        /* time has gone on to since, without rows; 0: it has not */
    size_t bytes, limit;    /* above limit: a checkpoint is due */
    atomic_bool gone;       /* its files are another's: nothing is written any more */
    bool wanted;            /* a checkpoint as soon as no rows are on their way */
    bool broken;            /* what was written may not be on the disk: a checkpoint first */
    Buf buf;                /* the entry at hand */
} EngJournal;

void engine__journal_init(EngJournal *journal);
void engine__journal_done(EngJournal *journal);
/* True when a batch of this pipeline is written down before it is worked on. */
bool engine__journal_wants(const EngRun *run);
bool engine__remembers(const RtPipelineInfo *info);
/* Into a fresh instance: the checkpoint and what was fed since. pipe->run is `run` already. */
void engine__journal_open(EngPipe *pipe, EngRun *run);
void engine__journal_swap(EngPipe *pipe, const EngRun *old, EngRun *fresh);
void engine__journal_stop(EngPipe *pipe, const EngRun *run);
/* The pipeline is removed, and a new one may have its name soon: no file stays. On main. */
void engine__journal_forget(EngPipe *pipe);
/* Before a batch is fed: on the disk where somebody waits for an acknowledgement. Sets run->seq.
 * Returns errno; EAGAIN: once no rows are on their way. */
MUST int engine__journal_add(EngRun *run, const EngBatch *batch);
/* Time has gone on. Sets run->seq. */
void engine__journal_idle(EngRun *run, int64_t wall_ns, bool made_rows);
/* The rows of this batch are with their sinks; 0: it made none. Any thread. */
void engine__journal_mark(EngPipe *pipe, uint64_t seq);
/* Between batches: a checkpoint where one is due. False: feed nothing until rows have committed. */
bool engine__journal_tidy(EngPipe *pipe);
/* A batch out of the journal (shard.c): rows that are `done` are thrown away. */
void engine__run_again(EngRun *run, const EngBatch *batch, int64_t idle_ns, uint64_t seq,
                       bool done);

/* Returns errno. Nothing to remember is no error. */
MUST int engine__state_save(EngPipe *pipe, const EngRun *run, uint64_t generation,
                            size_t *ret_bytes);
/* Into a fresh instance; `once`: then the file goes. JOURNAL_ANY: it was damaged. */
void engine__state_load(EngPipe *pipe, EngRun *run, bool once, uint64_t *ret_generation);
void engine__state_remove(const EngPipe *pipe);
MUST int engine__state_sync_folder(const EngPipe *pipe);

/* ---- numbers both sides look at, under EngPipe.live_lock ---- */

typedef enum EngProblem {                      /* things that can be wrong at one time */
                          ENGINE_PROBLEM_FILE, /* a file or standard output cannot be written */
                          ENGINE_PROBLEM_SINK, /* another sink does not take rows */
                          ENGINE_PROBLEM_SOURCE,
                          ENGINE_PROBLEM_TABLE, /* reference data cannot be read again */
                          ENGINE_PROBLEM_STATE, /* open windows cannot be written down */
                          ENGINE_PROBLEM_ROWS,  /* rows were lost, for want of memory; stays */
                          ENGINE_PROBLEM__COUNT
} EngProblem;

typedef struct EngWireLive {
    uint64_t count;
    double rate;
    char *tap; /* heap; last record as JSON while watched */
    uint32_t tap_len;
    uint64_t tap_count;
    int64_t tap_ns;
} EngWireLive;

typedef struct EngLive {
    RtCounters n; /* of all instances since start */
    double in_rate, out_rate, error_rate;
    EngWireLive *wires;
    uint32_t wire_count;
    char error[512]; /* last error record, cut */
    uint64_t refused_files;
    char problem[ENGINE_PROBLEM__COUNT][256];  /* what is wrong now; empty = fine */
    int64_t problem_ns[ENGINE_PROBLEM__COUNT]; /* since when */
    int64_t commit_ns;                         /* wall clock of the last batch */
    uint32_t layouts;                          /* learnt layouts of the instance */
    char *sample;                              /* heap; for main to take (learn.c) */
    uint32_t sample_len;
} EngLive;

/* A new text is logged; the same one again is not. NULL: it is over. Any thread. */
void engine__problem(EngPipe *pipe, EngProblem which, const char *format, ...) PRINTF_LIKE(3, 4);
void engine__problem_over(EngPipe *pipe, EngProblem which);
/* Adds the pipeline's counters to the sum; true when something is wrong with it. */
bool engine__trouble(EngPipe *pipe, RtCounters *sum);

/* ---- a pipeline ---- */

typedef enum EngState {
    ENGINE_STOPPED,
    ENGINE_COMPILING,
    ENGINE_RUNNING,
    ENGINE_FAILED,
    ENGINE_DRAINING,
    ENGINE_STATE__COUNT
} EngState;

typedef struct EngSource {
    atomic_bool closing; /* a reader thread looks too */
    bool used, matched, open;
    bool headers;  /* a program reads meta.headers */
    bool troubled; /* its last record was an error: a failed poll, a lost connection */
    uint32_t serial;
    uint8_t slot;
    uint32_t index; /* into the program's sources */
    EngPipe *pipe;
    char *identity; /* kind, connection, address, options: equal = the same source goes on */
    MqttAttach *attach;
    char id[72]; /* of connectors.subscribe; empty = none */
    BusSub *sub;
    LoopTimer *retry;
    char *subscribe; /* body of connectors.subscribe, for trying again */
    uint64_t acked;
    bool ack_busy;
    uint64_t ack_wanted;
    uv_thread_t reader;
    bool has_reader, follow; /* follow: what is appended later, too */
    uint32_t format;         /* RtFormat of its records */
    char *path;              /* of a file; NULL: standard input */
    Arena *arena;            /* of what follows */
    int64_t every_ns, due_ns;
    Cron cron;
    const Tz *tz;
    Str hook_path, method; /* of requests; method empty: no such source */
    bool open_to_all;
    uint32_t body_max;
    /* of a table (table.c); `path` is its name */
    Str columns;
    unsigned char hash[ENGINE_PLACE_HASH];
    const Json *since, *age; /* ns: when the rows it begins with were written; or NULL */
    EngPlace asked;          /* rows up to here were pushed */
    uint32_t waiting;        /* pushed and not acknowledged */
    uint32_t follows;        /* serial of the one it replaced; 0: none */
    bool table, going, busy, news, replaced;
    enum { PLACE_BY_SINKS, PLACE_BY_JOURNAL, PLACE_NONE } keeps;
} EngSource;

struct EngPipe {
    Engine *engine;
    EngShard *shard;
    EngShard *own;     /* a pipeline that asks waits on a thread of its own; NULL = none */
    char *name, *file; /* heap; file: the program it came with */
    /* main only */
    EngState state;
    bool wanted; /* shall run, also after a restart */
    int64_t since_ms;
    char error[DIAG_TEXT_BYTES];
    EngVersion *version; /* what runs, or would run */
    EngCarrier *carriers;
    EngSource sources[ENGINE_SOURCES_MAX];
    EngOut *out_first, *out_last; /* waiting for commits, in order */
    uint32_t commands;            /* messages to the shard without an answer yet */
    uint32_t retrying;            /* parts of sinks that failed and are tried again */
    void (*on_idle)(EngPipe *pipe);
    Req *stop_req;
    uint32_t connect_serial;
    LoopTimer *drain_timer;
    bool learn_wanted;
    int64_t learn_pause_s; /* after the last time */
    /* shard only */
    EngRun *run;
    EngOut *held_first,
        *held_last; /* their files cannot be written now; nothing is fed meanwhile */
    LoopTimer *held_timer;
    uint32_t held_tries;
    EngBatch *stuck;               /* taken from the queue, and the journal cannot be written */
    bool then_stopped, then_ended; /* to be told once they are written */
    EngFile files[ENGINE_FILES_MAX];
    uint32_t next_file;
    int64_t tick_ns;
    RtCounters before;               /* of instances that were replaced */
    uint64_t learn_in, learn_missed; /* when it was last looked at */
    /* both */
    EngQueue queue;
    atomic_int flight; /* EngOut held, or given to main and not yet committed */
    atomic_uint watchers;
    atomic_llong learn_after_ns; /* not before this monotonic time; INT64_MAX: main is asked */
    atomic_bool halting;         /* main wants it stopped: a sink that cannot write gives up */
    uv_mutex_t live_lock;
    EngLive live;
    EngJournal journal;
    EngPlaces places;
};

MUST Status engine__pipe_new(Engine *engine, Str name, Str file, EngPipe **ret_pipe);
void engine__pipe_free(EngPipe *pipe);
EngPipe *engine__pipe_find(Engine *engine, Str name);
/* Starts, or replaces at a batch boundary, the instance of `pipe` by `run` (taken over). */
void engine__pipe_run(EngPipe *pipe, EngRun *run);
/* Lets the queue run empty, saves state, then calls on_idle (may be NULL) on main. */
void engine__pipe_stop(EngPipe *pipe, void (*on_idle)(EngPipe *pipe));
void engine__pipe_wake(EngPipe *pipe);                   /* any thread */
void engine__pipe_fail(EngPipe *pipe, const char *text); /* main: stops it as failed */
void engine__event(Engine *engine, const char *subject, const EngPipe *pipe);

/* Finds a slot for each source of `run`: an equal one goes on, others wait to be opened; slots no
 * longer wanted are marked closing. */
MUST Status engine__sources_plan(EngPipe *pipe, EngRun *run, Diag *diag);
/* Opens planned slots, of `run` or (NULL) of the version at hand. */
MUST Status engine__sources_start(EngPipe *pipe, EngRun *run, Diag *diag);
void engine__sources_trim(EngPipe *pipe, bool accept); /* closes what is marked closing */
void engine__sources_close_all(EngPipe *pipe);         /* marks all closing */
void engine__source_ack(EngPipe *pipe, const EngToken *token);
/* A record without acknowledgement, from main. */
void engine__source_push(EngSource *source, Str payload, int64_t received_ns);
MUST Status engine__source_push_token(EngSource *source, const EngRecord *record, EngToken token);

/* A request of a source: `fn` gets what engine__ask_source makes the source of, or NULL when it is
 * gone, and takes away. */
MUST Status engine__source_ask(EngSource *source, const char *subject, Str body, BusAnswerFn *fn);
EngSource *engine__ask_source(void *ctx, Status status);
void engine__source_recovered(EngPipe *pipe); /* no source is in trouble: the problem is over */

/* ---- tables of the historian (table.c) ---- */

MUST Status engine__table_open(EngSource *source, const RtSourceInfo *info, Diag *diag);
/* How it keeps its place with this run. */
void engine__table_plan(EngSource *source, const RtSourceInfo *info, EngRun *run);
/* Behind the plan: the same table read by other columns goes on where the one before stops. */
void engine__tables_replaced(EngPipe *pipe, EngRun *run);
void engine__tables_go(EngPipe *pipe); /* an instance runs: those that do not go yet go */
void engine__table_ack(EngPipe *pipe, const EngToken *token);
void engine__table_close(EngSource *source, bool accept);
EngPlace engine__token_place(const EngToken *token);
static inline bool engine__is_row(const EngToken *token)
{
    return token->kind == TOKEN_ROW || token->kind == TOKEN_ROW_OLD;
}

/* ---- periods, schedules, wishes (trigger.c) ---- */

MUST Status engine__trigger_open(EngSource *source, const RtSourceInfo *info, Diag *diag);
void engine__op_trigger(void *self, Req *req);

/* ---- requests to paths of pipelines (hook.c) ---- */

typedef struct EngHook EngHook;

MUST Status engine__hook_open(EngSource *source, const RtSourceInfo *info, Diag *diag);
EngSource *engine__hook_find(Engine *engine, Str method, Str path);
void engine__hook_notes(EngOut *out);      /* on the shard, before rows leave for their sinks */
void engine__hook_take_notes(EngOut *out); /* on main */
void engine__hook_done(Engine *engine, uint64_t serial); /* sends its answer */
void engine__hooks_end(EngPipe *pipe);                   /* what waits is answered: stopped */
void engine__op_hook(void *self, Req *req);

/* ---- connections (connection.c) ---- */

/* True when the connectors module serves this source or sink. */
bool engine__is_remote(const char *kind, const char *connection);
/* Members "connection" (or "name") of a request to connectors. */
MUST Status engine__connection_put(JsonOut *json, const RtProgram *program, const char *kind,
                                   const char *connection, const char *address, const char *options,
                                   Diag *diag);
/* Member "options" of connectors.subscribe. */
MUST Status engine__source_options_put(JsonOut *json, const char *options, Diag *diag);

/* ---- shards (shard.c) ---- */

struct EngShard {
    Engine *engine;
    Loop *loop;
    uv_thread_t thread;
    bool started;
    LoopTimer *tick;
    EngPipe *pipes[ENGINE_PIPES_MAX]; /* with a run; the shard's */
    uint32_t pipe_count;
};

MUST Status engine__shard_start(Engine *engine, EngShard **ret_shard);
void engine__shard_stop(EngShard *shard);
void engine__shard_drain(void *pipe);  /* LoopFn: works on the queue */
void engine__shard_run(void *command); /* LoopFn: EngCommand */
/* numbers.c: four times a second, on the shard. */
void engine__watch_wires(EngPipe *pipe, EngRun *run);
void engine__publish_numbers(EngPipe *pipe, int64_t now_ns);

/* FENCE does nothing: its answer says that no posted look at the queue is left on the shard. */
typedef enum EngCommandKind { COMMAND_RUN, COMMAND_STOP, COMMAND_FENCE } EngCommandKind;
typedef struct EngCommand { /* main -> shard -> main */
    EngCommandKind kind;
    EngPipe *pipe;
    EngRun *run;      /* RUN: in; afterwards the replaced one */
    uint32_t dropped; /* windows that did not fit */
    bool moved;
} EngCommand;
void engine__pipe_answer(void *command);      /* LoopFn on main */
void engine__pipe_stopped_itself(void *pipe); /* LoopFn on main: `stop above` */
void engine__pipe_ended(void *pipe);          /* LoopFn on main: bounded input is done */

/* ---- the module (engine.c) ---- */

/* While draining: reports when nothing runs any more. */
void engine__check_drained(Engine *engine);

typedef struct EngineConf {
    int64_t shards, keep_versions, dead_rows_max;
    Str mail_url, mail_from;
} EngineConf;

typedef struct EngWatch {
    uint64_t id;
    Str pipeline; /* heap */
    uint32_t every_ms;
    uint64_t seq;
    int64_t lease_ns, last_ns;
    struct EngWatch *next;
} EngWatch;

struct Engine {
    const ModEnv *env;
    const EngineConf *conf;
    EngShard *shards[ENGINE_SHARDS_MAX];
    uint32_t shard_count, next_shard;
    uint32_t leaving; /* removed pipelines whose shard has not let go yet */
    EngPipe *pipes[ENGINE_PIPES_MAX];
    uint32_t pipe_count;
    EngWatch *watches;
    uint32_t watch_count;
    uint64_t watch_serial;
    LoopTimer *watch_timer;
    const ProgramCompiler *compiler;
    bool restored;
    atomic_bool closing;
    Req *restored_req[8];
    uint32_t restored_req_count, restore_left;
    struct EngJob *job, *jobs; /* at work; waiting */
    uint32_t job_count;
    struct EngAnswer *answers; /* deploys whose version is on its way to its shards */
    LoopTimer *tune_timer;
    struct EngTune *tune; /* at work */
    EngHook *hooks;       /* ENGINE_HOOKS_MAX of them, once somebody needs them */
    uint64_t hook_serial;
    Buf headers; /* of the message at hand, for meta.headers */
    DoneFn *drain_done;
    void *drain_ctx;
};

MUST Status engine__restore(Engine *engine, Diag *diag);
/* A stored program to be compiled and run when its turn comes. */
MUST Status engine__job_restore(Engine *engine, Str file, Str text, uint32_t number);
void engine__sort(Engine *engine); /* its pipelines, by name */
/* A program's name: its file's name without folder; made from the first pipeline when missing. */
Str engine__file_name(Arena *arena, Str file, Str text);
/* A statement without a result, on the store's thread; it must use all three parameters. */
MUST Status engine__bind_and_step(StoreConn *conn, const char *sql, Str a, Str b, int64_t c,
                                  Diag *diag);
void engine__deploy_go_on(Engine *engine); /* a shard has taken a version: jobs that wait */
/* Answers a deploy of `file`: when its version works (deployed.c). */
void engine__deployed(Engine *engine, Req *req, Str file, Str body);
void engine__deployed_look(Engine *engine);  /* a shard has done what it was told */
void engine__deployed_close(Engine *engine); /* answers all */
void engine__jobs_close(Engine *engine);     /* forgets those that wait */
void engine__jobs_abandon(Engine *engine);   /* and lets go of the one at work */
/* Once nothing was deployed for a moment: better code for the versions that were made quickly. */
void engine__tune_later(Engine *engine);
void engine__tune_close(Engine *engine);
/* learn.c. look: the shard, once a second; wanted: LoopFn on main; reset: another text runs; done:
 * better code runs, or could not be made. */
void engine__learn_look(EngPipe *pipe, const RtCounters *n);
void engine__learn_wanted(void *pipe);
void engine__learn_reset(EngPipe *pipe);
void engine__learn_done(EngPipe *pipe);
/* Takes the samples of all pipelines that run `old`. */
size_t engine__learn_samples(Engine *engine, const EngVersion *old, Arena *arena,
                             ProgramSample **ret_list);
void engine__op_check(void *self, Req *req);
void engine__op_preview(void *self, Req *req);
void engine__op_deploy(void *self, Req *req);
void engine__op_remove(void *self, Req *req);
void engine__op_versions(void *self, Req *req);
void engine__op_restored(void *self, Req *req);
void engine__op_list(void *self, Req *req);
void engine__op_lineage(void *self, Req *req); /* lineage.c */
void engine__op_get(void *self, Req *req);
void engine__op_start(void *self, Req *req);
void engine__op_stop(void *self, Req *req);
void engine__op_dead(void *self, Req *req);
void engine__op_replay(void *self, Req *req);
void engine__op_watch(void *self, Req *req);
void engine__op_unwatch(void *self, Req *req);
void engine__watches_close(Engine *engine);
void engine__watch_ended(Engine *engine, Str pipeline, const char *reason);
void engine__summary(const EngPipe *pipe, JsonOut *out, bool whole);
void engine__store_wanted(EngPipe *pipe);
/* Deletes these rows of the dead-letter table (tokens of kind TOKEN_DEAD). */
void engine__dead_delete(Engine *engine, const EngToken *tokens, uint32_t count);
/* Writes the error records of `part` (bytes and rows, read until `done`). */
MUST Status engine__dead_store(EngPart *part, StoreDoneFn *done, void *ctx);
void engine__part_done(EngPart *part);
void engine__part_again(EngPart *part, const char *why); /* the same part after a pause */

extern const StoreMigration engine__migrations[];

#endif
