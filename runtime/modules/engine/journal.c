/* runtime/modules/engine/journal.c: what a pipeline remembers, against kill -9.
 *
 * A record whose whole effect is a sum in an open window is acknowledged once it lies in
 * DATA/engine/NAME.journal, synced. State is the last checkpoint (state_file.c) and what was fed
 * since:
 *
 *   "TUTJ"  u32 0  u64 generation, that of the checkpoint it follows (0: none)
 *   entries: u32 bytes of the body, u8 kind, 3 bytes 0, 16 bytes BLAKE2b of kind and body, body
 *     BATCH  u64 number, i64 time went on to before it (0: it did not), u32 items, u32 places,
 *            items (JournalItem), places (JournalPlace) of tables they come from (place.c), the
 *            items' bytes: payload, topic, key of each
 *     IDLE   u64 number, i64 time went on to; written when that made rows
 *     MARK   u64 number: the rows that this batch made are with their sinks
 *
 * A start loads the checkpoint and feeds the entries again, in the same batches and at the same
 * times, so the same rows come out; those of a marked batch are thrown away, the others go to their
 * sinks. A checkpoint is taken when the log has grown as long as the last one (8 MiB at least), so
 * that writing costs no more than what came in, and only while no rows are on their way: those
 * would be in neither. Behind a new version one is taken as soon as no rows are on their way: a
 * kill before that runs the entries again in the new version. What is torn at the end was never
 * acknowledged.
 *
 * Not kept so: pipelines that remember nothing, and those that read their files from the beginning
 * at every start. Runs on the shard, but for marks. */
#include "modules/engine/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LIMIT_MIN = 8 << 20,
    SWAP_LOG_MAX =
        64 << 10, /* what a new version takes on before a checkpoint parts it from the old */
};

void engine__journal_path(const EngPipe *pipe, const char *more, Buf *out)
{
    buf_init(out, 4096);
    buf_printf(out, "%s/engine/%s.journal%s", pipe->engine->env->data_dir, pipe->name, more);
    buf_char(out, 0);
}

static bool reads_files(const RtPipelineInfo *info)
{
    for (uint32_t i = 0; i < info->source_count; i++) {
        Str kind = str_from(info->sources[i].kind);
        if (str_is(kind, "file") || str_is(kind, "stdin")) {
            return true;
        }
    }
    return false;
}

bool engine__remembers(const RtPipelineInfo *info)
{
    bool remembers = info->window_count || info->join_count;
    for (uint32_t i = 0; i < info->mem_count; i++) {
        remembers |= info->mems[i].kind != RT_MEM_ASK;
    }
    return remembers;
}

bool engine__journal_wants(const EngRun *run)
{
    const RtPipelineInfo *info = run->info;
    return engine__remembers(info) && !info->bounded && !reads_files(info);
}

/* ---- writing ---- */

static void entry_begin(Buf *buf)
{
    static const char head[JOURNAL_ENTRY_BYTES];
    buf_clear(buf);
    buf->failed = ST_OK;
    buf_add(buf, head, sizeof(head));
}

void engine__journal_hash(JournalKind kind, Str body, unsigned char ret_hash[JOURNAL_HASH_BYTES])
{
    crypto_generichash_state state;
    unsigned char byte = (unsigned char)kind;
    crypto_generichash_init(&state, NULL, 0, JOURNAL_HASH_BYTES);
    crypto_generichash_update(&state, &byte, 1);
    crypto_generichash_update(&state, (const unsigned char *)body.ptr, body.len);
    crypto_generichash_final(&state, ret_hash, JOURNAL_HASH_BYTES);
}

/* All of it or nothing. Returns errno. */
static int entry_end(EngJournal *journal, JournalKind kind, Buf *buf)
{
    if (buf->failed || buf->len - JOURNAL_ENTRY_BYTES > JOURNAL_ENTRY_BYTES_MAX) {
        return ENOMEM;
    }
    Str body = str_skip(buf_view(buf), JOURNAL_ENTRY_BYTES);
    uint32_t len = (uint32_t)body.len;
    memcpy(buf->ptr, &len, sizeof(len));
    buf->ptr[4] = (char)kind;
    engine__journal_hash(kind, body, (unsigned char *)buf->ptr + 8);
    if (journal->bytes + buf->len > JOURNAL_BYTES_MAX) {
        return EFBIG;
    }
    size_t done = 0;
    while (done < buf->len) {
        ssize_t n =
            pwrite(journal->fd, buf->ptr + done, buf->len - done, (off_t)(journal->bytes + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            int error = n ? errno : ENOSPC;
            (void)!ftruncate(journal->fd, (off_t)journal->bytes);
            return error;
        }
        done += (size_t)n;
    }
    journal->bytes += buf->len;
    return 0;
}

/* A new log behind the checkpoint of `generation`. Returns errno. */
static int log_begin(EngJournal *journal)
{
    char head[JOURNAL_HEAD_BYTES] = "TUTJ";
    memcpy(head + 8, &journal->generation, 8);
    if (ftruncate(journal->fd, 0)) {
        return errno;
    }
    journal->bytes = 0;
    ssize_t n = pwrite(journal->fd, head, sizeof(head), 0);
    if (n != (ssize_t)sizeof(head)) {
        return n < 0 ? errno : ENOSPC;
    }
    journal->bytes = sizeof(head);
    return 0;
}

/* The state of now takes the place of the log. Returns errno. */
static int checkpoint(EngPipe *pipe, const EngRun *run)
{
    EngJournal *journal = &pipe->journal;
    size_t bytes = 0;
    if (atomic_load(&journal->gone)) {
        return 0;
    }
    int error = engine__places_write(pipe, true); /* its rows are in the state from now on */
    if (!error) {
        error = engine__state_save(pipe, run, journal->generation + 1, &bytes);
    }
    if (!error) {
        uv_mutex_lock(&journal->lock);
        journal->generation++;
        journal->idle_ns = run->time_ns; /* no part of the state */
        error = log_begin(journal);
        journal->limit = bytes > LIMIT_MIN ? bytes : LIMIT_MIN;
        journal->wanted = false;
        journal->broken = error != 0;
        uv_mutex_unlock(&journal->lock);
    }
    return error;
}

bool engine__journal_tidy(EngPipe *pipe)
{
    EngJournal *journal = &pipe->journal;
    if (journal->fd < 0 || !pipe->run) {
        return true;
    }
    bool due = journal->bytes > journal->limit;
    if (!due && !journal->wanted) {
        return true;
    }
    if (atomic_load(&pipe->flight)) {
        return !due;
    }
    int error = checkpoint(pipe, pipe->run);
    if (error) {
        log_warn(pipe->engine->env->log, "engine", "open windows cannot be saved: the log grows",
                 "pipeline=%s reason=%s log_bytes=%zu", pipe->name, strerror(error),
                 journal->bytes);
        journal->limit = journal->bytes + LIMIT_MIN;
        journal->wanted = false;
    }
    return true;
}

static bool needs_sync(const EngRun *run, const EngItem *item)
{
    uint32_t source = run->slot_source[item->token.slot];
    if (item->token.kind == TOKEN_NONE) {
        return false;
    }
    /* A table has its rows still, should the end of the log be lost. */
    if (engine__is_row(&item->token)) {
        return false;
    }
    /* A device that is asked again and again sends nothing twice. */
    return source == UINT32_MAX || !str_is(str_from(run->info->sources[source].kind), "modbus");
}

/* Of the last row of each table. */
static uint32_t put_places(const EngRun *run, const EngBatch *batch, Buf *out)
{
    const EngToken *last[ENGINE_SOURCES_MAX] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const EngToken *token = &batch->items[i].token;
        if (engine__is_row(token) && run->places[token->slot].serial == token->serial) {
            last[token->slot] = token;
        }
    }
    for (uint32_t i = 0; i < ENGINE_SOURCES_MAX; i++) {
        JournalPlace to;
        if (!last[i]) {
            continue;
        }
        memcpy(to.hash, run->places[i].hash, sizeof(to.hash));
        to.at = engine__token_place(last[i]);
        buf_add(out, &to, sizeof(to));
        count++;
    }
    return count;
}

static void put_batch(EngRun *run, const EngBatch *batch, uint64_t seq, bool *ret_sync)
{
    EngJournal *journal = &run->pipe->journal;
    JournalBatch head = {.seq = seq, .idle_ns = journal->idle_ns, .count = batch->count};
    size_t head_at = journal->buf.len;
    buf_add(&journal->buf, &head, sizeof(head));
    for (uint32_t i = 0; i < batch->count; i++) {
        const EngItem *item = &batch->items[i];
        uint32_t source = run->slot_source[item->token.slot];
        JournalItem to = {.len = item->len,
                          .topic_len = item->topic_len,
                          .key_len = item->key_len,
                          .source = (uint8_t)(source == UINT32_MAX ? 0 : source),
                          .failed = item->token.failed,
                          .headers_len = item->headers_len,
                          .received_ns = item->received_ns};
        buf_add(&journal->buf, &to, sizeof(to));
        *ret_sync |= needs_sync(run, item);
    }
    head.places = put_places(run, batch, &journal->buf);
    if (!journal->buf.failed) {
        memcpy(journal->buf.ptr + head_at, &head, sizeof(head));
    }
    buf_str(&journal->buf, buf_view(&batch->bytes));
}

/* What is in the log will not be asked for again. */
static void note_places(const EngRun *run, const EngBatch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const EngToken *token = &batch->items[i].token;
        const struct EngRunPlace *place = &run->places[token->slot];
        bool last = i + 1 == batch->count || batch->items[i + 1].token.slot != token->slot;
        if (engine__is_row(token) && last && place->serial == token->serial) {
            engine__place_reached(run->pipe, place->hash, engine__token_place(token), false);
        }
    }
}

int engine__journal_add(EngRun *run, const EngBatch *batch)
{
    EngPipe *pipe = run->pipe;
    EngJournal *journal = &pipe->journal;
    bool sync = false;
    run->seq = 0;
    if (journal->fd < 0 || batch->lines || !batch->count) {
        return 0;
    }
    if (journal->broken) { /* a sync failed: what is in the log may not be on the disk */
        if (atomic_load(&pipe->flight)) {
            return EAGAIN;
        }
        int error = checkpoint(pipe, run);
        if (error) {
            return error;
        }
    }
    entry_begin(&journal->buf);
    put_batch(run, batch, journal->seq + 1, &sync);
    uv_mutex_lock(&journal->lock);
    int error = entry_end(journal, JOURNAL_BATCH, &journal->buf);
    uv_mutex_unlock(&journal->lock);
    if (!error && sync && fdatasync(journal->fd)) {
        error = errno;
        journal->broken = true;
        return error;
    }
    if (error) {
        return error;
    }
    run->seq = ++journal->seq;
    journal->idle_ns = 0;
    note_places(run, batch);
    return 0;
}

void engine__journal_idle(EngRun *run, int64_t wall_ns, bool made_rows)
{
    EngJournal *journal = &run->pipe->journal;
    run->seq = 0;
    if (journal->fd < 0) {
        return;
    }
    journal->idle_ns = wall_ns;
    if (!made_rows) {
        return;
    }
    uint64_t seq = journal->seq + 1;
    entry_begin(&journal->buf);
    buf_add(&journal->buf, &seq, sizeof(seq));
    buf_add(&journal->buf, &wall_ns, sizeof(wall_ns));
    uv_mutex_lock(&journal->lock);
    int error = entry_end(journal, JOURNAL_IDLE, &journal->buf);
    uv_mutex_unlock(&journal->lock);
    if (!error) { /* else: after a crash these rows may come twice */
        run->seq = journal->seq = seq;
        journal->idle_ns = 0;
    }
}

void engine__journal_mark(EngPipe *pipe, uint64_t seq)
{
    EngJournal *journal = &pipe->journal;
    char bytes[JOURNAL_ENTRY_BYTES + sizeof(seq)] = {0};
    Buf buf = {.ptr = bytes, .len = sizeof(bytes), .cap = sizeof(bytes)};
    if (!seq) {
        return;
    }
    memcpy(bytes + JOURNAL_ENTRY_BYTES, &seq, sizeof(seq));
    uv_mutex_lock(&journal->lock);
    if (journal->fd >= 0) {
        (void)entry_end(journal, JOURNAL_MARK, &buf); /* else: after a crash its rows come twice */
    }
    uv_mutex_unlock(&journal->lock);
}

/* ---- the life of a pipeline ---- */

void engine__journal_init(EngJournal *journal)
{
    journal->fd = -1;
    buf_init(&journal->buf, JOURNAL_ENTRY_BYTES_MAX + JOURNAL_ENTRY_BYTES);
}

static void close_log(EngJournal *journal)
{
    uv_mutex_lock(&journal->lock);
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    journal->fd = -1;
    journal->bytes = journal->seq = journal->generation = 0;
    journal->idle_ns = 0;
    journal->wanted = journal->broken = false;
    uv_mutex_unlock(&journal->lock);
}

void engine__journal_done(EngJournal *journal)
{
    close_log(journal);
    buf_done(&journal->buf);
}

static void open_log(EngPipe *pipe)
{
    AUTO_BUF Buf path;
    engine__journal_path(pipe, "", &path);
    int fd = path.failed ? -1 : open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    pipe->journal.fd = fd;
    pipe->journal.limit = LIMIT_MIN;
    if (fd < 0) {
        engine__problem(pipe, ENGINE_PROBLEM_STATE,
                        "open windows would not survive a crash: %s: %s",
                        path.failed ? "the path" : path.ptr, strerror(errno));
    } else {
        engine__problem_over(pipe, ENGINE_PROBLEM_STATE);
    }
}

static void remove_log(const EngPipe *pipe)
{
    AUTO_BUF Buf path;
    engine__journal_path(pipe, "", &path);
    if (!path.failed) {
        unlink(path.ptr);
    }
}

void engine__journal_forget(EngPipe *pipe)
{
    atomic_store(&pipe->journal.gone, true);
    remove_log(pipe);
    engine__state_remove(pipe);
    engine__places_remove(pipe);
}

void engine__journal_open(EngPipe *pipe, EngRun *run)
{
    EngJournal *journal = &pipe->journal;
    close_log(journal);
    bool wants = engine__journal_wants(run);
    engine__state_load(pipe, run, !wants, &journal->generation);
    if (!wants) {
        remove_log(pipe);
        return;
    }
    open_log(pipe);
    if (journal->fd < 0) {
        return;
    }
    engine__journal_read(pipe, run);
    int error = 0;
    if (journal->bytes < JOURNAL_HEAD_BYTES) {
        error = log_begin(journal);
    } else if (ftruncate(journal->fd, (off_t)journal->bytes)) {
        error = errno;
    }
    journal->broken = error || engine__state_sync_folder(pipe);
    journal->wanted = journal->bytes > JOURNAL_HEAD_BYTES;
}

void engine__journal_swap(EngPipe *pipe, const EngRun *old, EngRun *fresh)
{
    EngJournal *journal = &pipe->journal;
    bool wants = engine__journal_wants(fresh);
    if (journal->fd >= 0 && !wants) {
        (void)!engine__places_write(pipe, true);
        close_log(journal);
        remove_log(pipe);
        engine__state_remove(pipe);
    } else if (journal->fd < 0 && wants) {
        remove_log(pipe);
        engine__state_remove(pipe);
        open_log(pipe);
        if (journal->fd >= 0) {
            journal->broken = log_begin(journal) || engine__state_sync_folder(pipe);
        }
        journal->wanted = true;
    } else if (old->version->number != fresh->version->number) {
        journal->wanted = true; /* the log is of records for the old one */
        size_t soon = journal->bytes + SWAP_LOG_MAX;
        journal->limit = soon < journal->limit ? soon : journal->limit;
    }
}

void engine__journal_stop(EngPipe *pipe, const EngRun *run)
{
    EngJournal *journal = &pipe->journal;
    if (atomic_load(&journal->gone)) {
        return;
    }
    if (flow_stopped(run->instance)) {
        (void)!engine__places_write(pipe, true);
        close_log(journal);
        remove_log(pipe);
        engine__state_remove(pipe);
        return;
    }
    if (journal->fd < 0) {
        size_t bytes;
        int error = run->info->bounded ? 0 : engine__state_save(pipe, run, 0, &bytes);
        if (error) {
            log_error(pipe->engine->env->log, "engine", "open windows are lost by this stop",
                      "pipeline=%s reason=%s", pipe->name, strerror(error));
        }
        return;
    }
    /* Rows on their way are in the log only: it stays, and the next start makes them again. */
    int error = atomic_load(&pipe->flight) ? 0 : checkpoint(pipe, run);
    if (error) {
        log_warn(pipe->engine->env->log, "engine", "open windows cannot be saved: their log stays",
                 "pipeline=%s reason=%s", pipe->name, strerror(error));
    }
    if (fdatasync(journal->fd)) {
        log_warn(pipe->engine->env->log, "engine", "the log of open windows cannot be synced",
                 "pipeline=%s reason=%s", pipe->name, strerror(errno));
    }
}
