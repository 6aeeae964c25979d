// A radio controlled by Python calls, for tests on a computer:
//
//   rfsniff.inject(frame, rssi=-50, length=0, time_us=0, rate=0, phy=0, undecodable=False)
//   rfsniff.flood(count, gap_ns)    a separate thread receives `count` frames
//   rfsniff.flooding()              True while that thread runs; both are missing without RFSNIFF_THREADS
//
// From rfsniff_heard() on, frames are processed as on a chip.
#include <errno.h>
#if RFSNIFF_THREADS
#include <pthread.h>
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "py/runtime.h"

#include "radio.h"
#include "radio_host.h"

#define FCS_BYTES 4

static atomic_bool listening;
static atomic_uint_least32_t tuned;

int rfsniff_radio_start(int channel, uint32_t filter) {
    (void)filter;
    atomic_store(&tuned, (uint32_t)channel);
    atomic_store(&listening, true);
    return 0;
}

int rfsniff_radio_tune(int channel) {
    atomic_store(&tuned, (uint32_t)channel);
    return 0;
}

void rfsniff_radio_stop(void) {
    atomic_store(&listening, false);
}

int rfsniff_radio_country(const char *code, int channels) {
    (void)code;
    (void)channels;
    return 0;
}

int rfsniff_radio_last_channel(void) {
    return 177;
}

// The ring allows one writer, so a flood excludes inject() and another flood.
static struct {
    atomic_bool running;
    uint32_t count;
    uint32_t gap_ns;
} flood;

static void check_no_flood(void) {
    if (atomic_load(&flood.running)) {
        mp_raise_OSError(EBUSY);
    }
}

static mp_obj_t rfsniff_inject(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    enum { FRAME, RSSI, LENGTH, TIME_US, RATE, PHY, UNDECODABLE };
    static const mp_arg_t allowed[] = {
        {MP_QSTR_frame, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_rssi, MP_ARG_INT, {.u_int = -50}},
        {MP_QSTR_length, MP_ARG_INT, {.u_int = 0}}, // 0: the frame and its FCS
        {MP_QSTR_time_us, MP_ARG_INT, {.u_int = 0}},
        {MP_QSTR_rate, MP_ARG_INT, {.u_int = 0}},
        {MP_QSTR_phy, MP_ARG_INT, {.u_int = 0}},
        {MP_QSTR_undecodable, MP_ARG_BOOL, {.u_bool = false}},
    };
    mp_arg_val_t values[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args, args, keywords, MP_ARRAY_SIZE(allowed), allowed, values);
    check_no_flood();
    if (!atomic_load(&listening)) {
        return mp_const_false;
    }
    mp_buffer_info_t frame;
    mp_get_buffer_raise(values[FRAME].u_obj, &frame, MP_BUFFER_READ);
    rfsniff_reception_t reception = {
        .time_us = (uint32_t)values[TIME_US].u_int,
        .length = (uint16_t)(values[LENGTH].u_int ? values[LENGTH].u_int : (mp_int_t)frame.len + FCS_BYTES),
        .rssi_dbm = (int8_t)values[RSSI].u_int,
        .channel = (uint8_t)atomic_load(&tuned),
        .rate = (uint8_t)values[RATE].u_int,
        .phy = (uint8_t)values[PHY].u_int,
    };
    rfsniff_heard(&reception, frame.buf, values[UNDECODABLE].u_bool ? 0 : frame.len);
    return mp_const_true;
}
MP_DEFINE_CONST_FUN_OBJ_KW(rfsniff_inject_obj, 1, rfsniff_inject);

#if RFSNIFF_THREADS
// Each frame has its number in every field, so that a record mixed from two frames is noticed.
static void *receive_flood(void *unused) {
    (void)unused;
    for (uint32_t number = 0; number < flood.count; ++number) {
        uint8_t frame[64];
        memset(frame, 0xEE, sizeof(frame)); // bytes after the header must never be read
        frame[0] = 0x88;
        frame[1] = 0x01;
        frame[2] = (uint8_t)number;
        frame[3] = (uint8_t)(number >> 8);
        for (size_t i = 0; i < 18; ++i) {
            frame[4 + i] = (uint8_t)(number >> 8 * (i % 3));
        }
        memcpy(frame + 22, frame + 2, 2);
        memcpy(frame + 24, frame + 2, 2);
        rfsniff_reception_t reception = {
            .time_us = number,
            .length = 1500,
            .rssi_dbm = -60,
            .channel = (uint8_t)atomic_load_explicit(&tuned, memory_order_relaxed),
        };
        rfsniff_heard(&reception, frame, sizeof(frame));
        if (flood.gap_ns) {
            struct timespec gap = {.tv_sec = 0, .tv_nsec = flood.gap_ns};
            nanosleep(&gap, NULL);
        }
    }
    atomic_store(&flood.running, false);
    return NULL;
}

static mp_obj_t rfsniff_flood(mp_obj_t count, mp_obj_t gap_ns) {
    check_no_flood();
    flood.count = (uint32_t)mp_obj_get_int(count);
    flood.gap_ns = (uint32_t)mp_obj_get_int(gap_ns);
    atomic_store(&flood.running, true);
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive_flood, NULL) != 0) {
        atomic_store(&flood.running, false);
        mp_raise_OSError(EAGAIN);
    }
    pthread_detach(thread);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_2(rfsniff_flood_obj, rfsniff_flood);

static mp_obj_t rfsniff_flooding(void) {
    return mp_obj_new_bool(atomic_load(&flood.running));
}
MP_DEFINE_CONST_FUN_OBJ_0(rfsniff_flooding_obj, rfsniff_flooding);
#endif
