/* compiler/type/check.c: the checker's memory, its one door, and the order of the walk. */
#include "compiler/type/sema.h"
#include "compiler/type/check.h"

_Noreturn void check__leave(Check *c, Status status)
{
    c->left = status;
    longjmp(c->door, 1);
}

void *check__alloc(Check *c, size_t count, size_t bytes)
{
    void *ptr = arena_array(c->arena, count ? count : 1, bytes);
    if (!ptr) check__leave(c, ST_NO_MEMORY);
    return ptr;
}

void *check__grow(Check *c, void *list, uint32_t count, uint32_t *cap, size_t bytes)
{
    if (count < *cap) return list;
    uint32_t want = *cap ? *cap * 2 : 8;
    while (want <= count) want *= 2;
    void *fresh = check__alloc(c, want, bytes);
    if (count) memcpy(fresh, list, count * bytes);
    *cap = want;
    return fresh;
}

Str check__text(Check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Str text = arena_vprintf(c->arena, format, args);
    va_end(args);
    if (!text.ptr) check__leave(c, ST_NO_MEMORY);
    return text;
}

/* ---- lists of builders ---- */

/* A list while it grows, behind its head. When the pipeline is done, code as long as it has become
 * is copied to where it stays, and the next pipeline's grows in the same lists: a large program
 * would else touch several times the memory it needs. */
struct CheckList {
    struct CheckList *next;
    size_t bytes;
};

static void *builder_alloc(void *ctx, size_t count, size_t bytes)
{
    Check *c = ctx;
    size_t want = count * bytes; /* some thousand: the builder has its limits */
    CheckList **at = &c->lists;
    while (*at && (*at)->bytes < want) at = &(*at)->next;
    CheckList *list = *at;
    if (list) {
        *at = list->next;
    } else {
        list = check__alloc(c, 1, sizeof *list + want);
        list->bytes = want;
    }
    return list + 1;
}

static void builder_release(void *ctx, void *ptr)
{
    Check *c = ctx;
    if (!ptr) return;
    CheckList *list = (CheckList *)ptr - 1;
    list->next = c->lists;
    c->lists = list;
}

static void *settled(Check *c, void *list, uint32_t count, size_t bytes)
{
    void *kept = check__alloc(c, count, bytes);
    if (count) memcpy(kept, list, count * bytes);
    builder_release(c, list);
    return kept;
}

void check__settle_code(Check *c, IrStage *stage)
{
    stage->regs = settled(c, stage->regs, stage->reg_count, sizeof *stage->regs);
    stage->code = settled(c, stage->code, stage->code_count, sizeof *stage->code);
    stage->pool = settled(c, stage->pool, stage->pool_count, sizeof *stage->pool);
}

static void builder_full(void *ctx)
{
    Check *c = ctx;
    Span at = c->stage ? c->stage->keyword : (Span){c->file->source->id, 0, 0};
    diag_stage_end(c->diags);
    diag_error(c->diags, DIAG_T018, at,
               "this needs more than %d instructions, or %d conditions inside each other",
               IR_CODE_MAX, IR_NEST_MAX);
    check__leave(c, ST_LIMIT);
}

void check__builder(Check *c, IrBuilder *b, IrStage *stage, uint32_t node)
{
    *b = (IrBuilder){.stage = stage,
                     .alloc = builder_alloc,
                     .release = builder_release,
                     .full = builder_full,
                     .ctx = c,
                     .node = node,
                     .span = {c->file->source->id, 0, 0}};
}

uint32_t check__line(const Check *c, Span span)
{
    const Source *source = c->file->source;
    return source_place(source->set->list[span.file], span.start).line;
}

static Status walk(Check *c)
{
    if (setjmp(c->door)) return c->left;
    if (!check__scopes(c, c->file)) {
        if (!c->facts) return ST_OK;
        facts__mute(c);
    }
    IrStage stage = {0}; /* fn bodies are checked once, called or not */
    IrBuilder builder;
    check__builder(c, &builder, &stage, 0);
    c->b = &builder;
    for (uint32_t i = c->scope_count; i-- > 0;) {
        check__enter(c, c->scopes[i]);
        check__resolve(c);
        check__tables(c);
        check__externs(c);
        check__fns(c);
    }
    check__connections(c);
    check__pipelines(c);
    check__circles(c);
    check__tables_read(c);
    check__tests(c);
    check__alarms(c);
    return ST_OK;
}

typedef struct How { /* a file is checked */
    Facts *facts;
    bool schema;
    Str root;
} How;

static Status check(Arena *arena, const AstFile *file, DiagList *diags, const How *how,
                    IrProgram **ret_program)
{
    Check *c = arena_one(arena, Check);
    IrProgram *program = arena_one(arena, IrProgram);
    if (!c || !program) return ST_NO_MEMORY;
    program->arena = arena;
    program->source = file->source;
    c->arena = arena;
    c->diags = diags;
    c->file = file;
    c->program = program;
    c->facts = how->facts;
    c->schema = how->schema;
    c->schema_root = how->root;
    Status status = walk(c);
    check__scopes_done(c);
    diag_stage_end(diags);
    if (status == ST_LIMIT) status = ST_OK; /* a diagnostic says it */
    if (status) return status;
    *ret_program = program;
    return ST_OK;
}

Status check_file(Arena *arena, const AstFile *file, DiagList *diags, IrProgram **ret_program)
{
    return check(arena, file, diags, &(How){0}, ret_program);
}

Status check_file_facts(Arena *arena, const AstFile *file, DiagList *diags, Facts *facts,
                        IrProgram **ret_program)
{
    return check(arena, file, diags, &(How){.facts = facts}, ret_program);
}

Status check_schema(Arena *arena, const AstFile *file, Str root, DiagList *diags,
                    IrProgram **ret_program)
{
    return check(arena, file, diags, &(How){.schema = true, .root = root}, ret_program);
}
