/* compiler/emit_llvm/row.c: rows out, as emit_c/row.c writes them: constant bytes with values
 * between.
 *
 * The room is reserved once, so writing checks nothing; neighbouring constants are one copy. Every
 * field after the first writes its comma in front; where the first may be missing, the comma
 * written first is turned into the brace afterwards. */
#include "compiler/emit_llvm/jit_int.h"

#include "compiler/ir/facts.h"

typedef struct Row {
    const uint32_t *pairs; /* value and has of each leaf */
    uint32_t leaf, count;
} Row;

static void flush(Jit *j)
{
    if (!j->literal.len) return;
    LLVMValueRef w = jit_load(j, j->w), text = jit_bytes(j, buf_view(&j->literal));
    LLVMBuildMemCpy(j->builder, w, 1, text, 1, jit_i64(j, j->literal.len));
    jit_store(j, jit_at(j, w, j->literal.len), j->w);
    buf_clear(&j->literal);
}

/* A field's name as JSON: names are identifiers, but escape what must be. */
static void constant_name(Jit *j, char separator, Str name)
{
    buf_char(&j->literal, separator);
    buf_char(&j->literal, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\') buf_char(&j->literal, '\\');
        buf_char(&j->literal, name.ptr[i]);
    }
    buf_text(&j->literal, "\":");
}

/* No default: a new type must be given its writer. */
static void put(Jit *j, uint32_t reg)
{
    const IrReg *r = jit_reg(j, reg);
    LLVMValueRef v = jit_get(j, reg);
    switch (r->type) {
    case IR_BOOL: CALL(j, "row_put_bool", j->w, v); break;
    case IR_I32:
    case IR_I64: CALL(j, "row_put_i64", j->w, jit_get_wide(j, reg)); break;
    case IR_U32:
    case IR_U64: CALL(j, "row_put_u64", j->w, jit_get_wide(j, reg)); break;
    case IR_F32: CALL(j, "row_put_f32", j->w, v); break;
    case IR_F64: CALL(j, "row_put_f64", j->w, v); break;
    case IR_TIME: CALL(j, "row_put_time", j->w, v); break;
    case IR_DURATION: CALL(j, "row_put_duration", j->w, v); break;
    case IR_DECIMAL: CALL(j, "row_put_decimal", j->w, v, jit_i32(j, r->scale)); break;
    case IR_ENUM:
        CALL(j, "row_put_name", j->w, jit_texts(j, r->names->names, r->names->count), v);
        break;
    case IR_STR: CALL(j, "row_put_string", j->w, v); break;
    case IR_BYTES: CALL(j, "row_put_base64", j->w, v); break;
    case IR_JSON: CALL(j, "row_put_raw", j->w, v); break;
    case IR_LIST: CALL(j, "row_put_list", j->w, jit_schema(j, r->record), v); break;
    case IR_NONE:
    case IR_ITEM:
    case IR_RECORD:
    case IR__COUNT: jit_fail(j, ST_UNSUPPORTED, "a row with a %s", ir_type_name(r->type)); break;
    }
}

static void value(Jit *j, uint32_t reg)
{
    IrType type = jit_reg(j, reg)->type;
    bool quoted = type == IR_STR || type == IR_BYTES || type == IR_TIME || type == IR_DURATION ||
                  type == IR_ENUM;
    if (quoted) buf_char(&j->literal, '"');
    flush(j);
    put(j, reg);
    if (quoted) buf_char(&j->literal, '"');
}

static bool always_there(const Row *row, const IrField *field)
{
    if (field->type == IR_RECORD) return !field->optional;
    return row->pairs[2 * row->leaf + 1] == NO_REG;
}

/* A nested record that may be missing is there when any of its leaves is. */
static LLVMValueRef is_there(Jit *j, const Row *row, const IrField *field)
{
    LLVMValueRef any = jit_bool(j, false);
    uint32_t count = field->type == IR_RECORD ? ir_leaf_count(j->ir, field->record) : 1;
    for (uint32_t i = 0; i < count && row->leaf + i < row->count; i++)
        any = LLVMBuildOr(j->builder, any, jit_get_has(j, row->pairs[2 * (row->leaf + i) + 1]), "");
    return any;
}

static void object(Jit *j, Row *row, uint32_t schema);

static void member(Jit *j, Row *row, const IrField *field, char separator)
{
    if (!field->name.len) { /* whole members, each with its comma: `unknown keep` */
        value(j, row->pairs[2 * row->leaf++]);
        return;
    }
    constant_name(j, separator, field->name);
    if (field->type == IR_RECORD)
        object(j, row, field->record);
    else
        value(j, row->pairs[2 * row->leaf++]);
}

static void member_if_there(Jit *j, Row *row, const IrField *field)
{
    flush(j);
    LLVMBasicBlockRef yes = jit_block(j), next = jit_block(j);
    jit_goto_if(j, is_there(j, row, field), yes, next);
    jit_in(j, yes);
    member(j, row, field, ',');
    flush(j);
    jit_goto(j, next);
    jit_in(j, next);
}

static void object(Jit *j, Row *row, uint32_t schema)
{
    const IrSchema *s = &j->ir->schemas[schema];
    bool certain = s->count && always_there(row, &s->fields[0]);
    LLVMValueRef start = NULL;
    if (!certain) {
        flush(j);
        start = jit_load(j, j->w);
    }
    for (uint32_t i = 0; i < s->count && row->leaf < row->count; i++) {
        if (always_there(row, &s->fields[i]))
            member(j, row, &s->fields[i], i == 0 && certain ? '{' : ',');
        else
            member_if_there(j, row, &s->fields[i]);
    }
    if (!certain) {
        flush(j);
        CALL(j, "row_object_end", j->w, start);
    }
    buf_char(&j->literal, '}');
}

/* Room a row can need: constants, 64 bytes a number, six a byte of text. */
static void reserve(Jit *j, const IrIns *ins, const Row *row, const IrSink *sink)
{
    LLVMValueRef room = jit_i64(j, ir_row_bytes(j->ir, sink->schema) + (uint64_t)64 * row->count);
    for (uint32_t i = 0; i < row->count; i++) {
        uint32_t reg = row->pairs[2 * i];
        if (reg == NO_REG || !jit_is_slice(jit_reg(j, reg)->type)) continue;
        LLVMValueRef has = jit_get_has(j, row->pairs[2 * i + 1]), more;
        if (jit_reg(j, reg)->type == IR_LIST)
            more = CALL(j, "row_list_room", jit_schema(j, jit_reg(j, reg)->record), jit_get(j, reg),
                        has);
        else
            more = CALL(j, "row_room", jit_get(j, reg), has);
        room = LLVMBuildAdd(j->builder, room, more, "");
    }
    LLVMValueRef w = CALL(j, "row_begin", j->pipe, jit_i32(j, ins->imm.index), room);
    jit_store(j, w, j->w);
    jit_leave_if(j, ins, LLVMBuildIsNull(j->builder, w, ""), RT_OVERFLOW);
}

/* `as text`, `as raw`: the first leaf as it is. */
static void plain(Jit *j, const Row *row, IrFormat format)
{
    uint32_t reg = row->count ? row->pairs[0] : NO_REG;
    if (reg == NO_REG || !jit_is_text(jit_reg(j, reg)->type)) {
        jit_fail(j, ST_UNSUPPORTED,
                 "a sink `as text` or `as raw` takes rows whose first field is text");
        return;
    }
    CALL(j, "row_put_raw", j->w, jit_get(j, reg));
    if (format == FORMAT_TEXT) buf_char(&j->literal, '\n');
}

/* Topic or path of the row; empty where the sink has one of its own. */
static LLVMValueRef address_of(Jit *j, const IrIns *ins)
{
    if (ins->a != NO_REG) return jit_get(j, ins->a);
    LLVMValueRef parts[] = {jit_bytes(j, STR_NONE), jit_i64(j, 0)};
    return jit_constant(j, LLVMConstNamedStruct(j->type.text, parts, 2));
}

void jit_row(Jit *j, const IrIns *ins)
{
    const IrSink *sink = &j->pipeline->sinks[ins->imm.index];
    Row row = {.pairs = j->stage->pool + ins->args, .count = ins->arg_count / 2};
    LLVMValueRef at = jit_i32(j, ins->imm.index);
    if (sink->format == FORMAT_CSV || ir_format_is_bytes(sink->format)) {
        jit_arrays(j, row.pairs, row.count);
        CALL(j, "row_other", j->pipe, at, jit_i32(j, sink->format), j->row_v, j->row_h,
             address_of(j, ins));
    } else {
        reserve(j, ins, &row, sink);
        if (sink->format == FORMAT_TEXT || sink->format == FORMAT_RAW) {
            plain(j, &row, sink->format);
        } else {
            object(j, &row, sink->schema);
            buf_char(&j->literal, '\n');
        }
        flush(j);
        CALL(j, "row_end", j->pipe, at, jit_load(j, j->w), address_of(j, ins));
    }
    CALL(j, "op_done_emitted", j->done);
}
