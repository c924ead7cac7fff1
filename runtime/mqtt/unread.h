/* runtime/mqtt/unread.h: which topics have a retained message on the disk that is not read yet.
 *
 * A start fills it with all topics, one read takes them out again, one by one, and a publish to a
 * topic takes its row over. It is as small as it can be, because a start takes as long as this:
 * topics lie one behind the other, and a table of numbers finds them. The tree of retained messages
 * is made when they are read. */
#ifndef TUTTI_MQTT_UNREAD_H
#define TUTTI_MQTT_UNREAD_H

#include "base/status.h"
#include "base/str.h"

typedef struct Unread {
    char *topics; /* owned: row, length, topic; padded */
    size_t bytes, cap;
    uint64_t *slots; /* owned; half a topic's hash, and above it where it lies in topics */
    size_t slot_count;
    uint32_t count;
} Unread;

void mqtt__unread_done(Unread *unread); /* empties it; accepts one that is empty, all zero */
/* row is not 0. ST_LIMIT: too long for a topic, or too many. */
MUST Status mqtt__unread_add(Unread *unread, Str topic, uint32_t row);
/* When all are added, before the first is asked for. *ret_doubles: had a row already, and are left
 * out. */
MUST Status mqtt__unread_index(Unread *unread, uint32_t *ret_doubles);
uint32_t mqtt__unread_row(const Unread *unread, Str topic); /* 0: it has none */
/* The same, and it is not there any more. */
uint32_t mqtt__unread_take(Unread *unread, Str topic);

/* The topic at *at (0 begins), which moves on; its row, 0: it is not there any more. Not behind the
 * end, `bytes`. */
uint32_t mqtt__unread_next(const Unread *unread, size_t *at, Str *ret_topic);

#endif
