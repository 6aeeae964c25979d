#include <stdatomic.h>
#include <string.h>

#include "ring.h"

_Static_assert((RFSNIFF_RING_RECORDS & (RFSNIFF_RING_RECORDS - 1)) == 0, "a power of two, so that counters may wrap");

static rfsniff_record_t records[RFSNIFF_RING_RECORDS];

// All three only ever grow, also over a restart: setting one of them back to zero would race with the
// other side, so a restart remembers from where to count instead.
static atomic_uint_least32_t written; // changed by the writer only
static atomic_uint_least32_t lost;    // changed by the writer only
static atomic_uint_least32_t taken;   // changed by the reader only

static uint32_t written_before, lost_before; // the reader's own

void rfsniff_ring_push(const rfsniff_record_t *record) {
    uint32_t at = atomic_load_explicit(&written, memory_order_relaxed);
    // Acquire: the reader has finished copying a slot before it is written again.
    if (at - atomic_load_explicit(&taken, memory_order_acquire) >= RFSNIFF_RING_RECORDS) {
        uint32_t so_far = atomic_load_explicit(&lost, memory_order_relaxed);
        atomic_store_explicit(&lost, so_far + 1, memory_order_relaxed);
        return;
    }
    records[at % RFSNIFF_RING_RECORDS] = *record;
    // Release: whoever sees the new count also sees the record.
    atomic_store_explicit(&written, at + 1, memory_order_release);
}

uint32_t rfsniff_ring_read(void *into, uint32_t most) {
    uint32_t at = atomic_load_explicit(&taken, memory_order_relaxed);
    uint32_t waiting = atomic_load_explicit(&written, memory_order_acquire) - at;
    uint32_t count = waiting < most ? waiting : most;
    for (uint32_t i = 0; i < count; ++i) {
        // memcpy, because a bytearray need not be aligned
        memcpy((uint8_t *)into + i * RFSNIFF_RECORD_BYTES, &records[(at + i) % RFSNIFF_RING_RECORDS], RFSNIFF_RECORD_BYTES);
    }
    atomic_store_explicit(&taken, at + count, memory_order_release);
    return count;
}

void rfsniff_ring_restart(void) {
    written_before = atomic_load_explicit(&written, memory_order_acquire);
    lost_before = atomic_load_explicit(&lost, memory_order_relaxed);
    atomic_store_explicit(&taken, written_before, memory_order_release);
}

void rfsniff_ring_counts(uint32_t *waiting, uint32_t *pushed, uint32_t *dropped) {
    uint32_t now = atomic_load_explicit(&written, memory_order_acquire);
    *waiting = now - atomic_load_explicit(&taken, memory_order_relaxed);
    *pushed = now - written_before;
    *dropped = atomic_load_explicit(&lost, memory_order_relaxed) - lost_before;
}
