/* compiler/report/state.c: what a pipeline keeps between records, and how much that can become.
 *
 * Sizes are those of the tables the runtime works with. Entries and slots come in blocks that
 * double, so up to twice of what is used is held; around each stands what dict.h and window.c need.
 */
#include "compiler/report/report_int.h"

#include "compiler/ir/facts.h"

enum {
    ENTRY_ROOM = 64 + 16, /* of a key in a dictionary, besides its bytes and its cell */
    KEY_ROOM = 96,        /* of a key of windows, besides its bytes */
    SLOT_ROOM = 96,       /* of a key in one window, besides its aggregates */
    STATE_MAX = 256 << 20 /* of an instance: FlowLimits.state_bytes when left out */
};

static uint64_t key_bytes(const IrReg *keys, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        IrType type = keys[i].type;
        bool text = type == IR_STR || type == IR_BYTES || type == IR_JSON;
        bytes += text ? 4 + (uint64_t)keys[i].bytes_max : 8;
    }
    return bytes;
}

static void key_names(Buf *out, const IrReg *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        Str name = keys[i].name.len ? keys[i].name : STR("key");
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(name));
    }
}

static void put_span(Buf *out, const char *before, int64_t ns)
{
    buf_text(out, before);
    report__duration(out, ns);
}

void report__window_words(Buf *out, const IrWindow *w)
{
    switch (w->kind) {
    case WINDOW_TUMBLE: put_span(out, "`window tumble ", w->size_ns); break;
    case WINDOW_COUNT:
        buf_printf(out, "`window count %llu", (unsigned long long)w->size_count);
        break;
    case WINDOW_HOP:
        put_span(out, "`window hop ", w->size_ns);
        put_span(out, " every ", w->every_ns);
        break;
    case WINDOW_SESSION:
        put_span(out, "`window session gap ", w->size_ns);
        if (w->max_ns) put_span(out, " max ", w->max_ns);
        break;
    case WINDOW_DELAY: put_span(out, "`delay ", w->size_ns); break;
    }
    if (w->key_count) buf_text(out, " by ");
    key_names(out, w->keys, w->key_count);
    buf_char(out, '`');
}

/* "steps.delta.speed": of the pipeline, the function or stage, and the field it makes; "...#1"
 * where that has another one of them. */
void report__mem_words(Buf *out, const IrMem *m, Str pipeline)
{
    Str name = str_skip(m->name, pipeline.len + 1);
    ptrdiff_t point = str_find_char(name, '.');
    Str word = point < 0 ? name : str_slice(name.ptr, (size_t)point);
    Str field = point < 0 ? STR_NONE : str_skip(name, (size_t)point + 1);
    Str *last = point < 0 ? &word : &field;
    ptrdiff_t number = str_find_char(*last, '#');
    int64_t before = 0;
    if (number >= 0 && str_to_i64(str_skip(*last, (size_t)number + 1), &before))
        *last = str_slice(last->ptr, (size_t)number);
    if (before) buf_printf(out, "number %lld of ", (long long)before + 1);
    buf_printf(out, "`%.*s`", STR_ARG(word));
    if (field.len) buf_printf(out, " in `%.*s`", STR_ARG(field));
}

/* ---- windows ------------------------------------------------------------------------------ */

static uint64_t window_slot_bytes(const Report *r, uint32_t index)
{
    return 2 * (SLOT_ROOM + (uint64_t)r->info->windows[index].slot_bytes);
}

/* How many windows one record is in, at most. */
static uint64_t overlap(const IrWindow *w)
{
    return (uint64_t)((w->size_ns + w->every_ns - 1) / w->every_ns);
}

/* Windows, or panes, of a key at once, when its stream has no gaps and is as late as it may be. */
static uint64_t open_at_once(const Report *r, const IrWindow *w)
{
    uint64_t late = w->event_time ? (uint64_t)r->p->time.order_ns : 0;
    if (w->kind != WINDOW_HOP) return late / (uint64_t)w->size_ns + 2;
    uint64_t count = (late + (uint64_t)w->size_ns) / (uint64_t)w->every_ns + 2;
    return w->panes && w->size_ns % w->every_ns ? 2 * count : count;
}

/* Of a key, by what each window counts for itself: see runtime/flow/cells.c. */
static uint64_t cells_bytes(const Report *r, uint32_t index)
{
    static const uint8_t bytes[AGG__COUNT] = {[AGG_SUM] = sizeof(RtSum),
                                              [AGG_MEAN] = sizeof(RtSum),
                                              [AGG_STDDEV] = sizeof(RtVariance),
                                              [AGG_TIME_WEIGHTED] = sizeof(RtArea),
                                              [AGG_LIST] = sizeof(RtItems)};
    const IrWindow *w = &r->p->windows[index];
    uint64_t piece = 0, count = 2;
    while (count < overlap(w) + 1 && count < 64) count *= 2;
    for (uint32_t i = 0; i < w->agg_count; i++)
        if (w->aggs[i].each) piece += count * bytes[w->aggs[i].kind];
    uint64_t late = w->event_time ? (uint64_t)r->p->time.order_ns : 0;
    uint64_t windows = (late + (uint64_t)w->size_ns) / (uint64_t)w->every_ns + 2;
    return piece ? 2 * (16 + piece) * (windows / count + 2) : 0;
}

static uint64_t window_key_bytes(const Report *r, uint32_t index)
{
    const IrWindow *w = &r->p->windows[index];
    uint64_t bytes = KEY_ROOM + key_bytes(w->keys, w->key_count);
    if (w->kind != WINDOW_HOP) return bytes + window_slot_bytes(r, index);
    bytes += open_at_once(r, w) * window_slot_bytes(r, index);
    return w->panes ? bytes + window_slot_bytes(r, index) + cells_bytes(r, index) : bytes;
}

static void sketches(const Report *r, uint32_t index)
{
    const RtWindowInfo *info = &r->info->windows[index];
    for (uint32_t i = 0; i < info->agg_count; i++) {
        if (info->aggs[i].kind != RT_AGG_QUANTILE) continue;
        uint64_t chunk = sizeof(RtChunk) + (sizeof(u32) << info->aggs[i].bits);
        buf_text(r->out, "    and at most ");
        report__bytes(r->out, RT_SKETCH_LIST_MAX * sizeof(u32));
        buf_printf(r->out, " for %d values of a quantile, beyond that ", RT_SKETCH_LIST_MAX);
        report__bytes(r->out, chunk);
        buf_text(r->out, " for each power of two that they span\n");
        return;
    }
}

/* The words of those aggregates that are shared, or are not, each once. */
static uint32_t agg_words(const Report *r, const IrWindow *w, bool each)
{
    static const char *const words[AGG__COUNT] = {
        "count",  "count",    "sum",      "mean",  "min",  "max",           "first", "last",
        "stddev", "quantile", "distinct", "delta", "rate", "time_weighted", "list",  ""};
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->agg_count; i++) {
        bool told = w->aggs[i].each != each;
        for (uint32_t k = 0; k < i && !told; k++)
            told = strcmp(words[w->aggs[k].kind], words[w->aggs[i].kind]) == 0;
        if (!told) buf_printf(r->out, "%s%s", count++ ? ", " : "", words[w->aggs[i].kind]);
    }
    return count;
}

/* What windows that overlap count together, and why not. */
static void sharing(const Report *r, const IrWindow *w)
{
    uint64_t windows = overlap(w);
    Buf *out = r->out;
    if (!w->panes) {
        buf_printf(out,
                   "    a record is counted in each of its %llu windows by itself: one that gives "
                   "rows %s must know what it has told\n",
                   (unsigned long long)windows, w->early_ns ? "early" : "again");
        return;
    }
    AUTO_BUF Buf shared, each;
    Report to = *r;
    buf_init(&shared, 1 << 12);
    buf_init(&each, 1 << 12);
    to.out = &shared;
    if (!agg_words(&to, w, false)) buf_text(&shared, "nothing but that it was there");
    to.out = &each;
    bool some = agg_words(&to, w, true) > 0;
    buf_printf(out, "    a record is counted once for its %llu windows: %.*s",
               (unsigned long long)windows, STR_ARG(buf_view(&shared)));
    if (some)
        buf_printf(out,
                   "; but in each by itself: %.*s, whose result depends on the order of a "
                   "window's own records",
                   STR_ARG(buf_view(&each)));
    buf_char(out, '\n');
}

static void window(const Report *r, uint32_t index)
{
    const IrWindow *w = &r->p->windows[index];
    Buf *out = r->out;
    buf_text(out, w->key_count ? "    one row for each " : "    one row for all");
    key_names(r->out, w->keys, w->key_count);
    if (w->size_count) {
        buf_printf(out, ", every %llu records", (unsigned long long)w->size_count);
    } else if (w->size_ns > 1) {
        buf_text(out, ", every ");
        report__duration(out, w->kind == WINDOW_HOP ? w->every_ns : w->size_ns);
        if (w->kind == WINDOW_HOP) {
            buf_text(out, " over the last ");
            report__duration(out, w->size_ns);
        }
        buf_text(out, w->event_time ? " of event time" : " of arrival time");
    }
    buf_text(out, "\n    keeps at most ");
    report__bytes(out, window_key_bytes(r, index));
    if (w->kind == WINDOW_HOP)
        buf_printf(out, " for a key, in %llu %s at once in a stream without gaps",
                   (unsigned long long)open_at_once(r, w), w->panes ? "panes" : "windows");
    else
        buf_text(out, " for a key in an open window");
    if (w->kind == WINDOW_TUMBLE && w->event_time)
        buf_printf(out, "; %llu are open at once in a stream without gaps",
                   (unsigned long long)open_at_once(r, w));
    buf_char(out, '\n');
    if (w->kind == WINDOW_HOP) sharing(r, w);
    sketches(r, index);
    if (w->size_count) return; /* nothing is late for it */
    buf_text(out, w->late_stage != NO_INDEX ? "    late records go where `on late` says\n"
                  : w->late_dead            ? "    late records go to the dead-letter table\n"
                                            : "    late records are counted and dropped\n");
}

/* ---- memories and joins ------------------------------------------------------------------- */

/* A cell: see runtime/flow/mem.c. */
static uint64_t cell_bytes(const IrMem *m)
{
    switch (m->kind) {
    case MEM_BASELINE: return 16 + 60 * 16;
    case MEM_THROTTLE: return 16 + 8 * m->count;
    case MEM_CELL: return m->bytes;
    default: return 32 + ir_mem_bytes_max(m);
    }
}

static uint64_t entry_bytes(const IrReg *keys, uint32_t count, uint64_t payload)
{
    uint64_t key = key_bytes(keys, count);
    return 2 * (ENTRY_ROOM + payload + (key > 20 ? key : 0)); /* 16 bytes and a length: inside */
}

static uint64_t mem_key_bytes(const IrMem *m)
{
    return m->key_count ? entry_bytes(m->keys, m->key_count, cell_bytes(m)) : cell_bytes(m);
}

static void mem(const Report *r, const IrMem *m)
{
    if (m->ask) {
        report__ask(r, m);
        return;
    }
    buf_text(r->out, "    ");
    report__mem_words(r->out, m, r->p->name);
    buf_text(r->out, " keeps at most ");
    report__bytes(r->out, mem_key_bytes(m));
    if (m->key_count) {
        buf_text(r->out, " for each ");
        key_names(r->out, m->keys, m->key_count);
        buf_text(r->out, "; when memory ends, the key not seen for longest is forgotten\n");
    } else {
        buf_text(r->out, " for the whole stream\n");
    }
}

static uint64_t join_key_bytes(const Report *r, const IrJoin *j)
{
    return entry_bytes(j->keys, j->key_count,
                       17 * (uint64_t)ir_leaf_count(r->program, j->schema) + 32);
}

static void join(const Report *r, const IrJoin *j)
{
    buf_printf(r->out, "    keeps the last record of `%.*s` for each ", STR_ARG(j->name));
    key_names(r->out, j->keys, j->key_count);
    if (j->within_ns) {
        buf_text(r->out, ", for ");
        report__duration(r->out, j->within_ns);
    }
    buf_text(r->out, "; at most ");
    report__bytes(r->out, join_key_bytes(r, j));
    buf_text(r->out, " and its texts for each\n");
}

/* ---- all ---------------------------------------------------------------------------------- */

void report__state_of(const Report *r, uint32_t index)
{
    const IrPipeline *p = r->p;
    for (uint32_t i = 0; i < p->window_count; i++)
        if (p->windows[i].node == index) window(r, i);
    for (uint32_t i = 0; i < p->mem_count; i++)
        if (p->mems[i].node == index) mem(r, &p->mems[i]);
    for (uint32_t i = 0; i < p->join_count; i++)
        if (p->joins[i].node == index) join(r, &p->joins[i]);
}

void report__state_all(const Report *r)
{
    const IrPipeline *p = r->p;
    uint64_t keyed = 0, fixed = 0;
    for (uint32_t i = 0; i < p->window_count; i++)
        *(p->windows[i].key_count ? &keyed : &fixed) += window_key_bytes(r, i);
    for (uint32_t i = 0; i < p->mem_count; i++)
        if (!p->mems[i].ask)
            *(p->mems[i].key_count ? &keyed : &fixed) += mem_key_bytes(&p->mems[i]);
    for (uint32_t i = 0; i < p->join_count; i++) keyed += join_key_bytes(r, &p->joins[i]);
    if (!keyed && !fixed) {
        buf_text(r->out, "  keeps nothing between records\n");
        return;
    }
    buf_text(r->out, "  keeps ");
    if (keyed) {
        buf_text(r->out, "at most ");
        report__bytes(r->out, keyed);
        buf_text(r->out, " for each key");
        if (fixed) buf_text(r->out, " and ");
    }
    if (fixed) {
        report__bytes(r->out, fixed);
        buf_text(r->out, " once");
    }
    buf_text(r->out, "; never more than ");
    report__bytes(r->out, STATE_MAX);
    buf_text(r->out, " in all\n");
}
