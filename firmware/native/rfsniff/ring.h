// A ring of records between the one task that hears frames and the one that runs Python.
//
// No locks, because the writer is the Wi-Fi driver's task and must never wait. The memory is static:
// MicroPython's heap is gone after a soft reset while the driver may still be calling, and then these
// calls stay harmless.
#pragma once

#include "frame.h"

// 512 records are 18 kB and a quarter of a second at 2,000 frames a second. A power of two.
#ifndef RFSNIFF_RING_RECORDS
#define RFSNIFF_RING_RECORDS 512
#endif

// Writer's side. A full ring forgets the new record and counts it.
void rfsniff_ring_push(const rfsniff_record_t *record);

// Reader's side, all three.
// Copy up to `most` whole records, oldest first; return how many.
uint32_t rfsniff_ring_read(void *into, uint32_t most);
// Forget what waits and count from zero. Good at any time, also while the writer writes.
void rfsniff_ring_restart(void);
// Records waiting now; pushed and dropped since the restart. They wrap at 2**32.
void rfsniff_ring_counts(uint32_t *waiting, uint32_t *pushed, uint32_t *dropped);
