/* runtime/module/access.h: who may read and write which paths, as a table in memory.
 *
 * The module authz owns the rules; whoever has to decide quickly keeps them compiled (one Access)
 * and takes new ones when `authz.changed` says so. A rule names a person, a role, everyone or
 * the anonymous, what it is about (reading, writing, both), and a path as an MQTT topic filter in
 * which the levels %u and %c stand for the user's name and the client's id. The first rule that
 * fits decides; when none fits, the answer is no. Pure functions; a const Access may be shared. */
#ifndef TUTTI_MODULE_ACCESS_H
#define TUTTI_MODULE_ACCESS_H

#include "base/json.h"
#include "base/status.h"
#include "base/str.h"

enum { ACCESS_RULES_MAX = 1000, ACCESS_PATH_BYTES_MAX = 1024, ACCESS_NAME_BYTES_MAX = 64 };

typedef enum AccessAct { ACCESS_READ = 1, ACCESS_WRITE = 2 } AccessAct;

typedef struct AccessWho {
    Str user;       /* name; empty = anonymous */
    Str client_id;  /* empty where there is none */
    uint32_t roles; /* bit set of AuthRole; a role includes the lower ones */
} AccessWho;

typedef struct AccessAnswer {
    bool allowed;
    uint32_t rule; /* which one decided, from 1; 0 = none fits */
} AccessAnswer;

typedef struct Access Access;

/* Reads a list of {"who","may","path","allow"}: who is "everyone", "anonymous", "user:NAME" or
 * "role:view|operate|engineer|admin", may is "read", "write" or "read write". ST_INVALID names the
 * rule and what is wrong with it. Copies what it needs. */
MUST Status access_read(const Json *rules, Access **ret_access, Diag *diag);
void access_free(Access *access); /* accepts NULL */

/* `path` is a topic name, or a filter somebody wants to subscribe to: a rule decides about a filter
 * only when it covers all of it, so whoever may read plant/a/# may not subscribe to plant/#. What a
 * refusing rule cuts out of an allowed filter is found when its topics come. A NULL access: no. */
AccessAnswer access_may(const Access *access, const AccessWho *who, AccessAct act, Str path);
/* True: every path that does not start with $ is allowed, so that callers may remember it. */
bool access_all(const Access *access, const AccessWho *who, AccessAct act);

#endif
