/* runtime/modules/uns/uns_surface.c: what others may ask of the namespace and what it tells: the
 * tables of its ops with their schemas, of what it publishes, and of routes. docs/api-live.md tells
 * it in words. */
#include "modules/uns/uns.h"
#include "modules/uns/uns_alarm.h"
#include "modules/uns/uns_meta.h"
#include "modules/uns/uns_notify.h"

static const Field tree_in[] = {
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "list below this path"},
    {"depth", FIELD_INT, 0, 0, UNS_LEVELS_MAX, "levels below it; 0 = all"},
    {"limit", FIELD_INT, 0, 1, 5000, "most nodes in one answer"},
    {"after", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "go on behind this path"},
    {"values", FIELD_BOOL, 0, 0, 0, "false: names only"},
    {0}};
static const Field tree_out[] = {{"prefix", FIELD_STR, 0, 0, 0, "as asked"},
                                 {"nodes", FIELD_ARRAY, 0, 0, 0, "in path order"},
                                 {"total", FIELD_INT, 0, 0, 0, "names in the whole tree"},
                                 {"more", FIELD_BOOL, 0, 0, 0, "ask again with after"},
                                 {"stale_ms", FIELD_INT, 0, 0, 0, "age of a stale value"},
                                 {0}};
static const Field outline_in[] = {
    {"limit", FIELD_INT, 0, 1, 100000, "most names in one answer"},
    {"after", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "go on behind this path"},
    {0}};
static const Field outline_out[] = {
    {"rows", FIELD_ARRAY, 0, 0, 0, "level, name, 1 with a value, kind title unit"},
    {"total", FIELD_INT, 0, 0, 0, "names in the whole tree"},
    {"more", FIELD_BOOL, 0, 0, 0, "ask again with after"},
    {0}};
static const Field path_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"}, {0}};
static const Field node_out[] = {{"path", FIELD_STR, 0, 0, 0, "full name"},
                                 {"value", FIELD_ANY, 0, 0, 0, "last value"},
                                 {"quality", FIELD_STR, 0, 0, 0, "good, uncertain, bad"},
                                 {"age_ms", FIELD_INT, 0, 0, 0, "since it was received"},
                                 {0}};
static const Field meta_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name; made when it is new"},
    {"kind", FIELD_STR, 0, 0, META_NAME_BYTES_MAX,
     "enterprise, site, area, line, cell, equipment, tag, or a word of your own"},
    {"title", FIELD_STR, 0, 0, META_TITLE_BYTES_MAX, "for people"},
    {"unit", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "of its value"},
    {"description", FIELD_STR, 0, 0, META_TEXT_BYTES_MAX, "for people"},
    {"owner", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "who is asked about it"},
    {"stale_ms", FIELD_INT, 0, 0, META_STALE_MS_MAX, "age of a stale value; 0: as the node above"},
    {"stale_by", FIELD_STR, 0, 0, 8, "which time counts: received or source"},
    {"keys", FIELD_OBJECT, 0, 0, 0, "more: name and text, at most 32"},
    {0}};
static const Field names_import_in[] = {
    {"text", FIELD_STR, FIELD_REQUIRED, 1, BUS_BODY_BYTES_MAX, "the file"},
    {"format", FIELD_STR, 0, 3, 4, "csv or json"},
    {"dry", FIELD_BOOL, 0, 0, 0, "only say what would change"},
    {0}};
static const Field changes_out[] = {{"dry", FIELD_BOOL, 0, 0, 0, "nothing was done"},
                                    {"nodes", FIELD_INT, 0, 0, 0, "in the file"},
                                    {"new", FIELD_INT, 0, 0, 0, "names that were not there"},
                                    {"changed", FIELD_INT, 0, 0, 0, "with other metadata"},
                                    {"same", FIELD_INT, 0, 0, 0, "as they are"},
                                    {"made", FIELD_INT, 0, 0, 0, "new, and new above those"},
                                    {"room", FIELD_INT, 0, 0, 0, "names the tree still takes"},
                                    {"rows", FIELD_ARRAY, 0, 0, 0, "path, action, line, fields"},
                                    {"errors", FIELD_ARRAY, 0, 0, 0, "line, column, text"},
                                    {"error_count", FIELD_INT, 0, 0, 0, "also those not listed"},
                                    {0}};
static const Field branch_in[] = {
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "this branch; preset: all"}, {0}};
static const Field templates_out[] = {
    {"templates", FIELD_ARRAY, 0, 0, 0, "name, title, description, text, tags"}, {0}};
static const Field instantiate_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, 64, "of the template"},
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "of the new equipment"},
    {"title", FIELD_STR, 0, 0, META_TITLE_BYTES_MAX, "preset: the template's"},
    {"owner", FIELD_STR, 0, 0, META_NAME_BYTES_MAX, "who is asked about it"},
    {"bind", FIELD_STR, 0, 0, 6, "strict or soft: hold its payloads against the template's type"},
    {"dry", FIELD_BOOL, 0, 0, 0, "only say what would change"},
    {0}};
static const Field rename_in[] = {
    {"from", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "the name, with its branch"},
    {"to", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "its new name; not there yet"},
    {0}};
static const Field rename_out[] = {
    {"nodes", FIELD_INT, 0, 0, 0, "that have another name now"},
    {"retained", FIELD_INT, 0, 0, 0, "messages published anew under the new name"},
    {"retained_left", FIELD_INT, 0, 0, 0, "that had to stay (refused, or the disk is behind)"},
    {0}};
static const Field renamed_body[] = {{"from", FIELD_STR, 0, 0, 0, "old name"},
                                     {"to", FIELD_STR, 0, 0, 0, "new name"},
                                     {"nodes", FIELD_INT, 0, 0, 0, "of the branch"},
                                     {0}};
static const Field lineage_out[] = {
    {"path", FIELD_STR, 0, 0, 0, "as asked"},
    {"topic", FIELD_STR, 0, 0, 0, "by which its value came"},
    {"clients", FIELD_ARRAY, 0, 0, 0, "that published it since the start, the latest first"},
    {"writes", FIELD_ARRAY, 0, 0, 0, "pipelines that write it: pipeline, running, by, from"},
    {"reads", FIELD_ARRAY, 0, 0, 0, "pipelines that read it: pipeline, running, by, into"},
    {"complete", FIELD_BOOL, 0, 0, 0, "false: the engine did not answer"},
    {0}};
static const Field search_in[] = {
    {"q", FIELD_STR, FIELD_REQUIRED, 1, 200, "words of the path or of what is said about it"},
    {"limit", FIELD_INT, 0, 1, 1000, "most nodes"},
    {"values", FIELD_BOOL, 0, 0, 0, "false: names only"},
    {"meta", FIELD_BOOL, 0, 0, 0, "true: only names that the path alone does not fit"},
    {0}};
static const Field changing_in[] = {
    {"seconds", FIELD_INT, 0, 1, 3600, "how long ago at most; 10 when left out"}, {0}};
static const Field changing_out[] = {{"paths", FIELD_ARRAY, 0, 0, 0, "in the order they came"},
                                     {"total", FIELD_INT, 0, 0, 0, "all of them"},
                                     {"more", FIELD_BOOL, 0, 0, 0, "not all are listed"},
                                     {0}};
static const Field search_out[] = {{"nodes", FIELD_ARRAY, 0, 0, 0, "the first matches"},
                                   {"total", FIELD_INT, 0, 0, 0, "all matches"},
                                   {0}};
static const Field history_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"pixels", FIELD_INT, 0, 1, 10000, "most rows of the answer"},
    {0}};
static const Field history_out[] = {{"t", FIELD_ARRAY, 0, 0, 0, "times, ms"},
                                    {"min", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"max", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"last", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"mean", FIELD_ARRAY, 0, 0, 0, "per bucket, by time"},
                                    {"count", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"bad", FIELD_ARRAY, 0, 0, 0, "per bucket"},
                                    {"gap", FIELD_ARRAY, 0, 0, 0, "ends with a bad value"},
                                    {0}};
static const Field points_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"limit", FIELD_INT, 0, 1, 10000, "most points; next says where it goes on"},
    {0}};
static const Field points_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "times, RFC 3339"},
    {"value", FIELD_ARRAY, 0, 0, 0, "as they came"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "good, uncertain, bad"},
    {"next", FIELD_STR, 0, 0, 0, "from of the next question; null: no more"},
    {0}};
static const Field steps_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"step", FIELD_STR, FIELD_REQUIRED, 2, 12, "15m, 1h, 1d, 1w, 1mo, 1y"},
    {"zone", FIELD_STR, 0, 0, 64, "where days begin: Europe/Berlin; preset UTC"},
    {0}};
static const Field steps_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "where steps begin"},
    {"mean", FIELD_ARRAY, 0, 0, 0, "by time"},
    {"min", FIELD_ARRAY, 0, 0, 0, "of the points"},
    {"max", FIELD_ARRAY, 0, 0, 0, "of the points"},
    {"count", FIELD_ARRAY, 0, 0, 0, "points"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "the worst"},
    {"good_ratio", FIELD_ARRAY, 0, 0, 0, "share of good points"},
    {"source", FIELD_STR, 0, 0, 0, "points, minutes or hours: the coarsest that was read"},
    {0}};
static const Field moments_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "a name of the tree"},
    {"times", FIELD_ARRAY, 0, 0, 5000, "moments; or from, to and step"},
    {"method", FIELD_STR, 0, 0, 8, "last (known value) or linear"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"step", FIELD_STR, 0, 2, 12, "a moment where each step begins"},
    {"zone", FIELD_STR, 0, 0, 64, "where days begin; preset UTC"},
    {0}};
static const Field moments_out[] = {
    {"t", FIELD_ARRAY, 0, 0, 0, "the moments"},
    {"value", FIELD_ARRAY, 0, 0, 0, "null: nothing was there yet"},
    {"quality", FIELD_ARRAY, 0, 0, 0, "good, uncertain, bad"},
    {"from", FIELD_ARRAY, 0, 0, 0, "when the point was that it comes from"},
    {0}};
static const Field export_in[] = {
    {"filter", FIELD_STR, 0, 1, UNS_PATH_BYTES_MAX, "which paths: acme/+/temp, acme/#; preset all"},
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"after", FIELD_STR, 0, 0, 60, "what the page before said as next"},
    {0}};
static const Field export_out[] = {{"text", FIELD_STR, 0, 0, 0, "lines of CSV"},
                                   {"next", FIELD_STR, 0, 0, 0, "null: this was the last page"},
                                   {0}};
static const Field import_in[] = {
    {"csv", FIELD_STR, FIELD_REQUIRED, 1, BUS_BODY_BYTES_MAX, "path,time,value[,quality]"},
    {"line", FIELD_INT, 0, 2, 0x1p53, "number of the first line behind the header; 2"},
    {0}};
static const Field import_out[] = {{"lines", FIELD_INT, 0, 0, 0, "that were read"},
                                   {"written", FIELD_INT, 0, 0, 0, "points on disk"},
                                   {"refused", FIELD_INT, 0, 0, 0, "lines left out"},
                                   {"errors", FIELD_ARRAY, 0, 0, 0, "line, text; the first 100"},
                                   {0}};
static const Field sql_in[] = {
    {"sql", FIELD_STR, FIELD_REQUIRED, 1, 65536, "one select over samples, steps(...), tables"},
    {"params", FIELD_ANY, 0, 0, 0, "a list for ?1, ?2; an object for :name"},
    {"limit", FIELD_INT, 0, 1, 10000, "most rows; 1000"},
    {"timeout", FIELD_INT, 0, 1, 30000, "ms the question may take; 5000"},
    {0}};
static const Field sql_out[] = {{"columns", FIELD_ARRAY, 0, 0, 0, "names"},
                                {"rows", FIELD_ARRAY, 0, 0, 0, "lists in column order"},
                                {"more", FIELD_BOOL, 0, 0, 0, "there were more rows"},
                                {0}};
static const Field rules_in[] = {
    {"rules", FIELD_ARRAY, FIELD_REQUIRED, 0, UNS_RULES_MAX, "pattern, raw, minutes, hours"}, {0}};
static const Field rules_out[] = {
    {"rules", FIELD_ARRAY, 0, 0, 0, "the first whose pattern fits decides"},
    {"rest", FIELD_OBJECT, 0, 0, 0, "the settings, for paths that no rule names"},
    {0}};
static const Field record_in[] = {
    {"table", FIELD_STR, FIELD_REQUIRED, 1, 63, "name of the historian table"},
    {"columns", FIELD_ARRAY, FIELD_REQUIRED, 1, 200, "objects of name and type"},
    {"key", FIELD_ARRAY, FIELD_REQUIRED, 1, 16, "columns that make a row unique"},
    {"rows", FIELD_ARRAY, FIELD_REQUIRED, 0, 10000, "lists in column order"},
    {0}};
static const Field record_out[] = {{"written", FIELD_INT, 0, 0, 0, "rows stored"},
                                   {"quarantined", FIELD_INT, 0, 0, 0, "rows set aside"},
                                   {0}};
static const Field rows_in[] = {
    {"table", FIELD_STR, FIELD_REQUIRED, 1, 63, "name of the table"},
    {"columns", FIELD_STR, FIELD_REQUIRED, 0, 65536, "a line for each: name, type, ? if missing"},
    {"n", FIELD_INT, FIELD_REQUIRED, 0, 0, "behind the row of this number; 0: none had one yet"},
    {"next", FIELD_INT, FIELD_REQUIRED, 0, 0, "n is 0: from this row id on"},
    {0}};
static const Field rows_out[] = {
    {"rows", FIELD_ARRAY, 0, 0, 0, "lists: n and next behind the row, the row"},
    {"n", FIELD_INT, 0, 0, 0, "where the next question goes on"},
    {"next", FIELD_INT, 0, 0, 0, "as n"},
    {"more", FIELD_BOOL, 0, 0, 0, "there are more rows now"},
    {0}};
static const Field recorded_body[] = {{"table", FIELD_STR, FIELD_REQUIRED, 0, 0, "its name"}, {0}};
static const Field tables_out[] = {{"tables", FIELD_ARRAY, 0, 0, 0, "name, columns, key, rows"},
                                   {0}};
static const Field query_in[] = {{"name", FIELD_STR, FIELD_REQUIRED, 1, 63, "name of the table"},
                                 {"limit", FIELD_INT, 0, 1, 5000, "most rows"},
                                 {"order", FIELD_STR, 0, 1, 63, "column to sort by"},
                                 {"desc", FIELD_BOOL, 0, 0, 0, "largest first"},
                                 {"column", FIELD_STR, 0, 1, 63, "only rows where this column ..."},
                                 {"equals", FIELD_STR, 0, 0, 1000, "... has this value"},
                                 {"time", FIELD_STR, 0, 1, 63, "time column for from and to"},
                                 {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
                                 {"to", FIELD_STR, 0, 0, 40, "as from"},
                                 {0}};
static const Field query_out[] = {{"name", FIELD_STR, 0, 0, 0, "of the table"},
                                  {"columns", FIELD_ARRAY, 0, 0, 0, "name and type"},
                                  {"rows", FIELD_ARRAY, 0, 0, 0, "lists in column order"},
                                  {"more", FIELD_BOOL, 0, 0, 0, "there are more rows"},
                                  {0}};
static const Field publish_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "topic"},
    {"value", FIELD_ANY, FIELD_REQUIRED, 0, 0, "scalar, tag or record"},
    {0}};
static const Field quality_in[] = {
    {"path", FIELD_STR, FIELD_REQUIRED, 1, UNS_PATH_BYTES_MAX, "of the branch"},
    {"quality", FIELD_STR, FIELD_REQUIRED, 3, 9, "uncertain or bad; better ones become it"},
    {"until_ns", FIELD_INT, 0, 0, 0, "values that came later stay; preset is now"},
    {"time_ns", FIELD_INT, 0, 0, 0, "since when it is so; preset is until_ns"},
    {0}};
static const Field quality_out[] = {{"marked", FIELD_INT, 0, 0, 0, "values"}, {0}};
static const Field watch_in[] = {
    {"watch", FIELD_STR, 0, 1, 24, "an existing watch: renew it, change its rate"},
    {"paths", FIELD_ARRAY, 0, 0, UNS_WATCH_PATHS_MAX, "exact, or ending in /#"},
    {"hz", FIELD_NUMBER, 0, 0, 10, "most frames per second; 0 pauses"},
    {0}};
static const Field watch_out[] = {{"watch", FIELD_STR, 0, 0, 0, "id"},
                                  {"truncated", FIELD_BOOL, 0, 0, 0, "more paths than allowed"},
                                  {0}};
static const Field watch_id_in[] = {{"watch", FIELD_STR, FIELD_REQUIRED, 1, 24, "id"}, {0}};
static const Field stats_out[] = {{"paths", FIELD_INT, 0, 0, 0, "names in the tree"},
                                  {"values", FIELD_INT, 0, 0, 0, "names with a value"},
                                  {"publishes", FIELD_INT, 0, 0, 0, "since start"},
                                  {0}};
static const Field changed_body[] = {
    {"added", FIELD_ARRAY, 0, 0, 0, "paths with their first value, up to 100"},
    {"names", FIELD_ARRAY, 0, 0, 0, "new paths without a value"},
    {"paths", FIELD_INT, 0, 0, 0, "names in the tree"},
    {0}};
static const Field values_body[] = {{"seq", FIELD_INT, 0, 0, 0, "counts frames of the watch"},
                                    {"time", FIELD_INT, 0, 0, 0, "of the server, ms"},
                                    {"full", FIELD_BOOL, 0, 0, 0, "forget what came before"},
                                    {"add", FIELD_ARRAY, 0, 0, 0, "[index, path]"},
                                    {"v", FIELD_ARRAY, 0, 0, 0, "[index, value, quality, age]"},
                                    {0}};

static const Field alarms_in[] = {
    {"state", FIELD_STR, 0, 1, 32, "only this one; all = also what is normal"},
    {"priority", FIELD_STR, 0, 1, 16, "only this one"},
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "only paths from here down"},
    {"limit", FIELD_INT, 0, 1, 5000, "most alarms in one answer"},
    {0}};
static const Field alarms_out[] = {
    {"alarms", FIELD_ARRAY, 0, 0, 0, "the most urgent first, of those the newest"},
    {"total", FIELD_INT, 0, 0, 0, "that fit the question"},
    {"more", FIELD_BOOL, 0, 0, 0, "not all are here"},
    {"standing", FIELD_OBJECT, 0, 0, 0, "per priority: not normal and not hidden"},
    {"states", FIELD_OBJECT, 0, 0, 0, "per state"},
    {0}};
static const Field alarm_act_in[] = {
    {"act", FIELD_STR, FIELD_REQUIRED, 1, 32,
     "acknowledge, reset, shelve, unshelve; suppress, unsuppress, remove-from-service,"
     " return-to-service"},
    {"alarms", FIELD_ARRAY, FIELD_REQUIRED, 1, UNS_ALARM_ACTS_MAX, "objects of rule and path"},
    {"text", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "comment or reason"},
    {"until", FIELD_INT, 0, 0, 0, "end of a shelve, ms"},
    {0}};
static const Field alarm_act_out[] = {
    {"done", FIELD_INT, 0, 0, 0, "alarms it was done to"},
    {"refused", FIELD_ARRAY, 0, 0, 0, "rule, path and reason of the others"},
    {0}};
static const Field alarm_rules_out[] = {{"rules", FIELD_ARRAY, 0, 0, 0, "origin and alarm"}, {0}};
static const Field alarm_put_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the rule"},
    {"on", FIELD_ANY, FIELD_REQUIRED, 0, 0, "path, or filter with + and #; or a list of them"},
    {"when", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "the condition, as {\"above\": 80}"},
    {"priority", FIELD_STR, 0, 1, 16, "critical, high, medium (preset), low"},
    {"latch", FIELD_BOOL, 0, 0, 0, "stays until it is reset"},
    {"message", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "may hold {path}, {name} and {value}"},
    {"action", FIELD_STR, 0, 0, ALARM_TEXT_BYTES_MAX, "what an operator should do"},
    {0}};
static const Field alarm_name_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the rule"}, {0}};
static const Field alarm_rename_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "of the rule"},
    {"to", FIELD_STR, FIELD_REQUIRED, 1, ALARM_NAME_BYTES_MAX, "its new name"},
    {0}};
static const Field alarm_declare_in[] = {
    {"origin", FIELD_STR, FIELD_REQUIRED, 1, 320, "\"program NAME\" or \"schema NAME\""},
    {"alarms", FIELD_ARRAY, FIELD_REQUIRED, 0, UNS_ALARM_RULES_MAX, "as in uns.alarm_put"},
    {0}};
static const Field alarm_journal_in[] = {
    {"from", FIELD_STR, 0, 0, 40, "RFC 3339, milliseconds, or -1h"},
    {"to", FIELD_STR, 0, 0, 40, "as from; preset is now"},
    {"rule", FIELD_STR, 0, 0, ALARM_NAME_BYTES_MAX, "only of this rule"},
    {"prefix", FIELD_STR, 0, 0, UNS_PATH_BYTES_MAX, "only paths from here down"},
    {"limit", FIELD_INT, 0, 1, 2000, "most entries"},
    {"before", FIELD_INT, 0, 0, 0, "go on behind the entry with this id"},
    {0}};
static const Field alarm_journal_out[] = {{"entries", FIELD_ARRAY, 0, 0, 0, "the newest first"},
                                          {"more", FIELD_BOOL, 0, 0, 0, "there are older ones"},
                                          {0}};
static const Field alarm_stats_out[] = {
    {"per_hour", FIELD_ARRAY, 0, 0, 0, "raised in each of the last 24 hours"},
    {"worst", FIELD_ARRAY, 0, 0, 0, "the ten that were raised most often in a day"},
    {"ten_minutes", FIELD_INT, 0, 0, 0, "raised in the last ten minutes"},
    {"flood", FIELD_BOOL, 0, 0, 0, "more than ten of them"},
    {"lost", FIELD_INT, 0, 0, 0, "changes that are not in the journal"},
    {0}};
static const Field alarms_body[] = {{"standing", FIELD_OBJECT, 0, 0, 0, "per priority"},
                                    {"states", FIELD_OBJECT, 0, 0, 0, "per state"},
                                    {0}};

const ModOp uns__ops[] = {
    {"uns.tree", uns__op_tree, tree_in, tree_out, 5000, ROLE_VIEW, OP_READ, "names below a path"},
    {"uns.outline", uns__op_outline, outline_in, outline_out, 5000, ROLE_VIEW, OP_READ,
     "all names, short"},
    {"uns.get", uns__op_get, path_in, node_out, 2000, ROLE_VIEW, OP_READ, "last value of a path"},
    {"uns.search", uns__op_search, search_in, search_out, 5000, ROLE_VIEW, OP_READ,
     "names that hold all words, in their path or metadata"},
    {"uns.changing", uns__op_changing, changing_in, changing_out, 5000, ROLE_VIEW, OP_READ,
     "paths whose value became another one lately"},
    {"uns.meta_set", uns__op_meta_set, meta_in, node_out, 5000, ROLE_ENGINEER, OP_DURABLE,
     "what is said about a name, all of it; nothing clears it"},
    {"uns.names_import", uns__op_names_import, names_import_in, changes_out, 30000, ROLE_ENGINEER,
     OP_DURABLE, "names and metadata of a file: all, or with an error none"},
    {"uns.names_csv", uns__op_names_csv, branch_in, NULL, 10000, ROLE_VIEW, OP_READ | OP_RAW,
     "a branch as import takes it"},
    {"uns.names_json", uns__op_names_json, branch_in, NULL, 10000, ROLE_VIEW, OP_READ | OP_RAW,
     "a branch as import takes it"},
    {"uns.templates", uns__op_templates, NULL, templates_out, 5000, ROLE_VIEW, OP_READ,
     "common equipment: type, tags, units"},
    {"uns.instantiate", uns__op_instantiate, instantiate_in, changes_out, 15000, ROLE_ENGINEER,
     OP_DURABLE, "names for a piece of equipment"},
    {"uns.rename", uns__op_rename, rename_in, rename_out, 30000, ROLE_ENGINEER, OP_DURABLE,
     "another name for a branch, which keeps its history"},
    {"uns.lineage", uns__op_lineage, path_in, lineage_out, 5000, ROLE_VIEW, OP_READ,
     "who writes a name, and who reads it"},
    {"uns.history", uns__op_history, history_in, history_out, 30000, ROLE_VIEW, OP_READ,
     "samples reduced to pixels"},
    {"uns.points", uns__op_points, points_in, points_out, 30000, ROLE_VIEW, OP_READ,
     "points of a path as they came"},
    {"uns.steps", uns__op_steps, steps_in, steps_out, 30000, ROLE_VIEW, OP_READ,
     "a path step by step of time"},
    {"uns.moments", uns__op_moments, moments_in, moments_out, 30000, ROLE_VIEW, OP_READ,
     "a path's values at moments"},
    {"uns.sql", uns__op_sql, sql_in, sql_out, 40000, ROLE_VIEW, OP_READ,
     "a select over the history and the historian's tables"},
    {"uns.sql_csv", uns__op_sql_csv, sql_in, NULL, 40000, ROLE_VIEW, OP_READ | OP_RAW,
     "the same as CSV"},
    {"uns.export", uns__op_export, export_in, export_out, 30000, ROLE_VIEW, OP_READ | OP_PAGES,
     "points of many paths as CSV"},
    {"uns.export_page", uns__op_export, export_in, export_out, 30000, ROLE_VIEW, OP_READ,
     "one page of it"},
    {"uns.import", uns__op_import, import_in, import_out, 60000, ROLE_ENGINEER, OP_DURABLE,
     "points from CSV"},
    {"uns.history_rules", uns__op_rules, NULL, rules_out, 5000, ROLE_VIEW, OP_READ,
     "how long history is kept"},
    {"uns.history_rules_set", uns__op_rules_set, rules_in, rules_out, 30000, ROLE_ADMIN, OP_DURABLE,
     "says anew how long history is kept"},
    {"uns.stats", uns__op_stats, NULL, stats_out, 2000, ROLE_VIEW, OP_READ, "counters"},
    {"uns.tables", uns__op_tables, NULL, tables_out, 10000, ROLE_VIEW, OP_READ, "historian tables"},
    {"uns.query_table", uns__op_query_table, query_in, query_out, 30000, ROLE_VIEW, OP_READ,
     "rows of a historian table"},
    {"uns.record", uns__op_record, record_in, record_out, 30000, ROLE_SYSTEM, OP_DURABLE,
     "stores rows; answered when they are on disk"},
    {"uns.rows", uns__op_rows, rows_in, rows_out, 30000, ROLE_SYSTEM, OP_READ,
     "rows of a historian table in the order they were written"},
    {"uns.publish", uns__op_publish, publish_in, NULL, 2000, ROLE_OPERATE, 0, "publishes a value"},
    {"uns.quality", uns__op_quality, quality_in, quality_out, 5000, ROLE_SYSTEM, 0,
     "makes the quality of a branch's values worse: their source is gone"},
    {"uns.alarms", uns__op_alarms, alarms_in, alarms_out, 5000, ROLE_VIEW, OP_READ,
     "alarms and their states"},
    {"uns.alarm_act", uns__op_alarm_act, alarm_act_in, alarm_act_out, 10000, ROLE_OPERATE,
     OP_DURABLE, "acknowledges, shelves, suppresses; answered when it is on disk"},
    {"uns.alarm_rules", uns__op_alarm_rules, NULL, alarm_rules_out, 5000, ROLE_VIEW, OP_READ,
     "what is an alarm"},
    {"uns.alarm_put", uns__op_alarm_put, alarm_put_in, NULL, 10000, ROLE_ENGINEER, OP_DURABLE,
     "makes or changes a rule"},
    {"uns.alarm_rename", uns__op_alarm_rename, alarm_rename_in, NULL, 10000, ROLE_ENGINEER,
     OP_DURABLE, "another name for a rule, which keeps its alarms and their journal"},
    {"uns.alarm_drop", uns__op_alarm_drop, alarm_name_in, NULL, 10000, ROLE_ENGINEER, OP_DURABLE,
     "takes a rule and its alarms away"},
    {"uns.alarm_declare", uns__op_alarm_declare, alarm_declare_in, NULL, 10000, ROLE_SYSTEM,
     OP_DURABLE, "all rules of a program at once"},
    {"uns.alarm_journal", uns__op_alarm_journal, alarm_journal_in, alarm_journal_out, 30000,
     ROLE_VIEW, OP_READ, "changes of states, the newest first"},
    {"uns.alarm_targets", uns__op_targets, NULL, uns__targets_out, 5000, ROLE_OPERATE, OP_READ,
     "who can be told of alarms, and how that goes"},
    {"uns.alarm_target_put", uns__op_target_put, uns__target_in, NULL, 10000, ROLE_ADMIN,
     OP_DURABLE, "makes or changes a target"},
    {"uns.alarm_target_drop", uns__op_target_drop, alarm_name_in, NULL, 10000, ROLE_ADMIN,
     OP_DURABLE, "takes a target and what waits for it away"},
    {"uns.alarm_target_test", uns__op_target_test, alarm_name_in, uns__test_out, 45000, ROLE_ADMIN,
     0, "sends a test and says what came of it"},
    {"uns.alarm_routes", uns__op_routes, NULL, uns__routes_out, 5000, ROLE_OPERATE, OP_READ,
     "which alarms are told to whom"},
    {"uns.alarm_route_put", uns__op_route_put, uns__route_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "makes or changes a route"},
    {"uns.alarm_route_drop", uns__op_route_drop, alarm_name_in, NULL, 10000, ROLE_ADMIN, OP_DURABLE,
     "takes a route and its calls away"},
    {"uns.alarm_stats", uns__op_alarm_stats, NULL, alarm_stats_out, 30000, ROLE_VIEW, OP_READ,
     "how many, and which ones"},
    {"uns.watch", uns__op_watch, watch_in, watch_out, 2000, ROLE_SYSTEM, 0,
     "starts, renews or changes a watch"},
    {"uns.unwatch", uns__op_unwatch, watch_id_in, NULL, 2000, ROLE_SYSTEM, 0, "ends a watch"},
    {"uns.snapshot", uns__op_snapshot, watch_id_in, NULL, 2000, ROLE_SYSTEM, 0,
     "makes the next frame a full one"},
    {0}};
const ModPub uns__pubs[] = {
    {"uns.changed", changed_body, "new names, at most twice a second"},
    {"uns.recorded", recorded_body, "rows of a historian table are on disk"},
    {"uns.renamed", renamed_body, "a branch has another name"},
    {"uns.alarms_changed", alarms_body, "counts of alarms, at most four times a second"},
    {"uns.values.*", values_body, "a frame of one watch"},
    {0}};
const ModRoute uns__routes[] = {
    {"GET", "/api/v1/uns", "uns.tree", NULL},
    {"GET", "/api/v1/uns/outline", "uns.outline", NULL},
    {"GET", "/api/v1/uns/value/{path*}", "uns.get", NULL},
    {"GET", "/api/v1/uns/history/{path*}", "uns.history", NULL},
    {"GET", "/api/v1/historian/points/{path*}", "uns.points", NULL},
    {"GET", "/api/v1/historian/steps/{path*}", "uns.steps", NULL},
    {"GET", "/api/v1/historian/at/{path*}", "uns.moments", NULL},
    {"POST", "/api/v1/historian/at", "uns.moments", NULL},
    {"POST", "/api/v1/historian/sql", "uns.sql", NULL},
    {"POST", "/api/v1/historian/sql.csv", "uns.sql_csv", "text/csv; charset=utf-8; header=present"},
    {"GET", "/api/v1/historian/export", "uns.export", "text/csv; charset=utf-8; header=present"},
    {"GET", "/api/v1/historian/export/page", "uns.export_page", NULL},
    {"POST", "/api/v1/historian/import", "uns.import", NULL},
    {"GET", "/api/v1/historian/rules", "uns.history_rules", NULL},
    {"PUT", "/api/v1/historian/rules", "uns.history_rules_set", NULL},
    {"GET", "/api/v1/uns/search", "uns.search", NULL},
    {"GET", "/api/v1/uns/changing", "uns.changing", NULL},
    {"PUT", "/api/v1/uns/meta/{path*}", "uns.meta_set", NULL},
    {"POST", "/api/v1/uns/import", "uns.names_import", NULL},
    {"GET", "/api/v1/uns/export.csv", "uns.names_csv", "text/csv; charset=utf-8"},
    {"GET", "/api/v1/uns/export.json", "uns.names_json", "application/json"},
    {"GET", "/api/v1/uns/templates", "uns.templates", NULL},
    {"POST", "/api/v1/uns/templates/{name}", "uns.instantiate", NULL},
    {"POST", "/api/v1/uns/rename", "uns.rename", NULL},
    {"GET", "/api/v1/uns/lineage/{path*}", "uns.lineage", NULL},
    {"GET", "/api/v1/uns/stats", "uns.stats", NULL},
    {"GET", "/api/v1/uns/tables", "uns.tables", NULL},
    {"GET", "/api/v1/uns/tables/{name}", "uns.query_table", NULL},
    {"POST", "/api/v1/uns/publish", "uns.publish", NULL},
    {"GET", "/api/v1/alarms", "uns.alarms", NULL},
    {"POST", "/api/v1/alarms/act", "uns.alarm_act", NULL},
    {"GET", "/api/v1/alarms/rules", "uns.alarm_rules", NULL},
    {"PUT", "/api/v1/alarms/rules/{name}", "uns.alarm_put", NULL},
    {"POST", "/api/v1/alarms/rules/{name}/rename", "uns.alarm_rename", NULL},
    {"DELETE", "/api/v1/alarms/rules/{name}", "uns.alarm_drop", NULL},
    {"GET", "/api/v1/alarms/journal", "uns.alarm_journal", NULL},
    {"GET", "/api/v1/alarms/stats", "uns.alarm_stats", NULL},
    {"GET", "/api/v1/alarms/targets", "uns.alarm_targets", NULL},
    {"PUT", "/api/v1/alarms/targets/{name}", "uns.alarm_target_put", NULL},
    {"DELETE", "/api/v1/alarms/targets/{name}", "uns.alarm_target_drop", NULL},
    {"POST", "/api/v1/alarms/targets/{name}/test", "uns.alarm_target_test", NULL},
    {"GET", "/api/v1/alarms/routes", "uns.alarm_routes", NULL},
    {"PUT", "/api/v1/alarms/routes/{name}", "uns.alarm_route_put", NULL},
    {"DELETE", "/api/v1/alarms/routes/{name}", "uns.alarm_route_drop", NULL},
    {0}};
