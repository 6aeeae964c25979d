// The part of ESP-IDF's Wi-Fi header that firmware/native/rfsniff uses, written for its tests.
//
// The names are those of ESP-IDF 5.5. The order of the members differs between chips on purpose, so that
// code that relies on it reads wrong values here. The compiler's command line sets exactly one
// CONFIG_IDF_TARGET_*, and CONFIG_SOC_WIFI_HE_SUPPORT where the real chip has it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0

#if CONFIG_SOC_WIFI_MAC_VERSION_NUM == 3
typedef struct {
    unsigned noise_floor : 8;
    unsigned sigb_len : 10;
    uint32_t he_siga1;
    unsigned timestamp;
    unsigned rate : 5;
    signed rssi : 8;
    unsigned second : 4;
    unsigned channel : 4; // too few bits for a 5 GHz channel
    uint16_t he_siga2;
    unsigned cur_bb_format : 4;
    unsigned dump_len : 14;
    unsigned sig_len : 14;
    unsigned rx_state : 8;
} wifi_pkt_rx_ctrl_t;
#elif CONFIG_IDF_TARGET_ESP32C6
typedef struct {
    uint16_t he_siga2;
    uint32_t he_siga1;
    unsigned timestamp;
    signed rssi : 8;
    unsigned rate : 5;
    unsigned channel : 4;
    unsigned second : 4;
    unsigned cur_bb_format : 4;
    unsigned cur_single_mpdu : 1;
    unsigned sig_len : 14;
    unsigned dump_len : 14;
    unsigned rx_state : 8;
    signed noise_floor : 8;
} wifi_pkt_rx_ctrl_t;
#elif CONFIG_IDF_TARGET_ESP32 || CONFIG_IDF_TARGET_ESP32S2 || CONFIG_IDF_TARGET_ESP32S3 || CONFIG_IDF_TARGET_ESP32C3
typedef struct {
#if CONFIG_IDF_TARGET_ESP32
    signed noise_floor : 8;
#endif
    unsigned sig_len : 12;
    signed rssi : 8;
    unsigned rate : 5;
    unsigned sig_mode : 2;
#if CONFIG_IDF_TARGET_ESP32S3 || CONFIG_IDF_TARGET_ESP32C3
    signed noise_floor : 8;
    unsigned : 24;
#endif
    unsigned mcs : 7;
    unsigned cwb : 1;
    unsigned aggregation : 1;
    unsigned channel : 4;
    unsigned secondary_channel : 4;
    unsigned timestamp : 32;
#if CONFIG_IDF_TARGET_ESP32S2
    signed noise_floor : 8;
#endif
    unsigned rx_state : 8;
} wifi_pkt_rx_ctrl_t;
#else
#error "unknown chip"
#endif

typedef struct {
    wifi_pkt_rx_ctrl_t rx_ctrl;
    uint8_t payload[0];
} wifi_promiscuous_pkt_t;

typedef enum { WIFI_PKT_MGMT, WIFI_PKT_CTRL, WIFI_PKT_DATA, WIFI_PKT_MISC } wifi_promiscuous_pkt_type_t;
typedef enum { WIFI_SECOND_CHAN_NONE, WIFI_SECOND_CHAN_ABOVE, WIFI_SECOND_CHAN_BELOW } wifi_second_chan_t;
typedef enum { WIFI_COUNTRY_POLICY_AUTO, WIFI_COUNTRY_POLICY_MANUAL } wifi_country_policy_t;

#define WIFI_PROMIS_FILTER_MASK_MGMT (1 << 0)
#define WIFI_PROMIS_FILTER_MASK_CTRL (1 << 1)
#define WIFI_PROMIS_FILTER_MASK_DATA (1 << 2)
#define WIFI_PROMIS_FILTER_MASK_MISC (1 << 3)
#define WIFI_PROMIS_CTRL_FILTER_MASK_BA (1 << 25)
#define WIFI_PROMIS_CTRL_FILTER_MASK_CTS (1 << 28)
#define WIFI_PROMIS_CTRL_FILTER_MASK_ACK (1 << 29)

typedef struct {
    uint32_t filter_mask;
} wifi_promiscuous_filter_t;

typedef struct {
    char cc[3];
    uint8_t schan;
    uint8_t nchan;
    int8_t max_tx_power;
    wifi_country_policy_t policy;
#if CONFIG_SOC_WIFI_SUPPORT_5G
    uint32_t wifi_5g_channel_mask;
#endif
} wifi_country_t;

typedef void (*wifi_promiscuous_cb_t)(void *buffer, wifi_promiscuous_pkt_type_t type);

esp_err_t esp_wifi_set_promiscuous_filter(const wifi_promiscuous_filter_t *filter);
esp_err_t esp_wifi_set_promiscuous_ctrl_filter(const wifi_promiscuous_filter_t *filter);
esp_err_t esp_wifi_set_promiscuous_rx_cb(wifi_promiscuous_cb_t callback);
esp_err_t esp_wifi_set_promiscuous(bool on);
esp_err_t esp_wifi_set_channel(uint8_t primary, wifi_second_chan_t second);
esp_err_t esp_wifi_get_country(wifi_country_t *country);
esp_err_t esp_wifi_set_country(const wifi_country_t *country);
