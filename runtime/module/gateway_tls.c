/* runtime/module/gateway_tls.c: pages, API and both kinds of WebSockets over TLS.
 *
 * A second listener of the same server: what is said over it is the same. The certificate's files
 * are looked at once a minute, as those of the broker are; what cannot be used is logged, and the
 * old one stays. */
#include "module/gateway_int.h"

#include "base/clock.h"

enum { LOOK_EVERY_MS = 60000 };

static void on_look(void *ctx)
{
    Gateway *gateway = ctx;
    int64_t written = tls_files_written_ns(&gateway->conf.tls);
    TlsServer *tls = NULL;
    Diag diag = {0};
    if (written == gateway->tls_written_ns) return;
    gateway->tls_written_ns = written;
    if (tls_server_new(&gateway->conf.tls, &tls, &diag)) {
        log_error(gateway->conf.log, "http", "the new certificate is not used, the old one stays",
                  "error=%s", diag.text);
        return;
    }
    http_server_renew_tls(gateway->http, tls);
    log_info(gateway->conf.log, "http", "new connections get the new certificate", "file=%s",
             gateway->conf.tls.cert_file);
}

Status gateway__tls_open(Gateway *gateway, Diag *diag)
{
    const GatewayConf *conf = &gateway->conf;
    TlsServer *tls = NULL;
    uint16_t port = 0;
    if (!conf->tls_address) return ST_OK;
    if (!conf->tls.cert_file || !conf->tls.key_file)
        return diag_set(diag, ST_INVALID,
                        "TUTTI_HTTP_TLS is set: name the PEM files in TUTTI_HTTP_TLS_CERT and "
                        "TUTTI_HTTP_TLS_KEY too");
    gateway->tls_written_ns = tls_files_written_ns(&conf->tls);
    Status st = tls_server_new(&conf->tls, &tls, diag);
    if (!st) st = http_server_listen_tls(gateway->http, conf->tls_address, tls, &port, diag);
    if (st) return st;
    log_info(conf->log, "http", "listens with TLS", "port=%u", port);
    return loop_timer_start(conf->loop, LOOK_EVERY_MS, LOOK_EVERY_MS, on_look, gateway,
                            &gateway->tls_timer);
}

void gateway__tls_close(Gateway *gateway)
{
    loop_timer_stop(gateway->tls_timer);
    gateway->tls_timer = NULL;
}
