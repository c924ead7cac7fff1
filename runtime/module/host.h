/* runtime/module/host.h: opens modules, checks what they are sent, closes them.
 *
 * The host is the only reader of the ModuleDef tables: it orders modules by `needs`, fills their
 * configuration, migrates their stores, subscribes their ops and events on the bus, checks every
 * input against its schema and every caller against its role, and answers sys.info.MODULE and
 * sys.health.MODULE. Lite opens all modules; a service of Enterprise names one.
 * Everything here runs on the thread of the Loop. */
#ifndef TUTTI_MODULE_HOST_H
#define TUTTI_MODULE_HOST_H

#include "module/module.h"

struct MqttBroker;

/* One explicit setting, stronger than preset and environment: {"uns", "stale", "10s"}. */
typedef struct HostConf {
    const char *module, *key, *value;
} HostConf;

typedef struct HostOptions {
    Loop *loop;
    Bus *bus; /* lent: closed by the caller after host_close */
    Log *log;
    const char *data_dir;            /* exists and is private to this process; lent */
    struct MqttBroker *broker;       /* the embedded broker; NULL when external */
    const ModuleDef *const *modules; /* candidates, ends with NULL: modules_all() */
    const char *const *only;         /* names to open, ends with NULL; NULL = all candidates */
    const HostConf *conf;            /* ends with a row without module; may be NULL */
} HostOptions;

typedef struct Host Host;

/* Opens and starts in the order of `needs`. Blocks for configuration and migrations only. On
 * failure everything opened is closed again. A need that is not opened here is expected to answer
 * on the bus (another service). */
MUST Status host_open(const HostOptions *options, Host **ret_host, Diag *diag);
/* Takes no new requests, lets every module finish what it accepted, then calls done(ctx) on the
 * loop, at the latest after timeout_ms. Call host_close then. */
void host_drain(Host *host, uint32_t timeout_ms, DoneFn *done, void *ctx);
/* Stops modules in reverse order, answers what is left ST_CANCELLED, closes the stores. */
void host_close(Host *host); /* accepts NULL */

/* What is open, in starting order; index counts from 0. Tables live as long as the host. */
size_t host_module_count(const Host *host);
const ModuleDef *host_module(const Host *host, size_t index);
/* True when every opened module has started and none is draining: what /readyz says. */
bool host_ready(const Host *host);

/* An op by subject ("uns.get") among the opened modules; NULL when it is not here. */
const ModOp *host_op(const Host *host, const char *subject);
/* How many entries a table has; a NULL table has none. */
size_t host_op_count(const ModuleDef *def);
size_t host_route_count(const ModuleDef *def);

/* One setting's value as text, after preset, environment and overrides; secrets give "***". */
MUST Status host_conf_text(const Host *host, const char *module, const char *key, Buf *out);
/* Changes CONF_RELOAD settings of one running module; all or nothing (its reload decides). */
MUST Status host_reload(Host *host, const char *module, const HostConf *conf, Diag *diag);

/* Checks an object against a schema: unknown fields, missing ones, types, bounds. Pure. */
MUST Status field_check(const Field *fields, const Json *object, Diag *diag);
/* Parses one conf value ("30s", "64MiB", "true", "12", text) into its number or text.  Pure.
 * CONF_MS takes ms, s, min, h, d; CONF_BYTES takes B, KiB, MiB, GiB, kB, MB, GB; a bare number is
 * milliseconds or bytes. */
MUST Status conf_parse(const ModConf *conf, Str text, int64_t *ret_number, Str *ret_text,
                       Diag *diag);
/* The table of a module as JSON: what sys.info.MODULE answers. OpenAPI and forms come from it. */
void host_info_json(const ModuleDef *def, Buf *out);
/* Refuses tables with gaps: a missing doc, something declared twice, migration numbers, a route
 * without op, a cycle in needs. `list` ends with NULL. */
MUST Status host_check_tables(const ModuleDef *const *list, Diag *diag);

#endif
