/* compiler/driver/frames.c: see frames.h. A frame is a head, the record, a NUL, the topic. */
#include "compiler/driver/frames.h"

#include <string.h>

typedef struct Head {
    int64_t received_ns;
    uint32_t record_bytes, topic_bytes;
} Head;

bool frame_put(FILE *out, Str topic, int64_t received_ns, Str record)
{
    if (topic.len > UINT32_MAX || record.len > UINT32_MAX) return false;
    Head head = {received_ns, (uint32_t)record.len, (uint32_t)topic.len};
    return fwrite(&head, sizeof head, 1, out) == 1 &&
           fwrite(record.ptr, 1, record.len, out) == record.len && putc(0, out) != EOF &&
           fwrite(topic.ptr, 1, topic.len, out) == topic.len;
}

FlowCut frame_cut(Str bytes, RtRecord *records, uint32_t count_max)
{
    FlowCut cut = {0};
    while (cut.count < count_max) {
        Head head;
        const char *at = bytes.ptr + cut.bytes;
        size_t left = bytes.len - cut.bytes;
        if (left < sizeof head) break;
        memcpy(&head, at, sizeof head);
        size_t whole = sizeof head + (size_t)head.record_bytes + 1 + head.topic_bytes;
        if (left < whole) break;
        at += sizeof head;
        records[cut.count++] = (RtRecord){.ptr = at,
                                          .len = head.record_bytes,
                                          .topic = at + head.record_bytes + 1,
                                          .topic_len = head.topic_bytes,
                                          .key = "",
                                          .received_ns = head.received_ns};
        cut.bytes += whole;
    }
    return cut;
}
