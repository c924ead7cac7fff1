/* compiler/type/maps.c: connections and register maps. */
#include "compiler/type/flow.h"

/* "tcp://..." or env("NAME"), which becomes ${NAME}. */
static bool url_of(Check *c, const AstExpr *e, Str *ret_url)
{
    if (!e) return false;
    if (ast_string_text(e, ret_url)) return true;
    Str name;
    if (e->kind == AST_CALL && str_is(e->as.call.name.text, "env") && e->as.call.args &&
        !e->as.call.args->next && ast_string_text(e->as.call.args->value, &name)) {
        *ret_url = check__text(c, "${%.*s}", STR_ARG(name));
        return true;
    }
    return false;
}

/* What a connection of a kind may say about itself; durations are above 0. */
static const struct Setting {
    const char *kind, *name;
    IrType type;
    int64_t lo, hi; /* of a number */
} known_settings[] = {
#define SETTING(kind, name, type, lo, hi, doc) {#kind, #name, IR_##type, lo, hi},
#define LINK(kind, doc)
#include "compiler/type/settings.def"
#undef SETTING
#undef LINK
};

static const char *const link_kinds[] = {
#define SETTING(kind, name, type, lo, hi, doc)
#define LINK(kind, doc) #kind,
#include "compiler/type/settings.def"
#undef SETTING
#undef LINK
};

static bool setting_fits(const struct Setting *setting, const IrOption *o)
{
    if (setting->type != o->type) return false;
    if (o->type == IR_I64)
        return o->value.integer >= setting->lo && o->value.integer <= setting->hi;
    return o->type != IR_DURATION || o->value.integer > 0;
}

static void setting_wrong(Check *c, const struct Setting *setting, Span span)
{
    if (setting->type == IR_I64)
        diag_error(c->diags, DIAG_S011, span, "`%s` is a number from %lld to %lld", setting->name,
                   (long long)setting->lo, (long long)setting->hi);
    else
        diag_error(c->diags, DIAG_S011, span, "`%s` is %s", setting->name,
                   setting->type == IR_DURATION ? "a duration above 0"
                   : setting->type == IR_BOOL   ? "true or false"
                                                : "a text, or env(\"NAME\")");
}

static void settings(Check *c, const AstExpr *e, IrConnection *out)
{
    uint32_t cap = 0;
    if (!e || e->kind != AST_RECORD) return;
    for (const AstField *f = e->as.fields; f; f = f->next) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        const struct Setting *setting = NULL;
        for (size_t i = 0; i < COUNT_OF(known_settings); i++) {
            if (!str_is(out->kind, known_settings[i].kind)) continue;
            if (str_is(f->name.text, known_settings[i].name)) setting = &known_settings[i];
            diag_suggest(f->name.text, str_from(known_settings[i].name), &best, &distance);
        }
        IrOption o = {.name = f->name.text};
        if (!setting) {
            Diagnostic *d = diag_error(c->diags, DIAG_S010, f->name.span,
                                       "a connection of the kind `%.*s` has no setting `%.*s`",
                                       STR_ARG(out->kind), STR_ARG(f->name.text));
            check__did_you_mean(c, d, f->name.span, best);
            continue;
        }
        Val v;
        o.type = IR_STR;
        if (!url_of(c, f->value, &o.value.text)) {
            if (!check__constant_expr(c, f->value, NULL, "a setting", &v)) continue;
            bool whole = type_is_number(v.type.kind) && !type_is_float(v.type.kind) &&
                         v.type.kind != IR_DECIMAL && !v.type.unit;
            o.type = whole ? IR_I64 : v.type.kind;
            o.value = v.imm;
        }
        if (setting_fits(setting, &o))
            *PUSH(c, out->options, out->option_count, cap) = o;
        else
            setting_wrong(c, setting, f->value->span);
    }
}

static bool known_kind(Check *c, const AstName *kind)
{
    Str list = STR("");
    for (size_t i = 0; i < COUNT_OF(link_kinds); i++) {
        if (str_is(kind->text, link_kinds[i])) return true;
        list = check__text(c, "%.*s%s%s", STR_ARG(list),
                           !i                              ? ""
                           : i + 1 == COUNT_OF(link_kinds) ? " and "
                                                           : ", ",
                           link_kinds[i]);
    }
    diag_error(c->diags, DIAG_A006, kind->span,
               "connections of the kind `%.*s` are not available yet; %.*s are",
               STR_ARG(kind->text), STR_ARG(list));
    return false;
}

static void connection(Check *c, Str name, const Named *named)
{
    const AstItem *item = named->item;
    const AstConnector *to = &item->as.connection.to;
    IrConnection out = {.name = name, .kind = to->kind.text, .span = item->span};
    if (!known_kind(c, &to->kind)) return;
    Scope *outer = check__enter(c, named->home);
    if (!url_of(c, to->address, &out.url) && !item->broken)
        diag_error(c->diags, DIAG_S012, to->span,
                   "a connection needs its URL: a text or env(\"NAME\")");
    for (const AstOption *o = to->options; o; o = o->next)
        diag_error(c->diags, DIAG_S010, o->span,
                   "settings of a connection stand in braces: { user: \"...\" }");
    settings(c, item->as.connection.settings, &out);
    check__enter(c, outer);
    IrProgram *p = c->program;
    *PUSH(c, p->connections, p->connection_count, c->connection_cap) = out;
}

static void connections_of(Check *c, const Scope *from, Str as)
{
    for (const AstItem *item = from->file->items; item; item = item->next) {
        if (item->kind != AST_ITEM_CONNECTION) continue;
        Str name = as.len ? check__text(c, "%.*s.%.*s", STR_ARG(as), STR_ARG(item->name.text))
                          : item->name.text;
        const Named *named = map_get(&c->scope->connections, name);
        if (named && named->item == item) connection(c, name, named);
    }
}

/* The connections that the program's pipelines can name, each under that name. */
void check__connections(Check *c)
{
    connections_of(c, c->scope, STR_NONE);
    for (uint32_t i = 0; i < c->scope->used_count; i++)
        connections_of(c, c->scope->used[i].scope, c->scope->used[i].use->as.use.as.text);
}

enum { STALE_POLLS = 10 };

static double number_or(Check *c, const AstExpr *e, double preset)
{
    Val v;
    if (!e || !check__constant_expr(c, e, NULL, "a scale or an offset", &v)) return preset;
    return type_is_number(v.type.kind) ? check__val_number(&v) : preset;
}

static bool map_field(Check *c, const AstMapField *f, IrMapField *out, RecordField *field)
{
    static const char *const wires[] = {"bool", "i16", "u16", "i32", "u32",
                                        "i64",  "u64", "f32", "f64"};
    static const char *const areas[] = {"holding", "input", "coil", "discrete"};
    static const char *const orders[] = {"be", "le", "be_swap", "le_swap"};
    Str wire = f->type->kind == AST_TYPE_NAMED ? f->type->name.text : STR("");
    bool known = false, area = false, order = f->order.text.len == 0;
    for (size_t i = 0; i < COUNT_OF(wires); i++) known = known || str_is(wire, wires[i]);
    for (size_t i = 0; i < COUNT_OF(areas); i++) area = area || str_is(f->area.text, areas[i]);
    for (size_t i = 0; i < COUNT_OF(orders); i++) order = order || str_is(f->order.text, orders[i]);
    bool tag = f->tag.end != 0;
    if (!known) {
        diag_error(c->diags, DIAG_N003, f->type->span,
                   "a register is bool, i16, u16, i32, u32, i64, u64, f32 or f64");
        return false;
    }
    if (f->type->optional && !tag) {
        diag_error(c->diags, DIAG_N003, f->type->span,
                   "a plain register is always there; a tag may be missing until it is read: "
                   "tag %.*s ... ?",
                   STR_ARG(wire));
        return false;
    }
    if (!area || !order) {
        diag_error(c->diags, DIAG_S011, area ? f->order.span : f->area.span,
                   area ? "the order of bytes is be, le, be_swap or le_swap"
                        : "a register is in holding, input, coil or discrete");
        return false;
    }
    bool bit = str_is(f->area.text, "coil") || str_is(f->area.text, "discrete");
    if (bit != str_is(wire, "bool")) {
        diag_error(c->diags, DIAG_S011, f->span, "coil and discrete hold bool, registers numbers");
        return false;
    }
    if (f->address.value < 0 || f->address.value > 465535) {
        diag_error(c->diags, DIAG_S011, f->address.span, "this is no register's address");
        return false;
    }
    double scale = number_or(c, f->scale, 1), offset = number_or(c, f->offset, 0);
    if (bit && (f->scale || f->offset)) {
        diag_error(c->diags, DIAG_S011, f->span, "a bool has no scale and no offset");
        return false;
    }
    AstType plain = *f->type; /* i16 and u16 are wider inside; scaled ones are f64 */
    if (str_is(wire, "i16")) plain.name.text = STR("i32");
    if (str_is(wire, "u16")) plain.name.text = STR("u32");
    if (scale != 1 || offset != 0) plain.name.text = STR("f64");
    AstType tagged = {.kind = AST_TYPE_TAG,
                      .span = tag ? span_join(f->tag, f->type->span) : f->type->span,
                      .optional = plain.optional,
                      .of = &plain};
    if (tag) plain.optional = false;
    Type type = check__type(c, tag ? &tagged : &plain, 0);
    *field = (RecordField){f->name.text, type, f->span};
    *out = (IrMapField){.name = f->name.text,
                        .type = tag && type.kind == IR_RECORD ? type.record->fields[0].type.kind
                                                              : type.kind,
                        .tag = tag,
                        .wire_type = wire,
                        .order = f->order.text.len ? f->order.text : STR("be"),
                        .area = f->area.text,
                        .address = (uint32_t)f->address.value,
                        .scale = scale,
                        .offset = offset};
    return type.kind != IR_NONE;
}

static void map_options(Check *c, const AstItem *item, IrMap *map)
{
    for (const AstOption *o = item->as.map.options; o; o = o->next) {
        const AstExpr *v = o->value;
        if (str_is(o->name.text, "unit") && v && v->kind == AST_NUMBER && v->as.number.is_int &&
            v->as.number.integer <= 255)
            map->unit_id = (uint32_t)v->as.number.integer;
        else if (str_is(o->name.text, "every") && v && v->kind == AST_DURATION && v->as.ns > 0)
            map->every_ns = v->as.ns;
        else if (str_is(o->name.text, "stale") && v && v->kind == AST_DURATION && v->as.ns > 0)
            map->stale_ns = v->as.ns;
        else
            diag_error(c->diags, DIAG_S010, o->span,
                       "a map has the options `unit 1` (0 to 255), `every 500ms` and `stale 10s`");
    }
    if (!map->stale_ns) map->stale_ns = map->every_ns * STALE_POLLS;
}

static const Record *map_record(Check *c, const AstItem *item, Str name, uint32_t *ret_map);

const Record *flow__map(Check *c, Str name, Span span, uint32_t *ret_map)
{
    const Named *named = map_get(&c->scope->maps, name);
    if (!named) {
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        check__suggest_map(&c->scope->maps, name, &best, &distance);
        Diagnostic *d =
            diag_error(c->diags, DIAG_N007, span, "there is no map `%.*s`", STR_ARG(name));
        if (best.len)
            diag_fix_str(c->diags, d, STR_NONE, span, check__text(c, "map %.*s", STR_ARG(best)));
        return NULL;
    }
    Scope *outer = check__enter(c, named->home);
    const Record *record = map_record(c, named->item, name, ret_map);
    check__enter(c, outer);
    return record;
}

static const Record *map_record(Check *c, const AstItem *item, Str name, uint32_t *ret_map)
{
    IrMap map = {.name = name,
                 .protocol = item->as.map.protocol.text,
                 .unit_id = 1,
                 .every_ns = INT64_C(1000000000)};
    if (!str_is(map.protocol, "modbus")) {
        diag_error(c->diags, DIAG_A006, item->as.map.protocol.span,
                   "maps of `%.*s` are not available yet; modbus is", STR_ARG(map.protocol));
        return NULL;
    }
    map_options(c, item, &map);
    Record *record = NEW(c, Record, 1);
    *record = (Record){.name = name, .schema = NO_INDEX};
    uint32_t cap = 0, map_cap = 0, leaves = 0;
    for (const AstMapField *f = item->as.map.fields; f; f = f->next) {
        IrMapField out;
        RecordField field;
        if (!map_field(c, f, &out, &field)) return NULL;
        if (record_find(record, f->name.text)) {
            diag_error(c->diags, DIAG_N002, f->name.span, "the field `%.*s` stands here twice",
                       STR_ARG(f->name.text));
            return NULL;
        }
        leaves += out.tag ? 3 : 1;
        if (leaves > TYPE_LEAVES_MAX) {
            diag_error(c->diags, DIAG_T018, f->span,
                       "a map has at most %d values; a tag counts as three", TYPE_LEAVES_MAX);
            return NULL;
        }
        *PUSH(c, record->fields, record->count, cap) = field;
        *PUSH(c, map.fields, map.field_count, map_cap) = out;
    }
    if (record->count == 0) {
        if (!item->broken) diag_error(c->diags, DIAG_T011, item->span, "a map has fields");
        return NULL;
    }
    map.schema = check__schema(c, record);
    IrProgram *p = c->program;
    *PUSH(c, p->maps, p->map_count, c->map_cap) = map;
    *ret_map = p->map_count - 1;
    return record;
}
