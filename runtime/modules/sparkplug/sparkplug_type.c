/* runtime/modules/sparkplug/sparkplug_type.c: the types that our edge node's metrics have.
 *
 * A schema that is bound to a topic declares them (module schemas); where none is, a value says its
 * own: numbers are Double, truths Boolean, texts String. They are asked for before a metric is
 * born, a few at a time, and nothing is said meanwhile; values that came before the answer are
 * asked for again with the next frame, which has all. When schemas change all are asked anew. */
#include "modules/sparkplug/sparkplug_edge.h"

enum { ASKING_MAX = 64 };

/* ---- what is declared ---- */

static const SparkplugType undeclared = {
    .type = SP_NO_TYPE, .ms_mul = 1, .ms_div = 1, .known = true};

static SparkplugType type_of(const Json *form)
{
    static const struct {
        const char *word;
        uint8_t type;
    } rows[] = {{"bool", SP_BOOLEAN}, {"i32", SP_INT32},     {"i64", SP_INT64},
                {"u32", SP_UINT32},   {"u64", SP_UINT64},    {"f32", SP_FLOAT},
                {"f64", SP_DOUBLE},   {"string", SP_STRING}, {"enum", SP_STRING},
                {"time", SP_DATETIME}};
    static const struct {
        const char *word;
        int32_t mul, div;
    } reads[] = {{"s", 1000, 1}, {"ms", 1, 1}, {"us", 1, 1000}, {"ns", 1, 1000000}};
    SparkplugType is = undeclared;
    Str word = json_str(form, "type", STR_NONE), read = json_str(form, "read", STR_NONE);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (word.len && str_is(word, rows[i].word)) is.type = rows[i].type;
    for (size_t i = 0; i < COUNT_OF(reads); i++)
        if (read.len && str_is(read, reads[i].word)) {
            is.ms_mul = reads[i].mul;
            is.ms_div = reads[i].div;
        }
    return is;
}

/* A time as a number, and whole numbers that JSON has no type for. */
static bool by_hand(const SparkplugType *is, const Json *value, SpMetric *metric)
{
    int64_t ms;
    if (is->type == SP_DATETIME && value->type == JSON_INT &&
        !__builtin_mul_overflow(value->integer, (int64_t)is->ms_mul, &ms) && ms >= 0)
        metric->value = (SpValue){.form = SP_IN_LONG, .bits = (uint64_t)(ms / is->ms_div)};
    else if (is->type == SP_UINT64 && value->type == JSON_NUMBER && value->number >= 0 &&
             value->number < 18446744073709551616.0)
        metric->value = (SpValue){.form = SP_IN_LONG, .bits = (uint64_t)value->number};
    else
        return false;
    metric->type = is->type;
    return true;
}

SpMetric sparkplug__typed(const SparkplugEdge *edge, uint32_t index, const Json *value)
{
    const SparkplugType *is = &edge->types[index];
    uint32_t type = is->type != SP_NO_TYPE                                  ? is->type
                    : value->type == JSON_STRING                            ? SP_STRING
                    : value->type == JSON_TRUE || value->type == JSON_FALSE ? SP_BOOLEAN
                                                                            : SP_DOUBLE;
    SpMetric metric = {0};
    if (by_hand(is, value, &metric) || !sp_value_from_json(type, value, &metric, NULL))
        return metric;
    return (SpMetric){.type = type, .null = true};
}

/* ---- asking ---- */

static void hold_set(SparkplugEdge *edge)
{
    sp_edge_hold(edge->edge, edge->asking || edge->catching);
}

static void on_snapshot(Sparkplug *self, Status status, Str body)
{
    (void)body;
    if (!self->edge || !status) return; /* the frame comes */
    self->edge->catching = false;
    hold_set(self->edge);
}

static void catch_up(SparkplugEdge *edge)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 256);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "watch", edge->watch);
    json_end(&out);
    edge->skipped = false;
    edge->catching = sparkplug__call(edge->self, "uns.snapshot", &body, on_snapshot);
}

static void take(SparkplugEdge *edge, Str body)
{
    const Json *answer;
    uint32_t metric;
    if (json_read(edge->arena, body, &answer, NULL) ||
        !sparkplug__metric_of(edge, json_str(answer, "path", STR("")), &metric))
        return;
    const Json *form = json_get(answer, "form");
    SparkplugType is = form ? type_of(form) : undeclared;
    edge->types[metric] = is;
    if (is.type != SP_NO_TYPE) sp_edge_type(edge->edge, metric, is.type);
}

static void on_type(Sparkplug *self, Status status, Str body)
{
    SparkplugEdge *edge = self->edge;
    if (!edge) return;
    edge->asking--;
    if (!status) take(edge, body);
    arena_reset(edge->arena);
    sparkplug__types_ask(edge);
}

static bool ask(SparkplugEdge *edge, const char *path)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 128 * 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_text(&out, "path", path);
    json_end(&out);
    return sparkplug__call(edge->self, "schemas.of", &body, on_type);
}

void sparkplug__types_ask(SparkplugEdge *edge)
{
    for (; edge->asked < edge->metric_count && edge->asking < ASKING_MAX; edge->asked++) {
        const char *path = edge->paths[edge->asked];
        if (path && ask(edge, path)) edge->asking++;
    }
    if (!edge->asking) { /* who got no answer has no declared type */
        for (; edge->settled < edge->metric_count; edge->settled++)
            edge->types[edge->settled].known = true;
        if (edge->skipped) catch_up(edge);
    }
    hold_set(edge);
}

static void types_anew(SparkplugEdge *edge)
{
    edge->asked = 0;
    edge->skipped = true;
    sparkplug__types_ask(edge);
}

void sparkplug__types_frame(SparkplugEdge *edge)
{
    edge->catching = false;
    hold_set(edge);
}

void sparkplug__on_schemas(void *ctx, const BusMsg *msg)
{
    const Sparkplug *self = ctx;
    (void)msg;
    if (self->edge && self->edge->edge) types_anew(self->edge);
}
