/* runtime/http/ws_frame.h: WebSocket frames (RFC 6455, section 5) as bytes; private to the folder.
 *
 * The decoder is fed in pieces and never keeps more than one message. Server side: frames from
 * the peer must be masked. */
#ifndef TUTTI_HTTP_WS_FRAME_H
#define TUTTI_HTTP_WS_FRAME_H

#include "base/buf.h"
#include "base/str.h"

enum { WS_FRAGMENTS_MAX = 1024, WS_CONTROL_BYTES_MAX = 125, WS_FRAME_HEAD_BYTES_MAX = 14 };

typedef enum WsEventType {
    WS_MORE,    /* all bytes used, nothing complete */
    WS_MESSAGE, /* whole message, text checked */
    WS_PING,
    WS_PONG,
    WS_CLOSE, /* code as received, 1005 when there was none */
    WS_ERROR, /* close the connection with `code`; the decoder is of no use any more */
} WsEventType;

typedef struct WsEvent {
    WsEventType type;
    bool text;
    uint16_t code;
    Str bytes; /* lent until the next call */
} WsEvent;

typedef struct WsUtf8 {
    uint8_t need, low, high; /* continuation bytes missing, bounds of the next one */
} WsUtf8;
/* False as soon as the bytes so far can no longer become valid UTF-8 (Unicode table 3-7). */
bool ws__utf8(WsUtf8 *utf8, const unsigned char *bytes, size_t len);

typedef struct WsDecoder {
    Buf message; /* of the data message that is being collected */
    unsigned char control[WS_CONTROL_BYTES_MAX];
    unsigned char head[WS_FRAME_HEAD_BYTES_MAX];
    unsigned char mask[4];
    uint8_t head_len, head_need, opcode;
    uint8_t message_opcode; /* 0 = no message open */
    bool fin, in_payload, delivered;
    uint32_t fragments, control_len;
    uint64_t left, mask_at;
    WsUtf8 utf8;
} WsDecoder;

void ws__decoder_init(WsDecoder *decoder, uint32_t message_bytes_max);
void ws__decoder_done(WsDecoder *decoder);
WsEvent ws__decode(WsDecoder *decoder, const char *bytes, size_t len, size_t *ret_used);

/* Head of an unmasked final frame; returns its length. */
size_t ws__frame_head(unsigned char *head, uint8_t opcode, size_t payload_bytes);
bool ws__close_code_valid(uint16_t code);

/* Sec-WebSocket-Accept for a key: 28 letters and a NUL (RFC 6455, section 4.2.2). */
void ws__accept_value(Str key, char ret_text[29]);

#endif
