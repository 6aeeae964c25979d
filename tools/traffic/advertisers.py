"""The parts of a scene that are not frames: Bluetooth LE advertisers and analogue senders."""

from collections import namedtuple

# One Bluetooth LE advertiser.
# address      six bytes
# address_type 0 public, 1 random
# payload      0..31 bytes of advertising data
# name         as given, for people; it is in the payload too
Beacon = namedtuple("Beacon", ("address", "address_type", "rssi_dbm", "payload", "interval_ms", "name"))

# One sender whose energy an nRF24 notices, such as an analogue video sender.
# duty  0..1, share of looks at which its channels are busy
Analogue = namedtuple("Analogue", ("centre_mhz", "width_mhz", "duty", "start_s", "end_s"))

COMPLETE_NAME = 0x09


def ble_payload(adv_hex: str, name: str) -> bytes:
    """Advertising data from hex, with the name appended as its own field unless it is empty. Raises ValueError."""
    payload = bytes.fromhex(adv_hex)
    if name:
        encoded = name.encode()
        payload += bytes([len(encoded) + 1, COMPLETE_NAME]) + encoded
    return payload


def busy_channels(analogue, at_s, sweeps, random_) -> list:
    """126 counts for a Spectrum observation: how many of `sweeps` looks found power on each 1 MHz channel from 2400 MHz."""
    busy = [0] * 126
    for one in analogue:
        if not one.start_s <= at_s < one.end_s:
            continue
        low, high = one.centre_mhz - one.width_mhz / 2, one.centre_mhz + one.width_mhz / 2
        for channel in range(126):
            if low <= 2400 + channel <= high:
                heard = sum(random_.random() < one.duty for _ in range(sweeps))
                busy[channel] = max(busy[channel], heard)
    return busy
