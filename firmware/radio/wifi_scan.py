"""
List access points with the interpreter's own scan.

    for access_point in scan(wlan, now_ms): ...        # strongest first

WLAN.scan() blocks all tasks for about 2 s. Its sixth field, "hidden", is never True on an ESP32; a
hidden network has an empty name instead.
"""

from ansim.observation import AccessPoint

MAX_ACCESS_POINTS = 64  # weaker ones are left out


def scan(wlan, now_ms: int) -> list:
    """
    Return the access points in range as a list of AccessPoint, strongest first.

    wlan  network.WLAN of the station interface; it is switched on if it was off

    Raises OSError if the radio is switched off. A scan that fails, as while connecting, returns an empty list.
    """
    if not wlan.active():
        wlan.active(True)
    rows = wlan.scan()
    rows.sort(key=lambda row: -row[3])
    del rows[MAX_ACCESS_POINTS:]
    # In place, because a long list takes several kB.
    for index, (ssid, bssid, channel, rssi_dbm, security, _) in enumerate(rows):
        rows[index] = AccessPoint(now_ms, ssid_text(ssid), bytes(bssid), channel, rssi_dbm, security)
    return rows


def ssid_text(ssid: bytes) -> str:
    """Return a network's name as text; if it is not UTF-8, every byte above 0x7F becomes "?"."""
    ssid = bytes(ssid).rstrip(b"\0")
    try:
        return ssid.decode()
    except UnicodeError:
        return "".join([chr(byte) if byte < 0x80 else "?" for byte in ssid])
