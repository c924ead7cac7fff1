/* compiler/compile.c: parse, check, pass: see compile.h. */
#include "compiler/compile.h"
#include "compiler/parse/parse.h"
#include "compiler/pass/pass.h"
#include "compiler/type/sema.h"

Status compile_source(Arena *arena, const Source *source, DiagList *diags,
                      const CompileOptions *options, IrProgram **ret_program)
{
    static const CompileOptions none = {0};
    if (!options) options = &none;
    AstFile *file;
    IrProgram *program;
    Status status = parse_source(arena, source, diags, &file);
    if (status) return status;
    if (options->ret_ast) *options->ret_ast = file;
    status = options->schema ? check_schema(arena, file, options->schema_root, diags, &program)
                             : check_file(arena, file, diags, &program);
    if (status || diags->error_count) return status;
    status = pass_all(program, options->after, options->ctx, options->diag);
    if (status) return status;
    *ret_program = program;
    return ST_OK;
}
