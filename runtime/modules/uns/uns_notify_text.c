/* runtime/modules/uns/uns_notify_text.c: notices as a mail and as a web request, sent and waited
 * for: on the delivery's own thread, which knows nothing but the delivery. docs/alarms.md has the
 * shape of the JSON and of the signature. */
#include "modules/uns/uns_notify.h"

#include "ask/web_client.h"
#include "base/rfc3339.h"
#include "peer/smtp.h"

#include <sodium.h>
#include <stdio.h>

enum {
    BODY_BYTES_MAX = 8 << 20,
    ANSWER_BYTES_MAX = 4096,
    SUBJECT_BYTES_MAX = 500,
    WEB_TIMEOUT_MS = 10000,
    MAIL_TIMEOUT_S = 30,
    HASH_BYTES = crypto_auth_hmacsha256_BYTES
};

bool uns__delivery_halts(void *ctx)
{
    const UnsDelivery *delivery = ctx;
    return atomic_load(&delivery->uns->notify->halting);
}

/* ---- templates ---- */

static void put_field(Buf *out, const Json *field, bool level)
{
    Str text = !field || field->type == JSON_NULL ? STR_NONE
               : field->type == JSON_STRING       ? field->text
                                                  : field->raw;
    for (size_t i = 0; i < text.len; i++) {
        bool ends = text.ptr[i] == '/' || text.ptr[i] == '+' || text.ptr[i] == '#';
        buf_char(out, level && ends ? '_' : text.ptr[i]);
    }
}

void uns__fill_in(Buf *out, Str text, const Json *event, bool level)
{
    static const char *const names[] = {"path",  "name",  "rule",  "priority",
                                        "state", "event", "value", "message"};
    for (size_t i = 0; i < text.len;) {
        Str at = str_skip(text, i);
        ptrdiff_t end = at.ptr[0] == '{' ? str_find_char(at, '}') : -1;
        size_t known = COUNT_OF(names);
        for (size_t n = 0; end > 0 && n < COUNT_OF(names); n++)
            if (str_is(str_slice(at.ptr + 1, (size_t)end - 1), names[n])) known = n;
        if (known == COUNT_OF(names)) {
            buf_char(out, text.ptr[i++]);
            continue;
        }
        put_field(out, json_get(event, names[known]), level && known);
        i += (size_t)end + 1;
    }
}

/* ---- mail ---- */

static int64_t rank_of(const Json *event)
{
    AlarmPriority priority;
    return alarm_priority_read(json_str(event, "priority", STR_NONE), &priority) ? priority : 9;
}

static void put_time(Buf *out, int64_t ms)
{
    char room[RFC3339_BYTES];
    buf_add(out, room, (size_t)(rfc3339_put(room, ms * NS_PER_MS) - room));
}

static void put_line(Buf *out, const char *name, Str text)
{
    if (text.len) buf_printf(out, "  %s: %.*s\n", name, STR_ARG(text));
}

static void put_event(Buf *out, const Json *event)
{
    Str priority = json_str(event, "priority", STR_NONE), who = json_str(event, "who", STR_NONE);
    const Json *value = json_get(event, "value");
    int64_t number = json_int(event, "number", 1);
    buf_printf(out, "%.*s, %.*s: %.*s\n", STR_ARG(json_str(event, "event", STR_NONE)),
               STR_ARG(priority), STR_ARG(json_str(event, "message", STR_NONE)));
    put_line(out, "where", json_str(event, "path", STR_NONE));
    put_line(out, "alarm", json_str(event, "rule", STR_NONE));
    put_line(out, "what to do", json_str(event, "action", STR_NONE));
    put_line(out, "state", json_str(event, "state", STR_NONE));
    if (value && value->type != JSON_NULL)
        put_line(out, "value", value->type == JSON_STRING ? value->text : value->raw);
    put_line(out, "by", who);
    put_line(out, "reason", json_str(event, "text", STR_NONE));
    if (number > 1) buf_printf(out, "  told %lld times\n", (long long)number);
    buf_text(out, "  at: ");
    put_time(out, json_int(event, "time", 0));
    buf_text(out, "\n\n");
}

/* "37 alarms in 10 s, most urgent: ..." */
static void put_subject(const UnsDelivery *d, const Json *urgent, Buf *out)
{
    int64_t span_s = (d->last_ms - d->first_ms + 999) / 1000;
    if (d->count > 1)
        buf_printf(out, "%u alarms in %lld s, most urgent: ", d->count,
                   (long long)(span_s > 0 ? span_s : 1));
    uns__fill_in(out, d->conf->subject, urgent, false);
    if (out->len > SUBJECT_BYTES_MAX) { /* not in the middle of a letter */
        out->len = SUBJECT_BYTES_MAX;
        while (out->len && ((unsigned char)out->ptr[out->len] & 0xc0) == 0x80) out->len--;
    }
}

static Status mail_text(const UnsDelivery *d, Buf *subject, Buf *body, Diag *diag)
{
    const Json *urgent = NULL;
    for (uint32_t i = 0; i < d->count; i++) {
        const Json *event = NULL;
        Status st = json_read(d->arena, d->events[i], &event, diag);
        if (st) return st;
        if (!urgent || rank_of(event) < rank_of(urgent)) urgent = event;
        if (i < UNS_MAIL_LINES_MAX) put_event(body, event);
    }
    if (d->count > UNS_MAIL_LINES_MAX)
        buf_printf(body, "and %u more: see the page Alarms.\n", d->count - UNS_MAIL_LINES_MAX);
    put_subject(d, urgent, subject);
    return buf_status(body) ? diag_set(diag, ST_CONFLICT, "the mail is too long") : ST_OK;
}

Status uns__deliver_mail(const UnsDelivery *d, Diag *diag)
{
    AUTO_BUF Buf subject, body, message;
    const char *to[SMTP_RECIPIENTS_MAX], *from = NULL;
    uint32_t count = 0;
    Smtp *smtp = NULL;
    SmtpServer server = {.url = d->mail_url.ptr, /* with a NUL: arena_str made it */
                         .halting = uns__delivery_halts,
                         .ctx = (void *)(uintptr_t)d,
                         .timeout_ns = MAIL_TIMEOUT_S * NS_PER_S};
    buf_init(&subject, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&message, BODY_BYTES_MAX * 4);
    if (!d->mail_url.len)
        return diag_set(diag, ST_UNSUPPORTED,
                        "no mail server is named: start with"
                        " TUTTI_ENGINE_MAIL_URL=smtp://host:587");
    Status st = smtp_sender(d->arena, d->mail_from, &from, diag);
    if (!st) st = smtp_addresses(d->arena, d->conf->to, to, &count, diag);
    if (!st) st = mail_text(d, &subject, &body, diag);
    if (!st) st = smtp_new(&server, &smtp, diag);
    if (st) return st;
    smtp_message(&message, from, to, count, buf_view(&subject), buf_view(&body), clock_wall_ns(),
                 d->id);
    st = buf_status(&message) ? diag_set(diag, ST_CONFLICT, "the mail is too long")
                              : smtp_send(smtp, from, to, count, buf_view(&message), diag);
    smtp_free(smtp);
    return st;
}

/* ---- web ---- */

static void put_body(const UnsDelivery *d, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_int(&json, "version", 1);
    json_field_str(&json, "id", d->id);
    json_field_str(&json, "target", d->conf->name);
    json_field_bool(&json, "test", d->req != NULL);
    json_field_int(&json, "count", d->count);
    json_key(&json, "alarms");
    json_begin_array(&json);
    for (uint32_t i = 0; i < d->count; i++) json_put_raw(&json, d->events[i]);
    json_end(&json);
    json_end(&json);
}

/* Over the time of this try and the body, so that one who listened cannot send it again later. */
static const char *signature(const UnsDelivery *d, Str body)
{
    crypto_auth_hmacsha256_state state;
    unsigned char hash[HASH_BYTES];
    char hex[HASH_BYTES * 2 + 1], time[32];
    Str key = d->conf->secret;
    int len = snprintf(time, sizeof time, "%lld.", (long long)(clock_wall_ns() / NS_PER_S));
    if (len < 0) return NULL;
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.ptr, key.len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)time, strlen(time));
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.ptr, body.len);
    (void)crypto_auth_hmacsha256_final(&state, hash);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    time[len - 1] = 0;
    return arena_printf(d->arena, "Tutti-Signature: t=%s,v1=%s", time, hex).ptr;
}

/* What the receiver says about this message, and not about itself. */
static bool refused(long code)
{
    return code == 400 || code == 413 || code == 422;
}

static Status judge(long code, Str answer, Diag *diag)
{
    char said[100];
    size_t len = 0;
    if (code >= 200 && code < 300) return ST_OK;
    for (; len < answer.len && len + 1 < sizeof said; len++)
        said[len] = answer.ptr[len] >= ' ' && answer.ptr[len] < 127 ? answer.ptr[len] : ' ';
    said[len] = 0;
    return diag_set(diag, refused(code) ? ST_CONFLICT : ST_UNAVAILABLE, "the receiver says %ld%s%s",
                    code, len ? ": " : "", said);
}

Status uns__deliver_web(const UnsDelivery *d, Diag *diag)
{
    AUTO_BUF Buf body, answer;
    const char *headers[UNS_HEADERS_MAX + 2];
    uint32_t count = 0;
    WebClient *client = NULL;
    const UnsTargetConf *conf = d->conf;
    long code = 0;
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&answer, ANSWER_BYTES_MAX);
    put_body(d, &body);
    if (buf_status(&body)) return diag_set(diag, ST_CONFLICT, "the message is too long");
    for (uint32_t i = 0; i < conf->header_count; i++)
        headers[count++] = arena_printf(d->arena, "%.*s: %.*s", STR_ARG(conf->headers[i].name),
                                        STR_ARG(conf->headers[i].value))
                               .ptr;
    headers[count++] = arena_printf(d->arena, "Tutti-Delivery: %.*s", STR_ARG(d->id)).ptr;
    if (conf->secret.len) headers[count++] = signature(d, buf_view(&body));
    for (uint32_t i = 0; i < count; i++)
        if (!headers[i]) return diag_set(diag, ST_NO_MEMORY, "no memory");
    WebCall call = {.url = conf->url.ptr,
                    .post = true,
                    .body = buf_view(&body),
                    .timeout_ms = WEB_TIMEOUT_MS,
                    .headers = headers,
                    .header_count = count,
                    .ca = conf->ca.len ? conf->ca.ptr : NULL,
                    .halting = uns__delivery_halts,
                    .ctx = (void *)(uintptr_t)d};
    Status st = web_client_new(&client, diag);
    if (!st) st = web_client_call(client, &call, &answer, &code, diag);
    web_client_free(client);
    /* A long answer is still an answer: only its code counts. */
    if (st == ST_LIMIT && code) st = ST_OK;
    return st ? st : judge(code, buf_view(&answer), diag);
}
