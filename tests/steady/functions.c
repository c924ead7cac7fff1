/* tests/steady/functions.c: functions in C of operators.tutti. */
#include <stddef.h>

typedef struct Sum {
    double sum;
} Sum;

double scale(double x);
double most(const double *xs, size_t n);
double summed(Sum *s, double x);

double scale(double x)
{
    return x * 2;
}

double most(const double *xs, size_t n)
{
    double best = 0;
    for (size_t i = 0; i < n; i++)
        if (xs[i] > best) best = xs[i];
    return best;
}

double summed(Sum *s, double x)
{
    s->sum += x;
    return s->sum;
}
