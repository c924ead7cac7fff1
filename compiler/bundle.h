/* compiler/bundle.h: a program and the files it uses as one text.
 *
 *   the program's own text
 *   #: file lib/units.tutti
 *   the text of that file, up to the next such line or the end
 *
 * What goes to a server or into a Lite file is one text, so versions, hashes and replays cover
 * everything a program means. Paths are as seen from the program's folder. */
#ifndef TUTTI_COMPILER_BUNDLE_H
#define TUTTI_COMPILER_BUNDLE_H

#include "compiler/ir/ir.h"

/* The text of `program`'s file, with the files it uses behind it when there are any. */
MUST Status bundle_text(Arena *arena, const IrProgram *program, Str *ret_text, Diag *diag);
/* Cuts a text that carries files: `source` keeps its own part, the others become sources of its
 * set (SOURCE_CARRIED). Any other text stays as it is. Call before parsing. */
MUST Status bundle_open(Source *source, Diag *diag);

#endif
