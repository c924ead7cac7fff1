/* runtime/modules/sparkplug/sparkplug_value.c: what a metric is in the namespace.
 *
 * A value is published in this process under its path, as any client would: it meets schemas,
 * history, alarms and pipelines there. One that was measured while nobody listened (is_historical)
 * goes to the history only and leaves the last value alone. Members of a template stand below it;
 * lists, DataSets and what else is no single value are the text of their JSON. */
#include "modules/sparkplug/sparkplug_int.h"

#include "base/rfc3339.h"

enum {
    VALUE_BYTES_MAX = 256 * 1024,
    HISTORY_PART_BYTES = 384 * 1024, /* of one request */
    UNITS_PART_BYTES = 256 * 1024,
};

/* Quality codes of Sparkplug 3.0, 6.4.15: 192 good, 500 stale, 0 bad. */
static const char *quality_of(const SpMetric *metric)
{
    uint32_t type;
    SpValue value;
    int64_t code;
    if (metric->null) return "bad";
    if (!metric->set.len || !sp_property(metric->set, "Quality", &type, &value)) return "good";
    if (!sp_value_int(type, &value, &code)) return "uncertain";
    return code == 192 ? "good" : code == 0 ? "bad" : "uncertain";
}

static void put_time(Buf *out, int64_t ms)
{
    char text[RFC3339_BYTES];
    int64_t ns;
    if (__builtin_mul_overflow(ms, NS_PER_MS, &ns)) return;
    buf_add(out, text, (size_t)(rfc3339_put(text, ns) - text));
}

static void put_plain(Buf *out, uint32_t type, const SpMetric *metric)
{
    JsonOut json;
    json_out_init(&json, out);
    if (metric->null)
        json_put_null(&json);
    else
        sp_put_json(&json, type, &metric->value);
}

/* Lists and the like as text, so that they are a value. */
static void put_value(Buf *out, uint32_t type, const SpMetric *metric)
{
    AUTO_BUF Buf inner = {0};
    JsonOut json;
    if (metric->null || sp_type_scalar(type) || type == SP_BYTES || type == SP_FILE) {
        put_plain(out, type, metric);
        return;
    }
    buf_init(&inner, VALUE_BYTES_MAX);
    put_plain(&inner, type, metric);
    json_out_init(&json, out);
    if (buf_status(&inner))
        out->failed = inner.failed;
    else
        json_put_str(&json, buf_view(&inner));
}

static void publish(Sparkplug *self, Str path, uint32_t type, const SpMetric *metric, int64_t ts_ms)
{
    Diag diag = {0};
    Buf *out = &self->text;
    buf_clear(out);
    buf_text(out, "{\"value\":");
    put_value(out, type, metric);
    buf_printf(out, ",\"quality\":\"%s\",\"time\":\"", quality_of(metric));
    put_time(out, ts_ms);
    buf_text(out, "\"}");
    MqttPub pub = {.topic = path, .payload = buf_view(out), .received_ns = self->last_ns};
    Status st = buf_status(out);
    if (!st) st = mqtt_broker_publish(self->env->broker, &pub, &diag);
    if (!st) {
        self->values++;
        return;
    }
    self->refused++;
    if (!(self->refused & (self->refused - 1)))
        log_warn(self->env->log, "sparkplug", "a value is not in the namespace",
                 "path=%.*s refused=%llu reason=%s", STR_ARG(path),
                 (unsigned long long)self->refused, st == ST_LIMIT ? "it is too large" : diag.text);
}

/* A line of CSV for uns.import, which knows numbers and truths. */
static void late(Sparkplug *self, Str path, uint32_t type, const SpMetric *metric, int64_t ts_ms)
{
    Buf *out = &self->history;
    size_t start = out->len;
    bool number = sp_type_scalar(type) && metric->value.form != SP_IN_STRING && type != SP_DATETIME;
    if (metric->null || !number) return; /* the history has none of these */
    buf_char(out, '"');
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '"') buf_char(out, '"');
        buf_char(out, path.ptr[i]);
    }
    buf_text(out, "\",");
    put_time(out, ts_ms);
    buf_char(out, ',');
    put_plain(out, type, metric);
    buf_printf(out, ",%s\n", quality_of(metric));
    if (!out->failed) {
        self->historical++;
        return;
    }
    out->failed = ST_OK;
    out->len = start;
    self->historical_lost++;
    if (!(self->historical_lost & (self->historical_lost - 1)))
        log_warn(self->env->log, "sparkplug", "late values are lost: too many wait for the history",
                 "lost=%llu", (unsigned long long)self->historical_lost);
}

static void take(Sparkplug *self, Str path, uint32_t type, const SpMetric *metric, int64_t ts_ms,
                 bool historical, uint32_t level)
{
    char room[SP_PATH_BYTES_MAX];
    SpMetric member;
    Str below;
    if (metric->value.form != SP_IN_TEMPLATE || metric->null) {
        if (historical)
            late(self, path, type, metric, ts_ms);
        else
            publish(self, path, type, metric, ts_ms);
        return;
    }
    SpTemplate is = sp_template(metric->value.bytes);
    SpWalk walk = sp_template_metrics(&is);
    while (level < SP_LEVELS_MAX && sp_metric_next(&walk, &member)) {
        if (!member.name.len ||
            !sp_path(room, path, STR_NONE, STR_NONE, STR_NONE, member.name, &below))
            continue;
        int64_t ts = member.ts_ms != SP_NO_TIME ? member.ts_ms : ts_ms;
        take(self, below, member.type, &member, ts, historical || member.historical, level + 1);
    }
}

void sparkplug__value(void *ctx, const SpSample *sample)
{
    take(ctx, sample->def->path, sample->type, sample->metric, sample->ts_ms,
         sample->metric->historical, 0);
}

/* ---- late values ---- */

static void on_history(Sparkplug *self, Status status, Str body)
{
    self->history_busy = false;
    if (status)
        log_error(self->env->log, "sparkplug", "late values are not in the history", "reason=%.*s",
                  STR_ARG(body));
}

void sparkplug__history_flush(Sparkplug *self)
{
    Buf body;
    JsonOut out;
    AUTO_BUF Buf csv = {0};
    if (self->history_busy || !self->history.len) return;
    size_t len = self->history.len;
    if (len > HISTORY_PART_BYTES)
        for (len = HISTORY_PART_BYTES; self->history.ptr[len - 1] != '\n';) len--;
    buf_init(&csv, HISTORY_PART_BYTES + 64);
    buf_text(&csv, "path,time,value,quality\n");
    buf_add(&csv, self->history.ptr, len);
    buf_consume(&self->history, len);
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "csv", buf_view(&csv));
    json_end(&out);
    self->history_busy = sparkplug__call(self, "uns.import", &body, on_history);
}

/* ---- units ---- */

static void on_units(Sparkplug *self, Status status, Str body)
{
    if (status)
        log_warn(self->env->log, "sparkplug", "units of metrics are not in the namespace",
                 "reason=%.*s", STR_ARG(body));
}

static void send_units(Sparkplug *self, Buf *nodes)
{
    Buf body;
    JsonOut out;
    buf_text(nodes, "]}");
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "format", "json");
    json_field_str(&out, "text", buf_view(nodes));
    json_end(&out);
    (void)sparkplug__call(self, "uns.names_import", &body, on_units);
    buf_clear(nodes);
}

static Str unit_of(const SpMetric *metric)
{
    uint32_t type;
    SpValue value;
    if (!metric->set.len || !sp_property(metric->set, "engUnit", &type, &value) ||
        value.form != SP_IN_STRING || value.bytes.len > 64 || !str_utf8_valid(value.bytes))
        return STR_NONE;
    return value.bytes;
}

static uint64_t units_mark(const SpPayload *payload)
{
    SpMetric metric;
    uint64_t mark = 1;
    SpWalk walk = sp_metrics(payload);
    while (sp_metric_next(&walk, &metric)) {
        Str unit = unit_of(&metric);
        uint64_t three[] = {mark, unit.len ? hash_bytes(unit.ptr, unit.len) : 0,
                            metric.name.len ? hash_bytes(metric.name.ptr, metric.name.len) : 0};
        if (unit.len) mark = hash_bytes(three, sizeof three);
    }
    return mark;
}

/* engUnit of each metric becomes the unit of its name, when a birth says another than the last. */
void sparkplug__units(Sparkplug *self, SpUnit *unit, const SpPayload *payload)
{
    AUTO_BUF Buf nodes = {0};
    SpMetric metric;
    JsonOut out;
    uint64_t mark = units_mark(payload);
    SpWalk walk = sp_metrics(payload);
    if (mark == unit->mark) return;
    unit->mark = mark;
    buf_init(&nodes, 2 * UNITS_PART_BYTES);
    while (sp_metric_next(&walk, &metric)) {
        Str text = unit_of(&metric);
        const SpDef *def = sp_unit_def(unit, metric.name);
        if (!text.len || !def || def->hidden) continue;
        buf_text(&nodes, nodes.len ? "," : "{\"nodes\":[");
        json_out_init(&out, &nodes);
        json_begin_object(&out);
        json_field_str(&out, "path", def->path);
        json_field_str(&out, "unit", text);
        json_end(&out);
        if (nodes.len > UNITS_PART_BYTES) send_units(self, &nodes);
    }
    if (nodes.len) send_units(self, &nodes);
}
