"""
Sentences for the codes of sensors and services.

    lines = evidence(event.evidence)        # rows [rule, value, threshold, weight]
    causes = considered(event.considered)   # rows [cause, verdict]
    refusal(error.code, error.values)

An unknown id, from a newer sensor, is shown with its value and unit.
"""

from collections.abc import Iterable
from typing import NamedTuple

from flask_babel import gettext

from ansim.frame_header import FIRST_5GHZ
from server.wording import numbers, vocabulary
from server.wording.causes import CAUSES, SHORT, VERDICTS
from server.wording.refusals import refusal
from server.wording.rules import CLEAR, LEVELS, RULES, SET, SILENT, UP_TO


class EvidenceLine(NamedTuple):
    """
    tone    "for", "against" or "none": its effect on the score
    title   what was measured
    text    the sentence
    weight  points
    """

    rule: str
    tone: str
    title: str
    text: str
    weight: int


class CauseLine(NamedTuple):
    """An innocent explanation: verdict and tone are the word and the colour of how the evidence fits it."""

    cause: str
    title: str
    tell: str
    verdict: str
    tone: str


# Forms that name a thing or answer yes or no: their threshold is not shown.
_NO_LIMIT = ("ssids", "vendors", "ble", "hex", "flag", "none")


def evidence(rows: Iterable) -> list[EvidenceLine]:
    """Return the sentences of evidence rows [rule, value, threshold, weight], in their order."""
    return [_line(*row) for row in rows]


def _line(rule, value, threshold, weight):
    tone = "for" if weight > 0 else "against" if weight < 0 else "none"
    known = RULES.get(rule)
    form = known.form if known else numbers.form_of_rule(rule)
    value_text = numbers.format_value(form, value)
    limit_text = "" if form in _NO_LIMIT else numbers.format_value(form, threshold)
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


def considered(rows: Iterable) -> list[CauseLine]:
    """Return innocent explanations [cause, verdict] in words: those that fit first, then the open ones."""
    order = list(VERDICTS)
    lines = []
    for cause, verdict in sorted(rows, key=lambda row: order.index(row[1])):
        word, tone = VERDICTS[verdict]
        known = CAUSES.get(cause)
        title = str(known.title) if known else gettext('Cause "%(cause)s"', cause=cause)
        lines.append(CauseLine(cause, title, str(known.tell) if known else "", str(word), tone))
    return lines


def finding_title(detector: str, is_notice: bool = False) -> str:
    """Return the title of a detector's findings. Never "a camera": only a person confirms one."""
    known = vocabulary.DETECTORS.get(detector)
    if known:
        return str(known.notice_title if is_notice else known.title)
    if is_notice:
        return gettext("Transmission, worth a look (%(detector)s)", detector=detector)
    return gettext("Camera-like transmission (%(detector)s)", detector=detector)


def cause_name(cause: str) -> str:
    """Return a cause as it stands in a sentence: "an upload"."""
    known = CAUSES.get(cause)
    return str(SHORT.get(cause) or (known.title if known else gettext('cause "%(cause)s"', cause=cause)))


def notice_end(likely: str, lasted: str) -> str:
    """
    Return how a notice ended, in a few words.

    likely  id of the cause that it most likely was, or ""
    lasted  its length in words, or ""
    """
    if likely and lasted:
        return gettext("Over after %(time)s; most likely %(cause)s", time=lasted, cause=cause_name(likely))
    if likely:
        return gettext("Over; most likely %(cause)s", cause=cause_name(likely))
    return gettext("Over after %(time)s", time=lasted) if lasted else gettext("Over")


def change_reasons(rows: Iterable) -> list[str]:
    """Return why an event changed the level or ended the finding, from its evidence rows, a sentence each."""
    return [line.text for line in evidence(row for row in rows if row[0] in LEVELS or row[0] in SILENT)]


def channel(number: int) -> str:
    """Return a Wi-Fi channel with its band: "6 (2.4 GHz)", "149 (5 GHz)"."""
    return f"{number} ({'5' if number >= FIRST_5GHZ else '2.4'} GHz)"


def strength(rssi_dbm: int) -> str:
    """
    Return the strength of a signal in words.

    Not a distance: walls, bodies and the transmitter's power change it more than the length of a room.
    """
    if rssi_dbm >= -50:
        return gettext("very strong (%(dbm)s dBm)", dbm=rssi_dbm)
    if rssi_dbm >= -65:
        return gettext("strong (%(dbm)s dBm)", dbm=rssi_dbm)
    if rssi_dbm >= -78:
        return gettext("medium (%(dbm)s dBm)", dbm=rssi_dbm)
    return gettext("weak (%(dbm)s dBm)", dbm=rssi_dbm)


__all__ = [
    "CauseLine",
    "EvidenceLine",
    "cause_name",
    "change_reasons",
    "channel",
    "considered",
    "evidence",
    "finding_title",
    "notice_end",
    "refusal",
    "strength",
]
