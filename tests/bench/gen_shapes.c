/* tests/bench/gen_shapes.c: records of other shapes than the work item:
 *   bench_gen_shapes SHAPE N      nested, arrays, texts, floats, wide or csv; seeded */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003) */
static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static double number(void)
{
    return (next_random() % 200000) / 100.0 - 500.0;
}

static double real(double scale)
{
    return ((double)next_random() / 4294967296.0 + 0.1) * scale;
}

static void nested(long i)
{
    printf("{\"head\":{\"id\":%ld,\"src\":{\"plant\":\"leipzig\",\"k\":\"k-%02u\"}},\"body\":{"
           "\"v\":%.2f,"
           "\"unit\":\"degC\",\"q\":192}}\n",
           i, next_random() % 64, number());
}

static void arrays(long i)
{
    printf("{\"k\":\"k-%02u\",\"samples\":[", next_random() % 64);
    for (int n = 0; n < 20; n++) printf("%s%u", n ? "," : "", next_random() % 4000);
    printf("],\"meta\":[{\"a\":%ld,\"b\":[true,null]},{\"text\":\"] }\"}],\"v\":%.2f}\n", i,
           number());
}

static void texts(long i)
{
    printf("{\"k\":\"k-%02u\",\"text\":\"line %ld: the guard \\\"north\\\" was opened\\nand closed "
           "again "
           "after %u s; caf\xc3\xa9 na\xc3\xafve path C:\\\\plant\\\\press "
           "\\u00e4\\u00f6\",\"v\":%.2f,"
           "\"note\":\"nothing was done about it, because the operator had seen that before; see "
           "the log of the night shift\"}\n",
           next_random() % 64, i, next_random() % 100, number());
}

static void floats(void)
{
    printf("{\"k\":\"k-%02u\",\"v\":%.17g,\"w\":%.17g,\"x\":%.17g}\n", next_random() % 64, real(1),
           -real(1000), real(1e-5));
}

static void wide(long i)
{
    for (int n = 0; n < 100; n++) {
        printf("%c\"field_%02d\":", n ? ',' : '{', n);
        if (n == 3)
            printf("\"k-%02u\"", next_random() % 64);
        else if (n % 4 == 3)
            printf("\"text %ld\"", i % 100);
        else
            printf("%.2f", number());
    }
    printf("}\n");
}

static void csv(long i)
{
    if (!i) printf("k,v,w,text\n");
    printf("k-%02u,%.2f,%.3f,%s\n", next_random() % 64, number(), number(),
           i % 10 ? "plain text" : "\"a, \"\"quoted\"\" text\"");
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    const char *shape = argc > 1 ? argv[1] : "";
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 300000;
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (long i = 0; i < count; i++) {
        if (!strcmp(shape, "nested"))
            nested(i);
        else if (!strcmp(shape, "arrays"))
            arrays(i);
        else if (!strcmp(shape, "texts"))
            texts(i);
        else if (!strcmp(shape, "floats"))
            floats();
        else if (!strcmp(shape, "wide"))
            wide(i);
        else if (!strcmp(shape, "csv"))
            csv(i);
        else
            return 2;
    }
    return fflush(stdout) != 0;
}
