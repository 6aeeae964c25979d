// The interface of a radio backend: functions for the Python module, and callbacks for receptions.
// radio_esp32.c is the real backend, radio_host.c takes frames from a test.
#pragma once

#include "frame.h"

// Return 0, or a number for OSError: esp_err_t on a chip, errno on a host.
int rfsniff_radio_start(int channel, uint32_t filter);
int rfsniff_radio_tune(int channel);
void rfsniff_radio_stop(void); // never fails; stopping a stopped radio does nothing
// Allow channels 1..channels of the 2.4 GHz band to the sniffer, to scans and to connections.
int rfsniff_radio_country(const char *code, int channels);
int rfsniff_radio_last_channel(void); // 14, or 177 with a 5 GHz radio

// Called by a backend, always from the same task. Copies its arguments and returns at once.
void rfsniff_heard(const rfsniff_reception_t *reception, const uint8_t *frame, size_t bytes);
