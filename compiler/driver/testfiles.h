/* compiler/driver/testfiles.h: the files that tests name: records, rows of tables, rows wanted. */
#ifndef TUTTI_COMPILER_DRIVER_TESTFILES_H
#define TUTTI_COMPILER_DRIVER_TESTFILES_H

#include "compiler/driver/native.h"

enum {
    TEST_FILE_BYTES = 64 << 20,
    TEST_RECORDS_MAX = 1000000 /* of all files of one test */
};

/* A test without STEP_IN_FILE: each line of a file has become a STEP_IN; and what tables hold in
 * it (NULL: what they always do). Everything lives in `arena`; on failure both are untouched. */
MUST Status test_files(const IrProgram *ir, const IrTest *test, Arena *arena, IrTest *ret_test,
                       const FlowTable **ret_tables, Diag *diag);
MUST Status test_file_read(Str path, Buf *out, Diag *diag);
MUST Status test_file_write(Str path, Str text, Diag *diag);

#endif
