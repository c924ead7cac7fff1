/* runtime/web/embed/embed.h: the built web pages inside the program.
 *
 * The table is written at build time by embed.sh from runtime/web/dist: every file gzipped and
 * carried by .incbin. Without a build of the pages the table is empty and the program has none. */
#ifndef TUTTI_WEB_EMBED_H
#define TUTTI_WEB_EMBED_H

#include "base/str.h"

typedef struct WebFile {
    const char *path; /* "/assets/app-1f2e3d.js": as in a URL */
    const char *type; /* content type */
    const char *etag; /* with its quotes, from the SHA-256 of the file */
    Str gzip;         /* lives as long as the program */
    uint32_t bytes;   /* unpacked */
    bool hashed;      /* the name changes with the content: may be cached for ever */
} WebFile;

extern const WebFile web_files[]; /* sorted by path in byte order */
extern const uint32_t web_file_count;

/* NULL when there is no such file. */
const WebFile *web_find(Str path);

#endif
