/* runtime/modules/dashboards/overview.h: a dashboard drawn from what the namespace holds. */
#ifndef TUTTI_MODULES_DASHBOARDS_OVERVIEW_H
#define TUTTI_MODULES_DASHBOARDS_OVERVIEW_H

#include "base/arena.h"
#include "base/json.h"

/* Writes the widgets into the open array `out`. `nodes` is the list of uns.tree; `arena` is for
 * work and must outlive the call only. Writes nothing when it has no memory. */
void dashboards__overview(Arena *arena, const Json *nodes, JsonOut *out);

#endif
