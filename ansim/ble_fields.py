"""
Parse the fields of a Bluetooth LE advertisement.

    fields = advertised(b"\\x02\\x01\\x06\\x09\\x09V380_123")
    # Advertised(name="V380_123", services=[], maker=None, damaged=False)

Source: Bluetooth Core Specification 5.4, Vol 3, Part C, section 11; Supplement to the
Bluetooth Core Specification v11, Part A; Bluetooth Assigned Numbers, 2.3.
"""

from collections import namedtuple

SOME_SERVICES_16 = 0x02
ALL_SERVICES_16 = 0x03
SOME_SERVICES_128 = 0x06
ALL_SERVICES_128 = 0x07
SHORT_NAME = 0x08
COMPLETE_NAME = 0x09
SERVICE_DATA_16 = 0x16
MAKER_DATA = 0xFF

# A 16-bit UUID written out in full: 0000xxxx-0000-1000-8000-00805F9B34FB, least significant byte first.
_BASE_UUID = b"\xfb\x34\x9b\x5f\x80\x00\x00\x80\x00\x10\x00\x00"

# name      str, "" if there is none; the complete name if there are both; bytes that are not UTF-8 are "?"
# services  list of ints 0..0xFFFF: the 16-bit services that it lists or sends data for
# maker     int 0..0xFFFF, company id of the Bluetooth SIG in its maker data, or None
# damaged   True if a field claimed more bytes than there are; the fields before it are valid
Advertised = namedtuple("Advertised", ("name", "services", "maker", "damaged"))


class BadPayload(Exception):
    """The bytes on the air do not follow the advertising format."""


def ble_fields(payload: bytes) -> list:
    """
    Return the fields of an advertisement as [(field_type, data), ...].

    payload     0..255 bytes, as handed over by the radio
    field_type  int 0..255: 0x09 is a complete name, 0xFF is maker data
    data        bytes, 0..254 of them, still in the air's byte order

    A length byte of zero ends the fields early; what follows is padding.
    Raises BadPayload if a field claims more bytes than the payload has left.
    """
    fields = []
    if _read_fields(payload, fields):
        raise BadPayload("a field claims more than the %d bytes there are" % len(payload))
    return fields


def advertised(payload: bytes) -> Advertised:
    """Return the Advertised of an advertisement (0..255 bytes). Never raises: malformed ones are common."""
    fields = []
    damaged = _read_fields(payload, fields)
    name, complete = "", False
    services = []
    maker = None
    for kind, data in fields:
        if kind == COMPLETE_NAME or (kind == SHORT_NAME and not complete):
            name, complete = _text(data), kind == COMPLETE_NAME
        elif kind in (SOME_SERVICES_16, ALL_SERVICES_16):
            for at in range(0, len(data) - 1, 2):
                services.append(data[at] | data[at + 1] << 8)
        elif kind in (SOME_SERVICES_128, ALL_SERVICES_128):
            for at in range(0, len(data) - 15, 16):
                if data[at : at + 12] == _BASE_UUID and data[at + 14 : at + 16] == b"\x00\x00":
                    services.append(data[at + 12] | data[at + 13] << 8)
        elif kind == SERVICE_DATA_16 and len(data) >= 2:
            services.append(data[0] | data[1] << 8)
        elif kind == MAKER_DATA and len(data) >= 2:
            maker = data[0] | data[1] << 8
    return Advertised(name, services, maker, damaged)


def _read_fields(payload, fields):
    """Append the fields of the payload to `fields`; return True if the last one was cut off."""
    start = 0
    while start < len(payload) and payload[start] != 0:
        end = start + 1 + payload[start]
        if end > len(payload):
            return True
        fields.append((payload[start + 1], bytes(payload[start + 2 : end])))
        start = end
    return False


def _text(data):
    """Return bytes as str; MicroPython has no decode(errors="replace")."""
    try:
        text = data.decode()
    except (UnicodeError, ValueError):
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in data)
    return text.rstrip("\0")
