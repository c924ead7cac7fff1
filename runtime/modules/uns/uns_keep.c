/* runtime/modules/uns/uns_keep.c: last values and samples on their way to the disk (back:
 * uns_load.c).
 *
 * Both gather for `keep_every` and leave as one job, which the store commits together with what
 * else waits. A job owns copies of what it writes, so the tree may change meanwhile. Samples that a
 * publisher of QoS 1 or 2 waits for leave as soon as those before them are there: one
 * commit for all that came meanwhile, and only then is it answered. Last values and what came with
 * QoS 0 wait for the interval, which bounds how much a crash takes. What a start need not look for
 * is said with them: up to which segment of samples all last values are written. Values wait in the
 * order in which they became due, so when the one that was last at a batch is written, all of that
 * batch's samples are in rows. When the disk refuses, a batch is tried again until it is taken.
 * Rows of `into historian` do not take this way: they are answered after their own commit
 * (uns_record.c). */
#include "modules/uns/uns.h"

#include "base/mem.h"
#include "mqtt/broker.h"

#include <stdlib.h>

typedef struct LastRow {
    UnsValue value; /* text owned by the batch's arena */
    Str path;
    int64_t received_ns, first_ns;
    uint64_t count;
} LastRow;

typedef struct Batch {
    Uns *uns;
    Arena *arena;
    SeriesPoint *samples; /* owned, and so are the names and their paths */
    UnsName *names;
    uint32_t sample_count, name_count;
    LastRow *rows;
    uint32_t row_count;
    uint64_t mark;
    bool with_rows;
    bool begins_pass, whole; /* whole: no value is due behind it */
    int64_t segment;         /* its samples; filled by the job */
    int64_t settled;         /* a pass ends that began with this segment; 0: none does */
} Batch;

enum {
    ROWS_PER_BATCH_MAX = 5000, /* one holds copies, so more follow each other */
    ROWS_PER_ROUND_MAX = 20000,
    NAMES_MANY = 5000,
    BATCH_ARENA_BYTES_MAX = 256 << 20,
    RETRY_MS = 500,
    TIDY_EVERY = 16, /* small batches; one with rows tidies always */
};

/* ---- writing ---- */

static int compare_rows(const void *left, const void *right)
{
    return str_cmp(((const LastRow *)left)->path, ((const LastRow *)right)->path);
}

/* In the order of the table: each of its pages is read and written once, where the order of coming
 * goes through more of them again and again than SQLite keeps. */
static Status write_last(StoreConn *conn, const Batch *batch, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    if (batch->row_count > 1)
        qsort(batch->rows, batch->row_count, sizeof *batch->rows, compare_rows);
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO last(path, type, i, n, s, quality, ts,"
                              " received, first, count) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                              &stmt, diag);
    for (uint32_t i = 0; i < batch->row_count && !st; i++) {
        const LastRow *row = &batch->rows[i];
        const UnsValue *value = &row->value;
        store_bind_str(stmt, 1, row->path);
        store_bind_int(stmt, 2, value->type);
        store_bind_int(stmt, 3, value->type == UNS_NUMBER ? 0 : value->integer);
        store_bind_number(stmt, 4, uns_value_number(value));
        if (value->type == UNS_TEXT)
            store_bind_str(stmt, 5, value->text);
        else
            store_bind_null(stmt, 5);
        store_bind_int(stmt, 6, value->quality);
        if (value->ts_ns != UNS_NO_TIME)
            store_bind_int(stmt, 7, value->ts_ns);
        else
            store_bind_null(stmt, 7);
        store_bind_int(stmt, 8, row->received_ns);
        store_bind_int(stmt, 9, row->first_ns);
        store_bind_int(stmt, 10, (int64_t)row->count);
        st = store_step(stmt, &more, diag);
    }
    return st;
}

static Status write_batch(StoreConn *conn, void *ctx, Diag *diag)
{
    Batch *batch = ctx;
    Status st = uns__write_samples(conn, batch->uns, batch->samples, batch->sample_count,
                                   batch->names, batch->name_count, diag);
    if (!st) st = write_last(conn, batch, diag);
    if (!st && (batch->begins_pass || batch->whole))
        st = series_segment_now(conn, &batch->segment, diag);
    int64_t settled = batch->whole ? batch->segment : batch->settled;
    return st || !settled ? st : series_settle(conn, settled, diag);
}

void uns__job_done(Uns *uns)
{
    uns->jobs--;
    if (!uns->draining || uns->jobs || !uns->drained) return;
    DoneFn *drained = uns->drained;
    uns->drained = NULL;
    drained(uns->drained_ctx);
}

static void batch_free(Batch *batch)
{
    for (uint32_t i = 0; i < batch->name_count; i++) mem_free(batch->names[i].path);
    mem_free(batch->names);
    mem_free(batch->samples);
    arena_free(batch->arena);
}

static void flush(Uns *uns);
static void on_batch(void *ctx, Status status, const Diag *diag);

static void hold(Uns *uns, bool holding)
{
    holding = holding || uns->server_full;
    if (uns->holding == holding || !uns->env->broker) return;
    uns->holding = holding;
    mqtt_broker_observe_hold(uns->env->broker, holding);
}

void uns__server_full(Uns *uns, bool full, bool over)
{
    uns->server_full = full;
    uns->server_over = over;
    hold(uns, uns->sample_count >= UNS_SAMPLES_HOLD);
}

static void batch_again(void *ctx)
{
    Batch *batch = ctx;
    Uns *uns = batch->uns;
    uns->retrying = NULL;
    if (store_write(uns->env->store, write_batch, on_batch, batch)) on_batch(batch, ST_BUSY, NULL);
}

/* True when the batch stays and is tried again. */
static bool batch_retry(Batch *batch, const Diag *diag)
{
    Uns *uns = batch->uns;
    uns->keep_failures++;
    if (!uns->keep_tries++ || uns->draining)
        log_error(uns->env->log, "uns", "values not stored", "samples=%u values=%u reason=%s",
                  batch->sample_count, batch->row_count, diag ? diag->text : "");
    if (uns->draining || loop_once(uns->env->loop, RETRY_MS, batch_again, batch, &uns->retry_timer))
        return false;
    uns->retrying = batch;
    return true;
}

static Status shrink(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)ctx;
    return store_exec(conn, "PRAGMA shrink_memory", diag);
}

static void on_shrunk(void *ctx, Status status, const Diag *diag)
{
    (void)status;
    (void)diag;
    mem_trim();
    uns__job_done(ctx);
}

/* What the rows of many new names took would stay as holes between the nodes, and the store's pages
 * of them are not needed soon. */
static void tidy_memory(Uns *uns)
{
    uns->tidy_count = uns->tree.count;
    if (!uns->draining && !store_write(uns->env->store, shrink, on_shrunk, uns)) uns->jobs++;
}

static void on_batch(void *ctx, Status status, const Diag *diag)
{
    Batch *batch = ctx;
    Uns *uns = batch->uns;
    if (status && batch_retry(batch, diag)) return;
    uns->writing = false;
    if (status) {
        uns->samples_dropped += batch->sample_count;
    } else {
        uns->samples_written += batch->sample_count;
        if (uns->keep_tries)
            log_info(uns->env->log, "uns", "values are stored again", "tries=%llu",
                     (unsigned long long)uns->keep_tries);
        uns->keep_tries = 0;
        if (batch->begins_pass) uns->pass_segment = batch->segment;
        if (uns->env->broker) mqtt_broker_observed(uns->env->broker, batch->mark);
        bool tidy = batch->with_rows || ++uns->untidied >= TIDY_EVERY;
        if (tidy && batch->sample_count && !uns->draining) {
            uns->untidied = 0;
            uns__tidy(uns);
        }
        if (batch->sample_count) uns__server_kick(uns, batch->sample_count);
    }
    batch_free(batch);
    if (uns->tree.count - uns->tidy_count >= NAMES_MANY && !uns->dirty_first) tidy_memory(uns);
    uns__rename_ready(uns);
    flush(uns);
    uns__job_done(uns);
}

void uns__keep_go(Uns *uns)
{
    flush(uns);
}

/* Copies changed nodes into rows; what does not fit stays dirty for the next batch. */
static void take_rows(Uns *uns, Batch *batch)
{
    uint32_t count = 0, most = uns->rows_left;
    if (!uns->rows_asked && most > ROWS_PER_BATCH_MAX) most = ROWS_PER_BATCH_MAX;
    uns->rows_asked = false;
    for (UnsNode *node = uns->dirty_first; node && count < most; node = node->next_dirty) count++;
    batch->rows = arena_many(batch->arena, LastRow, count + 1);
    while (batch->rows && uns->dirty_first && batch->row_count < count) {
        UnsNode *node = uns->dirty_first;
        LastRow *row = &batch->rows[batch->row_count];
        *row = (LastRow){.value = uns_node_value(node),
                         .path = arena_str(batch->arena, uns_node_path(node)),
                         .received_ns = node->received_ns,
                         .first_ns = node->first_ns,
                         .count = node->count};
        if (node->type == UNS_TEXT) row->value.text = arena_str(batch->arena, row->value.text);
        if (!row->path.ptr || (node->type == UNS_TEXT && !row->value.text.ptr)) return;
        batch->row_count++;
        if (node == uns->pass_last) {
            batch->settled = uns->pass_segment;
            uns->pass_last = NULL;
        }
        uns->dirty_first = node->next_dirty;
        if (!uns->dirty_first) uns->dirty_last = NULL;
        node->next_dirty = NULL;
        node->dirty = false;
    }
}

static void batch_write(Uns *uns)
{
    Arena *arena = arena_new(uns->rows_due ? 64 * 1024 : 1024, BATCH_ARENA_BYTES_MAX);
    Batch *batch = arena ? arena_one(arena, Batch) : NULL;
    if (!batch) {
        arena_free(arena);
        return;
    }
    bool begins = uns->rows_due && uns->rows_left >= ROWS_PER_ROUND_MAX;
    *batch = (Batch){.uns = uns, .arena = arena, .mark = uns->mark, .with_rows = begins};
    if (uns->rows_due) take_rows(uns, batch);
    batch->whole = !uns->dirty_first;
    if (!uns->pass_last) {
        uns->pass_last = uns->dirty_last;
        batch->begins_pass = uns->pass_last != NULL;
    }
    uns->rows_left -= batch->row_count;
    uns->rows_due = batch->row_count && uns->rows_left && uns->dirty_first;
    if (!batch->row_count && !uns->sample_count) { /* no memory for rows: with the next value */
        arena_free(arena);
        return;
    }
    batch->samples = uns->samples;
    batch->sample_count = uns->sample_count;
    batch->names = uns->names;
    batch->name_count = uns->name_count;
    uns->samples = NULL;
    uns->names = NULL;
    uns->sample_count = uns->sample_cap = uns->name_count = uns->name_cap = 0;
    uns->mark++;
    uns->writing = true;
    uns->jobs++;
    hold(uns, false);
    if (store_write(uns->env->store, write_batch, on_batch, batch)) on_batch(batch, ST_BUSY, NULL);
}

/* Hands over what is due, unless something is on its way: then its end calls again. */
static void flush(Uns *uns)
{
    if (uns->draining) {
        uns->rows_due = true;
        uns->rows_left = UINT32_MAX;
    }
    bool awaited = uns->wanted >= uns->mark || uns->sample_count >= UNS_SAMPLES_BATCH;
    if (uns->writing || !(awaited || uns->rows_due)) return;
    if (uns->sample_count || (uns->rows_due && uns->dirty_first)) batch_write(uns);
    if (!uns->draining && !uns->dirty_first) uns->rows_due = false;
    /* What is left (more than one round of names) follows in its own time. */
    if (uns->dirty_first && !uns->draining) uns__keep_soon(uns);
}

void uns__keep_flush(Uns *uns)
{
    loop_once_stop(&uns->keep_timer);
    uns->rows_due = true;
    uns->rows_left = ROWS_PER_ROUND_MAX;
    flush(uns);
}

static Status nothing(StoreConn *conn, void *ctx, Diag *diag)
{
    (void)conn;
    (void)ctx;
    (void)diag;
    return ST_OK;
}

Status uns__keep_then(Uns *uns, StoreDoneFn *fn, void *ctx)
{
    uns->rows_asked = true;
    uns__keep_flush(uns);
    Status st = store_write(uns->env->store, nothing, fn, ctx);
    if (!st) uns->jobs++;
    return st;
}

static void on_wanted(void *ctx)
{
    Uns *uns = ctx;
    uns->flush_posted = false;
    flush(uns);
    uns__job_done(uns);
}

/* At the end of the loop's turn: what else comes in it goes along. */
void uns__keep_want(void *ctx, uint64_t mark)
{
    Uns *uns = ctx;
    uns->wanted = mark;
    if (uns->writing || uns->flush_posted) return;
    if (loop_post(uns->env->loop, on_wanted, uns)) {
        flush(uns);
        return;
    }
    uns->flush_posted = true;
    uns->jobs++;
}

void uns__keep_close(Uns *uns)
{
    loop_timer_stop(uns->keep_timer);
    loop_timer_stop(uns->retry_timer);
    if (uns->retrying) batch_free(uns->retrying);
}

static void on_keep_timer(void *ctx)
{
    uns__keep_flush(ctx);
}

void uns__keep_soon(Uns *uns)
{
    loop_once(uns->env->loop, (uint64_t)uns_conf(uns)->keep_ms, on_keep_timer, uns,
              &uns->keep_timer);
}

/* A source whose clock is near ours is believed; others get the time of arrival. */
int64_t uns__sample_time_ns(const Uns *uns, const UnsNode *node)
{
    int64_t ts = node->ts_ns, received = node->received_ns;
    bool near = ts != UNS_NO_TIME && ts < received + 5 * NS_PER_S &&
                ts > received - uns_conf(uns)->late_ms * NS_PER_MS;
    return near ? ts : received;
}

/* Room for one more; false without memory. */
static bool room_for_sample(Uns *uns)
{
    if (uns->sample_count < uns->sample_cap) return true;
    uint32_t cap = uns->sample_cap ? uns->sample_cap * 2 : 64;
    SeriesPoint *grown = mem_realloc(uns->samples, cap * sizeof *grown);
    if (!grown) return false;
    uns->samples = grown;
    uns->sample_cap = cap;
    return true;
}

/* Gives the node its series; false without memory. One that an import named says its type with the
 * first value. */
bool uns__name_series(Uns *uns, UnsNode *node)
{
    UnsSampled *sampled = uns_node_sampled(&uns->tree, node);
    if (!sampled) return false;
    if (sampled->series && (sampled->known || !uns_node_has_value(node))) return true;
    if (uns->name_count == uns->name_cap) {
        uint32_t cap = uns->name_cap ? uns->name_cap * 2 : 64;
        UnsName *grown = mem_realloc(uns->names, cap * sizeof *grown);
        if (!grown) return false;
        uns->names = grown;
        uns->name_cap = cap;
    }
    char *path = mem_alloc(node->path_len + 1u);
    if (!path) return false;
    memcpy(path, uns_node_path(node).ptr, node->path_len + 1u);
    if (!sampled->series) sampled->series = ++uns->series_next;
    uns->names[uns->name_count++] = (UnsName){sampled->series, path, (UnsType)node->type};
    return true;
}

/* A point for a new value, a new quality, or because the last one was long ago. A value that is
 * null now has become bad as what it was. A source that says a new quality with the old time means
 * that it is so from now on: what was good then stays good. A late point is one of its own: it says
 * nothing about those around it and is not the last one. */
static void sample(Uns *uns, UnsNode *node)
{
    static const UnsSampled none = {0};
    const UnsSampled *last = node->sampled ? node->sampled : &none;
    UnsValue now = uns_node_value(node);
    bool null = now.type == UNS_NULL;
    UnsQuality quality = null ? UNS_BAD : now.quality;
    double value = null ? last->value : uns_value_number(&now);
    if (null ? !last->known : !uns_value_is_number(&now)) return;
    int64_t t_ns = uns__sample_time_ns(uns, node), source_ns = t_ns;
    bool known = last->series && last->known;
    bool turned = known && last->quality != quality;
    bool late = known && t_ns < last->t_ns && t_ns != last->source_ns && quality >= last->quality;
    if (known && !late && !turned && last->value == value &&
        t_ns - last->t_ns < uns_conf(uns)->sample_every_ms * NS_PER_MS)
        return;
    if (turned && !late && last->value == value && t_ns <= last->t_ns)
        t_ns = node->received_ns > last->t_ns ? node->received_ns : last->t_ns + 1;
    if (uns->server_over || uns->sample_count == UNS_SAMPLES_MAX || !room_for_sample(uns) ||
        !uns__name_series(uns, node)) {
        uns->samples_dropped++;
        return;
    }
    uns->sampled = uns->mark;
    if (uns->sample_count >= UNS_SAMPLES_HOLD) hold(uns, true);
    UnsSampled *sampled = node->sampled; /* named: it is there */
    if (!late)
        *sampled = (UnsSampled){sampled->series, t_ns, source_ns, value, (uint8_t)quality, true};
    uns->samples[uns->sample_count++] =
        (SeriesPoint){sampled->series, t_ns, value, (uint8_t)quality};
}

void uns__keep_row(Uns *uns, UnsNode *node)
{
    if (node->dirty) return;
    node->dirty = true;
    if (uns->dirty_last)
        uns->dirty_last->next_dirty = node;
    else
        uns->dirty_first = node;
    uns->dirty_last = node;
}

void uns__keep_value(Uns *uns, UnsNode *node)
{
    sample(uns, node);
    uns__keep_row(uns, node);
    if (uns->sample_count >= UNS_SAMPLES_BATCH) flush(uns);
    uns__keep_soon(uns);
}
