/* runtime/peer/smtp.h: one mail to one mail server, by libcurl. */
#ifndef TUTTI_PEER_SMTP_H
#define TUTTI_PEER_SMTP_H

#include "peer/link.h"

enum { SMTP_RECIPIENTS_MAX = 50 };

typedef struct SmtpServer {           /* texts outlive what uses them */
    const char *url;                  /* smtp://host:587, smtps://host */
    const char *user, *password, *ca; /* or NULL */
    bool plain;                       /* without TLS if the server has none */
    bool (*halting)(void *ctx);
    void *ctx;
    int64_t timeout_ns;
} SmtpServer;

typedef struct Smtp Smtp; /* a connection that is kept between mails */

/* Checks the URL and loads libcurl; connects to nobody. ST_INVALID, ST_UNSUPPORTED. */
MUST Status smtp_new(const SmtpServer *server, Smtp **ret_smtp, Diag *diag);
void smtp_free(Smtp *smtp); /* accepts NULL */
/* ST_CONFLICT: the server does not take this mail and never will (5xx). Others may go later. */
MUST Status smtp_send(Smtp *smtp, const char *from, const char *const *to, uint32_t to_count,
                      Str message, Diag *diag);

/* A mail's text (RFC 5322, MIME): headers that cannot be broken out of, RFC 2047 for what is not
 * ASCII, quoted-printable for the body. `to` as in smtp_send. */
void smtp_message(Buf *out, const char *from, const char *const *to, uint32_t to_count, Str subject,
                  Str body, int64_t wall_ns, Str id);
/* "a@b, c@d" into addresses of `arena`. ST_INVALID: not an address, too many, none. */
MUST Status smtp_addresses(Arena *arena, Str text, const char **ret_list, uint32_t *ret_count,
                           Diag *diag);
/* The one address a mail comes from; `text` empty: tutti@ this machine. */
MUST Status smtp_sender(Arena *arena, Str text, const char **ret_from, Diag *diag);

#endif
