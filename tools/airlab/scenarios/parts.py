"""
What scenarios are put together from: stations with addresses, viewers, servers.

Addresses of invented devices are from 00:00:5e:00:53 (RFC 7042, for documentation), cameras and others alike, so that
nothing can be learned from a maker's number. Phones make theirs up, as phones do (bit 0x02).
"""

import dataclasses
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from tools.airlab.scenario import (
    CAMERA,
    IDLE_CAMERA,
    INFRASTRUCTURE,
    OTHER,
    WAN,
    Film,
    Network,
    Program,
    Scenario,
    Station,
    ffmpeg,
    talk,
)

MOST_DEVICES = 200  # of a scenario; the numbers above are gateways
PHONE, DEVICE = "phone", "device"  # how the address of a station is made; replaced by scenario()


def camera(name: str = "cam", place: tuple[float, float] = (2, 1), **more: Any) -> Station:
    """A camera."""
    return Station(name, DEVICE, CAMERA, place=place, **more)


def idle_camera(name: str = "cam", place: tuple[float, float] = (2, 1), **more: Any) -> Station:
    """A camera that sends no pictures."""
    return Station(name, DEVICE, IDLE_CAMERA, place=place, **more)


def device(name: str, kind: str, place: tuple[float, float] = (3, 1), **more: Any) -> Station:
    """A laptop, appliance or machine."""
    return Station(name, DEVICE, OTHER, kind, place, **more)


def phone(name: str = "phone", kind: str = "phone", place: tuple[float, float] = (8, 3), **more: Any) -> Station:
    """A phone, with an address that it made up."""
    return Station(name, PHONE, OTHER, kind, place, **more)


def access_point(name: str = "ap", place: tuple[float, float] = (9, 2), **more: Any) -> Station:
    """An access point behind a wall."""
    return Station(name, DEVICE, INFRASTRUCTURE, place=place, **{"power_dbm": 17, "wall_db": 6, **more})


def scenario(name: str, about: str, stations: Sequence[Station], programs: Iterable[Program], **more: Any) -> Scenario:
    """Return a Scenario: adds the access points that no station is, and gives out addresses."""
    networks = more.get("networks", (Network(),))
    names = {station.name for station in stations}
    points = [
        access_point(network.access_point, place=(9 + 3 * index, 2 + 2 * index))
        for index, network in enumerate(networks)
        if network.access_point not in names
    ]
    first = zlib.crc32(name.encode())
    addressed = [
        dataclasses.replace(station, address=_address(station.address, first, index))
        for index, station in enumerate([*points, *stations])
    ]
    return Scenario(name, tuple(addressed), tuple(programs), about, **more)


def _address(how, first, index):
    number = (first + index) % MOST_DEVICES
    if how == PHONE:
        return f"02:1a:{first >> 24 & 255:02x}:{first >> 16 & 255:02x}:53:{number:02x}"
    return f"00:00:5e:00:53:{number:02x}"


def watch_rtsp(viewer: str, transport: str, camera_name: str = "cam", at_s: float = 4) -> Program:
    """A viewer of an RTSP camera, by UDP or TCP."""
    url = f"rtsp://{{{camera_name}}}:8554/live"
    command = ffmpeg("-rtsp_transport", transport, "-i", url, "-map", "0:v", "-c", "copy", "-f", "null", "-")
    return Program(viewer, command, at_s)


def push_rtmp(sender: str, film: Film, at_s: float = 4, until_s: float = 0) -> tuple[Program, Program]:
    """A film by RTMP to the server outside."""
    url = f"rtmp://{{{WAN}}}:1935/live/{sender}"
    listen = ffmpeg("-listen", 1, "-i", "rtmp://0.0.0.0:1935/live/" + sender, "-c", "copy", "-f", "null", "-")
    send = ffmpeg("-re", "-stream_loop", -1, "-i", film.path, "-c", "copy", "-f", "flv", url)
    return Program(WAN, listen), Program(sender, send, at_s, until_s)


def push_rtp(sender: str, receiver: str, port: int, film: Film, at_s: float = 4) -> tuple[Program, Program]:
    """A film by RTP, with the reports of both sides."""
    url = f"rtp://{{{receiver}}}:{port}"
    send = ffmpeg("-re", "-stream_loop", -1, "-i", film.path, "-map", "0:v", "-c", "copy", "-f", "rtp", url)
    return Program(receiver, talk("rtp_sink", port)), Program(sender, send, at_s)


def push_voice(
    sender: str, receiver: str, port: int, codec: str = "pcm_alaw", at_s: float = 4
) -> tuple[Program, Program]:
    """Speech by RTP: G.711 ("pcm_alaw"), or "libopus"."""
    encoder = ["-ar", 8000, "-ac", 1, "-c:a", "pcm_alaw"] if codec == "pcm_alaw" else ["-c:a", codec, "-b:a", "32k"]
    source = ["-re", "-f", "lavfi", "-i", "anoisesrc=a=0.1"]
    send = ffmpeg(*source, *encoder, "-f", "rtp", f"rtp://{{{receiver}}}:{port}")
    return Program(receiver, talk("rtp_sink", port)), Program(sender, send, at_s)


def web_server(port: int = 80) -> Program:
    """A web server outside; port 443 has TLS."""
    return Program(WAN, talk("web", port, *(["tls"] if port == 443 else [])))


def sink(port: int, is_tls: bool = False) -> Program:
    """A server outside that takes whatever comes by TCP."""
    return Program(WAN, talk("sink", port, *(["tls"] if is_tls else [])))
