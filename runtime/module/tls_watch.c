/* runtime/module/tls_watch.c: see tls_watch.h. */
#include "module/tls_watch.h"

static void on_look(void *ctx)
{
    TlsWatch *watch = ctx;
    TlsServer *tls = NULL;
    Diag diag = {0};
    int64_t written = tls_files_written_ns(&watch->files);
    if (written == watch->written_ns) return;
    watch->written_ns = written;
    if (tls_server_new(&watch->files, &tls, &diag)) {
        log_error(watch->log, watch->who, "the new certificate is not used, the old one stays",
                  "error=%s", diag.text);
        return;
    }
    watch->renew(watch->ctx, tls);
    log_info(watch->log, watch->who, "new connections get the new certificate", "file=%s",
             watch->files.cert_file);
}

Status tls_watch_server(TlsWatch *watch, TlsServer **ret_tls, Diag *diag)
{
    watch->written_ns = tls_files_written_ns(&watch->files); /* first: they may change meanwhile */
    return tls_server_new(&watch->files, ret_tls, diag);
}

Status tls_watch_start(TlsWatch *watch, Loop *loop, uint64_t every_ms)
{
    return loop_timer_start(loop, every_ms, every_ms, on_look, watch, &watch->timer);
}

void tls_watch_stop(TlsWatch *watch)
{
    loop_timer_stop(watch->timer);
    watch->timer = NULL;
}
