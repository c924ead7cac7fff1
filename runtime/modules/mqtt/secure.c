/* runtime/modules/mqtt/secure.c: the broker's TLS listener, and certificates that are renewed.
 *
 * A certificate ends long before a plant does, so the files are looked at once a minute; new ones
 * hold for new connections. Files that cannot be used are reported and the old ones stay. */
#include "modules/mqtt/mqtt_int.h"

#include "base/clock.h"

enum { LOOK_EVERY_MS = 60000 };

static TlsConf files_of(const DoorConf *conf)
{
    return (TlsConf){.cert_file = conf->tls_cert.ptr,
                     .key_file = conf->tls_key.ptr,
                     .client_ca_file = conf->tls_client_ca.len ? conf->tls_client_ca.ptr : NULL,
                     .client_required = conf->tls_client_required};
}

static void on_look(void *ctx)
{
    Door *door = ctx;
    TlsConf files = files_of(door->conf);
    int64_t changed = tls_files_written_ns(&files);
    TlsServer *tls = NULL;
    Diag diag = {0};
    if (changed == door->tls_changed_ns) return;
    door->tls_changed_ns = changed;
    if (tls_server_new(&files, &tls, &diag)) {
        log_error(door->env->log, "mqtt", "the new certificate is not used, the old one stays",
                  "error=%s", diag.text);
        return;
    }
    mqtt_broker_renew_tls(door->env->broker, tls);
    log_info(door->env->log, "mqtt", "new connections get the new certificate", "file=%s",
             door->conf->tls_cert.ptr);
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
    TlsConf files = files_of(conf);
    door->tls_changed_ns = tls_files_written_ns(&files);
    Status st = tls_server_new(&files, &tls, diag);
    if (!st) st = mqtt_broker_listen_tls(door->env->broker, conf->tls.ptr, tls, &port, diag);
    if (st) return st;
    log_info(door->env->log, "mqtt", "listens with TLS", "port=%u", port);
    return loop_timer_start(door->env->loop, LOOK_EVERY_MS, LOOK_EVERY_MS, on_look, door,
                            &door->tls_timer);
}
