"""
The process of a virtual sensor: maps the image of its code into memory and becomes MicroPython.

    python tools/virtual_sensor/start_process.py code.romfs -X heapsize=160k boot.py

On a board whose interpreter has a ROMFS partition (firmware/native/README.md) code runs in the
flash, where the processor sees it as memory, and takes no heap. The interpreter from PyPI is an
extension of CPython, so the same can be had here: memory that is not MicroPython's own.
"""

import ctypes
import mmap
import os
import sys

import micropython_unix


def main():
    image, arguments = sys.argv[1], sys.argv[2:]
    with open(image, "rb") as file:
        # A copy-on-write mapping, because ctypes takes the address of writable memory only.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    os.environ["SIM_ROM"] = f"{address},{len(mapped)}"
    return micropython_unix.run_main(["micropython", *arguments])


if __name__ == "__main__":
    sys.exit(main())
