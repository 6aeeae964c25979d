"""Settings on trial: whatever happens and whenever, there are usable settings, and bad ones never stay."""

import json

import pytest

from ansim.settings import BadSettings
from firmware.maintenance import settings_trial

GOOD = {
    "device": "hall-1",
    "key": "00" * 32,
    "broker": "old.example",
    "tls": False,
    "wifi": [{"ssid": "office", "password": "secret-word"}],
}


@pytest.fixture
def place(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(GOOD))
    return str(tmp_path)


def broker(place):
    settings, on_trial = settings_trial.current(place)
    return settings["broker"], on_trial


def test_new_settings_count_from_the_next_start_and_stay_when_the_broker_was_reached(place):
    assert settings_trial.propose({"broker": "new.example"}, place) == ""

    assert broker(place) == ("new.example", True)
    settings_trial.accept(place)

    assert broker(place) == ("new.example", False)


def test_a_second_start_without_the_broker_brings_the_old_ones_back(place):
    settings_trial.propose({"broker": "new.example"}, place)

    assert broker(place) == ("new.example", True)
    assert broker(place) == ("old.example", False)
    assert broker(place) == ("old.example", False)


def test_null_takes_a_setting_back_to_its_default(place):
    settings_trial.propose({"port": 1883}, place)
    settings_trial.current(place)
    settings_trial.accept(place)
    settings_trial.propose({"port": None}, place)

    settings, _ = settings_trial.current(place)

    assert settings["port"] == 8883


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"colour": "red"}, "bad_settings:colour"),
        ({"port": 70000}, "bad_settings:port"),
        ({"port": "1883"}, "bad_settings:port"),
        ({"wifi": []}, "bad_settings:wifi"),
        ({"wifi": [{"ssid": "x"}]}, "bad_settings:wifi[0].password"),
        ({"tls": True}, "bad_settings:ca"),
        ({"device": "other"}, "device_name_fixed"),
        ({"board": "toaster"}, "unknown_board"),
        ({"broker": None, "port": 0}, "bad_settings:broker,port"),
        ({"channels": []}, "bad_settings:channels"),
    ],
)
def test_settings_that_are_not_usable_as_a_whole_change_nothing(place, changes, error):
    assert settings_trial.propose(changes, place) == error

    assert broker(place) == ("old.example", False)


def test_a_second_proposal_during_a_trial_gets_its_own_start(place):
    settings_trial.propose({"broker": "new.example"}, place)
    settings_trial.current(place)

    settings_trial.propose({"broker": "newer.example"}, place)

    assert broker(place) == ("newer.example", True)
    assert broker(place) == ("old.example", False)


def test_new_settings_that_the_flash_has_spoiled_are_passed_over(place, tmp_path):
    (tmp_path / "settings.new").write_text('{"device": "hal')

    assert broker(place) == ("old.example", False)
    assert not (tmp_path / "settings.new").exists()


def test_a_mark_alone_does_not_spoil_the_next_trial(place, tmp_path):
    (tmp_path / "settings.tried").touch()

    settings_trial.propose({"broker": "new.example"}, place)

    assert broker(place) == ("new.example", True)


def test_without_settings_there_is_nothing_to_try(tmp_path):
    assert settings_trial.propose({"port": 1}, str(tmp_path)) == "settings_unreadable"
    with pytest.raises(BadSettings):
        settings_trial.current(str(tmp_path))
