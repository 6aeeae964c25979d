// The reader's side of intake.c.
#pragma once

#include <stdint.h>

// Begin anew: forget what waits, count from zero, let only these kinds pass.
void rfsniff_intake_restart(uint32_t filter);
// Receptions with wrong bytes since the restart.
uint32_t rfsniff_intake_errors(void);
