/* compiler/graph/bare.c: nodes and wires without a program's own words, as a person or another tool
 * writes them, as a program.
 *
 * The language is text in one direction, so a graph must have that shape: sources that come
 * together at their next node, then a way without joints; ways part at a node of kind `split`, or
 * into sinks that end them. Each piece that is written is remembered with its node, so that an
 * error of the parser finds back. */
#include "compiler/graph/graph_int.h"

#include <stdarg.h>
#include <stdio.h>

enum { NODES_MAX = 1000, WIRES_MAX = 4000, DEPTH_MAX = 16, SHOWN_MAX = 60 };
enum { PORT_COUNT = PORT_LATE + 1 };
#define NOWHERE UINT32_MAX

typedef struct Node {
    const Json *json;
    Str id, kind;
    uint32_t in[PORT_COUNT], out[PORT_COUNT]; /* how many wires */
    bool done;
} Node;

typedef struct Wire {
    uint32_t from, to;
    IrPort port;
} Wire;

typedef struct Flow {
    Bare *b;
    Node *nodes;
    Wire *wires;
    uint32_t node_count, wire_count;
} Flow;

/* ---- messages ---- */

void graph__refuse(Bare *b, const char *format, ...)
{
    char text[DIAG_TEXT_BYTES];
    va_list args;
    if (b->failed) return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (b->node.len)
        b->failed = diag_set(b->diag, ST_INVALID, "pipeline `%.*s`, node `%.*s`: %s",
                             STR_ARG(b->pipeline), STR_ARG(b->node), text);
    else if (b->pipeline.len)
        b->failed =
            diag_set(b->diag, ST_INVALID, "pipeline `%.*s`: %s", STR_ARG(b->pipeline), text);
    else
        b->failed = diag_set(b->diag, ST_INVALID, "%s", text);
}

Str graph__text(Bare *b, const Json *of, const char *name)
{
    const Json *member = json_get(of, name);
    if (member && member->type != JSON_STRING) graph__refuse(b, "`%s` is a text", name);
    return member && member->type == JSON_STRING ? member->text : STR_NONE;
}

/* ---- writing ---- */

void graph__indent(Bare *b, uint32_t depth)
{
    for (uint32_t i = 0; i <= depth; i++) buf_text(b->out, "  ");
}

static void comment_lines(Bare *b, Str text, uint32_t depth)
{
    while (text.len) {
        int64_t end = str_find_char(text, '\n');
        Str line = end < 0 ? text : str_slice(text.ptr, (size_t)end);
        graph__indent(b, depth);
        buf_printf(b->out, "# %.*s\n", STR_ARG(str_trim(line)));
        text = str_skip(text, end < 0 ? text.len : (size_t)end + 1);
    }
}

void graph__comment(Bare *b, const Json *of, uint32_t depth)
{
    const Json *comment = json_get(of, "comment");
    if (!comment) return;
    if (comment->type == JSON_STRING) comment_lines(b, comment->text, depth);
    for (const Json *line = comment->type == JSON_ARRAY ? comment->first : NULL; line;
         line = line->next) {
        if (line->type != JSON_STRING) graph__refuse(b, "`comment` holds texts");
        comment_lines(b, line->text, depth);
    }
    if (comment->type != JSON_STRING && comment->type != JSON_ARRAY)
        graph__refuse(b, "`comment` is a text, or a list of texts");
}

/* What follows in the text is this node's. */
static void place(Bare *b)
{
    GraphPlace *made = arena_one(b->arena, GraphPlace);
    if (!made) {
        if (!b->failed) b->failed = diag_set(b->diag, ST_NO_MEMORY, "out of memory");
        return;
    }
    *made = (GraphPlace){.at = (uint32_t)b->out->len, .pipeline = b->pipeline, .node = b->node};
    *b->place = made;
    b->place = &made->next;
}

static void put(Flow *f, Node *n, uint32_t depth, const char *before, const char *behind)
{
    f->b->node = n->id;
    n->done = true;
    graph__comment(f->b, n->json, depth);
    place(f->b);
    graph__indent(f->b, depth);
    buf_text(f->b->out, before);
    graph__words(f->b, n->json, n->kind);
    buf_text(f->b->out, behind);
}

/* ---- reading ---- */

/* Ids are texts or whole numbers. */
static Str id_of(const Json *id)
{
    if (!id) return STR_NONE;
    return id->type == JSON_STRING ? id->text : id->type == JSON_INT ? id->raw : STR_NONE;
}

static uint32_t find(const Flow *f, Str id)
{
    for (uint32_t i = 0; i < f->node_count; i++)
        if (str_eq(f->nodes[i].id, id)) return i;
    return NOWHERE;
}

static void read_node(Flow *f, const Json *json)
{
    Bare *b = f->b;
    Node node = {.json = json, .id = id_of(json_get(json, "id"))};
    b->node = STR_NONE;
    if (!node.id.len || node.id.len > SHOWN_MAX) {
        graph__refuse(b, "node %u has no `id`: a text of at most %d bytes, or a number",
                      f->node_count + 1, SHOWN_MAX);
        return;
    }
    b->node = node.id;
    node.kind = graph__text(b, json, "kind");
    if (find(f, node.id) != NOWHERE) graph__refuse(b, "two nodes have this id");
    if (!node.kind.len)
        graph__refuse(b, "it needs a `kind`: the word of a stage, such as \"from\" or \"where\"");
    else if (str_is(node.kind, "on"))
        graph__refuse(b,
                      "no node is of kind `on`: wire the port \"error\" or \"late\" to an `into`, "
                      "or write \"on error drop\" into the pipeline's `settings`");
    else if (!graph__is_stage(node.kind))
        graph__refuse(b,
                      "there is no kind `%.*s`: it is one of from time where let keep drop "
                      "require each split arm join ask dedupe deadband when throttle sample "
                      "delay window into reply",
                      STR_ARG(str_slice(node.kind.ptr, node.kind.len < 40 ? node.kind.len : 40)));
    f->nodes[f->node_count++] = node;
}

static IrPort port_of(Bare *b, Str name)
{
    static const char *const ports[PORT_COUNT] = {"out", "error", "late"};
    for (uint32_t i = 0; i < PORT_COUNT; i++)
        if (str_is(name, ports[i])) return (IrPort)i;
    graph__refuse(b, "a wire has the port `%.*s`: it is \"out\", \"error\" or \"late\"",
                  STR_ARG(str_slice(name.ptr, name.len < 40 ? name.len : 40)));
    return PORT_OUT;
}

static uint32_t end_of(Flow *f, const Json *wire, const char *name)
{
    Str id = id_of(json_get(wire, name));
    uint32_t at = id.len ? find(f, id) : NOWHERE;
    if (!id.len)
        graph__refuse(f->b, "wire %u has no `%s`: the id of a node", f->wire_count + 1, name);
    else if (at == NOWHERE)
        graph__refuse(f->b, "wire %u: `%s` is `%.*s`, and no node has that id", f->wire_count + 1,
                      name, STR_ARG(str_slice(id.ptr, id.len < 60 ? id.len : 60)));
    return at;
}

static void read_wire(Flow *f, const Json *json)
{
    f->b->node = STR_NONE;
    Wire wire = {.from = end_of(f, json, "from"),
                 .to = end_of(f, json, "to"),
                 .port = port_of(f->b, json_str(json, "port", STR("out")))};
    if (f->b->failed) return;
    f->nodes[wire.from].out[wire.port]++;
    f->nodes[wire.to].in[wire.port]++;
    f->wires[f->wire_count++] = wire;
}

static const Json *list_of(Bare *b, const Json *of, const char *name, uint32_t max)
{
    const Json *list = json_get(of, name);
    if (!list || list->type != JSON_ARRAY)
        graph__refuse(b, "`%s` is missing, or no list", name);
    else if (list->count > max)
        graph__refuse(b, "more than %u %s", max, name);
    return b->failed ? NULL : list;
}

/* ---- the shape ---- */

/* Ways do not come together again, but for those of sources. */
static void check_joints(Flow *f)
{
    for (uint32_t i = 0; i < f->node_count; i++) {
        Node *n = &f->nodes[i];
        uint32_t sources = 0;
        f->b->node = n->id;
        for (uint32_t w = 0; w < f->wire_count; w++)
            sources += f->wires[w].to == i && f->wires[w].port == PORT_OUT &&
                       str_is(f->nodes[f->wires[w].from].kind, "from");
        if (str_is(n->kind, "from") && n->in[PORT_OUT])
            graph__refuse(f->b, "nothing can be wired to a `from`");
        else if (n->in[PORT_OUT] > 1 && sources != n->in[PORT_OUT])
            graph__refuse(f->b,
                          "%u wires lead to it: ways that parted do not come together again; "
                          "what stands behind a split is wired to the split itself",
                          n->in[PORT_OUT]);
        else if (!str_is(n->kind, "from") && !n->in[PORT_OUT] && !n->in[PORT_ERROR] &&
                 !n->in[PORT_LATE])
            graph__refuse(f->b, "no wire leads to it");
    }
}

static bool ends_here(const Node *n)
{
    return (str_is(n->kind, "into") || str_is(n->kind, "reply")) && !n->out[PORT_OUT];
}

/* The sinks of a port: "on error into a and b". They are sinks and nothing else. */
static void on_port(Flow *f, uint32_t from, IrPort port, uint32_t depth)
{
    bool begun = false;
    for (uint32_t w = 0; w < f->wire_count; w++) {
        const Wire *wire = &f->wires[w];
        Node *n = &f->nodes[wire->to];
        if (wire->port != port || (from != NOWHERE && wire->from != from)) continue;
        if (n->done && port == PORT_ERROR) continue; /* of each node one wire, to the same sink */
        f->b->node = n->id;
        if (n->done || n->in[PORT_OUT])
            graph__refuse(f->b, "a sink of records is not the one of late rows or errors too");
        if (!str_is(n->kind, "into") || n->out[PORT_OUT])
            graph__refuse(f->b, "the port \"%s\" leads to nodes of kind `into` that end there",
                          port == PORT_ERROR ? "error" : "late");
        n->done = true;
        if (!begun) {
            graph__comment(f->b, n->json, depth);
            graph__indent(f->b, depth);
        }
        place(f->b);
        buf_text(f->b->out, begun ? " and " : port == PORT_ERROR ? "on error " : "on late ");
        AUTO_BUF Buf words;
        Buf *out = f->b->out;
        buf_init(&words, 1 << 20);
        f->b->out = &words;
        graph__words(f->b, n->json, n->kind);
        f->b->out = out;
        buf_str(out, begun ? str_skip(buf_view(&words), sizeof "into" - 1) : buf_view(&words));
        begun = true;
    }
    if (begun) buf_char(f->b->out, '\n');
}

/* The node behind `from` that the way goes on to, or NOWHERE. Sinks beside it are written here:
 * rows go on behind an `into`. Arms are left out. */
static uint32_t next_of(Flow *f, uint32_t from, uint32_t depth)
{
    uint32_t next = NOWHERE;
    bool parts = f->nodes[from].out[PORT_OUT] > 1;
    for (uint32_t w = 0; w < f->wire_count && !f->b->failed; w++) {
        const Wire *wire = &f->wires[w];
        Node *to = &f->nodes[wire->to];
        if (wire->from != from || wire->port != PORT_OUT || str_is(to->kind, "arm")) continue;
        if (parts && ends_here(to)) {
            put(f, to, depth, "", "\n");
        } else if (next == NOWHERE) {
            next = wire->to;
        } else {
            f->b->node = f->nodes[from].id;
            graph__refuse(f->b,
                          "it goes on to `%.*s` and to `%.*s`: a node of kind `split` behind "
                          "it, with an `arm` for each way, says which records go where",
                          STR_ARG(f->nodes[next].id), STR_ARG(to->id));
        }
    }
    return next;
}

static void chain(Flow *f, uint32_t at, uint32_t depth);

static void arms(Flow *f, uint32_t split, uint32_t depth)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < f->wire_count && !f->b->failed; w++) {
        const Wire *wire = &f->wires[w];
        Node *arm = &f->nodes[wire->to];
        if (wire->from != split || !str_is(arm->kind, "arm")) continue;
        count++;
        put(f, arm, depth, "", " =>\n");
        if (!arm->out[PORT_OUT])
            graph__refuse(f->b, "nothing is wired to it: an arm ends in an `into`");
        uint32_t next = next_of(f, wire->to, depth + 1);
        if (next != NOWHERE) chain(f, next, depth + 1);
    }
    f->b->node = f->nodes[split].id;
    if (!count)
        graph__refuse(f->b, "no `arm` is wired to it: a node of kind `arm` with a `condition` for "
                            "each way");
}

static void chain(Flow *f, uint32_t at, uint32_t depth)
{
    if (depth > DEPTH_MAX) graph__refuse(f->b, "splits stand inside splits too deeply");
    while (at != NOWHERE && !f->b->failed) {
        Node *n = &f->nodes[at];
        bool split = str_is(n->kind, "split");
        if (str_is(n->kind, "arm")) {
            f->b->node = n->id;
            graph__refuse(f->b, "an arm is wired to a `split`, and to nothing else");
        }
        put(f, n, depth, "", split ? " {\n" : "\n");
        if (split) {
            arms(f, at, depth + 1);
            graph__indent(f->b, depth);
            buf_text(f->b->out, "}\n");
        }
        if (n->out[PORT_LATE]) on_port(f, at, PORT_LATE, depth);
        at = next_of(f, at, depth);
    }
}

/* All sources, then what they lead to. */
static void sources(Flow *f)
{
    uint32_t first = NOWHERE, next = NOWHERE, count = 0;
    for (uint32_t i = 0; i < f->node_count && !f->b->failed; i++) {
        if (!str_is(f->nodes[i].kind, "from")) continue;
        count++;
        put(f, &f->nodes[i], 0, "", "\n");
        if (first == NOWHERE) first = i;
    }
    f->b->node = STR_NONE;
    if (!count) graph__refuse(f->b, "it has no source: a node of kind `from`");
    for (uint32_t i = first; i < f->node_count && count > 1 && !f->b->failed; i++) {
        if (!str_is(f->nodes[i].kind, "from")) continue;
        f->b->node = f->nodes[i].id;
        uint32_t to = f->nodes[i].out[PORT_OUT] == 1 ? next_of(f, i, 0) : NOWHERE;
        if (to == NOWHERE || (next != NOWHERE && to != next))
            graph__refuse(f->b, "several sources are one stream: each is wired to the same node");
        next = to;
    }
    if (count == 1) next = next_of(f, first, 0);
    if (next != NOWHERE) chain(f, next, 0);
}

static void settings(Flow *f, const Json *pipeline)
{
    static const char *const words[] = {"on ", "durable", "overflow ", "priority ", "shards "};
    const Json *list = json_get(pipeline, "settings");
    f->b->node = STR_NONE;
    if (list && list->type != JSON_ARRAY)
        graph__refuse(f->b, "`settings` is a list of texts: [\"on error drop\"]");
    for (const Json *s = list ? list->first : NULL; s && !f->b->failed; s = s->next) {
        bool known = false;
        for (size_t i = 0; s->type == JSON_STRING && i < COUNT_OF(words); i++)
            known = known || str_starts(s->text, str_from(words[i]));
        if (!known)
            graph__refuse(f->b, "`settings` holds texts that begin with on, durable, overflow, "
                                "priority or shards: \"on error drop\"");
        place(f->b);
        graph__indent(f->b, 0);
        buf_str(f->b->out, s->text);
        buf_char(f->b->out, '\n');
    }
}

static void pipeline(Bare *b, const Json *json)
{
    Flow f = {.b = b};
    b->pipeline = b->node = STR_NONE;
    Str name = graph__text(b, json, "name");
    if (!name.len || name.len > SHOWN_MAX)
        graph__refuse(b, "a pipeline has no `name`, or one of more than %d bytes", SHOWN_MAX);
    b->pipeline = name;
    const Json *nodes = list_of(b, json, "nodes", NODES_MAX);
    const Json *wires = nodes ? list_of(b, json, "wires", WIRES_MAX) : NULL;
    if (!wires) return;
    f.nodes = arena_many(b->arena, Node, nodes->count + 1);
    f.wires = arena_many(b->arena, Wire, wires->count + 1);
    if (!f.nodes || !f.wires) {
        b->failed = diag_set(b->diag, ST_NO_MEMORY, "out of memory");
        return;
    }
    for (const Json *n = nodes->first; n && !b->failed; n = n->next) read_node(&f, n);
    for (const Json *w = wires->first; w && !b->failed; w = w->next) read_wire(&f, w);
    if (!b->failed) check_joints(&f);
    if (b->failed) return;
    buf_char(b->out, '\n');
    graph__comment(b, json, 0);
    b->node = STR_NONE;
    place(b);
    buf_printf(b->out, "pipeline %.*s {\n", STR_ARG(name));
    sources(&f);
    on_port(&f, NOWHERE, PORT_ERROR, 0);
    settings(&f, json);
    buf_text(b->out, "}\n");
    for (uint32_t i = 0; i < f.node_count && !b->failed; i++) {
        b->node = f.nodes[i].id;
        if (!f.nodes[i].done) graph__refuse(b, "no way leads from a `from` to it: wire it");
    }
}

Status graph_bare_text(Arena *arena, const Json *graph, Buf *out, GraphPlace **ret_places,
                       Diag *diag)
{
    *ret_places = NULL;
    Bare b = {.arena = arena, .out = out, .place = ret_places, .diag = diag};
    if (json_int(graph, "tutti_graph", 0) != GRAPH_VERSION)
        return diag_set(diag, ST_INVALID,
                        "this is no graph of version %d: it begins with "
                        "{ \"tutti_graph\": %d",
                        GRAPH_VERSION, GRAPH_VERSION);
    graph__declarations(&b, graph);
    const Json *list = b.failed ? NULL : list_of(&b, graph, "pipelines", NODES_MAX);
    for (const Json *p = list ? list->first : NULL; p && !b.failed; p = p->next) pipeline(&b, p);
    return b.failed ? b.failed : buf_status(out);
}
