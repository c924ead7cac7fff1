/* tests/bench/limit.c: the work item by hand in C: how fast it could be. Reads stdin in chunks.
 *
 * `limit lazy` stops looking at a record behind the last field it needs; `limit record` walks the
 * whole record. Both know the layout in advance, filter before they convert, and fall back to any
 * order. The reference (1.00) of `make bench` is `limit lazy`. */
#include "limit_scan.h"

#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, PAD = 64 };

static inline int same(const char *p, const char *text, unsigned len)
{
    uint64_t differ = 0;
    unsigned i = 0;
    if (len < 4) {
        for (; i < len; i++) differ |= (uint64_t)(p[i] ^ text[i]);
    } else if (len < 8) {
        differ = (load4(p) ^ load4(text)) | (load4(p + len - 4) ^ load4(text + len - 4));
    } else {
        for (; i + 8 <= len; i += 8) differ |= load8(p + i) ^ load8(text + i);
        differ |= load8(p + len - 8) ^ load8(text + len - 8);
    }
    return differ == 0;
}

#define EXPECT(text)                                                                               \
    do {                                                                                           \
        if (UNLIKELY(!same(p, text, sizeof(text) - 1))) return NULL;                               \
        p += sizeof(text) - 1;                                                                     \
    } while (0)
#define NUMBER(to)                                                                                 \
    do {                                                                                           \
        if (UNLIKELY(!(p = scan_number(p, to)))) return NULL;                                      \
    } while (0)
#define SHORT()                                                                                    \
    do {                                                                                           \
        if (UNLIKELY(!(p = scan_short(p)))) return NULL;                                           \
    } while (0)

/* A pointer into the record behind what was read, or NULL: not the expected layout. */
static inline const char *scan_layout(const char *p, Rec *rec, Day *day, int whole)
{
    double unused;
    EXPECT("{\"ts\":\"");
    const char *time = p;
    p += 24;
    EXPECT("\",\"machine\":\"");
    rec->machine = p;
    SHORT();
    rec->machine_len = (unsigned)(p - rec->machine);
    EXPECT("\",\"line\":\"");
    SHORT();
    EXPECT("\",\"temp\":");
    NUMBER(&rec->temp);
    EXPECT(",\"pressure\":");
    NUMBER(&rec->pressure);
    EXPECT(",\"rpm\":");
    NUMBER(&rec->rpm);
    EXPECT(",\"state\":\"");
    rec->run = load4(p) == 0x224e5552u; /* RUN" */
    if (whole) {
        SHORT();
        EXPECT("\",\"site\":\"");
        SHORT();
        EXPECT("\",\"q\":");
        NUMBER(&unused);
        EXPECT(",\"seq\":");
        NUMBER(&unused);
        EXPECT("}");
    }
    if (!whole && !rec->run) return p;
    return scan_time(time, day, &rec->ms) ? p : NULL;
}

static void run_lines(Windows *w, Day *day, const char *p, const char *end, int whole)
{
    while (p < end) {
        Rec rec;
        w->in++;
        const char *from = end - p > 128 ? scan_layout(p, &rec, day, whole) : NULL;
        const char *line = memchr(from ? from : p, '\n', (size_t)(end - (from ? from : p)));
        if (!line) line = end;
        int good = 1;
        if (UNLIKELY(!from || (whole && from != line))) {
            w->slow++;
            good = scan_any(p, line, &rec, day);
            w->bad += !good;
        }
        if (good && rec.run && rec.temp > -40.0)
            windows_add(w, windows_key(w, rec.machine, rec.machine_len), rec.ms,
                        rec.temp * 1.8 + 32.0, rec.pressure * rec.rpm * 0.0167);
        p = line + 1;
    }
}

int main(int argc, char **argv)
{
    static Windows w;
    static char chunk[CHUNK_BYTES + PAD], out[1 << 16];
    int whole = argc > 1 && strcmp(argv[1], "record") == 0;
    Day day = {0};
    size_t held = 0;
    windows_init(&w);
    (void)setvbuf(stdout, out, _IOFBF, sizeof out);
    for (ssize_t got; (got = read(STDIN_FILENO, chunk + held, CHUNK_BYTES - held)) > 0;) {
        size_t len = held + (size_t)got;
        const char *last = memrchr(chunk, '\n', len);
        size_t done = last ? (size_t)(last - chunk) + 1 : 0;
        run_lines(&w, &day, chunk, chunk + done, whole);
        held = len - done;
        memmove(chunk, chunk + done, held);
    }
    run_lines(&w, &day, chunk, chunk + held, whole);
    windows_flush(&w);
    (void)fprintf(stderr, "in %lu kept %lu rows %lu bad %lu late %lu slow %lu\n", w.in, w.kept,
                  w.rows, w.bad, w.late, w.slow);
    return fflush(stdout) != 0;
}
