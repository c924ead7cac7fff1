/* runtime/modules/uns/uns_import.c: names and what is said about them, from and to a file.
 *
 *   path,kind,title,unit,description,owner,stale_ms,stale_by,key.vendor
 *   acme/berlin,site,Berlin,,,,,,
 *   {"nodes":[{"path":"acme/berlin","kind":"site","title":"Berlin","keys":{"vendor":"..."}}]}
 *
 * A column or member that the file has is set, one that it has not stays as it is. All rows are
 * looked at before one is taken; with an error in any of them none is. What is exported and read
 * again changes nothing, and the export of an imported export is the same bytes. */
#include "modules/uns/uns_change.h"
#include "modules/uns/uns_cells.h"

#include "base/mem.h"

#include <stdio.h>

enum { EXPORT_BYTES_MAX = UNS_ANSWER_BYTES_MAX - 4096 };

/* ---- answers ---- */

static void answer_table(UnsChanges *changes, bool dry)
{
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    uns__changes_put_table(changes, dry, &out);
    json_end(&out);
    req_answer_buf(changes->req, &body);
}

static void refuse_table(UnsChanges *changes)
{
    Buf body;
    JsonOut out;
    char text[300];
    const ChangeError *first = &changes->errors[0];
    (void)snprintf(text, sizeof text, "line %u, column %u: %.*s; nothing was imported", first->line,
                   first->column, STR_ARG(first->text));
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "error");
    json_begin_object(&out);
    json_field_text(&out, "code", "INVALID");
    json_field_text(&out, "text", text);
    json_end(&out);
    uns__changes_put_table(changes, true, &out);
    json_end(&out);
    if (buf_status(&body))
        req_fail(changes->req, ST_INVALID, "%s", text);
    else
        req_fail_json(changes->req, ST_INVALID, buf_view(&body));
    buf_done(&body);
}

/* ---- CSV ---- */

typedef struct Heads {
    Str names[CSV_COLUMNS_MAX]; /* "kind", or of a key without "key." */
    bool is_key[CSV_COLUMNS_MAX];
    uint32_t count, path; /* path: which column it is */
} Heads;

static bool known_field(Str name)
{
    for (int i = 0; i < META_FIELDS; i++)
        if (str_is(name, uns_meta_names[i])) return true;
    return str_is(name, "stale_ms") || str_is(name, "stale_by");
}

static bool read_heads(UnsChanges *changes, const CsvCell *cells, uint32_t count, Heads *heads)
{
    bool path = false;
    heads->count = count;
    for (uint32_t i = 0; i < count; i++) {
        Str name = str_trim(cells[i].text);
        heads->is_key[i] = str_starts(name, STR("key."));
        heads->names[i] = heads->is_key[i] ? str_skip(name, 4) : name;
        for (uint32_t j = 0; j < i; j++)
            if (heads->is_key[i] == heads->is_key[j] && str_eq(heads->names[i], heads->names[j]))
                uns__changes_error(changes, cells[i].line, cells[i].column,
                                   "the column \"%.*s\" stands twice", STR_ARG(name));
        if (str_is(name, "path")) {
            heads->path = i;
            path = true;
        } else if (heads->is_key[i] ? !heads->names[i].len : !known_field(name)) {
            uns__changes_error(
                changes, cells[i].line, cells[i].column,
                "no column is called \"%.*s\": path, kind, title, unit, description, "
                "owner, stale_ms, stale_by, or key.NAME",
                (int)(name.len < 60 ? name.len : 60), name.ptr);
        }
    }
    if (!path)
        uns__changes_error(changes, cells[0].line, cells[0].column,
                           "the first line names the columns, and one of them is path");
    return !changes->error_count;
}

/* A number stays a number, so that the words about a wrong one are the same as for JSON. */
static void put_cell(JsonOut *out, Str name, Str text)
{
    int64_t number;
    if (str_is(name, "stale_ms") && !str_trim(text).len)
        json_put_int(out, 0);
    else if (str_is(name, "stale_ms") && str_to_i64(str_trim(text), &number))
        json_put_int(out, number);
    else
        json_put_str(out, text);
}

static const Json *row_json(UnsChanges *changes, const Heads *heads, const CsvCell *cells)
{
    AUTO_BUF Buf buf;
    JsonOut out;
    const Json *json = NULL;
    buf_init(&buf, CSV_COLUMNS_MAX * CSV_CELL_BYTES_MAX);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    for (uint32_t i = 0; i < heads->count; i++) {
        if (heads->is_key[i] || i == heads->path) continue;
        json_key_str(&out, heads->names[i]);
        put_cell(&out, heads->names[i], cells[i].text);
    }
    json_key(&out, "keys");
    json_begin_object(&out);
    for (uint32_t i = 0; i < heads->count; i++) {
        if (!heads->is_key[i]) continue;
        json_key_str(&out, heads->names[i]);
        json_put_str(&out, cells[i].text);
    }
    json_end(&out);
    json_end(&out);
    Str text = buf_status(&buf) ? STR_NONE : arena_str(changes->req->arena, buf_view(&buf));
    return text.ptr && !json_read(changes->req->arena, text, &json, NULL) ? json : NULL;
}

/* The cell that an error about a field means. */
static const CsvCell *cell_meant(const Heads *heads, const CsvCell *cells, Str words)
{
    for (uint32_t i = 0; i < heads->count; i++)
        if (i != heads->path && !heads->is_key[i] && str_starts(words, heads->names[i]))
            return &cells[i];
    for (uint32_t i = 0; i < heads->count; i++)
        if (heads->is_key[i] && str_starts(words, STR("keys:")) &&
            str_find(words, heads->names[i]) >= 0)
            return &cells[i];
    return &cells[heads->path];
}

static void take_row(UnsChanges *changes, const Heads *heads, const CsvCell *cells, uint32_t count)
{
    const CsvCell *path = &cells[heads->path];
    if (count != heads->count) {
        uns__changes_error(changes, cells[0].line, cells[count - 1].column,
                           "the row has %u cells, the first line has %u", count, heads->count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!str_utf8_valid(cells[i].text)) {
            uns__changes_error(changes, cells[i].line, cells[i].column, "the text is not UTF-8");
            return;
        }
    const Json *in = row_json(changes, heads, cells);
    if (!in) {
        uns__changes_error(changes, path->line, path->column, "the row is too long");
        return;
    }
    if (uns__changes_merge(changes, str_trim(path->text), in, path->line, path->column)) return;
    if (changes->error_count > CHANGE_ERRORS_MAX) return;
    ChangeError *error = &changes->errors[changes->error_count - 1];
    const CsvCell *meant = cell_meant(heads, cells, error->text);
    error->line = meant->line;
    error->column = meant->column;
}

static Status read_csv(UnsChanges *changes, Str text)
{
    CsvReader csv;
    CsvCell cells[CSV_COLUMNS_MAX];
    Heads heads = {0};
    uint32_t count, line, column;
    bool first = true;
    csv_begin(&csv, changes->req->arena, text);
    for (;;) {
        Diag diag = {0};
        Status st = csv_row(&csv, cells, &count, &line, &column, &diag);
        if (st == ST_INVALID) uns__changes_error(changes, line, column, "%s", diag.text);
        if (st == ST_INVALID && !first) continue;
        if (st) return st == ST_INVALID ? ST_OK : st;
        if (!count) break;
        if (!first)
            take_row(changes, &heads, cells, count);
        else if (!read_heads(changes, cells, count, &heads))
            return ST_OK;
        first = false;
    }
    if (first) uns__changes_error(changes, 1, 1, "the file is empty");
    return ST_OK;
}

/* ---- JSON ---- */

static bool known_members(UnsChanges *changes, const Json *node, uint32_t line, uint32_t column)
{
    for (const Json *at = node->first; at; at = at->next) {
        if (known_field(at->key) || str_is(at->key, "path") || str_is(at->key, "keys")) continue;
        uns__changes_error(changes, line, column, "no member is called \"%.*s\"",
                           (int)(at->key.len < 60 ? at->key.len : 60), at->key.ptr);
        return false;
    }
    return true;
}

static Status read_json(UnsChanges *changes, Str text)
{
    const Json *json;
    Diag diag = {0};
    uint32_t line = 1, column = 1;
    Status st = json_read(changes->req->arena, text, &json, &diag);
    if (st == ST_NO_MEMORY) return st;
    const Json *list = st ? NULL : json->type == JSON_ARRAY ? json : json_get(json, "nodes");
    if (st || !list || list->type != JSON_ARRAY) {
        (void)sscanf(diag.text, "JSON line %u column %u", &line, &column);
        uns__changes_error(changes, line, column, "%s",
                           st ? diag.text : "the file is a list of nodes, or {\"nodes\":[...]}");
        return ST_OK;
    }
    const char *seen = text.ptr, *start = text.ptr;
    line = 1;
    for (const Json *node = list->first; node; node = node->next) {
        /* Lines are counted from node to node, or a long file would be walked once for each. */
        for (; seen < node->raw.ptr; seen++) {
            if (*seen != '\n') continue;
            line++;
            start = seen + 1;
        }
        column = (uint32_t)(node->raw.ptr - start) + 1;
        if (node->type != JSON_OBJECT)
            uns__changes_error(changes, line, column, "a node is an object with a path");
        else if (known_members(changes, node, line, column))
            (void)uns__changes_merge(changes, json_str(node, "path", STR("")), node, line, column);
    }
    return ST_OK;
}

/* ---- the op ---- */

static void on_imported(UnsChanges *changes, Status status, const Diag *diag)
{
    if (status)
        req_fail(changes->req, status, "%s",
                 diag && diag->text[0] ? diag->text : status_text(status));
    else
        answer_table(changes, false);
    uns__changes_free(changes);
}

void uns__op_names_import(void *self, Req *req)
{
    Str text = json_str(req->in, "text", STR("")), format = json_str(req->in, "format", STR("csv"));
    bool dry = json_bool(req->in, "dry", false);
    UnsChanges *changes;
    Diag diag = {0};
    if (!str_is(format, "csv") && !str_is(format, "json")) {
        req_fail(req, ST_INVALID, "format is csv or json");
        return;
    }
    Status st = uns__changes_new(self, req, &changes);
    if (st) {
        req_fail(req, st, "%s", status_text(st));
        return;
    }
    st = str_is(format, "csv") ? read_csv(changes, text) : read_json(changes, text);
    if (!st && !changes->error_count) st = uns__changes_fit(changes, &diag);
    if (!st && changes->error_count) {
        refuse_table(changes);
    } else if (!st && dry) {
        answer_table(changes, true);
    } else {
        if (!st) st = uns__changes_apply(changes, on_imported, "names are imported");
        if (!st) return;
        req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
    }
    uns__changes_free(changes);
}

/* ---- export ---- */

typedef struct Export {
    Uns *uns;
    Req *req;
    Buf body;
    Str keys[CSV_COLUMNS_MAX]; /* in order; points into nodes' metadata read in the arena */
    uint32_t key_count;
    bool full;
} Export;

static const Json *meta_json(Export *export, const UnsNode *node)
{
    const Json *json = NULL;
    const UnsMeta *meta = uns_node_meta(node);
    return meta && !json_read(export->req->arena, meta->json, &json, NULL) ? json : NULL;
}

static void note_key(Export *export, Str name)
{
    uint32_t i = export->key_count;
    for (uint32_t k = 0; k < export->key_count; k++)
        if (str_eq(export->keys[k], name)) return;
    if (export->key_count == CSV_COLUMNS_MAX - META_FIELDS - 3) {
        export->full = true;
        return;
    }
    for (; i && str_cmp(export->keys[i - 1], name) > 0; i--) export->keys[i] = export->keys[i - 1];
    export->keys[i] = name;
    export->key_count++;
}

static void put_csv_row(Export *export, const UnsNode *node)
{
    const Json *json = meta_json(export, node);
    const UnsMeta *meta = uns_node_meta(node);
    Buf *out = &export->body;
    csv_put(out, uns_node_path(node));
    for (int i = 0; i < META_FIELDS; i++) {
        buf_char(out, ',');
        if (meta) csv_put(out, meta->text[i]);
    }
    buf_char(out, ',');
    if (meta && meta->stale_ms) buf_i64(out, meta->stale_ms);
    buf_char(out, ',');
    if (meta && meta->by_source) buf_text(out, "source");
    for (uint32_t i = 0; i < export->key_count; i++) {
        buf_char(out, ',');
        csv_put(out, uns_meta_key(json, export->keys[i]));
    }
    buf_char(out, '\n');
}

static void put_json_row(Export *export, const UnsNode *node, JsonOut *out)
{
    const UnsMeta *meta = uns_node_meta(node);
    buf_char(&export->body, '\n');
    json_begin_object(out);
    json_field_str(out, "path", uns_node_path(node));
    if (meta && meta->json.len > 2) {
        buf_char(&export->body, ',');
        buf_str(&export->body, str_slice(meta->json.ptr + 1, meta->json.len - 2));
    }
    json_end(out);
}

/* Visits the branch in path order. */
static void each_node(Export *export, UnsNode *node,
                      void (*fn)(Export *export, const UnsNode *node, JsonOut *out), JsonOut *out)
{
    if (node->path_len) fn(export, node, out);
    uns_node_sort(node);
    for (uint32_t i = 0; i < uns_child_count(node) && !export->body.failed; i++)
        each_node(export, uns_child(node, i), fn, out);
}

static void see_keys(Export *export, const UnsNode *node, JsonOut *out)
{
    (void)out;
    const Json *json = meta_json(export, node), *keys = json_get(json, "keys");
    for (const Json *at = keys ? keys->first : NULL; at; at = at->next) note_key(export, at->key);
}

static void csv_row_of(Export *export, const UnsNode *node, JsonOut *out)
{
    (void)out;
    put_csv_row(export, node);
}

static void export_csv(Export *export, UnsNode *top)
{
    Buf *out = &export->body;
    each_node(export, top, see_keys, NULL);
    buf_text(out, "path");
    for (int i = 0; i < META_FIELDS; i++) buf_printf(out, ",%s", uns_meta_names[i]);
    buf_text(out, ",stale_ms,stale_by");
    for (uint32_t i = 0; i < export->key_count; i++) {
        buf_char(out, ',');
        Str name = arena_printf(export->req->arena, "key.%.*s", STR_ARG(export->keys[i]));
        csv_put(out, name.ptr ? name : STR("key.?"));
    }
    buf_char(out, '\n');
    each_node(export, top, csv_row_of, NULL);
}

static void json_row_of(Export *export, const UnsNode *node, JsonOut *out)
{
    put_json_row(export, node, out);
}

static void export_json(Export *export, UnsNode *top)
{
    JsonOut out;
    json_out_init(&out, &export->body);
    json_begin_object(&out);
    json_key(&out, "nodes");
    json_begin_array(&out);
    each_node(export, top, json_row_of, &out);
    json_end(&out);
    json_end(&out);
    buf_char(&export->body, '\n');
}

static void export_begin(Uns *uns, Req *req, void (*fn)(Export *export, UnsNode *top))
{
    Str prefix = json_str(req->in, "prefix", STR(""));
    UnsNode *top = uns_tree_find(&uns->tree, prefix);
    Export export = {.uns = uns, .req = req};
    if (!top) {
        req_fail(req, ST_NOT_FOUND, "there is no name \"%.*s\"", STR_ARG(prefix));
        return;
    }
    buf_init(&export.body, EXPORT_BYTES_MAX);
    fn(&export, top);
    if (buf_status(&export.body) || export.full)
        req_fail(req, ST_LIMIT,
                 export.full
                     ? "more than %d different keys: export a branch"
                     : "the file would be larger than %d bytes: export a branch with prefix",
                 export.full ? CSV_COLUMNS_MAX : EXPORT_BYTES_MAX);
    else
        req_answer(req, buf_view(&export.body));
    buf_done(&export.body);
}

void uns__op_names_csv(void *self, Req *req)
{
    export_begin(self, req, export_csv);
}

void uns__op_names_json(void *self, Req *req)
{
    export_begin(self, req, export_json);
}
