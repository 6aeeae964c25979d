"""Sweep reports say what was listened to, and what was missed."""

from types import SimpleNamespace

from ansim import messages
from firmware.inspecting.sweeps import Sweeps


class Engine:
    def coverage(self):
        return {"channels": [[6, 4000, 100, 1, 0]], "numbered": 90, "missed": 10}


def make(**listener):
    clock = SimpleNamespace(ms=0, now_ms=lambda: clock.ms)
    made = []
    state = {"is_sniffing": True, "has_ble_memory": True, "take_ble_dropped": lambda: 3} | listener
    panel = SimpleNamespace(add_coverage=lambda channels: None)
    sweeps = Sweeps(
        Engine(),
        clock,
        SimpleNamespace(**state),
        None,
        [messages.SNIFF, messages.BLE],
        panel,
        lambda kind, body: made.append((kind, body)),
    )
    return sweeps, clock, made


def test_a_sweep_has_its_time_and_its_losses():
    sweeps, clock, made = make()
    sweeps.note_flash(50)
    clock.ms = 5000
    sweeps.end()
    clock.ms = 6000
    sweeps.end()

    (kind, first), (_, second) = made
    assert kind == messages.SWEEP
    assert (first["from_ms"], first["to_ms"], first["deaf_ms"]) == (0, 5000, 1000)
    assert (first["missed"], first["flash_ms"], first["ble_dropped"]) == (10, 50, 3)
    assert (second["from_ms"], second["flash_ms"]) == (5000, 0)


def test_it_ends_only_when_it_is_due_and_a_restart_forgets():
    sweeps, clock, made = make()
    clock.ms = 900
    assert not sweeps.end_if_due(1000)
    sweeps.restart()
    clock.ms = 1500
    assert not sweeps.end_if_due(1000)
    clock.ms = 1900
    assert sweeps.end_if_due(1000) and made[0][1]["from_ms"] == 900


def test_writing_the_flash_while_the_sniffer_rests_is_no_loss_and_skipped_bluetooth_is_not_claimed():
    sweeps, _, made = make(is_sniffing=False, has_ble_memory=False)
    sweeps.note_flash(50)
    sweeps.end()

    assert (made[0][1]["flash_ms"], made[0][1]["capabilities"]) == (0, [messages.SNIFF])
