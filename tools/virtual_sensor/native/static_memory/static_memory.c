// The Python module `static_memory`: memory outside the interpreter's heap, for the simulated `rfsniff`.
//
//   buffer = static_memory.take(16368)      # a bytearray; each call returns the same memory
#include "py/objarray.h"
#include "py/runtime.h"

#define BYTES (32 * 1024)

static uint32_t memory[BYTES / sizeof(uint32_t)];

static mp_obj_t static_memory_take(mp_obj_t size_in) {
    mp_int_t size = mp_obj_get_int(size_in);
    if (size < 0 || size > BYTES) {
        mp_raise_ValueError(MP_ERROR_TEXT("there is not so much memory"));
    }
    return mp_obj_new_bytearray_by_ref((size_t)size, memory);
}
static MP_DEFINE_CONST_FUN_OBJ_1(static_memory_take_obj, static_memory_take);

static const mp_rom_map_elem_t static_memory_names[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_static_memory)},
    {MP_ROM_QSTR(MP_QSTR_take), MP_ROM_PTR(&static_memory_take_obj)},
};
static MP_DEFINE_CONST_DICT(static_memory_globals, static_memory_names);

const mp_obj_module_t static_memory_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&static_memory_globals,
};
MP_REGISTER_MODULE(MP_QSTR_static_memory, static_memory_module);
