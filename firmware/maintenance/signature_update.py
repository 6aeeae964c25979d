"""
A newer signature table, as it comes in parts by commands: put together, checked, switched to by one rename.

    answer = take(args, key, "/signatures")    # "" more parts are missing, None complete, else why not

Parts come in order; a part that was there already is taken as done, so each may be sent again.
"""

import binascii
import hashlib
import os

from ansim import signatures

MOST_BYTES = signatures.HEADER_BYTES + signatures.MAX_BODY_BYTES + signatures.SIGNATURE_BYTES


def take(args: dict, key: bytes, folder: str):
    """
    Take one part; the arguments are those of ansim/downlink_rules.py.

    Returns "" if more is to come, None once the new table is in its place (good from the next start),
    or the reason of a refusal.
    """
    number = [one for one in signatures.NAMES if signatures.NAMES[one] == args["table"]]
    if not number:
        return "no such table"
    if args["bytes"] > MOST_BYTES:
        return "the table is too long"
    try:
        data = binascii.a2b_base64(args["data"])
    except ValueError:
        return "data is not base64"
    path = "%s/%s.bin" % (folder, args["table"])
    part = "%s.%s" % (path, args["sha256"][:8])  # parts of another table do not mix with it
    _make(folder)
    _forget_others(folder, args["table"], part)
    have = _size(part)
    if args["offset"] > have:
        return "offset %d is expected" % have
    if args["offset"] + len(data) > args["bytes"]:
        return "more data than bytes"
    if args["offset"] + len(data) > have:
        with open(part, "ab") as file:
            file.write(data[have - args["offset"] :])
        have = args["offset"] + len(data)
    if have < args["bytes"]:
        return ""
    why = _refusal(part, args["sha256"], number[0], key, folder)
    if why:
        os.remove(part)
        return why
    os.rename(part, path)
    return None


def _refusal(part, sha256, number, key, folder):
    with open(part, "rb") as file:
        if binascii.hexlify(hashlib.sha256(file.read()).digest()).decode() != sha256:
            return "the table came broken"
    try:
        signatures.verify_update(part, number, key, signatures.Tables("", folder).revision(number))
    except signatures.BadTable as error:
        return str(error).split(" ", 1)[1]
    return ""


def _make(folder):
    try:
        os.mkdir(folder)
    except OSError:
        pass  # it is there


def _forget_others(folder, name, part):
    """Take away the parts of a table that never became whole."""
    for entry in os.listdir(folder):
        path = folder + "/" + entry
        if entry.startswith(name + ".bin.") and path != part:
            os.remove(path)


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0
