/* compiler/driver/names_parts.c: see names_parts.h.
 *
 * A part of CSV is the line of columns and some rows, a part of JSON some nodes between brackets.
 * Only what separates rows is looked at here; what is wrong inside of one the server says. */
#include "compiler/driver/names_parts.h"

typedef struct Cutter {
    Arena *arena;
    Diag *diag;
    NamesPart frame; /* what parts have in common */
    NamesPart *first, **link;
    NamesPart *part; /* at hand */
    size_t bytes;
    uint32_t count; /* of its rows */
    Status status;
} Cutter;

/* Bytes of one byte of text inside a text of JSON. */
static size_t cost(char c)
{
    if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t') return 2;
    return (unsigned char)c < 32 ? 6 : 1;
}

static void cut_row(Cutter *cutter, Str row, size_t bytes, uint32_t line, int64_t shift)
{
    if (cutter->status) return;
    if (bytes > NAMES_PART_BYTES) {
        cutter->status = diag_set(cutter->diag, ST_INVALID,
                                  "line %u: one row has more than %d bytes; a quotation mark may "
                                  "be missing",
                                  line, NAMES_PART_BYTES);
        return;
    }
    bool full = cutter->count == NAMES_PART_ROWS || cutter->bytes + bytes > NAMES_PART_BYTES;
    if (!cutter->part || full) {
        NamesPart *part = arena_one(cutter->arena, NamesPart);
        if (!part) {
            cutter->status = ST_NO_MEMORY;
            return;
        }
        *part = cutter->frame;
        part->rows = (Str){row.ptr, 0};
        part->line = line;
        part->shift = shift;
        *cutter->link = part;
        cutter->link = &part->next;
        cutter->part = part;
        cutter->bytes = cutter->count = 0;
    }
    cutter->part->rows.len = (size_t)(row.ptr + row.len - cutter->part->rows.ptr);
    cutter->bytes += bytes;
    cutter->count++;
}

/* ---- CSV ---- */

static char separator_of(Str text)
{
    for (size_t i = 0; i < text.len && text.ptr[i] != '\n'; i++)
        if (text.ptr[i] == ',' || text.ptr[i] == ';' || text.ptr[i] == '\t') return text.ptr[i];
    return ',';
}

/* Rows end at line ends outside of quotes; a quotation mark opens at the start of a cell only. */
static void cut_csv(Cutter *cutter, Str text)
{
    char separator = separator_of(text);
    bool quoted = false, cell_start = true, headed = false;
    size_t from = 0, bytes = 0;
    uint32_t line = 1, row_line = 1;
    for (size_t at = 0; at < text.len; at++) {
        char c = text.ptr[at];
        bool mark = c == '"' && (quoted || cell_start);
        bytes += cost(c);
        line += c == '\n';
        if (mark) quoted = !quoted;
        bool row_end = (c == '\n' && !quoted) || at + 1 == text.len;
        cell_start = mark || c == separator || c == '\n'; /* a mark behind one is one of the text */
        if (!row_end) continue;
        Str row = {text.ptr + from, at + 1 - from};
        if (headed) {
            cut_row(cutter, row, bytes, row_line, 0);
        } else {
            cutter->frame.before = row;
            cutter->frame.head = line - 1;
            headed = true;
        }
        from = at + 1;
        bytes = 0;
        row_line = line;
    }
}

/* ---- JSON ---- */

typedef struct Walk {
    Str text;
    size_t at, line_at;
    uint32_t line;
    int depth, list;  /* list: the depth inside the list of nodes */
    Str key;          /* the last text at depth 1 */
    const char *node; /* that is being walked through; NULL: between two */
    size_t bytes;     /* of it */
    uint32_t node_line;
    int64_t node_shift;
} Walk;

static void node_end(Cutter *cutter, Walk *walk)
{
    if (!walk->node) return;
    Str row = {walk->node, (size_t)(walk->text.ptr + walk->at - walk->node)};
    cut_row(cutter, row, walk->bytes, walk->node_line, walk->node_shift);
    walk->node = NULL;
}

/* Behind the opening mark: up to the closing one. */
static void pass_text(Walk *walk)
{
    size_t start = ++walk->at;
    for (; walk->at < walk->text.len && walk->text.ptr[walk->at] != '"'; walk->at++) {
        walk->bytes += cost(walk->text.ptr[walk->at]);
        if (walk->text.ptr[walk->at] == '\\' && walk->at + 1 < walk->text.len)
            walk->bytes += cost(walk->text.ptr[++walk->at]);
    }
    walk->bytes += 2;
    if (walk->depth == 1 && !walk->list)
        walk->key = (Str){walk->text.ptr + start, walk->at - start};
}

static void step(Walk *walk, char c)
{
    walk->bytes += cost(c);
    if (c == '"') {
        pass_text(walk);
    } else if (c == '[' || c == '{') {
        walk->depth++;
        bool nodes = walk->depth == 1 || (walk->depth == 2 && str_is(walk->key, "nodes"));
        if (!walk->list && c == '[' && nodes) walk->list = walk->depth;
    } else if (c == ']' || c == '}') {
        walk->depth--;
    }
}

static Status cut_json(Cutter *cutter, Str text)
{
    Walk walk = {.text = text, .line = 1};
    cutter->frame.before = STR("[");
    cutter->frame.after = STR("]");
    for (; walk.at < text.len; walk.at++) {
        char c = text.ptr[walk.at];
        bool between = walk.list && walk.depth == walk.list;
        if (between && (c == ',' || c == ']')) {
            node_end(cutter, &walk);
            if (c == ']') return ST_OK;
            continue;
        }
        if (c == '\n') {
            walk.line++;
            walk.line_at = walk.at + 1;
        }
        if (between && !walk.node && (unsigned char)c > 32) {
            walk.node = text.ptr + walk.at;
            walk.node_line = walk.line;
            walk.node_shift = (int64_t)(walk.at - walk.line_at) - 1; /* behind the bracket */
            walk.bytes = 0;
        }
        step(&walk, c);
    }
    if (!walk.list)
        return diag_set(cutter->diag, ST_INVALID,
                        "the file is no list of nodes: it is JSON like [{\"path\":...}] or "
                        "{\"nodes\":[...]}");
    return diag_set(cutter->diag, ST_INVALID,
                    "line %u: the file ends before its list of nodes does", walk.line);
}

/* ---- both ---- */

static bool is_small(Str text)
{
    size_t bytes = 0;
    uint32_t lines = 1;
    for (size_t at = 0; at < text.len; at++) {
        bytes += cost(text.ptr[at]);
        lines += text.ptr[at] == '\n';
        if (bytes > NAMES_PART_BYTES || lines > NAMES_PART_ROWS) return false;
    }
    return true;
}

Status names_parts(Arena *arena, Str text, bool json, NamesPart **ret_first, Diag *diag)
{
    Cutter cutter = {.arena = arena, .diag = diag};
    cutter.link = &cutter.first;
    if (is_small(text)) {
        cut_row(&cutter, text, 0, 1, 0);
    } else if (json) {
        Status st = cut_json(&cutter, text);
        if (st && !cutter.status) return st;
    } else {
        cut_csv(&cutter, text);
    }
    /* Columns and no row, or an empty list: the server says what it thinks of it. */
    if (!cutter.first && !cutter.status) cut_row(&cutter, STR(""), 0, 1, 0);
    if (cutter.status) return cutter.status;
    *ret_first = cutter.first;
    return ST_OK;
}

void names_place(const NamesPart *part, int64_t *line, int64_t *column)
{
    if (*line <= part->head) return;
    *line -= part->head;
    if (*line == 1) *column += part->shift;
    *line += part->line - 1;
}
