/* tests/flow/test_fit.c: texts against types without a pipeline. What fits is by RFC 8259 and the
 * language's rules about types, section 6 of docs/language.md. */
#include "test.h"

#include "base/mem.h"
#include "flow/fit.h"

#include <stdlib.h>
#include <string.h>

static uint64_t word(const char *name)
{
    uint64_t w = 0;
    size_t n = strlen(name);
    memcpy(&w, name, n < 8 ? n : 8);
    return w;
}

static bool fits(FlowFit *fit, const char *text, const char *reason, const char *path)
{
    /* At the end of a block of its own, so that a byte too far is seen. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    FlowUnfit unfit = {"", "", ""};
    CHECK(copy);
    memcpy(copy, text, len);
    bool fine = flow_fit(fit, (Str){copy, len}, &unfit);
    free(copy);
    CHECK_TEXT(unfit.reason, reason);
    CHECK_TEXT(unfit.path, path);
    return fine;
}

TEST(records_with_lists_and_their_places)
{
    RtField item = {.name = "x",
                    .word = word("x"),
                    .name_len = 1,
                    .type = RT_I32,
                    .flags = RT_NEEDED,
                    .path = "x"};
    RtSchema items = {"", &item, 1, 1};
    RtField fields[] = {{.name = "temp",
                         .word = word("temp"),
                         .name_len = 4,
                         .type = RT_F64,
                         .flags = RT_NEEDED | RT_RANGED,
                         .lo = -60,
                         .hi = 400,
                         .path = "temp"},
                        {.name = "lines",
                         .word = word("lines"),
                         .name_len = 5,
                         .type = RT_LIST,
                         .leaf = 1,
                         .flags = RT_NEEDED | RT_OPTIONAL,
                         .bytes_max = 3,
                         .child = &items,
                         .path = "lines"}};
    RtSchema record = {"", fields, 2, 2};
    RtField root = {.type = RT_RECORD, .flags = RT_NEEDED, .child = &record};
    FlowFit *open, *closed;
    CHECK_OK(flow_fit_new(&root, false, &open));
    CHECK_OK(flow_fit_new(&root, true, &closed));
    uint64_t calls = 0;
    for (int round = 0; round < 3; round++) {
        if (round == 1) calls = mem_calls();
        CHECK(fits(open, "{\"temp\":71.25}", "", ""));
        CHECK(fits(open, " {\"lines\":[{\"x\":1}],\"temp\":1e2,\"more\":{}} ", "", ""));
        CHECK(!fits(open, "{\"temp\":401}", "range", "temp"));
        CHECK(!fits(open, "{\"temp\":\"hot\"}", "bad_number", "temp"));
        CHECK(!fits(open, "{\"lines\":[]}", "missing_field", "temp"));
        CHECK(!fits(open, "{\"temp\":1,\"lines\":[{\"x\":1},{\"x\":1.5}]}", "bad_number",
                    "lines[1].x"));
        CHECK(!fits(open, "{\"temp\":1,\"lines\":[{\"x\":1},{\"x\":1},{\"x\":1},{\"x\":1}]}",
                    "too_long", "lines"));
        CHECK(!fits(open, "{\"temp\":1", "bad_json", ""));
        CHECK(!fits(open, "{\"temp\":1}{", "bad_json", ""));
        CHECK(!fits(open, "", "bad_json", ""));
        CHECK(!fits(open, "7", "bad_json", ""));
        CHECK(!fits(closed, "{\"temp\":1,\"more\":2}", "unknown_key", ""));
        CHECK(fits(closed, "{\"temp\":1}", "", ""));
    }
    CHECK_INT((int)(mem_calls() - calls), 0); /* all memory is there after the first round */
    flow_fit_free(open);
    flow_fit_free(closed);
}

TEST(a_single_value_is_one_value_and_nothing_more)
{
    RtField root = {.type = RT_F64, .flags = RT_NEEDED | RT_RANGED, .hi = 5};
    FlowFit *fit;
    CHECK_OK(flow_fit_new(&root, false, &fit));
    CHECK(fits(fit, "3", "", ""));
    CHECK(fits(fit, " 4.5 \n", "", ""));
    CHECK(!fits(fit, "6", "range", ""));
    CHECK(!fits(fit, "\"3\"", "bad_number", ""));
    CHECK(!fits(fit, "3,\"value\":4", "bad_json", ""));
    CHECK(!fits(fit, "3}", "bad_json", ""));
    CHECK(!fits(fit, "null", "missing_field", ""));
    CHECK(!fits(fit, "", "bad_json", ""));
    flow_fit_free(fit);
    flow_fit_free(NULL);
}

TEST(a_reason_that_was_kept_has_its_words_again)
{
    FlowUnfit found = flow_unfit_of(STR("unknown_key"));
    CHECK_STR(str_from(found.reason), "unknown_key");
    CHECK(strlen(found.message) > 5);
    CHECK_STR(str_from(flow_unfit_of(STR("of_another_version")).reason), "unknown");
}
