// Puts receptions into the ring. Runs in the radio's task: no heap, no lock, no Python, no printing.
#include <stdatomic.h>

#include "intake.h"
#include "radio.h"
#include "ring.h"

static atomic_uint_least32_t filter_bits; // RFSNIFF_FILTER bits

void rfsniff_heard(const rfsniff_reception_t *reception, const uint8_t *frame, size_t bytes) {
    rfsniff_record_t record;
    if (!rfsniff_describe(&record, reception, frame, bytes)) {
        return;
    }
    // The radio filters too, but a truncated header is recognized as undecodable only here.
    if (atomic_load_explicit(&filter_bits, memory_order_relaxed) & RFSNIFF_FILTER(record.kind & 0x0F)) {
        rfsniff_ring_push(&record);
    }
}

void rfsniff_intake_restart(uint32_t filter) {
    atomic_store_explicit(&filter_bits, filter, memory_order_relaxed);
    rfsniff_ring_restart();
}
