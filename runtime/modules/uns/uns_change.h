/* runtime/modules/uns/uns_change.h: metadata of many nodes at once: all of it, or nothing. */
#ifndef TUTTI_UNS_CHANGE_H
#define TUTTI_UNS_CHANGE_H

#include "modules/uns/uns.h"
#include "modules/uns/uns_meta.h"

enum { CHANGES_MAX = 20000, CHANGE_ERRORS_MAX = 100, CHANGE_ROWS_SHOWN = 2000 };

typedef enum ChangeKind { CHANGE_SAME, CHANGE_NEW, CHANGE_EDIT } ChangeKind;

typedef struct UnsChange {
    Str path;      /* lent for as long as the request */
    UnsMeta *meta; /* owned until it is the node's; NULL: none */
    uint32_t line;
    ChangeKind kind;
} UnsChange;

typedef struct ChangeError {
    uint32_t line, column;
    Str text;
} ChangeError;

typedef struct UnsChanges UnsChanges;
typedef void ChangesDone(UnsChanges *changes, Status status, const Diag *diag);

struct UnsChanges {
    Uns *uns;
    Req *req;
    UnsChange *list; /* owned */
    uint32_t count, cap, counts[3];
    uint32_t made; /* names that come to be, those above them too; known when they fit */
    Map paths;     /* of the list: no path twice */
    ChangeError errors[CHANGE_ERRORS_MAX];
    uint32_t error_count; /* of all, also those without room */
    ChangesDone *done;
    const char *what; /* for the log */
};

MUST Status uns__changes_new(Uns *uns, Req *req, UnsChanges **ret_changes);
void uns__changes_free(UnsChanges *changes);
void uns__changes_error(UnsChanges *changes, uint32_t line, uint32_t column, const char *format,
                        ...) PRINTF_LIKE(4, 5);
/* Merges: what `in` has is set (an empty text or null clears), what it has not stays. False: an
 * error was noted at that place, or there is no memory. */
bool uns__changes_merge(UnsChanges *changes, Str path, const Json *in, uint32_t line,
                        uint32_t column);
/* Sets the whole of a node's metadata; takes `meta`. */
MUST Status uns__changes_put(UnsChanges *changes, Str path, UnsMeta *meta, uint32_t line);
/* Room in the tree and for the texts. */
MUST Status uns__changes_fit(UnsChanges *changes, Diag *diag);
/* To the disk, then into the tree; `done` follows on a later turn and frees the changes. */
MUST Status uns__changes_apply(UnsChanges *changes, ChangesDone *done, const char *what);
/* {"dry","nodes","new","changed","same","rows":[{"path","action","line","fields"}],"errors":[...]}
 */
void uns__changes_put_table(const UnsChanges *changes, bool dry, JsonOut *out);

#endif
