/* compiler/type/units.c: the arithmetic of units (see units.h). */
#include "compiler/type/units.h"
#include "compiler/diag/diag.h"

#include <math.h>
#include <stdlib.h>

typedef struct UnitRow {
    const char *name;
    int8_t dims[UNIT_DIMS];
    int64_t num, den;
    int32_t pi;
    bool prefix;
} UnitRow;

static const UnitRow rows[] = {
#define UNIT(name, m, kg, s, A, K, mol, cd, data, num, den, pi, prefix, text)                      \
    {name, {m, kg, s, A, K, mol, cd, data}, num, den, pi, prefix},
#include "stdlib/units.def"
#undef UNIT
};

typedef struct Prefix {
    const char *text;
    int64_t num, den;
} Prefix;

static const Prefix prefixes[] = {
    {"n", 1, 1000000000}, {"u", 1, 1000000},       {"m", 1, 1000}, {"c", 1, 100},
    {"d", 1, 10},         {"h", 100, 1},           {"k", 1000, 1}, {"M", 1000000, 1},
    {"G", 1000000000, 1}, {"T", 1000000000000, 1},
};

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static double ratio_double(Ratio r)
{
    return r.inexact ? r.approx : (double)((long double)r.num / (long double)r.den);
}

static Ratio ratio(int64_t num, int64_t den)
{
    int64_t by = num ? gcd(num, den) : den;
    return (Ratio){num / by, den / by, false, 0};
}

/* Cross-reduced first, so that the products stay small; past 63 bits the double has to do. */
static Ratio ratio_mul(Ratio a, Ratio b)
{
    if (!a.inexact && !b.inexact) {
        Ratio left = ratio(a.num, b.den), right = ratio(b.num, a.den);
        int64_t num, den;
        if (!__builtin_mul_overflow(left.num, right.num, &num) &&
            !__builtin_mul_overflow(left.den, right.den, &den))
            return ratio(num, den);
    }
    return (Ratio){1, 1, true, ratio_double(a) * ratio_double(b)};
}

static Ratio ratio_inverse(Ratio a)
{
    if (a.inexact) return (Ratio){1, 1, true, 1 / a.approx};
    return (Ratio){a.den, a.num, false, 0};
}

static Ratio ratio_sub(Ratio a, Ratio b)
{
    int64_t left, right, num, den;
    if (!a.inexact && !b.inexact && !__builtin_mul_overflow(a.num, b.den, &left) &&
        !__builtin_mul_overflow(b.num, a.den, &right) &&
        !__builtin_sub_overflow(left, right, &num) && !__builtin_mul_overflow(a.den, b.den, &den))
        return num ? ratio(num, den) : (Ratio){0, 1, false, 0};
    return (Ratio){1, 1, true, ratio_double(a) - ratio_double(b)};
}

static bool ratio_same(Ratio a, Ratio b)
{
    if (!a.inexact && !b.inexact) return a.num == b.num && a.den == b.den;
    double x = ratio_double(a), y = ratio_double(b);
    return x == y || fabs(x - y) <= 4e-16 * fabs(x);
}

static Unit from_row(const UnitRow *row, const Prefix *prefix, Str name)
{
    Unit unit = {.text = name,
                 .scale = ratio(row->num, row->den),
                 .offset = {0, 1, false, 0},
                 .pi = row->pi,
                 .factor_count = 1};
    for (int i = 0; i < UNIT_DIMS; i++) unit.dims[i] = row->dims[i];
    unit.factors[0] = (UnitFactor){name, 1};
    if (prefix) unit.scale = ratio_mul(unit.scale, ratio(prefix->num, prefix->den));
    if (str_is(name, "degC")) unit.offset = ratio(27315, 100);
    if (str_is(name, "degF")) unit.offset = ratio(45967, 180); /* 459.67 * 5/9 */
    return unit;
}

static bool find_plain(Str name, Unit *ret_unit)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!str_is(name, rows[i].name)) continue;
        *ret_unit = from_row(&rows[i], NULL, name);
        return true;
    }
    for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
        if (!str_starts(name, str_from(prefixes[p].text))) continue;
        Str rest = str_skip(name, strlen(prefixes[p].text));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (!rows[i].prefix || !str_is(rest, rows[i].name)) continue;
            *ret_unit = from_row(&rows[i], &prefixes[p], name);
            return true;
        }
    }
    return false;
}

bool unit_find(Str name, Unit *ret_unit)
{
    if (find_plain(name, ret_unit)) return true;
    if (name.len < 2) return false;
    char last = name.ptr[name.len - 1];
    Unit base;
    if ((last != '2' && last != '3') || !find_plain(str_slice(name.ptr, name.len - 1), &base) ||
        unit_affine(&base))
        return false;
    Unit unit = base;
    for (char n = '1'; n < last; n++) {
        unit.scale = ratio_mul(unit.scale, base.scale);
        unit.pi += base.pi;
        for (int i = 0; i < UNIT_DIMS; i++) unit.dims[i] += base.dims[i];
    }
    unit.text = name;
    unit.factors[0] = (UnitFactor){base.factors[0].name, last - '0'};
    *ret_unit = unit;
    return true;
}

/* With `like` only what converts to it. */
static void suggest(Str name, const char *candidate, const Unit *like, Str *best,
                    uint32_t *distance)
{
    Unit space;
    if (like && !(unit_find(str_from(candidate), &space) && unit_convertible(&space, like))) return;
    diag_suggest(name, str_from(candidate), best, distance);
}

/* Units by the words and signs that people write elsewhere. */
static const struct {
    const char *theirs, *ours;
} spelled[] = {
    {"celsius", "degC"},   {"degreec", "degC"}, {"deg_c", "degC"},  {"fahrenheit", "degF"},
    {"degreef", "degF"},   {"deg_f", "degF"},   {"kelvin", "K"},    {"sec", "s"},
    {"second", "s"},       {"minute", "min"},   {"mins", "min"},    {"hr", "h"},
    {"hour", "h"},         {"day", "d"},        {"hertz", "Hz"},    {"percent", "%"},
    {"pct", "%"},          {"degree", "deg"},   {"radian", "rad"},  {"meter", "m"},
    {"metre", "m"},        {"kilometer", "km"}, {"mile", "mi"},     {"inch", "in"},
    {"foot", "ft"},        {"feet", "ft"},      {"yard", "yd"},     {"mph", "mi/h"},
    {"kmh", "km/h"},       {"kph", "km/h"},     {"liter", "l"},     {"litre", "l"},
    {"gallon", "gal"},     {"gram", "g"},       {"kilogram", "kg"}, {"ton", "t"},
    {"tonne", "t"},        {"pound", "lb"},     {"ounce", "oz"},    {"volt", "V"},
    {"amp", "A"},          {"ampere", "A"},     {"watt", "W"},      {"kilowatt", "kW"},
    {"megawatt", "MW"},    {"joule", "J"},      {"newton", "N"},    {"pascal", "Pa"},
    {"atmosphere", "atm"}, {"byte", "B"},       {"bits", "bit"}};

/* In any case, in the plural too. */
static bool spells(Str name, const char *theirs)
{
    Str word = str_from(theirs);
    if (name.len != word.len && !(name.len == word.len + 1 && (name.ptr[word.len] | 32) == 's'))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if ((name.ptr[i] | 32) != (word.ptr[i] | 32)) return false;
    return true;
}

Str unit_suggest(Str name, const Unit *like)
{
    static const char *const common[] = {
        "kPa", "MPa", "mbar", "kW", "MW", "kWh", "MWh", "MJ", "kJ", "mV", "mA", "kV", "kHz",
        "mm",  "cm",  "km",   "kg", "mg", "kN",  "ms",  "us", "m3", "m2", "ml", "um"};
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(spelled); i++) {
        Unit unit;
        Str ours = str_from(spelled[i].ours);
        if (!spells(name, spelled[i].theirs)) continue;
        if (!like || (unit_find(ours, &unit) && unit_convertible(like, &unit))) return ours;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strlen(rows[i].name) > 1) suggest(name, rows[i].name, like, &best, &distance);
    }
    for (size_t i = 0; i < COUNT_OF(common); i++) suggest(name, common[i], like, &best, &distance);
    return best;
}

bool unit_affine(const Unit *unit)
{
    return unit && (unit->offset.inexact || unit->offset.num != 0);
}

bool unit_convertible(const Unit *a, const Unit *b)
{
    for (int i = 0; i < UNIT_DIMS; i++)
        if ((a ? a->dims[i] : 0) != (b ? b->dims[i] : 0)) return false;
    return true;
}

static const Unit plain = {.scale = {1, 1, false, 0}, .offset = {0, 1, false, 0}};

bool unit_same(const Unit *a, const Unit *b)
{
    if (!a) a = &plain;
    if (!b) b = &plain;
    return unit_convertible(a, b) && a->pi == b->pi && ratio_same(a->scale, b->scale) &&
           ratio_same(a->offset, b->offset);
}

static Str factors_text(Arena *arena, const Unit *unit)
{
    char text[UNIT_FACTORS_MAX * 80];
    size_t at = 0;
    for (int sign = 1; sign >= -1; sign -= 2) {
        for (uint32_t i = 0; i < unit->factor_count; i++) {
            const UnitFactor *f = &unit->factors[i];
            if ((f->power > 0) != (sign > 0)) continue;
            int32_t power = f->power * sign;
            size_t len = f->name.len > 64 ? 64 : f->name.len;
            if (sign < 0) {
                if (at == 0) text[at++] = '1';
                text[at++] = '/';
            } else if (at) {
                text[at++] = ' ';
            }
            memcpy(text + at, f->name.ptr, len);
            at += len;
            if (power > 1) {
                text[at++] = '^';
                text[at++] = (char)('0' + power);
            }
        }
    }
    return at ? arena_str(arena, str_slice(text, at)) : STR("1");
}

static Status add_factor(Unit *unit, Str name, int32_t power)
{
    if (str_is(name, "1")) return ST_OK;
    for (uint32_t i = 0; i < unit->factor_count; i++) {
        if (!str_eq(unit->factors[i].name, name)) continue;
        unit->factors[i].power += power;
        if (unit->factors[i].power == 0)
            unit->factors[i] = unit->factors[--unit->factor_count];
        else if (abs(unit->factors[i].power) > UNIT_POWER_MAX)
            return ST_LIMIT;
        return ST_OK;
    }
    if (unit->factor_count == UNIT_FACTORS_MAX) return ST_LIMIT;
    unit->factors[unit->factor_count++] = (UnitFactor){name, power};
    return ST_OK;
}

Status unit_multiply(Arena *arena, const Unit *a, const Unit *b, int32_t power, Unit *ret_unit)
{
    if (power > UNIT_POWER_MAX || power < -UNIT_POWER_MAX) return ST_LIMIT;
    Unit unit = a ? *a : plain;
    unit.offset = (Ratio){0, 1, false, 0};
    unit.step = a && b ? false : a ? a->step : b && b->step && power == 1;
    if (!b) b = &plain;
    for (int i = 0; i < UNIT_DIMS; i++) {
        unit.dims[i] += b->dims[i] * power;
        if (abs(unit.dims[i]) > 99) return ST_LIMIT;
    }
    Ratio by = power < 0 ? ratio_inverse(b->scale) : b->scale;
    for (int32_t n = abs(power); n > 0; n--) unit.scale = ratio_mul(unit.scale, by);
    unit.pi += b->pi * power;
    for (uint32_t i = 0; i < b->factor_count; i++)
        if (add_factor(&unit, b->factors[i].name, b->factors[i].power * power)) return ST_LIMIT;
    unit.text = factors_text(arena, &unit);
    *ret_unit = unit;
    return ST_OK;
}

Unit unit_difference(const Unit *unit)
{
    bool kelvin = !unit->scale.inexact && unit->scale.num == unit->scale.den;
    Unit result = *unit;
    result.offset = (Ratio){0, 1, false, 0};
    result.step = true;
    result.factors[0] = (UnitFactor){kelvin ? STR("K") : STR("degR"), 1};
    result.factor_count = 1;
    return result;
}

void unit_conversion(const Unit *from, const Unit *to, double *ret_factor, double *ret_offset)
{
    if (!from) from = &plain;
    if (!to) to = &plain;
    Ratio back = ratio_inverse(to->scale);
    double factor = ratio_double(ratio_mul(from->scale, back));
    for (int32_t n = from->pi - to->pi; n > 0; n--) factor *= 3.14159265358979323846;
    for (int32_t n = from->pi - to->pi; n < 0; n++) factor /= 3.14159265358979323846;
    *ret_factor = factor;
    *ret_offset = ratio_double(ratio_mul(ratio_sub(from->offset, to->offset), back));
}

Str unit_dimension(Arena *arena, const Unit *unit)
{
    static const struct {
        const char *unit, *name;
    } known[] = {{"m", "length"},         {"kg", "mass"},        {"s", "time"},
                 {"degC", "temperature"}, {"Pa", "pressure"},    {"W", "power"},
                 {"J", "energy"},         {"V", "voltage"},      {"A", "current"},
                 {"Hz", "frequency"},     {"N", "force"},        {"m2", "area"},
                 {"m3", "volume"},        {"ohm", "resistance"}, {"B", "data"}};
    if (unit_convertible(unit, NULL)) return STR("plain number");
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        Unit other;
        if (unit_find(str_from(known[i].unit), &other) && unit_convertible(unit, &other))
            return str_from(known[i].name);
    }
    static const char *const base[UNIT_DIMS] = {"m", "kg", "s", "A", "K", "mol", "cd", "B"};
    Unit text = {.factor_count = 0};
    for (int i = 0; i < UNIT_DIMS; i++)
        if (unit->dims[i])
            text.factors[text.factor_count++] = (UnitFactor){str_from(base[i]), unit->dims[i]};
    for (uint32_t i = 0; i < text.factor_count; i++)
        if (abs(text.factors[i].power) > UNIT_POWER_MAX) return unit->text;
    return factors_text(arena, &text);
}

Unit unit_declare(Str name, double value, const Unit *base)
{
    Unit unit = base ? *base : plain;
    bool whole = value > 0 && value < 9e15 && value == floor(value);
    Ratio by = whole ? ratio((int64_t)value, 1) : (Ratio){1, 1, true, value};
    unit.scale = ratio_mul(unit.scale, by);
    unit.offset = (Ratio){0, 1, false, 0};
    unit.text = name;
    unit.factors[0] = (UnitFactor){name, 1};
    unit.factor_count = 1;
    return unit;
}
