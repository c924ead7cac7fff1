/* runtime/deliver/deliver_int.h: what the kinds of sinks share. */
#ifndef TUTTI_DELIVER_DELIVER_INT_H
#define TUTTI_DELIVER_DELIVER_INT_H

#include "deliver/deliver.h"

#include "base/json.h"
#include "peer/link.h"

enum { DELIVER_COLUMNS_MAX = RT_LEAVES_MAX, DELIVER_ROWS_MAX = 1000 };

typedef struct DeliverColumn {
    Str name;               /* "a.b" of a nested record */
    const RtField *path[8]; /* from the row's schema down to the field */
    uint32_t depth;
    bool key;
} DeliverColumn;

typedef struct DeliverDriver {
    const char *kind;
    size_t self_bytes;                                 /* zeroed, at Deliver.self */
    MUST Status (*open)(Deliver *deliver, Diag *diag); /* reads settings; no peer yet */
    MUST Status (*check)(Deliver *deliver, Diag *diag);
    /* The rows from `from` on, as many as go at once: ST_OK and how many. ST_CONFLICT: the first
     * of them is refused, and none is delivered. Anything else: again later. */
    MUST Status (*some)(Deliver *deliver, const DeliverRows *rows, uint32_t from,
                        uint32_t *ret_done, Diag *diag);
    void (*close)(Deliver *deliver);
} DeliverDriver;

extern const DeliverDriver deliver__sqlite, deliver__postgres, deliver__email;

struct Deliver {
    const DeliverDriver *driver;
    const RtSinkInfo *sink;
    DeliverHost host;
    Arena *arena; /* what lives as long as this */
    Arena *row;   /* what lives for a batch */
    const Json *options;
    PeerLink link; /* of a declared connection; name "" = none */
    DeliverColumn *columns;
    uint32_t column_count, key_count;
    bool troubled; /* a problem was told */
    void *self;
};

bool deliver__halts(const Deliver *deliver);
/* A text of the sink's options, or "". */
Str deliver__option(const Deliver *deliver, const char *name);

/* table.c */
MUST Status deliver__columns(Deliver *deliver, Diag *diag);
Str deliver__row(const DeliverRows *rows, uint32_t index); /* its JSON */
/* The value of a column in a row that was read; NULL: missing. */
const Json *deliver__value(const DeliverColumn *column, const Json *row);
const RtField *deliver__field(const DeliverColumn *column);
/* Base64 (RFC 4648, as rows have it) to bytes; `out` has room for text.len. How many they are. */
size_t deliver__bytes(Str text, unsigned char *out);
/* The columns' names, quoted, with commas; of the key only. */
void deliver__put_names(const Deliver *deliver, Buf *out, bool keys_only);
/* " do update set ..." of an upsert: all that is no key, from `excluded`. */
void deliver__put_updates(const Deliver *deliver, Buf *out);

#endif
