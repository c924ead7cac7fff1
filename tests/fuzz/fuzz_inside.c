/* tests/fuzz/fuzz_inside.c: looking inside any bytes as JSON. Where the tree reader of base/json.h
 * reads them, each member and item is that of the tree; of anything else some part of it comes out,
 * or nothing. The bytes have nothing behind them. */
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "flow/pipe.h"
#include "flow/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static RtText ask(RtPipe *pipe, u32 which, Str text, RtValue by)
{
    RtValue args[2] = {{.s = {text.ptr, text.len}}, by}, ret = {.s = {"", 0}};
    u32 why = rt_inside(pipe, which, args, &ret);
    assert(!why || (which == RT_FN_JSON_TEXT && why == RT_BAD_VALUE));
    if (ret.s.n && which != RT_FN_JSON_TEXT)
        assert(ret.s.p >= text.ptr && ret.s.p + ret.s.n <= text.ptr + text.len);
    return ret.s;
}

static void same(RtText got, Str want)
{
    assert(got.n == want.len && (!got.n || memcmp(got.p, want.ptr, got.n) == 0));
}

static Str raw(const Json *json)
{
    return json->type == JSON_NULL ? STR("") : json->raw;
}

static void compare(RtPipe *pipe, const Json *json)
{
    i64 at = 0;
    RtValue none = {.i = 0};
    if (json->type == JSON_STRING) same(ask(pipe, RT_FN_JSON_TEXT, json->raw, none), json->text);
    if (json->type != JSON_OBJECT && json->type != JSON_ARRAY) return;
    for (const Json *child = json->first; child; child = child->next, at++) {
        const Json *first = json->first; /* of equal names the first counts */
        while (json->type == JSON_OBJECT && !str_eq(first->key, child->key)) first = first->next;
        RtValue name = {.s = {child->key.ptr, child->key.len}}, index = {.i = at};
        if (json->type == JSON_OBJECT)
            same(ask(pipe, RT_FN_JSON_MEMBER, json->raw, name), raw(first));
        else
            same(ask(pipe, RT_FN_JSON_ITEM, json->raw, index), raw(child));
        compare(pipe, child);
        pipe->scratch_len = 0;
    }
    RtValue behind = {.i = at};
    if (json->type == JSON_ARRAY) same(ask(pipe, RT_FN_JSON_ITEM, json->raw, behind), STR(""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) return 0;
    FlowInstance *host = mem_zalloc(1, sizeof *host);
    char *bytes = mem_alloc(size ? size : 1);
    Arena *arena = arena_new(4096, 16 << 20);
    if (!host || !bytes || !arena) return 0;
    if (size) memcpy(bytes, data, size);
    RtPipe *pipe = &host->pipe;
    pipe->host = host;
    Str text = str_trim(str_slice(bytes, size));
    const Json *json;
    if (json_read(arena, text, &json, NULL) == ST_OK) compare(pipe, json);
    for (i64 i = -1; i < 3; i++) (void)ask(pipe, RT_FN_JSON_ITEM, text, (RtValue){.i = i});
    (void)ask(pipe, RT_FN_JSON_MEMBER, text, (RtValue){.s = {"a", 1}});
    (void)ask(pipe, RT_FN_JSON_TEXT, text, (RtValue){.i = 0});
    RtValue number = {.s = {text.ptr, text.len}}, whole;
    (void)rt_inside(pipe, RT_FN_JSON_INT, &number, &whole);
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(pipe->scratch);
    mem_free(host);
    mem_free(bytes);
    arena_free(arena);
    return 0;
}
