"""
Access points by the interpreter's own scan.

    for one in scan(wlan, now_ms): ...        # list of AccessPoint, strongest first

WLAN.scan() holds up everything else for about 2 s. Its sixth field, "hidden", is never True
on an ESP32; a hidden network has an empty name instead.
"""

from ansim.observation import AccessPoint

MOST = 64  # the weakest of a crowd are left out


def scan(wlan, now_ms: int) -> list:
    """
    Return the access points in reach as a list of AccessPoint.

    wlan  network.WLAN of the station interface; it is switched on if it was off

    Raises OSError if the radio is not free.
    """
    if not wlan.active():
        wlan.active(True)
    found = wlan.scan()
    found.sort(key=lambda one: -one[3])
    del found[MOST:]
    for place, (ssid, bssid, channel, rssi_dbm, security, _) in enumerate(found):  # in place: a crowd is several kB
        found[place] = AccessPoint(now_ms, text(ssid), bytes(bssid), channel, rssi_dbm, security)
    return found


def text(ssid: bytes) -> str:
    """Return a network's name as text; what is not UTF-8 becomes "?" byte by byte."""
    ssid = bytes(ssid).rstrip(b"\0")
    try:
        return ssid.decode()
    except UnicodeError:
        return "".join([chr(byte) if byte < 0x80 else "?" for byte in ssid])
