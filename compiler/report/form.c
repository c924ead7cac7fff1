/* compiler/report/form.c: a type as data, for those who hold values against it or draw forms of it.
 *
 * The whole type in one JSON object, without a name to be looked up: readers need no compiler
 * (runtime/modules/schemas keeps it beside the text and builds decoders from it). */
#include "compiler/report/report.h"

#include "base/json.h"

static const char *type_word(IrType type)
{
    static const char *const words[IR__COUNT] = {
        [IR_BOOL] = "bool",       [IR_I32] = "i32",    [IR_I64] = "i64",
        [IR_U32] = "u32",         [IR_U64] = "u64",    [IR_F32] = "f32",
        [IR_F64] = "f64",         [IR_STR] = "string", [IR_BYTES] = "bytes",
        [IR_DECIMAL] = "decimal", [IR_TIME] = "time",  [IR_DURATION] = "duration",
        [IR_ENUM] = "enum",       [IR_JSON] = "json",  [IR_LIST] = "list",
        [IR_RECORD] = "record"};
    return words[type] ? words[type] : "none";
}

static void put_field(const IrProgram *program, const IrField *field, JsonOut *out);

static void put_fields(const IrProgram *program, uint32_t schema, JsonOut *out)
{
    const IrSchema *s = &program->schemas[schema];
    json_key(out, "fields");
    json_begin_array(out);
    for (uint32_t i = 0; i < s->count; i++) put_field(program, &s->fields[i], out);
    json_end(out);
}

static void put_field(const IrProgram *program, const IrField *field, JsonOut *out)
{
    static const char *const reads[] = {"text", "s", "ms", "us", "ns"};
    json_begin_object(out);
    if (field->name.len) json_field_str(out, "name", field->name);
    json_field_text(out, "type", type_word(field->type));
    if (field->optional) json_field_bool(out, "optional", true);
    if (field->unit.len) json_field_str(out, "unit", field->unit);
    if (field->bytes_max) json_field_int(out, "max", field->bytes_max);
    if (field->type == IR_DECIMAL) json_field_int(out, "scale", field->scale);
    if (field->type == IR_TIME && field->time_read)
        json_field_text(out, "read", reads[field->time_read]);
    if (field->has_range) {
        json_field_number(out, "lo", field->lo);
        json_field_number(out, "hi", field->hi);
    }
    if (field->type == IR_ENUM && field->names) {
        json_key(out, "names");
        json_begin_array(out);
        for (uint32_t i = 0; i < field->names->count; i++)
            json_put_str(out, field->names->names[i]);
        json_end(out);
    }
    if (field->type == IR_RECORD || field->type == IR_LIST) put_fields(program, field->record, out);
    json_end(out);
}

void report_form(const IrProgram *program, const IrField *root, Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    IrField nameless = *root;
    nameless.name = STR_NONE;
    put_field(program, &nameless, &json);
}
