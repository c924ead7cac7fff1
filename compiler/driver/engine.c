/* compiler/driver/engine.c: the words behind --engine. */
#include "compiler/driver/engine.h"

#include "compiler/driver/jit_load.h"
#include "compiler/emit_c/cc.h"

#include <stdio.h>
#include <string.h>

static const struct {
    EngineKind kind;
    const char *name, *doc;
} engines[] = {
#define ENGINE(id, name, doc) {ENGINE_##id, name, doc},
#include "compiler/driver/engines.def"
#undef ENGINE
};

EngineKind engine_next(EngineKind engine)
{
    for (size_t i = engine; i < COUNT_OF(engines); i++) { /* row i is engine i + 1 */
        Diag diag = {0};
        EngineKind kind = engines[i].kind;
        bool missing =
            (kind == ENGINE_CC && !cc_installed()) || (kind == ENGINE_JIT && jit_ready(&diag));
        if (!missing) return kind;
    }
    return ENGINE_BEST;
}

const char *engine_name(EngineKind engine)
{
    return engines[engine - 1].name;
}

bool engine_find(const char *word, bool later, EngineKind *ret_engine, Diag *diag)
{
    for (size_t i = 0; i < COUNT_OF(engines); i++) {
        if (strcmp(word, engines[i].name) != 0) continue;
        if (engines[i].kind == ENGINE_JIT && (later ? jit_found(diag) : jit_ready(diag)))
            return false;
        *ret_engine = engines[i].kind;
        return true;
    }
    diag_set(diag, ST_INVALID, "there is no engine %s; `--engine list` shows them", word);
    return false;
}

void engine_list(void)
{
    for (size_t i = 0; i < COUNT_OF(engines); i++) {
        Diag diag = {0};
        if (engines[i].kind == ENGINE_JIT && jit_ready(&diag)) continue;
        (void)printf("%-8s %s\n", engines[i].name, engines[i].doc);
    }
}

int engine_option(const Command *self, const char *word, EngineKind *ret_engine)
{
    Diag diag = {0};
    if (strcmp(word, "list") == 0) {
        engine_list();
        return EXIT_FINE;
    }
    /* `run` may find its program among the kept objects, and needs no LLVM then */
    bool later = strcmp(self->name, "run") == 0;
    return engine_find(word, later, ret_engine, &diag) ? -1 : driver_usage(self, "%s", diag.text);
}
