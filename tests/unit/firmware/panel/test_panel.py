from collections import namedtuple

import pytest

from firmware import boards
from firmware.inspecting.button_actions import ByHand
from firmware.inspecting.inspection import BUTTON
from firmware.inspecting.radio_jobs import EMITTER
from firmware.panel import battery, signal
from firmware.panel.button import LONG, LONGER, LONGEST, SHORT
from firmware.panel.panel import MOST_FOUND, Panel

CAMERA, OTHER = "c0:ff:ee:00:00:01", "c0:ff:ee:00:00:02"
Found = namedtuple("Found", ("subject", "channel", "rssi_dbm"))


class Inspection:
    id = ""

    def __init__(self):
        self.done = []

    def start(self, inspection, known, by):
        self.id = inspection
        self.done.append((inspection, known, by))

    def stop(self, by):
        self.id = ""
        self.done.append(by)


class Orders:
    follows = False
    why = None

    def __init__(self):
        self.followed = []

    def follow(self, subject, channel, seconds):
        self.follows = not self.why
        self.followed.append((subject, channel))
        return self.why

    def unfollow(self):
        self.follows = False


class Asked:
    address = ""

    def __init__(self):
        self.wanted = []
        self.sends = False

    def want(self, what):
        self.wanted.append(what)

    def stop(self):
        was, self.sends = self.sends, False
        return was


class Shown:
    """A panel that keeps what it played."""

    def __init__(self, found):
        self.found = found
        self.played = []

    def play(self, pattern):
        self.played.append(pattern)


class Hand(ByHand):
    def __init__(self, **found):
        self.inspection, self.orders, self.asked = Inspection(), Orders(), Asked()
        self.panel = Shown({CAMERA: found["camera"]} if found else {})
        super().__init__(self.inspection, self.panel, self.orders, lambda: 7, self.asked)


def test_a_short_press_starts_a_sweep_of_its_own_and_another_stops_it():
    hand = Hand()

    hand.pressed(SHORT)
    assert hand.hint() == "press: end sweep"
    hand.pressed(SHORT)
    hand.pressed(SHORT)

    assert hand.inspection.done == [("u7-1", [], BUTTON), BUTTON, ("u7-2", [], BUTTON)]
    assert hand.panel.played == [signal.STARTED, signal.STOPPED, signal.STARTED]


def test_the_button_does_not_end_an_inspection_of_the_server():
    hand = Hand()
    hand.inspection.id = "K7Q2"

    hand.pressed(SHORT)
    hand.pressed(LONGER)

    assert not hand.inspection.done
    assert not hand.asked.wanted
    assert hand.panel.played == [signal.REFUSED, signal.REFUSED]


def test_a_long_press_follows_the_strongest_then_the_next_then_none():
    hand = Hand(camera=(6, -60))
    hand.panel.found[OTHER] = (11, -40)

    for _ in range(3):
        hand.pressed(LONG)

    assert hand.orders.followed == [(OTHER, 11), (CAMERA, 6)]
    assert not hand.orders.follows
    assert hand.panel.played == [signal.STOPPED]


def test_a_short_press_ends_following_and_starts_nothing():
    hand = Hand(camera=(6, -60))
    hand.pressed(LONG)

    hand.pressed(SHORT)

    assert not hand.orders.follows
    assert not hand.inspection.done


@pytest.mark.parametrize("where", [(0, -50), None])
def test_what_has_no_wifi_channel_cannot_be_followed(where):
    hand = Hand(camera=where) if where else Hand()

    hand.pressed(LONG)

    assert hand.panel.played == [signal.REFUSED]
    assert not hand.orders.followed


def test_a_refusal_to_follow_is_heard():
    hand = Hand(camera=(6, -60))
    hand.orders.why = "no sniffer"

    hand.pressed(LONG)

    assert hand.panel.played == [signal.REFUSED]


def test_holding_longer_asks_for_a_self_test_or_the_test_signal_and_a_press_ends_that():
    hand = Hand()

    hand.pressed(LONGER)
    hand.pressed(LONGEST)
    hand.asked.sends = True
    hand.pressed(SHORT)

    assert hand.asked.wanted == [{}, EMITTER]
    assert not hand.asked.sends
    assert not hand.inspection.done


def test_every_hint_fits_the_display():
    hand = Hand(camera=(6, -60))
    said = {hand.hint()}
    hand.orders.follows = True
    said.add(hand.hint())
    hand.asked.address = CAMERA
    said.add(hand.hint())
    hand = Hand()
    said.add(hand.hint())
    hand.inspection.id = "K7Q2"
    said.add(hand.hint())
    hand.inspection.id = "u7-1"
    said.add(hand.hint())

    assert all(0 < len(one) <= 16 for one in said)
    assert len(said) == 6


def test_the_beat_is_faster_and_higher_the_nearer_the_sender_is():
    levels = range(-128, 20)
    steps = [signal.step_of(level) for level in levels]
    beats = [signal.beat(step) for step in range(signal.STEPS)]

    assert steps == sorted(steps)
    assert set(steps) == set(range(signal.STEPS))
    assert beats == sorted(beats, key=lambda one: one[0])
    assert beats == sorted(beats, key=lambda one: -sum(one[1:]))


def test_no_two_patterns_are_the_same_without_colour_and_without_sound():
    patterns = {name: one for name, one in vars(signal).items() if name.isupper() and isinstance(one, tuple)}
    patterns = {name: one for name, one in patterns.items() if len(one) >= 3 and name[0] != "_"}

    assert len(patterns) >= 16
    assert len({one[1:] for one in patterns.values()}) == len(patterns)


@pytest.mark.parametrize(
    ("mv", "percent"), [(0, None), (2400, None), (3000, 0), (3300, 0), (3450, 4), (3850, 61), (4150, 100), (4400, 100)]
)
def test_the_percentage_follows_the_cells_voltage(mv, percent):
    assert battery.of_mv(mv) == percent


def panel():
    return Panel(boards.load("esp32_devkit"), ("led", "button"), lambda: None)


def test_the_panel_remembers_a_few_raised_signals_and_forgets_what_is_over():
    one = panel()
    for number in range(MOST_FOUND + 3):
        one.take(Found(f"{number}", 6, -60), True)
    one.take(Found("0", 1, -40), True)
    one.take(Found("1", 6, -60), False)

    assert len(one.found) == MOST_FOUND - 1
    assert one.found["0"] == (1, -40)

    one.forget()
    assert not one.found


def test_coverage_counts_each_channel_up_to_what_is_enough():
    one = panel()
    one.cover([[1, 2000, 5, 0, 0], [6, 90000, 5, 0, 0]])
    assert one.covered_permille([1, 6]) == 833

    one.cover([[1, 1000, 5, 0, 0]])
    assert one.covered_permille([1, 6]) == 1000
    assert one.covered_permille([1, 6, 11]) == 666


def test_what_is_not_fitted_has_no_pin():
    one = Panel(boards.load("esp32_devkit"), (), lambda: None)

    assert one._signal._number is None
    assert one._signal._buzzer is None


@pytest.mark.parametrize("name", boards.NAMES)
def test_the_parts_of_a_board_have_pins_of_their_own(name):
    board = boards.load(name)
    pins = [board.LED, board.BUTTON, board.BUZZER, board.BATTERY, *board.OLED, *board.NRF24]

    assert len(set(pins)) == len(pins)
    assert set(board.FITTED) <= {"led", "button", "buzzer", "oled", "battery", "nrf24"}
