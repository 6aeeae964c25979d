"""
`network` of an ESP32: a station and a wired port.

Connecting takes some time, needs an access point of that name in the scene (tools/virtual_sensor/air_file.py
adds the sensor's own network) and fails while /.world/no_wifi exists. Sockets are the computer's own.

As in ports/esp32/network_wlan.c, status() keeps the reason of the last failure until there is an address, and
scan() returns [] if it fails (always while /.world/no_scan exists). Whether disconnect() during an attempt posts an
event is not known; it does while /.world/disconnect_event exists. Scans and connections use channels 1 to 11 until
rfsniff.country() allows others.

Wi-Fi takes memory of the chip: the driver from the first WLAN() on, and more while an interface is active. How much is
an estimate, no board was measured. Without it MicroPython raises a RuntimeError with the number of ESP_ERR_NO_MEM
(ports/esp32/network_common.c).
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
_ASSOC_LEAVE = 8  # WIFI_REASON_ASSOC_LEAVE: disconnect() was called
_KEPT = (201, 202, 205, 210, 211, 212)  # reasons that status() tests before it tests for "connecting"
PHY_LAN8720 = 1

_SCAN_MS = 1700  # 13 channels, 120 ms each, and the return to the first one
_CHANNEL_MS = 130  # connect() scans up to the channel of the access point
_ASSOCIATE_MS = 500  # association and handshake
_REFUSE_MS = 1000  # until a handshake with a wrong password has failed
_ADDRESS_MS = 1500  # DHCP with its ARP check; /.world/dhcp_ms holds another value
_DRIVER_BYTES, _START_BYTES = 45000, 8000
_PIECE_BYTES = 4000
_EVENT_MS = 20  # from disconnect() to its event
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
            if not cls._stations:
                _take(_DRIVER_BYTES)
            wlan = cls._stations[_interface_id] = object.__new__(cls)
            _simulation.wifi_ready = True
            wlan._active = False
            wlan._joined = None  # (ssid, bssid, rssi_dbm) of the associated network
            wlan._next = None  # what the attempt comes to: None, or (ssid, bssid, rssi_dbm), or a reason
            wlan._next_us = 0  # and when
            wlan._has_address = False
            wlan._address_us = 0
            wlan._left_us = 0  # when the event of disconnect() comes
            wlan._reason = 0  # wifi_sta_disconn_reason
            wlan._is_requested = False  # wifi_sta_connect_requested
            wlan._failures = 0  # wifi_sta_reconnects
            wlan._settings = {"pm": WLAN.PM_PERFORMANCE, "reconnects": -1, "txpower": 20, "channel": 1}
        return wlan

    def active(self, _is_active=None):
        if _is_active is None:
            return self._active
        if not _is_active:
            self._leave()
        if _is_active and not _simulation.wifi_started:
            _take(_START_BYTES)
        self._active = bool(_is_active)
        was_started = _simulation.wifi_started
        _simulation.wifi_started = any(wlan._active for wlan in WLAN._stations.values())
        if was_started and not _simulation.wifi_started:
            _simulation.give_idf("wifi", _START_BYTES)
        return None

    def connect(self, _ssid=None, _password=None, *, bssid=None):
        self._require_active("Wifi Internal Error")
        self._update()
        if self._next is not None:
            raise OSError("Wifi Internal State Error")  # "sta is connecting, cannot set config"
        self._leave()
        _simulation.wifi_busy = True
        self._is_requested, self._failures = True, 0
        ssid = _ssid if isinstance(_ssid, bytes) else (_ssid or "").encode()
        self._next, duration_ms = self._find(ssid, _password or "", bssid)
        self._next_us = _simulation.now_us() + duration_ms * 1000

    def disconnect(self):
        self._require_active("Wifi Not Started")
        self._update()
        self._is_requested = False
        self._leave()

    def isconnected(self):
        self._update()
        _simulation.has_network = self._has_address
        _simulation.modem_sleeps = self._has_address and self._settings["pm"] != WLAN.PM_NONE
        return self._has_address

    def status(self, _param=None):
        self._update()
        if _param is None:
            if self._has_address:
                return STAT_GOT_IP
            if self._reason in _KEPT:
                return STAT_WRONG_PASSWORD if self._reason == 205 else self._reason
            if self._is_requested and (self._settings["reconnects"] < 0 or not self._failures):
                return STAT_CONNECTING
            return self._reason or STAT_IDLE
        if _param != "rssi":
            raise ValueError("unknown status param")
        if not self._joined:
            raise OSError("Wifi Not Connected")
        return self._joined[2] + random.randrange(5) - 2

    def scan(self):
        self._require_active("STA must be active")
        self._update()
        if self._next is not None or _simulation.exists("no_scan"):
            return []
        time.sleep_ms(_SCAN_MS)
        _simulation.wifi_freed_us = _simulation.now_us()
        rows = []
        for ssid, length, bssid, channel, rssi_dbm, security in _simulation.air().rows("access_points"):
            if channel <= _simulation.wifi_channels and random.randrange(20):  # a scan misses some
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

    def _find(self, ssid, password, bssid):
        """Return what an attempt to connect comes to, and after how many ms."""
        for name, length, address, channel, rssi_dbm, security in _simulation.air().rows("access_points"):
            if (
                name[:length] == ssid
                and channel <= _simulation.wifi_channels
                and (bssid is None or bytes(bssid) == address)
                and not _simulation.exists("no_wifi")
            ):
                if security and password != _simulation.load("wifi_password", password):
                    return STAT_WRONG_PASSWORD, channel * _CHANNEL_MS + _REFUSE_MS
                return (ssid, address, rssi_dbm), channel * _CHANNEL_MS + _ASSOCIATE_MS
        return STAT_NO_AP_FOUND, _SCAN_MS

    def _leave(self):
        """End the connection or the attempt."""
        if self._joined or (self._next is not None and _simulation.exists("disconnect_event")):
            self._left_us = _simulation.now_us() + _EVENT_MS * 1000
        _simulation.idf_taken["tls"] = 0
        self._free()

    def _fail(self, reason):
        self._free()
        self._reason = reason
        self._failures += 1

    def _free(self):
        if _simulation.wifi_busy:
            _simulation.wifi_busy = False
            _simulation.wifi_freed_us = _simulation.now_us()
        self._joined = self._next = None
        self._has_address = _simulation.has_network = _simulation.modem_sleeps = False

    def _update(self):
        """Go on with connecting, or lose the connection, if that is due."""
        now_us = _simulation.now_us()
        if self._left_us and now_us >= self._left_us:
            self._left_us = 0
            self._reason = _ASSOC_LEAVE
            self._failures += 1
        if self._joined and _simulation.exists("no_wifi"):
            self._fail(STAT_BEACON_TIMEOUT)
        if self._next is not None and now_us >= self._next_us:
            outcome, self._next = self._next, None
            if isinstance(outcome, int):
                self._fail(outcome)
            else:
                self._joined = outcome
                self._address_us = self._next_us + int(_simulation.load("dhcp_ms", _ADDRESS_MS)) * 1000
        if self._joined and not self._has_address and now_us >= self._address_us:
            self._has_address = True
            self._reason = 0


def _take(size):
    if not _simulation.take_idf("wifi", size, _PIECE_BYTES):
        raise RuntimeError("Wifi Unknown Error 0x0101")


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
        _simulation.has_network = self._active and not _simulation.exists("no_lan")
        return self._active and not _simulation.exists("no_lan")

    def status(self):
        return 5 if self.isconnected() else 4 if self._active else 2  # ETH_GOT_IP, _DISCONNECTED, _STOPPED

    def ifconfig(self, configtuple=None):
        return _ADDRESS if self.isconnected() else ("0.0.0.0",) * 4

    def config(self, _param):
        if _param == "mac":
            return machine.unique_id()
        raise ValueError("unknown config param")
