/* compiler/driver/external.c: loads the C functions of a program (see external.h). */
#include "compiler/driver/external.h"

#include "compiler/emit_c/cc.h"

#include <dlfcn.h>

Status external_load(IrProgram *program, const char *cache_dir, Diag *diag)
{
    if (!program->extern_count || program->extern_code) return ST_OK;
    AUTO_BUF Buf path, cache;
    buf_init(&path, 4096);
    buf_init(&cache, 4096);
    EmitUnits units = {0};
    Status st = emit_externs(program, program->arena, &units, diag);
    if (!st && !cache_dir) st = cc_default_cache(&cache, diag);
    if (!st) st = cc_shared_object(&units, cache_dir ? cache_dir : cache.ptr, &path, NULL, diag);
    if (st) return st;
    void *library = dlopen(path.ptr, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const void *list = library ? dlsym(library, "tutti_externs") : NULL;
    if (!list)
        st = diag_set(diag, ST_INVALID, "the program's C cannot be loaded: %s", dlerror());
    else
        program->extern_code = list;
    if (library) dlclose(library);
    return st;
}
