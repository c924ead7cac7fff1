/* runtime/modules/sparkplug/sparkplug_ops.c: what people see of edge nodes and tell them. */
#include "modules/sparkplug/sparkplug_int.h"

#include "base/mem.h"

static void put_uint(JsonOut *out, const char *name, uint64_t value)
{
    json_key(out, name);
    json_put_uint(out, value);
}

static void put_unit(JsonOut *out, const SpUnit *unit)
{
    json_field_str(out, "path", unit->path);
    json_field_text(out, "state", sp_life_name(unit->life));
    json_field_int(out, "metrics", unit->def_count);
    put_uint(out, "births", unit->births);
    put_uint(out, "deaths", unit->deaths);
    put_uint(out, "messages", unit->messages);
    json_field_int(out, "born", unit->born_ms);
    json_field_int(out, "died", unit->died_ms);
    json_field_int(out, "heard", unit->heard_ms);
}

static void put_node(JsonOut *out, const SpNode *node)
{
    json_begin_object(out);
    json_field_str(out, "group", node->group);
    json_field_str(out, "node", node->name);
    put_unit(out, &node->self);
    json_field_int(out, "bdseq", node->bdseq);
    json_field_int(out, "seq", (uint8_t)(node->expected - 1));
    put_uint(out, "lost", node->lost);
    put_uint(out, "reordered", node->reordered);
    put_uint(out, "rebirths", node->rebirths);
    put_uint(out, "old_deaths", node->old_deaths);
    put_uint(out, "unknown", node->unknown);
    json_field_text(out, "why", node->why ? node->why : "");
    json_key(out, "devices");
    json_begin_array(out);
    for (const SpUnit *unit = node->devices; unit; unit = unit->next) {
        json_begin_object(out);
        json_field_str(out, "device", unit->name);
        put_unit(out, unit);
        json_end(out);
    }
    json_end(out);
    json_end(out);
}

static void put_host(const Sparkplug *self, JsonOut *out)
{
    SpHostStats stats = {0};
    if (self->host) sp_host_stats(self->host, &stats);
    json_begin_object(out);
    json_field_str(out, "id", self->conf->host);
    json_field_bool(out, "on", self->host != NULL);
    json_field_str(out, "prefix", self->conf->prefix);
    json_field_int(out, "since", self->state_ms);
    json_field_int(out, "nodes", stats.nodes_now);
    json_field_int(out, "devices", stats.devices_now);
    json_field_int(out, "metrics", stats.defs_now);
    put_uint(out, "messages", stats.messages);
    put_uint(out, "bad", stats.bad);
    put_uint(out, "over_limit", stats.over_limit);
    put_uint(out, "values", self->values);
    put_uint(out, "refused", self->refused);
    put_uint(out, "historical", self->historical);
    put_uint(out, "historical_lost", self->historical_lost);
    put_uint(out, "commands", self->commands);
    put_uint(out, "certificates", self->certificates);
    put_uint(out, "uncertified", self->uncertified);
    json_end(out);
}

void sparkplug__op_list(void *ctx, Req *req)
{
    const Sparkplug *self = ctx;
    Str group = json_str(req->in, "group", STR_NONE), name = json_str(req->in, "node", STR_NONE);
    Buf body;
    JsonOut out;
    buf_init(&body, BUS_BODY_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "host");
    put_host(self, &out);
    json_key(&out, "edge");
    sparkplug__edge_put(self, &out);
    json_key(&out, "nodes");
    json_begin_array(&out);
    for (const SpNode *node = self->host ? sp_host_first(self->host) : NULL; node;
         node = node->next)
        if ((!group.len || str_eq(group, node->group)) && (!name.len || str_eq(name, node->name)))
            put_node(&out, node);
    json_end(&out);
    json_end(&out);
    if (!buf_status(&body)) {
        req_answer_buf(req, &body);
        return;
    }
    buf_done(&body);
    req_fail(req, ST_LIMIT, "there are too many for one answer: ask with group, or group and node");
}

/* The node of a request, or NULL and it was answered. */
static SpNode *node_of(const Sparkplug *self, Req *req)
{
    if (!self->host) {
        req_fail(req, ST_UNAVAILABLE,
                 "there is no Sparkplug host here: set TUTTI_SPARKPLUG_HOST to its id");
        return NULL;
    }
    Str group = json_str(req->in, "group", STR_NONE), name = json_str(req->in, "node", STR_NONE);
    SpNode *node = sp_host_node(self->host, group, name);
    if (!node)
        req_fail(req, ST_NOT_FOUND, "there is no edge node %.*s/%.*s", STR_ARG(group),
                 STR_ARG(name));
    return node;
}

void sparkplug__op_rebirth(void *ctx, Req *req)
{
    Sparkplug *self = ctx;
    Diag diag = {0};
    SpNode *node = node_of(self, req);
    if (!node) return;
    Status st = sparkplug__ask_rebirth(self, node, &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    node->rebirths++;
    node->why = "somebody asked for it";
    log_info(self->env->log, "sparkplug", "rebirth requested", "node=%.*s user=%.*s",
             STR_ARG(node->key), STR_ARG(bus_caller_who(&req->caller)));
    req_answer(req, STR("{}"));
}

void sparkplug__op_command(void *ctx, Req *req)
{
    Sparkplug *self = ctx;
    Diag diag = {0};
    Str device = json_str(req->in, "device", STR_NONE),
        name = json_str(req->in, "metric", STR_NONE);
    const SpNode *node = node_of(self, req);
    if (!node) return;
    const SpUnit *unit = sp_node_unit(node, device);
    if (!unit || unit->life != SP_ALIVE) {
        req_fail(req, unit ? ST_UNAVAILABLE : ST_NOT_FOUND, "%.*s %.*s is %s", STR_ARG(node->key),
                 STR_ARG(device), unit ? sp_life_name(unit->life) : "not there");
        return;
    }
    const SpDef *def = sp_unit_def(unit, name);
    if (!def) {
        req_fail(req, ST_NOT_FOUND, "its birth has no metric \"%.*s\"", STR_ARG(name));
        return;
    }
    Status st = sparkplug__command(self, def, json_get(req->in, "value"), &diag);
    if (st) {
        req_fail(req, st, "%s", diag.text);
        return;
    }
    log_info(self->env->log, "sparkplug", "command sent",
             "node=%.*s device=%.*s metric=%.*s user=%.*s", STR_ARG(node->key), STR_ARG(device),
             STR_ARG(name), STR_ARG(bus_caller_who(&req->caller)));
    req_answer(req, STR("{}"));
}
