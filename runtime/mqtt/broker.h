/* runtime/mqtt/broker.h: the embedded MQTT 3.1.1 and 5.0 broker, and its in-process doors.
 *
 * One MqttBroker lives on one Loop; every function and callback here is on that loop's thread,
 * except mqtt_broker_ack, which any thread may call. Network clients arrive by TCP listeners or as
 * byte streams the HTTP edge hands over (MQTT over WebSocket). Code of the same process takes part
 * without a socket: it publishes, attaches to filters, and observes.
 *
 * Acknowledgement: a client's QoS 1 or 2 publish is answered (PUBACK, PUBREC) only after every
 * attachment that got the message acked it, the observer has on disk what it keeps of it, and, with
 * a store, the sync that covers it when a durable session waits for it or it is retained. An
 * attachment holds at most window_max unacked messages; while one is full, the sockets of
 * publishers that feed it are not read (backpressure), and QoS 0 messages drop the oldest QoS 0
 * message waiting for that attachment, and are counted. Standards: OASIS MQTT 3.1.1 (2014) and
 * MQTT 5.0 (2019). */
#ifndef TUTTI_MQTT_BROKER_H
#define TUTTI_MQTT_BROKER_H

#include "base/buf.h"
#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"
#include "store/store.h"
#include "tls/tls.h"

typedef struct MqttBroker MqttBroker;
typedef struct MqttAttach MqttAttach;
typedef struct MqttStream MqttStream;

/* One message, as it was published. All slices are lent for the duration of the call. */
typedef struct MqttPub {
    Str topic, payload;
    Str props;     /* encoded MQTT 5 properties that travel unchanged: payload format, content type,
                      response topic, correlation data, user properties; empty = none. codec.h reads
                      and writes them */
    Str publisher; /* client id; empty = this process */
    Str user;      /* user name of the publisher; empty = anonymous */
    int64_t received_ns; /* wall clock at arrival; mqtt_broker_publish fills it when 0 */
    uint32_t expiry_s;   /* message expiry interval */
    bool expires;        /* it counts even when it is 0: only for who takes the message now */
    uint8_t qos;         /* 0, 1, 2 */
    bool retain;         /* publish: keep as retained (empty payload clears).
                            attach callback: true = this is a stored retained message */
} MqttPub;

/* Who knocks. Slices are lent until the answer. */
typedef struct MqttAuthAsk {
    uint64_t id;                            /* for mqtt_broker_auth_answer */
    Str client_id, user, password, address; /* address: peer as text, without the port */
    Str cert_name; /* common name of the client's certificate, which was checked; or empty */
    bool has_user, has_password, loopback, websocket;
} MqttAuthAsk;

typedef enum MqttAuth {
    MQTT_AUTH_DENY,
    MQTT_AUTH_ALLOW,
    MQTT_AUTH_LATER,
    MQTT_AUTH_MORE,      /* steps only: the client has to say more */
    MQTT_AUTH_NO_METHOD, /* steps only: nobody here knows the method */
} MqttAuth;
/* May answer at once, or MQTT_AUTH_LATER and then mqtt_broker_auth_answer (password hashing on a
 * pool thread). No answer within the connect timeout refuses. *ret_user is the name the session
 * gets; preset to what the client says, empty = anonymous. Copied when the call returns. */
typedef MqttAuth MqttAuthFn(void *ctx, const MqttAuthAsk *ask, Str *ret_user);

/* One message of a client in an exchange of enhanced authentication (MQTT 5.0, 4.12), which it
 * opened by naming a method. Slices are lent for the call. */
typedef struct MqttStep {
    uint64_t id; /* for mqtt_broker_step_answer */
    Str method, data, client_id, address;
    void **state; /* the hook's own, NULL at first; step_done gets it when the exchange is over */
    bool first;   /* opens the exchange */
    bool again;   /* of a client that is connected and shows once more who it is */
    bool loopback, websocket;
} MqttStep;

/* ret_data goes to the client with MORE and ALLOW. *ret_user is the name the session gets; when
 * `again`, it has to be the one it has. LATER: mqtt_broker_step_answer. */
typedef MqttAuth MqttStepFn(void *ctx, const MqttStep *step, Buf *ret_data, Str *ret_user);

typedef enum MqttAction { MQTT_MAY_PUBLISH, MQTT_MAY_SUBSCRIBE, MQTT_MAY_RECEIVE } MqttAction;
/* topic is a filter for MQTT_MAY_SUBSCRIBE and a topic name otherwise. */
typedef bool MqttMayFn(void *ctx, Str client_id, Str user, MqttAction action, Str topic);

/* All 0 = preset (right column). Sizes in bytes. */
typedef struct MqttBrokerConf {
    Store *store; /* a file of its own, open until the broker is closed; NULL: nothing survives */
    MqttAuthFn *auth; /* NULL: anonymous from loopback only, user names and passwords ignored */
    void *auth_ctx;
    MqttStepFn *step; /* NULL: every authentication method is refused */
    void (*step_done)(void *ctx, void *state);
    void *step_ctx;
    MqttMayFn *may; /* NULL: everything, except that topics starting with $ are read only */
    void *may_ctx;
    uint32_t packet_bytes_max;        /* 1 MiB; announced as Maximum Packet Size */
    uint32_t connect_bytes_max;       /* 128 KiB before CONNECT was accepted */
    uint32_t connect_timeout_ms;      /* 10 s to an accepted CONNECT; hooks take their own */
    uint32_t receive_max;             /* 256 unanswered QoS>0 publishes per client */
    uint32_t topic_alias_max;         /* 10 per connection and direction */
    uint32_t filters_per_session_max; /* 1,000 */
    uint32_t filter_bytes_max;        /* 4 KiB, topics too; levels at most 256 */
    uint32_t session_queue_max;       /* 10,000 messages waiting for one client */
    uint64_t session_queue_bytes;     /* 8 MiB waiting for one client */
    uint64_t queue_bytes_total;       /* 256 MiB of messages alive in the broker */
    uint32_t durable_queue_max;       /* 1,000,000 messages on disk for one durable session */
    uint64_t durable_queue_bytes;     /* 1 GiB on disk for one durable session */
    uint64_t durable_bytes_total;     /* 4 GiB on disk for all of them */
    uint32_t session_expiry_max_s;    /* 7 days; longer wishes are shortened and announced */
    uint32_t sessions_max;            /* 10,000 */
    uint32_t connections_max;         /* 5,000 */
    uint32_t unauthenticated_max;     /* 500 connections without an accepted CONNECT */
    uint32_t retained_max;            /* 100,000 messages */
    uint64_t retained_bytes;          /* 64 MiB */
    uint32_t keep_alive_max_s; /* 0 = as the client asks; else announced as Server Keep Alive */
    uint32_t stalled_ms;       /* 60 s without progress of a full socket closes it */
    uint32_t sys_interval_ms;  /* 10 s between two rounds of $SYS topics, while there are clients */
} MqttBrokerConf;

/* Copies conf. The broker has no listener yet. */
MUST Status mqtt_broker_open(Loop *loop, const MqttBrokerConf *conf, Log *log,
                             MqttBroker **ret_broker);
/* Opens (creates) the broker's store. A damaged file is renamed to PATH.damaged-DATE-TIME and said;
 * what can be read of it comes into a new one. */
MUST Status mqtt_store_open(Loop *loop, const char *path, Log *log, Store **ret_store, Diag *diag);
/* Before it listens: sessions and the topics of retained messages out of the store. Blocks, as long
 * as there are sessions and topics. Waiting messages are read when their client comes, retained
 * ones while clients are served already: new subscriptions get them when all are read. Damage that
 * it meets is salvaged as mqtt_store_open does. */
MUST Status mqtt_broker_restore(MqttBroker *broker, Diag *diag);
/* Takes another configuration, before the first client. */
void mqtt_broker_configure(MqttBroker *broker, const MqttBrokerConf *conf);
/* auth and may are not called any more: whoever they belong to goes away. */
void mqtt_broker_unhook(MqttBroker *broker);
/* Listens on "127.0.0.1:1883" or "[::1]:1883"; port 0 takes a free one. ret_port may be NULL. */
MUST Status mqtt_broker_listen_tcp(MqttBroker *broker, const char *address, uint16_t *ret_port,
                                   Diag *diag);
/* The same with TLS (port 8883 by custom). The broker frees `tls`, also when this fails. */
MUST Status mqtt_broker_listen_tls(MqttBroker *broker, const char *address, TlsServer *tls,
                                   uint16_t *ret_port, Diag *diag);
/* New connections use another certificate; those there are stay. The broker frees `tls`. */
void mqtt_broker_renew_tls(MqttBroker *broker, TlsServer *tls);
/* Before code that attached goes away: no new clients, and nothing more is read from those there
 * are, so no publish can be answered that nobody took. What was read is still delivered and
 * answered. */
void mqtt_broker_quiesce(MqttBroker *broker);
/* Drains: stops listening, tells v5 clients "server shutting down", flushes, closes, frees and then
 * calls done(ctx) on a later turn (NULL is accepted). Attachments are gone when it returns. */
void mqtt_broker_close(MqttBroker *broker, LoopFn *done, void *ctx);
/* user: the name the session gets, lent for the call; empty = anonymous. */
void mqtt_broker_auth_answer(MqttBroker *broker, uint64_t id, bool allow, Str user);
/* data, user: lent for the call, as the hook would have given them. */
void mqtt_broker_step_answer(MqttBroker *broker, uint64_t id, MqttAuth verdict, Str data, Str user);

/* Publishes from this process: retained store, observer, attachments, clients. ST_INVALID when
 * the topic is not a topic name or the payload too large. Own code may use topics starting with $.
 * From inside a callback, and before the loop's first turn where there is a store, it is done on
 * the next turn: a module may publish in its start, and is newer than what the store has. */
MUST Status mqtt_broker_publish(MqttBroker *broker, const MqttPub *pub, Diag *diag);

/* token 0 = nothing to ack (QoS 0). Otherwise mqtt_broker_ack(broker, token) exactly once, now or
 * later. */
typedef void MqttAttachFn(void *ctx, const MqttPub *pub, uint64_t token);
/* Delivers every message that matches `filter` (wildcards; "$share/GROUP/FILTER" shares among
 * attachments and clients of one group) at min(its QoS, qos). Stored retained messages come first,
 * on a later turn. window_max 0 = 1024 unacked messages. Never calls fn inside this call. */
MUST Status mqtt_broker_attach(MqttBroker *broker, Str filter, uint8_t qos, MqttAttachFn *fn,
                               void *ctx, uint32_t window_max, MqttAttach **ret_attach, Diag *diag);
/* No call of fn after it; its unacked messages count as acked when `accept`, else their publishers
 * are disconnected unanswered and send again. Accepts NULL. */
void mqtt_broker_detach(MqttAttach *attach, bool accept);
uint64_t mqtt_attach_dropped(const MqttAttach *attach); /* QoS 0 messages dropped, window full */
/* Any thread. Unknown and stale tokens are ignored. */
void mqtt_broker_ack(MqttBroker *broker, uint64_t token);

/* Asked about every publish that may be made, whoever makes it (a client, its will, this process),
 * before anything is done with it. A reason of 0x80 or more refuses it: nobody sees it, a client of
 * MQTT 5.0 is answered that reason, one of 3.1.1, which has no word for it, as if it was taken;
 * mqtt_broker_publish gives ST_INVALID and the text of *ret_why, which is lent until the next call.
 * One per broker; NULL: nobody is asked. It must not publish. */
typedef uint8_t MqttCheckFn(void *ctx, const MqttPub *pub, Str *ret_why);
void mqtt_broker_check(MqttBroker *broker, MqttCheckFn *fn, void *ctx);

/* Sees every accepted publish, before delivery: the unified namespace. One per broker; NULL removes
 * it. It must only look, and may publish. What it wants to keep of a publish it numbers: it
 * returns the mark (never falling; 0 = nothing) that mqtt_broker_observed will tell once it is on
 * disk, and a QoS 1 or 2 publisher is answered then. `want` says that somebody waits for a mark:
 * for QoS 0 nobody does, and it may gather as long as it likes. */
typedef uint64_t MqttObserveFn(void *ctx, const MqttPub *pub);
typedef void MqttWantFn(void *ctx, uint64_t mark);
void mqtt_broker_observe(MqttBroker *broker, MqttObserveFn *fn, MqttWantFn *want, void *ctx);
void mqtt_broker_observed(MqttBroker *broker, uint64_t mark);
/* It has much to write: publishers of QoS 1 and 2 are held until it says otherwise. */
void mqtt_broker_observe_hold(MqttBroker *broker, bool hold);

/* MQTT over a byte stream that somebody else carries (WebSocket binary frames). */
typedef struct MqttStreamOps {
    /* Takes all bytes (copies them); returns how many bytes wait in the carrier now. */
    size_t (*write)(void *ctx, const void *bytes, size_t len);
    void (*pause)(void *ctx, bool paused); /* stop or resume feeding; NULL = cannot */
    void (*close)(void *ctx); /* flush and close; the broker forgets the stream: no feed after it */
} MqttStreamOps;
/* ops must be constant. address: peer as text. */
MUST Status mqtt_broker_accept_stream(MqttBroker *broker, const MqttStreamOps *ops, void *ctx,
                                      Str address, bool loopback, MqttStream **ret_stream);
void mqtt_stream_feed(MqttStream *stream, const void *bytes, size_t len);
void mqtt_stream_writable(MqttStream *stream); /* the carrier's buffer is empty again */
void mqtt_stream_closed(MqttStream *stream);   /* the carrier is gone; not after ops->close */

/* What $SYS topics would say; counts since open unless they say "now". */
typedef struct MqttBrokerStats {
    uint64_t connections, connections_now, sessions_now, subscriptions_now, attachments_now;
    uint64_t refused_auth, refused_limit, protocol_errors, takeovers;
    uint64_t received, received_bytes; /* PUBLISH packets and their payloads, from clients */
    uint64_t published_own;            /* mqtt_broker_publish */
    uint64_t sent, sent_bytes;         /* PUBLISH packets to clients */
    uint64_t dropped_qos0, dropped_full, dropped_expired, dropped_denied;
    uint64_t dropped_unfit; /* refused by mqtt_broker_check */
    uint64_t retained_now, retained_bytes_now, queued_now, queued_bytes_now;
    uint64_t retained_unread; /* of retained_now: on the disk only, soon after a start */
    uint64_t paused_now;      /* publishers held back by a full attachment */
    uint64_t stored_batches, store_failures, damaged; /* damaged: records set aside */
} MqttBrokerStats;
void mqtt_broker_stats(const MqttBroker *broker, MqttBrokerStats *ret_stats);

typedef struct MqttClientInfo {
    Str client_id, user, address;
    bool connected;
    uint8_t version; /* 4 or 5 */
    uint32_t subscriptions, queued, inflight;
    uint64_t received, sent, dropped;
    int64_t since_ns; /* wall clock of the last connect */
} MqttClientInfo;
/* Visits every session. The callback must not call the broker. */
void mqtt_broker_clients(const MqttBroker *broker,
                         void (*fn)(void *ctx, const MqttClientInfo *info), void *ctx);
/* Ends the connections of all sessions for which fn says so ("administrative action"), and with
 * `forget` the sessions too; returns how many. fn must not call the broker. */
uint32_t mqtt_broker_end(MqttBroker *broker, bool forget,
                         bool (*fn)(void *ctx, const MqttClientInfo *info), void *ctx);
/* Visits stored retained messages matching `filter`, at most `max`; returns how many. Soon after a
 * start it waits until they are read. */
uint32_t mqtt_broker_retained(MqttBroker *broker, Str filter, uint32_t max,
                              void (*fn)(void *ctx, const MqttPub *pub), void *ctx);

#endif
