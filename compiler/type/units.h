/* compiler/type/units.h: units of measure as exact rational factors of the SI base units.
 *
 * Factors are kept as whole numerator and denominator (and a power of pi) until two units meet, so
 * that a conversion is the double nearest to the true factor: degC to degF is exactly 1.8 and 32.
 * A scale with an offset (degC, degF) is affine: value in K = x * scale + offset. In products and
 * quotients such a unit means the difference (kJ/degC); a value of that unit does not multiply.
 * Table: units.def. Sources of the factors: SI brochure, NIST SP 811. */
#ifndef TUTTI_COMPILER_TYPE_UNITS_H
#define TUTTI_COMPILER_TYPE_UNITS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

enum { UNIT_DIMS = 8, UNIT_FACTORS_MAX = 8, UNIT_POWER_MAX = 9 };

/* num / den, reduced, both positive where they are scales; `inexact`: left 63 bits, value in
 * `approx` alone. */
typedef struct Ratio {
    int64_t num, den;
    bool inexact;
    double approx;
} Ratio;

typedef struct UnitFactor {
    Str name;
    int32_t power;
} UnitFactor;

typedef struct Unit {
    Str text; /* "kW/bar": as written, or put together */
    int32_t dims[UNIT_DIMS];
    Ratio scale, offset; /* offset.num == 0: not affine */
    bool step;           /* of the difference of two values of an affine scale */
    int32_t pi;
    UnitFactor factors[UNIT_FACTORS_MAX];
    uint32_t factor_count;
} Unit;

/* A unit by its name, with an SI prefix (kW) or a power (m3) where it has them. */
bool unit_find(Str name, Unit *ret_unit);
/* The nearest known name within edit distance 2, or empty. */
Str unit_suggest(Str name, const Unit *like);

/* Same dimension; and same dimension, scale and offset. NULL means a plain number. */
bool unit_convertible(const Unit *a, const Unit *b);
bool unit_same(const Unit *a, const Unit *b);
bool unit_affine(const Unit *unit);
/* a * b^power into *ret_unit, without offsets; its text lives in the arena. ST_LIMIT: too many
 * factors, or the power passes UNIT_POWER_MAX. */
MUST Status unit_multiply(Arena *arena, const Unit *a, const Unit *b, int32_t power,
                          Unit *ret_unit);
/* The unit of a difference of two values of an affine scale: degC without its offset, so that it
 * multiplies like K; its text stays "degC". It converts to degF as a difference again. */
Unit unit_difference(const Unit *unit);
/* x [from] == x * factor + offset [to]. Units must be convertible. */
void unit_conversion(const Unit *from, const Unit *to, double *ret_factor, double *ret_offset);
/* Dimension in words for messages: "pressure", "temperature", or "kg m^-1 s^-2". */
Str unit_dimension(Arena *arena, const Unit *unit);
/* Declared names: value * base (base NULL: plain number). */
Unit unit_declare(Str name, double value, const Unit *base);

#endif
