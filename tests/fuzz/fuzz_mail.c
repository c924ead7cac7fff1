/* tests/fuzz/fuzz_mail.c: any bytes as addresses, subject and body of a mail, a line of each.
 *
 * Whatever they are, the text has the headers it should have and no other, lines of printable ASCII
 * that are short, and the body comes back when it is decoded. */
#include "base/mem.h"
#include "peer/smtp.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Str cut(Str *rest)
{
    ptrdiff_t end = str_find_char(*rest, '\n');
    Str line = end < 0 ? *rest : str_slice(rest->ptr, (size_t)end);
    *rest = str_skip(*rest, line.len + 1);
    return line;
}

/* The headers are these, in this order; what goes on begins with a blank. */
static size_t check_headers(Str text)
{
    static const char *const names[] = {
        "Date: ",          "From: ",         "To: ",           "Subject: ",
        "Message-ID: ",    "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ",
        "Auto-Submitted: "};
    size_t at = 0, next = 0;
    for (;;) {
        Str rest = str_skip(text, at);
        ptrdiff_t end = str_find(rest, STR("\r\n"));
        assert(end >= 0);
        at += (size_t)end + 2;
        if (end == 0) break;
        if (rest.ptr[0] == ' ') continue;
        assert(next < COUNT_OF(names) && str_starts(rest, str_from(names[next])));
        next++;
    }
    assert(next == COUNT_OF(names));
    return at;
}

static void check_lines(Str text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\r') {
            assert(i + 1 < text.len && text.ptr[++i] == '\n');
            line = 0;
            continue;
        }
        assert((c >= ' ' && c <= '~') || c == '\t');
        assert(++line <= 300); /* an address may be 254 bytes long */
    }
    assert(line == 0);
}

static unsigned hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* RFC 2045, 6.7. */
static void check_body(Str coded, Str body)
{
    size_t at = 0;
    for (size_t i = 0; i < coded.len; i++) {
        if (coded.ptr[i] == '=' && coded.ptr[i + 1] == '\r') {
            i += 2;
            continue;
        }
        char c = coded.ptr[i];
        if (c == '=') {
            c = (char)(hex(coded.ptr[i + 1]) << 4 | hex(coded.ptr[i + 2]));
            i += 2;
        } else if (c == '\r') {
            i++;
            if (at == body.len) continue; /* the line end behind all */
            if (body.ptr[at] == '\r') at++;
            c = '\n';
        }
        assert(at < body.len && body.ptr[at] == c);
        at++;
    }
    assert(at == body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *to[SMTP_RECIPIENTS_MAX] = {"a@b.example"};
    uint32_t count = 1;
    if (size > 4096) return 0;
    Arena *arena = arena_new(0, 1 << 20);
    Str rest = {(const char *)data, size};
    Str addresses = cut(&rest), subject = cut(&rest);
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    if (smtp_addresses(arena, addresses, to, &count, NULL)) {
        to[0] = "a@b.example";
        count = 1;
    }
    smtp_message(&out, "plant@acme.example", to, count, subject, rest, 0, STR("id"));
    assert(!out.failed);
    Str text = buf_view(&out);
    check_lines(text);
    check_body(str_skip(text, check_headers(text)), rest);
    arena_free(arena);
    return 0;
}
