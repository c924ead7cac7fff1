/* tests/fuzz/fuzz_state.c: any bytes as a saved state: refused, or fit to work with. The first byte
 * names the pipeline. */
#include "tests/state/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Kinds kinds;
    static FlowLimits limits = {.state_bytes = 8 << 20, .keys = 10000};
    if (!kinds.program) kinds_open(&kinds);
    if (size < 1 || size > 64 << 10) return 0;
    Diag diag = {0};
    uint32_t index = data[0] % kinds.table->pipeline_count;
    FlowInstance *instance = kinds_new(&kinds, index, &limits);
    Status st = flow_load(instance, str_slice((const char *)data + 1, size - 1), NULL, &diag);
    if (st && ((st != ST_CORRUPT && st != ST_LIMIT) || !diag.text[0])) abort();
    if (!st) {
        Buf again;
        buf_init(&again, (size_t)64 << 20);
        kinds_feed(instance, 60, 64, 5);
        if (flow_save(instance, &again, &diag)) abort();
        flow_finish(instance);
        buf_done(&again);
    }
    flow_instance_free(instance);
    return 0;
}
