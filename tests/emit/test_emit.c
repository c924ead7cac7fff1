/* tests/emit/test_emit.c: the back end without the front end: the press pipeline as hand-built IR
 * becomes C, is compiled, loaded and fed. Expectations: rows computed by hand, and the same rows
 * whatever way the input is cut, framed, spaced, damaged, or interrupted by a saved state. */
#include "base/mem.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "flow/instance.h"
#include "press_ir.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Types and aggregates are numbers in the tables: both sides must count alike. */
_Static_assert((int)RT_RECORD == (int)IR_RECORD && (int)RT_TIME == (int)IR_TIME, "types");
_Static_assert((int)RT_AGG_QUANTILE == (int)AGG_QUANTILE, "aggregates");
_Static_assert((int)RT_CHECK_LAZY == (int)CHECK_LAZY && (int)RT_CHECK_STRICT == (int)CHECK_STRICT,
               "checks");

static FlowProgram *press;

static FlowProgram *program(void)
{
    if (press) return press;
    Diag diag = {0};
    AUTO_BUF Buf text, path;
    char folder[] = "emit-test-XXXXXX";
    Str sample = STR("{\"ts\":\"2026-11-23T10:00:00.446Z\",\"machine\":\"press-23\",\"line\":\"D\","
                     "\"temp\":126.74,"
                     "\"pressure\":9.36,\"rpm\":2987,\"state\":\"RUN\",\"q\":192,\"seq\":0}\n");
    buf_init(&text, EMIT_BYTES_MAX);
    buf_init(&path, 4096);
    CHECK(mkdtemp(folder));
    CHECK_OK(emit_c(&press_program, &sample, &text, &diag));
    bool cached = true;
    char full[4096];
    CHECK(realpath(folder, full));
    Status st =
        cc_shared_object(&(EmitUnits){.main = buf_view(&text)}, full, &path, &cached, &diag);
    if (st) printf("%s\n", diag.text);
    CHECK_OK(st);
    CHECK(!cached);
    buf_clear(&path);
    CHECK_OK(cc_shared_object(&(EmitUnits){.main = buf_view(&text)}, full, &path, &cached, &diag));
    CHECK(cached);
    CHECK_OK(flow_program_load(path.ptr, &press, &diag));
    CHECK(unlink(path.ptr) == 0); /* the object stays mapped */
    memcpy(path.ptr + path.len - 2, "c", 2);
    CHECK(unlink(path.ptr) == 0);
    CHECK(rmdir(full) == 0);
    return press;
}

static FlowInstance *instance(void)
{
    FlowInstance *made;
    Diag diag;
    CHECK_OK(flow_instance_new(program(), 0, NULL, NULL, &made, &diag));
    return made;
}

static uint64_t seed = 88172645463325252ull;
static uint64_t next(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % n;
}

/* `front` stands before each record; a space there keeps the learnt layout from fitting. */
static size_t record(char *out, size_t room, const char *front)
{
    static const char *const states[] = {"RUN", "RUN", "RUN", "IDLE", "FAULT"};
    static uint64_t ms;
    ms += next(20);
    uint64_t at = ms > 900 ? ms - next(900) : ms;
    return (size_t)snprintf(out, room,
                            "%s{\"ts\":\"2026-11-23T10:%02u:%02u.%03uZ\",\"machine\":\"press-%"
                            "02u\",\"line\":\"%c\",\"temp\":%.2f,"
                            "\"pressure\":%.2f,\"rpm\":%u,\"state\":\"%s\",\"q\":192,\"seq\":%u}\n",
                            front, (unsigned)(at / 60000 % 60), (unsigned)(at / 1000 % 60),
                            (unsigned)(at % 1000), (unsigned)next(12), 'A' + (char)next(4),
                            (double)next(20000) / 100 - 45.0, (double)next(1000) / 100,
                            (unsigned)next(5000), states[next(5)], (unsigned)next(100000));
}

static char *lines(uint32_t count, size_t *ret_len)
{
    char *text = mem_alloc((size_t)count * 200 + RT_PAD_BYTES);
    *ret_len = 0;
    for (uint32_t i = 0; i < count; i++) *ret_len += record(text + *ret_len, 200, "");
    memset(text + *ret_len, 0, RT_PAD_BYTES);
    return text;
}

static void feed(FlowInstance *to, const char *p, size_t n)
{
    RtBatch batch = {.bytes = p, .len = n, .received_ns = 1000};
    flow_feed(to, &batch);
}

static void check_law(const FlowInstance *in)
{
    const RtCounters *n = flow_counters(in);
    CHECK_INT(n->in, n->emitted + n->state + n->filtered + n->late + n->errors);
    CHECK_INT(n->rows,
              n->row_emitted + n->row_state + n->row_filtered + n->row_late + n->row_errors);
}

static Str rows(const FlowInstance *in)
{
    const RtOut *out = flow_out(in, 0);
    return str_slice(out->bytes ? out->bytes : "", out->len);
}

TEST(one_window_by_hand)
{
    static const char text[] =
        "{\"ts\":\"2026-11-23T10:00:01.000Z\",\"machine\":\"press-07\",\"line\":\"A\",\"temp\":71."
        "25,\"pressure\":3.41,\"rpm\":1480,\"state\":\"RUN\",\"q\":1,\"seq\":0}\n"
        "{\"ts\":\"2026-11-23T10:00:02.000Z\",\"machine\":\"press-07\",\"line\":\"A\",\"temp\":71."
        "25,\"pressure\":3.41,\"rpm\":0,\"state\":\"IDLE\",\"q\":1,\"seq\":0}\n"
        "{\"ts\":12}\n\n"
        "{\"ts\":\"2026-11-23T10:00:12.000Z\",\"machine\":\"a\",\"line\":\"A\",\"temp\":0,"
        "\"pressure\":1,\"rpm\":1,\"state\":\"RUN\",\"q\":1,\"seq\":0}\n";
    char padded[sizeof text + RT_PAD_BYTES] = {0};
    memcpy(padded, text, sizeof text);
    FlowInstance *in = instance();
    feed(in, padded, sizeof text - 1);
    /* 71.25 * 1.8 + 32 = 160.25; its bucket is [160, 162) and its middle 161 */
    CHECK_STR(
        rows(in),
        "{\"machine\":\"press-07\",\"start\":\"2026-11-23T10:00:00Z\",\"end\":\"2026-11-23T10:00:"
        "10Z\",\"n\":1,"
        "\"avg\":160.25,\"lo\":160.25,\"hi\":160.25,\"p95\":161,\"power\":84.28156}\n");
    const RtCounters *n = flow_counters(in);
    CHECK_INT(n->in, 4);
    CHECK_INT(n->state, 2);
    CHECK_INT(n->filtered, 1);
    CHECK_INT(n->errors, 1);
    check_law(in);
    const RtOut *dead = flow_dead(in);
    CHECK_INT(dead->row_count, 1);
    CHECK(str_find(str_slice(dead->bytes, dead->len),
                   STR("{\"reason\":\"bad_time\",\"field\":\"ts\"")) == 0);
    CHECK(str_find(str_slice(dead->bytes, dead->len), STR("\"raw\":\"{\\\"ts\\\":12}\"}\n")) > 0);
    flow_instance_free(in);
}

TEST(cuts_framing_and_restarts_change_nothing)
{
    size_t len;
    char *text = lines(4000, &len);
    FlowInstance *whole = instance(), *cut = instance(), *framed = instance(), *saved = instance();
    feed(whole, text, len);
    size_t start = 0;
    AUTO_BUF Buf bytes, out;
    buf_init(&bytes, 64 << 20);
    buf_init(&out, 64 << 20);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n') continue;
        char one[256 + RT_PAD_BYTES] = {0};
        memcpy(one, text + start, i - start);
        RtRecord rec = {
            .ptr = one, .len = (uint32_t)(i - start), .topic = "", .key = "", .received_ns = 1000};
        RtBatch batch = {.count = 1, .records = &rec, .received_ns = 1000};
        flow_feed(framed, &batch);
        feed(cut, text + start, i + 1 - start);
        feed(saved, text + start, i + 1 - start);
        if (next(40) == 0) { /* stop, and go on with what was saved */
            Diag diag;
            buf_str(&out, rows(saved));
            buf_clear(&bytes);
            CHECK_OK(flow_save(saved, &bytes, &diag));
            flow_instance_free(saved);
            saved = instance();
            uint32_t dropped = 9;
            CHECK_OK(flow_load(saved, buf_view(&bytes), &dropped, &diag));
            CHECK_INT(dropped, 0);
        }
        start = i + 1;
    }
    flow_finish(whole);
    flow_finish(cut);
    flow_finish(framed);
    flow_finish(saved);
    buf_str(&out, rows(saved));
    CHECK(flow_out(whole, 0)->row_count > 10);
    CHECK(str_eq(rows(whole), rows(cut)));
    CHECK(str_eq(rows(whole), rows(framed)));
    CHECK(str_eq(rows(whole), buf_view(&out)));
    CHECK(flow_counters(whole)->learnt == flow_counters(whole)->in);
    check_law(whole);
    flow_instance_free(whole);
    flow_instance_free(cut);
    flow_instance_free(framed);
    flow_instance_free(saved);
    mem_free(text);
}

/* A damaged state is refused, never a crash. */
TEST(damaged_states)
{
    size_t len;
    char *text = lines(300, &len);
    FlowInstance *from = instance();
    AUTO_BUF Buf bytes;
    Diag diag;
    buf_init(&bytes, 1 << 20);
    feed(from, text, len);
    CHECK_OK(flow_save(from, &bytes, &diag));
    for (int i = 0; i < 2000; i++) {
        FlowInstance *to = instance();
        size_t cut = i % 2 ? next(bytes.len) : bytes.len;
        char *copy = mem_alloc(bytes.len);
        memcpy(copy, bytes.ptr, bytes.len);
        copy[next(bytes.len)] ^= (char)(1 + next(255));
        Status st = flow_load(to, str_slice(copy, cut), NULL, &diag);
        if (!st) flow_finish(to);
        mem_free(copy);
        flow_instance_free(to);
    }
    flow_instance_free(from);
    mem_free(text);
}

/* The learnt layout may only accept what any order accepts, with the same values: 100,000 records
 * with a damaged byte or two, once as they are, once behind a space, which the layout does not
 * have. */
TEST(learnt_layout_and_any_order_agree_on_damaged_records)
{
    static const char odd[] = "\"\\{}[]:,0123456789.eE+-tfn \t\r\x01\x7f\xc3\xa9\xffuABZ";
    FlowInstance *learnt = instance(), *any = instance();
    char one[400], spaced[400];
    for (int i = 0; i < 100000; i++) {
        memset(one, 0, sizeof one);
        size_t n = record(one, 300, "") - 1;
        for (uint64_t k = next(3); k < 2; k++) {
            size_t at = next(n);
            uint64_t how = next(3);
            if (how == 0)
                one[at] = odd[next(sizeof odd - 1)];
            else if (how == 1)
                memmove(one + at, one + at + 1, n-- - at);
            else if (n < 250) {
                memmove(one + at + 1, one + at, n++ - at);
                one[at] = odd[next(sizeof odd - 1)];
            }
        }
        one[n] = 0;
        memset(spaced, 0, sizeof spaced);
        spaced[0] = ' ';
        memcpy(spaced + 1, one, n);
        RtRecord a = {.ptr = one, .len = (uint32_t)n, .topic = "", .key = "", .received_ns = 1},
                 b = {.ptr = spaced,
                      .len = (uint32_t)n + 1,
                      .topic = "",
                      .key = "",
                      .received_ns = 1};
        RtBatch batch = {.count = 1, .records = &a, .received_ns = 1};
        flow_feed(learnt, &batch);
        batch.records = &b;
        flow_feed(any, &batch);
        const RtCounters *x = flow_counters(learnt), *y = flow_counters(any);
        if (x->errors != y->errors || x->state != y->state || x->filtered != y->filtered ||
            x->late != y->late)
            printf("they differ on %s\n", one);
        CHECK_INT(x->errors, y->errors);
        CHECK_INT(x->state, y->state);
        CHECK_INT(x->filtered, y->filtered);
        CHECK_INT(x->late, y->late);
    }
    flow_finish(learnt);
    flow_finish(any);
    CHECK(flow_counters(learnt)->learnt > 10000);
    CHECK_INT(flow_counters(any)->learnt, 0);
    CHECK(str_eq(rows(learnt), rows(any)));
    check_law(learnt);
    flow_instance_free(learnt);
    flow_instance_free(any);
}

TEST(steady_state_allocates_nothing)
{
    size_t len;
    char *text = lines(2000, &len);
    FlowInstance *in = instance();
    for (int i = 0; i < 300; i++) { /* all late or in the last windows: the same keys */
        feed(in, text, len);
        flow_out_clear(in, 0);
    }
    uint64_t before = mem_calls(); /* quantiles have been counted, so their lists are full size */
    for (int i = 0; i < 20; i++) {
        feed(in, text, len);
        flow_out_clear(in, 0);
    }
    CHECK_INT(mem_calls() - before, 0);
    flow_instance_free(in);
    mem_free(text);
}

TEST(a_watched_wire_keeps_the_last_row)
{
    size_t len;
    char *text = lines(2000, &len);
    FlowInstance *in = instance();
    uint64_t count;
    feed(in, text, len);
    CHECK_INT(flow_tap(in, 4, &count).len, 0);
    flow_watch(in, 4, true);
    flow_finish(in);
    Str tap = flow_tap(in, 4, &count), all = rows(in);
    CHECK(count > 0);
    CHECK(str_ends(str_trim(all), tap)); /* the tap holds what the sink got last */
    flow_watch(in, 4, false);
    CHECK_INT(flow_wire_count(in, 4), flow_counters(in)->rows);
    flow_instance_free(in);
    mem_free(text);
}
