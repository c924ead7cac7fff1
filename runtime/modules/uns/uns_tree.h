/* runtime/modules/uns/uns_tree.h: the tree of names and last values; private to the module.
 *
 * Nodes are never removed while the program runs (an index a page holds stays right); their number
 * is bounded, and so is the text of a value. `seq` counts changes of the whole tree: a watcher that
 * remembers it knows what is new to it by one comparison per node. */
#ifndef TUTTI_UNS_TREE_H
#define TUTTI_UNS_TREE_H

#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"

enum { UNS_PATH_BYTES_MAX = 1024, UNS_TEXT_BYTES_MAX = 4096, UNS_LEVELS_MAX = 64 };
enum { UNS_TEXT_STEP = 32 };

typedef enum UnsType { UNS_NONE, UNS_NULL, UNS_BOOL, UNS_INT, UNS_NUMBER, UNS_TEXT } UnsType;
typedef enum UnsQuality { UNS_GOOD, UNS_UNCERTAIN, UNS_BAD, UNS_NEVER } UnsQuality;

typedef struct UnsValue {
    UnsType type;
    UnsQuality quality;
    union {
        int64_t integer; /* INT, and 0 or 1 for BOOL */
        double number;   /* NUMBER */
    };
    Str text;      /* TEXT: lent by whoever made the value */
    int64_t ts_ns; /* of the source; UNS_NO_TIME = none */
} UnsValue;
#define UNS_NO_TIME INT64_MIN

enum { UNS_WRITERS_KEPT = 4 };

struct UnsMeta; /* uns_meta.h */

/* There is one for each topic: what is small lies together, nothing is there twice. */
typedef struct UnsNode {
    char *path; /* NUL-terminated; behind the node, or owned when it got another one */
    struct UnsNode *parent;
    struct UnsNode **children; /* owned; sorted by name when `sorted` */
    struct AlarmPoint *alarms; /* of this path; NULL for most */
    struct UnsMeta *meta;      /* owned; NULL = none */
    struct UnsNode *next_dirty;
    struct UnsNode *next_node;     /* all nodes, in the order they came */
    UnsValue value;                /* text is in the tree's memory */
    int64_t received_ns, first_ns; /* wall clock */
    int64_t heard_ns;              /* monotonic: ages do not jump with the wall clock */
    uint64_t count, seq;
    int64_t series; /* id of its history; 0 = none */
    int64_t sampled_ns;
    double sampled;
    uint32_t child_count;
    uint16_t path_len, name_at;
    uint16_t topic_len; /* of the topic its value came by; it or a field of a record below it */
    uint16_t writers[UNS_WRITERS_KEPT]; /* clients that published it, the latest first
                                           (uns_lineage.c) */
    uint8_t text_room;                  /* of its text; in steps of UNS_TEXT_STEP */
    uint8_t sampled_quality;
    bool sorted : 1;
    bool dirty : 1;       /* last value not stored yet */
    bool has_sampled : 1; /* `sampled` is the last value that was a number */
} UnsNode;

/* Nodes by path. A slot is the address of a node and, above it, bits of the hash of its path. */
typedef struct UnsPaths {
    uint64_t *slots; /* owned; 0 = free, 1 = its node has another path now */
    size_t count, used, nodes;
} UnsPaths;

typedef struct UnsTree {
    UnsPaths by_path;
    UnsNode root; /* path "" */
    UnsNode *first, *last;
    struct UnsSlab *slab; /* owned: nodes and texts lie one behind the other */
    uint64_t seq, rejected;
    uint32_t count, values, count_max;
} UnsTree;

void uns_tree_init(UnsTree *tree, uint32_t count_max);
void uns_tree_done(UnsTree *tree);
UnsNode *uns_tree_find(const UnsTree *tree, Str path); /* "" is the root; NULL when unknown */
/* Finds or makes the node and its parents. ST_INVALID: not a path; ST_LIMIT: full. */
MUST Status uns_tree_add(UnsTree *tree, Str path, UnsNode **ret_node);
/* Gives the node and its branch another path; parents are made. ST_INVALID: no path, or inside
 * itself; ST_CONFLICT: there is one of that name; ST_NOT_FOUND: the node is the root. The old paths
 * are the caller's to free when nobody holds them any more: (*ret_old)[i], *ret_count of them; some
 * are NULL. */
MUST Status uns_tree_move(UnsTree *tree, UnsNode *node, Str to, char ***ret_old,
                          uint32_t *ret_count);
uint32_t uns_node_count(const UnsNode *node); /* with what is below it */
/* True for a name a publish may have: no wildcard, no empty level, no control byte, UTF-8. */
bool uns_path_valid(Str path);
/* Copies the value into the node, cutting text over the limit; received_ns is wall time. */
MUST Status uns_node_set(UnsTree *tree, UnsNode *node, const UnsValue *value, int64_t received_ns);
void uns_node_sort(UnsNode *node); /* children in byte order of their names */
int64_t uns_node_age_ms(const UnsNode *node);

/* INT, NUMBER and BOOL; 0 for others. */
static inline double uns_value_number(const UnsValue *value)
{
    return value->type == UNS_NUMBER ? value->number : (double)value->integer;
}

static inline Str uns_node_path(const UnsNode *node)
{
    return (Str){node->path, node->path_len};
}

static inline Str uns_node_name(const UnsNode *node)
{
    return (Str){node->path + node->name_at, node->path_len - node->name_at};
}

/* A payload by the rules of the namespace: calls fn once per value; `field` is the name below the
 * topic, empty for the topic itself. Slices are lent for the call. */
typedef void UnsPayloadFn(void *ctx, Str field, const UnsValue *value);
void uns_payload_read(Arena *arena, Str payload, UnsPayloadFn *fn, void *ctx);

/* RFC 3339 both ways; nanoseconds since 1970. */
bool uns_time_read(Str text, int64_t *ret_ns);
Str uns_time_text(int64_t ns, char room[40]);
/* "-15m", milliseconds, or RFC 3339; now_ms is what spans count back from. */
bool uns_when_read(Str text, int64_t now_ms, int64_t *ret_ms);

#endif
