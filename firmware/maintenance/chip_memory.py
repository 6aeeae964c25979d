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
TLS_PIECE_BYTES = 20 << 10  # TLS takes about 40 kB, 17 of them in one piece
MIN_FITS = 20  # with fewer, something else took the memory, such as the connection of a wired sensor
SETTLE_MS = 3_600_000  # a restart costs some seconds of listening, so at most one an hour

_fits = 0  # how often has_room_for_ble() was true


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


def has_room_for_ble() -> bool:
    """True if Bluetooth may be switched on; on a chip with too little memory that is a crash, not an error."""
    global _fits
    largest_bytes = measure()[1]
    if largest_bytes is not None and largest_bytes < BLE_BYTES:
        return False
    _fits += 1
    return True


def is_used_up(now_ms: int, needs_tls: bool = False) -> bool:
    """
    True if there is too little memory for Bluetooth, and there was enough MIN_FITS times in this start: it has leaked.
    Also if the next TLS connection does not find its largest piece.

    now_ms     the sensor's time since its start
    needs_tls  a TLS connection is to be made, so that none holds its memory now
    """
    largest_bytes = measure()[1]
    if now_ms < SETTLE_MS or largest_bytes is None:
        return False
    return (_fits >= MIN_FITS and largest_bytes < BLE_BYTES) or (needs_tls and largest_bytes < TLS_PIECE_BYTES)
