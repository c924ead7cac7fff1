/* tests/fuzz/fuzz_http.c: request heads, targets, queries and chunked bodies from hostile bytes.
 *
 * Beside memory errors it checks what the rest relies on: a decoded path starts with '/', holds no
 * NUL and no ".." segment, and a head fed in two pieces ends where a whole one does. */
#include "http/head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(const HttpHead *head, Str host)
{
    HttpReq req = {.arena = arena_new(0, 0)};
    size_t at = 0;
    bool bad = false;
    Str name, value;
    if (req.arena && !http__target(req.arena, head->target, host, &req.path, &req.query)) {
        if (!req.path.len || req.path.ptr[0] != '/' || memchr(req.path.ptr, 0, req.path.len))
            abort();
        if (str_find(req.path, STR("/../")) >= 0 || str_ends(req.path, STR("/.."))) abort();
        while (http_query_next(&req, &at, &name, &value, &bad)) continue;
    }
    arena_free(req.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static HttpHead head;
    const char *bytes = (const char *)data;
    HttpFrame frame;
    size_t at = 0, half = 0;
    ptrdiff_t end = http__head_end(bytes, size, &at);
    ptrdiff_t first = http__head_end(bytes, size / 2, &half);
    if (first == 0) first = http__head_end(bytes, size, &half);
    if (first != end) abort();
    if (end > 0 && !http__head_lex((Str){bytes, (size_t)end}, &head) && !http__frame(&head, &frame))
        check_target(&head, frame.host);

    HttpChunks chunks = {0};
    Buf body;
    size_t used = 0;
    bool done;
    buf_init(&body, 4096);
    if (!http__chunks(&chunks, bytes, size, &body, &used, &done) && used > size) abort();
    buf_done(&body);
    return 0;
}
