/* runtime/modules/uns/uns_meta.h: what people say about a node: kind, title, unit, owner and more.
 *
 * One block of memory per node that has any, read-only once made; a change makes a new one. The
 * canonical JSON in it is what is stored, exported and answered. */
#ifndef TUTTI_UNS_META_H
#define TUTTI_UNS_META_H

#include "base/json.h"
#include "base/status.h"

enum {
    META_NAME_BYTES_MAX = 64, /* kind, unit, owner, a key */
    META_TITLE_BYTES_MAX = 200,
    META_TEXT_BYTES_MAX = 1000, /* description, the value of a key */
    META_KEYS_MAX = 32,
    META_BYTES_MAX = 8 * 1024, /* of one node, as JSON */
    META_STALE_MS_MAX = 86400000,
};

typedef enum MetaField {
    META_KIND,
    META_TITLE,
    META_UNIT,
    META_DESCRIPTION,
    META_OWNER,
    META_FIELDS
} MetaField;

typedef struct UnsMeta {
    Str json, words; /* words: all values, a line each: what search looks at */
    Str text[META_FIELDS];
    int64_t stale_ms; /* 0: as the node above */
    bool by_source;   /* its age counts from the time of the source */
    uint32_t bytes;   /* the whole block */
} UnsMeta;

extern const char *const uns_meta_names[META_FIELDS];
/* Levels of ISA-95 and what stands below them; other words are allowed. NULL behind the last. */
extern const char *const uns_meta_kinds[];

/* From an object with these fields, `stale_ms`, `stale_by` and `keys`; others are not looked at.
 * *ret_meta is NULL when nothing is said, else the caller's to free (mem_free). The Diag names the
 * field. */
MUST Status uns_meta_read(const Json *in, UnsMeta **ret_meta, Diag *diag);
/* The value of a key of meta, or empty. `json` is the canonical text, read. */
Str uns_meta_key(const Json *json, Str name);

#endif
