/* runtime/series/pack.c: groups of numbers with the fewest bits, exceptions patched.
 *
 * A group: width (u8), count of exceptions (u8), the low `width` bits of each number packed, then
 * per exception its place (u8) and the bits above `width` (varint). Or, with the top bit of the
 * first byte set: bytes of a chunk (u8, 1 to 7), radix (u8), then chunks: each the number whose
 * digits in that radix are as many numbers as fit, the first one lowest; the last chunk has the
 * rest in as few bytes as they need. */
#include "series/pack.h"

#include <string.h>

enum { EXCEPTIONS_MAX = 32, WORD_BITS = 64, PAD_WORDS = 1, RADIX = 0x80, CHUNK_BYTES_MAX = 7 };

void pack_put_u8(Buf *out, uint8_t value)
{
    buf_char(out, (char)value);
}

void pack_put_fixed(Buf *out, uint64_t value, uint32_t bytes)
{
    buf_add(out, &value, bytes);
}

void pack_put_varint(Buf *out, uint64_t value)
{
    uint8_t text[10];
    size_t len = 0;
    for (; value > 0x7f; value >>= 7) text[len++] = (uint8_t)(value | 0x80);
    text[len++] = (uint8_t)value;
    buf_add(out, text, len);
}

uint8_t pack_get_u8(PackIn *in)
{
    if (in->failed || in->at == in->end) {
        in->failed = true;
        return 0;
    }
    return *in->at++;
}

uint64_t pack_get_fixed(PackIn *in, uint32_t bytes)
{
    uint64_t value = 0;
    if (in->failed || (size_t)(in->end - in->at) < bytes) {
        in->failed = true;
        return 0;
    }
    memcpy(&value, in->at, bytes);
    in->at += bytes;
    return value;
}

uint64_t pack_get_varint(PackIn *in)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < WORD_BITS; shift += 7) {
        uint8_t byte = pack_get_u8(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    in->failed = true;
    return 0;
}

static uint32_t varint_bytes(uint32_t bits)
{
    return bits ? (bits + 6) / 7 : 1;
}

/* The width with the fewest bytes: goes down from the widest number while the exceptions pay. */
static uint32_t best_width(const uint64_t *values, uint32_t count, uint32_t *ret_bytes)
{
    uint32_t per_width[WORD_BITS + 1] = {0}, widest = 0, best, best_bytes, exceptions = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = pack_bits(values[i]);
        per_width[bits]++;
        if (bits > widest) widest = bits;
    }
    best = widest;
    best_bytes = (count * widest + 7) / 8;
    for (uint32_t width = widest; width-- > 0;) {
        exceptions += per_width[width + 1];
        if (exceptions > EXCEPTIONS_MAX) break;
        if (!per_width[width] && width) continue;
        uint32_t bytes = (count * width + 7) / 8;
        for (uint32_t above = width + 1; above <= widest; above++)
            bytes += per_width[above] * (1 + varint_bytes(above - width));
        if (bytes >= best_bytes) continue;
        best = width;
        best_bytes = bytes;
    }
    *ret_bytes = best_bytes;
    return best;
}

/* ---- digits of larger numbers ---- */

typedef struct Chunks {
    uint32_t radix, bytes, numbers; /* of a chunk */
    uint32_t all_bytes;
} Chunks;

/* Bytes that `numbers` digits need; they fit into 64 bits. */
static uint32_t digits_bytes(uint32_t radix, uint32_t numbers)
{
    uint64_t power = 1;
    for (uint32_t i = 0; i < numbers; i++) power *= radix;
    return (pack_bits(power - 1) + 7) / 8;
}

/* How many digits fit into a chunk: at least one. */
static Chunks chunks_of(uint32_t radix, uint32_t bytes, uint32_t count)
{
    Chunks chunks = {.radix = radix, .bytes = bytes};
    uint64_t most = (uint64_t)1 << (8 * bytes);
    for (uint64_t power = radix; power <= most; power *= radix) chunks.numbers++;
    uint32_t whole = count / chunks.numbers, rest = count % chunks.numbers;
    chunks.all_bytes = whole * bytes + digits_bytes(radix, rest);
    return chunks;
}

static Chunks best_chunks(uint64_t greatest, uint32_t count)
{
    Chunks best = {.all_bytes = UINT32_MAX};
    if (greatest < 2 || greatest >= UINT8_MAX || !(greatest & (greatest + 1))) return best;
    for (uint32_t bytes = 1; bytes <= CHUNK_BYTES_MAX; bytes++) {
        Chunks chunks = chunks_of((uint32_t)greatest + 1, bytes, count);
        if (chunks.all_bytes < best.all_bytes) best = chunks;
    }
    return best;
}

static void put_chunks(Buf *out, const Chunks *chunks, const uint64_t *values, uint32_t count)
{
    pack_put_u8(out, (uint8_t)(RADIX | chunks->bytes));
    pack_put_u8(out, (uint8_t)chunks->radix);
    for (uint32_t at = 0; at < count; at += chunks->numbers) {
        uint32_t end = at + chunks->numbers, bytes = chunks->bytes;
        uint64_t number = 0;
        if (end > count) {
            end = count;
            bytes = digits_bytes(chunks->radix, end - at);
        }
        for (uint32_t i = end; i-- > at;) number = number * chunks->radix + values[i];
        pack_put_fixed(out, number, bytes);
    }
}

__extension__ typedef unsigned __int128 Product;

/* Dividing by the radix is multiplying by 2^64 / radix, rounded up: exact below 2^56, as the error
 * of the quotient is below number * radix / 2^64. */
static void get_chunks(PackIn *in, uint32_t head, uint32_t radix, uint64_t *values, uint32_t count)
{
    uint32_t bytes = head & ~(uint32_t)RADIX;
    if (!bytes || bytes > CHUNK_BYTES_MAX || radix < 2) {
        in->failed = true;
        return;
    }
    Chunks chunks = chunks_of(radix, bytes, count);
    uint64_t inverse = UINT64_MAX / radix + 1, mask = ((uint64_t)1 << (8 * bytes)) - 1;
    if (in->failed || (size_t)(in->end - in->at) < chunks.all_bytes) {
        in->failed = true;
        return;
    }
    for (uint32_t at = 0; at < count; at += chunks.numbers) {
        uint32_t numbers = count - at < chunks.numbers ? count - at : chunks.numbers;
        uint64_t number;
        if (numbers == chunks.numbers && (size_t)(in->end - in->at) >= sizeof number) {
            memcpy(&number, in->at, sizeof number); /* of a known size: much quicker */
            number &= mask;
            in->at += bytes;
        } else {
            number = pack_get_fixed(in, numbers == chunks.numbers ? bytes
                                                                  : digits_bytes(radix, numbers));
        }
        for (uint32_t i = 0; i < numbers; i++) {
            uint64_t rest = (uint64_t)((Product)number * inverse >> WORD_BITS);
            values[at + i] = number - rest * radix;
            number = rest;
        }
    }
}

/* ---- groups ---- */

static void put_group(Buf *out, const uint64_t *values, uint32_t count)
{
    uint32_t plain_bytes, width = best_width(values, count, &plain_bytes), fill = 0, exceptions = 0;
    uint64_t greatest = 0;
    for (uint32_t i = 0; i < count; i++) greatest = values[i] > greatest ? values[i] : greatest;
    Chunks chunks = best_chunks(greatest, count);
    if (chunks.all_bytes < plain_bytes) {
        put_chunks(out, &chunks, values, count);
        return;
    }
    uint64_t mask = width == WORD_BITS ? UINT64_MAX : ((uint64_t)1 << width) - 1, word = 0;
    uint64_t words[PACK_GROUP];
    uint8_t at[PACK_GROUP];
    uint32_t word_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t low = values[i] & mask;
        at[exceptions] = (uint8_t)i;
        exceptions += low != values[i];
        if (!width) continue;
        word |= low << fill;
        fill += width;
        if (fill < WORD_BITS) continue;
        words[word_count++] = word;
        fill -= WORD_BITS;
        word = fill ? low >> (width - fill) : 0;
    }
    if (fill) words[word_count++] = word;
    pack_put_u8(out, (uint8_t)width);
    pack_put_u8(out, (uint8_t)exceptions);
    buf_add(out, words, (count * width + 7) / 8);
    for (uint32_t i = 0; i < exceptions; i++) {
        pack_put_u8(out, at[i]);
        pack_put_varint(out, values[at[i]] >> width);
    }
}

static void get_group(PackIn *in, uint64_t *values, uint32_t count)
{
    uint32_t width = pack_get_u8(in), exceptions = pack_get_u8(in);
    if (width & RADIX) {
        get_chunks(in, width, exceptions, values, count);
        return;
    }
    uint64_t words[PACK_GROUP + PAD_WORDS];
    size_t bytes = (count * width + 7) / 8;
    if (in->failed || width > WORD_BITS || exceptions > count ||
        (size_t)(in->end - in->at) < bytes) {
        in->failed = true;
        return;
    }
    words[0] = words[bytes / 8] = 0;
    words[1] = 0;
    memcpy(words, in->at, bytes);
    words[bytes / 8 + (bytes % 8 != 0)] = 0;
    in->at += bytes;
    uint64_t mask = width == WORD_BITS ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    for (uint32_t i = 0, bit = 0; i < count; i++, bit += width) {
        uint32_t from = bit % WORD_BITS;
        uint64_t low = words[bit / WORD_BITS] >> from;
        /* twice shifted, so that from == 0 shifts everything out */
        uint64_t high = words[bit / WORD_BITS + 1] << 1 << (WORD_BITS - 1 - from);
        values[i] = (low | high) & mask;
    }
    for (uint32_t i = 0; i < exceptions; i++) {
        uint32_t place = pack_get_u8(in);
        uint64_t above = pack_get_varint(in);
        if (place >= count || width >= WORD_BITS) {
            in->failed = true;
            return;
        }
        values[place] |= above << width;
    }
}

void pack_put_all(Buf *out, const uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += PACK_GROUP)
        put_group(out, values + i, count - i < PACK_GROUP ? count - i : PACK_GROUP);
}

void pack_get_all(PackIn *in, uint64_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count && !in->failed; i += PACK_GROUP)
        get_group(in, values + i, count - i < PACK_GROUP ? count - i : PACK_GROUP);
}
