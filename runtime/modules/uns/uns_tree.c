/* runtime/modules/uns/uns_tree.c: nodes, their order, their last values.
 *
 * A map finds a path at once; the tree gives the children. Children are appended and sorted only
 * when somebody lists them, so that ten thousand names under one parent cost nothing to add. */
#include "modules/uns/uns_tree.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

/* ---- nodes by path ---- */

enum { ADDRESS_BITS = 48, SLOTS_MIN = 64, GONE = 1 };

static UnsNode *slot_node(uint64_t slot)
{
    return (UnsNode *)(uintptr_t)(slot & (((uint64_t)1 << ADDRESS_BITS) - 1)); /* NOLINT */
}

static UnsNode *path_find(const UnsPaths *paths, Str path, size_t *ret_at)
{
    if (!paths->count) return NULL;
    uint64_t hash = hash_bytes(path.ptr, path.len), mark = hash >> ADDRESS_BITS, slot;
    for (size_t i = hash & (paths->count - 1); (slot = paths->slots[i]);
         i = (i + 1) & (paths->count - 1)) {
        if (slot == GONE || slot >> ADDRESS_BITS != mark) continue;
        UnsNode *node = slot_node(slot);
        if (!str_eq(uns_node_path(node), path)) continue;
        if (ret_at) *ret_at = i;
        return node;
    }
    return NULL;
}

static void path_place(UnsPaths *paths, uint64_t slot, uint32_t home)
{
    size_t i = home & (paths->count - 1);
    while (paths->slots[i]) i = (i + 1) & (paths->count - 1);
    paths->slots[i] = slot;
    paths->homes[i] = home;
    paths->used++;
}

/* Without a look at the nodes: they lie all over the memory. */
static Status path_grow(UnsPaths *paths)
{
    UnsPaths old = *paths;
    size_t count = SLOTS_MIN;
    while ((old.nodes + 1) * 3 > count * 2) count *= 2;
    uint64_t *slots = mem_zalloc(count, sizeof *slots + sizeof *paths->homes);
    if (!slots) return ST_NO_MEMORY;
    *paths = (UnsPaths){slots, (uint32_t *)(slots + count), count, 0, old.nodes};
    for (size_t i = 0; i < old.count; i++)
        if (old.slots[i] > GONE) path_place(paths, old.slots[i], old.homes[i]);
    mem_free(old.slots);
    return ST_OK;
}

/* Of a node that is not there. At most three of four slots are used. */
static Status path_put(UnsPaths *paths, const UnsNode *node)
{
    uint64_t hash = hash_bytes(uns_node_path(node).ptr, node->path_len);
    uint64_t address = (uint64_t)(uintptr_t)node;
    if (address >> ADDRESS_BITS) return ST_NO_MEMORY;
    Status st = (paths->used + 1) * 4 > paths->count * 3 ? path_grow(paths) : ST_OK;
    if (st) return st;
    path_place(paths, hash >> ADDRESS_BITS << ADDRESS_BITS | address, (uint32_t)hash);
    paths->nodes++;
    return ST_OK;
}

static void path_remove(UnsPaths *paths, Str path)
{
    size_t at;
    if (!path_find(paths, path, &at)) return;
    paths->slots[at] = GONE;
    paths->nodes--;
}

/* ---- memory ---- */

/* One behind the other, without what the heap needs around each: there are many and they stay. */
typedef struct UnsSlab {
    struct UnsSlab *older;
    size_t used;
    char bytes[];
} UnsSlab;
enum { SLAB_BYTES = 64 * 1024 - sizeof(UnsSlab) - 16 };

static void *tree_room(UnsTree *tree, size_t bytes)
{
    UnsSlab *slab = tree->slab;
    bytes = (bytes + 7) & ~(size_t)7; /* at most a node and a path, or a text */
    if (!slab || SLAB_BYTES - slab->used < bytes) {
        slab = mem_alloc(sizeof *slab + SLAB_BYTES);
        if (!slab) return NULL;
        *slab = (UnsSlab){.older = tree->slab};
        tree->slab = slab;
        mem_ahead();
    }
    slab->used += bytes;
    return slab->bytes + slab->used - bytes;
}

/* What was given last is not needed. */
static void tree_room_back(UnsTree *tree, const void *room)
{
    tree->slab->used = (size_t)((const char *)room - tree->slab->bytes);
}

/* ---- nodes ---- */

void uns_tree_init(UnsTree *tree, uint32_t count_max)
{
    static char empty[1];
    *tree = (UnsTree){.count_max = count_max, .root_more = {.path = empty, .sorted = true}};
    tree->root.more = &tree->root_more;
}

UnsMore *uns_node_more(UnsTree *tree, UnsNode *node)
{
    if (node->more) return node->more;
    node->more = tree_room(tree, sizeof *node->more);
    if (node->more) *node->more = (UnsMore){.sorted = true};
    return node->more;
}

UnsSampled *uns_node_sampled(UnsTree *tree, UnsNode *node)
{
    if (node->sampled) return node->sampled;
    node->sampled = tree_room(tree, sizeof *node->sampled);
    if (node->sampled) *node->sampled = (UnsSampled){0};
    return node->sampled;
}

void uns_tree_done(UnsTree *tree)
{
    for (UnsNode *node = tree->first; node; node = node->next_node) {
        if (!node->more) continue;
        mem_free(node->more->children);
        mem_free(node->more->meta);
        mem_free(node->more->path);
    }
    for (UnsSlab *slab = tree->slab, *older; slab; slab = older) {
        older = slab->older;
        mem_free(slab);
    }
    mem_free(tree->root_more.children);
    mem_free(tree->by_path.slots);
}

UnsNode *uns_tree_find(const UnsTree *tree, Str path)
{
    return path.len ? path_find(&tree->by_path, path, NULL) : (UnsNode *)(uintptr_t)&tree->root;
}

bool uns_path_valid(Str path)
{
    uint32_t levels = 1;
    if (!path.len || path.len > UNS_PATH_BYTES_MAX) return false;
    if (path.ptr[0] == '/' || path.ptr[path.len - 1] == '/') return false;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '+' || c == '#') return false;
        if (c != '/') continue;
        if (path.ptr[i + 1] == '/' || ++levels > UNS_LEVELS_MAX) return false;
    }
    return str_utf8_valid(path);
}

enum { CHILDREN_MIN = 4 };

/* There is room for a power of two of them, or more where some went away. */
static Status add_child(UnsTree *tree, UnsNode *parent, UnsNode *child)
{
    UnsMore *more = uns_node_more(tree, parent);
    if (!more) return ST_NO_MEMORY;
    uint32_t count = more->child_count;
    if (!count || (count >= CHILDREN_MIN && !(count & (count - 1)))) {
        uint32_t cap = count ? count * 2 : CHILDREN_MIN;
        UnsNode **grown = mem_realloc(more->children, cap * sizeof(UnsNode *));
        if (!grown) return ST_NO_MEMORY;
        more->children = grown;
    }
    more->children[more->child_count++] = child;
    more->sorted = more->child_count == 1;
    return ST_OK;
}

static Status node_new(UnsTree *tree, UnsNode *parent, Str path, UnsNode **ret_node)
{
    if (!uns_node_more(tree, parent)) return ST_NO_MEMORY; /* before the room that goes back */
    UnsNode *node = tree_room(tree, sizeof *node + path.len + 1);
    Status st = node ? ST_OK : ST_NO_MEMORY;
    if (!st) {
        *node = (UnsNode){.parent = parent,
                          .path_len = (uint16_t)path.len,
                          .name_at = parent->path_len ? (uint16_t)(parent->path_len + 1) : 0,
                          .quality = UNS_NEVER,
                          .ts_ns = UNS_NO_TIME,
                          .seq = ++tree->seq};
        char *text = (char *)(node + 1);
        memcpy(text, path.ptr, path.len);
        text[path.len] = 0;
        st = path_put(&tree->by_path, node);
    }
    if (!st) {
        st = add_child(tree, parent, node);
        if (st) path_remove(&tree->by_path, path);
    }
    if (st) {
        if (node) tree_room_back(tree, node);
        return st;
    }
    if (tree->last)
        tree->last->next_node = node;
    else
        tree->first = node;
    tree->last = node;
    tree->count++;
    *ret_node = node;
    return ST_OK;
}

static size_t parent_len(Str path)
{
    while (path.len && path.ptr[path.len - 1] != '/') path.len--;
    return path.len ? path.len - 1 : 0;
}

/* The deepest node above `path` that is there. Often it is that of the name before. */
static UnsNode *above(UnsTree *tree, Str path)
{
    UnsNode *node = NULL;
    while (!node && (path.len = parent_len(path))) {
        bool same = tree->recent && str_eq(uns_node_path(tree->recent), path);
        node = same ? tree->recent : path_find(&tree->by_path, path, NULL);
    }
    if (node) tree->recent = node;
    return node ? node : &tree->root;
}

Status uns_tree_add(UnsTree *tree, Str path, UnsNode **ret_node)
{
    UnsNode *node = path.len ? path_find(&tree->by_path, path, NULL) : NULL;
    if (node) {
        *ret_node = node;
        return ST_OK;
    }
    if (!uns_path_valid(path)) return ST_INVALID;
    UnsNode *parent = above(tree, path);
    size_t known = parent->path_len;
    for (size_t i = known ? known + 2 : 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        if (tree->count >= tree->count_max) return ST_LIMIT;
        Status st = node_new(tree, parent, (Str){path.ptr, i}, &node);
        if (st) return st;
        parent = node;
    }
    *ret_node = node;
    return ST_OK;
}

/* ---- values ---- */

/* Cuts at a whole letter. */
static Str cut_text(Str text)
{
    size_t len = text.len;
    if (len <= UNS_TEXT_BYTES_MAX) return text;
    len = UNS_TEXT_BYTES_MAX;
    while (len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
    return (Str){text.ptr, len};
}

/* Steps that a text of so many bytes gets: small ones what they need, others twice as much each
 * time. There are few sizes, so what one text gives back fits others. */
static uint32_t text_steps(size_t len)
{
    enum { EXACT = 8 };
    uint32_t steps = (uint32_t)((len + UNS_TEXT_STEP - 1) / UNS_TEXT_STEP), grown = EXACT;
    if (steps <= EXACT) return steps;
    while (grown < steps) grown *= 2;
    return grown;
}

static void text_back(UnsTree *tree, UnsNode *node)
{
    void **list = &tree->texts_free[node->text_room];
    if (!node->text_room) return;
    memcpy(node->text, list, sizeof *list);
    *list = node->text;
    node->text_room = 0;
}

/* Room for a text of so many bytes, which are more than it has. */
static Status text_room(UnsTree *tree, UnsNode *node, size_t len)
{
    uint32_t steps = text_steps(len);
    void **list = &tree->texts_free[steps];
    char *room = *list;
    if (room)
        memcpy(list, room, sizeof *list);
    else
        room = tree_room(tree, (size_t)steps * UNS_TEXT_STEP);
    if (!room) return ST_NO_MEMORY;
    text_back(tree, node);
    node->text = room;
    node->text_room = (uint8_t)steps;
    return ST_OK;
}

/* Seconds of the process' clock that fit the node; never 0. */
static uint16_t second_of(int64_t ns)
{
    uint16_t second = (uint16_t)(ns / NS_PER_S);
    return second ? second : 1;
}

static bool another(const UnsNode *node, const UnsValue *value, Str text)
{
    if (node->type != value->type) return true;
    if (value->type == UNS_NULL) return false;
    if (value->type != UNS_TEXT) return node->integer != value->integer; /* or the number */
    return node->text_len != text.len || (text.len && memcmp(node->text, text.ptr, text.len) != 0);
}

bool uns_node_changing(const UnsNode *node, int64_t now_ns, uint32_t seconds)
{
    if (!node->changed || now_ns - node->heard_ns > seconds * NS_PER_S) return false;
    return (uint16_t)(second_of(now_ns) - node->changed) <= seconds;
}

Status uns_node_set(UnsTree *tree, UnsNode *node, const UnsValue *value, int64_t received_ns)
{
    Str text = value->type == UNS_TEXT ? cut_text(value->text) : STR_NONE;
    int64_t now_ns = clock_monotonic_ns();
    bool changed = uns_node_has_value(node) && another(node, value, text);
    if (text.len > (size_t)node->text_room * UNS_TEXT_STEP) {
        Status st = text_room(tree, node, text.len);
        if (st) return st;
    }
    if (text.len)
        memcpy(node->text, text.ptr, text.len);
    else
        text_back(tree, node);
    if (value->type != UNS_TEXT) node->integer = value->integer; /* or the number */
    if (!uns_node_has_value(node)) {
        tree->values++;
        if (!node->first_ns) node->first_ns = received_ns;
    }
    node->text_len = (uint16_t)text.len;
    node->type = (uint8_t)value->type;
    node->quality = (uint8_t)value->quality;
    node->ts_ns = value->ts_ns;
    node->received_ns = received_ns;
    node->heard_ns = now_ns;
    if (changed) node->changed = second_of(now_ns);
    node->count++;
    node->seq = ++tree->seq;
    return ST_OK;
}

/* ---- order and age ---- */

static int compare_names(const void *left, const void *right)
{
    const UnsNode *a = *(UnsNode *const *)left, *b = *(UnsNode *const *)right;
    return str_cmp(uns_node_name(a), uns_node_name(b));
}

void uns_node_sort(UnsNode *node)
{
    UnsMore *more = node->more;
    if (!more || more->sorted) return;
    qsort(more->children, more->child_count, sizeof(UnsNode *), compare_names);
    more->sorted = true;
}

int64_t uns_node_age_ms(const UnsNode *node)
{
    if (!uns_node_has_value(node)) return -1;
    int64_t age = (clock_monotonic_ns() - node->heard_ns) / NS_PER_MS;
    return age < 0 ? 0 : age;
}

/* ---- moving ---- */

uint32_t uns_node_count(const UnsNode *node)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < uns_child_count(node); i++)
        count += uns_node_count(uns_child(node, i));
    return count;
}

typedef struct Move {
    UnsTree *tree;
    char **old, **new; /* new: made before anything changes, so that nothing can fail then */
    uint32_t count;
    size_t from_len;
    Str to;
} Move;

/* Paths that the branch will have, in the order of a walk. */
static Status make_paths(Move *move, UnsNode *node)
{
    size_t rest = node->path_len - move->from_len;
    if (move->to.len + rest > UNS_PATH_BYTES_MAX) return ST_LIMIT;
    char *path = uns_node_more(move->tree, node) ? mem_alloc(move->to.len + rest + 1) : NULL;
    if (!path) return ST_NO_MEMORY;
    memcpy(path, move->to.ptr, move->to.len);
    memcpy(path + move->to.len, uns_node_path(node).ptr + move->from_len, rest + 1);
    move->new[move->count++] = path;
    if (!uns_path_valid((Str){path, move->to.len + rest})) return ST_LIMIT; /* too many levels */
    for (uint32_t i = 0; i < uns_child_count(node); i++) {
        Status st = make_paths(move, uns_child(node, i));
        if (st) return st;
    }
    return ST_OK;
}

/* A name that was taken out of the map leaves room for the one put in. */
static void take_paths(Move *move, UnsNode *node, const UnsNode *parent)
{
    char *path = move->new[move->count];
    move->old[move->count++] = node->more->path;
    path_remove(&move->tree->by_path, uns_node_path(node));
    node->path_len = (uint16_t)(node->path_len - move->from_len + move->to.len);
    node->more->path = path;
    node->name_at = parent->path_len ? (uint16_t)(parent->path_len + 1) : 0;
    node->topic_len = 0; /* the next publish says it anew */
    node->seq = ++move->tree->seq;
    if (path_put(&move->tree->by_path, node)) move->tree->rejected++;
    for (uint32_t i = 0; i < uns_child_count(node); i++) take_paths(move, uns_child(node, i), node);
}

static void leave_parent(UnsNode *node)
{
    UnsMore *parent = node->parent->more;
    uint32_t at = 0;
    while (parent->children[at] != node) at++;
    for (parent->child_count--; at < parent->child_count; at++)
        parent->children[at] = parent->children[at + 1];
}

static Status parent_of(UnsTree *tree, Str to, UnsNode **ret_parent)
{
    size_t len = parent_len(to);
    *ret_parent = &tree->root;
    return len ? uns_tree_add(tree, (Str){to.ptr, len}, ret_parent) : ST_OK;
}

Status uns_tree_move(UnsTree *tree, UnsNode *node, Str to, char ***ret_old, uint32_t *ret_count)
{
    Str from = uns_node_path(node);
    UnsNode *parent;
    if (!node->path_len) return ST_NOT_FOUND;
    if (!uns_path_valid(to)) return ST_INVALID;
    if (path_find(&tree->by_path, to, NULL)) return ST_CONFLICT;
    if (str_starts(to, from) && to.ptr[from.len] == '/') return ST_INVALID;
    uint32_t count = uns_node_count(node);
    Move move = {.tree = tree, .from_len = from.len, .to = to};
    move.old = mem_alloc(count * sizeof(char *));
    move.new = mem_alloc(count * sizeof(char *));
    Status st = move.old && move.new ? make_paths(&move, node) : ST_NO_MEMORY;
    if (!st) st = parent_of(tree, to, &parent);
    if (!st) {
        UnsMore *before = node->parent->more;
        leave_parent(node);
        st = add_child(tree, parent, node);
        if (st) before->children[before->child_count++] = node, before->sorted = false;
    }
    if (st) {
        while (move.new &&move.count) mem_free(move.new[--move.count]);
        mem_free(move.old);
        mem_free(move.new);
        return st;
    }
    node->parent = parent;
    move.count = 0;
    take_paths(&move, node, parent);
    mem_free(move.new);
    *ret_old = move.old;
    *ret_count = count;
    return ST_OK;
}
