// From a reception to the ring; runs in the radio's task, so: no heap, no lock, no Python, no printing.
#include <stdatomic.h>

#include "intake.h"
#include "radio.h"
#include "ring.h"

static atomic_uint_least32_t wanted; // RFSNIFF_FILTER bits
static atomic_uint_least32_t failed; // only ever grows, as the ring's counters
static uint32_t failed_before;       // the reader's own

void rfsniff_heard(const rfsniff_reception_t *heard, const uint8_t *frame, size_t bytes) {
    rfsniff_record_t record;
    if (!rfsniff_describe(&record, heard, frame, bytes)) {
        return;
    }
    // The radio filters too, but a header cut short only now turns out to be undecodable.
    if (atomic_load_explicit(&wanted, memory_order_relaxed) & RFSNIFF_FILTER(record.kind & 0x0F)) {
        rfsniff_ring_push(&record);
    }
}

void rfsniff_failed(void) {
    uint32_t so_far = atomic_load_explicit(&failed, memory_order_relaxed);
    atomic_store_explicit(&failed, so_far + 1, memory_order_relaxed);
}

void rfsniff_intake_restart(uint32_t filter) {
    atomic_store_explicit(&wanted, filter, memory_order_relaxed);
    failed_before = atomic_load_explicit(&failed, memory_order_relaxed);
    rfsniff_ring_restart();
}

uint32_t rfsniff_intake_errors(void) {
    return atomic_load_explicit(&failed, memory_order_relaxed) - failed_before;
}
