/* runtime/modules/engine/version.c: a compiled and loaded program; the pipelines that run it share
 * it. */
#include "modules/engine/engine.h"

#include "base/mem.h"

#include <sodium.h>
#include <unistd.h>

EngVersion *engine__version_ref(EngVersion *version)
{
    atomic_fetch_add(&version->refs, 1);
    return version;
}

static void version_free(void *ctx)
{
    EngVersion *version = ctx;
    flow_program_free(version->program);
    arena_free(version->arena);
    mem_free(version);
}

void engine__version_unref(EngVersion *version)
{
    /* Every holder lets go on main, or while no shard runs. */
    if (version && atomic_fetch_sub(&version->refs, 1) == 1) {
        version_free(version);
    }
}

static void hash_text(Str text, char ret_hex[65])
{
    unsigned char digest[32];
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)text.ptr, text.len, NULL, 0);
    sodium_bin2hex(ret_hex, 65, digest, sizeof(digest));
}

static Status load(const ProgramCompiled *compiled, FlowProgram **ret_program, Diag *diag)
{
    if (compiled->program) {
        *ret_program = compiled->program;
        return ST_OK;
    }
    AUTO_BUF Buf path;
    buf_init(&path, 8192);
    buf_str(&path, compiled->so_path);
    buf_char(&path, 0);
    if (path.failed) {
        return path.failed;
    }
    return compiled->table ? flow_program_static(compiled->table, ret_program, diag)
                           : flow_program_load(path.ptr, ret_program, diag);
}

/* Removes an object that cannot be loaded: a power cut may have left it half written. */
static void forget_object(const ProgramCompiled *compiled)
{
    AUTO_BUF Buf path;
    buf_init(&path, 8192);
    buf_str(&path, compiled->so_path);
    buf_char(&path, 0);
    if (compiled->so_path.len && !path.failed) {
        (void)unlink(path.ptr);
    }
}

Status engine__version_make(const ProgramCompiler *compiler, Arena *arena, Str file, Str text,
                            ProgramLink link, const ProgramSample *samples, size_t sample_count,
                            ProgramCompiled *ret_compiled, EngVersion **ret_version, Diag *diag)
{
    if (!compiler) {
        return diag_set(diag, ST_UNSUPPORTED, "this program has no compiler");
    }
    *ret_version = NULL;
    FlowProgram *program = NULL;
    Status st = ST_OK;
    for (int tries = 0; tries < 2 && !program; tries++) {
        st = sample_count && compiler->learn
                 ? compiler->learn(compiler->ctx, arena, file, text, samples, sample_count,
                                   ret_compiled, diag)
                 : compiler->compile(compiler->ctx, arena, file, text, link, ret_compiled, diag);
        if (st || !ret_compiled->ok) {
            return st;
        }
        st = load(ret_compiled, &program, diag);
        if (st) {
            forget_object(ret_compiled);
        }
    }
    EngVersion *version = st ? NULL : mem_zalloc(1, sizeof(*version));
    if (!version) {
        flow_program_free(program);
        return st ? st : ST_NO_MEMORY;
    }
    version->program = program;
    version->file = file;
    version->text = text;
    version->graph = ret_compiled->graph;
    version->problems = ret_compiled->problems;
    version->quick = ret_compiled->quick;
    version->learns = ret_compiled->learns && compiler->learn;
    version->samples = samples;
    version->sample_count = sample_count;
    atomic_store(&version->refs, 1);
    hash_text(text, version->hash);
    *ret_version = version;
    return ST_OK;
}
