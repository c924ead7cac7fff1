/* runtime/module/metrics.c: the Prometheus text format: heads, samples, escapes. */
#include "module/metrics.h"

#include "base/json.h"

static void put_name(Buf *out, Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9' && i > 0;
        buf_char(out, letter || digit ? c : '_');
    }
}

static void put_escaped(Buf *out, Str text, bool quotes)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n')
            buf_text(out, "\\n");
        else if (c == '\\' || (quotes && c == '"'))
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

static void put_value(Buf *out, double value)
{
    JsonOut number; /* the shortest text that reads back is what JSON writes too */
    json_out_init(&number, out);
    buf_char(out, ' ');
    json_put_number(&number, value);
    buf_char(out, '\n');
}

void metrics_head(Buf *out, MetricKind kind, Str name, Str help)
{
    buf_text(out, "# HELP ");
    put_name(out, name);
    buf_char(out, ' ');
    put_escaped(out, help, false);
    buf_text(out, "\n# TYPE ");
    put_name(out, name);
    buf_text(out, kind == METRIC_COUNTER ? " counter\n" : " gauge\n");
}

void metrics_put(Buf *out, MetricKind kind, Str name, Str help, double value)
{
    metrics_head(out, kind, name, help);
    put_name(out, name);
    put_value(out, value);
}

void metrics_put_label(Buf *out, Str name, const char *label, Str label_value, double value)
{
    put_name(out, name);
    buf_printf(out, "{%s=\"", label);
    put_escaped(out, label_value, true);
    buf_text(out, "\"}");
    put_value(out, value);
}
