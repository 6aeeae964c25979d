"""
A model of the air: turns the frames of one device into the header records that a sniffer receives.

    emitter = air.Emitter(mac=..., bssid=..., channel=6, rssi_dbm=-55, loss=0.3)
    for time_us, record in emitter.records(streams.frames("camera.hdr.csv.gz"), seed=1): ...

Modelled: addresses and DS bits of both directions, sequence numbers of both transmitters, retries,
frames sent one after another (a frame waits for the end of the one before), ACKs and Block Acks, CTS,
varying signal strength, frames lost singly or in bursts, and radios whose data frames cannot be decoded.
Not modelled: collisions between emitters, rate control, power save, the transmitter's queue.
"""

import itertools
import random
import struct
from collections.abc import Iterable, Iterator

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
SIFS_US = 16  # between a frame and its acknowledgement
MOST_AGGREGATED = 16
AGGREGATE_GAP_US = 60  # frames at most this far apart share an A-MPDU

JITTERS = 257  # a prime, so that the sequence does not fall in step with the frames

# Gilbert-Elliott: nearly all frames are lost in a bad period, nearly none in a good one.
LOST_IN_BAD, LOST_IN_GOOD = 0.97, 0.01
FORGOTTEN_PERIODS = 10


class Loss:
    """
    Decides which frames are lost.

    share     0..1, of all frames
    burst_ms  mean length of a bad period; 0 loses each frame independently

    With bursts this is the Gilbert-Elliott model in continuous time: two states of exponential duration,
    in which LOST_IN_BAD and LOST_IN_GOOD of the frames are lost.
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
            self._until_us: float | None = None

    def is_lost(self, time_us: int) -> bool:
        """Return True if a frame at this time is lost. Times must not decrease."""
        if not self._share:
            return False
        if not self._bursts:
            return self._random.random() < self._share
        if self._until_us is None or time_us - self._until_us > FORGOTTEN_PERIODS * (self._bad_us + self._good_us):
            # The first frame, or one after so long a silence that the earlier state does not matter.
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
    One device and its communication partner on one channel.

    mac            6 bytes, the device; in AP mode also its BSSID
    bssid          6 bytes, the access point of a station
    partner        6 bytes, the client of a device in AP mode
    role           STATION or AP
    rssi_dbm       of the device: int, or [[t_s, dbm], ...] for a sensor that is carried
    partner_dbm    of its partner, int
    jitter_db      standard deviation of the signal strength of frames
    loss, burst_ms see Loss
    retries        0..1, share of frames that are sent twice
    control        True adds an ACK or Block Ack after data
    cts            True adds a CTS before each burst of data
    undecodable    True makes the device's data frames unreadable, as those of a radio with several streams are
    """

    def __init__(
        self,
        mac: bytes,
        bssid: bytes,
        channel: int,
        partner: bytes = NO_ADDRESS,
        role: str = STATION,
        rssi_dbm: int | list = -60,
        partner_dbm: int = -60,
        jitter_db: float = 0.0,
        loss: float = 0.0,
        burst_ms: float = 0.0,
        retries: float = 0.0,
        control: bool = False,
        cts: bool = False,
        undecodable: bool = False,
    ):
        self.channel = channel
        self.loss, self.burst_ms, self.retries = loss, burst_ms, retries
        self.control, self.cts, self.undecodable = control, cts, undecodable
        self.partner_dbm = partner_dbm
        self.jitter_db = jitter_db
        self._walk = rssi_dbm if isinstance(rssi_dbm, list) else [[0, rssi_dbm]]
        if role == AP:
            to_ds, from_ds = (partner, mac, mac), (mac, partner, mac)
            up_flag, down_flag = FLAG_FROM_DS, FLAG_TO_DS
            self._partner, self._mac = partner, mac
        else:
            # Frames from behind the access point have the router's address as their source.
            router = bssid[:5] + bytes([bssid[5] ^ 1])
            to_ds, from_ds = (bssid, mac, router), (mac, bssid, router)
            up_flag, down_flag = FLAG_TO_DS, FLAG_FROM_DS
            self._partner, self._mac = bssid, mac
        self._headers = ((down_flag, *from_ds), (up_flag, *to_ds))

    def records(self, frames: Iterable[tuple], seed: int | str = 0, start_us: int = 0) -> Iterator[tuple[int, bytes]]:
        """
        Yield (time_us, record) in time order for frames (t_s, up, mpdu_len, ...) in time order.

        A fourth item of a frame, if present and not None, is its signal strength in dBm.
        """
        random_ = random.Random(f"{seed} air {self._mac.hex()}")
        is_lost = Loss(self.loss, self.burst_ms, random_).is_lost
        jitters = [round(random_.gauss(0, self.jitter_db)) for _ in range(JITTERS)]
        pack = struct.Struct(RECORD_FORMAT).pack
        fixed_dbm = self._walk[0][1] if len(self._walk) == 1 else None
        sequences = [random_.randrange(4096), random_.randrange(4096)]
        has_control = self.control or self.cts or self.undecodable
        free_us = 0  # when the air is free
        burst = None  # [up, frames, end_us] of the A-MPDU on the air

        for count, frame in enumerate(frames):
            up, length = frame[1], frame[2]
            time_us = max(start_us + int(frame[0] * 1_000_000), free_us)
            if burst and (burst[0] != up or burst[1] == MOST_AGGREGATED or time_us - burst[2] > AGGREGATE_GAP_US):
                free_us, acks = self._acknowledge(pack, burst, is_lost)
                yield from acks
                burst = None
                time_us = max(time_us, free_us)
            if len(frame) > 3 and frame[3] is not None:
                rssi_dbm = frame[3]
            elif not up:
                rssi_dbm = self.partner_dbm
            else:
                rssi_dbm = self._rssi_dbm(time_us) if fixed_dbm is None else fixed_dbm
            rssi_dbm = max(-128, min(20, rssi_dbm + jitters[count % JITTERS]))
            if has_control and burst is None:
                if self.cts or (self.undecodable and up):
                    # The partner's response to an RTS of the device that is about to send.
                    if not is_lost(time_us):
                        yield time_us, self._control(pack, time_us, up, SUBTYPE_CTS, CTS_BYTES, 0)
                    time_us += FRAME_US
                burst = [up, 0, 0]

            direction, addr1, addr2, addr3 = self._headers[up]
            sequence = sequences[up] = (sequences[up] + 1) & 0xFFF
            air_us = FRAME_US + length * 8 // BITS_PER_US
            is_retried = self.retries and random_.random() < self.retries
            for flags in (direction, direction | FLAG_RETRY) if is_retried else (direction,):
                if not is_lost(time_us):
                    if self.undecodable and up:
                        kind, addresses = KIND_UNDECODABLE | PHY_HT, (NO_ADDRESS, NO_ADDRESS, NO_ADDRESS, 0)
                        control = 0
                    else:
                        kind, addresses = KIND_DATA | PHY_HT, (addr1, addr2, addr3, sequence << 4)
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
                            *addresses,
                            0,
                        ),
                    )
                time_us += air_us
            free_us = time_us
            if burst:
                burst[1] += 1
                burst[2] = time_us
        if burst:
            yield from self._acknowledge(pack, burst, is_lost)[1]

    def _acknowledge(self, pack, burst, is_lost):
        """Return (time when the air is free, records) of the receiver's ACK, or Block Ack after several frames."""
        up, frames, end_us = burst
        time_us = end_us + SIFS_US
        if not (self.control or (self.undecodable and up)) or is_lost(time_us):
            return end_us, ()
        if frames == 1:
            record = self._control(pack, time_us, up, SUBTYPE_ACK, ACK_BYTES, 0)
        else:
            record = self._control(pack, time_us, up, SUBTYPE_BLOCK_ACK, BLOCK_ACK_BYTES, frames)
        return time_us + SIFS_US, ((time_us, record),)

    def _control(self, pack, time_us, up, subtype, length, acked):
        """
        Return a control frame to the sender of the data (up: the device); only a Block Ack has its own sender's
        address.
        """
        receiver, sender = (self._mac, self._partner) if up else (self._partner, self._mac)
        rssi_dbm = self.partner_dbm if up else self._rssi_dbm(time_us)
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
            receiver,
            sender,
            NO_ADDRESS,
            0,
            acked,
        )

    def _rssi_dbm(self, time_us):
        """Return the signal strength of the device, interpolated between the points of the walk."""
        points = self._walk
        t_s = time_us / 1_000_000
        if t_s <= points[0][0]:
            return points[0][1]
        for (from_s, from_dbm), (to_s, to_dbm) in itertools.pairwise(points):
            if t_s < to_s:
                return round(from_dbm + (to_dbm - from_dbm) * (t_s - from_s) / (to_s - from_s))
        return points[-1][1]


def seeded_random(name: object) -> random.Random:
    """
    Return a random generator seeded by a name: with one per emitter, adding an emitter does not change the others.
    """
    return random.Random(str(name))
