/* runtime/flow/join.c: last rows by key (see join.h).
 *
 * An entry of the dictionary holds a packed row (item.h). The order in which rows came is kept here
 * and not by the dictionary, because the row's memory has to be taken from the key that goes: it is
 * the spare for the next new key, so keys that come and go allocate nothing. */
#include "flow/join.h"

#include "base/mem.h"
#include "flow/dict.h"
#include "flow/item.h"
#include "flow/pipe.h"
#include "flow/table.h"

#include <string.h>

typedef struct Last { /* payload of an entry */
    RtEntry *older, *newer;
    char *row; /* packed; owned */
    u64 cap;
    i64 at_ns;
} Last;

struct RtJoin {
    RtPipe *pipe;
    const RtJoinInfo *info;
    RtDict dict;
    RtEntry *oldest, *newest;
    char *spare; /* of a key that went; owned */
    u64 spare_cap, forgotten;
};

static Last *last_of(RtEntry *entry)
{
    return (Last *)(void *)entry->payload;
}

RtJoin *rt_join_new(RtPipe *pipe, u32 index, u64 keys_max)
{
    RtJoin *join = mem_zalloc(1, sizeof *join);
    if (!join) return NULL;
    join->pipe = pipe;
    join->info = &pipe->info->joins[index];
    if (!rt_dict_init(&join->dict, pipe, join->info->key_types, join->info->key_bytes_max,
                      join->info->key_count, sizeof(Last), keys_max)) {
        rt_join_free(join);
        return NULL;
    }
    return join;
}

void rt_join_free(RtJoin *join)
{
    if (!join) return;
    for (RtEntry *entry = join->oldest; entry; entry = last_of(entry)->newer)
        mem_free(last_of(entry)->row);
    mem_free(join->spare);
    rt_dict_done(&join->dict);
    mem_free(join);
}

static void unlink_entry(RtJoin *join, RtEntry *entry)
{
    Last *last = last_of(entry);
    if (last->older)
        last_of(last->older)->newer = last->newer;
    else
        join->oldest = last->newer;
    if (last->newer)
        last_of(last->newer)->older = last->older;
    else
        join->newest = last->older;
    last->older = last->newer = NULL;
}

static void link_newest(RtJoin *join, RtEntry *entry)
{
    last_of(entry)->older = join->newest;
    if (join->newest)
        last_of(join->newest)->newer = entry;
    else
        join->oldest = entry;
    join->newest = entry;
}

/* The key whose row came longest ago goes, but not `keep`. */
static int forget(RtJoin *join, const RtEntry *keep)
{
    RtEntry *entry = join->oldest;
    if (!entry || entry == keep) return 0;
    Last *last = last_of(entry);
    char *row = last->row;
    u64 cap = last->cap;
    unlink_entry(join, entry);
    rt_dict_remove(&join->dict, entry);
    join->forgotten++;
    if (cap < join->spare_cap) { /* the larger of the two stays */
        char *swap = join->spare;
        join->spare = row;
        row = swap;
        u64 n = join->spare_cap;
        join->spare_cap = cap;
        cap = n;
    }
    mem_free(join->spare);
    rt_host(join->pipe)->state_bytes -= join->spare_cap;
    join->spare = row;
    join->spare_cap = cap;
    return 1;
}

static int room(RtJoin *join, const RtEntry *entry, Last *last, u64 bytes)
{
    if (bytes <= last->cap) return 1;
    if (!last->row && join->spare_cap >= bytes) {
        last->row = join->spare;
        last->cap = join->spare_cap;
        join->spare = NULL;
        join->spare_cap = 0;
        return 1;
    }
    u64 cap = (bytes + bytes / 2 + 63) / 64 * 64;
    while (!rt_afford(join->pipe, cap - last->cap))
        if (!forget(join, entry)) return 0;
    char *row = mem_realloc(last->row, cap);
    if (!row) {
        rt_host(join->pipe)->state_bytes -= cap - last->cap;
        return 0;
    }
    last->row = row;
    last->cap = cap;
    return 1;
}

static u32 keep(RtJoin *join, const char *key, u64 len, i64 at_ns, const RtValue *v, const u8 *h)
{
    const RtSchema *schema = join->info->schema;
    RtEntry *entry = rt_dict_find(&join->dict, key, len);
    while (!entry && !(entry = rt_dict_get(&join->dict, key, len)))
        if (!forget(join, NULL)) return RT_STATE_FULL;
    Last *last = last_of(entry);
    if (last->row) unlink_entry(join, entry);
    if (!room(join, entry, last, rt_pack_bytes(schema, v, h))) {
        rt_host(join->pipe)->state_bytes -= last->cap;
        mem_free(last->row);
        rt_dict_remove(&join->dict, entry);
        return RT_STATE_FULL;
    }
    rt_pack(schema, v, h, last->row);
    last->at_ns = at_ns;
    link_newest(join, entry);
    return RT_FINE;
}

u32 rt_remember(RtPipe *pipe, u32 index, i64 ns, const RtValue *keys, const RtValue *v, const u8 *h)
{
    RtJoin *join = pipe->joins[index];
    u64 len;
    const char *key = rt_dict_encode(&join->dict, keys, &len);
    return keep(join, key, len, ns, v, h);
}

void rt_recall(RtPipe *pipe, u32 index, i64 ns, const RtValue *keys, RtValue *ret, u8 *ret_has)
{
    RtJoin *join = pipe->joins[index];
    u64 len;
    const char *key = rt_dict_encode(&join->dict, keys, &len);
    RtEntry *entry = rt_dict_find(&join->dict, key, len);
    i64 within = join->info->within_ns, age;
    ret->s = (RtText){rt_no_item, 1};
    *ret_has = 0;
    if (!entry) return;
    const Last *last = last_of(entry);
    if (within && !__builtin_sub_overflow(ns, last->at_ns, &age) && age > within) return;
    ret->s.p = last->row;
    *ret_has = 1;
}

u64 rt_join_forgotten(const RtPipe *pipe)
{
    u64 sum = 0;
    for (u32 i = 0; i < pipe->info->join_count; i++) sum += pipe->joins[i]->forgotten;
    return sum;
}

/* u64 rows, oldest first; per row: i64 arrival, u32 bytes of the key, key, row as item.h saves it.
 */
void rt_join_save(const RtJoin *join, Buf *out)
{
    const RtSchema *schema = join->info->schema;
    u64 count = join->dict.count;
    buf_add(out, &count, 8);
    for (RtEntry *entry = join->oldest; entry; entry = last_of(entry)->newer) {
        const Last *last = last_of(entry);
        buf_add(out, &last->at_ns, 8);
        buf_add(out, &entry->len, 4);
        buf_add(out, rt_dict_bytes(entry), entry->len);
        rt_row_save(schema, (const RtValue *)(const void *)last->row,
                    (const u8 *)last->row + sizeof(RtValue) * schema->leaf_count, out);
    }
}

static int take(Str *bytes, void *to, u64 n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

Status rt_join_load(RtJoin *join, Str *bytes, Diag *diag)
{
    RtValue values[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    u64 count;
    if (!take(bytes, &count, 8)) return diag_set(diag, ST_CORRUPT, "the saved join ends early");
    while (count--) {
        i64 at_ns;
        u32 len;
        join->pipe->scratch_len = 0;
        if (!take(bytes, &at_ns, 8) || !take(bytes, &len, 4) || bytes->len < len ||
            !rt_dict_fits(&join->dict, bytes->ptr, len))
            return diag_set(diag, ST_CORRUPT, "the saved join is damaged");
        const char *key = bytes->ptr;
        *bytes = str_skip(*bytes, len);
        if (!rt_row_load(join->pipe, join->info->schema, bytes, values, has))
            return diag_set(diag, ST_CORRUPT, "the saved join is damaged");
        if (keep(join, key, len, at_ns, values, has))
            return diag_set(diag, ST_LIMIT, "the saved state does not fit");
    }
    join->pipe->scratch_len = 0;
    return ST_OK;
}
