/* tests/bench/limit_window.h: the windows of the hand-written limit, shared by its variants.
 *
 * 10 s tumbling windows per machine with count, mean, min, max, mean power and a 95 % quantile from
 * a fixed histogram; 2 s of lateness; a ring of four open windows. Written for exactly this job:
 * it says how fast a person would make it, not how a runtime should look. */
#ifndef TUTTI_BENCH_LIMIT_WINDOW_H
#define TUTTI_BENCH_LIMIT_WINDOW_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_MAX = 1024, RING = 4, BINS = 128, WINDOW_MS = 10000, LATENESS_MS = 2000 };
enum { KEY_BYTES = 32, TABLE = 4096 };

typedef struct Agg {
    uint32_t count, bins[BINS];
    double sum, min, max, power;
} Agg;

typedef struct Windows {
    char name[KEYS_MAX][KEY_BYTES];
    uint8_t name_len[KEYS_MAX];
    int key_count;
    int16_t table[TABLE];
    Agg agg[KEYS_MAX][RING];
    int64_t max_ms, next_close; /* number of the oldest open window */
    unsigned long in, kept, rows, bad, late, slow;
} Windows;

static inline uint64_t load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint32_t load4(const char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

static void windows_init(Windows *w)
{
    memset(w->table, -1, sizeof w->table);
    w->max_ms = w->next_close = INT64_MIN;
}

static int key_slow(Windows *w, const char *name, unsigned len, uint32_t at)
{
    for (;; at = (at + 1) & (TABLE - 1)) {
        int key = w->table[at];
        if (key >= 0 && w->name_len[key] == len && !memcmp(w->name[key], name, len)) return key;
        if (key >= 0) continue;
        if (w->key_count == KEYS_MAX || len >= KEY_BYTES) return 0;
        key = w->key_count++;
        memcpy(w->name[key], name, len);
        w->name_len[key] = (uint8_t)len;
        w->table[at] = (int16_t)key;
        return key;
    }
}

/* 16 bytes behind `name` must be readable. */
static inline int windows_key(Windows *w, const char *name, unsigned len)
{
    uint64_t a = len >= 8 ? load8(name) : len ? load8(name) & (((uint64_t)1 << (8 * len)) - 1) : 0;
    uint64_t b = len >= 8 ? load8(name + len - 8) : 0;
    uint32_t at = (uint32_t)(((a ^ (b * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u) >> 52);
    int key = w->table[at];
    if (key >= 0 && w->name_len[key] == len) {
        const char *mine = w->name[key];
        if (len >= 8 && len <= 16 && load8(mine) == a && load8(mine + len - 8) == b) return key;
        if (len < 8 && load8(mine) == a) return key;
    }
    return key_slow(w, name, len, at);
}

static void windows_close(Windows *w, int64_t number)
{
    for (int key = 0; key < w->key_count; key++) {
        Agg *agg = &w->agg[key][number & (RING - 1)];
        uint32_t need = agg->count - agg->count / 20, seen = 0;
        int bin = 0;
        if (!agg->count) continue;
        while (bin < BINS - 1 && (seen += agg->bins[bin]) < need) bin++;
        double n = agg->count;
        printf("{\"machine\":\"%.*s\",\"start\":%lld,\"n\":%u,\"avg\":%.2f,\"lo\":%.2f,"
               "\"hi\":%.2f,\"p95\":%d,\"power\":%.2f}\n",
               w->name_len[key], w->name[key], (long long)(number * WINDOW_MS), agg->count,
               agg->sum / n, agg->min, agg->max, (bin + 1) * 4 - 64, agg->power / n);
        w->rows++;
        memset(agg, 0, sizeof *agg);
    }
}

static void windows_advance(Windows *w, int64_t ms)
{
    w->max_ms = ms;
    int64_t watermark = ms - LATENESS_MS;
    if (w->next_close == INT64_MIN) w->next_close = watermark / WINDOW_MS;
    while (watermark >= (w->next_close + 1) * WINDOW_MS) windows_close(w, w->next_close++);
}

static inline void windows_add(Windows *w, int key, int64_t ms, double temp, double power)
{
    int64_t number = (int64_t)((uint64_t)ms / WINDOW_MS);
    if (ms > w->max_ms) windows_advance(w, ms);
    if (__builtin_expect(number < w->next_close, 0)) {
        w->late++;
        return;
    }
    Agg *agg = &w->agg[key][number & (RING - 1)];
    if (!agg->count) agg->min = agg->max = temp;
    agg->count++;
    agg->sum += temp;
    agg->power += power;
    if (temp < agg->min) agg->min = temp;
    if (temp > agg->max) agg->max = temp;
    int bin = (int)((temp + 64.0) * 0.25);
    agg->bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    w->kept++;
}

static void windows_flush(Windows *w)
{
    if (w->next_close == INT64_MIN) return;
    for (int64_t last = w->max_ms / WINDOW_MS; w->next_close <= last;)
        windows_close(w, w->next_close++);
}

#endif
