/* tests/bench/peer_simdjson.c: the loop around peer_simdjson.cpp: chunks, lines, windows. */
#include "limit_scan.h"

#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, PAD = 64 };

typedef struct SimdRecord {
    const char *time, *machine;
    unsigned time_len, machine_len;
    double temp, pressure;
    int64_t rpm;
    int run;
} SimdRecord;

int simd_record(const char *p, size_t len, size_t room, SimdRecord *ret);

static void run_lines(Windows *w, Day *day, const char *p, const char *end)
{
    for (const char *line; p < end; p = line + 1) {
        SimdRecord rec;
        int64_t ms;
        line = memchr(p, '\n', (size_t)(end - p));
        if (!line) line = end;
        w->in++;
        if (!simd_record(p, (size_t)(line - p), (size_t)(end - p) + PAD, &rec) ||
            (rec.run && rec.temp > -40.0 &&
             (rec.time_len != 24 || !scan_time(rec.time, day, &ms)))) {
            w->bad++;
        } else if (rec.run && rec.temp > -40.0) {
            windows_add(w, windows_key(w, rec.machine, rec.machine_len), ms, rec.temp * 1.8 + 32.0,
                        rec.pressure * (double)rec.rpm * 0.0167);
        }
    }
}

int main(void)
{
    static Windows w;
    static char chunk[CHUNK_BYTES + PAD], out[1 << 16];
    Day day = {0};
    size_t held = 0;
    windows_init(&w);
    (void)setvbuf(stdout, out, _IOFBF, sizeof out);
    for (ssize_t got; (got = read(STDIN_FILENO, chunk + held, CHUNK_BYTES - held)) > 0;) {
        size_t len = held + (size_t)got;
        const char *last = memrchr(chunk, '\n', len);
        size_t done = last ? (size_t)(last - chunk) + 1 : 0;
        run_lines(&w, &day, chunk, chunk + done);
        held = len - done;
        memmove(chunk, chunk + done, held);
    }
    run_lines(&w, &day, chunk, chunk + held);
    windows_flush(&w);
    return fflush(stdout) != 0;
}
