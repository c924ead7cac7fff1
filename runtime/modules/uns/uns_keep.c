/* runtime/modules/uns/uns_keep.c: last values and samples on their way to the disk and back.
 *
 * Both gather for `keep_every` and leave as one job, which the store commits together with what
 * else waits. A job owns copies of what it writes, so the tree may change meanwhile. A value that
 * was received but not yet written when the power goes is lost; the interval bounds how much. Rows
 * of `into historian` do not take this way: they are answered after the commit (uns_record.c). */
#include "modules/uns/uns.h"

#include "base/mem.h"

typedef struct LastRow {
    UnsValue value; /* text owned by the batch's arena */
    Str path;
    int64_t received_ns, first_ns;
    uint64_t count;
} LastRow;

typedef struct Batch {
    Uns *uns;
    Arena *arena;
    UnsSample *samples; /* owned */
    uint32_t sample_count;
    LastRow *rows;
    uint32_t row_count;
} Batch;

enum { ROWS_PER_BATCH_MAX = 20000, BATCH_ARENA_BYTES_MAX = 256 << 20 };

/* ---- writing ---- */

static Status write_samples(StoreConn *conn, const Batch *batch, Diag *diag)
{
    StoreStmt *name, *row;
    bool more;
    Status st =
        store_prepare(conn, "INSERT OR IGNORE INTO series(id, path) VALUES(?1, ?2)", &name, diag);
    if (!st)
        st = store_prepare(conn,
                           "INSERT OR REPLACE INTO samples(series, t, v, q) VALUES"
                           "(?1, ?2, ?3, ?4)",
                           &row, diag);
    for (uint32_t i = 0; i < batch->sample_count && !st; i++) {
        const UnsSample *sample = &batch->samples[i];
        if (sample->new_series) {
            store_bind_int(name, 1, sample->series);
            store_bind_str(name, 2, str_from(sample->path));
            st = store_step(name, &more, diag);
            if (st) break;
        }
        store_bind_int(row, 1, sample->series);
        store_bind_int(row, 2, sample->t_ms);
        store_bind_number(row, 3, sample->value);
        store_bind_int(row, 4, sample->quality);
        st = store_step(row, &more, diag);
    }
    return st;
}

static Status write_last(StoreConn *conn, const Batch *batch, Diag *diag)
{
    StoreStmt *stmt;
    bool more;
    Status st = store_prepare(conn,
                              "INSERT OR REPLACE INTO last(path, type, i, n, s, quality, ts,"
                              " received, first, count) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                              &stmt, diag);
    for (uint32_t i = 0; i < batch->row_count && !st; i++) {
        const LastRow *row = &batch->rows[i];
        const UnsValue *value = &row->value;
        store_bind_str(stmt, 1, row->path);
        store_bind_int(stmt, 2, value->type);
        store_bind_int(stmt, 3, value->integer);
        store_bind_number(stmt, 4, value->number);
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
    const Batch *batch = ctx;
    Status st = write_samples(conn, batch, diag);
    return st ? st : write_last(conn, batch, diag);
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
    for (uint32_t i = 0; i < batch->sample_count; i++) mem_free(batch->samples[i].path);
    mem_free(batch->samples);
    arena_free(batch->arena);
}

static void on_batch(void *ctx, Status status, const Diag *diag)
{
    Batch *batch = ctx;
    Uns *uns = batch->uns;
    if (status) {
        uns->keep_failures++;
        uns->samples_dropped += batch->sample_count;
        log_error(uns->env->log, "uns", "values not stored", "samples=%u values=%u reason=%s",
                  batch->sample_count, batch->row_count, diag ? diag->text : "");
    } else {
        uns->samples_written += batch->sample_count;
    }
    batch_free(batch);
    uns__job_done(uns);
}

/* Copies changed nodes into rows; what does not fit stays dirty for the next batch. */
static void take_rows(Uns *uns, Batch *batch)
{
    uint32_t count = 0;
    for (UnsNode *node = uns->dirty_first; node && count < ROWS_PER_BATCH_MAX;
         node = node->next_dirty)
        count++;
    batch->rows = arena_many(batch->arena, LastRow, count + 1);
    while (batch->rows && uns->dirty_first && batch->row_count < count) {
        UnsNode *node = uns->dirty_first;
        LastRow *row = &batch->rows[batch->row_count];
        *row = (LastRow){.value = node->value,
                         .path = arena_str(batch->arena, uns_node_path(node)),
                         .received_ns = node->received_ns,
                         .first_ns = node->first_ns,
                         .count = node->count};
        if (node->value.type == UNS_TEXT)
            row->value.text = arena_str(batch->arena, node->value.text);
        if (!row->path.ptr || (node->value.type == UNS_TEXT && !row->value.text.ptr)) return;
        batch->row_count++;
        uns->dirty_first = node->next_dirty;
        if (!uns->dirty_first) uns->dirty_last = NULL;
        node->next_dirty = NULL;
        node->dirty = false;
    }
}

static void start_keep_timer(Uns *uns);

static void flush_once(Uns *uns)
{
    Arena *arena = arena_new(64 * 1024, BATCH_ARENA_BYTES_MAX);
    Batch *batch = arena ? arena_one(arena, Batch) : NULL;
    if (!batch) {
        arena_free(arena);
        return;
    }
    *batch = (Batch){.uns = uns, .arena = arena};
    take_rows(uns, batch);
    batch->samples = uns->samples;
    batch->sample_count = uns->sample_count;
    uns->samples = NULL;
    uns->sample_count = uns->sample_cap = 0;
    Status st = store_write(uns->env->store, write_batch, on_batch, batch);
    if (!st) {
        uns->jobs++;
        return;
    }
    uns->keep_failures++;
    uns->samples_dropped += batch->sample_count;
    batch_free(batch);
}

void uns__keep_flush(Uns *uns)
{
    loop_timer_stop(uns->keep_timer);
    uns->keep_timer = NULL;
    if (uns->sample_count || uns->dirty_first) flush_once(uns);
    /* What is left (more than one batch of names) follows in its own time, on drain at once. */
    while (uns->draining && uns->dirty_first) {
        const UnsNode *before = uns->dirty_first;
        flush_once(uns);
        if (uns->dirty_first == before) break; /* out of memory: no progress */
    }
    if (uns->dirty_first && !uns->draining) start_keep_timer(uns);
}

static void on_keep_timer(void *ctx)
{
    uns__keep_flush(ctx);
}

static void start_keep_timer(Uns *uns)
{
    if (uns->keep_timer) return;
    if (loop_timer_start(uns->env->loop, (uint64_t)uns_conf(uns)->keep_ms, 0, on_keep_timer, uns,
                         &uns->keep_timer))
        uns->keep_timer = NULL; /* the next value tries again */
}

/* A source whose clock is near ours is believed; others get the time of arrival. */
static int64_t sample_time_ms(const UnsNode *node)
{
    int64_t ts = node->value.ts_ns, received = node->received_ns;
    bool near =
        ts != UNS_NO_TIME && ts < received + 5 * NS_PER_S && ts > received - 3600 * NS_PER_S;
    return (near ? ts : received) / NS_PER_MS;
}

static void sample(Uns *uns, UnsNode *node)
{
    UnsType type = node->value.type;
    if (type != UNS_INT && type != UNS_NUMBER && type != UNS_BOOL) return;
    int64_t t_ms = sample_time_ms(node);
    double value = node->value.number;
    bool same = node->series && node->sampled == value;
    if (same && t_ms - node->sampled_ms < uns_conf(uns)->sample_every_ms) return;
    if (uns->sample_count == UNS_SAMPLES_MAX) {
        uns->samples_dropped++;
        return;
    }
    if (uns->sample_count == uns->sample_cap) {
        uint32_t cap = uns->sample_cap ? uns->sample_cap * 2 : 64;
        UnsSample *grown = mem_realloc(uns->samples, cap * sizeof *grown);
        if (!grown) {
            uns->samples_dropped++;
            return;
        }
        uns->samples = grown;
        uns->sample_cap = cap;
    }
    UnsSample row = {.t_ms = t_ms, .value = value, .quality = (uint8_t)node->value.quality};
    if (!node->series) {
        row.path = mem_alloc(node->path_len + 1u);
        if (!row.path) {
            uns->samples_dropped++;
            return;
        }
        memcpy(row.path, node->path, node->path_len + 1u);
        row.new_series = true;
        node->series = ++uns->series_next;
    }
    row.series = node->series;
    node->sampled = value;
    node->sampled_ms = t_ms;
    uns->samples[uns->sample_count++] = row;
}

void uns__keep_value(Uns *uns, UnsNode *node)
{
    sample(uns, node);
    if (!node->dirty) {
        node->dirty = true;
        if (uns->dirty_last)
            uns->dirty_last->next_dirty = node;
        else
            uns->dirty_first = node;
        uns->dirty_last = node;
    }
    if (uns->sample_count >= UNS_SAMPLES_BATCH)
        uns__keep_flush(uns);
    else
        start_keep_timer(uns);
}

/* ---- reading at start ---- */

static Status load_last(Uns *uns, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    int64_t now = clock_wall_ns();
    Status st = store_prepare(conn,
                              "SELECT path, type, i, n, s, quality, ts, received, first, count"
                              " FROM last",
                              &stmt, diag);
    while (!st) {
        UnsNode *node;
        st = store_step(stmt, &row, diag);
        if (st || !row) break;
        int64_t type = store_int(stmt, 1), quality = store_int(stmt, 5);
        UnsValue value = {.type = type > 0 && type <= UNS_TEXT ? (UnsType)type : UNS_NULL,
                          .quality = quality >= 0 && quality < UNS_NEVER ? (UnsQuality)quality
                                                                         : UNS_UNCERTAIN,
                          .integer = store_int(stmt, 2),
                          .number = store_number(stmt, 3),
                          .text = store_str(stmt, 4)};
        value.ts_ns = store_is_null(stmt, 6) ? UNS_NO_TIME : store_int(stmt, 6);
        int64_t received = store_int(stmt, 7);
        if (uns_tree_add(&uns->tree, store_str(stmt, 0), &node) ||
            uns_node_set(&uns->tree, node, &value, received)) {
            uns->tree.rejected++;
            continue;
        }
        node->first_ns = store_int(stmt, 8);
        node->count = (uint64_t)store_int(stmt, 9);
        if (now > received) node->heard_ns -= now - received; /* as old as it is */
    }
    return st;
}

static Status load_series(Uns *uns, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT id, path FROM series", &stmt, diag);
    while (!st) {
        st = store_step(stmt, &row, diag);
        if (st || !row) break;
        int64_t id = store_int(stmt, 0);
        UnsNode *node;
        if (id > uns->series_next) uns->series_next = id;
        if (!uns_tree_add(&uns->tree, store_str(stmt, 1), &node)) node->series = id;
    }
    return st;
}

static Status load(StoreConn *conn, void *ctx, Diag *diag)
{
    Status st = load_last(ctx, conn, diag);
    return st ? st : load_series(ctx, conn, diag);
}

/* Blocking, before the loop runs: nobody else touches the tree. */
Status uns__keep_load(Uns *uns, Diag *diag)
{
    Status st = store_run_now(uns->env->store, load, uns, diag);
    for (UnsNode *node = uns->tree.first; node; node = node->next_node)
        node->sampled_ms = INT64_MIN / 2; /* the first value after a start is always sampled */
    return st;
}

/* ---- retention ---- */

typedef struct Trim {
    Uns *uns;
    int64_t before_ms;
} Trim;

static Status trim_job(StoreConn *conn, void *ctx, Diag *diag)
{
    const Trim *trim = ctx;
    StoreStmt *stmt;
    bool row;
    /* Per series, so that the primary key is used; at most some rows each minute. */
    Status st = store_prepare(conn,
                              "DELETE FROM samples WHERE (series, t) IN (SELECT s.series, s.t FROM"
                              " series JOIN samples s ON s.series = series.id AND s.t < ?1"
                              " LIMIT 20000)",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, trim->before_ms);
    return store_step(stmt, &row, diag);
}

static void on_trim(void *ctx, Status status, const Diag *diag)
{
    Trim *trim = ctx;
    Uns *uns = trim->uns;
    if (status)
        log_warn(uns->env->log, "uns", "old samples stay", "reason=%s", diag ? diag->text : "");
    mem_free(trim);
    uns__job_done(uns);
}

void uns__trim(void *ctx)
{
    Uns *uns = ctx;
    Trim *trim = uns->draining ? NULL : mem_alloc(sizeof *trim);
    if (!trim) return;
    *trim = (Trim){uns, clock_wall_ns() / NS_PER_MS - uns_conf(uns)->retention_ms};
    if (store_write(uns->env->store, trim_job, on_trim, trim))
        mem_free(trim);
    else
        uns->jobs++;
}
