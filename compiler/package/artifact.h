/* compiler/package/artifact.h: the one-file Lite artifact: a program with its pipelines behind it.
 *
 * The file is the executable that made it, then the parts (program texts, graphs, shared objects),
 * an index, and a footer of fixed size at the very end:
 *
 *   executable | part bytes ... | index (JSON) | footer
 *   footer: "TUTTI-L1"  u64 parts_at  u64 index_at  u64 index_len  u8 digest[32]     (64 bytes)
 *
 * Integers are little-endian. The digest is BLAKE2b-256 (RFC 7693) over everything from parts_at to
 * the footer's digest, so a cut or changed file is refused with a sentence instead of run.
 * Loading copies a shared object into an anonymous file (memfd) and names it by /proc/self/fd:
 * nothing is written to disk. */
#ifndef TUTTI_COMPILER_PACKAGE_ARTIFACT_H
#define TUTTI_COMPILER_PACKAGE_ARTIFACT_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

enum { ARTIFACT_PROGRAMS_MAX = 256, ARTIFACT_BYTES_MAX = 1 << 30 };

typedef struct ArtifactProgram {
    Str file;  /* name of the .tutti file, without folder */
    Str text;  /* its bytes */
    Str graph; /* JSON, as `tutti graph --json` */
    Str so;    /* the shared object's bytes */
} ArtifactProgram;

typedef struct Artifact {
    Str name; /* what it calls itself */
    ArtifactProgram *programs;
    uint32_t count;
} Artifact;

/* Writes `path` (mode 0755) as the executable part of `executable` plus the artifact: to a
 * temporary name in the same folder, synced, then renamed. */
MUST Status artifact_write(const char *path, const char *executable, const Artifact *artifact,
                           Diag *diag);

/* Reads what is appended to `executable` ("/proc/self/exe"). ST_NOT_FOUND: it is a plain program.
 * ST_CORRUPT: there is something, but not whole. Everything lives in `arena`. */
MUST Status artifact_read(Arena *arena, const char *executable, Artifact *ret_artifact, Diag *diag);

/* Makes the shared object loadable; the path stays valid as long as the process. */
MUST Status artifact_so_path(Arena *arena, const ArtifactProgram *program, Str *ret_path,
                             Diag *diag);

#endif
