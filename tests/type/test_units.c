/* tests/type/test_units.c: factors against NIST SP 811 (2008), appendix B.8, and the SI brochure.
 */
#include "compiler/type/units.h"
#include "test.h"

#include <math.h>

static void convert(const char *from, const char *to, double factor, double offset)
{
    Unit a, b;
    double got_factor, got_offset;
    CHECK(unit_find(str_from(from), &a));
    CHECK(unit_find(str_from(to), &b));
    CHECK(unit_convertible(&a, &b));
    unit_conversion(&a, &b, &got_factor, &got_offset);
    CHECK(got_factor == factor);
    CHECK(got_offset == offset);
}

static void nearly(const char *from, const char *to, double factor)
{
    Unit a, b;
    double got, offset;
    CHECK(unit_find(str_from(from), &a) && unit_find(str_from(to), &b));
    unit_conversion(&a, &b, &got, &offset);
    CHECK(fabs(got - factor) <= 1e-6 * factor); /* B.8 gives seven digits */
    CHECK(offset == 0);
}

TEST(temperatures_are_affine_and_exact)
{
    convert("degC", "degF", 1.8, 32);
    convert("degC", "K", 1, 273.15);
    convert("K", "degC", 1, -273.15);
    convert("degF", "K", 5.0 / 9.0, 45967.0 / 180.0);
    convert("degF", "degC", 5.0 / 9.0, -160.0 / 9.0);
    convert("K", "degR", 1.8, 0);
}

TEST(exact_factors)
{
    convert("bar", "Pa", 100000, 0);
    convert("mbar", "kPa", 0.1, 0);
    convert("kWh", "MJ", 3.6, 0);
    convert("kWh", "J", 3600000, 0);
    convert("in", "mm", 25.4, 0);
    convert("ft", "m", 0.3048, 0);
    convert("mi", "km", 1.609344, 0);
    convert("lb", "kg", 0.45359237, 0);
    convert("atm", "Pa", 101325, 0);
    convert("m3", "l", 1000, 0);
    convert("cm2", "mm2", 100, 0);
    convert("rpm", "Hz", 1.0 / 60.0, 0);
    convert("h", "min", 60, 0);
    convert("%", "1", 0.01, 0);
    convert("ppm", "%", 0.0001, 0);
    convert("t", "kg", 1000, 0);
    convert("Ah", "C", 3600, 0);
    convert("gal", "l", 3.785411784, 0);
}

TEST(factors_of_nist_sp_811)
{
    nearly("psi", "kPa", 6.894757);
    nearly("psi", "bar", 0.06894757);
    nearly("lbf", "N", 4.448222);
    nearly("deg", "rad", 0.01745329);
    nearly("oz", "g", 28.34952);
    nearly("cal", "J", 4.184);
    nearly("yd", "m", 0.9144);
    nearly("ha", "m2", 10000);
}

TEST(products_cancel_and_keep_their_text)
{
    Arena *arena = arena_new(0, 0);
    Unit kw, bar, ratio, power, hour, energy, kwh;
    CHECK(unit_find(STR("kW"), &kw) && unit_find(STR("bar"), &bar) && unit_find(STR("h"), &hour));
    CHECK_OK(unit_multiply(arena, &kw, &bar, -1, &ratio));
    CHECK_STR(ratio.text, "kW/bar");
    CHECK_OK(unit_multiply(arena, &bar, &ratio, 1, &power));
    CHECK_STR(power.text, "kW");
    CHECK(unit_same(&power, &kw));
    CHECK_OK(unit_multiply(arena, &kw, &hour, 1, &energy));
    CHECK(unit_find(STR("kWh"), &kwh));
    CHECK(unit_same(&energy, &kwh));
    arena_free(arena);
}

TEST(unknown_and_different_units_are_told_apart)
{
    Unit bar, k, unit;
    CHECK(unit_find(STR("bar"), &bar) && unit_find(STR("K"), &k));
    CHECK(!unit_convertible(&bar, &k));
    CHECK(!unit_find(STR("bra"), &unit));
    CHECK(!unit_find(STR("kpsi"), &unit)); /* no SI prefix on psi */
    CHECK(!unit_find(STR("degC2"), &unit));
    CHECK(!unit_find(STR(""), &unit));
    CHECK_STR(unit_suggest(STR("barr"), NULL), "bar");
}

TEST(a_difference_of_celsius_converts_without_offset)
{
    Unit c, f;
    double factor, offset;
    CHECK(unit_find(STR("degC"), &c) && unit_find(STR("degF"), &f));
    Unit dc = unit_difference(&c), df = unit_difference(&f);
    unit_conversion(&dc, &df, &factor, &offset);
    CHECK(factor == 1.8 && offset == 0);
    CHECK(!unit_affine(&dc) && unit_affine(&c));
}
