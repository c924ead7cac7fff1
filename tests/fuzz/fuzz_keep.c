/* tests/fuzz/fuzz_keep.c: the broker's stored records from hostile bytes.
 *
 * The bytes are tried as they are, which the checksum nearly always refuses, and with the right
 * checksum. What is accepted must be the same again when it is written and read once more. */
#include "base/crc.h"
#include "mqtt/keep.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(Str a, Str b)
{
    if (!str_eq(a, b)) abort();
}

static void read_msg(Str bytes)
{
    KeepMsg msg, again;
    AUTO_BUF Buf out = {0};
    if (mqtt__keep_get_msg(bytes, &msg)) return;
    buf_init(&out, 1 << 20);
    mqtt__keep_put_msg(&out, &msg);
    mqtt__keep_seal(KEEP_RETAIN, out.ptr, out.len);
    if (mqtt__keep_get_msg(buf_view(&out), &again)) abort();
    same(buf_view(&out), bytes);
    same(mqtt__keep_key(bytes), msg.pub.topic);
    same(again.pub.payload, msg.pub.payload);
}

static void read_entry(Str bytes)
{
    uint32_t ids[KEEP_IDS_MAX], count;
    Str rest;
    AUTO_BUF Buf out = {0};
    if (mqtt__keep_get_entry(bytes, ids, &count, &rest)) return;
    buf_init(&out, 1 << 20);
    mqtt__keep_put_entry(&out, ids, count);
    mqtt__keep_seal(KEEP_QUEUE, out.ptr, out.len);
    same(buf_view(&out), str_slice(bytes.ptr, bytes.len - rest.len));
    read_msg(rest);
}

static void read_session(Str bytes)
{
    KeepSession session, again;
    AUTO_BUF Buf out = {0};
    if (mqtt__keep_get_session(bytes, &session)) return;
    buf_init(&out, 1 << 20);
    mqtt__keep_put_session(&out, &session);
    mqtt__keep_seal(KEEP_SESSION, out.ptr, out.len);
    if (mqtt__keep_get_session(buf_view(&out), &again)) abort();
    same(again.id, session.id);
    same(again.user, session.user);
    if (again.has_will) same(again.will.pub.payload, session.will.pub.payload);
}

static void read_filter(Str bytes)
{
    KeepFilter filter;
    AUTO_BUF Buf out = {0};
    if (mqtt__keep_get_filter(bytes, &filter)) return;
    buf_init(&out, 1 << 20);
    mqtt__keep_put_filter(&out, &filter);
    mqtt__keep_seal(KEEP_FILTER, out.ptr, out.len);
    same(buf_view(&out), bytes);
    same(mqtt__keep_key(bytes), filter.filter);
}

static void read_all(Str bytes)
{
    read_msg(bytes);
    read_entry(bytes);
    read_session(bytes);
    read_filter(bytes);
}

static void put_crc(char *bytes, size_t len)
{
    uint32_t crc = crc32c(0, bytes + KEEP_CRC_BYTES, len - KEEP_CRC_BYTES);
    for (size_t i = 0; i < KEEP_CRC_BYTES; i++) bytes[i] = (char)(crc >> (8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all((Str){(const char *)data, size});
    if (size < 6 || size > 1 << 16) return 0;
    char *copy = malloc(size);
    if (!copy) return 0;
    memcpy(copy, data, size);
    put_crc(copy, size);
    read_all((Str){copy, size});
    size_t entry = 6 + (size_t)4 * (uint8_t)copy[5];
    if (copy[4] == 'E' && entry <= size) { /* and the message behind the entry */
        put_crc(copy, entry);
        if (size - entry > KEEP_CRC_BYTES) put_crc(copy + entry, size - entry);
        read_all((Str){copy, size});
    }
    free(copy);
    return 0;
}
