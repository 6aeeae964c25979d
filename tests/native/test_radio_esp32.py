"""
The ESP32 backend of the sniffer, compiled for every chip and driven by a simulated Wi-Fi driver.

No chip's compiler is needed: the header in stub/ has the same member names for each chip.
"""

import platform
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULE = HERE.parent.parent / "firmware" / "native" / "rfsniff"
SOURCES = [str(MODULE / name) for name in ("radio_esp32.c", "frame.c", "ring.c", "intake.c")]

WITH_HE = "-DCONFIG_SOC_WIFI_HE_SUPPORT=1"
CHIPS = {
    "ESP32": [],
    "ESP32S2": [],
    "ESP32S3": [],
    "ESP32C3": [],
    "ESP32C5": [WITH_HE, "-DCONFIG_SOC_WIFI_MAC_VERSION_NUM=3", "-DCONFIG_SOC_WIFI_SUPPORT_5G=1"],
    "ESP32C6": [WITH_HE, "-DCONFIG_SOC_WIFI_MAC_VERSION_NUM=2"],
    "ESP32C61": [WITH_HE, "-DCONFIG_SOC_WIFI_MAC_VERSION_NUM=3"],
}

pytestmark = pytest.mark.build


def compile_for(chip, *options):
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HERE / 'stub'}", f"-I{MODULE}"]
    command = ["cc", *flags, f"-DCONFIG_IDF_TARGET_{chip}=1", *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_backend_compiles_without_a_warning_for_every_chip(chip):
    process = compile_for(chip, *CHIPS[chip], "-fsyntax-only", *SOURCES)

    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this computer's compiler has no -m32")
@pytest.mark.parametrize("chip", CHIPS)
def test_it_compiles_for_32_bit_processors(chip):
    freestanding = ["-m32", "-ffreestanding", "-isystem", str(HERE / "stub" / "freestanding")]

    process = compile_for(chip, *CHIPS[chip], *freestanding, "-fsyntax-only", *SOURCES)

    assert (process.returncode, process.stderr) == (0, "")


def test_a_chip_with_the_members_of_another_family_does_not_compile():
    he_members_on_esp32 = compile_for("ESP32", WITH_HE, "-fsyntax-only", SOURCES[0])
    classic_members_on_c6 = compile_for("ESP32C6", "-fsyntax-only", SOURCES[0])

    assert "cur_bb_format" in he_members_on_esp32.stderr and he_members_on_esp32.returncode
    assert "sig_mode" in classic_members_on_c6.stderr and classic_members_on_c6.returncode


@pytest.mark.parametrize("chip", CHIPS)
def test_it_processes_frames_as_the_driver_passes_them(chip, tmp_path):
    program = tmp_path / "check"
    compiler = compile_for(chip, *CHIPS[chip], "-o", str(program), *SOURCES, str(HERE / "esp32_check.c"))
    assert compiler.returncode == 0, compiler.stderr

    process = subprocess.run([program], capture_output=True, text=True)

    assert process.stdout == "ok\n"
