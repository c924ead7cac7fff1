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
enum { UNS_TEXT_STEP = 32, UNS_TEXT_STEPS = UNS_TEXT_BYTES_MAX / UNS_TEXT_STEP };

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

enum { UNS_WRITERS_EARLIER = 3 };

struct UnsMeta; /* uns_meta.h */

/* What most nodes have not. */
typedef struct UnsMore {
    char *path;                /* owned: it was renamed; NULL = the one behind the node */
    struct UnsNode **children; /* owned; sorted by name when `sorted` */
    struct UnsMeta *meta;      /* owned; NULL = none */
    struct AlarmPoint *alarms; /* of this path */
    uint32_t child_count;
    uint16_t writers[UNS_WRITERS_EARLIER]; /* before `writer`, the latest first */
    bool sorted;
} UnsMore;

/* What history has of a node: its series, and the last point. */
typedef struct UnsSampled {
    int64_t series;          /* 0 = none yet */
    int64_t t_ns, source_ns; /* source: the time it came with, where it holds from later on */
    double value;
    uint8_t quality;
    bool known; /* `value` is the last value that was a number */
} UnsSampled;

/* There is one for each topic: what is small lies together, nothing is there twice, and what few
 * have lies elsewhere. Its path lies behind it. */
typedef struct UnsNode {
    struct UnsNode *parent;
    struct UnsNode *next_node; /* all nodes, in the order they came */
    struct UnsNode *next_dirty;
    UnsMore *more;       /* in the tree's memory, as the next; NULL = nothing of it */
    UnsSampled *sampled; /* NULL = never was a number */
    union {              /* the value: uns_node_value */
        int64_t integer;
        double number;
        char *text; /* in the tree's memory */
    };
    int64_t ts_ns;                 /* of the value */
    int64_t received_ns, first_ns; /* wall clock */
    int64_t heard_ns;              /* monotonic: ages do not jump with the wall clock */
    uint64_t count, seq;
    uint16_t path_len, name_at;
    uint16_t topic_len; /* of the topic its value came by; it or a field of a record below it */
    uint16_t text_len;
    uint16_t writer;   /* the client that published it last (uns_lineage.c); 0 = unknown */
    uint8_t type;      /* UnsType */
    uint8_t quality;   /* UnsQuality */
    uint8_t text_room; /* what its text has; in steps of UNS_TEXT_STEP */
    bool dirty;        /* last value not stored yet */
    uint16_t changed;  /* when its value last became another one, in seconds; 0 = not yet. It turns
                          over after 18 hours: ask what was heard of lately only */
} UnsNode;

/* Nodes by path. A slot is the address of a node and, above it, bits of the hash of its path. */
typedef struct UnsPaths {
    uint64_t *slots; /* owned; 0 = free, 1 = its node has another path now */
    uint32_t *homes; /* behind the slots: more of the hash of each, for where it goes */
    size_t count, used, nodes;
} UnsPaths;

typedef struct UnsTree {
    UnsPaths by_path;
    UnsNode root; /* path "" */
    UnsMore root_more;
    UnsNode *first, *last;
    UnsNode *recent;                      /* the parent of a name that was new; NULL = none yet */
    struct UnsSlab *slab;                 /* owned: nodes and texts lie one behind the other */
    void *texts_free[UNS_TEXT_STEPS + 1]; /* lists by room: given back, for other texts */
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
/* Its value became another one in the last `seconds`, at most an hour. */
bool uns_node_changing(const UnsNode *node, int64_t now_ns, uint32_t seconds);
/* Made when there is none; NULL: out of memory. */
UnsMore *uns_node_more(UnsTree *tree, UnsNode *node);
UnsSampled *uns_node_sampled(UnsTree *tree, UnsNode *node);

/* Its text is the node's: valid until it gets another value. */
static inline UnsValue uns_node_value(const UnsNode *node)
{
    UnsValue value = {
        .type = (UnsType)node->type, .quality = (UnsQuality)node->quality, .ts_ns = node->ts_ns};
    if (node->type == UNS_TEXT)
        value.text = (Str){node->text_len ? node->text : "", node->text_len};
    else
        value.integer = node->integer;
    return value;
}

static inline bool uns_node_has_value(const UnsNode *node)
{
    return node->type != UNS_NONE;
}

static inline bool uns_value_is_number(const UnsValue *value)
{
    return value->type == UNS_INT || value->type == UNS_NUMBER || value->type == UNS_BOOL;
}

/* INT, NUMBER and BOOL; 0 for others. */
static inline double uns_value_number(const UnsValue *value)
{
    return value->type == UNS_NUMBER ? value->number : (double)value->integer;
}

/* NUL-terminated. */
static inline Str uns_node_path(const UnsNode *node)
{
    const char *behind = (const char *)(node + 1);
    return (Str){node->more && node->more->path ? node->more->path : behind, node->path_len};
}

static inline Str uns_node_name(const UnsNode *node)
{
    return str_skip(uns_node_path(node), node->name_at);
}

static inline uint32_t uns_child_count(const UnsNode *node)
{
    return node->more ? node->more->child_count : 0;
}

static inline UnsNode *uns_child(const UnsNode *node, uint32_t index)
{
    return node->more->children[index];
}

static inline struct UnsMeta *uns_node_meta(const UnsNode *node)
{
    return node->more ? node->more->meta : NULL;
}

static inline struct AlarmPoint *uns_node_alarms(const UnsNode *node)
{
    return node->more ? node->more->alarms : NULL;
}

static inline int64_t uns_node_series(const UnsNode *node)
{
    return node->sampled ? node->sampled->series : 0;
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
