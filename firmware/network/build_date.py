"""
The date of the program, which is the earliest time of day that TLS may assume.

The tools that install a program replace it by the date of the newest change to it (tools/hardware/payload.py).
"""

BUILT_S = 1796075119  # seconds since 1970-01-01
