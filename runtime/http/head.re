/* runtime/http/head.re: the lexer of a request head (RFC 9112, sections 3 and 5), input of re2c.
 *
 * Gets a complete head, up to and including its empty line. No rule can read past the final CR LF
 * CR LF, so no end check is needed inside. One rule for the request line, one for a field line:
 * whatever does not fit is 400. Folded lines (obs-fold) do not fit on purpose. */
#include "http/head.h"

/*!re2c
    re2c:yyfill:enable = 0;
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = at;
    re2c:define:YYMARKER = marker;
    re2c:tags = 1;
    re2c:tags:expression = "tag_@@";

    tchar = [-!#$%&'*+.^_`|~0-9A-Za-z];
    vchar = [\x21-\x7e];
    text  = [\t\x20-\x7e\x80-\xff];
    crlf  = "\r\n";
*/

static Str between(const unsigned char *from, const unsigned char *to)
{
    return (Str){(const char *)from, (size_t)(to - from)};
}

static Str value_of(const unsigned char *from, const unsigned char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t')) to--;
    return between(from, to);
}

int http__head_lex(Str whole, HttpHead *head)
{
    const unsigned char *at = (const unsigned char *)whole.ptr, *end = at + whole.len, *marker = at;
    const unsigned char *a, *b, *c, *d;
    /*!stags:re2c format = "const unsigned char *tag_@@ = at;\n"; */

    head->field_count = 0;
    /*!re2c
        @a tchar+ @b " " @c vchar+ @d " HTTP/1." [01] crlf {
            head->method = between(a, b);
            head->target = between(c, d);
            head->minor = (unsigned char)(at[-3] - '0');
            goto fields;
        }
        tchar+ " " vchar+ " HTTP/" [0-9] "." [0-9] crlf { return 505; }
        * { return 400; }
    */
fields:
    if (head->method.len > HTTP_METHOD_BYTES_MAX) return 501;
    if (head->target.len > HTTP_TARGET_BYTES_MAX) return 414;
next:
    /*!re2c
        crlf { return at == end ? 0 : 400; }
        @a tchar+ @b ":" @c text* @d crlf {
            if (head->field_count == HTTP_FIELDS_MAX) return 431;
            head->fields[head->field_count].name = between(a, b);
            head->fields[head->field_count].value = value_of(c, d);
            head->field_count++;
            goto next;
        }
        * { return 400; }
    */
}
