/* compiler/driver/native.c: from program files to something that runs in this process. */
#include "compiler/driver/native.h"

#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/driver/external.h"
#include "compiler/driver/jit_load.h"
#include "compiler/emit_c/cc.h"
#include "compiler/emit_c/emit.h"
#include "compiler/interp/interp.h"

#include <stdio.h>

Status native_open(NativeSet *set, Diag *diag)
{
    *set = (NativeSet){0};
    Status st = front_open(&set->front, diag);
    if (st) return st;
    set->list = arena_many(set->front.arena, Native, NATIVE_PROGRAMS_MAX);
    return set->list ? ST_OK : diag_set(diag, ST_NO_MEMORY, "out of memory");
}

void native_close(NativeSet *set)
{
    for (uint32_t i = 0; i < set->count; i++) flow_program_free(set->list[i].program);
    front_close(&set->front);
}

MUST static Status add_text(NativeSet *set, Str path, Str text, Diag *diag)
{
    Source *source = source_find(&set->front.sources, path);
    CompileOptions options = {.diag = diag};
    Native *native = &set->list[set->count];
    Status st = source ? ST_OK : source_add(&set->front.sources, path, text, &source, diag);
    if (!st) st = bundle_open(source, diag);
    if (!st)
        st = compile_source(set->front.arena, source, &set->front.diags, &options, &native->ir);
    if (!st && native->ir) set->count++;
    return st;
}

Status native_add(NativeSet *set, const char *path, Diag *diag)
{
    Front finder; /* reads files and walks folders; what it parses is parsed again below */
    Status st = front_open(&finder, diag);
    if (!st) st = front_add(&finder, path, diag);
    for (uint32_t i = 0; !st && i < finder.count; i++) {
        const Source *source = finder.programs[i];
        AUTO_BUF Buf text;
        buf_init(&text, 2 * SOURCE_BYTES_MAX); /* source_add refuses what is too long */
        buf_str(&text, source->text);
        buf_str(&text, source->carried);
        st = buf_status(&text);
        st = st ? diag_set(diag, st, "the program and what it uses are too long")
                : add_text(set, source->path, buf_view(&text), diag);
    }
    front_close(&finder);
    return st;
}

Status native_add_built(NativeSet *set, Str file, Str text, const char *so_path, Diag *diag)
{
    uint32_t before = set->count;
    set->front.sources.sealed = true; /* what it uses is in its text */
    Status st = add_text(set, file, text, diag);
    if (!st && set->count == before)
        st = diag_set(diag, ST_CORRUPT, "%.*s is not the program that was built", STR_ARG(file));
    if (st || !so_path) return st;
    return flow_program_load(so_path, &set->list[before].program, diag);
}

/* Emits, compiles (or finds in the cache) and loads. */
MUST static Status load_compiled(NativeSet *set, Native *native, const Str *samples, Diag *diag)
{
    AUTO_BUF Buf text, path, cache;
    buf_init(&text, EMIT_BYTES_MAX);
    buf_init(&path, 4096);
    buf_init(&cache, 4096);
    Status st = emit_c_rest(native->ir, samples, &text, diag);
    if (!st && !set->cache_dir) st = cc_default_cache(&cache, diag);
    const char *folder = set->cache_dir ? set->cache_dir : cache.ptr;
    EmitUnits units = {.head = emit_head(), .main = buf_view(&text)};
    bool quick;
    if (!st) st = emit_externs(native->ir, set->front.arena, &units, diag);
    if (!st && set->quick)
        st = cc_shared_object_quick(&units, folder, &path, &quick, diag);
    else if (!st)
        st = cc_shared_object(&units, folder, &path, NULL, diag);
    if (!st) st = flow_program_load(path.ptr, &native->program, diag);
    return st;
}

MUST static Status load_interpreted(NativeSet *set, Native *native, Diag *diag)
{
    const RtProgram *table;
    Status st = external_load(native->ir, set->cache_dir, diag);
    if (!st) st = interp_program(native->ir, set->front.arena, &table, diag);
    return st ? st : flow_program_static(table, &native->program, diag);
}

MUST static Status load_jit(NativeSet *set, Native *native, const Str *samples, Diag *diag)
{
    AUTO_BUF Buf cache;
    buf_init(&cache, 4096);
    Status st = external_load(native->ir, set->cache_dir, diag);
    const char *folder = set->cache_dir;
    if (!folder && cc_default_cache(&cache, &(Diag){0}) == ST_OK) folder = cache.ptr;
    return st ? st : jit_load(native->ir, samples, set->soon, folder, &native->program, diag);
}

Status native_load(NativeSet *set, Native *native, const Str *samples, Diag *diag)
{
    EngineKind engine = set->engine;
    if (engine == ENGINE_BEST) {
        engine = cc_installed() ? ENGINE_CC : ENGINE_INTERP;
        if (engine == ENGINE_INTERP && !set->told)
            (void)fputs("note: no C compiler here, so the interpreter runs the program; gcc, clang "
                        "or TUTTI_CC would make it faster\n",
                        stderr);
        set->told = true;
    }
    if (engine == ENGINE_JIT) return load_jit(set, native, samples, diag);
    return engine == ENGINE_INTERP ? load_interpreted(set, native, diag)
                                   : load_compiled(set, native, samples, diag);
}
