/* runtime/module/gateway_tls.c: pages, API and both kinds of WebSockets over TLS.
 *
 * A second listener of the same server: what is said over it is the same. */
#include "module/gateway_int.h"

static void on_renewed(void *ctx, TlsServer *tls)
{
    http_server_renew_tls(((Gateway *)ctx)->http, tls);
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
    gateway->tls_watch = (TlsWatch){
        .files = conf->tls, .log = conf->log, .who = "http", .renew = on_renewed, .ctx = gateway};
    Status st = tls_watch_server(&gateway->tls_watch, &tls, diag);
    if (!st) st = http_server_listen_tls(gateway->http, conf->tls_address, tls, &port, diag);
    if (st) return st;
    log_info(conf->log, "http", "listens with TLS", "port=%u", port);
    return tls_watch_start(&gateway->tls_watch, conf->loop, TLS_WATCH_EVERY_MS);
}

void gateway__tls_close(Gateway *gateway)
{
    tls_watch_stop(&gateway->tls_watch);
}
