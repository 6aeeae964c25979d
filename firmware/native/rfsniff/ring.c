#include <stdatomic.h>
#include <string.h>

#include "ring.h"

_Static_assert((RFSNIFF_RING_RECORDS & (RFSNIFF_RING_RECORDS - 1)) == 0, "a power of two, so that counters may wrap");

static rfsniff_record_t records[RFSNIFF_RING_RECORDS];

// All three only grow, even over a restart: resetting one to zero would race with the other side, so a
// restart stores the values to count from instead.
static atomic_uint_least32_t written; // changed by the writer only
static atomic_uint_least32_t lost;    // changed by the writer only
static atomic_uint_least32_t taken;   // changed by the reader only

static uint32_t written_before, lost_before; // used by the reader only

void rfsniff_ring_push(const rfsniff_record_t *record) {
    uint32_t position = atomic_load_explicit(&written, memory_order_relaxed);
    // Acquire: the reader has finished copying a slot before it is written again.
    if (position - atomic_load_explicit(&taken, memory_order_acquire) >= RFSNIFF_RING_RECORDS) {
        uint32_t count = atomic_load_explicit(&lost, memory_order_relaxed);
        atomic_store_explicit(&lost, count + 1, memory_order_relaxed);
        return;
    }
    records[position % RFSNIFF_RING_RECORDS] = *record;
    // Release: a reader that sees the new count also sees the record.
    atomic_store_explicit(&written, position + 1, memory_order_release);
}

uint32_t rfsniff_ring_read(void *buffer, uint32_t max_records) {
    uint32_t position = atomic_load_explicit(&taken, memory_order_relaxed);
    uint32_t waiting = atomic_load_explicit(&written, memory_order_acquire) - position;
    uint32_t count = waiting < max_records ? waiting : max_records;
    for (uint32_t i = 0; i < count; ++i) {
        // memcpy, because a bytearray need not be aligned
        memcpy((uint8_t *)buffer + i * RFSNIFF_RECORD_BYTES, &records[(position + i) % RFSNIFF_RING_RECORDS], RFSNIFF_RECORD_BYTES);
    }
    atomic_store_explicit(&taken, position + count, memory_order_release);
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
