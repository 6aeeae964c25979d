// What a radio backend offers to the Python module, and calls when it hears something.
// radio_esp32.c is the real one, radio_host.c takes frames from a test.
#pragma once

#include "frame.h"

// Each returns 0, or a number for OSError: esp_err_t on a chip, errno on a host.
int rfsniff_radio_start(int channel, uint32_t filter);
int rfsniff_radio_tune(int channel);
void rfsniff_radio_stop(void); // never fails; stopping a stopped radio does nothing

// Called by a backend, always by the same task. Both copy what they need and return at once.
void rfsniff_heard(const rfsniff_reception_t *heard, const uint8_t *frame, size_t bytes);
void rfsniff_failed(void); // a reception whose bytes are wrong: counted, never looked at
