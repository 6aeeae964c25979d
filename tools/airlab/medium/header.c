// Reads frame headers.
//
// Source: IEEE 802.11-2020 9.2.3 (general frame format), 10.2.3.2 (traffic classes).
#include "medium.h"

enum { TYPE_CONTROL = 1, TYPE_DATA = 2 };
enum { FULL_HEADER_BYTES = 24, CONTROL_HEADER_BYTES = 16, CCMP_HEADER_BYTES = 8, QOS_BYTES = 2 };

#define BOTH_DS 0x03
#define PROTECTED 0x40
#define QOS 0x80

static int type_of(const uint8_t *frame) {
    return frame[0] >> 2 & 3;
}

bool is_group_address(const uint8_t *address) {
    return address[0] & 1;
}

int header_bytes(const uint8_t *frame, int length) {
    int bytes = type_of(frame) == TYPE_CONTROL ? CONTROL_HEADER_BYTES : FULL_HEADER_BYTES;
    if (type_of(frame) == TYPE_DATA) {
        bytes += (frame[1] & BOTH_DS) == BOTH_DS ? ADDRESS_BYTES : 0;
        bytes += frame[0] & QOS ? QOS_BYTES : 0;
        bytes += frame[1] & PROTECTED ? CCMP_HEADER_BYTES : 0;
    }
    return bytes < length ? bytes : length;
}

int tid_of(const frame_t *frame) {
    const uint8_t *data = frame->data;
    if (type_of(data) != TYPE_DATA || !(data[0] & QOS)) {
        return -1;
    }
    return data[(data[1] & BOTH_DS) == BOTH_DS ? FULL_HEADER_BYTES + ADDRESS_BYTES : FULL_HEADER_BYTES] & 15;
}

int category_of(const frame_t *frame) {
    static const int of_tid[8] = {2, 3, 3, 2, 1, 1, 0, 0};
    int tid = tid_of(frame);
    if (type_of(frame->data) != TYPE_DATA) {
        return 0;
    }
    return tid < 0 ? 2 : of_tid[tid & 7];
}
