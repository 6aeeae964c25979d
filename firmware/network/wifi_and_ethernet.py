"""
Join and leave the network, by Wi-Fi or Ethernet cable.

    uplink = Wifi(network.WLAN(network.WLAN.IF_STA), settings["wifi"])
    await wifi_and_ethernet.join(10000)         # raises NoUplink
    ...
    wifi_and_ethernet.leave()                   # the sniffer may have the radio again

The network interface is a constructor argument, so this file does not import `network`, and a board file sets the pins.
"""

import asyncio

POLL_S = 0.05
TRY_S = 8  # for one access point: association, handshake and DHCP take 1 to 5 s
STALE_S = 4  # connect() scans and associates in less; see Wifi._try()
MAX_TRIES = 6  # access points in one join()

# WLAN.status() while a connection is still possible; any other value is the reason of a failure.
# Source: MicroPython's ports/esp32/modnetwork.h and ESP-IDF's wifi_err_reason_t.
_CONNECTING = (1000, 1001, 1010)
_LEFT = 8  # the sensor itself has left the network before


class NoUplink(Exception):
    """The network could not be joined; the text says why in one line, without passwords."""


class Wifi:
    """
    wlan      network.WLAN of the station interface
    networks  [{"ssid": text, "password": text}, ...], as in the settings
    must_sleep  function(): True while Bluetooth is on, and Wi-Fi must leave it the antenna between beacons

    The strongest access points of a scan are tried first, then the names that the scan did not find (hidden networks
    answer only to their name). The access point that worked last is tried before all others, without a scan. What one
    join() had no time for comes first in the next.
    """

    def __init__(self, wlan, networks, must_sleep=lambda: False):
        self._wlan = wlan
        self._must_sleep = must_sleep
        self._networks = networks
        self._last = None
        self._failed_tries = 0  # since the last connection
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
        except (OSError, RuntimeError) as error:  # a RuntimeError if Wi-Fi gets no memory
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
            self._save_power(True)  # the chip needs it while Bluetooth is on
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
        self._save_power(False)
        if self._last:
            last, self._last = self._last, None
            if await self._try(last):
                return
        candidates = self._candidates()
        for _ in range(min(MAX_TRIES, len(candidates))):
            if await self._try(candidates[self._failed_tries % len(candidates)]):
                self._failed_tries = 0
                return
            self._failed_tries += 1
        if len(candidates) <= MAX_TRIES:
            self._failed_tries = 0

    def _save_power(self, on):
        """Switch modem sleep on or off: with it each answer takes up to a beacon interval (100 ms) or more."""
        wlan = self._wlan
        if hasattr(wlan, "PM_NONE"):
            wlan.config(pm=wlan.PM_PERFORMANCE if on or self._must_sleep() else wlan.PM_NONE)

    def _candidates(self):
        """
        Return (ssid, password, bssid or None), best first.

        A scan that fails returns an empty list: the configured networks are then tried by name.
        """
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
        """
        Connect to one access point; False if that fails.

        The ESP32's status() returns the reason of an earlier failure until there is an address. So a reason counts
        only if it differs from the one before connect(), or if there is no association after STALE_S.
        """
        ssid, password, bssid = candidate
        before = self._wlan.status()
        self._wlan.connect(ssid, password, bssid=bssid)
        status = _CONNECTING[0]
        for polls in range(int(TRY_S / POLL_S)):
            await asyncio.sleep(POLL_S)
            if self._wlan.isconnected():
                self._last = candidate
                return True
            status = self._wlan.status()
            if status in _CONNECTING:
                continue
            if status not in (before, _LEFT) or (polls * POLL_S >= STALE_S and self.rssi_dbm() is None):
                break
        name = ssid.decode()
        has_reason = status not in _CONNECTING and self.rssi_dbm() is None
        reason = _reason(status) if has_reason else "no address in %d s" % TRY_S
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
        205: "it does not answer",
        210: "not in reach with this security",
        211: "not in reach with this security",
        212: "too weak",
    }
    return reasons.get(status, "reason %d" % status)


class Ethernet:
    """`lan` is a network.LAN, as firmware/boards makes it, or None. It stays up, because nothing else uses it."""

    def __init__(self, lan):
        self._lan = lan

    async def join(self, timeout_ms: int) -> None:
        """Return once there is an address. Raises NoUplink."""
        if self._lan is None:
            raise NoUplink("the board in the settings has no Ethernet")
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
        return self._lan is not None and self._lan.isconnected()

    def leave(self) -> None:
        """Do nothing."""

    def rssi_dbm(self):
        """Return None: a cable has no signal strength."""
