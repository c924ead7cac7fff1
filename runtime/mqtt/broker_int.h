/* runtime/mqtt/broker_int.h: what the files of the broker share.
 *
 * Conn is a network connection, Session what survives it, Msg one refcounted message shared by all
 * who wait for it, Sub one subscription of a session or an attachment. Pending is a publish of a
 * client that is not answered yet. Nothing is freed while `depth` > 0, that is while a message is
 * being handed out: whoever ends then is marked and swept by the prepare handle, which also writes
 * all output of a loop turn in one go. */
#ifndef TUTTI_MQTT_BROKER_INT_H
#define TUTTI_MQTT_BROKER_INT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "mqtt/broker.h"
#include "mqtt/codec.h"
#include "mqtt/keep.h"
#include "mqtt/trie.h"
#include "mqtt/unread.h"

#include <pthread.h>

typedef struct Session Session;
typedef struct Step Step;
struct MqttBridge;
typedef struct MqttStream Conn;

enum {
    OUT_HIGH_BYTES = 256 * 1024,  /* above: messages wait in the session's queue */
    OUT_STOP_BYTES = 1024 * 1024, /* above: the connection is not read either */
    READ_BYTES = 64 * 1024,
    INFLIGHT_MAX = 1024,       /* unacked messages towards one client */
    BROKER_QOS2_MAX = 20,      /* of QoS 2 towards another broker of 3.1.1 */
    INFLIGHT_SPAN_MAX = 32768, /* packet identifiers between oldest and newest */
    WAIT_MEMORY_MAX = 1000,    /* of a durable session: more waits on disk only */
    WAIT_MEMORY_BYTES = 1 << 20,
    MATCH_SLOTS = 16384,
    ATTACH_MAX = 4096,
    ATTACH_WAIT_MAX = 65536,
    LATER_MAX = 65536,
    TICK_MS = 250,
    KEEP_RETRY_MS = 500, /* when the disk refuses */
};

typedef struct Msg {
    uint32_t refs;
    uint8_t qos;
    bool retain : 1;  /* as published */
    bool current : 1; /* what its topic retains now */
    uint16_t topic_bytes;
    uint32_t props_bytes, payload_bytes;
    uint16_t publisher_bytes, user_bytes;
    uint32_t expiry_s;
    uint32_t bytes;      /* the whole allocation */
    uint32_t row;        /* of a retained message on the disk; 0 = not written yet */
    uint64_t from;       /* serial of the publishing session; 0 = this process */
    int64_t expires_ns;  /* monotonic; 0 = never */
    int64_t received_ns; /* wall */
    char text[];         /* topic, props, publisher, user, payload */
} Msg;

/* A message on its way to one receiver. */
typedef struct Entry {
    Msg *msg;      /* owned reference; NULL = done or dropped */
    uint32_t *ids; /* owned: count, then subscription identifiers; NULL = see id */
    union {
        struct Pending *pending; /* attachments: whom to tell */
        uint64_t seq;            /* durable sessions: number of its row */
    };
    uint64_t batch; /* durable sessions: the batch that its row was written into, */
    size_t at;      /* and where */
    uint32_t id;    /* the only subscription identifier; 0 = none */
    uint8_t qos, state;
    bool retain;
} Entry;
enum { OUT_FREE, OUT_WAIT_ACK, OUT_WAIT_REC, OUT_WAIT_COMP };

typedef struct Ring {
    Entry *at; /* owned; cap is a power of two */
    uint32_t head, count, cap;
} Ring;

/* Messages that wait for the disk, first in first out. */
typedef struct MsgQueue {
    Msg **at; /* owned references; cap is a power of two */
    uint32_t head, count, cap;
} MsgQueue;

/* An unanswered publish. Lives until it left its session's list and `remaining` is 0. */
typedef struct Pending {
    Session *session; /* NULL: nobody waits any more */
    struct Pending *next, *observe_next;
    uint64_t mark;      /* of the observer, that must be on disk before the answer */
    uint32_t remaining; /* attachments that did not ack yet, plus one while handing out */
    uint64_t batch;     /* that must be on disk before the answer; 0 = none */
    uint16_t id;
    uint8_t qos, reason;
    bool listed, attached;
    bool own_waited; /* for what pipelines made of it */
    bool late;       /* QoS 2: written as open, closed with the answer */
} Pending;

typedef struct Sub {
    Session *session; /* or */
    MqttAttach *attach;
    struct Share *share; /* NULL = not shared */
    TrieNode *node;
    struct Sub *next, *prev; /* of the node, or of the share's members */
    Str filter;              /* owned, with $share/ */
    uint32_t id;
    uint8_t qos;
    bool no_local, as_published;
    bool waits; /* for retained messages that are still on the disk */
} Sub;

typedef struct Share {
    struct Share *next;
    TrieNode *node;
    Sub *members, *last; /* in the order they came */
    Sub *turn;           /* who is next */
    Str group;           /* owned */
} Share;

typedef struct NodeSubs { /* value of a node of the subscription tree */
    Sub *subs;
    Share *shares;
} NodeSubs;

typedef struct MatchRow {
    Session *session;
    MqttAttach *attach;
    Sub *sub;
    Share *share;
} MatchRow;

typedef struct MatchSlot {
    char *topic; /* owned */
    uint32_t topic_bytes, topic_room;
    uint64_t generation;
    MatchRow *rows; /* owned */
    uint32_t count, cap;
} MatchSlot;

/* What every message to it looks at comes first. */
struct Session {
    MqttBroker *broker;
    Conn *conn;       /* NULL = disconnected */
    uint32_t unacked; /* sent on this connection and open */
    uint32_t resend;  /* the last of inflight that this connection did not get yet */
    uint32_t slot;    /* durable sessions; 0 = the session ends with the process */
    uint16_t first_id;
    uint8_t version;
    Ring inflight;     /* slot i has packet identifier first_id + i */
    Ring wait0, wait1; /* QoS 0; QoS 1 and 2 */
    uint64_t out_count;
    Str id, user; /* owned */
    Session *next, *prev;
    uint64_t serial;
    uint32_t expiry_s;
    int64_t ends_ns; /* monotonic; 0 while connected */
    Msg *will;       /* owned reference */
    uint32_t will_delay_s;
    int64_t will_at_ns; /* 0 = not due */
    Map subs;           /* filter -> Sub */
    uint64_t wait_bytes;
    uint64_t *received; /* owned bitmap: QoS 2 identifiers not released yet */
    uint32_t received_count;
    uint64_t *received_open; /* owned bitmap or NULL: pipelines and history may not have it yet */
    Pending *pending_first, *pending_last;
    uint32_t pending_count;
    uint64_t in_count, dropped;
    int64_t since_ns;
    /* Durable sessions. Rows up to read_seq are in memory (or done), those behind it only on disk
     * when on_disk; `fresh` then holds the newest of them, without a gap up to last_seq. */
    bool on_disk, reading, full;
    uint64_t ticket;                      /* changes when what is in memory is forgotten */
    uint64_t last_seq, read_seq, dup_seq; /* dup_seq: rows up to here may have been sent before */
    uint64_t sent_seq, marked_sent_seq;
    uint64_t durable_seq, flying_seq; /* rows up to here are on disk; will be with the next batch */
    uint64_t first_seq;               /* of inflight */
    uint64_t read_after;              /* batch to be on disk before rows are read */
    uint64_t kept_count, kept_bytes;  /* rows on disk, and what they take in memory */
    Ring fresh;
    uint64_t fresh_bytes;
    Session *touch_next[2]; /* lists of keep.touched */
    bool touched[2];
    struct MqttBridge *bridge; /* whose session it is; NULL: a client's */
};

/* AUTH: the hook thinks. STEP: the client is asked for more (broker_auth.c). */
typedef enum ConnState { CONN_NEW, CONN_AUTH, CONN_STEP, CONN_OPEN, CONN_CLOSING } ConnState;

struct MqttStream {
    MqttBroker *broker;
    Session *session;
    Conn *dirty_next;
    bool dirty, tcp_used, writing, held, paused, closing_tcp, hurry;
    bool linger, shut; /* said goodbye: the peer may read it before the socket goes */
    bool websocket, loopback, request_problem;
    bool own;     /* of a bridge: needs no leave */
    bool bridges; /* another broker, of 3.1.1, which said so */
    ConnState state;
    uint8_t version;
    bool will_cancelled;
    uint16_t alias_out_max, alias_out_count;
    uint32_t packet_max, receive_max;
    size_t carried; /* bytes waiting in the carrier of a stream */
    Buf out, flying;
    Buf in;            /* received and not worked off; empty while packets are being handled */
    Conn *next, *prev; /* all connections, oldest first */
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    TlsConn *tls; /* owned; NULL = plain. Then `out` becomes its wire bytes when it is written */
    const MqttStreamOps *ops;
    void *ops_ctx;
    char address[64];
    struct Step *step; /* owned; NULL = no enhanced authentication */
    uint64_t serial;
    int64_t opened_ns, heard_ns, progress_ns, keep_alive_ns, partial_ns;
    uint32_t received_before; /* identifiers open from earlier connections: no part of the quota */
    /* What of `out` waits for a batch: bytes from gate_at[i] on wait for gate[i]; 0 = no gate. */
    uint64_t gate[2];
    size_t gate_at[2];
    Conn *gated_next;
    bool gated;
    uint64_t *alias_out; /* owned: hashes of topics, alias = index + 1 */
    char **alias_in;     /* owned array of owned texts */
    uint32_t *alias_in_bytes;
};

struct MqttAttach {
    MqttBroker *broker;
    Sub *sub;
    MqttAttachFn *fn;
    void *ctx;
    uint16_t slot, generation;
    uint32_t window_max, first_seq;
    Ring window; /* entries: pending, state OUT_FREE = acked */
    Ring wait0, wait1;
    uint64_t dropped;
    bool gone, replay;
    uint8_t qos;
};

typedef struct Listener {
    uv_tcp_t tcp;
    MqttBroker *broker;
    TlsServer *tls; /* owned; NULL = plain */
    struct Listener *next;
} Listener;

/* Retained messages that are read before others (broker_recall.c). */
typedef struct Recall {
    Buf wanted;       /* uint32_t: rows that are asked for */
    size_t wanted_at; /* bytes: those before it are being read */
    Trie filters;     /* whose topics are looked for; no root: none */
    uint32_t filter_count;
    size_t look_at, look_left; /* bytes of the unread topics: where, and how many still */
    bool any_waits;            /* some subscription does */
    uint64_t serial;           /* portions of another one come too late */
} Recall;

/* What survives the process. A batch gathers while the one before it is being written. */
typedef struct Keep {
    Store *store; /* NULL: nothing survives */
    Buf journal, flying;
    uint64_t changes;    /* ever */
    uint64_t live;       /* those in journal that were not taken back */
    uint64_t batch;      /* that gathers */
    uint64_t durable;    /* all up to this one are on disk */
    uint64_t own_batch;  /* the last one with something that this process published */
    bool busy, writing;  /* a batch is under way; with the store */
    Session *touched[2]; /* by batch & 1: sessions whose mark is to be written */
    Conn *gated;
    Session **slots;               /* owned; by slot */
    uint32_t slot_count, slot_low; /* no free one below slot_low */
    uint64_t bytes;                /* of all sessions' rows */
    uint32_t full_count;           /* sessions that take no more */
    int64_t full_told_ns;
    const Msg *shared; /* whose body lies in `body` while it is handed out */
    uint64_t body;
    size_t body_at;
    MsgQueue urgent, lazy; /* retained messages not yet written; lazy: of QoS 0 */
    uint32_t lazy_due;     /* of lazy, the first so many have waited long enough */
    uint32_t row_top;      /* of retained messages; rows above it were never used */
    Buf rows_free;         /* uint32_t: rows below it that nobody has */
    LoopTimer *retry;
    uint64_t failures, damaged, not_restored;
    uint32_t reads;    /* portions being read */
    Unread unread;     /* retained messages that are on the disk only */
    uint32_t read_row; /* they are read up to here */
    Recall recall;
    bool load_told;
    bool loading, topics_wrong; /* rows of them are read; topics do not fit the messages */
    int64_t load_ns;
    LoopTimer *load_retry;
    bool restored; /* wills of restored sessions wait until clients may come */
} Keep;

/* The packet that the message at hand became for the receiver before: most others get the same, but
 * for its identifier. */
typedef struct Frame {
    const Msg *of; /* NULL: it goes to one only */
    uint8_t version, qos;
    bool retain;
    uint32_t id_at; /* where its identifier stands */
    Buf bytes;      /* empty: not encoded yet */
} Frame;

struct MqttBroker {
    Loop *loop;
    Log *log;
    MqttBrokerConf conf;
    MqttBrokerStats stats;
    Listener *listeners;
    Conn *first, *last;
    Conn *dirty;
    uint32_t conn_count, new_count, held_count, handles;
    uint64_t serial;
    Session *sessions;
    uint32_t session_count;
    Map by_id;
    Trie subs, retained;
    uint64_t generation; /* of subscriptions; cached matches of another one are stale */
    MatchSlot *matches;
    uint64_t msg_bytes;
    Frame frame;
    int64_t wall_ns; /* when the bytes at hand came: each message of them is a nanosecond later */
    Pending *pending_free;
    uint32_t depth;
    bool closing, must_hold;
    bool quiet; /* nothing that clients send is looked at any more */
    Ring later; /* own publishes from inside a callback, or before the first turn */
    MqttAttach *attaches[ATTACH_MAX];
    uint16_t attach_generation;
    uint32_t attach_top; /* slots from here on were never used */
    bool attach_work;    /* some attachment wants its retained messages, or is gone */
    MqttCheckFn *check;  /* NULL: everything fits */
    void *check_ctx;
    MqttObserveFn *observe;
    MqttWantFn *want;
    void *observe_ctx;
    uint64_t observed, own_mark; /* on disk up to; the last one of what this process published */
    Pending *observe_first, *observe_last; /* wait for the observer, oldest mark first */
    bool observe_hold;
    Keep keep;
    uv_prepare_t prepare;
    LoopTimer *tick;
    int64_t opened_ns, sys_next_ns;
    struct MqttBridge *bridges;
    char name[20]; /* what $SYS/broker/id says */
    pthread_mutex_t ack_lock;
    Buf acks, acks_now;
    bool ack_posted;
    uv_thread_t thread;
    bool thread_known;
    LoopFn *done;
    void *done_ctx;
    int64_t close_by_ns;
    char *read_buf; /* READ_BYTES */
    Buf scratch;
};

/* broker_msg.c: messages and rings */
size_t mqtt__msg_bytes(const MqttPub *pub); /* what it takes in memory, and counts in a queue */
Msg *mqtt__msg_new(MqttBroker *b, const MqttPub *pub, uint64_t from);
void mqtt__msg_unref(MqttBroker *b, Msg *msg);
MqttPub mqtt__msg_view(const Msg *msg);
static inline Str mqtt__msg_topic(const Msg *msg)
{
    return str_slice(msg->text, msg->topic_bytes);
}
bool mqtt__msg_expired(const Msg *msg, int64_t now_ns);
Entry *mqtt__ring_at(const Ring *ring, uint32_t index);
bool mqtt__ring_push(Ring *ring, Entry entry);
/* The entry's subscription identifiers; false when out of memory. */
MUST bool mqtt__entry_ids(Entry *entry, const uint32_t *ids, uint32_t count);
Entry mqtt__ring_pop(Ring *ring);
void mqtt__entry_drop(MqttBroker *b, Entry *entry);
void mqtt__ring_done(MqttBroker *b, Ring *ring);
bool mqtt__queue_push(MsgQueue *queue, Msg *msg); /* takes a reference of its own */
Msg *mqtt__queue_pop(MsgQueue *queue);            /* with that reference */
void mqtt__queue_done(MqttBroker *b, MsgQueue *queue);

/* broker_conn.c: bytes in and out */
Conn *mqtt__conn_new(MqttBroker *b);
void mqtt__conn_input(Conn *c, const char *bytes, size_t len);
void mqtt__conn_resume(Conn *c);
void mqtt__conn_dirty(Conn *c);
void mqtt__conn_flush(Conn *c);
/* Ends the connection: flushes what is in out and closes. Safe at any time; frees later. */
void mqtt__conn_close(Conn *c);
/* The same after telling a v5 client why. */
void mqtt__conn_fail(Conn *c, MqttReason reason);
bool mqtt__conn_congested(const Conn *c);
void mqtt__conns_tick(MqttBroker *b, int64_t now_ns);
void mqtt__conn_force(Conn *c); /* closes without waiting for output */
void mqtt__on_listen(uv_stream_t *server, int status);

/* broker.c */
void mqtt__tick_start(MqttBroker *b);

/* broker_in.c: one packet */
void mqtt__handle(Conn *c, Str packet, size_t head);
void mqtt__connect_go(Conn *c, bool allow, Str user);
void mqtt__refuse(Conn *c, MqttReason reason); /* CONNACK, and the end */
void mqtt__pending_done(MqttBroker *b, Pending *p);
void mqtt__pending_release(MqttBroker *b, Pending *p);

/* broker_auth.c: enhanced authentication */
void mqtt__step_begin(Conn *c, const MqttPacket *p, Str packet);
void mqtt__step_packet(Conn *c, Str packet, size_t head);
void mqtt__step_again(Conn *c, const MqttPacket *p);
void mqtt__step_connack(Conn *c, Buf *props);
void mqtt__step_free(Conn *c);
void mqtt__steps_drop(MqttBroker *b); /* the hook goes away */

/* broker_session.c */
Session *mqtt__session_new(MqttBroker *b, Str id, Str user);
void mqtt__session_end(Session *s);      /* forgets it; fires a due will first */
void mqtt__sessions_drop(MqttBroker *b); /* all, without their wills */
void mqtt__session_detach(Conn *c);      /* the connection is gone */
void mqtt__will_fire(Session *s);
uint8_t mqtt__subscribe(Session *s, const MqttFilterRow *row, uint32_t id);
bool mqtt__unsubscribe(Session *s, Str filter);
Sub *mqtt__sub_add(MqttBroker *b, Str filter, bool *ret_full);
void mqtt__sub_remove(MqttBroker *b, Sub *sub);
bool mqtt__received_has(const Session *s, uint16_t id);
bool mqtt__received_set(Session *s, uint16_t id);
void mqtt__received_clear(Session *s, uint16_t id);
MUST bool mqtt__received_open_set(Session *s, uint16_t id);
bool mqtt__received_open_take(Session *s, uint16_t id); /* was it open? It is not any more */
void mqtt__sessions_tick(MqttBroker *b, int64_t now_ns);

/* broker_out.c: towards one client */
void mqtt__send(Session *s, Msg *msg, uint8_t qos, bool retain, const uint32_t *ids,
                uint32_t id_count, bool replay);
void mqtt__pump(Session *s);
void mqtt__resume_inflight(Session *s);
void mqtt__acked(Session *s, uint8_t type, uint16_t id, uint8_t reason);

/* broker_route.c */
/* What mqtt_broker_check's function says; 0: it fits. */
uint8_t mqtt__unfit(MqttBroker *b, const MqttPub *pub, Str *ret_why);
/* Observer, retained store, everybody who matches. pending may be NULL. */
MqttReason mqtt__accept(MqttBroker *b, const MqttPub *pub, uint64_t from, Pending *pending);
bool mqtt__may_receive(const Session *s, const Msg *msg);
bool mqtt__is_own(const Session *s, const Msg *msg);
/* To the observer and attachments only. */
MqttReason mqtt__accept_own(MqttBroker *b, const MqttPub *pub, uint64_t from, Pending *pending);
bool mqtt__accept_msg(MqttBroker *b, Msg *msg, Pending *pending); /* false: nobody matched */
void mqtt__observe_wait(MqttBroker *b, Pending *pending, uint64_t mark);
void mqtt__observe_give_up(MqttBroker *b);
void mqtt__later_run(MqttBroker *b);

/* broker_retained.c */
Msg *mqtt__retained_msg(const TrieNode *node); /* accepts NULL */
void mqtt__replay(MqttBroker *b, Sub *sub);
void mqtt__give_retained(Sub *sub, Msg *msg); /* to one new subscription, as retained */
/* Keeps a retained message in memory, or ends it; false: full. */
MUST bool mqtt__retain_put(MqttBroker *b, Msg *msg);
void mqtt__retained_free(MqttBroker *b);

/* broker_recall.c */
/* A start: there is such a row; then all rows are read, one portion after the other. */
void mqtt__retained_known(MqttBroker *b, uint32_t row, Str topic);
MUST Status mqtt__retained_all_known(MqttBroker *b);
void mqtt__retained_unknown(MqttBroker *b); /* those of which that alone is known */
void mqtt__retained_load(MqttBroker *b);
void mqtt__retained_later(MqttBroker *b);       /* the next portion, after a while */
void mqtt__recall_ask(MqttBroker *b, Sub *sub); /* it waits for what is not read yet */
void mqtt__recall_now(MqttBroker *b);           /* for who cannot wait: blocks until all is read */
void mqtt__recall_done(MqttBroker *b);

/* broker_sys.c: topics about the broker itself */
void mqtt__sys_tick(MqttBroker *b, int64_t now_ns);
void mqtt__sys_replay(MqttBroker *b, Sub *sub);

/* broker_keep.c: changes for the disk, and what waits for them. All accept a session without slot
 * and a broker without store, and do nothing then. */
void mqtt__keep_session(Session *s); /* as it is now; gives it a slot when it shall survive */
void mqtt__keep_end(Session *s);
void mqtt__keep_filter(const Sub *sub);
void mqtt__keep_unfilter(const Session *s, Str filter);
void mqtt__keep_received(const Session *s, uint16_t id, bool open);
void mqtt__keep_released(const Session *s, uint16_t id);
void mqtt__keep_retained(MqttBroker *b, Msg *msg); /* the topic's newest, or its end */
void mqtt__keep_share(MqttBroker *b, const Msg *msg, uint32_t receivers);
MUST bool mqtt__keep_queue(Session *s, Entry *e, const uint32_t *ids, uint32_t id_count);
void mqtt__keep_done(Session *s, const Entry *e, size_t bytes);
void mqtt__keep_counted(Session *s); /* its rows changed: is it full now? */
void mqtt__keep_damaged(Session *s, uint64_t seq);
void mqtt__keep_row_taken(MqttBroker *b, uint32_t row); /* at a start, in ascending order */
void mqtt__keep_row_drop(MqttBroker *b, uint32_t row);  /* of a retained message, from the disk */
void mqtt__keep_unread(MqttBroker *b, uint32_t row);    /* its record is damaged */
void mqtt__keep_topics(MqttBroker *b);                  /* they are made anew at the next start */
MUST bool mqtt__keep_slot_room(MqttBroker *b, uint32_t slot);
void mqtt__keep_rec(Session *s, const Entry *e, size_t bytes);
void mqtt__keep_touch(Session *s);
/* The newest batch with changes that is not on disk yet; 0 = all is. */
uint64_t mqtt__keep_latest(const MqttBroker *b);
/* What is put into c->out from now on waits for the batch. */
void mqtt__keep_gate(Conn *c, uint64_t batch);
size_t mqtt__keep_writable(const Conn *c); /* bytes of out that wait for nothing */
void mqtt__keep_written(Conn *c, size_t bytes);
void mqtt__keep_ungate(Conn *c);             /* before it is freed */
bool mqtt__keep_behind(const MqttBroker *b); /* so much gathers that publishers are held */
void mqtt__keep_turn(MqttBroker *b);
void mqtt__keep_tick(MqttBroker *b);
const char *mqtt__keep_advice(const MqttBroker *b); /* behind what the store says */
bool mqtt__keep_idle(const MqttBroker *b);
void mqtt__keep_close(MqttBroker *b);
void mqtt__keep_free(MqttBroker *b);
MUST Status mqtt__keep_open(MqttBroker *b, Store *store);

/* broker_read.c: back from the disk */
/* When little is in memory: takes over what is fresh (true: something came), or asks the disk. */
bool mqtt__keep_more(Session *s);
void mqtt__keep_forget(Session *s);
Msg *mqtt__msg_back(MqttBroker *b, const KeepMsg *kept);

/* bridge_keep.c, bridge_twin.c: the broker's questions about a session that may be a bridge's */
bool mqtt__bridge_takes(const Session *s, const Msg *msg); /* false: it came from there */
/* A bridge brought it from the very broker whose bridge this client is. */
bool mqtt__bridge_from(const Session *s, const Msg *msg);
/* The broker that this client is a bridge of has the message from a bridge of ours; the rows are
 * those of its session. */
bool mqtt__bridge_pushes(const MatchRow *rows, uint32_t count, const Msg *msg);
/* The other way: the broker of this bridge fetches the message itself. */
bool mqtt__bridge_pulled(const Session *s, const MatchSlot *slot, const Msg *msg);
bool mqtt__bridge_is_full(const Session *s);
/* Full, but what is oldest is on its way out, and there is room until then. */
bool mqtt__bridge_room(const Session *s);
bool mqtt__bridge_refuses(const Session *s); /* a full one: its publisher is told */
void mqtt__bridge_counted(Session *s, bool full);
void mqtt__bridge_not_queued(const Session *s);
void mqtt__bridge_not_sent(const Session *s, bool too_large);
uint8_t mqtt__bridge_version(const Session *s); /* 4 or 5, of MQTT over there */
/* The QoS that a message of QoS 0 goes out with: 1 when this bridge keeps those. */
uint8_t mqtt__bridge_qos0(const Session *s, const Msg *msg);
bool mqtt__bridge_too_old(const Session *s, const Msg *msg);
void mqtt__bridge_away(const Session *s); /* a message of QoS 0 found nobody */
void mqtt__bridge_gone(Session *s);       /* the session ends */

/* broker_attach.c */
void mqtt__held_resume(MqttBroker *b);
void mqtt__attach_give(MqttAttach *a, Msg *msg, uint8_t qos, bool retain, Pending *pending);
void mqtt__acks_run(MqttBroker *b);
void mqtt__attach_work(MqttBroker *b);
void mqtt__attaches_done(MqttBroker *b);

#endif
