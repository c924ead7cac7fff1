/* runtime/sparkplug/edge_life.c: which devices of an edge node live, and in which order values
 * stand.
 *
 * The namespace does not know devices, but it knows that nobody brings a value any more: its
 * quality becomes worse and the value stays as it was (a connector that lost its device, a dead
 * edge node below us). One that is bad because it was measured so has another value, or is null. */
#include "sparkplug/edge_int.h"

static bool same_value(const SpValue *a, const SpValue *b)
{
    if (a->form != b->form) return false;
    if (a->form == SP_IN_FLOAT || a->form == SP_IN_DOUBLE)
        return !memcmp(&a->number, &b->number, sizeof a->number);
    return a->form >= SP_IN_STRING ? str_eq(a->bytes, b->bytes) : a->bits == b->bits;
}

bool sp__edge_same(const EdgeMetric *metric, const SpMetric *value)
{
    if (metric->last.ts_ms == SP_NO_TIME || metric->last.null != value->null) return false;
    return value->null ||
           (metric->type == value->type && same_value(&metric->last.value, &value->value));
}

bool sp__edge_gone(const EdgeMetric *metric, const SpMetric *value, int32_t quality)
{
    if (quality == SP_GOOD) return false;
    if (metric->gone) return value->null || same_value(&metric->last.value, &value->value);
    return metric->quality == SP_GOOD && !metric->last.null && !value->null &&
           same_value(&metric->last.value, &value->value);
}

/* All that have a value are gone, and there is one. */
bool sp__edge_device_gone(const SpEdge *edge, uint32_t device)
{
    bool any = false;
    for (uint32_t i = 0; i < edge->stats.metrics; i++) {
        const EdgeMetric *metric = &edge->metrics[i];
        if (metric->device != device || (metric->last.null && !metric->gone)) continue;
        if (!metric->gone) return false;
        any = true;
    }
    return any;
}

/* ---- by time ---- */

/* One without a time was never said by anybody: it is as of now. */
static bool before(const SpEdge *edge, uint32_t a, uint32_t b)
{
    int64_t left = edge->metrics[a].last.ts_ms, right = edge->metrics[b].last.ts_ms;
    if (left == right) return a < b;
    if (left == SP_NO_TIME || right == SP_NO_TIME) return right == SP_NO_TIME;
    return left < right;
}

static void sink(const SpEdge *edge, uint32_t *heap, uint32_t at, uint32_t count)
{
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(edge, heap[child], heap[child + 1])) child++;
        if (!before(edge, heap[at], heap[child])) return;
        uint32_t swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* In place: this happens many times a second and allocates nothing. */
static void sort(const SpEdge *edge, uint32_t *list, uint32_t count)
{
    uint32_t sorted = 1;
    while (sorted < count && before(edge, list[sorted - 1], list[sorted])) sorted++;
    if (sorted >= count) return;
    for (uint32_t at = count / 2; at-- > 0;) sink(edge, list, at, count);
    for (uint32_t last = count; --last > 0;) {
        uint32_t swap = list[0];
        list[0] = list[last];
        list[last] = swap;
        sink(edge, list, 0, last);
    }
}

uint32_t sp__edge_collect(SpEdge *edge, uint32_t device, bool all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < edge->stats.metrics; i++) {
        const EdgeMetric *metric = &edge->metrics[i];
        if (metric->device == device && (all || (metric->dirty && metric->born)))
            edge->order[count++] = i;
    }
    sort(edge, edge->order, count);
    return count;
}
