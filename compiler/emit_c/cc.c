/* compiler/emit_c/cc.c: runs the C compiler, without a shell, and keeps what it makes.
 *
 * The object is written under a name of this process and renamed, so two processes may compile the
 * same text at once. Behind it stands a seal, the hash of its bytes: what a power cut or a full
 * disk left half written is made again, not loaded. When the cache folder cannot be written, a
 * private folder for temporary files serves. -ffp-contract=off keeps a product and a sum two
 * roundings on every machine. */
#include "compiler/emit_c/cc.h"

#include "compiler/elf/shared.h"
#include "compiler/emit_c/cache.h"
#include "compiler/emit_c/cc_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const flags[] = {"-std=gnu17",
                                    "-ffp-contract=off",
                                    "-fno-strict-aliasing",
                                    "-fno-semantic-interposition",
                                    "-fvisibility=hidden",
                                    "-fno-asynchronous-unwind-tables",
                                    "-w",
                                    "-fPIC",
                                    "-pipe"};
enum {
    FLAG_COUNT = sizeof flags / sizeof *flags,
    ARGS_MAX = FLAG_COUNT + 48,
    PATH_BYTES = CC_PATH_BYTES,
    SEAL_BYTES = 32,
    OBJECT_BYTES_MAX = 64 << 20,
    UNITS_MAX = 34 /* files of one object: the program's, its users' C, their list */
};

Status cc_default_cache(Buf *ret_path, Diag *diag)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    size_t start = ret_path->len;
    if (xdg && *xdg == '/')
        buf_printf(ret_path, "%s", xdg);
    else if (home && *home)
        buf_printf(ret_path, "%s/.cache", home);
    else
        return diag_set(diag, ST_NOT_FOUND, "no cache folder: set XDG_CACHE_HOME or HOME");
    if (buf_status(ret_path)) return buf_status(ret_path);
    (void)mkdir(ret_path->ptr + start, 0700); /* exists, or the next one says why not */
    buf_text(ret_path, "/tutti");
    if (mkdir(ret_path->ptr + start, 0700) && errno != EEXIST)
        return diag_errno(diag, errno, "creating %s", ret_path->ptr + start);
    return buf_status(ret_path);
}

typedef struct Compiler {
    char path[PATH_BYTES];
    struct stat st;
} Compiler;

MUST static Status find_compiler(Compiler *ret, Diag *diag)
{
    const char *names[] = {getenv("TUTTI_CC"), "cc", "gcc", "clang"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i] && *names[i] && cc__find_program(names[i], ret->path, &ret->st)) return ST_OK;
    return diag_set(diag, ST_NOT_FOUND,
                    "no C compiler found: install gcc or clang, or set TUTTI_CC");
}

bool cc_installed(void)
{
    Compiler compiler;
    return find_compiler(&compiler, NULL) == ST_OK;
}

static void name_of(const EmitUnits *units, const Compiler *compiler, char *out)
{
    unsigned char hash[20];
    crypto_generichash_state state;
    long long identity[3] = {(long long)compiler->st.st_size,
                             (long long)compiler->st.st_mtim.tv_sec,
                             (long long)compiler->st.st_mtim.tv_nsec};
    int best = sodium_init(); /* picks the hash this processor is best at; all give the same */
    (void)best;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)units->head.ptr, units->head.len);
    crypto_generichash_update(&state, (const unsigned char *)units->main.ptr, units->main.len);
    for (uint32_t i = 0; i < units->more_count; i++) {
        crypto_generichash_update(&state, (const unsigned char *)units->more[i].ptr,
                                  units->more[i].len);
        crypto_generichash_update(&state, (const unsigned char *)"", 1);
    }
    for (int i = 0; i < FLAG_COUNT; i++)
        crypto_generichash_update(&state, (const unsigned char *)flags[i], strlen(flags[i]) + 1);
    crypto_generichash_update(&state, (const unsigned char *)compiler->path,
                              strlen(compiler->path) + 1);
    crypto_generichash_update(&state, (const unsigned char *)identity, sizeof identity);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(out, sizeof hash * 2 + 1, hash, sizeof hash);
}

static bool write_all(int fd, Str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text = str_skip(text, (size_t)n);
    }
    return true;
}

MUST static Status write_file(const char *path, Str head, Str text, Diag *diag)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return diag_errno(diag, errno, "writing %s", path);
    if (!write_all(fd, head) || !write_all(fd, text)) {
        int error = errno;
        close(fd);
        return diag_errno(diag, error, "writing %s", path);
    }
    return close(fd) ? diag_errno(diag, errno, "writing %s", path) : ST_OK;
}

/* The first lines of what the compiler said. `users`: there is C of the user's in it. */
static Status refused(const char *log, bool users, Diag *diag)
{
    char text[400];
    FILE *file = fopen(log, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[n] = 0;
    if (!n || strstr(text, strerror(ENOSPC)) || strstr(text, strerror(EIO)))
        return diag_set(diag, ST_IO, "the C compiler could not write its files: %s",
                        n ? text : "it says nothing");
    if (users)
        return diag_set(diag, ST_INVALID, "the C compiler refused the program's C: %s", text);
    return diag_set(diag, ST_INTERNAL, "the C compiler refused the generated code: %s", text);
}

/* ---- the seal ---- */

/* Hash of the first `len` bytes of an open file; false when they cannot be read. */
static bool hash_file(int fd, off_t len, unsigned char *hash)
{
    unsigned char block[16384];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, SEAL_BYTES);
    for (off_t at = 0; at < len;) {
        off_t want = len - at < (off_t)sizeof block ? len - at : (off_t)sizeof block;
        ssize_t n = pread(fd, block, (size_t)want, at);
        if (n <= 0) return false;
        crypto_generichash_update(&state, block, (unsigned long long)n);
        at += n;
    }
    crypto_generichash_final(&state, hash, SEAL_BYTES);
    return true;
}

static bool is_sealed(const char *path)
{
    unsigned char seal[SEAL_BYTES], hash[SEAL_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool fine = fstat(fd, &st) == 0 && st.st_size > SEAL_BYTES && st.st_size <= OBJECT_BYTES_MAX;
    off_t len = fine ? st.st_size - SEAL_BYTES : 0;
    fine = fine && pread(fd, seal, SEAL_BYTES, len) == SEAL_BYTES && hash_file(fd, len, hash) &&
           memcmp(seal, hash, SEAL_BYTES) == 0;
    if (fine) cache_used(fd);
    close(fd);
    return fine;
}

/* Behind the object; a loader reads only what the ELF header names. */
MUST static Status seal_object(const char *path, Diag *diag)
{
    unsigned char hash[SEAL_BYTES];
    struct stat st;
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0) return diag_errno(diag, errno, "writing %s", path);
    errno = EIO;
    bool fine = fstat(fd, &st) == 0 && hash_file(fd, st.st_size, hash) &&
                write(fd, hash, sizeof hash) == (ssize_t)sizeof hash;
    int error = fine ? 0 : errno;
    if (close(fd) && fine) error = errno;
    return error ? diag_errno(diag, error, "writing %s", path) : ST_OK;
}

/* ---- the compiler ---- */

typedef struct Work { /* one object to be made */
    const Compiler *compiler;
    const char *folder, *log, *made;
    const char *sources[UNITS_MAX];
    uint32_t count;
    bool quick, users; /* users: there is C of theirs */
} Work;

static const char *const to_object[] = {"-c", NULL}, *const to_shared[] = {"-shared", NULL},
                         *const bare[] = {"-shared", "-nostdlib", "-lgcc", NULL};

/* The compiler: of C to `out`; of what is no C any more, to a shared object. */
MUST static Status compile(const Work *w, const char *const *extra, const char *const *inputs,
                           uint32_t count, const char *out, Diag *diag)
{
    const char *argv[ARGS_MAX];
    bool fine;
    int n = 0;
    bool alone = w->quick && extra == to_object;
    argv[n++] = w->compiler->path;
    argv[n++] = w->quick ? "-O0" : "-O2";
    if (w->quick) argv[n++] = "-DRT_QUICK";
    for (int i = 0; i < FLAG_COUNT; i++) argv[n++] = flags[i];
    argv[n++] = "-o";
    argv[n++] = out;
    for (uint32_t i = 0; i < count; i++) argv[n++] = inputs[i];
    while (*extra) argv[n++] = *extra++;
    argv[n] = NULL;
    CcCall call = {argv, inputs[0], out, &w->compiler->st, w->folder, w->log};
    if (alone && cc__steps(&call)) return ST_OK;
    Status status = cc__run(argv, w->folder, w->log, &fine, diag);
    if (!status && !fine) return refused(w->log, w->users, diag);
    if (!status && alone) cc__steps_forget(&call);
    return status;
}

static bool read_object(const char *path, Buf *out)
{
    ssize_t n = -1;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char *to = fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= OBJECT_BYTES_MAX
                   ? buf_reserve(out, (size_t)st.st_size)
                   : NULL;
    if (to) n = read(fd, to, (size_t)st.st_size);
    close(fd);
    if (n > 0) out->len = (size_t)n;
    return n > 0 && n == st.st_size;
}

/* No linker at all: its start alone is a sixth of the time until quick code runs. Full code, which
 * nobody waits for, goes through a linker, whose objects name functions for profilers. */
static bool link_here(const Work *w, const char *object)
{
    AUTO_BUF Buf bytes, file;
    buf_init(&bytes, OBJECT_BYTES_MAX);
    buf_init(&file, OBJECT_BYTES_MAX);
    return w->quick && read_object(object, &bytes) &&
           !elf_shared(buf_view(&bytes), &file, &(Diag){0}) &&
           !write_file(w->made, STR_NONE, buf_view(&file), &(Diag){0});
}

/* The linker itself, which takes a third of the time that the compiler takes to call it with the
 * libraries and start files that generated code has no use for. False: it cannot be used. */
static bool link_alone(const Work *w, const char *object)
{
#if defined __x86_64__ || defined __aarch64__ /* no helpers of the compiler's own are called here  \
                                               */
    char linker[PATH_BYTES];
    struct stat st;
    bool fine;
    if (!cc__find_program("ld", linker, &st)) return false;
    const char *argv[] = {linker, "-shared", "--hash-style=gnu", "-o", w->made, object, NULL};
    return !cc__run(argv, w->folder, w->log, &fine, &(Diag){0}) && fine;
#else
    (void)w;
    (void)object;
    return false;
#endif
}

/* Users' C may need the libraries that a compiler links by itself; generated C needs none: what it
 * calls besides RtApi (memcpy, memcmp) is in the process that loads it. */
MUST static Status make_object(const Work *w, Diag *diag)
{
    if (w->users) return compile(w, to_shared, w->sources, w->count, w->made, diag);
    char object[PATH_BYTES];
    const char *input = object;
    snprintf(object, sizeof object, "%.*s.o", PATH_BYTES - 4, w->log);
    Status status = compile(w, to_object, w->sources, 1, object, diag);
    if (!status && !link_here(w, object) && !link_alone(w, object))
        status = compile(w, bare, &input, 1, w->made, diag);
    unlink(object);
    return status;
}

/* Writes the units as files in `folder`; their names in `paths`. */
MUST static Status write_units(const EmitUnits *units, const char *stem, char (*paths)[PATH_BYTES],
                               uint32_t *ret_count, Diag *diag)
{
    *ret_count = 0;
    if (units->more_count >= UNITS_MAX)
        return diag_set(diag, ST_LIMIT, "a program has at most %d files of C", UNITS_MAX - 2);
    for (uint32_t i = 0; i <= units->more_count; i++) {
        Str text = i ? units->more[i - 1] : units->main;
        if (!text.len) continue;
        char *path = paths[*ret_count];
        snprintf(path, PATH_BYTES, i ? "%s.%u.c" : "%s.c", stem, i);
        Status status = write_file(path, i ? STR_NONE : units->head, text, diag);
        ++*ret_count;
        if (status) return status;
    }
    return ST_OK;
}

/* `object` does not exist: makes it, and leaves nothing behind when it cannot. */
MUST static Status make(const EmitUnits *units, const Compiler *compiler, bool quick,
                        const char *folder, const char *name, const char *object, Diag *diag)
{
    char paths[UNITS_MAX][PATH_BYTES], made[PATH_BYTES], log[PATH_BYTES], kept[PATH_BYTES],
        stem[PATH_BYTES - 20];
    Work work = {.compiler = compiler,
                 .folder = folder,
                 .log = log,
                 .made = made,
                 .quick = quick,
                 .users = units->more_count > 0};
    snprintf(stem, sizeof stem, "%s/%s.%ld", folder, name, (long)getpid());
    snprintf(made, sizeof made, "%s.so", stem);
    snprintf(log, sizeof log, "%s.log", stem);
    snprintf(kept, sizeof kept, "%s/%s.c", folder, name);
    Status status = write_units(units, stem, paths, &work.count, diag);
    for (uint32_t i = 0; i < work.count; i++) work.sources[i] = paths[i];
    if (!status) status = make_object(&work, diag);
    if (!status) status = seal_object(made, diag);
    if (!status && rename(made, object)) status = diag_errno(diag, errno, "writing %s", object);
    unlink(log);
    if (status) unlink(made);
    for (uint32_t i = 0; i < work.count;
         i++) /* the first is kept for readers; nothing depends on it */
        if (status || i || rename(paths[i], kept)) unlink(paths[i]);
    if (!status) cache_trim(folder);
    return status;
}

/* A folder for temporary files that is ours alone. */
static bool spare_folder(char *path)
{
    const char *base = getenv("TMPDIR");
    struct stat st;
    int len = snprintf(path, PATH_BYTES - 80, "%s/tutti-%ld", base && *base == '/' ? base : "/tmp",
                       (long)geteuid());
    if (len < 0 || len >= PATH_BYTES - 80) return false;
    (void)mkdir(path, 0700);
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

MUST static Status object_in(const char *folder, const EmitUnits *units, const Compiler *compiler,
                             bool quick, const char *name, Buf *ret_path, bool *ret_cached,
                             Diag *diag)
{
    char object[PATH_BYTES];
    if (strlen(folder) > PATH_BYTES - 80)
        return diag_set(diag, ST_LIMIT, "the cache folder's path is too long");
    snprintf(object, sizeof object, "%s/%s.so", folder, name);
    bool cached = is_sealed(object);
    Status status = cached ? ST_OK : make(units, compiler, quick, folder, name, object, diag);
    if (status) return status;
    buf_text(ret_path, object);
    if (ret_cached) *ret_cached = cached;
    return buf_status(ret_path);
}

/* Objects of the quick kind have a name of their own beside the full one. */
MUST static Status shared_object(const EmitUnits *units, const char *cache_dir, bool quick,
                                 Buf *ret_path, bool *ret_cached, Diag *diag)
{
    Compiler compiler;
    char name[41], spare[PATH_BYTES];
    Status status = find_compiler(&compiler, diag);
    if (status) return status;
    name_of(units, &compiler, name);
    if (quick) name[32] = 'q', name[33] = 0;
    status = object_in(cache_dir, units, &compiler, quick, name, ret_path, ret_cached, diag);
    if (status != ST_IO || !spare_folder(spare)) return status;
    Diag second = {0}; /* what the first said is what counts */
    Status again = object_in(spare, units, &compiler, quick, name, ret_path, ret_cached, &second);
    return again ? status : ST_OK;
}

Status cc_shared_object(const EmitUnits *units, const char *cache_dir, Buf *ret_path,
                        bool *ret_cached, Diag *diag)
{
    return shared_object(units, cache_dir, false, ret_path, ret_cached, diag);
}

bool cc_cached(const EmitUnits *units, const char *cache_dir, Buf *ret_path)
{
    Compiler compiler;
    char name[41], object[PATH_BYTES];
    if (find_compiler(&compiler, NULL)) return false;
    name_of(units, &compiler, name);
    int len = snprintf(object, sizeof object, "%s/%s.so", cache_dir, name);
    if (len < 0 || len >= (int)sizeof object || !is_sealed(object)) return false;
    buf_text(ret_path, object);
    return buf_status(ret_path) == ST_OK;
}

Status cc_shared_object_quick(const EmitUnits *units, const char *cache_dir, Buf *ret_path,
                              bool *ret_quick, Diag *diag)
{
    *ret_quick = !cc_cached(units, cache_dir, ret_path);
    return *ret_quick ? shared_object(units, cache_dir, true, ret_path, NULL, diag) : ST_OK;
}
