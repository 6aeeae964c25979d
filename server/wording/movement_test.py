"""The result of a movement test in words."""

from flask_babel import format_decimal, gettext

from ansim.detect.stimulus import NO_RESPONSE, RESPONDS, verdict


def sentence(p_ppm: int, heard_permille: int) -> str:
    """Return what a result means, in the language of the page; for the arguments see ansim/detect/stimulus.py."""
    chance = format_decimal(round(p_ppm / 1000, 1))
    return {
        RESPONDS: gettext(
            "The stream reacted to what was done in this room; by chance that happens in %(chance)s of 1,000 tests.",
            chance=chance,
        ),
        NO_RESPONSE: gettext("No reaction to what was done in this room. That does not prove that it looks elsewhere."),
    }.get(verdict(p_ppm, heard_permille), gettext("The test was not clear. Do it again."))
