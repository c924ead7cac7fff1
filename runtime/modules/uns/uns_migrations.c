/* runtime/modules/uns/uns_migrations.c: history.db, step by step. A step that was released stays.
 */
#include "modules/uns/uns.h"

#include "series/roll.h"

static const char uns_0001[] =
    "CREATE TABLE last(path TEXT PRIMARY KEY, type INTEGER NOT NULL, i INTEGER, n REAL, s TEXT,"
    " quality INTEGER NOT NULL, ts INTEGER, received INTEGER NOT NULL, first INTEGER NOT NULL,"
    " count INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
    "CREATE TABLE samples(series INTEGER NOT NULL, t INTEGER NOT NULL, v REAL NOT NULL,"
    " q INTEGER NOT NULL, PRIMARY KEY(series, t)) WITHOUT ROWID;"
    "CREATE TABLE record_tables(name TEXT PRIMARY KEY, columns TEXT NOT NULL, key TEXT NOT NULL,"
    " quarantined INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, at INTEGER NOT NULL,"
    " reason TEXT NOT NULL, row TEXT NOT NULL);";

static const char uns_0002[] =
    SERIES_SCHEMA_SQL; /* `samples` is emptied into it at the next start */

static const char uns_0003[] =
    "CREATE TABLE alarm_rules(name TEXT PRIMARY KEY, origin TEXT NOT NULL, body TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_points(rule TEXT NOT NULL, path TEXT NOT NULL, under INTEGER NOT NULL,"
    " since INTEGER NOT NULL, raised INTEGER NOT NULL, raised_value REAL, raised_count INTEGER"
    " NOT NULL, shelf INTEGER NOT NULL, over INTEGER NOT NULL, PRIMARY KEY(rule, path))"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_journal(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, rule TEXT NOT NULL,"
    " path TEXT NOT NULL, priority INTEGER NOT NULL, was INTEGER NOT NULL, became INTEGER NOT NULL,"
    " value REAL, who TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX alarm_journal_at ON alarm_journal(at);";

static const char uns_0004[] =
    SERIES_ROLL_SQL "CREATE TABLE history_rules(place INTEGER PRIMARY KEY, pattern TEXT NOT NULL,"
                    " raw INTEGER NOT NULL, minutes INTEGER NOT NULL, hours INTEGER NOT NULL);";

static const char uns_0005[] =
    "CREATE TABLE meta(path TEXT PRIMARY KEY, json TEXT NOT NULL, at INTEGER NOT NULL,"
    " by TEXT NOT NULL) WITHOUT ROWID;";

static const char uns_0006[] =
    "CREATE TABLE alarm_targets(name TEXT PRIMARY KEY, body TEXT NOT NULL, secrets BLOB)"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_routes(name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE alarm_calls(route TEXT NOT NULL, rule TEXT NOT NULL, path TEXT NOT NULL,"
    " first INTEGER NOT NULL, again INTEGER NOT NULL, escalate INTEGER NOT NULL,"
    " told INTEGER NOT NULL, escalated INTEGER NOT NULL, PRIMARY KEY(route, rule, path))"
    " WITHOUT ROWID;"
    "CREATE TABLE alarm_outbox(id INTEGER PRIMARY KEY, target TEXT NOT NULL, at INTEGER NOT NULL,"
    " rule TEXT NOT NULL, path TEXT NOT NULL, priority INTEGER NOT NULL, state INTEGER NOT NULL,"
    " event TEXT NOT NULL);"
    "ALTER TABLE alarm_journal ADD COLUMN target TEXT;"
    "ALTER TABLE alarm_journal ADD COLUMN delivered INTEGER;";

/* Bad values weigh nothing since then: their roll-ups are worked out anew. */
static const char uns_0007[] =
    "INSERT INTO series_stale(series, t_first, t_last) SELECT series, min(t_first), max(t_last)"
    " FROM series_blocks WHERE odd > 0 GROUP BY series;";

/* How many writes a table has numbered, in its column "#" (uns_record.c); 0: it has none yet. */
static const char uns_0008[] =
    "ALTER TABLE record_tables ADD COLUMN wrote INTEGER NOT NULL DEFAULT 0;";

/* What a start takes from samples that are newer than their last values (uns_load.c). */
static const char uns_0009[] =
    SERIES_NEWEST_SQL "ALTER TABLE series ADD COLUMN type INTEGER NOT NULL DEFAULT 0;";

const StoreMigration uns__migrations[] = {{1, "last values, samples, records", uns_0001},
                                          {2, "samples in compressed blocks", uns_0002},
                                          {3, "alarms", uns_0003},
                                          {4, "roll-ups and how long they last", uns_0004},
                                          {5, "metadata of names", uns_0005},
                                          {6, "who is told of alarms", uns_0006},
                                          {7, "bad values weigh nothing", uns_0007},
                                          {8, "tables in the order of writing", uns_0008},
                                          {9, "newest samples", uns_0009},
                                          {0}};
