/* tests/bench/history.c: ten million points of a plant into the series store, or into SQLite rows.
 *
 *   history series|rows POINTS BATCH FILE     writes, then asks; prints one line of figures
 *   history rolled POINTS BATCH FILE          as series, with minutes and hours worked out
 *   history noise POINTS BATCH FILE           into a namespace's history.db, its server away: ten a
 *                                             second up to now, full precision, bench/1 ..
 * bench/100 history lines POINTS BATCH PORT           the same points as line protocol over HTTP
 *   history copy POINTS BATCH -               the same points as COPY for psql, on standard output
 *
 * 100 series at 1 Hz, time by time: 60 sensors (random walk of two decimals), 20 set-points (change
 * once in ten minutes), 10 counters, 10 of noise with full precision. Each batch is one commit that
 * is on disk when it is done. CPU is that of this process, for `lines` of its sending only. */
#include "base/clock.h"
#include "base/mem.h"
#include "series/roll.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERIES = 100, HOUR_S = 3600, LINE_BYTES = 80, NOISE_STEP_NS = 100000000 };
enum { NOISE_FIRST = 1000001 };                      /* series that a server has not reached */
static const int64_t start_ns = 1795428000000000000; /* 2026-11-23T10:00:00Z */

/* ---- points ---- */

typedef struct Plant {
    double value[SERIES];
    uint64_t seed;
    int64_t second;
    uint32_t next;    /* series 0 .. SERIES-1 */
    int64_t noise_ns; /* time of the next points of the mode `noise` */
} Plant;

static uint64_t draw(Plant *plant) /* xorshift64 */
{
    plant->seed ^= plant->seed << 13;
    plant->seed ^= plant->seed >> 7;
    plant->seed ^= plant->seed << 17;
    return plant->seed;
}

static void plant_init(Plant *plant)
{
    *plant = (Plant){.seed = 0x9E3779B97F4A7C15u};
    for (uint32_t i = 0; i < SERIES; i++)
        plant->value[i] =
            i % 10 < 6 ? 50 + (double)(draw(plant) % 5000) / 100 : (double)(draw(plant) % 100);
}

static SeriesPoint plant_point(Plant *plant)
{
    uint32_t series = plant->next, kind = series % 10;
    double *value = &plant->value[series];
    uint64_t random = draw(plant);
    if (kind < 6)
        *value = ((double)(int64_t)(*value * 100 + (*value < 0 ? -0.5 : 0.5)) +
                  (double)(random % 21) - 10) /
                 100;
    else if (kind < 8)
        *value = random % 600 ? *value : (double)((random >> 20) % 100);
    else if (kind == 8)
        *value += (double)(random % 4);
    else
        *value = (double)(random >> 11) / 9007199254740992.0 * 100;
    SeriesPoint point = {series + 1, start_ns + plant->second * NS_PER_S, *value, 0};
    if (++plant->next == SERIES) {
        plant->next = 0;
        plant->second++;
    }
    return point;
}

/* No packing helps with these: few points are many bytes. */
static SeriesPoint noise_point(Plant *plant)
{
    SeriesPoint point = {NOISE_FIRST + plant->next, plant->noise_ns,
                         (double)(draw(plant) >> 11) / 9007199254740992.0 * 100, 0};
    if (++plant->next == SERIES) {
        plant->next = 0;
        plant->noise_ns += NOISE_STEP_NS;
    }
    return point;
}

/* ---- measuring ---- */

static double cpu_s(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int64_t file_bytes(const char *path)
{
    int64_t bytes = 0;
    static const char *const ends[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        char name[512];
        struct stat info;
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        if (!stat(name, &info)) bytes += info.st_size;
    }
    return bytes;
}

static void die(const char *what, const Diag *diag)
{
    (void)fprintf(stderr, "history: %s: %s\n", what, diag ? diag->text : "");
    exit(1);
}

/* ---- both stores ---- */

typedef struct Bench {
    Store *store;
    SeriesWork *work;
    SeriesPoint *points;
    Plant plant;
    uint32_t count, batch;
    bool rows, rolled, noise, more;
    int64_t series, from_ns, to_ns, width_ns;
    uint64_t seen; /* points that a question looked at */
    double sum;
    int64_t buckets, bucket;
} Bench;

static Status write_rows(StoreConn *conn, const Bench *bench, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st =
        store_prepare(conn, "INSERT OR REPLACE INTO rows VALUES(?1, ?2, ?3, ?4)", &stmt, diag);
    for (uint32_t i = 0; i < bench->count && !st; i++) {
        const SeriesPoint *point = &bench->points[i];
        store_bind_int(stmt, 1, point->series);
        store_bind_int(stmt, 2, point->t_ns);
        store_bind_number(stmt, 3, point->value);
        store_bind_int(stmt, 4, point->quality);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

static Status write_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bench *bench = ctx;
    for (uint32_t i = 0; i < bench->count; i++)
        bench->points[i] = bench->noise ? noise_point(&bench->plant) : plant_point(&bench->plant);
    if (bench->rows) return write_rows(conn, bench, diag);
    return series_write(conn, bench->work, bench->points, bench->count, diag);
}

static Status tidy_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bench *bench = ctx;
    return series_tidy(conn, bench->work, &bench->more, diag);
}

static Status policy_of(void *ctx, StoreConn *conn, int64_t series, SeriesPolicy *ret, Diag *diag)
{
    (void)ctx;
    (void)conn;
    (void)series;
    (void)diag;
    *ret = (SeriesPolicy){INT64_MAX, {INT64_MAX, INT64_MAX}};
    return ST_OK;
}

static Status roll_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bench *bench = ctx;
    Status st = ST_OK;
    bench->more = true; /* all in one commit, as the namespace does for some milliseconds */
    while (!st && bench->more)
        st = series_roll(conn, bench->work, policy_of, NULL, &bench->more, diag);
    return st;
}

static bool take_point(void *ctx, int64_t t_ns, double value, uint8_t quality)
{
    Bench *bench = ctx;
    int64_t bucket = (t_ns - bench->from_ns) / bench->width_ns;
    (void)quality;
    if (bucket != bench->bucket) {
        bench->bucket = bucket;
        bench->buckets++;
    }
    bench->sum += value;
    bench->seen++;
    return true;
}

static Status ask_rows(StoreConn *conn, Bench *bench, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st = store_prepare(conn,
                              "SELECT t, v, q FROM rows WHERE series = ?1 AND t >= ?2 AND t <= ?3"
                              " ORDER BY t",
                              &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, bench->series);
    store_bind_int(stmt, 2, bench->from_ns);
    store_bind_int(stmt, 3, bench->to_ns);
    while (!(st = store_step(stmt, &row, diag)) && row)
        (void)take_point(bench, store_int(stmt, 0), store_number(stmt, 1),
                         (uint8_t)store_int(stmt, 2));
    return st;
}

static Status ask_job(StoreConn *conn, void *ctx, Diag *diag)
{
    Bench *bench = ctx;
    SeriesVisitor visitor = {take_point, NULL, bench};
    bench->bucket = -1;
    if (bench->rows) return ask_rows(conn, bench, diag);
    return series_scan(conn, bench->work, bench->series, bench->from_ns, bench->to_ns, &visitor,
                       diag);
}

static void run(Bench *bench, StoreJobFn *job, const char *what)
{
    Diag diag = {0};
    if (store_run_now(bench->store, job, bench, &diag)) die(what, &diag);
}

/* Milliseconds of one question about `series_count` series, the median of 9. */
static double ask(Bench *bench, uint32_t series_count, int64_t from_ns, int64_t to_ns,
                  int64_t width_ns)
{
    double ms[9];
    for (int k = 0; k < 9; k++) {
        int64_t begin = clock_monotonic_ns();
        bench->from_ns = from_ns;
        bench->to_ns = to_ns;
        bench->width_ns = width_ns;
        for (uint32_t i = 0; i < series_count; i++) {
            bench->series = 1 + (series_count == 1 ? k : (int64_t)i);
            run(bench, ask_job, "asking");
        }
        ms[k] = (double)(clock_monotonic_ns() - begin) / 1e6;
        for (int i = k; i > 0 && ms[i] < ms[i - 1]; i--) {
            double other = ms[i];
            ms[i] = ms[i - 1];
            ms[i - 1] = other;
        }
    }
    return ms[4];
}

static void store_bench(Bench *bench, uint64_t points, const char *path)
{
    static const StoreMigration tables[] = {
        {1, "both",
         SERIES_SCHEMA_SQL SERIES_ROLL_SQL SERIES_NEWEST_SQL
         "CREATE TABLE rows(series INTEGER NOT NULL, t INTEGER NOT NULL,"
         " v REAL NOT NULL, q INTEGER NOT NULL, PRIMARY KEY(series, t))"
         " WITHOUT ROWID;"},
        {0, NULL, NULL}};
    Loop *loop;
    Diag diag = {0};
    if (loop_new(&loop) ||
        store_sqlite_open_paged(loop, path, bench->rows ? 0 : SERIES_PAGE_BYTES, &bench->store,
                                &diag) ||
        store_migrate(bench->store, "bench", tables, &diag))
        die(path, &diag);
    double begin = cpu_s();
    for (uint64_t done = 0; done < points; done += bench->count) {
        bench->count = points - done < bench->batch ? (uint32_t)(points - done) : bench->batch;
        run(bench, write_job, "writing");
        do run(bench, tidy_job, "tidying");
        while (bench->more);
        if (!bench->rolled) continue;
        run(bench, roll_job, "rolling up");
    }
    double cpu = cpu_s() - begin;
    int64_t end_ns = start_ns + (bench->plant.second - 1) * NS_PER_S;
    int64_t hour_ns = end_ns - HOUR_S * NS_PER_S + 1, span = end_ns - start_ns;
    double one = ask(bench, 1, hour_ns, end_ns, 60 * NS_PER_S);
    double all = ask(bench, SERIES, hour_ns, end_ns, 60 * NS_PER_S);
    double whole = ask(bench, 1, start_ns, end_ns, span / 1000 + 1);
    store_close(bench->store);
    loop_free(loop);
    (void)printf("%-8s %9.0f points/CPU s  %6.2f bytes/point  hour of one %7.3f ms  of all %8.3f ms"
                 "  whole %8.3f ms\n",
                 bench->rows     ? "rows"
                 : bench->rolled ? "rolled"
                                 : "series",
                 (double)points / cpu, (double)file_bytes(path) / (double)points, one, all, whole);
}

static Status names_job(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt;
    bool row;
    Status st =
        store_prepare(conn, "INSERT INTO series(id, path) VALUES(?1, 'bench/' || ?2)", &stmt, diag);
    (void)ctx;
    for (int i = 0; i < SERIES && !st; i++) {
        store_bind_int(stmt, 1, NOISE_FIRST + i);
        store_bind_int(stmt, 2, i + 1);
        st = store_step(stmt, &row, diag);
    }
    return st;
}

static void noise_fill(Bench *bench, uint64_t points, const char *path)
{
    Loop *loop;
    Diag diag = {0};
    bench->plant.noise_ns = clock_wall_ns() - (int64_t)(points / SERIES) * NOISE_STEP_NS;
    if (loop_new(&loop) ||
        store_sqlite_open_paged(loop, path, SERIES_PAGE_BYTES, &bench->store, &diag))
        die(path, &diag);
    run(bench, names_job, "naming");
    for (uint64_t done = 0; done < points; done += bench->count) {
        bench->count = points - done < bench->batch ? (uint32_t)(points - done) : bench->batch;
        run(bench, write_job, "writing");
        do run(bench, tidy_job, "tidying");
        while (bench->more);
    }
    store_close(bench->store);
    loop_free(loop);
    (void)printf("noise    %.2f bytes/point\n", (double)file_bytes(path) / (double)points);
}

/* ---- line protocol ---- */

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = write(fd, bytes, len);
        if (sent <= 0) die("sending", NULL);
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void read_answer(int fd)
{
    char text[4096];
    size_t len = 0;
    do {
        ssize_t got = read(fd, text + len, sizeof text - 1 - len);
        if (got <= 0) die("no answer", NULL);
        len += (size_t)got;
        text[len] = 0;
    } while (!strstr(text, "\r\n\r\n"));
    if (strncmp(text + 9, "204", 3) != 0) die(text, NULL);
}

static void lines_bench(Bench *bench, uint64_t points, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    size_t room = (size_t)bench->batch * LINE_BYTES;
    char *body = mem_alloc(room);
    if (fd < 0 || !body || connect(fd, (void *)&to, sizeof to)) die("connecting", NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (uint64_t done = 0; done < points;) {
        size_t len = 0;
        char head[200];
        for (uint32_t i = 0; i < bench->batch && done < points; i++, done++) {
            SeriesPoint point = plant_point(&bench->plant);
            int digits = (point.series - 1) % 10 == 9 ? 17 : 12;
            len += (size_t)snprintf(body + len, room - len, "p,tag=t%lld v=%.*g %lld\n",
                                    (long long)point.series, digits, point.value,
                                    (long long)(point.t_ns / NS_PER_MS));
        }
        int head_len = snprintf(head, sizeof head,
                                "POST /write?db=b&precision=ms HTTP/1.1\r\nHost: l\r\n"
                                "Content-Length: %zu\r\n\r\n",
                                len);
        send_all(fd, head, (size_t)head_len);
        send_all(fd, body, len);
        read_answer(fd);
    }
    (void)close(fd);
    mem_free(body);
}

/* Each batch is a transaction of its own. */
static void copy_bench(Bench *bench, uint64_t points)
{
    for (uint64_t done = 0; done < points;) {
        (void)puts("COPY points(series, t, value, quality) FROM STDIN;");
        for (uint32_t i = 0; i < bench->batch && done < points; i++, done++) {
            SeriesPoint point = plant_point(&bench->plant);
            (void)printf("%lld\t%lld\t%.17g\t0\n", (long long)point.series, (long long)point.t_ns,
                         point.value);
        }
        (void)puts("\\.");
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr,
                      "history series|rolled|noise|rows|lines|copy POINTS BATCH FILE|PORT|-\n");
        return 2;
    }
    Bench bench = {.rows = strcmp(argv[1], "rows") == 0};
    uint64_t points = strtoull(argv[2], NULL, 10);
    bench.batch = (uint32_t)strtoul(argv[3], NULL, 10);
    if (!bench.batch || bench.batch > SERIES_BATCH_POINTS_MAX || !points) return 2;
    bench.points = mem_alloc(bench.batch * sizeof *bench.points);
    bench.work = series_work_new();
    if (!bench.points || !bench.work) return 1;
    plant_init(&bench.plant);
    bench.rolled = strcmp(argv[1], "rolled") == 0;
    bench.noise = strcmp(argv[1], "noise") == 0;
    if (strcmp(argv[1], "copy") == 0)
        copy_bench(&bench, points);
    else if (strcmp(argv[1], "lines") == 0)
        lines_bench(&bench, points, (uint16_t)strtoul(argv[4], NULL, 10));
    else if (bench.noise)
        noise_fill(&bench, points, argv[4]);
    else
        store_bench(&bench, points, argv[4]);
    series_work_free(bench.work);
    mem_free(bench.points);
    return 0;
}
