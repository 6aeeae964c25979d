"""
The network of a scenario inside the machine: radios, the medium's file, access points, stations, the server outside.

Every station is a network namespace of its own with one radio, `w0`. The access point routes to the server outside,
in the namespace `wan`; with a gateway it only bridges, and a namespace of its own routes.
"""

import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tools.airlab.scenario import WAN, Network, Scenario, Station

PASSWORD = "only-in-the-lab-1"
RUN = Path("/run/airlab")
SERVER = "10.9.0.1"
JOIN_PAUSE_S = 0.4
JOIN_WITHIN_S = 20
SENSOR_RADIO = 99  # the medium's number of the sensor
LEGACY_RATES = "10 20 55 110 60 90 120 180 240 360 480 540"
BASIC_RATES = "10 20 55 110"
GATEWAY_ADDRESS = "00:00:5e:00:53:f{}"  # of RFC 7042, as all addresses of invented devices here
PLENTY_OF_PACKETS = "limit 5000"


class Command(NamedTuple):
    """A program to start in the namespace of a station."""

    station: str
    arguments: list[str]


class Plan:
    """
    The numbers and addresses of a scenario's radios.

    radios        {station name: number of its radio}
    ip_addresses  {station name: IPv4 address}, with "wan" for the server outside
    """

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.stations = {station.name: station for station in scenario.stations}
        self.networks = {network.access_point: network for network in scenario.networks}
        self.subnets = {name: f"192.168.{4 + index}" for index, name in enumerate(self.networks)}
        self.radios = {name: index for index, name in enumerate(self.stations)}
        self.ip_addresses = {WAN: SERVER}
        for name in self.networks:
            self.ip_addresses[name] = f"{self.subnets[name]}.1"
        for station in scenario.stations:
            if station.name not in self.networks and station.network:
                host = 10 + self.radios[station.name]
                self.ip_addresses[station.name] = f"{self.subnets[station.network]}.{host}"

    def router(self, network: Network) -> str:
        """Return the namespace that routes a network to the outside."""
        return f"router-{network.access_point}" if network.has_gateway else network.access_point

    def joining(self) -> list[Station]:
        """Return the stations that join a network."""
        return [station for station in self.stations.values() if station.network and station.name not in self.networks]


def run(problems: list[str], *arguments: str, station: str = "") -> str:
    """Run a command to its end, in a station's namespace if one is given; return its output and note its failure."""
    command = [*(["ip", "netns", "exec", station] if station else []), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        problems.append(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


def make_radios(plan: Plan, problems: list[str]) -> None:
    """Give every station a namespace with its radio."""
    RUN.mkdir(parents=True, exist_ok=True)
    run(problems, "ip", "link", "set", "lo", "up")
    run(problems, "ip", "link", "set", "hwsim0", "up")
    for name, radio in plan.radios.items():
        run(problems, "ip", "netns", "add", name)
        run(problems, "iw", "phy", f"phy{radio}", "set", "netns", "name", name)
        run(problems, "ip", "link", "set", "lo", "up", station=name)
        run(problems, "ip", "link", "set", f"wlan{radio}", "name", "w0", station=name)
        run(problems, "ip", "link", "set", "w0", "address", plan.stations[name].address, station=name)


def medium_file(plan: Plan, out: Path) -> str:
    """Write the medium's configuration and return its path."""
    scenario, air = plan.scenario, plan.scenario.air
    lines = [
        f"seed {scenario.seed}",
        f"noise {air.noise_dbm}",
        f"exponent {air.exponent}",
        f"fade {air.fading_db}",
        f"rts {air.rts_bytes}",
        f"ampdu {air.most_in_ampdu}",
    ]
    if air.interference:
        lines.append("burst {} {} {}".format(*air.interference))
    for name, radio in plan.radios.items():
        station = plan.stations[name]
        lines.append(
            f"node {radio} {station.place[0]} {station.place[1]} {station.power_dbm} {station.streams} "
            f"{station.highest_mcs} {station.queue}"
        )
        if station.wall_db:
            others = [other for other in plan.radios.values() if other != radio]
            lines += [f"wall {radio} {other} {station.wall_db}" for other in (*others, SENSOR_RADIO)]
    capture = out / f"{scenario.file_name}.pcap"
    lines.append(f"sensor {capture} {air.sensor[0]} {air.sensor[1]} {2407 + 5 * air.channel}")
    path = RUN / "medium.conf"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def make_outside(plan: Plan, problems: list[str]) -> None:
    """Make the server outside and its links to the routers."""
    run(problems, "ip", "netns", "add", WAN)
    run(problems, "ip", "link", "set", "lo", "up", station=WAN)
    run(problems, "ip", "addr", "add", f"{SERVER}/32", "dev", "lo", station=WAN)
    for index, (name, network) in enumerate(plan.networks.items()):
        router, inner, outer = plan.router(network), f"10.10.{index}.1", f"10.10.{index}.2"
        if network.has_gateway:
            _make_gateway(plan, network, index, problems)
        device = f"out{index}"
        run(problems, "ip", "link", "add", "up0", "netns", router, "type", "veth", "peer", "name", device, "netns", WAN)
        run(problems, "ip", "addr", "add", f"{inner}/30", "dev", "up0", station=router)
        run(problems, "ip", "link", "set", "up0", "up", station=router)
        run(problems, "sysctl", "-qw", "net.ipv4.ip_forward=1", station=router)
        run(problems, "ip", "addr", "add", f"{outer}/30", "dev", device, station=WAN)
        run(problems, "ip", "link", "set", device, "up", station=WAN)
        run(problems, "ip", "route", "add", SERVER, "via", outer, station=router)
        run(problems, "ip", "route", "add", f"{plan.subnets[name]}.0/24", "via", inner, "src", SERVER, station=WAN)
        delay = [*network.delay.split(), *PLENTY_OF_PACKETS.split()]
        for station, at in ((router, "up0"), (WAN, device)):
            run(problems, "tc", "qdisc", "add", "dev", at, "root", "netem", *delay, station=station)


def _make_gateway(plan, network, index, problems):
    """A router of its own behind the access point, which bridges."""
    name, router = network.access_point, plan.router(network)
    run(problems, "ip", "netns", "add", router)
    run(problems, "ip", "link", "set", "lo", "up", station=router)
    run(problems, "ip", "link", "add", "br0", "type", "bridge", station=name)
    run(problems, "ip", "link", "set", "br0", "up", station=name)
    run(problems, "ip", "link", "add", "lan0", "netns", name, "type", "veth", "peer", "name", "lan1", "netns", router)
    run(problems, "ip", "link", "set", "lan1", "address", GATEWAY_ADDRESS.format(index), station=router)
    run(problems, "ip", "link", "set", "lan0", "master", "br0", "up", station=name)
    run(problems, "ip", "addr", "add", f"{plan.ip_addresses[name]}/24", "dev", "lan1", station=router)
    run(problems, "ip", "link", "set", "lan1", "up", station=router)


def access_point_commands(plan: Plan) -> list[Command]:
    """Write hostapd's files and return its commands."""
    commands = []
    for name, network in plan.networks.items():
        lines = [
            "interface=w0",
            f"ssid={network.ssid}",
            "hw_mode=g",
            f"channel={plan.scenario.air.channel}",
            f"ieee80211n={int(network.is_11n)}",
            f"wmm_enabled={int(network.is_11n)}",
            "beacon_int=100",
            f"ctrl_interface={RUN}/hostapd-{name}",
            "ap_max_inactivity=60",
            f"supported_rates={LEGACY_RATES}",
            f"basic_rates={BASIC_RATES}",
        ]
        if network.has_gateway:
            lines.append("bridge=br0")
        if not network.is_open:
            lines += ["wpa=2", "wpa_key_mgmt=WPA-PSK", "rsn_pairwise=CCMP", f"wpa_passphrase={PASSWORD}"]
        path = RUN / f"hostapd-{name}.conf"
        path.write_text("\n".join(lines) + "\n")
        commands.append(Command(name, ["hostapd", str(path)]))
    return commands


def address_access_points(plan: Plan, problems: list[str]) -> None:
    """Give the access points that route their IPv4 addresses."""
    for name, network in plan.networks.items():
        if not network.has_gateway:
            run(problems, "ip", "addr", "add", f"{plan.ip_addresses[name]}/24", "dev", "w0", station=name)


def supplicant_commands(plan: Plan) -> list[Command]:
    """Write wpa_supplicant's files and return its commands, one for each station that joins a network."""
    commands = []
    for station in plan.joining():
        network = plan.networks[station.network]
        key = "key_mgmt=NONE" if network.is_open else f'psk="{PASSWORD}"'
        lines = [f"ctrl_interface={RUN}/wpa-{station.name}", "network={", f'ssid="{network.ssid}"', key, "}"]
        path = RUN / f"wpa-{station.name}.conf"
        path.write_text("\n".join(lines) + "\n")
        commands.append(Command(station.name, ["wpa_supplicant", "-i", "w0", "-c", str(path)]))
    return commands


def address_station(plan: Plan, name: str, problems: list[str]) -> None:
    """Give a station its IPv4 address and its route."""
    network = plan.stations[name].network
    run(problems, "ip", "addr", "add", f"{plan.ip_addresses[name]}/24", "dev", "w0", station=name)
    run(problems, "ip", "link", "set", "w0", "up", station=name)
    run(problems, "ip", "route", "add", "default", "via", plan.ip_addresses[network], station=name)


def wait_for_links(plan: Plan) -> list[str]:
    """Wait until all stations have joined; return a problem for each that has not."""
    waiting = [station.name for station in plan.joining()]
    until_s = time.monotonic() + JOIN_WITHIN_S
    while waiting and time.monotonic() < until_s:
        waiting = [name for name in waiting if "Connected" not in run([], "iw", "dev", "w0", "link", station=name)]
        if waiting:
            time.sleep(0.5)
    return [f"{name} has not joined" for name in waiting]


def set_power_save(plan: Plan, problems: list[str]) -> None:
    """Switch power save on or off, as the scenario says for each station."""
    for station in plan.joining():
        run(
            problems,
            "iw",
            "dev",
            "w0",
            "set",
            "power_save",
            "on" if station.power_save else "off",
            station=station.name,
        )


def versions() -> dict[str, str]:
    """Return the versions of what makes frames and films."""
    texts = {"linux": Path("/proc/sys/kernel/osrelease").read_text().strip()}
    for program, arguments in (("hostapd", ["-v"]), ("ffmpeg", ["-version"])):
        path = shutil.which(program)
        if path:
            done = subprocess.run(
                [path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            texts[program] = " ".join(done.stdout.partition("\n")[0].split()[:3])
    return texts
