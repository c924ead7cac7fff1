/* runtime/base/log.c: formats a line once, writes it with one write(2), hands it to the sink.
 *
 * Control characters in the detail become \xHH, so what a peer sends cannot break the line or
 * drive a terminal. A line longer than LINE_BYTES is cut. */
#include "base/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, DETAIL_BYTES = 1024 };

struct Log {
    pthread_mutex_t lock;
    LogLevel least;
    bool json;
    LogSinkFn *sink;
    void *sink_ctx;
};

Log *log_new(LogLevel least, bool json)
{
    Log *log = mem_zalloc(1, sizeof *log);
    if (!log) return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->least = least;
    log->json = json;
    return log;
}

void log_free(Log *log)
{
    if (!log) return;
    pthread_mutex_destroy(&log->lock);
    mem_free(log);
}

void log_set_sink(Log *log, LogSinkFn *fn, void *ctx)
{
    pthread_mutex_lock(&log->lock);
    log->sink = fn;
    log->sink_ctx = ctx;
    pthread_mutex_unlock(&log->lock);
}

void log_set_level(Log *log, LogLevel least)
{
    log->least = least;
}

const char *log_level_name(LogLevel level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

/* Copies text with control characters made visible; returns the bytes written. */
static size_t escape(char *to, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (; *text && len + 4 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            to[len++] = (char)c;
            continue;
        }
        to[len++] = '\\';
        to[len++] = 'x';
        to[len++] = hex[c >> 4];
        to[len++] = hex[c & 15];
    }
    to[len] = '\0';
    return len;
}

/* JSON needs quotes and backslashes escaped as well. */
static size_t escape_json(char *to, size_t room, Str text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len + 2 < room; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') to[len++] = '\\';
        to[len++] = text.ptr[i];
    }
    to[len] = '\0';
    return len;
}

static void print_line(const Log *log, const LogLine *line)
{
    char out[LINE_BYTES + 2], stamp[40], quoted[DETAIL_BYTES * 2];
    time_t seconds = (time_t)(line->wall_ns / NS_PER_S);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    int ms = (int)(line->wall_ns / NS_PER_MS % 1000), len;
    if (log->json) {
        escape_json(quoted, sizeof quoted, line->detail);
        len = snprintf(out, LINE_BYTES,
                       "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"module\":\"%s\","
                       "\"message\":\"%s\",\"detail\":\"%s\"}",
                       stamp, ms, log_level_name(line->level), line->module, line->message, quoted);
    } else {
        len = snprintf(out, LINE_BYTES, "%s.%03dZ %-5s %-10s %s%s%.*s", stamp, ms,
                       log_level_name(line->level), line->module, line->message,
                       line->detail.len ? "  " : "", STR_ARG(line->detail));
    }
    if (len < 0) return;
    if (len >= LINE_BYTES) len = LINE_BYTES - 1;
    out[len++] = '\n';
    if (write(STDERR_FILENO, out, (size_t)len) < 0) return; /* nobody left to tell */
}

void log_write(Log *log, LogLevel level, const char *module, const char *message,
               const char *format, ...)
{
    if (!log || level < log->least) return;
    char raw[DETAIL_BYTES], detail[DETAIL_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    size_t len = escape(detail, sizeof detail, raw);
    LogLine line = {clock_wall_ns(), level, module, message, {detail, len}};
    pthread_mutex_lock(&log->lock);
    print_line(log, &line);
    if (log->sink) log->sink(log->sink_ctx, &line);
    pthread_mutex_unlock(&log->lock);
}
