/* compiler/emit_llvm/window.c: a record into the state of its window.
 *
 * Plain windows (ir/facts.h) are hot: the slot is found inline and the aggregates are written in
 * place, at the offsets of the program's tables. All others hand their values to RtApi.window_add.
 */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

typedef struct Add {
    const IrIns *ins;
    const IrAgg *agg;
    const RtAggInfo *info;
    LLVMValueRef slot, state; /* of this aggregate */
    uint32_t value;           /* register or NO_REG */
    bool leaves, ask;         /* the record may leave here; nothing is added */
} Add;

static LLVMValueRef add_value(Jit *j, const Add *add)
{
    if (add->value != NO_REG) return jit_get_wide(j, add->value);
    return jit_is_float(add->agg->type) ? jit_f64(j, 0) : jit_i64(j, 0);
}

/* The value as a double; what a mean and a deviation are made of. */
static LLVMValueRef add_real(Jit *j, const Add *add)
{
    LLVMValueRef v = add_value(j, add);
    IrType type = add->value == NO_REG ? IR_I64 : jit_reg(j, add->value)->type;
    if (jit_is_float(type)) return v;
    JitKind kind = jit_kind(type);
    return kind == JIT_U32 || kind == JIT_U64 ? LLVMBuildUIToFP(j->builder, v, j->type.f64, "")
                                              : LLVMBuildSIToFP(j->builder, v, j->type.f64, "");
}

static bool is_signed(const IrAgg *agg)
{
    return agg->type != IR_U32 && agg->type != IR_U64;
}

static void add_sum(Jit *j, const Add *add)
{
    if (!ir_agg_can_fail(add->agg))
        CALL(j, "agg_sum_f64", add->state, add_real(j, add));
    else
        CALL(j, is_signed(add->agg) ? "agg_sum_i64" : "agg_sum_u64", add->state, add_value(j, add));
}

/* Adds, or only asks; a record that cannot be added leaves, and the slot is as it was. */
static void add_or_leave(Jit *j, const Add *add)
{
    LLVMValueRef window = jit_i32(j, add->ins->imm.index);
    bool ask = add->ask, natural = !is_signed(add->agg);
    if (add->agg->kind == AGG_QUANTILE)
        jit_leave_if(j, add->ins,
                     CALL(j, ask ? "agg_room" : "agg_try_quantile", j->pipe, window, add->slot,
                          add->state, add_real(j, add), jit_i32(j, add->info->bits)),
                     RT_STATE_FULL);
    else
        jit_leave_if(j, add->ins,
                     CALL(j,
                          ask       ? natural ? "agg_fits_u64" : "agg_fits_i64"
                          : natural ? "agg_try_u64"
                                    : "agg_try_i64",
                          j->pipe, window, add->slot, add->state, add_value(j, add)),
                     RT_OVERFLOW);
}

static void add_pick(Jit *j, const Add *add)
{
    static const char *const picks[] = {"agg_min_", "agg_max_", "agg_first_", "agg_last_"};
    if (!jit_is_text(add->agg->type)) {
        CALL(j, jit_op(picks[add->agg->kind - AGG_MIN], jit_wide_suffix(add->agg->type)),
             add->state, add_value(j, add));
    } else if (add->agg->kind == AGG_MIN || add->agg->kind == AGG_MAX) {
        jit_fail(j, ST_UNSUPPORTED, "min and max of text");
    } else {
        CALL(j, "agg_text", add->state, jit_get(j, add->value),
             jit_i32(j, add->agg->kind == AGG_LAST));
    }
}

/* No default: a new aggregate must be given its code. */
static void add(Jit *j, const Add *add)
{
    if (add->leaves) {
        add_or_leave(j, add);
        return;
    }
    switch (add->agg->kind) {
    case AGG_COUNT: CALL(j, "agg_count", add->state); break;
    case AGG_COUNT_IF:
        CALL(j, "agg_count_if", add->state,
             add->value == NO_REG ? jit_bool(j, false) : jit_get(j, add->value));
        break;
    case AGG_MEAN:
    case AGG_SUM: add_sum(j, add); break;
    case AGG_MIN:
    case AGG_MAX:
    case AGG_FIRST:
    case AGG_LAST: add_pick(j, add); break;
    case AGG_STDDEV: CALL(j, "agg_stddev", add->state, add_real(j, add)); break;
    case AGG_QUANTILE:
        CALL(j, "agg_quantile", j->pipe, jit_i32(j, add->ins->imm.index), add->state,
             add_real(j, add), jit_i32(j, add->info->bits));
        break;
    case AGG_DISTINCT:
    case AGG_DELTA:
    case AGG_RATE:
    case AGG_TIME_WEIGHTED:
    case AGG_LIST:
    case AGG_REVISION:
    case AGG__COUNT: jit_fail(j, ST_INTERNAL, "not an aggregate of a plain window"); break;
    }
}

static void add_present(Jit *j, const Add *what, uint32_t has)
{
    if (has == NO_REG) {
        add(j, what);
        return;
    }
    LLVMBasicBlockRef yes = jit_block(j), next = jit_block(j);
    jit_goto_if(j, jit_get(j, has), yes, next);
    jit_in(j, yes);
    add(j, what);
    jit_goto(j, next);
    jit_in(j, next);
}

/* In the order that ir/facts.h tells. */
static void add_all(Jit *j, const IrIns *ins, const IrWindow *window, LLVMValueRef slot)
{
    const RtWindowInfo *info = &j->info->windows[ins->imm.index];
    const uint32_t *values = j->stage->pool + ins->args + window->key_count;
    uint32_t last = ir_last_to_fail(window);
    for (uint32_t step = 0; step < 2 * window->agg_count; step++) {
        uint32_t a = step % window->agg_count;
        bool first = step < window->agg_count;
        if (first ? last == NO_INDEX || a > last || !ir_agg_can_fail(&window->aggs[a]) : a == last)
            continue;
        Add what = {.ins = ins,
                    .agg = &window->aggs[a],
                    .info = &info->aggs[a],
                    .slot = slot,
                    .state = jit_at(j, slot, info->aggs[a].offset),
                    .value = values[2 * a],
                    .leaves = first,
                    .ask = first && a < last};
        add_present(j, &what, values[2 * a + 1]);
    }
}

static void late(Jit *j, const IrWindow *window, const uint32_t *row, uint32_t count)
{
    if (window->late_stage != NO_INDEX && count) {
        jit_arrays(j, row, count);
        LLVMValueRef before = CALL(j, "op_late_begin", j->pipe);
        LLVMValueRef args[] = {j->pipe, j->row_v, j->row_h, jit_i32(j, 0)};
        LLVMBuildCall2(j->builder, j->type.stage, j->stages[window->late_stage], args, 4, "");
        CALL(j, "op_late_end", j->pipe, before);
    }
    CALL(j, "op_done_late", j->done);
}

/* Into row_v; the look-up compares whole words. */
static void put_keys(Jit *j, const uint32_t *keys, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        CALL(j, "op_clear", jit_at(j, j->row_v, k));
        jit_to_value(j, keys[k], jit_at(j, j->row_v, k));
    }
}

/* Time of the record: a register, or what the runtime has at hand. */
static LLVMValueRef when(Jit *j, const IrIns *ins, const IrWindow *window)
{
    if (ins->a != NO_REG) return jit_get(j, ins->a);
    bool event = window->event_time || window->behind;
    return CALL(j, event ? "op_event_time" : "op_meta_received", j->pipe);
}

/* Found inline where the window and its key allow it. */
static LLVMValueRef find_slot(Jit *j, const IrIns *ins, const IrWindow *window)
{
    LLVMValueRef ns = when(j, ins, window), at = jit_i32(j, ins->imm.index);
    if (window->kind != WINDOW_TUMBLE || window->key_count > 1)
        return CALL(j, "op_slot", j->pipe, at, ns, j->row_v, j->why);
    const char *name = !window->key_count                  ? "op_slot_one"
                       : jit_is_text(window->keys[0].type) ? "op_slot_text"
                                                           : "op_slot_word";
    return CALL(j, name, j->pipe, at, ns, jit_i64(j, (uint64_t)window->size_ns),
                jit_i32(j, window->event_time), j->row_v, j->why);
}

static void plain_add(Jit *j, const IrIns *ins, const IrWindow *window)
{
    const uint32_t *args = j->stage->pool + ins->args;
    uint32_t used = window->key_count + 2 * window->agg_count;
    put_keys(j, args, window->key_count);
    LLVMValueRef slot = find_slot(j, ins, window);
    LLVMBasicBlockRef none = jit_block(j), some = jit_block(j), next = jit_block(j);
    jit_goto_if_rare(j, LLVMBuildIsNull(j->builder, slot, ""), none, some);
    jit_in(j, none);
    jit_leave_if_why(j, ins, jit_load(j, j->why));
    late(j, window, args + used, ins->arg_count > used ? (ins->arg_count - used) / 2 : 0);
    jit_goto(j, next);
    jit_in(j, some);
    add_all(j, ins, window, slot);
    if (window->kind == WINDOW_COUNT)
        CALL(j, "op_slot_full", j->pipe, jit_i32(j, ins->imm.index), slot);
    jit_store(j, jit_i32(j, 2), j->done);
    jit_goto(j, next);
    jit_in(j, next);
}

/* Values as they are, one for each aggregate, behind the keys; the runtime adds them. */
static void any_add(Jit *j, const IrIns *ins, const IrWindow *window)
{
    uint32_t keys = window->key_count, used = keys + 2 * window->agg_count;
    const uint32_t *args = j->stage->pool + ins->args, *values = args + keys;
    put_keys(j, args, keys);
    for (uint32_t a = 0; a < window->agg_count; a++) {
        LLVMValueRef to = jit_at(j, j->row_v, keys + a);
        CALL(j, "op_clear", to);
        if (values[2 * a] != NO_REG) jit_to_value(j, values[2 * a], to);
        jit_set_has(j, keys + a, jit_get_has(j, values[2 * a + 1]));
    }
    LLVMValueRef is_late =
        CALL(j, "op_window_add", j->pipe, jit_i32(j, ins->imm.index), when(j, ins, window),
             j->row_v, jit_at(j, j->row_v, keys), jit_at(j, j->row_h, keys), j->why);
    LLVMBasicBlockRef out = jit_block(j), in = jit_block(j), next = jit_block(j);
    jit_goto_if_rare(j, is_late, out, in);
    jit_in(j, out);
    jit_leave_if_why(j, ins, jit_load(j, j->why));
    late(j, window, args + used, ins->arg_count > used ? (ins->arg_count - used) / 2 : 0);
    jit_goto(j, next);
    jit_in(j, in);
    jit_store(j, jit_i32(j, 2), j->done);
    jit_goto(j, next);
    jit_in(j, next);
}

void jit_window(Jit *j, const IrIns *ins)
{
    const IrWindow *window = &j->pipeline->windows[ins->imm.index];
    if (ir_window_plain(window))
        plain_add(j, ins, window);
    else
        any_add(j, ins, window);
}

void jit_clock(Jit *j, const IrIns *ins)
{
    put_keys(j, j->stage->pool + ins->args, j->pipeline->time.key_count);
    jit_leave_if_why(j, ins, CALL(j, "op_clock", j->pipe, jit_get(j, ins->a), j->row_v));
}
