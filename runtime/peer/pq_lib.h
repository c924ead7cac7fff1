/* runtime/peer/pq_lib.h: the functions of libpq that are used, loaded when first needed.
 *
 * Signatures and numbers are those of libpq-fe.h, which are part of the ABI of libpq.so.5. */
#ifndef TUTTI_PEER_PQ_LIB_H
#define TUTTI_PEER_PQ_LIB_H

#include "base/status.h"

#include <stddef.h>

typedef struct pg_conn PqConn;
typedef struct pg_result PqResult;

enum { /* PQconnectPoll */
       PQ_POLLING_FAILED,
       PQ_POLLING_READING,
       PQ_POLLING_WRITING,
       PQ_POLLING_OK
};
enum { PQ_CONNECTION_OK = 0 };
enum { /* PQresultStatus */
       PQ_COMMAND_OK = 1,
       PQ_TUPLES_OK = 2,
       PQ_COPY_IN = 4,
       PQ_FATAL_ERROR = 7,
       PQ_SINGLE_TUPLE = 9
};
enum { PQ_DIAG_SQLSTATE = 'C', PQ_DIAG_PRIMARY = 'M', PQ_DIAG_DETAIL = 'D' };

/* FN(result, name, parameters) */
#define PQ_FUNCTIONS(FN)                                                                           \
    FN(PqConn *, connectStartParams, (const char *const *, const char *const *, int))              \
    FN(int, connectPoll, (PqConn *))                                                               \
    FN(int, status, (const PqConn *))                                                              \
    FN(int, socket, (const PqConn *))                                                              \
    FN(char *, errorMessage, (const PqConn *))                                                     \
    FN(void, finish, (PqConn *))                                                                   \
    FN(int, setnonblocking, (PqConn *, int))                                                       \
    FN(int, sendQueryParams,                                                                       \
       (PqConn *, const char *, int, const unsigned *, const char *const *, const int *,           \
        const int *, int))                                                                         \
    FN(int, sendPrepare, (PqConn *, const char *, const char *, int, const unsigned *))            \
    FN(int, sendDescribePrepared, (PqConn *, const char *))                                        \
    FN(int, sendQueryPrepared,                                                                     \
       (PqConn *, const char *, int, const char *const *, const int *, const int *, int))          \
    FN(int, setSingleRowMode, (PqConn *))                                                          \
    FN(int, putCopyData, (PqConn *, const char *, int))                                            \
    FN(int, putCopyEnd, (PqConn *, const char *))                                                  \
    FN(int, flush, (PqConn *))                                                                     \
    FN(int, consumeInput, (PqConn *))                                                              \
    FN(int, isBusy, (PqConn *))                                                                    \
    FN(PqResult *, getResult, (PqConn *))                                                          \
    FN(int, resultStatus, (const PqResult *))                                                      \
    FN(char *, resultErrorField, (const PqResult *, int))                                          \
    FN(char *, resultErrorMessage, (const PqResult *))                                             \
    FN(void, clear, (PqResult *))                                                                  \
    FN(int, nparams, (const PqResult *))                                                           \
    FN(int, ntuples, (const PqResult *))                                                           \
    FN(int, nfields, (const PqResult *))                                                           \
    FN(char *, fname, (const PqResult *, int))                                                     \
    FN(unsigned, ftype, (const PqResult *, int))                                                   \
    FN(char *, getvalue, (const PqResult *, int, int))                                             \
    FN(int, getlength, (const PqResult *, int, int))                                               \
    FN(int, getisnull, (const PqResult *, int, int))                                               \
    FN(void *, setNoticeProcessor, (PqConn *, void (*)(void *, const char *), void *))

typedef struct PqLib {
#define FN(result, name, parameters) result(*name) parameters;
    PQ_FUNCTIONS(FN)
#undef FN
} PqLib;

/* Any thread; loads once per process. */
MUST Status pq_lib(const PqLib **ret_lib, Diag *diag);

#endif
