/* tests/lang/batch/extern.c: the C of extern.tutti: every way a function may take its arguments. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* a count behind the array */
double total(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

/* the array alone: filled up with zeros */
double total4(float x[4])
{
    return (double)x[0] + (double)x[1] + (double)x[2] + (double)x[3];
}

int64_t longest(const int *xs, int n, const char *word, int word_n)
{
    int64_t most = word_n;
    for (int i = 0; i < n; i++)
        if (xs[i] > most) most = xs[i];
    return most + (word[0] == 'z');
}

/* a text alone ends with a NUL */
static int vowels(const char *text)
{
    int n = 0;
    for (; *text; text++) n += strchr("aeiou", *text) != NULL;
    return n;
}

_Bool above(double x, int64_t limit)
{
    return x > (double)limit;
}

double divide(double a, double b)
{
    return a / b;
}

typedef struct Sum {
    double sum;
    int64_t seen;
} Sum;

double running(Sum *s, double x)
{
    s->sum += x;
    s->seen++;
    return s->sum / (double)s->seen;
}

struct Count {
    uint32_t n;
};

uint32_t count_up(struct Count *c)
{
    return ++c->n;
}
