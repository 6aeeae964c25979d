"""The parts of a scene that are not Wi-Fi frames: Bluetooth LE advertisers and analogue senders."""

import random
from collections.abc import Iterable
from typing import NamedTuple


class Beacon(NamedTuple):
    """One Bluetooth LE advertiser."""

    address: bytes  # 6 bytes
    address_type: int  # 0 public, 1 random
    rssi_dbm: int
    payload: bytes  # 0..31 bytes of advertising data
    interval_ms: int
    name: str  # for people; the payload has it too


class Analogue(NamedTuple):
    """One sender whose energy an nRF24 detects, such as an analogue video sender."""

    centre_mhz: float
    width_mhz: float
    duty: float  # 0..1, share of measurements in which its channels are busy
    start_s: float
    end_s: float


COMPLETE_NAME = 0x09  # field type of an advertisement
FIRST_MHZ, CHANNELS = 2400, 126  # of the nRF24


def ble_payload(adv_hex: str, name: str) -> bytes:
    """
    Return advertising data from hex digits, with a name appended as its own field unless empty.

    Raises ValueError.
    """
    payload = bytes.fromhex(adv_hex)
    if name:
        encoded = name.encode()
        payload += bytes([len(encoded) + 1, COMPLETE_NAME]) + encoded
    return payload


def busy_channels(analogue: Iterable[Analogue], at_s: float, sweeps: int, random_: random.Random) -> list[int]:
    """Return 126 counts for a Spectrum observation: how many of `sweeps` measurements found each 1 MHz channel busy."""
    busy = [0] * CHANNELS
    for sender in analogue:
        if not sender.start_s <= at_s < sender.end_s:
            continue
        low, high = sender.centre_mhz - sender.width_mhz / 2, sender.centre_mhz + sender.width_mhz / 2
        for channel in range(CHANNELS):
            if low <= FIRST_MHZ + channel <= high:
                count = sum(random_.random() < sender.duty for _ in range(sweeps))
                busy[channel] = max(busy[channel], count)
    return busy
