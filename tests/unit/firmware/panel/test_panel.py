from collections import namedtuple
from types import SimpleNamespace

import pytest

from ansim.finding import ALARM, NOTICE
from firmware import boards
from firmware.inspecting.button_actions import ButtonActions
from firmware.inspecting.inspection import BUTTON
from firmware.inspecting.radio_jobs import TEST_SIGNAL
from firmware.panel import battery, signal
from firmware.panel.button import LONG, LONGER, LONGEST, SHORT
from firmware.panel.panel import MAX_FINDINGS, Panel

CAMERA, OTHER = "c0:ff:ee:00:00:01", "c0:ff:ee:00:00:02"
Finding = namedtuple("Finding", ("subject", "channel", "rssi_dbm", "level"))


class Inspection:
    id = ""

    def __init__(self):
        self.calls = []

    def start(self, inspection, known, by):
        self.id = inspection
        self.calls.append((inspection, known, by))

    def stop(self, by):
        self.id = ""
        self.calls.append(by)


class Commands:
    is_following = False
    refusal: str | None = None

    def __init__(self):
        self.followed = []

    def follow(self, subject, channel, seconds):
        self.is_following = not self.refusal
        self.followed.append((subject, channel))
        return self.refusal

    def stop_following(self):
        self.is_following = False


class Jobs:
    address = ""

    def __init__(self):
        self.requests = []
        self.is_sending = False

    def request(self, job):
        self.requests.append(job)

    def stop(self):
        was_sending, self.is_sending = self.is_sending, False
        return was_sending


class RecordingPanel:
    """A panel that records the patterns it plays."""

    def __init__(self, findings):
        self.findings = findings
        self.played = []

    def play(self, pattern):
        self.played.append(pattern)


class Actions(ButtonActions):
    """ButtonActions with stand-ins around them; `findings` are those on the panel."""

    def __init__(self, **findings):
        self.inspection, self.commands, self.jobs = Inspection(), Commands(), Jobs()
        self.panel = RecordingPanel({CAMERA: findings["camera"]} if findings else {})
        super().__init__(self.inspection, self.panel, self.commands, lambda: 7, self.jobs)


def test_a_short_press_starts_a_sweep_of_its_own_and_another_stops_it():
    actions = Actions()

    actions.on_press(SHORT)
    assert actions.hint() == "press: end sweep"
    actions.on_press(SHORT)
    actions.on_press(SHORT)

    assert actions.inspection.calls == [("u7-1", [], BUTTON), BUTTON, ("u7-2", [], BUTTON)]
    assert actions.panel.played == [signal.STARTED, signal.STOPPED, signal.STARTED]


def test_the_button_does_not_end_an_inspection_of_the_server():
    actions = Actions()
    actions.inspection.id = "K7Q2"

    actions.on_press(SHORT)
    actions.on_press(LONGER)

    assert not actions.inspection.calls
    assert not actions.jobs.requests
    assert actions.panel.played == [signal.REFUSED, signal.REFUSED]


def test_a_long_press_follows_the_strongest_then_the_next_then_none():
    actions = Actions(camera=(6, -60, True))
    actions.panel.findings[OTHER] = (11, -40, True)

    for _ in range(3):
        actions.on_press(LONG)

    assert actions.commands.followed == [(OTHER, 11), (CAMERA, 6)]
    assert not actions.commands.is_following
    assert actions.panel.played == [signal.STOPPED]


def test_alarms_are_followed_before_stronger_notices():
    actions = Actions(camera=(6, -60, True))
    actions.panel.findings[OTHER] = (11, -40, False)

    actions.on_press(LONG)
    actions.on_press(LONG)

    assert actions.commands.followed == [(CAMERA, 6), (OTHER, 11)]


def test_a_short_press_ends_following_and_starts_nothing():
    actions = Actions(camera=(6, -60, True))
    actions.on_press(LONG)

    actions.on_press(SHORT)

    assert not actions.commands.is_following
    assert not actions.inspection.calls


@pytest.mark.parametrize("found", [(0, -50, True), None])
def test_a_finding_without_a_wifi_channel_cannot_be_followed(found):
    actions = Actions(camera=found) if found else Actions()

    actions.on_press(LONG)

    assert actions.panel.played == [signal.REFUSED]
    assert not actions.commands.followed


def test_a_refusal_to_follow_is_heard():
    actions = Actions(camera=(6, -60, True))
    actions.commands.refusal = "no sniffer"

    actions.on_press(LONG)

    assert actions.panel.played == [signal.REFUSED]


def test_holding_longer_asks_for_a_self_test_or_the_test_signal_and_a_press_ends_that():
    actions = Actions()

    actions.on_press(LONGER)
    actions.on_press(LONGEST)
    actions.jobs.is_sending = True
    actions.on_press(SHORT)

    assert actions.jobs.requests == [{}, TEST_SIGNAL]
    assert not actions.jobs.is_sending
    assert not actions.inspection.calls


def test_every_hint_fits_the_display():
    actions = Actions(camera=(6, -60, True))
    hints = {actions.hint()}
    actions.commands.is_following = True
    hints.add(actions.hint())
    actions.jobs.address = CAMERA
    hints.add(actions.hint())
    actions = Actions()
    hints.add(actions.hint())
    actions.inspection.id = "K7Q2"
    hints.add(actions.hint())
    actions.inspection.id = "u7-1"
    hints.add(actions.hint())

    assert all(0 < len(hint) <= 16 for hint in hints)
    assert len(hints) == 6


def test_the_beat_is_faster_and_higher_the_nearer_the_sender_is():
    levels = range(-128, 20)
    steps = [signal.step_of(level) for level in levels]
    beats = [signal.beat(step) for step in range(signal.STEPS)]

    assert steps == sorted(steps)
    assert set(steps) == set(range(signal.STEPS))
    assert beats == sorted(beats, key=lambda beat: beat[0])
    assert beats == sorted(beats, key=lambda beat: -sum(beat[1:]))


def test_no_two_patterns_are_the_same_without_colour_and_without_sound():
    values = {name: value for name, value in vars(signal).items() if name.isupper() and isinstance(value, tuple)}
    patterns = {name: value for name, value in values.items() if len(value) >= 3 and name[0] != "_"}

    assert len(patterns) >= 16
    assert len({pattern[1:] for pattern in patterns.values()}) == len(patterns)


@pytest.mark.parametrize(
    ("mv", "percent"), [(0, None), (2400, None), (3000, 0), (3300, 0), (3450, 4), (3850, 61), (4150, 100), (4400, 100)]
)
def test_the_percentage_follows_the_cells_voltage(mv, percent):
    assert battery.percent_at(mv) == percent


def make_panel():
    return Panel(boards.load("esp32_devkit"), ("led", "button"), lambda: None)


def test_the_panel_remembers_a_few_raised_signals_and_forgets_what_is_over():
    panel = make_panel()
    for number in range(MAX_FINDINGS + 3):
        panel.record_finding(Finding(f"{number}", 6, -60, NOTICE), True)
    panel.record_finding(Finding("0", 1, -40, NOTICE), True)
    panel.record_finding(Finding("1", 6, -60, NOTICE), False)

    assert len(panel.findings) == MAX_FINDINGS - 1
    assert panel.findings["0"] == (1, -40, False)

    panel.reset()
    assert not panel.findings


def test_alarms_take_the_place_of_the_weakest_notices():
    panel = make_panel()
    for number in range(MAX_FINDINGS):
        panel.record_finding(Finding(f"{number}", 6, -60 - number, NOTICE), True)

    for number in range(MAX_FINDINGS + 1):
        panel.record_finding(Finding(f"alarm {number}", 6, -80, ALARM), True)
        assert len(panel.findings) == MAX_FINDINGS

    assert all(is_alarm for _channel, _rssi_dbm, is_alarm in panel.findings.values())
    panel.record_finding(Finding("alarm 0", 6, -80, NOTICE), True)
    assert panel.findings["alarm 0"] == (6, -80, False)


@pytest.mark.parametrize(("level", "shown"), [(ALARM, signal.FOUND), (NOTICE, signal.NOTICED)])
def test_a_new_finding_is_sounded_once_and_shown_for_a_minute(level, shown, monkeypatch):
    panel = make_panel()
    played, shows = [], []
    monkeypatch.setattr(panel, "play", played.append)
    monkeypatch.setattr(panel, "show", shows.append)
    for event in ("raised", "updated"):
        panel.announce(
            SimpleNamespace(event=event, level=level, subject="x", channel=6, rssi_dbm=-50, evidence=[]), 1000
        )
    for now_ms in (60_999, 61_000):
        panel.show_listening(True, now_ms)

    assert played == [signal.ALARM if level == ALARM else signal.NOTICE]
    assert shows == [shown, signal.INSPECTING]
    assert list(panel.findings) == ["x"]


def test_coverage_counts_each_channel_up_to_what_is_enough():
    panel = make_panel()
    panel.add_coverage([[1, 2000, 5, 0, 0], [6, 90000, 5, 0, 0]])
    assert panel.covered_permille([1, 6]) == 833

    panel.add_coverage([[1, 1000, 5, 0, 0]])
    assert panel.covered_permille([1, 6]) == 1000
    assert panel.covered_permille([1, 6, 11]) == 666


def test_what_is_not_fitted_has_no_pin():
    panel = Panel(boards.load("esp32_devkit"), (), lambda: None)

    assert panel._signal._number is None
    assert panel._signal._buzzer is None


@pytest.mark.parametrize("name", boards.NAMES)
def test_the_parts_of_a_board_have_pins_of_their_own(name):
    board = boards.load(name)
    pins = [board.LED, board.BUTTON, board.BUZZER, board.BATTERY, *board.OLED, *board.NRF24]

    assert len(set(pins)) == len(pins)
    assert set(board.FITTED) <= {"led", "button", "buzzer", "oled", "battery", "nrf24"}
