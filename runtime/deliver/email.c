/* runtime/deliver/email.c: each row is a mail: { to, subject, body }.
 *
 * The server is that of a declared connection (kind smtp), else the one of this process. A sink
 * sends at most `rate` mails a minute (60), all at once when it was silent; more wait. A mail keeps
 * its Message-ID over all tries, so that one whose answer was lost can be recognised. */
#include "deliver/deliver_int.h"

#include "base/clock.h"
#include "peer/smtp.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { RATE_PRESET = 60, RATE_MAX = 6000, MESSAGE_BYTES = 4 << 20, NAP_MS = 20, TIMEOUT_S = 30 };

typedef struct Self {
    Smtp *smtp;
    const char *from;
    int64_t rate;
    double tokens;
    int64_t filled_ns;
    Str last;    /* the row of the last try, of last_arena */
    char id[40]; /* of its mail */
    Arena *keep;
    Buf message;
} Self;

static Status email_open(Deliver *d, Diag *diag)
{
    Self *self = d->self;
    const char *from = NULL;
    SmtpServer server = {
        .halting = d->host.halting, .ctx = d->host.ctx, .timeout_ns = TIMEOUT_S * NS_PER_S};
    Status st = ST_OK;
    buf_init(&self->message, MESSAGE_BYTES);
    self->keep = arena_new(0, 8 << 20);
    if (!self->keep) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    self->rate = RATE_PRESET;
    if (d->link.url) {
        server.url = d->link.url;
        server.plain = !json_bool(d->link.options, "tls", true);
        server.timeout_ns = json_int(d->link.options, "timeout", server.timeout_ns);
        self->rate = json_int(d->link.options, "rate", RATE_PRESET);
        st = peer_link_text(&d->link, "user", &server.user, diag);
        if (!st) st = peer_link_text(&d->link, "password", &server.password, diag);
        if (!st) st = peer_link_text(&d->link, "ca", &server.ca, diag);
        if (!st) st = peer_link_text(&d->link, "from", &from, diag);
    } else {
        server.url = arena_str(d->arena, d->host.mail_url).ptr;
        from = arena_str(d->arena, d->host.mail_from).ptr;
        if (!server.url || !server.url[0])
            st =
                diag_set(diag, ST_UNSUPPORTED,
                         "no mail server is named: start with TUTTI_ENGINE_MAIL_URL="
                         "smtp://host:587, or declare connection mail = smtp env(\"MAIL_URL\") and "
                         "write into mail");
    }
    if (self->rate < 1 || self->rate > RATE_MAX) self->rate = RATE_PRESET;
    self->tokens = (double)self->rate;
    self->filled_ns = clock_monotonic_ns();
    if (!st) st = smtp_sender(d->arena, str_from(from), &self->from, diag);
    return st ? st : smtp_new(&server, &self->smtp, diag);
}

static void email_close(Deliver *d)
{
    Self *self = d->self;
    smtp_free(self->smtp);
    arena_free(self->keep);
    buf_done(&self->message);
}

/* Settings only: a mail server is asked when there is a mail. */
static Status email_check(Deliver *d, Diag *diag)
{
    (void)d;
    (void)diag;
    return ST_OK;
}

/* Waits until one more mail may go. */
MUST static Status wait_for_turn(Deliver *d)
{
    Self *self = d->self;
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        self->tokens += (double)(now_ns - self->filled_ns) / 60e9 * (double)self->rate;
        self->filled_ns = now_ns;
        if (self->tokens > (double)self->rate) self->tokens = (double)self->rate;
        if (self->tokens >= 1) return ST_OK;
        if (deliver__halts(d)) return ST_CANCELLED;
        (void)poll(NULL, 0, NAP_MS);
    }
}

/* A new one, but for the mail that was tried last. */
MUST static Status message_id(Deliver *d, Str row, Diag *diag)
{
    Self *self = d->self;
    unsigned char bytes[16] = {0};
    if (self->id[0] && str_eq(self->last, row)) return ST_OK;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;
    if (fd >= 0) close(fd);
    if (n != (ssize_t)sizeof bytes) return diag_set(diag, ST_IO, "no random numbers");
    for (size_t i = 0; i < sizeof bytes; i++) {
        static const char hex[] = "0123456789abcdef";
        self->id[2 * i] = hex[bytes[i] >> 4];
        self->id[2 * i + 1] = hex[bytes[i] & 15];
    }
    arena_reset(self->keep);
    self->last = arena_str(self->keep, row);
    return self->last.ptr ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

static Status email_some(Deliver *d, const DeliverRows *rows, uint32_t from, uint32_t *ret_done,
                         Diag *diag)
{
    Self *self = d->self;
    const Json *row = NULL;
    const char *to[SMTP_RECIPIENTS_MAX];
    uint32_t count = 0;
    Str text = deliver__row(rows, from);
    Status st = json_read(d->row, text, &row, diag);
    if (!st) st = smtp_addresses(d->row, json_str(row, "to", STR("")), to, &count, diag);
    if (st) return st == ST_NO_MEMORY ? st : ST_CONFLICT;
    st = message_id(d, text, diag);
    if (!st) st = wait_for_turn(d);
    if (st) return st;
    buf_clear(&self->message);
    smtp_message(&self->message, self->from, to, count, json_str(row, "subject", STR("")),
                 json_str(row, "body", STR("")), clock_wall_ns(), str_from(self->id));
    if (self->message.failed) return diag_set(diag, ST_CONFLICT, "the mail is too long");
    self->tokens -= 1;
    st = smtp_send(self->smtp, self->from, to, count, buf_view(&self->message), diag);
    if (!st || st == ST_CONFLICT) self->id[0] = 0;
    if (!st) *ret_done = 1;
    return st;
}

const DeliverDriver deliver__email = {
    .kind = "email",
    .self_bytes = sizeof(Self),
    .open = email_open,
    .check = email_check,
    .some = email_some,
    .close = email_close,
};
