/* runtime/sparkplug/host_birth.c: birth certificates: which metrics there are, and their aliases.
 *
 * A birth replaces the one before it, whole. Aliases are of the edge node, its devices included
 * ([tck-id-payloads-alias-uniqueness]), so its table is made anew with each birth of any of them.
 */
#include "sparkplug/host_int.h"

#include "base/mem.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

static uint64_t alias_hash(uint64_t alias)
{
    return hash_bytes(&alias, sizeof alias);
}

static SpAlias *alias_slot(const SpNode *node, uint64_t alias)
{
    uint64_t mask = node->alias_slots - 1;
    for (uint64_t at = alias_hash(alias) & mask;; at = (at + 1) & mask) {
        SpAlias *slot = &node->aliases[at];
        if (!slot->def || slot->def->alias == alias) return slot;
    }
}

static void alias_put(SpNode *node, const SpUnit *unit)
{
    for (uint32_t i = 0; i < unit->def_count; i++) {
        const SpDef *def = &unit->defs[i];
        if (!def->has_alias) continue;
        SpAlias *slot = alias_slot(node, def->alias);
        if (!slot->def) slot->def = def; /* else two have it: the first keeps it */
    }
}

/* False without memory: then there are none. */
static bool aliases_renew(SpNode *node)
{
    uint64_t count = node->self.def_count;
    uint32_t slots = 16;
    for (const SpUnit *unit = node->devices; unit; unit = unit->next) count += unit->def_count;
    while (slots < count * 2) slots *= 2;
    SpAlias *table = mem_zalloc(slots, sizeof *table);
    mem_free(node->aliases);
    node->aliases = table;
    node->alias_slots = table ? slots : 0;
    if (!table) return false;
    alias_put(node, &node->self);
    for (const SpUnit *unit = node->devices; unit; unit = unit->next) alias_put(node, unit);
    return true;
}

const SpDef *sp__def_of(const SpUnit *unit, const SpMetric *metric)
{
    if (metric->name.len) return map_get(&unit->by_name, metric->name);
    if (!metric->has_alias || !unit->node->alias_slots) return NULL;
    const SpDef *def = alias_slot(unit->node, metric->alias)->def;
    return def && def->unit == unit ? def : NULL;
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
    mem_free(unit->node->aliases); /* they point into it */
    unit->node->aliases = NULL;
    unit->node->alias_slots = 0;
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
        (void)aliases_renew(unit->node);
        return ST_LIMIT;
    }
    unit->arena = arena_new(4096, ARENA_BYTES_MAX);
    Status st = unit->arena ? defs_read(host, unit, payload) : ST_NO_MEMORY;
    if (!st && !aliases_renew(unit->node)) st = ST_NO_MEMORY;
    if (!st) return ST_OK;
    *ret_why = st == ST_LIMIT ? "the path of a metric would be too long" : "no memory for a birth";
    sp__birth_drop(host, unit);
    (void)aliases_renew(unit->node);
    return st;
}
