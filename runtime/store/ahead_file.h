/* runtime/store/ahead_file.h: the file of a log ahead of a store; for this folder only.
 *
 * A ring of records, written in place again and again: what neither grows nor moves is synced in
 * half the time. Each record begins on a page of its own, so writing one cannot tear another, and
 * names the checksum of the one before, so what an earlier round left there, or another store,
 * never follows a newer one. Where the first record of interest stands is the store's to know
 * (AheadMark); numbers are as this machine has them.
 *
 *   record  magic, crc of all behind it, crc of the record before, bytes that follow, seq; bytes */
#ifndef TUTTI_STORE_AHEAD_FILE_H
#define TUTTI_STORE_AHEAD_FILE_H

#include "base/buf.h"

enum {
    AHEAD_RING_BYTES = 16 << 20,
    AHEAD_RECORD_BYTES = 4 << 20, /* of one record at most */
    AHEAD_PAGE_BYTES = 4096,
};

typedef struct AheadMark { /* of a record */
    uint64_t seq;          /* from 1, without gaps */
    uint64_t next;         /* where the next one stands, or at 0 */
    uint32_t crc;
} AheadMark;

typedef struct AheadFile {
    char *path; /* owned */
    int fd;     /* -1: nothing was written yet */
    uint64_t bytes;
    AheadMark last; /* written */
    bool tried;     /* the next one may stand at tried_at already, but was not synced */
    uint64_t tried_at;
    bool needed; /* some are: the user says so, and where the first of them begins */
    uint64_t oldest;
} AheadFile;

/* A file that is not there is made by the first record. */
MUST Status store__ahead_file_open(AheadFile *file, const char *path, Diag *diag);
void store__ahead_file_close(AheadFile *file);
/* Where a record of so many bytes may be written; false: only when older ones are not needed. */
bool store__ahead_place(const AheadFile *file, size_t bytes, uint64_t *ret_at);
/* There, synced; file->last is it then. After a failure the same bytes come again, to the same
 * place: a start that finds both would not know which one is followed. */
MUST Status store__ahead_append(AheadFile *file, uint64_t at, Str bytes, Diag *diag);
/* The record behind file->last, its bytes added to `out`; *ret_there false: there is none. */
MUST Status store__ahead_read(AheadFile *file, Buf *out, uint64_t *ret_at, bool *ret_there,
                              Diag *diag);
/* Gives back what lies behind the last record that is needed: for a disk that is full. */
void store__ahead_shrink(AheadFile *file);

#endif
