// Writes what the sensor receives as a radiotap pcap.
//
// Source: pcap-savefile(5); radiotap.org (fields and their alignment).
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "medium.h"

#define PRESENT_TSFT (1u << 0)
#define PRESENT_FLAGS (1u << 1)
#define PRESENT_RATE (1u << 2)
#define PRESENT_CHANNEL (1u << 3)
#define PRESENT_SIGNAL (1u << 5)
#define PRESENT_MCS (1u << 19)
#define PRESENT_AMPDU (1u << 20)
#define CHANNEL_CCK 0x00a0
#define CHANNEL_OFDM 0x0480
#define MCS_KNOWN 0x07
#define LINKTYPE_RADIOTAP 127

static FILE *file;
static uint32_t ampdu_number;

bool open_capture(const char *path) {
    static const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, LINKTYPE_RADIOTAP};
    file = fopen(path, "w");
    if (!file) {
        perror(path);
        return false;
    }
    return fwrite(header, sizeof header, 1, file) == 1;
}

void begin_ampdu(void) {
    ++ampdu_number;
}

void flush_capture(void) {
    fflush(file);
}

static bool is_cck(int rate_500kbps) {
    return rate_500kbps == 2 || rate_500kbps == 4 || rate_500kbps == 11 || rate_500kbps == 22;
}

void write_reception(const reception_t *reception) {
    uint8_t radiotap[40] = {0};
    uint32_t present = PRESENT_TSFT | PRESENT_FLAGS | PRESENT_CHANNEL | PRESENT_SIGNAL;
    uint64_t tsft_us = (uint64_t)reception->at_ns / 1000;
    uint16_t frequency_mhz = (uint16_t)air.sensor_mhz;
    bool is_legacy = reception->mcs < 0;
    uint16_t channel = is_legacy && is_cck(reception->rate_500kbps) ? CHANNEL_CCK : CHANNEL_OFDM;
    int signal_dbm = reception->dbm < -127 ? -127 : (int)lrint(reception->dbm);
    int end = 8;

    memcpy(radiotap + end, &tsft_us, 8);
    end += 8;
    radiotap[end++] = 0; // flags: no FCS
    if (is_legacy) {
        present |= PRESENT_RATE;
        radiotap[end++] = (uint8_t)reception->rate_500kbps;
    }
    end += end & 1;
    memcpy(radiotap + end, &frequency_mhz, 2);
    memcpy(radiotap + end + 2, &channel, 2);
    end += 4;
    radiotap[end++] = (uint8_t)signal_dbm;
    if (!is_legacy) {
        present |= PRESENT_MCS;
        radiotap[end] = MCS_KNOWN;
        radiotap[end + 2] = (uint8_t)reception->mcs;
        end += 3;
    }
    if (reception->is_aggregated) {
        present |= PRESENT_AMPDU;
        end += -end & 3;
        memcpy(radiotap + end, &ampdu_number, 4);
        end += 8;
    }
    radiotap[2] = (uint8_t)end;
    memcpy(radiotap + 4, &present, 4);

    uint32_t header[4] = {
        (uint32_t)(reception->at_ns / NS_PER_S),
        (uint32_t)(reception->at_ns % NS_PER_S / 1000),
        (uint32_t)(end + reception->kept),
        (uint32_t)(end + reception->length),
    };
    fwrite(header, sizeof header, 1, file);
    fwrite(radiotap, (size_t)end, 1, file);
    fwrite(reception->bytes, (size_t)reception->kept, 1, file);
}
