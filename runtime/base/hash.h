/* runtime/base/hash.h: the one hash and the one table.
 *
 * hash_bytes is SipHash-1-3 (Aumasson and Bernstein, 2012) keyed once per process with random
 * bytes, so a hostile peer cannot choose colliding keys. Values differ from run to run: never store
 * or send them. For content addresses use a cryptographic hash instead. */
#ifndef TUTTI_BASE_HASH_H
#define TUTTI_BASE_HASH_H

#include "base/status.h"
#include "base/str.h"

uint64_t hash_bytes(const void *bytes, size_t len);

/* Map from text to pointer: open addressing, keys and values owned by the caller.
 * Lives in its owner's memory; insertion order is not kept. */
typedef struct MapSlot {
    uint64_t hash; /* 0 = never used; 1 = removed */
    Str key;
    void *value;
} MapSlot;

typedef struct Map {
    MapSlot *slots; /* owned */
    size_t cap, len, used, count_max;
} Map;

void map_init(Map *map, size_t count_max);
void map_done(Map *map);
void *map_get(const Map *map, Str key); /* NULL when absent */
/* Adds or replaces; `key` must live as long as the entry. ST_LIMIT past count_max. */
MUST Status map_put(Map *map, Str key, void *value);
void *map_remove(Map *map, Str key); /* the value that was there, or NULL */
/* for (size_t at = 0; (slot = map_next(map, &at));) visits each entry; removing it is allowed. */
MapSlot *map_next(const Map *map, size_t *at);

#endif
