/* compiler/type/type.c: questions about types (see type.h). */
#include "compiler/type/type.h"

bool type_is_integer(IrType kind)
{
    return kind == IR_I32 || kind == IR_I64 || kind == IR_U32 || kind == IR_U64;
}

bool type_is_float(IrType kind)
{
    return kind == IR_F32 || kind == IR_F64;
}

bool type_is_number(IrType kind)
{
    return type_is_integer(kind) || type_is_float(kind) || kind == IR_DECIMAL;
}

static bool enum_same(const IrEnum *a, const IrEnum *b)
{
    if (a == b) return true;
    if (!a || !b || a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!str_eq(a->names[i], b->names[i])) return false;
    return true;
}

Type type_item(const Type *list)
{
    const Record *r = list->record;
    if (r->count == 1 && r->fields[0].name.len == 0) return r->fields[0].type;
    return (Type){.kind = IR_RECORD, .record = r, .span = list->span};
}

bool type_same(const Type *a, const Type *b)
{
    if (a->kind == IR_NONE || b->kind == IR_NONE) return true;
    if (a->kind != b->kind) return false;
    if (a->kind == IR_DECIMAL && a->scale != b->scale) return false;
    if (type_is_number(a->kind)) return unit_same(a->unit, b->unit);
    if (a->kind == IR_ENUM) return enum_same(a->names, b->names);
    bool parts = a->kind == IR_RECORD || a->kind == IR_LIST;
    if (!parts || a->record == b->record) return true;
    if (a->record->tag != b->record->tag) return false;
    if (a->record->count != b->record->count) return false;
    for (uint32_t i = 0; i < a->record->count; i++) {
        const RecordField *x = &a->record->fields[i], *y = &b->record->fields[i];
        if (!str_eq(x->name, y->name) || x->type.optional != y->type.optional ||
            !type_same(&x->type, &y->type))
            return false;
    }
    return true;
}

const char *type_word(const Type *type)
{
    if (type->null) return "null";
    switch (type->kind) {
    case IR_NONE: return "?";
    case IR_STR: return "string";
    case IR_RECORD: return type->record->tag ? "tag" : "record";
    default: return ir_type_name(type->kind);
    }
}

static void write_type(Buf *out, const Type *type)
{
    if (type->kind == IR_LIST) {
        Type item = type_item(type);
        buf_char(out, '[');
        write_type(out, &item);
        buf_printf(out, "; %u]", type->bytes_max);
    } else if (type->kind == IR_RECORD && type->record->tag) {
        buf_text(out, "tag ");
        write_type(out, &type->record->fields[0].type);
    } else if (type->kind == IR_RECORD && type->record->name.len) {
        buf_str(out, type->record->name);
    } else if (type->kind == IR_RECORD) {
        buf_text(out, "{ ");
        for (uint32_t i = 0; i < type->record->count; i++) {
            if (i) buf_text(out, ", ");
            buf_str(out, type->record->fields[i].name);
            buf_text(out, ": ");
            write_type(out, &type->record->fields[i].type);
        }
        buf_text(out, " }");
    } else if (type->kind == IR_ENUM) {
        buf_text(out, "enum { ");
        for (uint32_t i = 0; i < type->names->count && i < 12; i++) {
            if (i) buf_text(out, ", ");
            buf_str(out, type->names->names[i]);
        }
        buf_text(out, type->names->count > 12 ? ", ... }" : " }");
    } else {
        buf_text(out, type_word(type));
        if (type->kind == IR_STR || type->kind == IR_BYTES)
            buf_printf(out, "(%u)", type->bytes_max);
        if (type->kind == IR_JSON && type->bytes_max != TYPE_STRING_MAX)
            buf_printf(out, "(%u)", type->bytes_max);
        if (type->kind == IR_DECIMAL) buf_printf(out, "(%u)", type->scale);
    }
    if (type->unit) buf_printf(out, " [%.*s]", STR_ARG(type->unit->text));
    if (type->optional) buf_char(out, '?');
}

Str type_text(Arena *arena, const Type *type)
{
    AUTO_BUF Buf out;
    buf_init(&out, 8 << 10);
    write_type(&out, type);
    Str text = arena_str(arena, buf_view(&out));
    return text.ptr ? text : STR("?");
}

uint32_t type_text_max(const Type *type)
{
    uint32_t most = 0;
    switch (type->kind) {
    case IR_BOOL: return 5;
    case IR_I32:
    case IR_U32: return 11;
    case IR_I64:
    case IR_U64: return 20;
    case IR_DECIMAL: return 22;
    case IR_F32:
    case IR_F64: return 25;
    case IR_TIME: return 30;
    case IR_DURATION: return 48;
    case IR_ENUM:
        for (uint32_t i = 0; i < type->names->count; i++)
            if (type->names->names[i].len > most) most = (uint32_t)type->names->names[i].len;
        return most;
    case IR_BYTES: return (type->bytes_max + 2) / 3 * 4;
    default: return type->bytes_max;
    }
}

uint32_t record_leaf_count(const Record *record)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        const Type *type = &record->fields[i].type;
        count += type->kind == IR_RECORD ? record_leaf_count(type->record) : 1;
    }
    return count;
}

const RecordField *record_find(const Record *record, Str name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (str_eq(record->fields[i].name, name)) return &record->fields[i];
    return NULL;
}
