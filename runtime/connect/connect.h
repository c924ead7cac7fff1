/* runtime/connect/connect.h: the contract of a protocol driver, and the list of drivers.
 *
 * A link is one connection with one subscription on it, or one that only writes. A driver keeps
 * its link alive by itself (backoff with jitter) and tells every change of state. It hands records
 * over with a token and takes no more than `window` unacknowledged ones from its peer. Every
 * callback comes on the loop's thread, never inside open(), and not after close() returned.
 * Drivers know nothing of profiles, secrets at rest, or the bus: see modules/connectors. */
#ifndef TUTTI_CONNECT_CONNECT_H
#define TUTTI_CONNECT_CONNECT_H

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "loop/loop.h"

typedef enum ConnectState {
    CONNECT_IDLE, /* nobody uses it */
    CONNECT_CONNECTING,
    CONNECT_CONNECTED,
    CONNECT_DEGRADED, /* the peer is there but something is refused or fails */
    CONNECT_FAILED,   /* no connection; tries again at the time given */
} ConnectState;

const char *connect_state_name(ConnectState state);

typedef struct ConnectRecord {
    Str key, payload; /* lent for the call */
    Str headers;      /* lent; a JSON object of at most 65,535 bytes, or empty */
    int64_t received_ns;
    uint64_t token; /* for ack; 0 = nothing to acknowledge */
    bool error;     /* payload is a reason in plain words */
} ConnectRecord;

typedef struct ConnectEvents {
    /* error: plain words or empty; retry_ms: until the next try, CONNECT_FAILED only. */
    void (*state)(void *ctx, ConnectState state, Str error, uint32_t retry_ms);
    void (*record)(void *ctx, const ConnectRecord *record);
    void *ctx;
} ConnectEvents;

typedef struct ConnectConf {
    Str url;
    const Json *options; /* of the connection; may be NULL */
    Str password;        /* the opened secret; empty = none */
    Str purpose;         /* the subscription's id, "w" for writing, "test": two links of one
                            profile must not have the same name at the peer */
    /* Subscription; address without text and no sub_options = the link only writes. */
    bool subscribes;
    Str address;
    const Json *sub_options;
    uint32_t window; /* 1..65536 */
} ConnectConf;

typedef struct ConnectField { /* one option, for forms and docs; the list ends without a name */
    const char *name, *preset, *doc;
} ConnectField;

typedef struct ConnectLink ConnectLink; /* each driver has its own */
typedef void ConnectDoneFn(void *ctx, Status status, Str reason);

typedef struct ConnectDriver {
    const char *kind, *doc;
    const ConnectField *options, *sub_options;
    /* Copies what it needs. Fails on bad configuration only, never on an absent peer. */
    Status (*open)(Loop *loop, Log *log, const ConnectConf *conf, const ConnectEvents *events,
                   ConnectLink **ret_link, Diag *diag);
    void (*ack)(ConnectLink *link, uint64_t token);
    /* NULL = the protocol cannot be written. done is called once unless write itself fails. */
    Status (*write)(ConnectLink *link, Str address, Str payload, uint8_t qos, bool retain,
                    ConnectDoneFn *done, void *ctx);
    void (*close)(ConnectLink *link);
} ConnectDriver;

const ConnectDriver *connect_driver(Str kind);        /* NULL when there is none */
const ConnectDriver *connect_driver_at(size_t index); /* NULL past the end */

/* Takes "scheme://host:port" apart. */
MUST Status connect_url(Str url, const char *scheme, uint16_t preset_port, Str *ret_host,
                        uint16_t *ret_port, Diag *diag);

#endif
