"""Sentences of refusals, by the code of services.errors.Refused."""

from flask_babel import lazy_gettext as _

from server import i18n

REFUSALS = {
    # inspections
    "already_running": _("An inspection of this restroom is already running."),
    "sensor_busy": _("The sensor %(sensor)s is being used for another inspection."),
    "sensor_revoked": _("The sensor %(sensor)s has been withdrawn."),
    "restroom_retired": _("This restroom no longer exists; its log is kept."),
    "visitor_report_bad": _("Please choose what it is about, and a stall of this restroom."),
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
    "step_contested": _("Two people recorded different outcomes of one step. Look at both and record which one holds."),
    "person_name_needed": _("Please give a name."),
    "person_there": _("This person takes part already."),
    # checklists
    "checklist_open": _("%(count)s points of the list are still without an answer."),
    "checklist_suspicious": _(
        'The list has %(count)s suspicious points, so the eye step cannot be "none found". Record it as suspicious.'
    ),
    "checklist_contested": _(
        "%(count)s points of the list were answered differently by two people. Look at both answers and record which"
        " one holds."
    ),
    "suspicion_reason_needed": _("Please say why this is no longer suspicious: %(items)s"),
    "answer_reason_needed": _("Please say why, or what you saw: %(items)s"),
    "checklist_item_empty": _("A point of the list needs a text."),
    "checklist_too_long": _("A list has at most %(most)s points."),
    "checklist_key_twice": _("The point %(key)s is in the list twice, or its key is not usable."),
    # photos, holes, signatures
    "photo_empty": _("No photo came with the form."),
    "photo_too_large": _("This photo is too large; up to %(most)s MB are taken."),
    "photo_type_bad": _(
        'Only photos as JPEG, HEIC, AVIF, PNG or WebP are taken. On the phone, choose JPEG ("most compatible").'
    ),
    "photo_broken": _("This photo is damaged or was cut off on the way. Please send it again."),
    "photo_changed": _("This photo is not what was received: its bytes differ from those in the log."),
    "photo_too_many": _("There are %(most)s photos here already."),
    "hole_place_needed": _("Please say where the hole is."),
    "hole_closed": _("This hole is closed already. A new one is a new entry."),
    "stall_unknown": _("This restroom has %(stalls)s stalls."),
    "signature_empty": _("Please sign in the box; a dot is not enough."),
    "signature_name_wrong": _("This is not the name of this person."),
    "signature_not_own": _("Only the person who is signed in signs with a password. Others draw or type their name."),
    "signed_already": _("%(name)s has signed this already."),
    # sweeps that a button started
    "sweep_assigned": _("This sweep belongs to an inspection already."),
    # campaigns
    "campaign_name_needed": _("A campaign needs a name."),
    "campaign_closed": _("This campaign is closed; nothing can be added to it."),
    "campaign_running": _("This campaign is running already."),
    "campaign_not_running": _("This campaign is not running."),
    "campaign_empty": _("A campaign needs a team and a building before it can start."),
    "campaign_full": _("A campaign has at most %(most)s buildings."),
    "team_name_needed": _("A team needs a name."),
    "team_exists": _("There is a team with this name already."),
    "stop_there": _("This building is on the list already."),
    "same_team": _("This team has the building already."),
    # known devices
    "emitter_withdrawn": _("This entry is off the list: %(name)s withdrew or renewed it at %(time)s."),
    "emitter_there": _("This device is on the list already."),
    "address_bad": _("An address looks like c0:ff:ee:00:00:01."),
    "expiry_bad": _("An approval holds for 1 to %(most)s days."),
    # importing and planning
    "import_empty": _("The file is empty."),
    "import_no_table": _("The first line is not a row of column names."),
    "import_workbook": _(
        "The file is a workbook or a document that cannot be read. Open it, choose Save as, and the format "
        "CSV UTF-8 or XLSX."
    ),
    "import_no_features": _("The file is JSON, but it has no features. Please export it as GeoJSON."),
    "import_stopped": _("The file has not been taken over, because something stands against it."),
    "import_file_changed": _("The file is no longer the one that was looked at. Please look at it again."),
    "external_id_taken": _("The number %(value)s of %(source)s belongs to another restroom."),
    "period_runs": _("The period of this report has not ended. It can be frozen from the day after it."),
    "interval_bad": _("An interval has 0 to %(most)s days."),
    # findings
    "police_needed": _("Please say when 112 was called and which station answered."),
    "finding_without_address": _("The address of this transmitter is not kept any more, so no sensor can look for it."),
    "finding_without_channel": _("This transmitter has no Wi-Fi channel, so it cannot be followed."),
    # sensors
    "sensor_no_sniffer": _("The sensor %(sensor)s cannot listen to traffic. Take another one."),
    "dwell_bad": _("Please give a channel from 1 to 13, or one of 5 GHz, and 1 to %(most)s seconds."),
    "erase_unconfirmed": _("Nothing was done: tick the box to erase the sensor."),
    "settings_none": _("Nothing was changed: fill in at least one setting."),
    "settings_fixed": _("These settings can only be changed at the sensor: %(names)s."),
    "settings_bad": _("These values cannot be used: %(names)s."),
    "sensor_name_bad": _("A sensor's name has 1 to 32 characters of a-z, 0-9 and the hyphen."),
    "sensor_exists": _("There is a sensor named %(sensor)s already."),
    "claim_bad": _("This claim code is wrong, used up or too old. Make a new one on the sensors page."),
    "claim_other_sensor": _("This claim code was made for the sensor %(sensor)s."),
    "release_bad": _("This is not a version of the sensors' program."),
    "release_too_large": _("A version may have at most %(most_kb)s kB."),
    "rollout_running": _("Another roll-out is still running. Stop it first."),
    "rollout_empty": _("No sensor needs this version."),
    # the log
    "log_key_bad": _("The key that signs the log cannot be read. Tell whoever runs this server."),
    "witness_failed": _("The witness file of the log cannot be read or written. Tell the operator of this server."),
    "timestamp_failed": _("The time stamp authority gave no usable answer. Try again later."),
    "nothing_logged": _("The log tells nothing about this."),
    "public_url_needed": _(
        "This needs the address at which others reach this site. Whoever runs this server sets it: ANSIM_PUBLIC_URL."
    ),
    # people
    "wrong_password": _("The current password is not right."),
    "too_many_attempts": _("Too many wrong tries. Wait %(wait_s)s seconds, then try again."),
    "password_too_short": _("Please use at least %(least)s characters. Several words are easy to remember."),
    "password_too_long": _("Please use at most %(most)s characters."),
    "password_common": _("This password is one of the first that others would try. Please choose another."),
    "same_password": _("The new password is the old one. Please choose another."),
    "login_taken": _("There is somebody with this sign-in name already."),
    "login_bad": _("A sign-in name has no blanks and at most 100 characters."),
    "role_unknown": _("There is no such role."),
    "last_admin": _("This is the last administrator. Name another one first."),
    "places_many": _("At most %(most)s places can be chosen. Choose their organisation instead."),
    "scope_beyond": _("Only an administrator of everything can give everything."),
    "scope_empty": _("Please choose at least one place."),
    "invitation_bad": _("This invitation is not valid: it was used, withdrawn, or is too old. Ask for a new one."),
    "code_wrong": _("This code is not right. Wait for the next one in the app, and check the phone's clock."),
    "scope_unknown": _("Please choose what the token may do."),
    "scope_not_yours": _("A token cannot do more than you."),
    "days_bad": _("A token lasts 1 to %(most)s days."),
    "name_needed": _("Please give it a name."),
    # notices
    "key_reused": _("This idempotency key was used for another request."),
    "kinds_needed": _("Please choose at least one thing to be told of."),
    "target_bad": _("This address cannot be used. See the examples below the field."),
    "target_private": _(
        "This address lies in a private network. Whoever runs this server can allow that (ANSIM_NOTICE_PRIVATE)."
    ),
    "quiet_bad": _("Quiet hours need two different times."),
}
UNKNOWN = _("This cannot be done now (%(code)s).")


def refusal(code: str, values: dict) -> str:
    """Return the sentence of a refusal; an unknown code is shown itself."""
    sentence = REFUSALS.get(code)
    if "at_s" in values:
        values = {**values, "time": i18n.when(values["at_s"])}
    if sentence is None:
        return str(UNKNOWN) % {"code": code}
    return str(sentence) % {name: _listed(value) for name, value in values.items()}


def _listed(value):
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else value
