"""
Many devices together: homes, flats with two networks, cafés, offices, a washroom; with a camera among them and without.

Who does what is drawn once from a place's name, so a place is the same in every run.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from tools.airlab.scenario import WAN, Air, Film, Network, Program, Scenario, Station, talk
from tools.airlab.scenarios.devices import HELD_OUT
from tools.airlab.scenarios.parts import camera, device, phone, push_rtp, push_voice, scenario, sink, web_server

FACE = Film("h264", 360, 12, 10, 200, "face")
ROOM = Film("h264", 720, 15, 2, 500)
STREET = Film("h264", 360, 15, 4, 300, "street")
PHOTO = Film("mjpeg", 480, 1, 1, 240, "street")

SERVERS = (
    web_server(),
    web_server(443),
    sink(8883),
    sink(8443, True),
    Program(WAN, talk("udp_server", 3074, 30, 200, 600)),
)

# What one person or thing does: kind of the device, whether it is a phone, and its programs.
Doing = Callable[[str, int], Sequence[Program]]


def _talk(word: str, *arguments: object) -> Doing:
    return lambda name, number: [Program(name, talk(word, *arguments), 2 + number % 7)]


def _speech(name: str, number: int) -> Sequence[Program]:
    port = 6000 + 10 * number
    return [*push_voice(name, WAN, port, at_s=5), *push_voice(WAN, name, port, at_s=5)]


def _call(name: str, number: int) -> Sequence[Program]:
    port = 16000 + 10 * number
    return [*push_rtp(name, WAN, port, FACE, 6), *push_rtp(WAN, name, port, FACE, 6)]


def _idle(name: str, number: int) -> Sequence[Program]:
    return [Program(name, talk("chatter"), 2 + number % 5)]


DOINGS: dict[str, tuple[str, bool, Doing]] = {
    "pocket": ("phone", True, _talk("phone_sync", "{wan}")),
    "idle": ("phone", True, _idle),
    "browsing": ("web", True, _talk("browse", "{wan}")),
    "laptop": ("web", False, _talk("browse", "{wan}")),
    "watching": ("download", False, _talk("watch", "{wan}", 80, 300_000, 4)),
    "hub": ("home", False, _talk("bursts", "{wan}", 8883, 1, 3.5, 10, 40, 120, 600)),
    "vacuum": ("home", False, _talk("bursts", "{wan}", 8883, 1.6, 2.0, 3, 8, 1000, 1400)),
    "backup": ("upload", False, _talk("paced_upload", "{wan}", 8443, 400, 12_000)),
    "photos": ("upload", True, _talk("photos", "{wan}", 443, 300_000, 1_500_000, 3, 12)),
    "game": ("web", False, _talk("udp_stream", "{wan}", 3074, 60, 60, 140)),
    "speech": ("voice", True, _speech),
    "call": ("call", False, _call),
    "microphone": ("voice", False, _talk("stream_up", "{wan}", 8883, 64, 320)),
}


def crowd(
    name: str, about: str, doings: dict[str, int], cameras: Sequence[tuple[Station, Doing]] = (), **more: Any
) -> Scenario:
    """A place in which so many people and things do each of DOINGS, and perhaps a camera is among them."""
    chance = random.Random(name)
    networks = more.pop("networks", (Network(),))
    stations, programs = [station for station, _ in cameras], list(SERVERS)
    for station, film in cameras:
        programs += film(station.name, 0)
    number = 0
    for doing, count in doings.items():
        kind, is_phone, make = DOINGS[doing]
        for _ in range(count):
            number += 1
            own_name = f"{doing}{number}"
            place = (round(chance.uniform(-8, 8), 1), round(chance.uniform(1, 9), 1))
            network = chance.choice(networks).access_point
            if is_phone:
                power_save = doing in ("pocket", "idle")
                stations.append(phone(own_name, kind, place, network=network, power_save=power_save))
            else:
                stations.append(device(own_name, kind, place, network=network))
            programs += make(own_name, number)
    text = repr(programs)
    films = tuple(film for film in (FACE, ROOM, STREET, PHOTO) if film.path in text)
    air = more.pop("air", Air(channel=chance.choice((1, 6, 11))))
    return scenario(
        name,
        about,
        stations,
        programs,
        networks=networks,
        films=films,
        air=air,
        **{"seconds": 90 if not cameras else 105, **more},
    )


def live(film: Film) -> Doing:
    """A camera that sends picture by picture."""
    return lambda name, number: [Program(name, talk("tls_camera", "{wan}", 8443, film.path, film.fps, 1), 8)]


def pictures(every_s: float) -> Doing:
    """A camera that sends a picture every few seconds."""
    return lambda name, number: [Program(name, talk("snapshots", "{wan}", 443, PHOTO.path, every_s, "tls"), 8)]


def in_pieces(film: Film, piece_s: float) -> Doing:
    """A camera that sends pieces."""
    return lambda name, number: [Program(name, talk("pieces", "{wan}", 443, film.path, film.fps, piece_s), 8)]


TWO_FLATS = (Network("ap", "flat-1"), Network("ap2", "flat-2", has_gateway=True))
THREE_ROOMS = (Network("ap", "guest", True), Network("ap2", "staff"), Network("ap3", "house", has_gateway=True))

FLAT = {"pocket": 2, "laptop": 1, "watching": 1, "hub": 1, "vacuum": 1}
FLATS = {"pocket": 4, "browsing": 2, "laptop": 2, "watching": 1, "hub": 2, "speech": 1, "backup": 1, "game": 1}
CAFE = {"pocket": 6, "idle": 4, "browsing": 5, "laptop": 3, "photos": 1, "speech": 1}
OFFICE = {"pocket": 8, "idle": 5, "laptop": 8, "call": 3, "speech": 2, "backup": 2, "hub": 1, "microphone": 1}

SCENARIOS: tuple[Scenario, ...] = (
    crowd("flat", "a flat in the evening", FLAT),
    crowd("flat_camera", "a flat with a camera", FLAT, [(camera(), live(ROOM))]),
    crowd("flat_camera_snapshots", "a flat with a camera of pictures", FLAT, [(camera(), pictures(2))], **HELD_OUT),
    crowd("two_flats", "two flats, two networks on one channel", FLATS, networks=TWO_FLATS),
    crowd(
        "two_flats_camera",
        "two flats, a camera in one of them",
        FLATS,
        [(camera(network="ap2"), live(STREET))],
        networks=TWO_FLATS,
        **HELD_OUT,
    ),
    crowd("cafe", "a café with 20 guests", CAFE, networks=(Network(is_open=True, ssid="cafe"),)),
    crowd(
        "cafe_camera",
        "a café with 20 guests and a camera",
        CAFE,
        [(camera(place=(3, 2)), live(STREET))],
        networks=(Network(is_open=True, ssid="cafe"),),
        **HELD_OUT,
    ),
    crowd("cafe_camera_pieces", "a café and a camera of pieces", CAFE, [(camera(place=(3, 2)), in_pieces(STREET, 3))]),
    crowd("office", "an office with 30 devices", OFFICE, networks=(Network(has_gateway=True),), **HELD_OUT),
    crowd(
        "office_camera",
        "an office with 30 devices and a camera",
        OFFICE,
        [(camera(place=(3, 2)), live(ROOM))],
        networks=(Network(has_gateway=True),),
    ),
    crowd(
        "washroom_three_networks",
        "a washroom beside guests, staff and house, three networks on one channel",
        {"pocket": 5, "idle": 3, "browsing": 3, "call": 1, "hub": 1, "photos": 1},
        networks=THREE_ROOMS,
        **HELD_OUT,
    ),
    crowd(
        "washroom_three_networks_camera",
        "the same with a camera two metres away",
        {"pocket": 5, "idle": 3, "browsing": 3, "call": 1, "hub": 1, "photos": 1},
        [(camera(place=(1, 2), network="ap3"), live(STREET))],
        networks=THREE_ROOMS,
    ),
    crowd(
        "washroom_neighbour_camera",
        "a washroom; a camera behind two walls films something else",
        {"pocket": 4, "idle": 2, "browsing": 1},
        [(camera(place=(10, 8), wall_db=12), live(ROOM))],
        **HELD_OUT,
    ),
)
