"""
Receive a newer signature table in parts, check it, and switch to it by one rename.

    error = receive(args, key, "/signatures")    # "": more parts are missing; None: complete; else a code

Parts come in order. A part that was received before counts as done, so each may be sent again.
"""

import binascii
import os

from ansim import refusal_codes, signatures
from firmware.maintenance import files

MAX_BYTES = signatures.HEADER_BYTES + signatures.MAX_BODY_BYTES + signatures.SIGNATURE_BYTES


def receive(args: dict, key: bytes, folder: str):
    """
    Receive one part; `args` are those of the SIGNATURES command, see ansim/downlink_schemas.py.

    Returns "" if more parts are missing, None once the new table is in its place (used from the next start on),
    or a code of ansim/refusal_codes.py.
    """
    numbers = [number for number in signatures.NAMES if signatures.NAMES[number] == args["table"]]
    if not numbers:
        return refusal_codes.UNKNOWN_TABLE
    if args["bytes"] > MAX_BYTES:
        return refusal_codes.TABLE_TOO_LONG
    try:
        data = binascii.a2b_base64(args["data"])
    except ValueError:
        return refusal_codes.BAD_DATA
    path = "%s/%s.bin" % (folder, args["table"])
    part = "%s.%s" % (path, args["sha256"][:8])  # parts of another table do not mix with it
    files.make_folder(folder)
    _remove_other_parts(folder, args["table"], part)
    received = files.size(part) or 0
    if args["offset"] > received:
        return "%s:%d" % (refusal_codes.WRONG_OFFSET, received)
    if args["offset"] + len(data) > args["bytes"]:
        return refusal_codes.TOO_MUCH_DATA
    if files.append(part, args["offset"], data) < args["bytes"]:
        return ""
    error = _refusal(part, args["sha256"], numbers[0], key, folder)
    if error:
        os.remove(part)
        return error
    os.rename(part, path)
    return None


def _refusal(part, sha256, number, key, folder):
    if files.sha256(part) != sha256:
        return refusal_codes.TABLE_DAMAGED
    try:
        signatures.verify_update(part, number, key, signatures.Tables("", folder).revision(number))
    except signatures.BadTable as error:
        code = str(error)
        return (
            code if code in (refusal_codes.NOT_SIGNED, refusal_codes.TABLE_NOT_NEWER) else refusal_codes.TABLE_DAMAGED
        )
    return ""


def _remove_other_parts(folder, name, part):
    """Remove the parts of tables of this name that were never completed."""
    for entry in os.listdir(folder):
        path = folder + "/" + entry
        if entry.startswith(name + ".bin.") and path != part:
            os.remove(path)
