/* runtime/modules/uns/uns_alarm_ops.c: what people ask of alarms and do to them. */
#include "modules/uns/uns_alarm.h"

#include <stdlib.h>

enum { LIST_LIMIT = 500, MESSAGE_BYTES_MAX = 2048 };

/* ---- the list ---- */

typedef struct Filter {
    AlarmPriority priority; /* 0 = any */
    AlarmState state;
    bool any_state, all; /* any_state: all but normal; all: those too */
    Str prefix;
} Filter;

static bool below(Str path, Str prefix)
{
    if (!prefix.len) return true;
    return str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

static bool wanted(const Filter *filter, const AlarmPoint *point)
{
    AlarmState state = alarm_point_kept(point).state;
    if (filter->priority && alarm_point_rule(point)->priority != filter->priority) return false;
    if (!filter->any_state && state != filter->state) return false;
    if (filter->any_state && !filter->all && state == ALARM_NORMAL) return false;
    return below(alarm_point_path(point), filter->prefix);
}

/* The most urgent first, of those the newest. */
static int compare(const void *left, const void *right)
{
    const AlarmPoint *a = *(const AlarmPoint *const *)left, *b = *(const AlarmPoint *const *)right;
    AlarmPriority pa = alarm_point_rule(a)->priority, pb = alarm_point_rule(b)->priority;
    if (pa != pb) return pa < pb ? -1 : 1;
    int64_t ta = alarm_point_kept(a).since_ms, tb = alarm_point_kept(b).since_ms;
    if (ta != tb) return ta > tb ? -1 : 1;
    return str_cmp(alarm_point_path(a), alarm_point_path(b));
}

/* {path}, {name} and {value} of a message; other braces stay. */
void uns__alarm_put_message(const UnsNode *node, const AlarmRule *rule, Str path, JsonOut *out)
{
    char room[MESSAGE_BYTES_MAX];
    Buf text, value;
    JsonOut number;
    UnsValue now = node ? uns_node_value(node) : (UnsValue){.type = UNS_NONE};
    Str rest = node ? rule->message : STR_NONE;
    buf_init(&text, sizeof room);
    buf_init(&value, UNS_TEXT_BYTES_MAX * 2);
    json_out_init(&number, &value);
    if (rest.len)
        uns__put_value(&number, &now);
    else
        buf_printf(&text, "%.*s at %.*s", STR_ARG(rule->name), STR_ARG(path));
    for (size_t i = 0; i < rest.len;) {
        Str at = str_skip(rest, i);
        if (str_starts(at, STR("{path}"))) {
            buf_str(&text, uns_node_path(node));
            i += 6;
        } else if (str_starts(at, STR("{name}"))) {
            buf_str(&text, uns_node_name(node));
            i += 6;
        } else if (str_starts(at, STR("{value}"))) {
            buf_str(&text, now.type == UNS_TEXT ? now.text : buf_view(&value));
            i += 7;
        } else {
            buf_char(&text, rest.ptr[i++]);
        }
    }
    json_field_str(out, "message", buf_status(&text) ? rule->message : buf_view(&text));
    buf_done(&text);
    buf_done(&value);
}

static void put_point(const Uns *uns, const AlarmPoint *point, JsonOut *out)
{
    const AlarmRule *rule = alarm_point_rule(point);
    const UnsNode *node = uns_tree_find(&uns->tree, alarm_point_path(point));
    AlarmKept kept = alarm_point_kept(point);
    json_begin_object(out);
    json_field_str(out, "rule", rule->name);
    if (rule->origin.len) json_field_str(out, "origin", rule->origin);
    json_field_str(out, "path", alarm_point_path(point));
    json_field_text(out, "state", alarm_state_name(kept.state));
    json_field_text(out, "priority", alarm_priority_name(rule->priority));
    json_field_bool(out, "active", kept.under == ALARM_UNACKED || kept.under == ALARM_ACKED);
    json_field_int(out, "since", kept.since_ms);
    json_field_int(out, "raised", kept.raised_ms);
    json_field_number(out, "raised_value", kept.raised_value);
    json_field_int(out, "count", (int64_t)kept.raised_count);
    if (kept.shelved) json_field_int(out, "shelved_until", kept.shelf_ms);
    if (node) {
        UnsValue value = uns_node_value(node);
        json_key(out, "value");
        uns__put_value(out, &value);
        if (rule->message.len) uns__alarm_put_message(node, rule, STR_NONE, out);
    }
    if (rule->action.len) json_field_str(out, "action", rule->action);
    json_end(out);
}

void uns__alarm_put_counts(const Uns *uns, JsonOut *out)
{
    const Alarms *list = uns->alarms->list;
    json_key(out, "standing");
    json_begin_object(out);
    for (AlarmPriority each = ALARM_CRITICAL; each <= ALARM_LOW; each++)
        json_field_int(out, alarm_priority_name(each), alarms_standing(list, each));
    json_end(out);
    json_key(out, "states");
    json_begin_object(out);
    for (AlarmState each = ALARM_NORMAL; each < ALARM__STATES; each++)
        json_field_int(out, alarm_state_name(each), alarms_count(list, each));
    json_end(out);
}

static bool read_filter(const Json *in, Filter *filter)
{
    Str priority = json_str(in, "priority", STR_NONE), state = json_str(in, "state", STR_NONE);
    *filter = (Filter){.prefix = json_str(in, "prefix", STR_NONE)};
    filter->all = str_is(state, "all");
    filter->any_state = !state.len || filter->all;
    if (priority.len && !alarm_priority_read(priority, &filter->priority)) return false;
    return filter->any_state || alarm_state_read(state, &filter->state);
}

void uns__op_alarms(void *self, Req *req)
{
    Uns *uns = self;
    Filter filter;
    uint32_t found = 0, limit = (uint32_t)json_int(req->in, "limit", LIST_LIMIT), total = 0;
    if (!read_filter(req->in, &filter)) {
        req_fail(req, ST_INVALID, "there is no such state or priority");
        return;
    }
    const AlarmPoint *point = NULL;
    while ((point = alarms_next_point(uns->alarms->list, point))) total += wanted(&filter, point);
    const AlarmPoint **list = arena_many(req->arena, const AlarmPoint *, total + 1);
    if (!list) {
        req_fail(req, ST_NO_MEMORY, "no memory for the list");
        return;
    }
    while ((point = alarms_next_point(uns->alarms->list, point)))
        if (wanted(&filter, point)) list[found++] = point;
    qsort(list, found, sizeof *list, compare);
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "alarms");
    json_begin_array(&out);
    uint32_t put = 0;
    for (; put < found && put < limit && body.len < UNS_ANSWER_BYTES_MAX - 64 * 1024; put++)
        put_point(uns, list[put], &out);
    json_end(&out);
    json_field_int(&out, "total", total);
    json_field_bool(&out, "more", put < found);
    uns__alarm_put_counts(uns, &out);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- acts ---- */

static Status act_on(Uns *uns, const Req *req, AlarmAct act, const Json *which, Diag *diag)
{
    Str rule = json_str(which, "rule", STR_NONE), path = json_str(which, "path", STR_NONE);
    const UnsNode *node = path.len ? uns_tree_find(&uns->tree, path) : NULL;
    AlarmPoint *point = node ? alarm_find(uns_node_alarms(node), rule) : NULL;
    if (!point) return diag_set(diag, ST_NOT_FOUND, "there is no such alarm");
    return alarms_act(uns->alarms->list, point, act, bus_caller_who(&req->caller),
                      json_str(req->in, "text", STR_NONE), json_int(req->in, "until", 0),
                      uns_alarm_now(), diag);
}

static bool is_design(AlarmAct act)
{
    return act >= ALARM_SUPPRESS;
}

/* True when the request may go on. */
static bool check_act(const Uns *uns, Req *req, AlarmAct *ret_act)
{
    int64_t until = json_int(req->in, "until", 0), now = clock_wall_ns() / NS_PER_MS;
    if (!alarm_act_read(json_str(req->in, "act", STR_NONE), ret_act)) {
        req_fail(req, ST_INVALID, "there is no such act");
        return false;
    }
    if (is_design(*ret_act) && !(req->caller.roles & (ROLE_ENGINEER | ROLE_ADMIN))) {
        req_fail(req, ST_FORBIDDEN, "an engineer suppresses alarms and takes them out of service");
        return false;
    }
    if (*ret_act != ALARM_SHELVE) return true;
    if (until <= now || until > now + uns_conf(uns)->shelve_max_ms) {
        req_fail(req, ST_INVALID, "until is not a time within the next %lld minutes",
                 (long long)(uns_conf(uns)->shelve_max_ms / 60000));
        return false;
    }
    if (!json_str(req->in, "text", STR_NONE).len) {
        req_fail(req, ST_INVALID, "a shelve needs a reason: text");
        return false;
    }
    return true;
}

void uns__op_alarm_act(void *self, Req *req)
{
    Uns *uns = self;
    AlarmAct act;
    Buf body;
    JsonOut out;
    int64_t done = 0;
    if (!check_act(uns, req, &act)) return;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "refused");
    json_begin_array(&out);
    for (const Json *each = json_get(req->in, "alarms")->first; each; each = each->next) {
        Diag diag = {0};
        if (!act_on(uns, req, act, each, &diag)) {
            done++;
            continue;
        }
        json_begin_object(&out);
        json_field_str(&out, "rule", json_str(each, "rule", STR_NONE));
        json_field_str(&out, "path", json_str(each, "path", STR_NONE));
        json_field_text(&out, "reason", diag.text);
        json_end(&out);
    }
    json_end(&out);
    json_field_int(&out, "done", done);
    json_end(&out);
    uns__alarm_arm(uns);
    uns__alarm_answer_kept(uns, req, &body);
}

/* ---- rules ---- */

void uns__op_alarm_rules(void *self, Req *req)
{
    Uns *uns = self;
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "rules");
    json_begin_array(&out);
    const AlarmRule *rule = NULL;
    while ((rule = alarms_next_rule(uns->alarms->list, rule))) {
        json_begin_object(&out);
        const AlarmPoint *point = alarm_rule_point(rule);
        json_field_str(&out, "origin", rule->origin);
        if (point) json_field_str(&out, "path", alarm_point_path(point));
        json_key(&out, "alarm");
        alarm_rule_write(rule, &out);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}
