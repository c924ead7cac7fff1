/* runtime/base/pattern.h: regular expressions in linear time, compiled into a table.
 *
 * pattern_compile makes an automaton of a pattern once; pattern_matches walks a text over it, one
 * step a byte, without memory and without going back. What would need too large a table is refused.
 * The syntax is RE2's without back references, look-around, \b and \p:
 *   abc  .  [a-z^-]  [^0-9]  \d \w \s \D \W \S  ^ $  (...)  (?:...)  a|b  a* a+ a? a{2} a{2,}
 * a{2,5} \n \t \r \f \v \x41 \x{20AC}  and \ in front of any sign that is no letter or digit;
 *   (?i) in front of all: small and capital ASCII letters are the same.
 * Texts are UTF-8; `.` and classes take one character; `.` takes no \n; ^ and $ are the text's
 * ends. */
#ifndef TUTTI_BASE_PATTERN_H
#define TUTTI_BASE_PATTERN_H

#include "base/buf.h"
#include "base/str.h"

enum {
    PATTERN_TEXT_MAX = 1000,   /* bytes of a pattern */
    PATTERN_REPEAT_MAX = 1000, /* a{1000} */
    PATTERN_STATES_MAX = 1000, /* of the automaton */
    PATTERN_CELLS_MAX = 32768  /* states x classes of bytes */
};

/* Appends the automaton to `out`. ST_INVALID (*ret_at: byte of the pattern that is wrong),
 * ST_LIMIT: it needs too large a table. */
MUST Status pattern_compile(Str text, Buf *out, size_t *ret_at, Diag *diag);
/* Whether the pattern is found anywhere in the text. `automaton`: what pattern_compile made. */
bool pattern_matches(const char *automaton, const char *p, size_t n);

#endif
