"""What a template needs that no service gives in that form: sums, sentences, and what follows from them."""

from collections import Counter, namedtuple
from datetime import UTC, datetime

from flask_babel import format_date, gettext, ngettext

from ansim import messages
from ansim.finding import ALARM_SCORE
from server import clock, i18n
from server.models.findings import CLOSED, DISPOSITIONS
from server.models.inspections import NONE_FOUND, NOT_COMPLETED, REFERRED, STEP_NONE_FOUND
from server.models.places import METHODS, RF
from server.services.inspecting import coverage as coverage_service
from server.services.places import plans as plans_service
from server.services.sensors import enrolment as sensors_service
from server.wording import vocabulary

UNDECODABLE_PERMILLE = coverage_service.UNDECODABLE_PERMILLE
LOW_BATTERY_PERCENT = 20
# A Wi-Fi sensor listens for up to a minute before it connects again; longer than that, something is wrong.
ANSWER_EXPECTED_S = 90

# due_s    when the next inspection is due; None: at once
# overdue  it is, or nothing complete is known of an earlier one
# text     the same in a few words
Due = namedtuple("Due", ("due_s", "overdue", "text"))

# share  0..100, how much of the least time has been reached
Channel = namedtuple("Channel", ("channel", "listened_ms", "least_ms", "share", "enough"))

# reached   how many channels were listened to long enough
# sentence  the coverage in one sentence
# notes     what weakens it, a sentence each
Coverage = namedtuple("Coverage", ("channels", "reached", "enough", "percent", "sentence", "notes", "listened_s"))


def due(room, now_s: int) -> Due:
    """When the next inspection of a restroom is due, by its plan; see services/plans.py."""
    if room.due_s is None:
        return Due(None, False, gettext("Nothing planned"))
    if room.due_s > now_s:
        return Due(room.due_s, False, gettext("By %(day)s", day=short_day(room.due_s)))
    done = {method: getattr(room, column) for method, column in plans_service.DONE_COLUMNS.items()}
    if done[room.due_method] is not None:
        return Due(room.due_s, True, gettext("Overdue: %(method)s", method=vocabulary.PLANNED[room.due_method]))
    if any(done.values()):
        return Due(None, True, gettext("Due now: %(method)s", method=vocabulary.PLANNED[room.due_method]))
    return Due(None, True, gettext("Due now"))


def short_day(at_s: int) -> str:
    """A date without its weekday, in the site's time zone."""
    return format_date(datetime.fromtimestamp(at_s, UTC), {"ko": "yyyy. M. d."}.get(i18n.language(), "d MMM yyyy"))


def coverage(summary: dict | None) -> Coverage | None:
    """Return what a page tells about a services.coverage summary; None for none."""
    if not summary:
        return None
    least_ms = summary["enough_ms"]
    channels = [
        Channel(number, ms, least_ms, min(100, ms * 100 // least_ms), ms >= least_ms)
        for number, ms, *_ in summary["channels"]
    ]
    reached = sum(one.enough for one in channels)
    return Coverage(
        channels,
        reached,
        summary["enough"],
        summary["percent"],
        _coverage_sentence(channels, least_ms),
        _coverage_notes(summary),
        summary["listened_ms"] // 1000,
    )


def _coverage_sentence(channels, least_ms):
    missing = [str(one.channel) for one in channels if not one.enough]
    if not any(one.listened_ms for one in channels):
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
    heard_with = summary["capabilities"]
    if summary["sweeps"] and messages.SNIFF not in heard_with:
        notes.append(gettext("This sensor cannot listen to Wi-Fi traffic; it can only read the list of networks."))
    if summary["undecodable_permille"] > UNDECODABLE_PERMILLE:
        notes.append(
            gettext(
                "%(percent)s %% of the frames could not be read by this sensor, so a quiet channel may not be quiet.",
                percent=summary["undecodable_permille"] // 10,
            )
        )
    if summary["tables_full"]:
        notes.append(gettext("There were more transmitters than the sensor could follow."))
    if summary.get("gap_ms", 0) >= 1000:
        missing = i18n.duration(summary["gap_ms"] // 1000)
        notes.append(
            gettext("Of %(time)s in between nothing is known: a report is missing, or it restarted.", time=missing)
        )
    if summary["deaf_ms"] >= 1000:
        spent = i18n.duration(summary["deaf_ms"] // 1000)
        notes.append(gettext("%(time)s went into uploading and other radios; it was not listening then.", time=spent))
    return notes


def is_alarm(finding) -> bool:
    """True while a finding is strong enough to act on and nobody has found an innocent cause."""
    return finding.status != CLOSED and finding.score_max >= ALARM_SCORE


def methods_text(methods) -> str:
    """Return methods as they stand in a sentence: "eye, RF and lens"."""
    names = [str(vocabulary.METHODS_BY[method]) for method in METHODS if method in methods]
    if len(names) < 2:
        return "".join(names)
    return gettext("%(first)s and %(last)s", first=", ".join(names[:-1]), last=names[-1])


def result_sentence(row) -> str:
    """Return what an inspection came to, for an InspectionResult or a row of the log; none is still running."""
    result = getattr(row, "result", None)
    result = result if hasattr(result, "methods") or result is None else row
    if result is None:
        return gettext("Being inspected now")
    if result.result == NONE_FOUND:
        return gettext("None found by %(methods)s", methods=methods_text(result.methods))
    if result.result == NOT_COMPLETED:
        return gettext("Not completed")
    return gettext("Referred to police") if result.result == REFERRED else result.result


def step_statement(step, covered: Coverage | None, found) -> str:
    """
    Return the RF step as a sentence that claims no more than was done; "" for the other steps.

    found  the inspection's findings: what was heard and settled is named
    """
    if step is None or step.method != RF or step.outcome != STEP_NONE_FOUND or covered is None:
        return ""
    given = {
        "time": i18n.when(step.at_s),
        "reached": covered.reached,
        "all": len(covered.channels),
        "listened": i18n.duration(covered.listened_s),
    }
    settled = Counter(one.disposition for one in found if one.status == CLOSED and one.disposition)
    if not settled:
        return gettext(
            "No camera-like transmission found by RF at %(time)s, with %(reached)s of %(all)s channels of 2.4 GHz"
            " listened to long enough (%(listened)s in all).",
            **given,
        )
    kinds = ", ".join(
        f"{vocabulary.DISPOSITIONS[kind].short}: {settled[kind]}" for kind in DISPOSITIONS if settled[kind]
    )
    return gettext(
        "Apart from what was heard and settled (%(settled)s), no camera-like transmission found by RF at %(time)s,"
        " with %(reached)s of %(all)s channels of 2.4 GHz listened to long enough (%(listened)s in all).",
        settled=kinds,
        **given,
    )


# state    word of services.sensors.status()
# battery  percent or None
# hears    what it can hear with, in words
# warning  what a person should know before relying on it, or ""
SensorFacts = namedtuple("SensorFacts", ("sensor", "state", "battery", "hears", "warning"))


def sensor(one, silent_after_s: int) -> SensorFacts:
    """Return what pages tell about a sensor."""
    info = one.info or {}
    state = sensors_service.status(one, clock.now_s(), silent_after_s)
    capabilities = info.get("capabilities", [])
    hears = [str(vocabulary.CAPABILITIES.get(name, name)) for name in capabilities]
    battery = info.get("battery_percent")
    return SensorFacts(one, state, battery, hears, _sensor_warning(state, battery, capabilities, info))


def _sensor_warning(state, battery, capabilities, info):
    if state == sensors_service.NEVER:
        return gettext("It has never connected to this server.")
    if state in (sensors_service.OFFLINE, sensors_service.SILENT):
        return gettext(
            "It is not connected. Switch it on and check its Wi-Fi or cable; what it hears meanwhile is kept in it."
        )
    if info.get("safe"):
        return gettext(
            "It crashed again and again and now runs in safe mode: it listens to nothing until it is mended."
        )
    if battery is not None and battery < LOW_BATTERY_PERCENT:
        return gettext("Its battery is low.")
    if capabilities and messages.SNIFF not in capabilities:
        return gettext("It cannot listen to Wi-Fi traffic, so it finds fewer cameras.")
    return ""
