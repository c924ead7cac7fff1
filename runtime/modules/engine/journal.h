/* runtime/modules/engine/journal.h: what journal.c writes and journal_read.c reads. */
#ifndef TUTTI_MODULES_ENGINE_JOURNAL_H
#define TUTTI_MODULES_ENGINE_JOURNAL_H

#include "modules/engine/engine.h"

enum {
    JOURNAL_HEAD_BYTES = 16,
    JOURNAL_HASH_BYTES = 16,
    JOURNAL_ENTRY_BYTES = 8 + JOURNAL_HASH_BYTES,
    JOURNAL_BYTES_MAX = 1 << 30,
    /* One batch: 1 MiB, and one record of 4 MiB with its topic. */
    JOURNAL_ENTRY_BYTES_MAX = 16 << 20
};

typedef enum JournalKind { JOURNAL_BATCH = 1, JOURNAL_IDLE, JOURNAL_MARK } JournalKind;

typedef struct JournalItem {
    uint32_t len, topic_len, key_len;
    uint8_t source, failed;
    uint16_t headers_len;
    int64_t received_ns;
} JournalItem;

typedef struct JournalBatch {
    uint64_t seq;
    int64_t idle_ns;
    uint32_t count, places;
} JournalBatch;

typedef struct JournalPlace { /* of a table that rows of the batch come from: behind the last */
    unsigned char hash[ENGINE_PLACE_HASH];
    EngPlace at;
} JournalPlace;

/* NAME.journal and `more`, with a NUL. */
void engine__journal_path(const EngPipe *pipe, const char *more, Buf *out);
void engine__journal_hash(JournalKind kind, Str body, unsigned char ret_hash[JOURNAL_HASH_BYTES]);
/* Feeds what stands in the open file; journal->bytes is how much of it is good. */
void engine__journal_read(EngPipe *pipe, EngRun *run);

#endif
