"""Fills the heap of MicroPython, for tests of what happens when it is full."""

import gc


def fill(free_bytes):
    """Return objects that leave about so many bytes of the heap free."""
    gc.collect()
    head: list = [None, None]
    tail = head
    for size in (2048, 256, 16):
        while gc.mem_free() > free_bytes + size:  # pyright: ignore[reportAttributeAccessIssue]
            try:
                tail[1] = [bytearray(size), None]
            except MemoryError:
                break
            tail = tail[1]
    return head
