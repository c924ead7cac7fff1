/* runtime/series/series_int.h: working memory and what writing and reading share; private. */
#ifndef TUTTI_SERIES_INT_H
#define TUTTI_SERIES_INT_H

#include "series/segment.h"
#include "series/series.h"

enum { LEVEL_FRESH, LEVEL_GATHERED, SEGMENTS_MAX = 4 * SERIES_FAN_IN };

/* Columns that grow; up to SERIES_RUN_POINTS_MAX points of one series. */
enum { SERIES_RUN_POINTS_MAX = 4 * SERIES_LOOSE_POINTS_MAX };
typedef struct Run {
    SeriesColumns at;
    uint32_t cap;
} Run;

/* loose.c: the segments that are not sealed, oldest first, as bytes in memory. */
typedef struct Loose {
    Segment segment[SEGMENTS_MAX];
    Buf bytes[SEGMENTS_MAX];
    int64_t id[SEGMENTS_MAX];
    uint32_t at[SEGMENTS_MAX]; /* where a walk over all series stands */
    uint32_t count;
    int64_t id_max, rows; /* what the table looked like: ids are never used twice */
} Loose;

struct SeriesWork {
    struct SeriesServer *base; /* points that are not in the file any more; NULL = none */
    SeriesScratch scratch;
    SeriesColumns block;       /* one decoded block */
    Run run, spare;            /* points of one series, and where two runs are merged into */
    Run fresh;                 /* points that are being sealed */
    Loose *kept;               /* of the last question: the next one mostly wants the same */
    SeriesColumns rolled;      /* a column of roll-ups */
    struct RollRows *rolls[5]; /* made when first needed (roll_int.h) */
    Buf bytes;
};

MUST Status series__reserve(Run *run, uint32_t count);
/* Copies points [from, to) of a column set behind the run's; no check of order. */
MUST Status series__append(Run *run, const SeriesColumns *points, uint32_t from, uint32_t to);
/* Adds points that are newer than what the run holds: of equal times theirs stay. */
MUST Status series__merge(SeriesWork *work, const SeriesColumns *newer);
/* Decodes into work->block. */
MUST Status series__decode(SeriesWork *work, Str bytes, Diag *diag);
/* The first point at or after t; count when there is none. */
uint32_t series__lower(const SeriesColumns *points, int64_t t_ns);

/* write.c: one row of series_segments. */
MUST Status series__put_segment(StoreConn *conn, SeriesWork *work, SegmentOut *out, uint32_t level,
                                Diag *diag);
/* Reads the segments up to `level_max` behind segment `after` (0: all). Freed by loose_done, also
 * after a failure. */
MUST Status loose_read(StoreConn *conn, uint32_t level_max, int64_t after, Loose *loose,
                       Diag *diag);
/* All segments as they are now, from memory when nothing changed; the work's, until the next call.
 */
MUST Status loose_kept(StoreConn *conn, SeriesWork *work, Diag *diag);
void loose_done(Loose *loose);
/* The next series in ascending order into work->run, oldest segment first; *ret_series 0: no more.
 */
MUST Status loose_next(SeriesWork *work, Loose *loose, int64_t *ret_series, Diag *diag);
/* All loose points of one series into work->run. */
MUST Status loose_series(SeriesWork *work, Loose *loose, int64_t series, Diag *diag);

/* read.c: the loose points of one series into work->run. */
MUST Status series__read_loose(StoreConn *conn, SeriesWork *work, int64_t series, Diag *diag);
/* The file alone, and with what a server has (forward.c). */
MUST Status series__scan_file(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                              int64_t to_ns, const SeriesVisitor *visitor, Diag *diag);
MUST Status series__scan_both(StoreConn *conn, SeriesWork *work, int64_t series, int64_t from_ns,
                              int64_t to_ns, const SeriesVisitor *visitor, Diag *diag);
MUST Status series__before_file(StoreConn *conn, SeriesWork *work, int64_t series,
                                int64_t before_ns, SeriesPoint *ret_point, bool *ret_found,
                                Diag *diag);
MUST Status series__before_both(StoreConn *conn, SeriesWork *work, int64_t series,
                                int64_t before_ns, SeriesPoint *ret_point, bool *ret_found,
                                Diag *diag);
/* newest.c: what is about to leave the segments and is not settled is kept aside: all of `loose`,
 * or one segment as its points by series and time. */
MUST Status series__keep_newest(StoreConn *conn, SeriesWork *work, Loose *loose, Diag *diag);
MUST Status series__keep_newest_of(StoreConn *conn, const SeriesPoint *points, uint32_t count,
                                   int64_t segment, Diag *diag);
/* roll.c: what was sealed is to be rolled up. */
MUST Status series__mark(StoreConn *conn, int64_t series, const SeriesColumns *points, Diag *diag);

/* seal.c: points of one series into blocks that do not overlap what is there. */
MUST Status series__seal_run(StoreConn *conn, SeriesWork *work, int64_t series,
                             const SeriesColumns *points, Diag *diag);

#endif
