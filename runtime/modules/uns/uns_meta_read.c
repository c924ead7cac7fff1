/* runtime/modules/uns/uns_meta_read.c: metadata from JSON into its canonical form.
 *
 * Fields in the order of the table, keys by name, what is empty left out: equal metadata is equal
 * text, so that "changed" is one comparison and an export comes back as it went. */
#include "modules/uns/uns_meta.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

const char *const uns_meta_names[META_FIELDS] = {"kind", "title", "unit", "description", "owner"};
const char *const uns_meta_kinds[] = {"enterprise", "site",      "area", "line",
                                      "cell",       "equipment", "tag",  NULL};

static const size_t most_bytes[META_FIELDS] = {META_NAME_BYTES_MAX, META_TITLE_BYTES_MAX,
                                               META_NAME_BYTES_MAX, META_TEXT_BYTES_MAX,
                                               META_NAME_BYTES_MAX};

typedef struct Draft {
    Str text[META_FIELDS];
    int64_t stale_ms;
    bool by_source;
    const Json *keys[META_KEYS_MAX];
    Str names[META_KEYS_MAX];
    uint32_t key_count;
} Draft;

static Status text_of(const Json *in, MetaField field, Draft *draft, Diag *diag)
{
    const char *name = uns_meta_names[field];
    const Json *value = json_get(in, name);
    draft->text[field] = STR("");
    if (!value || value->type == JSON_NULL) return ST_OK;
    if (value->type != JSON_STRING || value->text.len > most_bytes[field])
        return diag_set(diag, ST_INVALID, "%s is a text of at most %zu bytes", name,
                        most_bytes[field]);
    draft->text[field] = str_trim(value->text);
    return ST_OK;
}

static Status stale_of(const Json *in, Draft *draft, Diag *diag)
{
    const Json *ms = json_get(in, "stale_ms");
    Str by = json_str(in, "stale_by", STR("received"));
    if (ms && ms->type != JSON_NULL) {
        draft->stale_ms = json_int(in, "stale_ms", -1);
        if (ms->type != JSON_INT || draft->stale_ms < 0 || draft->stale_ms > META_STALE_MS_MAX)
            return diag_set(diag, ST_INVALID, "stale_ms is a whole number from 0 to %d",
                            META_STALE_MS_MAX);
    }
    draft->by_source = str_is(by, "source");
    if (draft->by_source || str_is(by, "received") || !by.len) return ST_OK;
    return diag_set(diag, ST_INVALID, "stale_by is received or source");
}

static Status keys_of(const Json *in, Draft *draft, Diag *diag)
{
    const Json *keys = json_get(in, "keys");
    if (!keys || keys->type == JSON_NULL) return ST_OK;
    if (keys->type != JSON_OBJECT || keys->count > META_KEYS_MAX)
        return diag_set(diag, ST_INVALID, "keys is an object of at most %d texts", META_KEYS_MAX);
    for (const Json *at = keys->first; at; at = at->next) {
        Str name = at->key;
        if (at->type == JSON_STRING && !at->text.len) continue;
        if (!name.len || name.len > META_NAME_BYTES_MAX || at->type != JSON_STRING ||
            at->text.len > META_TEXT_BYTES_MAX)
            return diag_set(diag, ST_INVALID,
                            "keys: \"%.*s\" is a name of 1 to %d bytes with a text of at most %d",
                            STR_ARG(name), META_NAME_BYTES_MAX, META_TEXT_BYTES_MAX);
        uint32_t i = draft->key_count;
        for (; i && str_cmp(draft->names[i - 1], name) > 0; i--) {
            draft->names[i] = draft->names[i - 1];
            draft->keys[i] = draft->keys[i - 1];
        }
        if (i && str_eq(draft->names[i - 1], name))
            return diag_set(diag, ST_INVALID, "keys: \"%.*s\" stands twice", STR_ARG(name));
        draft->names[i] = name;
        draft->keys[i] = at;
        draft->key_count++;
    }
    return ST_OK;
}

static bool is_empty(const Draft *draft)
{
    bool any = draft->stale_ms || draft->by_source || draft->key_count;
    for (int i = 0; i < META_FIELDS; i++) any = any || draft->text[i].len;
    return !any;
}

static void put_json(const Draft *draft, Buf *buf)
{
    JsonOut out;
    json_out_init(&out, buf);
    json_begin_object(&out);
    for (int i = 0; i < META_FIELDS; i++)
        if (draft->text[i].len) json_field_str(&out, uns_meta_names[i], draft->text[i]);
    if (draft->stale_ms) json_field_int(&out, "stale_ms", draft->stale_ms);
    if (draft->by_source) json_field_text(&out, "stale_by", "source");
    if (draft->key_count) {
        json_key(&out, "keys");
        json_begin_object(&out);
        for (uint32_t i = 0; i < draft->key_count; i++) {
            json_key_str(&out, draft->names[i]);
            json_put_str(&out, draft->keys[i]->text);
        }
        json_end(&out);
    }
    json_end(&out);
}

static void put_words(const Draft *draft, Buf *buf)
{
    for (int i = 0; i < META_FIELDS; i++) {
        buf_str(buf, draft->text[i]);
        buf_char(buf, '\n');
    }
    for (uint32_t i = 0; i < draft->key_count; i++) {
        buf_str(buf, draft->keys[i]->text);
        buf_char(buf, '\n');
    }
}

/* Everything behind the struct, in one block; the fields' texts lie in the words. */
static UnsMeta *block_of(const Draft *draft, Str json, Str words)
{
    size_t bytes = sizeof(UnsMeta) + json.len + words.len;
    UnsMeta *meta = mem_alloc(bytes);
    if (!meta) return NULL;
    char *to = (char *)(meta + 1);
    memcpy(to, json.ptr, json.len);
    memcpy(to + json.len, words.ptr, words.len);
    *meta = (UnsMeta){.json = {to, json.len},
                      .words = {to + json.len, words.len},
                      .stale_ms = draft->stale_ms,
                      .by_source = draft->by_source,
                      .bytes = (uint32_t)bytes};
    const char *at = to + json.len;
    for (int i = 0; i < META_FIELDS; i++) {
        meta->text[i] = (Str){at, draft->text[i].len};
        at += draft->text[i].len + 1;
    }
    return meta;
}

Status uns_meta_read(const Json *in, UnsMeta **ret_meta, Diag *diag)
{
    Draft draft = {0};
    AUTO_BUF Buf json, words;
    buf_init(&json, META_BYTES_MAX);
    buf_init(&words, 2 * META_BYTES_MAX);
    Status st = ST_OK;
    for (int i = 0; i < META_FIELDS && !st; i++) st = text_of(in, (MetaField)i, &draft, diag);
    if (!st) st = stale_of(in, &draft, diag);
    if (!st) st = keys_of(in, &draft, diag);
    if (st) return st;
    if (is_empty(&draft)) {
        *ret_meta = NULL;
        return ST_OK;
    }
    put_json(&draft, &json);
    put_words(&draft, &words);
    if (buf_status(&json) || buf_status(&words))
        return diag_set(diag, ST_LIMIT, "metadata of one node has at most %d bytes as JSON",
                        META_BYTES_MAX);
    UnsMeta *meta = block_of(&draft, buf_view(&json), buf_view(&words));
    if (!meta) return diag_set(diag, ST_NO_MEMORY, "no memory for metadata");
    *ret_meta = meta;
    return ST_OK;
}

Str uns_meta_key(const Json *json, Str name)
{
    const Json *keys = json_get(json, "keys");
    for (const Json *at = keys ? keys->first : NULL; at; at = at->next)
        if (str_eq(at->key, name)) return at->text;
    return STR("");
}
