/* runtime/flow/table.c: reading a file of reference data, and finding rows in it.
 *
 * The rows and their texts live in one arena that goes with the file they came from. The index is a
 * hash table of row numbers, never more than half full. */
#include "flow/table.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "flow/dict.h"
#include "flow/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Alignas(16) const char rt_no_item[RT_ITEM_BYTES(RT_LEAVES_MAX)] = {0};

typedef struct Rows {
    Arena *arena;
    char **list; /* items */
    u32 *index;  /* row + 1 */
    u64 count, cap, index_cap;
} Rows;

struct RtTable {
    const RtTableInfo *info;
    const char *path; /* of its file */
    Str text;         /* the rows themselves, when there is no file (path NULL) */
    u8 key_type;
    Rows rows;
    struct stat seen; /* of the file the rows came from */
};

static u64 hash_key(u8 type, const RtValue *key)
{
    return rt_is_text(type) ? hash_bytes(key->s.p, key->s.n) : hash_bytes(&key->u, 8);
}

static int same_key(u8 type, const RtValue *a, const RtValue *b)
{
    if (!rt_is_text(type)) return a->u == b->u;
    return a->s.n == b->s.n && (!a->s.n || memcmp(a->s.p, b->s.p, a->s.n) == 0);
}

static const RtField *leaf_field(const RtSchema *schema, u32 leaf)
{
    for (u32 i = 0; i < schema->count; i++)
        if (schema->fields[i].leaf == leaf) return &schema->fields[i];
    return &schema->fields[0];
}

static const RtValue *key_of(const RtTable *table, const char *item)
{
    return (const RtValue *)(const void *)item + table->info->key;
}

/* The row with that key, or -1; *ret_slot is where it is, or would be. */
static i64 find(const RtTable *table, const Rows *rows, const RtValue *key, u64 *ret_slot)
{
    u64 at = hash_key(table->key_type, key) & (rows->index_cap - 1);
    for (; rows->index[at]; at = (at + 1) & (rows->index_cap - 1))
        if (same_key(table->key_type, key, key_of(table, rows->list[rows->index[at] - 1]))) {
            *ret_slot = at;
            return (i64)rows->index[at] - 1;
        }
    *ret_slot = at;
    return -1;
}

static void rows_done(Rows *rows)
{
    mem_free((void *)rows->list);
    mem_free(rows->index);
    arena_free(rows->arena);
    *rows = (Rows){0};
}

static int grow(const RtTable *table, Rows *rows)
{
    if (rows->count == rows->cap) {
        u64 cap = rows->cap ? rows->cap * 2 : 64;
        char **list = mem_realloc((void *)rows->list, cap * sizeof *list);
        if (!list) return 0;
        rows->list = list;
        rows->cap = cap;
    }
    if (rows->index && (rows->count + 1) * 2 <= rows->index_cap) return 1;
    u64 cap = rows->index_cap ? rows->index_cap * 2 : 128, slot;
    u32 *index = mem_zalloc(cap, sizeof *index);
    if (!index) return 0;
    mem_free(rows->index);
    rows->index = index;
    rows->index_cap = cap;
    for (u64 i = 0; i < rows->count; i++) {
        (void)find(table, rows, key_of(table, rows->list[i]), &slot);
        index[slot] = (u32)i + 1;
    }
    return 1;
}

/* A copy whose texts are the table's own. */
static char *copy_item(Arena *arena, const RtSchema *schema, const RtValue *values, const u8 *has)
{
    u32 leaves = schema->leaf_count;
    char *item = arena_alloc(arena, RT_ITEM_BYTES(leaves));
    if (!item) return NULL;
    RtValue *to = (RtValue *)(void *)item;
    memcpy(item + sizeof *to * leaves, has, leaves);
    for (u32 i = 0; i < schema->count; i++) {
        u32 leaf = schema->fields[i].leaf;
        to[leaf] = values[leaf];
        if (!rt_is_text(schema->fields[i].type) || !has[leaf]) continue;
        Str text = arena_str(arena, str_slice(values[leaf].s.p, values[leaf].s.n));
        if (!text.ptr) return NULL;
        to[leaf].s.p = text.ptr;
    }
    return item;
}

MUST static Status add_row(RtPipe *pipe, const RtTable *table, Rows *rows, RtCsv *csv, Str line,
                           u64 number, Diag *diag)
{
    RtValue values[RT_LEAVES_MAX];
    u8 has[RT_LEAVES_MAX];
    RtScan scan = {.value = values, .has = has};
    const RtTableInfo *info = table->info;
    const char *from = table->path ? table->path : "its rows,";
    u64 slot;
    pipe->scratch_len = 0;
    int why = rt_csv_line(pipe, csv, info->schema, line.ptr, line.ptr + line.len, &scan);
    if (why < 0) return ST_OK; /* the header */
    if (why)
        return diag_set(diag, ST_INVALID, "table %s: %s line %llu: %s%s%s", info->name, from,
                        (unsigned long long)number, rt_reason_names[scan.reason],
                        scan.path ? " in " : "", scan.path ? scan.path : "");
    if (rows->count == TABLE_ROWS_MAX)
        return diag_set(diag, ST_LIMIT, "table %s: %s has more than %d rows", info->name, from,
                        TABLE_ROWS_MAX);
    if (!grow(table, rows)) return diag_set(diag, ST_NO_MEMORY, "table %s", info->name);
    if (find(table, rows, &values[info->key], &slot) >= 0)
        return diag_set(diag, ST_INVALID, "table %s: %s line %llu: the key stands there twice",
                        info->name, from, (unsigned long long)number);
    char *item = copy_item(rows->arena, info->schema, values, has);
    if (!item) return diag_set(diag, ST_LIMIT, "table %s is too large", info->name);
    rows->list[rows->count++] = item;
    rows->index[slot] = (u32)rows->count;
    return ST_OK;
}

/* Lines of `text`, which has RT_PAD_BYTES behind it. */
MUST static Status read_rows(RtPipe *pipe, const RtTable *table, Str text, Rows *rows, Diag *diag)
{
    RtCsv csv = {0};
    Status st = ST_OK;
    rows->arena = arena_new(64 << 10, (size_t)TABLE_BYTES_MAX * 8);
    if (!rows->arena || !grow(table, rows)) st = diag_set(diag, ST_NO_MEMORY, "reading a table");
    for (u64 number = 1; !st && text.len; number++) {
        ptrdiff_t end = str_find_char(text, '\n');
        Str line = end < 0 ? text : str_slice(text.ptr, (size_t)end);
        if (str_trim(line).len) st = add_row(pipe, table, rows, &csv, line, number, diag);
        text = str_skip(text, end < 0 ? text.len : (size_t)end + 1);
    }
    pipe->scratch_len = 0;
    return st;
}

MUST static Status read_file(const RtTable *table, Buf *out, struct stat *ret_stat, Diag *diag)
{
    const char *name = table->info->name, *path = table->path;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_errno(diag, errno, "table %s: %s", name, path);
    Status st = fstat(fd, ret_stat) ? diag_errno(diag, errno, "%s", path) : ST_OK;
    ssize_t n = 1;
    while (!st && n) {
        char *room = buf_reserve(out, 64 << 10);
        n = room ? read(fd, room, 64 << 10) : 0;
        if (!room)
            st = diag_set(diag, ST_LIMIT, "table %s: %s is larger than %d MiB", name, path,
                          TABLE_BYTES_MAX >> 20);
        if (n < 0 && errno != EINTR) st = diag_errno(diag, errno, "table %s: %s", name, path);
        if (n > 0) out->len += (size_t)n;
    }
    close(fd);
    return st;
}

MUST static Status load(RtPipe *pipe, RtTable *table, Diag *diag)
{
    AUTO_BUF Buf text;
    struct stat seen = {0};
    Rows fresh = {0};
    buf_init(&text, TABLE_BYTES_MAX + (128 << 10));
    Status st = ST_OK;
    if (table->path)
        st = read_file(table, &text, &seen, diag);
    else
        buf_str(&text, table->text);
    if (!st && !buf_reserve(&text, RT_PAD_BYTES))
        st = diag_set(diag, ST_LIMIT, "table %s is too large", table->info->name);
    if (!st) memset(text.ptr + text.len, 0, RT_PAD_BYTES);
    if (!st) st = read_rows(pipe, table, buf_view(&text), &fresh, diag);
    if (st) {
        rows_done(&fresh);
        return st;
    }
    rows_done(&table->rows);
    table->rows = fresh;
    table->seen = seen;
    return ST_OK;
}

Status rt_table_new(RtPipe *pipe, const RtTableInfo *info, const FlowTable *other,
                    RtTable **ret_table, Diag *diag)
{
    RtTable *table = mem_zalloc(1, sizeof *table);
    if (!table) return diag_set(diag, ST_NO_MEMORY, "table %s", info->name);
    table->info = info;
    table->path = other ? other->path : info->path;
    if (other) table->text = other->text;
    table->key_type = leaf_field(info->schema, info->key)->type;
    Status st = load(pipe, table, diag);
    if (st) {
        rt_table_free(table);
        return st;
    }
    *ret_table = table;
    return ST_OK;
}

void rt_table_free(RtTable *table)
{
    if (!table) return;
    rows_done(&table->rows);
    mem_free(table);
}

Status rt_table_look(RtPipe *pipe, RtTable *table, Diag *diag)
{
    struct stat now;
    const struct stat *old = &table->seen;
    if (!table->info->reload || !table->path) return ST_OK;
    if (stat(table->path, &now))
        return diag_errno(diag, errno, "table %s: %s", table->info->name, table->path);
    bool same = now.st_ino == old->st_ino && now.st_dev == old->st_dev &&
                now.st_size == old->st_size && now.st_mtim.tv_sec == old->st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == old->st_mtim.tv_nsec;
    return same ? ST_OK : load(pipe, table, diag);
}

void rt_lookup(RtPipe *pipe, u32 index, const RtValue *key, RtValue *ret, u8 *ret_has)
{
    const RtTable *table = pipe->tables[index];
    u64 slot;
    i64 row = find(table, &table->rows, key, &slot);
    *ret_has = row >= 0;
    ret->s.p = row >= 0 ? table->rows.list[row] : rt_no_item;
    ret->s.n = 1;
}
