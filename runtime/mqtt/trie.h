/* runtime/mqtt/trie.h: a tree of topic levels; one for subscriptions, one for retained messages.
 *
 * A node is a path of levels; its value belongs to the caller. Nodes without value and children
 * disappear by themselves. Children are found through one hash table of the whole tree, whose
 * slots say enough that other nodes are not touched on the way; among their siblings "#" and then
 * "+" come first, so that matching has them at hand. A node and a short name fill one cache line:
 * there are as many as there are topics. */
#ifndef TUTTI_MQTT_TRIE_H
#define TUTTI_MQTT_TRIE_H

#include "base/status.h"
#include "base/str.h"

typedef struct TrieNode {
    struct TrieNode *parent, *first_child, *next, *prev; /* next, prev: siblings */
    void *value;
    uint32_t key;
    uint16_t text_bytes;
    bool has_plus, has_hash; /* a child "+", "#" */
    char text[];             /* this level */
} TrieNode;

typedef struct Trie {
    TrieNode *root;
    uint64_t *slots; /* owned; the address of a node, and above it the highest bits of its key */
    size_t slot_count, used, nodes; /* used: with those of nodes that are gone */
} Trie;

MUST Status mqtt__trie_init(Trie *trie);
void mqtt__trie_done(Trie *trie); /* values are not touched */
TrieNode *mqtt__trie_find(const Trie *trie, Str path);
/* Finds or makes the node; NULL when out of memory. */
TrieNode *mqtt__trie_add(Trie *trie, Str path);
/* Drops the node and its ancestors as far as they hold nothing. */
void mqtt__trie_trim(Trie *trie, TrieNode *node);

typedef void TrieFn(void *ctx, TrieNode *node);
/* Tree of filters: visits every node with a value whose filter matches the topic name. */
void mqtt__trie_match(const Trie *trie, Str topic, TrieFn *fn, void *ctx);
/* Tree of names: visits every node with a value that is matched by the filter. fn may remove the
 * value and nothing else. */
void mqtt__trie_select(const Trie *trie, Str filter, TrieFn *fn, void *ctx);

#endif
