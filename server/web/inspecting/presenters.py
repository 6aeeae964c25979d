"""What pages show of an inspection beyond its columns: coverage, results and steps in words."""

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from ansim import messages
from server import i18n, wording
from server.models.checklists import ChecklistAnswer
from server.models.findings import CLOSED, DISPOSITIONS, Finding
from server.models.inspections import (
    NONE_FOUND,
    NOT_COMPLETED,
    REFERRED,
    REOPENED,
    STEP_NONE_FOUND,
    Inspection,
    InspectionStep,
)
from server.models.places import EYE, LENS, METHODS, RF
from server.services.errors import Refused
from server.services.findings.findings import is_notice
from server.services.inspecting import checklists, inspections, result_validity, steps
from server.services.inspecting import coverage as coverage_service
from server.wording import vocabulary


class Channel(NamedTuple):
    """share  0..100, how much of the least time has been reached"""

    channel: int
    listened_ms: int
    least_ms: int
    share: int
    enough: bool


class Coverage(NamedTuple):
    """
    reached   how many channels were listened to long enough
    sentence  the coverage in one sentence
    notes     what weakens it, a sentence each
    """

    channels: list[Channel]
    reached: int
    enough: bool
    percent: int
    sentence: str
    notes: list[str]
    listened_s: int


class ShownAnswer(NamedTuple):
    """An answer with the line it belongs to."""

    line: checklists.Line
    row: ChecklistAnswer


class Step(NamedTuple):
    """
    method, outcome, note  of the step that counts; outcome None: not recorded
    at_s                   when it was done; None: not recorded
    hindrance              why "none found" cannot be recorded now, or ""
    statement              what an RF step proves, or ""
    contested              the steps of people who recorded different outcomes, until one of them settles it
    reopened               the row that reopened the step, if it was "none found" before; else None
    seen                   row number of the newest step of this method, which forms carry
    """

    method: str
    outcome: str | None
    note: str
    hindrance: str
    statement: str
    at_s: int | None
    contested: list[InspectionStep]
    reopened: InspectionStep | None
    seen: int


class NextStep(NamedTuple):
    """
    What comes next in a running inspection.

    kind    ALARM, CHECKLIST, RECORD, LISTEN or FINISH
    method  of RECORD and CHECKLIST, else ""
    """

    kind: str
    method: str = ""


ALARM, CHECKLIST, RECORD, LISTEN, FINISH = "alarm", "checklist", "record", "listen", "finish"


def next_step(
    rows: list[Step], has_open_alarm: bool, progress: checklists.Progress, has_sensors: bool = True
) -> NextStep:
    """Return what comes next: an open alarm, the checklist, eye, lens, RF, and then the result."""
    if has_open_alarm:
        return NextStep(ALARM)
    by_method = {row.method: row for row in rows}
    eye = by_method[EYE]
    if progress.parts and progress.open + progress.contested and eye.outcome is None:
        return NextStep(CHECKLIST, EYE)
    for method in (EYE, LENS, RF):
        step = by_method[method]
        if step.outcome is None or step.contested:
            return NextStep(LISTEN) if method == RF and step.hindrance and has_sensors else NextStep(RECORD, method)
    return NextStep(FINISH)


def current_coverage(session: Session, inspection: Inspection) -> Coverage | None:
    """Return the coverage of an inspection as it is now; None without sensors."""
    if not inspection.sensors:
        return None
    return coverage(coverage_service.of_inspection(session, inspection).summary())


def coverage(summary: dict | None) -> Coverage | None:
    """Return the coverage of a Coverage.summary(); None for none."""
    if not summary:
        return None
    least_ms = summary["enough_ms"]
    channels = [
        Channel(number, ms, least_ms, min(100, ms * 100 // least_ms), ms >= least_ms)
        for number, ms, *_ in summary["channels"]
    ]
    return Coverage(
        channels,
        sum(row.enough for row in channels),
        summary["enough"],
        summary["percent"],
        _coverage_sentence(channels, least_ms),
        _coverage_notes(summary),
        summary["listened_ms"] // 1000,
    )


def _coverage_sentence(channels, least_ms):
    missing = [str(row.channel) for row in channels if not row.enough]
    if not any(row.listened_ms for row in channels):
        return gettext("The sensor has not reported any listening yet.")
    if not missing:
        return gettext(
            "All %(count)s channels were listened to for at least %(least)s s each.",
            count=len(channels),
            least=least_ms // 1000,
        )
    return ngettext(
        "Channel %(missing)s was not yet listened to for %(least)s s.",
        "Channels %(missing)s were not yet listened to for %(least)s s each.",
        len(missing),
        missing=", ".join(missing),
        least=least_ms // 1000,
    )


def _coverage_notes(summary):
    notes = []
    if summary["sweeps"] and messages.SNIFF not in summary["capabilities"]:
        notes.append(gettext("This sensor cannot listen to Wi-Fi traffic; it can only read the list of networks."))
    if summary["undecodable_permille"] > coverage_service.UNDECODABLE_PERMILLE:
        notes.append(
            gettext(
                "%(percent)s %% of the frames could not be read by this sensor, so a quiet channel may not be quiet.",
                percent=summary["undecodable_permille"] // 10,
            )
        )
    if summary.get("missed_permille", 0) >= 10:
        notes.append(
            gettext(
                "About %(percent)s %% of the frames sent on these channels meanwhile were not received (estimated from"
                " gaps in their numbers).",
                percent=summary["missed_permille"] // 10,
            )
        )
    if summary.get("ble_dropped"):
        notes.append(
            gettext("%(count)s Bluetooth announcements came too fast to be read.", count=summary["ble_dropped"])
        )
    five_ghz = summary.get("channels_5ghz")
    if five_ghz:
        notes.append(
            gettext(
                "5 GHz: channels %(channels)s were listened to, %(time)s in all; its other channels were not.",
                channels=", ".join(str(row[0]) for row in five_ghz),
                time=i18n.duration(sum(row[1] for row in five_ghz) // 1000),
            )
        )
    if summary["tables_full"]:
        notes.append(gettext("There were more transmitters than the sensor could follow."))
    if summary.get("gap_ms", 0) >= 1000:
        missing = i18n.duration(summary["gap_ms"] // 1000)
        notes.append(
            gettext("Of %(time)s in between nothing is known: a report is missing, or it restarted.", time=missing)
        )
    if summary.get("flash_ms", 0) >= 1000:
        spent = i18n.duration(summary["flash_ms"] // 1000)
        notes.append(gettext("During %(time)s of it the sensor stored its reports, and heard nothing.", time=spent))
    if summary["deaf_ms"] >= 1000:
        spent = i18n.duration(summary["deaf_ms"] // 1000)
        notes.append(gettext("%(time)s went into uploading and other radios; it was not listening then.", time=spent))
    return notes


def methods_text(methods: Collection[str]) -> str:
    """Return methods as they stand in a sentence: "eye, RF and lens"."""
    names = [str(vocabulary.METHODS_BY[method]) for method in METHODS if method in methods]
    if len(names) < 2:
        return "".join(names)
    return gettext("%(first)s and %(last)s", first=", ".join(names[:-1]), last=names[-1])


def result_sentence(row: Any) -> str:
    """Return the result in words, for an InspectionResult or a row that has one as `result`; None is still running."""
    result = row if row is None or hasattr(row, "methods") else row.result
    if result is None:
        return gettext("Being inspected now")
    if result.result == NONE_FOUND and result.inspection.standing_result == REOPENED:
        return gettext("Open again: something suspicious followed the result")
    if result.result == NONE_FOUND and result.is_provisional:
        return gettext("None found by %(methods)s; RF is provisional", methods=methods_text(result.methods))
    if result.result == NONE_FOUND:
        return gettext("None found by %(methods)s", methods=methods_text(result.methods))
    if result.result == NOT_COMPLETED:
        return gettext("Not completed")
    return gettext("Referred to police") if result.result == REFERRED else result.result


def provisional_sentence(inspection: Inspection) -> str:
    """Return what is missing of a result that is provisional; "" if it is not."""
    if not inspection.results or not inspection.results[-1].is_provisional:
        return ""
    names = [used.sensor.name for used in inspection.sensors if used.started_s is not None and used.stopped_s is None]
    return gettext(
        "The RF step is provisional: the last sweep of %(sensors)s has not arrived."
        " What it heard last is not known yet.",
        sensors=", ".join(names),
    )


def late_alarm_sentence(late: result_validity.LateAlarm) -> str:
    """Return an alarm that followed the result in one sentence, with its judgement."""
    when = i18n.when(late.at_s)
    if late.judged is None:
        return gettext("An alarm was reported after the result, on %(when)s. It has not been judged yet.", when=when)
    return gettext(
        "An alarm was reported after the result, on %(when)s. It was judged on %(judged)s: %(kind)s.",
        when=when,
        judged=i18n.when(late.judged.at_s),
        kind=vocabulary.DISPOSITIONS[late.judged.kind].short,
    )


def late_report_sentence(late: result_validity.LateReport) -> str:
    """Return what people reported after the result in one sentence, and whether the record was corrected since."""
    when = i18n.when(late.at_s)
    if late.kind == result_validity.VISIT:
        first = gettext("Something suspicious, written down without a network, was handed over on %(when)s.", when=when)
    else:
        first = gettext("A hole was reported after the result, on %(when)s.", when=when)
    if late.settled_s is None:
        return first + " " + gettext("Look at it, then correct the record.")
    return first + " " + gettext("The record was corrected on %(when)s.", when=i18n.when(late.settled_s))


def step_statement(step: InspectionStep | None, coverage: Coverage | None, findings: list[Finding]) -> str:
    """
    Return the RF step as a sentence that claims no more than was done; "" for the other steps.

    findings  of the inspection: those that were settled, and the one-way senders that were noticed, are named
    """
    if step is None or step.method != RF or step.outcome != STEP_NONE_FOUND or coverage is None:
        return ""
    values = {
        "time": i18n.when(step.at_s),
        "reached": coverage.reached,
        "all": len(coverage.channels),
        "listened": i18n.duration(coverage.listened_s),
    }
    settled = Counter(
        row.disposition for row in findings if row.status == CLOSED and row.disposition and not is_notice(row)
    )
    noticed = notices_statement(findings)
    if not settled:
        sentence = gettext(
            "No camera-like transmission found by RF at %(time)s, with %(reached)s of %(all)s channels of 2.4 GHz"
            " listened to long enough (%(listened)s in all).",
            **values,
        )
        return f"{sentence} {noticed}".rstrip()
    kinds = ", ".join(
        f"{vocabulary.DISPOSITIONS[kind].short}: {settled[kind]}" for kind in DISPOSITIONS if settled[kind]
    )
    sentence = gettext(
        "Apart from what was heard and settled (%(settled)s), no camera-like transmission found by RF at %(time)s,"
        " with %(reached)s of %(all)s channels of 2.4 GHz listened to long enough (%(listened)s in all).",
        settled=kinds,
        **values,
    )
    return f"{sentence} {noticed}".rstrip()


def notices_statement(findings: list[Finding]) -> str:
    """Return the one-way senders that were noticed and never became alarms, in a sentence; "" if there is none."""
    noticed = [row for row in findings if is_notice(row)]
    if not noticed:
        return ""
    return ngettext(
        "%(num)s one-way sender was noticed that never became an alarm: %(list)s.",
        "%(num)s one-way senders were noticed that never became alarms: %(list)s.",
        len(noticed),
        list="; ".join(_notice(row) for row in noticed),
    )


def notice_end(finding: Finding) -> str:
    """Return how a notice ended: "Over after 40 s; most likely an upload"."""
    lasted = i18n.duration(finding.lasted_s) if finding.lasted_s else ""
    return wording.notice_end(finding.likely, lasted)


def _notice(finding):
    if finding.disposition:
        outcome = str(vocabulary.DISPOSITIONS[finding.disposition].short)
    elif finding.status == CLOSED:
        outcome = notice_end(finding)
    else:
        outcome = gettext("still heard at the end")
    if not finding.channel:
        return outcome
    return gettext("channel %(number)s (%(outcome)s)", number=finding.channel, outcome=outcome)


def list_steps(
    session: Session, inspection: Inspection, coverage: Coverage | None, findings: list[Finding]
) -> list[Step]:
    """Return the three steps of an inspection whose findings are `findings`."""
    rows, contested, reopened = [], steps.contradictions(inspection), steps.reopened(inspection)
    for method, step in inspections.standing_steps(inspection).items():
        rows.append(
            Step(
                method=method,
                outcome=step.outcome if step else None,
                note=step.note if step else "",
                hindrance=step_hindrance(session, inspection, method) if inspection.result is None else "",
                statement=step_statement(step, coverage, findings),
                at_s=step.at_s if step else None,
                contested=contested.get(method, []),
                reopened=reopened.get(method),
                seen=steps.newest_id(inspection, method),
            )
        )
    return rows


def answer_text(shown: ShownAnswer) -> str:
    """Return another person's answer in one line: item, answer, name, time and note."""
    item, row = shown.line.item, shown.row
    name = item["text"] if i18n.language() == "ko" else item["text_en"] or item["text"]
    word = vocabulary.CHECK_ANSWERS[row.answer].text
    person = row.by.name if row.by else "–"
    line = gettext(
        "%(item)s: %(answer)s (%(name)s, %(time)s)", item=name, answer=word, name=person, time=i18n.when(row.at_s)
    )
    return f"{line} {row.note}".rstrip()


def step_hindrance(session: Session, inspection: Inspection, method: str) -> str:
    """Return why a step cannot be recorded as "none found" now, in words; "" if it can."""
    return _hindrance(inspections.why_step_not_clear(session, inspection, method))


def result_hindrance(session: Session, inspection: Inspection) -> str:
    """Return why the result cannot be "none found" now, in words; "" if it can."""
    return _hindrance(inspections.why_not_none_found(session, inspection))


def _hindrance(refusal: Refused | None) -> str:
    if refusal is None:
        return ""
    if refusal.code == "coverage_too_low":  # the coverage beside it names the channels
        return gettext("Not every channel was listened to long enough yet.")
    return wording.refusal(refusal.code, refusal.values)
