/* tests/flow/json_filter.c: a JSON document on stdin: 0 = accepted, 1 = refused, as `check strict`
 * does.
 *
 * An object goes through the any-order scanner as a record of no known field; any document through
 * the walker that passes over values. Where both apply they must agree (3 when they do not). For
 * conformance suites that want a filter. */
#include "base/buf.h"
#include "base/mem.h"
#include "flow/keys.h"
#include "flow/scan.h"

#include <unistd.h>

static int as_record(const char *p, const char *end)
{
    static const RtSchema nothing = {"", NULL, 0, 0};
    FlowInstance *host = mem_zalloc(1, sizeof *host);
    RtValue value;
    u8 has;
    RtScan scan = {.value = &value, .has = &has};
    if (!host) return 3;
    host->pipe.host = host;
    int why =
        rt_scan_json(&host->pipe, &nothing, RT_CHECK_STRICT, RT_UNKNOWN_IGNORE, p, end, &scan);
    while (host->retired_count) mem_free(host->retired[--host->retired_count]);
    mem_free(host->pipe.scratch);
    rt_keys_free(host);
    mem_free(host);
    return why != 0;
}

int main(void)
{
    AUTO_BUF Buf text;
    static char part[1 << 16], padding[RT_PAD_BYTES];
    buf_init(&text, (size_t)256 << 20);
    for (ssize_t n; (n = read(STDIN_FILENO, part, sizeof part)) > 0;)
        buf_add(&text, part, (size_t)n);
    size_t len = text.len;
    buf_add(&text, padding, sizeof padding);
    if (buf_status(&text)) return 1;
    const char *end = text.ptr + len, *start = rt_skip_space(text.ptr, end);
    const char *stop = start < end ? rt_skip_levels(start, end, RT_JSON_DEPTH_MAX) : NULL;
    int refused = !stop || rt_skip_space(stop, end) != end;
    if (start < end && *start == '{' && as_record(start, end) != refused) return 3;
    return refused;
}
