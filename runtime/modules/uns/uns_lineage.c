/* runtime/modules/uns/uns_lineage.c: where a value comes from, and who reads it.
 *
 * Clients are known by what they publish: each node keeps the last few that wrote it. Pipelines and
 * the connections behind them are known by the engine, from their programs, also before the first
 * record. A publish costs one comparison when the same client publishes again. */
#include "modules/uns/uns.h"

#include "base/mem.h"

#include <stdio.h>

enum { WRITERS_MAX = 10000 };

typedef struct UnsWriter {
    Str id, user;    /* owned, behind the struct */
    uint16_t number; /* its place in the list, + 1 */
    int64_t last_ns;
    uint64_t count;
} UnsWriter;

static UnsWriter *writer_new(Uns *uns)
{
    if (uns->writer_count == WRITERS_MAX) return NULL; /* the ones that were first are known */
    if (uns->writer_count == uns->writer_cap) {
        uint32_t cap = uns->writer_cap ? uns->writer_cap * 2 : 16;
        UnsWriter **list = mem_realloc(uns->writer_list, cap * sizeof(UnsWriter *));
        if (!list) return NULL;
        uns->writer_list = list;
        uns->writer_cap = cap;
    }
    size_t bytes = uns->publisher.len + uns->user.len;
    UnsWriter *writer = mem_zalloc(1, sizeof *writer + bytes + 1);
    if (!writer) return NULL;
    char *to = (char *)(writer + 1);
    memcpy(to, uns->publisher.ptr, uns->publisher.len);
    if (uns->user.len) memcpy(to + uns->publisher.len, uns->user.ptr, uns->user.len);
    writer->id = (Str){to, uns->publisher.len};
    writer->user = (Str){to + uns->publisher.len, uns->user.len};
    if (!uns->writers.count_max) map_init(&uns->writers, WRITERS_MAX);
    if (map_put(&uns->writers, writer->id, writer)) {
        mem_free(writer);
        return NULL;
    }
    uns->writer_list[uns->writer_count++] = writer;
    writer->number = (uint16_t)uns->writer_count;
    return writer;
}

/* The latest one becomes an earlier one, in the place of the one that is the latest now. */
static void earlier_put(Uns *uns, UnsNode *node, uint16_t number)
{
    UnsMore *more = uns_node_more(&uns->tree, node);
    uint32_t at = 0;
    if (!more) return; /* no memory: one is not known */
    while (at < UNS_WRITERS_EARLIER - 1 && more->writers[at] && more->writers[at] != number) at++;
    for (; at; at--) more->writers[at] = more->writers[at - 1];
    more->writers[0] = node->writer;
}

void uns__wrote(Uns *uns, UnsNode *node)
{
    node->topic_len = (uint16_t)uns->topic.len;
    if (!uns->publisher.len) return; /* this process: the engine knows */
    UnsWriter *writer = uns->writer;
    if (!writer || !str_eq(writer->id, uns->publisher)) {
        writer = map_get(&uns->writers, uns->publisher);
        if (!writer) writer = writer_new(uns);
        if (!writer) return;
        uns->writer = writer;
    }
    writer->last_ns = uns->received_ns;
    writer->count++;
    if (node->writer == writer->number) return;
    if (node->writer) earlier_put(uns, node, writer->number);
    node->writer = writer->number;
}

void uns__writers_free(Uns *uns)
{
    for (uint32_t i = 0; i < uns->writer_count; i++) mem_free(uns->writer_list[i]);
    mem_free(uns->writer_list);
    map_done(&uns->writers);
}

/* ---- the op ---- */

typedef struct Ask {
    Uns *uns;
    Req *req;
    Str path, topic;
} Ask;

static void put_writer(const Uns *uns, uint16_t number, JsonOut *out)
{
    const UnsWriter *writer = uns->writer_list[number - 1];
    json_begin_object(out);
    json_field_str(out, "client", writer->id);
    json_field_str(out, "user", writer->user);
    json_field_int(out, "last", writer->last_ns / NS_PER_MS);
    json_end(out);
}

static void put_writers(const Uns *uns, const UnsNode *node, JsonOut *out)
{
    json_key(out, "clients");
    json_begin_array(out);
    if (node && node->writer) put_writer(uns, node->writer, out);
    const UnsMore *more = node ? node->more : NULL;
    for (uint32_t i = 0; more && i < UNS_WRITERS_EARLIER && more->writers[i]; i++)
        put_writer(uns, more->writers[i], out);
    json_end(out);
}

static void on_engine(void *ctx, Status status, Str body)
{
    Ask *ask = ctx;
    Uns *uns = ask->uns;
    const Json *pipelines = NULL;
    Buf answer;
    JsonOut out;
    if (!status && json_read(ask->req->arena, body, &pipelines, NULL)) pipelines = NULL;
    buf_init(&answer, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &answer);
    json_begin_object(&out);
    json_field_str(&out, "path", ask->path);
    json_field_str(&out, "topic", ask->topic);
    put_writers(uns, uns_tree_find(&uns->tree, ask->path), &out);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "reads" : "writes";
        const Json *list = json_get(pipelines, name);
        json_key(&out, name);
        json_put_raw(&out, list ? list->raw : STR("[]"));
    }
    json_field_bool(&out, "complete", !status);
    json_end(&out);
    req_answer_buf(ask->req, &answer);
    mem_free(ask);
    uns__job_done(uns);
}

void uns__op_lineage(void *self, Req *req)
{
    Uns *uns = self;
    Str path = json_str(req->in, "path", STR(""));
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    Ask *ask = mem_alloc(sizeof *ask);
    Buf body;
    JsonOut out;
    if (!ask) {
        req_fail(req, ST_NO_MEMORY, "no memory for the request");
        return;
    }
    size_t topic_len = node && node->topic_len ? node->topic_len : path.len;
    *ask = (Ask){uns, req, path, str_slice(path.ptr, topic_len)};
    buf_init(&body, 8192);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "topic", ask->topic);
    json_end(&out);
    uns->jobs++;
    Status st = buf_status(&body);
    if (!st)
        st = bus_request(uns->env->bus, STR("engine.lineage"), buf_view(&body), &req->caller, 3000,
                         on_engine, ask);
    buf_done(&body);
    if (!st) return;
    req_fail(req, st, "%s", status_text(st));
    mem_free(ask);
    uns__job_done(uns);
}
