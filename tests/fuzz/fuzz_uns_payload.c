/* tests/fuzz/fuzz_uns_payload.c: payloads of hostile publishers, and the times inside them.
 *
 * Every field that is reported must come from the input's bounds, and a time that was read must be
 * written and read again to the same instant. */
#include "modules/uns/uns_tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_value(void *ctx, Str field, const UnsValue *value)
{
    char room[40];
    int64_t again = 0;
    size_t size = *(size_t *)ctx;
    if (field.len > size || (value->type == UNS_TEXT && value->text.len > size)) abort();
    if (value->quality > UNS_BAD || value->type == UNS_NONE) abort();
    if (value->ts_ns == UNS_NO_TIME) return;
    if (!uns_time_read(uns_time_text(value->ts_ns, room), &again) || again != value->ts_ns) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(0, 0);
    Str text = {(const char *)data, size};
    int64_t ms;
    if (!arena) return 0;
    uns_payload_read(arena, text, on_value, &size);
    (void)uns_path_valid(text);
    (void)uns_when_read(text, 1000000, &ms);
    arena_free(arena);
    return 0;
}
