// The Wi-Fi radio of ESP32, S2, S3, C3 and C6 in promiscuous mode.
//
// on_frame() runs in the Wi-Fi driver's task and must not call MicroPython. Builds that created objects
// or called Python there crashed.
//
// The layout of rx_ctrl differs between chips, so it is read by member name only, with the chip's own
// header. The chips with 802.11ax (C5, C6, C61) have the raw HT-SIG or HE-SIG-A words in place of decoded
// fields.
//
// Source: ESP-IDF 5.5 esp_wifi.h, esp_wifi_types_native.h, esp_wifi_he_types.h; the SIG words:
// IEEE 802.11-2020 19.3.9.4.3, IEEE 802.11ax-2021 27.3.11.7.2.
#include <stdbool.h>

#include "esp_wifi.h"

#include "radio.h"

// The chips' default country table ends at channel 11; a Korean camera may use 12 or 13.
#define LAST_CHANNEL 13
#define FCS_BYTES 4

static wifi_country_t own_country; // the table that stop restores
static bool widened;

#if CONFIG_SOC_WIFI_HE_SUPPORT

enum { FORMAT_11B = 0, FORMAT_11G = 1, FORMAT_HT = 2 }; // cur_bb_format; higher is VHT and HE

static void read_modulation(const wifi_pkt_rx_ctrl_t *rx, rfsniff_reception_t *reception) {
    if (rx->cur_bb_format <= FORMAT_11G) {
        reception->rate = rx->rate;
        return;
    }
    uint32_t sig_1 = rx->he_siga1;
    bool ht = rx->cur_bb_format == FORMAT_HT;
    reception->phy = RFSNIFF_PHY_HT;
    reception->rate = RFSNIFF_RATE_MCS | (ht ? sig_1 & 0x7F : sig_1 >> 3 & 0x0F);
    if (ht ? rx->he_siga2 & 0x08 : !rx->cur_single_mpdu) {
        reception->phy |= RFSNIFF_PHY_AGGREGATE;
    }
    if (ht ? sig_1 & 0x80 : (sig_1 >> 19 & 3) == 1) {
        reception->phy |= RFSNIFF_PHY_40MHZ;
    }
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

static void on_frame(void *buffer, wifi_promiscuous_pkt_type_t type) {
    const wifi_promiscuous_pkt_t *packet = buffer;
    const wifi_pkt_rx_ctrl_t *rx = &packet->rx_ctrl;
    bool undecodable = type == WIFI_PKT_MISC;
    // An undecodable frame may have a state too (espressif/esp-idf issue 8823), but counts as undecodable.
    if (rx->rx_state != 0 && !undecodable) {
        rfsniff_failed();
        return;
    }
    rfsniff_reception_t reception = {
        .time_us = rx->timestamp,
        .length = rx->sig_len,
        .rssi_dbm = rx->rssi,
        .channel = rx->channel,
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
    if (error != ESP_OK || own_country.schan + own_country.nchan > LAST_CHANNEL) {
        return error;
    }
    wifi_country_t wide = own_country;
    wide.schan = 1;
    wide.nchan = LAST_CHANNEL;
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
    return esp_wifi_set_channel((uint8_t)channel, WIFI_SECOND_CHAN_NONE);
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
