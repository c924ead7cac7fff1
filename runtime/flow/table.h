/* runtime/flow/table.h: reference data in memory: rows of a file, found by one key.
 *
 * A table is read when an instance starts; a file with a wrong row, or two rows of one key, is
 * refused as a whole, with the line. `reload on change` looks at the file once a second between
 * batches and takes the new one when it is whole; until then, and when it is wrong, the old rows
 * stay. */
#ifndef TUTTI_FLOW_TABLE_H
#define TUTTI_FLOW_TABLE_H

#include "base/status.h"
#include "flow/instance.h"

typedef struct RtTable RtTable;

enum {
    TABLE_BYTES_MAX = 64 << 20, /* of the file */
    TABLE_ROWS_MAX = 1000000,
    TABLE_LOOK_NS = 1000000000
};

/* `other`: where the rows stand instead of the table's own file; or NULL. */
MUST Status rt_table_new(RtPipe *pipe, const RtTableInfo *info, const FlowTable *other,
                         RtTable **ret_table, Diag *diag);
void rt_table_free(RtTable *table); /* accepts NULL */
/* Reads the file again when it is another one than before. ST_OK also when nothing changed. */
MUST Status rt_table_look(RtPipe *pipe, RtTable *table, Diag *diag);
void rt_lookup(RtPipe *pipe, u32 table, const RtValue *key, RtValue *ret, u8 *ret_has);

/* An item of any schema with every leaf missing. */
extern const char rt_no_item[RT_ITEM_BYTES(RT_LEAVES_MAX)];

#endif
