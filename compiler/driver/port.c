/* compiler/driver/port.c: text to a program for the engine: check, lower, then C and cc, or the
 * interpreter.
 *
 * Runs on pool threads, several at once: everything it makes lives in the caller's arena. Problems
 * are written in the shape of docs/api-live.md, which is flatter than `tutti check --json`. */
#include "compiler/driver/port.h"

#include "base/json.h"
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/driver/external.h"
#include "compiler/driver/jit_load.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "compiler/graph/graph.h"
#include "compiler/interp/interp.h"
#include "compiler/report/report.h"

#include <errno.h>
#include <sys/stat.h>

enum { PORT_JSON_BYTES = 16 << 20 };

static const char *folder; /* NULL: the user's cache folder */
static EngineKind engine;
static bool start_on_interp;       /* what is not in the cache: nobody asked for one engine only */
static const LiteProgram *trusted; /* whose C may run */
static size_t trusted_count;
static bool trust_any;

/* Where it is in the text that was sent: carried files lie behind the program's own (bundle.h). */
static SourcePlace place_of(const Source *source, const Source *at, uint32_t offset)
{
    return source_place(source, at->kind == SOURCE_CARRIED ? at->carried_at + offset : offset);
}

static void put_problem(JsonOut *out, const Source *source, const Diagnostic *d)
{
    const Source *at = source->set->list[d->span.file];
    SourcePlace from = place_of(source, at, d->span.start);
    SourcePlace to = place_of(source, at, d->span.end);
    json_begin_object(out);
    json_field_text(out, "code", diag_code_info(d->code)->id);
    json_field_text(out, "severity", d->severity == DIAG_ERROR ? "error" : "warning");
    json_field_int(out, "line", from.line);
    json_field_int(out, "column", from.column);
    json_field_int(out, "end_line", to.line);
    json_field_int(out, "end_column", to.column);
    if (at != source) json_field_str(out, "file", at->path);
    json_field_str(out, "text", d->message);
    const DiagFix *fix = d->fixes;
    if (fix || d->under.len) {
        json_field_str(out, "help", !fix ? d->under : fix->label.len ? fix->label : fix->text);
    }
    json_end(out);
}

static Str problems(Arena *arena, const Source *source, DiagList *diags)
{
    AUTO_BUF Buf buf;
    buf_init(&buf, PORT_JSON_BYTES);
    JsonOut out;
    json_out_init(&out, &buf);
    diag_sort(diags);
    json_begin_array(&out);
    for (const Diagnostic *d = diags->first; d; d = d->next) {
        put_problem(&out, source, d);
    }
    json_end(&out);
    return buf.failed ? STR("[]") : arena_str(arena, buf_view(&buf));
}

static Str graph_of(Arena *arena, const IrProgram *program, const AstFile *file)
{
    AUTO_BUF Buf buf;
    buf_init(&buf, PORT_JSON_BYTES);
    graph_export(program, file, &buf);
    return buf.failed ? STR_NONE : arena_str(arena, str_trim(buf_view(&buf)));
}

/* The folder for compiled things, made when it is not there. */
MUST static Status cache_folder(Buf *out, Diag *diag)
{
    if (!folder) return cc_default_cache(out, diag);
    buf_printf(out, "%s/cache", folder);
    if (out->failed || (mkdir(out->ptr, 0700) && errno != EEXIST))
        return diag_errno(diag, errno, "cannot create %s/cache", folder);
    return ST_OK;
}

/* The program's functions in C, for an engine of this process. */
MUST static Status load_externs(IrProgram *program, Diag *diag)
{
    AUTO_BUF Buf cache;
    buf_init(&cache, 4096);
    if (!program->extern_count) return ST_OK;
    Status st = cache_folder(&cache, diag);
    return st ? st : external_load(program, cache.ptr, diag);
}

typedef struct Wish { /* how a program is to be linked */
    ProgramLink link;
    const ProgramSample *samples;
    size_t count;
} Wish;

/* One sample per pipeline of the program, in its order; NULL: none, or no memory. */
static const Str *samples_of(Arena *arena, const IrProgram *program, const Wish *wish)
{
    Str *list = wish->count ? arena_many(arena, Str, program->pipeline_count) : NULL;
    for (uint32_t i = 0; list && i < program->pipeline_count; i++)
        for (size_t k = 0; k < wish->count; k++)
            if (str_eq(wish->samples[k].pipeline, program->pipelines[i].name))
                list[i] = wish->samples[k].lines;
    return list;
}

static Status compile_object(Arena *arena, const IrProgram *program, const Wish *wish,
                             ProgramCompiled *compiled, Diag *diag)
{
    AUTO_BUF Buf text, path, cache;
    buf_init(&text, EMIT_BYTES_MAX);
    buf_init(&path, 8192);
    buf_init(&cache, 4096);
    Status st = cache_folder(&cache, diag);
    EmitUnits units = {0};
    if (!st) st = emit_c_rest(program, samples_of(arena, program, wish), &text, diag);
    if (!st) st = emit_externs(program, arena, &units, diag);
    units.head = emit_head();
    units.main = buf_view(&text);
    bool now = !st && wish->link == PROGRAM_QUICK;
    if (now && cc_cached(&units, cache.ptr, &path)) {
        compiled->quick = false;
    } else if (now && start_on_interp && !program->extern_count &&
               !interp_program(program, arena, &compiled->table, diag)) {
        compiled->quick = true; /* runs at once; better code comes when there is time for it */
        return ST_OK;
    } else if (now) {
        st = cc_shared_object_quick(&units, cache.ptr, &path, &compiled->quick, diag);
    } else if (!st) {
        st = cc_shared_object(&units, cache.ptr, &path, NULL, diag);
    }
    if (!st) {
        compiled->so_path = arena_str(arena, str_from(path.ptr));
        st = compiled->so_path.ptr ? ST_OK : ST_NO_MEMORY;
        compiled->learns = true;
    }
    return st;
}

static Status make(Arena *arena, IrProgram *program, const Wish *wish, ProgramCompiled *compiled,
                   Diag *diag)
{
    if (wish->link == PROGRAM_CHECK) return ST_OK;
    Status st = engine == ENGINE_CC ? ST_OK : load_externs(program, diag);
    if (st) return st;
    if (engine == ENGINE_INTERP) return interp_program(program, arena, &compiled->table, diag);
    if (engine == ENGINE_JIT) {
        compiled->quick = wish->link == PROGRAM_QUICK;
        compiled->learns = true;
        AUTO_BUF Buf cache;
        buf_init(&cache, 4096);
        bool kept = cache_folder(&cache, &(Diag){0}) == ST_OK;
        return jit_load(program, samples_of(arena, program, wish), compiled->quick,
                        kept ? cache.ptr : NULL, &compiled->program, diag);
    }
    return compile_object(arena, program, wish, compiled, diag);
}

/* C is native code with all rights of this process. */
static void check_trust(const IrProgram *program, Str text, DiagList *diags)
{
    bool fine = trust_any || !program->extern_count;
    for (size_t i = 0; i < trusted_count && !fine; i++) fine = str_eq(trusted[i].text, text);
    if (!fine)
        diag_error(diags, DIAG_C004, program->externs[0].span,
                   "this server takes no functions in C; `tutti serve --extern-c` would");
}

typedef struct Read { /* a text, as far as it was understood */
    SourceSet sources;
    DiagList diags;
    Source *source;
    const AstFile *tree;
    IrProgram *program; /* NULL unless it has no errors */
} Read;

MUST static Status read_as(Arena *arena, Str file, Str text, CompileOptions options, Read *read,
                           Diag *diag)
{
    *read = (Read){0};
    source_set_init(&read->sources, arena);
    read->sources.sealed = true;
    Status st = source_add(&read->sources, file, text, &read->source, diag);
    if (!st) st = bundle_open(read->source, diag);
    if (st) return st;
    diag_list_init(&read->diags, arena, &read->sources);
    options.diag = diag;
    options.ret_ast = &read->tree;
    st = compile_source(arena, read->source, &read->diags, &options, &read->program);
    if (!st && read->program) check_trust(read->program, text, &read->diags);
    if (read->diags.error_count) read->program = NULL;
    return st;
}

MUST static Status read_text(Arena *arena, Str file, Str text, Read *read, Diag *diag)
{
    return read_as(arena, file, text, (CompileOptions){0}, read, diag);
}

static Status build(void *ctx, Arena *arena, Str file, Str text, const Wish *wish,
                    ProgramCompiled *ret_compiled, Diag *diag)
{
    (void)ctx;
    Read read;
    Status st = read_text(arena, file, text, &read, diag);
    if (st) return st;
    ProgramCompiled compiled = {.ok = read.program != NULL};
    compiled.problems = problems(arena, read.source, &read.diags);
    if (compiled.ok) {
        compiled.graph = graph_of(arena, read.program, read.tree);
        st = make(arena, read.program, wish, &compiled, diag);
    }
    if (!st) *ret_compiled = compiled;
    return st;
}

static Status preview(void *ctx, Arena *arena, Str file, Str old, Str text,
                      ProgramPreview *ret_preview, Diag *diag)
{
    (void)ctx;
    Read was = {0}, is;
    AUTO_BUF Buf changes, sentences;
    buf_init(&changes, PORT_JSON_BYTES);
    buf_init(&sentences, PORT_JSON_BYTES);
    Status st = read_text(arena, file, text, &is, diag);
    if (!st && old.len) st = read_text(arena, file, old, &was, diag);
    if (st) return st;
    ProgramPreview one = {.ok = is.program != NULL};
    one.problems = problems(arena, is.source, &is.diags);
    if (one.ok) st = report_diff(was.program, is.program, true, &changes, diag);
    if (one.ok && !st) st = report_diff(was.program, is.program, false, &sentences, diag);
    if (st) return st;
    if (one.ok) {
        one.changes = arena_str(arena, str_trim(buf_view(&changes)));
        one.text = arena_str(arena, buf_view(&sentences));
        if (!one.changes.ptr || !one.text.ptr) return ST_NO_MEMORY;
    }
    *ret_preview = one;
    return ST_OK;
}

/* ---- a text of types ---- */

static Str one_problem(Arena *arena, uint32_t line, uint32_t column, const char *code, Str text)
{
    AUTO_BUF Buf buf;
    JsonOut out;
    buf_init(&buf, PORT_JSON_BYTES);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    json_begin_object(&out);
    json_field_text(&out, "code", code);
    json_field_text(&out, "severity", "error");
    json_field_int(&out, "line", line);
    json_field_int(&out, "column", column);
    json_field_int(&out, "end_line", line);
    json_field_int(&out, "end_column", column + 1);
    json_field_str(&out, "text", text);
    json_end(&out);
    json_end(&out);
    return arena_str(arena, buf_view(&buf));
}

/* What else a text of types holds than types, units, constants and alarms; NULL: nothing. */
static const AstItem *stranger(const AstFile *tree)
{
    for (const AstItem *item = tree->items; item; item = item->next)
        if (item->kind != AST_ITEM_TYPE && item->kind != AST_ITEM_UNIT &&
            item->kind != AST_ITEM_CONST && item->kind != AST_ITEM_ALARM)
            return item;
    return NULL;
}

/* The name of the type that is meant; empty: there is none of it. */
static Str root_of(const AstFile *tree, Str wanted)
{
    Str found = STR_NONE;
    for (const AstItem *item = tree->items; item; item = item->next)
        if (item->kind == AST_ITEM_TYPE && (!wanted.len || str_eq(item->name.text, wanted)))
            found = item->name.text;
    return found;
}

/* A pipeline that reads the type: so it is checked as whatever a pipeline reads, and has a place in
 * the program's tables. The type is the one field of a record, so that it may be a single value. */
static Status probe(Arena *arena, Str text, Str root, ProgramSchema *schema, Diag *diag)
{
    Str whole = arena_printf(arena,
                             "%.*s\ntype schema_root_ = { root: %.*s }\n"
                             "pipeline schema_probe_ {\n  from uns \"in\" as json schema_root_\n"
                             "  into uns \"out\"\n  on error into dead\n}\n",
                             STR_ARG(text), STR_ARG(root));
    Read read;
    if (!whole.ptr) return ST_NO_MEMORY;
    CompileOptions options = {.schema = true, .schema_root = root};
    Status st = read_as(arena, STR("schema.tutti"), whole, options, &read, diag);
    if (st) return st;
    schema->ok = read.program != NULL;
    schema->problems = problems(arena, read.source, &read.diags);
    if (!schema->ok) return ST_OK;
    AUTO_BUF Buf form, alarms;
    buf_init(&form, PORT_JSON_BYTES);
    buf_init(&alarms, PORT_JSON_BYTES);
    ir_put_alarms(read.program, &alarms);
    const IrPipeline *pipeline = &read.program->pipelines[0];
    uint32_t stage = 0;
    while (pipeline->stages[stage].from != IR_FROM_SOURCE) stage++;
    uint32_t record = pipeline->stages[stage].schema;
    report_form(read.program, &read.program->schemas[record].fields[0], &form);
    schema->form = arena_str(arena, buf_view(&form));
    schema->alarms = alarms.len ? arena_str(arena, buf_view(&alarms)) : STR("[]");
    schema->root = root;
    bool whole_form = !form.failed && schema->form.ptr && !alarms.failed && schema->alarms.ptr;
    return whole_form ? ST_OK : ST_NO_MEMORY;
}

static Status schema(void *ctx, Arena *arena, Str text, Str root, ProgramSchema *ret_schema,
                     Diag *diag)
{
    (void)ctx;
    Read read;
    ProgramSchema one = {0};
    CompileOptions options = {.schema = true};
    Status st = read_as(arena, STR("schema.tutti"), text, options, &read, diag);
    if (st) return st;
    if (!read.program) {
        one.problems = problems(arena, read.source, &read.diags);
        *ret_schema = one;
        return ST_OK;
    }
    const AstItem *other = stranger(read.tree);
    Str found = root_of(read.tree, root);
    if (other) {
        SourcePlace at = source_place(read.source, other->span.start);
        one.problems = one_problem(arena, at.line, at.column, "schema",
                                   STR("a schema holds `type`, `unit`, `const` and `alarm` only"));
    } else if (!found.len) {
        one.problems = one_problem(
            arena, 1, 1, "schema",
            root.len ? arena_printf(arena, "there is no type `%.*s` in this text", STR_ARG(root))
                     : STR("write at least one type: type NAME = { field: f64, ... }"));
    } else {
        st = probe(arena, text, found, &one, diag);
    }
    if (!st) *ret_schema = one;
    return st;
}

static Status compile(void *ctx, Arena *arena, Str file, Str text, ProgramLink link,
                      ProgramCompiled *ret_compiled, Diag *diag)
{
    return build(ctx, arena, file, text, &(Wish){.link = link}, ret_compiled, diag);
}

static Status learn(void *ctx, Arena *arena, Str file, Str text, const ProgramSample *samples,
                    size_t count, ProgramCompiled *ret_compiled, Diag *diag)
{
    return build(ctx, arena, file, text, &(Wish){PROGRAM_FULL, samples, count}, ret_compiled, diag);
}

void port_trust_c(const LiteProgram *programs, size_t count, bool any)
{
    trusted = programs;
    trusted_count = programs ? count : 0;
    trust_any = any;
}

const ProgramCompiler *port_compiler(const char *data_dir, EngineKind wanted)
{
    static const ProgramCompiler table = {
        .compile = compile, .learn = learn, .preview = preview, .schema = schema};
    folder = data_dir;
    engine = wanted;
    start_on_interp = wanted == ENGINE_BEST;
    if (engine == ENGINE_BEST) engine = cc_installed() ? ENGINE_CC : ENGINE_INTERP;
    return &table;
}
