// The Wi-Fi radio of ESP32, S2, S3, C3, C5, C6 and C61 in promiscuous mode. C5 and C61 have not been tried.
//
// on_frame() runs in the Wi-Fi driver's task and must not call MicroPython. Builds that created objects
// or called Python there crashed.
//
// The layout of rx_ctrl differs between chips, so it is read by member name only, with the chip's own
// header. The chips with 802.11ax have the raw HT-SIG, VHT-SIG-A or HE-SIG-A words in place of decoded fields.
// Those with version 3 of the MAC (C5, C61) lack cur_single_mpdu, and `channel` has four bits, too few for a 5 GHz
// channel.
//
// Source: ESP-IDF 5.5 esp_wifi.h, esp_wifi_types_native.h, esp_wifi_he_types.h; the SIG words:
// IEEE 802.11-2020 19.3.9.4.3 and 21.3.8.3.3, IEEE 802.11ax-2021 27.3.11.7.2.
#include <stdbool.h>

#include "esp_wifi.h"

#include "radio.h"

// The chips' default country table ends at channel 11; a Korean camera may use 12 or 13.
#define LAST_SNIFFED_CHANNEL 13
#define FCS_BYTES 4

static wifi_country_t own_country; // the table that stop restores
static bool widened;
static volatile uint8_t tuned; // written by Python's task, read by the driver's

#if CONFIG_SOC_WIFI_HE_SUPPORT

enum { FORMAT_11B = 0, FORMAT_11G = 1, FORMAT_HT = 2, FORMAT_VHT = 3 }; // cur_bb_format; higher is HE

#if CONFIG_SOC_WIFI_MAC_VERSION_NUM == 3
#define IS_SINGLE_MPDU(rx) false // not told: a data frame of 802.11ac and ax is a part of an A-MPDU
#else
#define IS_SINGLE_MPDU(rx) ((rx)->cur_single_mpdu)
#endif

static void read_modulation(const wifi_pkt_rx_ctrl_t *rx, rfsniff_reception_t *reception) {
    if (rx->cur_bb_format <= FORMAT_11G) {
        reception->rate = rx->rate;
        return;
    }
    uint32_t sig_1 = rx->he_siga1, sig_2 = rx->he_siga2;
    uint32_t mcs;
    bool aggregate, wide;
    switch (rx->cur_bb_format) {
        case FORMAT_HT:
            mcs = sig_1 & 0x7F;
            aggregate = sig_2 & 0x08;
            wide = sig_1 & 0x80;
            break;
        case FORMAT_VHT:
            mcs = sig_2 >> 4 & 0x0F;
            aggregate = !IS_SINGLE_MPDU(rx);
            wide = (sig_1 & 3) == 1;
            break;
        default:
            mcs = sig_1 >> 3 & 0x0F;
            aggregate = !IS_SINGLE_MPDU(rx);
            wide = (sig_1 >> 19 & 3) == 1;
    }
    reception->rate = RFSNIFF_RATE_MCS | mcs;
    reception->phy = RFSNIFF_PHY_HT | (aggregate ? RFSNIFF_PHY_AGGREGATE : 0) | (wide ? RFSNIFF_PHY_40MHZ : 0);
}

static size_t readable_bytes(const wifi_pkt_rx_ctrl_t *rx) {
    return rx->dump_len;
}

#else

static void read_modulation(const wifi_pkt_rx_ctrl_t *rx, rfsniff_reception_t *reception) {
    if (rx->sig_mode == 0) {
        reception->rate = rx->rate;
        return;
    }
    reception->rate = RFSNIFF_RATE_MCS | rx->mcs;
    reception->phy = RFSNIFF_PHY_HT | (rx->aggregation ? RFSNIFF_PHY_AGGREGATE : 0) | (rx->cwb ? RFSNIFF_PHY_40MHZ : 0);
}

static size_t readable_bytes(const wifi_pkt_rx_ctrl_t *rx) {
    return rx->sig_len > FCS_BYTES ? rx->sig_len - FCS_BYTES : 0;
}

#endif

static uint8_t channel_of(const wifi_pkt_rx_ctrl_t *rx) {
#if CONFIG_SOC_WIFI_SUPPORT_5G
    (void)rx;
    return tuned;
#else
    return rx->channel;
#endif
}

static void on_frame(void *buffer, wifi_promiscuous_pkt_type_t type) {
    const wifi_promiscuous_pkt_t *packet = buffer;
    const wifi_pkt_rx_ctrl_t *rx = &packet->rx_ctrl;
    // A frame that was received with errors has a state. The driver's filter excludes these frames, except undecodable
    // ones (espressif/esp-idf issue 8823).
    bool undecodable = type == WIFI_PKT_MISC || rx->rx_state != 0;
    rfsniff_reception_t reception = {
        .time_us = rx->timestamp,
        .length = rx->sig_len,
        .rssi_dbm = rx->rssi,
        .channel = channel_of(rx),
    };
    read_modulation(rx, &reception);
    // No bytes follow the metadata of an undecodable frame.
    rfsniff_heard(&reception, packet->payload, undecodable ? 0 : readable_bytes(rx));
}

static uint32_t driver_filter(uint32_t filter) {
    uint32_t mask = 0;
    if (filter & RFSNIFF_FILTER(RFSNIFF_KIND_MANAGEMENT)) {
        mask |= WIFI_PROMIS_FILTER_MASK_MGMT;
    }
    if (filter & RFSNIFF_FILTER(RFSNIFF_KIND_CONTROL)) {
        mask |= WIFI_PROMIS_FILTER_MASK_CTRL;
    }
    if (filter & RFSNIFF_FILTER(RFSNIFF_KIND_DATA)) {
        mask |= WIFI_PROMIS_FILTER_MASK_DATA;
    }
    if (filter & RFSNIFF_FILTER(RFSNIFF_KIND_UNDECODABLE)) {
        mask |= WIFI_PROMIS_FILTER_MASK_MISC;
    }
    return mask;
}

// Receiving is allowed on every channel; the table is restored before anything is sent again.
static esp_err_t widen_country(void) {
    esp_err_t error = esp_wifi_get_country(&own_country);
    if (error != ESP_OK || own_country.schan + own_country.nchan > LAST_SNIFFED_CHANNEL) {
        return error;
    }
    wifi_country_t wide = own_country;
    wide.schan = 1;
    wide.nchan = LAST_SNIFFED_CHANNEL;
    wide.policy = WIFI_COUNTRY_POLICY_MANUAL;
    error = esp_wifi_set_country(&wide);
    widened = error == ESP_OK;
    return error;
}

static esp_err_t begin(int channel, uint32_t filter) {
    const wifi_promiscuous_filter_t kinds = {.filter_mask = driver_filter(filter)};
    const wifi_promiscuous_filter_t controls = {
        .filter_mask =
            WIFI_PROMIS_CTRL_FILTER_MASK_BA | WIFI_PROMIS_CTRL_FILTER_MASK_CTS | WIFI_PROMIS_CTRL_FILTER_MASK_ACK,
    };
    esp_err_t error = widen_country();
    // Filters first, otherwise the first frames would pass unfiltered.
    error = error ? error : esp_wifi_set_promiscuous_filter(&kinds);
    error = error ? error : esp_wifi_set_promiscuous_ctrl_filter(&controls);
    error = error ? error : esp_wifi_set_promiscuous_rx_cb(on_frame);
    error = error ? error : esp_wifi_set_promiscuous(true);
    return error ? error : rfsniff_radio_tune(channel);
}

int rfsniff_radio_start(int channel, uint32_t filter) {
    esp_err_t error = begin(channel, filter);
    if (error != ESP_OK) {
        rfsniff_radio_stop();
    }
    return error;
}

// Fails while the station is connected, connecting or scanning (espressif/esp-idf issues 877, 4706).
int rfsniff_radio_tune(int channel) {
    esp_err_t error = esp_wifi_set_channel((uint8_t)channel, WIFI_SECOND_CHAN_NONE);
    if (error == ESP_OK) {
        tuned = (uint8_t)channel;
    }
    return error;
}

// The driver keeps the table in RAM until the next reset. On a 5 GHz radio wifi_5g_channel_mask of 0 means: the
// channels of that country.
int rfsniff_radio_country(const char *code, int channels) {
    const wifi_country_t country = {
        .cc = {code[0], code[1], ' '},
        .schan = 1,
        .nchan = (uint8_t)channels,
        .policy = WIFI_COUNTRY_POLICY_MANUAL,
    };
    return esp_wifi_set_country(&country);
}

int rfsniff_radio_last_channel(void) {
#if CONFIG_SOC_WIFI_SUPPORT_5G
    return 177;
#else
    return 14;
#endif
}

// An error means that Wi-Fi is already off, so there is nothing to stop. The callback stays registered,
// because the driver may be running it on the other core; it is harmless at any time.
void rfsniff_radio_stop(void) {
    (void)esp_wifi_set_promiscuous(false);
    if (widened) {
        (void)esp_wifi_set_country(&own_country);
        widened = false;
    }
}
