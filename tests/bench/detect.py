"""
Estimate the CPU time of the stream detector on an ESP32.

    python -m tests.bench.detect

A busy channel (2,000 header records a second, 64 stations, two of them cameras that are raised)
is passed to the engine in the real MicroPython. The time for one second of it has two parts:
taking records is machine code (viper), judging is mostly bytecode.

Scaling. MicroPython's own perf_bench, N=M=100, takes 69 to 155 times (geometric mean 96 times) longer
on an ESP32 at 240 MHz than on this kind of x86-64 core; for machine code a factor of 125 is assumed.
Two small loops, one of bytecode and one of machine code, measure the current speed of this core, relative
to an idle one. So a slow or busy machine gives about the same result. It is an estimate: no board was used.
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
    """Return the output of the benchmark on MicroPython, with the estimates for an ESP32 added."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", "tests/bench/detect_on_micropython.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"MICROPYPATH": f"{ROOT}:.frozen"},
    )
    if done.returncode:
        raise errors.ToolError(
            f"the benchmark does not run on {micropython}: {(done.stderr + done.stdout).strip()[-300:]}"
        )
    result = json.loads(done.stdout)
    slowdown = {"bytecode": result["bytecode_us"] / X86_BYTECODE_US, "viper": result["viper_us"] / X86_VIPER_US}
    result["take_esp32_us"] = result["take_us"] / slowdown["viper"] * ESP32_OVER_X86_VIPER
    result["judge_esp32_us"] = result["judge_us"] / slowdown["bytecode"] * ESP32_OVER_X86_BYTECODE
    result["percent"] = (result["take_esp32_us"] + result["judge_esp32_us"]) / 1e4
    return result


def main() -> None:
    result = measure(str(Path(sys.executable).parent / "micropython"))
    print(
        f"here: {result['take_us']} us to take 2,000 records, {result['judge_us']} us to judge {result['stations']} "
        "stations"
    )
    print(
        f"ESP32 at 240 MHz, estimated: {result['take_esp32_us'] / RECORDS_PER_S:.1f} us a record, "
        f"{result['judge_esp32_us'] / 1000:.1f} ms a judgement, {result['percent']:.1f} % of the time (bar "
        f"{BAR_PERCENT} %)"
    )


if __name__ == "__main__":
    errors.run(main)
