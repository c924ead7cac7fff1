/* runtime/modules/engine/deployed.c: when a deploy is answered.
 *
 * A version that is stored is not yet the one that works: its shard takes it between two batches
 * and first works off what waits. So a deploy is answered when the shards of its program have taken
 * it, and what is sent behind the answer meets the new version. A shard may wait for something (a
 * server that is asked, a disk); after ANSWER_MS the answer comes all the same. */
#include "modules/engine/engine.h"

#include "base/mem.h"

enum { ANSWER_MS = 20000 };

typedef struct EngAnswer {
    struct EngAnswer *next;
    Engine *engine;
    Req *req;
    LoopTimer *timer;
    Buf file, body;
} EngAnswer;

static bool is_on_its_way(const Engine *engine, Str file)
{
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (pipe->commands && str_eq(str_from(pipe->file), file)) {
            return true;
        }
    }
    return false;
}

/* Answers what `at` points to, and takes it off the list. */
static void give(EngAnswer **at)
{
    EngAnswer *answer = *at;
    *at = answer->next;
    loop_timer_stop(answer->timer);
    req_answer(answer->req, buf_view(&answer->body));
    buf_done(&answer->file);
    buf_done(&answer->body);
    mem_free(answer);
}

static void on_late(void *ctx)
{
    EngAnswer *answer = ctx;
    EngAnswer **at = &answer->engine->answers;
    while (*at != answer) {
        at = &(*at)->next;
    }
    give(at);
}

void engine__deployed(Engine *engine, Req *req, Str file, Str body)
{
    EngAnswer *answer = is_on_its_way(engine, file) ? mem_zalloc(1, sizeof(*answer)) : NULL;
    if (!answer) {
        req_answer(req, body);
        return;
    }
    answer->engine = engine;
    answer->req = req;
    buf_init(&answer->file, file.len + 1);
    buf_init(&answer->body, body.len + 1);
    buf_str(&answer->file, file);
    buf_str(&answer->body, body);
    if (answer->file.failed || answer->body.failed ||
        loop_timer_start(engine->env->loop, ANSWER_MS, 0, on_late, answer, &answer->timer)) {
        buf_done(&answer->file);
        buf_done(&answer->body);
        mem_free(answer);
        req_answer(req, body);
        return;
    }
    answer->next = engine->answers;
    engine->answers = answer;
}

void engine__deployed_look(Engine *engine)
{
    for (EngAnswer **at = &engine->answers; *at;) {
        if (is_on_its_way(engine, buf_view(&(*at)->file))) {
            at = &(*at)->next;
        } else {
            give(at);
        }
    }
}

void engine__deployed_close(Engine *engine)
{
    while (engine->answers) {
        give(&engine->answers);
    }
}
