"""Texts of half-year reports: columns, titles and limits; and what a certificate does not cover."""

from flask_babel import format_decimal, gettext
from flask_babel import lazy_gettext as _

from server import clock, i18n
from server.models.reporting import FrozenReport
from server.services.places import names
from server.services.reporting import submitted_reports
from server.services.reporting.half_years import VERSION, Counts, Report
from server.wording import vocabulary

# Column of a report -> its heading. The order is the order in the table.
COLUMNS = {
    "restrooms": _("Restrooms"),
    "inspected": _("Inspected"),
    "not_inspected": _("Not inspected"),
    "enough_times": _("Legal minimum met"),
    "overdue": _("Overdue"),
    "inspections": _("Inspections"),
    "none_found": _("Result: none found"),
    "reopened": _("Result: open again"),
    "not_completed": _("Result: not completed"),
    "referred": _("Result: referred to police"),
    "eye": _("With eye step"),
    "rf": _("With RF step"),
    "lens": _("With lens step"),
    "corrected": _("Corrected"),
    "provisional": _("RF provisional"),
    "coverage_percent": _("RF coverage, mean %"),
    "alarms": _("RF alarms"),
    "open": _("Alarms not judged yet"),
    "listed": _("Known devices, by the list"),
    "as_known_emitter": _("Judged: known device"),
    "as_neighbour": _("Judged: neighbour's"),
    "as_false": _("Judged: false alarm"),
    "as_unresolved": _("Judged: unresolved"),
    "as_referred": _("Judged: to the police"),
    "false_percent": _("False alarms of judged, %"),
    "notices": _("Notices, never alarms"),
}
# The columns on pages and on paper; files have all.
SHORT = ("restrooms", "inspected", "enough_times", "overdue", "inspections", "eye", "rf", "lens", "coverage_percent")
SHORT = (*SHORT, "alarms", "as_false", "false_percent", "notices")

KINDS = {"organisation": _("Organisation"), "facility": _("Building or site"), "restroom": _("Restroom")}


def heading(name: str) -> str:
    """Return a column's heading."""
    return str(COLUMNS[name])


def value(counts: Counts, name: str) -> int | float | None:
    """Return a column's value."""
    if name == "false_percent":
        return None if counts.false_permille is None else counts.false_permille / 10
    return getattr(counts, name)


def formatted(counts: Counts, name: str) -> str:
    """Return a column's value as text."""
    number = value(counts, name)
    if number is None:
        return "–"
    # Both languages group digits alike, and Babel takes 20 µs for each of a district's thousand numbers.
    return f"{number:,}" if isinstance(number, int) else format_decimal(number)


def title(report: Report) -> str:
    """Return the report's title."""
    span = report.span
    when = {
        0: gettext("%(year)s", year=span.year),
        1: gettext("first half of %(year)s", year=span.year),
        2: gettext("second half of %(year)s", year=span.year),
    }[span.half]
    return gettext("Inspection report: %(where)s, %(when)s", where=where(report), when=when)


def file_name(report: Report) -> str:
    """Return the name of the report's files: place and period."""
    half = f"-H{report.span.half}" if report.span.half else ""
    return f"ansim-{where(report)}-{report.span.year}{half}"


def facts(report: Report) -> list[list[str]]:
    """Return [name, value] rows that say what the report is about, when it was made, and by which definitions."""
    span, made = report.span, clock.local(report.made_s)
    place = next((place for place in report.scope if place is not None), None)
    first, last = clock.local(span.since_s).date(), clock.local(span.until_s - 1).date()
    return [
        [gettext("Report"), title(report)],
        [gettext("Places"), where(report) if place is None else f"{where(report)} ({place.public_id})"],
        [gettext("Period"), f"{first.isoformat()} – {last.isoformat()}"],
        [gettext("Made"), made.isoformat(timespec="minutes")],
        [gettext("Version of the definitions"), str(VERSION)],
    ]


def frozen_facts(row: FrozenReport) -> list[list[str]]:
    """Return [name, value] rows that say when a report was frozen, and its hash."""
    submitted = clock.local(row.at_s).isoformat(timespec="minutes")
    return [[gettext("As submitted on"), submitted], ["SHA-256", row.sha256]]


def differences(submitted: Report, now: Report) -> list[tuple[str, str, str, str]]:
    """Return (place, column, as submitted, today) of every number that differs; "–" for a place that a report lacks."""
    rows = []
    for before, after in submitted_reports.list_changed(submitted, now):
        counts = after or before
        place = i18n.local_name(counts.place if counts else None)
        for name in COLUMNS:
            texts = [formatted(row, name) if row else "–" for row in (before, after)]
            if texts[0] != texts[1]:
                rows.append((place, heading(name), *texts))
    return sorted(rows, key=lambda row: names.natural_key(row[0]))


def sorted_rows(report: Report) -> list[Counts]:
    """Return the report's rows by the names that this language shows."""
    rows = [row for row in report.rows if row.place]
    return sorted(rows, key=lambda row: names.natural_key(i18n.local_name(row.place)))


def where(report: Report) -> str:
    """Return the name of the report's place."""
    place = next((place for place in report.scope if place is not None), None)
    return i18n.local_name(place) if place is not None else gettext("all places")


def limits() -> list[str]:
    """Return the notes on how to read the numbers."""
    return [
        gettext(
            "An inspection says what was looked for, by which method, and that it was not found then. It does not say"
            " that there is no camera."
        ),
        gettext(
            "Radio finds only cameras that transmit on 2.4 GHz. Cameras that record to a card, 5 GHz, cellular and"
            " phones need eyes and a lens finder."
        ),
        gettext(
            "Restrooms: all that were in use at some time in the period. Inspected: those with at least one completed"
            " inspection in it. Overdue: by each place's plan at the end of the period or, while it runs, when the"
            " report was made."
        ),
        gettext(
            "The false-alarm rate is the share of false alarms among the RF alarms that a person has judged. RF "
            "coverage"
            " is the share of the least listening time that was reached on all channels."
        ),
        gettext(
            "A notice is a one-way sender that was worth a look and never became an alarm, such as an upload or a call."
            " It needs no judgement, and is in none of the other figures."
        ),
    ]


def table(report: Report) -> tuple[list[str], list[list]]:
    """Return (header, rows) of the whole report for a spreadsheet; the last row is the total. facts() go below."""
    header = [str(KINDS[report.by]), gettext("Id"), *(heading(name) for name in COLUMNS)]
    rows = [
        [i18n.local_name(row.place), row.place.public_id, *(value(row, name) for name in COLUMNS)]
        for row in sorted_rows(report)
        if row.place
    ]
    return header, [*rows, [gettext("Total"), "", *(value(report.total, name) for name in COLUMNS)]]


def not_covered(certificate, coverage) -> list[str]:
    """Return sentences about what an inspection did not cover. coverage: web.inspecting.presenters.Coverage or None."""
    lines = [gettext("Not done: %(method)s.", method=vocabulary.METHODS[method]) for method in certificate.not_done]
    if "rf" in certificate.result.methods and coverage is not None:
        missing = [str(row.channel) for row in coverage.channels if not row.enough]
        if missing:
            lines.append(gettext("Channels not listened to long enough: %(missing)s.", missing=", ".join(missing)))
        lines += coverage.notes
    lines.append(
        gettext(
            "Radio on 2.4 GHz finds no cameras that record to a card or send by cable, 5 GHz or cellular, and no "
            "phones held in a hand."
        )
    )
    lines.append(gettext("This paper is about the time of the inspection, and about no time after it."))
    return lines
