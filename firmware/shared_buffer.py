"""
One buffer for everybody who fills and empties it without an await in between: the sniffer's records, MQTT packets.

It exists from the start, because a full heap may have no such piece.
"""

SCRATCH_BYTES = 1296  # 36 frame headers of 36 bytes; fits any report
buffer = bytearray(SCRATCH_BYTES)
