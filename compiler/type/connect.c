/* compiler/type/connect.c: what stands behind `from` and `into`, against connectors.def. */
#include "compiler/ir/facts.h"
#include "compiler/type/flow.h"

enum {
    SIDE_NONE,
    SIDE_IN = KIND_IN,
    SIDE_OUT = KIND_OUT,
    SIDE_BOTH = KIND_IN | KIND_OUT,
    SIDE_BOUNDED_IN = SIDE_BOTH | KIND_BOUNDED,
    SIDE_BOUNDED_IN_ONLY = KIND_IN | KIND_BOUNDED
};

typedef enum OptionType {
    OPTION_FLAG,
    OPTION_INT,
    OPTION_TEXT,
    OPTION_WORD,
    OPTION_DURATION,
    OPTION_KEYS,
    OPTION_MAPNAME,
    OPTION_SIZE,
    OPTION_PIECES,
    OPTION_MOMENT
} OptionType;

typedef struct OptionRow {
    const char *kind, *name;
    uint32_t side;
    OptionType type;
    bool needed;
    const char *doc;
} OptionRow;

static const ConnectorKind kinds[] = {
#define KIND(name, sides, address, format, doc)                                                    \
    {#name, SIDE_##sides, ADDRESS_##address, KIND_##format, doc},
#define OPTION(kind, side, name, type, needed, doc)
#include "compiler/type/connectors.def"
#undef KIND
#undef OPTION
};

static const OptionRow options[] = {
#define KIND(name, sides, address, format, doc)
#define OPTION(kind, side, name, type, needed, doc)                                                \
    {#kind, #name, SIDE_##side, OPTION_##type, needed, doc},
#include "compiler/type/connectors.def"
#undef KIND
#undef OPTION
};

/* Kinds of the language that this version does not have. */
static const char *const later_kinds[] = {
    "kafka", "nats",  "opcua",  "amqp",       "s7",        "influx",   "redis",  "websocket",
    "mysql", "s3",    "bacnet", "tcp",        "udp",       "snmp",     "serial", "sms",
    "slack", "teams", "ftp",    "ethernetip", "sparkplug", "timescale"};

/* `mqtt, file, uns` or, for sinks, what takes rows. */
static Str kinds_text(Check *c, uint32_t side)
{
    Str list = STR_NONE;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].sides & side)
            list = check__text(c, "%.*s%s%s", STR_ARG(list), list.len ? ", " : "", kinds[i].name);
    return list;
}

static const ConnectorKind *kind_named(Str name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_is(name, kinds[i].name)) return &kinds[i];
    return NULL;
}

/* A database is reached by a declared connection, and its rows go into a table. */
static bool table_of_link(Check *c, const AstConnector *at, uint32_t connection)
{
    Str name = at->kind.text;
    if (connection == NO_INDEX) {
        diag_error(c->diags, DIAG_S012, at->kind.span,
                   "`%.*s` needs a connection: connection erp = %.*s env(\"ERP_URL\"), then into "
                   "erp table \"t\"",
                   STR_ARG(name), STR_ARG(name));
        return false;
    }
    if (str_is(at->verb.text, "table")) return true;
    diag_error(c->diags, DIAG_S012, at->verb.text.len ? at->verb.span : at->kind.span,
               "rows go into a table: into %.*s table \"t\"", STR_ARG(name));
    return false;
}

const ConnectorKind *flow__kind(Check *c, const AstConnector *at, uint32_t side,
                                uint32_t *ret_connection)
{
    Str name = at->kind.text;
    *ret_connection = NO_INDEX;
    const ConnectorKind *kind = kind_named(name);
    for (uint32_t i = 0; !kind && i < c->program->connection_count; i++) {
        if (!str_eq(c->program->connections[i].name, name)) continue;
        *ret_connection = i;
        Str link = c->program->connections[i].kind;
        kind = kind_named(str_is(link, "smtp") ? STR("email") : link);
        if (!kind) return NULL; /* said at the connection */
    }
    if (!kind) {
        if (map_get(&c->scope->connections, name)) return NULL;
        for (size_t i = 0; i < COUNT_OF(later_kinds); i++) {
            if (!str_is(name, later_kinds[i])) continue;
            diag_error(c->diags, DIAG_A006, at->kind.span,
                       "`%.*s` is not available yet; %s are: %.*s", STR_ARG(name),
                       side == KIND_IN ? "sources" : "sinks", STR_ARG(kinds_text(c, side)));
            return NULL;
        }
        Str best = STR_NONE;
        uint32_t distance = UINT32_MAX;
        for (size_t i = 0; i < COUNT_OF(kinds); i++)
            if (kinds[i].sides & side)
                diag_suggest(name, str_from(kinds[i].name), &best, &distance);
        check__suggest_map(&c->scope->connections, name, &best, &distance);
        Diagnostic *d = diag_error(c->diags, DIAG_N006, at->kind.span,
                                   "there is no connector or connection `%.*s`", STR_ARG(name));
        check__did_you_mean(c, d, at->kind.span, best);
        return NULL;
    }
    if (!(kind->sides & side)) {
        Diagnostic *d = diag_error(c->diags, DIAG_N006, at->kind.span, "`%s` is no %s", kind->name,
                                   side == KIND_IN ? "source: it only takes records"
                                                   : "sink: it only gives records");
        if (side == KIND_IN && flow__keeps_rows(kind)) /* tables are asked, by a clock */
            diag_hint(c->diags, d,
                      check__text(c,
                                  "from every 1m  ask rows = %.*s sql \"select ...\" "
                                  "as [{ ... }; 1000]  each rows",
                                  STR_ARG(name))
                          .ptr);
        return NULL;
    }
    if (str_is(str_from(kind->name), "postgres") && !table_of_link(c, at, *ret_connection))
        return NULL;
    bool http = str_is(str_from(kind->name), "http");
    if (http && !str_is(at->verb.text, "post") && !str_is(at->verb.text, "put")) {
        Diagnostic *d =
            diag_error(c->diags, DIAG_S012, at->verb.text.len ? at->verb.span : at->kind.span,
                       "`http` needs its method: post or put");
        if (!at->verb.text.len) diag_fix(c->diags, d, "http post", at->kind.span, "http post");
        return NULL;
    }
    if (at->verb.text.len && !http && !str_is(str_from(kind->name), "postgres")) {
        diag_error(c->diags, DIAG_A006, at->verb.span, "`%s %.*s` is not available yet", kind->name,
                   STR_ARG(at->verb.text));
        return NULL;
    }
    return kind;
}

static bool is_format(Str word)
{
    for (int f = FORMAT_JSON; f <= FORMAT_PROTOBUF; f++)
        if (str_is(word, ir_format_name((IrFormat)f))) return true;
    return str_is(word, "sparkplug");
}

static void unknown_option(Check *c, const AstOption *o, const ConnectorKind *kind, uint32_t side)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (str_is(str_from(options[i].kind), kind->name) && (options[i].side & side))
            diag_suggest(o->name.text, str_from(options[i].name), &best, &distance);
    if (side == KIND_IN) {
        diag_suggest(o->name.text, STR("check"), &best, &distance);
        diag_suggest(o->name.text, STR("unknown"), &best, &distance);
    }
    Diagnostic *d = diag_error(c->diags, DIAG_S010, o->name.span, "`%s` has no option `%.*s` here",
                               kind->name, STR_ARG(o->name.text));
    if (is_format(o->name.text))
        diag_fix_str(c->diags, d, STR_NONE, o->name.span,
                     check__text(c, "as %.*s", STR_ARG(o->name.text)));
    else
        check__did_you_mean(c, d, o->name.span, best);
}

/* Others are for the caller of flow__options. */
static bool is_constant(OptionType type)
{
    return type != OPTION_KEYS && type != OPTION_MAPNAME && type != OPTION_PIECES;
}

static bool option_value(Check *c, const AstOption *o, OptionType type, const char *kind,
                         IrOption *out)
{
    static const char *const words[] = {"nothing behind it",
                                        "a whole number",
                                        "a text",
                                        "a word",
                                        "a duration",
                                        "fields in parentheses",
                                        "a name",
                                        "a size such as 64KiB",
                                        "a text",
                                        ("an instant such as 2026-11-23T10:00:00Z, or an age "
                                         "such as 1d")};
    const AstExpr *v = o->value;
    *out = (IrOption){.name = o->name.text, .type = IR_BOOL, .value.boolean = true};
    bool fine = false;
    Str text;
    switch (type) {
    case OPTION_FLAG: fine = v == NULL; break;
    case OPTION_INT:
        fine = v && v->kind == AST_NUMBER && v->as.number.is_int && !v->as.number.unit &&
               v->as.number.integer <= INT32_MAX;
        out->type = IR_I64;
        if (fine) out->value.integer = (int64_t)v->as.number.integer;
        break;
    case OPTION_TEXT:
        fine = v && ast_string_text(v, &text);
        out->type = IR_STR;
        if (fine) out->value.text = text;
        break;
    case OPTION_DURATION:
        fine = v && v->kind == AST_DURATION;
        out->type = IR_DURATION;
        if (fine) out->value.integer = v->as.ns;
        break;
    case OPTION_MOMENT:
        fine = v && (v->kind == AST_INSTANT || v->kind == AST_DURATION);
        out->type = fine && v->kind == AST_INSTANT ? IR_TIME : IR_DURATION;
        if (fine) out->value.integer = v->as.ns;
        break;
    case OPTION_WORD:
    case OPTION_MAPNAME:
        fine = v && v->kind == AST_NAME;
        out->type = IR_STR;
        if (fine) out->value.text = v->as.name;
        break;
    case OPTION_SIZE:
        fine = v && v->kind == AST_SIZE && v->as.bytes <= INT32_MAX;
        out->type = IR_I64;
        if (fine) out->value.integer = (int64_t)v->as.bytes;
        break;
    case OPTION_PIECES: fine = v && v->kind == AST_STRING; break;
    case OPTION_KEYS: fine = v && (v->kind == AST_LIST || v->kind == AST_NAME); break;
    }
    if (fine && type == OPTION_INT && str_is(o->name.text, "qos")) fine = out->value.integer <= 2;
    if (!fine)
        diag_error(c->diags, DIAG_S011, o->span, "the option `%.*s` of `%s` takes %s",
                   STR_ARG(o->name.text), kind,
                   str_is(o->name.text, "qos") ? "0, 1 or 2" : words[type]);
    return fine;
}

void flow__options(Check *c, const AstConnector *at, const ConnectorKind *kind, uint32_t side,
                   IrOption **ret_list, uint32_t *ret_count)
{
    IrOption *list = NULL;
    uint32_t count = 0, cap = 0;
    for (const AstOption *o = at->options; o; o = o->next) {
        if (side == KIND_IN && (str_is(o->name.text, "check") || str_is(o->name.text, "unknown")))
            continue;                        /* of the format: see source_words */
        if (flow__proto_option(o)) continue; /* see flow__format_words */
        const OptionRow *row = NULL;
        for (size_t i = 0; i < COUNT_OF(options) && !row; i++)
            if (str_is(str_from(options[i].kind), kind->name) && (options[i].side & side) &&
                str_is(o->name.text, options[i].name))
                row = &options[i];
        IrOption value;
        if (!row)
            unknown_option(c, o, kind, side);
        else if (option_value(c, o, row->type, kind->name, &value) && is_constant(row->type))
            *PUSH(c, list, count, cap) = value;
    }
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const OptionRow *row = &options[i];
        if (!row->needed || !str_is(str_from(row->kind), kind->name) || !(row->side & side) ||
            ast_option(at, row->name))
            continue;
        diag_error(c->diags, DIAG_S012, at->span, "`%s` needs the option `%s`: %s", kind->name,
                   row->name, row->doc);
    }
    *ret_list = list;
    *ret_count = count;
}

IrFormat flow__format(Check *c, const AstName *name, IrFormat preset)
{
    static const char *const have[] = {"json",    "csv",  "text",     "raw",
                                       "msgpack", "cbor", "protobuf", "sparkplug"};
    if (!name->text.len) return preset;
    for (uint32_t i = 0; i < COUNT_OF(have); i++)
        if (str_is(name->text, have[i]))
            return i == COUNT_OF(have) - 1 ? FORMAT_PROTOBUF : (IrFormat)(FORMAT_JSON + i);
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < COUNT_OF(have); i++)
        diag_suggest(name->text, str_from(have[i]), &best, &distance);
    Diagnostic *d = diag_error(c->diags, DIAG_N003, name->span, "there is no format `%.*s`",
                               STR_ARG(name->text));
    check__did_you_mean(c, d, name->span, best);
    return preset;
}

static void source_words(Check *c, const AstConnector *at, IrSource *s)
{
    static const char *const checks[] = {"record", "lazy", "strict"};
    static const char *const unknowns[] = {"ignore", "reject", "keep"};
    for (const AstOption *o = at->options; o; o = o->next) {
        bool is_check = str_is(o->name.text, "check");
        if (!is_check && !str_is(o->name.text, "unknown")) continue;
        const char *const *words = is_check ? checks : unknowns;
        uint32_t i = 0;
        while (i < 3 &&
               !(o->value && o->value->kind == AST_NAME && str_is(o->value->as.name, words[i])))
            i++;
        if (i == 3)
            diag_error(c->diags, DIAG_S011, o->span, "`%s` takes %s, %s or %s",
                       is_check ? "check" : "unknown", words[0], words[1], words[2]);
        else if (is_check)
            s->check = (IrCheck)i;
        else
            s->unknown = (IrUnknown)i;
    }
}

/* The constant address, or an empty one after an error. */
static Str address(Check *c, const AstConnector *at, const ConnectorKind *kind)
{
    Str text = STR("");
    const AstExpr *e = at->address;
    if (kind->address == ADDRESS_DURATION) {
        bool fine = e && e->kind == AST_DURATION && e->as.ns > 0;
        if (!fine)
            diag_error(c->diags, e ? DIAG_S011 : DIAG_S012, e ? e->span : at->kind.span,
                       "`%s` needs a duration above 0: %s 10s", kind->name, kind->name);
    } else if (kind->address == ADDRESS_NONE) {
        if (e) diag_error(c->diags, DIAG_S011, e->span, "`%s` has no address", kind->name);
    } else if (!e) {
        diag_error(c->diags, DIAG_S012, at->kind.span, "`%s` needs %s behind it", kind->name,
                   kind->address == ADDRESS_NAME ? "a name" : "its address, a text");
    } else if (kind->address == ADDRESS_NAME) {
        if (e->kind == AST_NAME) return e->as.name;
        diag_error(c->diags, DIAG_S011, e->span, "`%s` takes a bare name", kind->name);
    } else if (!ast_string_text(e, &text)) {
        diag_error(c->diags, DIAG_S011, e->span,
                   e->kind == AST_STRING ? "the address of this `%s` is a fixed text"
                                         : "the address of `%s` is a text",
                   kind->name);
    } else if (text.len == 0) {
        diag_error(c->diags, DIAG_S011, e->span, "the address of `%s` is empty", kind->name);
    }
    return text;
}

static const Record *decoded(Flow *f, const AstConnector *at, const AstDecode *decode,
                             const ConnectorKind *kind, IrSource *s)
{
    Check *c = f->c;
    if (kind->format == KIND_MAP) {
        const AstOption *map = ast_option(at, "map");
        if (decode->type)
            diag_error(c->diags, DIAG_S011, decode->span, "`%s` takes its type from the map",
                       kind->name);
        if (!map || !map->value || map->value->kind != AST_NAME) return NULL;
        return flow__map(c, map->value->as.name, map->span, &s->map);
    }
    if (kind->format == KIND_ROWS) return flow__table(c, at, decode, s);
    if (kind->format == KIND_TRIGGER && (decode->type || decode->format.text.len)) {
        diag_error(c->diags, DIAG_S011, decode->span, "a record of `%s` has no fields", kind->name);
        return NULL;
    }
    if ((kind->format == KIND_TRIGGER || kind->format == KIND_MANUAL) && !decode->type) {
        Record *empty = NEW(c, Record, 1);
        *empty = (Record){.fields = NEW(c, RecordField, 1), .schema = NO_INDEX};
        s->format = FORMAT_JSON;
        return empty;
    }
    s->format = flow__format(c, &decode->format, FORMAT_JSON);
    flow__format_words(c, at, &decode->format, s->format);
    const AstOption *unknown = ast_option(at, "unknown");
    if (s->unknown == UNKNOWN_KEEP && s->format != FORMAT_JSON && unknown)
        diag_error(c->diags, DIAG_S011, unknown->span, "`unknown keep` is for records in json");
    if (!decode->type) {
        const Record *own = flow__format_record(c, s->format, decode->span);
        if (!own && !f->item->broken)
            diag_error(c->diags, DIAG_S012, at->span,
                       "`%s` needs to know its records: `as json TYPE`", kind->name);
        return own;
    }
    Type type = check__type(c, decode->type, 0);
    if (type.kind == IR_NONE) return NULL;
    if (type.kind != IR_RECORD || type.optional) {
        diag_error(c->diags, DIAG_T017, decode->span, "a source gives records, not %.*s",
                   STR_ARG(type_text(c->arena, &type)));
        return NULL;
    }
    if (!flow__format_takes(c, s->format, type.record, decode->span)) return NULL;
    if (s->format != FORMAT_PROTOBUF) return type.record;
    s->proto = flow__proto(c, at, &decode->format, type.record, false, decode->span);
    return s->proto ? type.record : NULL;
}

const Record *flow__from(Flow *f, const AstConnector *at, const AstDecode *decode, IrSource *s,
                         bool *ret_bounded)
{
    Check *c = f->c;
    const ConnectorKind *kind = flow__kind(c, at, KIND_IN, &s->connection);
    if (!kind) return NULL;
    s->kind = str_from(kind->name);
    s->address = address(c, at, kind);
    flow__options(c, at, kind, KIND_IN, &s->options, &s->option_count);
    source_words(c, at, s);
    uint32_t cap = s->option_count;
    if (!flow__trigger(c, at, s, &cap)) return NULL;
    *ret_bounded = (kind->sides & KIND_BOUNDED) && !ast_option(at, "follow");
    return decoded(f, at, decode, kind, s);
}

void flow__source(Flow *f, const AstStage *stage)
{
    Check *c = f->c;
    bool bounded;
    IrSource s = {.map = NO_INDEX, .span = stage->span};
    const Record *record =
        flow__from(f, &stage->as.from.source, &stage->as.from.decode, &s, &bounded);
    if (!record) return;
    if (f->in_record) {
        Type a = {.kind = IR_RECORD, .record = f->in_record},
             b = {.kind = IR_RECORD, .record = record};
        if (!type_same(&a, &b)) {
            diag_error(c->diags, DIAG_S009, stage->span,
                       "all sources of a pipeline give one type, this gives %.*s and not %.*s",
                       STR_ARG(type_text(c->arena, &b)), STR_ARG(type_text(c->arena, &a)));
            return;
        }
        if (s.format != f->p.sources[0].format) {
            diag_error(c->diags, DIAG_S009, stage->span,
                       "all sources of a pipeline have one format");
            return;
        }
    } else {
        f->in_record = record;
    }
    f->p.bounded = f->p.bounded && bounded;
    s.node = flow__node(f, "from", stage->span);
    *PUSH(c, f->p.sources, f->p.source_count, f->source_cap) = s;
}

static bool find_leaf(const IrLeaf *leaves, uint32_t count, Str path, uint32_t *ret_leaf)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!str_eq(leaves[i].name, path)) continue;
        *ret_leaf = i;
        return true;
    }
    return false;
}

static void sink_keys(Flow *f, const AstOption *o, IrSink *s)
{
    Check *c = f->c;
    if (!o || !o->value || s->schema == NO_INDEX) return;
    IrLeaf *leaves;
    uint32_t count, cap = 0;
    Status status = ir_leaves(c->program, s->schema, c->arena, &leaves, &count);
    if (status) check__leave(c, status);
    const AstExpr *one = o->value->kind == AST_LIST ? o->value->as.items : o->value;
    for (; one; one = o->value->kind == AST_LIST ? one->next : NULL) {
        Str path;
        uint32_t leaf;
        if (!check__path(c, one, &path)) {
            diag_error(c->diags, DIAG_S013, one->span, "a key is a field");
        } else if (!find_leaf(leaves, count, path, &leaf)) {
            Str best = STR_NONE;
            uint32_t distance = UINT32_MAX;
            for (uint32_t i = 0; i < count; i++)
                diag_suggest(path, leaves[i].name, &best, &distance);
            Diagnostic *d =
                diag_error(c->diags, DIAG_S014, one->span,
                           "the key `%.*s` is not in the rows that come here", STR_ARG(path));
            check__did_you_mean(c, d, one->span, best);
        } else if (leaves[leaf].optional) {
            diag_error(c->diags, DIAG_S013, one->span,
                       "a key is always there, `%.*s` can be "
                       "missing",
                       STR_ARG(path));
        } else {
            *PUSH(c, s->keys, s->key_count, cap) = leaf;
        }
    }
}

/* Register of a computed address, or NO_REG; *ret_text is what is fixed, or the text as written. */
static uint32_t sink_address(Flow *f, const AstConnector *at, const ConnectorKind *kind,
                             Str *ret_text)
{
    Check *c = f->c;
    const AstExpr *e = at->address;
    Str plain;
    bool computed =
        kind->address == ADDRESS_TEXT && e && e->kind == AST_STRING && !ast_string_text(e, &plain);
    if (!computed) {
        *ret_text = address(c, at, kind);
        return NO_REG;
    }
    *ret_text = source_text(c->file->source, e->span);
    c->in_path = str_is(str_from(kind->name), "file");
    Val v = check__expr(c, e, NULL);
    c->in_path = false;
    if (check__bad(&v)) return NO_REG;
    return check__reg(c, &v);
}

/* `unknown keep`: behind the row's fields those of the record that neither the type nor the row
 * names, as they came. They are looked for in the record's text when a row is written, so nothing
 * else of the pipeline carries them. */
static bool all_keep(const Flow *f)
{
    for (uint32_t i = 0; i < f->p.source_count; i++)
        if (f->p.sources[i].group == 0 && f->p.sources[i].unknown != UNKNOWN_KEEP) return false;
    return true;
}

static const Row *with_unknown(Flow *f, const Row *row)
{
    Check *c = f->c;
    Row *all = check__row_copy(c, row);
    Str names = STR("");
    for (uint32_t i = 0; i < f->in_record->count; i++)
        names = check__text(c, "%.*s%.*s\n", STR_ARG(names), STR_ARG(f->in_record->fields[i].name));
    for (uint32_t i = 0; i < row->count; i++)
        names = check__text(c, "%.*s%.*s\n", STR_ARG(names), STR_ARG(row->fields[i].name));
    Type text = {.kind = IR_STR}, json = {.kind = IR_JSON, .bytes_max = TYPE_STRING_MAX};
    uint32_t args[2] = {build_reg(c->b, check__reg_of(&text, STR_NONE)),
                        build_reg(c->b, check__reg_of(&text, STR_NONE))};
    build_ins(c->b, IR_META, args[0], NO_REG, NO_REG)->imm.meta.what =
        all_keep(f) ? META_RAW : META_KEPT;
    build_ins(c->b, IR_CONST, args[1], NO_REG, NO_REG)->imm.text = names;
    Val v = {.type = json, .has = NO_REG, .span = c->b->span};
    v.reg = build_reg(c->b, check__reg_of(&json, STR_NONE));
    build_list(c->b, IR_CALL, v.reg, args, 2)->imm.builtin = BUILTIN_UNKNOWN_FIELDS;
    check__row_set(c, all, STR(""), v, c->b->span);
    return all;
}

uint32_t flow__sink(Flow *f, const AstSink *sink, const Row *row, uint32_t node)
{
    Check *c = f->c;
    const AstConnector *at = &sink->to;
    IrSink s = {.node = node, .span = sink->span, .schema = NO_INDEX};
    const ConnectorKind *kind = flow__kind(c, at, KIND_OUT, &s.connection);
    if (!kind) return NO_INDEX;
    s.kind = str_from(kind->name);
    uint32_t reg = sink_address(f, at, kind, &s.address);
    s.address_is_computed = reg != NO_REG;
    flow__options(c, at, kind, KIND_OUT, &s.options, &s.option_count);
    s.format = flow__format(c, &sink->format, FORMAT_JSON);
    bool keeps = row && row->keeps_unknown && s.format == FORMAT_JSON;
    if (keeps && !flow__keeps_rows(kind)) row = with_unknown(f, row);
    if (row && str_is(s.kind, "email")) row = flow__mail(c, at, &s);
    if (row) s.schema = check__row_schema(c, row);
    if (!row && str_is(s.kind, "email")) return NO_INDEX; /* a part of the address was wrong */
    flow__format_words(c, at, &sink->format, s.format);
    if (!flow__sink_format(c, sink, kind, row, s.format)) return NO_INDEX;
    if (s.format == FORMAT_PROTOBUF && row) {
        s.proto = flow__proto(c, at, &sink->format, check__row_record(c, row), true, sink->span);
        if (!s.proto) return NO_INDEX;
    }
    sink_keys(f, ast_option(at, "key"), &s);
    uint32_t index = f->p.sink_count;
    if (row) {
        uint32_t *args, count = check__flatten(c, row, &args);
        IrIns *ins = build_list(c->b, IR_EMIT, NO_REG, args, count);
        ins->imm.index = index;
        ins->a = reg;
    }
    *PUSH(c, f->p.sinks, f->p.sink_count, f->sink_cap) = s;
    return index;
}
