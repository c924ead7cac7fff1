/* runtime/modules/uns/uns_load.c: the tree as it was, from the disk; once, at a start.
 *
 * Rows of last values are written after their samples (uns_keep.c), so what a kill left is looked
 * for in the samples: where a series has a point that is newer than the row, its value is the last
 * one. Newest is by the time of the sample, not by when it came: a late point says what was, and a
 * row that has its own time or a newer one stays as it is, with what a sample does not know (a
 * text, an integer over 2^53, how often it came). A point of the same time and another value came
 * behind the row. Points that an import alone brought make no value where there was none. */
#include "modules/uns/uns.h"

#include "base/mem.h"

#define EXACT_INT_MAX 9007199254740992.0 /* 2^53: up to it a double has every integer */

/* Points by ascending series. */
typedef struct Newest {
    SeriesPoint *list; /* owned */
    uint32_t count, cap, at;
} Newest;

/* A value of before this start: as old as it is. */
static Status set_old(Uns *uns, UnsNode *node, const UnsValue *value, int64_t received_ns)
{
    int64_t now = clock_wall_ns();
    Status st = uns_node_set(&uns->tree, node, value, received_ns);
    if (!st && now > received_ns) node->heard_ns -= now - received_ns;
    return st;
}

/* ---- rows ---- */

static Status load_last(Uns *uns, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
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
                          .text = store_str(stmt, 4)};
        if (value.type == UNS_NUMBER) value.number = store_number(stmt, 3);
        value.ts_ns = store_is_null(stmt, 6) ? UNS_NO_TIME : store_int(stmt, 6);
        if (uns_tree_add(&uns->tree, store_str(stmt, 0), &node) ||
            set_old(uns, node, &value, store_int(stmt, 7))) {
            uns->tree.rejected++;
            continue;
        }
        node->first_ns = store_int(stmt, 8);
        node->count = (uint64_t)store_int(stmt, 9);
    }
    return st;
}

/* ---- samples that are newer ---- */

static Status gather(void *ctx, const SeriesPoint *point, Diag *diag)
{
    Newest *newest = ctx;
    if (newest->count == newest->cap) {
        uint32_t cap = newest->cap ? newest->cap * 2 : 256;
        SeriesPoint *grown = mem_realloc(newest->list, cap * sizeof *grown);
        if (!grown) return diag_set(diag, ST_NO_MEMORY, "no memory for the namespace");
        newest->list = grown;
        newest->cap = cap;
    }
    newest->list[newest->count++] = *point;
    return ST_OK;
}

/* Damaged samples keep nobody from starting: who asks for them is told. */
static Status load_newest(Uns *uns, StoreConn *conn, Newest *newest, Diag *diag)
{
    Diag why = {0};
    Status st = uns__series_work(&uns->write_work, diag);
    if (!st) st = series_unsettled(conn, uns->write_work, gather, newest, &why);
    if (st != ST_CORRUPT) return st && why.text[0] ? diag_set(diag, st, "%s", why.text) : st;
    log_warn(uns->env->log, "uns", "last values may be older than the history", "reason=%s",
             why.text);
    return ST_OK;
}

static bool is_newer(const Uns *uns, const UnsNode *node, const SeriesPoint *point)
{
    UnsValue value = uns_node_value(node);
    int64_t t_ns = uns__sample_time_ns(uns, node);
    if (value.type == UNS_NULL && point->quality == UNS_BAD) return false;
    if (!uns_value_is_number(&value)) return point->t_ns > t_ns;
    bool same = uns_value_number(&value) == point->value && value.quality == point->quality;
    return point->t_ns >= t_ns && !same;
}

static UnsValue value_of(const SeriesPoint *point, UnsType type)
{
    double number = point->value;
    UnsValue value = {.type = UNS_NUMBER,
                      .quality =
                          point->quality < UNS_NEVER ? (UnsQuality)point->quality : UNS_UNCERTAIN,
                      .number = number,
                      .ts_ns = UNS_NO_TIME};
    bool small = number >= -EXACT_INT_MAX && number <= EXACT_INT_MAX;
    if (type == UNS_NUMBER || !small || number != (double)(int64_t)number) return value;
    value.type = type == UNS_BOOL && (number == 0 || number == 1) ? UNS_BOOL : UNS_INT;
    value.integer = (int64_t)number;
    return value;
}

/* `named`: what the first value of the series was. */
static void take_newest(Uns *uns, UnsNode *node, const SeriesPoint *point, UnsType named)
{
    bool has = uns_node_has_value(node);
    if (has ? !is_newer(uns, node, point) : named == UNS_NONE) return;
    int64_t now_ns = clock_wall_ns();
    UnsValue value = value_of(point, has ? (UnsType)node->type : named);
    if (has && node->ts_ns != UNS_NO_TIME) value.ts_ns = point->t_ns;
    if (set_old(uns, node, &value, point->t_ns < now_ns ? point->t_ns : now_ns))
        uns->tree.rejected++;
    else
        uns__keep_row(uns, node);
}

static Status load_series(Uns *uns, StoreConn *conn, Newest *newest, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn, "SELECT id, path, type FROM series ORDER BY id", &stmt, diag);
    while (!st) {
        st = store_step(stmt, &row, diag);
        if (st || !row) break;
        int64_t id = store_int(stmt, 0), named = store_int(stmt, 2);
        UnsNode *node;
        if (id > uns->series_next) uns->series_next = id;
        while (newest->at < newest->count && newest->list[newest->at].series < id) newest->at++;
        if (uns_tree_add(&uns->tree, store_str(stmt, 1), &node)) continue;
        UnsSampled *sampled = uns_node_sampled(&uns->tree, node);
        if (!sampled) return diag_set(diag, ST_NO_MEMORY, "no memory for the namespace");
        sampled->series = id;
        if (newest->at < newest->count && newest->list[newest->at].series == id)
            take_newest(uns, node, &newest->list[newest->at],
                        named > 0 && named <= UNS_TEXT ? (UnsType)named : UNS_NONE);
    }
    return st;
}

static Status load(StoreConn *conn, void *ctx, Diag *diag)
{
    Newest newest = {0};
    Status st = load_last(ctx, conn, diag);
    if (!st) st = load_newest(ctx, conn, &newest, diag);
    if (!st) st = load_series(ctx, conn, &newest, diag);
    mem_free(newest.list);
    if (!st) st = uns__meta_load(ctx, conn, diag);
    return st ? st : uns__move_samples(conn, ctx, diag);
}

/* Blocking, before the loop runs: nobody else touches the tree. */
Status uns__keep_load(Uns *uns, Diag *diag)
{
    Status st = store_run_now(uns->env->store, load, uns, diag);
    if (st == ST_CORRUPT && !store_salvaged(uns->env->store)) {
        st = store_salvage(uns->env->store, diag);
        if (!st) st = store_run_now(uns->env->store, load, uns, diag);
    }
    for (UnsNode *node = uns->tree.first; node && !st; node = node->next_node) {
        UnsValue value = uns_node_value(node);
        if (!uns_value_is_number(&value)) continue;
        UnsSampled *sampled = uns_node_sampled(&uns->tree, node);
        if (!sampled) return diag_set(diag, ST_NO_MEMORY, "no memory for the namespace");
        *sampled = (UnsSampled){.series = sampled->series,
                                .t_ns = INT64_MIN / 2, /* the first one is always sampled */
                                .source_ns = INT64_MIN / 2,
                                .value = uns_value_number(&value),
                                .quality = (uint8_t)value.quality,
                                .known = true};
    }
    /* Later: a disk that is full now may not fail what else a start reads with the same commit. */
    if (!st && uns->dirty_first) uns__keep_soon(uns);
    return st;
}
