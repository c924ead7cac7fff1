/* tests/test.h: the one test macro, over cmocka.
 *
 *   TEST(name) { CHECK_INT(1 + 1, 2); }
 *
 * registers itself; test_main.c runs what is registered and closes with `N passed, N failed`. A
 * failed check ends its test and goes on with the next. A file named on the command line, or a part
 * of a test's name, selects tests. Never sleep in a test: wait for the event with a deadline. */
#ifndef TUTTI_TESTS_TEST_H
#define TUTTI_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

void test_register(const char *name, void (*fn)(void **state));

#define TEST(name)                                                                                 \
    static void test_##name(void **state);                                                         \
    __attribute__((constructor)) static void test_register_##name(void)                            \
    {                                                                                              \
        test_register(#name, test_##name);                                                         \
    }                                                                                              \
    static void test_##name(void **state __attribute__((unused)))

#define CHECK(cond)           assert_true(cond)
#define CHECK_INT(got, want)  assert_int_equal((got), (want))
#define CHECK_OK(status)      assert_int_equal((status), ST_OK)
#define CHECK_TEXT(got, want) assert_string_equal((got), (want))
#define CHECK_STR(got, want)  test_check_str((got), (want), __FILE__, __LINE__)

/* Compares a Str with a C string and shows both when they differ. */
void test_check_str(Str got, const char *want, const char *file, int line);

#endif
