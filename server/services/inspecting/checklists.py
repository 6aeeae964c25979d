"""
What the eye step looks at, and what was answered stall by stall.

    at = checklists.progress(session, one)               # what is answered and what is open
    checklists.answer(session, one, user, 2, {"hooks": ("ok", ""), "ceiling": ("na", "no ceiling of its own")})
    checklists.answer_rest(session, one, user, 2)        # everything else in stall 2 was looked at: nothing suspicious

Lists are versioned: an inspection keeps the version it started with. The narrowest scope that has a list decides:
the facility's, its organisation's, else the one that comes with the program.
"""

import re
from collections import namedtuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server import clock
from server.models.checklists import ANSWERS, BOTH, OK, ROOM, STALL, SUSPICIOUS, WHERES, Checklist, ChecklistAnswer
from server.models.inspections import Inspection
from server.models.people import UserPlace
from server.models.places import Facility, Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts

MOST_ITEMS = 60
_KEY = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")

# (key, where, Korean, English). What inspectors of Korean cities look at: reference of 2026-11, Yongsan, Muju, Seoul.
_BUILTIN = (
    ("door", STALL, "문과 문틈, 잠금장치", "Door, its gaps and its lock"),
    ("partitions", STALL, "칸막이의 구멍과 아래위 틈", "Holes in the partitions, gaps above and below"),
    ("ceiling", BOTH, "천장과 조명", "Ceiling and lights"),
    ("vents", BOTH, "환풍구", "Vents"),
    ("sockets", BOTH, "콘센트와 스위치", "Sockets and switches"),
    ("screws", STALL, "나사와 나사 구멍", "Screws and screw holes"),
    ("hooks", STALL, "옷걸이와 선반", "Hooks and shelves"),
    ("paper_holder", STALL, "휴지걸이", "Paper holder"),
    ("bin", STALL, "휴지통과 위생용품 수거함", "Bin and sanitary bin"),
    ("toilet_base", STALL, "변기 밑과 뒤, 물탱크", "Toilet base, behind it, cistern"),
    ("basins", ROOM, "세면대 밑과 거울 주변", "Under the basins and around the mirrors"),
    ("dispensers", ROOM, "손 건조기, 비누통, 방향제", "Hand dryer, soap and scent dispensers"),
    ("changing_table", ROOM, "기저귀 교환대", "Changing table"),
    ("other", BOTH, "그 밖에 낯선 물건", "Anything that does not belong here"),
)
BUILTIN = [{"key": key, "where": where, "text": text, "text_en": english} for key, where, text, english in _BUILTIN]

# stall 0 is the room; answer None: open
Line = namedtuple("Line", ("item", "stall", "answer", "note"))
# One page of the list: the room or one stall, with how many of its lines are open or suspicious.
Part = namedtuple("Part", ("stall", "lines", "open", "suspicious"))


class Progress(namedtuple("Progress", ("checklist", "parts"))):
    """checklist: Checklist or None (then there is nothing to answer); parts: Parts, the room first."""

    @property
    def lines(self) -> list[Line]:
        return [line for part in self.parts for line in part.lines]

    @property
    def open(self) -> int:
        """How many lines wait for an answer."""
        return sum(part.open for part in self.parts)

    @property
    def suspicious(self) -> int:
        """How many lines are answered "suspicious"."""
        return sum(part.suspicious for part in self.parts)

    @property
    def done(self) -> int:
        """How many lines are answered."""
        return len(self.lines) - self.open


def current(session: Session, facility: Facility) -> Checklist:
    """Return the list that a new inspection in this facility goes by."""
    return current_of(session, [facility])[facility.id]


def current_of(session: Session, facilities) -> dict[int, Checklist]:
    """Return {facility row number: the list that a new inspection there goes by}."""
    scopes = (
        Checklist.facility_id.in_([one.id for one in facilities]),
        Checklist.organisation_id.in_({one.organisation_id for one in facilities}),
    )
    newest = {}
    for one in session.scalars(select(Checklist).where(or_(*scopes)).order_by(Checklist.id)):
        newest[one.facility_id, one.organisation_id] = one
    general, found = standard(session), {}
    for facility in facilities:
        # A list without items means that its scope has none of its own any more.
        narrow = newest.get((facility.id, None)), newest.get((None, facility.organisation_id))
        found[facility.id] = next((one for one in narrow if one and one.items), general)
    return found


def standard(session: Session) -> Checklist:
    """The program's own list as a row; a new program's other list becomes the next version."""
    everywhere = select(Checklist).where(Checklist.organisation_id.is_(None), Checklist.facility_id.is_(None))
    last = session.scalar(everywhere.order_by(Checklist.id.desc()).limit(1))
    if last is not None and last.items == BUILTIN:
        return last
    added = Checklist(version=last.version + 1 if last else 1, items=BUILTIN, note="", created_s=clock.now_s())
    session.add(added)
    session.flush()
    return added


def checklist(session: Session, public_id: str) -> Checklist:
    """Return one version. Raises NotFound."""
    found = session.scalar(select(Checklist).where(Checklist.public_id == public_id))
    if found is None:
        raise NotFound("checklist")
    return found


def versions(session: Session, organisation=None, facility=None) -> list[Checklist]:
    """All versions of one scope, newest first."""
    wanted = select(Checklist).where(
        Checklist.organisation_id == (organisation.id if organisation and not facility else None),
        Checklist.facility_id == (facility.id if facility else None),
    )
    return list(session.scalars(wanted.order_by(Checklist.id.desc())))


def may_edit(session: Session, user, organisation=None, facility=None) -> bool:
    """True if this person may change the list of a facility, or of a whole organisation."""
    if facility is not None:
        return access.may(session, user, accounts.MANAGE, facility.id)
    if organisation is None or not accounts.may(user, accounts.MANAGE):
        return False
    if user.everywhere:
        return True
    mine = select(UserPlace.id).where(UserPlace.user_id == user.id, UserPlace.organisation_id == organisation.id)
    return session.scalar(mine) is not None


def save(session: Session, user, items: list, organisation=None, facility=None, note: str = "") -> Checklist:
    """
    Add a version for a facility or an organisation; no items: this scope has no list of its own any more.

    items  [{"key": str or "", "where": one of WHERES, "text", "text_en"}, ...]; a new item gets its key here
    Raises NotFound without the right; Refused: checklist_item_empty, checklist_too_long(most), checklist_key_twice(key).
    """
    if not may_edit(session, user, organisation, facility):
        raise NotFound("checklist")
    if len(items) > MOST_ITEMS:
        raise Refused("checklist_too_long", most=MOST_ITEMS)
    earlier = versions(session, organisation, facility)
    used = {item["key"] for one in earlier for item in one.items} | {item["key"] for item in BUILTIN}
    clean, keys = [], set()
    for item in items:
        text, english = item.get("text", "").strip()[:200], item.get("text_en", "").strip()[:200]
        if not text and not english:
            raise Refused("checklist_item_empty")
        if item.get("where") not in WHERES:
            raise ValueError(f"{item.get('where')!r} is none of {', '.join(WHERES)}")
        key = item.get("key") or _new_key(used | keys)
        if key in keys or not _KEY.fullmatch(key):
            raise Refused("checklist_key_twice", key=key)
        keys.add(key)
        clean.append({"key": key, "where": item["where"], "text": text or english, "text_en": english})
    added = Checklist(
        organisation_id=organisation.id if organisation and not facility else None,
        facility_id=facility.id if facility else None,
        version=earlier[0].version + 1 if earlier else 1,
        items=clean,
        note=note.strip()[:2000],
        created_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(added)
    session.flush()
    scope = facility or organisation
    body = {"scope": scope.public_id, "version": added.version, "items": clean}
    log.add(session, "checklist.changed", added.public_id, body, user)
    return added


def _new_key(used):
    number = 1
    while f"own_{number}" in used:
        number += 1
    return f"own_{number}"


def progress(session: Session, one: Inspection) -> Progress:
    """Return an inspection's list with its answers as they count now."""
    chosen = session.get(Checklist, one.checklist_id) if one.checklist_id else None
    if chosen is None:
        return Progress(None, [])
    stalls = session.scalar(select(Restroom.stalls).where(Restroom.id == one.restroom_id))
    answers = {}
    wanted = select(ChecklistAnswer).where(ChecklistAnswer.inspection_id == one.id).order_by(ChecklistAnswer.id)
    for row in session.scalars(wanted):
        answers[row.item, row.stall] = row
    parts = []
    for stall in range(stalls + 1):
        lines = []
        for item in chosen.items:
            # A room whose stalls nobody has counted is answered as a whole.
            if stalls and item["where"] not in ((ROOM, BOTH) if stall == 0 else (STALL, BOTH)):
                continue
            row = answers.get((item["key"], stall))
            lines.append(Line(item, stall, row.answer if row else None, row.note if row else ""))
        if lines:
            waiting = sum(line.answer is None for line in lines)
            parts.append(Part(stall, lines, waiting, sum(line.answer == SUSPICIOUS for line in lines)))
    return Progress(chosen, parts)


def answer(session: Session, one: Inspection, user, stall: int, given: dict) -> int:
    """
    Record answers at one place; return how many of them are new.

    stall  0 for the room
    given  {key: (answer, note)}; "na" and "suspicious" need a note
    Raises NotFound for a place or item that the list does not have; Refused: finished, answer_reason_needed(items).
    """
    one = session.get(Inspection, one.id, with_for_update=True, populate_existing=True)
    if one.result is not None:
        raise Refused("finished")
    part = next((part for part in progress(session, one).parts if part.stall == stall), None)
    if part is None:
        raise NotFound("stall")
    lines = {line.item["key"]: line for line in part.lines}
    new = {}
    for key, (word, note) in given.items():
        if word not in ANSWERS:
            raise ValueError(f"{word!r} is none of {', '.join(ANSWERS)}")
        if key not in lines:
            raise NotFound("item")
        note = note.strip()[:1000]
        if (lines[key].answer, lines[key].note) != (word, note):
            new[key] = (word, note)
    bare = [lines[key].item for key, (word, note) in new.items() if word != OK and not note]
    if bare:
        raise Refused("answer_reason_needed", items=[item["text"] for item in bare])
    now_s, by_id = clock.now_s(), user.id if user else None
    for key, (word, note) in new.items():
        session.add(
            ChecklistAnswer(
                inspection_id=one.id, item=key, stall=stall, answer=word, note=note, at_s=now_s, by_id=by_id
            )
        )
    if new:
        session.flush()
        body = {"stall": stall, "answers": {key: word for key, (word, _note) in new.items()}}
        notes = {key: note for key, (_word, note) in new.items() if note}
        log.add(session, "inspection.answered", one.public_id, body, user, {"notes": notes} if notes else None)
    return len(new)


def answer_rest(session: Session, one: Inspection, user, stall: int | None = None) -> int:
    """Record "nothing suspicious" for everything still open at one place, or everywhere; return how many."""
    count = 0
    for part in progress(session, one).parts:
        if stall is None or part.stall == stall:
            given = {line.item["key"]: (OK, "") for line in part.lines if line.answer is None}
            if given:
                count += answer(session, one, user, part.stall, given)
    return count


def check_done(session: Session, one: Inspection) -> None:
    """Raises Refused unless the eye step can be "none found": checklist_open(count), checklist_suspicious(count)."""
    at = progress(session, one)
    if at.open:
        raise Refused("checklist_open", count=at.open)
    if at.suspicious:
        raise Refused("checklist_suspicious", count=at.suspicious)
