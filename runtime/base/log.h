/* runtime/base/log.h: structured log lines, key=value or JSON, one line an event.
 *
 * A Log has a level and one sink; log_set_sink replaces standard error by something else (the logs
 * module). Values are escaped, so no line can be forged by what it reports. Thread-safe.
 *   log_warn(log, "mqtt", "client refused", "client=%.*s reason=%s", STR_ARG(id), reason);      */
#ifndef TUTTI_BASE_LOG_H
#define TUTTI_BASE_LOG_H

#include "base/status.h"
#include "base/str.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

typedef struct LogLine {
    int64_t wall_ns;
    LogLevel level;
    const char *module;  /* "mqtt": a literal */
    const char *message; /* constant text of the event: a literal */
    Str detail;          /* "key=value key=value", already escaped; may be empty */
} LogLine;

typedef void LogSinkFn(void *ctx, const LogLine *line);
typedef struct Log Log;

Log *log_new(LogLevel least, bool json); /* writes to standard error; NULL when out of memory */
void log_free(Log *log);
/* Adds a second receiver beside standard error (NULL removes it). Called with a lock held, from
 * any thread: it must only copy the line somewhere. */
void log_set_sink(Log *log, LogSinkFn *fn, void *ctx);
void log_set_level(Log *log, LogLevel least);
const char *log_level_name(LogLevel level);

void log_write(Log *log, LogLevel level, const char *module, const char *message,
               const char *format, ...) PRINTF_LIKE(5, 6);
#define log_debug(log, module, ...) log_write(log, LOG_DEBUG, module, __VA_ARGS__)
#define log_info(log, module, ...)  log_write(log, LOG_INFO, module, __VA_ARGS__)
#define log_warn(log, module, ...)  log_write(log, LOG_WARN, module, __VA_ARGS__)
#define log_error(log, module, ...) log_write(log, LOG_ERROR, module, __VA_ARGS__)

#endif
