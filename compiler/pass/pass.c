/* compiler/pass/pass.c: the passes in order, and the verifier.
 *
 * What comes in and what goes out is always verified. Behind each pass, too, where somebody looks
 * at it (`explain --after`) and in the sanitized build that the tests run: seven times over, the
 * verifier took a fifth of the time of checking a large program. */
#include "compiler/pass/pass.h"

#if defined __SANITIZE_ADDRESS__
enum { VERIFY_EACH = 1 };
#elif defined __has_feature
#if __has_feature(address_sanitizer)
enum { VERIFY_EACH = 1 };
#else
enum { VERIFY_EACH = 0 };
#endif
#else
enum { VERIFY_EACH = 0 };
#endif

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
        if (VERIFY_EACH || after || i + 1 == COUNT_OF(passes)) {
            status = ir_verify(program, diag);
            if (status) return diag_wrap(diag, status, "after the pass %s", passes[i].name);
        }
        if (after) after(ctx, passes[i].name, program);
    }
    return ST_OK;
}
