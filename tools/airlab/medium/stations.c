// Which radio has which address, and what stations have agreed on: read off the frames that arrive.
//
// Source: IEEE 802.11-2020 9.3.3 (association frames), 9.6.4 (Block Ack action frames).
#include <string.h>

#include "medium.h"

enum { MOST_ADDRESSES = 256, MOST_AGREEMENTS = 512 };
enum { ELEMENT_HT_CAPABILITIES = 45 };
enum { ASSOCIATION_REQUEST = 0x00, ASSOCIATION_RESPONSE = 0x10, REASSOCIATION_REQUEST = 0x20,
       REASSOCIATION_RESPONSE = 0x30, ACTION = 0xd0 };
enum { CATEGORY_BLOCK_ACK = 3, ADDBA_RESPONSE = 1, DELBA = 2 };

typedef struct {
    uint8_t address[ADDRESS_BYTES];
    int radio;
} station_t;

typedef struct {
    uint8_t from[ADDRESS_BYTES], to[ADDRESS_BYTES];
    int tid;
} agreement_t;

static station_t stations[MOST_ADDRESSES];
static agreement_t agreements[MOST_AGREEMENTS];
static int station_count, agreement_count;

static bool is_same(const uint8_t *address, const uint8_t *other) {
    return memcmp(address, other, ADDRESS_BYTES) == 0;
}

static station_t *find_station(const uint8_t *address) {
    for (int i = 0; i < station_count; ++i) {
        if (is_same(stations[i].address, address)) {
            return &stations[i];
        }
    }
    return NULL;
}

int radio_of(const uint8_t *address) {
    const station_t *station = find_station(address);
    return station ? station->radio : -1;
}

void learn_address(const uint8_t *address, int radio) {
    station_t *station = find_station(address);
    if (!station && station_count < MOST_ADDRESSES) {
        station = &stations[station_count++];
        memcpy(station->address, address, ADDRESS_BYTES);
    }
    if (station) {
        station->radio = radio;
    }
}

static agreement_t *find_agreement(const uint8_t *from, const uint8_t *to, int tid) {
    for (int i = 0; i < agreement_count; ++i) {
        if (agreements[i].tid == tid && is_same(agreements[i].from, from) && is_same(agreements[i].to, to)) {
            return &agreements[i];
        }
    }
    return NULL;
}

bool has_agreement(const uint8_t *from, const uint8_t *to, int tid) {
    return find_agreement(from, to, tid) != NULL;
}

// Offset of the elements of a (re)association frame, 0 for other frames.
static int elements_offset(uint8_t subtype) {
    switch (subtype) {
    case ASSOCIATION_REQUEST:
        return 28;
    case REASSOCIATION_REQUEST:
        return 34;
    case ASSOCIATION_RESPONSE:
    case REASSOCIATION_RESPONSE:
        return 30;
    default:
        return 0;
    }
}

static void learn_agreement(const uint8_t *frame, int length) {
    const uint8_t *to = frame + 4, *from = frame + 10;
    if (frame[25] == ADDBA_RESPONSE && length >= 33 && frame[27] == 0 && frame[28] == 0) {
        int tid = frame[29] >> 2 & 15;
        // The answer comes from the receiver of the data.
        if (!has_agreement(to, from, tid) && agreement_count < MOST_AGREEMENTS) {
            agreement_t *agreement = &agreements[agreement_count++];
            memcpy(agreement->from, to, ADDRESS_BYTES);
            memcpy(agreement->to, from, ADDRESS_BYTES);
            agreement->tid = tid;
        }
    } else if (frame[25] == DELBA) {
        int tid = frame[27] >> 4;
        bool is_from_sender = frame[27] >> 3 & 1;
        agreement_t *agreement = is_from_sender ? find_agreement(from, to, tid) : find_agreement(to, from, tid);
        if (agreement) {
            *agreement = agreements[--agreement_count];
        }
    }
}

void learn_from_frame(int radio, const uint8_t *frame, int length) {
    int offset = length > 0 ? elements_offset(frame[0]) : 0;
    if (offset) {
        air.radios[radio].has_ht = false;
        for (; offset + 2 <= length; offset += 2 + frame[offset + 1]) {
            if (frame[offset] == ELEMENT_HT_CAPABILITIES) {
                air.radios[radio].has_ht = true;
            }
        }
    }
    if (length >= 29 && frame[0] == ACTION && frame[24] == CATEGORY_BLOCK_ACK) {
        learn_agreement(frame, length);
    }
}
