/* runtime/flow/mem.c: functions and stages with memory.
 *
 * Each kind has a cell of plain bytes and one function over it; the table `kinds` names both. Cells
 * start as zeros, so every kind treats zeros as "nothing seen yet". Records count in the order in
 * which they come; where time is used, a record older than the last one moves nothing back. */
#include "flow/mem.h"

#include "flow/ask.h"

#include "base/mem.h"
#include "flow/dict.h"
#include "flow/pipe.h"

#include <math.h>
#include <string.h>

__extension__ typedef __int128 i128;

enum { BASELINE_PARTS = 60 };

struct RtMem {
    RtPipe *pipe;
    const RtMemInfo *info;
    RtDict dict;
    void *single; /* the one cell, without keys */
    u64 cell_bytes;
    i64 newest_ns; /* DEDUPE: latest time seen, what is older by more than the span is forgotten */
};

typedef struct Call {
    RtPipe *pipe;
    const RtMemInfo *info;
    i64 ns;
    const RtValue *v; /* inputs, keys left out */
    const u8 *has;
    RtValue *ret;
    u8 *ret_has;
} Call;

typedef struct Last { /* PREV DELTA RATE DEADBAND */
    RtValue value;    /* PREV of text: n bytes behind this */
    i64 ns;
    u8 seen, has;
} Last;

typedef struct Ema {
    f64 y;
    i64 ns;
    u64 seen;
} Ema;

typedef struct Flag { /* HYSTERESIS HELD EDGE DEDUPE SAMPLE */
    i64 at;           /* HELD: since; DEDUPE: last passed; SAMPLE: last number */
    u8 seen, on;
} Flag;

typedef struct Baseline {
    i64 newest;
    u64 seen;
    struct {
        f64 sum;
        u64 n;
    } parts[BASELINE_PARTS];
} Baseline;

typedef struct Throttle {
    u64 at, used;
    i64 passed[]; /* the last `count` times, a ring */
} Throttle;

/* ---- numbers ---- */

static int is_float(u8 type)
{
    return type == RT_F32 || type == RT_F64;
}

static int is_unsigned(u8 type)
{
    return type == RT_U32 || type == RT_U64;
}

static i128 whole(u8 type, RtValue v)
{
    return is_unsigned(type) ? (i128)v.u : (i128)v.i;
}

static int less(u8 type, RtValue a, RtValue b)
{
    return is_float(type) ? a.d < b.d : whole(type, a) < whole(type, b);
}

static f64 elapsed_ns(i64 from, i64 to)
{
    return to > from ? (f64)((u64)to - (u64)from) : 0;
}

/* to - from >= span, without overflow. */
static int apart(i64 from, i64 to, i64 span)
{
    return (i128)to - from >= span;
}

static i64 floor_div(i64 a, i64 b)
{
    return a / b - (a % b < 0);
}

/* ---- one function a kind ---- */

static u32 prev(const Call *call, void *cell)
{
    Last *last = cell;
    char *text = (char *)(last + 1);
    *call->ret_has = last->seen;
    *call->ret = last->value;
    if (last->seen && rt_is_text(call->info->type)) { /* the cell is written below */
        char *copy = rt_scratch(call->pipe, last->value.s.n + 1);
        if (!copy) return RT_TOO_LONG;
        memcpy(copy, text, last->value.s.n);
        call->ret->s.p = copy;
    }
    if (!call->has[0]) return RT_FINE;
    last->seen = 1;
    last->value = call->v[0];
    if (rt_is_text(call->info->type)) {
        if (last->value.s.n > call->info->bytes_max) return RT_TOO_LONG;
        if (last->value.s.n) memcpy(text, call->v[0].s.p, last->value.s.n);
        last->value.s.p = NULL;
    }
    return RT_FINE;
}

/* x minus the value before, over the top at `reset at` when it fell. Whole results are exact. */
static u32 difference(const Call *call, const Last *last, RtValue *ret)
{
    u8 type = call->info->type;
    RtValue x = call->v[0], before = last->value;
    int over = (call->info->flags & RT_MEM_RESETS) && less(type, x, before);
    if (over && less(type, call->v[1], before)) return RT_RANGE;
    if (is_float(type)) {
        ret->d = over ? call->v[1].d - before.d + x.d : x.d - before.d;
        if (type == RT_F32) ret->d = (f64)(f32)ret->d;
        return RT_FINE;
    }
    i128 d = whole(type, x) - whole(type, before);
    if (over) d += whole(type, call->v[1]);
    if (d > INT64_MAX || d < INT64_MIN) return RT_OVERFLOW;
    ret->i = (i64)d;
    return RT_FINE;
}

static void keep(const Call *call, Last *last)
{
    last->value = call->v[0];
    last->ns = call->ns;
    last->seen = 1;
}

static u32 delta(const Call *call, void *cell)
{
    Last *last = cell;
    u32 why = RT_FINE;
    *call->ret_has = call->has[0] && last->seen;
    if (!call->has[0]) return RT_FINE;
    if (last->seen) why = difference(call, last, call->ret);
    keep(call, last);
    return why;
}

static u32 rate(const Call *call, void *cell)
{
    Last *last = cell;
    RtValue d = {0};
    *call->ret_has = 0;
    if (!call->has[0] || (last->seen && call->ns < last->ns)) return RT_FINE;
    u32 why = RT_FINE;
    if (last->seen && call->ns > last->ns) {
        why = difference(call, last, &d);
        f64 change = is_float(call->info->type) ? d.d : (f64)d.i;
        call->ret->d = change / (elapsed_ns(last->ns, call->ns) / 1e9);
        *call->ret_has = 1;
    }
    keep(call, last);
    return why;
}

static u32 ema(const Call *call, void *cell)
{
    Ema *e = cell;
    *call->ret_has = call->has[0];
    if (!call->has[0]) return RT_FINE;
    f64 x = call->v[0].d;
    if (!e->seen)
        e->y = x;
    else
        e->y += (1 - exp(-elapsed_ns(e->ns, call->ns) / (f64)call->info->span_ns)) * (x - e->y);
    if (!e->seen || call->ns > e->ns) e->ns = call->ns;
    e->seen = 1;
    call->ret->d = e->y;
    return RT_FINE;
}

/* On at `on` and beyond, off at `off` and beyond; beyond is upwards when on >= off. */
static u32 hysteresis(const Call *call, void *cell)
{
    Flag *flag = cell;
    u8 type = call->info->type;
    RtValue x = call->v[0], on = call->v[1], off = call->v[2];
    if (call->has[0]) {
        int falling = less(type, on, off);
        if (falling ? !less(type, on, x) : !less(type, x, on))
            flag->on = 1;
        else if (falling ? !less(type, x, off) : !less(type, off, x))
            flag->on = 0;
    }
    call->ret->i = flag->on;
    return RT_FINE;
}

static u32 held(const Call *call, void *cell)
{
    Flag *flag = cell;
    u8 cond = call->v[0].i != 0;
    if (cond && !flag->on) flag->at = call->ns;
    flag->on = cond;
    call->ret->i = cond && apart(flag->at, call->ns, call->info->span_ns);
    return RT_FINE;
}

static u32 baseline(const Call *call, void *cell)
{
    Baseline *b = cell;
    i64 length = call->info->span_ns / BASELINE_PARTS;
    i64 part = floor_div(call->ns, length > 0 ? length : 1);
    f64 sum = 0;
    u64 n = 0;
    *call->ret_has = 0;
    if (!call->has[0]) return RT_FINE;
    if (!b->seen) b->newest = part;
    b->seen = 1;
    if (part > b->newest) {
        i64 from = apart(b->newest, part, BASELINE_PARTS) ? part - BASELINE_PARTS : b->newest;
        for (i64 p = from + 1; p <= part; p++)
            memset(&b->parts[(u64)(p % BASELINE_PARTS + BASELINE_PARTS) % BASELINE_PARTS], 0,
                   sizeof b->parts[0]);
        b->newest = part;
    }
    for (i64 p = b->newest - BASELINE_PARTS + 1; p <= b->newest; p++) {
        u64 at = (u64)(p % BASELINE_PARTS + BASELINE_PARTS) % BASELINE_PARTS;
        if (!b->parts[at].n) continue;
        sum += b->parts[at].sum;
        n += b->parts[at].n;
    }
    if (n) {
        *call->ret_has = 1;
        call->ret->d = sum / (f64)n;
    }
    if (!apart(part, b->newest, BASELINE_PARTS)) {
        u64 at = (u64)(part % BASELINE_PARTS + BASELINE_PARTS) % BASELINE_PARTS;
        b->parts[at].sum += call->v[0].d;
        b->parts[at].n++;
    }
    return RT_FINE;
}

/* True where the condition comes up; RT_MEM_STARTS: it counts as true before the first record. */
static u32 edge(const Call *call, void *cell)
{
    Flag *flag = cell;
    u8 cond = call->v[0].i != 0;
    u8 was = flag->seen ? flag->on : (call->info->flags & RT_MEM_STARTS) != 0;
    flag->seen = 1;
    flag->on = cond;
    call->ret->i = cond && !was;
    return RT_FINE;
}

static u32 dedupe(const Call *call, void *cell)
{
    Flag *flag = cell;
    i64 span = call->info->span_ns;
    int again = flag->seen && !apart(flag->at, call->ns, span + (span < INT64_MAX)) &&
                !apart(call->ns, flag->at, span + (span < INT64_MAX));
    call->ret->i = !again;
    if (again) return RT_FINE;
    if (!flag->seen || call->ns > flag->at) flag->at = call->ns;
    flag->seen = 1;
    return RT_FINE;
}

static int beyond(const Call *call, RtValue last)
{
    u8 type = call->info->type;
    RtValue x = call->v[0], d = call->v[1];
    if (call->info->flags & RT_MEM_SHARE) return fabs(x.d - last.d) > d.d * fabs(last.d);
    if (is_float(type)) return fabs(x.d - last.d) > d.d;
    i128 change = whole(type, x) - whole(type, last);
    return (change < 0 ? -change : change) > whole(type, d);
}

static u32 deadband(const Call *call, void *cell)
{
    Last *last = cell;
    int pass = !last->seen || last->has != call->has[0];
    if (!pass && call->has[0]) pass = beyond(call, last->value);
    if (!pass && call->info->span_ns) pass = apart(last->ns, call->ns, call->info->span_ns);
    call->ret->i = pass;
    if (!pass) return RT_FINE;
    keep(call, last);
    last->has = call->has[0];
    return RT_FINE;
}

/* In no span of that length do more than `count` pass. */
static u32 throttle(const Call *call, void *cell)
{
    Throttle *t = cell;
    u64 count = call->info->count;
    int pass = t->used < count || apart(t->passed[t->at], call->ns, call->info->span_ns);
    call->ret->i = pass;
    if (!pass) return RT_FINE;
    t->passed[t->at] = call->ns;
    t->at = t->at + 1 == count ? 0 : t->at + 1;
    if (t->used < count) t->used++;
    return RT_FINE;
}

static u32 sample(const Call *call, void *cell)
{
    Flag *flag = cell;
    i64 number = floor_div(call->ns, call->info->span_ns);
    call->ret->i = !flag->seen || number > flag->at;
    if (!call->ret->i) return RT_FINE;
    flag->seen = 1;
    flag->at = number;
    return RT_FINE;
}

/* A C function of the program; it sees and changes its state in place. */
static u32 external(const Call *call, void *cell)
{
    const RtProgram *program = flow_program_table(rt_host(call->pipe)->program);
    return program->externs[call->info->external](cell, call->v, call->ret) ? RT_OVERFLOW : RT_FINE;
}

static u32 question(const Call *call, void *cell)
{
    (void)cell;
    *call->ret_has = 1;
    return rt_ask(call->pipe, call->info, call->v, call->has, call->ret);
}

static const struct {
    u32 (*run)(const Call *call, void *cell);
    u64 cell_bytes;
} kinds[RT_MEM__COUNT] = {[RT_MEM_PREV] = {prev, sizeof(Last)},
                          [RT_MEM_DELTA] = {delta, sizeof(Last)},
                          [RT_MEM_RATE] = {rate, sizeof(Last)},
                          [RT_MEM_EMA] = {ema, sizeof(Ema)},
                          [RT_MEM_HYSTERESIS] = {hysteresis, sizeof(Flag)},
                          [RT_MEM_HELD] = {held, sizeof(Flag)},
                          [RT_MEM_BASELINE] = {baseline, sizeof(Baseline)},
                          [RT_MEM_EDGE] = {edge, sizeof(Flag)},
                          [RT_MEM_DEDUPE] = {dedupe, sizeof(Flag)},
                          [RT_MEM_DEADBAND] = {deadband, sizeof(Last)},
                          [RT_MEM_THROTTLE] = {throttle, sizeof(Throttle)},
                          [RT_MEM_SAMPLE] = {sample, sizeof(Flag)},
                          [RT_MEM_CELL] = {external, 0},
                          [RT_MEM_ASK] = {question, 0}};

/* ---- cells ---- */

RtMem *rt_mem_new(RtPipe *pipe, u32 index, u64 keys_max)
{
    RtMem *mem = mem_zalloc(1, sizeof *mem);
    if (!mem) return NULL;
    const RtMemInfo *info = &pipe->info->mems[index];
    mem->pipe = pipe;
    mem->info = info;
    mem->newest_ns = INT64_MIN;
    mem->cell_bytes = kinds[info->kind].cell_bytes;
    if (info->kind == RT_MEM_CELL || (info->kind == RT_MEM_PREV && rt_is_text(info->type)))
        mem->cell_bytes += info->bytes_max;
    if (info->kind == RT_MEM_THROTTLE) mem->cell_bytes += info->count * sizeof(i64);
    if (!info->key_count) mem->single = mem_zalloc(1, mem->cell_bytes + 1);
    int complete = info->key_count
                       ? rt_dict_init(&mem->dict, pipe, info->key_types, info->key_bytes_max,
                                      info->key_count, mem->cell_bytes, keys_max)
                       : mem->single != NULL;
    if (complete) return mem;
    rt_mem_free(mem);
    return NULL;
}

void rt_mem_free(RtMem *mem)
{
    if (!mem) return;
    if (mem->info->key_count) rt_dict_done(&mem->dict);
    mem_free(mem->single);
    mem_free(mem);
}

static RtEntry *entry_of(RtMem *mem, const RtValue *keys)
{
    u64 n;
    const char *p = rt_dict_encode(&mem->dict, keys, &n);
    return rt_dict_get(&mem->dict, p, n);
}

/* Forgets keys that passed so long ago that they change nothing; at most two a record. */
static void expire(RtMem *mem, i64 ns)
{
    if (ns > mem->newest_ns) mem->newest_ns = ns;
    for (int i = 0; i < 2 && mem->dict.oldest; i++) {
        const Flag *flag = (const void *)mem->dict.oldest->payload;
        if ((i128)mem->newest_ns - flag->at <= mem->info->span_ns) return;
        rt_dict_remove(&mem->dict, mem->dict.oldest);
    }
}

u32 rt_mem(RtPipe *pipe, u32 index, i64 ns, const RtValue *args, const u8 *has, RtValue *ret,
           u8 *ret_has)
{
    RtMem *mem = pipe->mems[index];
    const RtMemInfo *info = mem->info;
    Call call = {pipe, info, ns, args + info->key_count, has + info->key_count, ret, ret_has};
    *ret_has = 1;
    ret->u = 0;
    if (!info->key_count) return kinds[info->kind].run(&call, mem->single);
    if (info->kind == RT_MEM_DEDUPE) expire(mem, ns);
    RtEntry *entry = entry_of(mem, args);
    if (!entry) return RT_STATE_FULL;
    u32 why = kinds[info->kind].run(&call, entry->payload);
    if (info->kind != RT_MEM_DEDUPE || ret->i) rt_dict_touch(&mem->dict, entry);
    return why;
}

u64 rt_mem_forgotten(const RtPipe *pipe)
{
    u64 sum = 0;
    for (u32 i = 0; i < pipe->info->mem_count; i++)
        if (pipe->mems[i]->info->key_count) sum += pipe->mems[i]->dict.forgotten;
    return sum;
}

/* ---- saved state ---- */

/* i64 newest, u64 keys, then the oldest key first: u32 bytes, key, cell. Without keys: one cell. */
void rt_mem_save(const RtMem *mem, Buf *out)
{
    u64 count = mem->info->key_count ? mem->dict.count : 1;
    buf_add(out, &mem->newest_ns, 8);
    buf_add(out, &count, 8);
    if (!mem->info->key_count) {
        buf_add(out, mem->single, mem->cell_bytes);
        return;
    }
    for (const RtEntry *entry = mem->dict.oldest; entry; entry = entry->newer) {
        buf_add(out, &entry->len, 4);
        buf_add(out, rt_dict_bytes(entry), entry->len);
        buf_add(out, entry->payload, mem->cell_bytes);
    }
}

static int take(Str *bytes, void *to, u64 n)
{
    if (bytes->len < n) return 0;
    memcpy(to, bytes->ptr, n);
    *bytes = str_skip(*bytes, n);
    return 1;
}

/* What a damaged file must not make a cell say. */
static int sound(const RtMem *mem, const void *cell)
{
    const RtMemInfo *info = mem->info;
    const Last *last = cell;
    const Throttle *t = cell;
    if (info->kind == RT_MEM_PREV && rt_is_text(info->type))
        return last->value.s.n <= info->bytes_max;
    if (info->kind == RT_MEM_THROTTLE) return t->at < info->count && t->used <= info->count;
    return 1;
}

Status rt_mem_load(RtMem *mem, Str *bytes, Diag *diag)
{
    u64 count;
    if (!take(bytes, &mem->newest_ns, 8) || !take(bytes, &count, 8))
        return diag_set(diag, ST_CORRUPT, "the saved memory ends early");
    if (!mem->info->key_count) {
        if (!take(bytes, mem->single, mem->cell_bytes) || !sound(mem, mem->single))
            return diag_set(diag, ST_CORRUPT, "the saved memory is damaged");
        return ST_OK;
    }
    while (count--) {
        u32 len;
        if (!take(bytes, &len, 4) || bytes->len < len || !rt_dict_fits(&mem->dict, bytes->ptr, len))
            return diag_set(diag, ST_CORRUPT, "the saved memory is damaged");
        RtEntry *entry = rt_dict_get(&mem->dict, bytes->ptr, len);
        if (!entry) return diag_set(diag, ST_LIMIT, "the saved state does not fit");
        *bytes = str_skip(*bytes, len);
        if (!take(bytes, entry->payload, mem->cell_bytes) || !sound(mem, entry->payload))
            return diag_set(diag, ST_CORRUPT, "the saved memory is damaged");
        rt_dict_touch(&mem->dict, entry);
    }
    return ST_OK;
}
