/* runtime/base/gen/pow10.c: writes the table of powers of ten that number conversion needs.
 *
 * For every q in POW10_MIN..POW10_MAX the leading 128 bits of 10^q (that is of 5^q), cut towards
 * zero, top bit set. One table serves reading (Eisel and Lemire) and shortest printing (Schubfach).
 * Computed with plain long arithmetic, so that nobody has to believe a pasted table. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LIMBS = 32, POW10_MIN = -342, POW10_MAX = 324 }; /* 1024 bits hold 5^342 with room */

typedef struct Big {
    uint32_t limb[LIMBS]; /* least significant first */
} Big;

static void times5(Big *n)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)n->limb[i] * 5;
        n->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void twice(Big *n)
{
    for (int i = LIMBS - 1; i > 0; i--) n->limb[i] = n->limb[i] << 1 | n->limb[i - 1] >> 31;
    n->limb[0] <<= 1;
}

static int at_least(const Big *a, const Big *b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i]) return a->limb[i] > b->limb[i];
    return 1;
}

static void minus(Big *a, const Big *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        int64_t d = (int64_t)a->limb[i] - b->limb[i] + borrow;
        a->limb[i] = (uint32_t)d;
        borrow = d < 0 ? -1 : 0;
    }
}

static int bits(const Big *n)
{
    for (int i = LIMBS * 32 - 1; i >= 0; i--)
        if (n->limb[i / 32] >> (i % 32) & 1) return i + 1;
    return 0;
}

static int bit(const Big *n, int i)
{
    return i < 0 ? 0 : (int)(n->limb[i / 32] >> (i % 32) & 1);
}

static void row(const uint64_t half[2])
{
    printf("{0x%016llx, 0x%016llx},\n", (unsigned long long)half[0], (unsigned long long)half[1]);
}

/* 2^(127 + bits(n)) / n: the first 128 bits of the quotient by long division. */
static void reciprocal(const Big *n, uint64_t half[2])
{
    Big rest;
    memset(&rest, 0, sizeof rest);
    int top = bits(n) - 1;
    rest.limb[top / 32] = 1u << (top % 32);
    for (int i = 0; i < 128; i++) {
        twice(&rest);
        int one = at_least(&rest, n);
        if (one) minus(&rest, n);
        half[i / 64] = half[i / 64] << 1 | (uint64_t)one;
    }
}

int main(void)
{
    Big power[-POW10_MIN + 1];
    memset(power, 0, sizeof power);
    power[0].limb[0] = 1;
    for (int q = 1; q <= -POW10_MIN; q++) {
        power[q] = power[q - 1];
        times5(&power[q]);
    }
    printf("/* written by tools/gen_pow10.c; do not edit */\n");
    printf("enum { POW10_MIN = %d, POW10_MAX = %d };\n", POW10_MIN, POW10_MAX);
    printf("static const uint64_t pow10_table[][2] = {\n");
    for (int q = POW10_MIN; q <= POW10_MAX; q++) {
        uint64_t half[2] = {0, 0};
        if (q < 0) {
            reciprocal(&power[-q], half);
        } else {
            int top = bits(&power[q]) - 1;
            for (int i = 0; i < 128; i++)
                half[i / 64] = half[i / 64] << 1 | (uint64_t)bit(&power[q], top - i);
        }
        row(half);
    }
    printf("};\n");
    return 0;
}
