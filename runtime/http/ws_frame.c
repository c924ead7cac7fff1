/* runtime/http/ws_frame.c: the WebSocket frame decoder and writer, without I/O.
 *
 * Everything RFC 6455 forbids a client ends the connection with the code it names: 1002 for broken
 * framing, 1007 for text that is not UTF-8 (found at the first bad byte), 1009 for a message over
 * the limit (known from the frame's head, before any of it is stored). */
#include "http/ws_frame.h"

enum { OP_CONTINUE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

bool ws__utf8(WsUtf8 *utf8, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = bytes[i];
        if (utf8->need) {
            if (c < utf8->low || c > utf8->high) return false;
            utf8->need--;
            utf8->low = 0x80;
            utf8->high = 0xbf;
        } else if (c >= 0x80) {
            if (c < 0xc2 || c > 0xf4) return false;
            utf8->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
            utf8->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
            utf8->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        }
    }
    return true;
}

void ws__decoder_init(WsDecoder *decoder, uint32_t message_bytes_max)
{
    *decoder = (WsDecoder){.head_need = 2};
    buf_init(&decoder->message, message_bytes_max);
}

void ws__decoder_done(WsDecoder *decoder)
{
    buf_done(&decoder->message);
}

bool ws__close_code_valid(uint16_t code)
{
    if (code >= 3000) return code <= 4999;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

static WsEvent error(uint16_t code)
{
    return (WsEvent){.type = WS_ERROR, .code = code};
}

/* The first two bytes say how long the head is; 0 or a close code. */
static uint16_t check_start(WsDecoder *decoder)
{
    unsigned char first = decoder->head[0], second = decoder->head[1];
    uint8_t opcode = first & 0x0f, len = second & 0x7f;
    if (first & 0x70) return 1002; /* no extension was agreed on */
    if (!(second & 0x80)) return 1002;
    decoder->fin = (first & 0x80) != 0;
    decoder->opcode = opcode;
    decoder->head_need = (uint8_t)(6 + (len == 126 ? 2 : len == 127 ? 8 : 0));
    if (opcode >= 8) {
        if (opcode > OP_PONG || !decoder->fin || len > WS_CONTROL_BYTES_MAX) return 1002;
    } else if (opcode > OP_BINARY || (opcode == OP_CONTINUE) != (decoder->message_opcode != 0)) {
        return 1002;
    }
    return 0;
}

static uint16_t check_head(WsDecoder *decoder)
{
    uint8_t len = decoder->head[1] & 0x7f;
    uint32_t extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    uint64_t bytes = extra ? 0 : len;
    for (uint32_t i = 0; i < extra; i++) bytes = bytes << 8 | decoder->head[2 + i];
    if ((extra == 2 && bytes < 126) || (extra == 8 && (bytes <= 0xffff || bytes >> 63)))
        return 1002; /* not the shortest form */
    memcpy(decoder->mask, decoder->head + 2 + extra, 4);
    decoder->left = bytes;
    decoder->mask_at = 0;
    decoder->in_payload = true;
    if (decoder->opcode >= 8) {
        decoder->control_len = 0;
        return 0;
    }
    if (decoder->opcode) {
        decoder->message_opcode = decoder->opcode;
        decoder->utf8 = (WsUtf8){0};
        decoder->fragments = 0;
        buf_clear(&decoder->message);
    }
    if (++decoder->fragments > WS_FRAGMENTS_MAX) return 1008;
    if (bytes > decoder->message.max_bytes - decoder->message.len) return 1009;
    return 0;
}

static uint16_t take_payload(WsDecoder *decoder, const char *bytes, size_t count)
{
    if (!count) return 0;
    unsigned char *to;
    if (decoder->opcode >= 8)
        to = decoder->control + decoder->control_len;
    else
        to = (unsigned char *)buf_reserve(&decoder->message, count);
    if (!to) return 1009;
    for (size_t i = 0; i < count; i++)
        to[i] = (unsigned char)bytes[i] ^ decoder->mask[(decoder->mask_at + i) & 3];
    decoder->mask_at += count;
    decoder->left -= count;
    if (decoder->opcode >= 8) {
        decoder->control_len += (uint32_t)count;
        return 0;
    }
    decoder->message.len += count;
    return decoder->message_opcode == OP_TEXT && !ws__utf8(&decoder->utf8, to, count) ? 1007 : 0;
}

static WsEvent close_event(const WsDecoder *decoder)
{
    WsEvent event = {.type = WS_CLOSE, .code = 1005};
    WsUtf8 utf8 = {0};
    if (decoder->control_len == 0) return event;
    if (decoder->control_len == 1) return error(1002);
    event.code = (uint16_t)(decoder->control[0] << 8 | decoder->control[1]);
    event.bytes = (Str){(const char *)decoder->control + 2, decoder->control_len - 2};
    if (!ws__close_code_valid(event.code)) return error(1002);
    if (!ws__utf8(&utf8, decoder->control + 2, decoder->control_len - 2) || utf8.need)
        return error(1007);
    return event;
}

static WsEvent frame_end(WsDecoder *decoder)
{
    decoder->in_payload = false;
    decoder->head_len = 0;
    decoder->head_need = 2;
    if (decoder->opcode == OP_CLOSE) return close_event(decoder);
    if (decoder->opcode >= 8)
        return (WsEvent){.type = decoder->opcode == OP_PING ? WS_PING : WS_PONG,
                         .bytes = {(const char *)decoder->control, decoder->control_len}};
    if (!decoder->fin) return (WsEvent){.type = WS_MORE};
    bool text = decoder->message_opcode == OP_TEXT;
    decoder->message_opcode = 0;
    decoder->delivered = true;
    if (text && decoder->utf8.need) return error(1007);
    return (WsEvent){.type = WS_MESSAGE, .text = text, .bytes = buf_view(&decoder->message)};
}

WsEvent ws__decode(WsDecoder *decoder, const char *bytes, size_t len, size_t *ret_used)
{
    size_t at = 0;
    uint16_t code = 0;
    if (decoder->delivered) {
        decoder->delivered = false;
        if (decoder->message.cap > 4096)
            buf_done(&decoder->message);
        else
            buf_clear(&decoder->message);
    }
    for (;;) {
        if (!decoder->in_payload) {
            while (decoder->head_len < decoder->head_need && at < len && !code) {
                decoder->head[decoder->head_len++] = (unsigned char)bytes[at++];
                if (decoder->head_len == 2) code = check_start(decoder);
            }
            if (!code && decoder->head_len < decoder->head_need) break;
            if (!code) code = check_head(decoder);
        }
        if (!code) {
            size_t count = len - at < decoder->left ? len - at : (size_t)decoder->left;
            code = take_payload(decoder, bytes + at, count);
            at += count;
        }
        *ret_used = at;
        if (code) return error(code);
        if (decoder->left) break;
        WsEvent event = frame_end(decoder);
        if (event.type != WS_MORE) return event;
    }
    *ret_used = at;
    return (WsEvent){.type = WS_MORE};
}

size_t ws__frame_head(unsigned char *head, uint8_t opcode, size_t payload_bytes)
{
    head[0] = (unsigned char)(0x80 | opcode);
    if (payload_bytes < 126) {
        head[1] = (unsigned char)payload_bytes;
        return 2;
    }
    size_t extra = payload_bytes <= 0xffff ? 2 : 8;
    head[1] = extra == 2 ? 126 : 127;
    for (size_t i = 0; i < extra; i++)
        head[2 + i] = (unsigned char)((uint64_t)payload_bytes >> (8 * (extra - 1 - i)));
    return 2 + extra;
}
