/* tests/fuzz/fuzz_json.c: what the reader accepts, the writer must print and the reader accept
 * again with the same print. Anything else is our bug. */
#include "base/json.h"

#include <stdlib.h>

static void print(JsonOut *out, const Json *json)
{
    switch (json->type) {
    case JSON_NULL: json_put_null(out); break;
    case JSON_FALSE: json_put_bool(out, false); break;
    case JSON_TRUE: json_put_bool(out, true); break;
    case JSON_INT: json_put_int(out, json->integer); break;
    case JSON_NUMBER: json_put_number(out, json->number); break;
    case JSON_STRING: json_put_str(out, json->text); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (json->type == JSON_ARRAY)
            json_begin_array(out);
        else
            json_begin_object(out);
        for (const Json *child = json->first; child; child = child->next) {
            if (json->type == JSON_OBJECT) json_key_str(out, child->key);
            print(out, child); /* at most JSON_DEPTH_MAX deep: the reader saw to it */
        }
        json_end(out);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL, *again = NULL;
    Buf first, second;
    JsonOut out;
    Diag diag;
    buf_init(&first, 1 << 24);
    buf_init(&second, 1 << 24);
    if (!json_read(arena, str_slice((const char *)data, size), &json, &diag)) {
        json_out_init(&out, &first);
        print(&out, json);
        if (buf_status(&first)) abort();
        if (json_read(arena, buf_view(&first), &again, &diag)) abort();
        json_out_init(&out, &second);
        print(&out, again);
        if (!str_eq(buf_view(&first), buf_view(&second))) abort();
    }
    buf_done(&first);
    buf_done(&second);
    arena_free(arena);
    return 0;
}
