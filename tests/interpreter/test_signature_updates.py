"""Newer signature tables on the real MicroPython: accepted, refused and ignored as on CPython."""

import pytest

from ansim import signatures
from ansim.signatures import BLE, Tables
from tests.support.micropython import run
from tools.signatures import FOLDER, REVISION, table_file

KEY = bytes(range(32))
# a service of its own: the row's length, its type, number 7, tier CAMERA, UUID 0x1234
ROW = bytes([6, signatures.SERVICE, 7, 0, signatures.CAMERA, 0x34, 0x12])
NEWER = table_file(BLE, 1, ROW, REVISION + 1)

VERIFY = """
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
    # In use although it is refused: a sensor never stores such a file, see verify_update.
    "signed by another key": (signatures.signed(NEWER, KEY[::-1]), False, True),
    "as old as the one in use": (signatures.signed(table_file(BLE, 1, ROW, REVISION), KEY), False, False),
    "damaged": (signatures.signed(NEWER[:-1] + b"?", KEY), False, False),
    "a row that ends outside": (signatures.signed(table_file(BLE, 1, ROW[:-1], REVISION + 1), KEY), False, False),
    "cut off": (NEWER[:40], False, False),
    "empty": (b"", False, False),
    "another table": ((FOLDER / "ssids.bin").read_bytes(), False, False),
}


@pytest.mark.parametrize("case", FILES)
def test_an_update_is_accepted_or_refused_as_on_cpython(micropython, tmp_path, case):
    data, accepted, used = FILES[case]
    (tmp_path / "ble.bin").write_bytes(data)

    output = run(micropython, "-c", VERIFY % (str(tmp_path), REVISION), heap="400k")

    verdict, signs = output.splitlines()
    assert verdict == (str(REVISION + 1) if accepted else "refused")
    tables = Tables(updates=str(tmp_path))
    assert signs == f"{tables.ble_service(0x1234)} {tables.ble_service(0xFD50)}"
    assert (tables.ble_service(0x1234) is not None) == used
    assert (tables.ble_service(0xFD50) is None) == used  # else the built-in table stays
