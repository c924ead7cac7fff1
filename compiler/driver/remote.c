/* compiler/driver/remote.c: asks a server and reads what it says; see remote.h.
 *
 * What it answers is not trusted: bounded, and JSON or nothing. */
#include "compiler/driver/remote.h"

#include <stdlib.h>

enum {
    REMOTE_ARENA_BYTES = 256 << 20,
    REMOTE_ANSWER_BYTES = 4 << 20,
    REMOTE_URL_BYTES = 4096,
    SIGN_IN_MS = 30000
};

const char *remote_preset(void)
{
    const char *url = getenv("TUTTI_URL");
    return url && url[0] ? url : "http://127.0.0.1:8080";
}

void remote_escape(Buf *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_'; /* no point: curl leaves out levels that are . or .. */
        buf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}

/* The server's code and sentence: {"error":{"code","text"}}. */
static Status refused(const Json *json, long code, Diag *diag)
{
    const Json *error = json_get(json, "error");
    Str name = json_str(error, "code", STR(""));
    Str text = json_str(error, "text", STR(""));
    Status status = code >= 500 ? ST_UNAVAILABLE : ST_INVALID;
    for (int i = 1; i < ST__COUNT; i++)
        if (str_is(name, status_name((Status)i))) status = (Status)i;
    if (!text.len) return diag_set(diag, status, "the server answered %ld", code);
    (void)diag_set(diag, status, "%.*s", STR_ARG(text));
    for (char *at = diag->text; *at; at++) /* it goes to a terminal */
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f) *at = '?';
    return status;
}

Status remote_call(Remote *remote, const char *path, Str body, int64_t timeout_ms,
                   const Json **ret_json, Diag *diag)
{
    AUTO_BUF Buf url, answer;
    buf_init(&url, REMOTE_URL_BYTES);
    buf_init(&answer, REMOTE_ANSWER_BYTES);
    buf_printf(&url, "%.*s/api/v1/%s", STR_ARG(remote->url), path);
    *ret_json = NULL;
    if (url.failed) return diag_set(diag, url.failed, "the server's address is too long");
    WebCall call = {.url = url.ptr,
                    .bearer = remote->token,
                    .post = body.len > 0,
                    .body = body,
                    .timeout_ms = timeout_ms};
    long code = 0;
    Status st = web_client_call(remote->client, &call, &answer, &code, diag);
    if (st) return diag_wrap(diag, st, "%.*s", STR_ARG(remote->url));
    Str text = arena_str(remote->arena, buf_view(&answer));
    if (!text.ptr) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Diag ignored = {0};
    bool readable = !json_read(remote->arena, text, ret_json, &ignored);
    if (code < 200 || code >= 300) return refused(*ret_json, code, diag);
    if (!readable)
        return diag_set(diag, ST_INVALID, "%.*s does not answer as Tutti does",
                        STR_ARG(remote->url));
    return ST_OK;
}

static Status sign_in(Remote *remote, const char *user, const char *password, Diag *diag)
{
    AUTO_BUF Buf body;
    buf_init(&body, 64 << 10);
    JsonOut json;
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_text(&json, "name", user && user[0] ? user : "admin");
    json_field_text(&json, "password", password);
    json_field_bool(&json, "bearer", true);
    json_end(&json);
    const Json *answer = NULL;
    Status st = body.failed
                    ? body.failed
                    : remote_call(remote, "auth/login", buf_view(&body), SIGN_IN_MS, &answer, diag);
    if (st) return st;
    Str token = json_str(answer, "token", STR(""));
    if (!token.len) return diag_set(diag, ST_UNAUTHENTICATED, "the server gave no token");
    remote->token = arena_str(remote->arena, token).ptr;
    return remote->token ? ST_OK : ST_NO_MEMORY;
}

Status remote_open(Remote *remote, const char *url, Diag *diag)
{
    const char *token = getenv("TUTTI_TOKEN"), *password = getenv("TUTTI_PASSWORD");
    Str base = str_from(url);
    while (base.len && base.ptr[base.len - 1] == '/') base.len--;
    *remote = (Remote){.arena = arena_new(0, REMOTE_ARENA_BYTES), .url = base};
    if (!remote->arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    if (!str_starts(base, STR("http://")) && !str_starts(base, STR("https://")))
        return diag_set(diag, ST_NOT_FOUND, "%s is no address: write http://HOST:PORT", url);
    Status st = web_client_new(&remote->client, diag);
    if (st) return diag_wrap(diag, st, "speaking to a server needs libcurl");
    if (token && token[0]) {
        remote->token = arena_str(remote->arena, str_from(token)).ptr;
        return remote->token ? ST_OK : ST_NO_MEMORY;
    }
    if (password && password[0]) return sign_in(remote, getenv("TUTTI_USER"), password, diag);
    return diag_set(diag, ST_UNAUTHENTICATED,
                    "nobody is signed in: set TUTTI_TOKEN, or TUTTI_USER and TUTTI_PASSWORD");
}

void remote_close(Remote *remote)
{
    web_client_free(remote->client);
    arena_free(remote->arena);
    *remote = (Remote){0};
}

static void print(FILE *file, Str text, char kept)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool control = ((unsigned char)c < 0x20 || c == 0x7f) && c != kept;
        (void)fputc(control ? '?' : c, file);
    }
}

void remote_print(FILE *file, Str text)
{
    print(file, text, 0x20);
}

void remote_print_lines(FILE *file, Str text)
{
    print(file, text, '\n');
}

int remote_failed(const Command *self, Status st, const Diag *diag)
{
    int code = driver_failed(self, st, diag);
    return st == ST_INTERNAL || st == ST_NO_MEMORY ? code : EXIT_USAGE;
}
