"""
Checklists of the eye step, and their answers, stall by stall.

    progress = checklists.load_progress(session, inspection)      # answered and open points
    checklists.answer(session, inspection, user, 2, {"hooks": Answer("ok"), "ceiling": Answer("na", "none of its own")})
    checklists.answer_rest(session, inspection, user, 2)          # everything still open in stall 2: nothing suspicious

Answers of people who had not seen each other's stand side by side (conflicting_entries.py): as long as one of them is
"suspicious", the point is, until a person who sees both settles it.

Checklists have versions, and an inspection keeps the version it started with. The narrowest scope that has a checklist
decides: the facility, its organisation, else the built-in checklist.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from server import clock, db
from server.models.checklists import ANSWERS, BOTH, OK, ROOM, STALL, SUSPICIOUS, WHERES, Checklist, ChecklistAnswer
from server.models.inspections import Inspection
from server.models.places import EYE, Facility, Organisation, Restroom
from server.services.audit import edit_conflicts, log
from server.services.errors import NotFound, Refused
from server.services.inspecting import conflicting_entries, steps
from server.services.people import access, accounts
from server.services.people.accounts import Actor

MOST_ITEMS = 60
_KEY = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")

# (key, where, Korean, English). The points of inspectors in Yongsan, Muju and Seoul, as of 2026-11.
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

# Scopes that can have a checklist of their own.
ORGANISATION, FACILITY = "organisation", "facility"


@dataclass(frozen=True)
class Scope:
    """A facility, or a whole organisation (facility None), that can have a checklist of its own."""

    organisation: Organisation | None = None
    facility: Facility | None = None

    @property
    def place(self) -> Organisation | Facility:
        """The facility or organisation itself."""
        place = self.facility or self.organisation
        assert place is not None
        return place

    @property
    def columns(self) -> dict[str, int | None]:
        """The Checklist columns that identify the scope."""
        organisation_id = self.organisation.id if self.organisation and not self.facility else None
        return {"organisation_id": organisation_id, "facility_id": self.facility.id if self.facility else None}


class Answer(NamedTuple):
    """
    What a person says about one item.

    word     one of ANSWERS
    seen_id  row number of the newest answer that the person saw (Line.newest_id); None: all there are
    at_s     when it was written; None: now
    """

    word: str
    note: str = ""
    seen_id: int | None = None
    at_s: int | None = None


class Line(NamedTuple):
    """
    One item at one place.

    stall      0 is the room
    answer     None: open; of answers that contradict each other "suspicious" counts, else the line is open
    rows       all answers, oldest first
    contested  the answers that contradict each other, until a person settles it; else empty
    """

    item: dict
    stall: int
    answer: str | None
    note: str
    rows: list[ChecklistAnswer]
    contested: list[ChecklistAnswer]

    @property
    def newest_id(self) -> int:
        """The row number of the newest answer, which a form carries as what the person saw; 0: none."""
        return conflicting_entries.newest_id(self.rows)


class Part(NamedTuple):
    """The room or one stall, with its lines, and how many of them are open, suspicious and contested."""

    stall: int
    lines: list[Line]
    open: int
    suspicious: int
    contested: int


class Progress(NamedTuple):
    """
    How far the eye step of an inspection has come.

    checklist  None: the inspection has no checklist, so there is nothing to answer
    parts      the room first
    """

    checklist: Checklist | None
    parts: list[Part]

    @property
    def lines(self) -> list[Line]:
        """The lines of all parts."""
        return [line for part in self.parts for line in part.lines]

    @property
    def open(self) -> int:
        """How many lines are open."""
        return sum(part.open for part in self.parts)

    @property
    def suspicious(self) -> int:
        """How many lines are answered "suspicious"."""
        return sum(part.suspicious for part in self.parts)

    @property
    def contested(self) -> int:
        """How many lines have answers that contradict each other."""
        return sum(part.contested for part in self.parts)

    @property
    def done(self) -> int:
        """How many lines are answered."""
        return len(self.lines) - self.open


def current(session: Session, facility: Facility) -> Checklist:
    """Return the checklist of a new inspection in this facility."""
    return current_by_facility(session, [facility])[facility.id]


def current_by_facility(session: Session, facilities: Iterable[Facility]) -> dict[int, Checklist]:
    """Return {facility row number: the checklist of a new inspection there}."""
    facilities = list(facilities)
    scopes = (
        Checklist.facility_id.in_([facility.id for facility in facilities]),
        Checklist.organisation_id.in_({facility.organisation_id for facility in facilities}),
    )
    newest: dict[tuple, Checklist] = {}
    for checklist in session.scalars(select(Checklist).where(or_(*scopes)).order_by(Checklist.id)):
        newest[checklist.facility_id, checklist.organisation_id] = checklist
    default, current = standard(session), {}
    for facility in facilities:
        candidates = newest.get((facility.id, None)), newest.get((None, facility.organisation_id))
        # A version without items means that its scope has no checklist of its own any more.
        current[facility.id] = next((row for row in candidates if row and row.items), default)
    return current


def standard(session: Session) -> Checklist:
    """
    Return the built-in checklist as a row.

    If the program has another list than the last row, add it as a version.
    """
    query = select(Checklist).where(Checklist.organisation_id.is_(None), Checklist.facility_id.is_(None))
    last = session.scalar(query.order_by(Checklist.id.desc()).limit(1))
    if last is not None and last.items == BUILTIN:
        return last
    checklist = Checklist(version=last.version + 1 if last else 1, items=BUILTIN, note="", created_s=clock.now_s())
    session.add(checklist)
    session.flush()
    return checklist


def load_scope(session: Session, user: Actor, kind: str, public_id: str) -> Scope:
    """
    Return a scope whose checklist the user may change.

    kind  ORGANISATION or FACILITY
    Raises NotFound, also without the right to manage it.
    """
    if kind == FACILITY:
        scope = Scope(facility=session.scalar(select(Facility).where(Facility.public_id == public_id)))
    else:
        scope = Scope(organisation=session.scalar(select(Organisation).where(Organisation.public_id == public_id)))
    if (scope.facility or scope.organisation) is None:
        raise NotFound("place")
    _check_right(session, user, scope)
    return scope


def list_scopes(session: Session, user: Actor) -> list[Scope]:
    """Return the organisations whose checklist a user may change, then the facilities that have one of their own."""
    visible = access.within(select(Facility.organisation_id), user, Facility.id)
    organisations = session.scalars(
        select(Organisation).where(Organisation.id.in_(visible)).order_by(Organisation.name)
    )
    with_own = select(Checklist.facility_id).where(Checklist.facility_id.is_not(None))
    query = access.within(select(Facility).where(Facility.id.in_(with_own)), user, Facility.id)
    scopes = [Scope(organisation=organisation) for organisation in organisations]
    scopes = [scope for scope in scopes if may_edit(session, user, scope)]
    if accounts.may(user, accounts.MANAGE):
        scopes += [Scope(facility=facility) for facility in session.scalars(query.order_by(Facility.name))]
    return scopes


def list_versions(session: Session, scope: Scope) -> list[Checklist]:
    """Return all versions of a scope's checklist, newest first."""
    return list(session.scalars(select(Checklist).filter_by(**scope.columns).order_by(Checklist.id.desc())))


def items_for_edit(session: Session, scope: Scope) -> list[dict]:
    """Return the items that hold in a scope now: its own, or those it inherits."""
    versions = list_versions(session, scope)
    if versions and versions[0].items:
        return versions[0].items
    return current(session, scope.facility).items if scope.facility else BUILTIN


def may_edit(session: Session, user: Actor, scope: Scope) -> bool:
    """True if a user may change the checklist of a facility, or of a whole organisation."""
    try:
        _check_right(session, user, scope)
    except NotFound:
        return False
    return True


def _check_right(session, user, scope):
    if scope.facility is not None:
        access.check(session, user, accounts.MANAGE, scope.facility.id)
    else:
        access.check_organisation(session, user, accounts.MANAGE, scope.place.id)


def save(session: Session, user: Actor, scope: Scope, items: list[dict], note: str = "") -> Checklist:
    """
    Add a version of a scope's checklist. Without items the scope has no checklist of its own any more.

    items  [{"key": str or "", "where": one of WHERES, "text", "text_en"}, ...]; a new item gets its key here
    Raises NotFound without the right; Refused: checklist_item_empty, checklist_too_long(most),
    checklist_key_twice(key).
    """
    _check_right(session, user, scope)
    if len(items) > MOST_ITEMS:
        raise Refused("checklist_too_long", most=MOST_ITEMS)
    versions = list_versions(session, scope)
    if versions:
        edit_conflicts.check(session, "checklist.changed", versions[0].public_id)
    used_keys = {item["key"] for version in versions for item in version.items} | {item["key"] for item in BUILTIN}
    checklist = Checklist(
        **scope.columns,
        version=versions[0].version + 1 if versions else 1,
        items=_clean_items(items, used_keys),
        note=note.strip()[:2000],
        created_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(checklist)
    session.flush()
    body = {"scope": scope.place.public_id, "version": checklist.version, "items": checklist.items}
    log.add(session, "checklist.changed", checklist.public_id, body, user)
    return checklist


def _clean_items(items, used_keys):
    """Check items and give new ones a key that no version of the scope has used."""
    clean, keys = [], set()
    for item in items:
        text, english = item.get("text", "").strip()[:200], item.get("text_en", "").strip()[:200]
        if not text and not english:
            raise Refused("checklist_item_empty")
        if item.get("where") not in WHERES:
            raise ValueError(f"{item.get('where')!r} is none of {', '.join(WHERES)}")
        key = item.get("key") or _new_key(used_keys | keys)
        if key in keys or not _KEY.fullmatch(key):
            raise Refused("checklist_key_twice", key=key)
        keys.add(key)
        clean.append({"key": key, "where": item["where"], "text": text or english, "text_en": english})
    return clean


def _new_key(used):
    number = 1
    while f"own_{number}" in used:
        number += 1
    return f"own_{number}"


def load_progress(session: Session, inspection: Inspection) -> Progress:
    """Return an inspection's checklist with the answers that count now."""
    checklist = session.get(Checklist, inspection.checklist_id) if inspection.checklist_id else None
    if checklist is None:
        return Progress(None, [])
    stalls = session.scalar(select(Restroom.stalls).where(Restroom.id == inspection.restroom_id)) or 0
    query = select(ChecklistAnswer).where(ChecklistAnswer.inspection_id == inspection.id).order_by(ChecklistAnswer.id)
    answers: dict[tuple[str, int], list[ChecklistAnswer]] = {}
    for row in session.scalars(query.options(joinedload(ChecklistAnswer.by))):
        answers.setdefault((row.item, row.stall), []).append(row)
    parts = []
    for stall in range(stalls + 1):
        lines = []
        for item in checklist.items:
            # A room without a number of stalls is answered as a whole.
            if stalls and item["where"] not in ((ROOM, BOTH) if stall == 0 else (STALL, BOTH)):
                continue
            lines.append(_line(item, stall, answers.get((item["key"], stall), [])))
        if lines:
            open_count = sum(line.answer is None for line in lines)
            suspicious = sum(line.answer == SUSPICIOUS for line in lines)
            parts.append(Part(stall, lines, open_count, suspicious, sum(bool(line.contested) for line in lines)))
    return Progress(checklist, parts)


def _line(item, stall, rows):
    standing = conflicting_entries.standing(rows)
    words = {row.answer for row in standing}
    contested = standing if len(words) > 1 else []
    answer = None
    if words:
        answer = SUSPICIOUS if SUSPICIOUS in words else None if contested else standing[-1].answer
    notes = dict.fromkeys(row.note for row in standing if row.note and row.answer == answer)
    return Line(item, stall, answer, " / ".join(notes), rows, contested)


def answer(
    session: Session, inspection: Inspection, user: Actor, stall: int, answers: Mapping[str, Answer | tuple[str, str]]
) -> int:
    """
    Record answers at one place; return how many of them are new.

    stall    0 for the room
    answers  {key: Answer or (word, note)}; "na" and "suspicious" need a note, and so does "ok" in place of "suspicious"

    An answer that says what its author saw is not recorded again. An answer after which the eye step cannot be "none
    found" any more reopens that step.
    Raises NotFound for a place or item that the checklist does not have; Refused: finished,
    answer_reason_needed(items), suspicion_reason_needed(items).
    """
    inspection = db.lock_row(session, inspection)
    if inspection.result is not None:
        raise Refused("finished")
    part = next((part for part in load_progress(session, inspection).parts if part.stall == stall), None)
    if part is None:
        raise NotFound("stall")
    lines = {line.item["key"]: line for line in part.lines}
    new = {}
    for key, given in answers.items():
        given = given if isinstance(given, Answer) else Answer(*given)
        if given.word not in ANSWERS:
            raise ValueError(f"{given.word!r} is none of {', '.join(ANSWERS)}")
        if key not in lines:
            raise NotFound("item")
        given = given._replace(note=given.note.strip()[:1000])
        if _is_new(lines[key], given):
            new[key] = given
    _check_reasons(lines, new)
    _add_answers(session, inspection, user, stall, new)
    if new and why_not_clear(session, inspection):
        steps.reopen(session, inspection, EYE, user)
    return len(new)


def _is_new(line, given):
    """True unless an answer says what its author saw, or what counts already."""
    said = (given.word, given.note)
    seen = _line(line.item, line.stall, conflicting_entries.seen_by(line.rows, _seen_id(line, given)))
    return said not in [(state.answer, state.note) for state in (seen, line) if not state.contested]


def _seen_id(line, given):
    return line.newest_id if given.seen_id is None else given.seen_id


def _check_reasons(lines, new):
    unexplained = [lines[key].item for key, given in new.items() if given.word != OK and not given.note]
    if unexplained:
        raise Refused("answer_reason_needed", items=[item["text"] for item in unexplained])
    for key, given in new.items():
        seen = conflicting_entries.seen_by(lines[key].rows, _seen_id(lines[key], given))
        notes = [row.note for row in seen if row.answer == SUSPICIOUS]
        if given.word == OK and notes and (not given.note or given.note in (*notes, lines[key].note)):
            unexplained.append(lines[key].item)
    if unexplained:
        raise Refused("suspicion_reason_needed", items=[item["text"] for item in unexplained])


def _add_answers(session, inspection, user, stall, new):
    if not new:
        return
    now_s, lines = clock.now_s(), {}
    for part in load_progress(session, inspection).parts:
        if part.stall == stall:
            lines = {line.item["key"]: line for line in part.lines}
    for key, given in new.items():
        at_s = now_s if given.at_s is None else given.at_s
        row = ChecklistAnswer(inspection_id=inspection.id, item=key, stall=stall, answer=given.word, note=given.note)
        row.seen_id, row.by_id = _seen_id(lines[key], given), user.id
        row.at_s, row.received_s = at_s, now_s if at_s != now_s else None
        session.add(row)
    session.flush()
    contested = [
        line.item["key"]
        for part in load_progress(session, inspection).parts
        for line in part.lines
        if part.stall == stall and line.contested and line.item["key"] in new
    ]
    body: dict = {"stall": stall, "answers": {key: given.word for key, given in new.items()}}
    if contested:
        body["contested"] = contested
    times = {key: given.at_s for key, given in new.items() if given.at_s not in (None, now_s)}
    if times:
        body["at_s"] = times
    notes = {key: given.note for key, given in new.items() if given.note}
    log.add(session, "inspection.answered", inspection.public_id, body, user, {"notes": notes} if notes else None)


def answer_rest(session: Session, inspection: Inspection, user: Actor, stall: int | None = None) -> int:
    """Record "nothing suspicious" for every open line of one place, or of all (None); return how many."""
    count = 0
    for part in load_progress(session, inspection).parts:
        if stall is None or part.stall == stall:
            answers = {line.item["key"]: Answer(OK) for line in part.lines if line.answer is None and not line.rows}
            if answers:
                count += answer(session, inspection, user, part.stall, answers)
    return count


def why_not_clear(session: Session, inspection: Inspection) -> Refused | None:
    """
    Return why the eye step cannot be "none found" now, None if it can.

    checklist_contested(count), checklist_open(count), checklist_suspicious(count)
    """
    progress = load_progress(session, inspection)
    if progress.contested:
        return Refused("checklist_contested", count=progress.contested)
    if progress.open:
        return Refused("checklist_open", count=progress.open)
    if progress.suspicious:
        return Refused("checklist_suspicious", count=progress.suspicious)
    return None
