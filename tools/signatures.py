"""
Compile the readable tables of names and address prefixes into what a sensor carries.

    python -m tools.signatures            # writes ansim/signatures/*.bin from ansim/signatures/source/*.csv
    python -m tools.signatures --check    # writes nothing; exit 1 if a .bin is not what the sources compile to

The format is described in ansim/signatures/__init__.py, the patterns in ansim/signatures/pattern.py.
The .bin files are part of the project because a sensor is flashed from a plain copy of it;
this command makes the same bytes again.
"""

import argparse
import hashlib
import itertools
import struct
from pathlib import Path

from ansim.signatures import (
    BLE,
    BRAND,
    CAMERA,
    CAUSES,
    FORMAT,
    HARMLESS,
    MAGIC,
    MAKER,
    NAME,
    NAMES,
    OUIS,
    SERVICE,
    SSIDS,
    WEAK,
    names,
    pattern,
)
from tools.lib.errors import ToolError, run

FOLDER = Path(__file__).resolve().parent.parent / "ansim" / "signatures"
REVISION = 2026010101  # larger after every change to the sources, so that an older update cannot replace a newer table

TIERS = {"A": CAMERA, "B": BRAND, "C": WEAK, "H": HARMLESS}
ROW_TYPES = {"name": NAME, "service": SERVICE, "maker": MAKER}
CHARACTER_CLASSES = {
    "#": pattern.DIGIT,
    "@": pattern.CAPITAL,
    "%": pattern.HEX,
    "&": pattern.LETTER_OR_DIGIT,
}


class BadPattern(Exception):
    """The readable pattern is not one; the text says where."""


def compile_pattern(text: str) -> bytes:
    """Return the code of a readable pattern (see ansim/signatures/pattern.py). Raises BadPattern."""
    code = bytearray()
    at = 0
    if text.startswith("~"):
        code.append(pattern.ANYWHERE)
        at = 1
    while at < len(text):
        if text[at] == "$":
            if at + 1 != len(text):
                raise BadPattern(f"{text}: $ is not at the end")
            code.append(pattern.END)
            break
        if text[at] == "!":
            code.append(pattern.NO_LETTER)
            at += 1
            continue
        element, at = _element(text, at)
        if text[at : at + 1] == "{":
            closing = text.find("}", at)
            times = text[at + 1 : closing]
            if closing < 0 or not times.isdigit() or not 2 <= int(times) <= 32 or element[0] == pattern.EITHER:
                raise BadPattern(f"{text}: {{}} takes 2..32 and one character before it")
            element = bytes([pattern.TIMES, int(times)]) + element
            at = closing + 1
        if text[at : at + 1] == "?":
            element = bytes([pattern.MAYBE]) + element
            at += 1
        code += element
    if len(code) <= (1 if text.startswith("~") else 0):
        raise BadPattern(f"{text!r} fits every name")
    return bytes(code)


def _element(text, at):
    """Return (code, where the next one begins) of the element at `at`."""
    character = text[at]
    if character in CHARACTER_CLASSES:
        return bytes([CHARACTER_CLASSES[character]]), at + 1
    if character == "[":
        closing = text.find("]", at)
        inside = text[at + 1 : closing].lower().encode()
        if closing < 0 or not inside:
            raise BadPattern(f"{text}: [ is not closed")
        return bytes([pattern.ONE_OF, len(inside)]) + inside, closing + 1
    if character == "(":
        return _either(text, at)
    if character in "])}{?|":
        raise BadPattern(f"{text}: {character} has no meaning at character {at + 1}")
    literal, at = _literal(text, at)
    return literal, at


def _either(text, at):
    texts = [b""]
    at += 1
    while text[at : at + 1] not in (")", ""):
        if text[at] == "|":
            texts.append(b"")
            at += 1
        elif text[at] in "([{?~$!":
            raise BadPattern(f"{text}: {text[at]} inside ( ); only texts can stand there")
        else:
            literal, at = _literal(text, at)
            texts[-1] += literal
    if at >= len(text):
        raise BadPattern(f"{text}: ( is not closed")
    if b"" in texts or len(set(texts)) != len(texts):
        raise BadPattern(f"{text}: a text in ( ) is empty or twice there (letters match in either case)")
    coded = b"".join(bytes([len(one)]) + one for one in texts)
    letters = 0
    for one in texts:
        letters |= pattern.first_letter_bit(one[0])
    return struct.pack("<BHB", pattern.EITHER, letters, len(texts)) + coded, at + 1


def _literal(text, at):
    if text[at] == "\\":
        at += 1
    if at >= len(text):
        raise BadPattern(f"{text}: nothing after \\")
    literal = text[at].encode()
    return bytes(byte | 0x20 if 0x41 <= byte <= 0x5A else byte for byte in literal), at + 1


def table_file(table: int, rows: int, body: bytes, revision: int = REVISION) -> bytes:
    """Return the bytes of a table's file."""
    start = struct.pack("<4sBBHII", MAGIC, FORMAT, table, rows, revision, len(body))
    return start + hashlib.sha256(start + body).digest() + body


def compile_ouis() -> bytes:
    """Return the file of the address prefixes."""
    makers = names.rows("vendors")
    places = {maker["number"]: place for place, maker in enumerate(makers)}
    prefixes = sorted((bytes.fromhex(row["value"].replace(":", "")), row["vendor"]) for row in names.rows("ouis"))
    for one, following in itertools.pairwise(prefixes):
        if one[0] == following[0]:
            raise ToolError(f"ouis.csv: {one[0].hex(':')} is there twice; keep the row whose registry entry is newer")
    body = bytes([len(makers)])
    body += b"".join(bytes([int(maker["number"]), _kind(maker, "vendors")]) for maker in makers)
    body += b"".join(prefix for prefix, _ in prefixes)
    body += bytes(places[vendor] for _, vendor in prefixes)
    return table_file(OUIS, len(prefixes), body)


def compile_names(table: int) -> bytes:
    """Return the file of the SSIDs or of Bluetooth LE."""
    source = NAMES[table]
    body, seen = b"", set()
    rows = names.rows(source)
    for row in rows:
        number = int(row["number"])
        if number in seen:
            raise ToolError(f"{source}.csv: number {number} is there twice; give the new row a new number")
        seen.add(number)
        kind = ROW_TYPES[row.get("kind", "name")]
        try:
            value = compile_pattern(row["value"]) if kind == NAME else struct.pack("<H", int(row["value"], 16))
        except BadPattern as error:
            raise ToolError(f"{source}.csv row {number}: {error}") from error
        coded = struct.pack("<BHB", kind, number, _kind(row, source)) + value
        body += bytes([len(coded)]) + coded
    return table_file(table, len(rows), body)


def _kind(row, source):
    if row["tier"] not in TIERS or row["cause"] not in CAUSES:
        raise ToolError(f"{source}.csv row {row['number']}: tier or cause is not one of those in ansim/signatures")
    return TIERS[row["tier"]] + 4 * CAUSES.index(row["cause"])


def compile_all() -> dict:
    """Return {file name: bytes} of all tables."""
    return {
        "ouis.bin": compile_ouis(),
        "ssids.bin": compile_names(SSIDS),
        "ble.bin": compile_names(BLE),
    }


def main() -> None:
    """Write or check the compiled tables."""
    parser = argparse.ArgumentParser(prog="python -m tools.signatures", description=__doc__.split("\n")[1])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    check = parser.parse_args().check
    for name, data in compile_all().items():
        path = FOLDER / name
        if check and (not path.exists() or path.read_bytes() != data):
            raise ToolError(f"{name} is not what its source compiles to; run `python -m tools.signatures`")
        if not check:
            path.write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    run(main)
