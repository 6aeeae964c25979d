"""Charts of a finding: its level over time with the visits, and its evidence around the line of a notice."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext

from ansim.detect.camera_stream import NOTICE_SCORE
from ansim.finding import ALARM_SCORE
from server import i18n
from server.services.findings.false_alarms import Rate
from server.services.findings.findings import FindingDetail
from server.web import charts
from server.web.charts import Chart, Mark
from server.wording import EvidenceLine

CAMERA_STREAM = "camera_stream"  # has a line of its own; for the other detectors it is ALARM_SCORE
GAP_S = 15 * 60  # an update comes with every change of ten points or after minutes; longer is silence
MOST_POINTS = 300


def level(detail: FindingDetail) -> Chart:
    """Return the signal strength of a finding's transmitter over time, also from the other findings of it."""
    points = [(event.at_s or event.received_s, event.rssi_dbm) for event in reversed(detail.events)]
    points += [(other.last_at_s or other.created_s, other.rssi_dbm) for other in detail.same_emitter]
    known = [(at_s, float(rssi_dbm)) for at_s, rssi_dbm in points if rssi_dbm]
    known = sorted(known, key=lambda point: point[0])[-MOST_POINTS:]
    since_s = min([at_s for at_s, _ in known], default=0)
    marks = [
        Mark(visit.inspection.started_s, gettext("Start of an inspection"))
        for visit in reversed(detail.visits)
        if visit.inspection.started_s >= since_s - GAP_S
    ]
    values = [value for _, value in known]
    summary = ""
    if values:
        summary = gettext(
            "%(count)s readings from %(first)s to %(last)s: between %(low)s and %(high)s dBm.",
            count=len(values),
            first=i18n.when(known[0][0]),
            last=i18n.when(known[-1][0]),
            low=int(min(values)),
            high=int(max(values)),
        )
    one_day = bool(known) and known[-1][0] - known[0][0] < 86400
    return charts.line(
        gettext("Signal over time (dBm)"),
        summary,
        known,
        head=(gettext("Time"), gettext("Signal (dBm)")),
        when=i18n.when,
        short=i18n.clock if one_day and not _is_widened(marks, known) else i18n.short_day,
        gap_s=GAP_S,
        marks=marks,
        mark_name=gettext("Start of an inspection"),
    )


def _is_widened(marks, known):
    """Return whether the marks widen a chart of one day to several."""
    return any(abs(mark.at_s - at_s) > 86400 for mark in marks for at_s, _ in (known[0], known[-1]))


def evidence(lines: Sequence[EvidenceLine], score: int, detector: str) -> Chart:
    """
    Return a finding's evidence as bars for and against, with its score and the line of a notice.

    A detector that starts from a number of points, as camera_stream does, or whose report has not all of its evidence,
    has the difference as a row of its own, so that the bars add up to the score.
    """
    rows = [(line.title, line.weight) for line in lines if line.weight]
    start = score - sum(weight for _, weight in rows)
    if start:
        rows.insert(0, (gettext("Starting value"), start))
    limit = NOTICE_SCORE if detector == CAMERA_STREAM else ALARM_SCORE
    summary = gettext(
        "%(score)s of 100 points; a notice needs %(limit)s. Time, a sign or a test makes it an alarm, not more points.",
        score=score,
        limit=limit,
    )
    return charts.balance(
        gettext("What speaks for a camera, and what against"),
        summary,
        (gettext("Evidence"), gettext("Points")),
        rows,
        (gettext("Together"), score),
        (gettext("Line of a notice"), limit),
        (gettext("speaks for a camera"), gettext("speaks against")),
    )


def false_alarms_by_month(months: Sequence[tuple[datetime, Rate]]) -> Chart:
    """Return the judged and the false alarms of each month, oldest first; months: its first day and its alarms."""
    judged = [rate.judged for _first, rate in months]
    false = [rate.false for _first, rate in months]
    summary = gettext(
        "%(false)s false of %(judged)s judged alarms in %(months)s months.",
        false=sum(false),
        judged=sum(judged),
        months=len(months),
    )
    labels = [first.strftime("%Y-%m") for first, _rate in months]
    series = [charts.Series(gettext("Judged"), judged), charts.Series(gettext("False"), false)]
    return charts.columns(gettext("False alarms by month"), summary, gettext("Month of the alarm"), labels, series)
