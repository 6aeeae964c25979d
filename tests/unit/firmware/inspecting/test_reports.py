"""Reports: findings wait for the end of a visit, sweeps say what was listened to, and what was missed."""

from types import SimpleNamespace

from ansim import messages
from ansim.finding import ALARM, Evidence, Finding
from firmware.inspecting.reports import Reports

FLASH_MS = 50


class Engine:
    def coverage(self):
        return {"channels": [[6, 4000, 100, 1, 0]], "numbered": 90, "missed": 10}


def make(**listener):
    """Return (Reports, clock, [(kind, body), ...]); writing a report takes FLASH_MS."""
    clock = SimpleNamespace(ms=0, now_ms=lambda: clock.ms)
    made = []
    radios = SimpleNamespace(capabilities=[messages.SNIFF, messages.BLE], spectrum=None)
    state = {"is_sniffing": True, "has_ble_memory": True, "take_ble_dropped": lambda: 3} | listener
    panel = SimpleNamespace(add_coverage=lambda channels: None)

    def append(kind, body):
        made.append((kind, body))
        clock.ms += FLASH_MS

    return Reports(SimpleNamespace(engine=Engine(), radios=radios, **state), clock, panel, append), clock, made


def test_a_sweep_has_its_time_and_its_losses():
    reports, clock, made = make()
    reports.add(messages.RESET, {})
    clock.ms = 5000
    reports.end_sweep()
    reports.restart_sweep()
    clock.ms = 6000
    reports.end_sweep()

    (_, (kind, first), (_, second)) = made
    assert kind == messages.SWEEP
    assert (first["from_ms"], first["to_ms"], first["deaf_ms"]) == (0, 5000, 1000)
    assert (first["missed"], first["flash_ms"], first["ble_dropped"]) == (10, FLASH_MS, 3)
    assert (second["from_ms"], second["flash_ms"]) == (5000 + FLASH_MS, FLASH_MS)


def test_it_ends_only_when_it_is_due_and_a_restart_forgets():
    reports, clock, made = make()
    clock.ms = 900
    assert not reports.end_sweep_if_due(1000)
    reports.restart_sweep()
    clock.ms = 1500
    assert not reports.end_sweep_if_due(1000)
    clock.ms = 1900
    assert reports.end_sweep_if_due(1000) and made[0][1]["from_ms"] == 900


def test_findings_wait_and_come_before_the_sweep_that_heard_them():
    reports, clock, made = make()
    evidence = Evidence("uplink_kbps", 900, 150, 30)
    reports.keep(
        Finding("raised", "camera_stream", "c0:ff:ee:00:00:01", 9, 1, 70, 6, -50, "", [evidence], [], "", ALARM, "")
    )
    assert made == []

    clock.ms = 1000
    assert not reports.end_sweep_if_due(2000)
    reports.end_sweep()

    assert [kind for kind, _ in made] == [messages.FINDING, messages.SWEEP]
    assert made[1][1]["flash_ms"] == FLASH_MS


def test_writing_the_flash_while_the_sniffer_rests_is_no_loss_and_skipped_bluetooth_is_not_claimed():
    reports, _, made = make(is_sniffing=False, has_ble_memory=False)
    reports.add(messages.RESET, {})
    reports.end_sweep()

    assert (made[1][1]["flash_ms"], made[1][1]["capabilities"]) == (0, [messages.SNIFF])
