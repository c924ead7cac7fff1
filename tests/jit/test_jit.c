/* tests/jit/test_jit.c: the plug-in of the engine jit, without the command around it.
 *
 * The C engine is the other opinion: the same records, sound and damaged, through both, must leave
 * the same bytes and counters. That swapping code leaves no memory behind is held by swaps.c. */
#include "base/mem.h"
#include "compiler/compile.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/emit_llvm/object.h"
#include "flow/instance.h"
#include "test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char press_text[] =
    "type Press = {\n"
    "  ts: time, machine: string(16), line: string(4), temp: f64 [degC] in -60..400,\n"
    "  pressure: f64 [bar], rpm: i32, state: enum { RUN, IDLE, FAULT }, price: decimal(2)?,\n"
    "  seq: i64?, on: bool?, small: f32?, count: u32?, sizes: [i64; 8]?\n"
    "}\n"
    "pipeline sums {\n"
    "  from stdin as json Press\n"
    "  time ts order 2s\n"
    "  where state == RUN and temp > -40 [degC]\n"
    "  let temp_f = temp to [degF]  load = pressure * rpm\n"
    "  window tumble 10s by machine {\n"
    "    n = count()  avg = mean(temp_f)  lo = min(temp_f)  hi = max(load)\n"
    "    p95 = quantile(temp_f, 0.95, within 1%)  last = last(line)  dev = stddev(temp_f)\n"
    "  }\n"
    "  into stdout\n"
    "  on error into dead\n"
    "}\n"
    "pipeline rows {\n"
    "  from stdin as json Press\n"
    "  let next  = (seq ?? 0) + 1\n"
    "      half  = (seq ?? 4) / (count ?? 2)\n"
    "      name  = \"{machine}/{line}\"\n"
    "      big   = upper(line)\n"
    "      hot   = temp > 100 [degC] or pressure > 9.9 [bar]\n"
    "      total = sum(sizes ?? [1, 2])\n"
    "  keep ts, machine, state, price, seq, on, small, count, sizes, next, half, name, big, hot, "
    "total\n"
    "  into stdout\n"
    "  on error into dead\n"
    "}\n";

static const JitPlugin *plugin(void)
{
    void *library = dlopen(JIT_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!library) printf("%s\n", dlerror());
    CHECK(library);
    const JitPlugin *found = dlsym(library, "tutti_jit");
    CHECK(found);
    CHECK_TEXT(found->build, JIT_BUILD);
    return found;
}

/* ---- a program by either engine ---- */

typedef struct Program {
    Arena *arena, *tables;
    IrProgram *ir;
    JitCode *code;
    FlowProgram *flow;
} Program;

static void front(Program *p, const char *text)
{
    SourceSet sources;
    DiagList diags;
    Source *source;
    Diag diag = {0};
    CompileOptions options = {.diag = &diag};
    *p = (Program){.arena = arena_new(0, 64 << 20), .tables = arena_new(0, 64 << 20)};
    source_set_init(&sources, p->arena);
    CHECK_OK(source_add(&sources, STR("test.tutti"), str_from(text), &source, &diag));
    diag_list_init(&diags, p->arena, &sources);
    CHECK_OK(compile_source(p->arena, source, &diags, &options, &p->ir));
    for (const Diagnostic *d = diags.first; d; d = d->next) printf("%.*s\n", STR_ARG(d->message));
    CHECK(p->ir);
}

enum { OBJECT_BYTES = 16 << 20 };

/* Where the processor has them: the instructions jit_load.c asks for. */
static const char *cpu(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("bmi2") ? "+bmi,+bmi2,+popcnt" : "";
}

static JitReach reach = JIT_NEAR; /* who links: object.c, or LLVM */

/* Links what is in `kept`, or compiles and leaves it there. */
static Status jit(Program *p, const Str *samples, JitSpeed speed, Buf *kept, Diag *diag)
{
    Linked *linked;
    CHECK_OK(link_program(p->ir, p->tables, &linked, diag));
    Status st = ST_OK;
    if (!kept->len)
        st = plugin()->compile(p->ir, linked, samples, speed, reach, cpu(), kept, NULL, diag);
    if (!st)
        st = jit_object_link(buf_view(kept), linked, reach == JIT_FAR ? plugin() : NULL, &p->code,
                             diag);
    if (st) return st;
    linked->program.bind = p->code->bind;
    for (u32 i = 0; i < linked->program.pipeline_count; i++) {
        linked->pipelines[i].feed = p->code->pipelines[i].feed;
        linked->pipelines[i].row = p->code->pipelines[i].row;
        linked->pipelines[i].run = p->code->pipelines[i].run;
        linked->pipelines[i].layout_count = p->code->pipelines[i].layout_count;
    }
    CHECK_INT(linked->program.share_count, 1); /* its two pipelines read one source */
    linked->shares[0].feed = p->code->shares[0];
    return flow_program_made(&linked->program, NULL, NULL, &p->flow, diag);
}

static void by_kept(Program *p, const Str *samples, JitSpeed speed, Buf *kept)
{
    Diag diag = {0};
    front(p, press_text);
    Status st = jit(p, samples, speed, kept, &diag);
    if (st) printf("%s\n", diag.text);
    CHECK_OK(st);
    arena_free(p->arena); /* the code must not need the IR */
    p->arena = NULL;
}

static void by_jit(Program *p, const Str *samples, JitSpeed speed)
{
    AUTO_BUF Buf object; /* the code must not need it */
    buf_init(&object, OBJECT_BYTES);
    by_kept(p, samples, speed, &object);
}

static void by_cc(Program *p, const Str *samples)
{
    Diag diag = {0};
    AUTO_BUF Buf text, path;
    char folder[] = "jit-test-XXXXXX", full[4096];
    buf_init(&text, EMIT_BYTES_MAX);
    buf_init(&path, 4096);
    CHECK(mkdtemp(folder));
    CHECK(realpath(folder, full));
    front(p, press_text);
    CHECK_OK(emit_c(p->ir, samples, &text, &diag));
    EmitUnits units = {.main = buf_view(&text)};
    CHECK_OK(cc_shared_object(&units, full, &path, NULL, &diag));
    CHECK_OK(flow_program_load(path.ptr, &p->flow, &diag));
    CHECK(unlink(path.ptr) == 0);
    memcpy(path.ptr + path.len - 2, "c", 2);
    CHECK(unlink(path.ptr) == 0);
    CHECK(rmdir(full) == 0);
}

static void done(Program *p)
{
    flow_program_free(p->flow);
    jit_object_free(p->code);
    arena_free(p->arena);
    arena_free(p->tables);
}

/* ---- records ---- */

typedef struct Random {
    uint64_t state;
} Random;

static uint64_t next(Random *r, uint64_t n)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (r->state >> 11) % n;
}

static size_t optional(Random *r, char *out, size_t room)
{
    static const char *const values[] = {",\"price\":12.34",
                                         ",\"price\":0.5",
                                         ",\"price\":null",
                                         ",\"seq\":123",
                                         ",\"seq\":-9223372036854775808",
                                         ",\"seq\":9223372036854775807",
                                         ",\"on\":true",
                                         ",\"on\":false",
                                         ",\"small\":0.1",
                                         ",\"small\":3.4e38",
                                         ",\"count\":4294967295",
                                         ",\"count\":4294967296",
                                         ",\"sizes\":[1,2,3]",
                                         ",\"sizes\":[]",
                                         ",\"sizes\":[1,2,3,4,5,6,7,8,9]",
                                         ",\"other\":{\"a\":[1]}",
                                         ",\"price\":1.234",
                                         ",\"sizes\":[1,null]"};
    size_t n = 0;
    for (uint64_t k = next(r, 4); k > 0; k--)
        n += (size_t)snprintf(out + n, room - n, "%s", values[next(r, COUNT_OF(values))]);
    return n;
}

static size_t record(Random *r, char *out, size_t room)
{
    static const char *const states[] = {"RUN", "RUN", "IDLE", "FAULT", "STOP"};
    static const char *const lines[] = {"A", "bb", "C\\u00e9", "d\\\"d", "\xc3\xa9", "long12"};
    uint64_t ms = next(r, 600000);
    size_t n = (size_t)snprintf(
        out, room,
        "{\"ts\":\"2026-11-23T10:%02u:%02u.%03uZ\",\"machine\":\"press-%02u\",\"line\":\"%s\","
        "\"temp\":%.2f,\"pressure\":%.*g,\"rpm\":%d,\"state\":\"%s\"",
        (unsigned)(ms / 60000), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000),
        (unsigned)next(r, 20), lines[next(r, 20) ? next(r, 2) : next(r, COUNT_OF(lines))],
        (double)next(r, 50000) / 100 - 70, (int)(1 + next(r, 17)),
        (double)next(r, 1 << 20) / 99991.0, (int)next(r, 6000) - 100,
        states[next(r, COUNT_OF(states))]);
    n += optional(r, out + n, room - n);
    n += (size_t)snprintf(out + n, room - n, "}");
    return n;
}

static void damage(Random *r, char *text, size_t *n)
{
    static const char odd[] = "\"\\{}[]:,0123456789.eE+-tfn \t\r\x01\x7f\xc3\xa9\xffuABZ";
    size_t at = next(r, *n);
    switch (next(r, 3)) {
    case 0: text[at] = odd[next(r, sizeof odd - 1)]; break;
    case 1:
        memmove(text + at, text + at + 1, *n - at);
        --*n;
        break;
    default:
        memmove(text + at + 1, text + at, *n - at);
        ++*n;
        text[at] = odd[next(r, sizeof odd - 1)];
    }
}

/* ---- same bytes ---- */

typedef struct Side {
    Program program;
    FlowInstance *in[2];
    bool together; /* the two share a decoder */
} Side;

static uint32_t wires(const Side *s, uint32_t pipeline)
{
    return flow_program_table(s->program.flow)->pipelines[pipeline].wire_count;
}

static void open_side(Side *s)
{
    Diag diag;
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_OK(flow_instance_new(s->program.flow, i, NULL, NULL, &s->in[i], &diag));
        for (uint32_t w = 0; s->together && w < wires(s, i); w++) flow_watch(s->in[i], w, true);
    }
}

static void close_side(Side *s)
{
    for (uint32_t i = 0; i < 2; i++) flow_instance_free(s->in[i]);
    done(&s->program);
}

static Str bytes_of(const RtOut *out)
{
    return str_slice(out->bytes ? out->bytes : "", out->len);
}

static void compare(const Side *a, const Side *b, const char *what)
{
    for (uint32_t i = 0; i < 2; i++) {
        const RtCounters *x = flow_counters(a->in[i]), *y = flow_counters(b->in[i]);
        bool same = str_eq(bytes_of(flow_out(a->in[i], 0)), bytes_of(flow_out(b->in[i], 0))) &&
                    str_eq(bytes_of(flow_dead(a->in[i])), bytes_of(flow_dead(b->in[i])));
        if (!same || memcmp(x, y, sizeof *x) != 0)
            printf("they differ on %s\n%.*s%.*s---\n%.*s%.*s", what,
                   STR_ARG(bytes_of(flow_out(a->in[i], 0))), STR_ARG(bytes_of(flow_dead(a->in[i]))),
                   STR_ARG(bytes_of(flow_out(b->in[i], 0))),
                   STR_ARG(bytes_of(flow_dead(b->in[i]))));
        CHECK(same);
        CHECK(memcmp(x, y, sizeof *x) == 0);
        for (uint32_t w = 0; w < wires(a, i); w++) {
            uint64_t taps, other;
            CHECK(str_eq(flow_tap(a->in[i], w, &taps), flow_tap(b->in[i], w, &other)));
            CHECK_INT(taps, other);
        }
    }
}

static void feed(Side *s, const char *text, size_t n)
{
    RtRecord record = {.ptr = text,
                       .len = (uint32_t)n,
                       .topic = "a/b",
                       .topic_len = 3,
                       .key = "",
                       .received_ns = 1000};
    RtBatch batch = {.count = 1, .records = &record, .received_ns = 1000};
    for (uint32_t i = 0; i < 2; i++) {
        flow_out_clear(s->in[i], 0);
        flow_dead_clear(s->in[i]);
        if (!s->together) flow_feed(s->in[i], &batch);
    }
    if (s->together) flow_feed_shared(flow_share(s->program.flow, 0), s->in, &batch);
}

static void same_bytes(JitSpeed speed, const char *sample, bool together)
{
    Side a = {.together = together}, b = {.together = together};
    Str samples[2] = {str_from(sample), str_from(sample)};
    Random r = {88172645463325252ull + (unsigned)speed};
    uint64_t learnt = 0, errors = 0;
    by_jit(&a.program, samples, speed);
    by_cc(&b.program, samples);
    open_side(&a);
    open_side(&b);
    for (int i = 0; i < (together || reach == JIT_FAR ? 6000 : 20000); i++) {
        char one[700 + RT_PAD_BYTES] = {0};
        size_t n = record(&r, one, 600);
        for (uint64_t k = next(&r, 4); k == 1 || k == 2; k++) damage(&r, one, &n);
        one[n] = 0;
        feed(&a, one, n);
        feed(&b, one, n);
        compare(&a, &b, one);
    }
    for (uint32_t i = 0; i < 2; i++) {
        flow_finish(a.in[i]);
        flow_finish(b.in[i]);
        learnt += flow_counters(a.in[i])->learnt;
        errors += flow_counters(a.in[i])->errors;
    }
    compare(&a, &b, "the end");
    CHECK(learnt > 50 && errors > 1000); /* both ways of reading were taken */
    CHECK((flow_counters(a.in[1])->shared > 1500) == together);
    close_side(&a);
    close_side(&b);
}

/* As records are made above; without a sample the order of the type would be the layout. */
#define SAMPLE(more)                                                                               \
    "{\"ts\":\"2026-11-23T10:00:00.446Z\",\"machine\":\"press-23\",\"line\":\"D\","                \
    "\"temp\":126.74,\"pressure\":9.36,\"rpm\":2987,\"state\":\"RUN\"" more "}\n"

TEST(same_bytes_as_the_c_engine_full)
{
    same_bytes(JIT_FULL, SAMPLE(""), false);
}

TEST(same_bytes_as_the_c_engine_quick)
{
    same_bytes(JIT_QUICK, SAMPLE(",\"price\":12.34"), false);
}

TEST(same_bytes_as_the_c_engine_with_one_decoder_full)
{
    same_bytes(JIT_FULL, SAMPLE(""), true);
}

TEST(same_bytes_as_the_c_engine_with_one_decoder_quick)
{
    same_bytes(JIT_QUICK, SAMPLE(",\"price\":12.34") SAMPLE(""), true);
}

/* As on a processor that object.c does not know. */
static void by_llvm(JitSpeed speed, bool together)
{
    reach = JIT_FAR;
    same_bytes(speed, SAMPLE(""), together);
    reach = JIT_NEAR;
}

TEST(same_bytes_as_the_c_engine_linked_by_llvm_full)
{
    by_llvm(JIT_FULL, false);
}

TEST(same_bytes_as_the_c_engine_linked_by_llvm_quick)
{
    by_llvm(JIT_QUICK, true);
}

TEST(a_symbol_nobody_has_is_refused_by_llvm_too)
{
    JitLinked *linked = NULL;
    Diag diag = {0};
    Program p;
    AUTO_BUF Buf object;
    buf_init(&object, OBJECT_BYTES);
    reach = JIT_FAR;
    by_kept(&p, NULL, JIT_QUICK, &object);
    reach = JIT_NEAR;
    CHECK_OK(plugin()->link(buf_view(&object), NULL, 0, &linked, &diag));
    CHECK(!plugin()->find(linked, "feed_0")); /* it leaves symbols open */
    plugin()->unlink(linked);
    done(&p);
}

/* ---- kept objects ---- */

/* Both live at once, so their tables lie in different places: the object must not know where. */
TEST(a_kept_object_serves_with_other_tables)
{
    Side a = {0}, b = {0};
    Random r = {4711};
    AUTO_BUF Buf kept;
    buf_init(&kept, OBJECT_BYTES);
    by_kept(&a.program, NULL, JIT_FULL, &kept);
    by_kept(&b.program, NULL, JIT_FULL, &kept);
    open_side(&a);
    open_side(&b);
    for (int i = 0; i < 5000; i++) {
        char one[700 + RT_PAD_BYTES] = {0};
        size_t n = record(&r, one, 600);
        if (next(&r, 3) == 1) damage(&r, one, &n);
        one[n] = 0;
        feed(&a, one, n);
        feed(&b, one, n);
        compare(&a, &b, one);
        if (i == 2500) { /* nor may it need the one it was compiled for */
            close_side(&a);
            by_kept(&a.program, NULL, JIT_FULL, &kept);
            open_side(&a);
            for (uint32_t k = 0; k < 2; k++) flow_instance_free(b.in[k]);
            open_side(&b);
        }
    }
    close_side(&a);
    close_side(&b);
}

/* The same compilation gives the same object: it names nothing of this process. */
TEST(an_object_holds_no_address)
{
    AUTO_BUF Buf first, second;
    Program a, b;
    buf_init(&first, OBJECT_BYTES);
    buf_init(&second, OBJECT_BYTES);
    by_kept(&a, NULL, JIT_FULL, &first);
    by_kept(&b, NULL, JIT_FULL, &second);
    CHECK(str_eq(buf_view(&first), buf_view(&second)));
    done(&a);
    done(&b);
}

/* Whatever is in a file: it links or is refused, and nothing outside the object is touched. */
TEST(damaged_objects_are_refused_or_link)
{
    enum { TRIES = 5000 };
    AUTO_BUF Buf whole;
    Program p;
    Linked *linked;
    Diag diag = {0};
    JitCode *code;
    Random r = {31337};
    buf_init(&whole, OBJECT_BYTES);
    by_kept(&p, NULL, JIT_QUICK, &whole);
    Program again;
    front(&again, press_text);
    CHECK_OK(link_program(again.ir, again.tables, &linked, &diag));
    uint32_t refused = 0;
    for (int i = 0; i < TRIES; i++) {
        size_t len = i % 8 ? whole.len : next(&r, whole.len);
        char *part = mem_alloc(len); /* its end is the end of what may be read */
        memcpy(part, whole.ptr, len);
        for (uint64_t k = next(&r, 4); len && k-- > 0;) {
            /* the head, and the tables at the end, say where things are */
            size_t at = next(&r, 3) ? next(&r, len) : next(&r, len < 64 ? len : 64);
            part[at] = (char)(next(&r, 2) ? next(&r, 256) : (uint64_t)part[at] ^ 1u << next(&r, 8));
        }
        if (jit_object_link(str_slice(part, len), linked, NULL, &code, &diag))
            refused++;
        else
            jit_object_free(code);
        mem_free(part);
    }
    CHECK(refused > TRIES / 8);
    CHECK_INT(jit_object_link(STR(""), linked, NULL, &code, &diag), ST_CORRUPT);
    CHECK_INT(jit_object_link(STR("\177ELF"), linked, NULL, &code, &diag), ST_CORRUPT);
    arena_free(again.arena);
    arena_free(again.tables);
    done(&p);
}

/* ---- threads, refusals ---- */

static void *swap_in_thread(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 12; i++) {
        Side s = {0};
        Random r = {7777};
        char one[700 + RT_PAD_BYTES] = {0};
        by_jit(&s.program, NULL, i % 2 ? JIT_FULL : JIT_QUICK);
        open_side(&s);
        for (int k = 0; k < 50; k++) {
            size_t n = record(&r, one, 600);
            one[n] = 0;
            feed(&s, one, n);
        }
        CHECK_INT(flow_counters(s.in[1])->in, 50);
        close_side(&s);
    }
    return NULL;
}

TEST(several_threads_compile_at_once)
{
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, swap_in_thread, NULL) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* What the back end cannot do is said, and nothing is kept. */
TEST(what_it_cannot_do_is_refused)
{
    Program p;
    Diag diag = {0};
    front(&p, press_text);
    p.ir->pipelines[1].sinks[0].format = FORMAT_TEXT; /* its first field is a time */
    AUTO_BUF Buf object;
    buf_init(&object, OBJECT_BYTES);
    CHECK_INT(jit(&p, NULL, JIT_FULL, &object, &diag), ST_UNSUPPORTED);
    CHECK(str_find(str_from(diag.text), STR("whose first field is text")) > 0);
    done(&p);
}
