"""What a notice says: one line, for mail and chat. Nothing here says where in a room, or what anybody's device is called."""

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from server.wording import finding_title

# What can be subscribed to: models.outside.KINDS
KINDS = {
    "finding_new": _("A sensor reports a camera-like transmission"),
    "inspection_overdue": _("Inspections are overdue"),
    "inspection_asked": _("A visitor asks for an inspection"),
    "sensor_silent": _("A sensor has fallen silent"),
    "chain_broken": _("The log is not as it was written"),
}
WAYS = {"webhook": _("Webhook, for programs"), "apprise": _("Mail or chat, by Apprise")}
PACES = {"at_once": _("At once"), "hourly": _("Together, every hour"), "daily": _("Together, in the morning at eight")}

# Why a delivery failed, in the words of services.webhooks and channels.
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
    """Return why a delivery failed, in the language of the page if the reason is known."""
    return str(ERRORS.get(text, text))


def sentence(kind: str, subject: str, facts: dict, place: str) -> str:
    """One line about a notice. `place`: the facility's name, or ""."""
    where = ", ".join(part for part in (place, facts.get("restroom", "")) if part) or gettext("place not known")
    if kind == "finding_new":
        what = finding_title(facts.get("detector", ""))
        return gettext("%(where)s: %(what)s. Only a person can tell what it is.", where=where, what=what)
    if kind == "inspection_overdue":
        count = int(facts.get("count", 1))
        return ngettext(
            "%(where)s: %(num)s restroom is overdue.", "%(where)s: %(num)s restrooms are overdue.", count, where=where
        )
    if kind == "inspection_asked":
        return gettext("%(where)s: a visitor asks for an inspection.", where=where)
    if kind == "sensor_silent":
        return gettext("%(where)s: the sensor %(sensor)s has not been heard for a while.", where=where, sensor=subject)
    if kind == "chain_broken":
        return gettext(
            "The log is not as it was written: entry %(entry)s was changed. Keep the server as it is, and call"
            " whoever runs it.",
            entry=facts.get("entry", "?"),
        )
    return str(KINDS.get(kind, kind))


def title(count: int, kind: str) -> str:
    """The subject line of a message about one notice, or several."""
    if count == 1:
        return gettext("Ansim: %(what)s", what=KINDS.get(kind, kind))
    return ngettext("Ansim: %(num)s notice", "Ansim: %(num)s notices", count)


def advice(kinds) -> str:
    """What to do, where it matters at once; "" otherwise."""
    if "finding_new" in kinds:
        return gettext(
            "If you find something: touch nothing, keep the scene, call the police (112). Help for victims: 1366."
        )
    return ""
