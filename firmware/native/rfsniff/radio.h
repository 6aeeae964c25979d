// The interface of a radio backend: functions for the Python module, and callbacks for receptions.
// radio_esp32.c is the real backend, radio_host.c takes frames from a test.
#pragma once

#include "frame.h"

// Return 0, or a number for OSError: esp_err_t on a chip, errno on a host.
int rfsniff_radio_start(int channel, uint32_t filter);
int rfsniff_radio_tune(int channel);
void rfsniff_radio_stop(void); // never fails; stopping a stopped radio does nothing

// Called by a backend, always from the same task. Both copy their arguments and return at once.
void rfsniff_heard(const rfsniff_reception_t *reception, const uint8_t *frame, size_t bytes);
void rfsniff_failed(void); // a reception with errors: counted, never read
