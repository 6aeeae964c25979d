// A ring of records between the task that receives frames and the task that runs Python.
//
// No locks, because the writer is the Wi-Fi driver's task and must never wait. The memory is static,
// because a soft reset clears MicroPython's heap while the driver may still be calling these functions.
#pragma once

#include "frame.h"

// 512 records are 18 kB and a quarter of a second at 2,000 frames a second. A power of two.
#ifndef RFSNIFF_RING_RECORDS
#define RFSNIFF_RING_RECORDS 512
#endif

// Writer's side. A full ring drops the new record and counts it.
void rfsniff_ring_push(const rfsniff_record_t *record);

// Reader's side, all three.
// Copy up to `max_records` whole records, oldest first; return how many.
uint32_t rfsniff_ring_read(void *buffer, uint32_t max_records);
// Discard waiting records and count from zero. Safe at any time, even during a write.
void rfsniff_ring_restart(void);
// Records waiting now; pushed and dropped since the restart. They wrap at 2**32.
void rfsniff_ring_counts(uint32_t *waiting, uint32_t *pushed, uint32_t *dropped);
