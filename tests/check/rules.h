/* tests/check/rules.h: what the parts of the house checker share.
 *
 * The checker reads the files git knows, one at a time, line by line. A rule reports with
 * check_report; a line that carries `check-allow: RULE reason` excuses that rule on this line and
 * the next, and an excuse nobody needed is itself reported. */
#ifndef TUTTI_TESTS_CHECK_RULES_H
#define TUTTI_TESTS_CHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_MAX_CHARS = 100, FUNCTION_MAX_LINES = 80, FILE_MAX_LINES = 1000 };

typedef struct CheckFile {
    const char *path; /* relative to the top of the tree */
    char *text;       /* NUL-terminated */
    size_t bytes;
    const char **lines; /* each NUL-terminated, without the line end */
    int line_count;
    bool is_c, is_header, is_test;
} CheckFile;

typedef void CheckReportFn(const char *path, int line, const char *rule, const char *text);
extern CheckReportFn *check_report;

void check_lines(const CheckFile *file);  /* length, white space, left-over marks, machine paths */
void check_head(const CheckFile *file);   /* the comment a file begins with */
void check_calls(const CheckFile *file);  /* banned functions, with what to call instead */
void check_layers(const CheckFile *file); /* who may include whom */
void check_functions(const CheckFile *file); /* a function fits a screen */

#endif
