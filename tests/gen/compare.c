/* tests/gen/compare.c: one program on every engine, and whether anybody could tell them apart.
 *
 *   compare [--seed N] [--plans N] [--pipeline NAME] [--show PLAN] [--engine NAME] FILE.tutti
 * FOLDER
 *
 * FOLDER holds NAME.in for each pipeline NAME: its records, one a line. A plan says how they come
 * (lines or messages, cut anywhere), when clocks move, and where the state is saved and loaded into
 * a new instance. Each engine carries out the same plans, with every clock fixed, and writes down
 * all there is to see: rows, addresses, tokens, dead letters, counters, wires, taps. All must have
 * written the same; then, with the engine changed at every place where the state moves, too. Where
 * records wait for answers, they must have come out as if each had come alone.
 * Exit 0: the same; 1: not (the first difference is shown); 2: cannot run. */
#include "base/mem.h"
#include "compiler/driver/jit_load.h"
#include "compiler/driver/native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 400, ENGINES_MAX = 8, TRACE_BYTES_MAX = 256 << 20 };

static const struct {
    EngineKind kind;
    const char *name;
} engines[] = {
#define ENGINE(id, name, doc) {ENGINE_##id, name},
#include "compiler/driver/engines.def"
#undef ENGINE
};

typedef enum StepKind { STEP_LINES, STEP_MESSAGES, STEP_TIME, STEP_WALL, STEP_MOVE } PlanStepKind;

typedef struct PlanStep {
    PlanStepKind kind;
    uint32_t from, to; /* records */
    int64_t ns;
} PlanStep;

typedef struct Plan {
    PlanStep steps[STEPS_MAX];
    uint32_t count;
    bool watch; /* taps on every wire */
} Plan;

typedef struct Input {
    char *bytes;           /* lines, padded behind */
    char **record;         /* each by itself, padded behind */
    uint32_t *start, *len; /* in bytes */
    uint32_t count;
    size_t total;
    bool packed; /* messages in a format of bytes */
} Input;

static uint64_t random_state;

static uint32_t roll(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % n);
}

/* ---- plans ---- */

static void add_step(Plan *plan, PlanStepKind kind, uint32_t from, uint32_t to, int64_t ns)
{
    if (plan->count < STEPS_MAX) plan->steps[plan->count++] = (PlanStep){kind, from, to, ns};
}

#define START_NS (1795428000 * (int64_t)1000000000) /* 2026-11-23T10:00:00Z */

/* The first plan is what `run --batch` does: all lines at once. */
static void plan_make(Plan *plan, uint32_t number, uint32_t records, bool movable)
{
    int64_t now = START_NS;
    *plan = (Plan){.watch = number % 3 == 1};
    if (!number) {
        add_step(plan, STEP_LINES, 0, records, now);
        return;
    }
    for (uint32_t at = 0; at < records;) {
        uint32_t size = roll(4) == 0 ? 1 + roll(3) : 1 + roll(roll(2) ? 700 : 60);
        uint32_t to = at + size < records ? at + size : records;
        now += (int64_t)roll(3000) * 1000000;
        add_step(plan, roll(3) ? STEP_LINES : STEP_MESSAGES, at, to, now);
        at = to;
        if (roll(8) == 0) add_step(plan, STEP_TIME, 0, 0, now + (int64_t)roll(20000) * 1000000);
        if (roll(8) == 0) add_step(plan, STEP_WALL, 0, 0, now + (int64_t)roll(60000) * 1000000);
        if (movable && roll(5) == 0) add_step(plan, STEP_MOVE, 0, 0, now);
    }
}

/* ---- input ---- */

static bool input_read(const char *path, Input *in)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    (void)fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    in->bytes = mem_zalloc(1, (size_t)size + 1 + RT_PAD_BYTES);
    in->total = in->bytes ? fread(in->bytes, 1, (size_t)size, file) : 0;
    (void)fclose(file);
    if (in->total && in->bytes[in->total - 1] != '\n') in->bytes[in->total++] = '\n';
    for (size_t i = 0; i < in->total; i++) in->count += in->bytes[i] == '\n';
    in->record = mem_zalloc(in->count + 1, sizeof *in->record);
    in->start = mem_zalloc(in->count + 1, sizeof *in->start);
    in->len = mem_zalloc(in->count + 1, sizeof *in->len);
    const char *p = in->bytes;
    for (uint32_t i = 0; i < in->count; i++) {
        const char *end = memchr(p, '\n', (size_t)(in->bytes + in->total - p));
        in->start[i] = (uint32_t)(p - in->bytes);
        in->len[i] = (uint32_t)(end - p);
        in->record[i] = mem_zalloc(1, in->len[i] + RT_PAD_BYTES);
        if (in->len[i]) memcpy(in->record[i], p, in->len[i]);
        p = end + 1;
    }
    in->start[in->count] = (uint32_t)in->total;
    return true;
}

static void input_done(Input *in)
{
    for (uint32_t i = 0; i < in->count; i++) mem_free(in->record[i]);
    mem_free(in->record);
    mem_free(in->start);
    mem_free(in->len);
    mem_free(in->bytes);
    *in = (Input){0};
}

/* Records of a format of bytes, from the lines that JSON of them would be; what is no JSON is what
 * it is. They are only ever messages. */
static Status input_pack(Input *in, FlowProgram *program, uint32_t pipeline)
{
    FlowLimits limits = {.out_bytes = 1 << 20};
    FlowInstance *instance = NULL;
    Diag diag;
    Arena *arena = arena_new(0, (size_t)256 << 20);
    Status st = arena ? flow_instance_new(program, pipeline, &limits, NULL, &instance, &diag)
                      : ST_NO_MEMORY;
    for (uint32_t i = 0; i < in->count && !st; i++) {
        Str packed;
        arena_reset(arena);
        if (flow_record_of_json(instance, 0, str_slice(in->record[i], in->len[i]), arena, &packed,
                                &diag))
            continue;
        mem_free(in->record[i]);
        in->record[i] = mem_zalloc(1, packed.len + RT_PAD_BYTES);
        in->len[i] = (uint32_t)packed.len;
        if (!in->record[i])
            st = ST_NO_MEMORY;
        else if (packed.len)
            memcpy(in->record[i], packed.ptr, packed.len);
    }
    flow_instance_free(instance);
    arena_free(arena);
    in->packed = true;
    return st;
}

/* ---- what there is to see ---- */

static void note_rows(Buf *out, const char *sink, const RtOut *rows)
{
    for (uint64_t i = 0; i < rows->row_count; i++) {
        const RtRow *row = &rows->rows[i];
        buf_printf(out, "%s", sink);
        if (row->address_len) {
            buf_text(out, " to ");
            buf_add(out, rows->aside + row->address, row->address_len);
        }
        if (row->ack) buf_printf(out, " for %llu", (unsigned long long)row->ack);
        buf_text(out, ": ");
        buf_add(out, rows->bytes + row->start, row->len);
        if (!row->len || rows->bytes[row->start + row->len - 1] != '\n') buf_char(out, '\n');
    }
}

static void note_state(Buf *out, const FlowInstance *instance)
{
    const RtCounters *n = flow_counters(instance);
    const struct {
        const char *name;
        uint64_t value;
    } list[] = {{"in", n->in},
                {"emitted", n->emitted},
                {"state", n->state},
                {"filtered", n->filtered},
                {"late", n->late},
                {"errors", n->errors},
                {"rows", n->rows},
                {"row_emitted", n->row_emitted},
                {"row_state", n->row_state},
                {"row_filtered", n->row_filtered},
                {"row_late", n->row_late},
                {"row_errors", n->row_errors},
                {"duplicate_keys", n->duplicate_keys}};
    buf_text(out, "counters");
    for (size_t i = 0; i < COUNT_OF(list); i++)
        if (list[i].value)
            buf_printf(out, " %s %llu", list[i].name, (unsigned long long)list[i].value);
    buf_printf(out, " time %lld stopped %d wires", (long long)flow_event_time(instance),
               flow_stopped(instance));
    for (uint32_t i = 0; i < flow_info(instance)->wire_count; i++)
        buf_printf(out, " %llu", (unsigned long long)flow_wire_count(instance, i));
    buf_char(out, '\n');
}

static void note(Buf *out, FlowInstance *instance, bool watch)
{
    const RtPipelineInfo *info = flow_info(instance);
    char name[64];
    for (uint32_t i = 0; i < info->sink_count; i++) {
        snprintf(name, sizeof name, "sink %u %s", i, info->sinks[i].kind);
        note_rows(out, name, flow_out(instance, i));
        flow_out_clear(instance, i);
    }
    note_rows(out, "dead", flow_dead(instance));
    flow_dead_clear(instance);
    for (uint32_t i = 0; watch && i < info->wire_count; i++) {
        uint64_t count;
        Str tap = flow_tap(instance, i, &count);
        if (!count) continue;
        buf_printf(out, "tap %u %llu ", i, (unsigned long long)count);
        buf_str(out, tap);
        buf_char(out, '\n');
    }
    note_state(out, instance);
}

/* ---- answers ---- */

/* The answer to a question is made of its values: rows of what the type says, none, too many, a
 * wrong one, or that nobody answers. */
MUST static Status answer(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                          u32 count, Buf *out, Diag *diag)
{
    uint64_t hash = 1469598103934665603ull;
    (void)ctx;
    for (u32 i = 0; i < count; i++) {
        bool text = has[i] && ask->types[i] == RT_STR;
        const char *p = text ? values[i].s.p : (const char *)&values[i];
        for (u64 k = 0; has[i] && k < (text ? values[i].s.n : sizeof(u64)); k++)
            hash = (hash ^ (unsigned char)p[k]) * 1099511628211ull;
        hash = (hash ^ has[i]) * 1099511628211ull;
    }
    hash ^= hash >> 29;
    if (hash % 11 == 0) return diag_set(diag, ST_UNAVAILABLE, "nobody is there");
    for (u32 row = 0; row < hash % 5; row++) {
        char line[200] = "";
        size_t len = 0;
        for (u32 f = 0; f < ask->schema->count; f++) {
            u32 n = (u32)(hash >> (8 + f)) % 100 + row;
            const char *comma = f ? "," : "";
            bool wrong = hash % 13 == 0;
            if (ask->schema->fields[f].type == RT_STR)
                len += (size_t)snprintf(line + len, sizeof line - len, "%s%.*s", comma,
                                        (int)(n % 4), "abc");
            else
                len += (size_t)snprintf(line + len, sizeof line - len, wrong ? "%s%ux" : "%s%u",
                                        comma, n);
        }
        u32 bytes = (u32)len;
        buf_add(out, &bytes, sizeof bytes);
        buf_add(out, line, len);
    }
    return ST_OK;
}

/* ---- a run ---- */

typedef struct Run {
    const Plan *plan;
    const Input *input;
    FlowProgram *const *programs; /* the engine changes with every move */
    uint32_t program_count, at;
    uint32_t pipeline, sources;
    bool alone; /* every record by itself */
    FlowInstance *instance;
    Buf *out;
    Diag diag;
} Run;

static Status fresh(Run *run)
{
    FlowLimits limits = {.out_bytes = 64 << 20};
    FlowHost host = {.ask = answer};
    Status st = flow_instance_new(run->programs[run->at % run->program_count], run->pipeline,
                                  &limits, &host, &run->instance, &run->diag);
    for (uint32_t i = 0; !st && run->plan->watch && i < flow_info(run->instance)->wire_count; i++)
        flow_watch(run->instance, i, true);
    return st;
}

static Status move(Run *run)
{
    AUTO_BUF Buf state;
    uint32_t dropped;
    buf_init(&state, 64 << 20);
    Status st = flow_save(run->instance, &state, &run->diag);
    flow_instance_free(run->instance);
    run->instance = NULL;
    run->at++;
    if (!st) st = fresh(run);
    if (!st) st = flow_load(run->instance, buf_view(&state), &dropped, &run->diag);
    return st;
}

static void feed_lines(Run *run, const PlanStep *step)
{
    const Input *in = run->input;
    RtBatch batch = {.source = step->from % run->sources,
                     .bytes = in->bytes + in->start[step->from],
                     .len = in->start[step->to] - in->start[step->from],
                     .received_ns = step->ns,
                     .topic = "plant/lines/all",
                     .topic_len = 15};
    flow_feed(run->instance, &batch);
}

static void feed_messages(Run *run, const PlanStep *step)
{
    const Input *in = run->input;
    uint32_t count = step->to - step->from;
    RtRecord *records = mem_zalloc(count, sizeof *records);
    for (uint32_t i = 0; records && i < count; i++) {
        static const char *const topics[] = {"plant/press-07/temp", "a", "", "x/y/z/\xc3\xbc"};
        static const char *const headers[] = {"", "{\"who\":\"a\"}", "{}",
                                              "{\"who\":[\"a\",\"b\"],\"n\":\"12\"}"};
        uint32_t at = step->from + i;
        const char *topic = topics[at % COUNT_OF(topics)];
        records[i] = (RtRecord){.ptr = in->record[at],
                                .len = in->len[at],
                                .topic = topic,
                                .topic_len = (uint32_t)strlen(topic),
                                .key = "key-1",
                                .key_len = at % 6,
                                .headers = headers[at % COUNT_OF(headers)],
                                .headers_len = (uint16_t)strlen(headers[at % COUNT_OF(headers)]),
                                .received_ns = step->ns + (int64_t)i * 1000003,
                                .ack = at + 1};
    }
    RtBatch batch = {.source = step->from % run->sources,
                     .records = records,
                     .count = count,
                     .received_ns = step->ns};
    flow_feed(run->instance, &batch);
    mem_free(records);
}

static void feed(Run *run, const PlanStep *step)
{
    if (step->kind == STEP_MESSAGES || run->input->packed)
        feed_messages(run, step);
    else
        feed_lines(run, step);
}

/* The same records, each in a batch of its own. */
static void feed_alone(Run *run, const PlanStep *step)
{
    for (uint32_t i = step->from; i < step->to; i++) {
        PlanStep one = {step->kind, i, i + 1, step->ns};
        if (step->kind == STEP_MESSAGES || run->input->packed)
            one.ns += (int64_t)(i - step->from) * 1000003;
        feed(run, &one);
    }
}

static Status run_plan(Run *run)
{
    Status st = fresh(run);
    for (uint32_t i = 0; !st && i < run->plan->count; i++) {
        const PlanStep *step = &run->plan->steps[i];
        buf_printf(run->out, "step %u\n", i);
        switch (step->kind) {
        case STEP_LINES:
        case STEP_MESSAGES:
            if (run->alone)
                feed_alone(run, step);
            else
                feed(run, step);
            break;
        case STEP_TIME: flow_clock(run->instance, step->ns); break;
        case STEP_WALL: flow_idle(run->instance, step->ns); break;
        case STEP_MOVE: st = move(run); break;
        }
        if (!st) note(run->out, run->instance, run->plan->watch);
    }
    if (!st) {
        flow_finish(run->instance);
        note(run->out, run->instance, run->plan->watch);
    }
    flow_instance_free(run->instance);
    if (!st) st = buf_status(run->out);
    return st;
}

/* ---- comparing ---- */

static Str line_at(Str text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n') at--;
    text = str_skip(text, at);
    ptrdiff_t end = str_find_char(text, '\n');
    return end < 0 ? text : str_slice(text.ptr, (size_t)end);
}

static bool same(const char *where, Str a, const char *a_name, Str b, const char *b_name)
{
    size_t at = 0;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at]) at++;
    if (at == a.len && at == b.len) return true;
    size_t step = at;
    while (step > 0 && !(str_starts(str_skip(a, step), STR("step ")) && a.ptr[step - 1] == '\n'))
        step--;
    printf("%s: %s and %s differ, in %.*s\n", where, a_name, b_name,
           STR_ARG(line_at(a, step < a.len ? step : 0)));
    printf("  %-7s %.*s\n", a_name, STR_ARG(line_at(a, at)));
    printf("  %-7s %.*s\n", b_name, STR_ARG(line_at(b, at)));
    return false;
}

typedef struct Compare {
    FlowProgram *programs[ENGINES_MAX];
    const char *names[ENGINES_MAX];
    uint32_t count;
    const IrProgram *ir;
    uint32_t plans, show; /* show: print all that was seen under this plan */
    uint64_t seed;
    uint64_t runs;
} Compare;

static Status trace(Compare *c, uint32_t pipeline, const Plan *plan, const Input *input,
                    FlowProgram *const *programs, uint32_t count, bool alone, Buf *out)
{
    Run run = {.plan = plan,
               .input = input,
               .programs = programs,
               .program_count = count,
               .pipeline = pipeline,
               .sources = c->ir->pipelines[pipeline].source_count,
               .alone = alone,
               .out = out};
    buf_init(out, TRACE_BYTES_MAX);
    Status st = run_plan(&run);
    c->runs++;
    if (st) printf("%.*s: %s\n", STR_ARG(c->ir->pipelines[pipeline].name), run.diag.text);
    return st;
}

/* Questions overlap in it, and nothing but time and records says what becomes of them. */
static bool overlaps(const IrPipeline *p)
{
    bool asks = false;
    for (uint32_t i = 0; i < p->mem_count; i++) asks |= p->mems[i].ask != NULL;
    return asks && p->source_count == 1 && p->sources[0].format != FORMAT_CSV && p->stop_above <= 0;
}

/* 0 the same, 1 not, 2 could not run. */
static int compare_plan(Compare *c, uint32_t pipeline, uint32_t number, const Plan *plan,
                        const Input *input)
{
    char where[200];
    AUTO_BUF Buf first, other;
    int code = trace(c, pipeline, plan, input, c->programs, 1, false, &first) ? 2 : 0;
    snprintf(where, sizeof where, "%.*s, plan %u", STR_ARG(c->ir->pipelines[pipeline].name),
             number);
    buf_init(&other, 0);
    if (number == c->show) printf("%s:\n%.*s", c->names[0], (int)first.len, first.ptr);
    for (uint32_t i = 1; i < c->count && !code; i++) {
        code = trace(c, pipeline, plan, input, &c->programs[i], 1, false, &other) ? 2 : 0;
        if (number == c->show) printf("%s:\n%.*s", c->names[i], (int)other.len, other.ptr);
        if (!code && !same(where, buf_view(&first), c->names[0], buf_view(&other), c->names[i]))
            code = 1;
        buf_done(&other);
    }
    if (!code && overlaps(&c->ir->pipelines[pipeline])) {
        code = trace(c, pipeline, plan, input, c->programs, 1, true, &other) ? 2 : 0;
        if (number == c->show) printf("alone:\n%.*s", (int)other.len, other.ptr);
        if (!code && !same(where, buf_view(&first), c->names[0], buf_view(&other), "alone"))
            code = 1;
        buf_done(&other);
    }
    bool moves = false;
    for (uint32_t i = 0; i < plan->count; i++) moves |= plan->steps[i].kind == STEP_MOVE;
    for (uint32_t i = 0; moves && i < c->count && c->count > 1 && !code; i++) {
        FlowProgram *turn[ENGINES_MAX];
        for (uint32_t k = 0; k < c->count; k++) turn[k] = c->programs[(i + k) % c->count];
        code = trace(c, pipeline, plan, input, turn, c->count, false, &other) ? 2 : 0;
        if (!code && !same(where, buf_view(&first), c->names[0], buf_view(&other), "in turn"))
            code = 1;
        buf_done(&other);
    }
    return code;
}

static int compare_pipeline(Compare *c, uint32_t pipeline, const char *folder)
{
    const IrPipeline *p = &c->ir->pipelines[pipeline];
    char path[4096];
    Input input = {0};
    Plan *plan = mem_zalloc(1, sizeof *plan);
    int code = plan ? 0 : 2;
    snprintf(path, sizeof path, "%s/%.*s.in", folder, STR_ARG(p->name));
    if (!code && !input_read(path, &input)) {
        printf("cannot read %s\n", path);
        code = 2;
    }
    if (!code && ir_format_is_bytes(p->sources[0].format) &&
        input_pack(&input, c->programs[0], pipeline))
        code = 2;
    bool movable = p->sources[0].format != FORMAT_CSV;  /* the header is not part of the state */
    random_state = c->seed * 0x9e3779b97f4a7c15ull + 1; /* the same alone and among others */
    for (size_t i = 0; i < p->name.len; i++)
        random_state = (random_state ^ (unsigned char)p->name.ptr[i]) * 1099511628211ull;
    for (uint32_t i = 0; i < c->plans && !code; i++) {
        plan_make(plan, i, input.count, movable);
        code = compare_plan(c, pipeline, i, plan, &input);
    }
    input_done(&input);
    mem_free(plan);
    return code;
}

static Status load(NativeSet *set, EngineKind engine, const char *file, const char *folder,
                   Diag *diag)
{
    Status st = native_open(set, diag);
    set->engine = engine;
    set->quick = true;
    set->cache_dir = folder;
    if (!st) st = native_add(set, file, diag);
    if (!st && (set->front.diags.error_count || set->count != 1))
        return diag_set(diag, ST_INVALID, "%s does not compile", file);
    return st ? st : native_load(set, &set->list[0], NULL, diag);
}

int main(int argc, char **argv)
{
    Compare c = {.plans = 6, .seed = 1, .show = UINT32_MAX};
    const char *only = NULL, *engine = NULL, *words[2] = {NULL, NULL};
    NativeSet sets[ENGINES_MAX];
    Diag diag = {0};
    int code = 0;
    for (int i = 1, n = 0; i < argc; i++) {
        bool value = i + 1 < argc;
        if (value && strcmp(argv[i], "--seed") == 0)
            c.seed = strtoull(argv[++i], NULL, 10);
        else if (value && strcmp(argv[i], "--plans") == 0)
            c.plans = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (value && strcmp(argv[i], "--show") == 0)
            c.show = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (value && strcmp(argv[i], "--pipeline") == 0)
            only = argv[++i];
        else if (value && strcmp(argv[i], "--engine") == 0)
            engine = argv[++i];
        else if (n < 2)
            words[n++] = argv[i];
    }
    if (!words[1]) {
        fprintf(stderr, "usage: compare [--seed N] [--plans N] [--pipeline NAME] FILE FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(engines) && !code; i++) {
        if (engine && strcmp(engine, engines[i].name) != 0) continue;
        if (engines[i].kind == ENGINE_JIT && jit_ready(&diag)) continue; /* no LLVM */
        if (load(&sets[c.count], engines[i].kind, words[0], words[1], &diag)) {
            printf("%s: %s\n", engines[i].name, diag.text);
            code = 2;
        }
        c.programs[c.count] = sets[c.count].list ? sets[c.count].list[0].program : NULL;
        c.names[c.count++] = engines[i].name;
    }
    c.ir = code ? NULL : sets[0].list[0].ir;
    for (uint32_t i = 0; !code && i < c.ir->pipeline_count; i++)
        if (!only || str_is(c.ir->pipelines[i].name, only))
            code = compare_pipeline(&c, i, words[1]);
    if (!code) printf("%llu runs, all the same\n", (unsigned long long)c.runs);
    for (uint32_t i = 0; i < c.count; i++) native_close(&sets[i]);
    return code;
}
