/* tests/bench/peer_shapes.cpp: the other shapes with simdjson On-Demand, CSV by hand: count and sum
 * per key:  bench_shapes SHAPE < records */
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

using namespace simdjson;

struct Sum {
    std::string key;
    unsigned long n;
    double s;
};

static Sum sums[64];
static size_t sum_count;
static ondemand::parser parser;

static bool add(std::string_view key, double value)
{
    size_t i = 0;
    while (i < sum_count && sums[i].key != key) i++;
    if (i == 64) return false;
    if (i == sum_count) sums[sum_count++].key = key;
    sums[i].n++;
    sums[i].s += value;
    return true;
}

static bool record(const char *shape, const char *p, size_t len, size_t room)
{
    ondemand::document document;
    ondemand::object o, head, source, body;
    std::string_view k, text;
    double v = 0, w = 0, x = 0;
    if (parser.iterate(p, len, room).get(document) || document.get_object().get(o)) return false;
    switch (shape[0]) {
    case 'n':
        return !o.find_field("head").get_object().get(head) &&
               !head.find_field("src").get_object().get(source) &&
               !source.find_field("k").get_string().get(k) &&
               !o.find_field("body").get_object().get(body) &&
               !body.find_field("v").get_double().get(v) && add(k, v);
    case 't':
        return !o.find_field("k").get_string().get(k) &&
               !o.find_field("text").get_string().get(text) &&
               !o.find_field("v").get_double().get(v) && (text.size() <= 10 || add(k, v));
    case 'f':
        return !o.find_field("k").get_string().get(k) && !o.find_field("v").get_double().get(v) &&
               !o.find_field("w").get_double().get(w) && !o.find_field("x").get_double().get(x) &&
               add(k, v + w + x);
    case 'w':
        return !o.find_field("field_03").get_string().get(k) &&
               !o.find_field("field_50").get_double().get(v) &&
               !o.find_field("field_97").get_double().get(w) && add(k, v + w);
    default:
        return !o.find_field("k").get_string().get(k) && !o.find_field("v").get_double().get(v) &&
               add(k, v);
    }
}

/* Plain cells in the first three columns. */
static bool line(const char *p)
{
    const char *comma = strchr(p, ',');
    char *end;
    if (!comma) return false;
    double v = strtod(comma + 1, &end);
    if (*end != ',') return false;
    double w = strtod(end + 1, &end);
    return *end == ',' && add(std::string_view(p, (size_t)(comma - p)), v + w);
}

int main(int argc, char **argv)
{
    static char chunk[(1 << 20) + SIMDJSON_PADDING];
    const char *shape = argc > 1 ? argv[1] : "";
    size_t held = 0;
    unsigned long bad = 0;
    bool csv = !strcmp(shape, "csv"), header = csv;
    for (ssize_t got; (got = read(STDIN_FILENO, chunk + held, (1 << 20) - held)) > 0;) {
        size_t len = held + (size_t)got;
        char *p = chunk, *end = chunk + len;
        for (char *nl; (nl = (char *)memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
            *nl = csv ? '\0' : '\n';
            if (!header)
                bad += csv ? !line(p)
                           : !record(shape, p, (size_t)(nl - p),
                                     (size_t)(end - p) + SIMDJSON_PADDING);
            header = false;
        }
        held = (size_t)(end - p);
        memmove(chunk, p, held);
    }
    for (size_t i = 0; i < sum_count; i++)
        printf("{\"k\":\"%s\",\"n\":%lu,\"s\":%.17g}\n", sums[i].key.c_str(), sums[i].n, sums[i].s);
    return bad != 0;
}
