"""Newer signature tables, whole and in the parts that commands carry."""

import base64
import hashlib
import struct
from collections.abc import Iterator

from ansim import signatures

KEY = bytes(range(32))
NEWER = signatures.Tables().revision(signatures.SSIDS) + 1


def table(revision: int, key: bytes = KEY) -> bytes:
    """Return the built-in SSID table with another revision, signed for a device."""
    with open(signatures.__file__.replace("__init__.py", "ssids.bin"), "rb") as file:
        data = bytearray(file.read())
    data[8:12] = struct.pack("<I", revision)
    data[16:48] = hashlib.sha256(bytes(data[:16]) + bytes(data[48:])).digest()
    return signatures.signed(bytes(data), key)


def parts(data: bytes, size: int = 1000, name: str = "ssids") -> Iterator[dict]:
    """Yield the arguments of the commands that carry a table, `size` bytes each."""
    digest = hashlib.sha256(data).hexdigest()
    for offset in range(0, len(data), size):
        text = base64.b64encode(data[offset : offset + size]).decode()
        yield {"table": name, "bytes": len(data), "sha256": digest, "offset": offset, "data": text}
