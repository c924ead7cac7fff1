/* runtime/modules/uns/uns_payload.c: what a published payload means in the namespace.
 *
 *   71.25  "RUN"  true  null                         the value of the topic
 *   {"value":x,"quality":"bad","ts":"..."}           a value with quality and source time; the time
 *                                                     may be called "time", as a pipeline's tags do
 *   {"temp":71.25,"state":{"value":"RUN", ...}}      one value per field, below the topic
 *   anything else                                    its text
 * Lists and deeper objects inside a record have no value of their own: they are data, not tags. */
#include "modules/uns/uns_tree.h"

enum { JSON_PAYLOAD_BYTES_MAX = 256 * 1024 };

static bool scalar(const Json *json, UnsValue *value)
{
    switch (json->type) {
    case JSON_NULL: value->type = UNS_NULL; return true;
    case JSON_FALSE:
    case JSON_TRUE:
        value->type = UNS_BOOL;
        value->integer = json->type == JSON_TRUE;
        return true;
    case JSON_INT:
        value->type = UNS_INT;
        value->integer = json->integer;
        return true;
    case JSON_NUMBER:
        value->type = UNS_NUMBER;
        value->number = json->number;
        return true;
    case JSON_STRING:
        value->type = UNS_TEXT;
        value->text = json->text;
        return true;
    default: return false;
    }
}

/* An object with "value" and nothing but "quality" and "ts" or "time" (as a pipeline's tag has it)
 * beside it. */
static bool tag(const Json *json, UnsValue *value)
{
    bool has_value = false;
    if (json->type != JSON_OBJECT) return false;
    for (const Json *field = json->first; field; field = field->next) {
        if (str_is(field->key, "value")) {
            has_value = scalar(field, value);
            if (!has_value) return false;
        } else if (str_is(field->key, "quality")) {
            if (field->type != JSON_STRING) return false;
            if (str_is(field->text, "good"))
                value->quality = UNS_GOOD;
            else if (str_is(field->text, "bad"))
                value->quality = UNS_BAD;
            else
                value->quality = UNS_UNCERTAIN; /* a word we do not know is not "good" */
        } else if (str_is(field->key, "ts") || str_is(field->key, "time")) {
            if (field->type != JSON_STRING || !uns_time_read(field->text, &value->ts_ns))
                value->ts_ns = UNS_NO_TIME;
        } else {
            return false;
        }
    }
    return has_value;
}

static void fields(const Json *json, UnsPayloadFn *fn, void *ctx)
{
    for (const Json *field = json->first; field; field = field->next) {
        UnsValue value = {.quality = UNS_GOOD, .ts_ns = UNS_NO_TIME};
        if (field->key.len && (scalar(field, &value) || tag(field, &value)))
            fn(ctx, field->key, &value);
    }
}

void uns_payload_read(Arena *arena, Str payload, UnsPayloadFn *fn, void *ctx)
{
    UnsValue value = {.quality = UNS_GOOD, .ts_ns = UNS_NO_TIME};
    const Json *json = NULL;
    if (!payload.len) return; /* clears a retained message: says nothing about the value */
    if (payload.len <= JSON_PAYLOAD_BYTES_MAX && !json_read(arena, payload, &json, NULL)) {
        if (scalar(json, &value)) {
            fn(ctx, STR_NONE, &value);
            return;
        }
        if (json->type == JSON_OBJECT) {
            if (tag(json, &value))
                fn(ctx, STR_NONE, &value);
            else
                fields(json, fn, ctx);
            return;
        }
    }
    value = (UnsValue){.type = UNS_TEXT, .quality = UNS_GOOD, .ts_ns = UNS_NO_TIME};
    value.text = payload;
    fn(ctx, STR_NONE, &value);
}
