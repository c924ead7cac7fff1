/* tests/fuzz/fuzz_scan.c: any bytes as a record, as CSV and as a number. What the tree reader of
 * base/json.h accepts, the scanner must accept; what the scanner calls a number, strtod reads
 * alike. */
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "flow/keys.h"
#include "flow/list.h"
#include "flow/pipe.h"
#include "flow/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"RUN", "IDLE"};
static const RtField inner[] = {{.name = "x",
                                 .word = 'x',
                                 .name_len = 1,
                                 .type = RT_F64,
                                 .flags = RT_NEEDED,
                                 .leaf = 6,
                                 .path = "in.x"}};
static const RtSchema inner_schema = {"", inner, 1, 1};
static const RtField numbers[] = {
    {.name = "", .type = RT_I32, .flags = RT_NEEDED | RT_OPTIONAL, .leaf = 0, .path = ""}};
static const RtSchema numbers_schema = {"", numbers, 1, 1};
static const RtField lines[] = {{.name = "q",
                                 .word = 'q',
                                 .name_len = 1,
                                 .type = RT_F64,
                                 .flags = RT_NEEDED,
                                 .leaf = 0,
                                 .path = "q"},
                                {.name = "n",
                                 .word = 'n',
                                 .name_len = 1,
                                 .type = RT_LIST,
                                 .flags = RT_NEEDED | RT_OPTIONAL,
                                 .leaf = 1,
                                 .bytes_max = 20,
                                 .child = &numbers_schema,
                                 .path = "n"},
                                {.name = "t",
                                 .word = 't',
                                 .name_len = 1,
                                 .type = RT_STR,
                                 .flags = RT_NEEDED | RT_OPTIONAL,
                                 .leaf = 2,
                                 .bytes_max = 8,
                                 .path = "t"}};
static const RtSchema lines_schema = {"", lines, 3, 3};
static const RtField fields[] = {{.name = "a",
                                  .word = 'a',
                                  .name_len = 1,
                                  .type = RT_F64,
                                  .flags = RT_NEEDED | RT_RANGED,
                                  .leaf = 0,
                                  .lo = -1e6,
                                  .hi = 1e6},
                                 {.name = "b",
                                  .word = 'b',
                                  .name_len = 1,
                                  .type = RT_STR,
                                  .flags = RT_NEEDED,
                                  .leaf = 1,
                                  .bytes_max = 16},
                                 {.name = "c",
                                  .word = 'c',
                                  .name_len = 1,
                                  .type = RT_TIME,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 2},
                                 {.name = "d",
                                  .word = 'd',
                                  .name_len = 1,
                                  .type = RT_ENUM,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 3,
                                  .name_count = 2,
                                  .names = names},
                                 {.name = "e",
                                  .word = 'e',
                                  .name_len = 1,
                                  .type = RT_I32,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 4},
                                 {.name = "f",
                                  .word = 'f',
                                  .name_len = 1,
                                  .type = RT_BYTES,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 5,
                                  .bytes_max = 64},
                                 {.name = "in",
                                  .word = 'i' | 'n' << 8,
                                  .name_len = 2,
                                  .type = RT_RECORD,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 6,
                                  .child = &inner_schema},
                                 {.name = "l",
                                  .word = 'l',
                                  .name_len = 1,
                                  .type = RT_LIST,
                                  .flags = RT_NEEDED | RT_OPTIONAL,
                                  .leaf = 7,
                                  .bytes_max = 10,
                                  .child = &lines_schema,
                                  .path = "l"}};
static const RtSchema schema = {"", fields, 8, 8};

/* What a list holds is written, read again and written: the same bytes. */
static void again(RtPipe *pipe, const RtValue *list)
{
    u64 room = rt_list_bytes(&lines_schema, list);
    char *first = mem_zalloc(1, room + RT_PAD_BYTES), *second = mem_zalloc(1, room + RT_PAD_BYTES);
    if (!first || !second) abort();
    const char *end = rt_put_list(first, &lines_schema, list);
    assert((u64)(end - first) <= room && list->s.n <= 10);
    RtValue back;
    assert(rt_scan_list(pipe, &lines_schema, 10, RT_CHECK_RECORD, 0, first, end, 1, &back) == end);
    const char *end2 = rt_put_list(second, &lines_schema, &back);
    assert(end2 - second == end - first && memcmp(first, second, (size_t)(end - first)) == 0);
    mem_free(first);
    mem_free(second);
}

static void as_number(const char *p, size_t n)
{
    double value;
    if (!n || rt_number_end(p, p + n) != p + n) return;
    assert(num_get_f64(p, p + n, &value) == p + n);
    assert(value == strtod(p, NULL)); /* NUL behind it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) return 0;
    FlowInstance *host = mem_zalloc(1, sizeof *host);
    char *text = mem_zalloc(1, size + RT_PAD_BYTES);
    Arena *arena = arena_new(4096, 16 << 20);
    if (!host || !text || !arena) return 0;
    if (size) memcpy(text, data, size);
    RtPipe *pipe = &host->pipe;
    pipe->host = host;
    RtValue values[8];
    u8 has[8];
    RtScan scan = {.value = values, .has = has};
    const char *end = text + size, *p = rt_skip_value(rt_skip_space(text, end), end);
    const Json *json;
    int whole = p && rt_skip_space(p, end) == end;
    if (json_read(arena, str_slice(text, size), &json, NULL) == ST_OK)
        assert(whole || json->type == JSON_OBJECT);
    for (u32 check = RT_CHECK_RECORD; check <= RT_CHECK_STRICT; check++) {
        int why = rt_scan_json(pipe, &schema, check, 0, text, end, &scan);
        if (!why && check != RT_CHECK_LAZY)
            assert(whole && has[0] && has[1] && values[1].s.n <= 16);
        if (!why && has[7]) again(pipe, &values[7]);
        pipe->scratch_len = 0;
    }
    for (int line = 0; line < 2; line++) (void)rt_scan_csv(pipe, &schema, text, end, &scan);
    as_number(text, size);
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(pipe->scratch);
    rt_keys_free(host);
    mem_free(host);
    mem_free(text);
    arena_free(arena);
    return 0;
}
