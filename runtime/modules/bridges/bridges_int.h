/* runtime/modules/bridges/bridges_int.h: what the files of this module share. */
#ifndef TUTTI_MODULES_BRIDGES_INT_H
#define TUTTI_MODULES_BRIDGES_INT_H

#include "base/hash.h"
#include "module/module.h"
#include "module/secret.h"
#include "mqtt/bridge.h"

enum { BRIDGES_JSON_MAX = 256 * 1024, BRIDGES_PASSWORD_MAX = 1024, BRIDGES_TRIES_MAX = 4 };

typedef struct Bridges Bridges;

/* One bridge as it is stored. Everything in `arena`, which a change replaces. */
typedef struct Item {
    Bridges *self;
    Arena *arena; /* owned; the Item lives in it */
    MqttBridgeConf conf;
    Str text;           /* conf as JSON, without the password */
    Str sealed;         /* the password; empty: none */
    MqttBridge *bridge; /* NULL: it could not be begun, see error */
    char error[DIAG_TEXT_BYTES];
} Item;

struct Bridges {
    const ModEnv *env;
    Map items; /* name -> Item */
    SecretKey key;
    char id[MQTT_BRIDGE_ID_BYTES + 1]; /* of this broker */
    LoopTimer *begin;
    bool begun;
    struct BridgesTry *tries[BRIDGES_TRIES_MAX]; /* under way; NULL: free */
};

/* bridges_conf.c */
/* `in` is what bridges.put takes; slices of it, arrays in `arena`. */
MUST Status bridges__read(Arena *arena, const Json *in, MqttBridgeConf *ret_conf, Diag *diag);
void bridges__write(JsonOut *out, const MqttBridgeConf *conf); /* without the password */
extern const Field bridges__put_in[];

/* bridges_store.c */
extern const StoreMigration bridges__migrations[];
Item *bridges__item_new(Bridges *self);
void bridges__item_free(Item *item); /* accepts NULL */
/* The one that the request names; NULL: it is answered that there is none. */
Item *bridges__find(const Bridges *self, Req *req);
MUST Status bridges__load(StoreConn *conn, void *self, Diag *diag);
/* The item in its place, the one before it closed; begins it when the broker is ready. */
MUST Status bridges__item_put(Bridges *self, Item *item);
void bridges__item_begin(Item *item);
void bridges__op_put(void *self, Req *req);
void bridges__op_remove(void *self, Req *req);
void bridges__op_enable(void *self, Req *req);

/* bridges_try.c */
void bridges__op_test(void *self, Req *req);
void bridges__tries_close(Bridges *self);

#endif
