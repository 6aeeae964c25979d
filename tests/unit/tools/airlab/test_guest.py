"""What the guest writes for the medium, hostapd and wpa_supplicant, without starting anything."""

from pathlib import Path

import pytest

from tools.airlab import scenarios
from tools.airlab.guest import network
from tools.airlab.guest.talk import common


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "RUN", tmp_path)
    return tmp_path


def test_the_medium_gets_every_radio_and_the_sensor(run_folder, tmp_path):
    plan = network.Plan(scenarios.by_name("cam_far"))

    lines = Path(network.medium_file(plan, tmp_path)).read_text().splitlines()

    assert "seed 1" in lines
    assert [line.split()[:4] for line in lines if line.startswith("node")] == [
        ["node", "0", "9", "2"],
        ["node", "1", "12", "6"],
    ]
    assert "wall 1 99 6" in lines
    assert lines[-1] == f"sensor {tmp_path}/cam_far.1.pcap 0.0 0.0 2437"


def test_stations_get_the_network_that_they_join(run_folder):
    plan = network.Plan(scenarios.by_name("two_flats"))

    supplicants = network.supplicant_commands(plan)
    access_points = network.access_point_commands(plan)

    assert len(access_points) == 2
    assert len(supplicants) == len(plan.stations) - 2
    assert "bridge=br0" not in (run_folder / "hostapd-ap.conf").read_text()
    assert "bridge=br0" in (run_folder / "hostapd-ap2.conf").read_text()
    for station in plan.joining():
        text = (run_folder / f"wpa-{station.name}.conf").read_text()
        assert f'ssid="{plan.networks[station.network].ssid}"' in text
        assert plan.ip_addresses[station.name].startswith(plan.subnets[station.network])


def test_an_open_network_has_no_password(run_folder):
    plan = network.Plan(scenarios.by_name("cam_own_ap_open_mjpeg"))

    network.access_point_commands(plan)

    assert "wpa" not in (run_folder / "hostapd-cam.conf").read_text()


def test_a_command_that_fails_is_noted():
    problems = []

    network.run(problems, "false")

    assert problems == ["false: "]


def test_ticks_leave_out_what_was_missed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(common.time, "sleep", lambda pause_s: now.__setitem__(0, now[0] + pause_s))
    ticks = common.ticks(10)

    times = []
    for count in ticks:
        times.append(round(now[0] - 100, 1))
        if count == 2:
            now[0] += 5  # the network is stuck
        if count == 4:
            break

    assert times == [0, 0.1, 0.2, 5.2, 5.3]
