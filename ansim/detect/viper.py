"""
Viper's names on CPython, so that one source runs on both interpreters.

    from ansim.detect.viper import micropython, ptr8, ptr16, ptr32, const

    @micropython.viper
    def total(buffer, count: int) -> int:
        halves = ptr16(buffer)
        ...

MicroPython compiles such a function to machine code: whole numbers of the machine's size
only, nothing is allocated, nothing is checked. On CPython the same lines run as plain
Python on memoryviews, which refuse whatever would not fit; tests use that to prove that
nothing overflows on the board's 32 bits.

A MicroPython port without a native code emitter refuses the decorator with a SyntaxError.
All ESP32 boards have one.
"""

try:
    import micropython  # pyright: ignore[reportAssignmentType]
    from micropython import const  # pyright: ignore[reportAssignmentType]

    ptr8 = ptr16 = ptr32 = None  # known to the compiler, these are never looked up  # pyright: ignore[reportAssignmentType]
except ImportError:

    class micropython:
        """Stands for MicroPython's module of this name."""

        @staticmethod
        def viper(function):
            return function

    def const(value):
        return value

    def ptr8(buffer):
        return memoryview(buffer).cast("B")

    def ptr16(buffer):
        return memoryview(buffer).cast("B").cast("H")

    def ptr32(buffer):
        return memoryview(buffer).cast("B").cast("I")


__all__ = ("const", "micropython", "ptr8", "ptr16", "ptr32")
