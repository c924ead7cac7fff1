/* compiler/report/report.h: programs in sentences, for people; see README.md.
 *
 * `pipeline` empty: all of the program. Nothing is written when there is none of that name. Texts
 * go to `out`, which the caller checks at the end. */
#ifndef TUTTI_COMPILER_REPORT_REPORT_H
#define TUTTI_COMPILER_REPORT_REPORT_H

#include "compiler/ir/ir.h"

/* What a pipeline does with a record, how it runs, what it keeps, where rows go. `sample`: some
 * lines of its input, from which layouts are learnt; empty: the declared order. */
MUST Status report_explain(const IrProgram *program, Str pipeline, Str sample, Buf *out,
                           Diag *diag);
/* What a deploy of `new` over `old` (NULL: nothing runs) would do: pipelines added, removed,
 * changed; sources and sinks; state kept or dropped, and why; alarms. */
MUST Status report_diff(const IrProgram *old, const IrProgram *new, bool as_json, Buf *out,
                        Diag *diag);
/* The type of a field as one JSON object (form.c): {"type":"record","fields":[{"name":"temp",
 * "type":"f64","unit":"degC","lo":-40,"hi":400,"optional":true}, ...]}; `fields` of a list are its
 * item's, one without a name where items are single values. */
void report_form(const IrProgram *program, const IrField *root, Buf *out);
/* Nodes and wires as text. */
void report_graph(const IrProgram *program, Str pipeline, Buf *out);

#endif
