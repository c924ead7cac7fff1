/* runtime/flow/decimal.c: decimals as scaled integers: from floats, and with fewer digits. */
#include "flow/pipe.h"

#include <math.h>

/* The product x * 10^scale is rounded once; where it comes to a half exactly, the part that was
 * lost says on which side of the half the true product is. */
u32 rt_to_decimal(f64 x, u32 scale, i64 *ret)
{
    f64 unit = pow(10, scale), product = x * unit; /* 10^18 is exact */
    if (!(product > -9223372036854775808.0 && product < 9223372036854775808.0)) return RT_OVERFLOW;
    f64 whole = trunc(product), rest = product - whole, lost = fma(x, unit, -product);
    if (rest == 0.5 && lost >= 0) whole++;
    if (rest == -0.5 && lost <= 0) whole--;
    if (rest > 0.5) whole++;
    if (rest < -0.5) whole--;
    *ret = (i64)whole;
    return RT_FINE;
}

i64 rt_round_decimal(i64 v, u32 digits, u32 how)
{
    i64 unit = 1;
    if (digits > 18) return 0;
    while (digits--) unit *= 10;
    i64 whole = v / unit, rest = v % unit;
    switch (how) {
    case 1: return whole - (rest < 0);
    case 2: return whole + (rest > 0);
    case 3: return whole;
    default: /* both sides halved: 2 * rest may not fit */
        if (unit == 1) return whole;
        if (rest >= unit / 2) return whole + 1;
        return rest <= -(unit / 2) ? whole - 1 : whole;
    }
}
