/* runtime/module/gateway_static.c: the embedded pages: caching, security fields, page addresses.
 *
 * Names with a hash never change their content: a browser keeps them for ever. index.html is asked
 * for again each time, cheaply, by its ETag. Addresses of pages (/pipelines/x) get the html of that
 * page, which is index.html and the names of what this page will want (runtime/web/hints.ts); where
 * the browser has a session also of what is answered only with one. Only known ones do, so that a
 * wrong address is a 404 and not a blank page. */
#include "module/gateway_int.h"

#include "base/mem.h"
#include "web/embed/embed.h"

#include <zlib.h>

void gateway__secure_fields(HttpReq *req)
{
    http_set(req, "X-Content-Type-Options", STR("nosniff"));
}

static void page_fields(HttpReq *req)
{
    gateway__secure_fields(req);
    http_set(req, "Content-Security-Policy",
             STR("default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                 "form-action 'self'; frame-ancestors 'none'"));
    http_set(req, "X-Frame-Options", STR("DENY"));
    http_set(req, "Referrer-Policy", STR("same-origin"));
    http_set(req, "Cross-Origin-Opener-Policy", STR("same-origin"));
}

static const WebFile *page_file(const char *first, const char *one, const char *who)
{
    char name[48];
    int len = snprintf(name, sizeof name, "/page%s%s%s.html", first, one, who);
    return web_find((Str){name, (size_t)len});
}

/* The pages' own list is in runtime/web/src/app.tsx; tests/ui/unit/addresses.test.ts holds both
 * together. */
static const WebFile *page_html(Str path, bool session)
{
    static const char *const pages[] = {"/",           "/welcome", "/uns",         "/pipelines",
                                        "/dashboards", "/d",       "/logs",        "/alarms",
                                        "/sparkplug",  "/bridges", "/new-pipeline"};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        Str page = str_from(pages[i]);
        bool below = page.len > 1 && path.len > page.len && str_starts(path, page) &&
                     path.ptr[page.len] == '/';
        if (!below && !str_eq(path, page)) continue;
        const char *first = page.len > 1 ? pages[i] : "/home", *one = below ? "/one" : "";
        const WebFile *file = session ? page_file(first, one, "+session") : NULL;
        if (!file) file = page_file(first, one, "");
        return file ? file : web_find(STR("/index.html"));
    }
    return NULL;
}

/* For the rare client without gzip (plain curl): unpacked on the spot. */
static Status unpack(const WebFile *file, char **ret_bytes)
{
    char *bytes = mem_alloc(file->bytes + 1u);
    if (!bytes) return ST_NO_MEMORY;
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)file->gzip.ptr,
                       .avail_in = (uInt)file->gzip.len,
                       .next_out = (Bytef *)bytes,
                       .avail_out = file->bytes};
    int code = inflateInit2(&stream, 15 + 16); /* 16: the gzip wrapper */
    if (code == Z_OK) {
        code = inflate(&stream, Z_FINISH);
        (void)inflateEnd(&stream);
    }
    if (code != Z_STREAM_END || stream.total_out != file->bytes) {
        mem_free(bytes);
        return ST_INTERNAL;
    }
    *ret_bytes = bytes;
    return ST_OK;
}

static bool takes_gzip(const HttpReq *req)
{
    Str value = http_field(req, "accept-encoding");
    ptrdiff_t at = str_find(value, STR("gzip"));
    if (at < 0) return false;
    Str behind = str_skip(value, (size_t)at + 4);
    return !str_starts(behind, STR(";q=0")) || str_starts(behind, STR(";q=0."));
}

static void send_file(HttpReq *req, const WebFile *file)
{
    page_fields(req);
    http_set(req, "ETag", str_from(file->etag));
    http_set(req, "Vary", file->hashed ? STR("Accept-Encoding") : STR("Accept-Encoding, Cookie"));
    http_set(req, "Cache-Control",
             file->hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    Str known = http_field(req, "if-none-match");
    if (known.len && str_find(known, str_from(file->etag)) >= 0) {
        http_answer(req, 304, NULL, STR_NONE);
    } else if (takes_gzip(req)) {
        http_set(req, "Content-Encoding", STR("gzip"));
        http_answer_static(req, 200, file->type, file->gzip);
    } else {
        char *bytes;
        Status st = unpack(file, &bytes);
        if (st) {
            gateway__fail(req, st, 0, NULL);
            return;
        }
        http_answer(req, 200, file->type, (Str){bytes, file->bytes});
        mem_free(bytes);
    }
}

void gateway__page(HttpReq *req)
{
    const WebFile *file = web_find(req->path);
    if (!file) file = page_html(req->path, http_cookie(req, GW_COOKIE).len > 0);
    if (file) {
        send_file(req, file);
        return;
    }
    page_fields(req);
    http_answer(req, 404, "text/plain; charset=utf-8",
                web_file_count ? STR("There is no such page.\n")
                               : STR("This program was built without its web pages; the API is at "
                                     "/api/v1, see /api/v1/openapi.json.\n"));
}
