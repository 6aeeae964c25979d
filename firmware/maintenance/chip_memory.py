"""
The chip's own memory beside MicroPython's heap: Wi-Fi, Bluetooth and TLS allocate from it.

    free_bytes, largest_bytes = measure()        # (None, None) on a computer
    if is_used_up(now_ms): ...                   # restart on purpose, before uploads fail

Switching Bluetooth off does not give back all that it took (espressif/esp-idf issues 8136, 7653), so a sensor that runs
for weeks may use up this memory.
"""

try:
    import esp32
except ImportError:
    esp32 = None

MAX_INTERNAL_BYTES = 512 << 10  # a larger region is PSRAM, which the radios and TLS cannot use
BLE_BYTES = 56 << 10  # Bluetooth takes about 50 kB; a chip with less crashes (esp-idf issue 14355). TLS: 40 kB
LEAK_BYTES = 12 << 10  # less than this is no leak: a chip that starts with little memory need not restart
SETTLE_MS = 3_600_000  # a restart costs some seconds of listening, so at most one an hour

_first_free_bytes = None


def measure() -> tuple:
    """Return (free bytes, largest free block) of the chip's internal memory; (None, None) on a computer."""
    if esp32 is None:
        return None, None
    regions = [row for row in esp32.idf_heap_info(esp32.HEAP_DATA) if row[0] <= MAX_INTERNAL_BYTES]
    return sum([row[1] for row in regions]), max([row[2] for row in regions], default=0)


def has_room_for_files() -> bool:
    """
    True if a program in files, which is loaded into the heap, fits beside its data: with PSRAM, and on a computer.

    Otherwise only a program in the interpreter's image runs (firmware/native/README.md), and it is replaced by USB.
    """
    return esp32 is None or any(row[0] > MAX_INTERNAL_BYTES for row in esp32.idf_heap_info(esp32.HEAP_DATA))


def is_used_up(now_ms: int) -> bool:
    """
    True if the largest block has become too small for Bluetooth because memory has leaked since the first call.

    now_ms  the sensor's time since its start
    """
    global _first_free_bytes
    free_bytes, largest_bytes = measure()
    if free_bytes is None:
        return False
    if _first_free_bytes is None:
        _first_free_bytes = free_bytes
    return largest_bytes < BLE_BYTES and _first_free_bytes - free_bytes >= LEAK_BYTES and now_ms >= SETTLE_MS
