/* tests/base/test_pattern.c: patterns by hand; random ones against Node are
 * tests/suites/pattern.sh.
 */
#include "base/pattern.h"
#include "test.h"

#include <string.h>

static int found(const char *pattern, Str text)
{
    Buf table;
    size_t at;
    buf_init(&table, 1 << 20);
    Status st = pattern_compile(str_from(pattern), &table, &at, NULL);
    int answer = st ? -(int)st : pattern_matches(table.ptr, text.ptr, text.len);
    buf_done(&table);
    return answer;
}

TEST(patterns_find_what_they_say)
{
    static const struct {
        const char *pattern, *text;
        int want;
    } cases[] = {{"", "", 1},
                 {"", "x", 1},
                 {"abc", "xxabcxx", 1},
                 {"abc", "xxabxcx", 0},
                 {"^abc", "abcd", 1},
                 {"^abc", "xabc", 0},
                 {"abc$", "xabc", 1},
                 {"abc$", "abcx", 0},
                 {"^$", "", 1},
                 {"^$", "x", 0},
                 {"$^", "", 1},
                 {"$", "x", 1},
                 {"a|b", "xb", 1},
                 {"^(a|b)+$", "abba", 1},
                 {"^(a|b)+$", "abca", 0},
                 {"^(?:ab)*$", "abab", 1},
                 {"^(?:ab)*$", "aba", 0},
                 {"^[A-Z]{2}-[0-9]{3,5}$", "AB-123", 1},
                 {"^[A-Z]{2}-[0-9]{3,5}$", "AB-123456", 0},
                 {"^[A-Z]{2}-[0-9]{3,5}$", "A-123", 0},
                 {"^x{2,}$", "xxx", 1},
                 {"^x{2,}$", "x", 0},
                 {"^x{0}y$", "y", 1},
                 {"^a?b$", "b", 1},
                 {"^a??b$", "ab", 1},
                 {"^a.c$", "abc", 1},
                 {"^a.c$", "a\nc", 0},
                 {"^a.c$",
                  "a\xe2\x82\xac"
                  "c",
                  1},
                 {"^.{3}$", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 1},
                 {"^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", 1},
                 {"^[^\xc3\xa4]$", "\xc3\xa4", 0},
                 {"^[^a]$", "\xf0\x9f\x98\x80", 1},
                 {"^\\x{20AC}\\x41$",
                  "\xe2\x82\xac"
                  "A",
                  1},
                 {"^\\d+\\.\\d*$", "3.", 1},
                 {"^\\d+\\.\\d*$", "3x", 0},
                 {"^[\\w.-]+@\\w+$", "a.b-c@d_1", 1},
                 {"^\\D\\W\\S$", "a-b", 1},
                 {"^\\D\\W\\S$", "1-b", 0},
                 {"\\s", "a\tb", 1},
                 {"^[]a]+$", "]a", 1},
                 {"^[a-]+$", "a-", 1},
                 {"^[\\]\\\\]+$", "]\\", 1},
                 {"(?i)^press-[a-c]$", "PrEsS-B", 1},
                 {"(?i)[^a]", "A", 0},
                 {"^a{,3}$", "a{,3}", 1},
                 {"a{", "a{", 1},
                 {"x*y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxz", 0},
                 {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
                 {"(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0},
                 {"^(^a|b$)$", "b", 1},
                 {"a^b", "ab", 0},
                 {"a$b", "ab", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int got = found(cases[i].pattern, str_from(cases[i].text));
        if (got != cases[i].want) fail_msg("%s in %s: %d", cases[i].pattern, cases[i].text, got);
    }
}

TEST(what_is_wrong_is_said_with_its_place)
{
    static const struct {
        const char *pattern;
        size_t at;
    } cases[] = {{"(ab", 0},   {"ab)", 2},         {"[ab", 0},  {"*a", 0},     {"a|*", 2},
                 {"\\q", 0},   {"a\\", 1},         {"\\bx", 0}, {"[b-a]", 2},  {"a{3,2}", 1},
                 {"(?=a)", 0}, {"[[:alpha:]]", 1}, {"\\x4", 0}, {"a{1001}", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Buf table;
        size_t at = 99;
        Diag diag = {0};
        buf_init(&table, 1 << 20);
        Status st = pattern_compile(str_from(cases[i].pattern), &table, &at, &diag);
        if (st != ST_INVALID || at != cases[i].at)
            fail_msg("%s: %s at %zu: %s", cases[i].pattern, status_name(st), at, diag.text);
        buf_done(&table);
    }
}

TEST(tables_are_bounded)
{
    CHECK_INT(found("(a|b)*a(a|b){14}", STR("a")), -(int)ST_LIMIT);
    CHECK_INT(found("((a{100}){100}){100}", STR("a")), -(int)ST_LIMIT);
    CHECK_INT(found("^\\w{1,100}$", STR("abc")), 1);
    char nested[200] = {0};
    memset(nested, '(', 99);
    memset(nested + 99, ')', 99);
    CHECK_INT(found(nested, STR("")), -(int)ST_INVALID);
}
