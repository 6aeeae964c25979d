"""
Milliseconds since the start, and the time of day once NTP or the server has told it.

    clock = Clock(path="/time")
    clock.now_ms()                      # 81000; never goes back, never wraps
    clock.time_s()                      # None until NTP or the server has answered
    clock.set(1767225600, NTP)
    if clock.take_change():             # a CLOCK report is due
        journal.append(messages.CLOCK, clock.report_body())

A report made before the time is known carries only its tick_ms; the server dates it by the CLOCK report that follows
in the same boot.

time.time() is not used for reports: the ESP32 counts from 2000, the unix port from 1970, and neither has a battery for
its clock. But mbedTLS checks certificates by the chip's own clock, which says 2000-01-01 after power-on, so
set_chip_clock() sets it before a handshake. It may be late by the time without power; reports are not dated by it.
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
KEEP_EVERY_S = 3600  # between two writes of the time to flash
_FROM_1970_TO_2000_S = 946684800


class Clock:
    """
    ticks_ms  function() -> milliseconds that wrap at 2**30; time.ticks_ms on the board
    path      file that keeps the server's time, "" for none

    source    UNKNOWN, NTP or SERVER
    nonce     of the newest state message, which the server repeats in its time; see firmware/network/mqtt_session.py
    """

    def __init__(self, ticks_ms=None, path=""):
        self.source = UNKNOWN
        self.nonce = ""
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._path = path
        self._kept_s = None  # the time in the file, once it is read
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

    def keep(self, at_once: bool = False) -> None:
        """
        Write the time to flash if it is the server's and the last one is KEEP_EVERY_S old, or `at_once`.

        NTP's is not kept, because it is not signed: a wrong one would outlast a power cut.
        """
        if self.source != SERVER or not self._path:
            return
        time_s = self.time_s()
        if time_s - self._read_kept() < (1 if at_once else KEEP_EVERY_S):
            return
        try:
            with open(self._path, "w") as file:
                file.write(str(time_s))
        except OSError:  # the flash is full or broken, which the journal reports
            return
        self._kept_s = time_s

    def set_chip_clock(self) -> None:
        """
        Set the clock by which TLS checks certificates: the known time or what the chip says, but at least the date of
        the program and the kept time. Does nothing on a computer, whose clock is right.
        """
        import machine

        from firmware.network.build_date import BUILT_S

        if not hasattr(machine, "RTC"):
            return
        epoch_s = _FROM_1970_TO_2000_S if time.gmtime(0)[0] == 2000 else 0
        chip_s = int(time.time()) + epoch_s
        time_s = max(self.time_s() or chip_s, BUILT_S, self._read_kept())
        if abs(time_s - chip_s) >= STEP_S:
            year, month, day, hour, minute, second, weekday = time.gmtime(time_s - epoch_s)[:7]
            machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    def _read_kept(self):
        if self._kept_s is None:
            try:
                with open(self._path) as file:
                    self._kept_s = int(file.read())
            except (OSError, ValueError):
                self._kept_s = 0
        return self._kept_s

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
