"""
Sentences for what the sensors and services say in codes.

    lines = evidence(event.evidence)        # rows [rule, value, threshold, weight]
    causes = considered(event.considered)   # rows [cause, verdict]
    refusal(error.code, error.values)

An id that nobody has described yet, from a newer sensor, is shown with its value and unit.
"""

from collections import namedtuple

from flask_babel import gettext

from server.wording import numbers, vocabulary
from server.wording.causes import CAUSES, VERDICTS
from server.wording.refusals import refusal
from server.wording.rules import CLEAR, RULES, SET, UP_TO

# tone    "for", "against" or "none": what it did to the score
# title   what was looked at
# text    the sentence
# weight  points
EvidenceLine = namedtuple("EvidenceLine", ("rule", "tone", "title", "text", "weight"))

# verdict  the Status-like (word, tone) pair of the verdict
CauseLine = namedtuple("CauseLine", ("cause", "title", "tell", "verdict", "tone"))

# Forms that name a thing or answer yes or no: their threshold says nothing to a reader.
_NO_LIMIT = ("ssids", "vendors", "ble", "hex", "flag", "none")


def evidence(rows) -> list[EvidenceLine]:
    """Return evidence rows in words, in their order."""
    return [_line(*row) for row in rows]


def _line(rule, value, threshold, weight):
    tone = "for" if weight > 0 else "against" if weight < 0 else "none"
    known = RULES.get(rule)
    form = known.form if known else numbers.form_of(rule)
    value_text = numbers.written(form, value)
    limit_text = "" if form in _NO_LIMIT else numbers.written(form, threshold)
    if known is None:
        title = gettext('Rule "%(rule)s"', rule=rule)
        text = gettext("Measured %(value)s, compared with %(limit)s.", value=value_text, limit=limit_text)
        return EvidenceLine(rule, tone, title, text, weight)
    if weight == 0 and threshold == 0 and known.speaks_against is not None and form not in _NO_LIMIT:
        text = gettext("Measured: %(value)s.", value=value_text)
    else:
        sentence = known.speaks_for if _speaks_for(known, value, threshold, weight) else known.speaks_against
        text = str(sentence or known.speaks_for) % {"value": value_text, "limit": limit_text}
    return EvidenceLine(rule, tone, str(known.title), text, weight)


def _speaks_for(rule, value, threshold, weight):
    if rule.fits in (SET, CLEAR):
        return (value == 1) == (rule.fits == SET)
    if weight:
        return weight > 0
    return value <= threshold if rule.fits == UP_TO else value >= threshold


def considered(rows) -> list[CauseLine]:
    """Return innocent explanations in words: those that fit first, then the open ones, then the others."""
    order = list(VERDICTS)
    lines = []
    for cause, verdict in sorted(rows, key=lambda row: order.index(row[1])):
        word, tone = VERDICTS[verdict]
        known = CAUSES.get(cause)
        title = str(known.title) if known else gettext('Cause "%(cause)s"', cause=cause)
        lines.append(CauseLine(cause, title, str(known.tell) if known else "", str(word), tone))
    return lines


def finding_title(detector: str) -> str:
    """Return what a finding of this detector is called. Never "a camera": only a person confirms one."""
    known = vocabulary.DETECTORS.get(detector)
    return str(known.title) if known else gettext("Camera-like transmission (%(detector)s)", detector=detector)


def strength(rssi_dbm: int) -> str:
    """
    Return how strong a signal is in words.

    No distance: walls, bodies and the sender's power change it more than a room's length does.
    """
    if rssi_dbm >= -50:
        return gettext("very strong (%(dbm)s dBm)", dbm=rssi_dbm)
    if rssi_dbm >= -65:
        return gettext("strong (%(dbm)s dBm)", dbm=rssi_dbm)
    if rssi_dbm >= -78:
        return gettext("medium (%(dbm)s dBm)", dbm=rssi_dbm)
    return gettext("weak (%(dbm)s dBm)", dbm=rssi_dbm)


__all__ = ["CauseLine", "EvidenceLine", "considered", "evidence", "finding_title", "refusal", "strength", "words"]
