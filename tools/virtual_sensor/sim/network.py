"""
`network` of an ESP32: a station and a wired port.

Connecting takes some time, needs an access point of that name in the scene (tools/virtual_sensor/air_file.py
adds the sensor's own network) and fails while /.world/no_wifi exists. Sockets are the computer's own.
"""

import random
import time

import _simulation
import machine

# Only the names that the firmware needs, because each takes the sensor's heap. The values are the real ones.
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
PHY_LAN8720 = 1

_SCAN_MS = 1700  # 13 channels, 120 ms each, and the return to the first one
_CONNECT_MS = 900  # association, handshake and DHCP with an existing lease
_ADDRESS = ("192.0.2.10", "255.255.255.0", "192.0.2.1", "192.0.2.1")


class WLAN:
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1

    _stations = {}  # one object for each interface, as in the original

    def __new__(cls, _interface_id=0):
        if _interface_id not in (WLAN.IF_STA, WLAN.IF_AP):
            raise ValueError("invalid WLAN interface identifier")
        wlan = cls._stations.get(_interface_id)
        if wlan is None:
            wlan = cls._stations[_interface_id] = object.__new__(cls)
            wlan._active = False
            wlan._joined = None  # (ssid, bssid, rssi_dbm) of the connected network
            wlan._ready_us = 0  # when connecting ends
            wlan._status = STAT_IDLE
            wlan._settings = {"pm": WLAN.PM_PERFORMANCE, "reconnects": -1, "txpower": 20, "channel": 1}
        return wlan

    def active(self, _is_active=None):
        if _is_active is None:
            return self._active
        if not _is_active:
            self._leave(STAT_IDLE)
        self._active = bool(_is_active)
        _simulation.wifi_started = any(wlan._active for wlan in WLAN._stations.values())
        return None

    def connect(self, _ssid=None, _password=None, *, bssid=None):
        self._require_active("Wifi Internal Error")
        self._leave(STAT_CONNECTING)
        _simulation.wifi_busy = True
        self._ready_us = _simulation.now_us() + _CONNECT_MS * 1000
        self._target = _ssid if isinstance(_ssid, bytes) else (_ssid or "").encode(), _password or "", bssid

    def disconnect(self):
        self._leave(STAT_IDLE)

    def isconnected(self):
        self._update()
        return self._status == STAT_GOT_IP

    def status(self, _param=None):
        self._update()
        if _param is None:
            return self._status
        if _param != "rssi":
            raise ValueError("unknown status param")
        if self._status != STAT_GOT_IP:
            raise OSError("Wifi Not Connected")
        return self._joined[2] + random.randrange(5) - 2

    def scan(self):
        self._require_active("STA must be active")
        if _simulation.wifi_busy and self._status != STAT_GOT_IP:
            raise OSError("Wifi Busy")
        time.sleep_ms(_SCAN_MS)
        _simulation.wifi_freed_us = _simulation.now_us()
        rows = []
        for ssid, length, bssid, channel, rssi_dbm, security in _simulation.air().rows("access_points"):
            if random.randrange(20):  # a scan misses some
                rows.append((ssid[:length], bssid, channel, rssi_dbm + random.randrange(7) - 3, security, False))
        return sorted(rows, key=lambda row: -row[3])

    def config(self, _param=None, **settings):
        if _param is not None:
            if settings:
                raise TypeError("either pos or kw args are allowed")
            if _param == "mac":
                return machine.unique_id()
            if _param in ("ssid", "essid"):
                return self._joined[0].decode() if self._joined else ""
            if _param not in self._settings:
                raise ValueError("unknown config param")
            return self._settings[_param]
        for name in settings:
            if name not in self._settings and name not in ("mac", "ssid", "hidden", "security", "key", "protocol"):
                raise ValueError("unknown config param")
        self._settings.update(settings)
        return None

    def ifconfig(self, _ip_mask_gateway_dns=None):
        return _ADDRESS if self.isconnected() else ("0.0.0.0",) * 4

    def ipconfig(self, *args, **kwargs):
        if kwargs:
            return None
        return _ADDRESS[:2] if self.isconnected() else ("0.0.0.0", "0.0.0.0")

    def _require_active(self, message):
        if not self._active:
            raise OSError(message)

    def _leave(self, status):
        if _simulation.wifi_busy:
            _simulation.wifi_busy = False
            _simulation.wifi_freed_us = _simulation.now_us()
        self._joined = None
        self._status = status

    def _update(self):
        """Finish connecting, or lose the connection, if that is due."""
        if self._status == STAT_GOT_IP and _simulation.exists("no_wifi"):
            self._leave(STAT_BEACON_TIMEOUT)
        if self._status != STAT_CONNECTING or _simulation.now_us() < self._ready_us:
            return
        ssid, password, bssid = self._target
        for name, length, address, _channel, rssi_dbm, security in _simulation.air().rows("access_points"):
            if (
                name[:length] == ssid
                and (bssid is None or bytes(bssid) == address)
                and not _simulation.exists("no_wifi")
            ):
                wrong = security and password != _simulation.load("wifi_password", password)
                if wrong:
                    break
                self._joined = (ssid, address, rssi_dbm)
                self._status = STAT_GOT_IP
                return
        else:
            wrong = False
        self._leave(STAT_WRONG_PASSWORD if wrong else STAT_NO_AP_FOUND)


class LAN:
    # The parameters of the ESP32's port; the type stubs have those of another port.
    def __init__(
        self,
        id=None,
        *,
        phy_addr,
        phy_type,
        mdc=None,
        mdio=None,
        reset=None,
        power=None,
        spi=None,
        cs=None,
        int=None,
        ref_clk_mode=-1,
        ref_clk=None,
    ):
        self._active = False

    def active(self, _is_active=None):
        if _is_active is None:
            return self._active
        self._active = bool(_is_active)
        return None

    def isconnected(self):
        return self._active and not _simulation.exists("no_lan")

    def status(self):
        return 5 if self.isconnected() else 4 if self._active else 2  # ETH_GOT_IP, _DISCONNECTED, _STOPPED

    def ifconfig(self, configtuple=None):
        return _ADDRESS if self.isconnected() else ("0.0.0.0",) * 4

    def config(self, _param):
        if _param == "mac":
            return machine.unique_id()
        raise ValueError("unknown config param")
