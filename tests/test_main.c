/* tests/test_main.c: runs the tests that registered themselves in this executable.
 *
 * cmocka runs each test on its own and reports; the last line is ours, so that the runner of all
 * suites can add up. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TESTS_MAX = 2000 };
static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

void test_register(const char *name, void (*fn)(void **state))
{
    if (test_count == TESTS_MAX) abort();
    tests[test_count++] = (struct CMUnitTest){.name = name, .test_func = fn};
}

void test_check_str(Str got, const char *want, const char *file, int line)
{
    if (str_is(got, want)) return;
    print_error("got  \"%.*s\"\nwant \"%s\"\n", STR_ARG(got), want);
    _fail(file, line);
}

int main(int argc, char **argv)
{
    size_t chosen = 0;
    for (size_t i = 0; i < test_count; i++)
        if (argc < 2 || strstr(tests[i].name, argv[1])) tests[chosen++] = tests[i];
    int failed = _cmocka_run_group_tests(argv[0], tests, chosen, NULL, NULL);
    if (failed < 0) failed = (int)chosen;
    printf("%zu passed, %d failed\n", chosen - (size_t)failed, failed);
    return failed != 0;
}
