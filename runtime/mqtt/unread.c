/* runtime/mqtt/unread.c: a table of topics that is filled once and then emptied.
 *
 * Topics are gathered first and indexed at once: the table has its size from the beginning, and the
 * memory that the next ones need is on its way while one is placed. A slot tells half of the hash,
 * so that other topics are not touched on the way. */
#include "mqtt/unread.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    BYTES_MIN = 4096,
    SLOTS_MIN = 64,
    STEP = 8,            /* topics begin at multiples of it, which reach 32 GiB so */
    TOPIC_BYTES = 65535, /* as on the wire */
    GONE = 0,            /* row of a topic that was taken out */
    AHEAD = 32,
};

typedef struct Head {
    uint32_t row, len;
} Head;

void mqtt__unread_done(Unread *unread)
{
    mem_free(unread->slots);
    mem_free(unread->topics);
    *unread = (Unread){0};
}

static void *room_for(size_t bytes)
{
    return bytes >= MEM_PAGE_LARGE ? mem_large(bytes) : mem_alloc(bytes);
}

static Status grow(Unread *unread, size_t bytes)
{
    size_t cap = unread->cap ? unread->cap : BYTES_MIN;
    if (unread->bytes + bytes <= unread->cap) return ST_OK;
    while (unread->bytes + bytes > cap) cap *= 2;
    if (cap / STEP > UINT32_MAX) return ST_LIMIT;
    char *topics = room_for(cap);
    if (!topics) return ST_NO_MEMORY;
    if (unread->bytes) memcpy(topics, unread->topics, unread->bytes);
    mem_free(unread->topics);
    unread->topics = topics;
    unread->cap = cap;
    return ST_OK;
}

static size_t padded(size_t len)
{
    return (sizeof(Head) + len + STEP - 1) / STEP * STEP;
}

Status mqtt__unread_add(Unread *unread, Str topic, uint32_t row)
{
    if (topic.len > TOPIC_BYTES) return ST_LIMIT;
    Status st = grow(unread, padded(topic.len));
    if (st) return st;
    Head head = {row, (uint32_t)topic.len};
    char *at = unread->topics + unread->bytes;
    memcpy(at, &head, sizeof head);
    if (topic.len) memcpy(at + sizeof head, topic.ptr, topic.len);
    unread->bytes += padded(topic.len);
    unread->count++;
    return ST_OK;
}

static char *slot_text(const Unread *unread, uint64_t slot)
{
    return unread->topics + ((slot >> 32) - 1) * STEP;
}

/* Where the topic lies; NULL: it is not there, and *ret_slot is where it would be told of. */
static char *find(const Unread *unread, uint64_t hash, Str topic, Head *ret_head, size_t *ret_slot)
{
    uint32_t half = (uint32_t)(hash >> 32);
    uint64_t slot;
    size_t i = half & (unread->slot_count - 1);
    for (; (slot = unread->slots[i]); i = (i + 1) & (unread->slot_count - 1)) {
        if ((uint32_t)slot != half) continue;
        char *at = slot_text(unread, slot);
        memcpy(ret_head, at, sizeof *ret_head);
        if (ret_head->row != GONE && str_eq(str_slice(at + sizeof *ret_head, ret_head->len), topic))
            return at;
    }
    *ret_slot = i;
    return NULL;
}

static void gone(Unread *unread, char *at)
{
    uint32_t row = GONE;
    memcpy(at + offsetof(Head, row), &row, sizeof row);
    unread->count--;
}

typedef struct Ahead {
    size_t at;
    Str topic;
    uint64_t hash;
} Ahead;

/* The next ones from `from` on; their slots are on their way. */
static uint32_t look_ahead(const Unread *unread, size_t *from, Ahead *ahead)
{
    uint32_t count = 0;
    for (; count < AHEAD && *from < unread->bytes; count++) {
        Head head;
        memcpy(&head, unread->topics + *from, sizeof head);
        Str topic = str_slice(unread->topics + *from + sizeof head, head.len);
        ahead[count] = (Ahead){*from, topic, hash_bytes(topic.ptr, topic.len)};
        size_t i = (ahead[count].hash >> 32) & (unread->slot_count - 1);
        __builtin_prefetch(&unread->slots[i], 1);
        *from += padded(head.len);
    }
    return count;
}

Status mqtt__unread_index(Unread *unread, uint32_t *ret_doubles)
{
    size_t count = SLOTS_MIN, from = 0, free_slot;
    while ((size_t)unread->count * 3 > count * 2) count *= 2;
    size_t bytes = count * sizeof *unread->slots;
    uint64_t *slots = room_for(bytes);
    if (!slots) return ST_NO_MEMORY;
    memset(slots, 0, bytes);
    mem_free(unread->slots);
    unread->slots = slots;
    unread->slot_count = count;
    uint32_t all = unread->count;
    Ahead ahead[AHEAD];
    for (uint32_t found; (found = look_ahead(unread, &from, ahead)) > 0;)
        for (uint32_t i = 0; i < found; i++) {
            Head head;
            if (find(unread, ahead[i].hash, ahead[i].topic, &head, &free_slot))
                gone(unread, unread->topics + ahead[i].at);
            else
                slots[free_slot] = (ahead[i].at / STEP + 1) << 32 | ahead[i].hash >> 32;
        }
    *ret_doubles = all - unread->count;
    return ST_OK;
}

/* NULL: it is not there, or nothing is any more. */
static char *lookup(const Unread *unread, Str topic, Head *ret_head)
{
    size_t slot;
    if (!unread->count) return NULL;
    return find(unread, hash_bytes(topic.ptr, topic.len), topic, ret_head, &slot);
}

uint32_t mqtt__unread_row(const Unread *unread, Str topic)
{
    Head head;
    return lookup(unread, topic, &head) ? head.row : 0;
}

uint32_t mqtt__unread_take(Unread *unread, Str topic)
{
    Head head;
    char *at = lookup(unread, topic, &head);
    if (!at) return 0;
    gone(unread, at);
    return head.row;
}

uint32_t mqtt__unread_next(const Unread *unread, size_t *at, Str *ret_topic)
{
    Head head;
    memcpy(&head, unread->topics + *at, sizeof head);
    *ret_topic = str_slice(unread->topics + *at + sizeof head, head.len);
    *at += padded(head.len);
    return head.row;
}
