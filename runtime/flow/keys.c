/* runtime/flow/keys.c: making the hash tables of keys. */
#include "flow/keys.h"

#include "base/mem.h"

enum { TRIES = 200 };

static RtQuick quick(const RtField *field)
{
    switch (field->type) {
    case RT_F64: return RT_QUICK_F64;
    case RT_I32: /* less than eight digits fit */
    case RT_I64: return RT_QUICK_INT;
    case RT_U32:
    case RT_U64: return RT_QUICK_UINT;
    case RT_STR: return RT_QUICK_STR;
    case RT_ENUM: return RT_QUICK_ENUM;
    case RT_TIME: return field->time_read ? RT_QUICK_NONE : RT_QUICK_TIME;
    default: return RT_QUICK_NONE;
    }
}

/* Places of the fields under one factor; returns how many steps finding all of them takes. */
static u32 fill(RtKeys *keys, u64 factor)
{
    u32 steps = 0;
    keys->factor = factor;
    memset(keys->slots, 0, ((size_t)keys->mask + 1) * sizeof *keys->slots);
    for (u32 i = 1; i <= keys->schema->count; i++) {
        const RtField *field = keys->list[i].field;
        u64 last = 0;
        if (field->name_len > 8) memcpy(&last, field->name + field->name_len - 8, 8);
        u32 at = rt_key_hash(keys, field->word, last, field->name_len);
        for (; keys->slots[at]; at = (at + 1) & keys->mask) steps++;
        keys->slots[at] = (u16)i;
    }
    return steps;
}

/* The best of some factors; few fields mostly find one without any detour. */
static void choose_factor(RtKeys *keys)
{
    u64 state = 1, best = 0;
    u32 least = UINT32_MAX;
    for (int i = 0; i < TRIES && least; i++) {
        u64 z = state += 0x9e3779b97f4a7c15ull; /* splitmix64 */
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        z = (z ^ (z >> 31)) | 1;
        u32 steps = fill(keys, z);
        if (steps >= least) continue;
        least = steps;
        best = z;
    }
    (void)fill(keys, best);
}

static void list_fields(RtKeys *keys)
{
    for (u32 i = 0; i < keys->schema->count; i++) {
        const RtField *field = &keys->schema->fields[i];
        u64 bit = 1ull << (i % 64), n = field->name_len < 7 ? field->name_len : 7;
        keys->list[i + 1] = (RtKey){
            .word = field->word,
            .quoted = field->word | (n < 7 || field->name_len == 7 ? (u64)'"' << (8 * n) : 0),
            .shift = (u8)(64 - 8 * (field->name_len > 7 ? 7 : n + 1)),
            .bit = bit,
            .field = field,
            .name_len = field->name_len,
            .leaf = field->leaf,
            .seen = (u8)(i / 64),
            .flags = field->flags,
            .quick = (u8)quick(field),
            .counts = field->type == RT_RECORD  ? 0
                      : field->flags & RT_EARLY ? RT_COUNT_NEEDED + RT_COUNT_EARLY
                                                : RT_COUNT_NEEDED};
        if (field->flags & RT_OPTIONAL) continue;
        keys->required[i / 64] |= bit;
        if (field->flags & RT_NEEDED) keys->needed[i / 64] |= bit;
    }
}

static void list_names(RtKeys *keys, u64 *to)
{
    for (u32 i = 1; i <= keys->schema->count; i++) {
        const RtField *field = keys->list[i].field;
        keys->list[i].names = to;
        for (u32 k = 0; field->type == RT_ENUM && k < field->name_count; k++, to++)
            memcpy(to, field->names[k], strnlen(field->names[k], sizeof *to));
    }
}

static u32 count_names(const RtSchema *schema)
{
    u32 count = 0;
    for (u32 i = 0; i < schema->count; i++)
        if (schema->fields[i].type == RT_ENUM) count += schema->fields[i].name_count;
    return count;
}

static RtKeys *keys_new(const RtSchema *schema)
{
    u32 bits = 2, count = schema->count, names = count_names(schema);
    while (1u << bits < 4 * count) bits++;
    size_t slots = sizeof(RtKeys) + (sizeof(u16) << bits); /* 8-byte aligned: four slots or more */
    size_t list = (count + 1) * sizeof(RtKey), words = names * sizeof(u64);
    RtKeys *keys = mem_zalloc(1, slots + list + words + (count + 1) * sizeof(u16));
    if (!keys) return NULL;
    keys->schema = schema;
    keys->words = (count + 63) / 64;
    keys->shift = 64 - bits;
    keys->mask = (1u << bits) - 1;
    keys->list = (RtKey *)(void *)((char *)keys + slots);
    keys->after = (u16 *)(void *)((char *)keys + slots + list + words);
    list_fields(keys);
    list_names(keys, (u64 *)(void *)((char *)keys + slots + list));
    choose_factor(keys);
    return keys;
}

RtKeys *rt_keys_make(FlowInstance *host, const RtSchema *schema)
{
    u32 home = (u32)((uintptr_t)schema / 16 % FLOW_KEYS_MAX), at = home;
    if (schema->count > RT_LEAVES_MAX) return NULL;
    while (host->keys[at] && host->keys[at]->schema != schema) {
        at = (at + 1) % FLOW_KEYS_MAX;
        if (at != home) continue;
        mem_free(host->keys[home]); /* more schemas than places: the last one wins */
        host->keys[home] = NULL;
    }
    return host->keys[at] ? host->keys[at] : (host->keys[at] = keys_new(schema));
}

void rt_keys_free(FlowInstance *host)
{
    for (u32 i = 0; i < FLOW_KEYS_MAX; i++) {
        mem_free(host->keys[i]);
        host->keys[i] = NULL;
    }
}
