/* runtime/modules/mqtt/secure.c: the broker's TLS listener. */
#include "modules/mqtt/mqtt_int.h"

static void on_renewed(void *ctx, TlsServer *tls)
{
    mqtt_broker_renew_tls(((Door *)ctx)->env->broker, tls);
}

Status door__listen_tls(Door *door, Diag *diag)
{
    const DoorConf *conf = door->conf;
    TlsServer *tls = NULL;
    uint16_t port = 0;
    if (!conf->tls.len) return ST_OK;
    if (!conf->tls_cert.len || !conf->tls_key.len)
        return diag_set(diag, ST_INVALID,
                        "TUTTI_MQTT_TLS is set: name the PEM files in TUTTI_MQTT_TLS_CERT and "
                        "TUTTI_MQTT_TLS_KEY too");
    const char *client_ca = conf->tls_client_ca.len ? conf->tls_client_ca.ptr : NULL;
    door->tls_watch = (TlsWatch){.files = {.cert_file = conf->tls_cert.ptr,
                                           .key_file = conf->tls_key.ptr,
                                           .client_ca_file = client_ca,
                                           .client_required = conf->tls_client_required},
                                 .log = door->env->log,
                                 .who = "mqtt",
                                 .renew = on_renewed,
                                 .ctx = door};
    Status st = tls_watch_server(&door->tls_watch, &tls, diag);
    if (!st) st = mqtt_broker_listen_tls(door->env->broker, conf->tls.ptr, tls, &port, diag);
    if (st) return st;
    log_info(door->env->log, "mqtt", "listens with TLS", "port=%u", port);
    return tls_watch_start(&door->tls_watch, door->env->loop, TLS_WATCH_EVERY_MS);
}
