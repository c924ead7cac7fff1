/* compiler/emit_c/stage.c: one stage of row code as one C function.
 *
 * Registers become locals of fitting C types, control becomes blocks and labels. A failure is a
 * call to the runtime's error route and a return, or a jump to the CATCH around it. `done` says how
 * the record ended (emitted, in a window, late), so that the counters of a pipeline always add up.
 */
#include "compiler/emit_c/emit_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "compiler/ir/facts.h"
#include "compiler/type/builtins.h"

static const char *const builtin_ids[] = {
#define BUILTIN(ID, name, args, params, result, unit, bound, reason, doc) #ID,
#include "stdlib/builtins.def"
#undef BUILTIN
};

const char *emit_ctype(IrType type)
{
    switch (type) {
    case IR_BOOL: return "u8";
    case IR_I32: return "i32";
    case IR_U32:
    case IR_ENUM: return "u32";
    case IR_U64: return "u64";
    case IR_F32: return "f32";
    case IR_F64: return "f64";
    case IR_STR:
    case IR_BYTES:
    case IR_JSON:
    case IR_LIST:
    case IR_ITEM: return "RtText";
    default: return "i64";
    }
}

bool emit_is_text(IrType type)
{
    return type == IR_STR || type == IR_BYTES || type == IR_JSON;
}

bool emit_is_slice(IrType type)
{
    return emit_is_text(type) || type == IR_LIST || type == IR_ITEM;
}

const char *emit_member(IrType type)
{
    if (emit_is_slice(type)) return "s";
    if (type == IR_F32 || type == IR_F64) return "d";
    return type == IR_U32 || type == IR_U64 ? "u" : "i";
}

const char *emit_reg(Emit *e, uint32_t reg)
{
    static _Thread_local char names[16][96];
    static _Thread_local unsigned turn;
    char *out = names[turn++ % 16];
    if (reg == NO_REG) return "1";
    Str name = e->stage->regs[reg].name;
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < 60; i++) {
        char c = name.ptr[i];
        bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        out[n++] = word ? c : '_';
    }
    snprintf(out + n, 96 - n, "_%" PRIu32, reg);
    return out;
}

static const IrReg *reg_of(const Emit *e, uint32_t reg)
{
    return &e->stage->regs[reg];
}

static void escape_name(Emit *e, Str text)
{
    if (text.len)
        emit_literal(e, text);
    else
        emit_f(e, "0");
}

void emit_leave(Emit *e, uint32_t node, const char *reason, Str field, Str name)
{
    if (e->try_count) {
        emit_f(e, "goto catch_%" PRIu32 ";", e->tries[e->try_count - 1]);
        return;
    }
    if (e->asks) {
        emit_f(e, "return 1;");
        return;
    }
    emit_f(e, "{ rt->error(pipe, %" PRIu32 ", %s, ", node, reason);
    escape_name(e, field);
    emit_f(e, ", ");
    escape_name(e, name);
    emit_f(e, "); return; }");
}

void emit_leave_ins(Emit *e, const IrIns *ins, const char *reason)
{
    emit_leave(e, ins->node, reason, ins->field, STR_NONE);
    emit_f(e, "\n");
}

/* ---- constants ---- */

static void constant(Emit *e, const IrIns *ins)
{
    const IrReg *dst = reg_of(e, ins->dst);
    emit_f(e, "    %s = ", emit_reg(e, ins->dst));
    switch (dst->type) {
    case IR_BOOL: emit_f(e, "%d", ins->imm.boolean); break;
    case IR_F32:
    case IR_F64:
        if (isfinite(ins->imm.number))
            emit_f(e, "%a", ins->imm.number);
        else
            emit_f(e, isnan(ins->imm.number) ? "__builtin_nan(\"\")" : "%s__builtin_inf()",
                   ins->imm.number < 0 ? "-" : "");
        break;
    case IR_U32:
    case IR_U64: emit_f(e, "%" PRIu64 "ull", ins->imm.natural); break;
    case IR_STR:
    case IR_BYTES:
    case IR_JSON:
        emit_f(e, "(RtText){");
        emit_literal(e, ins->imm.text);
        emit_f(e, ", %zu}", ins->imm.text.len);
        break;
    case IR_LIST: emit_f(e, "(RtText){\"\", 0}"); break;
    case IR_ITEM: { /* where there is none: every leaf missing */
        IrLeaf *leaves;
        uint32_t count;
        if (ir_leaves(e->ir, dst->record, e->arena, &leaves, &count) != ST_OK) {
            emit_fail(e, ST_NO_MEMORY, "compiling");
            break;
        }
        emit_f(e, "(RtText){(const char *)(const u64[%" PRIu32 "]){0}, 1}",
               2 * count + (count + 7) / 8);
        break;
    }
    default:
        if (ins->imm.integer == INT64_MIN)
            emit_f(e, "(-9223372036854775807ll - 1)");
        else
            emit_f(e, "%" PRId64 "ll", ins->imm.integer);
    }
    emit_f(e, ";\n");
}

/* ---- arithmetic ---- */

bool emit_is_float(IrType type)
{
    return type == IR_F32 || type == IR_F64;
}

static uint64_t power10(unsigned n)
{
    uint64_t v = 1;
    while (n--) v *= 10;
    return v;
}

static void arithmetic(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a), *b = emit_reg(e, ins->b);
    const IrReg *dst = reg_of(e, ins->dst);
    static const char *const names[] = {"add", "sub", "mul"};
    static const char signs[] = "+-*";
    int which = ins->op == IR_ADD ? 0 : ins->op == IR_SUB ? 1 : 2;
    if (emit_is_float(dst->type)) {
        emit_f(e, "    %s = %s %c %s;\n", d, a, signs[which], b);
        return;
    }
    emit_f(e, "    if (RT_RARE(__builtin_%s_overflow(%s, %s, &%s))) ", names[which], a, b, d);
    emit_leave_ins(e, ins, "RT_OVERFLOW");
}

static void divide(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a), *b = emit_reg(e, ins->b);
    IrType type = reg_of(e, ins->dst)->type;
    emit_f(e, "    if (RT_RARE(%s == 0)) ", b);
    emit_leave_ins(e, ins, "RT_DIV_ZERO");
    bool is_signed = type != IR_U32 && type != IR_U64 && !emit_is_float(type);
    if (ins->op == IR_IDIV && is_signed) { /* the least number by -1 does not fit */
        emit_f(e, "    if (RT_RARE(%s == -1 && __builtin_sub_overflow((%s)0, %s, &%s))) ", b,
               emit_ctype(type), a, d);
        emit_leave_ins(e, ins, "RT_OVERFLOW");
    }
    if (ins->op == IR_MOD && emit_is_float(type))
        emit_f(e, "    %s = (%s)rt->fmod(%s, %s);\n", d, emit_ctype(type), a, b);
    else if (ins->op == IR_MOD && is_signed)
        emit_f(e, "    %s = %s == -1 ? 0 : %s %% %s;\n", d, b, a, b);
    else
        emit_f(e, "    %s = %s %s %s;\n", d, a, ins->op == IR_MOD ? "%" : "/", b);
}

static void negate(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a);
    IrType type = reg_of(e, ins->dst)->type;
    if (emit_is_float(type)) {
        emit_f(e, "    %s = -%s;\n", d, a);
        return;
    }
    emit_f(e, "    if (RT_RARE(__builtin_sub_overflow((%s)0, %s, &%s))) ", emit_ctype(type), a, d);
    emit_leave_ins(e, ins, "RT_OVERFLOW");
}

static void convert(Emit *e, const IrIns *ins)
{
    const IrReg *from = reg_of(e, ins->a), *to = reg_of(e, ins->dst);
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a);
    unsigned fs = from->type == IR_DECIMAL ? from->scale : 0,
             ts = to->type == IR_DECIMAL ? to->scale : 0;
    if (emit_is_float(to->type)) {
        if (fs)
            emit_f(e, "    %s = (%s)((f64)%s / 1e%u);\n", d, emit_ctype(to->type), a, fs);
        else
            emit_f(e, "    %s = (%s)%s;\n", d, emit_ctype(to->type), a);
        return;
    }
    if (emit_is_float(from->type) && to->type == IR_DECIMAL) {
        emit_f(e, "    if (RT_RARE(rt->to_decimal((f64)%s, %u, &%s))) ", a, ts, d);
        emit_leave_ins(e, ins, "RT_OVERFLOW");
        return;
    }
    if (from->type == IR_DECIMAL && to->type == IR_DECIMAL && ts < fs) {
        emit_f(e, "    %s = rt->round_decimal(%s, %u, %" PRIu32 ");\n", d, a, fs - ts,
               ins->imm.index);
        return;
    }
    if (emit_is_float(from->type)) { /* exact, or overflow */
        static const struct {
            IrType type;
            const char *lo, *hi;
        } bounds[] = {{IR_I32, "-2147483648.0", "2147483648.0"},
                      {IR_U32, "0.0", "4294967296.0"},
                      {IR_U64, "0.0", "18446744073709551616.0"}};
        const char *lo = "-9223372036854775808.0", *hi = "9223372036854775808.0";
        for (size_t i = 0; i < COUNT_OF(bounds); i++)
            if (bounds[i].type == to->type) lo = bounds[i].lo, hi = bounds[i].hi;
        emit_f(e, "    { f64 x = (f64)%s; if (RT_RARE(!(x >= %s && x < %s && x == (f64)(%s)x))) ",
               a, lo, hi, emit_ctype(to->type));
        emit_leave_ins(e, ins, "RT_OVERFLOW");
        emit_f(e, "    %s = (%s)x; }\n", d, emit_ctype(to->type));
        return;
    }
    if (ts >= fs) {
        emit_f(e, "    if (RT_RARE(__builtin_mul_overflow(%s, %" PRIu64 "ll, &%s))) ", a,
               power10(ts - fs), d);
        emit_leave_ins(e, ins, "RT_OVERFLOW");
        return;
    }
    emit_f(e,
           "    if (RT_RARE(%s %% %" PRIu64 "ll || __builtin_add_overflow(%s / %" PRIu64
           "ll, 0, &%s))) ",
           a, power10(fs - ts), a, power10(fs - ts), d);
    emit_leave_ins(e, ins, "RT_OVERFLOW");
}

/* ---- comparison, text, calls ---- */

static void compare(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a), *b = emit_reg(e, ins->b);
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    const char *sign = signs[ins->op - IR_EQ];
    if (!emit_is_text(reg_of(e, ins->a)->type))
        emit_f(e, "    %s = %s %s %s;\n", d, a, sign, b);
    else if (ins->op == IR_EQ || ins->op == IR_NE)
        emit_f(e, "    %s = %s(%s.n == %s.n && !__builtin_memcmp(%s.p, %s.p, %s.n));\n", d,
               ins->op == IR_EQ ? "" : "!", a, b, a, b, a);
    else
        emit_f(e, "    %s = rt->compare(%s.p, %s.n, %s.p, %s.n) %s 0;\n", d, a, a, b, b, sign);
}

static void search(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a), *b = emit_reg(e, ins->b);
    if (ins->op == IR_MATCHES) {
        emit_f(e, "    %s = (u8)rt->matches(%s.p, %s.p, %s.n);\n", d, b, a, a);
        return;
    }
    if (ins->op == IR_CONTAINS) {
        emit_f(e, "    %s = (u8)rt->contains(%s.p, %s.n, %s.p, %s.n);\n", d, a, a, b, b);
        return;
    }
    emit_f(e, "    %s = %s.n >= %s.n && !__builtin_memcmp(%s.p", d, a, b, a);
    if (ins->op == IR_ENDS) emit_f(e, " + (%s.n - %s.n)", a, b);
    emit_f(e, ", %s.p, %s.n);\n", b, b);
}

static void bound(Emit *e, const IrIns *ins)
{
    uint32_t max = reg_of(e, ins->dst)->bytes_max;
    if (!max) return;
    emit_f(e, "    if (RT_RARE(%s.n > %" PRIu32 "u)) ", emit_reg(e, ins->dst), max);
    emit_leave_ins(e, ins, "RT_TOO_LONG");
}

static void to_text(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst), *a = emit_reg(e, ins->a);
    const IrReg *from = reg_of(e, ins->a);
    const char *call = NULL;
    switch (from->type) {
    case IR_STR:
    case IR_JSON: emit_f(e, "    %s = %s;\n", d, a); break;
    case IR_BOOL:
        emit_f(e, "    %s = %s ? (RtText){\"true\", 4} : (RtText){\"false\", 5};\n", d, a);
        break;
    case IR_ENUM:
        emit_f(e, "    { static const RtText names[] = {");
        for (uint32_t i = 0; i < from->names->count; i++) {
            emit_f(e, "{");
            emit_literal(e, from->names->names[i]);
            emit_f(e, ", %zu}, ", from->names->names[i].len);
        }
        emit_f(e, "}; %s = names[%s]; }\n", d, a);
        break;
    case IR_I32:
    case IR_I64: call = "put_i64(w, "; break;
    case IR_U32:
    case IR_U64: call = "put_u64(w, "; break;
    case IR_F32: call = "put_f32(w, "; break;
    case IR_TIME: call = "put_time(w, "; break;
    case IR_DURATION: call = "put_duration(w, "; break;
    case IR_BYTES:
        emit_f(e, "    { char *w = rt->scratch(pipe, %s.n * 2 + 8); if (RT_RARE(!w)) ", a);
        emit_leave_ins(e, ins, "RT_TOO_LONG");
        emit_f(e, "    %s.p = w; %s.n = (u64)(rt->put_base64(w, %s.p, %s.n) - w); }\n", d, d, a, a);
        break;
    default: call = "put_f64(w, "; break;
    }
    if (call) {
        emit_f(e, "    { char *w = rt->scratch(pipe, 64); if (RT_RARE(!w)) ");
        emit_leave_ins(e, ins, "RT_TOO_LONG");
        if (from->type == IR_DECIMAL)
            emit_f(e, "    %s.p = w; %s.n = (u64)(rt->put_decimal(w, %s, %u) - w); }\n", d, d, a,
                   from->scale);
        else
            emit_f(e, "    %s.p = w; %s.n = (u64)(rt->%s%s) - w); }\n", d, d, call, a);
    }
    bound(e, ins);
}

static void concat(Emit *e, const IrIns *ins)
{
    const uint32_t *args = e->stage->pool + ins->args;
    emit_f(e, "    { RtText text = {0, 0};\n");
    for (uint32_t i = 0; i < ins->arg_count; i++)
        emit_f(e, "    text.n += %s.n;\n", emit_reg(e, args[i]));
    uint32_t max = reg_of(e, ins->dst)->bytes_max;
    if (max) {
        emit_f(e, "    if (RT_RARE(text.n > %" PRIu32 "u)) ", max);
        emit_leave_ins(e, ins, "RT_TOO_LONG");
    }
    emit_f(e, "    char *w = rt->scratch(pipe, text.n + 1); if (RT_RARE(!w)) ");
    emit_leave_ins(e, ins, "RT_TOO_LONG");
    emit_f(e, "    text.p = w;\n");
    for (uint32_t i = 0; i < ins->arg_count; i++) {
        const char *a = emit_reg(e, args[i]);
        emit_f(e, "    __builtin_memcpy(w, %s.p, %s.n); w += %s.n;\n", a, a, a);
    }
    emit_f(e, "    %s = text; }\n", emit_reg(e, ins->dst));
}

static void call(Emit *e, const IrIns *ins)
{
    const uint32_t *args = e->stage->pool + ins->args;
    if (ins->imm.builtin >= COUNT_OF(builtin_ids)) {
        emit_fail(e, ST_INTERNAL, "a call of an unknown function");
        return;
    }
    emit_f(e, "    { RtValue args[%" PRIu32 "], ret = {0}; u32 why;\n",
           ins->arg_count ? ins->arg_count : 1);
    for (uint32_t i = 0; i < ins->arg_count; i++)
        emit_f(e, "    args[%" PRIu32 "].%s = %s;\n", i, emit_member(reg_of(e, args[i])->type),
               emit_reg(e, args[i]));
    emit_f(e, "    why = rt->builtin(pipe, RT_FN_%s, args, %" PRIu32 ", &ret);\n",
           builtin_ids[ins->imm.builtin], ins->arg_count);
    emit_f(e, "    if (RT_RARE(why)) ");
    emit_leave_ins(e, ins, "why");
    IrType type = reg_of(e, ins->dst)->type;
    emit_f(e, "    %s = (%s)ret.%s; }\n", emit_reg(e, ins->dst),
           emit_is_text(type) ? "RtText" : emit_ctype(type), emit_member(type));
    if (emit_is_text(type)) bound(e, ins);
}

static void meta(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst);
    switch (ins->imm.meta.what) {
    case META_TOPIC: emit_f(e, "    %s = (RtText){pipe->topic, pipe->topic_len};\n", d); break;
    case META_TOPIC_LEVEL:
        emit_f(e,
               "    { RtValue level; rt->meta_level(pipe, %" PRIu32 ", &level); %s = level.s; }\n",
               ins->imm.meta.level, d);
        break;
    case META_KEY: emit_f(e, "    %s = (RtText){pipe->key, pipe->key_len};\n", d); break;
    case META_RECEIVED: emit_f(e, "    %s = pipe->received_ns;\n", d); return;
    case META_KEPT:
        emit_f(e,
               "    %s = pipe->info->sources[pipe->source].keeps ? (RtText){pipe->raw, "
               "pipe->raw_len} : (RtText){\"{}\", 2};\n",
               d);
        break;
    case META_RAW: emit_f(e, "    %s = (RtText){pipe->raw, pipe->raw_len};\n", d); break;
    case META_HEADERS: emit_f(e, "    %s = rt_headers(pipe);\n", d); break;
    }
    bound(e, ins);
}

/* ---- the stream ---- */

static void pass(Emit *e, const IrIns *ins)
{
    uint32_t wire = ins->imm.index;
    const uint32_t *args = e->stage->pool + ins->args;
    uint32_t sources = ir_main_sources(e->pipeline);
    bool first = e->stage_index == 0 && wire < sources;
    char name[32];
    if (first && sources > 1)
        snprintf(name, sizeof name, "source");
    else
        snprintf(name, sizeof name, "%" PRIu32, wire);
    emit_f(e, "    wires[%s].count++;\n", name);
    if (!ins->arg_count) return;
    emit_f(e, "    if (RT_RARE(watch & 1ull << (%s & 63))) {\n", name);
    emit_arrays(e, args, ins->arg_count / 2);
    emit_f(e, "    rt->tap(pipe, %s, v, h); }\n", name);
}

static void watermark(Emit *e, const IrIns *ins)
{
    const IrTime *time = &e->pipeline->time;
    if (time->ahead_ns)
        emit_f(e,
               "    if (RT_RARE(!rt_watermark(pipe, rt, %s, %" PRId64
               "ll, pipe->received_ns + %" PRId64 "ll))) ",
               emit_reg(e, ins->a), time->order_ns, time->ahead_ns);
    else
        emit_f(e,
               "    if (RT_RARE(!rt_watermark(pipe, rt, %s, %" PRId64
               "ll, 0x7fffffffffffffffll))) ",
               emit_reg(e, ins->a), time->order_ns);
    emit_leave_ins(e, ins, "RT_FUTURE_TIME");
}

static void field(Emit *e, const IrIns *ins)
{
    const char *d = emit_reg(e, ins->dst);
    IrType type = reg_of(e, ins->dst)->type;
    uint32_t leaf = ins->a;
    if (e->stage->from == IR_FROM_WINDOW) { /* the row's values: keys, start, end, aggregates */
        const IrWindow *window = &e->pipeline->windows[e->stage->from_index];
        for (uint32_t a = 0; a < window->agg_count; a++)
            if (window->aggs[a].out == ins->a) leaf = window->key_count + 2 + a;
    }
    bool missing = ir_reads_empty(e->stage, ins->a);
    if (ins->op == IR_HAS)
        emit_f(e, "    %s = h[%" PRIu32 "];\n", d, leaf);
    else if (emit_is_slice(type) && missing)
        emit_f(e, "    %s = h[%" PRIu32 "] ? v[%" PRIu32 "].s : (RtText){0, 0};\n", d, leaf, leaf);
    else if (type == IR_ENUM && missing)
        emit_f(e, "    %s = h[%" PRIu32 "] ? (u32)v[%" PRIu32 "].i : 0;\n", d, leaf, leaf);
    else if (emit_is_slice(type))
        emit_f(e, "    %s = v[%" PRIu32 "].s;\n", d, leaf);
    else
        emit_f(e, "    %s = (%s)v[%" PRIu32 "].%s;\n", d, emit_ctype(type), leaf,
               emit_member(type));
}

static void fail(Emit *e, const IrIns *ins)
{
    char reason[16];
    snprintf(reason, sizeof reason, "%" PRIu32, ir_reason_number(ins->imm.fail.reason));
    emit_f(e, "    ");
    Str field = ins->imm.fail.field.len ? ins->imm.fail.field : ins->field;
    emit_leave(e, ins->node, reason, field, ins->imm.fail.reason);
    emit_f(e, " /* %.*s */\n", STR_ARG(ins->imm.fail.reason));
}

/* The counters are told at the end: an earlier sink may have taken the record. */
static void drop(Emit *e)
{
    if (e->arm_count)
        emit_f(e, "    goto arm_%" PRIu32 ";\n", e->arms[e->arm_count - 1]);
    else
        emit_f(e, "    goto end;\n");
}

static void control(Emit *e, const IrIns *ins)
{
    switch (ins->op) {
    case IR_IF: emit_f(e, "    if (%s) {\n", emit_reg(e, ins->a)); break;
    case IR_ELSE: emit_f(e, "    } else {\n"); break;
    case IR_END: emit_f(e, "    }\n"); break;
    case IR_TRY:
        if (e->try_count == EMIT_TRY_MAX) {
            emit_fail(e, ST_UNSUPPORTED, "more than %d `try` inside each other", EMIT_TRY_MAX);
            break;
        }
        e->tries[e->try_count++] = e->labels++;
        emit_f(e, "    {\n");
        break;
    case IR_ARM:
        if (e->arm_count == EMIT_ARM_MAX) {
            emit_fail(e, ST_UNSUPPORTED, "more than %d arms inside each other", EMIT_ARM_MAX);
            break;
        }
        e->arms[e->arm_count++] = e->labels++;
        emit_f(e, "    {\n");
        break;
    case IR_ENDARM: emit_f(e, "    arm_%" PRIu32 ":; }\n", e->arms[--e->arm_count]); break;
    case IR_CATCH:
        emit_f(e, "    goto tried_%" PRIu32 "; catch_%" PRIu32 ":;\n", e->tries[e->try_count - 1],
               e->tries[e->try_count - 1]);
        e->tries[e->try_count - 1] |= 0x80000000u; /* from here on failures go further out */
        break;
    default: break;
    }
}

static void instruction(Emit *e, const IrIns *ins);

/* Between CATCH and ENDTRY failures belong to the next TRY outside. */
static void code(Emit *e)
{
    uint32_t closed[EMIT_TRY_MAX], closed_count = 0;
    for (uint32_t i = 0; i < e->stage->code_count && !e->failed; i++) {
        const IrIns *ins = &e->stage->code[i];
        if (ins->op == IR_CATCH) {
            control(e, ins);
            closed[closed_count++] = e->tries[--e->try_count] & 0x7fffffffu;
        } else if (ins->op == IR_ENDTRY) {
            emit_f(e, "    tried_%" PRIu32 ":; }\n", closed[--closed_count]);
        } else {
            instruction(e, ins);
        }
    }
}

static void line_of(Emit *e, const IrIns *ins)
{
    const Source *source = e->ir->source;
    if (!source || ins->span.end == 0) return;
    if (ins->span.file != source->id) source = source->set->list[ins->span.file];
    uint32_t line = source_place(source, ins->span.start).line;
    if (line == e->line && source->id == e->line_file) return;
    e->line = line;
    e->line_file = source->id;
    emit_f(e, "#line %" PRIu32 " ", line);
    emit_literal(e, source->path);
    emit_f(e, "\n");
}

static void instruction(Emit *e, const IrIns *ins)
{
    line_of(e, ins);
    switch (ins->op) {
    case IR_CONST: constant(e, ins); break;
    case IR_MOVE: emit_f(e, "    %s = %s;\n", emit_reg(e, ins->dst), emit_reg(e, ins->a)); break;
    case IR_FIELD:
    case IR_HAS: field(e, ins); break;
    case IR_META: meta(e, ins); break;
    case IR_CONV: convert(e, ins); break;
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: arithmetic(e, ins); break;
    case IR_DIV:
    case IR_IDIV:
    case IR_MOD: divide(e, ins); break;
    case IR_NEG: negate(e, ins); break;
    case IR_FINITE:
        emit_f(e, "    %s = %s; if (RT_RARE(!(__builtin_fabs(%s) <= %s))) ", emit_reg(e, ins->dst),
               emit_reg(e, ins->a), emit_reg(e, ins->a),
               reg_of(e, ins->dst)->type == IR_F32 ? "0x1.fffffep+127" : "0x1.fffffffffffffp+1023");
        emit_leave_ins(e, ins, "RT_OVERFLOW");
        break;
    case IR_EQ:
    case IR_NE:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE: compare(e, ins); break;
    case IR_AND:
    case IR_OR:
        emit_f(e, "    %s = %s %c %s;\n", emit_reg(e, ins->dst), emit_reg(e, ins->a),
               ins->op == IR_AND ? '&' : '|', emit_reg(e, ins->b));
        break;
    case IR_NOT: emit_f(e, "    %s = !%s;\n", emit_reg(e, ins->dst), emit_reg(e, ins->a)); break;
    case IR_STARTS:
    case IR_ENDS:
    case IR_CONTAINS:
    case IR_MATCHES: search(e, ins); break;
    case IR_TEXT: to_text(e, ins); break;
    case IR_CONCAT: concat(e, ins); break;
    case IR_CALL: call(e, ins); break;
    case IR_LIST_OF:
    case IR_INDEX:
    case IR_COUNT_OF:
    case IR_ITEM_FIELD:
    case IR_LIST_HAS:
    case IR_LIST_AGG: emit_list(e, ins); break;
    case IR_MEM: emit_mem(e, ins); break;
    case IR_FAIL: fail(e, ins); break;
    case IR_DROP: drop(e); break;
    case IR_PASS: pass(e, ins); break;
    case IR_WATERMARK: watermark(e, ins); break;
    case IR_CLOCK: emit_clock(e, ins); break;
    case IR_WINDOW: emit_window(e, ins); break;
    case IR_EACH: emit_each(e, ins); break;
    case IR_LOOKUP:
    case IR_REMEMBER:
    case IR_RECALL: emit_join(e, ins); break;
    case IR_EMIT: emit_row(e, ins); break;
    default: control(e, ins); break;
    }
}

static void registers(Emit *e)
{
    for (uint32_t r = 0; r < e->stage->reg_count; r++)
        if (e->stage->regs[r].type != IR_NONE && e->stage->regs[r].type != IR_RECORD)
            emit_f(e, "    %s %s;\n", emit_ctype(e->stage->regs[r].type), emit_reg(e, r));
}

void emit_filter(Emit *e)
{
    e->stage = e->pipeline->filter;
    e->stage_index = 0;
    e->try_count = e->arm_count = 0;
    e->line = 0;
    emit_f(e, "static u32 keeps_%" PRIu32 "(RtPipe *pipe, const RtValue *v, const u8 *h)\n{\n",
           e->index);
    registers(e);
    e->asks = true;
    code(e);
    e->asks = false;
    emit_f(e, "    return %s;\n}\n", emit_reg(e, e->pipeline->filter_keeps));
}

void emit_stage(Emit *e, uint32_t index)
{
    e->stage = &e->pipeline->stages[index];
    e->stage_index = index;
    e->try_count = e->arm_count = 0;
    e->line = 0;
    emit_f(e,
           "%s void stage_%" PRIu32 "_%" PRIu32
           "(RtPipe *pipe, const RtValue *v, const u8 *h%s)\n{\n",
           index == 0 ? "RT_INLINE" : "static", e->index, index, index == 0 ? ", u32 source" : "");
    emit_f(e, "    u32 done = 0;\n    RtWire *const wires = pipe->wires;\n    const u64 watch = "
              "pipe->watch;\n");
    registers(e);
    code(e);
    emit_f(e, "end:\n");
    if (ir_stage_asks(e->pipeline, e->stage))
        emit_f(e, "    if (pipe->asked) { pipe->asked = 0; return; }\n");
    if (e->stage->from == IR_FROM_ASK) emit_f(e, "    if (!pipe->in_row) {\n");
    if (e->stage->from == IR_FROM_SOURCE || e->stage->from == IR_FROM_ASK) {
        emit_f(e, "    if (done == 2) pipe->n.state++; else if (done == 1) pipe->n.emitted++;\n");
        emit_f(e, "    else if (done == 3) pipe->n.late++; else pipe->n.filtered++;\n");
    }
    if (e->stage->from == IR_FROM_ASK) emit_f(e, "    return; }\n");
    if (e->stage->from != IR_FROM_SOURCE) {
        emit_f(
            e,
            "    if (done == 2) pipe->n.row_state++; else if (done == 1) pipe->n.row_emitted++;\n");
        emit_f(e, "    else if (done == 3) pipe->n.row_late++; else pipe->n.row_filtered++;\n");
    }
    emit_f(e, "}\n");
}
