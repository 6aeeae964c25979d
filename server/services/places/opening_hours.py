"""
Parser for opening hours as written in files and by people: "09:00~18:00", "정시(05:00-익일01:00)", "평일
5:32~00:56\n토요일 ...", "24시간", "Mo-Fr 09:00-18:00; Sa 10:00-14:00".
"""

import re

_ALWAYS = re.compile(r"24\s*시|24/7|상시|연중|종일|24hours", re.IGNORECASE)
_RANGE = re.compile(
    r"(\d{1,2})(?::|시\s*)?(\d{2})?\s*분?\s*[~\-–∼]\s*(?:익일|다음\s*날)?\s*(\d{1,2})(?::|시\s*)?(\d{2})?"
)
_WEEK, _WEEKEND, _ALL = frozenset(range(5)), frozenset((5, 6)), frozenset(range(7))
# The weekdays of a label; the longer words first, so that 공휴일 is not read as 휴일.
_LABELS = (
    (r"월\s*[~-]\s*금|평일|Mo\s*-\s*Fr|weekdays", _WEEK),
    (r"월\s*[~-]\s*토|Mo\s*-\s*Sa", frozenset(range(6))),
    (r"월\s*[~-]\s*일|매일|Mo\s*-\s*Su|daily", _ALL),
    (r"주말|토\s*[,·/]\s*일|Sa\s*[-,]\s*Su|weekends", _WEEKEND),
    (r"토요일|\bSa\b", frozenset((5,))),
    (r"일요일|공휴일|휴일|\bSu\b", frozenset((6,))),
)


def is_open(text: str, weekday: int, minute: int) -> bool | None:
    """
    Return whether a place is open at a time; None if the text does not say.

    weekday  0 is Monday
    minute   of the day, local time
    """
    ranges = _ranges(text)
    if not ranges:
        return True if _ALWAYS.search(text) else None
    for days, opens, closes in ranges:
        if closes > opens and weekday in days and opens <= minute < closes:
            return True
        # Past midnight: the evening of one day and the small hours of the next.
        if closes <= opens and (
            (weekday in days and minute >= opens) or ((weekday - 1) % 7 in days and minute < closes)
        ):
            return True
    return False


def _ranges(text):
    """Return [(weekdays, opens, closes), ...] in minutes of the day."""
    ranges, end = [], 0
    for match in _RANGE.finditer(text):
        hour, minute, to_hour, to_minute = (int(part or 0) for part in match.groups())
        if hour > 24 or to_hour > 30 or minute > 59 or to_minute > 59:
            continue
        if match[2] is None and match[4] is None and "시" not in match[0]:
            continue  # "1-2" is not a time
        days = _days(text[end : match.start()])
        tail = text[match.end() :]
        if days is None and re.match(r"[^\d]*(평일만|평일|제외|weekdays)", tail):
            days = _WEEK
        opens, closes = hour * 60 + minute, to_hour * 60 + to_minute
        ranges.append((days or _ALL, opens % 1440, closes % 1440 if closes != 1440 else 1440))
        end = match.end()
    return ranges


def _days(label):
    days = frozenset()
    for pattern, weekdays in _LABELS:
        if re.search(pattern, label):
            days |= weekdays
            label = re.sub(pattern, "", label)
    return days or None
