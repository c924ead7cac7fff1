/* runtime/module/compiler.c: which compiler this process has; see compiler.h.
 *
 * The only process-wide variables of the runtime's upper half: written once before any thread
 * starts, read afterwards. Passing them through every layer was tried and only added arguments. */
#include "module/compiler.h"

static const ProgramCompiler *the_compiler;
static bool stdin_allowed;

void program_compiler_set(const ProgramCompiler *compiler)
{
    the_compiler = compiler;
}

const ProgramCompiler *program_compiler(void)
{
    return the_compiler;
}

void program_stdin_allow(bool allowed)
{
    stdin_allowed = allowed;
}

bool program_stdin_allowed(void)
{
    return stdin_allowed;
}

static struct {
    const PrebuiltProgram *list;
    size_t count;
} prebuilt;

static Status compile_prebuilt(void *ctx, Arena *arena, Str file, Str text, ProgramLink link,
                               ProgramCompiled *ret_compiled, Diag *diag)
{
    (void)ctx;
    (void)arena;
    (void)file;
    (void)link;
    for (size_t i = 0; i < prebuilt.count; i++) {
        const PrebuiltProgram *one = &prebuilt.list[i];
        if (str_eq(one->text, text)) {
            *ret_compiled = (ProgramCompiled){
                .ok = true, .graph = one->graph, .so_path = one->so_path, .table = one->table};
            return ST_OK;
        }
    }
    return diag_set(diag, ST_UNSUPPORTED,
                    "this program was built without a compiler: it runs the pipelines it carries");
}

void program_compiler_prebuilt(const PrebuiltProgram *list, size_t count)
{
    static const ProgramCompiler table = {.compile = compile_prebuilt};
    prebuilt.list = list;
    prebuilt.count = count;
    the_compiler = &table;
}
