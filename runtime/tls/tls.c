/* runtime/tls/tls.c: OpenSSL between two memory BIOs. */
#include "tls/tls.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PLAIN_BYTES = 16384 };

struct TlsServer {
    SSL_CTX *ctx;
};

struct TlsClient {
    SSL_CTX *ctx;
};

struct TlsConn {
    SSL *ssl;
    BIO *in, *out; /* the SSL owns them */
    Buf wire;
    char name[TLS_NAME_BYTES], error[120];
    bool up;
};

/* OpenSSL's last reason, in its own words; empties its queue. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "no reason given";
}

static Status use_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, Diag *diag)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return diag_set(diag, ST_INVALID, "the certificate %s cannot be used: %s", cert_file,
                        reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) == 1) return ST_OK;
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return diag_set(diag, ST_INVALID, "the key %s is not the one of the certificate %s",
                        key_file, cert_file);
    return diag_set(diag, ST_INVALID, "the key %s cannot be used: %s", key_file, reason());
}

static Status use_files(SSL_CTX *ctx, const TlsConf *conf, Diag *diag)
{
    Status st = use_pair(ctx, conf->cert_file, conf->key_file, diag);
    if (st || !conf->client_ca_file) return st;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(conf->client_ca_file);
    if (!names || SSL_CTX_load_verify_locations(ctx, conf->client_ca_file, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return diag_set(diag, ST_INVALID, "the clients' authority %s cannot be used: %s",
                        conf->client_ca_file, reason());
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(
        ctx, SSL_VERIFY_PEER | (conf->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return ST_OK;
}

int64_t tls_files_written_ns(const TlsConf *conf)
{
    const char *const files[] = {conf->cert_file, conf->key_file};
    int64_t last = 0;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct stat at;
        if (stat(files[i], &at)) continue;
        int64_t ns = (int64_t)at.st_mtim.tv_sec * 1000000000 + at.st_mtim.tv_nsec;
        if (ns > last) last = ns;
    }
    return last;
}

Status tls_server_new(const TlsConf *conf, TlsServer **ret_server, Diag *diag)
{
    static const unsigned char context[] = "tutti";
    ERR_clear_error();
    TlsServer *server = mem_zalloc(1, sizeof *server);
    SSL_CTX *ctx = server ? SSL_CTX_new(TLS_server_method()) : NULL;
    if (!ctx) {
        mem_free(server);
        return diag_set(diag, ST_NO_MEMORY, "no memory for TLS");
    }
    server->ctx = ctx;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
    Status st = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1
                    ? use_files(ctx, conf, diag)
                    : diag_set(diag, ST_INTERNAL, "this OpenSSL has no TLS 1.2");
    if (st) {
        tls_server_free(server);
        return st;
    }
    *ret_server = server;
    return ST_OK;
}

void tls_server_free(TlsServer *server)
{
    if (!server) return;
    SSL_CTX_free(server->ctx); /* counted: connections hold it too */
    mem_free(server);
}

static Status trust(SSL_CTX *ctx, const TlsClientConf *conf, Diag *diag)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        return diag_set(diag, ST_INTERNAL, "this OpenSSL has no TLS 1.2");
    if (conf->ca_file && SSL_CTX_load_verify_locations(ctx, conf->ca_file, NULL) != 1)
        return diag_set(diag, ST_INVALID, "the authority %s cannot be used: %s", conf->ca_file,
                        reason());
    if (!conf->ca_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return diag_set(diag, ST_INVALID, "whom this machine trusts cannot be read: %s", reason());
    if (!conf->cert_file != !conf->key_file)
        return diag_set(diag, ST_INVALID, "a certificate needs its key, and a key its certificate");
    return conf->cert_file ? use_pair(ctx, conf->cert_file, conf->key_file, diag) : ST_OK;
}

Status tls_client_new(const TlsClientConf *conf, TlsClient **ret_client, Diag *diag)
{
    ERR_clear_error();
    TlsClient *client = mem_zalloc(1, sizeof *client);
    SSL_CTX *ctx = client ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (!ctx) {
        mem_free(client);
        return diag_set(diag, ST_NO_MEMORY, "no memory for TLS");
    }
    client->ctx = ctx;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    Status st = trust(ctx, conf, diag);
    if (st) {
        tls_client_free(client);
        return st;
    }
    *ret_client = client;
    return ST_OK;
}

void tls_client_free(TlsClient *client)
{
    if (!client) return;
    SSL_CTX_free(client->ctx); /* counted: connections hold it too */
    mem_free(client);
}

static TlsConn *conn_of(SSL_CTX *ctx, size_t wire_bytes_max)
{
    TlsConn *conn = mem_zalloc(1, sizeof *conn);
    if (!conn) return NULL;
    conn->ssl = SSL_new(ctx);
    conn->in = BIO_new(BIO_s_mem());
    conn->out = BIO_new(BIO_s_mem());
    if (!conn->ssl || !conn->in || !conn->out) {
        SSL_free(conn->ssl);
        BIO_free(conn->in);
        BIO_free(conn->out);
        mem_free(conn);
        return NULL;
    }
    (void)BIO_set_mem_eof_return(conn->in, -1); /* empty: more will come */
    SSL_set_bio(conn->ssl, conn->in, conn->out);
    buf_init(&conn->wire, wire_bytes_max);
    return conn;
}

TlsConn *tls_conn_new(TlsServer *server, size_t wire_bytes_max)
{
    TlsConn *conn = conn_of(server->ctx, wire_bytes_max);
    if (conn) SSL_set_accept_state(conn->ssl);
    return conn;
}

static void drain(TlsConn *conn);

TlsConn *tls_conn_to(TlsClient *client, const char *host, size_t wire_bytes_max)
{
    ERR_clear_error();
    TlsConn *conn = conn_of(client->ctx, wire_bytes_max);
    if (!conn) return NULL;
    SSL_set_connect_state(conn->ssl);
    /* An address stands in the certificate as one; names are also told to the server (SNI). */
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(conn->ssl), host) == 1;
    ERR_clear_error();
    if (!is_address &&
        (SSL_set1_host(conn->ssl, host) != 1 || SSL_set_tlsext_host_name(conn->ssl, host) != 1)) {
        tls_conn_free(conn);
        return NULL;
    }
    (void)SSL_do_handshake(conn->ssl); /* wants to read: what it says first is there now */
    ERR_clear_error();
    drain(conn);
    return conn;
}

bool tls_conn_up(const TlsConn *conn)
{
    return conn->up;
}

void tls_conn_free(TlsConn *conn)
{
    if (!conn) return;
    SSL_free(conn->ssl);
    buf_done(&conn->wire);
    mem_free(conn);
}

/* What OpenSSL wants to send goes to the wire. */
static void drain(TlsConn *conn)
{
    char *bytes;
    long len = BIO_get_mem_data(conn->out, &bytes);
    if (len <= 0) return;
    buf_add(&conn->wire, bytes, (size_t)len);
    (void)BIO_reset(conn->out);
}

static Status broken(TlsConn *conn, const char *text)
{
    drain(conn); /* the alert */
    long verdict = SSL_get_verify_result(conn->ssl);
    if (verdict != X509_V_OK && !SSL_is_server(conn->ssl))
        (void)snprintf(conn->error, sizeof conn->error, "the server's certificate: %s",
                       X509_verify_cert_error_string(verdict));
    else
        (void)snprintf(conn->error, sizeof conn->error, "%s", text);
    return ST_INVALID;
}

static void take_name(TlsConn *conn)
{
    X509 *cert = SSL_get1_peer_certificate(conn->ssl);
    if (!cert) return;
    char name[TLS_NAME_BYTES + 1];
    int len =
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    /* One with a NUL inside, or too long to be a user's, is no name. */
    if (SSL_get_verify_result(conn->ssl) == X509_V_OK && len > 0 && len < TLS_NAME_BYTES &&
        (size_t)len == strlen(name))
        memcpy(conn->name, name, (size_t)len + 1);
    X509_free(cert);
}

Status tls_conn_input(TlsConn *conn, const char *bytes, size_t len, TlsPlainFn *fn, void *ctx)
{
    char plain[PLAIN_BYTES];
    ERR_clear_error();
    while (len) {
        int part = len > PLAIN_BYTES ? PLAIN_BYTES : (int)len;
        if (BIO_write(conn->in, bytes, part) != part) return broken(conn, "no memory");
        bytes += part;
        len -= (size_t)part;
        for (;;) {
            int got = SSL_read(conn->ssl, plain, sizeof plain);
            if (!conn->up && SSL_is_init_finished(conn->ssl)) {
                conn->up = true;
                take_name(conn);
            }
            if (got > 0) {
                fn(ctx, plain, (size_t)got);
                continue;
            }
            int why = SSL_get_error(conn->ssl, got);
            if (why == SSL_ERROR_WANT_READ) break;
            if (why == SSL_ERROR_ZERO_RETURN) return ST_UNAVAILABLE;
            return broken(conn, reason());
        }
    }
    drain(conn);
    return conn->wire.failed ? broken(conn, "too much waits to be sent") : ST_OK;
}

Status tls_conn_output(TlsConn *conn, const char *bytes, size_t len)
{
    ERR_clear_error();
    while (len) {
        int part = len > PLAIN_BYTES ? PLAIN_BYTES : (int)len;
        int sent = SSL_write(conn->ssl, bytes, part);
        if (sent <= 0) return broken(conn, reason());
        bytes += sent;
        len -= (size_t)sent;
    }
    drain(conn);
    return conn->wire.failed ? broken(conn, "too much waits to be sent") : ST_OK;
}

void tls_conn_end(TlsConn *conn)
{
    ERR_clear_error();
    if (conn->up) (void)SSL_shutdown(conn->ssl);
    drain(conn);
}

Buf *tls_conn_wire(TlsConn *conn)
{
    return &conn->wire;
}

const char *tls_conn_error(const TlsConn *conn)
{
    return conn->error;
}

Str tls_conn_name(const TlsConn *conn)
{
    return str_from(conn->name);
}
