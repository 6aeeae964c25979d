"""The scenarios of the air lab are sound, and varied enough."""

import importlib
import inspect
from collections import Counter

import pytest

from tools.airlab import scenarios
from tools.airlab.guest.talk import WORDS
from tools.airlab.scenario import (
    CAMERA,
    INFRASTRUCTURE,
    KINDS,
    OTHER,
    Film,
    Program,
    Scenario,
    Station,
    problems,
    talk,
    with_seed,
)
from tools.airlab.scenarios.parts import camera, phone, scenario
from tools.lib.errors import ToolError

ALL = scenarios.ALL
TALKER = ("python3", "-m", "tools.airlab.guest.talk")


def words_of(made):
    """(word, arguments) of each talker of a scenario."""
    return [(program.command[3], program.command[4:]) for program in made.programs if program.command[:3] == TALKER]


@pytest.mark.parametrize("made", ALL, ids=lambda made: made.name)
def test_nothing_is_wrong_with_it(made):
    assert problems(made) == []


@pytest.mark.parametrize("made", ALL, ids=lambda made: made.name)
def test_its_talkers_exist_and_take_its_arguments(made):
    modules = {word: module for module, words in WORDS.items() for word in words}
    for word, arguments in words_of(made):
        module = importlib.import_module(f"tools.airlab.guest.talk.{modules[word]}")

        inspect.signature(getattr(module, word)).bind(*arguments)


def test_every_word_is_a_function():
    for module, words in WORDS.items():
        functions = vars(importlib.import_module(f"tools.airlab.guest.talk.{module}"))

        assert all(callable(functions[word]) for word in words)


def test_there_are_three_times_as_many_as_in_the_first_lab_and_a_third_is_held_out():
    assert len(ALL) >= 90
    assert sum(made.is_held_out for made in ALL) >= len(ALL) / 3
    assert len({made.name for made in ALL}) == len(ALL)


def test_the_held_out_ones_have_cameras_and_each_kind_that_sends_like_one():
    held_out = [station for made in ALL if made.is_held_out for station in made.stations]

    assert sum(station.label == CAMERA for station in held_out) >= 20
    assert {"upload", "call", "screen", "live", "voice"} <= {station.kind for station in held_out}


def test_cameras_differ_in_all_that_encoders_and_networks_differ_in():
    made_cameras = [made for made in ALL if any(station.label == CAMERA for station in made.stations)]
    films = {film for made in made_cameras for film in made.films}

    assert {film.codec for film in films} == {"h264", "h265", "mjpeg"}
    assert min(film.fps for film in films) <= 3 and max(film.fps for film in films) >= 30
    assert min(film.gop_s for film in films) <= 0.5 and max(film.gop_s for film in films) >= 10
    assert min(film.kbps for film in films) <= 60 and max(film.kbps for film in films) >= 4000
    assert {made.every_s for made in made_cameras} >= {1, 2, 3, 4, 5, 10}
    networks = [network for made in made_cameras for network in made.networks]
    assert any(network.has_gateway for network in networks)
    assert {network.is_open for network in networks if network.access_point == "cam"} == {True, False}
    assert any(made.air.interference for made in made_cameras)
    assert any(made.air.sensor != (0, 0) for made in made_cameras)


def test_every_kind_of_other_device_is_there():
    kinds = Counter(station.kind for made in ALL for station in made.stations if station.label == OTHER)

    assert set(kinds) == set(KINDS)
    assert max(len(made.stations) for made in ALL) >= 30


def test_an_address_says_nothing_about_the_label():
    for made in ALL:
        for station in made.stations:
            if station.label != INFRASTRUCTURE and not station.address.startswith("02:"):
                assert station.address.startswith("00:00:5e:00:53:")


def test_a_scenario_gets_its_access_point_and_addresses():
    made = scenario("two", "", [camera(), phone()], [Program("cam", talk("udp_sink", 1))])

    assert [station.name for station in made.stations] == ["ap", "cam", "phone"]
    assert len({station.address for station in made.stations}) == 3
    assert made.stations == scenario("two", "", [camera(), phone()], []).stations


def test_what_is_wrong_is_said():
    film = Film()
    twice = Station("a", "00:00:5e:00:53:01", OTHER)
    made = Scenario("bad", (twice, twice), (Program("b", ("true",), 999),), films=(film,))

    assert problems(made) == [
        "bad has two stations called a",
        "bad uses 00:00:5e:00:53:01 twice",
        "bad has a network of ap, which is no station",
        "bad has no kind for a",
        "bad has no kind for a",
        "bad runs a program on b, which is no station",
        "bad starts a program on b at 999 s of 105 s",
        f"bad sends {film.name} nowhere",
    ]


def test_a_film_is_named_by_what_makes_it_different():
    assert Film("h265", 720, 7.5, 4, 400, "street").name == "street-h265-720p7.5-g4-400k"
    assert len({film.path for made in ALL for film in made.films}) == len({film for made in ALL for film in made.films})


def test_an_unknown_name_is_refused():
    with pytest.raises(ToolError, match="there is no scenario nothing"):
        scenarios.by_name("nothing")


def test_another_seed_is_another_place_of_the_sensor():
    made = scenarios.by_name("cam_idle")

    assert with_seed(made, 1) == made
    moved = [with_seed(made, seed) for seed in (2, 3, 2)]
    assert moved[0] == moved[2] and moved[0].air.sensor != moved[1].air.sensor
    assert all(abs(metres) <= 4 for metres in moved[0].air.sensor)
    assert moved[0].file_name == "cam_idle.2"
