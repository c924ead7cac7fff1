/* runtime/modules/modules.h: the list of all modules, made from modules.def. */
#ifndef TUTTI_MODULES_MODULES_H
#define TUTTI_MODULES_MODULES_H

#include "module/module.h"

/* Every MODULE of modules.def in that order; ends with NULL. Give it to HostOptions.modules. */
const ModuleDef *const *modules_all(void);

#endif
