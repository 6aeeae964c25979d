import os

import pytest

from firmware.maintenance import wipe

SECRET = ("settings.json", "settings.new", "commands.json", "journal/1.log", "inspection.json", "crash.txt")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "a").mkdir()
    for name in (*SECRET, "boot.py", "main.py", "a/start.py", "slots.json"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_a_wipe_removes_everything_but_the_program(place):
    wipe.wipe(str(place))

    assert sorted(os.listdir(place)) == ["a", "boot.py", "main.py", "slots.json"]


@pytest.mark.parametrize("moment", range(8))
def test_an_interrupted_wipe_continues(place, monkeypatch, moment):
    left = [moment]

    def cut(what):
        def wrapped(path):
            if not left[0]:
                raise OSError(5, "power")
            left[0] -= 1
            what(path)

        return wrapped

    with monkeypatch.context() as power:
        power.setattr(os, "remove", cut(os.remove))
        power.setattr(os, "rmdir", cut(os.rmdir))
        with pytest.raises(OSError):
            wipe.wipe(str(place))
    assert (place / "wiping").exists()

    wipe.wipe(str(place))

    assert not [name for name in SECRET if (place / name).exists()]
    assert not (place / "wiping").exists()


def test_a_second_wipe_does_nothing(place):
    wipe.wipe(str(place))
    wipe.wipe(str(place))
