/* compiler/pass/pass.c: the passes in order, each followed by the verifier. */
#include "compiler/pass/pass.h"

static const struct {
    const char *name;
    Status (*run)(IrProgram *program);
} passes[] = {{"fold", pass_fold},   {"cse", pass_cse},   {"dead", pass_dead},
              {"panes", pass_panes}, {"push", pass_push}, {"share", pass_share}};

Status pass_all(IrProgram *program,
                void (*after)(void *ctx, const char *pass, const IrProgram *program), void *ctx,
                Diag *diag)
{
    Status status = ir_verify(program, diag);
    if (status) return diag_wrap(diag, status, "after lowering");
    if (after) after(ctx, "lower", program);
    for (size_t i = 0; i < COUNT_OF(passes); i++) {
        status = passes[i].run(program);
        if (status) return diag_set(diag, status, "pass %s: out of memory", passes[i].name);
        status = ir_verify(program, diag);
        if (status) return diag_wrap(diag, status, "after the pass %s", passes[i].name);
        if (after) after(ctx, passes[i].name, program);
    }
    return ST_OK;
}
