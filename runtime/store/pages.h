/* runtime/store/pages.h: an SQLite file read page by page, whatever is damaged in it.
 *
 * For salvage only: nothing here is believed. A number, a length, a page or an order that does not
 * fit ends what it belongs to and nothing else. The file and its write-ahead log are mapped and
 * only read; frames of the log count up to the last whole commit. Format:
 * sqlite.org/fileformat2.html.
 *
 * A tree of pages is walked from its root; each page is visited once. What no tree reached and the
 * file does not call free is an orphan: its parent was damaged. */
#ifndef TUTTI_STORE_PAGES_H
#define TUTTI_STORE_PAGES_H

#include "base/buf.h"
#include "base/status.h"
#include "store/store.h"

enum { PAGES_COLUMNS_MAX = 64 };

typedef struct Pages {
    const uint8_t *file, *log; /* mapped; NULL = none */
    size_t file_bytes, log_bytes;
    uint32_t page_bytes, count;
    size_t *frames;   /* owned: by page, where its newest frame is in the log; 0 = none */
    uint8_t *visited; /* owned: one bit a page */
    uint8_t *part;    /* owned: the last page, when only a part of it is there */
    Buf payload;      /* of the row at hand, when it goes over several pages */
    uint64_t lost;    /* pages and rows that could not be read */
} Pages;

typedef struct PagesRow {
    int64_t id; /* of a row by number */
    uint32_t count;
    StoreCell cells[PAGES_COLUMNS_MAX];
} PagesRow;

/* Slices are lent until it returns. */
typedef void PagesFn(void *ctx, const PagesRow *row);

/* `page_bytes`: when the file does not say. ST_NO_MEMORY, ST_IO. */
MUST Status pages_open(Pages *pages, const char *path, uint32_t page_bytes, Diag *diag);
void pages_close(Pages *pages);
/* Rows of the tree at `root`, as far as it can be followed. */
void pages_walk(Pages *pages, uint32_t root, PagesFn *fn, void *ctx);
/* Pages that the file calls free are visited: what they hold was deleted. */
void pages_skip_free(Pages *pages);
/* Visits the next page of rows by number that no walk reached; false: there is none. */
bool pages_orphan(Pages *pages, uint32_t *at, PagesFn *fn, void *ctx);

#endif
