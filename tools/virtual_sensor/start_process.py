"""
Start the process of a virtual sensor: map the image of its code into memory and run MicroPython.

    python tools/virtual_sensor/start_process.py code.romfs -X heapsize=160k boot.py

On a board whose interpreter has a ROMFS partition, code runs in place in the memory-mapped flash and takes no
heap. The interpreter from PyPI is an extension of CPython, so the same is possible here with memory outside
MicroPython's heap.
"""

import ctypes
import mmap
import os
import sys

import micropython_unix


def main() -> int:
    image, arguments = sys.argv[1], sys.argv[2:]
    with open(image, "rb") as file:
        # Copy-on-write, because ctypes takes the address of writable memory only.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    os.environ["SIM_ROM"] = f"{address},{len(mapped)}"
    return micropython_unix.run_main(["micropython", *arguments])  # pyright: ignore[reportAttributeAccessIssue] # in C


if __name__ == "__main__":
    sys.exit(main())
