"""Virtual sensors: the real firmware on the real MicroPython, among simulated hardware."""
