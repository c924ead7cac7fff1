/* runtime/base/hash.c: SipHash-1-3 with a random key, and linear probing over it.
 *
 * A removed slot stays marked until the next growth, so that probes go on past it. */
#include "base/hash.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void key_make(void)
{
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) abort();
}

static inline uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
    pthread_once(&key_once, key_make);
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *p = bytes;
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++) last |= (uint64_t)p[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t slot_hash(Str name)
{
    uint64_t hash = hash_bytes(name.ptr, name.len);
    return hash < 2 ? hash + 2 : hash;
}

void map_init(Map *map, size_t count_max)
{
    *map = (Map){.count_max = count_max};
}

void map_done(Map *map)
{
    mem_free(map->slots);
    *map = (Map){.count_max = map->count_max};
}

static MapSlot *find(const Map *map, Str name, uint64_t hash)
{
    if (!map->cap) return NULL;
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        MapSlot *slot = &map->slots[i];
        if (slot->hash == 0) return NULL;
        if (slot->hash == hash && str_eq(slot->key, name)) return slot;
    }
}

void *map_get(const Map *map, Str name)
{
    MapSlot *slot = find(map, name, slot_hash(name));
    return slot ? slot->value : NULL;
}

static void place(Map *map, MapSlot row)
{
    size_t i = row.hash & (map->cap - 1);
    while (map->slots[i].hash > 1) i = (i + 1) & (map->cap - 1);
    if (map->slots[i].hash == 0) map->used++;
    map->slots[i] = row;
    map->len++;
}

static Status rebuild(Map *map)
{
    Map old = *map;
    size_t cap = 16;
    while (cap < old.len * 3) cap *= 2;
    MapSlot *slots = mem_zalloc(cap, sizeof *slots);
    if (!slots) return ST_NO_MEMORY;
    map->slots = slots;
    map->cap = cap;
    map->len = map->used = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].hash > 1) place(map, old.slots[i]);
    mem_free(old.slots);
    return ST_OK;
}

Status map_put(Map *map, Str name, void *value)
{
    uint64_t hash = slot_hash(name);
    MapSlot *slot = find(map, name, hash);
    if (slot) {
        slot->key = name;
        slot->value = value;
        return ST_OK;
    }
    if (map->len >= map->count_max) return ST_LIMIT;
    if ((map->used + 1) * 3 > map->cap * 2) {
        Status st = rebuild(map);
        if (st) return st;
    }
    place(map, (MapSlot){hash, name, value});
    return ST_OK;
}

void *map_remove(Map *map, Str name)
{
    MapSlot *slot = find(map, name, slot_hash(name));
    if (!slot) return NULL;
    void *value = slot->value;
    *slot = (MapSlot){.hash = 1};
    map->len--;
    return value;
}

MapSlot *map_next(const Map *map, size_t *at)
{
    while (*at < map->cap) {
        MapSlot *slot = &map->slots[(*at)++];
        if (slot->hash > 1) return slot;
    }
    return NULL;
}
