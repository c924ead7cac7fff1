/* tests/fuzz/fuzz_lsp.c: any bytes come from an editor: the server answers or gives up, and never
 * crashes.
 *
 * The first byte chooses: even, the rest is the input as it is; odd, the rest is a program that is
 * opened, and asked about at places that the bytes choose. */
#include "base/buf.h"
#include "base/json.h"
#include "compiler/lsp/lsp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame(Buf *out, const Buf *body)
{
    buf_printf(out, "Content-Length: %zu\r\n\r\n", body->len);
    buf_str(out, buf_view(body));
}

static void message(Buf *out, int id, const char *method, Str params)
{
    AUTO_BUF Buf body;
    JsonOut json;
    buf_init(&body, 4 << 20);
    json_out_init(&json, &body);
    json_begin_object(&json);
    json_field_text(&json, "jsonrpc", "2.0");
    if (id) json_field_int(&json, "id", id);
    json_field_text(&json, "method", method);
    json_key(&json, "params");
    json_put_raw(&json, params);
    json_end(&json);
    frame(out, &body);
}

static void open_program(Buf *out, Str text)
{
    AUTO_BUF Buf params;
    JsonOut json;
    buf_init(&params, 4 << 20);
    json_out_init(&json, &params);
    json_begin_object(&json);
    json_key(&json, "textDocument");
    json_begin_object(&json);
    json_field_text(&json, "uri", "file:///nowhere/f.tutti");
    json_field_int(&json, "version", 1);
    json_field_str(&json, "text", text);
    json_end(&json);
    json_end(&json);
    message(out, 0, "textDocument/didOpen", buf_view(&params));
}

static void ask(Buf *out, const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"textDocument/hover",      "textDocument/completion",
                                          "textDocument/definition", "textDocument/references",
                                          "textDocument/rename",     "textDocument/codeAction",
                                          "textDocument/formatting", "textDocument/documentSymbol"};
    int id = 2;
    for (size_t i = 0; i < 12; i++) {
        uint32_t byte = data[(i * 131) % size], next = data[(i * 131 + 7) % size];
        char params[400];
        (void)snprintf(
            params, sizeof params,
            "{\"textDocument\":{\"uri\":\"file:///nowhere/f.tutti\"},\"newName\":\"other\","
            "\"position\":{\"line\":%u,\"character\":%u},\"context\":{},\"range\":{\"start\":"
            "{\"line\":%u,\"character\":0},\"end\":{\"line\":%u,\"character\":9}}}",
            byte % 24, next % 60, byte % 24, byte % 24 + 3);
        message(out, id++, methods[i % COUNT_OF(methods)], str_from(params));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > (64 << 10)) return 0;
    AUTO_BUF Buf input;
    buf_init(&input, 16 << 20);
    Str rest = str_slice((const char *)data + 1, size - 1);
    if (data[0] % 2 == 0) {
        buf_str(&input, rest);
    } else {
        message(&input, 1, "initialize", STR("{\"capabilities\":{}}"));
        open_program(&input, rest);
        ask(&input, data + 1, size - 1);
    }
    int in = memfd_create("lsp", MFD_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0 || out < 0 || write(in, input.ptr, input.len) != (ssize_t)input.len ||
        lseek(in, 0, SEEK_SET) != 0)
        abort();
    (void)lsp_serve(in, out);
    (void)close(in);
    (void)close(out);
    return 0;
}
