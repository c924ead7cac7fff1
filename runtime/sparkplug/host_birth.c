/* runtime/sparkplug/host_birth.c: birth certificates: which metrics there are, and their aliases.
 *
 * A birth replaces the one before it, whole. An alias is unique in an edge node with its devices
 * ([tck-id-payloads-alias-uniqueness]), and data is about metrics of the node or device it names:
 * so each has a table of its own, and the birth of one costs the others nothing. */
#include "sparkplug/host_int.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

static const SpDef **alias_slot(const SpUnit *unit, uint64_t alias)
{
    uint64_t mask = unit->alias_slots - 1;
    for (uint64_t at = hash_bytes(&alias, sizeof alias) & mask;; at = (at + 1) & mask) {
        const SpDef **slot = &unit->aliases[at];
        if (!*slot || (*slot)->alias == alias) return slot;
    }
}

static MUST Status aliases_make(SpUnit *unit)
{
    uint32_t count = 0, slots = 16;
    for (uint32_t i = 0; i < unit->def_count; i++) count += unit->defs[i].has_alias;
    if (!count) return ST_OK;
    while (slots < count * 2) slots *= 2;
    unit->aliases = arena_many(unit->arena, const SpDef *, slots);
    if (!unit->aliases) return ST_NO_MEMORY;
    memset(unit->aliases, 0, slots * sizeof *unit->aliases);
    unit->alias_slots = slots;
    for (uint32_t i = 0; i < unit->def_count; i++) {
        const SpDef *def = &unit->defs[i];
        if (!def->has_alias) continue;
        const SpDef **slot = alias_slot(unit, def->alias);
        if (!*slot) *slot = def; /* else two have it: the first keeps it */
    }
    return ST_OK;
}

const SpDef *sp__def_of(const SpUnit *unit, const SpMetric *metric)
{
    if (metric->name.len) return map_get(&unit->by_name, metric->name);
    return metric->has_alias ? sp_unit_alias(unit, metric->alias) : NULL;
}

const SpDef *sp_unit_alias(const SpUnit *unit, uint64_t alias)
{
    return unit->aliases ? *alias_slot(unit, alias) : NULL;
}

void sp__birth_drop(SpHost *host, SpUnit *unit)
{
    if (!unit->arena) return;
    host->stats.defs_now -= unit->def_count;
    unit->def_count = 0;
    unit->defs = NULL;
    map_done(&unit->by_name);
    arena_free(unit->arena);
    unit->arena = NULL;
    unit->aliases = NULL;
    unit->alias_slots = 0;
}

static bool hidden(const SpMetric *metric)
{
    if (str_is(metric->name, "bdSeq") || str_is(metric->name, "Node Control/Rebirth")) return true;
    return metric->value.form == SP_IN_TEMPLATE && sp_template(metric->value.bytes).definition;
}

static MUST Status def_add(SpHost *host, SpUnit *unit, const SpMetric *metric)
{
    Str path;
    /* [tck-id-payloads-name-birth-data-requirement], and one of each name */
    if (!metric->name.len || map_get(&unit->by_name, metric->name)) return ST_OK;
    if (!sp_path(host->room, host->conf.prefix, unit->node->group, unit->node->name, unit->name,
                 metric->name, &path))
        return ST_LIMIT;
    SpDef *def = &unit->defs[unit->def_count];
    *def = (SpDef){.unit = unit,
                   .name = arena_str(unit->arena, metric->name),
                   .path = arena_str(unit->arena, path),
                   .alias = metric->alias,
                   .has_alias = metric->has_alias,
                   .type = metric->type,
                   .hidden = hidden(metric)};
    if (!def->name.ptr || !def->path.ptr) return ST_NO_MEMORY;
    unit->def_count++;
    return map_put(&unit->by_name, def->name, def);
}

static MUST Status defs_read(SpHost *host, SpUnit *unit, const SpPayload *payload)
{
    SpMetric metric;
    SpWalk walk = sp_metrics(payload);
    Status st = ST_OK;
    unit->defs = arena_many(unit->arena, SpDef, payload->count + 1u);
    if (!unit->defs) return ST_NO_MEMORY;
    map_init(&unit->by_name, payload->count + 1u);
    while (!st && sp_metric_next(&walk, &metric)) st = def_add(host, unit, &metric);
    host->stats.defs_now += unit->def_count;
    return st;
}

Status sp__birth_read(SpHost *host, SpUnit *unit, const SpPayload *payload, const char **ret_why)
{
    sp__birth_drop(host, unit);
    if (host->stats.defs_now + (uint64_t)payload->count > host->conf.metrics_max) {
        *ret_why = "there are too many metrics: raise TUTTI_SPARKPLUG_METRICS";
        return ST_LIMIT;
    }
    unit->arena = arena_new(4096, ARENA_BYTES_MAX);
    Status st = unit->arena ? defs_read(host, unit, payload) : ST_NO_MEMORY;
    if (!st) st = aliases_make(unit);
    if (!st) return ST_OK;
    *ret_why = st == ST_LIMIT ? "the path of a metric would be too long" : "no memory for a birth";
    sp__birth_drop(host, unit);
    return st;
}
