/* runtime/peer/smtp.c: sending. STARTTLS is asked of every server that is not on this machine. */
#include "peer/smtp.h"

#include "base/clock.h"
#include "base/mem.h"
#include "peer/curl_lib.h"

#include <stdio.h>

enum { CONNECT_MS = 10000, REPLY_BYTES = 300 };

struct Smtp {
    const CurlLib *lib;
    SmtpServer server;
    void *handle;
    Str rest;                /* of the message, not sent yet */
    char reply[REPLY_BYTES]; /* the server's last line that is a refusal */
    char error[CURL_ERROR_BYTES];
};

static size_t on_read(char *room, size_t size, size_t count, void *ctx)
{
    Smtp *smtp = ctx;
    size_t len = size * count < smtp->rest.len ? size * count : smtp->rest.len;
    memcpy(room, smtp->rest.ptr, len);
    smtp->rest = str_skip(smtp->rest, len);
    return len;
}

static size_t on_reply(const char *bytes, size_t size, size_t count, void *ctx)
{
    Smtp *smtp = ctx;
    Str line = str_trim(str_slice(bytes, size * count));
    size_t n = 0;
    if (!line.len || (line.ptr[0] != '4' && line.ptr[0] != '5')) return size * count;
    for (; n < line.len && n + 1 < sizeof smtp->reply; n++)
        smtp->reply[n] = line.ptr[n] >= ' ' && line.ptr[n] < 127 ? line.ptr[n] : '?';
    smtp->reply[n] = 0;
    return size * count;
}

static int on_progress(void *ctx, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const Smtp *smtp = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return smtp->server.halting && smtp->server.halting(smtp->server.ctx);
}

/* "smtp://user:secret@host:25/x" -> "host" */
static Str host_of(const char *url)
{
    Str rest = str_from(strstr(url, "://") + 3);
    ptrdiff_t slash = str_find_char(rest, '/');
    if (slash >= 0) rest.len = (size_t)slash;
    for (ptrdiff_t at; (at = str_find_char(rest, '@')) >= 0;) rest = str_skip(rest, (size_t)at + 1);
    if (rest.len && rest.ptr[0] == '[') {
        ptrdiff_t end = str_find_char(rest, ']');
        return end > 0 ? str_slice(rest.ptr + 1, (size_t)end - 1) : STR("");
    }
    ptrdiff_t colon = str_find_char(rest, ':');
    return colon >= 0 ? str_slice(rest.ptr, (size_t)colon) : rest;
}

static bool on_this_machine(Str host)
{
    return str_is(host, "localhost") || str_is(host, "::1") || str_starts(host, STR("127."));
}

Status smtp_new(const SmtpServer *server, Smtp **ret_smtp, Diag *diag)
{
    const CurlLib *lib = NULL;
    bool smtp = str_starts(str_from(server->url), STR("smtp://")),
         smtps = str_starts(str_from(server->url), STR("smtps://"));
    if ((!smtp && !smtps) || !host_of(server->url).len)
        return diag_set(diag, ST_INVALID,
                        "a mail server is smtp://host:587 (STARTTLS) or smtps://host:465");
    Status st = curl_lib("mail", &lib, diag);
    if (st) return st;
    Smtp *made = mem_zalloc(1, sizeof *made);
    if (made) made->handle = curl_handle(lib);
    if (!made || !made->handle) {
        mem_free(made);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    made->lib = lib;
    made->server = *server;
    void *h = made->handle;
    bool local = on_this_machine(host_of(server->url));
    (void)lib->setopt(h, CURL_OPT_URL, server->url);
    (void)lib->setopt(h, CURL_OPT_NOSIGNAL, 1L);
    (void)lib->setopt(h, CURL_OPT_PROTOCOLS, (long)(CURL_PROTO_SMTP | CURL_PROTO_SMTPS));
    (void)lib->setopt(h, CURL_OPT_USE_SSL, server->plain || local ? 1L : 3L);
    (void)lib->setopt(h, CURL_OPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)lib->setopt(h, CURL_OPT_TIMEOUT_MS, (long)(server->timeout_ns / NS_PER_MS));
    (void)lib->setopt(h, CURL_OPT_UPLOAD, 1L);
    (void)lib->setopt(h, CURL_OPT_READFUNCTION, on_read);
    (void)lib->setopt(h, CURL_OPT_READDATA, made);
    (void)lib->setopt(h, CURL_OPT_HEADERFUNCTION, on_reply);
    (void)lib->setopt(h, CURL_OPT_HEADERDATA, made);
    (void)lib->setopt(h, CURL_OPT_NOPROGRESS, 0L);
    (void)lib->setopt(h, CURL_OPT_XFERINFOFUNCTION, on_progress);
    (void)lib->setopt(h, CURL_OPT_XFERINFODATA, made);
    (void)lib->setopt(h, CURL_OPT_ERRORBUFFER, made->error);
    if (server->user) (void)lib->setopt(h, CURL_OPT_USERNAME, server->user);
    if (server->password) (void)lib->setopt(h, CURL_OPT_PASSWORD, server->password);
    if (server->ca) (void)lib->setopt(h, CURL_OPT_CAINFO, server->ca);
    *ret_smtp = made;
    return ST_OK;
}

void smtp_free(Smtp *smtp)
{
    if (!smtp) return;
    smtp->lib->cleanup(smtp->handle);
    mem_free(smtp);
}

/* What the server said about this mail, or why there is no saying. */
MUST static Status judge(const Smtp *smtp, int result, long code, Diag *diag)
{
    bool said = result == CURL_SEND_ERROR || result == CURL_UPLOAD_FAILED ||
                result == CURL_WEIRD_REPLY || result == CURL_RECV_ERROR;
    if (result == CURL_ABORTED) return ST_CANCELLED;
    if (result == CURL_LOGIN_DENIED)
        return diag_set(diag, ST_UNAVAILABLE, "the mail server does not let us in: %s",
                        smtp->reply[0] ? smtp->reply : smtp->lib->error(result));
    if (said && code >= 400 && code < 600) {
        /* 530: sign in first; 503: we came out of step; both are not about the mail. */
        bool refused = code >= 500 && code != 530 && code != 503;
        return diag_set(diag, refused ? ST_CONFLICT : ST_UNAVAILABLE, "the mail server says %s",
                        smtp->reply);
    }
    return diag_set(diag, result == CURL_TIMED_OUT ? ST_TIMEOUT : ST_UNAVAILABLE, "%s",
                    smtp->error[0] ? smtp->error : smtp->lib->error(result));
}

Status smtp_send(Smtp *smtp, const char *from, const char *const *to, uint32_t to_count,
                 Str message, Diag *diag)
{
    const CurlLib *lib = smtp->lib;
    void *list = NULL;
    long code = 0;
    for (uint32_t i = 0; i < to_count; i++) {
        void *longer = lib->append(list, to[i]);
        if (!longer) {
            lib->free_all(list);
            return diag_set(diag, ST_NO_MEMORY, "out of memory");
        }
        list = longer;
    }
    smtp->rest = message;
    smtp->reply[0] = smtp->error[0] = 0;
    (void)lib->setopt(smtp->handle, CURL_OPT_MAIL_FROM, from);
    (void)lib->setopt(smtp->handle, CURL_OPT_MAIL_RCPT, list);
    int result = lib->perform(smtp->handle);
    (void)lib->getinfo(smtp->handle, CURL_INFO_RESPONSE_CODE, &code);
    (void)lib->setopt(smtp->handle, CURL_OPT_MAIL_RCPT, NULL);
    lib->free_all(list);
    return result ? judge(smtp, result, code, diag) : ST_OK;
}
