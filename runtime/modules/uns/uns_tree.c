/* runtime/modules/uns/uns_tree.c: nodes, their order, their last values.
 *
 * A map finds a path at once; the tree gives the children. Children are appended and sorted only
 * when somebody lists them, so that ten thousand names under one parent cost nothing to add. */
#include "modules/uns/uns_tree.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

void uns_tree_init(UnsTree *tree, uint32_t count_max)
{
    static char empty[1];
    *tree = (UnsTree){.count_max = count_max, .root = {.path = empty, .sorted = true}};
    map_init(&tree->by_path, count_max);
}

void uns_tree_done(UnsTree *tree)
{
    for (UnsNode *node = tree->first, *next; node; node = next) {
        next = node->next_node;
        mem_free((char *)(uintptr_t)node->value.text.ptr);
        mem_free(node->children);
        mem_free(node->path);
        mem_free(node);
    }
    mem_free(tree->root.children);
    map_done(&tree->by_path);
}

UnsNode *uns_tree_find(const UnsTree *tree, Str path)
{
    return path.len ? map_get(&tree->by_path, path) : (UnsNode *)(uintptr_t)&tree->root;
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

static Status add_child(UnsNode *parent, UnsNode *child)
{
    if (parent->child_count == parent->child_cap) {
        uint32_t cap = parent->child_cap ? parent->child_cap * 2 : 4;
        UnsNode **grown = mem_realloc(parent->children, cap * sizeof(UnsNode *));
        if (!grown) return ST_NO_MEMORY;
        parent->children = grown;
        parent->child_cap = cap;
    }
    parent->children[parent->child_count++] = child;
    parent->sorted = parent->child_count == 1;
    return ST_OK;
}

static Status node_new(UnsTree *tree, UnsNode *parent, Str path, UnsNode **ret_node)
{
    UnsNode *node = mem_zalloc(1, sizeof *node);
    char *copy = mem_alloc(path.len + 1);
    Status st = node && copy ? ST_OK : ST_NO_MEMORY;
    if (!st) {
        memcpy(copy, path.ptr, path.len);
        copy[path.len] = '\0';
        node->path = copy;
        node->path_len = (uint32_t)path.len;
        node->name_at = parent->path_len ? parent->path_len + 1 : 0;
        node->parent = parent;
        node->sorted = true;
        node->value = (UnsValue){.quality = UNS_NEVER, .ts_ns = UNS_NO_TIME};
        node->seq = ++tree->seq;
        st = map_put(&tree->by_path, uns_node_path(node), node);
    }
    if (!st) {
        st = add_child(parent, node);
        if (st) (void)map_remove(&tree->by_path, path);
    }
    if (st) {
        mem_free(node);
        mem_free(copy);
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

Status uns_tree_add(UnsTree *tree, Str path, UnsNode **ret_node)
{
    UnsNode *node = path.len ? map_get(&tree->by_path, path) : NULL;
    if (node) {
        *ret_node = node;
        return ST_OK;
    }
    if (!uns_path_valid(path)) return ST_INVALID;
    UnsNode *parent = &tree->root;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        Str part = {path.ptr, i};
        node = map_get(&tree->by_path, part);
        if (!node) {
            if (tree->count >= tree->count_max) return ST_LIMIT;
            Status st = node_new(tree, parent, part, &node);
            if (st) return st;
        }
        parent = node;
    }
    *ret_node = node;
    return ST_OK;
}

/* Cuts at a whole letter. */
static Str cut_text(Str text)
{
    size_t len = text.len;
    if (len <= UNS_TEXT_BYTES_MAX) return text;
    len = UNS_TEXT_BYTES_MAX;
    while (len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
    return (Str){text.ptr, len};
}

Status uns_node_set(UnsTree *tree, UnsNode *node, const UnsValue *value, int64_t received_ns)
{
    char *room = (char *)(uintptr_t)node->value.text.ptr;
    Str text = value->type == UNS_TEXT ? cut_text(value->text) : STR_NONE;
    if (text.len > node->text_cap) {
        room = mem_realloc(room, text.len);
        if (!room) return ST_NO_MEMORY;
        node->text_cap = (uint32_t)text.len;
    }
    if (text.len) memcpy(room, text.ptr, text.len);
    if (node->value.type == UNS_NONE) {
        tree->values++;
        if (!node->first_ns) node->first_ns = received_ns;
    }
    node->value = *value;
    node->value.text = (Str){room, text.len};
    node->received_ns = received_ns;
    node->heard_ns = clock_monotonic_ns();
    node->count++;
    node->seq = ++tree->seq;
    return ST_OK;
}

static int compare_names(const void *left, const void *right)
{
    const UnsNode *a = *(UnsNode *const *)left, *b = *(UnsNode *const *)right;
    return str_cmp(uns_node_name(a), uns_node_name(b));
}

void uns_node_sort(UnsNode *node)
{
    if (node->sorted) return;
    qsort(node->children, node->child_count, sizeof(UnsNode *), compare_names);
    node->sorted = true;
}

int64_t uns_node_age_ms(const UnsNode *node)
{
    if (node->value.type == UNS_NONE) return -1;
    int64_t age = (clock_monotonic_ns() - node->heard_ns) / NS_PER_MS;
    return age < 0 ? 0 : age;
}
