"""
What the numbers in a finding's evidence mean, in words; read by the server and the tools.

    what("ssids", 17)      # {"what": "V380", "value": "V380[-_]", "tier": "A", "source": ..., ...}

A sensor does not carry the readable tables, so there every number is unknown.
"""

_FOLDER = __file__.replace("\\", "/").rsplit("/", 1)[0] + "/source/"


def rows(table: str) -> list:
    """
    Return the rows of a readable table as dicts of text, in the order of the file.

    table  "ssids", "ble", "vendors" or "ouis"

    Fields are separated by commas and never contain one; lines that begin with # are remarks.
    Raises OSError if the readable tables are not there.
    """
    found = []
    fields = None
    with open(_FOLDER + table + ".csv") as file:
        for line in file:
            line = line.rstrip("\r\n")
            if not line or line[0] == "#":
                continue
            parts = line.split(",")
            if fields is None:
                fields = parts
            else:
                found.append(dict(zip(fields, parts)))
    return found


def what(table: str, number: int) -> dict:
    """Return the row with this number, or {} if there is none."""
    try:
        for row in rows(table):
            if row.get("number") == str(number):
                return row
    except OSError:
        pass
    return {}
