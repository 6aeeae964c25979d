"""tools/native.py: the inputs of the builds; the builds themselves are tested in tests/native."""

import re
from pathlib import Path

import pytest

from firmware import boards
from tools import native
from tools.hardware import debian_sources
from tools.lib.errors import ToolError

MODULE = native.MODULES / "rfsniff"


def test_entries_of_a_list_become_entries_for_sources():
    text = (
        "# a remark\n"
        "deb [arch=amd64 signed-by=/k.gpg] mirror://host/debian bookworm main contrib\n"
        "deb mirror://host/debian bookworm-updates main\n"
        "deb-src mirror://host/debian bookworm main\n"
        "deb mirror://other/tool bookworm-tool main\n"
    )

    made = debian_sources.source_entries(text, "bookworm", "bookworm trixie", stanzas=False)

    assert made.split("\n") == [
        "deb-src [arch=amd64 signed-by=/k.gpg] mirror://host/debian bookworm main contrib",
        "",
        "deb-src [arch=amd64 signed-by=/k.gpg] mirror://host/debian trixie main contrib",
        "",
    ]


def test_stanzas_become_stanzas_for_sources():
    text = (
        "Types: deb\nURIs: mirror://host/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n"
        "Types: deb\nURIs: mirror://host/security\nSuites: bookworm-security\nComponents: main\n\n"
        "Enabled: no\nTypes: deb\nURIs: mirror://host/off\nSuites: bookworm\nComponents: main\n"
    )

    made = debian_sources.source_entries(text, "bookworm", "bookworm trixie", stanzas=True)

    assert made == "Types: deb-src\nURIs: mirror://host/debian\nSuites: bookworm trixie\nComponents: main\n"


def test_the_esp32_build_takes_the_module_from_the_project():
    *_, build = native.esp32_commands(Path("/src/micropython"), "ESP32_GENERIC_C3")

    assert "BOARD=ESP32_GENERIC_C3" in build
    assert f"USER_C_MODULES={MODULE / 'micropython.cmake'}" in build


def test_a_frozen_image_has_the_modules_of_the_board_and_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "BUILD", tmp_path / "build")
    own = tmp_path / "ports/esp32/boards/OWN"
    own.mkdir(parents=True)
    (own / "manifest.py").touch()

    *_, build = native.esp32_commands(tmp_path, "OWN", frozen=True)
    manifest = native.board_manifest(tmp_path, "ESP32_GENERIC").read_text()

    assert f"FROZEN_MANIFEST={tmp_path / 'build/manifest-OWN.py'}" in build
    assert str(own / "manifest.py") in (tmp_path / "build/manifest-OWN.py").read_text()
    assert "$(PORT_DIR)/boards/manifest.py" in manifest
    frozen = tmp_path / "build/frozen-ESP32_GENERIC"
    assert (frozen / "firmware/app.py").exists() and (frozen / "ansim/signatures/in_image.py").exists()
    assert not (frozen / "machine.py").exists() and not (frozen / "main.py").exists()


def test_a_folder_without_micropython_is_named(tmp_path):
    with pytest.raises(ToolError, match="no MicroPython checkout with ports/esp32/boards/ESP32_GENERIC"):
        native.build_esp32(tmp_path, "ESP32_GENERIC")


def test_the_error_without_esp_idf_names_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "ports" / "esp32" / "boards" / "ESP32_GENERIC").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolError, match=r"export\.sh"):
        native.build_esp32(tmp_path, "ESP32_GENERIC")


def test_the_image_s_heap_has_room_for_the_program_in_its_first_block():
    text = (MODULE / "micropython.cmake").read_text()

    assert re.findall(r"MICROPY_GC_INITIAL_HEAP_SIZE=(\d+)", text) == [str(native.BOARD_HEAP_BYTES)]


def test_every_board_of_the_project_can_be_built():
    assert set(native.BOARDS) == set(boards.NAMES)


def test_both_build_files_name_all_sources_and_their_own_radio():
    sources = {path.name for path in MODULE.glob("*.c")}
    cmake = set(re.findall(r"(\w+\.c)\b", (MODULE / "micropython.cmake").read_text()))
    make = set(re.findall(r"(\w+\.c)\b", (MODULE / "micropython.mk").read_text()))

    assert cmake == sources - {"radio_host.c"}
    assert make == sources - {"radio_esp32.c"}
