"""
Formats of measured values: unit, rounding, and names where the value is a row of a signature table.

    format_value("kbps", 412)      # "412 kbit/s"
    form_of_rule("noise_dbm")      # "dbm": an unknown rule still gets its unit
"""

from flask_babel import format_decimal, gettext

from server.wording import signature_tables


def _decimal(value, digits=0):
    return format_decimal(round(value, digits) if digits else round(value))


def _kbps(value):
    if value >= 1000:
        return gettext("%(number)s Mbit/s", number=_decimal(value / 1000, 1))
    return gettext("%(number)s kbit/s", number=_decimal(value))


def _permille(value):
    # "0 %" for a small share would read as if there were nothing.
    digits = 1 if 0 < abs(value) < 10 else 0
    return gettext("%(number)s %%", number=_decimal(value / 10, digits))


def _ms(value):
    if abs(value) >= 1000:
        return gettext("%(number)s seconds", number=_decimal(value / 1000, 1))
    return gettext("%(number)s milliseconds", number=_decimal(value))


def _khz(value):
    if abs(value) >= 1000:
        return gettext("%(number)s MHz", number=_decimal(value / 1000, 1))
    return gettext("%(number)s kHz", number=_decimal(value))


def _named(table):
    def translated(value):
        return signature_tables.translated_row(table, value) or gettext("entry %(number)s of the list", number=value)

    return translated


FORMS = {
    "kbps": _kbps,
    "permille": _permille,
    "percent": lambda value: _permille(value * 10),
    "ppm": lambda value: format_decimal(value / 1_000_000),
    "bytes": lambda value: gettext("%(number)s bytes", number=_decimal(value)),
    "ms": _ms,
    "s": lambda value: _ms(value * 1000),
    "us": lambda value: gettext("%(number)s microseconds", number=_decimal(value)),
    "mhz": lambda value: gettext("%(number)s MHz", number=_decimal(value)),
    "khz": _khz,
    "dbm": lambda value: f"{value} dBm",
    "db": lambda value: f"{value} dB",
    "count": _decimal,
    "hex": lambda value: f"0x{value:04X}",
    "ssids": _named("ssids"),
    "vendors": _named("vendors"),
    "ble": _named("ble"),
    "flag": lambda value: "",
    "none": lambda value: "",
}


def form_of_rule(rule: str) -> str:
    """Return the form that a rule's id tells by its ending, or "count"."""
    ending = rule.rpartition("_")[2]
    return ending if ending in FORMS and ending not in ("flag", "none") else "count"


def format_value(form: str, value: int) -> str:
    """Return a value as people read it, in the language of the page."""
    return FORMS[form](value)
