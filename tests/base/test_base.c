/* tests/base/test_base.c: strings, arenas, buffers, the map and the status table. */
#include "test.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>

TEST(str_order_is_by_bytes_then_length)
{
    CHECK(str_cmp(STR("a"), STR("b")) < 0);
    CHECK(str_cmp(STR("ab"), STR("a")) > 0);
    CHECK(str_cmp(STR("\xc3\xa4"), STR("z")) > 0); /* bytes, not letters: ä after z */
    CHECK_INT(str_cmp(STR("x"), STR("x")), 0);
}

/* Cases of the Unicode standard, section 3.9, table 3-7 and its examples. */
TEST(str_utf8_follows_table_3_7)
{
    CHECK(str_utf8_valid(STR("plain ascii, longer than a word")));
    CHECK(str_utf8_valid(STR("\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    CHECK(!str_utf8_valid(STR("\xc0\xaf")));         /* overlong */
    CHECK(!str_utf8_valid(STR("\xe0\x9f\x80")));     /* overlong */
    CHECK(!str_utf8_valid(STR("\xed\xa0\x80")));     /* surrogate */
    CHECK(!str_utf8_valid(STR("\xf4\x90\x80\x80"))); /* above 10FFFF */
    CHECK(!str_utf8_valid(STR("abcdefgh\xe2\x82"))); /* cut off */
    CHECK(!str_utf8_valid(STR("\x80")));
}

TEST(str_to_i64_takes_the_whole_range_and_nothing_else)
{
    int64_t value = 5;
    CHECK(str_to_i64(STR("-9223372036854775808"), &value));
    CHECK(value == INT64_MIN);
    CHECK(str_to_i64(STR("9223372036854775807"), &value));
    CHECK(value == INT64_MAX);
    CHECK(!str_to_i64(STR("9223372036854775808"), &value));
    CHECK(!str_to_i64(STR(""), &value));
    CHECK(!str_to_i64(STR("-"), &value));
    CHECK(!str_to_i64(STR("1x"), &value));
    CHECK(value == INT64_MAX);
}

static void count_up(void *ctx)
{
    ++*(int *)ctx;
}

TEST(arena_runs_cleanups_and_keeps_its_maximum)
{
    int cleaned = 0;
    Arena *arena = arena_new(64, 1024);
    CHECK(arena);
    CHECK_OK(arena_cleanup(arena, count_up, &cleaned));
    CHECK(arena_alloc(arena, 600));
    CHECK(!arena_alloc(arena, 600));
    CHECK(!arena_array(arena, SIZE_MAX / 2, 3));
    arena_reset(arena);
    CHECK_INT(cleaned, 1);
    unsigned char *zeroed = arena_alloc(arena, 500);
    for (int i = 0; i < 500; i++) CHECK_INT(zeroed[i], 0);
    arena_free(arena);
}

TEST(buf_stops_at_its_maximum_and_says_so)
{
    Buf buf;
    buf_init(&buf, 8);
    buf_text(&buf, "12345");
    buf_text(&buf, "6789");
    CHECK_INT(buf_status(&buf), ST_LIMIT);
    CHECK_STR(buf_view(&buf), "12345");
    buf_clear(&buf);
    buf_i64(&buf, INT64_MIN / 1000000000000);
    CHECK_INT(buf_status(&buf), ST_OK);
    CHECK_STR(buf_view(&buf), "-9223372");
    buf_done(&buf);
}

TEST(buf_survives_an_empty_heap)
{
    Buf buf;
    buf_init(&buf, 100);
    mem_fail_at(1);
    buf_text(&buf, "x");
    CHECK_INT(buf_status(&buf), ST_NO_MEMORY);
    buf_done(&buf);
}

TEST(map_finds_what_was_put_through_growth_and_removal)
{
    enum { COUNT = 1000 };
    static char names[COUNT][12];
    Map map;
    map_init(&map, COUNT);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "k%d", i);
        CHECK_OK(map_put(&map, str_from(names[i]), names[i]));
    }
    CHECK_INT(map_put(&map, STR("one more"), names[0]), ST_LIMIT);
    for (int i = 0; i < COUNT; i += 2) CHECK(map_remove(&map, str_from(names[i])) == names[i]);
    for (int i = 0; i < COUNT; i++)
        CHECK(map_get(&map, str_from(names[i])) == (i % 2 ? names[i] : NULL));
    size_t seen = 0;
    for (size_t at = 0; map_next(&map, &at);) seen++;
    CHECK_INT(seen, COUNT / 2);
    map_done(&map);
}

TEST(diag_wrap_puts_the_context_first)
{
    Diag diag = {0};
    CHECK_INT(diag_set(&diag, ST_NOT_FOUND, "no %s", "file"), ST_NOT_FOUND);
    CHECK_INT(diag_wrap(&diag, ST_NOT_FOUND, "recipe %d", 7), ST_NOT_FOUND);
    CHECK_TEXT(diag.text, "recipe 7: no file");
    CHECK_INT(diag_set(NULL, ST_IO, "ignored"), ST_IO);
}
