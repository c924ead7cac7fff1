/* compiler/driver/recheck.c: tests repeated under disturbances; see recheck.h. */
#include "compiler/driver/recheck.h"

#include "ask/ask.h"
#include "compiler/driver/testfiles.h"
#include "compiler/emit_c/cc.h"

#include <stdio.h>
#include <string.h>

enum {
    ROUNDS = 16,       /* of random batches */
    RESTARTS_MAX = 64, /* single ones; behind every record is tried for any number */
    RECHECK_BYTES = 256 << 20,
    SHOWN_MAX = 400 /* bytes of a row */
};

#define TEST_START_NS (1767225600 * (int64_t)1000000000) /* 2026-01-01T00:00:00Z */

/* What a test does to the instance: a record, or the clock. */
typedef struct Input {
    const IrTestStep *step;
    Str bytes;       /* with the padding; made when it first comes */
    int64_t now_ns;  /* when it comes */
    int64_t time_ns; /* event time behind it */
} Input;

typedef struct Again {
    NativeSet *set;
    const Native *native;
    const IrRepeat *check;
    const IrTest *test; /* its files read */
    const IrPipeline *pipeline;
    const FlowTable *tables;
    IrTest with_files;
    Arena *arena;
    Asker *asker;
    Input *inputs;
    uint32_t count;
    uint32_t log_count; /* sinks, then the dead letters, then the sinks together */
    Buf *want;          /* rows of each, of the plain run */
    size_t *want_ends;  /* [input][log]: how far behind it; one more for the end */
    RtCounters want_counters;
    uint64_t seed, random;
    uint32_t runs;
    bool asks; /* no order is promised between sinks: windows in front of an `ask` and the other
                * arms of a split do not wait for its answers */
    bool failed;
} Again;

/* How one run is disturbed. */
typedef struct Plan {
    const char *what, *engine;
    FlowProgram *program;
    bool plain;            /* it says what is wanted */
    bool every;            /* restart behind each batch */
    uint32_t restart;      /* behind this input; UINT32_MAX: none */
    const uint8_t *joined; /* joined[i]: in one batch with the input before; NULL: none */
} Plan;

typedef struct Run {
    Again *a;
    const Plan *plan;
    FlowInstance *instance;
    Buf *logs;
    uint64_t *next;      /* row of each sink, for collect_together */
    RtCounters counters; /* of instances that are gone */
} Run;

int64_t recheck_arrival(const FlowInstance *instance, const IrPipeline *pipeline, int64_t clock_ns)
{
    int64_t now = flow_event_time(instance);
    if (clock_ns > now) now = clock_ns;
    if (now == INT64_MIN) now = pipeline->time.ahead_ns ? INT64_MAX / 2 : TEST_START_NS;
    return now;
}

/* splitmix64 (Steele, Lea, Flood, 2014) */
static uint64_t next_random(Again *a)
{
    uint64_t z = a->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

Status recheck_record(FlowInstance *instance, const IrTestStep *step, Arena *arena, Str *ret_record)
{
    Diag diag = {0};
    if (step->as_json)
        return flow_record_of_json(instance, step->source, step->text, arena, ret_record, &diag);
    char *bytes = arena_alloc(arena, step->text.len + RT_PAD_BYTES); /* zeroed */
    if (!bytes) return ST_NO_MEMORY;
    if (step->text.len) memcpy(bytes, step->text.ptr, step->text.len);
    *ret_record = str_slice(bytes, step->text.len);
    return ST_OK;
}

/* ---- what is said ---- */

static void failing(Run *r, uint32_t input)
{
    Again *a = r->a;
    const Source *source = a->native->ir->source;
    Span span = input < a->count ? a->inputs[input].step->span : a->test->span;
    SourcePlace at = source_place(source, span.start);
    a->failed = true;
    (void)printf("%.*s:%u:%u: check %.*s: test \"%.*s\"\n  %s, engine %s", STR_ARG(source->path),
                 at.line, at.column, STR_ARG(a->pipeline->name), STR_ARG(a->test->text),
                 r->plan->what, r->plan->engine);
    if (r->plan->joined) (void)printf(", seed %llu", (unsigned long long)a->seed);
    if (input < a->count)
        (void)printf("; behind record %u:\n", input + 1);
    else
        (void)printf("; at the end:\n");
}

static Str log_name(const Again *a, uint32_t log)
{
    const IrPipeline *p = a->pipeline;
    if (log > p->sink_count) return STR("the sinks together");
    if (log == p->sink_count) return STR("errors");
    const IrSink *sink = &p->sinks[log];
    if (sink->address_is_computed || !sink->address.len) return sink->kind;
    return arena_printf(a->arena, "%.*s \"%.*s\"", STR_ARG(sink->kind), STR_ARG(sink->address));
}

/* The row in which the byte at `at` stands. */
static Str row_around(Str rows, size_t at)
{
    size_t start = at < rows.len ? at : rows.len, end = start;
    while (start && rows.ptr[start - 1] != '\n') start--;
    while (end < rows.len && rows.ptr[end] != '\n') end++;
    if (end - start > SHOWN_MAX) end = start + SHOWN_MAX;
    return start == end ? STR("nothing") : str_slice(rows.ptr + start, end - start);
}

static void show_difference(Run *r, uint32_t input, uint32_t log, Str want, Str got)
{
    size_t same = 0, most = want.len < got.len ? want.len : got.len;
    while (same < most && want.ptr[same] == got.ptr[same]) same++;
    Str name = log_name(r->a, log);
    failing(r, input);
    (void)printf("  %.*s: want %.*s\n", STR_ARG(name), STR_ARG(row_around(want, same)));
    (void)printf("  %*s  got  %.*s\n", (int)name.len, "", STR_ARG(row_around(got, same)));
}

/* ---- one run ---- */

static Status host_ask(void *ctx, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                       u32 count, Buf *out, Diag *diag)
{
    return asker_ask(ctx, ask, values, has, count, out, diag);
}

MUST static Status start(Run *r, Diag *diag)
{
    FlowLimits limits = {.out_bytes = 64 << 20};
    FlowHost host = {.ask = host_ask, .ask_ctx = r->a->asker, .tables = r->a->tables};
    return flow_instance_new(r->plan->program, r->a->test->pipeline, &limits, &host, &r->instance,
                             diag);
}

/* All counters up to duplicates of keys are sums. */
static void add_counters(RtCounters *sum, const RtCounters *n)
{
    sum->in += n->in;
    sum->emitted += n->emitted;
    sum->state += n->state;
    sum->filtered += n->filtered;
    sum->late += n->late;
    sum->errors += n->errors;
    sum->rows += n->rows;
    sum->row_emitted += n->row_emitted;
    sum->row_state += n->row_state;
    sum->row_filtered += n->row_filtered;
    sum->row_late += n->row_late;
    sum->row_errors += n->row_errors;
}

static void collect_row(Buf *log, const RtOut *out, const RtRow *row)
{
    if (row->address_len) buf_add(log, out->aside + row->address, row->address_len);
    if (row->address_len) buf_text(log, " ");
    if (row->key_len) buf_add(log, out->aside + row->key, row->key_len);
    if (row->key_len) buf_text(log, " ");
    buf_add(log, out->bytes + row->start, row->len);
    if (!row->len || log->ptr[log->len - 1] != '\n') buf_text(log, "\n");
}

/* The rows of all sinks in the order in which they were made: a record's in the order of the
 * program, a window's where it closes. Sinks of one place (a file, standard output) show it. */
static void collect_together(Run *r)
{
    if (r->a->asks) return;
    uint32_t sinks = r->a->pipeline->sink_count;
    Buf *log = &r->logs[sinks + 1];
    uint64_t *next = r->next;
    for (uint32_t s = 0; s < sinks; s++) next[s] = 0;
    for (;;) {
        uint32_t first = sinks;
        const RtRow *row = NULL;
        for (uint32_t s = 0; s < sinks; s++) {
            const RtOut *out = flow_out(r->instance, s);
            const RtRow *at = next[s] < out->row_count ? &out->rows[next[s]] : NULL;
            if (!at || (row && (int32_t)(at->order - row->order) > 0)) continue; /* it wraps */
            first = s;
            row = at;
        }
        if (!row) return;
        buf_printf(log, "%u %.*s ", first + 1, STR_ARG(r->a->pipeline->sinks[first].kind));
        collect_row(log, flow_out(r->instance, first), row);
        next[first]++;
    }
}

static void collect(Run *r)
{
    uint32_t sinks = r->a->pipeline->sink_count;
    collect_together(r);
    for (uint32_t s = 0; s <= sinks; s++) {
        const RtOut *out = s < sinks ? flow_out(r->instance, s) : flow_dead(r->instance);
        for (uint64_t i = 0; i < out->row_count; i++) collect_row(&r->logs[s], out, &out->rows[i]);
    }
    for (uint32_t s = 0; s < sinks; s++) flow_out_clear(r->instance, s);
    flow_dead_clear(r->instance);
}

/* Behind an input (a->count: the end): the rows so far are what the plain run had. */
static void compare(Run *r, uint32_t input)
{
    Again *a = r->a;
    size_t *ends = a->want_ends + (size_t)input * a->log_count;
    for (uint32_t s = 0; s < a->log_count && !a->failed; s++) {
        if (r->plan->plain) {
            ends[s] = r->logs[s].len;
            continue;
        }
        Str want = str_slice(a->want[s].ptr, ends[s]), got = buf_view(&r->logs[s]);
        if (!str_eq(want, got)) show_difference(r, input, s, want, got);
    }
}

void recheck_beside(const IrTestStep *step, const IrPipeline *pipeline, RtRecord *record)
{
    Str topic = step->topic.ptr ? step->topic : pipeline->sources[step->source].address;
    record->topic = topic.len ? topic.ptr : "";
    record->topic_len = (uint32_t)topic.len;
    record->key = step->key.len ? step->key.ptr : "";
    record->key_len = (uint32_t)step->key.len;
    record->headers = step->headers.len ? step->headers.ptr : "";
    record->headers_len = (u16)step->headers.len;
}

static void feed(Run *r, uint32_t from, uint32_t to)
{
    Again *a = r->a;
    RtRecord *records = arena_many(a->arena, RtRecord, to - from);
    if (!records) return;
    for (uint32_t i = from; i < to; i++) {
        Str *bytes = &a->inputs[i].bytes;
        if (!bytes->ptr && recheck_record(r->instance, a->inputs[i].step, a->arena, bytes)) return;
        records[i - from] = (RtRecord){
            .ptr = bytes->ptr, .len = (uint32_t)bytes->len, .received_ns = a->inputs[i].now_ns};
        recheck_beside(a->inputs[i].step, a->pipeline, &records[i - from]);
    }
    RtBatch batch = {.source = a->inputs[from].step->source,
                     .count = to - from,
                     .records = records,
                     .received_ns = a->inputs[from].now_ns};
    flow_feed(r->instance, &batch);
}

/* Saves the instance and goes on with a new one. */
MUST static Status restart(Run *r, uint32_t input, Diag *diag)
{
    AUTO_BUF Buf state;
    buf_init(&state, RECHECK_BYTES);
    uint32_t dropped = 0;
    int64_t event = flow_event_time(r->instance);
    Status st = flow_save(r->instance, &state, diag);
    add_counters(&r->counters, flow_counters(r->instance));
    flow_instance_free(r->instance);
    r->instance = NULL;
    if (!st) st = start(r, diag);
    if (!st) st = flow_load(r->instance, buf_view(&state), &dropped, diag);
    if (st || (!dropped && flow_event_time(r->instance) == event)) return st;
    failing(r, input);
    (void)printf("  %s\n",
                 dropped ? "some of the saved state was not taken" : "event time differs");
    return ST_OK;
}

/* Every record is accounted for, and as in the plain run. */
static void law(Run *r)
{
    RtCounters *n = &r->counters, *want = &r->a->want_counters;
    add_counters(n, flow_counters(r->instance));
    if (r->plan->plain) *want = *n;
    bool records = n->in == n->emitted + n->state + n->filtered + n->late + n->errors;
    bool rows =
        n->rows == n->row_emitted + n->row_state + n->row_filtered + n->row_late + n->row_errors;
    bool same = n->in == want->in && n->emitted == want->emitted && n->state == want->state &&
                n->filtered == want->filtered && n->late == want->late &&
                n->errors == want->errors && n->rows == want->rows;
    if (r->a->failed || (records && rows && same)) return;
    failing(r, r->a->count);
    (void)printf("  in %llu emitted %llu state %llu filtered %llu late %llu errors %llu rows %llu: "
                 "%s\n",
                 (unsigned long long)n->in, (unsigned long long)n->emitted,
                 (unsigned long long)n->state, (unsigned long long)n->filtered,
                 (unsigned long long)n->late, (unsigned long long)n->errors,
                 (unsigned long long)n->rows,
                 same ? "not every record is accounted for" : "not what the plain run counted");
}

/* The next input that is not in this one's batch. */
static uint32_t batch_end(const Run *r, uint32_t from)
{
    const Again *a = r->a;
    uint32_t to = from + 1;
    while (r->plan->joined && to < a->count && r->plan->joined[to] &&
           a->inputs[to].step->kind == STEP_IN && a->inputs[from].step->kind == STEP_IN &&
           a->inputs[to].step->source == a->inputs[from].step->source)
        to++;
    return to;
}

MUST static Status inputs(Run *r, Diag *diag)
{
    Again *a = r->a;
    Status st = ST_OK;
    int64_t clock = INT64_MIN;
    for (uint32_t from = 0, to; from < a->count && !a->failed && !st; from = to) {
        to = batch_end(r, from);
        Input *input = &a->inputs[from];
        if (input->step->kind == STEP_CLOCK) flow_clock(r->instance, clock = input->step->clock_ns);
        if (r->plan->plain) input->now_ns = recheck_arrival(r->instance, a->pipeline, clock);
        if (input->step->kind == STEP_IN) feed(r, from, to);
        if (r->plan->plain) input->time_ns = flow_event_time(r->instance);
        collect(r);
        compare(r, to - 1);
        if (a->failed) break;
        if (a->inputs[to - 1].time_ns != flow_event_time(r->instance)) {
            failing(r, to - 1);
            (void)printf("  event time differs\n");
        }
        bool here = r->plan->every || (r->plan->restart >= from && r->plan->restart < to);
        if (here) st = restart(r, to - 1, diag);
    }
    return st;
}

MUST static Status run(Again *a, const Plan *plan, Diag *diag)
{
    Run r = {.a = a, .plan = plan};
    if (a->failed) return ST_OK;
    a->runs++;
    r.logs = plan->plain ? a->want : arena_many(a->arena, Buf, a->log_count);
    r.next = arena_many(a->arena, uint64_t, a->log_count);
    if (!r.logs || !r.next) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (uint32_t s = 0; s < a->log_count; s++) buf_init(&r.logs[s], RECHECK_BYTES);
    Status st = start(&r, diag);
    if (!st) st = inputs(&r, diag);
    if (!st && r.instance && a->count && a->pipeline->bounded && !a->failed)
        flow_finish(r.instance);
    if (!st && r.instance && !a->failed) {
        collect(&r);
        compare(&r, a->count);
        law(&r);
    }
    for (uint32_t s = 0; s < a->log_count; s++) {
        if (!st) st = buf_status(&r.logs[s]);
        if (!plan->plain) buf_done(&r.logs[s]);
    }
    flow_instance_free(r.instance);
    return st;
}

/* ---- all runs of a test ---- */

MUST static Status restarts(Again *a, Plan plan, Diag *diag)
{
    plan.what = "a restart behind every record";
    plan.every = true;
    Status st = run(a, &plan, diag);
    plan.what = "a restart";
    plan.every = false;
    for (uint32_t i = 0; i < a->count && i < RESTARTS_MAX && !st; i++) {
        plan.restart = i;
        st = run(a, &plan, diag);
    }
    return st;
}

MUST static Status batches(Again *a, Plan plan, Diag *diag)
{
    uint8_t *joined = arena_alloc(a->arena, a->count + 1u);
    Status st = joined ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
    plan.joined = joined;
    for (uint32_t round = 0; round <= ROUNDS && !st; round++) {
        for (uint32_t i = 0; i < a->count; i++)
            joined[i] = !round || next_random(a) % 4 < 1 + round % 3; /* round 0: one batch */
        plan.what = "other batches";
        plan.every = false;
        st = run(a, &plan, diag);
        if (!a->check->restart || st) continue;
        plan.what = "other batches and a restart behind each";
        plan.every = true;
        st = run(a, &plan, diag);
    }
    return st;
}

MUST static Status on_engine(Again *a, const char *engine, FlowProgram *program, bool plain,
                             Diag *diag)
{
    Plan plan = {.what = "the plain run",
                 .engine = engine,
                 .program = program,
                 .plain = plain,
                 .restart = UINT32_MAX};
    Status st = run(a, &plan, diag);
    plan.plain = false;
    if (!st && a->check->restart) st = restarts(a, plan, diag);
    if (!st && a->check->split) st = batches(a, plan, diag);
    return st;
}

/* The engines there are beside the one that says what is wanted. */
MUST static Status other_engines(Again *a, EngineKind first, Diag *diag)
{
    Status st = ST_OK;
    EngineKind chosen = a->set->engine;
    EngineKind e = ENGINE_BEST;
    while (!st && (e = engine_next(e)) != ENGINE_BEST) {
        if (e == first) continue;
        Native other = {.ir = a->native->ir};
        a->set->engine = e;
        st = native_load(a->set, &other, NULL, diag);
        if (!st) st = on_engine(a, engine_name(e), other.program, false, diag);
        flow_program_free(other.program);
    }
    a->set->engine = chosen;
    return st;
}

MUST static Status prepare(Again *a, Diag *diag)
{
    a->arena = arena_new(64 << 10, RECHECK_BYTES);
    a->log_count = a->pipeline->sink_count + 2;
    for (uint32_t i = 0; i < a->pipeline->mem_count; i++)
        a->asks |= a->pipeline->mems[i].ask != NULL;
    if (!a->arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = test_files(a->native->ir, a->test, a->arena, &a->with_files, &a->tables, diag);
    if (st) return st;
    a->test = &a->with_files;
    a->inputs = arena_many(a->arena, Input, a->test->step_count + 1u);
    a->want = arena_many(a->arena, Buf, a->log_count);
    a->want_ends = arena_many(a->arena, size_t, (a->test->step_count + 1u) * a->log_count);
    if (!a->inputs || !a->want || !a->want_ends)
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < a->test->step_count; i++) {
        const IrTestStep *step = &a->test->steps[i];
        if (step->kind != STEP_IN && step->kind != STEP_CLOCK) continue;
        a->inputs[a->count++].step = step;
    }
    st = asker_new(NULL, NULL, NULL, &a->asker);
    return st ? diag_set(diag, st, "out of memory") : ST_OK;
}

MUST static Status one(Again *a, Diag *diag)
{
    EngineKind first = a->set->engine;
    if (first == ENGINE_BEST) first = cc_installed() ? ENGINE_CC : ENGINE_INTERP;
    Status st = prepare(a, diag);
    if (!st) st = on_engine(a, engine_name(first), a->native->program, true, diag);
    if (!st && a->check->engines) st = other_engines(a, first, diag);
    for (uint32_t s = 0; a->want && s < a->log_count; s++) buf_done(&a->want[s]);
    asker_free(a->asker);
    arena_free(a->arena);
    return st;
}

Status recheck(NativeSet *set, const Native *native, const IrRepeat *check, const char *only,
               uint64_t seed, bool *ret_any, bool *ret_passed, Diag *diag)
{
    const IrProgram *ir = native->ir;
    uint32_t tests = 0, runs = 0;
    Status st = ST_OK;
    *ret_passed = true;
    for (uint32_t i = 0; i < ir->test_count && !st; i++) {
        if (ir->tests[i].pipeline != check->pipeline) continue;
        if (only && str_find(ir->tests[i].text, str_from(only)) < 0) continue;
        Again a = {.set = set,
                   .native = native,
                   .check = check,
                   .test = &ir->tests[i],
                   .pipeline = &ir->pipelines[check->pipeline],
                   .seed = seed,
                   .random = seed + i};
        st = one(&a, diag);
        tests++;
        runs += a.runs;
        if (a.failed) *ret_passed = false;
    }
    *ret_any = tests || !only;
    if (!*ret_any) return ST_OK;
    if (!st && !tests) {
        SourcePlace at = source_place(ir->source, check->span.start);
        Str name = ir->pipelines[check->pipeline].name;
        *ret_passed = false;
        (void)printf("%.*s:%u:%u: check %.*s: no test of it, so nothing is checked; write "
                     "test %.*s \"...\" { in ... }\n",
                     STR_ARG(ir->source->path), at.line, at.column, STR_ARG(name), STR_ARG(name));
    }
    if (!st)
        (void)printf("check %.*s: %u %s, %u runs, seed %llu\n",
                     STR_ARG(ir->pipelines[check->pipeline].name), tests,
                     tests == 1 ? "test" : "tests", runs, (unsigned long long)seed);
    return st;
}
