/* runtime/modules/uns/uns_alarm.h: alarms over the namespace; private to the module.
 *
 * runtime/alarm knows rules and states; here they meet paths, the store and operators. Every change
 * of a state is a row: it goes into the journal and, as what is kept of its point, into a table
 * that puts the states back after a restart. Rows gather while a job is on its way, as samples do;
 * an operator is answered when the row of what he did is on the disk. */
#ifndef TUTTI_UNS_ALARM_H
#define TUTTI_UNS_ALARM_H

#include "alarm/alarm.h"
#include "modules/uns/uns.h"

enum {
    UNS_ALARM_ROWS_MAX = 65536, /* that wait for the disk; more are counted, their states stay */
    UNS_ALARM_RULES_MAX = 1000,
    UNS_ALARM_RULE_BYTES_MAX = 16 * 1024, /* of one as JSON */
    UNS_ALARM_ACTS_MAX = 1000,            /* alarms in one request */
};

/* A state that changed. */
typedef struct UnsAlarmRow {
    struct UnsAlarmRow *next;
    Str rule, path, who, text;
    AlarmState from;
    AlarmPriority priority;
    AlarmKept kept; /* afterwards; kept.state is where it went */
    int64_t at_ms;
    double value; /* of the path; NaN: no number */
} UnsAlarmRow;

/* An operator who waits for a batch. */
typedef struct UnsAlarmWaiter {
    struct UnsAlarmWaiter *next;
    Req *req;
    Str answer;
} UnsAlarmWaiter;

typedef struct UnsAlarmBatch {
    Uns *uns;
    Arena *arena; /* holds the batch too */
    UnsAlarmRow *first, *last;
    UnsAlarmWaiter *waiters;
    uint32_t count;
    struct UnsNotifyOp *first_op, *last_op;        /* uns_notify.h */
    struct UnsAlarmRename *first_name, *last_name; /* uns_alarm_rename.c: written before the rows */
    int64_t last_notice;                           /* id; 0 = none */
} UnsAlarmBatch;

struct UnsAlarms {
    Alarms *list;
    UnsAlarmBatch *gathering, *writing;
    LoopTimer *due_timer, *retry_timer, *tell_timer;
    int64_t armed_ms; /* monotonic: when due_timer fires */
    uint64_t rows_lost, failures, full_logged;
    bool flush_posted, loading;
    uint32_t rule_count;
};

static inline AlarmTime uns_alarm_now(void)
{
    return (AlarmTime){clock_monotonic_ns() / NS_PER_MS, clock_wall_ns() / NS_PER_MS};
}

/* uns_alarm.c */
MUST Status uns__alarms_open(Uns *uns, Diag *diag);
void uns__alarms_close(Uns *uns);
void uns__alarm_value(Uns *uns, UnsNode *node, bool first); /* after uns_node_set */
void uns__alarm_moved(Uns *uns, UnsNode *node);             /* it and its branch, renamed */
void uns__alarm_arm(Uns *uns);                              /* the timer, after anything happened */
/* A rule, new or changed, onto all paths it fits. */
MUST Status uns__alarm_put(Uns *uns, const AlarmRule *rule, Diag *diag);

/* uns_alarm_on.c */
bool uns__alarm_fits(const AlarmRule *rule, Str path);
MUST Status uns__alarm_check_on(const AlarmRule *rule, Diag *diag);

/* uns_alarm_keep.c */
MUST Status uns__alarms_load(Uns *uns, Diag *diag);
/* A table of alarms, read row by row at start; what a row says of the arena lasts for its call. */
typedef struct UnsAlarmTable {
    const char *sql;
    void (*fn)(Uns *uns, StoreStmt *stmt, Arena *arena);
} UnsAlarmTable;
MUST Status uns__alarm_read(Uns *uns, StoreConn *conn, const UnsAlarmTable *tables, size_t count,
                            Diag *diag);
void uns__alarm_row(void *ctx, const AlarmEvent *event); /* AlarmEventFn; ctx is the Uns */
/* Answers `req` when all rows so far are on the disk; at once when none waits. */
void uns__alarm_answer_kept(Uns *uns, Req *req, Buf *answer);
void uns__alarm_flush(Uns *uns);
UnsAlarmBatch *uns__alarm_gathering(Uns *uns); /* NULL: no memory */
void uns__alarm_want_flush(Uns *uns);          /* something is in it */
/* Entries of the journal that are too old, some at a time. */
MUST Status uns__alarm_trim(StoreConn *conn, int64_t before_ms, Diag *diag);

/* uns_alarm_rename.c */
MUST Status uns__alarm_write_names(StoreConn *conn, const UnsAlarmBatch *batch, Diag *diag);
void uns__op_alarm_rename(void *self, Req *req);
/* uns_alarm_rule.c: a rule may be changed by whoever declared it */
MUST Status uns__alarm_owned(const Uns *uns, Str name, Str origin, Diag *diag);

/* uns_alarm_ops.c, uns_alarm_journal.c */
void uns__op_alarms(void *self, Req *req);
void uns__op_alarm_act(void *self, Req *req);
void uns__op_alarm_rules(void *self, Req *req);
void uns__op_alarm_put(void *self, Req *req);
void uns__op_alarm_drop(void *self, Req *req);
void uns__op_alarm_declare(void *self, Req *req);
void uns__op_alarm_journal(void *self, Req *req);
void uns__op_alarm_stats(void *self, Req *req);
void uns__alarm_put_counts(const Uns *uns, JsonOut *out); /* into an open object */
/* Field "message": what the rule says, with its words filled in, or its name and `path`. */
void uns__alarm_put_message(const UnsNode *node, const AlarmRule *rule, Str path, JsonOut *out);

#endif
