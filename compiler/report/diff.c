/* compiler/report/diff.c: what a deploy of a new program would do to what runs.
 *
 * State moves when a piece of the same kind and name has the same layout in both programs: the
 * tables that the runtime compares (compiler/link) are compared here. Their names count windows
 * ("press.0"), so a person reads the stage as the program writes it. */
#include "compiler/report/report_int.h"

#include "base/json.h"

typedef enum Fate { FATE_KEPT, FATE_DROPPED, FATE_NEW } Fate;

typedef struct Piece { /* of state */
    const char *kind, *name;
    u64 layout;
    u32 node;
    const void *info;
    const IrWindow *window; /* or */
    const IrMem *mem;       /* or none: a join, whose name is a person's */
} Piece;

typedef struct Side {
    const IrProgram *program;
    const Linked *linked;
} Side;

typedef struct Compare {
    Side old, new;
    Buf *out;      /* text, or */
    JsonOut *json; /* NULL: text */
    bool any;      /* of the pipeline at hand: something was said */
} Compare;

/* ---- pieces ------------------------------------------------------------------------------- */

/* A pipeline of one side; info NULL: there is none of that name. */
typedef struct Half {
    const RtPipelineInfo *info;
    const IrPipeline *p;
} Half;

static uint32_t piece_count(const RtPipelineInfo *p)
{
    return p->window_count + p->mem_count + p->join_count;
}

static Piece piece(Half half, uint32_t i)
{
    const RtPipelineInfo *p = half.info;
    if (i < p->window_count) {
        const RtWindowInfo *w = &p->windows[i];
        return (Piece){"window", w->name, w->layout, w->node, w, &half.p->windows[i], NULL};
    }
    i -= p->window_count;
    if (i < p->mem_count) {
        const RtMemInfo *m = &p->mems[i];
        return (Piece){"memory", m->name, m->layout, m->node, m, NULL, &half.p->mems[i]};
    }
    const RtJoinInfo *j = &p->joins[i - p->mem_count];
    return (Piece){"join", j->name, j->layout, j->node, j, NULL, NULL};
}

static bool find_piece(Half half, const Piece *like, Piece *ret_piece)
{
    for (uint32_t i = 0; half.info && i < piece_count(half.info); i++) {
        *ret_piece = piece(half, i);
        if (strcmp(ret_piece->kind, like->kind) == 0 && strcmp(ret_piece->name, like->name) == 0)
            return true;
    }
    return false;
}

/* What of a window is another: the first thing a person would look for. */
static void window_reason(const RtWindowInfo *a, const RtWindowInfo *b, Buf *out)
{
    bool keys = a->key_count != b->key_count;
    for (uint32_t i = 0; !keys && i < a->key_count; i++) keys = a->key_types[i] != b->key_types[i];
    bool aggs = a->agg_count != b->agg_count;
    for (uint32_t i = 0; !aggs && i < a->agg_count; i++)
        aggs = a->aggs[i].kind != b->aggs[i].kind || a->aggs[i].type != b->aggs[i].type;
    if (a->kind != b->kind) {
        buf_text(out, "it is another kind of window");
    } else if (a->size_ns != b->size_ns) {
        buf_text(out, "its length changes from ");
        report__duration(out, a->size_ns);
        buf_text(out, " to ");
        report__duration(out, b->size_ns);
    } else if (keys) {
        buf_text(out, "its keys change");
    } else if (aggs) {
        buf_text(out, "its aggregates change");
    } else {
        buf_text(out, "its layout changes");
    }
}

/* ---- saying it ---------------------------------------------------------------------------- */

/* "the join `orders`", "`window tumble 10s by machine`". */
static void put_words(const Piece *p, Str pipeline, Buf *out)
{
    if (p->window)
        report__window_words(out, p->window);
    else if (p->mem)
        report__mem_words(out, p->mem, pipeline);
    else
        buf_printf(out, "the %s `%s`", p->kind, p->name);
}

static void put_state(Compare *c, const Piece *p, Str pipeline, Fate fate, Str why)
{
    static const char *const words[] = {"kept", "dropped", "new"};
    AUTO_BUF Buf text;
    buf_init(&text, 4096);
    put_words(p, pipeline, &text);
    c->any = true;
    if (c->json) {
        json_begin_object(c->json);
        json_field_text(c->json, "kind", p->kind);
        json_field_text(c->json, "name", p->name);
        json_field_str(c->json, "text", buf_view(&text));
        json_field_text(c->json, "fate", words[fate]);
        if (why.len) json_field_str(c->json, "why", why);
        json_end(c->json);
        return;
    }
    buf_printf(c->out, "  state of %.*s: ", STR_ARG(buf_view(&text)));
    if (fate == FATE_NEW)
        buf_text(c->out, "new, begins empty\n");
    else
        buf_printf(c->out, "%s%s%.*s\n", words[fate], why.len ? ", " : "", STR_ARG(why));
}

static void states(Compare *c, Half old, Half new)
{
    AUTO_BUF Buf why;
    buf_init(&why, 4096);
    Str name = (old.p ? old.p : new.p)->name;
    for (uint32_t i = 0; old.info && i < piece_count(old.info); i++) {
        Piece was = piece(old, i), is;
        buf_clear(&why);
        Fate fate = FATE_DROPPED;
        if (!find_piece(new, &was, &is))
            buf_text(&why, "there is none of that name any more");
        else if (is.layout == was.layout)
            fate = FATE_KEPT;
        else if (strcmp(was.kind, "window") == 0)
            window_reason(was.info, is.info, &why);
        else
            buf_text(&why, "its keys or values change");
        put_state(c, &was, name, fate, buf_view(&why));
    }
    for (uint32_t i = 0; new.info &&i < piece_count(new.info); i++) {
        Piece is = piece(new, i), was;
        if (!find_piece(old, &is, &was)) put_state(c, &is, name, FATE_NEW, STR_NONE);
    }
}

/* ---- sources and sinks -------------------------------------------------------------------- */

/* A source or sink as one line: what it is, where, with which options. */
static void end_text(const RtPipelineInfo *p, bool source, uint32_t i, Buf *out)
{
    buf_clear(out);
    if (source) {
        const RtSourceInfo *s = &p->sources[i];
        bool table = str_is(str_from(s->kind), "historian"); /* its columns are code */
        buf_printf(out, "from %s %s %s", s->kind, s->address, table ? "{}" : s->options);
    } else {
        const RtSinkInfo *s = &p->sinks[i];
        buf_printf(out, "into %s %s %s", s->kind, s->address, s->options);
    }
}

static bool has_end(const RtPipelineInfo *p, bool source, Str text, Buf *room)
{
    uint32_t count = source ? p->source_count : p->sink_count;
    for (uint32_t i = 0; i < count; i++) {
        end_text(p, source, i, room);
        if (str_eq(buf_view(room), text)) return true;
    }
    return false;
}

static void put_end(Compare *c, char sign, Str text)
{
    c->any = true;
    if (c->json) {
        json_begin_object(c->json);
        json_field_text(c->json, "change", sign == '+' ? "added" : "removed");
        json_field_str(c->json, "what", text);
        json_end(c->json);
    } else {
        buf_printf(c->out, "  %c %.*s\n", sign, STR_ARG(text));
    }
}

static void ends(Compare *c, const RtPipelineInfo *old, const RtPipelineInfo *new)
{
    AUTO_BUF Buf text, room;
    buf_init(&text, 1 << 20);
    buf_init(&room, 1 << 20);
    for (int source = 1; source >= 0; source--) {
        for (int side = 0; side < 2; side++) {
            const RtPipelineInfo *of = side ? new : old, *other = side ? old : new;
            uint32_t count = source ? of->source_count : of->sink_count;
            for (uint32_t i = 0; i < count; i++) {
                end_text(of, source, i, &text);
                if (!has_end(other, source, buf_view(&text), &room))
                    put_end(c, side ? '+' : '-', buf_view(&text));
            }
        }
    }
}

static bool same_ends(const RtPipelineInfo *old, const RtPipelineInfo *new)
{
    AUTO_BUF Buf text, room;
    buf_init(&text, 1 << 20);
    buf_init(&room, 1 << 20);
    if (old->source_count != new->source_count || old->sink_count != new->sink_count) return false;
    for (uint32_t i = 0; i < new->source_count + new->sink_count; i++) {
        bool source = i < new->source_count;
        end_text(new, source, source ? i : i - new->source_count, &text);
        if (!has_end(old, source, buf_view(&text), &room)) return false;
    }
    return true;
}

/* ---- code --------------------------------------------------------------------------------- */

/* A pipeline's part of the dump, with numbers of schemas left out: they count the whole program. */
static void code_text(const IrProgram *program, uint32_t index, Buf *out)
{
    AUTO_BUF Buf dump;
    buf_init(&dump, (size_t)64 << 20);
    IrProgram one = *program;
    one.pipelines = &program->pipelines[index];
    one.pipeline_count = 1;
    one.test_count = 0;
    one.share_count = 0; /* with whom it shares a decoder is no change of it */
    one.alarm_count = 0;
    ir_dump(&one, &dump);
    Str text = buf_view(&dump);
    ptrdiff_t at = str_find(text, STR("pipeline "));
    text = str_skip(text, at > 0 ? (size_t)at : 0);
    while (text.len) {
        ptrdiff_t schema = str_find(text, STR("schema "));
        size_t n = schema < 0 ? text.len : (size_t)schema + 7;
        buf_str(out, str_slice(text.ptr, n));
        text = str_skip(text, n);
        while (schema >= 0 && text.len && text.ptr[0] >= '0' && text.ptr[0] <= '9')
            text = str_skip(text, 1);
    }
}

static bool same_names(const IrEnum *a, const IrEnum *b)
{
    if (!a || !b) return a == b;
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!str_eq(a->names[i], b->names[i])) return false;
    return true;
}

/* Bounds and ranges of fields, which the code does not show. */
static bool same_schema(const Compare *c, uint32_t old, uint32_t new, uint32_t depth)
{
    if (old == NO_INDEX || new == NO_INDEX || depth > IR_PATH_MAX) return old == new || depth;
    const IrSchema *a = &c->old.program->schemas[old], *b = &c->new.program->schemas[new];
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const IrField *x = &a->fields[i], *y = &b->fields[i];
        bool same = str_eq(x->name, y->name) && x->type == y->type && x->optional == y->optional &&
                    x->bytes_max == y->bytes_max && x->scale == y->scale &&
                    x->time_read == y->time_read && x->has_range == y->has_range &&
                    x->lo == y->lo && x->hi == y->hi && same_names(x->names, y->names);
        bool inner = x->type == IR_RECORD || x->type == IR_LIST || x->type == IR_ITEM;
        if (!same || (inner && !same_schema(c, x->record, y->record, depth + 1))) return false;
    }
    return true;
}

static bool same_code(const Compare *c, uint32_t old, uint32_t new)
{
    AUTO_BUF Buf a, b;
    buf_init(&a, (size_t)64 << 20);
    buf_init(&b, (size_t)64 << 20);
    code_text(c->old.program, old, &a);
    code_text(c->new.program, new, &b);
    const IrPipeline *p = &c->old.program->pipelines[old], *q = &c->new.program->pipelines[new];
    return !a.failed && !b.failed && str_eq(buf_view(&a), buf_view(&b)) &&
           same_schema(c, p->in_schema, q->in_schema, 0);
}

/* ---- pipelines ---------------------------------------------------------------------------- */

static uint32_t pipeline_named(const IrProgram *program, Str name)
{
    for (uint32_t i = 0; program && i < program->pipeline_count; i++)
        if (str_eq(program->pipelines[i].name, name)) return i;
    return NO_INDEX;
}

static void begin(Compare *c, Str name, const char *change, const char *sentence)
{
    c->any = false;
    if (c->json) {
        json_begin_object(c->json);
        json_field_str(c->json, "pipeline", name);
        json_field_text(c->json, "change", change);
    } else {
        buf_printf(c->out, "pipeline %.*s: %s\n", STR_ARG(name), sentence);
    }
}

static Half half(const Side *side, uint32_t index)
{
    if (index == NO_INDEX) return (Half){NULL, NULL};
    return (Half){&side->linked->pipelines[index], &side->program->pipelines[index]};
}

/* NO_INDEX: there is none on that side. */
static void lists(Compare *c, uint32_t was, uint32_t is)
{
    Half old = half(&c->old, was), new = half(&c->new, is);
    if (c->json) {
        json_key(c->json, "ends");
        json_begin_array(c->json);
    }
    if (old.info && new.info) ends(c, old.info, new.info);
    if (c->json) {
        json_end(c->json);
        json_key(c->json, "state");
        json_begin_array(c->json);
    }
    states(c, old, new);
    if (c->json) {
        json_end(c->json);
        json_end(c->json);
    }
}

static void both(Compare *c, uint32_t old, uint32_t new)
{
    Str name = c->new.program->pipelines[new].name;
    const RtPipelineInfo *was = &c->old.linked->pipelines[old],
                         *is = &c->new.linked->pipelines[new];
    if (same_ends(was, is) && same_code(c, old, new)) {
        begin(c, name, "same", "unchanged");
        if (c->json) json_end(c->json);
        return;
    }
    begin(c, name, "changed", "changes over between two batches");
    lists(c, old, new);
}

/* ---- alarms ------------------------------------------------------------------------------- */

static const IrAlarm *alarm_named(const IrProgram *program, Str name)
{
    for (uint32_t i = 0; program && i < program->alarm_count; i++)
        if (str_eq(program->alarms[i].name, name)) return &program->alarms[i];
    return NULL;
}

static void put_alarm(Compare *c, const IrAlarm *alarm, const char *change, const char *sentence)
{
    if (c->json) {
        json_begin_object(c->json);
        json_field_str(c->json, "alarm", alarm->name);
        json_field_text(c->json, "change", change);
        json_field_str(c->json, "on", alarm->on);
        json_field_str(c->json, "text", alarm->text);
        json_end(c->json);
        return;
    }
    buf_printf(c->out, "alarm %.*s: %s", STR_ARG(alarm->name), sentence);
    if (str_is(str_from(change), "added") || str_is(str_from(change), "changed"))
        buf_printf(c->out, ", %.*s on %.*s", STR_ARG(alarm->text), STR_ARG(alarm->on));
    buf_char(c->out, '\n');
}

static void alarms(Compare *c)
{
    const IrProgram *old = c->old.program, *new = c->new.program;
    for (uint32_t i = 0; i < new->alarm_count; i++) {
        const IrAlarm *is = &new->alarms[i], *was = alarm_named(old, is->name);
        if (!was)
            put_alarm(c, is, "added", "added");
        else if (str_eq(was->rule, is->rule))
            put_alarm(c, is, "same", "unchanged");
        else
            put_alarm(c, is, "changed", "changes and keeps its states");
    }
    for (uint32_t i = 0; old && i < old->alarm_count; i++)
        if (!alarm_named(new, old->alarms[i].name))
            put_alarm(c, &old->alarms[i], "removed", "removed, and its states with it");
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void compare(Compare *c)
{
    for (uint32_t i = 0; i < c->new.program->pipeline_count; i++) {
        Str name = c->new.program->pipelines[i].name;
        uint32_t was = pipeline_named(c->old.program, name);
        if (was != NO_INDEX) {
            both(c, was, i);
            continue;
        }
        begin(c, name, "added", "added");
        lists(c, NO_INDEX, i);
    }
    for (uint32_t i = 0; c->old.program && i < c->old.program->pipeline_count; i++) {
        Str name = c->old.program->pipelines[i].name;
        if (pipeline_named(c->new.program, name) != NO_INDEX) continue;
        begin(c, name, "removed", "removed");
        lists(c, i, NO_INDEX);
    }
}

Status report_diff(const IrProgram *old, const IrProgram *new, bool as_json, Buf *out, Diag *diag)
{
    JsonOut json;
    Linked *a = NULL, *b = NULL;
    Arena *arena = arena_new(0, (size_t)512 << 20);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = old ? link_program(old, arena, &a, diag) : ST_OK;
    if (!st) st = link_program(new, arena, &b, diag);
    if (!st) {
        json_out_init(&json, out);
        Compare c = {{old, a}, {new, b}, out, as_json ? &json : NULL, false};
        if (as_json) {
            json_begin_object(&json);
            json_key(&json, "pipelines");
            json_begin_array(&json);
        }
        compare(&c);
        if (as_json) {
            json_end(&json);
            json_key(&json, "alarms");
            json_begin_array(&json);
        }
        alarms(&c);
        if (as_json) {
            json_end(&json);
            json_end(&json);
            buf_char(out, '\n');
        }
    }
    arena_free(arena);
    return st ? st : buf_status(out);
}
