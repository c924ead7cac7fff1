/* compiler/package/artifact.c: writes and reads what is appended to a Lite executable.
 *
 * The reader maps the file, trusts nothing before the digest has been checked, and checks every
 * offset of the index against the parts. The writer leaves out what is already appended to the
 * executable it copies, so that an artifact can make artifacts. */
#include "compiler/package/artifact.h"

#include "base/buf.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_BYTES = 8, DIGEST_BYTES = 32, FOOTER_BYTES = 64, DIGEST_AT = FOOTER_BYTES - 32 };
static const char magic[MAGIC_BYTES + 1] = "TUTTI-L1";

typedef struct Footer {
    uint64_t parts_at, index_at, index_len;
} Footer;

static void put_u64(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++) to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(const unsigned char *from)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | from[i];
    return value;
}

/* A file mapped for reading; unmapped and closed by mapped_close. */
typedef struct Mapped {
    const unsigned char *ptr;
    size_t len;
} Mapped;

static Status mapped_open(const char *path, Mapped *ret_file, Diag *diag)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_errno(diag, errno, "cannot open %s", path);
    void *ptr = MAP_FAILED;
    if (fstat(fd, &info) == 0 && info.st_size > 0)
        ptr = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    (void)close(fd);
    if (ptr == MAP_FAILED) return diag_errno(diag, error, "cannot read %s", path);
    *ret_file = (Mapped){ptr, (size_t)info.st_size};
    return ST_OK;
}

static void mapped_close(Mapped *file)
{
    (void)munmap((void *)(uintptr_t)file->ptr, file->len);
}

/* ST_NOT_FOUND when there is no footer. */
static Status find_footer(const Mapped *file, Footer *ret_footer)
{
    if (file->len < FOOTER_BYTES) return ST_NOT_FOUND;
    const unsigned char *at = file->ptr + file->len - FOOTER_BYTES;
    if (memcmp(at, magic, MAGIC_BYTES) != 0) return ST_NOT_FOUND;
    Footer f = {get_u64(at + 8), get_u64(at + 16), get_u64(at + 24)};
    uint64_t end = file->len - FOOTER_BYTES;
    if (f.parts_at > f.index_at || f.index_at > end || f.index_len != end - f.index_at)
        return ST_CORRUPT;
    *ret_footer = f;
    return ST_OK;
}

static void digest_of(const unsigned char *ptr, size_t len, unsigned char out[DIGEST_BYTES])
{
    (void)crypto_generichash(out, DIGEST_BYTES, ptr, len, NULL, 0);
}

/* A slice of the parts named by an offset and a length in the index. */
static bool part(const Mapped *file, const Footer *f, const Json *row, const char *name,
                 Str *ret_part)
{
    const Json *pair = json_get(row, name);
    const Json *at = json_at(pair, 0), *len = json_at(pair, 1);
    uint64_t room = f->index_at - f->parts_at;
    if (!at || !len || at->type != JSON_INT || len->type != JSON_INT) return false;
    if (at->integer < 0 || len->integer < 0 || (uint64_t)at->integer > room ||
        (uint64_t)len->integer > room - (uint64_t)at->integer)
        return false;
    const char *bytes = (const char *)file->ptr + f->parts_at + at->integer;
    *ret_part = str_slice(bytes, (size_t)len->integer);
    return true;
}

static Status read_index(Arena *arena, const Mapped *file, const Footer *f, Artifact *ret_artifact,
                         Diag *diag)
{
    const Json *index = NULL;
    Str text =
        arena_str(arena, str_slice((const char *)file->ptr + f->index_at, (size_t)f->index_len));
    Status st = text.ptr ? json_read(arena, text, &index, diag) : ST_NO_MEMORY;
    if (st) return diag_wrap(diag, st, "the index of this file");
    const Json *list = json_get(index, "programs");
    if (!list || list->count > ARTIFACT_PROGRAMS_MAX)
        return diag_set(diag, ST_CORRUPT, "the index of this file lists no programs");
    Artifact artifact = {.name = json_str(index, "name", STR("lite")), .count = list->count};
    artifact.programs = arena_many(arena, ArtifactProgram, list->count ? list->count : 1);
    if (!artifact.programs) return diag_set(diag, ST_NO_MEMORY, "out of memory");
    uint32_t i = 0;
    for (const Json *row = list->first; row; row = row->next, i++) {
        ArtifactProgram *p = &artifact.programs[i];
        Str pieces[3];
        p->file = json_str(row, "file", STR_NONE);
        if (!part(file, f, row, "text", &pieces[0]) || !part(file, f, row, "graph", &pieces[1]) ||
            !part(file, f, row, "so", &pieces[2]))
            return diag_set(diag, ST_CORRUPT, "program %u of this file lies outside it", i + 1);
        p->text = arena_str(arena, pieces[0]);
        p->graph = arena_str(arena, pieces[1]);
        p->so = arena_str(arena, pieces[2]);
        if (!p->text.ptr || !p->graph.ptr || !p->so.ptr)
            return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    *ret_artifact = artifact;
    return ST_OK;
}

Status artifact_read(Arena *arena, const char *executable, Artifact *ret_artifact, Diag *diag)
{
    Mapped file;
    Footer footer = {0};
    unsigned char digest[DIGEST_BYTES];
    Status st = mapped_open(executable, &file, diag);
    if (st) return st;
    st = find_footer(&file, &footer);
    if (!st) {
        size_t digest_at = file.len - DIGEST_BYTES;
        digest_of(file.ptr + footer.parts_at, digest_at - footer.parts_at, digest);
        if (memcmp(digest, file.ptr + digest_at, DIGEST_BYTES) != 0) st = ST_CORRUPT;
    }
    if (st == ST_CORRUPT)
        (void)diag_set(diag, st, "this file is damaged (its digest does not fit): copy it again");
    if (!st) st = read_index(arena, &file, &footer, ret_artifact, diag);
    mapped_close(&file);
    return st;
}

Status artifact_so_path(Arena *arena, const ArtifactProgram *program, Str *ret_path, Diag *diag)
{
    int fd = memfd_create("tutti-program", MFD_CLOEXEC);
    if (fd < 0) return diag_errno(diag, errno, "no memory for the compiled program");
    for (size_t done = 0; done < program->so.len;) {
        ssize_t wrote = write(fd, program->so.ptr + done, program->so.len - done);
        if (wrote < 0) {
            int error = errno;
            (void)close(fd);
            return diag_errno(diag, error, "no memory for the compiled program");
        }
        done += (size_t)wrote;
    }
    /* The descriptor stays open for the life of the process: the path is its name. */
    Str path = arena_printf(arena, "/proc/self/fd/%d", fd);
    if (!path.ptr) {
        (void)close(fd);
        return diag_set(diag, ST_NO_MEMORY, "out of memory");
    }
    *ret_path = path;
    return ST_OK;
}

/* ---- writing ---- */

static Status write_all(int fd, const void *bytes, size_t len, const char *path, Diag *diag)
{
    for (size_t done = 0; done < len;) {
        ssize_t wrote = write(fd, (const char *)bytes + done, len - done);
        if (wrote < 0 && errno != EINTR) return diag_errno(diag, errno, "cannot write %s", path);
        if (wrote > 0) done += (size_t)wrote;
    }
    return ST_OK;
}

static void index_part(JsonOut *out, Buf *parts, const char *name, Str bytes)
{
    json_key(out, name);
    json_begin_array(out);
    json_put_uint(out, parts->len);
    json_put_uint(out, bytes.len);
    json_end(out);
    buf_str(parts, bytes);
}

/* Parts, index and footer, as they follow the executable of `exe_len` bytes. */
static Status build_tail(const Artifact *artifact, uint64_t exe_len, Buf *tail)
{
    Buf index AUTO_BUF;
    JsonOut out;
    unsigned char footer[FOOTER_BYTES] = {0};
    buf_init(&index, 1 << 20);
    json_out_init(&out, &index);
    json_begin_object(&out);
    json_field_str(&out, "name", artifact->name);
    json_key(&out, "programs");
    json_begin_array(&out);
    for (uint32_t i = 0; i < artifact->count; i++) {
        const ArtifactProgram *p = &artifact->programs[i];
        json_begin_object(&out);
        json_field_str(&out, "file", p->file);
        index_part(&out, tail, "text", p->text);
        index_part(&out, tail, "graph", p->graph);
        index_part(&out, tail, "so", p->so);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    if (buf_status(&index)) return buf_status(&index);
    memcpy(footer, magic, MAGIC_BYTES);
    put_u64(footer + 8, exe_len);
    put_u64(footer + 16, exe_len + tail->len);
    put_u64(footer + 24, index.len);
    buf_str(tail, buf_view(&index));
    buf_add(tail, footer, DIGEST_AT);
    if (buf_status(tail)) return buf_status(tail);
    digest_of((const unsigned char *)tail->ptr, tail->len, footer);
    buf_add(tail, footer, DIGEST_BYTES);
    return buf_status(tail);
}

static Status write_file(const char *temp, const Mapped *exe, uint64_t exe_len, Str tail,
                         Diag *diag)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (fd < 0) return diag_errno(diag, errno, "cannot write %s", temp);
    Status st = write_all(fd, exe->ptr, (size_t)exe_len, temp, diag);
    if (!st) st = write_all(fd, tail.ptr, tail.len, temp, diag);
    if (!st && fsync(fd) < 0) st = diag_errno(diag, errno, "cannot write %s", temp);
    if (close(fd) < 0 && !st) st = diag_errno(diag, errno, "cannot write %s", temp);
    return st;
}

Status artifact_write(const char *path, const char *executable, const Artifact *artifact,
                      Diag *diag)
{
    Mapped exe;
    Footer footer;
    Buf tail AUTO_BUF;
    char temp[4096];
    buf_init(&tail, ARTIFACT_BYTES_MAX);
    if (snprintf(temp, sizeof temp, "%s.new", path) >= (int)sizeof temp)
        return diag_set(diag, ST_INVALID, "the path is too long: %s", path);
    Status st = mapped_open(executable, &exe, diag);
    if (st) return st;
    uint64_t exe_len = exe.len;
    if (find_footer(&exe, &footer) == ST_OK) exe_len = footer.parts_at;
    st = build_tail(artifact, exe_len, &tail);
    if (st) (void)diag_set(diag, st, "the programs are too large for one file");
    if (!st) st = write_file(temp, &exe, exe_len, buf_view(&tail), diag);
    if (!st && rename(temp, path) < 0) st = diag_errno(diag, errno, "cannot write %s", path);
    if (st) (void)unlink(temp);
    mapped_close(&exe);
    return st;
}
