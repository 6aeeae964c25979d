"""
Join and leave the network, by Wi-Fi or Ethernet cable.

    uplink = Wifi(network.WLAN(network.WLAN.IF_STA), settings["wifi"])
    await uplink.join(10000)         # raises NoUplink
    ...
    uplink.leave()                   # the sniffer may have the radio again

The network interface is a constructor argument, so this file does not import `network`, and a board file sets the pins.
"""

import asyncio

POLL_S = 0.05
TRY_S = 8  # for one access point: association, handshake and DHCP take 1 to 5 s
MAX_TRIES = 6  # access points in one join()

# WLAN.status() while a connection is still possible; any other value is the reason of a failure.
# Source: MicroPython's ports/esp32/modnetwork.h and ESP-IDF's wifi_err_reason_t.
_CONNECTING = (1000, 1001, 1010)


class NoUplink(Exception):
    """The network could not be joined; the text says why in one line, without passwords."""


class Wifi:
    """
    wlan      network.WLAN of the station interface
    networks  [{"ssid": text, "password": text}, ...], as in the settings

    The strongest access points of a scan are tried first, then the names that the scan did not find (hidden networks
    answer only to their name). The access point that worked last is tried before all others, without a scan.
    """

    def __init__(self, wlan, networks):
        self._wlan = wlan
        self._networks = networks
        self._last = None
        self._failure = ""

    async def join(self, timeout_ms: int) -> None:
        """Return once there is an address. Raises NoUplink. The scan blocks all tasks for about 2 s."""
        if self.is_up():
            return
        self._failure = ""
        try:
            await asyncio.wait_for(self._join(), timeout_ms / 1000)
        except asyncio.TimeoutError:
            self._last = None
        except OSError as error:
            self._failure = "the radio refuses: %s" % error
        if not self.is_up():
            self.leave()
            raise NoUplink(self._failure or "no Wi-Fi within %d s" % (timeout_ms // 1000))

    def is_up(self) -> bool:
        """True while there is a connection with an address."""
        return self._wlan.isconnected()

    def leave(self) -> None:
        """Disconnect and switch the radio off."""
        try:
            self._wlan.disconnect()
        except OSError:  # it was not started
            pass
        self._wlan.active(False)

    def rssi_dbm(self):
        """Return the signal strength of the access point, None without one."""
        try:
            return self._wlan.status("rssi")
        except OSError:
            return None

    async def _join(self):
        self._wlan.active(True)
        self._wlan.config(reconnects=0)  # a driver that retries by itself never says why it failed
        if self._last:
            last, self._last = self._last, None
            if await self._try(last):
                return
        for candidate in self._candidates()[:MAX_TRIES]:
            if await self._try(candidate):
                return

    def _candidates(self):
        """Return (ssid, password, bssid or None), best first."""
        passwords = {}
        for known in self._networks:
            passwords[known["ssid"].encode()] = known["password"]
        access_points, heard = [], set()
        for ssid, bssid, _, rssi_dbm, _, _ in self._wlan.scan():
            ssid = bytes(ssid)
            if ssid in passwords:
                access_points.append((-rssi_dbm, ssid, bytes(bssid)))
                heard.add(ssid)
        access_points.sort()
        candidates = [(ssid, passwords[ssid], bssid) for _, ssid, bssid in access_points]
        for known in self._networks:
            if known["ssid"].encode() not in heard:
                candidates.append((known["ssid"].encode(), known["password"], None))
        return candidates

    async def _try(self, candidate):
        ssid, password, bssid = candidate
        self._wlan.connect(ssid, password, bssid=bssid)
        status = _CONNECTING[0]
        for _ in range(int(TRY_S / POLL_S)):
            await asyncio.sleep(POLL_S)
            if self._wlan.isconnected():
                self._last = candidate
                return True
            status = self._wlan.status()
            if status not in _CONNECTING:
                break
        name = ssid.decode()
        reason = "no address in %d s" % TRY_S if status in _CONNECTING else _reason(status)
        if bssid or not self._failure:  # rather that of a network the scan has found than of a hidden one
            self._failure = "Wi-Fi %s: %s" % (name, reason)
        self._wlan.disconnect()
        return False


def _reason(status):
    """Return why a connection failed."""
    reasons = {  # here, so that it takes no heap meanwhile
        15: "wrong password",  # the four-way handshake got no answer
        200: "its beacons stopped",
        201: "not in reach",
        202: "wrong password",
        203: "it refused the association",
        204: "wrong password",
    }
    return reasons.get(status, "reason %d" % status)


class Ethernet:
    """`lan` is a network.LAN, as firmware/boards makes it. It stays up, because nothing else uses it."""

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
        """Do nothing."""

    def rssi_dbm(self):
        """Return None: a cable has no signal strength."""
