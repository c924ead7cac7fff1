/* runtime/modules/engine/lineage.c: which pipelines write a topic, and which read it, and what
 * stands at their other ends.
 *
 * Told from the programs, not from what was seen: a pipeline that has not published yet is there as
 * well. An address with `{...}` in it writes every topic that it could: what is in braces is any
 * text without a `/`. A question to the historian that is about points reads every topic. */
#include "modules/engine/engine.h"

#include "mqtt/codec.h"

#include <string.h>

enum { LINEAGE_BYTES_MAX = BUS_BODY_BYTES_MAX, ADDRESS_BYTES_MAX = 4096 };

/* `p` behind a brace: behind the one that closes it. */
static const char *brace_end(const char *p)
{
    uint32_t depth = 1;
    for (; *p && depth; p++) depth += *p == '{' ? 1u : *p == '}' ? -1u : 0;
    return p;
}

/* A brace stands for as little as fits and grows while it has to; a `/` ends what it can be. */
static bool could_be(const char *address, Str topic)
{
    const char *behind = NULL; /* the last brace of this level */
    size_t at = 0, grown = 0;
    for (;;) {
        if (*address == '{') {
            behind = address = brace_end(address + 1);
            grown = at;
            continue;
        }
        const char *letter = address[0] == '\\' && address[1] == '{' ? address + 1 : address;
        if (*letter && at < topic.len && topic.ptr[at] == *letter) {
            if (*letter == '/') behind = NULL;
            address = letter + 1;
            at++;
            continue;
        }
        if (!*address && at == topic.len) return true;
        if (!behind || grown >= topic.len || topic.ptr[grown] == '/') return false;
        address = behind;
        at = ++grown;
    }
}

static bool is_ours(const char *kind, const char *connection)
{
    return !connection[0] && (str_is(str_from(kind), "uns") || str_is(str_from(kind), "mqtt"));
}

/* A computed address is as it stands in the program, in its quotes. */
static const char *plain(const RtSinkInfo *sink, char room[ADDRESS_BYTES_MAX])
{
    size_t len = strlen(sink->address);
    if (!(sink->flags & RT_SINK_ADDRESS) || len < 2 || len > ADDRESS_BYTES_MAX)
        return sink->address;
    memcpy(room, sink->address + 1, len - 2);
    room[len - 2] = 0;
    return room;
}

static void put_end(JsonOut *out, const char *kind, const char *connection, const char *address)
{
    json_begin_object(out);
    json_field_text(out, "kind", kind);
    if (connection[0]) json_field_text(out, "connection", connection);
    json_field_text(out, "address", address);
    json_end(out);
}

/* The address of a question, with {} where a value goes; without the body. */
static void put_question(JsonOut *out, const RtAskInfo *ask)
{
    AUTO_BUF Buf text;
    buf_init(&text, LINEAGE_BYTES_MAX);
    bool file = str_is(str_from(ask->kind), "sqlite");
    for (const char *p = file ? ask->target : ask->text; *p && *p != '\2'; p++)
        if (*p == '\1')
            buf_text(&text, "{}");
        else
            buf_char(&text, *p);
    json_begin_object(out);
    json_field_text(out, "kind", ask->kind);
    json_field_str(out, "address", buf_view(&text));
    json_end(out);
}

static void put_sources(JsonOut *out, const RtPipelineInfo *info)
{
    json_key(out, "from");
    json_begin_array(out);
    for (uint32_t i = 0; i < info->source_count; i++)
        put_end(out, info->sources[i].kind, info->sources[i].connection, info->sources[i].address);
    for (uint32_t i = 0; i < info->mem_count; i++)
        if (info->mems[i].ask) put_question(out, info->mems[i].ask);
    json_end(out);
}

static void put_sinks(JsonOut *out, const RtPipelineInfo *info)
{
    json_key(out, "into");
    json_begin_array(out);
    for (uint32_t i = 0; i < info->sink_count; i++) {
        const RtSinkInfo *sink = &info->sinks[i];
        char room[ADDRESS_BYTES_MAX];
        if (!(sink->flags & (RT_SINK_ERROR | RT_SINK_LATE)))
            put_end(out, sink->kind, sink->connection, plain(sink, room));
    }
    json_end(out);
}

static const char *writes(const RtPipelineInfo *info, Str topic, char room[ADDRESS_BYTES_MAX])
{
    for (uint32_t i = 0; i < info->sink_count; i++) {
        const RtSinkInfo *sink = &info->sinks[i];
        if (!is_ours(sink->kind, sink->connection)) continue;
        const char *address = plain(sink, room);
        if (could_be(address, topic)) return address;
    }
    return NULL;
}

/* Not about tables of programs alone. */
static bool asks_points(const RtAskInfo *ask)
{
    static const char *const tables[] = {"samples", "steps", "paths", "series_points"};
    bool found = false;
    if (!ask || !str_is(str_from(ask->kind), "historian")) return false;
    for (size_t i = 0; i < COUNT_OF(tables); i++) found |= strcasestr(ask->text, tables[i]) != NULL;
    return found;
}

static const char *reads(const RtPipelineInfo *info, Str topic)
{
    for (uint32_t i = 0; i < info->source_count; i++) {
        const RtSourceInfo *source = &info->sources[i];
        Str group, filter;
        if (!is_ours(source->kind, source->connection) ||
            !mqtt_share_split(str_from(source->address), &group, &filter))
            continue;
        if (mqtt_topic_match(filter, topic)) return source->address;
    }
    for (uint32_t i = 0; i < info->mem_count; i++)
        if (asks_points(info->mems[i].ask)) return "ask historian sql";
    return NULL;
}

static void put_pipes(Engine *engine, Str topic, bool writers, JsonOut *out)
{
    json_begin_array(out);
    for (uint32_t i = 0; i < engine->pipe_count; i++) {
        const EngPipe *pipe = engine->pipes[i];
        if (!pipe->version || !pipe->version->program) continue;
        int at = flow_program_find(pipe->version->program, str_from(pipe->name));
        if (at < 0) continue;
        const RtPipelineInfo *info = &flow_program_table(pipe->version->program)->pipelines[at];
        char room[ADDRESS_BYTES_MAX];
        const char *by = writers ? writes(info, topic, room) : reads(info, topic);
        if (!by) continue;
        json_begin_object(out);
        json_field_text(out, "pipeline", pipe->name);
        json_field_bool(out, "running", pipe->state == ENGINE_RUNNING);
        json_field_text(out, "by", by);
        if (writers)
            put_sources(out, info);
        else
            put_sinks(out, info);
        json_end(out);
    }
    json_end(out);
}

void engine__op_lineage(void *self, Req *req)
{
    Engine *engine = self;
    Str topic = json_str(req->in, "topic", STR(""));
    AUTO_BUF Buf body;
    JsonOut out;
    buf_init(&body, LINEAGE_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "writes");
    put_pipes(engine, topic, true, &out);
    json_key(&out, "reads");
    put_pipes(engine, topic, false, &out);
    json_end(&out);
    if (body.failed)
        req_fail(req, body.failed, "the list is too long for one answer");
    else
        req_answer(req, buf_view(&body));
}
