"""
Words for what the database and the sensors say in codes: methods, results, dispositions, states.

Nothing here promises safety: a result says what was looked for, by which method, and that it was not found.
"""

from typing import NamedTuple

from flask_babel import lazy_gettext as _
from flask_babel import lazy_pgettext


class Status(NamedTuple):
    """
    A status pill. Its text is a lazy translation.

    tone    colour: good, info, warn, danger, quiet
    symbol  icon, a key of templates/_icons.html
    """

    text: object
    tone: str
    symbol: str


class Disposition(NamedTuple):
    """short: for lists; title and help: for the form. Lazy translations."""

    short: object
    title: object
    help: object


class Detector(NamedTuple):
    """title and explanation of the detector's alarms, and of its notices. Lazy translations."""

    title: object
    hint: object
    notice_title: object
    notice_hint: object


METHODS = {"eye": _("Eye"), "rf": _("RF sensor"), "lens": _("Lens finder")}

# models.places.PLANNED
PLANNED = {**METHODS, "selftest": _("Sensor self-test")}

# services.places.deadlines.RULES
PLAN_RULES = {
    "monthly": _("once a month"),
    "quarterly": _("once in each quarter"),
    "half_yearly": _("once in each half-year"),
    "school_term": _("before each school term: by the end of February and by 15 August"),
}

# Methods within the sentence "none found by ...".
METHODS_BY = {
    "eye": lazy_pgettext("found by", "eye"),
    "rf": lazy_pgettext("found by", "RF"),
    "lens": lazy_pgettext("found by", "lens finder"),
}

METHOD_HELP = {
    "eye": _(
        "Look at holes, sockets, vents, screws, bins, paper holders, hooks and the changing table, stall by stall."
    ),
    "rf": _("Walk through every stall with the sensor. It listens on the 13 channels of 2.4 GHz by itself."),
    "lens": _("Darken the room if you can and look through the lens finder for a glint, at eye and knee height."),
}

# models.places.VISITOR_REPORTS
VISITOR_REPORTS = {
    "asked": _("Inspection asked for"),
    "screw": _("Loose or odd screw"),
    "hole": _("Hole"),
    "gap": _("Gap"),
    "object": _("Suspicious object"),
}

# models.places.BLOCKS
BLOCKS = {
    "women": _("Women"),
    "men": _("Men"),
    "accessible": _("Accessible"),
    "family": _("Family"),
    "unisex": _("All genders"),
    "unknown": _("Users not known"),
}

OUTCOMES = {
    "none_found": Status(_("None found"), "info", "record"),
    "suspicious": Status(_("Something suspicious"), "danger", "finding"),
    "not_done": Status(_("Not done"), "quiet", "minus"),
    None: Status(_("Not recorded yet"), "quiet", "ring"),
}

RESULTS = {
    "none_found": Status(_("None found"), "info", "record"),
    "not_completed": Status(_("Not completed"), "warn", "minus"),
    "referred": Status(_("Referred to police"), "danger", "call"),
    "reopened": Status(_("Open again"), "danger", "finding"),
}

# models.checklists.ANSWERS
CHECK_ANSWERS = {
    "ok": Status(_("Nothing suspicious"), "info", "check"),
    "suspicious": Status(_("Suspicious"), "danger", "finding"),
    "na": Status(_("Not applicable"), "quiet", "minus"),
    None: Status(_("Not answered yet"), "quiet", "ring"),
}

# models.checklists.WHERES
WHERES = {"room": _("once in the room"), "stall": _("in every stall"), "both": _("in the room and in every stall")}

# models.photos.HOLE_EVENTS
HOLE_EVENTS = {
    "found": _("Found"),
    "sticker": _("Covered with a sticker"),
    "ticket": _("Reported for repair"),
    "closed": _("Repaired"),
    "remark": _("Remark"),
}

# models.campaigns.WAYS and PARTNERS
WAYS = {"foot": _("on foot"), "car": _("by car")}
PARTNERS = {
    "staff": _("Staff"),
    "police": _("Police"),
    "support": _("Support centre"),
    "other": _("Other partner"),
}

DISPOSITIONS = {
    "known_emitter": Disposition(
        _("Known device"),
        _("It belongs here"),
        _(
            "The building's own camera or network, checked on site. A manager's confirmation puts it on the list that "
            "sensors know."
        ),
    ),
    "neighbour": Disposition(
        _("Neighbour's device"),
        _("It belongs to a neighbour"),
        _("Outside this restroom and confirmed there, such as the shop next door."),
    ),
    "false": Disposition(
        _("False alarm"),
        _("It was a false alarm"),
        _("Found to be no camera at all. This counts in the false-alarm rate."),
    ),
    "unresolved": Disposition(
        _("Unresolved"),
        _("It could not be found out"),
        _('Searched, and neither found nor explained. This inspection then cannot say "none found".'),
    ),
    "referred": Disposition(
        _("Referred to police"),
        _("Police (112) were called"),
        _("Keep the scene as it is until they have come."),
    ),
}

# ansim.finding.EVENTS of an alarm, and of a notice
EVENTS = {
    "raised": _("Alarm by the sensor"),
    "updated": _("Still heard; the evidence has changed"),
    "cleared": _("Cleared by the sensor: the evidence fell below the line or it fell silent"),
}
NOTICE_EVENTS = {
    "raised": _("Noticed by the sensor"),
    "updated": _("Still heard; the evidence has changed"),
    "cleared": _("Over: the evidence fell below the line or it fell silent"),
}

# ansim.finding.LEVELS
LEVELS = {
    "alarm": Status(_("Alarm"), "danger", "finding"),
    "notice": Status(_("Notice"), "warn", "question"),
}

# services.sensors.fleet.STATES
SENSOR_STATES = {
    "never": Status(_("Never connected"), "quiet", "ring"),
    "online": Status(_("Connected"), "good", "check"),
    "sleeping": Status(_("Listening offline"), "quiet", "sensor"),
    "silent": Status(_("Silent"), "warn", "clock"),
    "offline": Status(_("Not connected"), "danger", "offline"),
    "revoked": Status(_("Withdrawn"), "quiet", "close"),
}

# ansim.messages.CAPABILITIES
CAPABILITIES = {
    "sniff": _("Wi-Fi traffic"),
    "sniff_management": _("Wi-Fi announcements only"),
    "scan": _("Wi-Fi networks"),
    "ble": _("Bluetooth"),
    "nrf24": _("Analogue video"),
}

DETECTORS = {
    "camera_stream": Detector(
        _("Camera-like video stream over Wi-Fi"),
        _("A device nearby sends a steady stream of data as cameras do when somebody watches."),
        _("One-way sender, worth a look"),
        _(
            "A device nearby sends much more than it receives. Cameras do that, and so do uploads, calls and shared "
            "screens."
        ),
    ),
    "camera_access_point": Detector(
        _("Wi-Fi network like a hidden camera's"),
        _("Small cameras often open a Wi-Fi network of their own. This one looks like that."),
        _("Wi-Fi network, worth a look"),
        _("Its name or its maker is one that small cameras have, and harmless things too. That alone says little."),
    ),
    "camera_beacon": Detector(
        _("Bluetooth signal like a camera in set-up mode"),
        _("Cameras announce themselves by Bluetooth while they wait to be set up."),
        _("Bluetooth signal, worth a look"),
        _("It announces what cameras announce while they are set up, and harmless things too. That alone says little."),
    ),
    "undecodable_source": Detector(
        _("Transmission that this sensor cannot read"),
        _(
            "Something transmits here in a way this sensor's radio cannot read, so it could not be judged. Look with "
            "eye and lens."
        ),
        _("Transmission that this sensor cannot read"),
        _(
            "Something transmits here in a way this sensor's radio cannot read, so it could not be judged. Look with "
            "eye and lens."
        ),
    ),
    "analogue_video": Detector(
        _("Signal like an analogue video sender's"),
        _("Analogue senders transmit a picture without Wi-Fi, all the time, on a few known channels."),
        _("Steady signal, worth a look"),
        _("Something transmits without a pause where analogue video senders do. It may be another kind of sender."),
    ),
}

ROLES = {
    "admin": _("Administrator"),
    "manager": _("Manager"),
    "inspector": _("Inspector"),
    "viewer": _("Viewer"),
}

# Rights of a user or a token: services.people.accounts.RIGHTS
RIGHTS = {
    "see": _("See"),
    "inspect": _("Inspect"),
    "dispose": _("Settle findings"),
    "manage": _("Manage places and sensors"),
    "admin": _("Administer people"),
}

ROLE_HELP = {
    "admin": _("Everything, and people's accounts."),
    "manager": _("Inspects, settles findings, and changes places, plans and sensors."),
    "inspector": _("Inspects and settles findings."),
    "viewer": _("Reads only."),
}

# services.people.access_log.KINDS
ACCESSES = {
    "saw_inspection": _("Saw an inspection"),
    "saw_finding": _("Saw a finding"),
    "saw_person": _("Saw a person's account"),
    "saw_log": _("Read the log"),
    "exported": _("Exported"),
    "signed_in": _("Signed in"),
    "sign_in_failed": _("Failed to sign in"),
}

COMMANDS = {
    "inspection_start": _("Start an inspection"),
    "inspection_stop": _("Stop an inspection"),
    "time": _("Set the clock"),
    "dwell": _("Stay on one channel"),
    "locate": _("Follow a signal"),
    "stimulus": _("Movement test"),
    "selftest": _("Self-test"),
    "settings": _("Change settings"),
    "signatures": _("New signature table"),
    "update": _("New firmware"),
    "wipe": _("Erase"),
    "restart": _("Restart"),
    "test_signal": _("Send a test signal"),
}

UPLINKS = {"wifi": "Wi-Fi", "ethernet": lazy_pgettext("uplink", "Cable")}
# Causes of a sensor's last start: firmware/maintenance/crash_counter.py
RESET_CAUSES = {
    "power_on": _("switched on"),
    "brown_out": _("supply voltage too low, or reset button"),
    "restart": _("restarted"),
    "crash": _("crash"),
    "watchdog": _("did not respond"),
    "exception": _("error in its program"),
    "soft": _("restarted from its console"),
    "deep_sleep": _("woke up"),
}
CLOCKS = {
    "unknown": _("not known yet"),
    "ntp": _("from the internet"),
    "server": _("from this server"),
}

# Outcomes of a roll-out for a sensor, and reasons for its early end: services.sensors.rollout
ROLLOUT_OUTCOMES = {
    "": Status(_("Waiting"), "quiet", "clock"),
    "done": Status(_("Runs it"), "good", "check"),
    "rolled_back": Status(_("Went back"), "danger", "finding"),
    "refused": Status(_("Refused"), "danger", "close"),
    "usb_only": Status(_("By USB only"), "quiet", "offline"),
    "not_heard": Status(_("Not heard"), "warn", "offline"),
    "cancelled": Status(_("Left out"), "quiet", "close"),
}
ROLLOUT_ENDS = {
    "canary_failed": _("Stopped by itself: one of the first sensors could not run it and went back."),
    "too_many_failed": _("Stopped by itself: too many sensors could not run it."),
    "no_canary": _("Stopped by itself: none of the first sensors was heard."),
    "by_hand": _("Stopped by a person."),
}

# Counters of a sensor's messages: services.intake.counters
TALLIES = {
    "stored": _("Reports stored"),
    "duplicate": _("Delivered more than once"),
    "taken": _("Other messages"),
    "conflict": _("Two reports under one number"),
    "bad_topic": _("On a wrong topic"),
    "bad_signature": _("Badly signed"),
    "malformed": _("Malformed"),
    "unknown_version": _("In a newer format"),
    "unknown_sensor": _("From an unknown sensor"),
    "revoked": _("After it was withdrawn"),
    "too_large": _("Too large"),
    "poison": _("Could not be stored"),
    "over_quota": _("Over the sensor's quota, not stored yet"),
    "chain_broken": _("Gaps in the chain of reports"),
    "dropped": _("Reports given up by the sensor"),
    "refused_login": _("Sign-ins refused"),
    "refused_topic": _("Topics refused"),
    "bad_packet": _("Malformed MQTT packets"),
    "throttled": _("Slowed down, over the sensor's quota"),
}
