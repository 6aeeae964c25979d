"""
The way to the network, Wi-Fi or cable, behind one face.

    uplink = Wifi(network.WLAN(network.WLAN.IF_STA), settings["wifi"])
    await uplink.join(10000)         # raises NoUplink
    ...
    uplink.leave()                   # the sniffer may have the radio again

The interface is handed in, so that this file needs no `network` and a board decides about pins.
"""

import asyncio

POLL_S = 0.05
TRY_S = 8  # for one access point: association, handshake and DHCP take 1 to 5
MOST_TRIES = 6  # access points in one join()

# What WLAN.status() says while a connection is still possible; anything else is why it is not.
# Source: MicroPython's ports/esp32/modnetwork.h and ESP-IDF's wifi_err_reason_t.
_ON_THE_WAY = (1000, 1001, 1010)
_REASONS = {
    15: "wrong password",  # the four-way handshake got no answer
    200: "its beacons stopped",
    201: "not in reach",
    202: "wrong password",
    203: "it refused the association",
    204: "wrong password",
}


class NoUplink(Exception):
    """The network could not be joined; the text says why in one line, without passwords."""


class Wifi:
    """
    wlan      network.WLAN of the station interface
    networks  [{"ssid": text, "password": text}, ...], as in the settings

    What is heard strongest is tried first, then the names that were not heard (hidden
    networks answer only when asked by name). The access point that worked last is tried
    before all, without a scan.
    """

    def __init__(self, wlan, networks):
        self._wlan = wlan
        self._networks = networks
        self._last = None
        self._why = ""

    async def join(self, timeout_ms: int) -> None:
        """Return once there is an address. Raises NoUplink. The scan in it blocks everything for about 2 s."""
        if self.is_up():
            return
        self._why = ""
        try:
            await asyncio.wait_for(self._join(), timeout_ms / 1000)
        except asyncio.TimeoutError:
            self._last = None
        except OSError as error:
            self._why = "the radio refuses: %s" % error
        if not self.is_up():
            self.leave()
            raise NoUplink(self._why or "no Wi-Fi within %d s" % (timeout_ms // 1000))

    def is_up(self) -> bool:
        """True while there is a connection with an address."""
        return self._wlan.isconnected()

    def leave(self) -> None:
        """Give the radio back: disconnected and off."""
        try:
            self._wlan.disconnect()
        except OSError:  # it was not even started
            pass
        self._wlan.active(False)

    def rssi_dbm(self):
        """Return how strong the access point is received, None without one."""
        try:
            return self._wlan.status("rssi")
        except OSError:
            return None

    async def _join(self):
        self._wlan.active(True)
        self._wlan.config(reconnects=0)  # a driver that tries again by itself never says why it failed
        if self._last:
            last, self._last = self._last, None
            if await self._try(last):
                return
        for one in self._candidates()[:MOST_TRIES]:
            if await self._try(one):
                return

    def _candidates(self):
        """Return (ssid, password, bssid or None), best first."""
        passwords = {}
        for one in self._networks:
            passwords[one["ssid"].encode()] = one["password"]
        found, heard = [], set()
        for ssid, bssid, _, rssi_dbm, _, _ in self._wlan.scan():
            ssid = bytes(ssid)
            if ssid in passwords:
                found.append((-rssi_dbm, ssid, bytes(bssid)))
                heard.add(ssid)
        found.sort()
        candidates = [(ssid, passwords[ssid], bssid) for _, ssid, bssid in found]
        for one in self._networks:
            if one["ssid"].encode() not in heard:
                candidates.append((one["ssid"].encode(), one["password"], None))
        return candidates

    async def _try(self, candidate):
        ssid, password, bssid = candidate
        self._wlan.connect(ssid, password, bssid=bssid)
        status = _ON_THE_WAY[0]
        for _ in range(int(TRY_S / POLL_S)):
            await asyncio.sleep(POLL_S)
            if self._wlan.isconnected():
                self._last = candidate
                return True
            status = self._wlan.status()
            if status not in _ON_THE_WAY:
                break
        name = ssid.decode()
        why = "no address in %d s" % TRY_S if status in _ON_THE_WAY else _REASONS.get(status, "reason %d" % status)
        if bssid or not self._why:  # of networks that were heard rather than of hidden ones
            self._why = "Wi-Fi %s: %s" % (name, why)
        self._wlan.disconnect()
        return False


class Ethernet:
    """lan is network.LAN, as firmware/boards makes it; nothing needs its wire, so it stays up."""

    def __init__(self, lan):
        self._lan = lan

    async def join(self, timeout_ms: int) -> None:
        """Return once there is an address. Raises NoUplink."""
        try:
            if not self._lan.active():
                self._lan.active(True)
        except OSError as error:
            raise NoUplink("the Ethernet chip refuses: %s" % error)
        for _ in range(max(1, int(timeout_ms / 1000 / POLL_S))):
            if self.is_up():
                return
            await asyncio.sleep(POLL_S)
        raise NoUplink("no cable or no address within %d s" % (timeout_ms // 1000))

    def is_up(self) -> bool:
        """True while there is a cable and an address."""
        return self._lan.isconnected()

    def leave(self) -> None:
        """Nothing to do."""

    def rssi_dbm(self):
        """A cable has none: None."""
