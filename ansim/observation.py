"""
Observations of the radios, except for frames (frame_header.py).

Radios make observations and detectors read them; they are never changed. `at_ms` is the
sensor's own monotonic clock in milliseconds since its start; it does not wrap and is
not the time of day (see firmware/network/clock.py). Addresses are six bytes.
"""

from collections import namedtuple

# One stay of the sniffer on one channel.
# channel      1..13, or 36..177 on 5 GHz
# from_ms, to_ms   start and end of listening
# frames       header records handed over
# undecodable  number of them that the radio could not decode
# dropped      records lost because the ring was not read in time
Visit = namedtuple("Visit", ("channel", "from_ms", "to_ms", "frames", "undecodable", "dropped"))

# One access point as a scan lists it.
# ssid      str, "" when hidden; bytes that are not UTF-8 are replaced by "?"
# security  int as WLAN.scan() gives it: 0 open, 1 WEP, 2 WPA-PSK, 3 WPA2-PSK, ...
AccessPoint = namedtuple("AccessPoint", ("at_ms", "ssid", "bssid", "channel", "rssi_dbm", "security"))

# One Bluetooth LE advertisement.
# address_type  0 public, 1 random
# payload       0..31 bytes of advertising data, see ble_fields.py
Advertisement = namedtuple("Advertisement", ("at_ms", "address", "address_type", "rssi_dbm", "payload"))

# Energy on 126 channels of 1 MHz from 2400 MHz up, measured by an nRF24L01+.
# sweeps  number of samples of each channel
# busy    126 ints: number of these samples with power on the channel
Spectrum = namedtuple("Spectrum", ("at_ms", "sweeps", "busy"))
