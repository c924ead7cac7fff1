/* runtime/module/module.h: the contract of a module: one const table that says everything.
 *
 * The host (host.h) reads the table and does all registering: configuration, migrations, bus
 * subscriptions, HTTP routes, permission checks. A module file ends with its tables, so that a
 * reader sees the whole surface on one screen. Modules never include each other's headers: they
 * send messages. The same table serves Lite (all modules, local bus) and Enterprise (one module,
 * NATS). */
#ifndef TUTTI_MODULE_MODULE_H
#define TUTTI_MODULE_MODULE_H

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "bus/bus.h"
#include "loop/loop.h"
#include "store/store.h"

enum { MODULE_ABI = 1 };

/* Roles an op may ask for; an administrator has all of them. ROLE_NONE = anyone, also signed out.
 */
typedef enum AuthRole {
    ROLE_NONE = 0,
    ROLE_VIEW = 1,     /* read values, pipelines, dashboards */
    ROLE_OPERATE = 2,  /* start, stop, acknowledge */
    ROLE_ENGINEER = 4, /* change pipelines, connections, dashboards */
    ROLE_ADMIN = 8,    /* users, settings */
    ROLE_SYSTEM = 16,  /* other modules only, never from the edge */
} AuthRole;

typedef enum FieldType {
    FIELD_STR,
    FIELD_INT,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_TIME, /* RFC 3339 text */
    FIELD_OBJECT,
    FIELD_ARRAY,
    FIELD_ANY
} FieldType;

enum { FIELD_REQUIRED = 1, FIELD_SECRET = 2 };

/* A schema is a list of fields ended by a row without name. It checks inputs, and OpenAPI, forms
 * and docs come from it. An input field that is not listed is refused. */
typedef struct Field {
    const char *name;
    FieldType type;
    uint32_t flags;
    double min,
        max; /* numbers: value; strings: bytes; arrays: items; both 0 = the type's own limit */
    const char *doc;
} Field;

/* What the host lends a module until close() returned. */
typedef struct ModEnv {
    Loop *loop;
    Bus *bus;
    Store *store; /* the module's own tables; NULL when it has no migrations */
    Log *log;
    const void *conf;          /* the struct its conf rows fill */
    const char *data_dir;      /* for files that are not SQL */
    struct MqttBroker *broker; /* the embedded broker; NULL where MQTT is external */
    struct Host *host;
} ModEnv;

/* A request as a module sees it: input parsed and checked, answered exactly once. */
typedef struct Req {
    Arena *arena;   /* dies with the answer */
    const Json *in; /* object matching the op's `in` (route parameters are merged into it) */
    BusCaller caller;
    const struct ModOp *op;
    void *host_private;
} Req;

/* Both consume the request. The body is built in a Buf or handed over as text of a JSON value. */
void req_answer(Req *req, Str json);
/* Answers with what a writer left in `body`, or fails the request when that did not fit; empties
 * `body`, which may live in the request's own arena. */
void req_answer_buf(Req *req, Buf *body);
void req_fail(Req *req, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* A failure that needs more than a sentence: a JSON object with "error": {"code","text"} and what
 * else helps; the gateway sends it as the body. */
void req_fail_json(Req *req, Status status, Str json);

enum {
    OP_READ = 1,
    OP_DURABLE = 2,
    OP_RAW = 4, /* answer is not JSON: see ModRoute.type */
    /* Answers {"text","next"}: over HTTP the texts are one body of ModRoute.type, the op being
     * asked again with "after" = next until that is null. */
    OP_PAGES = 8,
};

typedef struct ModOp {                /* a request this module answers */
    const char *subject;              /* "uns.get": module, dot, verb */
    void (*fn)(void *self, Req *req); /* answers now or later, exactly once */
    const Field *in, *out;            /* NULL = nothing */
    uint32_t timeout_ms, role, flags;
    const char *doc;
} ModOp;

typedef struct ModSub { /* an event stream it listens to */
    const char *subject;
    void (*fn)(void *self, const BusMsg *msg);
    uint32_t queue_max, flags; /* BUS_LATEST_WINS, BUS_ONE_OF_GROUP */
    const char *doc;
} ModSub;

typedef struct ModPub { /* an event it publishes */
    const char *subject;
    const Field *body;
    const char *doc;
} ModPub;

typedef struct ModRoute {      /* an HTTP door to an op: no logic here */
    const char *method, *path; /* "/api/v1/uns/{path*}": {name} one segment, {name*} the rest */
    const char *op;
    const char *type; /* content type of the answer; NULL = application/json */
} ModRoute;

typedef enum ConfType { CONF_BOOL, CONF_INT, CONF_STR, CONF_MS, CONF_BYTES } ConfType;
enum { CONF_RELOAD = 1, CONF_SECRET = 2 };

/* Fields in the conf struct: int64_t for BOOL, INT, MS (milliseconds) and BYTES; Str for STR. */
typedef struct ModConf {
    const char *key;
    ConfType type;
    const char *preset;
    int64_t min, max;
    size_t offset;
    uint32_t flags;
    const char *doc;
} ModConf;

typedef void DoneFn(void *ctx);

typedef struct ModuleDef {
    uint32_t abi;
    const char *name, *doc;
    const char *const *needs;      /* modules that must answer before start(); ends with NULL */
    size_t self_bytes, conf_bytes; /* the host allocates both, zeroed */
    const char *store_file;        /* NULL = the common file "tutti.db"; else a file of its own */
    uint32_t store_page_bytes;     /* of a file of its own; 0 = preset (store.h) */
    bool store_salvages;           /* a damaged file of its own is used with what is left of it */
    const ModConf *conf;
    const StoreMigration *migrations;
    const ModOp *ops;
    const ModSub *subs;
    const ModPub *pubs;
    const ModRoute *routes;
    Status (*open)(void *self, const ModEnv *env, Diag *diag); /* wire up; no I/O yet */
    Status (*start)(void *self, Diag *diag);                   /* store is migrated, needs answer */
    Status (*reload)(void *self, const void *conf, Diag *diag); /* all or nothing */
    void (*drain)(void *self, DoneFn *done, void *ctx);         /* finish what was accepted */
    /* Also after a failed open(). The store is closed by then and all its jobs were reported. */
    void (*close)(void *self);
} ModuleDef;

#endif
