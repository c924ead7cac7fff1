/* runtime/modules/uns/uns_change.c: a list of nodes and what is to be said about them.
 *
 * Everything is looked at before anything is done: paths, texts, room in the tree and in memory.
 * Then one transaction, then the tree. Whoever reads meanwhile sees the old or the new, not half.
 */
#include "modules/uns/uns_change.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

Status uns__changes_new(Uns *uns, Req *req, UnsChanges **ret_changes)
{
    UnsChanges *changes = mem_zalloc(1, sizeof *changes);
    if (!changes) return ST_NO_MEMORY;
    changes->uns = uns;
    changes->req = req;
    map_init(&changes->paths, CHANGES_MAX + 1);
    *ret_changes = changes;
    uns->jobs++;
    return ST_OK;
}

void uns__changes_free(UnsChanges *changes)
{
    Uns *uns = changes->uns;
    for (uint32_t i = 0; i < changes->count; i++) mem_free(changes->list[i].meta);
    mem_free(changes->list);
    map_done(&changes->paths);
    mem_free(changes);
    uns__job_done(uns);
}

void uns__changes_error(UnsChanges *changes, uint32_t line, uint32_t column, const char *format,
                        ...)
{
    char said[300];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said, sizeof said, format, args);
    va_end(args);
    if (changes->error_count++ < CHANGE_ERRORS_MAX)
        changes->errors[changes->error_count - 1] =
            (ChangeError){line, column, arena_str(changes->req->arena, str_from(said))};
}

Status uns__changes_put(UnsChanges *changes, Str path, UnsMeta *meta, uint32_t line)
{
    if (changes->count == CHANGES_MAX) return ST_LIMIT;
    if (changes->count == changes->cap) {
        uint32_t cap = changes->cap ? changes->cap * 2 : 64;
        UnsChange *grown = mem_realloc(changes->list, cap * sizeof *grown);
        if (!grown) return ST_NO_MEMORY;
        changes->list = grown;
        changes->cap = cap;
    }
    if (map_get(&changes->paths, path)) return ST_CONFLICT;
    Status st = map_put(&changes->paths, path, changes);
    if (st) return st;
    const UnsNode *node = uns_tree_find(&changes->uns->tree, path);
    const UnsMeta *old = node ? uns_node_meta(node) : NULL;
    bool same = node && (old && meta ? str_eq(old->json, meta->json) : !old && !meta);
    ChangeKind kind = same ? CHANGE_SAME : node ? CHANGE_EDIT : CHANGE_NEW;
    changes->counts[kind]++;
    changes->list[changes->count++] = (UnsChange){path, meta, line, kind};
    return ST_OK;
}

/* ---- merging ---- */

static void put_merged(JsonOut *out, const char *name, const Json *old, const Json *in)
{
    const Json *value = json_get(in, name);
    if (!value) value = json_get(old, name);
    if (!value) return;
    json_key(out, name);
    json_put_raw(out, value->raw);
}

static void put_keys(JsonOut *out, const Json *old, const Json *in)
{
    const Json *was = json_get(old, "keys"), *is = json_get(in, "keys");
    json_key(out, "keys");
    if (is && is->type != JSON_OBJECT && is->type != JSON_NULL) {
        json_put_raw(out, is->raw); /* refused with the words for it */
        return;
    }
    json_begin_object(out);
    for (const Json *at = was ? was->first : NULL; at; at = at->next) {
        const Json *other = is ? is->first : NULL;
        while (other && !str_eq(other->key, at->key)) other = other->next;
        if (other) continue;
        json_key_str(out, at->key);
        json_put_raw(out, at->raw);
    }
    for (const Json *at = is ? is->first : NULL; at; at = at->next) {
        json_key_str(out, at->key);
        json_put_raw(out, at->raw);
    }
    json_end(out);
}

static Status merge(UnsChanges *changes, Str path, const Json *in, UnsMeta **ret_meta, Diag *diag)
{
    Arena *arena = changes->req->arena;
    const UnsNode *node = uns_tree_find(&changes->uns->tree, path);
    const Json *old = NULL, *merged;
    AUTO_BUF Buf buf;
    JsonOut out;
    if (node && uns_node_meta(node)) {
        Status st = json_read(arena, uns_node_meta(node)->json, &old, diag);
        if (st) return st;
    }
    buf_init(&buf, 8 * META_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    for (int i = 0; i < META_FIELDS; i++) put_merged(&out, uns_meta_names[i], old, in);
    put_merged(&out, "stale_ms", old, in);
    put_merged(&out, "stale_by", old, in);
    put_keys(&out, old, in);
    json_end(&out);
    if (buf_status(&buf)) return diag_set(diag, ST_LIMIT, "the row is too long");
    Str text = arena_str(arena, buf_view(&buf));
    Status st = text.ptr ? json_read(arena, text, &merged, diag) : ST_NO_MEMORY;
    return st ? st : uns_meta_read(merged, ret_meta, diag);
}

bool uns__changes_merge(UnsChanges *changes, Str path, const Json *in, uint32_t line,
                        uint32_t column)
{
    Diag diag = {0};
    UnsMeta *meta = NULL;
    if (!uns_path_valid(path)) {
        uns__changes_error(changes, line, column,
                           "\"%.*s\" is no path: names with / between them, without + and #",
                           (int)(path.len < 100 ? path.len : 100), path.ptr ? path.ptr : "");
        return false;
    }
    Status st = merge(changes, path, in, &meta, &diag);
    if (!st) st = uns__changes_put(changes, path, meta, line);
    if (!st) return true;
    mem_free(meta);
    if (st == ST_CONFLICT)
        uns__changes_error(changes, line, column, "\"%.*s\" stands twice in this file",
                           (int)(path.len < 100 ? path.len : 100), path.ptr);
    else if (st == ST_LIMIT && !diag.text[0])
        uns__changes_error(changes, line, column, "more than %d nodes at once", CHANGES_MAX);
    else
        uns__changes_error(changes, line, column, "%s", diag.text[0] ? diag.text : status_text(st));
    return false;
}

/* ---- room ---- */

/* Nodes that would be made: parents are shared, so each new path is counted once. */
static Status new_nodes(const UnsChanges *changes, uint32_t *ret_count)
{
    const UnsTree *tree = &changes->uns->tree;
    Map made;
    uint32_t left = tree->count_max - tree->count, count = 0;
    Status st = ST_OK;
    map_init(&made, (size_t)left + 1);
    for (uint32_t i = 0; i < changes->count && !st; i++) {
        Str path = changes->list[i].path;
        for (size_t len = path.len; len && !st; len--) {
            if (len < path.len && path.ptr[len] != '/') continue;
            Str part = {path.ptr, len};
            if (uns_tree_find(tree, part) || map_get(&made, part)) break;
            st = ++count > left ? ST_LIMIT : map_put(&made, part, &made);
        }
    }
    map_done(&made);
    *ret_count = count;
    return st;
}

Status uns__changes_fit(UnsChanges *changes, Diag *diag)
{
    const Uns *uns = changes->uns;
    Status st = new_nodes(changes, &changes->made);
    if (st)
        return diag_set(diag, st,
                        st == ST_LIMIT ? "the tree would have more than %u names"
                                       : "no memory for %u names",
                        uns->tree.count_max);
    int64_t bytes = (int64_t)uns->meta_bytes;
    for (uint32_t i = 0; i < changes->count; i++) {
        const UnsNode *node = uns_tree_find(&uns->tree, changes->list[i].path);
        bytes += changes->list[i].meta ? changes->list[i].meta->bytes : 0;
        bytes -= node && uns_node_meta(node) ? uns_node_meta(node)->bytes : 0;
    }
    if (bytes > uns_conf(uns)->meta_bytes_max)
        return diag_set(diag, ST_LIMIT, "metadata would take more than %lld bytes of memory",
                        (long long)uns_conf(uns)->meta_bytes_max);
    return ST_OK;
}

/* ---- doing ---- */

static Status write_changes(StoreConn *conn, void *ctx, Diag *diag)
{
    const UnsChanges *changes = ctx;
    bool row;
    Status st = ST_OK;
    for (uint32_t i = 0; i < changes->count && !st; i++) {
        const UnsChange *change = &changes->list[i];
        StoreStmt *stmt;
        if (change->kind == CHANGE_SAME) continue;
        st = store_prepare(conn,
                           "INSERT OR REPLACE INTO meta(path, json, at, by) VALUES(?1, ?2, ?3, ?4)",
                           &stmt, diag);
        if (st) break;
        store_bind_str(stmt, 1, change->path);
        store_bind_str(stmt, 2, change->meta ? change->meta->json : STR("{}"));
        store_bind_int(stmt, 3, clock_wall_ns() / NS_PER_MS);
        store_bind_str(stmt, 4, bus_caller_who(&changes->req->caller));
        st = store_step(stmt, &row, diag);
    }
    return st;
}

static Status into_tree(UnsChanges *changes)
{
    Uns *uns = changes->uns;
    for (uint32_t i = 0; i < changes->count; i++) {
        UnsChange *change = &changes->list[i];
        UnsNode *node;
        if (change->kind == CHANGE_SAME) continue;
        Status st = uns_tree_add(&uns->tree, change->path, &node);
        if (!st) st = uns__meta_give(uns, node, change->meta);
        if (st) return st;
        change->meta = NULL;
    }
    uns__added(uns);
    uns__watches_renew(uns); /* values may be stale at another age */
    return ST_OK;
}

static void on_written(void *ctx, Status status, const Diag *diag)
{
    UnsChanges *changes = ctx;
    Uns *uns = changes->uns;
    if (!status) status = into_tree(changes);
    if (!status)
        log_info(uns->env->log, "uns", changes->what, "new=%u changed=%u first=%.*s by=%.*s",
                 changes->counts[CHANGE_NEW], changes->counts[CHANGE_EDIT],
                 STR_ARG(changes->count ? changes->list[0].path : STR("")),
                 STR_ARG(bus_caller_who(&changes->req->caller)));
    changes->done(changes, status, diag);
}

Status uns__changes_apply(UnsChanges *changes, ChangesDone *done, const char *what)
{
    changes->done = done;
    changes->what = what;
    return store_write(changes->uns->env->store, write_changes, on_written, changes);
}

/* ---- telling ---- */

static void put_fields(const UnsChanges *changes, const UnsChange *change, JsonOut *out)
{
    const UnsNode *node = uns_tree_find(&changes->uns->tree, change->path);
    const UnsMeta *old = node ? uns_node_meta(node) : NULL, *new = change->meta;
    json_begin_array(out);
    for (int i = 0; i < META_FIELDS; i++)
        if (!str_eq(old ? old->text[i] : STR(""), new ? new->text[i] : STR("")))
            json_put_text(out, uns_meta_names[i]);
    if ((old ? old->stale_ms : 0) != (new ? new->stale_ms : 0)) json_put_text(out, "stale_ms");
    if ((old && old->by_source) != (new &&new->by_source)) json_put_text(out, "stale_by");
    json_end(out);
}

void uns__changes_put_table(const UnsChanges *changes, bool dry, JsonOut *out)
{
    static const char *const words[] = {"same", "new", "change"};
    uint32_t shown = 0;
    json_field_bool(out, "dry", dry);
    json_field_int(out, "nodes", changes->count);
    json_field_int(out, "new", changes->counts[CHANGE_NEW]);
    json_field_int(out, "changed", changes->counts[CHANGE_EDIT]);
    json_field_int(out, "same", changes->counts[CHANGE_SAME]);
    json_field_int(out, "made", changes->made);
    if (dry) json_field_int(out, "room", changes->uns->tree.count_max - changes->uns->tree.count);
    json_key(out, "rows");
    json_begin_array(out);
    for (uint32_t i = 0; i < changes->count && shown < CHANGE_ROWS_SHOWN; i++) {
        const UnsChange *change = &changes->list[i];
        if (change->kind == CHANGE_SAME) continue;
        shown++;
        json_begin_object(out);
        json_field_str(out, "path", change->path);
        json_field_text(out, "action", words[change->kind]);
        if (change->line) json_field_int(out, "line", change->line);
        json_key(out, "fields");
        put_fields(changes, change, out);
        json_end(out);
    }
    json_end(out);
    json_key(out, "errors");
    json_begin_array(out);
    for (uint32_t i = 0; i < changes->error_count && i < CHANGE_ERRORS_MAX; i++) {
        json_begin_object(out);
        json_field_int(out, "line", changes->errors[i].line);
        json_field_int(out, "column", changes->errors[i].column);
        json_field_str(out, "text", changes->errors[i].text);
        json_end(out);
    }
    json_end(out);
    json_field_int(out, "error_count", changes->error_count);
}
