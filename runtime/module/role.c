/* runtime/module/role.c: the table of roles. */
#include "module/role.h"

const Role role_table[] = {
    {"view", ROLE_VIEW, ROLE_VIEW},
    {"operate", ROLE_OPERATE, ROLE_VIEW | ROLE_OPERATE},
    {"engineer", ROLE_ENGINEER, ROLE_VIEW | ROLE_OPERATE | ROLE_ENGINEER},
    {"admin", ROLE_ADMIN, ROLE_VIEW | ROLE_OPERATE | ROLE_ENGINEER | ROLE_ADMIN},
    {NULL, 0, 0},
};

const Role *role_named(Str name)
{
    for (const Role *role = role_table; role->name; role++)
        if (str_is(name, role->name)) return role;
    return NULL;
}

uint32_t roles_listed(const Json *list)
{
    uint32_t bits = 0;
    for (const Json *item = list ? list->first : NULL; item; item = item->next) {
        const Role *role = role_named(item->text);
        if (role) bits |= role->bit;
    }
    return bits;
}
