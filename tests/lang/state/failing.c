/* tests/lang/state/failing.c: what failing.tutti remembers in C. */
typedef struct Total {
    double sum;
} Total;

double total(Total *t, double x)
{
    return t->sum += x;
}
