"""
Plays one scenario inside the machine: radios, access points, stations, programs, recording.

    python3 -m tools.airlab.guest.play NAME SEED

Writes /out/NAME.SEED.pcap (the medium does) and /out/NAME.SEED.json: when the recording begins, and what went wrong.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.airlab import scenarios
from tools.airlab.guest import network
from tools.airlab.scenario import Program, Scenario, with_seed

OUT = Path("/out")
FLUSH_S = 6  # the medium flushes its file every 5 s


class Player:
    """One scenario while it is played; `problems` collects what went wrong."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.problems: list[str] = []
        self._logs = OUT / "log" / scenario.file_name
        self._running: list[tuple[str, subprocess.Popen]] = []

    def play(self) -> None:
        """Play the scenario and write its JSON file."""
        self._logs.mkdir(parents=True, exist_ok=True)
        plan = network.Plan(self.scenario)
        network.make_radios(plan, self.problems)
        medium = self._start(None, ["/usr/bin/airlab-medium", network.medium_file(plan, OUT)], "medium")
        time.sleep(0.2)
        network.make_outside(plan, self.problems)
        for number, command in enumerate(network.access_point_commands(plan)):
            self._start(command.station, command.arguments, f"hostapd-{number}")
        time.sleep(1)
        network.address_access_points(plan, self.problems)
        for command in network.supplicant_commands(plan):
            self._start(command.station, command.arguments, f"supplicant-{command.station}")
            network.address_station(plan, command.station, self.problems)
            time.sleep(network.JOIN_PAUSE_S)
        self.problems += network.wait_for_links(plan)
        network.set_power_save(plan, self.problems)
        begun_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self._run_programs(plan)
        self._note_failures()
        self._stop(medium)
        summary = {"begun_ns": begun_ns, "problems": self.problems, "versions": network.versions()}
        (OUT / f"{self.scenario.file_name}.json").write_text(json.dumps(summary))

    def _run_programs(self, plan):
        begun_s = time.monotonic()
        steps = [(program.at_s, index, True) for index, program in enumerate(self.scenario.programs)]
        steps += [
            (program.until_s, index, False) for index, program in enumerate(self.scenario.programs) if program.until_s
        ]
        started = {}
        for at_s, index, is_start in sorted(steps):
            _sleep_until(begun_s + at_s)
            program = self.scenario.programs[index]
            if is_start:
                started[index] = self._start(
                    program.station, _resolved(program, plan.ip_addresses), f"{index}-{program.station}"
                )
            else:
                _end(started[index])
        _sleep_until(begun_s + self.scenario.seconds)

    def _start(self, station, arguments, tag):
        """Start a program in the network namespace of a station, None for the machine's own."""
        command = list(arguments)
        if station:
            command = ["ip", "netns", "exec", station, *command]
        environ = dict(os.environ, AIRLAB_SEED=f"{self.scenario.seed} {tag}")
        with open(self._logs / f"{tag}.log", "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True
            )
        self._running.append((tag, process))
        return process

    def _note_failures(self):
        for tag, process in self._running:
            if process.poll() not in (None, 0, -signal.SIGTERM):
                self.problems.append(f"{tag} ended with {process.returncode}")

    def _stop(self, medium):
        for _, process in reversed(self._running):
            if process is not medium and process.poll() is None:
                _end(process)
        time.sleep(FLUSH_S)


def _resolved(program: Program, ip_addresses):
    """Return the arguments with {NAME} replaced by addresses."""
    arguments = []
    for argument in program.command:
        for name, ip_address in ip_addresses.items():
            argument = argument.replace("{" + name + "}", ip_address)
        arguments.append(argument)
    return arguments


def _end(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)


def _sleep_until(at_s):
    pause_s = at_s - time.monotonic()
    if pause_s > 0:
        time.sleep(pause_s)


def main() -> None:
    name, seed = sys.argv[1:]
    Player(with_seed(scenarios.by_name(name), int(seed))).play()


main()
