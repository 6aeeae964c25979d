"""
Look up the numbers in a finding's evidence in the readable tables; for the server and the tools.

    what("ssids", 17)      # {"what": "V380", "value": "V380[-_]", "tier": "A", "source": ..., ...}

The readable tables are not on a sensor.
"""

_FOLDER = __file__.replace("\\", "/").rsplit("/", 1)[0] + "/source/"


def rows(table: str) -> list:
    """
    Return the rows of a readable table as dicts of text, in the order of the file.

    table  "ssids", "ble", "vendors" or "ouis"

    Fields are separated by commas and never contain one; lines that begin with # are comments.
    Raises OSError if the tables are not installed.
    """
    records = []
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
                records.append(dict(zip(fields, parts)))
    return records


def what(table: str, number: int) -> dict:
    """Return the row with this number, or {} if there is none."""
    try:
        for row in rows(table):
            if row.get("number") == str(number):
                return row
    except OSError:
        pass
    return {}
