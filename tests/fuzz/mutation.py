"""Change bytes at random: flips, cuts, copies, numbers at the edge of their range, and words of the seeds."""

import random
from collections.abc import Sequence

MOST_BYTES = 1 << 16
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f\x9a\xbd", b"\xc2\x85", b"\xe2\x80\xa8", b"\x0b", b"\x1c"),
    *(b'"', b"'", b",", b"\r\n", b"{", b"}", b"[[[[", b"null", b"NaN", b"1e999", b"-0", b"2147483648", b"9" * 30),
    *(b"9223372036854775807", b"\\ud800", b"\\u0000", b"%00", b"../", b"<script>", b"' OR 1=1 --", b"+", b"#", b"/"),
)


def mutate(data: bytes, seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """Return the bytes with one to eight changes."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        _change(changed, seeds, draw)
    return bytes(changed[:MOST_BYTES])


def shorten(data: bytes, fails) -> bytes:
    """Return the shortest part found of an input for which fails(data) still is True."""
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def _change(data, seeds, draw):
    at = draw.randrange(len(data) + 1)
    size = draw.choice((1, 2, 4, 8, draw.randint(1, 200)))
    kind = draw.randrange(7)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del data[at : at + size]
    elif kind == 2:
        data[at:at] = data[at : at + size]
    elif kind == 3:
        width = draw.choice((1, 2, 4, 8))
        number = draw.choice(NUMBERS) & (1 << 8 * width) - 1
        data[at : at + width] = number.to_bytes(width, draw.choice(("little", "big")))
    elif kind == 4:
        data[at : at + draw.choice((0, size))] = draw.choice(WORDS)
    elif kind == 5:
        other = draw.choice(seeds)
        start = draw.randrange(len(other) + 1)
        data[at : at + draw.choice((0, size))] = other[start : start + size]
    else:
        data[at:at] = draw.randbytes(size)
