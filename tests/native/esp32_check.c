// Drives radio_esp32.c as ESP-IDF's driver would: the driver below records its calls, and main() passes
// frames to the registered callback. Prints the first check that fails.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_wifi.h"
#include "intake.h"
#include "radio.h"
#include "ring.h"

#define CHECK(condition)                                        \
    do {                                                        \
        if (!(condition)) {                                     \
            printf("line %d fails: %s\n", __LINE__, #condition); \
            exit(1);                                                \
        }                                                           \
    } while (0)

static struct {
    char calls[200];
    uint32_t filter, controls;
    wifi_promiscuous_cb_t callback;
    bool on;
    uint8_t channel;
    esp_err_t refuse_channel;
    wifi_country_t country;
} driver = {.country = {.cc = "01", .schan = 1, .nchan = 11, .policy = WIFI_COUNTRY_POLICY_AUTO}};

esp_err_t esp_wifi_set_promiscuous_filter(const wifi_promiscuous_filter_t *filter) {
    strcat(driver.calls, "filter ");
    driver.filter = filter->filter_mask;
    return ESP_OK;
}

esp_err_t esp_wifi_set_promiscuous_ctrl_filter(const wifi_promiscuous_filter_t *filter) {
    strcat(driver.calls, "controls ");
    driver.controls = filter->filter_mask;
    return ESP_OK;
}

esp_err_t esp_wifi_set_promiscuous_rx_cb(wifi_promiscuous_cb_t callback) {
    driver.callback = callback;
    return ESP_OK;
}

esp_err_t esp_wifi_set_promiscuous(bool on) {
    strcat(driver.calls, on ? "on " : "off ");
    driver.on = on;
    return ESP_OK;
}

esp_err_t esp_wifi_set_channel(uint8_t primary, wifi_second_chan_t second) {
    (void)second;
    bool is_out_of_country = primary <= 14 && primary > driver.country.schan + driver.country.nchan - 1;
    if (driver.refuse_channel || is_out_of_country) {
        return driver.refuse_channel ? driver.refuse_channel : 0x102;
    }
    driver.channel = primary;
    return ESP_OK;
}

esp_err_t esp_wifi_get_country(wifi_country_t *country) {
    *country = driver.country;
    return ESP_OK;
}

esp_err_t esp_wifi_set_country(const wifi_country_t *country) {
    driver.country = *country;
    return ESP_OK;
}

enum { FRAME_BYTES = 200, BODY = 0xEE }; // BODY fills a frame after its header

static struct {
    wifi_promiscuous_pkt_t packet;
    uint8_t bytes[FRAME_BYTES];
} air;

static wifi_pkt_rx_ctrl_t *new_frame(const void *header, size_t header_bytes) {
    memset(&air, 0, sizeof(air));
    memset(air.bytes, BODY, sizeof(air.bytes));
    memcpy(air.packet.payload, header, header_bytes);
    wifi_pkt_rx_ctrl_t *rx = &air.packet.rx_ctrl;
    rx->rssi = -71;
    rx->channel = driver.channel;
    rx->timestamp = 0xFEDCBA98;
    rx->sig_len = FRAME_BYTES;
    rx->rate = 11;
#if CONFIG_SOC_WIFI_HE_SUPPORT
    rx->dump_len = FRAME_BYTES - 4;
    rx->cur_bb_format = 1;
#endif
    return rx;
}

static rfsniff_record_t receive(wifi_promiscuous_pkt_type_t type) {
    rfsniff_record_t record;
    driver.callback(&air, type);
    CHECK(rfsniff_ring_read(&record, 1) == 1);
    return record;
}

static bool is_zero(const void *from, size_t bytes) {
    static const uint8_t zero[RFSNIFF_RECORD_BYTES];
    return memcmp(from, zero, bytes) == 0;
}

static const uint8_t qos_data[] = "\x88\x01\x34\x12" "AAAAAA" "BBBBBB" "CCCCCC" "\x10\x02" "\x85\x00";

static void check_start(void) {
    driver.calls[0] = 0;
    rfsniff_intake_restart(RFSNIFF_FILTER_ALL);
    CHECK(rfsniff_radio_start(13, RFSNIFF_FILTER_ALL) == 0);
    CHECK(strcmp(driver.calls, "filter controls on ") == 0);
    CHECK(driver.filter == 0x0F && driver.controls == (1u << 25 | 1u << 28 | 1u << 29));
    CHECK(driver.channel == 13 && driver.on);
}

#if CONFIG_SOC_WIFI_SUPPORT_5G
static void check_5_ghz(void) {
    CHECK(rfsniff_radio_last_channel() == 177);
    CHECK(rfsniff_radio_tune(149) == 0);
    new_frame(qos_data, sizeof(qos_data) - 1);
    CHECK(receive(WIFI_PKT_DATA).channel == 149);
    CHECK(rfsniff_radio_tune(13) == 0);
}
#else
static void check_5_ghz(void) {
    CHECK(rfsniff_radio_last_channel() == 14);
}
#endif

// The country counts for scans and connections too, so it stays when the sniffer stops.
static void check_country(void) {
    CHECK(rfsniff_radio_country("KR", 13) == 0);
    CHECK(memcmp(driver.country.cc, "KR ", 3) == 0 && driver.country.policy == WIFI_COUNTRY_POLICY_MANUAL);
    CHECK(rfsniff_radio_start(13, RFSNIFF_FILTER_ALL) == 0);
    rfsniff_radio_stop();
    CHECK(driver.country.schan == 1 && driver.country.nchan == 13);
}

static void check_data(void) {
    new_frame(qos_data, sizeof(qos_data) - 1);
    rfsniff_record_t record = receive(WIFI_PKT_DATA);
    CHECK(record.time_us == 0xFEDCBA98 && record.rssi_dbm == -71 && record.channel == 13);
    CHECK(record.length == FRAME_BYTES && record.rate == 11 && record.kind == RFSNIFF_KIND_DATA);
    CHECK(record.frame_control == 0x0188 && record.duration_us == 0x1234);
    CHECK(memcmp(record.addr2, "BBBBBB", 6) == 0 && record.sequence == 0x0210 && record.extra == 0x85);
    CHECK(memchr(&record, BODY, sizeof(record)) == NULL);
}

static void check_undecodable(void) {
    wifi_pkt_rx_ctrl_t *rx = new_frame(qos_data, sizeof(qos_data) - 1);
    rx->rx_state = 7;
    rfsniff_record_t record = receive(WIFI_PKT_MISC);
    CHECK((record.kind & 0x0F) == RFSNIFF_KIND_UNDECODABLE && record.length == FRAME_BYTES);
    CHECK(record.time_us == 0xFEDCBA98 && record.rssi_dbm == -71);
    CHECK(record.frame_control == 0 && is_zero(record.addr1, 22));
}

static void check_errors(void) {
    wifi_pkt_rx_ctrl_t *rx = new_frame(qos_data, sizeof(qos_data) - 1);
    rx->rx_state = 1;
    rfsniff_record_t record = receive(WIFI_PKT_DATA);
    CHECK((record.kind & 0x0F) == RFSNIFF_KIND_UNDECODABLE && is_zero(record.addr1, 22));
}

static void check_modulation(void) {
    wifi_pkt_rx_ctrl_t *rx = new_frame(qos_data, sizeof(qos_data) - 1);
#if CONFIG_SOC_WIFI_HE_SUPPORT
    rx->cur_bb_format = 2;
    rx->he_siga1 = 0x80 | 7;
    rx->he_siga2 = 0x08;
    rfsniff_record_t ht = receive(WIFI_PKT_DATA);
    CHECK(ht.rate == 128 + 7 && ht.kind == (RFSNIFF_KIND_DATA | 0x70));
    rx->cur_bb_format = 4;
    rx->he_siga1 = 9 << 3;
#if CONFIG_SOC_WIFI_MAC_VERSION_NUM == 3
    rfsniff_record_t he = receive(WIFI_PKT_DATA);
    CHECK(he.rate == 128 + 9 && he.kind == (RFSNIFF_KIND_DATA | RFSNIFF_PHY_HT | RFSNIFF_PHY_AGGREGATE));
    rx->cur_bb_format = 3;
    rx->he_siga1 = 1;
    rx->he_siga2 = 8 << 4;
    rfsniff_record_t vht = receive(WIFI_PKT_DATA);
    CHECK(vht.rate == 128 + 8 && vht.kind == (RFSNIFF_KIND_DATA | 0x70));
#else
    rx->cur_single_mpdu = 1;
    rfsniff_record_t he = receive(WIFI_PKT_DATA);
    CHECK(he.rate == 128 + 9 && he.kind == (RFSNIFF_KIND_DATA | RFSNIFF_PHY_HT));
#endif
#else
    rx->sig_mode = 1;
    rx->mcs = 7;
    rx->aggregation = 1;
    rx->cwb = 1;
    rfsniff_record_t ht = receive(WIFI_PKT_DATA);
    CHECK(ht.rate == 128 + 7 && ht.kind == (RFSNIFF_KIND_DATA | 0x70));
#endif
}

// With a length shorter than the header, the backend must not read beyond the frame.
static void check_short(void) {
    wifi_pkt_rx_ctrl_t *rx = new_frame(qos_data, sizeof(qos_data) - 1);
    rx->sig_len = 3;
#if CONFIG_SOC_WIFI_HE_SUPPORT
    rx->dump_len = 0;
#endif
    rfsniff_record_t record = receive(WIFI_PKT_DATA);
    CHECK((record.kind & 0x0F) == RFSNIFF_KIND_UNDECODABLE && is_zero(record.addr1, 22));
}

static void check_stop(void) {
    rfsniff_radio_stop();
    rfsniff_radio_stop();
    CHECK(!driver.on && driver.country.nchan == 11 && driver.country.policy == WIFI_COUNTRY_POLICY_AUTO);
    new_frame(qos_data, sizeof(qos_data) - 1);
    driver.callback(&air, WIFI_PKT_DATA); // as if the other core was still in it: harmless
    driver.refuse_channel = 0x3008;
    CHECK(rfsniff_radio_start(6, RFSNIFF_FILTER(RFSNIFF_KIND_DATA)) == 0x3008);
    CHECK(!driver.on && driver.country.nchan == 11 && driver.filter == WIFI_PROMIS_FILTER_MASK_DATA);
}

int main(void) {
    check_start();
    check_data();
    check_5_ghz();
    check_undecodable();
    check_errors();
    check_modulation();
    check_short();
    check_stop();
    driver.refuse_channel = 0;
    check_country();
    printf("ok\n");
    return 0;
}
