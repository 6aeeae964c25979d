// The Python module:
//
//   import rfsniff
//   rfsniff.country("KR", 13)                             # once, before a scan or a connection
//   rfsniff.start(6, rfsniff.MANAGEMENT | rfsniff.DATA)   # Wi-Fi must be active
//   count = rfsniff.readinto(buffer)                      # whole records; repeat until the buffer is not full
//   rfsniff.channel(11)
//   waiting, pushed, dropped = rfsniff.stats()            # since start()
//   rfsniff.stop()
//   table = rfsniff.memory(16368)                         # a bytearray of static memory, always the same
//
// The state is static, because a user module is not notified of a soft reset: the radio continues to
// listen through one. So start() stops first, and a program that does not listen should call stop() at boot.
#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"

#include "intake.h"
#include "radio.h"
#include "ring.h"
#if RFSNIFF_HOST
#include "radio_host.h"
#endif

// For the detectors' station table (ansim/detect/stations/layout.py), which lives as long as the program: in the heap it
// would need 16 kB in one piece and cut the rest in two.
#define MEMORY_BYTES 16368

static bool running;
static uint32_t memory[MEMORY_BYTES / sizeof(uint32_t)];

static int get_channel(mp_obj_t value) {
    mp_int_t channel = mp_obj_get_int(value);
    if (channel < 1 || channel > rfsniff_radio_last_channel()) {
        mp_raise_ValueError(MP_ERROR_TEXT("this radio does not have that channel"));
    }
    return (int)channel;
}

static void raise_if_error(int error) {
    if (error) {
        mp_raise_OSError(error);
    }
}

static mp_obj_t rfsniff_stop(void) {
    running = false;
    rfsniff_radio_stop();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(rfsniff_stop_obj, rfsniff_stop);

static mp_obj_t rfsniff_start(mp_obj_t channel_in, mp_obj_t filter_in) {
    int channel = get_channel(channel_in);
    mp_int_t filter = mp_obj_get_int(filter_in);
    if (filter < 1 || filter > (mp_int_t)RFSNIFF_FILTER_ALL) {
        mp_raise_ValueError(MP_ERROR_TEXT("filter should be 1..15"));
    }
    rfsniff_stop();
    rfsniff_intake_restart((uint32_t)filter);
    raise_if_error(rfsniff_radio_start(channel, (uint32_t)filter));
    running = true;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(rfsniff_start_obj, rfsniff_start);

static mp_obj_t rfsniff_channel(mp_obj_t channel_in) {
    int channel = get_channel(channel_in);
    if (!running) {
        mp_raise_OSError(MP_EPERM);
    }
    raise_if_error(rfsniff_radio_tune(channel));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rfsniff_channel_obj, rfsniff_channel);

static mp_obj_t rfsniff_country(mp_obj_t code_in, mp_obj_t channels_in) {
    size_t length;
    const char *code = mp_obj_str_get_data(code_in, &length);
    mp_int_t channels = mp_obj_get_int(channels_in);
    if (length != 2 || channels < 11 || channels > 14) {
        mp_raise_ValueError(MP_ERROR_TEXT("country should be 2 letters, channels 11..14"));
    }
    raise_if_error(rfsniff_radio_country(code, (int)channels));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(rfsniff_country_obj, rfsniff_country);

static mp_obj_t rfsniff_readinto(mp_obj_t buffer_in) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(buffer_in, &buffer, MP_BUFFER_WRITE);
    return MP_OBJ_NEW_SMALL_INT(rfsniff_ring_read(buffer.buf, buffer.len / RFSNIFF_RECORD_BYTES));
}
static MP_DEFINE_CONST_FUN_OBJ_1(rfsniff_readinto_obj, rfsniff_readinto);

static mp_obj_t rfsniff_stats(void) {
    uint32_t waiting, pushed, dropped;
    rfsniff_ring_counts(&waiting, &pushed, &dropped);
    mp_obj_t counts[] = {
        mp_obj_new_int_from_uint(waiting),
        mp_obj_new_int_from_uint(pushed),
        mp_obj_new_int_from_uint(dropped),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(counts), counts);
}
static MP_DEFINE_CONST_FUN_OBJ_0(rfsniff_stats_obj, rfsniff_stats);

static mp_obj_t rfsniff_memory(mp_obj_t size_in) {
    mp_int_t size = mp_obj_get_int(size_in);
    if (size < 0 || size > MEMORY_BYTES) {
        mp_raise_ValueError(MP_ERROR_TEXT("size should be 0..16368"));
    }
    return mp_obj_new_bytearray_by_ref((size_t)size, memory);
}
static MP_DEFINE_CONST_FUN_OBJ_1(rfsniff_memory_obj, rfsniff_memory);

static const mp_rom_map_elem_t rfsniff_names[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_rfsniff)},
    {MP_ROM_QSTR(MP_QSTR_start), MP_ROM_PTR(&rfsniff_start_obj)},
    {MP_ROM_QSTR(MP_QSTR_channel), MP_ROM_PTR(&rfsniff_channel_obj)},
    {MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&rfsniff_readinto_obj)},
    {MP_ROM_QSTR(MP_QSTR_stats), MP_ROM_PTR(&rfsniff_stats_obj)},
    {MP_ROM_QSTR(MP_QSTR_country), MP_ROM_PTR(&rfsniff_country_obj)},
    {MP_ROM_QSTR(MP_QSTR_stop), MP_ROM_PTR(&rfsniff_stop_obj)},
    {MP_ROM_QSTR(MP_QSTR_memory), MP_ROM_PTR(&rfsniff_memory_obj)},
    {MP_ROM_QSTR(MP_QSTR_RECORD_BYTES), MP_ROM_INT(RFSNIFF_RECORD_BYTES)},
    {MP_ROM_QSTR(MP_QSTR_MANAGEMENT), MP_ROM_INT(RFSNIFF_FILTER(RFSNIFF_KIND_MANAGEMENT))},
    {MP_ROM_QSTR(MP_QSTR_CONTROL), MP_ROM_INT(RFSNIFF_FILTER(RFSNIFF_KIND_CONTROL))},
    {MP_ROM_QSTR(MP_QSTR_DATA), MP_ROM_INT(RFSNIFF_FILTER(RFSNIFF_KIND_DATA))},
    {MP_ROM_QSTR(MP_QSTR_UNDECODABLE), MP_ROM_INT(RFSNIFF_FILTER(RFSNIFF_KIND_UNDECODABLE))},
#if RFSNIFF_HOST
    {MP_ROM_QSTR(MP_QSTR_inject), MP_ROM_PTR(&rfsniff_inject_obj)},
#if RFSNIFF_THREADS
    {MP_ROM_QSTR(MP_QSTR_flood), MP_ROM_PTR(&rfsniff_flood_obj)},
    {MP_ROM_QSTR(MP_QSTR_flooding), MP_ROM_PTR(&rfsniff_flooding_obj)},
#endif
#endif
};
static MP_DEFINE_CONST_DICT(rfsniff_globals, rfsniff_names);

const mp_obj_module_t rfsniff_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&rfsniff_globals,
};
MP_REGISTER_MODULE(MP_QSTR_rfsniff, rfsniff_module);
