/* runtime/mqtt/trie.c: the level tree behind subscriptions and retained messages.
 *
 * Matching a topic against filters walks with an explicit stack: at each level at most the child of
 * that name and "+" are pushed, so the stack never holds more than levels + 1 nodes. Selecting
 * names by a filter recurses, at most MQTT_LEVELS_MAX deep because longer paths are never stored.
 */
#include "mqtt/trie.h"

#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/codec.h"

enum { ADDRESS_BITS = 48, SLOTS_MIN = 64, GONE = 1 };

Status mqtt__trie_init(Trie *trie)
{
    *trie = (Trie){.slot_count = SLOTS_MIN};
    trie->slots = mem_zalloc(trie->slot_count, sizeof *trie->slots);
    trie->root = mem_zalloc(1, sizeof *trie->root);
    if (trie->slots && trie->root) return ST_OK;
    mqtt__trie_done(trie);
    return ST_NO_MEMORY;
}

static TrieNode *slot_node(uint64_t slot)
{
    return (TrieNode *)(uintptr_t)(slot & (((uint64_t)1 << ADDRESS_BITS) - 1)); /* NOLINT */
}

void mqtt__trie_done(Trie *trie)
{
    for (size_t i = 0; trie->slots && i < trie->slot_count; i++)
        if (trie->slots[i] > GONE) mem_free(slot_node(trie->slots[i]));
    mem_free(trie->slots);
    mem_free(trie->root);
    *trie = (Trie){0};
}

static uint32_t level_hash(Str level)
{
    return (uint32_t)hash_bytes(level.ptr, level.len);
}

static uint32_t child_key(const TrieNode *parent, uint32_t hash)
{
    return hash ^ (uint32_t)((uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u >> 32);
}

/* Of two keys in one slot's way these bits differ, nearly always. */
static uint64_t key_mark(uint32_t key)
{
    return (uint64_t)(key >> 16) << ADDRESS_BITS;
}

static TrieNode *child_find(const Trie *trie, const TrieNode *parent, Str level, uint32_t hash)
{
    if (!parent->first_child) return NULL;
    uint32_t key = child_key(parent, hash);
    uint64_t mark = key_mark(key), slot;
    for (size_t i = key & (trie->slot_count - 1); (slot = trie->slots[i]);
         i = (i + 1) & (trie->slot_count - 1)) {
        if (slot >> ADDRESS_BITS << ADDRESS_BITS != mark || slot == GONE) continue;
        TrieNode *node = slot_node(slot);
        if (node->key == key && node->parent == parent &&
            str_eq(str_slice(node->text, node->text_bytes), level))
            return node;
    }
    return NULL;
}

static TrieNode *hash_child(const TrieNode *node)
{
    return node->has_hash ? node->first_child : NULL;
}

static TrieNode *plus_child(const TrieNode *node)
{
    if (!node->has_plus) return NULL;
    return node->has_hash ? node->first_child->next : node->first_child;
}

static void slot_put(Trie *trie, TrieNode *node)
{
    size_t i = node->key & (trie->slot_count - 1);
    while (trie->slots[i]) i = (i + 1) & (trie->slot_count - 1);
    trie->slots[i] = key_mark(node->key) | (uint64_t)(uintptr_t)node;
    trie->used++;
}

static void slot_remove(Trie *trie, const TrieNode *node)
{
    size_t i = node->key & (trie->slot_count - 1);
    while (trie->slots[i] == GONE || slot_node(trie->slots[i]) != node)
        i = (i + 1) & (trie->slot_count - 1);
    trie->slots[i] = GONE;
}

/* Room for one more: at most two of three slots are used. */
static bool slots_room(Trie *trie)
{
    if ((trie->used + 1) * 3 <= trie->slot_count * 2) return true;
    Trie old = *trie;
    size_t count = SLOTS_MIN;
    while ((trie->nodes + 1) * 2 > count) count *= 2;
    uint64_t *slots = mem_zalloc(count, sizeof *slots);
    if (!slots) return false;
    trie->slots = slots;
    trie->slot_count = count;
    trie->used = 0;
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i] > GONE) slot_put(trie, slot_node(old.slots[i]));
    mem_free(old.slots);
    return true;
}

/* Among its siblings: "#", "+", the others with the newest first. */
static void sibling_add(TrieNode *node, TrieNode *parent, Str level)
{
    TrieNode *before = NULL;
    if (str_eq(level, STR("#"))) {
        parent->has_hash = true;
    } else if (str_eq(level, STR("+"))) {
        before = hash_child(parent);
        parent->has_plus = true;
    } else {
        before = parent->has_plus ? plus_child(parent) : hash_child(parent);
    }
    node->prev = before;
    node->next = before ? before->next : parent->first_child;
    if (node->next) node->next->prev = node;
    if (before)
        before->next = node;
    else
        parent->first_child = node;
}

static void sibling_remove(TrieNode *node, TrieNode *parent)
{
    if (node == hash_child(parent))
        parent->has_hash = false;
    else if (node == plus_child(parent))
        parent->has_plus = false;
    if (node->prev)
        node->prev->next = node->next;
    else
        parent->first_child = node->next;
    if (node->next) node->next->prev = node->prev;
}

static TrieNode *child_add(Trie *trie, TrieNode *parent, Str level, uint32_t hash)
{
    size_t bytes = offsetof(TrieNode, text) + level.len;
    TrieNode *node = level.len <= UINT16_MAX && slots_room(trie) ? mem_zalloc(1, bytes) : NULL;
    if (!node || (uint64_t)(uintptr_t)node >> ADDRESS_BITS) {
        mem_free(node);
        return NULL;
    }
    node->parent = parent;
    node->text_bytes = (uint16_t)level.len;
    if (level.len) memcpy(node->text, level.ptr, level.len);
    node->key = child_key(parent, hash);
    slot_put(trie, node);
    sibling_add(node, parent, level);
    trie->nodes++;
    return node;
}

/* Cuts the first level off *rest; false when there is none left. `rest->ptr` NULL marks the end,
 * because an empty last level is a level too. */
static bool level_next(Str *rest, Str *ret_level)
{
    if (!rest->ptr) return false;
    const char *slash = rest->len ? memchr(rest->ptr, '/', rest->len) : NULL;
    if (!slash) {
        *ret_level = *rest;
        *rest = STR_NONE;
        return true;
    }
    size_t len = (size_t)(slash - rest->ptr);
    *ret_level = str_slice(rest->ptr, len);
    *rest = str_slice(slash + 1, rest->len - len - 1);
    return true;
}

TrieNode *mqtt__trie_find(const Trie *trie, Str path)
{
    TrieNode *node = trie->root;
    for (Str level; node && level_next(&path, &level);)
        node = child_find(trie, node, level, level_hash(level));
    return node;
}

TrieNode *mqtt__trie_add(Trie *trie, Str path)
{
    TrieNode *node = trie->root;
    for (Str level; level_next(&path, &level);) {
        uint32_t hash = level_hash(level);
        TrieNode *child = child_find(trie, node, level, hash);
        if (!child) child = child_add(trie, node, level, hash);
        if (!child) {
            mqtt__trie_trim(trie, node);
            return NULL;
        }
        node = child;
    }
    return node;
}

void mqtt__trie_trim(Trie *trie, TrieNode *node)
{
    while (node && node->parent && !node->value && !node->first_child) {
        TrieNode *parent = node->parent;
        slot_remove(trie, node);
        sibling_remove(node, parent);
        mem_free(node);
        trie->nodes--;
        node = parent;
    }
}

void mqtt__trie_match(const Trie *trie, Str topic, TrieFn *fn, void *ctx)
{
    Str levels[MQTT_LEVELS_MAX], rest = topic;
    uint32_t hashes[MQTT_LEVELS_MAX], count = 0;
    for (; count < MQTT_LEVELS_MAX && level_next(&rest, &levels[count]); count++)
        hashes[count] = level_hash(levels[count]);
    if (rest.ptr) return;
    struct {
        TrieNode *node;
        uint32_t depth;
    } stack[MQTT_LEVELS_MAX + 2];
    uint32_t top = 0;
    bool hidden = topic.len && topic.ptr[0] == '$';
    stack[top].node = trie->root;
    stack[top++].depth = 0;
    while (top) {
        TrieNode *node = stack[--top].node;
        uint32_t depth = stack[top].depth;
        bool wild = depth || !hidden;
        TrieNode *hash = wild ? hash_child(node) : NULL;
        if (hash && hash->value) fn(ctx, hash);
        if (depth == count) {
            if (node->value && node->parent) fn(ctx, node);
            continue;
        }
        TrieNode *plus = wild ? plus_child(node) : NULL;
        if (plus) {
            stack[top].node = plus;
            stack[top++].depth = depth + 1;
        }
        TrieNode *child = child_find(trie, node, levels[depth], hashes[depth]);
        if (child) {
            stack[top].node = child;
            stack[top++].depth = depth + 1;
        }
    }
}

static void visit_all(TrieNode *node, TrieFn *fn, void *ctx, uint32_t depth)
{
    if (node->value) fn(ctx, node);
    if (depth >= MQTT_LEVELS_MAX) return;
    for (TrieNode *child = node->first_child; child; child = child->next)
        visit_all(child, fn, ctx, depth + 1);
}

static bool is_hidden(const TrieNode *node, uint32_t depth)
{
    return depth == 0 && node->text_bytes && node->text[0] == '$';
}

static void visit(const Trie *trie, TrieNode *node, Str rest, uint32_t depth, TrieFn *fn, void *ctx)
{
    Str level;
    if (!level_next(&rest, &level)) {
        if (node->value) fn(ctx, node);
        return;
    }
    if (depth >= MQTT_LEVELS_MAX) return;
    if (str_eq(level, STR("#"))) {
        if (node->value && node->parent) fn(ctx, node);
        for (TrieNode *child = node->first_child; child; child = child->next)
            if (!is_hidden(child, depth)) visit_all(child, fn, ctx, depth + 1);
        return;
    }
    if (str_eq(level, STR("+"))) {
        for (TrieNode *child = node->first_child; child; child = child->next)
            if (!is_hidden(child, depth)) visit(trie, child, rest, depth + 1, fn, ctx);
        return;
    }
    TrieNode *child = child_find(trie, node, level, level_hash(level));
    if (child) visit(trie, child, rest, depth + 1, fn, ctx);
}

void mqtt__trie_select(const Trie *trie, Str filter, TrieFn *fn, void *ctx)
{
    visit(trie, trie->root, filter, 0, fn, ctx);
}
