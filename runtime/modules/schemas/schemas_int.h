/* runtime/modules/schemas/schemas_int.h: what the files of this module share; private to them.
 *
 * A Schema is a name with versions; a version is a text of types, the one of them that is meant,
 * and the decoder made from it. A Binding puts a schema on a topic filter. All of it is in memory,
 * changed after the disk has it. Nothing here is shared with another thread. */
#ifndef TUTTI_SCHEMAS_INT_H
#define TUTTI_SCHEMAS_INT_H

#include "base/buf.h"
#include "base/clock.h"
#include "flow/fit.h"
#include "module/module.h"

enum {
    SCHEMA_COUNT_MAX = 1000,
    SCHEMA_VERSIONS_MAX = 100,
    SCHEMA_NAME_BYTES_MAX = 64,
    SCHEMA_TEXT_BYTES_MAX = 64 * 1024,
    SCHEMA_FORM_BYTES_MAX = 512 * 1024,
    SCHEMA_DEPTH_MAX = 16, /* of records inside each other */
    BINDING_COUNT_MAX = 1000,
    FILTER_BYTES_MAX = 1024,
    SCHEMA_ANSWER_BYTES_MAX = BUS_BODY_BYTES_MAX,
    CACHE_SLOTS = 8192, /* topics whose binding is known; a power of two */
    VIOLATION_TOPIC_BYTES = 512,
    VIOLATION_HEAD_BYTES = 256,
    VIOLATION_NAME_BYTES = 96,
};

typedef struct SchemaVersion {
    struct Schema *schema;
    int64_t version, at_ms;
    Str text, root, form, by; /* in the arena */
    bool closed;              /* unknown members are refused */
    Arena *arena;             /* owned */
    const Json *json;         /* the form, read */
    Str alarm_text;
    const Json *alarms; /* list of rules, each `on` a field or empty */
    RtField field;
    FlowFit *fit; /* owned; made with the first binding */
} SchemaVersion;

typedef struct Schema {
    char name[SCHEMA_NAME_BYTES_MAX + 1];
    SchemaVersion *versions[SCHEMA_VERSIONS_MAX]; /* owned; oldest first */
    uint32_t count;
} Schema;

typedef struct Binding {
    char *filter; /* owned */
    size_t filter_len;
    Schema *schema;
    int64_t version; /* 0: always the newest */
    bool strict;
    char by[SCHEMA_NAME_BYTES_MAX + 1];
    int64_t at_ms, last_ms; /* last_ms: of the last violation */
    uint64_t checked, violations;
    SchemaVersion *now;
} Binding;

typedef struct Violation {
    uint64_t id;
    int64_t at_ms, version;
    char schema[SCHEMA_NAME_BYTES_MAX + 1];
    char topic[VIOLATION_TOPIC_BYTES], head[VIOLATION_HEAD_BYTES];
    char client[VIOLATION_NAME_BYTES], user[VIOLATION_NAME_BYTES], field[VIOLATION_NAME_BYTES];
    uint16_t topic_len, head_len, client_len, user_len, field_len;
    uint32_t payload_bytes;
    bool strict;
    const char *reason, *message; /* constant texts */
} Violation;

/* Which binding a topic has; NULL too is an answer. */
typedef struct CacheSlot {
    char *topic; /* owned */
    uint32_t len, cap;
    uint64_t generation;
    Binding *binding;
} CacheSlot;

typedef struct SchemasConf {
    int64_t violations_max;
} SchemasConf;

typedef struct Schemas {
    const ModEnv *env;
    Schema *list[SCHEMA_COUNT_MAX]; /* owned; by name */
    uint32_t count;
    Binding *bindings[BINDING_COUNT_MAX]; /* owned; the most specific first */
    uint32_t binding_count;
    Str stem;         /* what all bound topics begin with; points into the first filter */
    CacheSlot *cache; /* owned; CACHE_SLOTS, made with the first binding */
    uint64_t generation;
    Violation *ring;           /* owned; violations_max, made with the first violation */
    uint64_t violated, stored; /* numbers of the last one, and of the last one on disk */
    uint64_t refused;
    int64_t logged_ms;
    LoopTimer *store_timer;
    bool storing, draining;
    uint32_t jobs;
    DoneFn *drained;
    void *drained_ctx;
    char why[512]; /* of the last refusal */
} Schemas;

static inline const SchemasConf *schemas_conf(const Schemas *self)
{
    return self->env->conf;
}

/* schemas.c */
void schemas__job_done(Schemas *self);
void schemas__changed(Schemas *self, const char *what, Str name);

/* schema_form.c: from the form to what a decoder reads */
MUST Status schemas__form_field(Arena *arena, const Json *form, RtField *ret_field, Diag *diag);
/* The decoder, made when it is not there yet. */
MUST Status schemas__fit(SchemaVersion *version, Diag *diag);

/* schema_diff.c: what a new version changes, as a list of objects; true: what fitted the old one
 * fits the new one, and means the same. *ret_any: anything changed. */
bool schemas__diff(const SchemaVersion *old, const SchemaVersion *new, JsonOut *out, bool *ret_any);

/* schema_store.c: schemas and their versions */
Schema *schemas__find(const Schemas *self, Str name);
SchemaVersion *schemas__version(const Schema *schema, int64_t version); /* 0: the newest */
MUST Status schemas__load(StoreConn *conn, void *ctx, Diag *diag);
void schemas__free(Schemas *self);
void schemas__op_list(void *self, Req *req);
void schemas__op_get(void *self, Req *req);
void schemas__op_save(void *self, Req *req);
void schemas__op_check(void *self, Req *req);
void schemas__op_remove(void *self, Req *req);
void schemas__op_try(void *self, Req *req);

/* schema_bind.c: which schema a topic has */
MUST Status schemas__bindings_load(Schemas *self, StoreConn *conn, Diag *diag);
Binding *schemas__binding_of(Schemas *self, Str topic);
bool schemas__is_bound(const Schemas *self, const Schema *schema, int64_t version);
/* Versions that bindings follow, and the cache, anew. */
MUST Status schemas__rebind(Schemas *self, Diag *diag);
void schemas__bindings_free(Schemas *self);
void schemas__op_bindings(void *self, Req *req);
void schemas__op_bind(void *self, Req *req);
void schemas__op_unbind(void *self, Req *req);
void schemas__op_of(void *self, Req *req);

/* schema_alarms.c */

/* Something that is about to happen to a schema; what it does not name stays. */
typedef struct SchemaChange {
    const SchemaVersion *newest; /* a version that will be the newest; NULL: as it is */
    Str filter;                  /* of the binding that comes, goes or becomes another */
    const Binding *binding;      /* what it will be; NULL: it goes */
} SchemaChange;

bool schemas__has_alarms(const Schema *schema, const SchemaChange *change);
/* Tells the namespace which alarms the schema declares, once `change` is made (NULL: now). `fn` as
 * of bus_request. */
MUST Status schemas__alarms_declare(const Schemas *self, const Schema *schema,
                                    const SchemaChange *change, BusAnswerFn *fn, void *ctx);
void schemas__alarms_tell(Schemas *self, const Schema *schema); /* what is, after any change */
void schemas__alarms_start(Schemas *self);

/* schema_check.c: every publish */
void schemas__hook(Schemas *self); /* into the broker, or out of it when nothing is bound */

/* schema_violations.c */
void schemas__violation(Schemas *self, const Binding *binding, Str topic, Str payload, Str client,
                        Str user, const FlowUnfit *unfit);
MUST Status schemas__violations_load(Schemas *self, StoreConn *conn, Diag *diag);
void schemas__violations_flush(Schemas *self);
void schemas__op_violations(void *self, Req *req);
void schemas__op_forget(void *self, Req *req);
void schemas__op_stats(void *self, Req *req);

#endif
