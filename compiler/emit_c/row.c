/* compiler/emit_c/row.c: rows out: a template of constant bytes with values between.
 *
 * The room for a row is reserved once, from the constants and the lengths of its texts, so that
 * writing checks nothing. Neighbouring constants are joined into one copy. Every field after the
 * first writes its comma in front; where the first field may be missing, the comma written first is
 * turned into the brace afterwards. */
#include "compiler/emit_c/emit_int.h"

#include "compiler/ir/facts.h"

#include <inttypes.h>

typedef struct Row {
    Emit *e;
    const uint32_t *pairs; /* value and has of each leaf */
    uint32_t leaf, count;
    uint64_t constant_bytes;
    unsigned marks; /* names of the start of nested objects */
} Row;

static void flush(Emit *e)
{
    if (!e->literal.len) return;
    emit_f(e, "    __builtin_memcpy(w, ");
    emit_literal(e, buf_view(&e->literal));
    emit_f(e, ", %zu); w += %zu;\n", e->literal.len, e->literal.len);
    buf_clear(&e->literal);
}

static void constant(Emit *e, const char *text)
{
    buf_text(&e->literal, text);
}

/* A field's name as JSON: names are identifiers, but escape what must be. */
static void constant_name(Emit *e, char separator, Str name)
{
    if (separator) buf_char(&e->literal, separator);
    buf_char(&e->literal, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\') buf_char(&e->literal, '\\');
        buf_char(&e->literal, name.ptr[i]);
    }
    buf_text(&e->literal, "\":");
}

static void names_table(Emit *e, const IrEnum *names)
{
    emit_f(e, "static const RtText names[] = {");
    for (uint32_t i = 0; i < names->count; i++) {
        emit_f(e, "{");
        emit_literal(e, names->names[i]);
        emit_f(e, ", %zu}, ", names->names[i].len);
    }
    emit_f(e, "};");
}

static void value(Emit *e, uint32_t reg)
{
    const IrReg *r = &e->stage->regs[reg];
    const char *name = emit_reg(e, reg), *call = NULL;
    bool quoted = r->type == IR_STR || r->type == IR_BYTES || r->type == IR_TIME ||
                  r->type == IR_DURATION || r->type == IR_ENUM;
    if (quoted) constant(e, "\"");
    flush(e);
    switch (r->type) {
    case IR_BOOL:
        emit_f(e,
               "    if (%s) { __builtin_memcpy(w, \"true\", 4); w += 4; } else { "
               "__builtin_memcpy(w, \"false\", 5); w += 5; }\n",
               name);
        break;
    case IR_I32:
    case IR_I64: call = "put_i64"; break;
    case IR_U32:
    case IR_U64: call = "put_u64"; break;
    case IR_F32: call = "put_f32"; break;
    case IR_F64: call = "put_f64"; break;
    case IR_TIME: call = "put_time"; break;
    case IR_DURATION: call = "put_duration"; break;
    case IR_DECIMAL: emit_f(e, "    w = rt->put_decimal(w, %s, %u);\n", name, r->scale); break;
    case IR_ENUM:
        emit_f(e, "    { ");
        names_table(e, r->names);
        emit_f(e, " __builtin_memcpy(w, names[%s].p, names[%s].n); w += names[%s].n; }\n", name,
               name, name);
        break;
    case IR_STR: emit_f(e, "    w = rt_put_plain(rt, w, %s.p, %s.n);\n", name, name); break;
    case IR_LIST:
        emit_f(e,
               "    { RtValue list = {.s = %s}; w = rt->put_list(w, &schema_%" PRIu32
               ", &list); }\n",
               name, r->record);
        break;
    case IR_BYTES: emit_f(e, "    w = rt->put_base64(w, %s.p, %s.n);\n", name, name); break;
    default:
        emit_f(e, "    __builtin_memcpy(w, %s.p, %s.n); w += %s.n;\n", name, name, name);
        break;
    }
    if (call) emit_f(e, "    w = rt->%s(w, %s);\n", call, name);
    if (quoted) constant(e, "\"");
}

static bool always_there(const Row *row, const IrField *field, uint32_t leaf)
{
    if (field->type == IR_RECORD) return !field->optional;
    return row->pairs[2 * leaf + 1] == NO_REG;
}

/* A nested record that may be missing is there when any of its leaves is. */
static void any_there(Row *row, uint32_t count)
{
    emit_f(row->e, "    if (0");
    for (uint32_t i = 0; i < count && row->leaf + i < row->count; i++)
        emit_f(row->e, " | %s", emit_reg(row->e, row->pairs[2 * (row->leaf + i) + 1]));
    emit_f(row->e, ") {\n");
}

static void object(Row *row, uint32_t schema);

static void member(Row *row, const IrField *field, char separator)
{
    Emit *e = row->e;
    if (!field->name.len) { /* whole members, each with its comma: `unknown keep` */
        value(e, row->pairs[2 * row->leaf++]);
        return;
    }
    constant_name(e, separator, field->name);
    row->constant_bytes += field->name.len * 2 + 8;
    if (field->type == IR_RECORD) {
        object(row, field->record);
        return;
    }
    value(e, row->pairs[2 * row->leaf]);
    row->leaf++;
}

static void object(Row *row, uint32_t schema)
{
    Emit *e = row->e;
    const IrSchema *s = &e->ir->schemas[schema];
    bool certain = s->count && always_there(row, &s->fields[0], row->leaf);
    unsigned mark = row->marks++;
    row->constant_bytes += 4;
    if (!certain) {
        flush(e);
        emit_f(e, "    { char *object_%u = w;\n", mark);
    }
    for (uint32_t i = 0; i < s->count && row->leaf < row->count; i++) {
        const IrField *field = &s->fields[i];
        char separator = i == 0 && certain ? '{' : ',';
        if (always_there(row, field, row->leaf)) {
            member(row, field, separator);
            continue;
        }
        flush(e);
        if (field->type == IR_RECORD)
            any_there(row, ir_leaf_count(e->ir, field->record));
        else
            emit_f(e, "    if (%s) {\n", emit_reg(e, row->pairs[2 * row->leaf + 1]));
        member(row, field, separator);
        flush(e);
        emit_f(e, "    }\n");
    }
    if (!certain) {
        flush(e);
        emit_f(e, "    if (w == object_%u) w++;\n    *object_%u = '{'; }\n", mark, mark);
    }
    constant(e, "}");
}

/* What is there, when that is known here: a text, no statement for each. False: it is not. */
static bool constant_has(Emit *e, const uint32_t *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (pairs[2 * i] != NO_REG && pairs[2 * i + 1] != NO_REG) return false;
    emit_f(e, "    const u8 *const h = (const u8 *)\"");
    for (uint32_t i = 0; i < count; i++) emit_f(e, pairs[2 * i] == NO_REG ? "\\0" : "\\1");
    emit_f(e, "\";\n");
    return true;
}

void emit_arrays(Emit *e, const uint32_t *pairs, uint32_t count)
{
    uint32_t room = count ? count : 1;
    emit_f(e, "    RtValue v[%" PRIu32 "];\n", room);
    bool constant = constant_has(e, pairs, count);
    if (!constant) emit_f(e, "    u8 h[%" PRIu32 "];\n", room);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reg = pairs[2 * i];
        if (reg != NO_REG)
            emit_f(e, "    v[%" PRIu32 "].%s = %s;\n", i, emit_member(e->stage->regs[reg].type),
                   emit_reg(e, reg));
        if (!constant)
            emit_f(e, "    h[%" PRIu32 "] = %s;\n", i,
                   reg == NO_REG ? "0" : emit_reg(e, pairs[2 * i + 1]));
    }
}

/* Room a row can need: constants, 64 bytes a number, six a byte of text. */
static void reserve(Row *row, uint32_t sink, uint64_t constants)
{
    Emit *e = row->e;
    emit_f(e, "    char *w = rt->row_begin(pipe, %" PRIu32 ", %" PRIu64, sink,
           constants + (uint64_t)64 * row->count);
    for (uint32_t i = 0; i < row->count; i++) {
        uint32_t reg = row->pairs[2 * i], has = row->pairs[2 * i + 1];
        if (reg == NO_REG || !emit_is_slice(e->stage->regs[reg].type)) continue;
        if (e->stage->regs[reg].type == IR_LIST) {
            emit_f(e, " + (%s ? rt->list_bytes(&schema_%" PRIu32 ", &(RtValue){.s = %s}) : 0)",
                   emit_reg(e, has), e->stage->regs[reg].record, emit_reg(e, reg));
            continue;
        }
        if (has == NO_REG)
            emit_f(e, " + %s.n * 6", emit_reg(e, reg));
        else
            emit_f(e, " + (%s ? %s.n * 6 : 0)", emit_reg(e, has), emit_reg(e, reg));
    }
    emit_f(e, ");\n");
}

/* `as text`, `as raw`: the first leaf as it is. */
static void plain(Row *row, IrFormat format)
{
    Emit *e = row->e;
    uint32_t reg = row->count ? row->pairs[0] : NO_REG;
    if (reg == NO_REG || !emit_is_text(e->stage->regs[reg].type)) {
        emit_fail(e, ST_UNSUPPORTED,
                  "a sink `as text` or `as raw` takes rows whose first field is text");
        return;
    }
    emit_f(e, "    __builtin_memcpy(w, %s.p, %s.n); w += %s.n;\n", emit_reg(e, reg),
           emit_reg(e, reg), emit_reg(e, reg));
    if (format == FORMAT_TEXT) emit_f(e, "    *w++ = '\\n';\n");
}

void emit_row(Emit *e, const IrIns *ins)
{
    const IrSink *sink = &e->pipeline->sinks[ins->imm.index];
    Row row = {.e = e, .pairs = e->stage->pool + ins->args, .count = ins->arg_count / 2};
    emit_f(e, "    {\n");
    if (sink->format == FORMAT_CSV || ir_format_is_bytes(sink->format)) {
        emit_arrays(e, row.pairs, row.count);
        emit_f(e, "    rt->other_row(pipe, %" PRIu32 ", %d, v, h, (RtValue){.s = ", ins->imm.index,
               (int)sink->format);
        emit_f(e, ins->a == NO_REG ? "{\"\", 0}" : "%s", emit_reg(e, ins->a));
        emit_f(e, "}); }\n    if (!done) done = 1;\n");
        return;
    }
    reserve(&row, ins->imm.index, ir_row_bytes(e->ir, sink->schema));
    emit_f(e, "    if (RT_RARE(!w)) ");
    emit_leave(e, ins->node, "RT_OVERFLOW", STR_NONE, STR_NONE);
    emit_f(e, "\n");
    if (sink->format == FORMAT_TEXT || sink->format == FORMAT_RAW) {
        plain(&row, sink->format);
    } else {
        object(&row, sink->schema);
        constant(e, "\n");
        flush(e);
    }
    emit_f(e, "    RtValue address = {.s = {\"\", 0}}, key = {.s = {\"\", 0}};\n");
    if (ins->a != NO_REG) emit_f(e, "    address.s = %s;\n", emit_reg(e, ins->a));
    emit_f(e, "    rt->row_end(pipe, %" PRIu32 ", w, address, key); }\n    if (!done) done = 1;\n",
           ins->imm.index);
}
