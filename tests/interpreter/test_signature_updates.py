"""Newer signature tables on the real MicroPython: taken, refused and passed over as on CPython."""

import subprocess

import pytest

from ansim import signatures
from ansim.signatures import BLE, Tables
from tests.conftest import ROOT
from tools.signatures import FOLDER, REVISION, table_file

ENVIRONMENT = {"MICROPYPATH": f"{ROOT}:.frozen"}
KEY = bytes(range(32))
# a service of its own: the row's length, its type, number 7, tier CAMERA, UUID 0x1234
ROW = bytes([6, signatures.SERVICE, 7, 0, signatures.CAMERA, 0x34, 0x12])
NEWER = table_file(BLE, 1, ROW, REVISION + 1)

ASK = """
from ansim.signatures import BLE, BadTable, Tables, verify_update
folder, revision = %r, %d
try:
    print(verify_update(folder + "/ble.bin", BLE, bytes(range(32)), revision))
except BadTable as error:
    print("refused")
tables = Tables(updates=folder)
print(tables.ble_service(0x1234), tables.ble_service(0xFD50))
"""
FILES = {
    "signed and newer": (signatures.signed(NEWER, KEY), True, True),
    "signed by another key": (
        signatures.signed(NEWER, KEY[::-1]),
        False,
        True,
    ),  # never put in place, see verify_update
    "as old as the one in use": (signatures.signed(table_file(BLE, 1, ROW, REVISION), KEY), False, False),
    "damaged": (signatures.signed(NEWER[:-1] + b"?", KEY), False, False),
    "a row that ends outside": (signatures.signed(table_file(BLE, 1, ROW[:-1], REVISION + 1), KEY), False, False),
    "cut off": (NEWER[:40], False, False),
    "empty": (b"", False, False),
    "another table": ((FOLDER / "ssids.bin").read_bytes(), False, False),
}


@pytest.mark.parametrize("what", FILES)
def test_an_update_is_taken_or_refused_as_on_cpython(micropython, tmp_path, what):
    data, accepted, used = FILES[what]
    (tmp_path / "ble.bin").write_bytes(data)

    done = subprocess.run(
        [micropython, "-X", "heapsize=400k", "-c", ASK % (str(tmp_path), REVISION)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    verdict, signs = done.stdout.splitlines()

    assert verdict == (str(REVISION + 1) if accepted else "refused"), done.stderr
    tables = Tables(updates=str(tmp_path))
    assert signs == f"{tables.ble_service(0x1234)} {tables.ble_service(0xFD50)}"
    assert (tables.ble_service(0x1234) is not None) == used
    assert (tables.ble_service(0xFD50) is None) == used  # else the built-in table stays
