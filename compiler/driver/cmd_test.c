/* compiler/driver/cmd_test.c: `tutti test`: runs the test blocks through the compiled programs,
 * then the checks (recheck.h).
 *
 * Each test has a fresh instance and a virtual clock. The clock stands at the latest `clock` step
 * or event time, whichever is later, and moves by nothing else, so a test means the same every day.
 * A pipeline whose sources end by themselves is finished behind the last `in` or `clock`. */
#include "compiler/driver/options.h"
#include "compiler/driver/recheck.h"
#include "compiler/driver/testfiles.h"

#include "ask/ask.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SINKS_MAX = 4096, TEST_ARENA_BYTES = 256 << 20 };

typedef struct TestRun {
    const NativeSet *set;
    const Native *native;
    const IrTest *test; /* its files read */
    const IrPipeline *pipeline;
    FlowInstance *instance;
    Arena *arena;
    /* Rows of each sink that were expected already; then dead letters that failed, and late ones.
     */
    uint64_t *taken;
    int64_t clock_ns;
    bool update; /* files of wanted rows are written, not compared */
    uint32_t failures;
} TestRun;

static const RtOut *rows_of(const TestRun *t, uint32_t sink)
{
    return sink < t->pipeline->sink_count ? flow_out(t->instance, sink) : flow_dead(t->instance);
}

/* Where the nth row of a sink stands, or past the end. The dead letters are two: failed and late.
 */
static uint64_t row_at(const TestRun *t, uint32_t sink, uint64_t nth)
{
    const RtOut *out = rows_of(t, sink);
    if (sink < t->pipeline->sink_count) return nth;
    bool late = sink > t->pipeline->sink_count;
    for (uint64_t i = 0; i < out->row_count; i++)
        if ((out->rows[i].key_len > 0) == late && nth-- == 0) return i;
    return out->row_count;
}

static bool has_row(const TestRun *t, uint32_t sink, uint64_t nth)
{
    return row_at(t, sink, nth) < rows_of(t, sink)->row_count;
}

/* `as text`, `as raw`: a row is its one value, not JSON. */
static bool is_plain(const TestRun *t, uint32_t sink)
{
    if (sink >= t->pipeline->sink_count) return false;
    IrFormat format = t->pipeline->sinks[sink].format;
    return format == FORMAT_TEXT || format == FORMAT_RAW;
}

static Str row_text(const TestRun *t, uint32_t sink, uint64_t nth)
{
    const RtOut *out = rows_of(t, sink);
    uint64_t index = row_at(t, sink, nth);
    Str text = str_slice(out->bytes + out->rows[index].start, out->rows[index].len), json;
    if (sink < t->pipeline->sink_count && ir_format_is_bytes(t->pipeline->sinks[sink].format))
        return flow_json_of_row(t->instance, sink, text, t->arena, &json) ? text : json;
    if (!is_plain(t, sink)) return str_trim(text);
    bool line = t->pipeline->sinks[sink].format == FORMAT_TEXT;
    return str_slice(text.ptr, text.len - line); /* the line end of our own */
}

/* "file:line: " and the test's name, once a failing step. */
static void failing(TestRun *t, Span span)
{
    const Source *source = t->native->ir->source;
    SourcePlace at = source_place(source, span.start);
    t->failures++;
    (void)printf("%.*s:%u:%u: test \"%.*s\"\n", STR_ARG(source->path), at.line, at.column,
                 STR_ARG(t->test->text));
}

static const Json *find(const Json *row, Str path)
{
    while (row && path.len) {
        ptrdiff_t dot = str_find_char(path, '.');
        Str name = dot < 0 ? path : str_slice(path.ptr, (size_t)dot);
        const Json *child = row->type == JSON_OBJECT ? row->first : NULL;
        while (child && !str_eq(child->key, name)) child = child->next;
        row = child;
        path = str_skip(path, dot < 0 ? path.len : (size_t)dot + 1);
    }
    return row;
}

static bool number(const Json *json)
{
    return json->type == JSON_INT || json->type == JSON_NUMBER;
}

static bool fits(TestRun *t, const IrExpectField *want, const Json *got)
{
    const Json *wanted;
    Diag diag;
    if (want->absent) return !got || got->type == JSON_NULL;
    if (!got) return false;
    if (want->has_tolerance)
        return number(got) && fabs(got->number - want->number) <= want->tolerance;
    if (json_read(t->arena, want->json, &wanted, &diag)) return false;
    if (number(wanted) && number(got)) {
        bool exact = wanted->type == JSON_INT && got->type == JSON_INT;
        return exact ? wanted->integer == got->integer : wanted->number == got->number;
    }
    if (wanted->type == JSON_STRING && got->type == JSON_STRING)
        return str_eq(wanted->text, got->text);
    return str_eq(wanted->raw, got->raw);
}

static void mismatch(TestRun *t, const IrExpectField *want, const Json *got, Str row)
{
    failing(t, want->span);
    (void)printf("  %.*s: want ", STR_ARG(want->path));
    if (want->absent)
        (void)printf("nothing");
    else
        (void)printf("%.*s", STR_ARG(want->json));
    if (want->has_tolerance) (void)printf(" ~ %g", want->tolerance);
    if (got)
        (void)printf(", got %.*s\n", STR_ARG(got->raw));
    else
        (void)printf(", got nothing\n");
    (void)printf("  in %.*s\n", STR_ARG(row));
}

static void compare_text(TestRun *t, const IrTestStep *step, Str want, Str row)
{
    if (str_eq(row, want)) return;
    failing(t, step->span);
    (void)printf("  want %.*s\n  got  %.*s\n", STR_ARG(want), STR_ARG(row));
}

static void compare_row(TestRun *t, const IrTestStep *step, uint32_t sink, Str row)
{
    const Json *json = NULL;
    Diag diag = {0};
    if (!step->field_count) {
        if (step->text.len || is_plain(t, sink)) compare_text(t, step, step->text, row);
        return;
    }
    if (is_plain(t, sink)) {
        if (!json_read(t->arena, step->fields[0].json, &json, &diag) && json->type == JSON_STRING)
            compare_text(t, step, json->text, row);
        else
            mismatch(t, &step->fields[0], NULL, row);
        return;
    }
    if (json_read(t->arena, row, &json, &diag)) {
        failing(t, step->span);
        (void)printf("  the row is not JSON: %.*s\n"
                     "  rows of such a sink are compared as bytes: expect ... from \"FILE\"\n",
                     STR_ARG(row));
        return;
    }
    for (uint32_t i = 0; i < step->field_count; i++) {
        const Json *got = find(json, step->fields[i].path);
        if (fits(t, &step->fields[i], got)) continue;
        mismatch(t, &step->fields[i], got, row);
        return;
    }
}

/* Whether a row of a sink of JSON is as the step wants it. */
static bool row_fits(TestRun *t, const IrTestStep *step, uint32_t sink, Str row)
{
    const Json *json = NULL;
    Diag diag = {0};
    if (!step->field_count || is_plain(t, sink) || json_read(t->arena, row, &json, &diag))
        return false;
    for (uint32_t i = 0; i < step->field_count; i++)
        if (!fits(t, &step->fields[i], find(json, step->fields[i].path))) return false;
    return true;
}

/* The sinks of an expectation; for errors also the dead letters. Of several sinks whose next rows
 * wait, one whose row fits goes first. */
static bool next_row(TestRun *t, const IrTestStep *step, uint32_t *ret_sink, Str *ret_row)
{
    uint32_t dead = t->pipeline->sink_count, best = UINT32_MAX;
    for (uint32_t i = 0; i <= step->sink_count; i++) {
        if (i == step->sink_count && step->on == EXPECT_SINK) break;
        uint32_t sink = i < step->sink_count ? step->sinks[i] : dead + (step->on == EXPECT_LATE);
        if (!has_row(t, sink, t->taken[sink])) continue;
        bool match = row_fits(t, step, sink, row_text(t, sink, t->taken[sink]));
        if (best == UINT32_MAX || match) best = sink;
        if (match) break;
    }
    if (best == UINT32_MAX) return false;
    *ret_sink = best;
    *ret_row = row_text(t, best, t->taken[best]++);
    return true;
}

static const char *on_text(const IrTestStep *step)
{
    return step->on == EXPECT_ERROR ? "error" : step->on == EXPECT_LATE ? "late" : "this sink";
}

static void expect(TestRun *t, const IrTestStep *step)
{
    Str row;
    uint32_t sink;
    if (next_row(t, step, &sink, &row)) {
        compare_row(t, step, sink, row);
        return;
    }
    failing(t, step->span);
    (void)printf("  want a row of %s, got none\n", on_text(step));
}

/* A row that goes to several sinks (`into a and b`, `into a  into b`) is expected at one of them.
 */
static bool expected_elsewhere(const TestRun *t, Str row)
{
    for (uint32_t s = 0; s <= t->pipeline->sink_count + 1; s++)
        for (uint64_t i = 0; i < t->taken[s]; i++)
            if (str_eq(row_text(t, s, i), row)) return true;
    return false;
}

static void expect_nothing(TestRun *t, const IrTestStep *step)
{
    for (uint32_t s = 0; s <= t->pipeline->sink_count + 1; s++) {
        while (has_row(t, s, t->taken[s]) && expected_elsewhere(t, row_text(t, s, t->taken[s])))
            t->taken[s]++;
        if (!has_row(t, s, t->taken[s])) continue;
        failing(t, step->span);
        Str name = s < t->pipeline->sink_count    ? t->pipeline->sinks[s].kind
                   : s == t->pipeline->sink_count ? STR("error")
                                                  : STR("late");
        (void)printf("  want nothing else, got of %.*s\n  %.*s\n", STR_ARG(name),
                     STR_ARG(row_text(t, s, t->taken[s])));
        return;
    }
}

/* ---- files of rows ---- */

static Str sink_name(const TestRun *t, uint32_t sink)
{
    uint32_t count = t->pipeline->sink_count;
    if (sink >= count) return sink == count ? STR("error") : STR("late");
    const IrSink *ir = &t->pipeline->sinks[sink];
    if (!ir->address.len) return ir->kind;
    return arena_printf(t->arena, "%.*s %.*s", STR_ARG(ir->kind), STR_ARG(ir->address));
}

/* The only sink of `into`: its rows stand in the file as it writes them. */
static bool is_alone(const TestRun *t, uint32_t sink)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->pipeline->sink_count; i++)
        count += ir_sink_port(t->pipeline, i) == PORT_OUT;
    return count == 1 && sink < t->pipeline->sink_count &&
           ir_sink_port(t->pipeline, sink) == PORT_OUT;
}

static void put_wrapped(const TestRun *t, uint32_t sink, Str row, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_str(&json, "sink", sink_name(t, sink));
    json_key(&json, "row");
    bool dead = sink >= t->pipeline->sink_count;
    IrFormat format = dead ? FORMAT_JSON : t->pipeline->sinks[sink].format;
    if (format == FORMAT_JSON || ir_format_is_bytes(format)) /* bytes: shown as JSON */
        json_put_raw(&json, row);
    else
        json_put_str(&json, row);
    json_end(&json);
}

/* The rows of a sink that nobody has expected yet; from now on they are. */
static void put_rows(TestRun *t, uint32_t sink, bool wrapped, Buf *out)
{
    bool is_csv = sink < t->pipeline->sink_count && t->pipeline->sinks[sink].format == FORMAT_CSV;
    if (is_csv && !wrapped && !t->taken[sink]) {
        const RtSchema *schema = flow_info(t->instance)->sinks[sink].schema;
        for (uint32_t i = 0; schema && i < schema->count; i++)
            buf_printf(out, "%s%s", i ? "," : "", schema->fields[i].name);
        buf_char(out, '\n');
    }
    for (; has_row(t, sink, t->taken[sink]); t->taken[sink]++) {
        Str row = row_text(t, sink, t->taken[sink]);
        if (wrapped)
            put_wrapped(t, sink, row, out);
        else
            buf_str(out, row);
        buf_char(out, '\n');
    }
}

static void put_all_rows(TestRun *t, const IrTestStep *step, Buf *out)
{
    uint32_t dead = t->pipeline->sink_count;
    for (uint32_t i = 0; i < step->sink_count; i++) put_rows(t, step->sinks[i], false, out);
    if (step->sink_count || step->on != EXPECT_SINK) {
        if (step->on != EXPECT_SINK) put_rows(t, dead + (step->on == EXPECT_LATE), false, out);
        return;
    }
    for (uint32_t s = 0; s <= dead + 1; s++) put_rows(t, s, !is_alone(t, s), out);
}

static Str next_line(Str *text)
{
    ptrdiff_t end = str_find_char(*text, '\n');
    Str line = end < 0 ? *text : str_slice(text->ptr, (size_t)end);
    *text = str_skip(*text, end < 0 ? text->len : (size_t)end + 1);
    return line;
}

static void compare_lines(TestRun *t, const IrTestStep *step, Str want, Str got)
{
    for (uint32_t number = 1; want.len || got.len; number++) {
        bool no_more = !want.len, none = !got.len;
        Str line = next_line(&want), row = next_line(&got);
        if (!no_more && !none && str_eq(line, row)) continue;
        failing(t, step->span);
        (void)printf("  %.*s line %u:\n  want %.*s\n  got  %.*s\n", STR_ARG(step->text), number,
                     STR_ARG(no_more ? STR("nothing more") : line),
                     STR_ARG(none ? STR("nothing more") : row));
        return;
    }
}

static void expect_file(TestRun *t, const IrTestStep *step)
{
    AUTO_BUF Buf got, want;
    Diag diag = {0};
    buf_init(&got, TEST_FILE_BYTES);
    buf_init(&want, TEST_FILE_BYTES);
    put_all_rows(t, step, &got);
    Status st = buf_status(&got);
    if (st) st = diag_set(&diag, st, "these rows are more than %d MiB", TEST_FILE_BYTES >> 20);
    if (!st && t->update) st = test_file_write(step->text, buf_view(&got), &diag);
    if (!st && !t->update) st = test_file_read(step->text, &want, &diag);
    if (st) {
        failing(t, step->span);
        (void)printf("  %s\n", diag.text);
    } else if (!t->update) {
        compare_lines(t, step, buf_view(&want), buf_view(&got));
    }
}

/* A record, copied to where the padding is. The first record of all sets the clock. */
static void feed(TestRun *t, const IrTestStep *step)
{
    Str bytes;
    if (recheck_record(t->instance, step, t->arena, &bytes)) return;
    int64_t now = recheck_arrival(t->instance, t->pipeline, t->clock_ns);
    RtRecord record = {.ptr = bytes.ptr, .len = (uint32_t)bytes.len, .received_ns = now};
    recheck_beside(step, t->pipeline, &record);
    RtBatch batch = {.source = step->source, .count = 1, .records = &record, .received_ns = now};
    flow_feed(t->instance, &batch);
}

static bool last_input(const IrTest *test, uint32_t step)
{
    for (uint32_t i = step + 1; i < test->step_count; i++)
        if (test->steps[i].kind == STEP_IN || test->steps[i].kind == STEP_CLOCK) return false;
    return true;
}

static void steps(TestRun *t)
{
    for (uint32_t i = 0; i < t->test->step_count && !t->failures; i++) {
        const IrTestStep *step = &t->test->steps[i];
        bool input = false;
        switch (step->kind) {
        case STEP_IN:
            feed(t, step);
            input = true;
            break;
        case STEP_CLOCK:
            t->clock_ns = step->clock_ns;
            flow_clock(t->instance, step->clock_ns);
            input = true;
            break;
        case STEP_IN_FILE: break; /* they are STEP_INs by now */
        case STEP_EXPECT: expect(t, step); break;
        case STEP_EXPECT_FILE: expect_file(t, step); break;
        case STEP_NOTHING: expect_nothing(t, step); break;
        }
        if (input && t->pipeline->bounded && last_input(t->test, i)) flow_finish(t->instance);
    }
}

/* A file that cannot be read fails its test, no more. */
static bool read_files(TestRun *t, IrTest *with_files, FlowHost *host)
{
    Diag diag = {0};
    if (!test_files(t->native->ir, t->test, t->arena, with_files, &host->tables, &diag)) {
        t->test = with_files;
        return true;
    }
    failing(t, t->test->span);
    (void)printf("  %s\n", diag.text);
    return false;
}

MUST static Status run_test(const NativeSet *set, const Native *native, const IrTest *test,
                            bool update, bool *ret_passed, Diag *diag)
{
    FlowLimits limits = {.out_bytes = 64 << 20};
    IrTest with_files;
    TestRun t = {.set = set,
                 .native = native,
                 .test = test,
                 .update = update,
                 .pipeline = &native->ir->pipelines[test->pipeline],
                 .clock_ns = INT64_MIN};
    if (t.pipeline->sink_count >= SINKS_MAX) return diag_set(diag, ST_LIMIT, "too many sinks");
    t.arena = arena_new(64 << 10, TEST_ARENA_BYTES);
    t.taken = t.arena ? arena_many(t.arena, uint64_t, t.pipeline->sink_count + 2) : NULL;
    Asker *asker = NULL;
    Status st = t.taken ? asker_new(NULL, NULL, NULL, &asker) : ST_NO_MEMORY;
    FlowHost host = {.ask = asker_ask, .ask_ctx = asker};
    if (st) st = diag_set(diag, st, "out of memory");
    if (!st && read_files(&t, &with_files, &host)) {
        st = flow_instance_new(native->program, test->pipeline, &limits, &host, &t.instance, diag);
        if (!st) steps(&t);
    }
    *ret_passed = !st && !t.failures;
    flow_instance_free(t.instance);
    asker_free(asker);
    arena_free(t.arena);
    return st;
}

static int run_all(const Command *self, NativeSet *set, const char *only, uint64_t seed,
                   bool update)
{
    unsigned passed = 0, failed = 0;
    Diag diag = {0};
    int code = front_report(&set->front);
    if (code) return code;
    for (uint32_t i = 0; i < set->count; i++) {
        Native *native = &set->list[i];
        Status st = native->ir->test_count ? native_load(set, native, NULL, &diag) : ST_OK;
        for (uint32_t k = 0; k < native->ir->test_count && !st; k++) {
            const IrTest *test = &native->ir->tests[k];
            bool ok = false;
            if (only && str_find(test->text, str_from(only)) < 0) continue;
            st = run_test(set, native, test, update, &ok, &diag);
            passed += ok;
            failed += !ok;
        }
        for (uint32_t k = 0; k < native->ir->repeat_count && !st; k++) {
            bool any = false, ok = false;
            st = recheck(set, native, &native->ir->repeats[k], only, seed, &any, &ok, &diag);
            passed += any && ok;
            failed += any && !ok;
        }
        if (st) return driver_failed(self, st, &diag);
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed ? EXIT_WRONG : EXIT_FINE;
}

typedef struct TestArgs {
    const Command *self;
    NativeSet set;
    const char *only;
    uint64_t seed;
    bool update, named;
} TestArgs;

const Option test_options[] = {
    OPTION("--only", "TEXT", OPTION_TEXT, TestArgs, only, "only tests whose name holds TEXT"),
    OPTION("--update", NULL, OPTION_FLAG, TestArgs, update,
           "write the files of `expect file` and `expect ... from` anew"),
    OPTION("--engine", "NAME", OPTION_ENGINE, TestArgs, set.engine,
           "what runs it: cc, jit, interp; `list` shows them"),
    OPTION("--seed", "N", OPTION_NUMBER, TestArgs, seed,
           "of the random batches of `check ... split batches anywhere`; 1"),
    OPTION("--cache", "FOLDER", OPTION_TEXT, TestArgs, set.cache_dir,
           "where compiled programs are kept"),
    OPTION("--json", NULL, OPTION_FLAG, TestArgs, set.front.json, "diagnostics as a JSON array"),
    {0}};

static int test_word(void *ctx, char *word)
{
    TestArgs *args = ctx;
    Diag diag = {0};
    Status st = native_add(&args->set, word, &diag);
    args->named = true;
    return st ? driver_failed(args->self, st, &diag) : -1;
}

int cmd_test(const Command *self, int argc, char **argv)
{
    TestArgs args = {.self = self, .seed = 1};
    Diag diag = {0};
    Status st = native_open(&args.set, &diag);
    args.set.soon = true;
    int code =
        st ? driver_failed(self, st, &diag) : options_read(self, argc, argv, &args, test_word);
    if (code < 0 && !args.named) code = driver_usage(self, "name a file or a folder");
    if (code < 0) code = run_all(self, &args.set, args.only, args.seed, args.update);
    native_close(&args.set);
    return code;
}
