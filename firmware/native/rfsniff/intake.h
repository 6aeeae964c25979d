// The reader's side of intake.c.
#pragma once

#include <stdint.h>

// Restart: discard waiting records, count from zero, pass only the kinds of the filter.
void rfsniff_intake_restart(uint32_t filter);
