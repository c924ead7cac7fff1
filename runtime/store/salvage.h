/* runtime/store/salvage.h: from a damaged file into a new one; for this folder only. */
#ifndef TUTTI_STORE_SALVAGE_H
#define TUTTI_STORE_SALVAGE_H

#include "store/pages.h"

typedef struct StoreSalvageAsk {
    const char *path;    /* of the file that was put aside */
    uint32_t page_bytes; /* preset of the store; 0 = SQLite's */
    StoreJudgeFn *judge; /* may be NULL */
    bool whole;          /* tables that no migration makes are made, too: the file has one owner */
} StoreSalvageAsk;

/* For a job: fills the tables that are empty. Adds to *ret_rows; *ret_lost: pages and rows that
 * could not be read or found no place. */
MUST Status store__salvage(StoreConn *conn, const StoreSalvageAsk *ask, uint64_t *ret_rows,
                           uint64_t *ret_lost, Diag *diag);

#endif
