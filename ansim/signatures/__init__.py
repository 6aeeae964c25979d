"""
Signature tables: names of cameras and of harmless devices, and the makers behind address prefixes.

    tables = Tables()
    tables.oui(b"\\x00\\xbc\\x99\\x12\\x34\\x56")     # Sign(number=12, tier=CAMERA, cause="visible_camera")
    camera, harmless = tables.ssid("KT_GiGA_2G_1234")    # (None, Sign(number=201, tier=HARMLESS, ...))

The readable tables are source/*.csv, each row with its source; `python -m tools.signatures`
compiles them into the *.bin files in this folder; only these are on a sensor. They are read
once, searched in place and take less than 8 kB of heap together.

A file, whole numbers little-endian:

    offset  size
    0       4     b"ANSG"
    4       1     version of this format, 1
    5       1     table: 1 address prefixes, 2 SSIDs, 3 Bluetooth LE
    6       2     rows
    8       4     revision, the larger is the newer: 2026010301 is the first of 2026-01-03
    12      4     bytes of the body
    16      32    SHA-256 of bytes 0..15 and the body
    48            body
    48+body 32    only in an update: HMAC-SHA256 of bytes 0..47 by the device's key

A body of address prefixes: makers (1), then (number, kind) of each; then the prefixes of
3 bytes each, sorted; then for each prefix the index of its maker.
Other bodies: rows of length (1, of what follows), row type (1), number (2), kind (1), value.
The value of a row of type NAME is a pattern (see pattern.py), else 2 bytes.
A kind is tier + 4 * place in CAUSES.
"""

import hashlib
from collections import namedtuple

from ansim import refusal_codes
from ansim.envelope import hmac_sha256, same
from ansim.signatures.pattern import EITHER, first_letter_bit, is_sound, matches

MAGIC = b"ANSG"
FORMAT = 1
HEADER_BYTES = 48
SIGNATURE_BYTES = 32
MAX_BODY_BYTES = 8192  # an update that is larger would not fit beside the rest of the firmware

OUIS, SSIDS, BLE = 1, 2, 3
NAMES = {OUIS: "ouis", SSIDS: "ssids", BLE: "ble"}

NAME, SERVICE, MAKER = 0, 1, 2

# Tiers: the larger the stronger.
HARMLESS, WEAK, BRAND, CAMERA = 0, 1, 2, 3

# The innocent cause that a row of a table names. Add new ones at the end.
CAUSES = (
    "",
    "visible_camera",
    "neighbour_device",
    "public_network",
    "home_router",
    "phone_hotspot",
    "setup_appliance",
    "printer_or_tv",
    "action_or_dash_cam",
    "drone",
    "visitor_wearable",
    "visitor_device",
    "maker_board",
)

# number  of the row in the table's source, or of the maker in source/vendors.csv
# tier    HARMLESS, WEAK, BRAND or CAMERA
# cause   one of CAUSES
Sign = namedtuple("Sign", ("number", "tier", "cause"))

_HASHED_BYTES = 16  # of the header, before its SHA-256


class BadTable(Exception):
    """The file is not a valid table; the text says why."""


def read(path: str, table: int) -> tuple:
    """
    Return (revision, rows, body) of a table's file.

    table  OUIS, SSIDS or BLE
    body   bytes

    Raises BadTable; OSError if there is no such file.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
        rows, size = _checked_header(header, table)
        body = file.read(size)
    if len(body) != size:
        raise BadTable("%s ends early" % path)
    if _digest(header, body) != header[_HASHED_BYTES:]:
        raise BadTable("%s is damaged" % path)
    if not (_is_sound_ouis if table == OUIS else _is_sound_rows)(body, rows):
        raise BadTable("%s is malformed" % path)
    return _whole(header, 8, 4), rows, body


def verify_update(path: str, table: int, key: bytes, revision: int) -> int:
    """
    Check a table from the network before it replaces the one in use; return its revision.

    key       the device's key of 32 bytes, with which the update must be signed
    revision  of the table in use; an update that is not newer is refused, so that old ones cannot be replayed

    Raises BadTable; its text is a code of ansim/refusal_codes.py, or a sentence if the file itself is no good table.
    """
    try:
        new_revision, _, body = read(path, table)
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
            file.seek(HEADER_BYTES + len(body))
            signature = file.read(SIGNATURE_BYTES + 1)
    except OSError:
        raise BadTable(refusal_codes.TABLE_DAMAGED)
    if len(signature) != SIGNATURE_BYTES or not same(signature, hmac_sha256(key, header)):
        raise BadTable(refusal_codes.NOT_SIGNED)
    if new_revision <= revision:
        raise BadTable(refusal_codes.TABLE_NOT_NEWER)
    return new_revision


def signed(table_file: bytes, key: bytes) -> bytes:
    """Return the bytes of an update for the device with this key, from the bytes of a table's file."""
    return table_file + hmac_sha256(key, table_file[:HEADER_BYTES])


class Tables:
    """
    The three tables, each read from its file on first use.

    folder   of the program's own tables
    updates  folder of newer tables that verify_update() has accepted; "" for none
    """

    def __init__(self, folder: str = "", updates: str = ""):
        self._folder = folder or __file__.replace("\\", "/").rsplit("/", 1)[0]
        self._updates = updates
        self._loaded = {}

    def revision(self, table: int) -> int:
        """Return the revision of the table in use."""
        return self._table(table)[0]

    def oui(self, address: bytes) -> Sign | None:
        """Return the Sign of the maker of an address (6 bytes), or None if it is unknown."""
        if address[0] & 2:
            return None  # locally administered: no maker
        _, rows, body = self._table(OUIS)
        makers = body[0]
        first = 1 + 2 * makers
        sought = address[0] << 16 | address[1] << 8 | address[2]
        low, high = 0, rows
        while low < high:
            middle = (low + high) // 2
            at = first + 3 * middle
            prefix = body[at] << 16 | body[at + 1] << 8 | body[at + 2]
            if prefix == sought:
                maker = 1 + 2 * body[first + 3 * rows + middle]
                return _sign(body[maker], body[maker + 1])
            if prefix < sought:
                low = middle + 1
            else:
                high = middle
        return None

    def ssid(self, name: str) -> tuple:
        """Return (strongest camera Sign or None, first harmless Sign or None) for an access point's name."""
        return self._named(SSIDS, name)

    def ble_name(self, name: str) -> tuple:
        """Return (strongest camera Sign or None, first harmless Sign or None) for a Bluetooth LE name."""
        return self._named(BLE, name)

    def ble_service(self, uuid: int) -> Sign | None:
        """Return the Sign of a 16-bit service UUID, or None."""
        return self._numbered(SERVICE, uuid)

    def ble_maker(self, company: int) -> Sign | None:
        """Return the Sign of a Bluetooth SIG company id, or None."""
        return self._numbered(MAKER, company)

    def _named(self, table, name):
        body = self._table(table)[2]
        text = name.encode()
        if not text:
            return None, None
        first = text[0] | 0x20 if 0x41 <= text[0] <= 0x5A else text[0]
        letter = first_letter_bit(first)
        camera = harmless = None
        at = 0
        while at < len(body):
            end = at + 1 + body[at]
            # The first letter excludes most rows; comparing it here is cheaper than in matches().
            begins = body[at + 5]
            skip = begins != first if begins != EITHER else not (body[at + 6] | body[at + 7] << 8) & letter
            if skip and (begins == EITHER or begins >= 0x20):
                at = end
                continue
            if body[at + 1] == NAME and matches(body, at + 5, end, text):
                sign = _sign(body[at + 2] | body[at + 3] << 8, body[at + 4])
                if sign.tier == HARMLESS:
                    harmless = harmless or sign
                elif camera is None or sign.tier > camera.tier:
                    camera = sign
            at = end
        return camera, harmless

    def _numbered(self, kind, number):
        body = self._table(BLE)[2]
        at = 0
        while at < len(body):
            if body[at + 1] == kind and body[at + 5] | body[at + 6] << 8 == number:
                return _sign(body[at + 2] | body[at + 3] << 8, body[at + 4])
            at += 1 + body[at]
        return None

    def _table(self, table):
        loaded = self._loaded.get(table)
        if loaded is None:
            loaded = _in_image(table) or read("%s/%s.bin" % (self._folder, NAMES[table]), table)
            if self._updates:
                try:
                    newer = read("%s/%s.bin" % (self._updates, NAMES[table]), table)
                    if newer[0] > loaded[0]:
                        loaded = newer
                except (OSError, BadTable):
                    pass  # no update, or it is damaged: use the program's own table
            self._loaded[table] = loaded
        return loaded


def _sign(number, kind):
    place = kind >> 2
    return Sign(number, kind & 3, CAUSES[place] if place < len(CAUSES) else "")


def _checked_header(header, table):
    """Return (rows, bytes of the body). Raises BadTable."""
    if len(header) != HEADER_BYTES or header[:4] != MAGIC:
        raise BadTable("not a table of signatures")
    if header[4] != FORMAT:
        raise BadTable("format %d, this program knows %d" % (header[4], FORMAT))
    if header[5] != table:
        raise BadTable("table %d, expected %d" % (header[5], table))
    size = _whole(header, 12, 4)
    if size > MAX_BODY_BYTES:
        raise BadTable("%d bytes, more than %d" % (size, MAX_BODY_BYTES))
    return _whole(header, 6, 2), size


def _is_sound_ouis(body, rows):
    if not body or len(body) != 1 + 2 * body[0] + 4 * rows:
        return False
    return all(body[index] < body[0] for index in range(len(body) - rows, len(body)))


def _is_sound_rows(body, rows):
    at = 0
    while at < len(body):
        end = at + 1 + body[at]
        if body[at] < 5 or end > len(body):
            return False
        if body[at + 1] == NAME:
            if not is_sound(body, at + 5, end):
                return False
        elif end != at + 7:
            return False
        rows -= 1
        at = end
    return rows == 0


def _digest(header, body):
    digest = hashlib.sha256(header[:_HASHED_BYTES])
    digest.update(body)
    return digest.digest()


def _whole(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def _in_image(table):
    """
    Return the table that tools/native.py has frozen into the interpreter's image, where it takes no heap; else None.
    """
    try:
        from ansim.signatures import in_image  # pyright: ignore[reportAttributeAccessIssue]
    except ImportError:
        return None
    return in_image.TABLES[NAMES[table]]
