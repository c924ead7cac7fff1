/* runtime/sparkplug/host_node.c: edge nodes and devices: making, finding, forgetting. */
#include "sparkplug/host_int.h"

#include "base/mem.h"

void sp__held_drop(SpNode *node)
{
    while (node->held) {
        SpHeld *held = node->held;
        node->held = held->next;
        mem_free(held);
    }
    node->held_count = 0;
    node->held_bytes = 0;
    node->gap_ms = 0;
}

void sp__node_free(SpHost *host, SpNode *node)
{
    (void)map_remove(&host->nodes, node->key);
    for (SpNode **link = &host->first; *link; link = &(*link)->next)
        if (*link == node) {
            *link = node->next;
            break;
        }
    sp__held_drop(node);
    sp__birth_drop(host, &node->self);
    while (node->devices) {
        SpUnit *unit = node->devices;
        node->devices = unit->next;
        sp__birth_drop(host, unit);
        mem_free((char *)(uintptr_t)unit->path.ptr);
        mem_free(unit);
        host->stats.devices_now--;
    }
    map_done(&node->by_name);
    mem_free((char *)(uintptr_t)node->self.path.ptr);
    mem_free(node);
    host->stats.nodes_now--;
}

/* The place of the one that is dead for longest. */
static void make_room(SpHost *host)
{
    SpNode *oldest = NULL;
    for (SpNode *node = host->first; node; node = node->next)
        if (node->self.life == SP_DEAD && (!oldest || node->self.died_ms < oldest->self.died_ms))
            oldest = node;
    if (oldest) sp__node_free(host, oldest);
}

static bool path_set(SpHost *host, SpUnit *unit)
{
    Str path;
    if (!sp_path(host->room, host->conf.prefix, unit->node->group, unit->node->name, unit->name,
                 STR_NONE, &path))
        return false;
    char *copy = mem_alloc(path.len + 1);
    if (!copy) return false;
    memcpy(copy, path.ptr, path.len);
    copy[path.len] = 0;
    unit->path = str_slice(copy, path.len);
    return true;
}

SpNode *sp__node_get(SpHost *host, Str group, Str name, int64_t now_ms)
{
    SpNode *node = sp_host_node(host, group, name);
    if (node) return node;
    if (host->stats.nodes_now >= host->conf.nodes_max) make_room(host);
    if (host->stats.nodes_now >= host->conf.nodes_max) return NULL;
    node = mem_zalloc(1, sizeof *node + group.len + 1 + name.len);
    if (!node) return NULL;
    char *text = (char *)(node + 1);
    memcpy(text, group.ptr, group.len);
    text[group.len] = '/';
    memcpy(text + group.len + 1, name.ptr, name.len);
    node->key = str_slice(text, group.len + 1 + name.len);
    node->group = str_slice(text, group.len);
    node->name = str_slice(text + group.len + 1, name.len);
    node->self.node = node;
    map_init(&node->by_name, host->conf.devices_max);
    node->bdseq = -1;
    node->unheard_ms = now_ms;
    if (!path_set(host, &node->self) || map_put(&host->nodes, node->key, node)) {
        mem_free((char *)(uintptr_t)node->self.path.ptr);
        mem_free(node);
        return NULL;
    }
    node->next = host->first;
    host->first = node;
    host->stats.nodes_now++;
    return node;
}

SpNode *sp_host_node(const SpHost *host, Str group, Str node)
{
    char key[2 * SP_ID_BYTES_MAX + 1];
    if (!sp_id_valid(group) || !sp_id_valid(node)) return NULL;
    memcpy(key, group.ptr, group.len);
    key[group.len] = '/';
    memcpy(key + group.len + 1, node.ptr, node.len);
    return map_get(&host->nodes, str_slice(key, group.len + 1 + node.len));
}

const SpUnit *sp_node_unit(const SpNode *node, Str device)
{
    return device.len ? map_get(&node->by_name, device) : &node->self;
}

SpUnit *sp__device_get(SpHost *host, SpNode *node, Str name)
{
    SpUnit *unit = (SpUnit *)(uintptr_t)sp_node_unit(node, name);
    if (unit || host->stats.devices_now >= host->conf.devices_max) return unit;
    unit = mem_zalloc(1, sizeof *unit + name.len + 1);
    if (!unit) return NULL;
    memcpy((char *)(unit + 1), name.ptr, name.len);
    unit->name = str_slice((char *)(unit + 1), name.len);
    unit->node = node;
    if (!path_set(host, unit) || map_put(&node->by_name, unit->name, unit)) {
        mem_free((char *)(uintptr_t)unit->path.ptr);
        mem_free(unit);
        return NULL;
    }
    unit->next = node->devices;
    node->devices = unit;
    host->stats.devices_now++;
    return unit;
}

const SpDef *sp_unit_def(const SpUnit *unit, Str metric)
{
    return unit->arena ? map_get(&unit->by_name, metric) : NULL;
}

SpNode *sp_host_first(const SpHost *host)
{
    return host->first;
}

void sp_host_stats(const SpHost *host, SpHostStats *ret_stats)
{
    *ret_stats = host->stats;
}

const char *sp_life_name(SpLife life)
{
    static const char *const names[] = {"unheard", "alive", "dead"};
    return names[life];
}
