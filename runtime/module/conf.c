/* runtime/module/conf.c: from the conf rows of a module to its conf struct.
 *
 * One row is preset, then environment TUTTI_<MODULE>_<KEY>, then explicit setting; the last one
 * that is there wins, and every one is parsed by the same function. Texts are copied into an arena
 * of the module, because the environment may change. */
#include "module/host_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 128, CONF_TEXT_BYTES_MAX = 65536 };

typedef struct Unit {
    Str name;
    int64_t factor;
} Unit;

static const Unit time_units[] = {{{"ms", 2}, 1},      {{"s", 1}, 1000},     {{"min", 3}, 60000},
                                  {{"h", 1}, 3600000}, {{"d", 1}, 86400000}, {{"", 0}, 1},
                                  {{NULL, 0}, 0}};
static const Unit byte_units[] = {
    {{"B", 1}, 1},           {{"KiB", 3}, 1 << 10}, {{"MiB", 3}, 1 << 20},
    {{"GiB", 3}, 1 << 30},   {{"kB", 2}, 1000},     {{"MB", 2}, 1000000},
    {{"GB", 2}, 1000000000}, {{"", 0}, 1},          {{NULL, 0}, 0}};

/* Whole number with a unit behind it; false when either is wrong or it does not fit. */
static bool with_unit(Str text, const Unit *units, int64_t *ret_value)
{
    size_t digits = 0;
    int64_t value = 0;
    if (text.len && text.ptr[0] == '-') digits++;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
    if (!str_to_i64(str_slice(text.ptr, digits), &value)) return false;
    Str unit = str_trim(str_skip(text, digits));
    for (; units->factor; units++) {
        if (!str_eq(unit, units->name)) continue;
        return !__builtin_mul_overflow(value, units->factor, ret_value);
    }
    return false;
}

static bool parse_bool(Str text, int64_t *ret_value)
{
    bool yes = str_is(text, "true") || str_is(text, "on") || str_is(text, "1");
    if (!yes && !str_is(text, "false") && !str_is(text, "off") && !str_is(text, "0")) return false;
    *ret_value = yes;
    return true;
}

Status conf_parse(const ModConf *conf, Str text, int64_t *ret_number, Str *ret_text, Diag *diag)
{
    static const char *const wants[] = {"true or false", "a whole number", "text",
                                        "a time (ms, s, min, h, d)", "a size (B, KiB, MiB, GiB)"};
    int64_t value = 0;
    bool good = false, bounded = conf->min || conf->max;
    Str trimmed = str_trim(text);
    switch (conf->type) {
    case CONF_BOOL: good = parse_bool(trimmed, &value); break;
    case CONF_INT: good = str_to_i64(trimmed, &value); break;
    case CONF_MS: good = with_unit(trimmed, time_units, &value); break;
    case CONF_BYTES: good = with_unit(trimmed, byte_units, &value); break;
    case CONF_STR:
        good = str_utf8_valid(text) && text.len <= CONF_TEXT_BYTES_MAX;
        value = (int64_t)text.len;
        break;
    }
    if (!good)
        return diag_set(diag, ST_INVALID, "%s wants %s, not '%.*s'", conf->key, wants[conf->type],
                        STR_ARG(conf->flags & CONF_SECRET ? STR("***") : text));
    if (conf->type != CONF_BOOL && bounded && (value < conf->min || value > conf->max))
        return diag_set(diag, ST_INVALID, "%s must be from %lld to %lld%s", conf->key,
                        (long long)conf->min, (long long)conf->max,
                        conf->type == CONF_STR  ? " bytes long"
                        : conf->type == CONF_MS ? " ms"
                                                : "");
    if (conf->type == CONF_STR)
        *ret_text = text;
    else
        *ret_number = value;
    return ST_OK;
}

static void env_name(const char *module, const char *key, char *out, size_t room)
{
    (void)snprintf(out, room, "TUTTI_%s_%s", module, key);
    for (char *p = out; *p; p++) {
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
        else if ((*p < 'A' || *p > 'Z') && (*p < '0' || *p > '9'))
            *p = '_';
    }
}

/* The text that wins for one row, and where it came from. */
static const char *source_of(const HostMod *mod, const ModConf *row, const char **ret_from)
{
    char name[NAME_BYTES];
    const char *text = row->preset ? row->preset : "", *from = "preset";
    env_name(mod->def->name, row->key, name, sizeof name);
    const char *env = getenv(name);
    if (env) {
        text = env;
        from = "environment";
    }
    for (const HostConf *c = mod->host->options.conf; c && c->module; c++) {
        if (strcmp(c->module, mod->def->name) != 0 || strcmp(c->key, row->key) != 0) continue;
        text = c->value;
        from = "setting";
    }
    *ret_from = from;
    return text;
}

static Status store_value(void *conf, Arena *texts, const ModConf *row, const char *text,
                          Diag *diag)
{
    int64_t number = 0;
    Str value = STR_NONE;
    Status st = conf_parse(row, str_from(text), &number, &value, diag);
    if (st) return st;
    char *to = (char *)conf + row->offset;
    if (row->type != CONF_STR) {
        memcpy(to, &number, sizeof number);
        return ST_OK;
    }
    value = arena_str(texts, value);
    if (!value.ptr) return diag_set(diag, ST_NO_MEMORY, "%s", row->key);
    memcpy(to, &value, sizeof value);
    return ST_OK;
}

static Status refuse_unknown(const HostMod *mod, Diag *diag)
{
    for (const HostConf *c = mod->host->options.conf; c && c->module; c++) {
        if (strcmp(c->module, mod->def->name) != 0) continue;
        const ModConf *row = mod->def->conf;
        while (row && row->key && strcmp(row->key, c->key) != 0) row++;
        if (!row || !row->key)
            return diag_set(diag, ST_INVALID, "module %s has no setting %s", c->module, c->key);
    }
    return ST_OK;
}

Status host__conf_fill(HostMod *mod, Diag *diag)
{
    Status st = refuse_unknown(mod, diag);
    for (const ModConf *row = mod->def->conf; row && row->key && !st; row++) {
        const char *from = "";
        const char *text = source_of(mod, row, &from);
        st = store_value(mod->conf, mod->conf_texts, row, text, diag);
        if (st) st = diag_wrap(diag, st, "module %s (%s)", mod->def->name, from);
    }
    return st;
}

static HostMod *find_mod(const Host *host, const char *module)
{
    for (size_t i = 0; i < host->count; i++)
        if (strcmp(host->mods[i].def->name, module) == 0) return (HostMod *)&host->mods[i];
    return NULL;
}

static const ModConf *find_row(const HostMod *mod, const char *key)
{
    for (const ModConf *row = mod->def->conf; row && row->key; row++)
        if (strcmp(row->key, key) == 0) return row;
    return NULL;
}

Status host_conf_text(const Host *host, const char *module, const char *key, Buf *out)
{
    const HostMod *mod = find_mod(host, module);
    const ModConf *row = mod ? find_row(mod, key) : NULL;
    if (!row) return ST_NOT_FOUND;
    const char *from = (const char *)mod->conf + row->offset;
    int64_t number = 0;
    Str text = STR_NONE;
    if (row->type == CONF_STR)
        memcpy(&text, from, sizeof text);
    else
        memcpy(&number, from, sizeof number);
    if (row->flags & CONF_SECRET)
        buf_text(out, "***");
    else if (row->type == CONF_STR)
        buf_str(out, text);
    else if (row->type == CONF_BOOL)
        buf_text(out, number ? "true" : "false");
    else
        buf_i64(out, number);
    return buf_status(out);
}

Status host_reload(Host *host, const char *module, const HostConf *conf, Diag *diag)
{
    HostMod *mod = find_mod(host, module);
    if (!mod || !mod->def->reload)
        return diag_set(diag, ST_NOT_FOUND, "module %s cannot be changed while it runs", module);
    Arena *texts = arena_new(0, 0);
    void *changed = texts ? arena_alloc(texts, mod->def->conf_bytes) : NULL;
    Status st = changed ? ST_OK : diag_set(diag, ST_NO_MEMORY, "no memory for settings");
    if (!st) memcpy(changed, mod->conf, mod->def->conf_bytes);
    for (; !st && conf->module; conf++) {
        const ModConf *row = find_row(mod, conf->key);
        if (!row || !(row->flags & CONF_RELOAD))
            st = diag_set(diag, ST_INVALID, "%s.%s cannot be changed while it runs", module,
                          conf->key);
        else
            st = store_value(changed, mod->conf_texts, row, conf->value, diag);
    }
    if (!st) st = mod->def->reload(mod->self, changed, diag);
    if (!st) memcpy(mod->conf, changed, mod->def->conf_bytes);
    arena_free(texts);
    return st;
}
