/* runtime/mqtt/link.h: a TCP or TLS connection to a server, kept alive: name, socket, next try.
 *
 * Knows no MQTT. Output gathers and leaves in few writes, nothing is allocated per message; when
 * the connection is lost, whatever waited is forgotten and the next try is planned, with back-off
 * and jitter. Everything on the loop's thread. */
#ifndef TUTTI_MQTT_LINK_H
#define TUTTI_MQTT_LINK_H

#include "base/buf.h"
#include "loop/loop.h"
#include "tls/tls.h"

typedef struct Link Link;

/* PEM files whose names end with a NUL; empty: see tls.h. */
typedef struct LinkFiles {
    Str ca, cert, key;
} LinkFiles;
/* As often as a connection is tried, for certificates end sooner than who uses them. */
MUST Status link_tls_new(const LinkFiles *files, TlsClient **ret_tls, Diag *diag);

typedef struct LinkConf {
    Str host;
    uint16_t port;
    TlsClient *tls;                          /* lent; NULL = plain */
    uint32_t connect_timeout_ms;             /* until link_accepted; 0 = 10 s */
    uint32_t backoff_min_ms, backoff_max_ms; /* 0 = 500 ms, doubling to 30 s, half of it random */
    void (*up)(void *ctx);                   /* bytes may be sent; not inside a call of the owner */
    void (*bytes)(void *ctx, const char *bytes, size_t len);
    void (*drained)(void *ctx); /* what waited has left */
    /* The connection is gone, or none came about. retry_ms: when the next one is tried. */
    void (*lost)(void *ctx, const char *reason, uint32_t retry_ms);
    bool (*may)(void *ctx); /* asked before a try; false: asked again soon */
    void *ctx;
} LinkConf;

/* The first try comes on a later turn. */
MUST Status link_open(Loop *loop, const LinkConf *conf, Link **ret_link);
/* What waits is sent as far as the socket takes it now. No callback after it. Not inside one. */
void link_close(Link *link); /* accepts NULL */
Buf *link_out(Link *link);   /* append, then link_flush */
void link_flush(Link *link);
size_t link_waiting(const Link *link);    /* bytes that the socket did not take yet */
void link_pause(Link *link, bool paused); /* stop reading */
/* The peer is content: the attempt's deadline is off. */
void link_accepted(Link *link);
/* Ends the connection; `soon`: the next try at once. Calls lost on a later turn. */
void link_drop(Link *link, const char *reason, bool soon);
/* Connections from now on are made with it. */
void link_tls(Link *link, TlsClient *tls);
int64_t link_heard_ns(const Link *link);

#endif
