/* runtime/store/pages.c: see pages.h. */
#include "store/pages.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_HEAD = 32,
    FRAME_HEAD = 24,
    FILE_HEAD = 100,
    DEPTH_MAX = 32,
    PAYLOAD_BYTES_MAX = 256 << 20,
    PAGE_BYTES = 4096, /* SQLite's preset */
    INDEX_INNER = 2,
    TABLE_INNER = 5,
    INDEX_LEAF = 10,
    TABLE_LEAF = 13,
    PATH_BYTES = 4200,
};

static uint32_t be(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

/* ---- the files ---- */

static const uint8_t *map_file(const char *path, size_t *ret_bytes, int *ret_error)
{
    struct stat info;
    *ret_bytes = 0;
    *ret_error = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT) *ret_error = errno;
        return NULL;
    }
    void *at = MAP_FAILED;
    if (fstat(fd, &info))
        *ret_error = errno;
    else if (info.st_size > 0 &&
             (at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        *ret_error = errno;
    close(fd);
    if (at == MAP_FAILED) return NULL;
    *ret_bytes = (size_t)info.st_size;
    return at;
}

static bool is_page_size(uint32_t bytes)
{
    return bytes >= 512 && bytes <= 65536 && !(bytes & (bytes - 1));
}

static bool log_fits(const Pages *p)
{
    return p->log_bytes > LOG_HEAD && be(p->log, 4) >> 1 == 0x377f0682 >> 1;
}

static void find_size(Pages *p, uint32_t preset)
{
    uint32_t bytes = p->file_bytes >= FILE_HEAD ? be(p->file + 16, 2) : 0;
    if (bytes == 1) bytes = 65536;
    bool named = p->file_bytes >= FILE_HEAD && !memcmp(p->file, "SQLite format 3", 16);
    if ((!named || !is_page_size(bytes)) && log_fits(p)) bytes = be(p->log + 8, 4);
    if (!is_page_size(bytes)) bytes = preset ? preset : PAGE_BYTES;
    p->page_bytes = bytes;
    p->count = (uint32_t)((p->file_bytes + bytes - 1) / bytes);
}

static void sum(uint32_t s[2], const uint8_t *at, size_t bytes, bool big)
{
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint32_t word[2];
        for (int k = 0; k < 2; k++) {
            word[k] = be(at + i + 4 * k, 4);
            if (!big) word[k] = __builtin_bswap32(word[k]);
        }
        s[0] += word[0] + s[1];
        s[1] += word[1] + s[0];
    }
}

/* Called twice: without `frames` it says how many pages there will be and where the last commit
 * ends; up to there the second call notes which frame has which page. */
static uint32_t log_read(const Pages *p, size_t *frames, size_t until, size_t *ret_end)
{
    bool big = p->log[3] & 1;
    uint32_t s[2] = {0, 0}, top = 0, pages = 0;
    size_t step = FRAME_HEAD + (size_t)p->page_bytes;
    *ret_end = 0;
    sum(s, p->log, 24, big);
    if (be(p->log + 8, 4) != p->page_bytes) return 0;
    for (size_t at = LOG_HEAD; at + step <= p->log_bytes && (!frames || at < until); at += step) {
        const uint8_t *head = p->log + at;
        uint32_t page = be(head, 4);
        sum(s, head, 8, big);
        sum(s, head + FRAME_HEAD, p->page_bytes, big);
        if (!page || memcmp(head + 8, p->log + 16, 8) || be(head + 16, 4) != s[0] ||
            be(head + 20, 4) != s[1])
            break;
        if (page > top) top = page;
        if (frames) frames[page] = at + FRAME_HEAD;
        if (!be(head + 4, 4)) continue;
        *ret_end = at + step; /* a commit */
        pages = top;
    }
    return pages;
}

Status pages_open(Pages *pages, const char *path, uint32_t page_bytes, Diag *diag)
{
    char log[PATH_BYTES];
    int bad, log_bad;
    Pages p = {0};
    (void)snprintf(log, sizeof log, "%s-wal", path);
    p.file = map_file(path, &p.file_bytes, &bad);
    p.log = map_file(log, &p.log_bytes, &log_bad);
    buf_init(&p.payload, PAYLOAD_BYTES_MAX);
    if (bad || log_bad) {
        pages_close(&p);
        return diag_errno(diag, bad ? bad : log_bad, "store %s", path);
    }
    find_size(&p, page_bytes);
    size_t end = 0;
    uint32_t logged = log_fits(&p) ? log_read(&p, NULL, 0, &end) : 0;
    uint32_t count = p.count > logged ? p.count : logged;
    p.frames = mem_zalloc((size_t)count + 1, sizeof *p.frames);
    p.visited = mem_zalloc((size_t)count / 8 + 1, 1);
    p.part = mem_zalloc(1, p.page_bytes);
    if (!p.frames || !p.visited || !p.part) {
        pages_close(&p);
        return diag_set(diag, ST_NO_MEMORY, "no memory to salvage %s", path);
    }
    if (logged) (void)log_read(&p, p.frames, end, &end);
    size_t rest = p.file_bytes % p.page_bytes;
    if (rest) memcpy(p.part, p.file + p.file_bytes - rest, rest);
    p.count = count;
    *pages = p;
    return ST_OK;
}

void pages_close(Pages *pages)
{
    if (pages->file) (void)munmap((void *)(uintptr_t)pages->file, pages->file_bytes);
    if (pages->log) (void)munmap((void *)(uintptr_t)pages->log, pages->log_bytes);
    mem_free(pages->frames);
    mem_free(pages->visited);
    mem_free(pages->part);
    buf_done(&pages->payload);
    *pages = (Pages){0};
}

static const uint8_t *page_at(const Pages *p, uint32_t number)
{
    if (!number || number > p->count) return NULL;
    if (p->frames[number]) return p->log + p->frames[number];
    size_t at = (size_t)(number - 1) * p->page_bytes;
    if (at >= p->file_bytes) return NULL;
    return p->file_bytes - at >= p->page_bytes ? p->file + at : p->part;
}

/* False: it was visited before, or is none. */
static bool visit(Pages *p, uint32_t number)
{
    if (!number || number > p->count || p->visited[number / 8] >> number % 8 & 1) return false;
    p->visited[number / 8] |= (uint8_t)(1u << number % 8);
    return true;
}

/* ---- rows ---- */

/* 0: it does not end before `end`. */
static size_t varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 9 && at + i < end; i++) {
        if (i == 8) {
            *ret_value = value << 8 | at[i];
            return 9;
        }
        value = value << 7 | (at[i] & 0x7f);
        if (at[i] & 0x80) continue;
        *ret_value = value;
        return i + 1;
    }
    return 0;
}

static bool cell_read(uint64_t type, const uint8_t *at, size_t left, StoreCell *ret_cell,
                      size_t *ret_bytes)
{
    static const uint8_t sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    if (type == 10 || type == 11) return false;
    size_t bytes = type < 10 ? sizes[type] : (size_t)(type - 12) / 2;
    if (type > (uint64_t)PAYLOAD_BYTES_MAX * 2 || bytes > left) return false;
    *ret_bytes = bytes;
    *ret_cell = (StoreCell){.kind = STORE_NULL};
    if (type >= 12) {
        ret_cell->kind = type & 1 ? STORE_TEXT : STORE_BLOB;
        ret_cell->bytes = (Str){(const char *)at, bytes};
    } else if (type == 7) {
        uint64_t bits = (uint64_t)be(at, 4) << 32 | be(at + 4, 4);
        ret_cell->kind = STORE_NUMBER;
        memcpy(&ret_cell->number, &bits, sizeof bits);
    } else if (type) {
        uint64_t value = bytes && at[0] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = 0; i < bytes; i++) value = value << 8 | at[i];
        ret_cell->kind = STORE_INT;
        ret_cell->integer = type == 9 ? 1 : (int64_t)value;
    }
    return true;
}

static bool record_read(const uint8_t *at, size_t bytes, PagesRow *row)
{
    uint64_t head, type;
    size_t step = varint(at, at + bytes, &head);
    if (!step || head < step || head > bytes) return false;
    const uint8_t *types = at + step, *types_end = at + head, *body = types_end, *end = at + bytes;
    for (row->count = 0; types < types_end; row->count++) {
        size_t used;
        step = varint(types, types_end, &type);
        if (!step || row->count == PAGES_COLUMNS_MAX ||
            !cell_read(type, body, (size_t)(end - body), &row->cells[row->count], &used))
            return false;
        types += step;
        body += used;
    }
    return body == end && row->count > 0;
}

/* All of a payload, of which `local` bytes lie at `at`; NULL: a page of it is not there. */
static const uint8_t *payload_all(Pages *p, const uint8_t *at, size_t local, size_t bytes)
{
    if (local == bytes) return at;
    buf_clear(&p->payload);
    buf_add(&p->payload, at, local);
    uint32_t next = be(at + local, 4);
    while (p->payload.len < bytes) {
        const uint8_t *page = page_at(p, next);
        if (!page || p->payload.failed || !visit(p, next)) return NULL;
        size_t part = bytes - p->payload.len, most = p->page_bytes - 4;
        buf_add(&p->payload, page + 4, part < most ? part : most);
        next = be(page, 4);
    }
    return p->payload.failed ? NULL : (const uint8_t *)p->payload.ptr;
}

/* How much of a payload lies in the page itself. */
static size_t local_bytes(const Pages *p, bool is_table, size_t bytes)
{
    size_t usable = p->page_bytes, least = (usable - 12) * 32 / 255 - 23;
    size_t most = is_table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    if (bytes <= most) return bytes;
    size_t rest = least + (bytes - least) % (usable - 4);
    return rest <= most ? rest : least;
}

static bool row_read(Pages *p, uint8_t kind, const uint8_t *at, const uint8_t *end, PagesRow *row)
{
    uint64_t bytes, id = 0;
    size_t step = varint(at, end, &bytes);
    if (!step || bytes > PAYLOAD_BYTES_MAX || !bytes) return false;
    at += step;
    if (kind == TABLE_LEAF) {
        step = varint(at, end, &id);
        if (!step) return false;
        at += step;
    }
    size_t local = local_bytes(p, kind == TABLE_LEAF, (size_t)bytes);
    if (local + (local < bytes ? 4 : 0) > (size_t)(end - at)) return false;
    row->id = (int64_t)id;
    at = payload_all(p, at, local, (size_t)bytes);
    return at && record_read(at, (size_t)bytes, row);
}

typedef struct Leaf { /* a page and its cells */
    const uint8_t *page, *head, *cells, *end;
    uint8_t kind;
    uint32_t count;
} Leaf;

static bool leaf_open(const Pages *p, uint32_t number, Leaf *ret_leaf)
{
    Leaf leaf = {.page = page_at(p, number)};
    if (!leaf.page) return false;
    leaf.head = leaf.page + (number == 1 ? FILE_HEAD : 0);
    leaf.end = leaf.page + p->page_bytes;
    leaf.kind = leaf.head[0];
    leaf.count = be(leaf.head + 3, 2);
    bool inner = leaf.kind == INDEX_INNER || leaf.kind == TABLE_INNER;
    if (!inner && leaf.kind != INDEX_LEAF && leaf.kind != TABLE_LEAF) return false;
    leaf.cells = leaf.head + (inner ? 12 : 8);
    if (leaf.cells + 2 * (size_t)leaf.count > leaf.end) return false;
    *ret_leaf = leaf;
    return true;
}

static const uint8_t *leaf_cell(const Leaf *leaf, uint32_t i)
{
    const uint8_t *at = leaf->page + be(leaf->cells + 2 * (size_t)i, 2);
    return at >= leaf->cells + 2 * (size_t)leaf->count && at + 4 <= leaf->end ? at : NULL;
}

static void walk(Pages *p, uint32_t number, PagesFn *fn, void *ctx, int depth)
{
    Leaf leaf;
    PagesRow row;
    if (depth > DEPTH_MAX || !visit(p, number)) {
        p->lost++;
        return;
    }
    if (!leaf_open(p, number, &leaf)) {
        p->lost++;
        return;
    }
    bool inner = leaf.kind == INDEX_INNER || leaf.kind == TABLE_INNER;
    for (uint32_t i = 0; i < leaf.count; i++) {
        const uint8_t *at = leaf_cell(&leaf, i);
        if (!at) {
            p->lost++;
            continue;
        }
        if (inner) {
            walk(p, be(at, 4), fn, ctx, depth + 1);
            at += 4;
        }
        if (leaf.kind == TABLE_INNER) continue;
        if (row_read(p, leaf.kind, at, leaf.end, &row))
            fn(ctx, &row);
        else
            p->lost++;
    }
    if (inner) walk(p, be(leaf.head + 8, 4), fn, ctx, depth + 1);
}

void pages_walk(Pages *pages, uint32_t root, PagesFn *fn, void *ctx)
{
    walk(pages, root, fn, ctx, 0);
}

void pages_skip_free(Pages *pages)
{
    const uint8_t *page = page_at(pages, 1);
    uint32_t next = page ? be(page + 32, 4) : 0;
    while ((page = page_at(pages, next)) && visit(pages, next)) {
        uint32_t count = be(page + 4, 4);
        for (uint32_t i = 0; i < count && 8 + 4 * ((size_t)i + 1) <= pages->page_bytes; i++)
            (void)visit(pages, be(page + 8 + 4 * (size_t)i, 4));
        next = be(page, 4);
    }
}

bool pages_orphan(Pages *pages, uint32_t *at, PagesFn *fn, void *ctx)
{
    Leaf leaf;
    PagesRow row;
    while (*at < pages->count) {
        uint32_t number = ++*at;
        if (pages->visited[number / 8] >> number % 8 & 1 || !leaf_open(pages, number, &leaf) ||
            leaf.kind != TABLE_LEAF || !leaf.count)
            continue;
        (void)visit(pages, number);
        for (uint32_t i = 0; i < leaf.count; i++) {
            const uint8_t *cell = leaf_cell(&leaf, i);
            if (cell && row_read(pages, leaf.kind, cell, leaf.end, &row))
                fn(ctx, &row);
            else
                pages->lost++;
        }
        return true;
    }
    return false;
}
