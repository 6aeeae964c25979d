"""
Analogue video: an FM video sender on one of the four common 2.4 GHz channels.

Such senders are always on and 16-20 MHz wide, and Wi-Fi radios cannot see them. An
nRF24L01+ samples 126 channels of 1 MHz for power. A sender appears as a plateau: 10-20
neighbouring channels busy in nine of ten samples, its middle near 2414, 2432, 2450 or
2468 MHz.

A busy 20 MHz Wi-Fi channel looks the same, so a plateau raises an alarm only if it was there
before and after the sniffer listened to the overlapping Wi-Fi channels and heard too little
to explain it. So a board without a sniffer never raises an alarm; its score stays below.

Legitimate causes: a wireless TV or camera link used openly, a baby monitor; busy Wi-Fi. A
microwave oven is on for half of each mains period, Bluetooth hops, Zigbee is 2 MHz wide:
none of them makes a plateau.

Not covered: senders below -64 dBm here (about 10 m for 10 mW in the open, less through
walls), so silence proves nothing; 900 MHz, 1.2 GHz and 5.8 GHz senders; digital senders
that hop.

Sources: nRF24L01+ Product Specification 1.0, 6.4 (RPD: -64 dBm, 40 us); Nordic DevZone on
RPD and Wi-Fi's bursts; Wikipedia "Video sender" (channels, 6.0/6.5 MHz audio subcarriers).
"""

from array import array

from ansim.detect.hysteresis import Alarm, silent, strongest_first, total
from ansim.finding import ALARM, ALARM_SCORE, Evidence, Finding
from ansim.frame_header import RATE, RECORD_BYTES, RSSI_DBM
from ansim.observation import Spectrum

VIDEO_CHANNELS = (14, 32, 50, 68)  # MHz above 2400
CENTRE_OFF_KHZ = 2000  # cheap senders drift by 1 MHz or so, and the plateau's edges are seen to 1 MHz
PLATEAU_MHZ = (10, 20)  # seen weakly only the middle of the 16-20 MHz passes -64 dBm
BUSY_PERMILLE = 900
WINDOW_SAMPLES = 50  # samples per channel before judging: 900 permille is then known to about 40 (one sigma)

PLATEAU_POINTS = 30
CENTRE_POINTS = 15
FLAT_POINTS = 5
FLAT_PERMILLE = 980  # FM is there in every sample; Wi-Fi leaves gaps between frames
STEADY_POINTS = 8
STEADY_WINDOWS = 2
UNEXPLAINED_POINTS = 25
EXPLAINED_POINTS = -40

# With frames of 0.3 ms and samples of 0.17 ms, Wi-Fi at 40 % of the air time shows in 63 % of the samples, at 60 % in
# 94 %.
AIRTIME_PERMILLE = 400
AIRTIME_LISTEN_MS = 300  # shorter visits miss the bursts
WIFI_HALF_MHZ = 9  # half of what a 20 MHz Wi-Fi channel fills
HEARD_DBM = -80  # weaker frames do not trip the RPD, also not on boards that trip early
FRAME_SAMPLES = 8  # frames examined per take(): their mean stands for all

QUIET_WINDOWS = 2  # without a plateau until an alarm is over
GONE_MS = 180000
LISTEN_URGENCY = 60

RPD_DBM = -64  # what "power" means: at least this

# Mbit/s * 2 of the ESP32's legacy rate codes 0..15; and of MCS 0..7 at 20 MHz with long guard interval.
_LEGACY = (2, 4, 11, 22, 2, 4, 11, 22, 96, 48, 24, 12, 108, 72, 36, 18)
_MCS = (13, 26, 39, 52, 78, 104, 117, 130)
_FRAME_EXTRA_US = 100  # preamble, SIFS, acknowledgement and the gap before the next frame


class AnalogueVideo:
    """Judge nRF24 spectra, taking the Wi-Fi traffic on the same frequencies into account."""

    name = "analogue_video"

    def __init__(self):
        self._known = set()
        self.forget()

    def forget(self) -> None:
        """Start a new inspection."""
        self._samples = 0
        self._busy = array("H", bytes(252))
        self._senders = {}  # MHz above 2400 -> _Sender
        self._airtime = {}  # Wi-Fi channel -> (permille, at_ms)
        self._channel = self._since_ms = 0
        self._frames = self._sampled = self._air_us = 0

    def spectrum(self, spectrum: Spectrum) -> None:
        """Take one Spectrum."""
        self._samples += spectrum.sweeps
        for index in range(126):
            self._busy[index] += spectrum.busy[index]
        if self._samples >= WINDOW_SAMPLES:
            self._window(spectrum.at_ms)
            self._samples = 0
            for index in range(126):
                self._busy[index] = 0

    def airtime(self, channel: int, permille: int, now_ms: int) -> None:
        """Take the share of a visit to a Wi-Fi channel that was filled with frames."""
        self._airtime[channel] = (permille, now_ms)

    def tune(self, channel: int, now_ms: int) -> None:
        """Note that the sniffer changes to another channel (0: deaf)."""
        listened_ms = now_ms - self._since_ms
        if self._channel and self._senders and listened_ms >= AIRTIME_LISTEN_MS:
            frame_us = self._air_us // self._sampled if self._sampled else 0
            self.airtime(self._channel, min(1000, self._frames * frame_us // listened_ms), now_ms)
        self._channel, self._since_ms = channel, now_ms
        self._frames = self._sampled = self._air_us = 0

    def take(self, records: bytes | bytearray | memoryview, count: int) -> None:
        """Take frame headers. Does nothing unless there is a plateau; then it samples a few frames."""
        if not self._senders:
            return
        self._frames += count
        step = (count + FRAME_SAMPLES - 1) // FRAME_SAMPLES * RECORD_BYTES or RECORD_BYTES
        for at in range(0, count * RECORD_BYTES, step):
            self._sampled += 1
            if 128 <= records[at + RSSI_DBM] < 256 + HEARD_DBM:
                continue  # weaker than HEARD_DBM: counts as a frame of no length
            rate = records[at + RATE]
            half_mbps = _MCS[(rate & 7)] if rate >= 128 else _LEGACY[rate & 15]
            self._air_us += _FRAME_EXTRA_US + (records[at + 4] | records[at + 5] << 8) * 16 // half_mbps

    def lost(self, undecodable: int, dropped: int) -> None:
        """Count the records that the ring had no room for as frames on the air."""
        if self._senders:
            self._frames += dropped

    def is_quiet(self) -> bool:
        """Return False while a plateau is followed: to measure Wi-Fi there takes a whole visit."""
        return not self._senders

    def candidates(self, now_ms: int) -> list:
        """Return [(channel, urgency), ...] of the Wi-Fi channels to listen to before a plateau can be judged."""
        candidates = []
        for sender in self._senders.values():
            for channel in sender.overlapping() if sender.wifi_permille is None else ():
                measured = self._airtime.get(channel)
                if (measured is None or measured[1] < sender.steady_ms) and (channel, LISTEN_URGENCY) not in candidates:
                    candidates.append((channel, LISTEN_URGENCY))
        return candidates

    def ignore(self, addresses: list) -> None:
        """Make no findings about these senders (subjects as six bytes) from now on."""
        self._known = set(addresses)

    def judge(self, now_ms: int) -> list:
        """Return the findings that are new, changed or over."""
        findings = []
        for centre in list(self._senders):
            sender = self._senders[centre]
            gone = sender.quiet >= QUIET_WINDOWS or now_ms - sender.last_ms >= GONE_MS
            if gone:
                evidence = silent(sender.last_ms, now_ms, GONE_MS)
                del self._senders[centre]
            else:
                evidence = sender.evidence()
            event = sender.alarm.event(total(evidence), RPD_DBM, now_ms)
            if event and sender.address() not in self._known:
                findings.append(sender.finding(event, evidence, now_ms))
        return findings

    def _window(self, at_ms):
        """Look for plateaus in a complete window."""
        for sender in self._senders.values():
            sender.quiet += 1
        for low, high in _plateaus(self._busy, self._samples):
            centre_khz = (low + high) * 500
            nearest = min(VIDEO_CHANNELS, key=lambda mhz: abs(mhz * 1000 - centre_khz))
            width = high - low + 1
            if not PLATEAU_MHZ[0] <= width <= PLATEAU_MHZ[1] or abs(nearest * 1000 - centre_khz) > CENTRE_OFF_KHZ:
                continue
            sender = self._senders.get(nearest)
            if sender is None:
                sender = self._senders[nearest] = _Sender(nearest, at_ms)
            sender.low, sender.high = low, high
            sender.least = min(self._busy[low : high + 1]) * 1000 // self._samples
            sender.windows += 1
            if sender.quiet > 1:
                sender.steady_ms = at_ms  # it was away, so earlier Wi-Fi traffic says nothing about it
            sender.quiet = 0
            sender.last_ms = at_ms
            self._explain(sender)

    def _explain(self, sender):
        """
        Note how much Wi-Fi there was between the plateau's first and last window, if the sniffer listened to all of it.
        """
        most = 0
        for channel in sender.overlapping():
            permille, at_ms = self._airtime.get(channel, (0, -1))
            if at_ms < sender.steady_ms:
                return
            most = max(most, permille)
        # The lowest share counts: a plateau that stays while Wi-Fi pauses is not Wi-Fi.
        if sender.wifi_permille is None or most < sender.wifi_permille:
            sender.wifi_permille = most


class _Sender:
    """A plateau near one of the video channels."""

    def __init__(self, mhz, at_ms):
        self.mhz = mhz  # above 2400, one of VIDEO_CHANNELS
        self.first_ms = self.last_ms = at_ms
        self.steady_ms = at_ms  # in every window since then
        self.low = self.high = mhz
        self.least = 0
        self.windows = self.quiet = 0
        self.wifi_permille = None  # not known yet
        self.alarm = Alarm()

    def address(self):
        """Return six bytes as the address of a sender that has none: 02:00:00:00:24:14 is 2414 MHz."""
        return bytes([2, 0, 0, 0, 0x24, self.mhz // 10 * 16 + self.mhz % 10])

    def overlapping(self):
        """Return the Wi-Fi channels whose middle half fills most of the plateau, so that they may be its cause."""
        middle = (self.low + self.high) // 2
        return [channel for channel in range(1, 14) if abs(7 + 5 * channel - middle) <= WIFI_HALF_MHZ // 2 + 1]

    def evidence(self):
        width = self.high - self.low + 1
        off_khz = abs((self.low + self.high) * 500 - self.mhz * 1000)
        evidence = [
            Evidence("plateau_mhz", width, PLATEAU_MHZ[0], PLATEAU_POINTS),
            Evidence("centre_off_khz", off_khz, CENTRE_OFF_KHZ, CENTRE_POINTS),
        ]
        flat = self.least >= FLAT_PERMILLE
        evidence.append(Evidence("occupancy_permille", self.least, FLAT_PERMILLE, FLAT_POINTS if flat else 0))
        if self.windows >= STEADY_WINDOWS:
            evidence.append(Evidence("steady_looks", self.windows, STEADY_WINDOWS, STEADY_POINTS))
        wifi = self.wifi_permille
        if wifi is not None:
            points = EXPLAINED_POINTS if wifi >= AIRTIME_PERMILLE else UNEXPLAINED_POINTS
            evidence.append(Evidence("wifi_airtime_permille", wifi, AIRTIME_PERMILLE, points))
        return evidence

    def finding(self, event, evidence, now_ms):
        wifi = self.wifi_permille
        wifi_verdict = "open" if wifi is None else "against" if wifi < AIRTIME_PERMILLE else "for"
        score = total(evidence)
        text = "02:00:00:00:24:%02d" % self.mhz
        considered = [
            ("wifi_traffic", wifi_verdict),
            ("video_sender", "open"),
            ("microwave_oven", "against" if score >= ALARM_SCORE else "open"),
            ("bluetooth_or_zigbee", "against"),
        ]
        return Finding(
            event,
            AnalogueVideo.name,
            text,
            now_ms,
            self.first_ms,
            score,
            0,
            RPD_DBM,
            "",
            strongest_first(evidence),
            considered,
            "",
            ALARM,
            "",
        )


def _plateaus(busy, samples):
    """Return [(first, last), ...] of the stretches of channels that are busy in BUSY_PERMILLE of the samples."""
    plateaus = []
    start = None
    for index in range(127):
        full = index < 126 and busy[index] * 1000 >= BUSY_PERMILLE * samples
        if full and start is None:
            start = index
        elif not full and start is not None:
            plateaus.append((start, index - 1))
            start = None
    return plateaus
