/* runtime/modules/uns/uns_notify_target.c: targets as JSON, and their secrets. docs/alarms.md has
 * the form. Nothing written here for people holds a header's value or the key of the signature. */
#include "modules/uns/uns_notify.h"

#include "mqtt/codec.h"
#include "peer/smtp.h"

enum { GROUP_PRESET_MS = 10000, GROUP_MAX_MS = 3600000, SECRET_MIN = 16 };

static const char *const kind_names[] = {"email", "mqtt", "webhook"};
_Static_assert(COUNT_OF(kind_names) == UNS_TARGET__KINDS, "one name per kind");
#define SUBJECT_PRESET "{priority} {event}: {message}"

typedef struct Reader {
    const Json *json;
    const UnsTargetConf *held;
    UnsTargetConf *conf;
    Diag *diag;
} Reader;

const char *uns__target_kind(UnsTargetKind kind)
{
    return kind_names[kind];
}

void uns__target_conf_free(UnsTargetConf *conf)
{
    if (!conf) return;
    secret_wipe(conf->secret);
    for (uint32_t i = 0; i < conf->header_count; i++) secret_wipe(conf->headers[i].value);
    arena_free(conf->arena);
}

static UnsTargetConf *conf_new(void)
{
    Arena *arena = arena_new(1024, 1 << 20);
    UnsTargetConf *conf = arena ? arena_one(arena, UnsTargetConf) : NULL;
    if (conf)
        conf->arena = arena;
    else
        arena_free(arena);
    return conf;
}

static Status copy(UnsTargetConf *conf, Str text, Str *ret)
{
    *ret = arena_str(conf->arena, text);
    return ret->ptr ? ST_OK : ST_NO_MEMORY;
}

Status uns__target_copy(const UnsTargetConf *from, UnsTargetConf **ret_conf)
{
    UnsTargetConf *conf = conf_new();
    if (!conf) return ST_NO_MEMORY;
    Arena *arena = conf->arena;
    *conf = *from;
    conf->arena = arena;
    Status st = copy(conf, from->name, &conf->name);
    Str *texts[] = {&conf->to,  &conf->subject, &conf->topic, &conf->filter,
                    &conf->url, &conf->ca,      &conf->secret};
    for (size_t i = 0; i < COUNT_OF(texts) && !st; i++) st = copy(conf, *texts[i], texts[i]);
    for (uint32_t i = 0; i < conf->header_count && !st; i++) {
        st = copy(conf, from->headers[i].name, &conf->headers[i].name);
        if (!st) st = copy(conf, from->headers[i].value, &conf->headers[i].value);
    }
    if (st)
        arena_free(arena);
    else
        *ret_conf = conf;
    return st;
}

/* ---- reading ---- */

static Status read_text(const Reader *in, const char *name, const char *preset, Str *ret)
{
    const Json *json = json_get(in->json, name);
    Str text = str_from(preset);
    if (json && json->type != JSON_NULL) {
        if (json->type != JSON_STRING)
            return diag_set(in->diag, ST_INVALID, "%s is not a text", name);
        text = json->text;
    }
    if (text.len > UNS_TARGET_TEXT_MAX)
        return diag_set(in->diag, ST_INVALID, "%s is longer than %d bytes", name,
                        UNS_TARGET_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ')
            return diag_set(in->diag, ST_INVALID, "%s holds a control character", name);
    return copy(in->conf, text, ret) ? diag_set(in->diag, ST_NO_MEMORY, "no memory") : ST_OK;
}

/* A field of another kind is a mistake, not something to keep. */
static Status check_fields(const Reader *in)
{
    static const struct {
        const char *name;
        int kind; /* -1: all */
    } fields[] = {{"name", -1},
                  {"kind", -1},
                  {"to", UNS_EMAIL},
                  {"subject", UNS_EMAIL},
                  {"topic", UNS_MQTT},
                  {"retain", UNS_MQTT},
                  {"qos", UNS_MQTT},
                  {"url", UNS_WEBHOOK},
                  {"ca", UNS_WEBHOOK},
                  {"headers", UNS_WEBHOOK},
                  {"secret", UNS_WEBHOOK},
                  {"group_ms", -1}};
    for (const Json *each = in->json->first; each; each = each->next) {
        size_t at = 0;
        while (at < COUNT_OF(fields) && !str_is(each->key, fields[at].name)) at++;
        bool fits = at < COUNT_OF(fields) &&
                    (fields[at].kind < 0 || fields[at].kind == (int)in->conf->kind);
        bool group = str_is(each->key, "group_ms") && in->conf->kind == UNS_MQTT;
        if ((!fits || group) && each->type != JSON_NULL)
            return diag_set(in->diag, ST_INVALID, "%.*s is not a setting of kind %s",
                            STR_ARG(each->key), kind_names[in->conf->kind]);
    }
    return ST_OK;
}

static Status read_group(const Reader *in)
{
    const Json *json = json_get(in->json, "group_ms");
    in->conf->group_ms = in->conf->kind == UNS_MQTT ? 0 : GROUP_PRESET_MS;
    if (!json || json->type == JSON_NULL) return ST_OK;
    if (json->type != JSON_INT || json->integer < 0 || json->integer > GROUP_MAX_MS)
        return diag_set(in->diag, ST_INVALID, "group_ms is not a whole number from 0 to %d",
                        GROUP_MAX_MS);
    in->conf->group_ms = json->integer;
    return ST_OK;
}

static Status read_email(const Reader *in)
{
    const char *list[SMTP_RECIPIENTS_MAX];
    uint32_t count;
    Status st = read_text(in, "to", "", &in->conf->to);
    if (!st) {
        st = smtp_addresses(in->conf->arena, in->conf->to, list, &count, in->diag);
        if (st) return diag_wrap(in->diag, st, "to");
    }
    return st ? st : read_text(in, "subject", SUBJECT_PRESET, &in->conf->subject);
}

/* The filter of all topics that the template can become: one level for each placeholder, the rest
 * for {path}, and what is below, because fields of the JSON are names there. */
static Status read_topic(const Reader *in)
{
    static const char *const levels[] = {"{rule}", "{priority}", "{state}"};
    AUTO_BUF Buf filter = {0};
    UnsTargetConf *conf = in->conf;
    Status st = read_text(in, "topic", "alarms/{path}", &conf->topic);
    if (st) return st;
    buf_init(&filter, UNS_TARGET_TEXT_MAX + 8);
    Str rest = conf->topic;
    bool literal = false, whole = false;
    while (rest.len && !whole) {
        ptrdiff_t slash = str_find_char(rest, '/');
        Str level = slash < 0 ? rest : str_slice(rest.ptr, (size_t)slash);
        rest = slash < 0 ? STR_NONE : str_skip(rest, (size_t)slash + 1);
        bool one = false;
        for (size_t i = 0; i < COUNT_OF(levels); i++) one = one || str_is(level, levels[i]);
        whole = str_is(level, "{path}") && !rest.len && literal;
        if (!one && !whole && (str_find_char(level, '{') >= 0 || !level.len))
            return diag_set(in->diag, ST_INVALID,
                            "topic has \"%.*s\" where only words, {rule}, {priority}, {state} and,"
                            " as its last level, {path} can be, as in alarms/{path}",
                            STR_ARG(level));
        if (filter.len) buf_char(&filter, '/');
        buf_str(&filter, whole ? STR("#") : one ? STR("+") : level);
        literal = literal || (!one && !whole);
    }
    if (!whole) buf_text(&filter, "/#");
    bool good = literal && !buf_status(&filter) && mqtt_filter_valid(buf_view(&filter)) &&
                str_find_char(conf->topic, '+') < 0 && str_find_char(conf->topic, '#') < 0 &&
                conf->topic.ptr[0] != '$' && conf->topic.ptr[0] != '{';
    if (!good)
        return diag_set(in->diag, ST_INVALID,
                        "topic is not a topic that begins with a word, as alarms/{path}");
    if (copy(conf, buf_view(&filter), &conf->filter))
        return diag_set(in->diag, ST_NO_MEMORY, "no memory");
    return ST_OK;
}

static Status read_mqtt(const Reader *in)
{
    const Json *retain = json_get(in->json, "retain"), *qos = json_get(in->json, "qos");
    if (retain && retain->type > JSON_TRUE)
        return diag_set(in->diag, ST_INVALID, "retain is not true or false");
    in->conf->retain = json_bool(in->json, "retain", false);
    if (qos && qos->type != JSON_NULL &&
        (qos->type != JSON_INT || qos->integer < 0 || qos->integer > 2))
        return diag_set(in->diag, ST_INVALID, "qos is not 0, 1 or 2");
    in->conf->qos = (uint8_t)json_int(in->json, "qos", 1);
    return read_topic(in);
}

static const UnsHeader *header_of(const UnsTargetConf *conf, Str name)
{
    for (uint32_t i = 0; conf && i < conf->header_count; i++)
        if (str_eq(conf->headers[i].name, name)) return &conf->headers[i];
    return NULL;
}

static bool header_valid(Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '_') return false;
    }
    return name.len && name.len <= 100;
}

static Status read_header(const Reader *in, const Json *json)
{
    UnsTargetConf *conf = in->conf;
    const UnsHeader *held = header_of(in->held, json->key);
    Str value = json->type == JSON_STRING ? json->text : held ? held->value : STR_NONE;
    if (conf->header_count == UNS_HEADERS_MAX)
        return diag_set(in->diag, ST_INVALID, "headers are more than %d", UNS_HEADERS_MAX);
    if (!header_valid(json->key))
        return diag_set(in->diag, ST_INVALID, "headers: \"%.*s\" is no name of a header",
                        STR_ARG(json->key));
    if (json->type != JSON_STRING && (json->type != JSON_NULL || !held))
        return diag_set(in->diag, ST_INVALID, "headers: %.*s needs a value", STR_ARG(json->key));
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 127)
            return diag_set(in->diag, ST_INVALID, "headers: %.*s holds a control character",
                            STR_ARG(json->key));
    if (!value.len || value.len > UNS_TARGET_TEXT_MAX)
        return diag_set(in->diag, ST_INVALID, "headers: %.*s is not 1 to %d bytes long",
                        STR_ARG(json->key), UNS_TARGET_TEXT_MAX);
    UnsHeader *header = &conf->headers[conf->header_count++];
    if (copy(conf, json->key, &header->name) || copy(conf, value, &header->value))
        return diag_set(in->diag, ST_NO_MEMORY, "no memory");
    return ST_OK;
}

static Status read_secrets(const Reader *in)
{
    const Json *headers = json_get(in->json, "headers"), *secret = json_get(in->json, "secret");
    Status st = ST_OK;
    if (headers && headers->type != JSON_OBJECT && headers->type != JSON_NULL)
        return diag_set(in->diag, ST_INVALID, "headers is not an object of names and values");
    for (const Json *each = headers ? headers->first : NULL; each && !st; each = each->next)
        st = read_header(in, each);
    if (st) return st;
    Str text = in->held ? in->held->secret : STR_NONE;
    if (secret && secret->type != JSON_NULL) {
        if (secret->type != JSON_STRING || (secret->text.len && secret->text.len < SECRET_MIN) ||
            secret->text.len > UNS_TARGET_TEXT_MAX)
            return diag_set(in->diag, ST_INVALID,
                            "secret is not a text of %d bytes or more; \"\" takes it away",
                            SECRET_MIN);
        text = secret->text;
    }
    return copy(in->conf, text, &in->conf->secret) ? diag_set(in->diag, ST_NO_MEMORY, "no memory")
                                                   : ST_OK;
}

static Status read_webhook(const Reader *in)
{
    UnsTargetConf *conf = in->conf;
    Status st = read_text(in, "url", "", &conf->url);
    if (!st) st = read_text(in, "ca", "", &conf->ca);
    if (st) return st;
    bool http = str_starts(conf->url, STR("http://")),
         https = str_starts(conf->url, STR("https://"));
    Str rest = str_skip(conf->url, https ? 8 : 7);
    ptrdiff_t slash = str_find_char(rest, '/');
    Str host = slash < 0 ? rest : str_slice(rest.ptr, (size_t)slash);
    if ((!http && !https) || !host.len || str_find_char(conf->url, ' ') >= 0)
        return diag_set(in->diag, ST_INVALID, "url is not https://host/path (or http://)");
    if (str_find_char(host, '@') >= 0)
        return diag_set(in->diag, ST_INVALID,
                        "url holds a user and password: put them into a header Authorization");
    if (conf->ca.len && (conf->ca.ptr[0] != '/' || http))
        return diag_set(in->diag, ST_INVALID,
                        "ca is not the path of a file of certificates for https, from /");
    return read_secrets(in);
}

static bool find_kind(Str name, UnsTargetKind *ret)
{
    for (int i = 0; i < UNS_TARGET__KINDS; i++) {
        if (!str_is(name, kind_names[i])) continue;
        *ret = (UnsTargetKind)i;
        return true;
    }
    return false;
}

Status uns__target_read(const Json *json, const UnsTargetConf *held, UnsTargetConf **ret_conf,
                        Diag *diag)
{
    static Status (*const kinds[])(const Reader *) = {read_email, read_mqtt, read_webhook};
    UnsTargetConf *conf = conf_new();
    if (!conf) return diag_set(diag, ST_NO_MEMORY, "no memory");
    Reader in = {.json = json, .held = held, .conf = conf, .diag = diag};
    Status st = read_text(&in, "name", "", &conf->name);
    if (!st && !alarm_name_valid(conf->name))
        st = diag_set(diag, ST_INVALID,
                      "name is not a word of at most %d letters, digits, _ . and"
                      " -",
                      ALARM_NAME_BYTES_MAX);
    if (!st && !find_kind(json_str(json, "kind", STR_NONE), &conf->kind))
        st = diag_set(diag, ST_INVALID, "kind is not email, mqtt or webhook");
    if (!st) st = check_fields(&in);
    if (!st) st = read_group(&in);
    if (!st) st = kinds[conf->kind](&in);
    if (st)
        uns__target_conf_free(conf);
    else
        *ret_conf = conf;
    return st;
}

/* ---- writing ---- */

/* A path and what is behind it may be a secret of its own (as those of chat services are). */
static Str host_only(Str url)
{
    Str rest = str_skip(url, 8);
    ptrdiff_t slash = str_find_char(rest, '/');
    return slash < 0 ? url : str_slice(url.ptr, 8 + (size_t)slash);
}

void uns__target_write(const UnsTargetConf *conf, bool whole, JsonOut *out)
{
    json_field_str(out, "name", conf->name);
    json_field_text(out, "kind", kind_names[conf->kind]);
    switch (conf->kind) {
    case UNS_EMAIL:
        json_field_str(out, "to", conf->to);
        json_field_str(out, "subject", conf->subject);
        break;
    case UNS_MQTT:
        json_field_str(out, "topic", conf->topic);
        json_field_bool(out, "retain", conf->retain);
        json_field_int(out, "qos", conf->qos);
        break;
    default:
        json_field_str(out, "url", whole ? conf->url : host_only(conf->url));
        if (conf->ca.len) json_field_str(out, "ca", conf->ca);
        json_key(out, "headers");
        json_begin_object(out);
        for (uint32_t i = 0; i < conf->header_count; i++) {
            json_key_str(out, conf->headers[i].name);
            json_put_null(out);
        }
        json_end(out);
        break;
    }
    if (conf->kind != UNS_MQTT) json_field_int(out, "group_ms", conf->group_ms);
}

void uns__target_secrets(const UnsTargetConf *conf, Buf *out)
{
    JsonOut json;
    if (!conf->header_count && !conf->secret.len) return;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_field_str(&json, "secret", conf->secret);
    json_key(&json, "headers");
    json_begin_object(&json);
    for (uint32_t i = 0; i < conf->header_count; i++) {
        json_key_str(&json, conf->headers[i].name);
        json_put_str(&json, conf->headers[i].value);
    }
    json_end(&json);
    json_end(&json);
}

Status uns__target_unsealed(const Json *secrets, UnsTargetConf **ret_held)
{
    UnsTargetConf *conf = conf_new();
    if (!conf) return ST_NO_MEMORY;
    Status st = copy(conf, json_str(secrets, "secret", STR_NONE), &conf->secret);
    const Json *headers = json_get(secrets, "headers");
    const Json *each = headers ? headers->first : NULL;
    for (; each && !st && conf->header_count < UNS_HEADERS_MAX; each = each->next) {
        UnsHeader *header = &conf->headers[conf->header_count++];
        st = copy(conf, each->key, &header->name);
        if (!st) st = copy(conf, each->text, &header->value);
    }
    if (st)
        uns__target_conf_free(conf);
    else
        *ret_held = conf;
    return st;
}
