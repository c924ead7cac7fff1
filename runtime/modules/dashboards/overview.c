/* runtime/modules/dashboards/overview.c: which widgets show a plant nobody has described.
 *
 * Sister machines have the same tags below different names: acme/berlin/press-01/live/temp and
 * acme/berlin/press-02/live/temp differ in one level only. For each value the level with the most
 * sisters is found (patterns are compared by hash: n * n numbers, not texts). Values of one pattern
 * without its last level form a group: one table, sisters as rows, tags as columns, and trends of
 * its first numbers. What has no sisters becomes a tile. Names of machines, times and counters of
 * messages are left out: they say nothing at a look. At most WIDGETS_MAX widgets. */
#include "modules/dashboards/overview.h"

#include "base/hash.h"

#include <stdio.h>

enum {
    LEAVES_MAX = 1000,
    LEVELS_MAX = 16,
    GROUPS_MAX = 64,
    WIDGETS_MAX = 12,
    TILES_MAX = 6,
    TABLES_MAX = 3,
    TABLE_COLUMNS_MAX = 7,
    TABLE_ROWS_MAX = 24,
    TREND_PATHS_MAX = 6,
    GRID_COLUMNS = 12,
};

typedef struct Leaf {
    Str path, name;
    uint64_t pattern[LEVELS_MAX]; /* the path's hash with that level left out */
    uint64_t group;               /* and without the last level; 0 = has no sisters */
    Str before, unit, after;      /* of a grouped leaf: prefix with '/', machine, levels between */
    bool number, state;
} Leaf;

typedef struct Group {
    uint64_t key;
    Leaf *first;
    Str columns[TABLE_COLUMNS_MAX], units[TABLE_ROWS_MAX];
    uint32_t column_count, unit_count, number_count;
    bool state, done;
} Group;

typedef struct View {
    Leaf *leaves;
    uint32_t leaf_count;
    Group *groups;
    uint32_t group_count;
    Arena *arena;
    JsonOut *out;
    uint32_t widgets;
    int64_t x, y, row_h;
} View;

static uint64_t hash_more(uint64_t hash, Str text)
{
    return (hash ^ hash_bytes(text.ptr, text.len)) * 1099511628211u;
}

/* The levels of a path; 0 when there are too many. */
static uint32_t levels_of(Str path, Str levels[LEVELS_MAX])
{
    uint32_t count = 0;
    for (size_t start = 0, i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        if (count == LEVELS_MAX) return 0;
        levels[count++] = str_slice(path.ptr + start, i - start);
        start = i + 1;
    }
    return count;
}

static uint64_t hash_without(const Str *levels, uint32_t count, uint32_t left_out)
{
    uint64_t hash = 14695981039346656037u + left_out;
    for (uint32_t i = 0; i < count; i++)
        hash = hash_more(hash, i == left_out ? STR("*") : levels[i]);
    return hash;
}

static bool one_of(Str name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, list[i])) return true;
    return false;
}

/* Numbers and states are worth a look; names, times and message counters are not. */
static bool worth(const Json *node, Leaf *leaf)
{
    static const char *const dull[] = {"ts", "time", "timestamp", "seq", "start", "end"};
    static const char *const states[] = {"state", "status", "mode", "alarm", "fault", "door"};
    Str type = json_str(node, "type", STR_NONE);
    leaf->number = str_is(type, "number") && !one_of(leaf->name, dull, COUNT_OF(dull));
    leaf->state = str_is(type, "bool") ||
                  (str_is(type, "text") && one_of(leaf->name, states, COUNT_OF(states)));
    return leaf->number || leaf->state;
}

static void read_leaves(View *view, const Json *nodes)
{
    for (const Json *node = nodes->first; node && view->leaf_count < LEAVES_MAX;
         node = node->next) {
        Leaf *leaf = &view->leaves[view->leaf_count];
        Str levels[LEVELS_MAX];
        *leaf = (Leaf){.path = json_str(node, "path", STR_NONE),
                       .name = json_str(node, "name", STR_NONE)};
        uint32_t count = levels_of(leaf->path, levels);
        if (count < 2 || leaf->path.ptr[0] == '$' || !worth(node, leaf)) continue;
        for (uint32_t i = 0; i + 1 < count; i++) leaf->pattern[i] = hash_without(levels, count, i);
        view->leaf_count++;
    }
}

/* Splits a grouped path at the level that its sisters differ in. */
static void split(Leaf *leaf, uint32_t level)
{
    Str levels[LEVELS_MAX];
    uint32_t count = levels_of(leaf->path, levels);
    const char *unit_end = levels[level].ptr + levels[level].len;
    const char *last = levels[count - 1].ptr;
    leaf->before = str_slice(leaf->path.ptr, (size_t)(levels[level].ptr - leaf->path.ptr));
    leaf->unit = levels[level];
    leaf->after =
        level + 2 < count ? str_slice(unit_end + 1, (size_t)(last - unit_end) - 2) : STR("");
    leaf->group = hash_without(levels, count - 1, level) | 1;
}

static void find_sisters(View *view)
{
    for (uint32_t i = 0; i < view->leaf_count; i++) {
        Leaf *leaf = &view->leaves[i];
        uint32_t best = 1, level = 0;
        for (uint32_t k = 0; k < LEVELS_MAX && leaf->pattern[k]; k++) {
            uint32_t sisters = 0;
            for (uint32_t j = 0; j < view->leaf_count; j++)
                sisters += view->leaves[j].pattern[k] == leaf->pattern[k];
            if (sisters > best) best = sisters, level = k;
        }
        if (best > 1) split(leaf, level);
    }
}

/* Adds a text to a list without doubles. */
static void add(Str *list, uint32_t *count, uint32_t max, Str text)
{
    for (uint32_t i = 0; i < *count; i++)
        if (str_eq(list[i], text)) return;
    if (*count < max) list[(*count)++] = text;
}

static void form_groups(View *view)
{
    for (uint32_t pass = 0; pass < 2; pass++) { /* states first, then numbers */
        for (uint32_t i = 0; i < view->leaf_count; i++) {
            Leaf *leaf = &view->leaves[i];
            uint32_t g = 0;
            if (!leaf->group || leaf->state == (pass == 1)) continue;
            while (g < view->group_count && view->groups[g].key != leaf->group) g++;
            if (g == GROUPS_MAX) continue;
            Group *group = &view->groups[g];
            if (g == view->group_count) {
                *group = (Group){.key = leaf->group, .first = leaf};
                view->group_count++;
            }
            uint32_t before = group->column_count;
            add(group->columns, &group->column_count, TABLE_COLUMNS_MAX, leaf->name);
            add(group->units, &group->unit_count, TABLE_ROWS_MAX, leaf->unit);
            group->state |= leaf->state;
            group->number_count += leaf->number && group->column_count > before;
        }
    }
}

static void place(View *view, const char *type, Str title, int64_t w, int64_t h)
{
    if (view->x + w > GRID_COLUMNS) {
        view->x = 0;
        view->y += view->row_h;
        view->row_h = 0;
    }
    char id[16];
    int len = snprintf(id, sizeof id, "w%u", ++view->widgets);
    json_begin_object(view->out);
    json_field_str(view->out, "id", (Str){id, (size_t)len});
    json_field_text(view->out, "type", type);
    json_field_str(view->out, "title", title);
    json_field_int(view->out, "x", view->x);
    json_field_int(view->out, "y", view->y);
    json_field_int(view->out, "w", w);
    json_field_int(view->out, "h", h);
    view->x += w;
    if (h > view->row_h) view->row_h = h;
}

/* The path of a cell: what all share before the machine, the machine, what is between, the tag. */
static Str cell_path(const View *view, const Group *group, Str unit, Str column)
{
    const Leaf *leaf = group->first;
    return arena_printf(view->arena, "%.*s%.*s%s%.*s%s%.*s", (int)leaf->before.len,
                        leaf->before.ptr, (int)unit.len, unit.ptr, leaf->after.len ? "/" : "",
                        (int)leaf->after.len, leaf->after.ptr, column.len ? "/" : "",
                        (int)column.len, column.ptr);
}

static bool has_value(const View *view, Str path)
{
    for (uint32_t i = 0; i < view->leaf_count; i++)
        if (str_eq(view->leaves[i].path, path)) return true;
    return false;
}

static Str group_title(const View *view, const Group *group, Str more)
{
    Str before = group->first->before, after = group->first->after;
    if (before.len) before.len--;
    Str what = more.len ? more : after;
    return arena_printf(view->arena, "%.*s%s%.*s", (int)before.len, before.ptr,
                        before.len && what.len ? ": " : "", (int)what.len, what.ptr);
}

static void put_table(View *view, const Group *group)
{
    JsonOut *out = view->out;
    place(view, "table", group_title(view, group, STR("")), GRID_COLUMNS,
          2 + group->unit_count / 2);
    json_key(out, "paths");
    json_begin_array(out);
    for (uint32_t u = 0; u < group->unit_count; u++) {
        for (uint32_t c = 0; c < group->column_count; c++) {
            Str path = cell_path(view, group, group->units[u], group->columns[c]);
            if (has_value(view, path)) json_put_str(out, path);
        }
    }
    json_end(out);
    json_key(out, "options");
    json_begin_object(out);
    json_key(out, "columns");
    json_begin_array(out);
    for (uint32_t c = 0; c < group->column_count; c++) json_put_str(out, group->columns[c]);
    json_end(out);
    json_key(out, "rows");
    json_begin_array(out);
    for (uint32_t u = 0; u < group->unit_count; u++) {
        json_begin_object(out);
        json_field_str(out, "label", group->units[u]);
        json_field_str(out, "path", cell_path(view, group, group->units[u], STR("")));
        json_end(out);
    }
    json_end(out);
    json_end(out);
    json_end(out);
}

static void put_trends(View *view, const Group *group, uint32_t most)
{
    uint32_t first = group->column_count - group->number_count;
    for (uint32_t c = first; c < group->column_count && c < first + most; c++) {
        if (view->widgets == WIDGETS_MAX) return;
        uint32_t count = 0;
        place(view, "trend", group_title(view, group, group->columns[c]), 6, 4);
        json_key(view->out, "paths");
        json_begin_array(view->out);
        for (uint32_t u = 0; u < group->unit_count && count < TREND_PATHS_MAX; u++) {
            Str path = cell_path(view, group, group->units[u], group->columns[c]);
            if (!has_value(view, path)) continue;
            json_put_str(view->out, path);
            count++;
        }
        json_end(view->out);
        json_end(view->out);
    }
}

static void put_tiles(View *view)
{
    for (uint32_t i = 0, count = 0; i < view->leaf_count && count < TILES_MAX; i++) {
        const Leaf *leaf = &view->leaves[i];
        if (leaf->group) continue;
        Str title = leaf->path; /* the last two levels */
        for (size_t at = title.len, slashes = 0; at > 0 && slashes < 2; at--)
            if (title.ptr[at - 1] == '/' && ++slashes == 2) title = str_skip(title, at);
        place(view, "value", title, 2, 2);
        json_key(view->out, "paths");
        json_begin_array(view->out);
        json_put_str(view->out, leaf->path);
        json_end(view->out);
        json_end(view->out);
        count++;
    }
    view->x = GRID_COLUMNS;
}

/* True when the same machines' columns are for the better part in a table already. */
static bool seen_before(const View *view, const Group *group)
{
    uint32_t seen = 0;
    for (uint32_t c = 0; c < group->column_count; c++) {
        bool found = false;
        for (uint32_t g = 0; g < view->group_count && !found; g++) {
            const Group *other = &view->groups[g];
            if (!other->done || !str_eq(other->units[0], group->units[0])) continue;
            for (uint32_t o = 0; o < other->column_count; o++)
                found |= str_eq(other->columns[o], group->columns[c]);
        }
        seen += found;
    }
    return seen * 2 >= group->column_count;
}

static Group *best_group(View *view)
{
    Group *best = NULL;
    uint32_t best_score = 0;
    for (uint32_t g = 0; g < view->group_count; g++) {
        Group *group = &view->groups[g];
        uint32_t score = (group->state ? 1000 : 0) + group->unit_count * 10 + group->column_count;
        if (group->done || seen_before(view, group) || score <= best_score) continue;
        best = group;
        best_score = score;
    }
    return best;
}

void dashboards__overview(Arena *arena, const Json *nodes, JsonOut *out)
{
    View view = {.arena = arena, .out = out};
    view.leaves = arena_many(arena, Leaf, LEAVES_MAX);
    view.groups = arena_many(arena, Group, GROUPS_MAX);
    if (!view.leaves || !view.groups) return;
    read_leaves(&view, nodes);
    find_sisters(&view);
    form_groups(&view);
    put_tiles(&view);
    for (uint32_t i = 0; i < TABLES_MAX && view.widgets < WIDGETS_MAX; i++) {
        Group *group = best_group(&view);
        if (!group) return;
        group->done = true;
        put_table(&view, group);
        put_trends(&view, group, i == 0 ? 2 : 1);
        view.x = GRID_COLUMNS;
    }
}
