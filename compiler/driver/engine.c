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

int engine_option(const Command *self, const char *word, EngineKind *ret_engine)
{
    bool list = strcmp(word, "list") == 0;
    for (size_t i = 0; i < COUNT_OF(engines); i++) {
        Diag diag = {0};
        bool named = strcmp(word, engines[i].name) == 0;
        bool jit = engines[i].kind == ENGINE_JIT;
        /* `run` may find its program among the kept objects, and needs no LLVM then */
        bool later = named && strcmp(self->name, "run") == 0;
        bool missing =
            jit && (named || list) && (later ? jit_found(&diag) : jit_ready(&diag)) != ST_OK;
        if (named && missing) return driver_usage(self, "%s", diag.text);
        if (list && !missing) (void)printf("%-8s %s\n", engines[i].name, engines[i].doc);
        if (!named) continue;
        *ret_engine = engines[i].kind;
        return -1;
    }
    if (list) return EXIT_FINE;
    return driver_usage(self, "there is no engine %s; `--engine list` shows them", word);
}
