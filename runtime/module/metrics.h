/* runtime/module/metrics.h: numbers in Prometheus' text format 0.0.4.
 *
 * A writer, not a registry: every owner keeps its own counters and they are written when asked for,
 * so nothing is counted twice and nothing costs while nobody looks. */
#ifndef TUTTI_MODULE_METRICS_H
#define TUTTI_MODULE_METRICS_H

#include "base/buf.h"

typedef enum MetricKind { METRIC_COUNTER, METRIC_GAUGE } MetricKind;

/* "# HELP", "# TYPE" and one sample. Name: [a-z_][a-z0-9_]*; others are written as '_'. */
void metrics_put(Buf *out, MetricKind kind, Str name, Str help, double value);
/* One more sample of the family written last, with one label; the value is escaped. */
void metrics_put_label(Buf *out, Str name, const char *label, Str label_value, double value);
void metrics_head(Buf *out, MetricKind kind, Str name, Str help);

#endif
