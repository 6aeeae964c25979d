"""
MicroPython's viper names on CPython, so that one source runs on both interpreters.

    from ansim.detect.viper import micropython, ptr8, ptr16, ptr32, const

    @micropython.viper
    def total(buffer, count: int) -> int:
        halves = ptr16(buffer)
        ...

MicroPython compiles such a function to machine code with machine-size integers, without
allocation and without checks. On CPython the same source runs as plain Python on memoryviews,
which raise on values that do not fit; tests use that to prove that nothing overflows on the
board's 32 bits.

A MicroPython port without a native code emitter rejects the decorator with a SyntaxError. All
ESP32 boards have one.
"""

try:
    import micropython  # pyright: ignore[reportAssignmentType]
    from micropython import const  # pyright: ignore[reportAssignmentType]

    ptr8 = ptr16 = ptr32 = None  # the compiler knows these names  # pyright: ignore[reportAssignmentType]
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
