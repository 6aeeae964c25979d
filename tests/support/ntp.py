"""Answers of an NTP server."""

import struct

NOW_S = 1767225600
NTP_1900_S = 2208988800


def ntp_answer(nonce: bytes, time_s: int = NOW_S, first: int = 0x24, stratum: int = 2) -> bytes:
    """Return an answer of 48 bytes; by default version 4, server, stratum 2."""
    return (
        struct.pack("!BB", first, stratum)
        + bytes(22)
        + nonce
        + bytes(8)
        + struct.pack("!II", (time_s + NTP_1900_S) % 2**32, 0)
    )


def answer_one(server, make_answer=ntp_answer) -> None:
    """Answer one request on a UDP socket with make_answer(nonce)."""
    request, sender = server.recvfrom(100)
    server.sendto(make_answer(request[40:48]), sender)
