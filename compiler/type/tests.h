/* compiler/type/tests.h: what tests.c and test_values.c share. */
#ifndef TUTTI_COMPILER_TYPE_TESTS_H
#define TUTTI_COMPILER_TYPE_TESTS_H

#include "compiler/type/check.h"

struct JsonOut;

const IrField *tests__field(const IrSchema *s, Str name);
Diagnostic *tests__unknown_field(Check *c, const AstField *f, const IrSchema *s, DiagCode code);
/* A value of the field's kind; its unit is taken off (converted by nobody: it must be the same). */
bool tests__value(Check *c, const AstExpr *e, const IrField *f, Val *v);
/* As the edge writes it: what comes in, or (`out`) what a sink gets. */
void tests__put_value(Check *c, struct JsonOut *json, const AstExpr *e, const IrField *field,
                      bool out);
void tests__put_record(Check *c, struct JsonOut *json, const AstExpr *e, uint32_t schema, bool out);
/* A line with the names of the cells, unless it stands there already. */
void tests__csv_header(Buf *out, const IrSchema *s, bool there);
void tests__csv_record(Check *c, Buf *out, const AstExpr *e, uint32_t schema);
/* `as text`, `as raw`: the bytes of the one field. */
void tests__plain_record(Check *c, Buf *out, const AstExpr *e, uint32_t schema);
Str tests__kept(Check *c, const Buf *out); /* in the program's memory */

#endif
