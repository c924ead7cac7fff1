/* runtime/modules/uns/uns_read.c: questions to the tree: children, one value, search, counters. */
#include "modules/uns/uns.h"

#include "modules/uns/uns_meta.h"

enum { TREE_LIMIT = 1000, SEARCH_LIMIT = 50, SEARCH_WORDS_MAX = 8, ANSWER_MARGIN = 16 * 1024 };
enum { CHANGING_S = 10, OUTLINE_LIMIT = 100000 };

static const char *quality_name(UnsQuality quality)
{
    static const char *const names[] = {"good", "uncertain", "bad", "never"};
    return names[quality];
}

static const char *type_name(UnsType type)
{
    static const char *const names[] = {"none", "null", "bool", "number", "number", "text"};
    return names[type];
}

void uns__put_value(JsonOut *out, const UnsValue *value)
{
    switch (value->type) {
    case UNS_BOOL: json_put_bool(out, value->integer != 0); break;
    case UNS_INT: json_put_int(out, value->integer); break;
    case UNS_NUMBER: json_put_number(out, value->number); break;
    case UNS_TEXT: json_put_str(out, value->text); break;
    default: json_put_null(out); break;
    }
}

/* What a list shows of the metadata. */
static void put_brief(JsonOut *out, const UnsMeta *meta)
{
    static const MetaField shown[] = {META_KIND, META_TITLE, META_UNIT};
    for (size_t i = 0; meta && i < sizeof shown / sizeof *shown; i++)
        if (meta->text[shown[i]].len)
            json_field_str(out, uns_meta_names[shown[i]], meta->text[shown[i]]);
}

void uns__put_node(const Uns *uns, JsonOut *out, const UnsNode *node, bool with_value)
{
    const UnsValue value = uns_node_value(node);
    json_field_str(out, "path", uns_node_path(node));
    json_field_str(out, "name", uns_node_name(node));
    json_field_int(out, "children", uns_child_count(node));
    json_field_bool(out, "has_value", value.type != UNS_NONE);
    put_brief(out, uns_node_meta(node));
    if (!with_value || value.type == UNS_NONE) return;
    UnsStale stale = uns__stale(uns, node);
    json_key(out, "value");
    uns__put_value(out, &value);
    json_field_text(out, "type", type_name(value.type));
    json_field_text(out, "quality", quality_name(value.quality));
    if (value.ts_ns != UNS_NO_TIME) {
        char room[40];
        json_field_str(out, "ts", uns_time_text(value.ts_ns, room));
    }
    json_field_int(out, "received", node->received_ns / NS_PER_MS);
    json_field_int(out, "age_ms", stale.age_ms);
    json_field_bool(out, "stale", stale.is);
}

typedef struct Walk {
    const Uns *uns;
    JsonOut out;
    Buf body;
    uint32_t left;
    bool values, more;
} Walk;

/* False: the answer is full. */
static bool put(Walk *walk, const UnsNode *node)
{
    if (!walk->left || walk->body.len > UNS_ANSWER_BYTES_MAX - ANSWER_MARGIN) {
        walk->more = true;
        return false;
    }
    walk->left--;
    json_begin_object(&walk->out);
    uns__put_node(walk->uns, &walk->out, node, walk->values);
    json_end(&walk->out);
    return true;
}

static uint32_t index_of(UnsNode *parent, const UnsNode *child)
{
    uint32_t low = 0, high = uns_child_count(parent);
    uns_node_sort(parent);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(uns_node_name(uns_child(parent, middle)), uns_node_name(child)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The node that follows in path order inside `top`, going down while depth allows. */
static UnsNode *next_node(UnsNode *top, UnsNode *at, uint32_t *depth, uint32_t depth_max)
{
    if (uns_child_count(at) && (!depth_max || *depth < depth_max)) {
        uns_node_sort(at);
        (*depth)++;
        return uns_child(at, 0);
    }
    while (at != top) {
        UnsNode *parent = at->parent;
        uint32_t index = index_of(parent, at) + 1;
        if (index < uns_child_count(parent)) return uns_child(parent, index);
        at = parent;
        (*depth)--;
    }
    return NULL;
}

static uint32_t depth_below(const UnsNode *top, const UnsNode *node)
{
    uint32_t depth = 0;
    for (; node && node != top; node = node->parent) depth++;
    return node ? depth : UINT32_MAX;
}

void uns__op_tree(void *self, Req *req)
{
    Uns *uns = self;
    Str prefix = json_str(req->in, "prefix", STR_NONE),
        after = json_str(req->in, "after", STR_NONE);
    uint32_t depth_max = (uint32_t)json_int(req->in, "depth", 1), depth = 0;
    UnsNode *top = uns_tree_find(&uns->tree, prefix), *at = top;
    Walk walk = {.uns = uns, .left = (uint32_t)json_int(req->in, "limit", TREE_LIMIT)};
    walk.values = json_bool(req->in, "values", true);
    if (after.len) {
        at = uns_tree_find(&uns->tree, after);
        depth = at && top ? depth_below(top, at) : UINT32_MAX;
        if (depth == UINT32_MAX) {
            req_fail(req, ST_NOT_FOUND, "no path %.*s below the prefix", STR_ARG(after));
            return;
        }
    }
    buf_init(&walk.body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&walk.out, &walk.body);
    json_begin_object(&walk.out);
    json_field_str(&walk.out, "prefix", prefix);
    json_key(&walk.out, "nodes");
    json_begin_array(&walk.out);
    if (top) { /* an unknown prefix has no names below it: that is no error */
        do {
            at = next_node(top, at, &depth, depth_max);
        } while (at && put(&walk, at));
    }
    json_end(&walk.out);
    json_field_int(&walk.out, "total", uns->tree.count);
    json_field_bool(&walk.out, "more", walk.more);
    json_field_int(&walk.out, "stale_ms", uns_conf(uns)->stale_ms);
    json_end(&walk.out);
    req_answer_buf(req, &walk.body);
}

/* One name as [level, name, has a value] and, where something is said about it, an object with
 * that. */
static bool put_outline(Walk *walk, const UnsNode *node, uint32_t level)
{
    const UnsMeta *meta = uns_node_meta(node);
    if (!walk->left || walk->body.len > UNS_ANSWER_BYTES_MAX - ANSWER_MARGIN) {
        walk->more = true;
        return false;
    }
    walk->left--;
    json_begin_array(&walk->out);
    json_put_int(&walk->out, level);
    json_put_str(&walk->out, uns_node_name(node));
    json_put_int(&walk->out, uns_node_has_value(node));
    if (meta) {
        json_begin_object(&walk->out);
        put_brief(&walk->out, meta);
        json_end(&walk->out);
    }
    json_end(&walk->out);
    return true;
}

/* A tenth of what uns.tree says for as many names: a page that opens asks for all of them at once.
 */
void uns__op_outline(void *self, Req *req)
{
    Uns *uns = self;
    Str after = json_str(req->in, "after", STR_NONE);
    uint32_t depth = 0;
    UnsNode *top = uns_tree_find(&uns->tree, STR_NONE), *at = top;
    Walk walk = {.uns = uns, .left = (uint32_t)json_int(req->in, "limit", OUTLINE_LIMIT)};
    if (after.len) {
        at = uns_tree_find(&uns->tree, after);
        if (!at) {
            req_fail(req, ST_NOT_FOUND, "no path %.*s", STR_ARG(after));
            return;
        }
        depth = depth_below(top, at);
    }
    buf_init(&walk.body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&walk.out, &walk.body);
    json_begin_object(&walk.out);
    json_key(&walk.out, "rows");
    json_begin_array(&walk.out);
    do {
        at = next_node(top, at, &depth, 0);
    } while (at && put_outline(&walk, at, depth - 1));
    json_end(&walk.out);
    json_field_int(&walk.out, "total", uns->tree.count);
    json_field_bool(&walk.out, "more", walk.more);
    json_end(&walk.out);
    req_answer_buf(req, &walk.body);
}

void uns__op_get(void *self, Req *req)
{
    Uns *uns = self;
    Str path = json_str(req->in, "path", STR_NONE);
    const UnsNode *node = uns_tree_find(&uns->tree, path);
    if (!node) {
        req_fail(req, ST_NOT_FOUND, "nothing was published at %.*s yet", STR_ARG(path));
        return;
    }
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    uns__put_node(uns, &out, node, true);
    json_field_int(&out, "count", (int64_t)node->count);
    json_field_int(&out, "first", node->first_ns / NS_PER_MS);
    json_field_bool(&out, "sampled", uns_node_series(node) != 0);
    UnsStale stale = uns__stale(uns, node);
    json_field_int(&out, "stale_ms", stale.after_ms);
    json_field_text(&out, "stale_by", stale.by_source ? "source" : "received");
    if (uns_node_has_value(node))
        json_field_int(&out, "stale_at",
                       clock_wall_ns() / NS_PER_MS + stale.after_ms - stale.age_ms);
    json_key(&out, "meta");
    json_put_raw(&out, uns_node_meta(node) ? uns_node_meta(node)->json : STR("{}"));
    json_end(&out);
    req_answer_buf(req, &body);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool holds(Str path, Str word)
{
    for (size_t i = 0; i + word.len <= path.len; i++) {
        size_t j = 0;
        while (j < word.len && lower(path.ptr[i + j]) == lower(word.ptr[j])) j++;
        if (j == word.len) return true;
    }
    return false;
}

static bool fits_path(const UnsNode *node, const Str *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!holds(uns_node_path(node), words[i])) return false;
    return true;
}

static bool fits(const UnsNode *node, const Str *words, uint32_t count)
{
    const UnsMeta *meta = uns_node_meta(node);
    if (!meta) return fits_path(node, words, count);
    for (uint32_t i = 0; i < count; i++)
        if (!holds(uns_node_path(node), words[i]) && !holds(meta->words, words[i])) return false;
    return true;
}

static uint32_t words_of(Str text, Str *words)
{
    uint32_t count = 0;
    while ((text = str_trim(text)).len && count < SEARCH_WORDS_MAX) {
        ptrdiff_t space = str_find_char(text, ' ');
        size_t len = space < 0 ? text.len : (size_t)space;
        words[count++] = (Str){text.ptr, len};
        text = str_skip(text, len);
    }
    return count;
}

void uns__op_search(void *self, Req *req)
{
    Uns *uns = self;
    Str words[SEARCH_WORDS_MAX];
    uint32_t count = words_of(json_str(req->in, "q", STR_NONE), words);
    int64_t total = 0;
    bool meta_only = json_bool(req->in, "meta", false);
    Walk walk = {.uns = uns, .values = json_bool(req->in, "values", true)};
    walk.left = (uint32_t)json_int(req->in, "limit", SEARCH_LIMIT);
    buf_init(&walk.body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&walk.out, &walk.body);
    json_begin_object(&walk.out);
    json_key(&walk.out, "nodes");
    json_begin_array(&walk.out);
    for (const UnsNode *node = uns->tree.first; node; node = node->next_node) {
        if (meta_only && (!uns_node_meta(node) || fits_path(node, words, count))) continue;
        if (!fits(node, words, count)) continue;
        total++;
        if (!walk.more) (void)put(&walk, node);
    }
    json_end(&walk.out);
    json_field_int(&walk.out, "total", total);
    json_end(&walk.out);
    req_answer_buf(req, &walk.body);
}

void uns__op_changing(void *self, Req *req)
{
    const Uns *uns = self;
    Buf body;
    JsonOut out;
    uint32_t seconds = (uint32_t)json_int(req->in, "seconds", CHANGING_S);
    int64_t now_ns = clock_monotonic_ns(), total = 0;
    bool more = false;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "paths");
    json_begin_array(&out);
    for (const UnsNode *node = uns->tree.first; node; node = node->next_node) {
        if (!uns_node_changing(node, now_ns, seconds)) continue;
        total++;
        more = more || body.len > UNS_ANSWER_BYTES_MAX - ANSWER_MARGIN;
        if (!more) json_put_str(&out, uns_node_path(node));
    }
    json_end(&out);
    json_field_int(&out, "total", total);
    json_field_bool(&out, "more", more);
    json_end(&out);
    req_answer_buf(req, &body);
}

void uns__op_stats(void *self, Req *req)
{
    const Uns *uns = self;
    Buf body;
    JsonOut out;
    int64_t stale = 0;
    for (const UnsNode *node = uns->tree.first; node; node = node->next_node)
        stale += uns__stale(uns, node).is;
    buf_init(&body, 4096);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_int(&out, "paths", uns->tree.count);
    json_field_int(&out, "values", uns->tree.values);
    json_field_int(&out, "publishes", (int64_t)uns->publishes);
    json_field_int(&out, "rejected_paths", (int64_t)uns->tree.rejected);
    json_field_int(&out, "stale", stale);
    json_field_int(&out, "watches", uns->watch_count);
    json_field_int(&out, "meta_bytes", (int64_t)uns->meta_bytes);
    json_field_int(&out, "writers", uns->writer_count);
    json_field_int(&out, "samples_written", (int64_t)uns->samples_written);
    json_field_int(&out, "samples_waiting", uns->sample_count);
    json_field_int(&out, "samples_dropped", (int64_t)uns->samples_dropped);
    json_field_int(&out, "write_failures", (int64_t)uns->keep_failures);
    uns__server_stats(uns, &out);
    json_end(&out);
    req_answer_buf(req, &body);
}
