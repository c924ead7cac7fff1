/* runtime/module/role.h: the roles of module.h by their names, and which lower ones each has.
 *
 * The one table of them: auth reads and shows it, the gateway and the broker's door read users'
 * roles by it, authz its rules. */
#ifndef TUTTI_MODULE_ROLE_H
#define TUTTI_MODULE_ROLE_H

#include "base/json.h"
#include "module/module.h"

typedef struct Role {
    const char *name;
    uint32_t bit, bits; /* its own, and with the lower ones */
} Role;

extern const Role role_table[]; /* from the lowest; ends with a NULL name */

const Role *role_named(Str name); /* NULL: there is none */
/* Own bits of all names in a list; what is no role's name counts for nothing. */
uint32_t roles_listed(const Json *list);

#endif
