/* runtime/modules/uns/uns_meta.c: metadata in the tree, and what follows from it: when a value is
 * stale, and by which time that is judged. */
#include "modules/uns/uns_change.h"

#include "base/mem.h"

Status uns__meta_give(Uns *uns, UnsNode *node, UnsMeta *meta)
{
    UnsMeta *old = uns_node_meta(node);
    if (meta == old) return ST_OK; /* none and none */
    UnsMore *more = uns_node_more(&uns->tree, node);
    if (!more) return ST_NO_MEMORY;
    if (old) uns->meta_bytes -= old->bytes;
    mem_free(old);
    more->meta = meta;
    if (meta) uns->meta_bytes += meta->bytes;
    return ST_OK;
}

Status uns__meta_load(Uns *uns, StoreConn *conn, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Arena *arena = arena_new(16 * 1024, 16 << 20);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "no memory for metadata");
    Status st = store_prepare(conn, "SELECT path, json FROM meta", &stmt, diag);
    while (!st && !(st = store_step(stmt, &row, diag)) && row) {
        const Json *json;
        UnsMeta *meta = NULL;
        UnsNode *node;
        Status bad = json_read(arena, store_str(stmt, 1), &json, NULL);
        if (!bad) bad = uns_meta_read(json, &meta, NULL);
        if (!bad) bad = uns_tree_add(&uns->tree, store_str(stmt, 0), &node);
        if (!bad) bad = uns__meta_give(uns, node, meta);
        if (bad) {
            mem_free(meta);
            uns->tree.rejected++;
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return st;
}

/* ---- stale ---- */

UnsStale uns__stale(const Uns *uns, const UnsNode *node)
{
    UnsStale stale = {.after_ms = uns_conf(uns)->stale_ms};
    bool after = false, by = false;
    for (const UnsNode *at = node; at && !(after && by); at = at->parent) {
        const UnsMeta *meta = uns_node_meta(at);
        if (!meta) continue;
        if (!after && meta->stale_ms) stale.after_ms = meta->stale_ms, after = true;
        if (!by && (meta->by_source || meta->stale_ms))
            stale.by_source = meta->by_source, by = true;
    }
    stale.age_ms = uns_node_age_ms(node);
    if (stale.by_source && node->ts_ns != UNS_NO_TIME && uns_node_has_value(node)) {
        int64_t age = (clock_wall_ns() - node->ts_ns) / NS_PER_MS;
        stale.age_ms = age < 0 ? 0 : age;
    } else {
        stale.by_source = false;
    }
    stale.is = uns_node_has_value(node) && stale.age_ms > stale.after_ms;
    return stale;
}

/* ---- ops ---- */

static void on_set(UnsChanges *changes, Status status, const Diag *diag)
{
    if (status)
        req_fail(changes->req, status, "%s",
                 diag && diag->text[0] ? diag->text : status_text(status));
    else
        uns__op_get(changes->uns, changes->req);
    uns__changes_free(changes);
}

/* The whole of a node's metadata; a node that is not there yet is made. */
void uns__op_meta_set(void *self, Req *req)
{
    Uns *uns = self;
    Str path = json_str(req->in, "path", STR(""));
    Diag diag = {0};
    UnsMeta *meta = NULL;
    UnsChanges *changes;
    if (!uns_path_valid(path)) {
        req_fail(req, ST_INVALID, "\"%.*s\" is not a path", STR_ARG(path));
        return;
    }
    Status st = uns_meta_read(req->in, &meta, &diag);
    if (!st) st = uns__changes_new(uns, req, &changes);
    if (st) {
        mem_free(meta);
        req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
        return;
    }
    st = uns__changes_put(changes, path, meta, 0);
    if (st) mem_free(meta);
    if (!st) st = uns__changes_fit(changes, &diag);
    if (!st) st = uns__changes_apply(changes, on_set, "a name is described");
    if (!st) return;
    req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
    uns__changes_free(changes);
}
