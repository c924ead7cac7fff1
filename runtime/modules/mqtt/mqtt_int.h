/* runtime/modules/mqtt/mqtt_int.h: what the files of this module share. */
#ifndef TUTTI_MODULES_MQTT_INT_H
#define TUTTI_MODULES_MQTT_INT_H

#include "base/hash.h"
#include "module/access.h"
#include "module/module.h"
#include "module/tls_watch.h"
#include "mqtt/broker.h"

enum {
    DOOR_PEOPLE_MAX = 10000, /* users of auth */
    DOOR_KEY_BYTES = 65,     /* a keyed hash in hex, and a NUL */
    DOOR_SECRET_BYTES = 32,
};

typedef struct DoorConf {
    Str anonymous;
    Str tls, tls_cert, tls_key, tls_client_ca;
    int64_t tls_client_required;
    int64_t keep_alive_max_ms, session_expiry_ms, stalled_ms, sys_interval_ms;
    int64_t packet_bytes, connect_bytes, receive_max, topic_alias_max, filters_per_session;
    int64_t session_queue, session_queue_bytes, queue_bytes;
    int64_t durable_queue, durable_queue_bytes, durable_bytes;
    int64_t sessions, connections, retained, retained_bytes;
} DoorConf;

typedef struct Person {
    char id[24], name[65];
    uint32_t roles;
    uint32_t all; /* bits of AccessAct that hold for every path without $ */
} Person;

/* A request on its way. An answer may come after the module was closed: then `door` is NULL. */
typedef struct Asking {
    struct Door *door;
    struct Asking *next, *prev;
} Asking;

typedef struct Door {
    const ModEnv *env;
    const DoorConf *conf;
    Access *access;                 /* NULL until the rules were read: nobody may do anything */
    Map people;                     /* name -> Person, owned */
    Person nobody;                  /* the anonymous */
    bool people_read, people_stale; /* stale: the last question about them had no answer */
    LoopTimer *again_timer;
    Map proven; /* keyed hash of name and password -> Proof, owned */
    unsigned char secret[DOOR_SECRET_BYTES];
    Asking *asking; /* all that wait */
    TlsWatch tls_watch;
} Door;

/* mqtt.c: requests that wait */
void *door__asking_new(Door *door, size_t bytes); /* bytes: of a struct that begins with Asking */
Door *door__asking_end(Asking *asking);           /* takes it off the list; the caller frees it */

/* secure.c: the TLS listener */
MUST Status door__listen_tls(Door *door, Diag *diag);

/* door.c: connecting */
MqttAuthFn door__knock;
void door__forget_proofs(Door *door);

/* rights.c: who may do what */
MqttMayFn door__may;
void door__ask_rules(Door *door);
void door__ask_people(Door *door);
void door__end_of(Door *door, Str user_id); /* the user's connections; sessions stay */
void door__rights_done(Door *door);

#endif
