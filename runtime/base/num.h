/* runtime/base/num.h: numbers to text and back, exactly.
 *
 * Printing gives the shortest digits that read back as the same value, laid out as ECMAScript's
 * Number::toString does (ECMA-262 section 6.1.6.1.20). Reading is correctly rounded. Neither looks
 * at the locale. */
#ifndef TUTTI_BASE_NUM_H
#define TUTTI_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_TEXT_BYTES = 32 }; /* room that any number needs */

/* All write to `out` without a NUL and return the end. Not finite: NaN, Infinity, -Infinity. */
char *num_put_f64(char *out, double value);
char *num_put_f32(char *out, float value); /* shortest that reads back as the same float */
char *num_put_i64(char *out, int64_t value);
char *num_put_u64(char *out, uint64_t value);

/* A number by the grammar of RFC 8259 section 6 at `p`; reads up to `end` only. Returns the end of
 * the number, or NULL when there is none. Too large becomes infinity, too small zero. */
const char *num_get_f64(const char *p, const char *end, double *ret_value);
/* digits * 10^exponent, correctly rounded; `more`: further non-zero digits follow. Returns false
 * when 64 bits of digits cannot decide (only with `more`). */
bool num_from_decimal(uint64_t digits, int64_t exponent, bool more, double *ret_value);

#endif
