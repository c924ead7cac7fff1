/* runtime/modules/uns/uns_notify.h: alarms told to people and machines; private to the module.
 *
 *   a change of a state ── routes (runtime/alarm) ──► notices, one per target
 *        │ the same batch, one transaction                 │
 *        ▼                                                 ▼
 *   journal, points, calls, outbox ── stored ──► each target's queue ──► a delivery
 *
 * A notice leaves when it is on the disk, and is forgotten there when its target took it: what is
 * stored as an alarm is told at least once, also after kill -9. A target has one delivery at a
 * time, on a thread of its own, so one that is away holds nobody up; MQTT is published on the loop.
 * Everything here is on the loop's thread but uns__deliver. */
#ifndef TUTTI_UNS_NOTIFY_H
#define TUTTI_UNS_NOTIFY_H

#include "alarm/notify.h"
#include "modules/uns/uns_alarm.h"
#include "module/secret.h"

enum {
    UNS_TARGETS_MAX = 50,
    UNS_HEADERS_MAX = 16,
    UNS_TARGET_TEXT_MAX = 2048, /* of one setting */
    UNS_EVENT_BYTES_MAX = 16 * 1024,
    UNS_WEBHOOK_GROUP_MAX = 200, /* notices in one request */
    UNS_MAIL_GROUP_MAX = 5000,   /* in one mail */
    UNS_MAIL_LINES_MAX = 100,    /* of them in words; the rest is counted */
    UNS_TESTS_MAX = 4,           /* at once */
    UNS_NOTIFY_ERROR_MAX = 300,
};

typedef enum UnsTargetKind { UNS_EMAIL, UNS_MQTT, UNS_WEBHOOK, UNS_TARGET__KINDS } UnsTargetKind;

typedef struct UnsHeader {
    Str name, value; /* value: a secret */
} UnsHeader;

/* What an administrator said about a target. */
typedef struct UnsTargetConf {
    Arena *arena; /* owned; holds it and its texts */
    Str name;
    UnsTargetKind kind;
    Str to, subject; /* email */
    Str topic;       /* mqtt: may hold {path} at its end, {rule}, {priority}, {state} before */
    Str filter;      /* mqtt: what that topic can be */
    bool retain;
    uint8_t qos;
    Str url, ca, secret; /* webhook; secret: key of the signature */
    UnsHeader headers[UNS_HEADERS_MAX];
    uint32_t header_count;
    int64_t group_ms; /* least time between two messages */
} UnsTargetConf;

typedef struct UnsNotice {
    struct UnsNotice *next;
    int64_t id, at_ms;
    Str event; /* JSON, behind the notice */
} UnsNotice;

typedef struct UnsDelivery UnsDelivery;

typedef struct UnsTarget {
    struct UnsTarget *next;
    Uns *uns;
    UnsTargetConf *conf; /* owned */
    UnsNotice *first, *last;
    uint32_t queued, tries;
    uint64_t serial;          /* of the event it was told last: several routes, one notice */
    UnsDelivery *delivery;    /* under way */
    LoopTimer *timer;         /* until the next try */
    int64_t next_ms, sent_ms; /* monotonic; sent_ms: of the last message */
    uint64_t sent, delivered, failures, refused, dropped, expired, grouped;
    int64_t success_ms, error_ms; /* wall; 0 = never */
    char error[UNS_NOTIFY_ERROR_MAX];
    bool troubled; /* its trouble was logged */
} UnsTarget;

/* One message on its way. */
struct UnsDelivery {
    UnsDelivery *next;
    Uns *uns;
    Arena *arena;              /* owned; holds it */
    UnsTarget *target;         /* NULL: it was dropped meanwhile, or this is a test */
    Req *req;                  /* of a test, else NULL */
    const UnsTargetConf *conf; /* copied */
    Str *events;
    uint32_t count;
    int64_t last_id, first_ms, last_ms;
    Str id; /* the same over all tries of the same notices */
    Str mail_url, mail_from;
    uv_thread_t thread;
    bool running; /* the thread is there */
    int64_t began_ns;
    Status status;
    Diag diag;
};

typedef enum UnsNotifyDo {
    UNS_CALL_KEEP,
    UNS_CALL_DROP,
    UNS_NOTICE_KEEP,
    UNS_NOTICE_END
} UnsNotifyDo;

/* What a batch of rows does beside them. */
typedef struct UnsNotifyOp {
    struct UnsNotifyOp *next;
    UnsNotifyDo what;
    AlarmCall call;
    int64_t id, at_ms;
    Str target, rule, path, event;
    AlarmPriority priority;
    AlarmState state;
    bool delivered;
    Str text; /* of the journal's entry */
} UnsNotifyOp;

struct UnsNotify {
    AlarmNotify *routes;
    UnsTarget *targets; /* by name */
    uint32_t target_count, tests;
    UnsDelivery *deliveries;
    SecretKey key;
    LoopTimer *timer; /* of the calls */
    int64_t armed_ms; /* wall: when it fires */
    int64_t next_id, stored_id;
    uint64_t serial;
    const AlarmEvent *event; /* the one being told of; NULL: time did it */
    atomic_bool halting;
};

/* uns_notify.c */
MUST Status uns__notify_open(Uns *uns, Diag *diag);
void uns__notify_close(Uns *uns);
void uns__notify_event(Uns *uns, const AlarmEvent *event); /* behind its row */
void uns__notify_arm(Uns *uns);
UnsTarget *uns__target(const Uns *uns, Str name);
/* Takes `conf`; a target of that name keeps its queue. */
MUST Status uns__target_put(Uns *uns, UnsTargetConf *conf, Diag *diag);
void uns__target_drop(UnsTarget *target);

/* uns_notify_keep.c */
MUST Status uns__notify_load(Uns *uns, StoreConn *conn, Diag *diag);
MUST Status uns__notify_write(StoreConn *conn, const UnsAlarmBatch *batch, Diag *diag);
/* Into the batch that gathers; false: it did not fit, and the disk will not know. */
bool uns__notify_op(Uns *uns, const UnsNotifyOp *op);

/* uns_notify_queue.c */
/* A notice at the end of the queue; `id` 0: a new one. */
UnsNotice *uns__notice_add(UnsTarget *target, int64_t id, int64_t at_ms, Str event);
void uns__notices_free(UnsTarget *target);
void uns__notify_stored(Uns *uns, int64_t last_id); /* notices up to it are on the disk */
void uns__pump(UnsTarget *target);                  /* sends what may go */
MUST Status uns__publish_event(Uns *uns, const UnsTargetConf *conf, Str event, Diag *diag);
void uns__test_answer(Req *req, Status status, const Diag *diag, int64_t began_ns);

/* uns_notify_send.c */
/* Starts it; uns__delivered comes later, and frees it. Takes it also on failure. */
void uns__delivery_start(UnsDelivery *delivery);
UnsDelivery *uns__delivery_new(Uns *uns, const UnsTargetConf *conf, uint32_t room);
void uns__deliveries_close(Uns *uns);
void uns__delivered(UnsDelivery *delivery); /* uns_notify_queue.c */

/* uns_notify_text.c */
MUST Status uns__deliver_mail(const UnsDelivery *delivery, Diag *diag);
MUST Status uns__deliver_web(const UnsDelivery *delivery, Diag *diag);
bool uns__delivery_halts(void *delivery);
/* Placeholders of a template from an event: {path} {name} {rule} {priority} {state} {event} {value}
 * {message}. `level`: what could end a level of a topic becomes _. */
void uns__fill_in(Buf *out, Str text, const Json *event, bool level);

/* uns_notify_target.c */
/* The Diag begins with the name of the field. `held`: what is there already, whose secrets stay
 * where the JSON does not tell them. */
MUST Status uns__target_read(const Json *json, const UnsTargetConf *held, UnsTargetConf **ret_conf,
                             Diag *diag);
MUST Status uns__target_copy(const UnsTargetConf *from, UnsTargetConf **ret_conf);
void uns__target_conf_free(UnsTargetConf *conf); /* accepts NULL; wipes secrets */
void uns__target_write(const UnsTargetConf *conf, bool whole, JsonOut *out); /* no secrets */
/* The secrets as JSON, "" where there are none; and back. */
void uns__target_secrets(const UnsTargetConf *conf, Buf *out);
/* A `held` of uns__target_read. */
MUST Status uns__target_unsealed(const Json *secrets, UnsTargetConf **ret_held);
const char *uns__target_kind(UnsTargetKind kind);

/* uns_notify_ops.c */
extern const Field uns__target_in[], uns__targets_out[], uns__test_out[], uns__route_in[],
    uns__routes_out[];
void uns__op_targets(void *self, Req *req);
void uns__op_target_put(void *self, Req *req);
void uns__op_target_drop(void *self, Req *req);
void uns__op_target_test(void *self, Req *req);
void uns__op_routes(void *self, Req *req);
void uns__op_route_put(void *self, Req *req);
void uns__op_route_drop(void *self, Req *req);

#endif
