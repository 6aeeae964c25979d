"""
Milliseconds since the start, and the time of day once NTP or the server has told it.

    clock = Clock()
    clock.now_ms()                      # 81000; never goes back, never wraps
    clock.time_s()                      # None until NTP or the server has answered
    clock.set(1767225600, NTP)
    if clock.take_change():             # a CLOCK report is due
        journal.append(messages.CLOCK, clock.report_body())

A report made before the time is known carries only its tick_ms; the server dates it by the CLOCK report that follows
in the same boot.

time.time() is not used: the ESP32 counts from 2000, the unix port from 1970, and neither has a battery for its clock.
The RTC is not set either.
"""

import asyncio
import errno
import os
import socket
import struct
import time

UNKNOWN, NTP, SERVER = "unknown", "ntp", "server"

TICKS_PERIOD = 1 << 30  # time.ticks_ms() wraps here on the board (MICROPY_PY_TIME_TICKS_PERIOD)
STEP_S = 2  # a smaller change is the delay of the network
REPEAT_MS = 6 * 3600 * 1000  # a crystal of 40 ppm is 0.9 s off by then

NTP_PORT = 123
_NTP_REQUEST = 0x23  # no warning, version 4, client
_NTP_BYTES = 48
_NTP_TO_UNIX_S = 2208988800  # 1900 to 1970; RFC 5905, figure 4
_NTP_ERA_S = 1 << 32
_EARLIEST_S = 1735689600  # 2025-01-01: an earlier NTP time belongs to the era that begins in 2036
_POLL_S = 0.02


class Clock:
    """
    ticks_ms  function() -> milliseconds that wrap at 2**30; time.ticks_ms on the board

    source    UNKNOWN, NTP or SERVER
    nonce     of the newest state message, which the server repeats in its time; see firmware/network/session.py
    """

    def __init__(self, ticks_ms=None):
        self.source = UNKNOWN
        self.nonce = ""
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._last_ticks = None
        self._now_ms = 0
        self._base_s = None  # the time of day when now_ms() was 0
        self._changed_ms = None  # when set() last made a CLOCK report due
        self._has_changed = False

    def now_ms(self) -> int:
        """Return milliseconds since the first call. Call it at least every 12 days, or a wrap is missed."""
        ticks = self._ticks_ms()
        if self._last_ticks is not None:
            self._now_ms += (ticks - self._last_ticks) & (TICKS_PERIOD - 1)  # pyright: ignore[reportOperatorIssue]
        self._last_ticks = ticks
        return self._now_ms

    def time_s(self):
        """Return seconds since 1970-01-01 UTC, None while unknown."""
        return None if self._base_s is None else self._base_s + self.now_ms() // 1000

    def set(self, time_s: int, source: str) -> None:
        """
        Set the time of day from NTP or SERVER. NTP never overrules the server, whose time is signed.

        A CLOCK report is due if the time is the first of this start, comes from another source, has moved by STEP_S
        or more, or the last report was REPEAT_MS ago.
        """
        if source == NTP and self.source == SERVER:
            return
        now_ms = self.now_ms()
        moved = self._base_s is None or abs(time_s - self.time_s()) >= STEP_S  # pyright: ignore[reportOperatorIssue]
        if moved:
            self._base_s = time_s - now_ms // 1000
        if moved or source != self.source or now_ms - self._changed_ms >= REPEAT_MS:  # pyright: ignore[reportOperatorIssue]
            self.source = source
            self._changed_ms = now_ms
            self._has_changed = True

    def take_change(self) -> bool:
        """True once after each set() that makes a CLOCK report due."""
        changed, self._has_changed = self._has_changed, False
        return changed

    def set_by_server(self, time_s: int, nonce: str) -> None:
        """
        Set the server's time, once for each nonce.

        Raises StaleTime if the nonce is not the open one: the answer may be an old one played back.
        """
        if not self.nonce or nonce != self.nonce:
            raise StaleTime
        self.nonce = ""
        self.set(time_s, SERVER)

    def report_body(self):
        """Return the body of a CLOCK report for now, None while the time is unknown."""
        time_s = self.time_s()
        if time_s is None:
            return None
        return {"at_tick_ms": self._now_ms, "time_s": time_s, "source": self.source}

    async def ask_ntp(self, host: str, timeout_ms: int = 2000, port: int = NTP_PORT) -> bool:
        """
        Ask an NTP server once and set() the clock; False without a good answer in time.

        Resolving the host's name blocks.
        Source: RFC 5905; the client of RFC 4330 section 5.
        """
        try:
            answer, nonce = await _exchange(host, port, timeout_ms)
        except OSError:
            return False
        time_s = ntp_time_s(answer, nonce)
        if time_s is not None:
            self.set(time_s, NTP)
        return time_s is not None


class StaleTime(Exception):
    """The time answers no open request, or one that was answered before."""


def ntp_time_s(answer: bytes, nonce: bytes):
    """
    Return seconds since 1970 from an NTP answer of 48 bytes or more, None if it cannot be trusted.

    nonce  8 bytes: the transmit timestamp of the request, which the answer must repeat
    """
    if len(answer) < _NTP_BYTES or answer[24:32] != nonce:
        return None
    warning, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    if warning == 3 or mode != 4 or not 1 <= stratum <= 15:  # unsynchronised, no server, or a "kiss of death"
        return None
    seconds = struct.unpack_from("!I", answer, 40)[0] - _NTP_TO_UNIX_S
    return seconds if seconds >= _EARLIEST_S else seconds + _NTP_ERA_S


async def _exchange(host, port, timeout_ms):
    """Return (answer, nonce) of one request. Raises OSError, also without an answer in time."""
    nonce = os.urandom(8)
    address = socket.getaddrinfo(host, port)[0][-1]
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        connection.setblocking(False)
        connection.connect(address)  # so that datagrams of other senders are not received
        connection.send(bytes([_NTP_REQUEST]) + bytes(39) + nonce)
        # asyncio of MicroPython has no datagrams, so this polls.
        for _ in range(int(timeout_ms / 1000 / _POLL_S) + 1):
            await asyncio.sleep(_POLL_S)
            try:
                return connection.recv(_NTP_BYTES), nonce
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
        raise OSError(errno.ETIMEDOUT)
    finally:
        connection.close()
