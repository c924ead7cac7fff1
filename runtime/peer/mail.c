/* runtime/peer/mail.c: the text of a mail.
 *
 * Nothing of a program's values can end a header: what is no printable ASCII in a subject makes it
 * an encoded word (RFC 2047), and an address is checked letter by letter. The body is
 * quoted-printable (RFC 2045), so its lines are short and its bytes arrive as they are. */
#include "peer/smtp.h"

#include "base/clock.h"
#include "base/rfc3339.h"

#include <unistd.h>

enum {
    ADDRESS_BYTES = 254,
    LOCAL_BYTES = 64,
    WORD_BYTES = 42, /* 56 letters in base64 and =?UTF-8?B??= are within 75 */
    LINE_CHARS = 76,
    PLAIN_SUBJECT = 60
};

/* ---- addresses ---- */

static bool is_local(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_domain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

/* dot-atom@host (RFC 5321), ASCII. */
static bool is_address(Str text)
{
    ptrdiff_t at = str_find_char(text, '@');
    if (at < 1 || at > LOCAL_BYTES || text.len > ADDRESS_BYTES || (size_t)at + 1 == text.len)
        return false;
    char before = '.';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((ptrdiff_t)i == at) {
            if (before == '.') return false;
            before = '.';
            continue;
        }
        if (!((ptrdiff_t)i < at ? is_local(c) : is_domain(c))) return false;
        if (c == '.' && before == '.') return false;
        before = c;
    }
    return before != '.' && before != '-';
}

Status smtp_addresses(Arena *arena, Str text, const char **ret_list, uint32_t *ret_count,
                      Diag *diag)
{
    uint32_t count = 0;
    Str rest = text;
    while (rest.len) {
        size_t len = 0;
        while (len < rest.len && rest.ptr[len] != ',' && rest.ptr[len] != ';') len++;
        Str one = str_trim(str_slice(rest.ptr, len));
        rest = str_skip(rest, len + 1);
        if (!one.len) continue;
        if (!is_address(one))
            return diag_set(diag, ST_INVALID, "`%.*s` is no mail address",
                            (int)(one.len < 100 ? one.len : 100), one.ptr);
        if (count == SMTP_RECIPIENTS_MAX)
            return diag_set(diag, ST_INVALID, "a mail goes to at most %d addresses",
                            SMTP_RECIPIENTS_MAX);
        ret_list[count] = arena_str(arena, one).ptr;
        if (!ret_list[count++]) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    *ret_count = count;
    return count ? ST_OK : diag_set(diag, ST_INVALID, "a mail needs an address");
}

Status smtp_sender(Arena *arena, Str text, const char **ret_from, Diag *diag)
{
    const char *list[SMTP_RECIPIENTS_MAX];
    uint32_t count = 0;
    char host[256] = {0};
    if (!text.len) {
        if (gethostname(host, sizeof host - 1) || !host[0]) memcpy(host, "localhost", 10);
        text = arena_printf(arena, "tutti@%s", host);
        if (!text.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    Status st = smtp_addresses(arena, text, list, &count, diag);
    if (!st && count != 1) st = diag_set(diag, ST_INVALID, "a mail has one sender");
    if (st) return diag_wrap(diag, st, "from");
    *ret_from = list[0];
    return ST_OK;
}

/* ---- headers ---- */

static void put_base64(Buf *out, Str text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < text.len; i += 3) {
        uint32_t left = (uint32_t)(text.len - i), bits = 0;
        for (uint32_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < left ? (unsigned char)text.ptr[i + k] : 0);
        for (uint32_t k = 0; k < 4; k++)
            buf_char(out, k <= left ? letters[bits >> (18 - 6 * k) & 63] : '=');
    }
}

static bool is_plain(Str text)
{
    if (text.len > PLAIN_SUBJECT || str_find(text, STR("=?")) >= 0) return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
    return true;
}

/* Controls become spaces: a subject is one line. */
static void put_subject(Buf *out, Str subject)
{
    AUTO_BUF Buf clean;
    buf_init(&clean, 1 << 20);
    for (size_t i = 0; i < subject.len; i++) {
        unsigned char c = (unsigned char)subject.ptr[i];
        buf_char(&clean, c < ' ' || c == 127 ? ' ' : subject.ptr[i]);
    }
    Str rest = str_trim(buf_view(&clean));
    buf_text(out, "Subject: ");
    if (is_plain(rest)) {
        buf_str(out, rest);
        rest = STR("");
    }
    for (bool first = true; rest.len; first = false) {
        size_t len = rest.len < WORD_BYTES ? rest.len : WORD_BYTES;
        /* A word ends where a letter of UTF-8 does. */
        while (len < rest.len && len > WORD_BYTES - 4 &&
               ((unsigned char)rest.ptr[len] & 0xC0) == 0x80)
            len--;
        buf_text(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        put_base64(out, str_slice(rest.ptr, len));
        buf_text(out, "?=");
        rest = str_skip(rest, len);
    }
    buf_text(out, "\r\n");
}

static void put_date(Buf *out, int64_t wall_ns)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = wall_ns / NS_PER_S, day = seconds / 86400, in_day = seconds % 86400, year;
    unsigned month, mday;
    date_from_days(day, &year, &month, &mday);
    buf_printf(out, "Date: %s, %u %s %lld %02d:%02d:%02d +0000\r\n", days[day % 7], mday,
               months[month - 1], (long long)year, (int)(in_day / 3600), (int)(in_day / 60 % 60),
               (int)(in_day % 60));
}

/* ---- the body ---- */

static bool ends_line(Str text, size_t at)
{
    return at == text.len || text.ptr[at] == '\n' ||
           (text.ptr[at] == '\r' && at + 1 < text.len && text.ptr[at + 1] == '\n');
}

static void put_quoted(Buf *out, Str text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (ends_line(text, i)) {
            if (c == '\r') i++;
            buf_text(out, "\r\n");
            line = 0;
            continue;
        }
        bool plain = (c >= '!' && c <= '~' && c != '=') ||
                     ((c == ' ' || c == '\t') && !ends_line(text, i + 1));
        size_t need = plain ? 1 : 3;
        if (line + need > LINE_CHARS - 1) {
            buf_text(out, "=\r\n");
            line = 0;
        }
        if (plain) {
            buf_char(out, (char)c);
        } else {
            buf_char(out, '=');
            buf_char(out, hex[c >> 4]);
            buf_char(out, hex[c & 15]);
        }
        line += need;
    }
    buf_text(out, "\r\n");
}

void smtp_message(Buf *out, const char *from, const char *const *to, uint32_t to_count, Str subject,
                  Str body, int64_t wall_ns, Str id)
{
    const char *host = strchr(from, '@');
    put_date(out, wall_ns);
    buf_printf(out, "From: <%s>\r\nTo: ", from);
    for (uint32_t i = 0; i < to_count; i++) buf_printf(out, i ? ",\r\n <%s>" : "<%s>", to[i]);
    buf_text(out, "\r\n");
    put_subject(out, subject);
    buf_printf(out, "Message-ID: <%.*s%s>\r\n", STR_ARG(id), host ? host : "@localhost");
    buf_text(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n"
                  "Auto-Submitted: auto-generated\r\n\r\n");
    put_quoted(out, body);
}
