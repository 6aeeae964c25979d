"""
What the stream detector costs on an ESP32, worked out on this machine.

    python -m tests.bench.detect

A busy channel (2,000 header records a second, 64 stations, two of them cameras that are raised)
is shown to the engine in the real MicroPython. The time for one second of it is split in two:
taking records is machine code (viper), judging is mostly bytecode.

Scaling. MicroPython's own perf_bench, N=M=100, runs 69 to 155 times (geometric mean 96 times) longer
on an ESP32 at 240 MHz than on this kind of x86-64 core; machine code is taken to run 125 times longer.
How fast the core at hand is just now is measured by two small loops, one of bytecode and one of machine
code, and compared with what they take on such a core when it is idle. So a slow or busy machine gives
about the same answer. It is an estimate: nothing of it was run on a board.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tools.lib import errors

ESP32_OVER_X86_BYTECODE = 96
ESP32_OVER_X86_VIPER = 125
# One round of the calibration loops on an idle core of that kind, microseconds: the fastest of 60.
X86_BYTECODE_US = 0.0437
X86_VIPER_US = 0.00135
BAR_PERCENT = 5.0
RECORDS_PER_S = 2000


def measure(micropython: str) -> dict:
    """Return what the bench on MicroPython printed, with percent of an ESP32 and its parts added."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", "tests/bench/detect_on_micropython.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"MICROPYPATH": f"{ROOT}:.frozen"},
    )
    if done.returncode:
        raise errors.ToolError(f"the bench does not run on {micropython}: {(done.stderr + done.stdout).strip()[-300:]}")
    found = json.loads(done.stdout)
    slower = {"bytecode": found["bytecode_us"] / X86_BYTECODE_US, "viper": found["viper_us"] / X86_VIPER_US}
    found["take_esp32_us"] = found["take_us"] / slower["viper"] * ESP32_OVER_X86_VIPER
    found["judge_esp32_us"] = found["judge_us"] / slower["bytecode"] * ESP32_OVER_X86_BYTECODE
    found["percent"] = (found["take_esp32_us"] + found["judge_esp32_us"]) / 1e4
    return found


def main() -> None:
    found = measure(str(Path(sys.executable).parent / "micropython"))
    print(
        f"here: {found['take_us']} us to take 2,000 records, {found['judge_us']} us to judge {found['stations']} stations"
    )
    print(
        f"ESP32 at 240 MHz, estimated: {found['take_esp32_us'] / RECORDS_PER_S:.1f} us a record, "
        f"{found['judge_esp32_us'] / 1000:.1f} ms a judgement, {found['percent']:.1f} % of the time (bar {BAR_PERCENT} %)"
    )


if __name__ == "__main__":
    errors.run(main)
