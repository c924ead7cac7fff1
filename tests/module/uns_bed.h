/* tests/module/uns_bed.h: the uns module under a host, on a local bus with an embedded broker. */
#ifndef TUTTI_TESTS_MODULE_UNS_BED_H
#define TUTTI_TESTS_MODULE_UNS_BED_H

#include "mod_bed.h"

#include "mqtt/broker.h"

extern const ModuleDef uns_module;
static const ModuleDef *const only_uns[] = {&uns_module, NULL};

typedef struct UnsBed {
    ModBed mod;
    MqttBroker *broker;
    int frames;
    Str frame; /* the last values frame, in mod.arena */
} UnsBed;

static void uns_host(UnsBed *bed)
{
    static const HostConf fast[] = {{"uns", "keep_every", "50ms"}, {0}};
    Diag diag = {0};
    HostOptions options = {.loop = bed->mod.loop,
                           .bus = bed->mod.bus,
                           .log = bed->mod.log,
                           .data_dir = bed->mod.dir,
                           .broker = bed->broker,
                           .modules = only_uns,
                           .conf = fast};
    Status st = host_open(&options, &bed->mod.host, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

static void uns_begin(UnsBed *bed)
{
    MqttBrokerConf conf = {0};
    *bed = (UnsBed){0};
    bed_begin(&bed->mod);
    CHECK_OK(mqtt_broker_open(bed->mod.loop, &conf, bed->mod.log, &bed->broker));
    uns_host(bed);
}

static void stop_loop(void *ctx)
{
    loop_stop(((ModBed *)ctx)->loop);
}

__attribute__((unused)) static void uns_drain_host(UnsBed *bed)
{
    host_drain(bed->mod.host, 5000, stop_loop, &bed->mod);
    bed_run(&bed->mod);
    bed_close_host(&bed->mod);
}

static void uns_end(UnsBed *bed)
{
    bed_close_host(&bed->mod);
    mqtt_broker_close(bed->broker, stop_loop, &bed->mod);
    bed_run(&bed->mod);
    bed_end(&bed->mod);
}

static void publish(UnsBed *bed, const char *topic, const char *payload)
{
    MqttPub pub = {.topic = str_from(topic), .payload = str_from(payload)};
    CHECK_OK(mqtt_broker_publish(bed->broker, &pub, NULL));
}

static const Json *ask(UnsBed *bed, const char *op, const char *body)
{
    Status st = bed_ask(&bed->mod, op, body);
    if (st) print_error("%s: %.*s\n", op, STR_ARG(bed->mod.body));
    CHECK_OK(st);
    return bed->mod.json;
}

#endif
