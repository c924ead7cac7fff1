/* runtime/modules/modules.c: turns modules.def into the list the host opens. */
#include "modules/modules.h"

#define MODULE(name, doc) extern const ModuleDef name##_module;
#include "modules/modules.def"
#undef MODULE

static const ModuleDef *const all[] = {
#define MODULE(name, doc) &name##_module,
#include "modules/modules.def"
#undef MODULE
    NULL};

const ModuleDef *const *modules_all(void)
{
    return all;
}
