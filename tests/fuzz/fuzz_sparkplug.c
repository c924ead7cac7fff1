/* tests/fuzz/fuzz_sparkplug.c: any bytes as a payload of Sparkplug B, and as what many edge nodes
 * send to a host.
 *
 * What is read as a payload can be shown as JSON, and each of its metrics written is a payload
 * again that says the same. Messages for the host: a byte for topic and time, one for the length,
 * then so many bytes. */
#include "base/mem.h"
#include "sparkplug/host.h"

#include <assert.h>
#include <stdlib.h>

static void show(const SpMetric *metric, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    sp_put_json(&json, metric->type, &metric->value);
}

static void again(const SpMetric *metric)
{
    SpPayload payload;
    SpMetric read;
    Buf bytes, first, second;
    buf_init(&bytes, 1 << 20);
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    sp_put_metric(&bytes, metric);
    if (buf_status(&bytes)) abort();
    assert(!sp_payload_read(buf_view(&bytes), &payload, NULL) && payload.count == 1);
    SpWalk walk = sp_metrics(&payload);
    assert(sp_metric_next(&walk, &read));
    show(metric, &first);
    if (!metric->null) show(&read, &second);
    assert(metric->null || str_eq(buf_view(&first), buf_view(&second)));
    assert(str_eq(metric->name, read.name) && metric->type == read.type);
    buf_done(&bytes);
    buf_done(&first);
    buf_done(&second);
}

static void as_payload(Str bytes)
{
    SpPayload payload;
    SpMetric metric;
    SpValue value;
    uint32_t type, count = 0;
    if (sp_payload_read(bytes, &payload, NULL)) return;
    for (SpWalk walk = sp_metrics(&payload); sp_metric_next(&walk, &metric); count++) {
        (void)sp_property(metric.set, "Quality", &type, &value);
        again(&metric);
    }
    assert(count == payload.count);
}

static uint64_t seen;

static void on_value(void *ctx, const SpSample *sample)
{
    (void)ctx;
    Buf out;
    buf_init(&out, 1 << 20);
    show(sample->metric, &out);
    seen += out.len + sample->def->path.len;
    buf_done(&out);
}

static void on_born(void *ctx, const SpUnit *unit, const SpPayload *payload)
{
    (void)ctx;
    (void)payload;
    assert(unit->life == SP_ALIVE);
}

static void on_died(void *ctx, const SpUnit *unit)
{
    (void)ctx;
    assert(unit->life == SP_DEAD);
}

static void on_ask(void *ctx, const SpNode *node)
{
    (void)ctx;
    seen += node->key.len;
}

static void on_note(void *ctx, const SpTopic *topic, const char *why)
{
    (void)ctx;
    seen += topic->kind + strlen(why);
}

static void as_messages(Str bytes)
{
    static const SpHostFns fns = {on_value, on_born, on_died, on_ask, on_note};
    static const char *const topics[] = {
        "spBv1.0/G/NBIRTH/E",   "spBv1.0/G/NDATA/E",   "spBv1.0/G/NDEATH/E",
        "spBv1.0/G/DBIRTH/E/D", "spBv1.0/G/DDATA/E/D", "spBv1.0/G/DDEATH/E/D",
        "spBv1.0/G/DBIRTH/E/C", "spBv1.0/G/DDATA/E/C", "spBv1.0/G/NBIRTH/F",
        "spBv1.0/G/NDATA/F",    "spBv1.0/H/NBIRTH/F",  "spBv1.0/G/NCMD/E",
        "spBv1.0/H/DBIRTH/F/D", "spBv1.0/STATE/x",     "spBv1.0/G/DDATA/F/D",
        "spBv1.0/H/NDATA/F"};
    SpHostConf conf = {.nodes_max = 2, .devices_max = 3, .metrics_max = 64, .held_max = 5};
    SpHost *host = sp_host_new(&conf, &fns, NULL);
    if (!host) abort();
    int64_t now = 1;
    while (bytes.len >= 2) {
        uint8_t head = (uint8_t)bytes.ptr[0];
        size_t len = (uint8_t)bytes.ptr[1];
        bytes = str_skip(bytes, 2);
        if (len > bytes.len) len = bytes.len;
        sp_host_message(host, str_from(topics[head & 15]), str_slice(bytes.ptr, len), now);
        bytes = str_skip(bytes, len);
        now += (head >> 4) * 400;
        sp_host_tick(host, now);
    }
    sp_host_free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) return 0;
    char *bytes = mem_alloc(size); /* so that a byte too far is seen */
    if (!bytes) abort();
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        as_payload(str_slice(bytes, size - 1));
    else
        as_messages(str_slice(bytes, size - 1));
    mem_free(bytes);
    return 0;
}
