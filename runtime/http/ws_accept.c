/* runtime/http/ws_accept.c: the answer to Sec-WebSocket-Key: SHA-1 and base64.
 *
 * SHA-1 (RFC 3174) is no security here, only the handshake's proof that a server understood it
 * (RFC 6455, section 1.3); so forty lines instead of a crypto library in the HTTP edge. */
#include "http/ws_frame.h"

enum { SHA1_BYTES = 20, KEY_BYTES_MAX = 24 };

static uint32_t roll(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

static void sha1_block(uint32_t state[5], const unsigned char *block)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = roll(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        uint32_t next = roll(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = roll(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* Key and GUID together are 60 bytes: two blocks with padding. */
static void sha1_short(const unsigned char *bytes, size_t len, unsigned char digest[SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char blocks[128] = {0};
    memcpy(blocks, bytes, len);
    blocks[len] = 0x80;
    size_t total = len + 9 <= 64 ? 64 : 128;
    for (int i = 0; i < 8; i++)
        blocks[total - 1 - (size_t)i] = (unsigned char)((uint64_t)len * 8 >> (8 * i));
    for (size_t at = 0; at < total; at += 64) sha1_block(state, blocks + at);
    for (int i = 0; i < SHA1_BYTES; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void ws__accept_value(Str key, char ret_text[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char joined[KEY_BYTES_MAX + sizeof guid], digest[SHA1_BYTES + 1] = {0};
    size_t len = key.len < KEY_BYTES_MAX ? key.len : KEY_BYTES_MAX;
    memcpy(joined, key.ptr, len);
    memcpy(joined + len, guid, sizeof guid - 1);
    sha1_short(joined, len + sizeof guid - 1, digest);
    for (int i = 0; i < 7; i++) { /* 20 bytes = 6 whole groups and two bytes */
        uint32_t group =
            (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++) ret_text[4 * i + j] = letters[group >> (18 - 6 * j) & 63];
    }
    ret_text[27] = '=';
    ret_text[28] = '\0';
}
