/* compiler/report/explain.c: `tutti explain FILE`: what happens to a record, and how it runs. */
#include "compiler/report/report_int.h"

#include "base/rfc3339.h"
#include "compiler/ir/facts.h"
#include "compiler/layout/layout.h"

void report__duration(Buf *out, int64_t ns)
{
    char text[DURATION_BYTES];
    buf_str(out, str_slice(text, (size_t)(duration_put(text, ns) - text)));
}

void report__bytes(Buf *out, uint64_t bytes)
{
    if (bytes < 10000)
        buf_printf(out, "%llu bytes", (unsigned long long)bytes);
    else if (bytes < UINT64_C(10) << 20)
        buf_printf(out, "%.1f KiB", (double)bytes / 1024);
    else
        buf_printf(out, "%.0f MiB", (double)bytes / (1 << 20));
}

uint32_t report__line(const Report *r, Span span)
{
    return source_place(r->program->source, span.start).line;
}

/* ---- what a source reads ------------------------------------------------------------------ */

static const IrStage *stage_of_group(const IrPipeline *p, uint32_t group)
{
    for (uint32_t i = 0; i < p->stage_count; i++)
        if (p->stages[i].from == IR_FROM_SOURCE && p->stages[i].from_index == group)
            return &p->stages[i];
    return NULL;
}

/* Its records are made here: none is decoded, none can be wrong. */
static bool is_trigger(const IrSource *s)
{
    return str_is(s->kind, "cron") || str_is(s->kind, "every");
}

static void reads(const Report *r, const IrSource *s)
{
    static const char *const checks[] = {
        "; the whole record must be well-formed",
        "; what stands behind the last of them is not looked at (check lazy)",
        "; every field is checked against its type (check strict)"};
    const IrStage *stage = stage_of_group(r->p, s->group);
    uint32_t needed = 0;
    if (!stage) return;
    if (is_trigger(s)) {
        buf_text(r->out, "    one record without fields each time\n");
        return;
    }
    for (uint32_t i = 0; i < stage->leaf_count; i++) needed += stage->leaves[i].needed;
    buf_printf(r->out, "    decodes %u of %u fields", needed, stage->leaf_count);
    const char *before = ": ";
    for (uint32_t i = 0; i < stage->leaf_count; i++) {
        if (!stage->leaves[i].needed) continue;
        buf_printf(r->out, "%s%.*s", before, STR_ARG(stage->leaves[i].name));
        before = ", ";
    }
    bool checked = s->format == FORMAT_JSON || ir_format_is_bytes(s->format);
    if (checked && (size_t)s->check < COUNT_OF(checks)) buf_text(r->out, checks[s->check]);
    buf_char(r->out, '\n');
}

/* The fields of a record that are marked, in a list: "a, b and c". */
static void fields(const Report *r, const IrStage *s)
{
    uint32_t count = 0, at = 0;
    for (uint32_t i = 0; i < s->leaf_count; i++) count += s->leaves[i].needed;
    for (uint32_t i = 0; i < s->leaf_count; i++) {
        if (!s->leaves[i].needed) continue;
        at++;
        buf_printf(r->out, "%s%.*s",
                   at == 1       ? ""
                   : at == count ? " and "
                                 : ", ",
                   STR_ARG(s->leaves[i].name));
    }
}

static const IrShare *share_of(const Report *r)
{
    return r->p->share == NO_INDEX ? NULL : &r->program->shares[r->p->share];
}

/* What the first `where` saves the decoder (compiler/pass/push.c), or why nothing. */
static void pushed(const Report *r)
{
    static const char *const why_not[PUSH__COUNT] = {
        [PUSH_FORMAT] = "only JSON is read field by field",
        [PUSH_NOT_PLAIN] = "it remembers, looks something up, makes a text or may fail by itself",
        [PUSH_NO_FIELD] = "it reads nothing of the record",
        [PUSH_NOTHING_ELSE] = "it reads all that is decoded"};
    const IrPipeline *p = r->p;
    if (p->push == PUSH_NO_WHERE) return;
    uint32_t line = report__line(r, p->nodes[p->push_node].span);
    if (p->push != PUSH_DONE) {
        buf_printf(r->out, "    the `where` of line %u saves no decoding: %s\n", line,
                   why_not[p->push]);
    } else if (p->sources[0].check == CHECK_LAZY && share_of(r)) {
        buf_printf(
            r->out,
            "    the `where` of line %u saves decoding only where no other pipeline takes part\n",
            line);
    } else if (p->sources[0].check == CHECK_LAZY) {
        buf_printf(
            r->out,
            "    the `where` of line %u is decided in the decoder: a record that it drops is "
            "looked at\n      no further than ",
            line);
        fields(r, p->filter);
        buf_char(r->out, '\n');
    } else {
        buf_printf(
            r->out,
            "    the `where` of line %u saves no decoding: a record that it drops is checked, "
            "too;\n      with `check lazy` it would be looked at no further than ",
            line);
        fields(r, p->filter);
        buf_char(r->out, '\n');
    }
}

/* With whom the pipeline shares its decoder (compiler/pass/share.c), or why not with one that reads
 * the same. */
static void shared(const Report *r)
{
    static const char *const why_not[ALONE__COUNT] = {
        [ALONE_KIND] = "sources of this kind are read one by one",
        [ALONE_STREAM] = "one of them also reads a stream, which others write while it runs",
        [ALONE_SOURCES] = "one of them reads several sources as one stream",
        [ALONE_ASK] = "records of one of them wait for answers",
        [ALONE_FORMAT] = "only decoders of JSON are shared",
        [ALONE_TYPE] = "it reads another type",
        [ALONE_OPTIONS] = "its format, `check` or `unknown` differ"};
    const IrProgram *program = r->program;
    const IrShare *share = share_of(r);
    if (!share) {
        if (r->p->alone)
            buf_printf(r->out, "    reads the same as %.*s, but with a decoder of its own: %s\n",
                       STR_ARG(program->pipelines[r->p->alone_from].name), why_not[r->p->alone]);
        return;
    }
    uint32_t mine = (uint32_t)(r->p - program->pipelines), others = 0, fields = 0;
    buf_text(r->out, "    shares its decoder with ");
    for (uint32_t i = 0; i < share->count; i++) {
        if (share->pipelines[i] == mine) continue;
        others++;
        buf_printf(r->out, "%s%.*s",
                   others == 1                  ? ""
                   : others + 1 == share->count ? " and "
                                                : ", ",
                   STR_ARG(program->pipelines[share->pipelines[i]].name));
    }
    for (uint32_t i = 0; i < r->p->stages[0].leaf_count; i++) fields += share->needed[i];
    buf_printf(
        r->out,
        ": each record is decoded once for all, into %u field%s\n      (in `run --batch`, "
        "and in a server while they keep pace; a record that is wrong for\n      one of "
        "them is read by each alone; pipelines of other files that read the same\n      decode "
        "for themselves, which costs little beside the message's way there)\n",
        fields, fields == 1 ? "" : "s");
}

/* ---- layouts ------------------------------------------------------------------------------ */

static void layout(const Report *r, const Layout *l)
{
    Buf *out = r->out;
    buf_text(out, "      ");
    for (uint32_t i = 0; i < l->count; i++) {
        const LayoutItem *item = &l->items[i];
        Str before = item->before;
        for (size_t n = 0; n < before.len && n < 200; n++)
            buf_char(out, before.ptr[n] < ' ' ? ' ' : before.ptr[n]);
        static const char *const kinds[] = {"~", "~", "~", "null", "{..}"};
        buf_text(out, kinds[item->kind]);
    }
    buf_str(out, l->after);
    buf_char(out, '\n');
}

static Status layouts(const Report *r, Str sample, Diag *diag)
{
    const IrSource *s = ir_group_source(r->p, 0);
    const IrStage *stage = stage_of_group(r->p, 0);
    if (s->format != FORMAT_JSON || !stage) return ST_OK;
    LayoutList list;
    bool *needed = arena_many(r->arena, bool, stage->leaf_count + 1);
    if (!needed) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    layout_needed(stage, s->check, needed, stage->leaf_count);
    Status st = layout_learn(r->program, stage->schema, s, needed, sample, r->arena, &list);
    if (st) return diag_set(diag, st, "%s", status_text(st));
    uint32_t votes = 0;
    for (uint32_t i = 0; i < list.count; i++) votes += list.list[i].votes;
    if (!list.count) {
        buf_text(r->out, "  layouts: none, keys are read in any order\n");
        return ST_OK;
    }
    if (votes)
        buf_printf(r->out,
                   "  layouts: %u learnt from the sample; a record of another shape is "
                   "read in any order\n",
                   list.count);
    else
        buf_printf(r->out,
                   "  layouts: the declared order is expected first; up to %d orders are "
                   "learnt from the\n    first records; others are read in any order\n",
                   LAYOUTS_MAX);
    for (uint32_t i = 0; i < list.count; i++) {
        if (votes) buf_printf(r->out, "    %u of %u sample lines\n", list.list[i].votes, votes);
        layout(r, &list.list[i]);
    }
    return ST_OK;
}

/* ---- how it runs -------------------------------------------------------------------------- */

/* The steps whose code is in one stage, in their order. */
static void steps(const Report *r, const IrStage *s)
{
    bool *seen = arena_many(r->arena, bool, r->p->node_count + 1);
    const char *before = "";
    for (uint32_t i = 0; seen && i < s->code_count; i++) {
        uint32_t node = s->code[i].node; /* code of arms goes back and forth */
        if (node >= r->p->node_count || seen[node]) continue;
        seen[node] = true;
        buf_printf(r->out, "%s%.*s", before, STR_ARG(r->p->nodes[node].kind));
        before = ", ";
    }
    if (!before[0]) buf_text(r->out, "nothing to do");
    buf_char(r->out, '\n');
}

static const IrWindow *window_at(const IrPipeline *p, uint32_t index)
{
    return index < p->window_count ? &p->windows[index] : NULL;
}

/* Of which question, and how many are on their way. */
static void answers(const Report *r, uint32_t mem)
{
    const IrAsk *ask = mem < r->p->mem_count ? r->p->mems[mem].ask : NULL;
    if (!ask) return;
    buf_printf(r->out, "for each answer to `%.*s`, ", STR_ARG(ask->name));
    if (ask->limit == 1)
        buf_text(r->out, "one question after the other: ");
    else
        buf_printf(r->out, "up to %u questions at once, %s: ", ask->limit,
                   ask->unordered ? "as they come" : "in the order of the records");
}

static void fusion(const Report *r)
{
    const IrPipeline *p = r->p;
    buf_printf(r->out,
               "  runs as %u function%s; the steps of each are one piece of code, a record is "
               "not copied between them\n",
               p->stage_count, p->stage_count == 1 ? "" : "s");
    for (uint32_t i = 0; i < p->stage_count; i++) {
        const IrStage *s = &p->stages[i];
        const IrWindow *w = window_at(p, s->from_index);
        buf_printf(r->out, "    %u  ", i + 1);
        switch (s->from) {
        case IR_FROM_SOURCE:
            buf_text(r->out, s->from_index ? "for each record of the other stream, which comes at "
                                             "its own time: "
                                           : "for each record: ");
            break;
        case IR_FROM_WINDOW:
            buf_printf(r->out,
                       "for each row of the window in line %u; a row has to wait until its "
                       "window closes: ",
                       w ? report__line(r, w->span) : 0);
            break;
        case IR_FROM_LATE:
            buf_printf(r->out, "for each record that is late for the window in line %u: ",
                       w ? report__line(r, w->span) : 0);
            break;
        case IR_FROM_ASK: answers(r, s->from_index); break;
        case IR_FROM_EACH: buf_text(r->out, "for each item, as often as the list is long: "); break;
        case IR_FROM_ERROR: buf_text(r->out, "for each record that failed: "); break;
        }
        steps(r, s);
    }
}

/* ---- steps -------------------------------------------------------------------------------- */

static void time_of(const Report *r)
{
    const IrTime *t = &r->p->time;
    buf_text(r->out, "    the watermark is the highest time seen minus ");
    report__duration(r->out, t->order_ns);
    buf_text(r->out, "; a source silent for ");
    report__duration(r->out, t->idle_ns);
    buf_text(r->out, " lets it advance");
    if (t->ahead_ns) {
        buf_text(r->out, "; more than ");
        report__duration(r->out, t->ahead_ns);
        buf_text(r->out, " ahead of the clock is an error");
    }
    buf_char(r->out, '\n');
}

static void node(const Report *r, uint32_t index)
{
    const IrPipeline *p = r->p;
    const IrNode *n = &p->nodes[index];
    buf_printf(r->out, "  line %u  %.*s\n", report__line(r, n->span), STR_ARG(n->label));
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].node == index) {
            reads(r, &p->sources[i]);
            if (i == 0) pushed(r);
            if (i == 0) shared(r);
        }
    if (p->time.present && p->time.node == index) time_of(r);
    report__state_of(r, index);
    for (uint32_t i = 0; i < p->sink_count; i++)
        if (p->sinks[i].node == index) report__delivery(r, i);
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].node == index && is_trigger(&p->sources[i])) return;
    if (!n->reason_count) return;
    buf_text(r->out, "    may fail: ");
    for (uint32_t i = 0; i < n->reason_count; i++)
        buf_printf(r->out, "%s%.*s", i ? ", " : "", STR_ARG(n->reasons[i]));
    buf_char(r->out, '\n');
}

static void errors(const Report *r)
{
    const IrPipeline *p = r->p;
    bool sinks = false, answered = false;
    for (uint32_t i = 0; i < p->sink_count; i++) {
        if (str_is(p->sinks[i].kind, "reply"))
            answered |= report__comes_from(p, i, IR_FROM_ERROR);
        else
            sinks |= ir_sink_takes_errors(p, i) || report__comes_from(p, i, IR_FROM_ERROR);
    }
    if (answered)
        buf_printf(r->out, "  records that fail are answered by `on error reply`%s",
                   sinks ? ", and go where `on error into` says" : "");
    else if (sinks)
        buf_text(r->out, "  records that fail go where `on error` says");
    else
        buf_text(r->out, p->error_drop ? "  records that fail are counted and dropped"
                                       : "  records that fail go to the dead-letter table, "
                                         "from where they can be replayed");
    if (p->stop_above > 0) {
        buf_printf(r->out, "; the pipeline stops above %g%% in ", p->stop_above * 100);
        report__duration(r->out, p->stop_in_ns);
    }
    buf_char(r->out, '\n');
}

static Status pipeline(const Report *r, Str sample, Diag *diag)
{
    buf_printf(r->out, "pipeline %.*s%s\n", STR_ARG(r->p->name),
               r->p->bounded ? " (ends with its input)" : "");
    for (uint32_t n = 0; n < r->p->node_count; n++) node(r, n);
    errors(r);
    report__state_all(r);
    fusion(r);
    return layouts(r, sample, diag);
}

Status report_explain(const IrProgram *program, Str name, Str sample, Buf *out, Diag *diag)
{
    Linked *linked;
    Arena *arena = arena_new(0, (size_t)256 << 20);
    if (!arena) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    Status st = link_program(program, arena, &linked, diag);
    for (uint32_t i = 0; i < program->pipeline_count && !st; i++) {
        Report r = {program, linked, &program->pipelines[i], &linked->pipelines[i], arena, out};
        if (name.len && !str_eq(name, r.p->name)) continue;
        if (i && !name.len) buf_char(out, '\n');
        st = pipeline(&r, sample, diag);
    }
    for (uint32_t i = 0; i < program->alarm_count && !name.len; i++) {
        const IrAlarm *alarm = &program->alarms[i];
        buf_printf(out, "%salarm %.*s on %.*s\n  %.*s\n", i || program->pipeline_count ? "\n" : "",
                   STR_ARG(alarm->name), STR_ARG(alarm->on), STR_ARG(alarm->text));
    }
    arena_free(arena);
    return st;
}

void report_graph(const IrProgram *program, Str name, Buf *out)
{
    static const char *const ports[] = {"", " error", " late"};
    for (uint32_t i = 0; i < program->pipeline_count; i++) {
        const IrPipeline *p = &program->pipelines[i];
        if (name.len && !str_eq(name, p->name)) continue;
        buf_printf(out, "pipeline %.*s\n", STR_ARG(p->name));
        for (uint32_t n = 0; n < p->node_count; n++)
            buf_printf(out, "  %u %.*s\n", n, STR_ARG(p->nodes[n].label));
        for (uint32_t w = 0; w < p->wire_count; w++)
            buf_printf(out, "  %u -> %u%s\n", p->wires[w].from, p->wires[w].to,
                       ports[p->wires[w].port]);
    }
}
