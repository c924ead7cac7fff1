/* tests/state/test_state.c: saved states that were damaged, and states that are full. */
#include "tests/state/kinds.h"
#include "test.h"

enum { RECORDS = 60, KEYS = 5, STATE_MAX = 1 << 20 };

static void saved(const Kinds *kinds, uint32_t index, Buf *out)
{
    Diag diag = {0};
    FlowInstance *instance = kinds_new(kinds, index, NULL);
    buf_init(out, STATE_MAX);
    kinds_feed(instance, 0, RECORDS, KEYS);
    CHECK_OK(flow_save(instance, out, &diag));
    flow_instance_free(instance);
}

/* Whatever is taken must be fit to work with; what is refused says why. */
static Status take(const Kinds *kinds, uint32_t index, Str bytes)
{
    Diag diag = {0};
    AUTO_BUF Buf again;
    buf_init(&again, (size_t)64 << 20);
    FlowInstance *instance = kinds_new(kinds, index, NULL);
    char *exact = mem_alloc(bytes.len); /* so that a read past the end is seen */
    memcpy(exact, bytes.ptr, bytes.len);
    Status st = flow_load(instance, str_slice(exact, bytes.len), NULL, &diag);
    mem_free(exact);
    if (st) {
        CHECK(st == ST_CORRUPT || st == ST_LIMIT); /* a count that is too large */
        CHECK(diag.text[0]);
    } else {
        kinds_feed(instance, RECORDS, RECORDS + 8, KEYS);
        CHECK_OK(flow_save(instance, &again, &diag));
        flow_finish(instance);
    }
    flow_instance_free(instance);
    return st;
}

TEST(a_state_that_was_cut_is_refused)
{
    Kinds kinds;
    kinds_open(&kinds);
    for (uint32_t p = 0; p < kinds.table->pipeline_count; p++) {
        AUTO_BUF Buf kept;
        saved(&kinds, p, &kept);
        CHECK_OK(take(&kinds, p, buf_view(&kept)));
        for (size_t cut = 0; cut < kept.len; cut++)
            CHECK_INT(take(&kinds, p, str_slice(kept.ptr, cut)), ST_CORRUPT);
    }
    kinds_close(&kinds);
}

/* A changed byte of a number is another number (the engine's file has a hash for that); a changed
 * length, count, kind or text must not make anybody read or write where nothing is. */
TEST(a_changed_byte_is_refused_or_harmless)
{
    static const unsigned char flips[] = {0xff, 0x01, 0x80};
    Kinds kinds;
    kinds_open(&kinds);
    for (uint32_t p = 0; p < kinds.table->pipeline_count; p++) {
        AUTO_BUF Buf kept;
        uint32_t refused = 0;
        saved(&kinds, p, &kept);
        for (size_t at = 0; at < kept.len; at++) {
            unsigned char flip = flips[at % sizeof flips];
            kept.ptr[at] = (char)(kept.ptr[at] ^ flip);
            refused += take(&kinds, p, buf_view(&kept)) != ST_OK;
            kept.ptr[at] = (char)(kept.ptr[at] ^ flip);
        }
        CHECK(refused > 8); /* the word in front, lengths, counts */
    }
    kinds_close(&kinds);
}

/* One state into the others' pipelines: nothing fits but what has the same name and layout. */
TEST(a_state_of_another_pipeline_is_no_harm)
{
    Kinds kinds;
    kinds_open(&kinds);
    for (uint32_t p = 0; p < kinds.table->pipeline_count; p++) {
        AUTO_BUF Buf kept;
        saved(&kinds, p, &kept);
        for (uint32_t to = 0; to < kinds.table->pipeline_count; to++)
            (void)!take(&kinds, to, buf_view(&kept));
    }
    kinds_close(&kinds);
}

/* ---- full ---- */

typedef struct Full {
    uint64_t in, errors, rows, dead, held;
} Full;

static uint64_t count_in(const RtOut *rows, const char *text)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < rows->row_count; i++)
        count += str_find(str_slice(rows->bytes + rows->rows[i].start, rows->rows[i].len),
                          str_from(text)) >= 0;
    return count;
}

/* 400 keys into a state that has room for some: every record must be accounted for. */
static Full fill(const Kinds *kinds, uint32_t index, const FlowLimits *limits)
{
    Full full = {0};
    FlowInstance *instance = kinds_new(kinds, index, limits);
    kinds_feed(instance, 0, 400, 1000);
    const RtCounters *n = flow_counters(instance);
    CHECK_INT(n->in, n->emitted + n->state + n->filtered + n->late + n->errors);
    full.errors = n->errors;
    full.in = n->in;
    full.held = n->state;
    full.dead = flow_dead(instance)->row_count;
    CHECK_INT(count_in(flow_dead(instance), "\"reason\":\"state_full\""), full.dead);
    CHECK_INT(count_in(flow_dead(instance), "\"raw\":"), full.dead);
    flow_dead_clear(instance);
    flow_out_clear(instance, 0);
    flow_finish(instance);
    CHECK_INT(flow_counters(instance)->errors, full.errors); /* what was held is not lost */
    full.rows = flow_out(instance, 0)->row_count;
    flow_instance_free(instance);
    return full;
}

static uint32_t named(const Kinds *kinds, const char *name)
{
    int index = flow_program_find(kinds->program, str_from(name));
    CHECK(index >= 0);
    return (uint32_t)index;
}

TEST(no_room_for_another_key_is_state_full)
{
    static const char *const windows[] = {"tumble", "hop",    "session",
                                          "counts", "clocks", "updates"};
    FlowLimits limits = {.keys = 10};
    Kinds kinds;
    kinds_open(&kinds);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        Full full = fill(&kinds, named(&kinds, windows[i]), &limits);
        CHECK_INT(full.in, 400);
        CHECK_INT(full.errors, 390); /* the first ten keys have their window, the others none */
        CHECK_INT(full.dead, 390);
        CHECK(full.rows >= 10);
    }
    kinds_close(&kinds);
}

TEST(no_room_for_more_bytes_is_state_full)
{
    static const char *const kinds_full[] = {"tumble", "hop",     "session", "counts",
                                             "clocks", "updates", "delays"};
    FlowLimits limits = {.state_bytes = 32 << 10};
    Kinds kinds;
    kinds_open(&kinds);
    for (size_t i = 0; i < sizeof kinds_full / sizeof *kinds_full; i++) {
        Full full = fill(&kinds, named(&kinds, kinds_full[i]), &limits);
        CHECK_INT(full.in, 400);
        CHECK(full.errors > 0 && full.errors < 400);
        CHECK_INT(full.dead, full.errors);
        CHECK(full.rows > 0);
    }
    kinds_close(&kinds);
}

/* Memories and joins forget whom they have not seen for the longest time instead. */
TEST(memories_and_joins_forget_instead)
{
    static const char *const forgetting[] = {"joins", "deadbands"};
    FlowLimits limits = {.keys = 10};
    Kinds kinds;
    kinds_open(&kinds);
    for (size_t i = 0; i < sizeof forgetting / sizeof *forgetting; i++) {
        Full full = fill(&kinds, named(&kinds, forgetting[i]), &limits);
        CHECK_INT(full.in, 400);
        CHECK_INT(full.errors, 0);
    }
    kinds_close(&kinds);
}
