"""
What time it is: milliseconds since the start, and the time of day once somebody has told it.

    clock = Clock()
    clock.now_ms()                      # 81000; never goes back, never wraps
    clock.time_s()                      # None until NTP or the server was heard
    clock.set(1767225600, NTP)
    if clock.take_news():               # it is worth a CLOCK report
        journal.append(report.CLOCK, clock.body())

A report made before the time is known carries only its tick_ms; the server dates it by the
CLOCK report that follows in the same boot.

Nothing here asks time.time(): the ESP32 counts from 2000, the unix port from 1970, and
neither has a battery for it. Nothing sets the RTC either.
"""

import asyncio
import errno
import os
import socket
import struct
import time

UNKNOWN, NTP, SERVER = "unknown", "ntp", "server"

TICKS_PERIOD = 1 << 30  # time.ticks_ms() wraps here on the board (MICROPY_PY_TIME_TICKS_PERIOD)
STEP_S = 2  # a smaller change is the answer's way through the network
REPEAT_MS = 6 * 3600 * 1000  # a crystal of 40 ppm is 0.9 s off by then

NTP_PORT = 123
_NTP_REQUEST = 0x23  # no warning, version 4, client
_NTP_BYTES = 48
_NTP_TO_UNIX_S = 2208988800  # 1900 to 1970; RFC 5905, figure 4
_NTP_ERA_S = 1 << 32
_PLAUSIBLE_S = 1735689600  # 2025-01-01: an earlier NTP time is of the era that begins in 2036
_POLL_S = 0.02


class Clock:
    """
    ticks_ms  gives milliseconds that wrap at 2**30; time.ticks_ms on the board

    source    UNKNOWN, NTP or SERVER
    nonce     what the newest state message asked the server's time with; see firmware/network/link.py
    """

    def __init__(self, ticks_ms=None):
        self.source = UNKNOWN
        self.nonce = ""
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._last_ticks = None
        self._now_ms = 0
        self._base_s = None  # the time of day when now_ms() was 0
        self._told_ms = None  # when set() last was news
        self._news = False

    def now_ms(self) -> int:
        """Return milliseconds since the first call. Call it at least every 12 days, or a wrap goes unseen."""
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
        Take the time of day, NTP or SERVER. NTP never overrules the server, whose word is signed.

        It is news if it is the first of this start, from another source, moved by STEP_S or
        more, or the last was REPEAT_MS ago.
        """
        if source == NTP and self.source == SERVER:
            return
        now_ms = self.now_ms()
        moved = self._base_s is None or abs(time_s - self.time_s()) >= STEP_S  # pyright: ignore[reportOperatorIssue]
        if moved:
            self._base_s = time_s - now_ms // 1000
        if moved or source != self.source or now_ms - self._told_ms >= REPEAT_MS:  # pyright: ignore[reportOperatorIssue]
            self.source = source
            self._told_ms = now_ms
            self._news = True

    def take_news(self) -> bool:
        """True once after each set() that is worth a CLOCK report."""
        news, self._news = self._news, False
        return news

    def set_by_server(self, time_s: int, nonce: str) -> None:
        """
        Take the server's time, as set(), once for each nonce that was asked with.

        Raises StaleTime if the answer belongs to no open question: it may be an old one played back.
        """
        if not self.nonce or nonce != self.nonce:
            raise StaleTime
        self.nonce = ""
        self.set(time_s, SERVER)

    def body(self):
        """Return the body of a CLOCK report for now, None while the time is unknown."""
        time_s = self.time_s()
        if time_s is None:
            return None
        return {"at_tick_ms": self._now_ms, "time_s": time_s, "source": self.source}

    async def ask_ntp(self, host: str, timeout_ms: int = 2000, port: int = NTP_PORT) -> bool:
        """
        Ask an NTP server once and set() the clock; False if it gave no good answer in time.

        Finding the host's address blocks, for as long as the resolver takes.
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
    """An answer to a question that was not asked, or was answered already."""


def ntp_time_s(answer: bytes, nonce: bytes):
    """
    Return seconds since 1970 from an NTP answer of 48 bytes or more, None if it must not be trusted.

    nonce  8 bytes: the transmit timestamp of the question, which the answer must repeat
    """
    if len(answer) < _NTP_BYTES or answer[24:32] != nonce:
        return None
    warning, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    if warning == 3 or mode != 4 or not 1 <= stratum <= 15:  # unsynchronised, no server, or a "kiss of death"
        return None
    seconds = struct.unpack_from("!I", answer, 40)[0] - _NTP_TO_UNIX_S
    return seconds if seconds >= _PLAUSIBLE_S else seconds + _NTP_ERA_S


async def _exchange(host, port, timeout_ms):
    """Return (answer, nonce) of one question. Raises OSError, also if there is no answer in time."""
    nonce = os.urandom(8)
    address = socket.getaddrinfo(host, port)[0][-1]
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asked.setblocking(False)
        asked.connect(address)  # so that nobody else's datagram is taken
        asked.send(bytes([_NTP_REQUEST]) + bytes(39) + nonce)
        # asyncio of MicroPython has no datagrams, so this looks now and then.
        for _ in range(int(timeout_ms / 1000 / _POLL_S) + 1):
            await asyncio.sleep(_POLL_S)
            try:
                return asked.recv(_NTP_BYTES), nonce
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
        raise OSError(errno.ETIMEDOUT)
    finally:
        asked.close()
