/* runtime/modules/engine/circle.c: pipelines of several programs that would feed each other by
 * `stream` or a table of the historian in a circle. One program alone cannot: its compiler refuses
 * that. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#include <string.h>

/* The pipelines there will be: those of the new program, and the others' that run. */
typedef struct Graph {
    const RtPipelineInfo **list;
    bool *seen;
    uint32_t *queue;
    uint32_t count, fresh; /* the new ones come first */
} Graph;

static bool is_passage(const char *kind)
{
    return strcmp(kind, "stream") == 0 || strcmp(kind, "historian") == 0;
}

static bool reads(const RtPipelineInfo *info, const RtSinkInfo *sink)
{
    for (uint32_t i = 0; i < info->source_count; i++)
        if (strcmp(info->sources[i].kind, sink->kind) == 0 &&
            strcmp(info->sources[i].address, sink->address) == 0)
            return true;
    return false;
}

static bool feeds(const RtPipelineInfo *info, const RtPipelineInfo *other)
{
    for (uint32_t s = 0; s < info->sink_count; s++)
        if (is_passage(info->sinks[s].kind) && reads(other, &info->sinks[s])) return true;
    return false;
}

static bool comes_back(Graph *g, uint32_t start)
{
    uint32_t tail = 0;
    memset(g->seen, 0, g->count);
    g->queue[tail++] = start;
    for (uint32_t head = 0; head < tail && !g->seen[start]; head++)
        for (uint32_t i = 0; i < g->count; i++) {
            if (g->seen[i] || !feeds(g->list[g->queue[head]], g->list[i])) continue;
            g->seen[i] = true;
            if (i != start) g->queue[tail++] = i;
        }
    return g->seen[start];
}

static void add_running(Graph *g, const Engine *engine, Str file)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (!pipe->version || str_is(file, pipe->file)) continue;
        int at = flow_program_find(pipe->version->program, str_from(pipe->name));
        if (at < 0) continue;
        g->list[g->count++] = &flow_program_table(pipe->version->program)->pipelines[at];
    }
}

Status engine__circle(const Engine *engine, const RtProgram *program, Str file, Diag *diag)
{
    uint32_t most = program->pipeline_count + engine->pipe_count + 1;
    Graph g = {.list = mem_zalloc(most, sizeof(RtPipelineInfo *)),
               .seen = mem_zalloc(most, 1),
               .queue = mem_zalloc(most, sizeof(uint32_t))};
    Status st = g.list && g.seen && g.queue ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (!st) {
        for (uint32_t i = 0; i < program->pipeline_count; i++)
            g.list[g.count++] = &program->pipelines[i];
        g.fresh = g.count;
        add_running(&g, engine, file);
    }
    for (uint32_t i = 0; !st && i < g.fresh; i++) {
        if (comes_back(&g, i))
            st = diag_set(
                diag, ST_CONFLICT,
                "streams or tables lead in a circle: what %s writes comes back to it through "
                "pipelines that run",
                g.list[i]->name);
    }
    mem_free((void *)g.list);
    mem_free(g.seen);
    mem_free(g.queue);
    return st;
}
