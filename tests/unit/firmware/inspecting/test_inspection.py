import pytest

from ansim import messages
from firmware.inspecting import inspection as inspections
from firmware.inspecting.inspection import BUTTON, CMD, LIMIT, Inspection


class Clock:
    now = 0

    def now_ms(self):
        return self.now


class Journal:
    """Keeps the appended reports, each with the inspection it belongs to."""

    def __init__(self):
        self.inspection = ""
        self.reports = []

    def append(self, kind, body):
        self.reports.append((self.inspection, kind, body))


class Engine:
    def __init__(self):
        self.forgot = 0
        self.known = None

    def forget(self):
        self.forgot += 1

    def ignore(self, addresses):
        self.known = addresses


class SensorParts:
    """What an Inspection works with; boot() makes the Inspection of the next boot."""

    def __init__(self):
        self.clock, self.journal, self.engine = Clock(), Journal(), Engine()

    def boot(self) -> Inspection:
        self.journal.inspection = ""
        return Inspection(self.journal, self.engine, self.clock, ["aa:aa:aa:aa:aa:aa"], self)

    def add(self, kind, body):
        self.journal.append(kind, body)

    def end_sweep(self):
        self.add(messages.SWEEP, {})


@pytest.fixture
def parts(tmp_path, monkeypatch) -> SensorParts:
    monkeypatch.setattr(inspections, "FILE", str(tmp_path / "inspection.json"))
    return SensorParts()


@pytest.fixture
def inspection(parts) -> Inspection:
    return parts.boot()


STARTED = {"what": "started", "by": "cmd"}
STOPPED = {"what": "stopped", "by": "cmd"}


def test_the_sweep_before_an_inspection_is_not_part_of_it(parts, inspection):
    inspection.start("K7Q2", [])

    assert parts.journal.reports == [("", messages.SWEEP, {}), ("K7Q2", messages.SESSION, STARTED)]
    assert parts.engine.forgot == 1


def test_the_sweep_up_to_its_end_is(parts, inspection):
    inspection.start("K7Q2", [])
    inspection.stop(CMD)

    assert parts.journal.reports[2:] == [("K7Q2", messages.SWEEP, {}), ("K7Q2", messages.SESSION, STOPPED)]
    assert inspection.id == ""


def test_known_emitters_are_ignored_while_it_runs(parts, inspection):
    inspection.resume()
    assert parts.engine.known == ["aa:aa:aa:aa:aa:aa"]

    inspection.start("K7Q2", ["bb:bb:bb:bb:bb:bb"])
    assert parts.engine.known == ["aa:aa:aa:aa:aa:aa", "bb:bb:bb:bb:bb:bb"]

    inspection.stop(BUTTON)
    assert parts.engine.known == ["aa:aa:aa:aa:aa:aa"]


def test_a_second_inspection_stops_the_first(parts, inspection):
    inspection.start("K7Q2", [])
    inspection.start("M3XX", [])

    sessions = [(public_id, body) for public_id, kind, body in parts.journal.reports if kind == messages.SESSION]
    assert sessions == [("K7Q2", STARTED), ("K7Q2", STOPPED), ("M3XX", STARTED)]


def test_starting_the_running_inspection_and_stopping_none_change_nothing(parts, inspection):
    inspection.stop(CMD)
    assert parts.journal.reports == []

    inspection.start("K7Q2", [])
    reports = list(parts.journal.reports)
    inspection.start("K7Q2", [])
    assert parts.journal.reports == reports


def test_it_continues_after_a_reset_and_not_after_its_end(parts, inspection):
    inspection.start("K7Q2", ["bb:bb:bb:bb:bb:bb"])

    second = parts.boot()
    second.resume()
    assert second.id == "K7Q2"
    assert parts.engine.known == ["aa:aa:aa:aa:aa:aa", "bb:bb:bb:bb:bb:bb"]

    second.stop(CMD)
    third = parts.boot()
    third.resume()
    assert third.id == ""


@pytest.mark.parametrize("torn", ["", '{"inspection": "K7', "[]", '{"known": []}'])
def test_a_torn_file_is_no_inspection(inspection, torn):
    with open(inspections.FILE, "w") as file:
        file.write(torn)

    inspection.resume()

    assert inspection.id == ""


def test_an_inspection_that_was_not_stopped_expires(parts, inspection):
    inspection.start("K7Q2", [])
    parts.clock.now = inspections.LIMIT_MS - 1
    inspection.stop_if_expired()
    assert inspection.id == "K7Q2"

    parts.clock.now += 1
    inspection.stop_if_expired()

    assert inspection.id == ""
    assert parts.journal.reports[-1] == ("K7Q2", messages.SESSION, {"what": "stopped", "by": LIMIT})
