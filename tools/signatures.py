"""
Compile the readable tables of names and address prefixes into the binary tables of a sensor.

    python -m tools.signatures            # writes ansim/signatures/*.bin from ansim/signatures/source/*.csv
    python -m tools.signatures --check    # writes nothing; exits with 1 if a .bin is out of date

The format is described in ansim/signatures/__init__.py, the patterns in ansim/signatures/pattern.py.
The .bin files are kept in the repository, because a sensor is flashed from a plain copy of it. The
same sources always compile to the same bytes.
"""

import argparse
import hashlib
import itertools
import struct

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
from tools.lib import arguments
from tools.lib.errors import ToolError, run
from tools.lib.paths import ROOT

FOLDER = ROOT / "ansim" / "signatures"
REVISION = 2026010101  # increase it with every change to the sources: an older update cannot replace a newer table

TIERS = {"A": CAMERA, "B": BRAND, "C": WEAK, "H": HARMLESS}
ROW_TYPES = {"name": NAME, "service": SERVICE, "maker": MAKER}
CHARACTER_CLASSES = {
    "#": pattern.DIGIT,
    "@": pattern.CAPITAL,
    "%": pattern.HEX,
    "&": pattern.LETTER_OR_DIGIT,
}


class BadPattern(Exception):
    """The readable pattern has a mistake; the text says where."""


def compile_pattern(text: str) -> bytes:
    """Return the code of a readable pattern (see ansim/signatures/pattern.py). Raises BadPattern."""
    code = bytearray()
    position = 0
    if text.startswith("~"):
        code.append(pattern.ANYWHERE)
        position = 1
    while position < len(text):
        if text[position] == "$":
            if position + 1 != len(text):
                raise BadPattern(f"{text}: $ is not at the end")
            code.append(pattern.END)
            break
        if text[position] == "!":
            code.append(pattern.NO_LETTER)
            position += 1
            continue
        element, position = _element(text, position)
        if text[position : position + 1] == "{":
            closing = text.find("}", position)
            times = text[position + 1 : closing]
            if closing < 0 or not times.isdigit() or not 2 <= int(times) <= 32 or element[0] == pattern.EITHER:
                raise BadPattern(f"{text}: {{}} needs a number 2..32 and one character before it")
            element = bytes([pattern.TIMES, int(times)]) + element
            position = closing + 1
        if text[position : position + 1] == "?":
            element = bytes([pattern.MAYBE]) + element
            position += 1
        code += element
    if len(code) <= (1 if text.startswith("~") else 0):
        raise BadPattern(f"{text!r} matches every name")
    return bytes(code)


def _element(text, position):
    """Return (code, position behind it) of the element at a position."""
    character = text[position]
    if character in CHARACTER_CLASSES:
        return bytes([CHARACTER_CLASSES[character]]), position + 1
    if character == "[":
        closing = text.find("]", position)
        inside = text[position + 1 : closing].lower().encode()
        if closing < 0 or not inside:
            raise BadPattern(f"{text}: [ is not closed")
        return bytes([pattern.ONE_OF, len(inside)]) + inside, closing + 1
    if character == "(":
        return _either(text, position)
    if character in "])}{?|":
        raise BadPattern(f"{text}: {character} has no meaning at character {position + 1}")
    literal, position = _literal(text, position)
    return literal, position


def _either(text, position):
    texts = [b""]
    position += 1
    while text[position : position + 1] not in (")", ""):
        if text[position] == "|":
            texts.append(b"")
            position += 1
        elif text[position] in "([{?~$!":
            raise BadPattern(f"{text}: {text[position]} inside ( ); only plain texts are allowed there")
        else:
            literal, position = _literal(text, position)
            texts[-1] += literal
    if position >= len(text):
        raise BadPattern(f"{text}: ( is not closed")
    if b"" in texts or len(set(texts)) != len(texts):
        raise BadPattern(f"{text}: a text in ( ) is empty or listed twice (letters match in either case)")
    coded = b"".join(bytes([len(option)]) + option for option in texts)
    letters = 0
    for option in texts:
        letters |= pattern.first_letter_bit(option[0])
    return struct.pack("<BHB", pattern.EITHER, letters, len(texts)) + coded, position + 1


def _literal(text, position):
    if text[position] == "\\":
        position += 1
    if position >= len(text):
        raise BadPattern(f"{text}: nothing after \\")
    literal = text[position].encode()
    return bytes(byte | 0x20 if 0x41 <= byte <= 0x5A else byte for byte in literal), position + 1


def table_file(table: int, rows: int, body: bytes, revision: int = REVISION) -> bytes:
    """Return the contents of a table's file: a header with a hash, and the body."""
    start = struct.pack("<4sBBHII", MAGIC, FORMAT, table, rows, revision, len(body))
    return start + hashlib.sha256(start + body).digest() + body


def compile_ouis() -> bytes:
    """Return the contents of the file of address prefixes."""
    makers = names.rows("vendors")
    indexes = {maker["number"]: index for index, maker in enumerate(makers)}
    prefixes = sorted((bytes.fromhex(row["value"].replace(":", "")), row["vendor"]) for row in names.rows("ouis"))
    for (prefix, _), (following, _) in itertools.pairwise(prefixes):
        if prefix == following:
            raise ToolError(f"ouis.csv: {prefix.hex(':')} is listed twice; keep the row with the newer registry entry")
    body = bytes([len(makers)])
    body += b"".join(bytes([int(maker["number"]), _kind(maker, "vendors")]) for maker in makers)
    body += b"".join(prefix for prefix, _ in prefixes)
    body += bytes(indexes[vendor] for _, vendor in prefixes)
    return table_file(OUIS, len(prefixes), body)


def compile_names(table: int) -> bytes:
    """Return the contents of the file of SSIDs or of Bluetooth LE names."""
    source = NAMES[table]
    body, seen = b"", set()
    rows = names.rows(source)
    for row in rows:
        number = int(row["number"])
        if number in seen:
            raise ToolError(f"{source}.csv: number {number} is listed twice; give the new row another number")
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
        raise ToolError(f"{source}.csv row {row['number']}: unknown tier or cause; see ansim/signatures/__init__.py")
    return TIERS[row["tier"]] + 4 * CAUSES.index(row["cause"])


def compile_all() -> dict[str, bytes]:
    """Return {file name: contents} of all tables."""
    return {
        "ouis.bin": compile_ouis(),
        "ssids.bin": compile_names(SSIDS),
        "ble.bin": compile_names(BLE),
    }


def main() -> None:
    """Write or check the compiled tables."""
    parser = argparse.ArgumentParser(prog="python -m tools.signatures", description=arguments.summary_line(__doc__))
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    check = parser.parse_args().check
    for name, data in compile_all().items():
        path = FOLDER / name
        if check and (not path.exists() or path.read_bytes() != data):
            raise ToolError(f"{name} is out of date; run `python -m tools.signatures`")
        if not check:
            path.write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    run(main)
