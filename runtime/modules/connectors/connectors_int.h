/* runtime/modules/connectors/connectors_int.h: what the files of this module share.
 *
 * A Profile is a stored connection, or one that a program names itself. A Use is one link of a
 * driver: a subscription of the engine, a writer, or a test. Only a test has no profile. */
#ifndef TUTTI_MODULES_CONNECTORS_INT_H
#define TUTTI_MODULES_CONNECTORS_INT_H

#include "base/hash.h"
#include "connect/connect.h"
#include "module/module.h"
#include "module/secret.h"

enum {
    CONNECTORS_NAME_MAX = 64,
    CONNECTORS_ERROR_MAX = 240,
    CONNECTORS_BATCH_BYTES = 256 * 1024, /* a batch leaves when it is as large as this */
    CONNECTORS_BATCH_COUNT = 1024,
};

typedef struct Connectors Connectors;

typedef struct Profile {
    char name[CONNECTORS_NAME_MAX + 1];
    char kind[16];
    Str url, options, password; /* owned; options: JSON without the secret */
    ConnectState state;
    char error[CONNECTORS_ERROR_MAX];
    int64_t next_try_ns; /* wall; 0 = none planned */
    int64_t since_ns;    /* wall: of this state */
    uint32_t uses;
    uint64_t records, bytes, errors, writes;
    bool stored; /* else it came with a request and goes with its use */
} Profile;

typedef enum UseKind { USE_SUBSCRIBE, USE_WRITE, USE_TEST } UseKind;

typedef struct Use {
    Connectors *self;
    struct Use *next, *prev;
    UseKind kind;
    Profile *profile; /* NULL: a test of a connection given in the request */
    const ConnectDriver *driver;
    ConnectLink *link;
    ConnectState state;
    Str key; /* owned: subscription id; writer: profile name or a digest */
    /* subscription */
    Buf batch;
    uint32_t batch_count, window;
    uint64_t batch_first, next_seq, acked; /* next_seq: of the next record; acked: all up to it */
    uint64_t *tokens;                      /* owned ring, slot = seq % window */
    bool queued;                           /* waits for connectors__flush */
    /* test */
    Req *req;
    LoopTimer *timer;
    int64_t started_ns;
    bool done; /* answered; freed on the next turn */
} Use;

struct Connectors {
    ModEnv env;
    Map profiles; /* name -> Profile */
    Use *uses;
    uint32_t use_count;
    LoopTimer *flush;
    SecretKey key;
};

typedef struct ConnectorsConf {
    int64_t profiles_max, uses_max;
} ConnectorsConf;

/* connectors.c */
Profile *connectors__profile_new(Str name, Str kind, Str url, Str options, Str password);
void connectors__profile_free(Profile *profile); /* accepts NULL */

/* connectors_use.c */
typedef struct UseWish {
    UseKind kind;
    Profile *profile; /* or */
    const Json *inline_connection;
    Str key, address;
    const Json *sub_options;
    uint32_t window;
} UseWish;
MUST Status connectors__use_open(Connectors *self, const UseWish *wish, Use **ret_use, Diag *diag);
void connectors__use_close(Use *use);
Use *connectors__use_find(Connectors *self, UseKind kind, Str key);
void connectors__profile_uses_close(Connectors *self, Profile *profile);

/* connectors_ops.c */
void connectors__op_subscribe(void *self, Req *req);
void connectors__op_unsubscribe(void *self, Req *req);
void connectors__op_ack(void *self, Req *req);
void connectors__op_write(void *self, Req *req);
void connectors__op_test(void *self, Req *req);
/* The answer of a test; frees nothing. */
void connectors__test_answer(Use *use, bool ok, Str error);

#endif
