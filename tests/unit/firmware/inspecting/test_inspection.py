import pytest

from ansim import messages
from firmware.inspecting import inspection as inspections
from firmware.inspecting.inspection import BUTTON, CMD, LIMIT, Inspection


class Clock:
    now = 0

    def now_ms(self):
        return self.now


class Journal:
    """Keeps what is appended, with the inspection it was made for."""

    def __init__(self):
        self.inspection = ""
        self.made = []

    def append(self, kind, body):
        self.made.append((self.inspection, kind, body))


class Engine:
    def __init__(self):
        self.forgot = 0
        self.known = None

    def forget(self):
        self.forgot += 1

    def know(self, addresses):
        self.known = addresses


class Place:
    def __init__(self, folder, monkeypatch):
        monkeypatch.setattr(inspections, "FILE", str(folder / "inspection.json"))
        self.clock, self.journal, self.engine = Clock(), Journal(), Engine()
        self.one = self.again()

    def again(self):
        """The inspection as the next boot makes it."""
        return Inspection(self.journal, self.engine, self.clock, ["aa:aa:aa:aa:aa:aa"], self.sweep)

    def sweep(self):
        self.journal.append(messages.SWEEP, {})


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


STARTED = {"what": "started", "by": "cmd"}
STOPPED = {"what": "stopped", "by": "cmd"}


def test_the_account_before_an_inspection_is_not_part_of_it(place):
    place.one.start("K7Q2", [])

    assert place.journal.made == [("", messages.SWEEP, {}), ("K7Q2", messages.SESSION, STARTED)]
    assert place.engine.forgot == 1


def test_the_account_up_to_its_end_is(place):
    place.one.start("K7Q2", [])
    place.one.stop(CMD)

    assert place.journal.made[2:] == [("K7Q2", messages.SWEEP, {}), ("K7Q2", messages.SESSION, STOPPED)]
    assert place.one.id == ""


def test_known_emitters_are_ignored_while_it_runs(place):
    place.one.resume()
    assert place.engine.known == ["aa:aa:aa:aa:aa:aa"]

    place.one.start("K7Q2", ["bb:bb:bb:bb:bb:bb"])
    assert place.engine.known == ["aa:aa:aa:aa:aa:aa", "bb:bb:bb:bb:bb:bb"]

    place.one.stop(BUTTON)
    assert place.engine.known == ["aa:aa:aa:aa:aa:aa"]


def test_a_second_one_stops_the_first(place):
    place.one.start("K7Q2", [])
    place.one.start("M3XX", [])

    sessions = [(inspection, body) for inspection, kind, body in place.journal.made if kind == messages.SESSION]
    assert sessions == [("K7Q2", STARTED), ("K7Q2", STOPPED), ("M3XX", STARTED)]


def test_starting_the_one_that_runs_and_stopping_none_change_nothing(place):
    place.one.stop(CMD)
    assert place.journal.made == []

    place.one.start("K7Q2", [])
    made = list(place.journal.made)
    place.one.start("K7Q2", [])
    assert place.journal.made == made


def test_it_goes_on_after_a_reset_and_not_after_its_end(place):
    place.one.start("K7Q2", ["bb:bb:bb:bb:bb:bb"])
    place.journal.inspection = ""  # a new start

    second = place.again()
    second.resume()
    assert second.id == "K7Q2"
    assert place.engine.known == ["aa:aa:aa:aa:aa:aa", "bb:bb:bb:bb:bb:bb"]

    second.stop(CMD)
    third = place.again()
    third.resume()
    assert third.id == ""


@pytest.mark.parametrize("torn", ["", '{"inspection": "K7', "[]", '{"known": []}'])
def test_a_torn_file_is_no_inspection(place, torn):
    with open(inspections.FILE, "w") as file:
        file.write(torn)

    place.one.resume()

    assert place.one.id == ""


def test_one_that_is_forgotten_ends_by_itself(place):
    place.one.start("K7Q2", [])
    place.clock.now = inspections.LIMIT_MS - 1
    place.one.end_if_forgotten()
    assert place.one.id == "K7Q2"

    place.clock.now += 1
    place.one.end_if_forgotten()

    assert place.one.id == ""
    assert place.journal.made[-1] == ("K7Q2", messages.SESSION, {"what": "stopped", "by": LIMIT})
