/* tests/http/test_http_ws.c: WebSocket frames against the examples and rules of RFC 6455. */
#include "test.h"

#include "http/ws_frame.h"

#include <stdlib.h>

/* Section 1.3 gives this pair. */
TEST(accept_value_of_the_standard)
{
    char text[29];
    ws__accept_value(STR("dGhlIHNhbXBsZSBub25jZQ=="), text);
    CHECK_TEXT(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static WsEvent decode(WsDecoder *decoder, const char *bytes, size_t len, size_t step)
{
    size_t at = 0, used = 0;
    WsEvent event = {.type = WS_MORE};
    while (at < len && event.type == WS_MORE) {
        size_t take = len - at < step ? len - at : step;
        event = ws__decode(decoder, bytes + at, take, &used);
        at += used;
    }
    return event;
}

/* Section 5.7: a masked "Hello"; a fragmented one with a ping between the fragments. */
TEST(frames_of_the_standard)
{
    static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    for (size_t step = 1; step < 12; step++) {
        WsDecoder decoder;
        ws__decoder_init(&decoder, 100);
        WsEvent event = decode(&decoder, hello, sizeof hello - 1, step);
        CHECK_INT(event.type, WS_MESSAGE);
        CHECK(event.text);
        CHECK_STR(event.bytes, "Hello");
        ws__decoder_done(&decoder);
    }
    static const char first[] = "\x01\x83\0\0\0\0Hel", ping[] = "\x89\x82\1\1\1\1\x69\x68",
                      last[] = "\x80\x82\0\0\0\0lo";
    WsDecoder decoder;
    ws__decoder_init(&decoder, 100);
    CHECK_INT(decode(&decoder, first, sizeof first - 1, 100).type, WS_MORE);
    WsEvent event = decode(&decoder, ping, sizeof ping - 1, 100);
    CHECK_INT(event.type, WS_PING);
    CHECK_STR(event.bytes, "hi");
    event = decode(&decoder, last, sizeof last - 1, 100);
    CHECK_INT(event.type, WS_MESSAGE);
    CHECK_STR(event.bytes, "Hello");
    ws__decoder_done(&decoder);
}

static uint16_t refused(const char *bytes, size_t len)
{
    WsDecoder decoder;
    ws__decoder_init(&decoder, 1000);
    WsEvent event = decode(&decoder, bytes, len, 1);
    ws__decoder_done(&decoder);
    return event.type == WS_ERROR ? event.code : 0;
}
#define REFUSED(lit) refused(lit, sizeof(lit) - 1)

TEST(rule_breakers_get_the_code_the_standard_names)
{
    CHECK_INT(REFUSED("\x81\x05Hello"), 1002);                      /* not masked */
    CHECK_INT(REFUSED("\xc1\x80\0\0\0\0"), 1002);                   /* reserved bit */
    CHECK_INT(REFUSED("\x83\x80\0\0\0\0"), 1002);                   /* reserved opcode */
    CHECK_INT(REFUSED("\x09\x80\0\0\0\0"), 1002);                   /* fragmented ping */
    CHECK_INT(REFUSED("\x89\xfe\0\x7e\0\0\0\0"), 1002);             /* ping of 126 bytes */
    CHECK_INT(REFUSED("\x80\x80\0\0\0\0"), 1002);                   /* continuation of nothing */
    CHECK_INT(REFUSED("\x01\x80\0\0\0\0\x81\x80\0\0\0\0"), 1002);   /* text inside text */
    CHECK_INT(REFUSED("\x82\xfe\0\x7d\0\0\0\0"), 1002);             /* length not shortest */
    CHECK_INT(REFUSED("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), 1002); /* 2^63 bytes */
    CHECK_INT(REFUSED("\x82\xfe\x03\xe9\0\0\0\0"), 1009);           /* 1001 of 1000 bytes */
    CHECK_INT(REFUSED("\x81\x82\0\0\0\0\xc0\xaf"), 1007);           /* overlong UTF-8 */
    CHECK_INT(REFUSED("\x81\x82\0\0\0\0\xe2\x82"), 1007);           /* cut inside a letter */
    CHECK_INT(REFUSED("\x88\x81\0\0\0\0\x03"), 1002);               /* half a code */
    CHECK_INT(REFUSED("\x88\x82\0\0\0\0\x03\xed"), 1002);           /* 1005 on the wire */
    CHECK_INT(REFUSED("\x88\x83\0\0\0\0\x03\xe8\xff"), 1007);       /* reason not UTF-8 */
    CHECK_INT(REFUSED("\x81\x83\0\0\0\0\xe2\x82\xac"), 0);          /* a euro sign */
}

TEST(a_letter_may_be_cut_by_fragments)
{
    static const char frames[] = "\x01\x81\0\0\0\0\xe2\x80\x82\0\0\0\0\x82\xac";
    WsDecoder decoder;
    ws__decoder_init(&decoder, 10);
    WsEvent event = decode(&decoder, frames, sizeof frames - 1, 3);
    CHECK_INT(event.type, WS_MESSAGE);
    CHECK_STR(event.bytes, "\xe2\x82\xac");
    ws__decoder_done(&decoder);
}

TEST(close_carries_code_and_reason)
{
    static const char frame[] = "\x88\x85\0\0\0\0\x03\xe9"
                                "bye";
    WsDecoder decoder;
    ws__decoder_init(&decoder, 10);
    WsEvent event = decode(&decoder, frame, sizeof frame - 1, 2);
    CHECK_INT(event.type, WS_CLOSE);
    CHECK_INT(event.code, 1001);
    CHECK_STR(event.bytes, "bye");
    ws__decoder_done(&decoder);
}

/* Section 5.2: 7 bits, then 16, then 64, always the shortest. */
TEST(frame_heads_are_shortest)
{
    unsigned char head[WS_FRAME_HEAD_BYTES_MAX];
    CHECK_INT((int)ws__frame_head(head, 1, 125), 2);
    CHECK_INT((int)ws__frame_head(head, 2, 126), 4);
    CHECK(memcmp(head, "\x82\x7e\0\x7e", 4) == 0);
    CHECK_INT((int)ws__frame_head(head, 2, 65535), 4);
    CHECK_INT((int)ws__frame_head(head, 2, 65536), 10);
    CHECK(memcmp(head, "\x82\x7f\0\0\0\0\0\1\0\0", 10) == 0);
}
