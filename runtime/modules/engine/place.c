/* runtime/modules/engine/place.c: how far a pipeline has come in the tables it reads, in
 * DATA/engine/NAME.places.
 *
 *   for each of ENGINE_SOURCES_MAX places two entries of 64 bytes, written in turns:
 *   16 bytes BLAKE2b of the source's identity, u64 serial, i64 n, i64 next, 8 bytes 0,
 *   16 bytes BLAKE2b of what is before
 *
 * Of two entries the whole one with the higher serial counts, so a write that a crash tears costs
 * the last step at most, and those rows come again. Without a journal a place is written when all
 * that was made of its rows is with the sinks. With one (journal.c) the rows lie there: the place
 * that counts is that of the last row in it, and the file is written at every checkpoint, before
 * the log is emptied. */
#include "modules/engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

typedef struct PlaceEntry {
    unsigned char hash[ENGINE_PLACE_HASH];
    uint64_t serial;
    EngPlace at;
    uint64_t zero;
    unsigned char check[16];
} PlaceEntry;

static_assert(sizeof(PlaceEntry) == 64, "the file's layout");

static void place_path(const EngPipe *pipe, Buf *out)
{
    buf_init(out, 4096);
    buf_printf(out, "%s/engine/%s.places", pipe->engine->env->data_dir, pipe->name);
    buf_char(out, 0);
}

static void seal(const PlaceEntry *entry, unsigned char ret_check[16])
{
    crypto_generichash(ret_check, 16, (const unsigned char *)entry, offsetof(PlaceEntry, check),
                       NULL, 0);
}

void engine__place_hash(Str identity, unsigned char ret_hash[ENGINE_PLACE_HASH])
{
    crypto_generichash(ret_hash, ENGINE_PLACE_HASH, (const unsigned char *)identity.ptr,
                       identity.len, NULL, 0);
}

static bool is_behind(EngPlace a, EngPlace b)
{
    return a.n < b.n || (a.n == b.n && a.next < b.next);
}

static EngPlaceKept *kept_of(EngPlaces *places, const unsigned char *hash, bool make)
{
    EngPlaceKept *free_one = NULL;
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        EngPlaceKept *one = &places->list[i];
        if (one->used && memcmp(one->hash, hash, ENGINE_PLACE_HASH) == 0) {
            return one;
        }
        if (!one->used && !free_one) {
            free_one = one;
        }
    }
    if (!make || !free_one) {
        return NULL;
    }
    uint64_t serial = free_one->serial;
    *free_one = (EngPlaceKept){
        .used = true, .serial = serial, .at = ENGINE_PLACE_FIRST, .safe = ENGINE_PLACE_FIRST};
    memcpy(free_one->hash, hash, ENGINE_PLACE_HASH);
    return free_one;
}

/* ---- the file ---- */

static void read_file(const EngPipe *pipe, EngPlaces *places)
{
    AUTO_BUF Buf path;
    PlaceEntry entry;
    unsigned char check[16];
    place_path(pipe, &path);
    int fd = path.failed ? -1 : open(path.ptr, O_RDONLY | O_CLOEXEC);
    for (uint32_t i = 0; fd >= 0 && i < 2 * ENGINE_SOURCES_MAX; i++) {
        if (pread(fd, &entry, sizeof(entry), (off_t)(i * sizeof(entry))) != sizeof(entry)) {
            continue;
        }
        seal(&entry, check);
        EngPlaceKept *one = &places->list[i / 2];
        if (memcmp(check, entry.check, sizeof(check)) != 0 || entry.serial <= one->serial) {
            continue;
        }
        one->used = entry.zero == 0;
        one->serial = entry.serial;
        one->at = one->safe = entry.at;
        memcpy(one->hash, entry.hash, sizeof(one->hash));
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* False: the folder cannot be written; what is in memory counts on. */
static bool open_file(EngPipe *pipe)
{
    EngPlaces *places = &pipe->places;
    if (places->fd >= 0 || atomic_load(&pipe->journal.gone)) {
        return places->fd >= 0;
    }
    AUTO_BUF Buf path;
    place_path(pipe, &path);
    places->fd = path.failed ? -1 : open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return places->fd >= 0;
}

static int write_entry(EngPlaces *places, uint32_t index)
{
    EngPlaceKept *one = &places->list[index];
    PlaceEntry entry = {.serial = one->serial + 1, .at = one->safe, .zero = !one->used};
    memcpy(entry.hash, one->hash, sizeof(entry.hash));
    seal(&entry, entry.check);
    uint64_t at = (2 * (uint64_t)index + entry.serial % 2) * sizeof(entry);
    ssize_t n = pwrite(places->fd, &entry, sizeof(entry), (off_t)at);
    if (n != (ssize_t)sizeof(entry)) {
        return n < 0 ? errno : ENOSPC;
    }
    one->serial++;
    one->dirty = false;
    return 0;
}

static int write_dirty(EngPipe *pipe)
{
    EngPlaces *places = &pipe->places;
    int error = 0;
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX && !error; i++) {
        if (places->list[i].dirty && !open_file(pipe)) {
            error = errno ? errno : EIO;
        } else if (places->list[i].dirty) {
            error = write_entry(places, i);
        }
    }
    return error;
}

/* ---- for sources, their acknowledgements and the journal ---- */

Status engine__places_init(EngPlaces *places)
{
    places->fd = -1;
    return uv_mutex_init(&places->lock) ? ST_NO_MEMORY : ST_OK;
}

void engine__places_done(EngPlaces *places)
{
    if (places->fd >= 0) {
        close(places->fd);
    }
    uv_mutex_destroy(&places->lock);
}

void engine__places_open(EngPipe *pipe)
{
    uv_mutex_lock(&pipe->places.lock);
    if (!pipe->places.read) {
        read_file(pipe, &pipe->places);
        pipe->places.read = true;
    }
    uv_mutex_unlock(&pipe->places.lock);
}

EngPlace engine__place_start(EngPipe *pipe, const unsigned char *hash)
{
    uv_mutex_lock(&pipe->places.lock);
    EngPlaceKept *one = kept_of(&pipe->places, hash, false);
    EngPlace at = !one ? ENGINE_PLACE_FIRST : one->left ? one->ahead : one->at;
    if (one) {
        one->left = false;
    }
    uv_mutex_unlock(&pipe->places.lock);
    return at;
}

void engine__place_begin(EngPipe *pipe, const unsigned char *hash, EngPlace at)
{
    uv_mutex_lock(&pipe->places.lock);
    EngPlaceKept *one = kept_of(&pipe->places, hash, false);
    if (!one && (one = kept_of(&pipe->places, hash, true))) {
        one->at = one->safe = at;
        one->dirty = true;
        if (!write_dirty(pipe)) { /* else with the next step, as it is dirty */
            (void)!fdatasync(pipe->places.fd);
        }
    }
    uv_mutex_unlock(&pipe->places.lock);
}

void engine__place_reached(EngPipe *pipe, const unsigned char *hash, EngPlace at, bool safe)
{
    uv_mutex_lock(&pipe->places.lock);
    EngPlaceKept *one = kept_of(&pipe->places, hash, true);
    if (one && is_behind(one->at, at)) {
        one->at = at;
    }
    if (one && safe && is_behind(one->safe, at)) {
        one->safe = at;
        one->dirty = true;
    }
    uv_mutex_unlock(&pipe->places.lock);
}

void engine__place_left(EngPipe *pipe, const unsigned char *hash, EngPlace ahead)
{
    uv_mutex_lock(&pipe->places.lock);
    EngPlaceKept *one = kept_of(&pipe->places, hash, true);
    if (one) {
        one->left = true;
        one->ahead = ahead;
    }
    uv_mutex_unlock(&pipe->places.lock);
}

void engine__place_forget(EngPipe *pipe, const unsigned char *hash)
{
    uv_mutex_lock(&pipe->places.lock);
    EngPlaceKept *one = kept_of(&pipe->places, hash, false);
    if (one) {
        one->used = one->left = false;
        one->dirty = true;
        (void)write_dirty(pipe); /* else it goes on there should it come back */
    }
    uv_mutex_unlock(&pipe->places.lock);
}

int engine__places_write(EngPipe *pipe, bool all)
{
    EngPlaces *places = &pipe->places;
    uv_mutex_lock(&places->lock);
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX && all && places->read; i++) {
        EngPlaceKept *one = &places->list[i];
        if (one->used && is_behind(one->safe, one->at)) {
            one->safe = one->at;
            one->dirty = true;
        }
    }
    int error = places->read ? write_dirty(pipe) : 0;
    if (!error && all && places->fd >= 0 && fdatasync(places->fd)) {
        error = errno;
    }
    uv_mutex_unlock(&places->lock);
    return error;
}

void engine__places_remove(const EngPipe *pipe)
{
    AUTO_BUF Buf path;
    place_path(pipe, &path);
    if (!path.failed) {
        unlink(path.ptr);
    }
}
