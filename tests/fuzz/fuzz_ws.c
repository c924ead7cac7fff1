/* tests/fuzz/fuzz_ws.c: WebSocket frames from hostile bytes, cut at every place the input asks for.
 *
 * The first byte is the step of feeding; delivered text must be UTF-8 and within the limit. */
#include "http/ws_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MESSAGE_MAX = 512 };
    if (!size) return 0;
    size_t step = data[0] ? data[0] : 1, at = 1;
    WsDecoder decoder;
    ws__decoder_init(&decoder, MESSAGE_MAX);
    while (at < size) {
        size_t used = 0, take = size - at < step ? size - at : step;
        WsEvent event = ws__decode(&decoder, (const char *)data + at, take, &used);
        if (used > take) abort();
        at += used;
        if (event.type == WS_ERROR) break;
        if (event.type == WS_MORE && used != take) abort();
        if (event.type == WS_MESSAGE && event.bytes.len > MESSAGE_MAX) abort();
        if (event.type == WS_MESSAGE && event.text && !str_utf8_valid(event.bytes)) abort();
    }
    ws__decoder_done(&decoder);
    return 0;
}
