/* runtime/peer/link.h: a connection as a program declares it.
 *
 * What the environment holds (`env("NAME")`, written ${NAME} in a program's tables) is filled in
 * here, when the connection is about to be used: it is never stored and never printed. */
#ifndef TUTTI_PEER_LINK_H
#define TUTTI_PEER_LINK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

typedef struct PeerLink {
    const char *name;
    const char *url;     /* filled in */
    const Json *options; /* settings in braces; texts as written */
    Arena *arena;
} PeerLink;

/* Appends `text` with each ${NAME} replaced. */
MUST Status peer_expand(Str text, Buf *out, Diag *diag);
/* {"name":...,"url":...,"options":{...}}: how the compiler writes a connection into one text. */
MUST Status peer_link_read(Str json, PeerLink *ret_link, Diag *diag);
MUST Status peer_link_make(const char *name, const char *url, const char *options,
                           PeerLink *ret_link, Diag *diag);
void peer_link_done(PeerLink *link); /* accepts one that was never made, all zero */
/* A setting's text, filled in, of the link's arena; *ret_text NULL: not given. */
MUST Status peer_link_text(const PeerLink *link, const char *name, const char **ret_text,
                           Diag *diag);

#endif
