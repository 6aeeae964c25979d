// One 802.11 frame header as Python reads it: the 36 bytes that ansim/frame_header.py describes.
// Plain C, without MicroPython and ESP-IDF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFSNIFF_RECORD_BYTES 36

typedef struct {
    uint32_t time_us;
    uint16_t length;
    uint16_t frame_control;
    uint16_t duration_us;
    int8_t rssi_dbm;
    uint8_t channel;
    uint8_t rate;
    uint8_t kind;
    uint8_t addr1[6];
    uint8_t addr2[6];
    uint8_t addr3[6];
    uint16_t sequence;
    uint16_t extra;
} rfsniff_record_t;

// All supported chips and test hosts are little-endian and align these fields without padding, so the
// struct in memory is the record.
_Static_assert(sizeof(rfsniff_record_t) == RFSNIFF_RECORD_BYTES, "record layout of ansim/frame_header.py");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian");

enum {
    RFSNIFF_KIND_MANAGEMENT = 0,
    RFSNIFF_KIND_CONTROL = 1,
    RFSNIFF_KIND_DATA = 2,
    RFSNIFF_KIND_UNDECODABLE = 3,
    RFSNIFF_PHY_HT = 0x10,
    RFSNIFF_PHY_AGGREGATE = 0x20,
    RFSNIFF_PHY_40MHZ = 0x40,
    RFSNIFF_RATE_MCS = 0x80, // added to an MCS index, to distinguish it from a legacy rate
};

#define RFSNIFF_FILTER(kind) (1u << (kind))
#define RFSNIFF_FILTER_ALL 0x0Fu

// A reception, in the same form for all chips.
typedef struct {
    uint32_t time_us;
    uint16_t length; // of the MPDU with its FCS
    int8_t rssi_dbm;
    uint8_t channel;
    uint8_t rate;
    uint8_t phy; // RFSNIFF_PHY_* bits
} rfsniff_reception_t;

// Fill a record from a reception and the first bytes of its frame.
//
// frame  starts at the frame control field
// bytes  how many of them may be read, without the FCS; 0 if the radio could not decode the frame
//
// Returns false for a control frame that is not reported: only Block Ack, CTS and ACK are.
bool rfsniff_describe(rfsniff_record_t *record, const rfsniff_reception_t *reception, const uint8_t *frame, size_t bytes);
