/* runtime/mqtt/keep.h: what of the broker outlives the process: records, changes, tables.
 *
 * The broker's loop writes changes (KeepHead and its bytes) one behind the other into a batch; it
 * goes into the log ahead of the store, and later, many together, into the tables. What a table
 * holds is a record, which begins with a CRC32C of the rest: SQLite finds a torn write, the
 * checksum a flipped bit. A queued message's row has the number slot << KEEP_SLOT_SHIFT | seq, so
 * one session's messages lie together and in order. The packet identifier follows from seq, so it
 * needs no row of its own and is the same after a restart.
 *
 * Of a retained message a start reads its topic only, which has a small row of its own; the message
 * is read afterwards, while clients are served. Its record decides: a row of a topic that does not
 * fit is not believed.
 *
 * A received identifier of QoS 2 is open until the pipelines and the history have the message too:
 * sessions have it by the same commit and must not get it again, those have to.
 *
 *   entry    crc, 'E', count, count subscription identifiers; the message follows, or lies in
 * `body` message  crc, 'M', flags, lengths, times, then topic, properties, publisher, user, payload
 *   session  crc, 'S', version, flags, times, client id, user; a will: a message
 *   filter   crc, 'F', options, subscription identifier, filter */
#ifndef TUTTI_MQTT_KEEP_H
#define TUTTI_MQTT_KEEP_H

#include "base/buf.h"
#include "mqtt/broker.h"
#include "store/store.h"

typedef enum KeepOp {
    KEEP_NOTHING,  /* taken back before it was written */
    KEEP_SESSION,  /* id: slot; a session record */
    KEEP_END,      /* id: slot; the session and all it has */
    KEEP_FILTER,   /* id: slot; a filter record */
    KEEP_UNFILTER, /* id: slot; the filter */
    KEEP_QUEUE,    /* id: row; flags: state; number: body or 0; an entry, a message if no body */
    KEEP_BODY,     /* id: body; number: how many rows use it; a message */
    KEEP_DONE,     /* id: row */
    KEEP_REC,      /* id: row; PUBREC came: the message is not needed any more */
    KEEP_DAMAGED,  /* id: row; set aside */
    KEEP_RECEIVED, /* id: slot; small: packet identifier of QoS 2; flags: open */
    KEEP_RELEASED, /* id: slot; small: packet identifier */
    KEEP_RETAIN,   /* id: its row; a message */
    KEEP_TOPIC,    /* id: its row, which is new; the topic */
    KEEP_UNRETAIN, /* id: its row */
    KEEP_UNREAD,   /* id: its row, whose record is damaged; set aside */
    KEEP_TOPICS,   /* the topics of all rows are to be read from the records at the next start */
    KEEP_MARK,     /* id: slot; a KeepMark */
} KeepOp;

enum {
    KEEP_SLOT_SHIFT = 43,
    KEEP_SLOTS_MAX = 1 << 19,
    KEEP_ROW_QOS = 3, /* state of a row: QoS, and */
    KEEP_ROW_RETAIN = 4,
    KEEP_ROW_REC = 8, /* PUBREC came, PUBCOMP did not */
};

typedef struct KeepHead {
    uint8_t op, flags;
    uint16_t small;
    uint32_t bytes; /* that follow */
    uint64_t id, number;
} KeepHead;

typedef struct KeepMark {
    uint64_t count, bytes; /* rows of the session, and what they take in memory */
    uint64_t last_seq;     /* given out */
    uint64_t sent_seq;     /* what is newer was never sent */
} KeepMark;

static inline uint64_t keep_row(uint32_t slot, uint64_t seq)
{
    return (uint64_t)slot << KEEP_SLOT_SHIFT | seq;
}

typedef struct KeepMsg { /* a message record, taken apart */
    MqttPub pub;         /* slices of the record */
    int64_t expires_ns;  /* wall clock; 0 = never */
} KeepMsg;

typedef struct KeepSession {
    Str id, user;
    uint32_t expiry_s, will_delay_s;
    int64_t ends_ns;    /* wall clock; 0 = was connected */
    int64_t will_at_ns; /* wall clock; 0 = not due */
    uint8_t version;
    bool has_will;
    KeepMsg will;
} KeepSession;

typedef struct KeepFilter {
    Str filter;
    uint32_t id;
    uint8_t qos;
    bool no_local, as_published;
} KeepFilter;

enum { KEEP_IDS_MAX = 64, KEEP_CRC_BYTES = 4 };

/* Each appends one record whose checksum is still missing. */
void mqtt__keep_put_msg(Buf *out, const KeepMsg *msg);
void mqtt__keep_put_entry(Buf *out, const uint32_t *ids, uint32_t count);
void mqtt__keep_put_session(Buf *out, const KeepSession *session);
void mqtt__keep_put_filter(Buf *out, const KeepFilter *filter);
/* Writes the checksums of the `bytes` of a change: of the records in it. */
void mqtt__keep_seal(uint8_t op, char *bytes, size_t len);
/* The filter of a filter record, the topic of a message, of records just written. */
Str mqtt__keep_key(Str record);

/* ST_CORRUPT for what is damaged, or not such a record. Slices point into `bytes`. */
MUST Status mqtt__keep_get_msg(Str bytes, KeepMsg *ret_msg);
/* *ret_rest: what stands behind the entry. */
MUST Status mqtt__keep_get_entry(Str bytes, uint32_t ids[KEEP_IDS_MAX], uint32_t *ret_count,
                                 Str *ret_rest);
MUST Status mqtt__keep_get_session(Str bytes, KeepSession *ret_session);
MUST Status mqtt__keep_get_filter(Str bytes, KeepFilter *ret_filter);

/* keep_apply.c: jobs of the store's thread */
extern const StoreMigration mqtt__keep_migrations[];
MUST Status mqtt__keep_apply(StoreConn *conn, Buf *batches, Diag *diag);
/* keep_fold.c: strikes out of batches side by side what a later change makes void. */
void mqtt__keep_fold(Buf *batches);
/* What is there, each with fn: sessions, filters, received identifiers, marks, topics of retained
 * messages; what is damaged is set aside and counted. */
typedef struct KeepVisitor {
    void (*session)(void *ctx, uint32_t slot, const KeepSession *session);
    void (*filter)(void *ctx, uint32_t slot, const KeepFilter *filter);
    void (*received)(void *ctx, uint32_t slot, uint16_t id, bool open);
    void (*mark)(void *ctx, uint32_t slot, const KeepMark *mark);
    void (*topic)(void *ctx, uint32_t row, Str topic); /* of a retained message; rows ascend */
    void *ctx;
    uint64_t damaged, last_body;
} KeepVisitor;
MUST Status mqtt__keep_load(StoreConn *conn, KeepVisitor *visitor, Diag *diag);
/* keep_open.c: when that said ST_CORRUPT; nothing of the file may be in use. */
MUST Status mqtt__keep_salvage(Store *store, Log *log, Diag *diag);

enum { KEEP_READ_ROWS = 512, KEEP_READ_BYTES = 1 << 20 };
enum { KEEP_RETAINED_ROWS = 2048, KEEP_RETAINED_BYTES = 2 << 20 }; /* all of them will be read */
/* Rows after `from` up to `to`, until KEEP_READ_ROWS or KEEP_READ_BYTES are there: KeepHead (id,
 * flags: state) and `bytes`: the entry record, then its message. */
MUST Status mqtt__keep_rows(StoreConn *conn, uint64_t from, uint64_t to, Buf *out, bool *ret_more,
                            Diag *diag);
/* The same of retained messages: KeepHead (id) and the record. */
MUST Status mqtt__keep_retained_rows(StoreConn *conn, uint32_t from, Buf *out, bool *ret_more,
                                     Diag *diag);
/* Those of the rows in `asked` (uint32_t each) that are there, all of them. */
MUST Status mqtt__keep_retained_these(StoreConn *conn, const Buf *asked, Buf *out, Diag *diag);

#endif
