/* tests/link/test_link.c: the tables built in memory are those of the compiled .so.
 *
 * Every example and every good program goes both ways, and the tables are compared member by
 * member. The sizes below make sure that a new member of a table gets its comparison: when one of
 * them fails, compare the new member in the function beside it, and fill it in both in
 * compiler/link and in emit_c/table.c. */
#include "base/buf.h"
#include "compiler/compile.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "compiler/link/link.h"
#include "flow/instance.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void text(const char *got, const char *want)
{
    if (want)
        CHECK_TEXT(got ? got : "(null)", want);
    else
        CHECK(!got);
}

static void schema(const RtSchema *got, const RtSchema *want);

_Static_assert(sizeof(RtField) == 72, "compare the new member");
static void field(const RtField *got, const RtField *want)
{
    text(got->name, want->name);
    text(got->path, want->path);
    CHECK_INT(got->word, want->word);
    CHECK_INT(got->name_len, want->name_len);
    CHECK_INT(got->type, want->type);
    CHECK_INT(got->flags, want->flags);
    CHECK_INT(got->scale, want->scale);
    CHECK_INT(got->time_read, want->time_read);
    CHECK_INT(got->leaf, want->leaf);
    CHECK_INT(got->bytes_max, want->bytes_max);
    CHECK_INT(got->name_count, want->name_count);
    for (u32 i = 0; i < want->name_count; i++) text(got->names[i], want->names[i]);
    CHECK(got->lo == want->lo && got->hi == want->hi); /* bit for bit: no NaN here */
    schema(got->child, want->child);
}

_Static_assert(sizeof(RtSchema) == 24, "compare the new member");
static void schema(const RtSchema *got, const RtSchema *want)
{
    CHECK_INT(!got, !want);
    if (!want) return;
    text(got->name, want->name);
    CHECK_INT(got->count, want->count);
    CHECK_INT(got->leaf_count, want->leaf_count);
    for (u32 i = 0; i < want->count; i++) field(&got->fields[i], &want->fields[i]);
}

_Static_assert(sizeof(RtProto) == 16 && sizeof(RtProtoField) == 32, "compare the new member");
static void proto(const RtProto *got, const RtProto *want)
{
    CHECK_INT(!got, !want);
    if (!want) return;
    CHECK_INT(got->count, want->count);
    for (u32 i = 0; i < want->count; i++) {
        const RtProtoField *a = &got->fields[i], *b = &want->fields[i];
        CHECK_INT(a->number, b->number);
        CHECK_INT(a->kind, b->kind);
        CHECK_INT(a->flags, b->flags);
        CHECK_INT(a->field, b->field);
        CHECK_INT(a->oneof, b->oneof);
        CHECK_INT(a->value_count, b->value_count);
        for (u32 k = 0; k < b->value_count; k++) CHECK_INT(a->values[k], b->values[k]);
        proto(a->child, b->child);
    }
}

_Static_assert(sizeof(RtSourceInfo) == 64 && sizeof(RtSinkInfo) == 72, "compare the new member");
static void ends(const RtPipelineInfo *got, const RtPipelineInfo *want)
{
    CHECK_INT(got->source_count, want->source_count);
    for (u32 i = 0; i < want->source_count; i++) {
        const RtSourceInfo *a = &got->sources[i], *b = &want->sources[i];
        text(a->kind, b->kind);
        text(a->connection, b->connection);
        text(a->address, b->address);
        text(a->options, b->options);
        text(a->format, b->format);
        CHECK_INT(a->node, b->node);
        CHECK_INT(a->group, b->group);
        CHECK_INT(a->bounded, b->bounded);
        CHECK_INT(a->check, b->check);
        CHECK_INT(a->reject, b->reject);
        CHECK_INT(a->keeps, b->keeps);
        CHECK_INT(a->differs, b->differs);
        proto(a->proto, b->proto);
    }
    CHECK_INT(got->sink_count, want->sink_count);
    for (u32 i = 0; i < want->sink_count; i++) {
        const RtSinkInfo *a = &got->sinks[i], *b = &want->sinks[i];
        text(a->kind, b->kind);
        text(a->connection, b->connection);
        text(a->address, b->address);
        text(a->options, b->options);
        text(a->format, b->format);
        text(a->keys, b->keys);
        CHECK_INT(a->node, b->node);
        CHECK_INT(a->flags, b->flags);
        schema(a->schema, b->schema);
        proto(a->proto, b->proto);
    }
}

_Static_assert(sizeof(RtNodeInfo) == 24 && sizeof(RtWireInfo) == 24, "compare the new member");
static void graph(const RtPipelineInfo *got, const RtPipelineInfo *want)
{
    CHECK_INT(got->node_count, want->node_count);
    for (u32 i = 0; i < want->node_count; i++) {
        text(got->nodes[i].kind, want->nodes[i].kind);
        text(got->nodes[i].label, want->nodes[i].label);
        CHECK_INT(got->nodes[i].line, want->nodes[i].line);
        CHECK_INT(got->nodes[i].column, want->nodes[i].column);
    }
    CHECK_INT(got->wire_count, want->wire_count);
    for (u32 i = 0; i < want->wire_count; i++) {
        CHECK_INT(got->wires[i].from, want->wires[i].from);
        CHECK_INT(got->wires[i].to, want->wires[i].to);
        CHECK_INT(got->wires[i].port, want->wires[i].port);
        schema(got->wires[i].schema, want->wires[i].schema);
    }
}

_Static_assert(sizeof(RtAggInfo) == 40 && sizeof(RtWindowInfo) == 136, "compare the new member");
static void window(const RtWindowInfo *got, const RtWindowInfo *want)
{
    text(got->name, want->name);
    CHECK_INT(got->layout, want->layout);
    CHECK_INT(got->kind, want->kind);
    CHECK_INT(got->event_time, want->event_time);
    CHECK_INT(got->size_ns, want->size_ns);
    CHECK_INT(got->late_dead, want->late_dead);
    CHECK_INT(got->own_clock, want->own_clock);
    CHECK_INT(got->panes, want->panes);
    CHECK_INT(got->every_ns, want->every_ns);
    CHECK_INT(got->max_ns, want->max_ns);
    CHECK_INT(got->keep_ns, want->keep_ns);
    CHECK_INT(got->early_ns, want->early_ns);
    CHECK_INT(got->size_count, want->size_count);
    CHECK_INT(got->slot_bytes, want->slot_bytes);
    CHECK_INT(got->asks, want->asks);
    CHECK_INT(got->node, want->node);
    CHECK_INT(got->key_count, want->key_count);
    for (u32 i = 0; i < want->key_count; i++) {
        CHECK_INT(got->key_types[i], want->key_types[i]);
        CHECK_INT(got->key_bytes_max[i], want->key_bytes_max[i]);
        CHECK_INT(got->key_scales[i], want->key_scales[i]);
        CHECK_INT(!got->key_names[i], !want->key_names[i]);
        if (want->key_names[i]) text(got->key_names[i][0], want->key_names[i][0]);
    }
    CHECK_INT(got->agg_count, want->agg_count);
    for (u32 i = 0; i < want->agg_count; i++) {
        const RtAggInfo *a = &got->aggs[i], *b = &want->aggs[i];
        CHECK_INT(a->kind, b->kind);
        CHECK_INT(a->type, b->type);
        CHECK_INT(a->bits, b->bits);
        CHECK_INT(a->offset, b->offset);
        CHECK_INT(a->bytes_max, b->bytes_max);
        CHECK_INT(a->count, b->count);
        CHECK_INT(a->each, b->each);
        CHECK(a->p == b->p);
        text(a->name, b->name);
    }
}

_Static_assert(sizeof(RtMemInfo) == 88, "compare the new member");
_Static_assert(sizeof(RtAskInfo) == 96, "compare the new member");
static void ask(const RtAskInfo *got, const RtAskInfo *want, u32 values)
{
    CHECK_INT(got != NULL, want != NULL);
    if (!want) return;
    text(got->name, want->name);
    text(got->kind, want->kind);
    text(got->target, want->target);
    text(got->text, want->text);
    schema(got->schema, want->schema);
    for (u32 i = 0; i < values; i++) CHECK_INT(got->types[i], want->types[i]);
    CHECK_INT(got->rows_max, want->rows_max);
    CHECK_INT(got->retries, want->retries);
    CHECK_INT(got->timeout_ns, want->timeout_ns);
    CHECK_INT(got->backoff_ns, want->backoff_ns);
    CHECK_INT(got->single, want->single);
    CHECK_INT(got->unordered, want->unordered);
    CHECK_INT(got->stage, want->stage);
    CHECK_INT(got->limit, want->limit);
    CHECK_INT(got->asks, want->asks);
    CHECK_INT(!got->row, !want->row);
    if (want->row) schema(got->row, want->row);
}

static void memory(const RtMemInfo *got, const RtMemInfo *want)
{
    ask(got->ask, want->ask, want->inputs);
    text(got->name, want->name);
    CHECK_INT(got->external, want->external);
    CHECK_INT(got->layout, want->layout);
    CHECK_INT(got->kind, want->kind);
    CHECK_INT(got->type, want->type);
    CHECK_INT(got->flags, want->flags);
    CHECK_INT(got->bytes_max, want->bytes_max);
    CHECK_INT(got->inputs, want->inputs);
    CHECK_INT(got->span_ns, want->span_ns);
    CHECK_INT(got->count, want->count);
    CHECK_INT(got->node, want->node);
    CHECK_INT(got->key_count, want->key_count);
    for (u32 i = 0; i < want->key_count; i++) {
        CHECK_INT(got->key_types[i], want->key_types[i]);
        CHECK_INT(got->key_bytes_max[i], want->key_bytes_max[i]);
    }
}

_Static_assert(sizeof(RtJoinInfo) == 56 && sizeof(RtTableInfo) == 32, "compare the new member");
static void joins(const RtPipelineInfo *got, const RtPipelineInfo *want)
{
    CHECK_INT(got->table_count, want->table_count);
    for (u32 i = 0; i < want->table_count; i++) CHECK_INT(got->tables[i], want->tables[i]);
    CHECK_INT(got->join_count, want->join_count);
    for (u32 i = 0; i < want->join_count; i++) {
        const RtJoinInfo *a = &got->joins[i], *b = &want->joins[i];
        text(a->name, b->name);
        CHECK_INT(a->layout, b->layout);
        schema(a->schema, b->schema);
        CHECK_INT(a->node, b->node);
        CHECK_INT(a->within_ns, b->within_ns);
        CHECK_INT(a->key_count, b->key_count);
        for (u32 k = 0; k < b->key_count; k++) {
            CHECK_INT(a->key_types[k], b->key_types[k]);
            CHECK_INT(a->key_bytes_max[k], b->key_bytes_max[k]);
        }
    }
}

/* Not compared: layout_count, which says what an engine learnt, not what the program is. */
_Static_assert(sizeof(RtPipelineInfo) == 248, "compare the new member");
static void pipeline(const RtPipelineInfo *got, const RtPipelineInfo *want)
{
    text(got->name, want->name);
    ends(got, want);
    graph(got, want);
    CHECK_INT(got->window_count, want->window_count);
    for (u32 i = 0; i < want->window_count; i++) window(&got->windows[i], &want->windows[i]);
    CHECK_INT(got->mem_count, want->mem_count);
    for (u32 i = 0; i < want->mem_count; i++) memory(&got->mems[i], &want->mems[i]);
    CHECK_INT(got->error_sink_count, want->error_sink_count);
    for (u32 i = 0; i < want->error_sink_count; i++)
        CHECK_INT(got->error_sinks[i], want->error_sinks[i]);
    CHECK_INT(got->error_drop, want->error_drop);
    CHECK_INT(got->error_stage, want->error_stage);
    CHECK_INT(got->bounded, want->bounded);
    CHECK_INT(got->has_time, want->has_time);
    CHECK_INT(got->order_ns, want->order_ns);
    CHECK_INT(got->clock_keys, want->clock_keys);
    for (u32 i = 0; i < want->clock_keys; i++) {
        CHECK_INT(got->clock_types[i], want->clock_types[i]);
        CHECK_INT(got->clock_bytes_max[i], want->clock_bytes_max[i]);
    }
    CHECK_INT(got->idle_ns, want->idle_ns);
    CHECK_INT(got->ahead_ns, want->ahead_ns);
    CHECK(got->stop_above == want->stop_above);
    CHECK_INT(got->stop_in_ns, want->stop_in_ns);
    joins(got, want);
    schema(got->in, want->in);
}

_Static_assert(sizeof(RtProgram) == 96 && sizeof(RtConnectionInfo) == 32, "compare the new member");
static void program(const RtProgram *got, const RtProgram *want)
{
    CHECK_INT(got->abi, want->abi);
    text(got->name, want->name);
    CHECK_INT(strlen(got->hash), strlen(want->hash)); /* of other texts */
    CHECK_INT(got->connection_count, want->connection_count);
    for (u32 i = 0; i < want->connection_count; i++) {
        text(got->connections[i].name, want->connections[i].name);
        text(got->connections[i].kind, want->connections[i].kind);
        text(got->connections[i].url, want->connections[i].url);
        text(got->connections[i].options, want->connections[i].options);
    }
    CHECK_INT(got->table_count, want->table_count);
    for (u32 i = 0; i < want->table_count; i++) {
        text(got->tables[i].name, want->tables[i].name);
        text(got->tables[i].path, want->tables[i].path);
        schema(got->tables[i].schema, want->tables[i].schema);
        CHECK_INT(got->tables[i].key, want->tables[i].key);
        CHECK_INT(got->tables[i].reload, want->tables[i].reload);
    }
    CHECK(!got->alarms == !want->alarms);
    if (got->alarms && want->alarms) text(got->alarms, want->alarms);
    CHECK_INT(got->share_count, want->share_count); /* each engine has its own feed */
    for (u32 i = 0; i < want->share_count; i++) {
        CHECK_INT(got->shares[i].count, want->shares[i].count);
        for (u32 k = 0; k < want->shares[i].count; k++)
            CHECK_INT(got->shares[i].pipelines[k], want->shares[i].pipelines[k]);
    }
    CHECK_INT(got->pipeline_count, want->pipeline_count);
    for (u32 i = 0; i < want->pipeline_count; i++)
        pipeline(&got->pipelines[i], &want->pipelines[i]);
}

static void both_ways(const char *path, const char *cache)
{
    Diag diag = {0};
    Arena *arena = arena_new(0, 256 << 20);
    SourceSet sources;
    Source *source;
    DiagList diags;
    IrProgram *ir = NULL;
    Linked *linked;
    FlowProgram *loaded;
    AUTO_BUF Buf c, so;
    bool quick;
    printf("%s\n", path);
    buf_init(&c, EMIT_BYTES_MAX);
    buf_init(&so, 4096);
    source_set_init(&sources, arena);
    CHECK_OK(source_load(&sources, path, &source, &diag));
    diag_list_init(&diags, arena, &sources);
    CHECK_OK(compile_source(arena, source, &diags, NULL, &ir));
    CHECK(ir);
    CHECK_OK(link_program(ir, arena, &linked, &diag));
    CHECK_OK(emit_c(ir, NULL, &c, &diag));
    EmitUnits units = {.main = buf_view(&c)};
    CHECK_OK(emit_externs(ir, arena, &units, &diag));
    CHECK_OK(cc_shared_object_quick(&units, cache, &so, &quick, &diag));
    CHECK_OK(flow_program_load(so.ptr, &loaded, &diag));
    program(&linked->program, flow_program_table(loaded));
    flow_program_free(loaded);
    CHECK(unlink(so.ptr) == 0);
    memcpy(so.ptr + so.len - 2, "c", 2);
    CHECK(unlink(so.ptr) == 0);
    arena_free(arena);
}

static unsigned folder(const char *name, const char *cache)
{
    char path[4096];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/%s", TEST_SOURCES, name);
    DIR *dir = opendir(path);
    CHECK(dir);
    for (struct dirent *at; (at = readdir(dir));) {
        size_t len = strlen(at->d_name);
        if (len < 7 || strcmp(at->d_name + len - 6, ".tutti") != 0) continue;
        snprintf(path, sizeof path, "%s/%s/%s", TEST_SOURCES, name, at->d_name);
        both_ways(path, cache);
        count++;
    }
    closedir(dir);
    return count;
}

/* What is left of all of them: how the compiler's parts are called, learnt once. */
static unsigned steps_removed(const char *cache)
{
    char path[8192];
    unsigned count = 0;
    DIR *dir = opendir(cache);
    CHECK(dir);
    for (struct dirent *at; (at = readdir(dir));) {
        size_t len = strlen(at->d_name);
        if (len < 7 || strcmp(at->d_name + len - 6, ".steps") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", cache, at->d_name);
        CHECK(unlink(path) == 0);
        count++;
    }
    closedir(dir);
    return count;
}

TEST(tables_are_those_of_the_so)
{
    static const char *const folders[] = {"tests/lang/good",     "tests/lang/batch",
                                          "tests/lang/streams",  "examples/basics",
                                          "examples/press-line", "tests/bench"};
    char cache[] = "link-test-XXXXXX", full[4096];
    unsigned count = 0;
    CHECK(mkdtemp(cache) && realpath(cache, full));
    for (size_t i = 0; i < COUNT_OF(folders); i++) count += folder(folders[i], full);
    CHECK(count > 10);
    CHECK(steps_removed(full) <= 1); /* none where a driver does not tell its parts */
    CHECK(rmdir(full) == 0);
}

/* A full arena is an answer, not a crash, wherever it ends. */
TEST(no_memory)
{
    char path[4096];
    Diag diag = {0};
    Arena *arena = arena_new(0, 256 << 20);
    SourceSet sources;
    Source *source;
    DiagList diags;
    IrProgram *ir = NULL;
    snprintf(path, sizeof path, "%s/examples/press-line/press.tutti", TEST_SOURCES);
    source_set_init(&sources, arena);
    CHECK_OK(source_load(&sources, path, &source, &diag));
    diag_list_init(&diags, arena, &sources);
    CHECK_OK(compile_source(arena, source, &diags, NULL, &ir));
    Status st = ST_NO_MEMORY;
    unsigned refused = 0;
    for (size_t bytes = 1024; st; bytes += 1024, refused++) {
        Arena *small = arena_new(512, bytes);
        Linked *linked = NULL;
        st = link_program(ir, small, &linked, &diag);
        CHECK(st == (linked ? ST_OK : ST_NO_MEMORY));
        arena_free(small);
    }
    CHECK(refused > 3);
    arena_free(arena);
}
