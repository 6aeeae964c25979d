// Reads the header of a frame, never its body.
//
// Source: IEEE 802.11-2020 9.2.3 (general frame format), 9.3.1 (control frames), 9.2.4.5 (QoS control).
#include <string.h>

#include "frame.h"

enum { TYPE_MANAGEMENT = 0, TYPE_CONTROL = 1, TYPE_DATA = 2, TYPE_EXTENSION = 3 };
enum { SUBTYPE_BLOCK_ACK = 9, SUBTYPE_CTS = 12, SUBTYPE_ACK = 13, SUBTYPE_QOS_BIT = 8 };
enum { BLOCK_ACK_BASIC = 0, BLOCK_ACK_COMPRESSED = 2 };

enum {
    SHORT_HEADER_BYTES = 10, // CTS and ACK: up to the receiver
    BLOCK_ACK_BYTES = 20,    // up to the starting sequence control; the bitmap follows
    FULL_HEADER_BYTES = 24,
    ADDRESS_BYTES = 6,
    QOS_CONTROL_BYTES = 2,
};

#define TO_AND_FROM_DS 0x0300 // both set: a fourth address precedes the QoS control field

static uint16_t read_u16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint16_t count_bits(const uint8_t *bitmap, size_t bytes) {
    uint16_t bits = 0;
    for (size_t i = 0; i < bytes; ++i) {
        for (uint8_t rest = bitmap[i]; rest; rest &= (uint8_t)(rest - 1)) {
            ++bits;
        }
    }
    return bits;
}

// Number of MPDUs that a Block Ack acknowledges; 0 for unsupported variants (multi-TID, multi-station).
static uint16_t count_acknowledged(const uint8_t *frame, size_t bytes) {
    if (bytes < BLOCK_ACK_BYTES) {
        return 0;
    }
    unsigned variant = read_u16(frame + 16) >> 1 & 0x0F;
    unsigned fragment = read_u16(frame + 18) & 0x0F;
    size_t bitmap_bytes = 0;
    if (variant == BLOCK_ACK_BASIC) {
        bitmap_bytes = 128; // 64 MSDUs of up to 16 fragments
    } else if (variant == BLOCK_ACK_COMPRESSED && fragment == 0) {
        bitmap_bytes = 8;
    } else if (variant == BLOCK_ACK_COMPRESSED && fragment == 4) {
        bitmap_bytes = 32; // 802.11ax
    }
    return bytes < BLOCK_ACK_BYTES + bitmap_bytes ? 0 : count_bits(frame + BLOCK_ACK_BYTES, bitmap_bytes);
}

static void describe_control(rfsniff_record_t *record, unsigned subtype, const uint8_t *frame, size_t bytes) {
    memcpy(record->addr1, frame + 4, ADDRESS_BYTES);
    if (subtype == SUBTYPE_BLOCK_ACK) {
        memcpy(record->addr2, frame + 10, ADDRESS_BYTES);
        record->extra = count_acknowledged(frame, bytes);
    }
}

static void describe_full(
    rfsniff_record_t *record, unsigned type, unsigned subtype, const uint8_t *frame, size_t bytes) {
    memcpy(record->addr1, frame + 4, ADDRESS_BYTES);
    memcpy(record->addr2, frame + 10, ADDRESS_BYTES);
    memcpy(record->addr3, frame + 16, ADDRESS_BYTES);
    record->sequence = read_u16(frame + 22);

    bool has_qos = type == TYPE_DATA && subtype & SUBTYPE_QOS_BIT;
    bool four_addresses = (record->frame_control & TO_AND_FROM_DS) == TO_AND_FROM_DS;
    size_t qos_at = FULL_HEADER_BYTES + (four_addresses ? ADDRESS_BYTES : 0);
    if (has_qos && bytes >= qos_at + QOS_CONTROL_BYTES) {
        record->extra = read_u16(frame + qos_at);
    }
    // Reading ends here, where the frame's body begins. A sensor must not read the contents of a
    // communication (in Korea: Protection of Communications Secrets Act, article 3), so they are never
    // copied: a record has no room for them, and no setting changes this.
}

static size_t header_bytes(unsigned type, unsigned subtype) {
    if (type != TYPE_CONTROL) {
        return FULL_HEADER_BYTES;
    }
    return subtype == SUBTYPE_BLOCK_ACK ? SHORT_HEADER_BYTES + ADDRESS_BYTES : SHORT_HEADER_BYTES;
}

bool rfsniff_describe(rfsniff_record_t *record, const rfsniff_reception_t *reception, const uint8_t *frame, size_t bytes) {
    memset(record, 0, sizeof(*record));
    record->time_us = reception->time_us;
    record->length = reception->length;
    record->rssi_dbm = reception->rssi_dbm;
    record->channel = reception->channel;
    record->rate = reception->rate;
    record->kind = reception->phy | RFSNIFF_KIND_UNDECODABLE;
    if (bytes < SHORT_HEADER_BYTES) {
        return true;
    }
    uint16_t frame_control = read_u16(frame);
    unsigned version = frame_control & 3, type = frame_control >> 2 & 3, subtype = frame_control >> 4 & 15;
    if (version != 0 || type == TYPE_EXTENSION) {
        return true; // not a known header
    }
    if (type == TYPE_CONTROL && subtype != SUBTYPE_BLOCK_ACK && subtype != SUBTYPE_CTS && subtype != SUBTYPE_ACK) {
        return false;
    }
    if (bytes < header_bytes(type, subtype)) {
        return true; // truncated: only the radio's measurements can be trusted
    }
    record->kind = reception->phy | (uint8_t)type;
    record->frame_control = frame_control;
    record->duration_us = read_u16(frame + 2);
    if (type == TYPE_CONTROL) {
        describe_control(record, subtype, frame, bytes);
    } else {
        describe_full(record, type, subtype, frame, bytes);
    }
    return true;
}
