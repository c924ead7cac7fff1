/* runtime/modules/engine/journal_read.c: from the journal back to open windows, at a start.
 *
 * Twice through the file: what is whole and which batches are done with, then the feeding. Layout
 * and reasons in journal.c. */
#include "modules/engine/journal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Reading {
    EngRun *run;
    Str all;
    uint64_t first, last; /* numbers of batches */
    uint8_t *marked;      /* a bit for each */
    size_t whole;         /* bytes that are good */
    uint64_t batches, records;
} Reading;

/* False: the end, or what is torn. */
static bool next_entry(Str *rest, JournalKind *ret_kind, Str *ret_body)
{
    uint32_t len;
    unsigned char digest[JOURNAL_HASH_BYTES];
    if (rest->len < JOURNAL_ENTRY_BYTES) {
        return false;
    }
    memcpy(&len, rest->ptr, sizeof(len));
    if (len > JOURNAL_ENTRY_BYTES_MAX || len > rest->len - JOURNAL_ENTRY_BYTES) {
        return false;
    }
    *ret_kind = (JournalKind)rest->ptr[4];
    *ret_body = str_slice(rest->ptr + JOURNAL_ENTRY_BYTES, len);
    engine__journal_hash(*ret_kind, *ret_body, digest);
    if (len < sizeof(uint64_t) || memcmp(digest, rest->ptr + 8, sizeof(digest)) != 0) {
        return false;
    }
    *rest = str_skip(*rest, JOURNAL_ENTRY_BYTES + len);
    return true;
}

static uint64_t number_of(Str body)
{
    uint64_t seq;
    memcpy(&seq, body.ptr, sizeof(seq));
    return seq;
}

/* What is whole, and which batches are done with. */
MUST static Status look_through(Reading *r)
{
    JournalKind kind;
    Str rest = str_skip(r->all, JOURNAL_HEAD_BYTES), body;
    while (next_entry(&rest, &kind, &body)) {
        if (kind != JOURNAL_MARK) {
            r->last = number_of(body);
            r->first = r->first ? r->first : r->last;
        }
    }
    r->whole = r->all.len - rest.len;
    if (r->last < r->first || r->last - r->first > r->whole / JOURNAL_ENTRY_BYTES) {
        return ST_CORRUPT;
    }
    r->marked = mem_zalloc((r->last - r->first) / 8 + 1, 1);
    if (!r->marked) {
        return ST_NO_MEMORY;
    }
    rest = str_skip(r->all, JOURNAL_HEAD_BYTES);
    while (next_entry(&rest, &kind, &body)) {
        uint64_t at = number_of(body) - r->first;
        if (kind == JOURNAL_MARK && at <= r->last - r->first) {
            r->marked[at / 8] |= (uint8_t)(1u << at % 8);
        }
    }
    return ST_OK;
}

static uint8_t slot_of(const EngRun *run, uint32_t source)
{
    for (uint8_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        if (run->slot_source[i] == source) {
            return i;
        }
    }
    return 0;
}

/* Its bytes and items, as they were taken from the queue; false: it is not what was written. */
static bool take_batch(EngRun *run, Str body, EngBatch *batch)
{
    JournalBatch head;
    if (body.len < sizeof(head)) {
        return false;
    }
    memcpy(&head, body.ptr, sizeof(head));
    body = str_skip(body, sizeof(head));
    if (head.count > ENGINE_BATCH_ITEMS || body.len < head.count * sizeof(JournalItem)) {
        return false;
    }
    Str bytes = str_skip(body, head.count * sizeof(JournalItem));
    if (head.places > ENGINE_SOURCES_MAX || bytes.len < head.places * sizeof(JournalPlace)) {
        return false;
    }
    for (uint32_t i = 0; i < head.places; i++) {
        JournalPlace place;
        memcpy(&place, bytes.ptr, sizeof(place));
        engine__place_reached(run->pipe, place.hash, place.at, false);
        bytes = str_skip(bytes, sizeof(place));
    }
    size_t at = 0;
    for (uint32_t i = 0; i < head.count; i++) {
        JournalItem item;
        memcpy(&item, body.ptr + i * sizeof(item), sizeof(item));
        batch->items[i] = (EngItem){
            .at = at,
            .len = item.len,
            .topic_len = item.topic_len,
            .key_len = item.key_len,
            .headers_len = item.headers_len,
            .received_ns = item.received_ns,
            .token = {.slot = slot_of(run, item.source), .failed = item.failed != 0},
        };
        at += (size_t)item.len + item.topic_len + item.key_len + item.headers_len;
    }
    buf_clear(&batch->bytes);
    buf_str(&batch->bytes, bytes);
    batch->count = head.count;
    return at == bytes.len && buf_reserve(&batch->bytes, RT_PAD_BYTES);
}

MUST static Status feed_again(Reading *r)
{
    EngBatch batch = {.items = mem_zalloc(ENGINE_BATCH_ITEMS, sizeof(EngItem))};
    Status st = batch.items ? ST_OK : ST_NO_MEMORY;
    JournalKind kind;
    Str rest = str_skip(str_slice(r->all.ptr, r->whole), JOURNAL_HEAD_BYTES), body;
    buf_init(&batch.bytes, JOURNAL_ENTRY_BYTES_MAX + RT_PAD_BYTES);
    while (!st && next_entry(&rest, &kind, &body)) {
        if (kind == JOURNAL_MARK) {
            continue;
        }
        uint64_t seq = number_of(body), at = seq - r->first;
        int64_t idle_ns = 0;
        if (body.len >= 2 * sizeof(idle_ns)) {
            memcpy(&idle_ns, body.ptr + sizeof(seq), sizeof(idle_ns));
        }
        batch.count = 0;
        if (at > r->last - r->first ||
            (kind == JOURNAL_BATCH && !take_batch(r->run, body, &batch))) {
            st = ST_CORRUPT;
            break;
        }
        engine__run_again(r->run, &batch, idle_ns, seq, r->marked[at / 8] >> at % 8 & 1);
        r->batches++;
        r->records += batch.count;
    }
    buf_done(&batch.bytes);
    mem_free(batch.items);
    return st;
}

/* Numbers of a pipeline are those since its start. */
static void forget_counts(EngPipe *pipe, EngRun *run)
{
    RtCounters minus = *flow_counters(run->instance);
    uint64_t *n = (uint64_t *)&minus;
    for (size_t i = 0; i < sizeof(minus) / sizeof(*n); i++) {
        n[i] = 0 - n[i];
    }
    engine__add_counters(&pipe->before, &minus);
    for (uint32_t i = 0; i < run->info->wire_count; i++) {
        run->wire_base[i] -= flow_wire_count(run->instance, i);
        run->wire_before[i] = flow_wire_count(run->instance, i);
    }
}

/* A log that is not what was written is kept aside, and said. */
static void put_aside(const EngPipe *pipe, const Reading *r)
{
    AUTO_BUF Buf path;
    engine__journal_path(pipe, ".damaged", &path);
    int fd = path.failed ? -1 : open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, r->all.ptr, r->all.len);
    if (fd >= 0) {
        close(fd);
    }
    log_error(pipe->engine->env->log, "engine",
              "records since the last save of open windows are damaged: what follows is lost",
              "pipeline=%s kept=%s whole=%zu bytes=%zu", pipe->name,
              n == (ssize_t)r->all.len ? path.ptr : "no", r->whole, r->all.len);
}

/* A crash tears the last entry at most: something whole behind it, or as much as it says, is
 * damage. */
static bool is_torn_only(const Reading *r)
{
    Str rest = str_skip(r->all, r->whole);
    uint32_t len;
    if (rest.len < JOURNAL_ENTRY_BYTES) {
        return true;
    }
    memcpy(&len, rest.ptr, sizeof(len));
    return len <= JOURNAL_ENTRY_BYTES_MAX && rest.len < JOURNAL_ENTRY_BYTES + (size_t)len;
}

static void replay(EngPipe *pipe, EngRun *run, Str all)
{
    EngJournal *journal = &pipe->journal;
    Reading r = {.run = run, .all = all};
    uint64_t generation = 0;
    if (all.len >= JOURNAL_HEAD_BYTES && memcmp(all.ptr, "TUTJ", 4) == 0) {
        memcpy(&generation, all.ptr + 8, sizeof(generation));
    }
    if (journal->generation == JOURNAL_ANY) { /* the checkpoint is damaged */
        journal->generation = generation;
    }
    if (all.len < JOURNAL_HEAD_BYTES || generation != journal->generation) {
        journal->bytes = 0;
        return; /* nothing yet, or of an older checkpoint: the state has it all */
    }
    Status st = look_through(&r);
    if (!st && !is_torn_only(&r)) {
        put_aside(pipe, &r);
    }
    journal->seq = r.last;
    journal->bytes = r.whole;
    if (!st && r.first) {
        st = feed_again(&r);
        forget_counts(pipe, run);
        log_info(pipe->engine->env->log, "engine", "what was in open windows is back",
                 "pipeline=%s records=%llu batches=%llu", pipe->name, (unsigned long long)r.records,
                 (unsigned long long)r.batches);
    }
    if (st) {
        put_aside(pipe, &r);
    }
    mem_free(r.marked);
}

void engine__journal_read(EngPipe *pipe, EngRun *run)
{
    struct stat info;
    EngJournal *journal = &pipe->journal;
    if (fstat(journal->fd, &info) || info.st_size <= 0 || info.st_size > JOURNAL_BYTES_MAX) {
        journal->bytes = 0;
        return;
    }
    size_t len = (size_t)info.st_size;
    void *all = mmap(NULL, len, PROT_READ, MAP_PRIVATE, journal->fd, 0);
    if (all == MAP_FAILED) {
        log_error(pipe->engine->env->log, "engine", "cannot read what was in open windows",
                  "pipeline=%s reason=%s", pipe->name, strerror(errno));
        return;
    }
    replay(pipe, run, str_slice(all, len));
    munmap(all, len);
}
