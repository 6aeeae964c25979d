// Functions that only the host backend adds to the Python module.
#pragma once

#include "py/obj.h"

extern const mp_obj_fun_builtin_var_t rfsniff_inject_obj;
extern const mp_obj_fun_builtin_fixed_t rfsniff_flood_obj;
extern const mp_obj_fun_builtin_fixed_t rfsniff_flooding_obj;
