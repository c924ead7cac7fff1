/* runtime/module/gateway.h: the HTTP edge: from requests to ops on the bus, without business logic.
 *
 * The gateway reads the modules' tables from the host. A route names an op; path, query and body
 * become the op's input object, cookie or bearer token become the BusCaller, the answer's Status
 * becomes the HTTP code. Besides that it serves /healthz, /readyz, /metrics, the OpenAPI
 * description, the embedded pages, and carries two kinds of sockets: /ws for the websocket
 * module (over the bus, see docs/api-live.md) and /mqtt for the embedded broker.
 * Until an administrator exists only loopback may connect. Everything runs on the loop. */
#ifndef TUTTI_MODULE_GATEWAY_H
#define TUTTI_MODULE_GATEWAY_H

#include "base/log.h"
#include "bus/bus.h"
#include "loop/loop.h"
#include "module/host.h"
#include "tls/tls.h"

struct MqttBroker;

typedef struct Gateway Gateway;

typedef struct GatewayConf {
    Loop *loop;
    Bus *bus;
    Host *host; /* opened; must live until gateway_close is done */
    Log *log;
    struct MqttBroker *broker; /* NULL: /mqtt answers 404 */
    const char *address;       /* "127.0.0.1:8080"; port 0 takes a free one */
    const char *tls_address;   /* of a second listener, with TLS; NULL = none */
    TlsConf tls;               /* its files; looked at once a minute */
    const char *version;       /* of the program, for /api/v1/system */
    const char *mode;          /* "lite" or "enterprise" */
    uint32_t sockets_max;      /* /ws at the same time; 0 = 1024 */
} GatewayConf;

/* Listens at once. ret_port may be NULL. Strings of conf are lent until close. */
MUST Status gateway_open(const GatewayConf *conf, Gateway **ret_gateway, uint16_t *ret_port,
                         Diag *diag);
/* Stops accepting, finishes running requests (at most grace_ms), closes sockets with 1001, then
 * frees and calls done(ctx) on a later turn. To be called while the modules still answer. */
void gateway_close(Gateway *gateway, uint32_t grace_ms, LoopFn *done, void *ctx);

#endif
