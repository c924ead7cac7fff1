/* examples/vibration/vib.c: two measures of a vibration block; vibration.tutti says how they are
 * called.
 */
#include <math.h>
#include <stddef.h>

typedef struct Envelope {
    double level;
} Envelope;

double rms(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return n ? sqrt(sum / (double)n) : 0;
}

/* Follows rises at once and halves what it holds otherwise. *s starts as zeros. */
double envelope(Envelope *s, double x)
{
    s->level = x > s->level / 2 ? x : s->level / 2;
    return s->level;
}
