"""Joining the network: the strongest known access point first, every failure in one line, for ever."""

import asyncio

import pytest

from firmware.network import wifi_and_ethernet
from firmware.network.wifi_and_ethernet import Ethernet, NoUplink, Wifi

HOME = {"ssid": "home", "password": "secret-1"}
HALL = {"ssid": "hall", "password": "secret-2"}
HIDDEN = {"ssid": "hidden", "password": "secret-3"}


class Air:
    """A network.WLAN in an air of access points: {bssid: (ssid, rssi_dbm, password)}; a hidden one has no rssi."""

    def __init__(self, points):
        self.points = points
        self.scans, self.tried, self.switched, self.settings = 0, [], [], {}
        self._status = 1000
        self._joined = None

    def active(self, on=None):
        if on is None:
            return bool(self.switched and self.switched[-1])
        self.switched.append(on)
        return None

    def config(self, **settings):
        self.settings.update(settings)

    def scan(self):
        self.scans += 1
        heard = [(bssid, *point) for bssid, point in self.points.items() if point[1] is not None]
        return [(ssid.encode(), bssid, 6, rssi, 3, False) for bssid, ssid, rssi, _ in heard]

    def connect(self, ssid, password=None, *, bssid=None):
        self.tried.append((ssid.decode(), bssid))
        for address, (name, _, wanted) in self.points.items():
            if name.encode() == ssid and bssid in (None, address):
                self._joined = address if password == wanted else None
                self._status = 1010 if self._joined else 202
                return
        self._status = 201

    def disconnect(self):
        self._joined = None  # status() keeps its reason
        if self._status < 1000:
            return
        self._status = 1000

    def isconnected(self):
        return self._joined in self.points

    def status(self, what=None):
        if what == "rssi":
            if self._joined is None:
                raise OSError("Wifi Not Connected")
            return self.points[self._joined][1]
        return self._status


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(wifi_and_ethernet, "POLL_S", 0.001)
    monkeypatch.setattr(wifi_and_ethernet, "TRY_S", 0.05)
    monkeypatch.setattr(wifi_and_ethernet, "STALE_S", 0.02)


def join(way, timeout_ms=1000):
    asyncio.run(way.join(timeout_ms))


def test_the_strongest_known_access_point_is_joined():
    air = Air({b"1": ("home", -80, "secret-1"), b"2": ("cafe", -30, ""), b"3": ("hall", -50, "secret-2")})
    way = Wifi(air, [HOME, HALL])

    join(way)

    assert air.tried == [("hall", b"3")] and way.is_up() and way.rssi_dbm() == -50


def test_the_next_best_follows_when_the_best_refuses():
    air = Air({b"1": ("home", -80, "secret-1"), b"3": ("hall", -50, "changed")})

    join(Wifi(air, [HOME, HALL]))

    assert air.tried == [("hall", b"3"), ("home", b"1")]


def test_a_hidden_network_is_tried_by_name_after_those_that_are_heard():
    air = Air({b"1": ("home", -80, "changed"), b"9": ("hidden", None, "secret-3")})

    join(Wifi(air, [HIDDEN, HOME]))

    assert air.tried == [("home", b"1"), ("hidden", None)]


def test_the_last_good_one_is_tried_before_all_and_without_a_scan():
    air = Air({b"1": ("home", -80, "secret-1")})
    way = Wifi(air, [HOME, HALL])
    join(way)
    way.leave()
    assert not way.is_up() and air.switched[-1] is False and way.rssi_dbm() is None

    join(way)

    assert air.scans == 1 and air.tried == [("home", b"1")] * 2


def test_a_last_good_one_that_is_gone_is_looked_for_anew():
    air = Air({b"1": ("home", -80, "secret-1"), b"3": ("hall", -50, "secret-2")})
    way = Wifi(air, [HOME, HALL])
    join(way)
    way.leave()
    del air.points[b"3"]

    join(way)

    assert air.scans == 2 and air.tried == [("hall", b"3"), ("hall", b"3"), ("home", b"1")]


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ({}, "Wi-Fi home: not in reach"),
        ({b"1": ("home", -60, "changed")}, "Wi-Fi home: wrong password"),
    ],
    ids=["nothing", "password"],
)
def test_the_reason_is_one_line_without_the_password(points, why):
    air = Air(points)

    with pytest.raises(NoUplink) as caught:
        join(Wifi(air, [HOME]))

    assert str(caught.value) == why and air.switched[-1] is False


def test_a_network_that_never_gives_an_address_is_given_up_in_time():
    class Mute(Air):
        def connect(self, ssid, password=None, *, bssid=None):
            self._status = 1001

    with pytest.raises(NoUplink, match="Wi-Fi home: no address"):
        join(Wifi(Mute({b"1": ("home", -60, "secret-1")}), [HOME]))
    with pytest.raises(NoUplink, match="no Wi-Fi within"):
        join(Wifi(Mute({b"1": ("home", -60, "secret-1")}), [HOME]), timeout_ms=10)


def test_a_radio_that_refuses_is_no_uplink():
    class Broken(Air):
        def scan(self):
            raise OSError("Wifi Internal Error")

    with pytest.raises(NoUplink, match="the radio refuses: Wifi Internal Error"):
        join(Wifi(Broken({}), [HOME]))


class SlowAir(Air):
    """
    As an ESP32: the outcome comes `polls` calls of status() after connect(), and the old reason stays until then.
    """

    polls = 4

    def connect(self, ssid, password=None, *, bssid=None):
        before = self._status if self._status < 1000 else 1001
        super().connect(ssid, password, bssid=bssid)
        self._outcome = self._joined, self._status
        self._joined, self._status, self._left = None, before, self.polls

    def status(self, what=None):
        if what is None and self._left:
            self._left -= 1
            if not self._left:
                self._joined, self._status = self._outcome
        return super().status(what)

    _left = 0


def test_an_old_reason_is_not_taken_for_the_new_outcome():
    air = SlowAir({b"1": ("home", -80, "secret-1")})
    air._status = 201

    wifi = Wifi(air, [HOME])
    join(wifi)

    assert wifi.is_up() and air.tried == [("home", b"1")]


def test_the_network_after_one_that_fails_gets_its_try():
    air = SlowAir({b"1": ("home", -80, "secret-1"), b"3": ("hall", -50, "changed")})
    air._status = 202

    wifi = Wifi(air, [HALL, HOME])
    join(wifi)

    assert wifi.is_up() and air.tried == [("hall", b"3"), ("home", b"1")]


def test_the_networks_are_tried_in_order_after_a_scan_that_failed():
    class Deaf(SlowAir):
        def scan(self):
            self.scans += 1
            return []

    air = Deaf({b"1": ("home", -80, "secret-1")})

    join(Wifi(air, [HALL, HOME]))

    assert air.tried == [("hall", None), ("home", None)]


def test_a_join_goes_on_where_the_last_one_ended(monkeypatch):
    monkeypatch.setattr(wifi_and_ethernet, "MAX_TRIES", 2)
    air = SlowAir({b"1": ("n4", None, "")})
    wifi = Wifi(air, [{"ssid": f"n{number}", "password": ""} for number in range(5)])

    for _ in range(2):
        with pytest.raises(NoUplink):
            join(wifi)
    join(wifi)

    assert [name for name, _ in air.tried] == ["n0", "n1", "n2", "n3", "n4"]


def test_modem_sleep_is_off_while_it_is_connected():
    class Sleepy(Air):
        PM_NONE, PM_PERFORMANCE = 0, 1

    air = Sleepy({b"1": ("home", -80, "secret-1")})
    wifi = Wifi(air, [HOME])
    join(wifi)
    connected = dict(air.settings)
    wifi.leave()

    assert connected == {"reconnects": 0, "pm": 0} and air.settings["pm"] == 1


class Lan:
    def __init__(self, up=True):
        self.up, self._active = up, False

    def active(self, on=None):
        if on is not None:
            self._active = on
        return self._active

    def isconnected(self):
        return self._active and self.up


def test_a_cable_is_switched_on_and_stays_on():
    way = Ethernet(Lan())
    join(way)
    way.leave()

    assert way.is_up() and way.rssi_dbm() is None


def test_a_board_without_ethernet_is_said():
    cable = Ethernet(None)

    with pytest.raises(NoUplink, match="has no Ethernet"):
        asyncio.run(cable.join(1000))
    assert not cable.is_up()


def test_no_cable_is_said():
    with pytest.raises(NoUplink, match="no cable"):
        join(Ethernet(Lan(up=False)), timeout_ms=20)
