/* runtime/modules/uns/uns_rename.c: a node and its branch get another name, and keep their history.
 *
 * Samples belong to a series by number, so a rename writes names only: one transaction over the
 * tables, then the tree, the watches, and the retained messages. Nothing else goes to the disk
 * while it is under way, or a batch with old names could come behind it. Values that arrive
 * meanwhile wait for the next batch, under the new names.
 *
 * Retained messages of the branch move: they are published under the new topic as retained, then
 * taken away from the old one (an empty retained message, as MQTT has it). Subscribers of the old
 * topic see that, those of the new one a message. Who goes on publishing to the old name makes it
 * anew, with a history of its own. */
#include "modules/uns/uns_alarm.h"

#include "base/mem.h"
#include "mqtt/broker.h"

#include <stdio.h>

enum { RETAINED_MOVED_MAX = 100000 };

typedef struct UnsRename {
    Uns *uns;
    Req *req;
    Str from, to;
    uint32_t retained, retained_lost;
    Status status; /* why it is undone */
} UnsRename;

/* ---- the disk ---- */

static Status rename_rows(StoreConn *conn, const char *sql, const UnsRename *rename, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Str low = arena_printf(rename->req->arena, "%.*s/", STR_ARG(rename->from));
    Str high =
        arena_printf(rename->req->arena, "%.*s0", STR_ARG(rename->from)); /* '0' follows '/' */
    if (!low.ptr || !high.ptr) return ST_NO_MEMORY;
    Status st = store_prepare(conn, sql, &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, rename->to);
    store_bind_str(stmt, 2, rename->from);
    store_bind_str(stmt, 3, low);
    store_bind_str(stmt, 4, high);
    return store_step(stmt, &row, diag);
}

static Status rename_job(StoreConn *conn, void *ctx, Diag *diag)
{
#define RENAME_ROWS(table)                                                                         \
    "UPDATE OR REPLACE " table " SET path = ?1 || substr(path, length(?2) + 1)"                    \
    " WHERE path = ?2 OR (path >= ?3 AND path < ?4)"
    Status st = rename_rows(conn, RENAME_ROWS("series"), ctx, diag);
    if (!st) st = rename_rows(conn, RENAME_ROWS("last"), ctx, diag);
    if (!st) st = rename_rows(conn, RENAME_ROWS("alarm_points"), ctx, diag);
    return st ? st : rename_rows(conn, RENAME_ROWS("meta"), ctx, diag);
#undef RENAME_ROWS
}

/* ---- memory ---- */

/* Series that the disk does not know yet are named as their nodes are now. */
static Status rename_waiting(Uns *uns, const UnsRename *rename)
{
    for (uint32_t i = 0; i < uns->name_count; i++) {
        Str path = str_from(uns->names[i].path);
        size_t len = rename->from.len;
        if (!str_starts(path, rename->from) || (path.len > len && path.ptr[len] != '/')) continue;
        char *moved = mem_alloc(rename->to.len + path.len - len + 1);
        if (!moved) return ST_NO_MEMORY;
        memcpy(moved, rename->to.ptr, rename->to.len);
        memcpy(moved + rename->to.len, path.ptr + len, path.len - len + 1);
        mem_free(uns->names[i].path);
        uns->names[i].path = moved;
    }
    return ST_OK;
}

/* ---- retained messages ---- */

typedef struct Kept {
    Str topic, payload, props;
    uint8_t qos;
} Kept;

typedef struct Collect {
    Arena *arena;
    Kept *list;
    uint32_t count, cap;
    bool failed;
} Collect;

static void on_retained(void *ctx, const MqttPub *pub)
{
    Collect *collect = ctx;
    if (collect->failed || collect->count == collect->cap) return;
    Kept kept = {.topic = arena_str(collect->arena, pub->topic),
                 .payload = arena_str(collect->arena, pub->payload),
                 .props = arena_str(collect->arena, pub->props),
                 .qos = pub->qos};
    collect->failed = !kept.topic.ptr || !kept.payload.ptr;
    if (!collect->failed) collect->list[collect->count++] = kept;
}

static void move_one(UnsRename *rename, const Kept *kept, Arena *arena)
{
    MqttBroker *broker = rename->uns->env->broker;
    Diag diag = {0};
    Str rest = str_skip(kept->topic, rename->from.len);
    MqttPub pub = {.topic = arena_printf(arena, "%.*s%.*s", STR_ARG(rename->to), STR_ARG(rest)),
                   .payload = kept->payload,
                   .props = kept->props,
                   .qos = kept->qos,
                   .retain = true};
    MqttPub gone = {.topic = kept->topic, .qos = kept->qos, .retain = true};
    Status st = pub.topic.ptr ? mqtt_broker_publish(broker, &pub, &diag) : ST_NO_MEMORY;
    if (!st) st = mqtt_broker_publish(broker, &gone, &diag);
    if (st)
        rename->retained_lost++; /* stays where it was */
    else
        rename->retained++;
}

static void move_retained(UnsRename *rename)
{
    Uns *uns = rename->uns;
    MqttBroker *broker = uns->env->broker;
    Arena *arena = broker ? arena_new(64 * 1024, 512u << 20) : NULL;
    if (!arena) return;
    MqttBrokerStats stats;
    mqtt_broker_stats(broker, &stats);
    Collect collect = {.arena = arena};
    collect.cap =
        stats.retained_now < RETAINED_MOVED_MAX ? (uint32_t)stats.retained_now : RETAINED_MOVED_MAX;
    collect.list = arena_many(arena, Kept, collect.cap + 1u);
    Str filter = arena_printf(arena, "%.*s/#", STR_ARG(rename->from)); /* fits the node too */
    if (collect.list && filter.ptr)
        (void)mqtt_broker_retained(broker, filter, collect.cap, on_retained, &collect);
    uns->quiet = true; /* the values are there already, with their times */
    for (uint32_t i = 0; i < collect.count; i++) move_one(rename, &collect.list[i], arena);
    uns->quiet = false;
    arena_free(arena);
}

/* ---- the op ---- */

static void rename_end(UnsRename *rename)
{
    Uns *uns = rename->uns;
    uns->rename = NULL;
    mem_free(rename);
    uns__keep_go(uns);
    uns__job_done(uns);
}

static void tell_renamed(const UnsRename *rename, uint32_t count)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 8192);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "from", rename->from);
    json_field_str(&out, "to", rename->to);
    json_field_int(&out, "nodes", count);
    json_end(&out);
    if (!buf_status(&body) &&
        bus_publish(rename->uns->env->bus, STR("uns.renamed"), buf_view(&body)))
        log_debug(rename->uns->env->log, "uns", "news not told", "nodes=%u", count);
    buf_done(&body);
}

static void answer(const UnsRename *rename, uint32_t count)
{
    char body[160];
    int len = snprintf(body, sizeof body, "{\"nodes\":%u,\"retained\":%u,\"retained_left\":%u}",
                       count, rename->retained, rename->retained_lost);
    req_answer(rename->req, (Str){body, (size_t)len});
}

static void on_undone(void *ctx, Status status, const Diag *diag)
{
    UnsRename *rename = ctx;
    Uns *uns = rename->uns;
    uns->writing = false;
    if (status)
        log_error(uns->env->log, "uns", "a rename is not undone on the disk",
                  "from=%.*s to=%.*s reason=%s", STR_ARG(rename->from), STR_ARG(rename->to),
                  diag ? diag->text : "");
    req_fail(rename->req, rename->status, "\"%.*s\": %s", STR_ARG(rename->to),
             status_text(rename->status));
    rename_end(rename);
}

/* The disk has the new names and the tree cannot: the disk gets the old ones again. */
static void rename_undo(UnsRename *rename, Status why)
{
    Str from = rename->from;
    Diag diag = {0};
    rename->status = why;
    rename->from = rename->to;
    rename->to = from;
    Status st = store_write(rename->uns->env->store, rename_job, on_undone, rename);
    if (st) on_undone(rename, st, &diag);
}

static void on_renamed(void *ctx, Status status, const Diag *diag)
{
    UnsRename *rename = ctx;
    Uns *uns = rename->uns;
    UnsNode *node = uns_tree_find(&uns->tree, rename->from);
    char **old = NULL;
    uint32_t count = 0;
    if (!status) {
        status = uns_tree_move(&uns->tree, node, rename->to, &old, &count);
        if (status) {
            rename_undo(rename, status); /* somebody published there meanwhile */
            return;
        }
        if (rename_waiting(uns, rename))
            log_error(uns->env->log, "uns", "no memory for a name: its samples keep the old one",
                      "from=%.*s", STR_ARG(rename->from));
    }
    uns->writing = false;
    if (status) {
        req_fail(rename->req, status, "%s",
                 diag && diag->text[0] ? diag->text : status_text(status));
        rename_end(rename);
        return;
    }
    uns__alarm_moved(uns, node);
    uns__watches_renew(uns);
    for (uint32_t i = 0; i < count; i++) mem_free(old[i]);
    mem_free(old);
    move_retained(rename);
    uns__added(uns); /* parents of the new name */
    tell_renamed(rename, count);
    log_info(uns->env->log, "uns", "a branch has another name",
             "from=%.*s to=%.*s nodes=%u retained=%u by=%.*s", STR_ARG(rename->from),
             STR_ARG(rename->to), count, rename->retained,
             STR_ARG(bus_caller_who(&rename->req->caller)));
    answer(rename, count);
    rename_end(rename);
}

/* Refuses, with the words; true: it may be done. */
static bool may(const Uns *uns, Req *req, Str from, Str to)
{
    const UnsNode *node = from.len ? uns_tree_find(&uns->tree, from) : NULL;
    if (!node)
        req_fail(req, ST_NOT_FOUND, "there is no name \"%.*s\"", STR_ARG(from));
    else if (!uns_path_valid(to))
        req_fail(req, ST_INVALID, "\"%.*s\" is not a path", STR_ARG(to));
    else if (str_starts(to, from) && (to.len == from.len || to.ptr[from.len] == '/'))
        req_fail(req, ST_INVALID, "\"%.*s\" is inside \"%.*s\"", STR_ARG(to), STR_ARG(from));
    else if (uns_tree_find(&uns->tree, to))
        req_fail(req, ST_CONFLICT, "\"%.*s\" exists already: two branches cannot become one",
                 STR_ARG(to));
    else
        return true;
    return false;
}

void uns__rename_ready(Uns *uns)
{
    UnsRename *rename = uns->rename;
    Diag diag = {0};
    if (!rename || uns->writing) return;
    if (!may(uns, rename->req, rename->from, rename->to)) {
        rename_end(rename);
        return;
    }
    uns->writing = true; /* batches wait */
    Status st = store_write(uns->env->store, rename_job, on_renamed, rename);
    if (st) on_renamed(rename, st, &diag);
}

void uns__op_rename(void *self, Req *req)
{
    Uns *uns = self;
    Str from = json_str(req->in, "from", STR("")), to = json_str(req->in, "to", STR(""));
    if (!may(uns, req, from, to)) return;
    if (uns->rename) {
        req_fail(req, ST_BUSY, "another branch is being renamed: try again");
        return;
    }
    UnsRename *rename = mem_alloc(sizeof *rename);
    if (!rename) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return;
    }
    *rename = (UnsRename){.uns = uns, .req = req, .from = from, .to = to};
    uns->rename = rename;
    uns->jobs++;
    uns__rename_ready(uns); /* or when what is on its way has arrived */
}
