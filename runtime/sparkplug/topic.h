/* runtime/sparkplug/topic.h: topics of Sparkplug 3.0 (chapter 4), the STATE of a host, and the path
 * that a metric has in the namespace. Pure; slices point into what was given. */
#ifndef TUTTI_SPARKPLUG_TOPIC_H
#define TUTTI_SPARKPLUG_TOPIC_H

#include "base/arena.h"
#include "base/buf.h"

typedef enum SpKind {
    SP_NOT, /* not of Sparkplug B 3.0 */
    SP_NBIRTH,
    SP_NDEATH,
    SP_DBIRTH,
    SP_DDEATH,
    SP_NDATA,
    SP_DDATA,
    SP_NCMD,
    SP_DCMD,
    SP_STATE
} SpKind;

enum { SP_ID_BYTES_MAX = 256, SP_PATH_BYTES_MAX = 1024 };

typedef struct SpTopic {
    SpKind kind;
    Str group, node, device; /* STATE: node is the host's id */
} SpTopic;

/* spBv1.0/GROUP/KIND/NODE[/DEVICE] or spBv1.0/STATE/HOST: [tck-id-topic-structure],
 * [tck-id-host-topic-phid-birth-topic]. A device stands in D... and nowhere else. */
SpTopic sp_topic_read(Str topic);
/* Not empty, none of + / #, at most SP_ID_BYTES_MAX:
 * [tck-id-topic-structure-namespace-valid-group-id] and its like. */
bool sp_id_valid(Str id);
void sp_topic_put(Buf *out, SpKind kind, Str group, Str node, Str device);

/* {"online":true,"timestamp":1700000000000}: [tck-id-host-topic-phid-birth-payload]. */
bool sp_state_read(Arena *arena, Str payload, bool *ret_online, int64_t *ret_ts_ms);
void sp_state_put(Buf *out, bool online, int64_t ts_ms);

/* PREFIX/GROUP/NODE[/DEVICE][/METRIC]: slashes of a metric's name are levels; empty levels vanish,
 * and what a path cannot hold (+ # and control bytes, $ in front) becomes _. False: longer than
 * SP_PATH_BYTES_MAX. `room` holds that many bytes. */
bool sp_path(char *room, Str prefix, Str group, Str node, Str device, Str metric, Str *ret_path);

#endif
