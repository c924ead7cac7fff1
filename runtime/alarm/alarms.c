/* runtime/alarm/alarms.c: the rules and the points, made, found and given back. */
#include "alarm/alarm_int.h"

#include "base/mem.h"

Alarms *alarms_new(uint32_t point_max, AlarmEventFn *fn, void *ctx)
{
    Alarms *alarms = mem_zalloc(1, sizeof *alarms);
    if (alarms) *alarms = (Alarms){.fn = fn, .ctx = ctx, .point_max = point_max};
    return alarms;
}

/* ---- points ---- */

static void point_free(Alarms *alarms, AlarmPoint *point)
{
    alarm__due_set(alarms, point, ALARM_NEVER);
    alarm__count(alarms, point, -1);
    if (point->prev_of_path)
        point->prev_of_path->next_of_path = point->next_of_path;
    else
        *point->head = point->next_of_path;
    if (point->next_of_path) point->next_of_path->prev_of_path = point->prev_of_path;
    if (point->prev_of_rule)
        point->prev_of_rule->next_of_rule = point->next_of_rule;
    else
        point->rule->points = point->next_of_rule;
    if (point->next_of_rule) point->next_of_rule->prev_of_rule = point->prev_of_rule;
    if (point->prev)
        point->prev->next = point->next;
    else
        alarms->points = point->next;
    if (point->next) point->next->prev = point->prev;
    alarms->point_count--;
    mem_free(point->span);
    mem_free(point);
}

static bool needs_span(const AlarmRule *rule)
{
    return rule->kind == ALARM_RISES || rule->kind == ALARM_FALLS;
}

static Status span_begin(AlarmPoint *point)
{
    if (!needs_span(&point->rule->rule)) return ST_OK;
    if (!point->span) point->span = mem_alloc(sizeof *point->span);
    if (!point->span) return ST_NO_MEMORY;
    for (uint32_t i = 0; i <= ALARM_BUCKETS; i++) point->span->bucket[i].number = ALARM_NO_BUCKET;
    return ST_OK;
}

static void link_point(Alarms *alarms, AlarmPoint *point)
{
    point->next_of_path = *point->head;
    if (point->next_of_path) point->next_of_path->prev_of_path = point;
    *point->head = point;
    point->next_of_rule = point->rule->points;
    if (point->next_of_rule) point->next_of_rule->prev_of_rule = point;
    point->rule->points = point;
    point->next = alarms->points;
    if (point->next) point->next->prev = point;
    alarms->points = point;
    alarms->point_count++;
    alarm__count(alarms, point, 1);
}

/* Every rule that is handed out is the head of its node. */
static RuleNode *node_of(const AlarmRule *rule)
{
    return (RuleNode *)(uintptr_t)rule;
}

static Status point_new(Alarms *alarms, RuleNode *node, Str path, AlarmPoint **head,
                        AlarmPoint **ret_point)
{
    if (alarms->point_count >= alarms->point_max) return ST_LIMIT;
    AlarmPoint *point = alarm__heap_room(alarms) ? NULL : mem_zalloc(1, sizeof *point);
    if (!point) return ST_NO_MEMORY;
    point->rule = node;
    point->path = path;
    point->head = head;
    point->delay_ms = point->look_ms = ALARM_NEVER;
    if (span_begin(point)) {
        mem_free(point);
        return ST_NO_MEMORY;
    }
    link_point(alarms, point);
    *ret_point = point;
    return ST_OK;
}

Status alarms_attach(Alarms *alarms, const AlarmRule *rule, Str path, AlarmPoint **head,
                     const AlarmValue *value, AlarmTime heard)
{
    AlarmPoint *point = alarm_find(*head, rule->name);
    Status st = point ? ST_OK : point_new(alarms, node_of(rule), path, head, &point);
    if (!st) alarm__begin(alarms, point, value, heard);
    return st;
}

/* ---- rules ---- */

static void node_free(Alarms *alarms, RuleNode *node)
{
    while (node->points) point_free(alarms, node->points);
    arena_free(node->arena);
}

static Str copy(Arena *arena, Str text, bool *lost)
{
    Str held = arena_str(arena, text);
    if (!held.ptr) *lost = true;
    return held;
}

static Status rule_copy(const AlarmRule *rule, RuleNode **ret_node)
{
    bool lost = false;
    Arena *arena = arena_new(1024, 64 * 1024);
    RuleNode *node = arena ? arena_one(arena, RuleNode) : NULL;
    if (!node) {
        arena_free(arena);
        return ST_NO_MEMORY;
    }
    *node = (RuleNode){.rule = *rule, .arena = arena};
    node->rule.name = copy(arena, rule->name, &lost);
    node->rule.on = copy(arena, rule->on, &lost);
    node->rule.origin = copy(arena, rule->origin, &lost);
    node->rule.message = copy(arena, rule->message, &lost);
    node->rule.action = copy(arena, rule->action, &lost);
    for (uint32_t i = 0; i < rule->word_count; i++)
        node->rule.words[i] = copy(arena, rule->words[i], &lost);
    if (lost) {
        arena_free(arena);
        return ST_NO_MEMORY;
    }
    *ret_node = node;
    return ST_OK;
}

/* The points of the old rule go over to the new one, or away. */
static Status take_over(Alarms *alarms, RuleNode *old, RuleNode *node, AlarmFitsFn *fits, void *ctx)
{
    Status st = ST_OK;
    bool same = old->rule.kind == node->rule.kind && old->rule.span_ms == node->rule.span_ms;
    for (AlarmPoint *point = old->points, *next; point; point = next) {
        next = point->next_of_rule;
        if (fits && !fits(ctx, &node->rule, point->path)) {
            point_free(alarms, point);
            continue;
        }
        alarm__count(alarms, point, -1);
        point->rule = node;
        alarm__count(alarms, point, 1);
        point->delay_ms = ALARM_NEVER;
        if (!same && span_begin(point)) st = ST_NO_MEMORY;
    }
    node->points = old->points;
    old->points = NULL;
    return st;
}

void alarms_moved(Alarms *alarms, AlarmPoint **head, Str path, AlarmFitsFn *fits, void *ctx)
{
    for (AlarmPoint *point = *head, *next; point; point = next) {
        next = point->next_of_path;
        if (fits(ctx, &point->rule->rule, path))
            point->path = path;
        else
            point_free(alarms, point);
    }
}

Status alarms_put(Alarms *alarms, const AlarmRule *rule, AlarmFitsFn *fits, void *ctx)
{
    RuleNode *node, **at = &alarms->rules;
    Status st = rule_copy(rule, &node);
    if (st) return st;
    while (*at && str_cmp((*at)->rule.name, rule->name) < 0) at = &(*at)->next;
    RuleNode *old = *at && str_eq((*at)->rule.name, rule->name) ? *at : NULL;
    node->next = old ? old->next : *at;
    *at = node;
    if (!old) return ST_OK;
    st = take_over(alarms, old, node, fits, ctx);
    node_free(alarms, old);
    if (st) (void)alarms_drop(alarms, rule->name);
    return st;
}

bool alarms_rename(Alarms *alarms, Str from, Str to)
{
    RuleNode **at = &alarms->rules;
    while (*at && !str_eq((*at)->rule.name, from)) at = &(*at)->next;
    RuleNode *node = *at;
    Str name = node ? arena_str(node->arena, to) : STR_NONE;
    if (!name.ptr) return false;
    *at = node->next;
    node->rule.name = name;
    for (at = &alarms->rules; *at && str_cmp((*at)->rule.name, name) < 0;) at = &(*at)->next;
    node->next = *at;
    *at = node;
    return true;
}

bool alarms_drop(Alarms *alarms, Str name)
{
    RuleNode **at = &alarms->rules;
    while (*at && !str_eq((*at)->rule.name, name)) at = &(*at)->next;
    if (!*at) return false;
    RuleNode *node = *at;
    *at = node->next;
    node_free(alarms, node);
    return true;
}

const AlarmRule *alarms_rule(const Alarms *alarms, Str name)
{
    const RuleNode *node = alarms->rules;
    while (node && !str_eq(node->rule.name, name)) node = node->next;
    return node ? &node->rule : NULL;
}

const AlarmRule *alarms_next_rule(const Alarms *alarms, const AlarmRule *rule)
{
    const RuleNode *node = rule ? node_of(rule)->next : alarms->rules;
    return node ? &node->rule : NULL;
}

void alarms_free(Alarms *alarms)
{
    if (!alarms) return;
    while (alarms->rules) (void)alarms_drop(alarms, alarms->rules->rule.name);
    mem_free(alarms->heap);
    mem_free(alarms);
}

/* ---- what is there ---- */

AlarmPoint *alarm_next(const AlarmPoint *point)
{
    return point->next_of_path;
}

AlarmPoint *alarm_find(AlarmPoint *first, Str rule)
{
    while (first && !str_eq(first->rule->rule.name, rule)) first = first->next_of_path;
    return first;
}

const AlarmPoint *alarm_rule_point(const AlarmRule *rule)
{
    return node_of(rule)->points;
}

const AlarmRule *alarm_point_rule(const AlarmPoint *point)
{
    return &point->rule->rule;
}

Str alarm_point_path(const AlarmPoint *point)
{
    return point->path;
}

AlarmKept alarm_point_kept(const AlarmPoint *point)
{
    return point->kept;
}

AlarmPoint *alarms_next_point(const Alarms *alarms, const AlarmPoint *point)
{
    return point ? point->next : alarms->points;
}

uint32_t alarms_count(const Alarms *alarms, AlarmState state)
{
    return alarms->in_state[state];
}

uint32_t alarms_standing(const Alarms *alarms, AlarmPriority priority)
{
    return alarms->standing[priority];
}
