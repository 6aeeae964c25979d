"""Texts of notifications: one line each, for mail and chat. None names a place within a restroom, or a device."""

from collections.abc import Collection

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from server.wording import finding_title
from server.wording.vocabulary import DISPOSITIONS, RESULTS

# models.outside.KINDS
KINDS = {
    "finding_new": _("A sensor reports a camera-like transmission (alarm)"),
    "finding_notice": _("A sensor notices a one-way sender (notice)"),
    "finding_escalated": _("A notice has become an alarm"),
    "finding_disposed": _("A person has judged a finding"),
    "inspection_finished": _("An inspection has ended"),
    "inspection_corrected": _("The result of an inspection was corrected"),
    "inspection_reopened": _("Something suspicious followed the end of an inspection"),
    "inspection_overdue": _("Inspections are overdue"),
    "inspection_asked": _("A visitor asks for an inspection"),
    "sensor_silent": _("A sensor has fallen silent"),
    "sensor_back": _("A silent sensor is heard again"),
    "sensor_over_quota": _("A sensor sends more than its quota"),
    "message_refused": _("A message of a sensor could not be stored"),
    "not_ready": _("The server cannot do its work"),
    "chain_broken": _("The log is not as it was written"),
}
# Codes of services.upkeep.readiness.
NOT_READY = {
    "ingest": _("Reports of sensors are not stored: the ingest process does not run, or has no broker."),
    "disk": _("The disk is nearly full."),
    "secret": _("The secret is not the one of this database."),
    "migrations": _("The database is not of this version of the program."),
}
TEST_TITLE = _("A test")
WAYS = {"webhook": _("Webhook, for programs"), "apprise": _("Mail or chat, by Apprise")}
PACES = {"at_once": _("At once"), "hourly": _("Together, every hour"), "daily": _("Together, in the morning at eight")}

# Delivery.error: the texts of services.outside.webhooks and channels, and of server.notify.
ERRORS = {
    "the name of the host is not known": _("the name of the host is not known"),
    "no answer in time": _("no answer in time"),
    "no connection": _("no connection"),
    "the address may not be sent to": _("the address may not be sent to"),
    "Apprise does not understand the address": _("Apprise does not understand the address"),
    "the service did not take it": _("the service did not take it"),
    "subscription ended": _("not sent: the subscription was ended"),
    "another secret": _("its address cannot be opened: the server's secret was changed"),
}


def error(text: str) -> str:
    """Return the reason of a failed delivery, translated if it is a known one."""
    return str(ERRORS.get(text, text))


def sentence(kind: str, subject: str, facts: dict, place: str) -> str:
    """Return one line about a notification. place: the facility's name, or ""."""
    where = ", ".join(part for part in (place, facts.get("restroom", "")) if part) or gettext("place not known")
    if kind == "finding_new":
        what = finding_title(facts.get("detector", ""))
        return gettext("%(where)s: %(what)s. Only a person can tell what it is.", where=where, what=what)
    if kind == "finding_notice":
        what = finding_title(facts.get("detector", ""), is_notice=True)
        return gettext("%(where)s: %(what)s. This is a notice, not an alarm.", where=where, what=what)
    if kind == "finding_escalated":
        what = finding_title(facts.get("detector", ""))
        return gettext("%(where)s: a notice has become an alarm. %(what)s.", where=where, what=what)
    if kind == "finding_disposed":
        decision = DISPOSITIONS.get(facts.get("disposition", ""), "")
        return gettext("%(where)s: a person has judged a finding: %(decision)s.", where=where, decision=decision)
    if kind in ("inspection_finished", "inspection_corrected"):
        result = RESULTS.get(facts.get("result", ""), "")
        if kind == "inspection_finished":
            return gettext("%(where)s: an inspection has ended: %(result)s.", where=where, result=result)
        return gettext("%(where)s: the result of an inspection was corrected: %(result)s.", where=where, result=result)
    if kind == "sensor_back":
        return gettext("%(where)s: the sensor %(sensor)s is heard again.", where=where, sensor=subject)
    if kind == "test":
        return gettext("This is a test. Notifications arrive here.")
    if kind == "inspection_reopened":
        return gettext(
            "%(where)s: something suspicious was reported after the inspection had ended. Its result does not stand"
            " until a person has judged it.",
            where=where,
        )
    if kind == "inspection_overdue":
        count = int(facts.get("count", 1))
        return ngettext(
            "%(where)s: %(num)s restroom is overdue.", "%(where)s: %(num)s restrooms are overdue.", count, where=where
        )
    if kind == "inspection_asked":
        return gettext("%(where)s: a visitor asks for an inspection.", where=where)
    if kind == "sensor_silent":
        return gettext("%(where)s: the sensor %(sensor)s has not been heard for a while.", where=where, sensor=subject)
    if kind == "sensor_over_quota":
        return gettext(
            "%(where)s: the sensor %(sensor)s sends more than its quota. It may be broken, or somebody may have its"
            " key.",
            where=where,
            sensor=subject,
        )
    return _about_server(kind, subject, facts, where)


def _about_server(kind, subject, facts, where):
    if kind == "message_refused":
        return gettext(
            "%(where)s: a message of the sensor %(sensor)s could not be stored and is kept for whoever runs the"
            " server.",
            where=where,
            sensor=subject,
        )
    if kind == "not_ready":
        return gettext("The server cannot do its work. %(why)s", why=NOT_READY.get(subject, subject))
    if kind == "chain_broken":
        return gettext(
            "The log is not as it was written: entry %(entry)s was changed. Keep the server as it is, and call"
            " whoever runs it.",
            entry=facts.get("entry", "?"),
        )
    return str(KINDS.get(kind, kind))


def title(count: int, kind: str) -> str:
    """Return the subject line of a message about one notification, or several."""
    if count == 1:
        return gettext("Ansim: %(what)s", what=KINDS.get(kind, TEST_TITLE))
    return ngettext("Ansim: %(num)s notification", "Ansim: %(num)s notifications", count)


def advice(kinds: Collection[str]) -> str:
    """Return advice for these kinds of notifications, or ""."""
    if "finding_new" in kinds:
        return gettext(
            "If you find something: touch nothing, keep the scene, call the police (112). Help for victims: 1366."
        )
    return ""
