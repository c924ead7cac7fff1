/* runtime/modules/uns/uns_template.c: common equipment: names, units and the type that goes with
 * them, from one table (stdlib/equipment.def).
 *
 * Instantiating writes metadata as an import does. With `bind` the template's type becomes a schema
 * of the template's name, unless there is one of that name, and is bound to the new path. The
 * metadata is there by then: when the module schemas refuses, the answer says so. */
#include "modules/uns/uns_change.h"

#include "base/mem.h"

typedef struct Tag {
    const char *field, *type, *unit, *range, *title;
} Tag;

typedef struct Equipment {
    const char *name, *title, *description;
} Equipment;

/* Rows of both kinds in the order of the table. */
typedef struct Row {
    Equipment equipment; /* name NULL: a tag of the one above */
    Tag tag;
} Row;

static const Row rows[] = {
#define EQUIPMENT(name, title, description)  {{name, title, description}, {0}},
#define TAG(field, type, unit, range, title) {{0}, {field, type, unit, range, title}},
#include "stdlib/equipment.def"
#undef EQUIPMENT
#undef TAG
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static bool is_tag(size_t row)
{
    return row < ROW_COUNT && !rows[row].equipment.name;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* type EnergyMeter = { power: f64 [kW] in 0..5?, ... } */
static void put_type(Buf *out, size_t at)
{
    bool start = true;
    buf_text(out, "type ");
    for (const char *p = rows[at].equipment.name; *p; p++) {
        if (*p != '_') buf_char(out, start ? upper(*p) : *p);
        start = *p == '_';
    }
    buf_text(out, " = {\n");
    for (size_t i = at + 1; is_tag(i); i++) {
        const Tag *tag = &rows[i].tag;
        buf_printf(out, "  %s: %s", tag->field, tag->type);
        if (tag->unit[0]) buf_printf(out, " [%s]", tag->unit);
        if (tag->range[0]) buf_printf(out, " in %s", tag->range);
        buf_printf(out, "?  # %s\n", tag->title);
    }
    buf_text(out, "}\n");
}

static Str type_text(Arena *arena, size_t at)
{
    AUTO_BUF Buf text;
    buf_init(&text, 64 * 1024);
    put_type(&text, at);
    return buf_status(&text) ? STR_NONE : arena_str(arena, buf_view(&text));
}

void uns__op_templates(void *self, Req *req)
{
    Buf body;
    JsonOut out;
    (void)self;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_key(&out, "templates");
    json_begin_array(&out);
    for (size_t at = 0; at < ROW_COUNT; at++) {
        if (is_tag(at)) continue;
        json_begin_object(&out);
        json_field_text(&out, "name", rows[at].equipment.name);
        json_field_text(&out, "title", rows[at].equipment.title);
        json_field_text(&out, "description", rows[at].equipment.description);
        json_field_str(&out, "text", type_text(req->arena, at));
        json_key(&out, "tags");
        json_begin_array(&out);
        for (size_t i = at + 1; is_tag(i); i++) {
            json_begin_object(&out);
            json_field_text(&out, "name", rows[i].tag.field);
            json_field_text(&out, "type", rows[i].tag.type);
            json_field_text(&out, "unit", rows[i].tag.unit);
            json_field_text(&out, "title", rows[i].tag.title);
            json_end(&out);
        }
        json_end(&out);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    req_answer_buf(req, &body);
}

/* ---- instantiating ---- */

static size_t equipment_named(Str name)
{
    size_t at = 0;
    while (at < ROW_COUNT && (is_tag(at) || !str_is(name, rows[at].equipment.name))) at++;
    return at;
}

static void answer(UnsChanges *changes, Str warning)
{
    Buf body;
    JsonOut out;
    buf_init(&body, UNS_ANSWER_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    uns__changes_put_table(changes, json_bool(changes->req->in, "dry", false), &out);
    if (warning.len) json_field_str(&out, "warning", warning);
    json_end(&out);
    req_answer_buf(changes->req, &body);
    uns__changes_free(changes);
}

static void on_bound(void *ctx, Status status, Str body)
{
    UnsChanges *changes = ctx;
    Str why = STR("");
    if (status)
        why = arena_printf(changes->req->arena, "the names are there, the type is not bound: %.*s",
                           STR_ARG(body));
    answer(changes, why);
}

static void bind_type(UnsChanges *changes)
{
    Buf body;
    JsonOut out;
    buf_init(&body, 8192);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "filter", json_str(changes->req->in, "path", STR("")));
    json_field_str(&out, "schema", json_str(changes->req->in, "name", STR("")));
    json_field_str(&out, "mode", json_str(changes->req->in, "bind", STR("soft")));
    json_end(&out);
    Status st = buf_status(&body);
    if (!st)
        st = bus_request(changes->uns->env->bus, STR("schemas.bind"), buf_view(&body),
                         &changes->req->caller, 5000, on_bound, changes);
    buf_done(&body);
    if (st) on_bound(changes, st, str_from(status_text(st)));
}

static void on_saved(void *ctx, Status status, Str body)
{
    if (status)
        on_bound(ctx, status, body);
    else
        bind_type(ctx);
}

static void save_type(UnsChanges *changes)
{
    Str name = json_str(changes->req->in, "name", STR(""));
    Buf body;
    JsonOut out;
    buf_init(&body, 128 * 1024);
    json_out_init(&out, &body);
    json_begin_object(&out);
    json_field_str(&out, "name", name);
    json_field_str(&out, "text", type_text(changes->req->arena, equipment_named(name)));
    json_end(&out);
    Status st = buf_status(&body);
    if (!st)
        st = bus_request(changes->uns->env->bus, STR("schemas.save"), buf_view(&body),
                         &changes->req->caller, 10000, on_saved, changes);
    buf_done(&body);
    if (st) on_bound(changes, st, str_from(status_text(st)));
}

/* Somebody's own version of the template's type stays. */
static void on_looked(void *ctx, Status status, Str body)
{
    if (status == ST_NOT_FOUND)
        save_type(ctx);
    else
        on_saved(ctx, status, body);
}

static void look_for_type(UnsChanges *changes)
{
    Str body = arena_printf(
        changes->req->arena, "{\"name\":\"%s\"}",
        rows[equipment_named(json_str(changes->req->in, "name", STR("")))].equipment.name);
    Status st = body.ptr ? bus_request(changes->uns->env->bus, STR("schemas.get"), body,
                                       &changes->req->caller, 5000, on_looked, changes)
                         : ST_NO_MEMORY;
    if (st) on_bound(changes, st, str_from(status_text(st)));
}

static void on_made(UnsChanges *changes, Status status, const Diag *diag)
{
    if (status) {
        req_fail(changes->req, status, "%s",
                 diag && diag->text[0] ? diag->text : status_text(status));
        uns__changes_free(changes);
    } else if (json_str(changes->req->in, "bind", STR("")).len) {
        look_for_type(changes);
    } else {
        answer(changes, STR(""));
    }
}

static bool add(UnsChanges *changes, Str path, const char *kind, Str title, const char *unit,
                const char *description)
{
    AUTO_BUF Buf buf;
    JsonOut out;
    const Json *json = NULL;
    Str owner = json_str(changes->req->in, "owner", STR(""));
    buf_init(&buf, 16 * 1024);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_field_text(&out, "kind", kind);
    json_field_str(&out, "title", title);
    if (unit[0]) json_field_text(&out, "unit", unit);
    if (description[0]) json_field_text(&out, "description", description);
    if (owner.len && str_is(str_from(kind), "equipment")) json_field_str(&out, "owner", owner);
    json_end(&out);
    Str text = buf_status(&buf) ? STR_NONE : arena_str(changes->req->arena, buf_view(&buf));
    if (!path.ptr || !text.ptr || json_read(changes->req->arena, text, &json, NULL)) {
        uns__changes_error(changes, 1, 1, "no memory for the names");
        return false;
    }
    return uns__changes_merge(changes, path, json, 0, 0);
}

static bool add_all(UnsChanges *changes, size_t at)
{
    Str path = json_str(changes->req->in, "path", STR(""));
    Str title = json_str(changes->req->in, "title", str_from(rows[at].equipment.title));
    bool fine = add(changes, path, "equipment", title, "", rows[at].equipment.description);
    for (size_t i = at + 1; is_tag(i) && fine; i++) {
        const Tag *tag = &rows[i].tag;
        Str name = arena_printf(changes->req->arena, "%.*s/%s", STR_ARG(path), tag->field);
        fine = add(changes, name, "tag", str_from(tag->title), tag->unit, "");
    }
    return fine;
}

void uns__op_instantiate(void *self, Req *req)
{
    Str name = json_str(req->in, "name", STR("")), bind = json_str(req->in, "bind", STR(""));
    size_t at = equipment_named(name);
    UnsChanges *changes;
    Diag diag = {0};
    if (at == ROW_COUNT) {
        req_fail(req, ST_NOT_FOUND, "there is no template \"%.*s\"", STR_ARG(name));
        return;
    }
    if (bind.len && !str_is(bind, "strict") && !str_is(bind, "soft")) {
        req_fail(req, ST_INVALID, "bind is strict or soft");
        return;
    }
    Status st = uns__changes_new(self, req, &changes);
    if (st) {
        req_fail(req, st, "%s", status_text(st));
        return;
    }
    if (!add_all(changes, at))
        st = diag_set(&diag, ST_INVALID, "%.*s", STR_ARG(changes->errors[0].text));
    if (!st) st = uns__changes_fit(changes, &diag);
    if (!st && json_bool(req->in, "dry", false)) {
        answer(changes, STR(""));
        return;
    }
    if (!st) st = uns__changes_apply(changes, on_made, "equipment is made of a template");
    if (!st) return;
    req_fail(req, st, "%s", diag.text[0] ? diag.text : status_text(st));
    uns__changes_free(changes);
}
