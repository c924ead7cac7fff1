/* runtime/module/tls_watch.h: the certificate of a TLS listener, renewed while it listens.
 *
 * A certificate ends long before a plant does, so its files are looked at again and again; new ones
 * hold for new connections. Files that cannot be used are logged and the old ones stay. One watch
 * for each listener, in its owner's memory; all on the loop's thread. */
#ifndef TUTTI_MODULE_TLS_WATCH_H
#define TUTTI_MODULE_TLS_WATCH_H

#include "base/log.h"
#include "loop/loop.h"
#include "tls/tls.h"

enum { TLS_WATCH_EVERY_MS = 60000 };

/* The listener takes the server. */
typedef void TlsRenewFn(void *ctx, TlsServer *tls);

typedef struct TlsWatch {
    TlsConf files; /* its texts are the owner's */
    Log *log;
    const char *who; /* of the log lines */
    TlsRenewFn *renew;
    void *ctx;
    /* its own */
    LoopTimer *timer;
    int64_t written_ns; /* of the certificate's and the key's file, the later one */
} TlsWatch;

/* The first server, from the files as they are; what changes from now on will be seen. */
MUST Status tls_watch_server(TlsWatch *watch, TlsServer **ret_tls, Diag *diag);
MUST Status tls_watch_start(TlsWatch *watch, Loop *loop, uint64_t every_ms);
void tls_watch_stop(TlsWatch *watch); /* also one that was never started */

#endif
