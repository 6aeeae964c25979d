"""
What a scenario is made of: places, radios, networks and programs.

    Scenario(
        name="cam_mjpeg_5fps",
        stations=(camera("cam"), phone("viewer", place=(8, 3))),
        programs=(Program("cam", talk("mjpeg_camera", film, 5)), Program("viewer", ("curl", "http://{cam}:81/"), 6)),
    )

A scenario is data: it runs nothing. The guest (guest/play.py) reads it inside the machine.
"""

import dataclasses
import random
from dataclasses import dataclass, field

CAMERA, IDLE_CAMERA, OTHER, INFRASTRUCTURE = "camera", "idle_camera", "other", "infrastructure"
LABELS = (CAMERA, IDLE_CAMERA, OTHER, INFRASTRUCTURE)

# What another device does; figures are given for each kind.
KINDS = (
    "call",
    "download",
    "home",
    "live",
    "phone",
    "print",
    "screen",
    "telemetry",
    "upload",
    "voice",
    "web",
)

WAN = "wan"  # the server outside, behind the access points
MOST_RADIOS = 48  # of the medium
SENSOR_MOVES_M = 4.0  # in x and in y, with another seed

# Media names are made from these, so a film is encoded once for all scenarios that send it.
PICTURES = ("room", "still", "street", "cartoon", "face", "desktop")
CODECS = ("h264", "h265", "mjpeg")


@dataclass(frozen=True)
class Film:
    """
    What a camera films and how it encodes it.

    picture     "room" (still for 14 s, then movement for 10 s), "still", "street", "cartoon", "face" (recorded films)
                or "desktop"
    gop_s       seconds between key frames; without meaning for MJPEG
    kbps        bit rate of H.264 and H.265; of MJPEG the quality follows from it
    is_capped   True: constant quality with `kbps` as the upper limit, so that a still picture needs less
    audio_kbps  AAC beside the pictures, 0 for none
    """

    codec: str = "h264"
    height: int = 720
    fps: float = 15
    gop_s: float = 2
    kbps: int = 500
    picture: str = "room"
    is_capped: bool = False
    audio_kbps: int = 0

    @property
    def name(self) -> str:
        limit = "max" if self.is_capped else ""
        audio = f"-a{self.audio_kbps}" if self.audio_kbps else ""
        return f"{self.picture}-{self.codec}-{self.height}p{self.fps:g}-g{self.gop_s:g}-{limit}{self.kbps}k{audio}"

    @property
    def path(self) -> str:
        """The film inside the machine; beside it lies a list of its pictures' sizes in bytes, `path` + ".sizes"."""
        return f"/media/{self.name}.mkv"

    def __str__(self) -> str:
        rhythm = "" if self.codec == "mjpeg" else f", a key frame every {self.gop_s:g} s"
        limit = "up to " if self.is_capped else ""
        return f"{self.codec} {self.height}p {self.fps:g}/s, {limit}{self.kbps} kbit/s{rhythm}, {self.picture}"


@dataclass(frozen=True)
class Station:
    """
    A radio that joins a network, or makes one.

    place       metres, (x, y); the sensor is at (0, 0) unless the scenario says otherwise
    label       one of LABELS
    kind        of a device that is no camera, one of KINDS
    network     name of the access point it joins, "" for none
    wall_db     attenuation between it and everything else, the sensor included
    power_save  True: sleeps between beacons
    streams     antennas: with 2 the sensor receives only its slow frames
    """

    name: str
    address: str
    label: str
    kind: str = ""
    place: tuple[float, float] = (3.0, 1.0)
    network: str = "ap"
    power_dbm: int = 15
    streams: int = 1
    highest_mcs: int = 7
    queue: int = 128
    wall_db: float = 0
    power_save: bool = False


@dataclass(frozen=True)
class Network:
    """
    A network of one of the radios, the access point.

    access_point  name of a Station with label INFRASTRUCTURE, or of a camera that is its own access point
    is_open       True: without a password
    is_11n        False: 802.11g without WMM and aggregation
    has_gateway   True: frames from outside carry a router's address as their source, not the access point's
    delay         between the access point and the server outside, as `tc netem` takes it
    """

    access_point: str = "ap"
    ssid: str = "airlab-home"
    is_open: bool = False
    is_11n: bool = True
    has_gateway: bool = False
    delay: str = "delay 15ms 2ms"


@dataclass(frozen=True)
class Program:
    """
    A program that runs on a station, or on the server outside (WAN).

    command  arguments; {NAME} becomes the station's address, {wan} the server's
    at_s     seconds after all stations have joined
    until_s  when it is ended, 0: at the end
    """

    station: str
    command: tuple[str, ...]
    at_s: float = 0.0
    until_s: float = 0.0


@dataclass(frozen=True)
class Air:
    """
    The surroundings of the radios.

    sensor         metres
    channel        1..13, of all networks
    noise_dbm      of every receiver
    exponent       of the path loss: 2 in the open, 3 among furniture, 4 through walls
    fading_db      standard deviation of the slow fading
    interference   (milliseconds on, milliseconds off, dB above the noise), or () for none
    rts_bytes      frames from this length on are announced by RTS/CTS, 0: never
    most_in_ampdu  frames in an aggregate
    """

    sensor: tuple[float, float] = (0.0, 0.0)
    channel: int = 6
    noise_dbm: float = -92
    exponent: float = 3.0
    fading_db: float = 2.0
    interference: tuple[int, int, float] | tuple[()] = ()
    rts_bytes: int = 0
    most_in_ampdu: int = 32


@dataclass(frozen=True)
class Scenario:
    """
    One recording to make.

    about        one line: what is sent and how
    seconds      of the recording, from when all stations have joined
    every_s      of a camera: longest time between two pictures, 0: unknown, as with clips of movement
    is_held_out  True: never fitted on
    """

    name: str
    stations: tuple[Station, ...]
    programs: tuple[Program, ...]
    about: str = ""
    films: tuple[Film, ...] = ()
    networks: tuple[Network, ...] = (Network(),)
    air: Air = field(default_factory=Air)
    seconds: int = 105
    every_s: float = 1.0
    seed: int = 1
    is_held_out: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.seed}"


def with_seed(scenario: Scenario, seed: int) -> Scenario:
    """
    Return a scenario with other chance.

    Seed 1 has the sensor where the scenario says; another seed also puts it elsewhere, up to SENSOR_MOVES_M away.
    """
    if seed == 1:
        return dataclasses.replace(scenario, seed=1)
    chance = random.Random(f"{scenario.name} {seed}")
    x, y = (round(metres + chance.uniform(-SENSOR_MOVES_M, SENSOR_MOVES_M), 1) for metres in scenario.air.sensor)
    return dataclasses.replace(scenario, seed=seed, air=dataclasses.replace(scenario.air, sensor=(x, y)))


def talk(word: str, *arguments: object) -> tuple[str, ...]:
    """Return the command of one of the small programs in guest/talk/."""
    return ("python3", "-m", "tools.airlab.guest.talk", word, *map(str, arguments))


def ffmpeg(*arguments: object) -> tuple[str, ...]:
    """Return a command of ffmpeg."""
    return ("ffmpeg", "-nostdin", "-loglevel", "warning", *map(str, arguments))


def problems(scenario: Scenario) -> list[str]:
    """Return what is wrong with a scenario, as sentences that begin with its name."""
    names = [station.name for station in scenario.stations]
    points = {network.access_point for network in scenario.networks}
    found = []
    if len(names) > MOST_RADIOS:
        found.append(f"has {len(names)} radios, the medium takes {MOST_RADIOS}")
    found += [f"has two stations called {name}" for name in sorted(set(names)) if names.count(name) > 1]
    addresses = [station.address for station in scenario.stations]
    found += [f"uses {address} twice" for address in sorted(set(addresses)) if addresses.count(address) > 1]
    found += [f"has a network of {name}, which is no station" for name in sorted(points - set(names))]
    for station in scenario.stations:
        if station.label not in LABELS:
            found.append(f"labels {station.name} {station.label}")
        if station.label == OTHER and station.kind not in KINDS:
            found.append(f"has no kind for {station.name}")
        if station.name not in points and station.network and station.network not in points:
            found.append(f"has {station.name} join {station.network}, which makes no network")
    for program in scenario.programs:
        if program.station not in (*names, WAN):
            found.append(f"runs a program on {program.station}, which is no station")
        if not 0 <= program.at_s < scenario.seconds:
            found.append(f"starts a program on {program.station} at {program.at_s} s of {scenario.seconds} s")
    for film in scenario.films:
        if film.codec not in CODECS or film.picture not in PICTURES:
            found.append(f"has a film of {film.codec} and {film.picture}")
    text = repr(scenario.programs)
    found += [f"sends {film.name} nowhere" for film in scenario.films if film.path not in text]
    if text.count("/media/") and not scenario.films:
        found.append("sends a film that it does not list")
    return [f"{scenario.name} {problem}" for problem in found]
