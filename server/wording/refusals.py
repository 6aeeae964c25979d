"""Why something was not done, by the code of services.errors.Refused."""

from flask_babel import lazy_gettext as _

REFUSALS = {
    # inspections
    "already_running": _("An inspection of this restroom is already running."),
    "sensor_busy": _("The sensor %(sensor)s is being used for another inspection."),
    "sensor_revoked": _("The sensor %(sensor)s has been withdrawn."),
    "restroom_retired": _("This restroom no longer exists; its log is kept."),
    "finished": _("This inspection is already finished. A correction is a new entry."),
    "running": _("This inspection is still running; finish it first."),
    "reason_needed": _("Please give the reason; it becomes part of the record."),
    "coverage_too_low": _(
        "The RF step cannot be recorded as done yet: channels %(missing)s were not listened to long enough."
    ),
    "no_sensor": _("No sensor takes part in this inspection, so there is no RF step to record."),
    "open_findings": _("There is an open finding. Settle it first, or refer it to the police."),
    "nothing_done": _('No step has been recorded. Record at least one, or choose "not completed".'),
    "suspicious_step": _('A step recorded something suspicious, so the result cannot be "none found".'),
    # findings
    "police_needed": _("Please say when 112 was called and which station answered."),
    # sensors
    "sensor_name_bad": _("A sensor's name has 1 to 32 characters of a-z, 0-9 and the hyphen."),
    "sensor_exists": _("There is a sensor named %(sensor)s already."),
    "claim_bad": _("This claim code is wrong, used up or too old. Make a new one on the sensors page."),
    "claim_other_sensor": _("This claim code was made for the sensor %(sensor)s."),
    "release_bad": _("This is not a version of the sensors' program."),
    "release_too_large": _("A version may have at most %(most_kb)s kB."),
    "rollout_running": _("Another roll-out is still running. Stop it first."),
    "rollout_empty": _("No sensor needs this version."),
    # people
    "wrong_password": _("The present password is not right."),
    "password_too_short": _("Please use at least %(least)s characters. Several words are easy to remember."),
    "password_too_long": _("Please use at most %(most)s characters."),
    "password_common": _("This password is one of the first that others would try. Please choose another."),
    "same_password": _("The new password is the old one. Please choose another."),
    "login_taken": _("There is somebody with this sign-in name already."),
    "login_bad": _("A sign-in name has no blanks and at most 100 characters."),
    "role_unknown": _("There is no such role."),
    "last_admin": _("This is the last administrator. Name another one first."),
}
UNKNOWN = _("This cannot be done now (%(code)s).")


def refusal(code: str, values: dict) -> str:
    """Return the sentence for a refusal. A code without one still tells its word."""
    sentence = REFUSALS.get(code)
    if sentence is None:
        return str(UNKNOWN) % {"code": code}
    return str(sentence) % {name: _listed(value) for name, value in values.items()}


def _listed(value):
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else value
