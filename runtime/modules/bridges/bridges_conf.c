/* runtime/modules/bridges/bridges_conf.c: a bridge as JSON: read, checked, written.
 *
 * The types and bounds of the members are in the op's schema; here are the topics, and what several
 * members say together. What is written reads back as the same. */
#include "modules/bridges/bridges_int.h"

#include <string.h>

enum { BUFFER_BYTES = 256 << 20, AGE_S = 7 * 86400 };

static const char *const directions[] = {"", "in", "out", "both"};
static const char *const retains[] = {"always", "new", "never"};
static const char *const fulls[] = {"drop_oldest", "drop_newest", "refuse"};

/* -1: none of the words. */
static int word_at(const char *const *words, size_t count, Str word)
{
    for (size_t i = 0; i < count; i++)
        if (word.len && str_is(word, words[i])) return (int)i;
    return -1;
}

static Status topic_read(const Json *in, uint32_t index, MqttBridgeTopic *ret_topic, Diag *diag)
{
    static const char *const known[] = {"direction",     "filter", "local_prefix",
                                        "remote_prefix", "qos",    "retain"};
    if (in->type != JSON_OBJECT)
        return diag_set(diag, ST_INVALID, "topics[%u] is no object", index);
    for (const Json *at = in->first; at; at = at->next) {
        if (word_at(known, COUNT_OF(known), at->key) < 0)
            return diag_set(diag, ST_INVALID, "topics[%u] has no member \"%.*s\"", index,
                            STR_ARG(at->key));
        bool number = str_is(at->key, "qos");
        if (at->type != (number ? JSON_INT : JSON_STRING))
            return diag_set(diag, ST_INVALID, "topics[%u].%.*s has to be a %s", index,
                            STR_ARG(at->key), number ? "number" : "text");
    }
    int direction = word_at(directions, COUNT_OF(directions), json_str(in, "direction", STR_NONE));
    int retain = word_at(retains, COUNT_OF(retains), json_str(in, "retain", STR("new")));
    int64_t qos = json_int(in, "qos", 1);
    if (direction < 0)
        return diag_set(diag, ST_INVALID, "topics[%u].direction: write in, out or both", index);
    if (retain < 0)
        return diag_set(diag, ST_INVALID, "topics[%u].retain: write always, new or never", index);
    if (qos < 0 || qos > 2) return diag_set(diag, ST_INVALID, "topics[%u].qos: 0, 1 or 2", index);
    *ret_topic = (MqttBridgeTopic){.filter = json_str(in, "filter", STR_NONE),
                                   .local_prefix = json_str(in, "local_prefix", STR("")),
                                   .remote_prefix = json_str(in, "remote_prefix", STR("")),
                                   .directions = (uint8_t)direction,
                                   .qos = (uint8_t)qos,
                                   .retained = (uint8_t)retain};
    if (!ret_topic->filter.len)
        return diag_set(diag, ST_INVALID, "topics[%u].filter is missing", index);
    return ST_OK;
}

static Status topics_read(Arena *arena, const Json *list, MqttBridgeConf *conf, Diag *diag)
{
    uint32_t count = list ? list->count : 0;
    if (!count || count > MQTT_BRIDGE_TOPICS_MAX)
        return diag_set(diag, ST_INVALID, "topics: 1 to %d", MQTT_BRIDGE_TOPICS_MAX);
    MqttBridgeTopic *topics = arena_many(arena, MqttBridgeTopic, count);
    if (!topics) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    uint32_t at = 0;
    for (const Json *topic = list->first; topic; topic = topic->next, at++) {
        Status st = topic_read(topic, at, &topics[at], diag);
        if (st) return st;
    }
    conf->topics = topics;
    conf->topic_count = count;
    return ST_OK;
}

static Status name_check(Str name, Diag *diag)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!fine) return diag_set(diag, ST_INVALID, "a bridge's name is made of A-Z a-z 0-9 - _");
    }
    return ST_OK;
}

Status bridges__read(Arena *arena, const Json *in, MqttBridgeConf *ret_conf, Diag *diag)
{
    int full = word_at(fulls, COUNT_OF(fulls), json_str(in, "buffer_policy", STR("drop_oldest")));
    Str version = json_str(in, "version", STR("5.0"));
    bool tls = json_bool(in, "tls", false);
    MqttBridgeConf conf = {.name = json_str(in, "name", STR("")),
                           .host = json_str(in, "host", STR("")),
                           .port = (uint16_t)json_int(in, "port", tls ? 8883 : 1883),
                           .tls = tls,
                           .ca_file = json_str(in, "ca_file", STR("")),
                           .cert_file = json_str(in, "cert_file", STR("")),
                           .key_file = json_str(in, "key_file", STR("")),
                           .user = json_str(in, "user", STR("")),
                           .client_id = json_str(in, "client_id", STR("")),
                           .notify = json_str(in, "notify", STR("")),
                           .version = str_is(version, "3.1.1") ? 4 : 5,
                           .keep_alive_s = (uint16_t)json_int(in, "keep_alive_s", 30),
                           .session_expiry_s = (uint32_t)json_int(in, "session_expiry_s", AGE_S),
                           .receive_max = (uint16_t)json_int(in, "window", 1000),
                           .buffer_bytes = (uint64_t)json_int(in, "buffer_bytes", BUFFER_BYTES),
                           .buffer_age_s = (uint32_t)json_int(in, "buffer_age_s", AGE_S),
                           .full = full < 0 ? MQTT_FULL_OLDEST : (MqttBridgeFull)full,
                           .keep_qos0 = json_bool(in, "keep_qos0", false),
                           .mark = json_bool(in, "mark", true),
                           .enabled = json_bool(in, "enabled", true)};
    if (!str_is(version, "3.1.1") && !str_is(version, "5.0"))
        return diag_set(diag, ST_INVALID, "version: write 5.0 or 3.1.1");
    if (full < 0)
        return diag_set(diag, ST_INVALID,
                        "buffer_policy: write drop_oldest, drop_newest or refuse");
    if (!tls && (conf.ca_file.len || conf.cert_file.len || conf.key_file.len))
        return diag_set(diag, ST_INVALID, "certificates are for TLS: set \"tls\" to true");
    Status st = name_check(conf.name, diag);
    if (!st) st = topics_read(arena, json_get(in, "topics"), &conf, diag);
    if (!st) *ret_conf = conf;
    return st;
}

static void topic_write(JsonOut *out, const MqttBridgeTopic *topic)
{
    json_begin_object(out);
    json_field_text(out, "direction", directions[topic->directions]);
    json_field_str(out, "filter", topic->filter);
    json_field_str(out, "local_prefix", topic->local_prefix);
    json_field_str(out, "remote_prefix", topic->remote_prefix);
    json_field_int(out, "qos", topic->qos);
    json_field_text(out, "retain", retains[topic->retained]);
    json_end(out);
}

void bridges__write(JsonOut *out, const MqttBridgeConf *conf)
{
    json_field_str(out, "name", conf->name);
    json_field_str(out, "host", conf->host);
    json_field_int(out, "port", conf->port);
    json_field_bool(out, "tls", conf->tls);
    json_field_str(out, "ca_file", conf->ca_file);
    json_field_str(out, "cert_file", conf->cert_file);
    json_field_str(out, "key_file", conf->key_file);
    json_field_str(out, "user", conf->user);
    json_field_str(out, "client_id", conf->client_id);
    json_field_text(out, "version", conf->version == 4 ? "3.1.1" : "5.0");
    json_field_int(out, "keep_alive_s", conf->keep_alive_s);
    json_field_int(out, "session_expiry_s", conf->session_expiry_s);
    json_field_int(out, "window", conf->receive_max);
    json_field_str(out, "notify", conf->notify);
    json_field_int(out, "buffer_bytes", (int64_t)conf->buffer_bytes);
    json_field_int(out, "buffer_age_s", conf->buffer_age_s);
    json_field_text(out, "buffer_policy", fulls[conf->full]);
    json_field_bool(out, "keep_qos0", conf->keep_qos0);
    json_field_bool(out, "mark", conf->mark);
    json_field_bool(out, "enabled", conf->enabled);
    json_key(out, "topics");
    json_begin_array(out);
    for (uint32_t i = 0; i < conf->topic_count; i++) topic_write(out, &conf->topics[i]);
    json_end(out);
}

const Field bridges__put_in[] = {
    {"name", FIELD_STR, FIELD_REQUIRED, 1, MQTT_BRIDGE_NAME_MAX, "A-Z a-z 0-9 - _"},
    {"host", FIELD_STR, FIELD_REQUIRED, 1, 255, "name or address of the other broker"},
    {"port", FIELD_INT, 0, 1, 65535, "1883, with TLS 8883"},
    {"tls", FIELD_BOOL, 0, 0, 0, "TLS; its certificate has to be for `host`"},
    {"ca_file", FIELD_STR, 0, 0, 1024,
     "PEM file here: whom to trust; empty: whom the machine does"},
    {"cert_file", FIELD_STR, 0, 0, 1024, "PEM file here: our certificate, for brokers that ask"},
    {"key_file", FIELD_STR, 0, 0, 1024, "PEM file here: its key"},
    {"user", FIELD_STR, 0, 0, 1024, "user name there"},
    {"password", FIELD_STR, FIELD_SECRET, 0, BRIDGES_PASSWORD_MAX,
     "stored sealed, never given out; left out: as it is; empty: none"},
    {"client_id", FIELD_STR, 0, 0, 1024, "empty: tutti-, this broker's id, the name"},
    {"version", FIELD_STR, 0, 1, 8, "5.0 (preset) or 3.1.1"},
    {"keep_alive_s", FIELD_INT, 0, 5, 65535, "30: silence of one and a half of it is a loss"},
    {"session_expiry_s", FIELD_INT, 0, 60, 4294967295.0,
     "how long the other broker keeps what is for us; 604800"},
    {"window", FIELD_INT, 0, 1, 1000, "most messages on their way out; 1000"},
    {"notify", FIELD_STR, 0, 0, 4096, "topic there that says 1 or 0, retained; empty: none"},
    {"buffer_bytes", FIELD_INT, 0, 65536, 1099511627776.0, "most that waits to go out; 268435456"},
    {"buffer_age_s", FIELD_INT, 0, 0, 4294967295.0, "longest that it waits; 604800; 0: any"},
    {"buffer_policy", FIELD_STR, 0, 1, 16, "when full: drop_oldest (preset), drop_newest, refuse"},
    {"keep_qos0", FIELD_BOOL, 0, 0, 0,
     "false; true: messages of QoS 0 go out as QoS 1, so they wait as well, on topics of QoS 1, 2"},
    {"mark", FIELD_BOOL, 0, 0, 0,
     "messages carry where they were, so that rings of bridges end: user property tutti-via"},
    {"enabled", FIELD_BOOL, 0, 0, 0, "false: not connected; what is to go out waits"},
    {"topics", FIELD_ARRAY, FIELD_REQUIRED, 1, MQTT_BRIDGE_TOPICS_MAX,
     "each: direction (in, out, both), filter, local_prefix, remote_prefix, qos (1), retain (new, "
     "always, never)"},
    {0}};
