"""
Turn the frames of one device into what a sniffer hears of them: header records on a channel.

    heard = air.Emitter(mac=..., bssid=..., channel=6, rssi_dbm=-55, loss=0.3)
    for time_us, record in heard.records(streams.frames("camera.hdr.csv.gz"), seed=1): ...

What is modelled: addresses and DS bits of both directions, sequence numbers of both
transmitters, retries, frames sent one after another (a frame waits until the one before it
has ended), ACKs and Block Acks, CTS, signal strength that wanders, frames that get lost one by
one or in bursts, and radios whose data frames cannot be decoded. What is not: collisions between
emitters, rate control, power save, the transmitter's queue.
"""

import itertools
import random
import struct

from ansim.frame_header import (
    FLAG_FROM_DS,
    FLAG_PROTECTED,
    FLAG_RETRY,
    FLAG_TO_DS,
    KIND_CONTROL,
    KIND_DATA,
    KIND_UNDECODABLE,
    PHY_AGGREGATE,
    PHY_HT,
    RECORD_FORMAT,
    SUBTYPE_ACK,
    SUBTYPE_BLOCK_ACK,
    SUBTYPE_CTS,
    SUBTYPE_QOS_DATA,
)

STATION, AP = "station", "ap"
NO_ADDRESS = bytes(6)
ACK_BYTES, CTS_BYTES, BLOCK_ACK_BYTES = 14, 14, 32
ACK_RATE = 0x0B  # 24 Mbit/s as the ESP32 names it
DATA_RATE = 0x80 | 5

FRAME_US = 44  # preamble and the gap before a frame
BITS_PER_US = 52  # MCS 5
ANSWER_US = 16
MOST_AGGREGATED = 16
AGGREGATE_GAP_US = 60  # frames that wait this little for each other share an A-MPDU

JITTERS = 257  # a prime, so that it does not fall in step with anything

# Gilbert-Elliott: in a bad period nearly everything is lost, in a good one nearly nothing
LOST_IN_BAD, LOST_IN_GOOD = 0.97, 0.01
FORGOTTEN_STAYS = 10


class Loss:
    """
    Which frames do not arrive.

    share     0..1, of all frames
    burst_ms  mean length of a bad period; 0 loses each frame by itself

    With bursts this is the Gilbert-Elliott model in continuous time: two states with exponential
    stays, LOST_IN_BAD and LOST_IN_GOOD of the frames lost in them.
    """

    def __init__(self, share: float, burst_ms: float, random_: random.Random):
        self._share = share
        self._random = random_
        bad = min(0.999, max(0.0, (share - LOST_IN_GOOD) / (LOST_IN_BAD - LOST_IN_GOOD)))
        self._bursts = burst_ms > 0 and bad > 0
        if self._bursts:
            self._bad = bad
            self._bad_us = burst_ms * 1000
            self._good_us = self._bad_us * (1 - bad) / bad
            self._until_us = None

    def is_lost(self, time_us) -> bool:
        """True if a frame at this time is lost. Times must not go back."""
        if not self._share:
            return False
        if not self._bursts:
            return self._random.random() < self._share
        if self._until_us is None or time_us - self._until_us > FORGOTTEN_STAYS * (self._bad_us + self._good_us):
            # the first frame, or one after so long a silence that the state before it tells nothing
            self._is_bad = self._random.random() < self._bad
            self._until_us = time_us + self._stay_us()
        while time_us >= self._until_us:
            self._is_bad = not self._is_bad
            self._until_us += self._stay_us()
        return self._random.random() < (LOST_IN_BAD if self._is_bad else LOST_IN_GOOD)

    def _stay_us(self):
        return 1 + self._random.expovariate(1 / (self._bad_us if self._is_bad else self._good_us))


class Emitter:
    """
    One device and its partner on one channel.

    mac            6 bytes, the device; in AP mode also its BSSID
    bssid          6 bytes, the access point a station talks to
    partner        6 bytes, the client of a device in AP mode
    role           STATION or AP
    rssi_dbm       of the device: int, or [[t_s, dbm], ...] for a sensor that is carried about
    partner_dbm    of its partner, int
    jitter_db      standard deviation of the signal strength from frame to frame
    loss, burst_ms see Loss
    retries        0..1, share of frames that are sent a second time
    control        True adds ACK or Block Ack after data
    cts            True adds a CTS before each burst of data
    undecodable    True makes the device's own data frames unreadable, as a radio with several streams does
    """

    def __init__(
        self,
        mac,
        bssid,
        channel,
        partner=NO_ADDRESS,
        role=STATION,
        rssi_dbm=-60,
        partner_dbm=-60,
        jitter_db=0.0,
        loss=0.0,
        burst_ms=0.0,
        retries=0.0,
        control=False,
        cts=False,
        undecodable=False,
    ):
        self.channel = channel
        self.loss, self.burst_ms, self.retries = loss, burst_ms, retries
        self.control, self.cts, self.undecodable = control, cts, undecodable
        self.partner_dbm = partner_dbm
        self.jitter_db = jitter_db
        self._points = rssi_dbm if type(rssi_dbm) is list else [[0, rssi_dbm]]
        if role == AP:
            to_ds, from_ds = (partner, mac, mac), (mac, partner, mac)
            up_flag, down_flag = FLAG_FROM_DS, FLAG_TO_DS
            self._far, self._mac = partner, mac
        else:
            # what comes from behind the access point has the router's address as its source
            router = bssid[:5] + bytes([bssid[5] ^ 1])
            to_ds, from_ds = (bssid, mac, router), (mac, bssid, router)
            up_flag, down_flag = FLAG_TO_DS, FLAG_FROM_DS
            self._far, self._mac = bssid, mac
        self._ways = ((down_flag, *from_ds), (up_flag, *to_ds))

    def records(self, frames, seed=0, start_us=0):
        """
        Yield (time_us, record) in time order for (t_s, up, mpdu_len, ...) frames in time order.

        A frame's fourth item, if it has one and it is not None, is its signal strength in dBm.
        """
        random_ = random.Random(f"{seed} air {self._mac.hex()}")
        lost = Loss(self.loss, self.burst_ms, random_).is_lost
        jitters = [round(random_.gauss(0, self.jitter_db)) for _ in range(JITTERS)]
        pack = struct.Struct(RECORD_FORMAT).pack
        steady = self._points[0][1] if len(self._points) == 1 else None
        sequences = [random_.randrange(4096), random_.randrange(4096)]
        answers = self.control or self.cts or self.undecodable
        free_us = 0
        burst = None  # [up, frames, end_us, signal of the one who answers] of the A-MPDU that is on the air

        for count, frame in enumerate(frames):
            up, length = frame[1], frame[2]
            time_us = max(start_us + int(frame[0] * 1_000_000), free_us)
            if burst and (burst[0] != up or burst[1] == MOST_AGGREGATED or time_us - burst[2] > AGGREGATE_GAP_US):
                free_us, answered = self._answer(pack, burst, lost)
                yield from answered
                burst = None
                time_us = max(time_us, free_us)
            if len(frame) > 3 and frame[3] is not None:
                rssi_dbm = frame[3]
            elif not up:
                rssi_dbm = self.partner_dbm
            else:
                rssi_dbm = self._walked_dbm(time_us) if steady is None else steady
            rssi_dbm = max(-128, min(20, rssi_dbm + jitters[count % JITTERS]))
            if answers and burst is None:
                if self.cts or (self.undecodable and up):
                    # the answer to the RTS: it comes from the other end, to the one who is about to send
                    if not lost(time_us):
                        yield time_us, self._control(pack, time_us, up, SUBTYPE_CTS, CTS_BYTES, 0)
                    time_us += FRAME_US
                burst = [up, 0, 0]

            way, addr1, addr2, addr3 = self._ways[up]
            sequence = sequences[up] = (sequences[up] + 1) & 0xFFF
            air_us = FRAME_US + length * 8 // BITS_PER_US
            again = self.retries and random_.random() < self.retries
            for flags in (way, way | FLAG_RETRY) if again else (way,):
                if not lost(time_us):
                    if self.undecodable and up:
                        kind, who = KIND_UNDECODABLE | PHY_HT, (NO_ADDRESS, NO_ADDRESS, NO_ADDRESS, 0)
                        control = 0
                    else:
                        kind, who = KIND_DATA | PHY_HT, (addr1, addr2, addr3, sequence << 4)
                        control = SUBTYPE_QOS_DATA | (flags | FLAG_PROTECTED) << 8
                        if burst and burst[1]:
                            kind |= PHY_AGGREGATE
                    yield (
                        time_us,
                        pack(
                            time_us & 0xFFFFFFFF,
                            length,
                            control,
                            FRAME_US,
                            rssi_dbm,
                            self.channel,
                            DATA_RATE,
                            kind,
                            *who,
                            0,
                        ),
                    )
                time_us += air_us
            free_us = time_us
            if burst:
                burst[1] += 1
                burst[2] = time_us
        if burst:
            yield from self._answer(pack, burst, lost)[1]

    def _answer(self, pack, burst, lost):
        """The receiver's ACK, or Block Ack after several frames: (when the air is free, records)."""
        up, frames, end_us = burst
        time_us = end_us + ANSWER_US
        if not (self.control or (self.undecodable and up)) or lost(time_us):
            return end_us, ()
        if frames == 1:
            record = self._control(pack, time_us, up, SUBTYPE_ACK, ACK_BYTES, 0)
        else:
            record = self._control(pack, time_us, up, SUBTYPE_BLOCK_ACK, BLOCK_ACK_BYTES, frames)
        return time_us + ANSWER_US, ((time_us, record),)

    def _control(self, pack, time_us, up, subtype, length, acked):
        """A frame to the one whose data it is about, from its partner; only a Block Ack names the sender."""
        to, sender = (self._mac, self._far) if up else (self._far, self._mac)
        rssi_dbm = self.partner_dbm if up else self._walked_dbm(time_us)
        sender = sender if subtype == SUBTYPE_BLOCK_ACK else NO_ADDRESS
        return pack(
            time_us & 0xFFFFFFFF,
            length,
            subtype,
            0,
            rssi_dbm,
            self.channel,
            ACK_RATE,
            KIND_CONTROL,
            to,
            sender,
            NO_ADDRESS,
            0,
            acked,
        )

    def _walked_dbm(self, time_us):
        """Signal strength on the way between two points of the walk."""
        points = self._points
        t_s = time_us / 1_000_000
        if t_s <= points[0][0]:
            return points[0][1]
        for (from_s, from_dbm), (to_s, to_dbm) in itertools.pairwise(points):
            if t_s < to_s:
                return round(from_dbm + (to_dbm - from_dbm) * (t_s - from_s) / (to_s - from_s))
        return points[-1][1]


def seeded_random(name) -> random.Random:
    """A random generator of its own for each named thing, so that adding one emitter does not change the others."""
    return random.Random(str(name))
