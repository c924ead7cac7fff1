/* runtime/tls/tls.h: TLS 1.2 and 1.3 (RFC 5246, RFC 8446) without a socket: servers and clients.
 *
 * Renegotiation and compression are off. Everything of one TlsConn is on one thread. Errors are
 * said in words a person at the other end can use (tls_conn_error). */
#ifndef TUTTI_TLS_TLS_H
#define TUTTI_TLS_TLS_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

typedef struct TlsServer TlsServer;
typedef struct TlsClient TlsClient;
typedef struct TlsConn TlsConn;

enum { TLS_NAME_BYTES = 65 };

typedef struct TlsConf {
    const char *cert_file;      /* PEM: the certificate, then those that signed it */
    const char *key_file;       /* PEM, without password */
    const char *client_ca_file; /* PEM: who may sign clients' certificates; NULL: none is asked */
    bool client_required;       /* without a valid certificate the handshake fails */
} TlsConf;

/* When the certificate or its key was written last, nanoseconds; to be asked now and then, for they
 * end sooner than who uses them. */
int64_t tls_files_written_ns(const TlsConf *conf);
/* Reads the files. ST_INVALID names the file and what is wrong with it. */
MUST Status tls_server_new(const TlsConf *conf, TlsServer **ret_server, Diag *diag);
/* Connections made from it stay usable. Accepts NULL. */
void tls_server_free(TlsServer *server);

/* As a client: whom to trust, and who we are. Members may be NULL. */
typedef struct TlsClientConf {
    const char *ca_file; /* PEM: who may have signed the server's certificate; NULL: whom this
                            machine trusts */
    const char *cert_file, *key_file; /* PEM: our certificate, when the server asks for one */
} TlsClientConf;

/* Reads the files. ST_INVALID names the file and what is wrong with it. */
MUST Status tls_client_new(const TlsClientConf *conf, TlsClient **ret_client, Diag *diag);
/* Connections made from it stay usable. Accepts NULL. */
void tls_client_free(TlsClient *client);

/* NULL: out of memory. At most `wire_bytes_max` wait to be sent. */
TlsConn *tls_conn_new(TlsServer *server, size_t wire_bytes_max);
/* To a server whose certificate must be for `host`, a name or an address. What begins the handshake
 * is in tls_conn_wire at once. NULL: out of memory. */
TlsConn *tls_conn_to(TlsClient *client, const char *host, size_t wire_bytes_max);
bool tls_conn_up(const TlsConn *conn); /* the handshake is done: tls_conn_output may be called */
void tls_conn_free(TlsConn *conn);     /* accepts NULL */

typedef void TlsPlainFn(void *ctx, const char *bytes, size_t len);
/* Bytes of the wire in; fn is called for the plain ones, any number of times. ST_UNAVAILABLE: the
 * peer said that it ends; ST_INVALID: broken, see tls_conn_error. What has to be sent afterwards,
 * an alert too, is in tls_conn_wire. */
MUST Status tls_conn_input(TlsConn *conn, const char *bytes, size_t len, TlsPlainFn *fn, void *ctx);
/* Plain bytes to send; only after the handshake: tls_conn_up. */
MUST Status tls_conn_output(TlsConn *conn, const char *bytes, size_t len);
void tls_conn_end(TlsConn *conn);  /* says close_notify */
Buf *tls_conn_wire(TlsConn *conn); /* what has to be sent; the caller takes it out */
const char *tls_conn_error(const TlsConn *conn);
/* Common name of the client's certificate, which was checked; empty when it showed none. */
Str tls_conn_name(const TlsConn *conn);

#endif
